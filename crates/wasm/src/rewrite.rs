//! Rewrites modules: exports their mutable globals, and takes the contents of memory out of them, for programs whose instances start from an
//! image.

use cell::Error;
use std::ops::Range;
use wasm_encoder::{ConstExpr, DataSection, ExportKind, ExportSection, RawSection};
use wasmparser::{DataKind, ExternalKind, Operator, Parser, Payload, TypeRef, ValType};

/// Prefix of the names under which mutable globals are exported, followed by their index.
pub(crate) const GLOBAL_PREFIX: &str = "oubliette:global:";
/// The name under which the start function of a module without its contents is exported.
pub(crate) const START: &str = "oubliette:start";

/// The largest memory, in pages of 64 KiB, that a program may start with to be frozen as an image.
const MAX_FIRST_PAGES: usize = 16 << 10;

/// What a module is like, as far as we need to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// Why its instances cannot be frozen, if they cannot.
    pub(crate) unfreezable: Option<&'static str>,
}

pub(crate) fn bad(error: impl std::fmt::Display) -> Error {
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

/// The module with all its mutable globals exported. A `bare` one has no contents for its memory, and its start function is exported instead
/// of being run: what both do is in an image.
pub(crate) fn rewrite(wasm: &[u8], bare: bool) -> Result<Vec<u8>, Error> {
    let mut module = wasm_encoder::Module::new();
    let raw = |module: &mut wasm_encoder::Module, id: u8, range: Range<usize>| {
        module.section(&RawSection { id, data: &wasm[range] });
    };
    let start = if bare { start_function(wasm)? } else { None };
    let mut imported_globals = 0;
    let mut mutable = Vec::new();
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
            Payload::GlobalSection(section) => {
                raw(&mut module, 6, section.range());
                for (index, global) in (imported_globals..).zip(section) {
                    let global = global.map_err(bad)?;
                    if global.ty.mutable && !matches!(global.ty.content_type, ValType::Ref(_) | ValType::V128) {
                        mutable.push(index);
                    }
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
                if let Some(start) = start {
                    exports.export(START, ExportKind::Func, start);
                }
                module.section(&exports);
            }
            Payload::StartSection { .. } if bare => {}
            Payload::DataSection(section) if bare => {
                // As many segments as before: instructions name them by number. Active ones are used up, and so empty. They stay active:
                // every instance has a word for each passive one.
                let mut data = DataSection::new();
                for segment in section {
                    let segment = segment.map_err(bad)?;
                    match segment.kind {
                        DataKind::Passive => data.passive(segment.data.iter().copied()),
                        DataKind::Active { .. } => data.active(0, &ConstExpr::i32_const(0), []),
                    };
                }
                module.section(&data);
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
    Ok(module.finish())
}

fn start_function(wasm: &[u8]) -> Result<Option<u32>, Error> {
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::StartSection { func, .. } = payload.map_err(bad)? {
            return Ok(Some(func));
        }
    }
    Ok(None)
}

/// The memory that an instance of the module has before any of its code has run.
///
/// # Errors
/// When the module does not say so by itself, or not without contradicting itself.
pub(crate) fn first_memory(wasm: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(bad)? {
            Payload::MemorySection(section) => {
                for ty in section {
                    let pages = ty.map_err(bad)?.initial;
                    let bytes = usize::try_from(pages).ok().filter(|pages| *pages <= MAX_FIRST_PAGES).map(|pages| pages << 16);
                    memory.resize(bytes.ok_or_else(|| Error::Program("its memory is too large for an image".into()))?, 0);
                }
            }
            Payload::DataSection(section) => {
                for segment in section {
                    let segment = segment.map_err(bad)?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else { continue };
                    let mut operators = offset_expr.get_operators_reader();
                    let at = match (operators.read().map_err(bad)?, operators.read().map_err(bad)?) {
                        (Operator::I32Const { value }, Operator::End) => value.cast_unsigned() as usize,
                        _ => return Err(Error::Program("where its data lies is computed, which images don't do".into())),
                    };
                    let room = memory.get_mut(at..).and_then(|rest| rest.get_mut(..segment.data.len()));
                    room.ok_or_else(|| Error::Program("its data lies outside its memory".into()))?.copy_from_slice(segment.data);
                }
            }
            _ => {}
        }
    }
    Ok(memory)
}
