//! The world's answers to a guest's calls: by functions of the host's, which may enter the guest again, or by a journal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Waker};

use super::run::panic_text;
use super::{Awaited, Cell, MOST_NESTED, Status, Step};
use crate::Error;
use crate::engine::Engine;
use crate::group::RemoteCall;
use crate::hatch::{Call, Guest, Hatch, HatchCall, HostResult, Kind, Offer, Operation, Reply, Target, Ticket};
use crate::journal::{Entry, Tape, fingerprint};
use crate::reference::Ref;
use crate::stop::{GuestError, Stop};
use crate::value::Argument;

/// How a call of the guest's is answered.
pub(super) enum Answer {
    Reply(Reply),
    Await(Awaited),
    Enter(RemoteCall),
    /// The guest was stopped while a host function had entered it: the host function's stack cannot be kept, so the cell ends.
    Stopped(Stop),
}

impl<E: Engine> Cell<E> {
    /// A reply within bounds, an error with name and message only.
    pub(super) fn checked(&self, result: HostResult) -> Reply {
        match result {
            Ok(value) => match self.core.hatch.bounds.check(&value) {
                Ok(()) => Reply::Return(value),
                Err(error) => Reply::Throw(error.into()),
            },
            Err(error) => Reply::Throw(GuestError { trace: Vec::new(), ..error }),
        }
    }

    pub(super) fn answer(&mut self, call: HatchCall) -> Answer {
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

    pub(super) fn answered(&mut self, call: &HatchCall, result: HostResult) -> Answer {
        Answer::Reply(self.written(call, result, 0, Vec::new()))
    }

    /// The reply to a call, written down; nobody but `kept` keeps what the guest handed out with it. `charged` units of the reading are other
    /// cells'.
    pub(super) fn written(&mut self, call: &HatchCall, result: HostResult, charged: u64, kept: Vec<Ref>) -> Reply {
        let reply = self.checked(result);
        let fuel = self.core.meter.used().saturating_sub(charged);
        self.core.spent.extend(handed_out(call).into_iter().filter(|reference| !kept.contains(reference)));
        self.core.tape.record(|| Entry::Reply { fuel, call: fingerprint(call), reply: reply.clone(), charged, kept });
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
pub(super) fn handed_out(call: &HatchCall) -> Vec<Ref> {
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
