//! From decoded instructions to a block's entries: neighbours are fused where there is a function for both.

use super::entry::*;
use crate::isa::{Instruction, Op};

macro_rules! row {
    ($function:ident [$($x:literal)*]) => { [$($function::<$x> as Handler),*] };
    ($function:ident $x:literal [$($y:literal)*]) => { [$($function::<$x, $y> as Handler),*] };
}
macro_rules! grid {
    ($function:ident [$($x:literal)*] $ys:tt) => { [$(row!($function $x $ys)),*] };
}

static SIMPLES: [Handler; 15] = row!(run_simple [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
static PAIRS: [[Handler; 15]; 15] = grid!(run_simple_simple [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14] [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
static SIMPLE_LOADS: [[Handler; 6]; 15] = grid!(run_simple_load [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14] [0 1 2 3 4 5]);
static LOAD_SIMPLES: [[Handler; 15]; 6] = grid!(run_load_simple [0 1 2 3 4 5] [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14]);
static SIMPLE_STORES: [[Handler; 6]; 15] = grid!(run_simple_store [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14] [0 1 2 3 4 5]);
static LOAD: [Handler; 6] = row!(run_load [0 1 2 3 4 5]);
static STORE: [Handler; 6] = row!(run_store [0 1 2 3 4 5]);
static OTHER: [Handler; 7] = row!(run_other [0 1 2 3 4 5 6]);
static DIVIDE: [Handler; 4] = row!(run_divide [0 1 2 3]);
static COMPARE_BRANCH: [Handler; 10] = row!(run_compare_branch [0 1 2 3 4 5 6 7 8 9]);
static BRANCH: [Handler; 10] = row!(run_branch [0 1 2 3 4 5 6 7 8 9]);

fn position(table: &[Op], op: Op) -> Option<usize> {
    // `ldi.b` and `ldi.s` load all 32 bits.
    let op = if matches!(op, Op::LdiB | Op::LdiS) { Op::LdiL } else { op };
    table.iter().position(|other| *other == op)
}

/// Makes the entries of a block: fuses neighbours where there is a function for both.
pub(super) fn fuse(plain: &[(Instruction, u32)], start: u32, end: u32) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(plain.len() + 1);
    let mut index = 0;
    let entry = |index: usize, run: Handler| {
        let (instruction, at) = plain[index];
        Entry {
            run,
            a: REGS[usize::from(instruction.a & 15)],
            b: REGS[usize::from(instruction.b & 15)],
            c: Reg::R0,
            d: Reg::R0,
            imm: instruction.imm,
            imm2: 0,
            at: at.wrapping_sub(start) as u16,
            before: index as u8,
            length: instruction.length(),
        }
    };
    while index < plain.len() {
        let (instruction, at) = plain[index];
        let op = instruction.op;
        if let Some((second, _)) = plain.get(index + 1) {
            let first = (position(&SIMPLE, op), position(&LOADS, op));
            let run = match first {
                (Some(x), _) => position(&SIMPLE, second.op)
                    .map(|y| PAIRS[x][y])
                    .or_else(|| position(&LOADS, second.op).map(|y| SIMPLE_LOADS[x][y]))
                    .or_else(|| position(&STORES, second.op).map(|y| SIMPLE_STORES[x][y])),
                (None, Some(x)) => position(&SIMPLE, second.op).map(|y| LOAD_SIMPLES[x][y]),
                (None, None) => None,
            };
            if let Some(run) = run {
                let (c, d) = (REGS[usize::from(second.a & 15)], REGS[usize::from(second.b & 15)]);
                entries.push(Entry { c, d, imm2: second.imm, ..entry(index, run) });
                index += 2;
                continue;
            }
            if op == Op::Cmp
                && let Some(condition) = position(&BRANCHES, second.op)
            {
                let mut fused = entry(index, COMPARE_BRANCH[condition]);
                (fused.c, fused.d) = (fused.a, fused.b);
                (fused.imm, fused.imm2) = (end.wrapping_add(second.imm), end);
                entries.push(fused);
                return entries;
            }
        }
        let after = at.wrapping_add(u32::from(instruction.length()));
        let mut one = entry(index, run_on);
        index += 1;
        one.run = match op {
            Op::Cmp => run_compare,
            Op::Push => run_push,
            Op::Pop => run_pop,
            Op::Gsr => run_get_special,
            Op::Ssr => run_set_special,
            Op::LdaB => run_load_absolute::<1>,
            Op::LdaS => run_load_absolute::<2>,
            Op::LdaL => run_load_absolute::<4>,
            Op::StaB => run_store_absolute::<1>,
            Op::StaS => run_store_absolute::<2>,
            Op::StaL => run_store_absolute::<4>,
            Op::Div => DIVIDE[0],
            Op::Udiv => DIVIDE[1],
            Op::Mod => DIVIDE[2],
            Op::Umod => DIVIDE[3],
            Op::Jmpa => run_jump,
            Op::Jmp => run_jump_register,
            Op::Ret => run_return,
            Op::Jsra | Op::Jsr => {
                one.imm2 = after;
                if op == Op::Jsra { run_call } else { run_call_register }
            }
            _ => {
                if let Some(condition) = position(&BRANCHES, op) {
                    (one.imm, one.imm2) = (after.wrapping_add(instruction.imm), after);
                    BRANCH[condition]
                } else if let Some(x) = position(&SIMPLE, op) {
                    SIMPLES[x]
                } else if let Some(x) = position(&LOADS, op) {
                    LOAD[x]
                } else if let Some(x) = position(&STORES, op) {
                    STORE[x]
                } else if let Some(x) = position(&OTHERS, op) {
                    OTHER[x]
                } else {
                    // `swi` and `brk` never come here.
                    run_on
                }
            }
        };
        entries.push(one);
        if instruction.ends_block() {
            return entries;
        }
    }
    let on = Entry {
        run: run_on,
        a: Reg::R0,
        b: Reg::R0,
        c: Reg::R0,
        d: Reg::R0,
        imm: end,
        imm2: 0,
        at: end.wrapping_sub(start) as u16,
        before: plain.len() as u8,
        length: 0,
    };
    entries.push(on);
    entries
}
