//! How the command is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // At a fixed address: 36,000 pointers would be adjusted at every start otherwise, on 170 pages that are copied for it, which is a third
        // of the time of a short run. Stack, heap, libraries, guest memory and compiled code are still placed at random.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
