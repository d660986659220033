//! A saved machine with bytes changed behind the checksum: refused, or it runs to some end; the host is unharmed either way.
#![no_main]

use std::sync::OnceLock;

use cell::{Cell, Engine, Limits, Meter, Snapshot, Task};
use libfuzzer_sys::fuzz_target;
use moxie::{Moxie, MoxieSnapshot};

static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();

fn whole() -> &'static [u8] {
    WHOLE.get_or_init(|| {
        let mut cell = Cell::new(Moxie::default(), Limits::default().memory(1 << 20).fuel(1000), None).expect("a cell");
        cell.execute(&Task::program("hello", &include_bytes!("../../guest/moxie/fixtures/hello.elf")[..])).expect("runs");
        let mut saved = Vec::new();
        cell.engine().snapshot().expect("freezes").save(&mut saved).expect("saves");
        saved
    })
}

fuzz_target!(|changes: &[u8]| {
    let mut bytes = whole().to_vec();
    for change in changes.chunks_exact(4) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        bytes[at] = change[3];
    }
    let Ok(snapshot) = MoxieSnapshot::load(&mut bytes.as_slice()) else { return };
    let Ok(mut engine) = snapshot.spawn() else { return };
    let _ = engine.run(&mut Meter::new(Some(20_000)));
});
