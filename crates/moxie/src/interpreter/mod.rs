//! The fast interpreter: code decoded once into blocks, neighbours fused, fuel charged per block.
//!
//! A block is a straight run of instructions. Each of its entries names the function that executes it and passes control on to the next
//! entry's, in a call at the very end that release builds turn into a jump. A block is short, so the stack stays small in builds that do not.
//! Whatever is not plain is left to [`Machine::step`](crate::machine::Machine::step): the block ends before it, or gives up in the middle with
//! everything before that point done and paid for.

mod entry;
mod fuse;

use memory::Space;

use self::entry::{Entry, Flow};
use self::fuse::fuse;
use crate::by_address::ByAddress;
use crate::isa::{Instruction, LONGEST, Op};
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
    /// Address of a block and its number plus one; zeros where there is none, so that memory is touched only where it is used.
    table: Box<[(u32, u32)]>,
    by_pc: ByAddress<u32>,
    by_page: ByAddress<Vec<u32>>,
    restless: ByAddress<u32>,
    /// How often everything was dropped; numbers of blocks mean something else afterwards.
    generation: u64,
    /// Room to decode in, used again for every block.
    plain: Vec<(Instruction, u32)>,
    fused: Vec<Entry>,
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
            table: vec![(0, 0); TABLE].into(),
            by_pc: ByAddress::default(),
            by_page: ByAddress::default(),
            restless: ByAddress::default(),
            generation: 0,
            plain: Vec::new(),
            fused: Vec::new(),
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
                    if pc == cpu.pc && found != 0 {
                        current = found - 1;
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
                if cached.1 == index + 1 {
                    *cached = (0, 0);
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
        self.table[slot(pc)] = (pc, found + 1);
        Some(found)
    }

    /// Decodes the block at `pc`; none if even its first instruction is not plain.
    #[cold]
    fn decode(&mut self, pc: u32, space: &mut Space) -> Option<u32> {
        if self.blocks.len() >= MOST_BLOCKS || self.entries >= MOST_ENTRIES {
            self.clear();
        }
        let plain = &mut self.plain;
        plain.clear();
        let mut bytes = [0; LONGEST_BLOCK * LONGEST];
        let count = space.read_up_to(pc, &mut bytes);
        let mut rest = &bytes[..count];
        let mut at = pc;
        while plain.len() < LONGEST_BLOCK {
            let Ok(instruction) = Instruction::decode(rest) else { break };
            let last = at.wrapping_add(u32::from(instruction.length()) - 1);
            let is_restless = |page: u32| self.restless.get(&page).is_some_and(|count| *count >= RESTLESS);
            if !self.restless.is_empty() && (is_restless(at >> 12) || is_restless(last >> 12)) {
                break;
            }
            let special = matches!(instruction.op, Op::Swi | Op::Brk) || (instruction.op == Op::Ssr && (6..=9).contains(&instruction.imm));
            // A block does not wrap around the address space.
            if special || last < at || last == u32::MAX {
                break;
            }
            plain.push((instruction, at));
            rest = &rest[usize::from(instruction.length())..];
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
        self.fused.clear();
        fuse(plain, pc, at, &mut self.fused);
        self.entries += self.fused.len();
        self.blocks.push(Block { pc, cost: plain.len() as u32, successors: [NONE; 2], entries: self.fused.as_slice().into() });
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
