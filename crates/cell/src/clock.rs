//! The wall clock, as a cell knows it.

use std::time::Duration;

use crate::meter::InterruptHandle;

/// The wall clock, which the front door owns; no crate below it names one.
pub trait Clock: Send + Sync {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;

    /// Calls [`InterruptHandle::time_out`] after this long, unless the alarm is dropped before. Once `drop` has returned it is never called.
    fn arm(&self, after: Duration, handle: InterruptHandle) -> Box<dyn Alarm>;
}

/// An alarm of a [`Clock`]; dropping it takes it back.
pub trait Alarm: Send {}
