//! Regular expressions: objects over the engine's own matcher.
//!
//! Fields of a pattern object: source (string), flags (string), program (a Raw cell, made at the first match).

use super::{Arguments, Leaf, Native};
use crate::heap::memory::Memory;
use crate::heap::shape::attribute;
use crate::heap::string::{Flat, Key};
use crate::heap::{Kind, Pause, Result, Signal, atoms};
use crate::pattern::{Arena, Code, Error, Flags, Free, Header, Limits, Refusal, Step, Text, compile, group, resume, start};
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm};

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    leaf("isPattern", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Pattern)))),
    leaf("newPattern", |vm, a| {
        // (prototype, source, flags): checks both.
        let proto = vm.object_cell(a.get(vm, 0))?;
        let (source, flags) = (a.get(vm, 1), a.get(vm, 2));
        let program = program(vm, source.payload(), flags.payload())?;
        let object = make(vm, proto, source, flags)?;
        vm.heap.set_value(object.payload() + 32, Value::object(program));
        Ok(object)
    }),
    leaf("patternInit", |vm, a| {
        // (pattern, source, flags): compiles it anew.
        let (object, source, flags) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2));
        let program = program(vm, source.payload(), flags.payload())?;
        for (i, value) in [source, flags, Value::object(program)].into_iter().enumerate() {
            vm.heap.set_value(object.payload() + 16 + i as u32 * 8, value);
        }
        Ok(object)
    }),
    leaf("patternMatch", exec),
    leaf("patternNames", |vm, a| {
        // (pattern): a list of group number and name by turns.
        let program = ready(vm, a.get(vm, 0))?;
        let names: Vec<(u32, Vec<u16>)> = Header(words(vm, program)).names().collect();
        let mut list = Vec::new();
        for (number, name) in names {
            list.push(Value::int(number as i32));
            list.push(Value::string(vm.heap.string16(&name)?));
        }
        vm.array_of(&list).map(Value::object)
    }),
    leaf("patternSource", |vm, a| {
        // (text): as it stands between slashes.
        let units = vm.heap.units(a.get(vm, 0).payload())?;
        if units.is_empty() {
            return vm.heap.string("(?:)").map(Value::string);
        }
        let mut out = Vec::with_capacity(units.len());
        let (mut class, mut i) = (false, 0);
        while i < units.len() {
            let unit = units[i];
            match unit {
                0x5c if i + 1 < units.len() && !matches!(units[i + 1], 0x0a | 0x0d | 0x2028 | 0x2029) => {
                    out.push(unit);
                    i += 1;
                    out.push(units[i]);
                }
                0x5b => {
                    class = true;
                    out.push(unit);
                }
                0x5d => {
                    class = false;
                    out.push(unit);
                }
                0x2f if !class => out.extend([0x5c, 0x2f]),
                0x0a => out.extend([0x5c, 0x6e]),
                0x0d => out.extend([0x5c, 0x72]),
                0x2028 | 0x2029 => out.extend(format!("\\u{unit:04x}").encode_utf16()),
                _ => out.push(unit),
            }
            i += 1;
        }
        vm.heap.string16(&out).map(Value::string)
    }),
];

fn make(vm: &mut Vm<'_>, proto: u32, source: Value, flags: Value) -> Result<Value> {
    let shape = vm.heap.root_shape(proto, Kind::Pattern, 2)?;
    let object = vm.heap.object(Kind::Pattern, shape)?;
    vm.heap.set_value(object + 16, source);
    vm.heap.set_value(object + 24, flags);
    vm.heap.set_value(object + 32, Value::UNDEFINED);
    vm.heap.add(object, Key::Name(atoms::LAST_INDEX), Value::ZERO, attribute::WRITABLE)?;
    Ok(Value::object(object))
}

/// The object of a literal; its text was checked with the source it stands in.
pub(crate) fn new(vm: &mut Vm<'_>, source: Value, flags: Value) -> Result<Value> {
    let proto = vm.realm_cell(Realm::REGEXP_PROTOTYPE);
    make(vm, proto, source, flags)
}

/// Compiles; a Raw cell of the program's words.
fn program(vm: &mut Vm<'_>, source: u32, flags: u32) -> Result<u32> {
    let units = vm.heap.units(source)?;
    let letters = vm.heap.units(flags)?;
    vm.charge(units.len() as u64)?;
    let Some(parsed) = Flags::parse(letters.iter().copied()) else {
        let text = String::from_utf16_lossy(&letters);
        return vm.fail(Fault::Syntax, &format!("Invalid flags supplied to RegExp constructor '{text}'"));
    };
    let room = vm.heap.cap.saturating_sub(vm.heap.used()) / 4;
    let limits = Limits { program: (1 << 22).min(room.max(1024)), ..Limits::default() };
    match compile(&units, parsed, limits, &mut Free) {
        Ok(program) => {
            let words = program.words();
            let cell = vm.heap.raw(words.len() as u32 * 4)?;
            for (i, &word) in words.iter().enumerate() {
                vm.heap.mem.store_u32(cell + 8 + i as u32 * 4, word);
            }
            Ok(cell)
        }
        Err(Error::Refused(Refusal::Memory)) => Err(Signal::Collect(room)),
        Err(error) => {
            let message = error.message(&units, parsed).unwrap_or_default();
            vm.fail(Fault::Syntax, &message)
        }
    }
}

/// The program of a pattern object, compiled if need be.
fn ready(vm: &mut Vm<'_>, object: Value) -> Result<u32> {
    let cell = object.payload();
    let known = vm.heap.value(cell + 32);
    if known.is_object_cell() {
        return Ok(known.payload());
    }
    let (source, flags) = (vm.heap.value(cell + 16).payload(), vm.heap.value(cell + 24).payload());
    let program = program(vm, source, flags)?;
    vm.heap.set_value(cell + 32, Value::object(program));
    Ok(program)
}

/// A program in guest memory.
#[derive(Clone, Copy)]
struct Words<'a> {
    mem: Memory<'a>,
    at: u32,
    count: u32,
}

impl Code for Words<'_> {
    #[inline(always)]
    fn word(self, index: u32) -> u32 {
        if index < self.count { self.mem.load_u32(self.at + index * 4) } else { 0 }
    }
}

fn words<'a>(vm: &Vm<'a>, program: u32) -> Words<'a> {
    Words { mem: vm.heap.mem, at: program + 8, count: vm.heap.high(program) / 4 }
}

/// A text in guest memory.
#[derive(Clone, Copy)]
struct Units<'a, const W: bool> {
    mem: Memory<'a>,
    flat: Flat,
}

impl<const W: bool> Text for Units<'_, W> {
    const WIDE: bool = W;

    fn len(self) -> u32 {
        self.flat.length
    }

    #[inline(always)]
    fn unit(self, index: u32) -> u32 {
        if index >= self.flat.length {
            0
        } else if W {
            u32::from(self.mem.load_u16(self.flat.at.wrapping_add(index * 2)))
        } else {
            u32::from(self.mem.load_u8(self.flat.at.wrapping_add(index)))
        }
    }
}

/// (pattern, text, from, sticky): null, or the groups' starts and ends by turns, -1 for those that took no part.
fn exec(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let program = ready(vm, a.get(vm, 0))?;
    let flat = vm.heap.flat(a.get(vm, 1).payload())?;
    let from = a.get(vm, 2).as_index().unwrap_or(0);
    let sticky = a.get(vm, 3) == Value::TRUE;
    let code = words(vm, program);
    let mut store = Arena::new(vm.heap.cap.saturating_sub(vm.heap.used()) / 4);
    let mut fuel = u64::try_from(vm.fuel.max(0).saturating_add(vm.reserve)).unwrap_or(0);
    let before = fuel;
    let mem = vm.heap.mem;
    let step = if flat.wide {
        run(code, Units::<true> { mem, flat }, from, sticky, &mut store, &mut fuel)
    } else {
        run(code, Units::<false> { mem, flat }, from, sticky, &mut store, &mut fuel)
    };
    vm.fuel = vm.fuel.saturating_sub((before - fuel) as i64);
    match step {
        Step::Matched => {
            let groups = Header(code).groups();
            let list: Vec<Value> = (0..groups)
                .flat_map(|i| match group(&store, i, flat.length) {
                    Some((start, end)) => [Value::unsigned(start), Value::unsigned(end)],
                    None => [Value::int(-1), Value::int(-1)],
                })
                .collect();
            vm.array_of(&list).map(Value::object)
        }
        Step::Failed => Ok(Value::NULL),
        Step::OutOfFuel => {
            vm.fuel = vm.fuel.saturating_add((before - fuel) as i64);
            Err(Signal::Stop(Pause::Fuel))
        }
        Step::OutOfMemory => Err(Signal::Collect(vm.heap.cap)),
        Step::Corrupt => Err(Signal::Stop(Pause::Internal)),
    }
}

fn run<T: Text>(code: Words<'_>, text: T, from: u32, sticky: bool, store: &mut Arena, fuel: &mut u64) -> Step {
    if !start(code, text, from, sticky, store) {
        return Step::OutOfMemory;
    }
    resume(code, text, store, fuel)
}
