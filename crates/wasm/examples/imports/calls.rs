//! A guest made of bytes: it calls what it imports with any arguments, over a memory full of what could be paths, tables and requests.
//! Shared by the example that runs for a given time and the fuzz target.

use cell::{Argument, Cell, Limits, Stop, Task, TrapKind, Value};
use wasm::{Builder, MemoryFolder, Mount};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, Instruction,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// Every function that a guest may import, with its parameters: `i` for 32 bits, `I` for 64. All give an `i32` but those that end in `!`.
const IMPORTS: [(&str, &str, &str); 47] = [
    ("oubliette", "call", "ii"),
    ("oubliette", "take", "i!"),
    ("wasi_snapshot_preview1", "args_get", "ii"),
    ("wasi_snapshot_preview1", "args_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "environ_get", "ii"),
    ("wasi_snapshot_preview1", "environ_sizes_get", "ii"),
    ("wasi_snapshot_preview1", "clock_res_get", "ii"),
    ("wasi_snapshot_preview1", "clock_time_get", "iIi"),
    ("wasi_snapshot_preview1", "fd_advise", "iIIi"),
    ("wasi_snapshot_preview1", "fd_allocate", "iII"),
    ("wasi_snapshot_preview1", "fd_close", "i"),
    ("wasi_snapshot_preview1", "fd_datasync", "i"),
    ("wasi_snapshot_preview1", "fd_sync", "i"),
    ("wasi_snapshot_preview1", "fd_fdstat_get", "ii"),
    ("wasi_snapshot_preview1", "fd_fdstat_set_flags", "ii"),
    ("wasi_snapshot_preview1", "fd_fdstat_set_rights", "iII"),
    ("wasi_snapshot_preview1", "fd_filestat_get", "ii"),
    ("wasi_snapshot_preview1", "fd_filestat_set_size", "iI"),
    ("wasi_snapshot_preview1", "fd_filestat_set_times", "iIIi"),
    ("wasi_snapshot_preview1", "fd_pread", "iiiIi"),
    ("wasi_snapshot_preview1", "fd_prestat_get", "ii"),
    ("wasi_snapshot_preview1", "fd_prestat_dir_name", "iii"),
    ("wasi_snapshot_preview1", "fd_pwrite", "iiiIi"),
    ("wasi_snapshot_preview1", "fd_read", "iiii"),
    ("wasi_snapshot_preview1", "fd_readdir", "iiiIi"),
    ("wasi_snapshot_preview1", "fd_renumber", "ii"),
    ("wasi_snapshot_preview1", "fd_seek", "iIii"),
    ("wasi_snapshot_preview1", "fd_tell", "ii"),
    ("wasi_snapshot_preview1", "fd_write", "iiii"),
    ("wasi_snapshot_preview1", "path_create_directory", "iii"),
    ("wasi_snapshot_preview1", "path_filestat_get", "iiiii"),
    ("wasi_snapshot_preview1", "path_filestat_set_times", "iiiiIIi"),
    ("wasi_snapshot_preview1", "path_link", "iiiiiii"),
    ("wasi_snapshot_preview1", "path_open", "iiiiiIIii"),
    ("wasi_snapshot_preview1", "path_readlink", "iiiiii"),
    ("wasi_snapshot_preview1", "path_remove_directory", "iii"),
    ("wasi_snapshot_preview1", "path_rename", "iiiiii"),
    ("wasi_snapshot_preview1", "path_symlink", "iiiii"),
    ("wasi_snapshot_preview1", "path_unlink_file", "iii"),
    ("wasi_snapshot_preview1", "proc_raise", "i"),
    ("wasi_snapshot_preview1", "sched_yield", ""),
    ("wasi_snapshot_preview1", "random_get", "ii"),
    ("wasi_snapshot_preview1", "poll_oneoff", "iiii"),
    ("wasi_snapshot_preview1", "sock_accept", "iii"),
    ("wasi_snapshot_preview1", "sock_recv", "iiiiii"),
    ("wasi_snapshot_preview1", "sock_shutdown", "ii"),
    ("wasi_snapshot_preview1", "proc_exit", "i!"),
];
/// Where things lie in the guest's memory.
const PATHS: u32 = 1024;
const TABLE: u32 = 2048;
const REQUEST: u32 = 4096;
const NOISE: u32 = 8192;
const MEMORY: u64 = 1 << 20;
const OUTPUT: u64 = 16 << 10;
const NAMES: &[u8] = b"/data/file\0data/folder\0../..\0file\0new\0folder/inner\0/oubliette/output\0.\0//\0folder/../file\0\xff\xfe\0";

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.next(), self.next(), self.next(), self.next()])
    }

    /// An argument: mostly what makes sense somewhere, sometimes an edge, sometimes anything.
    fn argument(&mut self) -> u64 {
        let kind = self.next();
        match kind % 8 {
            0 | 1 => u64::from(self.next() % 12),
            2 => u64::from(PATHS + u32::from(self.next()) % NAMES.len() as u32),
            3 => u64::from(TABLE + u32::from(self.next() & 0xf8)),
            4 => u64::from(NOISE + u32::from(self.next()) * 16),
            5 => u64::from(REQUEST),
            6 => {
                const EDGES: [u64; 12] = [
                    0xffff,
                    0x1_0000,
                    0x1_0001,
                    0xf_fffc,
                    0x10_0000,
                    0x7fff_ffff,
                    0x8000_0000,
                    0xffff_fff0,
                    0xffff_ffff,
                    u64::MAX,
                    1 << 63,
                    1 << 32,
                ];
                EDGES[usize::from(self.next()) % EDGES.len()]
            }
            _ => u64::from(self.word()) | u64::from(self.word()) << 32,
        }
    }
}

/// The guest that `bytes` describe.
fn module(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let (mut types, mut imports, mut functions) = (TypeSection::new(), ImportSection::new(), FunctionSection::new());
    for (at, (module, name, parameters)) in IMPORTS.iter().enumerate() {
        let kinds = parameters.bytes().filter(|kind| *kind != b'!').map(|kind| if kind == b'I' { ValType::I64 } else { ValType::I32 });
        types.ty().function(kinds.collect::<Vec<_>>(), if parameters.ends_with('!') { None } else { Some(ValType::I32) });
        imports.import(module, name, EntityType::Function(at as u32));
    }
    types.ty().function([], []);
    functions.function(IMPORTS.len() as u32);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 16, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("_start", ExportKind::Func, IMPORTS.len() as u32);
    let mut data = DataSection::new();
    let mut put = |at: u32, bytes: Vec<u8>| {
        data.active(0, &ConstExpr::i32_const(at.cast_signed()), bytes);
    };
    put(PATHS, NAMES.to_vec());
    let entries = (0..32).flat_map(|_| [bytes.argument() as u32, bytes.argument() as u32 & 0xfff]).flat_map(u32::to_le_bytes).collect();
    put(TABLE, entries);
    let echo = Argument::List(vec!["echo".into(), Argument::default(), Argument::List(vec!["hello".into()])]);
    let mut request = cell::encode(&echo, &cell::Bounds::default()).unwrap_or_default();
    for _ in 0..bytes.next() % 4 {
        let at = usize::from(bytes.next()) % request.len().max(1);
        if let Some(byte) = request.get_mut(at) {
            *byte = bytes.next();
        }
    }
    put(REQUEST, request.clone());
    put(NOISE, (0..64).map(|_| bytes.next()).collect());
    let mut body = Function::new([]);
    for _ in 0..24 {
        if bytes.0.is_empty() {
            break;
        }
        // The last ones end the guest: they come seldom.
        let choice = bytes.next();
        let which = if choice == 255 { IMPORTS.len() - 1 } else { usize::from(choice) % (IMPORTS.len() - 1) };
        let (_, name, parameters) = IMPORTS[which];
        if name == "call" && !bytes.next().is_multiple_of(4) {
            body.instruction(&Instruction::I32Const(REQUEST.cast_signed()));
            body.instruction(&Instruction::I32Const(request.len() as i32));
        } else {
            for kind in parameters.bytes().filter(|kind| *kind != b'!') {
                let value = bytes.argument();
                body.instruction(&if kind == b'I' {
                    Instruction::I64Const(value.cast_signed())
                } else {
                    Instruction::I32Const((value as u32).cast_signed())
                });
            }
        }
        body.instruction(&Instruction::Call(which as u32));
        if !parameters.ends_with('!') {
            body.instruction(&Instruction::Drop);
        }
    }
    body.instruction(&Instruction::End);
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&exports).section(&code).section(&data);
    module.finish()
}

/// Runs the guest that `bytes` describe and looks at what must hold whatever it did. Gives how it ended.
///
/// # Panics
/// When something does not hold.
pub fn run(bytes: &[u8]) -> &'static str {
    let module = module(&mut Bytes(bytes));
    let mut folder = MemoryFolder::new(64 << 10);
    assert!(folder.put("file", b"some text in a file".to_vec()) && folder.put("folder/inner", vec![7; 300]));
    let engine = Builder::new().mount("/data", Mount::Memory(folder)).arguments(["guest", "argument"]).engine();
    let limits = Limits { wall: cell::Bound::Unlimited, ..Limits::default().memory(2 * MEMORY).fuel(3_000_000).output(OUTPUT) };
    let mut cell = Cell::new(engine, limits, None).expect("a cell");
    cell.offer_function("echo", |call| Ok(call.arguments.first().cloned().unwrap_or_default())).expect("offered");
    let outcome = cell.execute(&Task::program("guest.wasm", module)).expect("a guest that compiles");
    assert!(!matches!(&outcome.stop, Stop::Trapped(trap) if trap.kind == TrapKind::Internal), "{:?}", outcome.stop);
    assert!(outcome.usage.memory_peak <= 2 * MEMORY && outcome.usage.fuel.is_some_and(|fuel| fuel <= 3_000_000), "{:?}", outcome.usage);
    assert!((outcome.stdout.len() + outcome.stderr.len()) as u64 <= OUTPUT);
    let _: Option<Value> = outcome.value.clone().and_then(|value| value.into_value().ok());
    outcome.stop.name()
}
