//! The ready-made library: built once per process, shared part and private part.
//!
//! Building runs the real engine: built-in objects are laid out from the native tables, then the self-hosted sources
//! run. Names, shapes, property tables, slots and bytecode land in the shared zone (see
//! [`crate::heap::memory::BUILDING_ZONE`]); what a cell copies is the realm's slots and the objects' headers.

use std::borrow::Cow;
use std::sync::OnceLock;

use memory::{Pool, SharedImage};

use crate::heap::memory::{BUILDING_ZONE, SHARED};
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Heap, Kind, Result, Signal, atoms, flag};
use crate::interpret::{self, Exit};
use crate::library::{self, HELPERS};
use crate::value::Value;
use crate::vm::{Entry, Host, REALM_END, Realm, Saved, Vm};

/// Bytes of a new cell's stack, a window's free room included. With the objects in front and a small program behind, a new cell stays
/// below 8 KiB: what a recycled slot has to be cleared of is what making a cell costs.
const STACK: u32 = 3 << 10;
/// The shared part is whole pages, so that a process can map it from its own file.
const PAGE: usize = memory::PAGE as usize;
/// Where garbage of the building goes.
const SCRATCH: u32 = 2 << 20;

/// What new cells are made from.
pub(crate) struct Image {
    pub(crate) shared: SharedImage,
    /// The first bytes of a new slot; behind them the stack.
    pub(crate) private: Cow<'static, [u8]>,
    pub(crate) saved: Saved,
}

/// The image of this process, built at first use unless it was handed in ready-made.
pub(crate) fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        if let Some(image) = READY.get().and_then(|bytes| Image::read(bytes)) {
            return image;
        }
        match build() {
            Ok(image) => image,
            Err(message) => unreachable!("the library does not build: {message}"),
        }
    })
}

/// The image that was handed in.
static READY: OnceLock<&'static [u8]> = OnceLock::new();

/// The library's image as bytes, for [`set_library_image`] in another process of the same version.
pub fn library_image() -> Vec<u8> {
    image().write()
}

/// Hands the library's image in, so that this process need not build it: some milliseconds saved. It must be what
/// [`library_image`] of this very version made, for it is trusted. Where it lies at a multiple of 4096 in the program's file it is not even
/// copied. Without effect once the first cell was made; an image of another version of the bytecode is passed over.
pub fn set_library_image(bytes: &'static [u8]) {
    let _ = READY.set(bytes);
}

impl Image {
    /// Schedule, lengths of registers, private and shared part (u32 each), registers by postcard, private bytes; from the next page on the
    /// shared ones.
    fn write(&self) -> Vec<u8> {
        let mut registers = Vec::new();
        // Writing to a vector does not fail.
        let _ = cell::write_header(&mut registers, &self.saved);
        let shared = self.shared.bytes();
        let mut out = Vec::new();
        for length in [crate::bytecode::FUEL_SCHEDULE, registers.len() as u32, self.private.len() as u32, shared.len() as u32] {
            out.extend_from_slice(&length.to_le_bytes());
        }
        out.extend_from_slice(&registers);
        out.extend_from_slice(&self.private);
        out.resize(out.len().next_multiple_of(PAGE), 0);
        out.extend_from_slice(shared);
        out
    }

    fn read(bytes: &'static [u8]) -> Option<Image> {
        let (head, rest) = bytes.split_at_checked(16)?;
        let word = |i: usize| u32::from_le_bytes([head[i * 4], head[i * 4 + 1], head[i * 4 + 2], head[i * 4 + 3]]);
        if word(0) != crate::bytecode::FUEL_SCHEDULE {
            return None;
        }
        let (mut registers, rest) = rest.split_at_checked(word(1) as usize)?;
        let (private, _) = rest.split_at_checked(word(2) as usize)?;
        let head = (16 + word(1) as usize + private.len()).next_multiple_of(PAGE);
        let shared = bytes.get(head..).filter(|shared| shared.len() == word(3) as usize)?;
        let saved = cell::read_header(&mut registers).ok()?;
        Some(Image { shared: SharedImage::of_constants(shared).ok()?, private: private.into(), saved })
    }
}

/// Constructors with a prototype: name, realm slot, parent's slot, kind of the prototype object.
const CLASSES: &[(&str, Realm)] = &[
    ("Object", Realm::OBJECT_PROTOTYPE),
    ("Function", Realm::FUNCTION_PROTOTYPE),
    ("Array", Realm::ARRAY_PROTOTYPE),
    ("String", Realm::STRING_PROTOTYPE),
    ("Number", Realm::NUMBER_PROTOTYPE),
    ("Boolean", Realm::BOOLEAN_PROTOTYPE),
    ("Symbol", Realm::SYMBOL_PROTOTYPE),
    ("BigInt", Realm::BIGINT_PROTOTYPE),
    ("Error", Realm::ERROR_PROTOTYPE),
];

struct Builder<'v, 'a> {
    vm: &'v mut Vm<'a>,
}

fn build() -> std::result::Result<Image, String> {
    let pool = Pool::new(16 << 20, 1).map_err(|e| e.to_string())?;
    let slot = pool.take(8 << 20).map_err(|e| e.to_string())?;
    let empty = SharedImage::new(&[0; 64]).map_err(|e| e.to_string())?;
    let mut heap = Heap::new(&slot, &empty, true, REALM_END.next_multiple_of(16), BUILDING_ZONE);
    heap.shared_cursor = atoms::END;
    heap.threshold = BUILDING_ZONE;
    let mut host = Host { eval_enabled: true, ..Host::default() };
    let mut vm = Vm {
        heap,
        fp: 0,
        pc: 0,
        next: 0,
        destination: 0,
        entry: Entry::Call,
        depth: 0,
        max_depth: 10_000,
        stack_limit: 0,
        fuel: i64::MAX / 4,
        slice: i64::MAX / 4,
        collected_at: 0,
        out_of_memory: false,
        refusals: 0,
        random: 0x9e37_79b9_7f4a_7c15,
        wanted: 0,
        reserve: i64::MAX / 4,
        work: Vm::NO_WORK,
        exit: Exit::Slice,
        start: (0, 0, 0, 0),
        spent: 0,
        host: &mut host,
    };
    let mut builder = Builder { vm: &mut vm };
    builder.names().map_err(|s| format!("{s:?}"))?;
    builder.objects().map_err(|s| format!("{s:?}"))?;
    let low = (builder.vm.heap.cursor, builder.vm.heap.limit);
    // From here on garbage lies apart; only `%constructor` goes back to the low part.
    builder.vm.set_realm(Realm::SCRATCH, Value::int(low.0 as i32));
    builder.vm.heap.cursor = SCRATCH;
    builder.vm.heap.limit = SCRATCH;
    builder.vm.heap.top = SCRATCH;
    builder.stack()?;
    builder.sources()?;
    builder.finish()
}

impl Builder<'_, '_> {
    fn stack(&mut self) -> std::result::Result<(), String> {
        let vm = &mut *self.vm;
        let cell = vm.heap.allocate_slow(Kind::Stack, 8 + (64 << 10), 64 << 10).map_err(|s| format!("{s:?}"))?;
        vm.set_realm(Realm::STACK_CELL, Value::object(cell));
        vm.fp = cell + 16;
        vm.stack_limit = cell + 8 + (64 << 10) - 2048;
        Ok(())
    }

    /// Names, one-character strings and symbols at their fixed places.
    fn names(&mut self) -> Result<()> {
        let heap = &mut self.vm.heap;
        let end = heap.shared_cursor;
        let mut all = Vec::new();
        for (i, text) in atoms::TEXTS.iter().enumerate() {
            heap.shared_cursor = (atoms::START & !SHARED) | SHARED;
            heap.shared_cursor += i as u32 * atoms::STEP;
            let cell = heap.allocate_slow(Kind::String8, 16 + text.len() as u64, text.len() as u32)?;
            heap.mem.write(cell + 16, text.as_bytes());
            all.push(cell);
        }
        for c in 0..=255u8 {
            heap.shared_cursor = atoms::character(c);
            let cell = heap.allocate_slow(Kind::String8, 17, 1)?;
            heap.mem.write(cell + 16, &[c]);
            if !c.is_ascii_digit() {
                all.push(cell);
            } else {
                heap.string_hash(cell)?;
            }
        }
        heap.shared_cursor = end;
        for cell in all {
            heap.mem.store_u64(cell + 8, 0);
            heap.intern_existing(cell)?;
        }
        for (i, name) in atoms::SYMBOL_NAMES.iter().enumerate() {
            let description = heap.name(&format!("Symbol.{name}"))?;
            let end = heap.shared_cursor;
            heap.shared_cursor = atoms::SYMBOLS + i as u32 * 16;
            let symbol = heap.new_symbol(description, 0)?;
            heap.mem.store_u32(symbol + 8, (i as u32 + 1).wrapping_mul(0x9e37_79b1) | 1);
            heap.shared_cursor = end;
        }
        Ok(())
    }

    /// An object in dictionary mode, its changes noticed by caches.
    fn namespace(&mut self, kind: Kind, proto: u32) -> Result<u32> {
        let heap = &mut self.vm.heap;
        let shape = heap.dictionary_shape(proto, kind, 0, 16)?;
        let object = heap.object(kind, shape)?;
        heap.set_flags(object, flag::PROTOTYPE);
        Ok(object)
    }

    fn objects(&mut self) -> Result<()> {
        let object_proto = self.namespace(Kind::Object, 0)?;
        self.vm.set_realm(Realm::OBJECT_PROTOTYPE, Value::object(object_proto));
        let function_proto = self.namespace(Kind::NativeFunction, object_proto)?;
        self.vm.heap.mem.store_u32(function_proto + 16, u32::MAX);
        self.vm.heap.set_flags(function_proto, flag::CALLABLE);
        self.vm.set_realm(Realm::FUNCTION_PROTOTYPE, Value::object(function_proto));
        let first = Realm::ARRAY_PROTOTYPE as u32;
        let last = Realm::PROXY_PROTOTYPE as u32;
        for slot in first..=last {
            let name = crate::vm::REALM_NAMES[slot as usize];
            let parent = parent_of(name).map_or(object_proto, |parent| self.slot_by_name(parent));
            let kind = match name {
                "ARRAY_PROTOTYPE" => Kind::Array,
                "STRING_PROTOTYPE" | "NUMBER_PROTOTYPE" | "BOOLEAN_PROTOTYPE" => Kind::Wrapper,
                _ => Kind::Object,
            };
            let object = self.namespace(kind, parent)?;
            match name {
                "STRING_PROTOTYPE" => {
                    self.vm.heap.set_value(object + 16, Value::string(atoms::EMPTY));
                    self.vm.heap.set_flags(object, flag::EXOTIC);
                }
                "NUMBER_PROTOTYPE" => self.vm.heap.set_value(object + 16, Value::ZERO),
                "BOOLEAN_PROTOTYPE" => self.vm.heap.set_value(object + 16, Value::FALSE),
                _ => {}
            }
            self.vm.heap.set_value(crate::heap::REALM + slot * 8, Value::object(object));
        }
        let global = self.namespace(Kind::Object, object_proto)?;
        self.vm.set_realm(Realm::GLOBAL, Value::object(global));
        let lexicals = self.namespace(Kind::Object, 0)?;
        self.vm.set_realm(Realm::LEXICALS, Value::object(lexicals));
        let shapes = [(Realm::OBJECT_SHAPE_4, 4), (Realm::OBJECT_SHAPE_8, 8), (Realm::OBJECT_SHAPE_16, 16)];
        for (slot, inline) in shapes {
            let shape = self.vm.heap.root_shape(object_proto, Kind::Object, inline)?;
            self.vm.set_realm(slot, Value::object(shape));
        }
        let array_proto = self.vm.realm_cell(Realm::ARRAY_PROTOTYPE);
        let shape = self.vm.heap.root_shape(array_proto, Kind::Array, 0)?;
        self.vm.set_realm(Realm::ARRAY_SHAPE, Value::object(shape));
        let shape = self.vm.heap.root_shape(function_proto, Kind::Function, 0)?;
        self.vm.set_realm(Realm::FUNCTION_SHAPE, Value::object(shape));
        let root = self.vm.heap.root_shape(object_proto, Kind::Object, 4)?;
        let mut shape = root;
        for name in [atoms::VALUE, atoms::DONE] {
            shape = self.vm.heap.shape_add(shape, name, attribute::PLAIN)?.unwrap_or(root);
        }
        self.vm.set_realm(Realm::ITERATOR_RESULT_SHAPE, Value::object(shape));
        for slot in [
            Realm::EXCEPTION,
            Realm::NATIVE_OBJECTS,
            Realm::SYMBOL_REGISTRY,
            Realm::HANDLES,
            Realm::MODULES,
            Realm::OFFERS,
            Realm::TIMERS,
            Realm::CONSOLE,
            Realm::TURN,
            Realm::REJECTIONS,
            Realm::SCRATCH,
            Realm::ARRAY_VALUES_CHECK,
            Realm::THROW_TYPE_ERROR,
            Realm::JOBS,
            Realm::REGISTRIES,
        ] {
            self.vm.set_realm(slot, Value::UNDEFINED);
        }
        self.vm.set_realm(Realm::LIBRARY_CACHE, Value::ZERO);
        // The error for memory: made beforehand, with its message and an empty trace.
        let proto = self.vm.realm_cell(Realm::RANGE_ERROR_PROTOTYPE);
        let shape = self.vm.heap.root_shape(proto, Kind::Error, 2)?;
        let error = self.vm.heap.object(Kind::Error, shape)?;
        let text = self.vm.heap.string("Out of memory")?;
        self.vm.heap.add(error, Key::Name(atoms::MESSAGE), Value::string(text), attribute::HIDDEN)?;
        self.vm.set_realm(Realm::OUT_OF_MEMORY_ERROR, Value::object(error));
        self.natives()
    }

    fn slot_by_name(&self, name: &str) -> u32 {
        let slot = crate::vm::REALM_NAMES.iter().position(|&n| n == name).unwrap_or(0) as u32;
        self.vm.heap.mem.load_u32(crate::heap::REALM + slot * 8)
    }

    /// The object that a native's row names; name spaces and constructors are made at first mention.
    fn target(&mut self, name: &str) -> Result<u32> {
        if crate::vm::REALM_NAMES.contains(&name) {
            return Ok(self.slot_by_name(name));
        }
        let global = self.vm.realm_cell(Realm::GLOBAL);
        let key = Key::Name(self.vm.heap.name(name)?);
        if let crate::heap::object::Own::Data { address, .. } = self.vm.heap.own(global, key) {
            return Ok(self.vm.heap.value(address).payload());
        }
        let object_proto = self.vm.realm_cell(Realm::OBJECT_PROTOTYPE);
        let object = self.namespace(Kind::Object, object_proto)?;
        self.vm.heap.put(global, key, Value::object(object), attribute::HIDDEN)?;
        Ok(object)
    }

    fn natives(&mut self) -> Result<()> {
        // Constructors first: their rows have the target "constructor".
        for (number, row) in library::rows().filter(|(_, row)| row.target == "constructor") {
            let function_proto = self.vm.realm_cell(Realm::FUNCTION_PROTOTYPE);
            let object = self.namespace(Kind::NativeFunction, function_proto)?;
            self.vm.heap.mem.store_u32(object + 16, number);
            self.vm.heap.set_flags(object, flag::CALLABLE | flag::CONSTRUCTOR);
            let name = self.vm.heap.name(row.name)?;
            self.vm.heap.add(object, Key::Name(atoms::LENGTH), Value::int(i32::from(row.length)), attribute::CONFIGURABLE)?;
            self.vm.heap.add(object, Key::Name(atoms::NAME), Value::string(name), attribute::CONFIGURABLE)?;
            if let Some((_, slot)) = CLASSES.iter().find(|(class, _)| *class == row.name) {
                let proto = self.vm.realm(*slot);
                self.vm.heap.add(object, Key::Name(atoms::PROTOTYPE), proto, 0)?;
                self.vm.heap.add(proto.payload(), Key::Name(atoms::CONSTRUCTOR), Value::object(object), attribute::HIDDEN)?;
            }
            let global = self.vm.realm_cell(Realm::GLOBAL);
            self.vm.heap.put(global, Key::Name(name), Value::object(object), attribute::HIDDEN)?;
        }
        for (number, row) in library::rows().filter(|(_, row)| row.target != "constructor" && !row.target.is_empty()) {
            let target = self.target(row.target)?;
            let getter = row.name.strip_prefix("get ");
            let text = getter.unwrap_or(row.name);
            let key = match text.strip_prefix("@@") {
                Some(symbol) => Key::Name(atoms::SYMBOLS + atoms::SYMBOL_NAMES.iter().position(|s| *s == symbol).unwrap_or(0) as u32 * 16),
                None => Key::Name(self.vm.heap.name(text)?),
            };
            if getter.is_some() {
                let pair = self.vm.heap.accessor(Value::native(number), Value::UNDEFINED)?;
                self.vm.heap.put(target, key, Value::object(pair), attribute::CONFIGURABLE | attribute::ACCESSOR)?;
            } else {
                self.vm.heap.put(target, key, Value::native(number), attribute::HIDDEN)?;
            }
        }
        Ok(())
    }

    fn sources(&mut self) -> std::result::Result<(), String> {
        for (name, source) in library::SOURCES {
            let exit = self.vm.run_library(name, &library::source(name, source))?;
            if let Exit::Thrown(value) | Exit::Value(value) = exit
                && matches!(exit, Exit::Thrown(_))
            {
                let text = self.vm.describe_error(value);
                return Err(format!("{name}: {text}"));
            }
            if !matches!(exit, Exit::Value(_)) {
                return Err(format!("{name}: {exit:?}"));
            }
        }
        Ok(())
    }

    fn finish(self) -> std::result::Result<Image, String> {
        let vm = self.vm;
        let fail = |s: Signal| format!("{s:?}");
        // Code of self-hosted functions, and the helpers' numbers.
        let numbers = vm.host.registry.numbers.take();
        let count = numbers.len() as u32;
        let codes = vm.heap.raw(count.max(1) * 4).map_err(fail)?;
        for (name, number) in &numbers {
            let code = vm.host.registry.codes.get((number - library::HOSTED) as usize).copied().unwrap_or(0);
            if code == 0 {
                return Err(format!("library function %{name} is mentioned but not defined"));
            }
            vm.heap.mem.store_u32(codes + 8 + (number - library::HOSTED) * 4, code);
        }
        let helpers = vm.heap.raw(HELPERS.len() as u32 * 4 + 4).map_err(fail)?;
        // Behind the helpers: the array iterators' own `next`.
        let proto = vm.realm_cell(Realm::ARRAY_ITERATOR_PROTOTYPE);
        if let crate::heap::object::Own::Data { address, .. } = vm.heap.own(proto, Key::Name(atoms::NEXT)) {
            let next = vm.heap.value(address).payload();
            vm.heap.mem.store_u32(helpers + 8 + HELPERS.len() as u32 * 4, next);
        }
        for (i, name) in HELPERS.iter().enumerate() {
            let number = numbers.get(*name).copied().ok_or_else(|| format!("helper {name} is not defined"))?;
            vm.heap.mem.store_u32(helpers + 8 + i as u32 * 4, number);
        }
        // The constructors lie at the same place in every cell.
        let known = vm.host.registry.classes.len() as u32;
        let classes = vm.heap.raw(known.max(1) * 4).map_err(fail)?;
        for (i, &class) in vm.host.registry.classes.iter().enumerate() {
            vm.heap.mem.store_u32(classes + 8 + i as u32 * 4, class);
        }
        let mem = vm.heap.mem;
        mem.store_u32(SHARED | 8, vm.heap.atoms);
        mem.store_u32(SHARED | 12, vm.heap.transitions);
        mem.store_u32(SHARED | 16, codes);
        mem.store_u32(SHARED | 20, helpers);
        mem.store_u32(SHARED | 24, classes);
        let low = vm.realm(Realm::SCRATCH).as_int().unwrap_or(0) as u32;
        vm.set_realm(Realm::SCRATCH, Value::UNDEFINED);
        // The stack lies behind the objects.
        let stack = low.next_multiple_of(16);
        mem.store_u32(SHARED | 28, stack);
        mem.store_u64(stack, u64::from(STACK) << 32 | u64::from((8 + STACK) / 16 + 1) << 16 | Kind::Stack as u64);
        vm.set_realm(Realm::STACK_CELL, Value::object(stack));
        let top = stack + (8 + STACK).next_multiple_of(16);
        let mut shared = Vec::new();
        mem.read(SHARED, vm.heap.shared_cursor & !SHARED, &mut shared);
        shared.resize(shared.len().next_multiple_of(PAGE), 0);
        let mut private = Vec::new();
        mem.read(0, stack + 16, &mut private);
        let saved = Saved {
            fp: stack + 16,
            pc: 0,
            depth: 0,
            cursor: top,
            limit: top,
            runs: 0,
            top,
            threshold: crate::heap::NURSERY,
            atoms: 0,
            atom_count: 0,
            transitions: 0,
            transition_count: 0,
            epoch: vm.heap.epoch,
            random: 0x9e37_79b9_7f4a_7c15,
        };
        let shared = SharedImage::new(&shared).map_err(|e| e.to_string())?;
        Ok(Image { shared, private: private.into(), saved })
    }
}

/// Library source's short forms: `@@iterator` is a well-known symbol, `@ARRAY_PROTOTYPE` a realm slot.
fn expand(source: &str) -> String {
    let mut out = String::with_capacity(source.len() * 2);
    let mut rest = source;
    while let Some(at) = rest.find('@') {
        out.push_str(&rest[..at]);
        let symbol = rest[at..].starts_with("@@");
        let start = at + if symbol { 2 } else { 1 };
        let end = rest[start..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |n| start + n);
        let name = &rest[start..end];
        let names = if symbol { atoms::SYMBOL_NAMES } else { crate::vm::REALM_NAMES };
        match names.iter().position(|n| *n == name) {
            Some(number) if symbol => out.push_str(&format!("%symbol({number})")),
            // Not the property, which the guest may change.
            Some(number) if rest[end..].starts_with(".constructor") => {
                out.push_str(&format!("%intrinsic({number})"));
                rest = &rest[end + ".constructor".len()..];
                continue;
            }
            Some(number) => out.push_str(&format!("%realm({number})")),
            None => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Prototypes whose own prototype is not Object.prototype.
fn parent_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "TYPE_ERROR_PROTOTYPE"
        | "RANGE_ERROR_PROTOTYPE"
        | "SYNTAX_ERROR_PROTOTYPE"
        | "REFERENCE_ERROR_PROTOTYPE"
        | "EVAL_ERROR_PROTOTYPE"
        | "URI_ERROR_PROTOTYPE"
        | "AGGREGATE_ERROR_PROTOTYPE"
        | "INTERNAL_ERROR_PROTOTYPE" => "ERROR_PROTOTYPE",
        "ARRAY_ITERATOR_PROTOTYPE"
        | "STRING_ITERATOR_PROTOTYPE"
        | "MAP_ITERATOR_PROTOTYPE"
        | "SET_ITERATOR_PROTOTYPE"
        | "REGEXP_STRING_ITERATOR_PROTOTYPE"
        | "GENERATOR_PROTOTYPE" => "ITERATOR_PROTOTYPE",
        "ASYNC_GENERATOR_PROTOTYPE" | "ASYNC_FROM_SYNC_ITERATOR_PROTOTYPE" => "ASYNC_ITERATOR_PROTOTYPE",
        "GENERATOR_FUNCTION_PROTOTYPE" | "ASYNC_FUNCTION_PROTOTYPE" | "ASYNC_GENERATOR_FUNCTION_PROTOTYPE" => "FUNCTION_PROTOTYPE",
        "INT8_PROTOTYPE"
        | "UINT8_PROTOTYPE"
        | "UINT8C_PROTOTYPE"
        | "INT16_PROTOTYPE"
        | "UINT16_PROTOTYPE"
        | "INT32_PROTOTYPE"
        | "UINT32_PROTOTYPE"
        | "FLOAT32_PROTOTYPE"
        | "FLOAT64_PROTOTYPE"
        | "BIGINT64_PROTOTYPE"
        | "BIGUINT64_PROTOTYPE" => "TYPED_ARRAY_PROTOTYPE",
        _ => return None,
    })
}

impl<'a> Vm<'a> {
    /// Runs a self-hosted source.
    fn run_library(&mut self, name: &str, source: &str) -> std::result::Result<Exit, String> {
        let source = &expand(source);
        let (mut parser, mut unit) = (crate::syntax::Parser::new(), crate::bytecode::Unit::default());
        let compiled = {
            let registry = &self.host.registry;
            let intrinsic = |name: &[u8]| -> Option<u16> {
                let name = std::str::from_utf8(name).ok()?;
                let number = library::rows().find(|(_, row)| row.target.is_empty() && row.name == name).map(|(number, _)| number);
                u16::try_from(number.unwrap_or_else(|| registry.number(name))).ok()
            };
            let options = crate::syntax::Options { strict: true, library: true, ..Default::default() };
            let request = crate::compile::Request { goal: crate::syntax::Goal::Script, options, scope: None, intrinsic: Some(&intrinsic) };
            crate::compile::compile(&mut parser, source.as_bytes(), &request, &mut unit, &mut crate::syntax::Unlimited)
        };
        let result = match compiled {
            Ok(()) => {
                let file = self.heap.string(name).map_err(|s| format!("{s:?}"))?;
                let code = self.install(&unit, source.as_bytes(), file).map_err(|s| format!("{s:?}"))?;
                let function = self.function_object(code, None).map_err(|s| format!("{s:?}"))?;
                self.pc = 0;
                self.begin(Value::object(function), Value::UNDEFINED, &[]).map_err(|s| format!("{s:?}"))
            }
            Err(fault) => Err(format!("{name}: {fault:?}")),
        };
        match result? {
            Some(exit) => Ok(exit),
            None => Ok(interpret::run(self)),
        }
    }

    /// Enters a callable from the host: a frame above whatever runs. Some: it has answered already.
    pub(crate) fn begin(&mut self, callee: Value, this: Value, arguments: &[Value]) -> Result<Option<Exit>> {
        self.collected_at = 0;
        self.entry = Entry::Host;
        self.destination = 0;
        self.next = 0;
        match self.call(callee, this, arguments) {
            Ok(value) => Ok(Some(Exit::Value(value))),
            Err(Signal::Called) => Ok(None),
            Err(Signal::Throw(value)) => Ok(Some(Exit::Thrown(value))),
            Err(signal) => Err(signal),
        }
    }

    /// An error's name and message, for people.
    pub(crate) fn describe_error(&mut self, value: Value) -> String {
        if value.is_object_cell() {
            let mut part = |name: u32| match self.find(value.payload(), Key::Name(name)) {
                Ok(Some((_, crate::heap::object::Own::Data { address, .. }))) => {
                    let value = self.heap.value(address);
                    if value.is_string() { self.heap.told(value.payload()) } else { String::new() }
                }
                _ => String::new(),
            };
            let (mut name, message) = (part(atoms::NAME), part(atoms::MESSAGE));
            if name.is_empty()
                && let Ok(Some((_, crate::heap::object::Own::Data { address, .. }))) =
                    self.find(value.payload(), Key::Name(atoms::CONSTRUCTOR))
            {
                // An error of the guest's own making: its class tells most.
                let code = self.code_of(self.heap.value(address));
                let class = self.heap.mem.load_u32(code + crate::vm::code::NAME);
                name = if code == 0 { String::new() } else { self.heap.told(class) };
            }
            return format!("{name}: {message}");
        }
        match self.to_string_primitive(value) {
            Ok(text) => self.heap.told(text),
            Err(_) => "?".to_owned(),
        }
    }
}
