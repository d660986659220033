//! Guests that call their imports with anything, for a given time:
//! `cargo run --release -p oubliette-wasm --example imports -- SECONDS FIRST_SEED`. A case that fails is named by its seed; `imports 0 SEED`
//! runs it alone.

#[path = "imports/calls.rs"]
mod calls;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The bytes of a case: a stream from its seed (xorshift), some hundred bytes long.
fn case(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let length = 150 + next() % 500;
    (0..length).map(|_| (next() >> 24) as u8).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().ok_or("usage: imports SECONDS FIRST_SEED")?.parse()?;
    let first: u64 = arguments.next().ok_or("usage: imports SECONDS FIRST_SEED")?.parse()?;
    let (start, mut ends) = (Instant::now(), BTreeMap::new());
    let mut seed = first;
    loop {
        let Ok(end) = std::panic::catch_unwind(|| calls::run(&case(seed))) else {
            return Err(format!("seed {seed} failed").into());
        };
        *ends.entry(end).or_insert(0u64) += 1;
        seed += 1;
        if start.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!("{} cases in {} s: {ends:?}", seed - first, start.elapsed().as_secs());
    Ok(())
}
