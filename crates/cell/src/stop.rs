//! Why a run ended, and what is known about it.

use serde::{Deserialize, Serialize};

use crate::hatch::Ticket;

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stop {
    /// The program ended by itself, with this exit code.
    Finished(i32),
    /// The program ended with an error that it did not catch.
    Raised(GuestError),
    /// The fuel was used up; the run can be refuelled and go on where the engine can.
    OutOfFuel,
    /// The wall clock ran out.
    OutOfTime,
    /// The memory cap was reached and the guest could not go on.
    OutOfMemory,
    /// The guest wrote more console text than its cap.
    OutputFull,
    /// The guest did what no guest may: an access outside its memory, an illegal instruction, and so on.
    Trapped(Trap),
    /// Somebody outside asked for a stop.
    Interrupted,
    /// Nothing is left to do until the host settles one of these.
    Waiting(Vec<Ticket>),
    /// A debugger's breakpoint; reaches debuggers only.
    Breakpoint,
}

impl Stop {
    /// The word that the outcome's JSON uses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(_) => "finished",
            Self::Raised(_) => "raised",
            Self::OutOfFuel => "out_of_fuel",
            Self::OutOfTime => "out_of_time",
            Self::OutOfMemory => "out_of_memory",
            Self::OutputFull => "output_full",
            Self::Trapped(_) => "trapped",
            Self::Interrupted => "interrupted",
            Self::Waiting(_) => "waiting",
            Self::Breakpoint => "breakpoint",
        }
    }

    /// Whether the world outside, not the program, decided the moment of this stop.
    pub fn is_from_outside(&self) -> bool {
        matches!(self, Self::OutOfTime | Self::Interrupted)
    }
}

/// What a guest did that no guest may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// The kind of fault.
    pub kind: TrapKind,
    /// The guest address that the fault is about, where there is one.
    pub address: Option<u64>,
    /// One sentence in the guest's own terms.
    pub message: String,
}

impl Trap {
    /// A trap without an address.
    pub fn new(kind: TrapKind, message: impl Into<String>) -> Self {
        Self { kind, address: None, message: message.into() }
    }

    /// A trap at an address.
    pub fn at(kind: TrapKind, address: u64, message: impl Into<String>) -> Self {
        Self { kind, address: Some(address), message: message.into() }
    }
}

/// Kinds of [`Trap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TrapKind {
    /// An instruction that does not exist.
    IllegalInstruction,
    /// The guest's own breakpoint instruction, with no debugger there.
    BreakInstruction,
    /// An access, or a jump, to memory that is not there.
    Unmapped,
    /// A store to memory that may only be read.
    ReadOnly,
    /// Division by zero where the guest's machine has no answer for it.
    DivisionByZero,
    /// The output or state buffer does not lie in the guest's memory.
    BadOutput,
    /// A hatch call whose buffers do not lie in the guest's memory.
    BadHatchCall,
    /// More nested calls than the guest's stack or limit holds.
    StackOverflow,
    /// A fault of a WebAssembly guest with no kind of its own here: unreachable, bad indirect call, bad conversion.
    Wasm,
    /// The guest's machine stopped answering or broke.
    MachineFailed,
    /// Guest memory holds what no run of the engine could have written.
    Corrupt,
    /// A fault of ours, caught at the cell's edge. The cell is dead, the process lives.
    Internal,
}

impl TrapKind {
    /// The word that the outcome's JSON uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::IllegalInstruction => "illegal_instruction",
            Self::BreakInstruction => "break_instruction",
            Self::Unmapped => "unmapped",
            Self::ReadOnly => "read_only",
            Self::DivisionByZero => "division_by_zero",
            Self::BadOutput => "bad_output",
            Self::BadHatchCall => "bad_hatch_call",
            Self::StackOverflow => "stack_overflow",
            Self::Wasm => "wasm",
            Self::MachineFailed => "machine_failed",
            Self::Corrupt => "corrupt",
            Self::Internal => "internal",
        }
    }
}

/// An error of the guest's world: what crosses is its class name, its message and its trace, never the object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestError {
    /// Class name, such as `TypeError`.
    pub name: String,
    /// Message.
    pub message: String,
    /// Innermost frame first; empty for errors of the host.
    pub trace: Vec<TraceFrame>,
}

impl GuestError {
    /// An error without a trace.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), trace: Vec::new() }
    }
}

impl std::fmt::Display for GuestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.message.is_empty() { f.write_str(&self.name) } else { write!(f, "{}: {}", self.name, self.message) }
    }
}

/// One line of a trace, in the guest's own terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFrame {
    /// Function, if its name is known.
    pub function: Option<String>,
    /// Source file, if known.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Address of the instruction, for machines that have such.
    pub address: Option<u64>,
}
