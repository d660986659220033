//! What is where: registers whose value is not in its home, and how it gets there.

use dynasmrt::{DynasmApi, dynasm};

use super::Translator;
use crate::jit::block::{COMPARE, HOMES, slot};
use crate::jit::emit::{Alu, EAX, Operand};
use crate::jit::product::{Pending, PendingRange};
use crate::jit::value::{Kind, Value};
use crate::state::REGISTERS;

/// What is where: the part of the translator's state that a branch takes along on both ways.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) values: [Value; REGISTERS],
    /// For every home, the other registers whose value is made from it.
    pub(super) users: [u16; REGISTERS],
    /// Registers whose value is not just their home's contents.
    pub(super) away: u16,
    pub(super) compare: [Value; 2],
    /// Which of the compare's operands are in the block too.
    pub(super) kept: [bool; 2],
}

impl Places {
    pub(super) const fn canonical() -> Self {
        let mut values = [Value::home(0); REGISTERS];
        let mut register = 0;
        while register < REGISTERS {
            values[register] = Value::home(register as u8);
            register += 1;
        }
        Self { values, users: [0; REGISTERS], away: 0, compare: [Value::KEPT; 2], kept: [true; 2] }
    }

    pub(super) fn is_canonical(&self) -> bool {
        self.away == 0 && self.kept == [true; 2]
    }
}

impl Translator {
    pub(super) fn value(&self, register: u8) -> Value {
        self.places.values[usize::from(register)]
    }

    /// Says what a register's value is, without touching its home.
    pub(super) fn set(&mut self, register: u8, value: Value) {
        let places = &mut self.places;
        let bit = 1 << register;
        let old = places.values[usize::from(register)];
        if old.home != register {
            places.users[usize::from(old.home)] &= !bit;
        }
        // A constant names no home, and counts as its own register's.
        let value = if value.kind == Kind::Constant { Value { home: register, ..value } } else { value };
        places.values[usize::from(register)] = value;
        if value.home != register {
            places.users[usize::from(value.home)] |= bit;
        }
        if value == Value::home(register) {
            places.away &= !bit;
        } else {
            places.away |= bit;
        }
        self.recorded = None;
    }

    /// Puts every other register in place whose value is made from this home.
    pub(super) fn release(&mut self, register: u8) {
        while self.places.users[usize::from(register)] != 0 {
            let user = self.places.users[usize::from(register)].trailing_zeros() as u8;
            self.settle(user);
        }
    }

    /// Makes sure that nothing but the register itself needs its home's contents.
    pub(super) fn overwrite(&mut self, register: u8) {
        self.release(register);
        self.keep_compare_of(register);
    }

    pub(super) fn keep_compare_of(&mut self, register: u8) {
        for which in 0..2 {
            if self.places.compare[which].uses(register) {
                self.keep_compare(which);
                self.places.compare[which] = Value::KEPT;
                self.recorded = None;
            }
        }
    }

    /// Puts an operand of the last compare into the block.
    pub(super) fn keep_compare(&mut self, which: usize) {
        if !self.places.kept[which] {
            self.places.kept[which] = true;
            self.recorded = None;
            self.store_value(COMPARE[which], self.places.compare[which]);
        }
    }

    pub(super) fn store_value(&mut self, at: i8, value: Value) {
        match value.as_constant() {
            Some(imm) => self.hot.store_slot_imm(at, imm),
            None => {
                let host = self.in_register(value, EAX);
                self.hot.store_slot(at, host);
            }
        }
    }

    /// Puts a register's value into its home.
    pub(super) fn settle(&mut self, register: u8) {
        let value = self.value(register);
        if value == Value::home(register) {
            return;
        }
        let home = HOMES[usize::from(register)];
        if value.kind == Kind::Home && value.home == register {
            // The home moves on: whatever is made from it is now that much closer.
            let mut users = self.places.users[usize::from(register)];
            while users != 0 {
                let user = users.trailing_zeros() as u8;
                users &= users - 1;
                let made = self.value(user);
                if made.kind == Kind::Home {
                    self.set(user, Value { imm: made.imm.wrapping_sub(value.imm), ..made });
                } else {
                    self.settle(user);
                }
            }
            for which in 0..2 {
                let made = self.places.compare[which];
                if made.uses(register) {
                    if made.kind == Kind::Home {
                        self.places.compare[which].imm = made.imm.wrapping_sub(value.imm);
                    } else {
                        self.keep_compare(which);
                        self.places.compare[which] = Value::KEPT;
                    }
                }
            }
            match home {
                Some(host) => self.hot.alu(Alu::Add, host, Operand::Imm(value.imm)),
                None => {
                    let (at, imm) = (slot(register), value.imm.cast_signed());
                    dynasm!(self.hot.raw() ; .arch x64 ; add DWORD [BYTE rbp + at], DWORD imm);
                }
            }
        } else {
            self.overwrite(register);
            match home {
                Some(host) => self.load_value(value, host),
                None => self.store_value(slot(register), value),
            }
        }
        self.set(register, Value::home(register));
    }

    /// Puts everything in place but the operands of the compare.
    pub(super) fn settle_all(&mut self) {
        // Values made from other homes first: then those homes are free to move.
        let mut rest = self.places.away;
        while rest != 0 {
            let register = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            let value = self.value(register);
            if value.kind == Kind::Constant || value.home != register {
                self.settle(register);
            }
        }
        while self.places.away != 0 {
            self.settle(self.places.away.trailing_zeros() as u8);
        }
    }

    /// Puts everything in place: the state at leaders.
    pub(super) fn flush(&mut self) {
        if self.places.is_canonical() {
            self.places.compare = [Value::KEPT; 2];
            return;
        }
        self.settle_all();
        self.keep_compare(0);
        self.keep_compare(1);
        self.places.compare = [Value::KEPT; 2];
        self.recorded = None;
    }

    /// What is not in place now, for a site.
    pub(super) fn record(&mut self) -> PendingRange {
        if let Some(range) = self.recorded {
            return range;
        }
        let list = &mut self.product.pending;
        let start = list.len();
        let mut rest = self.places.away;
        while rest != 0 {
            let register = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            list.push(Pending { register, value: self.places.values[usize::from(register)] });
        }
        for which in 0..2 {
            if !self.places.kept[which] {
                list.push(Pending { register: 16 + which as u8, value: self.places.compare[which] });
            }
        }
        let range = PendingRange { start: self.pending_base + start as u32, length: (list.len() - start) as u32 };
        self.recorded = Some(range);
        range
    }
}
