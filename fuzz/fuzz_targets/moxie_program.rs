//! Bytes that claim to be an executable: loaded, run for a while in both layouts, explained when they trap.
#![no_main]

use cell::{Cell, Limits, Task};
use libfuzzer_sys::fuzz_target;
use moxie::debug::Symbols;
use moxie::{Layout, Moxie, Options, Tier};

fuzz_target!(|bytes: &[u8]| {
    let symbols = Symbols::read([bytes]);
    let _ = symbols.frames_at(0x1000);
    let mut outcomes = Vec::new();
    for tier in [Tier::Interpreter, Tier::Jit] {
        for layout in [Layout::Pages, Layout::Classic] {
            let mut cell = Cell::new(Moxie::new(Options { layout, tier }), Limits::default().memory(1 << 20).fuel(20_000), None).expect("a cell");
            outcomes.push((layout, cell.execute(&Task::program("fuzz", bytes).input("data", &bytes[..bytes.len().min(100)])).ok()));
        }
    }
    assert!(outcomes[0] == outcomes[2] && outcomes[1] == outcomes[3], "interpreter and compiler differ");
});
