//! The engine for `cell`: Ruby programs as cells, with one hatch for all kinds of cell.

use crate::family::dead;
use crate::image::{FULL, Ruby, image_name, loaded};
use crate::member::{Failure, FrozenMember, Member, MemberSetup, Polled, Said, order};
use crate::sandbox::{MEMORY, raised, stop_of};
use crate::wire::Wire;
use cell::{
    Argument, Collected, Console, Engine, Error, Event, GuestError, HatchCall, Keeps, Meter, Operation, Ref, Reply, Resolved, Shape,
    Snapshot, Stop, Target, Task, Ticket, TraceFrame, Trap, TrapKind, Unsupported, Value,
};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use wasm::{Frozen, World};

/// The version of wasmtime whose instruction counts are our price list.
pub const SCHEDULE: u32 = 480_802;
/// Fuel for what the embedder asks between runs: reading a global, telling of an offer.
const ASIDE: u64 = 50_000_000;

/// Ruby programs as a cell. Every task runs in the same box: what one left, the next finds.
pub struct RubyCell {
    member: Member,
    memory: u64,
    output: Option<u64>,
    /// A task that has been laid out and not been started.
    task: Option<Task>,
    /// Activations that wait in calls of the guest's own, below the one that runs.
    nested: u32,
    /// Whether the guest waits for an answer.
    waiting: bool,
    running: bool,
    value: Option<Argument>,
    report: Option<String>,
    trace: Vec<TraceFrame>,
}

impl std::fmt::Debug for RubyCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RubyCell").field("running", &self.running).field("nested", &self.nested).finish_non_exhaustive()
    }
}

fn unsupported(what: impl Into<String>) -> Unsupported {
    Unsupported { engine: "ruby", what: what.into() }
}

fn internal(text: impl Into<String>) -> Stop {
    Stop::Trapped(Trap::new(TrapKind::Internal, text))
}

impl Ruby {
    /// An engine for [`cell::Cell::new`].
    pub fn engine(&self, world: World) -> RubyCell {
        let setup = MemberSetup { world, memory: MEMORY, output: Some(cell::Limits::OUTPUT) };
        RubyCell::around(Member::new(self, setup))
    }
}

impl RubyCell {
    fn around(member: Member) -> RubyCell {
        RubyCell {
            member,
            memory: MEMORY,
            output: Some(cell::Limits::OUTPUT),
            task: None,
            nested: 0,
            waiting: false,
            running: false,
            value: None,
            report: None,
            trace: Vec::new(),
        }
    }

    fn step(&mut self, meter: &mut Meter) -> Event {
        match self.member.poll(meter) {
            Polled::Knock(Said::Value(value)) if self.nested > 0 => {
                self.nested -= 1;
                self.waiting = true;
                self.finish(value)
            }
            Polled::Knock(Said::Error(failure)) if self.nested > 0 => {
                self.nested -= 1;
                self.waiting = true;
                self.fail(&failure)
            }
            Polled::Knock(said) => match self.ask(said) {
                Ok(call) => {
                    self.waiting = true;
                    Event::Call(call)
                }
                Err(failure) => {
                    self.member.answer(failure.to_answer());
                    self.step(meter)
                }
            },
            Polled::Done(Said::Value(value)) => {
                self.running = false;
                self.finish(value)
            }
            Polled::Done(Said::Error(failure)) => {
                self.running = false;
                self.fail(&failure)
            }
            Polled::Done(_) => self.broken("it ended without a word that makes sense"),
            Polled::Broken(why) => self.broken(&why),
            Polled::Over(over) => {
                self.running = false;
                let refused = self.member.guest.was_refused();
                Event::Stop(stop_of(&dead(over, refused)))
            }
            Polled::Halted(halt) => Event::Stop(halt.into()),
        }
    }

    fn broken(&mut self, why: &str) -> Event {
        self.running = false;
        Event::Stop(Stop::Trapped(Trap::new(TrapKind::BadHatchCall, why)))
    }

    fn finish(&mut self, value: Wire) -> Event {
        match value.into_argument() {
            Ok(value) => {
                self.value = Some(value);
                Event::Stop(Stop::Finished(0))
            }
            Err(error) => Event::Stop(Stop::Raised(error.into())),
        }
    }

    fn fail(&mut self, failure: &Failure) -> Event {
        self.report.clone_from(&failure.report);
        let stop = raised(failure);
        if let Stop::Raised(error) = &stop {
            self.trace.clone_from(&error.trace);
        }
        Event::Stop(stop)
    }

    /// What a knock asks of the outside.
    fn ask(&mut self, said: Said) -> Result<HatchCall, Failure> {
        let (target, method, arguments, block) = match said {
            Said::Call { target: Wire::Lent { reference, .. }, method, arguments, block } => {
                (Target::Object(reference), method, arguments, block)
            }
            Said::Offer { name, method, arguments, block } => (Target::Offer(name), method, arguments, block),
            Said::Abandon => return Err(Failure::transfer("a jump out of a block ends the call that the block was given to")),
            Said::Box { .. } => {
                return Err(Failure::of_ours("dead", "Sandbox::Exception", "sandboxes are made by a main Ruby, which this is not"));
            }
            _ => return Err(Failure::transfer("only what was lent can be called")),
        };
        let refuse = |error: cell::TransferError| Failure::transfer(error.to_string());
        let arguments = arguments.into_iter().map(Wire::into_argument).collect::<Result<Vec<_>, _>>().map_err(refuse)?;
        let block = match block.map(Wire::into_argument).transpose().map_err(refuse)? {
            Some(Argument::Own(block)) => Some(block),
            _ => None,
        };
        let operation = method.map_or(Operation::Call, operation_of);
        Ok(HatchCall { target, operation, arguments, block })
    }

    /// Does something aside, between runs.
    fn aside(&mut self, order: Vec<Wire>) -> Result<Wire, Error> {
        if self.running {
            return Err(Error::State("the guest is in the middle of a run".into()));
        }
        self.member.guest.set_memory(self.memory);
        self.member.start(order)?;
        let mut meter = Meter::new(Some(ASIDE));
        match self.member.poll(&mut meter) {
            Polled::Done(Said::Value(value)) => Ok(value),
            Polled::Done(Said::Error(failure)) => Err(Error::Invalid(format!("{}: {}", failure.name, failure.message))),
            other => Err(Error::Dead(format!("it broke when it was asked something: {other:?}"))),
        }
    }
}

/// What a method is outside: assignments are how Ruby writes a property.
fn operation_of(method: String) -> Operation {
    match method.strip_suffix('=') {
        Some(name) if !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') => {
            Operation::Set(name.to_owned())
        }
        _ => Operation::Method(method),
    }
}

/// The method that an operation is in Ruby, and the arguments that go with it.
fn method_of(operation: &Operation) -> Option<String> {
    Some(match operation {
        Operation::Call | Operation::Release => return None,
        Operation::Method(name) | Operation::Get(name) => name.clone(),
        Operation::Construct => "new".into(),
        Operation::Set(name) => format!("{name}="),
        Operation::Keys => "methods".into(),
    })
}

impl Engine for RubyCell {
    type Snapshot = FrozenRuby;

    fn keeps() -> Keeps {
        // Ruby keeps its own bound on calls: about ten thousand, then SystemStackError.
        Keeps { depth: false, default_memory: MEMORY, ..Keeps::everything("ruby") }
    }

    fn fuel_schedule(&self) -> Option<u32> {
        Some(SCHEDULE)
    }

    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error> {
        let memory = limits.memory.unwrap_or(u64::MAX);
        let least = self.member.ruby.least_memory();
        if memory < least {
            return Err(Error::Invalid(format!("a Ruby cell needs {least} bytes of memory from the start")));
        }
        (self.memory, self.output) = (memory, limits.output);
        self.member.guest.set_memory(memory);
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        let [program] = &task.programs[..] else {
            return Err(Error::Program("a Ruby cell takes exactly one program".into()));
        };
        if std::str::from_utf8(&program.bytes).is_err() {
            return Err(Error::Program(format!("{} is not UTF-8", program.name)));
        }
        if self.running || self.member.guest.is_over() {
            return Err(unsupported("run another program once one was stopped in the middle").into());
        }
        self.task = Some(task.clone());
        (self.value, self.report) = (None, None);
        self.trace.clear();
        Ok(())
    }

    fn run(&mut self, meter: &mut Meter) -> Event {
        if let Some(task) = self.task.take() {
            let program = &task.programs[0];
            let source = String::from_utf8_lossy(&program.bytes).into_owned();
            let started = task
                .inputs
                .iter()
                .map(|input| (input.name.as_str(), &input.bytes))
                .chain(task.state.iter().map(|state| ("state", state)))
                .map(|(name, bytes)| (Wire::text(name), text_or_bytes(bytes)))
                .collect::<Vec<_>>();
            let inputs = Wire::Hash(started);
            self.member.guest.begin(self.memory, self.output);
            let order = vec![Wire::Integer(order::PROGRAM), Wire::text(source), Wire::text(&program.name), Wire::Array(Vec::new()), inputs];
            if let Err(error) = self.member.start(order) {
                return Event::Stop(internal(error.to_string()));
            }
            self.running = true;
        }
        self.step(meter)
    }

    fn resume(&mut self, reply: Reply, meter: &mut Meter) -> Event {
        self.waiting = false;
        self.member.answer(match reply {
            Reply::Return(value) => vec![Wire::Integer(order::VALUE), Wire::from_argument(&value)],
            Reply::Throw(error) => {
                let trace = error.trace.iter().filter_map(line_of).collect();
                Failure { name: error.name, message: error.message, trace, status: None, report: None, kind: None }.to_answer()
            }
            Reply::Later(_) => Failure::transfer("this guest holds no promises").to_answer(),
        });
        self.step(meter)
    }

    fn call(&mut self, target: Ref, operation: &Operation, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error> {
        if *operation == Operation::Release {
            self.release(target);
        }
        let order = vec![
            Wire::Integer(order::RUN),
            Wire::Nil,
            Wire::Own { index: target.index, class: String::new() },
            method_of(operation).map_or(Wire::Nil, Wire::Symbol),
            Wire::Array(arguments.iter().map(Wire::from_argument).collect()),
            block.map_or(Wire::Nil, Wire::from_argument),
            Wire::Bool(true),
        ];
        if self.waiting {
            self.nested += 1;
            self.waiting = false;
            self.member.answer(order);
            return Ok(());
        }
        if self.running {
            return Err(Error::State("the guest is in the middle of a run".into()));
        }
        self.member.guest.begin(self.memory, self.output);
        self.member.start(order)?;
        self.running = true;
        Ok(())
    }

    fn take_value(&mut self) -> Option<Argument> {
        self.value.take()
    }

    fn global(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        match self.aside(vec![Wire::Integer(order::GLOBAL), Wire::text(name)])? {
            Wire::Array(mut found) if found.len() == 1 => Ok(Some(found.remove(0).into_argument()?)),
            _ => Ok(None),
        }
    }

    fn set_global(&mut self, name: &str, value: &Argument) -> Result<(), Error> {
        self.aside(vec![Wire::Integer(order::SET), Wire::text(name), Wire::from_argument(value)]).map(drop)
    }

    fn offer(&mut self, name: &str, shape: &Shape) -> Result<(), Error> {
        let (kind, value) = match shape {
            Shape::Function | Shape::AsyncFunction => ("function", Wire::Nil),
            Shape::Object { class, .. } => ("object", Wire::text(class)),
            Shape::Value(value) => ("value", Wire::from_argument(value)),
        };
        self.aside(vec![Wire::Integer(order::OFFER), Wire::text(name), Wire::Symbol(kind.into()), value]).map(drop)
    }

    fn settle(&mut self, _ticket: Ticket, _result: Result<Argument, GuestError>) -> Result<(), Error> {
        Err(unsupported("hold promises").into())
    }

    fn release(&mut self, own: Ref) {
        self.member.released.push(own.index);
    }

    fn console(&mut self) -> &mut Console {
        self.member.console()
    }

    fn collect(&mut self, _stop: &Stop) -> Collected {
        let mut extra = BTreeMap::new();
        if let Some(report) = self.report.take() {
            extra.insert("report", Value::Text(report));
        }
        Collected { trace: std::mem::take(&mut self.trace), memory_peak: self.member.guest.memory().0, extra, ..Collected::default() }
    }

    fn after(&self, stop: &Stop) -> cell::After {
        match stop {
            _ if self.member.guest.is_over() => cell::After::Dead,
            // Memory that ran out and was given back by unwinding leaves a box that is well.
            Stop::OutOfMemory | Stop::Finished(_) | Stop::Raised(_) => cell::After::Idle,
            Stop::OutOfFuel | Stop::OutOfTime | Stop::Interrupted | Stop::Waiting(_) | Stop::Breakpoint => cell::After::Resumable,
            Stop::OutputFull | Stop::Trapped(_) => cell::After::Dead,
        }
    }

    fn snapshot(&mut self) -> Result<FrozenRuby, Unsupported> {
        if self.running || self.task.is_some() {
            return Err(unsupported("be frozen in the middle of a run: its stack is the host's"));
        }
        let frozen = self.member.freeze().map_err(|error| unsupported(format!("be frozen: {error}")))?;
        Ok(FrozenRuby { frozen, ruby: self.member.ruby.clone() })
    }
}

fn text_or_bytes(bytes: &[u8]) -> Wire {
    std::str::from_utf8(bytes).map_or_else(|_| Wire::Bytes(bytes.to_vec()), Wire::text)
}

/// A frame as Ruby writes it.
fn line_of(frame: &TraceFrame) -> Option<String> {
    let place = format!("{}:{}", frame.file.as_deref()?, frame.line.unwrap_or(0));
    Some(frame.function.as_ref().map_or_else(|| place.clone(), |function| format!("{place}:in '{function}'")))
}

/// A Ruby cell frozen between runs.
pub struct FrozenRuby {
    frozen: FrozenMember,
    ruby: Ruby,
}

impl Snapshot for FrozenRuby {
    type Engine = RubyCell;

    fn spawn(&self) -> Result<RubyCell, Error> {
        let setup = MemberSetup { world: World::default(), memory: MEMORY, output: Some(cell::Limits::OUTPUT) };
        Ok(RubyCell::around(Member::thaw(&self.ruby, &self.frozen, setup)))
    }

    fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        let name = image_name(FULL);
        to.write_all(&u32::try_from(name.len()).unwrap_or(0).to_le_bytes())?;
        to.write_all(name.as_bytes())?;
        // Whoever loads it has the prepared image, and not what was loaded into it here.
        self.frozen.program.retell(&self.frozen.frozen, &self.ruby.root)?.save(to)
    }

    fn load(from: &mut dyn Read) -> Result<FrozenRuby, Error> {
        let expected = image_name(FULL);
        let mut name = vec![0; 4 + expected.len()];
        from.read_exact(&mut name).map_err(|_| Error::Damaged("cut short".into()))?;
        if name[4..] != *expected.as_bytes() {
            return Err(Error::Damaged("this snapshot was taken with another build of Ruby".into()));
        }
        let ruby = loaded().ok_or_else(|| Error::State("Ruby is not loaded in this process: load or prepare it first".into()))?;
        let frozen = FrozenMember { frozen: Arc::new(Frozen::load(from)?), program: Arc::clone(&ruby.root) };
        Ok(FrozenRuby { frozen, ruby })
    }
}
