//! Imports and exports.

use super::arena::R;
use super::atoms::{Atom, known};
use super::lexer::Token;
use super::parse::Parse;
use super::token::Tok;
use super::tree::{BindingKind, ExportEntry, ImportEntry, Kind, NONE, NodeId, Request, binding_flag, function_flag};

impl Parse<'_> {
    fn at_module_top(&mut self) -> R<()> {
        if !self.module {
            let message =
                if self.t.tok == Tok::Import { "Cannot use import statement outside a module" } else { "Unexpected token 'export'" };
            return self.fail(self.t.start, message);
        }
        if self.scope != 0 {
            return self.unexpected();
        }
        Ok(())
    }

    /// `import ...;`
    pub(crate) fn import_declaration(&mut self) -> R<NodeId> {
        self.at_module_top()?;
        let start = self.t.start;
        self.next()?;
        let node = self.node(Kind::Import, start, 0, 0)?;
        if self.t.tok == Tok::String {
            self.request()?;
            self.semicolon()?;
            return Ok(node);
        }
        let mut type_only = false;
        if self.ts && self.at_name(known::TYPE) {
            let ahead = self.peek()?;
            let names = match ahead.tok {
                Tok::LBrace | Tok::Star => true,
                Tok::Ident => ahead.value != known::FROM || ahead.escaped || self.type_from_from()?,
                _ => false,
            };
            if names {
                type_only = true;
                self.next()?;
            }
        }
        let first = self.tree.imports.len();
        let mut more = true;
        if self.t.tok == Tok::Ident {
            let at = self.t;
            self.next()?;
            if self.ts && self.t.tok == Tok::Assign {
                return self.fail(start, "TypeScript 'import =' is not supported; use an ES import");
            }
            if !type_only {
                self.import_binding(known::DEFAULT, at)?;
            }
            more = self.eat(Tok::Comma)?;
        }
        if more {
            match self.t.tok {
                Tok::Star => {
                    self.next()?;
                    self.expect_name(known::AS)?;
                    let at = self.t;
                    if at.tok != Tok::Ident {
                        return self.unexpected();
                    }
                    self.next()?;
                    if !type_only {
                        self.import_binding(NONE, at)?;
                    }
                }
                Tok::LBrace => {
                    self.next()?;
                    self.import_list(type_only)?;
                }
                _ => return self.unexpected(),
            }
        }
        self.expect_name(known::FROM)?;
        if self.t.tok != Tok::String {
            return self.unexpected();
        }
        if type_only {
            self.next()?;
            self.attributes()?;
        } else {
            let request = self.request()?;
            for entry in &mut self.tree.imports[first..] {
                entry.request = request;
            }
        }
        self.semicolon()?;
        Ok(node)
    }

    fn import_list(&mut self, type_only: bool) -> R<()> {
        while self.t.tok != Tok::RBrace {
            let mut erased = type_only;
            if self.ts && self.at_name(known::TYPE) {
                let ahead = self.peek()?;
                if ahead.tok.is_word() || ahead.tok == Tok::String || ahead.tok == Tok::Ident && ahead.value != known::AS {
                    erased = true;
                    self.next()?;
                }
            }
            let token = self.t;
            let name = self.module_name()?;
            let mut local = token;
            if self.eat_name(known::AS)? {
                local = self.t;
                if local.tok != Tok::Ident {
                    return self.unexpected();
                }
                self.next()?;
            } else if token.tok != Tok::Ident {
                self.t = token;
                return self.unexpected();
            }
            if !erased {
                self.import_binding(name, local)?;
            }
            if self.t.tok != Tok::RBrace {
                self.expect(Tok::Comma)?;
            }
        }
        self.next()
    }

    fn import_binding(&mut self, name: Atom, token: Token) -> R<()> {
        self.check_bound_name(token.value, token.start)?;
        let binding = self.declare_lexical(token.value, BindingKind::Import, token.start, NONE)?;
        self.tree.imports.push(ImportEntry { request: NONE, name, binding, start: token.start }, &mut self.gauge)?;
        Ok(())
    }

    /// A name in an import or export list: any word, or a well-formed string.
    fn module_name(&mut self) -> R<Atom> {
        let token = self.t;
        let word = token.tok.is_word() || token.tok == Tok::Ident || token.tok == Tok::EscapedWord;
        if token.tok == Tok::String {
            if std::str::from_utf8(self.tree.atoms.text(token.value)).is_err() {
                return self.fail(token.start, "Invalid module export name: contains unpaired surrogate character");
            }
        } else if !word {
            return self.unexpected();
        }
        self.next()?;
        Ok(token.value)
    }

    /// The specifier of another module, with its attributes.
    fn request(&mut self) -> R<u32> {
        let (specifier, start) = (self.t.value, self.t.start);
        self.next()?;
        let attributes = self.attributes()?;
        let wanted = self.tree.list(attributes).to_vec();
        // Few modules are asked for; charged all the same.
        self.gauge.charge(self.tree.requests.len() as u64 / 8)?;
        for (index, request) in self.tree.requests.iter().enumerate() {
            if request.specifier == specifier && self.tree.list(request.attributes) == wanted {
                return Ok(index as u32);
            }
        }
        self.tree.requests.push(Request { specifier, attributes, start }, &mut self.gauge)
    }

    /// `with { key: "value" }`: a list of key and value atoms.
    fn attributes(&mut self) -> R<u32> {
        let mark = self.mark();
        if self.t.tok == Tok::With {
            self.next()?;
            self.expect(Tok::LBrace)?;
            while self.t.tok != Tok::RBrace {
                let key = self.t;
                if !(key.tok.is_word() || matches!(key.tok, Tok::Ident | Tok::EscapedWord | Tok::String)) {
                    return self.unexpected();
                }
                self.gauge.charge((self.work.scratch.len() - mark) as u64 / 16)?;
                if self.work.scratch[mark..].iter().step_by(2).any(|&k| k == key.value) {
                    let message = format!("Import attributes has a duplicate key '{}'", self.text_of(key.value));
                    return self.fail_text(key.start as usize, message);
                }
                self.next()?;
                self.expect(Tok::Colon)?;
                if self.t.tok != Tok::String {
                    return self.unexpected();
                }
                self.item(key.value)?;
                self.item(self.t.value)?;
                self.next()?;
                if self.t.tok != Tok::RBrace {
                    self.expect(Tok::Comma)?;
                }
            }
            self.next()?;
        }
        self.list(mark)
    }

    fn export_name(&mut self, name: Atom, start: u32) -> R<()> {
        while self.work.exported.len() <= name as usize {
            self.work.exported.push(false, &mut self.gauge)?;
        }
        if std::mem::replace(&mut self.work.exported[name as usize], true) {
            let message = format!("Duplicate export of '{}'", self.text_of(name));
            return self.fail_text(start as usize, message);
        }
        Ok(())
    }

    fn export(&mut self, name: Atom, request: u32, local: Atom, start: u32) -> R<()> {
        if name != NONE {
            self.export_name(name, start)?;
        }
        let entry = ExportEntry { name, request, local, binding: NONE, start };
        self.tree.exports.push(entry, &mut self.gauge)?;
        Ok(())
    }

    /// `export ...`
    pub(crate) fn export_declaration(&mut self) -> R<NodeId> {
        self.at_module_top()?;
        let start = self.t.start;
        self.next()?;
        match self.t.tok {
            Tok::Star => {
                self.next()?;
                let mut name = NONE;
                if self.eat_name(known::AS)? {
                    name = self.module_name()?;
                }
                self.expect_name(known::FROM)?;
                if self.t.tok != Tok::String {
                    return self.unexpected();
                }
                let request = self.request()?;
                self.export(name, request, NONE, start)?;
                self.semicolon()?;
                self.node(Kind::Export, start, NONE, 0)
            }
            Tok::LBrace => self.export_list(start, false),
            Tok::Default => self.export_default(start),
            Tok::Var | Tok::Const | Tok::Function | Tok::Class => self.export_of(start),
            Tok::Ident if !self.t.escaped => {
                if self.t.value == known::LET || self.t.value == known::ASYNC && self.async_function_ahead()? {
                    return self.export_of(start);
                }
                if self.ts {
                    if self.t.value == known::TYPE {
                        match self.peek()?.tok {
                            Tok::LBrace => {
                                self.next()?;
                                return self.export_list(start, true);
                            }
                            Tok::Star => {
                                self.next()?;
                                self.next()?;
                                if self.eat_name(known::AS)? {
                                    self.module_name()?;
                                }
                                self.expect_name(known::FROM)?;
                                self.expect(Tok::String)?;
                                self.semicolon()?;
                                return self.node(Kind::Empty, start, 0, 0);
                            }
                            _ => {}
                        }
                    }
                    if self.t.value == known::ABSTRACT {
                        return self.export_of(start);
                    }
                    if let Some(node) = self.ts_declaration()? {
                        return Ok(node);
                    }
                }
                self.unexpected()
            }
            Tok::Enum if self.ts => self.fail(start, super::typescript::ENUM),
            Tok::Assign if self.ts => self.fail(start, "TypeScript 'export =' is not supported; use an ES export"),
            _ => self.unexpected(),
        }
    }

    /// `export` of a declaration: every name it declares.
    fn export_of(&mut self, start: u32) -> R<NodeId> {
        let before = self.tree.scopes[0].last;
        let vars = matches!(self.t.tok, Tok::Var);
        let declaration = self.statement_item()?;
        if vars {
            // A `var` may have been declared before, so its names are read off the patterns.
            self.export_targets(declaration)?;
        } else {
            let mut next = if before == NONE { self.tree.scopes[0].first } else { self.tree.bindings[before as usize].next };
            while next != NONE {
                let binding = self.tree.bindings[next as usize];
                self.export(binding.name, NONE, binding.name, binding.start)?;
                next = binding.next;
            }
        }
        self.node(Kind::Export, start, declaration, 0)
    }

    fn export_targets(&mut self, id: NodeId) -> R<()> {
        self.enter()?;
        let node = self.at(id);
        match node.kind {
            Kind::BindingIdentifier => self.export(node.a, NONE, node.a, node.start)?,
            Kind::Variables | Kind::ArrayPattern | Kind::ObjectPattern => {
                let count = self.tree.list(node.a).len();
                for index in 0..count {
                    let item = self.tree.list(node.a)[index];
                    self.export_targets(item)?;
                }
            }
            Kind::Declarator | Kind::Default | Kind::Rest => self.export_targets(node.a)?,
            Kind::Property => self.export_targets(node.b)?,
            _ => {}
        }
        self.leave();
        Ok(())
    }

    fn export_list(&mut self, start: u32, type_only: bool) -> R<NodeId> {
        self.next()?;
        let first = self.tree.exports.len();
        let mut bad = None;
        while self.t.tok != Tok::RBrace {
            let mut erased = type_only;
            if self.ts && self.at_name(known::TYPE) {
                let ahead = self.peek()?;
                if ahead.tok.is_word() || ahead.tok == Tok::String || ahead.tok == Tok::Ident && ahead.value != known::AS {
                    erased = true;
                    self.next()?;
                }
            }
            let token = self.t;
            let local = self.module_name()?;
            if bad.is_none() && (token.tok != Tok::Ident || (known::LET..known::AWAIT).contains(&token.value)) {
                bad = Some(token);
            }
            let mut name = local;
            if self.eat_name(known::AS)? {
                name = self.module_name()?;
            }
            if !erased {
                self.export(name, NONE, local, token.start)?;
            }
            if self.t.tok != Tok::RBrace {
                self.expect(Tok::Comma)?;
            }
        }
        self.next()?;
        if self.eat_name(known::FROM)? {
            if self.t.tok != Tok::String {
                return self.unexpected();
            }
            if self.tree.exports.len() == first && type_only {
                self.next()?;
                self.attributes()?;
            } else {
                let request = self.request()?;
                for entry in &mut self.tree.exports[first..] {
                    entry.request = request;
                }
            }
        } else if let Some(token) = bad {
            self.t = token;
            return self.unexpected();
        }
        self.semicolon()?;
        self.node(Kind::Export, start, NONE, 0)
    }

    fn export_default(&mut self, start: u32) -> R<NodeId> {
        let at = self.t.start;
        self.next()?;
        if self.ts
            && self.at_name(known::INTERFACE)
            && let Some(node) = self.ts_declaration()?
        {
            return Ok(node);
        }
        if self.ts && self.at_name(known::ABSTRACT) && self.peek()?.tok == Tok::Class {
            self.next()?;
        }
        self.export_name(known::DEFAULT, at)?;
        let inner = self.t.start;
        let tok = self.t.tok;
        let (node, local) = match tok {
            Tok::Function => {
                let node = self.function_declaration(inner, 0, true)?;
                (node, self.bound_name(node))
            }
            Tok::Class => {
                let node = self.class_declaration(true)?;
                (node, self.bound_name(node))
            }
            Tok::Ident if !self.t.escaped && self.t.value == known::ASYNC && self.async_function_ahead()? => {
                self.next()?;
                let node = self.function_declaration(inner, function_flag::ASYNC, true)?;
                (node, self.bound_name(node))
            }
            _ => {
                let node = self.assign_in(false)?;
                self.semicolon()?;
                let binding = self.declare_lexical(known::DEFAULT_EXPORT, BindingKind::Const, inner, NONE)?;
                self.tree.bindings[binding as usize].initialised = self.prev_end;
                let entry = ExportEntry { name: known::DEFAULT, request: NONE, local: known::DEFAULT_EXPORT, binding: NONE, start: at };
                self.tree.exports.push(entry, &mut self.gauge)?;
                return self.node(Kind::ExportDefault, start, node, binding);
            }
        };
        if local == NONE {
            return Ok(node);
        }
        let name = self.tree.bindings[local as usize].name;
        let entry = ExportEntry { name: known::DEFAULT, request: NONE, local: name, binding: NONE, start: at };
        self.tree.exports.push(entry, &mut self.gauge)?;
        self.node(Kind::ExportDefault, start, node, local)
    }

    fn bound_name(&self, node: NodeId) -> u32 {
        let node = self.at(node);
        if matches!(node.kind, Kind::FunctionDeclaration | Kind::ClassDeclaration) { node.b } else { NONE }
    }

    /// At the end of a module: every local export must be declared.
    pub(crate) fn check_exports(&mut self) -> R<()> {
        for index in 0..self.tree.exports.len() {
            let entry = self.tree.exports[index];
            if entry.request != NONE {
                continue;
            }
            let binding = self.find_in(entry.local, 0);
            if binding == NONE {
                let message = format!("Export '{}' is not defined in module", self.text_of(entry.local));
                return self.fail_text(entry.start as usize, message);
            }
            self.tree.bindings[binding as usize].flags |= binding_flag::EXPORTED;
            self.tree.exports[index].binding = binding;
        }
        Ok(())
    }
}
