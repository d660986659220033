//! The one wasmtime engine of the process, and how it is set up.

use std::sync::OnceLock;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Instances that may exist at once in one process.
pub(crate) const MAX_INSTANCES: u32 = 4096;
/// Native stack that a guest's nested calls may use, in bytes.
const GUEST_STACK: usize = 4 << 20;
/// Native stack per suspended guest: the guest's own and what our imports need on top of it.
const FIBER_STACK: usize = GUEST_STACK + (256 << 10);
/// The largest image that is laid out densely for copy-on-write; larger ones are refused.
pub(crate) const MAX_IMAGE: u64 = 512 << 20;

fn pool() -> PoolingAllocationConfig {
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
        // Clearing what was used is cheaper than giving pages back and faulting them in again.
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10);
    pool
}

/// Options that decide what compiled code does. Part of the key of cached code through wasmtime's own compatibility hash.
fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32))
        .generate_address_map(false)
        .native_unwind_info(false)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(MAX_IMAGE)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    config
}

/// The engine, made at first use.
///
/// # Errors
/// When the host refuses the address space.
pub(crate) fn engine() -> Result<&'static Engine, cell::Error> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    ENGINE
        .get_or_init(|| Engine::new(&config()).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| cell::Error::HostMemory(error.clone()))
}
