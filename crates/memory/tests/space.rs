//! An address space behaves as a table of bytes with permissions, in a slot, in a reservation, and after freezing.

use std::collections::BTreeMap;

use memory::space::Region;
use memory::{Fault, Granularity, Image, MapError, PAGE, Permission, Space};
use proptest::prelude::*;

/// What the address space should be: regions, and the bytes in them that are not zero.
#[derive(Clone, Default)]
struct Model {
    bytes: BTreeMap<u64, u8>,
    regions: Vec<(u32, u32, bool)>,
}

impl Model {
    fn map(&mut self, start: u32, length: u32, write: bool) -> bool {
        let free = self.touching(u64::from(start), u64::from(start) + u64::from(length)).is_empty();
        if free {
            self.regions.push((start, length, write));
        }
        free
    }

    /// The regions that have bytes in this range.
    fn touching(&self, from: u64, to: u64) -> Vec<(u32, u32, bool)> {
        let touches = |start: u32, length: u32| u64::from(start) < to && from < u64::from(start) + u64::from(length);
        self.regions.iter().copied().filter(|(start, length, _)| touches(*start, *length)).collect()
    }

    /// The region that holds all of this range.
    fn region(&self, from: u64, to: u64) -> Option<(u32, u32, bool)> {
        let touching = self.touching(from, to);
        touching.into_iter().find(|(start, length, _)| u64::from(*start) <= from && to <= u64::from(*start) + u64::from(*length))
    }

    fn load(&self, address: u32, width: u32) -> Option<u32> {
        let range = u64::from(address)..u64::from(address) + u64::from(width);
        self.region(range.start, range.end)?;
        Some(range.rev().fold(0, |value, at| value << 8 | u32::from(self.bytes.get(&at).copied().unwrap_or(0))))
    }

    fn store(&mut self, address: u32, width: u32, value: u32) -> bool {
        let range = u64::from(address)..u64::from(address) + u64::from(width);
        let good = self.region(range.start, range.end).is_some_and(|(_, _, write)| write);
        if good {
            self.bytes.extend(range.zip(value.to_le_bytes()));
        }
        good
    }

    /// Whether code made from this page must be watched: something in it can be stored to, or what may be done differs within it.
    fn watches(&self, page: u32) -> bool {
        let (start, end) = (u64::from(page) << 12, u64::from(page + 1) << 12);
        let touching = self.touching(start, end);
        touching.iter().any(|(_, _, write)| *write) || (!touching.is_empty() && self.region(start, end).is_none())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Map(u32, u32, bool),
    Load(u32, u32),
    Store(u32, u32, u32),
    Guard,
    Copy,
    Watch(u32),
}

fn address() -> impl Strategy<Value = u32> {
    // A few pages at the bottom, where regions meet, and the top of the address space, whose table of a million pages is too long for Miri.
    let top = if cfg!(miri) { 0x5000u32..=0x6010 } else { 0xffff_f000..=0xffff_ffff };
    prop_oneof![4 => 0x1000u32..0x6010, 1 => top]
}

fn step() -> impl Strategy<Value = Step> {
    let width = prop_oneof![Just(1u32), Just(2), Just(4)];
    prop_oneof![
        3 => (address(), 1u32..6000, any::<bool>()).prop_map(|(start, length, write)| Step::Map(start, length, write)),
        6 => (address(), width.clone()).prop_map(|(address, width)| Step::Load(address, width)),
        6 => (address(), width, any::<u32>()).prop_map(|(address, width, value)| Step::Store(address, width, value)),
        1 => Just(Step::Guard),
        1 => Just(Step::Copy),
        1 => (1u32..6).prop_map(Step::Watch),
    ]
}

fn load(space: &Space, address: u32, width: u32) -> Option<u32> {
    match width {
        1 => space.load_u8(address).map(u32::from),
        2 => space.load_u16(address).map(u32::from),
        _ => space.load_u32(address),
    }
}

fn store(space: &mut Space, address: u32, width: u32, value: u32) -> bool {
    match width {
        1 => space.store_u8(address, value as u8),
        2 => space.store_u16(address, value as u16),
        _ => space.store_u32(address, value),
    }
}

fn saved_and_loaded(space: &Space) -> Image {
    let mut bytes = Vec::new();
    space.freeze().unwrap().save(&mut bytes).unwrap();
    Image::load(&mut bytes.as_slice(), 64 << 20).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 50 }))]

    #[test]
    fn byte_granularity_is_a_table_of_bytes(steps in prop::collection::vec(step(), 1..80)) {
        let mut space = Space::new(Granularity::Byte, None, 0);
        let mut model = Model::default();
        let mut watched = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Map(start, length, write) => {
                    let wraps = u64::from(start) + u64::from(length) > 1 << 32;
                    let permission = if write { Permission::ReadWrite } else { Permission::ReadOnly };
                    let expected = if wraps {
                        Err(MapError::Wraps)
                    } else if model.map(start, length, write) {
                        Ok(())
                    } else {
                        Err(MapError::Overlaps)
                    };
                    prop_assert_eq!(space.map(start, length, permission, "x"), expected);
                }
                Step::Load(address, width) => prop_assert_eq!(load(&space, address, width), model.load(address, width)),
                Step::Store(address, width, value) => {
                    let good = model.store(address, width, value);
                    prop_assert_eq!(space.check(address, width, true).is_ok(), good);
                    prop_assert_eq!(store(&mut space, address, width, value), good);
                    let mut reported = space.take_changed_code();
                    reported.sort_unstable();
                    let pages = [address >> 12, ((u64::from(address) + u64::from(width) - 1) >> 12) as u32];
                    let mut expected: Vec<u32> = pages.into_iter().filter(|page| good && watched.remove(page)).collect();
                    expected.sort_unstable();
                    prop_assert_eq!(reported, expected);
                }
                Step::Guard => {
                    // Not every platform has it; what is in memory must not depend on it.
                    let _ = space.guarded();
                }
                Step::Copy => {
                    let image = saved_and_loaded(&space);
                    prop_assert_eq!(image.regions(), space.regions());
                    space = image.spawn(None).unwrap();
                    watched.clear();
                }
                Step::Watch(page) => {
                    space.watch_code(page);
                    if model.watches(page) {
                        watched.insert(page);
                    }
                }
            }
        }
    }
}

#[test]
fn page_granularity_rounds_towards_more_and_keeps_read_only_bytes() {
    for guard in [false, true] {
        let mut space = Space::new(Granularity::Page, None, 0);
        space.map(0x1f6c, 0x394, Permission::ReadOnly, "text").unwrap();
        space.map(0x2400, 0x100, Permission::ReadWrite, "data").unwrap();
        space.map(0x4000, 3, Permission::ReadOnly, "input").unwrap();
        space.map(0x6000, 10, Permission::ReadWrite, "stack").unwrap();
        space.initialize(0x4000, b"abc").unwrap();
        if guard {
            let _ = space.guarded();
        }
        assert_eq!(space.load_u32(0x4000), Some(0x0063_6261), "zeros follow to the end of the page");
        assert_eq!(space.load_u32(0x4ffc), Some(0));
        assert_eq!(space.load_u32(0x4ffd), None);
        assert_eq!(space.check(0x4ffd, 4, false), Err(Fault::Unmapped(0x5000)));
        assert_eq!(space.check(0x4001, 1, true), Err(Fault::ReadOnly(0x4001)));
        assert!(space.store_u32(0x24fc, 5), "inside of the data");
        assert!(!space.store_u32(0x22ff, 5) && !space.store_u32(0x23fe, 5) && !space.store_u32(0x24fe, 5), "bytes of the text's page stay");
        assert_eq!(space.load_u32(0x24fc), Some(5));
        assert!(space.store_u32(0x6ffc, 7), "a page that only writable regions share is writable to its end");
        assert!(space.is_within_region(0x2400, 0x100, true) && !space.is_within_region(0x2400, 0x101, true));
    }
}

#[test]
fn the_cap_covers_pages_and_bookkeeping() {
    let mut space = Space::new(Granularity::Page, Some(40 << 10), 0);
    assert_eq!(space.map(0x1000, 64 << 10, Permission::ReadWrite, "too much"), Err(MapError::Cap));
    space.map(0x1000, 32 << 10, Permission::ReadWrite, "fits").unwrap();
    let committed = space.committed();
    assert_eq!(space.map(0xffff_0000, 4096, Permission::ReadWrite, "the table would not fit"), Err(MapError::Cap));
    assert_eq!(space.committed(), committed, "a refusal leaves nothing behind");
    let refused = (0..10_000).any(|_| space.map(0x2_0000, 0, Permission::ReadOnly, "empty") == Err(MapError::Cap));
    assert!(refused, "names are not free either");
    assert!(space.committed() <= 40 << 10);
}

/// What ends where the address space ends; nothing is reached by going past it.
#[test]
#[cfg_attr(miri, ignore = "a table of a million pages takes Miri hours")]
fn the_top_of_the_address_space_is_an_end() {
    let mut space = Space::new(Granularity::Byte, None, 0);
    assert_eq!(space.map(0xffff_f000, 0x1001, Permission::ReadWrite, "one too many"), Err(MapError::Wraps));
    space.map(0xffff_fff0, 0x10, Permission::ReadWrite, "last").unwrap();
    space.map(0, 0x10, Permission::ReadWrite, "first").unwrap();
    assert!(space.store_u32(0xffff_fffc, 0x0403_0201));
    assert_eq!((space.load_u32(0xffff_fffc), space.load_u8(0xffff_ffff)), (Some(0x0403_0201), Some(4)));
    for address in 0xffff_fffd..=0xffff_ffff {
        assert_eq!(space.load_u32(address), None);
        assert!(!space.store_u32(address, u32::MAX));
        assert_eq!(space.check(address, 4, true), Err(Fault::Unmapped(u32::MAX)));
    }
    assert_eq!(space.load_u32(0), Some(0), "nothing came round");
    assert_eq!(space.read_up_to(0xffff_fffe, &mut [0; 8]), 2);
}

#[test]
fn a_region_grows_and_shrinks_to_zeros() {
    for guard in [false, true] {
        let mut space = Space::new(Granularity::Page, None, 0);
        space.map(0x1_0000, PAGE, Permission::ReadWrite, "heap").unwrap();
        if guard {
            let _ = space.guarded();
        }
        space.resize(0x1_0000, 3 * PAGE).unwrap();
        assert!(space.store_u32(0x1_2ffc, u32::MAX));
        space.resize(0x1_0000, PAGE).unwrap();
        assert_eq!(space.load_u32(0x1_2ffc), None);
        space.resize(0x1_0000, 3 * PAGE).unwrap();
        assert_eq!(space.load_u32(0x1_2ffc), Some(0));
        space.map(0x1_4000, 1, Permission::ReadOnly, "next").unwrap();
        assert_eq!(space.resize(0x1_0000, 5 * PAGE), Err(MapError::Overlaps));
        assert_eq!(space.committed(), 4 * u64::from(PAGE) + (space.committed() % u64::from(PAGE)));
    }
}

/// Regions that end within a page lose nothing when others make their slot too small.
#[test]
fn what_is_mapped_moves_along_when_a_slot_is_outgrown() {
    for granularity in [Granularity::Byte, Granularity::Page] {
        let mut space = Space::new(granularity, None, 0);
        space.map(0x1003, 0x2000, Permission::ReadWrite, "odd").unwrap();
        space.map(0x5005, 7, Permission::ReadOnly, "small").unwrap();
        // Miri walks through every byte of it.
        let step = if cfg!(miri) { 61 } else { 1 };
        let all = || (0x1003..0x3003).step_by(step).chain(0x5005..0x500c);
        for at in all() {
            space.initialize(at, &[at as u8]).unwrap();
        }
        let mut at = 0x2_0000;
        let end = if cfg!(miri) { 0x6_0000 } else { 0x200_0000 };
        while at < end {
            space.map(at, 0x1000, Permission::ReadWrite, "more").unwrap();
            for at in all() {
                assert_eq!(space.load_u8(at), Some(at as u8), "at {at:#x}");
            }
            at += 0x1_0000;
        }
    }
}

#[test]
fn a_copy_in_a_used_slot_is_as_new() {
    let mut first = Space::new(Granularity::Page, None, 0);
    first.map(0x1000, 0x8000, Permission::ReadWrite, "a").unwrap();
    first.write(0x2000, &[1; 0x3000]).unwrap();
    let image = first.freeze().unwrap();
    for round in 0u8..5 {
        let mut copy = image.spawn(None).unwrap();
        let mut bytes = vec![0; 0x8000];
        copy.read(0x1000, &mut bytes).unwrap();
        assert!(bytes[..0x1000] == [0; 0x1000] && bytes[0x4000..] == [0; 0x4000]);
        assert!(bytes[0x1000..0x4000] == [1; 0x3000], "round {round}");
        copy.write(0x1ff0 + u32::from(round) * 0x1000, &[round; 0x20]).unwrap();
        if round % 2 == 0 {
            copy.map(0x2_0000, 0x1000, Permission::ReadWrite, "more").unwrap();
            assert_eq!(copy.load_u32(0x2_0000), Some(0));
            copy.write(0x2_0000, &[9; 0x1000]).unwrap();
        }
        drop(copy);
        let mut other = Space::new(Granularity::Page, None, 0);
        if round == 3 {
            other.map(0x1000, 0x3_0000, Permission::ReadWrite, "all").unwrap();
            let mut bytes = vec![0; 0x3_0000];
            other.read(0x1000, &mut bytes).unwrap();
            assert!(bytes == [0; 0x3_0000], "nothing of another cell can be seen");
        }
    }
}

#[test]
fn a_large_image_is_mapped_and_copies_do_not_meet() {
    // Large enough to be mapped, or what Miri can walk through in time.
    let size: u32 = if cfg!(miri) { 32 << 10 } else { 8 << 20 };
    let (filled, behind) = (size / 4 * 3, size - 0x1000);
    let text = if cfg!(miri) { 0x2_0000 } else { 0x0200_0000 };
    let mut space = Space::new(Granularity::Page, None, 0);
    space.map(0x1000, size, Permission::ReadWrite, "data").unwrap();
    space.map(text, 10, Permission::ReadOnly, "text").unwrap();
    space.write(0x1000, &vec![3; filled as usize]).unwrap();
    space.initialize(text, b"0123456789").unwrap();
    let image = space.freeze().unwrap();
    let (mut one, mut two) = (image.spawn(None).unwrap(), image.spawn(None).unwrap());
    assert!(one.store_u32(0x3000, 1) && two.store_u32(0x3000, 2) && one.store_u32(behind, 5));
    assert_eq!((one.load_u32(0x3000), two.load_u32(0x3000), space.load_u32(0x3000)), (Some(1), Some(2), Some(0x0303_0303)));
    assert_eq!((one.load_u32(behind), two.load_u32(behind)), (Some(5), Some(0)));
    assert!(!one.store_u8(text, 1));
    assert_eq!(saved_and_loaded(&one).spawn(None).unwrap().load_u32(behind), Some(5));
    assert!(image.spawn(Some(u64::from(size) / 8)).is_err(), "the cap holds for copies too");
}

/// Whatever the copies before have done to their memory, and to what is mapped where.
#[test]
fn a_large_copy_after_others_is_as_new() {
    let size: u32 = if cfg!(miri) { 16 << 10 } else { 4 << 20 };
    let (data, filled, rounds) = (0x1000, size / 2, if cfg!(miri) { 4 } else { 16 });
    let text = if cfg!(miri) { 0x1_0000 } else { 0x0100_0000 };
    let mut space = Space::new(Granularity::Page, None, 0);
    space.map(data, size, Permission::ReadWrite, "data").unwrap();
    space.map(text, 10, Permission::ReadOnly, "text").unwrap();
    space.write(data, &vec![3; filled as usize]).unwrap();
    space.initialize(text, b"0123456789").unwrap();
    let image = space.freeze().unwrap();
    let mut bytes = vec![0; size as usize];
    let mut expected = vec![3; filled as usize];
    expected.resize(size as usize, 0);
    for round in 0u32..rounds {
        let mut copies = [image.spawn(None).unwrap(), image.spawn(None).unwrap()];
        for copy in &mut copies {
            assert_eq!(copy.regions(), space.regions(), "round {round}");
            copy.read(data, &mut bytes).unwrap();
            assert!(bytes == expected, "round {round}");
            assert_eq!(copy.load_u64(text), Some(u64::from_le_bytes(*b"01234567")));
            assert!(!copy.store_u8(text, 1) && copy.load_u8(text + PAGE).is_none() && copy.load_u8(data + size).is_none());
        }
        let [mut one, mut two] = copies;
        for at in (data..data + size).step_by(4096) {
            assert!(one.store_u32(at, round + 1));
        }
        assert!(two.store_u32(data + size - 4, u32::MAX));
        match round % 4 {
            0 => one.map(text + 4 * PAGE, PAGE, Permission::ReadWrite, "more").unwrap(),
            1 => one.resize(data, size + 2 * PAGE).unwrap(),
            2 => one.watch_code(data >> 12),
            _ => {
                one.resize(data, PAGE).unwrap();
                one.map(data + 2 * PAGE, PAGE, Permission::ReadOnly, "in its place").unwrap();
            }
        }
    }
}

#[test]
fn many_small_regions_stay_quick_to_find() {
    let count = if cfg!(miri) { 50 } else { 20_000 };
    let mut space = Space::new(Granularity::Byte, None, 0);
    let mut at = 0x1001;
    let mut starts = Vec::new();
    for index in 0..count {
        space.map(at, PAGE, Permission::ReadWrite, &format!("heap{index}")).unwrap();
        starts.push(at);
        at += 2 * PAGE;
    }
    for (index, start) in starts.iter().enumerate() {
        assert!(space.store_u32(start + PAGE - 4, index as u32));
        assert!(!space.store_u32(start + PAGE - 3, 0));
    }
    assert!(starts.iter().enumerate().all(|(index, start)| space.load_u32(start + PAGE - 4) == Some(index as u32)));
}

#[test]
fn damaged_images_are_refused() {
    let mut space = Space::new(Granularity::Byte, None, 0);
    space.map(0x1000, 100, Permission::ReadWrite, "one").unwrap();
    space.map(0x3000, 100, Permission::ReadOnly, "two").unwrap();
    space.write(0x1000, b"contents").unwrap();
    let mut bytes = Vec::new();
    space.freeze().unwrap().save(&mut bytes).unwrap();
    // Miri walks through every byte that a length claims, seconds for each image.
    let (every, bits, cap) = if cfg!(miri) { (7, &[0, 6][..], 32 << 10) } else { (1, &[0, 1, 2, 3, 4, 5, 6, 7][..], 1 << 20) };
    for at in (0..bytes.len().min(120)).step_by(every) {
        assert!(Image::load(&mut &bytes[..at], cap).is_err(), "cut at {at}");
        for bit in bits {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            // Whatever still is an image must be usable.
            if let Ok(image) = Image::load(&mut changed.as_slice(), cap) {
                let copy = image.spawn(None).unwrap();
                let _ = copy.load_u32(0x1000);
                assert!(image.regions().iter().map(Region::end).all(|end| end <= 1 << 32));
            }
        }
    }
    assert!(Image::load(&mut bytes.as_slice(), 4096).is_err(), "the cap holds for loading");
}

/// Ten thousand cells at once, each its own; the address space for them is one mapping.
#[test]
fn many_cells_are_idle_at_once() {
    let count: u32 = if cfg!(miri) {
        20
    } else if cfg!(feature = "portable") {
        500
    } else {
        10_000
    };
    let size: u32 = if cfg!(miri) { 16 << 10 } else { 1 << 20 };
    let pool = memory::Pool::new(size as usize, count as usize).unwrap();
    let slots: Vec<_> = (0..count).map(|_| pool.take(size as usize).unwrap()).collect();
    let mut small = Space::new(Granularity::Page, None, 0);
    small.map(0x1000, PAGE, Permission::ReadWrite, "data").unwrap();
    let image = small.freeze().unwrap();
    let mut spaces: Vec<_> = (0..count).map(|_| image.spawn(None).unwrap()).collect();
    for (index, (slot, space)) in (0u32..).zip(slots.iter().zip(&mut spaces)) {
        slot.view().store_u32(size / 2, index + 1);
        assert!(space.store_u32(0x1000, index + 1));
    }
    for (index, (slot, space)) in (0u32..).zip(slots.iter().zip(&spaces)) {
        assert_eq!((slot.view().load_u32(size / 2), space.load_u32(0x1000)), (index + 1, Some(index + 1)));
    }
}
