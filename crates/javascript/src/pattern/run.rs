//! The loop over instructions, and the way back when one fails.

use super::matcher::{Flow, Machine, NONE, Step, frame, is_line_end, is_pair, is_word, state};
use super::program::{Code, HEADER, Header, at, op, point, run};
use super::store::Store;
use super::text::Text;
use super::unicode::canonical;

impl<C: Code, T: Text, S: Store> Machine<'_, C, T, S> {
    /// Runs until something ends it.
    pub(super) fn run(&mut self) -> Step {
        if self.has(state::FAILING) {
            self.flags &= !state::FAILING;
            if let Some(step) = self.fail() {
                return step;
            }
        }
        loop {
            if self.fuel <= 0 {
                return Step::OutOfFuel;
            }
            self.fuel -= 1;
            let word = self.word(0);
            let operand = word >> 8;
            let flow = match word & 0xFF {
                op::CHAR => {
                    if self.position < self.length && self.text.unit(self.position) == operand {
                        self.position += 1;
                        self.pc += 1;
                        continue;
                    }
                    Flow::Fail
                }
                op::CHAR_2 => {
                    if self.position < self.length {
                        let unit = self.text.unit(self.position);
                        if unit == operand || unit == self.word(1) {
                            self.position += 1;
                            self.pc += 2;
                            continue;
                        }
                    }
                    Flow::Fail
                }
                op::CLASS => {
                    if self.position < self.length && self.in_class(operand, self.text.unit(self.position)) {
                        self.position += 1;
                        self.pc += 1;
                        continue;
                    }
                    Flow::Fail
                }
                op::CLASS_POINT => match self.take(operand, true, self.position) {
                    Some(next) => {
                        self.position = next;
                        self.pc += 1;
                        continue;
                    }
                    None => Flow::Fail,
                },
                op::TEXT => self.literal(operand),
                op::CHAR_BACK => {
                    if self.position > 0 && self.text.unit(self.position - 1) == operand {
                        self.position -= 1;
                        self.pc += 1;
                        continue;
                    }
                    Flow::Fail
                }
                op::CHAR_2_BACK => {
                    if self.position > 0 {
                        let unit = self.text.unit(self.position - 1);
                        if unit == operand || unit == self.word(1) {
                            self.position -= 1;
                            self.pc += 2;
                            continue;
                        }
                    }
                    Flow::Fail
                }
                op::CLASS_BACK | op::CLASS_POINT_BACK => {
                    let points = word & 0xFF == op::CLASS_POINT_BACK;
                    if self.position > 0 {
                        let before = self.before(self.position, points);
                        if self.take(operand, points, before).is_some() {
                            self.position = before;
                            self.pc += 1;
                            continue;
                        }
                    }
                    Flow::Fail
                }
                op::START => self.when(self.position == 0),
                op::START_OF_LINE => self.when(self.position == 0 || is_line_end(self.text.unit(self.position - 1))),
                op::END => self.when(self.position >= self.length),
                op::END_OF_LINE => self.when(self.position >= self.length || is_line_end(self.text.unit(self.position))),
                op::BOUNDARY => {
                    let folded = operand & 2 != 0;
                    let before = self.position > 0 && is_word(self.text.unit(self.position - 1), folded);
                    let behind = self.position < self.length && is_word(self.text.unit(self.position), folded);
                    self.when((before != behind) != (operand & 1 != 0))
                }
                op::SAVE => {
                    if !self.room(2) {
                        return self.no_room();
                    }
                    self.set(operand.wrapping_add(state::SIZE), self.position);
                    self.pc += 1;
                    continue;
                }
                op::RESET => self.reset(operand),
                op::JUMP => {
                    self.pc = operand;
                    continue;
                }
                op::SPLIT | op::SPLIT_AWAY => {
                    let (next, other) = match word & 0xFF {
                        op::SPLIT => (self.pc + 2, operand),
                        _ => (operand, self.pc + 2),
                    };
                    match self.decide(self.word(1)) {
                        Ok(()) => {
                            self.push(self.position);
                            self.push(other << 4 | frame::CHOICE);
                            self.pc = next;
                            continue;
                        }
                        Err(flow) => flow,
                    }
                }
                op::BRANCH | op::BRANCH_AWAY => match self.decide(self.word(1)) {
                    Ok(()) => {
                        let on = self.follows(self.word(2), self.position);
                        self.pc = if on == (word & 0xFF == op::BRANCH) { self.pc + 3 } else { operand };
                        continue;
                    }
                    Err(flow) => flow,
                },
                op::ADVANCE => self.when(self.register(operand) != self.position),
                op::ADVANCE_COUNTED => {
                    let counter = self.store.load(self.counters.wrapping_add(self.word(1)));
                    if counter > self.word(2) && self.register(operand) == self.position {
                        Flow::Fail
                    } else {
                        self.pc += 3;
                        continue;
                    }
                }
                op::ZERO => {
                    if !self.room(2) {
                        return self.no_room();
                    }
                    self.set(self.counters.wrapping_add(operand), 0);
                    self.pc += 1;
                    continue;
                }
                op::LOOP => self.count(operand),
                op::RUN => self.take_many(operand),
                op::RUN_LAZY => match self.decide(self.word(1)) {
                    Ok(()) => {
                        self.push(self.position);
                        self.push(self.position);
                        self.push(self.pc << 4 | frame::EXTEND);
                        let hint = self.word(3);
                        if hint == 0 || self.follows(hint, self.position) {
                            self.pc += 5;
                            continue;
                        }
                        Flow::Fail
                    }
                    Err(flow) => flow,
                },
                op::EXACTLY => {
                    let (wanted, points) = (self.word(1), self.word(2) & run::POINTS != 0);
                    let (end, count) = self.scan(operand, points, wanted);
                    self.fuel -= i64::from(count >> 3);
                    if count == wanted {
                        self.position = end;
                        self.pc += 3;
                        continue;
                    }
                    Flow::Fail
                }
                op::BACK_REFERENCE => self.back_reference(operand),
                op::LOOK => {
                    if !self.room(3) {
                        return self.no_room();
                    }
                    let outer = if self.look < self.stack { 0 } else { self.look - self.stack + 1 };
                    self.look = self.top;
                    self.push(outer);
                    self.push(self.position);
                    self.push(self.pc << 4 | frame::LOOK);
                    self.pc += 2;
                    continue;
                }
                op::LOOK_END => self.look_succeeds(false),
                op::SEARCH => self.search(operand),
                op::MATCH => {
                    self.store.store(state::SIZE + 1, self.position);
                    self.replay_from(0)
                }
                op::FAIL => Flow::Fail,
                _ => return Step::Corrupt,
            };
            match flow {
                Flow::On => {}
                Flow::Fail => {
                    if let Some(step) = self.fail() {
                        return step;
                    }
                }
                Flow::Stop(Step::OutOfMemory) => return self.no_room(),
                Flow::Stop(step) => return step,
            }
        }
    }

    /// An instruction could not be done for want of memory: it will be done again.
    pub(super) fn no_room(&mut self) -> Step {
        self.fuel += 1;
        Step::OutOfMemory
    }

    /// Ends an assertion of one word.
    #[inline(always)]
    pub(super) fn when(&mut self, holds: bool) -> Flow {
        if holds {
            self.pc += 1;
            Flow::On
        } else {
            Flow::Fail
        }
    }

    /// Before a decision: room for its frames, and the memo's word on it. An error is what to do
    /// instead of deciding.
    #[inline(always)]
    pub(super) fn decide(&mut self, point: u32) -> Result<(), Flow> {
        if !self.room(4) {
            return Err(Flow::Stop(Step::OutOfMemory));
        }
        if self.has(state::MEMOISING) { self.ask(point) } else { Ok(()) }
    }

    #[inline(always)]
    pub(super) fn literal(&mut self, count: u32) -> Flow {
        let end = self.position.wrapping_add(count);
        if end > self.length || end < self.position {
            return Flow::Fail;
        }
        for i in 0..count {
            let unit = self.word(1 + i / 2) >> (i % 2 * 16) & 0xFFFF;
            if self.text.unit(self.position + i) != unit {
                self.fuel -= i64::from(i >> 2);
                return Flow::Fail;
            }
        }
        self.fuel -= i64::from(count >> 2);
        self.position = end;
        self.pc = self.pc.wrapping_add(1 + count.div_ceil(2));
        Flow::On
    }

    pub(super) fn reset(&mut self, first: u32) -> Flow {
        let spans = [(first, self.word(1)), (self.word(2), self.word(3))];
        let count = spans[0].1.saturating_add(spans[1].1).min(1 << 20);
        if !self.room(count * 2) {
            return Flow::Stop(Step::OutOfMemory);
        }
        self.fuel -= i64::from(count >> 2);
        for (first, count) in spans {
            for register in (0..count.min(1 << 19)).map(|i| first.wrapping_add(i)) {
                if self.register(register) != NONE {
                    self.set(register.wrapping_add(state::SIZE), NONE);
                }
            }
        }
        self.pc += 4;
        Flow::On
    }

    /// The head of a counted loop that ends at `exit`.
    pub(super) fn count(&mut self, exit: u32) -> Flow {
        if let Err(flow) = self.decide(self.word(1)) {
            return flow;
        }
        let (counter, least, most) = (self.word(2), self.word(3), self.word(4));
        let lazy = counter >> 31 != 0;
        let count = self.store.load(self.counters.wrapping_add(counter & 0xFFFF));
        if count >= least {
            if count >= most && most != point::INFINITE {
                self.pc = exit;
                return Flow::On;
            }
            self.push(self.position);
            if lazy {
                self.push(self.pc << 4 | frame::ITERATE);
                self.pc = exit;
                return Flow::On;
            }
            self.push(exit << 4 | frame::CHOICE);
        }
        self.iterate(count);
        Flow::On
    }

    /// Counts an iteration of the loop at the program counter and enters it.
    pub(super) fn iterate(&mut self, count: u32) {
        let (counter, least, most) = (self.word(2) & 0xFFFF, self.word(3), self.word(4));
        let mut next = count.saturating_add(1);
        if most == point::INFINITE {
            // Beyond this all counts are the same to the loop, and so they are to the memo.
            next = next.min(least.saturating_add(1));
        }
        self.set(self.counters.wrapping_add(counter), next);
        self.pc += 5;
    }

    pub(super) fn back_reference(&mut self, count: u32) -> Flow {
        let bits = self.word(1);
        let (fold, back) = (bits & 1 != 0, bits & 2 != 0);
        let mut matched = None;
        self.fuel -= i64::from(count >> 2);
        for i in 0..count.min(1 << 15) {
            let group = self.word(2 + i).min(1 << 16);
            let (start, end) = (self.register(2 * group), self.register(2 * group + 1));
            if start != NONE && end != NONE && start <= end && end <= self.length {
                matched = Some((start, end - start));
                break;
            }
        }
        self.pc = self.pc.wrapping_add(2 + count);
        let Some((start, length)) = matched else { return Flow::On };
        let here = if back {
            let Some(here) = self.position.checked_sub(length) else { return Flow::Fail };
            here
        } else {
            if self.length - self.position < length {
                return Flow::Fail;
            }
            self.position
        };
        let unicode = Header(self.code).flags().unicode();
        let mut i = 0;
        while i < length {
            let (a, b) = (start + i, here + i);
            if fold {
                let ((a, next), (b, _)) =
                    if unicode { (self.point_at(a), self.point_at(b)) } else { ((self.text.unit(a), a + 1), (self.text.unit(b), b + 1)) };
                if a != b && canonical(a, unicode) != canonical(b, unicode) {
                    break;
                }
                i = next - start;
            } else {
                if self.text.unit(a) != self.text.unit(b) {
                    break;
                }
                i += 1;
            }
        }
        self.fuel -= i64::from(i >> if fold { 0 } else { 3 });
        // In unicode mode half a pair is not the same as half of nothing.
        let halved = |place: u32| unicode && is_pair(self.text, place.wrapping_sub(1));
        if i < length || halved(here) || halved(here + length) {
            return Flow::Fail;
        }
        self.position = if back { here } else { here + length };
        Flow::On
    }

    /// Takes back frames until one says where to go on. `Some`: the match is over or paused.
    pub(super) fn fail(&mut self) -> Option<Step> {
        loop {
            if self.fuel <= 0 {
                self.flags |= state::FAILING;
                return Some(Step::OutOfFuel);
            }
            self.fuel -= 1;
            if self.fuel < self.due {
                self.consider_memo();
            }
            match self.take_back() {
                Flow::On => return None,
                Flow::Fail => {}
                Flow::Stop(step) => {
                    self.flags |= state::FAILING;
                    return Some(step);
                }
            }
        }
    }

    /// Takes back one frame.
    #[inline(always)]
    pub(super) fn take_back(&mut self) -> Flow {
        if self.top < self.stack + 2 {
            return self.attempt_fails();
        }
        let word = self.store.load(self.top - 1);
        let operand = word >> 4;
        match word & 15 {
            frame::UNDO => {
                let value = self.store.load(self.top - 2);
                self.top -= 2;
                self.store.store(operand.max(state::SIZE), value);
                Flow::Fail
            }
            frame::CHOICE => {
                self.position = self.store.load(self.top - 2).min(self.length);
                self.top -= 2;
                self.pc = operand;
                Flow::On
            }
            frame::BACK_OFF => self.back_off(operand),
            frame::EXTEND => self.extend(operand),
            frame::ITERATE => {
                self.position = self.store.load(self.top - 2).min(self.length);
                self.top -= 2;
                self.pc = operand;
                let count = self.store.load(self.counters.wrapping_add(self.word(2) & 0xFFFF));
                // The frame that was taken off made the room.
                self.iterate(count);
                Flow::On
            }
            frame::PATH => {
                self.top -= 2;
                Flow::Fail
            }
            frame::PATH_RUN if self.top >= self.stack + 3 => {
                self.top -= 3;
                Flow::Fail
            }
            frame::PATH_HASHED if self.top - self.stack > operand => {
                self.top -= operand + 1;
                Flow::Fail
            }
            frame::LOOK if self.top >= self.stack + 3 => self.look_fails(operand),
            _ => Flow::Stop(Step::Corrupt),
        }
    }

    /// Nothing is left to go back to: the attempt has failed.
    pub(super) fn attempt_fails(&mut self) -> Flow {
        if self.store.load(state::REPLAY) > 0 {
            // Only damage can bring it here; the groups of that look-around stay as they are.
            let number = self.store.load(state::REPLAY);
            return self.replay_from(number);
        }
        if self.has(state::STICKY) || self.start >= self.length {
            return Flow::Stop(Step::Failed);
        }
        let (_, next) = if Header(self.code).flags().unicode() { self.point_at(self.start) } else { (0, self.start + 1) };
        let next = next.max(self.store.load(state::SKIP).min(self.length));
        self.start = next;
        self.top = self.stack;
        self.look = 0;
        self.pc = HEADER;
        if self.has(state::DIRTY) {
            self.flags &= !state::DIRTY;
            let registers = self.code.word(at::REGISTERS).min(1 << 20);
            self.fuel -= i64::from(registers >> 4);
            for register in 0..registers {
                self.store.store(state::SIZE + register, NONE);
            }
        }
        Flow::On
    }
}
