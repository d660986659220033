//! Drives an engine: answers its calls, keeps its clock, writes its journal, and catches what must not escape.

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::engine::{After, Engine, Event, Snapshot, Task};
use crate::group::RemoteCall;
use crate::hatch::{Call, Guest, Hatch, HatchCall, HostFuture, HostResult, Kind, Offer, Operation, Reply, Target, Ticket};
use crate::journal::{Entry, Journal, Tape, fingerprint};
use crate::limits::{Limits, Resolved};
use crate::meter::{Halt, InterruptHandle, Meter};
use crate::outcome::{Outcome, Usage};
use crate::reference::{Ref, RefTable};
use crate::snapshot::{read_framed, read_header, write_framed, write_header};
use crate::stop::{GuestError, Stop, Trap, TrapKind};
use crate::value::Argument;

/// The wall clock, which the front door owns; no crate below it names one.
pub trait Clock: Send + Sync {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;

    /// Calls [`InterruptHandle::time_out`] after this long, unless the alarm is dropped before. Once `drop` has returned it is never called.
    fn arm(&self, after: Duration, handle: InterruptHandle) -> Box<dyn Alarm>;
}

/// An alarm of a [`Clock`]; dropping it takes it back.
pub trait Alarm: Send {}

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
    started: Duration,
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

enum Answer {
    Reply(Reply),
    Await(Awaited),
    Enter(RemoteCall),
    /// The guest was stopped while a host function had entered it: the host function's stack cannot be kept, so the cell ends.
    Stopped(Stop),
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
            started: Duration::ZERO,
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
        match self.poll_run(&mut Context::from_waker(Waker::noop()))? {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => {
                let tickets = self.open_tickets();
                Ok(self.finish(Stop::Waiting(tickets)))
            }
        }
    }

    /// As [`run`](Cell::run), but `Pending` while a future of the host is.
    ///
    /// # Errors
    /// As [`run`](Cell::run).
    pub fn poll_run(&mut self, context: &mut Context<'_>) -> Result<Poll<Outcome>, Error> {
        self.start()?;
        loop {
            match self.step(context) {
                Step::Stop(stop) => return Ok(Poll::Ready(self.finish(stop))),
                Step::Waiting(tickets)
                    if self.core.futures.is_empty() && self.core.awaited.as_ref().is_none_or(|awaited| awaited.future.is_none()) =>
                {
                    return Ok(Poll::Ready(self.finish(Stop::Waiting(tickets))));
                }
                Step::Waiting(_) => return Ok(Poll::Pending),
                Step::Enter(call) => {
                    let error = GuestError::new("NotInGroup", "the other cell can be reached only while this one runs in its group");
                    if let Answer::Reply(reply) = self.answered(&call.call, Err(error)) {
                        self.core.next = Some(reply);
                    }
                }
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

    fn start(&mut self) -> Result<(), Error> {
        self.alive()?;
        if self.core.status == Status::Idle {
            return Err(Error::State("there is nothing to run: prepare a program, or call a function".into()));
        }
        let core = &mut self.core;
        if core.alarm.is_none()
            && let Some(clock) = &core.clock
        {
            core.started = clock.now();
            if let Some(wall) = core.resolved.wall {
                core.alarm = Some(clock.arm(wall, core.meter.interrupt_handle()));
            }
        }
        Ok(())
    }

    /// Runs until the world is needed.
    pub(crate) fn step(&mut self, context: &mut Context<'_>) -> Step {
        loop {
            if let Some((fuel, halt)) = self.core.tape.next_halt() {
                self.core.meter.halt_at(fuel, halt);
            } else {
                self.core.meter.clear_mark();
            }
            if self.core.awaited.is_some() && !self.poll_awaited(context) {
                if let Err(halt) = self.core.meter.check() {
                    return Step::Stop(halt.into());
                }
                return Step::Waiting(self.open_tickets());
            }
            while let Some(own) = self.core.tape.next_release() {
                self.engine.release(own);
            }
            let event = match (self.core.again.take(), self.core.next.take()) {
                (Some(call), _) => Event::Call(call),
                (None, Some(reply)) => self.guarded(|engine, meter| engine.resume(reply, meter)),
                (None, None) => self.guarded(Engine::run),
            };
            for spent in std::mem::take(&mut self.core.spent) {
                self.engine.release(spent);
            }
            match event {
                Event::Stop(Stop::Waiting(tickets)) => match self.poll_futures(context) {
                    Ok(true) => {}
                    Ok(false) => {
                        if let Err(halt) = self.core.meter.check() {
                            return Step::Stop(halt.into());
                        }
                        return Step::Waiting(tickets);
                    }
                    Err(error) => return Step::Stop(self.broken(&error)),
                },
                Event::Stop(stop) => return Step::Stop(stop),
                Event::Call(call) => match self.answer(call) {
                    Answer::Reply(reply) => self.core.next = Some(reply),
                    Answer::Await(awaited) => self.core.awaited = Some(awaited),
                    Answer::Enter(call) => return Step::Enter(call),
                    Answer::Stopped(stop) => return Step::Stop(stop),
                },
            }
        }
    }

    /// Ends a run and takes out what it left.
    pub(crate) fn finish(&mut self, stop: Stop) -> Outcome {
        let collected = match catch_unwind(AssertUnwindSafe(|| self.engine.collect(&stop))) {
            Ok(collected) => collected,
            Err(panic) => {
                let stop = internal(&*panic);
                self.core.status = Status::Dead(format!("{stop:?}"));
                crate::outcome::Collected { instead: Some(stop), ..Default::default() }
            }
        };
        let stop = collected.instead.unwrap_or(stop);
        let core = &mut self.core;
        core.alarm = None;
        core.meter.clear_time_out();
        if stop.is_from_outside() {
            let halt = if stop == Stop::OutOfTime { Halt::OutOfTime } else { Halt::Interrupted };
            let fuel = core.meter.used();
            if core.tape.is_replay() {
                core.tape.next();
            }
            core.tape.record(|| Entry::Halt { fuel, halt });
            core.meter.acknowledge();
        }
        if !matches!(core.status, Status::Dead(_)) {
            core.status = match self.engine.after(&stop) {
                After::Resumable => Status::Runnable,
                After::Idle => Status::Idle,
                After::Dead => Status::Dead(match &stop {
                    Stop::Trapped(trap) => format!("its last run trapped: {}", trap.message),
                    other => format!("its last run ended {}", other.name().replace('_', " ")),
                }),
            };
        }
        let (stdout, stderr) = self.engine.console().take();
        Outcome {
            engine: E::keeps().engine,
            value: if matches!(stop, Stop::Finished(_)) { self.engine.take_value() } else { None },
            stop,
            output: collected.output,
            state: collected.state,
            stdout,
            stderr,
            usage: Usage {
                fuel: E::keeps().fuel.then(|| core.meter.used()),
                instructions: collected.instructions,
                memory_peak: collected.memory_peak,
                wall: core.clock.as_ref().map_or(Duration::ZERO, |clock| clock.now().saturating_sub(core.started)),
            },
            fuel_schedule: self.engine.fuel_schedule(),
            trace: collected.trace,
            extra: collected.extra,
        }
    }

    /// Runs the engine; a panic of ours ends the cell, never the process.
    fn guarded(&mut self, run: impl FnOnce(&mut E, &mut Meter) -> Event) -> Event {
        match catch_unwind(AssertUnwindSafe(|| run(&mut self.engine, &mut self.core.meter))) {
            Ok(event) => event,
            Err(panic) => {
                let stop = internal(&*panic);
                self.core.status = Status::Dead("the engine failed inside".into());
                Event::Stop(stop)
            }
        }
    }

    fn broken(&mut self, error: &Error) -> Stop {
        self.core.status = Status::Dead(error.to_string());
        Stop::Trapped(Trap::new(TrapKind::Internal, error.to_string()))
    }

    fn open_tickets(&self) -> Vec<Ticket> {
        let mut tickets: Vec<_> = self.core.futures.iter().map(|(ticket, _)| *ticket).collect();
        tickets.extend(self.core.awaited.as_ref().map(|awaited| awaited.ticket));
        tickets
    }

    /// Looks at the future that the whole cell waits for; true when the answer is there.
    fn poll_awaited(&mut self, context: &mut Context<'_>) -> bool {
        let Some(mut awaited) = self.core.awaited.take() else { return true };
        let ready = match &mut awaited.future {
            Some(future) => poll_guarded(future, context),
            None => Poll::Pending,
        };
        match ready {
            Poll::Ready(result) => {
                self.answer_awaited(&awaited.call, result);
                true
            }
            Poll::Pending => {
                self.core.awaited = Some(awaited);
                false
            }
        }
    }

    fn answer_awaited(&mut self, call: &HatchCall, result: HostResult) {
        self.core.next = Some(self.written(call, result, 0));
    }

    /// Settles every promise whose future is ready; true when there was one.
    fn poll_futures(&mut self, context: &mut Context<'_>) -> Result<bool, Error> {
        if self.core.tape.is_replay() {
            return match self.core.tape.next_settle() {
                Some((ticket, result)) => self.engine.settle(ticket, result).map(|()| true),
                None => Ok(false),
            };
        }
        let mut ready = Vec::new();
        self.core.futures.retain_mut(|(ticket, future)| match poll_guarded(future, context) {
            Poll::Ready(result) => {
                ready.push((*ticket, result));
                false
            }
            Poll::Pending => true,
        });
        let any = !ready.is_empty();
        for (ticket, result) in ready {
            self.settle_engine(ticket, result)?;
        }
        Ok(any)
    }

    fn settle_engine(&mut self, ticket: Ticket, result: HostResult) -> Result<(), Error> {
        let result = match self.checked(result) {
            Reply::Return(value) => Ok(value),
            Reply::Throw(error) => Err(error),
            Reply::Later(_) => return Err(Error::Host("a promise cannot be kept with another".into())),
        };
        self.core.tape.record(|| Entry::Settle { ticket, result: result.clone() });
        self.engine.settle(ticket, result)
    }

    /// A reply within bounds, an error with name and message only.
    fn checked(&self, result: HostResult) -> Reply {
        match result {
            Ok(value) => match self.core.hatch.bounds.check(&value) {
                Ok(()) => Reply::Return(value),
                Err(error) => Reply::Throw(error.into()),
            },
            Err(error) => Reply::Throw(GuestError { trace: Vec::new(), ..error }),
        }
    }

    fn answer(&mut self, call: HatchCall) -> Answer {
        if let (Operation::Release, Target::Object(reference)) = (&call.operation, &call.target) {
            // Decided by the guest's collector, so a replay needs no entry for it.
            self.core.hatch.lent.remove(*reference);
            return Answer::Reply(Reply::Return(Argument::default()));
        }
        if self.core.tape.is_replay() {
            return self.answer_again(&call);
        }
        let offer = match self.core.hatch.find(&call.target) {
            Ok(offer) => offer,
            Err(error) => return self.answered(&call, Err(error)),
        };
        match &offer.0 {
            Kind::Remote(remote) => Answer::Enter(RemoteCall { remote: Arc::clone(remote), call }),
            Kind::Async(function) if call.operation == Operation::Call => {
                let future = function(call.arguments.clone());
                let ticket = Ticket(self.core.tickets);
                self.core.tickets += 1;
                if E::keeps().tickets {
                    self.core.futures.push((ticket, future));
                    let fuel = self.core.meter.used();
                    self.core.tape.record(|| Entry::Reply {
                        fuel,
                        call: fingerprint(&call),
                        reply: Reply::Later(ticket),
                        charged: 0,
                        kept: Vec::new(),
                    });
                    Answer::Reply(Reply::Later(ticket))
                } else {
                    Answer::Await(Awaited { ticket, call, future: Some(future) })
                }
            }
            _ => self.answer_locally(&offer, call),
        }
    }

    fn answer_locally(&mut self, offer: &Offer, call: HatchCall) -> Answer {
        let dummy = HatchCall { arguments: Vec::new(), ..call.clone() };
        let print = if matches!(self.core.tape, Tape::Record(_)) { fingerprint(&call) } else { 0 };
        let handed_out = handed_out(&call);
        let mut reenter = Reenter { cell: self, kept: Vec::new(), stopped: None };
        let mut host_call = Call { arguments: call.arguments, block: call.block, guest: &mut reenter };
        let result = catch_unwind(AssertUnwindSafe(|| Hatch::invoke(offer, &dummy.operation, &mut host_call)));
        let Reenter { kept, stopped, .. } = reenter;
        if let Some(stop) = stopped {
            self.core.status = Status::Dead("it was stopped while a function of the host's had entered it".into());
            return Answer::Stopped(stop);
        }
        let result = result
            .unwrap_or_else(|panic| Err(GuestError::new("HostPanic", format!("a function of the host's failed: {}", panic_text(&*panic)))));
        self.core.spent.extend(handed_out.into_iter().filter(|reference| !kept.contains(reference)));
        let reply = self.checked(result);
        let fuel = self.core.meter.used();
        self.core.tape.record(|| Entry::Reply { fuel, call: print, reply: reply.clone(), charged: 0, kept });
        Answer::Reply(reply)
    }

    fn answered(&mut self, call: &HatchCall, result: HostResult) -> Answer {
        Answer::Reply(self.written(call, result, 0))
    }

    /// The reply to a call, written down; nobody keeps what the guest handed out with it. `charged` units of the reading are other cells'.
    fn written(&mut self, call: &HatchCall, result: HostResult, charged: u64) -> Reply {
        let reply = self.checked(result);
        let fuel = self.core.meter.used().saturating_sub(charged);
        self.core.tape.record(|| Entry::Reply { fuel, call: fingerprint(call), reply: reply.clone(), charged, kept: Vec::new() });
        self.core.spent.extend(handed_out(call));
        reply
    }

    /// Answers a call as the journal says.
    fn answer_again(&mut self, call: &HatchCall) -> Answer {
        loop {
            match self.core.tape.next() {
                Some(Entry::Reply { fuel, call: expected, reply, charged, kept }) => {
                    if fuel != self.core.meter.used() || expected != fingerprint(call) {
                        let used = self.core.meter.used();
                        return Answer::Stopped(
                            self.broken(&Error::Diverged(format!("another call, or one at fuel {used} instead of {fuel}"))),
                        );
                    }
                    self.core.meter.pay(charged);
                    if !matches!(reply, Reply::Later(_)) {
                        self.core.spent.extend(handed_out(call).into_iter().filter(|reference| !kept.contains(reference)));
                    }
                    return Answer::Reply(reply);
                }
                Some(Entry::Enter { target, operation, arguments }) => {
                    if let Err(error) = self.engine.call(target, &operation, &arguments, None) {
                        return Answer::Stopped(self.broken(&error));
                    }
                    match self.step(&mut Context::from_waker(Waker::noop())) {
                        Step::Stop(Stop::Finished(_) | Stop::Raised(_)) => {
                            self.engine.take_value();
                        }
                        Step::Stop(stop) => return Answer::Stopped(stop),
                        _ => return Answer::Stopped(self.broken(&Error::Diverged("a nested call went another way".into()))),
                    }
                }
                Some(Entry::Release { own }) => self.engine.release(own),
                _ => return Answer::Stopped(self.broken(&Error::Diverged("the guest makes a call that is not in the journal".into()))),
            }
        }
    }

    /// Enters the guest from a host function that it called.
    fn enter_nested(&mut self, target: Ref, operation: &Operation, arguments: Vec<Argument>) -> Result<Argument, NestedEnd> {
        let raise = |error: Error| NestedEnd::Raised(GuestError::new("HatchError", error.to_string()));
        if self.core.nested >= MOST_NESTED {
            return Err(NestedEnd::Raised(GuestError::new(
                "TooDeep",
                format!("host and guest have called each other {MOST_NESTED} times deep"),
            )));
        }
        for argument in &arguments {
            self.core.hatch.bounds.check(argument).map_err(|error| NestedEnd::Raised(error.into()))?;
        }
        self.core.tape.record(|| Entry::Enter { target, operation: operation.clone(), arguments: arguments.clone() });
        self.engine.call(target, operation, &arguments, None).map_err(raise)?;
        self.core.nested += 1;
        let step = self.step(&mut Context::from_waker(Waker::noop()));
        self.core.nested -= 1;
        match step {
            Step::Stop(Stop::Finished(_)) => Ok(self.engine.take_value().unwrap_or_default()),
            Step::Stop(Stop::Raised(error)) => Err(NestedEnd::Raised(error)),
            Step::Stop(stop) => Err(NestedEnd::Stopped(stop)),
            Step::Waiting(tickets) => Err(NestedEnd::Stopped(Stop::Waiting(tickets))),
            Step::Enter(_) => {
                Err(NestedEnd::Raised(GuestError::new("NotInGroup", "another cell cannot be entered from inside a function of the host's")))
            }
        }
    }
}

enum NestedEnd {
    Raised(GuestError),
    Stopped(Stop),
}

/// The guest, as a host function reaches it.
struct Reenter<'a, E: Engine> {
    cell: &'a mut Cell<E>,
    kept: Vec<Ref>,
    stopped: Option<Stop>,
}

impl<E: Engine> Guest for Reenter<'_, E> {
    fn call(&mut self, target: Ref, operation: &Operation, arguments: Vec<Argument>) -> HostResult {
        if self.stopped.is_some() {
            return Err(GuestError::new("Stopped", "the guest has been stopped"));
        }
        match self.cell.enter_nested(target, operation, arguments) {
            Ok(value) => Ok(value),
            Err(NestedEnd::Raised(error)) => Err(error),
            Err(NestedEnd::Stopped(stop)) => {
                self.stopped = Some(stop);
                Err(GuestError::new("Stopped", "the guest has been stopped"))
            }
        }
    }

    fn lend(&mut self, offer: Offer) -> HostResult {
        self.cell.core.hatch.lend(offer)
    }

    fn keep(&mut self, own: Ref) {
        self.kept.push(own);
    }
}

/// Objects of the guest's that go out with a call.
fn handed_out(call: &HatchCall) -> Vec<Ref> {
    let mut found = Vec::new();
    for argument in &call.arguments {
        own_refs(argument, &mut found);
    }
    found.extend(call.block);
    found
}

fn own_refs(argument: &Argument, found: &mut Vec<Ref>) {
    match argument {
        Argument::Own(reference) => found.push(*reference),
        Argument::List(items) => items.iter().for_each(|item| own_refs(item, found)),
        Argument::Map(entries) => entries.values().for_each(|item| own_refs(item, found)),
        Argument::Value(_) | Argument::Lent(_) => {}
    }
}

fn poll_guarded(future: &mut HostFuture, context: &mut Context<'_>) -> Poll<HostResult> {
    catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))).unwrap_or_else(|panic| {
        Poll::Ready(Err(GuestError::new("HostPanic", format!("a function of the host's failed: {}", panic_text(&*panic)))))
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn internal(panic: &(dyn std::any::Any + Send)) -> Stop {
    Stop::Trapped(Trap::new(TrapKind::Internal, format!("a fault of ours, please report it: {}", panic_text(panic))))
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

/// What a [`Group`](crate::Group) does with its members.
pub(crate) trait Member {
    fn start(&mut self) -> Result<(), Error>;
    fn step(&mut self, context: &mut Context<'_>) -> Step;
    fn finish(&mut self, stop: Stop) -> Outcome;
    fn enter(&mut self, call: &RemoteCall, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error>;
    fn reply(&mut self, call: &HatchCall, result: HostResult, charged: u64);
    fn take_value(&mut self) -> Argument;
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
    fn reply(&mut self, call: &HatchCall, result: HostResult, charged: u64) {
        self.core.next = Some(self.written(call, result, charged));
    }
    fn take_value(&mut self) -> Argument {
        self.engine.take_value().unwrap_or_default()
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
