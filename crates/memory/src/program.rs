//! Constants of the program, mapped a second time: no byte of them is read, let alone copied, before it is wanted.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::platform::PAGE;

/// Whether these bytes are whole pages of a segment that was loaded from the program's file, or a library's, to be read only.
///
/// Only such pages may be taken away from where they lie: the kernel reads them from the file again.
fn are_pages_of_a_file(bytes: &'static [u8]) -> bool {
    struct Search {
        from: usize,
        to: usize,
        found: bool,
    }

    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: `search` is what `dl_iterate_phdr` was given below, and `info` is valid for this call.
        let (search, info) = unsafe { (&mut *search.cast::<Search>(), &*info) };
        // SAFETY: the loader says how many headers there are.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        search.found = headers.iter().any(|header| {
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            let end = start.wrapping_add(header.p_filesz as usize);
            header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 && start <= search.from && search.to <= end
        });
        c_int::from(search.found)
    }

    let from = bytes.as_ptr() as usize;
    let mut search = Search { from, to: from + bytes.len(), found: false };
    if bytes.is_empty() || !from.is_multiple_of(PAGE) || !bytes.len().is_multiple_of(PAGE) {
        return false;
    }
    // SAFETY: the callback gets back the pointer that it expects, and neither of them is kept.
    unsafe { libc::dl_iterate_phdr(Some(look), ptr::from_mut(&mut search).cast()) };
    search.found
}

/// Makes these constants visible at `at` too; false when that cannot be done here, and then nothing has changed.
///
/// # Safety
/// From `at` on, as many bytes as there are constants must belong to a mapping of the caller's, to which nobody holds a reference.
pub(super) unsafe fn map_again(bytes: &'static [u8], at: *mut u8) -> bool {
    if !are_pages_of_a_file(bytes) {
        return false;
    }
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
    // SAFETY: the pages come from a file and are never written (checked above), so that where they lay they are read from it again; the place
    // is the caller's.
    let moved = unsafe { libc::mremap(bytes.as_ptr().cast_mut().cast(), bytes.len(), bytes.len(), flags, at) };
    moved == at.cast()
}
