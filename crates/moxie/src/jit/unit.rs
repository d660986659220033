//! What is compiled at a time: a function's worth of code, found by decoding onwards from an entry.

use memory::{PAGE, Permission, Space};

use crate::isa::{Instruction, Op};

/// Most instructions of a unit.
pub(super) const LONGEST: usize = 1024;
/// Bytes that are looked at for a unit, at first and at most.
const WINDOWS: [usize; 2] = [768, LONGEST * 6];

/// One instruction of a unit.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) instruction: Instruction,
    pub(super) pc: u32,
    /// Something may jump here: everything is in its place, and fuel is charged.
    pub(super) leader: bool,
    /// Left to the caller, with everything in its place.
    pub(super) left: Option<Left>,
    /// Units from here to the end of the stretch that is charged together, this one counted.
    pub(super) cost: u32,
}

/// Why an instruction is not compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Only the interpreter knows how.
    Interpret,
    /// It touches memory that is not plain.
    Access,
}

/// How the code of a unit goes on behind its last instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It does not.
    Closed,
    /// At this address, elsewhere.
    Continue(u32),
    /// With something that the interpreter must look at.
    Interpret(u32),
}

/// A unit, decoded.
pub(super) struct Unit {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
    start: u32,
    /// By halfword from the start: the instruction that begins there, plus one.
    index: Vec<u16>,
    targets: Vec<bool>,
    window: Vec<u8>,
    /// Whether stores may change this code.
    pub(super) writable: bool,
}

impl Unit {
    pub(super) fn new() -> Self {
        Self {
            steps: Vec::with_capacity(LONGEST),
            end: End::Closed,
            start: 0,
            index: Vec::new(),
            targets: Vec::new(),
            window: Vec::new(),
            writable: false,
        }
    }

    /// One past the last byte that was decoded.
    pub(super) fn last_byte(&self) -> Option<(u32, u32)> {
        let last = self.steps.last()?;
        Some((self.start, last.pc.wrapping_add(u32::from(last.instruction.length()) - 1)))
    }

    /// The number of the instruction at an address, if one of this unit's begins there.
    pub(super) fn at(&self, pc: u32) -> Option<usize> {
        let offset = pc.wrapping_sub(self.start);
        if offset & 1 != 0 {
            return None;
        }
        let index = *self.index.get((offset / 2) as usize)?;
        usize::from(index).checked_sub(1)
    }

    /// Decodes from `start` on, while there is something to come: `known` says where compiled code stands already, `slow` which instructions
    /// touch memory that is not plain, `banned` which pages must not be compiled. False if not even the first
    /// instruction can be compiled.
    pub(super) fn discover(
        &mut self,
        space: &Space,
        start: u32,
        known: impl Fn(u32) -> bool,
        slow: impl Fn(u32) -> bool,
        banned: impl Fn(u32) -> bool,
    ) -> bool {
        self.start = start;
        for window in WINDOWS {
            if !self.look(space, start, window, &known, &slow, &banned) {
                return false;
            }
            // A unit that ends where the window does may be longer.
            if !matches!(self.end, End::Continue(pc) if pc.wrapping_sub(start) as usize + 6 > window) {
                break;
            }
        }
        self.mark();
        !self.steps.is_empty()
    }

    fn look(
        &mut self,
        space: &Space,
        start: u32,
        window: usize,
        known: &impl Fn(u32) -> bool,
        slow: &impl Fn(u32) -> bool,
        banned: &impl Fn(u32) -> bool,
    ) -> bool {
        self.steps.clear();
        let region = space.region(start, 1);
        self.writable = region.is_none_or(|region| region.permission == Permission::ReadWrite);
        let region_end = region.map_or((u64::from(start) | u64::from(PAGE - 1)) + 1, memory::space::Region::end);
        let mut limit = (region_end - u64::from(start)).min(window as u64);
        let mut page = start / PAGE;
        while u64::from(page) * u64::from(PAGE) < u64::from(start) + limit {
            if banned(page) {
                limit = (u64::from(page) * u64::from(PAGE)).saturating_sub(u64::from(start));
                break;
            }
            page += 1;
        }
        self.window.resize(limit as usize, 0);
        let readable = space.read_up_to(start, &mut self.window);
        self.window.truncate(readable);
        if readable < 2 {
            return false;
        }
        self.index.clear();
        self.index.resize(readable / 2 + 1, 0);
        self.targets.clear();
        self.targets.resize(readable / 2 + 1, false);
        self.targets[0] = true;
        self.decode(known, slow);
        true
    }

    fn decode(&mut self, known: &impl Fn(u32) -> bool, slow: &impl Fn(u32) -> bool) {
        let mut at = 0;
        // The farthest place ahead that something jumps to: code goes on at least until there.
        let mut farthest = 0;
        let mut fresh = false;
        loop {
            let pc = self.start.wrapping_add(at as u32);
            if self.steps.len() == LONGEST || at >= self.window.len() || (fresh && known(pc)) {
                self.end = End::Continue(pc);
                return;
            }
            let Ok(instruction) = Instruction::decode(&self.window[at..]) else {
                // At the end of the window it may only be cut off.
                let cut = self.window.len() - at < 6 && !self.steps.is_empty();
                self.end = if cut { End::Continue(pc) } else { End::Interpret(pc) };
                return;
            };
            let left = match instruction.op {
                Op::Swi | Op::Brk | Op::Gsr | Op::Ssr => Some(Left::Interpret),
                _ if slow(pc) => Some(Left::Access),
                _ => None,
            };
            self.index[at / 2] = self.steps.len() as u16 + 1;
            self.steps.push(Step { instruction, pc, leader: false, left, cost: 0 });
            let next = at + usize::from(instruction.length());
            if let Some(target) = instruction.target(pc) {
                let offset = target.wrapping_sub(self.start) as usize;
                if offset & 1 == 0 && offset < self.window.len() {
                    self.targets[offset / 2] = true;
                    if instruction.op != Op::Jsra {
                        farthest = farthest.max(offset);
                    }
                }
            }
            let closed = matches!(instruction.op, Op::Jmpa | Op::Jmp | Op::Ret | Op::Brk);
            if closed && farthest < next {
                self.end = End::Closed;
                return;
            }
            let backward = instruction.is_branch() && instruction.imm.cast_signed() < 0;
            fresh = closed || backward || left.is_some() || matches!(instruction.op, Op::Jsra | Op::Jsr);
            if fresh && let Some(target) = self.targets.get_mut(next / 2) {
                *target = true;
            }
            at = next;
        }
    }

    /// Marks leaders and works out what each stretch costs.
    fn mark(&mut self) {
        let mut after = 0;
        for step in self.steps.iter_mut().rev() {
            let offset = step.pc.wrapping_sub(self.start) as usize;
            step.leader = self.targets[offset / 2];
            let ends = step.left.is_some()
                || matches!(step.instruction.op, Op::Jmpa | Op::Jmp | Op::Ret | Op::Jsra | Op::Jsr)
                || (step.instruction.is_branch() && step.instruction.imm.cast_signed() < 0);
            step.cost = u32::from(step.left.is_none()) + if ends { 0 } else { after };
            after = if step.leader { 0 } else { step.cost };
        }
    }
}
