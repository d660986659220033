//! Bytes that claim to be a value or a journal.
#![no_main]

use cell::{Bounds, Journal, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds::default();
    if let Ok(argument) = decode(bytes, &bounds) {
        // Bytes are compared: a number that is none equals nothing.
        let written = encode(&argument, &bounds).expect("what was read can be written");
        let read = decode(&written, &bounds).expect("what was written can be read");
        assert_eq!(encode(&read, &bounds).expect("it can be written again"), written);
    }
    let _ = Journal::from_bytes(bytes);
});
