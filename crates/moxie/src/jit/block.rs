//! The layout of the block that compiled code finds everything in, and where guest registers live.

use std::mem::offset_of;

use super::emit::Host;
use crate::state::REGISTERS;

/// Entries of the table of jump targets; a power of two.
pub(super) const TARGETS: usize = 4096;

/// Where compiled code for a guest address lies.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Target {
    /// The guest address; above 32 bits in an empty entry.
    pub(super) pc: u64,
    pub(super) host: u64,
}

impl Target {
    pub(super) const NONE: Self = Self { pc: u64::MAX, host: 0 };
}

/// What compiled code addresses through `rbp`.
#[repr(C)]
pub(super) struct Block {
    /// Contents of the guest registers' homes, valid outside of compiled code; inside only for registers that have no host register.
    pub(super) registers: [u32; REGISTERS],
    pub(super) pc: u32,
    pub(super) compare: [u32; 2],
    pub(super) fuel: u32,
    /// Host address after the call that left compiled code.
    pub(super) left_at: u64,
    /// Host address of an instruction that faulted, else zero.
    pub(super) faulted_at: u64,
    /// Stack pointer of compiled code while it does not run, and of its caller while it does.
    pub(super) stack: u64,
    pub(super) host_stack: u64,
    /// Stack pointer when nothing is predicted.
    pub(super) bottom: u64,
    pub(super) memory: u64,
    pub(super) targets: [Target; TARGETS],
    /// Host address of the access that faulted.
    pub(super) fault_address: u64,
}

pub(super) const PC: i8 = offset_of!(Block, pc) as i8;
pub(super) const COMPARE: [i8; 2] = [offset_of!(Block, compare) as i8, offset_of!(Block, compare) as i8 + 4];
pub(super) const FUEL: i8 = offset_of!(Block, fuel) as i8;
pub(super) const LEFT_AT: i8 = offset_of!(Block, left_at) as i8;
pub(super) const STACK: i8 = offset_of!(Block, stack) as i8;
pub(super) const HOST_STACK: i8 = offset_of!(Block, host_stack) as i8;
pub(super) const BOTTOM: i8 = offset_of!(Block, bottom) as i8;
pub(super) const MEMORY: i8 = offset_of!(Block, memory) as i8;
/// Where division keeps `rdx`; the word is of use only once compiled code is left.
pub(super) const SAVED: i8 = LEFT_AT;
pub(super) const TARGET_PC: i32 = offset_of!(Block, targets) as i32;
pub(super) const TARGET_HOST: i32 = TARGET_PC + 8;
const _: () = assert!(offset_of!(Block, targets) <= 128 && size_of::<Target>() == 16);

/// Bits of a guest address that choose a target's entry; shifted left by three they are its offset.
pub(super) const TARGET_MASK: i32 = (TARGETS as i32 - 1) << 1;

/// The host registers of guest registers, by encoding number; the others live in the block. Not among them: `rax` and `rcx` for scratch,
/// `rsp`, `rbp` for the block, `r14` for fuel, `r15` for the base of guest memory.
pub(super) const HOMES: [Option<Host>; REGISTERS] = [
    Some(3),  // $fp: rbx
    Some(6),  // $sp: rsi
    Some(7),  // $r0: rdi
    Some(8),  // $r1
    Some(9),  // $r2
    Some(10), // $r3
    Some(11), // $r4
    Some(12), // $r5
    Some(13), // $r6
    Some(2),  // $r7: rdx
    None,
    None,
    None,
    None,
    None,
    None,
];

/// The host register that division needs, and that is a home.
pub(super) const EDX: Host = 2;

/// Where a guest register's word lies in the block.
pub(super) const fn slot(register: u8) -> i8 {
    register as i8 * 4
}
