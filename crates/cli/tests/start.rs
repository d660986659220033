//! What the command needs before its first instruction: each library more is a tenth of the time of a short run.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use object::LittleEndian;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn, FileHeader};

#[test]
fn the_command_needs_no_library_but_the_c_library_and_the_unwinder() {
    let path = assert_cmd::cargo::cargo_bin("oubliette");
    let bytes = std::fs::read(path).expect("the command is built");
    let header = FileHeader64::<LittleEndian>::parse(&*bytes).unwrap();
    let sections = header.sections(LittleEndian, &*bytes).unwrap();
    let (dynamic, link) = sections.dynamic(LittleEndian, &*bytes).unwrap().expect("it is linked dynamically");
    let strings = sections.strings(LittleEndian, &*bytes, link).unwrap();
    let needed: Vec<String> = dynamic
        .iter()
        .filter(|entry| entry.tag32(LittleEndian) == Some(DT_NEEDED.0 as i32))
        .map(|entry| String::from_utf8_lossy(entry.string(LittleEndian, strings).unwrap()).into_owned())
        .collect();
    let known = ["libc.so", "ld-linux", "libgcc_s.so", "libpthread.so", "libdl.so"];
    let unknown: Vec<&String> = needed.iter().filter(|name| !known.iter().any(|known| name.starts_with(known))).collect();
    assert!(!needed.is_empty() && unknown.is_empty(), "{unknown:?}: something uses more of the C library's mathematics, say");
}
