//! Times the pattern engine beside the `regress` crate: `cargo run --release -p oubliette-javascript-oracle --example pattern_bench`.
//! The least of several runs, in microseconds.

use std::hint::black_box;
use std::time::Instant;

use javascript::pattern::{Arena, Flags, Free, Limits, Program, Step, compile, group, resume, start};

fn compiled(source: &str, flags: &str) -> Program {
    let units: Vec<u16> = source.encode_utf16().collect();
    let flags = Flags::parse(flags.encode_utf16()).expect("flags");
    compile(&units, flags, Limits::default(), &mut Free).expect("a pattern")
}

/// How many matches there are, one after another, and how long they are in all.
fn all(program: &Program, text: &[u8], store: &mut Arena) -> (usize, usize) {
    let (mut count, mut length, mut from) = (0, 0, 0);
    while from <= text.len() as u32 {
        start(program.words(), text, from, false, store);
        let mut fuel = u64::MAX / 4;
        if resume(program.words(), text, store, &mut fuel) != Step::Matched {
            break;
        }
        let (first, end) = group(store, 0, text.len() as u32).expect("a match");
        count += 1;
        length += (end - first) as usize;
        from = if end == first { end + 1 } else { end };
    }
    (count, length)
}

fn least(mut work: impl FnMut() -> (usize, usize)) -> (f64, (usize, usize)) {
    let mut best = f64::MAX;
    let mut result = (0, 0);
    for _ in 0..30 {
        let begin = Instant::now();
        result = black_box(work());
        best = best.min(begin.elapsed().as_secs_f64() * 1e6);
    }
    (best, result)
}

fn main() {
    let words = [
        "alpha",
        "beta@example.com",
        "2024-01-15",
        "gamma_delta",
        "https://a.b.org/x?y=1",
        "3.14159",
        "foo.bar+baz@sub.domain.net",
        "hello",
        "1999-12-31",
        "zzz",
    ];
    let text: String = (0..1000).map(|i| format!("{} {i}{}", words[i % 10], if i % 9 == 0 { '\n' } else { ' ' })).collect();
    let patterns = [
        (r"[\w.+-]+@[\w-]+\.[\w.-]+", ""),
        (r"(\d{4})-(\d{2})-(\d{2})", ""),
        (r"\b([a-z]+)\b", ""),
        (r"\s+", ""),
        (r"^(?:(?:https?|ftp):\/\/)[^\s]+$", "m"),
        (r"hello", ""),
        (r"hello|gamma|alpha", ""),
        (r"Hello", "i"),
        (r"[aeiou]{2}", ""),
        (r".*\d$", "m"),
        (r"(\w+)\s(\w+)", ""),
        (r"(?:(?<=\s)\d+)", ""),
        (r"(\w)\1", ""),
        (r"[^@\s]+@[^@\s]+?\.(?:com|net)", ""),
    ];
    println!("{:42} {:>8} {:>9} {:>9}", "pattern", "matches", "ours", "regress");
    let mut store = Arena::new(1 << 20);
    for (pattern, flags) in patterns {
        let program = compiled(pattern, flags);
        let (ours, result) = least(|| all(&program, text.as_bytes(), &mut store));
        let theirs = regress::Regex::with_flags(pattern, flags).expect("a pattern");
        let (regress, same) = least(|| theirs.find_iter_ascii(&text).fold((0, 0), |(n, length), m| (n + 1, length + m.range().len())));
        assert_eq!(result, same, "{pattern}");
        println!("{pattern:42} {:>8} {ours:>9.1} {regress:>9.1}", result.0);
    }
    for (name, pattern) in [("compile, short", r"\b([a-z]+)\b"), ("compile, longer", r"^(?:(?:https?|ftp):\/\/)[^\s]+$")] {
        let (ours, _) = least(|| (0..100).fold((0, 0), |_, _| (compiled(pattern, "").words().len(), 0)));
        let (theirs, _) = least(|| (0..100).fold((0, 0), |n, _| (black_box(regress::Regex::new(pattern)).map_or(0, |_| 1), n.1)));
        println!("{name:42} {:>8} {:>9.2} {:>9.2}", "", ours / 100.0, theirs / 100.0);
    }
}
