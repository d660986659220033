//! Prepare: what lies where in the address space when a program starts.

use cell::{Input, Task};
use memory::{Granularity, MapError, PAGE, Permission, Space};
use serde::{Deserialize, Serialize};

use crate::elf::Executable;
use crate::machine::Machine;
use crate::state::Cpu;

/// Bytes of stack.
pub const STACK: u32 = 64 << 10;
/// Bytes between a region's end and the next one's start, at least.
pub const GAP: u32 = 4096;
/// Bytes of the longest name of an input.
pub const LONGEST_NAME: usize = 19;
const ENTRY: usize = 32;

/// Where regions go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// Every region starts on a page, and zeros can be read up to the end of its last page.
    #[default]
    Pages,
    /// The old simulator's addresses, to the byte: each region starts 4096 bytes after the end of the last one, with no rounding anywhere.
    Classic,
}

/// Why a task cannot be laid out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Something is wrong with what was handed in.
    #[error("{0}")]
    Bad(String),
    /// It does not fit under the cap on memory: an outcome, not an error.
    #[error("{0}")]
    TooLarge(String),
}

/// A machine ready to start, and the end of its last region.
pub(crate) fn lay_out(task: &Task, layout: Layout, cap: Option<u64>) -> Result<(Machine, u64), Refusal> {
    if task.programs.is_empty() {
        return Err(Refusal::Bad("there is no program to run".into()));
    }
    let mut programs = Vec::new();
    for program in &task.programs {
        programs.push(Executable::parse(&program.bytes).map_err(|error| Refusal::Bad(format!("`{}` {error}", program.name)))?);
    }
    let inputs = inputs(task)?;
    let data: u64 = inputs.iter().map(|(_, bytes)| bytes.len() as u64 + u64::from(GAP) * 2).sum();
    let image_top =
        programs.iter().flat_map(|program| &program.segments).map(|segment| u64::from(segment.address) + u64::from(segment.length)).max();
    let top = image_top.unwrap_or(0) + data + u64::from(STACK) + 8 * u64::from(GAP);
    let granularity = if layout == Layout::Classic { Granularity::Byte } else { Granularity::Page };
    let mut builder = Builder { space: Space::new(granularity, cap, top), layout, last_end: 0, entries: Vec::new() };

    let mut number = 0;
    let mut entry = 0;
    for (program, input) in programs.iter().zip(&task.programs) {
        for segment in &program.segments {
            let permission = if segment.writable { Permission::ReadWrite } else { Permission::ReadOnly };
            builder.map(segment.address, segment.length, permission, &format!("elf{number}"), true).map_err(|error| {
                let what = format!(
                    "`{}`: the segment of {} bytes at {:#x} cannot be loaded: {error}",
                    input.name, segment.length, segment.address
                );
                if error == MapError::Cap { Refusal::TooLarge(what) } else { Refusal::Bad(what) }
            })?;
            builder.fill(segment.address, &input.bytes[segment.contents.clone()])?;
            number += 1;
        }
        entry = program.entry;
        if builder.space.check(entry, 2, false).is_err() {
            return Err(Refusal::Bad(format!("`{}` has its entry point at {entry:#x}, where nothing is loaded", input.name)));
        }
    }
    // The old simulator sorts its list after loading, so the highest segment counts as the last region.
    builder.last_end = image_top.unwrap_or(0);
    for (name, bytes) in &inputs {
        let too_large = || Refusal::TooLarge(format!("the input `{name}` of {} bytes does not fit under the memory limit", bytes.len()));
        let length = u32::try_from(bytes.len()).map_err(|_| too_large())?;
        let start = builder.append(length, Permission::ReadOnly, name, true).map_err(|_| too_large())?;
        builder.fill(start, bytes)?;
    }
    let small = |_| Refusal::TooLarge("the stack and the memory map do not fit under the memory limit".into());
    let stack = builder.append(STACK, Permission::ReadWrite, "stack", true).map_err(small)?;
    let stack_top = stack + STACK;
    if layout == Layout::Pages {
        // Start-up code of the old tool chain leaves no room for the arguments that a function may spill above its frame.
        builder.map(stack_top, PAGE, Permission::ReadWrite, "home", false).map_err(small)?;
    }
    // The entry that was meant for the map itself stays zero, and another one ends the list.
    let mut table: Vec<u8> = std::mem::take(&mut builder.entries);
    table.resize(table.len() + 2 * ENTRY, 0);
    let length = u32::try_from(table.len()).map_err(|_| small(MapError::Cap))?;
    let map = builder.append(length, Permission::ReadOnly, "mapdesc", false).map_err(small)?;
    builder.fill(map, &table)?;

    let mut cpu = Cpu { pc: entry, ..Cpu::default() };
    cpu.special[6] = map;
    cpu.special[7] = stack_top;
    Ok((Machine { cpu, space: builder.space, announced: 0, stack: (stack, stack_top) }, builder.last_end))
}

struct Builder {
    space: Space,
    layout: Layout,
    last_end: u64,
    entries: Vec<u8>,
}

impl Builder {
    fn map(&mut self, start: u32, length: u32, permission: Permission, name: &str, listed: bool) -> Result<(), MapError> {
        self.space.map(start, length, permission, name)?;
        self.last_end = u64::from(start) + u64::from(length);
        if listed {
            let mode = if permission == Permission::ReadWrite { "rw" } else { "ro" };
            let mut entry = [0; ENTRY];
            entry[..4].copy_from_slice(&start.to_le_bytes());
            entry[4..8].copy_from_slice(&length.to_le_bytes());
            let tags = format!("{mode},{name},");
            let tags = &tags.as_bytes()[..tags.len().min(ENTRY - 9)];
            entry[8..8 + tags.len()].copy_from_slice(tags);
            self.entries.extend(entry);
        }
        Ok(())
    }

    fn append(&mut self, length: u32, permission: Permission, name: &str, listed: bool) -> Result<u32, MapError> {
        let start = after(self.layout, self.last_end).ok_or(MapError::Wraps)?;
        self.map(start, length, permission, name, listed)?;
        Ok(start)
    }

    fn fill(&mut self, start: u32, bytes: &[u8]) -> Result<(), Refusal> {
        self.space.initialize(start, bytes).map_err(|_| Refusal::Bad("the host could not fill the guest's memory".into()))
    }
}

/// Where the region after one that ends at `end` starts; `None` past the end of the address space.
pub(crate) fn after(layout: Layout, end: u64) -> Option<u32> {
    let start = match layout {
        Layout::Classic => end + u64::from(GAP),
        Layout::Pages => end.next_multiple_of(u64::from(PAGE)) + u64::from(GAP),
    };
    u32::try_from(start).ok()
}

/// Inputs with the names that the guest sees; the prior state last.
fn inputs(task: &Task) -> Result<Vec<(String, &[u8])>, Refusal> {
    let mut found: Vec<(String, &[u8])> = Vec::new();
    for (index, Input { name, bytes }) in task.inputs.iter().enumerate() {
        let name = if name.is_empty() { format!("data{index}") } else { name.clone() };
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if !plain || name.len() > LONGEST_NAME {
            let rule = format!("a name is 1 to {LONGEST_NAME} letters, digits, dots, underscores and hyphens");
            return Err(Refusal::Bad(format!("an input cannot be called `{name}`: {rule}")));
        }
        if name == "state" {
            return Err(Refusal::Bad("an input cannot be called `state`: that is the prior state, which is handed in as such".into()));
        }
        let numbered =
            |stem: &str| name.strip_prefix(stem).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
        if name == "stack" || numbered("heap") || numbered("elf") {
            return Err(Refusal::Bad(format!("an input cannot be called `{name}`: the machine's own regions are called so")));
        }
        if found.iter().any(|(other, _)| *other == name) {
            return Err(Refusal::Bad(format!("two inputs cannot both be called `{name}`")));
        }
        found.push((name, bytes));
    }
    if let Some(state) = &task.state {
        found.push(("state".into(), state));
    }
    Ok(found)
}
