//! Everything that decides a run, in one value: what the command, receipts and recordings share.

use std::collections::BTreeSet;

use cell::{AnyCell, Error, Limits, Task};
use serde::{Deserialize, Serialize};

use crate::kind::CellKind;
use crate::offers::Standard;

/// One run: program, inputs, limits, offers, and what is special to the kind of cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Programs, inputs and prior state.
    pub task: Task,
    /// Limits as asked for.
    pub limits: Limits,
    /// Standard offers.
    pub offers: BTreeSet<Standard>,
    /// The guest, with the options of its kind.
    pub guest: Guest,
}

/// A kind of cell with its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guest {
    /// A Moxie program.
    Moxie(moxie::Options),
}

impl Guest {
    /// A kind with its default options.
    pub fn new(kind: CellKind) -> Self {
        match kind {
            CellKind::Moxie => Self::Moxie(moxie::Options::default()),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> CellKind {
        match self {
            Self::Moxie(_) => CellKind::Moxie,
        }
    }
}

impl Request {
    /// A cell with everything laid out, ready to run.
    ///
    /// # Errors
    /// Misuse, or a program that is none.
    pub fn open(&self) -> Result<Box<dyn AnyCell>, Error> {
        let mut cell: Box<dyn AnyCell> = match &self.guest {
            Guest::Moxie(options) => Box::new(crate::moxie().limits(self.limits).options(*options).build()?.into_inner()),
        };
        for standard in &self.offers {
            cell.offer(standard.name(), standard.offer())?;
        }
        cell.prepare(&self.task)?;
        Ok(cell)
    }
}
