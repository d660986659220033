//! Guest memory: the one home of raw memory access. Everything here is safe to call, with any offset and any length.
//!
//! * [`Pool`] and [`Slot`]: many small memories in one mapping, taken and given back in a fraction of a microsecond.
//! * [`SharedImage`]: read-only bytes that all guests of a process see.
//! * [`DualView`]: loads and stores by 32-bit offset, masked so that no offset can leave; the top bit tells shared from private.
//!
//! * [`Space`]: a 32-bit address space with byte-exact regions and permissions; [`Image`]: a frozen one, copied in microseconds.
//!
//! ```
//! use memory::{Pool, SharedImage};
//!
//! let pool = Pool::new(256 << 10, 100)?;             // a hundred slots of up to 256 KiB
//! let built_in = SharedImage::new(b"shared by all")?;
//! let slot = pool.take(16 << 10)?;                   // 16 KiB of zeros
//! let view = slot.dual(&built_in);
//! view.store_u32(0x100, 7);
//! assert_eq!(view.load_u32(0x100), 7);
//! assert_eq!(view.load_u8(0x8000_0000), b's');       // the top bit reads the shared image
//! assert_eq!(view.load_u32(0x7fff_0100), 7);         // any other offset wraps inside the slot
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Where the platform has no mappings to reserve (wasm32, 32-bit hosts, Miri, or with the feature `portable`) allocations take their place,
//! with the same behaviour.

mod image;
mod pool;
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri), not(feature = "portable")))]
mod program;
mod shared;
pub mod space;
mod view;

#[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri), not(feature = "portable")))]
#[path = "mapped.rs"]
mod platform;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64", not(miri), not(feature = "portable"))))]
#[path = "portable.rs"]
mod platform;

pub use image::{BadImage, Image};
pub use pool::{NoRoom, Pool, Slot};
pub use shared::{SharedImage, SharedView};
pub use space::{Fault, Granularity, MapError, PAGE, Permission, Space};
pub use view::{DualView, Region, Registers, View};

/// Gives pages of address spaces that are gone back to the host, of all but the `keep` used last of each size. Call it now and then.
pub fn trim(keep: usize) {
    platform::trim(keep);
}
