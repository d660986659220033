//! The built-in library.
//!
//! Two kinds of functions, told apart by number: *leaves* in Rust (rows of each area's `NATIVES`), which take primitive or
//! plain arguments, do bounded work that they charge for, and return; and *self-hosted* ones in the `.js` files beside, for
//! everything that may call back into script. Self-hosted code is strict, has no variables outside its functions, and calls
//! leaves and other library functions as `%name(arguments)`; it is compiled into the shared image.
//!
//! The `.js` files run once, while the image is built: `%install(object, {...})` moves methods and accessors to a built-in
//! object, `%define(name, function)` makes a library function for `%name`, `%constructor(...)` makes a constructor.

pub(crate) mod array;
pub(crate) mod collection;
pub(crate) mod core;
pub(crate) mod date;
pub(crate) mod error;
pub(crate) mod function;
pub(crate) mod host;
pub(crate) mod inspect;
pub(crate) mod json;
pub(crate) mod math;
pub(crate) mod module;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod pattern;
pub(crate) mod promise;
pub(crate) mod shortcut;
pub(crate) mod string;
pub(crate) mod typed;
pub(crate) mod world;

use crate::bytecode::frame;
use crate::heap::memory::SHARED;
use crate::heap::{Result, atoms};
use crate::value::Value;
use crate::vm::{Vm, code};

/// What a leaf is called with: a window of registers.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    /// Address of the window.
    pub(crate) window: u32,
    /// Arguments passed.
    pub(crate) count: u32,
    /// Called as a constructor.
    pub(crate) construct: bool,
}

impl Arguments {
    /// Argument `i`, undefined if not passed.
    #[inline]
    pub(crate) fn get(&self, vm: &Vm<'_>, i: u32) -> Value {
        if i < self.count { vm.heap.value(self.window + (u32::from(frame::ARGUMENTS) + i) * 8) } else { Value::UNDEFINED }
    }

    pub(crate) fn this(&self, vm: &Vm<'_>) -> Value {
        vm.heap.value(self.window + u32::from(frame::THIS) * 8)
    }

    pub(crate) fn new_target(&self, vm: &Vm<'_>) -> Value {
        if self.construct { vm.heap.value(self.window + u32::from(frame::NEW_TARGET) * 8) } else { Value::UNDEFINED }
    }
}

/// A library function in Rust.
pub(crate) type Leaf = fn(&mut Vm<'_>, Arguments) -> Result<Value>;

/// A row of the library's table.
pub(crate) struct Native {
    /// Which object it becomes a property of: a realm slot's name (`ARRAY_PROTOTYPE`), a constructor's or name space's name
    /// (`Math`), or "" for library code only.
    pub(crate) target: &'static str,
    /// Property name; `@@x` for a well-known symbol; `get x` for a getter.
    pub(crate) name: &'static str,
    /// `length`.
    pub(crate) length: u8,
    /// What `this` and the arguments are converted to before the call, one character each, `this` first: `*` nothing,
    /// `s` string, `n` number, `i` integer (undefined stays), `k` key, `S` string for `this` where null and undefined are errors.
    pub(crate) convert: &'static str,
    /// The function.
    pub(crate) leaf: Leaf,
}

/// Areas' tables; a native's number is its area's place times [`STRIDE`] plus its row.
static AREAS: &[&[Native]] = &[
    core::NATIVES,
    object::NATIVES,
    error::NATIVES,
    function::NATIVES,
    array::NATIVES,
    string::NATIVES,
    number::NATIVES,
    math::NATIVES,
    collection::NATIVES,
    json::NATIVES,
    promise::NATIVES,
    pattern::NATIVES,
    typed::NATIVES,
    date::NATIVES,
    inspect::NATIVES,
    world::NATIVES,
    module::NATIVES,
];

const STRIDE: u32 = 128;

/// Numbers that leaves may have.
pub(crate) const LEAVES: u32 = 16 * STRIDE;

/// Self-hosted functions are numbered from here.
pub(crate) const HOSTED: u32 = 4096;

/// Every Rust native with its number.
pub(crate) fn rows() -> impl Iterator<Item = (u32, &'static Native)> {
    AREAS.iter().enumerate().flat_map(|(area, rows)| rows.iter().enumerate().map(move |(i, row)| (area as u32 * STRIDE + i as u32, row)))
}

fn row(number: u32) -> Option<&'static Native> {
    AREAS.get((number / STRIDE) as usize)?.get((number % STRIDE) as usize)
}

macro_rules! helpers {
    ($($id:ident $name:literal)*) => {
        /// Self-hosted functions that instructions fall back to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Helper { $($id),* }
        /// Their names for `%define`.
        pub(crate) const HELPERS: &[&str] = &[$($name),*];
    };
}

helpers! {
    Add "add" Subtract "subtract" Multiply "multiply" Divide "divide" Remainder "remainder" Power "power" BitAnd "bitAnd"
    BitOr "bitOr" BitXor "bitXor" ShiftLeft "shiftLeft" ShiftRight "shiftRight" ShiftRightUnsigned "shiftRightUnsigned"
    Increment "increment" Decrement "decrement" Negate "negate" BitNot "bitNot" ToNumber "toNumber" ToNumeric "toNumeric"
    Less "less" LessEqual "lessEqual" Greater "greater" GreaterEqual "greaterEqual" Equal "equal" In "in"
    InstanceOf "instanceOf" GetElement "getElement" SetElement "setElement" Delete "delete" ProxyGet "proxyGet" ProxySet "proxySet"
    ProxyHas "proxyHas" ProxyApply "proxyApply" ProxyConstruct "proxyConstruct" DefineOnReceiver "defineOnReceiver"
    TypedSet "typedSet" SetArrayLength "setArrayLength" Construct "construct" ArraySpread "arraySpread"
    CopyProperties "copyProperties" ToPropertyKey "toPropertyKey" ToString "toString" GetIterator "getIterator"
    IteratorStep "iteratorStep" IteratorRest "iteratorRest" ArrayRest "arrayRest" IteratorClose "iteratorClose" IteratorCloseQuietly "iteratorCloseQuietly"
    ArrayIteratorClose "arrayIteratorClose" GetAsyncIterator "getAsyncIterator" GetMethod "getMethod" ForIn "forIn"
    InScope "inScope" GetSuper "getSuper" SetSuper "setSuper" Coerce "coerce" AsyncAwait "asyncAwait" AsyncReturn "asyncReturn"
    AsyncThrow "asyncThrow" AsyncGeneratorYield "asyncGeneratorYield" AsyncGeneratorAwait "asyncGeneratorAwait"
    AsyncGeneratorReturn "asyncGeneratorReturn" AsyncGeneratorThrow "asyncGeneratorThrow" ImportCall "importCall"
    CreateDataProperty "createDataProperty" RunJob "runJob" RunTimer "runTimer" Operate "operate" StartModule "startModule" PromiseResolve "promiseResolve" PromiseReject "promiseReject"
}

/// Calls a library function by number from a window that holds its arguments: `%name(...)`.
pub(crate) fn call_leaf(vm: &mut Vm<'_>, number: u32, arguments: Arguments) -> Result<Value> {
    if number >= HOSTED {
        let distance = (arguments.window - vm.fp) / 8;
        vm.heap.set_value(arguments.window + u32::from(frame::CALLEE) * 8, Value::native(number));
        return vm.invoke(distance, arguments.count);
    }
    match row(number) {
        Some(row) => run_leaf(row, vm, arguments),
        None => vm.type_error("no such library function"),
    }
}

/// Calls a Rust native as the guest does: converts first what its row says.
pub(crate) fn call_native(vm: &mut Vm<'_>, number: u32, arguments: Arguments) -> Result<Value> {
    let Some(row) = row(number) else {
        // Function.prototype is a function that does nothing.
        return if number == u32::MAX { Ok(Value::UNDEFINED) } else { vm.type_error("not a function") };
    };
    for (i, kind) in row.convert.bytes().enumerate() {
        let value = if i == 0 { arguments.this(vm) } else { arguments.get(vm, i as u32 - 1) };
        let right = match kind {
            b'*' => true,
            b's' => value.is_string() || value.is_undefined() && i as u32 > arguments.count,
            b'S' => value.is_string(),
            b'n' | b'i' => value.is_number() || value.is_undefined(),
            _ => value.is_string() || value.is_symbol() || value.is_number(),
        };
        if !right {
            // Conversions may call script: the helper makes them in order, then calls the leaf.
            let this = arguments.this(vm);
            let list = vm.arguments_array(arguments.window, arguments.count.min(32), 0)?;
            return vm.help(Helper::Coerce, &[Value::int(number as i32), this, list]);
        }
    }
    run_leaf(row, vm, arguments)
}

/// Runs a leaf.
#[inline]
fn run_leaf(row: &Native, vm: &mut Vm<'_>, arguments: Arguments) -> Result<Value> {
    (row.leaf)(vm, arguments)
}

impl<'a> Vm<'a> {
    /// The function value of a helper.
    pub(crate) fn helper(&self, helper: Helper) -> Value {
        let table = self.heap.mem.load_u32(SHARED | 20);
        if table == 0 {
            return Value::native(self.host.registry.number(HELPERS[helper as usize]));
        }
        Value::native(self.heap.mem.load_u32(table + 8 + helper as u32 * 4))
    }

    /// Name (as a string cell) and length of native `number`.
    pub(crate) fn native_name(&mut self, number: u32) -> Result<(u32, u32)> {
        let code = self.native_code(number);
        if code != 0 {
            return Ok((self.heap.mem.load_u32(code + code::NAME), u32::from(self.heap.mem.load_u16(code + code::LENGTH))));
        }
        let Some(row) = row(number) else { return Ok((atoms::EMPTY, 0)) };
        let name = match row.name.strip_prefix("@@") {
            Some(symbol) => format!("[Symbol.{symbol}]"),
            None => row.name.to_owned(),
        };
        Ok((self.heap.string(&name)?, u32::from(row.length)))
    }

    /// The intrinsic constructor whose prototype is the realm's slot `slot`, whatever the guest did to its properties.
    pub(crate) fn class(&self, slot: u32) -> Value {
        let table = self.heap.mem.load_u32(SHARED | 24);
        let cell = if table == 0 {
            self.host.registry.classes.get(slot as usize).copied().unwrap_or(0)
        } else if slot < self.heap.high(table) / 4 {
            self.heap.mem.load_u32(table + 8 + slot * 4)
        } else {
            0
        };
        if cell == 0 { Value::UNDEFINED } else { Value::object(cell) }
    }

    /// A native's name in its row.
    pub(crate) fn native_row_name(&self, number: u32) -> &'static str {
        row(number).map_or("", |row| row.name)
    }

    /// What a native's row converts its arguments to.
    pub(crate) fn native_conversion(&self, number: u32) -> &'static str {
        row(number).map_or("", |row| row.convert)
    }
}

/// Gives a source's text by file name, in place of the compiled-in one; set before the first cell is made.
#[cfg(feature = "live-library")]
pub static LIVE: std::sync::OnceLock<fn(&str) -> Option<String>> = std::sync::OnceLock::new();

/// A source's text as it is to be used.
pub(crate) fn source(name: &str, compiled_in: &'static str) -> std::borrow::Cow<'static, str> {
    #[cfg(feature = "live-library")]
    if let Some(text) = LIVE.get().and_then(|live| live(name)) {
        return text.into();
    }
    let _ = name;
    compiled_in.into()
}

/// Self-hosted sources, in the order they run.
pub(crate) static SOURCES: &[(&str, &str)] = &[
    ("core.js", include_str!("core.js")),
    ("object.js", include_str!("object.js")),
    ("function.js", include_str!("function.js")),
    ("array.js", include_str!("array.js")),
    ("string.js", include_str!("string.js")),
    ("number.js", include_str!("number.js")),
    ("iterator.js", include_str!("iterator.js")),
    ("collection.js", include_str!("collection.js")),
    ("promise.js", include_str!("promise.js")),
    ("json.js", include_str!("json.js")),
    ("proxy.js", include_str!("proxy.js")),
    ("pattern.js", include_str!("pattern.js")),
    ("typed.js", include_str!("typed.js")),
    ("date.js", include_str!("date.js")),
    ("host.js", include_str!("host.js")),
    ("module.js", include_str!("module.js")),
];
