//! Receipts: what was run and what came of it, by hash, so that another machine can check it by running again.

use std::collections::BTreeSet;
use std::sync::Arc;

use cell::{Error, Input, Limits, Outcome, Task};
use serde::{Deserialize, Serialize};

use crate::kind::CellKind;
use crate::offers::Standard;
use crate::recording::{Ending, Recording};
use crate::report::sha256;
use crate::request::{Guest, Request, Resources};

/// Version of the format.
const VERSION: u32 = 1;

/// A receipt. Its JSON form is what `--receipt` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Version of the format: 1.
    receipt: u32,
    /// Version of the program that wrote it.
    oubliette: String,
    /// The guest, with the options of its kind.
    guest: Guest,
    programs: Vec<Hashed>,
    inputs: Vec<Hashed>,
    state: Option<Hashed>,
    limits: Limits,
    offers: BTreeSet<Standard>,
    /// Hash of the journal, when the world had a say in the run.
    journal: Option<String>,
    end: Ending,
}

/// Something named by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashed {
    /// Its name, which the guest may see.
    pub name: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the contents, in hex.
    pub sha256: String,
}

impl Hashed {
    fn of(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

/// What a check by running again found.
#[derive(Debug)]
pub struct Verdict {
    /// The outcome of running again.
    pub outcome: Outcome,
    /// In what it differs; empty when the receipt holds.
    pub differences: Vec<String>,
}

impl Receipt {
    /// The receipt of a run.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a run that the world ended, and for one that the world had a say in without a recording of it.
    pub fn new(request: &Request, outcome: &Outcome, recording: Option<&Recording>) -> Result<Self, Error> {
        if outcome.stop.is_from_outside() {
            return Err(Error::Invalid(format!(
                "no receipt for a run that ended {}: another machine would end elsewhere",
                outcome.stop.name().replace('_', " ")
            )));
        }
        if !request.offers.is_empty() && recording.is_none() {
            return Err(Error::Invalid("a run with live offers can be checked only together with its recording: add --record FILE".into()));
        }
        let task = &request.task;
        Ok(Self {
            receipt: VERSION,
            oubliette: env!("CARGO_PKG_VERSION").to_owned(),
            guest: request.guest.clone(),
            programs: task.programs.iter().map(|program| Hashed::of(&program.name, &program.bytes)).collect(),
            inputs: task.inputs.iter().map(|input| Hashed::of(&input.name, &input.bytes)).collect(),
            state: task.state.as_deref().map(|state| Hashed::of("state", state)),
            limits: request.limits,
            offers: request.offers.clone(),
            journal: recording
                .filter(|recording| !request.offers.is_empty() || !recording.journal.entries.is_empty())
                .map(|recording| recording.journal.to_bytes().map(|bytes| sha256(&bytes)))
                .transpose()?,
            end: Ending::of(outcome),
        })
    }

    /// The receipt as JSON, several lines.
    ///
    /// # Errors
    /// None that a receipt can cause.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(|error| Error::Host(format!("cannot write the receipt: {error}")))
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// [`Error::Damaged`] that says what is wrong.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let receipt: Self = serde_json::from_str(text).map_err(|error| Error::Damaged(format!("not a receipt: {error}")))?;
        if receipt.receipt != VERSION {
            return Err(Error::Damaged(format!("this receipt has version {}; this program reads version {VERSION}", receipt.receipt)));
        }
        Ok(receipt)
    }

    /// Everything that must be at hand to run again, by hash.
    pub fn needs(&self) -> impl Iterator<Item = &Hashed> {
        self.programs.iter().chain(&self.inputs).chain(&self.state)
    }

    /// The kind of cell that the run was in.
    pub fn kind(&self) -> CellKind {
        self.guest.kind()
    }

    /// Whether a recording is needed to run again.
    pub fn needs_recording(&self) -> bool {
        self.journal.is_some()
    }

    /// Runs again with what `find` brings (contents by hash), and compares.
    ///
    /// # Errors
    /// [`Error::Invalid`] when something is missing or not what its hash says.
    pub fn verify(
        &self,
        mut find: impl FnMut(&Hashed) -> Result<Arc<[u8]>, Error>,
        recording: Option<&Recording>,
        resources: &Resources,
    ) -> Result<Verdict, Error> {
        let mut fetch = |hashed: &Hashed| -> Result<Arc<[u8]>, Error> {
            let bytes = find(hashed)?;
            if bytes.len() as u64 != hashed.bytes || sha256(&bytes) != hashed.sha256 {
                return Err(Error::Invalid(format!(
                    "what was found for `{}` has another hash or length than the receipt says",
                    hashed.name
                )));
            }
            Ok(bytes)
        };
        let mut all = |list: &[Hashed]| -> Result<Vec<Input>, Error> {
            list.iter().map(|hashed| Ok(Input { name: hashed.name.clone(), bytes: fetch(hashed)? })).collect()
        };
        let task = Task {
            programs: all(&self.programs)?,
            inputs: all(&self.inputs)?,
            state: self
                .state
                .as_ref()
                .map(|state| all(std::slice::from_ref(state)))
                .transpose()?
                .and_then(|mut found| found.pop())
                .map(|input| input.bytes),
        };
        let request = Request { task, limits: self.limits, offers: self.offers.clone(), guest: self.guest.clone() };
        let journal = match (&self.journal, recording) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(Error::Invalid("the world had a say in this run: give its recording too, with --record FILE".into()));
            }
            (Some(expected), Some(recording)) => {
                if sha256(&recording.journal.to_bytes()?) != *expected {
                    return Err(Error::Invalid("this recording is not the one that the receipt names".into()));
                }
                Some(recording.journal.clone())
            }
        };
        let mut request = request;
        request.limits.wall = cell::Bound::Unlimited;
        let mut cell = request.open(resources)?;
        if let Some(journal) = journal {
            cell.replay(journal);
        }
        let outcome = cell.run()?;
        let differences = self.end.differences(&Ending::of(&outcome));
        Ok(Verdict { outcome, differences })
    }
}
