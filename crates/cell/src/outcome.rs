//! What collect returns.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stop::{GuestError, Stop, TraceFrame};
use crate::value::{Argument, Value};

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Units of fuel; `None` where the engine counts none.
    pub fuel: Option<u64>,
    /// Instructions of the guest, where the engine counts them.
    pub instructions: Option<u64>,
    /// The most bytes that the cell held at once.
    pub memory_peak: u64,
    /// Wall-clock time of the run; zero where the driver has no clock.
    pub wall: Duration,
}

/// What an engine takes out of its guest after a stop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Collected {
    /// Output buffer; empty if the program never set it.
    pub output: Vec<u8>,
    /// State buffer; `None` if the program never set it.
    pub state: Option<Vec<u8>>,
    /// Innermost frame first, if the program failed.
    pub trace: Vec<TraceFrame>,
    /// A stop that replaces the run's: the output did not lie in the guest's memory, for one.
    pub instead: Option<Stop>,
    /// Instructions of the guest so far in this run.
    pub instructions: Option<u64>,
    /// Most bytes held so far.
    pub memory_peak: u64,
    /// Fields of the engine's own for the outcome's JSON, documented with the engine.
    pub extra: BTreeMap<&'static str, Value>,
}

/// How a run went.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The engine's name.
    pub engine: &'static str,
    /// Why the run ended.
    pub stop: Stop,
    /// The value of the program or call, if it has one.
    pub value: Option<Argument>,
    /// What the program left as output.
    pub output: Vec<u8>,
    /// What the program left as state.
    pub state: Option<Vec<u8>>,
    /// Captured standard output.
    pub stdout: Vec<u8>,
    /// Captured standard error.
    pub stderr: Vec<u8>,
    /// What was used.
    pub usage: Usage,
    /// Version of the price list for fuel.
    pub fuel_schedule: Option<u32>,
    /// Where the guest was, innermost frame first.
    pub trace: Vec<TraceFrame>,
    /// Fields of the engine's own.
    pub extra: BTreeMap<&'static str, Value>,
}

impl Outcome {
    /// The value as a plain one: null when there is none or it is a reference.
    pub fn plain_value(&self) -> Value {
        self.value.clone().and_then(|value| value.into_value().ok()).unwrap_or_default()
    }

    /// Whether the program ended by itself with exit code 0.
    pub fn is_success(&self) -> bool {
        self.stop == Stop::Finished(0)
    }

    /// The error that ended the run, in the guest's terms: for `Raised` and `Trapped`.
    pub fn error(&self) -> Option<GuestError> {
        match &self.stop {
            Stop::Raised(error) => Some(error.clone()),
            Stop::Trapped(trap) => {
                Some(GuestError { name: trap.kind.name().to_owned(), message: trap.message.clone(), trace: self.trace.clone() })
            }
            _ => None,
        }
    }
}
