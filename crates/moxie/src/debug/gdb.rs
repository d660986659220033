//! gdb's remote protocol, over any connection: who opens the connection decides who may come (the command listens on loopback or a Unix
//! socket only).

use std::collections::BTreeSet;
use std::marker::PhantomData;

use cell::{Stop, TrapKind};
use gdbstub::arch::Arch;
use gdbstub::common::Signal;
use gdbstub::conn::{Connection, ConnectionExt};
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub, SingleThreadStopReason};
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::reverse_exec::{ReplayLogPosition, ReverseCont, ReverseContOps, ReverseStep, ReverseStepOps};
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps, SingleThreadSingleStep, SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint, SwBreakpointOps, WatchKind,
};
use gdbstub::target::{Target, TargetError, TargetResult};
use memory::Space;

use crate::state::{Cpu, REGISTERS};

/// Instructions between two looks at the connection, for Ctrl-C in gdb.
const PATIENCE: u64 = 200_000;

/// A program that is stopped between two instructions: what gdb looks at and moves.
pub trait Inferior {
    /// The registers.
    fn cpu(&self) -> &Cpu;
    /// The registers, to change.
    fn cpu_mut(&mut self) -> &mut Cpu;
    /// Guest memory.
    fn space(&self) -> &Space;
    /// Guest memory, to change.
    fn space_mut(&mut self) -> &mut Space;
    /// Goes on, hatch calls included, for at most so many instructions. Stops before an instruction at one of `breakpoints`, the present one
    /// excepted; with `watched` ranges (start, length) after every instruction that has changed one of them, at the latest.
    fn go(&mut self, most: u64, breakpoints: &BTreeSet<u32>, watched: &[(u32, u32)]) -> Halted;
    /// Goes back so many instructions, or to the beginning; how many it went.
    fn back(&mut self, instructions: u64) -> u64;
    /// Goes back to the nearest earlier moment at a breakpoint, or before watched memory (start and length) changed; none when it went to the
    /// beginning.
    fn back_to(&mut self, breakpoints: &BTreeSet<u32>, watched: &[(u32, u32)]) -> Option<Halted>;
}

/// Why [`Inferior::go`] came back.
#[derive(Clone, Debug, PartialEq)]
pub enum Halted {
    /// So many instructions have been executed.
    Paused,
    /// The next instruction has a breakpoint.
    Breakpoint,
    /// The watched range that starts here has changed.
    Watched(u32),
    /// The run is over, or was stopped.
    Stopped(Stop),
}

/// gdb said what no gdb says.
#[derive(Debug, thiserror::Error)]
#[error("the connection to gdb failed: {0}")]
pub struct GdbError(String);

/// How a debugging session ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// The program ran to its end.
    Stopped(Stop),
    /// gdb went away and left the program where it was.
    Detached,
    /// gdb asked to kill the program.
    Killed,
}

/// Serves one gdb until it goes away or the program has ended.
///
/// # Errors
/// [`GdbError`] when gdb does not keep to its protocol. A connection that ends is no error.
pub fn serve<I: Inferior, C: ConnectionExt<Error = std::io::Error>>(inferior: &mut I, connection: C) -> Result<Ended, GdbError> {
    let mut session = Session { inferior, breakpoints: BTreeSet::new(), watches: Vec::new(), action: Action::Continue, ended: None };
    let reason = match GdbStub::new(connection).run_blocking::<EventLoop<'_, I, C>>(&mut session) {
        Ok(reason) => reason,
        // gdb that is closed says nothing: the connection ends, and that is all.
        Err(error) if error.is_connection_error() => DisconnectReason::Disconnect,
        Err(error) => return Err(GdbError(error.to_string())),
    };
    Ok(match (reason, session.ended) {
        (DisconnectReason::Kill, _) => Ended::Killed,
        (_, Some(stop)) => Ended::Stopped(stop),
        (_, None) => Ended::Detached,
    })
}

/// What gdb asked to be done next.
#[derive(Clone, Copy, Debug)]
enum Action {
    Continue,
    Step,
    ReverseStep,
    ReverseContinue,
}

struct Session<'a, I> {
    inferior: &'a mut I,
    breakpoints: BTreeSet<u32>,
    watches: Vec<(u32, u32)>,
    action: Action,
    ended: Option<Stop>,
}

impl<I: Inferior> Session<'_, I> {
    /// Does the next piece of what was asked for; `None` while it is not finished.
    fn advance(&mut self) -> Option<SingleThreadStopReason<u32>> {
        let halted = match self.action {
            Action::Step => match self.inferior.go(1, &BTreeSet::new(), &self.watches) {
                Halted::Paused | Halted::Breakpoint => return Some(SingleThreadStopReason::DoneStep),
                other => other,
            },
            Action::ReverseStep => {
                return Some(match self.inferior.back(1) {
                    0 => SingleThreadStopReason::ReplayLog { tid: None, pos: ReplayLogPosition::Begin },
                    _ => SingleThreadStopReason::DoneStep,
                });
            }
            Action::ReverseContinue => {
                return Some(match self.inferior.back_to(&self.breakpoints, &self.watches) {
                    Some(Halted::Watched(addr)) => SingleThreadStopReason::Watch { tid: (), kind: WatchKind::Write, addr },
                    Some(_) => SingleThreadStopReason::SwBreak(()),
                    None => SingleThreadStopReason::ReplayLog { tid: None, pos: ReplayLogPosition::Begin },
                });
            }
            Action::Continue => self.inferior.go(PATIENCE, &self.breakpoints, &self.watches),
        };
        match halted {
            Halted::Paused => None,
            Halted::Breakpoint => Some(SingleThreadStopReason::SwBreak(())),
            Halted::Watched(addr) => Some(SingleThreadStopReason::Watch { tid: (), kind: WatchKind::Write, addr }),
            Halted::Stopped(stop) => {
                let reason = reason_of(&stop);
                self.ended = Some(stop);
                Some(reason)
            }
        }
    }
}

/// What gdb is told of a stop. A fault is a signal, after which everything can still be looked at.
fn reason_of(stop: &Stop) -> SingleThreadStopReason<u32> {
    let signal = match stop {
        Stop::Finished(code) => return SingleThreadStopReason::Exited((*code & 0xff) as u8),
        Stop::Trapped(trap) => match trap.kind {
            TrapKind::IllegalInstruction => Signal::SIGILL,
            TrapKind::BreakInstruction => Signal::SIGTRAP,
            TrapKind::DivisionByZero => Signal::SIGFPE,
            TrapKind::Unmapped | TrapKind::ReadOnly | TrapKind::StackOverflow => Signal::SIGSEGV,
            _ => Signal::SIGABRT,
        },
        Stop::OutOfFuel | Stop::OutOfTime => Signal::SIGXCPU,
        Stop::OutputFull => Signal::SIGXFSZ,
        Stop::Interrupted => Signal::SIGINT,
        _ => Signal::SIGABRT,
    };
    SingleThreadStopReason::Signal(signal)
}

struct EventLoop<'a, I, C>(PhantomData<(&'a I, C)>);

impl<'a, I: Inferior, C: ConnectionExt<Error = std::io::Error>> BlockingEventLoop for EventLoop<'a, I, C> {
    type Target = Session<'a, I>;
    type Connection = C;
    type StopReason = SingleThreadStopReason<u32>;

    fn wait_for_stop_reason(
        target: &mut Self::Target,
        connection: &mut C,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<<Self::Target as Target>::Error, <C as Connection>::Error>> {
        loop {
            if let Some(reason) = target.advance() {
                return Ok(Event::TargetStopped(reason));
            }
            if connection.peek().map_err(WaitForStopReasonError::Connection)?.is_some() {
                return Ok(Event::IncomingData(connection.read().map_err(WaitForStopReasonError::Connection)?));
            }
        }
    }

    fn on_interrupt(_target: &mut Self::Target) -> Result<Option<Self::StopReason>, <Self::Target as Target>::Error> {
        Ok(Some(SingleThreadStopReason::Signal(Signal::SIGINT)))
    }
}

/// The machine, as gdb knows it: sixteen registers and the program counter, little-endian.
enum Moxie {}

/// Registers in gdb's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct GdbRegisters {
    general: [u32; REGISTERS],
    pc: u32,
}

impl Arch for Moxie {
    type Usize = u32;
    type Registers = GdbRegisters;
    type BreakpointKind = usize;
    type RegId = ();
}

impl gdbstub::arch::Registers for GdbRegisters {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        self.pc
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.general.iter().chain([&self.pc]).flat_map(|word| word.to_le_bytes()).for_each(|byte| write_byte(Some(byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let mut words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        for register in self.general.iter_mut().chain([&mut self.pc]) {
            *register = words.next().ok_or(())?;
        }
        Ok(())
    }
}

impl<I: Inferior> Target for Session<'_, I> {
    type Arch = Moxie;
    type Error = std::convert::Infallible;

    fn base_ops(&mut self) -> BaseOps<'_, Moxie, Self::Error> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }
}

impl<I: Inferior> SingleThreadBase for Session<'_, I> {
    fn read_registers(&mut self, registers: &mut GdbRegisters) -> TargetResult<(), Self> {
        let cpu = self.inferior.cpu();
        *registers = GdbRegisters { general: cpu.registers, pc: cpu.pc };
        Ok(())
    }

    fn write_registers(&mut self, registers: &GdbRegisters) -> TargetResult<(), Self> {
        let cpu = self.inferior.cpu_mut();
        cpu.registers = registers.general;
        cpu.pc = registers.pc;
        Ok(())
    }

    fn read_addrs(&mut self, start: u32, data: &mut [u8]) -> TargetResult<usize, Self> {
        match self.inferior.space().read_up_to(start, data) {
            0 if !data.is_empty() => Err(TargetError::NonFatal),
            count => Ok(count),
        }
    }

    fn write_addrs(&mut self, start: u32, data: &[u8]) -> TargetResult<(), Self> {
        // As a debugger may: read-only memory too.
        self.inferior.space_mut().initialize(start, data).map_err(|_| TargetError::NonFatal)
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl<I: Inferior> SingleThreadResume for Session<'_, I> {
    fn resume(&mut self, _signal: Option<Signal>) -> Result<(), Self::Error> {
        self.action = Action::Continue;
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, (), Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, (), Self>> {
        Some(self)
    }
}

impl<I: Inferior> SingleThreadSingleStep for Session<'_, I> {
    fn step(&mut self, _signal: Option<Signal>) -> Result<(), Self::Error> {
        self.action = Action::Step;
        Ok(())
    }
}

impl<I: Inferior> ReverseStep<()> for Session<'_, I> {
    fn reverse_step(&mut self, (): ()) -> Result<(), Self::Error> {
        self.action = Action::ReverseStep;
        Ok(())
    }
}

impl<I: Inferior> ReverseCont<()> for Session<'_, I> {
    fn reverse_cont(&mut self) -> Result<(), Self::Error> {
        self.action = Action::ReverseContinue;
        Ok(())
    }
}

impl<I: Inferior> Breakpoints for Session<'_, I> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl<I: Inferior> SwBreakpoint for Session<'_, I> {
    fn add_sw_breakpoint(&mut self, address: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.breakpoints.insert(address))
    }

    fn remove_sw_breakpoint(&mut self, address: u32, _kind: usize) -> TargetResult<bool, Self> {
        Ok(self.breakpoints.remove(&address))
    }
}

impl<I: Inferior> HwBreakpoint for Session<'_, I> {
    fn add_hw_breakpoint(&mut self, address: u32, kind: usize) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(address, kind)
    }

    fn remove_hw_breakpoint(&mut self, address: u32, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(address, kind)
    }
}

impl<I: Inferior> HwWatchpoint for Session<'_, I> {
    fn add_hw_watchpoint(&mut self, address: u32, length: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        // Reads leave no trace in memory, and that is what is compared.
        let can = kind == WatchKind::Write && length > 0;
        if can {
            self.watches.push((address, length));
        }
        Ok(can)
    }

    fn remove_hw_watchpoint(&mut self, address: u32, length: u32, _kind: WatchKind) -> TargetResult<bool, Self> {
        let found = self.watches.iter().position(|watch| *watch == (address, length));
        Ok(found.map(|at| self.watches.remove(at)).is_some())
    }
}
