//! Strings: flat of one or two bytes a unit, ropes, slices, interned names.
//!
//! Layout behind the header (whose high half is the length in code units):
//! flat: hash u32 (0: not computed), the interned name with the same text u32 (0: not looked up), the units; rope: left u32, right u32;
//! slice: parent u32 (flat), start u32; symbol: hash u32, description u32 (0: none).

use super::atoms;
use super::collect::GONE;
use super::memory::SHARED;
use super::{Heap, Kind, Result, Signal, flag};
use crate::value::Value;

/// Longest string, in code units.
pub(crate) const MAX_LENGTH: u32 = (1 << 29) - 24;
/// Concatenations from this length on make ropes.
const ROPE: u32 = 24;
/// Parts from this length on are slices.
const SLICE: u32 = 32;

/// A property key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// An array index, 0 ..= 2^32 - 2.
    Index(u32),
    /// An interned string or a symbol, by offset.
    Name(u32),
}

/// A flat run of code units.
#[derive(Clone, Copy)]
pub(crate) struct Flat {
    /// Offset of the first unit.
    pub(crate) at: u32,
    /// Units.
    pub(crate) length: u32,
    /// Two bytes a unit.
    pub(crate) wide: bool,
}

impl<'a> Heap<'a> {
    #[inline(always)]
    pub(crate) fn string_length(&self, string: u32) -> u32 {
        self.high(string)
    }

    pub(crate) fn flat_bytes(&mut self, wide: bool, length: u32) -> Result<u32> {
        if length > MAX_LENGTH {
            return Err(Signal::Collect(u32::MAX));
        }
        let kind = if wide { Kind::String16 } else { Kind::String8 };
        let bytes = 16 + (length << u32::from(wide));
        self.debt += u64::from(bytes / 64);
        let cell = self.allocate(kind, bytes, length)?;
        self.mem.store_u64(cell + 8, 0);
        Ok(cell)
    }

    /// A string of one-byte units.
    pub(crate) fn string8(&mut self, bytes: &[u8]) -> Result<u32> {
        match bytes {
            [] => return Ok(atoms::EMPTY),
            [c] => return Ok(atoms::character(*c)),
            _ => {}
        }
        let cell = self.flat_bytes(false, bytes.len() as u32)?;
        self.mem.write(cell + 16, bytes);
        Ok(cell)
    }

    /// A string of UTF-16 units, stored narrow when it can be.
    pub(crate) fn string16(&mut self, units: &[u16]) -> Result<u32> {
        self.string_of(units.len(), || units.iter().copied())
    }

    /// A string of host text.
    pub(crate) fn string(&mut self, text: &str) -> Result<u32> {
        if text.is_ascii() { self.string8(text.as_bytes()) } else { self.string_of(text.encode_utf16().count(), || text.encode_utf16()) }
    }

    /// A string of so many units, written where it lies without a copy on the host; narrow when it can be.
    fn string_of<I: Iterator<Item = u16>>(&mut self, length: usize, units: impl Fn() -> I) -> Result<u32> {
        let wide = units().any(|unit| unit > 0xff);
        if let (false, 0 | 1) = (wide, length) {
            return Ok(units().next().map_or(atoms::EMPTY, |unit| atoms::character(unit as u8)));
        }
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let cell = self.flat_bytes(wide, length)?;
        let mem = self.mem;
        if wide {
            (0..length).zip(units()).for_each(|(i, unit)| mem.store_u16(cell + 16 + i * 2, unit));
        } else {
            (0..length).zip(units()).for_each(|(i, unit)| mem.store_u8(cell + 16 + i, unit as u8));
        }
        Ok(cell)
    }

    /// A string of WTF-8 bytes.
    pub(crate) fn string_wtf8(&mut self, bytes: &[u8]) -> Result<u32> {
        if bytes.is_ascii() { self.string8(bytes) } else { self.string16(&wtf8_units(bytes)) }
    }

    /// Makes a rope or slice flat; the units of any string.
    #[inline(always)]
    pub(crate) fn flat(&mut self, string: u32) -> Result<Flat> {
        let header = self.mem.load_u64(string);
        if header as u8 == Kind::String8 as u8 {
            return Ok(Flat { at: string + 16, length: (header >> 32) as u32, wide: false });
        }
        self.flat_other(string)
    }

    #[inline(never)]
    fn flat_other(&mut self, string: u32) -> Result<Flat> {
        let length = self.high(string);
        match self.kind(string) {
            Kind::String16 => Ok(Flat { at: string + 16, length, wide: true }),
            Kind::Slice => Ok(self.slice_units(string)),
            Kind::Rope => self.flatten(string),
            _ => Ok(Flat { at: 16, length: 0, wide: false }),
        }
    }

    fn slice_units(&self, slice: u32) -> Flat {
        let parent = self.mem.load_u32(slice + 8);
        let start = self.mem.load_u32(slice + 12);
        let wide = self.is(parent, Kind::String16);
        Flat { at: (parent + 16).wrapping_add(start << u32::from(wide)), length: self.high(slice), wide }
    }

    /// Is any part of the rope two-byte? Ropes carry the answer in a flag.
    fn is_wide(&self, string: u32) -> bool {
        match self.kind(string) {
            Kind::String16 => true,
            Kind::Rope => self.flags(string) & flag::PRIVATE != 0,
            Kind::Slice => self.is(self.mem.load_u32(string + 8), Kind::String16),
            _ => false,
        }
    }

    /// Writes a rope's text once and turns every rope met into a slice of it. Pending ropes are
    /// chained through their own fields, so that no depth needs room.
    fn flatten(&mut self, root: u32) -> Result<Flat> {
        let owed = self.debt;
        let length = self.high(root);
        let wide = self.is_wide(root);
        let cell = self.flat_bytes(wide, length)?;
        let shift = u32::from(wide);
        let start = cell + 16;
        let mut cursor = 0u32;
        let mut pending = 0u32;
        let mut node = root;
        // A corrupted heap can hold ropes in a circle: no more steps than two for each cell, a rope and its right side.
        let mut steps = self.top / 8 + 4;
        loop {
            if steps == 0 {
                return Err(Signal::Stop(super::Pause::Internal));
            }
            steps -= 1;
            if self.is(node, Kind::Rope) {
                let left = self.mem.load_u32(node + 8);
                let right = self.mem.load_u32(node + 12);
                self.mem.store_u32(node + 8, right);
                self.mem.store_u32(node + 12, pending);
                pending = node;
                node = left;
                continue;
            }
            let part = match self.kind(node) {
                Kind::Slice => self.slice_units(node),
                Kind::String8 | Kind::String16 => Flat { at: node + 16, length: self.high(node), wide: self.is(node, Kind::String16) },
                _ => return Err(Signal::Stop(super::Pause::Internal)),
            };
            if part.length > length - cursor {
                return Err(Signal::Stop(super::Pause::Internal));
            }
            self.copy_units(part, start + (cursor << shift), wide);
            cursor += part.length;
            if pending == 0 {
                break;
            }
            // The left side of `pending` is done: it becomes a slice, its right side is next.
            let done = pending;
            let right = self.mem.load_u32(done + 8);
            pending = self.mem.load_u32(done + 12);
            let begin = cursor.wrapping_sub(self.high(done).wrapping_sub(self.high(right)));
            self.mem.store_u8(done, Kind::Slice as u8);
            self.mem.store_u32(done + 8, cell);
            self.mem.store_u32(done + 12, begin.min(length));
            node = right;
        }
        self.debt += u64::from(length / 32);
        self.lasting += self.debt.saturating_sub(owed);
        Ok(Flat { at: start, length, wide })
    }

    fn copy_units(&self, from: Flat, to: u32, wide: bool) {
        if from.length <= 16 && !wide {
            self.copy_short(from.at, to, from.length);
        } else if from.wide == wide {
            self.mem.copy(from.at, to, from.length << u32::from(wide));
        } else {
            for i in 0..from.length {
                self.mem.store_u16(to + i * 2, u16::from(self.mem.load_u8(from.at + i)));
            }
        }
    }

    /// The unit at `index` of a flat run.
    #[inline(always)]
    pub(crate) fn unit(&self, flat: Flat, index: u32) -> u16 {
        if flat.wide {
            self.mem.load_u16(flat.at.wrapping_add(index * 2))
        } else {
            u16::from(self.mem.load_u8(flat.at.wrapping_add(index)))
        }
    }

    /// Unit `index` of a string that lies flat in one piece.
    #[inline(always)]
    pub(crate) fn unit_of_flat(&self, string: u32, index: u32) -> Option<u16> {
        let header = self.mem.load_u64(string);
        if index >= (header >> 32) as u32 {
            return None;
        }
        if header as u8 == Kind::String8 as u8 {
            Some(u16::from(self.mem.load_u8(string + 16 + index)))
        } else if header as u8 == Kind::String16 as u8 {
            Some(self.mem.load_u16(string + 16 + index * 2))
        } else {
            None
        }
    }

    /// All units, host side (bounded by the string, charge before).
    pub(crate) fn units(&mut self, string: u32) -> Result<Vec<u16>> {
        let flat = self.flat(string)?;
        self.debt += u64::from(flat.length / 16);
        self.scratch(flat.length as usize * 2)?;
        Ok((0..flat.length.min(self.most(1))).map(|i| self.unit(flat, i)).collect())
    }

    /// Host text, lone surrogates replaced.
    pub(crate) fn text(&mut self, string: u32) -> Result<String> {
        let flat = self.flat(string)?;
        self.debt += u64::from(flat.length / 16);
        self.scratch(flat.length as usize * if flat.wide { 5 } else { 2 })?;
        if flat.wide {
            let units: Vec<u16> = (0..flat.length.min(self.most(1))).map(|i| self.unit(flat, i)).collect();
            Ok(String::from_utf16_lossy(&units))
        } else {
            let mut bytes = Vec::new();
            self.mem.read(flat.at, flat.length, &mut bytes);
            if bytes.is_ascii() {
                return Ok(String::from_utf8(bytes).unwrap_or_default());
            }
            Ok(bytes.iter().map(|&b| char::from(b)).collect())
        }
    }

    /// Host text of a string that lies in parts or in one: takes no guest memory, so that errors can be told when there is none. What
    /// the host has no room for is cut off.
    pub(crate) fn told(&mut self, string: u32) -> String {
        let length = self.high(string);
        self.debt += u64::from(length / 16);
        let most = if self.scratch(length as usize * 5).is_ok() { length.min(self.most(1)) } else { self.cap / 20 } as usize;
        let mut units: Vec<u16> = Vec::new();
        let mut pending = vec![string];
        // A corrupted heap can hold ropes in a circle: there are no more than fit.
        let mut ropes = self.top / 16;
        while let Some(node) = pending.pop()
            && units.len() < most
        {
            let part = match self.kind(node) {
                Kind::Rope if ropes > 0 => {
                    ropes -= 1;
                    pending.extend([self.mem.load_u32(node + 12), self.mem.load_u32(node + 8)]);
                    continue;
                }
                Kind::Slice => self.slice_units(node),
                Kind::String8 | Kind::String16 => Flat { at: node + 16, length: self.high(node), wide: self.is(node, Kind::String16) },
                _ => break,
            };
            let count = part.length.min((most - units.len()) as u32);
            units.extend((0..count).map(|i| self.unit(part, i)));
        }
        String::from_utf16_lossy(&units)
    }

    /// WTF-8 bytes of a string (for the parser).
    pub(crate) fn wtf8(&mut self, string: u32) -> Result<Vec<u8>> {
        let mut flat = self.flat(string)?;
        self.debt += u64::from(flat.length / 16);
        flat.length = flat.length.min(self.most(1));
        self.scratch(flat.length as usize * 2)?;
        let mut out = Vec::with_capacity(flat.length as usize);
        if !flat.wide {
            self.mem.read(flat.at, flat.length, &mut out);
            if out.is_ascii() {
                return Ok(out);
            }
            out.clear();
        }
        let mut i = 0;
        while i < flat.length {
            let unit = u32::from(self.unit(flat, i));
            i += 1;
            let mut code = unit;
            if unit & 0xfc00 == 0xd800 && i < flat.length {
                let low = u32::from(self.unit(flat, i));
                if low & 0xfc00 == 0xdc00 {
                    code = 0x10000 + ((unit & 0x3ff) << 10 | low & 0x3ff);
                    i += 1;
                }
            }
            push_wtf8(&mut out, code);
        }
        Ok(out)
    }

    /// left + right.
    pub(crate) fn concat(&mut self, left: u32, right: u32) -> Result<u32> {
        let (a, b) = (self.high(left), self.high(right));
        if a == 0 {
            return Ok(right);
        }
        if b == 0 {
            return Ok(left);
        }
        let length = a.saturating_add(b);
        if length > MAX_LENGTH {
            return Err(Signal::Collect(u32::MAX));
        }
        let wide = self.is_wide(left) || self.is_wide(right);
        if length >= ROPE {
            let cell = self.allocate(Kind::Rope, 16, length)?;
            if wide {
                self.set_flags(cell, flag::PRIVATE);
            }
            self.mem.store_u32(cell + 8, left);
            self.mem.store_u32(cell + 12, right);
            return Ok(cell);
        }
        let (x, y) = (self.flat(left)?, self.flat(right)?);
        let cell = self.flat_bytes(wide, length)?;
        self.copy_units(x, cell + 16, wide);
        self.copy_units(y, cell + 16 + (a << u32::from(wide)), wide);
        Ok(cell)
    }

    /// left + right (an int in decimal digits, or a string), where that takes neither a charge nor a search for room; else 0, with
    /// nothing done.
    #[inline(never)]
    pub(crate) fn concat_quickly(&mut self, left: u32, right: Value) -> u32 {
        let mut digits = [0u8; 16];
        let header = self.mem.load_u64(left);
        let a = (header >> 32) as u32;
        let (b, narrow) = if right.is_string() {
            let header = self.mem.load_u64(right.payload());
            ((header >> 32) as u32, header as u8 == Kind::String8 as u8)
        } else {
            let mut rest = right.payload();
            let mut at = digits.len();
            loop {
                at -= 1;
                digits[at] = b'0' + (rest % 10) as u8;
                rest /= 10;
                if rest == 0 {
                    break;
                }
            }
            digits.copy_within(at.., 0);
            ((digits.len() - at) as u32, true)
        };
        let length = a.saturating_add(b);
        if a == 0 || b == 0 || length > MAX_LENGTH {
            return 0;
        }
        if length >= ROPE {
            if !right.is_string() || self.room() < 16 {
                return 0;
            }
            let wide = self.is_wide(left) || self.is_wide(right.payload());
            let Ok(cell) = self.allocate(Kind::Rope, 16, length) else { return 0 };
            if wide {
                self.set_flags(cell, flag::PRIVATE);
            }
            self.mem.set_own_u32(cell + 8, left);
            self.mem.set_own_u32(cell + 12, right.payload());
            return cell;
        }
        if header as u8 != Kind::String8 as u8 || !narrow || self.room() < 48 {
            return 0;
        }
        let Ok(cell) = self.allocate(Kind::String8, 16 + length, length) else { return 0 };
        self.mem.set_own_u64(cell + 8, 0);
        self.copy_short(left + 16, cell + 16, a);
        if right.is_string() {
            self.copy_short(right.payload() + 16, cell + 16 + a, b);
        } else {
            self.mem.write(cell + 16 + a, &digits[..b as usize]);
        }
        cell
    }

    /// Copies a few bytes without a call.
    #[inline(always)]
    fn copy_short(&self, from: u32, to: u32, length: u32) {
        let mut at = 0;
        while at + 8 <= length {
            self.mem.store_u64(to + at, self.mem.load_u64(from + at));
            at += 8;
        }
        if length & 4 != 0 {
            self.mem.store_u32(to + at, self.mem.load_u32(from + at));
            at += 4;
        }
        if length & 2 != 0 {
            self.mem.store_u16(to + at, self.mem.load_u16(from + at));
            at += 2;
        }
        if length & 1 != 0 {
            self.mem.store_u8(to + at, self.mem.load_u8(from + at));
        }
    }

    /// Units `start..end` of a string; `start <= end <= length`.
    pub(crate) fn substring(&mut self, string: u32, start: u32, end: u32) -> Result<u32> {
        let length = end - start;
        if start == 0 && end == self.high(string) {
            return Ok(string);
        }
        if length == 0 {
            return Ok(atoms::EMPTY);
        }
        let flat = self.flat(string)?;
        if length == 1 {
            let unit = self.unit(flat, start);
            if unit < 256 {
                return Ok(atoms::character(unit as u8));
            }
        }
        let part = Flat { at: flat.at.wrapping_add(start << u32::from(flat.wide)), length, wide: flat.wide };
        // A wide parent's narrow part is copied narrow, so that equal strings mostly have one form.
        if length >= SLICE && !flat.wide {
            let (parent, first) = match self.kind(string) {
                Kind::Slice => (self.mem.load_u32(string + 8), self.mem.load_u32(string + 12)),
                _ => (string, 0),
            };
            // A short part of a long text would keep it alive.
            if self.high(parent) / 8 <= length {
                let cell = self.allocate(Kind::Slice, 16, length)?;
                self.mem.store_u32(cell + 8, parent);
                self.mem.store_u32(cell + 12, first + start);
                return Ok(cell);
            }
        }
        if flat.wide && (0..length).all(|i| self.unit(part, i) < 256) {
            let bytes: Vec<u8> = (0..length).map(|i| self.unit(part, i) as u8).collect();
            return self.string8(&bytes);
        }
        let cell = self.flat_bytes(flat.wide, length)?;
        self.copy_units(part, cell + 16, flat.wide);
        Ok(cell)
    }

    /// Equality of contents.
    pub(crate) fn strings_equal(&mut self, a: u32, b: u32) -> Result<bool> {
        if a == b {
            return Ok(true);
        }
        if self.high(a) != self.high(b) || self.flags(a) & self.flags(b) & flag::ATOM != 0 && self.is_flat(a) && self.is_flat(b) {
            return Ok(false);
        }
        let (x, y) = (self.flat(a)?, self.flat(b)?);
        Ok(self.flats_equal(x, y))
    }

    #[inline(always)]
    fn is_flat(&self, string: u32) -> bool {
        let kind = self.kind_byte(string);
        kind == Kind::String8 as u8 || kind == Kind::String16 as u8
    }

    fn flats_equal(&mut self, x: Flat, y: Flat) -> bool {
        self.debt += u64::from(x.length / 32);
        if x.wide == y.wide {
            if x.length != y.length {
                return false;
            }
            if x.length <= 8 && !x.wide {
                // In one word; what lies behind the texts is cut off.
                let unused = 64 - 8 * x.length;
                return x.length == 0 || (self.mem.load_u64(x.at) ^ self.mem.load_u64(y.at)) << unused == 0;
            }
            return self.mem.same(x.at, y.at, x.length << u32::from(x.wide));
        }
        x.length == y.length && (0..x.length).all(|i| self.unit(x, i) == self.unit(y, i))
    }

    /// Order of contents by code units.
    pub(crate) fn strings_compare(&mut self, a: u32, b: u32) -> Result<std::cmp::Ordering> {
        let (x, y) = (self.flat(a)?, self.flat(b)?);
        let shorter = x.length.min(y.length);
        if !x.wide && !y.wide {
            self.debt += u64::from(shorter / 64);
            return Ok(self.mem.compare((x.at, x.length), (y.at, y.length)));
        }
        for i in 0..shorter {
            let order = self.unit(x, i).cmp(&self.unit(y, i));
            if order != std::cmp::Ordering::Equal {
                self.debt += u64::from(i / 16);
                return Ok(order);
            }
        }
        self.debt += u64::from(shorter / 16);
        Ok(x.length.cmp(&y.length))
    }

    /// The order of two strings that are flat by now, which charges nothing.
    pub(crate) fn flat_order(&mut self, a: u32, b: u32) -> Result<std::cmp::Ordering> {
        let (x, y) = (self.flat(a)?, self.flat(b)?);
        if !x.wide && !y.wide {
            return Ok(self.mem.compare((x.at, x.length), (y.at, y.length)));
        }
        let shorter = x.length.min(y.length);
        let unequal = (0..shorter).map(|i| self.unit(x, i).cmp(&self.unit(y, i))).find(|order| order.is_ne());
        Ok(unequal.unwrap_or_else(|| x.length.cmp(&y.length)))
    }

    /// The hash of a flat run; never 0.
    fn hash_units(&self, flat: Flat) -> u32 {
        let mut hash = 0x811c_9dc5u32;
        if flat.wide {
            for i in 0..flat.length {
                hash = (hash ^ u32::from(self.unit(flat, i))).wrapping_mul(0x0100_0193);
            }
        } else {
            let bytes = self.mem.code(flat.at);
            for i in 0..flat.length {
                hash = (hash ^ u32::from(bytes.load_u8(flat.at.wrapping_add(i)))).wrapping_mul(0x0100_0193);
            }
        }
        hash ^= hash >> 15;
        hash.max(1)
    }

    /// The hash of any string, kept in flat ones.
    pub(crate) fn string_hash(&mut self, string: u32) -> Result<u32> {
        if self.is_flat(string) {
            let known = self.mem.load_u32(string + 8);
            if known != 0 {
                return Ok(known);
            }
        }
        let flat = self.flat(string)?;
        self.debt += u64::from(flat.length / 16);
        let hash = self.hash_units(flat);
        if self.is_flat(string) {
            self.lasting += u64::from(flat.length / 16);
            self.mem.store_u32(string + 8, hash);
        }
        Ok(hash)
    }

    /// The array index that a string spells canonically.
    pub(crate) fn string_index(&self, flat: Flat) -> Option<u32> {
        if flat.length == 0 || flat.length > 10 {
            return None;
        }
        let mut n = 0u64;
        for i in 0..flat.length {
            let digit = self.unit(flat, i).wrapping_sub(48);
            if digit > 9 || (digit == 0 && i == 0 && flat.length > 1) {
                return None;
            }
            n = n * 10 + u64::from(digit);
        }
        (n < u64::from(u32::MAX)).then_some(n as u32)
    }

    /// The key a string stands for; interns it.
    pub(crate) fn string_key(&mut self, string: u32) -> Result<Key> {
        if self.flags(string) & flag::ATOM != 0 && self.is_flat(string) {
            return Ok(Key::Name(string));
        }
        let flat = self.flat(string)?;
        let whole = self.is_flat(string);
        if whole {
            // Names it once was found to be are kept: o[k] often follows o[k].
            let known = self.mem.load_u32(string + 12);
            if known != 0 {
                return Ok(Key::Name(known));
            }
        }
        if let Some(index) = self.string_index(flat) {
            return Ok(Key::Index(index));
        }
        let name = self.intern_flat(string, flat)?;
        if whole && name != string {
            self.mem.store_u32(string + 12, name);
        }
        Ok(Key::Name(name))
    }

    /// The name of a string that is known to be one already.
    #[inline(always)]
    pub(crate) fn known_name(&self, string: u32) -> Option<u32> {
        if !self.is_flat(string) {
            return None;
        }
        if self.flags(string) & flag::ATOM != 0 {
            return Some(string);
        }
        let known = self.mem.load_u32(string + 12);
        (known != 0).then_some(known)
    }

    /// The interned name with this text. The text must not be an array index.
    pub(crate) fn name(&mut self, text: &str) -> Result<u32> {
        let string = self.string(text)?;
        self.intern(string)
    }

    /// Interns a string that is not an array index.
    pub(crate) fn intern(&mut self, string: u32) -> Result<u32> {
        if self.flags(string) & flag::ATOM != 0 && self.is_flat(string) {
            return Ok(string);
        }
        let flat = self.flat(string)?;
        self.intern_flat(string, flat)
    }

    fn intern_flat(&mut self, string: u32, flat: Flat) -> Result<u32> {
        let hash = self.string_hash(string)?;
        if let Some(found) = self.find_atom(flat, hash) {
            return Ok(found);
        }
        let capacity = self.high(self.atoms) / 4;
        if self.atom_count * 4 >= capacity * 3 || capacity == 0 {
            self.grow_atoms((capacity * 2).max(64))?;
        }
        let own = if self.is_flat(string) && (string & SHARED == 0 || self.shared_cursor != 0) {
            string
        } else {
            let cell = self.flat_bytes(flat.wide, flat.length)?;
            self.copy_units(flat, cell + 16, flat.wide);
            cell
        };
        self.mem.store_u32(own + 8, hash);
        self.set_flags(own, flag::ATOM);
        self.insert_atom(own, hash);
        Ok(own)
    }

    /// Makes an existing flat string a name (while the image is built).
    pub(crate) fn intern_existing(&mut self, string: u32) -> Result<()> {
        let flat = self.flat(string)?;
        let hash = self.hash_units(flat);
        let capacity = self.high(self.atoms) / 4;
        if self.atom_count * 4 >= capacity * 3 || capacity == 0 {
            self.grow_atoms((capacity * 2).max(1024))?;
        }
        self.mem.store_u32(string + 8, hash);
        self.set_flags(string, flag::ATOM);
        self.insert_atom(string, hash);
        Ok(())
    }

    fn find_in(&mut self, table: u32, flat: Flat, hash: u32) -> Option<u32> {
        let mask = (self.high(table) / 4).wrapping_sub(1);
        if table == 0 || mask == u32::MAX {
            return None;
        }
        let mut at = hash & mask;
        for probe in 0..=self.most_probes(mask) {
            self.pay_for_probe(probe);
            let atom = self.mem.load_u32(table + 8 + at * 4);
            if atom == 0 {
                return None;
            }
            if atom != GONE && self.mem.load_u32(atom + 8) == hash {
                let other = Flat { at: atom + 16, length: self.high(atom), wide: self.is(atom, Kind::String16) };
                if self.flats_equal(flat, other) {
                    return Some(atom);
                }
            }
            at = (at + 1) & mask;
        }
        None
    }

    fn find_atom(&mut self, flat: Flat, hash: u32) -> Option<u32> {
        // Names made at run time are most often the guest's own.
        let shared = self.mem.load_u32(SHARED | 8);
        self.find_in(self.atoms, flat, hash).or_else(|| self.find_in(shared, flat, hash))
    }

    /// Puts an atom in the private table, which has room.
    pub(crate) fn insert_atom(&mut self, atom: u32, hash: u32) {
        let mask = (self.high(self.atoms) / 4).wrapping_sub(1);
        let mut at = hash & mask;
        for probe in 0..=self.most_probes(mask) {
            self.pay_for_probe(probe);
            let place = self.atoms + 8 + at * 4;
            if self.mem.load_u32(place) == 0 {
                self.mem.store_u32(place, atom);
                self.atom_count += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// Rebuilds the private atom table with room for `capacity` (a power of two).
    pub(crate) fn grow_atoms(&mut self, capacity: u32) -> Result<()> {
        let table = self.raw(capacity * 4)?;
        let old = self.atoms;
        let count = self.high(old) / 4;
        self.atoms = table;
        self.atom_count = 0;
        let before = self.debt;
        for i in 0..count {
            let atom = self.mem.load_u32(old + 8 + i * 4);
            if atom > GONE {
                let hash = self.mem.load_u32(atom + 8);
                self.insert_atom(atom, hash);
                self.bear(before, count)?;
            }
        }
        Ok(())
    }

    /// A new symbol. `description` 0: none.
    pub(crate) fn new_symbol(&mut self, description: u32, flags: u8) -> Result<u32> {
        let cell = self.allocate(Kind::Symbol, 16, 0)?;
        // Symbols hash by where they are: stable, since cells do not move, and never shown to the guest.
        self.mem.store_u32(cell + 8, (cell >> 4).wrapping_mul(0x9e37_79b1) | 1);
        self.mem.store_u32(cell + 12, description);
        self.set_flags(cell, flags);
        Ok(cell)
    }

    /// The hash of a name (string or symbol).
    #[inline(always)]
    pub(crate) fn name_hash(&self, name: u32) -> u32 {
        self.mem.load_u32(name + 8)
    }

    pub(crate) fn is_symbol_name(&self, name: u32) -> bool {
        self.is(name, Kind::Symbol)
    }

    /// A key as a value: string or symbol.
    pub(crate) fn key_value(&mut self, key: Key) -> Result<Value> {
        match key {
            Key::Index(i) => self.index_string(i).map(Value::string),
            Key::Name(n) if self.is_symbol_name(n) => Ok(Value::symbol(n)),
            Key::Name(n) => Ok(Value::string(n)),
        }
    }

    /// Decimal digits.
    pub(crate) fn index_string(&mut self, n: u32) -> Result<u32> {
        if n < 10 {
            return Ok(atoms::character(b'0' + n as u8));
        }
        let mut digits = [0u8; 10];
        let mut at = 10;
        let mut rest = n;
        while rest > 0 {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.string8(&digits[at..])
    }
}

/// The UTF-16 units of WTF-8 bytes; malformed bytes count as themselves.
pub(crate) fn wtf8_units(bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let low = |i: usize| tail.get(i).map_or(0, |b| u32::from(b & 0x3f));
        let (code, used) = match first {
            0..=0x7f => (u32::from(*first), 0),
            0xc0..=0xdf => (u32::from(first & 0x1f) << 6 | low(0), 1),
            0xe0..=0xef => (u32::from(first & 0x0f) << 12 | low(0) << 6 | low(1), 2),
            0xf0..=0xf7 => (u32::from(first & 0x07) << 18 | low(0) << 12 | low(1) << 6 | low(2), 3),
            _ => (0xfffd, 0),
        };
        rest = tail.get(used..).unwrap_or(&[]);
        if code >= 0x10000 {
            let c = code - 0x10000;
            units.push(0xd800 | (c >> 10) as u16 & 0x3ff);
            units.push(0xdc00 | (c & 0x3ff) as u16);
        } else {
            units.push(code as u16);
        }
    }
    units
}

/// Appends a code point (surrogates allowed).
pub(crate) fn push_wtf8(out: &mut Vec<u8>, code: u32) {
    match code {
        0..=0x7f => out.push(code as u8),
        0x80..=0x7ff => out.extend([0xc0 | (code >> 6) as u8, 0x80 | (code & 0x3f) as u8]),
        0x800..=0xffff => out.extend([0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
        _ => out.extend([
            0xf0 | (code >> 18) as u8,
            0x80 | (code >> 12 & 0x3f) as u8,
            0x80 | (code >> 6 & 0x3f) as u8,
            0x80 | (code & 0x3f) as u8,
        ]),
    }
}
