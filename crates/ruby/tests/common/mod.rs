//! What the tests share: the prepared image, and a clock.
#![allow(dead_code, reason = "each test file uses its part")]

use cell::{Alarm, Clock, InterruptHandle};
use ruby::{PrepareOptions, Ruby};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The image, prepared once and kept in the user's cache. The first time this fetches 33 MB with npm and takes about two minutes.
pub(crate) fn ruby() -> &'static Ruby {
    static RUBY: OnceLock<Ruby> = OnceLock::new();
    RUBY.get_or_init(|| {
        let var = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let cache = var("OUBLIETTE_CACHE")
            .unwrap_or_else(|| PrepareOptions::default_cache(var("HOME").as_deref(), var("XDG_CACHE_HOME").as_deref()));
        let ruby = ruby::prepare(&PrepareOptions::new(cache.join("ruby")), &mut |progress| {
            eprintln!("preparing Ruby, step {} of {}: {}", progress.step, progress.of, progress.what);
        })
        .expect("Ruby could not be prepared: these tests need npm once, to fetch the official build");
        match std::env::var("OUBLIETTE_TEST_PRELUDE") {
            Ok(path) => ruby.with(&std::fs::read_to_string(path).unwrap(), Default::default()).unwrap(),
            Err(_) => ruby,
        }
    })
}

/// A clock with a thread per alarm.
pub(crate) struct TestClock(Instant);

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(TestClock(Instant::now()))
}

struct TestAlarm(Option<Sender<()>>, Option<std::thread::JoinHandle<()>>);
impl Alarm for TestAlarm {}
impl Drop for TestAlarm {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            thread.join().unwrap();
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn arm(&self, after: Duration, handle: InterruptHandle) -> Box<dyn Alarm> {
        let (sender, receiver) = channel();
        let thread = std::thread::spawn(move || {
            if receiver.recv_timeout(after) == Err(RecvTimeoutError::Timeout) {
                handle.time_out();
            }
        });
        Box::new(TestAlarm(Some(sender), Some(thread)))
    }
}
