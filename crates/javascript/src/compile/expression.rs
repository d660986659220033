//! Expressions.

use super::control::Exit;
use super::emit::LAST_REGISTER;
use super::emit::LabelId;
use super::statement::number;
use super::{C, Compiler, Reg};
use crate::bytecode::{Constant, Op, abc, frame};
use crate::syntax::atoms::{Atom, known};
use crate::syntax::tree::{BinaryOp, Kind, LogicalOp, NONE, Node, NodeId, PropertyKind, UnaryOp, flag, function_flag};

/// Registers in use beyond which only plain values are still evaluated: calls need room for their windows.
const CROWDED: Reg = 200;

/// The instruction of a binary operator, in the order of [`BinaryOp`].
pub(super) fn binary_op(small: u16) -> Op {
    match BinaryOp::from_small(small) {
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
fn int_form(op: Op) -> Option<Op> {
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
                    self.op1(Op::LoadUndefined, window + u32::from(frame::THIS));
                    self.spine.pop();
                    if parent.flags & flag::DIRECT_EVAL != 0 {
                        self.direct_eval(parent, window, accumulator)?;
                    } else {
                        self.finish_call(parent, window, accumulator)?;
                    }
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

    // --- Conditions ---

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

    fn comparison(&mut self, node: Node, op: Op, label: LabelId) -> C<()> {
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
    fn logical_condition(&mut self, id: NodeId, small: u16, when: bool, label: LabelId) -> C<()> {
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

    // --- The rest ---

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

    fn delete(&mut self, node: Node, to: Reg) -> C<()> {
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

    /// The object part of an optional chain; goes to `skip` where the chain ends early.
    fn chain_part(&mut self, id: NodeId, to: Reg, skip: LabelId) -> C<()> {
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

    fn delete_member(&mut self, node: Node, operand: Node, to: Reg) -> C<()> {
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

    fn delete_from(&mut self, node: Node, operand: Node, object: Reg, to: Reg) -> C<()> {
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
    fn delete_name(&mut self, id: NodeId, to: Reg) -> C<()> {
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

    fn array(&mut self, node: Node, to: Reg) -> C<()> {
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

    fn object(&mut self, node: Node, to: Reg) -> C<()> {
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

    fn property(&mut self, id: NodeId, object: Reg) -> C<()> {
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

    fn template(&mut self, node: Node, to: Reg) -> C<()> {
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

    fn yield_expression(&mut self, node: Node, to: Reg) -> C<()> {
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

    fn yield_star(&mut self, node: Node, to: Reg) -> C<()> {
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
        if is_async {
            self.op2(Op::Await, result, result);
        }
        self.op2(Op::RequireObject, result, 0);
        self.op_key(Op::GetField, method, result, known::DONE)?;
        self.jump_if(Op::JumpTrue, method, done);
        if is_async {
            self.op_key(Op::GetField, result, result, known::VALUE)?;
        }
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
        if is_async {
            self.op2(Op::Await, result, result);
        }
        self.op2(Op::RequireObject, result, 0);
        self.op_key(Op::GetField, method, result, known::DONE)?;
        self.jump_if(Op::JumpTrue, method, finished);
        if is_async {
            self.op_key(Op::GetField, result, result, known::VALUE)?;
        }
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

    /// `to = method.call(this, argument)`.
    fn call_with(&mut self, method: Reg, this: Reg, argument: Reg, to: Reg) -> C<()> {
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
