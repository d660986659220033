//! Globals, and scopes searched by name.

use super::{a, b, op, slow, slow_op, step};
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms, flag};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Fault, Realm, Vm};

/// A global's value through the cache: address and epoch.
#[inline(always)]
fn cached<'a>(vm: &Vm<'a>, code: memory::Region<'a>, pc: u32) -> Option<u64> {
    if code.load_u32(pc + 12) != vm.heap.epoch {
        return None;
    }
    let value = vm.heap.mem.load_u64(code.load_u32(pc + 8));
    (value != Value::UNINITIALISED.0).then_some(value)
}

op!(GetGlobal(vm, regs, code, pc, state, word) {
    if let Some(value) = cached(vm, code, pc) {
        regs.set(a(word), value);
        return step(vm, regs, code, state, 16);
    }
    slow(vm, regs, code, state, word, |vm, word| get_global(vm, word, true))
});

op!(GetGlobalOrUndefined(vm, regs, code, pc, state, word) {
    if let Some(value) = cached(vm, code, pc) {
        regs.set(a(word), value);
        return step(vm, regs, code, state, 16);
    }
    slow(vm, regs, code, state, word, |vm, word| get_global(vm, word, false))
});

op!(SetGlobal(vm, regs, code, pc, state, word) {
    if cached(vm, code, pc).is_some() {
        vm.heap.mem.store_u64(code.load_u32(pc + 8), regs.get(a(word)));
        return step(vm, regs, code, state, 16);
    }
    slow(vm, regs, code, state, word, set_global)
});

fn get_global(vm: &mut Vm<'_>, word: u32, required: bool) -> Result<()> {
    let name = vm.key_at(1);
    let lexicals = vm.realm_cell(Realm::LEXICALS);
    if let Own::Data { address, .. } = vm.heap.own(lexicals, Key::Name(name)) {
        let value = vm.heap.value(address);
        if value.is_uninitialised() {
            return vm.uninitialised(name);
        }
        fill(vm, address);
        vm.set_register(a(word), value);
        return Ok(());
    }
    let global = vm.realm_cell(Realm::GLOBAL);
    match vm.find(global, Key::Name(name))? {
        None | Some((_, Own::Absent)) => {
            if required {
                let text = vm.heap.text(name)?;
                return vm.fail(Fault::Reference, &format!("{text} is not defined"));
            }
            vm.set_register(a(word), Value::UNDEFINED);
        }
        Some((holder, own)) => {
            if let Own::Data { address, .. } = own
                && vm.heap.flags(holder) & flag::PROTOTYPE != 0
            {
                fill(vm, address);
            }
            let receiver = vm.realm(Realm::GLOBAL);
            let value = vm.read(holder, own, Key::Name(name), receiver)?;
            vm.set_register(a(word), value);
        }
    }
    Ok(())
}

fn fill(vm: &mut Vm<'_>, address: u32) {
    let pc = vm.pc;
    if pc & crate::heap::memory::SHARED != 0 {
        return;
    }
    vm.heap.mem.store_u32(pc + 8, address);
    vm.heap.mem.store_u32(pc + 12, vm.heap.epoch);
}

fn set_global(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let name = vm.key_at(1);
    let value = vm.register(a(word));
    let lexicals = vm.realm_cell(Realm::LEXICALS);
    if let Own::Data { address, attributes } = vm.heap.own(lexicals, Key::Name(name)) {
        if vm.heap.value(address).is_uninitialised() {
            return vm.uninitialised(name);
        }
        if attributes & attribute::WRITABLE == 0 {
            return vm.type_error("Assignment to constant variable.");
        }
        fill(vm, address);
        vm.heap.set_value(address, value);
        return Ok(());
    }
    let global = vm.realm(Realm::GLOBAL);
    let strict = vm.is_strict();
    match vm.heap.own(global.payload(), Key::Name(name)) {
        Own::Data { address, attributes } if attributes & attribute::WRITABLE != 0 => {
            let address = vm.heap.writable_address(global.payload(), address)?;
            fill(vm, address);
            vm.heap.set_value(address, value);
            return Ok(());
        }
        Own::Absent if strict && vm.find(global.payload(), Key::Name(name))?.is_none() => {
            let text = vm.heap.text(name)?;
            return vm.fail(Fault::Reference, &format!("{text} is not defined"));
        }
        _ => {}
    }
    vm.entry = Entry::Discard;
    vm.assign(global, Key::Name(name), value)
}

slow_op!(InitialiseGlobal(vm, word) {
    let name = vm.key_at(1);
    let lexicals = vm.realm_cell(Realm::LEXICALS);
    if let Own::Data { address, .. } = vm.heap.own(lexicals, Key::Name(name)) {
        let address = vm.heap.writable_address(lexicals, address)?;
        vm.heap.set_value(address, vm.register(a(word)));
    }
    Ok(())
});

slow_op!(CheckGlobal(vm, word) {
    let name = vm.key_at(1);
    let key = Key::Name(name);
    let lexicals = vm.realm_cell(Realm::LEXICALS);
    let global = vm.realm_cell(Realm::GLOBAL);
    let lexical = vm.heap.own(lexicals, key) != Own::Absent;
    let own = vm.heap.own(global, key);
    let attributes = match own {
        Own::Data { attributes, .. } | Own::Accessor { attributes, .. } => attributes,
        _ => attribute::CONFIGURABLE,
    };
    let extensible = vm.heap.flags(global) & flag::NOT_EXTENSIBLE == 0;
    let clash = match a(word) {
        2 => lexical || own != Own::Absent && attributes & attribute::CONFIGURABLE == 0,
        _ => lexical,
    };
    if clash {
        let text = vm.heap.text(name)?;
        return vm.fail(Fault::Syntax, &format!("Identifier '{text}' has already been declared"));
    }
    let refused = match (a(word), own) {
        (0 | 1, Own::Absent) => !extensible,
        (1, _) => attributes & attribute::CONFIGURABLE == 0 && attributes & (attribute::WRITABLE | attribute::ENUMERABLE | attribute::ACCESSOR) != attribute::WRITABLE | attribute::ENUMERABLE,
        _ => false,
    };
    if refused {
        let text = vm.heap.text(name)?;
        return vm.type_error(&format!("Cannot declare global '{text}'"));
    }
    Ok(())
});

slow_op!(DeclareGlobal(vm, word) {
    let name = vm.key_at(1);
    let key = Key::Name(name);
    match a(word) {
        0 | 3 => {
            let global = vm.realm_cell(Realm::GLOBAL);
            if vm.heap.own(global, key) == Own::Absent {
                let attributes = if a(word) == 3 { attribute::PLAIN } else { attribute::WRITABLE | attribute::ENUMERABLE };
                vm.heap.add(global, key, Value::UNDEFINED, attributes)?;
            }
            Ok(())
        }
        kind => {
            let lexicals = vm.realm_cell(Realm::LEXICALS);
            let attributes = if kind == 2 { 0 } else { attribute::WRITABLE };
            vm.heap.put(lexicals, key, Value::UNINITIALISED, attributes)
        }
    }
});

slow_op!(DeclareGlobalFunction(vm, word) {
    let name = vm.key_at(1);
    let key = Key::Name(name);
    let global = vm.realm_cell(Realm::GLOBAL);
    let value = vm.register(a(word));
    let attributes = match vm.heap.own(global, key) {
        Own::Absent => if b(word) == 1 { attribute::PLAIN } else { attribute::WRITABLE | attribute::ENUMERABLE },
        Own::Data { attributes, .. } | Own::Accessor { attributes, .. } if attributes & attribute::CONFIGURABLE != 0 => {
            if b(word) == 1 { attribute::PLAIN } else { attribute::WRITABLE | attribute::ENUMERABLE }
        }
        Own::Data { attributes, .. } => attributes,
        _ => attribute::PLAIN,
    };
    vm.heap.put(global, key, value, attributes)
});

slow_op!(NewScopeObject(vm, word) {
    let shape = vm.heap.root_shape(0, Kind::Object, 4)?;
    let object = vm.heap.object(Kind::Object, shape)?;
    vm.set_register(a(word), Value::object(object));
    Ok(())
});

slow_op!(DeclareInScope(vm, word) {
    let name = vm.key_at(1);
    let object = vm.object_cell(vm.register(a(word)))?;
    if vm.heap.own(object, Key::Name(name)) == Own::Absent {
        vm.heap.add(object, Key::Name(name), Value::UNDEFINED, attribute::PLAIN)?;
    }
    Ok(())
});

op!(JumpUnlessInScope(vm, regs, code, pc, state, word) {
    slow(vm, regs, code, state, word, |vm, word| {
        let name = vm.key_at(1);
        let object = vm.register(a(word));
        let distance = vm.extension(2);
        if b(word) == 0 {
            let cell = vm.object_cell(object)?;
            if vm.heap.own(cell, Key::Name(name)) == Own::Absent {
                vm.next = vm.next.wrapping_add(distance << 2);
            }
            return Ok(());
        }
        let cell = vm.object_cell(object)?;
        if vm.is_plain_scope(cell, name)? {
            let found = vm.find(cell, Key::Name(name))?.is_some();
            if !found {
                vm.next = vm.next.wrapping_add(distance << 2);
            }
            return Ok(());
        }
        let key = vm.heap.key_value(Key::Name(name))?;
        vm.entry = Entry::TestNot;
        vm.next = vm.pc;
        vm.help(Helper::InScope, &[object, key])?;
        Ok(())
    })
});

impl<'a> Vm<'a> {
    /// Can a `with` object be searched without script (no proxy on the way, no @@unscopables that matters)?
    fn is_plain_scope(&mut self, object: u32, name: u32) -> Result<bool> {
        if let Some((_, Own::Exotic)) = self.find(object, Key::Name(name))? {
            return Ok(false);
        }
        Ok(self.find(object, Key::Name(atoms::SYM_UNSCOPABLES))?.is_none())
    }
}
