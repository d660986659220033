//! Expressions that make something of their parts: arrays, objects, templates; and those that a generator waits in.

use super::control::Exit;
use super::emit::LabelId;
use super::{C, Compiler, Reg};
use crate::bytecode::{Constant, Op, frame};
use crate::syntax::atoms::known;
use crate::syntax::tree::{Kind, NONE, Node, NodeId, PropertyKind, flag, function_flag};

impl Compiler<'_> {
    pub(super) fn array(&mut self, node: Node, to: Reg) -> C<()> {
        let count = self.tree.list(node.a).len();
        self.op_ax(Op::NewArray, to, count.min(0xFFFF) as u32);
        for index in 0..count {
            let item = self.tree.list(node.a)[index];
            let element = self.tree.node(item);
            let mark = self.frame.next;
            match element.kind {
                Kind::Elision => self.op1(Op::ArrayPushHole, to),
                Kind::Spread => {
                    let value = self.any(element.a)?;
                    self.at(element.start);
                    self.op2(Op::ArraySpread, to, value);
                }
                _ => {
                    let value = self.any(item)?;
                    self.op2(Op::ArrayPush, to, value);
                }
            }
            self.release(mark);
        }
        Ok(())
    }

    pub(super) fn object(&mut self, node: Node, to: Reg) -> C<()> {
        let count = self.tree.list(node.a).len();
        self.op_ax(Op::NewObject, to, count.min(0xFFFF) as u32);
        for index in 0..count {
            let item = self.tree.list(node.a)[index];
            let mark = self.frame.next;
            self.property(item, to)?;
            self.release(mark);
        }
        Ok(())
    }

    pub(super) fn property(&mut self, id: NodeId, object: Reg) -> C<()> {
        let node = self.tree.node(id);
        if node.kind == Kind::Spread {
            let value = self.any(node.a)?;
            self.at(node.start);
            self.op3(Op::CopyProperties, object, value, 0);
            return Ok(());
        }
        let key = self.tree.node(node.a);
        let computed = node.flags & flag::COMPUTED != 0;
        let named = !computed && key.kind == Kind::String && !self.is_keyed(key.a);
        let kind = PropertyKind::from_small(node.small);
        if kind != PropertyKind::Init {
            let register = self.take(2)?;
            self.property_name(node.a, computed, register)?;
            self.method_closure(node.b, register + 1, register, kind, computed || !named)?;
            self.at(node.start);
            self.op3(Op::DefineMethod, object, register, register + 1);
            self.word(1 | method_kind(kind) << 1);
            return Ok(());
        }
        if node.flags & flag::SETS_PROTOTYPE != 0 && node.flags & flag::SHORTHAND == 0 {
            let value = self.any(node.b)?;
            self.op2(Op::SetPrototype, object, value);
            return Ok(());
        }
        if named {
            let value_node = self.tree.node(node.b);
            let anonymous = matches!(value_node.kind, Kind::Function | Kind::Arrow | Kind::Class);
            let value = if anonymous {
                let value = self.temp()?;
                self.named_expression(node.b, value, key.a)?;
                value
            } else {
                self.any(node.b)?
            };
            self.at(node.start);
            return self.op_key(Op::DefineField, object, value, key.a);
        }
        let register = self.take(2)?;
        self.property_name(node.a, computed, register)?;
        let value_node = self.tree.node(node.b);
        self.expr(node.b, register + 1)?;
        if self.is_anonymous(value_node) {
            self.op3(Op::SetFunctionName, register + 1, register, 0);
        }
        self.at(node.start);
        self.op3(Op::DefineElement, object, register, register + 1);
        Ok(())
    }

    /// A function or class without a name of its own.
    pub(super) fn is_anonymous(&self, node: Node) -> bool {
        match node.kind {
            Kind::Arrow => true,
            Kind::Function => self.tree.function(node.a).name == NONE,
            Kind::Class => self.tree.class(node.a).name == NONE,
            _ => false,
        }
    }

    /// The key of a property or class element as a property key in a register.
    pub(super) fn property_name(&mut self, key: NodeId, computed: bool, to: Reg) -> C<()> {
        let node = self.tree.node(key);
        self.expr(key, to)?;
        if computed || matches!(node.kind, Kind::Number | Kind::BigInt) {
            self.at(node.start);
            self.op2(Op::ToPropertyKey, to, to);
        }
        Ok(())
    }

    /// The closure of a method; its name comes from the key, at run time if that is where the key is known.
    pub(super) fn method_closure(&mut self, function: NodeId, to: Reg, key: Reg, kind: PropertyKind, late_name: bool) -> C<()> {
        let id = self.tree.node(function).a;
        self.closure(to, id, NONE)?;
        if late_name || kind != PropertyKind::Init && kind != PropertyKind::Method {
            self.op3(Op::SetFunctionName, to, key, method_kind(kind));
        }
        Ok(())
    }

    pub(super) fn template(&mut self, node: Node, to: Reg) -> C<()> {
        let parts: Vec<u32> = self.tree.list(node.a).to_vec();
        if parts.len() <= 2 {
            self.load_text(to, parts.first().copied().unwrap_or(known::EMPTY));
            return Ok(());
        }
        // Strings in a row, joined when all or enough of them are there.
        let first = self.frame.next;
        let mut index = 0;
        let mut pending = 0;
        while index < parts.len() {
            if parts[index] != known::EMPTY {
                let register = self.temp()?;
                self.load_text(register, parts[index]);
                pending += 1;
            }
            if let Some(&value) = parts.get(index + 2) {
                let register = self.temp()?;
                self.expr(value, register)?;
                self.at(self.tree.node(value).start);
                self.op2(Op::ToString, register, register);
                pending += 1;
            }
            index += 3;
            if pending >= 16 && index < parts.len() {
                self.op3(Op::Concat, first, first, pending);
                self.release(first + 1);
                pending = 1;
            }
        }
        if pending == 1 {
            self.op_move(to, first);
        } else {
            self.op3(Op::Concat, to, first, pending);
        }
        Ok(())
    }

    pub(super) fn yield_expression(&mut self, node: Node, to: Reg) -> C<()> {
        if node.flags & flag::DELEGATE != 0 {
            return self.yield_star(node, to);
        }
        let is_async = self.frame.flags & function_flag::ASYNC != 0;
        let value = self.take(2)?;
        let returned = value + 1;
        if node.a == NONE {
            self.op1(Op::LoadUndefined, value);
        } else {
            self.expr(node.a, value)?;
        }
        self.at(node.start);
        if is_async {
            self.op2(Op::Await, value, value);
        }
        let next = self.label();
        self.op3(Op::Yield, value, value, returned);
        self.jump_if(Op::JumpFalse, returned, next);
        if is_async {
            self.op2(Op::Await, value, value);
        }
        self.exit(Exit::Return(value))?;
        self.bind(next)?;
        self.op_move(to, value);
        Ok(())
    }

    pub(super) fn yield_star(&mut self, node: Node, to: Reg) -> C<()> {
        let is_async = self.frame.flags & function_flag::ASYNC != 0;
        let iterator = self.take(3)?;
        let (received, mode, method, result) = (self.temp()?, self.temp()?, self.temp()?, self.temp()?);
        self.expr(node.a, received)?;
        self.at(node.start);
        self.op2(if is_async { Op::GetAsyncIterator } else { Op::GetIterator }, iterator, received);
        self.op1(Op::LoadUndefined, received);
        let (next, resumed, inspect, throwing, finished, done) =
            (self.label(), self.label(), self.label(), self.label(), self.label(), self.label());
        self.bind(next)?;
        self.op3(Op::IteratorCallNext, result, iterator, received);
        self.bind(inspect)?;
        self.pass_on(is_async, (result, method), done)?;
        self.op3(Op::YieldRaw, received, result, mode);
        self.bind(resumed)?;
        self.op_ax(Op::JumpStrictEqualInt, mode, 0);
        self.distance(next);
        self.op_ax(Op::JumpStrictEqualInt, mode, 1);
        self.distance(throwing);
        // Resumed by return: the inner iterator may have a say.
        self.op_key(Op::GetIteratorMethod, method, iterator, known::RETURN)?;
        let ask = self.label();
        self.jump_if(Op::JumpNotUndefined, method, ask);
        if is_async {
            self.op2(Op::Await, received, received);
        }
        self.exit(Exit::Return(received))?;
        self.bind(ask)?;
        self.call_with(method, iterator, received, result)?;
        self.pass_on(is_async, (result, method), finished)?;
        self.op3(Op::YieldRaw, received, result, mode);
        self.jump(resumed);
        self.bind(finished)?;
        self.op_key(Op::GetField, result, result, known::VALUE)?;
        self.exit(Exit::Return(result))?;
        // Resumed by throw.
        self.bind(throwing)?;
        self.op_key(Op::GetIteratorMethod, method, iterator, known::THROW)?;
        let pass = self.label();
        self.jump_if(Op::JumpNotUndefined, method, pass);
        if is_async {
            self.close_async(iterator)?;
        } else {
            self.op1(Op::IteratorClose, iterator);
        }
        let text = self.new_text(b"The iterator does not provide a 'throw' method");
        let constant = self.constant(Constant::Text(text));
        self.op1(Op::ThrowError, 0);
        self.word(constant);
        self.bind(pass)?;
        self.call_with(method, iterator, received, result)?;
        self.jump(inspect);
        self.bind(done)?;
        self.op_key(Op::GetField, to, result, known::VALUE)
    }

    /// Looks into what an inner iterator answered: jumps to `done` if that was its last, else leaves in `result` what is to be yielded.
    fn pass_on(&mut self, is_async: bool, (result, scratch): (Reg, Reg), done: LabelId) -> C<()> {
        if is_async {
            self.op2(Op::Await, result, result);
        }
        self.op2(Op::RequireObject, result, 0);
        self.op_key(Op::GetField, scratch, result, known::DONE)?;
        self.jump_if(Op::JumpTrue, scratch, done);
        if is_async {
            self.op_key(Op::GetField, result, result, known::VALUE)?;
        }
        Ok(())
    }

    /// `to = method.call(this, argument)`.
    pub(super) fn call_with(&mut self, method: Reg, this: Reg, argument: Reg, to: Reg) -> C<()> {
        let base = self.window(1)?;
        self.op_move(base + u32::from(frame::CALLEE), method);
        self.op_move(base + u32::from(frame::THIS), this);
        self.op_move(base + u32::from(frame::ARGUMENTS), argument);
        self.op3(Op::Call, to, base, 1);
        self.release(base);
        Ok(())
    }
}

/// How `DefineMethod` and `SetFunctionName` number methods, getters, setters.
pub(super) fn method_kind(kind: PropertyKind) -> u32 {
    match kind {
        PropertyKind::Get => 1,
        PropertyKind::Set => 2,
        PropertyKind::Init | PropertyKind::Method => 0,
    }
}
