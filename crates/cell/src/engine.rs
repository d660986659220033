//! What runs the guest: one implementation per kind of cell.

use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::hatch::{HatchCall, Operation, Reply, Shape, Ticket};
use crate::limits::{Keeps, Resolved};
use crate::meter::Meter;
use crate::outcome::Collected;
use crate::reference::Ref;
use crate::stop::{GuestError, Stop};
use crate::value::Argument;
use crate::{Console, Error, Unsupported};

/// What an engine returns to whoever drives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The guest needs the outside; go on with [`Engine::resume`].
    Call(HatchCall),
    /// The innermost activation ended, or the whole run was stopped.
    Stop(Stop),
}

/// A named byte buffer, handed in at prepare time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Name, as the guest finds it.
    pub name: String,
    /// Contents.
    pub bytes: Arc<[u8]>,
}

impl Input {
    /// An input from anything that holds bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// What to run: prepare lays it out, run runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Program text or executables; most engines take exactly one.
    pub programs: Vec<Input>,
    /// Inputs, in order.
    pub inputs: Vec<Input>,
    /// The state that an earlier run left.
    pub state: Option<Arc<[u8]>>,
}

impl Task {
    /// One program and nothing else.
    pub fn program(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { programs: vec![Input::new(name, bytes)], ..Self::default() }
    }

    /// Adds an input.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.inputs.push(Input::new(name, bytes));
        self
    }

    /// Sets the prior state.
    #[must_use]
    pub fn state(mut self, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.state = Some(bytes.into());
        self
    }
}

impl From<&str> for Task {
    /// One program, named `eval`.
    fn from(text: &str) -> Self {
        Self::program("eval", text.as_bytes())
    }
}

impl From<&Task> for Task {
    fn from(task: &Self) -> Self {
        task.clone()
    }
}

/// Whether a cell can go on after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// `run` goes on from where it stopped.
    Resumable,
    /// This activation is over; another one may be started.
    Idle,
    /// The cell is of no use any more.
    Dead,
}

/// One kind of guest. A cell is a coroutine: an engine runs until it needs the outside, or stops; host functions never run on its stack.
///
/// An engine may be entered again, through [`call`](Engine::call), while it waits in a hatch call: activations form a stack, `run` runs the
/// innermost, and a [`Stop::Finished`] or [`Stop::Raised`] ends the innermost only.
pub trait Engine: Send {
    /// A frozen cell of this kind.
    type Snapshot: Snapshot<Engine = Self>;

    /// Which limits this kind keeps.
    fn keeps() -> Keeps
    where
        Self: Sized;

    /// Version of the price list that fuel is counted by; none where fuel is refused.
    fn fuel_schedule(&self) -> Option<u32>;

    /// Sets limits for the next run. Memory and depth may be lowered below what is used: the next growth then fails.
    ///
    /// # Errors
    /// When this engine cannot change that limit any more.
    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error>;

    /// Lays out program, inputs and state. Nothing of the guest runs yet.
    ///
    /// # Errors
    /// [`Error::Program`] for a program that is none; errors in a program's text are raised by the run instead.
    fn prepare(&mut self, task: &Task) -> Result<(), Error>;

    /// Runs until the guest needs the outside, or stops. Guest behaviour never makes this panic.
    fn run(&mut self, meter: &mut Meter) -> Event;

    /// Goes on after an [`Event::Call`].
    fn resume(&mut self, reply: Reply, meter: &mut Meter) -> Event;

    /// Starts an activation on an object of the guest's, also while it waits in a hatch call; the next `run` runs it.
    ///
    /// # Errors
    /// [`Error::NoSuchRef`], [`Error::Transfer`], or [`Error::Unsupported`] where guests have nothing to call.
    fn call(&mut self, target: Ref, operation: &Operation, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error>;

    /// The value of the activation that finished last.
    fn take_value(&mut self) -> Option<Argument>;

    /// Looks a global up by name and hands it out, as a value or as [`Argument::Own`].
    ///
    /// # Errors
    /// [`Error::Unsupported`] where guests have no globals.
    fn global(&mut self, name: &str) -> Result<Option<Argument>, Error>;

    /// As [`global`](Engine::global), but to be lent: an object that would cross by copy is handed out as [`Argument::Own`] where the engine can do
    /// that, and crosses by reference from then on.
    ///
    /// # Errors
    /// As there.
    fn lendable(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        self.global(name)
    }

    /// Sets a global.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where guests have no globals.
    fn set_global(&mut self, name: &str, value: &Argument) -> Result<(), Error>;

    /// Tells the guest that something is offered under a name.
    ///
    /// # Errors
    /// When the guest has no room for it.
    fn offer(&mut self, name: &str, shape: &Shape) -> Result<(), Error>;

    /// Keeps a promise that a [`Reply::Later`] left open.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown ticket, [`Error::Unsupported`] where guests have no promises.
    fn settle(&mut self, ticket: Ticket, result: Result<Argument, GuestError>) -> Result<(), Error>;

    /// The host will not use this object of the guest's again.
    fn release(&mut self, own: Ref);

    /// The captured console.
    fn console(&mut self) -> &mut Console;

    /// Takes out what the program left.
    fn collect(&mut self, stop: &Stop) -> Collected;

    /// Whether the cell can go on after this stop.
    fn after(&self, stop: &Stop) -> After {
        match stop {
            Stop::OutOfFuel | Stop::OutOfTime | Stop::Interrupted | Stop::Waiting(_) | Stop::Breakpoint => After::Resumable,
            Stop::Finished(_) | Stop::Raised(_) | Stop::OutputFull => After::Idle,
            Stop::OutOfMemory | Stop::Trapped(_) => After::Dead,
        }
    }

    /// Freezes the cell as it is.
    ///
    /// # Errors
    /// [`Unsupported`] when it cannot be frozen, or not now.
    fn snapshot(&mut self) -> Result<Self::Snapshot, Unsupported>;
}

/// A frozen cell of one kind: spawned cheaply, saved and loaded.
pub trait Snapshot: Send + Sync + Sized {
    /// What it is a snapshot of.
    type Engine: Engine;

    /// A new engine in the frozen state; large parts are shared copy-on-write.
    ///
    /// # Errors
    /// When the host has no room for it.
    fn spawn(&self) -> Result<Self::Engine, Error>;

    /// Writes it out, without any frame: [`CellSnapshot`](crate::CellSnapshot) adds version and checksum.
    ///
    /// # Errors
    /// Those of the writer.
    fn save(&self, to: &mut dyn Write) -> Result<(), Error>;

    /// Reads what [`save`](Snapshot::save) wrote. The bytes are not trusted.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    fn load(from: &mut dyn Read) -> Result<Self, Error>;
}
