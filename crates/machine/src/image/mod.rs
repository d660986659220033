//! Images: the kernel, the first disk and the root file system that machines are started from.

mod build;
mod initrd;
mod kernel;
mod namespace;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use build::{Options, Progress, build, renew_agent};

use crate::Error;

/// Debian packages that making an image needs and that are not installed here.
#[must_use]
pub fn missing_packages() -> Vec<&'static str> {
    let mut tools = vec![
        ("mmdebstrap", "mmdebstrap"),
        ("mke2fs", "e2fsprogs"),
        ("qemu-img", "qemu-utils"),
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("unshare", "util-linux"),
    ];
    if !rustix::process::geteuid().is_root() {
        tools.push(("newuidmap", "uidmap"));
    }
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let is_missing = |tool: &str| folders.iter().all(|folder| !Path::new(folder).join(tool).exists());
    tools.iter().filter(|(tool, _)| is_missing(tool)).map(|(_, package)| *package).collect()
}

/// What an image was made from; beside it on disk as `image.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// Changes whenever the image was made anew: frozen machines carry it.
    pub id: String,
    /// The kernel's release.
    pub kernel: String,
    /// The size of the disk that the guest sees, in bytes.
    pub disk: u64,
    /// The names of the languages in it.
    pub languages: Vec<String>,
}

/// A finished image.
#[derive(Clone, Debug)]
pub struct Image {
    folder: PathBuf,
    manifest: Manifest,
}

impl Image {
    /// Opens an image in its folder.
    ///
    /// # Errors
    /// [`Error::NoImage`] if there is none, or it was not finished.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let missing = || Error::NoImage { folder: folder.to_owned() };
        let text = fs::read_to_string(folder.join("image.toml")).map_err(|_| missing())?;
        let manifest = toml::from_str(&text).map_err(|_| missing())?;
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// All finished images in a data folder, by their names.
    #[must_use]
    pub fn installed(data: &Path) -> Vec<Self> {
        let folders = fs::read_dir(data.join("images")).into_iter().flatten().flatten();
        let mut images: Vec<Self> = folders.filter_map(|entry| Self::open(&entry.path()).ok()).collect();
        images.sort_by(|a, b| a.folder.cmp(&b.folder));
        images
    }

    /// What it was made from.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether a language was installed in it.
    #[must_use]
    pub fn has_language(&self, name: &str) -> bool {
        self.manifest.languages.iter().any(|language| language == name)
    }

    /// The name of its folder, by which a [`Config`](crate::Config) means it.
    #[must_use]
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(crate) fn kernel(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    pub(crate) fn initrd(&self) -> PathBuf {
        self.folder.join("initrd.cpio")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root.qcow2")
    }

    pub(crate) fn empty_overlay(&self) -> PathBuf {
        self.folder.join("empty.qcow2")
    }
}
