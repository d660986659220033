//! The C compiler for contracts: `oubliette toolchain install|pack` and `oubliette cc`.
//!
//! [`install`] makes a tool chain for `moxie-none-moxiebox` in the user's data directory: binutils, gcc, newlib and gdb are
//! built from Debian's source packages, or [`unpacked`](InstallOptions::from) from an archive that [`pack`] made; our own runtime
//! (`guest/moxie`, carried inside this binary) goes into it last. [`locate`] finds what was installed and [`cc`] calls it.

mod archive;
mod build;
mod compiler;
mod error;
mod packages;
mod progress;
mod runtime;
mod shell;
mod stages;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) use archive::pack;
pub(crate) use compiler::cc;
pub(crate) use error::ToolchainError;
pub(crate) use progress::{PlainProgress, Progress, TerminalProgress};

/// The target as gcc calls it; every tool's name starts with it.
pub(crate) const TARGET: &str = "moxie-none-moxiebox";

/// Names a tool chain's root directory, before the default place is looked at.
pub(crate) const LOCATION_VARIABLE: &str = "OUBLIETTE_TOOLCHAIN";

/// What [`install`] is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct InstallOptions {
    /// Where the tool chain goes. [`default_root`] unless asked otherwise.
    pub(crate) root: PathBuf,
    /// Where it is built; keeps finished stages, so that a build that was interrupted goes on where it stopped.
    pub(crate) work: PathBuf,
    /// Unpack this archive (`.tar.xz`, as [`pack`] makes it) instead of building.
    pub(crate) from: Option<PathBuf>,
    /// How many compilations run at the same time; at least 1.
    pub(crate) jobs: usize,
    /// Build the C++ compiler as well.
    pub(crate) cxx: bool,
    /// Build gdb as well.
    pub(crate) gdb: bool,
    /// Keep the work directory (about 3 GB) when all is done.
    pub(crate) keep_work: bool,
    /// Install again over a tool chain that is complete.
    pub(crate) force: bool,
}

impl InstallOptions {
    /// Everything, into `root`, built beside it, on every processor.
    pub(crate) fn new(root: PathBuf) -> Self {
        let mut work = root.clone().into_os_string();
        work.push("-build");
        Self {
            root,
            work: work.into(),
            from: None,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            cxx: true,
            gdb: true,
            keep_work: false,
            force: false,
        }
    }
}

/// What [`install`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Installed {
    /// A tool chain is there now that was not there before.
    Now(PathBuf),
    /// A complete one was there already; only the runtime was brought up to date.
    Before(PathBuf),
}

/// Makes a tool chain at `options.root` and puts our runtime into it.
///
/// # Errors
/// When a package or program is missing that may not be installed from here, when a stage of the build fails (the error
/// names its log), when an archive holds no tool chain, and when a file cannot be written.
pub(crate) fn install(options: &InstallOptions, progress: &mut dyn Progress) -> Result<Installed, ToolchainError> {
    if !options.force && is_complete(&options.root) {
        runtime::install(&options.root)?;
        return Ok(Installed::Before(options.root.clone()));
    }
    match &options.from {
        Some(archive) => archive::unpack(archive, &options.root, progress)?,
        None => build::build(options, progress)?,
    }
    runtime::install(&options.root)?;
    Ok(Installed::Now(options.root.clone()))
}

/// Where a tool chain goes when nobody says otherwise: `oubliette/toolchain` in the user's data directory.
///
/// # Errors
/// When the user has no home directory.
pub(crate) fn default_root() -> Result<PathBuf, ToolchainError> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".local/share")));
    data.map(|data| data.join("oubliette/toolchain")).ok_or(ToolchainError::NoHome)
}

/// The root of the tool chain to use: what `OUBLIETTE_TOOLCHAIN` names, else the default place, else the one whose gcc is on `PATH`.
///
/// # Errors
/// [`ToolchainError::NotInstalled`] when there is none in any of these.
pub(crate) fn locate() -> Result<PathBuf, ToolchainError> {
    locate_in(std::env::var_os(LOCATION_VARIABLE), default_root().ok(), std::env::var_os("PATH"))
}

fn locate_in(named: Option<OsString>, default: Option<PathBuf>, path: Option<OsString>) -> Result<PathBuf, ToolchainError> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let root = PathBuf::from(named);
        return if is_complete(&root) { Ok(root) } else { Err(ToolchainError::NotThere { root }) };
    }
    if let Some(root) = default.filter(|root| is_complete(root)) {
        return Ok(root);
    }
    path.iter()
        .flat_map(std::env::split_paths)
        .filter(|directory| directory.file_name().is_some_and(|name| name == "bin"))
        .filter_map(|directory| directory.parent().map(Path::to_path_buf))
        .find(|root| is_complete(root))
        .ok_or(ToolchainError::NotInstalled)
}

/// The path of a program of the tool chain, such as `gcc`.
pub(crate) fn tool(root: &Path, name: &str) -> PathBuf {
    root.join("bin").join(format!("{TARGET}-{name}"))
}

/// The parts without which nothing compiles: the driver, the C library, the compiler's library.
fn is_complete(root: &Path) -> bool {
    tool(root, "gcc").is_file() && tool(root, "ld").is_file() && root.join(TARGET).join("lib/libc.a").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretend_toolchain(root: &Path) {
        for file in ["bin/moxie-none-moxiebox-gcc", "bin/moxie-none-moxiebox-ld", "moxie-none-moxiebox/lib/libc.a"] {
            let file = root.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
    }

    #[test]
    fn the_named_place_comes_first_and_is_not_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let (named, default) = (directory.path().join("named"), directory.path().join("default"));
        pretend_toolchain(&default);
        let missing = locate_in(Some(named.clone().into()), Some(default.clone()), None);
        assert!(matches!(missing, Err(ToolchainError::NotThere { root }) if root == named));
        pretend_toolchain(&named);
        assert_eq!(locate_in(Some(named.clone().into()), Some(default), None).unwrap(), named);
    }

    #[test]
    fn the_default_place_comes_before_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let (default, other) = (directory.path().join("default"), directory.path().join("other"));
        pretend_toolchain(&other);
        let path = std::env::join_paths([directory.path().to_path_buf(), other.join("bin")]).unwrap();
        assert_eq!(locate_in(None, Some(default.clone()), Some(path.clone())).unwrap(), other);
        pretend_toolchain(&default);
        assert_eq!(locate_in(Some(OsString::new()), Some(default.clone()), Some(path)).unwrap(), default);
        assert!(matches!(locate_in(None, None, None), Err(ToolchainError::NotInstalled)));
    }
}
