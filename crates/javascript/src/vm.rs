//! The machine's registers and what every part of the engine uses: realm slots, errors, frames.

use crate::bytecode::{Op, frame};
use crate::heap::memory::{Registers, SHARED};
use crate::heap::{Heap, Kind, Pause, REALM, Result, Signal, atoms, flag};
use crate::value::Value;

macro_rules! realm {
    ($($id:ident)*) => {
        /// Objects every realm has, by slot.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[allow(dead_code, reason = "a layout is written down whole")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Realm { $($id),* , COUNT }
        /// Names of the slots, for self-hosted code (`%NAME`).
        pub(crate) const REALM_NAMES: &[&str] = &[$(stringify!($id)),*];
    };
}

realm! {
    GLOBAL LEXICALS OBJECT_PROTOTYPE FUNCTION_PROTOTYPE ARRAY_PROTOTYPE STRING_PROTOTYPE NUMBER_PROTOTYPE BOOLEAN_PROTOTYPE
    SYMBOL_PROTOTYPE BIGINT_PROTOTYPE ERROR_PROTOTYPE TYPE_ERROR_PROTOTYPE RANGE_ERROR_PROTOTYPE SYNTAX_ERROR_PROTOTYPE
    REFERENCE_ERROR_PROTOTYPE EVAL_ERROR_PROTOTYPE URI_ERROR_PROTOTYPE AGGREGATE_ERROR_PROTOTYPE INTERNAL_ERROR_PROTOTYPE
    ITERATOR_PROTOTYPE ASYNC_ITERATOR_PROTOTYPE ARRAY_ITERATOR_PROTOTYPE STRING_ITERATOR_PROTOTYPE MAP_ITERATOR_PROTOTYPE
    SET_ITERATOR_PROTOTYPE REGEXP_STRING_ITERATOR_PROTOTYPE MAP_PROTOTYPE SET_PROTOTYPE WEAK_MAP_PROTOTYPE WEAK_SET_PROTOTYPE
    WEAK_REF_PROTOTYPE FINALIZATION_REGISTRY_PROTOTYPE GENERATOR_FUNCTION_PROTOTYPE GENERATOR_PROTOTYPE
    ASYNC_FUNCTION_PROTOTYPE ASYNC_GENERATOR_FUNCTION_PROTOTYPE ASYNC_GENERATOR_PROTOTYPE ASYNC_FROM_SYNC_ITERATOR_PROTOTYPE
    PROMISE_PROTOTYPE REGEXP_PROTOTYPE DATE_PROTOTYPE ARRAY_BUFFER_PROTOTYPE TYPED_ARRAY_PROTOTYPE DATA_VIEW_PROTOTYPE
    INT8_PROTOTYPE UINT8_PROTOTYPE UINT8C_PROTOTYPE INT16_PROTOTYPE UINT16_PROTOTYPE INT32_PROTOTYPE UINT32_PROTOTYPE
    FLOAT32_PROTOTYPE FLOAT64_PROTOTYPE BIGINT64_PROTOTYPE BIGUINT64_PROTOTYPE TEXT_ENCODER_PROTOTYPE TEXT_DECODER_PROTOTYPE URL_PROTOTYPE
    URL_SEARCH_PARAMS_PROTOTYPE PROXY_PROTOTYPE
    OBJECT_SHAPE_4 OBJECT_SHAPE_8 OBJECT_SHAPE_16 ARRAY_SHAPE FUNCTION_SHAPE
    REGISTRIES
    THROW_TYPE_ERROR ARRAY_VALUES_CHECK EXCEPTION OUT_OF_MEMORY_ERROR NATIVE_OBJECTS JOBS SYMBOL_REGISTRY HANDLES MODULES OFFERS
    TIMERS CONSOLE TURN REJECTIONS SCRATCH LIBRARY_CACHE STACK_CELL ITERATOR_RESULT_SHAPE
    ENDED ENDED_AS LAST_MATCH
}

/// First byte after the realm slots.
pub(crate) const REALM_END: u32 = REALM + (Realm::COUNT as u32) * 8;

/// What to do with a callee's result; lies in a frame's INFO register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Entry {
    /// Store it in the destination register.
    Call,
    /// Store it, or `this` if it is no object.
    Construct,
    /// Forget it (setters).
    Discard,
    /// The link's pc is a compare-and-branch: jump by its truth.
    Test,
    /// The same, negated.
    TestNot,
    /// Store `!result`.
    Not,
    /// It goes to the host: the run ends.
    Host,
    /// `IteratorNext` (hole: exhausted): the link's pc is the instruction.
    Iterate,
    /// The frame of a generator or async function: see `interpret::generator`.
    Generator,
    /// `super(...)`: as Construct, and nothing else.
    ConstructSuper,
    /// A job of the queue.
    Job,
}

const ENTRIES: [Entry; 11] = [
    Entry::Call,
    Entry::Construct,
    Entry::Discard,
    Entry::Test,
    Entry::TestNot,
    Entry::Not,
    Entry::Host,
    Entry::Iterate,
    Entry::Generator,
    Entry::ConstructSuper,
    Entry::Job,
];

impl Entry {
    pub(crate) fn from_info(info: u64) -> Entry {
        ENTRIES.get((info >> 32) as usize & 0xff).copied().unwrap_or(Entry::Host)
    }
}

/// Which error to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Type,
    Reference,
    Syntax,
    Range,
    Eval,
    Uri,
}

/// Register numbers of code cells, by byte offset (see `install`).
pub(crate) mod code {
    /// What most calls need, in one word of 64 bits: the three that follow.
    pub(crate) const ENTRY: u32 = 8;
    pub(crate) const REGISTERS: u32 = 8;
    /// Arguments with which a plain call just enters; more than any call has if it never does.
    pub(crate) const ENOUGH: u32 = 10;
    pub(crate) const PC: u32 = 12;
    pub(crate) const WORDS: u32 = 16;
    pub(crate) const LENGTH: u32 = 20;
    pub(crate) const THIS_PROPERTIES: u32 = 22;
    /// Of a library function: number of its shortcut, 0 if it has none.
    pub(crate) const SHORTCUT: u32 = 23;
    pub(crate) const NAME: u32 = 24;
    pub(crate) const UNIT: u32 = 28;
    pub(crate) const CONSTANTS: u32 = 32;
    pub(crate) const HANDLERS: u32 = 36;
    pub(crate) const POSITIONS: u32 = 40;
    pub(crate) const CAPTURES: u32 = 44;
    pub(crate) const SOURCE_START: u32 = 48;
    pub(crate) const SOURCE_END: u32 = 52;
    pub(crate) const NEW_PROTOTYPE: u32 = 56;
    pub(crate) const NEW_SHAPE: u32 = 60;
    /// Shape of the functions whose `prototype` the two above are about, and where those keep it (see `Heap::slot_code`).
    pub(crate) const NEW_OWN_SHAPE: u32 = 64;
    pub(crate) const NEW_PLACE: u32 = 68;
    pub(crate) const PARAMETERS: u32 = 72;
    pub(crate) const BYTES: u32 = 80;
}

/// Fields of unit cells.
pub(crate) mod unit {
    pub(crate) const WORDS: u32 = 8;
    pub(crate) const SOURCE: u32 = 12;
    pub(crate) const FILE: u32 = 16;
    pub(crate) const FUNCTIONS: u32 = 20;
    pub(crate) const MODULE: u32 = 24;
    pub(crate) const BYTES: u32 = 32;
}

/// Fields of function objects.
pub(crate) mod function {
    pub(crate) const CODE: u32 = 16;
    pub(crate) const HOME: u32 = 20;
    pub(crate) const FIELDS: u32 = 24;
    /// Captured boxes, as values.
    pub(crate) const CAPTURES: u32 = 32;
}

/// What outlives a run, besides guest memory.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Saved {
    pub(crate) fp: u32,
    pub(crate) pc: u32,
    pub(crate) depth: u32,
    pub(crate) cursor: u32,
    pub(crate) limit: u32,
    pub(crate) runs: u32,
    pub(crate) top: u32,
    pub(crate) threshold: u32,
    pub(crate) atoms: u32,
    pub(crate) atom_count: u32,
    pub(crate) transitions: u32,
    pub(crate) transition_count: u32,
    pub(crate) epoch: u32,
    pub(crate) random: u64,
}

/// What the time of timers follows from.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Timing {
    pub(crate) due: u64,
    pub(crate) ran: u64,
    pub(crate) read: u64,
}

/// The host's side of a run.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) console: cell::Console,
    pub(crate) output_full: bool,
    pub(crate) eval_enabled: bool,
    /// What the guest asks of the outside, while it waits.
    pub(crate) call: Option<cell::HatchCall>,
    /// The answer, until the waiting instruction takes it.
    pub(crate) reply: Option<cell::Reply>,
    /// What the guest can ask of the outside, by the number in their host object.
    pub(crate) targets: Vec<(cell::Target, cell::Operation)>,
    /// Objects lent to the guest that it has collected: to be given back.
    pub(crate) releases: Vec<cell::Ref>,
    /// Objects of the guest's that the host holds: their places in the HANDLES list.
    pub(crate) handles: cell::RefTable<u32>,
    /// Of them, those that the copy being made needs.
    pub(crate) made: Vec<cell::Ref>,
    /// Places of that list that are free again.
    pub(crate) free_places: Vec<u32>,
    /// Promises that the host is to settle: their places in the same list.
    pub(crate) tickets: Vec<(cell::Ticket, u32)>,
    /// The host offers a clock.
    pub(crate) clock: bool,
    /// The host offers random bytes.
    pub(crate) entropy: bool,
    /// The zone of local time.
    pub(crate) zone: Zone,
    /// The host offers modules.
    pub(crate) modules: bool,
    /// Everything is TypeScript.
    pub(crate) typescript: bool,
    /// Microseconds that timers skipped.
    pub(crate) skipped: u64,
    /// When the last timer was due and when it ran, and the latest time that the guest has read, in microseconds since the
    /// cell began.
    pub(crate) timing: Timing,
    pub(crate) inputs: Vec<cell::Input>,
    /// The state that an earlier run left.
    pub(crate) state: Option<std::sync::Arc<[u8]>>,
    pub(crate) output: Vec<u8>,
    /// The state for the next run.
    pub(crate) kept: Option<Vec<u8>>,
    /// Cap on the output and on the state, in bytes each.
    pub(crate) most_output: u64,
    /// Where the source was wrong that made this error.
    pub(crate) wrong: Option<(Value, cell::TraceFrame)>,
    /// While the image is built: numbers of library functions by name, and their code.
    pub(crate) registry: Registry,
}

/// How far local time is ahead of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Zone {
    /// Not at all.
    #[default]
    Utc,
    /// Always by so many minutes.
    Fixed(i32),
    /// The host is asked for every time.
    Asked,
}

impl Zone {
    /// Minutes by which a place may be ahead of UTC or behind: less than a day.
    pub(crate) const MOST: i32 = 24 * 60 - 1;

    /// The zone of a number that the host gave.
    pub(crate) fn fixed(minutes: f64) -> Option<Zone> {
        (minutes.fract() == 0.0 && minutes.abs() <= f64::from(Zone::MOST)).then_some(Zone::Fixed(minutes as i32))
    }
}

/// Library functions by name.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) numbers: std::cell::RefCell<std::collections::HashMap<String, u32>>,
    pub(crate) codes: Vec<u32>,
    /// Constructors by the realm slot of their prototype.
    pub(crate) classes: Vec<u32>,
}

impl Registry {
    /// The number of a library function, made up at first mention.
    pub(crate) fn number(&self, name: &str) -> u32 {
        let mut numbers = self.numbers.borrow_mut();
        let next = crate::library::HOSTED + numbers.len() as u32;
        *numbers.entry(name.to_owned()).or_insert(next)
    }
}

/// The machine while it runs.
pub(crate) struct Vm<'a> {
    pub(crate) heap: Heap<'a>,
    /// Frame of the running function.
    pub(crate) fp: u32,
    /// Where the running instruction lies (current in slow paths only).
    pub(crate) pc: u32,
    /// Where execution goes on after it.
    pub(crate) next: u32,
    /// Destination of a result that a pushed frame delivers.
    pub(crate) destination: u8,
    pub(crate) entry: Entry,
    /// Frames below the running one.
    pub(crate) depth: u32,
    pub(crate) max_depth: u32,
    /// End of the stack's usable part (a window's size is kept free behind it).
    pub(crate) stack_limit: u32,
    /// Fuel left in the slice (current in slow paths only).
    pub(crate) fuel: i64,
    /// Fuel of the whole slice.
    pub(crate) slice: i64,
    /// The instruction that asked for room last and has not completed since; 0 if none.
    pub(crate) collected_at: u32,
    /// The prepared out-of-memory error was thrown and the heap has not recovered.
    pub(crate) out_of_memory: bool,
    /// Errors about memory that this run has thrown.
    pub(crate) refusals: u32,
    pub(crate) random: u64,
    /// Fuel used and not paid for.
    pub(crate) wanted: i64,
    /// What the running slow path does.
    pub(crate) work: crate::interpret::Work,
    /// How the last run ended.
    pub(crate) exit: crate::interpret::Exit,
    /// Fuel the meter holds besides the slice.
    pub(crate) reserve: i64,
    /// Where the running instruction started: fuel, debt, and how far allocation was.
    pub(crate) start: (i64, u64, u32, u32),
    /// Fuel spent in earlier slices of this cell: what time is derived from.
    pub(crate) spent: u64,
    pub(crate) host: &'a mut Host,
}

impl<'a> Vm<'a> {
    #[inline(always)]
    pub(crate) fn realm(&self, slot: Realm) -> Value {
        self.heap.value(REALM + slot as u32 * 8)
    }

    pub(crate) fn set_realm(&self, slot: Realm, value: Value) {
        self.heap.set_value(REALM + slot as u32 * 8, value);
    }

    /// A realm slot's cell.
    #[inline(always)]
    pub(crate) fn realm_cell(&self, slot: Realm) -> u32 {
        self.heap.mem.load_u32(REALM + slot as u32 * 8)
    }

    #[inline(always)]
    pub(crate) fn register(&self, number: u8) -> Value {
        self.heap.value(self.fp + u32::from(number) * 8)
    }

    #[inline(always)]
    pub(crate) fn set_register(&self, number: u8, value: Value) {
        self.heap.set_value(self.fp + u32::from(number) * 8, value);
    }

    /// The code cell of a callable's own code: a function object's or a self-hosted native's; 0 for anything else.
    #[inline(always)]
    pub(crate) fn code_of(&self, callee: Value) -> u32 {
        if callee.is_object_cell() {
            let cell = callee.payload();
            if self.heap.is(cell, Kind::Function) { self.heap.mem.load_u32(cell + function::CODE) } else { 0 }
        } else if callee.is_native() {
            self.native_code(callee.payload())
        } else {
            0
        }
    }

    /// Code cell of self-hosted native `n`, 0 for Rust leaves.
    #[inline(always)]
    pub(crate) fn native_code(&self, n: u32) -> u32 {
        let table = self.heap.mem.load_u32(SHARED | 16);
        let n = n.wrapping_sub(crate::library::HOSTED);
        if table == 0 {
            // The library is being built.
            return self.host.registry.codes.get(n as usize).copied().unwrap_or(0);
        }
        if n < self.heap.high(table) / 4 { self.heap.mem.load_u32(table + 8 + n * 4) } else { 0 }
    }

    /// Code cell of the running function.
    pub(crate) fn code(&self) -> u32 {
        self.code_of(self.register(frame::CALLEE))
    }

    /// Constant `index` of the running function.
    pub(crate) fn constant(&self, index: u32) -> Value {
        let constants = self.heap.mem.load_u32(self.code() + code::CONSTANTS);
        if index < self.heap.high(constants) { self.heap.value(constants + 8 + index * 8) } else { Value::UNDEFINED }
    }

    /// The name in the key word at `pc + 4 * word`.
    pub(crate) fn key_at(&self, word: u32) -> u32 {
        let index = self.heap.mem.load_u32(self.pc + word * 4) & 0xffff;
        let name = self.constant(index);
        if name.is_string() { name.payload() } else { atoms::EMPTY }
    }

    /// Extension word number `word` of the running instruction.
    pub(crate) fn extension(&self, word: u32) -> u32 {
        self.heap.mem.load_u32(self.pc + word * 4)
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.heap.high(self.code()) & crate::bytecode::function_flag::STRICT != 0
    }

    // --- Charging ------------------------------------------------------------------------------------------

    /// How far an instruction may overdraw the meter that has done something already.
    const MOST_OVERDRAWN: i64 = 1 << 20;

    /// The instruction starts here.
    #[inline(always)]
    pub(crate) fn mark(&mut self) {
        self.start = (self.fuel, self.heap.debt, self.heap.cursor, self.heap.top);
        self.heap.lasting = 0;
    }

    /// The instruction does not complete, and runs again: what it charged is undone, but for work that it will find done.
    #[cold]
    pub(crate) fn undo_charges(&mut self) {
        self.fuel = self.start.0;
        self.heap.debt = self.start.1 + std::mem::take(&mut self.heap.lasting);
    }

    /// Has the instruction neither charged nor allocated so far?
    fn is_untouched(&self) -> bool {
        self.start == (self.fuel, self.heap.debt, self.heap.cursor, self.heap.top)
    }

    /// Work whose outcome stays when the instruction stops and runs again: it is paid now, and not again.
    pub(crate) fn once<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let untouched = self.is_untouched();
        let (fuel, debt, lasting) = (self.fuel, self.heap.debt, self.heap.lasting);
        let result = work(self)?;
        if untouched {
            self.mark();
        } else {
            self.heap.lasting = lasting + u64::try_from(fuel - self.fuel).unwrap_or(0) + self.heap.debt.saturating_sub(debt);
        }
        Ok(result)
    }

    /// Units that the instruction may still use: those in the meter, of which what it has overdrawn already is taken off.
    ///
    /// An instruction that has allocated before may overdraw the meter: what it left behind would make its second run, or a
    /// collection, cost something else, and fuel would depend on when the cell was refuelled.
    pub(crate) fn held(&self) -> i64 {
        let held = self.fuel.saturating_add(self.reserve);
        let allocated = (self.start.2, self.start.3) != (self.heap.cursor, self.heap.top);
        if allocated { held.saturating_add(Self::MOST_OVERDRAWN) } else { held }
    }

    /// Native work of `units`, before it is done: stops here if the meter does not hold it. The slice may be overdrawn, and the
    /// meter too by an instruction that has charged before, which need not do again what it has done.
    pub(crate) fn charge(&mut self, units: u64) -> Result<()> {
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        let held = self.fuel.saturating_add(self.reserve);
        if units > held && (self.is_untouched() || units.saturating_sub(held) > Self::MOST_OVERDRAWN) {
            return Err(Signal::Stop(Pause::Fuel));
        }
        self.fuel -= units;
        Ok(())
    }

    /// Pays for work that loops have noted, if it is much.
    #[inline]
    pub(crate) fn pay_debt(&mut self) -> Result<()> {
        if self.heap.debt > 4096 {
            let debt = std::mem::take(&mut self.heap.debt);
            return self.charge(debt);
        }
        Ok(())
    }

    // --- Errors -----------------------------------------------------------------------------------------------

    /// A new error as a signal.
    #[cold]
    pub(crate) fn fail<T>(&mut self, fault: Fault, message: &str) -> Result<T> {
        let error = self.new_error(fault, message)?;
        Err(Signal::Throw(error))
    }

    #[cold]
    pub(crate) fn type_error<T>(&mut self, message: &str) -> Result<T> {
        self.fail(Fault::Type, message)
    }

    #[cold]
    pub(crate) fn range_error<T>(&mut self, message: &str) -> Result<T> {
        self.fail(Fault::Range, message)
    }

    pub(crate) fn new_error(&mut self, fault: Fault, message: &str) -> Result<Value> {
        let proto = match fault {
            Fault::Type => Realm::TYPE_ERROR_PROTOTYPE,
            Fault::Reference => Realm::REFERENCE_ERROR_PROTOTYPE,
            Fault::Syntax => Realm::SYNTAX_ERROR_PROTOTYPE,
            Fault::Range => Realm::RANGE_ERROR_PROTOTYPE,
            Fault::Eval => Realm::EVAL_ERROR_PROTOTYPE,
            Fault::Uri => Realm::URI_ERROR_PROTOTYPE,
        };
        let proto = self.realm_cell(proto);
        let text = self.heap.string(message)?;
        self.error_object(proto, Some(text))
    }

    // --- Frames ----------------------------------------------------------------------------------------------------

    pub(crate) fn stack_base(&self) -> u32 {
        self.realm_cell(Realm::STACK_CELL) + 16
    }

    /// Makes the stack hold `end` (an address) and a window behind it. Moves it if it must grow.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow_stack(&mut self, end: u32) -> Result<()> {
        let cell = self.realm_cell(Realm::STACK_CELL);
        let size = self.heap.high(cell);
        let used = end.saturating_sub(cell);
        if self.depth >= self.max_depth || used > 64 << 20 {
            return self.range_error("Maximum call stack size exceeded");
        }
        let wanted = (u64::from(size) * 2).max(u64::from(used) + 4096);
        let new = self.heap.allocate_slow(Kind::Stack, 8 + wanted, wanted as u32)?;
        // All above what is used must be harmless to the collector.
        self.heap.mem.fill(new + 8, wanted as u32 / 8, 0);
        self.heap.mem.copy(cell + 8, new + 8, size & !7);
        self.heap.debt += u64::from(size / 256);
        self.set_realm(Realm::STACK_CELL, Value::object(new));
        self.fp = self.fp - cell + new;
        self.stack_limit = new + 8 + wanted as u32 - Registers::BYTES;
        Ok(())
    }

    /// First free register behind the running frame.
    pub(crate) fn frame_top(&self) -> u32 {
        let code = self.code();
        let registers = if code == 0 { 16 } else { u32::from(self.heap.mem.load_u16(code + code::REGISTERS)) };
        registers.max(u32::from(frame::ARGUMENTS))
    }

    /// Calls a function from a slow path: pushes its frame behind the running one. The result goes where `destination` and
    /// `entry` say, and execution goes on at `next`.
    pub(crate) fn call(&mut self, callee: Value, this: Value, arguments: &[Value]) -> Result<Value> {
        let top = self.frame_top();
        let window = self.fp + top * 8;
        let end = window + (arguments.len() as u32 + 8) * 8;
        if end > self.stack_limit {
            self.grow_stack(end)?;
        }
        let window = self.fp + top * 8;
        self.heap.set_value(window + u32::from(frame::CALLEE) * 8, callee);
        self.heap.set_value(window + u32::from(frame::THIS) * 8, this);
        for (i, &argument) in arguments.iter().enumerate() {
            self.heap.set_value(window + (u32::from(frame::ARGUMENTS) + i as u32) * 8, argument);
        }
        self.invoke(top, arguments.len() as u32)
    }

    /// Goes on in the frame whose window lies `distance` registers above the running one. The generic form of a call: for
    /// natives it answers at once, for functions it pushes ([`Signal::Called`]).
    pub(crate) fn invoke(&mut self, distance: u32, count: u32) -> Result<Value> {
        let window = self.fp + distance * 8;
        let callee = self.heap.value(window + u32::from(frame::CALLEE) * 8);
        let code = self.code_of(callee);
        if code != 0 {
            if self.heap.high(code) & crate::bytecode::function_flag::CLASS != 0
                && !matches!(self.entry, Entry::Construct | Entry::ConstructSuper)
            {
                let name = self.heap.text(self.heap.mem.load_u32(code + code::NAME))?;
                let class = if name.is_empty() { "Class constructors".to_owned() } else { format!("Class constructor {name}") };
                return self.type_error(&format!("{class} cannot be invoked without 'new'"));
            }
            if callee.is_native() && self.entry != Entry::Construct {
                let shortcut = self.heap.mem.load_u8(code + crate::vm::code::SHORTCUT);
                if shortcut != 0 {
                    let arguments = crate::library::Arguments { window, count, construct: false };
                    if let Some(value) = crate::library::shortcut::run(self, shortcut, arguments)? {
                        return Ok(value);
                    }
                }
            }
            self.push(distance, count, code)?;
            return Err(Signal::Called);
        }
        self.invoke_other(distance, count, callee)
    }

    /// Pushes the frame of a function with code whose window is filled.
    pub(crate) fn push(&mut self, distance: u32, count: u32, code: u32) -> Result<()> {
        let registers = u32::from(self.heap.mem.load_u16(code + code::REGISTERS));
        let end = self.fp + (distance + registers.max(count + 5)) * 8;
        if end > self.stack_limit || self.depth >= self.max_depth {
            self.grow_stack(end)?;
        }
        let window = self.fp + distance * 8;
        let parameters = u32::from(self.heap.mem.load_u16(code + code::PARAMETERS));
        for i in count..parameters {
            self.heap.set_value(window + (5 + i) * 8, Value::UNDEFINED);
        }
        let link = u64::from(self.next) | u64::from(distance) << 32 | u64::from(self.destination) << 48;
        self.heap.mem.store_u64(window, link);
        self.heap.mem.store_u64(window + 8, u64::from(count) | (self.entry as u64) << 32);
        self.fp = window;
        self.depth += 1;
        self.pc = self.heap.mem.load_u32(code + code::PC);
        Ok(())
    }

    /// The operation at `pc`.
    pub(crate) fn op_at(&self, pc: u32) -> Option<Op> {
        Op::from_byte(self.heap.mem.load_u8(pc))
    }

    /// Is it callable?
    pub(crate) fn is_callable(&self, value: Value) -> bool {
        value.is_native() || value.is_object_cell() && self.heap.flags(value.payload()) & flag::CALLABLE != 0
    }
}
