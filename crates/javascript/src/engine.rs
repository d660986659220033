//! The JavaScript cell: [`cell::Engine`] over a [`Session`].

use std::io::{Read, Write};
use std::sync::Arc;

use cell::{
    Argument, Bounds, Collected, Console, Engine, Error, Event, GuestError, HatchCall, IndexMap, Keeps, Meter, Operation, Ref, Reply,
    Resolved, Shape, Snapshot, Stop, Target, Task, Ticket, TraceFrame, Trap, TrapKind, Unsupported,
};

use crate::bytecode::FUEL_SCHEDULE;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result as Guest, Signal, atoms, flag};
use crate::library::Arguments;
use crate::session::{End, Freeze, Session};
use crate::syntax::{Goal, Options};
use crate::value::Value;
use crate::vm::{Realm, Vm, code, unit};

const NAME: &str = "javascript";

/// A JavaScript cell's engine.
pub struct JavaScript {
    session: Session,
    /// A script that the next run starts.
    pending: Option<(String, Arc<[u8]>)>,
    /// A call into the guest that the next run starts.
    entering: Option<(u32, Value, Vec<Argument>)>,
    /// Places where outer activations wait while an inner one runs.
    waiting: Vec<u32>,
    value: Option<Argument>,
    trace: Vec<TraceFrame>,
    peak: u64,
    offers: Vec<String>,
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

    fn over(session: Session) -> Self {
        Self { session, pending: None, entering: None, waiting: Vec::new(), value: None, trace: Vec::new(), peak: 0, offers: Vec::new() }
    }

    fn event(&mut self, end: End) -> Event {
        self.peak = self.peak.max(u64::from(self.session.used()));
        match end {
            End::Value(value) => {
                self.value = Some(self.session.with(|vm| hand_out(vm, value)));
                self.leave();
                Event::Stop(Stop::Finished(0))
            }
            End::Thrown(value) => {
                let error = self.session.with(|vm| guest_error(vm, value));
                self.trace = error.trace.clone();
                self.leave();
                Event::Stop(Stop::Raised(error))
            }
            End::Halt(halt) => Event::Stop(halt.into()),
            End::Pause(Pause::Memory) => Event::Stop(Stop::OutOfMemory),
            End::Pause(Pause::Output) => Event::Stop(Stop::OutputFull),
            End::Pause(Pause::Host) => match self.session.host.call.take() {
                Some(call) => Event::Call(call),
                None => Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "a host call without a call"))),
            },
            End::Pause(_) => Event::Stop(Stop::Trapped(Trap::new(TrapKind::Corrupt, "guest memory holds what the engine never wrote"))),
        }
    }

    /// An activation ended: the one that waits below goes on where it was.
    fn leave(&mut self) {
        if let Some(pc) = self.waiting.pop() {
            self.session.with(|vm| vm.pc = pc);
            self.session.active = true;
        }
    }

    fn go_on(&mut self, meter: &mut Meter) -> Event {
        let mut end = None;
        if let Some((name, text)) = self.pending.take() {
            let options = Options { typescript: name.ends_with(".ts"), ..Options::default() };
            let started = self.session.start(&text, &name, options, Goal::Script, meter);
            if matches!(started, Some(End::Halt(_))) {
                // Nothing of it has happened: the next run starts it again.
                self.pending = Some((name, text));
            }
            end = started;
        } else if let Some((handle, this, arguments)) = self.entering.take() {
            end = self.session.enter(handle, this, &arguments, meter);
        }
        let end = match end {
            Some(end) => end,
            None if self.session.active => self.session.run(meter),
            None => End::Value(Value::UNDEFINED),
        };
        if !self.waiting.is_empty() || matches!(end, End::Halt(_) | End::Pause(_)) {
            return self.event(end);
        }
        // The turn is over: its value is safe in the guest while the jobs run.
        let keep = match end {
            End::Value(value) | End::Thrown(value) => value,
            _ => Value::UNDEFINED,
        };
        self.session.with(|vm| vm.set_realm(Realm::EXCEPTION, keep));
        match self.session.run_jobs(meter) {
            None | Some(End::Value(_)) => self.event(end),
            Some(other) => self.event(other),
        }
    }
}

impl Session {
    /// Enters the object behind a handle. Some: it ended already.
    fn enter(&mut self, place: u32, this: Value, arguments: &[Argument], meter: &mut Meter) -> Option<End> {
        let end = self.with(|vm| {
            crate::session::attempt(vm, meter, |vm| {
                let list = vm.realm(Realm::HANDLES);
                let callee = vm.heap.dense(list.payload(), place);
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(take_in(vm, argument, 0)?);
                }
                vm.begin(callee, this, &values)
            })
        });
        self.active = end.is_none();
        end
    }
}

impl Engine for JavaScript {
    type Snapshot = Frozen;

    fn keeps() -> Keeps {
        Keeps::everything(NAME)
    }

    fn fuel_schedule(&self) -> Option<u32> {
        Some(FUEL_SCHEDULE)
    }

    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error> {
        self.session.cap = limits.memory.unwrap_or(crate::session::LARGEST).min(crate::session::LARGEST) as u32;
        self.session.depth = limits.depth.unwrap_or(u32::MAX / 2);
        self.session.host.console.start(limits.output);
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        let [program] = task.programs.as_slice() else {
            return Err(Error::Program("a JavaScript cell runs one program at a time".into()));
        };
        self.pending = Some((program.name.clone(), program.bytes.clone()));
        Ok(())
    }

    fn run(&mut self, meter: &mut Meter) -> Event {
        self.go_on(meter)
    }

    fn resume(&mut self, reply: Reply, meter: &mut Meter) -> Event {
        self.session.host.reply = Some(reply);
        self.go_on(meter)
    }

    fn call(&mut self, target: Ref, operation: &Operation, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error> {
        let unsupported = |what: &str| Err(Error::Unsupported(Unsupported { engine: NAME, what: what.to_owned() }));
        if block.is_some() {
            return unsupported("take a block");
        }
        let place = *self.session.host.handles.get(target).ok_or(Error::NoSuchRef)?;
        if !matches!(operation, Operation::Call) {
            return unsupported("do anything with a guest object but call it");
        }
        if self.session.active {
            let pc = self.session.with(|vm| vm.pc);
            self.waiting.push(pc);
        }
        self.entering = Some((place, Value::UNDEFINED, arguments.to_vec()));
        Ok(())
    }

    fn take_value(&mut self) -> Option<Argument> {
        self.value.take()
    }

    fn global(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        Ok(self.session.with(|vm| {
            let key = vm.key_of(name).ok()?;
            for slot in [Realm::LEXICALS, Realm::GLOBAL] {
                let object = vm.realm_cell(slot);
                if let crate::heap::object::Own::Data { address, .. } = vm.heap.own(object, key) {
                    let value = vm.heap.value(address);
                    return Some(hand_out(vm, value));
                }
            }
            None
        }))
    }

    fn set_global(&mut self, name: &str, value: &Argument) -> Result<(), Error> {
        Bounds::default().check(value)?;
        self.session.with(|vm| {
            let mut set = |vm: &mut Vm<'_>| -> Guest<()> {
                let key = vm.key_of(name)?;
                let value = take_in(vm, value, 0)?;
                let global = vm.realm_cell(Realm::GLOBAL);
                vm.heap.put(global, key, value, attribute::PLAIN)
            };
            match set(vm) {
                Ok(()) => Ok(()),
                Err(_) => vm.collect().and_then(|()| {
                    vm.heap.raise_threshold(4096);
                    set(vm)
                }),
            }
            .map_err(|_| Error::State("the cell has no room for the global".into()))
        })
    }

    fn offer(&mut self, name: &str, shape: &Shape) -> Result<(), Error> {
        if name == cell::CLOCK || name == cell::RANDOM {
            self.offers.push(name.to_owned());
        }
        match shape {
            Shape::Function | Shape::AsyncFunction => {
                let target = self.session.host.targets.len() as u32;
                self.session.host.targets.push(Target::Offer(name.to_owned()));
                self.session.with(|vm| {
                    let mut set = |vm: &mut Vm<'_>| -> Guest<()> {
                        let key = vm.key_of(name)?;
                        let object = host_function(vm, target)?;
                        let global = vm.realm_cell(Realm::GLOBAL);
                        vm.heap.put(global, key, object, attribute::HIDDEN)
                    };
                    set(vm).map_err(|_| Error::State("the cell has no room for the offer".into()))
                })
            }
            Shape::Value(value) => self.set_global(name, value),
            Shape::Object { methods, .. } => {
                // An object whose methods are host functions of their own; properties of the host's object are reached through them.
                let mut numbers = Vec::new();
                for method in methods {
                    numbers.push((method.clone(), self.session.host.targets.len() as u32));
                    self.session.host.targets.push(Target::Offer(format!("{name}\0{method}")));
                }
                self.session.with(|vm| {
                    let mut set = |vm: &mut Vm<'_>| -> Guest<()> {
                        let key = vm.key_of(name)?;
                        let object = vm.new_object()?;
                        for (method, number) in &numbers {
                            let function = host_function(vm, *number)?;
                            let key = vm.key_of(method)?;
                            vm.heap.put(object, key, function, attribute::HIDDEN)?;
                        }
                        let global = vm.realm_cell(Realm::GLOBAL);
                        vm.heap.put(global, key, Value::object(object), attribute::HIDDEN)
                    };
                    set(vm).map_err(|_| Error::State("the cell has no room for the offer".into()))
                })
            }
        }
    }

    fn settle(&mut self, _ticket: Ticket, _result: Result<Argument, GuestError>) -> Result<(), Error> {
        Err(Error::Unsupported(Unsupported { engine: NAME, what: "hold a ticket".into() }))
    }

    fn release(&mut self, own: Ref) {
        if let Some(place) = self.session.host.handles.remove(own) {
            self.session.with(|vm| {
                let list = vm.realm(Realm::HANDLES);
                if vm.heap.is_kind(list, Kind::Array) {
                    let elements = vm.heap.elements(list.payload());
                    if place < vm.heap.high(elements) {
                        vm.heap.set_value(elements + 8 + place * 8, Value::UNDEFINED);
                    }
                }
            });
        }
    }

    fn console(&mut self) -> &mut Console {
        &mut self.session.host.console
    }

    fn collect(&mut self, _stop: &Stop) -> Collected {
        Collected {
            trace: std::mem::take(&mut self.trace),
            memory_peak: self.peak.max(u64::from(self.session.used())),
            ..Collected::default()
        }
    }

    fn snapshot(&mut self) -> Result<Frozen, Unsupported> {
        if self.entering.is_some() || self.session.host.call.is_some() {
            return Err(Unsupported { engine: NAME, what: "be frozen while a call is being made".into() });
        }
        Ok(Frozen {
            freeze: self.session.freeze(),
            pending: self.pending.clone(),
            waiting: self.waiting.clone(),
            targets: self.session.host.targets.clone(),
            handles: self.session.host.handles.clone(),
        })
    }
}

/// A frozen JavaScript cell.
#[derive(Clone)]
pub struct Frozen {
    freeze: Freeze,
    pending: Option<(String, Arc<[u8]>)>,
    waiting: Vec<u32>,
    targets: Vec<Target>,
    handles: cell::RefTable<u32>,
}

/// The saved form of everything but the memory's bytes.
type Header = ([u32; 14], u64, [u64; 5], Option<(String, Vec<u8>)>, Vec<u32>, Vec<Target>, Vec<(Ref, u32)>, u64, u64);

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Snapshot for Frozen {
    type Engine = JavaScript;

    fn spawn(&self) -> Result<JavaScript, Error> {
        let session = Session::thaw(&self.freeze).map_err(|e| Error::HostMemory(e.to_string()))?;
        let mut engine = JavaScript::over(session);
        engine.pending.clone_from(&self.pending);
        engine.waiting.clone_from(&self.waiting);
        engine.session.host.targets.clone_from(&self.targets);
        engine.session.host.handles = self.handles.clone();
        Ok(engine)
    }

    fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        let s = &self.freeze.saved;
        let numbers = [
            s.fp,
            s.pc,
            s.depth,
            s.cursor,
            s.limit,
            s.runs,
            s.top,
            s.threshold,
            s.atoms,
            s.atom_count,
            s.transitions,
            s.transition_count,
            s.epoch,
            self.freeze.cap,
        ];
        let flags = u64::from(self.freeze.out_of_memory) | u64::from(self.freeze.active) << 1;
        let header: Header = (
            numbers,
            s.random,
            [
                u64::from(self.freeze.depth),
                self.freeze.spent,
                self.freeze.wanted.max(0) as u64,
                flags,
                checksum(crate::image::image().shared.bytes()),
            ],
            self.pending.as_ref().map(|(name, text)| (name.clone(), text.to_vec())),
            self.waiting.clone(),
            self.targets.clone(),
            self.handles.iter().map(|(reference, place)| (reference, *place)).collect(),
            self.freeze.bytes.len() as u64,
            u64::from(FUEL_SCHEDULE),
        );
        cell::write_header(to, &header)?;
        to.write_all(&self.freeze.bytes)?;
        Ok(())
    }

    fn load(from: &mut dyn Read) -> Result<Self, Error> {
        let damaged = |what: &str| Error::Damaged(what.to_owned());
        let (n, random, [depth, spent, wanted, flags, image], pending, waiting, targets, handles, length, schedule): Header =
            cell::read_header(from)?;
        if image != checksum(crate::image::image().shared.bytes()) || schedule != u64::from(FUEL_SCHEDULE) {
            return Err(damaged("the snapshot was made by another version of the library"));
        }
        let [fp, pc, calls, cursor, limit, runs, top, threshold, atoms, atom_count, transitions, transition_count, epoch, cap] = n;
        if length != u64::from(top) || length > crate::session::LARGEST || cap < top || cursor > limit || limit > top || threshold > cap {
            return Err(damaged("the snapshot's registers make no sense"));
        }
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes).map_err(|_| damaged("cut short"))?;
        let mut table = cell::RefTable::default();
        for (reference, place) in handles {
            // References keep their numbers only when they come back in order; a gap makes later ones invalid, never wrong.
            if table.insert(place) != Some(reference) {
                break;
            }
        }
        let saved = crate::vm::Saved {
            fp,
            pc,
            depth: calls,
            cursor,
            limit,
            runs,
            top,
            threshold,
            atoms,
            atom_count,
            transitions,
            transition_count,
            epoch,
            random,
        };
        Ok(Frozen {
            freeze: Freeze {
                bytes,
                saved,
                cap,
                depth: u32::try_from(depth).unwrap_or(10_000),
                spent,
                out_of_memory: flags & 1 != 0,
                wanted: i64::try_from(wanted).unwrap_or(0),
                active: flags & 2 != 0,
            },
            pending: pending.map(|(name, text)| (name, text.into())),
            waiting,
            targets,
            handles: table,
        })
    }
}

/// A function object that calls the host: fields number of the target.
fn host_function(vm: &mut Vm<'_>, target: u32) -> Guest<Value> {
    let proto = vm.realm_cell(Realm::FUNCTION_PROTOTYPE);
    let shape = vm.heap.root_shape(proto, Kind::HostObject, 0)?;
    let object = vm.heap.object(Kind::HostObject, shape)?;
    vm.heap.set_value(object + 16, Value::int(target as i32));
    vm.heap.set_flags(object, flag::CALLABLE);
    Ok(Value::object(object))
}

impl Vm<'_> {
    /// A call of something of the host's: asks for it, and takes the reply when the instruction runs again.
    pub(crate) fn call_host(&mut self, cell: u32, arguments: Arguments) -> Guest<Value> {
        match self.host.reply.take() {
            Some(Reply::Return(value)) => {
                // Room first: the reply must not be lost to a collection.
                match take_in(self, &value, 0) {
                    Err(signal @ Signal::Collect(_)) => {
                        self.host.reply = Some(Reply::Return(value));
                        Err(signal)
                    }
                    result => result,
                }
            }
            Some(Reply::Throw(error)) => {
                let (name, message) = (error.name.clone(), error.message.clone());
                let made = (|| {
                    let proto = self.realm_cell(Realm::ERROR_PROTOTYPE);
                    let text = self.heap.string(&message)?;
                    let value = self.error_object(proto, Some(text))?;
                    let name = self.heap.string(&name)?;
                    self.heap.put(value.payload(), Key::Name(atoms::NAME), Value::string(name), attribute::HIDDEN)?;
                    Ok(value)
                })();
                match made {
                    Ok(value) => Err(Signal::Throw(value)),
                    Err(signal) => {
                        self.host.reply = Some(Reply::Throw(error));
                        Err(signal)
                    }
                }
            }
            Some(Reply::Later(_)) => self.type_error("the host's answer is not ready"),
            None => {
                let number = self.heap.value(cell + 16).as_int().unwrap_or(-1);
                let Some(target) = self.host.targets.get(number as usize).cloned() else {
                    return self.type_error("the host object is gone");
                };
                let mut list = Vec::new();
                for i in 0..arguments.count.min(1 << 16) {
                    let value = arguments.get(self, i);
                    list.push(self.transfer(value)?);
                }
                // A method of an offered object carries both names.
                let (target, operation) = match &target {
                    Target::Offer(name) if name.contains('\0') => {
                        let (object, method) = name.split_once('\0').unwrap_or((name, ""));
                        (Target::Offer(object.to_owned()), Operation::Method(method.to_owned()))
                    }
                    _ => (target, Operation::Call),
                };
                self.host.call = Some(HatchCall { target, operation, arguments: list, block: None });
                Err(Signal::Stop(Pause::Host))
            }
        }
    }

    /// A value for the host; a TypeError for what cannot cross.
    fn transfer(&mut self, value: Value) -> Guest<Argument> {
        let mut nodes = 1 << 16;
        match copy_out(self, value, 0, &mut nodes) {
            Ok(argument) => {
                self.charge(((1 << 16) - nodes) as u64)?;
                Ok(argument)
            }
            Err(class) => self.type_error(&format!("cannot pass {class} through the hatch")),
        }
    }
}

/// The value of an activation for the host: what cannot cross becomes a handle or null.
fn hand_out(vm: &mut Vm<'_>, value: Value) -> Argument {
    let mut nodes = 1 << 20;
    copy_out(vm, value, 0, &mut nodes).unwrap_or_default()
}

/// Copies a value out: plain data by copy, functions as handles; the class of what is neither.
fn copy_out(vm: &mut Vm<'_>, value: Value, depth: u32, nodes: &mut u32) -> Result<Argument, String> {
    *nodes = nodes.checked_sub(1).ok_or("a value of this size")?;
    if depth > 60 {
        return Err("a value nested this deeply".into());
    }
    if value.is_nullish() || value.is_hole() {
        return Ok(Argument::Value(cell::Value::Null));
    }
    if value.is_boolean() {
        return Ok(Argument::Value(cell::Value::Bool(value == Value::TRUE)));
    }
    if let Some(n) = value.as_number() {
        let safe = n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_991.0 && !(n == 0.0 && n.is_sign_negative());
        return Ok(Argument::Value(if safe { cell::Value::integer(n as i64) } else { cell::Value::Float(n) }));
    }
    if value.is_string() {
        let units = vm.heap.units(value.payload()).map_err(|_| "this text")?;
        return String::from_utf16(&units)
            .map(|text| Argument::Value(cell::Value::Text(text)))
            .map_err(|_| "text with a lone surrogate".into());
    }
    if value.is_bigint() {
        return Ok(Argument::Value(cell::Value::Integer(vm.heap.bigint_value(value.payload()))));
    }
    if value.is_symbol() {
        return Err("a symbol".into());
    }
    if vm.heap.is_kind(value, Kind::HostObject) {
        let number = vm.heap.value(value.payload() + 16).as_int().unwrap_or(-1);
        if let Some(Target::Object(reference)) = vm.host.targets.get(number as usize) {
            return Ok(Argument::Lent(*reference));
        }
    }
    if vm.is_callable(value) {
        return handle(vm, value).map(Argument::Own).ok_or_else(|| "so many functions".into());
    }
    let object = value.payload();
    let whole = |items: &[Argument]| items.iter().all(|item| matches!(item, Argument::Value(_)));
    match vm.heap.kind(object) {
        Kind::Array => {
            let length = vm.heap.array_length(object);
            let mut items = Vec::new();
            for i in 0..length {
                let item = vm.heap.dense(object, i);
                items.push(copy_out(vm, item, depth + 1, nodes)?);
            }
            if whole(&items) {
                let values =
                    items.into_iter().filter_map(|item| if let Argument::Value(value) = item { Some(value) } else { None }).collect();
                return Ok(Argument::Value(cell::Value::List(values)));
            }
            Ok(Argument::List(items))
        }
        Kind::Object => {
            let mut keys: Vec<Key> = vm.heap.index_keys(object).into_iter().map(Key::Index).collect();
            keys.extend(
                vm.heap
                    .name_keys(object)
                    .into_iter()
                    .filter(|(_, attributes)| attributes & attribute::ENUMERABLE != 0)
                    .map(|(name, _)| Key::Name(name)),
            );
            let (mut names, mut items) = (Vec::new(), Vec::new());
            for key in keys {
                if let Key::Name(name) = key
                    && vm.heap.is_symbol_name(name)
                {
                    continue;
                }
                let crate::heap::object::Own::Data { address, .. } = vm.heap.own(object, key) else { continue };
                let item = vm.heap.value(address);
                names.push(vm.key_text(key).map_err(|_| "this key")?);
                items.push(copy_out(vm, item, depth + 1, nodes)?);
            }
            if whole(&items) {
                let map: IndexMap<String, cell::Value> = names
                    .into_iter()
                    .zip(items)
                    .filter_map(|(name, item)| if let Argument::Value(value) = item { Some((name, value)) } else { None })
                    .collect();
                return Ok(Argument::Value(cell::Value::Map(map)));
            }
            Ok(Argument::Map(names.into_iter().zip(items).collect()))
        }
        Kind::Error => Ok(Argument::Value(cell::Value::Text(vm.describe_error(value)))),
        kind => Err(format!("an object of kind {kind:?}")),
    }
}

/// A handle for an object of the guest's.
fn handle(vm: &mut Vm<'_>, value: Value) -> Option<Ref> {
    let list = vm.realm(Realm::HANDLES);
    let list = if vm.heap.is_kind(list, Kind::Array) {
        list.payload()
    } else {
        let list = vm.array_of(&[]).ok()?;
        vm.set_realm(Realm::HANDLES, Value::object(list));
        list
    };
    let place = vm.heap.array_length(list);
    if !vm.heap.array_push(list, value).ok()? {
        return None;
    }
    vm.host.handles.insert(place)
}

/// Makes a guest value of the host's.
fn take_in(vm: &mut Vm<'_>, argument: &Argument, depth: u32) -> Guest<Value> {
    if depth > 64 {
        return vm.type_error("a value nested this deeply cannot be passed through the hatch");
    }
    match argument {
        Argument::Value(value) => take_value(vm, value, depth),
        Argument::Own(reference) => match vm.host.handles.get(*reference).copied() {
            Some(place) => {
                let list = vm.realm(Realm::HANDLES);
                Ok(vm.heap.dense(list.payload(), place))
            }
            None => vm.type_error("no such reference"),
        },
        Argument::Lent(reference) => {
            let target = Target::Object(*reference);
            let number = match vm.host.targets.iter().position(|known| *known == target) {
                Some(number) => number,
                None => {
                    vm.host.targets.push(target);
                    vm.host.targets.len() - 1
                }
            };
            host_function(vm, number as u32)
        }
        Argument::List(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(take_in(vm, item, depth + 1)?);
            }
            vm.array_of(&values).map(Value::object)
        }
        Argument::Map(items) => {
            let object = vm.new_object()?;
            for (name, item) in items {
                let value = take_in(vm, item, depth + 1)?;
                let key = vm.key_of(name)?;
                vm.define_plain(object, key, value)?;
            }
            Ok(Value::object(object))
        }
    }
}

fn take_value(vm: &mut Vm<'_>, value: &cell::Value, depth: u32) -> Guest<Value> {
    if depth > 64 {
        return vm.type_error("a value nested this deeply cannot be passed through the hatch");
    }
    Ok(match value {
        cell::Value::Null => Value::NULL,
        cell::Value::Bool(b) => Value::boolean(*b),
        cell::Value::Float(n) => Value::number(*n),
        cell::Value::Integer(n) => match i64::try_from(n) {
            Ok(i) if i.unsigned_abs() < 1 << 53 => Value::number(i as f64),
            _ => Value::bigint(vm.heap.bigint(n)?),
        },
        cell::Value::Text(text) => Value::string(vm.heap.string(text)?),
        cell::Value::Bytes(bytes) => {
            // As an array of numbers, until typed arrays are there.
            let values: Vec<Value> = bytes.iter().map(|&b| Value::int(i32::from(b))).collect();
            Value::object(vm.array_of(&values)?)
        }
        cell::Value::List(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(take_value(vm, item, depth + 1)?);
            }
            Value::object(vm.array_of(&values)?)
        }
        cell::Value::Map(items) => {
            let object = vm.new_object()?;
            for (name, item) in items {
                let value = take_value(vm, item, depth + 1)?;
                let key = vm.key_of(name)?;
                vm.define_plain(object, key, value)?;
            }
            Value::object(object)
        }
    })
}

/// What crosses of an exception: class name, message, trace.
fn guest_error(vm: &mut Vm<'_>, value: Value) -> GuestError {
    if !vm.heap.is_kind(value, Kind::Error) {
        let text = vm.describe_error(value);
        return GuestError::new("", text);
    }
    let cell = value.payload();
    let mut part = |name: u32| match vm.find(cell, Key::Name(name)) {
        Ok(Some((_, crate::heap::object::Own::Data { address, .. }))) => {
            let value = vm.heap.value(address);
            if value.is_string() { vm.heap.text(value.payload()).unwrap_or_default() } else { String::new() }
        }
        _ => String::new(),
    };
    let (name, message) = (part(atoms::NAME), part(atoms::MESSAGE));
    let trace = trace(vm, vm.heap.value(cell + 16));
    GuestError { name, message, trace }
}

/// An error's trace in lines and columns.
fn trace(vm: &mut Vm<'_>, pairs: Value) -> Vec<TraceFrame> {
    let cell = pairs.payload();
    if !pairs.is_object_cell() || !vm.heap.is(cell, Kind::Slots) {
        return Vec::new();
    }
    let count = (vm.heap.high(cell) / 2).min(64);
    let mut frames = Vec::new();
    for i in 0..count {
        let code = vm.heap.value(cell + 8 + i * 16).payload();
        let pc = vm.heap.value(cell + 16 + i * 16).as_number().unwrap_or(0.0) as u32;
        if !vm.heap.is(code, Kind::Code) {
            continue;
        }
        let name = vm.heap.mem.load_u32(code + code::NAME);
        let name = vm.heap.text(name).unwrap_or_default();
        let unit_cell = vm.heap.mem.load_u32(code + code::UNIT);
        let file = vm.heap.mem.load_u32(unit_cell + unit::FILE);
        let file = vm.heap.text(file).unwrap_or_default();
        let (mut line, mut column) = (None, None);
        if let Some(offset) = vm.position(code, pc) {
            let source = vm.heap.mem.load_u32(unit_cell + unit::SOURCE);
            let mut bytes = Vec::new();
            vm.heap.mem.read(source + 8, offset.min(vm.heap.high(source)), &mut bytes);
            let text = String::from_utf8_lossy(&bytes);
            let last = text.rfind('\n').map_or(0, |at| at + 1);
            line = Some(text.matches('\n').count() as u32 + 1);
            column = Some(text[last..].encode_utf16().count() as u32 + 1);
        }
        let some = |text: String| (!text.is_empty()).then_some(text);
        frames.push(TraceFrame { function: some(name), file: some(file), line, column, address: None });
    }
    frames
}
