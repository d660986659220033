//! Linear time: patterns that take exponential or quadratic time elsewhere, judged by steps, not
//! by the clock.

use javascript::pattern::{Arena, Flags, Free, Limits, Step, compile, resume, start};

/// Fuel used to search `text` for `pattern`, and how it ended.
fn cost(pattern: &str, flags: &str, text: &str) -> (Step, u64) {
    let source: Vec<u16> = pattern.encode_utf16().collect();
    let flags = Flags::parse(flags.encode_utf16()).expect("flags");
    let program = compile(&source, flags, Limits::default(), &mut Free).expect(pattern);
    let mut store = Arena::new(1 << 24);
    let text: Vec<u16> = text.encode_utf16().collect();
    assert!(start(program.words(), &text[..], 0, false, &mut store));
    let mut fuel = 200_000_000;
    let step = resume(program.words(), &text[..], &mut store, &mut fuel);
    (step, 200_000_000 - fuel)
}

/// Pattern, flags, what the text begins with, repeats, and ends with, and whether there is a match.
const LIST: &[(&str, &str, [&str; 3], bool)] = &[
    ("(a+)+$", "", ["", "a", "!"], false),
    ("^(a+)+$", "", ["", "a", "!"], false),
    ("(a|a)*b", "", ["", "a", ""], false),
    ("(?:a|ab|b)*c", "", ["", "ab", ""], false),
    ("(a*)*b", "", ["", "a", ""], false),
    ("(.*)*x", "", ["", "a", ""], false),
    ("(a*)*$", "", ["", "a", "!"], true),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "", ["", "a", ""], false),
    ("^(a|aa)+$", "", ["", "a", "!"], false),
    ("^(a|a?)+$", "", ["", "a", "!"], false),
    ("(a+){10}y", "", ["", "a", ""], false),
    ("(.*a){11}$", "", ["", "a", "!"], false),
    ("^(?:a?){20}a{20}$", "", ["", "a", "!"], false),
    ("((((a*)*)*)*)*b", "", ["", "a", ""], false),
    ("(?:(?:(?:a+)?)+)?b", "", ["", "a", ""], false),
    ("(x+x+)+y", "", ["", "x", ""], false),
    ("\\s+$", "", ["", " ", "!"], false),
    ("^\\s+|\\s+$", "", ["!", " ", "!"], false),
    ("a+b", "", ["", "a", ""], false),
    (".*.*=.*", "", ["", "a", ""], false),
    ("(?:.*)+=", "s", ["", "a\n", ""], false),
    ("\"(?:[^\"\\\\]|\\\\.)*\"", "", ["\"", "a\\\"", ""], false),
    (
        "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
        "",
        ["", "a", "!"],
        false,
    ),
    ("(?=(a+)+$)", "", ["", "a", "!"], false),
    ("(?:(?=.*x).)*y", "", ["", "a", "x"], false),
    ("(?:(?=.*(x)).)*$", "", ["", "a", "x"], true),
    ("(?:(?!.*x).)*y", "", ["", "a", ""], false),
    ("(?:(?=(?:a|a)*$).)*!", "", ["", "a", "b"], false),
    ("(?:(?<=^.*).)*!", "", ["", "a", ""], false),
    ("(?:(?<=(a|a)*)a)*!", "", ["", "a", ""], false),
    ("(?:(?<!x(?:a|a)*)a)*!", "", ["", "a", ""], false),
    ("(?=(?:(?=(?:a|a)*b)a)*c)", "", ["", "a", "b"], false),
    ("(?:(?:a|a){1,3})*b", "", ["", "a", ""], false),
    ("(?:(?:ab|a|b){2,4}){1,3}c", "", ["", "ab", ""], false),
    ("(?:(?:a+){1,3})*b", "", ["", "a", ""], false),
    ("(?=(?:(?:a|a){2,3})*b)", "", ["", "a", ""], false),
    ("(?:a{0,5})*b", "", ["", "a", ""], false),
    ("(?:a*?)*?b", "", ["", "a", ""], false),
    ("(?:.+?)+?b", "", ["", "a", ""], false),
    ("(?:(?:a??)+?)*b", "", ["", "a", ""], false),
    ("(?:a|a)*b", "i", ["", "aA", ""], false),
    ("(?:\\u{1F600}|.)*b", "u", ["", "\u{1F600}", ""], false),
    ("(?:\\p{L}+)+!", "v", ["", "\u{3b1}", ""], false),
    ("(?:\\b|a)*b", "", ["", "a", ""], false),
    ("(?:a*|b*)*c", "", ["", "ab", ""], false),
    ("(?:(a)|(b)|\\w)*!", "", ["", "ab", ""], false),
    ("<[^>]*?(?:x|y)*?>", "", ["", "<x", ""], false),
    ("(?:[a-z]+)*[0-9]", "", ["", "ab ", ""], false),
];

#[test]
fn steps_grow_with_the_text() {
    let mut wrong = Vec::new();
    for &(pattern, flags, [head, body, tail], matches) in LIST {
        let text = |n: usize| format!("{head}{}{tail}", body.repeat(n));
        let (step, small) = cost(pattern, flags, &text(1000));
        let (_, large) = cost(pattern, flags, &text(8000));
        let expected = if matches { Step::Matched } else { Step::Failed };
        let units = text(8000).encode_utf16().count() as u64;
        // Eight times the text: eight times the steps, with some room for what is fixed.
        if step != expected || large > small * 10 + 10_000 || large > units * 400 {
            wrong.push(format!("/{pattern}/{flags}: {step:?}, {small} steps, then {large}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn steps_with_a_back_reference_are_stopped() {
    let (step, _) = cost("(?:(a|a)\\1?)*b", "", &"a".repeat(60));
    assert_eq!(step, Step::OutOfFuel);
}

#[test]
fn large_counts_do_not_take_memory() {
    for pattern in ["(?:ab){1000}", "(?:a|b){100000,}", "x{4294967295}", "(?:(?:(?:a{1000}){1000}){1000}){1000}"] {
        let source: Vec<u16> = pattern.encode_utf16().collect();
        let program = compile(&source, Flags::default(), Limits::default(), &mut Free).expect(pattern);
        assert!(program.words().len() < 200, "{pattern}: {}", program.words().len());
        assert_eq!(cost(pattern, "", "abababab").0, Step::Failed);
    }
}
