//! Leaves of arrays: the frequent methods on plain dense arrays, which hand everything else to the self-hosted ones.

use super::Native;
use crate::value::Value;
use crate::vm::Realm;

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[leaf("keepArrayValues", |vm, a| {
    let value = a.get(vm, 0);
    vm.set_realm(Realm::ARRAY_VALUES_CHECK, value);
    Ok(Value::UNDEFINED)
})];
