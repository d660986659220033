//! Generators and async functions: their frames move to the heap and back.
//!
//! A generator object's fields: frame u32 (a Slots cell of its registers), state u32, pc u32, kind u32, data value (an async
//! function's promise capability, an async generator's queue: the library's own affair). While its body runs, its frame's
//! NEW_TARGET register holds it, and its INFO says [`Entry::Generator`], with the caller's entry in bits 40..48.

use super::{Exit, a, b, c, op, slow, slow_op};
use crate::bytecode::{Op, frame, function_flag};
use crate::heap::object::Own;
use crate::heap::string::Key;
use crate::heap::{Kind, Pause, Result, Signal, atoms};
use crate::library::Helper;
use crate::value::Value;
use crate::vm::{Entry, Realm, Vm, code};

/// Offsets of the fields.
const FRAME: u32 = 16;
const STATE: u32 = 20;
const PC: u32 = 24;
const KIND: u32 = 28;
/// The library's own value.
pub(crate) const DATA: u32 = 32;

/// States.
const START: u32 = 0;
const SUSPENDED: u32 = 1;
const RUNNING: u32 = 2;
const DONE: u32 = 3;

/// Kinds.
const SYNC: u32 = 0;
const ASYNC: u32 = 1;
const ASYNC_GENERATOR: u32 = 2;

/// How a body is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    Next,
    Throw,
    Return,
}

/// Registers that are free above a running body: its caller's window may end so far above the body's start, and the helper that
/// takes what the body returns, throws or waits for stands there. By then the body's frame is gone and nothing could run again.
const HELPER_ROOM: u32 = 256 + 64;

slow_op!(InitialYield(vm, word) {
    let callee = vm.register(frame::CALLEE);
    let cell = vm.code_of(callee);
    let flags = vm.heap.high(cell);
    let (generator, asynchronous) = (flags & function_flag::GENERATOR != 0, flags & function_flag::ASYNC != 0);
    // A module's body waits until it is run.
    let module = vm.is_module_body(cell);
    let kind = match (generator, asynchronous) {
        (false, false) if module => SYNC,
        (false, _) => ASYNC,
        (true, true) => ASYNC_GENERATOR,
        (true, false) => SYNC,
    };
    let fallback = match kind {
        SYNC => Realm::GENERATOR_PROTOTYPE,
        ASYNC => Realm::OBJECT_PROTOTYPE,
        _ => Realm::ASYNC_GENERATOR_PROTOTYPE,
    };
    if kind == ASYNC && !module {
        let end = vm.fp + (u32::from(vm.heap.mem.load_u16(cell + code::REGISTERS)) + HELPER_ROOM) * 8;
        if end > vm.stack_limit {
            vm.grow_stack(end)?;
        }
    }
    let mut proto = vm.realm_cell(fallback);
    if generator && callee.is_object_cell() {
        vm.materialise(callee.payload())?;
        if let Own::Data { address, .. } = vm.heap.own(callee.payload(), Key::Name(atoms::PROTOTYPE))
            && vm.heap.value(address).is_object_cell()
        {
            proto = vm.heap.value(address).payload();
        }
    }
    let shape = vm.heap.root_shape(proto, Kind::Generator, 0)?;
    let object = vm.heap.object(Kind::Generator, shape)?;
    let registers = u32::from(vm.heap.mem.load_u16(cell + code::REGISTERS));
    let saved = vm.heap.values(Kind::Slots, registers, Value::UNDEFINED)?;
    let data = if kind == ASYNC { vm.new_promise()? } else { Value::UNDEFINED };
    vm.heap.mem.store_u32(object + FRAME, saved);
    vm.heap.mem.store_u32(object + KIND, kind);
    vm.heap.mem.store_u32(object + PC, vm.next);
    vm.heap.set_value(object + DATA, data);
    vm.heap.set_value(object + DATA + 8, Value::UNDEFINED);
    vm.heap.set_value(object + DATA + 16, Value::UNDEFINED);
    let info = vm.heap.mem.load_u64(vm.fp + 8);
    let outer = (info >> 32) & 0xff;
    vm.set_register(frame::NEW_TARGET, Value::object(object));
    if kind == ASYNC && !module {
        vm.heap.mem.store_u32(object + STATE, RUNNING);
        vm.heap.mem.store_u64(vm.fp + 8, info & 0xffff_ffff | (Entry::Generator as u64) << 32 | outer << 40);
        return Ok(());
    }
    vm.heap.mem.store_u32(object + STATE, START);
    vm.save_frame(object);
    match vm.leave(Value::object(object))? {
        None => Err(Signal::Called),
        Some(_) => Err(Signal::Stop(Pause::Internal)),
    }
});

op!(Yield(vm, regs, region, pc, state, word) {
    slow(vm, regs, region, state, word, yield_value)
});

op!(YieldRaw(vm, regs, region, pc, state, word) {
    slow(vm, regs, region, state, word, yield_value)
});

/// Leaves the body with a value; it goes on after this instruction.
fn yield_value(vm: &mut Vm<'_>, word: u32) -> Result<()> {
    let object = vm.running_generator()?;
    let value = vm.register(b(word));
    match vm.heap.mem.load_u32(object + KIND) {
        SYNC => {
            // `yield*` hands inner results on as they are.
            let raw = vm.op_at(vm.pc) == Some(Op::YieldRaw);
            let result = if raw { value } else { vm.iterator_result(value, false)? };
            vm.suspend(object, vm.pc);
            vm.deliver(result)
        }
        ASYNC_GENERATOR => {
            vm.suspend(object, vm.pc);
            vm.return_to_caller();
            vm.help(Helper::AsyncGeneratorYield, &[Value::object(object), value])?;
            Ok(())
        }
        _ => Err(Signal::Stop(Pause::Internal)),
    }
}

slow_op!(Await(vm, word) {
    let object = vm.running_generator()?;
    let value = vm.register(b(word));
    vm.suspend(object, vm.pc);
    vm.return_to_caller();
    let helper = if vm.heap.mem.load_u32(object + KIND) == ASYNC { Helper::AsyncAwait } else { Helper::AsyncGeneratorAwait };
    vm.help(helper, &[Value::object(object), value])?;
    Ok(())
});

impl<'a> Vm<'a> {
    /// The generator whose body is running.
    fn running_generator(&mut self) -> Result<u32> {
        let object = self.register(frame::NEW_TARGET);
        if self.heap.is_kind(object, Kind::Generator) { Ok(object.payload()) } else { Err(Signal::Stop(Pause::Internal)) }
    }

    /// Copies the running frame's registers to its generator.
    fn save_frame(&mut self, object: u32) {
        let saved = self.heap.mem.load_u32(object + FRAME);
        let count = self.heap.high(saved);
        self.heap.debt += u64::from(count / 32);
        self.heap.mem.copy(self.fp, saved + 8, count * 8);
        // What the first two registers hold belongs to the stack.
        self.heap.mem.store_u64(saved + 8, 0);
        self.heap.mem.store_u64(saved + 16, self.heap.mem.load_u64(self.fp + 8) & 0xffff_ffff);
    }

    /// Suspends the running body at the instruction at `pc`.
    fn suspend(&mut self, object: u32, pc: u32) {
        self.save_frame(object);
        self.heap.mem.store_u32(object + PC, pc);
        self.heap.mem.store_u32(object + STATE, SUSPENDED);
    }

    /// Pops the running body's frame: what is called next answers to its caller.
    fn return_to_caller(&mut self) {
        let (link, info) = (self.heap.mem.load_u64(self.fp), self.heap.mem.load_u64(self.fp + 8));
        self.next = link as u32;
        self.destination = (link >> 48) as u8;
        self.entry = Entry::from_info(info >> 8 & 0xff_0000_0000);
        self.fp = self.fp.wrapping_sub(((link >> 32) as u32 & 0xffff) * 8);
        self.depth = self.depth.wrapping_sub(1);
    }

    /// Leaves the running body's frame with a value for its caller.
    fn deliver(&mut self, value: Value) -> Result<()> {
        let info = self.heap.mem.load_u64(self.fp + 8);
        self.heap.mem.store_u64(self.fp + 8, info & 0xffff_ffff | (info >> 8 & 0xff_0000_0000));
        match self.leave(value)? {
            None => Err(Signal::Called),
            Some(_) => Err(Signal::Stop(Pause::Internal)),
        }
    }

    /// The body returned.
    pub(crate) fn leave_generator(&mut self, value: Value) -> Result<Option<Exit>> {
        let object = self.running_generator()?;
        let kind = self.heap.mem.load_u32(object + KIND);
        if kind == SYNC {
            let result = self.iterator_result(value, true)?;
            self.heap.mem.store_u32(object + STATE, DONE);
            self.heap.mem.store_u32(object + FRAME, 0);
            let info = self.heap.mem.load_u64(self.fp + 8);
            self.heap.mem.store_u64(self.fp + 8, info & 0xffff_ffff | (info >> 8 & 0xff_0000_0000));
            return self.leave(result);
        }
        self.heap.mem.store_u32(object + STATE, DONE);
        self.heap.mem.store_u32(object + FRAME, 0);
        self.return_to_caller();
        let helper = if kind == ASYNC { Helper::AsyncReturn } else { Helper::AsyncGeneratorReturn };
        match self.help(helper, &[Value::object(object), value]) {
            Err(Signal::Called) => Ok(None),
            Err(signal) => Err(signal),
            Ok(_) => Ok(None),
        }
    }

    /// An exception left the body. Ok(None): execution goes on; Err: the exception goes on in the caller.
    pub(crate) fn throw_from_generator(&mut self, value: Value) -> std::result::Result<Option<Exit>, ()> {
        let Ok(object) = self.running_generator() else { return Ok(Some(Exit::Pause(Pause::Internal))) };
        let kind = self.heap.mem.load_u32(object + KIND);
        self.heap.mem.store_u32(object + STATE, DONE);
        self.heap.mem.store_u32(object + FRAME, 0);
        self.return_to_caller();
        if kind == SYNC {
            self.pc = self.next.wrapping_sub(4);
            return Err(());
        }
        let helper = if kind == ASYNC { Helper::AsyncThrow } else { Helper::AsyncGeneratorThrow };
        match self.help(helper, &[Value::object(object), value]) {
            Err(Signal::Called) => Ok(None),
            _ => Ok(Some(Exit::Pause(Pause::Internal))),
        }
    }

    /// Resumes a suspended body from a native in tail position.
    pub(crate) fn resume_generator(&mut self, object: Value, mode: Resume, value: Value, kind: u32) -> Result<Value> {
        if !self.heap.is_kind(object, Kind::Generator) || self.heap.mem.load_u32(object.payload() + KIND) != kind {
            return self.type_error("next method called on incompatible receiver");
        }
        let cell = object.payload();
        match self.heap.mem.load_u32(cell + STATE) {
            RUNNING => return self.type_error("Generator is already running"),
            START if mode == Resume::Next => {}
            START | DONE if kind == SYNC => {
                self.heap.mem.store_u32(cell + STATE, DONE);
                self.heap.mem.store_u32(cell + FRAME, 0);
                return match mode {
                    Resume::Next => self.iterator_result(Value::UNDEFINED, true),
                    Resume::Return => self.iterator_result(value, true),
                    Resume::Throw => Err(Signal::Throw(value)),
                };
            }
            _ => {}
        }
        let first = self.heap.mem.load_u32(cell + STATE) == START;
        let saved = self.heap.mem.load_u32(cell + FRAME);
        let count = self.heap.high(saved);
        let distance = self.frame_top();
        let end = self.fp + (distance + count + HELPER_ROOM) * 8;
        if end > self.stack_limit || self.depth >= self.max_depth {
            self.grow_stack(end)?;
        }
        let window = self.fp + distance * 8;
        let passed = self.heap.mem.load_u64(saved + 16) & 0xffff_ffff;
        self.heap.mem.copy(saved + 8, window, count * 8);
        let link = u64::from(self.next) | u64::from(distance) << 32 | u64::from(self.destination) << 48;
        self.heap.mem.store_u64(window, link);
        self.heap.mem.store_u64(window + 8, passed | (Entry::Generator as u64) << 32 | (self.entry as u64) << 40);
        self.fp = window;
        self.depth += 1;
        self.heap.debt += u64::from(count / 32);
        self.heap.mem.store_u32(cell + STATE, RUNNING);
        let pc = self.heap.mem.load_u32(cell + PC);
        self.pc = pc;
        if first {
            return Err(Signal::Called);
        }
        let word = self.heap.mem.load_u32(pc);
        let op = self.op_at(pc);
        if mode == Resume::Throw && op != Some(Op::YieldRaw) {
            return Err(Signal::ThrowAt(value));
        }
        self.set_register(a(word), value);
        match op {
            Some(Op::Yield) => self.set_register(c(word), Value::boolean(mode == Resume::Return)),
            Some(Op::YieldRaw) => self.set_register(c(word), Value::int(mode as i32)),
            _ => {}
        }
        self.pc = pc + 4;
        Err(Signal::Called)
    }

    /// Is the body at its start, suspended, running, done? (0..3)
    pub(crate) fn generator_state(&self, cell: u32) -> u32 {
        self.heap.mem.load_u32(cell + STATE)
    }

    pub(crate) fn finish_generator(&mut self, cell: u32) {
        self.heap.mem.store_u32(cell + STATE, DONE);
        self.heap.mem.store_u32(cell + FRAME, 0);
    }

    /// `{value, done}`.
    pub(crate) fn iterator_result(&mut self, value: Value, done: bool) -> Result<Value> {
        let shape = self.realm_cell(Realm::ITERATOR_RESULT_SHAPE);
        let object = self.heap.object(Kind::Object, shape)?;
        self.heap.set_value(object + 16, value);
        self.heap.set_value(object + 24, Value::boolean(done));
        Ok(Value::object(object))
    }
}
