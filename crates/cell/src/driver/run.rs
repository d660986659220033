//! From stop to stop: the engine runs, the world is asked, what a run left is taken out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Duration;

use super::answer::Answer;
use super::{Cell, Status, Step};
use crate::Error;
use crate::engine::{After, Engine, Event};
use crate::hatch::{HatchCall, HostFuture, HostResult, Reply, Ticket};
use crate::journal::Entry;
use crate::meter::{Halt, Meter};
use crate::outcome::{Outcome, Usage};
use crate::stop::{GuestError, Stop, Trap, TrapKind};

impl<E: Engine> Cell<E> {
    /// Runs until the world is needed.
    pub(crate) fn step(&mut self, context: &mut Context<'_>) -> Step {
        loop {
            // A host function that has entered the guest cannot be left waiting, so it is not paused in.
            let pause = self.core.pause.filter(|_| self.core.nested == 0).map(|fuel| (fuel, Halt::Interrupted));
            match self.core.tape.next_halt().or(pause) {
                Some((fuel, halt)) => self.core.meter.halt_at(fuel, halt),
                None => self.core.meter.clear_mark(),
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
        let started = core.started.take().unwrap_or_default();
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
                wall: core.clock.as_ref().map_or(Duration::ZERO, |clock| clock.now().saturating_sub(started)),
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

    pub(super) fn broken(&mut self, error: &Error) -> Stop {
        self.core.status = Status::Dead(error.to_string());
        Stop::Trapped(Trap::new(TrapKind::Internal, error.to_string()))
    }

    pub(super) fn open_tickets(&self) -> Vec<Ticket> {
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

    pub(super) fn answer_awaited(&mut self, call: &HatchCall, result: HostResult) {
        self.core.next = Some(self.written(call, result, 0, Vec::new()));
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

    pub(super) fn settle_engine(&mut self, ticket: Ticket, result: HostResult) -> Result<(), Error> {
        let result = match self.checked(result) {
            Reply::Return(value) => Ok(value),
            Reply::Throw(error) => Err(error),
            Reply::Later(_) => return Err(Error::Host("a promise cannot be kept with another".into())),
        };
        self.core.tape.record(|| Entry::Settle { ticket, result: result.clone() });
        self.engine.settle(ticket, result)
    }
}

fn poll_guarded(future: &mut HostFuture, context: &mut Context<'_>) -> Poll<HostResult> {
    catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))).unwrap_or_else(|panic| {
        Poll::Ready(Err(GuestError::new("HostPanic", format!("a function of the host's failed: {}", panic_text(&*panic)))))
    })
}

pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn internal(panic: &(dyn std::any::Any + Send)) -> Stop {
    Stop::Trapped(Trap::new(TrapKind::Internal, format!("a fault of ours, please report it: {}", panic_text(panic))))
}
