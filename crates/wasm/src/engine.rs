//! The engine for `cell`: a WASI program as a cell.
//!
//! A command (it exports `_start`) is run once per task. A reactor (it exports `_initialize` or neither) is initialised, and its
//! exported functions are then called as globals. Inputs are files in `/oubliette/inputs`, the state of an earlier run is
//! `/oubliette/state`; what the program leaves in `/oubliette/output` and `/oubliette/state` is collected.

use crate::guest::{Guest, Over, Progress, Setup};
use crate::program::Program;
use crate::state::Ending;
use crate::wasi::files::{MemoryFolder, Mount};
use crate::{Cache, World};
use cell::{
    Argument, Bounds, Collected, Console, Engine, Error, Event, GuestError, HatchCall, Keeps, Operation, Ref, Reply, Resolved, Shape,
    Snapshot, Stop, Target, Task, Ticket, TraceFrame, Trap, TrapKind, Unsupported, Value,
};
use std::io::{Read, Write};
use std::sync::Arc;
use wasmtime::{Val, ValType};

/// The version of wasmtime whose instruction counts are our price list.
const SCHEDULE: u32 = 4808;
const FOLDER: &str = "/oubliette";
/// Bytes of the folder that inputs, output and state share, besides what the inputs take.
const FOLDER_QUOTA: u64 = 64 << 20;

/// What a WASI cell is made with, besides its limits.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    world: World,
    cache: Option<Cache>,
}

impl Builder {
    /// Nothing mounted, nothing offered, no cache.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// What the program's process sees.
    #[must_use]
    pub fn world(mut self, world: World) -> Builder {
        self.world = world;
        self
    }

    /// A folder under an absolute path.
    #[must_use]
    pub fn mount(mut self, path: impl Into<String>, mount: Mount) -> Builder {
        self.world.mounts.push((path.into(), mount));
        self
    }

    /// Arguments, the program's name first.
    #[must_use]
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Builder {
        self.world.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Where compiled code is kept.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Builder {
        self.cache = Some(cache);
        self
    }

    /// The engine, for [`cell::Cell::new`].
    pub fn engine(self) -> Wasm {
        Wasm {
            builder: self,
            memory: cell::Limits::MEMORY,
            output: Some(cell::Limits::OUTPUT),
            program: None,
            bytes: Arc::default(),
            task: None,
            guest: None,
            idle: Console::default(),
            value: None,
            functions: Vec::new(),
            running: false,
            collected: Remains::default(),
        }
    }
}

#[derive(Default)]
struct Remains {
    output: Vec<u8>,
    state: Option<Vec<u8>>,
    frames: Vec<String>,
}

/// A WASI program as a cell.
pub struct Wasm {
    builder: Builder,
    memory: u64,
    output: Option<u64>,
    program: Option<Arc<Program>>,
    bytes: Arc<[u8]>,
    /// A task that has been laid out and not been started.
    task: Option<Task>,
    guest: Option<Guest>,
    /// The console while there is no guest.
    idle: Console,
    value: Option<Argument>,
    /// Exported functions that were handed out, by index.
    functions: Vec<String>,
    running: bool,
    collected: Remains,
}

impl std::fmt::Debug for Wasm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasm").field("program", &self.program).field("running", &self.running).finish_non_exhaustive()
    }
}

fn unsupported(what: impl Into<String>) -> Unsupported {
    Unsupported { engine: "wasm", what: what.into() }
}

/// A number as the hatch has it.
fn from_val(value: &Val) -> Option<Argument> {
    Some(match value {
        Val::I32(value) => (*value).into(),
        Val::I64(value) => (*value).into(),
        Val::F32(bits) => f64::from(f32::from_bits(*bits)).into(),
        Val::F64(bits) => f64::from_bits(*bits).into(),
        _ => return None,
    })
}

fn to_val(argument: &Argument, ty: &ValType) -> Result<Val, Error> {
    let wrong = || Error::Invalid(format!("a parameter of the function is a {ty}"));
    let Argument::Value(value) = argument else { return Err(wrong()) };
    Ok(match (value, ty) {
        (Value::Integer(value), ValType::I32) => match i32::try_from(value) {
            Ok(value) => Val::I32(value),
            Err(_) => Val::I32(u32::try_from(value).map_err(|_| wrong())?.cast_signed()),
        },
        (Value::Integer(value), ValType::I64) => match i64::try_from(value) {
            Ok(value) => Val::I64(value),
            Err(_) => Val::I64(u64::try_from(value).map_err(|_| wrong())?.cast_signed()),
        },
        (Value::Float(value), ValType::F64) => Val::F64(value.to_bits()),
        (Value::Float(value), ValType::F32) => Val::F32((*value as f32).to_bits()),
        (Value::Bool(value), ValType::I32) => Val::I32((*value).into()),
        _ => return Err(wrong()),
    })
}

/// The stop of a guest that is over; a refused growth explains a trap or a bad exit.
pub fn stop_of(over: &Over, refused: bool) -> Stop {
    match over {
        Over::Ending(Ending::Exit(code)) => Stop::Finished(*code),
        Over::Ending(Ending::OutputFull) => Stop::OutputFull,
        Over::Ending(Ending::BadCall) => {
            Stop::Trapped(Trap::new(TrapKind::BadHatchCall, "a call through the hatch was malformed, or lay outside the memory"))
        }
        Over::Trap(..) | Over::Start(_) if refused => Stop::OutOfMemory,
        Over::Trap(trap, text, _) => {
            let kind = match trap {
                Some(wasmtime::Trap::StackOverflow) => TrapKind::StackOverflow,
                Some(wasmtime::Trap::MemoryOutOfBounds) => TrapKind::Unmapped,
                Some(wasmtime::Trap::IntegerDivisionByZero) => TrapKind::DivisionByZero,
                _ => TrapKind::Wasm,
            };
            Stop::Trapped(Trap::new(kind, text.clone()))
        }
        Over::Start(text) => Stop::Trapped(Trap::new(TrapKind::Wasm, text.clone())),
        Over::Panicked => Stop::Trapped(Trap::new(TrapKind::Internal, "a fault of ours, please report it")),
    }
}

/// A request as the guest wrote it: a list of target (the name of an offer, or a reference), method (null to call the target
/// itself), and list of arguments.
fn read_request(bytes: &[u8]) -> Option<HatchCall> {
    let parts = match cell::decode(bytes, &Bounds::default()).ok()? {
        Argument::List(parts) => parts,
        Argument::Value(Value::List(parts)) => parts.into_iter().map(Argument::Value).collect(),
        _ => return None,
    };
    let [target, method, arguments]: [Argument; 3] = parts.try_into().ok()?;
    let target = match target {
        Argument::Value(Value::Text(name)) => Target::Offer(name),
        Argument::Lent(reference) => Target::Object(reference),
        _ => return None,
    };
    let operation = match method {
        Argument::Value(Value::Null) => Operation::Call,
        Argument::Value(Value::Text(method)) => Operation::Method(method),
        _ => return None,
    };
    let arguments = match arguments {
        Argument::List(arguments) => arguments,
        Argument::Value(Value::List(arguments)) => arguments.into_iter().map(Argument::Value).collect(),
        _ => return None,
    };
    Some(HatchCall { target, operation, arguments, block: None })
}

/// The answer as the guest reads it: a list of true and the result, or of false, the error's name and its message.
fn write_reply(reply: &Reply) -> Vec<u8> {
    let answer = match reply {
        Reply::Return(value) => Argument::List(vec![true.into(), value.clone()]),
        Reply::Throw(error) => Argument::List(vec![false.into(), error.name.as_str().into(), error.message.as_str().into()]),
        Reply::Later(_) => Argument::List(vec![false.into(), "Unsupported".into(), "this guest cannot wait".into()]),
    };
    cell::encode(&answer, &Bounds { depth: 80, ..Bounds::default() }).unwrap_or_else(|_| {
        let refusal = Argument::List(vec![false.into(), "TransferError".into(), "the answer is too large".into()]);
        cell::encode(&refusal, &Bounds::default()).unwrap_or_default()
    })
}

impl Wasm {
    fn start(&mut self, task: &Task) -> Result<(), Error> {
        let program = self.program.clone().ok_or_else(|| Error::State("nothing was prepared".into()))?;
        let mut world = self.builder.world.clone();
        let inputs: u64 = task.inputs.iter().map(|input| input.bytes.len() as u64 + 1024).sum();
        let mut folder = MemoryFolder::new(inputs + FOLDER_QUOTA.min(self.memory));
        for input in &task.inputs {
            if !folder.put(&format!("inputs/{}", input.name), input.bytes.to_vec()) {
                return Err(Error::Invalid(format!("`{}` cannot be the name of an input", input.name)));
            }
        }
        if let Some(state) = &task.state {
            folder.put("state", state.to_vec());
        }
        if world.arguments.is_empty() {
            world.arguments = task.programs.iter().take(1).map(|program| program.name.clone()).collect();
        }
        world.mounts.push((FOLDER.to_owned(), Mount::Memory(folder)));
        let setup = Setup { world, memory: self.memory, output: self.output, extra: Box::new(()) };
        let entry = ["_start", "_initialize"].into_iter().find(|name| program.has_function(name));
        let mut guest = Guest::new(program, setup);
        std::mem::swap(guest.console(), &mut self.idle);
        guest.begin(self.memory, self.output);
        guest.submit(Box::new(move |store, instance| {
            Box::pin(async move {
                if let Some(entry) = entry {
                    instance.get_typed_func::<(), ()>(&mut *store, entry)?.call_async(&mut *store, ()).await?;
                }
                Ok(Vec::new())
            })
        }))?;
        self.guest = Some(guest);
        self.running = true;
        Ok(())
    }

    fn step(&mut self, meter: &mut cell::Meter) -> Event {
        let Some(guest) = &mut self.guest else {
            return Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "there is no instance")));
        };
        match guest.poll(meter) {
            Progress::Exchange(bytes) => match read_request(&bytes) {
                Some(call) => Event::Call(call),
                None => {
                    let over = Over::Ending(Ending::BadCall);
                    self.end(&over)
                }
            },
            Progress::Done(bytes) => {
                self.running = false;
                if !bytes.is_empty() {
                    self.value = cell::decode(&bytes, &Bounds::default()).ok();
                }
                self.look_at_remains();
                Event::Stop(Stop::Finished(0))
            }
            Progress::Over(over) => self.end(&over),
            Progress::Halted(halt) => Event::Stop(halt.into()),
        }
    }

    fn end(&mut self, over: &Over) -> Event {
        self.running = false;
        let refused = self.guest.as_ref().is_some_and(|guest| guest.memory().1);
        if let Over::Trap(_, _, frames) = over {
            self.collected.frames.clone_from(frames);
        }
        let mounts = self.guest.as_mut().map(Guest::take_remains).unwrap_or_default();
        self.keep_remains(&mounts);
        Event::Stop(stop_of(over, refused))
    }

    fn look_at_remains(&mut self) {
        let Some(guest) = &mut self.guest else { return };
        let slot = Arc::new(std::sync::Mutex::new(Vec::new()));
        let out = Arc::clone(&slot);
        let looked = crate::program::run(
            guest,
            Box::new(move |store, _| {
                *out.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = store.data().mounts().to_vec();
                Box::pin(std::future::ready(Ok(Vec::new())))
            }),
        );
        if looked.is_ok() {
            let mounts = std::mem::take(&mut *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            self.keep_remains(&mounts);
        }
    }

    fn keep_remains(&mut self, mounts: &[(String, Mount)]) {
        for (path, mount) in mounts {
            if let (FOLDER, Mount::Memory(folder)) = (path.as_str(), mount) {
                self.collected.output = folder.get("output").map(<[u8]>::to_vec).unwrap_or_default();
                self.collected.state = folder.get("state").map(<[u8]>::to_vec);
            }
        }
    }
}

impl Engine for Wasm {
    type Snapshot = Frozen;

    fn keeps() -> Keeps {
        // Calls are bounded by the size of the guest's stack, not by their number.
        Keeps { depth: false, ..Keeps::everything("wasm") }
    }

    fn fuel_schedule(&self) -> Option<u32> {
        Some(SCHEDULE)
    }

    fn set_limits(&mut self, limits: &Resolved) -> Result<(), Error> {
        self.memory = limits.memory.unwrap_or(u64::MAX);
        self.output = limits.output;
        if let Some(guest) = &mut self.guest {
            guest.set_memory(self.memory);
        }
        Ok(())
    }

    fn prepare(&mut self, task: &Task) -> Result<(), Error> {
        let [program] = &task.programs[..] else {
            return Err(Error::Program("a wasm cell takes exactly one program".into()));
        };
        if self.program.is_none() || self.bytes != program.bytes {
            self.program = Some(Program::new(&program.bytes, self.builder.cache.as_ref(), None)?);
            self.bytes = Arc::clone(&program.bytes);
        }
        if let Some(mut guest) = self.guest.take() {
            self.idle = std::mem::take(guest.console());
        }
        self.collected = Remains::default();
        self.value = None;
        self.running = false;
        self.task = Some(task.clone());
        Ok(())
    }

    fn run(&mut self, meter: &mut cell::Meter) -> Event {
        if let Some(task) = self.task.take()
            && let Err(error) = self.start(&task)
        {
            return Event::Stop(Stop::Trapped(Trap::new(TrapKind::Wasm, error.to_string())));
        }
        self.step(meter)
    }

    fn resume(&mut self, reply: Reply, meter: &mut cell::Meter) -> Event {
        if let Some(guest) = &mut self.guest {
            guest.answer(write_reply(&reply));
        }
        self.step(meter)
    }

    fn call(&mut self, target: Ref, operation: &Operation, arguments: &[Argument], block: Option<&Argument>) -> Result<(), Error> {
        let name = self.functions.get(target.index as usize).filter(|_| target.generation == 0).cloned().ok_or(Error::NoSuchRef)?;
        if *operation != Operation::Call || block.is_some() {
            return Err(unsupported("answer anything but a call of a function").into());
        }
        let guest = self.guest.as_mut().ok_or_else(|| Error::State("the program has not been run yet".into()))?;
        if self.running {
            // It waits inside an import: entering it again there is what the design forbids.
            return Err(unsupported("be entered while it waits in a call of its own").into());
        }
        let ty = guest.program().function_type(&name).ok_or(Error::NoSuchRef)?;
        if ty.params().len() != arguments.len() {
            return Err(Error::Invalid(format!("`{name}` takes {} arguments", ty.params().len())));
        }
        let parameters = ty.params().zip(arguments).map(|(ty, argument)| to_val(argument, &ty)).collect::<Result<Vec<_>, _>>()?;
        let results = ty.results().len();
        guest.submit(Box::new(move |store, instance| {
            Box::pin(async move {
                let function = instance.get_func(&mut *store, &name).ok_or_else(|| wasmtime::format_err!("the function is gone"))?;
                let mut out = vec![Val::I32(0); results];
                function.call_async(&mut *store, &parameters, &mut out).await?;
                let mut values: Vec<Argument> = out.iter().filter_map(from_val).collect();
                let value = match values.len() {
                    0 => return Ok(Vec::new()),
                    1 => values.remove(0),
                    _ => Argument::List(values),
                };
                Ok(cell::encode(&value, &Bounds::default())?)
            })
        }))?;
        self.running = true;
        Ok(())
    }

    fn take_value(&mut self) -> Option<Argument> {
        self.value.take()
    }

    fn global(&mut self, name: &str) -> Result<Option<Argument>, Error> {
        let Some(program) = &self.program else { return Ok(None) };
        if !program.has_function(name) || name.starts_with('_') {
            return Ok(None);
        }
        let index = self.functions.iter().position(|known| known == name).unwrap_or_else(|| {
            self.functions.push(name.to_owned());
            self.functions.len() - 1
        });
        let index = u32::try_from(index).map_err(|_| Error::NoSuchRef)?;
        Ok(Some(Argument::Own(Ref { index, generation: 0 })))
    }

    fn set_global(&mut self, _name: &str, _value: &Argument) -> Result<(), Error> {
        Err(unsupported("be given globals: a module's own are sealed").into())
    }

    fn offer(&mut self, _name: &str, _shape: &Shape) -> Result<(), Error> {
        // Offers are called by name: the guest need not be told.
        Ok(())
    }

    fn settle(&mut self, _ticket: Ticket, _result: Result<Argument, GuestError>) -> Result<(), Error> {
        Err(unsupported("hold promises").into())
    }

    fn release(&mut self, _own: Ref) {}

    fn console(&mut self) -> &mut Console {
        match &mut self.guest {
            Some(guest) => guest.console(),
            None => &mut self.idle,
        }
    }

    fn collect(&mut self, _stop: &Stop) -> Collected {
        let frames = std::mem::take(&mut self.collected.frames);
        Collected {
            output: std::mem::take(&mut self.collected.output),
            state: self.collected.state.take(),
            trace: frames.into_iter().map(|function| TraceFrame { function: Some(function), ..TraceFrame::default() }).collect(),
            memory_peak: self.guest.as_ref().map_or(0, |guest| guest.memory().0),
            ..Collected::default()
        }
    }

    fn snapshot(&mut self) -> Result<Frozen, Unsupported> {
        if self.running {
            return Err(unsupported("be frozen in the middle of a run: its stack is the host's"));
        }
        if self.task.is_some() || self.guest.is_none() {
            return Err(unsupported("be frozen before it has run: prepare a new one instead"));
        }
        let (Some(guest), Some(program)) = (&mut self.guest, &self.program) else {
            return Err(unsupported("be frozen without an instance"));
        };
        if guest.is_over() {
            return Err(unsupported("be frozen once its program has exited"));
        }
        let frozen = program.freeze(guest).map_err(|error| unsupported(format!("be frozen: {error}")))?;
        Ok(Frozen { frozen: Arc::new(frozen), program: Arc::clone(program), bytes: Arc::clone(&self.bytes), builder: self.builder.clone() })
    }
}

/// A reactor frozen between calls.
pub struct Frozen {
    frozen: Arc<crate::guest::Frozen>,
    program: Arc<Program>,
    bytes: Arc<[u8]>,
    builder: Builder,
}

impl Snapshot for Frozen {
    type Engine = Wasm;

    fn spawn(&self) -> Result<Wasm, Error> {
        let mut engine = self.builder.clone().engine();
        engine.program = Some(Arc::clone(&self.program));
        engine.bytes = Arc::clone(&self.bytes);
        let setup = Setup { world: self.builder.world.clone(), ..Setup::default() };
        engine.guest = Some(Guest::thaw(Arc::clone(&self.program), &self.frozen, setup));
        Ok(engine)
    }

    fn save(&self, to: &mut dyn Write) -> Result<(), Error> {
        to.write_all(&(self.bytes.len() as u64).to_le_bytes())?;
        to.write_all(&self.bytes)?;
        self.frozen.save(to)
    }

    fn load(from: &mut dyn Read) -> Result<Frozen, Error> {
        let mut word = [0; 8];
        from.read_exact(&mut word).map_err(|_| Error::Damaged("cut short".into()))?;
        let mut bytes = Vec::new();
        let length = u64::from_le_bytes(word);
        from.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(Error::Damaged("cut short".into()));
        }
        let program = Program::new(&bytes, None, None).map_err(|error| Error::Damaged(error.to_string()))?;
        let frozen = Arc::new(crate::guest::Frozen::load(from)?);
        Ok(Frozen { frozen, program, bytes: bytes.into(), builder: Builder::new() })
    }
}
