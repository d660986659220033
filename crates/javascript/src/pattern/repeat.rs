//! What passes over many characters at once: runs of a class, and the search for a beginning.

use super::matcher::{Flow, Machine, STRETCH, Step, Verdict, frame, is_line_end, is_pair, state};
use super::program::{Code, Header, point, run, search};
use super::store::Store;
use super::text::Text;

impl<C: Code, T: Text, S: Store> Machine<'_, C, T, S> {
    /// A greedy run of a class.
    #[inline(always)]
    pub(super) fn take_many(&mut self, class: u32) -> Flow {
        if !self.room(6) {
            return Flow::Stop(Step::OutOfMemory);
        }
        if self.has(state::MEMOISING) {
            return self.take_many_remembering(class);
        }
        let (most, bits) = (self.word(2), self.word(4));
        let points = bits & run::POINTS != 0;
        let from = self.position;
        let stretch = if most == point::INFINITE { STRETCH } else { most };
        let (end, count) = self.scan(class, points, stretch);
        self.fuel -= i64::from(count >> 3);
        if count == 0 {
            let hint = self.word(3);
            if hint != 0 && !self.follows(hint, from) {
                return Flow::Fail;
            }
            self.pc += 5;
            return Flow::On;
        }
        self.position = end;
        if bits & run::LEADING != 0 {
            self.store.store(state::SKIP, end);
        }
        let whole = count < STRETCH || most != point::INFINITE;
        if bits & run::ATOMIC == 0 {
            self.push(from);
            self.push(end);
            self.push(self.pc << 4 | frame::BACK_OFF);
            let hint = self.word(3);
            if whole && hint != 0 && !self.follows(hint, end) {
                return Flow::Fail;
            }
        }
        if whole {
            self.pc += 5;
        }
        Flow::On
    }

    /// A greedy run while there is a memo.
    ///
    /// Without end, the run at each of its positions is a state of its own, and the run stops
    /// where another one has been before. With an end, what follows the run is the state.
    pub(super) fn take_many_remembering(&mut self, class: u32) -> Flow {
        let (number, most, bits) = (self.word(1), self.word(2), self.word(4));
        let points = bits & run::POINTS != 0;
        let atomic = bits & run::ATOMIC != 0;
        let from = self.position;
        if !self.room_to_remember() {
            return Flow::Stop(Step::OutOfMemory);
        }
        if most != point::INFINITE {
            let (end, count) = self.scan(class, points, most);
            self.fuel -= i64::from(count >> 3);
            self.position = end;
            if !atomic && count > 0 {
                self.push(from);
                self.push(end);
                self.push(self.pc << 4 | frame::BACK_OFF);
            }
            if let Err(flow) = self.ask(number) {
                return flow;
            }
            self.pc += 5;
            return Flow::On;
        }
        if let Err(flow) = self.ask(number) {
            return flow;
        }
        let mut end = from;
        let mut count = 0;
        let mut seen = false;
        let mut next = self.take(class, points, end);
        while let Some(there) = next
            && count < STRETCH
        {
            count += 1;
            match self.ask_run(number, there) {
                Verdict::New => {}
                Verdict::Failed => {
                    seen = true;
                    break;
                }
                Verdict::Succeeded => {
                    // Success is known from there on: so is it for the run up to it.
                    self.push(from);
                    self.push(there);
                    self.push(self.pc << 4 | frame::PATH_RUN);
                    self.fuel -= i64::from(count);
                    return self.look_succeeds(true);
                }
            }
            end = there;
            next = self.take(class, points, end);
        }
        self.fuel -= i64::from(count);
        self.position = end;
        if seen && atomic {
            return Flow::Fail;
        }
        self.push(from);
        self.push(end);
        self.push(self.pc << 4 | if atomic { frame::PATH_RUN } else { frame::BACK_OFF });
        if let Some(next) = next.filter(|_| !seen) {
            // A long one: go on with the same instruction behind what was looked at.
            self.position = next;
            return Flow::On;
        }
        let hint = self.word(3);
        if hint != 0 && !self.follows(hint, end) {
            return Flow::Fail;
        }
        self.pc += 5;
        Flow::On
    }

    /// Gives back one character of the run at `address`, whose frame is on top.
    pub(super) fn back_off(&mut self, address: u32) -> Flow {
        if self.top < self.stack + 3 {
            return Flow::Stop(Step::Corrupt);
        }
        let least = self.store.load(self.top - 3);
        let mut current = self.store.load(self.top - 2).min(self.length);
        self.pc = address;
        let (number, most, hint) = (self.word(1), self.word(2), self.word(3));
        let points = self.word(4) & run::POINTS != 0;
        let before = current;
        loop {
            if current <= least {
                self.top -= 3;
                self.fuel -= i64::from((before.wrapping_sub(current)) >> 3 & 0x1FFF_FFFF);
                return Flow::Fail;
            }
            current = self.before(current, T::WIDE && points);
            if hint == 0 || self.follows(hint, current) {
                break;
            }
        }
        self.fuel -= i64::from((before - current) >> 3);
        self.position = current;
        let remembering = self.has(state::MEMOISING);
        if current <= least && !remembering {
            // Nothing more to give; with a memo the frame is still a part of the path.
            self.top -= 3;
        } else {
            self.store.store(self.top - 2, current);
        }
        if remembering && most != point::INFINITE {
            if !self.room_to_remember() {
                // Back where it was, to be done again.
                self.store.store(self.top - 2, before);
                self.fuel += 1 + i64::from((before - current) >> 3);
                return Flow::Stop(Step::OutOfMemory);
            }
            if let Err(flow) = self.ask(number) {
                return flow;
            }
        }
        self.pc = self.pc.wrapping_add(5);
        Flow::On
    }

    /// Takes one more character for the lazy run at `address`, whose frame is on top.
    pub(super) fn extend(&mut self, address: u32) -> Flow {
        if self.top < self.stack + 3 {
            return Flow::Stop(Step::Corrupt);
        }
        let mut current = self.store.load(self.top - 2).min(self.length);
        self.pc = address;
        let class = self.word(0) >> 8;
        let (number, hint) = (self.word(1), self.word(3));
        let points = self.word(4) & run::POINTS != 0;
        let remembering = self.has(state::MEMOISING);
        let mut count = 0;
        loop {
            count += 1;
            let next = self.take(class, points, current);
            let seen = match next {
                None => true,
                Some(next) if remembering => match self.ask_run(number, next) {
                    Verdict::New => false,
                    Verdict::Failed => true,
                    Verdict::Succeeded => {
                        self.store.store(self.top - 2, next);
                        return self.look_succeeds(true);
                    }
                },
                Some(_) => false,
            };
            let Some(next) = next.filter(|_| !seen) else {
                self.top -= 3;
                self.fuel -= i64::from(count >> 2);
                return Flow::Fail;
            };
            current = next;
            if hint == 0 || count >= STRETCH || self.follows(hint, current) {
                break;
            }
        }
        self.fuel -= i64::from(count >> 2);
        self.store.store(self.top - 2, current);
        self.position = current;
        self.pc = self.pc.wrapping_add(5);
        Flow::On
    }

    /// Finds the next place where an attempt can begin, and begins it.
    pub(super) fn search(&mut self, kind: u32) -> Flow {
        let sticky = self.has(state::STICKY);
        let from = self.start;
        let to = self.length.min(from.saturating_add(STRETCH));
        let argument = self.word(1);
        let found = match kind {
            _ if sticky => Some(from),
            search::START => {
                if from > 0 {
                    return Flow::Stop(Step::Failed);
                }
                Some(0)
            }
            search::LINE => (from..=to).find(|&i| i == 0 || is_line_end(self.text.unit(i - 1))),
            search::UNIT => self.text.find(argument, from, to),
            search::UNITS => self.text.find_any([0, 8, 16].map(|shift| argument >> shift & 0xFF), from, to),
            search::CLASS => {
                let found = (from..to).find(|&i| self.in_class(argument, self.text.unit(i)));
                let at_end = to == self.length && self.follows(argument, self.length);
                found.or(at_end.then_some(to))
            }
            _ => Some(from),
        };
        let place = found.unwrap_or(to);
        self.fuel -= i64::from((place - from) >> 4);
        self.start = place;
        match found {
            None if to == self.length => return Flow::Stop(Step::Failed),
            // Not in this stretch.
            None => return Flow::On,
            Some(_) => {}
        }
        if T::WIDE && !sticky && place > 0 && is_pair(self.text, place - 1) && Header(self.code).flags().unicode() {
            // A pair's second half is not a place to begin.
            if place >= self.length {
                return Flow::Stop(Step::Failed);
            }
            self.start = place + 1;
            return Flow::On;
        }
        self.position = place;
        self.store.store(state::SIZE, place);
        self.pc += 2;
        Flow::On
    }
}
