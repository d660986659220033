//! Leaves for self-hosted code: what JavaScript itself cannot say.

use super::{Arguments, Native};
use crate::bytecode::{frame, function_flag};
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, Signal, atoms, flag};
use crate::interpret::Resume;
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm, code, function};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("realm", realm),
    leaf("intrinsic", |vm, a| Ok(vm.class(a.get(vm, 0).payload()))),
    leaf("symbol", |vm, a| Ok(Value::symbol(atoms::SYMBOLS + a.get(vm, 0).as_int().unwrap_or(0) as u32 * 16))),
    leaf("install", install),
    leaf("define", define),
    leaf("constructor", constructor),
    leaf("namespace", |vm, a| {
        // An object of the image; given null, without a prototype.
        let proto = if a.get(vm, 0) == Value::NULL { 0 } else { vm.realm_cell(Realm::OBJECT_PROTOTYPE) };
        let low = vm.realm(Realm::SCRATCH).as_int().unwrap_or(0) as u32;
        let saved = (vm.heap.cursor, vm.heap.limit, vm.heap.top);
        vm.heap.cursor = low;
        vm.heap.limit = low;
        let shape = vm.heap.dictionary_shape(proto, Kind::Object, 0, 32)?;
        let object = vm.heap.object(Kind::Object, shape)?;
        vm.heap.set_flags(object, flag::PROTOTYPE);
        let low = vm.heap.cursor;
        (vm.heap.cursor, vm.heap.limit, vm.heap.top) = saved;
        vm.set_realm(Realm::SCRATCH, Value::int(low as i32));
        Ok(Value::object(object))
    }),
    leaf("hole", |_, _| Ok(Value::HOLE)),
    leaf("isHole", |vm, a| Ok(Value::boolean(a.get(vm, 0).is_hole()))),
    leaf("isObject", |vm, a| Ok(Value::boolean(a.get(vm, 0).is_object()))),
    leaf("isCallable", |vm, a| Ok(Value::boolean(vm.is_callable(a.get(vm, 0))))),
    leaf("isConstructor", |vm, a| Ok(Value::boolean(vm.is_constructor(a.get(vm, 0))))),
    leaf("typeError", |vm, a| error(vm, a, Fault::Type)),
    leaf("rangeError", |vm, a| error(vm, a, Fault::Range)),
    leaf("call", call),
    leaf("apply", |vm, a| {
        let list = a.get(vm, 2).payload();
        vm.apply(a.get(vm, 0), a.get(vm, 1), list)
    }),
    leaf("constructWith", |vm, a| {
        let (callee, this, list, new_target) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2).payload(), a.get(vm, 3));
        vm.construct_with(callee, this, new_target, list)
    }),
    leaf("isDerived", |vm, a| {
        let code = vm.code_of(a.get(vm, 0));
        Ok(Value::boolean(code == 0 || vm.heap.high(code) & function_flag::DERIVED != 0))
    }),
    leaf("objectFrom", |vm, a| {
        let proto = vm.object_cell(a.get(vm, 0))?;
        let shape = vm.heap.root_shape(proto, Kind::Object, 4)?;
        vm.heap.object(Kind::Object, shape).map(Value::object)
    }),
    leaf("getFrom", |vm, a| {
        let start = vm.object_cell(a.get(vm, 0))?;
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        vm.get_from(start, key, a.get(vm, 2))
    }),
    leaf("setFrom", set_from),
    leaf("deleteOwn", |vm, a| {
        let object = vm.object_cell(a.get(vm, 0))?;
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        vm.delete_own(object, key).map(Value::boolean)
    }),
    leaf("has", |vm, a| {
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        vm.has_property(a.get(vm, 0), key)
    }),
    leaf("kind", |vm, a| {
        let value = a.get(vm, 0);
        Ok(Value::int(if value.is_object_cell() { i32::from(vm.heap.kind_byte(value.payload())) } else { 0 }))
    }),
    leaf("isProxy", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Proxy)))),
    leaf("isArray", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Array)))),
    leaf("callLeaf", |vm, a| {
        // Number, this, array of converted arguments: calls the Rust leaf without another conversion.
        let (number, this, list) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2).payload());
        let count = vm.heap.array_length(list).min(64);
        let window = vm.fp + vm.frame_top() * 8;
        if window + (count + 16) * 8 > vm.stack_limit {
            vm.grow_stack(window + (count + 16) * 8)?;
        }
        let window = vm.fp + vm.frame_top() * 8;
        vm.heap.set_value(window + 32, this);
        for i in 0..count {
            let value = vm.heap.dense(list, i);
            vm.heap.set_value(window + 40 + i * 8, value);
        }
        super::call_leaf(vm, number.payload(), Arguments { window, count, construct: false })
    }),
    leaf("conversion", |vm, a| {
        let text = vm.native_conversion(a.get(vm, 0).payload());
        vm.heap.string(text).map(Value::string)
    }),
    leaf("nativeName", |vm, a| {
        let name = vm.native_row_name(a.get(vm, 0).payload());
        vm.heap.string(name).map(Value::string)
    }),
    leaf("callerName", |vm, _| {
        // Of the function that called the running one.
        let (caller, _) = vm.caller_of(vm.fp, vm.heap.mem.load_u64(vm.fp));
        let cell = vm.code_of(vm.heap.value(caller + u32::from(frame::CALLEE) * 8));
        Ok(Value::string(if cell == 0 { atoms::EMPTY } else { vm.heap.mem.load_u32(cell + code::NAME) }))
    }),
    leaf("iteratorResult", |vm, a| {
        let done = vm.truth(a.get(vm, 1));
        vm.iterator_result(a.get(vm, 0), done)
    }),
    leaf("resume", |vm, a| {
        let mode = match a.get(vm, 1).as_int() {
            Some(0) => Resume::Next,
            Some(1) => Resume::Throw,
            _ => Resume::Return,
        };
        let kind = a.get(vm, 3).as_int().unwrap_or(0) as u32;
        vm.resume_generator(a.get(vm, 0), mode, a.get(vm, 2), kind)
    }),
    leaf("generatorState", |vm, a| {
        let generator = a.get(vm, 0);
        Ok(Value::int(if vm.heap.is_kind(generator, Kind::Generator) { vm.generator_state(generator.payload()) as i32 } else { -1 }))
    }),
    leaf("isAsyncGenerator", |vm, a| {
        let generator = a.get(vm, 0);
        Ok(Value::boolean(vm.heap.is_kind(generator, Kind::Generator) && vm.heap.mem.load_u32(generator.payload() + 28) == 2))
    }),
    leaf("finishGenerator", |vm, a| {
        vm.finish_generator(a.get(vm, 0).payload());
        Ok(Value::UNDEFINED)
    }),
    leaf("generatorData", |vm, a| Ok(vm.heap.value(a.get(vm, 0).payload() + crate::interpret::DATA))),
    leaf("setGeneratorData", |vm, a| {
        vm.heap.set_value(a.get(vm, 0).payload() + crate::interpret::DATA, a.get(vm, 1));
        Ok(Value::UNDEFINED)
    }),
    // An object with four private fields: kind "Iterator". (proto, a, b, c, d)
    leaf("newIterator", |vm, a| {
        let proto = vm.object_cell(a.get(vm, 0))?;
        let shape = vm.heap.root_shape(proto, Kind::Iterator, 0)?;
        let object = vm.heap.object(Kind::Iterator, shape)?;
        for i in 0..4 {
            let value = a.get(vm, 1 + i);
            vm.heap.set_value(object + 16 + i * 8, value);
        }
        Ok(Value::object(object))
    }),
    leaf("isIterator", |vm, a| {
        // (object, tag): the fourth field is the tag.
        let value = a.get(vm, 0);
        Ok(Value::boolean(vm.heap.is_kind(value, Kind::Iterator) && vm.heap.value(value.payload() + 40) == a.get(vm, 1)))
    }),
    leaf("field", |vm, a| {
        let at = a.get(vm, 0).payload() + 16 + (a.get(vm, 1).as_int().unwrap_or(0) as u32 & 7) * 8;
        Ok(vm.heap.value(at))
    }),
    leaf("setField", |vm, a| {
        let at = a.get(vm, 0).payload() + 16 + (a.get(vm, 1).as_int().unwrap_or(0) as u32 & 7) * 8;
        let value = a.get(vm, 2);
        vm.heap.set_value(at, value);
        Ok(value)
    }),
    leaf("throwTypeErrorFunction", |vm, a| {
        // Given the function, freezes it as %ThrowTypeError%.
        let value = a.get(vm, 0);
        vm.set_realm(Realm::THROW_TYPE_ERROR, value);
        Ok(Value::UNDEFINED)
    }),
    leaf("setLength", |vm, a| {
        // (object, key, length): of a self-hosted method, where its parameters do not tell.
        let object = vm.object_cell(a.get(vm, 0))?;
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        if let Own::Data { address, .. } = vm.heap.own(object, key) {
            let cell = vm.code_of(vm.heap.value(address));
            vm.heap.mem.store_u16(cell + code::LENGTH, a.get(vm, 2).as_int().unwrap_or(0) as u16);
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("accessor", |vm, a| {
        // (target, key, getter, setter)
        let target = vm.object_cell(a.get(vm, 0))?;
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        let pair = vm.heap.accessor(a.get(vm, 2), a.get(vm, 3))?;
        vm.heap.put(target, key, Value::object(pair), attribute::CONFIGURABLE | attribute::ACCESSOR)?;
        Ok(Value::UNDEFINED)
    }),
    leaf("alias", |vm, a| {
        // (target, key, source object, source key): the same function under another name.
        let (target, source) = (vm.object_cell(a.get(vm, 0))?, vm.object_cell(a.get(vm, 2))?);
        let (key, from) = (vm.to_key_primitive(a.get(vm, 1))?, vm.to_key_primitive(a.get(vm, 3))?);
        if let Own::Data { address, .. } = vm.heap.own(source, from) {
            let value = vm.heap.value(address);
            vm.heap.put(target, key, value, attribute::HIDDEN)?;
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("constant", |vm, a| {
        // (target, key, value, attributes)
        let target = vm.object_cell(a.get(vm, 0))?;
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        let value = a.get(vm, 2);
        vm.heap.put(target, key, value, a.get(vm, 3).as_int().unwrap_or(0) as u8)?;
        Ok(Value::UNDEFINED)
    }),
    leaf("setRealm", |vm, a| {
        let value = a.get(vm, 1);
        vm.heap.set_value(crate::heap::REALM + a.get(vm, 0).payload() % (Realm::COUNT as u32) * 8, value);
        Ok(Value::UNDEFINED)
    }),
    leaf("brief", |vm, a| {
        let text = vm.brief(a.get(vm, 0))?;
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("notIterable", |vm, a| vm.not_iterable(a.get(vm, 0))),
    leaf("cannotSet", |vm, a| {
        // (object, key): throws because strict code may not set it.
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        vm.cannot_set(a.get(vm, 0), key)
    }),
    leaf("dense", |vm, a| {
        // A fresh array of this length that holds undefined: (length)
        let n = a.get(vm, 0).as_int().unwrap_or(0).max(0) as u32;
        vm.charge(u64::from(n / 16))?;
        let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
        let array = vm.heap.array(shape, n)?;
        let elements = vm.heap.elements(array);
        vm.heap.mem.fill(elements + 8, n, Value::UNDEFINED.0);
        vm.heap.set_array_length_field(array, n);
        Ok(Value::object(array))
    }),
    leaf("push", |vm, a| {
        // Appends to a list of the library's own.
        let value = a.get(vm, 1);
        vm.heap.array_push(a.get(vm, 0).payload(), value)?;
        Ok(Value::UNDEFINED)
    }),
    leaf("sameValueZero", |vm, a| {
        let (x, y) = (a.get(vm, 0), a.get(vm, 1));
        Ok(Value::boolean(x == Value::NAN && y == Value::NAN || crate::interpret::strictly_equal(vm, x, y)?))
    }),
    leaf("sameValue", |vm, a| {
        let (x, y) = (a.get(vm, 0), a.get(vm, 1));
        same_value(vm, x, y).map(Value::boolean)
    }),
    leaf("isDenseArray", |vm, a| {
        let value = a.get(vm, 0);
        Ok(Value::boolean(vm.is_dense_array(value)))
    }),
    leaf("newPrimitiveWrapper", |vm, a| {
        let proto = vm.object_cell(a.get(vm, 1))?;
        vm.wrapper(a.get(vm, 0), proto)
    }),
    leaf("wrapped", |vm, a| {
        // The primitive inside a wrapper object, a hole for anything else.
        let value = a.get(vm, 0);
        Ok(if vm.heap.is_kind(value, Kind::Wrapper) { vm.heap.value(value.payload() + 16) } else { Value::HOLE })
    }),
    leaf("log", |vm, a| {
        let text = vm.to_string_primitive(a.get(vm, 0))?;
        let text = vm.heap.text(text)?;
        let stream = if vm.truth(a.get(vm, 1)) { cell::Stream::Err } else { cell::Stream::Out };
        let end = if a.count > 2 { "" } else { "\n" };
        if vm.host.console.write(stream, format!("{text}{end}").as_bytes()).is_err() {
            vm.host.output_full = true;
            return Err(Signal::Stop(crate::heap::Pause::Output));
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("errorKind", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Error)))),
    leaf("newError", |vm, a| {
        let proto = vm.object_cell(a.get(vm, 0))?;
        let message = a.get(vm, 1);
        vm.error_object(proto, message.is_string().then(|| message.payload()))
    }),
];

fn realm(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    Ok(vm.heap.value(crate::heap::REALM + a.get(vm, 0).payload() % (Realm::COUNT as u32) * 8))
}

fn error(vm: &mut Vm<'_>, a: Arguments, fault: Fault) -> Result<Value> {
    let text = vm.to_string_primitive(a.get(vm, 0))?;
    let text = vm.heap.text(text)?;
    vm.fail(fault, &text)
}

fn call(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let list: Vec<Value> = (2..a.count.min(1 << 20)).map(|i| a.get(vm, i)).collect();
    vm.call(a.get(vm, 0), a.get(vm, 1), &list)
}

/// (start, key, value, receiver): [[Set]]; the answer, unless a setter or proxy was called (then true by its frame).
fn set_from(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let key = vm.to_key_primitive(a.get(vm, 1))?;
    let (target, value, receiver) = (a.get(vm, 0), a.get(vm, 2), a.get(vm, 3));
    vm.entry = crate::vm::Entry::Discard;
    let destination = vm.destination;
    // A frame that is pushed delivers nothing: the answer is there before.
    let fp = vm.fp;
    vm.heap.set_value(fp + u32::from(destination) * 8, Value::TRUE);
    vm.set(target, key, value, receiver).map(Value::boolean)
}

/// SameValue.
pub(crate) fn same_value(vm: &mut Vm<'_>, x: Value, y: Value) -> Result<bool> {
    if let (Some(m), Some(n)) = (x.as_number(), y.as_number()) {
        return Ok(m.is_nan() && n.is_nan() || m == n && m.is_sign_negative() == n.is_sign_negative());
    }
    crate::interpret::strictly_equal(vm, x, y)
}

/// A library function as a native number; its code stays, its object goes.
fn register(vm: &mut Vm<'_>, value: Value, number: u32) -> Result<Value> {
    if !vm.heap.is_kind(value, Kind::Function) {
        return vm.type_error("not a library function");
    }
    let cell = vm.heap.mem.load_u32(value.payload() + function::CODE);
    let index = (number - super::HOSTED) as usize;
    let codes = &mut vm.host.registry.codes;
    if codes.len() <= index {
        codes.resize(index + 1, 0);
    }
    codes[index] = cell;
    Ok(Value::native(number))
}

/// %install(target, {methods, accessors}): as non-enumerable properties.
fn install(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let target = vm.object_cell(a.get(vm, 0))?;
    let source = vm.object_cell(a.get(vm, 1))?;
    for (name, attributes) in vm.heap.name_keys(source) {
        let key = Key::Name(name);
        let unique = format!("{}#{}.{}", name, target, vm.key_text(key)?);
        match vm.heap.own(source, key) {
            Own::Data { address, .. } => {
                let value = vm.heap.value(address);
                let value = if vm.heap.is_kind(value, Kind::Function) {
                    fix_name(vm, value, key, "")?;
                    let number = vm.host.registry.number(&unique);
                    let (method, cell) = (vm.key_text(key)?, vm.code_of(value));
                    super::shortcut::attach(vm, target, &method, cell);
                    register(vm, value, number)?
                } else {
                    value
                };
                vm.heap.put(target, key, value, attribute::HIDDEN)?;
            }
            Own::Accessor { pair, .. } => {
                let (mut getter, mut setter) = (vm.heap.value(pair + 8), vm.heap.value(pair + 16));
                if !getter.is_undefined() {
                    fix_name(vm, getter, key, "get ")?;
                    let number = vm.host.registry.number(&format!("get {unique}"));
                    getter = register(vm, getter, number)?;
                }
                if !setter.is_undefined() {
                    fix_name(vm, setter, key, "set ")?;
                    let number = vm.host.registry.number(&format!("set {unique}"));
                    setter = register(vm, setter, number)?;
                }
                let pair = vm.heap.accessor(getter, setter)?;
                vm.heap.put(target, key, Value::object(pair), attribute::CONFIGURABLE | attribute::ACCESSOR)?;
            }
            _ => {}
        }
        let _ = attributes;
    }
    Ok(Value::UNDEFINED)
}

/// Puts the property's name in the code cell: computed keys give their function objects names only.
fn fix_name(vm: &mut Vm<'_>, value: Value, key: Key, prefix: &str) -> Result<()> {
    let text = match key {
        Key::Name(name) if vm.heap.is_symbol_name(name) => {
            let description = vm.heap.mem.load_u32(name + 12);
            format!("{prefix}[{}]", vm.heap.text(description)?)
        }
        key => format!("{prefix}{}", vm.key_text(key)?),
    };
    let name = vm.heap.string(&text)?;
    let cell = vm.code_of(value);
    vm.heap.mem.store_u32(cell + code::NAME, name);
    Ok(())
}

/// %define(name, function): `%name(...)` in library code.
fn define(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let name = vm.heap.text(a.get(vm, 0).payload())?;
    let number = vm.host.registry.number(&name);
    let value = a.get(vm, 1);
    let cell = vm.code_of(value);
    super::shortcut::attach(vm, 0, &name, cell);
    register(vm, value, number)
}

/// %constructor(name, function, prototype, parent): a global constructor; returns it. Called without `new` or not is its own affair.
fn constructor(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let (name, value, prototype, parent) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2), a.get(vm, 3));
    let cell = vm.code_of(value);
    // `this` is not made for it: it makes its own object from new.target.
    vm.heap.mem.store_u32(cell + 4, vm.heap.high(cell) | function_flag::DERIVED);
    let low = vm.realm(Realm::SCRATCH).as_int().unwrap_or(0) as u32;
    let saved = (vm.heap.cursor, vm.heap.limit, vm.heap.top);
    vm.heap.cursor = low;
    vm.heap.limit = low;
    let parent = if parent.is_object() { vm.object_cell(parent)? } else { vm.realm_cell(Realm::FUNCTION_PROTOTYPE) };
    let shape = vm.heap.dictionary_shape(parent, Kind::Function, 0, 8)?;
    let object = vm.heap.allocate_slow(Kind::Function, u64::from(function::CAPTURES), shape)?;
    vm.heap.mem.store_u64(object + 8, 0);
    vm.heap.mem.store_u32(object + function::CODE, cell);
    vm.heap.mem.store_u32(object + function::HOME, 0);
    vm.heap.mem.store_u64(object + function::FIELDS, 0);
    let low = vm.heap.cursor;
    (vm.heap.cursor, vm.heap.limit, vm.heap.top) = saved;
    vm.set_realm(Realm::SCRATCH, Value::int(low as i32));
    vm.heap.set_flags(object, flag::CALLABLE | flag::CONSTRUCTOR | flag::PROTOTYPE);
    let length = u32::from(vm.heap.mem.load_u16(cell + code::LENGTH));
    vm.heap.mem.store_u32(cell + code::NAME, name.payload());
    vm.heap.add(object, Key::Name(atoms::LENGTH), Value::unsigned(length), attribute::CONFIGURABLE)?;
    vm.heap.add(object, Key::Name(atoms::NAME), name, attribute::CONFIGURABLE)?;
    if prototype.is_object() {
        vm.heap.add(object, Key::Name(atoms::PROTOTYPE), prototype, 0)?;
        vm.heap.put(prototype.payload(), Key::Name(atoms::CONSTRUCTOR), Value::object(object), attribute::HIDDEN)?;
        let slot = (0..Realm::COUNT as u32).find(|slot| vm.heap.value(crate::heap::REALM + slot * 8) == prototype);
        if let Some(slot) = slot {
            let classes = &mut vm.host.registry.classes;
            classes.resize(classes.len().max(slot as usize + 1), 0);
            classes[slot as usize] = object;
        }
    }
    if !matches!(a.get(vm, 4), Value::TRUE) {
        let key = vm.heap.string_key(name.payload())?;
        let global = vm.realm_cell(Realm::GLOBAL);
        vm.heap.put(global, key, Value::object(object), attribute::HIDDEN)?;
    }
    Ok(Value::object(object))
}
