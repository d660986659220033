//! Machines of every size and language that is asked for: one template for each size of an image, made or loaded when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
use crate::catalogue::Catalogue;
use crate::engine::Source;
use crate::image::Image;
use crate::machine::Machine;
use crate::pool::{Pool, Readiness};
use crate::session::Watch;
use crate::template::{Config, Template};

/// The largest guest, in bytes.
const LARGEST: u64 = 16 << 30;

/// An image's name and the memory of its machines, in bytes.
type Make = (String, u64);

/// A source of machines of any memory, with the walls of one configuration. They are made from its image, unless a language
/// is asked for that only another image in its data folder has.
#[derive(Debug)]
pub struct Machines {
    config: Config,
    templates: Mutex<HashMap<Make, Arc<Template>>>,
    pools: Mutex<HashMap<Make, Arc<Pool>>>,
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

    /// The image for a language, by name: the configuration's unless only another one has it.
    fn image(&self, language: Option<&str>) -> String {
        let own = &self.config.image;
        let images = Image::installed(&self.config.data);
        let has = |image: &&Image| language.is_none_or(|language| image.has_language(language));
        let fit = images.iter().find(|image| image.name() == *own && has(image)).or_else(|| images.iter().find(has));
        fit.map_or_else(|| own.clone(), Image::name)
    }

    /// The template for a size, from the configuration's image.
    ///
    /// # Errors
    /// Those of [`Template::open`].
    pub fn template(&self, memory: u64) -> Result<Arc<Template>, Error> {
        self.template_of((self.config.image.clone(), self.size(memory)?))
    }

    fn template_of(&self, make: Make) -> Result<Arc<Template>, Error> {
        // Held while it is made: whoever else wants it waits for the same.
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.get(&make) {
            return Ok(Arc::clone(template));
        }
        let template = Template::open(&Config { image: make.0.clone(), memory: make.1, ..self.config.clone() })?;
        templates.insert(make, Arc::clone(&template));
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
        pools.insert((self.config.image.clone(), template.config().memory), Arc::clone(&pool));
        Ok(pool)
    }
}

impl Source for Machines {
    fn machine(&self, memory: u64, language: Option<&str>) -> Result<Machine, Error> {
        let make = (self.image(language), self.size(memory)?);
        let pool = self.pools.lock().unwrap_or_else(PoisonError::into_inner).get(&make).cloned();
        if let Some(pool) = pool {
            return pool.take();
        }
        let machine = self.template_of(make)?.spawn()?;
        machine.watch(Watch::default())?;
        Ok(machine)
    }

    fn least_memory(&self, language: &str) -> Option<u64> {
        let language = Catalogue::built_in().ok()?.by_name(language)?;
        Some(language.memory << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a finished image.
    fn image(data: &std::path::Path, name: &str, languages: &[&str]) {
        let folder = data.join("images").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let text = format!("name = {name:?}\nid = \"1\"\nkernel = \"6\"\ndisk = 1\nlanguages = {languages:?}\n");
        std::fs::write(folder.join("image.toml"), text).expect("written");
    }

    #[test]
    fn a_language_is_found_in_whichever_image_has_it() {
        let data = tempfile::tempdir().expect("a folder");
        let machines = Machines::new(Config::new(data.path()));
        assert_eq!(machines.image(Some("C")), "base", "where there is none, the error is about the usual one");
        image(data.path(), "base", &["C", "Lua 5.4"]);
        image(data.path(), "all", &["C", "Haskell"]);
        std::fs::create_dir_all(data.path().join("images/unfinished/work")).expect("a folder");
        for (language, image) in [(None, "base"), (Some("C"), "base"), (Some("Haskell"), "all"), (Some("Zig"), "base")] {
            assert_eq!(machines.image(language), image, "{language:?}");
        }
    }
}
