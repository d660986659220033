//! Bytes that claim to be messages between a machine and its agent, either way, cut anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Decoder, FromGuest, MAX_FRAME, PREAMBLE, ToGuest, encode};

/// Reads everything; what was read can be written, and read again as the same.
fn read<M: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8], cut: usize) {
    let mut decoder = Decoder::new();
    for piece in bytes.chunks(cut) {
        decoder.feed(piece);
        loop {
            match decoder.next_message::<M>() {
                Ok(None) => break,
                Ok(Some(message)) => {
                    let mut again = Vec::new();
                    encode(&message, &mut again).expect("what was read can be written");
                    let mut second = Decoder::new();
                    second.feed(&again);
                    assert_eq!(second.next_message::<M>(), Ok(Some(message)));
                }
                Err(_) => {}
            }
        }
    }
    // Whatever came before, another host's preamble brings it back.
    decoder.forget();
    decoder.feed(&PREAMBLE);
    assert!(matches!(decoder.next_message::<M>(), Ok(None)));
    assert!(decoder.preambles() > 0);
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, rest)) = bytes.split_first() else { return };
    let cut = usize::from(cut).max(1) * 7;
    if rest.len() <= 4 * MAX_FRAME {
        read::<ToGuest>(rest, cut);
        read::<FromGuest>(rest, cut);
    }
});
