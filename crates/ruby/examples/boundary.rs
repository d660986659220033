//! Boxes that bypass our Ruby and send the host any bytes, for a given time:
//! `cargo run --release -p oubliette-ruby --example boundary -- SECONDS FIRST_SEED`. Calls with forged references, offers and orders that are
//! none, answers that nobody asked for, noise. A case that fails is named by its seed; `boundary 0 SEED` runs it alone.

use cell::{GuestError, Stop, TrapKind, Value};
use ruby::{HostObject, Options, PrepareOptions, Ruby};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn size(out: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        out.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, tag: u8, text: &str) {
    out.push(tag);
    size(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A value that the host would take, mostly.
fn value(out: &mut Vec<u8>, random: &mut Random, depth: u32) {
    const WORDS: [&str; 14] =
        ["Echo", "call", "new", "order", "usage", "dead", "output", "snapshot", "spawn", "init", "memory", "fuel", "const_get", ""];
    match random.below(if depth > 4 { 9 } else { 12 }) {
        0 => out.push(b'0'),
        1 => out.push(b'T'),
        2 => out.extend_from_slice(&[b'c', random.below(20) as u8]),
        3 => {
            out.push(b'i');
            out.extend_from_slice(&random.next().wrapping_mul(0x1_0001).to_le_bytes());
        }
        4 | 5 => text(out, if random.below(2) == 0 { b's' } else { b'y' }, WORDS[random.below(WORDS.len() as u64) as usize]),
        6 => {
            out.push(b'o');
            size(out, random.below(6));
            size(out, 0);
        }
        7 => {
            out.push(b'p');
            size(out, random.below(6));
            size(out, random.below(3));
            size(out, 0);
        }
        8 => {
            out.push(b'd');
            out.extend_from_slice(&random.next().to_le_bytes());
        }
        9 | 10 => {
            let count = random.below(5);
            out.push(b'a');
            size(out, count);
            (0..count).for_each(|_| value(out, random, depth + 1));
        }
        _ => {
            let count = random.below(4);
            out.push(b'h');
            size(out, count);
            (0..2 * count).for_each(|_| value(out, random, depth + 1));
        }
    }
}

/// A message: of a kind there is with any fields, then perhaps damaged; or noise.
fn message(random: &mut Random) -> Vec<u8> {
    if random.below(12) == 0 {
        return (0..random.below(60)).map(|_| random.next() as u8).collect();
    }
    let kind = 1 + random.below(6);
    let fields = match kind {
        1 => 1,
        2 => 5,
        3 | 4 => 4,
        5 => 1 + random.below(6),
        _ => 0,
    };
    let mut out = vec![b'a'];
    size(&mut out, fields + 2);
    match random.below(4) {
        0 => value(&mut out, random, 3),
        _ => out.push(b'0'),
    }
    out.extend_from_slice(&[b'c', kind as u8]);
    for at in 0..fields {
        match (kind, at) {
            (3 | 4, 2) if random.below(4) != 0 => out.extend_from_slice(b"a\x01c\x05"),
            (4, 0) if random.below(3) != 0 => text(&mut out, b's', "Echo"),
            (5, 0) => text(&mut out, b'y', ["new", "order", "usage", "dead", "output", "snapshot", "spawn"][random.below(7) as usize]),
            (5, 1) if random.below(2) == 0 => out.extend_from_slice(&[b'c', 1 + random.below(4) as u8]),
            _ => value(&mut out, random, 1),
        }
    }
    for _ in 0..random.below(3) / 2 {
        let at = random.below(out.len() as u64) as usize;
        out[at] = random.next() as u8;
    }
    if random.below(20) == 0 {
        let end = random.below(out.len() as u64) as usize;
        out.truncate(end);
    }
    out
}

struct Echo;

impl HostObject for Echo {
    fn class(&self) -> &str {
        "Echo"
    }

    fn call(&mut self, _: &str, mut arguments: Vec<Value>) -> Result<Value, GuestError> {
        Ok(arguments.pop().unwrap_or_default())
    }
}

/// Runs a case and looks at what must hold whatever the box sent. Gives how it ended.
fn run(image: &Ruby, seed: u64) -> &'static str {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut code = String::from(
        "glue = Sandbox::Glue; say = ->(bytes) { begin; glue::OUT.replace(bytes); glue::DOOR.to_s; rescue StandardError, NoMemoryError; end }\n\
         ask = ->(*parts) { begin; glue::QUERY.replace(parts); glue::DOOR.strictly_eql?(glue::DOOR); rescue StandardError, NoMemoryError; end }\n",
    );
    if random.below(2) == 0 {
        code.push_str("box = Sandbox.safe; box.eval('1')\n");
    }
    for _ in 0..1 + random.below(20) {
        let hex = message(&mut random).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        match random.below(10) {
            8 => {
                // A question with a start that is none, or arguments that the host may not read.
                let arguments =
                    ["[1, nil, 2.5, 'x', true]", "[Object.new]", "nil", "[['y'] * 3]", "[1] * 90", "(a = []; a << a)", "glue::QUERY"];
                let _ = writeln!(code, "ask.(['{hex}'].pack('H*'), {}, 0)", arguments[random.below(arguments.len() as u64) as usize]);
            }
            9 => {
                let other =
                    ["glue::QUERY.clear", "glue::QUERY.push(1)", "ask.(1, 2, 3)", "ask.('x' * 99_999, [1], nil)", "ask.(:s, {}, '')"];
                let _ = writeln!(code, "{}", other[random.below(other.len() as u64) as usize]);
            }
            0 => {
                let _ = writeln!(code, "Echo.call([1, {{ a: 'b' }}])");
            }
            1 => {
                let _ = writeln!(code, "def glue.message(*) = ['{hex}'].pack('H*')");
            }
            _ => {
                let _ = writeln!(code, "say.(['{hex}'].pack('H*'))");
            }
        }
    }
    const FUEL: u64 = 30_000_000;
    const OUTPUT: u64 = 10_000;
    let options = Options { boxes: true, fuel: Some(FUEL), output: Some(OUTPUT), ..Options::full() };
    let memory = options.memory;
    let mut guest = image.sandbox(options).expect("a box");
    guest.offer("Echo", Arc::new(Mutex::new(Echo))).expect("offered");
    let answer = guest.eval(&code).expect("an answer, whatever it is");
    assert!(!matches!(&answer.stop, Stop::Trapped(trap) if trap.kind == TrapKind::Internal), "{:?}", answer.stop);
    assert!(answer.usage.fuel <= FUEL && answer.usage.memory_peak <= memory, "{:?}", answer.usage);
    assert!((answer.stdout.len() + answer.stderr.len()) as u64 <= OUTPUT);
    answer.stop.name()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().ok_or("usage: boundary SECONDS FIRST_SEED")?.parse()?;
    let first: u64 = arguments.next().ok_or("usage: boundary SECONDS FIRST_SEED")?.parse()?;
    let cache = std::env::var_os("OUBLIETTE_CACHE")
        .map_or_else(|| PrepareOptions::default_cache(std::env::var_os("HOME").map(PathBuf::from).as_deref(), None), PathBuf::from);
    let image = ruby::prepare(&PrepareOptions::new(cache.join("ruby")), &mut |progress| eprintln!("{}", progress.what))?;
    let (start, mut ends) = (Instant::now(), BTreeMap::new());
    let mut seed = first;
    loop {
        let Ok(end) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&image, seed))) else {
            return Err(format!("seed {seed} failed").into());
        };
        *ends.entry(end).or_insert(0u64) += 1;
        seed += 1;
        if start.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!("{} cases in {} s: {ends:?}", seed - first, start.elapsed().as_secs());
    Ok(())
}
