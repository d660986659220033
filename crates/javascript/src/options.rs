//! How a cell treats its programs.

use serde::{Deserialize, Serialize};

/// The name under which a host offers the zone of local time: whole minutes by which it is ahead of UTC, or a function that
/// answers them for a time in milliseconds since 1970. Without it local time is UTC.
pub const ZONE: &str = "zone";

/// Switches of a JavaScript cell.
///
/// ```
/// let strict = javascript::Options { eval: false, ..javascript::Options::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Whether `eval` and `Function` compile text. The cell is the wall with or without them.
    pub eval: bool,
    /// Whether every program is TypeScript, not only those whose name ends in `.ts`, `.mts` or `.cts`.
    pub typescript: bool,
    /// Whether every program is a module, not only those whose name ends in `.mjs` or `.mts`.
    pub module: bool,
    /// Whether outcomes carry the value's text, as `console.log` would print it, as `shown`.
    pub show: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { eval: true, typescript: false, module: false, show: false }
    }
}

impl Options {
    /// Is a program with this name TypeScript?
    pub(crate) fn is_typescript(&self, name: &str) -> bool {
        self.typescript || name.ends_with("ts") && [".ts", ".mts", ".cts"].iter().any(|end| name.ends_with(end))
    }

    /// Is a program with this name a module?
    pub(crate) fn is_module(&self, name: &str) -> bool {
        self.module || name.ends_with(".mjs") || name.ends_with(".mts")
    }
}
