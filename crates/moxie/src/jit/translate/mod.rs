//! From a unit of guest code to host code, in one pass.
//!
//! Every guest register has a home: a host register, or a word of the block. Within a stretch between leaders a register's value need not be
//! in its home: it may be a constant, another home plus a constant, or another home shifted, and is put in place only when something needs
//! it. The operands of the last `cmp` are kept in the same way. Sites where compiled code may be left record what is not in place.

mod arithmetic;
mod control;
mod leave;
mod memory;
mod operands;
mod places;

use self::places::Places;
use super::emit::{Alu, Cond, EAX, Emitter, Host, Shift, Width};
use super::product::{PendingRange, Product, Reason, Stubs};
use super::unit::{End, Left, Unit};
use super::value::Value;
use crate::isa::{Instruction, Op};

/// Translates units, one after another; its buffers are used again.
pub(super) struct Translator {
    hot: Emitter,
    cold: Emitter,
    /// The emitters have changed places: `hot` is the cold one.
    swapped: bool,
    places: Places,
    stubs: Stubs,
    /// Offset at which the unit will lie.
    base: usize,
    /// Offsets of the pending list's beginning in the whole list.
    pending_base: u32,
    /// What the last site recorded, as long as nothing has changed.
    recorded: Option<PendingRange>,
    labels: Vec<u32>,
    /// Displacements in hot or cold code that go to an instruction's label.
    to_label: Vec<(bool, u32, u16)>,
    /// Displacements in hot code that go to an offset in cold code.
    to_cold: Vec<(u32, u32)>,
    /// Displacements in hot or cold code that go to a stub.
    to_stub: Vec<(bool, u32, u32)>,
    /// Displacements in hot or cold code that leave the unit, with where they go.
    leaving: Vec<(bool, u32, u32)>,
    fuel_exits: Vec<(u32, u32, u32)>,
    /// Where the hot code ended right after a conditional jump, with the compare's operands exchanged or not: the flags still hold.
    flags: Option<(usize, bool)>,
    pub(super) product: Product,
}

const NO_LABEL: u32 = u32::MAX;

impl Translator {
    pub(super) fn new(stubs: Stubs) -> Self {
        Self {
            hot: Emitter::new(),
            cold: Emitter::new(),
            swapped: false,
            places: Places::canonical(),
            stubs,
            base: 0,
            pending_base: 0,
            recorded: None,
            labels: Vec::new(),
            to_label: Vec::new(),
            to_cold: Vec::new(),
            to_stub: Vec::new(),
            leaving: Vec::new(),
            fuel_exits: Vec::new(),
            flags: None,
            product: Product::default(),
        }
    }

    /// The host code of the last unit.
    pub(super) fn bytes(&self) -> &[u8] {
        self.hot.bytes()
    }

    /// Translates a unit that will lie at offset `base`; its pending list will begin at `pending_base`.
    pub(super) fn translate(&mut self, unit: &Unit, base: usize, pending_base: usize) {
        self.hot.clear();
        self.cold.clear();
        self.base = base;
        self.pending_base = pending_base as u32;
        self.labels.clear();
        self.labels.resize(unit.steps.len(), NO_LABEL);
        self.to_label.clear();
        self.to_cold.clear();
        self.to_stub.clear();
        self.leaving.clear();
        self.fuel_exits.clear();
        self.flags = None;
        let product = &mut self.product;
        product.leaders.clear();
        product.links.clear();
        product.faults.clear();
        product.exits.clear();
        product.pending.clear();
        product.cold_exits.clear();
        self.places = Places::canonical();
        self.recorded = None;
        for index in 0..unit.steps.len() {
            let step = &unit.steps[index];
            if step.leader {
                self.flush();
                self.flags = None;
                self.labels[index] = self.hot.len() as u32;
                self.product.leaders.push((step.pc, (base + self.hot.len()) as u32));
                if step.cost > 0 {
                    self.hot.charge(step.cost);
                    let at = self.hot.jcc(Cond::Below);
                    self.fuel_exits.push((at as u32, step.pc, step.cost));
                }
            }
            match step.left {
                Some(Left::Interpret) => self.leave(Reason::Interpret, step.pc),
                Some(Left::Access) => self.leave(Reason::Access, step.pc),
                None => self.instruction(unit, index),
            }
        }
        match unit.end {
            End::Closed => {}
            End::Interpret(pc) => self.leave(Reason::Interpret, pc),
            End::Continue(pc) => {
                self.flush();
                let at = self.hot.jmp();
                self.leaving.push((false, at as u32, pc));
            }
        }
        self.finish();
    }

    fn instruction(&mut self, unit: &Unit, index: usize) {
        let step = &unit.steps[index];
        let Instruction { op, a, b, imm } = step.instruction;
        match op {
            Op::LdiL | Op::LdiB | Op::LdiS => self.assign(a, Value::constant(imm)),
            Op::Mov => {
                if a != b {
                    self.assign(a, self.value(b));
                }
            }
            Op::Inc => self.add_constant(a, imm),
            Op::Dec => self.add_constant(a, imm.wrapping_neg()),
            Op::Add => self.sum(a, b, false),
            Op::Sub => self.sum(a, b, true),
            Op::And => self.logic(Alu::And, op, a, b),
            Op::Or => self.logic(Alu::Or, op, a, b),
            Op::Xor => self.logic(Alu::Xor, op, a, b),
            Op::Ashl => self.shift(Shift::Left, op, a, b),
            Op::Lshr => self.shift(Shift::Right, op, a, b),
            Op::Ashr => self.shift(Shift::Signed, op, a, b),
            Op::Neg | Op::Not | Op::SexB | Op::SexS | Op::ZexB | Op::ZexS => self.unary(op, a, b),
            Op::Mul => self.multiply(a, b),
            Op::MulX => self.multiply_high(a, b, true),
            Op::UmulX => self.multiply_high(a, b, false),
            Op::Div | Op::Udiv | Op::Mod | Op::Umod => self.divide(unit, index),
            Op::LdL => self.load(unit, index, Width::Long, a, b, 0),
            Op::LdB => self.load(unit, index, Width::Byte, a, b, 0),
            Op::LdS => self.load(unit, index, Width::Short, a, b, 0),
            Op::LdoL => self.load(unit, index, Width::Long, a, b, imm),
            Op::LdoB => self.load(unit, index, Width::Byte, a, b, imm),
            Op::LdoS => self.load(unit, index, Width::Short, a, b, imm),
            Op::LdaL => self.load_absolute(unit, index, Width::Long, a, imm),
            Op::LdaB => self.load_absolute(unit, index, Width::Byte, a, imm),
            Op::LdaS => self.load_absolute(unit, index, Width::Short, a, imm),
            Op::StL => self.store(unit, index, Width::Long, a, 0, b),
            Op::StB => self.store(unit, index, Width::Byte, a, 0, b),
            Op::StS => self.store(unit, index, Width::Short, a, 0, b),
            Op::StoL => self.store(unit, index, Width::Long, a, imm, b),
            Op::StoB => self.store(unit, index, Width::Byte, a, imm, b),
            Op::StoS => self.store(unit, index, Width::Short, a, imm, b),
            Op::StaL => self.store_absolute(unit, index, Width::Long, imm, a),
            Op::StaB => self.store_absolute(unit, index, Width::Byte, imm, a),
            Op::StaS => self.store_absolute(unit, index, Width::Short, imm, a),
            Op::Push => {
                self.store(unit, index, Width::Long, a, 4u32.wrapping_neg(), b);
                self.add_constant(a, 4u32.wrapping_neg());
            }
            Op::Pop => {
                if a == b {
                    let address = self.address(a, 0);
                    self.may_fault(unit, index);
                    self.hot.load(Width::Long, EAX, address);
                } else {
                    self.load(unit, index, Width::Long, b, a, 0);
                }
                self.add_constant(a, 4);
            }
            Op::Cmp => {
                self.places.compare = [self.value(a), self.value(b)];
                self.places.kept = [false; 2];
                self.recorded = None;
                self.flags = None;
            }
            Op::Nop => {}
            Op::Jsra => self.call(unit, index, imm),
            Op::Jsr => self.call_register(unit, index, a),
            Op::Ret => self.ret(unit, index),
            Op::Jmpa => {
                self.flush();
                if unit.at(imm) != Some(index + 1) {
                    let at = self.hot.jmp();
                    self.bind(unit, at, imm);
                }
            }
            Op::Jmp => {
                self.flush();
                self.hot_load_home(EAX, a);
                self.dispatch();
            }
            Op::Beq | Op::Bne | Op::Blt | Op::Bgt | Op::Bltu | Op::Bgtu | Op::Bge | Op::Ble | Op::Bgeu | Op::Bleu => {
                self.branch(unit, index);
            }
            Op::Swi | Op::Brk | Op::Gsr | Op::Ssr => unreachable!("left to the interpreter"),
        }
    }

    fn hot_load_home(&mut self, d: Host, register: u8) {
        self.load_value(Value::home(register), d);
    }
}
