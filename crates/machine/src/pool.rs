//! Machines kept ready: cloned, touched once, paused. Taking one costs two milliseconds, and another takes its place.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::machine::{Command, Machine};
use crate::session::{Happening, Watch};
use crate::template::Template;
use crate::{Cause, Error};

/// How long a machine that is only being made ready may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a machine that was ready may take to answer when it is taken.
const TAKE: Duration = Duration::from_secs(5);

/// How often the ready ones are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How ready a pool's machines are: warmer ones answer sooner and take more of the host's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// Restored only: 9 to 17 MB each.
    Restored,
    /// It answered, and ran a shell twice: about 25 MB.
    #[default]
    Ready,
    /// It ran these shell commands too.
    Warmed(Vec<String>),
}

impl Readiness {
    /// Python has run: about 55 MB.
    #[must_use]
    pub fn python() -> Self {
        Self::Warmed(vec!["python3 -c 'print(1)'; python3 -c 'print(1)'".to_owned()])
    }

    /// A C compiler has run: about 110 MB.
    #[must_use]
    pub fn compiler() -> Self {
        let line = "printf '#include <stdio.h>\\nint main(void){puts(\"\");return 0;}' >/tmp/w.c \
             && gcc -O1 -o /tmp/w /tmp/w.c && gcc -O1 -o /tmp/w /tmp/w.c && /tmp/w; rm -f /tmp/w /tmp/w.c";
        Self::Warmed(vec![line.to_owned()])
    }
}

/// Ready machines of one template.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    template: Arc<Template>,
    readiness: Readiness,
    watch: Watch,
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Machine>,
    closed: bool,
    /// Why the last attempt to make one failed, if it did.
    failure: Option<String>,
    replaced: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a machine as ready as the pool's are, and pauses it.
    fn make(&self) -> Result<Machine, Error> {
        if self.readiness == Readiness::Restored {
            let vm = self.template.restore_vm()?;
            vm.session.set_held(true);
            return Ok(Machine::new(vm, Arc::clone(&self.template)));
        }
        let mut machine = self.template.spawn()?;
        machine.health(PATIENCE)?;
        let more: &[String] = if let Readiness::Warmed(lines) = &self.readiness { lines } else { &[] };
        for line in ["true", "true"].into_iter().chain(more.iter().map(String::as_str)) {
            let process = machine.start(&Command::shell(line))?;
            process.end_input()?;
            let deadline = Instant::now() + PATIENCE;
            while !matches!(process.next(Some(deadline))?, Some(Happening::Exited(..)) | None) {}
        }
        machine.pause()?;
        Ok(machine)
    }

    /// Keeps the pool full until it is closed.
    fn keep(&self) {
        let mut wait = Duration::ZERO;
        loop {
            let mut state = self.state();
            if !wait.is_zero() && !state.closed {
                state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.closed {
                return;
            }
            // One that died while it waited is replaced before anybody is given it.
            let before = state.ready.len();
            state.ready.retain_mut(|machine| machine.gone().is_none());
            state.replaced += (before - state.ready.len()) as u64;
            let missing = state.ready.len() < self.size;
            drop(state);
            wait = LOOK;
            if missing {
                let made = self.make();
                let mut state = self.state();
                match made {
                    Ok(machine) => {
                        machine.sleep();
                        state.failure = None;
                        state.ready.push_back(machine);
                        wait = Duration::ZERO;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a machine for the pool could not be made");
                        state.failure = Some(error.to_string());
                    }
                }
                drop(state);
                self.changed.notify_all();
            }
        }
    }
}

impl Pool {
    /// A pool that keeps `size` machines ready. It fills itself in the background.
    ///
    /// # Errors
    /// Those of making a thread.
    pub fn new(template: &Arc<Template>, size: usize, readiness: Readiness) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            template: Arc::clone(template),
            readiness,
            watch: Watch::default(),
            size,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let keeper = Arc::clone(&shared);
        let keeper = std::thread::Builder::new()
            .name("oubliette-pool".to_owned())
            .spawn(move || keeper.keep())
            .map_err(|error| Error::io("a thread", error))?;
        Ok(Self { shared, keeper: Some(keeper) })
    }

    /// The template that its machines are clones of.
    #[must_use]
    pub fn template(&self) -> &Arc<Template> {
        &self.shared.template
    }

    /// How many are ready now.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.shared.state().ready.len()
    }

    /// How many died while they waited, and were replaced.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.shared.state().replaced
    }

    /// The processes of those that are ready.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.shared.state().ready.iter().map(Machine::pid).collect()
    }

    /// Waits until it is full; false when the deadline passes first.
    ///
    /// # Errors
    /// [`Error::Qemu`] with the reason, if the last attempt to make a machine failed.
    pub fn wait_full(&self, deadline: Instant) -> Result<bool, Error> {
        let mut state = self.shared.state();
        loop {
            if state.ready.len() >= self.shared.size {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // One failure among successes is made good by the next attempt; the last one counts.
                return state.failure.as_ref().map_or(Ok(false), |failure| Err(Error::Qemu(failure.clone())));
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A machine that runs, differs from its siblings, and is watched: a ready one, or a new clone if there is none.
    ///
    /// # Errors
    /// Those of [`Template::spawn`].
    pub fn take(&self) -> Result<Machine, Error> {
        loop {
            let ready = self.shared.state().ready.pop_front();
            let Some(mut machine) = ready else {
                self.shared.changed.notify_all();
                let machine = self.shared.template.spawn()?;
                machine.watch(self.shared.watch)?;
                return Ok(machine);
            };
            let entered = machine.enter_service(TAKE);
            // Only now: its successor would take processor time from it while somebody waits.
            self.shared.changed.notify_all();
            // One that died while it waited is no reason to fail.
            match entered {
                Ok(()) => {
                    machine.watch(self.shared.watch)?;
                    return Ok(machine);
                }
                Err(error) => {
                    tracing::warn!(%error, "a ready machine was not");
                    self.shared.state().replaced += 1;
                }
            }
        }
    }

    /// Replaces a machine by a ready one. What the old one was is gone.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn reset(&self, machine: &mut Machine) -> Result<(), Error> {
        let fresh = self.take()?;
        machine.session().end(Cause::Dropped);
        *machine = fresh;
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}
