//! Debian's part: what must be installed to build, and where the sources come from.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::ToolchainError;
use super::shell::Shell;

/// How a requirement is seen to be there.
enum Sign {
    /// A program on `PATH`.
    Program(&'static str),
    /// A library to link statically, so that the tool chain runs where the library is not installed.
    Library(&'static str),
}

/// A package of Debian and the sign that it is installed.
const REQUIREMENTS: &[(&str, Sign)] = &[
    ("build-essential", Sign::Program("g++")),
    ("build-essential", Sign::Program("make")),
    ("patch", Sign::Program("patch")),
    ("flex", Sign::Program("flex")),
    ("bison", Sign::Program("bison")),
    ("xz-utils", Sign::Program("xz")),
    ("libgmp-dev", Sign::Library("libgmp.a")),
    ("libmpfr-dev", Sign::Library("libmpfr.a")),
    ("libmpc-dev", Sign::Library("libmpc.a")),
    ("libexpat1-dev", Sign::Library("libexpat.a")),
    ("libncurses-dev", Sign::Library("libtinfo.a")),
];

/// Sees to it that everything needed is installed, installing it when the user may.
pub(super) fn require(shell: &mut Shell<'_>) -> Result<(), ToolchainError> {
    for program in ["apt-get", "dpkg-deb", "tar"] {
        if !on_path(program) {
            return Err(ToolchainError::NotDebian { program });
        }
    }
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() {
        return Err(ToolchainError::PackagesMissing { packages: missing });
    }
    let install = ["install", "-y", "--no-install-recommends"].map(str::to_owned).into_iter().chain(missing).collect::<Vec<_>>();
    if shell.run(Path::new("/"), "apt-get", &install).is_err() {
        // Lists that are absent or old are the usual reason.
        shell.run(Path::new("/"), "apt-get", ["update"])?;
        shell.run(Path::new("/"), "apt-get", &install)?;
    }
    Ok(())
}

fn missing() -> Vec<String> {
    let mut missing: Vec<String> = REQUIREMENTS
        .iter()
        .filter(|(_, sign)| match sign {
            Sign::Program(name) => !on_path(name),
            Sign::Library(name) => library(name).is_none(),
        })
        .map(|(package, _)| (*package).to_owned())
        .collect();
    missing.dedup();
    missing
}

/// The static libraries among the requirements, by path.
pub(super) fn static_libraries() -> Vec<PathBuf> {
    REQUIREMENTS
        .iter()
        .filter_map(|(_, sign)| match sign {
            Sign::Library(name) => library(name),
            Sign::Program(_) => None,
        })
        .collect()
}

/// Where the host's compiler finds a library.
fn library(name: &str) -> Option<PathBuf> {
    let output = Command::new("gcc").arg(format!("-print-file-name={name}")).stdin(Stdio::null()).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // gcc repeats the bare name when it finds nothing.
    (path.is_absolute() && path.is_file()).then_some(path)
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").iter().flat_map(std::env::split_paths).any(|directory| directory.join(program).is_file())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// A source of the tool chain: a package, the folder its archive is in, and how the archive's name starts.
pub(super) struct Source {
    package: &'static str,
    folder: &'static str,
    prefix: &'static str,
    /// The directory it is unpacked into.
    pub(super) name: &'static str,
}

pub(super) const BINUTILS: Source =
    Source { package: "binutils-source", folder: "usr/src/binutils", prefix: "binutils-", name: "binutils" };
pub(super) const GCC: Source = Source { package: "gcc-12-source", folder: "usr/src/gcc-12", prefix: "gcc-12", name: "gcc" };
pub(super) const NEWLIB: Source = Source { package: "newlib-source", folder: "usr/src/newlib", prefix: "newlib-", name: "newlib" };
pub(super) const GDB: Source = Source { package: "gdb-source", folder: "usr/src", prefix: "gdb", name: "gdb" };

/// Debian's own patch that makes gcc build without the manual that Debian left out.
pub(super) const GCC_WITHOUT_MANUAL: &str = "usr/src/gcc-12/patches/gcc-gfdl-build.diff";

/// A change to a source.
pub(super) struct Patch {
    pub(super) file: PathBuf,
    /// How many folders of the paths in it are left out, as `patch` is told.
    pub(super) strip: &'static str,
}

/// Downloads a source package (no root needed) below `packages`, and unpacks the source in it to `sources/NAME`.
pub(super) fn unpack_source(
    shell: &mut Shell<'_>,
    source: &Source,
    packages: &Path,
    sources: &Path,
    patches: &[Patch],
) -> Result<(), ToolchainError> {
    let archive = match find_archive(source, packages) {
        Some(archive) => archive,
        None => {
            if shell.run(packages, "apt-get", ["download", source.package]).is_err() {
                if is_root() {
                    shell.run(packages, "apt-get", ["update"])?;
                }
                shell.run(packages, "apt-get", ["download", source.package])?;
            }
            let package = find(packages, source.package, ".deb")
                .ok_or(ToolchainError::NoSource { package: source.package, prefix: source.prefix })?;
            shell.run(packages, "dpkg-deb", ["-x".as_ref(), package.as_os_str(), packages.as_os_str()])?;
            find_archive(source, packages).ok_or(ToolchainError::NoSource { package: source.package, prefix: source.prefix })?
        }
    };
    // Under another name until it is whole.
    let (directory, part) = (sources.join(source.name), sources.join(format!("{}.part", source.name)));
    for old in [&directory, &part] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(ToolchainError::io("cannot remove", old))?;
        }
    }
    fs::create_dir_all(&part).map_err(ToolchainError::io("cannot create", &part))?;
    shell.run(&part, "tar", ["--strip-components=1".as_ref(), "-xf".as_ref(), archive.as_os_str()])?;
    for patch in patches {
        shell.run(&part, "patch", [patch.strip.as_ref(), "-i".as_ref(), patch.file.as_os_str()])?;
    }
    fs::rename(&part, &directory).map_err(ToolchainError::io("cannot create", &directory))
}

/// The source's archive, among what was downloaded or where an installed package has it.
fn find_archive(source: &Source, packages: &Path) -> Option<PathBuf> {
    [packages, Path::new("/")].iter().find_map(|root| find(&root.join(source.folder), source.prefix, ".tar.xz"))
}

/// The first file by name in `directory` that starts and ends like this.
fn find(directory: &Path, start: &str, end: &str) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(start) && name.ends_with(end)))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.into_iter().next()
}

/// `GCC_WITHOUT_MANUAL`, downloaded or installed.
pub(super) fn gcc_patch(packages: &Path) -> Option<PathBuf> {
    [packages, Path::new("/")].iter().map(|root| root.join(GCC_WITHOUT_MANUAL)).find(|path| path.is_file())
}
