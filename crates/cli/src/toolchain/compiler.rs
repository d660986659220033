//! `oubliette cc`: gcc for contracts, with what a contract wants unless its author says otherwise.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use super::error::ToolchainError;
use super::{locate, runtime, tool};

/// Compiles, assembles or links as gcc's arguments say, and answers gcc's exit status (1 when a signal ended it).
///
/// Added to the arguments: `-O2` when they name no level, `-g` when they say nothing of debugging, so that a trap can name lines;
/// `-lm` at the end of a link; for C++ what a contract cannot have is switched off (exceptions, run-time types).
/// Start-up code, linker script and libraries need no arguments: they lie where gcc looks.
///
/// # Errors
/// When no tool chain is installed, when it has no C++ compiler and one is needed, when gcc cannot be started.
pub(crate) fn cc(arguments: &[OsString]) -> Result<i32, ToolchainError> {
    let root = locate()?;
    let mut all = runtime::ensure(&root)?;
    if arguments.iter().any(|argument| is_cxx(argument)) && !has_cxx(&root) {
        return Err(ToolchainError::NoCxx);
    }
    all.extend(complete(arguments));
    let gcc = tool(&root, "gcc");
    let status = Command::new(&gcc).args(all).status().map_err(ToolchainError::io("cannot run", gcc))?;
    Ok(status.code().unwrap_or(1))
}

fn has_cxx(root: &Path) -> bool {
    tool(root, "g++").is_file()
}

/// Whether an argument is a C++ source by its name, or asks for C++ by `-x`.
fn is_cxx(argument: &OsStr) -> bool {
    let extension = Path::new(argument).extension().and_then(OsStr::to_str);
    matches!(extension, Some("cc" | "cpp" | "cxx" | "c++" | "C" | "ii")) || argument == "c++" || argument == "-xc++"
}

/// The arguments with ours: defaults before, so that the author's win, libraries after.
fn complete(arguments: &[OsString]) -> Vec<OsString> {
    let texts: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap_or("")).collect();
    let any = |test: &dyn Fn(&str) -> bool| texts.iter().any(|text| test(text));
    let mut all: Vec<OsString> = Vec::new();
    if !any(&|text| text.starts_with("-O")) {
        all.push("-O2".into());
    }
    if !any(&|text| text.starts_with("-g") || text == "-s") {
        all.push("-g".into());
    }
    if arguments.iter().any(|argument| is_cxx(argument)) {
        all.extend(["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"].map(OsString::from));
    }
    all.extend(arguments.iter().cloned());
    let links = !any(&|text| matches!(text, "-c" | "-S" | "-E" | "-M" | "-MM" | "-fsyntax-only" | "-nostdlib" | "-nodefaultlibs" | "-r"));
    if links && any(&|text| !text.starts_with('-')) {
        all.push("-lm".into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> String {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        complete(&arguments).join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn what_the_author_says_is_left_alone() {
        for (line, expected) in [
            ("a.c -o a.elf", "-O2 -g a.c -o a.elf -lm"),
            ("-O0 a.c", "-g -O0 a.c -lm"),
            ("-Os -s a.c", "-Os -s a.c -lm"),
            ("-g3 -c a.c", "-O2 -g3 -c a.c"),
            ("--version", "-O2 -g --version"),
            ("a.cpp", "-O2 -g -fno-exceptions -fno-rtti -fno-threadsafe-statics a.cpp -lm"),
            ("-nostdlib a.o", "-O2 -g -nostdlib a.o"),
        ] {
            assert_eq!(completed(line), expected);
        }
    }
}
