//! `run -t`, `-g` and `-p`: a run watched from inside.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use clap::Args;
use moxie::Moxie;
use moxie::debug::{Debugged, Ended, Profile, ProfileSampler, Symbols, Trace};
use oubliette::{Cell, Guest, Hatch, Outcome, Request};

use crate::toolchain;

/// Units of fuel between two samples of a profile: a prime, so that no loop runs in step with it.
const SAMPLE_EVERY: u64 = 1009;

/// Looking on while a program runs (moxie)
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Looking on (moxie)")]
pub(crate) struct Watch {
    /// Trace every instruction to standard error
    #[arg(short = 't')]
    trace: bool,
    /// Trace every instruction to this file
    #[arg(long = "trace", value_name = "FILE", conflicts_with = "trace")]
    trace_file: Option<PathBuf>,
    /// Wait for gdb on this port of the loopback address, or on this Unix socket
    #[arg(short = 'g', value_name = "PORT|SOCKET")]
    gdb: Option<String>,
    /// Write a profile for gprof
    #[arg(short = 'p', value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Write folded stacks, for a flame graph
    #[arg(long, value_name = "FILE")]
    flame: Option<PathBuf>,
}

impl Watch {
    /// Whether any of them was asked for.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.trace || self.trace_file.is_some() || self.gdb.is_some() || self.profile.is_some() || self.flame.is_some()
    }

    /// Only a debugger, at this address.
    pub(crate) fn debugger(address: String) -> Self {
        Self { gdb: Some(address), ..Self::default() }
    }
}

/// The names and lines of a request's programs.
pub(crate) fn symbols(request: &Request) -> Symbols {
    Symbols::read(request.task.programs.iter().map(|program| &*program.bytes))
}

/// Runs a request and looks on.
pub(crate) fn run(request: &Request, watch: &Watch) -> Result<Outcome> {
    let Guest::Moxie(options) = &request.guest else {
        bail!("-t, -g and -p look into moxie cells, and this is a {} cell", request.guest.kind().name());
    };
    let mut limits = request.limits;
    if watch.gdb.is_some() && limits.wall == oubliette::Bound::Default {
        // A person at a debugger is slow.
        limits.wall = oubliette::Bound::Unlimited;
    }
    let mut cell = oubliette::moxie().limits(limits).options(*options).build()?;
    let symbols = Arc::new(symbols(request));
    let mut hatch = Hatch::default();
    for standard in &request.offers {
        hatch.offer(standard.name(), standard.offer());
    }
    cell.prepare(&request.task)?;
    if let Some(address) = &watch.gdb {
        if watch.trace || watch.trace_file.is_some() || watch.profile.is_some() || watch.flame.is_some() {
            bail!("-g does not go together with -t and -p: one of them at a time holds the program");
        }
        return debug(cell, hatch, address);
    }
    cell.offer_all(&hatch)?;
    if watch.trace {
        cell.engine().set_observer(Some(Box::new(Trace::new(BufWriter::new(std::io::stderr()), Arc::clone(&symbols)))));
    } else if let Some(path) = &watch.trace_file {
        let file = File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
        cell.engine().set_observer(Some(Box::new(Trace::new(BufWriter::new(file), Arc::clone(&symbols)))));
    }
    let profile = (watch.profile.is_some() || watch.flame.is_some()).then(|| {
        let (sampler, profile) = ProfileSampler::new(SAMPLE_EVERY, Arc::clone(&symbols));
        cell.engine().set_sampler(Some((SAMPLE_EVERY, Box::new(sampler))));
        profile
    });
    let outcome = cell.resume()?;
    // Dropping the observer writes out what its buffer holds.
    cell.engine().set_observer(None);
    if let Some(profile) = profile {
        write_profile(&profile, &symbols, watch)?;
    }
    Ok(outcome)
}

fn write_profile(profile: &Mutex<Profile>, symbols: &Symbols, watch: &Watch) -> Result<()> {
    let profile = profile.lock().unwrap_or_else(PoisonError::into_inner);
    let write = |path: &Path, fill: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| -> Result<()> {
        let mut bytes = Vec::new();
        fill(&mut bytes)?;
        crate::files::replace(path, &bytes)
    };
    if let Some(path) = &watch.profile {
        write(path, &|to| profile.write_gmon(to))?;
    }
    if let Some(path) = &watch.flame {
        write(path, &|to| profile.write_folded(to, symbols))?;
    }
    Ok(())
}

/// What gdb is called here: by its path where the tool chain has one.
fn gdb() -> String {
    let installed = toolchain::locate().map(|root| toolchain::tool(&root, "gdb")).ok().filter(|gdb| gdb.is_file());
    installed.map_or_else(|| format!("{}-gdb", toolchain::TARGET), |gdb| gdb.display().to_string())
}

/// Lets one gdb drive the program.
fn debug(cell: Cell<Moxie>, hatch: Hatch, address: &str) -> Result<Outcome> {
    let show = |stdout: &[u8], stderr: &[u8]| {
        // Whoever debugs sees the text as it comes; that it cannot be written must not end the session.
        let _ = std::io::stdout().write_all(stdout).and_then(|()| std::io::stdout().flush());
        let _ = std::io::stderr().write_all(stderr);
    };
    let mut debugged = Debugged::new(cell.into_inner(), hatch, show)?;
    let ended = match address.parse::<u16>() {
        Ok(port) => {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("cannot listen on port {port} of this machine"))?;
            let port = listener.local_addr()?.port();
            eprintln!("waiting for gdb; attach with: {} PROGRAM -ex 'target remote 127.0.0.1:{port}'", gdb());
            let (connection, _) = listener.accept().context("nobody could be let in")?;
            moxie::debug::serve(&mut debugged, connection)?
        }
        Err(_) => serve_socket(&mut debugged, Path::new(address))?,
    };
    debugged.into_outcome().context(match ended {
        Ended::Stopped(_) => "the program was left before its end",
        Ended::Detached => "gdb has left; the program was not run to its end",
        Ended::Killed => "killed from gdb",
    })
}

#[cfg(unix)]
fn serve_socket(debugged: &mut Debugged, path: &Path) -> Result<Ended> {
    use std::os::unix::net::UnixListener;
    let name = path.display();
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on `{name}` (a port number, or a path where no file is)"))?;
    eprintln!("waiting for gdb; attach with: {} PROGRAM -ex 'target remote {name}'", gdb());
    let accepted = listener.accept();
    // The name has served its purpose; one who comes second finds nothing.
    let _ = std::fs::remove_file(path);
    let (connection, _) = accepted.context("nobody could be let in")?;
    Ok(moxie::debug::serve(debugged, connection)?)
}

#[cfg(not(unix))]
fn serve_socket(_debugged: &mut Debugged, path: &Path) -> Result<Ended> {
    bail!("`{}` is no port number, and this system has no Unix sockets", path.display())
}
