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
use crate::vm::{Entry, Host, Realm, Saved, Vm};

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

impl End {
    /// Does a frame wait to go on?
    fn is_pause(self) -> bool {
        matches!(self, End::Halt(_) | End::Pause(Pause::Host))
    }
}

/// A frozen cell's bytes and registers.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Freeze {
    #[serde(skip)]
    pub(crate) bytes: Vec<u8>,
    pub(crate) saved: Saved,
    pub(crate) cap: u32,
    pub(crate) depth: u32,
    pub(crate) spent: u64,
    pub(crate) out_of_memory: bool,
    pub(crate) refusals: u32,
    pub(crate) collected_at: u32,
    pub(crate) tries: u32,
    pub(crate) wanted: i64,
    pub(crate) active: bool,
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
    /// Errors about memory that this run has thrown.
    pub(crate) refusals: u32,
    collected_at: u32,
    tries: u32,
    /// Fuel that was used and not paid for when the meter said no.
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
    let slots = ((1u64 << 42) / capacity as u64).clamp(16, 1 << 17) as usize;
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
            host: Host { console: Console::new(Some(1 << 20)), eval_enabled: true, most_output: 1 << 20, ..Host::default() },
            cap: cap as u32,
            depth: 10_000,
            spent: 0,
            out_of_memory: false,
            refusals: 0,
            collected_at: 0,
            tries: 0,
            wanted: 0,
            active: false,
        })
    }

    /// Everything that makes the cell, as bytes and numbers.
    pub(crate) fn freeze(&self) -> Freeze {
        let mut bytes = vec![0; self.saved.top as usize];
        self.slot.view().read_into(0, &mut bytes);
        Freeze {
            bytes,
            saved: self.saved,
            cap: self.cap,
            depth: self.depth,
            spent: self.spent,
            out_of_memory: self.out_of_memory,
            refusals: self.refusals,
            collected_at: self.collected_at,
            tries: self.tries,
            wanted: self.wanted,
            active: self.active,
        }
    }

    /// A cell from what [`freeze`](Session::freeze) gave.
    pub(crate) fn thaw(freeze: &Freeze) -> std::io::Result<Session> {
        let mut session = Session::new(u64::from(freeze.cap))?;
        session.slot.grow(freeze.bytes.len()).map_err(std::io::Error::from)?;
        session.slot.view().write_from(0, &freeze.bytes);
        session.saved = freeze.saved;
        session.depth = freeze.depth;
        session.spent = freeze.spent;
        session.out_of_memory = freeze.out_of_memory;
        session.refusals = freeze.refusals;
        session.collected_at = freeze.collected_at;
        session.tries = freeze.tries;
        session.wanted = freeze.wanted;
        session.active = freeze.active;
        Ok(session)
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
        heap.tries = self.tries;
        heap.library_end = self.image.saved.fp - 16;
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
            slice: 0,
            collected_at: self.collected_at,
            out_of_memory: self.out_of_memory,
            refusals: self.refusals,
            random: saved.random,
            wanted: self.wanted,
            // What the host itself looks up costs the guest nothing; a run is lent its own fuel.
            reserve: i64::MAX / 4,
            work: Vm::NO_WORK,
            exit: Exit::Slice,
            start: (0, 0, 0, 0),
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
        self.tries = heap.tries;
        self.refusals = vm.refusals;
        (self.out_of_memory, self.collected_at, self.wanted, self.spent) = (vm.out_of_memory, vm.collected_at, vm.wanted, vm.spent);
        result
    }

    /// Overwrites bytes of guest memory that are in use.
    pub(crate) fn overwrite(&mut self, at: u64, bytes: &[u8]) {
        let room = u64::from(self.saved.top).saturating_sub(at).min(bytes.len() as u64) as usize;
        if room > 0 {
            self.slot.view().write_from(at as u32, &bytes[..room]);
        }
    }

    /// Bytes of guest memory in use.
    pub(crate) fn used(&self) -> u32 {
        self.saved.top
    }

    /// Compiles a script, enters it and runs it until it ends. `Err`: it ended before it was entered (a syntax error, no fuel).
    pub(crate) fn start(
        &mut self,
        source: &[u8],
        file: &str,
        options: Options,
        goal: Goal,
        meter: &mut Meter,
    ) -> std::result::Result<End, End> {
        let end = self.with(|vm| {
            let early = attempt(vm, meter, |vm| {
                (vm.out_of_memory, vm.refusals) = (false, 0);
                let (before, runs) = ((vm.heap.cursor, vm.heap.limit, vm.heap.top), vm.heap.runs);
                let file = vm.heap.string(file)?;
                if goal == Goal::Module {
                    let text = vm.heap.string_wtf8(source)?;
                    let start = vm.helper(Helper::StartModule);
                    return vm.begin(start, Value::UNDEFINED, &[Value::string(file), Value::string(text)]);
                }
                let request = crate::compile::Request { goal, options, ..Default::default() };
                let code = match vm.compile(source, &request, file) {
                    Err(Signal::Stop(Pause::Fuel)) if vm.heap.runs == runs => {
                        // Nothing refers to the name: the next attempt starts from the same heap, however many there were.
                        (vm.heap.cursor, vm.heap.limit, vm.heap.top) = before;
                        return Err(Signal::Stop(Pause::Fuel));
                    }
                    code => code?,
                };
                let function = vm.function_object(code, None)?;
                let global = vm.realm(Realm::GLOBAL);
                vm.begin(Value::object(function), global, &[])
            });
            match early {
                Some(end) => Err(end),
                None => Ok(drive(vm, meter)),
            }
        });
        self.active = end.is_ok_and(|end| end.is_pause());
        end
    }

    /// Goes on with what was entered until it ends.
    pub(crate) fn run(&mut self, meter: &mut Meter) -> End {
        let end = self.with(|vm| drive(vm, meter));
        self.active &= end.is_pause();
        end
    }

    /// Enters the next job: microtasks first, then the timer that is due next. Some: it ended already, or why it could not be
    /// entered; None with nothing active: there is none.
    pub(crate) fn next_job(&mut self, meter: &mut Meter) -> Option<End> {
        if self.realm(Realm::JOBS).is_undefined() && self.realm(Realm::TIMERS).is_undefined() {
            return None;
        }
        let (jobs, timers) = self.with(|vm| {
            let length = |slot| {
                let list = vm.realm(slot);
                if vm.heap.is_kind(list, crate::heap::Kind::Array) { vm.heap.array_length(list.payload()) } else { 0 }
            };
            (length(Realm::JOBS), length(Realm::TIMERS))
        });
        let helper = match (jobs, timers) {
            (0, 0) => return None,
            (0, _) => Helper::RunTimer,
            _ => Helper::RunJob,
        };
        let end = self.with(|vm| {
            attempt(vm, meter, |vm| {
                let runner = vm.helper(helper);
                if helper == Helper::RunTimer {
                    let timers = vm.realm(Realm::TIMERS);
                    return vm.begin(runner, Value::UNDEFINED, &[timers]);
                }
                let jobs = vm.realm(Realm::JOBS);
                let entered = vm.begin(runner, Value::UNDEFINED, &[jobs])?;
                vm.set_realm(Realm::JOBS, Value::UNDEFINED);
                Ok(entered)
            })
        });
        self.active = end.is_none();
        end
    }

    /// Gives up whatever runs: the stack is empty again.
    pub(crate) fn reset(&mut self) {
        self.active = false;
        self.wanted = 0;
        self.host.call = None;
        self.host.reply = None;
        self.saved.fp = self.realm(Realm::STACK_CELL).payload().wrapping_add(16);
        self.saved.depth = 0;
        for slot in [Realm::TURN, Realm::ENDED, Realm::ENDED_AS] {
            self.set_realm(slot, Value::UNDEFINED);
        }
    }

    /// A slot of the realm, without the machine around it.
    pub(crate) fn realm(&self, slot: Realm) -> Value {
        Value(self.slot.view().load_u64(crate::heap::REALM + slot as u32 * 8))
    }

    /// Likewise.
    pub(crate) fn set_realm(&self, slot: Realm, value: Value) {
        self.slot.view().store_u64(crate::heap::REALM + slot as u32 * 8, value.0);
    }

    /// Does something small for the host between runs, which may need a collection first.
    pub(crate) fn insist(&mut self, work: &mut dyn FnMut(&mut Vm<'_>) -> Result<()>) -> std::result::Result<(), cell::Error> {
        self.with(|vm| match work(vm) {
            Ok(()) => Ok(()),
            Err(_) => vm.collect().and_then(|()| {
                vm.heap.raise_threshold(4096);
                work(vm)
            }),
        })
        .map_err(|_| cell::Error::State("the cell has no room for what the host gives it".into()))
    }
}

/// Pays what was overdrawn: all that is left, if that is less, so that a run that is out of fuel has used it up whatever the slices.
fn pay(vm: &mut Vm<'_>, meter: &mut Meter) -> std::result::Result<(), Halt> {
    if vm.wanted > 0 {
        let wanted = vm.wanted.unsigned_abs();
        let units = meter.remaining().map_or(wanted, |left| left.min(wanted));
        meter.charge(units)?;
        vm.wanted = (wanted - units) as i64;
        if vm.wanted > 0 {
            return Err(Halt::OutOfFuel);
        }
    }
    Ok(())
}

/// The end of a run whose last instruction overdrew the meter is kept until that is paid.
fn keep_end(vm: &mut Vm<'_>, end: End) -> bool {
    let (how, value) = match end {
        End::Value(value) => (1, value),
        End::Thrown(value) => (2, value),
        End::Pause(Pause::Memory) => (3, Value::UNDEFINED),
        End::Pause(Pause::Output) => (4, Value::UNDEFINED),
        _ => return false,
    };
    vm.set_realm(Realm::ENDED, value);
    vm.set_realm(Realm::ENDED_AS, Value::int(how));
    true
}

/// The end that was kept.
fn kept_end(vm: &mut Vm<'_>) -> Option<End> {
    let (how, value) = (vm.realm(Realm::ENDED_AS), vm.realm(Realm::ENDED));
    if how.is_undefined() {
        return None;
    }
    let end = [End::Value(value), End::Thrown(value), End::Pause(Pause::Memory), End::Pause(Pause::Output)];
    let end = (1..).zip(end).find(|(number, _)| how == Value::int(*number))?.1;
    vm.set_realm(Realm::ENDED, Value::UNDEFINED);
    vm.set_realm(Realm::ENDED_AS, Value::UNDEFINED);
    Some(end)
}

/// Lends the machine a slice, after what was overdrawn is paid.
fn lend(vm: &mut Vm<'_>, meter: &mut Meter) -> std::result::Result<u64, Halt> {
    pay(vm, meter)?;
    let slice = meter.lend()?;
    vm.fuel = slice as i64;
    vm.slice = slice as i64;
    vm.reserve = meter.remaining().map_or(i64::MAX / 4, |left| i64::try_from(left.saturating_sub(slice)).unwrap_or(i64::MAX / 4));
    Ok(slice)
}

/// Takes back what a slice left; what went over it is charged too, now or when the cell is refuelled.
fn settle(vm: &mut Vm<'_>, meter: &mut Meter, slice: u64) -> std::result::Result<(), Halt> {
    vm.fuel = vm.fuel.saturating_sub(std::mem::take(&mut vm.heap.debt) as i64);
    vm.spent = vm.spent.saturating_add((slice as i64).saturating_sub(vm.fuel).max(0) as u64);
    if vm.fuel >= 0 {
        meter.settle(vm.fuel as u64);
        return Ok(());
    }
    meter.settle(0);
    vm.wanted = vm.fuel.saturating_neg();
    pay(vm, meter)
}

/// Does something that may want room or fuel before any frame runs. Some: it is over.
pub(crate) fn attempt(vm: &mut Vm<'_>, meter: &mut Meter, work: impl Fn(&mut Vm<'_>) -> Result<Option<Exit>>) -> Option<End> {
    for _ in 0..4 {
        let slice = match lend(vm, meter) {
            Ok(slice) => slice,
            Err(halt) => return Some(End::Halt(halt)),
        };
        let (fp, depth) = (vm.fp, vm.depth);
        vm.mark();
        let result = work(vm);
        if let Err(Signal::Stop(Pause::Fuel) | Signal::Collect(_)) = result {
            vm.undo_charges();
        }
        let settled = settle(vm, meter, slice);
        // What was overdrawn is paid before the first instruction, or again by whoever starts over.
        if let (Err(halt), Err(Signal::Stop(_) | Signal::Collect(_))) = (settled, &result) {
            return Some(End::Halt(halt));
        }
        match result {
            Ok(None) => return None,
            Ok(Some(Exit::Thrown(value))) | Err(Signal::Throw(value) | Signal::ThrowAt(value)) => {
                (vm.fp, vm.depth) = (fp, depth);
                let end = End::Thrown(value);
                return if settled.is_err() && keep_end(vm, end) { None } else { Some(end) };
            }
            Ok(Some(Exit::Value(value))) => {
                let end = End::Value(value);
                return if settled.is_err() && keep_end(vm, end) { None } else { Some(end) };
            }
            Ok(Some(_)) | Err(Signal::Called) => return None,
            Err(Signal::Stop(Pause::Fuel)) => return Some(End::Halt(Halt::OutOfFuel)),
            Err(Signal::Stop(pause)) => return Some(End::Pause(pause)),
            Err(Signal::Collect(bytes)) => match vm.make_room(bytes) {
                Ok(()) => {}
                Err(Signal::Throw(value)) => return Some(End::Thrown(value)),
                Err(Signal::Stop(pause)) => return Some(End::Pause(pause)),
                Err(_) => return Some(End::Pause(Pause::Memory)),
            },
        }
    }
    Some(End::Pause(Pause::Memory))
}

/// Runs the machine, slice by slice.
fn drive(vm: &mut Vm<'_>, meter: &mut Meter) -> End {
    loop {
        if let Err(halt) = pay(vm, meter) {
            return End::Halt(halt);
        }
        if let Some(end) = kept_end(vm) {
            return end;
        }
        let slice = match lend(vm, meter) {
            Ok(slice) => slice,
            Err(halt) => return End::Halt(halt),
        };
        let exit = interpret::run(vm);
        let settled = settle(vm, meter, slice);
        let end = match exit {
            Exit::Value(value) => Some(End::Value(value)),
            Exit::Thrown(value) => Some(End::Thrown(value)),
            Exit::Pause(pause @ (Pause::Memory | Pause::Output)) => Some(End::Pause(pause)),
            _ => None,
        };
        if let Some(end) = end {
            return match settled {
                Err(halt) if keep_end(vm, end) => End::Halt(halt),
                _ => end,
            };
        }
        match exit {
            Exit::Slice => {
                if let Err(halt) = settled {
                    return End::Halt(halt);
                }
                if !vm.host.releases.is_empty() {
                    return End::Pause(Pause::Host);
                }
            }
            // A native asked for more than the meter holds.
            Exit::Pause(Pause::Fuel) => return End::Halt(Halt::OutOfFuel),
            Exit::Pause(pause) => return End::Pause(pause),
            Exit::Value(_) | Exit::Thrown(_) => {}
        }
    }
}
