//! What expressions are made of: names, literals, parentheses, and arrow functions, which begin like them.

use super::arena::R;
use super::atoms::{Atom, known};
use super::lexer::Token;
use super::parse::{Cover, Parse, ctx, event};
use super::token::Tok;
use super::tree::{Kind, NONE, NodeId, PropertyKind, flag, function_flag};

/// What is kept of a token that may turn out to be a whole property.
#[derive(Clone, Copy)]
struct NameToken {
    tok: Tok,
    start: u32,
    value: Atom,
}

impl Parse<'_> {
    /// A template literal: the list of `cooked, raw, expression, ...`.
    pub(super) fn template(&mut self, tagged: bool) -> R<u32> {
        self.enter()?;
        let mark = self.mark();
        loop {
            let token = self.t;
            if token.value == NONE && !tagged {
                let (at, message) = self.template_error;
                return self.fail_at(at, message);
            }
            self.item(token.value)?;
            self.item(token.raw)?;
            if token.tail {
                break;
            }
            self.next()?;
            let value = self.expression_in()?;
            self.item(value)?;
            if self.t.tok != Tok::RBrace {
                return self.unexpected();
            }
            // The brace was read as a token; what follows is text again.
            self.pos = self.t.end as usize;
            self.template_chunk()?;
        }
        self.next()?;
        self.leave();
        self.list(mark)
    }

    pub(super) fn primary(&mut self) -> R<NodeId> {
        let start = self.t.start;
        match self.t.tok {
            Tok::Ident => self.name_or_arrow(),
            Tok::Number => {
                let node = self.number_node()?;
                self.next()?;
                Ok(node)
            }
            Tok::String => {
                let plain = if self.t.escaped { 0 } else { flag::PLAIN };
                let node = self.node_with(Kind::String, start, plain, self.t.octal.into(), self.t.value, 0)?;
                self.next()?;
                Ok(node)
            }
            Tok::BigInt => {
                let node = self.node(Kind::BigInt, start, self.t.value, 0)?;
                self.next()?;
                Ok(node)
            }
            Tok::This => {
                self.next()?;
                let node = self.node(Kind::This, start, 0, NONE)?;
                self.refer(node)?;
                Ok(node)
            }
            Tok::True | Tok::False | Tok::Null => {
                let kind = match self.t.tok {
                    Tok::True => Kind::True,
                    Tok::False => Kind::False,
                    _ => Kind::Null,
                };
                self.next()?;
                self.node(kind, start, 0, 0)
            }
            Tok::LParen => self.parenthesised(),
            Tok::LBracket => self.array_literal(),
            Tok::LBrace => self.object_literal(),
            Tok::Function => self.function_expression(start, 0),
            Tok::Class => self.class_expression(),
            Tok::New => self.new_expression(),
            Tok::Template => {
                let list = self.template(false)?;
                self.node(Kind::Template, start, list, 0)
            }
            Tok::Slash | Tok::SlashAssign => {
                let (pattern, flags) = self.regexp()?;
                self.next()?;
                self.node(Kind::RegExp, start, pattern, flags)
            }
            Tok::Percent if self.library => {
                self.next()?;
                let name = self.t.value;
                self.expect(Tok::Ident)?;
                if self.t.tok != Tok::LParen {
                    return self.unexpected();
                }
                let list = self.arguments()?;
                self.node(Kind::Intrinsic, start, name, list)
            }
            Tok::Super => self.super_expression(),
            Tok::Import => self.import_expression(),
            _ => self.unexpected(),
        }
    }

    pub(crate) fn number_node(&mut self) -> R<NodeId> {
        let bits = self.t.number.to_bits();
        self.node(Kind::Number, self.t.start, bits as u32, (bits >> 32) as u32)
    }

    /// Whether the name may be mentioned here.
    #[inline]
    pub(crate) fn check_reference(&mut self, name: Atom, start: u32) -> R<()> {
        if (known::LET..=known::ARGUMENTS).contains(&name) { self.check_special(name, start) } else { Ok(()) }
    }

    #[cold]
    fn check_special(&mut self, name: Atom, start: u32) -> R<()> {
        match name {
            known::YIELD if self.has(ctx::YIELD) => self.fail(start, "Unexpected identifier 'yield'"),
            known::ARGUMENTS if self.has(ctx::NO_ARGUMENTS) => {
                self.fail(start, "'arguments' is not allowed in class field initializer or static initialization block")
            }
            known::AWAIT => self.check_await_name(start),
            _ if name < known::AWAIT => {
                if self.strict() {
                    return self.fail(start, "Unexpected strict mode reserved word");
                }
                if self.sloppy_name == NONE {
                    self.sloppy_name = start;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn name_or_arrow(&mut self) -> R<NodeId> {
        let Token { value, start, escaped, .. } = self.t;
        let arrow_ok = self.arrow_at == start;
        self.next()?;
        if value == known::ASYNC && !escaped && !self.t.newline {
            let tok = self.t.tok;
            match tok {
                Tok::Function => return self.function_expression(start, function_flag::ASYNC),
                Tok::Ident if arrow_ok && self.arrow_ahead()? => return self.arrow_from_name(start, true),
                Tok::LParen => return self.async_call_or_arrow(start, arrow_ok),
                Tok::Lt if self.ts && arrow_ok => {
                    if let Some(node) = self.ts_generic_arrow(start, true)? {
                        return Ok(node);
                    }
                }
                _ => {}
            }
        }
        if self.t.tok == Tok::Arrow && arrow_ok && !self.t.newline {
            let node = self.node(Kind::Identifier, start, value, NONE)?;
            return self.arrow_from_node(node, start, false, NONE);
        }
        self.check_reference(value, start)?;
        let node = self.node(Kind::Identifier, start, value, NONE)?;
        self.refer(node)?;
        Ok(node)
    }

    fn arrow_ahead(&mut self) -> R<bool> {
        Ok(self.peek()?.tok == Tok::Arrow)
    }

    /// `async x => ...`, at the `x`.
    fn arrow_from_name(&mut self, start: u32, is_async: bool) -> R<NodeId> {
        let (name, at) = (self.t.value, self.t.start);
        if is_async && name == known::AWAIT {
            return self.fail(at, "Unexpected reserved word");
        }
        self.next()?;
        if self.t.newline {
            return self.unexpected();
        }
        let node = self.node(Kind::Identifier, at, name, NONE)?;
        self.arrow_from_node(node, start, is_async, NONE)
    }

    /// An arrow function whose only parameter is the name `node`; the current token is `=>`.
    fn arrow_from_node(&mut self, node: NodeId, start: u32, is_async: bool, at: u32) -> R<NodeId> {
        let mark = self.mark();
        self.item(node)?;
        self.arrow(start, is_async, at, mark)
    }

    /// `(`: an expression in parentheses or the parameters of an arrow function.
    fn parenthesised(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let arrow_ok = self.arrow_at == start;
        let place = self.work.events.len() as u32;
        if arrow_ok {
            self.event(event::PERHAPS, 0)?;
        }
        self.next()?;
        let saved = (self.ctx, self.yield_pos, self.await_pos, self.await_name);
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        if arrow_ok {
            self.yield_pos = NONE;
            self.await_pos = NONE;
            self.await_name = NONE;
        }
        let inner = self.t.start;
        let mark = self.mark();
        let mut only_arrow = NONE;
        if self.ts && self.at_this_parameter()? {
            only_arrow = self.t.start;
            self.skip_this_parameter()?;
        }
        while self.t.tok != Tok::RParen {
            if self.t.tok == Tok::Ellipsis {
                only_arrow = self.t.start;
                let item = self.rest_in_cover()?;
                self.item(item)?;
                break;
            }
            let mut item = self.assign(true)?;
            if self.ts && matches!(self.t.tok, Tok::Colon | Tok::Question) {
                only_arrow = self.t.start;
                item = self.ts_cover_parameter(item)?;
            }
            self.item(item)?;
            if self.t.tok != Tok::Comma {
                break;
            }
            let comma = self.t.start;
            self.next()?;
            if self.t.tok == Tok::RParen {
                only_arrow = comma;
            }
        }
        if self.t.tok != Tok::RParen {
            return self.unexpected();
        }
        self.ctx = saved.0;
        self.next()?;
        let count = self.work.scratch.len() - mark;
        if arrow_ok && (self.t.tok == Tok::Arrow && !self.t.newline || self.ts_return_type_ahead(only_arrow != NONE || count == 0)?) {
            let node = self.arrow(start, false, place, mark)?;
            (self.yield_pos, self.await_pos) = (saved.1, saved.2);
            if saved.3 != NONE {
                self.await_name = saved.3;
            }
            return Ok(node);
        }
        if count == 0 {
            return self.unexpected();
        }
        if only_arrow != NONE {
            self.t.start = only_arrow;
            let end = self.byte(only_arrow as usize);
            let text = if end == b'.' { "...".to_owned() } else { (end as char).to_string() };
            let text = if text == "," { ")".to_owned() } else { text };
            return self.fail_text(only_arrow as usize, format!("Unexpected token '{text}'"));
        }
        if self.cover.at != NONE {
            return self.cover_error();
        }
        if arrow_ok {
            // Seen by the parentheses around these, if any.
            if saved.1 != NONE {
                self.yield_pos = saved.1;
            }
            if saved.2 != NONE {
                self.await_pos = saved.2;
            }
            if saved.3 != NONE {
                self.await_name = saved.3;
            }
        }
        let node = if count == 1 {
            let node = self.work.scratch[mark];
            self.work.scratch.truncate(mark);
            node
        } else {
            let list = self.list(mark)?;
            self.node(Kind::Sequence, inner, list, 0)?
        };
        self.at_mut(node).flags |= flag::PARENTHESISED;
        Ok(node)
    }

    /// `...pattern` inside parentheses that must become parameters.
    fn rest_in_cover(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let target = match self.t.tok {
            Tok::LBracket => self.array_literal()?,
            Tok::LBrace => self.object_literal()?,
            Tok::Ident => {
                self.check_reference(self.t.value, self.t.start)?;
                let node = self.node(Kind::Identifier, self.t.start, self.t.value, NONE)?;
                self.next()?;
                node
            }
            _ => return self.unexpected(),
        };
        if self.ts {
            self.skip_annotation(false)?;
        }
        if self.t.tok == Tok::Comma {
            return self.fail(self.t.start, "Rest parameter must be last formal parameter");
        }
        if self.t.tok == Tok::Assign {
            return self.fail(self.t.start, "Rest parameter may not have a default initializer");
        }
        self.node(Kind::Rest, start, target, 0)
    }

    /// The parentheses of a generic arrow function.
    pub(crate) fn parenthesised_here(&mut self) -> R<NodeId> {
        self.parenthesised()
    }

    /// The parentheses of a generic async arrow function.
    pub(crate) fn async_parenthesised(&mut self, start: u32) -> R<NodeId> {
        let node = self.async_call_or_arrow(start, true)?;
        if self.at(node).kind != Kind::Arrow {
            return self.unexpected();
        }
        Ok(node)
    }

    /// `async (`: a call of something named `async`, or an async arrow function.
    fn async_call_or_arrow(&mut self, start: u32, arrow_ok: bool) -> R<NodeId> {
        let name = self.node(Kind::Identifier, start, known::ASYNC, NONE)?;
        self.refer(name)?;
        let place = self.work.events.len() as u32;
        self.event(event::PERHAPS, 0)?;
        self.next()?;
        let saved = (self.ctx, self.yield_pos, self.await_pos, self.await_name);
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        self.yield_pos = NONE;
        self.await_pos = NONE;
        self.await_name = NONE;
        let mark = self.mark();
        let mut only_arrow = NONE;
        let mut after_spread = NONE;
        while self.t.tok != Tok::RParen {
            if self.t.tok == Tok::Ellipsis {
                let item = self.spread(true)?;
                if self.ts && self.t.tok == Tok::Colon {
                    only_arrow = self.t.start;
                    self.skip_annotation(false)?;
                }
                self.item(item)?;
                if self.t.tok == Tok::Comma && after_spread == NONE {
                    after_spread = self.t.start;
                }
            } else {
                let mut item = self.assign(true)?;
                if self.ts && matches!(self.t.tok, Tok::Colon | Tok::Question) {
                    only_arrow = self.t.start;
                    item = self.ts_cover_parameter(item)?;
                }
                self.item(item)?;
            }
            self.after_argument()?;
        }
        self.ctx = saved.0;
        self.next()?;
        if arrow_ok && (self.t.tok == Tok::Arrow && !self.t.newline || self.ts_return_type_ahead(only_arrow != NONE)?) {
            if after_spread != NONE {
                return self.fail(after_spread, "Rest parameter must be last formal parameter");
            }
            // The name turned out to be a keyword: no reference.
            self.at_mut(name).kind = Kind::Empty;
            let node = self.arrow(start, true, place, mark)?;
            (self.yield_pos, self.await_pos) = (saved.1, saved.2);
            if saved.3 != NONE {
                self.await_name = saved.3;
            }
            return Ok(node);
        }
        if only_arrow != NONE {
            return self.fail(only_arrow, "Unexpected token ':'");
        }
        if self.cover.at != NONE {
            return self.cover_error();
        }
        if saved.1 != NONE {
            self.yield_pos = saved.1;
        }
        if saved.2 != NONE {
            self.await_pos = saved.2;
        }
        if saved.3 != NONE {
            self.await_name = saved.3;
        }
        let list = self.list(mark)?;
        self.node(Kind::Call, start, name, list)
    }

    /// A spread in a literal, and whether a comma follows it, which no pattern may have.
    fn spread_element(&mut self, flags: &mut u8) -> R<NodeId> {
        let item = self.spread(true)?;
        if self.t.tok == Tok::Comma {
            *flags |= flag::COMMA_AFTER_SPREAD;
        }
        Ok(item)
    }

    fn array_literal(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let saved = self.ctx;
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        let mark = self.mark();
        let mut flags = 0;
        while self.t.tok != Tok::RBracket {
            match self.t.tok {
                Tok::Comma => {
                    let hole = self.node(Kind::Elision, self.t.start, 0, 0)?;
                    self.item(hole)?;
                    self.next()?;
                    continue;
                }
                Tok::Ellipsis => {
                    let item = self.spread_element(&mut flags)?;
                    self.item(item)?;
                }
                _ => {
                    let item = self.assign(true)?;
                    self.item(item)?;
                }
            }
            if self.t.tok != Tok::RBracket {
                self.expect(Tok::Comma)?;
            }
        }
        self.ctx = saved;
        self.next()?;
        let list = self.list(mark)?;
        self.node_with(Kind::Array, start, flags, 0, list, 0)
    }

    /// The key of a property: node and `COMPUTED` or zero. Names become `String` nodes.
    pub(crate) fn property_key(&mut self) -> R<(NodeId, u8)> {
        let start = self.t.start;
        match self.t.tok {
            Tok::LBracket => {
                self.next()?;
                let key = self.assign_in(false)?;
                self.expect(Tok::RBracket)?;
                Ok((key, flag::COMPUTED))
            }
            Tok::Number => {
                let key = self.number_node()?;
                self.next()?;
                Ok((key, 0))
            }
            Tok::BigInt => {
                let key = self.node(Kind::BigInt, start, self.t.value, 0)?;
                self.next()?;
                Ok((key, 0))
            }
            tok if tok == Tok::String || tok == Tok::Ident || tok == Tok::EscapedWord || tok.is_word() => {
                let key = self.node(Kind::String, start, self.t.value, 0)?;
                self.next()?;
                Ok((key, 0))
            }
            _ => self.unexpected(),
        }
    }

    /// Whether the current token can only follow a whole property name, so that what came before is one.
    pub(crate) fn after_property_name(&self) -> bool {
        matches!(self.t.tok, Tok::Comma | Tok::Colon | Tok::LParen | Tok::RBrace | Tok::Assign | Tok::Semicolon | Tok::End)
    }

    fn object_literal(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let saved = self.ctx;
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        let mark = self.mark();
        let mut flags = 0;
        let mut proto = false;
        while self.t.tok != Tok::RBrace {
            let item = if self.t.tok == Tok::Ellipsis { self.spread_element(&mut flags)? } else { self.property(&mut proto)? };
            self.item(item)?;
            if self.t.tok != Tok::RBrace {
                self.expect(Tok::Comma)?;
            }
        }
        self.ctx = saved;
        self.next()?;
        let list = self.list(mark)?;
        self.node_with(Kind::Object, start, flags, 0, list, 0)
    }

    #[inline]
    fn name_token(&self) -> NameToken {
        NameToken { tok: self.t.tok, start: self.t.start, value: self.t.value }
    }

    fn property(&mut self, proto: &mut bool) -> R<NodeId> {
        let start = self.t.start;
        let mut function = 0;
        let mut kind = PropertyKind::Init;
        if self.t.tok == Tok::Star {
            self.next()?;
            function = function_flag::GENERATOR;
            kind = PropertyKind::Method;
        }
        let mut first = self.name_token();
        let escaped = self.t.escaped;
        let (mut key, mut computed) = self.property_key()?;
        if first.tok == Tok::Ident && !escaped && kind == PropertyKind::Init && !self.after_property_name() && self.t.tok != Tok::Lt {
            match first.value {
                known::GET | known::SET => {
                    kind = if first.value == known::GET { PropertyKind::Get } else { PropertyKind::Set };
                    function = if kind == PropertyKind::Get { function_flag::GETTER } else { function_flag::SETTER };
                    first = self.name_token();
                    (key, computed) = self.property_key()?;
                }
                known::ASYNC if !self.t.newline => {
                    kind = PropertyKind::Method;
                    function = function_flag::ASYNC;
                    if self.eat(Tok::Star)? {
                        function |= function_flag::GENERATOR;
                    }
                    first = self.name_token();
                    (key, computed) = self.property_key()?;
                }
                _ => {}
            }
        }
        match self.t.tok {
            Tok::LParen | Tok::Lt if self.t.tok == Tok::LParen || self.ts => {
                if kind == PropertyKind::Init {
                    kind = PropertyKind::Method;
                }
            }
            _ if kind != PropertyKind::Init => return self.unexpected(),
            Tok::Colon => {
                self.next()?;
                let mut flags = computed;
                if computed == 0 && self.at(key).kind == Kind::String && self.at(key).a == known::PROTO {
                    if *proto && self.cover.at == NONE {
                        self.cover = Cover { at: start, proto: true };
                    }
                    *proto = true;
                    flags |= flag::SETS_PROTOTYPE;
                }
                let value = self.assign(true)?;
                return self.node_with(Kind::Property, start, flags, PropertyKind::Init as u16, key, value);
            }
            _ => return self.shorthand(first, key, computed),
        }
        let value = self.method(start, function | function_flag::METHOD, key, computed)?;
        self.node_with(Kind::Property, start, computed, kind as u16, key, value)
    }

    fn shorthand(&mut self, token: NameToken, key: NodeId, computed: u8) -> R<NodeId> {
        let start = token.start;
        if token.tok != Tok::Ident || computed != 0 {
            return self.unexpected();
        }
        self.check_reference(token.value, start)?;
        let name = self.node(Kind::Identifier, start, token.value, NONE)?;
        self.refer(name)?;
        let mut value = name;
        if self.t.tok == Tok::Assign {
            let at = self.t.start;
            if self.strict() && (token.value == known::EVAL || token.value == known::ARGUMENTS) {
                return self.fail(start, "Unexpected eval or arguments in strict mode");
            }
            self.next()?;
            let initialiser = self.assign(false)?;
            if self.cover.at == NONE {
                self.cover = Cover { at, proto: false };
            }
            self.at_mut(name).flags |= flag::WRITE;
            value = self.node(Kind::CoverInitialised, start, name, initialiser)?;
        }
        self.node_with(Kind::Property, start, flag::SHORTHAND, PropertyKind::Init as u16, key, value)
    }

    fn new_expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        if self.t.tok == Tok::Dot {
            self.next()?;
            if !self.at_name(known::TARGET) {
                return self.unexpected();
            }
            if !self.has(ctx::NEW_TARGET) {
                return self.fail(start, "new.target expression is not allowed here");
            }
            self.next()?;
            let node = self.node(Kind::NewTarget, start, 0, NONE)?;
            self.refer(node)?;
            return Ok(node);
        }
        self.enter()?;
        if self.t.tok == Tok::Import && self.peek()?.tok == Tok::LParen {
            return self.fail(self.t.start, "Cannot use new with import");
        }
        let at = self.t.start;
        self.arrow_at = NONE;
        let callee = if self.t.tok == Tok::New { self.new_expression()? } else { self.primary()? };
        if self.at(callee).kind == Kind::ImportCall && self.at(callee).flags & flag::PARENTHESISED == 0 {
            return self.fail(at, "Cannot use new with import");
        }
        let callee = self.suffixes(callee, at, false)?;
        let list = if self.t.tok == Tok::LParen {
            self.arguments()?
        } else {
            if self.t.tok == Tok::QuestionDot {
                return self.fail(self.t.start, "Invalid optional chain from new expression");
            }
            let mark = self.mark();
            self.list(mark)?
        };
        self.leave();
        self.node(Kind::New, start, callee, list)
    }

    fn super_expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let allowed = match self.t.tok {
            Tok::LParen => self.has(ctx::SUPER_CALL),
            Tok::Dot | Tok::LBracket => self.has(ctx::SUPER_PROPERTY),
            _ => false,
        };
        if !allowed {
            return self.fail(start, "'super' keyword unexpected here");
        }
        let flags = if self.t.tok == Tok::LParen { flag::DIRECT_EVAL } else { 0 };
        let node = self.node_with(Kind::Super, start, flags, 0, 0, NONE)?;
        self.refer(node)?;
        Ok(node)
    }

    fn import_expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        if self.eat(Tok::Dot)? {
            if !self.at_name(known::META) {
                return self.unexpected();
            }
            if !self.module {
                return self.fail(start, "Cannot use 'import.meta' outside a module");
            }
            self.next()?;
            return self.node(Kind::ImportMeta, start, 0, 0);
        }
        if self.t.tok != Tok::LParen {
            if self.module {
                return self.unexpected();
            }
            return self.fail(start, "Cannot use import statement outside a module");
        }
        self.next()?;
        let specifier = self.assign_in(false)?;
        let mut options = NONE;
        if self.eat(Tok::Comma)? && self.t.tok != Tok::RParen {
            options = self.assign_in(false)?;
            self.eat(Tok::Comma)?;
        }
        self.expect(Tok::RParen)?;
        self.node(Kind::ImportCall, start, specifier, options)
    }
}
