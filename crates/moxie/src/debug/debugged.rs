//! A cell under a debugger: goes forwards with breakpoints and watched memory, and backwards by running again from a snapshot.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cell::{Cell, CellSnapshot, Error, Hatch, Outcome, Stop};
use memory::Space;

use super::gdb::{Halted, Inferior};
use crate::engine::{Moxie, Observer};
use crate::machine::Machine;
use crate::state::Cpu;

/// Instructions between two snapshots at first; doubled whenever there are too many.
const SPACING: u64 = 1_000_000;
/// Most snapshots kept.
const MOST_SNAPSHOTS: usize = 32;

/// What the observer must look for, and what it found. Shared with it, because the engine owns it while it runs.
#[derive(Debug, Default)]
struct Orders {
    /// Stop before the instruction with this number.
    until: u64,
    breakpoints: BTreeSet<u32>,
    watched: Vec<(u32, u32, Vec<u8>)>,
    /// Only remember where there was reason to stop, do not stop there.
    only_remember: bool,
    /// The last moment, as a number of instructions, at which there was reason to stop: for watched memory, before it changed.
    last: Option<(u64, Halted)>,
    found: Option<Halted>,
}

struct Lookout(Arc<Mutex<Orders>>);

fn lock(orders: &Mutex<Orders>) -> MutexGuard<'_, Orders> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Lookout {
    fn before(&mut self, machine: &Machine, count: u64) -> bool {
        let mut orders = lock(&self.0);
        let orders = &mut *orders;
        for (start, length, old) in &mut orders.watched {
            let now = contents(&machine.space, *start, *length);
            if now != *old {
                *old = now;
                if !orders.only_remember {
                    orders.found = Some(Halted::Watched(*start));
                    return false;
                }
                orders.last = Some((count - 1, Halted::Watched(*start)));
            }
        }
        if count >= orders.until {
            orders.found = Some(Halted::Paused);
            return false;
        }
        if orders.breakpoints.contains(&machine.cpu.pc) {
            if !orders.only_remember {
                orders.found = Some(Halted::Breakpoint);
                return false;
            }
            orders.last = Some((count, Halted::Breakpoint));
        }
        true
    }
}

fn contents(space: &Space, start: u32, length: u32) -> Vec<u8> {
    // No variable is longer than this; a longer range is watched by its beginning.
    let mut bytes = vec![0; length.min(4096) as usize];
    let there = space.read_up_to(start, &mut bytes);
    bytes.truncate(there);
    bytes
}

fn contents_of(space: &Space, watched: &[(u32, u32)]) -> Vec<(u32, u32, Vec<u8>)> {
    watched.iter().map(|(start, length)| (*start, *length, contents(space, *start, *length))).collect()
}

/// Takes console text: standard output, standard error.
type Show = Box<dyn FnMut(&[u8], &[u8])>;

/// A cell that a debugger holds.
pub struct Debugged {
    cell: Cell<Moxie>,
    hatch: Hatch,
    orders: Arc<Mutex<Orders>>,
    snapshots: Vec<(u64, CellSnapshot<Moxie>)>,
    spacing: u64,
    /// The last outcome of a run that is over.
    over: Option<Outcome>,
    /// Instructions up to which console text has been shown.
    shown: u64,
    show: Show,
}

impl std::fmt::Debug for Debugged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debugged").field("cell", &self.cell).field("snapshots", &self.snapshots.len()).finish_non_exhaustive()
    }
}

impl Debugged {
    /// Takes over a cell that was prepared and has not run. `hatch` is offered to it (again whenever it goes back), `show` gets the console text as
    /// it comes, standard output first.
    ///
    /// # Errors
    /// [`Error::State`] when nothing is prepared.
    pub fn new(mut cell: Cell<Moxie>, hatch: Hatch, show: impl FnMut(&[u8], &[u8]) + 'static) -> Result<Self, Error> {
        if cell.engine_ref().machine().is_none() {
            let why = cell.engine_ref().too_large().unwrap_or("nothing is prepared").to_owned();
            return Err(Error::State(why));
        }
        cell.offer_all(&hatch)?;
        let first = (cell.engine_ref().instructions(), cell.snapshot()?);
        let orders = Arc::new(Mutex::new(Orders::default()));
        cell.engine().set_observer(Some(Box::new(Lookout(Arc::clone(&orders)))));
        Ok(Self { cell, hatch, orders, snapshots: vec![first], spacing: SPACING, over: None, shown: 0, show: Box::new(show) })
    }

    /// The outcome, once the run is over; of a run that is not, what it left so far is not taken out.
    pub fn into_outcome(self) -> Option<Outcome> {
        self.over
    }

    fn machine(&self) -> &Machine {
        // `new` refuses a cell without a machine, and no later step takes it away.
        match self.cell.engine_ref().machine() {
            Some(machine) => machine,
            None => unreachable!("a cell under a debugger has a machine"),
        }
    }

    fn machine_mut(&mut self) -> &mut Machine {
        match self.cell.engine().machine_mut() {
            Some(machine) => machine,
            None => unreachable!("a cell under a debugger has a machine"),
        }
    }

    fn count(&self) -> u64 {
        self.cell.engine_ref().instructions()
    }

    /// Runs with the orders as they are.
    fn run(&mut self) -> Halted {
        lock(&self.orders).found = None;
        let mut outcome = match self.cell.run() {
            Ok(outcome) => outcome,
            Err(error) => return Halted::Stopped(Stop::Raised(cell::GuestError::new("HostError", error.to_string()))),
        };
        if self.count() > self.shown {
            (self.show)(&outcome.stdout, &outcome.stderr);
            self.shown = self.count();
        }
        match (&outcome.stop, lock(&self.orders).found.take()) {
            (Stop::Breakpoint, Some(found)) => found,
            _ => {
                // Shown already.
                outcome.stdout.clear();
                outcome.stderr.clear();
                let stop = outcome.stop.clone();
                self.over = Some(outcome);
                Halted::Stopped(stop)
            }
        }
    }

    fn remember(&mut self) {
        let count = self.count();
        if self.snapshots.last().is_some_and(|(last, _)| count < last + self.spacing) {
            return;
        }
        if self.snapshots.len() >= MOST_SNAPSHOTS {
            let mut at = 0;
            self.snapshots.retain(|_| {
                at += 1;
                at % 2 == 1
            });
            self.spacing *= 2;
        }
        if let Ok(snapshot) = self.cell.snapshot() {
            self.snapshots.push((count, snapshot));
        }
    }

    /// Goes to the state after so many instructions, from the nearest snapshot before it.
    fn go_to(&mut self, count: u64) -> bool {
        self.restart_from(self.snapshots.partition_point(|(at, _)| *at <= count).saturating_sub(1)) && self.run_to(count)
    }

    fn restart_from(&mut self, snapshot: usize) -> bool {
        let Some((_, snapshot)) = self.snapshots.get(snapshot) else { return false };
        let Ok(mut cell) = snapshot.spawn(None) else { return false };
        if cell.offer_all(&self.hatch).is_err() {
            return false;
        }
        cell.engine().set_observer(Some(Box::new(Lookout(Arc::clone(&self.orders)))));
        self.cell = cell;
        self.over = None;
        true
    }

    /// Runs forwards without stopping.
    fn run_to(&mut self, count: u64) -> bool {
        self.search_to(count, &[])
    }

    /// Runs forwards without stopping, but remembers the last moment at which there was reason to.
    fn search_to(&mut self, count: u64, watched: &[(u32, u32)]) -> bool {
        {
            let space = &self.machine().space;
            let mut orders = lock(&self.orders);
            orders.until = count;
            orders.only_remember = true;
            orders.last = None;
            orders.watched = contents_of(space, watched);
        }
        let arrived = self.count() == count || self.run() == Halted::Paused;
        lock(&self.orders).only_remember = false;
        arrived
    }
}

impl Inferior for Debugged {
    fn cpu(&self) -> &Cpu {
        &self.machine().cpu
    }

    fn cpu_mut(&mut self) -> &mut Cpu {
        // What is changed by hand cannot be reached again by running: going back ends here.
        self.snapshots.clear();
        &mut self.machine_mut().cpu
    }

    fn space(&self) -> &Space {
        &self.machine().space
    }

    fn space_mut(&mut self) -> &mut Space {
        self.snapshots.clear();
        &mut self.machine_mut().space
    }

    fn go(&mut self, most: u64, breakpoints: &BTreeSet<u32>, watched: &[(u32, u32)]) -> Halted {
        if let Some(over) = &self.over {
            return Halted::Stopped(over.stop.clone());
        }
        if self.snapshots.is_empty() {
            self.spacing = SPACING;
            if let Ok(snapshot) = self.cell.snapshot() {
                self.snapshots.push((self.count(), snapshot));
            }
        }
        {
            let space = &self.machine().space;
            let mut orders = lock(&self.orders);
            orders.until = self.count().saturating_add(most);
            orders.watched = contents_of(space, watched);
            orders.breakpoints.clone_from(breakpoints);
        }
        let halted = self.run();
        if self.over.is_none() {
            self.remember();
        }
        halted
    }

    fn back(&mut self, instructions: u64) -> u64 {
        let (now, first) = (self.count(), self.snapshots.first().map_or(u64::MAX, |(count, _)| *count));
        let target = now.saturating_sub(instructions).max(first);
        if target >= now || !self.go_to(target) { 0 } else { now - target }
    }

    fn back_to(&mut self, breakpoints: &BTreeSet<u32>, watched: &[(u32, u32)]) -> Option<Halted> {
        let now = self.count();
        lock(&self.orders).breakpoints.clone_from(breakpoints);
        let mut end = now;
        for snapshot in (0..self.snapshots.len()).rev() {
            let Some((start, _)) = self.snapshots.get(snapshot) else { continue };
            let start = *start;
            if start >= end {
                continue;
            }
            if !self.restart_from(snapshot) || !self.search_to(end, watched) {
                return None;
            }
            // Where we stand now is no earlier moment.
            let found = lock(&self.orders).last.take().filter(|(count, _)| *count < now);
            if let Some((count, why)) = found {
                return self.go_to(count).then_some(why);
            }
            end = start;
        }
        let first = self.snapshots.first().map_or(now, |(count, _)| *count);
        self.go_to(first);
        None
    }
}
