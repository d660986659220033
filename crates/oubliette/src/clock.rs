//! The one timer thread: it ends runs whose wall clock has run out.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use cell::{Alarm, Clock, InterruptHandle};

#[derive(Default)]
struct Alarms {
    due: BTreeMap<(Instant, u64), InterruptHandle>,
    next: u64,
    /// When the thread will look again by itself.
    wakes: Option<Instant>,
}

/// The wall clock of this process.
pub(crate) struct WallClock {
    start: Instant,
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

impl WallClock {
    /// The one clock; its thread starts with the first alarm.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        static CLOCK: OnceLock<Arc<Shared>> = OnceLock::new();
        Arc::clone(CLOCK.get_or_init(|| {
            let clock = Arc::new(Self { start: Instant::now(), alarms: Mutex::default(), changed: Condvar::new() });
            Arc::new(Shared { clock, started: OnceLock::new() })
        })) as Arc<dyn Clock>
    }

    fn lock(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut alarms = self.lock();
        loop {
            let now = Instant::now();
            while let Some(entry) = alarms.due.first_entry().filter(|entry| entry.key().0 <= now) {
                // Called under the lock, so that an alarm that was dropped never rings.
                entry.remove().time_out();
            }
            let next = alarms.due.first_key_value().map(|((at, _), _)| *at);
            alarms.wakes = next;
            alarms = match next {
                Some(at) => self.changed.wait_timeout(alarms, at.saturating_duration_since(now)).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(alarms).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

struct Shared {
    clock: Arc<WallClock>,
    /// Whether the thread could be started, once that was tried.
    started: OnceLock<bool>,
}

impl Shared {
    fn has_thread(&self) -> bool {
        *self.started.get_or_init(|| {
            let clock = Arc::clone(&self.clock);
            std::thread::Builder::new().name("oubliette-timer".into()).spawn(move || clock.watch()).is_ok()
        })
    }
}

struct Armed {
    clock: Arc<WallClock>,
    key: (Instant, u64),
}

impl Alarm for Armed {}

impl Drop for Armed {
    fn drop(&mut self) {
        self.clock.lock().due.remove(&self.key);
    }
}

impl Clock for Shared {
    fn now(&self) -> Duration {
        self.clock.start.elapsed()
    }

    fn arm(&self, after: Duration, handle: InterruptHandle) -> Box<dyn Alarm> {
        let far = Duration::from_secs(100 * 365 * 24 * 3600);
        let at = Instant::now() + after.min(far);
        if !self.has_thread() {
            // No thread could be started on this host: refuse to run on rather than run unwatched.
            handle.time_out();
        }
        let mut alarms = self.clock.lock();
        let key = (at, alarms.next);
        alarms.next += 1;
        alarms.due.insert(key, handle);
        // The thread is woken only for an alarm that is due before it looks again: most are not.
        if alarms.wakes.is_none_or(|wakes| at < wakes) {
            alarms.wakes = Some(at);
            self.clock.changed.notify_one();
        }
        drop(alarms);
        Box::new(Armed { clock: Arc::clone(&self.clock), key })
    }
}

#[cfg(test)]
mod tests {
    use cell::{Halt, Meter};

    use super::*;

    fn wait_for(handle: &InterruptHandle) -> Option<Halt> {
        let start = Instant::now();
        while handle.is_raised().is_none() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        handle.is_raised()
    }

    #[test]
    fn alarms_ring_in_whatever_order_they_were_set() {
        let clock = WallClock::shared();
        let (late, early) = (Meter::new(None).interrupt_handle(), Meter::new(None).interrupt_handle());
        let _late = clock.arm(Duration::from_millis(60), late.clone());
        let _early = clock.arm(Duration::from_millis(5), early.clone());
        assert_eq!(wait_for(&early), Some(Halt::OutOfTime));
        assert_eq!(wait_for(&late), Some(Halt::OutOfTime));
    }

    #[test]
    fn an_alarm_that_is_dropped_never_rings() {
        let clock = WallClock::shared();
        let (dropped, kept) = (Meter::new(None).interrupt_handle(), Meter::new(None).interrupt_handle());
        drop(clock.arm(Duration::from_millis(5), dropped.clone()));
        let _kept = clock.arm(Duration::from_millis(20), kept.clone());
        assert_eq!(wait_for(&kept), Some(Halt::OutOfTime));
        assert_eq!(dropped.is_raised(), None);
    }

    #[test]
    fn an_endless_wall_clock_is_no_overflow() {
        let handle = Meter::new(None).interrupt_handle();
        drop(WallClock::shared().arm(Duration::MAX, handle.clone()));
        assert_eq!(handle.is_raised(), None);
    }
}
