//! `oubliette machine`: machines that are kept under a name between commands, frozen on disk.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanDuration};
use machine::{Claim, Command, Config, Happening, Keep, Kept, Machine, Rule, Shelf, Template, Watch};

use crate::{machines, quantities, resources};

/// How long the guest may take to show its kernel's log.
const KERNEL_LOG: Duration = Duration::from_secs(30);

/// What a new machine is made from.
#[derive(Args, Debug, Clone)]
pub(crate) struct Choice {
    /// The image that it is made from
    #[arg(long, value_name = "NAME", default_value = "base")]
    image: String,
    /// Its memory, such as 512M
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = quantities::size)]
    memory: u64,
}

impl Choice {
    fn config(&self) -> Result<Config> {
        machines::ensure_image(&self.image, None)?;
        Ok(Config { image: self.image.clone(), memory: self.memory, ..Config::new(resources::data()?) })
    }

    /// A new machine that nobody keeps, with a way to the hosts that are allowed; none means no network.
    pub(crate) fn fresh(&self, allowed: &[Rule]) -> Result<Machine> {
        let machine = template(&Config { network: resources::network(allowed), ..self.config()? })?.spawn()?;
        machine.watch(Watch::default())?;
        Ok(machine)
    }
}

/// Loads a template; says so when one has to be made first.
fn template(config: &Config) -> Result<Arc<Template>> {
    let start = Instant::now();
    let template = Template::open(config)?;
    if template.boot_time().is_some() {
        eprintln!("a machine of this size was booted and frozen ({} s); from now on it is cloned", start.elapsed().as_secs());
    }
    Ok(template)
}

/// A kept machine, thawed and claimed.
pub(crate) struct Held {
    pub(crate) machine: Machine,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
    keep: Keep,
    name: String,
    _claim: Claim,
}

impl Held {
    /// Thaws a kept machine.
    pub(crate) fn open(name: &str) -> Result<Self> {
        Self::thaw(&known(name)?)
    }

    /// Thaws a kept machine, or makes one to be kept.
    pub(crate) fn open_or_make(name: &str, choice: &Choice) -> Result<Self> {
        if let Some(kept) = shelf()?.list()?.iter().find(|kept| kept.name == name) {
            return Self::thaw(kept);
        }
        let template = template(&choice.config()?)?;
        let keep = Keep::open(&template)?;
        let claim = keep.shelf().claim(name)?;
        let machine = template.spawn()?;
        Self::new(machine, keep, name, claim, true)
    }

    fn thaw(kept: &Kept) -> Result<Self> {
        let config = Config { image: kept.image.clone(), memory: kept.memory, ..Config::new(resources::data()?) };
        let keep = Keep::open(&template(&config)?)?;
        let claim = keep.shelf().claim(&kept.name)?;
        let machine = keep.restore(&kept.name)?;
        Self::new(machine, keep, &kept.name, claim, false)
    }

    fn new(machine: Machine, keep: Keep, name: &str, claim: Claim, is_new: bool) -> Result<Self> {
        machine.watch(Watch::default())?;
        Ok(Self { machine, is_new, keep, name: name.to_owned(), _claim: claim })
    }

    /// Freezes it again, with a line in its log. One that ended by itself is booted again first: its disk stays.
    pub(crate) fn save(mut self, line: &str) -> Result<()> {
        if let Some(cause) = self.machine.gone() {
            eprintln!("oubliette: the machine ended: {cause}; it is booted again, what was on its disk stays");
            self.machine.restart().context("it does not come up again; what was kept before stays")?;
            self.keep.shelf().note(&self.name, &format!("ended: {cause}; booted again"))?;
        }
        self.keep.save(&self.name, self.machine)?;
        Ok(self.keep.shelf().note(&self.name, line)?)
    }
}

/// What is kept under a name.
fn known(name: &str) -> Result<Kept> {
    let found = shelf()?.get(name);
    found.map_err(|error| anyhow!("{error}; `oubliette machine ps` lists those that are kept, `oubliette machine new NAME` makes one"))
}

/// `oubliette machine`
#[derive(Subcommand, Debug)]
pub(crate) enum MachineCommand {
    /// List the kept machines
    Ps {
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Make a machine and keep it
    New {
        name: String,
        #[command(flatten)]
        choice: Choice,
    },
    /// Boot a machine again: its disk stays
    Restart { name: String },
    /// Replace a machine by a new clone: nothing of it stays
    Reset { name: String },
    /// Keep a copy of a machine as it is now, memory and disk
    Snapshot {
        name: String,
        /// The copy's name [default: NAME@1, NAME@2, ...]
        copy: Option<String>,
    },
    /// Put a snapshot in the place of the machine it was taken of, or of another
    Restore {
        snapshot: String,
        /// The machine that becomes what the snapshot is
        name: Option<String>,
    },
    /// Show what happened to a machine
    Logs {
        name: String,
        /// Thaw a copy and show what its kernel said
        #[arg(long)]
        kernel: bool,
    },
    /// Forget machines and snapshots
    Rm {
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Runs the command.
pub(crate) fn machine(command: &MachineCommand) -> Result<ExitCode> {
    match command {
        MachineCommand::Ps { json } => list(*json)?,
        MachineCommand::New { name, choice } => {
            let held = Held::open_or_make(name, choice)?;
            if !held.is_new {
                bail!("there is a machine {name:?} already; `oubliette machine reset {name}` makes it new");
            }
            held.save("made")?;
        }
        MachineCommand::Restart { name } => {
            let mut held = Held::open(name)?;
            held.machine.restart()?;
            held.save("restarted")?;
        }
        MachineCommand::Reset { name } => reset(name)?,
        MachineCommand::Snapshot { name, copy } => {
            let keep = shelf()?;
            let copy = match copy {
                Some(copy) => copy.clone(),
                None => free_name(name, &keep.list()?),
            };
            let _claim = keep.claim(name)?;
            let _target = keep.claim(&copy)?;
            keep.copy(name, &copy)?;
            keep.note(name, &format!("snapshot {copy} taken"))?;
            keep.note(&copy, &format!("taken of {name}"))?;
            println!("{copy}");
        }
        MachineCommand::Restore { snapshot, name } => {
            let kept = known(snapshot)?;
            let name = name.clone().unwrap_or(kept.of);
            if name.is_empty() {
                bail!("{snapshot:?} is no snapshot: name the machine that is to become what it is");
            }
            let keep = shelf()?;
            let _claim = keep.claim(&name)?;
            keep.copy(snapshot, &name)?;
            keep.note(&name, &format!("restored from {snapshot}"))?;
        }
        MachineCommand::Logs { name, kernel: false } => print!("{}", shelf()?.log(name)?),
        MachineCommand::Logs { name, kernel: true } => print!("{}", kernel_log(name)?),
        MachineCommand::Rm { names } => {
            for name in names {
                let shelf = shelf()?;
                let _claim = shelf.claim(name)?;
                if !shelf.forget(name)? {
                    bail!("no machine is kept under the name {name:?}");
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The kept machines, without loading the template that any belongs to.
fn shelf() -> Result<Shelf> {
    Ok(Shelf::open(&resources::data()?)?)
}

/// The first name with a number that nothing is kept under.
fn free_name(name: &str, kept: &[Kept]) -> String {
    let names = (1..).map(|number| format!("{name}@{number}"));
    names.into_iter().find(|name| kept.iter().all(|kept| kept.name != *name)).unwrap_or_default()
}

fn reset(name: &str) -> Result<()> {
    let kept = known(name)?;
    // Its state need not be readable any more: nothing of it is read.
    let config = Config { image: kept.image.clone(), memory: kept.memory, ..Config::new(resources::data()?) };
    let template = template(&config)?;
    let keep = Keep::open(&template)?;
    let claim = keep.shelf().claim(name)?;
    Held::new(template.spawn()?, keep, name, claim, true)?.save("reset to a new clone")
}

fn list(json: bool) -> Result<()> {
    let kept = shelf()?.list()?;
    if json {
        let rows: Vec<_> = kept
            .iter()
            .map(|kept| {
                let frozen = kept.frozen.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                serde_json::json!({"name": kept.name, "image": kept.image, "memory": kept.memory, "disk": kept.size,
                    "snapshot_of": kept.of, "in_use": kept.claimed, "frozen": frozen})
            })
            .collect();
        println!("{}", serde_json::Value::Array(rows));
        return Ok(());
    }
    if kept.is_empty() {
        eprintln!("no machines are kept; `oubliette shell NAME` or `oubliette machine new NAME` makes one");
        return Ok(());
    }
    println!("{:<24} {:<10} {:<10} {:>8} {:>10}  AGE", "NAME", "STATE", "IMAGE", "MEMORY", "ON DISK");
    for kept in kept {
        let state = if kept.claimed { "in use" } else { "frozen" };
        let age = HumanDuration(SystemTime::now().duration_since(kept.frozen).unwrap_or_default());
        let note = if kept.of.is_empty() { String::new() } else { format!(", of {}", kept.of) };
        let memory = format!("{} MiB", kept.memory >> 20);
        println!("{:<24} {state:<10} {:<10} {memory:>8} {:>10}  {age}{note}", kept.name, kept.image, HumanBytes(kept.size).to_string());
    }
    Ok(())
}

/// What the guest's kernel said, from a copy that is thawed for the purpose.
fn kernel_log(name: &str) -> Result<String> {
    let held = Held::open(name)?;
    let process = held.machine.start(&Command::new(["dmesg"]).as_root())?;
    process.end_input()?;
    let deadline = Instant::now() + KERNEL_LOG;
    let mut text = Vec::new();
    loop {
        match process.next(Some(deadline))? {
            Some(Happening::Output(_, bytes)) => text.extend(bytes),
            Some(Happening::Exited(..)) => break,
            None => bail!("the machine does not answer"),
        }
    }
    // The guest may have written anything into it; a terminal is not to obey.
    let text = String::from_utf8_lossy(&text);
    Ok(text.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect())
}

/// `NAME:PATH` of a kept machine, or a path of the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Here(PathBuf),
    Inside { name: String, path: String },
}

impl Place {
    /// A path with a colon in its first part is a machine's; `./a:b` is a file here.
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((name, path)) if !name.is_empty() && !name.contains('/') => {
                Self::Inside { name: name.to_owned(), path: if path.is_empty() { ".".to_owned() } else { path.to_owned() } }
            }
            _ => Self::Here(PathBuf::from(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_in_the_first_part_names_a_machine() {
        let inside = |name: &str, path: &str| Place::Inside { name: name.into(), path: path.into() };
        assert_eq!(Place::parse("work:a/b"), inside("work", "a/b"));
        assert_eq!(Place::parse("work:"), inside("work", "."));
        for here in ["a", "./a:b", "/a:b", ":a", "a/b:c"] {
            assert_eq!(Place::parse(here), Place::Here(here.into()));
        }
    }
}
