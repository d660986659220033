//! The machine as a cell: a program in some language goes in, its outcome comes out.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cell::{
    After, Argument, Collected, Console, Event, GuestError, Input, Keeps, Limits, Meter, Operation, Ref, Reply, Resolved, Shape, Stop,
    Stream, Task, Ticket, Trap, TrapKind, Unsupported, Value,
};
use wire::{Exit, JobLimits, JobUsage, Output, User};

use crate::catalogue::{Catalogue, Language};
use crate::machine::{Command, Machine};
use crate::session::{Happening, Process};
use crate::{Cause, Error, Notice, Pool, Template, Watch};

/// The engine's name.
const NAME: &str = "machine";

/// The input that a program finds as its standard input; all others are files.
const STDIN: &str = "stdin";

/// Files that a program may leave behind for the embedder.
const OUTPUT: &str = "output";
const STATE: &str = "state";

/// How often a run looks whether somebody wants it to stop.
const LOOK: Duration = Duration::from_millis(5);

/// How long laying files out, or collecting them, may take.
const FILES: Duration = Duration::from_secs(60);

/// Where machines come from.
pub trait Source: Send + Sync {
    /// A running machine of at least so many bytes of memory, from an image that has the language of this name if there is one.
    ///
    /// # Errors
    /// When there is none of that size, or it does not come up.
    fn machine(&self, memory: u64, language: Option<&str>) -> Result<Machine, Error>;

    /// The bytes of memory that a machine for a language needs, where the source has machines of several sizes.
    fn least_memory(&self, language: &str) -> Option<u64> {
        let _ = language;
        None
    }

    /// The catalogue its languages come from.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    fn catalogue(&self) -> Result<&Catalogue, Error> {
        Catalogue::built_in()
    }
}

fn size_fits(template: &Template, memory: u64) -> Result<(), Error> {
    let has = template.config().memory;
    if memory > has {
        let message = format!("these machines have {} MiB of memory, {} were asked for", has >> 20, memory >> 20);
        return Err(Error::Unsupported(message));
    }
    Ok(())
}

impl Source for Arc<Template> {
    fn machine(&self, memory: u64, _language: Option<&str>) -> Result<Machine, Error> {
        size_fits(self, memory)?;
        let machine = self.spawn()?;
        machine.watch(Watch::default())?;
        Ok(machine)
    }
}

impl Source for Pool {
    fn machine(&self, memory: u64, _language: Option<&str>) -> Result<Machine, Error> {
        size_fits(self.template(), memory)?;
        self.take()
    }
}

/// What is to be done for a program, in order.
#[derive(Debug)]
struct Plan {
    compile: Option<Vec<String>>,
    run: Vec<String>,
    language: Option<String>,
}

#[derive(Debug, Default)]
enum Phase {
    /// Nothing to run.
    #[default]
    Idle,
    /// A program lies ready.
    Ready,
    /// It is being compiled.
    Compiling(Process),
    /// It runs.
    Running(Process),
}

/// A machine as an engine of a cell. Every task gets a fresh machine.
pub struct MachineEngine {
    source: Arc<dyn Source>,
    language: Option<String>,
    arguments: Vec<String>,
    limits: Option<Resolved>,
    /// Whether the memory limit is other than the default.
    memory_asked: bool,
    machine: Option<Machine>,
    plan: Option<Plan>,
    phase: Phase,
    stdin: Vec<u8>,
    stdin_written: usize,
    console: Console,
    usage: JobUsage,
    held: bool,
}

impl std::fmt::Debug for MachineEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineEngine").field("phase", &self.phase).field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Machines are kept by [`Keep`](crate::Keep), not as snapshots of cells: there is none of these.
#[derive(Debug)]
pub enum NoSnapshot {}

impl cell::Snapshot for NoSnapshot {
    type Engine = MachineEngine;

    fn spawn(&self) -> Result<MachineEngine, cell::Error> {
        match *self {}
    }

    fn save(&self, _to: &mut dyn Write) -> Result<(), cell::Error> {
        match *self {}
    }

    fn load(_from: &mut dyn Read) -> Result<Self, cell::Error> {
        Err(cell::Error::Damaged("no snapshot holds a machine cell: machines are kept under a name instead".to_owned()))
    }
}

fn unsupported(what: &str) -> Unsupported {
    Unsupported { engine: NAME, what: what.to_owned() }
}

fn host(error: Error) -> cell::Error {
    match error {
        Error::Language(text) => cell::Error::Program(text),
        Error::Unsupported(text) => cell::Error::Invalid(text),
        other => cell::Error::Host(other.to_string()),
    }
}

impl MachineEngine {
    /// An engine whose programs run in machines from `source`. Their language is told by their names.
    pub fn new(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            language: None,
            arguments: Vec::new(),
            limits: None,
            memory_asked: false,
            machine: None,
            plan: None,
            phase: Phase::Idle,
            stdin: Vec::new(),
            stdin_written: 0,
            console: Console::new(Some(Limits::OUTPUT)),
            usage: JobUsage::default(),
            held: false,
        }
    }

    /// All programs are of this language, whatever their names.
    #[must_use]
    pub fn language(mut self, name: impl Into<String>) -> Self {
        self.language = Some(name.into());
        self
    }

    /// Arguments for the programs.
    #[must_use]
    pub fn arguments(mut self, arguments: Vec<String>) -> Self {
        self.arguments = arguments;
        self
    }

    /// The machine of the task that was prepared last, for whoever wants to look into it.
    pub fn machine(&mut self) -> Option<&mut Machine> {
        self.machine.as_mut()
    }

    fn memory(&self) -> u64 {
        self.limits.and_then(|limits| limits.memory).unwrap_or(Limits::MACHINE_MEMORY)
    }

    /// What has to be done for a program, and under which name its text must lie.
    fn plan(&self, program: &Input) -> Result<(Plan, String), Error> {
        let catalogue = self.source.catalogue()?;
        let language: Option<&Language> = match &self.language {
            Some(name) => Some(
                catalogue
                    .by_name(name)
                    .ok_or_else(|| Error::Language(format!("there is no language {name:?}; see `oubliette languages`")))?,
            ),
            None => catalogue.by_file(&program.name),
        };
        if let Some(language) = language {
            if !language.is_available() {
                return Err(Error::Language(format!("{} cannot be had: {}", language.name, language.refused)));
            }
            // A language may insist on a name; else the program keeps its own, which its messages then show.
            let own = program.name.rsplit('/').next().unwrap_or_default();
            let keeps = language.file.is_empty()
                && language.extensions.iter().any(|extension| own.strip_suffix(extension).is_some_and(|n| n.ends_with('.') && n.len() > 1));
            let file = if keeps { own.to_owned() } else { language.source_name() };
            let plan = Plan {
                compile: language.compile_command(&file),
                run: language.run_command(&file, &self.arguments),
                language: Some(language.name.clone()),
            };
            return Ok((plan, file));
        }
        if program.bytes.starts_with(b"\x7fELF") || program.bytes.starts_with(b"#!") {
            let mut run = vec!["./program".to_owned()];
            run.extend_from_slice(&self.arguments);
            return Ok((Plan { compile: None, run, language: None }, "program".to_owned()));
        }
        Err(Error::Language(format!("nobody knows the language of {:?}; name it, see `oubliette languages`", program.name)))
    }

    fn lay_out(&mut self, task: &Task) -> Result<(), Error> {
        let [program, others @ ..] = task.programs.as_slice() else {
            return Err(Error::Language("there is no program".to_owned()));
        };
        let (plan, file) = self.plan(program)?;
        // A language's need makes the machine larger, never the limit that was asked for.
        let need = plan.language.as_ref().filter(|_| !self.memory_asked).and_then(|name| self.source.least_memory(name));
        let machine = self.source.machine(self.memory().max(need.unwrap_or(0)), plan.language.as_deref())?;
        if let Some(language) = &plan.language
            && !machine.template().image().has_language(language)
        {
            let image = &machine.template().image().manifest().name;
            let name = language.to_lowercase();
            return Err(Error::Language(format!(
                "{language} is not in the image {image:?}; `oubliette image build '{name}'` makes one that has it"
            )));
        }
        let deadline = Some(Instant::now() + FILES);
        let put = |name: &str, mode: u32, bytes: &[u8]| {
            let name = safe_name(name)?;
            if let Some((folder, _)) = name.rsplit_once('/') {
                machine.make_folder(folder, deadline)?;
            }
            machine.upload(name, mode, &mut &*bytes, bytes.len() as u64, deadline).map(drop)
        };
        put(&file, 0o755, &program.bytes)?;
        for other in others {
            put(&other.name, 0o644, &other.bytes)?;
        }
        self.stdin.clear();
        self.stdin_written = 0;
        for input in &task.inputs {
            if input.name == STDIN {
                self.stdin = input.bytes.to_vec();
            } else {
                put(&input.name, 0o644, &input.bytes)?;
            }
        }
        if let Some(state) = &task.state {
            put(STATE, 0o644, state)?;
        }
        self.machine = Some(machine);
        self.plan = Some(plan);
        Ok(())
    }

    fn start(&mut self, argv: Vec<String>) -> Result<Process, Error> {
        let machine = self.machine.as_ref().ok_or(Error::Gone(Cause::Dropped))?;
        let mut command = Command::new(argv);
        command.user = User::User;
        // What a language needs is no limit of its programs'; what was asked for is.
        let limit = self.limits.and_then(|limits| limits.memory).filter(|_| self.memory_asked);
        let memory = limit.filter(|&memory| memory < machine.template().config().memory);
        command.limits = JobLimits { memory: memory.unwrap_or(0), ..command.limits };
        machine.start(&command)
    }

    /// Runs until the end of the program or of the meter's patience.
    fn go(&mut self, meter: &Meter) -> Result<Stop, Error> {
        if self.held {
            self.machine.as_mut().ok_or(Error::Gone(Cause::Dropped))?.resume()?;
            self.held = false;
        }
        loop {
            if let Err(halt) = meter.check() {
                self.hold()?;
                return Ok(halt.into());
            }
            match std::mem::take(&mut self.phase) {
                Phase::Idle => return Ok(Stop::Trapped(Trap::new(TrapKind::Internal, "nothing was prepared"))),
                Phase::Ready => {
                    let plan = self.plan.as_ref().ok_or(Error::Gone(Cause::Dropped))?;
                    let (compile, run) = (plan.compile.clone(), plan.run.clone());
                    self.phase = match compile {
                        Some(compile) => {
                            let process = self.start(compile)?;
                            process.end_input()?;
                            Phase::Compiling(process)
                        }
                        None => Phase::Running(self.start(run)?),
                    };
                }
                Phase::Compiling(process) => match self.attend(&process, true)? {
                    None => self.phase = Phase::Compiling(process),
                    Some(End::Full) => return Ok(Stop::OutputFull),
                    Some(End::Exited(Exit::Code(0), _)) => {
                        let run = self.plan.as_ref().map(|plan| plan.run.clone()).unwrap_or_default();
                        self.phase = Phase::Running(self.start(run)?);
                    }
                    Some(End::Exited(_, usage)) if usage.out_of_memory => return Ok(Stop::OutOfMemory),
                    Some(End::Exited(exit, _)) => {
                        let message = match exit {
                            Exit::Code(code) => format!("the compiler ended with status {code}"),
                            Exit::Signal(signal) => format!("the compiler was ended by signal {signal}"),
                        };
                        return Ok(Stop::Raised(GuestError::new("CompileError", message)));
                    }
                },
                Phase::Running(process) => match self.attend(&process, false)? {
                    None => self.phase = Phase::Running(process),
                    Some(End::Full) => return Ok(Stop::OutputFull),
                    Some(End::Exited(Exit::Signal(9), usage)) if usage.out_of_memory => return Ok(Stop::OutOfMemory),
                    Some(End::Exited(Exit::Code(code), _)) => return Ok(Stop::Finished(code.into())),
                    // As shells say it.
                    Some(End::Exited(Exit::Signal(signal), _)) => return Ok(Stop::Finished(128 + i32::from(signal))),
                },
            }
        }
    }

    /// Moves a process's streams for a moment.
    fn attend(&mut self, process: &Process, compiling: bool) -> Result<Option<End>, Error> {
        if !compiling && self.stdin_written <= self.stdin.len() {
            let rest = &self.stdin[self.stdin_written..];
            self.stdin_written += process.write(rest, Some(Instant::now()))?;
            if self.stdin_written == self.stdin.len() {
                process.end_input()?;
                // Beyond the end: it was ended once.
                self.stdin_written += 1;
            }
        }
        match process.next(Some(Instant::now() + LOOK))? {
            None => Ok(None),
            Some(Happening::Output(output, bytes)) => {
                // What a compiler says is no output of the program.
                let stream = if output == Output::Out && !compiling { Stream::Out } else { Stream::Err };
                Ok(self.console.write(stream, &bytes).is_err().then_some(End::Full))
            }
            Some(Happening::Exited(exit, usage)) => {
                self.usage.user_us += usage.user_us;
                self.usage.system_us += usage.system_us;
                self.usage.memory_peak = self.usage.memory_peak.max(usage.memory_peak);
                Ok(Some(End::Exited(exit, usage)))
            }
        }
    }

    /// Holds the guest where it is, so that it uses nothing until it goes on.
    fn hold(&mut self) -> Result<(), Error> {
        if let Some(machine) = &mut self.machine
            && !matches!(self.phase, Phase::Ready | Phase::Idle)
        {
            machine.pause()?;
            self.held = true;
        }
        Ok(())
    }

    fn fetch(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let machine = self.machine.as_ref()?;
        machine.download(name, &mut bytes, limit, Some(Instant::now() + FILES)).ok()?;
        Some(bytes)
    }
}

enum End {
    Full,
    Exited(Exit, JobUsage),
}

/// A relative path that stays below the folder it starts from.
fn safe_name(name: &str) -> Result<&str, Error> {
    let parts = || name.split('/');
    if name.is_empty() || name.len() > 1000 || name.contains('\0') || parts().any(|part| matches!(part, "" | "." | "..")) {
        return Err(Error::Unsupported(format!("{name:?} cannot be a file's name in the machine")));
    }
    Ok(name)
}

impl cell::Engine for MachineEngine {
    type Snapshot = NoSnapshot;

    fn keeps() -> Keeps {
        Keeps { fuel: false, depth: false, default_memory: Limits::MACHINE_MEMORY, ..Keeps::everything(NAME) }
    }

    fn fuel_schedule(&self) -> Option<u32> {
        None
    }

    fn set_limits(&mut self, limits: &Resolved) -> Result<(), cell::Error> {
        self.limits = Some(*limits);
        self.memory_asked = limits.memory != Some(Limits::MACHINE_MEMORY);
        self.console.start(limits.output);
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<(), cell::Error> {
        self.phase = Phase::Idle;
        self.machine = None;
        self.held = false;
        self.usage = JobUsage::default();
        self.lay_out(task).map_err(host)?;
        self.phase = Phase::Ready;
        Ok(())
    }

    fn run(&mut self, meter: &mut Meter) -> Event {
        let stop = match self.go(meter) {
            Ok(stop) => stop,
            Err(Error::Guest(failure)) => Stop::Raised(GuestError::new("CannotStart", failure.message)),
            Err(error) => {
                // QEMU's own end says more than the silence that followed.
                let cause = self.machine.as_mut().and_then(Machine::gone).map_or(error, Error::Gone);
                self.phase = Phase::Idle;
                Stop::Trapped(Trap::new(TrapKind::MachineFailed, cause.to_string()))
            }
        };
        Event::Stop(stop)
    }

    fn resume(&mut self, _reply: Reply, _meter: &mut Meter) -> Event {
        Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "machines ask nothing")))
    }

    fn call(
        &mut self,
        _target: Ref,
        _operation: &Operation,
        _arguments: &[Argument],
        _block: Option<&Argument>,
    ) -> Result<(), cell::Error> {
        Err(unsupported("be called: its programs have no functions that the host could name").into())
    }

    fn take_value(&mut self) -> Option<Argument> {
        None
    }

    fn global(&mut self, _name: &str) -> Result<Option<Argument>, cell::Error> {
        Err(unsupported("show globals: its programs have none that the host could name").into())
    }

    fn set_global(&mut self, _name: &str, _value: &Argument) -> Result<(), cell::Error> {
        Err(unsupported("set globals: its programs have none that the host could name").into())
    }

    fn offer(&mut self, _name: &str, _shape: &Shape) -> Result<(), cell::Error> {
        // What is offered stays out of reach: a machine has no way to ask.
        Ok(())
    }

    fn settle(&mut self, _ticket: Ticket, _result: Result<Argument, GuestError>) -> Result<(), cell::Error> {
        Err(unsupported("hold promises").into())
    }

    fn release(&mut self, _own: Ref) {}

    fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    fn collect(&mut self, stop: &Stop) -> Collected {
        let cap = self.limits.map_or(Some(Limits::OUTPUT), |limits| limits.output).unwrap_or(u64::MAX >> 1);
        let finished = matches!(stop, Stop::Finished(_));
        let mut extra = BTreeMap::new();
        if let Some(language) = self.plan.as_ref().and_then(|plan| plan.language.clone()) {
            extra.insert("language", Value::Text(language));
        }
        extra.insert("cpu_us", Value::Integer((self.usage.user_us + self.usage.system_us).into()));
        let notices = self.machine.as_mut().and_then(|machine| machine.notices().ok()).unwrap_or_default();
        if notices.contains(&Notice::DiskError) {
            extra.insert("disk_full", Value::Bool(true));
        }
        let collected = Collected {
            output: if finished { self.fetch(OUTPUT, cap).unwrap_or_default() } else { Vec::new() },
            state: if finished { self.fetch(STATE, cap) } else { None },
            memory_peak: self.usage.memory_peak,
            extra,
            ..Collected::default()
        };
        if matches!(self.after(stop), After::Idle | After::Dead) {
            self.phase = Phase::Idle;
        }
        collected
    }

    fn after(&self, stop: &Stop) -> After {
        match stop {
            Stop::OutOfTime | Stop::Interrupted => After::Resumable,
            // Every task gets a machine of its own, so one that broke ends nothing but its task.
            _ => After::Idle,
        }
    }

    fn snapshot(&mut self) -> Result<NoSnapshot, Unsupported> {
        Err(unsupported("be frozen as a cell: keep the machine under a name instead"))
    }
}

#[cfg(test)]
mod tests {
    use super::safe_name;

    #[test]
    fn names_stay_below_the_folder() {
        for good in ["a", "a.c", "a/b/c.txt", "..a", "a b"] {
            assert!(safe_name(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../b", "a//b", "./a", "a\0b", "a/"] {
            assert!(safe_name(bad).is_err(), "{bad}");
        }
    }
}
