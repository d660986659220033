//! One machine, and one instruction by the book.
//!
//! [`Machine::step`] is the reference: the predecoded interpreter and the compiler do the same for everything plain, and leave all else to it.

use cell::{Trap, TrapKind};
use memory::{Fault, Space};

use crate::isa::{Instruction, LONGEST, NotAnInstruction, Op, compute, condition};
use crate::state::{Cpu, FP, SP};

/// Registers, memory, and what the program has announced to the environment.
#[derive(Debug)]
pub struct Machine {
    /// The registers.
    pub cpu: Cpu,
    /// The address space.
    pub space: Space,
    /// Which of the special registers 6 to 9 the program has set: bit `n - 6`.
    pub announced: u8,
    /// First and one past the last address of the stack, to tell an overflow from other faults.
    pub stack: (u32, u32),
}

/// What an instruction came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It is done, `pc` is on the next one.
    Done,
    /// It is a `swi` with this number. Nothing has happened yet, `pc` is on it.
    Swi(u32),
}

impl Machine {
    /// The instruction at `pc`.
    ///
    /// # Errors
    /// The trap that executing it would be.
    pub fn fetch(&self, pc: u32) -> Result<Instruction, Trap> {
        let mut bytes = [0; LONGEST];
        let count = self.space.read_up_to(pc, &mut bytes);
        Instruction::decode(&bytes[..count]).map_err(|error| match error {
            NotAnInstruction::Illegal => {
                let halfword = u16::from_le_bytes([bytes[0], bytes[1]]);
                let message = format!("illegal instruction {halfword:#06x} at {pc:#x}");
                Trap::at(TrapKind::IllegalInstruction, u64::from(pc), message)
            }
            NotAnInstruction::Needs(length) => {
                let missing = pc.wrapping_add(count as u32);
                let what = if count == 0 { String::new() } else { format!(" needs {length} bytes, but") };
                let message =
                    format!("the instruction at {pc:#x}{what} lies outside of the memory that is there (no byte at {missing:#x})");
                Trap::at(TrapKind::Unmapped, u64::from(missing), message)
            }
        })
    }

    /// Executes the instruction at `pc`.
    ///
    /// # Errors
    /// The trap; then nothing has changed and `pc` is still on the instruction.
    pub fn step(&mut self) -> Result<Stepped, Trap> {
        let pc = self.cpu.pc;
        let instruction = self.fetch(pc)?;
        let Instruction { op, a, b, imm } = instruction;
        let (a, b) = (usize::from(a & 15), usize::from(b & 15));
        let (va, vb) = (self.cpu.registers[a], self.cpu.registers[b]);
        let next = pc.wrapping_add(u32::from(instruction.length()));
        self.cpu.pc = match op {
            Op::Nop => next,
            Op::Cmp => {
                self.cpu.compare(va, vb);
                next
            }
            Op::Beq | Op::Bne | Op::Blt | Op::Bgt | Op::Bltu | Op::Bgtu | Op::Bge | Op::Ble | Op::Bgeu | Op::Bleu => {
                let taken = self.cpu.compared != 0 && condition(op, self.cpu.compare_a, self.cpu.compare_b);
                if taken { next.wrapping_add(imm) } else { next }
            }
            Op::Jmpa => imm,
            Op::Jmp => va,
            Op::Jsra => self.enter(imm, next)?,
            Op::Jsr => self.enter(va, next)?,
            Op::Ret => {
                let frame = self.cpu.registers[FP];
                let caller = self.load32(frame)?;
                let back = self.load32(frame.wrapping_add(4))?;
                self.cpu.registers[FP] = caller;
                self.cpu.registers[SP] = frame.wrapping_add(12);
                back
            }
            Op::Push => {
                let to = va.wrapping_sub(4);
                self.store32(to, vb)?;
                self.cpu.registers[a] = to;
                next
            }
            Op::Pop => {
                self.cpu.registers[b] = self.load32(va)?;
                self.cpu.registers[a] = va.wrapping_add(4);
                next
            }
            Op::LdL | Op::LdoL | Op::LdaL => self.put(a, next, |machine| machine.load32(source(op, vb, imm)))?,
            Op::LdS | Op::LdoS | Op::LdaS => self.put(a, next, |machine| {
                let from = source(op, vb, imm);
                machine.space.load_u16(from).map(u32::from).ok_or_else(|| machine.fault(from, 2, false))
            })?,
            Op::LdB | Op::LdoB | Op::LdaB => self.put(a, next, |machine| {
                let from = source(op, vb, imm);
                machine.space.load_u8(from).map(u32::from).ok_or_else(|| machine.fault(from, 1, false))
            })?,
            Op::StL | Op::StoL => {
                self.store32(va.wrapping_add(imm), vb)?;
                next
            }
            Op::StaL => {
                self.store32(imm, va)?;
                next
            }
            Op::StS | Op::StoS | Op::StaS => {
                let (to, value) = if op == Op::StaS { (imm, va) } else { (va.wrapping_add(imm), vb) };
                if !self.space.store_u16(to, value as u16) {
                    return Err(self.fault(to, 2, true));
                }
                next
            }
            Op::StB | Op::StoB | Op::StaB => {
                let (to, value) = if op == Op::StaB { (imm, va) } else { (va.wrapping_add(imm), vb) };
                if !self.space.store_u8(to, value as u8) {
                    return Err(self.fault(to, 1, true));
                }
                next
            }
            Op::Gsr => {
                self.cpu.registers[a] = self.cpu.special[(imm & 255) as usize];
                next
            }
            Op::Ssr => {
                self.set_special(imm & 255, va)?;
                next
            }
            Op::Swi => return Ok(Stepped::Swi(imm)),
            Op::Brk => return Err(Trap::at(TrapKind::BreakInstruction, u64::from(pc), format!("break instruction at {pc:#x}"))),
            _ => {
                let divides = || {
                    let message = format!("division by zero: `{}` at {pc:#x}", instruction.text(pc));
                    Trap::at(TrapKind::DivisionByZero, u64::from(pc), message)
                };
                self.cpu.registers[a] = compute(op, va, vb, imm).ok_or_else(divides)?;
                next
            }
        };
        Ok(Stepped::Done)
    }

    fn put(&mut self, register: usize, next: u32, value: impl FnOnce(&Self) -> Result<u32, Trap>) -> Result<u32, Trap> {
        self.cpu.registers[register] = value(self)?;
        Ok(next)
    }

    /// Makes the frame of a call; both words or none.
    fn enter(&mut self, target: u32, back: u32) -> Result<u32, Trap> {
        let frame = self.cpu.registers[SP].wrapping_sub(12);
        let back_at = frame.wrapping_add(4);
        if self.space.check(back_at, 4, true).is_err() {
            return Err(self.fault(back_at, 4, true));
        }
        self.store32(frame, self.cpu.registers[FP])?;
        self.store32(back_at, back)?;
        self.cpu.registers[FP] = frame;
        self.cpu.registers[SP] = frame;
        Ok(target)
    }

    fn load32(&self, address: u32) -> Result<u32, Trap> {
        self.space.load_u32(address).ok_or_else(|| self.fault(address, 4, false))
    }

    fn store32(&mut self, address: u32, value: u32) -> Result<(), Trap> {
        if self.space.store_u32(address, value) { Ok(()) } else { Err(self.fault(address, 4, true)) }
    }

    /// `ssr`: output and state buffers must be there when they are announced.
    fn set_special(&mut self, number: u32, value: u32) -> Result<(), Trap> {
        match number {
            6 | 8 if self.space.region(value, 1).is_none() => {
                let message = format!("`ssr` to special register {number}: no buffer can begin at {value:#x}, nothing is mapped there");
                return Err(Trap::at(TrapKind::BadOutput, u64::from(value), message));
            }
            7 | 9 => {
                let start = self.cpu.special[number as usize - 1];
                let inside = start != 0 && self.space.region(start, value.max(1)).is_some();
                if !inside {
                    let message = format!("`ssr` to special register {number}: no region holds a buffer of {value} bytes at {start:#x}");
                    return Err(Trap::at(TrapKind::BadOutput, u64::from(start), message));
                }
            }
            _ => {}
        }
        if (6..=9).contains(&number) {
            self.announced |= 1 << (number - 6);
        }
        self.cpu.special[number as usize] = value;
        Ok(())
    }

    /// The trap that an access comes to.
    #[cold]
    fn fault(&self, address: u32, length: u32, write: bool) -> Trap {
        let pc = self.cpu.pc;
        let what = if write { "store" } else { "load" };
        let (kind, at, why) = match self.space.check(address, length, write) {
            Err(Fault::ReadOnly(at)) => {
                let name = self.space.region(at, 1).map_or("", |region| &region.name);
                (TrapKind::ReadOnly, at, format!("{name} may only be read"))
            }
            Err(Fault::Straddles(at)) => (TrapKind::Unmapped, at, "it lies across the end of a region".to_owned()),
            Err(Fault::Unmapped(at)) => (TrapKind::Unmapped, at, "nothing is mapped there".to_owned()),
            Ok(()) => (TrapKind::Internal, address, "the access is good".to_owned()),
        };
        let (bottom, _) = self.stack;
        // The gap below the stack also ends what lies before it: only a stack pointer at the bottom tells that the stack ran over.
        let sp = self.cpu.registers[SP];
        let at_the_bottom = (bottom.saturating_sub(memory::PAGE)..bottom.saturating_add(256)).contains(&sp);
        if write && kind == TrapKind::Unmapped && at < bottom && bottom - at <= memory::PAGE && at_the_bottom {
            let message =
                format!("the stack is full: a {what} at {at:#x}, just below its end at {bottom:#x}, by the instruction at {pc:#x}");
            return Trap::at(TrapKind::StackOverflow, u64::from(at), message);
        }
        let bytes = if length == 1 { "byte" } else { "bytes" };
        let message = format!("a {what} of {length} {bytes} at {address:#x} by the instruction at {pc:#x}: {why}");
        Trap::at(kind, u64::from(at), message)
    }

    /// Return addresses, innermost first, found by walking the frames; at most `most`. The chain lies in the guest's hands, so it is followed only
    /// upwards, and only as far as memory goes.
    pub fn callers(&self, most: usize) -> Vec<u32> {
        let mut found = Vec::new();
        let mut frame = self.cpu.registers[FP];
        while found.len() < most && frame != 0 {
            let (Some(next), Some(back)) = (self.space.load_u32(frame), self.space.load_u32(frame.wrapping_add(4))) else { break };
            found.push(back);
            if next <= frame {
                break;
            }
            frame = next;
        }
        found
    }
}

/// Address that a load reads from.
fn source(op: Op, b: u32, imm: u32) -> u32 {
    match op {
        Op::LdaL | Op::LdaS | Op::LdaB => imm,
        // `ld` has no offset: it is decoded as 0.
        _ => b.wrapping_add(imm),
    }
}
