//! What must be true of every run, whatever ran.

use cell::{Bound, Cell, Engine, Limits, Meter, Outcome, Snapshot, Stop, Task, TrapKind};
use javascript::{Frozen, JavaScript};

use crate::generator::Choices;

/// How runs ended.
#[derive(Debug, Default)]
pub struct Ends {
    /// With a value.
    pub finished: u64,
    /// With an exception, a `SyntaxError` among them.
    pub raised: u64,
    /// Out of fuel.
    pub fuel: u64,
    /// Out of memory.
    pub memory: u64,
    /// Something else: output full, waiting.
    pub other: u64,
    /// Refused to load, or stopped because guest memory made no sense.
    pub refused: u64,
}

impl Ends {
    fn count(&mut self, stop: &Stop) {
        *match stop {
            Stop::Finished(_) => &mut self.finished,
            Stop::Raised(_) => &mut self.raised,
            Stop::OutOfFuel => &mut self.fuel,
            Stop::OutOfMemory => &mut self.memory,
            Stop::Trapped(_) => &mut self.refused,
            _ => &mut self.other,
        } += 1;
    }
}

fn cell(memory: u64, fuel: u64) -> Cell<JavaScript> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(memory).fuel(fuel) };
    Cell::new(JavaScript::new(memory).expect("room"), limits, None).expect("a cell")
}

/// Runs a text: it ends without a trap, within its memory, and with the same fuel whatever the slices.
///
/// # Errors
/// What was not so.
pub fn source(text: &[u8], memory: u64, fuel: u64, slice: u64, ends: &mut Ends) -> Result<(), String> {
    let once = |slice: u64| -> Result<Outcome, String> {
        let mut cell = cell(memory, fuel);
        cell.set_slice(slice);
        let name = if text.len().is_multiple_of(5) { "hostile.mjs" } else { "hostile.js" };
        let outcome = cell.execute(&Task::program(name, text)).map_err(|error| error.to_string())?;
        if let Stop::Trapped(trap) = &outcome.stop {
            return Err(format!("trapped: {trap:?}"));
        }
        if outcome.usage.memory_peak > memory {
            return Err(format!("a peak of {} bytes under a cap of {memory}", outcome.usage.memory_peak));
        }
        match cell.execute(&Task::from("1 + 1")) {
            Ok(again) if matches!(again.stop, Stop::Trapped(_)) => Err(format!("then {:?}", again.stop)),
            _ => Ok(outcome),
        }
    };
    let (whole, sliced) = (once(50_000)?, once(slice)?);
    if (&whole.stop, whole.usage.fuel, &whole.stdout) != (&sliced.stop, sliced.usage.fuel, &sliced.stdout) {
        return Err(format!(
            "{:?} after {:?} units; in slices of {slice} {:?} after {:?}",
            whole.stop, whole.usage.fuel, sliced.stop, sliced.usage.fuel
        ));
    }
    ends.count(&whole.stop);
    Ok(())
}

/// Stops a program somewhere, saves it, changes bytes of what was saved, loads it and goes on: it is refused, or it ends somehow.
///
/// # Errors
/// The host noticed something that it should never see.
pub fn snapshot(text: &[u8], choices: &mut impl Choices, ends: &mut Ends) -> Result<(), String> {
    let memory = 1 << 20;
    let mut cell = cell(memory, u64::from(1_000 + choices.below(200_000)));
    let outcome = cell.execute(&Task::program("saved.js", text)).map_err(|error| error.to_string())?;
    ends.count(&outcome.stop);
    let Ok(frozen) = cell.engine().snapshot() else { return Ok(()) };
    let mut bytes = Vec::new();
    frozen.save(&mut bytes).map_err(|error| error.to_string())?;
    // The registers come first, then guest memory; both are aimed at, memory word by word.
    let length = bytes.len() as u32;
    let header = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) + 8;
    for _ in 0..=choices.below(20) {
        if choices.below(4) == 0 {
            let at = choices.below(header.min(length)) as usize;
            bytes[at] = choices.below(256) as u8;
            continue;
        }
        let at = header + choices.below((length.saturating_sub(header) / 4).max(1)) * 4;
        let word = match choices.below(5) {
            0 => u32::MAX,
            1 => choices.below(1 << 16),
            2 => choices.below(length) & !15,
            3 => 1 << choices.below(32),
            _ => choices.below(1 << 16) << 16 | choices.below(1 << 16),
        };
        if let Some(place) = bytes.get_mut(at as usize..at as usize + 4) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
    let Ok(frozen) = Frozen::load(&mut bytes.as_slice()) else {
        ends.refused += 1;
        return Ok(());
    };
    let Ok(mut engine) = frozen.spawn() else {
        ends.refused += 1;
        return Ok(());
    };
    let mut meter = Meter::new(Some(100_000));
    let mut event = engine.run(&mut meter);
    for _ in 0..100 {
        let cell::Event::Call(_) = event else { break };
        event = engine.resume(cell::Reply::Return(cell::Argument::default()), &mut meter);
    }
    if let cell::Event::Stop(stop) = event {
        if let Stop::Trapped(trap) = &stop
            && trap.kind == TrapKind::Internal
        {
            return Err(format!("trapped: {trap:?}"));
        }
        ends.count(&stop);
    }
    engine.collect(&Stop::OutOfFuel);
    Ok(())
}
