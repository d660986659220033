//! Digests of files, by parts that several threads hash side by side: looking at a hundred megabytes is most of a start's time.

use crate::image::{PAGE, extents, runs};
use aegis::aegis128l::Aegis128LMac;
use blake3::{Hash, Hasher};
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a part.
const PART: usize = 1 << 20;
/// Threads that hash at once: more would wait for the memory.
const THREADS: usize = 4;

/// What the key of the parts' MACs is derived for.
const PARTS: &str = "oubliette cache, contents of parts";

/// The MAC of a part: several times as fast as BLAKE3, which then makes one digest of all parts.
type Mac = Aegis128LMac<32>;
type Tag = [u8; 32];

/// A file to be hashed.
pub(crate) struct Source<'a> {
    bytes: Mmap,
    /// Of a file with holes only the pages that are not zero are hashed, with their places.
    holes: Option<&'a File>,
}

impl<'a> Source<'a> {
    fn new(file: &File, holes: Option<&'a File>) -> io::Result<Source<'a>> {
        // SAFETY: the bytes are only read into a digest. The file lies in the cache's private folder, where files are replaced and never
        // written to once they have their name: nobody but this user can change it meanwhile, who can do worse.
        let bytes = unsafe { Mmap::map(file)? };
        Ok(Source { bytes, holes })
    }

    /// Compiled code: all of it.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn dense(file: &File) -> io::Result<Source<'a>> {
        Source::new(file, None)
    }

    /// An image, zeros being the same as holes.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn sparse(file: &'a File) -> io::Result<Source<'a>> {
        Source::new(file, Some(file))
    }

    fn part(&self, mut mac: Mac, index: usize) -> io::Result<Tag> {
        let part = index * PART..self.bytes.len().min((index + 1) * PART);
        let Some(file) = self.holes else {
            mac.update(&self.bytes[part]);
            return Ok(mac.finalize());
        };
        // Places apart, because whole pages in a row are hashed several times as fast.
        let mut places = Vec::new();
        for extent in extents(file, part.start as u64..part.end as u64)? {
            let bytes = &self.bytes[extent.start as usize..extent.end as usize];
            for run in runs(bytes) {
                mac.update(&bytes[run.clone()]);
                places.extend(run.step_by(PAGE).flat_map(|at| (extent.start + at as u64).to_le_bytes()));
            }
        }
        // Their length comes last, so that it is clear where the pages end and the places start.
        mac.update(&places);
        mac.update(&(places.len() as u64).to_le_bytes());
        Ok(mac.finalize())
    }
}

/// Digests of some files, in their order, keyed with a secret.
///
/// # Errors
/// Those of the files.
pub(crate) fn digests(secret: &[u8; 32], sources: &[Source<'_>]) -> io::Result<Vec<Hash>> {
    let parts: Vec<(usize, usize)> =
        (0..).zip(sources).flat_map(|(at, source)| (0..source.bytes.len().div_ceil(PART)).map(move |part| (at, part))).collect();
    let next = AtomicUsize::new(0);
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::derive_key(PARTS, secret)[..16]);
    let fresh = Mac::new(&key);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((source, part)) = parts.get(at) else { return Ok(done) };
            done.push((at, sources[*source].part(fresh.clone(), *part)?));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(parts.len());
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done: Vec<(usize, Tag)> = work()?;
        for other in others {
            done.extend(other.join().unwrap_or_else(|_| Err(io::Error::other("a thread that hashed panicked")))?);
        }
        Ok::<_, io::Error>(done)
    })?;
    done.sort_unstable_by_key(|(at, _)| *at);
    let mut hashers: Vec<Hasher> = sources.iter().map(|_| Hasher::new_keyed(secret)).collect();
    for (at, tag) in done {
        hashers[parts[at].0].update(&tag);
    }
    Ok(sources
        .iter()
        .zip(&mut hashers)
        .map(|(source, hasher)| hasher.update(&(source.bytes.len() as u64).to_le_bytes()).finalize())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    const SECRET: [u8; 32] = [7; 32];

    fn file(bytes: &[(u64, u8)], size: u64) -> File {
        let file = File::from(rustix::fs::memfd_create("digest", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
        file.set_len(size).unwrap();
        for (at, byte) in bytes {
            file.write_all_at(&[*byte], *at).unwrap();
        }
        file
    }

    #[test]
    fn every_byte_place_and_length_counts_in_every_part() {
        const MIB: u64 = PART as u64;
        let size = 3 * MIB + 5;
        let plain = [(0, 1), (MIB - 1, 2), (MIB, 3), (2 * MIB + 70_000, 4), (3 * MIB + 4, 5)];
        let files = [
            file(&plain, size),
            file(&plain[1..], size),
            file(&[(1, 1), plain[1], plain[2], plain[3], plain[4]], size),
            file(&[(PAGE as u64, 1), plain[1], plain[2], plain[3], plain[4]], size),
            file(&[plain[0], plain[1], plain[2], plain[3], (3 * MIB + 4, 6)], size),
            file(&[plain[0], plain[1], plain[2], (MIB + 70_000, 4), plain[4]], size),
            file(&plain, size + 1),
        ];
        for make in [|file| Source::dense(file).unwrap(), |file| Source::sparse(file).unwrap()] as [fn(&File) -> Source<'_>; 2] {
            let together = digests(&SECRET, &files.iter().map(make).collect::<Vec<_>>()).unwrap();
            for (index, file) in files.iter().enumerate() {
                assert_eq!(digests(&SECRET, &[make(file)]).unwrap(), [together[index]]);
                assert!(together[..index].iter().all(|other| *other != together[index]), "{index}");
            }
            assert_ne!(digests(&[8; 32], &[make(&files[0])]).unwrap(), [together[0]]);
        }
    }

    #[test]
    fn zeros_and_holes_are_the_same() {
        let (hole, zeros) = (file(&[(5, 1)], 2 * PART as u64), file(&[(5, 1)], 2 * PART as u64));
        zeros.write_all_at(&vec![0; 1 << 20], PAGE as u64).unwrap();
        let digest = |file| digests(&SECRET, &[Source::sparse(file).unwrap()]).unwrap();
        assert_eq!(digest(&hole), digest(&zeros));
        assert_ne!(digest(&hole), digest(&file(&[], 2 * PART as u64)));
    }
}
