//! Look-arounds: how they end, and how their groups are found again.
//!
//! With a memo a look-around may succeed because a state in it is known to lead to its end. What
//! its groups matched is then not known, and rarely wanted: the last time it is run on the way to
//! the match decides. So its register notes the position, and when the match is there, the
//! look-around is run once more from that position (replayed), along the way that is known to
//! succeed. Groups, marks and back-references never depend on it: patterns with back-references
//! have no memo.

use super::matcher::{Flow, Machine, NONE, Step, frame, state};
use super::program::{Code, at, look};
use super::store::Store;
use super::text::Text;

impl<C: Code, T: Text, S: Store> Machine<'_, C, T, S> {
    /// The look-around whose frame (the top one, of the instruction at `address`) is taken back
    /// has failed.
    pub(super) fn look_fails(&mut self, address: u32) -> Flow {
        let base = self.top - 3;
        let saved = self.store.load(base + 1).min(self.length);
        self.leave(base);
        if self.code.word(address.wrapping_add(1)) & look::NEGATIVE == 0 {
            return Flow::Fail;
        }
        self.position = saved;
        self.pc = self.code.word(address) >> 8;
        Flow::On
    }

    /// Takes the frame at `base` and all above it off.
    fn leave(&mut self, base: u32) {
        let outer = self.store.load(base);
        self.look = match outer.checked_sub(1) {
            Some(relative) if relative < base - self.stack => self.stack + relative,
            _ => 0,
        };
        self.top = base;
    }

    /// The innermost look-around has come to its end. `known`: by what the memo says.
    pub(super) fn look_succeeds(&mut self, known: bool) -> Flow {
        if self.fuel < self.due {
            self.consider_memo();
        }
        let base = self.look;
        if base < self.stack || base + 3 > self.top {
            return Flow::Stop(Step::Corrupt);
        }
        let address = self.store.load(base + 2) >> 4;
        let saved = self.store.load(base + 1).min(self.length);
        let bits = self.code.word(address.wrapping_add(1));
        let negative = bits & look::NEGATIVE != 0;
        let kept = match self.unwind(base, negative, bits & look::CAPTURES != 0) {
            Some(kept) => kept,
            None => return Flow::Stop(Step::Corrupt),
        };
        let replay = self.store.load(state::REPLAY);
        if replay > 0 && base == self.stack {
            self.top = self.stack;
            self.look = 0;
            return self.replay_from(replay);
        }
        let end = self.top;
        self.leave(base);
        if negative {
            return Flow::Fail;
        }
        if kept < end {
            self.store.copy(kept, base, end - kept);
            self.top = base + (end - kept);
        }
        if known && bits & look::WANTED != 0 {
            // The frame that went made the room.
            let groups = self.code.word(at::GROUPS);
            self.set_register(groups.wrapping_mul(2).wrapping_add(bits & look::NUMBER), saved);
        }
        self.position = saved;
        self.pc = self.code.word(address) >> 8;
        Flow::On
    }

    /// Walks over the frames above the look-around's at `base`: what they say of the memo is
    /// noted. `undo`: values are given back; `keep`: the frames that would do so are gathered at
    /// the top of the stack. Gives the place where those begin.
    fn unwind(&mut self, base: u32, undo: bool, keep: bool) -> Option<u32> {
        let remembering = self.has(state::MEMOISING);
        let mut kept = self.top;
        if !remembering && !undo && !keep {
            return Some(kept);
        }
        let bottom = base + 3;
        let mut at = self.top;
        let mut count: i64 = 0;
        while at > bottom {
            count += 1;
            let word = self.store.load(at - 1);
            let operand = word >> 4;
            let size = match word & 15 {
                frame::CHOICE | frame::UNDO | frame::PATH | frame::ITERATE => 2,
                frame::BACK_OFF | frame::EXTEND | frame::LOOK | frame::PATH_RUN => 3,
                frame::PATH_HASHED => operand + 1,
                _ => return None,
            };
            if size > at - bottom {
                return None;
            }
            at -= size;
            match word & 15 {
                frame::UNDO => {
                    let value = self.store.load(at);
                    if undo {
                        self.store.store(operand.max(state::SIZE), value);
                    } else if keep {
                        kept -= 2;
                        self.store.store(kept, value);
                        self.store.store(kept + 1, word);
                    }
                }
                frame::PATH if remembering => {
                    let position = self.store.load(at);
                    self.set_bit(operand, position);
                }
                frame::PATH_HASHED if remembering => self.hashed_success(at, operand),
                frame::BACK_OFF | frame::EXTEND | frame::PATH_RUN if remembering => {
                    let (from, to) = (self.store.load(at), self.store.load(at + 1).min(self.length));
                    count += i64::from(to.saturating_sub(from)) >> 1;
                    self.run_succeeds(operand, from, to);
                }
                _ => {}
            }
        }
        self.fuel -= count >> 2;
        Some(kept)
    }

    /// The match is there but for the groups of look-arounds from number `next` on.
    pub(super) fn replay_from(&mut self, next: u32) -> Flow {
        if self.has(state::MEMOISING) {
            if !self.room(3) {
                return Flow::Stop(Step::OutOfMemory);
            }
            let groups = self.code.word(at::GROUPS);
            for number in next..self.code.word(at::LOOKS).min(1 << 20) {
                self.fuel -= 1;
                let register = groups.wrapping_mul(2).wrapping_add(number);
                let position = self.register(register);
                if position == NONE {
                    continue;
                }
                let address = self.code.word(self.code.word(at::LOOK_TABLE).wrapping_add(number)) & 0x00FF_FFFF;
                self.store.store(register.wrapping_add(state::SIZE), NONE);
                self.store.store(state::REPLAY, number + 1);
                self.position = position.min(self.length);
                self.top = self.stack;
                self.look = self.top;
                self.push(0);
                self.push(self.position);
                self.push(address << 4 | frame::LOOK);
                self.pc = address + 2;
                return Flow::On;
            }
        }
        Flow::Stop(Step::Matched)
    }
}
