//! Branches, calls and returns.

use std::mem;

use dynasmrt::{DynasmApi, dynasm};

use super::Translator;
use crate::isa::Op;
use crate::jit::block::{COMPARE, HOMES, TARGET_HOST, TARGET_MASK, TARGET_PC};
use crate::jit::emit::{Address, Alu, Cond, EAX, ECX, Host, Operand, Width};
use crate::jit::unit::Unit;
use crate::jit::value::Kind;
use crate::state::{FP, SP};

impl Translator {
    /// Compares the operands of the last `cmp`; returns whether they were exchanged.
    pub(super) fn compare(&mut self) -> bool {
        if let Some((at, exchanged)) = self.flags
            && at == self.hot.len()
        {
            return exchanged;
        }
        let [mut x, mut y] = self.places.compare;
        let [mut x_slot, mut y_slot] = COMPARE;
        let exchanged = x.kind == Kind::Constant && y.kind != Kind::Constant;
        if exchanged {
            mem::swap(&mut x, &mut y);
            mem::swap(&mut x_slot, &mut y_slot);
        }
        let left = if x.kind == Kind::Kept {
            self.hot.load_slot(EAX, x_slot);
            EAX
        } else {
            self.in_register(x, EAX)
        };
        let right = if y.kind == Kind::Kept { Operand::Slot(y_slot) } else { self.operand(y, ECX) };
        if right == Operand::Imm(0) {
            self.hot.test(left);
        } else {
            self.hot.alu(Alu::Cmp, left, right);
        }
        exchanged
    }

    pub(super) fn branch(&mut self, unit: &Unit, index: usize) {
        let step = &unit.steps[index];
        let Some(target) = step.instruction.target(step.pc) else { return };
        let condition = condition(step.instruction.op);
        let refund = step.cost - 1;
        let choose = |exchanged: bool| if exchanged { condition.exchanged() } else { condition };
        let inside = unit.at(target);
        if inside.is_some_and(|target| target <= index) {
            // The way back is the likely one: everything is put in place before the jump, which then needs nothing else.
            self.settle_all();
            self.keep_compare(0);
            self.keep_compare(1);
            let exchanged = self.compare();
            let at = self.hot.jcc(choose(exchanged));
            self.flags = Some((self.hot.len(), exchanged));
            self.bind(unit, at, target);
            return;
        }
        let exchanged = self.compare();
        let at = self.hot.jcc(choose(exchanged));
        self.flags = Some((self.hot.len(), exchanged));
        if self.places.is_canonical() && refund == 0 {
            return self.bind(unit, at, target);
        }
        self.to_cold.push((at as u32, self.cold.len() as u32));
        let (places, recorded, flags) = (self.places, self.recorded, self.flags);
        self.swap();
        self.flush();
        if refund > 0 {
            self.hot.refund(refund);
        }
        let at = self.hot.jmp();
        self.bind(unit, at, target);
        self.swap();
        (self.places, self.recorded, self.flags) = (places, recorded, flags);
    }

    /// Pushes return address and frame pointer in one piece, so that a fault leaves nothing half done.
    pub(super) fn push_frame(&mut self, unit: &Unit, index: usize, back: u32, scratch: Host) {
        self.settle(FP as u8);
        let value = self.value(SP as u8);
        if value.kind != Kind::Home || HOMES[usize::from(value.home)].is_none() {
            self.settle(SP as u8);
        }
        let address = self.address(SP as u8, 12u32.wrapping_neg());
        self.hot.mov_imm64(scratch, u64::from(back) << 32);
        self.hot.or64(scratch, HOMES[FP].unwrap_or(EAX));
        self.may_fault(unit, index);
        self.hot.store(Width::Pair, address, scratch);
        self.add_constant(SP as u8, 12u32.wrapping_neg());
        self.assign(FP as u8, self.value(SP as u8));
        self.flush();
        let back = back.cast_signed();
        dynasm!(self.hot.raw() ; .arch x64 ; push DWORD back);
    }

    pub(super) fn after_call(&mut self) {
        dynasm!(self.hot.raw() ; .arch x64 ; lea rsp, [BYTE rsp + 8]);
    }

    pub(super) fn call(&mut self, unit: &Unit, index: usize, target: u32) {
        let step = &unit.steps[index];
        self.push_frame(unit, index, step.pc.wrapping_add(6), EAX);
        let at = self.hot.call();
        self.bind(unit, at, target);
        self.after_call();
    }

    pub(super) fn call_register(&mut self, unit: &Unit, index: usize, register: u8) {
        let step = &unit.steps[index];
        self.flush();
        // The stack pointer is in its home now, so the frame is addressed without scratch registers, and `eax` keeps the target.
        self.hot_load_home(EAX, register);
        self.push_frame(unit, index, step.pc.wrapping_add(2), ECX);
        self.call_stub(self.stubs.dispatch);
        self.after_call();
    }

    pub(super) fn ret(&mut self, unit: &Unit, index: usize) {
        self.flush();
        let (Some(fp), Some(sp)) = (HOMES[FP], HOMES[SP]) else { unreachable!("both have host registers") };
        self.may_fault(unit, index);
        self.hot.load(Width::Pair, EAX, Address { index: Some(fp), offset: 0 });
        self.hot.lea(sp, fp, 12);
        self.hot.mov(fp, EAX);
        self.hot.shift64_right(EAX, 32);
        dynasm!(self.hot.raw() ; .arch x64 ; cmp eax, [BYTE rsp + 8]);
        let at = self.hot.jcc(Cond::NotEqual);
        self.to_stub.push((self.swapped, at as u32, self.stubs.unpredicted as u32));
        dynasm!(self.hot.raw() ; .arch x64 ; ret);
    }

    /// Jumps to the code for the guest address in `eax`.
    pub(super) fn dispatch(&mut self) {
        dynasm!(self.hot.raw() ; .arch x64
            ; mov ecx, eax
            ; and ecx, TARGET_MASK
            ; cmp rax, [rbp + rcx * 8 + TARGET_PC]
        );
        let at = self.hot.jcc(Cond::NotEqual);
        self.to_stub.push((self.swapped, at as u32, self.stubs.dispatch as u32));
        dynasm!(self.hot.raw() ; .arch x64 ; jmp QWORD [rbp + rcx * 8 + TARGET_HOST]);
    }
}

fn condition(op: Op) -> Cond {
    match op {
        Op::Beq => Cond::Equal,
        Op::Bne => Cond::NotEqual,
        Op::Blt => Cond::Less,
        Op::Bgt => Cond::Greater,
        Op::Bltu => Cond::Below,
        Op::Bgtu => Cond::Above,
        Op::Bge => Cond::GreaterEqual,
        Op::Ble => Cond::LessEqual,
        Op::Bgeu => Cond::AboveEqual,
        Op::Bleu => Cond::BelowEqual,
        _ => unreachable!("not a branch"),
    }
}
