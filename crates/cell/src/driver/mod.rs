//! Drives an engine: answers its calls, keeps its clock, writes its journal, and catches what must not escape.
//!
//! Here is what a cell is and what its owner can do with it; [`run`] takes it from stop to stop, [`answer`] lets the world answer its calls,
//! [`frozen`] is a cell at rest, and [`face`] hides the kind of engine.

mod answer;
mod face;
mod frozen;
mod run;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::answer::Answer;
pub use self::face::AnyCell;
pub use self::frozen::CellSnapshot;
use crate::Error;
use crate::clock::{Alarm, Clock};
use crate::engine::{Engine, Task};
use crate::group::RemoteCall;
use crate::hatch::{Call, Hatch, HatchCall, HostFuture, HostResult, Offer, Operation, Reply, Ticket};
use crate::journal::{Entry, Journal, Tape};
use crate::limits::{Limits, Resolved};
use crate::meter::{InterruptHandle, Meter};
use crate::outcome::Outcome;
use crate::reference::Ref;
use crate::stop::{GuestError, Stop};
use crate::value::Argument;

/// How many activations may be nested through the host, and how many cells may wait for each other.
pub const MOST_NESTED: u32 = 64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    /// Nothing to run.
    Idle,
    /// Prepared, called, or stopped where it can go on.
    Runnable,
    /// Of no use any more.
    Dead(String),
}

/// A call that is not answered yet, in a guest that cannot hold promises.
struct Awaited {
    ticket: Ticket,
    call: HatchCall,
    future: Option<HostFuture>,
}

/// What stands between an engine and the world.
struct Core {
    meter: Meter,
    limits: Limits,
    resolved: Resolved,
    hatch: Hatch,
    clock: Option<Arc<dyn Clock>>,
    alarm: Option<Box<dyn Alarm>>,
    /// When the run that is on its way was started.
    started: Option<Duration>,
    /// The reading at which the run pauses, to go on soon: see [`Cell::run_briefly`].
    pause: Option<u64>,
    status: Status,
    tape: Tape,
    /// The answer to give when the engine goes on.
    next: Option<Reply>,
    awaited: Option<Awaited>,
    /// A call that was waiting when the snapshot was taken, to be made again.
    again: Option<HatchCall>,
    futures: Vec<(Ticket, HostFuture)>,
    tickets: u64,
    /// Activations nested through host functions now.
    nested: u32,
    /// Objects of the guest's that were arguments of calls answered by now, and that nobody kept.
    spent: Vec<Ref>,
}

/// One isolated guest on engine `E`. `Send`, not `Sync`: one thread at a time.
pub struct Cell<E: Engine> {
    engine: E,
    core: Core,
}

/// What one step of a cell needs next.
pub(crate) enum Step {
    /// The innermost activation ended, or the run was stopped.
    Stop(Stop),
    /// Nothing to do until one of these is settled.
    Waiting(Vec<Ticket>),
    /// Another cell of the group must answer.
    Enter(RemoteCall),
}

impl<E: Engine> std::fmt::Debug for Cell<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell")
            .field("engine", &E::keeps().engine)
            .field("status", &self.core.status)
            .field("limits", &self.core.limits)
            .finish_non_exhaustive()
    }
}

impl<E: Engine> Cell<E> {
    /// A cell around an engine. Without a clock a wall limit is refused, and the default one left out.
    ///
    /// # Errors
    /// [`Error::LimitNotKept`] for a limit that this engine, or a driver without clock, cannot keep.
    pub fn new(mut engine: E, limits: Limits, clock: Option<Arc<dyn Clock>>) -> Result<Self, Error> {
        let mut keeps = E::keeps();
        keeps.wall &= clock.is_some();
        let resolved = limits.resolve(&keeps)?;
        engine.set_limits(&resolved)?;
        let core = Core {
            meter: Meter::new(resolved.fuel),
            limits,
            resolved,
            hatch: Hatch::default(),
            clock,
            alarm: None,
            started: None,
            pause: None,
            status: Status::Idle,
            tape: Tape::Off,
            next: None,
            awaited: None,
            again: None,
            futures: Vec::new(),
            tickets: 0,
            nested: 0,
            spent: Vec::new(),
        };
        Ok(Self { engine, core })
    }

    /// The engine, for what only this kind of cell can do.
    pub fn engine(&mut self) -> &mut E {
        &mut self.engine
    }

    /// The engine, to look at.
    pub fn engine_ref(&self) -> &E {
        &self.engine
    }

    /// The limits as they were asked for.
    pub fn limits(&self) -> &Limits {
        &self.core.limits
    }

    /// Changes the limits, from the next run on.
    ///
    /// # Errors
    /// As [`Cell::new`].
    pub fn set_limits(&mut self, limits: Limits) -> Result<(), Error> {
        let mut keeps = E::keeps();
        keeps.wall &= self.core.clock.is_some();
        let resolved = limits.resolve(&keeps)?;
        self.engine.set_limits(&resolved)?;
        self.core.limits = limits;
        self.core.resolved = resolved;
        Ok(())
    }

    /// Makes the slices of fuel smaller; what a run does never depends on it.
    pub fn set_slice(&mut self, units: u64) {
        self.core.meter.set_slice(units);
    }

    /// Stops this cell from any thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.core.meter.interrupt_handle()
    }

    /// Offers something of the host's under a name.
    ///
    /// # Errors
    /// When the guest has no room for it.
    pub fn offer(&mut self, name: impl Into<String>, offer: impl Into<Offer>) -> Result<(), Error> {
        self.alive()?;
        let (name, offer) = (name.into(), offer.into());
        self.engine.offer(&name, &offer.shape())?;
        self.core.hatch.offer(name, offer);
        Ok(())
    }

    /// Offers a function under a name.
    ///
    /// # Errors
    /// As [`offer`](Cell::offer).
    pub fn offer_function(
        &mut self,
        name: impl Into<String>,
        function: impl FnMut(&mut Call<'_>) -> HostResult + Send + 'static,
    ) -> Result<(), Error> {
        self.offer(name, Offer::function(function))
    }

    /// Makes every offer of another table here.
    ///
    /// # Errors
    /// As [`offer`](Cell::offer).
    pub fn offer_all(&mut self, hatch: &Hatch) -> Result<(), Error> {
        hatch.offers().try_for_each(|(name, offer)| self.offer(name, offer.clone()))
    }

    /// The table of what is offered and lent.
    pub fn hatch(&mut self) -> &mut Hatch {
        &mut self.core.hatch
    }

    /// Writes down everything the world tells this cell, from here on.
    pub fn record(&mut self) {
        self.core.tape = Tape::Record(Journal::default());
    }

    /// What was written down so far.
    pub fn journal(&self) -> Option<&Journal> {
        if let Tape::Record(journal) = &self.core.tape { Some(journal) } else { None }
    }

    /// Answers from a journal instead of from the world, from here on.
    pub fn replay(&mut self, journal: Journal) {
        self.core.tape = Tape::Replay(journal.entries.into());
    }

    /// Lays out a program, to be run by [`run`](Cell::run).
    ///
    /// # Errors
    /// [`Error::Dead`]; [`Error::Program`] for what is no program of this kind.
    pub fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        self.alive()?;
        self.engine.prepare(task)?;
        self.begin();
        Ok(())
    }

    /// Prepares and runs.
    ///
    /// # Errors
    /// As [`prepare`](Cell::prepare) and [`run`](Cell::run).
    pub fn execute(&mut self, task: &Task) -> Result<Outcome, Error> {
        self.prepare(task)?;
        self.run()
    }

    /// Runs to the next stop, or goes on from the last one. Futures of the host are looked at but not waited for: when nothing else is left, the
    /// stop is `Waiting`.
    ///
    /// # Errors
    /// [`Error::State`] when there is nothing to run, [`Error::Dead`]. What the guest does is an [`Outcome`].
    pub fn run(&mut self) -> Result<Outcome, Error> {
        self.start()?;
        let stop = match self.advance(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(stop) => stop,
            Poll::Pending => Stop::Waiting(self.open_tickets()),
        };
        Ok(self.finish(stop))
    }

    /// As [`run`](Cell::run) for at most so many units of fuel, and without the clock: for embedders to whom setting it costs more than a short
    /// run does. `None` when there is more to do; then [`run`](Cell::run) goes on, and the time that is gone counts.
    ///
    /// # Errors
    /// As [`run`](Cell::run).
    pub fn run_briefly(&mut self, units: u64) -> Result<Option<Outcome>, Error> {
        self.start_unwatched()?;
        // A replay has its own readings to stop at.
        if !E::keeps().fuel || self.core.tape.is_replay() {
            return Ok(None);
        }
        self.core.pause = Some(self.core.meter.used().saturating_add(units));
        let step = self.step(&mut Context::from_waker(Waker::noop()));
        self.core.pause = None;
        match step {
            // Nobody asked for it: it is the pause.
            Step::Stop(stop) if stop.is_from_outside() && self.interrupt_handle().is_raised().is_none() => Ok(None),
            Step::Stop(stop) => Ok(Some(self.finish(stop))),
            Step::Waiting(_) => Ok(None),
            Step::Enter(call) => {
                self.refuse_to_enter(&call);
                Ok(None)
            }
        }
    }

    /// Answers a call into another cell that is not there.
    fn refuse_to_enter(&mut self, call: &RemoteCall) {
        let error = GuestError::new("NotInGroup", "the other cell can be reached only while this one runs in its group");
        if let Answer::Reply(reply) = self.answered(&call.call, Err(error)) {
            self.core.next = Some(reply);
        }
    }

    /// As [`run`](Cell::run), but `Pending` while a future of the host is.
    ///
    /// # Errors
    /// As [`run`](Cell::run).
    pub fn poll_run(&mut self, context: &mut Context<'_>) -> Result<Poll<Outcome>, Error> {
        self.start()?;
        Ok(self.advance(context).map(|stop| self.finish(stop)))
    }

    /// Steps to the next stop; `Pending` while a future of the host is.
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Stop> {
        loop {
            match self.step(context) {
                Step::Stop(stop) => return Poll::Ready(stop),
                Step::Waiting(tickets)
                    if self.core.futures.is_empty() && self.core.awaited.as_ref().is_none_or(|awaited| awaited.future.is_none()) =>
                {
                    return Poll::Ready(Stop::Waiting(tickets));
                }
                Step::Waiting(_) => return Poll::Pending,
                Step::Enter(call) => self.refuse_to_enter(&call),
            }
        }
    }

    /// Calls a global function by name and runs it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such function; as [`run`](Cell::run) otherwise.
    pub fn call(&mut self, name: &str, arguments: &[Argument]) -> Result<Outcome, Error> {
        self.alive()?;
        match self.engine.global(name)? {
            Some(Argument::Own(function)) => {
                let outcome = self.call_ref(function, &Operation::Call, arguments);
                self.engine.release(function);
                outcome
            }
            Some(_) => Err(Error::Invalid(format!("`{name}` is not a function"))),
            None => Err(Error::Invalid(format!("there is no `{name}` in this cell"))),
        }
    }

    /// Calls an object that the guest handed out.
    ///
    /// # Errors
    /// As [`Engine::call`] and [`run`](Cell::run).
    pub fn call_ref(&mut self, target: Ref, operation: &Operation, arguments: &[Argument]) -> Result<Outcome, Error> {
        self.alive()?;
        self.engine.call(target, operation, arguments, None)?;
        self.begin();
        self.run()
    }

    /// Reads a global.
    ///
    /// # Errors
    /// As [`Engine::global`].
    pub fn get(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        self.alive()?;
        self.engine.global(name)
    }

    /// Sets a global.
    ///
    /// # Errors
    /// As [`Engine::set_global`].
    pub fn set(&mut self, name: &str, value: impl Into<Argument>) -> Result<(), Error> {
        self.alive()?;
        let value = value.into();
        self.core.hatch.bounds.check(&value)?;
        self.engine.set_global(name, &value)
    }

    /// Adds fuel to the run that was stopped; [`run`](Cell::run) goes on.
    pub fn refuel(&mut self, units: u64) {
        self.core.meter.refuel(units);
    }

    /// Keeps a promise that a stop `Waiting` named.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown ticket.
    pub fn settle(&mut self, ticket: Ticket, result: HostResult) -> Result<(), Error> {
        self.alive()?;
        if let Some(awaited) = self.core.awaited.take_if(|awaited| awaited.ticket == ticket) {
            self.answer_awaited(&awaited.call, result);
            return Ok(());
        }
        self.core.futures.retain(|(open, _)| *open != ticket);
        self.settle_engine(ticket, result)
    }

    /// The host will not use this object of the guest's again.
    pub fn release(&mut self, own: Ref) {
        self.core.tape.record(|| Entry::Release { own });
        self.engine.release(own);
    }

    /// Units of fuel used by this run so far.
    pub fn fuel_used(&self) -> u64 {
        self.core.meter.used()
    }

    /// Units of fuel left; `None` without a limit.
    pub fn fuel_left(&self) -> Option<u64> {
        self.core.meter.remaining()
    }

    /// Whether [`run`](Cell::run) would go on.
    pub fn is_runnable(&self) -> bool {
        self.core.status == Status::Runnable
    }

    fn alive(&self) -> Result<(), Error> {
        match &self.core.status {
            Status::Dead(why) => Err(Error::Dead(why.clone())),
            _ => Ok(()),
        }
    }

    fn begin(&mut self) {
        let core = &mut self.core;
        core.meter.start(core.resolved.fuel);
        core.next = None;
        core.awaited = None;
        core.again = None;
        core.status = Status::Runnable;
        core.alarm = None;
        self.engine.console().start(core.resolved.output);
    }

    /// Begins or goes on with a run, without its clock.
    fn start_unwatched(&mut self) -> Result<(), Error> {
        self.alive()?;
        if self.core.status == Status::Idle {
            return Err(Error::State("there is nothing to run: prepare a program, or call a function".into()));
        }
        let core = &mut self.core;
        if core.started.is_none() {
            core.started = Some(core.clock.as_ref().map_or(Duration::ZERO, |clock| clock.now()));
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        self.start_unwatched()?;
        let core = &mut self.core;
        if core.alarm.is_none()
            && let (Some(clock), Some(wall)) = (&core.clock, core.resolved.wall)
        {
            let gone = clock.now().saturating_sub(core.started.unwrap_or_default());
            core.alarm = Some(clock.arm(wall.saturating_sub(gone), core.meter.interrupt_handle()));
        }
        Ok(())
    }
}
