//! Bytes as code, on a stack page of their own: interpreter and compiler must agree on everything, however the fuel is handed out.
#![no_main]

use cell::{Cell, Limits, Task};
use libfuzzer_sys::fuzz_target;
use moxie::{Moxie, Options, Tier};

/// A one-segment executable, writable, entered at its first byte.
fn executable(code: &[u8]) -> Vec<u8> {
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |elf: &mut Vec<u8>, value: u16| elf.extend_from_slice(&value.to_le_bytes());
    let word = |elf: &mut Vec<u8>, value: u32| elf.extend_from_slice(&value.to_le_bytes());
    half(&mut elf, 2);
    half(&mut elf, 223);
    for value in [1, 0x1000, 52, 0, 0] {
        word(&mut elf, value);
    }
    for value in [52, 32, 1, 40, 0, 0] {
        half(&mut elf, value);
    }
    for value in [1, 84, 0x1000, 0x1000, code.len() as u32, code.len() as u32 + 4096, 7, 1] {
        word(&mut elf, value);
    }
    elf.extend_from_slice(code);
    elf
}

fuzz_target!(|bytes: &[u8]| {
    let Some((slice, code)) = bytes.split_first() else { return };
    let task = Task::program("fuzz", executable(code));
    let outcomes: Vec<_> = [(Tier::Interpreter, 50_000), (Tier::Jit, 50_000), (Tier::Jit, u64::from(*slice) + 1)]
        .into_iter()
        .map(|(tier, slice)| {
            let options = Options { tier, ..Options::default() };
            let mut cell = Cell::new(Moxie::new(options), Limits::default().memory(1 << 20).fuel(10_000), None).expect("a cell");
            cell.set_slice(slice);
            cell.execute(&task).ok()
        })
        .collect();
    assert!(outcomes[0] == outcomes[1] && outcomes[0] == outcomes[2], "interpreter and compiler differ");
});
