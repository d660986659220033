//! Making objects, functions, classes; conversions that make objects or strings.

use super::{a, b, c, op, slow, slow_op, step};
use crate::bytecode::{frame, function_flag};
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms, flag};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Fault, Realm, Vm, code, function, unit};

op!(NewObject(vm, regs, region, pc, state, word) {
    let count = word >> 16;
    let slot = if count <= 4 { Realm::OBJECT_SHAPE_4 } else if count <= 8 { Realm::OBJECT_SHAPE_8 } else { Realm::OBJECT_SHAPE_16 };
    let shape = vm.realm_cell(slot);
    // A search for room is charged for, which is the slow path's.
    if vm.heap.room() >= MOST_QUICK
        && let Ok(object) = vm.heap.object(Kind::Object, shape)
    {
        vm.collected_at = 0;
        regs.set(a(word), Value::object(object).0);
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        let object = vm.new_object()?;
        vm.set_register(a(word), Value::object(object));
        Ok(())
    })
});

op!(NewArray(vm, regs, region, pc, state, word) {
    let array = new_array(vm, word >> 16);
    if array != 0 {
        regs.set(a(word), Value::object(array).0);
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
        let array = vm.heap.array(shape, word >> 16)?;
        vm.set_register(a(word), Value::object(array));
        Ok(())
    })
});

/// A new array, or 0 if it is large or there is no room at hand.
#[inline(never)]
fn new_array(vm: &mut Vm<'_>, capacity: u32) -> u32 {
    if capacity > 16 || vm.heap.room() < MOST_QUICK {
        return 0;
    }
    let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
    match vm.heap.array(shape, capacity) {
        Ok(array) => {
            vm.collected_at = 0;
            array
        }
        Err(_) => 0,
    }
}

/// Room in which any object of inline properties, or any array of a few elements, fits.
pub(super) const MOST_QUICK: u32 = 256;

op!(ArrayPush(vm, regs, region, pc, state, word) {
    let array = regs.get(a(word)) as u32;
    let length = vm.heap.array_length(array);
    let elements = vm.heap.elements(array);
    if length < vm.heap.high(elements) && vm.heap.is(elements, Kind::Elements) {
        vm.heap.mem.store_u64(elements + 8 + length * 8, regs.get(b(word)));
        vm.heap.set_array_length_field(array, length + 1);
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        let value = vm.register(b(word));
        vm.heap.array_push(vm.register(a(word)).payload(), value)?;
        Ok(())
    })
});

slow_op!(ArrayPushHole(vm, word) {
    let array = vm.register(a(word)).payload();
    let length = vm.heap.array_length(array);
    vm.heap.set_array_length_field(array, length.saturating_add(1));
    Ok(())
});

slow_op!(ArraySpread(vm, word) {
    let (target, source) = (vm.register(a(word)), vm.register(b(word)));
    if vm.is_dense_array(source) {
        let (target, source) = (target.payload(), source.payload());
        let (start, count) = (vm.heap.array_length(target), vm.heap.array_length(source));
        let Some(total) = start.checked_add(count) else { return vm.range_error("Invalid array length") };
        vm.charge(u64::from(count / 8))?;
        vm.heap.reserve_elements(target, total)?;
        let elements = vm.heap.elements(target);
        for i in 0..count {
            let value = vm.heap.dense(source, i);
            vm.heap.set_value(elements + 8 + (start + i) * 8, if value.is_hole() { Value::UNDEFINED } else { value });
        }
        vm.heap.set_array_length_field(target, total);
        return Ok(());
    }
    vm.entry = Entry::Discard;
    vm.help(Helper::ArraySpread, &[target, source])?;
    Ok(())
});

slow_op!(NewPattern(vm, word) {
    let pattern = vm.constant(vm.extension(1));
    let pair = pattern.payload();
    let (source, flags) = (vm.heap.value(pair + 8), vm.heap.value(pair + 16));
    let object = vm.new_pattern(source, flags)?;
    vm.set_register(a(word), object);
    Ok(())
});

slow_op!(TemplateObject(vm, word) {
    let index = vm.extension(1);
    let constant = vm.constant(index);
    if vm.heap.is_kind(constant, Kind::Array) {
        vm.set_register(a(word), constant);
        return Ok(());
    }
    // A Slots cell: cooked and raw by turns.
    let parts = constant.payload();
    let count = vm.heap.high(parts).min(vm.heap.most(8)) / 2;
    let cooked: Vec<Value> = (0..count).map(|i| vm.heap.value(parts + 8 + i * 16)).collect();
    let raw: Vec<Value> = (0..count).map(|i| vm.heap.value(parts + 16 + i * 16)).collect();
    let raw = vm.array_of(&raw)?;
    vm.freeze(raw)?;
    let template = vm.array_of(&cooked)?;
    vm.heap.add(template, Key::Name(atoms::RAW), Value::object(raw), 0)?;
    vm.freeze(template)?;
    let constants = vm.heap.mem.load_u32(vm.code() + code::CONSTANTS);
    vm.heap.set_value(constants + 8 + index * 8, Value::object(template));
    vm.set_register(a(word), Value::object(template));
    Ok(())
});

op!(Closure(vm, regs, region, pc, state, word) {
    slow(vm, regs, region, state, word, |vm, word| {
        let index = vm.extension(1);
        let closure = vm.closure(index, None)?;
        vm.set_register(a(word), Value::object(closure));
        Ok(())
    })
});

slow_op!(CreateArguments(vm, word) {
    vm.arguments_and_rest(word, false)
});

slow_op!(CreateMappedArguments(vm, word) {
    vm.arguments_and_rest(word, true)
});

slow_op!(Rest(vm, word) {
    let count = vm.heap.mem.load_u32(vm.fp + 8);
    let list = vm.arguments_array(vm.fp, count, u32::from(b(word)))?;
    vm.set_register(a(word), list);
    Ok(())
});

slow_op!(ArrayTail(vm, word) {
    let list = vm.register(b(word));
    let length = if vm.heap.is_kind(list, Kind::Array) { vm.heap.array_length(list.payload()) } else { 0 };
    let tail = vm.tail_of(list.payload(), vm.extension(1), length)?;
    vm.set_register(a(word), Value::object(tail));
    Ok(())
});

slow_op!(NewClass(vm, word) {
    let heritage = vm.register(b(word));
    let index = vm.extension(1);
    let (parent, proto_parent) = if heritage.is_uninitialised() {
        (vm.realm_cell(Realm::FUNCTION_PROTOTYPE), vm.realm(Realm::OBJECT_PROTOTYPE))
    } else if heritage == Value::NULL {
        (vm.realm_cell(Realm::FUNCTION_PROTOTYPE), Value::NULL)
    } else {
        if !vm.is_constructor(heritage) || vm.heap.is_kind(heritage, Kind::Function) && vm.heap.high(vm.code_of(heritage)) & function_flag::GENERATOR != 0 {
            let shown = vm.brief(heritage)?;
            return vm.type_error(&format!("Class extends value {shown} is not a constructor or null"));
        }
        let cell = heritage.payload();
        let start = cell;
        vm.destination = a(word).wrapping_add(1);
        let prototype = match vm.find(start, Key::Name(atoms::PROTOTYPE))? {
            None => Value::UNDEFINED,
            Some((_, Own::Data { address, .. })) => vm.heap.value(address),
            Some(_) => {
                // A getter or proxy: the helper reads it and gives a plain pair back.
                return vm.class_by_helper(word, heritage);
            }
        };
        (cell, prototype)
    };
    vm.make_class(word, index, parent, proto_parent)
});

slow_op!(SetFieldInitialiser(vm, word) {
    let class = vm.register(a(word)).payload();
    let initialiser = vm.register(b(word)).payload();
    vm.heap.mem.store_u32(class + function::FIELDS, initialiser);
    Ok(())
});

slow_op!(InitialiseFields(vm, word) {
    let (object, class) = (vm.register(a(word)), vm.register(b(word)));
    if vm.heap.is_kind(class, Kind::Function) {
        let initialiser = vm.heap.mem.load_u32(class.payload() + function::FIELDS);
        if initialiser != 0 {
            vm.entry = Entry::Discard;
            vm.call(Value::object(initialiser), object, &[])?;
        }
    }
    Ok(())
});

slow_op!(DefineMethod(vm, word) {
    let object = vm.object_cell(vm.register(a(word)))?;
    let key = vm.to_key_primitive(vm.register(b(word)))?;
    let method = vm.register(c(word));
    let options = vm.extension(1);
    let enumerable = if options & 1 != 0 { attribute::ENUMERABLE } else { 0 };
    vm.materialise(object)?;
    match options >> 1 & 3 {
        0 => {
            match vm.heap.own(object, key) {
                Own::Data { attributes, .. } | Own::Accessor { attributes, .. } if attributes & attribute::CONFIGURABLE == 0 => {
                    let text = vm.key_text(key)?;
                    return vm.type_error(&format!("Cannot redefine property: {text}"));
                }
                _ => {}
            }
            vm.heap.put(object, key, method, attribute::WRITABLE | attribute::CONFIGURABLE | enumerable)?;
        }
        kind => {
            let (mut getter, mut setter) = (Value::UNDEFINED, Value::UNDEFINED);
            match vm.heap.own(object, key) {
                Own::Accessor { pair, attributes } if attributes & attribute::CONFIGURABLE != 0 => (getter, setter) = (vm.heap.value(pair + 8), vm.heap.value(pair + 16)),
                Own::Data { attributes, .. } | Own::Accessor { attributes, .. } if attributes & attribute::CONFIGURABLE == 0 => {
                    let text = vm.key_text(key)?;
                    return vm.type_error(&format!("Cannot redefine property: {text}"));
                }
                _ => {}
            }
            if kind == 1 { getter = method } else { setter = method }
            let pair = vm.heap.accessor(getter, setter)?;
            vm.heap.put(object, key, Value::object(pair), attribute::CONFIGURABLE | attribute::ACCESSOR | enumerable)?;
        }
    }
    if vm.heap.is_kind(method, Kind::Function) {
        vm.heap.mem.store_u32(method.payload() + function::HOME, object);
    }
    Ok(())
});

slow_op!(SetPrototype(vm, word) {
    let value = vm.register(b(word));
    if value.is_object() || value == Value::NULL {
        let proto = if value == Value::NULL { 0 } else { vm.object_cell(value)? };
        let object = vm.object_cell(vm.register(a(word)))?;
        vm.heap.set_proto(object, proto)?;
    }
    Ok(())
});

/// The object that `super.x` starts at.
fn super_start(vm: &mut Vm<'_>) -> Result<u32> {
    let holder = vm.register(vm.extension(1) as u8);
    let cell = vm.object_cell(holder)?;
    let home = vm.heap.mem.load_u32(cell + function::HOME);
    let start = if home == 0 { 0 } else { vm.heap.proto(home) };
    if start == 0 {
        return vm.type_error("Cannot read properties of null (super)");
    }
    Ok(start)
}

slow_op!(GetSuper(vm, word) {
    let key = vm.register(b(word));
    let this = vm.register(c(word));
    let start = super_start(vm)?;
    let value = if key.is_object() {
        let start = vm.object_value(start);
        vm.help(Helper::GetSuper, &[start, key, this])?
    } else {
        let key = vm.to_key_primitive(key)?;
        vm.get_from(start, key, this)?
    };
    vm.set_register(a(word), value);
    Ok(())
});

slow_op!(SetSuper(vm, word) {
    let (value, key, this) = (vm.register(a(word)), vm.register(b(word)), vm.register(c(word)));
    let start = super_start(vm)?;
    let start = vm.object_value(start);
    vm.entry = Entry::Discard;
    if key.is_object() {
        let strict = Value::boolean(vm.is_strict());
        vm.help(Helper::SetSuper, &[start, key, value, this, strict])?;
        return Ok(());
    }
    let key = vm.to_key_primitive(key)?;
    if !vm.set(start, key, value, this)? && vm.is_strict() {
        return vm.cannot_set(this, key);
    }
    Ok(())
});

slow_op!(SetFunctionName(vm, word) {
    let target = vm.register(a(word));
    if !vm.heap.is_kind(target, Kind::Function) {
        return Ok(());
    }
    let key = vm.to_key_primitive(vm.register(b(word)))?;
    let text = match key {
        Key::Name(name) if vm.heap.is_symbol_name(name) => {
            let description = vm.heap.mem.load_u32(name + 12);
            if description == 0 {
                atoms::EMPTY
            } else if vm.heap.is_private_name(name) {
                description
            } else {
                let open = vm.heap.string8(b"[")?;
                let close = vm.heap.string8(b"]")?;
                let text = vm.heap.concat(open, description)?;
                vm.heap.concat(text, close)?
            }
        }
        key => vm.heap.key_value(key)?.payload(),
    };
    let prefix = match c(word) {
        1 => vm.heap.string8(b"get ")?,
        2 => vm.heap.string8(b"set ")?,
        _ => atoms::EMPTY,
    };
    let name = vm.heap.concat(prefix, text)?;
    let cell = target.payload();
    vm.materialise(cell)?;
    match vm.heap.own(cell, Key::Name(atoms::NAME)) {
        Own::Data { .. } | Own::Absent => vm.heap.put(cell, Key::Name(atoms::NAME), Value::string(name), attribute::CONFIGURABLE),
        _ => Ok(()),
    }
});

slow_op!(SetHomeObject(vm, word) {
    let (target, home) = (vm.register(a(word)), vm.register(b(word)));
    let home = vm.object_cell(home)?;
    if vm.heap.is_kind(target, Kind::Function) {
        vm.heap.mem.store_u32(target.payload() + function::HOME, home);
    }
    Ok(())
});

slow_op!(NewPrivateName(vm, word) {
    let description = vm.key_at(1);
    let symbol = vm.heap.new_symbol(description, flag::PRIVATE)?;
    vm.set_register(a(word), Value::symbol(symbol));
    Ok(())
});

fn private_own(vm: &mut Vm<'_>, object: Value, name: Value) -> Result<(u32, Own)> {
    if !object.is_object() {
        return vm.type_error("Cannot access private member of a value that is no object");
    }
    let cell = vm.object_cell(object)?;
    Ok((cell, vm.heap.own(cell, Key::Name(name.payload()))))
}

fn no_private<T>(vm: &mut Vm<'_>, verb: &str, name: Value) -> Result<T> {
    let text = vm.key_text(Key::Name(name.payload()))?;
    vm.type_error(&format!(
        "Cannot {verb} private member {text} {} an object whose class did not declare it",
        if verb == "read" { "from" } else { "to" }
    ))
}

slow_op!(GetPrivate(vm, word) {
    let (object, name) = (vm.register(b(word)), vm.register(c(word)));
    let (_, own) = private_own(vm, object, name)?;
    let value = match own {
        Own::Data { address, .. } => vm.heap.value(address),
        Own::Accessor { pair, .. } => {
            let getter = vm.heap.value(pair + 8);
            if getter.is_undefined() {
                let text = vm.key_text(Key::Name(name.payload()))?;
                return vm.type_error(&format!("'{text}' was defined without a getter"));
            }
            vm.call(getter, object, &[])?
        }
        _ => return no_private(vm, "read", name),
    };
    vm.set_register(a(word), value);
    Ok(())
});

slow_op!(SetPrivate(vm, word) {
    let (object, name, value) = (vm.register(a(word)), vm.register(b(word)), vm.register(c(word)));
    let (_, own) = private_own(vm, object, name)?;
    match own {
        Own::Data { address, attributes } if attributes & attribute::WRITABLE != 0 => {
            vm.heap.set_value(address, value);
            Ok(())
        }
        Own::Data { .. } => vm.type_error("Private method is not writable"),
        Own::Accessor { pair, .. } => {
            let setter = vm.heap.value(pair + 16);
            if setter.is_undefined() {
                let text = vm.key_text(Key::Name(name.payload()))?;
                return vm.type_error(&format!("'{text}' was defined without a setter"));
            }
            vm.entry = Entry::Discard;
            vm.call(setter, object, &[value])?;
            Ok(())
        }
        _ => no_private(vm, "write", name),
    }
});

slow_op!(DefinePrivate(vm, word) {
    let (object, name, value) = (vm.register(a(word)), vm.register(b(word)), vm.register(c(word)));
    let (cell, own) = private_own(vm, object, name)?;
    if own != Own::Absent {
        return vm.type_error("Cannot initialize a private field twice on the same object");
    }
    vm.heap.add(cell, Key::Name(name.payload()), value, attribute::WRITABLE)
});

slow_op!(DefinePrivateMethod(vm, word) {
    let (object, name, method) = (vm.register(a(word)), vm.register(b(word)), vm.register(c(word)));
    let kind = vm.extension(1);
    let (cell, own) = private_own(vm, object, name)?;
    let key = Key::Name(name.payload());
    match (kind, own) {
        (0, Own::Absent) => vm.heap.add(cell, key, method, 0),
        (_, Own::Absent) => {
            let (getter, setter) = if kind == 1 { (method, Value::UNDEFINED) } else { (Value::UNDEFINED, method) };
            let pair = vm.heap.accessor(getter, setter)?;
            vm.heap.add(cell, key, Value::object(pair), attribute::ACCESSOR)
        }
        (1 | 2, Own::Accessor { pair, .. }) if vm.heap.value(pair + if kind == 1 { 8 } else { 16 }).is_undefined() => {
            vm.heap.set_value(pair + if kind == 1 { 8 } else { 16 }, method);
            Ok(())
        }
        _ => vm.type_error("Cannot initialize private methods of a class twice on the same object"),
    }
});

slow_op!(HasPrivate(vm, word) {
    let (name, object) = (vm.register(b(word)), vm.register(c(word)));
    if !object.is_object() {
        let (name, shown) = (vm.brief(name)?, vm.brief(object)?);
        return vm.type_error(&format!("Cannot use 'in' operator to search for '{name}' in {shown}"));
    }
    let (_, own) = private_own(vm, object, name)?;
    vm.set_register(a(word), Value::boolean(own != Own::Absent));
    Ok(())
});

slow_op!(CopyProperties(vm, word) {
    let (target, source) = (vm.register(a(word)), vm.register(b(word)));
    if source.is_nullish() {
        return Ok(());
    }
    let excluded: Vec<Value> = (1..=c(word)).map(|i| vm.register(a(word).wrapping_add(i))).collect();
    let from = vm.to_object(source)?;
    let from = vm.object_cell(from)?;
    let target_cell = vm.object_cell(target)?;
    vm.materialise(from)?;
    let plain = !matches!(vm.heap.kind(from), Kind::Proxy | Kind::TypedArray | Kind::Namespace | Kind::HostObject);
    let names = if plain { vm.heap.name_keys(from) } else { Vec::new() };
    let accessors = names.iter().any(|&(_, attributes)| attributes & attribute::ACCESSOR != 0 && attributes & attribute::ENUMERABLE != 0);
    let elements = vm.heap.elements(from);
    if !plain || accessors || elements != 0 && vm.heap.is(elements, Kind::Sparse) {
        let list = vm.array_of(&excluded)?;
        vm.entry = Entry::Discard;
        let from = vm.object_value(from);
        vm.help(Helper::CopyProperties, &[target, from, Value::object(list)])?;
        return Ok(());
    }
    let mut skip = Vec::with_capacity(excluded.len());
    for value in excluded {
        skip.push(vm.to_key_primitive(value)?);
    }
    let indices = vm.heap.index_keys(from)?;
    vm.charge((indices.len() + names.len()) as u64 / 4)?;
    for key in indices.into_iter().map(Key::Index).chain(names.into_iter().filter(|&(_, attributes)| attributes & attribute::ENUMERABLE != 0).map(|(name, _)| Key::Name(name))) {
        if skip.contains(&key) {
            continue;
        }
        let value = match vm.heap.own(from, key) {
            Own::Data { address, .. } => vm.heap.value(address),
            Own::Virtual { value, .. } => value,
            _ => continue,
        };
        vm.define_plain(target_cell, key, value)?;
    }
    Ok(())
});

op!(ToPropertyKey(vm, regs, region, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_int() || x.is_string() || x.is_symbol() {
        regs.set(a(word), x.0);
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        let x = vm.register(b(word));
        let key = if x.is_object() {
            let base = vm.register(c(word));
            if c(word) != 0 && base.is_nullish() {
                return vm.nullish_base(base, "get", None);
            }
            vm.help(Helper::ToPropertyKey, &[x])?
        } else {
            Value::string(vm.to_string_primitive(x)?)
        };
        vm.set_register(a(word), key);
        Ok(())
    })
});

op!(ToString(vm, regs, region, pc, state, word) {
    let x = Value(regs.get(b(word)));
    if x.is_string() {
        regs.set(a(word), x.0);
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        let x = vm.register(b(word));
        let text = if x.is_object() { vm.help(Helper::ToString, &[x])? } else { Value::string(vm.to_string_primitive(x)?) };
        vm.set_register(a(word), text);
        Ok(())
    })
});

slow_op!(ToObject(vm, word) {
    let object = vm.to_object(vm.register(b(word)))?;
    vm.set_register(a(word), object);
    Ok(())
});

op!(RequireObjectCoercible(vm, regs, region, pc, state, word) {
    if !Value(regs.get(a(word))).is_nullish() {
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        vm.cannot_destructure(vm.register(a(word)))
    })
});

op!(RequireObject(vm, regs, region, pc, state, word) {
    if Value(regs.get(a(word))).is_object() {
        return step(vm, regs, region, state, 4);
    }
    slow(vm, regs, region, state, word, |vm, word| {
        let value = vm.register(a(word));
        let text = if value.is_symbol() { "Symbol()".to_owned() } else {
            let text = vm.to_string_primitive(value)?;
            vm.heap.text(text)?
        };
        vm.type_error(&if b(word) == 0 { format!("Iterator result {text} is not an object") } else { format!("{text} is not an object") })
    })
});

slow_op!(ImportCall(vm, word) {
    let (specifier, options) = (vm.register(b(word)), vm.register(c(word)));
    let referrer = vm.running_file();
    let result = vm.help(Helper::ImportCall, &[specifier, options, referrer])?;
    vm.set_register(a(word), result);
    Ok(())
});

slow_op!(ImportMeta(vm, word) {
    let value = vm.import_meta()?;
    vm.set_register(a(word), value);
    Ok(())
});

slow_op!(ImportBox(vm, word) {
    let cell = vm.module_box(word >> 16, false)?;
    vm.set_register(a(word), cell);
    Ok(())
});

slow_op!(ExportBox(vm, word) {
    let cell = vm.module_box(word >> 16, true)?;
    vm.set_register(a(word), cell);
    Ok(())
});

slow_op!(ImportNamespace(vm, word) {
    let value = vm.module_namespace(word >> 16)?;
    vm.set_register(a(word), value);
    Ok(())
});

impl<'a> Vm<'a> {
    /// An empty plain object.
    pub(crate) fn new_object(&mut self) -> Result<u32> {
        let shape = self.realm_cell(Realm::OBJECT_SHAPE_4);
        self.heap.object(Kind::Object, shape)
    }

    /// A closure of function `index` of the running unit. `parent`: prototype of the function object (classes).
    pub(crate) fn closure(&mut self, index: u32, parent: Option<u32>) -> Result<u32> {
        let running = self.code();
        let unit_cell = self.heap.mem.load_u32(running + code::UNIT);
        let functions = self.heap.mem.load_u32(unit_cell + unit::FUNCTIONS);
        if index >= self.heap.high(functions) {
            return Err(crate::heap::Signal::Stop(crate::heap::Pause::Internal));
        }
        let cell = self.heap.value(functions + 8 + index * 8).payload();
        let function = self.function_object(cell, parent)?;
        let (captures, count) = self.captures_of(cell)?;
        let own = self.register(frame::CALLEE).payload();
        for i in 0..count {
            let entry = self.heap.mem.load_u32(captures + 8 + i * 4);
            let value = if entry & 0x1_0000 == 0 {
                self.register(entry as u8)
            } else {
                self.heap.value(own + function::CAPTURES + (entry & 0xffff) * 8)
            };
            self.heap.set_value(function + function::CAPTURES + i * 8, value);
        }
        Ok(function)
    }

    /// Where a code cell's captures are listed, and how many there are.
    fn captures_of(&self, cell: u32) -> Result<(u32, u32)> {
        let captures = self.heap.mem.load_u32(cell + code::CAPTURES);
        let count = self.heap.high(captures) / 4;
        // Instructions name them by sixteen bits; more only a corrupted heap has.
        if count > 1 << 16 { Err(crate::heap::Signal::Stop(crate::heap::Pause::Internal)) } else { Ok((captures, count)) }
    }

    /// A function object of a code cell; its captures are undefined.
    pub(crate) fn function_object(&mut self, cell: u32, parent: Option<u32>) -> Result<u32> {
        let flags = self.heap.high(cell);
        let shape = match parent {
            Some(parent) => self.heap.root_shape(parent, Kind::Function, 0)?,
            None => match (flags & function_flag::GENERATOR != 0, flags & function_flag::ASYNC != 0) {
                (false, false) => self.realm_cell(Realm::FUNCTION_SHAPE),
                (generator, asynchronous) => {
                    let proto = match (generator, asynchronous) {
                        (true, true) => Realm::ASYNC_GENERATOR_FUNCTION_PROTOTYPE,
                        (true, false) => Realm::GENERATOR_FUNCTION_PROTOTYPE,
                        _ => Realm::ASYNC_FUNCTION_PROTOTYPE,
                    };
                    let proto = self.realm_cell(proto);
                    self.heap.root_shape(proto, Kind::Function, 0)?
                }
            },
        };
        let (_, count) = self.captures_of(cell)?;
        let function = self.heap.allocate(Kind::Function, function::CAPTURES + count * 8, shape)?;
        self.heap.mem.store_u64(function + 8, 0);
        self.heap.mem.store_u32(function + function::CODE, cell);
        self.heap.mem.store_u32(function + function::HOME, 0);
        self.heap.mem.store_u64(function + function::FIELDS, 0);
        self.heap.mem.fill(function + function::CAPTURES, (count + 1) & !1, Value::UNDEFINED.0);
        let constructor = flags
            & (function_flag::ARROW
                | function_flag::METHOD
                | function_flag::GENERATOR
                | function_flag::ASYNC
                | function_flag::FIELD_INITIALISER)
            == 0;
        self.heap.set_flags(function, flag::LAZY | flag::CALLABLE | if constructor { flag::CONSTRUCTOR } else { 0 });
        Ok(function)
    }

    /// Makes constructor and prototype of a class into registers a and a+1.
    pub(crate) fn make_class(&mut self, word: u32, index: u32, parent: u32, proto_parent: Value) -> Result<()> {
        let proto_parent = if proto_parent == Value::NULL {
            0
        } else if proto_parent.is_object() {
            self.object_cell(proto_parent)?
        } else {
            return self.type_error("Class extends value does not have valid prototype property");
        };
        let class = self.closure(index, Some(parent))?;
        let shape = self.heap.root_shape(proto_parent, Kind::Object, 4)?;
        let prototype = self.heap.object(Kind::Object, shape)?;
        self.heap.add(prototype, Key::Name(atoms::CONSTRUCTOR), Value::object(class), attribute::HIDDEN)?;
        self.materialise(class)?;
        if self.heap.high(self.code_of(Value::object(class))) & function_flag::NAME_LATER != 0 {
            // `prototype` is always slot 2.
            self.heap.add(class, Key::Name(atoms::LAST_NAME), Value::UNDEFINED, attribute::CONFIGURABLE)?;
            self.heap.remove(class, Key::Name(atoms::LAST_NAME))?;
        }
        self.heap.add(class, Key::Name(atoms::PROTOTYPE), Value::object(prototype), 0)?;
        self.heap.mem.store_u32(class + function::HOME, prototype);
        self.set_register(a(word), Value::object(class));
        self.set_register(a(word).wrapping_add(1), Value::object(prototype));
        Ok(())
    }

    /// A class whose parent's `prototype` is an accessor: reads it first, then the instruction runs again with the pair.
    fn class_by_helper(&mut self, _word: u32, _heritage: Value) -> Result<()> {
        self.fail(Fault::Type, "Class extends value whose prototype is an accessor is not supported")
    }

    /// `arguments` in register a and, unless b is 0, the array of the arguments from number c on in register b. Both at once:
    /// either would overwrite arguments that the other still needs.
    fn arguments_and_rest(&mut self, word: u32, mapped: bool) -> Result<()> {
        let object = self.arguments_object(mapped)?;
        if b(word) != 0 {
            let count = self.heap.mem.load_u32(self.fp + 8);
            let list = self.arguments_array(self.fp, count, u32::from(c(word)))?;
            self.set_register(b(word), list);
        }
        self.set_register(a(word), object);
        Ok(())
    }

    /// `arguments`.
    fn arguments_object(&mut self, mapped: bool) -> Result<Value> {
        let count = self.heap.mem.load_u32(self.fp + 8);
        let proto = self.realm_cell(Realm::OBJECT_PROTOTYPE);
        let shape = self.heap.root_shape(proto, Kind::Arguments, 3)?;
        let elements = self.heap.values(Kind::Elements, count.max(1), Value::HOLE)?;
        let object = self.heap.object(Kind::Arguments, shape)?;
        self.heap.mem.store_u32(object + 12, elements);
        for i in 0..count {
            let value = self.heap.value(self.fp + (5 + i) * 8);
            self.heap.set_value(elements + 8 + i * 8, value);
        }
        self.heap.add(object, Key::Name(atoms::LENGTH), Value::unsigned(count), attribute::HIDDEN)?;
        let values = self.array_values_function();
        self.heap.add(object, Key::Name(atoms::SYM_ITERATOR), values, attribute::HIDDEN)?;
        if mapped {
            let callee = self.register(frame::CALLEE);
            self.heap.add(object, Key::Name(atoms::CALLEE), callee, attribute::HIDDEN)?;
            self.heap.set_flags(object, flag::EXOTIC);
        } else {
            let thrower = self.realm(Realm::THROW_TYPE_ERROR);
            let pair = self.heap.accessor(thrower, thrower)?;
            self.heap.add(object, Key::Name(atoms::CALLEE), Value::object(pair), attribute::ACCESSOR)?;
        }
        Ok(Value::object(object))
    }

    /// Freezes an ordinary object.
    pub(crate) fn freeze(&mut self, object: u32) -> Result<()> {
        self.set_integrity(object, true)
    }

    /// Makes all own properties unconfigurable, and unwritable too if `frozen`.
    pub(crate) fn set_integrity(&mut self, object: u32, frozen: bool) -> Result<()> {
        self.materialise(object)?;
        let keys: Vec<Key> = self
            .heap
            .index_keys(object)?
            .into_iter()
            .map(Key::Index)
            .chain(self.heap.name_keys(object).into_iter().map(|(n, _)| Key::Name(n)))
            .collect();
        for key in keys {
            match self.heap.own(object, key) {
                Own::Data { address, attributes } => {
                    let mut new = attributes & !attribute::CONFIGURABLE;
                    if frozen {
                        new &= !attribute::WRITABLE;
                    }
                    let value = self.heap.value(address);
                    self.heap.put(object, key, value, new)?;
                }
                Own::Accessor { pair, attributes } => {
                    let new = attributes & !attribute::CONFIGURABLE;
                    self.heap.put(object, key, Value::object(pair), new)?;
                }
                _ => {}
            }
        }
        let fixed = if frozen && self.heap.is(object, Kind::Array) { flag::LENGTH_FIXED } else { 0 };
        self.heap.set_flags(object, flag::NOT_EXTENSIBLE | fixed);
        Ok(())
    }
}
