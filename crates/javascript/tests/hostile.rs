//! What a hostile program, or a heap that was corrupted, may do: end, and nothing else.

use std::fmt::Write as _;

use cell::{Bound, Cell, Limits, Outcome, Stop, Task, TrapKind};
use javascript::JavaScript;

fn cell(memory: u64, fuel: u64) -> Cell<JavaScript> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(memory).fuel(fuel) };
    Cell::new(JavaScript::new(memory).expect("room"), limits, None).expect("a cell")
}

fn run(text: &[u8], memory: u64, fuel: u64) -> Outcome {
    let outcome = cell(memory, fuel).execute(&Task::program("hostile.js", text)).expect("runs");
    assert!(outcome.usage.memory_peak <= memory, "a peak of {} under a cap of {memory}", outcome.usage.memory_peak);
    assert!(
        !matches!(outcome.stop, Stop::Trapped(_)),
        "{:?} from {:?}",
        outcome.stop,
        String::from_utf8_lossy(&text[..text.len().min(80)])
    );
    outcome
}

/// A program that uses most kinds of objects, forever.
const BUSY: &str = r"
    class Node { constructor(v, next) { this.v = v; this.next = next; } get sum() { return this.v + (this.next ? this.next.sum : 0); } }
    function* count(n) { for (let i = 0; i < n; i++) yield i; }
    const kept = [];
    for (let round = 0; ; round++) {
        let list = null;
        for (const i of count(20)) list = new Node(i, list);
        const map = new Map([...count(10)].map(i => ['key' + i, { i, list }]));
        const text = [...map.keys()].join() + list.sum + JSON.stringify([...map.values()].map(x => x.i));
        const { length, ...rest } = { length: text.length, a: [1.5, , 'x'], b: 2n ** 70n, c: text.replace(/y(\d)/g, (m, d) => d + m) };
        kept.push(rest, new Float64Array(8).fill(round), Symbol('s' + round), text.slice(3, 40) + text);
        if (kept.length > 60) kept.splice(0, 30);
        kept.sort((a, b) => String(typeof a).localeCompare(typeof b));
        try { if (round % 7 === 0) throw new TypeError('round ' + round); } catch (e) { kept.push(e.message, e.stack); }
        (async () => { await null; kept.push(round); })();
        delete rest.a; new Proxy(rest, { get: (t, k) => t[k] }).b; eval('kept.length + ' + round);
    }";

/// A small generator of random numbers: the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

#[test]
fn a_corrupted_heap_harms_its_own_cell_only() {
    for seed in 1..=120u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut cell = cell(1 << 20, 3_000 + random.below(60_000));
        let mut outcome = cell.execute(&Task::program("busy.js", BUSY.as_bytes())).expect("runs");
        for _ in 0..8 {
            if outcome.stop != Stop::OutOfFuel {
                break;
            }
            let used = cell.engine().memory_used();
            for _ in 0..=random.below(12) {
                // Whole words: headers, lengths, offsets, values; often small numbers, often what another word holds.
                let at = random.below(used / 8) * 8 + [0, 4][random.below(2) as usize];
                let bytes = match random.below(4) {
                    0 => (random.next() as u32).to_le_bytes().to_vec(),
                    1 => (random.below(used) as u32 & !15).to_le_bytes().to_vec(),
                    2 => vec![random.next() as u8],
                    _ => u32::MAX.to_le_bytes().to_vec(),
                };
                cell.engine().overwrite(at, &bytes);
            }
            cell.refuel(100_000);
            outcome = match cell.run() {
                Ok(outcome) => outcome,
                Err(_) => break,
            };
            if let Stop::Trapped(trap) = &outcome.stop {
                assert_ne!(trap.kind, TrapKind::Internal, "seed {seed}: {}", trap.message);
            }
        }
    }
}

#[test]
fn nests_and_floods_of_source_end_cleanly() {
    const DEEP: usize = 100_000;
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("class{[", "]}"),
        ("function f(){", "}"),
        ("a?b:", "c"),
        ("!", "1"),
        ("if(a);else ", ";"),
        ("`${", "}`"),
        ("(a=", ")"),
        ("a=>", "1"),
        ("async()=>{", "}"),
        ("new ", "X"),
        ("a?.", "b"),
        ("[...", "]"),
        ("({a=", "})=>1"),
        ("{", "}"),
        ("x:", ";"),
        ("-", "1"),
        ("a.", "b"),
    ] {
        let text = format!("{}{}", open.repeat(DEEP), close.repeat(DEEP));
        run(text.as_bytes(), 4 << 20, 50_000_000);
        run(open.repeat(DEEP).as_bytes(), 4 << 20, 50_000_000);
    }
    run("(a=".repeat(350_000).as_bytes(), 8 << 20, 100_000_000);
    let commas = run(&vec![b','; 10 << 20], 32 << 20, 1_000_000_000);
    assert!(matches!(commas.stop, Stop::Raised(_) | Stop::OutOfMemory), "{:?}", commas.stop);
}

#[test]
fn deep_and_endless_work_in_the_library_ends_cleanly() {
    for text in [
        "JSON.parse('['.repeat(200000))",
        "JSON.parse('{\"a\":'.repeat(200000))",
        "let a = []; for (let i = 0; i < 50000; i++) a = [a]; String(a)",
        "let a = []; for (let i = 0; i < 50000; i++) a = [a]; JSON.stringify(a)",
        "let a = []; for (let i = 0; i < 50000; i++) a = [a]; a.flat(Infinity); structuredClone(a)",
        "new RegExp('('.repeat(100000) + ')'.repeat(100000))",
        "new RegExp('(?:a|'.repeat(50000))",
        "new RegExp('a{1000}'.repeat(1000)).test('a')",
        "const o = { toString() { return '' + o } }; '' + o",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x",
        "const p = new Proxy(function () {}, { apply(t, s, a) { return p() } }); p()",
        "class A { get x() { return this.x } } new A().x",
        "let s = 'a'; for (;;) s += s",
        "new Array(4294967295).fill(0)",
        "'x'.repeat(2 ** 29)",
        "'x'.padStart(1e9, 'ab')",
        "const a = [1, 2, 3]; a.sort(() => { a.length = 0; a.push(...[9, 8, 7, 6]); return Math.random() - 0.5 })",
        "const m = new Map([[1, 1]]); for (const [k] of m) { m.delete(k); m.set(k + 1, 1) }",
        "const a = [1]; for (const x of a) a.push(x)",
        "[...{ [Symbol.iterator]: () => ({ next: () => ({}) }) }]",
        "2n ** (2n ** 40n)",
        "let n = 3n; for (;;) n *= n",
        "/(a+)+$/.test('a'.repeat(5000) + 'b'); /(a|a)*b/.test('a'.repeat(5000)); /(a*)*b/.test('a'.repeat(5000)); /(.*)*x/.test('a'.repeat(5000))",
        "/(a+)+\\1b/.test('a'.repeat(3000))",
        "'a'.repeat(1e6).split('')",
        "Promise.resolve().then(function f() { return Promise.resolve().then(f) })",
        "setInterval(() => {}, 1)",
        "(function f() { setTimeout(f, 1); queueMicrotask(f) })()",
        "console.log(Array.from({ length: 100 }, () => Array(100).fill(Array(100).fill('x'.repeat(9999)))))",
        "const o = {}; for (let i = 0; ; i++) o['k' + i] = i",
        "eval('('.repeat(1e5))",
        "new Function('return ' + '['.repeat(1e5))",
        "Object.defineProperty([], 'length', { value: 4294967295 }).concat(Array(4294967295))",
        "structuredClone(new Uint8Array(1 << 28))",
        "new TextDecoder().decode(new Uint8Array(1 << 22)).length",
        "new URL('http://' + 'a.'.repeat(1e5) + 'b/' + '%41'.repeat(1e5)).href.length",
        "btoa('x'.repeat(1e6)).length + atob('AAAA'.repeat(1e5)).length",
    ] {
        run(text.as_bytes(), 4 << 20, 20_000_000);
    }
}

#[test]
fn a_refusal_of_memory_anywhere_leaves_a_cell_that_works_or_is_dead() {
    let text = BUSY.replace("for (let round = 0; ; round++)", "for (let round = 0; round < 3; round++)");
    for cap in (40..200).step_by(3) {
        let mut cell = cell(cap << 10, 50_000_000);
        let outcome = cell.execute(&Task::program("busy.js", text.as_bytes())).expect("runs");
        assert!(!matches!(outcome.stop, Stop::Trapped(_)), "cap {cap} KiB: {:?}", outcome.stop);
        match cell.execute(&Task::from("1 + 1")) {
            Ok(again) => {
                assert!(matches!(again.stop, Stop::Finished(0) | Stop::OutOfMemory | Stop::Raised(_)), "cap {cap} KiB: {:?}", again.stop)
            }
            Err(error) => assert!(matches!(error, cell::Error::Dead(_)), "{error}"),
        }
    }
}

/// Fuel of a program in pieces of `step` units and slices of at most `slice`, and how it ended.
fn fuel_in_steps(text: &str, memory: u64, step: u64, slice: u64) -> (Stop, u64) {
    let mut cell = cell(memory, step);
    cell.set_slice(slice);
    let mut outcome = cell.execute(&Task::program("steps.js", text.as_bytes())).expect("runs");
    while outcome.stop == Stop::OutOfFuel && outcome.usage.fuel.expect("counted") < 20_000_000 {
        cell.refuel(step);
        outcome = cell.run().expect("goes on");
    }
    (outcome.stop, outcome.usage.fuel.expect("counted"))
}

#[test]
fn fuel_does_not_depend_on_when_a_cell_is_refuelled() {
    let mut wrong = String::new();
    for text in [
        "'a'.repeat(1e5).split('')",
        "'a,b'.repeat(3e4).split(',').join('-').split('b').length",
        "let s = ''; for (let i = 0; i < 3000; i++) s += i; s.indexOf('x') + s.lastIndexOf('y') + s.split('9').length",
        "JSON.stringify(JSON.parse(JSON.stringify(Array.from({ length: 3000 }, (_, i) => ({ i, name: 'n' + i })))))",
        "let k = []; for (let i = 0; i < 40000; i++) { k.push({ i, t: 'x' + i }); if (k.length > 500) k = k.slice(400) } k.length",
        "3n ** 20000n % 7n; String(7n ** 3000n).length",
        "console.log(Array.from({ length: 200 }, (_, i) => ['x'.repeat(i), { i }]))",
        "const o = {}; for (let i = 0; i < 3000; i++) o['k' + i] = i; Object.entries(o).sort((a, b) => a[0] < b[0] ? -1 : 1).length",
        "'ab12cd'.repeat(5000).replace(/[0-9]+/g, m => m + m).match(/b1+/g).length",
        "new Float64Array(5000).map((_, i) => i * 7 % 13).sort().join().length",
        "eval('1 + '.repeat(3000) + '1'); throw new TypeError('x'.repeat(5000))",
        "let a = []; for (;;) a.push('x'.repeat(1000) + a.length)",
    ] {
        let whole = fuel_in_steps(text, 2 << 20, 20_000_000, 10_000);
        for step in [127, 1009, whole.1 / 3 + 1] {
            let stepped = fuel_in_steps(text, 2 << 20, step, 10_000);
            if stepped != whole {
                let _ = writeln!(wrong, "{text}: {whole:?}, in steps of {step} {stepped:?}");
            }
        }
        for slice in [1, 7, 127] {
            let sliced = fuel_in_steps(text, 2 << 20, 20_000_000, slice);
            if sliced != whole {
                let _ = writeln!(wrong, "{text}: {whole:?}, in slices of {slice} {sliced:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
