//! A tool chain as one file, to be unpacked anywhere: gcc finds its parts relative to where it lies.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use liblzma::read::XzDecoder;
use liblzma::stream::Stream;
use liblzma::write::XzEncoder;
use tar::{Archive, Builder, EntryType, Header};

use super::error::ToolchainError;
use super::progress::Progress;
use super::{is_complete, runtime};

/// The dictionary covers a whole tool chain, so that what two programs have in common is stored once.
const DICTIONARY: u32 = 64 << 20;

/// The directory at the archive's top.
const TOP: &str = "toolchain";

/// Writes the tool chain at `root` to `archive` (a `.tar.xz`) and answers its length in bytes. The same tool chain gives the same
/// bytes: names are sorted, times and owners left out.
///
/// # Errors
/// When `root` holds no complete tool chain, or a file cannot be read or written.
pub(crate) fn pack(root: &Path, archive: &Path, progress: &mut dyn Progress) -> Result<u64, ToolchainError> {
    if !is_complete(root) {
        return Err(ToolchainError::NotThere { root: root.to_path_buf() });
    }
    let mut entries = Vec::new();
    list(root, Path::new(""), &mut entries)?;
    progress.stage(0, 1, "packing");
    let unwritable = || ToolchainError::io("cannot write", archive);
    let file = File::create(archive).map_err(unwritable())?;
    let mut options = liblzma::stream::LzmaOptions::new_preset(9).map_err(io::Error::from).map_err(unwritable())?;
    options.dict_size(DICTIONARY);
    let mut filters = liblzma::stream::Filters::new();
    // Programs first have their jump targets made absolute, which makes calls of one function look alike.
    filters.x86().lzma2(&options);
    let stream = Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc64).map_err(io::Error::from).map_err(unwritable())?;
    let mut builder = Builder::new(XzEncoder::new_stream(file, stream));
    let mut links: HashMap<(u64, u64), PathBuf> = HashMap::new();
    for (index, relative) in entries.iter().enumerate() {
        progress.tick(index as f64 / entries.len() as f64, &relative.to_string_lossy());
        append(&mut builder, root, relative, &mut links)?;
    }
    let file = builder.into_inner().and_then(XzEncoder::finish).map_err(unwritable())?;
    let length = file.metadata().map_err(unwritable())?.len();
    progress.done(false);
    Ok(length)
}

/// Every file and link below `root/relative`, sorted.
fn list(root: &Path, relative: &Path, entries: &mut Vec<PathBuf>) -> Result<(), ToolchainError> {
    let directory = root.join(relative);
    let unreadable = || ToolchainError::io("cannot read", &directory);
    let mut names = fs::read_dir(&directory)
        .map_err(unreadable())?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable())?;
    names.sort();
    for name in names {
        let path = relative.join(name);
        let kind = fs::symlink_metadata(root.join(&path)).map_err(unreadable())?.file_type();
        if kind.is_dir() {
            list(root, &path, entries)?;
        } else {
            entries.push(path);
        }
    }
    Ok(())
}

fn append<W: Write>(
    builder: &mut Builder<W>,
    root: &Path,
    relative: &Path,
    links: &mut HashMap<(u64, u64), PathBuf>,
) -> Result<(), ToolchainError> {
    let path = root.join(relative);
    let name = Path::new(TOP).join(relative);
    let unreadable = || ToolchainError::io("cannot pack", &path);
    let metadata = fs::symlink_metadata(&path).map_err(unreadable())?;
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(if metadata.permissions().mode() & 0o111 != 0 { 0o755 } else { 0o644 });
    if metadata.file_type().is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        let target = fs::read_link(&path).map_err(unreadable())?;
        return builder.append_link(&mut header, &name, target).map_err(unreadable());
    }
    if metadata.nlink() > 1 {
        if let Some(first) = links.get(&(metadata.dev(), metadata.ino())) {
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            return builder.append_link(&mut header, &name, first).map_err(unreadable());
        }
        links.insert((metadata.dev(), metadata.ino()), name.clone());
    }
    header.set_size(metadata.len());
    let file = File::open(&path).map_err(unreadable())?;
    builder.append_data(&mut header, &name, file).map_err(unreadable())
}

/// Unpacks an archive, whose tool chain may lie at its top or in a directory, so that `root` is the tool chain.
pub(super) fn unpack(archive: &Path, root: &Path, progress: &mut dyn Progress) -> Result<(), ToolchainError> {
    progress.stage(0, 1, "unpacking");
    let unreadable = || ToolchainError::io("cannot unpack", archive);
    let file = File::open(archive).map_err(unreadable())?;
    let length = file.metadata().map_err(unreadable())?.len();
    let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(ToolchainError::io("cannot create", parent))?;
    let scratch = Scratch::new(parent)?;
    let counted = Counted { file, read: 0, length, progress: &mut *progress };
    let mut tar = Archive::new(XzDecoder::new_multi_decoder(counted));
    // `unpack` refuses names and links that lead out of the directory.
    tar.set_preserve_mtime(false);
    tar.unpack(&scratch.0).map_err(unreadable())?;

    let found = toolchain_in(&scratch.0).ok_or_else(|| ToolchainError::NotAnArchive { archive: archive.to_path_buf() })?;
    replace(&found, root)?;
    progress.done(false);
    Ok(())
}

/// The directory itself or the one directory in it that is a tool chain.
fn toolchain_in(directory: &Path) -> Option<PathBuf> {
    if is_complete(directory) {
        return Some(directory.to_path_buf());
    }
    fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).find(|path| is_complete(path))
}

/// Puts the directory `new` in the place of `root`, which may exist. Both are on one file system.
pub(super) fn replace(new: &Path, root: &Path) -> Result<(), ToolchainError> {
    let mut old = root.to_path_buf().into_os_string();
    old.push(format!("-old-{}", std::process::id()));
    let old = PathBuf::from(old);
    let existed = root.exists();
    if existed {
        fs::rename(root, &old).map_err(ToolchainError::io("cannot move away", root))?;
    }
    if let Err(error) = fs::rename(new, root) {
        if existed {
            // The old one back in its place; if that fails too, the first error is the one to tell.
            let _ = fs::rename(&old, root);
        }
        return Err(ToolchainError::io("cannot move into place", root)(error));
    }
    if existed {
        fs::remove_dir_all(&old).map_err(ToolchainError::io("cannot remove", &old))?;
    }
    // An archive may carry the runtime of another version.
    runtime::forget(root);
    Ok(())
}

/// A directory that is gone when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> Result<Self, ToolchainError> {
        let path = parent.join(format!(".toolchain-{}", std::process::id()));
        fs::create_dir(&path).map_err(ToolchainError::io("cannot create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing to do about a leftover but to leave it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A file that reports how far it has been read.
struct Counted<'a> {
    file: File,
    read: u64,
    length: u64,
    progress: &'a mut dyn Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        self.progress.tick(self.read as f64 / self.length.max(1) as f64, "");
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::progress::Silent;

    fn pretend_toolchain(root: &Path) {
        for (file, mode) in
            [("bin/moxie-none-moxiebox-gcc", 0o755), ("bin/moxie-none-moxiebox-ld", 0o755), ("moxie-none-moxiebox/lib/libc.a", 0o600)]
        {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, file.to_string_lossy().as_bytes()).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir_all(root.join("moxie-none-moxiebox/bin")).unwrap();
        fs::hard_link(root.join("bin/moxie-none-moxiebox-ld"), root.join("moxie-none-moxiebox/bin/ld")).unwrap();
        std::os::unix::fs::symlink("libc.a", root.join("moxie-none-moxiebox/lib/libg.a")).unwrap();
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let directory = tempfile::tempdir().unwrap();
        let (before, after) = (directory.path().join("before"), directory.path().join("place/after"));
        let archive = directory.path().join("a.tar.xz");
        pretend_toolchain(&before);
        assert_eq!(pack(&before, &archive, &mut Silent).unwrap(), fs::metadata(&archive).unwrap().len());
        unpack(&archive, &after, &mut Silent).unwrap();

        let inode = |path: &str| fs::metadata(after.join(path)).unwrap().ino();
        assert_eq!(inode("bin/moxie-none-moxiebox-ld"), inode("moxie-none-moxiebox/bin/ld"));
        assert_eq!(fs::read_link(after.join("moxie-none-moxiebox/lib/libg.a")).unwrap(), Path::new("libc.a"));
        let mode = |path: &str| fs::metadata(after.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bin/moxie-none-moxiebox-gcc"), mode("moxie-none-moxiebox/lib/libc.a")), (0o755, 0o644));
        assert_eq!(
            fs::read(after.join("bin/moxie-none-moxiebox-gcc")).unwrap(),
            fs::read(before.join("bin/moxie-none-moxiebox-gcc")).unwrap()
        );

        let again = directory.path().join("b.tar.xz");
        pack(&before, &again, &mut Silent).unwrap();
        assert_eq!(fs::read(&archive).unwrap(), fs::read(&again).unwrap());
    }

    #[test]
    fn an_archive_of_something_else_is_refused_and_what_was_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (root, archive) = (directory.path().join("root"), directory.path().join("a.tar.xz"));
        pretend_toolchain(&root);
        let mut builder = Builder::new(XzEncoder::new(File::create(&archive).unwrap(), 1));
        let mut header = Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        builder.append_data(&mut header, "readme", &b"hi"[..]).unwrap();
        builder.into_inner().unwrap().finish().unwrap();
        assert!(matches!(unpack(&archive, &root, &mut Silent), Err(ToolchainError::NotAnArchive { .. })));
        fs::write(&archive, b"not an archive").unwrap();
        assert!(matches!(unpack(&archive, &root, &mut Silent), Err(ToolchainError::Io { .. })));
        assert!(is_complete(&root));
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
