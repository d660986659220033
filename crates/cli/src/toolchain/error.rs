//! What can go wrong, as sentences that say what to do.

use std::io;
use std::path::PathBuf;

/// Why a tool chain could not be made, found or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolchainError {
    /// There is no tool chain in any of the places looked at.
    #[error("there is no C compiler for contracts yet: make one with `oubliette toolchain install`")]
    NotInstalled,
    /// The environment names a tool chain that is not there.
    #[error("{} holds no complete tool chain (the environment's {} names it)", root.display(), super::LOCATION_VARIABLE)]
    NotThere {
        /// The directory that was named.
        root: PathBuf,
    },
    /// The user has no home directory, so there is no default place.
    #[error("there is no home directory to install into: name a place with --root")]
    NoHome,
    /// Packages are missing and this user may not install them.
    #[error("the build needs packages that are not installed; as root, run: apt-get install -y {}", packages.join(" "))]
    PackagesMissing {
        /// Debian's names.
        packages: Vec<String>,
    },
    /// This system has no apt-get to take the sources from.
    #[error(
        "building takes its sources from Debian's packages, and `{program}` is not here: use --from ARCHIVE with an archive that `oubliette toolchain pack` made"
    )]
    NotDebian {
        /// The program that is missing.
        program: &'static str,
    },
    /// A source package holds no archive of the expected name.
    #[error("the package {package} holds no archive named {prefix}*.tar.xz")]
    NoSource {
        /// Debian's name.
        package: &'static str,
        /// How the archive's name starts.
        prefix: &'static str,
    },
    /// A command of a stage failed.
    #[error("{stage}: `{command}` failed ({status}); its last lines follow, all of them are in {}\n{tail}", log.display())]
    Command {
        /// The stage it belongs to.
        stage: String,
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
        /// The log of the stage.
        log: PathBuf,
        /// The end of that log.
        tail: String,
    },
    /// The archive holds no tool chain.
    #[error("{} holds no tool chain: there is no bin/{}-gcc in it", archive.display(), super::TARGET)]
    NotAnArchive {
        /// The archive.
        archive: PathBuf,
    },
    /// C++ was asked of a tool chain that has none.
    #[error("this tool chain has no C++ compiler: install again with --force and without --no-cxx")]
    NoCxx,
    /// A file could not be read or written.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb: "cannot write".
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's word on it.
        source: io::Error,
    },
}

impl ToolchainError {
    /// For `map_err`: an [`ToolchainError::Io`] of this verb and path.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
