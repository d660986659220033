//! The same results as the `regress` crate, on random patterns and texts without what it is known
//! to get wrong (it takes U+017F for an `s` under `i` without `u`).

use javascript::pattern::{Arena, Flags, Free, Limits, Step, compile, group, resume, start};
use proptest::prelude::*;

fn atom() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[abc]",
        2 => prop::sample::select(vec![".", "\\w", "\\d", "\\b", "\\B", "^", "$", "[ab]", "[^b]", "[^]", "\\W", "\u{e9}", "\u{1F600}"]).prop_map(String::from),
        1 => prop::sample::select(vec!["\\1", "\\2", "\\x61", "\\s", "[a-c1]", "\\u0062"]).prop_map(String::from),
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    atom().prop_recursive(5, 24, 4, |inner| {
        let quantifier = prop::sample::select(vec!["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{2,}", "{0,2}?"]);
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            3 => inner.clone().prop_map(|inside| format!("({inside})")),
            3 => (inner.clone(), quantifier).prop_map(|(inside, quantifier)| format!("(?:{inside}){quantifier}")),
            1 => (inner, prop::sample::select(vec!["?=", "?!", "?<=", "?<!"])).prop_map(|(inside, kind)| format!("({kind}{inside})")),
        ]
    })
}

type Groups = Vec<Option<(usize, usize)>>;

fn ours(pattern: &str, flags: &str, text: &[u16]) -> Option<Option<Groups>> {
    let flags = Flags::parse(flags.encode_utf16())?;
    let units: Vec<u16> = pattern.encode_utf16().collect();
    let program = compile(&units, flags, Limits::default(), &mut Free).ok()?;
    let mut store = Arena::new(1 << 20);
    assert!(start(program.words(), text, 0, false, &mut store));
    let mut fuel = 1 << 24;
    match resume(program.words(), text, &mut store, &mut fuel) {
        Step::Matched => {
            let one = |g| group(&store, g, text.len() as u32).map(|(from, to)| (from as usize, to as usize));
            Some(Some((0..program.header().groups()).map(one).collect()))
        }
        Step::Failed => Some(None),
        other => panic!("/{pattern}/{}: {other:?}", flags.letters()),
    }
}

fn theirs(pattern: &str, flags: &str, text: &[u16]) -> Option<Option<Groups>> {
    let regex = regress::Regex::with_flags(pattern, flags).ok()?;
    // Without `u` a text is code units for us; `ucs2` is that.
    let found = if flags.contains('u') { regex.find_from_utf16(text, 0).next() } else { regex.find_from_ucs2(text, 0).next() };
    Some(found.map(|found| found.groups().map(|range| range.map(|r| (r.start, r.end))).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_as_regress(
        pattern in pattern(),
        flags in prop::sample::select(vec!["", "i", "m", "s", "u", "iu", "im"]),
        text in "[abcA1 \n\u{e9}\u{1F600}]{0,10}",
    ) {
        let text: Vec<u16> = text.encode_utf16().collect();
        let pattern = if flags.contains('u') { pattern } else { pattern.replace('\u{1F600}', "c") };
        prop_assert_eq!(ours(&pattern, flags, &text), theirs(&pattern, flags, &text), "/{}/{} on {:?}", pattern, flags, text);
    }
}
