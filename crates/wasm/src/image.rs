//! Images: the memory of a quiet instance in a file, which instances map copy-on-write over their own. An image costs no compilation and
//! no copying, so that a program may have several.

use crate::state::State;
use crate::wasi::Process;
use cell::Error;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::os::unix::fs::FileExt;
use wasmtime::{AsContextMut, Instance, Memory, Store, Val};

/// Bytes of a page, of the host and of what images are compared by.
pub(crate) const PAGE: usize = 4096;
/// The largest image, in bytes: that of 32-bit guests.
const MAX_SIZE: u64 = 4 << 30;
/// Pages between two runs of hot ones that are cheaper to write to than to leave out.
const HOT_GAP: u32 = 2;
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
fn runs(memory: &[u8]) -> Vec<Range<usize>> {
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

    /// Calls `each` for the parts that are not zero, with their places. What a file system keeps as holes is not read.
    ///
    /// # Errors
    /// Those of the file, and of `each`.
    pub(crate) fn contents(file: &File, size: u64, mut each: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        use rustix::fs::{SeekFrom, seek};
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < size {
            let data = match seek(file, SeekFrom::Data(at)) {
                Ok(data) => data.min(size),
                Err(rustix::io::Errno::NXIO) => break,
                // A file system without holes.
                Err(rustix::io::Errno::INVAL) => at,
                Err(error) => return Err(error.into()),
            };
            let hole = seek(file, SeekFrom::Hole(data)).unwrap_or(size).min(size).max(data);
            at = data - data % PAGE as u64;
            while at < hole {
                let part = &mut buffer[..usize::try_from(hole - at).unwrap_or(CHUNK).min(CHUNK)];
                file.read_exact_at(part, at)?;
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
        Image::contents(&self.file, self.head.size, |at, bytes| file.write_all_at(bytes, at))?;
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

/// Runs of pages, near ones joined.
pub(crate) fn join(pages: &[u32]) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for page in pages {
        match joined.last_mut() {
            Some((first, count)) if *page <= *first + *count + HOT_GAP => *count = *page + 1 - *first,
            _ => joined.push((*page, 1)),
        }
    }
    joined
}

/// A store, and the image that is mapped over the memory of its instance. The memory goes back to wasmtime as it was lent: anonymous.
pub(crate) struct Home {
    store: Option<Box<Store<State>>>,
    /// Address and length of what is mapped.
    mapped: Option<(usize, usize)>,
}

impl Home {
    pub(crate) fn new(store: Store<State>) -> Home {
        Home { store: Some(Box::new(store)), mapped: None }
    }

    /// Puts a fresh instance into the state of an image.
    ///
    /// # Errors
    /// When the memory cap is below the image, or the host refuses.
    pub(crate) fn settle(&mut self, instance: &Instance, memory: Memory, image: &Image) -> wasmtime::Result<()> {
        let length = usize::try_from(image.head.size)?;
        let held = memory.data_size(&**self);
        if length > held {
            memory.grow(&mut **self, (length - held) as u64 >> 16)?;
        }
        let at = memory.data_ptr(&**self);
        if length > memory.data_size(&**self) || !at.addr().is_multiple_of(PAGE) {
            return Err(wasmtime::format_err!("the image does not fit the memory"));
        }
        // Noted first: half a mapping is to be undone too.
        self.mapped = Some((at.expose_provenance(), length));
        // SAFETY: these pages are the linear memory of an instance in our own store, readable and writable as far as `data_size` says, and
        // nobody holds a reference into it: they get other contents, as a write by the guest would give them. The mapping is private, and
        // the file is a memory file of ours or lies in the cache's private folder. `drop` takes it away before the store gives the
        // memory back.
        unsafe {
            let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
            rustix::mm::mmap(at.cast(), length, ProtFlags::READ | ProtFlags::WRITE, flags, &image.file, 0)?;
            for (first, count) in &image.head.hot {
                let page = at.add(*first as usize * PAGE);
                // Only a favour: kernels before 5.14 don't know it.
                let _ = rustix::mm::madvise(page.cast(), *count as usize * PAGE, Advice::LinuxPopulateWrite);
            }
        }
        set_globals(self.as_context_mut(), instance, &image.head.globals)
    }
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

impl Deref for Home {
    type Target = Store<State>;

    fn deref(&self) -> &Store<State> {
        self.store.as_ref().expect("the store is there until the home is dropped")
    }
}

impl DerefMut for Home {
    fn deref_mut(&mut self) -> &mut Store<State> {
        self.store.as_mut().expect("the store is there until the home is dropped")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let Some((at, length)) = self.mapped else { return };
        // SAFETY: the same pages as in `settle`; the store still owns the memory, and nothing of its instance runs any more.
        let undone = unsafe {
            let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
            let at = std::ptr::with_exposed_provenance_mut(at);
            rustix::mm::mmap_anonymous(at, length, ProtFlags::READ | ProtFlags::WRITE, flags)
        };
        if undone.is_err() {
            // Another guest must not find this image in its memory: the place is lost instead.
            std::mem::forget(self.store.take());
        }
    }
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
        Image::contents(&image.file, image.head.size, |at, bytes| {
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
    fn near_pages_are_joined() {
        assert_eq!(join(&[1, 2, 5, 9, 10]), [(1, 5), (9, 2)]);
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
