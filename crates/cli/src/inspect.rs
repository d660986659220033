//! `oubliette inspect`: what is in a Moxie program.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use moxie::Executable;
use moxie::debug::Symbols;
use moxie::isa::{Instruction, NotAnInstruction};

use crate::files;

/// `oubliette inspect`
#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// The program
    #[arg(value_name = "PROGRAM")]
    program: PathBuf,
    /// Show the symbols [default: segments, symbols and disassembly]
    #[arg(short = 's', long)]
    symbols: bool,
    /// Show the disassembly
    #[arg(short = 'd', long)]
    disassemble: bool,
    /// Disassemble this function only
    #[arg(short = 'f', long, value_name = "NAME")]
    function: Option<String>,
}

/// Shows segments, symbols, disassembly.
pub(crate) fn inspect(args: &InspectArgs) -> Result<ExitCode> {
    let bytes = files::read(&args.program)?;
    let executable = Executable::parse(&bytes).map_err(|error| anyhow::anyhow!("`{}` {error}", args.program.display()))?;
    let symbols = Symbols::read([&*bytes]);
    let all = !(args.symbols || args.disassemble || args.function.is_some());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = (|| -> std::io::Result<()> {
        if all {
            writeln!(out, "entry {:#010x}\n\nsegments", executable.entry)?;
            for segment in &executable.segments {
                let mode = if segment.writable { "rw" } else { "ro" };
                let end = u64::from(segment.address) + u64::from(segment.length);
                writeln!(
                    out,
                    "  {:08x}-{end:08x} {mode} {:>8} bytes, {} of them in the file",
                    segment.address,
                    segment.length,
                    segment.contents.len()
                )?;
            }
        }
        if all || args.symbols {
            writeln!(out, "\nsymbols")?;
            for symbol in symbols.all() {
                writeln!(
                    out,
                    "  {:08x} {:>7} {} {}",
                    symbol.address,
                    symbol.size,
                    if symbol.is_function { "function" } else { "object  " },
                    symbol.name
                )?;
            }
        }
        if all || args.disassemble || args.function.is_some() {
            disassemble(&mut out, &bytes, &executable, &symbols, args.function.as_deref())?;
        }
        out.flush()
    })();
    match written {
        Ok(()) => {}
        // Whoever reads may have seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(error).context("cannot write to standard output"),
    }
    if let Some(name) = &args.function
        && symbols.by_name(name).is_none()
    {
        anyhow::bail!("`{}` has no function `{name}`", args.program.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Disassembles what can be code: functions by the symbol table, or whole read-only segments where there is none.
fn disassemble(out: &mut impl Write, bytes: &[u8], executable: &Executable, symbols: &Symbols, only: Option<&str>) -> std::io::Result<()> {
    writeln!(out, "\ndisassembly")?;
    let functions: Vec<_> =
        symbols.all().iter().filter(|symbol| symbol.is_function && only.is_none_or(|name| symbol.name == name)).collect();
    if functions.is_empty() && only.is_none() {
        for segment in executable.segments.iter().filter(|segment| !segment.writable) {
            stretch(out, bytes, executable, symbols, segment.address, segment.address.saturating_add(segment.contents.len() as u32))?;
        }
    }
    for (at, function) in functions.iter().enumerate() {
        let next = functions.get(at + 1).map_or(u32::MAX, |next| next.address);
        let end = if function.size > 0 { function.address.saturating_add(function.size) } else { next };
        writeln!(out, "\n{:08x} <{}>:", function.address, function.name)?;
        stretch(out, bytes, executable, symbols, function.address, end)?;
    }
    Ok(())
}

fn stretch(out: &mut impl Write, bytes: &[u8], executable: &Executable, symbols: &Symbols, start: u32, end: u32) -> std::io::Result<()> {
    let Some(segment) =
        executable.segments.iter().find(|segment| start >= segment.address && start - segment.address < segment.contents.len() as u32)
    else {
        return Ok(());
    };
    let contents = &bytes[segment.contents.clone()];
    let end = end.min(segment.address.saturating_add(contents.len() as u32));
    let mut pc = start;
    while pc < end {
        let rest = &contents[(pc - segment.address) as usize..(end - segment.address) as usize];
        let (length, text) = match Instruction::decode(rest) {
            Ok(instruction) => {
                let mut text = instruction.text(pc);
                if let Some(target) = instruction.target(pc)
                    && let Some(symbol) = symbols.function_at(target)
                {
                    text = match target - symbol.address {
                        0 => format!("{text:<28} <{}>", symbol.name),
                        offset => format!("{text:<28} <{}+{offset:#x}>", symbol.name),
                    };
                }
                (u32::from(instruction.length()), text)
            }
            Err(NotAnInstruction::Illegal) => (2, format!(".short {:#06x}", u16::from_le_bytes([rest[0], rest[1]]))),
            Err(NotAnInstruction::Needs(_)) => (rest.len() as u32, format!(".byte {rest:02x?}")),
        };
        let raw: String = rest[..length as usize].iter().map(|byte| format!("{byte:02x} ")).collect();
        writeln!(out, "{pc:8x}:  {raw:<18} {text}")?;
        pc += length;
    }
    Ok(())
}
