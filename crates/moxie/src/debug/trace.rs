//! A line for every instruction: what it is, and what the one before it changed.

use std::io::Write;

use super::Symbols;
use crate::engine::Observer;
use crate::isa::Register;
use crate::machine::Machine;

/// Writes an instruction trace. When the writer fails the run stops there.
pub struct Trace<W> {
    to: W,
    symbols: std::sync::Arc<Symbols>,
    registers: [u32; crate::state::REGISTERS],
    function: u32,
    failed: bool,
}

impl<W> std::fmt::Debug for Trace<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Trace<W> {
    /// A trace that goes to this writer.
    pub fn new(to: W, symbols: std::sync::Arc<Symbols>) -> Self {
        Self { to, symbols, registers: [0; crate::state::REGISTERS], function: u32::MAX, failed: false }
    }

    fn line(&mut self, machine: &Machine, count: u64) -> std::io::Result<()> {
        let pc = machine.cpu.pc;
        if let Some(function) = self.symbols.function_at(pc)
            && function.address != self.function
        {
            self.function = function.address;
            writeln!(self.to, "{}:", function.name)?;
        }
        let text = machine.fetch(pc).map_or_else(|_| "?".to_owned(), |instruction| instruction.text(pc));
        write!(self.to, "{count:>10}  {pc:08x}  {text:<28}")?;
        for (number, (now, before)) in (0u8..).zip(machine.cpu.registers.iter().zip(&self.registers)) {
            if now != before {
                write!(self.to, " {}={now:x}", Register(number))?;
            }
        }
        self.registers = machine.cpu.registers;
        writeln!(self.to)
    }
}

impl<W: Write + Send> Observer for Trace<W> {
    fn before(&mut self, machine: &Machine, count: u64) -> bool {
        self.failed |= self.line(machine, count).is_err();
        !self.failed
    }
}
