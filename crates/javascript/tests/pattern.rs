//! Patterns: what they match, how they are paused, what hostile ones cost, and that damage to
//! their memory stays there. The cases are in `pattern/`.

use javascript::pattern::{
    Arena, Charge, Error, Flags, Free, Limits, Mistake, Program, Refusal, Step, Store, Text, compile, group, remember_at_once, resume,
    start,
};

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn try_compile(pattern: &str, flags: &str) -> Result<Program, Error> {
    let flags = Flags::parse(flags.encode_utf16()).expect("flags");
    compile(&units(pattern), flags, Limits::default(), &mut Free)
}

/// Runs a match to its end in slices of fuel; what it found and the fuel it used.
fn run<T: Text>(program: &Program, text: T, slice: u64, eager: bool, store: &mut impl Store) -> (String, u64) {
    let code = program.words();
    let sticky = program.header().flags().has(Flags::STICKY);
    assert!(start(code, text, 0, sticky, store));
    if eager {
        remember_at_once(store);
    }
    let mut used = 0;
    let step = loop {
        let mut fuel = slice;
        let step = resume(code, text, store, &mut fuel);
        used += slice - fuel;
        if step != Step::OutOfFuel || used > 10_000_000 {
            break step;
        }
    };
    let found = match step {
        Step::Matched => {
            let one = |g| group(store, g, text.len()).map_or("-".into(), |(from, to)| format!("{from}:{to}"));
            (0..program.header().groups()).map(one).collect::<Vec<String>>().join(" ")
        }
        Step::Failed => "none".into(),
        other => format!("{other:?}"),
    };
    (found, used)
}

struct Case {
    place: String,
    pattern: String,
    flags: String,
    text: Vec<u16>,
    expected: String,
}

/// `\n`, `\t`, `\\` and `\u{...}` in a text.
fn unescape(text: &str) -> Vec<u16> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            out.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        let kind = rest.chars().next().expect("an escape");
        rest = &rest[1..];
        match kind {
            'n' => out.push(10),
            't' => out.push(9),
            '\\' => out.push(92),
            'u' => {
                let (digits, after) = rest[1..].split_once('}').expect("a brace");
                rest = after;
                let c = u32::from_str_radix(digits, 16).expect("a number");
                match char::from_u32(c) {
                    Some(c) => out.extend_from_slice(c.encode_utf16(&mut [0; 2])),
                    None => out.push(c as u16),
                }
            }
            other => panic!("\\{other} in a text"),
        }
    }
    out
}

fn cases() -> Vec<Case> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pattern");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of cases") {
        let path = entry.expect("a file").path();
        let content = std::fs::read_to_string(&path).expect("a text");
        for (line, number) in content.lines().zip(1..).filter(|(line, _)| !line.starts_with('#')) {
            let place = format!("{}:{number}", path.display());
            let fields: Vec<&str> = line.split('\t').collect();
            let [pattern, flags, text, expected] = fields[..] else { panic!("{place}: not four fields") };
            let [pattern, flags, expected] = [pattern, flags, expected].map(String::from);
            cases.push(Case { place, pattern, flags, text: unescape(text), expected });
        }
    }
    assert!(cases.len() > 400, "only {} cases", cases.len());
    cases
}

#[test]
fn cases_match() {
    let mut wrong = Vec::new();
    for case in cases() {
        let mut expect = |what: &str, found: &str| {
            if found != case.expected {
                let Case { place, pattern, flags, expected, .. } = &case;
                wrong.push(format!("{place}: /{pattern}/{flags} {what}: {found}, not {expected}"));
            }
        };
        let program = match try_compile(&case.pattern, &case.flags) {
            Ok(program) => program,
            Err(Error::Syntax { mistake, .. }) => {
                expect("", &format!("error: {mistake}"));
                continue;
            }
            Err(other) => panic!("{}: {other}", case.place),
        };
        let wide = &case.text[..];
        let mut store = Arena::new(1 << 20);
        let (found, used) = run(&program, wide, 1 << 30, false, &mut store);
        expect("at once", &found);
        let (found, same) = run(&program, wide, 1, false, &mut store);
        expect("step by step", &found);
        assert_eq!(used, same, "{}: fuel depends on how it is given", case.place);
        let (found, used) = run(&program, wide, 1 << 30, true, &mut store);
        expect("with a memo", &found);
        let (found, same) = run(&program, wide, 1, true, &mut store);
        expect("with a memo, step by step", &found);
        assert_eq!(used, same, "{}: fuel depends on how it is given", case.place);
        if let Ok(narrow) = case.text.iter().map(|&u| u8::try_from(u)).collect::<Result<Vec<u8>, _>>() {
            expect("as Latin-1", &run(&program, &narrow[..], 1 << 30, false, &mut store).0);
        }
        let read_back = Program::from_words(program.words().to_vec()).expect("its own words");
        assert_eq!(read_back, program);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A store that refuses to grow a given number of times, each time only once.
struct Reluctant {
    arena: Arena,
    refusals: u32,
    refused: bool,
}

impl Store for Reluctant {
    fn words(&self) -> u32 {
        self.arena.words()
    }
    fn load(&self, index: u32) -> u32 {
        self.arena.load(index)
    }
    fn store(&mut self, index: u32, value: u32) {
        self.arena.store(index, value);
    }
    fn grow(&mut self, words: u32) -> bool {
        // Only what is asked for: the next wish comes soon.
        self.refused = !self.refused;
        if self.refused && self.refusals > 0 {
            self.refusals -= 1;
            return false;
        }
        self.arena.grow(words)
    }
}

#[test]
fn a_refused_store_can_be_tried_again() {
    let patterns = ["(?:(a)|b)*(?=(c))", "((a|b)*?)*c", "(?:(?=(a|b)*c)\\w)+$", "(?:(?:a|b){1,3})*c(d)?", "(?<=((a|b)+))c", "\\w*?c"];
    let text = [b"ab".repeat(300), b"c".to_vec()].concat();
    for pattern in patterns {
        let program = try_compile(pattern, "").expect(pattern);
        let expected = run(&program, &text[..], 1 << 30, false, &mut Arena::new(1 << 24)).0;
        for refusals in 1..40 {
            let mut store = Reluctant { arena: Arena::new(1 << 24), refusals: 0, refused: false };
            let code = program.words();
            assert!(start(code, &text[..], 0, false, &mut store));
            store.refusals = refusals;
            let mut fuel = 1 << 30;
            let mut stops = 0;
            let step = loop {
                match resume(code, &text[..], &mut store, &mut fuel) {
                    Step::OutOfMemory => stops += 1,
                    other => break other,
                }
                assert!(stops < 100, "{pattern}");
            };
            assert_eq!(step, Step::Matched, "{pattern}");
            let one = |g| group(&store, g, text.len() as u32).map_or("-".into(), |(from, to)| format!("{from}:{to}"));
            let found = (0..program.header().groups()).map(one).collect::<Vec<String>>().join(" ");
            assert_eq!(found, expected, "{pattern} after {stops} refusals");
        }
    }
}

#[test]
fn a_small_store_stops_a_match() {
    let program = try_compile("(?:(a)|a|b)*c", "").expect("a pattern");
    let text = b"ab".repeat(10_000);
    let mut store = Arena::new(4096);
    assert!(start(program.words(), &text[..], 0, false, &mut store));
    let mut fuel = 1 << 30;
    assert_eq!(resume(program.words(), &text[..], &mut store, &mut fuel), Step::OutOfMemory);
    assert!(store.words() <= 4096);
}

fn mistake(pattern: &str, flags: &str) -> Option<Mistake> {
    match try_compile(pattern, flags) {
        Err(Error::Syntax { mistake, .. }) => Some(mistake),
        _ => None,
    }
}

#[test]
fn hostile_patterns_are_refused_or_small() {
    let nested = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    assert_eq!(mistake(&nested("(", ")", 100_000), ""), Some(Mistake::TooManyCaptures));
    assert_eq!(mistake(&nested("(", "", 30_000), ""), Some(Mistake::UnterminatedGroup));
    for (open, close) in
        [("(?:", ")"), ("(?:a|", ")"), ("(?=", ")"), ("(?<!", ")"), ("(?:", ")?"), ("(?:a", ")+"), ("(?i:", ")"), ("(?:", "){2}")]
    {
        let pattern = nested(open, close, 100_000);
        match try_compile(&pattern, "") {
            Ok(program) => {
                assert!(program.words().len() < pattern.len() * 4, "{open} {}", program.words().len());
                let (found, _) = run(&program, &b"aaaa"[..], 1 << 20, false, &mut Arena::new(1 << 22));
                assert!(!found.is_empty());
            }
            Err(error) => assert!(matches!(error, Error::Syntax { mistake: Mistake::TooLarge, .. }), "{open}: {error}"),
        }
    }
    assert!(try_compile(&nested("[", "]", 100_000), "v").is_ok());
    assert!(try_compile(&nested("[^", "]", 100_000), "v").is_ok());
    assert!(try_compile(&format!("a{}", "|a".repeat(100_000)), "").is_ok());
    assert!(try_compile(&format!("ab{}", "|ab".repeat(100_000)), "").is_ok());
    assert!(try_compile(&format!("[{}]", "\\p{L}\\w\\u{10000}-\\u{10FFFF}".repeat(1_000)), "u").is_ok());
    assert!(try_compile("(?:a{4294967295}){4294967295}", "").is_ok());
}

/// Counts what is charged.
#[derive(Default)]
struct Counting {
    work: u64,
    memory: u64,
    most: u64,
}

impl Charge for Counting {
    fn work(&mut self, units: u64) -> Result<(), Refusal> {
        self.work += units;
        if self.work > self.most { Err(Refusal::Work) } else { Ok(()) }
    }
    fn memory(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.memory += bytes;
        Ok(())
    }
}

#[test]
fn compiling_is_charged_in_proportion() {
    for piece in ["\\u{61}|\\w|", "a", "(?:a|b)*", "[a-z0-9]", "a{1,3}?", "\\u0061", "(?=a)", "ab|", "(?<!x)", "\\bfoo"] {
        let charged = |n: usize| {
            let mut counting = Counting { most: u64::MAX, ..Counting::default() };
            let pattern = units(&piece.repeat(n));
            compile(&pattern, Flags::default(), Limits::default(), &mut counting).expect(piece);
            (counting.work, counting.memory)
        };
        let ((work, memory), (more_work, more_memory)) = (charged(1_000), charged(8_000));
        assert!(more_work <= work * 10 && work >= 500, "{piece}: {work} then {more_work}");
        assert!(more_memory <= memory * 17 && memory >= 4_000, "{piece}: {memory} then {more_memory}");
    }
}

#[test]
fn a_compilation_can_be_stopped_anywhere() {
    let pattern = units("(?<a>[\\p{L}--[a-z]]|[\\q{ab|c}])(?:b|c)*?");
    let flags = Flags::parse(units("v")).expect("flags");
    let mut all = Counting { most: u64::MAX, ..Counting::default() };
    let program = compile(&pattern, flags, Limits::default(), &mut all).expect("a pattern");
    for most in (0..all.work).step_by(7) {
        let mut some = Counting { most, ..Counting::default() };
        let result = compile(&pattern, flags, Limits::default(), &mut some);
        assert_eq!(result, Err(Error::Refused(Refusal::Work)), "{most} of {}", all.work);
    }
    let mut enough = Counting { most: all.work, ..Counting::default() };
    assert_eq!(compile(&pattern, flags, Limits::default(), &mut enough), Ok(program));
}

#[test]
fn names_are_kept() {
    let program = try_compile("(?<year>.)(.)(?:(?<\u{e4}\u{10400}>.)|(?<year2>.))", "u").expect("a pattern");
    let names: Vec<(u32, String)> = program.header().names().map(|(g, n)| (g, String::from_utf16(&n).expect("UTF-16"))).collect();
    assert_eq!(names, [(1, "year".into()), (3, "\u{e4}\u{10400}".into()), (4, "year2".into())]);
    assert_eq!(program.header().groups(), 5);
}

#[test]
fn a_match_begins_where_it_is_told() {
    let program = try_compile("a", "").expect("a pattern");
    let text = &b"abca"[..];
    let mut store = Arena::new(4096);
    let mut find = |from, sticky| {
        let mut fuel = 1000;
        assert!(start(program.words(), text, from, sticky, &mut store));
        let step = resume(program.words(), text, &mut store, &mut fuel);
        (step == Step::Matched).then(|| group(&store, 0, 4).expect("group 0").0)
    };
    assert_eq!([find(0, false), find(1, false), find(4, false), find(9, false)], [Some(0), Some(3), None, None]);
    assert_eq!([find(0, true), find(1, true), find(3, true)], [Some(0), None, Some(3)]);
    // The middle of a pair counts as its beginning, with `u`.
    let text = &units("\u{1F600}")[..];
    for (flags, expected) in [("u", Step::Failed), ("", Step::Matched)] {
        let program = try_compile("^\\ude00|\\ude00", flags).expect("a pattern");
        let mut fuel = 1000;
        assert!(start(program.words(), text, 1, false, &mut store));
        assert_eq!(resume(program.words(), text, &mut store, &mut fuel), expected);
    }
}

#[test]
fn flags_are_read() {
    assert_eq!(Flags::parse(units("dgimsuy")).map(Flags::letters), Some("dgimsuy".into()));
    assert_eq!(Flags::parse(units("yvsmigd")).map(Flags::letters), Some("dgimsvy".into()));
    for wrong in ["uv", "gg", "x", "G", "g "] {
        assert_eq!(Flags::parse(units(wrong)), None, "{wrong}");
    }
}

#[test]
fn messages_are_nodes() {
    let error = try_compile("(", "").expect_err("a mistake");
    assert_eq!(error.message(&units("("), Flags::default()).as_deref(), Some("Invalid regular expression: /(/: Unterminated group"));
    let flags = Flags::parse(units("u")).expect("flags");
    let error = try_compile("{", "u").expect_err("a mistake");
    assert_eq!(error.message(&units("{"), flags).as_deref(), Some("Invalid regular expression: /{/u: Lone quantifier brackets"));
}

/// A small generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// A word that is likely to hurt.
fn damage(numbers: &mut Numbers, old: u32) -> u32 {
    match numbers.below(8) {
        0 => 0,
        1 => u32::MAX,
        2 => old.wrapping_add(1),
        3 => old.wrapping_sub(1),
        4 => old ^ 1 << numbers.below(32),
        5 => numbers.below(1 << 20) as u32,
        6 => 1 << 31,
        _ => (numbers.below(1 << 16) as u32) << numbers.below(17),
    }
}

#[test]
fn damage_stays_inside() {
    let patterns = [
        ("(?:(a+)|b)*?(?=(c))(?<=(\\w)c?)", ""),
        ("((a|b)+)+$", ""),
        ("(?:(?=(?:a|b)*(c))\\w){1,3}(?:x|y){2,}?", ""),
        ("(a)\\1|(?<n>b)\\k<n>", "i"),
        ("[\\p{L}\u{1F600}]+?(?:[^x]{2,5})*", "u"),
        ("^.*?(?:ab|c)*\\b$", "m"),
    ];
    let text = [b"abba".repeat(8), b"c!".to_vec()].concat();
    let wide: Vec<u16> = text.iter().map(|&b| u16::from(b)).chain([0xD83D, 0xDE00]).collect();
    let mut numbers = Numbers(7);
    for round in 0..8_000 {
        let (pattern, flags) = patterns[round % patterns.len()];
        let mut program = try_compile(pattern, flags).expect(pattern).into_words();
        let mut store = Arena::new(1 << 14);
        if round % 2 == 0 {
            let at = numbers.below(program.len());
            program[at] = damage(&mut numbers, program[at]);
        }
        let code = &program[..];
        if !start(code, &wide[..], 0, false, &mut store) {
            continue;
        }
        if round % 3 == 0 {
            remember_at_once(&mut store);
        }
        let mut budget: u64 = 20_000;
        let slice = 1 + numbers.below(100) as u64;
        while budget > 0 {
            let mut fuel = slice.min(budget);
            budget -= fuel;
            let step = if round % 5 == 0 {
                resume(code, &text[..], &mut store, &mut fuel)
            } else {
                resume(code, &wide[..], &mut store, &mut fuel)
            };
            for index in 0..40 {
                if let Some((from, to)) = group(&store, index, 10) {
                    assert!(from <= to && to <= 10);
                }
            }
            if step != Step::OutOfFuel {
                break;
            }
            if round % 2 == 1 && numbers.below(3) == 0 {
                let words = store.as_mut_slice();
                let at = numbers.below(words.len().min(200));
                words[at] = damage(&mut numbers, words[at]);
            }
        }
    }
}
