//! Scripts of a folder, and how those of test262 start: for tests and examples that go through many programs.

use std::path::{Path, PathBuf};

/// Scripts in a folder and the folders within; those with an extension hold modules.
pub fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && path.extension().is_none() {
            files.extend(scripts(&path));
        } else if path.extension().is_some_and(|extension| extension == "js") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The harness that the front matter of a program of test262 asks for; none for what is no plain script that ends well.
pub fn harness(checkout: &Path, text: &str) -> Option<String> {
    let matter = text.split("/*---").nth(1)?.split("---*/").next()?;
    if ["module", "raw", "negative", "CanBlock"].iter().any(|word| matter.contains(word)) {
        return None;
    }
    let includes = matter.split("includes: [").nth(1).and_then(|rest| rest.split(']').next());
    let names = ["assert.js", "sta.js"]
        .into_iter()
        .chain(matter.contains("async").then_some("doneprintHandle.js"))
        .chain(includes.into_iter().flat_map(|list| list.split(',')).map(str::trim));
    let mut whole = if matter.contains("onlyStrict") { "'use strict';\n".to_owned() } else { String::new() };
    for name in names {
        whole.push_str(&std::fs::read_to_string(checkout.join("harness").join(name)).ok()?);
    }
    Some(whole)
}
