//! Regular expressions: objects over the engine's own matcher.
//!
//! Fields of a pattern object: source (string), flags (string), program (a Raw cell, made at the first match).

use super::shortcut::Builder;
use super::{Arguments, Leaf, Native};
use crate::heap::memory::Memory;
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::{Flat, Key};
use crate::heap::{Kind, Pause, Result, Signal, atoms};
use crate::pattern::{Arena, Charge, Code, Error, Flags, Header, Limits, Refusal, Step, Text, compile, group, resume, start};
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
    leaf("lastMatch", last_part),
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

/// Bytes that a compilation may hold; its work is paid by the length of the pattern.
struct Space(u64);

impl Charge for Space {
    fn work(&mut self, _units: u64) -> std::result::Result<(), Refusal> {
        Ok(())
    }

    fn memory(&mut self, bytes: u64) -> std::result::Result<(), Refusal> {
        self.0 = self.0.checked_sub(bytes).ok_or(Refusal::Memory)?;
        Ok(())
    }
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
    // The compiler's tables lie on the host, and count as the cell's while they do.
    let used = u64::from(vm.heap.used()) + units.len() as u64 * 2;
    let mut space = Space(u64::from(vm.heap.cap).saturating_sub(used));
    match compile(&units, parsed, limits, &mut space) {
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
    vm.once(|vm| {
        let program = program(vm, source, flags)?;
        vm.heap.set_value(cell + 32, Value::object(program));
        Ok(program)
    })
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
    let from = a.get(vm, 2).as_index().unwrap_or(0);
    let sticky = a.get(vm, 3) == Value::TRUE;
    let (pattern, text) = (a.get(vm, 0), a.get(vm, 1));
    let Some(groups) = find(vm, pattern, text, from, sticky)? else { return Ok(Value::NULL) };
    let list: Vec<Value> = groups
        .into_iter()
        .flat_map(|group| match group {
            Some((start, end)) => [Value::unsigned(start), Value::unsigned(end)],
            None => [Value::int(-1), Value::int(-1)],
        })
        .collect();
    vm.array_of(&list).map(Value::object)
}

/// Where a group matched, if it took part.
type Group = Option<(u32, u32)>;

/// Looks for a match from `from` on: the groups, the whole match first.
fn find(vm: &mut Vm<'_>, pattern: Value, text: Value, from: u32, sticky: bool) -> Result<Option<Vec<Group>>> {
    let memory = last_match(vm)?;
    let program = ready(vm, pattern)?;
    let flat = vm.once(|vm| vm.heap.flat(text.payload()))?;
    let code = words(vm, program);
    let mut store = Arena::new(vm.heap.cap.saturating_sub(vm.heap.used()) / 4);
    let mut fuel = u64::try_from(vm.held()).unwrap_or(0);
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
            let groups: Vec<Group> = (0..groups).map(|i| group(&store, i, flat.length)).collect();
            remember(vm, memory, text, &groups);
            Ok(Some(groups))
        }
        Step::Failed => Ok(None),
        Step::OutOfFuel => {
            vm.fuel = vm.fuel.saturating_add((before - fuel) as i64);
            Err(Signal::Stop(Pause::Fuel))
        }
        Step::OutOfMemory => Err(Signal::Collect(vm.heap.cap)),
        Step::Corrupt => Err(Signal::Stop(Pause::Internal)),
    }
}

/// Groups of the last match that `RegExp.$1` and its like tell of, the whole match and the last group among them.
const REMEMBERED: u32 = 11;

/// The cell that holds the last match: its text, then start and end of its groups.
fn last_match(vm: &mut Vm<'_>) -> Result<u32> {
    let known = vm.realm(Realm::LAST_MATCH);
    if known.is_object_cell() {
        return Ok(known.payload());
    }
    vm.once(|vm| {
        let cell = vm.heap.values(Kind::Slots, 1 + REMEMBERED * 2, Value::UNDEFINED)?;
        vm.set_realm(Realm::LAST_MATCH, Value::object(cell));
        Ok(cell)
    })
}

fn remember(vm: &Vm<'_>, cell: u32, text: Value, groups: &[Group]) {
    vm.heap.set_value(cell + 8, text);
    let last = if groups.len() > 1 { groups.last() } else { None };
    let groups = (0..REMEMBERED as usize - 1).map(|i| groups.get(i)).chain([last]);
    for (i, group) in groups.enumerate() {
        let at = cell + 16 + i as u32 * 16;
        let (start, end) = match group {
            Some(&Some((start, end))) => (Value::unsigned(start), Value::unsigned(end)),
            _ => (Value::UNDEFINED, Value::UNDEFINED),
        };
        vm.heap.set_value(at, start);
        vm.heap.set_value(at + 8, end);
    }
}

/// (which): a part of the last match: 0 all of it, 1 to 9 a group, 10 the last group, 11 the text, 12 what is left of the match, 13 what is right of it.
fn last_part(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let cell = last_match(vm)?;
    let text = vm.heap.value(cell + 8);
    if !text.is_string() {
        return Ok(Value::string(atoms::EMPTY));
    }
    let place = |vm: &Vm<'_>, group: u32, end: u32| vm.heap.value(cell + 16 + group * 16 + end * 8).as_number().map(|n| n as u32);
    let length = vm.heap.string_length(text.payload());
    let which = a.get(vm, 0).as_index().unwrap_or(0);
    let (start, end) = match which {
        0..REMEMBERED => (place(vm, which, 0), place(vm, which, 1)),
        11 => return Ok(text),
        12 => (Some(0), place(vm, 0, 0)),
        _ => (place(vm, 0, 1), Some(length)),
    };
    let end = end.unwrap_or(0).min(length);
    vm.heap.substring(text.payload(), start.unwrap_or(0).min(end), end).map(Value::string)
}

/// RegExpBuiltinExec of a pattern without named groups and indices whose lastIndex is a plain small number. The outer `None`:
/// it is not so; the inner one: no match.
fn builtin(vm: &mut Vm<'_>, pattern: Value, text: Value) -> Result<Option<Option<Vec<Group>>>> {
    if !vm.heap.is_kind(pattern, Kind::Pattern) || !text.is_string() {
        return Ok(None);
    }
    let flags = vm.heap.value(pattern.payload() + 24).payload();
    let (mut global, mut sticky) = (false, false);
    for i in 0..vm.heap.string_length(flags).min(8) {
        match vm.heap.unit_of_flat(flags, i).map(u32::from).and_then(char::from_u32) {
            Some('g') => global = true,
            Some('y') => sticky = true,
            Some('d') | None => return Ok(None),
            _ => {}
        }
    }
    let own = vm.heap.own(pattern.payload(), Key::Name(atoms::LAST_INDEX));
    let Own::Data { address, attributes: attribute::WRITABLE } = own else { return Ok(None) };
    let Some(last) = vm.heap.value(address).as_int().filter(|&last| last >= 0) else { return Ok(None) };
    let program = ready(vm, pattern)?;
    if Header(words(vm, program)).names().next().is_some() {
        return Ok(None);
    }
    let from = if global || sticky { last as u32 } else { 0 };
    let found = if from > vm.heap.string_length(text.payload()) { None } else { find(vm, pattern, text, from, sticky)? };
    Ok(Some(found))
}

/// Sets lastIndex as a match or its failure asks for: the last step, after all that may want room.
fn move_on(vm: &mut Vm<'_>, pattern: Value, found: Option<(u32, u32)>) {
    let flags = vm.heap.value(pattern.payload() + 24).payload();
    let letters = (0..vm.heap.string_length(flags).min(8)).filter_map(|i| vm.heap.unit_of_flat(flags, i));
    if letters.into_iter().any(|letter| letter == u16::from(b'g') || letter == u16::from(b'y'))
        && let Own::Data { address, .. } = vm.heap.own(pattern.payload(), Key::Name(atoms::LAST_INDEX))
    {
        vm.heap.set_value(address, Value::unsigned(found.map_or(0, |(_, end)| end)));
    }
}

/// The result array of exec, or null.
fn result(vm: &mut Vm<'_>, pattern: Value, text: Value) -> Result<Option<Value>> {
    let Some(found) = builtin(vm, pattern, text)? else { return Ok(None) };
    let Some(groups) = found else {
        move_on(vm, pattern, None);
        return Ok(Some(Value::NULL));
    };
    let mut list = Vec::with_capacity(groups.len());
    for group in &groups {
        list.push(match group {
            Some((start, end)) => Value::string(vm.heap.substring(text.payload(), *start, *end)?),
            None => Value::UNDEFINED,
        });
    }
    let array = vm.array_of(&list)?;
    let slots = vm.heap.values(Kind::Slots, 3, Value::UNDEFINED)?;
    vm.heap.mem.store_u32(array + 8, slots);
    let whole = groups.first().copied().flatten();
    let start = whole.map_or(0, |(start, _)| start);
    for (name, value) in [(atoms::INDEX, Value::unsigned(start)), (atoms::INPUT, text), (atoms::GROUPS, Value::UNDEFINED)] {
        vm.heap.add(array, Key::Name(name), value, attribute::PLAIN)?;
    }
    move_on(vm, pattern, whole);
    Ok(Some(Value::object(array)))
}

/// Is `exec` of the pattern the library's?
fn exec_is_intrinsic(vm: &mut Vm<'_>, pattern: Value) -> Result<bool> {
    if !vm.heap.is_kind(pattern, Kind::Pattern) {
        return Ok(false);
    }
    match vm.find(pattern.payload(), Key::Name(atoms::EXEC))? {
        Some((_, Own::Data { address, .. })) => {
            let exec = vm.heap.value(address);
            Ok(super::shortcut::is_intrinsic(vm, exec, "REGEXP_PROTOTYPE", "exec"))
        }
        _ => Ok(false),
    }
}

/// Shortcut of `%patternBuiltinExec(pattern, text)`.
pub(super) fn builtin_exec(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text) = (a.get(vm, 0), a.get(vm, 1));
    result(vm, pattern, text)
}

/// Shortcut of `pattern.exec(text)`.
pub(super) fn builtin_exec_method(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text) = (a.this(vm), a.get(vm, 0));
    result(vm, pattern, text)
}

/// Shortcut of `%patternExec(pattern, text)`.
pub(super) fn exec_or_none(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text) = (a.get(vm, 0), a.get(vm, 1));
    if exec_is_intrinsic(vm, pattern)? { result(vm, pattern, text) } else { Ok(None) }
}

/// Shortcut of `pattern.test(text)`.
pub(super) fn test(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text) = (a.this(vm), a.get(vm, 0));
    if !exec_is_intrinsic(vm, pattern)? {
        return Ok(None);
    }
    let Some(found) = builtin(vm, pattern, text)? else { return Ok(None) };
    let whole = found.as_ref().and_then(|groups| groups.first().copied().flatten());
    move_on(vm, pattern, whole);
    Ok(Some(Value::boolean(found.is_some())))
}

/// A pattern whose methods and flags are the library's own, and what it is: global, sticky, by code points.
fn pristine(vm: &Vm<'_>, pattern: Value) -> Option<(bool, bool, bool)> {
    if !vm.heap.is_kind(pattern, Kind::Pattern) {
        return None;
    }
    let (object, proto) = (pattern.payload(), vm.realm_cell(Realm::REGEXP_PROTOTYPE));
    let constructor = vm.class(Realm::REGEXP_PROTOTYPE as u32);
    let shape = vm.heap.shape(object);
    if vm.heap.proto(object) != proto
        || vm.heap.is_dictionary(shape)
        || vm.heap.shape_count(shape) != 1
        || !super::shortcut::untouched(vm, proto)
        || !constructor.is_object_cell()
        || !super::shortcut::untouched(vm, constructor.payload())
    {
        return None;
    }
    let flags = vm.heap.value(object + 24).payload();
    let has = |letter: u8| (0..vm.heap.string_length(flags).min(8)).any(|i| vm.heap.unit_of_flat(flags, i) == Some(u16::from(letter)));
    Some((has(b'g'), has(b'y'), has(b'u') || has(b'v')))
}

/// All matches of a pattern from the start, as a global one finds them; `None` if only script can tell.
fn all_matches(vm: &mut Vm<'_>, pattern: Value, text: Value) -> Result<Option<Vec<Vec<Group>>>> {
    let program = ready(vm, pattern)?;
    if Header(words(vm, program)).names().next().is_some() {
        return Ok(None);
    }
    let length = vm.heap.string_length(text.payload());
    let (mut from, mut all, mut held) = (0, Vec::new(), 0u64);
    while from <= length {
        let Some(groups) = find(vm, pattern, text, from, false)? else { break };
        let Some((start, end)) = groups.first().copied().flatten() else { break };
        from = if end == start { end + 1 } else { end };
        held += 48 + groups.len() as u64 * 12;
        if held > u64::from(vm.heap.cap / 4) {
            return Ok(None);
        }
        vm.heap.debt += 4;
        all.push(groups);
    }
    Ok(Some(all))
}

/// Shortcut of `pattern[Symbol.replace](text, replacement)` with a text as replacement.
pub(super) fn replace_method(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text, replacement) = (a.this(vm), a.get(vm, 0), a.get(vm, 1));
    let Some((true, false, false)) = pristine(vm, pattern) else { return Ok(None) };
    if !text.is_string() || !replacement.is_string() {
        return Ok(None);
    }
    let Some(all) = all_matches(vm, pattern, text)? else { return Ok(None) };
    let (source, with) = (vm.heap.flat(text.payload())?, vm.heap.flat(replacement.payload())?);
    let part = |from: u32, to: u32| Flat {
        at: source.at.wrapping_add(from << u32::from(source.wide)),
        length: to.saturating_sub(from),
        wide: source.wide,
    };
    let simple = (0..with.length).all(|i| vm.heap.unit(with, i) != u16::from(b'$'));
    let mut out = Builder::new(vm);
    let mut next = 0;
    for groups in &all {
        let (start, end) = groups.first().copied().flatten().unwrap_or_default();
        out.flat(vm, part(next, start));
        if simple {
            out.flat(vm, with);
        } else {
            substitute(vm, &mut out, with, groups, source, &part);
        }
        next = end;
        vm.heap.debt += u64::from(with.length / 16);
        if out.is_full() {
            return Ok(None);
        }
    }
    out.flat(vm, part(next, source.length));
    vm.charge(out.len() as u64 / 32)?;
    let Some(result) = out.finish(vm)? else { return Ok(None) };
    move_on(vm, pattern, None);
    Ok(Some(result))
}

/// GetSubstitution without named groups.
fn substitute(vm: &Vm<'_>, out: &mut Builder, with: Flat, groups: &[Group], source: Flat, part: &impl Fn(u32, u32) -> Flat) {
    let (start, end) = groups.first().copied().flatten().unwrap_or_default();
    let unit = |i: u32| if i < with.length { u32::from(vm.heap.unit(with, i)) } else { 0 };
    let digit = |i: u32| char::from_u32(unit(i)).and_then(|c| c.to_digit(10));
    let mut i = 0;
    while i < with.length && !out.is_full() {
        if unit(i) != u32::from(b'$') {
            out.unit(unit(i) as u16);
            i += 1;
            continue;
        }
        match char::from_u32(unit(i + 1)) {
            Some('$') => out.unit(u16::from(b'$')),
            Some('&') => out.flat(vm, part(start, end)),
            Some('`') => out.flat(vm, part(0, start)),
            Some('\'') => out.flat(vm, part(end, source.length)),
            Some('0'..='9') => {
                let one = digit(i + 1).unwrap_or(0) as usize;
                let two = digit(i + 2).map(|second| one * 10 + second as usize);
                let (number, used) = match two {
                    Some(two) if (1..groups.len()).contains(&two) => (two, 3),
                    _ => (one, 2),
                };
                if (1..groups.len()).contains(&number) {
                    if let Some((from, to)) = groups[number] {
                        out.flat(vm, part(from, to));
                    }
                } else {
                    out.unit(u16::from(b'$'));
                    i += 1;
                    continue;
                }
                i += used;
                continue;
            }
            _ => {
                out.unit(u16::from(b'$'));
                i += 1;
                continue;
            }
        }
        i += 2;
    }
}

/// Shortcut of `pattern[Symbol.match](text)`.
pub(super) fn match_method(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text) = (a.this(vm), a.get(vm, 0));
    if !text.is_string() {
        return Ok(None);
    }
    match pristine(vm, pattern) {
        Some((false, ..)) => return result(vm, pattern, text),
        Some((true, false, false)) => {}
        _ => return Ok(None),
    }
    let Some(all) = all_matches(vm, pattern, text)? else { return Ok(None) };
    let mut list = Vec::with_capacity(all.len());
    for groups in &all {
        let (start, end) = groups.first().copied().flatten().unwrap_or_default();
        list.push(Value::string(vm.heap.substring(text.payload(), start, end)?));
    }
    let answer = if list.is_empty() { Value::NULL } else { Value::object(vm.array_of(&list)?) };
    move_on(vm, pattern, None);
    Ok(Some(answer))
}

/// Shortcut of `pattern[Symbol.split](text)`.
pub(super) fn split_method(vm: &mut Vm<'_>, a: Arguments) -> Result<Option<Value>> {
    let (pattern, text) = (a.this(vm), a.get(vm, 0));
    let Some((_, false, false)) = pristine(vm, pattern) else { return Ok(None) };
    if !text.is_string() || !a.get(vm, 1).is_undefined() {
        return Ok(None);
    }
    let length = vm.heap.string_length(text.payload());
    let mut parts = Vec::new();
    if length == 0 {
        if find(vm, pattern, text, 0, true)?.is_none() {
            parts.push(text);
        }
        return vm.array_of(&parts).map(|list| Some(Value::object(list)));
    }
    // First where the parts lie, then the parts: a search that stops for fuel has left nothing behind.
    let mut places: Vec<Group> = Vec::new();
    let (mut last, mut from) = (0, 0);
    while from < length {
        let Some(groups) = find(vm, pattern, text, from, false)? else { break };
        let Some((start, end)) = groups.first().copied().flatten() else { break };
        if start >= length {
            break;
        }
        if end == last {
            from = start + 1;
            continue;
        }
        places.push(Some((last, start)));
        places.extend(&groups[1..]);
        if places.len() * (size_of::<Group>() + size_of::<Value>()) > vm.heap.cap as usize {
            return Ok(None);
        }
        vm.heap.debt += 4;
        last = end;
        from = if end == start { end + 1 } else { end };
    }
    places.push(Some((last, length)));
    for place in places {
        parts.push(match place {
            Some((from, to)) => Value::string(vm.heap.substring(text.payload(), from, to)?),
            None => Value::UNDEFINED,
        });
    }
    vm.array_of(&parts).map(|list| Some(Value::object(list)))
}

fn run<T: Text>(code: Words<'_>, text: T, from: u32, sticky: bool, store: &mut Arena, fuel: &mut u64) -> Step {
    if !start(code, text, from, sticky, store) {
        return Step::OutOfMemory;
    }
    resume(code, text, store, fuel)
}
