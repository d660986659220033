//! Makes the library's image with the engine itself.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("cargo sets OUT_DIR"))?;
    std::fs::write(Path::new(&folder).join("library.image"), javascript::library_image())?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
