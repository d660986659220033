//! Compiled code and images on disk. Code is native code, and an image is what it trusts, so both are loaded only from a private folder and
//! only under a keyed MAC.

use crate::image::{Head, Image, PAGE};
use cell::Error;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wasmtime::{Engine, Module};

/// A private folder with compiled programs and the secret their MACs are made with.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    secret: [u8; 32],
}

/// A `Hasher` over BLAKE3, for wasmtime's compatibility hash.
struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn finish(&self) -> u64 {
        let bytes = self.0.finalize();
        let mut word = [0; 8];
        word.copy_from_slice(&bytes.as_bytes()[..8]);
        u64::from_le_bytes(word)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl Cache {
    /// Opens a cache, making the folder when it is not there.
    ///
    /// # Errors
    /// [`Error::Damaged`] when others may write in the folder or read the secret, or when it belongs to somebody else;
    /// [`Error::Io`] for failures of the file system.
    pub fn open(folder: &Path) -> Result<Cache, Error> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let metadata = fs::metadata(folder)?;
        let me = fs::metadata("/proc/self").map_or_else(|_| metadata.uid(), |process| process.uid());
        if metadata.uid() != me || metadata.permissions().mode() & 0o077 != 0 {
            return Err(Error::Damaged(format!(
                "the cache folder {} must belong to you and be closed to others (chmod 700)",
                folder.display()
            )));
        }
        let path = folder.join("secret");
        let secret = match read_secret(&path)? {
            Some(secret) => secret,
            None => make_secret(&path)?,
        };
        Ok(Cache { folder: folder.to_owned(), secret })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name under which code compiled from `wasm` by this engine for this processor is kept.
    fn key(&self, engine: &Engine, wasm: &[u8]) -> String {
        let mut hasher = Blake(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        std::env::consts::ARCH.hash(&mut hasher);
        hasher.write(blake3::hash(wasm).as_bytes());
        hasher.0.finalize().to_hex().to_string()
    }

    /// The MAC of a file, bound to the name it is kept under.
    fn mac(&self, key: &str, path: &Path) -> Result<blake3::Hash, Error> {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes());
        hasher.update_mmap_rayon(path)?;
        Ok(hasher.finalize())
    }

    /// Loads the file `key`, if it is there and exactly what was put there.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it was altered.
    pub(crate) fn load(&self, engine: &Engine, key: &str) -> Result<Option<Module>, Error> {
        let (code, mac) = (self.folder.join(format!("{key}.code")), self.folder.join(format!("{key}.mac")));
        let expected = match fs::read(&mac) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let expected: [u8; 32] = expected.try_into().map_err(|_| altered(&code))?;
        // Compared in constant time by the type.
        if !code.exists() || self.mac(key, &code)? != blake3::Hash::from_bytes(expected) {
            return Err(altered(&code));
        }
        // SAFETY: the file is what `Module::serialize` of this engine gave us: its MAC was made with a secret that only this
        // user can read, over this very name, and the folder is closed to others, so that nobody else can have changed it since.
        let module = unsafe { Module::deserialize_file(engine, &code) };
        module.map(Some).map_err(|error| Error::Damaged(format!("cached code does not load: {error:#}")))
    }

    /// Keeps compiled code. Both files appear whole or not at all.
    pub(crate) fn store(&self, key: &str, module: &Module) -> Result<(), Error> {
        let bytes = module.serialize().map_err(|error| Error::Host(format!("cannot serialise code: {error:#}")))?;
        let code = self.folder.join(format!("{key}.code"));
        write_whole(&code, &bytes)?;
        let mac = self.mac(key, &code)?;
        write_whole(&self.folder.join(format!("{key}.mac")), mac.as_bytes())
    }

    /// Compiles, or loads what was compiled before; gives the key that it is kept under. Altered code is refused, never silently replaced.
    ///
    /// # Errors
    /// [`Error::Program`] for bytes that are no module, [`Error::Damaged`] for altered files.
    pub(crate) fn module(&self, engine: &Engine, wasm: &[u8]) -> Result<(Module, String), Error> {
        let key = self.key(engine, wasm);
        if let Some(module) = self.load(engine, &key)? {
            return Ok((module, key));
        }
        let module = crate::program::compile(engine, wasm)?;
        self.store(&key, &module)?;
        Ok((module, key))
    }

    /// The MAC of an image, bound to the name it is kept under: over its head, and the places and contents of its pages.
    fn image_mac(&self, key: &str, head: &[u8], file: &fs::File, size: u64) -> Result<blake3::Hash, Error> {
        // Apart, because whole pages in a row are hashed several times as fast.
        let (mut places, mut pages) = (blake3::Hasher::new(), blake3::Hasher::new());
        Image::contents(file, size, |at, bytes| {
            for page in 0..bytes.len().div_ceil(PAGE) {
                places.update(&(at + (page * PAGE) as u64).to_le_bytes());
            }
            pages.update(bytes);
            Ok(())
        })?;
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes()).update(&(head.len() as u64).to_le_bytes()).update(head);
        hasher.update(places.finalize().as_bytes()).update(pages.finalize().as_bytes());
        Ok(hasher.finalize())
    }

    /// Keeps an image under a name. The MAC comes last: without it there is no image.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn store_image(&self, engine: &Engine, name: &str, image: &Image) -> Result<(), Error> {
        let key = self.key(engine, name.as_bytes());
        let mut head = Vec::new();
        cell::write_header(&mut head, &image.head)?;
        let path = self.folder.join(format!("{key}.image"));
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        image.write_to(&file)?;
        let mac = self.image_mac(&key, &head, &file, image.head.size)?;
        fs::rename(&temporary, &path)?;
        write_whole(&path.with_extension("head"), &head)?;
        write_whole(&path.with_extension("mac"), mac.as_bytes())
    }

    /// Loads the image kept under a name, if there is one for this engine and processor.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it was altered.
    pub(crate) fn load_image(&self, engine: &Engine, name: &str) -> Result<Option<Image>, Error> {
        let key = self.key(engine, name.as_bytes());
        let path = self.folder.join(format!("{key}.image"));
        let expected = match fs::read(path.with_extension("mac")) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let expected: [u8; 32] = expected.try_into().map_err(|_| altered(&path))?;
        let (Ok(file), Ok(head)) = (fs::File::open(&path), fs::read(path.with_extension("head"))) else { return Err(altered(&path)) };
        let size = file.metadata()?.len();
        if self.image_mac(&key, &head, &file, size)? != blake3::Hash::from_bytes(expected) {
            return Err(altered(&path));
        }
        let head: Head = cell::read_header(&mut head.as_slice())?;
        Image::open(file, head).map(Some)
    }
}

fn altered(path: &Path) -> Error {
    Error::Damaged(format!("the cached file {} was altered: remove it to have it made again", path.display()))
}

fn read_secret(path: &Path) -> Result<Option<[u8; 32]>, Error> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !metadata.is_file() || metadata.permissions().mode() & 0o077 != 0 {
        return Err(Error::Damaged(format!("the cache's secret {} must be readable by you alone", path.display())));
    }
    let bytes = fs::read(path)?;
    bytes.try_into().map(Some).map_err(|_| Error::Damaged(format!("the cache's secret {} is damaged", path.display())))
}

fn make_secret(path: &Path) -> Result<[u8; 32], Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| Error::Host(format!("no random bytes: {error}")))?;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    // A link, not a rename: of two processes that start at once, the second takes the first one's secret.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            read_secret(path)?.ok_or_else(|| Error::Damaged("the cache's secret vanished".into()))
        }
        Err(error) => Err(error.into()),
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    fs::rename(&temporary, path)?;
    Ok(())
}
