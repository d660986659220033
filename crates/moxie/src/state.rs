//! The machine's registers: everything there is but guest memory.
//!
//! The layout is fixed (`repr(C)`), because compiled code addresses the fields by their offsets.

use std::mem::offset_of;

use serde::{Deserialize, Serialize};

/// Number of general registers.
pub const REGISTERS: usize = 16;

/// Encoding number of `$fp`.
pub const FP: usize = 0;
/// Encoding number of `$sp`.
pub const SP: usize = 1;
/// Encoding number of `$r0`; `$rN` is `R0 + N`.
pub const R0: usize = 2;

/// Registers, program counter, the operands of the last compare, special registers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Cpu {
    /// General registers in encoding order: `$fp`, `$sp`, `$r0` to `$r13`.
    pub registers: [u32; REGISTERS],
    /// Address of the next instruction. Any byte address; there is no alignment.
    pub pc: u32,
    /// First operand of the last `cmp`.
    pub compare_a: u32,
    /// Second operand of the last `cmp`.
    pub compare_b: u32,
    /// 0 until the first `cmp` was executed, then 1 for ever. While it is 0 no conditional branch is taken, whatever its condition.
    pub compared: u32,
    /// Special registers.
    pub special: [u32; 256],
}

impl Default for Cpu {
    fn default() -> Self {
        Self { registers: [0; REGISTERS], pc: 0, compare_a: 0, compare_b: 0, compared: 0, special: [0; 256] }
    }
}

impl Cpu {
    /// Offset of the general registers, in bytes.
    pub const REGISTERS_AT: usize = offset_of!(Cpu, registers);
    /// Offset of the program counter, in bytes.
    pub const PC_AT: usize = offset_of!(Cpu, pc);
    /// Offset of the last compare's first operand, in bytes.
    pub const COMPARE_A_AT: usize = offset_of!(Cpu, compare_a);
    /// Offset of the last compare's second operand, in bytes.
    pub const COMPARE_B_AT: usize = offset_of!(Cpu, compare_b);
    /// Offset of the mark that there was a compare, in bytes.
    pub const COMPARED_AT: usize = offset_of!(Cpu, compared);
    /// Offset of the special registers, in bytes.
    pub const SPECIAL_AT: usize = offset_of!(Cpu, special);

    /// Sets the condition as `cmp` does.
    #[inline]
    pub fn compare(&mut self, a: u32, b: u32) {
        self.compare_a = a;
        self.compare_b = b;
        self.compared = 1;
    }

    /// The registers as a snapshot keeps them.
    pub fn freeze(&self) -> FrozenCpu {
        FrozenCpu {
            registers: self.registers,
            pc: self.pc,
            compare: (self.compared != 0).then_some((self.compare_a, self.compare_b)),
            special: self.special.to_vec(),
        }
    }

    /// The registers that a snapshot kept; `None` if they are not of this machine.
    pub fn thaw(frozen: &FrozenCpu) -> Option<Self> {
        let special = <[u32; 256]>::try_from(frozen.special.as_slice()).ok()?;
        let (compare_a, compare_b) = frozen.compare.unwrap_or_default();
        Some(Self {
            registers: frozen.registers,
            pc: frozen.pc,
            compare_a,
            compare_b,
            compared: u32::from(frozen.compare.is_some()),
            special,
        })
    }
}

/// [`Cpu`] in a form that can be written out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenCpu {
    registers: [u32; REGISTERS],
    pc: u32,
    compare: Option<(u32, u32)>,
    special: Vec<u32>,
}

/// Why compiled or predecoded code gave control back. In every case the state is that between two instructions: `pc` is on the next one,
/// everything before it has happened and is paid for, nothing of it has.
///
/// Compiled code need not know what is so special about an instruction. Whatever it does not do itself, such as `swi`, `brk`, `ssr` to 6 to
/// 9, illegal opcodes, division that traps, any memory access that is not plain, it leaves by [`Exit::Step`]: the interpreter then executes
/// that one instruction by the book and finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The fuel left (possibly more than none) does not cover the next stretch of code. The caller steps through what is left of it.
    Fuel,
    /// The next instruction must be executed one by one.
    Step,
    /// A store has changed code that was watched, or somebody asked for a pause: drop stale code, then go on.
    Flush,
    /// There is no code for this address yet, or never will be: interpret from here.
    Cold,
}

/// Which of the machine's two ways of running code is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    /// Predecoded code only.
    Interpreter,
    /// Compile everything before it runs for the first time, where this platform has a compiler.
    Jit,
    /// Compile what has proved hot.
    #[default]
    Auto,
}
