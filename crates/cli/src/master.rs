//! `oubliette ruby`: a main Ruby, in which `Sandbox` makes boxes; a file, a line of code, or a person at the keyboard.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Args;
use oubliette::{Bound, CellKind, Outcome, Report, Standard, Stop, Usage, Value};
use ruby::{Answer, Options, Sandbox, World};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Editor, Helper, Highlighter, Hinter};

use crate::run::Common;
use crate::{files, present, resources};

/// The Ruby side of the conversation.
const CONSOLE: &str = include_str!("../../../guest/ruby/console.rb");
/// Where the folder of the program is found inside.
const HOME: &str = "/app";

/// `oubliette ruby`
#[derive(Args, Debug)]
pub(crate) struct RubyArgs {
    /// Code to run instead of a file; several are lines of one program
    #[arg(short = 'e', value_name = "CODE")]
    code: Vec<String>,
    /// The program; - reads it from standard input. Its folder can be read inside, as /app
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Let Ruby read this folder, under PATH or under its own name in /
    #[arg(long, value_name = "[PATH=]FOLDER")]
    mount: Vec<String>,
    /// A variable for Ruby to find in ENV; nothing of this process's own environment is there
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Arguments for the program, as ARGV
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
pub(crate) fn ruby(args: &RubyArgs) -> Result<ExitCode> {
    let image = resources::for_kind(CellKind::Ruby)?.ruby.context("Ruby could not be prepared")?;
    let mut world = World { arguments: vec!["ruby".into()], ..World::default() };
    for mount in &args.mount {
        let (path, folder) = match mount.split_once('=') {
            Some((path, folder)) => (path.to_owned(), Path::new(folder)),
            None => {
                let folder = Path::new(mount);
                let name = folder.file_name().with_context(|| format!("`{mount}` has no name: say PATH={mount}"))?;
                (format!("/{}", name.to_string_lossy()), folder)
            }
        };
        world.mounts.push((path, ruby::read_only(folder).with_context(|| format!("cannot open the folder `{}`", folder.display()))?));
    }
    for variable in &args.env {
        let (name, value) = variable.split_once('=').with_context(|| format!("`{variable}` is not NAME=VALUE"))?;
        anyhow::ensure!(!name.is_empty() && !variable.contains('\0'), "`{variable}` is not NAME=VALUE");
        world.environment.push((name.to_owned(), value.to_owned()));
    }
    let program = match (&args.code[..], &args.file) {
        ([], Some(path)) if path.as_os_str() == "-" => Some(("-".to_owned(), standard_input()?)),
        ([], Some(path)) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let source = text(files::read(path)?.to_vec(), &path.display().to_string())?;
            world.mounts.push((HOME.into(), ruby::read_only(folder)?));
            Some((path.display().to_string(), source))
        }
        ([], None) if std::io::stdin().is_terminal() || args.common.is_json() => None,
        ([], None) => Some(("-".to_owned(), standard_input()?)),
        (code, None) => Some(("-e".to_owned(), code.join("\n"))),
        (_, Some(path)) => anyhow::bail!("both -e and `{}`: arguments for the program come after --", path.display()),
    };
    let has_home = world.mounts.iter().any(|(path, _)| path == HOME);
    let interactive = program.is_none();
    let mut guest = image.sandbox(options(args, world))?;
    if has_home {
        settled(&guest.eval(&format!("Dir.chdir({HOME:?}); $LOAD_PATH.push({HOME:?}); nil"))?)?;
    }
    let Some((name, source)) = program else {
        anyhow::ensure!(interactive && !args.common.is_json(), "--json needs a program: name a file, or give code with -e");
        return converse(guest);
    };
    let start = std::time::Instant::now();
    let answer = guest.program(&source, &name, &args.arguments)?;
    if args.common.is_json() {
        let outcome = outcome(answer, start.elapsed());
        println!("{}", Report::new(&outcome, true, true).to_json()?);
        return Ok(present::exit(&outcome));
    }
    show(&answer)?;
    Ok(ExitCode::from(present::status(&answer.stop)))
}

fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    text(bytes, "standard input")
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String> {
    String::from_utf8(bytes).with_context(|| format!("{what} is not UTF-8"))
}

fn limit<T>(bound: Bound<T>, default: Option<T>) -> Option<T> {
    match bound {
        Bound::Default => default,
        Bound::At(value) => Some(value),
        Bound::Unlimited => None,
    }
}

/// A main Ruby has the clock, and no time limit unless one is asked for.
fn options(args: &RubyArgs, mut world: World) -> Options {
    let limits = args.common.limits();
    world.clock = Some(Arc::new(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()));
    if args.common.offers().contains(&Standard::Random) {
        world.random = Some(Arc::new(|bytes: &mut [u8]| {
            // What could not be filled stays as it was: no secret is made of it by us.
            let _ = getrandom::fill(bytes);
        }));
    }
    let full = Options::full();
    Options {
        memory: limit(limits.memory, Some(full.memory)).unwrap_or(u64::MAX),
        fuel: limit(limits.fuel, full.fuel),
        timeout: limit(limits.wall, None),
        output: limit(limits.output, full.output),
        world,
        boxes: true,
        clock: Some(oubliette::wall_clock()),
        ..full
    }
}

/// Our own preparations are not to fail.
fn settled(answer: &Answer) -> Result<()> {
    match &answer.stop {
        Stop::Finished(0) => Ok(()),
        stop => anyhow::bail!("Ruby could not be set up: {} ({stop:?})", answer.report.as_deref().unwrap_or_default()),
    }
}

/// What the program wrote; and why it ended, in Ruby's own form where it was an exception.
fn show(answer: &Answer) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(&answer.stdout).and_then(|()| out.flush()).context("cannot write to standard output")?;
    let mut err = std::io::stderr().lock();
    // A closed standard error must not change how the run ended.
    let _ = err.write_all(&answer.stderr);
    if let Some(report) = &answer.report {
        let _ = writeln!(err, "{}", report.trim_end());
    } else if let Some(sentence) = present::explain(&outcome(answer.clone(), Duration::ZERO)) {
        let _ = writeln!(err, "oubliette: {sentence}");
    }
    Ok(())
}

/// The same as other cells' outcomes, for `--json`.
fn outcome(answer: Answer, wall: Duration) -> Outcome {
    let trace = if let Stop::Raised(error) = &answer.stop { error.trace.clone() } else { Vec::new() };
    let mut extra = BTreeMap::new();
    if let Some(report) = answer.report {
        extra.insert("report", Value::Text(report));
    }
    Outcome {
        engine: "ruby",
        stop: answer.stop,
        value: answer.value.map(Into::into),
        output: Vec::new(),
        state: None,
        stdout: answer.stdout,
        stderr: answer.stderr,
        usage: Usage { fuel: Some(answer.usage.fuel), instructions: None, memory_peak: answer.usage.memory_peak, wall },
        fuel_schedule: Some(ruby::SCHEDULE),
        trace,
        extra,
    }
}

/// Asks Ruby while somebody types.
#[derive(Helper, Highlighter, Hinter)]
struct Line {
    guest: Rc<RefCell<Sandbox>>,
}

impl Line {
    fn ask(&self, question: &str) -> Option<Value> {
        // The editor asks from inside a call of ours only when no eval is under way.
        let answer = self.guest.try_borrow_mut().ok()?.eval(question).ok()?;
        answer.value
    }
}

/// A text as a Ruby literal that means exactly its characters.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl Completer for Line {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let found = self.ask(&format!("Sandbox::Console.complete({})", literal(&line[..position])));
        let Some(Value::List(parts)) = found else { return Ok((position, Vec::new())) };
        let start = parts.first().and_then(Value::as_i64).and_then(|start| usize::try_from(start).ok()).unwrap_or(position);
        let names = match parts.get(1) {
            Some(Value::List(names)) => names.iter().filter_map(|name| name.as_text().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        // The guest's word: a start outside the line is none.
        if start > position || !line.is_char_boundary(start) { Ok((position, Vec::new())) } else { Ok((start, names)) }
    }
}

impl Validator for Line {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let state = self.ask(&format!("Sandbox::Console.state({})", literal(context.input())));
        let more = state.as_ref().and_then(Value::as_text) == Some("more");
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// Lines from a person until the end of input, or `exit`.
fn converse(mut guest: Sandbox) -> Result<ExitCode> {
    settled(&guest.eval_file(CONSOLE, "(oubliette)")?)?;
    let guest = Rc::new(RefCell::new(guest));
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Line { guest: Rc::clone(&guest) }));
    eprintln!("a main Ruby in a cell: Sandbox.safe and Sandbox.new make boxes (Ctrl-D leaves)");
    let mut number = 1;
    loop {
        let source = match editor.readline("ruby> ") {
            Ok(source) => source,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error).context("cannot read a line"),
        };
        if source.trim().is_empty() {
            continue;
        }
        let answer = guest.borrow_mut().eval_file(&format!("Sandbox::Console.run({}, {number})", literal(&source)), "(oubliette)")?;
        number += source.lines().count();
        show(&answer)?;
        match answer.stop {
            Stop::Finished(0) if answer.value.is_some() => {}
            Stop::Finished(code) => return Ok(ExitCode::from((code & 0xff) as u8)),
            Stop::Raised(_) | Stop::OutOfMemory if guest.borrow().dead().is_none() => {}
            stop => {
                // What is suspended has no way on from here: its state is gone with it.
                eprintln!("oubliette: this Ruby is over");
                return Ok(ExitCode::from(present::status(&stop)));
            }
        }
    }
}
