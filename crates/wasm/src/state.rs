//! What belongs to one instance: its process, its limits, and the mailbox between it and whoever drives it.

use crate::wasi::Process;
use cell::Console;
use std::any::Any;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use wasmtime::{AsContextMut, Caller, Memory, ResourceLimiter};

/// Units of native work that may be owed before the guest gives way to be charged for them.
const OWED_MAX: u64 = 20_000;

/// How a guest ended other than by returning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It called `proc_exit`.
    Exit(i32),
    /// Its console is full.
    OutputFull,
    /// It asked the hatch for something with buffers outside its memory, or in a malformed message.
    BadCall,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exit(code) => write!(f, "the guest exited with {code}"),
            Ending::OutputFull => f.write_str("the guest wrote more than it may"),
            Ending::BadCall => f.write_str("the guest's call through the hatch was malformed"),
        }
    }
}

impl std::error::Error for Ending {}

/// What an instance tells its driver, and the other way round. Both sides run on one thread at a time.
#[derive(Default)]
pub(crate) struct Mailbox {
    pub(crate) job: Option<crate::guest::Job>,
    pub(crate) outgoing: Option<Outgoing>,
    pub(crate) reply: Option<Vec<u8>>,
    /// Units between two yields, as the driver wants them from the next fresh slice on.
    pub(crate) interval: u64,
    /// The slice that the store counts down now: the reading at its start, and its length.
    pub(crate) slice: (u64, u64),
    /// The exact reading, when `outgoing` was posted or native work is to be paid.
    pub(crate) used: Option<u64>,
    /// Set while the guest waits for real time to pass.
    pub(crate) napping: bool,
    /// The captured console. It is here only while the guest is polled; the driver keeps it otherwise.
    pub(crate) console: Console,
    pub(crate) gauge: Gauge,
    /// Mounts of a guest that is over.
    pub(crate) remains: Vec<(String, crate::Mount)>,
}

/// Memory held, and the cap on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauge {
    /// Bytes of memories and tables together that may be held.
    pub(crate) cap: u64,
    pub(crate) held: u64,
    pub(crate) peak: u64,
    /// A growth was refused since the run began.
    pub(crate) refused: bool,
    /// A growth was refused at any time: what the guest did without it may show late.
    pub(crate) was_refused: bool,
}

pub(crate) enum Outgoing {
    Exchange(Vec<u8>),
    Done(wasmtime::Result<Vec<u8>>),
}

/// A mailbox that both sides hold.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Mailbox>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a slice starts at `reading`, and tells how long it is to be.
    pub(crate) fn fresh_slice(&self, reading: u64) -> u64 {
        let mut mailbox = self.lock();
        let interval = mailbox.interval.max(1);
        mailbox.slice = (reading, interval);
        interval
    }
}

/// The data of a wasmtime store. Embedders that define imports of their own find theirs in [`State::extra`].
pub struct State {
    pub(crate) process: Process,
    pub(crate) memory: Option<Memory>,
    pub(crate) shared: Shared,
    pub(crate) reply: Vec<u8>,
    /// Native work done for the guest: all of it, and the part that is not charged yet.
    pub(crate) native: u64,
    owed: u64,
    /// Data of imports defined outside this crate.
    pub extra: Box<dyn Any + Send>,
}

impl State {
    pub(crate) fn new(process: Process, shared: Shared, extra: Box<dyn Any + Send>) -> State {
        State { process, memory: None, shared, reply: Vec::new(), native: 0, owed: 0, extra }
    }

    /// Notes native work in units of fuel; it is charged at the next [`settle`].
    pub fn owe(&mut self, units: u64) {
        self.native = self.native.saturating_add(units);
        self.owed = self.owed.saturating_add(units);
    }

    /// The folders that the guest sees, with their paths.
    pub fn mounts(&self) -> &[(String, crate::Mount)] {
        &self.process.world.mounts
    }

    /// Gives the guest's memory, once it has one, with the rest of the state.
    pub fn memory(&self) -> Option<Memory> {
        self.memory
    }
}

/// Fuel used in the instance's life, native work included.
pub(crate) fn used(caller: &Caller<'_, State>) -> wasmtime::Result<u64> {
    Ok((u64::MAX - caller.get_fuel()?).saturating_add(caller.data().native))
}

async fn give_way() {
    let mut first = true;
    poll_fn(move |_| if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Gives way, when much native work is owed, so that the driver can charge for it.
///
/// # Errors
/// When the store counts no fuel.
pub async fn settle(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    if caller.data().owed > OWED_MAX {
        caller.data_mut().owed = 0;
        let used = used(caller)?;
        caller.data().shared.lock().used = Some(used);
        give_way().await;
        restart_slice(caller)?;
    }
    Ok(())
}

/// Gives way until the driver has let some real time pass.
pub(crate) async fn nap(caller: &mut Caller<'_, State>) {
    caller.data().shared.lock().napping = true;
    give_way().await;
}

fn restart_slice(caller: &mut Caller<'_, State>) -> wasmtime::Result<()> {
    let reading = used(caller)?;
    let interval = caller.data().shared.fresh_slice(reading);
    caller.as_context_mut().fuel_async_yield_interval(Some(interval))
}

/// Sends a message to the driver and waits for its answer: the one way out of an instance.
///
/// # Errors
/// When the store counts no fuel.
pub async fn exchange(caller: &mut Caller<'_, State>, message: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
    caller.data_mut().owed = 0;
    let used = used(caller)?;
    let shared = caller.data().shared.clone();
    {
        let mut mailbox = shared.lock();
        mailbox.used = Some(used);
        mailbox.outgoing = Some(Outgoing::Exchange(message));
    }
    let reply = poll_fn(|_| shared.lock().reply.take().map_or(Poll::Pending, Poll::Ready)).await;
    restart_slice(caller)?;
    Ok(reply)
}

fn admit(shared: &Shared, more: u64) -> bool {
    let gauge = &mut shared.lock().gauge;
    let held = gauge.held.saturating_add(more);
    if held > gauge.cap {
        gauge.refused = true;
        gauge.was_refused = true;
        return false;
    }
    gauge.held = held;
    gauge.peak = gauge.peak.max(held);
    true
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && admit(&self.shared, (desired - current) as u64))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum) && admit(&self.shared, (desired - current) as u64 * 8))
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        8
    }

    fn memories(&self) -> usize {
        1
    }
}
