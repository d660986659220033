//! Frozen machines.

use std::io::{Read, Write};
use std::sync::Arc;

use cell::{Console, Error, Input, Resolved, read_header, write_header};
use memory::{BadImage, Image};
use serde::{Deserialize, Serialize};

use super::{Moxie, Options};
use crate::environment::Environment;
use crate::machine::Machine;
use crate::state::{Cpu, FrozenCpu};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) options: Options,
    pub(super) limits: Resolved,
    pub(super) cpu: Option<FrozenCpu>,
    pub(super) programs: Arc<[Input]>,
    pub(super) announced: u8,
    pub(super) stack: (u32, u32),
    pub(super) environment: Environment,
    pub(super) console: Console,
    pub(super) instructions: u64,
    pub(super) too_large: Option<String>,
    /// The most bytes that the address space had committed.
    pub(super) memory_peak: u64,
}

/// A frozen machine.
#[derive(Clone, Debug)]
pub struct MoxieSnapshot {
    pub(super) head: Head,
    pub(super) image: Option<Image>,
}

impl cell::Snapshot for MoxieSnapshot {
    type Engine = Moxie;

    fn spawn(&self) -> Result<Moxie, Error> {
        let head = &self.head;
        let mut engine = Moxie::new(head.options);
        engine.limits = head.limits;
        engine.environment = head.environment.clone();
        engine.console = head.console.clone();
        engine.programs = Arc::clone(&head.programs);
        engine.instructions = head.instructions;
        engine.too_large.clone_from(&head.too_large);
        if let (Some(image), Some(cpu)) = (&self.image, &head.cpu) {
            let cpu = Cpu::thaw(cpu).ok_or_else(|| Error::Damaged("the snapshot's registers are not those of this machine".into()))?;
            let mut space = image.spawn(head.limits.memory).map_err(|error| Error::HostMemory(error.to_string()))?;
            space.raise_peak(head.memory_peak);
            engine.machine = Some(Machine { cpu, space, announced: head.announced, stack: head.stack });
        }
        Ok(engine)
    }

    fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        write_header(to, &self.head)?;
        if let Some(image) = &self.image {
            image.save(to)?;
        }
        Ok(())
    }

    fn load(from: &mut dyn Read) -> Result<Self, Error> {
        let head: Head = read_header(from)?;
        let image = match &head.cpu {
            None => None,
            Some(cpu) => {
                Cpu::thaw(cpu).ok_or_else(|| Error::Damaged("the snapshot's registers are not those of this machine".into()))?;
                let most = head.limits.memory.unwrap_or(u64::MAX);
                Some(Image::load(from, most).map_err(|error| match error {
                    BadImage::Damaged(_) => Error::Damaged(error.to_string()),
                    BadImage::Io(error) => Error::Damaged(format!("the snapshot's memory cannot be taken over: {error}")),
                })?)
            }
        };
        Ok(Self { head, image })
    }
}
