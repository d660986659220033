//! From a unit of guest code to host code, in one pass.
//!
//! Every guest register has a home: a host register, or a word of the block. Within a stretch between leaders a register's value need not be
//! in its home: it may be a constant, another home plus a constant, or another home shifted, and is put in place only when something needs
//! it. The operands of the last `cmp` are kept in the same way. Sites where compiled code may be left record what is not in place.

use std::mem;

use super::block::{COMPARE, EDX, HOMES, SAVED, TARGET_HOST, TARGET_MASK, TARGET_PC, slot};
use super::emit::{Address, Alu, Cond, EAX, ECX, Emitter, Host, Operand, Shift, Width};
use super::unit::{End, Left, Unit};
use crate::isa::{Instruction, Op, compute};
use crate::state::{FP, REGISTERS, SP};

use dynasmrt::{DynasmApi, dynasm};

/// Farthest from an index register that an access may be: the guards around guest memory cover it.
const REACH: i32 = 0xfff0;

/// How a value is made from the contents of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The home's contents plus a constant.
    Home,
    /// A constant.
    Constant,
    /// The home's contents shifted.
    Left,
    Right,
    /// The word kept in the block; of the compare's operands only.
    Kept,
}

/// A value, known without being computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) kind: Kind,
    pub(super) home: u8,
    pub(super) imm: u32,
}

impl Value {
    const fn home(register: u8) -> Self {
        Self { kind: Kind::Home, home: register, imm: 0 }
    }

    const fn constant(imm: u32) -> Self {
        Self { kind: Kind::Constant, home: 0, imm }
    }

    const KEPT: Self = Self { kind: Kind::Kept, home: 0, imm: 0 };

    fn as_constant(self) -> Option<u32> {
        (self.kind == Kind::Constant).then_some(self.imm)
    }

    /// Whether it is made from this home.
    fn uses(self, register: u8) -> bool {
        matches!(self.kind, Kind::Home | Kind::Left | Kind::Right) && self.home == register
    }

    /// The value, given the contents of all homes.
    pub(super) fn evaluate(self, homes: &[u32; REGISTERS], kept: u32) -> u32 {
        let home = homes[usize::from(self.home)];
        match self.kind {
            Kind::Home => home.wrapping_add(self.imm),
            Kind::Constant => self.imm,
            Kind::Left => home << self.imm,
            Kind::Right => home >> self.imm,
            Kind::Kept => kept,
        }
    }
}

/// Something that is not in place at a site: registers 0 to 15, then the operands of the compare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) register: u8,
    pub(super) value: Value,
}

/// The stretch of a list of [`Pending`] that belongs to a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PendingRange {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// A guest memory access that may fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct FaultSite {
    /// Offset of the host instruction.
    pub(super) host: u32,
    pub(super) pc: u32,
    /// Units that were charged for this instruction and those behind it.
    pub(super) refund: u32,
    pub(super) pending: PendingRange,
}

/// A way out of compiled code by a call of the exit.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExitSite {
    /// Offset behind the call.
    pub(super) host: u32,
    pub(super) pc: u32,
    pub(super) refund: u32,
    pub(super) reason: Reason,
    pub(super) pending: PendingRange,
}

/// Why compiled code is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Too little fuel for the stretch at `pc`.
    Fuel,
    /// Nothing was compiled for `pc` when this code was.
    Jump,
    /// The interpreter must look at `pc`.
    Interpret,
    /// A memory access that is not plain.
    Access,
}

/// A jump or call to code outside of the unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// Where its displacement stands.
    pub(super) at: u32,
    /// Where it goes as long as there is no code for `pc`.
    pub(super) otherwise: u32,
    pub(super) pc: u32,
}

/// Offsets of code that all units use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stubs {
    pub(super) enter: usize,
    pub(super) exit: usize,
    pub(super) fault: usize,
    pub(super) unpredicted: usize,
    pub(super) dispatch: usize,
    /// Behind the call with which a dispatch to unknown code leaves.
    pub(super) unknown: usize,
    pub(super) end: usize,
}

/// What is where: the part of the translator's state that a branch takes along on both ways.
#[derive(Clone, Copy)]
struct Places {
    values: [Value; REGISTERS],
    /// For every home, the other registers whose value is made from it.
    users: [u16; REGISTERS],
    /// Registers whose value is not just their home's contents.
    away: u16,
    compare: [Value; 2],
    /// Which of the compare's operands are in the block too.
    kept: [bool; 2],
}

impl Places {
    const fn canonical() -> Self {
        let mut values = [Value::home(0); REGISTERS];
        let mut register = 0;
        while register < REGISTERS {
            values[register] = Value::home(register as u8);
            register += 1;
        }
        Self { values, users: [0; REGISTERS], away: 0, compare: [Value::KEPT; 2], kept: [true; 2] }
    }

    fn is_canonical(&self) -> bool {
        self.away == 0 && self.kept == [true; 2]
    }
}

/// What the translation of a unit leaves, all offsets into the whole code memory.
#[derive(Default)]
pub(super) struct Product {
    /// Guest address and host offset of every leader.
    pub(super) leaders: Vec<(u32, u32)>,
    pub(super) links: Vec<Link>,
    pub(super) faults: Vec<FaultSite>,
    pub(super) exits: Vec<ExitSite>,
    pub(super) pending: Vec<Pending>,
    cold_exits: Vec<ExitSite>,
}

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

    /// Binds everything and joins both parts.
    fn finish(&mut self) {
        let mut fuel_exits = mem::take(&mut self.fuel_exits);
        for (at, pc, refund) in fuel_exits.drain(..) {
            self.to_cold.push((at, self.cold.len() as u32));
            self.cold_exit(ExitSite { host: 0, pc, refund, reason: Reason::Fuel, pending: PendingRange::default() });
        }
        self.fuel_exits = fuel_exits;
        let mut leaving = mem::take(&mut self.leaving);
        let mut links = mem::take(&mut self.product.links);
        for (cold, at, pc) in leaving.drain(..) {
            let otherwise = self.cold.len() as u32;
            self.cold_exit(ExitSite { host: 0, pc, refund: 0, reason: Reason::Jump, pending: PendingRange::default() });
            links.push(Link { at: at | u32::from(cold) << 31, otherwise, pc });
        }
        self.leaving = leaving;
        let hot_length = self.hot.len();
        let place = |cold: bool, at: u32| at as usize + if cold { hot_length } else { 0 };
        self.hot.append(self.cold.bytes());
        for (at, target) in &self.to_cold {
            self.hot.patch(*at as usize, hot_length + *target as usize);
        }
        for (cold, at, index) in &self.to_label {
            self.hot.patch(place(*cold, *at), self.labels[usize::from(*index)] as usize);
        }
        for (cold, at, stub) in &self.to_stub {
            // Stubs lie before the unit: the target is a negative offset from its beginning.
            self.hot.patch(place(*cold, *at), (*stub as usize).wrapping_sub(self.base));
        }
        for link in &mut links {
            let at = place(link.at >> 31 != 0, link.at & 0x7fff_ffff);
            let otherwise = place(true, link.otherwise);
            self.hot.patch(at, otherwise);
            link.at = (self.base + at) as u32;
            link.otherwise = (self.base + otherwise) as u32;
        }
        let product = &mut self.product;
        product.links = links;
        for site in &mut product.exits {
            site.host += self.base as u32;
        }
        for site in product.cold_exits.drain(..) {
            product.exits.push(ExitSite { host: site.host + (self.base + hot_length) as u32, ..site });
        }
    }

    // ---- what is where -----------------------------------------------------------------------------------------------------------------

    fn value(&self, register: u8) -> Value {
        self.places.values[usize::from(register)]
    }

    /// Says what a register's value is, without touching its home.
    fn set(&mut self, register: u8, value: Value) {
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
    fn release(&mut self, register: u8) {
        while self.places.users[usize::from(register)] != 0 {
            let user = self.places.users[usize::from(register)].trailing_zeros() as u8;
            self.settle(user);
        }
    }

    /// Makes sure that nothing but the register itself needs its home's contents.
    fn overwrite(&mut self, register: u8) {
        self.release(register);
        self.keep_compare_of(register);
    }

    fn keep_compare_of(&mut self, register: u8) {
        for which in 0..2 {
            if self.places.compare[which].uses(register) {
                self.keep_compare(which);
                self.places.compare[which] = Value::KEPT;
                self.recorded = None;
            }
        }
    }

    /// Puts an operand of the last compare into the block.
    fn keep_compare(&mut self, which: usize) {
        if !self.places.kept[which] {
            self.places.kept[which] = true;
            self.recorded = None;
            self.store_value(COMPARE[which], self.places.compare[which]);
        }
    }

    fn store_value(&mut self, at: i8, value: Value) {
        match value.as_constant() {
            Some(imm) => self.hot.store_slot_imm(at, imm),
            None => {
                let host = self.in_register(value, EAX);
                self.hot.store_slot(at, host);
            }
        }
    }

    /// Puts a register's value into its home.
    fn settle(&mut self, register: u8) {
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
    fn settle_all(&mut self) {
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
    fn flush(&mut self) {
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
    fn record(&mut self) -> PendingRange {
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

    // ---- operands ------------------------------------------------------------------------------------------------------------------------

    /// Computes a value into a host register.
    fn load_value(&mut self, value: Value, d: Host) {
        let source = match value.kind {
            Kind::Constant => return self.hot.mov_imm(d, value.imm),
            Kind::Kept => unreachable!("kept operands are read from the block"),
            _ => match HOMES[usize::from(value.home)] {
                Some(host) => host,
                None => {
                    self.hot.load_slot(d, slot(value.home));
                    d
                }
            },
        };
        match value.kind {
            Kind::Home if value.imm != 0 => self.hot.lea(d, source, value.imm),
            Kind::Left | Kind::Right => {
                if source != d {
                    self.hot.mov(d, source);
                }
                self.hot.shift(if value.kind == Kind::Left { Shift::Left } else { Shift::Right }, d, value.imm as u8);
            }
            _ if source != d => self.hot.mov(d, source),
            _ => {}
        }
    }

    /// A host register that holds the value: its home, or `scratch`.
    fn in_register(&mut self, value: Value, scratch: Host) -> Host {
        if value.kind == Kind::Home
            && value.imm == 0
            && let Some(host) = HOMES[usize::from(value.home)]
        {
            return host;
        }
        self.load_value(value, scratch);
        scratch
    }

    /// The value as the right operand of arithmetic.
    fn operand(&mut self, value: Value, scratch: Host) -> Operand {
        match value.kind {
            Kind::Constant => Operand::Imm(value.imm),
            Kind::Home if value.imm == 0 && HOMES[usize::from(value.home)].is_none() => Operand::Slot(slot(value.home)),
            _ => Operand::Reg(self.in_register(value, scratch)),
        }
    }

    /// The guest address `register + offset`; uses `ecx`.
    fn address(&mut self, register: u8, offset: u32) -> Address {
        let value = self.value(register);
        match value.kind {
            Kind::Constant => self.absolute(value.imm.wrapping_add(offset)),
            Kind::Home => {
                let total = value.imm.wrapping_add(offset);
                let near = (-REACH..=REACH).contains(&total.cast_signed());
                let host = match HOMES[usize::from(value.home)] {
                    Some(host) => host,
                    None => {
                        self.hot.load_slot(ECX, slot(value.home));
                        ECX
                    }
                };
                if near {
                    return Address { index: Some(host), offset: total.cast_signed() };
                }
                self.hot.lea(ECX, host, total);
                Address { index: Some(ECX), offset: 0 }
            }
            _ => {
                self.load_value(value, ECX);
                Address { index: Some(ECX), offset: offset.cast_signed() }
            }
        }
    }

    /// A constant guest address; uses `ecx`.
    fn absolute(&mut self, address: u32) -> Address {
        match i32::try_from(address) {
            Ok(offset) => Address { index: None, offset },
            Err(_) => {
                self.hot.mov_imm(ECX, address);
                Address { index: Some(ECX), offset: 0 }
            }
        }
    }

    /// Prepares a register to be defined anew: the result is computed into the host register that is returned, before [`defined`].
    fn define(&mut self, register: u8) -> Host {
        self.overwrite(register);
        HOMES[usize::from(register)].unwrap_or(EAX)
    }

    fn defined(&mut self, register: u8, host: Host) {
        self.defined_plus(register, host, 0);
    }

    /// As [`defined`](Self::defined), with a constant to be added some time.
    fn defined_plus(&mut self, register: u8, host: Host, imm: u32) {
        if HOMES[usize::from(register)].is_none() {
            self.hot.store_slot(slot(register), host);
        }
        self.set(register, Value { imm, ..Value::home(register) });
    }

    /// As [`define`](Self::define), with the register's value in the host register.
    fn modify(&mut self, register: u8) -> Host {
        let host = self.define(register);
        self.load_value(self.value(register), host);
        host
    }

    /// Gives a register a value that is known.
    fn assign(&mut self, register: u8, value: Value) {
        if !value.uses(register) {
            self.release(register);
        }
        self.set(register, value);
    }

    fn add_constant(&mut self, register: u8, imm: u32) {
        let value = self.value(register);
        match value.kind {
            Kind::Home | Kind::Constant => self.set(register, Value { imm: value.imm.wrapping_add(imm), ..value }),
            _ => {
                self.settle(register);
                self.set(register, Value { imm, ..Value::home(register) });
            }
        }
    }

    // ---- ways out -------------------------------------------------------------------------------------------------------------------------

    fn call_stub(&mut self, stub: usize) {
        let at = self.hot.call();
        self.to_stub.push((self.swapped, at as u32, stub as u32));
    }

    /// Leaves compiled code with everything in place.
    fn leave(&mut self, reason: Reason, pc: u32) {
        self.flush();
        self.call_stub(self.stubs.exit);
        let host = self.hot.len() as u32;
        self.product.exits.push(ExitSite { host, pc, refund: 0, reason, pending: PendingRange::default() });
        // Jumps are bound over the first bytes of a leader when its unit is compiled again.
    }

    /// Adds a way out at the end of the cold code.
    fn cold_exit(&mut self, site: ExitSite) {
        let at = self.cold.call();
        self.to_stub.push((true, at as u32, self.stubs.exit as u32));
        let host = self.cold.len() as u32;
        self.product.cold_exits.push(ExitSite { host, ..site });
    }

    /// Notes that the next host instruction may fault.
    fn may_fault(&mut self, unit: &Unit, index: usize) {
        let pending = self.record();
        let step = &unit.steps[index];
        let host = (self.base + self.hot.len()) as u32;
        self.product.faults.push(FaultSite { host, pc: step.pc, refund: step.cost, pending });
    }

    fn swap(&mut self) {
        mem::swap(&mut self.hot, &mut self.cold);
        self.swapped = !self.swapped;
    }

    /// Binds a displacement to a guest address.
    fn bind(&mut self, unit: &Unit, at: usize, pc: u32) {
        match unit.at(pc) {
            Some(index) => self.to_label.push((self.swapped, at as u32, index as u16)),
            None => self.leaving.push((self.swapped, at as u32, pc)),
        }
    }

    // ---- instructions -----------------------------------------------------------------------------------------------------------------------

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

    fn sum(&mut self, a: u8, b: u8, subtract: bool) {
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

    fn logic(&mut self, alu: Alu, op: Op, a: u8, b: u8) {
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

    fn shift(&mut self, shift: Shift, op: Op, a: u8, b: u8) {
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

    fn unary(&mut self, op: Op, a: u8, b: u8) {
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

    fn multiply(&mut self, a: u8, b: u8) {
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

    fn multiply_high(&mut self, a: u8, b: u8, signed: bool) {
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

    fn divide(&mut self, unit: &Unit, index: usize) {
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

    // ---- memory -----------------------------------------------------------------------------------------------------------------------------

    fn load(&mut self, unit: &Unit, index: usize, width: Width, to: u8, from: u8, offset: u32) {
        let d = self.define(to);
        let address = self.address(from, offset);
        self.may_fault(unit, index);
        self.hot.load(width, d, address);
        self.defined(to, d);
    }

    fn load_absolute(&mut self, unit: &Unit, index: usize, width: Width, to: u8, at: u32) {
        let d = self.define(to);
        let address = self.absolute(at);
        self.may_fault(unit, index);
        self.hot.load(width, d, address);
        self.defined(to, d);
    }

    fn store(&mut self, unit: &Unit, index: usize, width: Width, to: u8, offset: u32, from: u8) {
        let address = self.address(to, offset);
        self.store_at(unit, index, width, address, from);
    }

    fn store_absolute(&mut self, unit: &Unit, index: usize, width: Width, at: u32, from: u8) {
        let address = self.absolute(at);
        self.store_at(unit, index, width, address, from);
    }

    fn store_at(&mut self, unit: &Unit, index: usize, width: Width, address: Address, from: u8) {
        let value = self.value(from);
        match value.as_constant() {
            Some(imm) => {
                self.may_fault(unit, index);
                self.hot.store_imm(width, address, imm);
            }
            None => {
                let s = self.in_register(value, EAX);
                self.may_fault(unit, index);
                self.hot.store(width, address, s);
            }
        }
    }

    // ---- control ------------------------------------------------------------------------------------------------------------------------------

    /// Compares the operands of the last `cmp`; returns whether they were exchanged.
    fn compare(&mut self) -> bool {
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

    fn branch(&mut self, unit: &Unit, index: usize) {
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
    fn push_frame(&mut self, unit: &Unit, index: usize, back: u32, scratch: Host) {
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

    fn after_call(&mut self) {
        dynasm!(self.hot.raw() ; .arch x64 ; lea rsp, [BYTE rsp + 8]);
    }

    fn call(&mut self, unit: &Unit, index: usize, target: u32) {
        let step = &unit.steps[index];
        self.push_frame(unit, index, step.pc.wrapping_add(6), EAX);
        let at = self.hot.call();
        self.bind(unit, at, target);
        self.after_call();
    }

    fn call_register(&mut self, unit: &Unit, index: usize, register: u8) {
        let step = &unit.steps[index];
        self.flush();
        // The stack pointer is in its home now, so the frame is addressed without scratch registers, and `eax` keeps the target.
        self.hot_load_home(EAX, register);
        self.push_frame(unit, index, step.pc.wrapping_add(2), ECX);
        self.call_stub(self.stubs.dispatch);
        self.after_call();
    }

    fn ret(&mut self, unit: &Unit, index: usize) {
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
    fn dispatch(&mut self) {
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

/// Whether one value is a home shifted left and the other the same home shifted right by the rest: then their union is a rotation to the right.
fn rotation(x: Value, y: Value) -> Option<(u8, u8)> {
    let (left, right) = match (x.kind, y.kind) {
        (Kind::Left, Kind::Right) => (x, y),
        (Kind::Right, Kind::Left) => (y, x),
        _ => return None,
    };
    (left.home == right.home && left.imm + right.imm == 32).then_some((right.home, right.imm as u8))
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
