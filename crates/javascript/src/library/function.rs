//! Leaves of functions: binding, source text, the Function constructor, eval.

use super::{Arguments, Native};
use crate::compile::Request;
use crate::heap::{Kind, Result, Signal, atoms, flag};
use crate::syntax::Goal;
use crate::tools::with_tools;
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm, code, unit};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    Native {
        target: "GLOBAL",
        name: "eval",
        length: 1,
        convert: "",
        leaf: |vm, a| {
            let source = a.get(vm, 0);
            vm.indirect_eval(source)
        },
    },
    leaf("newBound", |vm, a| {
        // (target, this, arguments, prototype)
        let target = a.get(vm, 0);
        let proto = a.get(vm, 3);
        let proto = if proto == Value::NULL { 0 } else { vm.object_cell(proto)? };
        let shape = vm.heap.root_shape(proto, Kind::BoundFunction, 0)?;
        let object = vm.heap.object(Kind::BoundFunction, shape)?;
        for (i, value) in [target, a.get(vm, 1), a.get(vm, 2), Value::UNDEFINED].into_iter().enumerate() {
            vm.heap.set_value(object + 16 + i as u32 * 8, value);
        }
        let constructor = if vm.is_constructor(target) { flag::CONSTRUCTOR } else { 0 };
        vm.heap.set_flags(object, flag::CALLABLE | constructor);
        Ok(Value::object(object))
    }),
    leaf("boundTarget", |vm, a| {
        let value = a.get(vm, 0);
        Ok(if vm.heap.is_kind(value, Kind::BoundFunction) { vm.heap.value(value.payload() + 16) } else { Value::UNDEFINED })
    }),
    leaf("functionText", function_text),
    leaf("makeFunction", make_function),
    leaf("nameErrors", |vm, _| {
        // Part of the library's set-up: names and messages of the error prototypes.
        for (slot, name) in [
            (Realm::TYPE_ERROR_PROTOTYPE, "TypeError"),
            (Realm::RANGE_ERROR_PROTOTYPE, "RangeError"),
            (Realm::SYNTAX_ERROR_PROTOTYPE, "SyntaxError"),
            (Realm::REFERENCE_ERROR_PROTOTYPE, "ReferenceError"),
            (Realm::EVAL_ERROR_PROTOTYPE, "EvalError"),
            (Realm::URI_ERROR_PROTOTYPE, "URIError"),
            (Realm::AGGREGATE_ERROR_PROTOTYPE, "AggregateError"),
            (Realm::INTERNAL_ERROR_PROTOTYPE, "InternalError"),
        ] {
            let proto = vm.realm_cell(slot);
            let name = vm.heap.name(name)?;
            use crate::heap::shape::attribute::HIDDEN;
            use crate::heap::string::Key;
            vm.heap.put(proto, Key::Name(atoms::NAME), Value::string(name), HIDDEN)?;
            vm.heap.put(proto, Key::Name(atoms::MESSAGE), Value::string(atoms::EMPTY), HIDDEN)?;
        }
        for slot in [
            Realm::TYPE_ERROR_PROTOTYPE,
            Realm::RANGE_ERROR_PROTOTYPE,
            Realm::SYNTAX_ERROR_PROTOTYPE,
            Realm::REFERENCE_ERROR_PROTOTYPE,
            Realm::EVAL_ERROR_PROTOTYPE,
            Realm::URI_ERROR_PROTOTYPE,
            Realm::ERROR_PROTOTYPE,
        ] {
            set_length(vm, slot, 1)?;
        }
        set_length(vm, Realm::AGGREGATE_ERROR_PROTOTYPE, 2)?;
        Ok(Value::UNDEFINED)
    }),
];

/// Sets `length` of a prototype's constructor.
fn set_length(vm: &mut Vm<'_>, slot: Realm, length: i32) -> Result<()> {
    use crate::heap::object::Own;
    use crate::heap::shape::attribute::CONFIGURABLE;
    use crate::heap::string::Key;
    let proto = vm.realm_cell(slot);
    if let Own::Data { address, .. } = vm.heap.own(proto, Key::Name(atoms::CONSTRUCTOR)) {
        let class = vm.heap.value(address).payload();
        vm.heap.put(class, Key::Name(atoms::LENGTH), Value::int(length), CONFIGURABLE)?;
    }
    Ok(())
}

/// A function's source text; undefined for what is no function.
fn function_text(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let value = a.get(vm, 0);
    if vm.heap.is_kind(value, Kind::Function) {
        let cell = vm.code_of(value);
        if cell & crate::heap::memory::SHARED == 0 {
            let unit_cell = vm.heap.mem.load_u32(cell + code::UNIT);
            let source = vm.heap.mem.load_u32(unit_cell + unit::SOURCE);
            let size = vm.heap.high(source);
            let (start, end) =
                (vm.heap.mem.load_u32(cell + code::SOURCE_START).min(size), vm.heap.mem.load_u32(cell + code::SOURCE_END).min(size));
            let mut bytes = Vec::new();
            vm.charge(u64::from(end.saturating_sub(start)) / 16)?;
            vm.heap.mem.read(source + 8 + start, end.saturating_sub(start), &mut bytes);
            return vm.heap.string_wtf8(&bytes).map(Value::string);
        }
    }
    if !vm.is_callable(value) {
        return Ok(Value::UNDEFINED);
    }
    let mut name = String::new();
    if value.is_native() {
        let (text, _) = vm.native_name(value.payload())?;
        name = vm.heap.text(text)?;
    } else if vm.heap.is_kind(value, Kind::Function) {
        let cell = vm.code_of(value);
        name = vm.heap.text(vm.heap.mem.load_u32(cell + code::NAME))?;
    }
    vm.heap.string(&format!("function {name}() {{ [native code] }}")).map(Value::string)
}

/// (kind, parameters, body): what the Function constructors make.
fn make_function(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    if !vm.host.eval_enabled {
        return vm.fail(Fault::Eval, "Code generation from strings disallowed for this context");
    }
    let kind = a.get(vm, 0).as_int().unwrap_or(0);
    let parameters = vm.heap.wtf8(a.get(vm, 1).payload())?;
    let body = vm.heap.wtf8(a.get(vm, 2).payload())?;
    vm.charge((parameters.len() + body.len()) as u64 / 4)?;
    let (is_async, is_generator) = (kind >= 2, kind & 1 == 1);
    // Each part must be whole by itself.
    check(vm, &parameters, Goal::Parameters { is_async, is_generator })?;
    check(vm, &body, Goal::Body { is_async, is_generator })?;
    let head =
        ["(function anonymous(", "(function* anonymous(", "(async function anonymous(", "(async function* anonymous("][kind as usize & 3];
    let mut text = head.as_bytes().to_vec();
    text.extend_from_slice(&parameters);
    text.extend_from_slice(b"\n) {\n");
    text.extend_from_slice(&body);
    text.extend_from_slice(b"\n})");
    let request = Request { goal: Goal::Eval, ..Default::default() };
    let cell = vm.compile(&text, &request, atoms::EMPTY)?;
    let function = vm.function_object(cell, None)?;
    let global = vm.realm(Realm::GLOBAL);
    vm.call(Value::object(function), global, &[])
}

fn check(vm: &mut Vm<'_>, text: &[u8], goal: Goal) -> Result<()> {
    use crate::syntax::Fault as Syntax;
    let mut purse = super::host::Purse {
        fuel: vm.fuel.saturating_add(vm.reserve).max(0),
        used: 0,
        bytes: u64::from(vm.heap.cap.saturating_sub(vm.heap.used())),
    };
    match with_tools(|tools| tools.parser.parse(text, goal, &Default::default(), &mut purse)) {
        Ok(()) => Ok(()),
        Err(Syntax::Syntax(diagnostic)) => vm.fail(Fault::Syntax, &diagnostic.message),
        Err(Syntax::TooDeep(diagnostic)) => vm.range_error(&diagnostic.message),
        Err(Syntax::OutOfFuel) => Err(Signal::Stop(crate::heap::Pause::Fuel)),
        Err(Syntax::OutOfMemory) => Err(Signal::Collect(vm.heap.cap)),
    }
}
