//! Host instructions, one method each: a thin layer over `dynasm` with the operand forms that the translator uses.

#![allow(clippy::useless_conversion, reason = "the assembler's macro converts register numbers to bytes, which they are")]

use dynasmrt::{DynasmApi, SimpleAssembler, dynasm};

/// A host register by its number.
pub(super) type Host = u8;

/// Scratch registers: no guest register lives here, and nothing survives an instruction of the guest's.
pub(super) const EAX: Host = 0;
pub(super) const ECX: Host = 1;

/// An operand that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Reg(Host),
    Imm(u32),
    /// Offset into the state block.
    Slot(i8),
}

/// A guest address: base of guest memory, plus a zero-extended register, plus an offset that the guards around the reservation cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) index: Option<Host>,
    pub(super) offset: i32,
}

/// Two-operand arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Cmp,
}

/// Shifts and rotates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    Left,
    Right,
    Signed,
    RotateRight,
}

/// Host conditions by their encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cond {
    Below = 2,
    AboveEqual = 3,
    Equal = 4,
    NotEqual = 5,
    BelowEqual = 6,
    Above = 7,
    Less = 12,
    GreaterEqual = 13,
    LessEqual = 14,
    Greater = 15,
}

impl Cond {
    /// The condition that holds when the operands of the compare are exchanged.
    pub(super) fn exchanged(self) -> Self {
        match self {
            Self::Below => Self::Above,
            Self::Above => Self::Below,
            Self::BelowEqual => Self::AboveEqual,
            Self::AboveEqual => Self::BelowEqual,
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
            Self::LessEqual => Self::GreaterEqual,
            Self::GreaterEqual => Self::LessEqual,
            Self::Equal | Self::NotEqual => self,
        }
    }
}

/// Width of a memory access in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Byte,
    Short,
    Long,
    /// Two words at once: what a call pushes.
    Pair,
}

/// Code under construction.
pub(super) struct Emitter {
    ops: SimpleAssembler,
}

/// Writes an instruction with a guest memory operand in the shortest of its four forms.
macro_rules! with_address {
    ($ops:expr, $address:expr, ($($head:tt)*), ($($tail:tt)*)) => {{
        let offset = $address.offset;
        match ($address.index, i8::try_from(offset)) {
            (Some(index), Ok(0)) => dynasm!($ops ; .arch x64 ; $($head)* [r15 + Rq(index)] $($tail)*),
            (Some(index), Ok(short)) => dynasm!($ops ; .arch x64 ; $($head)* [BYTE r15 + Rq(index) + short] $($tail)*),
            (Some(index), Err(_)) => dynasm!($ops ; .arch x64 ; $($head)* [DWORD r15 + Rq(index) + offset] $($tail)*),
            (None, _) => dynasm!($ops ; .arch x64 ; $($head)* [DWORD r15 + offset] $($tail)*),
        }
    }};
}

macro_rules! alu_forms {
    ($self:ident, $name:ident, $d:ident, $operand:ident) => {
        match $operand {
            Operand::Reg(s) => dynasm!($self.ops ; .arch x64 ; $name Rd($d), Rd(s)),
            Operand::Slot(at) => dynasm!($self.ops ; .arch x64 ; $name Rd($d), [BYTE rbp + at]),
            Operand::Imm(imm) => match i8::try_from(imm.cast_signed()) {
                Ok(short) => dynasm!($self.ops ; .arch x64 ; $name Rd($d), BYTE short),
                Err(_) => dynasm!($self.ops ; .arch x64 ; $name Rd($d), DWORD imm.cast_signed()),
            },
        }
    };
}

impl Emitter {
    pub(super) fn new() -> Self {
        Self { ops: SimpleAssembler { ops: Vec::with_capacity(16 << 10) } }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.ops.ops.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.ops.ops
    }

    pub(super) fn clear(&mut self) {
        self.ops.ops.clear();
    }

    /// Writes a 32-bit displacement so that the jump whose displacement stands at `at` goes to `target`, both offsets into the same stretch.
    pub(super) fn patch(&mut self, at: usize, target: usize) {
        let displacement = (target as i64 - (at as i64 + 4)) as i32;
        self.ops.ops[at..at + 4].copy_from_slice(&displacement.to_le_bytes());
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.ops.ops.extend_from_slice(bytes);
    }

    pub(super) fn raw(&mut self) -> &mut SimpleAssembler {
        &mut self.ops
    }

    // ---- moves ---------------------------------------------------------------------------------------------------------------------------

    pub(super) fn mov(&mut self, d: Host, s: Host) {
        dynasm!(self.ops ; .arch x64 ; mov Rd(d), Rd(s));
    }

    /// Leaves the flags alone, even for zero.
    pub(super) fn mov_imm(&mut self, d: Host, imm: u32) {
        dynasm!(self.ops ; .arch x64 ; mov Rd(d), DWORD imm.cast_signed());
    }

    pub(super) fn load_slot(&mut self, d: Host, slot: i8) {
        dynasm!(self.ops ; .arch x64 ; mov Rd(d), [BYTE rbp + slot]);
    }

    pub(super) fn store_slot(&mut self, slot: i8, s: Host) {
        dynasm!(self.ops ; .arch x64 ; mov [BYTE rbp + slot], Rd(s));
    }

    pub(super) fn store_slot_imm(&mut self, slot: i8, imm: u32) {
        dynasm!(self.ops ; .arch x64 ; mov DWORD [BYTE rbp + slot], DWORD imm.cast_signed());
    }

    pub(super) fn lea(&mut self, d: Host, s: Host, add: u32) {
        let add = add.cast_signed();
        match i8::try_from(add) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; lea Rd(d), [BYTE Rq(s) + short]),
            Err(_) => dynasm!(self.ops ; .arch x64 ; lea Rd(d), [DWORD Rq(s) + add]),
        }
    }

    /// `d = a + b`, flags left alone.
    pub(super) fn lea_sum(&mut self, d: Host, a: Host, b: Host) {
        dynasm!(self.ops ; .arch x64 ; lea Rd(d), [Rq(a) + Rq(b)]);
    }

    // ---- guest memory ----------------------------------------------------------------------------------------------------------------------

    pub(super) fn load(&mut self, width: Width, d: Host, address: Address) {
        match width {
            Width::Byte => with_address!(self.ops, address, (movzx Rd(d), BYTE), ()),
            Width::Short => with_address!(self.ops, address, (movzx Rd(d), WORD), ()),
            Width::Long => with_address!(self.ops, address, (mov Rd(d), DWORD), ()),
            Width::Pair => with_address!(self.ops, address, (mov Rq(d), QWORD), ()),
        }
    }

    pub(super) fn store(&mut self, width: Width, address: Address, s: Host) {
        match width {
            Width::Byte => with_address!(self.ops, address, (mov BYTE), (, Rb(s))),
            Width::Short => with_address!(self.ops, address, (mov WORD), (, Rw(s))),
            Width::Long => with_address!(self.ops, address, (mov DWORD), (, Rd(s))),
            Width::Pair => with_address!(self.ops, address, (mov QWORD), (, Rq(s))),
        }
    }

    pub(super) fn store_imm(&mut self, width: Width, address: Address, imm: u32) {
        match width {
            Width::Byte => with_address!(self.ops, address, (mov BYTE), (, BYTE imm as i8)),
            Width::Short => with_address!(self.ops, address, (mov WORD), (, WORD imm as i16)),
            Width::Long => with_address!(self.ops, address, (mov DWORD), (, DWORD imm.cast_signed())),
            Width::Pair => unreachable!("pairs are never constant"),
        }
    }

    // ---- arithmetic ----------------------------------------------------------------------------------------------------------------------

    pub(super) fn alu(&mut self, op: Alu, d: Host, operand: Operand) {
        match op {
            Alu::Add => alu_forms!(self, add, d, operand),
            Alu::Sub => alu_forms!(self, sub, d, operand),
            Alu::And => alu_forms!(self, and, d, operand),
            Alu::Or => alu_forms!(self, or, d, operand),
            Alu::Xor => alu_forms!(self, xor, d, operand),
            Alu::Cmp => match operand {
                Operand::Reg(s) => dynasm!(self.ops ; .arch x64 ; cmp Rd(d), Rd(s)),
                Operand::Slot(at) => dynasm!(self.ops ; .arch x64 ; cmp Rd(d), [BYTE rbp + at]),
                Operand::Imm(imm) => match i8::try_from(imm.cast_signed()) {
                    // The macro knows no `cmp` with a short immediate.
                    Ok(short) => self.append(&[0x40 | d >> 3, 0x83, 0xf8 | d & 7, short.cast_unsigned()]),
                    Err(_) => dynasm!(self.ops ; .arch x64 ; cmp Rd(d), DWORD imm.cast_signed()),
                },
            },
        }
    }

    pub(super) fn test(&mut self, a: Host) {
        dynasm!(self.ops ; .arch x64 ; test Rd(a), Rd(a));
    }

    pub(super) fn mul(&mut self, d: Host, operand: Operand) {
        match operand {
            Operand::Reg(s) => dynasm!(self.ops ; .arch x64 ; imul Rd(d), Rd(s)),
            Operand::Slot(at) => dynasm!(self.ops ; .arch x64 ; imul Rd(d), [BYTE rbp + at]),
            Operand::Imm(imm) => dynasm!(self.ops ; .arch x64 ; imul Rd(d), Rd(d), DWORD imm.cast_signed()),
        }
    }

    pub(super) fn mul64(&mut self, d: Host, s: Host) {
        dynasm!(self.ops ; .arch x64 ; imul Rq(d), Rq(s));
    }

    pub(super) fn shift64_right(&mut self, d: Host, count: u8) {
        dynasm!(self.ops ; .arch x64 ; shr Rq(d), BYTE count.cast_signed());
    }

    pub(super) fn or64(&mut self, d: Host, s: Host) {
        dynasm!(self.ops ; .arch x64 ; or Rq(d), Rq(s));
    }

    pub(super) fn mov_imm64(&mut self, d: Host, imm: u64) {
        dynasm!(self.ops ; .arch x64 ; mov Rq(d), QWORD imm.cast_signed());
    }

    pub(super) fn sign_extend64(&mut self, d: Host, s: Host) {
        dynasm!(self.ops ; .arch x64 ; movsxd Rq(d), Rd(s));
    }

    pub(super) fn shift(&mut self, shift: Shift, d: Host, count: u8) {
        let count = count.cast_signed();
        match shift {
            Shift::Left => dynasm!(self.ops ; .arch x64 ; shl Rd(d), BYTE count),
            Shift::Right => dynasm!(self.ops ; .arch x64 ; shr Rd(d), BYTE count),
            Shift::Signed => dynasm!(self.ops ; .arch x64 ; sar Rd(d), BYTE count),
            Shift::RotateRight => dynasm!(self.ops ; .arch x64 ; ror Rd(d), BYTE count),
        }
    }

    /// Shifts by the low five bits of `cl`.
    pub(super) fn shift_by_cl(&mut self, shift: Shift, d: Host) {
        match shift {
            Shift::Left => dynasm!(self.ops ; .arch x64 ; shl Rd(d), cl),
            Shift::Right => dynasm!(self.ops ; .arch x64 ; shr Rd(d), cl),
            Shift::Signed => dynasm!(self.ops ; .arch x64 ; sar Rd(d), cl),
            Shift::RotateRight => dynasm!(self.ops ; .arch x64 ; ror Rd(d), cl),
        }
    }

    pub(super) fn neg(&mut self, d: Host) {
        dynasm!(self.ops ; .arch x64 ; neg Rd(d));
    }

    pub(super) fn not(&mut self, d: Host) {
        dynasm!(self.ops ; .arch x64 ; not Rd(d));
    }

    /// Extends the low byte or short of `s` into `d`.
    pub(super) fn extend(&mut self, width: Width, signed: bool, d: Host, s: Host) {
        match (width, signed) {
            (Width::Byte, false) => dynasm!(self.ops ; .arch x64 ; movzx Rd(d), Rb(s)),
            (Width::Byte, true) => dynasm!(self.ops ; .arch x64 ; movsx Rd(d), Rb(s)),
            (_, false) => dynasm!(self.ops ; .arch x64 ; movzx Rd(d), Rw(s)),
            (_, true) => dynasm!(self.ops ; .arch x64 ; movsx Rd(d), Rw(s)),
        }
    }

    // ---- control -----------------------------------------------------------------------------------------------------------------------

    /// A conditional jump; returns where its displacement stands.
    pub(super) fn jcc(&mut self, cond: Cond) -> usize {
        self.append(&[0x0f, 0x80 | cond as u8, 0, 0, 0, 0]);
        self.len() - 4
    }

    /// A jump; returns where its displacement stands.
    pub(super) fn jmp(&mut self) -> usize {
        self.append(&[0xe9, 0, 0, 0, 0]);
        self.len() - 4
    }

    /// A call; returns where its displacement stands.
    pub(super) fn call(&mut self) -> usize {
        self.append(&[0xe8, 0, 0, 0, 0]);
        self.len() - 4
    }

    /// Takes fuel for `cost` instructions; the flags say `Below` if there was not enough.
    pub(super) fn charge(&mut self, cost: u32) {
        match i8::try_from(cost) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; sub r14d, BYTE short),
            Err(_) => dynasm!(self.ops ; .arch x64 ; sub r14d, DWORD cost.cast_signed()),
        }
    }

    /// Gives fuel back, flags left alone.
    pub(super) fn refund(&mut self, units: u32) {
        match i8::try_from(units) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; lea r14d, [BYTE r14 + short]),
            Err(_) => dynasm!(self.ops ; .arch x64 ; lea r14d, [DWORD r14 + units.cast_signed()]),
        }
    }
}
