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
use wasm::{Cache, Frozen, Mount, Program, Setup, State, World};

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
/// Bytes of the buffer for the host's answers.
const ROOM: u32 = 64 << 10;
/// Memory while preparing. It must not be more: with 256 MiB to be had at once, Ruby takes them for a cache of instance variables
/// that it never fills and does well without.
const PREPARING: u64 = 160 << 20;

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
    pub(crate) program: Arc<Program>,
    pub(crate) layout: Layout,
    /// Where boxes start instead of the image.
    pub(crate) base: Option<Arc<Frozen>>,
    /// Frozen boxes by the groups they show, so that only the first of its kind is set up.
    kinds: Arc<Mutex<BTreeMap<Vec<String>, Arc<Frozen>>>>,
}

impl std::fmt::Debug for Ruby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ruby").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// The name that the prepared image is kept under: another build or another glue makes another image.
pub(crate) fn image_name() -> String {
    let mut hasher = Sha256::new();
    hasher.update(SHA256.as_bytes());
    hasher.update(GLUE.as_bytes());
    hasher.update(b"image 3");
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("ruby {digest}")
}

/// Loads the prepared image, if there is one.
///
/// # Errors
/// [`Error::Damaged`] when it was altered.
pub fn load(cache: &Path) -> Result<Option<Ruby>, Error> {
    let cache = Cache::open(cache)?;
    match Program::load_image(&image_name(), &cache, Some(abi::link))? {
        Some(program) => finish(program).map(Some),
        None => Ok(None),
    }
}

/// Loads the prepared image, making it first where it is missing: fetching takes as long as 32 MB take, preparing about a minute.
///
/// # Errors
/// [`Error::Host`] with what to do when the package cannot be fetched; [`Error::Damaged`] for a wrong hash or altered files.
pub fn prepare(options: &PrepareOptions, progress: &mut dyn FnMut(Progress)) -> Result<Ruby, Error> {
    let cache = Cache::open(&options.cache)?;
    let name = image_name();
    if let Some(program) = Program::load_image(&name, &cache, Some(abi::link))? {
        return finish(program);
    }
    let of = 6;
    let mut step = 0;
    let mut tell = |what: &str| {
        step += 1;
        progress(Progress { step, of, what: what.to_owned() });
    };
    tell("fetching Ruby");
    let wasm = source(options)?;
    tell("starting Ruby once");
    // Room for 32 fibers is taken at the start, whether they are used or not.
    let environment = vec![("RUBY_FIBER_MACHINE_STACK_SIZE".into(), FIBER_STACK.to_string())];
    let setup = Setup {
        world: World { arguments: vec!["ruby".into()], environment, ..World::default() },
        memory: PREPARING,
        output: None,
        extra: Box::new(Door::default()),
    };
    let job: wasm::Job = Box::new(|store, instance| Box::pin(boot(store, instance)));
    let program = Program::prepare_image(&wasm, setup, job, Some(abi::link), Some((&cache, &name)), &mut |what| tell(what))?;
    finish(program)
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
        Ok(Ruby { base: Some(Arc::new(member.freeze()?)), kinds: Arc::default(), ..self.clone() })
    }

    /// A fresh box that hides the groups not named, frozen.
    pub(crate) fn kind(&self, groups: &[String]) -> Result<Arc<Frozen>, Error> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frozen) = kinds.get(groups) {
            return Ok(Arc::clone(frozen));
        }
        let frozen = Arc::new(self.make_kind(groups)?);
        kinds.insert(groups.to_vec(), Arc::clone(&frozen));
        Ok(frozen)
    }

    fn make_kind(&self, groups: &[String]) -> Result<Frozen, Error> {
        let mut member = Member::new(self, MemberSetup { world: World::default(), memory: crate::MEMORY, output: None });
        let groups = groups.iter().map(|group| Wire::Symbol(group.clone())).collect();
        member.start(vec![Wire::Integer(order::INIT), Wire::Array(groups)])?;
        match member.poll(&mut Meter::new(None)) {
            Polled::Done(Said::Value(_)) => {}
            other => return Err(Error::Host(format!("a box could not be set up: {other:?}"))),
        }
        // What was hidden has emptied Ruby's caches of methods.
        for source in WARM {
            member.start(vec![Wire::Integer(order::EVAL), Wire::text(source), Wire::text("(warm)"), Wire::Integer(1)])?;
            let _ = member.poll(&mut Meter::new(None));
        }
        member.freeze()
    }
}

/// Images of this process, for snapshots that are loaded.
static LOADED: Mutex<Option<Ruby>> = Mutex::new(None);

/// The image of this process, once one was loaded or prepared.
pub(crate) fn loaded() -> Option<Ruby> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn finish(program: Arc<Program>) -> Result<Ruby, Error> {
    let note = program.note().filter(|note| note.len() == 20).ok_or_else(|| Error::Damaged("the image of Ruby has no layout".into()))?;
    let word = |at: usize| u32::from_le_bytes([note[at], note[at + 1], note[at + 2], note[at + 3]]);
    let layout = Layout { buffer: word(0), room: word(4), outbox: word(8), receiver: word(12), entry: word(16) };
    let ruby = Ruby { program, layout, base: None, kinds: Arc::default() };
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

    let buffer = allocate.call_async(&mut *store, (0, 0, 16, ROOM as i32)).await?;
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
    memory.write(store.as_context_mut(), buffer as usize, b"enter\0")?;
    let entry = intern.call_async(&mut *store, (buffer, 5)).await?;
    let wrapped = store.data().extra.downcast_ref::<Door>().map(|door| door.wrapped.clone()).unwrap_or_default();
    let [outbox, receiver] = wrapped[..] else { return Err(wasm::wasmtime::format_err!("the glue did not introduce itself")) };
    let layout = Layout { buffer: buffer.cast_unsigned(), room: ROOM, outbox, receiver, entry: entry.cast_unsigned() };
    warm(store, instance, layout).await?;
    Ok([buffer.cast_unsigned(), ROOM, outbox, receiver, entry.cast_unsigned()].iter().flat_map(|word| word.to_le_bytes()).collect())
}

/// What is evaluated before the image is frozen: the caches in Ruby's code and its free lists are then filled in the image, and not in
/// every box anew. It leaves nothing that a program could see.
const WARM: [&str; 8] = [
    "nil",
    "1 + 1",
    "[1, 'a'.to_s, :b, 1.5, nil].each { |item| item.to_s }",
    "raise 'x'",
    "{ 'a' => 1 }",
    "raise 'x'",
    "nil",
    "GC.start; nil",
];

async fn warm(store: &mut Store<State>, instance: &Instance, layout: Layout) -> wasm::wasmtime::Result<()> {
    let call = instance.get_typed_func::<(i32, i32, i32, i32), i32>(&mut *store, CALL)?;
    for source in WARM {
        let order = [Wire::Integer(order::EVAL), Wire::text(source), Wire::text("(warm)"), Wire::Integer(1)];
        let message = Wire::short_message(&order, ROOM).ok_or_else(|| wasm::wasmtime::format_err!("an order is too long"))?;
        let door = store.data_mut().extra.downcast_mut::<Door>().ok_or_else(|| wasm::wasmtime::format_err!("there is no door"))?;
        door.layout = layout;
        door.load(message);
        call.call_async(&mut *store, (layout.receiver.cast_signed(), layout.entry.cast_signed(), 0, 0)).await?;
    }
    Ok(())
}

/// A folder of the host, to be mounted for reading.
///
/// # Errors
/// [`Error::Io`] when it cannot be opened.
pub fn read_only(folder: &Path) -> Result<Mount, Error> {
    let dir = cap_std::fs::Dir::open_ambient_dir(folder, cap_std::ambient_authority())?;
    Ok(Mount::ReadOnly(Arc::new(dir)))
}
