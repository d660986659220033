//! Executables: ELF, 32 bits, little-endian, for Moxie. Any bytes at all are answered with an error or a program, never with a panic.

use std::ops::Range;

use object::LittleEndian;
use object::elf::{FileHeader32, PF_W, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

/// Machine number of Moxie.
pub const EM_MOXIE: u16 = 223;
/// What tools before 2015 wrote instead.
pub const EM_MOXIE_OLD: u16 = 0xfeed;

/// More loadable segments than this are refused: no tool makes them.
pub const MOST_SEGMENTS: usize = 256;

/// What a program's file says about loading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Address of the first instruction.
    pub entry: u32,
    /// What goes where, in the file's order.
    pub segments: Vec<Segment>,
}

/// A stretch of memory that a program starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address of its first byte.
    pub address: u32,
    /// Bytes in memory; those past the file's are zero. At least 1, and it does not pass the end of the address space.
    pub length: u32,
    /// Where its contents lie in the file; not longer than in memory.
    pub contents: Range<usize>,
    /// Whether the program may write to it.
    pub writable: bool,
}

/// Why bytes are no program for this machine: a sentence without its subject, to follow the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadExecutable(String);

fn bad<T>(message: impl Into<String>) -> Result<T, BadExecutable> {
    Err(BadExecutable(message.into()))
}

impl Executable {
    /// Reads the headers.
    ///
    /// # Errors
    /// [`BadExecutable`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BadExecutable> {
        const WHAT: &str = "a contract is a 32-bit little-endian ELF executable for Moxie";
        if bytes.len() < 52 {
            return bad(format!("is too short to be an executable ({} bytes); {WHAT}", bytes.len()));
        }
        if !bytes.starts_with(b"\x7fELF") {
            return bad(format!("is no ELF file; {WHAT}"));
        }
        match (bytes[4], bytes[5]) {
            (1, 1) => {}
            (2, _) => return bad(format!("is a 64-bit ELF file; {WHAT}")),
            (1, 2) => return bad(format!("is big-endian; {WHAT}: compile with -EL or use `oubliette cc`")),
            _ => return bad(format!("has a broken ELF header; {WHAT}")),
        }
        let Ok(header) = FileHeader32::<LittleEndian>::parse(bytes) else { return bad(format!("has a broken ELF header; {WHAT}")) };
        let endian = LittleEndian;
        let machine = header.e_machine(endian).0;
        if machine != EM_MOXIE && machine != EM_MOXIE_OLD {
            return bad(format!("is for another machine (ELF machine number {machine}, not {EM_MOXIE}); {WHAT}"));
        }
        let Ok(headers) = header.program_headers(endian, bytes) else {
            return bad("is cut short: its program headers lie outside of the file");
        };
        let mut segments = Vec::new();
        for header in headers.iter().filter(|header| header.p_type(endian) == PT_LOAD) {
            let (address, length) = (header.p_vaddr(endian), header.p_memsz(endian));
            let (offset, size) = (header.p_offset(endian), header.p_filesz(endian));
            if size > length {
                return bad(format!("has a segment at {address:#x} that is larger in the file ({size} bytes) than in memory ({length})"));
            }
            if length == 0 {
                continue;
            }
            if u64::from(address) + u64::from(length) > 1 << 32 {
                return bad(format!("has a segment of {length} bytes at {address:#x} that passes the end of the address space"));
            }
            let end = u64::from(offset) + u64::from(size);
            if end > bytes.len() as u64 {
                return bad(format!("is cut short: the segment at {address:#x} needs {end} bytes of file, and there are {}", bytes.len()));
            }
            if segments.len() == MOST_SEGMENTS {
                return bad(format!("has more than {MOST_SEGMENTS} loadable segments"));
            }
            segments.push(Segment {
                address,
                length,
                contents: offset as usize..end as usize,
                writable: header.p_flags(endian).0 & PF_W.0 != 0,
            });
        }
        if segments.is_empty() {
            return bad("has nothing to load: link it into an executable first");
        }
        let mut order: Vec<&Segment> = segments.iter().collect();
        order.sort_by_key(|segment| segment.address);
        if let Some(pair) = order.windows(2).find(|pair| pair[0].address + (pair[0].length - 1) >= pair[1].address) {
            return bad(format!("has segments that overlap: at {:#x} and at {:#x}", pair[0].address, pair[1].address));
        }
        Ok(Self { entry: header.e_entry(endian), segments })
    }
}
