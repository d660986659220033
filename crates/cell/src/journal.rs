//! Everything the world told a run, so that the run can be repeated to the instruction.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::hatch::{Operation, Reply, Ticket};
use crate::meter::Halt;
use crate::reference::Ref;
use crate::value::Argument;
use crate::{Error, GuestError, HatchCall};

/// One thing the world told the guest. `fuel` is the meter's reading at that moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// The answer to the call that the guest waits in. `charged` units were used by other cells on the way.
    Reply {
        /// Reading when the call was made.
        fuel: u64,
        /// Fingerprint of the call, to notice a replay that goes another way.
        call: u64,
        /// The answer.
        reply: Reply,
        /// Units that other cells charged to this one for it.
        charged: u64,
        /// Objects of the guest's that the host kept.
        kept: Vec<Ref>,
    },
    /// The host gave an object of the guest's back.
    Release {
        /// Which.
        own: Ref,
    },
    /// While answering, the host entered the guest again.
    Enter {
        /// On what.
        target: Ref,
        /// What.
        operation: Operation,
        /// With what.
        arguments: Vec<Argument>,
    },
    /// A promise was kept.
    Settle {
        /// Which.
        ticket: Ticket,
        /// How.
        result: Result<Argument, GuestError>,
    },
    /// The outside stopped the run at this reading; if entries follow, it went on.
    Halt {
        /// Reading at the stop.
        fuel: u64,
        /// Why.
        halt: Halt,
    },
}

/// What the world told one run, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// The entries.
    pub entries: Vec<Entry>,
}

impl Journal {
    /// Version of the format.
    pub const VERSION: u32 = 1;

    /// Encodes it.
    ///
    /// # Errors
    /// [`Error::Host`] if that fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        postcard::to_allocvec(self).map_err(|error| Error::Host(format!("cannot encode the journal: {error}")))
    }

    /// Decodes it. The bytes are not trusted.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        postcard::from_bytes(bytes).map_err(|error| Error::Damaged(format!("not a journal: {error}")))
    }
}

/// Whether the world is written down, read back, or neither.
#[derive(Clone, Debug, Default)]
pub(crate) enum Tape {
    #[default]
    Off,
    Record(Journal),
    Replay(VecDeque<Entry>),
}

impl Tape {
    pub(crate) fn record(&mut self, entry: impl FnOnce() -> Entry) {
        if let Self::Record(journal) = self {
            journal.entries.push(entry());
        }
    }

    pub(crate) fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    /// The next entry of a replay, if there is one.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        if let Self::Replay(entries) = self { entries.pop_front() } else { None }
    }

    /// The object that is given back next, if that is what comes next.
    pub(crate) fn next_release(&mut self) -> Option<Ref> {
        if let Self::Replay(entries) = self
            && let Some(Entry::Release { own }) = entries.front()
        {
            let own = *own;
            entries.pop_front();
            return Some(own);
        }
        None
    }

    /// The stop by the outside that comes before anything else, if there is one.
    pub(crate) fn next_halt(&self) -> Option<(u64, Halt)> {
        match self {
            Self::Replay(entries) => match entries.front() {
                Some(Entry::Halt { fuel, halt }) => Some((*fuel, *halt)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The promise that is kept next, if that is what comes next.
    pub(crate) fn next_settle(&mut self) -> Option<(Ticket, Result<Argument, GuestError>)> {
        if let Self::Replay(entries) = self
            && let Some(Entry::Settle { .. }) = entries.front()
            && let Some(Entry::Settle { ticket, result }) = entries.pop_front()
        {
            return Some((ticket, result));
        }
        None
    }
}

/// A fingerprint of a call: what is compared in a replay.
pub(crate) fn fingerprint(call: &HatchCall) -> u64 {
    postcard::to_allocvec(call).map_or(0, |bytes| xxhash_rust::xxh3::xxh3_64(&bytes))
}
