//! Files: read with a sentence when that fails, found by hash, replaced atomically.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use oubliette::{Hashed, sha256};

/// The largest file that is taken as program, input or state, in bytes: nothing larger fits a 32-bit guest.
const MOST: u64 = 4 << 30;

/// Reads a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Arc<[u8]>> {
    let mut bytes = Vec::new();
    let name = path.display();
    if path == Path::new("-") {
        std::io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        let file = fs::File::open(path).with_context(|| format!("cannot open `{name}`"))?;
        let data = file.metadata().with_context(|| format!("cannot read `{name}`"))?;
        if data.is_dir() {
            bail!("`{name}` is a folder, not a file");
        }
        // One read where the file is as long as it says, with room to see its end.
        bytes.reserve_exact(data.len().min(64 << 20) as usize + 1);
        file.take(MOST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read `{name}`"))?;
    }
    if bytes.len() as u64 > MOST {
        bail!("`{name}` is larger than 4 GiB");
    }
    Ok(bytes.into())
}

/// Writes a file so that readers see the old one or the new one, never half of it; `-` is standard output.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.display();
    let fails = || format!("cannot write `{name}`");
    if path == Path::new("-") {
        return std::io::stdout().lock().write_all(bytes).with_context(fails);
    }
    // Devices and pipes cannot be replaced, only written to.
    if fs::metadata(path).is_ok_and(|data| !data.is_file()) {
        return fs::write(path, bytes).with_context(fails);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(fails)?;
    file.write_all(bytes).with_context(fails)?;
    #[cfg(unix)]
    {
        // A temporary file is private; what replaces a file should be as readable as it was, or as any new file is.
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0o644, |data| data.permissions().mode());
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).with_context(fails)?;
    }
    file.persist(path).with_context(fails)?;
    Ok(())
}

/// Refuses the name of a file to write in a folder that is not there.
pub(crate) fn ensure_folder(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => bail!("cannot write `{}`: there is no folder `{}`", path.display(), folder.display()),
        None => Ok(()),
    }
}

/// Whether a text can only be a hash.
pub(crate) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Finds contents by their SHA-256 in folders: a file of that name first, then every file there.
pub(crate) fn find_by_hash(hash: &str, folders: &[PathBuf]) -> Result<Arc<[u8]>> {
    let hash = hash.to_ascii_lowercase();
    for folder in folders {
        if let Ok(bytes) = read(&folder.join(&hash))
            && sha256(&bytes) == hash
        {
            return Ok(bytes);
        }
    }
    for folder in folders {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
        for entry in entries.flatten().filter(|entry| entry.metadata().is_ok_and(|data| data.is_file() && data.len() <= MOST)) {
            if let Ok(bytes) = read(&entry.path())
                && sha256(&bytes) == hash
            {
                return Ok(bytes);
            }
        }
    }
    let names: Vec<_> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    if names.is_empty() {
        bail!("`{hash}` is a hash: name the folders to search with -E (executables) or -D (data)");
    }
    bail!("no file with the SHA-256 {hash} in {}", names.join(", "))
}

/// Finds what a receipt names: among files by hash, else in folders.
pub(crate) fn find_needed(needed: &Hashed, files: &[PathBuf], folders: &[PathBuf]) -> Result<Arc<[u8]>> {
    for file in files {
        let bytes = read(file)?;
        if sha256(&bytes) == needed.sha256 {
            return Ok(bytes);
        }
    }
    find_by_hash(&needed.sha256, folders)
        .with_context(|| format!("`{}` ({} bytes) is needed: name the file, or a folder that holds it with -D", needed.name, needed.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_found_by_their_hash_whatever_the_files_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("some name"), b"contents").unwrap();
        let hash = sha256(b"contents");
        // A file that lies about its name is passed over.
        fs::write(folder.path().join(&hash), b"other").unwrap();
        let folders = [folder.path().to_owned()];
        assert_eq!(&*find_by_hash(&hash.to_uppercase(), &folders).unwrap(), b"contents");
        assert!(find_by_hash(&sha256(b"absent"), &folders).is_err());
        assert!(find_by_hash(&hash, &[]).unwrap_err().to_string().contains("-E"));
        assert!(is_hash(&hash) && !is_hash("abc"));
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(replace(&folder.path().join("no/such/folder"), b"").is_err());
    }
}
