//! Destructuring, of declarations and of assignments.

use super::control::ControlKind;
use super::{C, Compiler, Reg};
use crate::bytecode::Op;
use crate::syntax::tree::{Kind, NONE, NodeId, flag};

impl Compiler<'_> {
    /// Gives the names of a declaration's target the parts of a value.
    pub(super) fn bind_pattern(&mut self, target: NodeId, value: Reg) -> C<()> {
        match self.tree.node(target).kind {
            Kind::BindingIdentifier => self.initialise_name(target, value),
            _ => self.destructure(target, value),
        }
    }

    /// Takes a value apart. The value's register is only read.
    pub(super) fn destructure(&mut self, pattern: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(pattern);
        self.at(node.start);
        let mark = self.frame.next;
        if node.kind == Kind::ObjectPattern {
            self.object_pattern(pattern, value)?;
        } else {
            self.array_pattern(pattern, value)?;
        }
        self.release(mark);
        Ok(())
    }

    fn object_pattern(&mut self, pattern: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(pattern);
        self.op1(Op::RequireObjectCoercible, value);
        let items: Vec<NodeId> = self.tree.list(node.a).to_vec();
        let rest = items.last().is_some_and(|&last| self.tree.node(last).kind == Kind::Rest);
        // The rest is copied without the keys before it: they are kept in a row.
        let keys = if rest { self.take(items.len() as u32)? } else { NONE };
        for (index, &item) in items.iter().enumerate() {
            let property = self.tree.node(item);
            let mark = self.frame.next;
            if property.kind == Kind::Rest {
                let target = self.prepare_target(property.a, NONE)?;
                if index == 0 {
                    self.op_ax(Op::NewObject, keys, 0);
                }
                self.op3(Op::CopyProperties, keys, value, index as u32);
                // CopyProperties adds to an object.
                self.store_target(&target, property.a, keys)?;
                self.release(mark);
                continue;
            }
            let key_node = self.tree.node(property.a);
            let computed = property.flags & flag::COMPUTED != 0;
            let named = !computed && key_node.kind == Kind::String && !self.is_keyed(key_node.a);
            let mut key = NONE;
            if !named || rest {
                key = if rest { keys + 1 + index as u32 } else { self.temp()? };
                if named {
                    self.load_text(key, key_node.a);
                } else {
                    self.expr(property.a, key)?;
                    if computed || rest {
                        self.op2(Op::ToPropertyKey, key, key);
                    }
                }
            }
            if rest && index == 0 {
                self.op_ax(Op::NewObject, keys, 0);
            }
            let (target_node, default) = self.split_default(property.b);
            let target = self.prepare_target(target_node, NONE)?;
            let part = self.temp()?;
            self.at(property.start);
            if named {
                self.op_key(Op::GetField, part, value, key_node.a)?;
            } else {
                self.op3(Op::GetElement, part, value, key);
            }
            self.default_value(part, default, target_node)?;
            self.store_target(&target, target_node, part)?;
            self.release(mark);
        }
        Ok(())
    }

    fn array_pattern(&mut self, pattern: NodeId, value: Reg) -> C<()> {
        let node = self.tree.node(pattern);
        let iterator = self.take(3)?;
        self.op2(Op::GetIterator, iterator, value);
        let items: Vec<NodeId> = self.tree.list(node.a).to_vec();
        self.push_control(ControlKind::Iterator { register: iterator, is_async: false }, NONE, NONE);
        for item in items {
            let element = self.tree.node(item);
            let mark = self.frame.next;
            match element.kind {
                Kind::Elision => {
                    let part = self.temp()?;
                    self.at(element.start);
                    self.op2(Op::IteratorStep, part, iterator);
                }
                Kind::Rest => {
                    let target = self.prepare_target(element.a, NONE)?;
                    let part = self.temp()?;
                    self.at(element.start);
                    self.op2(Op::IteratorRest, part, iterator);
                    self.store_target(&target, element.a, part)?;
                }
                _ => {
                    let (target_node, default) = self.split_default(item);
                    let target = self.prepare_target(target_node, NONE)?;
                    let part = self.temp()?;
                    self.at(element.start);
                    self.op2(Op::IteratorStep, part, iterator);
                    self.default_value(part, default, target_node)?;
                    self.store_target(&target, target_node, part)?;
                }
            }
            self.release(mark);
        }
        self.end_region();
        let done = self.label();
        self.op1(Op::IteratorClose, iterator);
        self.jump(done);
        self.close_on_throw(iterator, false)?;
        self.bind(done)
    }

    fn split_default(&self, item: NodeId) -> (NodeId, NodeId) {
        let node = self.tree.node(item);
        if node.kind == Kind::Default { (node.a, node.b) } else { (item, NONE) }
    }

    /// Replaces undefined by the value of an initialiser.
    fn default_value(&mut self, part: Reg, default: NodeId, target: NodeId) -> C<()> {
        if default == NONE {
            return Ok(());
        }
        let given = self.label();
        self.jump_if(Op::JumpNotUndefined, part, given);
        let node = self.tree.node(target);
        let name = match node.kind {
            Kind::BindingIdentifier => node.a,
            Kind::Identifier => node.a,
            _ => NONE,
        };
        self.named_expression(default, part, name)?;
        self.bind(given)
    }
}
