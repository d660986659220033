//! `oubliette toolchain` and `oubliette cc`: the command-line face of the tool chain.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::present;
use crate::toolchain::{self, InstallOptions, Installed, PlainProgress, Progress, TerminalProgress};

/// `oubliette toolchain`
#[derive(Subcommand, Debug)]
pub(crate) enum ToolchainCommand {
    /// Build binutils, gcc, newlib and gdb for Moxie from Debian's sources, or unpack an archive
    Install {
        /// Unpack this archive instead of building
        #[arg(long, value_name = "ARCHIVE")]
        from: Option<PathBuf>,
        /// Where to install [default: the user's data folder]
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
        /// Where to build; an interrupted build goes on from there
        #[arg(long, value_name = "FOLDER")]
        work: Option<PathBuf>,
        /// Compilations at a time [default: one for each processor]
        #[arg(short = 'j', long, value_name = "N")]
        jobs: Option<usize>,
        /// Leave the C++ compiler out
        #[arg(long)]
        no_cxx: bool,
        /// Leave gdb out
        #[arg(long)]
        no_gdb: bool,
        /// Keep the build folder (about 3 GB)
        #[arg(long)]
        keep_work: bool,
        /// Install over a complete tool chain
        #[arg(long)]
        force: bool,
    },
    /// Pack the installed tool chain into an archive for `install --from`
    Pack {
        /// The archive to write (.tar.xz)
        #[arg(value_name = "ARCHIVE")]
        archive: PathBuf,
    },
    /// Print where the tool chain is
    Where,
}

/// `oubliette cc`
#[derive(Args, Debug)]
pub(crate) struct CcArgs {
    /// gcc's arguments, as in `oubliette cc -O2 -o contract.elf contract.c`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

fn progress() -> Box<dyn Progress> {
    if present::is_watched() { Box::new(TerminalProgress::default()) } else { Box::new(PlainProgress::default()) }
}

/// Runs `oubliette toolchain`.
pub(crate) fn toolchain(command: &ToolchainCommand) -> Result<ExitCode> {
    match command {
        ToolchainCommand::Install { from, root, work, jobs, no_cxx, no_gdb, keep_work, force } => {
            let mut options = InstallOptions::new(root.clone().map_or_else(toolchain::default_root, Ok)?);
            options.from.clone_from(from);
            options.work = work.clone().unwrap_or(options.work);
            options.jobs = jobs.unwrap_or(options.jobs).max(1);
            options.cxx = !no_cxx;
            options.gdb = !no_gdb;
            options.keep_work = *keep_work;
            options.force = *force;
            match toolchain::install(&options, &mut *progress())? {
                Installed::Now(root) => {
                    present::say(&format!("the tool chain is in {}; try: oubliette cc -o hello.elf hello.c", root.display()))?;
                }
                Installed::Before(root) => present::say(&format!("the tool chain in {} is complete", root.display()))?,
            }
        }
        ToolchainCommand::Pack { archive } => {
            let bytes = toolchain::pack(&toolchain::locate()?, archive, &mut *progress())?;
            present::say(&format!("{}: {:.1} MB", archive.display(), bytes as f64 / 1e6))?;
        }
        ToolchainCommand::Where => present::say(&toolchain::locate()?.display().to_string())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs gcc; its exit status is ours.
pub(crate) fn cc(args: &CcArgs) -> Result<ExitCode> {
    let status = toolchain::cc(&args.arguments)?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(present::FAILURE)))
}
