//! The Sandbox API in Rust: boxes that the embedder makes, and the main Ruby in which `Sandbox` makes boxes.

use crate::family::{Allowance, BoxUsage, Dead, End, Family, HostObject, Id};
use crate::image::Ruby;
use crate::member::{Failure, FrozenMember, order};
use crate::wire::Wire;
use cell::{Clock, Error, GuestError, Halt, Stop, TraceFrame, Trap, TrapKind, Value};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasm::World;

/// Memory of a box, in bytes, unless another cap is asked for; its image of 54 MiB counted.
pub const MEMORY: u64 = cell::Limits::MEMORY;

/// A part of Ruby that a box shows. What a hidden part reaches is out of reach in any case: hiding is a courtesy to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// `load`, `require`, `autoload` and their kin.
    Load,
    /// `IO`, `File`, `Dir` and their kin.
    Io,
    /// `puts`, `gets`, `STDIN` and their kin.
    Env,
    /// `exit`, `caller`, `Process`, `Thread`, `GC`, `ObjectSpace` and their kin.
    Real,
    /// All of them.
    All,
}

impl Group {
    fn name(self) -> String {
        match self {
            Group::Load => "load",
            Group::Io => "io",
            Group::Env => "env",
            Group::Real => "real",
            Group::All => "all",
        }
        .into()
    }
}

/// What a box is made with.
#[derive(Clone)]
pub struct Options {
    /// The parts of Ruby that it shows.
    pub init: Vec<Group>,
    /// Bytes of memory, the image counted.
    pub memory: u64,
    /// Units of fuel for one eval; `None` is unlimited.
    pub fuel: Option<u64>,
    /// Time for one eval; needs a clock.
    pub timeout: Option<Duration>,
    /// Bytes of console text for one eval; `None` is unlimited.
    pub output: Option<u64>,
    /// What the process inside sees: arguments, environment, folders, a clock, random numbers.
    pub world: World,
    /// Whether `Sandbox.new` works inside.
    pub boxes: bool,
    /// The wall clock that stops evals.
    pub clock: Option<Arc<dyn Clock>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("init", &self.init)
            .field("memory", &self.memory)
            .field("fuel", &self.fuel)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The whole of Ruby.
    pub fn full() -> Options {
        Options {
            init: vec![Group::All],
            memory: MEMORY,
            fuel: Some(cell::Limits::FUEL),
            timeout: None,
            output: Some(cell::Limits::OUTPUT),
            world: World::default(),
            boxes: false,
            clock: None,
        }
    }

    /// Nothing that reaches out of the language.
    pub fn safe() -> Options {
        Options { init: Vec::new(), ..Options::full() }
    }

    fn allowance(&self) -> Allowance {
        Allowance { memory: self.memory, fuel: self.fuel, time: self.timeout, output: self.output }
    }
}

/// What came of an eval.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How it ended: `Finished(0)` with a value, `Finished(n)` for `exit(n)`, `Raised`, or a limit.
    pub stop: Stop,
    /// The value, where it can be copied; symbols are texts.
    pub value: Option<Value>,
    /// The class of a value that cannot be copied.
    pub class: Option<String>,
    /// The exception in Ruby's own form, for display.
    pub report: Option<String>,
    /// What was written to standard output.
    pub stdout: Vec<u8>,
    /// What was written to standard error.
    pub stderr: Vec<u8>,
    /// What was used.
    pub usage: BoxUsage,
}

impl Answer {
    /// The value of an eval that finished.
    ///
    /// # Errors
    /// The exception, or the limit that was met, as an error of the guest's.
    pub fn ok(self) -> Result<Value, GuestError> {
        match self.stop {
            Stop::Finished(0) => Ok(self.value.unwrap_or_default()),
            Stop::Raised(error) => Err(error),
            stop => Err(GuestError::new("Stopped", stop.name().replace('_', " "))),
        }
    }
}

/// A box of the embedder's, with whatever boxes its Ruby makes. `Send`: boxes of different threads run side by side.
pub struct Sandbox {
    family: Family,
    id: Id,
    allowance: Allowance,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("id", &self.id).field("allowance", &self.allowance).finish_non_exhaustive()
    }
}

impl Ruby {
    /// Makes a box.
    ///
    /// # Errors
    /// [`Error::Invalid`] for less memory than a box has from the start, [`Error::LimitNotKept`] for a timeout without a clock.
    pub fn sandbox(&self, options: Options) -> Result<Sandbox, Error> {
        if options.memory < self.least_memory() {
            return Err(Error::Invalid(format!("a Ruby box needs {} bytes of memory from the start", self.least_memory())));
        }
        if options.timeout.is_some() && options.clock.is_none() {
            return Err(Error::LimitNotKept { limit: "wall", engine: "ruby without a clock" });
        }
        let allowance = options.allowance();
        let mut family = Family::new(self.clone(), options.clock, options.world.clone());
        let id = if options.init.contains(&Group::All) {
            family.add(options.world, allowance, options.boxes)
        } else {
            family.add_kind(options.init.into_iter().map(Group::name).collect(), allowance, options.boxes)?
        };
        Ok(Sandbox { family, id, allowance })
    }
}

impl Sandbox {
    /// Evaluates Ruby. Local variables of the top level stay for the next eval. A box stopped for fuel or time is suspended:
    /// [`go_on`](Sandbox::go_on) continues it, and dropping it runs nothing of it any more.
    ///
    /// # Errors
    /// [`Error::Dead`] when the box is dead, [`Error::State`] while it is suspended.
    pub fn eval(&mut self, source: &str) -> Result<Answer, Error> {
        self.eval_file(source, "(eval)")
    }

    /// Evaluates the text of a file, whose name backtraces show.
    ///
    /// # Errors
    /// As [`eval`](Sandbox::eval).
    pub fn eval_file(&mut self, source: &str, name: &str) -> Result<Answer, Error> {
        self.order(vec![Wire::Integer(order::EVAL), Wire::text(source), Wire::text(name), Wire::Integer(1)])
    }

    /// Reads a file of the host and evaluates it.
    ///
    /// # Errors
    /// As [`eval`](Sandbox::eval), and when the file cannot be read.
    pub fn load(&mut self, path: &Path) -> Result<Answer, Error> {
        let text = std::fs::read_to_string(path)?;
        self.eval_file(&text, &path.display().to_string())
    }

    /// Runs a program as `ruby file arguments` would: `$0`, `ARGV`, `at_exit`.
    ///
    /// # Errors
    /// As [`eval`](Sandbox::eval).
    pub fn program(&mut self, source: &str, name: &str, arguments: &[String]) -> Result<Answer, Error> {
        let arguments = Wire::Array(arguments.iter().map(Wire::text).collect());
        self.order(vec![Wire::Integer(order::PROGRAM), Wire::text(source), Wire::text(name), arguments])
    }

    /// Sets a constant, `$global`, `@instance` variable of main or local variable, told apart by its first character.
    ///
    /// # Errors
    /// As [`eval`](Sandbox::eval).
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<Answer, Error> {
        let value = Wire::from_argument(&cell::Argument::Value(value.into()));
        self.order(vec![Wire::Integer(order::SET), Wire::text(name), value])
    }

    /// Lends an object under a name, a constant if it begins with a capital: its methods are called here.
    ///
    /// # Errors
    /// As [`eval`](Sandbox::eval).
    pub fn offer(&mut self, name: &str, object: Arc<Mutex<dyn HostObject>>) -> Result<Answer, Error> {
        let class = object.lock().map_or_else(|_| String::from("Object"), |object| object.class().to_owned());
        self.family.offer(name, object);
        self.order(vec![Wire::Integer(order::OFFER), Wire::text(name), Wire::Symbol("object".into()), Wire::text(class)])
    }

    /// Lends a function under a name: a method of every object inside.
    ///
    /// # Errors
    /// As [`eval`](Sandbox::eval).
    pub fn offer_function(
        &mut self,
        name: &str,
        function: impl FnMut(Vec<Value>) -> Result<Value, GuestError> + Send + 'static,
    ) -> Result<Answer, Error> {
        self.family.offer(name, Arc::new(Mutex::new(Function(Box::new(function)))));
        self.order(vec![Wire::Integer(order::OFFER), Wire::text(name), Wire::Symbol("function".into()), Wire::Nil])
    }

    /// Continues an eval that was stopped for fuel or time.
    ///
    /// # Errors
    /// [`Error::State`] when none was.
    pub fn go_on(&mut self, fuel: u64) -> Result<Answer, Error> {
        let end = self.family.go_on(fuel, self.allowance.time)?;
        Ok(self.answer(end))
    }

    /// Why the box is dead, if it is.
    pub fn dead(&self) -> Option<String> {
        self.family.dead(self.id)
    }

    /// The box as it is now, between evals, to be brought back any number of times.
    ///
    /// # Errors
    /// [`Error::State`] in the middle of an eval, [`Error::Dead`].
    pub fn snapshot(&mut self) -> Result<Snapshot, Error> {
        let member = self.family.member(self.id).ok_or_else(|| Error::Dead("the box is gone".into()))?;
        let ruby = member.ruby.clone();
        Ok(Snapshot { frozen: member.freeze()?, ruby, allowance: self.allowance })
    }

    fn order(&mut self, order: Vec<Wire>) -> Result<Answer, Error> {
        let end = self.family.order(self.id, order, self.allowance)?;
        Ok(self.answer(end))
    }

    fn answer(&mut self, end: End) -> Answer {
        let (stdout, stderr) = self.family.take_output(self.id);
        let mut answer =
            Answer { stop: Stop::Finished(0), value: None, class: None, report: None, stdout, stderr, usage: self.family.usage(self.id) };
        match end {
            End::Value(Wire::Own { class, .. } | Wire::Lent { class, .. }) => answer.class = Some(class),
            End::Value(value) => match value.into_argument().and_then(cell::Argument::into_value) {
                Ok(value) => answer.value = Some(value),
                Err(error) => answer.stop = Stop::Raised(error.into()),
            },
            End::Raised(failure) => {
                answer.stop = raised(&failure);
                answer.report = failure.report;
            }
            End::Halted(halt) => answer.stop = halt.into(),
            End::Over(dead) => answer.stop = stop_of(&dead),
        }
        answer
    }
}

/// The stop that an exception nobody rescued is.
pub(crate) fn raised(failure: &Failure) -> Stop {
    match (failure.status, failure.name.as_str()) {
        (Some(status), _) => Stop::Finished(status),
        (None, "NoMemoryError") => Stop::OutOfMemory,
        _ => Stop::Raised(GuestError {
            name: failure.name.clone(),
            message: failure.message.clone(),
            trace: failure.trace.iter().map(|line| frame(line)).collect(),
        }),
    }
}

/// The stop of a box that is dead.
pub(crate) fn stop_of(dead: &Dead) -> Stop {
    match dead {
        Dead::Exit(code) => Stop::Finished(*code),
        Dead::Memory => Stop::OutOfMemory,
        Dead::Output => Stop::OutputFull,
        Dead::Stack(text, _) => Stop::Trapped(Trap::new(TrapKind::StackOverflow, text.clone())),
        Dead::Trap(text, frames) => Stop::Trapped(Trap::new(TrapKind::Wasm, format!("{text} in {frames:?}"))),
        Dead::Broken(text) => Stop::Trapped(Trap::new(TrapKind::BadHatchCall, text.clone())),
        Dead::Internal => Stop::Trapped(Trap::new(TrapKind::Internal, "a fault of ours, please report it")),
    }
}

/// A line of a Ruby backtrace: `file:line:in 'function'`.
fn frame(line: &str) -> TraceFrame {
    let (place, function) = line.split_once(":in ").map_or((line, None), |(place, function)| (place, Some(function)));
    let (file, number) = place.rsplit_once(':').map_or((place, None), |(file, number)| (file, number.parse().ok()));
    TraceFrame {
        function: function.map(|function| function.trim_matches(['\'', '`']).to_owned()),
        file: Some(file.to_owned()),
        line: number,
        column: None,
        address: None,
    }
}

struct Function(Box<dyn FnMut(Vec<Value>) -> Result<Value, GuestError> + Send>);

impl HostObject for Function {
    fn class(&self) -> &str {
        "Method"
    }

    fn call(&mut self, _method: &str, arguments: Vec<Value>) -> Result<Value, GuestError> {
        (self.0)(arguments)
    }
}

/// A box frozen between evals. Cheap to clone, and to bring back: pages that it shares with a fresh box are not copied.
#[derive(Clone)]
pub struct Snapshot {
    frozen: FrozenMember,
    ruby: Ruby,
    allowance: Allowance,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("allowance", &self.allowance).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// A box in the frozen state. What was offered must be offered again; a clock must be given again for timeouts.
    pub fn spawn(&self, clock: Option<Arc<dyn Clock>>) -> Sandbox {
        let mut allowance = self.allowance;
        if clock.is_none() {
            allowance.time = None;
        }
        let mut family = Family::new(self.ruby.clone(), clock, World::default());
        let id = family.add_frozen(&self.frozen, allowance);
        Sandbox { family, id, allowance }
    }
}

/// Whether a stop leaves a box that can go on.
impl Answer {
    /// Whether the box waits for [`Sandbox::go_on`].
    pub fn is_suspended(&self) -> bool {
        [Halt::OutOfFuel, Halt::OutOfTime, Halt::Interrupted].iter().any(|halt| Stop::from(*halt) == self.stop)
    }
}
