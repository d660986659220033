//! From event to event: slices of fuel, ways of running code, the environment's calls.

use cell::{Event, Meter, Stop, Trap, TrapKind};

use super::{Compiled, Moxie};
use crate::environment::{Called, Environment, Surroundings};
use crate::machine::Stepped;
use crate::state::{Exit, Tier};

/// Why a stretch of code ended.
enum End {
    /// The slice is used up.
    Slice,
    Trap(Trap),
    Swi(u32),
    Breakpoint,
}

/// Instructions after which a run is long enough to be worth compiling.
const WARM: u64 = 20_000;
/// Units of fuel for which the interpreter takes over where compiled code cannot go on.
const COLD_STRETCH: u64 = 256;

/// Whether code is to be compiled, after so many instructions.
fn wants_compiler(tier: Tier, instructions: u64) -> bool {
    match tier {
        Tier::Interpreter => false,
        Tier::Jit => true,
        Tier::Auto => instructions >= WARM,
    }
}

/// A compiler, where this platform has one and the host allows it.
fn compiler() -> Option<Box<dyn Compiled>> {
    #[cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]
    return crate::jit::Compiler::new(crate::jit::CODE_BUDGET).ok().map(|compiler| Box::new(compiler) as Box<dyn Compiled>);
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(miri))))]
    None
}

impl Moxie {
    /// Runs until the slice is used up or something special comes.
    fn stretch(&mut self, fuel: &mut u64) -> End {
        let Some(machine) = &mut self.machine else { return End::Slice };
        if self.observer.is_some() || !self.breakpoints.is_empty() {
            return self.observed(fuel);
        }
        if self.compiled.is_none() && wants_compiler(self.options.tier, self.instructions) {
            self.compiled = compiler();
        }
        let interpreter = self.interpreter.get_or_insert_default();
        loop {
            if *fuel == 0 {
                return End::Slice;
            }
            let mut exit = match &mut self.compiled {
                Some(compiled) => compiled.run(&mut machine.cpu, &mut machine.space, fuel),
                None => Exit::Cold,
            };
            if matches!(exit, Exit::Cold | Exit::Fuel) && !machine.space.code_has_changed() {
                // Code that is never compiled is left again soon.
                let part = if self.compiled.is_some() { (*fuel).min(COLD_STRETCH) } else { *fuel };
                let mut left = part;
                exit = interpreter.run(&mut machine.cpu, &mut machine.space, &mut left);
                *fuel -= part - left;
            }
            if exit != Exit::Flush && *fuel > 0 {
                match machine.step() {
                    Ok(Stepped::Done) => *fuel -= 1,
                    Ok(Stepped::Swi(number)) => return End::Swi(number),
                    Err(trap) => {
                        *fuel -= 1;
                        return End::Trap(trap);
                    }
                }
            }
            if machine.space.code_has_changed() {
                let pages = machine.space.take_changed_code();
                interpreter.forget(&pages);
                if let Some(compiled) = &mut self.compiled {
                    compiled.forget(&pages);
                }
            }
        }
    }

    /// As `stretch`, one instruction after the other, asking before each.
    fn observed(&mut self, fuel: &mut u64) -> End {
        let lent = *fuel;
        loop {
            let Some(machine) = &mut self.machine else { return End::Slice };
            if *fuel == 0 {
                return End::Slice;
            }
            if !std::mem::take(&mut self.pass) {
                let count = self.instructions + (lent - *fuel);
                let go_on = !self.breakpoints.contains(&machine.cpu.pc);
                let go_on = self.observer.as_mut().is_none_or(|observer| observer.before(machine, count)) && go_on;
                if !go_on {
                    self.pass = true;
                    return End::Breakpoint;
                }
            }
            match machine.step() {
                Ok(Stepped::Done) => *fuel -= 1,
                Ok(Stepped::Swi(number)) => return End::Swi(number),
                Err(trap) => {
                    *fuel -= 1;
                    return End::Trap(trap);
                }
            }
            if machine.space.code_has_changed() {
                let pages = machine.space.take_changed_code();
                if let Some(interpreter) = &mut self.interpreter {
                    interpreter.forget(&pages);
                }
                if let Some(compiled) = &mut self.compiled {
                    compiled.forget(&pages);
                }
            }
        }
    }

    /// Runs a slice of at most `fuel` units, sampling on the way.
    fn slice(&mut self, fuel: &mut u64) -> End {
        if self.sampler.is_none() {
            return self.stretch(fuel);
        }
        loop {
            let part = self.until_sample.min(*fuel);
            let mut left = part;
            let end = self.stretch(&mut left);
            *fuel -= part - left;
            self.until_sample -= part - left;
            if self.until_sample == 0
                && let Some((units, sampler)) = &mut self.sampler
            {
                self.until_sample = *units;
                if let Some(machine) = &self.machine {
                    sampler.sample(machine);
                }
            }
            if !matches!(end, End::Slice) || *fuel == 0 {
                return end;
            }
        }
    }

    pub(super) fn drive(&mut self, meter: &mut Meter) -> Event {
        if self.machine.is_none() && self.too_large.is_none() {
            return Event::Stop(Stop::Trapped(Trap::new(TrapKind::Internal, "nothing is prepared")));
        }
        if self.too_large.is_some() {
            return Event::Stop(Stop::OutOfMemory);
        }
        loop {
            let lent = match meter.lend() {
                Ok(lent) => lent,
                Err(halt) => return Event::Stop(halt.into()),
            };
            let mut fuel = lent;
            let end = self.slice(&mut fuel);
            self.instructions += lent - fuel;
            meter.settle(fuel);
            match end {
                End::Slice => {}
                End::Trap(trap) => {
                    // An instruction that traps is paid for, but was not executed; a break instruction was.
                    self.instructions -= u64::from(trap.kind != TrapKind::BreakInstruction);
                    return Event::Stop(Stop::Trapped(trap));
                }
                End::Breakpoint => return Event::Stop(Stop::Breakpoint),
                End::Swi(number) => {
                    if let Called::Event(event) = self.with_surroundings(meter, |environment, around| environment.call(number, around)) {
                        return event;
                    }
                }
            }
        }
    }

    pub(super) fn with_surroundings(
        &mut self,
        meter: &mut Meter,
        act: impl FnOnce(&mut Environment, &mut Surroundings<'_>) -> Called,
    ) -> Called {
        let cap = self.cap();
        let Some(machine) = &mut self.machine else { return Called::Done };
        let mut around = Surroundings { machine, console: &mut self.console, meter, cap, instructions: &mut self.instructions };
        let called = act(&mut self.environment, &mut around);
        if let Some(machine) = &mut self.machine
            && machine.space.code_has_changed()
        {
            let pages = machine.space.take_changed_code();
            if let Some(interpreter) = &mut self.interpreter {
                interpreter.forget(&pages);
            }
            if let Some(compiled) = &mut self.compiled {
                compiled.forget(&pages);
            }
        }
        called
    }
}
