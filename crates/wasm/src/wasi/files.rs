//! The files a guest sees: folders of the host lent read-only, and folders in memory with a quota.
//!
//! Paths are resolved here, component by component, and never leave the mount they started in: `..` above
//! its root is refused. The host's folders are reached through `cap-std`, which refuses symbolic links that lead out.

use super::errno::Errno;
use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest path a guest may name, in bytes.
const PATH_MAX: usize = 4096;
/// What an entry of a folder in memory costs of its quota besides the bytes of its name.
const ENTRY_COST: u64 = 64;

/// A folder as the embedder offers it.
#[derive(Clone, Debug)]
pub enum Mount {
    /// A folder of the host, for reading only.
    ReadOnly(Arc<Dir>),
    /// A folder that lives in memory and dies with the cell.
    Memory(MemoryFolder),
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
    Link,
    Other,
}

/// What `stat` tells. Times are those of the mount: zero in memory, the host's otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) inode: u64,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) modified_ns: u64,
}

/// How a file is to be opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Want {
    pub(crate) create: bool,
    pub(crate) folder: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) write: bool,
}

/// What an open found.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    Folder,
    Host(Arc<cap_std::fs::File>),
    Memory(usize),
}

/// Splits a guest path into components on top of `base`. An empty result is the mount's root.
pub(crate) fn resolve(base: &[String], path: &[u8]) -> Result<Vec<String>, Errno> {
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    if path.len() > PATH_MAX {
        return Err(Errno::NAMETOOLONG);
    }
    let path = std::str::from_utf8(path).map_err(|_| Errno::ILSEQ)?;
    if path.contains('\0') {
        return Err(Errno::INVAL);
    }
    if path.starts_with('/') {
        return Err(Errno::NOTCAPABLE);
    }
    let mut out = base.to_vec();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                out.pop().ok_or(Errno::NOTCAPABLE)?;
            }
            name if name.len() > 255 => return Err(Errno::NAMETOOLONG),
            name => out.push(name.to_owned()),
        }
    }
    Ok(out)
}

fn host_path(parts: &[String]) -> String {
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

fn host_stat(metadata: &cap_std::fs::Metadata) -> Stat {
    let kind = if metadata.is_dir() {
        Kind::Folder
    } else if metadata.is_file() {
        Kind::File
    } else if metadata.is_symlink() {
        Kind::Link
    } else {
        Kind::Other
    };
    let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
    let nanoseconds = u64::try_from(metadata.mtime_nsec()).unwrap_or(0);
    Stat {
        inode: metadata.ino(),
        kind,
        size: metadata.len(),
        modified_ns: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
    }
}

/// The `stat` of an open file of the host.
pub(crate) fn host_file_stat(file: &cap_std::fs::File) -> Result<Stat, Errno> {
    Ok(host_stat(&file.metadata()?))
}

impl Mount {
    /// Opens a file or folder below the mount's root.
    pub(crate) fn open(&mut self, path: &[String], want: Want) -> Result<Opened, Errno> {
        match self {
            Mount::ReadOnly(dir) => {
                let name = host_path(path);
                let found = dir.metadata(&name);
                if want.exclusive && want.create && found.is_ok() {
                    return Err(Errno::EXIST);
                }
                if want.write || want.truncate || (want.create && found.is_err()) {
                    return Err(Errno::ROFS);
                }
                let found = found?;
                if found.is_dir() {
                    return Ok(Opened::Folder);
                }
                if want.folder {
                    return Err(Errno::NOTDIR);
                }
                // Opening a device or a pipe of the host could block it or act on it.
                if !found.is_file() {
                    return Err(Errno::ACCES);
                }
                Ok(Opened::Host(Arc::new(dir.open_with(&name, OpenOptions::new().read(true))?)))
            }
            Mount::Memory(folder) => folder.open(path, want),
        }
    }

    /// What `path` is; `follow` also looks through a final symbolic link.
    pub(crate) fn stat(&self, path: &[String], follow: bool) -> Result<Stat, Errno> {
        match self {
            Mount::ReadOnly(dir) => {
                let name = host_path(path);
                let metadata = if follow { dir.metadata(&name)? } else { dir.symlink_metadata(&name)? };
                Ok(host_stat(&metadata))
            }
            Mount::Memory(folder) => folder.stat(folder.find(path)?),
        }
    }

    /// The target of a symbolic link.
    pub(crate) fn read_link(&self, path: &[String]) -> Result<Vec<u8>, Errno> {
        match self {
            Mount::ReadOnly(dir) => {
                let target = dir.read_link(host_path(path))?;
                Ok(target.to_string_lossy().into_owned().into_bytes())
            }
            Mount::Memory(folder) => folder.find(path).and(Err(Errno::INVAL)),
        }
    }

    /// The names in a folder, sorted, with what they are.
    pub(crate) fn list(&self, path: &[String]) -> Result<Vec<(String, Kind, u64)>, Errno> {
        let mut names = match self {
            Mount::ReadOnly(dir) => {
                let mut names = Vec::new();
                for entry in dir.read_dir(host_path(path))? {
                    let entry = entry?;
                    let Ok(name) = entry.file_name().into_string() else { continue };
                    let stat = host_stat(&entry.metadata()?);
                    names.push((name, stat.kind, stat.inode));
                }
                names
            }
            Mount::Memory(folder) => folder.list(path)?,
        };
        names.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(names)
    }

    /// The folder in memory, for the calls that change something.
    pub(crate) fn writable(&mut self) -> Result<&mut MemoryFolder, Errno> {
        match self {
            Mount::ReadOnly(_) => Err(Errno::ROFS),
            Mount::Memory(folder) => Ok(folder),
        }
    }
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
enum Content {
    Folder(BTreeMap<String, usize>),
    File(Arc<Vec<u8>>),
    Free,
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Node {
    content: Content,
    open: u32,
    linked: bool,
}

/// A folder in memory. Its files, their names and the entries themselves count towards its quota.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct MemoryFolder {
    nodes: Vec<Node>,
    free: Vec<usize>,
    used: u64,
    quota: u64,
}

impl MemoryFolder {
    /// An empty folder that may hold `quota` bytes.
    pub fn new(quota: u64) -> MemoryFolder {
        let root = Node { content: Content::Folder(BTreeMap::new()), open: 1, linked: true };
        MemoryFolder { nodes: vec![root], free: Vec::new(), used: 0, quota }
    }

    /// The folder, if every name in it leads to a node and the first node is a folder; else an empty one.
    pub(crate) fn checked(self) -> MemoryFolder {
        let sound = matches!(self.nodes.first(), Some(Node { content: Content::Folder(_), .. }))
            && self.free.iter().all(|node| *node < self.nodes.len())
            && self.nodes.iter().all(|node| match &node.content {
                Content::Folder(names) => names.values().all(|node| *node < self.nodes.len()),
                _ => true,
            });
        if sound { self } else { MemoryFolder::new(self.quota) }
    }

    /// Bytes in use, of the quota.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Puts a file there before the guest starts, making the folders on its way. The path is relative; `false`
    /// when it is not a usable path or the quota does not hold it.
    pub fn put(&mut self, path: &str, bytes: Vec<u8>) -> bool {
        self.put_inner(path, bytes).is_ok()
    }

    fn put_inner(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), Errno> {
        let parts = resolve(&[], path.as_bytes())?;
        for depth in 1..parts.len() {
            match self.make_folder(&parts[..depth]) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        let want = Want { create: true, truncate: true, write: true, ..Want::default() };
        match self.open(&parts, want)? {
            Opened::Memory(node) => {
                let result = self.write_at(node, 0, &bytes).map(drop);
                self.close(node);
                result
            }
            _ => Err(Errno::ISDIR),
        }
    }

    /// Makes a folder and those on its way.
    pub(crate) fn make_folders(&mut self, path: &str) {
        let Ok(parts) = resolve(&[], path.trim_start_matches('/').as_bytes()) else { return };
        for depth in 1..=parts.len() {
            // Those that are there already are what is wanted.
            let _ = self.make_folder(&parts[..depth]);
        }
    }

    /// Leaves no room for anything more.
    pub(crate) fn seal(&mut self) {
        self.quota = self.used;
    }

    /// The bytes of a file, if there is one at `path`.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        let node = self.find(&resolve(&[], path.as_bytes()).ok()?).ok()?;
        match &self.nodes[node].content {
            Content::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn find(&self, path: &[String]) -> Result<usize, Errno> {
        let mut at = 0;
        for part in path {
            match &self.nodes[at].content {
                Content::Folder(names) => at = *names.get(part).ok_or(Errno::NOENT)?,
                _ => return Err(Errno::NOTDIR),
            }
        }
        Ok(at)
    }

    fn charge(&mut self, bytes: u64) -> Result<(), Errno> {
        let used = self.used.saturating_add(bytes);
        if used > self.quota {
            return Err(Errno::NOSPC);
        }
        self.used = used;
        Ok(())
    }

    fn add(&mut self, path: &[String], content: Content) -> Result<usize, Errno> {
        let (name, parent) = path.split_last().ok_or(Errno::EXIST)?;
        let parent = self.find(parent)?;
        if !matches!(self.nodes[parent].content, Content::Folder(_)) {
            return Err(Errno::NOTDIR);
        }
        self.charge(ENTRY_COST + name.len() as u64)?;
        let node = Node { content, open: 0, linked: true };
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index] = node;
                index
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        if let Content::Folder(names) = &mut self.nodes[parent].content {
            names.insert(name.clone(), index);
        }
        Ok(index)
    }

    fn open(&mut self, path: &[String], want: Want) -> Result<Opened, Errno> {
        let node = match self.find(path) {
            Ok(_) if want.create && want.exclusive => return Err(Errno::EXIST),
            Ok(node) => node,
            Err(Errno::NOENT) if want.create && !want.folder => self.add(path, Content::File(Arc::default()))?,
            Err(error) => return Err(error),
        };
        match &self.nodes[node].content {
            Content::Folder(_) if want.write || want.truncate => Err(Errno::ISDIR),
            Content::Folder(_) => Ok(Opened::Folder),
            _ if want.folder => Err(Errno::NOTDIR),
            _ => {
                if want.truncate {
                    self.set_size(node, 0)?;
                }
                self.nodes[node].open += 1;
                Ok(Opened::Memory(node))
            }
        }
    }

    /// One more descriptor of an open file has gone.
    pub(crate) fn close(&mut self, node: usize) {
        self.nodes[node].open = self.nodes[node].open.saturating_sub(1);
        self.reclaim(node);
    }

    fn reclaim(&mut self, node: usize) {
        let found = &mut self.nodes[node];
        if found.open > 0 || found.linked {
            return;
        }
        if let Content::File(bytes) = std::mem::replace(&mut found.content, Content::Free) {
            self.used = self.used.saturating_sub(bytes.len() as u64);
        }
        self.free.push(node);
    }

    pub(crate) fn stat_node(&self, node: usize) -> Result<Stat, Errno> {
        self.stat(node)
    }

    fn stat(&self, node: usize) -> Result<Stat, Errno> {
        let (kind, size) = match &self.nodes[node].content {
            Content::Folder(names) => (Kind::Folder, names.len() as u64),
            Content::File(bytes) => (Kind::File, bytes.len() as u64),
            Content::Free => return Err(Errno::BADF),
        };
        Ok(Stat { inode: node as u64 + 1, kind, size, modified_ns: 0 })
    }

    fn list(&self, path: &[String]) -> Result<Vec<(String, Kind, u64)>, Errno> {
        match &self.nodes[self.find(path)?].content {
            Content::Folder(names) => {
                names.iter().map(|(name, node)| Ok((name.clone(), self.stat(*node)?.kind, *node as u64 + 1))).collect()
            }
            _ => Err(Errno::NOTDIR),
        }
    }

    fn bytes(&self, node: usize) -> Result<&Arc<Vec<u8>>, Errno> {
        match &self.nodes[node].content {
            Content::File(bytes) => Ok(bytes),
            _ => Err(Errno::BADF),
        }
    }

    /// Copies from a file; fewer bytes at its end.
    pub(crate) fn read_at(&self, node: usize, offset: u64, out: &mut [u8]) -> Result<usize, Errno> {
        let bytes = self.bytes(node)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = out.len().min(bytes.len() - start);
        out[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    /// Writes all of `data`, growing the file (the gap reads as zeros) as far as the quota goes.
    pub(crate) fn write_at(&mut self, node: usize, offset: u64, data: &[u8]) -> Result<usize, Errno> {
        let end = offset.checked_add(data.len() as u64).ok_or(Errno::FBIG)?;
        if end > self.bytes(node)?.len() as u64 {
            self.set_size(node, end)?;
        }
        let Content::File(bytes) = &mut self.nodes[node].content else { return Err(Errno::BADF) };
        let start = usize::try_from(offset).map_err(|_| Errno::FBIG)?;
        Arc::make_mut(bytes)[start..start + data.len()].copy_from_slice(data);
        Ok(data.len())
    }

    /// Cuts or grows a file.
    pub(crate) fn set_size(&mut self, node: usize, size: u64) -> Result<(), Errno> {
        let old = self.bytes(node)?.len() as u64;
        if size > old {
            self.charge(size - old)?;
        } else {
            self.used = self.used.saturating_sub(old - size);
        }
        let size = usize::try_from(size).map_err(|_| Errno::FBIG)?;
        let Content::File(bytes) = &mut self.nodes[node].content else { return Err(Errno::BADF) };
        Arc::make_mut(bytes).resize(size, 0);
        Ok(())
    }

    /// Makes a folder.
    pub(crate) fn make_folder(&mut self, path: &[String]) -> Result<(), Errno> {
        match self.find(path) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => self.add(path, Content::Folder(BTreeMap::new())).map(drop),
            Err(error) => Err(error),
        }
    }

    /// Removes an empty folder, or a file.
    pub(crate) fn remove(&mut self, path: &[String], folder: bool) -> Result<(), Errno> {
        let node = self.find(path)?;
        match &self.nodes[node].content {
            Content::Folder(_) if !folder => return Err(Errno::ISDIR),
            Content::Folder(names) if !names.is_empty() => return Err(Errno::NOTEMPTY),
            Content::File(_) if folder => return Err(Errno::NOTDIR),
            _ => {}
        }
        let node = self.unlink(path)?;
        self.nodes[node].linked = false;
        self.reclaim(node);
        Ok(())
    }

    fn unlink(&mut self, path: &[String]) -> Result<usize, Errno> {
        let (name, parent) = path.split_last().ok_or(Errno::INVAL)?;
        let parent = self.find(parent)?;
        let Content::Folder(names) = &mut self.nodes[parent].content else { return Err(Errno::NOTDIR) };
        let node = names.remove(name).ok_or(Errno::NOENT)?;
        self.used = self.used.saturating_sub(ENTRY_COST + name.len() as u64);
        Ok(node)
    }

    /// Moves a file or folder to a new name, over a file that may be there.
    pub(crate) fn rename(&mut self, from: &[String], to: &[String]) -> Result<(), Errno> {
        let node = self.find(from)?;
        if from == to {
            return Ok(());
        }
        // A folder moved below itself would be cut off from the root for ever.
        if to.starts_with(from) {
            return Err(Errno::INVAL);
        }
        let is_folder = matches!(self.nodes[node].content, Content::Folder(_));
        match self.find(to) {
            Ok(_) => self.remove(to, is_folder)?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        let (name, parent) = to.split_last().ok_or(Errno::INVAL)?;
        let parent = self.find(parent)?;
        if !matches!(self.nodes[parent].content, Content::Folder(_)) {
            return Err(Errno::NOTDIR);
        }
        self.unlink(from)?;
        // Never refused: what unlink gave back may be less than the new name needs by 255 bytes at most.
        self.used = self.used.saturating_add(ENTRY_COST + name.len() as u64);
        if let Content::Folder(names) = &mut self.nodes[parent].content {
            names.insert(name.clone(), node);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Vec<String> {
        resolve(&[], path.as_bytes()).unwrap()
    }

    const WRITE: Want = Want { create: true, folder: false, exclusive: false, truncate: false, write: true };

    fn open(folder: &mut MemoryFolder, path: &str, want: Want) -> Result<usize, Errno> {
        match folder.open(&at(path), want)? {
            Opened::Memory(node) => Ok(node),
            _ => Err(Errno::ISDIR),
        }
    }

    #[test]
    fn no_path_leads_out_of_its_mount() {
        let base = at("a/b");
        assert_eq!(resolve(&base, b"../c/./d").unwrap(), at("a/c/d"));
        assert_eq!(resolve(&base, b"../..").unwrap(), Vec::<String>::new());
        for bad in [&b"../../.."[..], b"/etc/passwd", b"../../../etc", b"x/../../../..", b"", b"a\0b", b"\xff"] {
            assert!(resolve(&base, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_quota_covers_bytes_names_and_gaps() {
        let mut folder = MemoryFolder::new(1000);
        let node = open(&mut folder, "f", WRITE).unwrap();
        assert_eq!(folder.write_at(node, 0, &[1; 500]), Ok(500));
        assert_eq!(folder.write_at(node, 900, &[1; 100]), Err(Errno::NOSPC));
        assert_eq!(folder.write_at(node, u64::MAX, &[1]), Err(Errno::FBIG));
        assert_eq!(folder.set_size(node, 1 << 40), Err(Errno::NOSPC));
        assert_eq!(folder.stat_node(node).unwrap().size, 500);
        let made = (0..100).take_while(|i| folder.make_folder(&at(&format!("d{i}"))).is_ok()).count();
        assert!((5..8).contains(&made), "{made}");
        folder.set_size(node, 0).unwrap();
        assert!(folder.make_folder(&at("more")).is_ok());
    }

    #[test]
    fn a_removed_file_lives_as_long_as_it_is_open() {
        let mut folder = MemoryFolder::new(10_000);
        let empty = folder.used();
        let node = open(&mut folder, "f", WRITE).unwrap();
        folder.write_at(node, 0, b"still here").unwrap();
        folder.remove(&at("f"), false).unwrap();
        assert!(matches!(folder.find(&at("f")), Err(Errno::NOENT)));
        let mut out = [0; 5];
        assert_eq!((folder.read_at(node, 0, &mut out), &out), (Ok(5), b"still"));
        folder.close(node);
        assert_eq!(folder.used(), empty);
    }

    #[test]
    fn renaming_replaces_files_and_keeps_trees_whole() {
        let mut folder = MemoryFolder::new(10_000);
        assert!(folder.put("a/b/c", b"c".to_vec()) && folder.put("x", b"x".to_vec()));
        assert_eq!(folder.rename(&at("a"), &at("a/b/inside")), Err(Errno::INVAL));
        folder.rename(&at("a/b/c"), &at("x")).unwrap();
        assert_eq!(folder.get("x"), Some(&b"c"[..]));
        assert_eq!(folder.rename(&at("x"), &at("nowhere/x")), Err(Errno::NOENT));
        assert_eq!(folder.remove(&at("a"), true), Err(Errno::NOTEMPTY));
        assert_eq!(folder.remove(&at("a/b"), false), Err(Errno::ISDIR));
        folder.remove(&at("a/b"), true).unwrap();
        assert_eq!(folder.list(&[]).unwrap().len(), 2);
    }
}
