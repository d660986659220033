//! One function: its entry, its scopes, its end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{C, Compiler, Frame, Place, Reg, Source};
use crate::bytecode::{self, ModuleShape, Op, Range, frame, function_flag as unit_flag};
use crate::syntax::Goal;
use crate::syntax::atoms::Atom;
use crate::syntax::tree::{
    BindingId, BindingKind, ClassId, FunctionId, Kind, NONE, NodeId, ScopeId, ScopeKind, binding_flag, function_flag, scope_flag,
};

/// Registers that variables may take before the rest goes to an array.
const VARIABLE_REGISTERS: Reg = 150;
/// Functions with more variables than this have an array for further ones.
pub(super) const MOST_WITHOUT_SPILL: usize = VARIABLE_REGISTERS as usize - 40;
/// Registers that variables may take which closures in a loop keep.
const LOOP_REGISTERS: Reg = 190;
/// Parameters that have registers; further ones are read from an array of the surplus arguments.
const REGISTER_PARAMETERS: usize = 120;
/// Parameters beyond this many are refused, as V8 refuses them.
const MOST_PARAMETERS: usize = 65_534;

impl Compiler<'_> {
    /// Compiles one queued function.
    pub(super) fn function(&mut self, number: u32) -> C<()> {
        let job = self.jobs[number as usize];
        self.controls.clear();
        self.splits.clear();
        self.labels.clear();
        self.pending_labels.clear();
        // Emptying a table costs its size, which another function may have made large.
        if self.number_constants.capacity() > 64 {
            *self.number_constants = HashMap::default();
        } else if !self.number_constants.is_empty() {
            self.number_constants.clear();
        }
        let id = match job.source {
            Source::Function(id) => id,
            Source::DefaultConstructor(_) => NONE,
        };
        let flags = if id == NONE { function_flag::STRICT } else { self.tree.function(id).flags };
        self.frame = Frame {
            job: number,
            id,
            flags,
            start: self.unit.words.len(),
            constants: self.unit.constants.len(),
            handlers: self.unit.handlers.len(),
            positions: self.unit.positions.len(),
            next: u32::from(frame::ARGUMENTS),
            high: u32::from(frame::ARGUMENTS),
            scope: NONE,
            completion: None,
            strict: flags & function_flag::STRICT != 0,
            spill: NONE,
            spilled: 0,
            last_position: NONE,
            kept: u32::from(frame::ARGUMENTS),
            in_parameters: false,
            loops: 0,
        };
        let shape = match job.source {
            Source::Function(id) => self.written_function(id, job.name)?,
            Source::DefaultConstructor(class) => self.default_constructor(class, job.name)?,
        };
        let captures = self.unit.functions[number as usize].captures;
        let constants = self.finish_constants()?;
        self.unit.functions[number as usize] = bytecode::Function {
            registers: (self.frame.high + 1).min(256) as u16,
            words: Range { start: self.frame.start as u32, end: self.unit.words.len() as u32 },
            constants,
            handlers: Range { start: self.frame.handlers as u32, end: self.unit.handlers.len() as u32 },
            positions: Range { start: self.frame.positions as u32, end: self.unit.positions.len() as u32 },
            captures,
            ..shape
        };
        self.pay()
    }

    fn written_function(&mut self, id: FunctionId, given: Atom) -> C<bytecode::Function> {
        let function = *self.tree.function(id);
        let flags = function.flags;
        let is_class = flags & function_flag::CONSTRUCTOR != 0;
        let mut name = if function.name != NONE { function.name } else { given };
        if is_class {
            name = given;
        }
        let mut shape = bytecode::Function {
            name: self.text(name),
            parameters: self.tree.list(function.params).len().min(REGISTER_PARAMETERS) as u16,
            length: function.length.min(0xFFFF) as u16,
            source: Range { start: function.start, end: function.end },
            ..bytecode::Function::default()
        };
        for (from, to) in [
            (function_flag::STRICT, unit_flag::STRICT),
            (function_flag::ARROW, unit_flag::ARROW),
            (function_flag::GENERATOR, unit_flag::GENERATOR),
            (function_flag::ASYNC, unit_flag::ASYNC),
            (function_flag::TOP, unit_flag::TOP_LEVEL),
            (function_flag::FIELDS, unit_flag::FIELD_INITIALISER),
            (function_flag::CONSTRUCTOR, unit_flag::CLASS),
        ] {
            if flags & from != 0 {
                shape.flags |= to;
            }
        }
        if flags & function_flag::DERIVED != 0 {
            shape.flags |= unit_flag::DERIVED;
        }
        if flags & function_flag::METHOD != 0 && !is_class {
            shape.flags |= unit_flag::METHOD;
        }
        if is_class {
            let class = self.tree.class(function.class);
            shape.source = Range { start: class.start, end: class.end };
        }
        if flags & function_flag::TOP != 0 {
            shape.flags &= !(unit_flag::ASYNC | unit_flag::GENERATOR);
            self.top(id, &mut shape)?;
        } else {
            self.enter_function(id)?;
            self.body(id)?;
        }
        shape.this_properties = self.this_properties(id);
        Ok(shape)
    }

    /// How many different `this.x = ...` stand directly in the statements of a body.
    fn this_properties(&self, id: FunctionId) -> u8 {
        let function = self.tree.function(id);
        if function.flags & (function_flag::EXPRESSION | function_flag::ARROW | function_flag::FIELDS) != 0 {
            return 0;
        }
        let mut count = 0u8;
        for &statement in self.tree.list(function.body) {
            let node = self.tree.node(statement);
            if node.kind != Kind::Expression {
                continue;
            }
            let assign = self.tree.node(node.a);
            if assign.kind == Kind::Assign {
                let target = self.tree.node(assign.a);
                if target.kind == Kind::Member && self.tree.node(target.a).kind == Kind::This {
                    count = count.saturating_add(1);
                }
            }
        }
        count
    }

    /// Everything that happens before the body: `this`, arguments, parameters, variables.
    fn enter_function(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        let flags = function.flags;
        let params: Vec<NodeId> = self.tree.list(function.params).to_vec();
        if params.len() > MOST_PARAMETERS {
            let message = format!("Too many parameters in function definition (only {MOST_PARAMETERS} allowed)");
            return self.syntax_error(message, function.start);
        }
        let rest = params.last().is_some_and(|&last| self.tree.node(last).kind == Kind::Rest);
        let positional = params.len() - usize::from(rest);
        self.frame.scope = function.scope;
        let first = u32::from(frame::ARGUMENTS);
        let in_registers = params.len().min(REGISTER_PARAMETERS);
        let many = params.len() > REGISTER_PARAMETERS;
        self.take(in_registers as u32)?;
        if flags & function_flag::ASYNC != 0 && flags & function_flag::GENERATOR == 0 {
            // From here on whatever is thrown rejects the promise.
            self.op0(Op::InitialYield);
        }
        let simple = flags & function_flag::SIMPLE_PARAMETERS != 0;
        // Surplus arguments are safe only until a register above the parameters is written.
        let mut boxed_params = false;
        let mut rest_register = NONE;
        // With many parameters this array takes the place of the rest parameter's; that one's is cut from it.
        let list_from = if many { REGISTER_PARAMETERS } else { positional };
        let needs_list = rest || many;
        if function.arguments != NONE {
            let register = self.temp()?;
            if needs_list {
                rest_register = self.temp()?;
            }
            let list = if needs_list { rest_register } else { 0 };
            if simple && !self.frame.strict {
                for (index, &param) in params.iter().enumerate().take(in_registers) {
                    let binding = self.tree.node(param).b;
                    let register = first + index as u32;
                    // Of two parameters with one name the last owns it.
                    if self.tree.binding(binding).node == param {
                        self.op2(Op::NewBoxOf, register, register);
                        self.places[binding as usize] = Place::Box(register as u8);
                    }
                }
                boxed_params = true;
                self.op3(Op::CreateMappedArguments, register, list, list_from as u32);
            } else {
                self.op3(Op::CreateArguments, register, list, list_from as u32);
            }
            self.settle(function.arguments, register);
        }
        if needs_list && rest_register == NONE {
            rest_register = self.temp()?;
            self.op2(Op::Rest, rest_register, list_from as u32);
        }
        let surplus = if many { rest_register } else { NONE };
        if many && rest {
            rest_register = self.temp()?;
            self.op2(Op::ArrayTail, rest_register, surplus);
            self.word((positional - REGISTER_PARAMETERS) as u32);
        }
        if let Some(&arguments) = [function.arguments].iter().find(|&&binding| binding != NONE)
            && let Place::Box(register) = self.places[arguments as usize]
        {
            self.op2(Op::NewBoxOf, u32::from(register), u32::from(register));
        }
        self.enter_own(id)?;
        if flags & function_flag::CONSTRUCTOR != 0 && flags & function_flag::DERIVED == 0 {
            let class = self.tree.class(function.class);
            if class.instance_fields != NONE {
                self.op2(Op::InitialiseFields, u32::from(frame::THIS), u32::from(frame::CALLEE));
            }
        }
        self.enter_spill(id)?;
        // Parameters.
        if simple {
            if !boxed_params {
                for (index, &param) in params.iter().enumerate().take(in_registers) {
                    let binding = self.tree.node(param).b;
                    if self.tree.binding(binding).node != param {
                        continue;
                    }
                    let register = first + index as u32;
                    if self.is_captured(binding) {
                        self.op2(Op::NewBoxOf, register, register);
                        self.places[binding as usize] = Place::Box(register as u8);
                    } else {
                        self.places[binding as usize] = Place::Register(register as u8);
                    }
                }
            }
            for (index, &param) in params.iter().enumerate().skip(REGISTER_PARAMETERS) {
                let binding = self.tree.node(param).b;
                if self.tree.binding(binding).node == param {
                    self.place(binding)?;
                    let mark = self.frame.next;
                    let value = self.temp()?;
                    self.load_element(value, surplus, (index - REGISTER_PARAMETERS) as u32)?;
                    match self.places[binding as usize] {
                        Place::Box(register) => self.op2(Op::NewBoxOf, u32::from(register), value),
                        Place::SpilledBox(index) => {
                            self.op2(Op::NewBoxOf, value, value);
                            self.store_spilled(index, value)?;
                        }
                        _ => self.store_binding(binding, value, None)?,
                    }
                    self.release(mark);
                }
            }
        } else {
            self.frame.in_parameters = true;
            self.complex_parameters(&params, rest_register, surplus)?;
            self.frame.in_parameters = false;
        }
        // Variables of the body.
        self.declare_scope(function.scope, true)?;
        if function.body_scope != NONE {
            self.frame.scope = function.body_scope;
            self.scope_object(function.body_scope)?;
            self.declare_scope(function.body_scope, true)?;
        }
        if flags & function_flag::GENERATOR != 0 {
            self.op0(Op::InitialYield);
        }
        Ok(())
    }

    /// `this` and its kin, in boxes where inner arrow functions use them; the function's own name; the
    /// object for the variables of sloppy direct evals.
    fn enter_own(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        let flags = function.flags;
        let own_this = flags & (function_flag::ARROW | function_flag::TOP) == 0;
        if own_this && !self.frame.strict && flags & function_flag::USES_THIS != 0 {
            self.op0(Op::CoerceThis);
        }
        let eval_top = id == 0 && self.request.scope.is_some();
        for (binding, kind) in [
            (function.this, BindingKind::This),
            (function.new_target, BindingKind::NewTarget),
            (function.home_object, BindingKind::HomeObject),
            (function.callee, BindingKind::Callee),
        ] {
            if binding == NONE {
                continue;
            }
            if eval_top {
                let hidden: &[u8] = match kind {
                    BindingKind::This => b"this",
                    BindingKind::NewTarget => b"new.target",
                    _ => b"%function",
                };
                if let Some(index) = self.eval_name(hidden) {
                    self.places[binding as usize] = Place::Capture(index as u16);
                    continue;
                }
            }
            if self.places[binding as usize] != Place::None {
                continue;
            }
            let register = self.temp()?;
            match kind {
                BindingKind::This => self.op2(Op::NewBoxOf, register, u32::from(frame::THIS)),
                BindingKind::NewTarget => {
                    self.op1(Op::LoadNewTarget, register);
                    self.op2(Op::NewBoxOf, register, register);
                }
                _ => self.op2(Op::NewBoxOf, register, u32::from(frame::CALLEE)),
            }
            self.places[binding as usize] = Place::Box(register as u8);
        }
        if function.name_scope != NONE {
            let binding = self.tree.scope(function.name_scope).first;
            if self.is_captured(binding) {
                let register = self.temp()?;
                self.op2(Op::NewBoxOf, register, u32::from(frame::CALLEE));
                self.places[binding as usize] = Place::Box(register as u8);
            } else {
                self.places[binding as usize] = Place::Register(frame::CALLEE);
            }
        }
        self.scope_object(function.scope)
    }

    /// Makes the object that holds the variables of sloppy direct evals in a scope.
    fn scope_object(&mut self, scope: ScopeId) -> C<()> {
        let here = self.tree.scope(scope);
        if here.flags & scope_flag::EVAL_DECLARES != 0 && here.kind != ScopeKind::Script {
            // In eval code the variables go to the scope around the eval.
            if here.kind == ScopeKind::Eval && !self.frame.strict {
                return Ok(());
            }
            let register = self.temp()?;
            let binding = self.synthetic();
            self.op1(Op::NewScopeObject, register);
            self.op2(Op::NewBoxOf, register, register);
            self.places[binding as usize] = Place::Box(register as u8);
            self.scope_objects.insert(scope, binding);
        }
        Ok(())
    }

    /// Makes the array for variables that find no register, if the function has that many.
    fn enter_spill(&mut self, id: FunctionId) -> C<()> {
        let count = self.variable_counts.get(id as usize).map_or(0, |&count| count as usize);
        if count <= MOST_WITHOUT_SPILL {
            return Ok(());
        }
        let register = self.temp()?;
        let binding = self.synthetic();
        self.op_ax(Op::NewArray, register, count.min(0xFFFF) as u32);
        self.op2(Op::NewBoxOf, register, register);
        self.places[binding as usize] = Place::Box(register as u8);
        self.frame.spill = binding;
        self.spills.insert(id, binding);
        Ok(())
    }

    /// Gives a binding its register; whether it holds a box follows from how the binding is used.
    fn settle(&mut self, binding: BindingId, register: Reg) {
        self.frame.kept = self.frame.kept.max(register + 1);
        self.places[binding as usize] =
            if self.is_captured(binding) { Place::Box(register as u8) } else { Place::Register(register as u8) };
    }

    /// Whether a variable goes to the array of further variables. One that closures in a loop keep must not, as long as there
    /// is any other way: each round has its own.
    fn must_spill(&self, binding: BindingId) -> C<bool> {
        if self.frame.next < VARIABLE_REGISTERS || self.frame.spill == NONE {
            return Ok(false);
        }
        if !self.is_captured(binding) || self.frame.loops == 0 {
            return Ok(true);
        }
        if self.frame.next >= LOOP_REGISTERS {
            return self.too_complex("Too many variables captured in a loop", self.frame.last_position);
        }
        Ok(false)
    }

    /// The next element of the array of further variables. Where a direct eval may see them it holds a box.
    fn spilled_place(&mut self) -> Place {
        let index = self.frame.spilled;
        self.frame.spilled += 1;
        let scope = self.tree.function(self.frame.id).scope;
        if self.tree.scope(scope).flags & scope_flag::HAS_EVAL != 0 { Place::SpilledBox(index) } else { Place::Spilled(index) }
    }

    /// Keeps the box in `register`, the last one taken, as the variable's: in this register, or in the array of further
    /// variables when registers are few.
    fn keep_box(&mut self, binding: BindingId, register: Reg) -> C<()> {
        if self.frame.next >= VARIABLE_REGISTERS && self.frame.spill != NONE {
            let index = self.frame.spilled;
            self.frame.spilled += 1;
            self.places[binding as usize] = Place::SpilledBox(index);
            self.store_spilled(index, register)?;
            self.release(register);
        } else {
            self.places[binding as usize] = Place::Box(register as u8);
            self.frame.kept = self.frame.kept.max(register + 1);
        }
        Ok(())
    }

    /// Finds a place for a variable.
    fn place(&mut self, binding: BindingId) -> C<()> {
        if self.must_spill(binding)? {
            self.places[binding as usize] = self.spilled_place();
            return Ok(());
        }
        let register = self.temp()?;
        self.settle(binding, register);
        Ok(())
    }

    /// Makes the value in `register`, the last one taken, the boxed value of a variable: in this register, or
    /// in the array of further variables when registers are few.
    pub(super) fn box_value(&mut self, binding: BindingId, register: Reg) -> C<()> {
        if self.must_spill(binding)? {
            let place = self.spilled_place();
            self.places[binding as usize] = place;
            if let Place::SpilledBox(index) = place {
                self.op2(Op::NewBoxOf, register, register);
                self.store_spilled(index, register)?;
            } else {
                self.store_binding(binding, register, None)?;
            }
            self.release(register);
            return Ok(());
        }
        self.op2(Op::NewBoxOf, register, register);
        self.places[binding as usize] = Place::Box(register as u8);
        Ok(())
    }

    /// Parameters with patterns or initialisers. `surplus`: the array of the arguments for those that have no register.
    fn complex_parameters(&mut self, params: &[NodeId], rest_register: Reg, surplus: Reg) -> C<()> {
        let function = *self.tree.function(self.frame.id);
        let first = u32::from(frame::ARGUMENTS);
        // A plain name may stay in its argument's register unless something may look at it too early.
        for (index, &param) in params.iter().enumerate().take(REGISTER_PARAMETERS) {
            let node = self.tree.node(param);
            let target = if node.kind == Kind::Default { self.tree.node(node.a) } else { node };
            if target.kind == Kind::BindingIdentifier
                && self.tree.binding(target.b).flags & binding_flag::NEEDS_TDZ == 0
                && self.places[target.b as usize] == Place::None
            {
                self.settle(target.b, first + index as u32);
            }
        }
        let bindings: Vec<BindingId> =
            self.tree.bindings_of(function.scope).filter(|&binding| self.tree.binding(binding).kind == BindingKind::Parameter).collect();
        for binding in bindings {
            if self.places[binding as usize] == Place::None {
                self.place(binding)?;
                self.prepare(binding)?;
            }
        }
        for (index, &param) in params.iter().enumerate() {
            let node = self.tree.node(param);
            let mark = self.frame.next;
            let register = if node.kind == Kind::Rest {
                rest_register
            } else if index < REGISTER_PARAMETERS {
                first + index as u32
            } else {
                let value = self.temp()?;
                self.load_element(value, surplus, (index - REGISTER_PARAMETERS) as u32)?;
                value
            };
            match node.kind {
                Kind::Rest => self.bind_pattern(node.a, register)?,
                Kind::Default => {
                    let given = self.label();
                    self.jump_if(Op::JumpNotUndefined, register, given);
                    let name = self.tree.node(node.a);
                    let hint = if name.kind == Kind::BindingIdentifier { name.a } else { NONE };
                    self.named_expression(node.b, register, hint)?;
                    self.bind(given)?;
                    self.bind_parameter(node.a, register)?;
                }
                _ => self.bind_parameter(param, register)?,
            }
            self.release(mark);
        }
        Ok(())
    }

    fn bind_parameter(&mut self, target: NodeId, register: Reg) -> C<()> {
        let node = self.tree.node(target);
        if node.kind == Kind::BindingIdentifier {
            match self.places[node.b as usize] {
                Place::Box(own) if u32::from(own) == register => {
                    self.op2(Op::NewBoxOf, register, register);
                    return Ok(());
                }
                Place::Register(own) if u32::from(own) == register => return Ok(()),
                _ => {}
            }
        }
        self.bind_pattern(target, register)
    }

    /// Brings a variable into the state in which its scope begins.
    fn prepare(&mut self, binding: BindingId) -> C<()> {
        let info = *self.tree.binding(binding);
        let checked = info.flags & binding_flag::NEEDS_TDZ != 0
            && !matches!(info.kind, BindingKind::Var | BindingKind::Function | BindingKind::BlockFunction)
            || info.kind == BindingKind::Import;
        match self.places[binding as usize] {
            Place::Box(register) => {
                if self.boxes_late(binding) {
                    return Ok(());
                }
                let op = if checked { Op::NewBoxUninitialised } else { Op::NewBox };
                self.op1(op, u32::from(register));
            }
            Place::Register(register) => {
                let hoisted = matches!(info.kind, BindingKind::Var | BindingKind::Function | BindingKind::BlockFunction);
                if checked {
                    self.op1(Op::LoadUninitialised, u32::from(register));
                } else if hoisted {
                    self.op1(Op::LoadUndefined, u32::from(register));
                }
            }
            Place::SpilledBox(index) => {
                let mark = self.frame.next;
                let value = self.temp()?;
                self.op1(if checked { Op::NewBoxUninitialised } else { Op::NewBox }, value);
                self.store_spilled(index, value)?;
                self.release(mark);
            }
            Place::Spilled(_) => {
                let mark = self.frame.next;
                let value = self.temp()?;
                self.op1(if checked { Op::LoadUninitialised } else { Op::LoadUndefined }, value);
                self.store_binding(binding, value, None)?;
                self.release(mark);
            }
            Place::None | Place::Capture(_) => {}
        }
        Ok(())
    }

    /// Gives places to the variables of a scope, brings them into their first state, and makes the
    /// closures of the functions declared in it.
    pub(super) fn declare_scope(&mut self, scope: ScopeId, body: bool) -> C<()> {
        let kind = self.tree.scope(scope).kind;
        let bindings: Vec<BindingId> = self.tree.bindings_of(scope).collect();
        let mut functions = false;
        for &binding in &bindings {
            let info = *self.tree.binding(binding);
            match info.kind {
                BindingKind::Var
                | BindingKind::Function
                | BindingKind::BlockFunction
                | BindingKind::Let
                | BindingKind::Const
                | BindingKind::Class
                | BindingKind::ClassName
                | BindingKind::CatchParameter => {
                    functions |= matches!(info.kind, BindingKind::Function | BindingKind::BlockFunction);
                    if self.places[binding as usize] == Place::None || !body {
                        self.place(binding)?;
                    }
                    self.prepare(binding)?;
                    if kind == ScopeKind::Body && matches!(info.kind, BindingKind::Var | BindingKind::Function) {
                        self.copy_parameter(scope, binding)?;
                    }
                }
                BindingKind::Parameter => functions |= info.node != NONE && self.tree.node(info.node).kind == Kind::FunctionDeclaration,
                _ => {}
            }
        }
        if functions {
            for binding in bindings {
                self.hoist(binding)?;
            }
        }
        Ok(())
    }

    /// A `var` of a body scope with the name of a parameter starts with the parameter's value.
    fn copy_parameter(&mut self, scope: ScopeId, binding: BindingId) -> C<()> {
        let name = self.tree.binding(binding).name;
        let parent = self.tree.scope(scope).parent;
        let found = self.tree.bindings_of(parent).find(|&other| {
            let other = self.tree.binding(other);
            other.name == name && matches!(other.kind, BindingKind::Parameter | BindingKind::Arguments)
        });
        if let Some(parameter) = found {
            let mark = self.frame.next;
            let value = self.temp()?;
            self.load_binding(parameter, value, None)?;
            self.store_binding(binding, value, None)?;
            self.release(mark);
        }
        Ok(())
    }

    /// Makes the closure of a function declared in this scope, if the binding is one.
    fn hoist(&mut self, binding: BindingId) -> C<()> {
        let info = *self.tree.binding(binding);
        let declares = matches!(info.kind, BindingKind::Function | BindingKind::BlockFunction | BindingKind::Parameter)
            && info.node != NONE
            && self.tree.node(info.node).kind == Kind::FunctionDeclaration;
        if !declares {
            return Ok(());
        }
        let function = self.tree.node(info.node).a;
        let mark = self.frame.next;
        let register = match self.register_of(binding) {
            Some(register) => register,
            None => self.temp()?,
        };
        self.closure(register, function, NONE)?;
        self.store_binding(binding, register, None)?;
        self.release(mark);
        Ok(())
    }

    /// Emits the making of a closure.
    pub(super) fn closure(&mut self, to: Reg, function: FunctionId, name: Atom) -> C<()> {
        let number = self.job(Source::Function(function), name, self.frame.job)?;
        self.op1(Op::Closure, to);
        self.word(number);
        Ok(())
    }

    /// Enters a block's scope: a new current scope with its variables; gives what `leave_scope` needs.
    pub(super) fn enter_scope(&mut self, scope: ScopeId) -> C<(ScopeId, Reg)> {
        let saved = (self.frame.scope, self.frame.next);
        self.frame.scope = scope;
        self.declare_scope(scope, false)?;
        Ok(saved)
    }

    pub(super) fn leave_scope(&mut self, saved: (ScopeId, Reg)) {
        self.frame.scope = saved.0;
        self.frame.next = saved.1;
    }

    fn body(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        if function.flags & function_flag::FIELDS != 0 {
            self.run_fields(id)?;
            self.op0(Op::ReturnUndefined);
            return Ok(());
        }
        if function.flags & function_flag::EXPRESSION != 0 {
            return self.return_value(function.body);
        }
        let reached = self.statements(function.body)?;
        if reached {
            self.end_of_function()?;
        }
        Ok(())
    }

    fn end_of_function(&mut self) -> C<()> {
        if self.frame.flags & function_flag::DERIVED != 0 && self.frame.flags & function_flag::CONSTRUCTOR != 0 {
            let value = self.temp()?;
            self.op1(Op::LoadUndefined, value);
            return self.return_derived(value);
        }
        self.op0(Op::ReturnUndefined);
        Ok(())
    }

    pub(super) fn return_derived(&mut self, value: Reg) -> C<()> {
        let mark = self.frame.next;
        let binding = self.own_part(self.frame.id, BindingKind::This);
        let mut this = u32::from(frame::THIS);
        if binding != NONE {
            this = self.temp()?;
            self.load_binding(binding, this, None)?;
        }
        self.op2(Op::ReturnDerived, value, this);
        self.release(mark);
        Ok(())
    }

    fn default_constructor(&mut self, class: ClassId, name: Atom) -> C<bytecode::Function> {
        let info = *self.tree.class(class);
        let derived = info.heritage != NONE;
        let first = u32::from(frame::ARGUMENTS);
        if derived {
            let rest = self.temp()?;
            self.op2(Op::Rest, rest, 0);
            let base = self.window(1)?;
            self.op_move(base + u32::from(frame::CALLEE), u32::from(frame::CALLEE));
            self.op1(Op::LoadNewTarget, base + u32::from(frame::NEW_TARGET));
            self.op_move(base + first, rest);
            self.at(info.start);
            self.op3(Op::CallSuper, u32::from(frame::THIS), base, 255);
        }
        if derived || info.instance_fields != NONE {
            self.op2(Op::InitialiseFields, u32::from(frame::THIS), u32::from(frame::CALLEE));
        }
        if derived {
            self.op1(Op::Return, u32::from(frame::THIS));
        } else {
            self.op0(Op::ReturnUndefined);
        }
        let mut flags = unit_flag::STRICT | unit_flag::CLASS;
        if derived {
            flags |= unit_flag::DERIVED;
        }
        Ok(bytecode::Function {
            name: self.text(name),
            flags,
            source: Range { start: info.start, end: info.end },
            ..bytecode::Function::default()
        })
    }

    // --- The top level ---

    fn top(&mut self, id: FunctionId, shape: &mut bytecode::Function) -> C<()> {
        let function = *self.tree.function(id);
        self.frame.scope = function.scope;
        if self.request.scope.is_some() {
            self.capture_eval_names()?;
        }
        match self.request.goal {
            Goal::Module => {
                shape.flags |= unit_flag::STRICT;
                if function.flags & function_flag::TOP_AWAIT != 0 {
                    shape.flags |= unit_flag::ASYNC;
                }
                self.module(id)
            }
            Goal::Eval => self.eval(id),
            _ => self.script(id),
        }
    }

    fn script(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        self.enter_own(id)?;
        self.enter_spill(id)?;
        self.declare_globals(function.scope, false)?;
        self.run_with_completion(function.body)
    }

    /// Runs the statements of a script or eval and returns their completion value.
    fn run_with_completion(&mut self, body: u32) -> C<()> {
        let statements = self.tree.list(body);
        // One expression is by far the most common eval.
        if let &[only] = statements
            && self.tree.node(only).kind == Kind::Expression
        {
            let value = self.any(self.tree.node(only).a)?;
            self.op1(Op::Return, value);
            return Ok(());
        }
        let completion = self.temp()?;
        self.frame.completion = Some(completion);
        self.op1(Op::LoadUndefined, completion);
        if self.statements(body)? {
            self.op1(Op::Return, completion);
        }
        Ok(())
    }

    /// Checks and declares the globals of a script or of indirect eval code.
    fn declare_globals(&mut self, scope: ScopeId, deletable: bool) -> C<()> {
        let bindings: Vec<BindingId> = self
            .tree
            .bindings_of(scope)
            .filter(|&binding| {
                !matches!(
                    self.tree.binding(binding).kind,
                    BindingKind::This | BindingKind::NewTarget | BindingKind::HomeObject | BindingKind::Callee
                )
            })
            .collect();
        let class_of = |kind: BindingKind| match kind {
            BindingKind::Var => 0,
            BindingKind::Function => 1,
            _ => 2,
        };
        for &binding in &bindings {
            let info = *self.tree.binding(binding);
            let class = class_of(info.kind);
            if deletable && class == 2 || info.flags & binding_flag::ANNEX_B != 0 {
                continue;
            }
            self.at(info.start);
            self.op_key(Op::CheckGlobal, class, 0, info.name)?;
        }
        for &binding in &bindings {
            let info = *self.tree.binding(binding);
            self.at(info.start);
            match info.kind {
                BindingKind::Function => {
                    let mark = self.frame.next;
                    let value = self.temp()?;
                    let function = self.tree.node(info.node).a;
                    self.closure(value, function, NONE)?;
                    self.op_key(Op::DeclareGlobalFunction, value, u32::from(deletable), info.name)?;
                    self.release(mark);
                }
                BindingKind::Var => {
                    self.op_key(Op::DeclareGlobal, if deletable { 3 } else { 0 }, 0, info.name)?;
                }
                _ if deletable => {}
                kind => {
                    self.op_key(Op::DeclareGlobal, if kind == BindingKind::Const { 2 } else { 1 }, 0, info.name)?;
                }
            }
        }
        Ok(())
    }

    fn eval(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        self.enter_own(id)?;
        self.enter_spill(id)?;
        if self.frame.strict {
            self.declare_scope(function.scope, true)?;
        } else {
            self.eval_variables(function.scope)?;
            let lexical: Vec<BindingId> = self
                .tree
                .bindings_of(function.scope)
                .filter(|&binding| matches!(self.tree.binding(binding).kind, BindingKind::Let | BindingKind::Const | BindingKind::Class))
                .collect();
            for binding in lexical {
                self.place(binding)?;
                self.prepare(binding)?;
            }
        }
        self.run_with_completion(function.body)
    }

    /// The `var`s and functions of sloppy eval code go to the function around it, or become globals.
    fn eval_variables(&mut self, scope: ScopeId) -> C<()> {
        let names = self.request.scope.unwrap_or(&[]);
        let object = names.iter().position(|entry| entry.1 == bytecode::VariableKind::ScopeObject);
        let end = object.unwrap_or(names.len());
        let bindings: Vec<BindingId> = self
            .tree
            .bindings_of(scope)
            .filter(|&binding| matches!(self.tree.binding(binding).kind, BindingKind::Var | BindingKind::Function))
            .collect();
        use bytecode::VariableKind::{Const, Let, Parameter, Var};
        let mut blocking: BTreeSet<&[u8]> = BTreeSet::new();
        let mut variables: BTreeMap<&[u8], usize> = BTreeMap::new();
        for (index, &(name, kind)) in names[..end].iter().enumerate() {
            match kind {
                Let | Const | Parameter => {
                    blocking.insert(name);
                }
                Var => {
                    variables.entry(name).or_insert(index);
                }
                _ => {}
            }
        }
        // A `let` between the eval and the variables' scope must not have the same name.
        for &binding in &bindings {
            let info = *self.tree.binding(binding);
            let text = self.tree.text(info.name);
            if blocking.contains(text) && info.flags & binding_flag::ANNEX_B == 0 {
                let message = format!("Identifier '{}' has already been declared", String::from_utf8_lossy(text));
                return self.syntax_error(message, info.start);
            }
        }
        let Some(object) = object else {
            return self.declare_globals(scope, true);
        };
        let mark = self.frame.next;
        let holder = self.take(2)?;
        if !bindings.is_empty() {
            self.op_ax(Op::GetCapture, holder, object as u32);
        }
        for binding in bindings {
            let info = *self.tree.binding(binding);
            // A variable that the function has already is used as it is.
            let known = variables.get(self.tree.text(info.name)).copied();
            if known.is_none() {
                self.op_key(Op::DeclareInScope, holder, 0, info.name)?;
            }
            if info.kind == BindingKind::Function {
                let function = self.tree.node(info.node).a;
                self.closure(holder + 1, function, NONE)?;
                match known {
                    Some(index) => self.op_ax(Op::SetCapture, holder + 1, index as u32),
                    None => self.op_key(Op::SetField, holder, holder + 1, info.name)?,
                }
            }
        }
        self.release(mark);
        Ok(())
    }

    fn module(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        self.enter_own(id)?;
        self.enter_spill(id)?;
        let mut shape = ModuleShape { is_async: function.flags & function_flag::TOP_AWAIT != 0, ..ModuleShape::default() };
        for index in 0..self.tree.requests().len() {
            let text = self.text(self.tree.requests()[index].specifier);
            shape.requests.push(text);
        }
        for (number, entry) in self.tree.imports().to_vec().into_iter().enumerate() {
            let name = (entry.name != NONE).then(|| self.text(entry.name));
            shape.imports.push((entry.request, name));
            let register = self.temp()?;
            self.op_ax(Op::ImportBox, register, number as u32);
            self.keep_box(entry.binding, register)?;
        }
        let imported: BTreeMap<BindingId, crate::syntax::tree::ImportEntry> =
            self.tree.imports().iter().map(|import| (import.binding, *import)).collect();
        // One box for each exported variable, however many names it is exported under.
        let mut boxes: BTreeMap<BindingId, usize> = BTreeMap::new();
        for entry in self.tree.exports().to_vec() {
            if entry.request != NONE {
                if entry.name == NONE {
                    shape.stars.push(entry.request);
                } else {
                    let name = self.text(entry.name);
                    let there = (entry.local != NONE).then(|| self.text(entry.local));
                    shape.indirect.push((name, entry.request, there));
                }
                continue;
            }
            let info = *self.tree.binding(entry.binding);
            let name = self.text(entry.name);
            if info.kind == BindingKind::Import {
                if let Some(import) = imported.get(&entry.binding) {
                    let there = (import.name != NONE).then(|| self.text(import.name));
                    shape.indirect.push((name, import.request, there));
                }
                continue;
            }
            let number = match boxes.get(&entry.binding) {
                Some(&number) => number,
                None => {
                    let number = boxes.len();
                    boxes.insert(entry.binding, number);
                    let register = self.temp()?;
                    self.op_ax(Op::ExportBox, register, number as u32);
                    if matches!(info.kind, BindingKind::Var) {
                        let mark = self.frame.next;
                        let value = self.temp()?;
                        self.op1(Op::LoadUndefined, value);
                        self.op2(Op::SetBox, register, value);
                        self.release(mark);
                    }
                    self.keep_box(entry.binding, register)?;
                    number
                }
            };
            shape.exports.push((name, number as u32));
        }
        shape.export_boxes = boxes.len() as u32;
        self.unit.module = Some(shape);
        let bindings: Vec<BindingId> = self.tree.bindings_of(function.scope).collect();
        for &binding in &bindings {
            let info = *self.tree.binding(binding);
            let declared = matches!(
                info.kind,
                BindingKind::Var | BindingKind::BlockFunction | BindingKind::Let | BindingKind::Const | BindingKind::Class
            );
            if declared && self.places[binding as usize] == Place::None {
                self.place(binding)?;
                self.prepare(binding)?;
            }
        }
        for binding in bindings {
            self.hoist(binding)?;
        }
        self.op0(Op::InitialYield);
        if self.statements(function.body)? {
            self.op0(Op::ReturnUndefined);
        }
        Ok(())
    }
}
