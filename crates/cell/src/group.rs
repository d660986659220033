//! Cells that lend each other objects. A calls B calls A: the chain is a list, never the host's stack.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::driver::{AnyCell, MOST_NESTED, Step};
use crate::hatch::{HatchCall, Kind, Offer};
use crate::outcome::Outcome;
use crate::reference::Ref;
use crate::stop::{GuestError, Stop};
use crate::value::Argument;
use crate::{Error, TransferError};

/// A member of a [`Group`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId(u64);

type Releases = Arc<Mutex<Vec<(CellId, Ref)>>>;

/// An object of another cell's: released there when the last one who was lent it lets go.
pub(crate) struct Remote {
    pub(crate) cell: CellId,
    pub(crate) object: Ref,
    releases: Releases,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner).push((self.cell, self.object));
    }
}

/// A call on an object of another cell's.
pub(crate) struct RemoteCall {
    pub(crate) remote: Arc<Remote>,
    pub(crate) call: HatchCall,
}

/// One cell that waits for the next one in the chain.
struct Link {
    cell: CellId,
    /// The call that this cell waits in; none for the last one.
    waits_in: Option<HatchCall>,
    /// Reading of this cell's meter when it was entered, and what it had left.
    before: (u64, Option<u64>),
    /// Whether the same cell stands further down in the chain: its units are then counted by the cells between.
    again: bool,
}

/// Cells that may call each other. All run on one thread at a time; each keeps its own limits, and a callee also spends what its caller has left.
#[derive(Default)]
pub struct Group {
    cells: BTreeMap<CellId, Box<dyn AnyCell>>,
    next: u64,
    releases: Releases,
    chain: Vec<Link>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("cells", &self.cells.len()).field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Group {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cell.
    pub fn add(&mut self, cell: impl AnyCell + 'static) -> CellId {
        self.add_boxed(Box::new(cell))
    }

    /// Adds a cell that is boxed already.
    pub fn add_boxed(&mut self, cell: Box<dyn AnyCell>) -> CellId {
        let id = CellId(self.next);
        self.next += 1;
        self.cells.insert(id, cell);
        id
    }

    /// Takes a cell out. What it lent to others answers with an error from now on.
    ///
    /// # Errors
    /// [`Error::State`] while it is part of a chain of calls.
    pub fn remove(&mut self, id: CellId) -> Result<Option<Box<dyn AnyCell>>, Error> {
        if self.chain.iter().any(|link| link.cell == id) {
            return Err(Error::State("this cell is in the middle of a call".into()));
        }
        Ok(self.cells.remove(&id))
    }

    /// A member.
    pub fn get(&mut self, id: CellId) -> Option<&mut (dyn AnyCell + 'static)> {
        self.cells.get_mut(&id).map(AsMut::as_mut)
    }

    /// Lends a global of one member to another, under a name. An object crosses by reference from now on, also where it would by copy.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such member or global, or when it is a plain value (pass it with `set` or as an offer instead).
    pub fn lend(&mut self, from: CellId, global: &str, to: CellId, name: &str) -> Result<(), Error> {
        let no_member = || Error::Invalid("there is no such cell in this group".into());
        let object = match self.get(from).ok_or_else(no_member)?.group_face().0.lendable(global)? {
            Some(Argument::Own(object)) => object,
            Some(_) => return Err(Error::Invalid(format!("`{global}` is a plain value: it crosses by copy"))),
            None => return Err(Error::Invalid(format!("there is no `{global}` in that cell"))),
        };
        self.lend_ref(from, object, to, name)
    }

    /// Lends an object that a member handed out to another member, under a name.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no such member.
    pub fn lend_ref(&mut self, from: CellId, object: Ref, to: CellId, name: &str) -> Result<(), Error> {
        let offer = self.remote(from, object);
        self.get(to).ok_or_else(|| Error::Invalid("there is no such cell in this group".into()))?.offer(name, offer)
    }

    fn remote(&self, cell: CellId, object: Ref) -> Offer {
        Offer(Kind::Remote(Arc::new(Remote { cell, object, releases: Arc::clone(&self.releases) })))
    }

    /// Runs a member that was prepared or called, entering the others as it asks for them. After a stop that can be resumed, calling this again
    /// with the same member goes on.
    ///
    /// # Errors
    /// As [`Cell::run`](crate::Cell::run).
    pub fn run(&mut self, id: CellId) -> Result<Outcome, Error> {
        match self.poll_run(id, &mut Context::from_waker(Waker::noop()))? {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => self.end(Stop::Waiting(Vec::new())),
        }
    }

    /// As [`run`](Group::run), but `Pending` while a future of the host is.
    ///
    /// # Errors
    /// As [`run`](Group::run).
    pub fn poll_run(&mut self, id: CellId, context: &mut Context<'_>) -> Result<Poll<Outcome>, Error> {
        let root = self.cells.get_mut(&id).ok_or_else(|| Error::Invalid("there is no such cell in this group".into()))?;
        match self.chain.first() {
            None => {
                root.group_face().0.start()?;
                self.chain.push(Link { cell: id, waits_in: None, before: (0, None), again: false });
            }
            Some(link) if link.cell == id => {
                root.group_face().0.start()?;
                self.bound_again();
            }
            Some(_) => {
                return Err(Error::State("another cell of this group is stopped in the middle of a call: let it go on first".into()));
            }
        }
        loop {
            self.release();
            let Some(top) = self.chain.last().map(|link| link.cell) else { return Err(Error::State("the chain of calls is empty".into())) };
            let Some(member) = self.cells.get_mut(&top) else { return Err(Error::State("a cell of the chain is gone".into())) };
            let face = member.group_face().0;
            match face.step(context) {
                Step::Enter(call) => self.enter(top, call),
                Step::Waiting(_) if face.has_futures() => return Ok(Poll::Pending),
                Step::Waiting(tickets) => return self.end(Stop::Waiting(tickets)).map(Poll::Ready),
                Step::Stop(stop) if self.chain.len() == 1 => return self.end(stop).map(Poll::Ready),
                Step::Stop(stop) => {
                    if let Some(stop) = self.leave(stop) {
                        return self.end(stop).map(Poll::Ready);
                    }
                }
            }
        }
    }

    /// Ends the run of the cell at the bottom, with the stop of the one on top.
    fn end(&mut self, stop: Stop) -> Result<Outcome, Error> {
        let Some(root) = self.chain.first().map(|link| link.cell) else { return Err(Error::State("the chain of calls is empty".into())) };
        let goes_on = matches!(stop, Stop::OutOfFuel | Stop::OutOfTime | Stop::Interrupted | Stop::Waiting(_));
        if !goes_on || self.chain.len() == 1 {
            self.chain.clear();
        }
        let Some(cell) = self.cells.get_mut(&root) else { return Err(Error::State("the cell is gone".into())) };
        Ok(cell.group_face().0.finish(stop))
    }

    /// Gives back what the cells let go of.
    fn release(&mut self) {
        let released = std::mem::take(&mut *self.releases.lock().unwrap_or_else(PoisonError::into_inner));
        for (cell, object) in released {
            if let Some(cell) = self.cells.get_mut(&cell) {
                cell.group_face().0.release(object);
            }
        }
    }

    fn enter(&mut self, caller: CellId, call: RemoteCall) {
        let callee = call.remote.cell;
        // What was handed over is released when the last reference to it is dropped; once some of it has been translated, nobody else may.
        let refuse = |group: &mut Self, error: GuestError, taken: bool| {
            if let Some(cell) = group.cells.get_mut(&caller) {
                cell.group_face().0.reply(&call.call, Err(error), 0, taken);
            }
        };
        if self.chain.len() >= MOST_NESTED as usize {
            return refuse(self, GuestError::new("TooDeep", format!("cells have called each other {MOST_NESTED} deep")), false);
        }
        let translated =
            call.call.arguments.iter().map(|argument| self.translate(caller, callee, argument.clone())).collect::<Result<Vec<_>, _>>();
        let block = call.call.block.map(|block| self.translate(caller, callee, Argument::Own(block))).transpose();
        let (arguments, block) = match (translated, block) {
            (Ok(arguments), Ok(block)) => (arguments, block),
            (Err(error), _) | (_, Err(error)) => return refuse(self, error.into(), true),
        };
        let again = self.chain.iter().any(|link| link.cell == callee);
        let Some(cell) = self.cells.get_mut(&callee) else {
            return refuse(self, GuestError::new("NoSuchCell", "the cell that lent this object is gone"), true);
        };
        if let Err(error) = cell.group_face().0.enter(&call, &arguments, block.as_ref()) {
            return refuse(self, GuestError::new("HatchError", error.to_string()), true);
        }
        let before = self.with_two(caller, callee, |caller, callee| callee.borrow_from(caller)).unwrap_or_default();
        if let Some(link) = self.chain.last_mut() {
            link.waits_in = Some(call.call);
        }
        self.chain.push(Link { cell: callee, waits_in: None, before, again });
    }

    /// Ends the activation on top and answers the one below. Gives the stop back when it stops the whole chain.
    fn leave(&mut self, stop: Stop) -> Option<Stop> {
        let top = self.chain.last()?.cell;
        let below = self.chain.len().checked_sub(2).and_then(|below| self.chain.get(below))?.cell;
        let answer = match stop {
            Stop::Finished(_) => {
                let value = self.cells.get_mut(&top)?.group_face().0.take_value();
                self.translate(top, below, value).map_err(GuestError::from)
            }
            Stop::Raised(error) => Err(error),
            // The caller's fuel, the one clock and the one interrupt stop everybody, and everybody can go on.
            Stop::OutOfTime | Stop::Interrupted | Stop::Waiting(_) => return Some(stop),
            Stop::OutOfFuel if self.callers_fuel_is_gone() => return Some(Stop::OutOfFuel),
            other => {
                let name = other.name().replace('_', " ");
                self.cells.get_mut(&top)?.group_face().0.abandon(&format!("it ended {name} in a call from another cell"));
                Err(GuestError::new("CellStopped", format!("the other cell ended {name}")))
            }
        };
        let link = self.chain.pop()?;
        let charged = self
            .with_two(below, top, |caller, callee| {
                let reading = callee.used();
                let spent = callee.repay(link.before, caller);
                if link.again {
                    // The cells between hand these units down to the same cell: counting them here too would count them twice.
                    callee.rewind(reading - spent, spent);
                }
                spent
            })
            .unwrap_or_default();
        let waiting = self.chain.last_mut()?;
        let call = waiting.waits_in.take()?;
        self.cells.get_mut(&below)?.group_face().0.reply(&call, answer, charged, true);
        None
    }

    /// Whether some caller in the chain, not the callee's own limit, ran out.
    fn callers_fuel_is_gone(&mut self) -> bool {
        let Some(top) = self.chain.last() else { return true };
        let (cell, before) = (top.cell, top.before);
        let used = self.cells.get_mut(&cell).map_or(0, |cell| cell.group_face().0.meter().used());
        // What it had of its own when it was entered, less what it used since: with that left, the bound was its caller's.
        before.1.is_none_or(|left| left > used - before.0)
    }

    /// Lets every callee of a chain that goes on spend what its caller was refuelled with.
    fn bound_again(&mut self) {
        for at in 1..self.chain.len() {
            let (caller, callee) = (self.chain[at - 1].cell, &self.chain[at]);
            if !callee.again {
                let before = callee.before;
                self.with_two(caller, callee.cell, |caller, callee| callee.borrow_again(before, caller));
            }
        }
    }

    fn with_two<T>(&mut self, first: CellId, second: CellId, action: impl FnOnce(&mut crate::Meter, &mut crate::Meter) -> T) -> Option<T> {
        if first == second {
            return None;
        }
        let mut both: Vec<_> =
            self.cells.iter_mut().filter(|(id, _)| **id == first || **id == second).map(|(id, cell)| (*id, cell)).collect();
        let (_, second_cell) = both.iter().position(|(id, _)| *id == second).map(|at| both.swap_remove(at))?;
        let (_, first_cell) = both.pop()?;
        Some(action(first_cell.group_face().0.meter(), second_cell.group_face().0.meter()))
    }

    /// Brings a value from one cell's terms into another's: what is the receiver's own is unwrapped, the rest becomes a reference of its table.
    fn translate(&mut self, from: CellId, to: CellId, argument: Argument) -> Result<Argument, TransferError> {
        argument.try_map_refs(&mut |reference| {
            let offer = match reference {
                Argument::Own(object) => self.remote(from, object),
                Argument::Lent(lent) => {
                    let sender = self.cells.get_mut(&from).ok_or_else(|| TransferError::new("a reference", "its cell is gone"))?;
                    let offer = sender.group_face().0.hatch().lent.get(lent).cloned();
                    let offer = offer.ok_or_else(|| TransferError::new("a reference", "it was released, or never lent to this cell"))?;
                    match &offer.0 {
                        Kind::Remote(remote) if remote.cell == to => return Ok(Argument::Own(remote.object)),
                        _ => offer,
                    }
                }
                plain => return Ok(plain),
            };
            let receiver = self.cells.get_mut(&to).ok_or_else(|| TransferError::new("a reference", "the other cell is gone"))?;
            receiver.group_face().0.hatch().lend(offer).map_err(|error| TransferError::new("a reference", error.message))
        })
    }
}
