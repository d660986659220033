//! Regular expressions: objects over the engine's own matcher.

use super::Native;
use crate::heap::{Kind, Result};
use crate::value::Value;
use crate::vm::{Realm, Vm};

pub(super) const NATIVES: &[Native] = &[Native {
    target: "",
    name: "isPattern",
    length: 0,
    convert: "",
    leaf: |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Pattern))),
}];

/// A regular expression object; the program is compiled at the first match.
pub(crate) fn new(vm: &mut Vm<'_>, source: Value, flags: Value) -> Result<Value> {
    let proto = vm.realm_cell(Realm::REGEXP_PROTOTYPE);
    let shape = vm.heap.root_shape(proto, Kind::Pattern, 0)?;
    let object = vm.heap.object(Kind::Pattern, shape)?;
    vm.heap.set_value(object + 16, source);
    vm.heap.set_value(object + 24, flags);
    vm.heap.set_value(object + 32, Value::UNDEFINED);
    Ok(Value::object(object))
}
