//! Machines of every size that is asked for: one template for each, made or loaded when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::catalogue::Catalogue;
use crate::engine::Source;
use crate::machine::Machine;
use crate::pool::{Pool, Readiness};
use crate::session::Watch;
use crate::template::{Config, Template};

/// The largest guest, in bytes.
const LARGEST: u64 = 16 << 30;

/// A source of machines of any memory, from the image and with the walls of one configuration.
#[derive(Debug)]
pub struct Machines {
    config: Config,
    templates: Mutex<HashMap<u64, Arc<Template>>>,
    pools: Mutex<HashMap<u64, Arc<Pool>>>,
}

impl Machines {
    /// Machines by a configuration, whose memory is the least that any of them has. Nothing is loaded yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, templates: Mutex::default(), pools: Mutex::default() }
    }

    /// The size of a machine for a program that may use so many bytes: the configuration's memory doubled until it is enough.
    fn size(&self, memory: u64) -> Result<u64, Error> {
        let mut size = self.config.memory;
        while size < memory {
            size *= 2;
        }
        if size > LARGEST {
            let message = format!("no machine has {} MiB of memory; {} is the most", memory >> 20, LARGEST >> 20);
            return Err(Error::Unsupported(message));
        }
        Ok(size)
    }

    /// The template for a size.
    ///
    /// # Errors
    /// Those of [`Template::open`].
    pub fn template(&self, memory: u64) -> Result<Arc<Template>, Error> {
        let size = self.size(memory)?;
        // Held while it is made: whoever else wants it waits for the same.
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.get(&size) {
            return Ok(Arc::clone(template));
        }
        let template = Template::open(&Config { memory: size, ..self.config.clone() })?;
        templates.insert(size, Arc::clone(&template));
        Ok(template)
    }

    /// Keeps so many machines of a size ready from now on.
    ///
    /// # Errors
    /// Those of [`Template::open`] and [`Pool::new`].
    pub fn keep_ready(&self, memory: u64, count: usize, readiness: Readiness) -> Result<Arc<Pool>, Error> {
        let template = self.template(memory)?;
        let pool = Arc::new(Pool::new(&template, count, readiness)?);
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.insert(template.config().memory, Arc::clone(&pool));
        Ok(pool)
    }
}

impl Source for Machines {
    fn machine(&self, memory: u64) -> Result<Machine, Error> {
        let size = self.size(memory)?;
        let pool = self.pools.lock().unwrap_or_else(PoisonError::into_inner).get(&size).cloned();
        if let Some(pool) = pool {
            return pool.take();
        }
        let machine = self.template(memory)?.spawn()?;
        machine.watch(Watch::default())?;
        Ok(machine)
    }

    fn least_memory(&self, language: &str) -> Option<u64> {
        let language = Catalogue::built_in().ok()?.by_name(language)?;
        Some(language.memory << 20)
    }
}
