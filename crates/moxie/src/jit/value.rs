//! Values that are known without being computed.

use crate::state::REGISTERS;

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
    pub(super) const fn home(register: u8) -> Self {
        Self { kind: Kind::Home, home: register, imm: 0 }
    }

    pub(super) const fn constant(imm: u32) -> Self {
        Self { kind: Kind::Constant, home: 0, imm }
    }

    pub(super) const KEPT: Self = Self { kind: Kind::Kept, home: 0, imm: 0 };

    pub(super) fn as_constant(self) -> Option<u32> {
        (self.kind == Kind::Constant).then_some(self.imm)
    }

    /// Whether it is made from this home.
    pub(super) fn uses(self, register: u8) -> bool {
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

/// Whether one value is a home shifted left and the other the same home shifted right by the rest: then their union is a rotation to the right.
pub(super) fn rotation(x: Value, y: Value) -> Option<(u8, u8)> {
    let (left, right) = match (x.kind, y.kind) {
        (Kind::Left, Kind::Right) => (x, y),
        (Kind::Right, Kind::Left) => (y, x),
        _ => return None,
    };
    (left.home == right.home && left.imm + right.imm == 32).then_some((right.home, right.imm as u8))
}
