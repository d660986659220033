//! Expressions.

use super::arena::{Failed, R};
use super::atoms::known;
use super::parse::{Cover, Parse, ctx};
use super::token::Tok;
use super::tree::{AssignOp, BinaryOp, Kind, LogicalOp, NONE, NodeId, UnaryOp, flag, function_flag};

const ASSIGN_TARGET: &str = "Invalid left-hand side in assignment";
const POSTFIX_TARGET: &str = "Invalid left-hand side expression in postfix operation";
const PREFIX_TARGET: &str = "Invalid left-hand side expression in prefix operation";

impl Parse<'_> {
    /// Expressions separated by commas.
    pub(crate) fn expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let first = self.assign(false)?;
        if self.t.tok != Tok::Comma {
            return Ok(first);
        }
        let mark = self.mark();
        self.item(first)?;
        while self.eat(Tok::Comma)? {
            let next = self.assign(false)?;
            self.item(next)?;
        }
        let list = self.list(mark)?;
        self.node(Kind::Sequence, start, list, 0)
    }

    /// An expression in which `in` is an operator again.
    pub(crate) fn expression_in(&mut self) -> R<NodeId> {
        let saved = self.ctx;
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        let node = self.expression()?;
        self.ctx = saved;
        Ok(node)
    }

    /// An assignment expression in which `in` is an operator again.
    pub(crate) fn assign_in(&mut self, cover: bool) -> R<NodeId> {
        let saved = self.ctx;
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        let node = self.assign(cover)?;
        self.ctx = saved;
        Ok(node)
    }

    /// One assignment expression. `cover`: the caller may yet turn it into a pattern, so what is wrong
    /// in an expression but right in a pattern stays pending.
    pub(crate) fn assign(&mut self, cover: bool) -> R<NodeId> {
        self.assign_up_to(cover, false)
    }

    /// The same. `alternate`: it is the last part of a conditional expression; one that it is itself stays with the caller, who
    /// stands before its question mark then.
    fn assign_up_to(&mut self, cover: bool, alternate: bool) -> R<NodeId> {
        self.enter()?;
        if self.t.tok == Tok::Ident && self.t.value == known::YIELD && self.has(ctx::YIELD) {
            let node = self.yield_expression()?;
            self.leave();
            return Ok(node);
        }
        let outer = self.cover;
        self.cover = Cover::CLEAR;
        let start = self.t.start;
        self.arrow_at = start;
        let operand = if self.t.tok == Tok::PrivateName { self.private_in(0)? } else { self.unary()? };
        // Most expressions are a single operand.
        let node = if self.t.tok.ends_expression() {
            operand
        } else {
            let left = self.conditional(operand, start, alternate)?;
            if self.t.tok.is_assignment() { self.assignment(left, start)? } else { left }
        };
        if self.cover.at != NONE && !cover {
            return self.cover_error();
        }
        if outer.at != NONE {
            self.cover = outer;
        }
        self.leave();
        Ok(node)
    }

    #[cold]
    pub(crate) fn cover_error<T>(&mut self) -> R<T> {
        let message = if self.cover.proto {
            "Duplicate __proto__ fields are not allowed in object literals"
        } else {
            "Invalid shorthand property initializer"
        };
        self.fail(self.cover.at, message)
    }

    fn assignment(&mut self, left: NodeId, start: u32) -> R<NodeId> {
        let op = AssignOp::from_small(self.t.tok as u16 - Tok::PlusAssign as u16);
        let kind = self.at(left).kind;
        if kind == Kind::Arrow && self.at(left).flags & flag::PARENTHESISED == 0 {
            return self.fail(start, "Malformed arrow function parameter list");
        }
        let plain = op == AssignOp::Assign;
        if plain && matches!(kind, Kind::Array | Kind::Object) {
            self.cover = Cover::CLEAR;
        }
        let logical = matches!(op, AssignOp::And | AssignOp::Or | AssignOp::Coalesce);
        if logical && kind == Kind::Call {
            return self.fail(start, ASSIGN_TARGET);
        }
        self.make_target(left, plain, ASSIGN_TARGET)?;
        self.next()?;
        let value = self.assign(false)?;
        self.node_with(Kind::Assign, start, 0, op as u16, left, value)
    }

    fn yield_expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        if self.t.escaped {
            return self.fail(start, "Keyword must not contain escaped characters");
        }
        if self.has(ctx::PARAMETERS) {
            return self.fail(start, "Yield expression not allowed in formal parameter");
        }
        if self.yield_pos == NONE {
            self.yield_pos = start;
        }
        self.next()?;
        let mut flags = 0;
        let argument = if self.t.newline {
            NONE
        } else {
            match self.t.tok {
                Tok::Star => {
                    self.next()?;
                    flags = flag::DELEGATE;
                    self.assign(false)?
                }
                Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::Comma | Tok::Semicolon | Tok::Colon | Tok::End => NONE,
                Tok::In => NONE,
                _ => self.assign(false)?,
            }
        };
        self.node_with(Kind::Yield, start, flags, 0, argument, 0)
    }

    /// What an operand at `start` is the beginning of, without an assignment.
    fn conditional(&mut self, operand: NodeId, start: u32, alternate: bool) -> R<NodeId> {
        let mut start = start;
        let mut test = self.binary_after(operand, start, 0)?;
        let mark = self.mark();
        // A chain of them leans to the right: its parts are kept until the last one is read.
        loop {
            if self.t.tok != Tok::Question || self.is_bare_arrow(test) {
                break;
            }
            if self.ts && self.optional_parameter_ahead()? {
                break;
            }
            if alternate && self.mark() == mark {
                return Ok(test);
            }
            if self.cover.at != NONE {
                return self.cover_error();
            }
            self.next()?;
            let saved = self.ctx;
            self.ctx &= !ctx::NO_IN;
            if self.ts {
                self.ctx |= ctx::NO_ARROW_TYPE;
            }
            let then = self.assign(false)?;
            self.ctx = saved;
            self.expect(Tok::Colon)?;
            for item in [start, test, then] {
                self.item(item)?;
            }
            start = self.t.start;
            test = self.assign_up_to(false, true)?;
        }
        while self.mark() > mark {
            let parts = [self.work.scratch.pop(), self.work.scratch.pop(), self.work.scratch.pop()];
            let [Some(then), Some(first), Some(start)] = parts else { return Err(Failed) };
            let branches = self.record(&[then, test])?;
            test = self.node(Kind::Conditional, start, first, branches)?;
        }
        Ok(test)
    }

    /// An arrow function without parentheses around it: no operator may follow.
    #[inline]
    fn is_bare_arrow(&self, id: NodeId) -> bool {
        let node = self.at(id);
        node.kind == Kind::Arrow && node.flags & flag::PARENTHESISED == 0
    }

    fn binary(&mut self, least: u8) -> R<NodeId> {
        let start = self.t.start;
        let left = if self.t.tok == Tok::PrivateName { self.private_in(least)? } else { self.unary()? };
        if self.t.tok.ends_expression() {
            return Ok(left);
        }
        self.binary_after(left, start, least)
    }

    /// The operators that bind an operand at `start` more tightly than `least`, with their right sides.
    fn binary_after(&mut self, mut left: NodeId, start: u32, least: u8) -> R<NodeId> {
        loop {
            let tok = self.t.tok;
            let mut precedence = tok.precedence();
            if precedence == 0 || tok == Tok::In && self.has(ctx::NO_IN) {
                if self.ts && self.t.tok == Tok::Ident && !self.t.newline && self.skip_as(least)? {
                    continue;
                }
                return Ok(left);
            }
            if precedence <= least || self.is_bare_arrow(left) {
                return Ok(left);
            }
            if self.cover.at != NONE {
                return self.cover_error();
            }
            if tok == Tok::StarStar {
                let node = self.at(left);
                if matches!(node.kind, Kind::Unary | Kind::Await) && node.flags & flag::PARENTHESISED == 0 {
                    return self.fail(
                        node.start,
                        "Unary operator used immediately before exponentiation expression. Parenthesis must be used to disambiguate operator precedence",
                    );
                }
                precedence -= 1;
                self.enter()?;
            }
            let at = self.t.start;
            self.next()?;
            let right = self.binary(precedence)?;
            if tok == Tok::StarStar {
                self.leave();
            }
            let op = match tok {
                Tok::AndAnd | Tok::OrOr | Tok::Coalesce => {
                    left = self.logical(tok, left, right, start, at)?;
                    continue;
                }
                Tok::Plus => BinaryOp::Add,
                Tok::Minus => BinaryOp::Sub,
                Tok::Star => BinaryOp::Mul,
                Tok::Slash => BinaryOp::Div,
                Tok::Percent => BinaryOp::Rem,
                Tok::StarStar => BinaryOp::Exp,
                Tok::Shl => BinaryOp::Shl,
                Tok::Shr => BinaryOp::Shr,
                Tok::UShr => BinaryOp::UShr,
                Tok::BitAnd => BinaryOp::BitAnd,
                Tok::BitOr => BinaryOp::BitOr,
                Tok::BitXor => BinaryOp::BitXor,
                Tok::EqEq => BinaryOp::Eq,
                Tok::NotEq => BinaryOp::Ne,
                Tok::EqEqEq => BinaryOp::StrictEq,
                Tok::NotEqEq => BinaryOp::StrictNe,
                Tok::Lt => BinaryOp::Lt,
                Tok::Le => BinaryOp::Le,
                Tok::Gt => BinaryOp::Gt,
                Tok::Ge => BinaryOp::Ge,
                Tok::In => BinaryOp::In,
                _ => BinaryOp::InstanceOf,
            };
            left = self.node_with(Kind::Binary, start, 0, op as u16, left, right)?;
        }
    }

    fn logical(&mut self, tok: Tok, left: NodeId, right: NodeId, start: u32, at: u32) -> R<NodeId> {
        let coalesce = tok == Tok::Coalesce;
        for side in [left, right] {
            let node = self.at(side);
            if node.kind == Kind::Logical && node.flags & flag::PARENTHESISED == 0 && (node.small == LogicalOp::Coalesce as u16) != coalesce
            {
                let text = match tok {
                    Tok::AndAnd => "&&",
                    Tok::OrOr => "||",
                    _ => "??",
                };
                return self.fail_text(at as usize, format!("Unexpected token '{text}'"));
            }
        }
        let op = match tok {
            Tok::AndAnd => LogicalOp::And,
            Tok::OrOr => LogicalOp::Or,
            _ => LogicalOp::Coalesce,
        };
        self.node_with(Kind::Logical, start, 0, op as u16, left, right)
    }

    /// `#x in object`.
    fn private_in(&mut self, least: u8) -> R<NodeId> {
        let start = self.t.start;
        let name = self.private_name()?;
        if self.t.tok != Tok::In || self.has(ctx::NO_IN) || Tok::In.precedence() <= least {
            return self.unexpected();
        }
        self.next()?;
        let object = self.binary(Tok::In.precedence())?;
        self.node(Kind::PrivateIn, start, name, object)
    }

    pub(crate) fn private_name(&mut self) -> R<NodeId> {
        if self.t.tok != Tok::PrivateName {
            return self.unexpected();
        }
        let node = self.node(Kind::PrivateName, self.t.start, self.t.value, NONE)?;
        self.refer(node)?;
        self.next()?;
        Ok(node)
    }

    fn unary(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let op = match self.t.tok {
            Tok::Not => UnaryOp::Not,
            Tok::Minus => UnaryOp::Minus,
            Tok::Plus => UnaryOp::Plus,
            Tok::BitNot => UnaryOp::BitNot,
            Tok::TypeOf => UnaryOp::TypeOf,
            Tok::Void => UnaryOp::Void,
            Tok::Delete => UnaryOp::Delete,
            Tok::PlusPlus | Tok::MinusMinus => return self.prefix_update(),
            Tok::Ident if self.t.value == known::AWAIT && self.has(ctx::AWAIT) => return self.await_expression(),
            Tok::Lt if self.ts => return self.ts_angle(),
            _ => return self.postfix(),
        };
        self.enter()?;
        self.next()?;
        let operand = self.unary()?;
        if op == UnaryOp::Delete {
            let node = self.at(operand);
            if node.kind == Kind::Identifier && self.strict() {
                return self.fail(node.start, "Delete of an unqualified identifier in strict mode.");
            }
            let mut inner = node;
            if inner.kind == Kind::OptionalChain {
                inner = self.at(inner.a);
            }
            if inner.kind == Kind::PrivateMember {
                return self.fail(node.start, "Private fields can not be deleted");
            }
        }
        self.leave();
        self.node_with(Kind::Unary, start, 0, op as u16, operand, 0)
    }

    fn prefix_update(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let flags = flag::PREFIX | if self.t.tok == Tok::MinusMinus { flag::DECREMENT } else { 0 };
        self.enter()?;
        self.next()?;
        let target = self.unary()?;
        self.make_target(target, false, PREFIX_TARGET)?;
        self.leave();
        self.node_with(Kind::Update, start, flags, 0, target, 0)
    }

    fn await_expression(&mut self) -> R<NodeId> {
        let start = self.t.start;
        if self.t.escaped {
            return self.fail(start, "Keyword must not contain escaped characters");
        }
        if self.has(ctx::PARAMETERS) {
            return self.fail(start, "Illegal await-expression in formal parameters of async function");
        }
        if self.await_pos == NONE {
            self.await_pos = start;
        }
        self.enter()?;
        self.next()?;
        let argument = self.unary()?;
        self.leave();
        if self.tree.functions[self.function as usize].flags & function_flag::TOP != 0 {
            self.tree.functions[self.function as usize].flags |= function_flag::TOP_AWAIT;
        }
        self.node(Kind::Await, start, argument, 0)
    }

    fn postfix(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let node = self.left_hand_side()?;
        if matches!(self.t.tok, Tok::PlusPlus | Tok::MinusMinus) && !self.t.newline && !self.is_bare_arrow(node) {
            let flags = if self.t.tok == Tok::MinusMinus { flag::DECREMENT } else { 0 };
            if self.cover.at != NONE {
                return self.cover_error();
            }
            self.make_target(node, false, POSTFIX_TARGET)?;
            self.next()?;
            return self.node_with(Kind::Update, start, flags, 0, node, 0);
        }
        Ok(node)
    }

    /// A primary expression with all that is called, indexed or tagged onto it.
    pub(crate) fn left_hand_side(&mut self) -> R<NodeId> {
        let start = self.t.start;
        let primary = self.primary()?;
        match self.t.tok {
            Tok::Dot | Tok::LBracket | Tok::LParen | Tok::Template | Tok::QuestionDot | Tok::Not | Tok::Lt | Tok::Shl => {
                if self.is_bare_arrow(primary) {
                    return Ok(primary);
                }
                self.suffixes(primary, start, true)
            }
            _ => Ok(primary),
        }
    }

    /// The suffixes of an expression; `calls` is false for the callee of `new`.
    pub(crate) fn suffixes(&mut self, mut node: NodeId, start: u32, calls: bool) -> R<NodeId> {
        let mut chain = false;
        loop {
            let tok = self.t.tok;
            if self.cover.at != NONE && matches!(tok, Tok::Dot | Tok::LBracket | Tok::LParen | Tok::Template | Tok::QuestionDot) {
                return self.cover_error();
            }
            match tok {
                Tok::Dot => {
                    self.next()?;
                    node = self.member(node, 0)?;
                }
                Tok::QuestionDot => {
                    if !calls {
                        return self.fail(self.t.start, "Invalid optional chain from new expression");
                    }
                    if self.at(node).kind == Kind::Super {
                        return self.unexpected();
                    }
                    chain = true;
                    self.next()?;
                    let tok = self.t.tok;
                    node = match tok {
                        Tok::LParen => self.call(node, start, flag::OPTIONAL)?,
                        Tok::LBracket => self.index(node, flag::OPTIONAL)?,
                        Tok::Template => return self.fail(self.t.start, "Invalid tagged template on optional chain"),
                        Tok::Lt if self.ts && self.skip_type_arguments()? => self.call(node, start, flag::OPTIONAL)?,
                        _ => self.member(node, flag::OPTIONAL)?,
                    };
                }
                Tok::LBracket => node = self.index(node, 0)?,
                Tok::LParen if calls => node = self.call(node, start, 0)?,
                Tok::Template => {
                    if chain {
                        return self.fail(self.t.start, "Invalid tagged template on optional chain");
                    }
                    let list = self.template(true)?;
                    node = self.node(Kind::TaggedTemplate, start, node, list)?;
                }
                Tok::Not if self.ts && !self.t.newline => self.next()?,
                Tok::Lt | Tok::Shl if self.ts && self.skip_type_arguments()? => {}
                _ => break,
            }
        }
        if chain {
            return self.node(Kind::OptionalChain, start, node, 0);
        }
        Ok(node)
    }

    fn member(&mut self, object: NodeId, flags: u8) -> R<NodeId> {
        let at = self.t.start;
        match self.t.tok {
            tok if tok.is_word() || tok == Tok::Ident || tok == Tok::EscapedWord => {
                let name = self.t.value;
                self.next()?;
                self.node_with(Kind::Member, at, flags, 0, object, name)
            }
            Tok::PrivateName => {
                if self.at(object).kind == Kind::Super {
                    return self.fail(at, "Unexpected private field");
                }
                let name = self.private_name()?;
                self.node_with(Kind::PrivateMember, at, flags, 0, object, name)
            }
            _ => self.unexpected(),
        }
    }

    fn index(&mut self, object: NodeId, flags: u8) -> R<NodeId> {
        let at = self.t.start;
        self.next()?;
        let key = self.expression_in()?;
        self.expect(Tok::RBracket)?;
        self.node_with(Kind::Index, at, flags, 0, object, key)
    }

    fn call(&mut self, callee: NodeId, start: u32, flags: u8) -> R<NodeId> {
        let list = self.arguments()?;
        let target = self.at(callee);
        let mut flags = flags;
        let direct = target.kind == Kind::Identifier && target.a == known::EVAL && flags & flag::OPTIONAL == 0;
        if direct {
            flags |= flag::DIRECT_EVAL;
        }
        let node = self.node_with(Kind::Call, start, flags, self.strict().into(), callee, list)?;
        if direct {
            self.has_eval = true;
            self.refer(node)?;
        }
        Ok(node)
    }

    /// Arguments in parentheses.
    pub(super) fn arguments(&mut self) -> R<u32> {
        self.next()?;
        let saved = self.ctx;
        self.ctx &= !(ctx::NO_IN | ctx::NO_ARROW_TYPE);
        let mark = self.mark();
        while self.t.tok != Tok::RParen {
            let item = if self.t.tok == Tok::Ellipsis { self.spread(false)? } else { self.assign(false)? };
            self.item(item)?;
            self.after_argument()?;
        }
        self.ctx = saved;
        self.next()?;
        self.list(mark)
    }

    /// Goes past the comma behind an argument; a parenthesis may stand there instead.
    #[inline(always)]
    pub(super) fn after_argument(&mut self) -> R<()> {
        match self.t.tok {
            Tok::RParen => Ok(()),
            Tok::Comma => self.next(),
            _ => self.missing_paren(),
        }
    }

    #[cold]
    fn missing_paren<T>(&mut self) -> R<T> {
        match self.t.tok {
            Tok::Ident | Tok::String | Tok::Number | Tok::Semicolon | Tok::RBrace | Tok::End => {
                self.fail(self.t.start, "missing ) after argument list")
            }
            _ => self.unexpected(),
        }
    }

    pub(super) fn spread(&mut self, cover: bool) -> R<NodeId> {
        let start = self.t.start;
        self.next()?;
        let value = self.assign(cover)?;
        self.node(Kind::Spread, start, value, 0)
    }

    /// The operand of a type assertion.
    pub(crate) fn unary_after_cast(&mut self) -> R<NodeId> {
        self.unary()
    }
}
