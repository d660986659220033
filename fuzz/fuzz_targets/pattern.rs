//! A pattern and a text: compiled under a meter, matched at once, in slices of fuel, with a memo from the start, and in damaged memory.
#![no_main]

use javascript::pattern::{Arena, Charge, Flags, Limits, Refusal, Step, compile, group, remember_at_once, resume, start};
use libfuzzer_sys::fuzz_target;

/// Enough for any small pattern.
struct Purse(u64);

impl Charge for Purse {
    fn work(&mut self, units: u64) -> Result<(), Refusal> {
        self.0 = self.0.checked_sub(units).ok_or(Refusal::Work)?;
        Ok(())
    }

    fn memory(&mut self, _: u64) -> Result<(), Refusal> {
        Ok(())
    }
}

const FUEL: u64 = 20_000;

/// How it ends, and what the groups matched.
fn run(code: &[u32], text: &[u16], slice: u64, eager: bool) -> (Step, Vec<Option<(u32, u32)>>, u64) {
    let mut store = Arena::new(1 << 16);
    if !start(code, text, 0, false, &mut store) {
        return (Step::OutOfMemory, Vec::new(), 0);
    }
    if eager {
        remember_at_once(&mut store);
    }
    let mut left = FUEL;
    loop {
        let mut fuel = slice.min(left);
        left -= fuel;
        let step = resume(code, text, &mut store, &mut fuel);
        left += fuel;
        if step != Step::OutOfFuel || left == 0 {
            return (step, (0..8).map(|index| group(&store, index, text.len() as u32)).collect(), left);
        }
    }
}

fuzz_target!(|input: (u8, Vec<u16>, Vec<u16>, Vec<(u16, u32)>)| {
    let (bits, source, text, damage) = input;
    let mut flags = Flags::from_bits(bits.into());
    if flags.has(Flags::UNICODE) {
        flags = flags.without(Flags::UNICODE_SETS);
    }
    let Ok(program) = compile(&source, flags, Limits::default(), &mut Purse(10_000_000)) else { return };
    let once = run(program.words(), &text, FUEL, false);
    assert_eq!(once, run(program.words(), &text, 7, false), "slices change the result");
    let eager = run(program.words(), &text, FUEL, true);
    let ended = |step| matches!(step, Step::Matched | Step::Failed);
    if ended(once.0) && ended(eager.0) {
        assert_eq!((once.0, &once.1), (eager.0, &eager.1), "the memo changes the result");
    }
    let mut words = program.into_words();
    for (place, word) in damage {
        let length = words.len();
        words[usize::from(place) % length] = word;
        run(&words, &text, 50, bits & 1 != 0);
    }
});
