//! `oubliette run`: one program, once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use indicatif::HumanCount;
use oubliette::{AnyCell, Bound, CellKind, Ending, Guest, Input, Limits, Outcome, Receipt, Recording, Report, Request, Standard, Task};

use crate::display::{self, Display};
use crate::watch::{self, Watch};
use crate::{files, present, quantities, resources};

/// Flags that mean the same for every cell.
#[derive(Args, Debug, Clone)]
pub(crate) struct Common {
    /// Memory cap, such as 1M [default: 64M]
    #[arg(long, value_name = "SIZE", value_parser = quantities::bytes, help_heading = "Limits")]
    memory: Option<Bound<u64>>,
    /// Fuel, such as 10M: one unit is one instruction [default: 10G]
    #[arg(long, value_name = "UNITS", value_parser = quantities::units, help_heading = "Limits")]
    fuel: Option<Bound<u64>>,
    /// Wall clock, such as 50ms [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = quantities::time, help_heading = "Limits")]
    timeout: Option<Bound<Duration>>,
    /// Cap on console text and on output [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = quantities::bytes, help_heading = "Limits")]
    output_limit: Option<Bound<u64>>,
    /// Depth of calls [default: 10000 where the cell keeps one]
    #[arg(long, value_name = "CALLS", value_parser = quantities::calls, help_heading = "Limits")]
    depth: Option<Bound<u32>>,
    /// Lend the program the time of day, or random bytes
    #[arg(long, value_name = "clock|random", value_parser = standard)]
    offer: Vec<Standard>,
    /// Print the outcome as one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

fn standard(name: &str) -> Result<Standard, String> {
    name.parse().map_err(|error: oubliette::Error| error.to_string())
}

impl Common {
    /// The limits as asked for.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            memory: self.memory.unwrap_or_default(),
            fuel: self.fuel.unwrap_or_default(),
            wall: self.timeout.unwrap_or_default(),
            output: self.output_limit.unwrap_or_default(),
            depth: self.depth.unwrap_or_default(),
        }
    }

    /// Whether the outcome is to be printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The standard offers.
    pub(crate) fn offers(&self) -> BTreeSet<Standard> {
        self.offer.iter().copied().collect()
    }
}

/// Where the regions of a Moxie program lie.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layout {
    /// Whole pages: word-at-a-time string code may read past the end of a region
    Pages,
    /// The addresses of moxiebox, exact to the byte
    Classic,
}

/// How Moxie instructions are run. What a program does, and the fuel it uses, never depends on it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    /// Decode and execute
    Interpreter,
    /// Compile before running
    Jit,
    /// Interpret, and compile what is hot
    Auto,
}

/// What to run, and with what.
#[derive(Args, Debug, Clone)]
pub(crate) struct Job {
    /// The program; - reads it from standard input
    #[arg(value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// Load an executable, by name or by its SHA-256 (see -E); the last one loaded is entered
    #[arg(short = 'e', value_name = "FILE|HASH")]
    executables: Vec<String>,
    /// Search this folder for executables by hash
    #[arg(short = 'E', value_name = "FOLDER")]
    executable_folders: Vec<PathBuf>,
    /// Give a data file, by name or by its SHA-256 (see -D); NAME is what the program finds it by
    #[arg(short = 'd', long = "input", value_name = "[NAME=]FILE|HASH")]
    inputs: Vec<String>,
    /// Pass standard input on to the program, read to its end first; the same as -d stdin=- (machine)
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Search this folder for data by hash
    #[arg(short = 'D', value_name = "FOLDER")]
    data_folders: Vec<PathBuf>,
    /// State that earlier runs left, replaced when this run has finished
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The kind of cell, over the file's type
    #[arg(long = "cell", value_name = "KIND", value_parser = kind)]
    kind: Option<CellKind>,
    /// The program's language, over the file's type (machine)
    #[arg(long, value_name = "NAME")]
    language: Option<String>,
    /// Let the program reach this host through a proxy, at ports 80 and 443 or the one named; *.example.org is all below it (machine)
    #[arg(long, value_name = "HOST[:PORT]")]
    allow: Vec<machine::Rule>,
    /// Where regions lie (moxie)
    #[arg(long, value_enum, default_value = "pages", hide_default_value = true)]
    layout: Layout,
    /// How instructions are run (moxie)
    #[arg(long, value_enum, default_value = "auto", hide_default_value = true)]
    engine: Engine,
    /// Refuse eval and Function (javascript)
    #[arg(long)]
    no_eval: bool,
    /// Take the program for a module, whatever its name (javascript)
    #[arg(long)]
    module: bool,
    /// Arguments for the program (wasm, machine)
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

fn kind(name: &str) -> Result<CellKind, String> {
    CellKind::from_name(name).map_err(|error| error.to_string())
}

/// `oubliette run`
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    job: Job,
    /// Write the output here instead of to standard output; - is standard output
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write down everything the world tells the program, for `oubliette replay`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write hashes of everything that went in and came out, for `oubliette verify`
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    watch: Watch,
}

impl Job {
    /// Everything that decides the run.
    pub(crate) fn request(&self) -> Result<Request> {
        let mut programs = Vec::new();
        if let Some(path) = &self.program {
            programs.push(Input::new(path.display().to_string(), files::read(path)?));
        }
        for executable in &self.executables {
            programs.push(Input::new(executable.clone(), self.contents(executable, &self.executable_folders)?));
        }
        let Some(last) = programs.last() else { bail!("no program given: name one, as in `oubliette run contract.elf`") };
        let kind = match self.kind {
            Some(kind) => kind,
            None if self.language.is_some() => CellKind::Machine,
            None => CellKind::detect(&last.name, &last.bytes)?,
        };
        let mut inputs = self
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let (name, file) =
                    input.split_once('=').map_or((format!("data{index}"), input.as_str()), |(name, file)| (name.to_owned(), file));
                Ok(Input::new(name, self.contents(file, &self.data_folders)?))
            })
            .collect::<Result<Vec<_>>>()?;
        if self.stdin {
            if kind != CellKind::Machine {
                bail!("--stdin is for machines: give the {} cell data with -d", kind.name());
            }
            if self.program.as_deref() == Some(Path::new("-")) || inputs.iter().any(|input| input.name == "stdin") {
                bail!("--stdin is the program's standard input, which is given already");
            }
            inputs.push(Input::new("stdin", files::read(Path::new("-"))?));
        }
        let state = match &self.state {
            Some(path) if path.exists() => Some(files::read(path)?),
            _ => None,
        };
        let mut guest = Guest::new(kind);
        match &mut guest {
            Guest::Moxie(options) => {
                options.layout = match self.layout {
                    Layout::Pages => moxie::Layout::Pages,
                    Layout::Classic => moxie::Layout::Classic,
                };
                options.tier = match self.engine {
                    Engine::Interpreter => moxie::Tier::Interpreter,
                    Engine::Jit => moxie::Tier::Jit,
                    Engine::Auto => moxie::Tier::Auto,
                };
            }
            Guest::Machine { arguments, language } => {
                arguments.clone_from(&self.arguments);
                language.clone_from(&self.language);
            }
            Guest::Wasm { arguments } => arguments.clone_from(&self.arguments),
            Guest::JavaScript(options) => {
                options.eval = !self.no_eval;
                options.module = self.module;
            }
            Guest::Ruby => {}
        }
        if !self.arguments.is_empty() && matches!(kind, CellKind::Moxie | CellKind::JavaScript | CellKind::Ruby) {
            bail!("the {} cell takes no arguments: give data with -d", kind.name());
        }
        if self.language.is_some() && kind != CellKind::Machine {
            bail!("--language is for machines: the {} cell has one language", kind.name());
        }
        if !self.allow.is_empty() && kind != CellKind::Machine {
            bail!("--allow is for machines: the {} cell has no network", kind.name());
        }
        Ok(Request { task: Task { programs, inputs, state }, limits: self.common.limits(), offers: self.common.offers(), guest })
    }

    fn contents(&self, name: &str, folders: &[PathBuf]) -> Result<Arc<[u8]>> {
        let path = PathBuf::from(name);
        if files::is_hash(name) && !path.exists() { files::find_by_hash(name, folders) } else { files::read(&path) }
    }
}

/// Runs the command.
pub(crate) fn run(args: &RunArgs) -> Result<ExitCode> {
    let request = args.job.request()?;
    // Better said now than after a run whose work is lost.
    for path in [&args.output, &args.record, &args.receipt, &args.job.state].into_iter().flatten() {
        files::ensure_folder(path)?;
    }
    if args.watch.is_asked_for() {
        if args.record.is_some() || args.receipt.is_some() {
            bail!("-t, -g and -p watch a run from inside; they do not go together with --record or --receipt");
        }
        let outcome = watch::run(&request, &args.watch)?;
        return deliver(args, outcome, &request);
    }
    let mut resources = resources::for_kind(request.guest.kind())?;
    if request.guest.kind() == CellKind::Machine {
        crate::machines::ensure_any_image(&request)?;
        if args.receipt.is_some() && !args.job.allow.is_empty() {
            bail!("a receipt is of everything that went in; what a machine hears from a network is not known");
        }
        resources.machines = Some(resources::machines(&args.job.allow)?);
    }
    let mut cell = request.open(&resources)?;
    if args.record.is_some() {
        if request.guest.kind() == CellKind::Machine {
            bail!("a machine's run cannot be recorded: what happens inside depends on more than what passes the hatch");
        }
        cell.record();
    }
    let outcome = drive(&mut *cell, args.job.common.json)?;
    let recording =
        cell.journal().map(|journal| Recording { request: request.clone(), journal: journal.clone(), end: Ending::of(&outcome) });
    if let (Some(path), Some(recording)) = (&args.record, &recording) {
        let mut bytes = Vec::new();
        recording.save(&mut bytes)?;
        files::replace(path, &bytes)?;
    }
    if let Some(path) = &args.receipt {
        // A run that the clock ended gets none; what it left is delivered all the same.
        match Receipt::new(&request, &outcome, recording.as_ref()) {
            Ok(receipt) => files::replace(path, format!("{}\n", receipt.to_json()?).as_bytes())?,
            Err(error) => eprintln!("oubliette: {error}"),
        }
    }
    deliver(args, outcome, &request)
}

/// `oubliette debug`
#[derive(Args, Debug)]
pub(crate) struct DebugArgs {
    #[command(flatten)]
    job: Job,
    /// Port of the loopback address, or path of a Unix socket, to wait for gdb on
    #[arg(short = 'g', value_name = "PORT|SOCKET", default_value = "0", hide_default_value = true)]
    gdb: String,
    /// Write the output here instead of to standard output; - is standard output
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command: `run -g`, on any free port.
pub(crate) fn debug(args: &DebugArgs) -> Result<ExitCode> {
    run(&RunArgs {
        job: args.job.clone(),
        output: args.output.clone(),
        record: None,
        receipt: None,
        watch: Watch::debugger(args.gdb.clone()),
    })
}

/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// Units of fuel of a run that nobody watches: a millisecond or less.
const BRIEF: u64 = 100_000;

/// Runs a cell to its end, with Ctrl-C as the interrupt and a display for whoever waits.
pub(crate) fn drive(cell: &mut dyn AnyCell, quiet: bool) -> Result<Outcome> {
    // Most programs are over before anybody could stop them: no thread is started for the clock and for Ctrl-C until one is not. These two kinds
    // of cell ask for more fuel within microseconds, whatever their programs do.
    let prompt = matches!(cell.engine_name(), "moxie" | "javascript");
    let hurried = matches!(cell.limits().wall, Bound::At(wall) if wall < Duration::from_millis(20));
    if prompt
        && !hurried
        && let Some(outcome) = cell.run_briefly(BRIEF)?
    {
        return Ok(outcome);
    }
    let handle = cell.interrupt_handle();
    let interrupt = handle.clone();
    // Where a handler is set already, a second run in this process has the first one's: only possible in our own tests.
    let _ = ctrlc::set_handler(move || interrupt.interrupt());
    let _display = (!quiet && present::is_watched()).then(|| {
        Display::start(PATIENCE, move |elapsed| {
            let fuel = HumanCount(handle.fuel_used());
            format!("running for {}, {fuel} units of fuel used (Ctrl-C stops it)", display::clock(elapsed))
        })
    });
    Ok(cell.run()?)
}

/// Puts output, state and report where they were asked for.
fn deliver(args: &RunArgs, mut outcome: Outcome, request: &Request) -> Result<ExitCode> {
    // A run that was stopped has addresses only: looking names up takes time that an embedder who goes on would rather not spend.
    if request.guest.kind() == CellKind::Moxie && !outcome.trace.is_empty() && outcome.trace.iter().all(|frame| frame.function.is_none()) {
        outcome.trace = watch::symbols(request).explain(&outcome.trace);
    }
    let outcome = &outcome;
    if let Some(path) = args.output.as_deref() {
        files::replace(path, &outcome.output)?;
    }
    if let (Some(path), Some(state), oubliette::Stop::Finished(_)) = (&args.job.state, &outcome.state, &outcome.stop) {
        files::replace(path, state).context("the state was not saved")?;
    }
    if args.job.common.json {
        present::say(&Report::new(outcome, args.output.is_none(), args.job.state.is_none()).to_json()?)?;
    } else {
        let mut outcome = outcome.clone();
        if request.guest.kind() == CellKind::JavaScript
            && let Some(program) = request.task.programs.first()
        {
            crate::javascript::point(&mut outcome, &String::from_utf8_lossy(&program.bytes));
        }
        present::show(&outcome, args.output.is_none())?;
    }
    Ok(present::exit(outcome))
}
