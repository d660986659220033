//! Frozen cells: copied, saved, loaded.

use std::io::{Read, Write};
use std::sync::Arc;

use cell::{Error, Input, Operation, Ref, Snapshot, Target, Ticket};
use serde::{Deserialize, Serialize};

use crate::bytecode::FUEL_SCHEDULE;
use crate::engine::{JavaScript, Turn};
use crate::options::Options;
use crate::session::{Freeze, LARGEST, Session};

/// A frozen JavaScript cell: the bytes of its memory, the machine's registers, and what the host keeps for it.
#[derive(Clone)]
pub struct Frozen {
    freeze: Freeze,
    host: HostState,
}

/// What the host keeps for a cell. Offers are known by name, objects lent by reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HostState {
    options: Options,
    pending: Option<(String, Arc<[u8]>)>,
    waiting: Vec<u32>,
    turn_has_ended: bool,
    targets: Vec<(Target, Operation)>,
    handles: Vec<(Ref, u32)>,
    free_places: Vec<u32>,
    tickets: Vec<(Ticket, u32)>,
    clock: bool,
    zone: crate::vm::Zone,
    entropy: bool,
    modules: bool,
    inputs: Vec<Input>,
    state: Option<Arc<[u8]>>,
    output: Vec<u8>,
    kept: Option<Vec<u8>>,
    /// Microseconds that timers skipped.
    skipped: u64,
    timing: crate::vm::Timing,
}

/// The saved form of everything but the memory's bytes.
#[derive(Serialize, Deserialize)]
struct Header {
    schedule: u32,
    /// The library's image that the memory points into.
    image: u64,
    length: u64,
    registers: Freeze,
    host: HostState,
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Tells images apart; computed once, since it reads all of it.
fn image_checksum() -> u64 {
    static CHECKSUM: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *CHECKSUM.get_or_init(|| checksum(crate::image::image().shared.bytes()))
}

impl Frozen {
    pub(crate) fn of(engine: &JavaScript) -> Self {
        let host = &engine.session.host;
        Self {
            freeze: engine.session.freeze(),
            host: HostState {
                options: engine.options,
                pending: engine.pending.clone(),
                waiting: engine.waiting.clone(),
                turn_has_ended: engine.turn == Turn::Value,
                targets: host.targets.clone(),
                handles: host.handles.iter().map(|(reference, place)| (reference, *place)).collect(),
                free_places: host.free_places.clone(),
                tickets: host.tickets.clone(),
                clock: host.clock,
                zone: host.zone,
                entropy: host.entropy,
                modules: host.modules,
                inputs: host.inputs.clone(),
                state: host.state.clone(),
                output: host.output.clone(),
                kept: host.kept.clone(),
                skipped: host.skipped,
                timing: host.timing,
            },
        }
    }
}

impl Snapshot for Frozen {
    type Engine = JavaScript;

    fn spawn(&self) -> Result<JavaScript, Error> {
        let session = Session::thaw(&self.freeze).map_err(|e| Error::HostMemory(e.to_string()))?;
        let state = self.host.clone();
        let mut engine = JavaScript::over(session).with_options(state.options);
        engine.pending = state.pending;
        engine.waiting = state.waiting;
        engine.turn = if state.turn_has_ended { Turn::Value } else { Turn::Open };
        let host = &mut engine.session.host;
        host.targets = state.targets;
        for (reference, place) in state.handles {
            // References keep their numbers only when they come back in order; a gap makes later ones invalid, never wrong.
            if host.handles.insert(place) != Some(reference) {
                break;
            }
        }
        host.free_places = state.free_places;
        host.tickets = state.tickets;
        host.clock = state.clock;
        host.zone = state.zone;
        host.entropy = state.entropy;
        host.modules = state.modules;
        host.inputs = state.inputs;
        host.state = state.state;
        host.output = state.output;
        host.kept = state.kept;
        host.skipped = state.skipped;
        host.timing = state.timing;
        Ok(engine)
    }

    fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        let header = Header {
            schedule: FUEL_SCHEDULE,
            image: image_checksum(),
            length: self.freeze.bytes.len() as u64,
            registers: self.freeze.clone(),
            host: self.host.clone(),
        };
        cell::write_header(to, &header)?;
        to.write_all(&self.freeze.bytes)?;
        Ok(())
    }

    fn load(from: &mut dyn Read) -> Result<Self, Error> {
        let damaged = |what: &str| Error::Damaged(what.to_owned());
        let Header { schedule, image, length, registers: mut freeze, host } = cell::read_header(from)?;
        if image != image_checksum() || schedule != FUEL_SCHEDULE {
            return Err(damaged("the snapshot was made by another version of the library"));
        }
        let s = &freeze.saved;
        if length != u64::from(s.top) || length > LARGEST || freeze.cap < s.top || s.cursor > s.limit || s.limit > s.top {
            return Err(damaged("the snapshot's registers make no sense"));
        }
        let mut bytes = vec![0; length as usize];
        from.read_exact(&mut bytes).map_err(|_| damaged("cut short"))?;
        freeze.bytes = bytes;
        Ok(Self { freeze, host })
    }
}
