//! Machines made of the fuzzer's bytes run the same by the book and compiled: registers, memory, fuel and ends, stop for stop.
#![no_main]

#[path = "../../crates/moxie/examples/lockstep/compare.rs"]
mod compare;
#[path = "../../crates/moxie/examples/lockstep/generator.rs"]
mod generator;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use moxie::jit::{CODE_BUDGET, Compiler};

thread_local! {
    static COMPILER: RefCell<Compiler> = RefCell::new(Compiler::new(CODE_BUDGET).expect("this host allows compiled code"));
}

fuzz_target!(|bytes: &[u8]| {
    let case = generator::case(&mut generator::Bytes(bytes));
    COMPILER.with_borrow_mut(|compiler| {
        if let Err(difference) = compare::run(&case, compiler, 20_000) {
            panic!("{difference}");
        }
    });
});
