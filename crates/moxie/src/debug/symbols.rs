//! Names and lines for addresses: from DWARF where the program has it, from the symbol table without, from nothing else.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use cell::TraceFrame;
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

/// A program larger than this is not searched for debug information, in bytes: it is the guest's, and reading it costs the host.
const MOST_DEBUG: usize = 64 << 20;

/// One function or object of the symbol table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// First address.
    pub address: u32,
    /// Size in bytes; 0 where the table does not say.
    pub size: u32,
    /// Name.
    pub name: String,
    /// Whether it is a function.
    pub is_function: bool,
}

/// The names of one or more executables. Reading never fails: what cannot be read is not there.
#[derive(Default)]
pub struct Symbols {
    /// Sorted by address.
    symbols: Vec<Symbol>,
    /// Behind a lock, because it reads its tables when it is first asked.
    lines: Mutex<Vec<addr2line::Context<Slice>>>,
}

impl std::fmt::Debug for Symbols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Symbols").field("symbols", &self.symbols.len()).finish_non_exhaustive()
    }
}

impl Symbols {
    /// Reads the tables of executables; the bytes are not trusted.
    pub fn read<'a>(executables: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut found = Self::default();
        let mut lines = Vec::new();
        for bytes in executables {
            let Ok(file) = object::File::parse(bytes) else { continue };
            found.symbols.extend(file.symbols().filter_map(|symbol| {
                let kind = symbol.kind();
                let name = symbol.name().ok().filter(|name| !name.is_empty())?;
                if symbol.is_undefined() || !matches!(kind, SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown) {
                    return None;
                }
                let is_function = kind == SymbolKind::Text
                    || kind == SymbolKind::Unknown
                        && symbol.section_index().is_some_and(|index| {
                            file.section_by_index(index).is_ok_and(|section| section.kind() == object::SectionKind::Text)
                        });
                Some(Symbol {
                    address: u32::try_from(symbol.address()).ok()?,
                    size: u32::try_from(symbol.size()).unwrap_or(u32::MAX),
                    name: name.to_owned(),
                    is_function,
                })
            }));
            if bytes.len() <= MOST_DEBUG
                && let Some(context) = line_context(&file)
            {
                lines.push(context);
            }
        }
        found.lines = Mutex::new(lines);
        found.symbols.sort_by(|a, b| (a.address, b.is_function).cmp(&(b.address, a.is_function)));
        found
    }

    /// Every symbol, in order of address.
    pub fn all(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The symbol with this name.
    pub fn by_name(&self, name: &str) -> Option<&Symbol> {
        self.symbols.iter().find(|symbol| symbol.name == name)
    }

    /// The function that an address lies in.
    pub fn function_at(&self, address: u32) -> Option<&Symbol> {
        let end = self.symbols.partition_point(|symbol| symbol.address <= address);
        self.symbols[..end]
            .iter()
            .rev()
            .take(64)
            .find(|symbol| symbol.is_function && (symbol.size == 0 || address - symbol.address < symbol.size))
    }

    /// A trace with names and lines, from one with addresses only: the innermost is an instruction's, the others are where callers go on.
    pub fn explain(&self, trace: &[TraceFrame]) -> Vec<TraceFrame> {
        let mut explained = Vec::new();
        for (at, frame) in trace.iter().enumerate() {
            let Some(address) = frame.address.and_then(|address| u32::try_from(address).ok()) else {
                explained.push(frame.clone());
                continue;
            };
            // The call is the instruction before the return address; any byte of it finds its line. The shortest is two bytes long.
            let mut frames = self.frames_at(if at == 0 { address } else { address.wrapping_sub(2) });
            for frame in &mut frames {
                frame.address = Some(u64::from(address));
            }
            explained.append(&mut frames);
        }
        explained
    }

    /// The frames that an address stands for: one, and more where functions were inlined into each other, innermost first.
    pub fn frames_at(&self, address: u32) -> Vec<TraceFrame> {
        let mut frames = Vec::new();
        for context in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Ok(mut found) = context.find_frames(u64::from(address)).skip_all_loads() else { continue };
            // A chain of inlined functions longer than this is not one that a compiler makes.
            while frames.len() < 64
                && let Ok(Some(frame)) = found.next()
            {
                let location = frame.location.as_ref();
                frames.push(TraceFrame {
                    function: frame.function.as_ref().and_then(|function| function.raw_name().ok().map(Cow::into_owned)),
                    file: location.and_then(|location| location.file.map(str::to_owned)),
                    line: location.and_then(|location| location.line),
                    column: location.and_then(|location| location.column).filter(|column| *column > 0),
                    address: Some(u64::from(address)),
                });
            }
            if !frames.is_empty() {
                break;
            }
        }
        if frames.is_empty() {
            frames.push(TraceFrame { address: Some(u64::from(address)), ..TraceFrame::default() });
        }
        // Assembler code has lines but no function in DWARF; the symbol table knows it.
        if let Some(outermost) = frames.last_mut().filter(|frame| frame.function.is_none()) {
            outermost.function = self.function_at(address).map(|symbol| symbol.name.clone());
        }
        frames
    }
}

type Slice = gimli::EndianArcSlice<gimli::LittleEndian>;

fn line_context(file: &object::File<'_>) -> Option<addr2line::Context<Slice>> {
    file.section_by_name(".debug_line")?;
    let section = |id: gimli::SectionId| -> Result<Slice, gimli::Error> {
        // Compressed sections are left out: unpacking them would let a guest choose how much the host allocates.
        let data = file.section_by_name(id.name()).and_then(|section| section.data().ok()).unwrap_or_default();
        Ok(gimli::EndianArcSlice::new(Arc::from(data), gimli::LittleEndian))
    };
    let dwarf = gimli::Dwarf::load(section).ok()?;
    addr2line::Context::from_dwarf(dwarf).ok()
}
