//! A cell at rest: frozen, saved, loaded, spawned.

use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Cell, Status};
use crate::Error;
use crate::clock::Clock;
use crate::engine::{Engine, Snapshot};
use crate::hatch::{HatchCall, Reply};
use crate::limits::Limits;
use crate::reference::RefTable;
use crate::snapshot::{read_framed, read_header, write_framed, write_header};

impl<E: Engine> Cell<E> {
    /// Freezes the cell as it is now.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when this engine cannot, or not now.
    pub fn snapshot(&mut self) -> Result<CellSnapshot<E>, Error> {
        self.alive()?;
        let engine = self.engine.snapshot()?;
        let core = &self.core;
        Ok(CellSnapshot {
            engine,
            head: Head {
                limits: core.limits,
                used: core.meter.used(),
                left: core.meter.remaining(),
                status: core.status.clone(),
                offers: core.hatch.offers().map(|(name, _)| name.to_owned()).collect(),
                lent: core.hatch.lent.generations(),
                call: core.awaited.as_ref().map(|awaited| &awaited.call).or(core.again.as_ref()).cloned(),
                next: core.next.clone(),
                tickets: core.tickets,
                schedule: self.engine.fuel_schedule(),
            },
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Head {
    limits: Limits,
    used: u64,
    left: Option<u64>,
    status: Status,
    offers: Vec<String>,
    /// Generations of the table of lent objects: old references must stay dead.
    lent: Vec<u32>,
    call: Option<HatchCall>,
    next: Option<Reply>,
    tickets: u64,
    schedule: Option<u32>,
}

/// A cell frozen as it was: prepared, stopped, or waiting in a call. Holds no host code: offers are kept by name and bound again by whoever
/// spawns it.
pub struct CellSnapshot<E: Engine> {
    engine: E::Snapshot,
    head: Head,
}

impl<E: Engine> std::fmt::Debug for CellSnapshot<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CellSnapshot").field("engine", &E::keeps().engine).field("head", &self.head).finish_non_exhaustive()
    }
}

impl<E: Engine> CellSnapshot<E> {
    /// Version of the saved form.
    pub const VERSION: u32 = 1;

    /// The engine's part.
    pub fn engine(&self) -> &E::Snapshot {
        &self.engine
    }

    /// Names that were offered; bind them again with [`Cell::offer`].
    pub fn offers(&self) -> &[String] {
        &self.head.offers
    }

    /// A new cell in the frozen state.
    ///
    /// # Errors
    /// When the host has no room, or the limits cannot be kept here.
    pub fn spawn(&self, clock: Option<Arc<dyn Clock>>) -> Result<Cell<E>, Error> {
        let head = &self.head;
        let mut limits = head.limits;
        if clock.is_none() {
            limits.wall = crate::Bound::Unlimited;
        }
        let mut cell = Cell::new(self.engine.spawn()?, limits, clock)?;
        cell.core.meter.restore(head.used, head.left);
        cell.core.status = head.status.clone();
        cell.core.next = head.next.clone();
        cell.core.tickets = head.tickets;
        cell.core.hatch.lent = RefTable::with_generations(&head.lent);
        for name in &head.offers {
            cell.core.hatch.expect(name.clone());
        }
        if let Some(call) = &head.call {
            // Made again once the cell runs: its offers may be bound by then.
            cell.core.again = Some(call.clone());
        }
        Ok(cell)
    }

    /// Writes it out, framed with version and checksum.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        let mut body = Vec::new();
        write_header(&mut body, &self.head)?;
        self.engine.save(&mut body)?;
        write_framed(to, &Self::kind(), Self::VERSION, &body)
    }

    /// Reads what [`save`](CellSnapshot::save) wrote. The bytes are not trusted: damaged ones are refused.
    ///
    /// # Errors
    /// [`Error::Damaged`] that says what is wrong.
    pub fn load(from: &mut dyn Read) -> Result<Self, Error> {
        let body = read_framed(from, &Self::kind(), Self::VERSION, 8 << 30)?;
        let mut rest = body.as_slice();
        let head: Head = read_header(&mut rest)?;
        let engine = E::Snapshot::load(&mut rest)?;
        if !rest.is_empty() {
            return Err(Error::Damaged("there are bytes behind the snapshot".into()));
        }
        Ok(Self { engine, head })
    }

    fn kind() -> String {
        format!("{} snapshot", E::keeps().engine)
    }
}
