//! Area.

use super::Native;

pub(super) const NATIVES: &[Native] = &[];
