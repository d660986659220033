//! WASI preview 1 as we answer it: nothing ambient. Files are what was mounted, the clock is made of fuel and the
//! random numbers of a seed unless the embedder offers others, and there are no sockets and no other processes.

pub(crate) mod calls;
pub(crate) mod errno;
pub(crate) mod files;

use errno::Errno;
use files::{Mount, Opened, Stat};
use std::sync::Arc;
use std::time::Duration;

/// Midnight of 1 January 2000, UTC: where a clock made of fuel starts. Nanoseconds since 1970.
pub const CLOCK_START: u64 = 946_684_800_000_000_000;
/// Bytes for the names of the folders that mounts lie in.
const ROOT_QUOTA: u64 = 64 << 10;
/// How many descriptors a guest may hold.
const MAX_DESCRIPTORS: usize = 1024;

/// A clock lent to the guest: the time since 1970.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;
/// A source of random bytes lent to the guest: fills the buffer.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What the guest's process looks like from inside.
#[derive(Clone, Default)]
pub struct World {
    /// Program name and arguments.
    pub arguments: Vec<String>,
    /// Environment, name and value.
    pub environment: Vec<(String, String)>,
    /// What standard input holds.
    pub stdin: Arc<[u8]>,
    /// Folders, with the absolute guest path each one is found under.
    pub mounts: Vec<(String, Mount)>,
    /// The clock; without one, time is made of fuel: a million units a second from [`CLOCK_START`].
    pub clock: Option<Clock>,
    /// Random bytes; without a source they come from `seed`.
    pub random: Option<Random>,
    /// Seed of the random bytes.
    pub seed: [u8; 32],
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("arguments", &self.arguments)
            .field("environment", &self.environment)
            .field("mounts", &self.mounts)
            .field("clock", &self.clock.is_some())
            .field("random", &self.random.is_some())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
enum Body {
    Folder,
    Host(Arc<cap_std::fs::File>),
    Memory(usize),
}

#[derive(Clone, Debug)]
enum Descriptor {
    Stdin {
        position: u64,
    },
    Output(cell::Stream),
    /// A file or folder of a mount. `preopened` are those that exist from the start.
    Entry {
        mount: usize,
        path: Vec<String>,
        body: Body,
        position: u64,
        append: bool,
        write: bool,
        preopened: bool,
    },
}

/// The state of one guest's process. Cloned with its cell.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) world: World,
    /// Where each mount lies in the tree.
    points: Vec<Vec<String>>,
    descriptors: Vec<Option<Descriptor>>,
    random_position: u64,
    /// Nanoseconds that sleeping has added to the clock made of fuel.
    slept: u64,
}

impl Process {
    /// A process whose files are one tree: a root folder in memory, unless the embedder mounted one, with the other mounts in it.
    /// The root is the only folder that is open from the start.
    pub(crate) fn new(mut world: World) -> Process {
        if world.mounts.first().is_none_or(|(path, _)| path != "/") {
            let mut root = files::MemoryFolder::new(ROOT_QUOTA);
            for (path, _) in &world.mounts {
                root.make_folders(path);
            }
            root.seal();
            world.mounts.insert(0, ("/".into(), Mount::Memory(root)));
        }
        let points =
            world.mounts.iter().map(|(path, _)| files::resolve(&[], path.trim_start_matches('/').as_bytes()).unwrap_or_default()).collect();
        let descriptors = vec![
            Some(Descriptor::Stdin { position: 0 }),
            Some(Descriptor::Output(cell::Stream::Out)),
            Some(Descriptor::Output(cell::Stream::Err)),
            Some(Descriptor::Entry {
                mount: 0,
                path: Vec::new(),
                body: Body::Folder,
                position: 0,
                append: false,
                write: false,
                preopened: true,
            }),
        ];
        Process { world, points, descriptors, random_position: 0, slept: 0 }
    }

    /// The process in another world. Folders are the embedder's to give anew, which closes what was open; without any it goes on with what
    /// it had. `fresh` ones see the rest of the new world too, the others of it only its clock and its random numbers.
    pub(crate) fn in_world(mut self, world: World, fresh: bool) -> Process {
        if !world.mounts.is_empty() {
            return Process { random_position: self.random_position, slept: self.slept, ..Process::new(world) };
        }
        if fresh {
            let mounts = std::mem::take(&mut self.world.mounts);
            self.world = World { mounts, ..world };
        } else {
            self.world.clock = world.clock;
            self.world.random = world.random;
        }
        self
    }

    /// What of it can be written out.
    pub(crate) fn save(&self) -> Result<Saved, cell::Unsupported> {
        let refuse = |what: &str| cell::Unsupported { engine: "wasm", what: what.to_owned() };
        let open = self.descriptors.iter().flatten().any(|it| matches!(it, Descriptor::Entry { preopened: false, .. }));
        if open {
            return Err(refuse("be saved while files are open"));
        }
        let mut mounts = Vec::new();
        for (path, mount) in &self.world.mounts {
            match mount {
                Mount::Memory(folder) => mounts.push((path.clone(), folder.clone())),
                Mount::ReadOnly(_) => return Err(refuse("be saved with folders of the host mounted")),
            }
        }
        Ok(Saved {
            arguments: self.world.arguments.clone(),
            environment: self.world.environment.clone(),
            stdin: self.world.stdin.to_vec(),
            seed: self.world.seed,
            mounts,
            random_position: self.random_position,
            slept: self.slept,
        })
    }

    pub(crate) fn load(saved: Saved) -> Process {
        let mut process = Process::new(World {
            arguments: saved.arguments,
            environment: saved.environment,
            stdin: saved.stdin.into(),
            seed: saved.seed,
            mounts: saved.mounts.into_iter().map(|(path, folder)| (path, Mount::Memory(folder.checked()))).collect(),
            ..World::default()
        });
        process.random_position = saved.random_position;
        process.slept = saved.slept;
        process
    }

    fn get(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.descriptors.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::BADF)
    }

    fn add(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self.descriptors.iter().position(Option::is_none);
        let index = match free {
            Some(index) => {
                self.descriptors[index] = Some(descriptor);
                index
            }
            None if self.descriptors.len() < MAX_DESCRIPTORS => {
                self.descriptors.push(Some(descriptor));
                self.descriptors.len() - 1
            }
            None => {
                self.forget(descriptor);
                return Err(Errno::MFILE);
            }
        };
        u32::try_from(index).map_err(|_| Errno::MFILE)
    }

    /// Lets go of what a descriptor holds open.
    fn forget(&mut self, descriptor: Descriptor) {
        if let Descriptor::Entry { mount, body: Body::Memory(node), .. } = descriptor
            && let Some((_, Mount::Memory(folder))) = self.world.mounts.get_mut(mount)
        {
            folder.close(node);
        }
    }

    fn close(&mut self, fd: u32) -> Result<(), Errno> {
        let slot = self.descriptors.get_mut(fd as usize).ok_or(Errno::BADF)?;
        let descriptor = slot.take().ok_or(Errno::BADF)?;
        self.forget(descriptor);
        Ok(())
    }

    /// The mount and path that `path` means, relative to the folder `fd`.
    fn locate(&mut self, fd: u32, path: &[u8]) -> Result<(usize, Vec<String>), Errno> {
        let (mount, path) = match self.get(fd)? {
            Descriptor::Entry { mount, path: base, body: Body::Folder, .. } => (*mount, files::resolve(base, path)?),
            _ => return Err(Errno::NOTDIR),
        };
        if mount != 0 {
            return Ok((mount, path));
        }
        let inner = self.points.iter().enumerate().skip(1).filter(|(_, point)| path.starts_with(point));
        match inner.max_by_key(|(_, point)| point.len()) {
            Some((inner, point)) => Ok((inner, path[point.len()..].to_vec())),
            None => Ok((0, path)),
        }
    }

    fn mount(&mut self, mount: usize) -> Result<&mut Mount, Errno> {
        self.world.mounts.get_mut(mount).map(|(_, mount)| mount).ok_or(Errno::BADF)
    }

    fn open(&mut self, fd: u32, path: &[u8], want: files::Want, append: bool) -> Result<u32, Errno> {
        let (mount, path) = self.locate(fd, path)?;
        let body = match self.mount(mount)?.open(&path, want)? {
            Opened::Folder => Body::Folder,
            Opened::Host(file) => Body::Host(file),
            Opened::Memory(node) => Body::Memory(node),
        };
        self.add(Descriptor::Entry { mount, path, body, position: 0, append, write: want.write, preopened: false })
    }

    fn stat_fd(&mut self, fd: u32) -> Result<Option<Stat>, Errno> {
        let (mount, path, body) = match self.get(fd)? {
            Descriptor::Entry { mount, path, body, .. } => (*mount, path.clone(), body.clone()),
            _ => return Ok(None),
        };
        let stat = match (body, self.mount(mount)?) {
            (Body::Host(file), _) => files::host_file_stat(&file)?,
            (Body::Memory(node), Mount::Memory(folder)) => folder.stat_node(node)?,
            (Body::Folder, mount) => mount.stat(&path, true)?,
            _ => return Err(Errno::BADF),
        };
        Ok(Some(stat))
    }

    /// Reads at `at`, or at the descriptor's own position, which then moves on.
    fn read(&mut self, fd: u32, at: Option<u64>, out: &mut [u8]) -> Result<usize, Errno> {
        let stdin = self.world.stdin.clone();
        let (mount, body, position) = match self.get(fd)? {
            Descriptor::Stdin { position } => {
                let start = usize::try_from(*position).unwrap_or(usize::MAX).min(stdin.len());
                let count = out.len().min(stdin.len() - start);
                out[..count].copy_from_slice(&stdin[start..start + count]);
                *position += count as u64;
                return Ok(count);
            }
            Descriptor::Output(_) => return Err(Errno::BADF),
            Descriptor::Entry { mount, body, position, .. } => (*mount, body.clone(), *position),
        };
        let from = at.unwrap_or(position);
        let count = match body {
            Body::Folder => return Err(Errno::ISDIR),
            Body::Host(file) => read_host(&file, from, out)?,
            Body::Memory(node) => self.mount(mount)?.writable()?.read_at(node, from, out)?,
        };
        if at.is_none()
            && let Descriptor::Entry { position, .. } = self.get(fd)?
        {
            *position = from.saturating_add(count as u64);
        }
        Ok(count)
    }

    /// Writes to a file in memory, at `at` or where the descriptor stands.
    fn write(&mut self, fd: u32, at: Option<u64>, data: &[u8]) -> Result<usize, Errno> {
        let (mount, body, position, append) = match self.get(fd)? {
            Descriptor::Entry { mount, body, position, append, write: true, .. } => (*mount, body.clone(), *position, *append),
            _ => return Err(Errno::BADF),
        };
        let Body::Memory(node) = body else { return Err(Errno::ISDIR) };
        let folder = self.mount(mount)?.writable()?;
        let from = match at {
            Some(at) => at,
            None if append => folder.stat_node(node)?.size,
            None => position,
        };
        let count = folder.write_at(node, from, data)?;
        if at.is_none()
            && let Descriptor::Entry { position, .. } = self.get(fd)?
        {
            *position = from.saturating_add(count as u64);
        }
        Ok(count)
    }

    fn fill_random(&mut self, out: &mut [u8]) {
        if let Some(random) = &self.world.random {
            random(out);
            return;
        }
        let mut stream = blake3::Hasher::new_keyed(&self.world.seed).finalize_xof();
        stream.set_position(self.random_position);
        stream.fill(out);
        self.random_position = self.random_position.wrapping_add(out.len() as u64);
    }

    /// The time in nanoseconds since 1970, `fuel` units into the cell's life.
    fn now(&self, fuel: u64) -> u64 {
        match &self.world.clock {
            Some(clock) => u64::try_from(clock().as_nanos()).unwrap_or(u64::MAX),
            None => CLOCK_START.saturating_add(fuel.saturating_mul(1000)).saturating_add(self.slept),
        }
    }
}

/// A process as it is written out.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Saved {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    stdin: Vec<u8>,
    seed: [u8; 32],
    mounts: Vec<(String, files::MemoryFolder)>,
    random_position: u64,
    slept: u64,
}

/// Fills `out` from a file of the host, fewer bytes only at its end.
fn read_host(file: &cap_std::fs::File, from: u64, out: &mut [u8]) -> Result<usize, Errno> {
    use cap_std::fs::FileExt;
    let mut done = 0;
    while done < out.len() {
        match file.read_at(&mut out[done..], from.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}
