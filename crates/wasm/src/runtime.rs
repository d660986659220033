//! The wasmtime engines of the process, and how they are set up.

use std::sync::OnceLock;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Instances that may exist at once in one process.
pub(crate) const MAX_INSTANCES: u32 = 4096;
/// Native stack that a guest's nested calls may use, in bytes.
const GUEST_STACK: usize = 4 << 20;
/// Native stack per suspended guest: the guest's own and what our imports need on top of it.
const FIBER_STACK: usize = GUEST_STACK + (256 << 10);
/// The largest contents of a module that are laid out densely for copy-on-write.
const MAX_DENSE: u64 = 512 << 20;
/// Bytes of a memory that are cleared, rather than given back, when its guest is gone: cheaper than faulting them in again.
const KEEP_MEMORY: usize = 1 << 20;

fn pool(keep_memory: usize) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(MAX_INSTANCES)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES)
        .total_stacks(MAX_INSTANCES)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .table_elements(64 << 10)
        .max_core_instance_size(1 << 20)
        .max_memory_size(4 << 30)
        .max_unused_warm_slots(256)
        .linear_memory_keep_resident(keep_memory)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10);
    pool
}

/// Options that decide what compiled code does. Part of the key of cached code through wasmtime's own compatibility hash.
fn config(keep_memory: usize) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        // What `asyncify` says of its branches.
        .wasm_branch_hinting(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32))
        .generate_address_map(false)
        .native_unwind_info(false)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        // A place in the pool is as long as a memory can get.
        .memory_may_move(false)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(MAX_DENSE)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(keep_memory)));
    config
}

/// The engine of a purpose, made at first use.
///
/// # Errors
/// When the host refuses the address space.
fn made(cell: &'static OnceLock<Result<Engine, String>>, keep_memory: usize) -> Result<&'static Engine, cell::Error> {
    cell.get_or_init(|| Engine::new(&config(keep_memory)).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| cell::Error::HostMemory(error.clone()))
}

/// The engine of programs whose instances start as their modules say.
///
/// # Errors
/// When the host refuses the address space.
pub(crate) fn engine() -> Result<&'static Engine, cell::Error> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    made(&ENGINE, KEEP_MEMORY)
}

/// The engine of programs whose instances start from an image of ours, which is mapped over their memory: there is nothing to clear. Its code
/// is the same.
///
/// # Errors
/// When the host refuses the address space.
pub(crate) fn image_engine() -> Result<&'static Engine, cell::Error> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    made(&ENGINE, 0)
}
