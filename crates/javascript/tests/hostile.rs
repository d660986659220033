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

/// Words that a corrupted heap may hold where something else is expected.
fn evil(random: &mut Random, used: u64) -> u32 {
    match random.below(7) {
        0 => random.next() as u32,
        1 => random.below(used) as u32 & !15,
        2 => u32::MAX,
        3 => random.below(300) as u32,
        4 => 1 << random.below(32),
        5 => 1 << 31 | random.below(1 << 18) as u32 & !15,
        _ => used as u32 - random.below(64) as u32,
    }
}

/// Overwrites words of cells, as many of the rare kinds as of the common ones: headers and the fields behind them. Sometimes
/// the stack's words instead.
fn corrupt(cell: &mut Cell<JavaScript>, random: &mut Random) {
    let memory = cell.engine().memory();
    let used = memory.len() as u64;
    let mut kinds: std::collections::BTreeMap<u8, Vec<u64>> = std::collections::BTreeMap::new();
    // A cell begins where the kind is small and the size, in sixteen bytes, is not nothing and fits.
    for at in (0..memory.len() as u64 - 16).step_by(16) {
        let header = &memory[at as usize..at as usize + 8];
        let size = u64::from(u16::from_le_bytes([header[2], header[3]]));
        if header[0] < 64 && header[1] < 128 && size > 0 && (size == 0xffff || at + size * 16 <= used) {
            kinds.entry(header[0]).or_default().push(at);
        }
    }
    let kinds: Vec<Vec<u64>> = kinds.into_values().collect();
    for _ in 0..=random.below(8) {
        let places = &kinds[random.below(kinds.len() as u64) as usize];
        let start = places[random.below(places.len() as u64) as usize];
        let at = start + random.below(12) * 4;
        let word = evil(random, used);
        cell.engine().overwrite(at, &word.to_le_bytes());
    }
}

#[test]
fn cells_of_every_kind_may_be_corrupted_in_mid_run_and_in_snapshots() {
    for seed in 1..=150u64 {
        let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1);
        let mut cell = cell(1 << 20, 5_000 + random.below(80_000));
        let mut outcome = cell.execute(&Task::program("busy.js", BUSY.as_bytes())).expect("runs");
        for round in 0..6 {
            if outcome.stop != Stop::OutOfFuel {
                break;
            }
            corrupt(&mut cell, &mut random);
            if (seed + round) % 3 == 0 {
                let mut saved = Vec::new();
                cell.snapshot().expect("freezes").save(&mut saved).expect("saves");
                cell = cell::CellSnapshot::<JavaScript>::load(&mut saved.as_slice()).expect("loads").spawn(None).expect("spawns");
            }
            cell.refuel(60_000);
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
fn a_loop_that_catches_running_out_of_memory_for_ever_is_stopped() {
    for (text, name) in [
        ("for (;;) try { for (let kept = []; ; ) kept.push(new Array(64).fill(0)) } catch {}", "freed"),
        ("const kept = []; for (;;) try { for (;;) kept.push(new Array(64).fill(0)) } catch {}", "kept"),
        ("const kept = []; for (;;) try { for (;;) kept.push(new Array(64).fill(0)) } catch { kept.length = 0 }", "emptied"),
        ("for (;;) try { new Array(1e6).fill(0) } catch {}", "at once"),
    ] {
        let outcome = run(text.as_bytes(), 256 << 10, u64::MAX);
        assert_eq!(outcome.stop, Stop::OutOfMemory, "{name}");
    }
    // Caught now and then it harms nobody, and every run counts anew.
    let mut cell = cell(256 << 10, 1_000_000_000);
    let text = "var caught = 0; for (let i = 0; i < 700; i++) try { for (let kept = []; ; ) kept.push(new Array(64).fill(0)) } catch { caught++ } caught";
    for run in 0..2 {
        let outcome = cell.execute(&Task::from(text)).expect("runs");
        assert_eq!((outcome.stop, outcome.value), (Stop::Finished(0), Some(700.into())), "run {run}");
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

/// Programs that allocate each in their own way. (The crate's own tests fail each of their allocations in turn.)
fn greedy() -> Vec<(String, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/greedy");
    let mut programs: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of greedy programs")
        .flatten()
        .map(|file| (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).expect("a program")))
        .collect();
    programs.sort();
    programs
}

#[test]
fn memory_may_run_out_at_any_allocation() {
    for (name, text) in greedy() {
        let mut free = cell(4 << 20, 50_000_000);
        let start = free.engine().memory_used();
        let whole = free.execute(&Task::program(&*name, text.as_slice())).expect("runs");
        assert!(matches!(whole.stop, Stop::Finished(0)), "{name}: {:?}", whole.stop);
        // What reading the text takes is not in the peak.
        let end = whole.usage.memory_peak + (64 << 10);
        // A cell is sixteen bytes at least: caps little further apart fail, or collect, at one allocation after another.
        let mut kinds = [0u32; 3];
        let mut cap = start + 4096;
        while cap < end {
            let mut cell = cell(cap, 50_000_000);
            let outcome = cell.execute(&Task::program(&*name, text.as_slice())).expect("runs");
            assert!(outcome.usage.memory_peak <= cap, "{name} with {cap} bytes: a peak of {}", outcome.usage.memory_peak);
            kinds[match &outcome.stop {
                Stop::Finished(0) => {
                    assert_eq!(outcome.value, whole.value, "{name} with {cap} bytes");
                    0
                }
                Stop::Raised(_) => 1,
                Stop::OutOfMemory => 2,
                other => panic!("{name} with {cap} bytes: {other:?}"),
            }] += 1;
            match cell.execute(&Task::from("1 + 1")) {
                Ok(again) => {
                    assert!(
                        matches!(again.stop, Stop::Finished(0) | Stop::OutOfMemory | Stop::Raised(_)),
                        "{name} with {cap} bytes: {:?}",
                        again.stop
                    )
                }
                Err(error) => assert!(matches!(error, cell::Error::Dead(_)), "{error}"),
            }
            cap += 16 * if cfg!(debug_assertions) { 53 } else { 5 };
        }
        assert!(kinds[0] > 0 && kinds[1] + kinds[2] > 0, "{name}: finished {}, raised {}, out of memory {}", kinds[0], kinds[1], kinds[2]);
    }
}

#[test]
fn collecting_costs_in_proportion_whatever_the_shape_of_the_heap() {
    // Depth that no mark stack holds, breadth that none holds, and weak maps that keep each other's values alive.
    for text in [
        "let list = null; for (let i = 0; i < SIZE; i++) list = { v: { i }, next: list }",
        "let all = []; for (let k = 0; k < SIZE / 20000; k++) { const a = all; all = Array.from({ length: 20000 }, (_, i) => ({ i })); all.push(a) }",
        "let key = {}, first = key, maps = []; for (let i = 0; i < SIZE / 20; i++) { const m = new WeakMap(), next = {}; m.set(key, next); maps.push(m); key = next }",
    ] {
        let [small, large] = [50_000, 400_000].map(|size| {
            let text = format!("{text}; let junk; for (let i = 0; i < SIZE * 8; i++) junk = [i]; 0").replace("SIZE", &size.to_string());
            let outcome = run(text.as_bytes(), 256 << 20, 4_000_000_000);
            assert_eq!(outcome.stop, Stop::Finished(0), "{text}");
            outcome.usage.fuel.expect("fuel is counted")
        });
        assert!(large < small * 17 / 2, "{small} units for one heap, {large} for one eight times as large: {text}");
    }
}

#[test]
fn lengths_without_memory_behind_them_harm_nobody() {
    for text in [
        "const a = []; a.length = 4294967295; const [...r] = a",
        "const a = []; a.length = 4294967295; [...a]",
        "const a = []; a.length = 4294967295; Math.max(...a)",
        "const a = []; a.length = 4294967295; a.join()",
        "const a = []; a.length = 4294967295; JSON.stringify(a)",
        "const a = []; a.length = 4294967295; a.sort(); a.reverse(); a.concat(a)",
        "const a = []; a.length = 4294967295; structuredClone(a)",
        "const a = []; a.length = 4294967295; new Set(a)",
        "Array.from({ length: 2 ** 53 - 1 })",
        "Array.prototype.push.call({ length: 2 ** 53 - 1 }, 1)",
        "String.fromCharCode.apply(null, { length: 2 ** 32 })",
        "Reflect.apply(Math.max, null, { length: 1e9 })",
        "Function('a'.repeat(1000)).bind(null, ...Array(1e5)).bind(null, ...Array(1e5))(...Array(1e5))",
        "let s = 'x'; for (let i = 0; i < 28; i++) s += s; s.split('').length",
        "let s = 'x'; for (let i = 0; i < 28; i++) s += s; s.toUpperCase() + s.normalize() + [...s]",
        "let s = '1'; for (let i = 0; i < 24; i++) s += s; BigInt(s)",
        "new Uint8Array(2 ** 33); ",
        "new ArrayBuffer(8, { maxByteLength: 2 ** 40 })",
        "'x'.padEnd(2 ** 30); ",
        "Array(2 ** 32 - 1).toString()",
        "new Array(5e8).fill().map(() => [])",
        "/x{2147483647}/.test('x')",
        "new RegExp('(?:'.repeat(500) + 'x' + '){9}'.repeat(500)).test('x'.repeat(1000))",
    ] {
        run(text.as_bytes(), 4 << 20, 20_000_000);
    }
}

#[test]
fn liars_and_mutators_end_cleanly() {
    for text in [
        "const a = Array.from({ length: 300 }, (_, i) => i); a.sort(() => 1); a.sort(() => NaN); a.sort((x, y) => { a.pop(); return y - x }); a.sort(() => { throw 1 })",
        "const a = [3, 1, 2]; Object.defineProperty(a, 1, { get() { a.length = 0; a.push(...'abcdef'); return 9 }, configurable: true }); a.map(x => x); a.concat(a); a.slice(); a.splice(0, 2); JSON.stringify(a); a.flat(); a.indexOf(9); a.includes(9); a.join()",
        "const m = new Map([[1, 2]]); for (const [k] of m) { m.clear(); m.set(k + 1, 1); if (k > 5000) break } m.forEach((v, k) => { m.delete(k); if (m.size < 100) { m.set({}, 1); m.set({}, 2) } })",
        "const s = new Set([1]); for (const x of s) { s.delete(x); s.add(x + 1); if (x > 5000) break }",
        "const o = { get a() { delete o.b; o.c = 1; return 1 }, b: 2 }; for (const k in o) { o['z' + k] = o[k]; if (Object.keys(o).length > 50) break } Object.entries(o); Object.assign({}, o); ({ ...o }); JSON.stringify(o)",
        "const p = new Proxy([], { get: (t, k) => k === 'length' ? 2 ** 53 - 1 : k, has: () => true }); Array.prototype.includes.call(p, 'x')",
        "const p = new Proxy({}, { ownKeys: () => ['a', 'a'] }); Object.keys(p)",
        "const p = new Proxy(Object.freeze({ a: 1 }), { get: () => 2 }); p.a",
        "const p = new Proxy({}, { getPrototypeOf: () => p }); p instanceof Object",
        "let p = {}; for (let i = 0; i < 20000; i++) p = new Proxy(p, {}); p.x",
        "let p = {}; for (let i = 0; i < 20000; i++) p = new Proxy(p, {}); p.x = 1; 'y' in p; Object.keys(p)",
        "let o = {}; for (let i = 0; i < 100000; i++) o = Object.create(o); o.nothing",
        "const b = new ArrayBuffer(64, { maxByteLength: 128 }), t = new Uint8Array(b); t.sort(() => { b.resize(0); return 0 }); t.fill({ valueOf() { b.resize(128); return 1 } }); t.set({ get length() { b.resize(1); return 64 }, 0: 1 })",
        "const t = new Uint8Array(64); const u = new Uint8Array(t.buffer); t.map(() => { try { t.buffer.transfer() } catch {} return 1 }); u.subarray(0).slice()",
        "let f = x => x; for (let i = 0; i < 30000; i++) { const g = f; f = x => g(x) } f(1)",
        "let f = function () { return 1 }; for (let i = 0; i < 30000; i++) f = f.bind(null); f()",
        "let o = {}; let x = o; for (let i = 0; i < 50000; i++) x = x.a = {}; try { JSON.stringify(o) } catch {} try { structuredClone(o) } catch {} console.log(o)",
        "let s = ''; for (let i = 0; i < 100000; i++) s = i + s + i; s.length; s.charCodeAt(5); s === s + ''",
        "let r = '('; for (let i = 0; i < 16; i++) r += r; try { new RegExp(r) } catch {} try { new RegExp('[' + r) } catch {} try { eval('/' + r + '/') } catch {}",
        "let e = new Error('x'); for (let i = 0; i < 20000; i++) e = new Error('x', { cause: e }); console.log(e); String(e)",
        "let p = Promise.resolve(); for (let i = 0; i < 20000; i++) p = p.then(x => x); p = new Promise(r => r(p)); Promise.all(Array(5000).fill(p))",
        "const w = new WeakMap(); let k = {}; for (let i = 0; i < 20000; i++) { const n = {}; w.set(n, k); k = n } k = null; const x = []; for (let i = 0; i < 1e5; i++) x[i % 7] = { i }",
        "class A { constructor() { return new Proxy(this, { get: (t, k) => new A }) } } new A().a.b.c.d",
        "const o = { [Symbol.toPrimitive]() { return o } }; try { o + 1 } catch {} const q = { valueOf: () => ({}), toString: () => ({}) }; try { q * 2 } catch {}",
        "Object.prototype.then = function (r) { r(this) }; (async () => { await {}; await [] })()",
        "Array.prototype[Symbol.iterator] = function* () { yield* [1] }; const [a] = [2]",
        "Object.defineProperty(Array.prototype, 0, { set(v) { this.length = 0 } }); [1, 2].map(x => x); Array.from('ab')",
        "delete globalThis.Object; delete globalThis.Array; delete Function.prototype.call; [1].map(x => ({ ...[x] }))",
        "for (const k of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[k] } catch {} ",
        "for (const k of Reflect.ownKeys(globalThis)) { const C = globalThis[k]; for (const f of [() => C(), () => new C, () => new C({}), () => C.call(1, 2), () => C.prototype.constructor(C)]) try { f() } catch {} }",
        "for (const k of Reflect.ownKeys(globalThis)) { const C = globalThis[k]; if (!C || !C.prototype) continue; for (const m of Reflect.ownKeys(C.prototype)) for (const t of [undefined, 1, 'x', {}, [], new Map, new Uint8Array(2), Symbol(), 5n, Object.create(null), new Proxy({}, {})]) try { const d = Object.getOwnPropertyDescriptor(C.prototype, m); (d.value ?? d.get)?.call(t, t, t) } catch {} }",
    ] {
        run(text.as_bytes(), 4 << 20, 30_000_000);
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

/// A program that never ends stops at one reading, also where its last instruction wants more than is left.
#[test]
fn the_end_of_the_fuel_does_not_depend_on_the_slices() {
    let mut wrong = String::new();
    for text in [
        "for (;;) { ([]); delete (/a+b?/g); }",
        "const kept = []; for (let i = 0; ; i++) { kept.push({ i, text: 'x' + i }); if (kept.length > 300) kept.length = 0; }",
        "for (let text = 'ab'; ; ) { text = (text + text).slice(-3000); text.split('b').join('').length; }",
    ] {
        for fuel in (100_000..110_000).step_by(397) {
            let used = |slice: u64| {
                let mut cell = cell(1 << 20, fuel);
                cell.set_slice(slice);
                let outcome = cell.execute(&Task::program("endless.js", text.as_bytes())).expect("runs");
                (outcome.stop, outcome.usage.fuel)
            };
            let whole = used(50_000);
            for slice in [7, 101] {
                let sliced = used(slice);
                if sliced != whole {
                    let _ = writeln!(wrong, "{text} with {fuel}: {whole:?}, in slices of {slice} {sliced:?}");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// An exception leaves an async function when there is no room left for anything: the run ends, and nothing is broken.
#[test]
fn async_functions_fail_without_room() {
    for text in [
        "async function f() { throw 1 } const kept = []; try { for (;;) kept.push(f()) } catch (e) { f(); throw e }",
        "async function f(n) { if (n) return f(n - 1); null.x } const kept = []; for (let i = 0; ; i++) kept.push(f(i % 50), 'x'.repeat(i))",
        "async function* g() { yield 1; null.x } (async () => { for (;;) { try { for await (const x of g()); } catch { } } })()",
        "x='',o={},a=[],(...l)=>l=function(){};try{switch(((async function (){(e)(r?(({e(){},[r]:y}).a):(y))?((class {})):(class extendsf{})})(o,))<((async function f(){`a${(a=>((8))((class {m(){}[f](){}})))?[Date(Map,Proxy,).padEnd(99)].map(f):(g(p([[]])?n:{}.p()()))()}`})()[0])){case 1:if(D){}}}catch(e){}try{(async function({x:[]}){}).n()}catch(e){}try{''}catch(e){}",
    ] {
        for memory in (88 << 10..104 << 10).step_by(128) {
            run(text.as_bytes(), memory, 200_000);
        }
    }
}
