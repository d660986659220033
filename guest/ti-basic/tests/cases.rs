//! Every program in `tests/cases` with its input (`.in`) prints what its `.out` says; an `ERR:` there is how it ends.

use std::fs;
use std::path::Path;

fn outcome(source: &str, input: &str) -> String {
    let mut output = Vec::new();
    let result = ti_basic::run(source, &mut input.as_bytes(), &mut output, 7);
    let mut text = String::from_utf8(output).expect("text");
    if let Err(fault) = result {
        text += &format!("{fault}\n");
    }
    text
}

#[test]
fn programs_print_what_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("cases").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "8xp") {
            let source = fs::read_to_string(&path).expect("a program");
            let input = fs::read_to_string(path.with_extension("in")).unwrap_or_default();
            let wanted = fs::read_to_string(path.with_extension("out")).expect("what it prints");
            assert_eq!(outcome(&source, &input), wanted, "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 10, "only {count} cases");
}

#[test]
fn what_is_no_program_ends_with_a_fault() {
    for (source, wanted) in [
        ("Disp 1+", "ERR:SYNTAX in line 1\n"),
        ("\nEnd", "ERR:SYNTAX in line 2\n"),
        ("1/0→A", "ERR:DIVIDE BY 0 in line 1\n"),
        ("sqrt(-1", "ERR:DOMAIN in line 1\n"),
        ("\"A\"+1", "ERR:DATA TYPE in line 1\n"),
        ("Goto Z", "ERR:LABEL in line 1\n"),
        ("{1,2}+{1,2,3}", "ERR:DIM MISMATCH in line 1\n"),
        ("L1(1)", "ERR:UNDEFINED in line 1\n"),
        ("5→dim(L1\nL1(6)", "ERR:INVALID DIM in line 2\n"),
        ("70!", "ERR:OVERFLOW in line 1\n"),
        ("Input A", "?ERR:BREAK in line 1\n"),
        ("For(A,1,2,0", "ERR:INCREMENT in line 1\n"),
        ("$", "ERR:SYNTAX in line 1\n"),
    ] {
        assert_eq!(outcome(source, ""), wanted, "{source}");
    }
    let deep = "(".repeat(100_000);
    assert_eq!(outcome(&deep, ""), "ERR:MEMORY in line 1\n");
}

/// Programs put together from words at random neither panic nor hang.
#[test]
fn nonsense_never_panics() {
    let words = [
        "Disp ", "Input A", "A", "→", "\"", "For(A,1,3)", "End", "If ", "Then", "Else", "L1", "(", ")", "{", "}", ",", "+", "-", "^", "²",
        "!", "1", "0", ".5", "ᴇ", "sub(", "\n", ":", "seq(", "dim(", "expr(\"", "Lbl A", "Str1", "Ans", "randInt(", "θ", "é", "≠", "Menu(",
    ];
    let mut lot = 1u64;
    for _ in 0..20_000 {
        let mut source = String::new();
        for _ in 0..12 {
            lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            source += words[(lot >> 33) as usize % words.len()];
        }
        outcome(&source, "1\n2\n");
    }
}
