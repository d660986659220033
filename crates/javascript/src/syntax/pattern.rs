//! Binding patterns, and literals that turn out to be patterns.

use super::arena::R;
use super::atoms::{Atom, known};
use super::parse::{Parse, ctx};
use super::token::Tok;
use super::tree::{AssignOp, BindingKind, Kind, NONE, NodeId, PropertyKind, flag};

/// What the names of a pattern become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bind {
    Var,
    Let,
    Const,
    Parameter,
    Catch,
}

const INVALID_TARGET: &str = "Invalid destructuring assignment target";

impl Parse<'_> {
    /// Whether `name` may be bound here; what only strict code forbids is noted for later.
    #[inline]
    pub(crate) fn check_bound_name(&mut self, name: Atom, start: u32) -> R<()> {
        // The names with rules of their own are the first ones.
        if name > known::EVAL { Ok(()) } else { self.check_special_name(name, start) }
    }

    #[cold]
    fn check_special_name(&mut self, name: Atom, start: u32) -> R<()> {
        if (known::LET..known::AWAIT).contains(&name) || name == known::EVAL || name == known::ARGUMENTS {
            if name == known::YIELD && self.has(ctx::YIELD) {
                return self.fail(start, "Unexpected identifier 'yield'");
            }
            if self.strict() {
                let message = if name == known::EVAL || name == known::ARGUMENTS {
                    "Unexpected eval or arguments in strict mode"
                } else {
                    "Unexpected strict mode reserved word"
                };
                return self.fail(start, message);
            }
            if self.sloppy_name == NONE {
                self.sloppy_name = start;
            }
        } else if name == known::AWAIT {
            return self.check_await_name(start);
        }
        Ok(())
    }

    /// `await` as a name.
    pub(crate) fn check_await_name(&mut self, start: u32) -> R<()> {
        if self.module || self.has(ctx::AWAIT | ctx::STATIC_BLOCK) {
            return self.fail(start, "Unexpected reserved word");
        }
        if self.await_name == NONE {
            self.await_name = start;
        }
        Ok(())
    }

    /// Declares one name of a pattern; `node` becomes its `BindingIdentifier`.
    pub(crate) fn bind_name(&mut self, name: Atom, start: u32, node: NodeId, bind: Bind) -> R<()> {
        self.check_bound_name(name, start)?;
        let mut flags = 0;
        let binding = match bind {
            Bind::Var => {
                let var = self.declare_var(name, BindingKind::Var, start, NONE)?;
                let nearest = self.nearest(name, var);
                if nearest != var {
                    flags = flag::REDECLARES;
                }
                nearest
            }
            Bind::Let | Bind::Const => {
                if name == known::LET {
                    return self.fail(start, "let is disallowed as a lexically bound name");
                }
                let kind = if bind == Bind::Let { BindingKind::Let } else { BindingKind::Const };
                self.declare_lexical(name, kind, start, NONE)?
            }
            Bind::Parameter => self.declare_parameter(name, start, node)?,
            Bind::Catch => self.declare_catch(name, start)?,
        };
        let node = self.at_mut(node);
        node.kind = Kind::BindingIdentifier;
        node.flags = flags;
        node.a = name;
        node.b = binding;
        Ok(())
    }

    /// A name being bound.
    pub(crate) fn binding_identifier(&mut self, bind: Bind) -> R<NodeId> {
        if self.t.tok != Tok::Ident {
            return self.unexpected();
        }
        let (name, start) = (self.t.value, self.t.start);
        let node = self.node(Kind::BindingIdentifier, start, name, NONE)?;
        self.bind_name(name, start, node, bind)?;
        self.next()?;
        Ok(node)
    }

    /// A name or a pattern in brackets or braces.
    pub(crate) fn binding_target(&mut self, bind: Bind) -> R<NodeId> {
        match self.t.tok {
            Tok::LBracket => {
                self.enter()?;
                let node = self.array_binding(bind)?;
                self.leave();
                Ok(node)
            }
            Tok::LBrace => {
                self.enter()?;
                let node = self.object_binding(bind)?;
                self.leave();
                Ok(node)
            }
            _ => self.binding_identifier(bind),
        }
    }

    /// A target with an optional initialiser.
    pub(crate) fn binding_element(&mut self, bind: Bind) -> R<NodeId> {
        let start = self.t.start;
        let target = self.binding_target(bind)?;
        if self.ts && bind == Bind::Parameter {
            self.skip_annotation(true)?;
        }
        self.binding_default(target, start)
    }

    fn binding_default(&mut self, target: NodeId, start: u32) -> R<NodeId> {
        if self.t.tok != Tok::Assign {
            return Ok(target);
        }
        self.next()?;
        let saved = self.ctx;
        self.ctx &= !ctx::NO_IN;
        let value = self.assign(false)?;
        self.ctx = saved;
        self.node(Kind::Default, start, target, value)
    }

    fn array_binding(&mut self, bind: Bind) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let mark = self.mark();
        while self.t.tok != Tok::RBracket {
            if self.t.tok == Tok::Comma {
                let hole = self.node(Kind::Elision, self.t.start, 0, 0)?;
                self.item(hole)?;
                self.next()?;
                continue;
            }
            if self.t.tok == Tok::Ellipsis {
                let at = self.t.start;
                self.next()?;
                let target = self.binding_target(bind)?;
                let rest = self.node(Kind::Rest, at, target, 0)?;
                self.item(rest)?;
                if self.t.tok != Tok::RBracket {
                    return self.rest_not_last();
                }
                break;
            }
            let element = self.binding_element(bind)?;
            self.item(element)?;
            if self.t.tok != Tok::RBracket {
                self.expect(Tok::Comma)?;
            }
        }
        self.next()?;
        let list = self.list(mark)?;
        self.node(Kind::ArrayPattern, start, list, 0)
    }

    fn rest_not_last<T>(&mut self) -> R<T> {
        if self.t.tok == Tok::Comma {
            return self.fail(self.t.start, "Rest element must be last element");
        }
        self.unexpected()
    }

    fn object_binding(&mut self, bind: Bind) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let mark = self.mark();
        while self.t.tok != Tok::RBrace {
            let at = self.t.start;
            if self.t.tok == Tok::Ellipsis {
                self.next()?;
                let target = self.binding_identifier(bind)?;
                let rest = self.node(Kind::Rest, at, target, 0)?;
                self.item(rest)?;
                if self.t.tok != Tok::RBrace {
                    return self.rest_not_last();
                }
                break;
            }
            let (name, tok) = (self.t.value, self.t.tok);
            let (key, computed) = self.property_key()?;
            let property = if self.t.tok == Tok::Colon {
                self.next()?;
                let value = self.binding_element(bind)?;
                self.node_with(Kind::Property, at, computed, PropertyKind::Init as u16, key, value)?
            } else {
                if tok != Tok::Ident {
                    return self.unexpected();
                }
                let target = self.node(Kind::BindingIdentifier, at, name, NONE)?;
                self.bind_name(name, at, target, bind)?;
                let value = self.binding_default(target, at)?;
                self.node_with(Kind::Property, at, flag::SHORTHAND, PropertyKind::Init as u16, key, value)?
            };
            self.item(property)?;
            if self.t.tok != Tok::RBrace {
                self.expect(Tok::Comma)?;
            }
        }
        self.next()?;
        let list = self.list(mark)?;
        self.node(Kind::ObjectPattern, start, list, 0)
    }

    /// Turns an expression into the target of an assignment, in place. `pattern`: literals may become patterns.
    pub(crate) fn make_target(&mut self, id: NodeId, pattern: bool, message: &str) -> R<()> {
        let node = self.at(id);
        match node.kind {
            Kind::Identifier => {
                if self.strict() && (node.a == known::EVAL || node.a == known::ARGUMENTS) {
                    return self.fail(node.start, "Unexpected eval or arguments in strict mode");
                }
                self.at_mut(id).flags |= flag::WRITE;
                Ok(())
            }
            Kind::Member | Kind::Index | Kind::PrivateMember => Ok(()),
            // Web reality: sloppy code may write this and fails when it gets there.
            Kind::Call if !self.strict() && message != INVALID_TARGET && node.flags & flag::OPTIONAL == 0 => Ok(()),
            Kind::Array | Kind::Object if pattern && node.flags & flag::PARENTHESISED == 0 => self.literal_to_pattern(id, None),
            _ => self.fail(node.start, message),
        }
    }

    /// Turns an array or object literal into a pattern, in place; `bind` if it declares names.
    fn literal_to_pattern(&mut self, id: NodeId, bind: Option<Bind>) -> R<()> {
        self.enter()?;
        let node = self.at(id);
        let array = node.kind == Kind::Array || node.kind == Kind::ArrayPattern;
        let list = node.a;
        let count = self.tree.extra[list as usize];
        for index in 0..count {
            let element = self.tree.extra[(list + 1 + index) as usize];
            let item = self.at(element);
            match item.kind {
                Kind::Elision => {}
                Kind::Spread | Kind::Rest => {
                    if index + 1 != count || node.flags & flag::COMMA_AFTER_SPREAD != 0 {
                        return self.fail(item.start, "Rest element must be last element");
                    }
                    let inner = self.at(item.a);
                    if inner.kind == Kind::Assign || inner.kind == Kind::Default {
                        return self.fail(inner.start, INVALID_TARGET);
                    }
                    if !array && matches!(inner.kind, Kind::Array | Kind::Object | Kind::ArrayPattern | Kind::ObjectPattern) {
                        return self.fail(inner.start, "`...` must be followed by an assignable reference in assignment contexts");
                    }
                    self.element_to_pattern(item.a, bind)?;
                    self.at_mut(element).kind = Kind::Rest;
                }
                Kind::Property => {
                    if item.small != PropertyKind::Init as u16 {
                        return self.fail(item.start, INVALID_TARGET);
                    }
                    self.element_to_pattern(item.b, bind)?;
                }
                _ => self.element_to_pattern(element, bind)?,
            }
        }
        self.at_mut(id).kind = if array { Kind::ArrayPattern } else { Kind::ObjectPattern };
        self.leave();
        Ok(())
    }

    /// Turns an element of a literal, with its initialiser if it has one, into an element of a pattern.
    pub(crate) fn element_to_pattern(&mut self, id: NodeId, bind: Option<Bind>) -> R<()> {
        let node = self.at(id);
        let target = match node.kind {
            Kind::Assign if node.small == AssignOp::Assign as u16 && node.flags & flag::PARENTHESISED == 0 => {
                self.at_mut(id).kind = Kind::Default;
                if bind.is_none() {
                    // Its target was turned when the assignment was read.
                    return Ok(());
                }
                node.a
            }
            Kind::CoverInitialised => {
                self.at_mut(id).kind = Kind::Default;
                node.a
            }
            Kind::Default => {
                if bind.is_none() {
                    return Ok(());
                }
                node.a
            }
            _ => id,
        };
        let inner = self.at(target);
        match inner.kind {
            Kind::Array | Kind::Object | Kind::ArrayPattern | Kind::ObjectPattern if inner.flags & flag::PARENTHESISED == 0 => {
                self.literal_to_pattern(target, bind)
            }
            Kind::Identifier if bind.is_some() && inner.flags & flag::PARENTHESISED == 0 => {
                self.bind_name(inner.a, inner.start, target, bind.unwrap_or(Bind::Parameter))
            }
            _ if bind.is_some() => self.fail(inner.start, INVALID_TARGET),
            _ => self.make_target(target, false, INVALID_TARGET),
        }
    }
}
