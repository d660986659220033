//! Bytes that claim to be a value or a journal.
#![no_main]

use cell::{Bounds, Journal, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds::default();
    if let Ok(argument) = decode(bytes, &bounds) {
        let again = encode(&argument, &bounds).expect("what was read can be written");
        assert_eq!(decode(&again, &bounds).expect("what was written can be read"), argument);
    }
    let _ = Journal::from_bytes(bytes);
});
