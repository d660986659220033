//! The contract on a toy engine, to show that it does not lean on any real one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use cell::contract::{Program, Subject};
use cell::{
    Argument, Cell, CellId, Clock, Collected, Console, Engine, Error, Event, Group, GuestError, Halt, HatchCall, Keeps, Limits, Meter,
    Offer, Operation, Ref, Reply, Resolved, Shape, Snapshot, Stop, Stream, Target, Task, Ticket, Trap, TrapKind, Unsupported, Value,
};
use serde::{Deserialize, Serialize};

/// A program is a text, one instruction a line. Every instruction costs one unit.
///
/// `print TEXT`, `warn TEXT`, `say TEXT` (without a line end), `take BYTES`, `work N` (counts down), `goto LINE`, `deeper` (pushes a frame and starts over), `ask NAME TEXT`
/// (skips the next line if the call raises), `show` (prints the last answer), `define NAME` (ends the
/// program; what follows is a function), `call-argument` (calls what was passed), `raise TEXT`, `panic`, `exit CODE`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Toy {
    lines: Vec<String>,
    frames: Vec<Frame>,
    heap: u64,
    peak: u64,
    memory: Option<u64>,
    depth: Option<u32>,
    answer: Argument,
    console: Console,
    value: Option<Argument>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Frame {
    line: usize,
    left: u64,
    calls: u32,
    waiting: bool,
    arguments: Vec<Argument>,
}

impl Toy {
    fn line_of(&self, name: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.trim() == format!("define {name}"))
    }

    /// One instruction; `None` to go on.
    fn step(&mut self) -> Option<Event> {
        let depth = self.frames.len();
        let frame = self.frames.last_mut()?;
        let Some(text) = self.lines.get(frame.line) else { return Some(self.finish(0)) };
        let text = text.clone();
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        frame.line += 1;
        match word {
            "print" | "warn" => {
                let stream = if word == "print" { Stream::Out } else { Stream::Err };
                if let Err(full) = self.console.write(stream, format!("{rest}\n").as_bytes()) {
                    return Some(Event::Stop(full.into()));
                }
            }
            "say" => {
                if let Err(full) = self.console.write(Stream::Out, rest.as_bytes()) {
                    return Some(Event::Stop(full.into()));
                }
            }
            "show" => {
                let text = match &self.answer {
                    Argument::Value(Value::Text(text)) => text.clone(),
                    other => format!("{other:?}"),
                };
                if let Err(full) = self.console.write(Stream::Out, text.as_bytes()) {
                    return Some(Event::Stop(full.into()));
                }
            }
            "take" => {
                let grown = self.heap + rest.parse::<u64>().unwrap_or(0);
                if self.memory.is_some_and(|cap| grown > cap) {
                    return Some(Event::Stop(Stop::OutOfMemory));
                }
                self.heap = grown;
                self.peak = self.peak.max(grown);
            }
            "work" => {
                if frame.left == 0 {
                    frame.left = rest.parse::<u64>().unwrap_or(0);
                }
                frame.left -= 1;
                if frame.left > 0 {
                    frame.line -= 1;
                }
            }
            "goto" => frame.line = rest.parse().unwrap_or(0),
            "deeper" => {
                frame.calls += 1;
                if self.depth.is_some_and(|depth| frame.calls > depth) {
                    return Some(Event::Stop(Stop::Trapped(Trap::new(TrapKind::StackOverflow, "too deep"))));
                }
                frame.line = 0;
            }
            "ask" => {
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                frame.waiting = true;
                let arguments = if text == "me" { vec![Argument::Own(Ref { index: 0, generation: 0 })] } else { vec![text.into()] };
                return Some(Event::Call(HatchCall {
                    target: Target::Offer(name.into()),
                    operation: Operation::Call,
                    arguments,
                    block: None,
                }));
            }
            "call-argument" => {
                frame.waiting = true;
                let target = match frame.arguments.first() {
                    Some(Argument::Lent(lent)) => Target::Object(*lent),
                    Some(Argument::Own(_)) => {
                        let error = GuestError::new("Mine", "my own object came back unwrapped");
                        self.frames.pop();
                        return Some(Event::Stop(Stop::Raised(error)));
                    }
                    other => return Some(Event::Stop(Stop::Raised(GuestError::new("TypeError", format!("{other:?}"))))),
                };
                return Some(Event::Call(HatchCall { target, operation: Operation::Call, arguments: vec![], block: None }));
            }
            "panic" => panic!("this panic is part of a test"),
            "exit" => return Some(self.finish(rest.parse().unwrap_or(0))),
            "define" => return Some(self.finish(0)),
            "raise" => {
                self.frames.pop();
                return Some(Event::Stop(Stop::Raised(GuestError::new("Raised", rest))));
            }
            _ => return Some(Event::Stop(Stop::Trapped(Trap::new(TrapKind::IllegalInstruction, text)))),
        }
        debug_assert_eq!(depth, self.frames.len());
        None
    }

    fn finish(&mut self, code: i32) -> Event {
        self.frames.pop();
        self.value = Some(self.answer.clone());
        Event::Stop(Stop::Finished(code))
    }
}

impl Engine for Toy {
    type Snapshot = Frozen;

    fn keeps() -> Keeps {
        Keeps::everything("toy")
    }
    fn fuel_schedule(&self) -> Option<u32> {
        Some(1)
    }
    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error> {
        self.memory = limits.memory;
        self.depth = limits.depth;
        Ok(())
    }
    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        let [program] = task.programs.as_slice() else { return Err(Error::Invalid("the toy cell takes one program".into())) };
        let text = std::str::from_utf8(&program.bytes).map_err(|_| Error::Program("the program is not a text".into()))?;
        self.lines = text.lines().map(str::to_owned).collect();
        self.frames = vec![Frame::default()];
        Ok(())
    }
    fn run(&mut self, meter: &mut Meter) -> Event {
        loop {
            let mut fuel = match meter.lend() {
                Ok(fuel) => fuel,
                Err(halt) => return Event::Stop(Halt::into(halt)),
            };
            while fuel > 0 {
                fuel -= 1;
                if let Some(event) = self.step() {
                    meter.settle(fuel);
                    return event;
                }
            }
            meter.settle(0);
        }
    }
    fn resume(&mut self, reply: Reply, meter: &mut Meter) -> Event {
        let Some(frame) = self.frames.last_mut().filter(|frame| frame.waiting) else {
            return Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "nobody waits")));
        };
        frame.waiting = false;
        match reply {
            Reply::Return(value) => {
                self.answer = value;
                frame.line += 1;
            }
            // The line behind an `ask` runs only if it raised.
            Reply::Throw(error) => self.answer = error.message.into(),
            Reply::Later(_) => return Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "no promises here"))),
        }
        self.run(meter)
    }
    fn call(&mut self, target: Ref, _operation: &Operation, arguments: &[Argument], _block: Option<&Argument>) -> Result<(), Error> {
        let line = if target == Ref::default() { self.line_of("main") } else { None }.ok_or(Error::NoSuchRef)?;
        self.frames.push(Frame { line: line + 1, arguments: arguments.to_vec(), ..Frame::default() });
        Ok(())
    }
    fn take_value(&mut self) -> Option<Argument> {
        self.value.take()
    }
    fn global(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        Ok((name == "main" && self.line_of(name).is_some()).then_some(Argument::Own(Ref::default())))
    }
    fn set_global(&mut self, _name: &str, _value: &Argument) -> Result<(), Error> {
        Err(Unsupported { engine: "toy", what: "set globals".into() }.into())
    }
    fn offer(&mut self, _name: &str, _shape: &Shape) -> Result<(), Error> {
        Ok(())
    }
    fn settle(&mut self, _ticket: Ticket, _result: Result<Argument, GuestError>) -> Result<(), Error> {
        Err(Unsupported { engine: "toy", what: "hold promises".into() }.into())
    }
    fn release(&mut self, _own: Ref) {}
    fn console(&mut self) -> &mut Console {
        &mut self.console
    }
    fn collect(&mut self, _stop: &Stop) -> Collected {
        Collected { memory_peak: self.peak, extra: BTreeMap::new(), ..Collected::default() }
    }
    fn snapshot(&mut self) -> Result<Frozen, Unsupported> {
        Ok(Frozen(self.clone()))
    }
}

struct Frozen(Toy);

impl Snapshot for Frozen {
    type Engine = Toy;
    fn spawn(&self) -> Result<Toy, Error> {
        Ok(self.0.clone())
    }
    fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        cell::write_header(to, &self.0)
    }
    fn load(from: &mut dyn Read) -> Result<Self, Error> {
        cell::read_header(from).map(Self)
    }
}

struct ToySubject;

fn toy(program: &str) -> Task {
    Task::program("toy", program.as_bytes())
}

impl Subject for ToySubject {
    type Engine = Toy;
    fn cell(&self, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Cell<Toy>, Error> {
        Cell::new(Toy::default(), limits, clock)
    }
    fn task(&self, program: Program) -> Result<Task, &'static str> {
        Ok(toy(match program {
            Program::Finish => "exit 7",
            Program::Print => "print hello\nwarn oops",
            Program::Flood => "print x\ngoto 0",
            Program::Spin => "goto 0",
            Program::Work => "work 300000\nprint done",
            Program::Hoard => "take 4096\ngoto 0",
            Program::Recurse => "deeper",
            Program::Ask => "ask ask ping\ngoto 4\nshow\nexit 0\nsay raised",
            Program::AskForever => "ask ask ping\ngoto 0\ngoto 0",
        }))
    }
}

cell::contract_tests!(ToySubject);

#[test]
fn a_panic_of_the_engine_kills_the_cell_and_nothing_else() {
    let mut cell = ToySubject.cell(Limits::default(), None).unwrap();
    let outcome = cell.execute(&toy("print before\npanic")).unwrap();
    assert!(matches!(&outcome.stop, Stop::Trapped(trap) if trap.kind == TrapKind::Internal), "{outcome:?}");
    assert_eq!(outcome.stdout, b"before\n");
    assert!(matches!(cell.run(), Err(Error::Dead(_))));
    assert!(matches!(cell.execute(&toy("exit 0")), Err(Error::Dead(_))));
}

#[test]
fn a_guest_can_be_entered_while_it_waits_in_a_call() {
    let mut cell = ToySubject.cell(Limits::default(), None).unwrap();
    cell.offer_function("ask", |call| match call.arguments.first() {
        Some(Argument::Own(me)) => call.call_guest(*me, vec![]),
        other => panic!("{other:?}"),
    })
    .unwrap();
    cell.offer_function("name", |_| Ok("inner".into())).unwrap();
    let outcome = cell.execute(&toy("ask ask me\nexit 1\nshow\nexit 0\ndefine main\nask name x\nexit 2\nexit 0")).unwrap();
    assert_eq!((outcome.stop, outcome.stdout.as_slice()), (Stop::Finished(0), &b"inner"[..]));
}

#[test]
fn a_stop_inside_a_host_function_ends_the_cell_with_that_stop() {
    let mut cell = ToySubject.cell(Limits::default().fuel(1000), None).unwrap();
    cell.offer_function("ask", |call| match call.arguments.first() {
        Some(Argument::Own(me)) => call.call_guest(*me, vec![]).or(Ok(Argument::default())),
        other => panic!("{other:?}"),
    })
    .unwrap();
    let outcome = cell.execute(&toy("ask ask me\nexit 1\nexit 0\ndefine main\ngoto 4")).unwrap();
    assert_eq!((outcome.stop, outcome.usage.fuel), (Stop::OutOfFuel, Some(1000)));
    assert!(matches!(cell.run(), Err(Error::Dead(_))));
}

#[test]
fn a_future_of_the_hosts_is_waited_for() {
    let mut cell = ToySubject.cell(Limits::default(), None).unwrap();
    let ready = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&ready);
    cell.offer(
        "ask",
        Offer::future(move |_| {
            let flag = Arc::clone(&flag);
            std::future::poll_fn(move |context| {
                if flag.load(std::sync::atomic::Ordering::Relaxed) {
                    std::task::Poll::Ready(Ok("late".into()))
                } else {
                    context.waker().wake_by_ref();
                    std::task::Poll::Pending
                }
            })
        }),
    )
    .unwrap();
    let outcome = cell.execute(&toy("ask ask x\nexit 1\nshow\nexit 0")).unwrap();
    assert!(matches!(&outcome.stop, Stop::Waiting(tickets) if tickets.len() == 1), "{outcome:?}");
    ready.store(true, std::sync::atomic::Ordering::Relaxed);
    let outcome = cell.run().unwrap();
    assert_eq!((outcome.stop, outcome.stdout.as_slice()), (Stop::Finished(0), &b"late"[..]));
}

#[test]
fn a_cell_frozen_in_a_call_makes_it_again() {
    let mut cell = ToySubject.cell(Limits::default(), None).unwrap();
    cell.offer("ask", Offer::future(|_| std::future::pending())).unwrap();
    let outcome = cell.execute(&toy("ask ask x\nexit 1\nshow\nexit 0")).unwrap();
    assert!(matches!(outcome.stop, Stop::Waiting(_)));
    let frozen = cell.snapshot().unwrap();
    assert_eq!(frozen.offers(), ["ask"]);
    let mut bound = frozen.spawn(None).unwrap();
    bound.offer_function("ask", |_| Ok("again".into())).unwrap();
    assert_eq!(bound.run().unwrap().stdout, b"again");
    let mut unbound = frozen.spawn(None).unwrap();
    assert_eq!(unbound.run().unwrap().stop, Stop::Finished(1), "an offer that nobody bound again is an error of the guest's");
}

fn group_of(first: &str, second: &str, limits: [Limits; 2]) -> (Group, CellId, CellId) {
    let mut group = Group::new();
    let ids = [(first, limits[0]), (second, limits[1])].map(|(program, limits)| {
        let mut cell = ToySubject.cell(limits, None).unwrap();
        cell.prepare(&toy(program)).unwrap();
        group.add(cell)
    });
    (group, ids[0], ids[1])
}

const CALLS_OTHER: &str = "ask other me\nexit 1\nshow\nexit 0\ndefine main\nask name x\nexit 2\nexit 0";

#[test]
fn cells_call_each_other_back_and_forth() {
    // The second cell calls what it was lent: the first one's own `main`, which asks the host.
    let (mut group, first, second) = group_of(CALLS_OTHER, "exit 0\ndefine main\ncall-argument\nraise no\nexit 0", [Limits::default(); 2]);
    group.get(first).unwrap().offer("name", Offer::function(|_| Ok("round trip".into()))).unwrap();
    group.lend(second, "main", first, "other").unwrap();
    let outcome = group.run(first).unwrap();
    assert_eq!((outcome.stop, outcome.stdout.as_slice()), (Stop::Finished(0), &b"round trip"[..]));
    // Every instruction of the three activations is paid for once: 4 + 2 + 2.
    assert_eq!(outcome.usage.fuel, Some(3 + 2 + 2));
}

#[test]
fn a_callee_that_ends_is_an_error_of_the_callers() {
    let (mut group, first, second) =
        group_of("ask other x\nexit 3\nexit 0", "exit 0\ndefine main\ngoto 2", [Limits::default(), Limits::default().fuel(500)]);
    group.lend(second, "main", first, "other").unwrap();
    let outcome = group.run(first).unwrap();
    assert_eq!(outcome.stop, Stop::Finished(3));
    assert_eq!(outcome.usage.fuel, Some(2 + 500), "the caller pays");
}

#[test]
fn a_callers_fuel_bounds_the_whole_chain_which_goes_on_after_a_refuel() {
    let (mut group, first, second) =
        group_of("ask other x\nexit 3\nexit 0", "exit 0\ndefine main\nwork 1000\nexit 0", [Limits::default().fuel(400), Limits::default()]);
    group.lend(second, "main", first, "other").unwrap();
    assert_eq!(group.run(first).unwrap().stop, Stop::OutOfFuel);
    group.get(first).unwrap().refuel(10_000);
    assert_eq!(group.run(first).unwrap().stop, Stop::Finished(0));
}

#[test]
fn a_chain_of_cells_has_an_end() {
    let (mut group, first, second) = group_of(
        "ask other x\nexit 1\nexit 0\ndefine main\nask other x\nexit 1\nexit 0",
        "exit 0\ndefine main\nask other x\nexit 1\nexit 0",
        [Limits::default(); 2],
    );
    group.lend(second, "main", first, "other").unwrap();
    group.lend(first, "main", second, "other").unwrap();
    assert_eq!(group.run(first).unwrap().stop, Stop::Finished(0));
}

#[test]
fn a_cell_alone_cannot_reach_its_neighbours() {
    let (mut group, first, second) = group_of("ask other x\nexit 3\nexit 0", "exit 0\ndefine main\nexit 0", [Limits::default(); 2]);
    group.lend(second, "main", first, "other").unwrap();
    let mut alone = group.remove(first).unwrap().unwrap();
    assert_eq!(alone.run().unwrap().stop, Stop::Finished(3));
    assert!(group.remove(second).unwrap().is_some());
}
