//! Expressions.

use super::emit::LAST_REGISTER;
use super::emit::LabelId;
use super::statement::number;
use super::{C, Compiler, Reg};
use crate::bytecode::{Constant, Op, abc, frame};
use crate::syntax::atoms::{Atom, known};
use crate::syntax::tree::{BinaryOp, Kind, LogicalOp, NONE, Node, NodeId, UnaryOp, flag};

/// Registers in use beyond which only plain values are still evaluated: calls need room for their windows.
const CROWDED: Reg = 200;

/// The instruction of a binary operator, in the order of [`BinaryOp`].
pub(super) fn binary_op(small: u16) -> Op {
    operator_op(BinaryOp::from_small(small))
}

pub(super) fn operator_op(operator: BinaryOp) -> Op {
    match operator {
        BinaryOp::Add => Op::Add,
        BinaryOp::Sub => Op::Subtract,
        BinaryOp::Mul => Op::Multiply,
        BinaryOp::Div => Op::Divide,
        BinaryOp::Rem => Op::Remainder,
        BinaryOp::Exp => Op::Power,
        BinaryOp::Shl => Op::ShiftLeft,
        BinaryOp::Shr => Op::ShiftRight,
        BinaryOp::UShr => Op::ShiftRightUnsigned,
        BinaryOp::BitAnd => Op::BitAnd,
        BinaryOp::BitOr => Op::BitOr,
        BinaryOp::BitXor => Op::BitXor,
        BinaryOp::Eq => Op::Equal,
        BinaryOp::Ne => Op::NotEqual,
        BinaryOp::StrictEq => Op::StrictEqual,
        BinaryOp::StrictNe => Op::StrictNotEqual,
        BinaryOp::Lt => Op::Less,
        BinaryOp::Le => Op::LessEqual,
        BinaryOp::Gt => Op::Greater,
        BinaryOp::Ge => Op::GreaterEqual,
        BinaryOp::In => Op::In,
        BinaryOp::InstanceOf => Op::InstanceOf,
    }
}

/// The form of an operator that takes a small constant on its right.
pub(super) fn int_form(op: Op) -> Option<Op> {
    Some(match op {
        Op::Add => Op::AddInt,
        Op::Subtract => Op::SubtractInt,
        Op::BitAnd => Op::BitAndInt,
        Op::BitOr => Op::BitOrInt,
        Op::ShiftLeft => Op::ShiftLeftInt,
        Op::ShiftRight => Op::ShiftRightInt,
        Op::ShiftRightUnsigned => Op::ShiftRightUnsignedInt,
        _ => return None,
    })
}

impl Compiler<'_> {
    /// Whether a property is reached by its key as a value: names can be named by instructions, but not beyond a certain number.
    pub(super) fn is_keyed(&self, atom: Atom) -> bool {
        self.is_index(atom) || !self.has_name_room(atom)
    }

    /// Whether a text is a canonical array index, which is never a name.
    fn is_index(&self, atom: Atom) -> bool {
        let text = self.tree.text(atom);
        let plain = match text {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.len() < 10 && rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        plain && std::str::from_utf8(text).ok().and_then(|t| t.parse::<u32>().ok()).is_some_and(|n| n != u32::MAX)
    }

    /// Evaluates for its effects only.
    pub(super) fn effect(&mut self, id: NodeId) -> C<()> {
        let node = self.tree.node(id);
        let mark = self.frame.next;
        match node.kind {
            Kind::Update => {
                self.update(id, None)?;
            }
            Kind::Assign => {
                self.assignment(id, None)?;
            }
            Kind::Sequence => {
                let count = self.tree.list(node.a).len();
                for index in 0..count {
                    let item = self.tree.list(node.a)[index];
                    self.effect(item)?;
                }
            }
            _ => {
                self.any(id)?;
            }
        }
        self.release(mark);
        Ok(())
    }

    /// Evaluates into some register: a variable's own, or a new temporary.
    pub(super) fn any(&mut self, id: NodeId) -> C<Reg> {
        let node = self.tree.node(id);
        match node.kind {
            Kind::Identifier => {
                if let Some(register) = self.readable_local(id) {
                    return Ok(register);
                }
            }
            Kind::This => {
                if let Some(register) = self.this_register(id) {
                    return Ok(register);
                }
            }
            Kind::Assign => {
                let to = self.temp()?;
                let mark = self.frame.next;
                let register = self.assignment(id, None)?;
                // A variable's register, or a temporary that is moved down.
                if register < to {
                    return Ok(register);
                }
                self.op_move(to, register);
                self.release(mark);
                return Ok(to);
            }
            _ => {}
        }
        let to = self.temp()?;
        self.expr(id, to)?;
        Ok(to)
    }

    /// The register of a local variable that can be read without a check.
    fn readable_local(&self, id: NodeId) -> Option<Reg> {
        let node = self.tree.node(id);
        if node.flags & (flag::TDZ | flag::DYNAMIC) != 0 || node.b == NONE {
            return None;
        }
        match self.variable(node.a, node.b) {
            super::names::Variable::Binding(binding) => self.register_of(binding),
            _ => None,
        }
    }

    /// A register that keeps the value of `id` while the nodes up to `until` are evaluated.
    pub(super) fn operand_kept(&mut self, id: NodeId, until: NodeId) -> C<Reg> {
        let register = self.any(id)?;
        let node = self.tree.node(id);
        if node.kind == Kind::Identifier
            && self.readable_local(id) == Some(register)
            && self.tree.binding(node.b).flags & crate::syntax::tree::binding_flag::ASSIGNED != 0
            && (until == NONE || self.writes_between(id, until))
        {
            let copy = self.temp()?;
            self.op_move(copy, register);
            return Ok(copy);
        }
        if node.kind == Kind::Assign && (until == NONE || self.writes_between(id, until)) {
            let copy = self.temp()?;
            self.op_move(copy, register);
            return Ok(copy);
        }
        Ok(register)
    }

    /// Evaluates an expression that gets `name` if it is a function or class without one.
    pub(super) fn named_expression(&mut self, id: NodeId, to: Reg, name: Atom) -> C<()> {
        let node = self.tree.node(id);
        match node.kind {
            Kind::Arrow => self.closure(to, node.a, name),
            Kind::Function if self.tree.function(node.a).name == NONE => self.closure(to, node.a, name),
            Kind::Class if self.tree.class(node.a).name == NONE => self.class(node.a, to, name),
            _ => self.expr(id, to),
        }
    }

    /// Evaluates into a variable's register, which must not change before the value is complete.
    pub(super) fn local_expression(&mut self, id: NodeId, to: Reg, name: Atom) -> C<()> {
        let node = self.tree.node(id);
        let mark = self.frame.next;
        match node.kind {
            // These write their result with their last instruction, whatever they read before.
            Kind::Number
            | Kind::String
            | Kind::True
            | Kind::False
            | Kind::Null
            | Kind::Identifier
            | Kind::This
            | Kind::RegExp
            | Kind::BigInt
            | Kind::Arrow
            | Kind::Function
            | Kind::Await
            | Kind::Unary => self.named_expression(id, to, name)?,
            Kind::Binary | Kind::Member | Kind::Index | Kind::Call | Kind::New => self.spine_into(id, to, false)?,
            Kind::Update | Kind::Assign => {
                let value = self.any(id)?;
                self.op_move(to, value);
            }
            _ => {
                let value = self.temp()?;
                self.named_expression(id, value, name)?;
                self.op_move(to, value);
            }
        }
        self.release(mark);
        Ok(())
    }

    /// Evaluates into `to`, which is free to hold parts of the value on the way.
    pub(super) fn expr(&mut self, id: NodeId, to: Reg) -> C<()> {
        if self.frame.next > CROWDED {
            return self.crowded(id, to);
        }
        self.expr_here(id, to)
    }

    /// Registers are few: plain values still fit; for anything else those that only this expression uses are put aside.
    fn crowded(&mut self, id: NodeId, to: Reg) -> C<()> {
        let node = self.tree.node(id);
        let leaf = matches!(
            node.kind,
            Kind::Number
                | Kind::String
                | Kind::Identifier
                | Kind::True
                | Kind::False
                | Kind::Null
                | Kind::This
                | Kind::Function
                | Kind::Arrow
                | Kind::RegExp
                | Kind::BigInt
        );
        if leaf {
            return self.expr_here(id, to);
        }
        let (base, next) = (self.frame.kept.min(self.frame.next), self.frame.next);
        if next < base + 32 || next + 4 > LAST_REGISTER {
            return self.too_complex("Expression is too complex", node.start);
        }
        // Into an array, which then lies in the first of them; the value is made in the second.
        let array = self.temp()?;
        self.op_ax(Op::NewArray, array, next - base);
        for register in base..next {
            self.op2(Op::ArrayPush, array, register);
        }
        self.op_move(base, array);
        self.release(base + 1);
        let value = self.temp()?;
        self.expr(id, value)?;
        // And back.
        self.frame.next = next;
        let (array, result, index) = (self.temp()?, self.temp()?, self.temp()?);
        self.op_move(array, base);
        self.op_move(result, value);
        for register in base..next {
            self.load_number(index, f64::from(register - base));
            self.op3(Op::GetElement, register, array, index);
        }
        self.op_move(to, result);
        self.release(next);
        Ok(())
    }

    fn expr_here(&mut self, id: NodeId, to: Reg) -> C<()> {
        let node = self.tree.node(id);
        let mark = self.frame.next;
        match node.kind {
            Kind::Number => self.load_number(to, number(node)),
            Kind::String => self.load_text(to, node.a),
            Kind::True => self.op1(Op::LoadTrue, to),
            Kind::False => self.op1(Op::LoadFalse, to),
            Kind::Null => self.op1(Op::LoadNull, to),
            Kind::BigInt => {
                let text = self.text(node.a);
                let constant = self.constant(Constant::BigInt(text));
                self.load_constant(to, constant);
            }
            Kind::RegExp => {
                let (source, flags) = (self.text(node.a), self.text(node.b));
                let constant = self.constant(Constant::Pattern { source, flags });
                self.at(node.start);
                self.op1(Op::NewPattern, to);
                self.word(constant);
            }
            Kind::Identifier => self.load_name(id, to, false)?,
            Kind::This => self.load_this(to, node.start)?,
            Kind::NewTarget => self.load_new_target(to)?,
            Kind::ImportMeta => self.op1(Op::ImportMeta, to),
            Kind::Function | Kind::Arrow => self.closure(to, node.a, NONE)?,
            Kind::Class => {
                let name = self.tree.class(node.a).name;
                self.class(node.a, to, if name == NONE { known::EMPTY } else { name })?;
            }
            Kind::Array => self.array(node, to)?,
            Kind::Object => self.object(node, to)?,
            Kind::Template => self.template(node, to)?,
            Kind::Unary => self.unary(node, to)?,
            Kind::Update => {
                self.update(id, Some(to))?;
            }
            Kind::Assign => {
                self.assignment(id, Some(to))?;
            }
            Kind::Conditional => {
                // A chain of them is a loop.
                let end = self.label();
                let mut node = node;
                loop {
                    let otherwise = self.label();
                    self.condition(node.a, false, otherwise)?;
                    self.release(mark);
                    self.expr(self.tree.extra(node.b, 0), to)?;
                    self.jump(end);
                    self.bind(otherwise)?;
                    let other = self.tree.extra(node.b, 1);
                    node = self.tree.node(other);
                    if node.kind != Kind::Conditional {
                        self.expr(other, to)?;
                        break;
                    }
                }
                self.bind(end)?;
            }
            Kind::Sequence => {
                let count = self.tree.list(node.a).len();
                for index in 0..count {
                    let item = self.tree.list(node.a)[index];
                    if index + 1 == count {
                        self.expr(item, to)?;
                    } else {
                        self.effect(item)?;
                    }
                }
            }
            Kind::Yield => self.yield_expression(node, to)?,
            Kind::Await => {
                let value = self.any(node.a)?;
                self.at(node.start);
                self.op2(Op::Await, to, value);
            }
            Kind::ImportCall => {
                let specifier = self.operand_kept(node.a, node.b)?;
                let options = self.temp()?;
                if node.b == NONE {
                    self.op1(Op::LoadUndefined, options);
                } else {
                    self.expr(node.b, options)?;
                }
                self.at(node.start);
                self.op3(Op::ImportCall, to, specifier, options);
            }
            Kind::Intrinsic => self.intrinsic(node, to)?,
            Kind::PrivateIn => {
                let name = self.load_private(node.a)?;
                let object = self.any(node.b)?;
                self.at(node.start);
                self.op3(Op::HasPrivate, to, name, object);
            }
            Kind::Binary
            | Kind::Logical
            | Kind::Member
            | Kind::Index
            | Kind::PrivateMember
            | Kind::Call
            | Kind::New
            | Kind::TaggedTemplate
            | Kind::OptionalChain => self.spine_into(id, to, true)?,
            _ => self.op1(Op::LoadUndefined, to),
        }
        self.release(mark);
        Ok(())
    }

    // --- Chains that lean to the left ---

    /// Evaluates a chain such as `a + b + c` or `a.b().c` from its innermost left end outwards, in a loop.
    /// `scratch`: `to` may hold parts of the value.
    pub(super) fn spine_into(&mut self, id: NodeId, to: Reg, scratch: bool) -> C<()> {
        let base = self.spine.len();
        let mut inner = id;
        let leaf = loop {
            let node = self.tree.node(inner);
            match node.kind {
                Kind::Binary
                | Kind::Logical
                | Kind::Member
                | Kind::Index
                | Kind::PrivateMember
                | Kind::Call
                | Kind::TaggedTemplate
                | Kind::OptionalChain => {
                    if matches!(node.kind, Kind::Member | Kind::Index | Kind::Call) && self.tree.node(node.a).kind == Kind::Super {
                        break inner;
                    }
                    self.spine.push(inner);
                    inner = node.a;
                }
                _ => break inner,
            }
        };
        let mark = self.frame.next;
        let accumulator = if scratch { to } else { self.temp()? };
        let mut chain: Option<LabelId> = None;
        // The leaf: left in a variable's register if that is where it is.
        let mut value = self.leaf(leaf, base, accumulator)?;
        if self.spine.len() == base {
            self.op_move(to, value);
            self.release(mark);
            return Ok(());
        }
        while self.spine.len() > base {
            let Some(step) = self.spine.pop() else { break };
            let parent = if self.spine.len() > base { self.spine[self.spine.len() - 1] } else { NONE };
            let last = parent == NONE;
            let out = if last { to } else { accumulator };
            let node = self.tree.node(step);
            let inner_mark = self.frame.next;
            match node.kind {
                Kind::Binary => {
                    let op = binary_op(node.small);
                    self.arithmetic(op, out, value, node.b, node.start)?;
                }
                Kind::Logical => {
                    // The register that is tested is also the result.
                    let register = if last && !scratch { accumulator } else { out };
                    self.op_move(register, value);
                    let end = self.label();
                    let jump = match LogicalOp::from_small(node.small) {
                        LogicalOp::And => Op::JumpFalse,
                        LogicalOp::Or => Op::JumpTrue,
                        LogicalOp::Coalesce => Op::JumpNotNullish,
                    };
                    self.jump_if(jump, register, end);
                    self.expr(node.b, register)?;
                    self.bind(end)?;
                    self.op_move(out, register);
                }
                Kind::Member | Kind::Index | Kind::PrivateMember => {
                    if node.flags & flag::OPTIONAL != 0 {
                        let skip = self.chain_label(&mut chain);
                        self.jump_if(Op::JumpNullish, value, skip);
                    }
                    let method = self.is_callee(step, parent);
                    if method {
                        value = self.method_call(step, parent, value, &mut chain, to, accumulator, base)?;
                        self.release(inner_mark);
                        continue;
                    }
                    self.get_member(node, out, value)?;
                }
                Kind::Call => {
                    if node.flags & flag::OPTIONAL != 0 {
                        let skip = self.chain_label(&mut chain);
                        self.jump_if(Op::JumpNullish, value, skip);
                    }
                    self.plain_call(node, value, out)?;
                }
                Kind::TaggedTemplate => self.tagged(node, value, None, out)?,
                Kind::OptionalChain => {
                    self.op_move(out, value);
                    if let Some(skip) = chain.take() {
                        let done = self.label();
                        self.jump(done);
                        self.bind(skip)?;
                        self.op1(Op::LoadUndefined, out);
                        self.bind(done)?;
                    }
                }
                _ => {}
            }
            value = out;
            self.release(inner_mark);
        }
        self.release(mark);
        Ok(())
    }

    /// The label to which the current optional chain jumps when it meets null or undefined.
    fn chain_label(&mut self, chain: &mut Option<LabelId>) -> LabelId {
        match *chain {
            Some(label) => label,
            None => {
                let label = self.label();
                *chain = Some(label);
                label
            }
        }
    }

    /// Whether `step` is the callee (or tag) of `parent`, so that its object becomes `this`.
    fn is_callee(&self, step: NodeId, parent: NodeId) -> bool {
        if parent == NONE {
            return false;
        }
        let node = self.tree.node(parent);
        match node.kind {
            Kind::Call | Kind::TaggedTemplate => node.a == step,
            // `(a?.b)()`: the parentheses keep the object.
            Kind::OptionalChain => {
                node.flags & flag::PARENTHESISED != 0
                    && self.spine.len() >= 2
                    && matches!(self.tree.node(self.spine[self.spine.len() - 2]).kind, Kind::Call | Kind::TaggedTemplate)
                    && self.tree.node(self.spine[self.spine.len() - 2]).a == parent
            }
            _ => false,
        }
    }

    /// `object.method(...)`: the member `step` and its call together. Gives the register of the result.
    #[allow(clippy::too_many_arguments)]
    fn method_call(
        &mut self,
        step: NodeId,
        parent: NodeId,
        object: Reg,
        chain: &mut Option<LabelId>,
        to: Reg,
        accumulator: Reg,
        base: usize,
    ) -> C<Reg> {
        let node = self.tree.node(step);
        let mut call = parent;
        let window = self.window(0)?;
        let callee = window + u32::from(frame::CALLEE);
        let this = window + u32::from(frame::THIS);
        self.at(node.start);
        match node.kind {
            Kind::Member if !self.is_keyed(node.b) => self.op_key(Op::GetMethod, window, object, node.b)?,
            Kind::Member => {
                self.op_move(this, object);
                self.load_text(callee, node.b);
                self.op3(Op::GetElementMethod, window, object, callee);
            }
            Kind::Index => {
                let kept = self.keep(object, step, node)?;
                let key = self.any(node.b)?;
                self.at(node.start);
                self.op3(Op::GetElementMethod, window, kept, key);
                self.release(window + u32::from(frame::ARGUMENTS));
            }
            _ => {
                let name = self.load_private(node.b)?;
                self.op_move(this, object);
                self.op3(Op::GetPrivate, callee, object, name);
                self.release(window + u32::from(frame::ARGUMENTS));
            }
        }
        self.spine.pop();
        if self.tree.node(call).kind == Kind::OptionalChain {
            if let Some(skip) = chain.take() {
                let done = self.label();
                self.jump(done);
                self.bind(skip)?;
                self.op1(Op::LoadUndefined, callee);
                self.op1(Op::LoadUndefined, this);
                self.bind(done)?;
            }
            call = self.spine.pop().unwrap_or(call);
        }
        let out = if self.spine.len() > base { accumulator } else { to };
        let node = self.tree.node(call);
        if node.kind == Kind::TaggedTemplate {
            self.tagged(node, callee, Some(window), out)?;
            return Ok(out);
        }
        if node.flags & flag::OPTIONAL != 0 {
            let skip = self.chain_label(chain);
            self.jump_if(Op::JumpNullish, callee, skip);
        }
        self.finish_call(node, window, out)?;
        Ok(out)
    }

    /// The object of `step` in a register that the evaluation of its key does not change.
    fn keep(&mut self, object: Reg, step: NodeId, node: Node) -> C<Reg> {
        if self.tree.node(node.a).kind == Kind::Identifier && self.writes_between(node.a, step) {
            let copy = self.temp()?;
            self.op_move(copy, object);
            return Ok(copy);
        }
        Ok(object)
    }

    /// The innermost left end of a chain. Gives the register of its value.
    fn leaf(&mut self, leaf: NodeId, base: usize, accumulator: Reg) -> C<Reg> {
        let node = self.tree.node(leaf);
        let above = if self.spine.len() > base { self.spine[self.spine.len() - 1] } else { NONE };
        match node.kind {
            Kind::Identifier => {
                let parent = if above == NONE { node } else { self.tree.node(above) };
                if above != NONE && parent.kind == Kind::Call && self.is_dynamic(leaf) {
                    self.dynamic_call(leaf, above, accumulator)?;
                    self.spine.pop();
                    return Ok(accumulator);
                }
                if above != NONE && parent.kind == Kind::Call && parent.a == leaf && parent.flags & flag::OPTIONAL == 0 {
                    // Straight into the window.
                    let window = self.window(0)?;
                    self.expr_here(leaf, window + u32::from(frame::CALLEE))?;
                    self.spine.pop();
                    self.finish_plain_call(parent, window, accumulator)?;
                    return Ok(accumulator);
                }
                if let Some(register) = self.readable_local(leaf) {
                    // The right side may assign to the variable before the operator reads it.
                    let safe = above == NONE || !self.writes_between(leaf, above);
                    if safe {
                        return Ok(register);
                    }
                }
                self.expr_here(leaf, accumulator)?;
            }
            Kind::This => {
                if let Some(register) = self.this_register(leaf) {
                    return Ok(register);
                }
                self.expr_here(leaf, accumulator)?;
            }
            Kind::Member | Kind::Index => {
                // `super.x`, with its call if it is one.
                let parent = if above == NONE { node } else { self.tree.node(above) };
                if above != NONE && parent.kind == Kind::Call && parent.a == leaf {
                    let window = self.window(0)?;
                    self.load_this(window + u32::from(frame::THIS), node.start)?;
                    self.get_super(node, window + u32::from(frame::CALLEE), window + u32::from(frame::THIS))?;
                    self.spine.pop();
                    self.finish_call(parent, window, accumulator)?;
                    self.release(window);
                    return Ok(accumulator);
                }
                let mark = self.frame.next;
                let this = self.temp()?;
                self.load_this(this, node.start)?;
                self.get_super(node, accumulator, this)?;
                self.release(mark);
            }
            Kind::Call => self.super_call(node, accumulator)?,
            Kind::New => self.new_call(node, accumulator)?,
            _ => self.expr(leaf, accumulator)?,
        }
        Ok(accumulator)
    }

    fn get_super(&mut self, node: Node, to: Reg, this: Reg) -> C<()> {
        let mark = self.frame.next;
        let first = self.take(2)?;
        if node.kind == Kind::Member {
            self.load_text(first, node.b);
        } else {
            self.expr(node.b, first)?;
        }
        self.load_owner_function(first + 1)?;
        self.at(node.start);
        self.op3(Op::GetSuper, to, first, this);
        self.word(first + 1);
        self.release(mark);
        Ok(())
    }

    fn get_member(&mut self, node: Node, out: Reg, object: Reg) -> C<()> {
        match node.kind {
            Kind::Member if !self.is_keyed(node.b) => {
                self.at(node.start);
                let op = if node.b == known::LENGTH { Op::GetLength } else { Op::GetField };
                self.op_key(op, out, object, node.b)
            }
            Kind::Member => {
                let key = self.temp()?;
                self.load_text(key, node.b);
                self.at(node.start);
                self.op3(Op::GetElement, out, object, key);
                Ok(())
            }
            Kind::Index => {
                let key = self.any(node.b)?;
                self.at(node.start);
                self.op3(Op::GetElement, out, object, key);
                Ok(())
            }
            _ => {
                let name = self.load_private(node.b)?;
                self.at(node.start);
                self.op3(Op::GetPrivate, out, object, name);
                Ok(())
            }
        }
    }

    /// `out = left op right`, with the small-constant forms where they fit.
    pub(super) fn arithmetic(&mut self, op: Op, out: Reg, left: Reg, right: NodeId, start: u32) -> C<()> {
        let node = self.tree.node(right);
        if node.kind == Kind::Number
            && let Some(form) = int_form(op)
            && let Some(int) = Self::small_int(number(node))
            && let Ok(byte) = i8::try_from(int)
        {
            self.at(start);
            self.word(abc(form, out as u8, left as u8, byte as u8));
            return Ok(());
        }
        let mark = self.frame.next;
        let right = self.any(right)?;
        self.at(start);
        self.op3(op, out, left, right);
        self.release(mark);
        Ok(())
    }

    fn unary(&mut self, node: Node, to: Reg) -> C<()> {
        let op = match UnaryOp::from_small(node.small) {
            UnaryOp::Minus => {
                let operand = self.tree.node(node.a);
                if operand.kind == Kind::Number {
                    self.load_number(to, -number(operand));
                    return Ok(());
                }
                Op::Negate
            }
            UnaryOp::Plus => Op::ToNumber,
            UnaryOp::Not => Op::Not,
            UnaryOp::BitNot => Op::BitNot,
            UnaryOp::TypeOf => {
                if self.tree.node(node.a).kind == Kind::Identifier {
                    let value = match self.readable_local(node.a) {
                        Some(register) => register,
                        None => {
                            let value = self.temp()?;
                            self.load_name(node.a, value, true)?;
                            value
                        }
                    };
                    self.op2(Op::TypeOf, to, value);
                    return Ok(());
                }
                Op::TypeOf
            }
            UnaryOp::Void => {
                self.effect(node.a)?;
                self.op1(Op::LoadUndefined, to);
                return Ok(());
            }
            UnaryOp::Delete => return self.delete(node, to),
        };
        let value = self.any(node.a)?;
        self.at(node.start);
        self.op2(op, to, value);
        Ok(())
    }

    /// The object part of an optional chain; goes to `skip` where the chain ends early.
    pub(super) fn chain_part(&mut self, id: NodeId, to: Reg, skip: LabelId) -> C<()> {
        // Walk down to the innermost optional step, then out again with ordinary members; calls inside the
        // chain are evaluated by the general code after a check of what they start from.
        let mut steps = Vec::new();
        let mut inner = id;
        loop {
            let node = self.tree.node(inner);
            match node.kind {
                Kind::Member | Kind::Index | Kind::PrivateMember if self.tree.node(node.a).kind != Kind::Super => {
                    steps.push(inner);
                    inner = node.a;
                }
                _ => break,
            }
        }
        self.expr(inner, to)?;
        while let Some(step) = steps.pop() {
            let node = self.tree.node(step);
            if node.flags & flag::OPTIONAL != 0 {
                self.jump_if(Op::JumpNullish, to, skip);
            }
            let mark = self.frame.next;
            self.get_member(node, to, to)?;
            self.release(mark);
        }
        Ok(())
    }
}
