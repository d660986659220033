//! Leaves of Object and Reflect: the essential methods of objects that are no proxies.

use super::{Arguments, Native};
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms, flag};
use crate::value::Value;
use crate::vm::{Realm, Vm};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("toObject", |vm, a| {
        let value = a.get(vm, 0);
        vm.to_object(value)
    }),
    leaf("ordinaryGetPrototypeOf", |vm, a| {
        let object = vm.object_cell(a.get(vm, 0))?;
        let proto = vm.heap.proto(object);
        Ok(if proto == 0 { Value::NULL } else { vm.object_value(proto) })
    }),
    leaf("ordinarySetPrototypeOf", set_prototype),
    leaf("ordinaryIsExtensible", |vm, a| {
        let object = vm.object_cell(a.get(vm, 0))?;
        Ok(Value::boolean(vm.heap.flags(object) & flag::NOT_EXTENSIBLE == 0))
    }),
    leaf("ordinaryPreventExtensions", |vm, a| {
        let object = vm.object_cell(a.get(vm, 0))?;
        vm.materialise(object)?;
        vm.heap.set_flags(object, flag::NOT_EXTENSIBLE);
        Ok(Value::TRUE)
    }),
    leaf("ordinaryGetOwnProperty", get_own_property),
    leaf("ordinaryDefineOwnProperty", define_own_property),
    leaf("ordinaryOwnKeys", own_keys),
    leaf("ordinaryHasOwn", |vm, a| {
        let object = vm.object_cell(a.get(vm, 0))?;
        let key = vm.to_key_primitive(a.get(vm, 1))?;
        vm.materialise(object)?;
        Ok(Value::boolean(own(vm, object, key)? != Own::Absent))
    }),
    leaf("isPlain", |vm, a| {
        // An object without proxies, accessors or exotic parts: what fast loops may walk.
        let value = a.get(vm, 0);
        Ok(Value::boolean(
            value.is_object_cell() && matches!(vm.heap.kind(value.payload()), Kind::Object | Kind::Array | Kind::Function | Kind::Error),
        ))
    }),
    leaf("enumerableOwn", enumerable_own),
    leaf("integrity", |vm, a| {
        let object = vm.object_cell(a.get(vm, 0))?;
        vm.set_integrity(object, a.get(vm, 1) == Value::TRUE)?;
        Ok(a.get(vm, 0))
    }),
    leaf("classOf", |vm, a| {
        // The builtin tag of Object.prototype.toString.
        let value = a.get(vm, 0);
        let tag = if !value.is_object_cell() {
            "Function"
        } else {
            match vm.heap.kind(value.payload()) {
                Kind::Array => "Array",
                Kind::Error => "Error",
                Kind::Arguments => "Arguments",
                Kind::Date => "Date",
                Kind::Pattern => "RegExp",
                Kind::Wrapper => {
                    let inner = vm.heap.value(value.payload() + 16);
                    if inner.is_string() {
                        "String"
                    } else if inner.is_number() {
                        "Number"
                    } else if inner.is_boolean() {
                        "Boolean"
                    } else {
                        "Object"
                    }
                }
                _ if vm.is_callable(value) => "Function",
                _ => "Object",
            }
        };
        vm.heap.string(tag).map(Value::string)
    }),
    leaf("newProxy", |vm, a| {
        let (target, handler) = (a.get(vm, 0), a.get(vm, 1));
        let shape = vm.heap.root_shape(0, Kind::Proxy, 0)?;
        let object = vm.heap.object(Kind::Proxy, shape)?;
        vm.heap.set_value(object + 16, target);
        vm.heap.set_value(object + 24, handler);
        vm.heap.set_value(object + 32, Value::UNDEFINED);
        let callable = if vm.is_callable(target) { flag::CALLABLE } else { 0 };
        let constructor = if vm.is_constructor(target) { flag::CONSTRUCTOR } else { 0 };
        vm.heap.set_flags(object, flag::EXOTIC | callable | constructor);
        Ok(Value::object(object))
    }),
    leaf("newPlain", |vm, _| vm.new_object().map(Value::object)),
    leaf("createFrom", |vm, a| {
        let proto = a.get(vm, 0);
        let proto = if proto == Value::NULL { 0 } else { vm.object_cell(proto)? };
        let shape = vm.heap.root_shape(proto, Kind::Object, 4)?;
        vm.heap.object(Kind::Object, shape).map(Value::object)
    }),
];

/// An own property, with what exotic kinds answer (proxies never come here).
fn own(vm: &mut Vm<'_>, object: u32, key: Key) -> Result<Own> {
    Ok(match vm.heap.own(object, key) {
        Own::Exotic => match key {
            Key::Index(index) if vm.heap.is(object, Kind::TypedArray) => match vm.typed_element(object, index)? {
                Some(value) => Own::Virtual { value, attributes: attribute::PLAIN },
                None => Own::Absent,
            },
            _ => Own::Absent,
        },
        other => other,
    })
}

fn set_prototype(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let object = vm.object_cell(a.get(vm, 0))?;
    let value = a.get(vm, 1);
    let proto = if value == Value::NULL { 0 } else { vm.object_cell(value)? };
    if vm.heap.proto(object) == proto {
        return Ok(Value::TRUE);
    }
    if vm.heap.flags(object) & flag::NOT_EXTENSIBLE != 0 || object == vm.realm_cell(Realm::OBJECT_PROTOTYPE) {
        return Ok(Value::FALSE);
    }
    let mut at = proto;
    let mut steps = 0u64;
    while at != 0 {
        if at == object {
            return Ok(Value::FALSE);
        }
        if vm.heap.is(at, Kind::Proxy) {
            break;
        }
        at = vm.heap.proto(at);
        steps += 1;
        if steps > 1 << 20 {
            return vm.range_error("prototype chain too long");
        }
    }
    vm.heap.debt += steps / 8;
    vm.heap.set_proto(object, proto)?;
    Ok(Value::TRUE)
}

fn get_own_property(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let object = vm.object_cell(a.get(vm, 0))?;
    let key = vm.to_key_primitive(a.get(vm, 1))?;
    vm.materialise(object)?;
    let found = own(vm, object, key)?;
    if found == Own::Absent {
        return Ok(Value::UNDEFINED);
    }
    let descriptor = vm.new_object()?;
    let put = |vm: &mut Vm<'_>, name: u32, value: Value| vm.heap.add(descriptor, Key::Name(name), value, attribute::PLAIN);
    let attributes = match found {
        Own::Data { address, attributes } => {
            let value = vm.heap.value(address);
            put(vm, atoms::VALUE, value)?;
            put(vm, atoms::WRITABLE, Value::boolean(attributes & attribute::WRITABLE != 0))?;
            attributes
        }
        Own::Virtual { value, attributes } => {
            put(vm, atoms::VALUE, value)?;
            put(vm, atoms::WRITABLE, Value::boolean(attributes & attribute::WRITABLE != 0))?;
            attributes
        }
        Own::Accessor { pair, attributes } => {
            let (getter, setter) = (vm.heap.value(pair + 8), vm.heap.value(pair + 16));
            put(vm, atoms::GET, getter)?;
            put(vm, atoms::SET, setter)?;
            attributes
        }
        Own::Absent | Own::Exotic => 0,
    };
    put(vm, atoms::ENUMERABLE, Value::boolean(attributes & attribute::ENUMERABLE != 0))?;
    put(vm, atoms::CONFIGURABLE, Value::boolean(attributes & attribute::CONFIGURABLE != 0))?;
    Ok(Value::object(descriptor))
}

/// (object, key, value, get, set, writable, enumerable, configurable); a hole stands for an absent field. ValidateAndApply.
fn define_own_property(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let object = vm.object_cell(a.get(vm, 0))?;
    let key = vm.to_key_primitive(a.get(vm, 1))?;
    let [value, getter, setter, writable, enumerable, configurable] = std::array::from_fn(|i| a.get(vm, i as u32 + 2));
    vm.materialise(object)?;
    let accessor = !getter.is_hole() || !setter.is_hole();
    let data = !value.is_hole() || !writable.is_hole();
    let flag_of = |given: Value, old: bool| if given.is_hole() { old } else { given == Value::TRUE };
    let pack = |w: bool, e: bool, c: bool| {
        (u8::from(w) * attribute::WRITABLE) | (u8::from(e) * attribute::ENUMERABLE) | (u8::from(c) * attribute::CONFIGURABLE)
    };
    if vm.heap.is(object, Kind::TypedArray) && vm.heap.own(object, key) == Own::Exotic {
        // A name that looks like a number is no element.
        let Key::Index(index) = key else { return Ok(Value::FALSE) };
        if !vm.typed_has(object, index)
            || accessor
            || configurable == Value::FALSE
            || enumerable == Value::FALSE
            || writable == Value::FALSE
        {
            return Ok(Value::FALSE);
        }
        if !value.is_hole() {
            vm.typed_set(object, index, value);
        }
        return Ok(Value::TRUE);
    }
    match own(vm, object, key)? {
        Own::Absent => {
            if vm.heap.flags(object) & flag::NOT_EXTENSIBLE != 0 {
                return Ok(Value::FALSE);
            }
            if let Key::Index(index) = key
                && vm.heap.is(object, Kind::Array)
                && index >= vm.heap.array_length(object)
                && vm.heap.flags(object) & flag::LENGTH_FIXED != 0
            {
                return Ok(Value::FALSE);
            }
            let (e, c) = (enumerable == Value::TRUE, configurable == Value::TRUE);
            if accessor {
                let pick = |v: Value| if v.is_hole() { Value::UNDEFINED } else { v };
                let pair = vm.heap.accessor(pick(getter), pick(setter))?;
                vm.heap.add(object, key, Value::object(pair), pack(false, e, c) | attribute::ACCESSOR)?;
            } else {
                let value = if value.is_hole() { Value::UNDEFINED } else { value };
                vm.heap.add(object, key, value, pack(writable == Value::TRUE, e, c))?;
            }
            Ok(Value::TRUE)
        }
        Own::Virtual { value: old, attributes } => {
            // Array length, or a string's parts.
            if accessor
                || configurable == Value::TRUE
                || !enumerable.is_hole() && (enumerable == Value::TRUE) != (attributes & attribute::ENUMERABLE != 0)
            {
                return Ok(Value::FALSE);
            }
            let can_write = attributes & attribute::WRITABLE != 0;
            if !can_write && writable == Value::TRUE {
                return Ok(Value::FALSE);
            }
            if vm.heap.is(object, Kind::Array) && key == Key::Name(atoms::LENGTH) {
                let mut done = true;
                if !value.is_hole() {
                    let length = value.as_number().unwrap_or(0.0) as u32;
                    if length != vm.heap.array_length(object) {
                        if !can_write {
                            return Ok(Value::FALSE);
                        }
                        done = vm.heap.set_length(object, length)?;
                    }
                }
                if writable == Value::FALSE {
                    vm.heap.set_flags(object, flag::LENGTH_FIXED);
                }
                return Ok(Value::boolean(done));
            }
            Ok(Value::boolean(value.is_hole() || super::core::same_value(vm, value, old)?))
        }
        Own::Data { address, attributes } => {
            let (w, e, c) =
                (attributes & attribute::WRITABLE != 0, attributes & attribute::ENUMERABLE != 0, attributes & attribute::CONFIGURABLE != 0);
            let old = vm.heap.value(address);
            if !c {
                if configurable == Value::TRUE || !enumerable.is_hole() && (enumerable == Value::TRUE) != e || accessor {
                    return Ok(Value::FALSE);
                }
                if !w && (writable == Value::TRUE || !value.is_hole() && !super::core::same_value(vm, value, old)?) {
                    return Ok(Value::FALSE);
                }
            }
            let (new_e, new_c) = (flag_of(enumerable, e), flag_of(configurable, c));
            if accessor {
                let pick = |v: Value| if v.is_hole() { Value::UNDEFINED } else { v };
                let pair = vm.heap.accessor(pick(getter), pick(setter))?;
                unmap(vm, object, key, old)?;
                vm.heap.put(object, key, Value::object(pair), pack(false, new_e, new_c) | attribute::ACCESSOR)?;
            } else {
                let new_w = flag_of(writable, w);
                let value = if value.is_hole() { old } else { value };
                let attributes = pack(new_w, new_e, new_c);
                if let Some(place) = mapped(vm, object, key) {
                    // A mapped parameter takes the value first, and loses its map when it becomes read-only.
                    let parameter = vm.heap.value(place);
                    vm.heap.set_value(address, value);
                    let Own::Data { attributes: old, .. } = vm.heap.own(object, key) else { return Ok(Value::FALSE) };
                    if !new_w {
                        vm.heap.set_value(place, value);
                        vm.heap.put(object, key, value, attributes)?;
                    } else if old != attributes {
                        vm.heap.put(object, key, parameter, attributes)?;
                    }
                    return Ok(Value::TRUE);
                }
                vm.heap.put(object, key, value, attributes)?;
            }
            Ok(Value::TRUE)
        }
        Own::Accessor { pair, attributes } => {
            let (e, c) = (attributes & attribute::ENUMERABLE != 0, attributes & attribute::CONFIGURABLE != 0);
            let (old_getter, old_setter) = (vm.heap.value(pair + 8), vm.heap.value(pair + 16));
            if !c {
                if configurable == Value::TRUE || !enumerable.is_hole() && (enumerable == Value::TRUE) != e || data {
                    return Ok(Value::FALSE);
                }
                if !getter.is_hole() && getter != old_getter || !setter.is_hole() && setter != old_setter {
                    return Ok(Value::FALSE);
                }
            }
            let (new_e, new_c) = (flag_of(enumerable, e), flag_of(configurable, c));
            if data {
                let value = if value.is_hole() { Value::UNDEFINED } else { value };
                vm.heap.put(object, key, value, pack(writable == Value::TRUE, new_e, new_c))?;
            } else {
                let getter = if getter.is_hole() { old_getter } else { getter };
                let setter = if setter.is_hole() { old_setter } else { setter };
                let pair = vm.heap.accessor(getter, setter)?;
                vm.heap.put(object, key, Value::object(pair), pack(false, new_e, new_c) | attribute::ACCESSOR)?;
            }
            Ok(Value::TRUE)
        }
        Own::Exotic => Ok(Value::FALSE),
    }
}

/// Where mapped arguments hold the box of a parameter.
fn mapped(vm: &Vm<'_>, object: u32, key: Key) -> Option<u32> {
    match key {
        Key::Index(index) if vm.heap.is(object, Kind::Arguments) => match vm.heap.own_element(object, index) {
            Own::Data { address, .. } if vm.heap.is_kind_box(vm.heap.value(address)) => Some(address),
            _ => None,
        },
        _ => None,
    }
}

/// Takes a mapped arguments' element off its parameter.
fn unmap(vm: &mut Vm<'_>, object: u32, key: Key, value: Value) -> Result<()> {
    if let Some(place) = mapped(vm, object, key) {
        vm.heap.set_value(place, value);
    }
    Ok(())
}

/// (object, which): own keys as an array; which: 0 all, 1 strings, 2 symbols.
fn own_keys(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let object = vm.object_cell(a.get(vm, 0))?;
    let which = a.get(vm, 1).as_int().unwrap_or(0);
    vm.materialise(object)?;
    let mut keys = Vec::new();
    if which != 2 {
        if vm.heap.is(object, Kind::TypedArray) {
            let count = super::typed::length(vm, object);
            vm.charge(u64::from(count) / 4)?;
            vm.heap.scratch(count as usize * 8)?;
            for index in 0..count {
                keys.push(Value::string(vm.heap.index_string(index)?));
            }
        }
        let indices = vm.heap.index_keys(object)?;
        vm.heap.scratch(indices.len() * 12)?;
        keys.reserve_exact(indices.len());
        for index in indices {
            keys.push(Value::string(vm.heap.index_string(index)?));
        }
    }
    for (name, _) in vm.heap.name_keys(object) {
        let symbol = vm.heap.is_symbol_name(name);
        if which == 0 || (which == 2) == symbol {
            keys.push(if symbol { Value::symbol(name) } else { Value::string(name) });
        }
    }
    vm.charge(keys.len() as u64 / 8)?;
    vm.array_of(&keys).map(Value::object)
}

/// (object, what): Object.keys (0), values (1), entries (2) of a plain object without accessors; undefined if it is not so.
fn enumerable_own(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let object = vm.object_cell(a.get(vm, 0))?;
    let what = a.get(vm, 1).as_int().unwrap_or(0);
    vm.materialise(object)?;
    if matches!(vm.heap.kind(object), Kind::Proxy | Kind::TypedArray | Kind::Namespace | Kind::HostObject) {
        return Ok(Value::UNDEFINED);
    }
    let mut out = Vec::new();
    let indices = vm.heap.index_keys(object)?;
    let names = vm.heap.name_keys(object);
    let count = indices.len() + names.len();
    vm.charge(count as u64 / 4)?;
    vm.heap.scratch(count * 20)?;
    let keys = indices.into_iter().map(Key::Index).chain(names.into_iter().map(|(name, _)| Key::Name(name)));
    out.reserve_exact(count);
    for key in keys {
        if let Key::Name(name) = key
            && vm.heap.is_symbol_name(name)
        {
            continue;
        }
        let value = match vm.heap.own(object, key) {
            Own::Data { address, attributes } if attributes & attribute::ENUMERABLE != 0 => vm.heap.value(address),
            Own::Virtual { value, attributes } if attributes & attribute::ENUMERABLE != 0 => value,
            Own::Accessor { attributes, .. } if attributes & attribute::ENUMERABLE != 0 => {
                if what != 0 {
                    return Ok(Value::UNDEFINED);
                }
                Value::UNDEFINED
            }
            _ => continue,
        };
        out.push(match what {
            0 => vm.heap.key_value(key)?,
            1 => value,
            _ => {
                let key = vm.heap.key_value(key)?;
                Value::object(vm.array_of(&[key, value])?)
            }
        });
    }
    vm.array_of(&out).map(Value::object)
}
