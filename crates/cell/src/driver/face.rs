//! Faces of a cell that do not name its engine: for whoever holds cells of several kinds, and for groups.

use std::io::Write;
use std::task::{Context, Poll};

use super::answer::handed_out;
use super::{Cell, Status, Step};
use crate::Error;
use crate::engine::{Engine, Task};
use crate::group::RemoteCall;
use crate::hatch::{Hatch, HatchCall, HostResult, Offer, Ticket};
use crate::journal::{Entry, Journal};
use crate::limits::Limits;
use crate::meter::{InterruptHandle, Meter};
use crate::outcome::Outcome;
use crate::reference::Ref;
use crate::stop::Stop;
use crate::value::Argument;

/// What a [`Group`](crate::Group) does with its members.
pub(crate) trait Member {
    fn start(&mut self) -> Result<(), Error>;
    fn step(&mut self, context: &mut Context<'_>) -> Step;
    fn finish(&mut self, stop: Stop) -> Outcome;
    fn enter(&mut self, call: &RemoteCall, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error>;
    /// Answers a call. `taken`: what it handed out went to another cell, which releases it.
    fn reply(&mut self, call: &HatchCall, result: HostResult, charged: u64, taken: bool);
    fn take_value(&mut self) -> Argument;
    fn lendable(&mut self, name: &str) -> Result<Option<Argument>, Error>;
    fn release(&mut self, own: Ref);
    fn abandon(&mut self, why: &str);
    fn meter(&mut self) -> &mut Meter;
    fn hatch(&mut self) -> &mut Hatch;
    fn has_futures(&self) -> bool;
}

/// A [`Member`], kept from the outside.
#[doc(hidden)]
pub struct Face<'a>(pub(crate) &'a mut dyn Member);

impl<E: Engine> Member for Cell<E> {
    fn start(&mut self) -> Result<(), Error> {
        Self::start(self)
    }
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        Self::step(self, context)
    }
    fn finish(&mut self, stop: Stop) -> Outcome {
        Self::finish(self, stop)
    }
    fn enter(&mut self, call: &RemoteCall, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error> {
        self.alive()?;
        self.core.tape.record(|| Entry::Enter {
            target: call.remote.object,
            operation: call.call.operation.clone(),
            arguments: arguments.to_vec(),
        });
        self.engine.call(call.remote.object, &call.call.operation, arguments, block)?;
        self.core.status = Status::Runnable;
        Ok(())
    }
    fn reply(&mut self, call: &HatchCall, result: HostResult, charged: u64, taken: bool) {
        let kept = if taken { handed_out(call) } else { Vec::new() };
        self.core.next = Some(self.written(call, result, charged, kept));
    }
    fn take_value(&mut self) -> Argument {
        self.engine.take_value().unwrap_or_default()
    }
    fn lendable(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        self.alive()?;
        self.engine.lendable(name)
    }
    fn release(&mut self, own: Ref) {
        Self::release(self, own);
    }
    fn abandon(&mut self, why: &str) {
        self.core.status = Status::Dead(why.to_owned());
    }
    fn meter(&mut self) -> &mut Meter {
        &mut self.core.meter
    }
    fn hatch(&mut self) -> &mut Hatch {
        &mut self.core.hatch
    }
    fn has_futures(&self) -> bool {
        !self.core.futures.is_empty() || self.core.awaited.as_ref().is_some_and(|awaited| awaited.future.is_some())
    }
}

/// The object-safe face of a [`Cell`].
pub trait AnyCell: Send {
    /// The engine's name.
    fn engine_name(&self) -> &'static str;
    /// As [`Cell::prepare`].
    ///
    /// # Errors
    /// As there.
    fn prepare(&mut self, task: &Task) -> Result<(), Error>;
    /// As [`Cell::run`].
    ///
    /// # Errors
    /// As there.
    fn run(&mut self) -> Result<Outcome, Error>;
    /// As [`Cell::run_briefly`].
    ///
    /// # Errors
    /// As there.
    fn run_briefly(&mut self, units: u64) -> Result<Option<Outcome>, Error>;
    /// As [`Cell::poll_run`].
    ///
    /// # Errors
    /// As there.
    fn poll_run(&mut self, context: &mut Context<'_>) -> Result<Poll<Outcome>, Error>;
    /// As [`Cell::call`].
    ///
    /// # Errors
    /// As there.
    fn call(&mut self, name: &str, arguments: &[Argument]) -> Result<Outcome, Error>;
    /// As [`Cell::get`].
    ///
    /// # Errors
    /// As there.
    fn get(&mut self, name: &str) -> Result<Option<Argument>, Error>;
    /// As [`Cell::offer`].
    ///
    /// # Errors
    /// As there.
    fn offer(&mut self, name: &str, offer: Offer) -> Result<(), Error>;
    /// As [`Cell::refuel`].
    fn refuel(&mut self, units: u64);
    /// As [`Cell::settle`].
    ///
    /// # Errors
    /// As there.
    fn settle(&mut self, ticket: Ticket, result: HostResult) -> Result<(), Error>;
    /// As [`Cell::interrupt_handle`].
    fn interrupt_handle(&self) -> InterruptHandle;
    /// As [`Cell::record`].
    fn record(&mut self);
    /// As [`Cell::replay`].
    fn replay(&mut self, journal: Journal);
    /// As [`Cell::journal`].
    fn journal(&self) -> Option<&Journal>;
    /// As [`Cell::fuel_used`].
    fn fuel_used(&self) -> u64;
    /// As [`Cell::limits`].
    fn limits(&self) -> &Limits;
    /// As [`Cell::snapshot`], saved.
    ///
    /// # Errors
    /// As there, and those of the writer.
    fn save_snapshot(&mut self, to: &mut dyn Write) -> Result<(), Error>;
    /// What the group works with.
    #[doc(hidden)]
    fn group_face(&mut self) -> Face<'_>;
}

impl<E: Engine> AnyCell for Cell<E> {
    fn engine_name(&self) -> &'static str {
        E::keeps().engine
    }
    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        Self::prepare(self, task)
    }
    fn run(&mut self) -> Result<Outcome, Error> {
        Self::run(self)
    }
    fn run_briefly(&mut self, units: u64) -> Result<Option<Outcome>, Error> {
        Self::run_briefly(self, units)
    }
    fn poll_run(&mut self, context: &mut Context<'_>) -> Result<Poll<Outcome>, Error> {
        Self::poll_run(self, context)
    }
    fn call(&mut self, name: &str, arguments: &[Argument]) -> Result<Outcome, Error> {
        Self::call(self, name, arguments)
    }
    fn get(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        Self::get(self, name)
    }
    fn offer(&mut self, name: &str, offer: Offer) -> Result<(), Error> {
        Self::offer(self, name, offer)
    }
    fn refuel(&mut self, units: u64) {
        Self::refuel(self, units);
    }
    fn settle(&mut self, ticket: Ticket, result: HostResult) -> Result<(), Error> {
        Self::settle(self, ticket, result)
    }
    fn interrupt_handle(&self) -> InterruptHandle {
        Self::interrupt_handle(self)
    }
    fn record(&mut self) {
        Self::record(self);
    }
    fn replay(&mut self, journal: Journal) {
        Self::replay(self, journal);
    }
    fn journal(&self) -> Option<&Journal> {
        Self::journal(self)
    }
    fn fuel_used(&self) -> u64 {
        Self::fuel_used(self)
    }
    fn limits(&self) -> &Limits {
        Self::limits(self)
    }
    fn save_snapshot(&mut self, to: &mut dyn Write) -> Result<(), Error> {
        self.snapshot()?.save(to)
    }
    fn group_face(&mut self) -> Face<'_> {
        Face(self)
    }
}
