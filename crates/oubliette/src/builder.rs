//! One builder for every kind of cell.

use std::future::Future;
use std::io::{Read, Write};
use std::ops::{Deref, DerefMut};
use std::task::Poll;
use std::time::Duration;

use cell::{Bound, CellSnapshot, Engine, Error, Hatch, Limits, Offer, Outcome, Task};

use crate::clock::WallClock;

/// A kind of cell that the front door can build.
pub trait Kind: Engine + Sized {
    /// Options of this kind's own.
    type Options: Clone + Default;

    /// An engine with these options and limits.
    ///
    /// # Errors
    /// When the host has no room for it, or the options make no sense.
    fn open(options: &Self::Options, limits: &Limits) -> Result<Self, Error>;
}

/// Builds cells of one kind. A builder can build any number of them.
///
/// ```
/// # fn main() -> Result<(), oubliette::Error> {
/// let mut cell = oubliette::moxie().memory(1 << 20).fuel(10_000_000).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Builder<E: Kind> {
    limits: Limits,
    options: E::Options,
    hatch: Hatch,
    record: bool,
}

impl<E: Kind> std::fmt::Debug for Builder<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("engine", &E::keeps().engine).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<E: Kind> Default for Builder<E> {
    fn default() -> Self {
        Self { limits: Limits::default(), options: E::Options::default(), hatch: Hatch::default(), record: false }
    }
}

impl<E: Kind> Builder<E> {
    /// Caps memory, in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Bound::At(bytes);
        self
    }

    /// Limits fuel, in units.
    #[must_use]
    pub fn fuel(mut self, units: u64) -> Self {
        self.limits.fuel = Bound::At(units);
        self
    }

    /// Limits the wall-clock time of one run.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limits.wall = Bound::At(time);
        self
    }

    /// Caps console text, in bytes.
    #[must_use]
    pub fn output_limit(mut self, bytes: u64) -> Self {
        self.limits.output = Bound::At(bytes);
        self
    }

    /// Limits the depth of calls.
    #[must_use]
    pub fn depth(mut self, calls: u32) -> Self {
        self.limits.depth = Bound::At(calls);
        self
    }

    /// Sets all limits at once; [`Bound::Unlimited`] is how to ask for none.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The options of this kind, for the methods that builders of that kind add.
    pub(crate) fn options_mut(&mut self) -> &mut E::Options {
        &mut self.options
    }

    /// Sets the options of this kind.
    #[must_use]
    pub fn options(mut self, options: E::Options) -> Self {
        self.options = options;
        self
    }

    /// Offers something to every cell that is built; they share it.
    #[must_use]
    pub fn offer(mut self, name: impl Into<String>, offer: impl Into<Offer>) -> Self {
        self.hatch.offer(name, offer);
        self
    }

    /// Writes down what the world tells the cells, so that their runs can be replayed.
    #[must_use]
    pub fn record(mut self) -> Self {
        self.record = true;
        self
    }

    /// A new cell.
    ///
    /// # Errors
    /// [`Error::LimitNotKept`] for a limit that this kind cannot keep; a failure of the host.
    pub fn build(&self) -> Result<Cell<E>, Error> {
        let engine = E::open(&self.options, &self.limits)?;
        let mut cell = cell::Cell::new(engine, self.limits, Some(WallClock::shared()))?;
        cell.offer_all(&self.hatch)?;
        if self.record {
            cell.record();
        }
        Ok(Cell(cell))
    }
}

/// One isolated guest. Everything that [`cell::Cell`] can do, and runs in one call.
#[derive(Debug)]
pub struct Cell<E: Engine>(cell::Cell<E>);

impl<E: Engine> Deref for Cell<E> {
    type Target = cell::Cell<E>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<E: Engine> DerefMut for Cell<E> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<E: Engine> Cell<E> {
    /// Runs a program to its end, or its budget's. Waits for asynchronous host functions.
    ///
    /// # Errors
    /// Misuse, or a failure of the host. What the guest does is in the [`Outcome`].
    pub fn run(&mut self, task: impl Into<Task>) -> Result<Outcome, Error> {
        self.0.prepare(&task.into())?;
        self.resume()
    }

    /// Goes on with a run that was stopped: after a refuel, say.
    ///
    /// # Errors
    /// As [`run`](Cell::run); [`Error::State`] when there is nothing to go on with.
    pub fn resume(&mut self) -> Result<Outcome, Error> {
        pollster::block_on(self.resume_async())
    }

    /// As [`run`](Cell::run), without blocking while asynchronous host functions are on their way.
    ///
    /// # Errors
    /// As [`run`](Cell::run).
    pub async fn run_async(&mut self, task: impl Into<Task>) -> Result<Outcome, Error> {
        self.0.prepare(&task.into())?;
        self.resume_async().await
    }

    /// As [`resume`](Cell::resume), without blocking while asynchronous host functions are on their way.
    pub fn resume_async(&mut self) -> impl Future<Output = Result<Outcome, Error>> + '_ {
        let handle = self.0.interrupt_handle();
        std::future::poll_fn(move |context| match self.0.poll_run(context) {
            Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
            Ok(Poll::Pending) => {
                // The clock and an interrupt must end a run also while it waits for the host.
                let waker = context.waker().clone();
                handle.on_raise("driver", move || waker.wake_by_ref());
                if handle.is_raised().is_some() {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        })
    }

    /// Freezes the cell as it is now.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where this kind cannot, or not now.
    pub fn snapshot(&mut self) -> Result<Snapshot<E>, Error> {
        self.0.snapshot().map(Snapshot)
    }

    /// The cell without the front door around it, for a [`Group`](cell::Group).
    pub fn into_inner(self) -> cell::Cell<E> {
        self.0
    }
}

/// A frozen cell: spawned in microseconds, saved and loaded.
#[derive(Debug)]
pub struct Snapshot<E: Engine>(CellSnapshot<E>);

impl<E: Engine> Snapshot<E> {
    /// A new cell in the frozen state. What was offered is known by name and must be offered again before the guest calls it.
    ///
    /// # Errors
    /// A failure of the host.
    pub fn spawn(&self) -> Result<Cell<E>, Error> {
        self.0.spawn(Some(WallClock::shared())).map(Cell)
    }

    /// Names that were offered when the snapshot was taken.
    pub fn offers(&self) -> &[String] {
        self.0.offers()
    }

    /// Writes it out.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        self.0.save(to)
    }

    /// Reads what [`save`](Snapshot::save) wrote. The bytes are not trusted.
    ///
    /// # Errors
    /// [`Error::Damaged`] that says what is wrong.
    pub fn load(from: &mut dyn Read) -> Result<Self, Error> {
        CellSnapshot::load(from).map(Self)
    }
}
