//! Jumps out of things: break, continue, return, through iterators to be closed and `finally` blocks.

use super::emit::LabelId;
use super::{C, Compiler, Reg};
use crate::bytecode::{Constant, Handler, Op, frame};
use crate::syntax::atoms::{Atom, known};
use crate::syntax::tree::{NONE, function_flag};

/// Something around the statement being compiled that a jump out of it must respect.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) kind: ControlKind,
    /// Labels that name it.
    pub(super) labels: Vec<Atom>,
    /// Where `break` goes, NONE if it does not take breaks.
    pub(super) on_break: LabelId,
    /// Where `continue` goes, NONE if it is no loop.
    pub(super) on_continue: LabelId,
    /// Where the words covered by its handler begin; NONE while a jump out of it is emitted.
    start: u32,
    /// Exits that wait for a `finally` block.
    exits: Vec<Exit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ControlKind {
    /// A loop, switch or labelled statement.
    Plain,
    /// Covered by a handler; nothing to do on the way out.
    Region,
    /// An iterator at a register, closed on the way out.
    Iterator { register: Reg, is_async: bool },
    /// A `finally` block: its two registers and its entry.
    Finally { kind: Reg, value: Reg, entry: LabelId },
}

/// A jump out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Return of a register.
    Return(Reg),
    /// To the break label of the n-th control.
    Break(usize),
    /// To the continue label of the n-th control.
    Continue(usize),
}

/// A finished part of a handler's range, kept until the inner handlers are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    level: usize,
    start: u32,
    end: u32,
}

impl Compiler<'_> {
    pub(super) fn push_control(&mut self, kind: ControlKind, on_break: LabelId, on_continue: LabelId) {
        // A handler may use what lies below.
        self.frame.kept = self.frame.kept.max(self.frame.next);
        let labels = if kind == ControlKind::Plain { std::mem::take(self.pending_labels) } else { Vec::new() };
        let start = self.here();
        self.controls.push(Control { kind, labels, on_break, on_continue, start, exits: Vec::new() });
    }

    /// Ends a control without a handler.
    pub(super) fn pop_control(&mut self) {
        self.controls.pop();
    }

    /// Ends a control whose handler is `target`; the exception arrives in `register`.
    pub(super) fn pop_region(&mut self, target: u32, register: Reg) -> Vec<Exit> {
        let level = self.controls.len() - 1;
        let end = self.here();
        self.split(level, end);
        let Some(control) = self.controls.pop() else { return Vec::new() };
        let first = self.splits.partition_point(|split| split.level < level);
        for split in self.splits.drain(first..) {
            if split.start < split.end {
                self.unit.handlers.push(Handler { start: split.start, end: split.end, target, register: register as u8 });
            }
        }
        control.exits
    }

    /// Ends the current part of a control's range.
    fn split(&mut self, level: usize, end: u32) {
        let control = &mut self.controls[level];
        if control.start != NONE && control.kind != ControlKind::Plain {
            let split = Split { level, start: control.start, end };
            control.start = NONE;
            let at = self.splits.partition_point(|other| other.level <= level);
            self.splits.insert(at, split);
        }
    }

    /// Handlers of regions still open whose target is known only at their end are completed by `pop_region`;
    /// this sets where the exception of the innermost one goes.
    pub(super) fn end_region(&mut self) {
        let level = self.controls.len() - 1;
        let end = self.here();
        self.split(level, end);
    }

    /// Emits a jump out of everything inside the `down_to`-th control, doing on the way what must be done.
    pub(super) fn exit(&mut self, exit: Exit) -> C<()> {
        let stop = match exit {
            Exit::Return(_) => 0,
            Exit::Break(level) | Exit::Continue(level) => level + 1,
        };
        let top = self.controls.len();
        let mut level = top;
        let mut suspended: Vec<usize> = Vec::new();
        let mut exit = exit;
        let mark = self.frame.next;
        while level > stop {
            level -= 1;
            if self.controls[level].start != NONE && self.controls[level].kind != ControlKind::Plain {
                let here = self.here();
                self.split(level, here);
                suspended.push(level);
            }
            match self.controls[level].kind {
                ControlKind::Plain | ControlKind::Region => {}
                ControlKind::Iterator { register, is_async } => {
                    if is_async {
                        self.close_async(register)?;
                    } else {
                        self.op1(Op::IteratorClose, register);
                    }
                }
                ControlKind::Finally { kind, value, entry } => {
                    if let Exit::Return(register) = exit {
                        self.op_move(value, register);
                        exit = Exit::Return(value);
                    }
                    let exits = &mut self.controls[level].exits;
                    let number = match exits.iter().position(|&other| other == exit) {
                        Some(number) => number,
                        None => {
                            exits.push(exit);
                            exits.len() - 1
                        }
                    };
                    self.load_int(kind, number as u32 + 2);
                    self.jump(entry);
                    self.resume(&suspended);
                    self.release(mark);
                    return Ok(());
                }
            }
        }
        match exit {
            Exit::Return(register) => {
                if self.frame.flags & function_flag::DERIVED != 0 && self.frame.flags & function_flag::CONSTRUCTOR != 0 {
                    self.return_derived(register)?;
                } else {
                    self.op1(Op::Return, register);
                }
            }
            Exit::Break(level) => self.jump(self.controls[level].on_break),
            Exit::Continue(level) => self.jump(self.controls[level].on_continue),
        }
        self.resume(&suspended);
        self.release(mark);
        Ok(())
    }

    fn resume(&mut self, suspended: &[usize]) {
        let here = self.here();
        for &level in suspended {
            self.controls[level].start = here;
        }
    }

    /// Closes an async iterator after a normal completion: awaits what its `return` gives.
    pub(super) fn close_async(&mut self, iterator: Reg) -> C<()> {
        let mark = self.frame.next;
        let none = self.label();
        let method = self.temp()?;
        self.op_key(Op::GetIteratorMethod, method, iterator, known::RETURN)?;
        self.jump_if(Op::JumpUndefined, method, none);
        let base = self.window(0)?;
        self.op_move(base + u32::from(frame::CALLEE), method);
        self.op_move(base + u32::from(frame::THIS), iterator);
        self.op3(Op::Call, method, base, 0);
        self.op2(Op::Await, method, method);
        self.op2(Op::RequireObject, method, 0);
        self.bind(none)?;
        self.release(mark);
        Ok(())
    }

    /// Closes an async iterator after an exception: what its `return` does is of no interest.
    pub(super) fn close_async_quietly(&mut self, iterator: Reg) -> C<()> {
        let mark = self.frame.next;
        let (none, done) = (self.label(), self.label());
        let method = self.take(2)?;
        self.push_control(ControlKind::Region, NONE, NONE);
        self.op_key(Op::GetIteratorMethod, method, iterator, known::RETURN)?;
        self.jump_if(Op::JumpUndefined, method, none);
        let base = self.window(0)?;
        self.op_move(base + u32::from(frame::CALLEE), method);
        self.op_move(base + u32::from(frame::THIS), iterator);
        self.op3(Op::Call, method, base, 0);
        self.op2(Op::Await, method, method);
        self.bind(none)?;
        self.end_region();
        self.jump(done);
        let target = self.here();
        self.pop_region(target, method + 1);
        self.bind(done)?;
        self.release(mark);
        Ok(())
    }

    /// Covers the iterator at `register` with a handler that closes it and throws on; to be called where its
    /// control ends, with nothing falling through into it.
    pub(super) fn close_on_throw(&mut self, register: Reg, is_async: bool) -> C<()> {
        let mark = self.frame.next;
        let error = self.temp()?;
        let target = self.here();
        self.pop_region(target, error);
        if is_async {
            self.close_async_quietly(register)?;
        } else {
            self.op1(Op::IteratorCloseQuietly, register);
        }
        self.op1(Op::Throw, error);
        self.release(mark);
        Ok(())
    }

    /// The jump table behind a `finally` block, and the exits that waited for it.
    pub(super) fn dispatch(&mut self, kind: Reg, value: Reg, exits: &[Exit], end: LabelId) -> C<()> {
        let table = self.constant(Constant::Jumps(Vec::new()));
        self.op1(Op::JumpTable, kind);
        self.word(table);
        let after = self.here();
        self.jump(end);
        let mut distances = vec![0, (self.here() - after) as i32];
        self.op1(Op::Throw, value);
        for &exit in exits {
            distances.push((self.here() - after) as i32);
            self.exit(exit)?;
        }
        self.hold(distances.len() * 4)?;
        if let Some(constant) = self.constant_mut(table) {
            *constant = Constant::Jumps(distances);
        }
        Ok(())
    }

    /// The control that an unlabelled `break` or `continue`, or one with a label, leaves.
    pub(super) fn find_control(&self, label: Atom, is_continue: bool) -> Option<usize> {
        self.controls.iter().rposition(|control| {
            if label != NONE {
                control.labels.contains(&label) && if is_continue { control.on_continue != NONE } else { control.on_break != NONE }
            } else if is_continue {
                control.on_continue != NONE
            } else {
                control.on_break != NONE && control.unlabelled()
            }
        })
    }
}

impl Control {
    /// Whether a plain `break` leaves it: a loop or a switch.
    fn unlabelled(&self) -> bool {
        self.kind == ControlKind::Plain && (self.on_continue != NONE || self.labels.first() != Some(&NONE))
    }
}
