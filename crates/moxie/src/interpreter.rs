//! The fast interpreter: code decoded once into blocks, neighbours fused, fuel charged per block.
//!
//! A block is a straight run of instructions. Each of its entries names the function that executes it and passes control on to the next
//! entry's, in a call at the very end that release builds turn into a jump. A block is short, so the stack stays small in builds that do not.
//! Whatever is not plain is left to [`Machine::step`](crate::machine::Machine::step): the block ends before it, or gives up in the middle with
//! everything before that point done and paid for.

use std::collections::HashMap;

use memory::Space;

use crate::isa::{Instruction, LONGEST, Op, compute, condition};
use crate::state::{Cpu, Exit};

/// Most instructions of a block.
const LONGEST_BLOCK: usize = 32;
/// Blocks kept, and entries in them; beyond that all are dropped, which keeps what code makes the host hold below 10 MiB.
const MOST_BLOCKS: usize = 1 << 15;
const MOST_ENTRIES: usize = 1 << 18;
/// Entries of the table that finds blocks by address.
const TABLE: usize = 1 << 12;
/// A page whose code changed this often is executed by the book.
const RESTLESS: u32 = 24;
const NONE: u32 = u32::MAX;

/// A register number; its type tells the compiler that it is below 16.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Reg {
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

const REGS: [Reg; 16] = {
    use Reg::*;
    [R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14, R15]
};

/// How a block's entry, and with it the block, came to an end.
#[derive(Clone, Copy, Debug)]
enum Flow {
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

type Handler = fn(&mut Cpu, &mut Space, &Entry, &[Entry]) -> Flow;

/// One instruction, or two or three fused.
#[derive(Clone, Copy)]
struct Entry {
    run: Handler,
    a: Reg,
    b: Reg,
    c: Reg,
    d: Reg,
    imm: u32,
    imm2: u32,
    /// Bytes from the block's start.
    at: u16,
    /// Instructions of the block before this one.
    before: u8,
    /// Length of the first instruction in bytes.
    length: u8,
}

struct Block {
    pc: u32,
    /// Instructions; `NONE` for a block whose code has changed.
    cost: u32,
    successors: [u32; 2],
    entries: Box<[Entry]>,
}

/// Predecoded code of one machine. Holds nothing of the guest's state: dropping it changes nothing but the speed.
pub struct Interpreter {
    blocks: Vec<Block>,
    /// Entries made for these blocks.
    entries: usize,
    table: Box<[(u32, u32); TABLE]>,
    by_pc: HashMap<u32, u32>,
    by_page: HashMap<u32, Vec<u32>>,
    restless: HashMap<u32, u32>,
    /// How often everything was dropped; numbers of blocks mean something else afterwards.
    generation: u64,
}

impl std::fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interpreter").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

impl Default for Interpreter {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            entries: 0,
            table: Box::new([(0, NONE); TABLE]),
            by_pc: HashMap::new(),
            by_page: HashMap::new(),
            restless: HashMap::new(),
            generation: 0,
        }
    }
}

impl Interpreter {
    /// Runs until something is not plain, or the fuel left does not cover the next block. `fuel` goes down by one for each instruction executed.
    pub fn run(&mut self, cpu: &mut Cpu, space: &mut Space, fuel: &mut u64) -> Exit {
        let Some(mut current) = self.find(cpu.pc, space) else { return Exit::Step };
        loop {
            let Some(block) = self.blocks.get(current as usize) else { return Exit::Flush };
            let cost = u64::from(block.cost);
            if cost > *fuel {
                cpu.pc = block.pc;
                if block.cost != NONE {
                    return Exit::Fuel;
                }
                match self.find(cpu.pc, space) {
                    Some(found) => current = found,
                    None => return Exit::Step,
                }
                continue;
            }
            let [first, rest @ ..] = &*block.entries else { return Exit::Step };
            let left = match (first.run)(cpu, space, first, rest) {
                Flow::Taken => {
                    *fuel -= cost;
                    let next = block.successors[0];
                    if next == NONE {
                        match self.link(current, 0, cpu.pc, space) {
                            Some(found) => current = found,
                            None => return Exit::Step,
                        }
                    } else {
                        current = next;
                    }
                    continue;
                }
                Flow::Next => {
                    *fuel -= cost;
                    let next = block.successors[1];
                    if next == NONE {
                        match self.link(current, 1, cpu.pc, space) {
                            Some(found) => current = found,
                            None => return Exit::Step,
                        }
                    } else {
                        current = next;
                    }
                    continue;
                }
                Flow::Indirect => {
                    *fuel -= cost;
                    let (pc, found) = self.table[slot(cpu.pc)];
                    if pc == cpu.pc && found != NONE {
                        current = found;
                        continue;
                    }
                    match self.find(cpu.pc, space) {
                        Some(found) => current = found,
                        None => return Exit::Step,
                    }
                    continue;
                }
                Flow::ChangedAtEnd => {
                    *fuel -= cost;
                    return Exit::Flush;
                }
                Flow::Changed(left) => {
                    // The entry after the one that changed code is the next to be executed.
                    let index = block.entries.len() - left;
                    let Some(entry) = block.entries.get(index) else { return Exit::Flush };
                    *fuel -= u64::from(entry.before);
                    cpu.pc = block.pc.wrapping_add(u32::from(entry.at));
                    return Exit::Flush;
                }
                Flow::Fault(left) => (left, false),
                Flow::FaultSecond(left) => (left, true),
            };
            let (left, second) = left;
            let entry = &block.entries[block.entries.len() - left - 1];
            *fuel -= u64::from(entry.before) + u64::from(second);
            let within = u32::from(entry.at) + if second { u32::from(entry.length) } else { 0 };
            cpu.pc = block.pc.wrapping_add(within);
            return Exit::Step;
        }
    }

    /// Drops what was made from these pages.
    pub fn forget(&mut self, pages: &[u32]) {
        for page in pages {
            *self.restless.entry(*page).or_default() += 1;
            for index in self.by_page.remove(page).unwrap_or_default() {
                let Some(block) = self.blocks.get_mut(index as usize) else { continue };
                block.cost = NONE;
                block.entries = Box::default();
                if self.by_pc.get(&block.pc) == Some(&index) {
                    self.by_pc.remove(&block.pc);
                }
                let cached = &mut self.table[slot(block.pc)];
                if cached.1 == index {
                    *cached = (0, NONE);
                }
            }
        }
    }

    fn clear(&mut self) {
        let restless = std::mem::take(&mut self.restless);
        *self = Self { restless, generation: self.generation + 1, ..Self::default() };
    }

    #[cold]
    fn link(&mut self, from: u32, successor: usize, pc: u32, space: &mut Space) -> Option<u32> {
        let generation = self.generation;
        let found = self.find(pc, space)?;
        if generation == self.generation
            && let Some(block) = self.blocks.get_mut(from as usize)
        {
            block.successors[successor] = found;
        }
        Some(found)
    }

    fn find(&mut self, pc: u32, space: &mut Space) -> Option<u32> {
        let found = match self.by_pc.get(&pc) {
            Some(found) => *found,
            None => self.decode(pc, space)?,
        };
        self.table[slot(pc)] = (pc, found);
        Some(found)
    }

    /// Decodes the block at `pc`; none if even its first instruction is not plain.
    #[cold]
    fn decode(&mut self, pc: u32, space: &mut Space) -> Option<u32> {
        if self.blocks.len() >= MOST_BLOCKS || self.entries >= MOST_ENTRIES {
            self.clear();
        }
        let mut plain: Vec<(Instruction, u32)> = Vec::with_capacity(LONGEST_BLOCK);
        let mut at = pc;
        while plain.len() < LONGEST_BLOCK {
            let mut bytes = [0; LONGEST];
            let count = space.read_up_to(at, &mut bytes);
            let Ok(instruction) = Instruction::decode(&bytes[..count]) else { break };
            let last = at.wrapping_add(u32::from(instruction.length()) - 1);
            if [at >> 12, last >> 12].iter().any(|page| self.restless.get(page).is_some_and(|count| *count >= RESTLESS)) {
                break;
            }
            let special = matches!(instruction.op, Op::Swi | Op::Brk) || (instruction.op == Op::Ssr && (6..=9).contains(&instruction.imm));
            // A block does not wrap around the address space.
            if special || last < at || last == u32::MAX {
                break;
            }
            plain.push((instruction, at));
            at = last + 1;
            if instruction.ends_block() {
                break;
            }
        }
        let (last, last_at) = *plain.last()?;
        for page in pc >> 12..=last_at.wrapping_add(u32::from(last.length()) - 1) >> 12 {
            space.watch_code(page);
        }
        if space.code_has_changed() {
            // The page cannot be watched.
            return None;
        }
        let index = self.blocks.len() as u32;
        let entries = fuse(&plain, pc, at);
        self.entries += entries.len();
        self.blocks.push(Block { pc, cost: plain.len() as u32, successors: [NONE; 2], entries: entries.into() });
        self.by_pc.insert(pc, index);
        for page in pc >> 12..=(at - 1) >> 12 {
            self.by_page.entry(page).or_default().push(index);
        }
        Some(index)
    }
}

fn slot(pc: u32) -> usize {
    (pc >> 1) as usize % TABLE
}

// ---- entries ------------------------------------------------------------------------------------------------------------------------------

/// Operations on registers that never fault, as numbers for the generic functions below.
const SIMPLE: [Op; 15] = [
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
const LOADS: [Op; 6] = [Op::LdL, Op::LdoL, Op::LdB, Op::LdoB, Op::LdS, Op::LdoS];
const STORES: [Op; 6] = [Op::StL, Op::StoL, Op::StB, Op::StoB, Op::StS, Op::StoS];
const BRANCHES: [Op; 10] = [Op::Beq, Op::Bne, Op::Blt, Op::Bgt, Op::Bltu, Op::Bgtu, Op::Bge, Op::Ble, Op::Bgeu, Op::Bleu];
/// Registers only, and rare enough not to be fused.
const OTHERS: [Op; 7] = [Op::SexB, Op::SexS, Op::ZexS, Op::Mul, Op::MulX, Op::UmulX, Op::Nop];

#[inline(always)]
fn get(cpu: &Cpu, register: Reg) -> u32 {
    cpu.registers[register as usize]
}

#[inline(always)]
fn set(cpu: &mut Cpu, register: Reg, value: u32) {
    cpu.registers[register as usize] = value;
}

#[inline(always)]
fn next(cpu: &mut Cpu, space: &mut Space, rest: &[Entry]) -> Flow {
    match rest {
        [entry, rest @ ..] => (entry.run)(cpu, space, entry, rest),
        // Every block ends with an entry that does not come here.
        [] => Flow::Indirect,
    }
}

#[inline(always)]
fn simple<const X: usize>(cpu: &mut Cpu, a: Reg, b: Reg, imm: u32) {
    if let Some(value) = compute(SIMPLE[X], get(cpu, a), get(cpu, b), imm) {
        set(cpu, a, value);
    }
}

#[inline(always)]
fn load<const X: usize>(cpu: &mut Cpu, space: &Space, a: Reg, b: Reg, imm: u32) -> bool {
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
fn store<const X: usize>(cpu: &Cpu, space: &mut Space, a: Reg, b: Reg, imm: u32) -> bool {
    let (to, value) = (get(cpu, a).wrapping_add(imm), get(cpu, b));
    match STORES[X] {
        Op::StL | Op::StoL => space.store_u32(to, value),
        Op::StS | Op::StoS => space.store_u16(to, value as u16),
        _ => space.store_u8(to, value as u8),
    }
}

fn run_simple<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    next(cpu, space, rest)
}

fn run_simple_simple<const X: usize, const Y: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    simple::<Y>(cpu, entry.c, entry.d, entry.imm2);
    next(cpu, space, rest)
}

fn run_simple_load<const X: usize, const Y: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    if load::<Y>(cpu, space, entry.c, entry.d, entry.imm2) { next(cpu, space, rest) } else { Flow::FaultSecond(rest.len()) }
}

fn run_load_simple<const Y: usize, const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if !load::<Y>(cpu, space, entry.a, entry.b, entry.imm) {
        return Flow::Fault(rest.len());
    }
    simple::<X>(cpu, entry.c, entry.d, entry.imm2);
    next(cpu, space, rest)
}

fn run_simple_store<const X: usize, const Y: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    simple::<X>(cpu, entry.a, entry.b, entry.imm);
    if !store::<Y>(cpu, space, entry.c, entry.d, entry.imm2) {
        return Flow::FaultSecond(rest.len());
    }
    after_store(cpu, space, rest)
}

fn run_load<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if load::<X>(cpu, space, entry.a, entry.b, entry.imm) { next(cpu, space, rest) } else { Flow::Fault(rest.len()) }
}

fn run_store<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if store::<X>(cpu, space, entry.a, entry.b, entry.imm) { after_store(cpu, space, rest) } else { Flow::Fault(rest.len()) }
}

#[inline(always)]
fn after_store(cpu: &mut Cpu, space: &mut Space, rest: &[Entry]) -> Flow {
    if space.code_has_changed() { Flow::Changed(rest.len()) } else { next(cpu, space, rest) }
}

fn run_other<const X: usize>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if let Some(value) = compute(OTHERS[X], get(cpu, entry.a), get(cpu, entry.b), entry.imm) {
        set(cpu, entry.a, value);
    }
    next(cpu, space, rest)
}

/// Division: leaves the trap to the book.
fn run_divide<const X: u8>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
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
fn run_load_absolute<const SIZE: u8>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
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

fn run_store_absolute<const SIZE: u8>(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let value = get(cpu, entry.a);
    let good = match SIZE {
        1 => space.store_u8(entry.imm, value as u8),
        2 => space.store_u16(entry.imm, value as u16),
        _ => space.store_u32(entry.imm, value),
    };
    if good { after_store(cpu, space, rest) } else { Flow::Fault(rest.len()) }
}

fn run_push(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let to = get(cpu, entry.a).wrapping_sub(4);
    if !space.store_u32(to, get(cpu, entry.b)) {
        return Flow::Fault(rest.len());
    }
    set(cpu, entry.a, to);
    after_store(cpu, space, rest)
}

fn run_pop(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let from = get(cpu, entry.a);
    let Some(value) = space.load_u32(from) else { return Flow::Fault(rest.len()) };
    set(cpu, entry.b, value);
    set(cpu, entry.a, from.wrapping_add(4));
    next(cpu, space, rest)
}

fn run_get_special(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let value = cpu.special[(entry.imm & 255) as usize];
    set(cpu, entry.a, value);
    next(cpu, space, rest)
}

fn run_set_special(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    cpu.special[(entry.imm & 255) as usize] = get(cpu, entry.a);
    next(cpu, space, rest)
}

fn run_compare(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let (a, b) = (get(cpu, entry.a), get(cpu, entry.b));
    cpu.compare(a, b);
    next(cpu, space, rest)
}

#[inline(always)]
fn branch<const C: usize>(cpu: &mut Cpu, entry: &Entry, a: u32, b: u32) -> Flow {
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
fn run_compare_branch<const C: usize>(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    let (a, b) = (get(cpu, entry.c), get(cpu, entry.d));
    branch::<C>(cpu, entry, a, b)
}

fn run_branch<const C: usize>(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    if cpu.compared != 0 && condition(BRANCHES[C], cpu.compare_a, cpu.compare_b) {
        cpu.pc = entry.imm;
        Flow::Taken
    } else {
        cpu.pc = entry.imm2;
        Flow::Next
    }
}

fn run_jump(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    cpu.pc = entry.imm;
    Flow::Taken
}

fn run_jump_register(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    cpu.pc = get(cpu, entry.a);
    Flow::Indirect
}

#[inline(always)]
fn enter(cpu: &mut Cpu, space: &mut Space, back: u32, rest: &[Entry]) -> Result<(), Flow> {
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

fn run_call(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    if let Err(flow) = enter(cpu, space, entry.imm2, rest) {
        return flow;
    }
    cpu.pc = entry.imm;
    if space.code_has_changed() { Flow::ChangedAtEnd } else { Flow::Taken }
}

fn run_call_register(cpu: &mut Cpu, space: &mut Space, entry: &Entry, rest: &[Entry]) -> Flow {
    let target = get(cpu, entry.a);
    if let Err(flow) = enter(cpu, space, entry.imm2, rest) {
        return flow;
    }
    cpu.pc = target;
    if space.code_has_changed() { Flow::ChangedAtEnd } else { Flow::Indirect }
}

fn run_return(cpu: &mut Cpu, space: &mut Space, _entry: &Entry, rest: &[Entry]) -> Flow {
    let frame = get(cpu, Reg::R0);
    let (Some(caller), Some(back)) = (space.load_u32(frame), space.load_u32(frame.wrapping_add(4))) else { return Flow::Fault(rest.len()) };
    set(cpu, Reg::R0, caller);
    set(cpu, Reg::R1, frame.wrapping_add(12));
    cpu.pc = back;
    Flow::Indirect
}

/// The end of a block that simply goes on.
fn run_on(cpu: &mut Cpu, _space: &mut Space, entry: &Entry, _rest: &[Entry]) -> Flow {
    cpu.pc = entry.imm;
    Flow::Taken
}

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
fn fuse(plain: &[(Instruction, u32)], start: u32, end: u32) -> Vec<Entry> {
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
