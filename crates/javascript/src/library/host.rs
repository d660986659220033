//! What the engine's other parts ask of the library and the host: natives as objects, eval, typed arrays' elements,
//! modules and host functions.

use crate::bytecode::{VariableKind, eval_flag, frame};
use crate::compile::{Request, compile};
use crate::heap::memory::SHARED;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result, Signal, atoms, flag};
use crate::install::{BOX_ELEMENT, BOX_OUTER};
use crate::syntax::{Budget, Fault as Syntax, Goal, Options};
use crate::tools::with_tools;
use crate::value::Value;
use crate::vm::{Fault, REALM_END, Realm, Vm, function};

/// What a compilation may use: fuel, and bytes on top of what the heap holds.
pub(crate) struct Purse {
    pub(crate) fuel: i64,
    pub(crate) used: i64,
    pub(crate) bytes: u64,
}

impl Budget for Purse {
    fn charge(&mut self, units: u64) -> bool {
        self.used = self.used.saturating_add(i64::try_from(units).unwrap_or(i64::MAX));
        self.used <= self.fuel
    }

    fn hold(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes as u64) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }

    fn affords(&self, units: u64, bytes: usize) -> bool {
        i64::try_from(units).is_ok_and(|units| units <= self.fuel.saturating_sub(self.used)) && bytes as u64 <= self.bytes
    }
}

impl<'a> Vm<'a> {
    /// The function object of native `number`, made when something needs more than a call of it.
    pub(crate) fn native_object(&mut self, number: u32) -> Result<u32> {
        let index = if number >= super::HOSTED { number - super::HOSTED + super::LEAVES } else { number };
        let table = self.realm(Realm::NATIVE_OBJECTS);
        let mut table = if table.is_object_cell() { table.payload() } else { 0 };
        if index >= self.heap.high(table) {
            let new = self.heap.values(Kind::Slots, (index + 64).max(512), Value::UNDEFINED)?;
            self.heap.mem.copy(table + 8, new + 8, self.heap.high(table) * 8);
            self.set_realm(Realm::NATIVE_OBJECTS, Value::object(new));
            table = new;
        }
        let known = self.heap.value(table + 8 + index * 8);
        if known.is_object_cell() {
            return Ok(known.payload());
        }
        let proto = self.realm_cell(Realm::FUNCTION_PROTOTYPE);
        let shape = self.heap.root_shape(proto, Kind::NativeFunction, 0)?;
        let object = self.heap.object(Kind::NativeFunction, shape)?;
        self.heap.mem.store_u32(object + 16, number);
        self.heap.mem.store_u32(object + 20, 1);
        if self.realm(Realm::THROW_TYPE_ERROR) == Value::native(number) {
            // %ThrowTypeError% is frozen.
            self.heap.add(object, Key::Name(atoms::LENGTH), Value::ZERO, 0)?;
            self.heap.add(object, Key::Name(atoms::NAME), Value::string(atoms::EMPTY), 0)?;
            self.heap.set_flags(object, flag::CALLABLE | flag::NOT_EXTENSIBLE);
        } else {
            self.heap.set_flags(object, flag::CALLABLE | flag::LAZY);
        }
        self.heap.set_value(table + 8 + index * 8, Value::object(object));
        Ok(object)
    }

    /// `Array.prototype.values`, as it was made.
    pub(crate) fn array_values_function(&self) -> Value {
        self.realm(Realm::ARRAY_VALUES_CHECK)
    }

    /// `%ArrayIteratorPrototype%.next`, as it was made: kept behind the helpers.
    pub(crate) fn array_next_function(&self) -> Value {
        let table = self.heap.mem.load_u32(SHARED | 20);
        Value::native(self.heap.mem.load_u32(table + 8 + super::HELPERS.len() as u32 * 4))
    }

    /// A real iterator over an array from an index on.
    pub(crate) fn array_iterator(&mut self, array: Value, index: Value) -> Result<Value> {
        let proto = self.realm_cell(Realm::ARRAY_ITERATOR_PROTOTYPE);
        let shape = self.heap.root_shape(proto, Kind::Iterator, 0)?;
        let object = self.heap.object(Kind::Iterator, shape)?;
        let tag = self.heap.name("array")?;
        for (i, value) in [array, index, Value::ZERO, Value::string(tag)].into_iter().enumerate() {
            self.heap.set_value(object + 16 + i as u32 * 8, value);
        }
        Ok(Value::object(object))
    }

    /// Collects now.
    pub(crate) fn collect(&mut self) -> Result<()> {
        let base = self.stack_base();
        // Between runs there is no frame.
        let end = if self.fp == base {
            base
        } else {
            // Surplus arguments lie above the registers until the frame has taken them into an array.
            let arguments = self.heap.mem.load_u32(self.fp + 8).saturating_add(u32::from(frame::ARGUMENTS));
            let registers = self.frame_top().max(256).max(arguments);
            self.fp.saturating_add(registers.saturating_mul(8))
        };
        let limit = self.stack_limit + 2048;
        let end = end.min(limit);
        // What lies above the running frame is stale.
        self.heap.mem.fill(end, limit.saturating_sub(end) / 8, 0);
        let first = REALM_END.next_multiple_of(16);
        self.heap.hosts.clear();
        self.heap.hosts.resize(self.host.targets.len().div_ceil(64), 0);
        if self.heap.collect(first, (base, end)) { Ok(()) } else { Err(Signal::Stop(Pause::Internal)) }
    }

    /// The intrinsic eval function?
    pub(crate) fn is_intrinsic_eval(&self, callee: Value) -> bool {
        callee.is_native() && super::row(callee.payload()).is_some_and(|row| row.name == "eval" && row.target == "GLOBAL")
    }

    /// Compiles with the cell's fuel and memory; the code cell of the top level.
    pub(crate) fn compile(&mut self, source: &[u8], request: &Request<'_>, file: u32) -> Result<u32> {
        self.compile_with(source, request, file, &mut |_, _| Ok(()))
    }

    /// The same, with a look at the compiler's output before it is forgotten.
    pub(crate) fn compile_with(
        &mut self,
        source: &[u8],
        request: &Request<'_>,
        file: u32,
        look: &mut dyn FnMut(&mut Self, &crate::bytecode::Unit) -> Result<()>,
    ) -> Result<u32> {
        let mut purse = Purse {
            fuel: self.fuel.saturating_add(self.reserve).max(0),
            used: 0,
            bytes: u64::from(self.heap.cap.saturating_sub(self.heap.used())),
        };
        with_tools(|tools| match compile(&mut tools.parser, source, request, &mut tools.unit, &mut purse) {
            Ok(()) => {
                self.fuel -= purse.used;
                let unit = &tools.unit;
                let result = self.install(unit, source, file).and_then(|cell| look(self, unit).map(|()| cell));
                if result.is_err() {
                    // Paid again when it runs again.
                    self.fuel += purse.used;
                }
                result
            }
            Err(Syntax::Syntax(diagnostic)) => {
                self.fuel -= purse.used;
                let result = self.fail(Fault::Syntax, &diagnostic.message);
                if file != atoms::EMPTY
                    && let Err(Signal::Throw(error)) = result
                {
                    // Where the source is wrong: the first line of the error's trace.
                    let (line, column) = crate::transfer::place(source, diagnostic.offset as usize);
                    let file = self.heap.text(file).ok();
                    let frame = cell::TraceFrame { file, line: Some(line), column: Some(column), ..cell::TraceFrame::default() };
                    self.host.wrong = Some((error, frame));
                }
                result
            }
            Err(Syntax::TooDeep(diagnostic)) => {
                self.fuel -= purse.used;
                self.range_error(&diagnostic.message)
            }
            Err(Syntax::OutOfFuel) => Err(Signal::Stop(Pause::Fuel)),
            Err(Syntax::OutOfMemory) => Err(Signal::Collect(self.heap.cap)),
        })
    }

    /// Indirect eval of a text: a call that is pushed.
    pub(crate) fn indirect_eval(&mut self, source: Value) -> Result<Value> {
        if !source.is_string() {
            return Ok(source);
        }
        self.check_eval()?;
        let text = self.heap.wtf8(source.payload())?;
        let request = Request { goal: Goal::Eval, ..Default::default() };
        let code = self.compile(&text, &request, atoms::EMPTY)?;
        let function = self.function_object(code, None)?;
        let global = self.realm(Realm::GLOBAL);
        self.call(Value::object(function), global, &[])
    }

    fn check_eval(&mut self) -> Result<()> {
        if self.host.eval_enabled { Ok(()) } else { self.fail(Fault::Eval, "Code generation from strings disallowed for this context") }
    }

    /// Direct eval: sees the names of the scope constant.
    pub(crate) fn direct_eval(&mut self, source: Value, _window: u32, flags: u32, constant: u32) -> Result<Value> {
        if !source.is_string() {
            return Ok(source);
        }
        self.check_eval()?;
        let text = self.heap.wtf8(source.payload())?;
        let scope = self.constant(constant).payload();
        let count = (self.heap.high(scope) / 3).min(self.heap.size(scope) / 24);
        let mut names: Vec<(Vec<u8>, VariableKind)> = Vec::with_capacity(count as usize);
        for i in 0..count {
            let at = scope + 8 + i * 24;
            let name = self.heap.value(at).payload();
            let name = self.heap.wtf8(name)?;
            let kind = self.heap.value(at + 8).as_int().unwrap_or(0);
            names.push((name, VariableKind::from_number(kind)));
        }
        let list: Vec<(&[u8], VariableKind)> = names.iter().map(|(name, kind)| (name.as_slice(), *kind)).collect();
        let options = Options {
            strict: flags & eval_flag::STRICT != 0,
            new_target: flags & eval_flag::NEW_TARGET != 0,
            super_property: flags & eval_flag::SUPER_PROPERTY != 0,
            super_call: flags & eval_flag::SUPER_CALL != 0,
            no_arguments: flags & eval_flag::FIELD_INITIALISER != 0,
            outer_private_names: true,
            ..Default::default()
        };
        let request = Request { goal: Goal::Eval, options, scope: Some(&list), ..Default::default() };
        let cell = self.compile(&text, &request, atoms::EMPTY)?;
        // The function's captures are the scope's boxes, in its order.
        let shape = self.realm_cell(Realm::FUNCTION_SHAPE);
        let function = self.heap.allocate(Kind::Function, function::CAPTURES + count * 8, shape)?;
        self.heap.mem.store_u64(function + 8, 0);
        self.heap.mem.store_u32(function + function::CODE, cell);
        self.heap.mem.store_u32(function + function::HOME, 0);
        self.heap.mem.store_u64(function + function::FIELDS, 0);
        self.heap.mem.fill(function + function::CAPTURES, (count + 1) & !1, Value::UNDEFINED.0);
        self.heap.set_flags(function, flag::LAZY | flag::CALLABLE);
        let own = self.callee().payload();
        for i in 0..count {
            let place = self.heap.value(scope + 8 + i * 24 + 16).as_number().unwrap_or(0.0) as u64;
            let mut value = if place & BOX_OUTER == 0 {
                self.register(place as u8)
            } else {
                self.heap.value(own + function::CAPTURES + (place as u32 & 0xffff) * 8)
            };
            if place >= BOX_ELEMENT {
                let list = self.heap.value(value.payload() + 8);
                value = self.heap.dense(list.payload(), (place / BOX_ELEMENT - 1) as u32);
            }
            self.heap.set_value(function + function::CAPTURES + i * 8, value);
        }
        let this = self.register(frame::THIS);
        self.call(Value::object(function), this, &[])
    }

    /// ToBigInt of a primitive.
    #[allow(clippy::wrong_self_convention, reason = "named after the operations of the specification")]
    pub(crate) fn to_bigint_primitive(&mut self, value: Value) -> Result<Value> {
        if value.is_bigint() {
            return Ok(value);
        }
        if value.is_boolean() {
            let n = dashu_int::IBig::from(u8::from(value == Value::TRUE));
            return self.heap.bigint(&n).map(Value::bigint);
        }
        if value.is_string() {
            let text = self.heap.text(value.payload())?;
            self.charge((text.len() as u64).saturating_mul(text.len() as u64) / 4096)?;
            return match crate::interpret::parse_bigint(&text) {
                Some(n) => self.heap.bigint(&n).map(Value::bigint),
                None => self.fail(Fault::Syntax, &format!("Cannot convert {text} to a BigInt")),
            };
        }
        self.type_error("Cannot convert value to a BigInt")
    }

    /// Element of a typed array; none for anything else.
    #[inline]
    pub(crate) fn typed_get(&mut self, object: u32, index: u32) -> Option<Value> {
        if self.heap.is(object, Kind::TypedArray) { super::typed::get(self, object, index) } else { None }
    }

    /// Stores a number (or big integer) in a typed array's element; false if it is no such element or value.
    #[inline]
    pub(crate) fn typed_set(&mut self, object: u32, index: u32, value: Value) -> bool {
        self.heap.is(object, Kind::TypedArray) && super::typed::set(self, object, index, value)
    }

    /// Element of a typed array, big integers too (which take room); none where there is none.
    pub(crate) fn typed_element(&mut self, object: u32, index: u32) -> Result<Option<Value>> {
        super::typed::element(self, object, index)
    }

    /// Has a typed array such an element?
    pub(crate) fn typed_has(&self, object: u32, index: u32) -> bool {
        super::typed::has(self, object, index)
    }

    /// Does a typed array hold big integers?
    pub(crate) fn typed_is_big(&self, object: u32) -> bool {
        super::typed::is_big(self, object)
    }

    /// A regular expression object.
    pub(crate) fn new_pattern(&mut self, source: Value, flags: Value) -> Result<Value> {
        super::pattern::new(self, source, flags)
    }

    /// The promise of an async function's call.
    pub(crate) fn new_promise(&mut self) -> Result<Value> {
        let proto = self.realm_cell(Realm::PROMISE_PROTOTYPE);
        super::promise::new(self, proto)
    }

    /// Sets up a key for a property named by host text.
    pub(crate) fn key_of(&mut self, text: &str) -> Result<Key> {
        let string = self.heap.string(text)?;
        self.heap.string_key(string)
    }
}
