//! Runs written down, and run again, the same to the instruction.

use std::io::{Read, Write};

use cell::{Error, Journal, Outcome, Stop, Value};
use serde::{Deserialize, Serialize};

use crate::report::sha256;
use crate::request::{Request, Resources};

const KIND: &str = "recording";
const VERSION: u32 = 1;
/// The largest recording that is read, in bytes.
const MOST: u64 = 4 << 30;

/// A run written down: what decided it, what the world told it, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// What was run.
    pub request: Request,
    /// What the world told it.
    pub journal: Journal,
    /// How it ended.
    pub end: Ending,
}

/// What two runs must have in common to count as the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The stop's name.
    pub stop: String,
    /// The exit code, if it finished.
    pub code: Option<i32>,
    /// The trap's kind, if it trapped.
    pub trap: Option<String>,
    /// Units of fuel used.
    pub fuel_used: Option<u64>,
    /// Version of the price list.
    pub fuel_schedule: Option<u32>,
    /// Hash of the output.
    pub output: String,
    /// Hash of the state, if there is one.
    pub state: Option<String>,
    /// Hash of standard output.
    pub stdout: String,
    /// Hash of standard error.
    pub stderr: String,
    /// Hash of registers and program counter, where the cell shows them.
    pub registers: Option<String>,
}

impl Ending {
    /// The ending of a run.
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            stop: outcome.stop.name().to_owned(),
            code: if let Stop::Finished(code) = outcome.stop { Some(code) } else { None },
            trap: if let Stop::Trapped(trap) = &outcome.stop { Some(trap.kind.name().to_owned()) } else { None },
            fuel_used: outcome.usage.fuel,
            fuel_schedule: outcome.fuel_schedule,
            output: sha256(&outcome.output),
            state: outcome.state.as_deref().map(sha256),
            stdout: sha256(&outcome.stdout),
            stderr: sha256(&outcome.stderr),
            registers: registers(outcome).map(|registers| sha256(&registers)),
        }
    }

    /// In what another run differs, a sentence each.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, expected: String, got: String| {
            if expected != got {
                found.push(format!("{what} is {got}, not {expected}"));
            }
        };
        let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        let number = |value: Option<u64>| value.map_or_else(|| "none".into(), |value| value.to_string());
        compare("the stop", self.stop.clone(), other.stop.clone());
        compare("the exit code", number(self.code.map(|code| code as u64)), number(other.code.map(|code| code as u64)));
        compare("the trap's kind", optional(&self.trap), optional(&other.trap));
        compare("the fuel used", number(self.fuel_used), number(other.fuel_used));
        compare("the fuel schedule", number(self.fuel_schedule.map(u64::from)), number(other.fuel_schedule.map(u64::from)));
        compare("the output's hash", self.output.clone(), other.output.clone());
        compare("the state's hash", optional(&self.state), optional(&other.state));
        compare("standard output's hash", self.stdout.clone(), other.stdout.clone());
        compare("standard error's hash", self.stderr.clone(), other.stderr.clone());
        compare("the registers' hash", optional(&self.registers), optional(&other.registers));
        found
    }
}

/// Registers and program counter as bytes: each as a little-endian word.
fn registers(outcome: &Outcome) -> Option<Vec<u8>> {
    let Some(Value::List(registers)) = outcome.extra.get("registers") else { return None };
    let words = registers.iter().chain(outcome.extra.get("pc")).map(|word| word.as_i64().and_then(|word| u32::try_from(word).ok()));
    words.map(|word| word.map(u32::to_le_bytes)).collect::<Option<Vec<_>>>().map(|words| words.concat())
}

/// A run that was repeated.
#[derive(Debug)]
pub struct Replayed {
    /// How it went this time.
    pub outcome: Outcome,
    /// In what it differs from the recording; empty when it is the same to the instruction.
    pub differences: Vec<String>,
}

impl Recording {
    /// Writes it out.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        let mut body = Vec::new();
        cell::write_header(&mut body, &(&self.request, &self.end))?;
        body.extend_from_slice(&self.journal.to_bytes()?);
        cell::write_framed(to, KIND, VERSION, &body)
    }

    /// Reads what [`save`](Recording::save) wrote. The bytes are not trusted.
    ///
    /// # Errors
    /// [`Error::Damaged`] that says what is wrong.
    pub fn load(from: &mut dyn Read) -> Result<Self, Error> {
        let body = cell::read_framed(from, KIND, VERSION, MOST)?;
        let mut rest = body.as_slice();
        let (request, end) = cell::read_header(&mut rest)?;
        Ok(Self { request, end, journal: Journal::from_bytes(rest)? })
    }

    /// Runs it again, with the journal in the world's place.
    ///
    /// # Errors
    /// Misuse or a failure of the host; a run that goes another way is in [`Replayed::differences`].
    pub fn replay(&self, resources: &Resources) -> Result<Replayed, Error> {
        let mut request = self.request.clone();
        // The journal repeats what the clock did; a clock of today's must not add to it.
        request.limits.wall = cell::Bound::Unlimited;
        let mut cell = request.open(resources)?;
        cell.replay(self.journal.clone());
        let outcome = cell.run()?;
        let differences = self.end.differences(&Ending::of(&outcome));
        Ok(Replayed { outcome, differences })
    }
}
