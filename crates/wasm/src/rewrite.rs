//! Rewrites modules: exports their mutable globals, and bakes the state of a quiet instance into them.

use cell::Error;
use std::ops::Range;
use wasm_encoder::{ConstExpr, DataCountSection, DataSection, ExportKind, ExportSection, GlobalSection, MemorySection, RawSection};
use wasmparser::{DataKind, ExternalKind, Operator, Parser, Payload, TypeRef, ValType};

/// Prefix of the names under which mutable globals are exported, followed by their index.
pub(crate) const GLOBAL_PREFIX: &str = "oubliette:global:";
/// Prefix of the name of an export that only carries a note, in hexadecimal.
pub(crate) const NOTE_PREFIX: &str = "oubliette:note:";
/// Zero bytes between two runs of data that are cheaper to keep than to split at.
const GAP: usize = 512;
/// Segments that an image may have; the standard's own implementation limit is 100,000.
const MAX_SEGMENTS: usize = 90_000;

/// The state to bake in.
pub(crate) struct Image<'a> {
    pub(crate) memory: &'a [u8],
    /// Index and bits of every mutable global.
    pub(crate) globals: &'a [(u32, u64)],
    /// What whoever prepared the image wants to find again with it.
    pub(crate) note: &'a [u8],
}

/// What a module is like, as far as we need to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// Why its instances cannot be frozen, if they cannot.
    pub(crate) unfreezable: Option<&'static str>,
    pub(crate) has_start: bool,
}

fn bad(error: impl std::fmt::Display) -> Error {
    Error::Program(format!("not a WebAssembly module: {error}"))
}

/// Looks for what freezing cannot carry: tables that change, imported memories and globals, references in globals.
pub(crate) fn survey(wasm: &[u8]) -> Result<Survey, Error> {
    let mut survey = Survey::default();
    let mut memories = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(bad)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import.map_err(bad)?.ty {
                        TypeRef::Memory(_) | TypeRef::Table(_) => survey.unfreezable = Some("it imports a memory or table"),
                        TypeRef::Global(global) if global.mutable => survey.unfreezable = Some("it imports a global that changes"),
                        _ => {}
                    }
                }
            }
            Payload::MemorySection(section) => memories += section.count(),
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.map_err(bad)?.ty;
                    if global.mutable && matches!(global.content_type, ValType::Ref(_) | ValType::V128) {
                        survey.unfreezable = Some("a global holds a reference or a vector");
                    }
                }
            }
            Payload::StartSection { .. } => survey.has_start = true,
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().map_err(bad)? {
                    if let Operator::TableSet { .. }
                    | Operator::TableGrow { .. }
                    | Operator::TableFill { .. }
                    | Operator::TableCopy { .. }
                    | Operator::TableInit { .. } = operator.map_err(bad)?
                    {
                        survey.unfreezable = Some("it changes its tables");
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    if memories != 1 {
        survey.unfreezable = Some("it has not exactly one memory");
    }
    Ok(survey)
}

/// The module with all its mutable globals exported, and with `image` baked in if there is one.
pub(crate) fn rewrite(wasm: &[u8], image: Option<&Image<'_>>) -> Result<Vec<u8>, Error> {
    let mut module = wasm_encoder::Module::new();
    let raw = |module: &mut wasm_encoder::Module, id: u8, range: Range<usize>| {
        module.section(&RawSection { id, data: &wasm[range] });
    };
    let mut imported_globals = 0;
    let mut mutable = Vec::new();
    let kept_segments = if image.is_some() { passive_segments(wasm)? } else { Vec::new() };
    let runs = image.map_or_else(Vec::new, |image| runs(image.memory));
    let count = u32::try_from(kept_segments.len() + runs.len()).map_err(bad)?;
    if runs.len() > MAX_SEGMENTS {
        return Err(Error::Program("the image of this program is too scattered".into()));
    }
    let mut has_data = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(bad)?;
        let section = payload.as_section();
        match payload {
            Payload::ImportSection(section) => {
                raw(&mut module, 2, section.range());
                for import in section.into_imports() {
                    imported_globals += u32::from(matches!(import.map_err(bad)?.ty, TypeRef::Global(_)));
                }
            }
            Payload::MemorySection(section) if image.is_some() => {
                let mut memories = MemorySection::new();
                for memory in section {
                    let memory = memory.map_err(bad)?;
                    let pages = image.map_or(0, |image| image.memory.len() as u64 >> 16);
                    memories.memory(wasm_encoder::MemoryType {
                        minimum: pages,
                        maximum: memory.maximum,
                        memory64: memory.memory64,
                        shared: memory.shared,
                        page_size_log2: memory.page_size_log2,
                    });
                }
                module.section(&memories);
            }
            Payload::GlobalSection(section) => {
                let range = section.range();
                let mut globals = GlobalSection::new();
                for (index, global) in (imported_globals..).zip(section) {
                    let global = global.map_err(bad)?;
                    if global.ty.mutable && !matches!(global.ty.content_type, ValType::Ref(_) | ValType::V128) {
                        mutable.push(index);
                    }
                    let baked = image.and_then(|image| image.globals.iter().find(|(at, _)| *at == index));
                    let reader = global.init_expr.get_binary_reader();
                    // Without the closing `end`, which the encoder adds itself.
                    let bytes = &wasm[reader.range().start..reader.range().end - 1];
                    let (ty, init) = match (global.ty.content_type, baked) {
                        (ValType::I32, Some((_, bits))) => (wasm_encoder::ValType::I32, ConstExpr::i32_const((*bits as u32).cast_signed())),
                        (ValType::I64, Some((_, bits))) => (wasm_encoder::ValType::I64, ConstExpr::i64_const(bits.cast_signed())),
                        (ValType::F32, Some((_, bits))) => {
                            (wasm_encoder::ValType::F32, ConstExpr::f32_const(f32::from_bits(*bits as u32).into()))
                        }
                        (ValType::F64, Some((_, bits))) => (wasm_encoder::ValType::F64, ConstExpr::f64_const(f64::from_bits(*bits).into())),
                        (ValType::I32, None) => (wasm_encoder::ValType::I32, ConstExpr::raw(bytes.iter().copied())),
                        (ValType::I64, None) => (wasm_encoder::ValType::I64, ConstExpr::raw(bytes.iter().copied())),
                        (ValType::F32, None) => (wasm_encoder::ValType::F32, ConstExpr::raw(bytes.iter().copied())),
                        (ValType::F64, None) => (wasm_encoder::ValType::F64, ConstExpr::raw(bytes.iter().copied())),
                        _ if image.is_some() => return Err(Error::Program("a global of this program cannot be frozen".into())),
                        _ => (wasm_encoder::ValType::I32, ConstExpr::i32_const(0)),
                    };
                    globals.global(wasm_encoder::GlobalType { val_type: ty, mutable: global.ty.mutable, shared: global.ty.shared }, &init);
                }
                if image.is_some() {
                    module.section(&globals);
                } else {
                    raw(&mut module, 6, range);
                }
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                let mut exported = Vec::new();
                for export in section {
                    let export = export.map_err(bad)?;
                    if export.name.starts_with(GLOBAL_PREFIX) {
                        exported.push(export.index);
                    }
                    let kind = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
                        ExternalKind::Table => ExportKind::Table,
                        ExternalKind::Memory => ExportKind::Memory,
                        ExternalKind::Global => ExportKind::Global,
                        ExternalKind::Tag => ExportKind::Tag,
                    };
                    exports.export(export.name, kind, export.index);
                }
                for index in mutable.iter().filter(|index| !exported.contains(index)) {
                    exports.export(&format!("{GLOBAL_PREFIX}{index}"), ExportKind::Global, *index);
                }
                if let Some(image) = image {
                    let note: String = image.note.iter().map(|byte| format!("{byte:02x}")).collect();
                    exports.export(&format!("{NOTE_PREFIX}{note}"), ExportKind::Memory, 0);
                }
                module.section(&exports);
            }
            // What a start function did is in the image already.
            Payload::StartSection { .. } if image.is_some() => {}
            Payload::DataCountSection { .. } if image.is_some() => {
                module.section(&DataCountSection { count });
            }
            Payload::DataSection(_) if image.is_some() => {
                has_data = true;
                module.section(&data(&kept_segments, &runs, image));
            }
            Payload::CodeSectionStart { range, .. } => raw(&mut module, 10, range),
            Payload::CodeSectionEntry(_) | Payload::Version { .. } | Payload::End(_) => {}
            _ => {
                if let Some((id, range)) = section {
                    raw(&mut module, id, range);
                }
            }
        }
    }
    if image.is_some() && !has_data {
        module.section(&data(&kept_segments, &runs, image));
    }
    Ok(module.finish())
}

/// The contents of passive segments by index; those that were active, and so are used up, are empty.
fn passive_segments(wasm: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut segments = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::DataSection(section) = payload.map_err(bad)? {
            for segment in section {
                let segment = segment.map_err(bad)?;
                segments.push(if matches!(segment.kind, DataKind::Passive) { segment.data } else { &[] });
            }
        }
    }
    // Nothing can refer to trailing empty ones but `data.drop`, which needs them to exist.
    Ok(segments)
}

/// The parts of the memory that are not zero.
fn runs(memory: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (block, bytes) in memory.chunks(64).enumerate() {
        if bytes.iter().all(|byte| *byte == 0) {
            continue;
        }
        let start = block * 64;
        match runs.last_mut() {
            Some(last) if start - last.end < GAP => last.end = start + bytes.len(),
            _ => runs.push(start..start + bytes.len()),
        }
    }
    runs
}

fn data(kept: &[&[u8]], runs: &[Range<usize>], image: Option<&Image<'_>>) -> DataSection {
    let mut section = DataSection::new();
    for bytes in kept {
        section.passive(bytes.iter().copied());
    }
    for run in runs {
        if let Some(image) = image {
            // A 32-bit memory: the offset is unsigned, its encoding signed.
            let offset = (run.start as u32).cast_signed();
            section.active(0, &ConstExpr::i32_const(offset), image.memory[run.clone()].iter().copied());
        }
    }
    section
}
