//! Instructions that compute.

use dynasmrt::{DynasmApi, dynasm};

use super::Translator;
use crate::isa::{Instruction, Op, compute};
use crate::jit::block::{EDX, HOMES, SAVED};
use crate::jit::emit::{Alu, Cond, EAX, ECX, Operand, Shift, Width};
use crate::jit::product::{ExitSite, Reason};
use crate::jit::unit::Unit;
use crate::jit::value::{Kind, Value, rotation};

impl Translator {
    pub(super) fn sum(&mut self, a: u8, b: u8, subtract: bool) {
        let sign = |imm: u32| if subtract { imm.wrapping_neg() } else { imm };
        if let Some(imm) = self.value(b).as_constant() {
            return self.add_constant(a, sign(imm));
        }
        if a == b {
            if subtract {
                return self.assign(a, Value::constant(0));
            }
            let d = self.modify(a);
            self.hot.shift(Shift::Left, d, 1);
            return self.defined(a, d);
        }
        if !subtract
            && let Some(imm) = self.value(a).as_constant()
            && self.value(b).kind == Kind::Home
        {
            let value = self.value(b);
            return self.assign(a, Value { imm: value.imm.wrapping_add(imm), ..value });
        }
        let d = self.define(a);
        let (x, y) = (self.value(a), self.value(b));
        let host = |value: Value| if value.kind == Kind::Home { HOMES[usize::from(value.home)] } else { None };
        // Constants that are still to be added may wait longer.
        let later = if x.kind == Kind::Home { x.imm } else { 0 }.wrapping_add(if y.kind == Kind::Home { sign(y.imm) } else { 0 });
        let bare = |value: Value| if value.kind == Kind::Home { Value { imm: 0, ..value } } else { value };
        match (host(x), host(y)) {
            (Some(x), Some(y)) if !subtract && x != d => self.hot.lea_sum(d, x, y),
            _ => {
                self.load_value(bare(x), d);
                let operand = self.operand(bare(y), ECX);
                self.hot.alu(if subtract { Alu::Sub } else { Alu::Add }, d, operand);
            }
        }
        self.defined_plus(a, d, later);
    }

    pub(super) fn logic(&mut self, alu: Alu, op: Op, a: u8, b: u8) {
        if a == b {
            if op == Op::Xor {
                self.assign(a, Value::constant(0));
            }
            return;
        }
        let (x, y) = (self.value(a), self.value(b));
        if let (Some(x), Some(y)) = (x.as_constant(), y.as_constant())
            && let Some(result) = compute(op, x, y, 0)
        {
            return self.assign(a, Value::constant(result));
        }
        if op != Op::And
            && let Some((home, count)) = rotation(x, y)
            && home != a
        {
            let d = self.define(a);
            self.load_value(Value::home(home), d);
            self.hot.shift(Shift::RotateRight, d, count);
            return self.defined(a, d);
        }
        if op == Op::And
            && let Some(mask @ (0xff | 0xffff)) = y.as_constant()
        {
            let d = self.define(a);
            let s = self.in_register(self.value(a), d);
            self.hot.extend(if mask == 0xff { Width::Byte } else { Width::Short }, false, d, s);
            return self.defined(a, d);
        }
        let d = self.modify(a);
        let operand = self.operand(self.value(b), ECX);
        self.hot.alu(alu, d, operand);
        self.defined(a, d);
    }

    pub(super) fn shift(&mut self, shift: Shift, op: Op, a: u8, b: u8) {
        let (x, y) = (self.value(a), self.value(b));
        if let Some(count) = y.as_constant() {
            let count = count & 31;
            if count == 0 {
                return;
            }
            if let Some(x) = x.as_constant()
                && let Some(result) = compute(op, x, count, 0)
            {
                return self.assign(a, Value::constant(result));
            }
            if x.kind == Kind::Home && x.imm == 0 && x.home != a && shift != Shift::Signed {
                let kind = if shift == Shift::Left { Kind::Left } else { Kind::Right };
                return self.assign(a, Value { kind, home: x.home, imm: count });
            }
            let d = self.modify(a);
            self.hot.shift(shift, d, count as u8);
            return self.defined(a, d);
        }
        let d = self.modify(a);
        if a == b {
            self.hot.mov(ECX, d);
        } else {
            self.load_value(self.value(b), ECX);
        }
        self.hot.shift_by_cl(shift, d);
        self.defined(a, d);
    }

    pub(super) fn unary(&mut self, op: Op, a: u8, b: u8) {
        if let Some(y) = self.value(b).as_constant()
            && let Some(result) = compute(op, 0, y, 0)
        {
            return self.assign(a, Value::constant(result));
        }
        let d = self.define(a);
        let value = self.value(b);
        match op {
            Op::Neg | Op::Not => {
                self.load_value(value, d);
                if op == Op::Neg { self.hot.neg(d) } else { self.hot.not(d) }
            }
            _ => {
                let s = self.in_register(value, d);
                let width = if matches!(op, Op::SexB | Op::ZexB) { Width::Byte } else { Width::Short };
                self.hot.extend(width, matches!(op, Op::SexB | Op::SexS), d, s);
            }
        }
        self.defined(a, d);
    }

    pub(super) fn multiply(&mut self, a: u8, b: u8) {
        let (x, y) = (self.value(a), self.value(b));
        if let (Some(x), Some(y)) = (x.as_constant(), y.as_constant()) {
            return self.assign(a, Value::constant(x.wrapping_mul(y)));
        }
        let d = self.modify(a);
        match self.value(b).as_constant() {
            Some(factor) if factor.is_power_of_two() => {
                if factor > 1 {
                    self.hot.shift(Shift::Left, d, factor.trailing_zeros() as u8);
                }
            }
            _ if a == b => self.hot.mul(d, Operand::Reg(d)),
            _ => {
                let operand = self.operand(self.value(b), ECX);
                self.hot.mul(d, operand);
            }
        }
        self.defined(a, d);
    }

    pub(super) fn multiply_high(&mut self, a: u8, b: u8, signed: bool) {
        let d = self.define(a);
        let (x, y) = (self.value(a), self.value(b));
        self.load_value(x, EAX);
        self.load_value(y, ECX);
        if signed {
            self.hot.sign_extend64(EAX, EAX);
            self.hot.sign_extend64(ECX, ECX);
        }
        self.hot.mul64(EAX, ECX);
        self.hot.shift64_right(EAX, 32);
        if d != EAX {
            self.hot.mov(d, EAX);
        }
        self.defined(a, d);
    }

    pub(super) fn divide(&mut self, unit: &Unit, index: usize) {
        let step = &unit.steps[index];
        let Instruction { op, a, b, .. } = step.instruction;
        let (x, y) = (self.value(a), self.value(b));
        let divisor = y.as_constant();
        if let (Some(x), Some(y)) = (x.as_constant(), divisor)
            && let Some(result) = compute(op, x, y, 0)
        {
            return self.assign(a, Value::constant(result));
        }
        let signed = matches!(op, Op::Div | Op::Mod);
        if let Some(divisor) = divisor
            && divisor.is_power_of_two()
            && !signed
        {
            let d = self.modify(a);
            if op == Op::Umod {
                self.hot.alu(Alu::And, d, Operand::Imm(divisor - 1));
            } else if divisor > 1 {
                self.hot.shift(Shift::Right, d, divisor.trailing_zeros() as u8);
            }
            return self.defined(a, d);
        }
        let d = self.define(a);
        self.load_value(self.value(b), ECX);
        if divisor.is_none_or(|divisor| divisor == 0) {
            self.hot.test(ECX);
            let at = self.hot.jcc(Cond::Equal);
            self.to_cold.push((at as u32, self.cold.len() as u32));
            let pending = self.record();
            self.cold_exit(ExitSite { host: 0, pc: step.pc, refund: step.cost, reason: Reason::Interpret, pending });
        }
        self.load_value(self.value(a), EAX);
        let ops = self.hot.raw();
        dynasm!(ops ; .arch x64 ; mov [BYTE rbp + SAVED], rdx);
        if signed {
            // In 64 bits the most negative number divided by -1 is no overflow.
            dynasm!(ops ; .arch x64 ; movsxd rax, eax ; movsxd rcx, ecx ; cqo ; idiv rcx);
        } else {
            dynasm!(ops ; .arch x64 ; xor edx, edx ; div ecx);
        }
        if matches!(op, Op::Mod | Op::Umod) {
            dynasm!(ops ; .arch x64 ; mov eax, edx);
        }
        if d != EDX {
            dynasm!(ops ; .arch x64 ; mov rdx, [BYTE rbp + SAVED]);
        }
        if d != EAX {
            self.hot.mov(d, EAX);
        }
        self.defined(a, d);
    }
}
