//! Frozen address spaces: copied in microseconds, written out and read back.

use std::io::{self, Read, Write};
use std::sync::Arc;

use crate::platform::Content;
use crate::space::{Granularity, Guarded, MapError, PAGE, Permission, Region, Space};

const PAGE_SIZE: usize = PAGE as usize;

/// A frozen [`Space`]: regions and contents. Clones share it.
///
/// A copy of a small one lives in a pooled slot: where that slot held the same image before, only the pages that were changed are restored.
/// A copy of a large one maps it copy-on-write.
#[derive(Clone)]
pub struct Image {
    frozen: Arc<Frozen>,
}

/// The parts of an [`Image`].
pub(crate) struct Frozen {
    pub(crate) granularity: Granularity,
    pub(crate) regions: Vec<Region>,
    pub(crate) kinds: Vec<u8>,
    pub(crate) mapped_pages: u64,
    pub(crate) guarded: Guarded,
    runs: Vec<Run>,
    content: Content,
}

/// Consecutive pages with contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    pages: u32,
    /// Page number in the contents.
    at: u32,
}

impl Frozen {
    fn new(space: &Space, runs: Vec<Run>, bytes: Vec<u8>) -> io::Result<Self> {
        let kinds = space.clean_kinds();
        let top = (kinds.len() as u64) << 12;
        Ok(Self {
            granularity: space.granularity(),
            regions: space.regions().to_vec(),
            mapped_pages: space.mapped_pages(),
            guarded: Guarded::new(&kinds),
            kinds,
            runs,
            content: Content::new(bytes, top)?,
        })
    }

    /// One past the highest mapped address, rounded up to pages.
    pub(crate) fn top(&self) -> u64 {
        (self.kinds.len() as u64) << 12
    }

    pub(crate) fn content(&self) -> &Content {
        &self.content
    }

    fn bytes(&self, at: u32, pages: u32) -> &[u8] {
        &self.content.bytes()[at as usize * PAGE_SIZE..][..pages as usize * PAGE_SIZE]
    }

    /// Contents of a page; `None` means zeros.
    pub(crate) fn page(&self, page: u32) -> Option<&[u8]> {
        let index = self.runs.partition_point(|run| run.first + run.pages <= page);
        let run = self.runs.get(index).filter(|run| run.first <= page)?;
        Some(self.bytes(run.at + (page - run.first), 1))
    }

    /// Calls `each` with every page that has contents.
    pub(crate) fn each_page(&self, each: impl Fn(u32, &[u8])) {
        for run in &self.runs {
            for page in 0..run.pages {
                each(run.first + page, self.bytes(run.at + page, 1));
            }
        }
    }

    /// Calls `each` with first page, count and byte offset of the stretches of contents between two pages.
    pub(crate) fn each_run(&self, from: u32, until: u32, mut each: impl FnMut(u32, u32, usize) -> io::Result<()>) -> io::Result<()> {
        let index = self.runs.partition_point(|run| run.first + run.pages <= from);
        for run in self.runs[index..].iter().take_while(|run| run.first < until) {
            let first = run.first.max(from);
            let end = (run.first + run.pages).min(until);
            each(first, end - first, (run.at + (first - run.first)) as usize * PAGE_SIZE)?;
        }
        Ok(())
    }
}

/// The bytes are no image.
#[derive(Debug)]
pub enum BadImage {
    /// What is wrong with them.
    Damaged(&'static str),
    /// The reader failed, or the host has no room.
    Io(io::Error),
}

impl std::fmt::Display for BadImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "the memory image is damaged: {what}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BadImage {}

impl From<io::Error> for BadImage {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Damaged("it is cut short") } else { Self::Io(error) }
    }
}

impl From<MapError> for BadImage {
    fn from(error: MapError) -> Self {
        match error {
            MapError::Wraps => Self::Damaged("a region passes the end of the address space"),
            MapError::Overlaps => Self::Damaged("two regions overlap"),
            MapError::Cap | MapError::Host => Self::Io(io::Error::new(io::ErrorKind::OutOfMemory, error)),
        }
    }
}

impl Space {
    /// Freezes the space as it is; the space itself goes on unchanged.
    ///
    /// # Errors
    /// When the host has no room for a copy.
    pub fn freeze(&self) -> io::Result<Image> {
        let mut runs: Vec<Run> = Vec::new();
        let mut bytes = Vec::new();
        self.each_page(|page, contents| {
            match runs.last_mut() {
                Some(run) if run.first + run.pages == page => run.pages += 1,
                _ => runs.push(Run { first: page, pages: 1, at: (bytes.len() / PAGE_SIZE) as u32 }),
            }
            bytes.extend_from_slice(contents);
        });
        Ok(Image { frozen: Arc::new(Frozen::new(self, runs, bytes)?) })
    }
}

impl Image {
    /// A copy to run in, under this cap in bytes.
    ///
    /// # Errors
    /// When the host has no room, or the cap is below what the image holds.
    pub fn spawn(&self, cap: Option<u64>) -> io::Result<Space> {
        Space::thaw(&self.frozen, cap)
    }

    /// Regions, in order of address.
    pub fn regions(&self) -> &[Region] {
        &self.frozen.regions
    }

    /// Bytes of contents held, zero pages not counted.
    pub fn size(&self) -> u64 {
        self.frozen.content.bytes().len() as u64
    }

    /// Writes it out, in a form that does not depend on the host.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        let frozen = &self.frozen;
        let mut head = vec![match frozen.granularity {
            Granularity::Page => 0u8,
            Granularity::Byte => 1,
        }];
        head.extend((frozen.regions.len() as u32).to_le_bytes());
        for region in &frozen.regions {
            head.extend(region.start.to_le_bytes());
            head.extend(region.length.to_le_bytes());
            head.push(u8::from(region.permission == Permission::ReadWrite));
            head.extend((region.name.len() as u32).to_le_bytes());
            head.extend(region.name.as_bytes());
        }
        head.extend((frozen.runs.len() as u32).to_le_bytes());
        for run in &frozen.runs {
            head.extend(run.first.to_le_bytes());
            head.extend(run.pages.to_le_bytes());
        }
        to.write_all(&head)?;
        to.write_all(frozen.content.bytes())
    }

    /// Reads what [`save`](Image::save) wrote; at most `most` bytes of memory are committed for it. The bytes are not trusted.
    ///
    /// # Errors
    /// [`BadImage`].
    pub fn load(from: &mut dyn Read, most: u64) -> Result<Self, BadImage> {
        let granularity = match byte(from)? {
            0 => Granularity::Page,
            1 => Granularity::Byte,
            _ => return Err(BadImage::Damaged("an unknown layout")),
        };
        let mut space = Space::new(granularity, Some(most), 1 << 32);
        let mut last_start = 0;
        for _ in 0..word(from)? {
            let (start, length) = (word(from)?, word(from)?);
            let permission = match byte(from)? {
                0 => Permission::ReadOnly,
                1 => Permission::ReadWrite,
                _ => return Err(BadImage::Damaged("an unknown permission")),
            };
            let mut name = vec![0; word(from)?.min(256) as usize];
            from.read_exact(&mut name)?;
            let name =
                String::from_utf8(name).ok().filter(|name| name.len() < 256).ok_or(BadImage::Damaged("a region's name is no text"))?;
            if start < last_start {
                return Err(BadImage::Damaged("regions are not in order"));
            }
            last_start = start;
            space.map(start, length, permission, &name)?;
        }
        let kinds = space.clean_kinds();
        let mut runs: Vec<Run> = Vec::new();
        let mut total = 0u32;
        for _ in 0..word(from)? {
            let (first, pages) = (word(from)?, word(from)?);
            let end = first
                .checked_add(pages)
                .filter(|end| *end as usize <= kinds.len())
                .ok_or(BadImage::Damaged("contents outside of all regions"))?;
            let after = runs.last().map_or(0, |run| run.first + run.pages);
            if pages == 0 || first < after || kinds[first as usize..end as usize].contains(&0) {
                return Err(BadImage::Damaged("contents outside of all regions"));
            }
            runs.push(Run { first, pages, at: total });
            total += pages;
        }
        let length = u64::from(total) * u64::from(PAGE);
        // Grown as bytes arrive: a figure that lies must not allocate.
        let mut bytes = Vec::new();
        from.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(BadImage::Damaged("it is cut short"));
        }
        Ok(Self { frozen: Arc::new(Frozen::new(&space, runs, bytes)?) })
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("regions", &self.regions()).field("size", &self.size()).finish()
    }
}

fn byte(from: &mut dyn Read) -> io::Result<u8> {
    let mut bytes = [0];
    from.read_exact(&mut bytes)?;
    Ok(bytes[0])
}

fn word(from: &mut dyn Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}
