//! Images: the memory of a quiet instance in a file, which instances map copy-on-write over their own. An image costs no compilation and
//! no copying, so that a program may have several.

use crate::state::State;
use crate::wasi::Process;
use cell::Error;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use wasmtime::{AsContextMut, Instance, Memory, Store, Val};

/// Bytes of a page, of the host and of what images are compared by.
pub(crate) const PAGE: usize = 4096;
/// The largest image, in bytes: that of 32-bit guests.
const MAX_SIZE: u64 = 4 << 30;
/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// What an image has besides the contents of the memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Bytes of memory.
    pub(crate) size: u64,
    /// Names and bits of the mutable globals.
    pub(crate) globals: Vec<(String, u64)>,
    /// What whoever prepared the image wants to find again with it.
    pub(crate) note: Vec<u8>,
    /// The key that the program's code is cached under.
    pub(crate) code: String,
    /// Pages that an instance is known to write to soon: the first, and how many.
    pub(crate) hot: Vec<(u32, u32)>,
}

/// The frozen memory of an instance.
pub(crate) struct Image {
    pub(crate) head: Head,
    /// As long as the memory; zeros are holes.
    file: File,
    /// What the process had of files and time, where that is not as in a fresh one.
    pub(crate) process: Option<Process>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("size", &self.head.size).finish_non_exhaustive()
    }
}

/// The parts of a memory that are not zero, in whole pages.
pub(crate) fn runs(memory: &[u8]) -> Vec<Range<usize>> {
    const ZERO: [u8; PAGE] = [0; PAGE];
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, page) in memory.chunks(PAGE).enumerate() {
        if page == &ZERO[..page.len()] {
            continue;
        }
        let start = index * PAGE;
        match runs.last_mut() {
            Some(last) if last.end == start => last.end += page.len(),
            _ => runs.push(start..start + page.len()),
        }
    }
    runs
}

/// What a file system does not keep as holes, within a range that starts at a page: whole pages, as far as the range goes.
///
/// # Errors
/// Those of the file.
pub(crate) fn extents(file: &File, range: Range<u64>) -> io::Result<Vec<Range<u64>>> {
    use rustix::fs::{SeekFrom, seek};
    let mut extents = Vec::new();
    let Range { start: mut at, end } = range;
    while at < end {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data.min(end),
            Err(rustix::io::Errno::NXIO) => break,
            // A file system without holes.
            Err(rustix::io::Errno::INVAL) => at,
            Err(error) => return Err(error.into()),
        };
        let hole = seek(file, SeekFrom::Hole(data)).unwrap_or(end).max(data);
        // Blocks of a file system may be smaller than pages.
        at = hole.next_multiple_of(PAGE as u64).min(end);
        if at > data {
            extents.push(data - data % PAGE as u64..at);
        }
    }
    Ok(extents)
}

impl Image {
    /// An image with these contents, in memory that nobody else has a name for.
    ///
    /// # Errors
    /// Those of the host.
    pub(crate) fn new(memory: &[u8], head: Head) -> Result<Image, Error> {
        let file = File::from(rustix::fs::memfd_create("oubliette-image", rustix::fs::MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
        file.set_len(memory.len() as u64)?;
        for run in runs(memory) {
            file.write_all_at(&memory[run.clone()], run.start as u64)?;
        }
        Ok(Image { head: Head { size: memory.len() as u64, ..head }, file, process: None })
    }

    /// An image whose contents lie in a file already.
    ///
    /// # Errors
    /// [`Error::Damaged`] when head and file do not belong together.
    pub(crate) fn open(file: File, head: Head) -> Result<Image, Error> {
        let fits = head.size.is_multiple_of(64 << 10) && head.size <= MAX_SIZE && file.metadata()?.len() == head.size;
        let hot = head.hot.iter().all(|(first, count)| (u64::from(*first) + u64::from(*count)) * PAGE as u64 <= head.size);
        if fits && hot { Ok(Image { head, file, process: None }) } else { Err(Error::Damaged("an image does not fit its head".into())) }
    }

    /// The same contents under another head.
    ///
    /// # Errors
    /// Those of the host.
    pub(crate) fn with_head(&self, head: Head) -> Result<Image, Error> {
        let mut image = Image::open(self.file.try_clone()?, head)?;
        image.process.clone_from(&self.process);
        Ok(image)
    }

    /// Calls `each` for the parts that are not zero, with their places.
    ///
    /// # Errors
    /// Those of the file, and of `each`.
    fn contents(&self, mut each: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        for extent in extents(&self.file, 0..self.head.size)? {
            let mut at = extent.start;
            while at < extent.end {
                let part = &mut buffer[..usize::try_from(extent.end - at).unwrap_or(CHUNK).min(CHUNK)];
                self.file.read_exact_at(part, at)?;
                for run in runs(part) {
                    each(at + run.start as u64, &part[run])?;
                }
                at += part.len() as u64;
            }
        }
        Ok(())
    }

    /// Copies the contents to another file.
    ///
    /// # Errors
    /// Those of the files.
    pub(crate) fn write_to(&self, file: &File) -> Result<(), Error> {
        file.set_len(self.head.size)?;
        self.contents(|at, bytes| file.write_all_at(bytes, at))?;
        Ok(())
    }

    /// Reads one page; those behind the end are zero.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn page(&self, index: u32) -> io::Result<[u8; PAGE]> {
        let mut page = [0; PAGE];
        let at = u64::from(index) * PAGE as u64;
        if at < self.head.size {
            self.file.read_exact_at(&mut page, at)?;
        }
        Ok(page)
    }

    /// The pages of a memory that was mapped from this image and is not the same any more.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn changed(&self, memory: &[u8]) -> io::Result<Vec<u32>> {
        let mut changed = Vec::new();
        let touched = touched(memory);
        for (index, page) in (0u32..).zip(memory.chunks(PAGE)) {
            let skip = touched.as_ref().is_some_and(|touched| !touched.get(index as usize).copied().unwrap_or(true));
            if !skip && page != &self.page(index)?[..page.len()] {
                changed.push(index);
            }
        }
        Ok(changed)
    }
}

/// Which pages of a private mapping may differ from what was mapped, if the kernel says so.
fn touched(memory: &[u8]) -> Option<Vec<bool>> {
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    const OF_A_FILE: u64 = 1 << 61;
    let mut entries = vec![0; memory.len().div_ceil(PAGE) * 8];
    let at = (memory.as_ptr() as usize / PAGE * 8) as u64;
    File::open("/proc/self/pagemap").ok()?.read_exact_at(&mut entries, at).ok()?;
    let entry = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let (entries, _) = entries.as_chunks::<8>();
    Some(entries.iter().map(entry).map(|entry| entry & SWAPPED != 0 || entry & PRESENT != 0 && entry & OF_A_FILE == 0).collect())
}

/// Runs of pages: the first, and how many.
pub(crate) fn join(pages: &[u32]) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for page in pages {
        match joined.last_mut() {
            Some((first, count)) if *page == *first + *count => *count += 1,
            _ => joined.push((*page, 1)),
        }
    }
    joined
}

/// Puts a fresh instance into the state of an image: its contents are mapped over the memory, which wasmtime unmaps as a whole when the
/// instance is gone. (From a pool it would go to other instances as it is: such engines are not for images.)
///
/// # Errors
/// When the memory cap is below the image, or the host refuses.
pub(crate) fn map_over(store: &mut Store<State>, instance: &Instance, memory: Memory, image: &Image) -> wasmtime::Result<()> {
    let length = usize::try_from(image.head.size)?;
    let held = memory.data_size(&*store);
    if length > held {
        memory.grow(&mut *store, (length - held) as u64 >> 16)?;
    }
    let at = memory.data_ptr(&*store);
    if length > memory.data_size(&*store) || !at.addr().is_multiple_of(PAGE) {
        return Err(wasmtime::format_err!("the image does not fit the memory"));
    }
    // SAFETY: these pages are the linear memory of an instance in this store, readable and writable as far as `data_size` says, and
    // nobody holds a reference into it: they get other contents, as a write by the guest would give them. The mapping is private, and
    // the file is a memory file of ours or lies in the cache's private folder. The memory belongs to this instance alone, for as long as
    // it is mapped: `image_engine` has no pool.
    unsafe {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        rustix::mm::mmap(at.cast(), length, ProtFlags::READ | ProtFlags::WRITE, flags, &image.file, 0)?;
        for (first, count) in &image.head.hot {
            let page = at.add(*first as usize * PAGE);
            // Only a favour: kernels before 5.14 don't know it.
            let _ = rustix::mm::madvise(page.cast(), *count as usize * PAGE, Advice::LinuxPopulateWrite);
        }
    }
    set_globals(store.as_context_mut(), instance, &image.head.globals)
}

/// Sets mutable globals by the names under which they are exported.
///
/// # Errors
/// When there is none under a name.
pub(crate) fn set_globals(mut store: impl AsContextMut, instance: &Instance, globals: &[(String, u64)]) -> wasmtime::Result<()> {
    for (name, bits) in globals {
        let global = instance.get_global(&mut store, name).ok_or_else(|| wasmtime::format_err!("a frozen global is gone"))?;
        let value = match global.get(&mut store) {
            Val::I32(_) => Val::I32((*bits as u32).cast_signed()),
            Val::I64(_) => Val::I64(bits.cast_signed()),
            Val::F32(_) => Val::F32(*bits as u32),
            Val::F64(_) => Val::F64(*bits),
            other => other,
        };
        global.set(&mut store, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_what_is_not_zero() {
        let mut memory = vec![0; 3 * (64 << 10)];
        memory[5] = 1;
        memory[PAGE * 2 - 1] = 2;
        memory[PAGE * 40] = 3;
        let image = Image::new(&memory, Head::default()).unwrap();
        let mut found = Vec::new();
        image
            .contents(|at, bytes| {
                found.push((at, bytes.len()));
                Ok(())
            })
            .unwrap();
        assert_eq!(found, [(0, 2 * PAGE), (40 * PAGE as u64, PAGE)]);
        assert_eq!(image.changed(&memory).unwrap(), Vec::<u32>::new());
        memory[PAGE * 9] = 4;
        assert_eq!(image.changed(&memory).unwrap(), [9]);
        assert_eq!(image.page(40).unwrap()[0], 3);
    }

    #[test]
    fn pages_in_a_row_are_joined() {
        assert_eq!(join(&[1, 2, 4, 9, 10]), [(1, 2), (4, 1), (9, 2)]);
    }

    #[test]
    fn a_head_that_does_not_fit_is_refused() {
        let image = Image::new(&[0; 64 << 10], Head::default()).unwrap();
        let file = || image.file.try_clone().unwrap();
        assert!(Image::open(file(), image.head.clone()).is_ok());
        for head in [Head { size: 128 << 10, ..Head::default() }, Head { hot: vec![(10, 7)], ..image.head.clone() }] {
            assert!(matches!(Image::open(file(), head), Err(Error::Damaged(_))));
        }
    }
}
