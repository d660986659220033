//! Promises' leaves: state lives in five fields (state, result, reactions, handled, unused).

use super::Native;
use crate::heap::{Kind, Result};
use crate::value::Value;
use crate::vm::{Realm, Vm};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("newPromise", |vm, a| {
        let proto = vm.object_cell(a.get(vm, 0))?;
        new(vm, proto)
    }),
    leaf("isPromise", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Promise)))),
    leaf("enqueue", |vm, a| {
        // (function, argument, argument, argument): a job of the microtask queue.
        let jobs = vm.realm(Realm::JOBS);
        let queue = if jobs.is_object_cell() {
            jobs.payload()
        } else {
            let queue = vm.array_of(&[])?;
            vm.set_realm(Realm::JOBS, Value::object(queue));
            queue
        };
        let job: Vec<Value> = (0..4).map(|i| a.get(vm, i)).collect();
        let job = vm.array_of(&job)?;
        vm.heap.array_push(queue, Value::object(job))?;
        Ok(Value::UNDEFINED)
    }),
];

/// A pending promise.
pub(crate) fn new(vm: &mut Vm<'_>, proto: u32) -> Result<Value> {
    let shape = vm.heap.root_shape(proto, Kind::Promise, 0)?;
    let promise = vm.heap.object(Kind::Promise, shape)?;
    vm.heap.set_value(promise + 16, Value::ZERO);
    for i in 1..5 {
        vm.heap.set_value(promise + 16 + i * 8, Value::UNDEFINED);
    }
    Ok(Value::object(promise))
}
