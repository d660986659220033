//! TypeScript's erasable syntax: read, and forgotten.
//!
//! Types make no nodes, so a trial reading costs only its tokens and is undone by restoring the lexer.

use super::arena::R;
use super::atoms::known;
use super::parse::{Parse, ctx};
use super::token::Tok;
use super::tree::{AssignOp, Kind, NONE, NodeId};

pub(crate) const ENUM: &str = "TypeScript enums are not supported; only erasable syntax is";
const NAMESPACE: &str = "TypeScript namespaces are not supported; only erasable syntax is";
const PARAMETER_PROPERTY: &str = "TypeScript parameter properties are not supported; only erasable syntax is";

impl Parse<'_> {
    /// Reads with `read` and undoes it unless it answers true. Errors other than the budget's count as false.
    fn trial(&mut self, read: impl FnOnce(&mut Self) -> R<bool>) -> R<bool> {
        let (token, pos, prev_end, depth) = (self.t, self.pos, self.prev_end, self.depth);
        let result = read(self);
        if result == Ok(true) {
            return Ok(true);
        }
        if result.is_err() {
            if self.gauge.refusal.is_some() || matches!(self.error.as_deref(), Some(super::Fault::TooDeep(_))) {
                return result;
            }
            self.error = None;
        }
        (self.t, self.pos, self.prev_end, self.depth) = (token, pos, prev_end, depth);
        Ok(false)
    }

    /// `: type`; with `optional` also `?`.
    pub(crate) fn skip_annotation(&mut self, optional: bool) -> R<()> {
        if optional && self.t.tok == Tok::Question {
            self.next()?;
        }
        if self.t.tok == Tok::Colon {
            self.next()?;
            self.skip_type()?;
        }
        Ok(())
    }

    /// `: type`, `: x is type`, `: asserts x`.
    pub(crate) fn skip_return_type(&mut self) -> R<()> {
        if self.t.tok != Tok::Colon {
            return Ok(());
        }
        self.next()?;
        self.skip_type_or_predicate()
    }

    fn skip_type_or_predicate(&mut self) -> R<()> {
        if self.at_name(known::ASSERTS) {
            let ahead = self.peek()?;
            if !ahead.newline && (ahead.tok == Tok::Ident || ahead.tok == Tok::This) {
                self.next()?;
                self.next()?;
                if self.eat_name(known::IS)? {
                    self.skip_type()?;
                }
                return Ok(());
            }
        }
        self.skip_type()
    }

    /// Whether `: type =>` follows, so that the parentheses just read were parameters.
    pub(crate) fn ts_return_type_ahead(&mut self, sure: bool) -> R<bool> {
        if !self.ts || self.t.tok != Tok::Colon {
            return Ok(false);
        }
        if sure {
            return Ok(true);
        }
        let conditional = self.ctx & ctx::NO_ARROW_TYPE != 0;
        let (token, pos, prev_end, depth) = (self.t, self.pos, self.prev_end, self.depth);
        let found = self.trial(|parse| {
            parse.skip_return_type()?;
            if parse.t.tok != Tok::Arrow || parse.t.newline {
                return Ok(false);
            }
            // In `a ? (b) : c => d` the colon is the conditional's, unless another one follows.
            Ok(!conditional)
        })?;
        (self.t, self.pos, self.prev_end, self.depth) = (token, pos, prev_end, depth);
        Ok(found)
    }

    /// After an element of parentheses that may be parameters: `?`, `: type`, `= initialiser`.
    pub(crate) fn ts_cover_parameter(&mut self, item: NodeId) -> R<NodeId> {
        self.skip_annotation(true)?;
        if self.t.tok != Tok::Assign {
            return Ok(item);
        }
        let start = self.at(item).start;
        self.make_target(item, true, "Invalid left-hand side in assignment")?;
        self.next()?;
        let value = self.assign_in(false)?;
        self.node_with(Kind::Assign, start, 0, AssignOp::Assign as u16, item, value)
    }

    /// At `?`: whether it marks an optional parameter.
    pub(crate) fn optional_parameter_ahead(&mut self) -> R<bool> {
        Ok(matches!(self.peek()?.tok, Tok::Colon | Tok::Comma | Tok::RParen | Tok::Assign))
    }

    pub(crate) fn at_this_parameter(&mut self) -> R<bool> {
        Ok(self.t.tok == Tok::This && self.peek()?.tok == Tok::Colon)
    }

    pub(crate) fn skip_this_parameter(&mut self) -> R<()> {
        self.next()?;
        self.skip_annotation(false)?;
        self.eat(Tok::Comma)?;
        Ok(())
    }

    /// `constructor(private x)` makes a field: not erasable.
    pub(crate) fn refuse_parameter_property(&mut self) -> R<()> {
        let word = self.contextual();
        if matches!(word, known::PUBLIC | known::PRIVATE | known::PROTECTED | known::READONLY | known::OVERRIDE)
            && matches!(self.peek()?.tok, Tok::Ident | Tok::LBrace | Tok::LBracket)
        {
            return self.fail(self.t.start, PARAMETER_PROPERTY);
        }
        Ok(())
    }

    /// `as type`, `satisfies type`, at a level of precedence that takes relations.
    pub(crate) fn skip_as(&mut self, least: u8) -> R<bool> {
        if least >= 8 || self.t.escaped || self.t.value != known::AS && self.t.value != known::SATISFIES {
            return Ok(false);
        }
        self.next()?;
        if self.t.tok == Tok::Const {
            self.next()?;
        } else {
            self.skip_type()?;
        }
        Ok(true)
    }

    /// `<T>value` or `<T>(x) => ...`.
    pub(crate) fn ts_angle(&mut self) -> R<NodeId> {
        let start = self.t.start;
        if self.arrow_at == start
            && let Some(node) = self.ts_generic_arrow(start, false)?
        {
            return Ok(node);
        }
        self.enter()?;
        self.next()?;
        if self.t.tok == Tok::Const {
            self.next()?;
        } else {
            self.skip_type()?;
        }
        self.close_angle()?;
        self.arrow_at = NONE;
        let node = self.unary_after_cast()?;
        self.leave();
        Ok(node)
    }

    /// An arrow function with type parameters, if there is one here.
    pub(crate) fn ts_generic_arrow(&mut self, start: u32, is_async: bool) -> R<Option<NodeId>> {
        let generic = self.trial(|parse| {
            parse.skip_type_parameters()?;
            Ok(parse.t.tok == Tok::LParen)
        })?;
        if !generic {
            return Ok(None);
        }
        // From here the parentheses decide; a cast of a parenthesised expression looks the same so far.
        self.arrow_at = self.t.start;
        let node = if is_async { self.async_parenthesised(start)? } else { self.parenthesised_here()? };
        Ok(Some(node))
    }

    /// `implements A, B<C>`.
    pub(crate) fn skip_implements(&mut self) -> R<()> {
        if self.eat_name(known::IMPLEMENTS)? {
            loop {
                self.skip_type()?;
                if !self.eat(Tok::Comma)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Modifiers before a class element's name.
    pub(crate) fn ts_modifiers(&mut self, is_abstract: &mut bool, declared: &mut bool) -> R<()> {
        loop {
            let word = self.contextual();
            let modifier = matches!(
                word,
                known::PUBLIC | known::PRIVATE | known::PROTECTED | known::READONLY | known::ABSTRACT | known::OVERRIDE | known::DECLARE
            );
            if !modifier {
                return Ok(());
            }
            let ahead = self.peek()?;
            let name = ahead.tok.is_word()
                || matches!(
                    ahead.tok,
                    Tok::Ident | Tok::EscapedWord | Tok::String | Tok::Number | Tok::LBracket | Tok::PrivateName | Tok::Star
                );
            if !name || ahead.newline {
                return Ok(());
            }
            *is_abstract |= word == known::ABSTRACT;
            *declared |= word == known::DECLARE;
            self.next()?;
        }
    }

    /// At `[` of a class element: skips an index signature (`[key: string]: type`).
    pub(crate) fn skip_index_signature(&mut self) -> R<bool> {
        self.trial(|parse| {
            parse.next()?;
            if parse.t.tok != Tok::Ident {
                return Ok(false);
            }
            parse.next()?;
            if parse.t.tok != Tok::Colon {
                return Ok(false);
            }
            parse.next()?;
            parse.skip_type()?;
            parse.expect(Tok::RBracket)?;
            parse.skip_annotation(false)?;
            parse.semicolon()?;
            Ok(true)
        })
    }

    /// `import type from from "x"` imports a type called `from`.
    pub(crate) fn type_from_from(&mut self) -> R<bool> {
        let (token, pos, prev_end) = (self.t, self.pos, self.prev_end);
        self.next()?;
        let found = self.peek()?;
        (self.t, self.pos, self.prev_end) = (token, pos, prev_end);
        Ok(found.tok == Tok::Ident && found.value == known::FROM)
    }

    /// A declaration that is TypeScript's, at its first word; `None` if this is ordinary code.
    pub(crate) fn ts_declaration(&mut self) -> R<Option<NodeId>> {
        let start = self.t.start;
        let word = self.contextual();
        if !matches!(
            word,
            known::INTERFACE | known::TYPE | known::DECLARE | known::ABSTRACT | known::NAMESPACE | known::MODULE | known::GLOBAL
        ) {
            return Ok(None);
        }
        let ahead = self.peek()?;
        if ahead.newline {
            return Ok(None);
        }
        match word {
            known::INTERFACE if ahead.tok == Tok::Ident => {
                self.next()?;
                self.next()?;
                self.skip_type_parameters()?;
                if self.eat(Tok::Extends)? {
                    loop {
                        self.skip_type()?;
                        if !self.eat(Tok::Comma)? {
                            break;
                        }
                    }
                }
                self.skip_object_type()?;
            }
            known::TYPE if ahead.tok == Tok::Ident => {
                self.next()?;
                self.next()?;
                self.skip_type_parameters()?;
                self.expect(Tok::Assign)?;
                self.skip_type()?;
                self.semicolon()?;
            }
            known::ABSTRACT if ahead.tok == Tok::Class => {
                self.next()?;
                return self.class_declaration(false).map(Some);
            }
            known::NAMESPACE | known::MODULE if matches!(ahead.tok, Tok::Ident | Tok::String) => {
                return self.fail(start, NAMESPACE);
            }
            known::DECLARE => return self.ts_declare(start),
            _ => return Ok(None),
        }
        self.node(Kind::Empty, start, 0, 0).map(Some)
    }

    /// `declare ...`: nothing of it exists at run time.
    fn ts_declare(&mut self, start: u32) -> R<Option<NodeId>> {
        let ahead = self.peek()?;
        let fits = match ahead.tok {
            Tok::Var | Tok::Const | Tok::Function | Tok::Class | Tok::Enum => true,
            Tok::Ident => matches!(
                ahead.value,
                known::LET
                    | known::ASYNC
                    | known::ABSTRACT
                    | known::INTERFACE
                    | known::TYPE
                    | known::NAMESPACE
                    | known::MODULE
                    | known::GLOBAL
            ),
            _ => false,
        };
        if !fits {
            return Ok(None);
        }
        self.next()?;
        self.skip_balanced()?;
        self.node(Kind::Empty, start, 0, 0).map(Some)
    }

    /// Skips an ambient declaration: up to its body's closing brace or the end of its statement.
    fn skip_balanced(&mut self) -> R<()> {
        let mut nesting = 0u32;
        loop {
            match self.t.tok {
                Tok::LBrace | Tok::LParen | Tok::LBracket => nesting += 1,
                Tok::RBrace | Tok::RParen | Tok::RBracket => {
                    if nesting == 0 {
                        return Ok(());
                    }
                    nesting -= 1;
                    if nesting == 0 && self.t.tok == Tok::RBrace {
                        return self.next();
                    }
                }
                Tok::Semicolon if nesting == 0 => return self.next(),
                Tok::End => return if nesting == 0 { Ok(()) } else { self.unexpected() },
                _ => {}
            }
            let before = self.t.tok;
            self.next()?;
            let continues = matches!(before, Tok::Colon | Tok::Comma | Tok::Assign | Tok::Arrow | Tok::BitOr | Tok::BitAnd | Tok::Dot)
                || matches!(self.t.tok, Tok::LBrace | Tok::BitOr | Tok::BitAnd | Tok::Extends);
            if nesting == 0 && self.t.newline && !continues {
                return Ok(());
            }
        }
    }

    /// `<T extends U = V, ...>`.
    pub(crate) fn skip_type_parameters(&mut self) -> R<()> {
        if self.t.tok != Tok::Lt {
            return Ok(());
        }
        self.enter()?;
        self.next()?;
        while !self.at_close_angle() {
            while matches!(self.t.tok, Tok::Const | Tok::In) || self.at_name(known::OUT) && self.peek()?.tok == Tok::Ident {
                self.next()?;
            }
            self.expect(Tok::Ident)?;
            if self.eat(Tok::Extends)? {
                self.skip_type()?;
            }
            if self.eat(Tok::Assign)? {
                self.skip_type()?;
            }
            if !self.eat(Tok::Comma)? {
                break;
            }
        }
        self.leave();
        self.close_angle()
    }

    fn at_close_angle(&self) -> bool {
        self.src.get(self.t.start as usize) == Some(&b'>')
            && matches!(self.t.tok, Tok::Gt | Tok::Shr | Tok::UShr | Tok::Ge | Tok::ShrAssign | Tok::UShrAssign)
    }

    fn close_angle(&mut self) -> R<()> {
        if !self.at_close_angle() {
            return self.unexpected();
        }
        if self.t.tok != Tok::Gt {
            self.split_token(Tok::Gt);
        }
        self.next()
    }

    fn skip_angle_list(&mut self) -> R<()> {
        self.enter()?;
        if self.t.tok == Tok::Shl {
            self.split_token(Tok::Lt);
        }
        self.next()?;
        loop {
            self.skip_type()?;
            if !self.eat(Tok::Comma)? {
                break;
            }
        }
        self.leave();
        self.close_angle()
    }

    /// Type arguments of a call, tag or heritage, if that is what `<` begins.
    pub(crate) fn skip_type_arguments(&mut self) -> R<bool> {
        if !matches!(self.t.tok, Tok::Lt | Tok::Shl) {
            return Ok(false);
        }
        self.trial(|parse| {
            parse.skip_angle_list()?;
            Ok(match parse.t.tok {
                Tok::LParen | Tok::Template => true,
                Tok::Lt | Tok::Gt | Tok::Plus | Tok::Minus => false,
                tok => {
                    parse.t.newline
                        || tok.precedence() != 0
                        || matches!(
                            tok,
                            Tok::RParen
                                | Tok::RBracket
                                | Tok::RBrace
                                | Tok::LBrace
                                | Tok::Comma
                                | Tok::Semicolon
                                | Tok::Colon
                                | Tok::Question
                                | Tok::QuestionDot
                                | Tok::Dot
                                | Tok::Assign
                                | Tok::End
                        )
                        || parse.at_name(known::IMPLEMENTS)
                }
            })
        })
    }

    /// A type of any kind.
    pub(crate) fn skip_type(&mut self) -> R<()> {
        self.enter()?;
        self.skip_union()?;
        // Conditional types chain to the right: a loop, not a recursion.
        while self.t.tok == Tok::Extends && !self.t.newline {
            self.next()?;
            self.skip_union()?;
            if self.t.tok != Tok::Question {
                break;
            }
            self.next()?;
            self.skip_type()?;
            self.expect(Tok::Colon)?;
            self.skip_union()?;
        }
        self.leave();
        Ok(())
    }

    fn skip_union(&mut self) -> R<()> {
        if matches!(self.t.tok, Tok::BitOr | Tok::BitAnd) {
            self.next()?;
        }
        loop {
            self.skip_operand()?;
            if !matches!(self.t.tok, Tok::BitOr | Tok::BitAnd) {
                return Ok(());
            }
            self.next()?;
        }
    }

    fn skip_operand(&mut self) -> R<()> {
        // Operators before a type.
        loop {
            let word = self.contextual();
            let operator = matches!(word, known::KEYOF | known::UNIQUE | known::READONLY | known::INFER | known::ABSTRACT);
            if !operator && self.t.tok != Tok::New {
                break;
            }
            if self.t.tok != Tok::New {
                let ahead = self.peek()?;
                let starts = ahead.tok.is_word() && ahead.tok != Tok::Extends && ahead.tok != Tok::In
                    || matches!(ahead.tok, Tok::Ident | Tok::LBrace | Tok::LBracket | Tok::LParen | Tok::String | Tok::Template);
                if !starts || ahead.newline {
                    break;
                }
            }
            self.next()?;
        }
        match self.t.tok {
            Tok::LParen => {
                self.skip_parameters_type()?;
                if self.t.tok == Tok::Arrow {
                    self.next()?;
                    return self.skip_return();
                }
            }
            Tok::Lt => {
                self.skip_type_parameters()?;
                self.skip_parameters_type()?;
                self.expect(Tok::Arrow)?;
                return self.skip_return();
            }
            Tok::LBrace => self.skip_object_type()?,
            Tok::LBracket => self.skip_tuple()?,
            Tok::Minus => {
                self.next()?;
                self.next()?;
            }
            Tok::String | Tok::Number | Tok::BigInt | Tok::True | Tok::False | Tok::Null | Tok::Void => self.next()?,
            Tok::Template => self.skip_template_type()?,
            Tok::TypeOf => {
                self.next()?;
                self.skip_named()?;
            }
            Tok::Import => {
                self.next()?;
                self.expect(Tok::LParen)?;
                self.skip_type()?;
                if self.eat(Tok::Comma)? {
                    self.skip_type()?;
                }
                self.expect(Tok::RParen)?;
                if self.eat(Tok::Dot)? {
                    self.skip_named()?;
                } else if self.t.tok == Tok::Lt && !self.t.newline {
                    self.skip_angle_list()?;
                }
            }
            Tok::Ident | Tok::This => {
                self.skip_named()?;
                if self.at_name(known::IS) && !self.t.newline {
                    self.next()?;
                    self.skip_type()?;
                }
            }
            _ => return self.unexpected(),
        }
        while self.t.tok == Tok::LBracket && !self.t.newline {
            self.next()?;
            if self.t.tok != Tok::RBracket {
                self.skip_type()?;
            }
            self.expect(Tok::RBracket)?;
        }
        Ok(())
    }

    fn skip_return(&mut self) -> R<()> {
        self.enter()?;
        self.skip_type_or_predicate()?;
        self.leave();
        Ok(())
    }

    /// `a.b.c<T>`.
    fn skip_named(&mut self) -> R<()> {
        if self.t.tok == Tok::Import {
            return self.skip_operand();
        }
        self.next()?;
        while self.t.tok == Tok::Dot {
            self.next()?;
            self.next()?;
        }
        if matches!(self.t.tok, Tok::Lt | Tok::Shl) && !self.t.newline {
            self.skip_angle_list()?;
        }
        Ok(())
    }

    /// Parameters of a function type, or a type in parentheses: read alike.
    fn skip_parameters_type(&mut self) -> R<()> {
        self.enter()?;
        self.expect(Tok::LParen)?;
        while self.t.tok != Tok::RParen {
            self.eat(Tok::Ellipsis)?;
            self.skip_type()?;
            self.skip_annotation(true)?;
            if !self.eat(Tok::Comma)? {
                break;
            }
        }
        self.leave();
        self.expect(Tok::RParen)
    }

    fn skip_tuple(&mut self) -> R<()> {
        self.enter()?;
        self.next()?;
        while self.t.tok != Tok::RBracket {
            self.eat(Tok::Ellipsis)?;
            self.skip_type()?;
            self.skip_annotation(true)?;
            if !self.eat(Tok::Comma)? {
                break;
            }
        }
        self.leave();
        self.expect(Tok::RBracket)
    }

    /// `{ ... }` as a type: members, index signatures, mapped types.
    pub(crate) fn skip_object_type(&mut self) -> R<()> {
        self.enter()?;
        self.expect(Tok::LBrace)?;
        while self.t.tok != Tok::RBrace {
            match self.t.tok {
                Tok::End => return self.unexpected(),
                Tok::LParen => self.skip_parameters_type()?,
                Tok::Lt => self.skip_type_parameters()?,
                Tok::LBrace => self.skip_object_type()?,
                Tok::Colon => {
                    self.next()?;
                    self.skip_type_or_predicate()?;
                }
                Tok::LBracket => {
                    self.next()?;
                    self.skip_type()?;
                    match self.t.tok {
                        Tok::Colon => {
                            self.next()?;
                            self.skip_type()?;
                        }
                        Tok::In => {
                            self.next()?;
                            self.skip_type()?;
                            if self.eat_name(known::AS)? {
                                self.skip_type()?;
                            }
                        }
                        _ => {}
                    }
                    self.expect(Tok::RBracket)?;
                }
                _ => self.next()?,
            }
        }
        self.leave();
        self.next()
    }

    fn skip_template_type(&mut self) -> R<()> {
        self.enter()?;
        while !self.t.tail {
            self.next()?;
            self.skip_type()?;
            if self.t.tok != Tok::RBrace {
                return self.unexpected();
            }
            self.pos = self.t.end as usize;
            self.template_chunk()?;
        }
        self.leave();
        self.next()
    }
}
