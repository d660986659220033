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

/// Where an operation stands in each of the lists that the handlers are numbered by.
#[derive(Clone, Copy)]
struct Places {
    simple: Option<usize>,
    load: Option<usize>,
    store: Option<usize>,
    branch: Option<usize>,
    other: Option<usize>,
}

static PLACES: [Places; Op::ALL.len()] = {
    let mut places = [Places { simple: None, load: None, store: None, branch: None, other: None }; Op::ALL.len()];
    let mut index = 0;
    while index < Op::ALL.len() {
        let op = match Op::ALL[index] {
            // They load all 32 bits.
            Op::LdiB | Op::LdiS => Op::LdiL,
            op => op,
        };
        places[index] = Places {
            simple: position(&SIMPLE, op),
            load: position(&LOADS, op),
            store: position(&STORES, op),
            branch: position(&BRANCHES, op),
            other: position(&OTHERS, op),
        };
        index += 1;
    }
    places
};

const fn position(table: &[Op], op: Op) -> Option<usize> {
    let mut index = 0;
    while index < table.len() {
        if table[index] as usize == op as usize {
            return Some(index);
        }
        index += 1;
    }
    None
}

/// Appends the entries of a block: fuses neighbours where there is a function for both.
pub(super) fn fuse(plain: &[(Instruction, u32)], start: u32, end: u32, entries: &mut Vec<Entry>) {
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
        let first = PLACES[op as usize];
        if let Some((second, _)) = plain.get(index + 1) {
            let then = PLACES[second.op as usize];
            let run = match first {
                Places { simple: Some(x), .. } => (then.simple.map(|y| PAIRS[x][y]))
                    .or_else(|| then.load.map(|y| SIMPLE_LOADS[x][y]))
                    .or_else(|| then.store.map(|y| SIMPLE_STORES[x][y])),
                Places { load: Some(x), .. } => then.simple.map(|y| LOAD_SIMPLES[x][y]),
                _ => None,
            };
            if let Some(run) = run {
                let (c, d) = (REGS[usize::from(second.a & 15)], REGS[usize::from(second.b & 15)]);
                entries.push(Entry { c, d, imm2: second.imm, ..entry(index, run) });
                index += 2;
                continue;
            }
            if op == Op::Cmp
                && let Some(condition) = then.branch
            {
                let mut fused = entry(index, COMPARE_BRANCH[condition]);
                (fused.c, fused.d) = (fused.a, fused.b);
                (fused.imm, fused.imm2) = (end.wrapping_add(second.imm), end);
                entries.push(fused);
                return;
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
            _ => match first {
                Places { branch: Some(condition), .. } => {
                    (one.imm, one.imm2) = (after.wrapping_add(instruction.imm), after);
                    BRANCH[condition]
                }
                Places { simple: Some(x), .. } => SIMPLES[x],
                Places { load: Some(x), .. } => LOAD[x],
                Places { store: Some(x), .. } => STORE[x],
                Places { other: Some(x), .. } => OTHER[x],
                // `swi` and `brk` never come here.
                _ => run_on,
            },
        };
        entries.push(one);
        if instruction.ends_block() {
            return;
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
}
