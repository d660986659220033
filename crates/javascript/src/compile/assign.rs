//! Assignments and the places they assign to.

use super::names::Variable;
use super::{C, Compiler, Reg};
use crate::bytecode::Op;
use crate::syntax::atoms::Atom;
use crate::syntax::tree::{AssignOp, Kind, NONE, Node, NodeId, flag};

/// A place to assign to whose parts have been evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A variable, a pattern: nothing to evaluate beforehand.
    Later,
    /// A variable that was looked for in objects: the object (or undefined) is in the register.
    Dynamic {
        object: Reg,
    },
    Field {
        object: Reg,
        name: Atom,
    },
    Element {
        object: Reg,
        key: Reg,
    },
    Private {
        object: Reg,
        name: Reg,
    },
    Super {
        key: Reg,
        this: Reg,
        function: Reg,
    },
    /// A call: evaluating it was all there is, then assigning fails.
    Invalid,
}

impl Compiler<'_> {
    /// Evaluates the parts of a target, in order, into registers that stay as they are while the nodes up to
    /// `until` are evaluated (NONE: whatever is).
    pub(super) fn prepare_target(&mut self, id: NodeId, until: NodeId) -> C<Target> {
        let node = self.tree.node(id);
        match node.kind {
            Kind::Identifier if self.is_dynamic(id) => {
                let object = self.temp()?;
                let found = self.label();
                self.search(id, object, found)?;
                self.op1(Op::LoadUndefined, object);
                self.bind(found)?;
                Ok(Target::Dynamic { object })
            }
            Kind::BindingIdentifier if node.b != NONE && self.declared_dynamically(id) => {
                let object = self.temp()?;
                let found = self.label();
                self.search(id, object, found)?;
                self.op1(Op::LoadUndefined, object);
                self.bind(found)?;
                Ok(Target::Dynamic { object })
            }
            Kind::Member => {
                if self.tree.node(node.a).kind == Kind::Super {
                    return self.super_target(id);
                }
                let object = self.operand_kept(node.a, until)?;
                if self.is_keyed(node.b) {
                    let key = self.temp()?;
                    self.load_text(key, node.b);
                    return Ok(Target::Element { object, key });
                }
                Ok(Target::Field { object, name: node.b })
            }
            Kind::Index => {
                if self.tree.node(node.a).kind == Kind::Super {
                    return self.super_target(id);
                }
                let object = self.operand_kept(node.a, until)?;
                let key = self.operand_kept(node.b, until)?;
                Ok(Target::Element { object, key })
            }
            Kind::PrivateMember => {
                let object = self.operand_kept(node.a, until)?;
                let name = self.load_private(node.b)?;
                Ok(Target::Private { object, name })
            }
            Kind::Call => {
                let value = self.temp()?;
                self.expr(id, value)?;
                Ok(Target::Invalid)
            }
            _ => Ok(Target::Later),
        }
    }

    fn super_target(&mut self, id: NodeId) -> C<Target> {
        let node = self.tree.node(id);
        let first = self.take(3)?;
        self.load_this(first, node.start)?;
        if node.kind == Kind::Member {
            self.load_text(first + 1, node.b);
        } else {
            self.expr(node.b, first + 1)?;
        }
        self.load_owner_function(first + 2)?;
        Ok(Target::Super { this: first, key: first + 1, function: first + 2 })
    }

    /// Stores into a prepared target.
    pub(super) fn store_target(&mut self, target: &Target, id: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(id);
        match *target {
            Target::Later => match node.kind {
                Kind::Identifier => self.store_name(id, value),
                Kind::BindingIdentifier => self.initialise_name(id, value),
                _ => self.destructure(id, value),
            },
            Target::Dynamic { object } => {
                let (plain, done) = (self.label(), self.label());
                self.jump_if(Op::JumpUndefined, object, plain);
                self.at(node.start);
                self.set_in_scope(object, value, node.a)?;
                self.jump(done);
                self.bind(plain)?;
                self.store_static(id, value)?;
                self.bind(done)
            }
            Target::Field { object, name } => {
                self.at(node.start);
                self.op_key(Op::SetField, object, value, name)
            }
            Target::Element { object, key } => {
                self.at(node.start);
                self.op3(Op::SetElement, object, key, value);
                Ok(())
            }
            Target::Private { object, name } => {
                self.at(node.start);
                self.op3(Op::SetPrivate, object, name, value);
                Ok(())
            }
            Target::Super { key, this, function } => {
                self.at(node.start);
                self.op3(Op::SetSuper, value, key, this);
                self.word(function);
                Ok(())
            }
            Target::Invalid => {
                self.at(node.start);
                let text = self.new_text(b"Invalid left-hand side in assignment");
                let constant = self.constant(crate::bytecode::Constant::Text(text));
                self.op1(Op::ThrowError, 1);
                self.word(constant);
                Ok(())
            }
        }
    }

    /// Reads a prepared target (compound assignment).
    fn load_target(&mut self, target: &Target, id: NodeId, to: Reg) -> C<()> {
        let node = self.tree.node(id);
        self.at(node.start);
        match *target {
            Target::Later => self.load_name(id, to, false),
            Target::Dynamic { object } => {
                let (plain, done) = (self.label(), self.label());
                self.jump_if(Op::JumpUndefined, object, plain);
                self.get_in_scope(to, object, node.a)?;
                self.jump(done);
                self.bind(plain)?;
                self.load_static(id, to, false)?;
                self.bind(done)
            }
            Target::Field { object, name } => self.op_key(Op::GetField, to, object, name),
            Target::Element { object, key } => {
                self.op3(Op::GetElement, to, object, key);
                Ok(())
            }
            Target::Private { object, name } => {
                self.op3(Op::GetPrivate, to, object, name);
                Ok(())
            }
            Target::Super { key, this, function } => {
                self.op3(Op::GetSuper, to, key, this);
                self.word(function);
                Ok(())
            }
            Target::Invalid => self.store_target(target, id, to),
        }
    }

    /// Assigns the value in a register to a target none of whose parts is evaluated yet.
    pub(super) fn assign_target(&mut self, id: NodeId, value: Reg) -> C<()> {
        let mark = self.frame.next;
        let target = self.prepare_target(id, NONE)?;
        self.store_target(&target, id, value)?;
        self.release(mark);
        Ok(())
    }

    /// `name = value` where the name is looked for before the value is computed.
    pub(super) fn assign_dynamic(&mut self, id: NodeId, value: NodeId) -> C<()> {
        let target = self.prepare_target(id, NONE)?;
        let register = self.temp()?;
        self.named_expression(value, register, self.tree.node(id).a)?;
        self.store_target(&target, id, register)
    }

    /// The variable's own register if `id` names a plain local that needs no check.
    pub(super) fn plain_local(&self, id: NodeId) -> Option<Reg> {
        let node = self.tree.node(id);
        if node.kind != Kind::Identifier || node.flags & (flag::TDZ | flag::DYNAMIC) != 0 || node.b == NONE {
            return None;
        }
        match self.variable(node.a, node.b) {
            Variable::Binding(binding) if !self.is_constant(binding) => self.register_of(binding),
            _ => None,
        }
    }

    fn is_constant(&self, binding: u32) -> bool {
        use crate::syntax::tree::BindingKind;
        matches!(
            self.tree.binding(binding).kind,
            BindingKind::Const | BindingKind::ClassName | BindingKind::FunctionName | BindingKind::Import
        )
    }

    /// An assignment; gives the register where its value is. `to`: a register for it, if it is wanted in one.
    pub(super) fn assignment(&mut self, id: NodeId, to: Option<Reg>) -> C<Reg> {
        let node = self.tree.node(id);
        let op = AssignOp::from_small(node.small);
        match op {
            AssignOp::Assign => self.plain_assignment(node, to),
            AssignOp::And | AssignOp::Or | AssignOp::Coalesce => self.logical_assignment(node, op, to),
            _ => self.compound_assignment(node, op, to),
        }
    }

    fn plain_assignment(&mut self, node: Node, to: Option<Reg>) -> C<Reg> {
        let target_node = self.tree.node(node.a);
        let name = if target_node.kind == Kind::Identifier && target_node.flags & flag::PARENTHESISED == 0 { target_node.a } else { NONE };
        if let Some(register) = self.plain_local(node.a) {
            self.local_expression(node.b, register, name)?;
            if let Some(to) = to {
                self.op_move(to, register);
                return Ok(to);
            }
            return Ok(register);
        }
        let target = self.prepare_target(node.a, node.b)?;
        let value = match to {
            Some(to) => {
                self.named_expression(node.b, to, name)?;
                to
            }
            None if name == NONE => self.any(node.b)?,
            None => {
                let value = self.temp()?;
                self.named_expression(node.b, value, name)?;
                value
            }
        };
        self.store_target(&target, node.a, value)?;
        Ok(value)
    }

    fn compound_assignment(&mut self, node: Node, op: AssignOp, to: Option<Reg>) -> C<Reg> {
        let op = super::expression::binary_op(op as u16);
        if let Some(register) = self.plain_local(node.a) {
            let mark = self.frame.next;
            // The right side may change the variable; the old value is what counts.
            let mut old = register;
            if self.writes_between(node.a, node.b) {
                old = self.temp()?;
                self.op_move(old, register);
            }
            self.arithmetic(op, register, old, node.b, node.start)?;
            self.release(mark);
            if let Some(to) = to {
                self.op_move(to, register);
                return Ok(to);
            }
            return Ok(register);
        }
        let value = match to {
            Some(to) => to,
            None => self.temp()?,
        };
        let target = self.prepare_target(node.a, node.b)?;
        let target = self.key_once(target)?;
        let old = self.temp()?;
        self.load_target(&target, node.a, old)?;
        self.arithmetic(op, value, old, node.b, node.start)?;
        self.store_target(&target, node.a, value)?;
        Ok(value)
    }

    /// A key that is read and written is converted once.
    fn key_once(&mut self, target: Target) -> C<Target> {
        let Target::Element { object, key } = target else { return Ok(target) };
        let converted = self.temp()?;
        self.op3(Op::ToPropertyKey, converted, key, object);
        Ok(Target::Element { object, key: converted })
    }

    fn logical_assignment(&mut self, node: Node, op: AssignOp, to: Option<Reg>) -> C<Reg> {
        let value = match to {
            Some(to) => to,
            None => self.temp()?,
        };
        let jump = match op {
            AssignOp::And => Op::JumpFalse,
            AssignOp::Or => Op::JumpTrue,
            _ => Op::JumpNotNullish,
        };
        let target_node = self.tree.node(node.a);
        let name = if target_node.kind == Kind::Identifier && target_node.flags & flag::PARENTHESISED == 0 { target_node.a } else { NONE };
        let target = self.prepare_target(node.a, node.b)?;
        let target = self.key_once(target)?;
        let end = self.label();
        self.load_target(&target, node.a, value)?;
        self.jump_if(jump, value, end);
        self.named_expression(node.b, value, name)?;
        self.store_target(&target, node.a, value)?;
        self.bind(end)?;
        Ok(value)
    }

    /// `++` and `--`; `to` gets the value of the expression if it is wanted.
    pub(super) fn update(&mut self, id: NodeId, to: Option<Reg>) -> C<Reg> {
        let node = self.tree.node(id);
        let prefix = node.flags & flag::PREFIX != 0;
        let op = if node.flags & flag::DECREMENT != 0 { Op::Decrement } else { Op::Increment };
        self.at(node.start);
        if let Some(register) = self.plain_local(node.a) {
            let Some(to) = to else {
                self.op2(op, register, register);
                return Ok(register);
            };
            if prefix {
                self.op2(op, register, register);
                self.op_move(to, register);
            } else {
                self.op2(Op::ToNumeric, to, register);
                self.op2(op, register, to);
            }
            return Ok(to);
        }
        let value = match to {
            Some(to) => to,
            None => self.temp()?,
        };
        let mark = self.frame.next;
        let target = self.prepare_target(node.a, id - 1)?;
        let target = self.key_once(target)?;
        if prefix || to.is_none() {
            self.load_target(&target, node.a, value)?;
            self.op2(op, value, value);
            self.store_target(&target, node.a, value)?;
        } else {
            let new = self.temp()?;
            self.load_target(&target, node.a, value)?;
            self.op2(Op::ToNumeric, value, value);
            self.op2(op, new, value);
            self.store_target(&target, node.a, new)?;
        }
        self.release(mark);
        Ok(value)
    }
}
