//! Everything that decides a run, in one value: what the command, receipts and recordings share.

use std::collections::BTreeSet;
use std::sync::Arc;

use cell::{AnyCell, Error, Limits, Task};
use serde::{Deserialize, Serialize};

use crate::clock::WallClock;
use crate::kind::CellKind;
use crate::offers::Standard;

/// One run: program, inputs, limits, offers, and what is special to the kind of cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Programs, inputs and prior state.
    pub task: Task,
    /// Limits as asked for.
    pub limits: Limits,
    /// Standard offers.
    pub offers: BTreeSet<Standard>,
    /// The guest, with the options of its kind.
    pub guest: Guest,
}

/// A kind of cell with its options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guest {
    /// A Moxie program.
    Moxie(moxie::Options),
    /// A WASI program.
    Wasm {
        /// Its arguments, without its name.
        arguments: Vec<String>,
    },
    /// A Ruby program.
    Ruby,
    /// A program for a machine.
    Machine {
        /// Its language, over what its name says.
        language: Option<String>,
        /// Its arguments, without its name.
        arguments: Vec<String>,
    },
    /// A JavaScript or TypeScript program.
    JavaScript(javascript::Options),
}

/// What cells need of the host besides the program. Finding it (folders, downloads, virtual machines) is the caller's business.
#[derive(Clone, Default)]
pub struct Resources {
    /// Where compiled WebAssembly is kept.
    pub wasm_cache: Option<wasm::Cache>,
    /// Ruby, prepared.
    pub ruby: Option<ruby::Ruby>,
    /// Where machines come from.
    pub machines: Option<Arc<dyn machine::Source>>,
}

impl std::fmt::Debug for Resources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resources")
            .field("wasm_cache", &self.wasm_cache.is_some())
            .field("ruby", &self.ruby.is_some())
            .field("machines", &self.machines.is_some())
            .finish()
    }
}

impl Guest {
    /// A kind with its default options.
    pub fn new(kind: CellKind) -> Self {
        match kind {
            CellKind::Moxie => Self::Moxie(moxie::Options::default()),
            CellKind::JavaScript => Self::JavaScript(javascript::Options::default()),
            CellKind::Wasm => Self::Wasm { arguments: Vec::new() },
            CellKind::Ruby => Self::Ruby,
            CellKind::Machine => Self::Machine { language: None, arguments: Vec::new() },
        }
    }

    /// Its kind.
    pub fn kind(&self) -> CellKind {
        match self {
            Self::Moxie(_) => CellKind::Moxie,
            Self::JavaScript(_) => CellKind::JavaScript,
            Self::Wasm { .. } => CellKind::Wasm,
            Self::Ruby => CellKind::Ruby,
            Self::Machine { .. } => CellKind::Machine,
        }
    }
}

impl Request {
    /// A cell with everything laid out, ready to run.
    ///
    /// # Errors
    /// Misuse, or a program that is none.
    pub fn open(&self, resources: &Resources) -> Result<Box<dyn AnyCell>, Error> {
        let missing = |what: &str| Error::State(format!("a {} cell needs {what}, and none was given", self.guest.kind().name()));
        let mut cell: Box<dyn AnyCell> = match &self.guest {
            Guest::Moxie(options) => Box::new(crate::moxie().limits(self.limits).options(*options).build()?.into_inner()),
            Guest::JavaScript(options) => Box::new(crate::javascript().limits(self.limits).options(*options).build()?.into_inner()),
            Guest::Wasm { arguments } => {
                let name = self.task.programs.first().map(|program| program.name.clone()).unwrap_or_default();
                let mut builder = wasm::Builder::new().arguments(std::iter::once(name).chain(arguments.iter().cloned()));
                if let Some(cache) = &resources.wasm_cache {
                    builder = builder.cache(cache.clone());
                }
                self.around(builder.engine())?
            }
            Guest::Ruby => {
                let ruby = resources.ruby.as_ref().ok_or_else(|| missing("Ruby, prepared"))?;
                self.around(ruby.engine(wasm::World::default()))?
            }
            Guest::Machine { language, arguments } => {
                let source = resources.machines.as_ref().ok_or_else(|| missing("a source of machines"))?;
                let mut engine = machine::MachineEngine::new(Arc::clone(source)).arguments(arguments.clone());
                if let Some(language) = language {
                    engine = engine.language(language);
                }
                self.around(engine)?
            }
        };
        for standard in &self.offers {
            cell.offer(standard.name(), standard.offer())?;
        }
        cell.prepare(&self.task)?;
        Ok(cell)
    }

    fn around<E: cell::Engine + 'static>(&self, engine: E) -> Result<Box<dyn AnyCell>, Error> {
        Ok(Box::new(cell::Cell::new(engine, self.limits, Some(WallClock::shared()))?))
    }
}
