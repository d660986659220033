//! An image counts as memory of every instance of it. Alone in its process, because it measures the process.

use std::path::Path;
use std::sync::Arc;
use wasm::{Guest, Job, Program, Setup, run};

/// Writes to every page and takes more, until it is refused.
fn dirty() -> Job {
    Box::new(|store, instance| {
        Box::pin(async move {
            let function = instance.get_typed_func::<(), i32>(&mut *store, "dirty")?;
            Ok(function.call_async(&mut *store, ()).await?.to_le_bytes().to_vec())
        })
    })
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn dirtying_every_page_of_an_image_stays_under_the_cap() {
    const IMAGE: u64 = 48 << 20;
    const CAP: u64 = 64 << 20;
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/counter.wasm")).unwrap();
    let setup = Setup { memory: IMAGE, ..Setup::default() };
    let image = Program::prepare_image(&bytes, setup, dirty(), None, None, &mut |_| ()).unwrap();
    assert_eq!(image.image_size(), IMAGE);
    // One that is smaller than its image does not start.
    let mut small = Guest::new(Arc::clone(&image), Setup { memory: IMAGE - (64 << 10), ..Setup::default() });
    assert!(run(&mut small, dirty()).is_err());
    // The second one takes the slot of the first.
    for _ in 0..2 {
        let before = resident_kib();
        let mut guest = Guest::new(Arc::clone(&image), Setup { memory: CAP, ..Setup::default() });
        assert_eq!(run(&mut guest, dirty()).unwrap(), 1024i32.to_le_bytes(), "pages of 64 KiB: the whole cap");
        assert_eq!(guest.memory(), (CAP, true));
        let grown = resident_kib().saturating_sub(before);
        assert!(grown < 72 << 10, "{grown} KiB");
    }
}
