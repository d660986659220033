//! What the translation of a unit leaves besides its code: where compiled code may be left, and where it goes on.

use super::value::Value;

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

/// What the translation of a unit leaves, all offsets into the whole code memory.
#[derive(Default)]
pub(super) struct Product {
    /// Guest address and host offset of every leader.
    pub(super) leaders: Vec<(u32, u32)>,
    pub(super) links: Vec<Link>,
    pub(super) faults: Vec<FaultSite>,
    pub(super) exits: Vec<ExitSite>,
    pub(super) pending: Vec<Pending>,
    pub(super) cold_exits: Vec<ExitSite>,
}
