//! How an installation that takes minutes shows that it is alive.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
#[derive(Debug)]
pub(crate) struct TerminalProgress {
    bar: ProgressBar,
    width: u64,
}

impl Default for TerminalProgress {
    fn default() -> Self {
        Self { bar: ProgressBar::hidden(), width: 1000 }
    }
}

impl Progress for TerminalProgress {
    fn stage(&mut self, index: usize, total: usize, title: &str) {
        self.bar = ProgressBar::with_draw_target(Some(self.width), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {elapsed:>4}  {wide_msg:.dim}") {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(format!("[{}/{total}] {title:<28}", index + 1));
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn tick(&mut self, fraction: f64, line: &str) {
        self.bar.set_position((fraction.clamp(0.0, 1.0) * self.width as f64) as u64);
        self.bar.set_message(line.to_owned());
    }

    fn done(&mut self, earlier: bool) {
        self.bar.set_position(self.width);
        self.bar.finish_with_message(if earlier { "was done before" } else { "done" });
    }
}
