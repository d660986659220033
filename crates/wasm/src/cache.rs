//! Compiled code and images on disk. Code is native code, and an image is what it trusts, so both are loaded only from a private folder and
//! only under a keyed MAC.

use crate::digest::{Source, digests};
use crate::image::{Head, Image};
use crate::runtime::compatibility;
use cell::Error;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wasmtime::{Engine, Module};

/// Changes when files are kept in another way.
const FORMAT: &[u8] = b"2: MACs of parts";

/// A private folder with compiled programs and the secret their MACs are made with.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    secret: [u8; 32],
}

/// A `Hasher` over BLAKE3, for wasmtime's compatibility hash.
#[derive(Default)]
pub(crate) struct Blake(pub(crate) blake3::Hasher);

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

    /// The name under which code compiled from `wasm` by our engines for this processor is kept.
    fn key(&self, wasm: &[u8]) -> Result<String, Error> {
        let mut hasher = Blake::default();
        hasher.write(&compatibility()?);
        std::env::consts::ARCH.hash(&mut hasher);
        hasher.write(FORMAT);
        hasher.write(blake3::hash(wasm).as_bytes());
        Ok(hasher.0.finalize().to_hex().to_string())
    }

    /// The MAC of a file, bound to the name it is kept under: over what is known of it and the digest of its contents.
    fn mac(&self, key: &str, head: &[u8], digest: &blake3::Hash) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes()).update(&(head.len() as u64).to_le_bytes()).update(head).update(digest.as_bytes());
        hasher.finalize()
    }

    /// Seals a file that has been written: without the seal it is not there.
    fn seal(&self, key: &str, path: &Path, head: &[u8], source: Source<'_>) -> Result<(), Error> {
        let digest = digests(&self.secret, &[source])?.remove(0);
        write_whole(&path.with_extension("mac"), &[*digest.as_bytes(), *self.mac(key, head, &digest).as_bytes()].concat())
    }

    /// Finds a sealed file and the digest that its contents must have.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the seal was altered, or belongs to another name or head.
    fn find(&self, key: &str, path: PathBuf, head: &[u8]) -> Result<Option<Kept>, Error> {
        let seal = match fs::read(path.with_extension("mac")) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (Ok(seal), Ok(file)) = (<[u8; 64]>::try_from(seal), File::open(&path)) else { return Err(altered(&path)) };
        let (digest, mac) = seal.split_at(32);
        let (Ok(digest), Ok(mac)) = (blake3::Hash::from_slice(digest), blake3::Hash::from_slice(mac)) else { return Err(altered(&path)) };
        // Compared in constant time by the type.
        if self.mac(key, head, &digest) != mac { Err(altered(&path)) } else { Ok(Some(Kept { path, file, digest })) }
    }

    fn find_code(&self, key: &str) -> Result<Option<Kept>, Error> {
        self.find(key, self.folder.join(format!("{key}.code")), &[])
    }

    fn find_image(&self, name: &str) -> Result<Option<(Kept, Head)>, Error> {
        let key = self.key(name.as_bytes())?;
        let path = self.folder.join(format!("{key}.image"));
        let head = match fs::read(path.with_extension("head")) {
            Ok(head) => head,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let Some(kept) = self.find(&key, path, &head)? else { return Ok(None) };
        Ok(Some((kept, cell::read_header(&mut head.as_slice())?)))
    }

    /// Loads the code `key`, if it is there and exactly what was put there.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it was altered.
    fn load(&self, engine: &Engine, key: &str) -> Result<Option<Module>, Error> {
        let Some(code) = self.find_code(key)? else { return Ok(None) };
        let digest = digests(&self.secret, &[Source::dense(&code.file)?])?;
        code.checked(digest[0])?.module(engine).map(Some)
    }

    /// Keeps compiled code.
    fn store(&self, key: &str, module: &Module) -> Result<(), Error> {
        let bytes = module.serialize().map_err(|error| Error::Host(format!("cannot serialise code: {error:#}")))?;
        let path = self.folder.join(format!("{key}.code"));
        write_whole(&path, &bytes)?;
        self.seal(key, &path, &[], Source::dense(&File::open(&path)?)?)
    }

    /// Compiles, or loads what was compiled before; gives the key that it is kept under. Altered code is refused, never silently replaced.
    ///
    /// # Errors
    /// [`Error::Program`] for bytes that are no module, [`Error::Damaged`] for altered files.
    pub(crate) fn module(&self, engine: &Engine, wasm: &[u8]) -> Result<(Module, String), Error> {
        let key = self.key(wasm)?;
        if let Some(module) = self.load(engine, &key)? {
            return Ok((module, key));
        }
        let module = crate::program::compile(engine, wasm)?;
        self.store(&key, &module)?;
        Ok((module, key))
    }

    /// Keeps an image under a name.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn store_image(&self, name: &str, image: &Image) -> Result<(), Error> {
        let key = self.key(name.as_bytes())?;
        let mut head = Vec::new();
        cell::write_header(&mut head, &image.head)?;
        let path = self.folder.join(format!("{key}.image"));
        let temporary = path.with_extension(format!("{}.new", std::process::id()));
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        image.write_to(&file)?;
        fs::rename(&temporary, &path)?;
        write_whole(&path.with_extension("head"), &head)?;
        self.seal(&key, &path, &head, Source::sparse(&file)?)
    }

    /// Loads the image kept under a name, if there is one for our engines and this processor.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it was altered.
    pub(crate) fn load_image(&self, name: &str) -> Result<Option<Image>, Error> {
        let Some((image, head)) = self.find_image(name)? else { return Ok(None) };
        let digest = digests(&self.secret, &[Source::sparse(&image.file)?])?;
        Image::open(image.checked(digest[0])?.0, head).map(Some)
    }

    /// As [`load_image`](Cache::load_image), together with its code: one look at the contents of both.
    ///
    /// # Errors
    /// [`Error::Damaged`] when one of them was altered.
    pub(crate) fn load_program(&self, name: &str) -> Result<Option<(Image, Checked)>, Error> {
        let Some((image, head)) = self.find_image(name)? else { return Ok(None) };
        let Some(code) = self.find_code(&head.code)? else { return Ok(None) };
        let digests = digests(&self.secret, &[Source::dense(&code.file)?, Source::sparse(&image.file)?])?;
        let code = code.checked(digests[0])?;
        let image = Image::open(image.checked(digests[1])?.0, head)?;
        Ok(Some((image, code)))
    }
}

/// A file that bears our seal.
struct Kept {
    path: PathBuf,
    file: File,
    /// Of its contents, when it was sealed.
    digest: blake3::Hash,
}

impl Kept {
    /// The file, if that is the digest of its contents.
    fn checked(self, digest: blake3::Hash) -> Result<Checked, Error> {
        if digest == self.digest { Ok(Checked(self.file)) } else { Err(altered(&self.path)) }
    }
}

/// A file whose contents are exactly what was put there.
pub(crate) struct Checked(File);

impl Checked {
    /// Loads compiled code.
    ///
    /// # Errors
    /// [`Error::Damaged`] when wasmtime refuses it.
    pub(crate) fn module(self, engine: &Engine) -> Result<Module, Error> {
        // SAFETY: the file is what `Module::serialize` of such an engine gave us: its MAC was made with a secret that only this
        // user can read, over the very name that was asked for, and it lies in a folder that is closed to others, so that nobody else can
        // have changed it since.
        let module = unsafe { Module::deserialize_open_file(engine, self.0) };
        module.map_err(|error| Error::Damaged(format!("cached code does not load: {error:#}")))
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
