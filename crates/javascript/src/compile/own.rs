//! What a function has of its own without a name in the text: `this` and its kin, private names; and what a direct eval sees.

use super::{C, Compiler, Place, Reg};
use crate::bytecode::{Capture, Constant, Op, ScopeName, VariableKind, frame};
use crate::syntax::atoms::known;
use crate::syntax::tree::{BindingId, BindingKind, FunctionId, NONE, NodeId, ScopeId, ScopeKind, function_flag, scope_flag};

impl Compiler<'_> {
    /// The register of `this`, if it lies in its fixed place.
    pub(super) fn this_register(&self, id: NodeId) -> Option<Reg> {
        let node = self.tree.node(id);
        let derived = function_flag::DERIVED;
        let own = self.own_part(self.frame.id, BindingKind::This);
        if node.b == NONE
            && self.frame.flags & function_flag::ARROW == 0
            && self.frame.flags & derived == 0
            && own == NONE
            && !self.in_eval_top()
        {
            return Some(u32::from(frame::THIS));
        }
        None
    }

    pub(super) fn in_eval_top(&self) -> bool {
        self.request.scope.is_some() && self.frame.id == 0
    }

    pub(super) fn own_part(&self, function: FunctionId, kind: BindingKind) -> BindingId {
        if function == NONE {
            return NONE;
        }
        let function = self.tree.function(function);
        match kind {
            BindingKind::This => function.this,
            BindingKind::NewTarget => function.new_target,
            BindingKind::Callee => {
                if function.callee != NONE {
                    function.callee
                } else {
                    function.home_object
                }
            }
            _ => NONE,
        }
    }

    /// In code of an eval, where `owner` is the eval itself: the number of the capture with what the function around it has under this name.
    fn own_of_eval(&mut self, owner: FunctionId, name: &[u8]) -> C<Option<u32>> {
        if owner != 0 || self.request.scope.is_none() {
            return Ok(None);
        }
        self.eval_name(name).map(|index| self.eval_capture(index)).transpose()
    }

    /// The function around the current one (or itself) that has a `this` of its own.
    pub(super) fn this_owner(&self) -> FunctionId {
        let mut id = self.frame.id;
        while id != NONE && self.tree.function(id).flags & function_flag::ARROW != 0 {
            id = self.tree.function(id).parent;
        }
        id
    }

    /// Loads `this`, checked where `super` may not have been called yet.
    pub(super) fn load_this(&mut self, to: Reg, start: u32) -> C<()> {
        let owner = self.this_owner();
        let derived = owner != NONE && self.tree.function(owner).flags & function_flag::DERIVED != 0;
        if let Some(number) = self.own_of_eval(owner, b"this")? {
            self.at(start);
            return self.op_ax_key(Op::GetCaptureChecked, to, number, known::THIS);
        }
        let binding = self.own_part(owner, BindingKind::This);
        let check = derived.then_some(known::THIS);
        if check.is_some() {
            self.at(start);
        }
        if binding != NONE {
            return self.load_binding(binding, to, check);
        }
        if let Some(name) = check {
            self.op_key(Op::CheckInitialised, u32::from(frame::THIS), 0, name)?;
        }
        self.op_move(to, u32::from(frame::THIS));
        Ok(())
    }

    /// Sets `this` after `super(...)`; it must not be set twice.
    pub(super) fn store_this(&mut self, value: Reg) -> C<()> {
        let owner = self.this_owner();
        if let Some(number) = self.own_of_eval(owner, b"this")? {
            let mark = self.frame.next;
            let old = self.temp()?;
            self.op_ax(Op::GetCapture, old, number);
            self.throw_if_bound(old)?;
            self.release(mark);
            self.op_ax(Op::SetCapture, value, number);
            return Ok(());
        }
        let binding = self.own_part(owner, BindingKind::This);
        if binding != NONE {
            let mark = self.frame.next;
            let old = self.temp()?;
            self.load_binding(binding, old, None)?;
            self.throw_if_bound(old)?;
            self.release(mark);
            return self.store_binding(binding, value, None);
        }
        self.throw_if_bound(u32::from(frame::THIS))?;
        self.op_move(u32::from(frame::THIS), value);
        Ok(())
    }

    /// ReferenceError if `super` was called before. The marker is the only value that is not itself a value:
    /// `this` of a constructor is an object or the marker, and the marker is not truthy.
    pub(super) fn throw_if_bound(&mut self, old: Reg) -> C<()> {
        let fine = self.label();
        self.jump_if(Op::JumpFalse, old, fine);
        let text = self.new_text(b"Super constructor may only be called once");
        let constant = self.constant(Constant::Text(text));
        self.op1(Op::ThrowError, 1);
        self.word(constant);
        self.bind(fine)
    }

    /// Loads what the owner of `this` has kept in a variable, or an eval has of the function around it; false if it is in the frame only.
    fn load_kept(&mut self, name: &[u8], kind: BindingKind, to: Reg) -> C<bool> {
        let owner = self.this_owner();
        if let Some(number) = self.own_of_eval(owner, name)? {
            self.op_ax(Op::GetCapture, to, number);
            return Ok(true);
        }
        let binding = self.own_part(owner, kind);
        if binding != NONE {
            self.load_binding(binding, to, None)?;
        }
        Ok(binding != NONE)
    }

    /// Loads the function that owns `super`.
    pub(super) fn load_owner_function(&mut self, to: Reg) -> C<()> {
        if !self.load_kept(b"%function", BindingKind::Callee, to)? {
            self.op_move(to, u32::from(frame::CALLEE));
        }
        Ok(())
    }

    pub(super) fn load_new_target(&mut self, to: Reg) -> C<()> {
        if !self.load_kept(b"new.target", BindingKind::NewTarget, to)? {
            self.op1(Op::LoadNewTarget, to);
        }
        Ok(())
    }

    /// Loads the private name of a `PrivateName` node.
    pub(super) fn load_private(&mut self, id: NodeId) -> C<Reg> {
        let node = self.tree.node(id);
        if node.b != NONE {
            if let Some(register) = self.register_of(node.b) {
                return Ok(register);
            }
            let to = self.temp()?;
            self.load_binding(node.b, to, None)?;
            return Ok(to);
        }
        let to = self.temp()?;
        match self.eval_name(self.tree.text(node.a)) {
            Some(index) => {
                let number = self.eval_capture(index)?;
                self.op_ax(Op::GetCapture, to, number);
                Ok(to)
            }
            None => {
                let message =
                    format!("Private field '{}' must be declared in an enclosing class", String::from_utf8_lossy(self.tree.text(node.a)));
                self.syntax_error(message, node.start)
            }
        }
    }

    /// The constant that lists every name visible here, innermost first.
    pub(super) fn scope_constant(&mut self) -> C<u32> {
        let mut names = Vec::new();
        let mut scope = self.frame.scope;
        let mut function = self.frame.id;
        while scope != NONE {
            let here = *self.tree.scope(scope);
            if here.function != function && here.kind != ScopeKind::FunctionName {
                names.push(self.boundary(VariableKind::Boundary));
                function = here.function;
            }
            if let Some(&object) = self.scope_objects.get(&scope) {
                let kind = if here.kind == ScopeKind::With { VariableKind::With } else { VariableKind::ScopeObject };
                // A function's own variables come before those that evals added to it.
                if here.kind == ScopeKind::With {
                    let place = self.place_for_closure(object)?;
                    names.push(ScopeName { name: crate::bytecode::Text::default(), kind, place });
                }
            }
            for binding in self.tree.bindings_of(scope) {
                let info = *self.tree.binding(binding);
                if self.is_named(binding) {
                    continue;
                }
                if let Some(name) = self.scope_name(scope, binding, info)? {
                    names.push(name);
                }
            }
            if let Some(&object) = self.scope_objects.get(&scope)
                && here.kind != ScopeKind::With
            {
                let place = self.place_for_closure(object)?;
                names.push(ScopeName { name: crate::bytecode::Text::default(), kind: VariableKind::ScopeObject, place });
            }
            scope = here.parent;
        }
        if let Some(outer) = self.request.scope {
            names.push(self.boundary(VariableKind::Boundary));
            for (index, &(name, kind)) in outer.iter().enumerate() {
                if kind == VariableKind::Boundary {
                    names.push(self.boundary(kind));
                    continue;
                }
                let number = self.eval_capture(index as u32)?;
                let name = self.new_text(name);
                names.push(ScopeName { name, kind, place: Capture::Outer(number as u16) });
            }
        }
        self.hold(names.len() * size_of::<ScopeName>())?;
        Ok(self.constant(Constant::Scope(names)))
    }

    pub(super) fn boundary(&mut self, kind: VariableKind) -> ScopeName {
        ScopeName { name: crate::bytecode::Text::default(), kind, place: Capture::Register(0) }
    }

    pub(super) fn scope_name(&mut self, scope: ScopeId, binding: BindingId, info: crate::syntax::tree::Binding) -> C<Option<ScopeName>> {
        let simple_catch = self.tree.scope(scope).flags & scope_flag::SIMPLE_CATCH != 0;
        let (kind, hidden): (VariableKind, Option<&[u8]>) = match info.kind {
            BindingKind::Parameter | BindingKind::Arguments if self.frame.in_parameters && self.is_own(binding) => {
                (VariableKind::Parameter, None)
            }
            BindingKind::Var | BindingKind::Function | BindingKind::Parameter | BindingKind::Arguments => (VariableKind::Var, None),
            BindingKind::Let | BindingKind::Class | BindingKind::BlockFunction => (VariableKind::Let, None),
            BindingKind::Const | BindingKind::ClassName | BindingKind::Import => (VariableKind::Const, None),
            BindingKind::FunctionName => (VariableKind::FunctionName, None),
            BindingKind::CatchParameter if simple_catch => (VariableKind::Catch, None),
            BindingKind::CatchParameter => (VariableKind::Let, None),
            BindingKind::Private => (VariableKind::Private, None),
            BindingKind::This => (VariableKind::Hidden, Some(b"this")),
            BindingKind::NewTarget => (VariableKind::Hidden, Some(b"new.target")),
            BindingKind::Callee | BindingKind::HomeObject => (VariableKind::Hidden, Some(b"%function")),
        };
        let name = match hidden {
            Some(bytes) => self.new_text(bytes),
            None => self.text(info.name),
        };
        if self.places[binding as usize] == Place::None && self.is_own(binding) {
            return Ok(None);
        }
        let place = self.place_for_closure(binding)?;
        Ok(Some(ScopeName { name, kind, place }))
    }

    /// Where a closure made here finds the box of a binding.
    pub(super) fn place_for_closure(&mut self, binding: BindingId) -> C<Capture> {
        if self.is_own(binding) {
            return match self.places[binding as usize] {
                Place::Box(register) => Ok(Capture::Register(register)),
                Place::Capture(number) => Ok(Capture::Outer(number)),
                Place::SpilledBox(index) => match self.places[self.frame.spill as usize] {
                    Place::Box(list) => Ok(Capture::RegisterElement(list, index)),
                    _ => self.too_complex("Too many variables in one function", self.frame.last_position),
                },
                _ => self.too_complex("Too many variables in one function", self.frame.last_position),
            };
        }
        if let Some((list, index, true)) = self.spilled_elsewhere(binding) {
            return Ok(Capture::OuterElement(self.capture(list)? as u16, index));
        }
        Ok(Capture::Outer(self.capture(binding)? as u16))
    }
}
