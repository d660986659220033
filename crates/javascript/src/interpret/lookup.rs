//! Properties of objects as the language defines them: looked up along prototypes, read, written, created, deleted.

use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms, flag};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Vm};

impl<'a> Vm<'a> {
    /// A key for messages.
    pub(crate) fn key_text(&mut self, key: Key) -> Result<String> {
        match key {
            Key::Index(i) => Ok(i.to_string()),
            Key::Name(name) if self.heap.is_symbol_name(name) => {
                let description = self.heap.mem.load_u32(name + 12);
                let text = if description == 0 { String::new() } else { self.heap.text(description)? };
                Ok(if self.heap.is_private_name(name) { text } else { format!("Symbol({text})") })
            }
            Key::Name(name) => self.heap.text(name),
        }
    }

    /// Throws for a property of null or undefined.
    #[cold]
    pub(crate) fn nullish_base<T>(&mut self, base: Value, verb: &str, key: Option<Value>) -> Result<T> {
        let what = if base.is_undefined() { "undefined" } else { "null" };
        let key = match key {
            Some(key) if key == Value::symbol(atoms::SYM_ITERATOR) && verb == "get" => {
                return self.no_iterator(base, None, false);
            }
            Some(key) if !key.is_object() => {
                let key = self.to_key_primitive(key)?;
                Some(self.key_text(key)?)
            }
            _ => None,
        };
        let (verbs, doing) = match verb {
            "set" => ("set", "setting"),
            "delete" => ("convert", "deleting"),
            _ => ("read", "reading"),
        };
        match key {
            Some(key) => self.type_error(&format!("Cannot {verbs} properties of {what} ({doing} '{key}')")),
            None => self.type_error(&format!("Cannot {verbs} properties of {what}")),
        }
    }

    /// The cell of an object value; natives become objects.
    pub(crate) fn object_cell(&mut self, object: Value) -> Result<u32> {
        if object.is_object_cell() {
            return Ok(object.payload());
        }
        if object.is_native() {
            return self.native_object(object.payload());
        }
        self.type_error("not an object")
    }

    /// An object cell as a value (natives get their number back).
    pub(crate) fn object_value(&self, cell: u32) -> Value {
        if self.heap.is(cell, Kind::NativeFunction) && self.heap.mem.load_u32(cell + 20) == 1 {
            return Value::native(self.heap.mem.load_u32(cell + 16));
        }
        Value::object(cell)
    }

    /// Where a lookup on a value starts; `None` for null and undefined.
    pub(crate) fn lookup_start(&mut self, base: Value) -> Result<Option<u32>> {
        if base.is_object() { self.object_cell(base).map(Some) } else { Ok(self.primitive_prototype(base)) }
    }

    /// Finds a property along the prototype chain: the holder and what it holds there.
    pub(crate) fn find(&mut self, start: u32, key: Key) -> Result<Option<(u32, Own)>> {
        let mut object = start;
        let mut steps = 0u32;
        loop {
            if self.heap.flags(object) & flag::LAZY != 0
                && matches!(key, Key::Name(atoms::NAME | atoms::LENGTH | atoms::PROTOTYPE | atoms::STACK))
                && self.heap.is(object, Kind::Error) == (key == Key::Name(atoms::STACK))
            {
                self.materialise(object)?;
            }
            match self.heap.own(object, key) {
                Own::Absent => {}
                found => return Ok(Some((object, found))),
            }
            object = self.heap.proto(object);
            if object == 0 {
                return Ok(None);
            }
            self.pay_debt()?;
            // Short chains cost what a cache hit costs.
            steps += 1;
            if steps > 64 {
                self.heap.debt += 1;
                if steps > 1 << 24 {
                    return Err(crate::heap::Signal::Stop(crate::heap::Pause::Internal));
                }
            }
        }
    }

    /// [[Get]]. A getter or proxy in script pushes a frame.
    pub(crate) fn get(&mut self, base: Value, key: Key) -> Result<Value> {
        if base.is_string() {
            match key {
                Key::Index(index) => {
                    if index < self.heap.string_length(base.payload()) {
                        return self.heap.substring(base.payload(), index, index + 1).map(Value::string);
                    }
                }
                Key::Name(atoms::LENGTH) => return Ok(Value::unsigned(self.heap.string_length(base.payload()))),
                Key::Name(_) => {}
            }
        }
        let Some(start) = self.lookup_start(base)? else {
            let key = self.heap.key_value(key)?;
            return self.nullish_base(base, "get", Some(key));
        };
        self.get_from(start, key, base)
    }

    /// [[Get]] from an object with a receiver.
    pub(crate) fn get_from(&mut self, start: u32, key: Key, receiver: Value) -> Result<Value> {
        match self.find(start, key)? {
            None => Ok(Value::UNDEFINED),
            Some((holder, own)) => self.read(holder, own, key, receiver),
        }
    }

    /// The value of a found property.
    pub(crate) fn read(&mut self, holder: u32, own: Own, key: Key, receiver: Value) -> Result<Value> {
        match own {
            Own::Data { address, .. } => Ok(self.heap.value(address)),
            Own::Virtual { value, .. } => Ok(value),
            Own::Accessor { pair, .. } => {
                let getter = self.heap.value(pair + 8);
                if getter.is_undefined() { Ok(Value::UNDEFINED) } else { self.call(getter, receiver, &[]) }
            }
            Own::Exotic => self.exotic_get(holder, key, receiver),
            Own::Absent => Ok(Value::UNDEFINED),
        }
    }

    pub(super) fn exotic_get(&mut self, holder: u32, key: Key, receiver: Value) -> Result<Value> {
        match self.heap.kind(holder) {
            Kind::TypedArray => Ok(match key {
                Key::Index(index) => self.typed_element(holder, index)?.unwrap_or(Value::UNDEFINED),
                Key::Name(_) => Value::UNDEFINED,
            }),
            _ => {
                let key = self.heap.key_value(key)?;
                self.help(Helper::ProxyGet, &[Value::object(holder), key, receiver])
            }
        }
    }

    /// `base[key]`.
    pub(crate) fn get_element(&mut self, base: Value, key: Value) -> Result<Value> {
        if base.is_nullish() {
            return self.nullish_base(base, "get", Some(key));
        }
        if key.is_object() {
            return self.help(Helper::GetElement, &[base, key]);
        }
        let key = self.to_key_primitive(key)?;
        self.get(base, key)
    }

    /// Assignment of the running code: [[Set]], and a TypeError in strict code when it fails.
    pub(crate) fn assign(&mut self, base: Value, key: Key, value: Value) -> Result<()> {
        if base.is_nullish() {
            let key = self.heap.key_value(key)?;
            return self.nullish_base(base, "set", Some(key));
        }
        let strict = self.is_strict();
        if !self.set(base, key, value, base)? && strict {
            return self.cannot_set(base, key);
        }
        Ok(())
    }

    /// [[Set]]: false if it was refused.
    pub(crate) fn set(&mut self, target: Value, key: Key, value: Value, receiver: Value) -> Result<bool> {
        if target.is_string() && matches!(key, Key::Name(atoms::LENGTH)) {
            return Ok(false);
        }
        let Some(start) = self.lookup_start(target)? else { return Ok(false) };
        let receiver_cell = if receiver.is_object() { self.object_cell(receiver)? } else { 0 };
        let found = self.find(start, key)?;
        match found {
            Some((holder, Own::Data { address, attributes })) => {
                if attributes & attribute::WRITABLE == 0 {
                    return Ok(false);
                }
                if holder == receiver_cell {
                    let address = self.heap.writable_address(holder, address)?;
                    self.heap.set_value(address, value);
                    return Ok(true);
                }
            }
            Some((holder, Own::Virtual { attributes, .. })) => {
                if attributes & attribute::WRITABLE == 0 {
                    return Ok(false);
                }
                if holder == receiver_cell {
                    return self.set_array_length(holder, value);
                }
            }
            Some((_, Own::Accessor { pair, .. })) => {
                let setter = self.heap.value(pair + 16);
                if setter.is_undefined() {
                    return Ok(false);
                }
                self.call(setter, receiver, &[value])?;
                return Ok(true);
            }
            Some((holder, Own::Exotic)) => return self.exotic_set(holder, key, value, receiver),
            Some((_, Own::Absent)) | None => {}
        }
        if receiver_cell == 0 {
            return Ok(false);
        }
        if receiver_cell != start || self.heap.is(receiver_cell, Kind::Proxy) {
            // Reflect.set, super.x = y, or a holder up the chain: the receiver's own property counts.
            match self.heap.own(receiver_cell, key) {
                Own::Absent => {}
                Own::Data { address, attributes } => {
                    if attributes & attribute::WRITABLE == 0 {
                        return Ok(false);
                    }
                    let address = self.heap.writable_address(receiver_cell, address)?;
                    self.heap.set_value(address, value);
                    return Ok(true);
                }
                Own::Virtual { attributes, .. } => {
                    if attributes & attribute::WRITABLE == 0 {
                        return Ok(false);
                    }
                    return self.set_array_length(receiver_cell, value);
                }
                Own::Accessor { .. } => return Ok(false),
                Own::Exotic => {
                    let key = self.heap.key_value(key)?;
                    self.help(Helper::DefineOnReceiver, &[receiver, key, value])?;
                    return Ok(true);
                }
            }
        }
        self.create(receiver_cell, key, value)
    }

    /// Adds a plain property to an ordinary object that has none of that key; false if it may not grow.
    pub(crate) fn create(&mut self, object: u32, key: Key, value: Value) -> Result<bool> {
        let flags = self.heap.flags(object);
        if flags & flag::NOT_EXTENSIBLE != 0 {
            return Ok(false);
        }
        if flags & flag::LAZY != 0 && !self.heap.is(object, Kind::Error) {
            self.materialise(object)?;
        }
        if flags & flag::LENGTH_FIXED != 0
            && let Key::Index(index) = key
            && self.heap.is(object, Kind::Array)
            && index >= self.heap.array_length(object)
        {
            return Ok(false);
        }
        self.heap.add(object, key, value, attribute::PLAIN)?;
        Ok(true)
    }

    pub(super) fn exotic_set(&mut self, holder: u32, key: Key, value: Value, receiver: Value) -> Result<bool> {
        match self.heap.kind(holder) {
            Kind::TypedArray => {
                if receiver == Value::object(holder) {
                    if value.is_object() {
                        let key = self.heap.key_value(key)?;
                        self.help(Helper::TypedSet, &[receiver, key, value])?;
                        return Ok(true);
                    }
                    let value = if self.typed_is_big(holder) {
                        self.to_bigint_primitive(value)?
                    } else {
                        Value::number(self.to_number_primitive(value)?)
                    };
                    if let Key::Index(index) = key {
                        self.typed_set(holder, index, value);
                    }
                    return Ok(true);
                }
                match key {
                    Key::Index(index) if self.typed_has(holder, index) => {
                        let key = self.heap.key_value(key)?;
                        self.help(Helper::DefineOnReceiver, &[receiver, key, value])?;
                        Ok(true)
                    }
                    _ => Ok(true),
                }
            }
            Kind::Namespace => Ok(false),
            _ => {
                let key = self.heap.key_value(key)?;
                let strict = Value::boolean(self.is_strict());
                self.help(Helper::ProxySet, &[Value::object(holder), key, value, receiver, strict])?;
                Ok(true)
            }
        }
    }

    /// `array.length = value` with a primitive value.
    pub(super) fn set_array_length(&mut self, array: u32, value: Value) -> Result<bool> {
        if value.is_object() {
            let receiver = Value::object(array);
            self.help(Helper::SetArrayLength, &[receiver, value])?;
            return Ok(true);
        }
        let number = self.to_number_primitive(value)?;
        let length = number as u32;
        if f64::from(length) != number {
            return self.range_error("Invalid array length");
        }
        let old = self.heap.array_length(array);
        self.charge(u64::from(old.saturating_sub(length).min(self.heap.high(self.heap.elements(array)))) / 32)?;
        self.heap.set_length(array, length)
    }

    /// CreateDataProperty on an ordinary object, which throws when refused.
    pub(crate) fn define_plain(&mut self, object: u32, key: Key, value: Value) -> Result<()> {
        let is_error = self.heap.is(object, Kind::Error);
        if self.heap.flags(object) & flag::LAZY != 0 && (!is_error || key == Key::Name(atoms::STACK)) {
            self.materialise(object)?;
        }
        match self.heap.own(object, key) {
            Own::Absent => {
                if !self.create(object, key, value)? {
                    return self.type_error("Cannot define property, object is not extensible");
                }
                Ok(())
            }
            Own::Data { attributes: attribute::PLAIN, address } => {
                let address = self.heap.writable_address(object, address)?;
                self.heap.set_value(address, value);
                Ok(())
            }
            Own::Data { attributes, .. } | Own::Accessor { attributes, .. } if attributes & attribute::CONFIGURABLE != 0 => {
                self.heap.put(object, key, value, attribute::PLAIN)
            }
            Own::Exotic => {
                // A field of a class whose constructor returned a proxy.
                let key = self.heap.key_value(key)?;
                self.entry = Entry::Discard;
                self.help(Helper::CreateDataProperty, &[Value::object(object), key, value])?;
                Ok(())
            }
            _ => {
                let text = self.key_text(key)?;
                self.type_error(&format!("Cannot redefine property: {text}"))
            }
        }
    }

    /// [[Delete]] of anything but a proxy.
    pub(crate) fn delete_own(&mut self, object: u32, key: Key) -> Result<bool> {
        if self.heap.flags(object) & flag::LAZY != 0 {
            self.materialise(object)?;
        }
        match self.heap.own(object, key) {
            Own::Absent => Ok(true),
            Own::Data { attributes, .. } | Own::Accessor { attributes, .. } | Own::Virtual { attributes, .. } => {
                if attributes & attribute::CONFIGURABLE == 0 {
                    return Ok(false);
                }
                self.heap.remove(object, key)?;
                Ok(true)
            }
            Own::Exotic => Ok(match (self.heap.kind(object), key) {
                (Kind::TypedArray, Key::Index(index)) => !self.typed_has(object, index),
                (Kind::TypedArray, _) => true,
                _ => false,
            }),
        }
    }

    /// [[HasProperty]]; a proxy on the way pushes a frame.
    pub(crate) fn has_property(&mut self, object: Value, key: Key) -> Result<Value> {
        let start = self.object_cell(object)?;
        match self.find(start, key)? {
            None | Some((_, Own::Absent)) => Ok(Value::FALSE),
            Some((holder, Own::Exotic)) => match (self.heap.kind(holder), key) {
                (Kind::TypedArray, Key::Index(index)) => Ok(Value::boolean(self.typed_has(holder, index))),
                (Kind::TypedArray, _) => Ok(Value::FALSE),
                _ => {
                    let key = self.heap.key_value(key)?;
                    self.help(Helper::ProxyHas, &[Value::object(holder), key])
                }
            },
            Some(_) => Ok(Value::TRUE),
        }
    }

    /// Gives a function or an error its lazy properties.
    pub(crate) fn materialise(&mut self, object: u32) -> Result<()> {
        if self.heap.flags(object) & flag::LAZY == 0 {
            return Ok(());
        }
        if self.heap.is(object, Kind::Error) {
            return self.materialise_stack(object);
        }
        let (length, name, code) = if self.heap.is(object, Kind::Function) {
            let code = self.heap.mem.load_u32(object + crate::vm::function::CODE);
            let name = self.heap.mem.load_u32(code + crate::vm::code::NAME);
            (u32::from(self.heap.mem.load_u16(code + crate::vm::code::LENGTH)), name, code)
        } else {
            let n = self.heap.mem.load_u32(object + 16);
            let (name, length) = self.native_name(n)?;
            (length, name, 0)
        };
        let prototype = if code == 0 { Value::HOLE } else { self.lazy_prototype(object, code)? };
        // All that can fail for want of room comes before the flag goes.
        let shape = self.heap.shape(object);
        let later = code != 0 && self.heap.high(code) & crate::bytecode::function_flag::NAME_LATER != 0;
        self.heap.clear_flags(object, flag::LAZY);
        let result = (|| {
            self.heap.add(object, Key::Name(atoms::LENGTH), Value::unsigned(length), attribute::CONFIGURABLE)?;
            if !later {
                self.heap.add(object, Key::Name(atoms::NAME), Value::string(name), attribute::CONFIGURABLE)?;
            }
            if !prototype.is_hole() {
                if later {
                    // `prototype` is always slot 2.
                    self.heap.add(object, Key::Name(atoms::LAST_NAME), Value::UNDEFINED, attribute::CONFIGURABLE)?;
                    self.heap.remove(object, Key::Name(atoms::LAST_NAME))?;
                }
                let class = self.heap.high(code) & crate::bytecode::function_flag::CLASS != 0;
                self.heap.add(object, Key::Name(atoms::PROTOTYPE), prototype, if class { 0 } else { attribute::WRITABLE })?;
            }
            Ok(())
        })();
        if result.is_err() {
            self.heap.set_shape(object, shape);
            self.heap.set_flags(object, flag::LAZY);
        }
        result
    }
}
