//! Throwing, unwinding, and the policy when memory runs out.

use super::{Exit, a, op};
use crate::bytecode::frame;
use crate::heap::memory::SHARED;
use crate::heap::{Kind, Pause, Result, Signal};
use crate::value::Value;
use crate::vm::{Entry, Realm, Vm, code};

op!(Throw(vm, regs, region, pc, state, word) {
    vm.pc = pc;
    vm.fuel = super::fuel(state);
    let value = Value(regs.get(a(word)));
    if super::throw(vm, value) { super::proceed(vm) } else { Err(super::Left) }
});

op!(Halt(vm, regs, region, pc, state, word) {
    vm.pc = pc;
    vm.fuel = super::fuel(state);
    vm.exit(Exit::Value(Value(regs.get(a(word)))))
});

/// How often an instruction may collect and run again when nothing more can be given to it.
const MOST_TRIES: u32 = 16;

/// How often a run may catch the error about memory and make room again; then it is stopped.
const MOST_REFUSALS: u32 = 1000;

impl<'a> Vm<'a> {
    /// The handler of the code for a place (in words from its start): target and register.
    fn handler(&self, code: u32, word: u32) -> Option<(u32, u8)> {
        let table = self.heap.mem.load_u32(code + code::HANDLERS);
        let count = self.heap.high(table) / 16;
        (0..count).map(|i| table + 8 + i * 16).find_map(|at| {
            let covers = self.heap.mem.load_u32(at) <= word && word < self.heap.mem.load_u32(at + 4);
            covers.then(|| (self.heap.mem.load_u32(at + 8), self.heap.mem.load_u32(at + 12) as u8))
        })
    }

    /// Finds the handler of an exception thrown at `pc`, leaving frames until one has it. Some: it reached the host.
    pub(crate) fn unwind(&mut self, value: Value) -> Option<Exit> {
        let mut pc = self.pc;
        let base = self.stack_base();
        loop {
            self.fuel = self.fuel.saturating_sub(1);
            let frame = self.fp;
            let code = self.code();
            if code != 0 {
                let start = self.heap.mem.load_u32(code + code::PC);
                if let Some((target, register)) = self.handler(code, pc.wrapping_sub(start) / 4) {
                    self.set_register(register, value);
                    self.pc = start.wrapping_add(target.wrapping_mul(4));
                    return None;
                }
            }
            let link = self.heap.mem.load_u64(self.fp);
            let distance = (link >> 32) as u32 & 0xffff;
            match Entry::from_info(self.heap.mem.load_u64(self.fp + 8)) {
                Entry::Host | Entry::Job => {
                    self.fp = self.fp.wrapping_sub(distance * 8);
                    self.depth = self.depth.wrapping_sub(1);
                    return Some(Exit::Thrown(value));
                }
                Entry::Generator => match self.throw_from_generator(value) {
                    Ok(None) => return None,
                    Ok(Some(exit)) => return Some(exit),
                    // The body is left; go on with its caller's frame. In a damaged heap it may be none below.
                    Err(()) if self.fp < frame => {
                        pc = self.pc;
                        continue;
                    }
                    Err(()) => return Some(Exit::Pause(Pause::Internal)),
                },
                _ => pc = self.caller_of(self.fp, link).1,
            }
            if distance == 0 || self.fp < base + distance * 8 {
                return Some(Exit::Thrown(value));
            }
            self.fp -= distance * 8;
            self.depth = self.depth.wrapping_sub(1);
        }
    }

    /// Collects because an instruction found no room; afterwards it runs again. If there is still none: the prepared error
    /// once, then the stop.
    pub(crate) fn make_room(&mut self, bytes: u32) -> Result<()> {
        // The same instruction again: what it got was not all it needs. It makes many small cells, so the room doubles each time.
        // (Before a program's first instruction there is none to tell by.)
        let again = self.collected_at != 0 && self.collected_at == self.pc;
        self.heap.tries = if again { self.heap.tries.saturating_add(1) } else { 0 };
        let tries = self.heap.tries;
        let all_was_given = self.heap.threshold >= self.heap.cap;
        let before = self.heap.used();
        self.collect()?;
        let live = self.heap.live;
        if self.out_of_memory && u64::from(live) < u64::from(self.heap.cap) * 7 / 8 {
            self.out_of_memory = false;
        }
        if bytes == u32::MAX {
            self.collected_at = 0;
            return self.range_error("Invalid string length");
        }
        self.collected_at = self.pc;
        let wanted = if again { bytes.max((1 << 20) << tries.min(10)) } else { bytes };
        let refused = self.heap.refuses();
        if !refused
            && (self.heap.raise_threshold(wanted)
                || (if again { !all_was_given || tries < MOST_TRIES } else { true }) && self.heap.has_room(bytes)
                || !again && self.heap.used() < before)
        {
            return Ok(());
        }
        self.collected_at = 0;
        if self.out_of_memory || self.refusals >= MOST_REFUSALS {
            return Err(Signal::Stop(Pause::Memory));
        }
        self.out_of_memory = true;
        self.refusals += 1;
        Err(Signal::Throw(self.realm(Realm::OUT_OF_MEMORY_ERROR)))
    }

    /// The frame that called the one at `fp`, whose link is given, and a place within its calling instruction.
    pub(crate) fn caller_of(&self, fp: u32, link: u64) -> (u32, u32) {
        let distance = (link >> 32) as u32 & 0xffff;
        let pc = match Entry::from_info(self.heap.mem.load_u64(fp + 8)) {
            // The link is the instruction itself, which goes on with the answer.
            Entry::Test | Entry::TestNot | Entry::Iterate => link as u32,
            // The link is what follows the call: one word back lies inside it.
            _ => (link as u32).wrapping_sub(4),
        };
        (fp.wrapping_sub(distance * 8), pc)
    }

    /// Source position of a place in code: file, byte offset in the source.
    pub(crate) fn position(&self, code: u32, pc: u32) -> Option<u32> {
        if code & SHARED != 0 || !self.heap.is(code, Kind::Code) {
            return None;
        }
        let table = self.heap.mem.load_u32(code + code::POSITIONS);
        let count = self.heap.high(table) / 8;
        let word = pc.wrapping_sub(self.heap.mem.load_u32(code + code::PC)) / 4;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = (low + high) / 2;
            if self.heap.mem.load_u32(table + 8 + middle * 8) <= word { low = middle + 1 } else { high = middle }
        }
        (low > 0).then(|| self.heap.mem.load_u32(table + 8 + (low - 1) * 8 + 4))
    }

    /// The callee of the running frame.
    pub(crate) fn callee(&self) -> Value {
        self.register(frame::CALLEE)
    }
}
