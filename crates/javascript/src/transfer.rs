//! What crosses the hatch, both ways, and the functions and objects that reach through it.

use std::collections::BTreeSet;

use cell::{Argument, GuestError, HatchCall, IndexMap, Operation, Reply, Target, TraceFrame};

use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result as Guest, Signal, atoms, flag};
use crate::library::{Arguments, Helper};
use crate::value::Value;
use crate::vm::{Realm, Vm, code, unit};

/// A function that asks the host: its field is twice the number of what it asks for, and one more once its names are known.
pub(crate) fn host_function(vm: &mut Vm<'_>, number: u32, name: Option<&str>) -> Guest<Value> {
    let proto = vm.realm_cell(Realm::FUNCTION_PROTOTYPE);
    let shape = vm.heap.root_shape(proto, Kind::HostObject, 0)?;
    let object = vm.heap.object(Kind::HostObject, shape)?;
    vm.heap.set_value(object + 16, Value::int(number as i32 * 2));
    vm.heap.set_flags(object, flag::CALLABLE);
    if let Some(name) = name {
        let name = vm.heap.string(name)?;
        vm.heap.put(object, Key::Name(atoms::NAME), Value::string(name), attribute::CONFIGURABLE)?;
    }
    Ok(Value::object(object))
}

/// An object of the host's: a proxy whose handler is the library's, over a target that holds the methods known so far.
pub(crate) fn host_object(vm: &mut Vm<'_>, number: u32, methods: &[String]) -> Guest<Value> {
    let inner = host_function(vm, number, None)?;
    learn(vm, inner.payload(), methods)?;
    let handler = vm.realm(Realm::PROXY_PROTOTYPE);
    vm.new_proxy(inner, handler)
}

/// Gives a host object's target its methods. With none known yet, the guest's first look asks for them.
fn learn(vm: &mut Vm<'_>, inner: u32, methods: &[String]) -> Guest<()> {
    let number = host_number(vm, inner);
    let Some((target, _)) = vm.host.targets.get(number).cloned() else { return Ok(()) };
    for method in methods {
        let number = vm.host.target(target.clone(), Operation::Method(method.clone()));
        let function = host_function(vm, number, Some(method))?;
        let key = vm.key_of(method)?;
        vm.heap.put(inner, key, function, attribute::HIDDEN)?;
    }
    if !methods.is_empty() {
        vm.heap.set_value(inner + 16, Value::int(number as i32 * 2 + 1));
    }
    Ok(())
}

/// The number of what a host function or a proxy's target asks for.
fn host_number(vm: &Vm<'_>, cell: u32) -> usize {
    vm.heap.value(cell + 16).as_int().map_or(usize::MAX, |n| (n >> 1) as usize)
}

impl crate::vm::Host {
    /// The number of something to ask of the host.
    pub(crate) fn target(&mut self, target: Target, operation: Operation) -> u32 {
        let wanted = (target, operation);
        let known = self.targets.iter().position(|known| *known == wanted);
        let free = || self.targets.iter().position(|known| *known == NO_TARGET);
        let at = match known.or_else(free) {
            Some(at) => {
                self.targets[at] = wanted;
                at
            }
            None => {
                self.targets.push(wanted);
                self.targets.len() - 1
            }
        };
        at as u32
    }
}

/// What stands in the place of a target that nothing refers to any more.
const NO_TARGET: (Target, Operation) = (Target::Offer(String::new()), Operation::Release);

impl Vm<'_> {
    /// Finds the lent objects that the collection just made has not met under any of their numbers. They are given back soon.
    pub(crate) fn find_releases(&mut self) {
        if self.host.reply.is_some() {
            // A reply may lend one of them again.
            return;
        }
        let met = |number: usize| self.heap.hosts.get(number >> 6).is_some_and(|word| word & 1 << (number & 63) != 0);
        let mut kept = BTreeSet::new();
        let mut dead = Vec::new();
        for (number, (target, _)) in self.host.targets.iter().enumerate() {
            match target {
                Target::Object(reference) if met(number) => {
                    kept.insert(*reference);
                }
                Target::Object(_) => dead.push(number),
                Target::Offer(_) => {}
            }
        }
        for number in dead {
            if let Target::Object(reference) = self.host.targets[number].0
                && !kept.contains(&reference)
            {
                self.host.targets[number] = NO_TARGET;
                if !self.host.releases.contains(&reference) {
                    self.host.releases.push(reference);
                }
            }
        }
    }

    /// A call of a host function: asks for it, and takes the reply when the instruction runs again.
    pub(crate) fn call_host(&mut self, cell: u32, arguments: Arguments) -> Guest<Value> {
        self.ask(|vm| {
            let Some((target, operation)) = vm.host.targets.get(host_number(vm, cell)).cloned() else {
                return vm.type_error("the host object is gone");
            };
            let mut list = Vec::new();
            for i in 0..arguments.count.min(1 << 16) {
                let value = arguments.get(vm, i);
                list.push(vm.transfer(value)?);
            }
            Ok(HatchCall { target, operation, arguments: list, block: None })
        })
    }

    /// Something else with a host object's target: 0 read a property, 1 write one, 2 list its names and learn its methods, 3 make an instance.
    pub(crate) fn operate_host(&mut self, arguments: Arguments) -> Guest<Value> {
        let cell = self.object_cell(arguments.get(self, 0))?;
        if !self.heap.is(cell, Kind::HostObject) {
            return self.type_error("no object of the host's");
        }
        let what = arguments.get(self, 1).as_int().unwrap_or(0);
        let call = |vm: &mut Self| {
            let Some((target, _)) = vm.host.targets.get(host_number(vm, cell)).cloned() else {
                return vm.type_error("the host object is gone");
            };
            let name = arguments.get(vm, 2);
            let name = if name.is_string() { vm.heap.text(name.payload())? } else { String::new() };
            let mut list = Vec::new();
            let operation = match what {
                0 => Operation::Get(name),
                1 => {
                    let value = arguments.get(vm, 3);
                    list.push(vm.transfer(value)?);
                    Operation::Set(name)
                }
                2 => Operation::Keys,
                _ => {
                    let values = arguments.get(vm, 3);
                    for i in 0..vm.heap.array_length(values.payload()).min(1 << 16) {
                        let value = vm.heap.dense(values.payload(), i);
                        list.push(vm.transfer(value)?);
                    }
                    Operation::Construct
                }
            };
            Ok(HatchCall { target, operation, arguments: list, block: None })
        };
        self.ask_and(call, |vm, answer| {
            if what == 2 && vm.heap.is_kind(answer, Kind::Array) {
                let mut names = Vec::new();
                for i in 0..vm.heap.array_length(answer.payload()).min(1000) {
                    let name = vm.heap.dense(answer.payload(), i);
                    if name.is_string() {
                        names.push(vm.heap.text(name.payload())?);
                    }
                }
                learn(vm, cell, &names)?;
                let number = host_number(vm, cell);
                vm.heap.set_value(cell + 16, Value::int(number as i32 * 2 + 1));
            }
            Ok(answer)
        })
    }

    /// Are the names of a host object's target known?
    pub(crate) fn host_is_known(&self, value: Value) -> bool {
        !self.heap.is_kind(value, Kind::HostObject) || self.heap.value(value.payload() + 16).as_int().is_none_or(|n| n & 1 != 0)
    }

    /// Asks the host. The first time the run pauses here; when the instruction runs again, the reply is there.
    pub(crate) fn ask(&mut self, call: impl FnOnce(&mut Self) -> Guest<HatchCall>) -> Guest<Value> {
        self.ask_and(call, |_, answer| Ok(answer))
    }

    /// The same, with something to do with the answer that may want room.
    fn ask_and(
        &mut self,
        call: impl FnOnce(&mut Self) -> Guest<HatchCall>,
        then: impl FnOnce(&mut Self, Value) -> Guest<Value>,
    ) -> Guest<Value> {
        let Some(reply) = self.host.reply.take() else {
            self.host.made.clear();
            self.host.call = Some(call(self).inspect_err(|_| self.forget_made())?);
            return Err(Signal::Stop(Pause::Host));
        };
        let answer = self.take_reply(&reply).and_then(|answer| then(self, answer));
        if matches!(answer, Err(Signal::Collect(_))) {
            // Room first: the reply must not be lost to a collection.
            self.host.reply = Some(reply);
        }
        answer
    }

    fn take_reply(&mut self, reply: &Reply) -> Guest<Value> {
        match reply {
            Reply::Return(value) => take_in(self, value, 0),
            Reply::Throw(error) => {
                let error = self.host_error(error)?;
                Err(Signal::Throw(error))
            }
            Reply::Later(ticket) => {
                let promise = self.new_promise()?;
                let place = self.keep_handle(promise)?;
                self.host.tickets.push((*ticket, place));
                Ok(promise)
            }
        }
    }

    /// An error of the host's as the guest sees it: class name and message.
    fn host_error(&mut self, error: &GuestError) -> Guest<Value> {
        let proto = self.realm_cell(Realm::ERROR_PROTOTYPE);
        let text = self.heap.string(&error.message)?;
        let value = self.error_object(proto, Some(text))?;
        if !error.name.is_empty() {
            let name = self.heap.string(&error.name)?;
            self.heap.put(value.payload(), Key::Name(atoms::NAME), Value::string(name), attribute::HIDDEN)?;
        }
        Ok(value)
    }

    /// Keeps the promise in the list of handles at `place`: its reactions become jobs.
    pub(crate) fn settle_promise(&mut self, place: u32, result: &Result<Argument, GuestError>) -> Guest<()> {
        let list = self.realm(Realm::HANDLES);
        let promise = if self.heap.is_kind(list, Kind::Array) { self.heap.dense(list.payload(), place) } else { Value::UNDEFINED };
        if !self.heap.is_kind(promise, Kind::Promise) {
            return Ok(());
        }
        let (helper, value) = match result {
            Ok(value) => (Helper::PromiseResolve, take_in(self, value, 0)?),
            Err(error) => (Helper::PromiseReject, self.host_error(error)?),
        };
        let helper = self.helper(helper);
        self.enqueue(&[helper, promise, value, Value::UNDEFINED])
    }

    /// Puts an object into the list of handles; its place.
    fn keep_handle(&mut self, value: Value) -> Guest<u32> {
        let list = self.realm(Realm::HANDLES);
        let list = if self.heap.is_kind(list, Kind::Array) {
            list.payload()
        } else {
            let list = self.array_of(&[])?;
            self.set_realm(Realm::HANDLES, Value::object(list));
            list
        };
        if let Some(&place) = self.host.free_places.last()
            && place < self.heap.array_length(list)
        {
            self.host.free_places.pop();
            let elements = self.heap.elements(list);
            if place < self.heap.high(elements) {
                self.heap.set_value(elements + 8 + place * 8, value);
                return Ok(place);
            }
        }
        let place = self.heap.array_length(list);
        self.heap.array_push(list, value)?;
        Ok(place)
    }

    /// Empties a place in the list of handles.
    pub(crate) fn drop_handle(&mut self, place: u32) {
        let list = self.realm(Realm::HANDLES);
        if self.heap.is_kind(list, Kind::Array) && place < self.heap.array_length(list.payload()) {
            let elements = self.heap.elements(list.payload());
            if place < self.heap.high(elements) {
                self.heap.set_value(elements + 8 + place * 8, Value::UNDEFINED);
                self.host.free_places.push(place);
            }
        }
    }

    /// Takes back the handles of a copy that was not finished.
    fn forget_made(&mut self) {
        for reference in std::mem::take(&mut self.host.made) {
            if let Some(place) = self.host.handles.remove(reference) {
                self.drop_handle(place);
            }
        }
    }

    /// A value for the host; a TypeError for what cannot cross.
    fn transfer(&mut self, value: Value) -> Guest<Argument> {
        const NODES: u32 = 1 << 16;
        let mut room = Room { nodes: NODES, bytes: self.heap.cap as usize };
        match copy_out(self, value, 0, &mut room) {
            Ok(argument) => {
                self.charge(u64::from(NODES - room.nodes))?;
                Ok(argument)
            }
            Err(class) if class == NO_ROOM => Err(Signal::Collect(4096)),
            Err(class) => self.type_error(&format!("cannot pass {class} through the hatch")),
        }
    }
}

/// What cannot cross because the guest's memory is full.
pub(crate) const NO_ROOM: &str = "a value that there is no room to read";

/// How much of a value may still be copied out. What the guest has once may be met many times.
struct Room {
    nodes: u32,
    /// On the host.
    bytes: usize,
}

impl Room {
    /// For what a run or a question hands out.
    fn of_results(vm: &Vm<'_>) -> Self {
        Self { nodes: 1 << 20, bytes: vm.heap.cap as usize * RESULTS }
    }

    fn take(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(TOO_LARGE)?;
        Ok(())
    }

    fn node(&mut self) -> Result<(), &'static str> {
        self.nodes = self.nodes.checked_sub(1).ok_or(TOO_LARGE)?;
        self.take(size_of::<Argument>())
    }
}

/// A result takes at most so many times the cell's memory on the host: numbers are larger there.
const RESULTS: usize = 4;

const TOO_LARGE: &str = "a value of this size";

/// Copies a value out for a result or a question; of what cannot cross no handle stays behind.
pub(crate) fn copy_result(vm: &mut Vm<'_>, value: Value) -> Result<Argument, String> {
    vm.host.made.clear();
    let mut room = Room::of_results(vm);
    copy_out(vm, value, 0, &mut room).inspect_err(|_| vm.forget_made())
}

/// Copies a value out: plain data by copy, functions as handles; the class of what is neither.
fn copy_out(vm: &mut Vm<'_>, value: Value, depth: u32, room: &mut Room) -> Result<Argument, String> {
    room.node()?;
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
        room.take(vm.heap.string_length(value.payload()) as usize)?;
        let units = vm.heap.units(value.payload()).map_err(|_| NO_ROOM)?;
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
    // A proxy for something of the host's, unwrapped.
    let inner = if vm.heap.is_kind(value, Kind::Proxy) { vm.heap.value(value.payload() + 16) } else { value };
    if vm.heap.is_kind(inner, Kind::HostObject)
        && let Some((Target::Object(reference), Operation::Call)) = vm.host.targets.get(host_number(vm, inner.payload()))
    {
        return Ok(Argument::Lent(*reference));
    }
    if vm.is_callable(value) {
        return handle(vm, value, "so many functions");
    }
    let object = value.payload();
    if vm.heap.flags(object) & flag::LENT != 0 {
        return handle(vm, value, "so many objects");
    }
    let whole = |items: &[Argument]| items.iter().all(|item| matches!(item, Argument::Value(_)));
    match vm.heap.kind(object) {
        Kind::Array => {
            let length = vm.heap.array_length(object);
            let mut items = Vec::new();
            for i in 0..length {
                // Frozen arrays keep their elements in a table; an accessor is not called, and crosses as what is not there does.
                let item = match vm.heap.own(object, Key::Index(i)) {
                    Own::Data { address, .. } => vm.heap.value(address),
                    _ => Value::HOLE,
                };
                items.push(copy_out(vm, item, depth + 1, room)?);
            }
            if whole(&items) {
                let values =
                    items.into_iter().filter_map(|item| if let Argument::Value(value) = item { Some(value) } else { None }).collect();
                return Ok(Argument::Value(cell::Value::List(values)));
            }
            Ok(Argument::List(items))
        }
        Kind::Object => {
            let mut keys: Vec<Key> = vm.heap.index_keys(object).map_err(|_| NO_ROOM.to_owned())?.into_iter().map(Key::Index).collect();
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
                let Own::Data { address, .. } = vm.heap.own(object, key) else { continue };
                let item = vm.heap.value(address);
                let name = vm.key_text(key).map_err(|_| NO_ROOM)?;
                room.take(name.len() + size_of::<String>())?;
                names.push(name);
                items.push(copy_out(vm, item, depth + 1, room)?);
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
        Kind::TypedArray | Kind::ArrayBuffer => {
            let bytes = crate::library::typed::bytes_of(vm, value).ok_or("a detached buffer")?;
            room.take(bytes.len())?;
            Ok(Argument::Value(cell::Value::Bytes(bytes)))
        }
        Kind::Error => Ok(Argument::Value(cell::Value::Text(vm.describe_error(value)))),
        kind => Err(format!("an object of kind {kind:?}")),
    }
}

/// A handle for an object of the guest's, or what to say of too many.
fn handle(vm: &mut Vm<'_>, value: Value, many: &str) -> Result<Argument, String> {
    let place = vm.keep_handle(value).map_err(|_| NO_ROOM)?;
    let Some(reference) = vm.host.handles.insert(place) else {
        vm.drop_handle(place);
        return Err(many.to_owned());
    };
    vm.host.made.push(reference);
    Ok(Argument::Own(reference))
}

/// Makes a guest value of the host's.
pub(crate) fn take_in(vm: &mut Vm<'_>, argument: &Argument, depth: u32) -> Guest<Value> {
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
            let number = vm.host.target(Target::Object(*reference), Operation::Call);
            host_object(vm, number, &[])
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
        cell::Value::Bytes(bytes) => crate::library::typed::of_bytes(vm, bytes)?,
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
pub(crate) fn guest_error(vm: &mut Vm<'_>, value: Value) -> GuestError {
    if !vm.heap.is_kind(value, Kind::Error) {
        let text = vm.describe_error(value);
        return GuestError::new("", text);
    }
    let cell = value.payload();
    let mut part = |name: u32| match vm.find(cell, Key::Name(name)) {
        Ok(Some((_, Own::Data { address, .. }))) => {
            let value = vm.heap.value(address);
            if value.is_string() { vm.heap.told(value.payload()) } else { String::new() }
        }
        _ => String::new(),
    };
    let (name, message) = (part(atoms::NAME), part(atoms::MESSAGE));
    let mut trace = trace(vm, vm.heap.value(cell + 16));
    if let Some((_, frame)) = vm.host.wrong.take_if(|(error, _)| *error == value) {
        trace.insert(0, frame);
    }
    GuestError { name, message, trace }
}

/// Line and column (in UTF-16 units) of a byte of a source, both from 1.
pub(crate) fn place(source: &[u8], offset: usize) -> (u32, u32) {
    let text = String::from_utf8_lossy(&source[..offset.min(source.len())]);
    let last = text.rfind('\n').map_or(0, |at| at + 1);
    (text.matches('\n').count() as u32 + 1, text[last..].encode_utf16().count() as u32 + 1)
}

/// An error's trace in lines and columns.
pub(crate) fn trace(vm: &mut Vm<'_>, pairs: Value) -> Vec<TraceFrame> {
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
        let name = vm.heap.told(name);
        let unit_cell = vm.heap.mem.load_u32(code + code::UNIT);
        let file = vm.heap.mem.load_u32(unit_cell + unit::FILE);
        let file = vm.heap.told(file);
        let (mut line, mut column) = (None, None);
        if let Some(offset) = vm.position(code, pc) {
            let source = vm.heap.mem.load_u32(unit_cell + unit::SOURCE);
            let mut bytes = Vec::new();
            vm.heap.mem.read(source + 8, offset.min(vm.heap.high(source)), &mut bytes);
            let place = place(&bytes, bytes.len());
            (line, column) = (Some(place.0), Some(place.1));
        }
        let some = |text: String| (!text.is_empty()).then_some(text);
        frames.push(TraceFrame { function: some(name), file: some(file), line, column, address: None });
    }
    frames
}
