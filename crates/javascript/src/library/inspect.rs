//! Values as people read them: what `console.log` prints, as node's `util.inspect` does by default.
//!
//! Looks only: getters are named, not called, and proxies are looked through. Depth, entries and the size of the whole are
//! bounded, so the host's stack and memory are too.

use std::collections::BTreeMap;

mod layout;

use self::layout::{escaped, is_identifier, more, plural, prefix, quoted, width};
use super::Native;
use crate::bytecode::function_flag;
use crate::heap::object::Own;
use crate::heap::shape::attribute;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result, Signal, atoms};
use crate::number;
use crate::value::Value;
use crate::vm::{Realm, Vm};

/// Columns that entries on one line may fill.
const WIDTH: usize = 80;
/// Entries of arrays and collections that are shown.
const ENTRIES: usize = 100;
/// Units of a string that are shown inside something else.
const STRING: usize = 10_000;
/// Nested deeper than this, whatever was asked for, is named only: the host's stack.
const DEEPEST: i32 = 64;
/// Bytes of text made at most, with all its parts.
const LARGEST: usize = 16 << 20;

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

pub(super) const NATIVES: &[Native] = &[
    // (value, depth, hidden properties too, entries shown, one line however long, answers): the text; or, for objects that say
    // themselves how they are shown, an array of such objects, their methods and depths, three by three. The answers are
    // objects and what their methods said, two by two.
    leaf("inspectWith", |vm, a| {
        let number = |vm: &Vm<'_>, i: u32, missing: i32| a.get(vm, i).as_int().unwrap_or(missing);
        let mut options =
            Options { depth: number(vm, 1, 2).min(DEEPEST), entries: number(vm, 3, ENTRIES as i32) as usize, ..Options::default() };
        options.hidden = a.get(vm, 2) == Value::TRUE;
        if a.get(vm, 4) == Value::TRUE {
            options.width = usize::MAX / 4;
        }
        let mut custom = Custom { symbol: vm.custom_symbol()?, ..Custom::default() };
        let answers = a.get(vm, 5);
        if vm.heap.is_kind(answers, Kind::Array) {
            for i in 0..vm.heap.array_length(answers.payload()) / 2 {
                let object = vm.heap.dense(answers.payload(), i * 2);
                custom.answers.insert(object.0, vm.heap.dense(answers.payload(), i * 2 + 1));
            }
        }
        let (text, asked) = inspect(vm, a.get(vm, 0), options, custom)?;
        vm.charge(text.len() as u64 / 8)?;
        if asked.is_empty() { vm.heap.string(&text).map(Value::string) } else { vm.array_of(&asked).map(Value::object) }
    }),
    leaf("width", |vm, a| {
        let text = vm.to_string_primitive(a.get(vm, 0))?;
        let text = vm.heap.text(text)?;
        Ok(Value::int(width(&text) as i32))
    }),
];

/// How to show a value.
#[derive(Clone, Copy, Debug)]
struct Options {
    depth: i32,
    hidden: bool,
    entries: usize,
    width: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { depth: 2, hidden: false, entries: ENTRIES, width: WIDTH }
    }
}

/// A value as the prompt shows it; none when there is no room to find out.
pub(crate) fn show(vm: &mut Vm<'_>, value: Value) -> Option<String> {
    inspect(vm, value, Options::default(), Custom::default()).ok().map(|(text, _)| text)
}

/// Objects with a method under the symbol `nodejs.util.inspect.custom`, which says how they are shown. Only script can call it.
#[derive(Default)]
struct Custom {
    /// The symbol's cell, 0 if nobody has asked for it or it is not looked for.
    symbol: u32,
    /// What methods have answered, by object.
    answers: BTreeMap<u64, Value>,
    /// Objects whose answer is wanted, methods, depths.
    asked: Vec<Value>,
}

fn inspect(vm: &mut Vm<'_>, value: Value, options: Options, custom: Custom) -> Result<(String, Vec<Value>)> {
    // Parts of a text are put together more than once.
    let left = LARGEST.min(vm.heap.cap as usize / 3);
    let mut inspector = Inspector { vm, options, custom, indent: 0, seen: Vec::new(), circular: Vec::new(), current: 0, left };
    let text = inspector.value(value, 0, false)?;
    Ok((text, inspector.custom.asked))
}

/// What the entries of an object are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extras {
    Object,
    Array,
}

struct Inspector<'v, 'a> {
    vm: &'v mut Vm<'a>,
    options: Options,
    custom: Custom,
    indent: usize,
    /// Objects that are being shown, outermost first.
    seen: Vec<u32>,
    /// Those met again inside themselves, in order.
    circular: Vec<u32>,
    current: i32,
    /// Bytes of text that may still be made.
    left: usize,
}

/// What an object without a prototype is called.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Array => "Array",
        Kind::Function | Kind::NativeFunction | Kind::BoundFunction | Kind::HostObject => "Function",
        Kind::Error => "Error",
        Kind::Date => "Date",
        Kind::Pattern => "RegExp",
        Kind::Map => "Map",
        Kind::Set => "Set",
        Kind::WeakMap => "WeakMap",
        Kind::WeakSet => "WeakSet",
        Kind::WeakRef => "WeakRef",
        Kind::Promise => "Promise",
        Kind::ArrayBuffer => "ArrayBuffer",
        Kind::DataView => "DataView",
        Kind::Namespace => "Module",
        _ => "Object",
    }
}

impl Inspector<'_, '_> {
    /// Counts text that was made.
    fn made(&mut self, text: String) -> Result<String> {
        match self.left.checked_sub(text.len() + 16) {
            Some(left) => {
                self.left = left;
                Ok(text)
            }
            None => Err(Signal::Stop(Pause::Output)),
        }
    }

    /// A property's value if that takes no call.
    fn data(&mut self, cell: u32, key: Key) -> Result<Option<Value>> {
        Ok(match self.vm.find(cell, key)? {
            Some((_, Own::Data { address, .. })) => Some(self.vm.heap.value(address)),
            Some((_, Own::Virtual { value, .. })) => Some(value),
            _ => None,
        })
    }

    fn text_of(&mut self, value: Option<Value>) -> Result<Option<String>> {
        match value {
            Some(value) if value.is_string() => self.vm.heap.text(value.payload()).map(Some),
            _ => Ok(None),
        }
    }

    fn own(&mut self, cell: u32, key: Key) -> Result<Own> {
        if matches!(key, Key::Name(atoms::NAME | atoms::LENGTH | atoms::PROTOTYPE)) {
            self.vm.materialise(cell)?;
        }
        Ok(self.vm.heap.own(cell, key))
    }

    /// The name of the constructor that made an object, as far as its prototypes tell; none without a prototype.
    fn constructor(&mut self, cell: u32) -> Result<Option<String>> {
        let mut at = cell;
        for _ in 0..1000 {
            if at == 0 {
                break;
            }
            if let Own::Data { address, .. } = self.own(at, Key::Name(atoms::CONSTRUCTOR))? {
                let maker = self.vm.heap.value(address);
                if self.vm.is_callable(maker) {
                    let maker = self.vm.object_cell(maker)?;
                    let name = self.data(maker, Key::Name(atoms::NAME))?;
                    let name = self.text_of(name)?.unwrap_or_default();
                    let prototype = self.data(maker, Key::Name(atoms::PROTOTYPE))?;
                    if !name.is_empty() && prototype.is_some_and(|prototype| self.inherits(cell, prototype)) {
                        return Ok(Some(name));
                    }
                }
            }
            at = self.vm.heap.proto(at);
        }
        let proto = self.vm.heap.proto(cell);
        if proto == 0 {
            return Ok(None);
        }
        let inner = if self.seen.len() < 8 { self.constructor_of_prototype(proto)? } else { "Complex prototype".to_owned() };
        Ok(Some(format!("{} <{inner}>", kind_name(self.vm.heap.kind(cell)))))
    }

    fn constructor_of_prototype(&mut self, proto: u32) -> Result<String> {
        let mut at = proto;
        let mut depth = 0;
        while at != 0 && depth < 100 {
            at = self.vm.heap.proto(at);
            depth += 1;
        }
        if self.vm.heap.proto(proto) == 0 { Ok("[Object: null prototype] {}".to_owned()) } else { Ok("Complex prototype".to_owned()) }
    }

    fn inherits(&self, cell: u32, prototype: Value) -> bool {
        let mut at = self.vm.heap.proto(cell);
        for _ in 0..1000 {
            if at == 0 {
                return false;
            }
            if prototype.is_object_cell() && prototype.payload() == at {
                return true;
            }
            at = self.vm.heap.proto(at);
        }
        false
    }

    fn tag(&mut self, cell: u32) -> Result<String> {
        let key = Key::Name(atoms::SYM_TO_STRING_TAG);
        if self.vm.heap.is(cell, Kind::TypedArray) {
            return Ok(super::typed::name_of(self.vm, cell).to_owned());
        }
        if let Own::Data { attributes, .. } = self.vm.heap.own(cell, key)
            && (self.options.hidden || attributes & attribute::ENUMERABLE != 0)
        {
            return Ok(String::new());
        }
        let value = self.data(cell, key)?;
        Ok(self.text_of(value)?.unwrap_or_default())
    }

    fn primitive(&mut self, value: Value, whole: bool) -> Result<String> {
        if value.is_string() {
            let mut text = self.vm.heap.units(value.payload())?;
            let cut = text.len().saturating_sub(STRING);
            text.truncate(STRING);
            let trailer = if cut > 0 { format!("... {cut} more character{}", plural(cut)) } else { String::new() };
            self.vm.heap.debt += text.len() as u64 / 16;
            let newline = u16::from(b'\n');
            if !whole && text.len() > 16 && text.len() > self.options.width.saturating_sub(self.indent + 4) && text.contains(&newline) {
                let parts: Vec<String> = text.split_inclusive(|&unit| unit == newline).map(quoted).collect();
                return self.made(format!("{}{trailer}", parts.join(&format!(" +\n{}", " ".repeat(self.indent + 2)))));
            }
            return self.made(format!("{}{trailer}", quoted(&text)));
        }
        if let Some(n) = value.as_number() {
            return Ok(if n == 0.0 && n.is_sign_negative() { "-0".to_owned() } else { number::to_text(n) });
        }
        if value.is_bigint() {
            let text = self.vm.to_string_primitive(value)?;
            let text = self.vm.heap.text(text)?;
            return self.made(format!("{text}n"));
        }
        if value.is_symbol() {
            let description = self.vm.heap.mem.load_u32(value.payload() + 12);
            let text = if description == 0 { String::new() } else { self.vm.heap.text(description)? };
            return self.made(format!("Symbol({text})"));
        }
        Ok(if value.is_boolean() {
            if value == Value::TRUE { "true" } else { "false" }
        } else if value == Value::NULL {
            "null"
        } else {
            "undefined"
        }
        .to_owned())
    }

    /// A symbol as a key.
    fn symbol(&mut self, name: u32) -> Result<String> {
        let description = self.vm.heap.mem.load_u32(name + 12);
        let text = if description == 0 { Vec::new() } else { self.vm.heap.units(description)? };
        self.made(format!("Symbol({})", escaped(&text, '\0')))
    }

    /// Any value. `inside_buffer`: shown as the part of a view.
    fn value(&mut self, value: Value, level: i32, inside_buffer: bool) -> Result<String> {
        if !value.is_object() {
            return self.primitive(value, false);
        }
        let mut cell = self.vm.object_cell(value)?;
        for _ in 0..100 {
            if !self.vm.heap.is(cell, Kind::Proxy) {
                break;
            }
            if self.vm.heap.value(cell + 24) == Value::NULL {
                return Ok("<Revoked Proxy>".to_owned());
            }
            let target = self.vm.heap.value(cell + 16);
            let boxes = self.vm.heap.value(cell + 32);
            if self.vm.heap.is_kind(boxes, Kind::Map) {
                return self.namespace(cell, target.payload(), boxes.payload(), level);
            }
            cell = self.vm.object_cell(target)?;
            if self.vm.heap.is(cell, Kind::HostObject) {
                return Ok("[Host object]".to_owned());
            }
        }
        if self.custom.symbol != 0
            && let Some(text) = self.by_itself(value, cell, level)?
        {
            return Ok(text);
        }
        if self.seen.contains(&cell) {
            let at = self.circular.iter().position(|&known| known == cell).unwrap_or_else(|| {
                self.circular.push(cell);
                self.circular.len() - 1
            });
            return Ok(format!("[Circular *{}]", at + 1));
        }
        self.object(cell, level, inside_buffer)
    }

    /// How an object shows itself, if it has a method for that: what it answered, or nothing yet.
    fn by_itself(&mut self, value: Value, cell: u32, level: i32) -> Result<Option<String>> {
        if let Some(&answer) = self.custom.answers.get(&value.0) {
            if answer == value {
                return Ok(None);
            }
            if level > DEEPEST {
                return Ok(Some("[Object]".to_owned()));
            }
            let text = if answer.is_object() {
                self.value(answer, level, false)?
            } else {
                let text = self.vm.to_string_primitive(answer)?;
                self.vm.heap.text(text)?
            };
            return Ok(Some(text.replace('\n', &format!("\n{}", " ".repeat(self.indent)))));
        }
        let Some(method) = self.data(cell, Key::Name(self.custom.symbol))? else { return Ok(None) };
        if !self.vm.is_callable(method) {
            return Ok(None);
        }
        // A prototype is not one of its instances.
        if let Own::Data { address, .. } = self.own(cell, Key::Name(atoms::CONSTRUCTOR))? {
            let maker = self.vm.heap.value(address);
            if self.vm.is_callable(maker) {
                let maker = self.vm.object_cell(maker)?;
                if self.data(maker, Key::Name(atoms::PROTOTYPE))? == Some(value) {
                    return Ok(None);
                }
            }
        }
        self.custom.asked.extend([value, method, Value::int(self.options.depth - level)]);
        Ok(Some(String::new()))
    }

    /// A module's namespace: what the boxes behind its names hold.
    fn namespace(&mut self, cell: u32, target: u32, boxes: u32, level: i32) -> Result<String> {
        const OPEN: &str = "[Module: null prototype] {";
        if self.seen.contains(&cell) {
            return Ok("[Circular]".to_owned());
        }
        if level > self.options.depth {
            return Ok("[Module]".to_owned());
        }
        let held = super::collection::entries(self.vm, boxes, usize::MAX).1;
        self.seen.push(cell);
        self.current = level + 1;
        let mut output = Vec::new();
        for (name, _) in self.vm.heap.name_keys(target) {
            if self.vm.heap.is_symbol_name(name) {
                continue;
            }
            let text = self.vm.heap.units(name)?;
            let mut value = Value::HOLE;
            for &(key, held) in &held {
                if key.is_string() && held.is_object_cell() && self.vm.heap.strings_equal(key.payload(), name)? {
                    value = self.vm.heap.value(held.payload() + 8);
                }
            }
            let plain = String::from_utf16_lossy(&text);
            let label = if is_identifier(&plain) { plain } else { quoted(&text) };
            let shown = if value.is_hole() || value.is_uninitialised() {
                "<uninitialized>".to_owned()
            } else {
                self.indent += 2;
                let shown = self.value(value, level + 1, false)?;
                self.indent -= 2;
                shown
            };
            output.push(self.made(format!("{label}: {shown}"))?);
        }
        self.seen.pop();
        if output.is_empty() {
            return Ok(format!("{OPEN}}}"));
        }
        Ok(self.reduce(output, "", OPEN, "}", Extras::Object, level + 1, false))
    }

    /// Own keys that are shown: index keys too, unless the object is a list.
    fn keys(&mut self, cell: u32, list: bool) -> Result<Vec<Key>> {
        let hidden = self.options.hidden;
        if hidden {
            self.vm.materialise(cell)?;
        }
        let mut keys = Vec::new();
        if !list {
            keys.extend(self.vm.heap.index_keys(cell)?.into_iter().map(Key::Index));
        }
        let names = self.vm.heap.name_keys(cell);
        keys.extend(names.into_iter().filter(|(_, a)| hidden || a & attribute::ENUMERABLE != 0).map(|(name, _)| Key::Name(name)));
        self.vm.charge(keys.len() as u64 / 4 + 8)?;
        Ok(keys)
    }

    fn object(&mut self, cell: u32, level: i32, inside_buffer: bool) -> Result<String> {
        let mut kind = self.vm.heap.kind(cell);
        if kind == Kind::Object && self.inherits(cell, self.vm.realm(Realm::ERROR_PROTOTYPE)) {
            // An error of the kind that functions made before there were classes.
            kind = Kind::Error;
        }
        let constructor = self.constructor(cell)?;
        let constructor = constructor.as_deref();
        let tag = self.tag(cell)?;
        let (mut base, mut open, mut close) = (String::new(), "{".to_owned(), "}");
        let mut extras = Extras::Object;
        let list = matches!(kind, Kind::Array | Kind::TypedArray) || kind == Kind::Wrapper;
        let mut keys = self.keys(cell, list)?;
        let callable = self.vm.is_callable(Value::object(cell));
        match kind {
            Kind::Array | Kind::TypedArray => {
                let (length, fallback) = if kind == Kind::Array {
                    (self.vm.heap.array_length(cell), "Array")
                } else {
                    (super::typed::length(self.vm, cell), "TypedArray")
                };
                if kind == Kind::TypedArray || constructor != Some("Array") || !tag.is_empty() {
                    open = format!("{}[", prefix(constructor, &tag, fallback, &format!("({length})")));
                } else {
                    "[".clone_into(&mut open);
                }
                close = "]";
                if length == 0 && keys.is_empty() {
                    return Ok(format!("{open}]"));
                }
                extras = Extras::Array;
            }
            Kind::Map | Kind::Set => {
                let size = super::collection::entries(self.vm, cell, 0).0;
                let name = prefix(constructor, &tag, kind_name(kind), &format!("({size})"));
                if size == 0 && keys.is_empty() {
                    return Ok(format!("{name}{{}}"));
                }
                open = format!("{name}{{");
            }
            _ if callable => {
                base = self.function(cell, constructor, &tag)?;
                if keys.is_empty() {
                    return self.made(base);
                }
            }
            Kind::Arguments if constructor == Some("Object") => {
                "[Arguments] {".clone_into(&mut open);
                if keys.is_empty() {
                    return Ok("[Arguments] {}".to_owned());
                }
            }
            Kind::Pattern | Kind::Date => {
                base = if kind == Kind::Date { self.date(cell) } else { self.pattern(cell)? };
                let name = prefix(constructor, &tag, kind_name(kind), "");
                if name.trim_end() != kind_name(kind) {
                    base = format!("{name}{base}");
                }
                if keys.is_empty() || kind == Kind::Pattern && level > self.options.depth {
                    return self.made(base);
                }
            }
            Kind::Error => {
                base = self.error(cell, constructor, &tag, &mut keys)?;
                if keys.is_empty() {
                    return self.made(base);
                }
            }
            Kind::ArrayBuffer => {
                let name = prefix(constructor, &tag, "ArrayBuffer", "");
                if inside_buffer && keys.is_empty() {
                    return Ok(format!("{name}{{ byteLength: {} }}", self.vm.heap.mem.load_u32(cell + 24)));
                }
                open = format!("{name}{{");
            }
            Kind::DataView | Kind::Promise | Kind::WeakMap | Kind::WeakSet | Kind::Namespace => {
                open = format!("{}{{", prefix(constructor, &tag, kind_name(kind), ""));
            }
            Kind::Iterator if let Some((name, pairs)) = self.collection(cell)? => {
                let own = format!("{name} Iterator");
                let whole = if tag == own || tag.is_empty() { own } else { format!("{tag}] [{own}") };
                let whole = if pairs { whole.replace(" Iterator", " Entries") } else { whole };
                open = format!("[{whole}] {{");
            }
            Kind::Wrapper => {
                base = self.wrapper(cell, constructor, &tag)?;
                keys.retain(|key| *key != Key::Name(atoms::LENGTH) || self.options.hidden);
                if keys.is_empty() {
                    return self.made(base);
                }
            }
            _ => {
                let plain = constructor == Some("Object") && kind == Kind::Object;
                if !plain || !tag.is_empty() {
                    let fallback = if tag == kind_name(kind) { "Object" } else { kind_name(kind) };
                    open = format!("{}{{", prefix(constructor, &tag, fallback, ""));
                }
                if keys.is_empty() {
                    return self.made(format!("{open}}}"));
                }
            }
        }
        if level > self.options.depth {
            let fallback = kind_name(kind);
            let name = prefix(constructor, &tag, fallback, "");
            let name = name.trim_end();
            return Ok(if constructor.is_some() { format!("[{name}]") } else { name.to_owned() });
        }
        let level = level + 1;
        self.seen.push(cell);
        self.current = level;
        let mut output = self.entries(cell, kind, level)?;
        for key in keys {
            let entry = self.property(cell, key, level, Extras::Object)?;
            output.push(entry);
        }
        if let Some(at) = self.circular.iter().position(|&known| known == cell) {
            let reference = format!("<ref *{}>", at + 1);
            base = if base.is_empty() { reference } else { format!("{reference} {base}") };
        }
        self.seen.pop();
        let numbers = extras == Extras::Array && self.only_numbers(cell, kind, output.len());
        let text = self.reduce(output, &base, &open, close, extras, level, numbers);
        self.made(text)
    }

    /// Are the first `count` elements all numbers? They are then aligned to the right.
    fn only_numbers(&mut self, cell: u32, kind: Kind, count: usize) -> bool {
        if kind == Kind::TypedArray {
            return count <= super::typed::length(self.vm, cell) as usize;
        }
        (0..count as u32).all(|i| {
            let value = match self.vm.heap.own(cell, Key::Index(i)) {
                Own::Data { address, .. } => self.vm.heap.value(address),
                _ => Value::UNDEFINED,
            };
            value.is_number() || value.is_bigint()
        })
    }

    /// What an iterator goes through, if that is a Map or a Set, and whether it gives pairs.
    fn collection(&mut self, cell: u32) -> Result<Option<(&'static str, bool)>> {
        let tag = self.vm.heap.value(cell + 40);
        let name = match self.text_of(Some(tag).filter(|tag| tag.is_string()))?.as_deref() {
            Some("map") => "Map",
            Some("set") => "Set",
            _ => return Ok(None),
        };
        Ok(Some((name, self.vm.heap.value(cell + 32) == Value::int(2))))
    }

    /// What lies in an object besides its properties.
    fn entries(&mut self, cell: u32, kind: Kind, level: i32) -> Result<Vec<String>> {
        let most = self.options.entries;
        match kind {
            Kind::Array => self.array(cell, level),
            Kind::TypedArray => {
                let length = super::typed::length(self.vm, cell) as usize;
                let mut output = Vec::new();
                for i in 0..length.min(most) {
                    let value = super::typed::element(self.vm, cell, i as u32)?.unwrap_or(Value::UNDEFINED);
                    let text = self.primitive(value, true)?;
                    output.push(text);
                }
                if length > most {
                    output.push(more(length - most));
                }
                Ok(output)
            }
            Kind::Map | Kind::Set => {
                let (size, list) = super::collection::entries(self.vm, cell, most);
                let mut output = Vec::new();
                self.indent += 2;
                for (key, value) in list {
                    let key = self.value(key, level, false)?;
                    output.push(if kind == Kind::Map {
                        let value = self.value(value, level, false)?;
                        self.made(format!("{key} => {value}"))?
                    } else {
                        key
                    });
                }
                self.indent -= 2;
                if size > most {
                    output.push(more(size - most));
                }
                Ok(output)
            }
            Kind::Iterator if self.collection(cell)?.is_some() => {
                let (size, list) = super::collection::entries_left(self.vm, cell, most);
                let which = self.vm.heap.value(cell + 32).as_int().unwrap_or(0);
                let mut output = Vec::new();
                self.indent += 2;
                for (key, value) in list {
                    output.push(if which == 2 {
                        let pair = vec![self.value(key, level, false)?, self.value(value, level, false)?];
                        let text = self.reduce(pair, "", "[", "]", Extras::Array, level, false);
                        self.made(text)?
                    } else {
                        self.value(if which == 1 { key } else { value }, level, false)?
                    });
                }
                self.indent -= 2;
                if size > most {
                    output.push(more(size - most));
                }
                Ok(output)
            }
            Kind::ArrayBuffer => {
                let length = self.vm.heap.mem.load_u32(cell + 24);
                let data = self.vm.heap.value(cell + 16);
                let mut bytes = Vec::new();
                if data.is_object_cell() {
                    let shown = length.min(most as u32).min(self.vm.heap.high(data.payload()));
                    self.vm.heap.mem.read(data.payload() + 8, shown, &mut bytes);
                } else {
                    return Ok(vec!["(detached)".to_owned(), "byteLength: 0".to_owned()]);
                }
                let mut text = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
                let rest = (length as usize).saturating_sub(most);
                if rest > 0 {
                    text.push_str(&format!(" ... {rest} more byte{}", plural(rest)));
                }
                Ok(vec![format!("[Uint8Contents]: <{text}>"), format!("byteLength: {length}")])
            }
            Kind::DataView => {
                let mem = self.vm.heap.mem;
                let (offset, length) = (mem.load_u32(cell + 24), mem.load_u32(cell + 28));
                let buffer = self.vm.heap.value(cell + 16);
                self.indent += 2;
                let buffer = self.value(buffer, level, false)?;
                self.indent -= 2;
                Ok(vec![format!("byteLength: {length}"), format!("byteOffset: {offset}"), format!("buffer: {buffer}")])
            }
            Kind::Promise => {
                let state = self.vm.heap.value(cell + 16).as_int().unwrap_or(0);
                if state == 0 {
                    return Ok(vec!["<pending>".to_owned()]);
                }
                let result = self.vm.heap.value(cell + 24);
                self.indent += 2;
                let text = self.value(result, level, false)?;
                self.indent -= 2;
                Ok(vec![if state == 2 { format!("<rejected> {text}") } else { text }])
            }
            Kind::WeakMap | Kind::WeakSet => Ok(vec!["<items unknown>".to_owned()]),
            _ => Ok(Vec::new()),
        }
    }

    fn array(&mut self, cell: u32, level: i32) -> Result<Vec<String>> {
        let length = self.vm.heap.array_length(cell);
        let most = (length as usize).min(self.options.entries);
        let mut output = Vec::new();
        let mut at = 0u32;
        let keys = self.vm.heap.index_keys(cell)?;
        self.vm.charge(keys.len() as u64 / 16)?;
        for key in keys {
            if output.len() >= most {
                break;
            }
            if key > at {
                let holes = (key - at) as usize;
                output.push(format!("<{holes} empty item{}>", plural(holes)));
                at = key;
                if output.len() >= most {
                    break;
                }
            }
            let entry = self.property(cell, Key::Index(key), level, Extras::Array)?;
            output.push(entry);
            at = key + 1;
        }
        let rest = length.saturating_sub(at) as usize;
        if rest > 0 {
            output.push(if output.len() < most { format!("<{rest} empty item{}>", plural(rest)) } else { more(rest) });
        }
        Ok(output)
    }

    fn property(&mut self, cell: u32, key: Key, level: i32, extras: Extras) -> Result<String> {
        let own = self.own(cell, key)?;
        let (text, attributes) = match own {
            Own::Data { address, attributes } => {
                let value = self.vm.heap.value(address);
                self.indent += 2;
                let text = self.value(value, level, false)?;
                self.indent -= 2;
                (text, attributes)
            }
            Own::Virtual { value, attributes } => (self.value(value, level, false)?, attributes),
            Own::Accessor { pair, attributes } => {
                let (getter, setter) = (self.vm.heap.value(pair + 8), self.vm.heap.value(pair + 16));
                let text = match (getter.is_undefined(), setter.is_undefined()) {
                    (false, false) => "[Getter/Setter]",
                    (false, true) => "[Getter]",
                    (true, false) => "[Setter]",
                    (true, true) => "undefined",
                };
                (text.to_owned(), attributes)
            }
            Own::Absent | Own::Exotic => ("undefined".to_owned(), attribute::ENUMERABLE),
        };
        if extras == Extras::Array {
            return Ok(text);
        }
        let name = match key {
            Key::Index(index) => format!("'{index}'"),
            Key::Name(name) if self.vm.heap.is_symbol_name(name) => format!("[{}]", self.symbol(name)?),
            Key::Name(atoms::PROTO) => "['__proto__']".to_owned(),
            Key::Name(name) => {
                let units = self.vm.heap.units(name)?;
                let plain = String::from_utf16_lossy(&units);
                if attributes & attribute::ENUMERABLE == 0 {
                    format!("[{}]", escaped(&units, '\''))
                } else if is_identifier(&plain) {
                    plain
                } else {
                    quoted(&units)
                }
            }
        };
        self.made(format!("{name}: {text}"))
    }

    fn function(&mut self, cell: u32, constructor: Option<&str>, tag: &str) -> Result<String> {
        let code = self.vm.code_of(Value::object(cell));
        let flags = if code == 0 { 0 } else { self.vm.heap.high(code) };
        if flags & function_flag::CLASS != 0 {
            let name = match self.own(cell, Key::Name(atoms::NAME))? {
                Own::Data { address, .. } => Some(self.vm.heap.value(address)),
                _ => None,
            };
            let name = self.text_of(name)?.filter(|name| !name.is_empty()).unwrap_or_else(|| "(anonymous)".to_owned());
            let mut base = format!("class {name}");
            if let Some(constructor) = constructor.filter(|name| *name != "Function") {
                base.push_str(&format!(" [{constructor}]"));
            }
            if !tag.is_empty() && constructor != Some(tag) {
                base.push_str(&format!(" [{tag}]"));
            }
            let parent = self.vm.heap.proto(cell);
            if constructor.is_none() {
                base.push_str(" extends [null prototype]");
            } else if parent != 0 {
                let name = self.data(parent, Key::Name(atoms::NAME))?;
                if let Some(name) = self.text_of(name)?.filter(|name| !name.is_empty()) {
                    base.push_str(&format!(" extends {name}"));
                }
            }
            return Ok(format!("[{base}]"));
        }
        let (generator, waits) = (flags & function_flag::GENERATOR != 0, flags & function_flag::ASYNC != 0);
        let kind = format!("{}{}Function", if waits { "Async" } else { "" }, if generator { "Generator" } else { "" });
        let name = self.data(cell, Key::Name(atoms::NAME))?;
        let name = self.text_of(name)?.unwrap_or_default();
        let mut base = format!("[{kind}");
        if constructor.is_none() {
            base.push_str(" (null prototype)");
        }
        base.push_str(&if name.is_empty() { " (anonymous)]".to_owned() } else { format!(": {name}]") });
        if let Some(constructor) = constructor.filter(|constructor| *constructor != kind) {
            base.push_str(&format!(" {constructor}"));
        }
        if !tag.is_empty() && constructor != Some(tag) {
            base.push_str(&format!(" [{tag}]"));
        }
        Ok(base)
    }

    fn date(&mut self, cell: u32) -> String {
        let time = self.vm.heap.value(cell + 16).as_number().unwrap_or(f64::NAN);
        if time.is_nan() { "Invalid Date".to_owned() } else { super::date::text(time, 0, 0) }
    }

    fn pattern(&mut self, cell: u32) -> Result<String> {
        let (source, flags) = (self.vm.heap.value(cell + 16), self.vm.heap.value(cell + 24));
        let source = self.text_of(Some(source))?.unwrap_or_default();
        let flags = self.text_of(Some(flags))?.unwrap_or_default();
        Ok(format!("/{source}/{flags}"))
    }

    fn wrapper(&mut self, cell: u32, constructor: Option<&str>, tag: &str) -> Result<String> {
        let inner = self.vm.heap.value(cell + 16);
        let kind = if inner.is_string() {
            "String"
        } else if inner.is_number() {
            "Number"
        } else if inner.is_boolean() {
            "Boolean"
        } else if inner.is_bigint() {
            "BigInt"
        } else {
            "Symbol"
        };
        let mut base = format!("[{kind}");
        match constructor {
            Some(name) if name == kind => {}
            Some(name) => base.push_str(&format!(" ({name})")),
            None => base.push_str(" (null prototype)"),
        }
        base.push_str(&format!(": {}]", self.primitive(inner, true)?));
        if !tag.is_empty() && constructor != Some(tag) {
            base.push_str(&format!(" [{tag}]"));
        }
        Ok(base)
    }

    /// An error: its stack, and the properties that say more.
    fn error(&mut self, cell: u32, constructor: Option<&str>, tag: &str, keys: &mut Vec<Key>) -> Result<String> {
        let part = |this: &mut Self, name: u32| -> Result<Option<String>> {
            let value = this.data(cell, Key::Name(name))?;
            match value {
                None => Ok(None),
                Some(value) if value.is_object() || value.is_undefined() => Ok(None),
                Some(value) => {
                    let text = this.vm.to_string_primitive(value);
                    match text {
                        Ok(text) => this.vm.heap.text(text).map(Some),
                        Err(Signal::Throw(_)) => Ok(None),
                        Err(signal) => Err(signal),
                    }
                }
            }
        };
        let name = part(self, atoms::NAME)?.unwrap_or_else(|| "Error".to_owned());
        let message = part(self, atoms::MESSAGE)?.unwrap_or_default();
        let stack = part(self, atoms::STACK)?.unwrap_or_default();
        let mut stack = if stack.is_empty() {
            match (name.is_empty(), message.is_empty()) {
                (_, true) => name.clone(),
                (true, false) => message.clone(),
                _ => format!("{name}: {message}"),
            }
        } else {
            stack
        };
        for key in [atoms::NAME, atoms::MESSAGE, atoms::STACK] {
            if keys.contains(&Key::Name(key)) && part(self, key)?.is_some_and(|text| stack.contains(&text)) {
                keys.retain(|known| *known != Key::Name(key));
            }
        }
        for key in [atoms::CAUSE, atoms::ERRORS] {
            let there = match self.vm.heap.own(cell, Key::Name(key)) {
                Own::Data { address, .. } => {
                    let value = self.vm.heap.value(address);
                    key == atoms::CAUSE || self.vm.heap.is_kind(value, Kind::Array)
                }
                _ => false,
            };
            if there && !keys.contains(&Key::Name(key)) {
                keys.push(Key::Name(key));
            }
        }
        // The class's name, where the error's own name says less.
        let starts = stack.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '\n']));
        if constructor.is_none() || name.ends_with("Error") && starts {
            let class = prefix(constructor, tag, "Error", "");
            let class = class.trim_end();
            let length = if starts { name.len() } else { 0 };
            if name != class {
                stack = if class.contains(&name) {
                    if length == 0 { format!("{class}: {stack}") } else { format!("{class}{}", &stack[length..]) }
                } else {
                    format!("{class} [{name}]{}", &stack[length..])
                };
            }
        }
        let after = if message.is_empty() { 0 } else { stack.find(&message).map_or(0, |at| at + message.len()) };
        if !stack[after..].contains("\n    at") {
            stack = format!("[{stack}]");
        }
        if self.indent > 0 {
            stack = stack.replace('\n', &format!("\n{}", " ".repeat(self.indent)));
        }
        Ok(stack)
    }
}

impl Vm<'_> {
    /// The cell of the symbol under which objects have a method that shows them; 0 if nobody has asked for it.
    fn custom_symbol(&mut self) -> Result<u32> {
        let registry = self.realm(Realm::SYMBOL_REGISTRY);
        if !registry.is_object_cell() {
            return Ok(0);
        }
        let name = self.heap.name("nodejs.util.inspect.custom")?;
        Ok(match self.heap.own(registry.payload(), Key::Name(name)) {
            Own::Data { address, .. } => self.heap.value(address).payload(),
            _ => 0,
        })
    }

    /// An error's stack as text: name and message, then where it was made; empty for what has no trace.
    pub(crate) fn stack_text(&mut self, error: u32) -> Result<String> {
        let mut text = self.describe_error(Value::object(error));
        for frame in crate::transfer::trace(self, self.heap.value(error + 16)) {
            let place = match (frame.file, frame.line, frame.column) {
                (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}"),
                (Some(file), ..) => file,
                _ => continue,
            };
            text.push_str(&match frame.function {
                Some(name) => format!("\n    at {name} ({place})"),
                None => format!("\n    at {place}"),
            });
        }
        Ok(text)
    }
}
