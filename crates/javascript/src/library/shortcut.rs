//! Shortcuts: what a self-hosted function does in the plain case, in Rust.
//!
//! A shortcut is tried before the function's frame is pushed. It answers only when nothing it would look at can call
//! script or has been changed, and gives `None` otherwise, having done nothing: then the JavaScript runs. So a shortcut
//! changes what a call costs, never what it does. Which of the two runs depends on guest state alone.

use super::Arguments;
use crate::heap::memory::SHARED;
use crate::heap::object::Own;
use crate::heap::string::{Flat, Key, MAX_LENGTH};
use crate::heap::{Kind, Result, atoms, flag};
use crate::value::{Value, to_integer};
use crate::vm::{Realm, Vm, code};

/// A shortcut; `None`: the function itself must run.
type Shortcut = fn(&mut Vm<'_>, Arguments) -> Result<Option<Value>>;

/// By owner (realm slot of the object it is a method of; `.constructor` for statics; "" for `%define`) and name.
static TABLE: &[(&str, &str, Shortcut)] = &[
    ("", "lengthOf", length_of),
    ("", "toLength", to_length),
    ("", "toIntegerOrInfinity", to_integer_or_infinity),
    ("", "relative", relative),
    ("", "toNumber", to_number),
    ("", "toNumeric", to_number),
    ("", "toString", to_string),
    ("", "thisString", to_string),
    ("", "toPrimitive", to_primitive),
    ("", "callback", callback),
    ("", "createDataProperty", create_data_property),
    ("", "arraySpecies", array_species),
    ("", "instanceOf", instance_of),
    ("", "jsonWrite", super::json::write),
    ("", "patternBuiltinExec", super::pattern::builtin_exec),
    ("", "patternExec", super::pattern::exec_or_none),
    ("ARRAY_PROTOTYPE", "push", push),
    ("ARRAY_PROTOTYPE", "pop", pop),
    ("ARRAY_PROTOTYPE", "shift", shift),
    ("ARRAY_PROTOTYPE", "unshift", unshift),
    ("ARRAY_PROTOTYPE", "slice", slice),
    ("ARRAY_PROTOTYPE", "splice", splice),
    ("ARRAY_PROTOTYPE", "concat", concat),
    ("ARRAY_PROTOTYPE", "indexOf", index_of),
    ("ARRAY_PROTOTYPE", "includes", includes),
    ("ARRAY_PROTOTYPE", "join", join),
    ("ARRAY_PROTOTYPE", "reverse", reverse),
    ("ARRAY_PROTOTYPE", "fill", fill),
    ("STRING_PROTOTYPE.constructor", "fromCharCode", from_char_code),
    ("STRING_PROTOTYPE", "split", split),
    ("STRING_PROTOTYPE", "replace", replace),
    ("STRING_PROTOTYPE", "includes", string_includes),
    ("STRING_PROTOTYPE", "startsWith", starts_with),
    ("STRING_PROTOTYPE", "endsWith", ends_with),
    ("REGEXP_PROTOTYPE", "exec", super::pattern::builtin_exec_method),
    ("REGEXP_PROTOTYPE", "test", super::pattern::test),
    ("REGEXP_PROTOTYPE", "Symbol(Symbol.replace)", super::pattern::replace_method),
    ("REGEXP_PROTOTYPE", "Symbol(Symbol.split)", super::pattern::split_method),
    ("REGEXP_PROTOTYPE", "Symbol(Symbol.match)", super::pattern::match_method),
];

/// Notes in a library function's code cell which shortcut it has. `target`: the object it becomes a method of, 0 for none.
pub(crate) fn attach(vm: &mut Vm<'_>, target: u32, name: &str, cell: u32) {
    let owner = if target == 0 { String::new() } else { owner(vm, target) };
    if let Some(number) = TABLE.iter().position(|row| row.0 == owner && row.1 == name) {
        vm.heap.mem.store_u8(cell + code::SHORTCUT, number as u8 + 1);
    }
}

fn owner(vm: &Vm<'_>, target: u32) -> String {
    let slot = (0..Realm::COUNT as u32).find(|slot| vm.heap.value(crate::heap::REALM + slot * 8) == Value::object(target));
    if let Some(slot) = slot {
        return crate::vm::REALM_NAMES[slot as usize].to_owned();
    }
    match vm.host.registry.classes.iter().position(|&class| class == target) {
        Some(slot) => format!("{}.constructor", crate::vm::REALM_NAMES[slot]),
        None => "?".to_owned(),
    }
}

/// Runs shortcut `number` (as the code cell has it).
#[inline]
pub(crate) fn run(vm: &mut Vm<'_>, number: u8, arguments: Arguments) -> Result<Option<Value>> {
    match TABLE.get(usize::from(number).wrapping_sub(1)) {
        Some(row) => (row.2)(vm, arguments),
        None => Ok(None),
    }
}

/// Is the callee the library function with this shortcut?
pub(super) fn is_intrinsic(vm: &Vm<'_>, callee: Value, owner: &str, name: &str) -> bool {
    if !callee.is_native() {
        return false;
    }
    let cell = vm.native_code(callee.payload());
    let number = if cell == 0 { 0 } else { vm.heap.mem.load_u8(cell + code::SHORTCUT) };
    TABLE.get(usize::from(number).wrapping_sub(1)).is_some_and(|row| row.0 == owner && row.1 == name)
}

// --- Numbers and conversions ---------------------------------------------------------------------------

fn length_of(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let x = a.get(vm, 0);
    Ok(vm.heap.is_kind(x, Kind::Array).then(|| Value::unsigned(vm.heap.array_length(x.payload()))))
}

fn to_length(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    Ok(a.get(vm, 0).as_number().map(|n| Value::number(to_integer(n).clamp(0.0, 9_007_199_254_740_991.0) + 0.0)))
}

fn to_integer_or_infinity(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let x = a.get(vm, 0);
    Ok(if x.is_int() { Some(x) } else { x.as_number().map(|n| Value::number(to_integer(n) + 0.0)) })
}

fn relative(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (x, length) = (a.get(vm, 0), a.get(vm, 1));
    if x.is_undefined() {
        return Ok(Some(a.get(vm, 2)));
    }
    Ok(match (x.as_number(), length.as_number()) {
        (Some(x), Some(length)) => Some(Value::number(clamp_relative(x, length))),
        _ => None,
    })
}

fn clamp_relative(x: f64, length: f64) -> f64 {
    let x = to_integer(x);
    if x < 0.0 { (x + length).max(0.0) } else { x.min(length) + 0.0 }
}

/// A relative index argument; `missing` when undefined; `None` when it is no number.
fn position(vm: &Vm<'_>, a: Arguments, i: u32, length: u32, missing: u32) -> Option<u32> {
    let x = a.get(vm, i);
    if x.is_undefined() {
        return Some(missing);
    }
    Some(clamp_relative(x.as_number()?, f64::from(length)) as u32)
}

fn to_number(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let x = a.get(vm, 0);
    Ok(x.is_number().then_some(x))
}

fn to_string(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let x = a.get(vm, 0);
    Ok(match x {
        x if x.is_string() => Some(x),
        x if x.is_number() => Some(Value::string(vm.to_string_primitive(x)?)),
        _ => None,
    })
}

fn to_primitive(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let x = a.get(vm, 0);
    Ok((!x.is_object()).then_some(x))
}

fn callback(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let x = a.get(vm, 0);
    Ok(vm.is_callable(x).then_some(Value::UNDEFINED))
}

fn instance_of(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (x, class) = (a.get(vm, 0), a.get(vm, 1));
    if !vm.heap.is_kind(class, Kind::Function) {
        return Ok(None);
    }
    // The only @@hasInstance that need not be called is Function.prototype's own.
    match vm.find(class.payload(), Key::Name(atoms::SYM_HAS_INSTANCE))? {
        Some((holder, Own::Data { attributes: 0, .. })) if holder == vm.realm_cell(Realm::FUNCTION_PROTOTYPE) => {}
        _ => return Ok(None),
    }
    if !x.is_object() {
        return Ok(Some(Value::FALSE));
    }
    let Some((_, Own::Data { address, .. })) = vm.find(class.payload(), Key::Name(atoms::PROTOTYPE))? else { return Ok(None) };
    let prototype = vm.heap.value(address);
    if !prototype.is_object() {
        return Ok(None);
    }
    let wanted = vm.object_cell(prototype)?;
    let mut object = vm.object_cell(x)?;
    for _ in 0..64 {
        if vm.heap.is(object, Kind::Proxy) {
            return Ok(None);
        }
        object = vm.heap.proto(object);
        if object == 0 {
            return Ok(Some(Value::FALSE));
        }
        if object == wanted {
            return Ok(Some(Value::TRUE));
        }
    }
    Ok(None)
}

// --- Arrays ---------------------------------------------------------------------------------------------

/// An array that is just its elements: dense, ordinary, extensible, and nothing on its prototypes shows through holes.
pub(super) fn plain(vm: &Vm<'_>, value: Value) -> Option<u32> {
    if !vm.heap.is_kind(value, Kind::Array) {
        return None;
    }
    let array = value.payload();
    let elements = vm.heap.elements(array);
    let ordinary = vm.heap.shape(array) == vm.realm_cell(Realm::ARRAY_SHAPE)
        && vm.heap.flags(array) & (flag::NOT_EXTENSIBLE | flag::LENGTH_FIXED | flag::EXOTIC | flag::PROTOTYPE) == 0
        && vm.elements_are_dense(array);
    // A length beyond the elements is a run of holes that nothing here should walk.
    (ordinary && vm.heap.array_length(array) <= vm.heap.high(elements).saturating_add(64)).then_some(array)
}

/// The element, undefined for a hole.
fn item(vm: &Vm<'_>, array: u32, i: u32) -> Value {
    let value = vm.heap.dense(array, i);
    if value.is_hole() { Value::UNDEFINED } else { value }
}

/// Has nobody touched this object of the library? Its properties lie in the shared image until somebody does.
pub(super) fn untouched(vm: &Vm<'_>, object: u32) -> bool {
    let heap = &vm.heap;
    heap.shape(object) & SHARED != 0 && heap.mem.load_u32(object + 8) & SHARED != 0
}

/// Would ArraySpeciesCreate of a plain array make a plain array?
pub(super) fn species_is_plain(vm: &mut Vm<'_>) -> bool {
    let array = vm.class(Realm::ARRAY_PROTOTYPE as u32);
    if array.is_object_cell() && untouched(vm, vm.realm_cell(Realm::ARRAY_PROTOTYPE)) && untouched(vm, array.payload()) {
        return true;
    }
    let array = vm.class(Realm::ARRAY_PROTOTYPE as u32);
    let proto = vm.realm_cell(Realm::ARRAY_PROTOTYPE);
    let constructor = vm.heap.own(proto, Key::Name(atoms::CONSTRUCTOR));
    let Own::Data { address, .. } = constructor else { return false };
    if vm.heap.value(address) != array || !array.is_object_cell() {
        return false;
    }
    let Own::Accessor { pair, .. } = vm.heap.own(array.payload(), Key::Name(atoms::SYM_SPECIES)) else { return false };
    let getter = vm.heap.value(pair + 8);
    // Whichever of the library's species getters: each answers `this`.
    getter.is_native() && {
        let cell = vm.native_code(getter.payload());
        let name = if cell == 0 { 0 } else { vm.heap.mem.load_u32(cell + code::NAME) };
        vm.heap.string_length(name) == SPECIES_NAME && vm.heap.unit_of_flat(name, 12) == Some(u16::from(b's'))
    }
}

/// Length of "get [Symbol.species]", which no other getter of the library has together with its thirteenth letter.
const SPECIES_NAME: u32 = 20;

/// A new plain array of these values.
fn array(vm: &mut Vm<'_>, values: &[Value]) -> Result<Option<Value>> {
    vm.array_of(values).map(|array| Some(Value::object(array)))
}

fn array_species(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (Some(_), Some(length)) = (plain(vm, a.get(vm, 0)), a.get(vm, 1).as_index()) else { return Ok(None) };
    if !species_is_plain(vm) {
        return Ok(None);
    }
    let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
    let new = vm.heap.array(shape, length.min(1 << 16))?;
    vm.heap.set_array_length_field(new, length);
    Ok(Some(Value::object(new)))
}

fn create_data_property(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (target, key, value) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2));
    if !target.is_object_cell()
        || key.is_object()
        || !matches!(vm.heap.kind(target.payload()), Kind::Array | Kind::Object)
        || vm.heap.flags(target.payload()) & flag::EXOTIC != 0
    {
        return Ok(None);
    }
    let key = vm.to_key_primitive(key)?;
    vm.define_plain(target.payload(), key, value)?;
    Ok(Some(Value::UNDEFINED))
}

fn push(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    let Some(total) = length.checked_add(a.count) else { return Ok(None) };
    vm.heap.reserve_elements(array, total)?;
    let elements = vm.heap.elements(array);
    for i in 0..a.count {
        let value = a.get(vm, i);
        vm.heap.set_value(elements + 8 + (length + i) * 8, value);
    }
    vm.heap.set_array_length_field(array, total);
    Ok(Some(Value::unsigned(total)))
}

fn pop(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    if length == 0 {
        return Ok(Some(Value::UNDEFINED));
    }
    let last = item(vm, array, length - 1);
    let elements = vm.heap.elements(array);
    if length <= vm.heap.high(elements) {
        vm.heap.set_value(elements + 8 + (length - 1) * 8, Value::HOLE);
    }
    vm.heap.set_array_length_field(array, length - 1);
    Ok(Some(last))
}

/// Moves elements within a plain array's dense part.
fn slide(vm: &mut Vm<'_>, array: u32, from: u32, to: u32, count: u32) -> Result<()> {
    vm.charge(u64::from(count / 64))?;
    let elements = vm.heap.elements(array);
    vm.heap.mem.copy(elements + 8 + from * 8, elements + 8 + to * 8, count * 8);
    Ok(())
}

fn shift(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    if length == 0 {
        return Ok(Some(Value::UNDEFINED));
    }
    let elements = vm.heap.elements(array);
    if length > vm.heap.high(elements) {
        return Ok(None);
    }
    let first = item(vm, array, 0);
    slide(vm, array, 1, 0, length - 1)?;
    vm.heap.set_value(elements + 8 + (length - 1) * 8, Value::HOLE);
    vm.heap.set_array_length_field(array, length - 1);
    Ok(Some(first))
}

fn unshift(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    let Some(total) = length.checked_add(a.count) else { return Ok(None) };
    vm.heap.reserve_elements(array, total)?;
    slide(vm, array, 0, a.count, length)?;
    let elements = vm.heap.elements(array);
    for i in 0..a.count {
        let value = a.get(vm, i);
        vm.heap.set_value(elements + 8 + i * 8, value);
    }
    vm.heap.set_array_length_field(array, total);
    Ok(Some(Value::unsigned(total)))
}

/// A new plain array with a part of another, holes kept.
fn part(vm: &mut Vm<'_>, array: u32, from: u32, to: u32) -> Result<u32> {
    let count = to.saturating_sub(from);
    vm.charge(u64::from(count / 32))?;
    let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
    let new = vm.heap.array(shape, count)?;
    let (source, target) = (vm.heap.elements(array), vm.heap.elements(new));
    let there = vm.heap.high(source).saturating_sub(from).min(count);
    vm.heap.mem.copy(source + 8 + from * 8, target + 8, there * 8);
    vm.heap.set_array_length_field(new, count);
    Ok(new)
}

fn slice(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    let (Some(from), Some(to)) = (position(vm, a, 0, length, 0), position(vm, a, 1, length, length)) else { return Ok(None) };
    if !species_is_plain(vm) {
        return Ok(None);
    }
    part(vm, array, from, to).map(|new| Some(Value::object(new)))
}

fn splice(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    if length > vm.heap.high(vm.heap.elements(array)) {
        return Ok(None);
    }
    let Some(from) = position(vm, a, 0, length, 0) else { return Ok(None) };
    let count = match a.count {
        0 => 0,
        1 => length - from,
        _ => match a.get(vm, 1).as_number() {
            Some(n) => to_integer(n).clamp(0.0, f64::from(length - from)) as u32,
            None => return Ok(None),
        },
    };
    if !species_is_plain(vm) {
        return Ok(None);
    }
    let added = a.count.saturating_sub(2);
    let Some(total) = (length - count).checked_add(added) else { return Ok(None) };
    let removed = part(vm, array, from, from + count)?;
    vm.heap.reserve_elements(array, total)?;
    slide(vm, array, from + count, from + added, length - from - count)?;
    let elements = vm.heap.elements(array);
    for i in 0..added {
        let value = a.get(vm, i + 2);
        vm.heap.set_value(elements + 8 + (from + i) * 8, value);
    }
    if total < length {
        vm.heap.mem.fill(elements + 8 + total * 8, length - total, Value::HOLE.0);
    }
    vm.heap.set_array_length_field(array, total);
    Ok(Some(Value::object(removed)))
}

fn concat(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(first) = plain(vm, a.this(vm)) else { return Ok(None) };
    let proto = vm.realm_cell(Realm::ARRAY_PROTOTYPE);
    if !species_is_plain(vm) || vm.find(proto, Key::Name(atoms::SYM_IS_CONCAT_SPREADABLE))?.is_some() {
        return Ok(None);
    }
    let mut total = u64::from(vm.heap.array_length(first));
    for i in 0..a.count {
        let value = a.get(vm, i);
        if value.is_object() {
            let Some(array) = plain(vm, value) else { return Ok(None) };
            total += u64::from(vm.heap.array_length(array));
        } else {
            total += 1;
        }
    }
    let Ok(total) = u32::try_from(total) else { return Ok(None) };
    vm.charge(u64::from(total / 32))?;
    let shape = vm.realm_cell(Realm::ARRAY_SHAPE);
    let new = vm.heap.array(shape, total)?;
    let target = vm.heap.elements(new) + 8;
    let mut at = 0;
    for i in 0..=a.count {
        let value = if i == 0 { Value::object(first) } else { a.get(vm, i - 1) };
        if value.is_object() {
            let (elements, length) = (vm.heap.elements(value.payload()), vm.heap.array_length(value.payload()));
            vm.heap.mem.copy(elements + 8, target + at * 8, length.min(vm.heap.high(elements)) * 8);
            at += length;
        } else {
            vm.heap.set_value(target + at * 8, value);
            at += 1;
        }
    }
    vm.heap.set_array_length_field(new, total);
    Ok(Some(Value::object(new)))
}

fn index_of(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    let Some(from) = position(vm, a, 1, length, 0) else { return Ok(None) };
    vm.charge(u64::from(length.saturating_sub(from)) / 8)?;
    let wanted = a.get(vm, 0);
    for i in from..length {
        let value = vm.heap.dense(array, i);
        if !value.is_hole() && crate::interpret::strictly_equal(vm, value, wanted)? {
            return Ok(Some(Value::unsigned(i)));
        }
    }
    Ok(Some(Value::int(-1)))
}

fn includes(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    let Some(from) = position(vm, a, 1, length, 0) else { return Ok(None) };
    vm.charge(u64::from(length.saturating_sub(from)) / 8)?;
    let wanted = a.get(vm, 0);
    for i in from..length {
        let value = item(vm, array, i);
        if value == wanted || crate::interpret::strictly_equal(vm, value, wanted)? {
            return Ok(Some(Value::TRUE));
        }
    }
    Ok(Some(Value::FALSE))
}

fn reverse(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let this = a.this(vm);
    let Some(array) = plain(vm, this) else { return Ok(None) };
    let (length, elements) = (vm.heap.array_length(array), vm.heap.elements(array));
    if length > vm.heap.high(elements) {
        return Ok(None);
    }
    vm.charge(u64::from(length / 16))?;
    for i in 0..length / 2 {
        let (low, high) = (elements + 8 + i * 8, elements + 8 + (length - 1 - i) * 8);
        let (x, y) = (vm.heap.value(low), vm.heap.value(high));
        vm.heap.set_value(low, y);
        vm.heap.set_value(high, x);
    }
    Ok(Some(this))
}

fn fill(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let this = a.this(vm);
    let Some(array) = vm.heap.is_kind(this, Kind::Array).then(|| this.payload()) else { return Ok(None) };
    let length = vm.heap.array_length(array);
    // `new Array(n).fill(x)`: the elements are made here.
    let empty = vm.heap.elements(array) == 0;
    if plain(vm, this).is_none() && !(empty && length <= 1 << 22 && vm.heap.shape(array) == vm.realm_cell(Realm::ARRAY_SHAPE)) {
        return Ok(None);
    }
    if vm.heap.flags(array) & (flag::NOT_EXTENSIBLE | flag::LENGTH_FIXED | flag::PROTOTYPE) != 0 || !vm.prototypes_have_no_elements(array) {
        return Ok(None);
    }
    let (Some(from), Some(to)) = (position(vm, a, 1, length, 0), position(vm, a, 2, length, length)) else { return Ok(None) };
    if from >= to {
        return Ok(Some(this));
    }
    vm.charge(u64::from((to - from) / 32))?;
    vm.heap.reserve_elements(array, length)?;
    let elements = vm.heap.elements(array);
    let value = a.get(vm, 0);
    vm.heap.mem.fill(elements + 8 + from * 8, to - from, value.0);
    Ok(Some(this))
}

// --- Texts ------------------------------------------------------------------------------------------------

/// Collects units on the host: bytes as long as they suffice, and a part of the cell's cap at most. A text that becomes longer is left to
/// the library's script, which makes it in guest memory.
pub(super) struct Builder {
    narrow: Vec<u8>,
    wide: Vec<u16>,
    is_wide: bool,
    /// Most bytes.
    most: usize,
    full: bool,
}

impl Builder {
    pub(super) fn new(vm: &Vm<'_>) -> Self {
        Self { narrow: Vec::new(), wide: Vec::new(), is_wide: false, most: vm.heap.cap as usize / 4, full: false }
    }

    /// Has it become too long? Then what it holds is of no use.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Is there room for so many units more?
    fn has_room(&mut self, units: usize) -> bool {
        let length = self.len().saturating_add(units);
        self.full |= (if self.is_wide { length.saturating_mul(2) } else { length }) > self.most;
        !self.full
    }

    pub(super) fn len(&self) -> usize {
        if self.is_wide { self.wide.len() } else { self.narrow.len() }
    }

    fn widen(&mut self) {
        if !self.is_wide {
            self.is_wide = true;
            self.wide = self.narrow.iter().map(|&byte| u16::from(byte)).collect();
        }
    }

    pub(super) fn ascii(&mut self, text: &[u8]) {
        if !self.has_room(text.len()) {
            return;
        }
        if self.is_wide {
            self.wide.extend(text.iter().map(|&byte| u16::from(byte)));
        } else {
            self.narrow.extend_from_slice(text);
        }
    }

    pub(super) fn unit(&mut self, unit: u16) {
        if !self.has_room(1) {
            return;
        }
        if !self.is_wide && unit < 256 {
            self.narrow.push(unit as u8);
        } else {
            self.widen();
            self.wide.push(unit);
        }
    }

    pub(super) fn flat(&mut self, vm: &Vm<'_>, flat: Flat) {
        if !self.has_room(flat.length as usize) {
            return;
        }
        if !flat.wide && !self.is_wide {
            vm.heap.mem.read(flat.at, flat.length, &mut self.narrow);
        } else {
            self.widen();
            self.wide.extend((0..flat.length).map(|i| vm.heap.unit(flat, i)));
        }
    }

    /// The text; `None` if it has become too long.
    pub(super) fn finish(self, vm: &mut Vm<'_>) -> Result<Option<Value>> {
        if self.full {
            return Ok(None);
        }
        let string = if self.is_wide { vm.heap.string16(&self.wide)? } else { vm.heap.string8(&self.narrow)? };
        Ok(Some(Value::string(string)))
    }
}

fn join(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some(array) = plain(vm, a.this(vm)) else { return Ok(None) };
    if let Some(text) = join_narrow(vm, a, array)? {
        return Ok(Some(text));
    }
    let separator = match a.get(vm, 0) {
        x if x.is_undefined() => None,
        x if x.is_string() => Some(vm.heap.flat(x.payload())?),
        _ => return Ok(None),
    };
    let length = vm.heap.array_length(array);
    for i in 0..length {
        let value = item(vm, array, i);
        if value.is_object() || value.is_symbol() {
            return Ok(None);
        }
    }
    let between = separator.map_or(1, |flat| flat.length);
    if u64::from(length) * u64::from(between) > u64::from(MAX_LENGTH) {
        return vm.range_error("Invalid string length");
    }
    vm.charge(u64::from(length) * (1 + u64::from(between) / 16))?;
    let mut out = Builder::new(vm);
    for i in 0..length {
        if out.is_full() {
            return Ok(None);
        }
        if i > 0 {
            match separator {
                None => out.unit(u16::from(b',')),
                Some(flat) => out.flat(vm, flat),
            }
        }
        let value = item(vm, array, i);
        if value.is_string() {
            let flat = vm.heap.flat(value.payload())?;
            if out.len() + flat.length as usize > MAX_LENGTH as usize {
                return vm.range_error("Invalid string length");
            }
            vm.charge(u64::from(flat.length / 32))?;
            out.flat(vm, flat);
        } else if let Some(n) = value.as_number() {
            number_text(&mut out, value, n);
        } else if !value.is_nullish() {
            let text = vm.to_string_primitive(value)?;
            let flat = vm.heap.flat(text)?;
            out.flat(vm, flat);
        }
    }
    out.finish(vm)
}

/// Joins narrow strings without a copy on the host's side.
fn join_narrow(vm: &mut Vm<'_>, a: Arguments, array: u32) -> Result<Option<Value>> {
    let separator = a.get(vm, 0);
    let (separator, length) =
        (if separator.is_undefined() { Value::string(atoms::character(b',')) } else { separator }, vm.heap.array_length(array));
    if !separator.is_string() || length == 0 {
        return Ok(None);
    }
    let between = vm.heap.flat(separator.payload())?;
    let mut total = u64::from(between.length) * u64::from(length - 1);
    for i in 0..length {
        let value = vm.heap.dense(array, i);
        if !value.is_string() {
            return Ok(None);
        }
        let flat = vm.heap.flat(value.payload())?;
        if flat.wide {
            return Ok(None);
        }
        total += u64::from(flat.length);
    }
    if between.wide || total > u64::from(MAX_LENGTH) {
        return Ok(None);
    }
    vm.charge(u64::from(length) + total / 32)?;
    let text = vm.heap.flat_bytes(false, total as u32)?;
    let mut at = text + 16;
    for i in 0..length {
        if i > 0 {
            vm.heap.mem.copy(between.at, at, between.length);
            at += between.length;
        }
        let part = vm.heap.dense(array, i);
        let flat = vm.heap.flat(part.payload())?;
        vm.heap.mem.copy(flat.at, at, flat.length);
        at += flat.length;
    }
    Ok(Some(Value::string(if total == 0 { atoms::EMPTY } else { text })))
}

/// A number's text.
pub(super) fn number_text(out: &mut Builder, value: Value, n: f64) {
    match value.as_int() {
        Some(i) => {
            let mut digits = [0u8; 11];
            let mut at = digits.len();
            let mut rest = i.unsigned_abs();
            loop {
                at -= 1;
                digits[at] = b'0' + (rest % 10) as u8;
                rest /= 10;
                if rest == 0 {
                    break;
                }
            }
            if i < 0 {
                at -= 1;
                digits[at] = b'-';
            }
            out.ascii(&digits[at..]);
        }
        None => out.ascii(crate::number::to_text(n).as_bytes()),
    }
}

fn from_char_code(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    if a.count == 1 {
        let Some(n) = a.get(vm, 0).as_number() else { return Ok(None) };
        let unit = crate::value::to_int32(n) as u16;
        return if unit < 256 {
            Ok(Some(Value::string(atoms::character(unit as u8))))
        } else {
            vm.heap.string16(&[unit]).map(|text| Some(Value::string(text)))
        };
    }
    let mut out = Builder::new(vm);
    for i in 0..a.count {
        let Some(n) = a.get(vm, i).as_number() else { return Ok(None) };
        out.unit(crate::value::to_int32(n) as u16);
    }
    out.finish(vm)
}

/// `this` and the first argument, both strings; no String.prototype method of that name in between.
fn two_strings(vm: &mut Vm<'_>, a: Arguments, symbol: u32) -> Result<Option<(u32, u32)>> {
    let (this, other) = (a.this(vm), a.get(vm, 0));
    if !this.is_string() || !other.is_string() {
        return Ok(None);
    }
    let proto = vm.realm_cell(Realm::STRING_PROTOTYPE);
    let pristine = untouched(vm, proto) && untouched(vm, vm.realm_cell(Realm::OBJECT_PROTOTYPE));
    if symbol != 0 && !pristine && vm.find(proto, Key::Name(symbol))?.is_some() {
        return Ok(None);
    }
    Ok(Some((this.payload(), other.payload())))
}

fn split(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some((string, separator)) = two_strings(vm, a, atoms::SYM_SPLIT)? else { return Ok(None) };
    if !a.get(vm, 1).is_undefined() {
        return Ok(None);
    }
    let (text, needle) = (vm.heap.flat(string)?, vm.heap.flat(separator)?);
    vm.charge(u64::from(text.length / 8))?;
    let mut parts = Vec::new();
    if needle.length == 0 {
        vm.heap.scratch(text.length as usize * 8)?;
        for i in 0..text.length {
            parts.push(Value::string(vm.heap.substring(string, i, i + 1)?));
        }
        return array(vm, &parts);
    }
    let mut from = 0;
    while let Some(at) = super::string::find(vm, text, needle, from)? {
        parts.push(Value::string(vm.heap.substring(string, from, at)?));
        if parts.len() & 255 == 0 {
            vm.heap.scratch(parts.len() * 16)?;
        }
        from = at + needle.length;
    }
    parts.push(Value::string(vm.heap.substring(string, from, text.length)?));
    array(vm, &parts)
}

fn replace(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some((string, pattern)) = two_strings(vm, a, atoms::SYM_REPLACE)? else { return Ok(None) };
    let replacement = a.get(vm, 1);
    if !replacement.is_string() {
        return Ok(None);
    }
    let with = vm.heap.flat(replacement.payload())?;
    if (0..with.length.min(64)).any(|i| vm.heap.unit(with, i) == u16::from(b'$')) || with.length > 64 {
        return Ok(None);
    }
    let (text, needle) = (vm.heap.flat(string)?, vm.heap.flat(pattern)?);
    let Some(at) = super::string::find(vm, text, needle, 0)? else { return Ok(Some(Value::string(string))) };
    let before = vm.heap.substring(string, 0, at)?;
    let after = vm.heap.substring(string, at + needle.length, text.length)?;
    if u64::from(text.length) + u64::from(with.length) > u64::from(MAX_LENGTH) {
        return Ok(None);
    }
    let head = vm.heap.concat(before, replacement.payload())?;
    vm.heap.concat(head, after).map(|text| Some(Value::string(text)))
}

fn string_includes(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some((string, needle)) = two_strings(vm, a, 0)? else { return Ok(None) };
    if !a.get(vm, 1).is_undefined() {
        return Ok(None);
    }
    let (text, needle) = (vm.heap.flat(string)?, vm.heap.flat(needle)?);
    Ok(Some(Value::boolean(super::string::find(vm, text, needle, 0)?.is_some())))
}

/// Does the needle stand at `at`?
fn stands(vm: &mut Vm<'_>, text: Flat, needle: Flat, at: u32) -> Result<bool> {
    vm.charge(u64::from(needle.length / 32))?;
    Ok(at.checked_add(needle.length).is_some_and(|end| end <= text.length)
        && (0..needle.length).all(|i| vm.heap.unit(text, at + i) == vm.heap.unit(needle, i)))
}

fn starts_with(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some((string, needle)) = two_strings(vm, a, 0)? else { return Ok(None) };
    let (text, needle) = (vm.heap.flat(string)?, vm.heap.flat(needle)?);
    let Some(at) = position_from(vm, a, text.length, 0) else { return Ok(None) };
    stands(vm, text, needle, at).map(|yes| Some(Value::boolean(yes)))
}

fn ends_with(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let Some((string, needle)) = two_strings(vm, a, 0)? else { return Ok(None) };
    let (text, needle) = (vm.heap.flat(string)?, vm.heap.flat(needle)?);
    let Some(end) = position_from(vm, a, text.length, text.length) else { return Ok(None) };
    match end.checked_sub(needle.length) {
        Some(at) => stands(vm, text, needle, at).map(|yes| Some(Value::boolean(yes))),
        None => Ok(Some(Value::FALSE)),
    }
}

/// The second argument as a position from the start.
fn position_from(vm: &Vm<'_>, a: Arguments, length: u32, missing: u32) -> Option<u32> {
    let x = a.get(vm, 1);
    if x.is_undefined() {
        return Some(missing);
    }
    Some(to_integer(x.as_number()?).clamp(0.0, f64::from(length)) as u32)
}
