//! Texts of a parse, each once: identifiers, strings, digits of big integers.
//!
//! The known names come first and are the same in every tree; reserved words are the first of them,
//! so that looking a word up also says whether it is one.

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

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    length: u32,
    hash: u32,
    /// The first eight bytes, zeros behind shorter texts.
    head: u64,
}

/// The table of texts.
#[derive(Debug, Clone)]
pub(crate) struct Atoms {
    /// Open addressing with linear probing; zero is empty, else atom plus one.
    slots: Vec<u32>,
    entries: Table<Entry>,
    bytes: Table<u8>,
    /// Slots filled by this parse, emptied again in reverse order by `reset`.
    filled: Vec<u32>,
    base_bytes: usize,
    grown: bool,
}

const BASE_SLOTS: usize = 1024;

impl Default for Atoms {
    fn default() -> Self {
        let mut atoms = Atoms {
            slots: vec![0; BASE_SLOTS],
            entries: Table::default(),
            bytes: Table::default(),
            filled: Vec::new(),
            base_bytes: 0,
            grown: false,
        };
        atoms.fill_known();
        atoms
    }
}

#[inline]
fn word(text: &[u8]) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&text[..8]);
    u64::from_le_bytes(word)
}

/// The first eight bytes, zeros behind shorter texts.
#[inline]
fn head(text: &[u8]) -> u64 {
    #[inline]
    fn half(text: &[u8]) -> u64 {
        let mut word = [0u8; 4];
        word.copy_from_slice(&text[..4]);
        u64::from(u32::from_le_bytes(word))
    }
    let length = text.len();
    if length >= 8 {
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

/// Mixes eight bytes at a time; good enough to spread, and probing is charged where it is not.
#[inline]
fn hash(text: &[u8], head: u64) -> u32 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let length = text.len();
    let mut state = ((length as u64).wrapping_mul(K) ^ head).wrapping_mul(K);
    if length > 8 {
        let mut rest = &text[8..];
        while rest.len() > 8 {
            state ^= state >> 29;
            state = (state ^ word(rest)).wrapping_mul(K);
            rest = &rest[8..];
        }
        state ^= state >> 29;
        state = (state ^ word(&text[length - 8..])).wrapping_mul(K);
    }
    state ^= state >> 32;
    (state.wrapping_mul(K) >> 32) as u32
}

impl Atoms {
    fn fill_known(&mut self) {
        struct Free;
        impl super::Budget for Free {
            fn charge(&mut self, _: u64) -> bool {
                true
            }
            fn hold(&mut self, _: usize) -> bool {
                true
            }
        }
        let mut free = Free;
        let mut gauge = Gauge::new(&mut free);
        let mut probes = 0;
        for text in TEXTS {
            // The free budget refuses nothing, so that interning known names cannot fail.
            let _ = self.intern(text.as_bytes(), &mut gauge, &mut probes);
        }
        self.filled.clear();
        self.base_bytes = self.bytes.len();
    }

    /// Forgets all but the known names.
    pub(crate) fn reset(&mut self) {
        if self.grown || self.filled.len() > 4096 {
            *self = Atoms::default();
            return;
        }
        for &slot in &self.filled {
            self.slots[slot as usize] = 0;
        }
        self.filled.clear();
        self.entries.restart(KNOWN as usize);
        self.bytes.restart(self.base_bytes);
    }

    pub(crate) fn len(&self) -> u32 {
        self.entries.len() as u32
    }

    #[inline]
    pub(crate) fn text(&self, atom: Atom) -> &[u8] {
        let entry = self.entries[atom as usize];
        &self.bytes[entry.start as usize..(entry.start + entry.length) as usize]
    }

    /// The atom of a text. Steps of probing beyond the usual few are added to `probes`.
    #[inline]
    pub(crate) fn intern(&mut self, text: &[u8], gauge: &mut Gauge<'_>, probes: &mut u32) -> R<Atom> {
        let head = head(text);
        let hash = hash(text, head);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.insert(text, hash, head, at, gauge);
            }
            let entry = &self.entries[slot as usize - 1];
            if entry.head == head
                && entry.length as usize == text.len()
                && (text.len() <= 8
                    || entry.hash == hash && &self.bytes[entry.start as usize..(entry.start + entry.length) as usize] == text)
            {
                return Ok(slot - 1);
            }
            *probes += 1;
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, text: &[u8], hash: u32, head: u64, at: usize, gauge: &mut Gauge<'_>) -> R<Atom> {
        let start = self.bytes.len() as u32;
        self.bytes.extend(text, gauge)?;
        let atom = self.entries.push(Entry { start, length: text.len() as u32, hash, head }, gauge)?;
        self.slots[at] = atom + 1;
        self.filled.push(at as u32);
        if self.entries.len() * 2 > self.slots.len() {
            self.grow(gauge)?;
        }
        Ok(atom)
    }

    #[cold]
    fn grow(&mut self, gauge: &mut Gauge<'_>) -> R<()> {
        let size = self.slots.len() * 4;
        gauge.hold(size * 2 * size_of::<u32>())?;
        self.grown = true;
        self.slots.clear();
        self.slots.resize(size, 0);
        self.filled.clear();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut at = entry.hash as usize & (size - 1);
            while self.slots[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            self.slots[at] = index as u32 + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Unlimited;

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
