//! Leaves of arrays: the frequent methods on plain dense arrays, which hand everything else to the self-hosted ones.

use super::Native;
use crate::heap::Kind;
use crate::value::Value;
use crate::vm::Realm;

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("keepArrayValues", |vm, a| {
        let value = a.get(vm, 0);
        vm.set_realm(Realm::ARRAY_VALUES_CHECK, value);
        Ok(Value::UNDEFINED)
    }),
    leaf("isTypedArray", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::TypedArray)))),
    leaf("typedLength", |vm, a| {
        let at = a.get(vm, 0).payload() + 28;
        Ok(Value::unsigned(vm.heap.mem.load_u32(at)))
    }),
    leaf("typedConvert", |vm, a| {
        let value = a.get(vm, 1);
        if vm.typed_is_big(a.get(vm, 0).payload()) {
            vm.to_bigint_primitive(value)
        } else {
            vm.to_number_primitive(value).map(Value::number)
        }
    }),
];
