//! The JavaScript cell: [`cell::Engine`] over a [`Session`].

use std::sync::Arc;

use cell::{
    Argument, Bounds, Collected, Console, Engine, Error, Event, GuestError, HatchCall, Keeps, Meter, Operation, Ref, Reply, Resolved,
    Shape, Stop, Target, Task, Ticket, TraceFrame, Trap, TrapKind, Unsupported,
};

use crate::bytecode::FUEL_SCHEDULE;
use crate::frozen::Frozen;
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::{Kind, Pause, Result as Guest, flag};
use crate::library::{Helper, inspect};
use crate::options::Options;
use crate::session::{End, Session};
use crate::syntax::{self, Goal};
use crate::transfer::{NO_ROOM, copy_result, guest_error, host_function, host_object, take_in};
use crate::value::Value;
use crate::vm::{Realm, Vm, Zone};

const NAME: &str = "javascript";

/// How the main activation of a turn ended, while its jobs run. Its value lies in the realm's TURN slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It still runs, or there is none.
    Open,
    /// With a value.
    Value,
}

/// A JavaScript cell's engine.
pub struct JavaScript {
    pub(crate) session: Session,
    /// A program that the next run starts.
    pub(crate) pending: Option<(String, Arc<[u8]>)>,
    /// The name of the last program, whose room the next one's takes.
    last_name: String,
    /// A call into the guest that the next run starts.
    entering: Option<Entering>,
    /// Places where outer activations wait while an inner one runs.
    pub(crate) waiting: Vec<u32>,
    pub(crate) turn: Turn,
    pub(crate) options: Options,
    /// The call that was made gives an object back: its reply is nothing to the guest.
    releasing: bool,
    value: Option<Argument>,
    shown: Option<String>,
    trace: Vec<TraceFrame>,
    peak: u64,
}

/// A call of an object of the guest's.
struct Entering {
    place: u32,
    operation: Operation,
    arguments: Vec<Argument>,
}

impl JavaScript {
    /// A cell that can hold up to this many bytes of guest memory (at most 1 GiB); limits set later can only be lower.
    ///
    /// # Errors
    /// When the host has no room.
    pub fn new(memory: u64) -> Result<Self, Error> {
        let session = Session::new(memory).map_err(|e| Error::HostMemory(e.to_string()))?;
        Ok(Self::over(session))
    }

    /// The same with other switches than the default ones.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self.session.host.eval_enabled = options.eval;
        self.session.host.typescript = options.typescript;
        self
    }

    /// Shows the values of later runs, or not: see [`Options::show`].
    pub fn set_show(&mut self, show: bool) {
        self.options.show = show;
    }

    /// Names of the globals that start with these letters, or of the properties of the global object before the last dot; at most 1,000.
    /// For completion at a prompt: looks only, and runs nothing of the guest's.
    pub fn complete(&mut self, word: &str) -> Vec<String> {
        self.session.with(|vm| crate::complete::names(vm, word))
    }

    /// Overwrites guest memory, wherever it lies: for tests of what a corrupted heap may do. Bytes beyond what is in use are left out.
    #[doc(hidden)]
    pub fn overwrite(&mut self, at: u64, bytes: &[u8]) {
        self.session.overwrite(at, bytes);
    }

    /// A copy of guest memory as far as it is in use: for tests that aim at something in it.
    #[doc(hidden)]
    pub fn memory(&self) -> Vec<u8> {
        self.session.freeze().bytes
    }

    /// Bytes of guest memory in use.
    pub fn memory_used(&self) -> u64 {
        u64::from(self.session.used())
    }

    pub(crate) fn over(session: Session) -> Self {
        Self {
            session,
            pending: None,
            last_name: String::new(),
            entering: None,
            waiting: Vec::new(),
            turn: Turn::Open,
            options: Options::default(),
            releasing: false,
            value: None,
            shown: None,
            trace: Vec::new(),
            peak: 0,
        }
    }

    fn stopped(&mut self, end: End) -> Event {
        match end {
            End::Halt(halt) => Event::Stop(halt.into()),
            End::Pause(Pause::Memory) => Event::Stop(Stop::OutOfMemory),
            End::Pause(Pause::Output) => {
                // The activation is over; what was to be written is lost.
                self.abandon();
                Event::Stop(Stop::OutputFull)
            }
            End::Pause(Pause::Host) => match self.session.host.call.take().map(Event::Call).or_else(|| self.release_next()) {
                Some(event) => event,
                None => Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "a host call without a call"))),
            },
            _ => Event::Stop(Stop::Trapped(Trap::new(TrapKind::Corrupt, "guest memory holds what the engine never wrote"))),
        }
    }

    /// Gives up whatever runs, before something new starts.
    fn abandon(&mut self) {
        self.session.reset();
        self.waiting.clear();
        self.entering = None;
        self.turn = Turn::Open;
    }

    fn raised(&mut self, value: Value) -> Event {
        let error = self.session.with(|vm| guest_error(vm, value));
        self.trace.clone_from(&error.trace);
        self.session.with(|vm| vm.set_realm(Realm::TURN, Value::UNDEFINED));
        self.turn = Turn::Open;
        Event::Stop(Stop::Raised(error))
    }

    /// Takes a value out, after a collection if reading it needs room; otherwise the class of what cannot cross.
    fn take_out(&mut self, value: Value) -> Result<Argument, String> {
        self.session.with(|vm| match copy_result(vm, value) {
            Err(what) if what == NO_ROOM && collect_beside(vm, value) => copy_result(vm, value),
            out => out,
        })
    }

    fn finished(&mut self, value: Value) -> Event {
        let show = self.options.show;
        match immediate(value) {
            Some(copy) if !show => (self.value, self.shown) = (copy, None),
            _ => {
                self.value = None;
                if !value.is_undefined() {
                    match self.take_out(value) {
                        Err(what) if what == NO_ROOM => {
                            self.abandon();
                            return Event::Stop(Stop::OutOfMemory);
                        }
                        out => self.value = out.ok(),
                    }
                }
                let text = |vm: &mut Vm<'_>| {
                    let shown = inspect::show(vm, value);
                    if shown.is_none() && collect_beside(vm, value) { inspect::show(vm, value) } else { shown }
                };
                self.shown = if show { self.session.with(text) } else { None };
            }
        }
        self.turn = Turn::Open;
        self.session.set_realm(Realm::TURN, Value::UNDEFINED);
        Event::Stop(Stop::Finished(0))
    }

    /// An inner activation ended: the one that waits below goes on where it was.
    fn leave(&mut self, end: End) -> Event {
        if let Some(pc) = self.waiting.pop() {
            self.session.with(|vm| vm.pc = pc);
            self.session.active = true;
        }
        match end {
            End::Value(value) => {
                self.value = match self.take_out(value) {
                    Err(what) if what == NO_ROOM => {
                        return Event::Stop(Stop::Raised(GuestError::new("RangeError", "Out of memory")));
                    }
                    out => out.ok(),
                };
                Event::Stop(Stop::Finished(0))
            }
            End::Thrown(value) => {
                let error = self.session.with(|vm| guest_error(vm, value));
                Event::Stop(Stop::Raised(error))
            }
            other => self.stopped(other),
        }
    }

    /// Starts what waits to be started. Some: it has run, or ended before that.
    fn start(&mut self, meter: &mut Meter) -> Option<End> {
        if let Some((name, text)) = self.pending.take() {
            let options = syntax::Options { typescript: self.options.is_typescript(&name), ..syntax::Options::default() };
            let goal = if self.options.is_module(&name) { Goal::Module } else { Goal::Script };
            let end = self.session.start(&text, &name, options, goal, meter);
            if matches!(end, Err(End::Halt(_))) {
                // Nothing of it has happened: the next run starts it again.
                self.pending = Some((name, text));
            } else {
                self.last_name = name;
            }
            return Some(end.unwrap_or_else(|end| end));
        }
        let Entering { place, operation, arguments } = self.entering.take()?;
        let end = self.session.enter(place, &operation, &arguments, meter);
        if matches!(end, Some(End::Halt(_))) {
            self.entering = Some(Entering { place, operation, arguments });
        }
        end
    }

    /// The next object to give back to the host.
    fn release_next(&mut self) -> Option<Event> {
        let reference = self.session.host.releases.pop()?;
        self.releasing = true;
        Some(Event::Call(HatchCall {
            target: Target::Object(reference),
            operation: Operation::Release,
            arguments: Vec::new(),
            block: None,
        }))
    }

    fn go_on(&mut self, meter: &mut Meter) -> Event {
        if let Some(event) = self.release_next() {
            return event;
        }
        let event = self.turn(meter);
        self.peak = self.peak.max(u64::from(self.session.used()));
        event
    }

    /// Runs the main activation, then its jobs, its timers, and what is left when nothing else is.
    fn turn(&mut self, meter: &mut Meter) -> Event {
        let mut end = self.start(meter);
        loop {
            let ended = match end.take() {
                Some(end) => end,
                None if self.session.active => self.session.run(meter),
                None if self.turn == Turn::Open => End::Value(Value::UNDEFINED),
                None => match self.session.next_job(meter) {
                    Some(end) => end,
                    None if self.session.active => continue,
                    None => return self.rest(),
                },
            };
            match ended {
                End::Value(_) | End::Thrown(_) if !self.waiting.is_empty() => return self.leave(ended),
                End::Value(value) if self.turn == Turn::Open => {
                    if self.session.is_at_rest(value) {
                        return self.finished(value);
                    }
                    // Safe in the guest while the jobs run.
                    self.session.with(|vm| vm.set_realm(Realm::TURN, value));
                    self.turn = Turn::Value;
                }
                End::Value(_) => {}
                End::Thrown(value) => return self.raised(value),
                other => return self.stopped(other),
            }
        }
    }

    /// Nothing is left to run: the turn's value, an error that nobody handled, or the host is to settle a promise.
    fn rest(&mut self) -> Event {
        if let Some(reason) = self.session.with(|vm| vm.unhandled_rejection()) {
            return self.raised(reason);
        }
        if !self.session.host.tickets.is_empty() {
            return Event::Stop(Stop::Waiting(self.session.host.tickets.iter().map(|(ticket, _)| *ticket).collect()));
        }
        let value = self.session.with(|vm| {
            let value = vm.realm(Realm::TURN);
            // A settled promise is what it was settled with: one that was rejected and not handled is caught above.
            if vm.heap.is_kind(value, Kind::Promise) && vm.heap.value(value.payload() + 16) == Value::int(1) {
                vm.heap.value(value.payload() + 24)
            } else {
                value
            }
        });
        self.finished(value)
    }
}

/// The copy of a value that does not lie in guest memory.
fn immediate(value: Value) -> Option<Option<Argument>> {
    if value.is_undefined() {
        return Some(None);
    }
    value.as_int().map(|n| Some(Argument::Value(cell::Value::integer(i64::from(n)))))
}

impl Session {
    /// Is nothing left to do after a main activation with this value: no jobs, timers, rejections or promises?
    fn is_at_rest(&self, value: Value) -> bool {
        let nothing = |slot| self.realm(slot).is_undefined();
        !value.is_object() && self.host.tickets.is_empty() && nothing(Realm::JOBS) && nothing(Realm::TIMERS) && nothing(Realm::REJECTIONS)
    }

    /// Enters the object behind a handle. Some: it ended already.
    fn enter(&mut self, place: u32, operation: &Operation, arguments: &[Argument], meter: &mut Meter) -> Option<End> {
        if !self.active {
            self.refusals = 0;
        }
        let end = self.with(|vm| {
            crate::session::attempt(vm, meter, |vm| {
                let list = vm.realm(Realm::HANDLES);
                let object = if vm.heap.is_kind(list, Kind::Array) { vm.heap.dense(list.payload(), place) } else { Value::UNDEFINED };
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(take_in(vm, argument, 0)?);
                }
                let (number, name) = match operation {
                    Operation::Call => return vm.begin(object, Value::UNDEFINED, &values),
                    Operation::Construct => (0, ""),
                    Operation::Method(name) => (1, name.as_str()),
                    Operation::Get(name) => (2, name.as_str()),
                    Operation::Set(name) => (3, name.as_str()),
                    Operation::Keys => (4, ""),
                    Operation::Release => (5, ""),
                };
                let name = Value::string(vm.heap.string(name)?);
                let list = Value::object(vm.array_of(&values)?);
                let helper = vm.helper(Helper::Operate);
                vm.begin(helper, Value::UNDEFINED, &[Value::int(number), object, name, list])
            })
        });
        self.active = end.is_none();
        end
    }
}

/// Collects while nothing runs, with a value kept safe in the guest.
fn collect_beside(vm: &mut Vm<'_>, value: Value) -> bool {
    vm.set_realm(Realm::ENDED, value);
    let collected = vm.collect().is_ok();
    vm.set_realm(Realm::ENDED, Value::UNDEFINED);
    vm.heap.raise_threshold(4096);
    collected
}

/// A global's value, with `let`, `const` and `class` first. Accessors are not called.
fn global(vm: &mut Vm<'_>, name: &str) -> Option<Value> {
    let key = vm.key_of(name).ok()?;
    [Realm::LEXICALS, Realm::GLOBAL].into_iter().find_map(|slot| match vm.heap.own(vm.realm_cell(slot), key) {
        Own::Data { address, .. } => Some(vm.heap.value(address)),
        _ => None,
    })
}

impl Engine for JavaScript {
    type Snapshot = Frozen;

    fn keeps() -> Keeps {
        Keeps { tickets: true, ..Keeps::everything(NAME) }
    }

    fn fuel_schedule(&self) -> Option<u32> {
        Some(FUEL_SCHEDULE)
    }

    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error> {
        self.session.cap = limits.memory.unwrap_or(crate::session::LARGEST).min(crate::session::LARGEST) as u32;
        self.session.depth = limits.depth.unwrap_or(u32::MAX / 2);
        self.session.host.most_output = limits.output.unwrap_or(u64::MAX);
        self.session.host.console.start(limits.output);
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        let [program] = task.programs.as_slice() else {
            return Err(Error::Program("a JavaScript cell runs one program at a time".into()));
        };
        self.abandon();
        let mut name = std::mem::take(&mut self.last_name);
        name.clone_from(&program.name);
        self.pending = Some((name, program.bytes.clone()));
        let host = &mut self.session.host;
        host.inputs.clone_from(&task.inputs);
        host.state.clone_from(&task.state);
        host.output.clear();
        host.kept = None;
        Ok(())
    }

    fn run(&mut self, meter: &mut Meter) -> Event {
        self.go_on(meter)
    }

    fn resume(&mut self, reply: Reply, meter: &mut Meter) -> Event {
        if !std::mem::take(&mut self.releasing) {
            self.session.host.reply = Some(reply);
        }
        self.go_on(meter)
    }

    fn call(&mut self, target: Ref, operation: &Operation, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error> {
        if block.is_some() {
            return Err(Error::Unsupported(Unsupported { engine: NAME, what: "take a block".to_owned() }));
        }
        let place = *self.session.host.handles.get(target).ok_or(Error::NoSuchRef)?;
        if self.session.active {
            let pc = self.session.with(|vm| vm.pc);
            self.waiting.push(pc);
        } else {
            self.turn = Turn::Open;
        }
        self.entering = Some(Entering { place, operation: operation.clone(), arguments: arguments.to_vec() });
        Ok(())
    }

    fn take_value(&mut self) -> Option<Argument> {
        self.value.take()
    }

    fn global(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        let Some(value) = self.session.with(|vm| global(vm, name)) else { return Ok(None) };
        match self.take_out(value) {
            Ok(copy) => Ok(Some(copy)),
            Err(what) if what == NO_ROOM => Err(Error::State(format!("the cell has no room left to hand out `{name}`"))),
            Err(what) => Err(Error::Invalid(format!("`{name}` is {what}, which cannot leave the cell"))),
        }
    }

    fn lendable(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        self.session.with(|vm| {
            if let Some(value) = global(vm, name)
                && value.is_object()
                && !vm.is_callable(value)
            {
                vm.heap.set_flags(value.payload(), flag::LENT);
            }
        });
        self.global(name)
    }

    fn set_global(&mut self, name: &str, value: &Argument) -> Result<(), Error> {
        Bounds::default().check(value)?;
        self.session.insist(&mut |vm| {
            let key = vm.key_of(name)?;
            let value = take_in(vm, value, 0)?;
            set(vm, key, value, attribute::PLAIN)
        })
    }

    fn offer(&mut self, name: &str, shape: &Shape) -> Result<(), Error> {
        // Answers for the engine's own questions too.
        self.session.host.clock |= name == cell::CLOCK;
        self.session.host.entropy |= name == cell::RANDOM;
        self.session.host.modules |= name == "import";
        if name == crate::ZONE {
            self.session.host.zone = zone(shape)?;
        }
        let object = match shape {
            Shape::Value(value) => return self.set_global(name, value),
            Shape::Object { methods, .. } => Some(methods.clone()),
            Shape::Function | Shape::AsyncFunction => None,
        };
        let target = self.session.host.target(Target::Offer(name.to_owned()), Operation::Call);
        self.session.insist(&mut |vm| {
            let key = vm.key_of(name)?;
            let value = match &object {
                Some(methods) => host_object(vm, target, methods)?,
                None => host_function(vm, target, Some(name))?,
            };
            set(vm, key, value, attribute::HIDDEN)
        })
    }

    fn settle(&mut self, ticket: Ticket, result: Result<Argument, GuestError>) -> Result<(), Error> {
        let host = &mut self.session.host;
        let Some(at) = host.tickets.iter().position(|(open, _)| *open == ticket) else {
            return Err(Error::Invalid(format!("there is no ticket {}", ticket.0)));
        };
        let place = host.tickets[at].1;
        // Without room for the answer the ticket stays open.
        self.session.insist(&mut |vm| vm.settle_promise(place, &result))?;
        self.session.host.tickets.remove(at);
        self.session.with(|vm| vm.drop_handle(place));
        Ok(())
    }

    fn release(&mut self, own: Ref) {
        if let Some(place) = self.session.host.handles.remove(own) {
            self.session.with(|vm| vm.drop_handle(place));
        }
    }

    fn console(&mut self) -> &mut Console {
        &mut self.session.host.console
    }

    fn collect(&mut self, _stop: &Stop) -> Collected {
        let host = &mut self.session.host;
        let mut collected = Collected {
            trace: std::mem::take(&mut self.trace),
            output: std::mem::take(&mut host.output),
            state: host.kept.take(),
            memory_peak: self.peak.max(u64::from(self.session.used())),
            ..Collected::default()
        };
        if let Some(text) = self.shown.take() {
            collected.extra.insert("shown", cell::Value::Text(text));
        }
        collected
    }

    fn snapshot(&mut self) -> Result<Frozen, Unsupported> {
        if self.entering.is_some() || self.session.host.call.is_some() {
            return Err(Unsupported { engine: NAME, what: "be frozen while a call is being made".into() });
        }
        Ok(Frozen::of(self))
    }
}

/// The zone that an offer of that name means.
fn zone(shape: &Shape) -> Result<Zone, Error> {
    let minutes = match shape {
        Shape::Function => return Ok(Zone::Asked),
        Shape::Value(Argument::Value(cell::Value::Float(minutes))) => Some(*minutes),
        Shape::Value(Argument::Value(value)) => value.as_i64().map(|minutes| minutes as f64),
        _ => None,
    };
    minutes.and_then(Zone::fixed).ok_or_else(|| {
        Error::Invalid(
            "`zone` is whole minutes by which local time is ahead of UTC, fewer than a day's, or a function from a time to them".into(),
        )
    })
}

/// Defines a global; assignments of the guest's to an earlier one are forgotten.
fn set(vm: &mut Vm<'_>, key: crate::heap::string::Key, value: Value, attributes: u8) -> Guest<()> {
    let global = vm.realm_cell(Realm::GLOBAL);
    vm.heap.put(global, key, value, attributes)
}
