//! Calls.

use super::{C, Compiler, Reg};
use crate::bytecode::{Constant, Op, each, eval_flag, frame, sort};
use crate::syntax::atoms::known;
use crate::syntax::tree::{Kind, NONE, Node, NodeId, flag, function_flag};

const CALLEE: Reg = frame::CALLEE as Reg;
const NEW_TARGET: Reg = frame::NEW_TARGET as Reg;
const THIS: Reg = frame::THIS as Reg;
const ARGUMENTS: Reg = frame::ARGUMENTS as Reg;
/// Calls with more arguments pass them in an array.
const MOST_ARGUMENTS: usize = 60;

impl Compiler<'_> {
    /// The arguments of a call into its window; gives their number, or `None` if they are in one array.
    fn arguments(&mut self, list: u32, window: Reg) -> C<Option<u32>> {
        let arguments: Vec<NodeId> = self.tree.list(list).to_vec();
        let crowded = self.frame.next as usize + arguments.len() > 180;
        let spread = arguments.iter().any(|&argument| self.tree.node(argument).kind == Kind::Spread);
        if spread || arguments.len() > MOST_ARGUMENTS || crowded && arguments.len() > 2 {
            let array = self.temp()?;
            debug_assert!(array == window + ARGUMENTS);
            self.op_ax(Op::NewArray, array, arguments.len().min(0xFFFF) as u32);
            for argument in arguments {
                let node = self.tree.node(argument);
                let mark = self.frame.next;
                if node.kind == Kind::Spread {
                    let value = self.any(node.a)?;
                    self.at(node.start);
                    self.op2(Op::ArraySpread, array, value);
                } else {
                    let value = self.any(argument)?;
                    self.op2(Op::ArrayPush, array, value);
                }
                self.release(mark);
            }
            return Ok(None);
        }
        let count = arguments.len() as u32;
        for argument in arguments {
            let register = self.temp()?;
            self.expr(argument, register)?;
        }
        Ok(Some(count))
    }

    /// The rest of a call whose window has callee and `this`.
    pub(super) fn finish_call(&mut self, node: Node, window: Reg, out: Reg) -> C<()> {
        let arguments = self.arguments(node.b, window)?;
        self.emit_call(Op::Call, node, window, arguments, out)
    }

    /// The call itself, by `Call` or `CallFunction`, once the arguments lie in the window.
    fn emit_call(&mut self, op: Op, node: Node, window: Reg, arguments: Option<u32>, out: Reg) -> C<()> {
        // A method's call is reported at the method's name, as engines do: a chain of calls begins at one place.
        let callee = self.tree.node(node.a);
        self.at(if matches!(callee.kind, Kind::Member | Kind::PrivateMember) { callee.start } else { node.start });
        match arguments {
            Some(count) => self.op3(op, out, window, count),
            None => {
                if op == Op::CallFunction {
                    self.op1(Op::LoadUndefined, window + THIS);
                }
                self.op2(Op::CallSpread, out, window);
            }
        }
        self.release(window);
        Ok(())
    }

    /// A call without an object: `this` is undefined.
    pub(super) fn plain_call(&mut self, node: Node, callee: Reg, out: Reg) -> C<()> {
        let window = self.window(0)?;
        self.op_move(window + CALLEE, callee);
        self.finish_plain_call(node, window, out)
    }

    /// The rest of a call whose window has the callee only: `this` is undefined.
    pub(super) fn finish_plain_call(&mut self, node: Node, window: Reg, out: Reg) -> C<()> {
        if node.flags & flag::DIRECT_EVAL != 0 {
            self.op1(Op::LoadUndefined, window + THIS);
            return self.direct_eval(node, window, out);
        }
        let arguments = self.arguments(node.b, window)?;
        self.emit_call(Op::CallFunction, node, window, arguments, out)
    }

    /// A call of a name that is looked for in `with` objects, one of which becomes `this`.
    pub(super) fn dynamic_call(&mut self, name: NodeId, call: NodeId, out: Reg) -> C<()> {
        let node = self.tree.node(call);
        let window = self.window(0)?;
        let (found, ready) = (self.label(), self.label());
        self.search(name, window + THIS, found)?;
        self.load_static(name, window + CALLEE, false)?;
        self.op1(Op::LoadUndefined, window + THIS);
        self.jump(ready);
        self.bind(found)?;
        let name_node = self.tree.node(name);
        self.at(name_node.start);
        self.op_key(Op::GetField, window + CALLEE, window + THIS, name_node.a)?;
        // Scope objects of evals are no `this`; they have no prototype and are never seen by the guest.
        if !self.only_with_objects(name) {
            self.op1(Op::LoadUndefined, window + THIS);
        }
        self.bind(ready)?;
        if node.flags & flag::DIRECT_EVAL != 0 {
            return self.direct_eval(node, window, out);
        }
        self.finish_call(node, window, out)
    }

    pub(super) fn direct_eval(&mut self, node: Node, window: Reg, out: Reg) -> C<()> {
        let arguments = self.arguments(node.b, window)?;
        self.at(node.start);
        let scope = self.scope_constant()?;
        self.op3(Op::CallEval, out, window, arguments.unwrap_or(255));
        let mut flags = 0;
        if self.frame.strict {
            flags |= eval_flag::STRICT;
        }
        let owner = self.this_owner();
        let owner_flags = self.tree.function(owner).flags;
        if owner_flags & function_flag::TOP == 0 {
            flags |= eval_flag::NEW_TARGET;
            if owner_flags & function_flag::METHOD != 0 {
                flags |= eval_flag::SUPER_PROPERTY;
            }
            if owner_flags & function_flag::CONSTRUCTOR != 0 && owner_flags & function_flag::DERIVED != 0 {
                flags |= eval_flag::SUPER_CALL;
            }
            if owner_flags & function_flag::FIELDS != 0 {
                flags |= eval_flag::FIELD_INITIALISER;
            }
        } else if self.request.scope.is_some() {
            let options = &self.request.options;
            for (allowed, bit) in [
                (options.new_target, eval_flag::NEW_TARGET),
                (options.super_property, eval_flag::SUPER_PROPERTY),
                (options.super_call, eval_flag::SUPER_CALL),
                (options.no_arguments, eval_flag::FIELD_INITIALISER),
            ] {
                if allowed {
                    flags |= bit;
                }
            }
        }
        self.word(flags);
        self.word(scope);
        self.release(window);
        Ok(())
    }

    pub(super) fn new_call(&mut self, node: Node, out: Reg) -> C<()> {
        let window = self.window(0)?;
        self.expr(node.a, window + CALLEE)?;
        let arguments = self.arguments(node.b, window)?;
        self.at(node.start);
        match arguments {
            Some(count) => self.op3(Op::New, out, window, count),
            None => self.op2(Op::NewSpread, out, window),
        }
        self.release(window);
        Ok(())
    }

    /// `super(...)`.
    pub(super) fn super_call(&mut self, node: Node, out: Reg) -> C<()> {
        let window = self.window(0)?;
        self.load_owner_function(window + CALLEE)?;
        self.load_new_target(window + NEW_TARGET)?;
        let arguments = self.arguments(node.b, window)?;
        self.at(node.start);
        self.op3(Op::CallSuper, out, window, arguments.unwrap_or(255));
        self.release(window);
        self.store_this(out)?;
        let function = self.temp()?;
        self.load_owner_function(function)?;
        self.op2(Op::InitialiseFields, out, function);
        self.release(window);
        Ok(())
    }

    /// A tagged template: `tag(object, values...)`. `window`: the tag is a method whose window is begun.
    pub(super) fn tagged(&mut self, node: Node, tag: Reg, window: Option<Reg>, out: Reg) -> C<()> {
        let window = match window {
            Some(window) => window,
            None => {
                let window = self.window(0)?;
                self.op_move(window + CALLEE, tag);
                self.op1(Op::LoadUndefined, window + THIS);
                window
            }
        };
        let parts: Vec<u32> = self.tree.list(node.b).to_vec();
        let mut strings = Vec::new();
        let mut values = Vec::new();
        for part in parts.chunks(3) {
            let cooked = if part[0] == NONE { None } else { Some(self.text(part[0])) };
            let raw = self.text(part.get(1).copied().unwrap_or(NONE));
            strings.push((cooked, raw));
            if let Some(&value) = part.get(2) {
                values.push(value);
            }
        }
        self.hold(strings.len() * 24)?;
        let constant = self.constant(Constant::Template(strings));
        if values.len() > MOST_ARGUMENTS {
            let array = self.temp()?;
            self.op_ax(Op::NewArray, array, values.len().min(0xFFFF) as u32);
            let mark = self.frame.next;
            let item = self.temp()?;
            self.op1(Op::TemplateObject, item);
            self.word(constant);
            self.op2(Op::ArrayPush, array, item);
            for value in values {
                self.expr(value, item)?;
                self.op2(Op::ArrayPush, array, item);
            }
            self.release(mark);
            self.at(node.start);
            self.op2(Op::CallSpread, out, window);
            self.release(window);
            return Ok(());
        }
        let object = self.temp()?;
        self.op1(Op::TemplateObject, object);
        self.word(constant);
        let count = values.len() as u32 + 1;
        for value in values {
            let register = self.temp()?;
            self.expr(value, register)?;
        }
        self.at(node.start);
        self.op3(Op::Call, out, window, count);
        self.release(window);
        Ok(())
    }

    /// `%name(...)` of the library's own source.
    pub(super) fn intrinsic(&mut self, node: Node, to: Reg) -> C<()> {
        match self.tree.text(node.a) {
            b"call" => return self.intrinsic_call(node, to),
            b"sortRuns" => return self.sort_runs(node, to),
            b"each" => return self.each(node, to, each::EACH),
            b"eachMap" => return self.each(node, to, each::MAP),
            b"eachFilter" => return self.each(node, to, each::FILTER),
            b"eachSome" => return self.each(node, to, each::SOME),
            b"eachEvery" => return self.each(node, to, each::EVERY),
            b"eachReduce" => return self.each(node, to, each::REDUCE),
            _ => {}
        }
        let number = self.request.intrinsic.and_then(|find| find(self.tree.text(node.a)));
        let Some(number) = number else {
            let message = format!("Unknown intrinsic '{}'", String::from_utf8_lossy(self.tree.text(node.a)));
            return self.syntax_error(message, node.start);
        };
        let window = self.window(0)?;
        self.op1(Op::LoadUndefined, window + THIS);
        let count = self.arguments(node.b, window)?;
        let Some(count) = count else {
            return self.syntax_error("Intrinsics take no spread arguments".to_owned(), node.start);
        };
        debug_assert!(window + ARGUMENTS + count <= self.frame.next);
        self.at(node.start);
        self.op3(Op::Native, to, window, count);
        self.word(u32::from(number));
        self.release(window);
        Ok(())
    }

    /// `%call(callee, this, arguments...)` of the library's own source: a plain call.
    fn intrinsic_call(&mut self, node: Node, out: Reg) -> C<()> {
        let arguments: Vec<NodeId> = self.tree.list(node.b).to_vec();
        let window = self.window(0)?;
        for (i, &argument) in arguments.iter().enumerate() {
            let register = match i {
                0 => window + CALLEE,
                1 => window + THIS,
                _ => self.temp()?,
            };
            self.expr(argument, register)?;
        }
        if arguments.len() < 2 {
            self.op1(Op::LoadUndefined, window + THIS);
        }
        self.at(node.start);
        self.op3(Op::Call, out, window, arguments.len().saturating_sub(2) as u32);
        self.release(window);
        Ok(())
    }

    /// `%sortRuns(from, to, compare, count)`: the list that holds the sorted elements.
    fn sort_runs(&mut self, node: Node, to: Reg) -> C<()> {
        let state = self.take(u32::from(sort::WINDOW + frame::ARGUMENTS + sort::ARGUMENTS))?;
        self.state(node, state)?;
        for field in [sort::WIDTH, sort::LOW, sort::MIDDLE, sort::HIGH, sort::END, sort::OUT] {
            self.op_ax(Op::LoadInt, state + u32::from(field), 0);
        }
        self.op1(Op::LoadUninitialised, state + u32::from(sort::RESULT));
        self.at(node.start);
        self.op2(Op::SortRuns, to, state);
        self.release(state);
        Ok(())
    }

    /// `%each...(list, index, length, function, this, out)`. A variable as `out` gets what the loop leaves: the result so far, or the
    /// element that decided.
    fn each(&mut self, node: Node, to: Reg, mode: u8) -> C<()> {
        let state = self.take(u32::from(each::WINDOW + frame::ARGUMENTS + each::ARGUMENTS))?;
        self.state(node, state)?;
        self.op1(Op::LoadUninitialised, state + u32::from(each::RESULT));
        self.at(node.start);
        self.op3(Op::EachElement, to, state, u32::from(mode));
        let out = self.tree.list(node.b).get(usize::from(each::OUT)).copied();
        let left = match mode {
            each::REDUCE => Some(each::OUT),
            each::SOME => Some(each::ITEM),
            _ => None,
        };
        if let (Some(out), Some(left)) = (out, left)
            && self.tree.node(out).kind == Kind::Identifier
            && self.tree.node(out).a != known::UNDEFINED
        {
            self.store_name(out, state + u32::from(left))?;
        }
        self.release(state);
        Ok(())
    }

    /// The first registers of a state, from the arguments of an intrinsic.
    fn state(&mut self, node: Node, state: Reg) -> C<()> {
        let arguments: Vec<NodeId> = self.tree.list(node.b).to_vec();
        for (&argument, register) in arguments.iter().zip(state..) {
            self.expr(argument, register)?;
        }
        Ok(())
    }
}
