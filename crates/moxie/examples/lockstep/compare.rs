//! Runs a case by the book and compiled, stop for stop, and says where they part.
#![allow(dead_code, reason = "shared by the example, the tests and the fuzz target, none of which needs all of it")]

use moxie::jit::Compiler;
use moxie::state::Exit;
use moxie::{Machine, Stepped};

use super::generator::Case;

/// What a run of a case came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ran {
    /// Instructions executed, in either machine.
    pub(crate) instructions: u64,
    /// Of them, by compiled code.
    pub(crate) compiled: u64,
    /// Stops at which everything was compared.
    pub(crate) stops: u64,
    /// Ends: by `swi`, by a trap, or not at all.
    pub(crate) swi: u64,
    pub(crate) traps: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum End {
    Slice,
    Swi(u32),
    Trap(cell::Trap),
}

fn by_the_book(machine: &mut Machine, fuel: &mut u64) -> End {
    while *fuel > 0 {
        match machine.step() {
            Ok(Stepped::Done) => *fuel -= 1,
            Ok(Stepped::Swi(number)) => return End::Swi(number),
            Err(trap) => return End::Trap(trap),
        }
        machine.space.take_changed_code();
    }
    End::Slice
}

fn compiled(machine: &mut Machine, compiler: &mut Compiler, fuel: &mut u64) -> End {
    loop {
        if *fuel == 0 {
            return End::Slice;
        }
        let exit = compiler.run(&mut machine.cpu, &mut machine.space, fuel);
        if exit != Exit::Flush && *fuel > 0 {
            match machine.step() {
                Ok(Stepped::Done) => *fuel -= 1,
                Ok(Stepped::Swi(number)) => return End::Swi(number),
                Err(trap) => return End::Trap(trap),
            }
        }
        if machine.space.code_has_changed() {
            let pages = machine.space.take_changed_code();
            compiler.forget(&pages);
        }
    }
}

/// Whether both machines hold the same memory.
fn memory_differs(case: &Case, one: &Machine, other: &Machine) -> Option<u32> {
    for (start, length, _) in &case.regions {
        let (mut a, mut b) = (vec![0; *length as usize], vec![0; *length as usize]);
        if one.space.read(*start, &mut a) != other.space.read(*start, &mut b) {
            return Some(*start);
        }
        if a != b {
            let at = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(0);
            return Some(start + at as u32);
        }
    }
    None
}

/// Runs a case with at most `most` units of fuel.
///
/// # Errors
/// A sentence about the first difference.
pub(crate) fn run(case: &Case, compiler: &mut Compiler, most: u64) -> Result<Ran, String> {
    compiler.reset();
    let before = compiler.executed();
    let (mut book, mut fast) = (case.machine(), case.machine());
    let mut ran = Ran::default();
    let mut slices = case.slices.iter().cycle();
    while ran.instructions < most {
        let slice = *slices.next().unwrap_or(&1000);
        let (mut book_fuel, mut fast_fuel) = (slice, slice);
        let book_end = by_the_book(&mut book, &mut book_fuel);
        let fast_end = compiled(&mut fast, compiler, &mut fast_fuel);
        ran.instructions += slice - book_fuel;
        ran.stops += 1;
        if book_fuel != fast_fuel {
            return Err(format!(
                "after {} instructions: fuel {book_fuel} by the book, {fast_fuel} compiled, pc {:#x} and {:#x}",
                ran.instructions, book.cpu.pc, fast.cpu.pc
            ));
        }
        if book_end != fast_end {
            return Err(format!("after {} instructions: {book_end:?} by the book, {fast_end:?} compiled", ran.instructions));
        }
        if book.cpu != fast.cpu {
            let (a, b) = (&book.cpu, &fast.cpu);
            let registers: Vec<_> =
                (0..16).filter(|r| a.registers[*r] != b.registers[*r]).map(|r| (r, a.registers[r], b.registers[r])).collect();
            return Err(format!(
                "after {} instructions: pc {:#x} and {:#x}, compare ({:#x}, {:#x}) and ({:#x}, {:#x}), registers {registers:x?}",
                ran.instructions, a.pc, b.pc, a.compare_a, a.compare_b, b.compare_a, b.compare_b
            ));
        }
        let ended = book_end != End::Slice;
        if (ended || ran.stops % 16 == 0)
            && let Some(at) = memory_differs(case, &book, &fast)
        {
            return Err(format!("after {} instructions: memory differs at {at:#x}", ran.instructions));
        }
        match book_end {
            End::Slice => continue,
            End::Swi(_) => ran.swi = 1,
            End::Trap(_) => ran.traps = 1,
        }
        break;
    }
    if let Some(at) = memory_differs(case, &book, &fast) {
        return Err(format!("after {} instructions: memory differs at {at:#x}", ran.instructions));
    }
    ran.compiled = compiler.executed() - before;
    Ok(ran)
}
