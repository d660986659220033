//! Reading source: messages, nests and floods, budgets that run out. (Judged beside another parser in `crates/javascript-oracle`.)

use javascript::bytecode::Unit;
use javascript::compile::{Request, compile};
use javascript::syntax::{Budget, Fault, Goal, Options, Parser, Unlimited};
use proptest::prelude::*;

fn parse(source: &str, goal: Goal) -> Result<(), Fault> {
    Parser::new().parse(source.as_bytes(), goal, &Options::default(), &mut Unlimited)
}

#[test]
fn messages_are_those_people_know() {
    for (source, message, offset) in [
        ("f(1))", "Unexpected token ')'", 4),
        ("let x; let x", "Identifier 'x' has already been declared", 11),
        ("var a = ", "Unexpected end of input", 8),
        ("a b", "Unexpected identifier 'b'", 2),
        ("a 1", "Unexpected number", 2),
        ("return", "Illegal return statement", 0),
        ("const a", "Missing initializer in const declaration", 7),
        ("1 = 2", "Invalid left-hand side in assignment", 0),
        ("'abc", "Invalid or unexpected token", 0),
        ("`abc", "Unterminated template literal", 4),
        ("break x", "Undefined label 'x'", 6),
        ("class A { m() { this.#b } }", "Private field '#b' must be declared in an enclosing class", 21),
        ("f(a b)", "missing ) after argument list", 4),
    ] {
        match parse(source, Goal::Script) {
            Err(Fault::Syntax(found)) => {
                assert_eq!((found.message.as_str(), found.offset), (message, offset), "{source}");
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn typescript_is_erased_to_the_same_bytecode() {
    for case in include_str!("syntax/typescript.txt").split("\n---\n") {
        let Some((typed, plain)) = case.split_once("\n===\n") else { panic!("{case}") };
        let mut results = Vec::new();
        for (source, typescript) in [(typed, true), (plain, false)] {
            let options = Options { typescript, ..Options::default() };
            let request = Request { goal: Goal::Module, options, ..Request::default() };
            let mut unit = Unit::default();
            let result = compile(&mut Parser::new(), source.as_bytes(), &request, &mut unit, &mut Unlimited);
            assert_eq!(result, Ok(()), "{source}");
            results.push((0..unit.functions.len()).map(|n| unit.disassemble(n)).collect::<Vec<_>>());
        }
        assert_eq!(results[0], results[1], "{typed}");
    }
}

#[test]
fn typescript_that_makes_code_is_refused_by_name() {
    let options = Options { typescript: true, ..Options::default() };
    for (source, word) in [
        ("enum A { B }", "enums"),
        ("const enum A { B }", "enums"),
        ("namespace A { }", "namespaces"),
        ("class A { constructor(private x: number) {} }", "parameter properties"),
        ("import a = require('b')", "import ="),
    ] {
        match Parser::new().parse(source.as_bytes(), Goal::Module, &options, &mut Unlimited) {
            Err(Fault::Syntax(found)) => assert!(found.message.contains(word), "{source}: {}", found.message),
            other => panic!("{source}: {other:?}"),
        }
    }
}

/// Every way to nest: what opens a level, and what may have to precede it.
const NESTS: &[&str] = &[
    "(",
    "[",
    "{",
    "a(",
    "a[",
    "{a:",
    "({a:",
    "[{a:",
    "function f(){",
    "(function(){",
    "()=>{",
    "a=>",
    "async a=>",
    "class{[",
    "(class{[",
    "class A{m(){",
    "class A extends (",
    "!",
    "-",
    "~",
    "typeof ",
    "void ",
    "delete ",
    "+ +",
    "new ",
    "new a(",
    "a?",
    "a?b:",
    "a=",
    "a+=",
    "(a=",
    "({a=",
    "[a=",
    "a**",
    "a+(",
    "`${",
    "a`${",
    "if(a)",
    "if(a);else ",
    "if(a){}else{",
    "for(;;)",
    "for(a in b)",
    "for(let a of b)",
    "while(a)",
    "do ",
    "with(a)",
    "a:",
    "try{",
    "try{}finally{",
    "switch(a){case 1:",
    "var [",
    "var {a:",
    "let [a=",
    "(...[",
    "function f(a=",
    "function f([",
    "yield ",
    "a?.[",
    "a,(",
    "...",
    "[...",
    "f(...",
    "async(",
    "async()=>",
    "import(",
    "(async function(){",
    "function*g(){",
    "{function f(){",
    "class A{static{",
    "class A{x=",
    "class A{#x=",
    "class A{get x(){",
    "({get x(){",
    "({[",
    "({...",
    "++",
    "--",
    "await ",
];

fn in_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap()
}

#[test]
fn deep_nests_end_cleanly_in_a_small_stack() {
    for nest in NESTS {
        for typescript in [false, true] {
            let source = nest.repeat(100_000);
            let result = in_small_stack(move || {
                let options = Options { typescript, ..Options::default() };
                Parser::new().parse(source.as_bytes(), Goal::Script, &options, &mut Unlimited)
            });
            assert!(matches!(result, Err(Fault::TooDeep(_) | Fault::Syntax(_))), "{nest}: {result:?}");
        }
    }
}

#[test]
fn the_deepest_nests_allowed_compile_in_a_small_stack() {
    let nests: &[(&str, &str, &str)] = &[
        ("(", "1", ")"),
        ("!", "1", ""),
        ("{", "", "}"),
        ("if(a)", ";", ""),
        ("for(;;)", ";", ""),
        ("a=", "1", ""),
        ("a?b:", "1", ""),
        ("try{", "", "}finally{}"),
        ("(function(){", "", "})"),
        ("()=>", "1", ""),
        ("(class{static m(){", "", "}})"),
        ("- ", "1", ""),
        ("switch(a){case 1:", "", "}"),
        ("with(a)", ";", ""),
    ];
    for &(open, middle, close) in nests {
        let accepted = in_small_stack(move || {
            let mut deepest = 0;
            for depth in [10, 50, 100, 200, 240, 330, 490, 990] {
                let source = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
                let mut unit = Unit::default();
                let result = compile(&mut Parser::new(), source.as_bytes(), &Request::default(), &mut unit, &mut Unlimited);
                match result {
                    Ok(()) => deepest = depth,
                    Err(Fault::TooDeep(_)) => {}
                    Err(other) => panic!("{open} {depth}: {other:?}"),
                }
            }
            deepest
        });
        assert!(accepted >= 100, "{open}: {accepted}");
    }
}

#[test]
fn long_chains_do_not_nest() {
    let count = 100_000;
    for (first, link) in [
        ("a", "+a"),
        ("a", ".b"),
        ("a", "()"),
        ("a", "[0]"),
        ("a", "?.b"),
        ("a", "&&b"),
        ("a", "??b"),
        ("a", ",b"),
        ("a", "`b`"),
        ("a", ".b(c)"),
        ("if(a);", "else if(b);"),
        ("a", ";b"),
        ("x:", "a"),
    ] {
        let source = format!("{first}{}", link.repeat(if link == "a" { 1 } else { count }));
        let result = in_small_stack(move || {
            compile(&mut Parser::new(), source.as_bytes(), &Request::default(), &mut Unit::default(), &mut Unlimited)
        });
        assert_eq!(result, Ok(()), "{first} {link}");
    }
}

/// Counts, and says no after a while.
#[derive(Default)]
struct Purse {
    calls: u64,
    refuse: u64,
    fuel: u64,
    held: usize,
}

impl Budget for Purse {
    fn charge(&mut self, units: u64) -> bool {
        self.calls += 1;
        self.fuel += units;
        self.calls != self.refuse
    }
    fn hold(&mut self, bytes: usize) -> bool {
        self.calls += 1;
        self.held += bytes;
        self.calls != self.refuse
    }
    fn affords(&self, _units: u64, _bytes: usize) -> bool {
        true
    }
}

#[test]
fn floods_cost_in_proportion_to_their_size() {
    for unit in ["(a=", "[", ",", "a=>", "({a:", "x=y;", "\"a\"+", "a<b>(", "<", "/*", "`${", "'\\n'+", "\\u0061 ", "f(a,", "{var x;"] {
        let cost = |repeat: usize| {
            let mut purse = Purse::default();
            for typescript in [false, true] {
                let options = Options { typescript, ..Options::default() };
                let source = format!("[{}", unit.repeat(repeat));
                let _ = Parser::new().parse(source.as_bytes(), Goal::Script, &options, &mut purse);
            }
            (purse.fuel as usize + 1000, purse.held + (1 << 16))
        };
        let (small, large) = (cost(20_000), cost(80_000));
        assert!(large.0 <= small.0 * 5, "{unit}: fuel {small:?} {large:?}");
        assert!(large.1 <= small.1 * 7, "{unit}: memory {small:?} {large:?}");
    }
}

#[test]
fn a_refusal_at_any_point_stops_cleanly_and_the_parser_stays_usable() {
    let source = include_str!("../../javascript-oracle/tests/programs.txt").split("\n---\n").next().unwrap().to_owned()
        + ";function f(a,{b=1},...c){return a.b?.c+`${a}`}class A extends B{#x=1;m(){super.m(this.#x)}}"
        + &"var x = function(a) { return a + 'text' }; ".repeat(300);
    let mut parser = Parser::new();
    let mut free = Purse::default();
    let mut expected = Unit::default();
    compile(&mut parser, source.as_bytes(), &Request::default(), &mut expected, &mut free).unwrap();
    for refuse in 1..=free.calls {
        let mut purse = Purse { refuse, ..Purse::default() };
        let mut unit = Unit::default();
        let result = compile(&mut parser, source.as_bytes(), &Request::default(), &mut unit, &mut purse);
        assert!(matches!(result, Err(Fault::OutOfFuel | Fault::OutOfMemory)), "{refuse}: {result:?}");
    }
    let mut unit = Unit::default();
    let mut again = Purse::default();
    compile(&mut parser, source.as_bytes(), &Request::default(), &mut unit, &mut again).unwrap();
    assert_eq!((again.fuel, again.held), (free.fuel, free.held));
    assert_eq!(unit.words, expected.words);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(262), ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), typescript: bool) {
        let options = Options { typescript, ..Options::default() };
        for goal in [Goal::Script, Goal::Module, Goal::Eval] {
            let request = Request { goal, options, ..Request::default() };
            let _ = compile(&mut Parser::new(), &bytes, &request, &mut Unit::default(), &mut Unlimited);
        }
    }
}
