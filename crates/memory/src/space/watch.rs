//! Pages from which somebody has made code, and stores to them.

use super::Space;
use super::kind::{self, with_store};
use crate::platform::Access;

impl Space {
    /// Says that code made from this page is kept. A later store to it is reported once by [`take_changed_code`](Space::take_changed_code), and
    /// ends the watch. A page that nobody can store to needs none.
    pub fn watch_code(&mut self, page: u32) {
        let old = self.kind(page);
        if old & kind::MAPPED == 0 || old & (kind::WRITABLE | kind::MIXED) == 0 || old & kind::WATCHED != 0 {
            return;
        }
        self.kinds[page as usize] = with_store(old | kind::WATCHED);
        if self.is_guarded() && old & kind::ASIDE == 0 && self.protect(page, page, Access::Read).is_err() {
            // Without a protection compiled code would not notice: say at once that it has changed, so that nothing is kept.
            self.kinds[page as usize] = old;
            self.changed.push(page);
        }
    }

    /// Whether watched code was stored to since the last [`take_changed_code`](Space::take_changed_code).
    #[inline(always)]
    pub fn code_has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The pages of watched code that were stored to. They are not watched any more.
    pub fn take_changed_code(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.changed)
    }

    /// Whether the page is watched, or can never be written.
    pub fn is_watched_or_read_only(&self, page: u32) -> bool {
        let kind = self.kind(page);
        kind & kind::MAPPED != 0 && (kind & kind::WATCHED != 0 || kind & (kind::WRITABLE | kind::MIXED) == 0)
    }
}
