//! Statements and declarations.

use super::arena::R;
use super::atoms::{Atom, known};
use super::parse::{Cover, Label, Parse, ctx};
use super::pattern::Bind;
use super::token::Tok;
use super::tree::{DeclarationKind, Kind, NONE, NodeId, ScopeKind, flag, function_flag, scope_flag};

const LEXICAL_ALONE: &str = "Lexical declaration cannot appear in a single-statement context";
const LOOP_TARGET: &str = "Invalid left-hand side in for-loop";

impl Parse<'_> {
    /// Statements and declarations up to `close`, onto the scratch list; `close` stays current.
    pub(crate) fn statements(&mut self, close: Tok) -> R<()> {
        while self.t.tok != close {
            let item = self.statement_item()?;
            self.item(item)?;
        }
        Ok(())
    }

    /// A statement or a declaration.
    pub(crate) fn statement_item(&mut self) -> R<NodeId> {
        let start = self.t.start;
        match self.t.tok {
            Tok::Function => self.function_declaration(start, 0, false),
            Tok::Class => self.class_declaration(false),
            Tok::Const => {
                if self.ts && self.peek()?.tok == Tok::Enum {
                    return self.fail(start, super::typescript::ENUM);
                }
                self.lexical(DeclarationKind::Const)
            }
            Tok::Import => {
                let ahead = self.peek()?.tok;
                if ahead == Tok::LParen || ahead == Tok::Dot {
                    return self.statement();
                }
                self.import_declaration()
            }
            Tok::Export => self.export_declaration(),
            Tok::Ident if !self.t.escaped => {
                let word = self.t.value;
                match word {
                    known::LET if self.let_declares()? => return self.lexical(DeclarationKind::Let),
                    known::ASYNC if self.async_function_ahead()? => {
                        self.next()?;
                        return self.function_declaration(start, function_flag::ASYNC, false);
                    }
                    _ if self.ts => {
                        if let Some(node) = self.ts_declaration()? {
                            return Ok(node);
                        }
                    }
                    _ => {}
                }
                self.statement()
            }
            Tok::Enum if self.ts => self.fail(start, super::typescript::ENUM),
            Tok::At => self.fail(start, "Decorators are not supported"),
            _ => self.statement(),
        }
    }

    /// `let` begins a declaration when a binding follows.
    fn let_declares(&mut self) -> R<bool> {
        // No reserved word begins with a capital letter, and none is a single one.
        if self.byte(self.pos) == b' ' && matches!(self.byte(self.pos + 1), b'A'..=b'Z' | b'{' | b'[') {
            return Ok(true);
        }
        if self.byte(self.pos) == b' '
            && self.byte(self.pos + 1).is_ascii_lowercase()
            && matches!(self.byte(self.pos + 2), b' ' | b'=' | b',')
        {
            return Ok(true);
        }
        Ok(matches!(self.peek()?.tok, Tok::Ident | Tok::LBracket | Tok::LBrace | Tok::EscapedWord))
    }

    pub(crate) fn async_function_ahead(&mut self) -> R<bool> {
        let ahead = self.peek()?;
        Ok(ahead.tok == Tok::Function && !ahead.newline)
    }

    fn lexical(&mut self, kind: DeclarationKind) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let bind = if kind == DeclarationKind::Let { Bind::Let } else { Bind::Const };
        let list = self.declarators(bind, false)?;
        self.semicolon()?;
        self.node_with(Kind::Variables, start, 0, kind as u16, list, 0)
    }

    /// Declarators separated by commas. In the head of a `for` initialisers may be missing: the caller checks.
    fn declarators(&mut self, bind: Bind, head: bool) -> R<u32> {
        let mark = self.mark();
        loop {
            let start = self.t.start;
            let before = self.tree.scopes[self.scope as usize].last;
            let lexical = matches!(bind, Bind::Let | Bind::Const);
            let target = self.binding_target(bind)?;
            if self.ts {
                if self.t.tok == Tok::Not && !self.t.newline {
                    self.next()?;
                }
                self.skip_annotation(false)?;
            }
            if lexical {
                self.initialise_after(before, NONE);
            }
            let mut value = NONE;
            if self.t.tok == Tok::Assign {
                self.next()?;
                value = self.assign(false)?;
            } else if !head && !self.has(ctx::AMBIENT) {
                self.check_initialiser(target, bind)?;
            }
            if lexical {
                self.initialise_after(before, self.prev_end);
            }
            let declarator = self.node(Kind::Declarator, start, target, value)?;
            self.item(declarator)?;
            if !self.eat(Tok::Comma)? {
                return self.list(mark);
            }
        }
    }

    fn check_initialiser(&mut self, target: NodeId, bind: Bind) -> R<()> {
        let at = self.t.start;
        if self.at(target).kind != Kind::BindingIdentifier {
            return self.fail(at, "Missing initializer in destructuring declaration");
        }
        if bind == Bind::Const {
            return self.fail(at, "Missing initializer in const declaration");
        }
        Ok(())
    }

    /// The body of `if`, a loop, a label: no declarations.
    fn sub_statement(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let tok = self.t.tok;
        match tok {
            Tok::Class | Tok::Const => return self.unexpected(),
            Tok::Function => return self.function_alone(),
            Tok::Ident if !self.t.escaped && self.t.value == known::LET => {
                let ahead = self.peek()?;
                let declares = match ahead.tok {
                    Tok::LBracket => true,
                    Tok::Ident | Tok::LBrace => !ahead.newline,
                    _ => false,
                };
                if declares {
                    return self.fail(start, LEXICAL_ALONE);
                }
            }
            Tok::Ident if !self.t.escaped && self.t.value == known::ASYNC && self.async_function_ahead()? => {
                return self.fail(start, "Async functions can only be declared at the top level or inside a block.");
            }
            _ => {}
        }
        self.statement()
    }

    /// A statement that is no labelled function.
    fn unlabelled(&mut self) -> R<NodeId> {
        let body = self.sub_statement()?;
        let mut node = self.at(body);
        while node.kind == Kind::Labelled {
            node = self.at(node.b);
            if node.kind == Kind::FunctionDeclaration {
                return self.fail(
                    node.start,
                    "In non-strict mode code, functions can only be declared at top level, inside a block, or as the body of an if statement.",
                );
            }
        }
        Ok(body)
    }

    #[cold]
    fn function_alone<T>(&mut self) -> R<T> {
        let message = if self.strict() {
            "In strict mode code, functions can only be declared at top level or inside a block."
        } else {
            "In non-strict mode code, functions can only be declared at top level, inside a block, or as the body of an if statement."
        };
        self.fail(self.t.start, message)
    }

    /// A statement that is no declaration.
    fn statement(&mut self) -> R<NodeId> {
        self.enter()?;
        let node = self.statement_inner()?;
        self.leave();
        Ok(node)
    }

    fn statement_inner(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let tok = self.t.tok;
        match tok {
            Tok::LBrace => self.block(),
            Tok::Semicolon => {
                self.next()?;
                self.node(Kind::Empty, start, 0, 0)
            }
            Tok::Var => {
                self.next()?;
                let list = self.declarators(Bind::Var, false)?;
                self.semicolon()?;
                self.node_with(Kind::Variables, start, 0, DeclarationKind::Var as u16, list, 0)
            }
            Tok::If => self.if_statement(),
            Tok::For => self.for_statement(),
            Tok::While => {
                self.next()?;
                let test = self.condition()?;
                let body = self.loop_body()?;
                self.node(Kind::While, start, test, body)
            }
            Tok::Do => {
                self.next()?;
                let body = self.loop_body()?;
                self.expect(Tok::While)?;
                let test = self.condition()?;
                self.eat(Tok::Semicolon)?;
                self.node(Kind::DoWhile, start, test, body)
            }
            Tok::Return => {
                if !self.has(ctx::RETURN) {
                    return self.fail(start, "Illegal return statement");
                }
                self.next()?;
                let value = if self.statement_ends() { NONE } else { self.expression()? };
                self.semicolon()?;
                self.node(Kind::Return, start, value, 0)
            }
            Tok::Break | Tok::Continue => self.jump(),
            Tok::Throw => {
                self.next()?;
                if self.t.newline {
                    return self.fail(self.t.start, "Illegal newline after throw");
                }
                let value = self.expression()?;
                self.semicolon()?;
                self.node(Kind::Throw, start, value, 0)
            }
            Tok::Try => self.try_statement(),
            Tok::Switch => self.switch_statement(),
            Tok::With => self.with_statement(),
            Tok::Debugger => {
                self.next()?;
                self.semicolon()?;
                self.node(Kind::Debugger, start, 0, 0)
            }
            Tok::Function => self.function_alone(),
            Tok::Class => self.unexpected(),
            Tok::Ident if self.labelled_ahead()? => self.labelled(),
            _ => {
                if self.at_name(known::LET) && self.peek()?.tok == Tok::LBracket {
                    return self.fail(start, LEXICAL_ALONE);
                }
                let value = self.expression()?;
                self.semicolon()?;
                self.node(Kind::Expression, start, value, 0)
            }
        }
    }

    fn statement_ends(&self) -> bool {
        self.t.newline || matches!(self.t.tok, Tok::Semicolon | Tok::RBrace | Tok::End)
    }

    /// Whether the current name is followed by a colon. The text is looked at before a token is read.
    fn labelled_ahead(&mut self) -> R<bool> {
        let mut at = self.pos;
        while self.byte(at) == b' ' {
            at += 1;
        }
        match self.byte(at) {
            b':' => Ok(true),
            b'\t' | b'\n' | b'\r' | b'/' => Ok(self.peek()?.tok == Tok::Colon),
            0x80.. | 0x0B | 0x0C => Ok(self.peek()?.tok == Tok::Colon),
            _ => Ok(false),
        }
    }

    fn block(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let scope = self.open_scope(ScopeKind::Block, start, NONE)?;
        let list = self.block_list()?;
        self.close_scope()?;
        self.node(Kind::Block, start, list, self.scope_if_used(scope))
    }

    /// `{ statements }`.
    fn block_list(&mut self) -> R<u32> {
        self.expect(Tok::LBrace)?;
        let mark = self.mark();
        self.statements(Tok::RBrace)?;
        self.next()?;
        self.list(mark)
    }

    fn condition(&mut self) -> R<NodeId> {
        self.expect(Tok::LParen)?;
        let test = self.expression()?;
        self.expect(Tok::RParen)?;
        Ok(test)
    }

    fn loop_body(&mut self) -> R<NodeId> {
        self.loops += 1;
        self.breakable += 1;
        let body = self.unlabelled()?;
        self.loops -= 1;
        self.breakable -= 1;
        Ok(body)
    }

    /// `if`; a chain of `else if` is read in a loop, so that it does not nest.
    fn if_statement(&mut self) -> R<NodeId> {
        let mark = self.mark();
        let mut last = NONE;
        loop {
            let start = self.t.start;
            self.next()?;
            let test = self.condition()?;
            let then = self.if_branch()?;
            for item in [start, test, then] {
                self.item(item)?;
            }
            if !self.eat(Tok::Else)? {
                break;
            }
            if self.t.tok != Tok::If {
                last = self.if_branch()?;
                break;
            }
        }
        while self.work.scratch.len() > mark {
            let (then, test, start) =
                (self.work.scratch.pop().unwrap_or(NONE), self.work.scratch.pop().unwrap_or(NONE), self.work.scratch.pop().unwrap_or(NONE));
            let branches = self.record(&[then, last])?;
            last = self.node(Kind::If, start, test, branches)?;
        }
        Ok(last)
    }

    fn if_branch(&mut self) -> R<NodeId> {
        let start = self.t.start;
        if self.t.tok == Tok::Function && !self.strict() {
            if self.peek()?.tok == Tok::Star {
                return self.fail(start, "Generators can only be declared at the top level or inside a block.");
            }
            let scope = self.open_scope(ScopeKind::Block, start, NONE)?;
            let function = self.function_declaration(start, 0, false)?;
            let mark = self.mark();
            self.item(function)?;
            let list = self.list(mark)?;
            self.close_scope()?;
            return self.node(Kind::Block, start, list, scope);
        }
        self.unlabelled()
    }

    fn for_statement(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let mut is_await = false;
        if self.t.tok == Tok::Ident && self.t.value == known::AWAIT {
            if !self.has(ctx::AWAIT) {
                return self.unexpected();
            }
            is_await = true;
            if self.tree.functions[self.function as usize].flags & function_flag::TOP != 0 {
                self.tree.functions[self.function as usize].flags |= function_flag::TOP_AWAIT;
            }
            self.next()?;
        }
        self.expect(Tok::LParen)?;
        let at = self.t.start;
        let declares = match self.t.tok {
            Tok::Const => true,
            Tok::Ident if self.at_name(known::LET) => {
                let ahead = self.peek()?;
                match ahead.tok {
                    Tok::LBracket | Tok::LBrace => true,
                    // `for (let of x)` is an error, `for (let of of x)` a loop over `of`.
                    Tok::Ident => true,
                    _ => false,
                }
            }
            _ => false,
        };
        let scope = if declares { self.open_scope(ScopeKind::Loop, at, NONE)? } else { NONE };
        let node = if declares || self.t.tok == Tok::Var {
            self.for_declaration(start, is_await, scope)?
        } else {
            self.for_expression(start, is_await)?
        };
        if scope != NONE {
            self.close_scope()?;
        }
        Ok(node)
    }

    fn for_declaration(&mut self, start: u32, is_await: bool, scope: u32) -> R<NodeId> {
        let at = self.t.start;
        let (kind, bind) = match self.t.tok {
            Tok::Var => (DeclarationKind::Var, Bind::Var),
            Tok::Const => (DeclarationKind::Const, Bind::Const),
            _ => (DeclarationKind::Let, Bind::Let),
        };
        self.next()?;
        let saved = self.ctx;
        self.ctx |= ctx::NO_IN;
        let list = self.declarators(bind, true)?;
        self.ctx = saved;
        let declaration = self.node_with(Kind::Variables, at, 0, kind as u16, list, 0)?;
        let of = self.at_name(known::OF);
        if of || self.t.tok == Tok::In && !is_await {
            let declarators = self.tree.list(list);
            let (first, count) = (declarators[0], declarators.len());
            let word = if of { if is_await { "for-await-of" } else { "for-of" } } else { "for-in" };
            if count != 1 {
                let message = format!("Invalid left-hand side in {word} loop: Must have a single binding.");
                return self.fail_text(at as usize, message);
            }
            let declarator = self.at(first);
            let simple = self.at(declarator.a).kind == Kind::BindingIdentifier;
            if declarator.b != NONE && (of || self.strict() || kind != DeclarationKind::Var || !simple) {
                let message = format!("{word} loop variable declaration may not have an initializer.");
                return self.fail_text(at as usize, message);
            }
            return self.for_each(start, declaration, of, is_await, scope);
        }
        if is_await {
            return self.unexpected();
        }
        let declarators = self.tree.list(list).len() as u32;
        for index in 0..declarators {
            let id = self.tree.list(list)[index as usize];
            let declarator = self.at(id);
            if declarator.b == NONE {
                self.check_initialiser(declarator.a, bind)?;
            }
        }
        self.for_classic(start, declaration, scope)
    }

    fn for_expression(&mut self, start: u32, is_await: bool) -> R<NodeId> {
        if self.t.tok == Tok::Semicolon {
            if is_await {
                return self.unexpected();
            }
            return self.for_classic(start, NONE, NONE);
        }
        let at = self.t.start;
        let starts_let = self.at_name(known::LET);
        let starts_async = self.at_name(known::ASYNC) && self.peek()?.tok == Tok::Ident;
        let saved = self.ctx;
        self.ctx |= ctx::NO_IN;
        self.cover = Cover::CLEAR;
        let first = self.assign(true)?;
        self.ctx = saved;
        let of = self.at_name(known::OF);
        if of || self.t.tok == Tok::In && !is_await {
            if of && starts_let {
                return self.fail(at, "The left-hand side of a for-of loop may not be 'let'.");
            }
            if of && starts_async && !is_await && self.at(first).kind == Kind::Identifier {
                return self.fail(at, "The left-hand side of a for-of loop may not be 'async'.");
            }
            self.cover = Cover::CLEAR;
            let kind = self.at(first).kind;
            if kind == Kind::Assign || kind == Kind::Arrow {
                return self.fail(at, LOOP_TARGET);
            }
            self.make_target(first, true, LOOP_TARGET)?;
            return self.for_each(start, first, of, is_await, NONE);
        }
        if self.cover.at != NONE {
            return self.cover_error();
        }
        if is_await {
            return self.unexpected();
        }
        let init = if self.t.tok == Tok::Comma {
            self.ctx |= ctx::NO_IN;
            let mark = self.mark();
            self.item(first)?;
            while self.eat(Tok::Comma)? {
                let next = self.assign(false)?;
                self.item(next)?;
            }
            self.ctx = saved;
            let list = self.list(mark)?;
            self.node(Kind::Sequence, at, list, 0)?
        } else {
            first
        };
        self.for_classic(start, init, NONE)
    }

    fn for_classic(&mut self, start: u32, init: NodeId, scope: u32) -> R<NodeId> {
        self.expect(Tok::Semicolon)?;
        let test = if self.t.tok == Tok::Semicolon { NONE } else { self.expression()? };
        self.expect(Tok::Semicolon)?;
        let update = if self.t.tok == Tok::RParen { NONE } else { self.expression()? };
        self.expect(Tok::RParen)?;
        let body = self.loop_body()?;
        let parts = self.record(&[init, test, update, body])?;
        self.node(Kind::For, start, scope, parts)
    }

    fn for_each(&mut self, start: u32, left: NodeId, of: bool, is_await: bool, scope: u32) -> R<NodeId> {
        if scope != NONE {
            self.initialise_after(NONE, NONE);
        }
        self.next()?;
        let right = if of { self.assign(false)? } else { self.expression()? };
        if scope != NONE {
            self.initialise_after(NONE, self.t.start);
        }
        self.expect(Tok::RParen)?;
        let body = self.loop_body()?;
        let parts = self.record(&[left, right, body])?;
        let flags = if is_await { flag::AWAIT } else { 0 };
        self.node_with(if of { Kind::ForOf } else { Kind::ForIn }, start, flags, 0, scope, parts)
    }

    fn jump(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let is_break = self.t.tok == Tok::Break;
        self.next()?;
        let mut name = NONE;
        if self.t.tok == Tok::Ident && !self.t.newline {
            name = self.t.value;
            let at = self.t.start;
            let mut found = None;
            for label in self.work.labels[self.label_base..].iter().rev() {
                if label.name == name {
                    found = Some(label.looped);
                    break;
                }
            }
            match found {
                None => {
                    let message = format!("Undefined label '{}'", self.text_of(name));
                    return self.fail_text(at as usize, message);
                }
                Some(false) if !is_break => {
                    let message = format!("Illegal continue statement: '{}' does not denote an iteration statement", self.text_of(name));
                    return self.fail_text(at as usize, message);
                }
                _ => {}
            }
            self.next()?;
        } else if is_break && self.breakable == 0 {
            return self.fail(start, "Illegal break statement");
        } else if !is_break && self.loops == 0 {
            return self.fail(start, "Illegal continue statement: no surrounding iteration statement");
        }
        self.semicolon()?;
        self.node(if is_break { Kind::Break } else { Kind::Continue }, start, name, 0)
    }

    fn try_statement(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        if self.t.tok != Tok::LBrace {
            return self.unexpected();
        }
        let block = self.block()?;
        let (mut scope, mut parameter, mut handler, mut finalizer) = (NONE, NONE, NONE, NONE);
        if self.t.tok == Tok::Catch {
            let at = self.t.start;
            self.next()?;
            if self.eat(Tok::LParen)? {
                scope = self.open_scope(ScopeKind::Catch, at, NONE)?;
                let simple = self.t.tok == Tok::Ident;
                parameter = self.binding_target(Bind::Catch)?;
                if self.ts {
                    self.skip_annotation(false)?;
                }
                if simple {
                    self.tree.scopes[scope as usize].flags |= scope_flag::SIMPLE_CATCH;
                }
                self.initialise_after(NONE, if simple { 0 } else { self.t.start });
                self.expect(Tok::RParen)?;
            }
            if self.t.tok != Tok::LBrace {
                return self.unexpected();
            }
            handler = self.block()?;
            if scope != NONE {
                self.close_scope()?;
            }
        }
        if self.eat(Tok::Finally)? {
            if self.t.tok != Tok::LBrace {
                return self.unexpected();
            }
            finalizer = self.block()?;
        }
        if handler == NONE && finalizer == NONE {
            return self.fail(self.t.start, "Missing catch or finally after try");
        }
        let parts = self.record(&[scope, parameter, handler, finalizer])?;
        self.node(Kind::Try, start, block, parts)
    }

    fn switch_statement(&mut self) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let value = self.condition()?;
        let at = self.t.start;
        self.expect(Tok::LBrace)?;
        let scope = self.open_scope(ScopeKind::Switch, at, NONE)?;
        self.breakable += 1;
        let mark = self.mark();
        let mut default = false;
        while self.t.tok != Tok::RBrace {
            let at = self.t.start;
            let test = if self.eat(Tok::Case)? {
                self.expression()?
            } else {
                if self.t.tok == Tok::Default && default {
                    return self.fail(at, "More than one default clause in switch statement");
                }
                self.expect(Tok::Default)?;
                default = true;
                NONE
            };
            self.expect(Tok::Colon)?;
            let inner = self.mark();
            while !matches!(self.t.tok, Tok::Case | Tok::Default | Tok::RBrace) {
                let item = self.statement_item()?;
                self.item(item)?;
            }
            let list = self.list(inner)?;
            let case = self.node(Kind::Case, at, test, list)?;
            self.item(case)?;
        }
        self.next()?;
        self.breakable -= 1;
        let list = self.list(mark)?;
        self.close_scope()?;
        let parts = self.record(&[self.scope_if_used(scope), list])?;
        self.node(Kind::Switch, start, value, parts)
    }

    fn with_statement(&mut self) -> R<NodeId> {
        let start = self.t.start;
        if self.strict() {
            return self.fail(start, "Strict mode code may not include a with statement");
        }
        self.next()?;
        let object = self.condition()?;
        let scope = self.open_scope(ScopeKind::With, self.t.start, NONE)?;
        let body = self.unlabelled()?;
        self.close_scope()?;
        let parts = self.record(&[scope, body])?;
        self.node(Kind::With, start, object, parts)
    }

    /// One or more labels and their statement; a run of labels is read in a loop.
    fn labelled(&mut self) -> R<NodeId> {
        let mark = self.mark();
        let base = self.work.labels.len();
        loop {
            let (name, start): (Atom, u32) = (self.t.value, self.t.start);
            self.check_label(name, start)?;
            self.gauge.charge((self.work.labels.len() - self.label_base) as u64 / 8)?;
            if self.work.labels[self.label_base..].iter().any(|label| label.name == name) {
                let message = format!("Label '{}' has already been declared", self.text_of(name));
                return self.fail_text(start as usize, message);
            }
            self.work.labels.push(Label { name, looped: false }, &mut self.gauge)?;
            self.item(start)?;
            self.item(name)?;
            self.next()?;
            self.next()?;
            if self.t.tok != Tok::Ident || !self.labelled_ahead()? {
                break;
            }
        }
        if matches!(self.t.tok, Tok::For | Tok::While | Tok::Do) {
            for label in &mut self.work.labels[base..] {
                label.looped = true;
            }
        }
        let mut body = if self.t.tok == Tok::Function {
            let start = self.t.start;
            if self.strict() || self.peek()?.tok == Tok::Star {
                return self.function_alone();
            }
            self.function_declaration(start, 0, false)?
        } else {
            self.sub_statement()?
        };
        self.work.labels.truncate(base);
        while self.work.scratch.len() > mark {
            let (name, start) = (self.work.scratch.pop().unwrap_or(NONE), self.work.scratch.pop().unwrap_or(NONE));
            body = self.node(Kind::Labelled, start, name, body)?;
        }
        Ok(body)
    }

    fn check_label(&mut self, name: Atom, start: u32) -> R<()> {
        if name == known::YIELD && self.has(ctx::YIELD) {
            return self.fail(start, "Unexpected identifier 'yield'");
        }
        if name == known::AWAIT {
            return self.check_await_name(start);
        }
        if self.strict() && (known::LET..known::AWAIT).contains(&name) {
            return self.fail(start, "Unexpected strict mode reserved word");
        }
        Ok(())
    }
}
