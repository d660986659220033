//! Reading source text: tokens, tree, early errors, scopes.
//!
//! One pass over the text builds a flat [`Tree`] and reports every early error; a second pass over a
//! log of the names that were mentioned resolves them. Both are linear in the source, nest at most
//! [`Options::depth`] levels deep on the host's stack, pay fuel per token and ask before their tables
//! grow. Cover grammars (arrow parameters, destructuring assignment) are reinterpreted in place.

mod arena;
pub mod atoms;
mod class;
mod expression;
mod function;
mod lexer;
mod literal;
mod module;
mod parse;
mod pattern;
mod primary;
mod resolve;
mod scope;
mod statement;
mod token;
pub mod tree;
mod typescript;

pub use arena::{Budget, Unlimited};
pub use atoms::Atom;
pub use parse::{Diagnostic, Fault};
pub use tree::Tree;

use crate::pattern as pattern_api;
use arena::{FREE_ITEMS, Gauge, R};
use lexer::Token;
use parse::{Cover, PATIENCE, Parse, Work, ctx};
use tree::{NONE, ScopeKind, function_flag};

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Goal {
    /// A script.
    #[default]
    Script,
    /// A module: strict, may await at its top level.
    Module,
    /// Eval code; [`Options`] say where the eval stands.
    Eval,
    /// The parameters given to a `Function` constructor, on their own.
    Parameters {
        /// For `AsyncFunction` and the like.
        is_async: bool,
        /// For `GeneratorFunction` and the like.
        is_generator: bool,
    },
    /// The body given to a `Function` constructor, on its own.
    Body {
        /// For `AsyncFunction` and the like.
        is_async: bool,
        /// For `GeneratorFunction` and the like.
        is_generator: bool,
    },
}

/// How a text is read.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Deepest nesting of expressions, statements, functions, patterns and types, in levels.
    pub depth: u32,
    /// Skip TypeScript's erasable syntax.
    pub typescript: bool,
    /// Start in strict mode (eval in strict code).
    pub strict: bool,
    /// Eval inside a function that is not an arrow function at the top: `new.target` is allowed.
    pub new_target: bool,
    /// Eval inside a method: `super.x` is allowed.
    pub super_property: bool,
    /// Eval inside a derived constructor: `super()` is allowed.
    pub super_call: bool,
    /// Eval inside a field initialiser or static block: `arguments` is forbidden.
    pub no_arguments: bool,
    /// Eval: unknown private names are left to the compiler, which knows the classes around it.
    pub outer_private_names: bool,
    /// The library's own source: `%name(...)` calls an intrinsic.
    pub library: bool,
}

/// Levels of nesting that fit a quarter of the smallest usual host stack (2 MiB).
pub const DEFAULT_DEPTH: u32 = 1000;

impl Default for Options {
    fn default() -> Self {
        Options {
            depth: DEFAULT_DEPTH,
            typescript: false,
            strict: false,
            new_target: false,
            super_property: false,
            super_call: false,
            no_arguments: false,
            outer_private_names: false,
            library: false,
        }
    }
}

/// Source longer than this is refused as out of memory: positions are 32-bit and some bits are needed.
const MAX_SOURCE: usize = 1 << 29;

/// Lets the compiler of patterns pay from the purse of the parse.
struct PatternPurse<'g, 'a>(&'g mut Gauge<'a>);

impl pattern_api::Charge for PatternPurse<'_, '_> {
    fn work(&mut self, units: u64) -> Result<(), pattern_api::Refusal> {
        self.0.charge(units).map_err(|_| pattern_api::Refusal::Work)
    }
    fn memory(&mut self, bytes: u64) -> Result<(), pattern_api::Refusal> {
        self.0.hold(bytes as usize).map_err(|_| pattern_api::Refusal::Memory)
    }
}

/// Checks a regular expression literal early; the message is that of the `SyntaxError`.
fn check_pattern(pattern: &[u8], flags: &[u8], gauge: &mut Gauge<'_>) -> R<Result<(), String>> {
    gauge.hold(pattern.len() * 2)?;
    let units = lexer::code_units(pattern);
    let flags = pattern_api::Flags::parse(flags.iter().map(|&letter| u16::from(letter))).unwrap_or_default();
    let limits = pattern_api::Limits::default();
    match pattern_api::check(&units, flags, limits, &mut PatternPurse(gauge)) {
        Ok(()) => Ok(Ok(())),
        Err(error) => match error.message(&units, flags) {
            Some(message) => Ok(Err(message)),
            None => Err(arena::Failed),
        },
    }
}

/// A reader of source text that keeps its buffers from one text to the next, as large as the largest wanted them.
#[derive(Debug, Default)]
pub struct Parser {
    tree: Tree,
    work: Work,
    taken: usize,
}

impl Parser {
    /// A parser with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `source` (WTF-8: UTF-8 in which lone surrogates may stand as three bytes).
    ///
    /// Fuel: one unit per token and one per 16 bytes. Working memory is asked for before it grows;
    /// what a successful parse still holds is [`Tree::held`], after a fault nothing is held.
    pub fn parse(&mut self, source: &[u8], goal: Goal, options: &Options, budget: &mut dyn Budget) -> Result<(), Fault> {
        self.tree.reset();
        self.work.reset();
        if source.len() > MAX_SOURCE {
            return Err(Fault::OutOfMemory);
        }
        let module = goal == Goal::Module;
        let mut start = if module || options.strict { ctx::STRICT } else { 0 };
        for (wanted, flag) in [
            (options.new_target, ctx::NEW_TARGET),
            (options.super_property, ctx::SUPER_PROPERTY),
            (options.super_call, ctx::SUPER_CALL),
            (options.no_arguments, ctx::NO_ARGUMENTS),
        ] {
            if wanted {
                start |= flag;
            }
        }
        let mut parse = Parse {
            src: source,
            pos: 0,
            t: Token::START,
            prev_end: 0,
            ctx: start,
            module,
            ts: options.typescript,
            library: options.library,
            tree: &mut self.tree,
            work: &mut self.work,
            gauge: Gauge::new(budget),
            patience: PATIENCE,
            probes: 0,
            cook_held: 1024,
            depth: 0,
            max_depth: options.depth,
            error: None,
            arrow_at: NONE,
            cover: Cover::CLEAR,
            yield_pos: NONE,
            await_pos: NONE,
            await_name: NONE,
            template_error: (0, ""),
            sloppy_name: NONE,
            duplicate: NONE,
            scope: NONE,
            var_scope: NONE,
            function: NONE,
            label_base: 0,
            breakable: 0,
            loops: 0,
            has_eval: false,
        };
        let result = parse.whole(goal, options);
        let fault = result.is_err().then(|| parse.fault());
        let held = parse.gauge.held;
        self.taken = held;
        match fault {
            None => {
                self.tree.held = held;
                Ok(())
            }
            Some(fault) => Err(fault),
        }
    }

    /// Bytes that the last text made the tables grow by, whether it was accepted or not.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// The tree of the last text that was accepted.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Moves the tree out, for a compiler that keeps it.
    pub fn take_tree(&mut self) -> Tree {
        std::mem::take(&mut self.tree)
    }
}

impl Parse<'_> {
    fn whole(&mut self, goal: Goal, options: &Options) -> R<()> {
        // The free room of every table, once for all.
        self.gauge.hold(FREE_ITEMS * 256 + 2048)?;
        self.gauge.charge(1 + self.src.len() as u64 / 16)?;
        self.tree.atoms.expect(self.src.len(), &mut self.gauge)?;
        if self.src.starts_with(b"#!") {
            self.line_comment();
        }
        let (kind, mut flags) = match goal {
            Goal::Script => (ScopeKind::Script, 0),
            Goal::Module => (ScopeKind::Module, function_flag::ASYNC),
            Goal::Eval => (ScopeKind::Eval, 0),
            Goal::Parameters { is_async, is_generator } | Goal::Body { is_async, is_generator } => {
                let mut flags = 0;
                if is_async {
                    flags |= function_flag::ASYNC;
                }
                if is_generator {
                    flags |= function_flag::GENERATOR;
                }
                (ScopeKind::Function, flags)
            }
        };
        flags |= function_flag::TOP;
        self.t.start = self.pos as u32;
        self.top(goal, kind, flags)?;
        self.resolve(options)?;
        self.patience = self.patience.max(1);
        self.pay()
    }
}
