//! A cell's state between runs, and how a run enters and leaves the machine.

use std::sync::OnceLock;

use cell::{Console, Halt, Meter};
use memory::{Pool, Slot};

use crate::heap::{Heap, Pause, Result, Signal};
use crate::image::{Image, image};
use crate::interpret::{self, Exit};
use crate::library::Helper;
use crate::syntax::{Goal, Options};
use crate::value::Value;
use crate::vm::{Entry, Host, Realm, Registry, Saved, Vm};

/// Largest memory of a cell, in bytes.
pub(crate) const LARGEST: u64 = 1 << 30;

/// How a run of the machine ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// The program's value.
    Value(Value),
    /// An exception nobody caught.
    Thrown(Value),
    /// The meter said no; running again goes on.
    Halt(Halt),
    /// Out of memory, output full, or broken.
    Pause(Pause),
}

/// A cell.
pub(crate) struct Session {
    slot: Slot,
    image: &'static Image,
    saved: Saved,
    pub(crate) host: Host,
    pub(crate) cap: u32,
    pub(crate) depth: u32,
    spent: u64,
    out_of_memory: bool,
    collected_at: u32,
    /// Fuel that one charge of a native needs at once, when the run stopped for it.
    wanted: i64,
    /// A frame waits to go on.
    pub(crate) active: bool,
}

/// The pool of this process for cells up to `cap` bytes: pools differ by the power of two.
fn pool(cap: u64) -> std::io::Result<Pool> {
    static POOLS: OnceLock<std::sync::Mutex<Vec<(usize, Pool)>>> = OnceLock::new();
    let capacity = (cap as usize).next_power_of_two().max(64 << 10);
    let pools = POOLS.get_or_init(Default::default);
    let mut pools = pools.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, pool)) = pools.iter().find(|(size, _)| *size == capacity) {
        return Ok(pool.clone());
    }
    let slots = ((1usize << 42) / capacity).clamp(16, 1 << 17);
    let pool = Pool::new(capacity, slots)?;
    pools.push((capacity, pool.clone()));
    Ok(pool)
}

impl Session {
    /// A new cell with this much memory (bytes, at most [`LARGEST`]).
    pub(crate) fn new(cap: u64) -> std::io::Result<Session> {
        let image = image();
        let cap = cap.clamp(u64::from(image.saved.top) + 4096, LARGEST);
        let pool = pool(cap)?;
        let slot = pool.take_with_image((image.saved.top as usize).next_power_of_two(), &image.private)?;
        Ok(Session {
            slot,
            image,
            saved: image.saved,
            host: Host {
                console: Console::new(Some(1 << 20)),
                output_full: false,
                eval_enabled: true,
                parser: crate::syntax::Parser::new(),
                unit: crate::bytecode::Unit::default(),
                registry: Registry::default(),
            },
            cap: cap as u32,
            depth: 10_000,
            spent: 0,
            out_of_memory: false,
            collected_at: 0,
            wanted: 0,
            active: false,
        })
    }

    /// Works on the machine.
    pub(crate) fn with<T>(&mut self, work: impl FnOnce(&mut Vm<'_>) -> T) -> T {
        let saved = &self.saved;
        let mut heap = Heap::new(&self.slot, &self.image.shared, false, saved.top, self.cap);
        heap.cursor = saved.cursor;
        heap.limit = saved.limit;
        heap.runs = saved.runs;
        heap.top = saved.top;
        heap.threshold = saved.threshold.min(self.cap);
        heap.atoms = saved.atoms;
        heap.atom_count = saved.atom_count;
        heap.transitions = saved.transitions;
        heap.transition_count = saved.transition_count;
        heap.epoch = saved.epoch;
        let stack = heap.mem.load_u32(crate::heap::REALM + Realm::STACK_CELL as u32 * 8);
        let stack_limit = stack.saturating_add(8).saturating_add(heap.high(stack)).saturating_sub(2048);
        let mut vm = Vm {
            heap,
            fp: saved.fp,
            pc: saved.pc,
            next: 0,
            destination: 0,
            entry: Entry::Call,
            depth: saved.depth,
            max_depth: self.depth,
            stack_limit,
            fuel: 0,
            collected_at: self.collected_at,
            out_of_memory: self.out_of_memory,
            random: saved.random,
            wanted: self.wanted,
            spent: self.spent,
            host: &mut self.host,
        };
        let result = work(&mut vm);
        let heap = &vm.heap;
        self.saved = Saved {
            fp: vm.fp,
            pc: vm.pc,
            depth: vm.depth,
            cursor: heap.cursor,
            limit: heap.limit,
            runs: heap.runs,
            top: heap.top,
            threshold: heap.threshold,
            atoms: heap.atoms,
            atom_count: heap.atom_count,
            transitions: heap.transitions,
            transition_count: heap.transition_count,
            epoch: heap.epoch,
            random: vm.random,
        };
        (self.out_of_memory, self.collected_at, self.wanted, self.spent) = (vm.out_of_memory, vm.collected_at, vm.wanted, vm.spent);
        result
    }

    /// Bytes of guest memory in use.
    pub(crate) fn used(&self) -> u32 {
        self.saved.top
    }

    /// Compiles a script and enters it. Some: it ended already (a syntax error).
    pub(crate) fn start(&mut self, source: &[u8], file: &str, options: Options, goal: Goal, meter: &mut Meter) -> Option<End> {
        let end = self.with(|vm| {
            attempt(vm, meter, |vm| {
                vm.out_of_memory = false;
                let file = vm.heap.string(file)?;
                let request = crate::compile::Request { goal, options, ..Default::default() };
                let code = vm.compile(source, &request, file)?;
                let function = vm.function_object(code, None)?;
                let global = vm.realm(Realm::GLOBAL);
                vm.begin(Value::object(function), global, &[])
            })
        });
        self.active = end.is_none();
        end
    }

    /// Goes on with what was entered until it ends.
    pub(crate) fn run(&mut self, meter: &mut Meter) -> End {
        let end = self.with(|vm| drive(vm, meter));
        if !matches!(end, End::Halt(_)) {
            self.active = false;
        }
        end
    }

    /// Runs the microtask queue until it is empty.
    pub(crate) fn run_jobs(&mut self, meter: &mut Meter) -> Option<End> {
        loop {
            let started = self.with(|vm| {
                let jobs = vm.realm(Realm::JOBS);
                if !jobs.is_object_cell() || vm.heap.array_length(jobs.payload()) == 0 {
                    return None;
                }
                vm.set_realm(Realm::JOBS, Value::UNDEFINED);
                Some(attempt(vm, meter, |vm| {
                    let runner = vm.helper(Helper::RunJob);
                    vm.begin(runner, Value::UNDEFINED, &[jobs])
                }))
            });
            let end = match started? {
                Some(end) => end,
                None => self.run(meter),
            };
            match end {
                End::Value(_) => {}
                end => return Some(end),
            }
        }
    }
}

/// Lends the machine a slice.
fn lend(vm: &mut Vm<'_>, meter: &mut Meter) -> std::result::Result<u64, Halt> {
    let mut slice = meter.lend()?;
    // A native's single charge may be larger than a slice.
    while (slice as i64) < vm.wanted {
        match meter.lend() {
            Ok(more) => slice += more,
            Err(halt) => {
                meter.settle(slice);
                return Err(halt);
            }
        }
    }
    vm.wanted = 0;
    vm.fuel = slice as i64;
    Ok(slice)
}

/// Takes back what a slice left; what went over it is charged too.
fn settle(vm: &mut Vm<'_>, meter: &mut Meter, slice: u64) -> std::result::Result<(), Halt> {
    vm.fuel = vm.fuel.saturating_sub(std::mem::take(&mut vm.heap.debt) as i64);
    vm.spent = vm.spent.saturating_add((slice as i64).saturating_sub(vm.fuel).max(0) as u64);
    if vm.fuel >= 0 {
        meter.settle(vm.fuel as u64);
        Ok(())
    } else {
        meter.settle(0);
        meter.charge(vm.fuel.unsigned_abs())
    }
}

/// Does something that may want room or fuel before any frame runs. Some: it is over.
fn attempt(vm: &mut Vm<'_>, meter: &mut Meter, work: impl Fn(&mut Vm<'_>) -> Result<Option<Exit>>) -> Option<End> {
    for _ in 0..4 {
        let slice = match lend(vm, meter) {
            Ok(slice) => slice,
            Err(halt) => return Some(End::Halt(halt)),
        };
        let (fp, depth) = (vm.fp, vm.depth);
        let result = work(vm);
        if let Err(halt) = settle(vm, meter, slice) {
            return Some(End::Halt(halt));
        }
        match result {
            Ok(None) => return None,
            Ok(Some(Exit::Thrown(value))) | Err(Signal::Throw(value) | Signal::ThrowAt(value)) => {
                (vm.fp, vm.depth) = (fp, depth);
                return Some(End::Thrown(value));
            }
            Ok(Some(Exit::Value(value))) => return Some(End::Value(value)),
            Ok(Some(_)) | Err(Signal::Called) => return None,
            Err(Signal::Stop(Pause::Fuel)) => {}
            Err(Signal::Stop(pause)) => return Some(End::Pause(pause)),
            Err(Signal::Collect(bytes)) => match vm.make_room(bytes) {
                Ok(()) => {}
                Err(Signal::Throw(value)) => return Some(End::Thrown(value)),
                Err(_) => return Some(End::Pause(Pause::Memory)),
            },
        }
    }
    Some(End::Pause(Pause::Memory))
}

/// Runs the machine, slice by slice.
fn drive(vm: &mut Vm<'_>, meter: &mut Meter) -> End {
    loop {
        let slice = match lend(vm, meter) {
            Ok(slice) => slice,
            Err(halt) => return End::Halt(halt),
        };
        let exit = interpret::run(vm);
        let settled = settle(vm, meter, slice);
        match exit {
            Exit::Value(value) => return End::Value(value),
            Exit::Thrown(value) => return End::Thrown(value),
            Exit::Slice | Exit::Pause(Pause::Fuel) => {
                if let Err(halt) = settled {
                    return End::Halt(halt);
                }
            }
            Exit::Pause(pause) => return End::Pause(pause),
        }
    }
}
