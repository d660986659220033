//! `oubliette cp`: files into and out of kept machines.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use machine::{FileKind, Machine};

use crate::keep::{Held, Place};
use crate::quantities;

/// The most files of a folder that are copied, and how deep it may be: a guest can make up any number.
const MOST: usize = 100_000;
const DEPTH: usize = 64;

/// `oubliette cp`
#[derive(Args, Debug)]
pub(crate) struct CopyArgs {
    /// What: FILE, or NAME:PATH in a kept machine
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to: FILE (- is standard output), or NAME:PATH; paths in a machine start from its user's home
    #[arg(value_name = "TO")]
    to: String,
    /// Folders with what is in them; links and devices are left out
    #[arg(short, long)]
    recursive: bool,
    /// The most bytes that are copied
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = quantities::size)]
    limit: u64,
}

/// Runs the command.
pub(crate) fn copy(args: &CopyArgs) -> Result<ExitCode> {
    let mut budget = Budget { bytes: args.limit, files: MOST, recursive: args.recursive };
    match (Place::parse(&args.from), Place::parse(&args.to)) {
        (Place::Here(from), Place::Inside { name, path }) => {
            // Before anything is thawed.
            let folder = fs::metadata(&from).with_context(|| format!("cannot open `{}`", from.display()))?.is_dir();
            budget.allow_folder(folder, &args.from)?;
            let held = Held::open(&name)?;
            let target = if is_folder(&held.machine, &path)? { format!("{}/{}", path.trim_end_matches('/'), last(&from)?) } else { path };
            put(&held.machine, &from, &target, &mut budget, DEPTH)?;
            held.save(&format!("{} was copied in", from.display()))?;
        }
        (Place::Inside { name, path }, Place::Here(to)) => {
            let held = Held::open(&name)?;
            let folder = is_folder(&held.machine, &path)?;
            budget.allow_folder(folder, &args.from)?;
            let target = if to.is_dir() { to.join(last(Path::new(&path))?) } else { to };
            get(&held.machine, &path, folder, &target, &mut budget, DEPTH)?;
        }
        (Place::Here(_), Place::Here(_)) => bail!("one of the two must be in a machine: NAME:PATH"),
        (Place::Inside { .. }, Place::Inside { .. }) => bail!("one of the two must be a file here; copy it out, then in"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What may still be copied.
struct Budget {
    bytes: u64,
    files: usize,
    recursive: bool,
}

impl Budget {
    fn allow_folder(&self, folder: bool, name: &str) -> Result<()> {
        if folder && !self.recursive {
            bail!("`{name}` is a folder: copy it with -r");
        }
        Ok(())
    }

    fn one_more(&mut self, name: &str) -> Result<()> {
        self.files = self.files.checked_sub(1).with_context(|| format!("more than {MOST} files; stopped at `{name}`"))?;
        Ok(())
    }
}

fn last(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).with_context(|| format!("`{}` has no name to keep", path.display()))
}

fn is_folder(machine: &Machine, path: &str) -> Result<bool> {
    Ok(path.ends_with('/') || machine.is_folder(path, None)?)
}

fn put(machine: &Machine, from: &Path, to: &str, budget: &mut Budget, depth: usize) -> Result<()> {
    let name = from.display();
    let fails = || format!("cannot copy `{name}`");
    budget.one_more(&from.to_string_lossy())?;
    let metadata = fs::metadata(from).with_context(fails)?;
    if !metadata.is_dir() {
        if let Some((folder, _)) = to.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            machine.make_folder(folder, None).with_context(fails)?;
        }
        let mut file = fs::File::open(from).with_context(fails)?;
        let mode = metadata.permissions().mode() & 0o777;
        budget.bytes -= machine.upload(to, mode, &mut file, budget.bytes, None).with_context(fails)?;
        return Ok(());
    }
    let depth = depth.checked_sub(1).with_context(|| format!("`{name}` is too deep"))?;
    machine.make_folder(to, None).with_context(fails)?;
    let mut entries: Vec<_> = fs::read_dir(from).with_context(fails)?.collect::<io::Result<_>>().with_context(fails)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().with_context(fails)?;
        if kind.is_file() || kind.is_dir() {
            put(machine, &entry.path(), &format!("{to}/{}", last(&entry.path())?), budget, depth)?;
        }
    }
    Ok(())
}

fn get(machine: &Machine, from: &str, folder: bool, to: &Path, budget: &mut Budget, depth: usize) -> Result<()> {
    let fails = || format!("cannot copy `{}`", printable(from));
    budget.one_more(&printable(from))?;
    if !folder {
        return get_file(machine, from, to, budget).with_context(fails);
    }
    let depth = depth.checked_sub(1).with_context(|| format!("`{}` is too deep", printable(from)))?;
    fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in machine.list(from, budget.files, None).with_context(fails)? {
        // What a guest calls its files is not trusted: no way out of the folder, nothing that a terminal obeys.
        if matches!(entry.name.as_str(), "" | "." | "..") || entry.name.contains(['/', '\0']) {
            bail!("the machine names a file {:?}", entry.name);
        }
        if matches!(entry.kind, FileKind::File | FileKind::Folder) {
            let inner = format!("{}/{}", from.trim_end_matches('/'), entry.name);
            get(machine, &inner, entry.kind == FileKind::Folder, &to.join(&entry.name), budget, depth)?;
        }
    }
    Ok(())
}

fn get_file(machine: &Machine, from: &str, to: &Path, budget: &mut Budget) -> Result<()> {
    if to == Path::new("-") || fs::metadata(to).is_ok_and(|metadata| !metadata.is_file()) {
        let mut out: Box<dyn io::Write> =
            if to == Path::new("-") { Box::new(io::stdout().lock()) } else { Box::new(fs::File::create(to)?) };
        budget.bytes -= machine.download(from, &mut out, budget.bytes, None)?;
        return Ok(out.flush()?);
    }
    let mode = machine.stat(from, None)?.map_or(0o644, |entry| entry.mode & 0o777);
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    // Whole or not at all.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    budget.bytes -= machine.download(from, &mut file, budget.bytes, None)?;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(mode | 0o600))?;
    file.persist(to)?;
    Ok(())
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
