//! Compiled modules with their imports bound: what instances are made of.

use crate::cache::Cache;
use crate::guest::{Frozen, Guest, Job, Progress, Setup};
use crate::image::{Head, Image, PAGE, join};
use crate::rewrite::{self, GLOBAL_PREFIX, Survey};
use crate::state::State;
use crate::{asyncify, hatch, wasi};
use cell::{Error, Meter};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wasmtime::{AsContext, AsContextMut, Engine, ExternType, Instance, InstancePre, Linker, Module, Store, Val};

/// Defines imports besides WASI and the hatch.
pub type Imports = fn(&mut Linker<State>) -> wasmtime::Result<()>;

/// A module, compiled and linked. Instances of it share its code and its image.
pub struct Program {
    pub(crate) pre: InstancePre<State>,
    survey: Survey,
    /// Where instances start, if not as the module says.
    pub(crate) image: Option<Arc<Image>>,
    /// A digest of every page of a fresh instance, made when first needed, where there is no image to compare with.
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
        let wasm = rewrite::rewrite(wasm, false)?;
        let module = match cache {
            Some(cache) => cache.module(engine, &wasm)?.0,
            None => compile(engine, &wasm)?,
        };
        Program::link(&module, survey, imports, None)
    }

    fn link(module: &Module, survey: Survey, imports: Option<Imports>, image: Option<Image>) -> Result<Arc<Program>, Error> {
        let host = |error: wasmtime::Error| Error::Host(format!("{error:#}"));
        let mut linker = Linker::new(module.engine());
        wasi::calls::link(&mut linker).map_err(host)?;
        hatch::link(&mut linker).map_err(host)?;
        imports.unwrap_or(no_imports)(&mut linker).map_err(host)?;
        let pre = linker.instantiate_pre(module).map_err(|error| Error::Program(format!("{error:#}")))?;
        Ok(Arc::new(Program { pre, survey, image: image.map(Arc::new), pristine: OnceLock::new() }))
    }

    /// Loads a prepared image, if the cache has one under this name for this engine and processor.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it or its code was altered.
    pub fn load_image(name: &str, cache: &Cache, imports: Option<Imports>) -> Result<Option<Arc<Program>>, Error> {
        // Both take their time, the one for a look at every byte, the other for laying out room for all instances there may be.
        let (engine, found) = std::thread::scope(|scope| {
            let engine = scope.spawn(crate::runtime::image_engine);
            let found = cache.load_program(name);
            (engine.join().unwrap_or_else(|_| Err(Error::Host("wasmtime could not be set up".into()))), found)
        });
        let Some((image, code)) = found? else { return Ok(None) };
        Program::link(&code.module(engine?)?, Survey::default(), imports, Some(image)).map(Some)
    }

    /// Loads another image of the same program, if the cache has one under this name.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it was altered, or belongs to another program.
    pub fn load_sibling(&self, name: &str, cache: &Cache) -> Result<Option<Arc<Program>>, Error> {
        let Some(image) = cache.load_image(name)? else { return Ok(None) };
        if self.image.as_ref().is_none_or(|own| own.head.code != image.head.code) {
            return Err(Error::Damaged(format!("the image `{name}` belongs to another program")));
        }
        Ok(Some(Arc::new(self.on(Arc::new(image)))))
    }

    /// Prepares an image: instantiates the module, does `job` inside, and makes a program whose instances start from there.
    /// What the job gives is the image's [note](Program::note). The compiled code is kept in the cache; [`rebase`](Program::rebase) keeps
    /// images. `progress` hears of each step.
    ///
    /// # Errors
    /// [`Error::Program`] when the module cannot be frozen or the job fails.
    pub fn prepare_image(
        wasm: &[u8],
        setup: Setup,
        job: Job,
        imports: Option<Imports>,
        cache: Option<&Cache>,
        progress: &mut dyn FnMut(&'static str),
    ) -> Result<Arc<Program>, Error> {
        progress("compiling the program");
        let engine = crate::runtime::image_engine()?;
        let survey = rewrite::survey(wasm)?;
        if let Some(why) = survey.unfreezable {
            return Err(unfreezable(why).into());
        }
        let memory = rewrite::first_memory(wasm)?;
        let unfolded = asyncify::unfold(wasm)?;
        let bare = rewrite::rewrite(unfolded.as_deref().unwrap_or(wasm), true)?;
        let (module, code) = match cache {
            Some(cache) => cache.module(engine, &bare)?,
            None => (compile(engine, &bare)?, String::new()),
        };
        let first = Program::link(&module, survey, imports, Some(Image::new(&memory, Head { code, ..Head::default() })?))?;
        drop(memory);
        progress("running its initialiser");
        let mut guest = Guest::new(Arc::clone(&first), setup);
        if first.has_function(rewrite::START) {
            run(&mut guest, Box::new(|store, instance| Box::pin(start(store, instance))))?;
        }
        let note = run(&mut guest, job)?;
        progress("freezing its memory");
        first.rebase(&mut guest, Some(note), None, None)
    }

    /// A program whose instances start where a quiet instance of this one is now. `trial` is what instances are likely to do first: the
    /// pages that it writes to are made ready for each one. Kept in the cache, if one is given, under a name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for programs without an image; those of the trial.
    pub fn rebase(
        self: &Arc<Self>,
        guest: &mut Guest,
        note: Option<Vec<u8>>,
        trial: Option<(Setup, Job)>,
        cache: Option<(&Cache, &str)>,
    ) -> Result<Arc<Program>, Error> {
        let Some(image) = &self.image else { return Err(unfreezable("it was not prepared as an image").into()) };
        let head = Head { note: note.unwrap_or_else(|| image.head.note.clone()), code: image.head.code.clone(), ..Head::default() };
        let mut next = look(guest, move |store, instance| {
            let mut globals = globals(store, instance);
            globals.retain(|(name, _)| name.starts_with(GLOBAL_PREFIX));
            let mut image = Image::new(memory(store), Head { globals, ..head.clone() })?;
            image.process = Some(store.data().process.clone());
            Ok::<Image, Error>(image)
        })??;
        if let Some((setup, job)) = trial {
            let image = Arc::new(next);
            let mut guest = Guest::new(Arc::new(self.on(Arc::clone(&image))), setup);
            run(&mut guest, job)?;
            let written = Arc::clone(&image);
            let pages = look(&mut guest, move |store, _| written.changed(memory(store)))??;
            drop(guest);
            let mut head = image.head.clone();
            head.hot = join(&pages);
            next = image.with_head(head)?;
        }
        if let Some((cache, name)) = cache {
            cache.store_image(name, &next)?;
            // As it will be when it is loaded.
            next.process = None;
        }
        Ok(Arc::new(self.on(Arc::new(next))))
    }

    /// The same program on another image.
    fn on(&self, image: Arc<Image>) -> Program {
        Program { pre: self.pre.clone(), survey: self.survey.clone(), image: Some(image), pristine: OnceLock::new() }
    }

    /// Whether quiet instances can be frozen.
    ///
    /// # Errors
    /// [`Error::Unsupported`] that says why not.
    pub fn freezable(&self) -> Result<(), Error> {
        match self.survey.unfreezable {
            None => Ok(()),
            Some(why) => Err(unfreezable(why).into()),
        }
    }

    /// What the job that prepared this image gave.
    pub fn note(&self) -> Option<&[u8]> {
        self.image.as_ref().map(|image| &image.head.note[..])
    }

    /// Bytes of memory of a fresh instance.
    pub fn image_size(&self) -> u64 {
        if let Some(image) = &self.image {
            return image.head.size;
        }
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
        let program = Arc::clone(self);
        if self.image.is_some() {
            return look(guest, move |store, instance| {
                let changed = program.image.as_ref().map(|image| image.changed(memory(store))).transpose()?.unwrap_or_default();
                Ok(snapshot(store, instance, &changed))
            })?;
        }
        if self.pristine.get().is_none() {
            let setup = Setup { memory: u64::MAX, ..Setup::default() };
            let mut fresh = Guest::new(Arc::clone(self), setup);
            let digests = look(&mut fresh, |store, _| memory(store).chunks(PAGE).map(digest).collect())?;
            self.pristine.get_or_init(|| digests);
        }
        look(guest, move |store, instance| {
            let zero = [0; PAGE];
            let pristine = program.pristine.get().map_or(&[][..], |pristine| pristine);
            let pages = (0u32..).zip(memory(store).chunks(PAGE)).filter(|(index, page)| match pristine.get(*index as usize) {
                Some(base) => digest(page) != *base,
                None => page[..] != zero[..page.len()],
            });
            let changed: Vec<u32> = pages.map(|(index, _)| index).collect();
            snapshot(store, instance, &changed)
        })
    }

    /// What is kept of a frozen instance of this program, told as an instance of `root`, whose code is the same: the pages that its own
    /// image has different are added.
    ///
    /// # Errors
    /// Those of the images' files.
    pub fn retell(&self, frozen: &Frozen, root: &Program) -> Result<Frozen, Error> {
        let (Some(own), Some(base)) = (&self.image, &root.image) else { return Ok(frozen.clone()) };
        if Arc::ptr_eq(own, base) {
            return Ok(frozen.clone());
        }
        let mut pages: BTreeMap<u32, Box<[u8]>> = frozen.pages.iter().cloned().collect();
        for index in 0..u32::try_from(own.head.size / PAGE as u64).unwrap_or(u32::MAX) {
            if let Entry::Vacant(kept) = pages.entry(index) {
                let page = own.page(index)?;
                if page != base.page(index)? {
                    kept.insert(Box::from(page));
                }
            }
        }
        Ok(Frozen { pages: pages.into_iter().collect(), ..frozen.clone() })
    }
}

fn unfreezable(why: &str) -> cell::Unsupported {
    cell::Unsupported { engine: "wasm", what: format!("freeze this program: {why}") }
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

/// Looks at a quiet instance.
fn look<T: Send + 'static>(
    guest: &mut Guest,
    mut what: impl FnMut(&mut Store<State>, &Instance) -> T + Send + 'static,
) -> Result<T, Error> {
    let slot = Arc::new(Mutex::new(None));
    let out = Arc::clone(&slot);
    run(
        guest,
        Box::new(move |store, instance| {
            *out.lock().unwrap_or_else(PoisonError::into_inner) = Some(what(store, instance));
            Box::pin(std::future::ready(Ok(Vec::new())))
        }),
    )?;
    let found = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    found.ok_or_else(|| Error::Host("the instance was not looked at".into()))
}

async fn start(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Vec<u8>> {
    instance.get_typed_func::<(), ()>(&mut *store, rewrite::START)?.call_async(&mut *store, ()).await?;
    Ok(Vec::new())
}

fn memory(store: &Store<State>) -> &[u8] {
    store.data().memory.map_or(&[], |memory| memory.data(store.as_context()))
}

fn digest(page: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&blake3::hash(page).as_bytes()[..16]);
    out
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

fn snapshot(store: &mut Store<State>, instance: &Instance, changed: &[u32]) -> Frozen {
    let globals = globals(store, instance);
    let data = memory(store);
    let page = |index: &u32| data.chunks(PAGE).nth(*index as usize).map(|page| (*index, Box::from(page)));
    Frozen {
        pages: changed.iter().filter_map(page).collect(),
        size: data.len() as u64,
        globals,
        process: store.data().process.clone(),
        native: store.data().native,
        fuel: u64::MAX - store.get_fuel().unwrap_or(u64::MAX),
    }
}
