//! Images, snapshots, the cache of compiled code, and the memory cap.

use cell::{Argument, Cell, Error, Limits, Task, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasm::{Builder, Cache, Guest, Program, Setup, Wasm, run};

fn module(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.wasm"))).unwrap()
}

/// A private folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn call(guest: &mut Guest, name: &'static str, argument: i32) -> i32 {
    let bytes = run(
        guest,
        Box::new(move |store, instance| {
            Box::pin(async move {
                let function = instance.get_typed_func::<i32, i32>(&mut *store, name)?;
                Ok(function.call_async(&mut *store, argument).await?.to_le_bytes().to_vec())
            })
        }),
    )
    .unwrap();
    i32::from_le_bytes(bytes.try_into().unwrap())
}

#[test]
fn an_image_starts_where_its_job_ended() {
    let job: wasm::Job = Box::new(|store, instance| {
        Box::pin(async move {
            instance.get_typed_func::<(), ()>(&mut *store, "_initialize")?.call_async(&mut *store, ()).await?;
            instance.get_typed_func::<i32, i32>(&mut *store, "bump")?.call_async(&mut *store, 23).await?;
            Ok(b"note".to_vec())
        })
    });
    let mut steps = Vec::new();
    let image = Program::prepare_image(&module("counter"), Setup::default(), job, None, None, &mut |step| steps.push(step)).unwrap();
    assert_eq!((image.note(), steps.len()), (Some(&b"note"[..]), 3));
    for _ in 0..3 {
        let mut guest = Guest::new(Arc::clone(&image), Setup::default());
        assert_eq!([call(&mut guest, "peek", 1025), call(&mut guest, "peek", 70000)], [2, 123]);
        assert_eq!(call(&mut guest, "bump", 1), 124);
    }
}

/// An image of the counter, initialised and nothing else.
fn initialised(cache: Option<&Cache>) -> Arc<Program> {
    let job: wasm::Job = Box::new(|store, instance| {
        Box::pin(async move {
            instance.get_typed_func::<(), ()>(&mut *store, "_initialize")?.call_async(&mut *store, ()).await?;
            Ok(Vec::new())
        })
    });
    Program::prepare_image(&module("counter"), Setup::default(), job, None, cache, &mut |_| ()).unwrap()
}

/// An image of the counter at `count`, kept in a cache if there is one.
fn counted(count: i32, cache: Option<&Cache>) -> Arc<Program> {
    let first = initialised(cache);
    let mut guest = Guest::new(Arc::clone(&first), Setup::default());
    let before = call(&mut guest, "bump", 0);
    call(&mut guest, "bump", count - before);
    let trial: wasm::Job = Box::new(|store, instance| {
        Box::pin(async move {
            instance.get_typed_func::<i32, i32>(&mut *store, "bump")?.call_async(&mut *store, 1).await?;
            Ok(Vec::new())
        })
    });
    first.rebase(&mut guest, None, Some((Setup::default(), trial)), cache.map(|cache| (cache, "counted"))).unwrap()
}

#[test]
fn an_image_is_made_of_an_image_and_the_trial_leaves_nothing() {
    let image = counted(200, None);
    for _ in 0..3 {
        let mut guest = Guest::new(Arc::clone(&image), Setup::default());
        assert_eq!([call(&mut guest, "peek", 70000), call(&mut guest, "bump", 1)], [200, 201]);
    }
    // Frozen relative to one image, told relative to the other.
    let root = counted(7, None);
    let mut guest = Guest::new(Arc::clone(&image), Setup::default());
    call(&mut guest, "bump", 2);
    let frozen = image.freeze(&mut guest).unwrap();
    let told = Arc::new(image.retell(&frozen, &root).unwrap());
    let mut copy = Guest::thaw(Arc::clone(&root), &told, Setup::default());
    assert_eq!(call(&mut copy, "bump", 1), 203);
}

#[test]
fn memory_goes_back_without_the_image() {
    let image = counted(200, None);
    let plain = initialised(None);
    for _ in 0..4 {
        let mut guest = Guest::new(Arc::clone(&image), Setup::default());
        assert_eq!(call(&mut guest, "bump", 1), 201);
        drop(guest);
        let mut guest = Guest::new(Arc::clone(&plain), Setup::default());
        assert_eq!(call(&mut guest, "peek", 70000), 0);
    }
}

#[test]
fn an_altered_image_is_refused() {
    let folder = folder("image");
    let cache = Cache::open(&folder).unwrap();
    counted(200, Some(&cache));
    let load = || Program::load_image("counted", &cache, None);
    let mut guest = Guest::new(load().unwrap().unwrap(), Setup::default());
    assert_eq!(call(&mut guest, "bump", 1), 201);
    assert!(Program::load_image("another", &cache, None).unwrap().is_none());
    let files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let image = files.iter().find(|path| path.extension().is_some_and(|it| it == "image")).unwrap();
    for extension in ["image", "head", "mac"] {
        let path = image.with_extension(extension);
        let good = std::fs::read(&path).unwrap();
        // In what is zero too.
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(matches!(load(), Err(Error::Damaged(_))), "{extension} at {at}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(matches!(load(), Err(Error::Damaged(_))), "{extension} cut");
        std::fs::write(&path, &good).unwrap();
        load().unwrap().unwrap();
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_frozen_instance_comes_back_as_it_was() {
    let program = Program::new(&module("counter"), None, None).unwrap();
    let mut guest = Guest::new(Arc::clone(&program), Setup::default());
    call(&mut guest, "bump", 5);
    let frozen = program.freeze(&mut guest).unwrap();
    call(&mut guest, "bump", 1000);
    let mut saved = Vec::new();
    frozen.save(&mut saved).unwrap();
    let loaded = wasm::Frozen::load(&mut saved.as_slice()).unwrap();
    for frozen in [Arc::new(frozen), Arc::new(loaded)] {
        let mut copy = Guest::thaw(Arc::clone(&program), &frozen, Setup::default());
        assert_eq!([call(&mut copy, "peek", 70000), call(&mut copy, "bump", 1)], [5, 6]);
    }
    for end in (0..saved.len()).step_by(7) {
        assert!(matches!(wasm::Frozen::load(&mut &saved[..end]), Err(Error::Damaged(_))), "cut at {end}");
    }
}

#[test]
fn a_reactor_answers_calls_and_is_cloned() {
    let mut cell: Cell<Wasm> = Cell::new(Builder::new().engine(), Limits::default(), None).unwrap();
    cell.execute(&Task::program("counter.wasm", module("counter"))).unwrap();
    let bump = |cell: &mut Cell<Wasm>, by: i32| cell.call("bump", &[by.into()]).unwrap().value;
    assert_eq!(bump(&mut cell, 1), Some(Argument::Value(Value::integer(101))));
    let snapshot = cell.snapshot().unwrap();
    assert_eq!(bump(&mut cell, 1), Some(Argument::Value(Value::integer(102))));
    let mut copy = snapshot.spawn(None).unwrap();
    assert_eq!(bump(&mut copy, 10), Some(Argument::Value(Value::integer(111))));
    assert!(matches!(cell.call("bump", &[]), Err(Error::Invalid(_))));
    assert!(matches!(cell.call("missing", &[]), Err(Error::Invalid(_))));
}

#[test]
fn altered_code_is_refused() {
    let folder = folder("cache");
    let cache = Cache::open(&folder).unwrap();
    let bytes = module("print");
    Program::new(&bytes, Some(&cache), None).unwrap();
    Program::new(&bytes, Some(&cache), None).unwrap();
    let files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for extension in ["code", "mac"] {
        let path = files.iter().find(|path| path.extension().is_some_and(|it| it == extension)).unwrap();
        let good = std::fs::read(path).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(path, &bad).unwrap();
            assert!(matches!(Program::new(&bytes, Some(&cache), None), Err(Error::Damaged(_))), "{extension} at {at}");
        }
        std::fs::write(path, &good[..good.len() - 1]).unwrap();
        assert!(matches!(Program::new(&bytes, Some(&cache), None), Err(Error::Damaged(_))), "{extension} cut");
        std::fs::write(path, &good).unwrap();
    }
    Program::new(&bytes, Some(&cache), None).unwrap();
    // Code is bound to its name: another program's code under it is refused, however good its own MAC was.
    Program::new(&module("finish"), Some(&cache), None).unwrap();
    let named = |extension: &str| -> Vec<PathBuf> {
        let all = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
    };
    let (codes, macs) = (named("code"), named("mac"));
    let of = |list: &[PathBuf], stem: &Path| list.iter().find(|path| path.file_stem() == stem.file_stem()).unwrap().clone();
    let (one, two) = (codes[0].clone(), codes[1].clone());
    std::fs::copy(&one, &two).unwrap();
    std::fs::copy(of(&macs, &one), of(&macs, &two)).unwrap();
    let results = [Program::new(&bytes, Some(&cache), None), Program::new(&module("finish"), Some(&cache), None)];
    assert_eq!(results.iter().filter(|result| matches!(result, Err(Error::Damaged(_)))).count(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_cache_that_others_may_open_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder("open-cache");
    Cache::open(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(Cache::open(&folder), Err(Error::Damaged(_))));
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(folder.join("secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Cache::open(&folder), Err(Error::Damaged(_))));
    std::fs::remove_dir_all(folder).unwrap();
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn dirtying_everything_stays_under_the_cap() {
    let program = Program::new(&module("counter"), None, None).unwrap();
    let mut guest = Guest::new(program, Setup { memory: 64 << 20, ..Setup::default() });
    let before = resident_kib();
    let bytes = run(
        &mut guest,
        Box::new(|store, instance| {
            Box::pin(async move {
                let function = instance.get_typed_func::<(), i32>(&mut *store, "dirty")?;
                Ok(function.call_async(&mut *store, ()).await?.to_le_bytes().to_vec())
            })
        }),
    )
    .unwrap();
    assert_eq!(i32::from_le_bytes(bytes.try_into().unwrap()), 1024, "pages of 64 KiB: the whole cap");
    assert_eq!(guest.memory(), (64 << 20, true));
    // Other tests of this process run meanwhile and use little; the guest's own part is 64 MiB.
    assert!(resident_kib() - before < 72 << 10, "{} KiB", resident_kib() - before);
}
