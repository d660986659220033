//! Our own runtime for contracts (`guest/moxie`): carried in this binary, compiled by the tool chain it goes into.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use include_dir::{Dir, DirEntry, File, include_dir};
use sha2::{Digest, Sha256};

use super::error::ToolchainError;
use super::{TARGET, default_root, tool};

static RUNTIME: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest/moxie/runtime");
static INCLUDE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest/moxie/include");
static PATCHES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest/moxie/toolchain");

/// In the library folder: which runtime is there.
const STAMP: &str = "oubliette-runtime";

/// As in `guest/moxie/Makefile`: the memory functions must not become calls to themselves.
const FLAGS: &[&str] = &["-O2", "-g0", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-ffunction-sections"];

/// Our changes to sources: name, which starts with the source's, and text.
pub(super) fn patches() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    PATCHES.files().filter_map(|file| {
        let name = file.path().to_str().filter(|name| name.ends_with(".patch"))?;
        Some((name, file.contents()))
    })
}

/// Puts the runtime into the tool chain at `root`, unless this very one is there already.
pub(super) fn install(root: &Path) -> Result<(), ToolchainError> {
    let target = root.join(TARGET);
    install_into(root, &target.join("lib"), &target.join("include"))
}

/// Makes the tool chain at `root` fit for use and answers the arguments gcc needs for it. None, as a rule; when the tool chain
/// cannot be written to, the runtime is kept beside the default place and gcc is told.
pub(super) fn ensure(root: &Path) -> Result<Vec<OsString>, ToolchainError> {
    match install(root) {
        Ok(()) => Ok(Vec::new()),
        Err(ToolchainError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) =>
        {
            let mut place = default_root()?.into_os_string();
            place.push("-runtime");
            let place = PathBuf::from(place);
            let (lib, include) = (place.join("lib"), place.join("include"));
            install_into(root, &lib, &include)?;
            let mut prefix = OsString::from("-B");
            prefix.push(&lib);
            prefix.push("/");
            Ok(vec![prefix, "-isystem".into(), include.into()])
        }
        Err(error) => Err(error),
    }
}

/// The runtime at `root` is not to be trusted: the next [`install`] puts it there again.
pub(super) fn forget(root: &Path) {
    // No stamp is what is wanted, whether there was one or not.
    let _ = fs::remove_file(root.join(TARGET).join("lib").join(STAMP));
}

fn install_into(root: &Path, lib: &Path, include: &Path) -> Result<(), ToolchainError> {
    let stamp = lib.join(STAMP);
    let fingerprint = fingerprint();
    if fs::read_to_string(&stamp).is_ok_and(|text| text == fingerprint) {
        return Ok(());
    }
    fs::create_dir_all(lib).map_err(ToolchainError::io("cannot create", lib))?;
    let scratch = lib.join(format!(".runtime-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(ToolchainError::io("cannot create", &scratch))?;
    let result = compile(root, &scratch).and_then(|()| {
        for file in files(&INCLUDE) {
            write(&include.join(file.path()), file.contents())?;
        }
        for name in ["crt0.o", "libsandboxrt.a", "moxiebox.ld"] {
            let (new, place) = (scratch.join(name), lib.join(name));
            fs::rename(&new, &place).map_err(ToolchainError::io("cannot write", &place))?;
        }
        write(&stamp, fingerprint.as_bytes())
    });
    // A leftover harms nobody, and the first error is the one to tell.
    let _ = fs::remove_dir_all(&scratch);
    result
}

/// Compiles everything in `scratch`.
fn compile(root: &Path, scratch: &Path) -> Result<(), ToolchainError> {
    for directory in [&RUNTIME, &INCLUDE] {
        for file in files(directory) {
            write(&scratch.join("source").join(file.path()), file.contents())?;
        }
    }
    let mut objects = Vec::new();
    for file in files(&RUNTIME) {
        let path = file.path();
        let object = match path.extension().and_then(OsStr::to_str) {
            Some("c" | "S") if path == Path::new("crt0.S") => scratch.join("crt0.o"),
            Some("c" | "S") => {
                // Not `with_extension`: a.c and a.S are two objects.
                let object = scratch.join(format!("{}.o", path.display()));
                objects.push(object.clone());
                object
            }
            _ => continue,
        };
        let source = scratch.join("source").join(path);
        let mut command = Command::new(tool(root, "gcc"));
        command.args(FLAGS).arg("-I").arg(scratch.join("source")).arg("-c").arg("-o").arg(object).arg(source);
        run(command)?;
    }
    objects.sort();
    let mut command = Command::new(tool(root, "ar"));
    command.arg("rcsD").arg(scratch.join("libsandboxrt.a")).args(&objects);
    run(command)?;
    let script = RUNTIME.get_file("moxiebox.ld").map_or(&[][..], File::contents);
    write(&scratch.join("moxiebox.ld"), script)
}

fn run(mut command: Command) -> Result<(), ToolchainError> {
    let line = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    let failed = |status: String, tail: String| ToolchainError::Command {
        stage: "runtime".to_owned(),
        command: line.clone(),
        status,
        log: PathBuf::from("the lines below"),
        tail,
    };
    let output = command.stdin(Stdio::null()).output().map_err(|error| failed(error.to_string(), String::new()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(output.status.to_string(), String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

fn write(path: &Path, contents: &[u8]) -> Result<(), ToolchainError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(ToolchainError::io("cannot create", parent))?;
    }
    fs::write(path, contents).map_err(ToolchainError::io("cannot write", path))
}

/// All files of an embedded directory, its folders included, in the order of their paths.
fn files(directory: &'static Dir<'static>) -> Vec<&'static File<'static>> {
    let mut found = Vec::new();
    let mut waiting = vec![directory];
    while let Some(directory) = waiting.pop() {
        for entry in directory.entries() {
            match entry {
                DirEntry::File(file) => found.push(file),
                DirEntry::Dir(inner) => waiting.push(inner),
            }
        }
    }
    found.sort_by_key(|file| file.path());
    found
}

/// Changes with every byte of the runtime and with the flags it is compiled with.
fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for file in [&RUNTIME, &INCLUDE].into_iter().flat_map(files) {
        for part in [file.path().as_os_str().as_encoded_bytes(), file.contents()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.update(FLAGS.join(" "));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_the_linker_is_told_to_take_is_on_board() {
        let names: Vec<_> = files(&RUNTIME).iter().map(|file| file.path().display().to_string()).collect();
        for name in ["crt0.S", "moxiebox.ld", "setjmp.S", "abort.S", "memcpy.c", "memmove.c", "memset.c", "memcmp.c"] {
            assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
        }
        let headers: Vec<_> = files(&INCLUDE).iter().map(|file| file.path().display().to_string()).collect();
        assert_eq!(headers, ["oubliette.h", "sandboxrt.h", "sandboxrt_crypto.h", "sys/mman.h"]);
        let mut names: Vec<_> = patches().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["gcc-little-endian-float.patch", "gdb-frame-base.patch"]);
    }

    /// The makefile builds the same runtime for the repository's own fixtures.
    #[test]
    fn the_makefile_compiles_with_the_same_flags() {
        let makefile = include_str!("../../../../guest/moxie/Makefile");
        let rule = makefile.lines().find(|line| line.contains("$(CC) -O2 -g0")).expect("a rule for runtime/*.c");
        for flag in FLAGS {
            assert!(rule.split_whitespace().any(|word| word == *flag), "{flag} is not in {rule}");
        }
    }
}
