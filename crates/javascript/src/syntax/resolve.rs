//! Resolving names, after the whole text is known.
//!
//! The log of the parse is walked once, with the innermost binding of every name at hand: each mention
//! finds its binding in constant time, whatever arrow functions turned out to lie around it.

use super::Options;
use super::arena::R;
use super::atoms::{Atom, known};
use super::parse::{Parse, event};
use super::tree::{
    BindingId, BindingKind, FunctionId, Kind, NONE, NodeId, ScopeId, ScopeKind, binding_flag, flag, function_flag, scope_flag,
};

/// The parts of a function that arrow functions inside it share.
#[derive(Clone, Copy)]
enum Own {
    This,
    NewTarget,
    HomeObject,
    Callee,
    Arguments,
}

impl Parse<'_> {
    /// Resolves every name of the log. Private names that no class declares are early errors.
    pub(crate) fn resolve(&mut self, options: &Options) -> R<()> {
        if self.work.events.len() == 2 {
            // Nothing but the top scope: no names at all.
            self.tree.scopes[0].function = 0;
            return Ok(());
        }
        if self.has_eval {
            self.mark_evals()?;
        }
        self.work.open_scopes.truncate(0);
        self.work.open_functions.truncate(0);
        self.gauge.charge(self.work.events.len() as u64 / 4)?;
        // Position in the stack of open scopes of the innermost `with` or eval-extensible function.
        let mut dynamic: Vec<u32> = Vec::new();
        for index in 0..self.work.events.len() {
            let entry = self.work.events[index];
            let value = entry & !event::MASK;
            match entry & event::MASK {
                event::REFERENCE => {
                    let node = self.at(value);
                    if node.kind != Kind::Identifier || node.a == known::ARGUMENTS || !dynamic.is_empty() {
                        self.resolve_one(value, dynamic.last().copied(), options)?;
                        continue;
                    }
                    // By far the most common: a plain name that only its text says the meaning of.
                    let binding = self.work.heads.get(node.a as usize).copied().unwrap_or(NONE);
                    if binding != NONE {
                        self.at_mut(value).b = binding;
                        self.use_binding(binding, value, node.start, node.flags & flag::WRITE != 0);
                    }
                }
                event::ENTER => {
                    let position = self.work.open_scopes.push(value, &mut self.gauge)?;
                    let scope = self.tree.scopes[value as usize];
                    if matches!(scope.kind, ScopeKind::Function | ScopeKind::Script | ScopeKind::Module | ScopeKind::Eval) {
                        let parent = self.work.open_functions.last().copied().unwrap_or(NONE);
                        let function = self.function_of(value);
                        self.tree.functions[function as usize].parent = parent;
                        self.work.open_functions.push(function, &mut self.gauge)?;
                    }
                    let function = self.work.open_functions.last().copied().unwrap_or(0);
                    // The scopes of an arrow function's parameters were opened before the function was known.
                    if position > 0 {
                        self.tree.scopes[value as usize].parent = self.work.open_scopes[position as usize - 1];
                    }
                    // The name of a function expression lives in the frame of that function.
                    if scope.kind != ScopeKind::FunctionName {
                        self.tree.scopes[value as usize].function = function;
                    }
                    if scope.kind == ScopeKind::With || scope.flags & scope_flag::EVAL_DECLARES != 0 {
                        dynamic.push(position);
                    }
                    let home = self.tree.scopes[value as usize].function;
                    self.show_bindings(scope.first, home);
                }
                event::EXIT => {
                    let Some(id) = self.work.open_scopes.pop() else { continue };
                    let position = self.work.open_scopes.len() as u32;
                    if dynamic.last() == Some(&position) {
                        dynamic.pop();
                    }
                    self.hide_bindings(id);
                    if matches!(
                        self.tree.scopes[id as usize].kind,
                        ScopeKind::Function | ScopeKind::Script | ScopeKind::Module | ScopeKind::Eval
                    ) {
                        self.work.open_functions.pop();
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The function whose parameters lie in a scope.
    fn function_of(&self, scope: ScopeId) -> FunctionId {
        // Functions and their scopes are made together, so the scope still knows its function.
        self.tree.scopes[scope as usize].function
    }

    fn show_bindings(&mut self, first: BindingId, home: FunctionId) {
        let mut id = first;
        while id != NONE {
            let binding = &mut self.tree.bindings[id as usize];
            binding.home = home;
            if let Some(head) = self.work.heads.get_mut(binding.name as usize) {
                binding.shadowed = std::mem::replace(head, id);
            }
            id = binding.next;
        }
    }

    fn hide_bindings(&mut self, scope: ScopeId) {
        let here = self.tree.scopes[scope as usize];
        let all = here.flags & scope_flag::HAS_EVAL != 0;
        let mut captured = false;
        let mut id = here.first;
        while id != NONE {
            let binding = &mut self.tree.bindings[id as usize];
            if all {
                binding.flags |= binding_flag::CAPTURED | binding_flag::USED | binding_flag::ASSIGNED | binding_flag::NEEDS_TDZ;
            }
            captured |= binding.flags & binding_flag::CAPTURED != 0;
            let implicit = matches!(
                binding.kind,
                BindingKind::This | BindingKind::NewTarget | BindingKind::HomeObject | BindingKind::Callee | BindingKind::Arguments
            );
            if !implicit && let Some(head) = self.work.heads.get_mut(binding.name as usize) {
                *head = binding.shadowed;
            }
            id = binding.next;
        }
        if captured {
            self.tree.scopes[scope as usize].flags |= scope_flag::CAPTURED;
        }
    }

    /// Marks every scope that a direct eval can see into, before names are resolved.
    fn mark_evals(&mut self) -> R<()> {
        self.work.open_scopes.truncate(0);
        for index in 0..self.work.events.len() {
            let entry = self.work.events[index];
            let value = entry & !event::MASK;
            match entry & event::MASK {
                event::ENTER => {
                    self.work.open_scopes.push(value, &mut self.gauge)?;
                }
                event::EXIT => {
                    self.work.open_scopes.pop();
                }
                event::REFERENCE => {
                    let node = self.at(value);
                    if node.kind != Kind::Call || node.flags & flag::DIRECT_EVAL == 0 {
                        continue;
                    }
                    let strict = node.small != 0;
                    let mut declared = strict;
                    for position in (0..self.work.open_scopes.len()).rev() {
                        let id = self.work.open_scopes[position] as usize;
                        let scope = &mut self.tree.scopes[id];
                        let seen = scope.flags & scope_flag::HAS_EVAL != 0;
                        scope.flags |= scope_flag::HAS_EVAL;
                        let own = matches!(scope.kind, ScopeKind::Function | ScopeKind::Body | ScopeKind::Eval | ScopeKind::StaticBlock);
                        let done = declared;
                        if own && !declared {
                            scope.flags |= scope_flag::EVAL_DECLARES;
                            declared = true;
                        }
                        if scope.kind == ScopeKind::Function {
                            let function = scope.function;
                            self.tree.functions[function as usize].flags |= function_flag::HAS_EVAL;
                        }
                        if seen && done {
                            break;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn resolve_one(&mut self, id: NodeId, dynamic: Option<u32>, options: &Options) -> R<()> {
        let node = self.at(id);
        match node.kind {
            Kind::Identifier => self.resolve_name(id, dynamic),
            Kind::PrivateName => {
                let binding = self.work.heads.get(node.a as usize).copied().unwrap_or(NONE);
                if binding == NONE {
                    if options.outer_private_names {
                        return Ok(());
                    }
                    let message = format!("Private field '{}' must be declared in an enclosing class", self.text_of(node.a));
                    return self.fail_text(node.start as usize, message);
                }
                self.at_mut(id).b = binding;
                self.use_binding(binding, id, node.start, false);
                Ok(())
            }
            Kind::This => self.resolve_own(id, Own::This),
            Kind::NewTarget => self.resolve_own(id, Own::NewTarget),
            Kind::Super => {
                if node.flags & flag::DIRECT_EVAL != 0 {
                    // A call of `super` needs the function itself, its `new.target`, and binds `this`.
                    self.resolve_own(id, Own::This)?;
                    self.resolve_own(id, Own::NewTarget)?;
                    return self.resolve_own(id, Own::Callee);
                }
                self.resolve_own(id, Own::This)?;
                self.resolve_own(id, Own::HomeObject)
            }
            Kind::Call => {
                for own in [Own::This, Own::NewTarget, Own::HomeObject, Own::Callee, Own::Arguments] {
                    self.share_with_eval(own)?;
                }
                Ok(())
            }
            // An identifier that became a binding, a keyword, or the target of a pattern.
            _ => Ok(()),
        }
    }

    fn resolve_name(&mut self, id: NodeId, dynamic: Option<u32>) -> R<()> {
        let node = self.at(id);
        let binding = self.work.heads.get(node.a as usize).copied().unwrap_or(NONE);
        if node.a == known::ARGUMENTS && self.arguments_is_implicit(binding) {
            return self.resolve_own(id, Own::Arguments);
        }
        if binding == NONE {
            if dynamic.is_some() {
                self.at_mut(id).flags |= flag::DYNAMIC;
            }
            return Ok(());
        }
        if let Some(position) = dynamic {
            // The innermost dynamic scope lies inside the binding's own.
            let own = self.tree.bindings[binding as usize].scope;
            if self.position_of(own) < position {
                self.at_mut(id).flags |= flag::DYNAMIC;
            }
        }
        self.at_mut(id).b = binding;
        self.use_binding(binding, id, node.start, node.flags & flag::WRITE != 0);
        Ok(())
    }

    /// Where an open scope lies in the stack of open scopes. Only asked where a `with` or eval is around.
    fn position_of(&self, scope: ScopeId) -> u32 {
        self.work.open_scopes.iter().rposition(|&open| open == scope).map_or(0, |position| position as u32)
    }

    /// Whether the name `arguments` means the implicit object of a function here, given its innermost binding.
    fn arguments_is_implicit(&self, binding: BindingId) -> bool {
        let Some(owner) = self.owner() else { return false };
        if self.tree.functions[owner as usize].flags & (function_flag::TOP | function_flag::FIELDS) != 0 {
            return false;
        }
        if binding == NONE {
            return true;
        }
        // Declared inside the owner (or an arrow function in it)?
        let scope = self.tree.bindings[binding as usize].scope;
        let mut function = self.tree.scopes[scope as usize].function;
        let kind = self.tree.scopes[scope as usize].kind;
        if kind == ScopeKind::FunctionName {
            return true;
        }
        if matches!(self.tree.bindings[binding as usize].kind, BindingKind::Var) && function == owner {
            // `var arguments` without a function or parameter of that name starts as the object.
            return true;
        }
        while function != NONE {
            if function == owner {
                return false;
            }
            if self.tree.functions[function as usize].flags & function_flag::ARROW == 0 {
                return true;
            }
            function = self.tree.functions[function as usize].parent;
        }
        true
    }

    /// The innermost function that has a `this` of its own.
    fn owner(&self) -> Option<FunctionId> {
        self.work.open_functions.iter().rev().copied().find(|&id| self.tree.functions[id as usize].flags & function_flag::ARROW == 0)
    }

    fn current(&self) -> FunctionId {
        self.work.open_functions.last().copied().unwrap_or(0)
    }

    /// Marks a binding as used by the node `id` at `start`: captured if by another function, checked if perhaps too early.
    #[inline]
    fn use_binding(&mut self, binding: BindingId, id: NodeId, start: u32, write: bool) {
        let current = self.current();
        let info = &mut self.tree.bindings[binding as usize];
        info.flags |= if write { binding_flag::USED | binding_flag::ASSIGNED } else { binding_flag::USED };
        let (home, kind, scope, initialised) = (info.home, info.kind, info.scope, info.initialised);
        let mut hoisted = false;
        if home != current {
            info.flags |= binding_flag::CAPTURED;
            self.tree.functions[home as usize].flags |= function_flag::HAS_CAPTURED;
            let mut function = current;
            while function != home && function != NONE {
                let inner = &self.tree.functions[function as usize];
                hoisted |= inner.flags & function_flag::DECLARATION != 0;
                function = inner.parent;
            }
        }
        let timed = matches!(
            kind,
            BindingKind::Let
                | BindingKind::Const
                | BindingKind::Class
                | BindingKind::ClassName
                | BindingKind::Parameter
                | BindingKind::CatchParameter
        );
        // Never initialised is the largest offset there is.
        if timed
            && (start < initialised
                || hoisted && initialised > 0 && kind != BindingKind::Parameter
                || self.tree.scopes[scope as usize].kind == ScopeKind::Switch)
        {
            self.at_mut(id).flags |= flag::TDZ;
            self.tree.bindings[binding as usize].flags |= binding_flag::NEEDS_TDZ;
        }
    }

    fn own_slot(&mut self, function: FunctionId, own: Own) -> &mut BindingId {
        let function = &mut self.tree.functions[function as usize];
        match own {
            Own::This => &mut function.this,
            Own::NewTarget => &mut function.new_target,
            Own::HomeObject => &mut function.home_object,
            Own::Callee => &mut function.callee,
            Own::Arguments => &mut function.arguments,
        }
    }

    /// The binding of a function's implicit part, made when first needed.
    fn own_binding(&mut self, function: FunctionId, own: Own) -> R<BindingId> {
        let existing = *self.own_slot(function, own);
        if existing != NONE {
            return Ok(existing);
        }
        let (kind, name): (BindingKind, Atom) = match own {
            Own::This => (BindingKind::This, known::THIS),
            Own::NewTarget => (BindingKind::NewTarget, known::NEW),
            Own::HomeObject => (BindingKind::HomeObject, known::SUPER),
            Own::Callee => (BindingKind::Callee, known::FUNCTION),
            Own::Arguments => (BindingKind::Arguments, known::ARGUMENTS),
        };
        let info = self.tree.functions[function as usize];
        let id = self.append_binding(name, kind, info.scope, info.start, NONE)?;
        self.tree.bindings[id as usize].flags |= binding_flag::USED;
        *self.own_slot(function, own) = id;
        Ok(id)
    }

    /// A mention of `this`, `new.target`, `super` or `arguments`.
    fn resolve_own(&mut self, id: NodeId, own: Own) -> R<()> {
        let Some(owner) = self.owner() else { return Ok(()) };
        let direct = owner == self.current();
        let used = match own {
            Own::This => function_flag::USES_THIS,
            Own::NewTarget => function_flag::USES_NEW_TARGET,
            Own::HomeObject => function_flag::USES_HOME,
            Own::Callee => function_flag::USES_SUPER_CALL,
            Own::Arguments => function_flag::USES_ARGUMENTS,
        };
        self.tree.functions[owner as usize].flags |= used;
        if matches!(own, Own::Arguments) || !direct {
            let binding = self.own_binding(owner, own)?;
            if !direct {
                self.tree.bindings[binding as usize].flags |= binding_flag::CAPTURED;
                self.tree.functions[owner as usize].flags |= function_flag::HAS_CAPTURED;
            }
            if self.at(id).flags & flag::WRITE != 0 {
                self.tree.bindings[binding as usize].flags |= binding_flag::ASSIGNED;
            }
            self.at_mut(id).b = binding;
        }
        Ok(())
    }

    /// A direct eval may mention anything the code around it may.
    fn share_with_eval(&mut self, own: Own) -> R<()> {
        let Some(owner) = self.owner() else { return Ok(()) };
        let flags = self.tree.functions[owner as usize].flags;
        if flags & function_flag::TOP != 0 {
            return if matches!(own, Own::This) { self.share(owner, own) } else { Ok(()) };
        }
        let wanted = match own {
            Own::HomeObject => flags & function_flag::METHOD != 0,
            Own::Callee => flags & function_flag::DERIVED != 0,
            Own::Arguments => flags & function_flag::FIELDS == 0,
            Own::This | Own::NewTarget => true,
        };
        if wanted { self.share(owner, own) } else { Ok(()) }
    }

    fn share(&mut self, owner: FunctionId, own: Own) -> R<()> {
        let binding = self.own_binding(owner, own)?;
        self.tree.bindings[binding as usize].flags |= binding_flag::CAPTURED;
        let used = match own {
            Own::This => function_flag::USES_THIS,
            Own::NewTarget => function_flag::USES_NEW_TARGET,
            Own::HomeObject => function_flag::USES_HOME,
            Own::Callee => function_flag::USES_SUPER_CALL,
            Own::Arguments => function_flag::USES_ARGUMENTS,
        };
        self.tree.functions[owner as usize].flags |= used | function_flag::HAS_CAPTURED;
        Ok(())
    }
}
