//! The frame chain: it is always there, because `$fp` is a real frame pointer in everything the compiler makes.

use cell::TraceFrame;
use memory::Space;

use super::Symbols;
use crate::state::{Cpu, FP};

/// The most frames of a trace. Endless recursion has thousands; the innermost tell what it is.
pub const MOST_FRAMES: usize = 64;

/// Walks from the present instruction outwards: `[fp]` is the caller's `fp`, `[fp + 4]` the return address. Whatever the guest has made of its
/// stack, this ends: frames must lie one above the other.
pub fn backtrace(cpu: &Cpu, space: &Space, symbols: &Symbols) -> Vec<TraceFrame> {
    let mut frames = symbols.frames_at(cpu.pc);
    let mut fp = cpu.registers[FP];
    // At a function's first instruction `jsr` has made the frame already, so there is no prologue to look out for.
    while frames.len() < MOST_FRAMES {
        let (Some(caller), Some(back)) = (word(space, fp), fp.checked_add(4).and_then(|at| word(space, at))) else { break };
        // The outermost frame: start-up code clears `fp` before it calls.
        if back == 0 {
            break;
        }
        // The call is the instruction before the return address; any byte of it finds its line. The shortest is two bytes long.
        let mut callers = symbols.frames_at(back.wrapping_sub(2));
        for frame in &mut callers {
            frame.address = Some(u64::from(back));
        }
        frames.append(&mut callers);
        if caller <= fp {
            break;
        }
        fp = caller;
    }
    frames.truncate(MOST_FRAMES);
    frames
}

fn word(space: &Space, address: u32) -> Option<u32> {
    let mut bytes = [0; 4];
    space.read(address, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}
