//! The engine: a machine, its environment and the ways to run it, as a cell drives them.

mod drive;
mod frozen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cell::{
    Argument, Collected, Console, Error, Event, GuestError, Input, Keeps, Meter, Operation, Ref, Reply, Resolved, Shape, Stop, Task,
    Ticket, TraceFrame, Trap, TrapKind, Unsupported, Value,
};
use serde::{Deserialize, Serialize};

use self::frozen::Head;
pub use self::frozen::MoxieSnapshot;
use crate::debug::Symbols;
use crate::environment::{Called, Environment};
use crate::interpreter::Interpreter;
use crate::layout::{Layout, Refusal, lay_out};
use crate::machine::Machine;
use crate::state::{Cpu, Exit, Tier};

/// Version of the price list for fuel: one unit an instruction, and what `guest/moxie/ABI.md` says for our own calls.
pub const FUEL_SCHEDULE: u32 = 1;

/// Frames that a trace shows at most.
pub(crate) const MOST_FRAMES: usize = 64;

/// How a machine is laid out and run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Where regions go.
    pub layout: Layout,
    /// Which way of running code is used.
    pub tier: Tier,
}

/// Sees instructions go by, one by one. Slow: everything is executed by the book while there is one.
pub trait Observer: Send {
    /// Called before each instruction; `count` were executed before it. To answer false stops the run here with
    /// [`Stop::Breakpoint`]; going on from there executes the instruction without asking again.
    fn before(&mut self, machine: &Machine, count: u64) -> bool;
}

/// Samples where a program spends its fuel.
pub trait Sampler: Send {
    /// Called every so many units, between two instructions.
    fn sample(&mut self, machine: &Machine);
}

/// Another way to run plain code. It keeps the rules of [`Exit`].
pub(crate) trait Compiled: Send {
    fn run(&mut self, cpu: &mut Cpu, space: &mut memory::Space, fuel: &mut u64) -> Exit;
    /// Drops what was made from these pages.
    fn forget(&mut self, pages: &[u32]);
    /// Instructions executed by compiled code.
    fn executed(&self) -> u64;
    /// How often compiled code was entered.
    fn entered(&self) -> u64;
}

/// The Moxie engine.
///
/// ```no_run
/// use cell::{Cell, Limits, Task};
/// use moxie::Moxie;
///
/// let program = std::fs::read("contract.elf")?;
/// let mut cell = Cell::new(Moxie::default(), Limits::default().fuel(1_000_000), None)?;
/// let outcome = cell.execute(&Task::program("contract.elf", program).input("order", &b"three apples"[..]))?;
/// println!("{:?}, output {:?}", outcome.stop, outcome.output);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Moxie {
    options: Options,
    limits: Resolved,
    machine: Option<Machine>,
    /// The executables, for the names and lines of a trace.
    programs: Arc<[Input]>,
    environment: Environment,
    console: Console,
    instructions: u64,
    /// Why the task could not be laid out under the cap.
    too_large: Option<String>,
    interpreter: Option<Box<Interpreter>>,
    compiled: Option<Box<dyn Compiled>>,
    offered: BTreeSet<String>,
    observer: Option<Box<dyn Observer>>,
    breakpoints: BTreeSet<u32>,
    /// The run stopped on a breakpoint here: going on passes it.
    pass: bool,
    sampler: Option<(u64, Box<dyn Sampler>)>,
    until_sample: u64,
}

impl std::fmt::Debug for Moxie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moxie").field("options", &self.options).field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl Default for Moxie {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Moxie {
    /// An engine with nothing prepared.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            limits: Resolved { memory: Some(cell::Limits::MEMORY), fuel: None, wall: None, output: None, depth: None },
            machine: None,
            programs: Arc::default(),
            environment: Environment::new(options.layout, 0, (false, false)),
            console: Console::default(),
            instructions: 0,
            too_large: None,
            interpreter: None,
            compiled: None,
            offered: BTreeSet::new(),
            observer: None,
            breakpoints: BTreeSet::new(),
            pass: false,
            sampler: None,
            until_sample: 0,
        }
    }

    /// How this machine is laid out and run.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Changes the way code is run, from the next run on. What a program does, and the fuel it uses, do not depend on it.
    pub fn set_tier(&mut self, tier: Tier) {
        self.options.tier = tier;
        self.compiled = None;
    }

    /// The machine, once something is prepared.
    pub fn machine(&self) -> Option<&Machine> {
        self.machine.as_ref()
    }

    /// The machine, to change: for debuggers.
    pub fn machine_mut(&mut self) -> Option<&mut Machine> {
        self.machine.as_mut()
    }

    /// Instructions executed since the program was prepared.
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// How many of them compiled code has executed, in this engine.
    pub fn compiled_instructions(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.executed())
    }

    /// How often compiled code was entered from outside, in this engine.
    pub fn compiled_entries(&self) -> u64 {
        self.compiled.as_ref().map_or(0, |compiled| compiled.entered())
    }

    /// Why the last task did not fit under the cap on memory, if it did not.
    pub fn too_large(&self) -> Option<&str> {
        self.too_large.as_deref()
    }

    /// Watches every instruction, or no more.
    pub fn set_observer(&mut self, observer: Option<Box<dyn Observer>>) {
        self.observer = observer;
    }

    /// Stops before the instruction at this address is executed.
    pub fn add_breakpoint(&mut self, address: u32) {
        self.breakpoints.insert(address);
    }

    /// Takes a breakpoint away; false if there was none.
    pub fn remove_breakpoint(&mut self, address: u32) -> bool {
        self.breakpoints.remove(&address)
    }

    /// Samples every `units` units of fuel (at least 1), or no more.
    pub fn set_sampler(&mut self, sampler: Option<(u64, Box<dyn Sampler>)>) {
        self.sampler = sampler.map(|(units, sampler)| (units.max(1), sampler));
        self.until_sample = self.sampler.as_ref().map_or(0, |(units, _)| *units);
    }

    /// Where the program is: the instruction's address and those that its callers go on at, innermost first.
    pub fn trace(&self) -> Vec<TraceFrame> {
        let Some(machine) = &self.machine else { return Vec::new() };
        let frame = |address: u32| TraceFrame { address: Some(u64::from(address)), ..TraceFrame::default() };
        std::iter::once(machine.cpu.pc).chain(machine.callers(MOST_FRAMES)).map(frame).collect()
    }

    fn cap(&self) -> u64 {
        self.limits.memory.unwrap_or(u64::MAX)
    }

    /// A buffer that the program announced in two special registers: address and length.
    fn announced(machine: &Machine, register: usize) -> Result<Vec<u8>, Stop> {
        let (start, length) = (machine.cpu.special[register], machine.cpu.special[register + 1]);
        let what = if register == 6 { "output" } else { "state" };
        if start == 0 || !machine.space.is_within_region(start, length, false) {
            let message = format!("the {what} buffer of {length} bytes at {start:#x} does not lie in one region of memory");
            return Err(Stop::Trapped(Trap::at(TrapKind::BadOutput, u64::from(start), message)));
        }
        let mut bytes = vec![0; length as usize];
        let read = machine.space.read(start, &mut bytes);
        read.map(|()| bytes)
            .map_err(|_| Stop::Trapped(Trap::at(TrapKind::BadOutput, u64::from(start), format!("the {what} buffer cannot be read"))))
    }

    fn unsupported<T>(what: &str) -> Result<T, Error> {
        Err(Error::Unsupported(Unsupported { engine: "moxie", what: what.to_owned() }))
    }
}

impl cell::Engine for Moxie {
    type Snapshot = MoxieSnapshot;

    fn keeps() -> Keeps {
        Keeps { depth: false, ..Keeps::everything("moxie") }
    }

    fn fuel_schedule(&self) -> Option<u32> {
        Some(FUEL_SCHEDULE)
    }

    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error> {
        self.limits = *limits;
        match &mut self.machine {
            Some(machine) => machine.space.set_cap(limits.memory),
            None => self.console.start(limits.output),
        }
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        // What was there before goes first: its memory is used again.
        self.machine = None;
        self.interpreter = None;
        self.compiled = None;
        self.too_large = None;
        self.instructions = 0;
        self.pass = false;
        self.console.start(self.limits.output);
        let offered = (self.offered.contains(cell::CLOCK), self.offered.contains(cell::RANDOM));
        match lay_out(task, self.options.layout, self.limits.memory) {
            Ok((machine, last_end)) => {
                self.environment = Environment::new(self.options.layout, last_end, offered);
                self.machine = Some(machine);
                self.programs = task.programs.as_slice().into();
            }
            Err(Refusal::TooLarge(why)) => self.too_large = Some(why),
            Err(Refusal::Bad(why)) => return Err(Error::Program(why)),
        }
        Ok(())
    }

    fn run(&mut self, meter: &mut Meter) -> Event {
        self.drive(meter)
    }

    fn resume(&mut self, reply: Reply, meter: &mut Meter) -> Event {
        if self.environment.is_waiting()
            && let Called::Event(event) = self.with_surroundings(meter, |environment, around| environment.answered(reply, around))
        {
            return event;
        }
        self.drive(meter)
    }

    fn call(&mut self, _: Ref, _: &Operation, _: &[Argument], _: Option<&Argument>) -> Result<(), Error> {
        Self::unsupported("be called: a contract has one entry, and runs once")
    }

    fn take_value(&mut self) -> Option<Argument> {
        None
    }

    fn global(&mut self, _: &str) -> Result<Option<Argument>, Error> {
        Self::unsupported("look globals up by name")
    }

    fn set_global(&mut self, _: &str, _: &Argument) -> Result<(), Error> {
        Self::unsupported("set globals by name")
    }

    fn offer(&mut self, name: &str, _: &Shape) -> Result<(), Error> {
        self.environment.clock_offered |= name == cell::CLOCK;
        self.environment.random_offered |= name == cell::RANDOM;
        self.offered.insert(name.to_owned());
        Ok(())
    }

    fn settle(&mut self, _: Ticket, _: Result<Argument, GuestError>) -> Result<(), Error> {
        Self::unsupported("hold promises")
    }

    fn release(&mut self, _: Ref) {}

    fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    fn collect(&mut self, stop: &Stop) -> Collected {
        let mut collected = Collected { instructions: Some(self.instructions), ..Collected::default() };
        if let Some(why) = &self.too_large {
            collected.extra.insert("reason", Value::text(why.clone()));
        }
        let Some(machine) = &self.machine else { return collected };
        collected.memory_peak = machine.space.peak() + self.environment.held() + self.console.held() as u64;
        if matches!(stop, Stop::Finished(_)) {
            // A buffer counts once its length was announced.
            if machine.announced & 2 != 0 {
                if self.limits.output.is_some_and(|most| u64::from(machine.cpu.special[7]) > most) {
                    collected.instead = Some(Stop::OutputFull);
                } else {
                    match Self::announced(machine, 6) {
                        Ok(output) => collected.output = output,
                        Err(stop) => collected.instead = Some(stop),
                    }
                }
            }
            if machine.announced & 8 != 0 && collected.instead.is_none() {
                match Self::announced(machine, 8) {
                    Ok(state) => collected.state = Some(state),
                    Err(stop) => {
                        collected.output.clear();
                        collected.instead = Some(stop);
                    }
                }
            }
        } else {
            collected.trace = self.trace();
            // What a program had announced before it failed may tell why.
            if matches!(stop, Stop::Trapped(_))
                && machine.announced & 2 != 0
                && self.limits.output.is_none_or(|most| u64::from(machine.cpu.special[7]) <= most)
            {
                collected.output = Self::announced(machine, 6).unwrap_or_default();
            }
            // Looked up only for a program that failed: one that was stopped is likely to go on, and soon.
            if matches!(stop, Stop::Trapped(_) | Stop::OutOfMemory | Stop::OutputFull) {
                collected.trace = Symbols::read(self.programs.iter().map(|program| &*program.bytes)).explain(&collected.trace);
            }
        }
        let registers = machine.cpu.registers.iter().map(|register| Value::integer(*register)).collect();
        collected.extra.insert("registers", Value::List(registers));
        collected.extra.insert("pc", Value::integer(machine.cpu.pc));
        collected
    }

    fn snapshot(&mut self) -> Result<MoxieSnapshot, Unsupported> {
        let failed = |error: std::io::Error| Unsupported { engine: "moxie", what: format!("be frozen now: {error}") };
        let image = self.machine.as_ref().map(|machine| machine.space.freeze()).transpose().map_err(failed)?;
        let head = Head {
            options: self.options,
            limits: self.limits,
            cpu: self.machine.as_ref().map(|machine| machine.cpu.freeze()),
            programs: Arc::clone(&self.programs),
            announced: self.machine.as_ref().map_or(0, |machine| machine.announced),
            stack: self.machine.as_ref().map_or((0, 0), |machine| machine.stack),
            environment: self.environment.clone(),
            console: self.console.clone(),
            instructions: self.instructions,
            too_large: self.too_large.clone(),
            memory_peak: self.machine.as_ref().map_or(0, |machine| machine.space.peak()),
        };
        Ok(MoxieSnapshot { head, image })
    }
}

/// Fields that [`Collected::extra`] holds for this engine, for documentation and checks.
pub const EXTRA_FIELDS: [&str; 3] = ["pc", "reason", "registers"];

/// Registers by name, as outcome and debugger show them.
pub fn named_registers(cpu: &Cpu) -> BTreeMap<String, u32> {
    (0u8..).zip(cpu.registers).map(|(number, value)| (crate::isa::Register(number).to_string(), value)).collect()
}
