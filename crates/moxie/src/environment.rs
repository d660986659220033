//! The environment's calls: what `swi` does. The numbers and the order of checks are those of `guest/moxie/ABI.md`.

use cell::{Argument, Console, Event, Halt, HatchCall, Operation, Reply, Stop, Stream, Target, Value};
use memory::{PAGE, Permission, Space};
use serde::{Deserialize, Serialize};

use crate::layout::{Layout, after};
use crate::machine::Machine;
use crate::state::R0;

/// `_exit`.
pub const EXIT: u32 = 1;
/// `mmap`.
pub const MMAP: u32 = 90;
/// `console_write`.
pub const CONSOLE_WRITE: u32 = 0x4f55_0001;
/// `sbrk`.
pub const SBRK: u32 = 0x4f55_0002;
/// `fuel_used`.
pub const FUEL_USED: u32 = 0x4f55_0003;
/// `random`.
pub const RANDOM: u32 = 0x4f55_0004;
/// `clock`.
pub const CLOCK: u32 = 0x4f55_0005;
/// `hatch_call`.
pub const HATCH_CALL: u32 = 0x4f55_0006;
/// `hatch_result`.
pub const HATCH_RESULT: u32 = 0x4f55_0007;

const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EBADF: i32 = 9;
const ENOMEM: i32 = 12;
const EFAULT: i32 = 14;
const EINVAL: i32 = 22;
const ENOSYS: i32 = 38;
const EOVERFLOW: i32 = 75;

/// Bytes that `mmap` hands out in all.
const MMAP_BUDGET: u32 = 0x0fff_ffff;
/// Bytes kept free for the heap to grow into, in the layout that is ours to choose.
const HEAP_ROOM: u64 = 1 << 30;
/// Where the heap is in the classic layout: past everything that the old simulator maps, and no address of it looks like an error.
const CLASSIC_HEAP: u64 = 0x4000_0000;
/// Bytes of `struct hatch_call`.
const HATCH_STRUCT: u32 = 28;

/// Units for touching this many bytes.
fn touch(bytes: u64) -> u64 {
    bytes.div_ceil(16)
}

/// What the environment remembers between calls. Part of the guest's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Environment {
    pub(crate) layout: Layout,
    /// End of the region that the next one follows.
    pub(crate) last_end: u64,
    mmap_left: u32,
    mmaps: u32,
    heap: Option<Heap>,
    /// The answer to the last hatch call.
    held: Option<Vec<u8>>,
    /// The call that waits for the world.
    pending: Option<Pending>,
    pub(crate) clock_offered: bool,
    pub(crate) random_offered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heap {
    base: u32,
    /// One past the last byte that the program asked for.
    end: u64,
    /// Bytes mapped.
    mapped: u32,
}

/// A call that waits for the world: where its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Pending {
    Hatch { call: u32, result: u32, capacity: u32 },
    Random { to: u32, length: u32 },
    Clock { to: u32 },
}

/// What a call came to.
pub(crate) enum Called {
    /// It is done, `pc` is on the next instruction.
    Done,
    /// The driver must know.
    Event(Event),
}

/// What the environment works with.
pub(crate) struct Surroundings<'a> {
    pub(crate) machine: &'a mut Machine,
    pub(crate) console: &'a mut Console,
    pub(crate) meter: &'a mut cell::Meter,
    /// The cap on memory in bytes.
    pub(crate) cap: u64,
    /// Counted when the call is done.
    pub(crate) instructions: &'a mut u64,
}

enum Failure {
    /// An answer to the guest that costs one unit.
    Errno(i32),
    Stop(Stop),
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        Self::Stop(halt.into())
    }
}

type CallResult = Result<Answer, Failure>;

enum Answer {
    /// In `$r0`.
    Value(u32),
    /// `$r0` stays.
    Nothing,
    Event(Event),
}

fn errno(number: i32) -> u32 {
    (-number).cast_unsigned()
}

impl Environment {
    pub(crate) fn new(layout: Layout, last_end: u64, offered: (bool, bool)) -> Self {
        Self {
            layout,
            last_end,
            mmap_left: MMAP_BUDGET,
            mmaps: 0,
            heap: None,
            held: None,
            pending: None,
            clock_offered: offered.0,
            random_offered: offered.1,
        }
    }

    /// Bytes that the host holds for the guest outside of its address space.
    pub(crate) fn held(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.len() as u64)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Makes the call that `pc` stands on.
    pub(crate) fn call(&mut self, number: u32, around: &mut Surroundings<'_>) -> Called {
        let registers = &around.machine.cpu.registers;
        let [r0, r1, r2, r3] = [registers[R0], registers[R0 + 1], registers[R0 + 2], registers[R0 + 3]];
        let result = match number {
            EXIT => around.meter.charge(1).map_err(Failure::from).map(|()| Answer::Event(Event::Stop(Stop::Finished((r0 & 0xff) as i32)))),
            MMAP => around.meter.charge(1).map_err(Failure::from).map(|()| Answer::Value(self.mmap(around, r0, r1, r2, r3))),
            CONSOLE_WRITE => self.console_write(around, r0, r1, r2),
            SBRK => self.sbrk(around, r0.cast_signed()),
            FUEL_USED => Self::fuel_used(around, r0),
            RANDOM => self.random(around, r0, r1),
            CLOCK => self.clock(around, r0),
            HATCH_CALL => self.hatch_call(around, r0),
            HATCH_RESULT => self.hatch_result(around, r0, r1),
            _ => around.meter.charge(1).map_err(Failure::from).map(|()| Answer::Nothing),
        };
        let answer = match result {
            Ok(Answer::Event(event)) => {
                *around.instructions += 1;
                if matches!(event, Event::Stop(_)) {
                    // `_exit` is executed like any other call; nothing follows it.
                    Self::finish(around.machine, number, None);
                }
                return Called::Event(event);
            }
            Ok(Answer::Value(value)) => Some(value),
            Ok(Answer::Nothing) => None,
            Err(Failure::Errno(number)) => match around.meter.charge(1) {
                Ok(()) => Some(errno(number)),
                Err(halt) => return Called::Event(Event::Stop(halt.into())),
            },
            Err(Failure::Stop(stop)) => return Called::Event(Event::Stop(stop)),
        };
        *around.instructions += 1;
        Self::finish(around.machine, number, answer);
        Called::Done
    }

    /// What every `swi` does once its call is done.
    fn finish(machine: &mut Machine, number: u32, answer: Option<u32>) {
        let cpu = &mut machine.cpu;
        cpu.special[2] = 3;
        cpu.special[3] = number;
        if let Some(value) = answer {
            cpu.registers[R0] = value;
        }
        cpu.pc = cpu.pc.wrapping_add(6);
    }

    /// Takes what the world answered.
    pub(crate) fn answered(&mut self, reply: Reply, around: &mut Surroundings<'_>) -> Called {
        let Some(pending) = self.pending.take() else { return Called::Done };
        let number = match pending {
            Pending::Hatch { .. } => HATCH_CALL,
            Pending::Random { .. } => RANDOM,
            Pending::Clock { .. } => CLOCK,
        };
        let answer = match pending {
            Pending::Hatch { call, result, capacity } => self.hatch_answered(reply, around, call, result, capacity),
            Pending::Random { to, length } => Ok(match reply {
                Reply::Return(Argument::Value(Value::Bytes(bytes))) if bytes.len() == length as usize => {
                    write(&mut around.machine.space, to, &bytes, length)
                }
                _ => errno(EIO),
            }),
            Pending::Clock { to } => Ok(match reply {
                Reply::Return(Argument::Value(Value::Integer(time))) => match u64::try_from(time) {
                    Ok(time) => write(&mut around.machine.space, to, &time.to_le_bytes(), 0),
                    Err(_) => errno(EIO),
                },
                _ => errno(EIO),
            }),
        };
        match answer {
            Ok(value) => {
                Self::finish(around.machine, number, Some(value));
                Called::Done
            }
            Err(stop) => Called::Event(Event::Stop(stop)),
        }
    }

    fn mmap(&mut self, around: &mut Surroundings<'_>, address: u32, length: u32, protection: u32, flags: u32) -> u32 {
        let signed = length.cast_signed();
        if address != 0 || signed < 4096 || !length.is_multiple_of(4096) || protection & 7 != 7 || flags & 6 != 6 {
            return errno(EINVAL);
        }
        if length > self.mmap_left {
            return errno(ENOMEM);
        }
        let space = &mut around.machine.space;
        space.set_cap(Some(around.cap.saturating_sub(self.held() + around.console.held() as u64)));
        let Some(start) = after(self.layout, self.last_end) else { return errno(ENOMEM) };
        if space.map(start, length, Permission::ReadWrite, &format!("heap{}", self.mmaps)).is_err() {
            return errno(ENOMEM);
        }
        self.mmaps += 1;
        self.mmap_left -= length;
        self.last_end = u64::from(start) + u64::from(length);
        start
    }

    fn console_write(&mut self, around: &mut Surroundings<'_>, descriptor: u32, address: u32, length: u32) -> CallResult {
        let stream = match descriptor {
            1 => Stream::Out,
            2 => Stream::Err,
            _ => return Err(Failure::Errno(EBADF)),
        };
        if length > i32::MAX.cast_unsigned() {
            return Err(Failure::Errno(EINVAL));
        }
        let space = &around.machine.space;
        if !space.is_within_region(address, length, false) {
            return Err(Failure::Errno(EFAULT));
        }
        around.meter.charge(1 + touch(u64::from(length)))?;
        // What goes over the cap is not even copied; one byte more than fits makes the console notice.
        let kept = u64::from(length).min(around.console.room().saturating_add(1)) as u32;
        if space.committed() + self.held() + around.console.held() as u64 + u64::from(kept) > around.cap {
            return Err(Failure::Stop(Stop::OutOfMemory));
        }
        let mut text = vec![0; kept as usize];
        if space.read(address, &mut text).is_err() {
            return Err(Failure::Errno(EFAULT));
        }
        around.console.write(stream, &text).map_err(|full| Failure::Stop(full.into()))?;
        Ok(Answer::Value(length))
    }

    /// The heap; where it is, is decided by the first call.
    fn heap(&mut self, space: &Space) -> Result<Heap, Failure> {
        if let Some(heap) = self.heap {
            return Ok(heap);
        }
        let base = match self.layout {
            Layout::Pages => after(self.layout, self.last_end),
            Layout::Classic => {
                let highest = space.regions().last().map_or(0, memory::space::Region::end);
                if highest <= CLASSIC_HEAP { Some(CLASSIC_HEAP as u32) } else { after(Layout::Pages, highest) }
            }
        };
        let base = base.ok_or(Failure::Errno(ENOMEM))?;
        let heap = Heap { base, end: u64::from(base), mapped: 0 };
        if self.layout == Layout::Pages {
            // What is mapped from now on leaves the heap room to grow.
            self.last_end = u64::from(base) + HEAP_ROOM.min(((1 << 32) - u64::from(base)) / 2);
        }
        self.heap = Some(heap);
        Ok(heap)
    }

    fn sbrk(&mut self, around: &mut Surroundings<'_>, delta: i32) -> CallResult {
        let mut heap = self.heap(&around.machine.space)?;
        let before = heap.end;
        let Some(end) = before.checked_add_signed(i64::from(delta)).filter(|end| *end >= u64::from(heap.base)) else {
            return Err(Failure::Errno(EINVAL));
        };
        around.meter.charge(1 + touch(u64::from(delta.max(0).unsigned_abs())))?;
        let space = &mut around.machine.space;
        space.set_cap(Some(around.cap.saturating_sub(self.held() + around.console.held() as u64)));
        let pages = (end - u64::from(heap.base)).next_multiple_of(u64::from(PAGE));
        let Ok(pages) = u32::try_from(pages) else { return Ok(Answer::Value(errno(ENOMEM))) };
        if delta < 0 {
            // The rest of the last page stays mapped, so what was given back there is cleared by hand.
            let page_end = end.next_multiple_of(u64::from(PAGE)).min(u64::from(heap.base) + u64::from(heap.mapped));
            let cleared = [0; PAGE as usize];
            if page_end > end && space.write(end as u32, &cleared[..(page_end - end) as usize]).is_err() {
                return Ok(Answer::Value(errno(ENOMEM)));
            }
        }
        // The region never goes away once it is there: its first page stays.
        let wanted = if heap.mapped > 0 { pages.max(PAGE) } else { pages };
        let mapped = match heap.mapped {
            old if old == wanted => Ok(()),
            0 => space.map(heap.base, wanted, Permission::ReadWrite, "heap"),
            _ => space.resize(heap.base, wanted),
        };
        if mapped.is_err() {
            return Ok(Answer::Value(errno(ENOMEM)));
        }
        if wanted == PAGE && pages == 0 && space.write(heap.base, &[0; PAGE as usize]).is_err() {
            return Ok(Answer::Value(errno(ENOMEM)));
        }
        heap.end = end;
        heap.mapped = wanted;
        self.heap = Some(heap);
        Ok(Answer::Value(before as u32))
    }

    fn fuel_used(around: &mut Surroundings<'_>, to: u32) -> CallResult {
        if !around.machine.space.is_within_region(to, 8, true) {
            return Err(Failure::Errno(EFAULT));
        }
        around.meter.charge(1)?;
        let used = around.meter.used().to_le_bytes();
        Ok(Answer::Value(write(&mut around.machine.space, to, &used, 0)))
    }

    fn random(&mut self, around: &mut Surroundings<'_>, to: u32, length: u32) -> CallResult {
        if length > i32::MAX.cast_unsigned() {
            return Err(Failure::Errno(EINVAL));
        }
        if !around.machine.space.is_within_region(to, length, true) {
            return Err(Failure::Errno(EFAULT));
        }
        if !self.random_offered {
            return Err(Failure::Errno(ENOSYS));
        }
        around.meter.charge(1 + touch(u64::from(length)))?;
        self.pending = Some(Pending::Random { to, length });
        Ok(ask(cell::RANDOM, vec![Argument::Value(Value::integer(length))]))
    }

    fn clock(&mut self, around: &mut Surroundings<'_>, to: u32) -> CallResult {
        if !around.machine.space.is_within_region(to, 8, true) {
            return Err(Failure::Errno(EFAULT));
        }
        if !self.clock_offered {
            return Err(Failure::Errno(ENOSYS));
        }
        around.meter.charge(1)?;
        self.pending = Some(Pending::Clock { to });
        Ok(ask(cell::CLOCK, Vec::new()))
    }

    fn hatch_call(&mut self, around: &mut Surroundings<'_>, call: u32) -> CallResult {
        let space = &around.machine.space;
        if !space.is_within_region(call, HATCH_STRUCT, true) {
            return Err(Failure::Errno(EFAULT));
        }
        let mut words = [0; 6];
        for (index, word) in (0u32..).zip(&mut words) {
            *word = space.load_u32(call + 4 * index).ok_or(Failure::Errno(EFAULT))?;
        }
        let [name_at, name_length, argument, argument_length, result, capacity] = words;
        if !(1..=255).contains(&name_length) {
            return Err(Failure::Errno(EINVAL));
        }
        if !space.is_within_region(name_at, name_length, false) {
            return Err(Failure::Errno(EFAULT));
        }
        let mut name = vec![0; name_length as usize];
        space.read(name_at, &mut name).map_err(|_| Failure::Errno(EFAULT))?;
        let name = String::from_utf8(name).map_err(|_| Failure::Errno(EINVAL))?;
        if !space.is_within_region(argument, argument_length, false) || !space.is_within_region(result, capacity, true) {
            return Err(Failure::Errno(EFAULT));
        }
        around.meter.charge(1 + touch(u64::from(name_length) + u64::from(argument_length) + u64::from(capacity)))?;
        self.held = None;
        if space.committed() + around.console.held() as u64 + u64::from(argument_length) > around.cap {
            return Err(Failure::Stop(Stop::OutOfMemory));
        }
        let mut bytes = vec![0; argument_length as usize];
        space.read(argument, &mut bytes).map_err(|_| Failure::Errno(EFAULT))?;
        self.pending = Some(Pending::Hatch { call, result, capacity });
        Ok(ask(&name, vec![Argument::Value(Value::Bytes(bytes))]))
    }

    fn hatch_answered(&mut self, reply: Reply, around: &mut Surroundings<'_>, call: u32, result: u32, capacity: u32) -> Result<u32, Stop> {
        let (code, bytes) = match reply {
            Reply::Return(value) => match answer_bytes(value) {
                Ok(bytes) if bytes.len() > capacity as usize => (EOVERFLOW, bytes),
                Ok(bytes) => (0, bytes),
                Err(message) => (EIO, message.into_bytes()),
            },
            Reply::Throw(error) if error.name == "NoSuchOffer" => {
                return Ok(write(&mut around.machine.space, call + 24, &0u32.to_le_bytes(), errno(ENOSYS)));
            }
            Reply::Throw(error) => (EIO, error.to_string().into_bytes()),
            Reply::Later(_) => (EIO, b"the answer is not ready, and a contract cannot wait".to_vec()),
        };
        let space = &mut around.machine.space;
        if space.committed() + around.console.held() as u64 + bytes.len() as u64 > around.cap {
            return Err(Stop::OutOfMemory);
        }
        if code != EOVERFLOW {
            let copied = &bytes[..bytes.len().min(capacity as usize)];
            if write(space, result, copied, 0) != 0 {
                return Ok(errno(EFAULT));
            }
        }
        let length = (bytes.len() as u32).to_le_bytes();
        self.held = Some(bytes);
        Ok(write(space, call + 24, &length, errno(code)))
    }

    fn hatch_result(&mut self, around: &mut Surroundings<'_>, to: u32, capacity: u32) -> CallResult {
        let Some(held) = &self.held else { return Err(Failure::Errno(ENOENT)) };
        let count = (capacity as usize).min(held.len());
        if !around.machine.space.is_within_region(to, count as u32, true) {
            return Err(Failure::Errno(EFAULT));
        }
        around.meter.charge(1 + touch(count as u64))?;
        Ok(Answer::Value(write(&mut around.machine.space, to, &held[..count], count as u32)))
    }
}

fn ask(name: &str, arguments: Vec<Argument>) -> Answer {
    Answer::Event(Event::Call(HatchCall { target: Target::Offer(name.to_owned()), operation: Operation::Call, arguments, block: None }))
}

/// Writes to a range that was checked; the answer, or what to answer if it is gone after all.
fn write(space: &mut Space, to: u32, bytes: &[u8], answer: u32) -> u32 {
    if bytes.is_empty() || space.write(to, bytes).is_ok() { answer } else { errno(EFAULT) }
}

/// An answer of the host's as bytes.
fn answer_bytes(value: Argument) -> Result<Vec<u8>, String> {
    match value.into_value().map_err(|error| error.to_string())? {
        Value::Null => Ok(Vec::new()),
        Value::Bytes(bytes) => Ok(bytes),
        Value::Text(text) => Ok(text.into_bytes()),
        other => {
            let mut text = String::new();
            json(&other, &mut text);
            Ok(text.into_bytes())
        }
    }
}

/// Compact JSON; bytes inside of lists and maps are lists of numbers, floats that JSON has no word for are null.
fn json(value: &Value, out: &mut String) {
    use std::fmt::Write;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        // Writing to a string cannot fail.
        Value::Integer(integer) => drop(write!(out, "{integer}")),
        Value::Float(float) => out.push_str(&serde_json::Value::from(*float).to_string()),
        Value::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Value::Bytes(bytes) => {
            out.push('[');
            for (index, byte) in bytes.iter().enumerate() {
                let _ = write!(out, "{}{byte}", if index > 0 { "," } else { "" });
            }
            out.push(']');
        }
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push(':');
                json(item, out);
            }
            out.push('}');
        }
    }
}
