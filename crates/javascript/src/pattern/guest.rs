//! Programs, texts and stores that lie in guest memory.
//!
//! All three are copies of a view (base and mask) with an offset and a length, so they may be used
//! while the heap goes on living, as long as what they point to is not moved or freed. A wrong
//! offset reads or harms the same guest's memory only.

use memory::{DualView, Region};

use super::program::Code;
use super::store::Store;
use super::text::Text;

/// A program in guest memory.
#[derive(Clone, Copy)]
pub struct GuestCode<'a> {
    region: Region<'a>,
    offset: u32,
    words: u32,
}

impl<'a> GuestCode<'a> {
    /// The program of `words` words at `offset`.
    pub fn new(view: DualView<'a>, offset: u32, words: u32) -> GuestCode<'a> {
        GuestCode { region: view.region(offset), offset, words }
    }
}

impl Code for GuestCode<'_> {
    #[inline(always)]
    fn word(self, index: u32) -> u32 {
        if index < self.words { self.region.load_u32(self.offset.wrapping_add(index.wrapping_mul(4))) } else { 0 }
    }
}

/// A text of one byte per code unit in guest memory.
#[derive(Clone, Copy)]
pub struct GuestLatin1<'a> {
    region: Region<'a>,
    offset: u32,
    length: u32,
}

impl<'a> GuestLatin1<'a> {
    /// The text of `length` code units at `offset`.
    pub fn new(view: DualView<'a>, offset: u32, length: u32) -> GuestLatin1<'a> {
        GuestLatin1 { region: view.region(offset), offset, length }
    }
}

impl Text for GuestLatin1<'_> {
    const WIDE: bool = false;

    #[inline(always)]
    fn len(self) -> u32 {
        self.length
    }

    #[inline(always)]
    fn unit(self, index: u32) -> u32 {
        if index < self.length { u32::from(self.region.load_u8(self.offset.wrapping_add(index))) } else { 0 }
    }

    fn find(self, unit: u32, from: u32, to: u32) -> Option<u32> {
        const ONES: u32 = 0x0101_0101;
        let pattern = u8::try_from(unit).ok()? as u32 * ONES;
        let to = to.min(self.length);
        let mut at = from;
        // Four bytes at a time, until one of them is zero after the exclusive or.
        while to.saturating_sub(at) >= 4 {
            let word = self.region.load_u32(self.offset.wrapping_add(at)) ^ pattern;
            let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
            if zeros != 0 {
                return Some(at + zeros.trailing_zeros() / 8);
            }
            at += 4;
        }
        (at..to).find(|&i| self.unit(i) == unit)
    }
}

/// A text of UTF-16 in guest memory.
#[derive(Clone, Copy)]
pub struct GuestUtf16<'a> {
    region: Region<'a>,
    offset: u32,
    length: u32,
}

impl<'a> GuestUtf16<'a> {
    /// The text of `length` code units at `offset`.
    pub fn new(view: DualView<'a>, offset: u32, length: u32) -> GuestUtf16<'a> {
        GuestUtf16 { region: view.region(offset), offset, length }
    }
}

impl Text for GuestUtf16<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn len(self) -> u32 {
        self.length
    }

    #[inline(always)]
    fn unit(self, index: u32) -> u32 {
        if index < self.length { self.region.load_u32(self.offset.wrapping_add(index.wrapping_mul(2))) & 0xFFFF } else { 0 }
    }
}

/// A store in guest memory, which asks its owner for larger blocks.
pub struct GuestStore<'a, G> {
    view: DualView<'a>,
    offset: u32,
    words: u32,
    grow: G,
}

impl<'a, G: FnMut(u32) -> Option<(DualView<'a>, u32)>> GuestStore<'a, G> {
    /// The block of `words` words at `offset`, in the private part. `grow` is asked for a block of
    /// so many words: a view that reaches both blocks, and the offset of the new one. What is in the
    /// old block is copied by the store; then the old block is not used any more, but it must
    /// still be there when `grow` returns.
    pub fn new(view: DualView<'a>, offset: u32, words: u32, grow: G) -> GuestStore<'a, G> {
        GuestStore { view, offset, words, grow }
    }

    /// Where the block is now, and its words: to be kept while a match is paused.
    pub fn block(&self) -> (u32, u32) {
        (self.offset, self.words)
    }
}

impl<'a, G: FnMut(u32) -> Option<(DualView<'a>, u32)>> Store for GuestStore<'a, G> {
    #[inline(always)]
    fn words(&self) -> u32 {
        self.words
    }

    #[inline(always)]
    fn load(&self, index: u32) -> u32 {
        if index < self.words { self.view.private.load_u32(self.offset.wrapping_add(index.wrapping_mul(4))) } else { 0 }
    }

    #[inline(always)]
    fn store(&mut self, index: u32, value: u32) {
        if index < self.words {
            self.view.private.store_u32(self.offset.wrapping_add(index.wrapping_mul(4)), value);
        }
    }

    fn grow(&mut self, words: u32) -> bool {
        if words <= self.words {
            return true;
        }
        // Offsets are bytes in 31 bits.
        let Some((view, offset)) = (words < 1 << 29).then(|| (self.grow)(words)).flatten() else { return false };
        view.copy_within(self.offset, offset, self.words.wrapping_mul(4));
        (self.view, self.offset, self.words) = (view, offset, words);
        true
    }

    fn copy(&mut self, from: u32, to: u32, count: u32) {
        let inside = |start: u32| start.checked_add(count).is_some_and(|end| end <= self.words);
        if inside(from) && inside(to) {
            let byte = |index: u32| self.offset.wrapping_add(index.wrapping_mul(4));
            self.view.copy_within(byte(from), byte(to), count.wrapping_mul(4));
        }
    }

    fn clear(&mut self, from: u32, count: u32) {
        if from.checked_add(count).is_some_and(|end| end <= self.words) {
            self.view.fill(self.offset.wrapping_add(from.wrapping_mul(4)), count.wrapping_mul(4), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arena, Flags, Free, Limits, Step, compile, group, resume, start};
    use super::*;

    #[test]
    fn a_match_in_guest_memory_is_the_same() {
        let image = memory::SharedImage::new(&[0; 64]).expect("an image");
        let pool = memory::Pool::new(1 << 20, 1).expect("a pool");
        let slot = pool.take(1 << 20).expect("a slot");
        let view = slot.dual(&image);
        let source: Vec<u16> = "(?:(a)|a|(b))*?(c+)(?=!)".encode_utf16().collect();
        let program = compile(&source, Flags::default(), Limits::default(), &mut Free).expect("a pattern");
        let bytes: Vec<u8> = program.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        view.write_from(4096, &bytes);
        let code = GuestCode::new(view, 4096, program.words().len() as u32);
        let text = [b"ab".repeat(2000), b"ccc!".to_vec()].concat();
        view.write_from(65_536, &text);
        let wide: Vec<u8> = text.iter().flat_map(|&b| [b, 0]).collect();
        view.write_from(131_072, &wide);
        let length = text.len() as u32;

        let mut arena = Arena::new(1 << 16);
        let mut fuel = 1 << 20;
        assert!(start(program.words(), &text[..], 0, false, &mut arena));
        assert_eq!(resume(program.words(), &text[..], &mut arena, &mut fuel), Step::Matched);
        let expected: Vec<_> = (0..4).map(|g| group(&arena, g, length)).collect();

        let mut next = 1 << 18;
        let mut store = GuestStore::new(view, 1 << 18, 0, move |words| {
            next += words * 4;
            (next < 1 << 20).then_some((view, next - words * 4))
        });
        let mut guest_fuel = 1 << 20;
        let narrow = GuestLatin1::new(view, 65_536, length);
        assert!(start(code, narrow, 0, false, &mut store));
        assert_eq!(resume(code, narrow, &mut store, &mut guest_fuel), Step::Matched);
        assert_eq!((0..4).map(|g| group(&store, g, length)).collect::<Vec<_>>(), expected);
        assert_eq!(guest_fuel, fuel);

        let mut guest_fuel = 1 << 20;
        let utf16 = GuestUtf16::new(view, 131_072, length);
        assert!(start(code, utf16, 0, false, &mut store));
        assert_eq!(resume(code, utf16, &mut store, &mut guest_fuel), Step::Matched);
        assert_eq!((0..4).map(|g| group(&store, g, length)).collect::<Vec<_>>(), expected);

        for unit in [u32::from(b'c'), u32::from(b'!'), u32::from(b'z')] {
            for from in [0, 1, 2, 3, 3999, 4003, 4004] {
                assert_eq!(narrow.find(unit, from, length), (&text[..]).find(unit, from, length), "{unit} from {from}");
            }
        }
    }
}
