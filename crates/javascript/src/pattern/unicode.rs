//! What the Unicode standard says: properties, properties of strings, case.
//!
//! Sources, chosen by upkeep: `icu_properties` and `icu_casemap` (ICU4X, by the Unicode
//! Consortium itself; compiled data, no parsing, no allocation until a set is asked for), held at
//! 2.1, which is Unicode 17, the version that test262's property tests are generated from. They
//! have every property that ECMAScript lists, but of the properties of strings only the parts
//! that can be computed; the emoji sequences joined by ZWJ, flags and tags come from `emojis`
//! (generated from Unicode's emoji-test.txt), filtered to the same version.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use icu_casemap::CaseMapper;
use icu_properties::props::{
    BinaryProperty, ChangesWhenCasemapped, EmojiModifier, EmojiModifierBase, EmojiPresentation, GeneralCategory, GeneralCategoryGroup,
    IdContinue, IdStart, RegionalIndicator, Script,
};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{CodePointMapData, CodePointSetData, PropertyParser};

use super::set::{LAST, Set};

/// The version of Unicode that all of this follows.
pub(crate) const VERSION: (u32, u32) = (17, 0);

/// The set that the text in the braces of `\p{name}` or `\p{name=value}` stands for; `None` if
/// there is no such property.
///
/// Collecting a set takes up to a millisecond, so each is kept once it was asked for: there are at
/// most as many as there are names, some hundred kilobytes in all.
pub(crate) fn property(text: &str) -> Option<Arc<Set>> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Set>>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(set) = known().get(text) {
        return Some(Arc::clone(set));
    }
    let set = match text.split_once('=') {
        Some((name, value)) => find(name, Some(value)),
        None => find(text, None),
    };
    let set = Arc::new(set?);
    known().insert(text.to_owned(), Arc::clone(&set));
    Some(set)
}

fn find(name: &str, value: Option<&str>) -> Option<Set> {
    match (name, value) {
        ("Any", None) => Some(Set::from_ranges(vec![(0, LAST)])),
        ("Assigned", None) => Some(category("Cn")?.complement(LAST)),
        // Two names that `new_for_ecma262` does not know.
        ("ASCII", None) => Some(Set::from_ranges(vec![(0, 0x7F)])),
        ("space", None) => find("White_Space", None),
        (name, None) => category(name).or_else(|| {
            let set = CodePointSetData::new_for_ecma262(name.as_bytes())?;
            Some(collect(set.iter_ranges()))
        }),
        ("General_Category" | "gc", Some(value)) => category(value),
        ("Script" | "sc", Some(value)) => {
            let script = PropertyParser::<Script>::new().get_strict(value)?;
            Some(collect(CodePointMapData::<Script>::new().iter_ranges_for_value(script)))
        }
        ("Script_Extensions" | "scx", Some(value)) => {
            let script = PropertyParser::<Script>::new().get_strict(value)?;
            Some(collect(ScriptWithExtensions::new().get_script_extensions_ranges(script)))
        }
        _ => None,
    }
}

fn category(name: &str) -> Option<Set> {
    let group = PropertyParser::<GeneralCategoryGroup>::new().get_strict(name)?;
    Some(collect(CodePointMapData::<GeneralCategory>::new().iter_ranges_for_group(group)))
}

fn collect(ranges: impl Iterator<Item = std::ops::RangeInclusive<u32>>) -> Set {
    Set::from_ranges(ranges.map(|r| (*r.start(), *r.end())).collect())
}

/// Whether a group's name can begin with `c`.
pub(crate) fn starts_name(c: char) -> bool {
    CodePointSetData::new::<IdStart>().contains(c)
}

/// Whether a group's name can go on with `c`.
pub(crate) fn continues_name(c: char) -> bool {
    CodePointSetData::new::<IdContinue>().contains(c)
}

fn binary<P: BinaryProperty>() -> Set {
    collect(CodePointSetData::new::<P>().iter_ranges())
}

/// A set of strings: those of one code point, and the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    pub(crate) set: Set,
    /// Sorted, without doubles; none has length 1.
    pub(crate) strings: Vec<Vec<u32>>,
}

/// The set that a property of strings stands for; `None` if there is none of that name.
pub(crate) fn property_of_strings(name: &str) -> Option<&'static Strings> {
    static ALL: OnceLock<BTreeMap<&'static str, Strings>> = OnceLock::new();
    ALL.get_or_init(emoji_sequences).get(name)
}

fn emoji_sequences() -> BTreeMap<&'static str, Strings> {
    const SELECTOR: u32 = 0xFE0F;
    const JOINER: u32 = 0x200D;
    const KEYCAP: u32 = 0x20E3;
    const BLACK_FLAG: u32 = 0x1F3F4;
    let regional = binary::<RegionalIndicator>();
    let modifier = binary::<EmojiModifier>();
    let base = binary::<EmojiModifierBase>();
    let newest = emojis::UnicodeVersion::new(VERSION.0, VERSION.1);

    let mut sorted: BTreeMap<&'static str, Vec<Vec<u32>>> = BTreeMap::new();
    for entry in emojis::iter() {
        let tones = entry.skin_tones().into_iter().flatten();
        for emoji in std::iter::once(entry).chain(tones) {
            if emoji.unicode_version() > newest {
                continue;
            }
            let text: Vec<u32> = emoji.as_str().chars().map(u32::from).collect();
            let name = match text[..] {
                [_] | [_, SELECTOR] => "Basic_Emoji",
                [_, SELECTOR, KEYCAP] => "Emoji_Keycap_Sequence",
                [a, b] if regional.contains(a) && regional.contains(b) => "RGI_Emoji_Flag_Sequence",
                [a, b] if base.contains(a) && modifier.contains(b) => "RGI_Emoji_Modifier_Sequence",
                [BLACK_FLAG, _, ..] if !text.contains(&JOINER) => "RGI_Emoji_Tag_Sequence",
                _ => "RGI_Emoji_ZWJ_Sequence",
            };
            sorted.entry(name).or_default().push(text);
        }
    }
    let mut all: BTreeMap<&'static str, Strings> = BTreeMap::new();
    let mut everything = Strings::default();
    for (name, mut strings) in sorted {
        let mut set = Set::new();
        if name == "Basic_Emoji" {
            set = binary::<EmojiPresentation>().subtract(&regional);
        }
        strings.retain(|s| s.len() > 1);
        strings.sort();
        strings.dedup();
        everything.set = everything.set.union(&set);
        everything.strings.extend(strings.iter().cloned());
        all.insert(name, Strings { set, strings });
    }
    everything.strings.sort();
    everything.strings.dedup();
    all.insert("RGI_Emoji", everything);
    all
}

/// Simple foldings that came with Unicode 15.1, which `icu_casemap` leaves out because each pair has
/// a common full folding.
const LATE_FOLDINGS: [(u32, u32); 3] = [(0x1FD3, 0x390), (0x1FE3, 0x3B0), (0xFB05, 0xFB06)];

/// `Canonicalize` of the standard: what two characters are compared by under `i`.
/// `unicode`: simple case folding; otherwise upper case, of code units.
pub(crate) fn canonical(c: u32, unicode: bool) -> u32 {
    if unicode {
        if let Some(&(_, to)) = LATE_FOLDINGS.iter().find(|(from, _)| *from == c) {
            return to;
        }
        return match char::from_u32(c) {
            Some(ch) => u32::from(CaseMapper::new().simple_fold(ch)),
            None => c,
        };
    }
    if c < 0x80 {
        return if (0x61..=0x7A).contains(&c) { c - 0x20 } else { c };
    }
    let Some(ch) = char::from_u32(c).filter(|_| c < 0x10000) else { return c };
    let mut upper = ch.to_uppercase();
    match (upper.next(), upper.next()) {
        // A character outside ASCII never becomes one inside.
        (Some(up), None) if (0x80..0x10000).contains(&u32::from(up)) => u32::from(up),
        _ => c,
    }
}

/// The groups of code points that `i` makes equal.
#[derive(Debug)]
struct Orbits {
    /// (code point, number of its orbit), sorted.
    members: Vec<(u32, u32)>,
    orbits: Vec<Vec<u32>>,
}

impl Orbits {
    fn new(unicode: bool) -> Orbits {
        // These look at the decomposed character, so it takes the wider one to have them all.
        let changing = binary::<ChangesWhenCasemapped>();
        let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for c in changing.ranges().iter().flat_map(|&(low, high)| low..=high) {
            let to = canonical(c, unicode);
            if to != c {
                groups.entry(to).or_insert_with(|| vec![to]).push(c);
            }
        }
        let orbits: Vec<Vec<u32>> = groups.into_values().collect();
        let mut members: Vec<(u32, u32)> = orbits.iter().zip(0..).flat_map(|(orbit, i)| orbit.iter().map(move |&c| (c, i))).collect();
        members.sort_unstable();
        Orbits { members, orbits }
    }

    fn get(unicode: bool) -> &'static Orbits {
        static UNITS: OnceLock<Orbits> = OnceLock::new();
        static POINTS: OnceLock<Orbits> = OnceLock::new();
        let cell = if unicode { &POINTS } else { &UNITS };
        cell.get_or_init(|| Orbits::new(unicode))
    }
}

/// Adds to a set every character that `i` makes equal to one of its members. Returns the cost in
/// steps as well.
pub(crate) fn close_over_case(set: &Set, unicode: bool) -> (Set, u64) {
    let mut extra = Vec::new();
    let mut cost = set.cost();
    let ascii = set.ranges().last().is_none_or(|&(_, high)| high < 0x80);
    if ascii {
        // The tables are not needed: letters swap case, and two more letters fold to `k` and `s`.
        for &(low, high) in set.ranges() {
            for (from, to) in [(0x41, 0x61), (0x61, 0x41)] {
                let (a, b) = (low.max(from), high.min(from + 25));
                if a <= b {
                    extra.push((a - from + to, b - from + to));
                }
            }
            let has = |c: u32| low <= c && c <= high;
            if unicode && (has(0x73) || has(0x53)) {
                extra.push((0x17F, 0x17F));
            }
            if unicode && (has(0x6B) || has(0x4B)) {
                extra.push((0x212A, 0x212A));
            }
        }
    } else {
        let table = Orbits::get(unicode);
        for &(low, high) in set.ranges() {
            let first = table.members.partition_point(|&(c, _)| c < low);
            for &(c, orbit) in &table.members[first..] {
                if c > high {
                    break;
                }
                cost += 8;
                let missing = table.orbits[orbit as usize].iter().filter(|&&m| !set.contains(m));
                extra.extend(missing.map(|&m| (m, m)));
            }
        }
    }
    cost += extra.len() as u64;
    if extra.is_empty() {
        return (set.clone(), cost);
    }
    extra.extend_from_slice(set.ranges());
    (Set::from_ranges(extra), cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orbits_are_whole() {
        // The tables start from "changes when" properties; every character must agree with them.
        for unicode in [false, true] {
            let last = if unicode { LAST } else { 0xFFFF };
            for c in (0..=last).filter(|c| canonical(*c, unicode) != *c) {
                let (closed, _) = close_over_case(&Set::one(c), unicode);
                assert!(closed.contains(canonical(c, unicode)), "{c:x} {unicode}");
            }
        }
    }

    #[test]
    fn ascii_shortcut_agrees_with_tables() {
        for unicode in [false, true] {
            for c in 0..0x80 {
                let (short, _) = close_over_case(&Set::one(c), unicode);
                let (long, _) = close_over_case(&Set::from_ranges(vec![(c, c), (0x3042, 0x3042)]), unicode);
                assert_eq!(short, long.subtract(&Set::one(0x3042)), "{c:x} {unicode}");
            }
        }
    }

    #[test]
    fn emoji_counts() {
        let count = |name| {
            let s = property_of_strings(name).expect("known");
            s.strings.len() as u64 + s.set.ranges().iter().map(|(a, b)| u64::from(b - a + 1)).sum::<u64>()
        };
        assert_eq!(count("Emoji_Keycap_Sequence"), 12);
        assert_eq!(count("RGI_Emoji_Tag_Sequence"), 3);
        assert_eq!(count("RGI_Emoji_Flag_Sequence"), 259);
        assert_eq!(count("RGI_Emoji_Modifier_Sequence"), 665);
        let parts = ["Basic_Emoji", "RGI_Emoji_ZWJ_Sequence"].map(count).iter().sum::<u64>();
        assert_eq!(count("RGI_Emoji"), parts + 12 + 3 + 259 + 665);
    }
}
