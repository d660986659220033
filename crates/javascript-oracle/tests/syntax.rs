//! What is accepted and refused, as `oxc_parser` with its semantic pass judges it.

use javascript::bytecode::Unit;
use javascript::compile::{Request, compile};
use javascript::syntax::{Fault, Goal, Options, Parser, Unlimited};
use oubliette_javascript_oracle::complaints;
use proptest::prelude::*;

fn parse(source: &str, goal: Goal) -> Result<(), Fault> {
    Parser::new().parse(source.as_bytes(), goal, &Options::default(), &mut Unlimited)
}

/// Texts on which oxc is known to be wrong or of another opinion; what is right is said here.
const EXCEPTIONS: &[(&str, bool)] = &[];

#[test]
fn the_corpus_is_judged_as_oxc_judges_it() {
    let mut differences = Vec::new();
    for source in include_str!("programs.txt").split("\n---\n") {
        let source = source.trim_end_matches('\n');
        for (goal, module) in [(Goal::Script, false), (Goal::Module, true)] {
            let ours = parse(source, goal);
            let expected = match EXCEPTIONS.iter().find(|(text, _)| *text == source) {
                Some(&(_, accepted)) => accepted,
                None => complaints(source, module).is_empty(),
            };
            if ours.is_ok() != expected {
                differences.push(format!("{source:?} ({goal:?}): oxc accepts: {expected}, we say {ours:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Words from which random texts are made: what is special to some rule, and little else. (`let` alone, a
/// name in sloppy code, oxc does not take everywhere.)
const WORDS: &[&str] = &[
    "a",
    "b",
    "let a",
    "const",
    "var",
    "function",
    "async",
    "await",
    "yield",
    "of",
    "in",
    "=>",
    "=",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "?",
    ".",
    "?.",
    "...",
    "*",
    "**",
    "-",
    "++",
    "!",
    "1",
    "'s'",
    "class",
    "extends",
    "static",
    "get",
    "set",
    "#p",
    "new",
    "super",
    "this",
    "return",
    "for",
    "if",
    "else",
    "do",
    "while",
    "try",
    "catch",
    "finally",
    "switch",
    "case",
    "default",
    "break",
    "continue",
    "throw",
    "typeof",
    "delete",
    "eval",
    "arguments",
    "??",
    "||",
    "&&",
    "+=",
    "??=",
    "`t`",
    "\n",
    "import",
    "export",
    "'use strict';",
    "with",
    "null",
    "from",
    "as",
    "constructor",
    "f(){}",
    "(a)",
    "{a}",
    "[a]",
];

fn token_soup() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(WORDS), 1..9).prop_map(|words| words.join(" "))
}

/// Programs that are mostly right.
fn program() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(&["a", "b", "yield", "await", "async", "of", "eval", "arguments", "x"][..]);
    let expression = name.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} + {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} = {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) => {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("async ({a}) => {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, ...{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({{ a: {a}, b: {b} }})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({{ a = {a} }} = {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} ? {b} : a")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("function* () {{ {a} }}")),
            inner.clone().prop_map(|a| format!("async function () {{ {a} }}")),
            inner.clone().prop_map(|a| format!("class {{ x = {a}; static {{ {a} }} }}")),
            inner.clone().prop_map(|a| format!("`${{{a}}}`")),
            inner.clone().prop_map(|a| format!("a?.b.c[{a}]")),
            inner.prop_map(|a| format!("yield {a}")),
        ]
    });
    let declaration = prop_oneof![
        expression.clone().prop_map(|e| format!("({e});")),
        expression.clone().prop_map(|e| format!("let x = {e};")),
        expression.clone().prop_map(|e| format!("var x = {e};")),
        expression.clone().prop_map(|e| format!("for (let x of {e}) {{ var c; }}")),
        expression.clone().prop_map(|e| format!("function a(x = {e}) {{ }}")),
        expression.clone().prop_map(|e| format!("{{ function b() {{ {e} }} }}")),
        expression.prop_map(|e| format!("try {{ {e} }} catch (e) {{ var e; }}")),
    ];
    (any::<bool>(), proptest::collection::vec(declaration, 1..4)).prop_map(|(strict, parts)| {
        let start = if strict { "'use strict'; " } else { "" };
        format!("{start}{}", parts.join(" "))
    })
}

fn agree(source: &str) -> Result<(), TestCaseError> {
    for (goal, module) in [(Goal::Script, false), (Goal::Module, true)] {
        let ours = parse(source, goal);
        let complaints = complaints(source, module);
        // Sloppy code may assign to a call, which fails when it gets there: browsers need it, the standard
        // allows it, oxc refuses it.
        if ours.is_ok() && !module && complaints.iter().any(|text| text == "Cannot assign to this expression") {
            continue;
        }
        // Oxc takes every `eval` inside the initialiser in `{ a = ... } = b` for a target.
        let mistaken = |text: &String| text.starts_with("Cannot assign to 'eval'") || text.starts_with("Cannot assign to 'arguments'");
        if ours.is_ok() && source.contains("{ a = ") && complaints.iter().all(mistaken) {
            continue;
        }
        let theirs = complaints.is_empty();
        prop_assert_eq!(ours.is_ok(), theirs, "{:?} ({:?}): oxc {}, we {:?}", source, goal, theirs, ours);
        if ours.is_ok() {
            let request = Request { goal, ..Request::default() };
            let compiled = compile(&mut Parser::new(), source.as_bytes(), &request, &mut Unit::default(), &mut Unlimited);
            prop_assert_eq!(compiled, Ok(()), "{}", source);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(262), ..ProptestConfig::default() })]

    #[test]
    fn random_words_are_judged_as_oxc_judges_them(source in token_soup()) {
        agree(&source)?;
    }

    #[test]
    fn random_programs_are_judged_as_oxc_judges_them(source in program()) {
        agree(&source)?;
    }
}
