//! The functions that execute a block's entries: one for each instruction, and for many pairs of neighbours.

use memory::Space;

use crate::isa::{Op, compute, condition};
use crate::state::Cpu;

/// A register number; its type tells the compiler that it is below 16.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

pub(super) const REGS: [Reg; 16] = {
    use Reg::*;
    [R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14, R15]
};

/// How a block's entry, and with it the block, came to an end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flow {
    /// The first successor; `pc` is set.
    Taken,
    /// The second successor; `pc` is set.
    Next,
    /// Wherever `pc` says.
    Indirect,
    /// This many entries were left when the one before them could not do its only or its first instruction.
    Fault(usize),
    /// The same, for the second of two fused instructions.
    FaultSecond(usize),
    /// Code has changed; this many entries were left.
    Changed(usize),
    /// Code has changed, and the block was at its end; `pc` is set.
    ChangedAtEnd,
}

pub(super) type Handler = fn(&mut Cpu, &mut Space, &Entry, &[Entry]) -> Flow;

/// One instruction, or two or three fused.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) run: Handler,
    pub(super) a: Reg,
    pub(super) b: Reg,
    pub(super) c: Reg,
    pub(super) d: Reg,
    pub(super) imm: u32,
    pub(super) imm2: u32,
    /// Bytes from the block's start.
    pub(super) at: u16,
    /// Instructions of the block before this one.
    pub(super) before: u8,
    /// Length of the first instruction in bytes.
    pub(super) length: u8,
}

/// Operations on registers that never fault, as numbers for the generic functions below.
pub(super) const SIMPLE: [Op; 15] = [
    Op::LdiL,
    Op::Mov,
    Op::Add,
    Op::Sub,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::Not,
    Op::Neg,
    Op::Ashl,
    Op::Lshr,
    Op::Ashr,
    Op::Inc,
    Op::Dec,
    Op::ZexB,
];
pub(super) const LOADS: [Op; 6] = [Op::LdL, Op::LdoL, Op::LdB, Op::LdoB, Op::LdS, Op::LdoS];
pub(super) const STORES: [Op; 6] = [Op::StL, Op::StoL, Op::StB, Op::StoB, Op::StS, Op::StoS];
pub(super) const BRANCHES: [Op; 10] = [Op::Beq, Op::Bne, Op::Blt, Op::Bgt, Op::Bltu, Op::Bgtu, Op::Bge, Op::Ble, Op::Bgeu, Op::Bleu];
/// Registers only, and rare enough not to be fused.
pub(super) const OTHERS: [Op; 7] = [Op::SexB, Op::SexS, Op::ZexS, Op::Mul, Op::MulX, Op::UmulX, Op::Nop];

#[inline(always)]
pub(super) fn get(cpu: &Cpu, register: Reg) -> u32 {
    cpu.registers[register as usize]
}

#[inline(always)]
pub(super) fn set(cpu: &mut Cpu, register: Reg, value: u32) {
    cpu.registers[register as usize] = value;
}

#[inline(always)]
pub(super) fn next(cpu: &mut Cpu, space: &mut Space, rest: &[Entry]) -> Flow {
    match rest {
        [entry, rest @ ..] => (entry.run)(cpu, space, entry, rest),
        // Every block ends with an entry that does not come here.
        [] => Flow::Indirect,
    }
}

#[inline(always)]
pub(super) fn simple<const X: usize>(cpu: &mut Cpu, a: Reg, b: Reg, imm: u32) {
    if let Some(value) = compute(SIMPLE[X], get(cpu, a), get(cpu, b), imm) {
        set(cpu, a, value);
    }
}

#[inline(always)]
pub(super) fn load<const X: usize>(cpu: &mut Cpu, space: &Space, a: Reg, b: Reg, imm: u32) -> bool {
    let from = get(cpu, b).wrapping_add(imm);
    let value = match LOADS[X] {
        Op::LdL | Op::LdoL => space.load_u32(from),
        Op::LdS | Op::LdoS => space.load_u16(from).map(u32::from),
        _ => space.load_u8(from).map(u32::from),
    };
    if let Some(value) = value {
        set(cpu, a, value);
    }
    value.is_some()
}

#[inline(always)]
pub(super) fn store<const X: usize>(cpu: &Cpu, space: &mut Space, a: Reg, b: Reg, imm: u32) -> bool {
    let (to, value) = (get(cpu, a).wrapping_add(imm), get(cpu, b));
    match STORES[X] {
        Op::StL | Op::StoL => space.store_u32(to, value),
        Op::StS | Op::StoS => space.store_u16(to, value as u16),
        _ => space.store_u8(to, value as u8),
    }
}

pub(super) fn run_simple<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    next(cpu, space, rest)
}

pub(super) fn run_simple_simple<const X: usize, const Y: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    simple::<Y>(cpu, entry.c, entry.d, entry.imm2);
    next(cpu, space, rest)
}

pub(super) fn run_simple_load<const X: usize, const Y: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    if load::<Y>(cpu, space, entry.c, entry.d, entry.imm2) { next(cpu, space, rest) } else { Flow::FaultSecond(rest.len()) }
}

pub(super) fn run_load_simple<const Y: usize, const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if !load::<Y>(cpu, space, entry.a, entry.b, entry.imm) {
        return Flow::Fault(rest.len());
    }
    simple::<X>(cpu, entry.c, entry.d, entry.imm2);
    next(cpu, space, rest)
}

pub(super) fn run_simple_store<const X: usize, const Y: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    if !store::<Y>(cpu, space, entry.c, entry.d, entry.imm2) {
        return Flow::FaultSecond(rest.len());
    }
    after_store(cpu, space, rest)
}

pub(super) fn run_load<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if load::<X>(cpu, space, entry.a, entry.b, entry.imm) { next(cpu, space, rest) } else { Flow::Fault(rest.len()) }
}

pub(super) fn run_store<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if store::<X>(cpu, space, entry.a, entry.b, entry.imm) { after_store(cpu, space, rest) } else { Flow::Fault(rest.len()) }
}

#[inline(always)]
pub(super) fn after_store(cpu: &mut Cpu, space: &mut Space, rest: &[Entry]) -> Flow {
    if space.code_has_changed() { Flow::Changed(rest.len()) } else { next(cpu, space, rest) }
}

pub(super) fn run_other<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if let Some(value) = compute(OTHERS[X], get(cpu, entry.a), get(cpu, entry.b), entry.imm) {
        set(cpu, entry.a, value);
    }
    next(cpu, space, rest)
}

/// Division: leaves the trap to the book.
pub(super) fn run_divide<const X: u8>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let op = [Op::Div, Op::Udiv, Op::Mod, Op::Umod][usize::from(X & 3)];
    match compute(op, get(cpu, entry.a), get(cpu, entry.b), 0) {
        Some(value) => {
            set(cpu, entry.a, value);
            next(cpu, space, rest)
        }
        None => Flow::Fault(rest.len()),
    }
}

/// `lda` and `sta`, by size: 1, 2 or 4 bytes.
pub(super) fn run_load_absolute<const SIZE: u8>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let value = match SIZE {
        1 => space.load_u8(entry.imm).map(u32::from),
        2 => space.load_u16(entry.imm).map(u32::from),
        _ => space.load_u32(entry.imm),
    };
    match value {
        Some(value) => {
            set(cpu, entry.a, value);
            next(cpu, space, rest)
        }
        None => Flow::Fault(rest.len()),
    }
}

pub(super) fn run_store_absolute<const SIZE: u8>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let value = get(cpu, entry.a);
    let good = match SIZE {
        1 => space.store_u8(entry.imm, value as u8),
        2 => space.store_u16(entry.imm, value as u16),
        _ => space.store_u32(entry.imm, value),
    };
    if good { after_store(cpu, space, rest) } else { Flow::Fault(rest.len()) }
}

pub(super) fn run_push(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let to = get(cpu, entry.a).wrapping_sub(4);
    if !space.store_u32(to, get(cpu, entry.b)) {
        return Flow::Fault(rest.len());
    }
    set(cpu, entry.a, to);
    after_store(cpu, space, rest)
}

pub(super) fn run_pop(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let from = get(cpu, entry.a);
    let Some(value) = space.load_u32(from) else { return Flow::Fault(rest.len()) };
    set(cpu, entry.b, value);
    set(cpu, entry.a, from.wrapping_add(4));
    next(cpu, space, rest)
}

pub(super) fn run_get_special(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let value = cpu.special[(entry.imm & 255) as usize];
    set(cpu, entry.a, value);
    next(cpu, space, rest)
}

pub(super) fn run_set_special(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    cpu.special[(entry.imm & 255) as usize] = get(cpu, entry.a);
    next(cpu, space, rest)
}

pub(super) fn run_compare(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let (a, b) = (get(cpu, entry.a), get(cpu, entry.b));
    cpu.compare(a, b);
    next(cpu, space, rest)
}

#[inline(always)]
pub(super) fn branch<const C: usize>(cpu: &mut Cpu, entry: &Entry, a: u32, b: u32) -> Flow {
    cpu.compare(a, b);
    if condition(BRANCHES[C], a, b) {
        cpu.pc = entry.imm;
        Flow::Taken
    } else {
        cpu.pc = entry.imm2;
        Flow::Next
    }
}

/// `cmp` and a branch.
pub(super) fn run_compare_branch<const C: usize>(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    let (a, b) = (get(cpu, entry.c), get(cpu, entry.d));
    branch::<C>(cpu, entry, a, b)
}

pub(super) fn run_branch<const C: usize>(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    if cpu.compared != 0 && condition(BRANCHES[C], cpu.compare_a, cpu.compare_b) {
        cpu.pc = entry.imm;
        Flow::Taken
    } else {
        cpu.pc = entry.imm2;
        Flow::Next
    }
}

pub(super) fn run_jump(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    cpu.pc = entry.imm;
    Flow::Taken
}

pub(super) fn run_jump_register(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    cpu.pc = get(cpu, entry.a);
    Flow::Indirect
}

#[inline(always)]
pub(super) fn enter(cpu: &mut Cpu, space: &mut Space, back: u32, rest: &[Entry]) -> Result<(), Flow> {
    let frame = get(cpu, Reg::R1).wrapping_sub(12);
    // Both words or none; what cannot be stored in one go is left to the book.
    let words = u64::from(get(cpu, Reg::R0)) | u64::from(back) << 32;
    if !space.store_u64(frame, words) {
        return Err(Flow::Fault(rest.len()));
    }
    set(cpu, Reg::R0, frame);
    set(cpu, Reg::R1, frame);
    Ok(())
}

pub(super) fn run_call(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if let Err(flow) = enter(cpu, space, entry.imm2, rest) {
        return flow;
    }
    cpu.pc = entry.imm;
    if space.code_has_changed() { Flow::ChangedAtEnd } else { Flow::Taken }
}

pub(super) fn run_call_register(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let target = get(cpu, entry.a);
    if let Err(flow) = enter(cpu, space, entry.imm2, rest) {
        return flow;
    }
    cpu.pc = target;
    if space.code_has_changed() { Flow::ChangedAtEnd } else { Flow::Indirect }
}

pub(super) fn run_return(cpu: &mut Cpu, space: &mut Space, _entry: &Entry, rest: &[Entry]) -> Flow {
    let frame = get(cpu, Reg::R0);
    let (Some(caller), Some(back)) = (space.load_u32(frame), space.load_u32(frame.wrapping_add(4))) else { return Flow::Fault(rest.len()) };
    set(cpu, Reg::R0, caller);
    set(cpu, Reg::R1, frame.wrapping_add(12));
    cpu.pc = back;
    Flow::Indirect
}

/// The end of a block that simply goes on.
pub(super) fn run_on(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    cpu.pc = entry.imm;
    Flow::Taken
}
