//! Texts of a parse, each once: identifiers, strings, digits of big integers.
//!
//! The known names come first and are the same in every tree; reserved words are the first of them,
//! so that looking a word up also says whether it is one.

use std::sync::LazyLock;

use super::Unlimited;
use super::arena::{Gauge, R, Table};

/// Index of a text in its tree.
pub type Atom = u32;

macro_rules! known {
    ($($name:ident = $text:literal,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, dead_code)]
        #[repr(u32)]
        enum Position { $($name,)* Count }
        /// Atoms that every tree has, by name.
        #[allow(missing_docs, dead_code)]
        pub mod known {
            use super::{Atom, Position};
            $(pub const $name: Atom = Position::$name as Atom;)*
        }
        const TEXTS: &[&str] = &[$($text,)*];
        /// Number of atoms that are the same in every tree.
        pub const KNOWN: u32 = Position::Count as u32;
    };
}

known! {
    // Reserved always; the order is that of the keyword tokens.
    BREAK = "break", CASE = "case", CATCH = "catch", CLASS = "class", CONST = "const", CONTINUE = "continue",
    DEBUGGER = "debugger", DEFAULT = "default", DELETE = "delete", DO = "do", ELSE = "else", ENUM = "enum",
    EXPORT = "export", EXTENDS = "extends", FALSE = "false", FINALLY = "finally", FOR = "for",
    FUNCTION = "function", IF = "if", IMPORT = "import", IN = "in", INSTANCEOF = "instanceof", NEW = "new",
    NULL = "null", RETURN = "return", SUPER = "super", SWITCH = "switch", THIS = "this", THROW = "throw",
    TRUE = "true", TRY = "try", TYPEOF = "typeof", VAR = "var", VOID = "void", WHILE = "while", WITH = "with",
    // Reserved in strict code.
    LET = "let", STATIC = "static", YIELD = "yield", IMPLEMENTS = "implements", INTERFACE = "interface",
    PACKAGE = "package", PRIVATE = "private", PROTECTED = "protected", PUBLIC = "public",
    // Special in places.
    AWAIT = "await", ASYNC = "async", OF = "of", GET = "get", SET = "set", AS = "as", FROM = "from",
    META = "meta", TARGET = "target", ARGUMENTS = "arguments", EVAL = "eval", CONSTRUCTOR = "constructor",
    PROTOTYPE = "prototype", PROTO = "__proto__", USE_STRICT = "use strict", EMPTY = "", UNDEFINED = "undefined",
    NAN = "NaN", INFINITY = "Infinity", NAME = "name", LENGTH = "length", DEFAULT_EXPORT = "*default*", ACCESSOR = "accessor",
    PRIVATE_CONSTRUCTOR = "#constructor", FIELDS_NAME = "<instance_members_initializer>",
    STATIC_FIELDS_NAME = "<static_initializer>", ANONYMOUS = "anonymous",
    NEXT = "next", DONE = "done", VALUE = "value", RAW = "raw", THEN = "then",
    // TypeScript.
    TYPE = "type", DECLARE = "declare", ABSTRACT = "abstract", NAMESPACE = "namespace", MODULE = "module",
    GLOBAL = "global", READONLY = "readonly", OVERRIDE = "override", IS = "is", ASSERTS = "asserts",
    KEYOF = "keyof", UNIQUE = "unique", INFER = "infer", SATISFIES = "satisfies", OUT = "out", REQUIRE = "require",
}

/// Number of words that are reserved everywhere.
pub(crate) const RESERVED: u32 = known::LET;

/// Where the bytes of a text lie.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u32,
}

/// A place of the hash table: enough to know a text of up to eight bytes without a look anywhere else.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The first eight bytes, zeros behind shorter texts.
    head: u64,
    /// Bits of the hash, and in the lowest four one more than the length, or [`LONG`]; zero: the place is free.
    tag: u32,
    atom: Atom,
}

const FREE: Slot = Slot { head: 0, tag: 0, atom: 0 };

/// The length of every text of more than eight bytes, in a tag.
const LONG: u32 = 15;

/// The table of texts.
#[derive(Debug, Clone)]
pub(crate) struct Atoms {
    /// Open addressing with linear probing; the length is a power of two.
    slots: Vec<Slot>,
    entries: Table<Entry>,
    bytes: Table<u8>,
    /// Slots filled by this parse while the table is small, emptied again by `reset`.
    filled: Vec<u32>,
}

/// Slots for the known names and those of a small text.
const BASE_SLOTS: usize = 1024;

/// Bytes of source for every slot that a large text begins with.
const BYTES_PER_SLOT: usize = 32;

/// The table that every parse begins with.
static BASE: LazyLock<Atoms> = LazyLock::new(|| {
    let mut atoms = Atoms { slots: vec![FREE; BASE_SLOTS], entries: Table::default(), bytes: Table::default(), filled: Vec::new() };
    let (mut free, mut probes) = (Unlimited, 0);
    let mut gauge = Gauge::new(&mut free);
    for text in TEXTS {
        // Nothing refuses here, so that interning cannot fail.
        let _ = atoms.intern(text.as_bytes(), &mut gauge, &mut probes);
    }
    atoms.filled.clear();
    atoms
});

impl Default for Atoms {
    fn default() -> Self {
        BASE.clone()
    }
}

#[inline]
fn word(text: &[u8]) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&text[..8]);
    u64::from_le_bytes(word)
}

/// Up to eight bytes as a word, zeros behind them.
#[inline]
fn short_head(text: &[u8]) -> u64 {
    #[inline]
    fn half(text: &[u8]) -> u64 {
        let mut word = [0u8; 4];
        word.copy_from_slice(&text[..4]);
        u64::from(u32::from_le_bytes(word))
    }
    let length = text.len();
    if length == 8 {
        word(text)
    } else if length >= 4 {
        // The halves overlap; what both hold is the same.
        half(text) | half(&text[length - 4..]) << (8 * (length - 4))
    } else if length > 0 {
        u64::from(text[0]) | u64::from(text[length / 2]) << (8 * (length / 2)) | u64::from(text[length - 1]) << (8 * (length - 1))
    } else {
        0
    }
}

/// Good enough to spread, and probing is charged where it is not.
#[inline]
fn mix(word: u64) -> u64 {
    let product = u128::from(word) * 0x9E37_79B9_7F4A_7C15;
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn short_tag(head: u64, length: usize) -> u32 {
    let code = length as u32 + 1;
    // Names never end in zeros, so that their length need not be mixed in.
    mix(head) as u32 & !15 | code
}

/// Of a text of more than eight bytes.
#[inline]
fn long_tag(text: &[u8]) -> u32 {
    let mut state = mix(word(text) ^ text.len() as u64);
    let mut rest = &text[8..];
    while rest.len() > 8 {
        state = mix(state ^ word(rest));
        rest = &rest[8..];
    }
    state = mix(state.rotate_left(32) ^ word(&text[text.len() - 8..]));
    state as u32 | LONG
}

impl Atoms {
    /// Forgets all but the known names.
    pub(crate) fn reset(&mut self) {
        if self.slots.len() == BASE_SLOTS {
            for &slot in &self.filled {
                self.slots[slot as usize] = FREE;
            }
        } else {
            self.slots.clear();
            self.slots.extend_from_slice(&BASE.slots);
        }
        self.filled.clear();
        self.entries.restart(KNOWN as usize);
        self.bytes.restart(BASE.bytes.len());
    }

    /// Makes the table as large as a text of so many bytes usually wants it.
    pub(crate) fn expect(&mut self, source: usize, gauge: &mut Gauge<'_>) -> R<()> {
        let slots = (source / BYTES_PER_SLOT).next_power_of_two();
        if slots > BASE_SLOTS { self.enlarge(slots, gauge) } else { Ok(()) }
    }

    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    #[inline]
    pub(crate) fn text(&self, atom: Atom) -> &[u8] {
        let entry = self.entries[atom as usize];
        &self.bytes[entry.start as usize..(entry.start + entry.length) as usize]
    }

    /// The atom of a text. Steps of probing are added to `probes`.
    #[inline]
    pub(crate) fn intern(&mut self, text: &[u8], gauge: &mut Gauge<'_>, probes: &mut u32) -> R<Atom> {
        if text.len() <= 8 { self.intern_short(short_head(text), text.len(), gauge, probes) } else { self.intern_long(text, gauge, probes) }
    }

    /// The atom of a text of up to eight bytes, given as a word with zeros behind them.
    #[inline]
    pub(crate) fn intern_short(&mut self, head: u64, length: usize, gauge: &mut Gauge<'_>, probes: &mut u32) -> R<Atom> {
        let tag = short_tag(head, length);
        let mask = self.slots.len() - 1;
        let mut at = tag as usize >> 4 & mask;
        loop {
            let slot = self.slots[at];
            if slot.head == head && slot.tag == tag {
                return Ok(slot.atom);
            }
            if slot.tag == 0 {
                return self.insert(&head.to_le_bytes()[..length], Slot { head, tag, atom: 0 }, at, gauge);
            }
            *probes += 1;
            at = (at + 1) & mask;
        }
    }

    /// The atom of a text of more than eight bytes.
    #[inline]
    pub(crate) fn intern_long(&mut self, text: &[u8], gauge: &mut Gauge<'_>, probes: &mut u32) -> R<Atom> {
        let (head, tag) = (word(text), long_tag(text));
        let mask = self.slots.len() - 1;
        let mut at = tag as usize >> 4 & mask;
        loop {
            let slot = self.slots[at];
            if slot.head == head && slot.tag == tag && self.is_long(slot.atom, text) {
                return Ok(slot.atom);
            }
            if slot.tag == 0 {
                return self.insert(text, Slot { head, tag, atom: 0 }, at, gauge);
            }
            *probes += 1;
            at = (at + 1) & mask;
        }
    }

    /// Whether an atom is this text, which has the same first eight bytes.
    #[inline]
    fn is_long(&self, atom: Atom, text: &[u8]) -> bool {
        let known = self.text(atom);
        let length = text.len();
        known.len() == length && word(&known[length - 8..]) == word(&text[length - 8..]) && (length <= 16 || known[8..] == text[8..])
    }

    #[inline(never)]
    fn insert(&mut self, text: &[u8], slot: Slot, at: usize, gauge: &mut Gauge<'_>) -> R<Atom> {
        let start = self.bytes.len() as u32;
        self.bytes.extend(text, gauge)?;
        let atom = self.entries.push(Entry { start, length: text.len() as u32 }, gauge)?;
        self.slots[at] = Slot { atom, ..slot };
        if self.slots.len() == BASE_SLOTS {
            self.filled.push(at as u32);
        }
        if self.entries.len() * 2 > self.slots.len() {
            self.enlarge(self.slots.len() * 4, gauge)?;
        }
        Ok(atom)
    }

    #[cold]
    #[inline(never)]
    fn enlarge(&mut self, size: usize, gauge: &mut Gauge<'_>) -> R<()> {
        gauge.hold(size * size_of::<Slot>())?;
        let used: Vec<Slot> = self.slots.iter().copied().filter(|slot| slot.tag != 0).collect();
        self.slots.clear();
        self.slots.resize(size, FREE);
        self.filled.clear();
        for slot in used {
            let mut at = slot.tag as usize >> 4 & (size - 1);
            while self.slots[at].tag != 0 {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = slot;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_survive_a_reset_and_others_do_not() {
        let mut atoms = Atoms::default();
        let (mut unlimited, mut probes) = (Unlimited, 0);
        let mut gauge = Gauge::new(&mut unlimited);
        for round in 0..3 {
            for n in 0..(round * 3000 + 10) {
                let text = format!("name{n}");
                let atom = atoms.intern(text.as_bytes(), &mut gauge, &mut probes).unwrap();
                assert_eq!(atoms.text(atom), text.as_bytes());
                assert_eq!(atom, KNOWN + n);
            }
            assert_eq!(atoms.intern(b"yield", &mut gauge, &mut probes), Ok(known::YIELD));
            atoms.reset();
            assert_eq!(atoms.len(), KNOWN);
        }
    }
}
