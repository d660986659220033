//! The standard offers: what a host can lend every guest by name.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use cell::{Error, GuestError, Offer, Value};
use serde::{Deserialize, Serialize};

/// The most random bytes that one call gives.
const MOST_RANDOM: i64 = 1 << 20;

/// An offer that the front door knows how to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standard {
    /// The time of day, in nanoseconds since 1970-01-01 UTC.
    Clock,
    /// Random bytes of the operating system's.
    Random,
}

impl Standard {
    /// Every one of them.
    pub const ALL: [Self; 2] = [Self::Clock, Self::Random];

    /// The name that guests know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clock => cell::CLOCK,
            Self::Random => cell::RANDOM,
        }
    }

    /// The offer itself.
    pub fn offer(self) -> Offer {
        match self {
            Self::Clock => Offer::function(|_| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
                Ok(u64::try_from(now.as_nanos())?.into())
            }),
            Self::Random => Offer::function(|call| {
                let length = call.value(0)?.as_i64().filter(|length| (0..=MOST_RANDOM).contains(length));
                let length =
                    length.ok_or_else(|| GuestError::new("RangeError", format!("random takes a length from 0 to {MOST_RANDOM}")))?;
                let mut bytes = vec![0; usize::try_from(length)?];
                getrandom::fill(&mut bytes).map_err(|error| GuestError::new("Unavailable", error.to_string()))?;
                Ok(Value::Bytes(bytes).into())
            }),
        }
    }
}

impl FromStr for Standard {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|standard| standard.name() == name)
            .ok_or_else(|| Error::Invalid(format!("there is no standard offer `{name}`; there are: clock, random")))
    }
}
