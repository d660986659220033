//! The compiler for x86-64: guest registers in host registers, fuel in a register, guest memory behind guard pages.
//!
//! Code is made a unit at a time (`unit`, about a function), in one pass (`translate`), with `dynasm` as the assembler: its instructions are
//! encoded by code that the Rust compiler has specialised, so that encoding costs a few stores. Units are bound to each other by direct jumps
//! as they are installed. An access that is not plain faults; the handler (`fault`) knows nothing but the code's own ranges, and the access
//! is done by the book. Code memory has a budget of its own: when it is full, all of it is forgotten, and nothing else happens.
#![allow(unsafe_code)]

mod block;
mod code;
mod emit;
mod fault;
mod product;
mod stubs;
mod translate;
mod unit;
mod value;

use std::io;

use memory::{PAGE, Space};

use self::block::{Block, TARGETS, Target};
use self::code::{CodeMemory, Stack};
use self::emit::Emitter;
use self::fault::Window;
use self::product::{ExitSite, FaultSite, Pending, PendingRange, Reason, Stubs};
use self::translate::Translator;
use self::unit::Unit;
use crate::by_address::ByAddress;
use crate::engine::Compiled;
use crate::isa::{Instruction, LONGEST, Op};
use crate::state::{Cpu, Exit, FP, SP};

/// Most units of fuel that compiled code is entered with: it bounds how deep calls can nest before everybody looks around.
pub(crate) const SLICE: u64 = 50_000;
/// Bytes of code memory unless said otherwise.
pub const CODE_BUDGET: usize = 16 << 20;
/// A page whose code changed this often is left to the interpreter.
const RESTLESS: u32 = 3;
/// Instructions that are stepped through, at most, to get from the middle of a stretch to code that is compiled already.
const MOST_STEPS: u32 = 64;
/// Instructions that can be compiled in the time of a fault.
const STEPS_PER_FAULT: usize = 32;
/// Addresses that are remembered as not plain.
const MOST_NOTED: usize = 1 << 16;
/// Bytes of the guards around guest memory.
const GUARD: usize = 64 << 10;

/// Compiles and runs the code of one machine. Holds nothing of the guest's state: dropping it changes nothing but the speed.
pub struct Compiler {
    memory: CodeMemory,
    stack: Stack,
    block: Box<Block>,
    stubs: Stubs,
    translator: Translator,
    unit: Unit,
    /// Offsets of the code for guest addresses.
    entries: ByAddress<u32>,
    /// Displacements that wait for code for an address.
    waiting: ByAddress<Vec<u32>>,
    faults: Vec<FaultSite>,
    exits: Vec<ExitSite>,
    pending: Vec<Pending>,
    /// How often the access at an address faulted that was none for the guest, by address and page mixed.
    faulted: ByAddress<u32>,
    /// Accesses that are known not to be plain.
    slow: ByAddress<()>,
    restless: ByAddress<u32>,
    /// Faults that have not been paid for by compiling yet.
    credit: i64,
    /// Steps made since compiled code was left in the middle of a stretch, and where the last of them was if that is known.
    astray: Option<(u32, Option<u32>)>,
    executed: u64,
    compiled: u64,
    entered: u64,
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler").field("code", &self.memory.used()).field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Compiler {
    /// A compiler with `budget` bytes of memory for code (64 KiB to 1 GiB).
    ///
    /// # Errors
    /// When the host refuses memory that can be executed, or the signal handler.
    pub fn new(budget: usize) -> io::Result<Self> {
        fault::install()?;
        let mut memory = CodeMemory::new(budget)?;
        let mut emitter = Emitter::new();
        let stubs = stubs::write(&mut emitter);
        memory.write(emitter.bytes())?;
        let mut stack = Stack::new()?;
        stack.set_bottom(memory.address(stubs.unpredicted));
        let bottom = stack.bottom() as u64;
        let block = Box::new(Block {
            registers: [0; 16],
            pc: 0,
            compare: [0; 2],
            fuel: 0,
            left_at: 0,
            faulted_at: 0,
            stack: bottom,
            host_stack: 0,
            bottom,
            memory: 0,
            targets: [Target::NONE; TARGETS],
            fault_address: 0,
        });
        Ok(Self {
            memory,
            stack,
            block,
            stubs,
            translator: Translator::new(stubs),
            unit: Unit::new(),
            entries: ByAddress::default(),
            waiting: ByAddress::default(),
            faults: Vec::new(),
            exits: Vec::new(),
            pending: Vec::new(),
            faulted: ByAddress::default(),
            slow: ByAddress::default(),
            restless: ByAddress::default(),
            credit: 0,
            astray: None,
            executed: 0,
            compiled: 0,
            entered: 0,
        })
    }

    /// Instructions that compiled code has executed.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// How often compiled code was entered from outside.
    pub fn entered(&self) -> u64 {
        self.entered
    }

    /// Bytes of guest code compiled so far.
    pub fn compiled(&self) -> u64 {
        self.compiled
    }

    /// Bytes of host code that stand now.
    pub fn code_size(&self) -> usize {
        self.memory.used()
    }

    /// The host code that stands now, for a look at it.
    pub fn code(&self) -> Vec<u8> {
        self.memory.bytes().to_vec()
    }

    /// Compiles the unit at an address, unless that is done already; false if there is nothing there that can be compiled.
    pub fn compile(&mut self, space: &mut Space, pc: u32) -> bool {
        self.entries.contains_key(&pc) || self.install(space, pc, false)
    }

    /// Compiles the unit at an address, whether it is known already or not; returns the address behind it, or none if nothing there can be
    /// compiled. For measurements.
    pub fn compile_from(&mut self, space: &mut Space, pc: u32) -> Option<u32> {
        self.install(space, pc, false).then(|| self.unit.last_byte().map(|(_, last)| last.wrapping_add(1)))?
    }

    /// Runs compiled code until it needs the caller; `fuel` goes down by one for each instruction executed.
    pub fn run(&mut self, cpu: &mut Cpu, space: &mut Space, fuel: &mut u64) -> Exit {
        // Compiled code has no mark that there was a compare: it takes over once there was one.
        if cpu.compared == 0 {
            return Exit::Step;
        }
        let Ok(base) = space.guarded() else { return Exit::Cold };
        self.block.memory = base as u64;
        self.block.registers = cpu.registers;
        self.block.compare = [cpu.compare_a, cpu.compare_b];
        self.block.pc = cpu.pc;
        let before = *fuel;
        let exit = self.stay(space, fuel);
        self.executed += before - *fuel;
        cpu.registers = self.block.registers;
        [cpu.compare_a, cpu.compare_b] = self.block.compare;
        cpu.pc = self.block.pc;
        exit
    }

    /// Goes in and out of compiled code as long as nobody else is needed.
    fn stay(&mut self, space: &mut Space, fuel: &mut u64) -> Exit {
        loop {
            if space.code_has_changed() {
                return Exit::Flush;
            }
            let pc = self.block.pc;
            let entry = match self.entries.get(&pc) {
                Some(entry) => *entry,
                None => {
                    if self.is_restless(pc) {
                        return Exit::Cold;
                    }
                    if self.is_astray(pc) {
                        return Exit::Step;
                    }
                    if !self.install(space, pc, false) {
                        return Exit::Step;
                    }
                    if space.code_has_changed() {
                        return Exit::Flush;
                    }
                    match self.entries.get(&pc) {
                        Some(entry) => *entry,
                        None => return Exit::Step,
                    }
                }
            };
            self.astray = None;
            if self.memory.seal().is_err() {
                return Exit::Cold;
            }
            self.entered += 1;
            let part = (*fuel).min(SLICE);
            self.block.fuel = part as u32;
            let reason = self.enter(entry);
            // Fuel is taken before it is known whether there was enough: the register may have gone below zero.
            let fuel_is = |units: u32, refund: u32| u64::from(units.wrapping_add(refund));
            match reason {
                Left::Exit(site) => {
                    let left = fuel_is(self.block.fuel, site.refund);
                    *fuel -= part - left;
                    self.block.pc = site.pc;
                    self.put_in_place(site.pending);
                    match site.reason {
                        Reason::Jump => {}
                        Reason::Fuel => {
                            if part < SLICE || *fuel == 0 || left == part {
                                self.astray = Some((0, None));
                                return Exit::Fuel;
                            }
                        }
                        Reason::Interpret => return Exit::Step,
                        Reason::Access => {
                            if *fuel == 0 {
                                return Exit::Fuel;
                            }
                            if !self.access(space) {
                                return Exit::Step;
                            }
                            *fuel -= 1;
                        }
                    }
                }
                Left::Unknown => {
                    *fuel -= part - u64::from(self.block.fuel);
                    let pc = self.block.pc;
                    if let Some(entry) = self.entries.get(&pc) {
                        let host = self.memory.address(*entry as usize) as u64;
                        self.block.targets[target_index(pc)] = Target { pc: u64::from(pc), host };
                    }
                }
                Left::Fault(site, address) => {
                    *fuel -= part - fuel_is(self.block.fuel, site.refund);
                    self.block.pc = site.pc;
                    self.put_in_place(site.pending);
                    if !self.access(space) {
                        return Exit::Step;
                    }
                    *fuel -= 1;
                    self.astray = Some((0, Some(self.block.pc)));
                    self.note_fault(space, site.pc, address);
                }
                Left::Lost => return Exit::Cold,
            }
            if *fuel == 0 {
                return Exit::Fuel;
            }
        }
    }

    fn enter(&mut self, entry: u32) -> Left {
        if !self.stack.has_room(self.block.stack) {
            self.block.stack = self.block.bottom;
        }
        let window = Window {
            code: self.memory.address(0),
            code_length: self.memory.capacity(),
            memory: self.block.memory as usize - GUARD,
            memory_length: (1 << 32) + 2 * GUARD,
            exit: self.memory.address(self.stubs.fault),
            report: &raw mut self.block.faulted_at,
            report_address: &raw mut self.block.fault_address,
        };
        let enter = self.memory.address(self.stubs.enter);
        let code = self.memory.address(entry as usize);
        let block = &raw mut *self.block;
        // SAFETY: `enter` is the first stub, written by `stubs::write` for this signature. Code that is entered reads and writes the block, its
        // own stack, and guest memory at 32-bit offsets from the base of a reservation of 4 GiB with guards, which `space` (borrowed by the
        // caller) owns; every access that is not allowed there faults and is caught. It leaves all other registers and memory as they were.
        unsafe {
            let enter: extern "sysv64" fn(*mut Block, usize) = std::mem::transmute(enter);
            fault::watched(&window, || enter(block, code));
        }
        let faulted = std::mem::take(&mut self.block.faulted_at);
        let offset = |address: u64| (address as usize).wrapping_sub(self.memory.address(0)) as u32;
        if faulted != 0 {
            let at = offset(faulted);
            return match self.faults.binary_search_by_key(&at, |site| site.host) {
                Ok(index) => Left::Fault(self.faults[index], (self.block.fault_address.wrapping_sub(self.block.memory)) as u32),
                Err(_) => Left::Lost,
            };
        }
        let at = offset(self.block.left_at);
        if at as usize == self.stubs.unknown {
            return Left::Unknown;
        }
        match self.exits.binary_search_by_key(&at, |site| site.host) {
            Ok(index) => Left::Exit(self.exits[index]),
            Err(_) => Left::Lost,
        }
    }

    /// Computes what a site left uncomputed.
    fn put_in_place(&mut self, range: PendingRange) {
        let homes = self.block.registers;
        let kept = self.block.compare;
        let (start, length) = (range.start as usize, range.length as usize);
        for item in &self.pending[start..start + length] {
            match item.register {
                register @ 0..16 => self.block.registers[usize::from(register)] = item.value.evaluate(&homes, 0),
                which => {
                    let which = usize::from(which - 16) & 1;
                    self.block.compare[which] = item.value.evaluate(&homes, kept[which]);
                }
            }
        }
    }

    /// Does the memory access at `pc` by the book. False if it is a fault, and nothing has happened.
    fn access(&mut self, space: &mut Space) -> bool {
        let pc = self.block.pc;
        let mut bytes = [0; LONGEST];
        let count = space.read_up_to(pc, &mut bytes);
        let Ok(instruction) = Instruction::decode(&bytes[..count]) else { return false };
        let Instruction { op, a, b, imm } = instruction;
        let (a, b) = (usize::from(a & 15), usize::from(b & 15));
        let registers = &mut self.block.registers;
        let (va, vb) = (registers[a], registers[b]);
        let mut next = pc.wrapping_add(u32::from(instruction.length()));
        let mut put = |value: Option<u32>| value.map(|value| registers[a] = value).is_some();
        let done = match op {
            Op::LdL | Op::LdoL => put(space.load_u32(vb.wrapping_add(imm))),
            Op::LdS | Op::LdoS => put(space.load_u16(vb.wrapping_add(imm)).map(u32::from)),
            Op::LdB | Op::LdoB => put(space.load_u8(vb.wrapping_add(imm)).map(u32::from)),
            Op::LdaL => put(space.load_u32(imm)),
            Op::LdaS => put(space.load_u16(imm).map(u32::from)),
            Op::LdaB => put(space.load_u8(imm).map(u32::from)),
            Op::StL | Op::StoL => space.store_u32(va.wrapping_add(imm), vb),
            Op::StS | Op::StoS => space.store_u16(va.wrapping_add(imm), vb as u16),
            Op::StB | Op::StoB => space.store_u8(va.wrapping_add(imm), vb as u8),
            Op::StaL => space.store_u32(imm, va),
            Op::StaS => space.store_u16(imm, va as u16),
            Op::StaB => space.store_u8(imm, va as u8),
            Op::Push => {
                let to = va.wrapping_sub(4);
                let done = space.store_u32(to, vb);
                if done {
                    registers[a] = to;
                }
                done
            }
            Op::Pop => match space.load_u32(va) {
                Some(value) => {
                    registers[b] = value;
                    registers[a] = va.wrapping_add(4);
                    true
                }
                None => false,
            },
            Op::Jsra | Op::Jsr => {
                let frame = registers[SP].wrapping_sub(12);
                let back_at = frame.wrapping_add(4);
                let whole = space.check(frame, 4, true).is_ok() && space.check(back_at, 4, true).is_ok();
                let done = whole && space.store_u32(frame, registers[FP]) && space.store_u32(back_at, next);
                if done {
                    registers[FP] = frame;
                    registers[SP] = frame;
                    next = if op == Op::Jsra { imm } else { va };
                }
                done
            }
            Op::Ret => {
                let frame = registers[FP];
                match (space.load_u32(frame), space.load_u32(frame.wrapping_add(4))) {
                    (Some(caller), Some(back)) => {
                        registers[FP] = caller;
                        registers[SP] = frame.wrapping_add(12);
                        next = back;
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        if done {
            self.block.pc = next;
        }
        done
    }

    /// An access faulted that was none for the guest. If it does so again on the same page (a page that was only
    /// shared is plain after its first store), it is compiled as a call of the slow path, once enough faults have paid for that: compiling never
    /// costs more than the faults that led to it.
    fn note_fault(&mut self, space: &mut Space, pc: u32, address: u32) {
        if self.faulted.len() + self.slow.len() > MOST_NOTED {
            self.faulted.clear();
            self.slow.clear();
        }
        self.credit = (self.credit + 1).min(1);
        let seen = self.faulted.entry(pc ^ (address / PAGE).wrapping_mul(0x9e37_79b1)).or_default();
        *seen = seen.saturating_add(1);
        if *seen >= 2 && self.credit > 0 {
            self.slow.insert(pc, ());
            self.recompile(space, pc);
            self.credit -= (self.unit.steps.len() / STEPS_PER_FAULT) as i64;
        }
    }

    /// Compiles the unit around an instruction again, now that it is known not to be plain; what stands is led over to the new code.
    fn recompile(&mut self, space: &mut Space, pc: u32) {
        // Code is entered at leaders only, so the stretch that the instruction belongs to begins at the nearest one before it.
        let start = (0..512).map(|back| pc.wrapping_sub(2 * back)).find(|at| self.entries.contains_key(at)).unwrap_or(pc);
        self.install(space, start, true);
    }

    fn is_restless(&self, pc: u32) -> bool {
        !self.restless.is_empty() && self.restless.get(&(pc / PAGE)).is_some_and(|count| *count >= RESTLESS)
    }

    /// Whether this address is likely in the middle of a stretch that is compiled: then the caller steps until it has left it.
    fn is_astray(&mut self, pc: u32) -> bool {
        match &mut self.astray {
            Some((steps, last)) if *steps < MOST_STEPS && last.is_none_or(|last| pc.wrapping_sub(last) <= 6) => {
                *steps += 1;
                *last = Some(pc);
                true
            }
            _ => {
                self.astray = None;
                false
            }
        }
    }

    /// Compiles the unit at `pc` and binds it. With `again`, code that stands for the same addresses is led over to the new.
    fn install(&mut self, space: &mut Space, pc: u32, again: bool) -> bool {
        let Self { unit, entries, slow, restless, .. } = self;
        let found = unit.discover(
            space,
            pc,
            |at| !again && entries.contains_key(&at),
            |at| !slow.is_empty() && slow.contains_key(&at),
            |page| !restless.is_empty() && restless.get(&page).is_some_and(|count| *count >= RESTLESS),
        );
        if !found {
            return false;
        }
        if self.unit.writable
            && let Some((first, last)) = self.unit.last_byte()
        {
            for page in first / PAGE..=last / PAGE {
                space.watch_code(page);
            }
        }
        self.translator.translate(&self.unit, self.memory.used(), self.pending.len());
        if self.translator.bytes().len() > self.memory.free() {
            self.evict();
            self.translator.translate(&self.unit, self.memory.used(), self.pending.len());
        }
        if self.memory.write(self.translator.bytes()).is_err() {
            return false;
        }
        self.compiled += self.unit.last_byte().map_or(0, |(first, last)| u64::from(last.wrapping_sub(first)) + 1);
        self.bind(again).is_ok()
    }

    fn bind(&mut self, again: bool) -> io::Result<()> {
        let product = &mut self.translator.product;
        self.faults.append(&mut product.faults);
        self.exits.append(&mut product.exits);
        self.pending.append(&mut product.pending);
        let displacement = |at: u32, target: u32| target.wrapping_sub(at.wrapping_add(4)).to_le_bytes();
        let mut patches: Vec<(u32, [u8; 4])> = Vec::new();
        let mut jumps: Vec<u32> = Vec::new();
        for (pc, offset) in product.leaders.drain(..) {
            match self.entries.entry(pc) {
                std::collections::hash_map::Entry::Vacant(vacant) => {
                    vacant.insert(offset);
                }
                std::collections::hash_map::Entry::Occupied(mut occupied) => {
                    if !again {
                        continue;
                    }
                    // The old leader becomes a jump to the new one.
                    let old = occupied.insert(offset);
                    jumps.push(old);
                    patches.push((old + 1, displacement(old + 1, offset)));
                    let target = &mut self.block.targets[target_index(pc)];
                    if target.pc == u64::from(pc) {
                        target.host = self.memory.address(offset as usize) as u64;
                    }
                }
            }
            if let Some(sites) = self.waiting.remove(&pc) {
                patches.extend(sites.iter().map(|at| (*at, displacement(*at, offset))));
            }
        }
        for link in product.links.drain(..) {
            match self.entries.get(&link.pc) {
                Some(offset) => patches.push((link.at, displacement(link.at, *offset))),
                None => self.waiting.entry(link.pc).or_default().push(link.at),
            }
        }
        self.memory.patch(&patches)?;
        self.memory.patch_bytes(&jumps, 0xe9)
    }

    /// Forgets everything about the machine whose code was compiled: the next run may be another one's.
    pub fn reset(&mut self) {
        self.evict();
        self.faulted.clear();
        self.slow.clear();
        self.restless.clear();
        self.astray = None;
    }

    /// Drops what was made from pages whose code has changed.
    pub fn forget(&mut self, pages: &[u32]) {
        for page in pages {
            *self.restless.entry(*page).or_default() += 1;
        }
        if !pages.is_empty() {
            self.evict();
        }
    }

    /// Forgets all code.
    fn evict(&mut self) {
        self.memory.truncate(self.stubs.end);
        self.entries.clear();
        self.waiting.clear();
        self.faults.clear();
        self.exits.clear();
        self.pending.clear();
        self.block.targets.fill(Target::NONE);
        self.block.stack = self.block.bottom;
    }
}

impl Compiled for Compiler {
    fn run(&mut self, cpu: &mut Cpu, space: &mut Space, fuel: &mut u64) -> Exit {
        Self::run(self, cpu, space, fuel)
    }

    fn executed(&self) -> u64 {
        self.executed
    }

    fn entered(&self) -> u64 {
        self.entered
    }

    fn forget(&mut self, pages: &[u32]) {
        Self::forget(self, pages);
    }
}

/// How compiled code was left.
enum Left {
    Exit(ExitSite),
    /// An access faulted, at this guest address.
    Fault(FaultSite, u32),
    /// For an address that the table of targets does not have.
    Unknown,
    /// By no way that is known: never seen.
    Lost,
}

fn target_index(pc: u32) -> usize {
    (pc >> 1) as usize & (TARGETS - 1)
}
