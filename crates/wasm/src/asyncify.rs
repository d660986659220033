//! Takes the cost of Binaryen's Asyncify out of a module's usual way.
//!
//! Asyncify lets code that knows nothing of it save its stack and come back to it later. Each function that it went through asks around every
//! call, and before every stretch between calls, whether the stack is being saved or restored: a third of all instructions, and nearly
//! always the answer is neither. Here each such function gets a twin for that case: it starts while nothing is being saved or restored, so
//! that this holds wherever it has not just called somebody. Only the question after calls is left. Restoring goes through the function as
//! it was, which then goes on; an interpreter's loop, which would go on for long, comes back to a twin at its next turn.

use crate::rewrite::bad;
use cell::Error;
use std::ops::Range;
use wasm_encoder::{BranchHint, BranchHints, CodeSection, Encode, FunctionSection, Instruction, RawSection};
use wasmparser::{BlockType, ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload, TypeRef, ValType, Validator};

/// The export that tells Asyncify's state, and the states. Zero is the usual one.
const GET_STATE: &str = "asyncify_get_state";
const UNWINDING: i32 = 1;
const REWINDING: i32 = 2;

/// Instructions of the longest function that gets a twin: what is longer takes long to compile, and little time is spent there.
const LONGEST: usize = 20_000;

/// Branches of a table that make an interpreter of the loop around it.
const TABLE: u32 = 400;

/// One instruction of a twin.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// A number that is known.
    Number(i32),
    /// Copied.
    Copy(Kind, Range<usize>),
    /// `if` with a condition that was made known to be true, or what is left of one that has only its second arm.
    Block(BlockType),
    Branch(u32),
    Drop,
    /// The question after a call: whether the stack is being saved.
    Asked,
    /// A branch on that question.
    Away(u32),
}

/// What needs to be known of an instruction that is copied.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Pushes one value and does nothing else.
    Push,
    Eqz,
    Eq,
    Other,
}

/// What `else` and `end` of a frame do.
#[derive(Clone, Copy, Debug)]
enum Frame {
    Plain,
    /// A former `if` whose second arm is not kept.
    FirstArm,
    /// An `if` whose first arm is being left out.
    Skipped(BlockType),
}

/// Writes twins: instructions in, simpler instructions out.
#[derive(Default)]
struct Folder {
    out: Vec<Item>,
    frames: Vec<Frame>,
    /// Frames open inside the arm that is left out.
    skipping: Option<u32>,
}

impl Folder {
    fn push(&mut self, operator: &Operator<'_>, range: Range<usize>) {
        if let Some(depth) = self.skipping {
            self.skip(operator, depth);
            return;
        }
        let copy = |kind| Item::Copy(kind, range.clone());
        match (operator, &self.out[..]) {
            (Operator::I32Const { value }, _) => self.out.push(Item::Number(*value)),
            (Operator::LocalGet { .. } | Operator::GlobalGet { .. }, _) => self.out.push(copy(Kind::Push)),
            (Operator::I32Eqz, [.., Item::Number(value)]) => {
                let value = *value;
                self.replace(1, Item::Number((value == 0).into()));
            }
            (Operator::I32Eqz, _) => self.out.push(copy(Kind::Eqz)),
            (Operator::I32Eq, [.., Item::Number(a), Item::Number(b)]) => {
                let equal = a == b;
                self.replace(2, Item::Number(equal.into()));
            }
            (Operator::I32Eq, _) => self.out.push(copy(Kind::Eq)),
            (Operator::I32Or, [.., Item::Number(0)]) => {
                self.out.pop();
            }
            (Operator::Select, [.., chosen @ (Item::Number(_) | Item::Copy(Kind::Push, _)), Item::Number(condition)]) => {
                let (chosen, condition) = (chosen.clone(), *condition);
                self.out.truncate(self.out.len() - 2);
                if condition == 0 {
                    self.drop_last();
                    self.out.push(chosen);
                }
            }
            (Operator::If { blockty }, [.., Item::Number(condition)]) => {
                let condition = *condition;
                if condition != 0 {
                    self.replace(1, Item::Block(*blockty));
                    self.frames.push(Frame::FirstArm);
                } else {
                    self.out.pop();
                    self.frames.push(Frame::Skipped(*blockty));
                    self.skipping = Some(0);
                }
            }
            (Operator::BrIf { relative_depth }, [.., Item::Number(condition)]) => {
                let condition = *condition;
                self.out.pop();
                if condition != 0 {
                    self.out.push(Item::Branch(*relative_depth));
                }
            }
            (Operator::BrIf { relative_depth }, [.., Item::Asked]) => self.out.push(Item::Away(*relative_depth)),
            (Operator::If { .. } | Operator::Block { .. } | Operator::Loop { .. } | Operator::TryTable { .. }, _) => {
                self.frames.push(Frame::Plain);
                self.out.push(copy(Kind::Other));
            }
            (Operator::Else, _) => match self.frames.last() {
                Some(Frame::FirstArm) => self.skipping = Some(0),
                _ => self.out.push(copy(Kind::Other)),
            },
            (Operator::End, [.., Item::Block(_), Item::Number(_) | Item::Copy(Kind::Push, _)]) => {
                // Nothing in there can branch out of it.
                self.frames.pop();
                let block = self.out.len() - 2;
                self.out.remove(block);
            }
            (Operator::End, _) => {
                self.frames.pop();
                self.out.push(copy(Kind::Other));
            }
            _ => self.out.push(copy(Kind::Other)),
        }
    }

    /// Leaves an instruction out, watching for where the arm ends.
    fn skip(&mut self, operator: &Operator<'_>, depth: u32) {
        match operator {
            Operator::If { .. } | Operator::Block { .. } | Operator::Loop { .. } | Operator::TryTable { .. } => {
                self.skipping = Some(depth + 1)
            }
            Operator::End if depth > 0 => self.skipping = Some(depth - 1),
            Operator::End => {
                self.skipping = None;
                if let Some(Frame::FirstArm) = self.frames.pop() {
                    self.out.push(Item::Copy(Kind::Other, END));
                }
            }
            Operator::Else if depth == 0 => {
                if let Some(frame @ Frame::Skipped(_)) = self.frames.last_mut()
                    && let Frame::Skipped(blockty) = std::mem::replace(frame, Frame::Plain)
                {
                    self.out.push(Item::Block(blockty));
                    self.skipping = None;
                }
            }
            _ => {}
        }
    }

    fn replace(&mut self, count: usize, item: Item) {
        self.out.truncate(self.out.len() - count);
        self.out.push(item);
    }

    /// Has the topmost value not computed, where it is simple.
    fn drop_last(&mut self) {
        match &self.out[..] {
            [.., Item::Number(_) | Item::Copy(Kind::Push, _)] => {
                self.out.pop();
            }
            [.., Item::Copy(Kind::Eqz, _)] => {
                self.out.pop();
                self.drop_last();
            }
            [.., Item::Number(_) | Item::Copy(Kind::Push, _), Item::Number(_) | Item::Copy(Kind::Push, _), Item::Copy(Kind::Eq, _)] => {
                self.out.truncate(self.out.len() - 3)
            }
            _ => self.out.push(Item::Drop),
        }
    }
}

/// Stands for an `end` that is not copied from anywhere.
const END: Range<usize> = 0..0;

/// The instructions of a function, with their places.
type Operators<'a> = Vec<(Operator<'a>, usize)>;

/// A body and what it says of its branches.
type Body = (Vec<u8>, Vec<BranchHint>);

/// Reads and simplifies the instructions of one function.
struct Function<'a> {
    wasm: &'a [u8],
    state: u32,
    body: &'a FunctionBody<'a>,
    ty: &'a FuncType,
    /// Where the instructions start, behind the declaration of local variables.
    start: usize,
    operators: Operators<'a>,
}

impl<'a> Function<'a> {
    /// The function, if it is one of Asyncify's that is worth a twin.
    fn of(wasm: &'a [u8], state: u32, body: &'a FunctionBody<'a>, ty: &'a FuncType) -> Result<Option<Function<'a>>, Error> {
        let reader = body.get_operators_reader().map_err(bad)?;
        let start = reader.original_position();
        let operators: Operators<'a> = reader.into_iter_with_offsets().collect::<Result<_, _>>().map_err(bad)?;
        let function = Function { wasm, state, body, ty, start, operators };
        let asks = function.reads(0) && function.compares(1, REWINDING);
        Ok((asks && function.operators.len() <= LONGEST).then_some(function))
    }

    fn reads(&self, at: usize) -> bool {
        matches!(self.operators.get(at), Some((Operator::GlobalGet { global_index }, _)) if *global_index == self.state)
    }

    fn compares(&self, at: usize, with: i32) -> bool {
        matches!(self.operators.get(at), Some((Operator::I32Const { value }, _)) if *value == with)
            && matches!(self.operators.get(at + 1), Some((Operator::I32Eq, _)))
    }

    /// Where the instruction after this one starts.
    fn end_of(&self, at: usize) -> usize {
        self.operators.get(at + 1).map_or(self.body.range().end, |(_, to)| *to)
    }

    /// Simplifies the instructions from one on.
    fn fold(&self, mut at: usize, folder: &mut Folder) {
        while let Some((operator, from)) = self.operators.get(at) {
            if folder.skipping.is_none() && self.reads(at) {
                if self.compares(at + 1, UNWINDING) {
                    folder.out.push(Item::Asked);
                    at += 3;
                    continue;
                }
                folder.out.push(Item::Number(0));
            } else {
                folder.push(operator, *from..self.end_of(at));
            }
            at += 1;
        }
    }

    fn write(&self, items: &[Item], (bytes, hints): &mut Body) -> Result<(), Error> {
        for item in items {
            match item {
                Item::Number(value) => Instruction::I32Const(*value).encode(bytes),
                Item::Copy(_, range) if *range == END => Instruction::End.encode(bytes),
                Item::Copy(_, range) => bytes.extend_from_slice(self.wasm.get(range.clone()).unwrap_or_default()),
                Item::Block(blockty) => Instruction::Block(block_type(*blockty)?).encode(bytes),
                Item::Branch(depth) => Instruction::Br(*depth).encode(bytes),
                Item::Drop => Instruction::Drop.encode(bytes),
                Item::Asked => Instruction::GlobalGet(self.state).encode(bytes),
                Item::Away(depth) => {
                    hints.push(not_taken(bytes));
                    Instruction::BrIf(*depth).encode(bytes);
                }
            }
        }
        Ok(())
    }

    /// Hands over to another function with as many of the local variables as it takes, where the condition on the stack holds.
    fn hand_over(&self, to: u32, variables: usize, bytes: &mut Vec<u8>) {
        Instruction::If(wasm_encoder::BlockType::Empty).encode(bytes);
        (0..variables as u32).for_each(|variable| Instruction::LocalGet(variable).encode(bytes));
        Instruction::Call(to).encode(bytes);
        Instruction::Return.encode(bytes);
        Instruction::End.encode(bytes);
    }

    /// What it does while nothing is being saved or restored. The rest is left to `slow`, the function as it was.
    fn twin(&self, slow: u32) -> Result<Body, Error> {
        let mut folder = Folder::default();
        self.fold(0, &mut folder);
        let mut body = (self.wasm.get(self.body.range().start..self.start).unwrap_or_default().to_vec(), Vec::new());
        Instruction::GlobalGet(self.state).encode(&mut body.0);
        body.1.push(not_taken(&body.0));
        self.hand_over(slow, self.ty.params().len(), &mut body.0);
        self.write(&folder.out, &mut body)?;
        Ok(body)
    }

    /// The outermost loop around a large table of branches, and what it lies in: an interpreter's loop, that is not soon left.
    fn interpreter(&self) -> Option<(usize, Vec<(Frame, BlockType)>)> {
        let mut frames: Vec<(usize, Frame, BlockType)> = Vec::new();
        for (at, (operator, _)) in self.operators.iter().enumerate() {
            match operator {
                Operator::Block { blockty } | Operator::Loop { blockty } => frames.push((at, Frame::Plain, *blockty)),
                Operator::If { blockty } => frames.push((at, Frame::FirstArm, *blockty)),
                Operator::TryTable { try_table } => frames.push((at, Frame::Plain, try_table.ty)),
                // The second arm is all that is left of its `if`.
                Operator::Else => frames.last_mut()?.1 = Frame::Plain,
                Operator::End => {
                    frames.pop();
                }
                Operator::BrTable { targets } if targets.len() >= TABLE => {
                    let outermost = frames.iter().position(|(at, ..)| matches!(self.operators[*at].0, Operator::Loop { .. }));
                    if let Some(outermost) = outermost {
                        let around = frames[..outermost].iter().map(|(_, frame, blockty)| (*frame, *blockty)).collect();
                        return Some((frames[outermost].0, around));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// For an interpreter: a twin that starts at the loop, taking all local variables; and the function as it was, but going over to that
    /// twin, which is `index`, where its stack has been restored and the loop begins anew.
    fn resumed(&self, index: u32) -> Result<Option<Resumed>, Error> {
        let Some((at, around)) = self.interpreter() else { return Ok(None) };
        let mut variables = self.ty.params().to_vec();
        for local in self.body.get_locals_reader().map_err(bad)? {
            let (count, ty) = local.map_err(bad)?;
            variables.extend(std::iter::repeat_n(ty, count as usize));
        }
        let mut folder = Folder::default();
        for (frame, blockty) in around {
            folder.out.push(Item::Block(blockty));
            folder.frames.push(frame);
        }
        self.fold(at, &mut folder);
        let mut twin = (vec![0], Vec::new());
        self.write(&folder.out, &mut twin)?;

        let begun = self.end_of(at);
        let mut slow = self.wasm.get(self.body.range().start..begun).unwrap_or_default().to_vec();
        Instruction::GlobalGet(self.state).encode(&mut slow);
        Instruction::I32Eqz.encode(&mut slow);
        self.hand_over(index, variables.len(), &mut slow);
        slow.extend_from_slice(self.wasm.get(begun..self.body.range().end).unwrap_or_default());

        let mut ty = vec![0x60];
        for types in [&variables[..], self.ty.results()] {
            types.len().encode(&mut ty);
            for ty_of in types {
                val_type(*ty_of)?.encode(&mut ty);
            }
        }
        Ok(Some(Resumed { ty, twin, slow }))
    }
}

struct Resumed {
    /// The type of the twin, encoded.
    ty: Vec<u8>,
    twin: Body,
    slow: Vec<u8>,
}

fn not_taken(bytes: &[u8]) -> BranchHint {
    BranchHint { branch_func_offset: bytes.len() as u32, branch_hint_value: 0 }
}

fn val_type(ty: ValType) -> Result<wasm_encoder::ValType, Error> {
    Ok(match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        ValType::Ref(_) => return Err(bad("a function of Asyncify's has a reference")),
    })
}

fn block_type(blockty: BlockType) -> Result<wasm_encoder::BlockType, Error> {
    Ok(match blockty {
        BlockType::Empty => wasm_encoder::BlockType::Empty,
        BlockType::FuncType(index) => wasm_encoder::BlockType::FunctionType(index),
        BlockType::Type(ty) => wasm_encoder::BlockType::Result(val_type(ty)?),
    })
}

/// What a module says about its functions.
#[derive(Default)]
struct Functions<'a> {
    /// Where the list of types starts, behind its length, and the types.
    types_at: usize,
    types: Vec<FuncType>,
    imported: u32,
    /// Types of the module's own functions.
    own: Vec<u32>,
    bodies: Vec<FunctionBody<'a>>,
    get_state: Option<u32>,
}

impl<'a> Functions<'a> {
    fn of(wasm: &'a [u8]) -> Result<Functions<'a>, Error> {
        let mut functions = Functions::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(bad)? {
                Payload::TypeSection(section) => {
                    functions.types_at = section.original_position();
                    functions.types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>().map_err(bad)?;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        functions.imported += u32::from(matches!(import.map_err(bad)?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::FunctionSection(section) => {
                    functions.own = section.into_iter().collect::<Result<_, _>>().map_err(bad)?;
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(bad)?;
                        if export.name == GET_STATE && export.kind == ExternalKind::Func {
                            functions.get_state = Some(export.index);
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => functions.bodies.push(body),
                _ => {}
            }
        }
        Ok(functions)
    }

    /// The global that holds Asyncify's state, if this is a module of Asyncify's.
    fn state(&self) -> Result<Option<u32>, Error> {
        let own = self.get_state.and_then(|index| index.checked_sub(self.imported));
        let Some(body) = own.and_then(|index| self.bodies.get(index as usize)) else { return Ok(None) };
        let operators: Vec<_> = body.get_operators_reader().map_err(bad)?.into_iter().collect::<Result<_, _>>().map_err(bad)?;
        match operators[..] {
            [Operator::GlobalGet { global_index }, Operator::End] => Ok(Some(global_index)),
            _ => Ok(None),
        }
    }
}

/// The module with twins, if it went through Asyncify.
///
/// # Errors
/// [`Error::Program`] when it is no module.
pub(crate) fn unfold(wasm: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    // Modules without it are not worth reading to the end.
    if !wasm.windows(GET_STATE.len()).any(|window| window == GET_STATE.as_bytes()) {
        return Ok(None);
    }
    let functions = Functions::of(wasm)?;
    let Some(state) = functions.state()? else { return Ok(None) };
    let first = functions.imported + u32::try_from(functions.bodies.len()).map_err(bad)?;
    let mut hints = BranchHints::new();
    let mut types: Vec<Vec<u8>> = Vec::new();
    // Bodies in the places that were there, and behind them: the types, the bodies, and what they say of their branches.
    let mut places: Vec<Vec<u8>> = Vec::new();
    let mut behind: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut behind_hints = Vec::new();
    for ((index, ty), body) in (functions.imported..).zip(&functions.own).zip(&functions.bodies) {
        let func = functions.types.get(*ty as usize).ok_or_else(|| bad("a function has no type"))?;
        let as_it_was = wasm.get(body.range()).unwrap_or_default().to_vec();
        let Some(function) = Function::of(wasm, state, body, func)? else {
            places.push(as_it_was);
            continue;
        };
        let slow = first + behind.len() as u32;
        let (twin, taken) = function.twin(slow)?;
        places.push(twin);
        hints.function_hints(index, taken);
        match function.resumed(slow + 1)? {
            Some(resumed) => {
                behind.push((*ty, resumed.slow));
                behind.push(((functions.types.len() + types.len()) as u32, resumed.twin.0));
                behind_hints.push((slow + 1, resumed.twin.1));
                types.push(resumed.ty);
            }
            None => behind.push((*ty, as_it_was)),
        }
    }
    let (mut section, mut code) = (FunctionSection::new(), CodeSection::new());
    functions.own.iter().chain(behind.iter().map(|(ty, _)| ty)).for_each(|ty| {
        section.function(*ty);
    });
    places.iter().chain(behind.iter().map(|(_, body)| body)).for_each(|body| {
        code.raw(body);
    });
    for (index, taken) in behind_hints {
        hints.function_hints(index, taken);
    }
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(bad)? {
            Payload::TypeSection(old) => {
                let mut data = Vec::new();
                (functions.types.len() + types.len()).encode(&mut data);
                data.extend_from_slice(wasm.get(functions.types_at..old.range().end).unwrap_or_default());
                data.extend(types.iter().flatten());
                module.section(&RawSection { id: 1, data: &data });
            }
            Payload::FunctionSection(_) => {
                module.section(&section);
            }
            Payload::CodeSectionStart { .. } => {
                module.section(&hints).section(&code);
            }
            Payload::CodeSectionEntry(_) | Payload::Version { .. } | Payload::End(_) => {}
            payload => {
                if let Some((id, range)) = payload.as_section() {
                    module.section(&RawSection { id, data: &wasm[range] });
                }
            }
        }
    }
    let module = module.finish();
    // A loop that has values beneath it cannot be started anywhere else: such a module is left as it is.
    Ok(Validator::new().validate_all(&module).is_ok().then_some(module))
}

#[cfg(test)]
mod tests {
    use super::unfold;
    use wasmtime::{Config, Engine, Instance, Module, Store};

    const MODULE: &[u8] = include_bytes!("../tests/programs/asyncify.wasm");

    /// What `go` gives, how often the stack was saved, and the fuel it took.
    fn go(wasm: &[u8], count: i32, pausing: bool) -> (i32, i32, u64) {
        let engine = Engine::new(Config::new().consume_fuel(true).wasm_branch_hinting(true)).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_fuel(u64::MAX).unwrap();
        let instance = Instance::new(&mut store, &Module::new(&engine, wasm).unwrap(), &[]).unwrap();
        let go = instance.get_typed_func::<(i32, i32), i32>(&mut store, "go").unwrap();
        let result = go.call(&mut store, (count, pausing.into())).unwrap();
        let used = u64::MAX - store.get_fuel().unwrap();
        let pauses = instance.get_typed_func::<(), i32>(&mut store, "pauses").unwrap();
        (result, pauses.call(&mut store, ()).unwrap(), used)
    }

    #[test]
    fn twins_do_the_same_with_less() {
        let twins = unfold(MODULE).unwrap().unwrap();
        for count in 0..30 {
            let (plain, _, before) = go(MODULE, count, false);
            let (result, _, after) = go(&twins, count, false);
            assert_eq!(result, plain, "{count}");
            assert!(after * 10 < before * 7 || count == 0, "{count}: {after} of {before}");
            let (pausing, pauses, _) = go(MODULE, count, true);
            assert_eq!((pausing, pauses > count), (plain, true), "{count}");
            let (result, paused, _) = go(&twins, count, true);
            assert_eq!((result, paused), (plain, pauses), "{count}");
        }
    }

    #[test]
    fn other_modules_are_left_alone() {
        assert_eq!(unfold(include_bytes!("../tests/programs/counter.wasm")).unwrap(), None);
        assert!(unfold(&[&b"\0asm\x01\0\0\0\x01"[..], super::GET_STATE.as_bytes()].concat()).is_err());
    }
}
