//! A WASI guest that calls what it imports with anything, over a memory full of what could be paths, tables and requests.
#![no_main]

#[path = "../../crates/wasm/examples/imports/calls.rs"]
mod calls;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    calls::run(bytes);
});
