//! Regular expressions: all of ECMAScript 2025, metered, in memory that is given.
//!
//! [`compile`] reads a pattern and gives a [`Program`], a block of words. [`start`] and [`resume`]
//! match it against a [`Text`] in a [`Store`]: everything a match needs to remember lies there, so
//! a match that ran out of fuel or memory goes on later exactly where it was, also in another
//! process. [`group`] says what matched.
//!
//! In a cell all of it is guest memory: [`GuestCode`], [`GuestLatin1`], [`GuestUtf16`],
//! [`GuestStore`].
//!
//! Without back-references a match takes time linear in the text, whatever the pattern: see
//! `memo`. With them it takes what it takes, one unit of fuel for each step.
//!
//! ```
//! use javascript::pattern::{Arena, Flags, Free, Limits, Step, compile, group, resume, start};
//!
//! let source: Vec<u16> = "(?<year>[0-9]{4})-".encode_utf16().collect();
//! let program = compile(&source, Flags::default(), Limits::default(), &mut Free).unwrap();
//! let text: &[u8] = b"on 2024-01-15";
//! let mut store = Arena::new(1 << 16);
//! assert!(start(program.words(), text, 0, false, &mut store));
//! let mut fuel = 1000;
//! assert_eq!(resume(program.words(), text, &mut store, &mut fuel), Step::Matched);
//! assert_eq!(group(&store, 1, text.len() as u32), Some((3, 7)));
//! ```

mod analyse;
mod around;
mod ast;
mod budget;
mod class;
mod emit;
mod error;
mod flags;
mod guest;
mod matcher;
mod memo;
mod parse;
mod program;
mod repeat;
mod run;
mod set;
mod store;
mod text;
mod unicode;

pub use budget::{Charge, Free, Limits};
pub use error::{Error, Mistake, Refusal};
pub use flags::Flags;
pub use guest::{GuestCode, GuestLatin1, GuestStore, GuestUtf16};
pub use matcher::{Step, group, remember_at_once, resume, start};
pub use program::{Code, Header, MAGIC, Program};
pub use store::{Arena, Store};
pub use text::Text;

use budget::Budget;

/// Compiles a pattern, given as UTF-16 code units. Takes time and memory linear in its length,
/// but for classes, which cost what is in them; all of it is charged before it is used.
///
/// # Errors
/// What is wrong with the pattern, or the meter's refusal.
pub fn compile(source: &[u16], flags: Flags, limits: Limits, charge: &mut dyn Charge) -> Result<Program, Error> {
    let mut budget = Budget::new(charge, limits);
    let tree = parse::parse(source, flags, false, &mut budget)?;
    emit::emit(&tree, flags, &mut budget)
}

/// Looks for mistakes only: the early errors of a pattern in a script.
///
/// # Errors
/// As for [`compile`].
pub fn check(source: &[u16], flags: Flags, limits: Limits, charge: &mut dyn Charge) -> Result<(), Error> {
    let mut budget = Budget::new(charge, limits);
    parse::parse(source, flags, true, &mut budget).map(|_| ())
}
