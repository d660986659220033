//! One running instance: a future that owns its store, polled in slices of fuel.
//!
//! The instance is quiet between jobs. A job is what is done inside: call an export, look at memory. While it runs it may
//! exchange messages with the driver; while it waits, or when its fuel has ended, it stays suspended on its own stack.

use crate::image::{map_over, set_globals};
use crate::program::Program;
use crate::state::{Ending, Gauge, Outgoing, Shared, State};
use crate::wasi::{Process, World};
use cell::{Console, Error, Halt, Meter};
use std::any::Any;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasmtime::{AsContext, AsContextMut, Instance, Store};

/// What a job gives: bytes of its own meaning.
pub type JobFuture<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<Vec<u8>>> + Send + 'a>>;

/// Something to be done inside an instance that is quiet.
pub type Job = Box<dyn for<'a> FnOnce(&'a mut Store<State>, &'a Instance) -> JobFuture<'a> + Send>;

/// What came of polling a guest.
#[derive(Debug)]
pub enum Progress {
    /// It waits for [`Guest::answer`].
    Exchange(Vec<u8>),
    /// The job is done and the guest is quiet.
    Done(Vec<u8>),
    /// The guest is over: it exited, trapped, or could not be started.
    Over(Over),
    /// The meter said no; polling again goes on.
    Halted(Halt),
}

/// How a guest ended for good.
#[derive(Debug)]
pub enum Over {
    /// By its own or the console's ending.
    Ending(Ending),
    /// By a trap: its code, if it has one, the message, and the functions it was in, innermost first.
    Trap(Option<wasmtime::Trap>, String, Vec<String>),
    /// It could not be started: no memory, no slot, an import that does not fit.
    Start(String),
    /// Our own code panicked.
    Panicked,
}

/// What a guest starts with.
pub struct Setup {
    /// What its process sees.
    pub world: World,
    /// Bytes of memories and tables.
    pub memory: u64,
    /// Bytes of console text; `None` is unlimited.
    pub output: Option<u64>,
    /// Data of imports defined outside this crate.
    pub extra: Box<dyn Any + Send>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { world: World::default(), memory: cell::Limits::MEMORY, output: Some(cell::Limits::OUTPUT), extra: Box::new(()) }
    }
}

/// A frozen quiet instance: what differs from a fresh instance of the same program.
#[derive(Clone)]
pub struct Frozen {
    pub(crate) pages: Vec<(u32, Box<[u8]>)>,
    pub(crate) size: u64,
    pub(crate) globals: Vec<(String, u64)>,
    pub(crate) process: Process,
    pub(crate) native: u64,
    pub(crate) fuel: u64,
}

/// What a saved snapshot holds besides the pages.
#[derive(serde::Serialize, serde::Deserialize)]
struct Head {
    size: u64,
    globals: Vec<(String, u64)>,
    native: u64,
    fuel: u64,
    pages: Vec<u32>,
    process: crate::wasi::Saved,
}

/// The largest memory that a saved snapshot may describe: that of 32-bit guests.
const MAX_MEMORY: u64 = 4 << 30;

impl Frozen {
    /// Writes it out. The program is not part of it.
    ///
    /// # Errors
    /// [`cell::Unsupported`] while files are open or folders of the host are mounted; those of the writer.
    pub fn save(&self, to: &mut dyn std::io::Write) -> Result<(), Error> {
        let head = Head {
            size: self.size,
            globals: self.globals.clone(),
            native: self.native,
            fuel: self.fuel,
            pages: self.pages.iter().map(|(page, _)| *page).collect(),
            process: self.process.save()?,
        };
        cell::write_header(to, &head)?;
        for (_, bytes) in &self.pages {
            to.write_all(bytes)?;
        }
        Ok(())
    }

    /// Reads what [`save`](Frozen::save) wrote. The bytes are not trusted.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn load(from: &mut dyn std::io::Read) -> Result<Frozen, Error> {
        let damaged = |why: &str| Error::Damaged(format!("a frozen instance: {why}"));
        let head: Head = cell::read_header(from)?;
        if head.size > MAX_MEMORY || !head.size.is_multiple_of(64 << 10) {
            return Err(damaged("its memory has an impossible size"));
        }
        let mut pages = Vec::new();
        for page in head.pages {
            if (u64::from(page) + 1) << 12 > head.size {
                return Err(damaged("a page lies outside its memory"));
            }
            let mut bytes = vec![0; 4096];
            from.read_exact(&mut bytes).map_err(|_| damaged("it is cut short"))?;
            pages.push((page, bytes.into_boxed_slice()));
        }
        let process = Process::load(head.process);
        Ok(Frozen { pages, size: head.size, globals: head.globals, process, native: head.native, fuel: head.fuel })
    }
}

/// One instance of a [`Program`].
pub struct Guest {
    program: Arc<Program>,
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    shared: Shared,
    console: Console,
    /// The reading up to which fuel has been charged.
    charged: u64,
    lent: u64,
    owed: u64,
    quiet: bool,
    /// What is to be told once the fuel that it took has been paid.
    held: Option<Progress>,
}

async fn next_job(shared: &Shared) -> Job {
    poll_fn(|_| shared.lock().job.take().map_or(Poll::Pending, Poll::Ready)).await
}

/// The life of an instance, from instantiation to its end.
async fn live(program: Arc<Program>, mut store: Store<State>, shared: Shared, frozen: Option<Arc<Frozen>>) {
    let begin = async |store: &mut Store<State>| -> wasmtime::Result<Instance> {
        store.set_fuel(u64::MAX)?;
        store.fuel_async_yield_interval(Some(shared.fresh_slice(0)))?;
        let instance = program.pre.instantiate_async(&mut *store).await?;
        let memory = instance.get_memory(&mut *store, "memory");
        store.data_mut().memory = memory;
        if let Some(image) = &program.image {
            map_over(store, &instance, memory.ok_or_else(|| wasmtime::format_err!("there is no memory"))?, image)?;
        }
        if let Some(frozen) = &frozen {
            thaw(store, &instance, frozen)?;
        }
        Ok(instance)
    };
    let instance = match begin(&mut store).await {
        Ok(instance) => instance,
        Err(error) => {
            shared.lock().outgoing = Some(Outgoing::Done(Err(error.context(NotStarted))));
            return;
        }
    };
    let store = &mut store;
    loop {
        let job = next_job(&shared).await;
        let interval = shared.fresh_slice(reading(store));
        let result = match store.fuel_async_yield_interval(Some(interval)) {
            Ok(()) => job(store, &instance).await,
            Err(error) => Err(error),
        };
        let over = result.is_err();
        let used = reading(store);
        {
            let mut mailbox = shared.lock();
            mailbox.used = Some(used);
            mailbox.outgoing = Some(Outgoing::Done(result));
        }
        if over {
            // What it left in its folders outlives it.
            let mounts = std::mem::take(&mut store.data_mut().process.world.mounts);
            shared.lock().remains = mounts;
            return;
        }
    }
}

/// Fuel used in the instance's life, native work included.
fn reading(store: &Store<State>) -> u64 {
    (u64::MAX - store.get_fuel().unwrap_or(0)).saturating_add(store.data().native)
}

#[derive(Debug)]
struct NotStarted;

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the instance could not be started")
    }
}

impl std::error::Error for NotStarted {}

fn thaw(store: &mut Store<State>, instance: &Instance, frozen: &Frozen) -> wasmtime::Result<()> {
    if let Some(memory) = store.data().memory {
        let size = memory.data_size(store.as_context()) as u64;
        if frozen.size > size {
            memory.grow(store.as_context_mut(), (frozen.size - size) >> 16)?;
        }
        let data = memory.data_mut(store.as_context_mut());
        for (page, bytes) in &frozen.pages {
            let at = (*page as usize) << 12;
            let room = data.get_mut(at..at + bytes.len()).ok_or_else(|| wasmtime::format_err!("a frozen page lies outside"))?;
            room.copy_from_slice(bytes);
        }
    }
    set_globals(store.as_context_mut(), instance, &frozen.globals)?;
    store.data_mut().native = frozen.native;
    store.set_fuel(u64::MAX - frozen.fuel)
}

impl Guest {
    /// An instance that will be made when it is first polled.
    pub fn new(program: Arc<Program>, setup: Setup) -> Guest {
        let before = program.image.as_ref().and_then(|image| image.process.clone());
        let process = match before {
            Some(before) => before.in_world(setup.world, true),
            None => Process::new(setup.world),
        };
        let console = Console::new(setup.output);
        Guest::start(program, process, console, setup.memory, setup.extra, None)
    }

    /// An instance in a frozen state, of the program it was frozen from.
    pub fn thaw(program: Arc<Program>, frozen: &Arc<Frozen>, setup: Setup) -> Guest {
        let process = frozen.process.clone().in_world(setup.world, false);
        let console = Console::new(setup.output);
        Guest::start(program, process, console, setup.memory, setup.extra, Some(Arc::clone(frozen)))
    }

    fn start(
        program: Arc<Program>,
        process: Process,
        console: Console,
        memory: u64,
        extra: Box<dyn Any + Send>,
        frozen: Option<Arc<Frozen>>,
    ) -> Guest {
        let shared = Shared::default();
        shared.lock().gauge = Gauge { cap: memory, ..Gauge::default() };
        let charged = frozen.as_ref().map_or(0, |frozen| frozen.fuel.saturating_add(frozen.native));
        let mut store = Store::new(program.pre.module().engine(), State::new(process, shared.clone(), extra));
        store.limiter(|state| state);
        let future = Box::pin(live(Arc::clone(&program), store, shared.clone(), frozen));
        Guest { program, future: Some(future), shared, console, charged, lent: 0, owed: 0, quiet: true, held: None }
    }

    /// The folders of a guest that is over, as it left them.
    pub fn take_remains(&mut self) -> Vec<(String, crate::Mount)> {
        std::mem::take(&mut self.shared.lock().remains)
    }

    /// The captured console.
    pub fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    /// The most bytes held so far, and whether a growth was refused since the last [`Guest::begin`].
    pub fn memory(&self) -> (u64, bool) {
        let gauge = self.shared.lock().gauge;
        (gauge.peak, gauge.refused)
    }

    /// Whether a growth was refused at any time in the instance's life. A program that did not expect it may break much later.
    pub fn was_refused(&self) -> bool {
        self.shared.lock().gauge.was_refused
    }

    /// Changes the memory cap. Below what is held, the next growth fails.
    pub fn set_memory(&mut self, memory: u64) {
        self.shared.lock().gauge.cap = memory;
    }

    /// Starts a new run under these limits: bytes of memory, bytes of console text.
    pub fn begin(&mut self, memory: u64, output: Option<u64>) {
        self.console.start(output);
        let gauge = &mut self.shared.lock().gauge;
        gauge.cap = memory;
        gauge.refused = false;
    }

    /// Whether no job is under way.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether the instance is gone.
    pub fn is_over(&self) -> bool {
        self.future.is_none()
    }

    /// The program this is an instance of.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Gives the next job to a quiet instance.
    ///
    /// # Errors
    /// [`Error::State`] when a job is under way, [`Error::Dead`] when the instance is gone.
    pub fn submit(&mut self, job: Job) -> Result<(), Error> {
        if self.future.is_none() {
            return Err(Error::Dead("its instance has ended".into()));
        }
        if !self.quiet {
            return Err(Error::State("the instance is busy".into()));
        }
        self.quiet = false;
        self.shared.lock().job = Some(job);
        Ok(())
    }

    /// Answers an exchange; the next poll goes on.
    pub fn answer(&mut self, reply: Vec<u8>) {
        self.shared.lock().reply = Some(reply);
    }

    /// Pays for everything used up to the reading `total`.
    fn pay(&mut self, meter: &mut Meter, total: u64) {
        let spent = total.saturating_sub(self.charged);
        self.charged = self.charged.max(total);
        let lent = std::mem::take(&mut self.lent);
        meter.settle(lent.saturating_sub(spent));
        self.owed += spent.saturating_sub(lent);
    }

    /// Borrows the next slice, paying first what native work went beyond the last one.
    fn borrow(&mut self, meter: &mut Meter) -> Result<(), Halt> {
        while self.owed > 0 {
            let units = meter.lend()?;
            let part = units.min(self.owed);
            meter.settle(units - part);
            self.owed -= part;
        }
        self.lent = meter.lend()?;
        Ok(())
    }

    /// Polls until the instance needs somebody, is done, or the meter says no.
    pub fn poll(&mut self, meter: &mut Meter) -> Progress {
        loop {
            if self.future.is_none() && self.held.is_none() {
                return Progress::Over(Over::Start("it has ended already".into()));
            }
            if let Err(halt) = self.borrow(meter) {
                return Progress::Halted(halt);
            }
            if let Some(held) = self.held.take() {
                self.pay(meter, self.charged);
                return held;
            }
            let Some(future) = &mut self.future else { continue };
            {
                let mut mailbox = self.shared.lock();
                mailbox.interval = even_slices(self.lent, meter.remaining());
                mailbox.console = std::mem::take(&mut self.console);
            }
            // Whatever unwinds here is a fault of ours: the guest is lost, the process is not.
            let polled =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(Waker::noop()))));
            let (outgoing, total, napping) = {
                let mut mailbox = self.shared.lock();
                self.console = std::mem::take(&mut mailbox.console);
                let napping = std::mem::take(&mut mailbox.napping);
                let total = match mailbox.used.take() {
                    Some(used) => used,
                    None if napping || !matches!(polled, Ok(Poll::Pending)) => self.charged,
                    None => {
                        mailbox.slice.0 = mailbox.slice.0.saturating_add(mailbox.slice.1);
                        mailbox.slice.0
                    }
                };
                (mailbox.outgoing.take(), total, napping)
            };
            self.pay(meter, total);
            let news = match outgoing {
                Some(Outgoing::Exchange(message)) => Some(Progress::Exchange(message)),
                Some(Outgoing::Done(Ok(bytes))) => {
                    self.quiet = true;
                    Some(Progress::Done(bytes))
                }
                Some(Outgoing::Done(Err(error))) => {
                    self.future = None;
                    Some(Progress::Over(over(&error)))
                }
                None => None,
            };
            match news {
                Some(news) if self.owed == 0 => return news,
                Some(news) => {
                    self.held = Some(news);
                    continue;
                }
                None => {}
            }
            match polled {
                Ok(Poll::Pending) if napping => std::thread::sleep(std::time::Duration::from_micros(500)),
                Ok(Poll::Pending) => {}
                _ => {
                    self.future = None;
                    return Progress::Over(Over::Panicked);
                }
            }
        }
    }
}

/// The length of slices that ends exactly where the fuel does: `lent` at most, all the same length.
fn even_slices(lent: u64, remaining: Option<u64>) -> u64 {
    match remaining {
        Some(remaining) if lent > 0 && remaining > 0 => remaining.div_ceil(remaining.div_ceil(lent)),
        _ => lent,
    }
}

fn over(error: &wasmtime::Error) -> Over {
    if let Some(ending) = error.downcast_ref::<Ending>() {
        return Over::Ending(*ending);
    }
    if error.is::<NotStarted>() {
        return Over::Start(format!("{error:#}"));
    }
    let frames = error.downcast_ref::<wasmtime::WasmBacktrace>().map(|trace| {
        trace
            .frames()
            .iter()
            .take(64)
            .map(|frame| frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), str::to_owned))
            .collect()
    });
    let trap = error.downcast_ref::<wasmtime::Trap>().copied();
    let message = trap.map_or_else(|| error.root_cause().to_string(), |trap| trap.to_string());
    Over::Trap(trap, message, frames.unwrap_or_default())
}
