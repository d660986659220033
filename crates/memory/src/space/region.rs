//! What an address space is made of, as its owner sees it: regions, permissions, and what can go wrong.

/// What may be done with a region's bytes. Whatever can be read can be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Loads only.
    ReadOnly,
    /// Loads and stores.
    ReadWrite,
}

/// How exactly the ends of regions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// What shares a page with a region can be read; it can be written too, if all regions of that page can.
    Page,
    /// Nothing outside of a region can be accessed, and no access may touch two regions.
    Byte,
}

/// A named stretch of the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Address of the first byte.
    pub start: u32,
    /// Bytes; may be 0 for a region that only has a name.
    pub length: u32,
    /// What may be done with it.
    pub permission: Permission,
    /// Its name.
    pub name: Box<str>,
}

impl Region {
    /// One past the last address.
    pub fn end(&self) -> u64 {
        u64::from(self.start) + u64::from(self.length)
    }

    pub(super) fn holds(&self, address: u64, length: u64) -> bool {
        u64::from(self.start) <= address && address + length <= self.end()
    }
}

/// Why a region could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// It would pass the end of the address space.
    Wraps,
    /// It overlaps another region.
    Overlaps,
    /// The cell's cap on memory does not allow it.
    Cap,
    /// The host has no room.
    Host,
}

impl std::fmt::Display for MapError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wraps => "it passes the end of the 32-bit address space",
            Self::Overlaps => "it overlaps another region",
            Self::Cap => "it does not fit under the memory limit",
            Self::Host => "the host has no memory left",
        })
    }
}

impl std::error::Error for MapError {}

/// Why an access is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is mapped at this address, the first of the access for which that is so.
    Unmapped(u32),
    /// The byte at this address may only be read.
    ReadOnly(u32),
    /// Every byte is accessible, but they lie in two regions ([`Granularity::Byte`] only); the address is the access's own.
    Straddles(u32),
}
