//! The interpreter: one function per instruction.
//!
//! In release builds each ends in a call of the next through a table, which LLVM turns into a jump; in debug
//! builds, under Miri and on wasm32 it returns to a plain loop instead. Both come from the same definitions.
//!
//! State travels in arguments (machine registers): the machine, the frame's registers, the code region, pc, fuel.
//! A hot path never touches more; everything else is a slow path, which saves pc and fuel in the machine, works on
//! it, and answers with a [`Signal`] when it cannot just go on.

use memory::{Region, Registers};

use crate::bytecode::{Op, TABLE as ROWS};
use crate::heap::{Pause, Result, Signal};
use crate::value::Value;
use crate::vm::Vm;

mod arithmetic;
mod call;
mod compare;
mod convert;
mod describe;
mod drive;
mod exception;
mod generator;
mod iterate;
mod lookup;
mod make;
mod property;
mod scope;
mod simple;

pub(crate) use arithmetic::power_double;
pub(crate) use compare::strictly_equal;
pub(crate) use convert::parse_bigint;
pub(crate) use generator::{DATA, Resume};

/// Why the interpreter returned to its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The slice is used up; run again to go on.
    Slice,
    /// The host's frame returned this.
    Value(Value),
    /// An exception reached the host's frame.
    Thrown(Value),
    /// Stopped.
    Pause(Pause),
}

/// The plain loop is used where calls in tail position are not known to be jumps.
const PLAIN: bool = cfg!(any(debug_assertions, miri, target_arch = "wasm32"));

/// The run is over: the machine's `exit` says how. Empty, so that instructions return nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left;

#[cfg(not(any(debug_assertions, miri, target_arch = "wasm32")))]
pub(crate) type Flow<'a> = std::result::Result<std::convert::Infallible, Left>;

/// What an instruction returns to the plain loop.
#[cfg(any(debug_assertions, miri, target_arch = "wasm32"))]
pub(crate) type Flow<'a> = std::result::Result<State<'a>, Left>;

/// Fuel left (upper half) and pc (lower half): one addition pays for an instruction and goes to it. Signed, a negative
/// one means that the slice cannot pay.
pub(crate) type Place = u64;

/// Registers, code, place and instruction word.
#[allow(dead_code)]
pub(crate) type State<'a> = (Registers<'a>, Region<'a>, Place, u32);

type Handler = for<'a, 'b> fn(&'b mut Vm<'a>, Registers<'a>, Region<'a>, Place, u32) -> Flow<'a>;

/// One unit of fuel in a place.
const UNIT: u64 = 1 << 32;

// Paying on the way to an instruction needs no look at which one it is.
const _: () = {
    let mut i = 0;
    while i < ROWS.len() {
        assert!(ROWS[i].fuel == 1);
        i += 1;
    }
};

/// Goes on at a place whose instruction is paid for.
#[cfg(not(any(debug_assertions, miri, target_arch = "wasm32")))]
#[inline(always)]
fn dispatch<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place) -> Flow<'a> {
    let word = code.load_u32(state as u32);
    HANDLERS[usize::from(word as u8)](vm, regs, code, state, word)
}

#[cfg(any(debug_assertions, miri, target_arch = "wasm32"))]
#[inline(always)]
fn dispatch<'a>(_vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place) -> Flow<'a> {
    let word = code.load_u32(state as u32);
    Ok((regs, code, state, word))
}

/// Goes on `distance` bytes further, and pays for it.
///
/// A distance of at most 2^31 either way cannot gain fuel in the long run, whatever a corrupted heap jumps to: what a carry
/// out of pc gives, the way back takes.
#[inline(always)]
pub(super) fn step<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place, distance: i32) -> Flow<'a> {
    let state = state.wrapping_add((i64::from(distance) as u64).wrapping_sub(UNIT));
    if (state as i64) < 0 {
        return out_of_fuel(vm, regs, code, state);
    }
    dispatch(vm, regs, code, state)
}

/// Goes on at `pc`, in another function perhaps, and pays for it.
#[inline(always)]
pub(super) fn enter<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place, pc: u32) -> Flow<'a> {
    let state = (state & !(UNIT - 1) | u64::from(pc)).wrapping_sub(UNIT);
    if (state as i64) < 0 {
        return out_of_fuel(vm, regs, code, state);
    }
    dispatch(vm, regs, code, state)
}

/// Fuel left, as the machine keeps it.
#[inline(always)]
pub(super) fn fuel(state: Place) -> i64 {
    (state as i64) >> 32
}

/// Declares a function that deals with an instruction, whose fuel is paid already, and jumps to the next.
macro_rules! handler {
    ($(#[$meta:meta])* $vis:vis $name:ident($vm:ident, $regs:ident, $code:ident, $pc:ident, $state:ident, $word:ident) $body:block) => {
        $(#[$meta])*
        #[allow(non_snake_case, unused_variables)]
        $vis fn $name<'a>(
            $vm: &mut $crate::vm::Vm<'a>,
            $regs: ::memory::Registers<'a>,
            $code: ::memory::Region<'a>,
            $state: u64,
            $word: u32,
        ) -> $crate::interpret::Flow<'a> {
            let $pc = $state as u32;
            $body
        }
    };
}

/// Declares the function of an instruction: `op!(Name(vm, regs, code, pc, state, word) { .. })`.
macro_rules! op {
    ($($function:tt)*) => {
        $crate::interpret::handler!(pub(super) $($function)*);
    };
}

/// Declares what is left of an instruction when its commonest case is dealt with: a function of its own that is jumped to, so that the
/// commonest case needs only the machine's registers that a function may use without saving them.
macro_rules! rest {
    ($($function:tt)*) => {
        $crate::interpret::handler!(#[inline(never)] $($function)*);
    };
}

/// Declares an instruction that has no fast path: `slow_op!(Name(vm, word) { .. Ok(()) })`.
macro_rules! slow_op {
    ($name:ident($vm:ident, $word:ident) $body:block) => {
        op!($name(vm, regs, code, pc, state, word) {
            #[inline(never)]
            #[allow(unused_variables)]
            fn work($vm: &mut Vm<'_>, $word: u32) -> crate::heap::Result<()> $body
            crate::interpret::slow(vm, regs, code, state, word, work)
        });
    };
}

pub(super) use handler;
pub(super) use op;
pub(super) use rest;
#[allow(unused_imports)]
pub(super) use slow_op;

/// Bytes of an instruction.
pub(super) const fn width(op: Op) -> u32 {
    ROWS[op as usize].words() as u32 * 4
}

#[inline(always)]
pub(super) const fn a(word: u32) -> u8 {
    (word >> 8) as u8
}

#[inline(always)]
pub(super) const fn b(word: u32) -> u8 {
    (word >> 16) as u8
}

#[inline(always)]
pub(super) const fn c(word: u32) -> u8 {
    (word >> 24) as u8
}

/// The signed 16 bits.
#[inline(always)]
pub(super) const fn imm16(word: u32) -> i32 {
    word as i32 >> 16
}

/// The signed last byte.
#[inline(always)]
pub(super) const fn imm8(word: u32) -> i32 {
    word as i32 >> 24
}

/// The instruction at the place was to be paid and could not be.
#[cold]
#[inline(never)]
fn out_of_fuel<'a>(vm: &mut Vm<'a>, _regs: Registers<'a>, _code: Region<'a>, state: Place) -> Flow<'a> {
    vm.pc = state as u32;
    vm.fuel = fuel(state) + 1;
    vm.exit(Exit::Slice)
}

/// The work of a slow path. Its result goes to the register `a` of the instruction unless it does so itself.
pub(crate) type Work = for<'a, 'b> fn(&'b mut Vm<'a>, u32) -> Result<()>;

/// Runs a slow path of the instruction at `pc` and goes on behind it. A pushed frame delivers to register `a`.
#[inline(always)]
pub(super) fn slow<'a>(vm: &mut Vm<'a>, regs: Registers<'a>, code: Region<'a>, state: Place, word: u32, work: Work) -> Flow<'a> {
    // Through the machine: one argument more would not fit the registers, and the call would be no jump.
    vm.work = work;
    slow_work(vm, regs, code, state, word)
}

/// Bytes of instructions by opcode; at least one word.
static WIDTHS: [u8; 256] = {
    let mut widths = [4; 256];
    let mut i = 0;
    while i < ROWS.len() {
        widths[i] = ROWS[i].words() as u8 * 4;
        i += 1;
    }
    widths
};

// What follows is cut so that the functions that end in a jump to the next instruction hold no variable of theirs in
// memory: a call that might still be given the address of one is no jump, and the stack would grow with every slow path.

#[cold]
#[inline(never)]
fn slow_work<'a>(vm: &mut Vm<'a>, _regs: Registers<'a>, _code: Region<'a>, state: Place, word: u32) -> Flow<'a> {
    if slow_steps(vm, state, word) { proceed(vm) } else { Err(Left) }
}

/// Prepares the machine for work outside the fast paths.
#[inline(always)]
fn leave_registers(vm: &mut Vm<'_>, state: Place, word: u32) {
    let pc = state as u32;
    vm.pc = pc;
    vm.next = pc.wrapping_add(u32::from(WIDTHS[usize::from(word as u8)]));
    vm.fuel = fuel(state);
    vm.destination = a(word);
    vm.entry = crate::vm::Entry::Call;
    vm.mark();
}

#[inline(never)]
fn slow_steps(vm: &mut Vm<'_>, state: Place, word: u32) -> bool {
    let work = vm.work;
    leave_registers(vm, state, word);
    let result = work(vm, word);
    go_on(vm, state as u32, result)
}

/// The work of a native, whose result goes to the register `a` of the instruction.
#[inline(always)]
pub(super) fn native_work<'a>(vm: &mut Vm<'a>, state: Place, word: u32, work: impl FnOnce(&mut Vm<'a>, u32) -> Result<Value>) -> Flow<'a> {
    if native_steps(vm, state, word, work) { proceed(vm) } else { Err(Left) }
}

#[inline(never)]
fn native_steps<'a>(vm: &mut Vm<'a>, state: Place, word: u32, work: impl FnOnce(&mut Vm<'a>, u32) -> Result<Value>) -> bool {
    leave_registers(vm, state, word);
    let result = match work(vm, word) {
        Ok(value) => {
            vm.set_register(a(word), value);
            Ok(())
        }
        Err(signal) => Err(signal),
    };
    go_on(vm, state as u32, result)
}

/// Where to go on after a slow path of the instruction at `pc`; false: nowhere.
#[inline(always)]
fn go_on(vm: &mut Vm<'_>, pc: u32, result: Result<()>) -> bool {
    if let Err(Signal::Stop(Pause::Fuel) | Signal::Collect(_)) = result {
        vm.undo_charges();
    }
    vm.fuel = vm.fuel.saturating_sub(std::mem::take(&mut vm.heap.debt) as i64);
    match result {
        Ok(()) => {
            vm.collected_at = 0;
            vm.pc = vm.next;
            true
        }
        Err(Signal::Called) => {
            vm.collected_at = 0;
            true
        }
        Err(signal) => signalled(vm, pc, signal),
    }
}

/// The upper half of a place, if there is fuel for at least one instruction. More than a slice ever holds is cut off.
#[inline(always)]
fn payable(fuel: i64) -> Option<Place> {
    (fuel > 0).then(|| (fuel.min(i64::from(i32::MAX)) as u64) << 32)
}

/// Goes on where the machine says, if its fuel is enough.
#[inline(never)]
pub(super) fn proceed<'a>(vm: &mut Vm<'a>) -> Flow<'a> {
    let (regs, code, pc) = (vm.heap.mem.window(vm.fp), vm.heap.mem.code(vm.pc), vm.pc);
    match payable(vm.fuel) {
        Some(fuel) => enter(vm, regs, code, fuel, pc),
        None => vm.exit(Exit::Slice),
    }
}

/// Deals with what is no plain result of the instruction at `pc`; false: the run is over.
#[cold]
#[inline(never)]
pub(super) fn signalled(vm: &mut Vm<'_>, pc: u32, signal: Signal) -> bool {
    // What does not complete is not paid: the instruction runs again and pays again.
    let price = 1;
    if let Signal::ThrowAt(value) = signal {
        return throw(vm, value);
    }
    if signal != Signal::Called {
        vm.pc = pc;
    }
    match signal {
        Signal::ThrowAt(value) | Signal::Throw(value) => throw(vm, value),
        Signal::Called => true,
        Signal::Stop(pause) => {
            vm.fuel = vm.fuel.saturating_add(price);
            vm.exit = Exit::Pause(pause);
            false
        }
        Signal::Collect(bytes) => match vm.make_room(bytes) {
            Ok(()) => {
                vm.fuel = vm.fuel.saturating_add(price);
                vm.find_releases();
                if vm.host.releases.is_empty() {
                    return true;
                }
                vm.exit = Exit::Slice;
                false
            }
            Err(Signal::Throw(value)) => throw(vm, value),
            Err(Signal::Stop(pause)) => {
                vm.fuel = vm.fuel.saturating_add(price);
                vm.exit = Exit::Pause(pause);
                false
            }
            Err(_) => {
                vm.exit = Exit::Pause(Pause::Internal);
                false
            }
        },
    }
}

/// Goes to the handler of an exception; false: there is none.
#[cold]
#[inline(never)]
pub(super) fn throw(vm: &mut Vm<'_>, value: Value) -> bool {
    match vm.unwind(value) {
        None => true,
        Some(exit) => {
            vm.exit = exit;
            false
        }
    }
}

impl Vm<'_> {
    /// Leaves the interpreter.
    #[cold]
    pub(super) fn exit<'x>(&mut self, exit: Exit) -> Flow<'x> {
        self.exit = exit;
        Err(Left)
    }

    /// The work of a machine that has none yet.
    pub(crate) const NO_WORK: Work = |_, _| Ok(());
}

macro_rules! handlers {
    ($($(#[$doc:meta])* $name:ident $form:ident [$($ext:ident)*] $fuel:literal;)*) => {
        /// The functions by opcode; bytes that are no opcode stop the run.
        static HANDLERS: [Handler; 256] = {
            let mut table: [Handler; 256] = [invalid; 256];
            let mut i = 0;
            let all: &[Handler] = &[$(all::$name),*];
            while i < all.len() {
                table[i] = all[i];
                i += 1;
            }
            table
        };
    };
}

mod all {
    pub(super) use super::arithmetic::*;
    pub(super) use super::call::*;
    pub(super) use super::compare::*;
    pub(super) use super::drive::*;
    pub(super) use super::exception::*;
    pub(super) use super::generator::*;
    pub(super) use super::iterate::*;
    pub(super) use super::make::*;
    pub(super) use super::property::*;
    pub(super) use super::scope::*;
    pub(super) use super::simple::*;
}

crate::for_each_instruction!(handlers);

fn invalid<'a>(vm: &mut Vm<'a>, _regs: Registers<'a>, _code: Region<'a>, state: Place, _word: u32) -> Flow<'a> {
    vm.pc = state as u32;
    vm.fuel = fuel(state);
    vm.exit(Exit::Pause(Pause::Internal))
}

/// Runs until something ends it. The machine's `fp`, `pc` and `fuel` say where it starts and where it ended.
pub(crate) fn run(vm: &mut Vm<'_>) -> Exit {
    run_from(vm)
}

#[cfg(not(any(debug_assertions, miri, target_arch = "wasm32")))]
fn run_from(vm: &mut Vm<'_>) -> Exit {
    const { assert!(!PLAIN) };
    match proceed(vm) {
        Err(Left) => vm.exit,
        Ok(never) => match never {},
    }
}

#[cfg(any(debug_assertions, miri, target_arch = "wasm32"))]
fn run_from(vm: &mut Vm<'_>) -> Exit {
    const { assert!(PLAIN) };
    let mut flow = proceed(vm);
    loop {
        match flow {
            Ok((regs, code, state, word)) => flow = HANDLERS[usize::from(word as u8)](vm, regs, code, state, word),
            Err(Left) => return vm.exit,
        }
    }
}
