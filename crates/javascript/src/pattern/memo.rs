//! What makes matching linear: a memo of the states that have been tried.
//!
//! A *point* is an instruction that decides. Without back-references, what can follow from a
//! point depends on the position, on which of the loops around it have taken nothing yet in this
//! iteration (they will refuse to end it), and on the counters of the counted loops around it; the
//! look-around it is in begins afresh, so loops outside of that do not matter. That is the key. The
//! loops that are still empty are always the innermost ones, so their number says which: each
//! point has a row of bits for each number, one bit per position. Points inside counted loops have
//! their keys in a hash table instead, which forgets when it is full: a memo may forget anything
//! but must never make anything up.
//!
//! A bit is set when a state is tried. If the state comes again, it has failed, or we would not be
//! here: it cannot be on its own way without having taken anything. Inside a look-around there is
//! another reason, namely that the look-around succeeded and all that was left of it was
//! forgotten. So there a second bit says that the state led to success; when a look-around succeeds,
//! all states on the way are still on the stack, as frames of their own, and get it.
//!
//! The memo costs memory and time, so it is made only when the fuel used is out of proportion to
//! the text passed; and if there is no memory for it, matching goes on without.

use super::matcher::{Flow, Machine, Step, Verdict, frame, state};
use super::program::{Code, at, op, point};
use super::store::Store;
use super::text::Text;

/// Slots that a key may lie in.
const PROBES: u32 = 8;

/// A point, and the part of the key that is not the position.
struct Key {
    row: u32,
    /// The row for success, 0 if the point is not in a look-around.
    success: u32,
    counters: u32,
    first_counter: u32,
}

impl<C: Code, T: Text, S: Store> Machine<'_, C, T, S> {
    /// Fuel used is out of proportion: makes a memo, or puts the question off.
    #[cold]
    pub(super) fn consider_memo(&mut self) {
        self.due = i64::MIN;
        let rows = self.code.word(at::ROWS);
        let stride = self.stride();
        if rows == 0 && stride == 0 || self.flags & (state::MEMOISING | state::NO_MEMO) != 0 {
            return;
        }
        let bits = u64::from(rows.min(1 << 24)) * (u64::from(self.length) + 1);
        let words = bits.div_ceil(32);
        let progress = u64::from(self.start.saturating_sub(self.store.load(state::FIRST)));
        // What passing so much text may cost, and what the memo itself does.
        let fair = progress * 32 + words + super::matcher::MEMO_AFTER;
        let spent = self.spent.saturating_add_signed(self.given - self.fuel);
        if spent < fair && !self.has(state::EAGER) {
            self.due = self.fuel.saturating_sub_unsigned(fair - spent);
            return;
        }
        let hashed = if stride == 0 { 0 } else { 64 * stride };
        match u32::try_from(words).ok().and_then(|w| w.checked_add(hashed)) {
            Some(total) if self.insert(total) => {
                self.flags |= state::MEMOISING;
                self.fuel -= i64::from(total >> 4);
                let first = self.stack - total;
                self.store.store(state::MEMO, first);
                self.store.store(state::HASHED, first + words as u32);
                self.store.store(state::CAPACITY, if stride == 0 { 0 } else { 64 });
                self.store.store(state::TAKEN, 0);
                self.store.clear(first, total);
            }
            _ => self.flags |= state::NO_MEMO,
        }
    }

    fn stride(&self) -> u32 {
        self.code.word(at::STRIDE).min(1 << 16)
    }

    /// Moves the stack up by `count` words.
    fn insert(&mut self, count: u32) -> bool {
        let needed = self.top.checked_add(count).and_then(|n| n.checked_add(64)).filter(|n| *n <= 1 << 30);
        let Some(needed) = needed else { return false };
        if needed > self.words {
            let grown = self.store.grow(needed);
            self.words = self.store.words();
            if !grown || self.words < needed {
                return false;
            }
        }
        let height = self.top.saturating_sub(self.stack);
        self.fuel -= i64::from(height >> 4);
        self.store.copy(self.stack, self.stack + count, height);
        if self.look >= self.stack {
            self.look = self.look.saturating_add(count);
        }
        self.stack += count;
        self.top += count;
        true
    }

    /// Room for what [`Machine::ask`] pushes and for a frame.
    pub(super) fn room_to_remember(&mut self) -> bool {
        let stride = self.stride();
        self.room(stride + 8)
    }

    fn key(&mut self, number: u32, position: u32, moved: bool) -> Key {
        let place = self.code.word(at::POINTS).wrapping_add(number.wrapping_mul(point::SIZE));
        let [first, marks, counters] = [0, 1, 2].map(|i| self.code.word(place.wrapping_add(i)));
        let (first_mark, marks) = (marks & 0xFFFF, marks >> 16);
        let mut empty = 0;
        if !moved {
            while empty < marks && self.register(first_mark + marks - 1 - empty) == position {
                empty += 1;
            }
            self.fuel -= i64::from(empty >> 3);
        }
        let row = (first & !point::IN_LOOK).wrapping_add(empty);
        let success = if first & point::IN_LOOK != 0 { row.wrapping_add(marks + 1) } else { 0 };
        Key { row, success, counters: counters >> 16, first_counter: counters & 0xFFFF }
    }

    /// Whether the look-around we are in, if any, is being replayed.
    fn replaying(&self) -> bool {
        self.look == self.stack && self.store.load(state::REPLAY) > 0
    }

    /// Asks about, and notes, a state at the present position. An error is what to do instead of
    /// going on with it.
    pub(super) fn ask(&mut self, number: u32) -> Result<(), Flow> {
        if !self.room_to_remember() {
            return Err(Flow::Stop(Step::OutOfMemory));
        }
        let key = self.key(number, self.position, false);
        match self.look_up(&key, self.position, true) {
            Verdict::New => Ok(()),
            Verdict::Failed => Err(Flow::Fail),
            Verdict::Succeeded => Err(self.look_succeeds(true)),
        }
    }

    /// The same for a run that has come to `position`, whose frame will stand for the path.
    pub(super) fn ask_run(&mut self, number: u32, position: u32) -> Verdict {
        let key = self.key(number, position, true);
        if key.counters > 0 && key.success > 0 {
            // Its frame does not know the counters that go with it.
            return Verdict::New;
        }
        self.look_up(&key, position, false)
    }

    fn look_up(&mut self, key: &Key, position: u32, path: bool) -> Verdict {
        if key.counters > 0 {
            return self.look_up_hashed(key, position, path);
        }
        let success = key.success > 0 && self.bit(key.success, position);
        if success && !self.replaying() {
            return Verdict::Succeeded;
        }
        if self.bit(key.row, position) {
            return if success { Verdict::New } else { Verdict::Failed };
        }
        self.set_bit(key.row, position);
        if key.success > 0 && path {
            self.push(position);
            self.push(key.success << 4 | frame::PATH);
        }
        Verdict::New
    }

    fn bit_place(&self, row: u32, position: u32) -> Option<(u32, u32)> {
        let bit = u64::from(row) * (u64::from(self.length) + 1) + u64::from(position);
        let word = u32::try_from(bit / 32).ok()?.checked_add(self.store.load(state::MEMO))?;
        // Whatever a damaged row says, only the memo is touched.
        (word < self.stack && word >= state::SIZE).then_some((word, 1 << (bit % 32)))
    }

    fn bit(&self, row: u32, position: u32) -> bool {
        self.bit_place(row, position).is_some_and(|(word, bit)| self.store.load(word) & bit != 0)
    }

    pub(super) fn set_bit(&mut self, row: u32, position: u32) {
        if let Some((word, bit)) = self.bit_place(row, position) {
            let old = self.store.load(word);
            self.store.store(word, old | bit);
        }
    }

    /// The run at `address` is on the way to success at all positions from `from` to `to`.
    pub(super) fn run_succeeds(&mut self, address: u32, from: u32, to: u32) {
        let word = self.code.word(address);
        let endless = self.code.word(address.wrapping_add(2)) == point::INFINITE;
        if !matches!(word & 0xFF, op::RUN | op::RUN_LAZY) || !endless {
            return;
        }
        let key = self.key(self.code.word(address.wrapping_add(1)), 0, true);
        if key.success > 0 && key.counters == 0 {
            for position in from..=to {
                self.set_bit(key.success, position);
            }
        }
    }

    /// The word at `index` of a key.
    fn key_word(&self, key: &Key, position: u32, index: u32) -> u32 {
        match index {
            0 => (key.row & 0x00FF_FFFF) + 1,
            1 => position,
            _ if index - 2 < key.counters => self.counter(key.first_counter + index - 2),
            _ => 0,
        }
    }

    const SUCCESS: u32 = 1 << 31;

    fn look_up_hashed(&mut self, key: &Key, position: u32, path: bool) -> Verdict {
        let stride = self.stride();
        if stride < 2 {
            return Verdict::New;
        }
        self.fuel -= i64::from(stride >> 3);
        let mut hash: u32 = 0;
        for i in 0..stride {
            hash = mix(hash, self.key_word(key, position, i));
        }
        let place = self.slot(hash, stride, |machine, place| {
            (1..stride).all(|i| machine.store.load(place + i) == machine.key_word(key, position, i))
                && machine.store.load(place) & !Self::SUCCESS == machine.key_word(key, position, 0)
        });
        let Some((place, found)) = place else { return Verdict::New };
        if found {
            let success = self.store.load(place) & Self::SUCCESS != 0;
            if !success {
                return Verdict::Failed;
            }
            return if self.replaying() { Verdict::New } else { Verdict::Succeeded };
        }
        for i in 0..stride {
            let word = self.key_word(key, position, i);
            self.store.store(place + i, word);
        }
        if key.success > 0 && path {
            for i in 0..stride {
                let word = self.key_word(key, position, i);
                self.push(word);
            }
            self.push(stride << 4 | frame::PATH_HASHED);
        }
        self.grow_hashed(stride);
        Verdict::New
    }

    /// The key of `count` words at `from` in the store led to success.
    pub(super) fn hashed_success(&mut self, from: u32, count: u32) {
        let stride = self.stride();
        if count != stride || stride < 2 {
            return;
        }
        let mut hash: u32 = 0;
        for i in 0..stride {
            hash = mix(hash, self.store.load(from + i));
        }
        let place = self.slot(hash, stride, |machine, place| {
            (1..stride).all(|i| machine.store.load(place + i) == machine.store.load(from + i))
                && machine.store.load(place) & !Self::SUCCESS == machine.store.load(from)
        });
        if let Some((place, _)) = place {
            for i in 0..stride {
                let word = self.store.load(from + i);
                self.store.store(place + i, word);
            }
            let word = self.store.load(place);
            self.store.store(place, word | Self::SUCCESS);
        }
    }

    /// The slot of a key: the one where it is, or one for it (free, or with something to forget).
    fn slot(&mut self, hash: u32, stride: u32, same: impl Fn(&Self, u32) -> bool) -> Option<(u32, bool)> {
        let capacity = self.store.load(state::CAPACITY);
        let first = self.store.load(state::HASHED);
        let size = capacity.checked_mul(stride)?;
        if !capacity.is_power_of_two() || first < state::SIZE || first.checked_add(size)? > self.stack {
            return None;
        }
        let place = |i: u32| first + (hash.wrapping_add(i) & (capacity - 1)) * stride;
        for i in 0..PROBES {
            let place = place(i);
            if self.store.load(place) == 0 {
                let taken = self.store.load(state::TAKEN);
                self.store.store(state::TAKEN, taken.saturating_add(1));
                return Some((place, false));
            }
            if same(self, place) {
                return Some((place, true));
            }
        }
        // All taken: counts as a wish for more room too.
        let taken = self.store.load(state::TAKEN);
        self.store.store(state::TAKEN, taken.saturating_add(1));
        Some((place(0), false))
    }

    /// Doubles the table when it is three quarters full. What was in it is forgotten, which costs
    /// no more in all than filling it has cost.
    fn grow_hashed(&mut self, stride: u32) {
        let capacity = self.store.load(state::CAPACITY);
        let taken = self.store.load(state::TAKEN);
        if u64::from(taken) * 4 < u64::from(capacity) * 3 {
            return;
        }
        self.store.store(state::TAKEN, 0);
        let Some(size) = capacity.checked_mul(stride).filter(|s| *s < 1 << 28) else { return };
        if self.insert(size) {
            let first = self.store.load(state::HASHED);
            if first.saturating_add(size * 2) <= self.stack {
                self.store.clear(first, size * 2);
                self.fuel -= i64::from(size >> 3);
                self.store.store(state::CAPACITY, capacity * 2);
            }
        }
    }
}

fn mix(hash: u32, word: u32) -> u32 {
    let mixed = (hash.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B1);
    mixed ^ mixed >> 15
}
