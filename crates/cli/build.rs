//! How the command is linked: so that it starts fast.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // At a fixed address: 36,000 pointers would be adjusted at every start otherwise, on 170 pages that are copied for it, which is a third
        // of the time of a short run. Stack, heap, libraries, guest memory and compiled code are still placed at random.
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // With the unwinder inside: one library less to find, map and search for symbols. Where the compiler has no such archive it stays a
        // library.
        if unwinder_is_there() {
            println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
        }
    }
}

/// Whether the C compiler that will link has its unwinder as an archive.
fn unwinder_is_there() -> bool {
    let same = std::env::var("HOST") == std::env::var("TARGET");
    let found = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    same && found.is_ok_and(|found| Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_absolute())
}
