//! Prints the bytecode of a script: `disassemble 'code'`, or `disassemble --module 'code'`.

use javascript::bytecode::Unit;
use javascript::compile::{Request, compile};
use javascript::syntax::{Goal, Parser, Unlimited};

fn main() {
    let mut goal = Goal::Script;
    for argument in std::env::args().skip(1) {
        if argument == "--module" {
            goal = Goal::Module;
            continue;
        }
        let mut unit = Unit::default();
        let request = Request { goal, ..Request::default() };
        if let Err(fault) = compile(&mut Parser::new(), argument.as_bytes(), &request, &mut unit, &mut Unlimited) {
            println!("{fault:?}");
            continue;
        }
        for (number, function) in unit.functions.iter().enumerate() {
            println!(
                "function {number} {:?}: {} registers, {} parameters",
                unit.text(function.name),
                function.registers,
                function.parameters
            );
            for capture in &unit.captures[function.captures.start as usize..function.captures.end as usize] {
                println!("  captures {capture:?}");
            }
            print!("{}", unit.disassemble(number));
            for handler in &unit.handlers[function.handlers.start as usize..function.handlers.end as usize] {
                println!("  {handler:?}");
            }
        }
    }
}
