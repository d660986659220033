//! The state of one parse, its errors, and the small steps that every part of the grammar uses.

use super::arena::{Failed, Gauge, R, Refusal, Table};
use super::atoms::{Atom, known};
use super::lexer::Token;
use super::token::Tok;
use super::tree::{BindingId, FunctionId, Kind, NONE, Node, NodeId, ScopeId, Tree};

/// What is allowed or forbidden at a place of the text.
pub(crate) mod ctx {
    pub(crate) const STRICT: u32 = 1;
    pub(crate) const RETURN: u32 = 1 << 1;
    /// `yield` is an operator.
    pub(crate) const YIELD: u32 = 1 << 2;
    /// `await` is an operator.
    pub(crate) const AWAIT: u32 = 1 << 3;
    /// `in` is not an operator (head of a `for`).
    pub(crate) const NO_IN: u32 = 1 << 4;
    pub(crate) const NEW_TARGET: u32 = 1 << 5;
    pub(crate) const SUPER_PROPERTY: u32 = 1 << 6;
    pub(crate) const SUPER_CALL: u32 = 1 << 7;
    /// Field initialisers and static blocks: no `arguments`.
    pub(crate) const NO_ARGUMENTS: u32 = 1 << 8;
    /// Directly in a static block: `await` is no name.
    pub(crate) const STATIC_BLOCK: u32 = 1 << 9;
    /// In parameters: `yield` and `await` expressions are errors.
    pub(crate) const PARAMETERS: u32 = 1 << 10;
    /// TypeScript: `x ? (a) : b` must not read `: b` as a return type.
    pub(crate) const NO_ARROW_TYPE: u32 = 1 << 12;
    /// TypeScript: inside `declare`, bodies and initialisers may be missing.
    pub(crate) const AMBIENT: u32 = 1 << 13;
}

/// Why a text was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The text breaks the grammar or an early error rule: a guest `SyntaxError`.
    Syntax(Diagnostic),
    /// Nested more deeply than [`super::Options::depth`]: a guest `RangeError`.
    TooDeep(Diagnostic),
    /// [`super::Budget::charge`] refused.
    OutOfFuel,
    /// [`super::Budget::hold`] refused.
    OutOfMemory,
}

/// A message and the place it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The text of the error, without its class name.
    pub message: String,
    /// Byte offset in the source.
    pub offset: u32,
}

/// A label that is in scope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) name: Atom,
    /// Labels a loop, so `continue` may name it.
    pub(crate) looped: bool,
}

/// Entries of the log from which names are resolved after the parse, in textual order.
pub(crate) mod event {
    /// The rest is a node that names something.
    pub(crate) const REFERENCE: u32 = 0;
    /// The rest is a scope that begins.
    pub(crate) const ENTER: u32 = 1 << 30;
    /// The innermost scope ends.
    pub(crate) const EXIT: u32 = 2 << 30;
    /// Nothing, unless it becomes the beginning of an arrow function's scope because one turns out to begin here.
    pub(crate) const PERHAPS: u32 = 3 << 30;
    pub(crate) const MASK: u32 = 3 << 30;
}

/// Buffers that outlive a parse.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Elements of the lists being read, innermost last.
    pub(crate) scratch: Table<u32>,
    pub(crate) events: Table<u32>,
    /// Innermost binding of every atom.
    pub(crate) heads: Table<BindingId>,
    pub(crate) labels: Table<Label>,
    /// Functions in sloppy blocks that may also become variables.
    pub(crate) hoists: Table<NodeId>,
    /// Per atom: exported already.
    pub(crate) exported: Table<bool>,
    /// Resolution: scopes entered.
    pub(crate) open_scopes: Table<ScopeId>,
    /// Resolution: functions entered.
    pub(crate) open_functions: Table<FunctionId>,
    pub(crate) cook: Vec<u8>,
    pub(crate) raw: Vec<u8>,
}

impl Work {
    pub(crate) fn reset(&mut self) {
        self.scratch.reset();
        self.events.reset();
        self.heads.reset();
        self.labels.reset();
        self.hoists.reset();
        self.exported.reset();
        self.open_scopes.reset();
        self.open_functions.reset();
        for buffer in [&mut self.cook, &mut self.raw] {
            if buffer.capacity() > 1 << 16 {
                *buffer = Vec::new();
            }
        }
    }
}

/// One parse under way.
pub(crate) struct Parse<'a> {
    pub(crate) src: &'a [u8],
    /// Where the next token will be looked for.
    pub(crate) pos: usize,
    pub(crate) t: Token,
    pub(crate) prev_end: u32,
    pub(crate) ctx: u32,
    pub(crate) module: bool,
    pub(crate) ts: bool,
    pub(crate) library: bool,
    pub(crate) tree: &'a mut Tree,
    pub(crate) work: &'a mut Work,
    pub(crate) gauge: Gauge<'a>,
    /// Tokens until the next payment.
    pub(crate) patience: u32,
    pub(crate) probes: u32,
    pub(crate) cook_held: usize,
    pub(crate) depth: u32,
    pub(crate) max_depth: u32,
    pub(crate) error: Option<Box<Fault>>,
    /// Where an arrow function may begin: the start of the innermost assignment expression.
    pub(crate) arrow_at: u32,
    /// First construct that is only right if the literal around it becomes a pattern.
    pub(crate) cover: Cover,
    /// First `yield` or `await` since the innermost possible arrow parameters began.
    pub(crate) yield_pos: u32,
    pub(crate) await_pos: u32,
    /// First use of `await` as a name, which async arrow parameters forbid.
    pub(crate) await_name: u32,
    pub(crate) template_error: (usize, &'static str),
    /// First name bound in sloppy code that strict code would refuse.
    pub(crate) sloppy_name: u32,
    pub(crate) duplicate: u32,
    pub(crate) scope: ScopeId,
    pub(crate) var_scope: ScopeId,
    pub(crate) function: FunctionId,
    pub(crate) label_base: usize,
    pub(crate) breakable: u32,
    pub(crate) loops: u32,
    pub(crate) has_eval: bool,
}

/// A pending error of a cover grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cover {
    pub(crate) at: u32,
    pub(crate) proto: bool,
}

impl Cover {
    pub(crate) const CLEAR: Cover = Cover { at: NONE, proto: false };
}

/// Tokens between two payments.
pub(crate) const PATIENCE: u32 = 256;

impl Parse<'_> {
    /// Pays for the tokens read since the last payment and for long probing of the atom table; a few steps are in a token's price.
    #[cold]
    #[inline(never)]
    pub(crate) fn pay(&mut self) -> R<()> {
        let units = u64::from(PATIENCE - self.patience) + u64::from(self.probes.saturating_sub(PATIENCE) / 4);
        self.patience = PATIENCE;
        self.probes = 0;
        self.gauge.charge(units)
    }

    /// One level deeper; paired with `leave` where reading succeeds.
    #[inline]
    pub(crate) fn enter(&mut self) -> R<()> {
        self.depth += 1;
        if self.depth > self.max_depth {
            return self.too_deep();
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    fn too_deep(&mut self) -> R<()> {
        let diagnostic = Diagnostic { message: "Source text is nested too deeply".into(), offset: self.t.start };
        self.error = Some(Box::new(Fault::TooDeep(diagnostic)));
        Err(Failed)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn fail_text<T>(&mut self, offset: usize, message: String) -> R<T> {
        if self.error.is_none() {
            self.error = Some(Box::new(Fault::Syntax(Diagnostic { message, offset: offset as u32 })));
        }
        Err(Failed)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn fail_at<T>(&mut self, offset: usize, message: &str) -> R<T> {
        self.fail_text(offset, message.to_owned())
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn fail<T>(&mut self, offset: u32, message: &str) -> R<T> {
        self.fail_at(offset as usize, message)
    }

    /// The fault that ended the parse.
    pub(crate) fn fault(&mut self) -> Fault {
        match self.gauge.refusal {
            Some(Refusal::Fuel) => Fault::OutOfFuel,
            Some(Refusal::Memory) => Fault::OutOfMemory,
            None => match self.error.take() {
                Some(fault) => *fault,
                None => Fault::OutOfMemory,
            },
        }
    }

    pub(crate) fn text_of(&self, atom: Atom) -> String {
        String::from_utf8_lossy(self.tree.atoms.text(atom)).into_owned()
    }

    /// The error for a token that fits nowhere, in the words node uses.
    #[cold]
    #[inline(never)]
    pub(crate) fn unexpected<T>(&mut self) -> R<T> {
        let token = self.t;
        let strict = self.ctx & ctx::STRICT != 0;
        let message = match token.tok {
            Tok::End => "Unexpected end of input".to_owned(),
            Tok::Number | Tok::BigInt => "Unexpected number".to_owned(),
            Tok::String => "Unexpected string".to_owned(),
            Tok::Template => "Unexpected template string".to_owned(),
            Tok::EscapedWord => "Keyword must not contain escaped characters".to_owned(),
            Tok::Enum => "Unexpected reserved word".to_owned(),
            Tok::Ident if strict && (known::LET..known::AWAIT).contains(&token.value) => "Unexpected strict mode reserved word".to_owned(),
            Tok::Ident => format!("Unexpected identifier '{}'", self.text_of(token.value)),
            Tok::PrivateName => format!("Unexpected identifier '{}'", self.text_of(token.value)),
            _ => {
                let text = String::from_utf8_lossy(&self.src[token.start as usize..token.end as usize]);
                format!("Unexpected token '{text}'")
            }
        };
        self.fail_text(token.start as usize, message)
    }

    #[inline]
    pub(crate) fn eat(&mut self, tok: Tok) -> R<bool> {
        if self.t.tok == tok {
            self.next()?;
            return Ok(true);
        }
        Ok(false)
    }

    #[inline]
    pub(crate) fn expect(&mut self, tok: Tok) -> R<()> {
        if self.t.tok == tok {
            return self.next();
        }
        self.unexpected()
    }

    /// Whether the known name `atom` is next; eats it.
    pub(crate) fn eat_name(&mut self, atom: Atom) -> R<bool> {
        if self.at_name(atom) {
            self.next()?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(crate) fn expect_name(&mut self, atom: Atom) -> R<()> {
        if self.eat_name(atom)? { Ok(()) } else { self.unexpected() }
    }

    /// The end of a statement: a semicolon, or a place where one is inserted.
    #[inline]
    pub(crate) fn semicolon(&mut self) -> R<()> {
        match self.t.tok {
            Tok::Semicolon => self.next(),
            Tok::RBrace | Tok::End => Ok(()),
            _ if self.t.newline => Ok(()),
            Tok::Ident | Tok::PrivateName if self.await_without_async() => {
                self.fail(self.t.start, "await is only valid in async functions and the top level bodies of modules")
            }
            _ => self.unexpected(),
        }
    }

    /// `await x` where `await` was read as a name.
    fn await_without_async(&self) -> bool {
        let end = self.prev_end as usize;
        end >= 5 && &self.src[end - 5..end] == b"await"
    }

    #[inline]
    pub(crate) fn strict(&self) -> bool {
        self.ctx & ctx::STRICT != 0
    }

    #[inline]
    pub(crate) fn has(&self, flags: u32) -> bool {
        self.ctx & flags != 0
    }

    #[inline(always)]
    pub(crate) fn node(&mut self, kind: Kind, start: u32, a: u32, b: u32) -> R<NodeId> {
        self.tree.nodes.push(Node { kind, flags: 0, small: 0, start, a, b }, &mut self.gauge)
    }

    #[inline(always)]
    pub(crate) fn node_with(&mut self, kind: Kind, start: u32, flags: u8, small: u16, a: u32, b: u32) -> R<NodeId> {
        self.tree.nodes.push(Node { kind, flags, small, start, a, b }, &mut self.gauge)
    }

    #[inline(always)]
    pub(crate) fn at(&self, id: NodeId) -> Node {
        self.tree.nodes[id as usize]
    }

    #[inline(always)]
    pub(crate) fn at_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.tree.nodes[id as usize]
    }

    /// Beginning of a list: elements are pushed with `item`, `list` closes it.
    #[inline(always)]
    pub(crate) fn mark(&self) -> usize {
        self.work.scratch.len()
    }

    #[inline(always)]
    pub(crate) fn item(&mut self, item: u32) -> R<()> {
        self.work.scratch.push(item, &mut self.gauge)?;
        Ok(())
    }

    #[inline]
    pub(crate) fn list(&mut self, mark: usize) -> R<u32> {
        let count = (self.work.scratch.len() - mark) as u32;
        let at = self.tree.extra.push(count, &mut self.gauge)?;
        self.tree.extra.extend(&self.work.scratch[mark..], &mut self.gauge)?;
        self.work.scratch.truncate(mark);
        Ok(at)
    }

    #[inline]
    pub(crate) fn record(&mut self, items: &[u32]) -> R<u32> {
        let at = self.tree.extra.len() as u32;
        self.tree.extra.extend(items, &mut self.gauge)?;
        Ok(at)
    }

    /// Notes that `node` names something that is resolved after the parse.
    #[inline(always)]
    pub(crate) fn refer(&mut self, node: NodeId) -> R<()> {
        self.event(event::REFERENCE, node)
    }

    #[inline(always)]
    pub(crate) fn event(&mut self, kind: u32, index: u32) -> R<()> {
        self.work.events.push(kind | index & !event::MASK, &mut self.gauge)?;
        Ok(())
    }
}
