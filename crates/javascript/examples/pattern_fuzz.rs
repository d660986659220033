//! Compares the pattern engine with node's, on random patterns and texts.
//!
//! `cargo run --release --example pattern_fuzz -- [seed] [batches]`; needs `node`. Not a part of
//! the tests, because node is not there everywhere. Prints every difference.

use std::io::Write;
use std::process::{Command, Stdio};

use javascript::pattern::{Arena, Error, Flags, Free, Limits, Step, compile, group, remember_at_once, resume, start};

const NODE: &str = r"
const lines = require('fs').readFileSync(0, 'utf8').trim().split('\n');
const text = (units) => units ? String.fromCharCode(...units.split(',').map(Number)) : '';
const out = [];
for (const line of lines) {
  const [pattern, flags, subject] = line.split('|');
  let result;
  try {
    const m = new RegExp(text(pattern), flags + 'd').exec(text(subject));
    result = m ? 'M' + m.indices.map((i) => (i ? i.join(':') : '-')).join(' ') : 'N';
  } catch (e) {
    result = 'E' + (e.message.split(': ').pop());
  }
  out.push(result);
}
console.log(out.join('\n'));
";

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let x = self.0;
        (x ^ (x >> 33)).wrapping_mul(0xff51afd7ed558ccd) >> 29
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len() as u64) as usize]
    }
}

const ATOMS: &[&str] = &[
    "a",
    "b",
    "c",
    "ab",
    "abc",
    "A",
    ".",
    "\\d",
    "\\w",
    "\\s",
    "\\W",
    "\\b",
    "\\B",
    "^",
    "$",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[^]",
    "[]",
    "\\1",
    "\\2",
    "1",
    " ",
    "\\n",
    "-",
    "[\\w-]",
    "(?=a)",
    "(?!b)",
    "(?<=a)",
    "(?<!b)",
    "\u{1F600}",
    "\u{e9}",
    "\u{3b1}",
    "\\u{1F600}",
    "\\ud83d",
    "\\x61",
    "s",
    "k",
    "\u{17f}",
    "\u{212a}",
    "[\\d-x]",
    "\\cA",
    "\\0",
    "\\07",
    "{",
    "}",
    "]",
    "\\k<n>",
    "\\p{L}",
    "[^\\p{Lu}]",
    "\\P{Ll}",
    "[\\s\\S]",
    "\\/",
    "\\-",
    "\\k",
    "\\8",
    "[\\b]",
    "a{2,1}",
    "{2}",
    "\u{df}",
    "\u{1e9e}",
    "[a&&b]",
    "[\\w--a]",
    "[[a-c]&&[b-d]]",
    "[\\q{ab|c}a]",
    "[^[ab]]",
    "\\u0061",
    "\\u{61}",
    "[\\w--[ab]]",
    "\\p{RGI_Emoji_Flag_Sequence}",
];

/// For nested loops: few characters, so that much of it matches.
const DEEP_ATOMS: &[&str] = &["a", "b", "a", "b", "ab", "[ab]", "\\b", "^", "$", "(a)", "(b)", "(?=a)", "(?!b)", "(?<=a)", "(?<!b)", "."];

const QUANTIFIERS: &[&str] = &["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,1}", "{2,}", "{0}", "{1,3}?", "{2,}?", "{,2}", "{0,2}"];

fn pattern(random: &mut Random, depth: u64, deep: bool, out: &mut String) {
    let alternatives = if random.below(if deep { 2 } else { 3 }) == 0 { 1 + random.below(3) } else { 1 };
    for i in 0..alternatives {
        if i > 0 {
            out.push('|');
        }
        for _ in 0..random.below(4) {
            if depth > 0 && random.below(3) == 0 {
                let open = ["(", "(", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?<n>"];
                let open = if deep { &open[..8] } else { &open };
                out.push_str(random.pick(open));
                pattern(random, depth - 1, deep, out);
                out.push(')');
            } else if deep {
                out.push_str(random.pick(DEEP_ATOMS));
            } else {
                // Mostly the plain ones.
                let few = if random.below(2) == 0 { 18 } else { ATOMS.len() };
                out.push_str(random.pick(&ATOMS[..few]));
            }
            if random.below(5) < 2 {
                out.push_str(random.pick(QUANTIFIERS));
            }
        }
    }
}

fn ours(pattern: &[u16], flags: &str, subject: &[u16]) -> String {
    let Some(flags) = Flags::parse(flags.encode_utf16()) else { return "Ebad flags".into() };
    let program = match compile(pattern, flags, Limits::default(), &mut Free) {
        Ok(program) => program,
        Err(Error::Syntax { mistake, .. }) => return format!("E{mistake}"),
        Err(error) => return format!("{error:?}"),
    };
    let code = program.words();
    let narrow: Option<Vec<u8>> = subject.iter().map(|&u| u8::try_from(u).ok()).collect();
    let mut results = Vec::new();
    let sticky = flags.has(Flags::STICKY);
    let render = |step: Step, store: &Arena| match step {
        Step::Matched => {
            let groups = program.header().groups();
            let one = |g| group(store, g, subject.len() as u32).map_or("-".into(), |(s, e)| format!("{s}:{e}"));
            format!("M{}", (0..groups).map(one).collect::<Vec<String>>().join(" "))
        }
        Step::Failed => "N".into(),
        other => format!("{other:?}"),
    };
    for (eager, slice) in [(false, u64::MAX / 4), (false, 3), (true, u64::MAX / 4), (true, 3)] {
        let mut store = Arena::new(1 << 22);
        let mut spent = 0;
        start(code, subject, 0, sticky, &mut store);
        if eager {
            remember_at_once(&mut store);
        }
        let step = loop {
            let mut fuel = slice;
            let step = resume(code, subject, &mut store, &mut fuel);
            spent += slice - fuel;
            if step != Step::OutOfFuel || spent > 50_000_000 {
                break step;
            }
        };
        results.push(format!("{} fuel {spent}", render(step, &store)));
    }
    let result = |i: usize| results[i].split(" fuel").next().unwrap_or("").to_string();
    if results[0] != results[1] || results[2] != results[3] || result(0) != result(2) {
        return format!("PAUSED OR REMEMBERED DIFFERS {results:?}");
    }
    let wide = result(0);
    if let Some(narrow) = narrow {
        let mut store = Arena::new(1 << 22);
        let mut fuel = 50_000_000;
        start(code, &narrow[..], 0, sticky, &mut store);
        let step = resume(code, &narrow[..], &mut store, &mut fuel);
        let narrow = render(step, &store);
        if narrow != wide {
            return format!("NARROW DIFFERS {narrow} {wide}");
        }
    }
    wide
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let mut random = Random(arguments.next().unwrap_or(1));
    let batches = arguments.next().unwrap_or(20);
    let (mut compared, mut different) = (0, 0);
    for batch in 0..batches {
        let deep = batch % 2 == 1;
        let mut cases = Vec::new();
        let mut input = String::new();
        for _ in 0..4000 {
            let mut source = String::new();
            pattern(&mut random, 3 + u64::from(deep), deep, &mut source);
            let mut flags = String::new();
            for flag in ["i", "m", "s", "u", "v", "y"] {
                if random.below(if deep { 16 } else { 4 }) == 0 && !(flag == "v" && flags.contains('u')) {
                    flags.push_str(flag);
                }
            }
            let letters = ["a", "a", "b", "c", "A", "1", " ", "\n", "s", "k", "\u{e9}", "\u{1F600}", "\u{17f}", "-"];
            let letters = if deep { &letters[1..3] } else { &letters[..] };
            let length = random.below(if deep { 12 } else { 9 });
            let subject: String = (0..length).map(|_| random.pick(letters)).collect();
            let mut subject: Vec<u16> = subject.encode_utf16().collect();
            if random.below(8) == 0 {
                subject.push(0xD83D);
            }
            let pattern: Vec<u16> = source.encode_utf16().collect();
            let join = |units: &[u16]| units.iter().map(u16::to_string).collect::<Vec<String>>().join(",");
            input += &format!("{}|{flags}|{}\n", join(&pattern), join(&subject));
            cases.push((source, pattern, flags, subject));
        }
        let mut node =
            Command::new("node").args(["-e", NODE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node can be started");
        let mut stdin = node.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = node.wait_with_output().expect("node ends");
        writer.join().expect("the writer ends").expect("node reads");
        let theirs = String::from_utf8_lossy(&output.stdout);
        for ((source, pattern, flags, subject), theirs) in cases.iter().zip(theirs.lines()) {
            compared += 1;
            let ours = ours(pattern, flags, subject);
            // Node 20 does not know that a name may come again in another alternative.
            if ours != theirs && theirs != "EDuplicate capture group name" {
                different += 1;
                println!("/{source}/{flags} on {:?}", String::from_utf16_lossy(subject));
                println!("   node {theirs}\n   ours {ours}");
            }
        }
    }
    println!("{compared} compared, {different} differ");
}
