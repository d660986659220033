//! `oubliette shell`: a person, or a script on standard input, at a shell in a machine.

use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use machine::{Command, Exit, Happening, Machine, Output, Process, Rule, Terminal};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::keep::{Choice, Held};

/// Control and ]: leaves a machine whatever it does.
const LEAVE: u8 = 0x1d;

/// How often the terminal's size is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// `oubliette shell`
#[derive(Args, Debug)]
pub(crate) struct ShellArgs {
    /// A kept machine, made if there is none; without a name it is a fresh one that is gone afterwards
    name: Option<String>,
    /// As the machine's root
    #[arg(long)]
    root: bool,
    /// Let a fresh machine reach this host through a proxy, at ports 80 and 443 or the one named; *.example.org is all below it
    #[arg(long, value_name = "HOST[:PORT]")]
    allow: Vec<Rule>,
    #[command(flatten)]
    choice: Choice,
    /// A command to run instead of a shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How a conversation ended.
enum End {
    Exited(Exit),
    /// The person left, or this process is to end.
    Left,
}

/// Runs the command.
pub(crate) fn shell(args: &ShellArgs) -> Result<ExitCode> {
    let on_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let Some(name) = &args.name else {
        let mut machine = args.choice.fresh(&args.allow)?;
        if on_terminal {
            eprintln!("a fresh machine, gone when you leave (exit, or Ctrl-] whatever it does)");
        }
        return Ok(status(&talk(&mut machine, args, on_terminal)?));
    };
    if !args.allow.is_empty() {
        bail!("--allow is for fresh machines: kept ones have no network");
    }
    let mut held = Held::open_or_make(name, &args.choice)?;
    if on_terminal {
        let what = if held.is_new { "a new machine" } else { "the machine" };
        eprintln!("{what} {name:?}, kept when you leave (exit, or Ctrl-] whatever it does)");
    }
    let end = talk(&mut held.machine, args, on_terminal);
    if let Err(error) = &end {
        eprintln!("oubliette: {error:#}");
    }
    held.save("a shell was used")?;
    Ok(end.map_or(ExitCode::from(crate::present::FAILURE), |end| status(&end)))
}

fn status(end: &End) -> ExitCode {
    match end {
        End::Exited(Exit::Code(code)) => ExitCode::from(*code),
        // As shells say it.
        End::Exited(Exit::Signal(signal)) => ExitCode::from(128u8.saturating_add(*signal)),
        End::Left => ExitCode::SUCCESS,
    }
}

fn talk(machine: &mut Machine, args: &ShellArgs, on_terminal: bool) -> Result<End> {
    let mut command = if args.command.is_empty() { Command::new(["bash", "-l"]) } else { Command::new(args.command.iter().cloned()) };
    if args.root {
        command = command.as_root();
    }
    if on_terminal {
        command.terminal = Some(window());
        let kind = std::env::var("TERM").ok().filter(|kind| !kind.is_empty() && kind.len() < 64);
        command.env.push(("TERM".to_owned(), kind.unwrap_or_else(|| "dumb".to_owned())));
    }
    let process = Arc::new(machine.start(&command)?);
    let end = converse(&process, on_terminal);
    let dead = machine.gone();
    match (end, dead) {
        // Why the machine ended says more than that its answer did not come.
        (Err(_), Some(cause)) => anyhow::bail!("the machine ended: {cause}"),
        (end, _) => {
            if let Ok(End::Left) = &end {
                process.signal(9)?;
            }
            end
        }
    }
}

/// The terminal's size, or the usual one where there is none.
fn window() -> Terminal {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
    size.map_or(Terminal { rows: 24, columns: 80 }, |size| Terminal { rows: size.ws_row, columns: size.ws_col })
}

/// Moves bytes both ways until the process ends or the person leaves.
fn converse(process: &Arc<Process>, on_terminal: bool) -> Result<End> {
    let _raw = on_terminal.then(Raw::enter).transpose().context("the terminal cannot be set")?;
    let left = Arc::new(AtomicBool::new(false));
    let leave = Arc::clone(&left);
    // A run in the same process may have set one: only in our own tests.
    let _ = ctrlc::set_handler(move || leave.store(true, Ordering::Relaxed));
    let (writer, leave) = (Arc::clone(process), Arc::clone(&left));
    // It waits for a key when everything else is over, and ends with this process.
    std::thread::spawn(move || feed(&writer, on_terminal, &leave));
    let mut size = window();
    loop {
        if left.load(Ordering::Relaxed) {
            return Ok(End::Left);
        }
        if on_terminal && window() != size {
            size = window();
            process.resize(size)?;
        }
        match process.next(Some(Instant::now() + LOOK))? {
            Some(Happening::Output(Output::Out, bytes)) => show(&mut io::stdout(), &bytes)?,
            Some(Happening::Output(Output::Err, bytes)) => show(&mut io::stderr(), &bytes)?,
            Some(Happening::Exited(exit, _)) => return Ok(End::Exited(exit)),
            None => {}
        }
    }
}

fn show(to: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    to.write_all(bytes).and_then(|()| to.flush()).context("cannot write")
}

/// Passes standard input on until its end, or until the key that leaves.
fn feed(process: &Process, on_terminal: bool, leave: &AtomicBool) {
    let mut bytes = [0; 4096];
    loop {
        let count = match io::stdin().read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let typed = &bytes[..count];
        if on_terminal && typed.contains(&LEAVE) {
            leave.store(true, Ordering::Relaxed);
            return;
        }
        // Whoever reads the other direction hears why it is over.
        if process.write(typed, None).is_err() {
            return;
        }
    }
    drop(process.end_input());
}

/// The terminal without echo, lines or signals: all of that is the guest's. Put back when dropped.
struct Raw {
    before: Termios,
}

impl Raw {
    fn enter() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The shell that comes after sets its own if this fails.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}
