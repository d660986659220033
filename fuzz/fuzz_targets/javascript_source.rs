//! Programs made of the fuzzer's bytes, or the bytes themselves: they end without a trap, within their memory, with the same fuel in any slices.
#![no_main]

#[path = "../../crates/javascript/examples/hostile/check.rs"]
mod check;
#[path = "../../crates/javascript/examples/hostile/generator.rs"]
mod generator;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = match bytes.split_first() {
        Some((0..=127, rest)) => rest.to_vec(),
        Some((_, rest)) => generator::grammar(&mut generator::Bytes(rest)).into_bytes(),
        None => return,
    };
    if let Err(what) = check::source(&text, 1 << 20, 200_000, 101, &mut check::Ends::default()) {
        panic!("{what}");
    }
});
