//! Classes.

use super::arena::R;
use super::atoms::known;
use super::function::Outer;
use super::parse::{Parse, ctx, event};
use super::token::Tok;
use super::tree::{BindingKind, Class, ClassId, FunctionId, Kind, NONE, NodeId, PropertyKind, ScopeKind, flag, function_flag};

/// What the elements of a class have in common.
struct Body {
    id: ClassId,
    derived: bool,
    constructor: NodeId,
    instance: FunctionId,
    statics: FunctionId,
}

/// Modifiers before an element's name.
#[derive(Clone, Copy, Default)]
struct Modifiers {
    is_static: bool,
    is_abstract: bool,
    declared: bool,
}

impl Parse<'_> {
    pub(crate) fn class_expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let (id, _) = self.class(start, false)?;
        self.node(Kind::Class, start, id, 0)
    }

    pub(crate) fn class_declaration(&mut self, default_export: bool) -> R<NodeId> {
        let start = self.t.start;
        let node = self.node(Kind::ClassDeclaration, start, 0, NONE)?;
        let ahead = self.peek()?;
        let named = ahead.tok == Tok::Ident && !(self.ts && ahead.value == known::IMPLEMENTS);
        let (name, name_start) = if named { (ahead.value, ahead.start) } else { (known::DEFAULT_EXPORT, start) };
        if !named && !default_export {
            self.next()?;
            return self.unexpected();
        }
        if named {
            let saved = self.ctx;
            self.ctx |= ctx::STRICT;
            self.check_bound_name(name, name_start)?;
            self.ctx = saved;
        }
        let binding = self.declare_lexical(name, BindingKind::Class, name_start, node)?;
        self.tree.bindings[binding as usize].initialised = NONE;
        let (id, _) = self.class(start, default_export && !named)?;
        self.tree.bindings[binding as usize].initialised = self.prev_end;
        let node_ref = self.at_mut(node);
        node_ref.a = id;
        node_ref.b = binding;
        Ok(node)
    }

    /// A class from `class` to its closing brace.
    fn class(&mut self, start: u32, default_export: bool) -> R<(ClassId, u32)> {
        self.enter()?;
        self.next()?;
        let saved = self.ctx;
        self.ctx |= ctx::STRICT;
        let mut name = NONE;
        let scope = self.open_scope(ScopeKind::Class, start, NONE)?;
        let mut inner_name = NONE;
        if self.t.tok == Tok::Ident && !(self.ts && self.at_name(known::IMPLEMENTS)) {
            name = self.t.value;
            let at = self.t.start;
            let sloppy_name = self.sloppy_name;
            self.check_bound_name(name, at)?;
            self.sloppy_name = sloppy_name;
            inner_name = self.declare_here(name, BindingKind::ClassName, at)?;
            self.tree.bindings[inner_name as usize].initialised = NONE;
            self.next()?;
        } else if default_export {
            name = known::DEFAULT;
        }
        let class = Class {
            name,
            start,
            end: start,
            scope,
            private_scope: scope,
            inner_name,
            heritage: NONE,
            constructor: NONE,
            elements: 0,
            instance_fields: NONE,
            static_fields: NONE,
        };
        let id = self.tree.classes.push(class, &mut self.gauge)?;
        if self.ts {
            self.skip_type_parameters()?;
        }
        let mut heritage = NONE;
        if self.eat(Tok::Extends)? {
            self.arrow_at = NONE;
            let inner = self.ctx;
            heritage = self.left_hand_side()?;
            if self.cover.at != NONE {
                return self.cover_error();
            }
            self.ctx = inner;
            if self.ts {
                self.skip_type_arguments()?;
            }
        }
        if self.ts {
            self.skip_implements()?;
        }
        self.tree.classes[id as usize].heritage = heritage;
        if heritage != NONE {
            // Private names are not yet there in the heritage.
            let private = self.open_scope(ScopeKind::Class, start, NONE)?;
            self.tree.classes[id as usize].private_scope = private;
        }
        let mut body = Body { id, derived: heritage != NONE, constructor: NONE, instance: NONE, statics: NONE };
        self.expect(Tok::LBrace)?;
        let mark = self.mark();
        while self.t.tok != Tok::RBrace {
            if self.eat(Tok::Semicolon)? {
                continue;
            }
            let element = self.element(&mut body)?;
            if element != NONE {
                self.item(element)?;
            }
        }
        let elements = self.list(mark)?;
        let end = self.t.end;
        let class = &mut self.tree.classes[id as usize];
        class.end = end;
        class.constructor = body.constructor;
        class.elements = elements;
        class.instance_fields = body.instance;
        class.static_fields = body.statics;
        if inner_name != NONE {
            self.tree.bindings[inner_name as usize].initialised = end;
        }
        if heritage != NONE {
            self.close_scope()?;
        }
        self.close_scope()?;
        self.ctx = saved;
        self.next()?;
        self.leave();
        Ok((id, inner_name))
    }

    /// One element; NONE if nothing is to be emitted for it (the constructor, TypeScript).
    fn element(&mut self, body: &mut Body) -> R<NodeId> {
        let start = self.t.start;
        let mut modifiers = Modifiers::default();
        if self.ts {
            self.ts_modifiers(&mut modifiers.is_abstract, &mut modifiers.declared)?;
            if self.t.tok == Tok::LBracket && self.skip_index_signature()? {
                return Ok(NONE);
            }
        }
        let mut first = self.t;
        // Where a method's own text begins: behind `static`.
        let mut own_start = start;
        let (mut key, mut flags);
        let mut known_key = None;
        if self.at_name(known::STATIC) {
            let (a, b) = self.property_key()?;
            if self.t.tok == Tok::LBrace {
                return self.static_block(start, body);
            }
            if self.element_name_over() {
                known_key = Some((a, b));
            } else {
                modifiers.is_static = true;
                if self.ts {
                    self.ts_modifiers(&mut modifiers.is_abstract, &mut modifiers.declared)?;
                }
                first = self.t;
                own_start = first.start;
            }
        }
        if known_key.is_none() && self.at_name(known::ACCESSOR) {
            let ahead = self.peek()?;
            if !ahead.newline
                && (ahead.tok.is_word() || matches!(ahead.tok, Tok::Ident | Tok::String | Tok::Number | Tok::LBracket | Tok::PrivateName))
            {
                return self.fail(start, "Auto-accessors are not supported");
            }
        }
        let mut function = 0;
        let mut kind = PropertyKind::Method;
        let mut special = false;
        match known_key {
            Some(pair) => (key, flags) = pair,
            None => {
                if self.eat(Tok::Star)? {
                    function = function_flag::GENERATOR;
                    special = true;
                    first = self.t;
                }
                (key, flags) = self.element_key()?;
                if first.tok == Tok::Ident && !first.escaped && !special {
                    match first.value {
                        known::GET | known::SET if !self.element_name_over() && self.t.tok != Tok::Star => {
                            let get = first.value == known::GET;
                            kind = if get { PropertyKind::Get } else { PropertyKind::Set };
                            function = if get { function_flag::GETTER } else { function_flag::SETTER };
                            special = true;
                            first = self.t;
                            (key, flags) = self.element_key()?;
                        }
                        known::ASYNC if !self.element_name_over() && !self.t.newline => {
                            function = function_flag::ASYNC;
                            special = true;
                            if self.eat(Tok::Star)? {
                                function |= function_flag::GENERATOR;
                            }
                            first = self.t;
                            (key, flags) = self.element_key()?;
                        }
                        _ => {}
                    }
                }
            }
        }
        let node = self.at(key);
        let private = node.kind == Kind::PrivateName;
        let text = if flags & flag::COMPUTED == 0 && node.kind == Kind::String { node.a } else { NONE };
        if private && node.a == known::PRIVATE_CONSTRUCTOR {
            return self.fail(node.start, "Classes may not have a private field named '#constructor'");
        }
        if modifiers.is_static {
            flags |= flag::STATIC;
        }
        if self.ts && (self.t.tok == Tok::Question || self.t.tok == Tok::Not && !self.t.newline) {
            self.next()?;
        }
        if self.t.tok == Tok::LParen || self.ts && self.t.tok == Tok::Lt {
            return self.class_method(own_start, body, modifiers, function, kind, special, key, flags, text, private);
        }
        if special {
            return self.unexpected();
        }
        if text == known::CONSTRUCTOR || modifiers.is_static && text == known::PROTOTYPE {
            let message = if text == known::CONSTRUCTOR {
                "Classes may not have a field named 'constructor'"
            } else {
                "Classes may not have a static property named 'prototype'"
            };
            return self.fail(first.start, message);
        }
        if private {
            self.declare_private(node.a, node.start, 0, modifiers.is_static, false)?;
        }
        self.field(start, body, modifiers, key, flags)
    }

    /// Whether the name just read is the whole name of an element.
    fn element_name_over(&self) -> bool {
        self.after_property_name()
            || self.t.newline && !matches!(self.t.tok, Tok::Star) && self.newline_ends_name()
            || self.ts && matches!(self.t.tok, Tok::Question | Tok::Not | Tok::Lt)
    }

    /// A line end after `get`, `set` or `static` does not end the element if a name follows.
    fn newline_ends_name(&self) -> bool {
        !(self.t.tok.is_word()
            || matches!(
                self.t.tok,
                Tok::Ident | Tok::EscapedWord | Tok::String | Tok::Number | Tok::BigInt | Tok::LBracket | Tok::PrivateName | Tok::LBrace
            ))
    }

    fn element_key(&mut self) -> R<(NodeId, u8)> {
        if self.t.tok == Tok::PrivateName {
            let node = self.node(Kind::PrivateName, self.t.start, self.t.value, NONE)?;
            self.refer(node)?;
            self.next()?;
            return Ok((node, 0));
        }
        self.property_key()
    }

    #[allow(clippy::too_many_arguments)]
    fn class_method(
        &mut self,
        start: u32,
        body: &mut Body,
        modifiers: Modifiers,
        function: u32,
        kind: PropertyKind,
        special: bool,
        key: NodeId,
        flags: u8,
        text: u32,
        private: bool,
    ) -> R<NodeId> {
        let node = self.at(key);
        let mut function = function | function_flag::METHOD;
        if modifiers.is_static {
            function |= function_flag::STATIC;
            if text == known::PROTOTYPE {
                return self.fail(node.start, "Classes may not have a static property named 'prototype'");
            }
        }
        let constructor = !modifiers.is_static && text == known::CONSTRUCTOR;
        if constructor {
            if special {
                let message = if kind != PropertyKind::Method {
                    "Class constructor may not be an accessor"
                } else if function & function_flag::GENERATOR != 0 {
                    "Class constructor may not be a generator"
                } else {
                    "Class constructor may not be an async method"
                };
                return self.fail(node.start, message);
            }
            function |= function_flag::CONSTRUCTOR;
            if body.derived {
                function |= function_flag::DERIVED;
            }
        }
        let value = self.method_or_overload(start, function, key, flags & flag::COMPUTED)?;
        if value == NONE {
            return Ok(NONE);
        }
        if private {
            let accessor = match kind {
                PropertyKind::Get => 1,
                PropertyKind::Set => 2,
                _ => 0,
            };
            self.declare_private(node.a, node.start, accessor, modifiers.is_static, true)?;
        }
        if private && !modifiers.is_static {
            // Added to every instance by the function that runs the fields.
            let (id, outer) = self.enter_fields(body, false, start)?;
            self.end_function(id, outer, start)?;
        }
        if constructor {
            if body.constructor != NONE {
                return self.fail(node.start, "A class may only have one constructor");
            }
            body.constructor = value;
            let id = self.at(value).a;
            self.tree.functions[id as usize].class = body.id;
            return Ok(NONE);
        }
        self.node_with(Kind::ClassMethod, start, flags, kind as u16, key, value)
    }

    /// Enters the function that runs the instance fields, or the static elements, of a class.
    fn enter_fields(&mut self, body: &mut Body, is_static: bool, start: u32) -> R<(FunctionId, Outer)> {
        let existing = if is_static { body.statics } else { body.instance };
        let mut flags = function_flag::METHOD | function_flag::FIELDS | function_flag::SIMPLE_PARAMETERS | function_flag::STRICT;
        if is_static {
            flags |= function_flag::STATIC;
        }
        let name = if is_static { known::STATIC_FIELDS_NAME } else { known::FIELDS_NAME };
        if existing == NONE {
            let (id, outer) = self.begin_function(flags, start, name, NONE)?;
            let mark = self.mark();
            let empty = self.list(mark)?;
            let function = &mut self.tree.functions[id as usize];
            function.class = body.id;
            function.params = empty;
            function.body = empty;
            if is_static {
                body.statics = id;
            } else {
                body.instance = id;
            }
            self.ctx &= !ctx::RETURN;
            self.ctx |= ctx::NO_ARGUMENTS;
            return Ok((id, outer));
        }
        // Entered again: the same scope continues.
        let (id, outer) = self.begin_function(flags, start, name, NONE)?;
        let scope = self.scope;
        self.tree.functions.pop();
        self.tree.scopes.pop();
        let real = self.tree.functions[existing as usize].scope;
        if let Some(last) = self.work.events.last_mut() {
            *last = event::ENTER | real;
        }
        debug_assert!(scope == self.tree.scopes.len() as u32 && id == self.tree.functions.len() as u32);
        self.scope = real;
        self.var_scope = real;
        self.function = existing;
        self.ctx &= !ctx::RETURN;
        self.ctx |= ctx::NO_ARGUMENTS;
        Ok((existing, outer))
    }

    fn field(&mut self, start: u32, body: &mut Body, modifiers: Modifiers, key: NodeId, flags: u8) -> R<NodeId> {
        if self.ts {
            self.skip_annotation(false)?;
        }
        let mut value = NONE;
        if self.t.tok == Tok::Assign {
            let (id, outer) = self.enter_fields(body, modifiers.is_static, start)?;
            self.next()?;
            value = self.assign_in(false)?;
            let end = self.prev_end;
            self.end_function(id, outer, end)?;
        } else if !(modifiers.declared || modifiers.is_abstract) {
            let (id, outer) = self.enter_fields(body, modifiers.is_static, start)?;
            self.end_function(id, outer, start)?;
        }
        self.semicolon()?;
        if modifiers.declared || modifiers.is_abstract {
            return Ok(NONE);
        }
        self.node_with(Kind::ClassField, start, flags, 0, key, value)
    }

    fn static_block(&mut self, start: u32, body: &mut Body) -> R<NodeId> {
        let (id, outer) = self.enter_fields(body, true, start)?;
        self.ctx |= ctx::STATIC_BLOCK;
        let scope = self.open_scope(ScopeKind::StaticBlock, start, NONE)?;
        self.var_scope = scope;
        self.next()?;
        let mark = self.mark();
        self.statements(Tok::RBrace)?;
        let list = self.list(mark)?;
        self.close_scope()?;
        self.var_scope = self.scope;
        let end = self.t.end;
        self.end_function(id, outer, end)?;
        self.next()?;
        self.node_with(Kind::StaticBlock, start, flag::STATIC, 0, list, scope)
    }
}
