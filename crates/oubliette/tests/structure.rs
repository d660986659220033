//! The house's own rules, as tests: what may depend on what, where `unsafe` may stand, and whether the map is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository's root")
}

/// Our crates by folder name, with the folder names of those that each depends on.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo metadata");
    let short = |name: &str| name.strip_prefix("oubliette-").unwrap_or(name).to_owned();
    let ours: BTreeSet<_> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    metadata
        .packages
        .iter()
        .map(|package| {
            let inner = package
                .dependencies
                .iter()
                .filter(|dependency| dependency.kind == DependencyKind::Normal && ours.contains(&dependency.name));
            (short(&package.name), inner.map(|dependency| short(&dependency.name)).collect())
        })
        .collect()
}

#[test]
fn arrows_only_go_down() {
    // Engines don't know each other, save that ruby stands on wasm.
    let allowed: &[(&str, &[&str])] = &[
        ("cell", &[]),
        ("memory", &["cell"]),
        ("moxie", &["memory", "cell"]),
        ("javascript", &["memory", "cell"]),
        // Judges for its tests, by others.
        ("javascript-oracle", &[]),
        // Its library, made by the engine while this is built.
        ("javascript-image", &[]),
        ("wasm", &["cell"]),
        ("ruby", &["wasm", "cell"]),
        ("wire", &[]),
        ("agent", &["wire"]),
        ("machine", &["wire", "cell"]),
        ("oubliette", &["cell", "memory", "moxie", "javascript", "javascript-image", "wasm", "ruby", "machine"]),
        ("cli", &["oubliette", "cell", "moxie", "javascript", "wasm", "ruby", "machine"]),
        ("bench", &["oubliette", "cell", "memory", "moxie", "javascript", "wasm", "ruby", "machine", "wire"]),
    ];
    let allowed: BTreeMap<_, _> = allowed.iter().copied().collect();
    for (name, dependencies) in arrows() {
        let may = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("the crate `{name}` has no place in the house: say in this test what it may depend on"));
        for dependency in dependencies {
            assert!(may.contains(&dependency.as_str()), "`{name}` must not depend on `{dependency}`");
        }
    }
}

#[test]
fn the_map_names_every_crate_and_no_other() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let named: BTreeSet<String> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `crates/"))
        .map(|rest| rest.split('`').next().unwrap_or_default().trim_end_matches('/').to_owned())
        .collect();
    let there: BTreeSet<String> = fs::read_dir(root().join("crates"))
        .expect("crates/")
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(named, there, "the code map in ARCHITECTURE.md and the folder crates/ differ");
}

#[test]
fn every_path_that_the_map_and_the_promises_name_exists() {
    for document in ["ARCHITECTURE.md", "PROMISES.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).expect(document);
        for word in text.split('`').skip(1).step_by(2) {
            let is_path = ["crates/", "docs/", "guest/", "scripts/", "fuzz/", "bench/"].iter().any(|start| word.starts_with(start));
            if is_path && !word.contains(['*', ' ', '<', '{']) {
                let path = word.split("::").next().unwrap_or(word).split(':').next().unwrap_or(word);
                assert!(root().join(path).exists(), "{document} names `{word}`, which is not there");
            }
        }
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Lines of code, comments and strings' continuation lines aside.
fn code_lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("readable");
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

#[test]
fn unsafe_stands_in_its_rooms_only() {
    let rooms = ["crates/memory/src", "crates/moxie/src/jit", "crates/wasm/src", "crates/agent/src", "crates/machine/src"];
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files);
    for file in files {
        let relative = file.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        if rooms.iter().any(|room| relative.starts_with(room)) || !relative.contains("/src/") {
            continue;
        }
        for (number, line) in code_lines(&file) {
            let has = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == "unsafe");
            assert!(!has, "{relative}:{number}: `unsafe` outside of its rooms");
        }
    }
    for name in ["cell", "javascript", "ruby", "wire", "oubliette", "cli"] {
        let source = root().join("crates").join(name).join("src");
        let text =
            fs::read_to_string(source.join("lib.rs")).or_else(|_| fs::read_to_string(source.join("main.rs"))).expect("a crate's root");
        assert!(text.contains("#![forbid(unsafe_code)]"), "crates/{name} does not forbid unsafe code");
    }
}

#[test]
fn engines_name_no_file_network_process_clock_or_random_number() {
    let banned = ["std::fs", "std::net", "std::process", "SystemTime", "Instant", "std::env", "getrandom", "use rand", "thread_rng"];
    for name in ["cell", "memory", "moxie", "javascript"] {
        let mut files = Vec::new();
        rust_files(&root().join("crates").join(name).join("src"), &mut files);
        for file in files {
            // What follows `#[cfg(test)]` at the end of a file is a test's.
            let lines = code_lines(&file);
            let end = lines.iter().position(|(_, line)| line.starts_with("#[cfg(test)]")).unwrap_or(lines.len());
            for (number, line) in &lines[..end] {
                // A handle on anonymous memory that has no name anywhere: the only way std writes to a descriptor.
                if file.ends_with("memory/src/mapped.rs") && line == "use std::fs::File;" {
                    continue;
                }
                for word in banned {
                    assert!(!line.contains(word), "{}:{number}: an engine must not name `{word}`", file.display());
                }
            }
        }
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for entry in fs::read_dir(root().join("crates")).expect("crates/").flatten() {
        let source = entry.path().join("src");
        let text =
            fs::read_to_string(source.join("lib.rs")).or_else(|_| fs::read_to_string(source.join("main.rs"))).expect("a crate's root");
        assert!(text.starts_with("//! "), "{} does not open with what it is", source.display());
    }
}
