//! Bytes that claim to be a recording or a receipt.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oubliette::{Receipt, Recording};

fuzz_target!(|bytes: &[u8]| {
    let _ = Recording::load(&mut &*bytes);
    // Behind the checksum, too: the frame is put around the bytes here.
    let mut framed = Vec::new();
    cell::write_framed(&mut framed, "recording", 1, bytes).expect("written");
    let _ = Recording::load(&mut framed.as_slice());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Receipt::from_json(text);
    }
});
