//! Conditions that jump, and `delete`.

use super::emit::LabelId;
use super::statement::number;
use super::{C, Compiler, Reg};
use crate::bytecode::{Constant, Op};
use crate::syntax::tree::{BinaryOp, Kind, LogicalOp, Node, NodeId, UnaryOp, flag};

impl Compiler<'_> {
    /// Jumps to `label` if the condition's truth is `when`, else goes on.
    pub(super) fn condition(&mut self, id: NodeId, when: bool, label: LabelId) -> C<()> {
        let node = self.tree.node(id);
        let mark = self.frame.next;
        match node.kind {
            Kind::Unary if node.small == UnaryOp::Not as u16 => return self.condition(node.a, !when, label),
            Kind::True | Kind::False => {
                if (node.kind == Kind::True) == when {
                    self.jump(label);
                }
                return Ok(());
            }
            Kind::Logical if node.small != LogicalOp::Coalesce as u16 => {
                return self.logical_condition(id, node.small, when, label);
            }
            Kind::Binary => {
                if let Some((holds, fails)) = jumps(BinaryOp::from_small(node.small)) {
                    let op = if when { holds } else { fails };
                    self.comparison(node, op, label)?;
                    self.release(mark);
                    return Ok(());
                }
            }
            _ => {}
        }
        let value = self.any(id)?;
        self.jump_if(if when { Op::JumpTrue } else { Op::JumpFalse }, value, label);
        self.release(mark);
        Ok(())
    }

    pub(super) fn comparison(&mut self, node: Node, op: Op, label: LabelId) -> C<()> {
        let left = self.operand_kept(node.a, node.b)?;
        let right = self.tree.node(node.b);
        if right.kind == Kind::Number
            && let Some(int) = Self::small_int(number(right))
        {
            let form = match op {
                Op::JumpLess => Some((Op::JumpLessInt, int)),
                Op::JumpNotLess => Some((Op::JumpNotLessInt, int)),
                Op::JumpGreater => Some((Op::JumpGreaterInt, int)),
                Op::JumpNotGreater => Some((Op::JumpNotGreaterInt, int)),
                Op::JumpStrictEqual => Some((Op::JumpStrictEqualInt, int)),
                Op::JumpStrictNotEqual => Some((Op::JumpStrictNotEqualInt, int)),
                _ => None,
            };
            if let Some((form, int)) = form {
                self.at(node.start);
                self.op_ax(form, left, int as u16 as u32);
                self.distance(label);
                return Ok(());
            }
        }
        let right = self.any(node.b)?;
        self.at(node.start);
        self.jump_compare(op, left, right, label);
        Ok(())
    }

    /// `&&` and `||` as conditions; a chain of one of them is walked in a loop.
    pub(super) fn logical_condition(&mut self, id: NodeId, small: u16, when: bool, label: LabelId) -> C<()> {
        let base = self.spine.len();
        let mut left = id;
        loop {
            let node = self.tree.node(left);
            if node.kind != Kind::Logical || node.small != small {
                break;
            }
            self.spine.push(node.b);
            left = node.a;
        }
        // `a && b` is false as soon as one is; `a || b` true as soon as one is.
        let decisive = small == LogicalOp::Or as u16;
        let skip = self.label();
        let early = if when == decisive { label } else { skip };
        self.condition(left, decisive, early)?;
        while self.spine.len() > base {
            let Some(operand) = self.spine.pop() else { break };
            if self.spine.len() == base {
                self.condition(operand, when, label)?;
            } else {
                self.condition(operand, decisive, early)?;
            }
        }
        self.bind(skip)
    }

    pub(super) fn delete(&mut self, node: Node, to: Reg) -> C<()> {
        let operand = self.tree.node(node.a);
        match operand.kind {
            Kind::Identifier => self.delete_name(node.a, to),
            Kind::Member | Kind::Index => self.delete_member(node, operand, to),
            Kind::OptionalChain => {
                let inner = self.tree.node(operand.a);
                if !matches!(inner.kind, Kind::Member | Kind::Index) {
                    self.effect(node.a)?;
                    self.op1(Op::LoadTrue, to);
                    return Ok(());
                }
                // Everything up to the last member is an ordinary chain; where it ends early the answer is true.
                let object = self.temp()?;
                let (skip, done) = (self.label(), self.label());
                self.chain_part(inner.a, object, skip)?;
                if inner.flags & flag::OPTIONAL != 0 {
                    self.jump_if(Op::JumpNullish, object, skip);
                }
                self.delete_from(node, inner, object, to)?;
                self.jump(done);
                self.bind(skip)?;
                self.op1(Op::LoadTrue, to);
                self.bind(done)
            }
            _ => {
                self.effect(node.a)?;
                self.op1(Op::LoadTrue, to);
                Ok(())
            }
        }
    }

    pub(super) fn delete_member(&mut self, node: Node, operand: Node, to: Reg) -> C<()> {
        if self.tree.node(operand.a).kind == Kind::Super {
            let this = self.temp()?;
            self.load_this(this, node.start)?;
            if operand.kind == Kind::Index {
                self.effect(operand.b)?;
            }
            let text = self.new_text(b"Unsupported reference to 'super'");
            let constant = self.constant(Constant::Text(text));
            self.at(node.start);
            self.op1(Op::ThrowError, 1);
            self.word(constant);
            return Ok(());
        }
        let object = self.operand_kept(operand.a, if operand.kind == Kind::Index { operand.b } else { operand.a })?;
        self.delete_from(node, operand, object, to)
    }

    pub(super) fn delete_from(&mut self, node: Node, operand: Node, object: Reg, to: Reg) -> C<()> {
        if operand.kind == Kind::Member && !self.is_keyed(operand.b) {
            self.at(node.start);
            return self.op_key(Op::DeleteField, to, object, operand.b);
        }
        let key = self.temp()?;
        if operand.kind == Kind::Member {
            self.load_text(key, operand.b);
        } else {
            self.expr(operand.b, key)?;
        }
        self.at(node.start);
        self.op3(Op::DeleteElement, to, object, key);
        Ok(())
    }

    /// `delete name`: false for variables, true or the object's answer for what objects hold.
    pub(super) fn delete_name(&mut self, id: NodeId, to: Reg) -> C<()> {
        let node = self.tree.node(id);
        let object = self.temp()?;
        let (found, done) = (self.label(), self.label());
        let dynamic = self.is_dynamic(id);
        if dynamic {
            self.search(id, object, found)?;
        }
        match self.variable(node.a, node.b) {
            super::names::Variable::Global => {
                self.op1(Op::LoadGlobalObject, object);
                self.at(node.start);
                self.op_key(Op::DeleteField, to, object, node.a)?;
            }
            _ => self.op1(Op::LoadFalse, to),
        }
        if dynamic {
            self.jump(done);
            self.bind(found)?;
            self.op_key(Op::DeleteField, to, object, node.a)?;
            self.bind(done)?;
        }
        Ok(())
    }
}

/// The jumps of a comparison: taken if it holds, taken unless it holds.
fn jumps(op: BinaryOp) -> Option<(Op, Op)> {
    Some(match op {
        BinaryOp::Lt => (Op::JumpLess, Op::JumpNotLess),
        BinaryOp::Le => (Op::JumpLessEqual, Op::JumpNotLessEqual),
        BinaryOp::Gt => (Op::JumpGreater, Op::JumpNotGreater),
        BinaryOp::Ge => (Op::JumpGreaterEqual, Op::JumpNotGreaterEqual),
        BinaryOp::Eq => (Op::JumpEqual, Op::JumpNotEqual),
        BinaryOp::Ne => (Op::JumpNotEqual, Op::JumpEqual),
        BinaryOp::StrictEq => (Op::JumpStrictEqual, Op::JumpStrictNotEqual),
        BinaryOp::StrictNe => (Op::JumpStrictNotEqual, Op::JumpStrictEqual),
        _ => return None,
    })
}
