//! Declaring names: conflicts between declarations are early errors.

use super::arena::R;
use super::atoms::{Atom, known};
use super::parse::{Parse, ctx, event};
use super::tree::{Binding, BindingId, BindingKind, Kind, NONE, NodeId, Scope, ScopeId, ScopeKind, binding_flag, flag, scope_flag};

impl Parse<'_> {
    /// Opens a scope and makes it current. `at` is the log entry to turn into its beginning, or NONE.
    pub(crate) fn open_scope(&mut self, kind: ScopeKind, start: u32, at: u32) -> R<ScopeId> {
        let depth = if self.scope == NONE { 0 } else { self.tree.scopes[self.scope as usize].depth + 1 };
        let entered = if at == NONE { self.work.events.len() as u32 } else { at };
        let scope = Scope {
            kind,
            flags: 0,
            parent: self.scope,
            function: self.function,
            first: NONE,
            last: NONE,
            start,
            depth,
            hoist_mark: self.work.hoists.len() as u32,
            entered,
        };
        let id = self.tree.scopes.push(scope, &mut self.gauge)?;
        if at == NONE {
            self.event(event::ENTER, id)?;
        } else {
            self.work.events[at as usize] = event::ENTER | id;
        }
        self.scope = id;
        Ok(id)
    }

    /// Closes the current scope.
    pub(crate) fn close_scope(&mut self) -> R<()> {
        let id = self.scope;
        let scope = self.tree.scopes[id as usize];
        if scope.hoist_mark < self.work.hoists.len() as u32 {
            self.hoist_functions(id)?;
        }
        if scope.kind == ScopeKind::Block && scope.last == NONE && id as usize + 1 == self.tree.scopes.len() {
            // Nothing is declared in it or in a scope inside it: as if it had never been opened.
            self.work.events[scope.entered as usize] = event::PERHAPS;
            self.tree.scopes.pop();
            self.scope = scope.parent;
            return Ok(());
        }
        let mut next = scope.first;
        if id == self.var_scope {
            next = self.tree.scopes[id as usize].first;
        }
        while next != NONE {
            let binding = self.tree.bindings[next as usize];
            self.work.heads[binding.name as usize] = binding.shadowed;
            next = binding.next;
        }
        self.tree.scopes[id as usize].flags |= scope_flag::CLOSED;
        self.scope = scope.parent;
        self.event(event::EXIT, 0)
    }

    /// The scope id if anything is declared in it, else NONE: nothing happens at run time then.
    pub(crate) fn scope_if_used(&self, id: ScopeId) -> ScopeId {
        if self.tree.scopes.get(id as usize).is_none_or(|scope| scope.first == NONE) { NONE } else { id }
    }

    fn head(&self, name: Atom) -> BindingId {
        self.work.heads.get(name as usize).copied().unwrap_or(NONE)
    }

    /// Adds a binding without looking for conflicts.
    fn add(&mut self, name: Atom, kind: BindingKind, scope: ScopeId, start: u32, node: NodeId) -> R<BindingId> {
        let id = self.append_binding(name, kind, scope, start, node)?;
        self.work.heads.fill_to(name as usize + 1, NONE, &mut self.gauge)?;
        // Bindings of one name lie innermost first; a `var` may belong below a catch parameter.
        let depth = self.tree.scopes[scope as usize].depth;
        let mut above = NONE;
        let mut below = self.work.heads[name as usize];
        while below != NONE {
            let binding = self.tree.bindings[below as usize];
            if self.tree.scopes[binding.scope as usize].depth <= depth {
                break;
            }
            above = below;
            below = binding.shadowed;
        }
        self.tree.bindings[id as usize].shadowed = below;
        if above == NONE {
            self.work.heads[name as usize] = id;
        } else {
            self.tree.bindings[above as usize].shadowed = id;
        }
        Ok(id)
    }

    /// Appends a binding to its scope's list only.
    pub(crate) fn append_binding(&mut self, name: Atom, kind: BindingKind, scope: ScopeId, start: u32, node: NodeId) -> R<BindingId> {
        let binding = Binding {
            name,
            kind,
            flags: 0,
            accessors: 0,
            scope,
            next: NONE,
            start,
            initialised: 0,
            node,
            shadowed: NONE,
            last_var: start,
            home: 0,
        };
        let id = self.tree.bindings.push(binding, &mut self.gauge)?;
        let last = self.tree.scopes[scope as usize].last;
        if last == NONE {
            self.tree.scopes[scope as usize].first = id;
        } else {
            self.tree.bindings[last as usize].next = id;
        }
        self.tree.scopes[scope as usize].last = id;
        Ok(id)
    }

    #[cold]
    fn conflict<T>(&mut self, name: Atom, start: u32) -> R<T> {
        let message = format!("Identifier '{}' has already been declared", self.text_of(name));
        self.fail_text(start as usize, message)
    }

    /// The binding of `name` in `scope`, if that is among the innermost ones.
    pub(crate) fn find_in(&self, name: Atom, scope: ScopeId) -> BindingId {
        let depth = self.tree.scopes[scope as usize].depth;
        let mut id = self.head(name);
        while id != NONE {
            let binding = self.tree.bindings[id as usize];
            if binding.scope == scope {
                return id;
            }
            if self.tree.scopes[binding.scope as usize].depth < depth {
                break;
            }
            id = binding.shadowed;
        }
        NONE
    }

    /// Declares `let`, `const`, `class`, an import, a function in a block.
    pub(crate) fn declare_lexical(&mut self, name: Atom, kind: BindingKind, start: u32, node: NodeId) -> R<BindingId> {
        let scope = self.scope;
        let here = self.tree.scopes[scope as usize];
        let existing = self.find_in(name, scope);
        if existing != NONE {
            let same = self.tree.bindings[existing as usize];
            let plain = |parse: &Self, node: NodeId| node != NONE && parse.is_plain_function(node);
            if kind == BindingKind::BlockFunction
                && same.kind == BindingKind::BlockFunction
                && !self.strict()
                && here.kind != ScopeKind::Module
                && plain(self, node)
                && plain(self, same.node)
            {
                self.tree.bindings[existing as usize].node = node;
                return Ok(existing);
            }
            return self.conflict(name, start);
        }
        if matches!(here.kind, ScopeKind::Body) || here.parent != NONE && self.tree.scopes[here.parent as usize].kind == ScopeKind::Catch {
            let outer = self.find_in(name, here.parent);
            if outer != NONE {
                return self.conflict(name, start);
            }
        }
        if scope != self.var_scope {
            // A `var` of this name somewhere inside this block, which began before.
            let var = self.find_in(name, self.var_scope);
            if var != NONE {
                let binding = self.tree.bindings[var as usize];
                if binding.last_var >= here.start && binding.last_var != NONE {
                    return self.conflict(name, start);
                }
            }
        }
        self.add(name, kind, scope, start, node)
    }

    fn is_plain_function(&self, node: NodeId) -> bool {
        let node = self.at(node);
        node.kind == Kind::FunctionDeclaration
            && self.tree.functions[node.a as usize].flags & (super::tree::function_flag::ASYNC | super::tree::function_flag::GENERATOR) == 0
    }

    /// Declares a `var`, or a function at the top level of a function or script.
    pub(crate) fn declare_var(&mut self, name: Atom, kind: BindingKind, start: u32, node: NodeId) -> R<BindingId> {
        let target = self.var_scope;
        let depth = self.tree.scopes[target as usize].depth;
        let mut id = self.head(name);
        while id != NONE {
            let binding = self.tree.bindings[id as usize];
            let scope = self.tree.scopes[binding.scope as usize];
            if scope.depth < depth {
                break;
            }
            if binding.scope == target {
                return match binding.kind {
                    BindingKind::Var | BindingKind::Function | BindingKind::Parameter => {
                        let existing = &mut self.tree.bindings[id as usize];
                        existing.last_var = start;
                        existing.flags &= !binding_flag::ANNEX_B;
                        if kind == BindingKind::Function {
                            // The last function wins; a parameter stays one, and is overwritten.
                            existing.node = node;
                            if existing.kind == BindingKind::Var {
                                existing.kind = kind;
                            }
                        }
                        Ok(id)
                    }
                    _ => self.conflict(name, start),
                };
            }
            let catch =
                binding.kind == BindingKind::CatchParameter && scope.flags & scope_flag::SIMPLE_CATCH != 0 && kind == BindingKind::Var;
            if !catch && !matches!(binding.kind, BindingKind::ClassName | BindingKind::FunctionName) {
                return self.conflict(name, start);
            }
            id = binding.shadowed;
        }
        self.add(name, kind, target, start, node)
    }

    /// What a `var`'s name means where the `var` stands: a catch parameter around it, or its own binding.
    pub(crate) fn nearest(&self, name: Atom, var: BindingId) -> BindingId {
        let innermost = self.head(name);
        if innermost != NONE && self.tree.bindings[innermost as usize].kind == BindingKind::CatchParameter { innermost } else { var }
    }

    /// Declares a parameter; a repeated name is noted in `duplicate` and the later position wins.
    pub(crate) fn declare_parameter(&mut self, name: Atom, start: u32, node: NodeId) -> R<BindingId> {
        let existing = self.find_in(name, self.scope);
        if existing != NONE {
            if self.duplicate == NONE {
                self.duplicate = start;
            }
            self.tree.bindings[existing as usize].node = node;
            return Ok(existing);
        }
        self.add(name, BindingKind::Parameter, self.scope, start, node)
    }

    /// Declares a name in the current scope that cannot conflict with anything.
    pub(crate) fn declare_here(&mut self, name: Atom, kind: BindingKind, start: u32) -> R<BindingId> {
        self.add(name, kind, self.scope, start, NONE)
    }

    /// Declares a catch parameter.
    pub(crate) fn declare_catch(&mut self, name: Atom, start: u32) -> R<BindingId> {
        if self.find_in(name, self.scope) != NONE {
            return self.conflict(name, start);
        }
        self.add(name, BindingKind::CatchParameter, self.scope, start, NONE)
    }

    /// Declares a private name of the class whose scope is current. `accessor`: 1 getter, 2 setter, 0 neither.
    pub(crate) fn declare_private(&mut self, name: Atom, start: u32, accessor: u8, is_static: bool, method: bool) -> R<()> {
        let existing = self.find_in(name, self.scope);
        let static_flag = if is_static { binding_flag::PRIVATE_STATIC } else { 0 };
        let bits = if accessor == 0 { 4 } else { accessor };
        if existing != NONE {
            let binding = &mut self.tree.bindings[existing as usize];
            let both = binding.accessors | bits;
            if both == 3 && binding.accessors != 3 && binding.flags & binding_flag::PRIVATE_STATIC == static_flag {
                binding.accessors = both;
                return Ok(());
            }
            return self.conflict(name, start);
        }
        let id = self.add(name, BindingKind::Private, self.scope, start, NONE)?;
        let binding = &mut self.tree.bindings[id as usize];
        binding.accessors = bits;
        binding.flags = static_flag | if method { binding_flag::PRIVATE_METHOD } else { 0 };
        Ok(())
    }

    /// Annex B.3.3: functions in blocks of sloppy code that become variables of the function around
    /// them too, unless a `var` in their place would conflict. Candidates move outwards scope by scope.
    fn hoist_functions(&mut self, id: ScopeId) -> R<()> {
        let scope = self.tree.scopes[id as usize];
        let mark = scope.hoist_mark as usize;
        self.gauge.charge((self.work.hoists.len() - mark) as u64 / 8)?;
        if id == self.var_scope {
            for index in mark..self.work.hoists.len() {
                let node = self.work.hoists[index];
                self.hoist_one(node)?;
            }
            self.work.hoists.truncate(mark);
            return Ok(());
        }
        // Keep those that do not conflict with a lexical name of this scope, other than their own block.
        let mut kept = mark;
        for index in mark..self.work.hoists.len() {
            let node = self.work.hoists[index];
            let own = self.at(node).b;
            let binding = self.tree.bindings[own as usize];
            let here = self.find_in(binding.name, id);
            let fits = here == NONE
                || binding.scope == id
                || self.tree.bindings[here as usize].kind == BindingKind::CatchParameter && scope.flags & scope_flag::SIMPLE_CATCH != 0;
            if fits {
                self.work.hoists[kept] = node;
                kept += 1;
            }
        }
        self.work.hoists.truncate(kept);
        Ok(())
    }

    fn hoist_one(&mut self, node: NodeId) -> R<()> {
        let own = self.tree.bindings[self.at(node).b as usize];
        let target = self.var_scope;
        let existing = self.find_in(own.name, target);
        if existing != NONE {
            let binding = self.tree.bindings[existing as usize];
            match binding.kind {
                BindingKind::Var | BindingKind::Function => {}
                _ => return Ok(()),
            }
        } else {
            let scope = self.tree.scopes[target as usize];
            if scope.kind == ScopeKind::Body && self.find_in(own.name, scope.parent) != NONE {
                return Ok(());
            }
            if scope.kind == ScopeKind::Function && own.name == known::ARGUMENTS && self.ctx & ctx::NO_ARGUMENTS != 0 {
                return Ok(());
            }
            let id = self.add(own.name, BindingKind::Var, target, own.start, NONE)?;
            self.tree.bindings[id as usize].flags |= binding_flag::ANNEX_B;
        }
        self.at_mut(node).flags |= flag::ANNEX_B;
        Ok(())
    }
}
