//! Functions of every kind, and the top level of a text.

use super::Goal;
use super::arena::R;
use super::atoms::{Atom, known};
use super::parse::{Parse, ctx};
use super::pattern::Bind;
use super::token::Tok;
use super::tree::{BindingKind, Function, FunctionId, Kind, NONE, NodeId, ScopeId, ScopeKind, flag, function_flag};

/// What the function around a function must find again when it ends.
pub(crate) struct Outer {
    ctx: u32,
    scope: ScopeId,
    var_scope: ScopeId,
    function: FunctionId,
    label_base: usize,
    breakable: u32,
    loops: u32,
    yield_pos: u32,
    await_pos: u32,
    await_name: u32,
    sloppy_name: u32,
    duplicate: u32,
}

impl Parse<'_> {
    /// Begins a function: it becomes current, and its scope is opened (at the log entry `at`, or here).
    pub(crate) fn begin_function(&mut self, flags: u32, start: u32, name: Atom, at: u32) -> R<(FunctionId, Outer)> {
        let outer = Outer {
            ctx: self.ctx,
            scope: self.scope,
            var_scope: self.var_scope,
            function: self.function,
            label_base: self.label_base,
            breakable: self.breakable,
            loops: self.loops,
            yield_pos: self.yield_pos,
            await_pos: self.await_pos,
            await_name: self.await_name,
            sloppy_name: self.sloppy_name,
            duplicate: self.duplicate,
        };
        let function = Function {
            name,
            flags,
            start,
            end: start,
            params: 0,
            length: 0,
            body: 0,
            scope: NONE,
            body_scope: NONE,
            name_scope: NONE,
            parent: self.function,
            arguments: NONE,
            this: NONE,
            new_target: NONE,
            home_object: NONE,
            callee: NONE,
            class: NONE,
        };
        let id = self.tree.functions.push(function, &mut self.gauge)?;
        self.function = id;
        let scope = self.open_scope(ScopeKind::Function, start, at)?;
        self.tree.functions[id as usize].scope = scope;
        self.var_scope = scope;
        self.label_base = self.work.labels.len();
        self.breakable = 0;
        self.loops = 0;
        self.sloppy_name = NONE;
        self.duplicate = NONE;
        let keep = if flags & function_flag::ARROW != 0 {
            ctx::STRICT | ctx::NEW_TARGET | ctx::SUPER_PROPERTY | ctx::SUPER_CALL | ctx::NO_ARGUMENTS | ctx::AMBIENT
        } else {
            ctx::STRICT | ctx::AMBIENT
        };
        self.ctx &= keep;
        self.ctx |= ctx::RETURN;
        if flags & function_flag::ARROW == 0 {
            self.ctx |= ctx::NEW_TARGET;
        }
        if flags & function_flag::GENERATOR != 0 {
            self.ctx |= ctx::YIELD;
        }
        if flags & function_flag::ASYNC != 0 {
            self.ctx |= ctx::AWAIT;
        }
        if flags & function_flag::METHOD != 0 {
            self.ctx |= ctx::SUPER_PROPERTY;
        }
        if flags & function_flag::DERIVED != 0 && flags & function_flag::CONSTRUCTOR != 0 {
            self.ctx |= ctx::SUPER_CALL;
        }
        Ok((id, outer))
    }

    /// Ends a function; its source text ends at `end`.
    pub(crate) fn end_function(&mut self, id: FunctionId, outer: Outer, end: u32) -> R<()> {
        let strict = self.strict();
        if strict {
            self.tree.functions[id as usize].flags |= function_flag::STRICT;
        }
        self.tree.functions[id as usize].end = end;
        if self.tree.functions[id as usize].body_scope != NONE {
            self.close_scope()?;
            self.var_scope = self.scope;
        }
        self.close_scope()?;
        self.ctx = outer.ctx;
        self.scope = outer.scope;
        self.var_scope = outer.var_scope;
        self.function = outer.function;
        self.label_base = outer.label_base;
        self.breakable = outer.breakable;
        self.loops = outer.loops;
        self.yield_pos = outer.yield_pos;
        self.await_pos = outer.await_pos;
        self.await_name = outer.await_name;
        self.sloppy_name = outer.sloppy_name;
        self.duplicate = outer.duplicate;
        Ok(())
    }

    /// Parameters in parentheses; the current token is `(`.
    fn parameters(&mut self, id: FunctionId) -> R<()> {
        self.expect(Tok::LParen)?;
        self.parameters_until(id, Tok::RParen)?;
        self.next()
    }

    /// Parameters up to the token `close`, which stays current.
    fn parameters_until(&mut self, id: FunctionId, close: Tok) -> R<()> {
        let functions = self.tree.functions.len();
        let classes = self.tree.classes.len();
        let had_eval = std::mem::replace(&mut self.has_eval, false);
        self.ctx |= ctx::PARAMETERS;
        let mark = self.mark();
        let (mut simple, mut length, mut counting) = (true, 0, true);
        if self.ts && self.at_this_parameter()? {
            self.skip_this_parameter()?;
        }
        while self.t.tok != close {
            if self.ts {
                self.refuse_parameter_property()?;
            }
            let scope = self.scope;
            let before = self.tree.scopes[scope as usize].last;
            if self.t.tok == Tok::Ellipsis {
                simple = false;
                let start = self.t.start;
                self.next()?;
                let target = self.binding_target(Bind::Parameter)?;
                if self.ts {
                    self.skip_annotation(false)?;
                }
                let rest = self.node(Kind::Rest, start, target, 0)?;
                self.item(rest)?;
                self.initialise_after(before, self.t.start);
                if self.t.tok != close {
                    let message = if self.t.tok == Tok::Assign {
                        "Rest parameter may not have a default initializer"
                    } else if self.t.tok == Tok::Comma {
                        "Rest parameter must be last formal parameter"
                    } else {
                        return self.unexpected();
                    };
                    return self.fail(self.t.start, message);
                }
                break;
            }
            let item = self.binding_element(Bind::Parameter)?;
            match self.at(item).kind {
                Kind::BindingIdentifier => {}
                Kind::Default => {
                    simple = false;
                    counting = false;
                }
                _ => simple = false,
            }
            self.initialise_after(before, self.t.start);
            if counting {
                length += 1;
            }
            self.item(item)?;
            if self.t.tok != close {
                if self.t.tok != Tok::Comma {
                    return self.missing_parameter_paren();
                }
                self.next()?;
            }
        }
        self.ctx &= !ctx::PARAMETERS;
        let params = self.list(mark)?;
        if simple {
            self.initialise_after(NONE, 0);
        }
        let closures = self.tree.functions.len() > functions || self.tree.classes.len() > classes || self.has_eval;
        let function = &mut self.tree.functions[id as usize];
        function.params = params;
        function.length = length;
        if simple {
            function.flags |= function_flag::SIMPLE_PARAMETERS;
        }
        if closures {
            function.flags |= function_flag::PARAMETER_CLOSURES;
        }
        if self.has_eval {
            function.flags |= function_flag::PARAMETER_EVAL;
        }
        self.has_eval |= had_eval;
        Ok(())
    }

    fn missing_parameter_paren<T>(&mut self) -> R<T> {
        match self.t.tok {
            Tok::Ident | Tok::LBrace | Tok::Semicolon => self.fail(self.t.start, "missing ) after formal parameters"),
            _ => self.unexpected(),
        }
    }

    /// The bindings of the current scope after `before` count as initialised from `at` on.
    pub(crate) fn initialise_after(&mut self, before: u32, at: u32) {
        let scope = &self.tree.scopes[self.scope as usize];
        let mut next = if before == NONE { scope.first } else { self.tree.bindings[before as usize].next };
        while next != NONE {
            let binding = &mut self.tree.bindings[next as usize];
            binding.initialised = at;
            next = binding.next;
        }
    }

    /// A body in braces, and the rules that tie it to the parameters. Leaves the `}` current.
    pub(crate) fn body(&mut self, id: FunctionId) -> R<()> {
        let open = self.t.start;
        if self.t.tok != Tok::LBrace {
            return self.unexpected();
        }
        self.next()?;
        self.body_scope(id, open)?;
        let list = self.body_statements(id, Tok::RBrace)?;
        self.tree.functions[id as usize].body = list;
        Ok(())
    }

    /// Opens a scope of its own for a body whose parameters hold closures.
    fn body_scope(&mut self, id: FunctionId, start: u32) -> R<()> {
        let flags = self.tree.functions[id as usize].flags;
        if flags & function_flag::PARAMETER_CLOSURES != 0 {
            let scope = self.open_scope(ScopeKind::Body, start, NONE)?;
            self.tree.functions[id as usize].body_scope = scope;
            self.var_scope = scope;
        }
        Ok(())
    }

    /// Directives and statements up to `close`, which stays current; then the checks that wait for strictness.
    fn body_statements(&mut self, id: FunctionId, close: Tok) -> R<u32> {
        let was_strict = self.strict();
        let mark = self.mark();
        self.directives(id, close)?;
        if self.strict() && !was_strict {
            self.strict_after_all()?;
        }
        self.check_duplicates(id)?;
        self.statements(close)?;
        self.list(mark)
    }

    fn check_duplicates(&mut self, id: FunctionId) -> R<()> {
        if self.duplicate != NONE {
            let flags = self.tree.functions[id as usize].flags;
            let unique = function_flag::ARROW | function_flag::METHOD;
            if self.strict() || flags & unique != 0 || flags & function_flag::SIMPLE_PARAMETERS == 0 {
                return self.fail(self.duplicate, "Duplicate parameter name not allowed in this context");
            }
        }
        Ok(())
    }

    /// A "use strict" directive was met: what was read before must be fit for strict code.
    fn strict_after_all(&mut self) -> R<()> {
        if self.sloppy_name != NONE {
            let at = self.sloppy_name as usize;
            let rest = &self.src[at..];
            let message = if rest.starts_with(b"eval") || rest.starts_with(b"arguments") {
                "Unexpected eval or arguments in strict mode"
            } else {
                "Unexpected strict mode reserved word"
            };
            return self.fail_at(at, message);
        }
        Ok(())
    }

    /// The directive prologue.
    fn directives(&mut self, id: FunctionId, close: Tok) -> R<()> {
        let mut octal = NONE;
        while self.t.tok == Tok::String && self.t.tok != close {
            let token = self.t;
            let statement = self.statement_item()?;
            self.item(statement)?;
            let node = self.at(statement);
            if node.kind != Kind::Expression {
                break;
            }
            let inner = self.at(node.a);
            if inner.kind != Kind::String || inner.flags & flag::PARENTHESISED != 0 {
                break;
            }
            if token.octal && octal == NONE {
                octal = token.start;
            }
            if token.value == known::USE_STRICT && !token.escaped {
                let flags = self.tree.functions[id as usize].flags;
                if flags & (function_flag::SIMPLE_PARAMETERS | function_flag::TOP) == 0 {
                    return self.fail(token.start, "Illegal 'use strict' directive in function with non-simple parameter list");
                }
                self.tree.functions[id as usize].flags |= function_flag::USE_STRICT_DIRECTIVE | function_flag::STRICT;
                if !self.strict() {
                    self.ctx |= ctx::STRICT;
                    self.recheck_token()?;
                }
            }
            if octal != NONE && self.strict() {
                return self.fail(octal, "Octal escape sequences are not allowed in strict mode.");
            }
        }
        Ok(())
    }

    /// The token after `"use strict"` was read before the directive held.
    fn recheck_token(&mut self) -> R<()> {
        if matches!(self.t.tok, Tok::Number | Tok::String) && self.t.octal {
            self.pos = self.t.start as usize;
            let newline = self.t.newline;
            // Reading it again raises the error strict code has for it.
            self.t.tok = Tok::End;
            self.relex()?;
            self.t.newline = newline;
        }
        Ok(())
    }

    /// Checks the name of a function, given that its body is known by now.
    fn check_function_name(&mut self, name: Atom, start: u32) -> R<()> {
        if name == NONE || !self.strict() {
            return Ok(());
        }
        if name == known::EVAL || name == known::ARGUMENTS {
            return self.fail(start, "Unexpected eval or arguments in strict mode");
        }
        if (known::LET..known::AWAIT).contains(&name) {
            return self.fail(start, "Unexpected strict mode reserved word");
        }
        Ok(())
    }

    /// Parameters and body of a function that is no arrow; leaves the token after it current.
    /// With TypeScript the body may be missing: then the flag `false` is returned.
    fn rest_of_function(&mut self, id: FunctionId, outer: Outer, name: Atom, name_start: u32) -> R<bool> {
        if self.ts {
            self.skip_type_parameters()?;
        }
        self.parameters(id)?;
        if self.ts {
            self.skip_return_type()?;
            if self.t.tok != Tok::LBrace {
                let fits = self.t.tok == Tok::Semicolon || self.t.tok == Tok::RBrace || self.t.tok == Tok::End || self.t.newline;
                if !fits {
                    return self.unexpected();
                }
                self.eat(Tok::Semicolon)?;
                let end = self.prev_end;
                self.end_function(id, outer, end)?;
                return Ok(false);
            }
        }
        self.body(id)?;
        self.check_function_name(name, name_start)?;
        let end = self.t.end;
        // The token after the body belongs to the code around it.
        self.end_function(id, outer, end)?;
        self.next()?;
        Ok(true)
    }

    /// `function` of an expression; the current token is `function`, `flags` may hold `ASYNC`.
    pub(crate) fn function_expression(&mut self, start: u32, flags: u32) -> R<NodeId> {
        self.enter()?;
        self.next()?;
        let mut flags = flags;
        if self.eat(Tok::Star)? {
            flags |= function_flag::GENERATOR;
        }
        let (mut name, mut name_start, mut name_scope) = (NONE, start, NONE);
        if self.t.tok == Tok::Ident {
            name = self.t.value;
            name_start = self.t.start;
            // The name belongs to the function's own kind of code.
            let saved = self.ctx;
            self.ctx &= !(ctx::YIELD | ctx::AWAIT | ctx::STATIC_BLOCK);
            if flags & function_flag::GENERATOR != 0 {
                self.ctx |= ctx::YIELD;
            }
            if flags & function_flag::ASYNC != 0 {
                self.ctx |= ctx::AWAIT;
            }
            let await_name = self.await_name;
            let sloppy_name = self.sloppy_name;
            self.check_bound_name(name, name_start)?;
            self.await_name = await_name;
            self.sloppy_name = sloppy_name;
            self.ctx = saved;
            self.next()?;
            name_scope = self.open_scope(ScopeKind::FunctionName, name_start, NONE)?;
            self.declare_here(name, BindingKind::FunctionName, name_start)?;
        }
        let (id, outer) = self.begin_function(flags, start, name, NONE)?;
        self.tree.functions[id as usize].name_scope = name_scope;
        if name_scope != NONE {
            self.tree.scopes[name_scope as usize].function = id;
        }
        if !self.rest_of_function(id, outer, name, name_start)? {
            return self.unexpected();
        }
        if name_scope != NONE {
            self.close_scope()?;
        }
        self.leave();
        self.node(Kind::Function, start, id, 0)
    }

    /// A function declaration; the current token is `function`. With `default_export` it may lack a name.
    pub(crate) fn function_declaration(&mut self, start: u32, flags: u32, default_export: bool) -> R<NodeId> {
        self.enter()?;
        self.next()?;
        let mut flags = flags | function_flag::DECLARATION;
        if self.eat(Tok::Star)? {
            flags |= function_flag::GENERATOR;
        }
        let (mut name, mut name_start) = (known::DEFAULT, start);
        let mut bound = known::DEFAULT_EXPORT;
        if self.t.tok == Tok::Ident {
            name = self.t.value;
            bound = name;
            name_start = self.t.start;
            let sloppy_name = self.sloppy_name;
            self.check_bound_name(name, name_start)?;
            self.sloppy_name = sloppy_name;
            if name == known::LET && self.strict() {
                return self.unexpected();
            }
            self.next()?;
        } else if !default_export {
            return self.unexpected();
        }
        let node = self.node(Kind::FunctionDeclaration, start, self.tree.functions.len() as u32, NONE)?;
        let (id, outer) = self.begin_function(flags, start, name, NONE)?;
        self.at_mut(node).a = id;
        let checked = if bound == known::DEFAULT_EXPORT { NONE } else { name };
        let whole = self.rest_of_function(id, outer, checked, name_start)?;
        if !whole {
            // An overload or an ambient declaration: only its shape was checked.
            let node = self.at_mut(node);
            node.kind = Kind::Empty;
            self.leave();
            return self.node(Kind::Empty, start, 0, 0);
        }
        let top = self.scope == self.var_scope && self.tree.scopes[self.scope as usize].kind != ScopeKind::Module;
        let binding = if top {
            self.declare_var(bound, BindingKind::Function, name_start, node)?
        } else {
            self.declare_lexical(bound, BindingKind::BlockFunction, name_start, node)?
        };
        self.at_mut(node).b = binding;
        if !top && !self.strict() && flags & (function_flag::GENERATOR | function_flag::ASYNC) == 0 && self.scope != self.var_scope {
            self.work.hoists.push(node, &mut self.gauge)?;
        }
        self.leave();
        Ok(node)
    }

    /// Parameters and body of a method, accessor or constructor, after its key.
    pub(crate) fn method(&mut self, start: u32, flags: u32, key: NodeId, computed: u8) -> R<NodeId> {
        match self.method_or_overload(start, flags, key, computed)? {
            NONE => self.unexpected(),
            node => Ok(node),
        }
    }

    /// As `method`; NONE if the body is missing (TypeScript).
    pub(crate) fn method_or_overload(&mut self, start: u32, flags: u32, key: NodeId, computed: u8) -> R<NodeId> {
        self.enter()?;
        let name = match self.at(key) {
            node if computed == 0 && node.kind == Kind::String => node.a,
            node if node.kind == Kind::PrivateName => node.a,
            _ => NONE,
        };
        let (id, outer) = self.begin_function(flags, start, name, NONE)?;
        if flags & function_flag::CONSTRUCTOR == 0 {
            self.ctx &= !ctx::SUPER_CALL;
        }
        let at = self.t.start;
        let whole = self.rest_of_function(id, outer, NONE, start)?;
        let function = self.tree.functions[id as usize];
        if flags & function_flag::GETTER != 0 && self.tree.extra[function.params as usize] != 0 {
            return self.fail(at, "Getter must not have any formal parameters.");
        }
        if flags & function_flag::SETTER != 0 {
            let list = self.tree.list(function.params);
            if list.len() != 1 {
                return self.fail(at, "Setter must have exactly one formal parameter.");
            }
            if self.at(list[0]).kind == Kind::Rest {
                return self.fail(at, "Setter function argument must not be a rest parameter");
            }
        }
        self.leave();
        if !whole {
            return Ok(NONE);
        }
        self.node(Kind::Function, start, id, 0)
    }

    /// An arrow function whose parameters lie on the scratch list from `mark` on; the current token is
    /// `=>`. `place` is the log entry where its scope begins, or NONE if nothing was logged since.
    pub(crate) fn arrow(&mut self, start: u32, is_async: bool, place: u32, mark: usize) -> R<NodeId> {
        self.enter()?;
        if self.yield_pos != NONE && place != NONE {
            return self.fail(self.yield_pos, "Yield expression not allowed in formal parameter");
        }
        if self.await_pos != NONE && place != NONE {
            return self.fail(self.await_pos, "Illegal await-expression in formal parameters of async function");
        }
        if is_async && self.await_name != NONE && place != NONE {
            return self.fail(self.await_name, "Unexpected reserved word");
        }
        self.cover = super::parse::Cover::CLEAR;
        let mut flags = function_flag::ARROW;
        if is_async {
            flags |= function_flag::ASYNC;
        }
        let outer_ctx = self.ctx;
        let (id, outer) = self.begin_function(flags, start, NONE, place)?;
        // Names of parameters follow the rules of the code around the arrow.
        let inner_ctx = self.ctx;
        self.ctx |= outer_ctx & (ctx::YIELD | ctx::AWAIT | ctx::STATIC_BLOCK);
        let (mut simple, mut length, mut counting) = (true, 0, true);
        for index in mark..self.work.scratch.len() {
            let item = self.work.scratch[index];
            let before = self.tree.scopes[self.scope as usize].last;
            let node = self.at(item);
            let mut kind = node.kind;
            match kind {
                Kind::Rest | Kind::Spread => {
                    let inner = self.at(node.a).kind;
                    if inner == Kind::Assign {
                        return self.fail(self.at(node.a).start, "Rest parameter may not have a default initializer");
                    }
                    self.element_to_pattern(node.a, Some(Bind::Parameter))?;
                    self.at_mut(item).kind = Kind::Rest;
                    counting = false;
                }
                _ => {
                    if node.flags & flag::PARENTHESISED != 0 {
                        return self.fail(node.start, "Invalid destructuring assignment target");
                    }
                    self.element_to_pattern(item, Some(Bind::Parameter))?;
                    kind = self.at(item).kind;
                }
            }
            if kind != Kind::BindingIdentifier {
                simple = false;
                if kind == Kind::Default {
                    counting = false;
                }
            }
            let after = match self.work.scratch.get(index + 1) {
                Some(&next) => self.at(next).start,
                None => self.t.start,
            };
            self.initialise_after(before, after);
            if counting {
                length += 1;
            }
        }
        if self.duplicate != NONE {
            return self.fail(self.duplicate, "Duplicate parameter name not allowed in this context");
        }
        if is_async && self.await_name != NONE && place != NONE {
            return self.fail(self.await_name, "Unexpected reserved word");
        }
        // Names met in these parameters count for an async arrow function around them too.
        let await_name = self.await_name;
        self.ctx = inner_ctx;
        if simple {
            self.initialise_after(NONE, 0);
        }
        let params = self.list(mark)?;
        // Any function or class inside the parameters was made before this one: count from the log.
        let closures = place != NONE && self.scopes_since(place);
        {
            let function = &mut self.tree.functions[id as usize];
            function.params = params;
            function.length = length;
            if simple {
                function.flags |= function_flag::SIMPLE_PARAMETERS;
            }
            if closures {
                function.flags |= function_flag::PARAMETER_CLOSURES;
            }
        }
        if self.ts {
            self.skip_return_type()?;
        }
        if self.t.tok != Tok::Arrow || self.t.newline {
            return self.unexpected();
        }
        self.next()?;
        let end;
        if self.t.tok == Tok::LBrace {
            self.body(id)?;
            end = self.t.end;
            self.end_function(id, outer, end)?;
            self.next()?;
        } else {
            self.ctx |= outer_ctx & ctx::NO_IN;
            if self.ts {
                self.ctx |= outer_ctx & ctx::NO_ARROW_TYPE;
            }
            self.check_duplicates(id)?;
            let start = self.t.start;
            self.body_scope(id, start)?;
            let body = self.assign(false)?;
            end = self.prev_end;
            let function = &mut self.tree.functions[id as usize];
            function.body = body;
            function.flags |= function_flag::EXPRESSION;
            self.end_function(id, outer, end)?;
        }
        self.await_name = await_name;
        self.leave();
        self.node(Kind::Arrow, start, id, 0)
    }

    /// Whether any scope was opened, or a direct eval called, since the log entry `place`.
    fn scopes_since(&self, place: u32) -> bool {
        use super::parse::event;
        // The log of the parameters alone; their length is bounded by the text between the parentheses,
        // and a nested arrow's parameters are looked at once more per level only up to the first scope.
        self.work.events[place as usize + 1..].iter().any(|&entry| match entry & event::MASK {
            event::ENTER => true,
            event::REFERENCE => self.at(entry).kind == Kind::Call,
            _ => false,
        })
    }

    /// The top level of a text.
    pub(crate) fn top(&mut self, goal: Goal, kind: ScopeKind, flags: u32) -> R<()> {
        let start = self.pos as u32;
        let keep = self.ctx;
        if let Goal::Parameters { .. } | Goal::Body { .. } = goal {
            // As in the function that will be made of it.
            let (id, outer) = self.begin_function(flags, start, known::ANONYMOUS, NONE)?;
            self.relex()?;
            let list = if let Goal::Parameters { .. } = goal {
                self.parameters_until(id, Tok::End)?;
                let mark = self.mark();
                self.list(mark)?
            } else {
                self.tree.functions[id as usize].flags |= function_flag::SIMPLE_PARAMETERS;
                let empty = self.mark();
                self.tree.functions[id as usize].params = self.list(empty)?;
                self.body_statements(id, Tok::End)?
            };
            self.tree.functions[id as usize].body = list;
            let end = self.src.len() as u32;
            return self.end_function(id, outer, end);
        }
        let (id, outer) = self.begin_function(flags, start, NONE, NONE)?;
        self.ctx = keep;
        if goal == Goal::Module {
            self.ctx |= ctx::AWAIT;
        }
        let scope = self.scope;
        self.tree.scopes[scope as usize].kind = kind;
        let empty = self.mark();
        self.tree.functions[id as usize].params = self.list(empty)?;
        self.relex()?;
        let mark = self.mark();
        self.directives(id, Tok::End)?;
        self.statements(Tok::End)?;
        let list = self.list(mark)?;
        self.tree.functions[id as usize].body = list;
        if goal == Goal::Module {
            self.check_exports()?;
        }
        let end = self.src.len() as u32;
        self.end_function(id, outer, end)
    }
}
