//! Kinds of pages: bits of the table that the fast paths look at.

use crate::platform::Access;

/// Any byte can be loaded in place.
pub(in crate::space) const LOAD: u8 = 1;
/// Any byte can be stored to in place, with nothing to note down.
pub(in crate::space) const STORE: u8 = 2;
/// All of the page may be written.
pub(in crate::space) const WRITABLE: u8 = 4;
/// What may be done differs within the page: regions are looked up.
pub(in crate::space) const MIXED: u8 = 8;
/// Somebody keeps code made from this page: a store is reported.
pub(in crate::space) const WATCHED: u8 = 16;
/// The page differs from what the space was spawned from.
pub(in crate::space) const DIRTY: u8 = 32;
/// The contents lie in a buffer aside, because the page's place is protected.
pub(in crate::space) const ASIDE: u8 = 64;
/// Some region touches the page.
pub(in crate::space) const MAPPED: u8 = 128;

/// Sets or clears the bit that allows stores in place.
pub(in crate::space) fn with_store(kind: u8) -> u8 {
    let plain = kind & (WRITABLE | DIRTY | WATCHED | MIXED | ASIDE) == WRITABLE | DIRTY;
    if plain { kind | STORE } else { kind & !STORE }
}

/// The protection of a page in a reservation.
pub(in crate::space) fn access(kind: u8) -> Access {
    if kind & STORE != 0 {
        Access::Write
    } else if kind & LOAD != 0 {
        Access::Read
    } else {
        Access::None
    }
}
