//! Machines from the front door: any language, in a Linux of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ::machine::{Config, MachineEngine, Machines, Source};
use cell::{Error, Limits, Outcome, Task};

use crate::builder::{Builder, Kind};

/// What a machine cell is made with, besides its limits.
#[derive(Clone, Default)]
pub struct MachineOptions {
    /// The language of all programs; told by their files' names without it.
    pub language: Option<String>,
    /// Arguments for the programs.
    pub arguments: Vec<String>,
    /// Where machines come from: [`Machines`], a [`Pool`](::machine::Pool). Without one, this user's images, as the command uses them.
    pub source: Option<Arc<dyn Source>>,
}

impl std::fmt::Debug for MachineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let own = self.source.is_some();
        f.debug_struct("MachineOptions")
            .field("language", &self.language)
            .field("arguments", &self.arguments)
            .field("source", &own)
            .finish()
    }
}

impl Kind for MachineEngine {
    type Options = MachineOptions;

    fn open(options: &Self::Options, _limits: &Limits) -> Result<Self, Error> {
        let source = options.source.clone().map_or_else(users_machines, Ok)?;
        let engine = Self::new(source).arguments(options.arguments.clone());
        Ok(match &options.language {
            Some(language) => engine.language(language),
            None => engine,
        })
    }
}

/// Where images, frozen and kept machines lie for this user: `$OUBLIETTE_DATA`, else `oubliette` in `$XDG_DATA_HOME`, else
/// `.local/share/oubliette` in the home directory; `None` without a home.
pub fn data_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("OUBLIETTE_DATA")
        .or_else(|| variable("XDG_DATA_HOME").map(|folder| folder.join("oubliette")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".local/share/oubliette")))
}

/// The machines of this user's images. The frozen ones are read once and shared by all cells of the process.
fn users_machines() -> Result<Arc<dyn Source>, Error> {
    static LAST: Mutex<Option<(PathBuf, Arc<Machines>)>> = Mutex::new(None);
    let no_home = || Error::State("there is no home directory that machines could come from: give the builder a source of them".into());
    let folder = data_folder().ok_or_else(no_home)?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((of, machines)) if *of == folder => Ok(Arc::clone(machines) as Arc<dyn Source>),
        _ => {
            let machines = Arc::new(Machines::new(Config::new(&folder)));
            *last = Some((folder, Arc::clone(&machines)));
            Ok(machines)
        }
    }
}

/// A builder of machine cells: programs in any language of [the catalogue](::machine::catalogue), each run in a fresh virtual machine.
///
/// The machines are clones of a frozen one, made from the images that `oubliette image build` left in [this user's
/// folder](data_folder), unless [`source`](Builder::source) names others.
///
/// ```no_run
/// # fn main() -> Result<(), oubliette::Error> {
/// let source = "main = interact (show . sum . map read . words)";
/// let outcome = oubliette::machine().language("haskell").run(source)?;
/// assert_eq!(outcome.stop, oubliette::Stop::Finished(0));
///
/// // Standard input and files go in with the task; a cell can be kept for many runs, each in a machine of its own.
/// let mut cell = oubliette::machine().memory(128 << 20).build()?;
/// let task = oubliette::Task::program("sum.py", *b"print(sum(map(int, open('numbers'))))").input("numbers", *b"19\n23\n");
/// assert_eq!(cell.run(task)?.stdout, b"42\n");
/// # Ok(()) }
/// ```
pub fn machine() -> Builder<MachineEngine> {
    Builder::default()
}

impl Builder<MachineEngine> {
    /// All programs are in this language, by any name of the catalogue, whatever their files are called.
    #[must_use]
    pub fn language(mut self, name: impl Into<String>) -> Self {
        self.options_mut().language = Some(name.into());
        self
    }

    /// Arguments for the programs.
    #[must_use]
    pub fn arguments<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.options_mut().arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Takes machines from here instead of from this user's images.
    #[must_use]
    pub fn source(mut self, source: Arc<dyn Source>) -> Self {
        self.options_mut().source = Some(source);
        self
    }

    /// Builds a cell and runs one program in it, in a machine of its own.
    ///
    /// # Errors
    /// As [`build`](Builder::build) and [`Cell::run`](crate::Cell::run): [`Error::Program`] for an unknown language or one that no image has,
    /// [`Error::Host`] when there is no image or the machine does not come up.
    pub fn run(&self, task: impl Into<Task>) -> Result<Outcome, Error> {
        self.build()?.run(task)
    }
}
