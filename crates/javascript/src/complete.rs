//! Completion at a prompt: names that a word may become, without running anything of the guest's.

use crate::heap::Kind;
use crate::heap::object::Own;
use crate::value::Value;
use crate::vm::{Realm, Vm};

/// The most names that are given.
const MOST: usize = 1000;

/// Whole words that start as `word` does: globals, or properties of what stands before its last dot.
pub(crate) fn names(vm: &mut Vm<'_>, word: &str) -> Vec<String> {
    let (path, last) = word.rsplit_once('.').map_or(("", word), |(path, last)| (path, last));
    let starts = match path.split('.').next() {
        Some(first) if !path.is_empty() => global(vm, first).into_iter().collect(),
        _ => vec![vm.realm(Realm::LEXICALS), vm.realm(Realm::GLOBAL)],
    };
    let mut found: Vec<String> = Vec::new();
    for mut object in starts {
        for name in path.split('.').skip(1) {
            let Some(next) = property(vm, object, name) else { return Vec::new() };
            object = next;
        }
        let mut at = match vm.lookup_start(object) {
            Ok(Some(at)) => at,
            _ => continue,
        };
        for _ in 0..20 {
            if at == 0 || vm.heap.is(at, Kind::Proxy) || found.len() > MOST {
                break;
            }
            if vm.materialise(at).is_err() {
                break;
            }
            for (name, _) in vm.heap.name_keys(at) {
                if !vm.heap.is_symbol_name(name)
                    && let Ok(text) = vm.heap.text(name)
                    && text.starts_with(last)
                {
                    found.push(if path.is_empty() { text } else { format!("{path}.{text}") });
                }
            }
            at = vm.heap.proto(at);
        }
    }
    found.sort();
    found.dedup();
    found.truncate(MOST);
    found
}

fn global(vm: &mut Vm<'_>, name: &str) -> Option<Value> {
    let (lexicals, global) = (vm.realm(Realm::LEXICALS), vm.realm(Realm::GLOBAL));
    property(vm, lexicals, name).or_else(|| property(vm, global, name))
}

/// A property's value, if it is there and no getter.
fn property(vm: &mut Vm<'_>, base: Value, name: &str) -> Option<Value> {
    let key = vm.key_of(name).ok()?;
    let start = vm.lookup_start(base).ok()??;
    match vm.find(start, key).ok()?? {
        (_, Own::Data { address, .. }) => Some(vm.heap.value(address)),
        (_, Own::Virtual { value, .. }) => Some(value),
        _ => None,
    }
}
