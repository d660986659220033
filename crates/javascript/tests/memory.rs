//! What a cell with a small cap makes the process hold, whatever its script does. Alone in its process: others would be counted too.
#![cfg(target_os = "linux")]

use cell::{Bound, Cell, Limits, Stop, Task};
use javascript::JavaScript;

const MIB: u64 = 1 << 20;
/// The cap of every cell.
const CAP: u64 = MIB;
/// Console text comes on top of the cap: it has a limit of its own.
const OUTPUT: u64 = 64 << 10;

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("the status of this process");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("such a line");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

fn run(text: &str) -> Stop {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(CAP).fuel(20_000_000).output(OUTPUT) };
    let mut cell = Cell::new(JavaScript::new(CAP).expect("room"), limits, None).expect("a cell");
    cell.execute(&Task::program("hostile.js", text.as_bytes())).expect("runs").stop
}

/// The C library's settings with which memory that was given back is not kept for later, where it would hide what is taken.
const FRUGAL: [(&str, &str); 2] = [("MALLOC_TRIM_THRESHOLD_", "0"), ("MALLOC_MMAP_THRESHOLD_", "65536")];

#[test]
fn a_cell_of_one_mebibyte_grows_the_process_by_one_and_a_half_at_most() {
    if std::env::var_os(FRUGAL[0].0).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().expect("this program"));
        let output = again.envs(FRUGAL).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    // What a process pays once: the library, the parser's and the collector's tables.
    for _ in 0..2 {
        run("let a = []; for (let i = 0; ; i++) a.push({ i, text: 'x' + i })");
    }
    let nested = format!("{}1{}", "[".repeat(900), "]".repeat(900));
    let large = format!("[{}]", "1,".repeat(100_000));
    let scripts = [
        "const a = []; for (;;) a.push(a.length)",
        "const a = []; for (;;) a.push({})",
        "let s = 'x'; for (;;) s += s",
        "let s = 'x'; for (;;) { s += s; s.charCodeAt(0) }",
        "'x'.repeat(2 ** 29)",
        "new Array(1e9).fill(0)",
        "Array.from({ length: 1e7 }, (_, i) => i)",
        "new ArrayBuffer(1e9)",
        "const a = []; for (;;) a.push(new Uint8Array(1000))",
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, i)",
        "const o = {}; for (let i = 0; ; i++) o['k' + i] = i",
        "(function f() { f() })()",
        "(function f(...a) { f(...a, 1) })()",
        "function* g() { yield* g() } [...g()]",
        "let n = 3n; for (;;) n *= n",
        "JSON.stringify(Array.from({ length: 20000 }, (_, i) => 'text ' + i)).length",
        "JSON.parse('[' + '1,'.repeat(150000) + '1]').length",
        "'a'.repeat(200000).split('')",
        "'ab'.repeat(100000).replace(/a/g, 'xyz').length",
        "[...'a'.repeat(100000)].sort().join('')",
        "Array.from({ length: 30000 }, (_, i) => -i).sort((a, b) => a - b).length",
        "/(a|b|c)*d/.test('abc'.repeat(50000))",
        "/((a+)+)+$/.test('a'.repeat(100000) + 'b')",
        "new RegExp('(' + 'a|'.repeat(50000) + 'b)')",
        "eval('[' + '1,'.repeat(200000) + ']')",
        "eval('var x;'.repeat(50000))",
        "new Function('return ' + '1+'.repeat(100000) + '1')",
        "for (;;) console.log('x'.repeat(1000))",
        "console.log(Array.from({ length: 1000 }, () => 'y'.repeat(500)))",
        "for (;;) Promise.resolve().then(() => {})",
        "for (let i = 0; ; i++) setTimeout(() => i, i)",
        "structuredClone(Array.from({ length: 20000 }, (_, i) => ({ i })))",
        "btoa('x'.repeat(300000)).length",
        "new TextEncoder().encode('é'.repeat(200000)).length",
        "throw new Error('x'.repeat(400000))",
        "'x'.repeat(400000)",
        "Array.from({ length: 40000 }, (_, i) => i).length",
        "cell.output(new Uint8Array(400000)); cell.keep(new Uint8Array(400000))",
        // Natives whose work on the host could be many times what the guest holds.
        "Array(2000).fill('x'.repeat(400000))",
        "JSON.stringify(Array(2000).fill('x'.repeat(400000))).length",
        "'a'.repeat(300000).replace(/a+/g, '$&'.repeat(2000)).length",
        r#"'a'.repeat(300000).replace('a', "$'".repeat(2000)).length"#,
        r#"Array(400).fill('x'.repeat(200000)).concat('\u1234').join('').length"#,
        "console.log(Array(100).fill('x'.repeat(400000)))",
        "console.error(new Error('x'.repeat(700000)))",
        "encodeURIComponent('é'.repeat(400000)).length",
        "unescape('%41'.repeat(200000)).length",
        r#"'\ufdfa'.repeat(200000).normalize('NFKD').length"#,
        "'ß'.repeat(700000).toUpperCase().length",
        "'a'.repeat(700000).split('').length",
        "'a,'.repeat(350000).split(',').length",
        "'a,'.repeat(350000).split(/,/).length",
        r#"JSON.stringify('\u0001'.repeat(700000)).length"#,
        r#"JSON.parse('"' + 'x'.repeat(700000) + '"').length"#,
        r#"JSON.parse('"' + '\\n'.repeat(200000) + '"').length"#,
        "new TextEncoder().encode('é'.repeat(700000)).length",
        "new TextDecoder('utf-16le').decode(new Uint8Array(700000)).length",
        "atob('AAAA'.repeat(170000)).length",
        "new URL('http://a/' + 'é'.repeat(300000)).href.length",
        "new URLSearchParams(Array(100).fill(['a', 'é'.repeat(100000)])).toString().length",
        "Object.keys('x'.repeat(200000)).length",
        "for (const k in 'x'.repeat(300000)) { }",
        "'abc'.repeat(200000).match(/a/g).length",
        "structuredClone(Array(2000).fill('x'.repeat(400000))).length",
        &nested,
        &large,
    ];
    let mut excesses = Vec::new();
    for text in scripts {
        let before = status("VmRSS:");
        // From here on the peak counts anew.
        std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
        let stop = run(text);
        let grown = status("VmHWM:").saturating_sub(before);
        let shown: String = text.chars().take(60).collect();
        assert!(!matches!(stop, Stop::Trapped(_)), "{stop:?} from {shown}");
        if grown > CAP + CAP / 2 {
            excesses.push(format!("{} KiB from {shown} ({})", grown >> 10, stop.name()));
        }
    }
    assert!(excesses.is_empty(), "{excesses:#?}");
}
