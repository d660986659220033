//! Statements.

use super::control::{ControlKind, Exit};
use super::{C, Compiler, Place, Reg};
use crate::bytecode::Op;
use crate::syntax::atoms::known;
use crate::syntax::tree::{
    BindingId, BindingKind, DeclarationKind, Kind, NONE, Node, NodeId, ScopeId, ScopeKind, binding_flag, flag, function_flag,
};

impl Compiler<'_> {
    /// A list of statements; gives whether its end may be reached.
    pub(super) fn statements(&mut self, list: u32) -> C<bool> {
        let count = self.tree.list(list).len();
        let mut reached = true;
        for index in 0..count {
            let id = self.tree.list(list)[index];
            self.statement(id)?;
            reached = !matches!(self.tree.node(id).kind, Kind::Return | Kind::Throw);
        }
        Ok(reached)
    }

    pub(super) fn statement(&mut self, id: NodeId) -> C<()> {
        let node = self.tree.node(id);
        let mark = self.frame.next;
        self.frame.kept = mark;
        if self.unit.words.len() - self.paid > 4096 {
            self.pay()?;
        }
        let labelled =
            matches!(node.kind, Kind::For | Kind::ForIn | Kind::ForOf | Kind::While | Kind::DoWhile | Kind::Switch | Kind::Labelled);
        if !labelled && !self.pending_labels.is_empty() {
            self.labelled_statement(id)?;
            self.release(mark);
            return Ok(());
        }
        self.statement_inner(node)?;
        self.release(mark);
        Ok(())
    }

    /// A statement with labels that is no loop: only `break` can name them.
    fn labelled_statement(&mut self, id: NodeId) -> C<()> {
        self.pending_labels.insert(0, NONE);
        let end = self.label();
        self.push_control(ControlKind::Plain, end, NONE);
        self.statement(id)?;
        self.pop_control();
        self.bind(end)
    }

    /// Statements that have a value of their own begin with undefined as the completion value.
    fn reset_completion(&mut self) {
        if let Some(register) = self.frame.completion {
            self.op1(Op::LoadUndefined, register);
        }
    }

    fn loop_statement(&mut self, node: Node) -> C<()> {
        match node.kind {
            Kind::For => self.for_statement(node),
            Kind::ForIn => self.for_in(node),
            Kind::ForOf => self.for_of(node),
            kind => self.while_statement(node, kind == Kind::DoWhile),
        }
    }

    fn statement_inner(&mut self, node: Node) -> C<()> {
        match node.kind {
            Kind::Expression => match self.frame.completion {
                Some(register) => self.expr(node.a, register),
                None => self.effect(node.a),
            },
            Kind::Variables => self.variables(node),
            Kind::FunctionDeclaration => self.annex_b(node),
            Kind::ClassDeclaration => self.class_declaration(node),
            Kind::Block => {
                if node.b == NONE {
                    self.statements(node.a)?;
                    return Ok(());
                }
                let saved = self.enter_scope(node.b)?;
                self.statements(node.a)?;
                self.leave_scope(saved);
                Ok(())
            }
            Kind::Empty | Kind::Import => Ok(()),
            Kind::If => self.if_statement(node),
            Kind::For | Kind::ForIn | Kind::ForOf | Kind::While | Kind::DoWhile => {
                self.frame.loops += 1;
                let result = self.loop_statement(node);
                self.frame.loops -= 1;
                result
            }
            Kind::Return => self.return_statement(node),
            Kind::Break | Kind::Continue => self.jump_statement(node),
            Kind::Throw => {
                let value = self.any(node.a)?;
                self.at(node.start);
                self.op1(Op::Throw, value);
                Ok(())
            }
            Kind::Try => self.try_statement(node),
            Kind::Switch => self.switch(node),
            Kind::Labelled => {
                self.pending_labels.push(node.a);
                let mut body = node.b;
                // A run of labels is a chain of nodes.
                while self.tree.node(body).kind == Kind::Labelled {
                    let inner = self.tree.node(body);
                    self.pending_labels.push(inner.a);
                    body = inner.b;
                }
                self.statement(body)?;
                self.pending_labels.clear();
                Ok(())
            }
            Kind::With => self.with_statement(node),
            Kind::Debugger => {
                self.op0(Op::Debugger);
                Ok(())
            }
            Kind::Export => {
                if node.a != NONE {
                    self.statement(node.a)?;
                }
                Ok(())
            }
            Kind::ExportDefault => self.export_default(node),
            _ => Ok(()),
        }
    }

    fn export_default(&mut self, node: Node) -> C<()> {
        match self.tree.node(node.a).kind {
            Kind::FunctionDeclaration => Ok(()),
            Kind::ClassDeclaration => self.statement(node.a),
            _ => {
                let value = self.temp()?;
                self.named_expression(node.a, value, known::DEFAULT)?;
                self.initialise(node.b, value)
            }
        }
    }

    fn variables(&mut self, node: Node) -> C<()> {
        let var = node.small == DeclarationKind::Var as u16;
        let count = self.tree.list(node.a).len();
        for index in 0..count {
            let declarator = self.tree.node(self.tree.list(node.a)[index]);
            let mark = self.frame.next;
            self.declarator(declarator, var)?;
            self.release(mark);
        }
        Ok(())
    }

    fn declarator(&mut self, declarator: Node, var: bool) -> C<()> {
        let target = self.tree.node(declarator.a);
        if declarator.b == NONE {
            if !var {
                let value = self.temp()?;
                self.op1(Op::LoadUndefined, value);
                self.initialise_name(declarator.a, value)?;
            }
            return Ok(());
        }
        if target.kind != Kind::BindingIdentifier {
            let value = self.any(declarator.b)?;
            return self.bind_pattern(declarator.a, value);
        }
        if var && self.declared_dynamically(declarator.a) {
            return self.assign_dynamic(declarator.a, declarator.b);
        }
        // Straight into the variable's register where nothing can see it half made.
        if let super::names::Variable::Binding(binding) = self.variable(target.a, target.b)
            && let Some(register) = self.register_of(binding)
        {
            let info = self.tree.binding(binding);
            let fresh = matches!(info.kind, BindingKind::Let | BindingKind::Const) && info.flags & binding_flag::NEEDS_TDZ == 0;
            if fresh {
                return self.named_expression(declarator.b, register, target.a);
            }
            return self.local_expression(declarator.b, register, target.a);
        }
        let value = self.temp()?;
        self.named_expression(declarator.b, value, target.a)?;
        self.initialise_name(declarator.a, value)
    }

    /// A function in a block of sloppy code: reaching it also sets the variable of the function around it.
    fn annex_b(&mut self, node: Node) -> C<()> {
        if node.flags & flag::ANNEX_B == 0 {
            return Ok(());
        }
        let name = self.tree.binding(node.b).name;
        let value = self.temp()?;
        self.load_binding(node.b, value, None)?;
        let mut scope = self.frame.scope;
        while scope != NONE
            && !matches!(
                self.tree.scope(scope).kind,
                ScopeKind::Function | ScopeKind::Body | ScopeKind::Script | ScopeKind::Eval | ScopeKind::StaticBlock
            )
        {
            scope = self.tree.scope(scope).parent;
        }
        if scope == NONE {
            return Ok(());
        }
        let target = self.tree.bindings_of(scope).find(|&binding| {
            let info = self.tree.binding(binding);
            info.name == name && matches!(info.kind, BindingKind::Var | BindingKind::Function | BindingKind::Parameter)
        });
        match self.tree.scope(scope).kind {
            ScopeKind::Script => self.op_key(Op::SetGlobal, value, 0, name),
            ScopeKind::Eval if !self.frame.strict => match self.eval_var_object() {
                Some(index) => {
                    let object = self.temp()?;
                    self.op_ax(Op::GetCapture, object, index);
                    self.op_key(Op::SetField, object, value, name)
                }
                None => self.op_key(Op::SetGlobal, value, 0, name),
            },
            _ => match target {
                Some(binding) => self.store_binding(binding, value, None),
                None => Ok(()),
            },
        }
    }

    fn eval_var_object(&self) -> Option<u32> {
        let names = self.request.scope?;
        names.iter().position(|entry| entry.1 == crate::bytecode::VariableKind::ScopeObject).map(|index| index as u32)
    }

    fn class_declaration(&mut self, node: Node) -> C<()> {
        let value = self.temp()?;
        let name = self.tree.class(node.a).name;
        self.class(node.a, value, name)?;
        let info = *self.tree.binding(node.b);
        match self.variable(info.name, node.b) {
            super::names::Variable::Binding(binding) => self.initialise(binding, value),
            _ => self.op_key(Op::InitialiseGlobal, value, 0, info.name),
        }
    }

    /// A chain of `else if` is walked in a loop.
    fn if_statement(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let end = self.label();
        let mut node = node;
        loop {
            let mark = self.frame.next;
            let otherwise = self.label();
            let (then, other) = (self.tree.extra(node.b, 0), self.tree.extra(node.b, 1));
            self.condition(node.a, false, otherwise)?;
            self.release(mark);
            self.statement(then)?;
            if other == NONE {
                self.bind(otherwise)?;
                break;
            }
            self.jump(end);
            self.bind(otherwise)?;
            let next = self.tree.node(other);
            if next.kind != Kind::If {
                self.statement(other)?;
                break;
            }
            self.reset_completion();
            node = next;
        }
        self.bind(end)
    }

    fn while_statement(&mut self, node: Node, test_last: bool) -> C<()> {
        self.reset_completion();
        let (body, test, end) = (self.label(), self.label(), self.label());
        self.push_control(ControlKind::Plain, end, test);
        // `do S while (E)` has its parts in the order test, body too.
        if !test_last {
            self.jump(test);
        }
        self.bind(body)?;
        self.statement(node.b)?;
        self.bind(test)?;
        let mark = self.frame.next;
        self.condition(node.a, true, body)?;
        self.release(mark);
        self.pop_control();
        self.bind(end)
    }

    fn for_statement(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let part = |n: u32| self.tree.extra(node.b, n);
        let (init, test, update, content) = (part(0), part(1), part(2), part(3));
        let labels = std::mem::take(self.pending_labels);
        let saved = if node.a == NONE { None } else { Some(self.enter_scope(node.a)?) };
        if init != NONE {
            if self.tree.node(init).kind == Kind::Variables {
                self.statement(init)?;
            } else {
                let mark = self.frame.next;
                self.effect(init)?;
                self.release(mark);
            }
        }
        *self.pending_labels = labels;
        let (body, check, next, end) = (self.label(), self.label(), self.label(), self.label());
        self.push_control(ControlKind::Plain, end, next);
        if test != NONE {
            self.jump(check);
        }
        self.bind(body)?;
        self.statement(content)?;
        self.bind(next)?;
        if node.a != NONE {
            self.copy_boxes(node.a)?;
        }
        if update != NONE {
            let mark = self.frame.next;
            self.effect(update)?;
            self.release(mark);
        }
        self.bind(check)?;
        if test == NONE {
            self.jump(body);
        } else {
            let mark = self.frame.next;
            self.condition(test, true, body)?;
            self.release(mark);
        }
        self.pop_control();
        self.bind(end)?;
        if let Some(saved) = saved {
            self.leave_scope(saved);
        }
        Ok(())
    }

    /// Each round of a `for` has its own copies of the captured variables of its head.
    fn copy_boxes(&mut self, scope: ScopeId) -> C<()> {
        let bindings: Vec<BindingId> = self.tree.bindings_of(scope).collect();
        for binding in bindings {
            if let Place::Box(register) = self.places[binding as usize]
                && self.tree.binding(binding).kind == BindingKind::Let
            {
                let mark = self.frame.next;
                let value = self.temp()?;
                self.op2(Op::GetBox, value, u32::from(register));
                self.op2(Op::NewBoxOf, u32::from(register), value);
                self.release(mark);
            }
        }
        Ok(())
    }

    /// The variable or target on the left of `in` and `of` gets the value of a round.
    fn bind_round(&mut self, left: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(left);
        if node.kind == Kind::Variables {
            let declarator = self.tree.node(self.tree.list(node.a)[0]);
            return self.bind_pattern(declarator.a, value);
        }
        self.assign_target(left, value)
    }

    /// `for (var x = value in ...)`: sloppy code only.
    fn head_initialiser(&mut self, left: NodeId) -> C<()> {
        let node = self.tree.node(left);
        if node.kind == Kind::Variables {
            let declarator = self.tree.node(self.tree.list(node.a)[0]);
            if declarator.b != NONE {
                let mark = self.frame.next;
                self.declarator(declarator, true)?;
                self.release(mark);
            }
        }
        Ok(())
    }

    /// A new round of a loop with variables of its own.
    fn renew_scope(&mut self, scope: ScopeId) -> C<()> {
        if scope == NONE {
            return Ok(());
        }
        let bindings: Vec<BindingId> = self.tree.bindings_of(scope).collect();
        for binding in bindings {
            if let Place::Box(register) = self.places[binding as usize]
                && !self.boxes_late(binding)
            {
                self.op1(Op::NewBoxUninitialised, u32::from(register));
            }
        }
        Ok(())
    }

    fn for_in(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let part = |n: u32| self.tree.extra(node.b, n);
        let (left, right, content) = (part(0), part(1), part(2));
        let labels = std::mem::take(self.pending_labels);
        self.head_initialiser(left)?;
        let saved = if node.a == NONE { None } else { Some(self.enter_scope(node.a)?) };
        let names = self.take(3)?;
        let mark = self.frame.next;
        let object = self.any(right)?;
        self.at(node.start);
        self.op2(Op::ForInStart, names, object);
        self.release(mark);
        *self.pending_labels = labels;
        let (next, end) = (self.label(), self.label());
        self.push_control(ControlKind::Plain, end, next);
        self.bind(next)?;
        let value = self.temp()?;
        self.jump_compare(Op::ForInNext, value, names, end);
        self.renew_scope(node.a)?;
        self.bind_round(left, value)?;
        self.release(mark);
        self.statement(content)?;
        self.jump(next);
        self.pop_control();
        self.bind(end)?;
        if let Some(saved) = saved {
            self.leave_scope(saved);
        }
        Ok(())
    }

    fn for_of(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let is_async = node.flags & flag::AWAIT != 0;
        let part = |n: u32| self.tree.extra(node.b, n);
        let (left, right, content) = (part(0), part(1), part(2));
        let labels = std::mem::take(self.pending_labels);
        let saved = if node.a == NONE { None } else { Some(self.enter_scope(node.a)?) };
        let iterator = self.take(3)?;
        let mark = self.frame.next;
        let object = self.any(right)?;
        self.at(self.tree.node(right).start);
        self.op2(if is_async { Op::GetAsyncIterator } else { Op::GetIterator }, iterator, object);
        self.release(mark);
        let (head, next, end) = (self.label(), self.label(), self.label());
        *self.pending_labels = labels.clone();
        self.push_control(ControlKind::Plain, end, NONE);
        self.bind(head)?;
        let value = self.temp()?;
        if is_async {
            self.op1(Op::LoadUndefined, value);
            self.op3(Op::IteratorCallNext, value, iterator, value);
            self.op2(Op::Await, value, value);
            self.op2(Op::RequireObject, value, 0);
            let done = self.temp()?;
            self.op_key(Op::GetField, done, value, known::DONE)?;
            self.jump_if(Op::JumpTrue, done, end);
            self.op_key(Op::GetField, value, value, known::VALUE)?;
        } else {
            self.jump_compare(Op::IteratorNext, value, iterator, end);
        }
        self.push_control(ControlKind::Iterator { register: iterator, is_async }, NONE, NONE);
        *self.pending_labels = labels;
        self.push_control(ControlKind::Plain, NONE, next);
        self.renew_scope(node.a)?;
        self.bind_round(left, value)?;
        self.release(mark);
        self.statement(content)?;
        self.bind(next)?;
        self.pop_control();
        self.end_region();
        self.jump(head);
        self.close_on_throw(iterator, is_async)?;
        self.pop_control();
        self.bind(end)?;
        if let Some(saved) = saved {
            self.leave_scope(saved);
        }
        Ok(())
    }

    fn return_statement(&mut self, node: Node) -> C<()> {
        let value = if node.a == NONE {
            if self.controls.is_empty() && self.frame.flags & function_flag::DERIVED == 0 {
                self.op0(Op::ReturnUndefined);
                return Ok(());
            }
            let value = self.temp()?;
            self.op1(Op::LoadUndefined, value);
            value
        } else {
            if self.returns_plainly() {
                return self.return_value(node.a);
            }
            let mut value = self.any(node.a)?;
            let generator = function_flag::ASYNC | function_flag::GENERATOR;
            if self.frame.flags & generator == generator {
                let awaited = self.temp()?;
                self.at(node.start);
                self.op2(Op::Await, awaited, value);
                value = awaited;
            }
            // A `finally` block may assign to the variable that is returned.
            if !self.controls.is_empty() {
                let copy = self.temp()?;
                self.op_move(copy, value);
                value = copy;
            }
            value
        };
        self.at(node.start);
        self.exit(Exit::Return(value))
    }

    /// Is nothing to be done between a value and its return?
    fn returns_plainly(&self) -> bool {
        let more = function_flag::ASYNC | function_flag::GENERATOR | function_flag::DERIVED;
        self.controls.is_empty() && self.frame.flags & more == 0
    }

    /// Returns an expression's value where nothing is to be done in between; a conditional's branches each for itself.
    pub(super) fn return_value(&mut self, mut id: NodeId) -> C<()> {
        let mark = self.frame.next;
        loop {
            let node = self.tree.node(id);
            if node.kind != Kind::Conditional {
                let value = self.any(id)?;
                self.op1(Op::Return, value);
                self.release(mark);
                return Ok(());
            }
            let otherwise = self.label();
            self.condition(node.a, false, otherwise)?;
            self.release(mark);
            self.return_value(self.tree.extra(node.b, 0))?;
            self.bind(otherwise)?;
            id = self.tree.extra(node.b, 1);
        }
    }

    fn jump_statement(&mut self, node: Node) -> C<()> {
        let is_continue = node.kind == Kind::Continue;
        match self.find_control(node.a, is_continue) {
            Some(level) if is_continue => self.exit(Exit::Continue(level)),
            Some(level) => self.exit(Exit::Break(level)),
            None => self.syntax_error("Illegal break statement".to_owned(), node.start),
        }
    }

    fn try_statement(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let part = |n: u32| self.tree.extra(node.b, n);
        let (scope, parameter, handler, finalizer) = (part(0), part(1), part(2), part(3));
        if finalizer == NONE {
            return self.try_catch(node.a, scope, parameter, handler);
        }
        let kind = self.take(2)?;
        let value = kind + 1;
        let (entry, end) = (self.label(), self.label());
        self.push_control(ControlKind::Finally { kind, value, entry }, NONE, NONE);
        if handler == NONE {
            self.statement(node.a)?;
        } else {
            self.try_catch(node.a, scope, parameter, handler)?;
        }
        self.end_region();
        self.load_int(kind, 0);
        self.jump(entry);
        let target = self.here();
        let exits = self.pop_region(target, value);
        self.load_int(kind, 1);
        self.bind(entry)?;
        let completion = self.frame.completion;
        let mut kept = None;
        if let Some(register) = completion {
            // What a `finally` block that ends normally computes does not count.
            let copy = self.temp()?;
            self.op_move(copy, register);
            kept = Some((register, copy));
        }
        self.statement(finalizer)?;
        if let Some((register, copy)) = kept {
            self.op_move(register, copy);
        }
        self.dispatch(kind, value, &exits, end)?;
        self.bind(end)
    }

    fn try_catch(&mut self, block: NodeId, scope: ScopeId, parameter: NodeId, handler: NodeId) -> C<()> {
        let error = self.temp()?;
        let end = self.label();
        self.push_control(ControlKind::Region, NONE, NONE);
        self.statement(block)?;
        self.end_region();
        self.jump(end);
        let target = self.here();
        self.pop_region(target, error);
        self.reset_completion();
        if scope == NONE {
            self.statement(handler)?;
        } else {
            let saved = self.enter_scope(scope)?;
            self.bind_pattern(parameter, error)?;
            self.statement(handler)?;
            self.leave_scope(saved);
        }
        self.bind(end)
    }

    fn switch(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let (scope, list) = (self.tree.extra(node.b, 0), self.tree.extra(node.b, 1));
        let labels = std::mem::take(self.pending_labels);
        let value = self.temp()?;
        self.expr(node.a, value)?;
        let saved = if scope == NONE { None } else { Some(self.enter_scope(scope)?) };
        *self.pending_labels = labels;
        let end = self.label();
        self.push_control(ControlKind::Plain, end, NONE);
        let cases: Vec<NodeId> = self.tree.list(list).to_vec();
        let first = self.labels.len() as u32;
        for _ in &cases {
            self.label();
        }
        let mut default = end;
        for (index, &case) in cases.iter().enumerate() {
            let case = self.tree.node(case);
            let label = first + index as u32;
            if case.a == NONE {
                default = label;
                continue;
            }
            let mark = self.frame.next;
            let test = self.tree.node(case.a);
            let small = if test.kind == Kind::Number { Self::small_int(number(test)) } else { None };
            match small {
                Some(int) => {
                    self.op_ax(Op::JumpStrictEqualInt, value, int as u16 as u32);
                    self.distance(label);
                }
                None => {
                    let register = self.any(case.a)?;
                    self.jump_compare(Op::JumpStrictEqual, value, register, label);
                }
            }
            self.release(mark);
        }
        self.jump(default);
        for (index, &case) in cases.iter().enumerate() {
            self.bind(first + index as u32)?;
            self.statements(self.tree.node(case).b)?;
        }
        self.pop_control();
        self.bind(end)?;
        if let Some(saved) = saved {
            self.leave_scope(saved);
        }
        Ok(())
    }

    fn with_statement(&mut self, node: Node) -> C<()> {
        self.reset_completion();
        let (scope, body) = (self.tree.extra(node.b, 0), self.tree.extra(node.b, 1));
        let object = self.temp()?;
        self.expr(node.a, object)?;
        self.at(node.start);
        self.op2(Op::ToObject, object, object);
        self.op2(Op::NewBoxOf, object, object);
        let binding = self.synthetic();
        self.places[binding as usize] = Place::Box(object as u8);
        self.scope_objects.insert(scope, binding);
        let outer = std::mem::replace(&mut self.frame.scope, scope);
        self.statement(body)?;
        self.frame.scope = outer;
        Ok(())
    }
}

/// The value of a `Number` node.
pub(super) fn number(node: Node) -> f64 {
    f64::from_bits(u64::from(node.a) | u64::from(node.b) << 32)
}
