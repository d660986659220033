//! Calls, constructions, returns.

use memory::{Region, Registers};

use super::make::MOST_QUICK;
use super::{Flow, Left, Place, a, b, c, enter, native_work, op, proceed, slow, slow_op};
use crate::bytecode::{frame, function_flag};
use crate::heap::memory::SHARED;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result, Signal, atoms, flag};
use crate::library::{self, Arguments, Helper};
use crate::value::Value;
use crate::vm::{Entry, Realm, Vm, code, function};

/// Functions that a plain call cannot just enter.
const NOT_PLAIN: u32 = function_flag::CLASS;

op!(Call(vm, regs, region, pc, state, word) {
    let callee = Value(regs.get(b(word).wrapping_add(frame::CALLEE)));
    match push_exact(vm, callee, pc, word) {
        Some((inner, inside, target)) => enter(vm, inner, inside, state, target),
        None => call_short(vm, regs, region, state, word),
    }
});

op!(CallFunction(vm, regs, region, pc, state, word) {
    let callee = Value(regs.get(b(word).wrapping_add(frame::CALLEE)));
    regs.set(b(word).wrapping_add(frame::THIS), Value::UNDEFINED.0);
    match push_exact(vm, callee, pc, word) {
        Some((inner, inside, target)) => enter(vm, inner, inside, state, target),
        None => call_short(vm, regs, region, state, word),
    }
});

/// A call with fewer arguments than parameters, or of what is no plain function.
#[inline(never)]
fn call_short<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, region: Region<'a>, state: Place, word: u32) -> Flow<'a> {
    let callee = Value(regs.get(b(word).wrapping_add(frame::CALLEE)));
    match push_plain(vm, callee, Entry::Call, b(word), u32::from(c(word)), (state as u32).wrapping_add(4), a(word)) {
        Some((inner, inside, target)) => enter(vm, inner, inside, state, target),
        None => call_other(vm, regs, region, state, word),
    }
}

/// Pushes the frame of a plain function that has no more parameters than there are arguments, if it fits: its registers, its code's
/// region, where it starts. It goes back to the next instruction, with its result in register `a` of this one.
#[inline(always)]
fn push_exact<'a>(vm: &mut Vm<'a>, callee: Value, pc: u32, word: u32) -> Option<(Registers<'a>, Region<'a>, u32)> {
    let mem = vm.heap.mem;
    let (window, count) = (u32::from(b(word)), u32::from(c(word)));
    if !callee.is_object_cell() || mem.own_u8(callee.payload()) != Kind::Function as u8 {
        return None;
    }
    let cell = mem.own_u32(callee.payload() + function::CODE);
    // A code cell and its instructions lie on the same side.
    let inside = mem.code(cell);
    let entry = inside.load_u64(cell + code::ENTRY);
    let (registers, enough) = (entry as u32 & 0xffff, (entry >> 16) as u32 & 0xffff);
    let fp = vm.fp + window * 8;
    if count < enough || fp + registers.max(count + 5) * 8 > vm.stack_limit || vm.depth >= vm.max_depth {
        return None;
    }
    let inner = push(vm, fp, Entry::Call, word, pc + 4);
    Some((inner, inside, (entry >> 32) as u32))
}

/// Makes the frame at `fp`, whose window is filled, the running one.
#[inline(always)]
fn push<'a>(vm: &mut Vm<'a>, fp: u32, entry: Entry, word: u32, next: u32) -> Registers<'a> {
    let inner = vm.heap.mem.window(fp);
    inner.set(frame::LINK, u64::from(next) | u64::from(b(word)) << 32 | u64::from(a(word)) << 48);
    inner.set(frame::INFO, u64::from(c(word)) | (entry as u64) << 32);
    vm.fp = fp;
    vm.depth += 1;
    inner
}

/// Pushes the frame of a plain function whose window is filled, if it fits: its registers, its code's region, where it starts. It
/// goes back to `next`, with its result in register `to`.
#[inline(always)]
pub(super) fn push_plain<'a>(
    vm: &mut Vm<'a>,
    callee: Value,
    entry: Entry,
    window: u8,
    count: u32,
    next: u32,
    to: u8,
) -> Option<(Registers<'a>, Region<'a>, u32)> {
    let mem = vm.heap.mem;
    if !callee.is_object_cell() || mem.own_u8(callee.payload()) != Kind::Function as u8 {
        return None;
    }
    let cell = mem.own_u32(callee.payload() + function::CODE);
    let inside = mem.code(cell);
    let sizes = inside.load_u64(cell + code::ENTRY);
    let (registers, parameters) = (sizes as u32 & 0xffff, u32::from(inside.load_u16(cell + code::PARAMETERS)));
    let fp = vm.fp + u32::from(window) * 8;
    let refused = if matches!(entry, Entry::Construct) { function_flag::DERIVED } else { NOT_PLAIN };
    if inside.load_u32(cell + 4) & refused != 0 || fp + registers.max(count + 5) * 8 > vm.stack_limit || vm.depth >= vm.max_depth {
        return None;
    }
    let word = u32::from(to) << 8 | u32::from(window) << 16 | count << 24;
    let inner = push(vm, fp, entry, word, next);
    for i in count..parameters {
        inner.set((5 + i) as u8, Value::UNDEFINED.0);
    }
    Some((inner, inside, (sizes >> 32) as u32))
}

/// Calls what is no function with a frame that fits.
#[inline(never)]
fn call_other<'a>(vm: &mut Vm<'a>, _regs: Registers<'a>, _region: Region<'a>, state: Place, word: u32) -> Flow<'a> {
    native_work(vm, state, word, |vm, word| {
        let (distance, count) = (u32::from(b(word)), u32::from(c(word)));
        let window = vm.fp + distance * 8;
        let callee = vm.heap.value(window + u32::from(frame::CALLEE) * 8);
        if callee.is_native() && callee.payload() < library::HOSTED {
            return library::call_native(vm, callee.payload(), Arguments { window, count, construct: false });
        }
        vm.invoke(distance, count)
    })
}

/// Goes back to the caller with a value.
#[inline(always)]
fn leave_to<'a>(vm: &mut Vm<'a>, link: u64, state: Place, value: u64) -> Flow<'a> {
    let mem = vm.heap.mem;
    vm.fp = vm.fp.wrapping_sub(((link >> 32) as u32 & 0xffff) * 8);
    vm.depth = vm.depth.wrapping_sub(1);
    let outer = mem.window(vm.fp);
    let target = link as u32;
    outer.set((link >> 48) as u8, value);
    enter(vm, outer, mem.code(target), state, target)
}

op!(Return(vm, regs, region, pc, state, word) {
    let value = regs.get(a(word));
    let (link, info) = (regs.get(frame::LINK), regs.get(frame::INFO));
    let entry = (info >> 32) as u8;
    if entry == Entry::Call as u8 {
        return leave_to(vm, link, state, value);
    }
    if entry == Entry::Construct as u8 {
        let value = if Value(value).is_object() { value } else { regs.get(frame::THIS) };
        return leave_to(vm, link, state, value);
    }
    vm.pc = pc;
    vm.fuel = super::fuel(state);
    return_slow(vm, Value(value))
});

op!(ReturnUndefined(vm, regs, region, pc, state, word) {
    let (link, info) = (regs.get(frame::LINK), regs.get(frame::INFO));
    let entry = (info >> 32) as u8;
    if entry <= Entry::Construct as u8 {
        let value = if entry == Entry::Construct as u8 { regs.get(frame::THIS) } else { Value::UNDEFINED.0 };
        return leave_to(vm, link, state, value);
    }
    vm.pc = pc;
    vm.fuel = super::fuel(state);
    return_slow(vm, Value::UNDEFINED)
});

/// Returns from a frame whose result is not just stored.
#[cold]
#[inline(never)]
pub(super) fn return_slow<'a>(vm: &mut Vm<'a>, value: Value) -> Flow<'a> {
    if return_steps(vm, value) { proceed(vm) } else { Err(Left) }
}

#[inline(never)]
fn return_steps(vm: &mut Vm<'_>, value: Value) -> bool {
    let pc = vm.pc;
    vm.mark();
    match vm.leave(value) {
        Ok(None) => {
            vm.fuel = vm.fuel.saturating_sub(std::mem::take(&mut vm.heap.debt) as i64);
            true
        }
        Ok(Some(exit)) => {
            vm.exit = exit;
            false
        }
        Err(signal) => {
            if let crate::heap::Signal::Stop(crate::heap::Pause::Fuel) | crate::heap::Signal::Collect(_) = signal {
                vm.undo_charges();
            }
            super::signalled(vm, pc, signal)
        }
    }
}

op!(ReturnDerived(vm, regs, region, pc, state, word) {
    slow(vm, regs, region, state, word, |vm, word| {
        let (value, this) = (vm.register(a(word)), vm.register(b(word)));
        let result = if value.is_object() {
            value
        } else if !value.is_undefined() {
            return vm.type_error("Derived constructors may only return object or undefined");
        } else if this.is_uninitialised() {
            let name = vm.heap.name("this")?;
            return vm.uninitialised(name);
        } else {
            this
        };
        match vm.leave(result)? {
            None => Err(Signal::Called),
            Some(_) => Err(Signal::Stop(Pause::Internal)),
        }
    })
});

op!(New(vm, regs, region, pc, state, word) {
    let callee = Value(regs.get(b(word).wrapping_add(frame::CALLEE)));
    let object = plain_instance(vm, callee);
    if object != 0 {
        regs.set(b(word).wrapping_add(frame::NEW_TARGET), callee.0);
        regs.set(b(word).wrapping_add(frame::THIS), Value::object(object).0);
        if let Some((inner, inside, target)) = push_plain(vm, callee, Entry::Construct, b(word), u32::from(c(word)), pc + 4, a(word)) {
            return enter(vm, inner, inside, state, target);
        }
    }
    slow(vm, regs, region, state, word, new_other)
});

/// A new object for a constructor whose code knows the shape of its instances; 0 if it does not, or there is no room.
#[inline(always)]
fn plain_instance(vm: &mut Vm<'_>, callee: Value) -> u32 {
    let mem = vm.heap.mem;
    let function = callee.payload();
    if !callee.is_object_cell() || mem.own_u8(function) != Kind::Function as u8 || mem.own_u8(function + 1) & flag::CONSTRUCTOR == 0 {
        return 0;
    }
    let cell = mem.own_u32(function + function::CODE);
    if cell & SHARED != 0 || mem.own_u32(cell + code::NEW_OWN_SHAPE) != mem.own_u32(function + 4) {
        return 0;
    }
    // The function's `prototype` is what it was when the shape was found.
    let place = mem.own_u32(cell + code::NEW_PLACE);
    let prototype =
        if place < 0x8000 { mem.own_u64(function + place * 8) } else { mem.load_u64(mem.own_u32(function + 8) + (place & 0x7fff) * 8) };
    if Value(prototype) != Value::object(mem.own_u32(cell + code::NEW_PROTOTYPE)) || vm.heap.room() < MOST_QUICK {
        return 0;
    }
    match vm.heap.object(Kind::Object, mem.own_u32(cell + code::NEW_SHAPE)) {
        Ok(object) => {
            vm.collected_at = 0;
            object
        }
        Err(_) => 0,
    }
}

fn new_other(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let distance = u32::from(b(word));
    let callee = vm.register(b(word).wrapping_add(frame::CALLEE));
    vm.set_register(b(word).wrapping_add(frame::NEW_TARGET), callee);
    let result = vm.construct_window(distance, u32::from(c(word)))?;
    vm.set_register(a(word), result);
    Ok(())
}

slow_op!(CallSpread(vm, word) {
    let result = vm.with_spread(b(word), |vm, count| vm.invoke(u32::from(b(word)), count))?;
    vm.set_register(a(word), result);
    Ok(())
});

slow_op!(NewSpread(vm, word) {
    let callee = vm.register(b(word).wrapping_add(frame::CALLEE));
    vm.set_register(b(word).wrapping_add(frame::NEW_TARGET), callee);
    let result = vm.with_spread(b(word), |vm, count| vm.construct_window(u32::from(b(word)), count))?;
    vm.set_register(a(word), result);
    Ok(())
});

slow_op!(CallSuper(vm, word) {
    let window = b(word);
    let active = vm.object_cell(vm.register(window.wrapping_add(frame::CALLEE)))?;
    // The window keeps the active function until the very end, so that the instruction can run again after a collection.
    let parent = vm.heap.proto(active);
    let parent = if parent == 0 { Value::NULL } else { vm.object_value(parent) };
    if !vm.is_constructor(parent) {
        return vm.type_error("Super constructor is not a constructor");
    }
    let construct = |vm: &mut Vm<'_>, count: u32| {
        vm.set_register(window.wrapping_add(frame::CALLEE), parent);
        vm.construct_window(u32::from(window), count)
    };
    let constructed = if c(word) == 255 { vm.with_spread(window, construct) } else { construct(vm, u32::from(c(word))) };
    match constructed {
        Ok(result) => {
            vm.set_register(a(word), result);
            Ok(())
        }
        Err(signal) => {
            if signal != Signal::Called {
                let active = vm.object_value(active);
                vm.set_register(window.wrapping_add(frame::CALLEE), active);
            }
            Err(signal)
        }
    }
});

slow_op!(CallEval(vm, word) {
    let callee = vm.register(b(word).wrapping_add(frame::CALLEE));
    let first = vm.register(b(word).wrapping_add(frame::ARGUMENTS));
    let listed = c(word) == 255;
    if vm.is_intrinsic_eval(callee) {
        // The list stays in the window until the end, so that the instruction can run again after a collection.
        let source = match c(word) {
            0 => Value::UNDEFINED,
            255 if vm.heap.is_kind(first, Kind::Array) => Some(vm.heap.dense(first.payload(), 0)).filter(|value| !value.is_hole()).unwrap_or(Value::UNDEFINED),
            _ => first,
        };
        let result = vm.direct_eval(source, u32::from(b(word)), vm.extension(1), vm.extension(2))?;
        vm.set_register(a(word), result);
        return Ok(());
    }
    let window = u32::from(b(word));
    let result = if listed { vm.with_spread(b(word), |vm, count| vm.invoke(window, count))? } else { vm.invoke(window, u32::from(c(word)))? };
    vm.set_register(a(word), result);
    Ok(())
});

op!(Native(vm, regs, region, pc, state, word) {
    native_work(vm, state, word, |vm, word| {
        let arguments = Arguments { window: vm.fp + u32::from(b(word)) * 8, count: u32::from(c(word)), construct: false };
        library::call_leaf(vm, vm.extension(1), arguments)
    })
});

impl<'a> Vm<'a> {
    /// Leaves the running frame with a result, as its entry says. `pc` is where execution goes on. Some: the run ends.
    pub(crate) fn leave(&mut self, value: Value) -> Result<Option<super::Exit>> {
        let (link, info) = (self.heap.mem.load_u64(self.fp), self.heap.mem.load_u64(self.fp + 8));
        let entry = Entry::from_info(info);
        let this = self.register(frame::THIS);
        let iterator = self.register(frame::ARGUMENTS);
        match entry {
            Entry::Generator => return self.leave_generator(value),
            Entry::Host | Entry::Job => {
                self.fp = self.fp.wrapping_sub(((link >> 32) as u32 & 0xffff) * 8);
                self.depth = self.depth.wrapping_sub(1);
                return Ok(Some(super::Exit::Value(value)));
            }
            _ => {}
        }
        let result = match entry {
            Entry::Construct | Entry::ConstructSuper if !value.is_object() => this,
            Entry::Not => Value::boolean(value != Value::TRUE),
            _ => value,
        };
        let target = link as u32;
        self.fp = self.fp.wrapping_sub(((link >> 32) as u32 & 0xffff) * 8);
        self.depth = self.depth.wrapping_sub(1);
        self.pc = target;
        match entry {
            Entry::Discard => {}
            Entry::Test => self.pc = super::compare::finish_test(self, target, value == Value::TRUE),
            Entry::TestNot => self.pc = super::compare::finish_test(self, target, value != Value::TRUE),
            Entry::Iterate => self.finish_iterate(target, value, iterator),
            _ => self.set_register((link >> 48) as u8, result),
        }
        Ok(None)
    }

    /// Calls with the arguments in the array in the window's first argument. What does not complete runs again: the array is back then.
    fn with_spread(&mut self, window: u8, call: impl FnOnce(&mut Self, u32) -> Result<Value>) -> Result<Value> {
        let list = self.register(window.wrapping_add(frame::ARGUMENTS));
        let count = self.spread(u32::from(window))?;
        let result = call(self, count);
        if let Err(Signal::Collect(_) | Signal::Stop(_)) = result {
            self.set_register(window.wrapping_add(frame::ARGUMENTS), list);
        }
        result
    }

    /// Lays the array in the window's first argument out as its arguments; their number.
    fn spread(&mut self, distance: u32) -> Result<u32> {
        let place = self.fp + (distance + u32::from(frame::ARGUMENTS)) * 8;
        let list = self.heap.value(place);
        if !self.heap.is_kind(list, Kind::Array) {
            return Ok(0);
        }
        let array = list.payload();
        let count = self.heap.array_length(array);
        if count > 1 << 20 {
            return self.range_error("Too many arguments");
        }
        self.charge(u64::from(count / 16))?;
        let end = place + (count + 8) * 8;
        if end > self.stack_limit {
            self.grow_stack(end)?;
        }
        let place = self.fp + (distance + u32::from(frame::ARGUMENTS)) * 8;
        // Backwards: the array itself lies in the first place, and the instruction may still run again.
        for i in (0..count).rev() {
            let value = self.heap.dense(array, i);
            self.heap.set_value(place + i * 8, if value.is_hole() { Value::UNDEFINED } else { value });
        }
        Ok(count)
    }

    /// Can it be constructed?
    pub(crate) fn is_constructor(&self, value: Value) -> bool {
        value.is_object_cell() && self.heap.flags(value.payload()) & flag::CONSTRUCTOR != 0
    }

    /// Constructs from a window that holds callee, new.target and arguments.
    pub(crate) fn construct_window(&mut self, distance: u32, count: u32) -> Result<Value> {
        let window = self.fp + distance * 8;
        let callee = self.heap.value(window + u32::from(frame::CALLEE) * 8);
        if !self.is_constructor(callee) {
            let text = self.describe_callee(callee)?;
            return self.type_error(&format!("{text} is not a constructor"));
        }
        self.entry = Entry::Construct;
        let code = self.code_of(callee);
        if code == 0 {
            return self.invoke_other(distance, count, callee);
        }
        let new_target = self.heap.value(window + u32::from(frame::NEW_TARGET) * 8);
        let this = if self.heap.high(code) & function_flag::DERIVED != 0 {
            Value::UNINITIALISED
        } else if self.heap.is_kind(new_target, Kind::Function) {
            let own = self.code_of(new_target);
            let prototype = self.prototype_property(new_target.payload())?;
            let Some(prototype) = prototype else {
                // A getter or proxy: the helper fetches it and constructs.
                return self.construct_by_helper(distance, count);
            };
            let this_properties = u32::from(self.heap.mem.load_u8(code + code::THIS_PROPERTIES));
            let proto = if prototype.is_object() { self.object_cell(prototype)? } else { self.realm_cell(Realm::OBJECT_PROTOTYPE) };
            let shape = if self.heap.mem.load_u32(own + code::NEW_PROTOTYPE) == proto && own == code && own & SHARED == 0 {
                self.heap.mem.load_u32(own + code::NEW_SHAPE)
            } else {
                let inline = if this_properties <= 4 {
                    4
                } else if this_properties <= 8 {
                    8
                } else {
                    16
                };
                let shape = self.heap.root_shape(proto, Kind::Object, inline)?;
                if own == code {
                    self.heap.mem.store_u32(own + code::NEW_PROTOTYPE, proto);
                    self.heap.mem.store_u32(own + code::NEW_SHAPE, shape);
                    self.note_prototype_place(new_target.payload(), own);
                }
                shape
            };
            Value::object(self.heap.object(Kind::Object, shape)?)
        } else {
            return self.construct_by_helper(distance, count);
        };
        self.heap.set_value(window + u32::from(frame::THIS) * 8, this);
        self.push(distance, count, code)?;
        Err(Signal::Called)
    }

    /// Notes in a function's code where functions of its shape keep `prototype`, for the fast way of `New`.
    fn note_prototype_place(&mut self, function: u32, own: u32) {
        let shape = self.heap.shape(function);
        let place = match self.heap.shape_find(shape, atoms::PROTOTYPE) {
            Some((slot, attributes)) if !self.heap.is_dictionary(shape) && attributes & attribute::ACCESSOR == 0 => {
                u32::from(self.heap.slot_code(shape, slot))
            }
            _ => 0,
        };
        self.heap.mem.store_u32(own + code::NEW_OWN_SHAPE, if place == 0 { 0 } else { shape });
        self.heap.mem.store_u32(own + code::NEW_PLACE, place);
    }

    /// `prototype` of a function when it is a plain data property.
    fn prototype_property(&mut self, function: u32) -> Result<Option<Value>> {
        self.materialise(function)?;
        match self.heap.own(function, Key::Name(atoms::PROTOTYPE)) {
            crate::heap::object::Own::Data { address, .. } => Ok(Some(self.heap.value(address))),
            _ => Ok(None),
        }
    }

    /// Construction whose prototype only script can tell: `this` is made by the helper, which then calls with it.
    fn construct_by_helper(&mut self, distance: u32, count: u32) -> Result<Value> {
        let window = self.fp + distance * 8;
        let callee = self.heap.value(window + u32::from(frame::CALLEE) * 8);
        let new_target = self.heap.value(window + u32::from(frame::NEW_TARGET) * 8);
        let list = self.arguments_array(window, count, 0)?;
        self.entry = Entry::Call;
        self.help(Helper::Construct, &[callee, list, new_target])
    }

    /// Enters a constructor with a `this` already made (self-hosted `%constructWith`): tail position of a native.
    pub(crate) fn construct_with(&mut self, callee: Value, this: Value, new_target: Value, list: u32) -> Result<Value> {
        let distance = self.frame_top();
        let count = self.heap.array_length(list);
        if count > 1 << 20 {
            return self.range_error("Too many arguments");
        }
        let end = self.fp + (distance + count + 16) * 8;
        if end > self.stack_limit {
            self.grow_stack(end)?;
        }
        let window = self.fp + distance * 8;
        self.heap.set_value(window + u32::from(frame::CALLEE) * 8, callee);
        self.heap.set_value(window + u32::from(frame::NEW_TARGET) * 8, new_target);
        self.heap.set_value(window + u32::from(frame::THIS) * 8, this);
        for i in 0..count {
            let value = self.heap.dense(list, i);
            self.heap.set_value(window + (5 + i) * 8, if value.is_hole() { Value::UNDEFINED } else { value });
        }
        let code = self.code_of(callee);
        self.entry = Entry::Construct;
        if code == 0 || this.is_undefined() {
            return self.construct_window(distance, count);
        }
        self.push(distance, count, code)?;
        Err(Signal::Called)
    }

    /// Calls from a native in tail position, with arguments in a dense array.
    pub(crate) fn apply(&mut self, callee: Value, this: Value, list: u32) -> Result<Value> {
        let count = if list == 0 { 0 } else { self.heap.array_length(list) };
        if count > 1 << 20 {
            return self.range_error("Too many arguments");
        }
        self.charge(u64::from(count / 16))?;
        let arguments: Vec<Value> = (0..count)
            .map(|i| {
                let value = self.heap.dense(list, i);
                if value.is_hole() { Value::UNDEFINED } else { value }
            })
            .collect();
        self.call(callee, this, &arguments)
    }

    /// A callee without code: a native, a bound function, a proxy, or nothing callable.
    #[cold]
    pub(crate) fn invoke_other(&mut self, distance: u32, count: u32, callee: Value) -> Result<Value> {
        let construct = self.entry == Entry::Construct;
        let window = self.fp + distance * 8;
        let arguments = Arguments { window, count, construct };
        if callee.is_native() {
            return library::call_native(self, callee.payload(), arguments);
        }
        if callee.is_object_cell() {
            let cell = callee.payload();
            match self.heap.kind(cell) {
                Kind::NativeFunction => {
                    let number = self.heap.mem.load_u32(cell + 16);
                    return library::call_native(self, number, arguments);
                }
                Kind::BoundFunction => return self.invoke_bound(callee, arguments),
                Kind::Proxy if self.heap.flags(cell) & flag::CALLABLE != 0 => {
                    let list = self.arguments_array(window, count, 0)?;
                    let this = arguments.this(self);
                    if construct {
                        let new_target = arguments.new_target(self);
                        self.entry = Entry::Call;
                        return self.help(Helper::ProxyConstruct, &[callee, list, new_target]);
                    }
                    return self.help(Helper::ProxyApply, &[callee, this, list]);
                }
                Kind::HostObject => return self.call_host(cell, arguments),
                _ => {}
            }
        }
        let text = self.describe_callee(callee)?;
        self.type_error(&format!("{text} is not a function"))
    }

    /// A bound function, or a chain of them: what it was made from, with the arguments of all of them.
    fn invoke_bound(&mut self, callee: Value, arguments: Arguments) -> Result<Value> {
        let (mut target, mut this, mut new_target) = (callee, Value::UNDEFINED, arguments.new_target(self));
        // From the last argument to the first: the innermost function's come first.
        let mut all: Vec<Value> = (0..arguments.count).rev().map(|i| arguments.get(self, i)).collect();
        let mut steps = self.heap.most(16);
        while self.heap.is_kind(target, Kind::BoundFunction) {
            let cell = target.payload();
            let list = self.heap.value(cell + 32).payload();
            let bound = self.heap.array_length(list).min(self.heap.most(8));
            if all.len() + bound as usize > 1 << 20 {
                return self.range_error("Too many arguments");
            }
            // Only a corrupted heap holds a chain without an end.
            steps = steps.checked_sub(1).ok_or(Signal::Stop(Pause::Internal))?;
            all.extend((0..bound).rev().map(|i| self.heap.dense(list, i)));
            self.heap.debt += 1;
            let inner = self.heap.value(cell + 16);
            if new_target == target {
                new_target = inner;
            }
            this = self.heap.value(cell + 24);
            target = inner;
        }
        all.reverse();
        self.heap.debt += all.len() as u64 / 8;
        if arguments.construct {
            let list = self.array_of(&all)?;
            return self.construct_with(target, Value::UNDEFINED, new_target, list);
        }
        self.call(target, this, &all)
    }

    /// An array of the window's arguments from `first` on.
    pub(crate) fn arguments_array(&mut self, window: u32, count: u32, first: u32) -> Result<Value> {
        let length = count.saturating_sub(first);
        let shape = self.realm_cell(Realm::ARRAY_SHAPE);
        let array = self.heap.array(shape, length)?;
        let elements = self.heap.elements(array);
        for i in 0..length {
            let value = self.heap.value(window + (5 + first + i) * 8);
            self.heap.set_value(elements + 8 + i * 8, value);
        }
        self.heap.set_array_length_field(array, length);
        Ok(Value::object(array))
    }

    /// A new array of the elements `first..length` of an array, undefined for its holes.
    pub(crate) fn tail_of(&mut self, array: u32, first: u32, length: u32) -> Result<u32> {
        let count = length.saturating_sub(first);
        self.charge(u64::from(count) / 8)?;
        let shape = self.realm_cell(Realm::ARRAY_SHAPE);
        let tail = self.heap.array(shape, count)?;
        let elements = self.heap.elements(tail);
        for i in 0..count {
            let value = self.heap.dense(array, first + i);
            self.heap.set_value(elements + 8 + i * 8, if value.is_hole() { Value::UNDEFINED } else { value });
        }
        self.heap.set_array_length_field(tail, count);
        Ok(tail)
    }

    /// A dense array of values; its cell.
    pub(crate) fn array_of(&mut self, values: &[Value]) -> Result<u32> {
        let shape = self.realm_cell(Realm::ARRAY_SHAPE);
        let array = self.heap.array(shape, values.len() as u32)?;
        let elements = self.heap.elements(array);
        for (i, &value) in values.iter().enumerate() {
            self.heap.set_value(elements + 8 + i as u32 * 8, value);
        }
        self.heap.set_array_length_field(array, values.len() as u32);
        Ok(array)
    }

    /// The prototype object that a lazily made `prototype` property gets; a hole if the function has none.
    pub(crate) fn lazy_prototype(&mut self, object: u32, code: u32) -> Result<Value> {
        let flags = self.heap.high(code);
        if flags & function_flag::GENERATOR != 0 {
            let parent = if flags & function_flag::ASYNC != 0 { Realm::ASYNC_GENERATOR_PROTOTYPE } else { Realm::GENERATOR_PROTOTYPE };
            let parent = self.realm_cell(parent);
            let shape = self.heap.root_shape(parent, Kind::Object, 4)?;
            return self.heap.object(Kind::Object, shape).map(Value::object);
        }
        if self.heap.flags(object) & flag::CONSTRUCTOR == 0 || flags & function_flag::CLASS != 0 {
            return Ok(Value::HOLE);
        }
        let shape = self.realm_cell(Realm::OBJECT_SHAPE_4);
        let prototype = self.heap.object(Kind::Object, shape)?;
        self.heap.add(prototype, Key::Name(atoms::CONSTRUCTOR), Value::object(object), attribute::HIDDEN)?;
        Ok(Value::object(prototype))
    }
}
