//! Instructions go from one to the next by jumps: however many run, in whatever mixture of fast and slow paths, the host's stack stays
//! where it is. (Builds with debug assertions use a loop; there this holds by itself.)

const SCRIPT: &str = "
    var o = { get x() { return 1 }, s: 'abc' }, n = 0, keys = ['s', 'y'];
    function f(a) { try { if (a % 7 === 0) throw new Error('e'); return a } catch (e) { return 1 } }
    function* g() { for (;;) yield 1 }
    var it = g();
    for (var i = 0; i < 60000; i++) {
        n += o.x + f(i) + o.s.charCodeAt(1) + o[keys[i & 1]]?.length + it.next().value;
        var a = [i, i + 1], c = () => i; n += a.map(c).length + a.slice(1).length; a.push(...[1, 2]);
        o['k' + (i % 50)] = i; n += 'k1' in o; n += a instanceof Array; n = n % 1000003;
    }
    n";

#[test]
fn the_hosts_stack_does_not_grow_with_the_number_of_instructions() {
    let run = || {
        let mut cell = javascript::Evaluator::new(64 << 20).expect("room for a cell");
        let mut meter = cell::Meter::new(None);
        let result = cell.eval(SCRIPT, &mut meter);
        assert!(meter.used() > 3_000_000, "{} units only", meter.used());
        result.expect("a value")
    };
    // The library's image is made on the first use, by a thread with room.
    let expected = run();
    let small = std::thread::Builder::new().stack_size(192 << 10).spawn(run).expect("a thread").join().expect("no overflow");
    assert_eq!(small, expected);
}

/// Fuel is the same whatever the slices, and whether caches are cold or warm.
#[test]
fn fuel_is_exact() {
    let used = |script: &str| {
        let mut cell = javascript::Evaluator::new(64 << 20).expect("room for a cell");
        let mut meter = cell::Meter::new(None);
        cell.eval(script, &mut meter).expect("a value");
        meter.used()
    };
    assert_eq!(used(SCRIPT), used(SCRIPT));
    // One property access more costs the same the first time as the thousandth.
    let loops = |n: u32| {
        used(&format!("var o = {{ __proto__: {{ p: {{ q: 1 }} }} }}, n = 0; for (var i = 0; i < {n}; i++) n += o.p.q + [].length; n"))
    };
    assert_eq!(loops(2) - loops(1), loops(1000) - loops(999));
}
