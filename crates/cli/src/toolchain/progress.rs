//! How an installation that takes minutes shows that it is alive.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::display::{self, Display};

/// Watches an installation.
pub(crate) trait Progress {
    /// Stage `index` of `total` (counted from 0) begins.
    fn stage(&mut self, index: usize, total: usize, title: &str);
    /// The stage has come `fraction` (0 to 1) of its way; `line` is what it says.
    fn tick(&mut self, fraction: f64, line: &str);
    /// The stage is done, or was done in an earlier run.
    fn done(&mut self, earlier: bool);
}

/// Says nothing.
#[cfg(test)]
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Silent;

#[cfg(test)]
impl Progress for Silent {
    fn stage(&mut self, _index: usize, _total: usize, _title: &str) {}
    fn tick(&mut self, _fraction: f64, _line: &str) {}
    fn done(&mut self, _earlier: bool) {}
}

/// One line on standard error for each stage, and one a minute while it lasts: for logs.
#[derive(Debug)]
pub(crate) struct PlainProgress {
    title: String,
    begun: Instant,
    spoken: Instant,
}

impl Default for PlainProgress {
    fn default() -> Self {
        let now = Instant::now();
        Self { title: String::new(), begun: now, spoken: now }
    }
}

impl Progress for PlainProgress {
    fn stage(&mut self, index: usize, total: usize, title: &str) {
        *self = Self { title: format!("[{}/{total}] {title}", index + 1), ..Self::default() };
        eprintln!("{}", self.title);
    }

    fn tick(&mut self, fraction: f64, _line: &str) {
        if self.spoken.elapsed() >= Duration::from_secs(60) {
            self.spoken = Instant::now();
            eprintln!("{}: about {:.0} %", self.title, fraction * 100.0);
        }
    }

    fn done(&mut self, earlier: bool) {
        if earlier {
            eprintln!("{}: was done before", self.title);
        } else {
            eprintln!("{}: done in {} s", self.title, self.begun.elapsed().as_secs());
        }
    }
}

/// A bar for each stage on a terminal.
#[derive(Debug, Default)]
pub(crate) struct TerminalProgress {
    title: String,
    begun: Option<Instant>,
    /// How far the stage has come, and what it said last.
    state: Arc<Mutex<(f64, String)>>,
    display: Option<Display>,
}

impl Progress for TerminalProgress {
    fn stage(&mut self, index: usize, total: usize, title: &str) {
        self.display = None;
        *self = Self { title: format!("[{}/{total}] {title:<28}", index + 1), begun: Some(Instant::now()), ..Self::default() };
        let (title, state) = (self.title.clone(), Arc::clone(&self.state));
        self.display = Some(Display::start(Duration::ZERO, move |elapsed| {
            let (fraction, line) = &*state.lock().unwrap_or_else(PoisonError::into_inner);
            format!("{title} {} {:>5}  {line}", display::bar(*fraction), display::clock(elapsed))
        }));
    }

    fn tick(&mut self, fraction: f64, line: &str) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (fraction, line.to_owned());
    }

    fn done(&mut self, earlier: bool) {
        if let Some(display) = self.display.take() {
            let time = self.begun.map_or_else(String::new, |begun| format!(" in {}", display::clock(begun.elapsed())));
            display.say(format!("{} {}", self.title, if earlier { "was done before".to_owned() } else { format!("done{time}") }));
        }
    }
}
