//! A saved JavaScript cell with words changed: refused, or it goes on to some end; the host is unharmed either way.
#![no_main]

#[path = "../../crates/javascript/examples/hostile/check.rs"]
mod check;
#[path = "../../crates/javascript/examples/hostile/generator.rs"]
mod generator;

use libfuzzer_sys::fuzz_target;

/// Uses most kinds of objects, forever.
const BUSY: &str = "
    class Node { constructor(v, next) { this.v = v; this.next = next; } get sum() { return this.v + (this.next ? this.next.sum : 0); } }
    function* count(n) { for (let i = 0; i < n; i++) yield i; }
    const kept = [];
    for (let round = 0; ; round++) {
        let list = null;
        for (const i of count(9)) list = new Node(i, list);
        const map = new Map([...count(9)].map(i => ['key' + i, { i, list }]));
        const text = [...map.keys()].join() + list.sum + JSON.stringify([...map.values()].map(x => x.i));
        const { length, ...rest } = { length: text.length, a: [1.5, , 'x'], b: 2n ** 70n, c: text.replace(/y(\\d)/g, (m, d) => d + m) };
        kept.push(rest, new Float64Array(8).fill(round), Symbol('s' + round), text.slice(3, 40) + text);
        if (kept.length > 30) kept.splice(0, 20);
        try { if (round % 3 === 0) throw new TypeError('round ' + round); } catch (e) { kept.push(e.stack); }
        (async () => { await null; kept.push(round); })();
        delete rest.a; new Proxy(rest, { get: (t, k) => t[k] }).b; eval('kept.length + ' + round);
    }";

fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = check::snapshot(BUSY.as_bytes(), &mut generator::Bytes(bytes), &mut check::Ends::default()) {
        panic!("{what}");
    }
});
