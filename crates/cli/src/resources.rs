//! What cells need of this machine: caches, Ruby's image, virtual machines. Found, or made with a word on what is being done.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use machine::{Config, Machines, Policy, Rule};
use oubliette::{CellKind, Resources};

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The user's cache folder for us.
fn cache() -> PathBuf {
    variable("OUBLIETTE_CACHE")
        .unwrap_or_else(|| ruby::PrepareOptions::default_cache(variable("HOME").as_deref(), variable("XDG_CACHE_HOME").as_deref()))
}

/// The user's data folder for us: images and frozen machines.
pub(crate) fn data() -> Result<PathBuf> {
    oubliette::data_folder().context("there is no home directory: name a data folder with OUBLIETTE_DATA")
}

/// What a cell of this kind needs.
pub(crate) fn for_kind(kind: CellKind) -> Result<Resources> {
    let mut resources = Resources::default();
    match kind {
        CellKind::Moxie | CellKind::JavaScript => {}
        CellKind::Wasm => {
            let folder = cache().join("wasm");
            resources.wasm_cache =
                Some(wasm::Cache::open(&folder).with_context(|| format!("cannot use the cache `{}`", folder.display()))?);
        }
        CellKind::Ruby => {
            let options = ruby::PrepareOptions::new(cache().join("ruby"));
            let ruby = ruby::prepare(&options, &mut |progress| {
                eprintln!("preparing Ruby once, step {} of {}: {}", progress.step, progress.of, progress.what)
            });
            resources.ruby = Some(ruby.context("Ruby could not be prepared")?);
        }
        CellKind::Machine => resources.machines = Some(machines(&[])?),
    }
    Ok(resources)
}

/// A way to the hosts that are allowed; none means no network device at all.
pub(crate) fn network(allowed: &[Rule]) -> Option<Policy> {
    (!allowed.is_empty()).then(|| Policy { allow: allowed.to_vec(), ..Policy::default() })
}

/// This user's machines, with a way to the hosts that are allowed.
pub(crate) fn machines(allowed: &[Rule]) -> Result<Arc<Machines>> {
    Ok(Arc::new(Machines::new(Config { network: network(allowed), ..Config::new(data()?) })))
}
