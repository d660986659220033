//! Compiled modules with their imports bound: what instances are made of.

use crate::cache::Cache;
use crate::guest::{Frozen, Guest, Job, Progress, Setup};
use crate::rewrite::{self, GLOBAL_PREFIX, Image, NOTE_PREFIX, Survey};
use crate::state::State;
use crate::{hatch, wasi};
use cell::{Error, Meter};
use std::sync::{Arc, OnceLock};
use wasmtime::{AsContext, AsContextMut, Engine, ExternType, Instance, InstancePre, Linker, Module, Store, Val};

/// Defines imports besides WASI and the hatch.
pub type Imports = fn(&mut Linker<State>) -> wasmtime::Result<()>;

/// A module, compiled and linked. Instances of it share its code and its image.
pub struct Program {
    pub(crate) pre: InstancePre<State>,
    survey: Survey,
    /// A digest of every page of a fresh instance, made when first needed.
    pristine: OnceLock<Vec<[u8; 16]>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("survey", &self.survey).finish_non_exhaustive()
    }
}

pub(crate) fn compile(engine: &Engine, wasm: &[u8]) -> Result<Module, Error> {
    Module::from_binary(engine, wasm).map_err(|error| Error::Program(format!("not a usable WebAssembly module: {error:#}")))
}

/// No imports besides WASI and the hatch.
pub(crate) fn no_imports(_: &mut Linker<State>) -> wasmtime::Result<()> {
    Ok(())
}

impl Program {
    /// Compiles a module, or takes it from the cache.
    ///
    /// # Errors
    /// [`Error::Program`] when it is no module or imports what nobody offers, [`Error::Damaged`] when its cached code was altered.
    pub fn new(wasm: &[u8], cache: Option<&Cache>, imports: Option<Imports>) -> Result<Arc<Program>, Error> {
        let engine = crate::runtime::engine()?;
        let survey = rewrite::survey(wasm)?;
        let wasm = rewrite::rewrite(wasm, None)?;
        let module = match cache {
            Some(cache) => cache.module(engine, &wasm)?,
            None => compile(engine, &wasm)?,
        };
        Program::link(&module, survey, imports)
    }

    fn link(module: &Module, survey: Survey, imports: Option<Imports>) -> Result<Arc<Program>, Error> {
        let host = |error: wasmtime::Error| Error::Host(format!("{error:#}"));
        let mut linker = Linker::new(module.engine());
        wasi::calls::link(&mut linker).map_err(host)?;
        hatch::link(&mut linker).map_err(host)?;
        imports.unwrap_or(no_imports)(&mut linker).map_err(host)?;
        let pre = linker.instantiate_pre(module).map_err(|error| Error::Program(format!("{error:#}")))?;
        Ok(Arc::new(Program { pre, survey, pristine: OnceLock::new() }))
    }

    /// Loads a prepared image, if the cache has one under this name for this engine and processor.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it was altered.
    pub fn load_image(name: &str, cache: &Cache, imports: Option<Imports>) -> Result<Option<Arc<Program>>, Error> {
        let engine = crate::runtime::engine()?;
        match cache.load_named(engine, name)? {
            Some(module) => Program::link(&module, Survey::default(), imports).map(Some),
            None => Ok(None),
        }
    }

    /// Prepares an image: instantiates the module, does `job` inside, and makes a program whose instances start from there.
    /// What the job gives is the image's [note](Program::note). It is kept in the cache under `name`. `progress` hears of each step.
    ///
    /// # Errors
    /// [`Error::Program`] when the module cannot be frozen or the job fails.
    pub fn prepare_image(
        wasm: &[u8],
        setup: Setup,
        job: Job,
        imports: Option<Imports>,
        cache: Option<(&Cache, &str)>,
        progress: &mut dyn FnMut(&'static str),
    ) -> Result<Arc<Program>, Error> {
        progress("compiling the program");
        let first = Program::new(wasm, cache.map(|(cache, _)| cache), imports)?;
        first.freezable()?;
        progress("running its initialiser");
        let mut guest = Guest::new(Arc::clone(&first), setup);
        let note = run(&mut guest, job)?;
        let memory = run(&mut guest, Box::new(|store, _| Box::pin(std::future::ready(Ok(copy_memory(store))))))?;
        let globals = read_globals(&mut guest)?;
        drop(guest);
        progress("freezing its memory");
        let globals: Vec<(u32, u64)> =
            globals.iter().filter_map(|(name, bits)| Some((name.strip_prefix(GLOBAL_PREFIX)?.parse().ok()?, *bits))).collect();
        let baked = rewrite::rewrite(wasm, Some(&Image { memory: &memory, globals: &globals, note: &note }))?;
        let baked = rewrite::rewrite(&baked, None)?;
        drop(memory);
        progress("compiling the image");
        let engine = crate::runtime::engine()?;
        let module = match cache {
            Some((cache, name)) => cache.store_named(engine, name, &baked)?,
            None => compile(engine, &baked)?,
        };
        Program::link(&module, Survey::default(), imports)
    }

    /// Whether quiet instances can be frozen.
    ///
    /// # Errors
    /// [`Error::Unsupported`] that says why not.
    pub fn freezable(&self) -> Result<(), Error> {
        match self.survey.unfreezable {
            None => Ok(()),
            Some(why) => Err(cell::Unsupported { engine: "wasm", what: format!("freeze this program: {why}") }.into()),
        }
    }

    /// What the job that prepared this image gave.
    pub fn note(&self) -> Option<Vec<u8>> {
        let text = self.pre.module().exports().find_map(|export| export.name().strip_prefix(NOTE_PREFIX))?;
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    }

    /// Bytes of memory of a fresh instance.
    pub fn image_size(&self) -> u64 {
        let memories = self.pre.module().exports().filter_map(|export| match export.ty() {
            ExternType::Memory(memory) => Some(memory.minimum() << 16),
            _ => None,
        });
        memories.max().unwrap_or(0)
    }

    /// Whether the module exports a function under this name.
    pub fn has_function(&self, name: &str) -> bool {
        matches!(self.pre.module().get_export(name), Some(ExternType::Func(_)))
    }

    /// The type of an exported function.
    pub fn function_type(&self, name: &str) -> Option<wasmtime::FuncType> {
        match self.pre.module().get_export(name)? {
            ExternType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// Names of exported functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.pre.module().exports().filter(|export| matches!(export.ty(), ExternType::Func(_))).map(|export| export.name())
    }

    /// Freezes a quiet instance: the pages that differ from a fresh one, its globals, its process.
    ///
    /// # Errors
    /// When it is not quiet, or the program cannot be frozen.
    pub fn freeze(self: &Arc<Self>, guest: &mut Guest) -> Result<Frozen, Error> {
        self.freezable()?;
        let pristine = match self.pristine.get() {
            Some(pristine) => pristine,
            None => {
                let setup = Setup { memory: u64::MAX, ..Setup::default() };
                let mut fresh = Guest::new(Arc::clone(self), setup);
                let bytes = run(&mut fresh, Box::new(|store, _| Box::pin(std::future::ready(Ok(digests(store))))))?;
                let digests = bytes.as_chunks().0.to_vec();
                self.pristine.get_or_init(|| digests)
            }
        };
        let program = Arc::clone(self);
        let slot = Arc::new(std::sync::Mutex::new(None));
        let out = Arc::clone(&slot);
        let base = pristine.len();
        run(
            guest,
            Box::new(move |store, instance| {
                let frozen = snapshot(store, instance, program.pristine.get().map_or(&[][..], |pristine| &pristine[..base]));
                *out.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(frozen);
                Box::pin(std::future::ready(Ok(Vec::new())))
            }),
        )?;
        let frozen = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        frozen.ok_or_else(|| Error::Host("nothing was frozen".into()))
    }
}

/// Runs a job of our own to its end, without a limit.
pub fn run(guest: &mut Guest, job: Job) -> Result<Vec<u8>, Error> {
    guest.submit(job)?;
    let mut meter = Meter::new(None);
    loop {
        match guest.poll(&mut meter) {
            Progress::Done(bytes) => return Ok(bytes),
            Progress::Exchange(_) => guest.answer(Vec::new()),
            Progress::Over(over) => return Err(Error::Program(format!("the guest ended too early: {over:?}"))),
            Progress::Halted(halt) => return Err(Error::State(format!("the guest was stopped: {halt:?}"))),
        }
    }
}

fn copy_memory(store: &Store<State>) -> Vec<u8> {
    store.data().memory.map_or_else(Vec::new, |memory| memory.data(store.as_context()).to_vec())
}

fn digest(page: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&blake3::hash(page).as_bytes()[..16]);
    out
}

fn digests(store: &Store<State>) -> Vec<u8> {
    let memory = store.data().memory.map_or(&[][..], |memory| memory.data(store.as_context()));
    memory.chunks(4096).flat_map(digest).collect()
}

fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        _ => 0,
    }
}

fn globals(store: &mut Store<State>, instance: &Instance) -> Vec<(String, u64)> {
    let found: Vec<_> = instance
        .exports(store.as_context_mut())
        .filter_map(|export| {
            let name = export.name().to_owned();
            let global = export.into_global()?;
            name.starts_with(GLOBAL_PREFIX).then_some((name, global))
        })
        .collect();
    found.into_iter().map(|(name, global)| (name, bits(&global.get(store.as_context_mut())))).collect()
}

fn read_globals(guest: &mut Guest) -> Result<Vec<(String, u64)>, Error> {
    let slot = Arc::new(std::sync::Mutex::new(Vec::new()));
    let out = Arc::clone(&slot);
    run(
        guest,
        Box::new(move |store, instance| {
            *out.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = globals(store, instance);
            Box::pin(std::future::ready(Ok(Vec::new())))
        }),
    )?;
    let mut found = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(std::mem::take(&mut found))
}

fn snapshot(store: &mut Store<State>, instance: &Instance, pristine: &[[u8; 16]]) -> Frozen {
    let globals = globals(store, instance);
    let data = store.data().memory.map_or(&[][..], |memory| memory.data(store.as_context()));
    let zero = [0; 4096];
    let pages = data
        .chunks(4096)
        .zip(0u32..)
        .filter(|(page, index)| match pristine.get(*index as usize) {
            Some(base) => digest(page) != *base,
            None => page[..] != zero[..page.len()],
        })
        .map(|(page, index)| (index, Box::from(page)))
        .collect();
    Frozen {
        pages,
        size: data.len() as u64,
        globals,
        process: store.data().process.clone(),
        native: store.data().native,
        fuel: u64::MAX - store.get_fuel().unwrap_or(u64::MAX),
    }
}
