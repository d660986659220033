//! Code that all units share: the ways in and out, and the search for the code of an address.

use dynasmrt::{DynasmApi, dynasm};

use super::block::{BOTTOM, FUEL, HOMES, HOST_STACK, LEFT_AT, MEMORY, PC, STACK, TARGET_HOST, TARGET_MASK, TARGET_PC, slot};
use super::emit::{Cond, Emitter};
use super::product::Stubs;

/// Writes the stubs; they stand at the beginning of the code memory.
pub(super) fn write(emitter: &mut Emitter) -> Stubs {
    let mut stubs = Stubs { enter: emitter.len(), ..Stubs::default() };
    // extern "sysv64" fn(block: rdi, code: rsi)
    dynasm!(emitter.raw() ; .arch x64
        ; push rbp ; push rbx ; push r12 ; push r13 ; push r14 ; push r15
        ; mov rbp, rdi
        ; mov [BYTE rbp + HOST_STACK], rsp
        ; mov rsp, [BYTE rbp + STACK]
        ; mov rax, rsi
        ; mov r14d, [BYTE rbp + FUEL]
        ; mov r15, [BYTE rbp + MEMORY]
    );
    for (register, home) in HOMES.iter().enumerate() {
        if let Some(host) = home {
            emitter.load_slot(*host, slot(register as u8));
        }
    }
    dynasm!(emitter.raw() ; .arch x64 ; jmp rax);

    stubs.exit = emitter.len();
    dynasm!(emitter.raw() ; .arch x64 ; pop QWORD [BYTE rbp + LEFT_AT]);
    stubs.fault = emitter.len();
    for (register, home) in HOMES.iter().enumerate() {
        if let Some(host) = home {
            emitter.store_slot(slot(register as u8), *host);
        }
    }
    dynasm!(emitter.raw() ; .arch x64
        ; mov [BYTE rbp + FUEL], r14d
        ; mov [BYTE rbp + STACK], rsp
        ; mov rsp, [BYTE rbp + HOST_STACK]
        ; pop r15 ; pop r14 ; pop r13 ; pop r12 ; pop rbx ; pop rbp
        ; ret
    );

    // A return to somewhere else than predicted: forget all predictions. The target is in `eax`.
    stubs.unpredicted = emitter.len();
    dynasm!(emitter.raw() ; .arch x64 ; mov rsp, [BYTE rbp + BOTTOM]);
    stubs.dispatch = emitter.len();
    dynasm!(emitter.raw() ; .arch x64
        ; mov ecx, eax
        ; and ecx, TARGET_MASK
        ; cmp rax, [rbp + rcx * 8 + TARGET_PC]
    );
    let miss = emitter.jcc(Cond::NotEqual);
    dynasm!(emitter.raw() ; .arch x64 ; jmp QWORD [rbp + rcx * 8 + TARGET_HOST]);
    let here = emitter.len();
    emitter.patch(miss, here);
    emitter.store_slot(PC, 0);
    let call = emitter.call();
    emitter.patch(call, stubs.exit);
    stubs.unknown = emitter.len();
    stubs.end = emitter.len();
    stubs
}
