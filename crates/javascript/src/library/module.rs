//! Leaves of `module.js`: compiling modules, their boxes, and where their texts come from.

use super::{Arguments, Native};
use crate::bytecode::{Text, Unit};
use crate::compile::Request;
use crate::heap::{Kind, Result, atoms};
use crate::syntax::{Goal, Options};
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm, code, unit};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

/// Name of the offer that is asked for modules which are no inputs: called with specifier and referrer, it answers with the
/// text, with a map of `name` and `source`, or with null.
const IMPORT: &str = "import";

/// Places of a record that Rust knows; `module.js` lists them all.
mod record {
    pub(super) const OWN_BOXES: u32 = 6;
    pub(super) const IMPORTED_BOXES: u32 = 8;
    pub(super) const NAME: u32 = 9;
    pub(super) const META: u32 = 10;
    pub(super) const LENGTH: u32 = 18;
}

pub(super) const NATIVES: &[Native] = &[
    leaf("keepModules", |vm, a| {
        let map = a.get(vm, 0);
        vm.set_realm(Realm::MODULES, map);
        Ok(map)
    }),
    leaf("newBox", |vm, a| {
        let value = a.get(vm, 0);
        new_box(vm, value)
    }),
    leaf("boxValue", |vm, a| {
        // A hole for one that has no value yet.
        let cell = a.get(vm, 0);
        let value =
            if cell.is_object_cell() && vm.heap.is(cell.payload(), Kind::Box) { vm.heap.value(cell.payload() + 8) } else { Value::HOLE };
        Ok(if value.is_uninitialised() { Value::HOLE } else { value })
    }),
    leaf("syntaxError", |vm, a| {
        let text = vm.to_string_primitive(a.get(vm, 0))?;
        let text = vm.heap.text(text)?;
        vm.fail(Fault::Syntax, &text)
    }),
    leaf("referenceError", |vm, a| {
        let text = vm.to_string_primitive(a.get(vm, 0))?;
        let text = vm.heap.text(text)?;
        vm.fail(Fault::Reference, &text)
    }),
    leaf("compileModule", compile),
    leaf("hostModule", find),
];

fn new_box(vm: &mut Vm<'_>, value: Value) -> Result<Value> {
    let cell = vm.heap.allocate(Kind::Box, 16, 0)?;
    vm.heap.set_value(cell + 8, value);
    Ok(Value::object(cell))
}

/// (name, text): a new record.
fn compile(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let (name, text) = (a.get(vm, 0), a.get(vm, 1));
    let source = vm.heap.wtf8(text.payload())?;
    let file = vm.heap.text(name.payload())?;
    let typescript = vm.host.typescript || [".ts", ".mts", ".cts"].iter().any(|end| file.ends_with(end));
    let options = Options { typescript, ..Options::default() };
    let request = Request { goal: Goal::Module, options, ..Default::default() };
    let mut parts = None;
    let cell = vm.compile_with(&source, &request, name.payload(), &mut |vm, list| {
        parts = Some(shape(vm, list)?);
        Ok(())
    })?;
    let Some(mut parts) = parts else { return vm.fail(Fault::Syntax, "this is no module") };
    let function = vm.function_object(cell, None)?;
    parts[0] = Value::object(function);
    parts[record::NAME as usize] = name;
    let module = vm.array_of(&parts)?;
    let unit_cell = vm.heap.mem.load_u32(cell + code::UNIT);
    vm.heap.mem.store_u32(unit_cell + unit::MODULE, module);
    Ok(Value::object(module))
}

/// A record's parts as the compiler describes them.
fn shape(vm: &mut Vm<'_>, list: &Unit) -> Result<Vec<Value>> {
    let Some(module) = &list.module else { return vm.fail(Fault::Syntax, "this is no module") };
    let text = |vm: &mut Vm<'_>, text: Text| vm.heap.string_wtf8(list.bytes(text)).map(Value::string);
    let optional = |vm: &mut Vm<'_>, name: Option<Text>| match name {
        Some(name) => text(vm, name),
        None => Ok(Value::UNDEFINED),
    };
    let array = |vm: &mut Vm<'_>, values: &[Value]| vm.array_of(values).map(Value::object);
    let mut requests = Vec::new();
    for &request in &module.requests {
        requests.push(text(vm, request)?);
    }
    let mut imports = Vec::new();
    for &(request, name) in &module.imports {
        let name = optional(vm, name)?;
        imports.push(array(vm, &[Value::unsigned(request), name])?);
    }
    let mut exports = Vec::new();
    for &(name, number) in &module.exports {
        let name = text(vm, name)?;
        exports.push(array(vm, &[name, Value::unsigned(number)])?);
    }
    let mut indirect = Vec::new();
    for &(name, request, there) in &module.indirect {
        let (name, there) = (text(vm, name)?, optional(vm, there)?);
        indirect.push(array(vm, &[name, Value::unsigned(request), there])?);
    }
    let stars: Vec<Value> = module.stars.iter().map(|&request| Value::unsigned(request)).collect();
    let mut boxes = Vec::new();
    for _ in 0..module.export_boxes {
        boxes.push(new_box(vm, Value::UNINITIALISED)?);
    }
    let mut parts = vec![Value::UNDEFINED; record::LENGTH as usize];
    for (place, list) in
        [(1, &requests), (2, &imports), (3, &exports), (4, &indirect), (5, &stars), (6, &boxes), (8, &Vec::new()), (13, &Vec::new())]
    {
        parts[place] = array(vm, list)?;
    }
    parts[7] = Value::boolean(module.is_async);
    parts[11] = Value::ZERO;
    Ok(parts)
}

/// (specifier, referrer): [name, text], undefined if nobody has it. Inputs first, then the host's offer.
fn find(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let specifier = vm.heap.text(a.get(vm, 0).payload())?;
    let referrer = vm.heap.text(a.get(vm, 1).payload())?;
    vm.charge(specifier.len() as u64 / 4 + 16)?;
    let name = resolve(&specifier, &referrer);
    let input = vm.host.inputs.iter().find(|input| resolve(&format!("./{}", input.name), "") == name || input.name == specifier);
    if let Some(input) = input {
        let (name, bytes) = (input.name.clone(), input.bytes.clone());
        vm.charge(bytes.len() as u64 / 16)?;
        let parts = [Value::string(vm.heap.string(&name)?), Value::string(vm.heap.string(&String::from_utf8_lossy(&bytes))?)];
        return vm.array_of(&parts).map(Value::object);
    }
    if !vm.host.modules {
        return Ok(Value::UNDEFINED);
    }
    let answer = vm.ask(|_| {
        let target = cell::Target::Offer(IMPORT.to_owned());
        let arguments = vec![cell::Value::Text(specifier.clone()).into(), cell::Value::Text(referrer.clone()).into()];
        Ok(cell::HatchCall { target, operation: cell::Operation::Call, arguments, block: None })
    })?;
    if answer.is_string() {
        let name = Value::string(vm.heap.string(&name)?);
        return vm.array_of(&[name, answer]).map(Value::object);
    }
    if answer.is_object_cell() && vm.heap.is(answer.payload(), Kind::Object) {
        let part = |vm: &mut Vm<'_>, key: &str| -> Result<Option<Value>> {
            let key = vm.key_of(key)?;
            Ok(match vm.heap.own(answer.payload(), key) {
                crate::heap::object::Own::Data { address, .. } => Some(vm.heap.value(address)).filter(|value| value.is_string()),
                _ => None,
            })
        };
        if let (Some(name), Some(text)) = (part(vm, "name")?, part(vm, "source")?) {
            return vm.array_of(&[name, text]).map(Value::object);
        }
    }
    Ok(Value::UNDEFINED)
}

/// The name a specifier means: relative ones go from the referrer's folder, others stand for themselves.
fn resolve(specifier: &str, referrer: &str) -> String {
    if !(specifier.starts_with("./") || specifier.starts_with("../")) {
        return specifier.to_owned();
    }
    let folder = referrer.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(specifier.split('/')) {
        match part {
            "." => {}
            "" if !parts.is_empty() || folder.is_empty() => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Vm<'_> {
    /// The record of the module whose code runs; 0 for scripts.
    fn running_module(&self) -> u32 {
        let unit_cell = self.heap.mem.load_u32(self.code() + code::UNIT);
        self.heap.mem.load_u32(unit_cell + unit::MODULE)
    }

    /// Is this the top level of a module?
    pub(crate) fn is_module_body(&self, code_cell: u32) -> bool {
        let unit_cell = self.heap.mem.load_u32(code_cell + code::UNIT);
        let functions = self.heap.mem.load_u32(unit_cell + unit::FUNCTIONS);
        self.heap.mem.load_u32(unit_cell + unit::MODULE) != 0 && self.heap.mem.load_u32(functions + 8) == code_cell
    }

    /// Name of the file whose code runs.
    pub(crate) fn running_file(&self) -> Value {
        let unit_cell = self.heap.mem.load_u32(self.code() + code::UNIT);
        let file = self.heap.mem.load_u32(unit_cell + unit::FILE);
        Value::string(if file == 0 { atoms::EMPTY } else { file })
    }

    pub(crate) fn import_meta(&mut self) -> Result<Value> {
        let module = self.running_module();
        if !self.heap.is(module, Kind::Array) {
            return self.fail(Fault::Syntax, "Cannot use 'import.meta' outside a module");
        }
        let known = self.heap.dense(module, record::META);
        if known.is_object_cell() {
            return Ok(known);
        }
        let shape = self.heap.root_shape(0, Kind::Object, 4)?;
        let meta = self.heap.object(Kind::Object, shape)?;
        let name = self.heap.dense(module, record::NAME);
        self.heap.add(meta, crate::heap::string::Key::Name(atoms::URL), name, crate::heap::shape::attribute::PLAIN)?;
        self.heap.set_value(self.heap.elements(module) + 8 + record::META * 8, Value::object(meta));
        Ok(Value::object(meta))
    }

    /// Box number `number` of what the running module imports, or exports.
    pub(crate) fn module_box(&mut self, number: u32, export: bool) -> Result<Value> {
        let module = self.running_module();
        let list = self.heap.dense(module, if export { record::OWN_BOXES } else { record::IMPORTED_BOXES });
        let found = if self.heap.is_kind(list, Kind::Array) { self.heap.dense(list.payload(), number) } else { Value::UNDEFINED };
        if found.is_object_cell() && self.heap.is(found.payload(), Kind::Box) {
            return Ok(found);
        }
        self.fail(Fault::Syntax, "the module is not bound")
    }

    pub(crate) fn module_namespace(&mut self, _number: u32) -> Result<Value> {
        self.fail(Fault::Syntax, "the module is not bound")
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn specifiers_go_from_the_referrers_folder() {
        for (specifier, referrer, name) in [
            ("./b.js", "a.js", "b.js"),
            ("./b.js", "lib/a.js", "lib/b.js"),
            ("../b.js", "lib/deep/a.js", "lib/b.js"),
            ("../../b.js", "lib/a.js", "../b.js"),
            ("./x/./y/../z.js", "a.js", "x/z.js"),
            ("./b.js", "/abs/a.js", "/abs/b.js"),
            ("lodash", "lib/a.js", "lodash"),
        ] {
            assert_eq!(resolve(specifier, referrer), name, "{specifier} from {referrer}");
        }
    }
}
