//! The initial RAM disk: the agent and the kernel modules it loads.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cpio::newc::{self, Builder, ModeFileType};

/// Writes the RAM disk: `/init`, empty folders to mount on, `/modules` in the order to load them.
///
/// # Errors
/// When a module that is neither in the kernel nor among `modules`' files is wanted, or a file cannot be read.
pub(super) fn make(agent: &Path, kernel_modules: &Path, wanted: &[String]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    for folder in ["dev", "proc", "sys", "disk", "modules"] {
        let entry = Builder::new(folder).mode(0o755).set_mode_file_type(ModeFileType::Directory);
        entry.write(&mut archive, 0).finish()?;
    }
    // The kernel opens it for the first process before that process can make it.
    let console = Builder::new("dev/console").mode(0o600).set_mode_file_type(ModeFileType::Char);
    console.rdev_major(5).rdev_minor(1).write(&mut archive, 0).finish()?;
    add(&mut archive, "init", 0o755, &fs::read(agent)?)?;
    for (number, path) in order(kernel_modules, wanted)?.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        add(&mut archive, &format!("modules/{number:02}-{name}"), 0o644, &fs::read(path)?)?;
    }
    newc::trailer(&mut archive)?;
    Ok(archive)
}

/// The same RAM disk with another agent.
///
/// # Errors
/// When it is no RAM disk, or the agent cannot be read.
pub(super) fn with_agent(initrd: &[u8], agent: &Path) -> io::Result<Vec<u8>> {
    let agent = fs::read(agent)?;
    let mut archive = Vec::new();
    let mut rest = initrd;
    loop {
        let mut reader = newc::Reader::new(rest)?;
        let entry = reader.entry();
        if entry.is_trailer() {
            break;
        }
        let (name, mode) = (entry.name().to_owned(), entry.mode());
        let device = (entry.rdev_major(), entry.rdev_minor());
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut reader, &mut bytes)?;
        rest = reader.finish()?;
        if name == "init" {
            bytes.clone_from(&agent);
        }
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let entry = Builder::new(&name).mode(mode).rdev_major(device.0).rdev_minor(device.1);
        let mut writer = entry.write(&mut archive, length);
        io::Write::write_all(&mut writer, &bytes)?;
        writer.finish()?;
    }
    newc::trailer(&mut archive)?;
    Ok(archive)
}

fn add(archive: &mut Vec<u8>, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let entry = Builder::new(name).mode(mode).set_mode_file_type(ModeFileType::Regular);
    let mut writer = entry.write(archive, length);
    io::Write::write_all(&mut writer, bytes)?;
    writer.finish()?;
    Ok(())
}

/// The files of the wanted modules and all they depend on, each behind what it needs.
fn order(folder: &Path, wanted: &[String]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    let built_in = fs::read_to_string(folder.join("modules.builtin"))?;
    let built_in: BTreeSet<String> = built_in.lines().map(|line| module_name(Path::new(line))).collect();
    let mut ordered = Vec::new();
    let mut done = BTreeSet::new();
    let mut stack: Vec<(String, bool)> = wanted.iter().rev().map(|name| (name.clone(), false)).collect();
    while let Some((name, ready)) = stack.pop() {
        if done.contains(&name) || built_in.contains(&name) {
            continue;
        }
        let path = files.iter().find(|path| module_name(path) == name);
        let path = path.ok_or_else(|| io::Error::other(format!("the kernel has no module {name}")))?;
        if ready {
            done.insert(name);
            ordered.push(path.clone());
        } else {
            stack.push((name, true));
            stack.extend(dependencies(&fs::read(path)?).into_iter().map(|name| (name, false)));
        }
    }
    Ok(ordered)
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find(&entry.path(), files)?;
        } else if kind.is_file() && entry.path().extension().is_some_and(|e| e == "ko") {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn module_name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_")
}

/// What a module says it depends on, in its `.modinfo` section.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|&byte| byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(value);
    text.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}
