//! Variables: where they live, how they are read and written, from whichever function.

use super::emit::LabelId;
use super::{C, Captured, Compiler, Place, Reg};
use crate::bytecode::{Capture, Constant, Op, VariableKind, frame};
use crate::syntax::Goal;
use crate::syntax::atoms::{Atom, known};
use crate::syntax::tree::Kind;
use crate::syntax::tree::{BindingId, BindingKind, FunctionId, NONE, NodeId, ScopeKind, binding_flag, flag, function_flag, scope_flag};

/// What a name means where it stands, once objects that are searched first are out of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// A variable of this or another function.
    Binding(BindingId),
    /// The n-th name around a direct eval.
    Eval(u32),
    /// A global.
    Global,
}

/// An object that is searched for a name at run time.
#[derive(Debug, Clone, Copy)]
enum Searched {
    /// The binding of its box, and whether it is a `with` object.
    Binding(BindingId, bool),
    /// The n-th entry of the scope around a direct eval.
    Eval(u32, bool),
}

impl<'a> Compiler<'a> {
    pub(super) fn index_eval_names(&mut self) {
        let Some(names) = self.request.scope else { return };
        for (index, &(name, kind)) in names.iter().enumerate() {
            match kind {
                VariableKind::With | VariableKind::ScopeObject => self.eval_objects.push(index as u32),
                VariableKind::Boundary => {}
                _ => {
                    self.eval_names.entry(name).or_insert(index as u32);
                }
            }
        }
    }

    pub(super) fn eval_name(&self, name: &[u8]) -> Option<u32> {
        self.eval_names.get(name).copied()
    }

    fn eval_kind(&self, index: u32) -> VariableKind {
        self.request.scope.and_then(|names| names.get(index as usize)).map_or(VariableKind::Var, |entry| entry.1)
    }

    // --- Bindings ---

    /// A variable of the compiler's own, of the current function: it lives in a box.
    pub(super) fn synthetic(&mut self) -> BindingId {
        let id = self.places.len() as BindingId;
        self.places.push(Place::None);
        self.synthetic.push(self.frame.id);
        id
    }

    /// The function of the tree in whose frame a binding lives.
    fn owner(&self, binding: BindingId) -> FunctionId {
        let own = self.tree.bindings.len() as u32;
        if binding >= own {
            return self.synthetic[(binding - own) as usize];
        }
        self.tree.scope(self.tree.binding(binding).scope).function
    }

    pub(super) fn is_captured(&self, binding: BindingId) -> bool {
        binding >= self.tree.bindings.len() as u32 || self.tree.binding(binding).flags & binding_flag::CAPTURED != 0
    }

    /// Number of the running function's capture that is the box of `binding`, which another function owns.
    pub(super) fn capture(&mut self, binding: BindingId) -> C<u32> {
        let owner = self.owner(binding);
        // From the function that uses it outwards to the first that has the box, then back inwards.
        let mut path: Vec<u32> = Vec::new();
        let mut job = self.frame.job;
        let mut from = loop {
            if let Some(&number) = self.capture_numbers.get(&(job, binding)) {
                break Capture::Outer(number);
            }
            path.push(job);
            let parent = self.jobs[job as usize].parent;
            if parent == NONE {
                // Not reachable for a resolved name; the top has its boxes in registers.
                return self.too_complex("Variable out of reach", self.frame.last_position);
            }
            if self.unit_function(parent) == owner {
                break match self.places[binding as usize] {
                    Place::Box(register) => Capture::Register(register),
                    Place::Capture(number) => Capture::Outer(number),
                    _ => return self.too_complex("Too many variables in one function", self.frame.last_position),
                };
            }
            job = parent;
        };
        while let Some(job) = path.pop() {
            let number = self.add_capture(job, from)?;
            self.capture_numbers.insert((job, binding), number as u16);
            from = Capture::Outer(number as u16);
        }
        match from {
            Capture::Outer(number) => Ok(u32::from(number)),
            _ => self.too_complex("Variable out of reach", self.frame.last_position),
        }
    }

    /// The function of the tree that a function of the unit was made from.
    fn unit_function(&self, job: u32) -> FunctionId {
        match self.jobs[job as usize].source {
            super::Source::Function(id) => id,
            super::Source::DefaultConstructor(_) => NONE,
        }
    }

    fn add_capture(&mut self, job: u32, from: Capture) -> C<u32> {
        self.hold(size_of::<Captured>() + 48)?;
        let at = self.captured.len() as u32;
        self.captured.push(Captured { from, next: NONE });
        let job = &mut self.jobs[job as usize];
        if job.last == NONE {
            job.first = at;
        } else {
            self.captured[job.last as usize].next = at;
        }
        job.last = at;
        job.count += 1;
        let number = job.count - 1;
        if number > 0xFFFF {
            return self.too_complex("Too many captured variables in one function", self.frame.last_position);
        }
        Ok(number)
    }

    /// Captures of eval code are the names around it, all of them, in order.
    pub(super) fn capture_eval_names(&mut self) -> C<()> {
        let count = self.request.scope.map_or(0, <[_]>::len);
        for index in 0..count {
            self.add_capture(0, Capture::Outer(index.min(0xFFFF) as u16))?;
        }
        Ok(())
    }

    /// The capture of the running function that is the n-th name around the eval.
    pub(super) fn eval_capture(&mut self, index: u32) -> C<u32> {
        if self.frame.job == 0 {
            return Ok(index);
        }
        // One synthetic binding of the top level stands for each name that inner functions use.
        let key = NONE - index;
        let binding = match self.hidden.get(&key) {
            Some(&binding) => binding,
            None => {
                let id = self.places.len() as u32;
                self.places.push(Place::Capture(index as u16));
                self.synthetic.push(0);
                self.hidden.insert(key, id);
                id
            }
        };
        self.capture(binding)
    }

    /// Whether the code being compiled runs in the function that owns `binding`.
    pub(super) fn is_own(&self, binding: BindingId) -> bool {
        self.owner(binding) == self.frame.id
    }

    /// The register in which a variable of this very function lives, if that is where it lives.
    pub(super) fn register_of(&self, binding: BindingId) -> Option<Reg> {
        if binding == NONE {
            return None;
        }
        if !self.is_own(binding) {
            return self.is_running_function(binding).then_some(u32::from(frame::CALLEE));
        }
        match self.places[binding as usize] {
            Place::Register(register) => Some(u32::from(register)),
            _ => None,
        }
    }

    /// Is it the running function's own name, declared around it and never assigned? Then its value is the callee, whichever
    /// closure of the function runs.
    fn is_running_function(&self, binding: BindingId) -> bool {
        if binding >= self.tree.bindings.len() as u32 {
            return false;
        }
        let info = self.tree.binding(binding);
        matches!(info.kind, BindingKind::Function | BindingKind::BlockFunction)
            && info.flags & binding_flag::ASSIGNED == 0
            && info.node != NONE
            && self.tree.node(info.node).kind == Kind::FunctionDeclaration
            && self.tree.node(info.node).a == self.frame.id
    }

    /// Reads a variable; `check` names it if it may be uninitialised.
    pub(super) fn load_binding(&mut self, binding: BindingId, to: Reg, check: Option<Atom>) -> C<()> {
        if !self.is_own(binding) {
            if self.is_running_function(binding) {
                self.op_move(to, u32::from(frame::CALLEE));
                return Ok(());
            }
            if let Some((list, index, boxed)) = self.spilled_elsewhere(binding) {
                let mark = self.frame.next;
                let array = self.temp()?;
                let number = self.capture(list)?;
                self.op_ax(Op::GetCapture, array, number);
                self.load_element(if boxed { array } else { to }, array, index)?;
                if boxed {
                    self.load_box(array, to, check)?;
                }
                self.release(mark);
                return if boxed { Ok(()) } else { self.check_after(to, check) };
            }
            let number = self.capture(binding)?;
            return match check {
                Some(name) => self.op_ax_key(Op::GetCaptureChecked, to, number, name),
                None => {
                    self.op_ax(Op::GetCapture, to, number);
                    Ok(())
                }
            };
        }
        match self.places[binding as usize] {
            Place::Register(register) => {
                if let Some(name) = check {
                    self.op_key(Op::CheckInitialised, u32::from(register), 0, name)?;
                }
                self.op_move(to, u32::from(register));
                Ok(())
            }
            Place::Box(register) => self.load_box(u32::from(register), to, check),
            Place::Capture(number) => match check {
                Some(name) => self.op_ax_key(Op::GetCaptureChecked, to, u32::from(number), name),
                None => {
                    self.op_ax(Op::GetCapture, to, u32::from(number));
                    Ok(())
                }
            },
            Place::Spilled(index) => {
                let mark = self.frame.next;
                let array = self.temp()?;
                self.load_binding(self.frame.spill, array, None)?;
                self.load_element(to, array, index)?;
                self.release(mark);
                self.check_after(to, check)
            }
            Place::SpilledBox(index) => {
                let mark = self.frame.next;
                let array = self.temp()?;
                self.load_binding(self.frame.spill, array, None)?;
                self.load_element(array, array, index)?;
                self.load_box(array, to, check)?;
                self.release(mark);
                Ok(())
            }
            Place::None => {
                // A name whose scope was not entered: a function in a place never reached.
                self.op1(Op::LoadUndefined, to);
                Ok(())
            }
        }
    }

    /// Reads the box in a register.
    fn load_box(&mut self, register: Reg, to: Reg, check: Option<Atom>) -> C<()> {
        match check {
            Some(name) => self.op_key(Op::GetBoxChecked, to, register, name),
            None => {
                self.op2(Op::GetBox, to, register);
                Ok(())
            }
        }
    }

    /// Writes the box in a register.
    fn store_box(&mut self, register: Reg, value: Reg, check: Option<Atom>) -> C<()> {
        match check {
            Some(name) => self.op_key(Op::SetBoxChecked, register, value, name),
            None => {
                self.op2(Op::SetBox, register, value);
                Ok(())
            }
        }
    }

    /// Puts a value, or a box, into the current function's array of further variables.
    pub(super) fn store_spilled(&mut self, index: u32, value: Reg) -> C<()> {
        let mark = self.frame.next;
        let array = self.temp()?;
        self.load_binding(self.frame.spill, array, None)?;
        self.store_element(array, index, value)?;
        self.release(mark);
        Ok(())
    }

    fn check_after(&mut self, register: Reg, check: Option<Atom>) -> C<()> {
        match check {
            Some(name) => self.op_key(Op::CheckInitialised, register, 0, name),
            None => Ok(()),
        }
    }

    pub(super) fn load_element(&mut self, to: Reg, array: Reg, index: u32) -> C<()> {
        let mark = self.frame.next;
        let at = self.temp()?;
        self.load_int(at, index);
        self.op3(Op::GetElement, to, array, at);
        self.release(mark);
        Ok(())
    }

    fn store_element(&mut self, array: Reg, index: u32, value: Reg) -> C<()> {
        let mark = self.frame.next;
        let at = self.temp()?;
        self.load_int(at, index);
        self.op3(Op::SetElement, array, at, value);
        self.release(mark);
        Ok(())
    }

    /// The array and element of a variable of another function that lives in its array, and whether the element is a box.
    pub(super) fn spilled_elsewhere(&self, binding: BindingId) -> Option<(BindingId, u32, bool)> {
        let (index, boxed) = match self.places[binding as usize] {
            Place::Spilled(index) => (index, false),
            Place::SpilledBox(index) => (index, true),
            _ => return None,
        };
        self.spills.get(&self.owner(binding)).map(|&array| (array, index, boxed))
    }

    /// Writes a variable that is initialised; `check` names it if that is not certain.
    pub(super) fn store_binding(&mut self, binding: BindingId, value: Reg, check: Option<Atom>) -> C<()> {
        if !self.is_own(binding) {
            if let Some((list, index, boxed)) = self.spilled_elsewhere(binding) {
                let mark = self.frame.next;
                let array = self.take(2)?;
                let number = self.capture(list)?;
                self.op_ax(Op::GetCapture, array, number);
                if boxed {
                    self.load_element(array, array, index)?;
                    self.store_box(array, value, check)?;
                    self.release(mark);
                    return Ok(());
                }
                if check.is_some() {
                    self.load_element(array + 1, array, index)?;
                    self.check_after(array + 1, check)?;
                }
                self.store_element(array, index, value)?;
                self.release(mark);
                return Ok(());
            }
            let number = self.capture(binding)?;
            return match check {
                Some(name) => self.op_ax_key(Op::SetCaptureChecked, value, number, name),
                None => {
                    self.op_ax(Op::SetCapture, value, number);
                    Ok(())
                }
            };
        }
        match self.places[binding as usize] {
            Place::Register(register) => {
                if let Some(name) = check {
                    self.op_key(Op::CheckInitialised, u32::from(register), 0, name)?;
                }
                self.op_move(u32::from(register), value);
                Ok(())
            }
            Place::Box(register) => self.store_box(u32::from(register), value, check),
            Place::SpilledBox(index) => {
                let mark = self.frame.next;
                let array = self.temp()?;
                self.load_binding(self.frame.spill, array, None)?;
                self.load_element(array, array, index)?;
                self.store_box(array, value, check)?;
                self.release(mark);
                Ok(())
            }
            Place::Capture(number) => match check {
                Some(name) => self.op_ax_key(Op::SetCaptureChecked, value, u32::from(number), name),
                None => {
                    self.op_ax(Op::SetCapture, value, u32::from(number));
                    Ok(())
                }
            },
            Place::Spilled(index) => {
                let mark = self.frame.next;
                let array = self.take(2)?;
                self.load_binding(self.frame.spill, array, None)?;
                if check.is_some() {
                    self.load_element(array + 1, array, index)?;
                    self.check_after(array + 1, check)?;
                }
                self.store_element(array, index, value)?;
                self.release(mark);
                Ok(())
            }
            Place::None => Ok(()),
        }
    }

    /// Gives a `let`, `const`, class, parameter... its first value.
    pub(super) fn initialise(&mut self, binding: BindingId, value: Reg) -> C<()> {
        if let Place::Box(register) = self.places[binding as usize]
            && self.boxes_late(binding)
        {
            self.op2(Op::NewBoxOf, u32::from(register), value);
            return Ok(());
        }
        self.store_binding(binding, value, None)
    }

    /// Whether the box of a lexical variable is made only when the variable gets its first value: nothing
    /// can have looked at it before.
    pub(super) fn boxes_late(&self, binding: BindingId) -> bool {
        if binding >= self.tree.bindings.len() as u32 {
            return false;
        }
        let info = self.tree.binding(binding);
        matches!(info.kind, BindingKind::Let | BindingKind::Const | BindingKind::Class | BindingKind::CatchParameter)
            && info.flags & binding_flag::NEEDS_TDZ == 0
            && info.flags & binding_flag::EXPORTED == 0
            && info.initialised != NONE
    }

    // --- Names ---

    /// Whether a binding of the top level is reached by name: a global, or a `var` of sloppy eval code.
    pub(super) fn is_named(&self, binding: BindingId) -> bool {
        let info = self.tree.binding(binding);
        if matches!(info.kind, BindingKind::This | BindingKind::NewTarget | BindingKind::HomeObject | BindingKind::Callee) {
            return false;
        }
        match self.tree.scope(info.scope).kind {
            ScopeKind::Script => true,
            ScopeKind::Eval => {
                matches!(info.kind, BindingKind::Var | BindingKind::Function) && self.tree.function(0).flags & function_flag::STRICT == 0
            }
            _ => false,
        }
    }

    /// What the name with this binding means.
    pub(super) fn variable(&self, name: Atom, binding: BindingId) -> Variable {
        if binding != NONE && !self.is_named(binding) {
            return Variable::Binding(self.redirect(name, binding));
        }
        if self.request.goal == Goal::Eval
            && let Some(index) = self.eval_name(self.tree.text(name))
        {
            return Variable::Eval(index);
        }
        Variable::Global
    }

    /// `var arguments` of a function that has the implicit object is that object's variable.
    fn redirect(&self, name: Atom, binding: BindingId) -> BindingId {
        if name == known::ARGUMENTS && self.tree.binding(binding).kind == BindingKind::Var {
            let owner = self.tree.scope(self.tree.binding(binding).scope).function;
            let implicit = self.tree.function(owner).arguments;
            if implicit != NONE {
                return implicit;
            }
        }
        binding
    }

    /// Objects to be searched before `binding` is reached from here, innermost first.
    fn searched(&self, binding: BindingId, out: &mut Vec<Searched>) {
        let stop = if binding == NONE { NONE } else { self.tree.binding(binding).scope };
        let mut scope = self.frame.scope;
        while scope != NONE && scope != stop {
            let here = self.tree.scope(scope);
            let is_with = here.kind == ScopeKind::With;
            if (is_with || here.flags & scope_flag::EVAL_DECLARES != 0)
                && let Some(&object) = self.scope_objects.get(&scope)
            {
                out.push(Searched::Binding(object, is_with));
            }
            scope = here.parent;
        }
        // Then what lies around the eval, unless the name was found inside.
        if binding == NONE || self.is_named(binding) {
            for &index in self.eval_objects.iter() {
                out.push(Searched::Eval(index, self.eval_kind(index) == VariableKind::With));
            }
        }
    }

    /// Objects to search for the name of an identifier node.
    fn objects_for(&self, id: NodeId) -> Vec<Searched> {
        let node = self.tree.node(id);
        let mut objects = Vec::new();
        let named = node.b == NONE || self.is_named(node.b);
        let declared = node.kind == Kind::BindingIdentifier && node.b != NONE && self.is_var_dynamic(node.b);
        if node.flags & flag::DYNAMIC != 0 || declared || named && !self.eval_objects.is_empty() {
            self.searched(node.b, &mut objects);
            if named && let Some(index) = self.eval_name(self.tree.text(node.a)) {
                // Only those that lie inside the name's own scope.
                objects.retain(|object| !matches!(object, Searched::Eval(at, _) if *at > index));
            }
        }
        objects
    }

    /// Whether every object to search for a name is a `with` object.
    pub(super) fn only_with_objects(&self, id: NodeId) -> bool {
        self.objects_for(id).iter().all(|object| matches!(object, Searched::Binding(_, true) | Searched::Eval(_, true)))
    }

    /// Whether the identifier must be looked for in objects at run time.
    pub(super) fn is_dynamic(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        let declared = node.kind == Kind::BindingIdentifier && node.b != NONE;
        (node.flags & flag::DYNAMIC != 0 || declared || !self.eval_objects.is_empty()) && !self.objects_for(id).is_empty()
    }

    /// Puts the object that has the name into `object` and goes to `found`, for each that is searched;
    /// falls through if none has it.
    pub(super) fn search(&mut self, id: NodeId, object: Reg, found: LabelId) -> C<()> {
        let name = self.tree.node(id).a;
        for searched in self.objects_for(id) {
            let next = self.label();
            let is_with = match searched {
                Searched::Binding(binding, is_with) => {
                    self.load_binding(binding, object, None)?;
                    is_with
                }
                Searched::Eval(index, is_with) => {
                    let number = self.eval_capture(index)?;
                    self.op_ax(Op::GetCapture, object, number);
                    is_with
                }
            };
            let key = self.name_constant(name)?;
            self.op2(Op::JumpUnlessInScope, object, u32::from(is_with));
            self.word(key);
            self.distance(next);
            // A function called by a bare name gets the `with` object as `this`, but no scope object.
            self.jump(found);
            self.bind(next)?;
        }
        Ok(())
    }

    /// Reads the variable an identifier names; `or_undefined` for `typeof`.
    pub(super) fn load_name(&mut self, id: NodeId, to: Reg, or_undefined: bool) -> C<()> {
        let node = self.tree.node(id);
        if self.is_dynamic(id) {
            let mark = self.frame.next;
            let object = self.temp()?;
            let (found, done) = (self.label(), self.label());
            self.search(id, object, found)?;
            self.load_static(id, to, or_undefined)?;
            self.jump(done);
            self.bind(found)?;
            self.at(node.start);
            self.get_in_scope(to, object, node.a)?;
            self.bind(done)?;
            self.release(mark);
            return Ok(());
        }
        self.load_static(id, to, or_undefined)
    }

    /// Asks again whether the object still has the name, as the standard does: the answer is in a register.
    fn still_in_scope(&mut self, object: Reg, name: Atom) -> C<Reg> {
        let there = self.temp()?;
        self.load_text(there, name);
        self.op3(Op::In, there, there, object);
        if self.frame.strict {
            let fine = self.label();
            self.jump_if(Op::JumpTrue, there, fine);
            let message = format!("{} is not defined", String::from_utf8_lossy(self.tree.text(name)));
            let text = self.new_text(message.as_bytes());
            let constant = self.constant(Constant::Text(text));
            self.op1(Op::ThrowError, 1);
            self.word(constant);
            self.bind(fine)?;
        }
        Ok(there)
    }

    /// Reads a variable from the object that was found to have it.
    pub(super) fn get_in_scope(&mut self, to: Reg, object: Reg, name: Atom) -> C<()> {
        let mark = self.frame.next;
        let there = self.still_in_scope(object, name)?;
        if self.frame.strict {
            self.op_key(Op::GetField, to, object, name)?;
        } else {
            let (gone, done) = (self.label(), self.label());
            self.jump_if(Op::JumpFalse, there, gone);
            self.op_key(Op::GetField, to, object, name)?;
            self.jump(done);
            self.bind(gone)?;
            self.op1(Op::LoadUndefined, to);
            self.bind(done)?;
        }
        self.release(mark);
        Ok(())
    }

    /// Assigns a variable of the object that was found to have it.
    pub(super) fn set_in_scope(&mut self, object: Reg, value: Reg, name: Atom) -> C<()> {
        let mark = self.frame.next;
        self.still_in_scope(object, name)?;
        self.op_key(Op::SetField, object, value, name)?;
        self.release(mark);
        Ok(())
    }

    pub(super) fn load_static(&mut self, id: NodeId, to: Reg, or_undefined: bool) -> C<()> {
        let node = self.tree.node(id);
        match self.variable(node.a, node.b) {
            Variable::Binding(binding) => {
                let check = self.needs_check(id, binding).then_some(node.a);
                if check.is_some() {
                    self.at(node.start);
                }
                self.load_binding(binding, to, check)
            }
            Variable::Eval(index) => {
                let number = self.eval_capture(index)?;
                match self.eval_kind(index) {
                    VariableKind::Let | VariableKind::Const => {
                        self.at(node.start);
                        self.op_ax_key(Op::GetCaptureChecked, to, number, node.a)
                    }
                    _ => {
                        self.op_ax(Op::GetCapture, to, number);
                        Ok(())
                    }
                }
            }
            Variable::Global => {
                if node.a == known::UNDEFINED && !or_undefined && node.b == NONE {
                    self.op1(Op::LoadUndefined, to);
                    return Ok(());
                }
                self.at(node.start);
                self.op_key(if or_undefined { Op::GetGlobalOrUndefined } else { Op::GetGlobal }, to, 0, node.a)
            }
        }
    }

    fn needs_check(&self, id: NodeId, binding: BindingId) -> bool {
        self.tree.node(id).flags & flag::TDZ != 0 || self.tree.binding(binding).kind == BindingKind::Import
    }

    /// Assigns to the variable an identifier names.
    pub(super) fn store_name(&mut self, id: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(id);
        if self.is_dynamic(id) {
            let mark = self.frame.next;
            let object = self.temp()?;
            let (found, done) = (self.label(), self.label());
            self.search(id, object, found)?;
            self.store_static(id, value)?;
            self.jump(done);
            self.bind(found)?;
            self.at(node.start);
            self.op_key(Op::SetField, object, value, node.a)?;
            self.bind(done)?;
            self.release(mark);
            return Ok(());
        }
        self.store_static(id, value)
    }

    pub(super) fn store_static(&mut self, id: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(id);
        match self.variable(node.a, node.b) {
            Variable::Binding(binding) => {
                let check = node.flags & flag::TDZ != 0;
                let kind = self.tree.binding(binding).kind;
                if check {
                    self.at(node.start);
                }
                match kind {
                    BindingKind::Const | BindingKind::ClassName | BindingKind::Import => {
                        self.at(node.start);
                        if check {
                            let mark = self.frame.next;
                            let old = self.temp()?;
                            self.load_binding(binding, old, Some(node.a))?;
                            self.release(mark);
                        }
                        self.op_key(Op::ThrowConstant, 0, 0, node.a)
                    }
                    BindingKind::FunctionName => {
                        if self.frame.strict {
                            self.at(node.start);
                            return self.op_key(Op::ThrowConstant, 0, 0, node.a);
                        }
                        Ok(())
                    }
                    _ => self.store_binding(binding, value, check.then_some(node.a)),
                }
            }
            Variable::Eval(index) => {
                let number = self.eval_capture(index)?;
                match self.eval_kind(index) {
                    VariableKind::Const => {
                        self.at(node.start);
                        let mark = self.frame.next;
                        let old = self.temp()?;
                        self.op_ax_key(Op::GetCaptureChecked, old, number, node.a)?;
                        self.release(mark);
                        self.op_key(Op::ThrowConstant, 0, 0, node.a)
                    }
                    VariableKind::FunctionName => {
                        if self.frame.strict {
                            self.at(node.start);
                            return self.op_key(Op::ThrowConstant, 0, 0, node.a);
                        }
                        Ok(())
                    }
                    VariableKind::Let => {
                        self.at(node.start);
                        self.op_ax_key(Op::SetCaptureChecked, value, number, node.a)
                    }
                    _ => {
                        self.op_ax(Op::SetCapture, value, number);
                        Ok(())
                    }
                }
            }
            Variable::Global => {
                self.at(node.start);
                self.op_key(Op::SetGlobal, value, 0, node.a)
            }
        }
    }

    /// Gives the variable of a declaration (a `BindingIdentifier`) its value. `var`s are assigned like names.
    pub(super) fn initialise_name(&mut self, id: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(id);
        if node.flags & flag::REDECLARES != 0 {
            return self.store_binding(node.b, value, None);
        }
        let info = *self.tree.binding(node.b);
        match self.variable(node.a, node.b) {
            Variable::Binding(binding) => {
                if matches!(info.kind, BindingKind::Var | BindingKind::Function) && self.is_var_dynamic(node.b) {
                    return self.store_name(id, value);
                }
                self.initialise(binding, value)
            }
            Variable::Eval(_) | Variable::Global => {
                let lexical = matches!(info.kind, BindingKind::Let | BindingKind::Const | BindingKind::Class);
                if lexical {
                    return self.op_key(Op::InitialiseGlobal, value, 0, node.a);
                }
                self.store_name(id, value)
            }
        }
    }

    /// Whether a `with` lies between here and a `var`.
    fn is_var_dynamic(&self, binding: BindingId) -> bool {
        let stop = self.tree.binding(binding).scope;
        let mut scope = self.frame.scope;
        while scope != NONE && scope != stop {
            if self.tree.scope(scope).kind == ScopeKind::With {
                return true;
            }
            scope = self.tree.scope(scope).parent;
        }
        false
    }

    /// Whether variables assigned through this declaration must be found before the value is computed.
    pub(super) fn declared_dynamically(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        matches!(self.tree.binding(node.b).kind, BindingKind::Var | BindingKind::Function)
            && (self.is_var_dynamic(node.b) || self.is_named(node.b) && !self.eval_objects.is_empty())
    }
}
