//! A small interpreter of TI-BASIC, the language of TI-83 and TI-84 calculators.
//!
//! Real numbers, texts, lists; input, output, blocks, loops, labels, menus. No complex numbers, matrices, graphs or
//! pictures, and no clock of keys: `getKey` is always 0. What a program displays is written line by line.

mod lex;
mod parse;
mod run;
mod value;

use std::io::{BufRead, Write};

/// Why a program ended before its end, in the calculator's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, such as `SYNTAX` or `DIVIDE BY 0`.
    pub kind: &'static str,
    /// The line of the source, from 1, if it is known.
    pub line: Option<usize>,
}

impl Fault {
    pub(crate) const fn new(kind: &'static str) -> Self {
        Self { kind, line: None }
    }

    /// The same at a line, unless it has one.
    pub(crate) fn at(self, line: usize) -> Self {
        Self { line: self.line.or(Some(line)), ..self }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ERR:{}", self.kind)?;
        self.line.map_or(Ok(()), |line| write!(f, " in line {line}"))
    }
}

impl std::error::Error for Fault {}

/// Runs a program that reads lines from `input` and displays on `output`; `seed` decides its random numbers.
///
/// # Errors
/// The [`Fault`] that ended it. Nothing is run if the program cannot be read.
pub fn run(source: &str, input: &mut dyn BufRead, output: &mut dyn Write, seed: u64) -> Result<(), Fault> {
    let program = parse::program(&lex::statements(source)?)?;
    let result = run::Calculator::new(input, output, seed).run(&program);
    output.flush().map_err(|_| Fault::new("OUTPUT"))?;
    result
}
