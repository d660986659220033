//! One line on standard error, drawn again and again while a long job lasts, for the person who waits.
//!
//! Not a library's bar: those estimate with the mathematics of the C library, and that one more library is loaded costs every start of the
//! command a tenth of its time.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The line; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Display {
    /// Lines to stay, above the one that is drawn.
    lines: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    const EVERY: Duration = Duration::from_millis(200);
    const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

    /// Draws what `describe` says of a job that has lasted so long, first after `patience`. Only for a standard error that is a terminal.
    pub(crate) fn start(patience: Duration, mut describe: impl FnMut(Duration) -> String + Send + 'static) -> Self {
        let (lines, orders) = channel::<String>();
        let begun = Instant::now();
        let thread = std::thread::Builder::new().name("display".into()).spawn(move || {
            let (mut wait, mut drawn) = (patience, false);
            for frame in Self::FRAMES.iter().cycle() {
                let order = orders.recv_timeout(wait);
                let mut out = std::io::stderr().lock();
                // A terminal that is gone must not end the job.
                let _ = match &order {
                    Ok(line) if drawn => writeln!(out, "\r\x1b[K{line}"),
                    Ok(line) => writeln!(out, "{line}"),
                    Err(RecvTimeoutError::Timeout) => {
                        (wait, drawn) = (Self::EVERY, true);
                        let text = format!("{frame} {}", describe(begun.elapsed()));
                        write!(out, "\r{}\x1b[K", cut(&text, width()))
                    }
                    Err(RecvTimeoutError::Disconnected) if drawn => write!(out, "\r\x1b[K"),
                    Err(RecvTimeoutError::Disconnected) => Ok(()),
                };
                let _ = out.flush();
                if order == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        // Without a thread there is no display, and nothing else is missing.
        Self { lines: Some(lines), thread: thread.ok() }
    }

    /// Writes a line that stays.
    pub(crate) fn say(&self, line: impl Into<String>) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(line.into());
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Columns to write in: all but the last of the terminal at standard error.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.map_or(0, |size| usize::from(size.ws_col)).checked_sub(1).map_or(80, |columns| columns.max(20))
}

/// As much of a text as fits into a line; what would move the cursor is left out.
fn cut(text: &str, columns: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(columns).collect()
}

/// A duration as a clock shows it, in minutes and seconds.
pub(crate) fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// How far a job has come, from 0 to 1, as a bar.
pub(crate) fn bar(fraction: f64) -> String {
    const CELLS: usize = 30;
    let full = ((fraction.clamp(0.0, 1.0) * CELLS as f64) as usize).min(CELLS);
    format!("{}{}", "█".repeat(full), "░".repeat(CELLS - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_and_moves_nothing() {
        assert_eq!(cut("compiling\r\x1b[2J a.c", 11), "compiling[2");
        assert_eq!(clock(Duration::from_secs(605)), "10:05");
        assert_eq!(bar(2.0).chars().count(), bar(0.1).chars().count());
        assert!(bar(0.5).starts_with(&"█".repeat(15)) && bar(0.5).ends_with('░'));
    }

    #[test]
    fn a_short_job_asks_for_no_description() {
        let (asked, answers) = channel();
        drop(Display::start(Duration::from_secs(3600), move |_| {
            asked.send(()).unwrap();
            String::new()
        }));
        assert!(answers.recv().is_err());
    }
}
