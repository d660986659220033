//! The `oubliette` command.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod again;
mod check;
mod compiler;
mod copy;
mod display;
mod files;
mod inspect;
mod javascript;
mod keep;
mod machines;
mod master;
mod present;
mod quantities;
mod resources;
mod run;
mod shell;
mod toolchain;
mod watch;

/// Runs code you don't trust
///
/// Every program runs in a cell of its own: a hard memory cap, a CPU budget, a wall clock, no file, no network, and one hatch, through which
/// passes only what you offer.
#[derive(Parser, Debug)]
#[command(name = "oubliette", version, max_term_width = 120)]
struct Command {
    #[command(subcommand)]
    command: Subcommands,
}

const RUN: &str = "Run a program in a cell";
const EVAL: &str = "Run JavaScript given here, and show its value";

#[derive(Subcommand, Debug)]
enum Subcommands {
    #[command(about = RUN, long_about = None)]
    Run(run::RunArgs),
    /// A main Ruby, in which Sandbox makes boxes: a file, code, or line by line
    Ruby(master::RubyArgs),
    #[command(about = EVAL, long_about = None)]
    Eval(javascript::EvalArgs),
    /// JavaScript line by line, in one cell
    Repl(javascript::ReplArgs),
    /// Run a program under a debugger: waits for gdb and says how to attach
    Debug(run::DebugArgs),
    /// Show what is in a program: segments, symbols, disassembly
    Inspect(inspect::InspectArgs),
    /// Run a recording again, the same to the instruction
    Replay(again::ReplayArgs),
    /// Check a receipt by running again
    Verify(again::VerifyArgs),
    /// The image of machine cells
    #[command(subcommand)]
    Image(machines::ImageCommand),
    /// List the languages of machine cells, or try them
    Languages(machines::LanguagesArgs),
    /// A shell in a machine, fresh or kept
    Shell(shell::ShellArgs),
    /// Copy files into or out of a kept machine
    Cp(copy::CopyArgs),
    /// Machines that are kept between commands
    #[command(subcommand)]
    Machine(keep::MachineCommand),
    /// The C tool chain for Moxie
    #[command(subcommand)]
    Toolchain(compiler::ToolchainCommand),
    /// Compile C for the moxie cell: takes the options of gcc
    Cc(compiler::CcArgs),
}

/// Reads the command line of a subcommand that is over in a moment, by itself: to describe all the others' flags takes as long as a short run.
fn alone<A: Args>(name: &'static str, about: &'static str) -> A {
    let mut whole = alone_command::<A>(name, about);
    let mut matches = whole.get_matches_mut();
    // That it is this subcommand is known, and every other is refused.
    let parsed = matches.remove_subcommand().map(|(_, mut matches)| A::from_arg_matches_mut(&mut matches));
    match parsed {
        Some(Ok(args)) => args,
        Some(Err(error)) => error.format(&mut whole).exit(),
        None => whole.error(clap::error::ErrorKind::MissingSubcommand, "a subcommand is missing").exit(),
    }
}

fn alone_command<A: Args>(name: &'static str, about: &'static str) -> clap::Command {
    let whole = clap::Command::new("oubliette").version(env!("CARGO_PKG_VERSION")).max_term_width(120).subcommand_required(true);
    whole.subcommand(A::augment_args(clap::Command::new(name)).about(about).long_about(None))
}

fn main() -> ExitCode {
    let result = match std::env::args_os().nth(1).as_deref().and_then(OsStr::to_str) {
        Some("run") => run::run(&alone("run", RUN)),
        Some("eval") => javascript::eval(&alone("eval", EVAL)),
        _ => dispatch(&Command::parse().command),
    };
    result.unwrap_or_else(|error| {
        eprintln!("oubliette: {error:#}");
        ExitCode::from(failure_status(&error))
    })
}

/// Runs whichever was asked for.
fn dispatch(command: &Subcommands) -> anyhow::Result<ExitCode> {
    match command {
        Subcommands::Run(args) => run::run(args),
        Subcommands::Ruby(args) => master::ruby(args),
        Subcommands::Eval(args) => javascript::eval(args),
        Subcommands::Repl(args) => javascript::repl(args),
        Subcommands::Debug(args) => run::debug(args),
        Subcommands::Inspect(args) => inspect::inspect(args),
        Subcommands::Replay(args) => again::replay(args),
        Subcommands::Verify(args) => again::verify(args),
        Subcommands::Image(args) => machines::image(args),
        Subcommands::Languages(args) => machines::languages(args),
        Subcommands::Shell(args) => shell::shell(args),
        Subcommands::Cp(args) => copy::copy(args),
        Subcommands::Machine(args) => keep::machine(args),
        Subcommands::Toolchain(args) => compiler::toolchain(args),
        Subcommands::Cc(args) => compiler::cc(args),
    }
}

/// 2 for wrong use, 1 for a failure of ours.
fn failure_status(error: &anyhow::Error) -> u8 {
    use oubliette::Error;
    match error.downcast_ref::<Error>() {
        Some(Error::Host(_) | Error::HostMemory(_) | Error::Io(_) | Error::Diverged(_)) => present::FAILURE,
        Some(_) => present::WRONG_USE,
        None if error.downcast_ref::<machine::Error>().is_some_and(is_the_hosts) => present::FAILURE,
        // What is no error of the library's is about the command line and the files it names.
        None => present::WRONG_USE,
    }
}

/// Whether a machine's failure is none of the command line's.
fn is_the_hosts(error: &machine::Error) -> bool {
    use machine::Error;
    matches!(error, Error::Build { .. } | Error::Qemu(_) | Error::Io { .. } | Error::Gone(_) | Error::Catalogue(_))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_flag_is_declared_soundly() {
        super::Command::command().debug_assert();
    }

    /// What is read by itself is described and read as it is among the others.
    #[test]
    fn subcommands_alone_are_as_among_the_others() {
        let mut whole = super::Command::command();
        let alone = [
            super::alone_command::<super::run::RunArgs>("run", super::RUN),
            super::alone_command::<super::javascript::EvalArgs>("eval", super::EVAL),
        ];
        whole.build();
        for mut alone in alone {
            alone.clone().debug_assert();
            alone.build();
            let Some(name) = alone.get_subcommands().next().map(|only| only.get_name().to_owned()) else { panic!("no subcommand") };
            let help = |of: &mut clap::Command| of.find_subcommand_mut(&name).map(|only| only.render_long_help().to_string());
            assert_eq!(help(&mut alone), help(&mut whole));
        }
    }
}
