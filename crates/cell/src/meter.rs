//! Fuel and the outside stop: what an engine asks before it goes on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Why the meter said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Halt {
    /// The fuel is used up. The run can go on after a refuel.
    OutOfFuel,
    /// The wall clock has run out.
    OutOfTime,
    /// Somebody outside asked for a stop.
    Interrupted,
}

impl From<Halt> for crate::Stop {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::OutOfFuel => Self::OutOfFuel,
            Halt::OutOfTime => Self::OutOfTime,
            Halt::Interrupted => Self::Interrupted,
        }
    }
}

const QUIET: u8 = 0;
const TIME: u8 = 1;
const INTERRUPT: u8 = 2;

type Listener = Arc<dyn Fn() + Send + Sync>;

/// The one flag that the world outside can raise.
struct Signal {
    raised: AtomicU8,
    /// The meter's reading at the end of its last slice, for those who watch.
    reading: AtomicU64,
    /// Called when the flag is raised: by an engine that waits in somebody else's code (an epoch, a socket), by a driver that waits for a future.
    listeners: Mutex<BTreeMap<&'static str, Listener>>,
}

impl Signal {
    fn raise(&self, why: u8) {
        // An interrupt outranks the clock: it is what a person asked for.
        self.raised.fetch_max(why, Ordering::Release);
        let listeners: Vec<_> = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        listeners.iter().for_each(|listener| listener());
    }

    fn look(&self) -> Option<Halt> {
        match self.raised.load(Ordering::Acquire) {
            QUIET => None,
            TIME => Some(Halt::OutOfTime),
            _ => Some(Halt::Interrupted),
        }
    }
}

/// Stops a running cell from any thread. The only part of a cell that is `Sync`.
///
/// An interrupt raised while the cell is idle stops its next run at once.
#[derive(Clone)]
pub struct InterruptHandle {
    signal: Arc<Signal>,
}

impl InterruptHandle {
    fn new() -> Self {
        Self { signal: Arc::new(Signal { raised: AtomicU8::new(QUIET), reading: AtomicU64::new(0), listeners: Mutex::default() }) }
    }

    /// Asks the run to stop with `Interrupted`.
    pub fn interrupt(&self) {
        self.signal.raise(INTERRUPT);
    }

    /// Tells the run that its wall clock has ended. For the keeper of the clock.
    pub fn time_out(&self) {
        self.signal.raise(TIME);
    }

    /// Units of fuel that the run had used at the end of its last slice; for displays.
    pub fn fuel_used(&self) -> u64 {
        self.signal.reading.load(Ordering::Relaxed)
    }

    /// Whether a stop was asked for and not yet reported.
    pub fn is_raised(&self) -> Option<Halt> {
        self.signal.look()
    }

    /// Takes a time-out back that came after its run had ended. For the keeper of the clock.
    pub fn clear_time_out(&self) {
        if self.signal.raised.load(Ordering::Acquire) != TIME {
            return;
        }
        let _ = self.signal.raised.compare_exchange(TIME, QUIET, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Sets what is called, on the raising thread, when the flag goes up; it must not block. One listener for each name of `who`: the last one
    /// set holds.
    pub fn on_raise(&self, who: &'static str, listener: impl Fn() + Send + Sync + 'static) {
        self.signal.listeners.lock().unwrap_or_else(PoisonError::into_inner).insert(who, Arc::new(listener));
    }
}

impl fmt::Debug for InterruptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterruptHandle").field("raised", &self.is_raised()).finish()
    }
}

/// Fuel left, and the outside interrupt.
///
/// An engine borrows a slice, counts it down in a register, and settles: between slices the flag is looked at, so that a stop is always
/// possible. Natives [`charge`](Meter::charge) by size before they work.
///
/// ```
/// use cell::{Halt, Meter};
/// let mut meter = Meter::new(Some(120));
/// let slice = meter.lend().unwrap();
/// assert_eq!(slice, 120);
/// meter.settle(20); // a hundred were used
/// assert_eq!((meter.used(), meter.remaining()), (100, Some(20)));
/// assert_eq!(meter.charge(21), Err(Halt::OutOfFuel));
/// assert_eq!(meter.charge(20), Ok(()));
/// ```
#[derive(Debug)]
pub struct Meter {
    left: u64,
    limited: bool,
    used: u64,
    lent: u64,
    slice: u64,
    own: InterruptHandle,
    /// The signal of the cell that stands at the bottom of the chain of calls, where this cell was entered from another.
    caller: Option<InterruptHandle>,
    /// A stop by the outside that a replay must repeat: at this reading, for this reason.
    mark: Option<(u64, Halt)>,
}

impl Meter {
    /// The largest slice that is lent, in units.
    pub const SLICE: u64 = 50_000;

    /// A meter with `fuel` units, or without a limit.
    pub fn new(fuel: Option<u64>) -> Self {
        Self {
            left: fuel.unwrap_or(u64::MAX),
            limited: fuel.is_some(),
            used: 0,
            lent: 0,
            slice: Self::SLICE,
            own: InterruptHandle::new(),
            caller: None,
            mark: None,
        }
    }

    /// Makes slices smaller; 1 to [`Meter::SLICE`] units, other figures are brought into that range. What a run does never depends on it.
    pub fn set_slice(&mut self, units: u64) {
        self.slice = units.clamp(1, Self::SLICE);
    }

    /// Starts a new run: the reading returns to zero, the fuel to `fuel`.
    pub fn start(&mut self, fuel: Option<u64>) {
        self.left = fuel.unwrap_or(u64::MAX);
        self.limited = fuel.is_some();
        self.used = 0;
        self.lent = 0;
        self.mark = None;
    }

    /// Adds fuel to a run, so that it can go on after `OutOfFuel`.
    pub fn refuel(&mut self, units: u64) {
        self.left = self.left.saturating_add(units);
    }

    /// Sets a reading to go on from, as kept in a snapshot.
    pub fn restore(&mut self, used: u64, left: Option<u64>) {
        self.start(left);
        self.used = used;
    }

    /// Units used since the run started, what is lent now not counted.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Units left, what is lent now counted; `None` without a limit.
    pub fn remaining(&self) -> Option<u64> {
        self.limited.then_some(self.left)
    }

    /// Looks at the flag. An engine that cannot keep fuel asks this between its steps.
    ///
    /// # Errors
    /// The [`Halt`] that the outside asked for.
    pub fn check(&self) -> Result<(), Halt> {
        if let Some((at, halt)) = self.mark
            && self.used >= at
        {
            return Err(halt);
        }
        match self.own.is_raised().or_else(|| self.caller.as_ref().and_then(InterruptHandle::is_raised)) {
            Some(halt) => Err(halt),
            None => Ok(()),
        }
    }

    /// Lends the next slice: at least one unit. The engine gives back what it did not use with [`settle`](Meter::settle).
    ///
    /// # Errors
    /// A [`Halt`], with nothing lent.
    pub fn lend(&mut self) -> Result<u64, Halt> {
        debug_assert_eq!(self.lent, 0, "a slice is out already");
        self.check()?;
        let mut units = self.slice.min(self.left);
        if let Some((at, _)) = self.mark {
            units = units.min(at - self.used);
        }
        if units == 0 {
            return Err(Halt::OutOfFuel);
        }
        self.lent = units;
        Ok(units)
    }

    /// Takes back the unused part of the slice. More than was lent counts as all of it.
    pub fn settle(&mut self, unused: u64) {
        let spent = self.lent.saturating_sub(unused);
        self.lent = 0;
        self.used += spent;
        self.own.signal.reading.store(self.used, Ordering::Relaxed);
        if self.limited {
            self.left -= spent;
        }
    }

    /// Charges for work done natively, before it is done. No slice may be out.
    ///
    /// # Errors
    /// A [`Halt`]; then nothing was charged and the work must not be done.
    pub fn charge(&mut self, units: u64) -> Result<(), Halt> {
        debug_assert_eq!(self.lent, 0, "settle the slice first");
        self.check()?;
        if units > self.left {
            return Err(Halt::OutOfFuel);
        }
        if let Some((at, halt)) = self.mark
            && units > at - self.used
        {
            return Err(halt);
        }
        self.used += units;
        if self.limited {
            self.left -= units;
        }
        Ok(())
    }

    /// The handle that stops this meter's cell.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.own.clone()
    }

    /// Takes a time-out back that came after its run had ended.
    pub(crate) fn clear_time_out(&self) {
        self.own.clear_time_out();
    }

    /// Takes the flag down once its stop has been reported.
    pub(crate) fn acknowledge(&self) {
        self.own.signal.raised.store(QUIET, Ordering::Release);
    }

    /// Repeats a stop of the outside at the given reading.
    pub(crate) fn halt_at(&mut self, used: u64, halt: Halt) {
        self.mark = Some((used.max(self.used), halt));
    }

    /// Forgets the stop to repeat.
    pub(crate) fn clear_mark(&mut self) {
        self.mark = None;
    }

    /// Bounds this meter by what a caller in another cell has left, and listens to its flag. Returns the reading to pass to
    /// [`repay`](Meter::repay).
    pub(crate) fn borrow_from(&mut self, caller: &Self) -> (u64, Option<u64>) {
        let before = (self.used, self.remaining());
        self.left = self.left.min(caller.left);
        self.limited |= caller.limited;
        self.caller = Some(caller.caller.clone().unwrap_or_else(|| caller.own.clone()));
        before
    }

    /// Bounds this meter anew, in the middle of what [`borrow_from`](Meter::borrow_from) began: the caller may have been refuelled.
    pub(crate) fn borrow_again(&mut self, before: (u64, Option<u64>), caller: &Self) {
        let spent = self.used - before.0;
        let own = before.1.map_or(u64::MAX, |left| left.saturating_sub(spent));
        let callers = if caller.limited { caller.left.saturating_sub(spent) } else { u64::MAX };
        self.left = own.min(callers);
    }

    /// Ends what [`borrow_from`](Meter::borrow_from) began: the caller pays for what was used here. Returns those units.
    pub(crate) fn repay(&mut self, before: (u64, Option<u64>), caller: &mut Self) -> u64 {
        let spent = self.used - before.0;
        self.left = before.1.map_or(u64::MAX, |left| left.saturating_sub(spent));
        self.limited = before.1.is_some();
        self.caller = None;
        caller.used += spent;
        if caller.limited {
            caller.left = caller.left.saturating_sub(spent);
        }
        spent
    }

    /// Takes units back that another cell of the chain hands down to this one later.
    pub(crate) fn rewind(&mut self, reading: u64, units: u64) {
        self.used = reading;
        if self.limited {
            self.left = self.left.saturating_add(units);
        }
    }

    /// Pays for units that a journal says were charged by other cells.
    pub(crate) fn pay(&mut self, units: u64) {
        self.used += units;
        if self.limited {
            self.left = self.left.saturating_sub(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_is_lent_in_slices_and_ends_exactly() {
        let mut meter = Meter::new(Some(Meter::SLICE * 2 + 7));
        let mut seen = Vec::new();
        while let Ok(units) = meter.lend() {
            seen.push(units);
            meter.settle(0);
        }
        assert_eq!(seen, [Meter::SLICE, Meter::SLICE, 7]);
        assert_eq!(meter.used(), Meter::SLICE * 2 + 7);
        assert_eq!(meter.lend(), Err(Halt::OutOfFuel));
        meter.refuel(3);
        assert_eq!(meter.lend(), Ok(3));
    }

    #[test]
    fn an_interrupt_outranks_the_clock_and_lasts_until_reported() {
        let mut meter = Meter::new(None);
        meter.interrupt_handle().interrupt();
        meter.interrupt_handle().time_out();
        assert_eq!(meter.lend(), Err(Halt::Interrupted));
        assert_eq!(meter.charge(1), Err(Halt::Interrupted));
        meter.acknowledge();
        assert_eq!(meter.charge(1), Ok(()));
    }

    #[test]
    fn a_mark_stops_at_its_reading_whatever_the_slices() {
        for slice in [1, 3, 1000] {
            let mut meter = Meter::new(Some(100));
            meter.set_slice(slice);
            meter.halt_at(41, Halt::OutOfTime);
            let halt = loop {
                match meter.lend() {
                    Ok(_) => meter.settle(0),
                    Err(halt) => break halt,
                }
            };
            assert_eq!((halt, meter.used()), (Halt::OutOfTime, 41));
        }
    }

    #[test]
    fn a_callee_spends_its_callers_fuel() {
        let mut caller = Meter::new(Some(10));
        let mut callee = Meter::new(Some(1000));
        let before = callee.borrow_from(&caller);
        assert_eq!(callee.remaining(), Some(10));
        caller.interrupt_handle().interrupt();
        assert_eq!(callee.charge(1), Err(Halt::Interrupted));
        caller.acknowledge();
        callee.charge(4).unwrap();
        assert_eq!(callee.repay(before, &mut caller), 4);
        assert_eq!((caller.remaining(), callee.remaining()), (Some(6), Some(996)));
    }
}
