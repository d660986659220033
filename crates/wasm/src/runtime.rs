//! The wasmtime engines of the process, and how they are set up.

use crate::cache::Blake;
use crate::stacks::Stacks;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Instances that start as their modules say, and may exist at once in one process.
pub(crate) const MAX_INSTANCES: u32 = 4096;
/// Native stack that a guest's nested calls may use, in bytes.
const GUEST_STACK: usize = 4 << 20;
/// Native stack per suspended guest: the guest's own and what our imports need on top of it.
const FIBER_STACK: usize = GUEST_STACK + (256 << 10);
/// The largest contents of a module that are laid out densely for copy-on-write.
const MAX_DENSE: u64 = 512 << 20;
/// Bytes of a memory that are cleared, rather than given back, when its guest is gone: cheaper than faulting them in again.
const KEEP_MEMORY: usize = 1 << 20;

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
        .linear_memory_keep_resident(KEEP_MEMORY)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10);
    pool
}

/// Options that decide what compiled code does. Part of the key of cached code through wasmtime's own compatibility hash.
fn code_config() -> Config {
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
        .memory_guaranteed_dense_image_size(MAX_DENSE);
    config
}

/// Tells the code of our engines from that of others: by wasmtime's version, its options and this processor. Needs none of our engines, which
/// take a while to make.
///
/// # Errors
/// When wasmtime does not know this processor.
pub(crate) fn compatibility() -> Result<[u8; 32], cell::Error> {
    static KNOWN: OnceLock<Result<[u8; 32], String>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let engine = Engine::new(&code_config()).map_err(|error| format!("{error:#}"))?;
        let mut hasher = Blake::default();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(hasher.0.finalize().into())
    });
    known.clone().map_err(cell::Error::Host)
}

type Made = OnceLock<Result<Engine, String>>;

/// An engine, made at first use.
///
/// # Errors
/// When the host refuses the address space.
fn made(cell: &'static Made, adapt: impl FnOnce(&mut Config)) -> Result<&'static Engine, cell::Error> {
    let make = || {
        let mut config = code_config();
        adapt(&mut config);
        Engine::new(&config).map_err(|error| format!("{error:#}"))
    };
    cell.get_or_init(make).as_ref().map_err(|error| cell::Error::HostMemory(error.clone()))
}

/// The engine of programs whose instances start as their modules say. Their memories and tables come from a pool.
///
/// # Errors
/// When the host refuses the address space.
pub(crate) fn engine() -> Result<&'static Engine, cell::Error> {
    static ENGINE: Made = OnceLock::new();
    made(&ENGINE, |config| {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    })
}

/// The engine of programs whose instances start from an image of ours, which is mapped over their memory: there is nothing that a pool would
/// save them. Its code is the same.
///
/// # Errors
/// When the host refuses the address space.
pub(crate) fn image_engine() -> Result<&'static Engine, cell::Error> {
    static ENGINE: Made = OnceLock::new();
    made(&ENGINE, |config| {
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand).with_host_stack(Arc::new(Stacks::default()));
    })
}
