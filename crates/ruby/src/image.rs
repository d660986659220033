//! The set-up: fetches the official build of CRuby for WebAssembly, starts it once, and freezes it.

use crate::abi::{self, Door, Layout};
use crate::member::{Member, MemberSetup, Polled, Said, order};
use crate::wire::Wire;
use cell::{Error, Meter};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use wasm::wasmtime::{AsContextMut, Instance, Store};
use wasm::{Cache, Mount, Program, Setup, State, World};

/// The package that the build comes in, from the npm registry.
pub const PACKAGE: &str = "@ruby/4.0-wasm-wasi";
/// Its version.
pub const VERSION: &str = "2.10.1";
/// The file inside it: the interpreter with its standard library.
const MEMBER: &str = "package/dist/ruby+stdlib.wasm";
/// SHA-256 of that file.
const SHA256: &str = "9fe3c749730a16da9b0d1a973bb77bec164f8d958efcb7f5b81e4275ea8c5439";
/// The Ruby side of the hatch.
const GLUE: &str = include_str!("../../../guest/ruby/glue.rb");
/// The images: of boxes that show all of Ruby, and of those that show nothing but the language.
pub(crate) const FULL: &str = "full";
const SAFE: &str = "safe";
/// Bytes of one part of the host's answers.
const ROOM: u32 = 64 << 10;
/// Memory while preparing. With more Ruby takes more at once, for good: at 256 MiB for a cache of instance variables that it never
/// fills and does well without, at some 10 MiB for the stacks of 32 fibers instead of 8. With less it does not start.
const PREPARING: u64 = 54 << 20;

/// C stack of a fiber, in bytes. The least that Ruby takes.
const FIBER_STACK: u32 = 128 << 10;

/// Where things are, and how to get what is missing.
#[derive(Clone, Debug)]
pub struct PrepareOptions {
    /// The cache folder: private to its user.
    pub cache: PathBuf,
    /// A build that is there already; its hash is checked all the same. Without it npm fetches the package.
    pub wasm: Option<PathBuf>,
    /// The npm command.
    pub npm: PathBuf,
    /// Whether anything may be fetched. If not, and nothing is prepared, [`prepare`] fails and says what to do.
    pub fetch: bool,
}

impl PrepareOptions {
    /// Everything under one cache folder, fetched with `npm` where it is missing.
    pub fn new(cache: impl Into<PathBuf>) -> PrepareOptions {
        PrepareOptions { cache: cache.into(), wasm: None, npm: "npm".into(), fetch: true }
    }

    /// The folder that programs of this user keep their caches in, by the usual variables.
    pub fn default_cache(home: Option<&Path>, xdg: Option<&Path>) -> PathBuf {
        match (xdg, home) {
            (Some(xdg), _) => xdg.join("oubliette"),
            (None, Some(home)) => home.join(".cache/oubliette"),
            (None, None) => PathBuf::from("/var/tmp/oubliette"),
        }
    }
}

/// One step of the set-up, for a progress display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which step, from 1.
    pub step: u32,
    /// Of how many.
    pub of: u32,
    /// What is being done.
    pub what: String,
}

/// CRuby, started and frozen: what boxes are made of. Cheap to clone.
#[derive(Clone)]
pub struct Ruby {
    /// Its image is where boxes start that show all of Ruby.
    pub(crate) program: Arc<Program>,
    pub(crate) layout: Layout,
    /// The program whose image was prepared: the same, unless something was loaded into it since.
    pub(crate) root: Arc<Program>,
    /// Where boxes start that show a part of Ruby only, by the groups they show.
    kinds: Arc<Mutex<BTreeMap<Vec<String>, Arc<Program>>>>,
    /// Where the images of this build lie.
    cache: Option<Cache>,
}

impl std::fmt::Debug for Ruby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ruby").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// The name that a prepared image is kept under: another build or another glue makes other images.
pub(crate) fn image_name(what: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(SHA256.as_bytes());
    hasher.update(GLUE.as_bytes());
    hasher.update(b"image 6");
    hasher.update(what.as_bytes());
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("ruby {digest}")
}

/// Loads the prepared image, if there is one.
///
/// # Errors
/// [`Error::Damaged`] when it was altered.
pub fn load(cache: &Path) -> Result<Option<Ruby>, Error> {
    let cache = Cache::open(cache)?;
    match Program::load_image(&image_name(FULL), &cache, Some(abi::link))? {
        Some(program) => finish(program, cache).map(Some),
        None => Ok(None),
    }
}

/// Loads the prepared image, making it first where it is missing: fetching takes as long as 32 MB take, preparing some minutes of one core.
///
/// # Errors
/// [`Error::Host`] with what to do when the package cannot be fetched; [`Error::Damaged`] for a wrong hash or altered files.
pub fn prepare(options: &PrepareOptions, progress: &mut dyn FnMut(Progress)) -> Result<Ruby, Error> {
    let cache = Cache::open(&options.cache)?;
    if let Some(program) = Program::load_image(&image_name(FULL), &cache, Some(abi::link))? {
        return finish(program, cache);
    }
    let of = 6;
    let mut step = 0;
    let mut tell = |what: &str| {
        step += 1;
        progress(Progress { step, of, what: what.to_owned() });
    };
    tell("fetching Ruby");
    let wasm = source(options)?;
    // Room for several fibers is taken at the start, whether they are used or not.
    let environment = vec![("RUBY_FIBER_MACHINE_STACK_SIZE".into(), FIBER_STACK.to_string())];
    let setup = Setup {
        world: World { arguments: vec!["ruby".into()], environment, ..World::default() },
        memory: PREPARING,
        output: None,
        extra: Box::new(Door::default()),
    };
    let job: wasm::Job = Box::new(|store, instance| Box::pin(boot(store, instance)));
    let started = Program::prepare_image(&wasm, setup, job, Some(abi::link), Some(&cache), &mut |what| tell(what))?;
    tell("looking what an eval writes to");
    let started = Ruby::new(started, None)?;
    let mut fresh = Member::new(&started, MemberSetup { world: World::default(), memory: crate::MEMORY, output: None });
    fresh.warm()?;
    let program = fresh.rebase(Some((&cache, &image_name(FULL))))?;
    tell("making an image of safe boxes");
    let ruby = finish(program, cache)?;
    ruby.kind(&[])?;
    Ok(ruby)
}

impl Ruby {
    /// The least memory that a box can be given, in bytes: what it has from the start.
    pub fn least_memory(&self) -> u64 {
        // The table of functions counts too.
        self.program.image_size() + (1 << 20)
    }

    /// A Ruby whose boxes start after `source` has been evaluated: with libraries loaded that every box is to have, say. The folders
    /// of `world` are there while it is.
    ///
    /// # Errors
    /// [`Error::Program`] when it raises.
    pub fn with(&self, source: &str, world: World) -> Result<Ruby, Error> {
        let mut member = Member::new(self, MemberSetup { world, memory: crate::MEMORY, output: None });
        member.start(vec![Wire::Integer(order::EVAL), Wire::text(source), Wire::text("(prelude)"), Wire::Integer(1)])?;
        match member.poll(&mut Meter::new(None)) {
            Polled::Done(Said::Value(_)) => {}
            Polled::Done(Said::Error(failure)) => {
                return Err(Error::Program(failure.report.unwrap_or(format!("{}: {}", failure.name, failure.message))));
            }
            other => return Err(Error::Program(format!("it did not run to its end: {other:?}"))),
        }
        Ok(Ruby { program: member.rebase(None)?, kinds: Arc::default(), cache: None, ..self.clone() })
    }

    fn new(program: Arc<Program>, cache: Option<Cache>) -> Result<Ruby, Error> {
        let layout = program.note().and_then(Layout::from_bytes);
        let layout = layout.ok_or_else(|| Error::Damaged("the image of Ruby has no layout".into()))?;
        Ok(Ruby { root: Arc::clone(&program), program, layout, kinds: Arc::default(), cache })
    }

    /// The program of boxes that hide the groups not named.
    pub(crate) fn kind(&self, groups: &[String]) -> Result<Arc<Program>, Error> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = kinds.get(groups) {
            return Ok(Arc::clone(program));
        }
        let program = self.make_kind(groups)?;
        kinds.insert(groups.to_vec(), Arc::clone(&program));
        Ok(program)
    }

    fn make_kind(&self, groups: &[String]) -> Result<Arc<Program>, Error> {
        // Those that show nothing are what most boxes are: their image is kept.
        let name = image_name(SAFE);
        let kept = self.cache.as_ref().filter(|_| groups.is_empty());
        if let Some(cache) = kept
            && let Some(program) = self.program.load_sibling(&name, cache)?
        {
            return Ok(program);
        }
        let mut member = Member::new(self, MemberSetup { world: World::default(), memory: crate::MEMORY, output: None });
        let groups: Vec<Wire> = groups.iter().map(|group| Wire::Symbol(group.clone())).collect();
        member.start(vec![Wire::Integer(order::INIT), Wire::Array(groups)])?;
        match member.poll(&mut Meter::new(None)) {
            Polled::Done(Said::Value(_)) => {}
            other => return Err(Error::Host(format!("a box could not be set up: {other:?}"))),
        }
        // What was hidden has emptied Ruby's caches of methods.
        member.warm()?;
        member.rebase(kept.map(|cache| (cache, name.as_str())))
    }
}

/// Images of this process, for snapshots that are loaded.
static LOADED: Mutex<Option<Ruby>> = Mutex::new(None);

/// The image of this process, once one was loaded or prepared.
pub(crate) fn loaded() -> Option<Ruby> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn finish(program: Arc<Program>, cache: Cache) -> Result<Ruby, Error> {
    let ruby = Ruby::new(program, Some(cache))?;
    *LOADED.lock().unwrap_or_else(PoisonError::into_inner) = Some(ruby.clone());
    Ok(ruby)
}

/// The interpreter's bytes, from the cache, from the file named, or from npm; checked in any case.
fn source(options: &PrepareOptions) -> Result<Vec<u8>, Error> {
    let kept = options.cache.join(format!("ruby-{}.wasm", &SHA256[..16]));
    for path in [options.wasm.as_deref(), Some(kept.as_path())].into_iter().flatten() {
        match fs::read(path) {
            Ok(bytes) => return check(bytes, &path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !options.fetch {
        return Err(Error::Host(format!("Ruby is not prepared yet: run the set-up (it fetches {PACKAGE} {VERSION} with npm)")));
    }
    let bytes = check(fetch(options)?, PACKAGE)?;
    fs::write(&kept, &bytes)?;
    Ok(bytes)
}

fn check(bytes: Vec<u8>, what: &str) -> Result<Vec<u8>, Error> {
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest == SHA256 {
        Ok(bytes)
    } else {
        Err(Error::Damaged(format!("{what} is not the Ruby build it should be: its SHA-256 is {digest}, not {SHA256}")))
    }
}

/// Has npm fetch the package, and takes the one file out of it.
fn fetch(options: &PrepareOptions) -> Result<Vec<u8>, Error> {
    let folder = options.cache.join(format!("fetch-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = (|| {
        let run = Command::new(&options.npm)
            .args(["pack", "--silent", "--pack-destination"])
            .arg(&folder)
            .arg(format!("{PACKAGE}@{VERSION}"))
            .current_dir(&folder)
            .output()
            .map_err(|error| {
                Error::Host(format!("cannot run {}: {error}; npm is needed once, to fetch {PACKAGE}", options.npm.display()))
            })?;
        if !run.status.success() {
            let text = String::from_utf8_lossy(&run.stderr);
            return Err(Error::Host(format!("npm could not fetch {PACKAGE} {VERSION}: {}", text.trim())));
        }
        let package = fs::read_dir(&folder)?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
            .ok_or_else(|| Error::Host("npm fetched no package".into()))?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(package)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path()?.as_os_str() == MEMBER {
                let mut bytes = Vec::new();
                entry.by_ref().take(256 << 20).read_to_end(&mut bytes)?;
                return Ok(bytes);
            }
        }
        Err(Error::Damaged(format!("{PACKAGE} {VERSION} has no {MEMBER}")))
    })();
    // What is left of the fetch is of no use to anybody; that it could not be removed is not worth failing for.
    let _ = fs::remove_dir_all(&folder);
    result
}

const EVAL: &str = "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>";
pub(crate) const CALL: &str =
    "rb-funcallv-protect: func(recv: handle<rb-abi-value>, mid: u32, args: list<handle<rb-abi-value>>) -> tuple<handle<rb-abi-value>, s32>";

/// Starts the interpreter, loads the glue, and gives the layout as the image's note.
async fn boot(store: &mut Store<State>, instance: &Instance) -> wasm::wasmtime::Result<Vec<u8>> {
    let memory = store.data().memory().ok_or_else(|| wasm::wasmtime::format_err!("Ruby has no memory"))?;
    instance.get_typed_func::<(), ()>(&mut *store, "_initialize")?.call_async(&mut *store, ()).await?;
    let allocate = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut *store, "cabi_realloc")?;
    let mut table = Vec::new();
    for argument in ["ruby", "--disable=gems,did_you_mean,error_highlight,syntax_suggest,rubyopt", "-EUTF-8", "-e0"] {
        let at = allocate.call_async(&mut *store, (0, 0, 1, argument.len() as i32 + 1)).await?;
        memory.write(store.as_context_mut(), at as usize, format!("{argument}\0").as_bytes())?;
        table.extend_from_slice(&at.to_le_bytes());
        table.extend_from_slice(&(argument.len() as i32).to_le_bytes());
    }
    let list = allocate.call_async(&mut *store, (0, 0, 4, table.len() as i32)).await?;
    memory.write(store.as_context_mut(), list as usize, &table)?;
    let init = instance.get_typed_func::<(i32, i32), ()>(&mut *store, "ruby-init: func(args: list<string>) -> ()")?;
    init.call_async(&mut *store, (list, table.len() as i32 / 8)).await?;

    let eval = instance.get_typed_func::<(i32, i32), i32>(&mut *store, EVAL)?;
    // Evaluated under a name of its own, so that backtraces can leave it out.
    let code = format!("TOPLEVEL_BINDING.eval(<<'OUBLIETTE', '(oubliette)', 1)\n{GLUE}\nOUBLIETTE\n");
    let at = allocate.call_async(&mut *store, (0, 0, 1, code.len() as i32)).await?;
    memory.write(store.as_context_mut(), at as usize, code.as_bytes())?;
    let result = eval.call_async(&mut *store, (at, code.len() as i32)).await?;
    let mut state = [0; 4];
    memory.read(&*store, result as usize + 4, &mut state)?;
    if state != [0; 4] {
        return Err(wasm::wasmtime::format_err!("the glue could not be loaded"));
    }
    let intern = instance.get_typed_func::<(i32, i32), i32>(&mut *store, "rb-intern: func(name: string) -> u32")?;
    let name = allocate.call_async(&mut *store, (0, 0, 1, 6)).await?;
    memory.write(store.as_context_mut(), name as usize, b"enter\0")?;
    let entry = intern.call_async(&mut *store, (name, 5)).await?;
    let wrapped = store.data().extra.downcast_ref::<Door>().map(|door| door.wrapped.clone()).unwrap_or_default();
    let [outbox, receiver, query, nil, truth, string, frozen, float] = wrapped[..] else {
        return Err(wasm::wasmtime::format_err!("the glue did not introduce itself"));
    };
    let data = memory.data(&*store);
    let word = |object: u32, at: usize| crate::objects::word(data, object as usize + at).unwrap_or(0);
    // The number that the glue said this float to be.
    let places = [12usize, 16];
    let value = |at: &&usize| data.get(float as usize + **at..).and_then(<[u8]>::first_chunk) == Some(&1234.5f64.to_le_bytes());
    let layout = Layout {
        room: ROOM,
        outbox,
        receiver,
        entry: entry.cast_unsigned(),
        query,
        nil,
        truth,
        string: word(string, 4),
        shape: word(string, 8),
        frozen: word(frozen, 8),
        float: places.iter().find(value).map_or(0, |at| *at as u32),
    };
    Ok(layout.to_bytes())
}

/// What is evaluated before an image is frozen: the caches in Ruby's code and its free lists are then filled in the image, and not in
/// every box anew. It leaves nothing that a program could see.
pub(crate) const WARM: [&str; 8] = [
    "nil",
    "1 + 1",
    "[1, 'a'.to_s, :b, 1.5, nil].each { |item| item.to_s }",
    "raise 'x'",
    "{ 'a' => 1 }",
    "raise 'x'",
    "nil",
    "GC.start; nil",
];

/// A folder of the host, to be mounted for reading.
///
/// # Errors
/// [`Error::Io`] when it cannot be opened.
pub fn read_only(folder: &Path) -> Result<Mount, Error> {
    let dir = cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority())?;
    Ok(Mount::ReadOnly(Arc::new(dir)))
}
