//! The functions of `wasi_snapshot_preview1`, bound to a [`Process`].

use super::errno::Errno;
use super::files::{Kind, Stat, Want};
use super::{Body, Descriptor, Process};
use crate::state::{Ending, Shared, State};
use std::future::Future;
use wasmtime::{Caller, Linker};

const MODULE: &str = "wasi_snapshot_preview1";
const MAX_IOVECS: u32 = 1024;
/// Units of fuel for any call, besides one per byte moved.
const CALL_COST: u64 = 100;

/// Either the guest's mistake, told to the guest, or the end of the guest.
pub(super) enum Fault {
    Errno(Errno),
    End(Ending),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Fault {
        Fault::Errno(errno)
    }
}

type Answer = Result<(), Fault>;

/// Guest memory and process of the calling instance, for the length of one call.
pub(super) struct Host<'a> {
    memory: &'a mut [u8],
    process: &'a mut Process,
    shared: &'a Shared,
    /// Fuel used in the cell's life.
    fuel: u64,
    /// Units this call costs.
    cost: u64,
}

#[allow(clippy::too_many_arguments, reason = "the calls have the parameters that WASI gives them")]
impl Host<'_> {
    fn bytes(&self, at: u32, length: u32) -> Result<&[u8], Errno> {
        let (at, length) = (at as usize, length as usize);
        self.memory.get(at..).and_then(|rest| rest.get(..length)).ok_or(Errno::FAULT)
    }

    fn bytes_mut(&mut self, at: u32, length: u32) -> Result<&mut [u8], Errno> {
        let (at, length) = (at as usize, length as usize);
        self.memory.get_mut(at..).and_then(|rest| rest.get_mut(..length)).ok_or(Errno::FAULT)
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let length = u32::try_from(bytes.len()).map_err(|_| Errno::FAULT)?;
        self.bytes_mut(at, length)?.copy_from_slice(bytes);
        Ok(())
    }

    fn word(&self, at: u32) -> Result<u32, Errno> {
        let bytes = self.bytes(at, 4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn long(&self, at: u32) -> Result<u64, Errno> {
        let low = u64::from(self.word(at)?);
        let high = u64::from(self.word(at.checked_add(4).ok_or(Errno::FAULT)?)?);
        Ok(low | high << 32)
    }

    fn iovec(&self, table: u32, index: u32) -> Result<(u32, u32), Errno> {
        let at = index.checked_mul(8).and_then(|offset| table.checked_add(offset)).ok_or(Errno::FAULT)?;
        Ok((self.word(at)?, self.word(at.checked_add(4).ok_or(Errno::FAULT)?)?))
    }

    fn path(&mut self, at: u32, length: u32) -> Result<Vec<u8>, Errno> {
        if length > 1 << 16 {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(self.bytes(at, length)?.to_vec())
    }

    fn put_stat(&mut self, at: u32, stat: Option<Stat>) -> Result<(), Errno> {
        let mut out = [0; 64];
        match stat {
            Some(stat) => {
                out[0] = 1;
                out[8..16].copy_from_slice(&stat.inode.to_le_bytes());
                out[16] = file_type(stat.kind);
                out[32..40].copy_from_slice(&stat.size.to_le_bytes());
                for time in [40, 48, 56] {
                    out[time..time + 8].copy_from_slice(&stat.modified_ns.to_le_bytes());
                }
            }
            None => out[16] = 2,
        }
        out[24] = 1;
        self.put(at, &out)
    }

    fn args_sizes(&mut self, list: &[Vec<u8>], count: u32, size: u32) -> Answer {
        let bytes: usize = list.iter().map(|item| item.len() + 1).sum();
        self.put(count, &u32::try_from(list.len()).map_err(|_| Errno::INVAL)?.to_le_bytes())?;
        self.put(size, &u32::try_from(bytes).map_err(|_| Errno::INVAL)?.to_le_bytes())?;
        Ok(())
    }

    fn args_get(&mut self, list: &[Vec<u8>], mut table: u32, mut buffer: u32) -> Answer {
        for item in list {
            self.put(table, &buffer.to_le_bytes())?;
            self.put(buffer, item)?;
            let end = u32::try_from(item.len()).ok().and_then(|n| buffer.checked_add(n)).ok_or(Errno::FAULT)?;
            self.put(end, &[0])?;
            table = table.checked_add(4).ok_or(Errno::FAULT)?;
            buffer = end.checked_add(1).ok_or(Errno::FAULT)?;
        }
        Ok(())
    }

    fn arguments(&self) -> Vec<Vec<u8>> {
        self.process.world.arguments.iter().map(|item| item.clone().into_bytes()).collect()
    }

    fn environment(&self) -> Vec<Vec<u8>> {
        self.process.world.environment.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect()
    }

    fn args_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        self.args_sizes(&self.arguments(), count, size)
    }

    fn args_fill(&mut self, table: u32, buffer: u32) -> Answer {
        self.args_get(&self.arguments(), table, buffer)
    }

    fn environ_sizes_get(&mut self, count: u32, size: u32) -> Answer {
        self.args_sizes(&self.environment(), count, size)
    }

    fn environ_get(&mut self, table: u32, buffer: u32) -> Answer {
        self.args_get(&self.environment(), table, buffer)
    }

    fn clock_res_get(&mut self, clock: u32, out: u32) -> Answer {
        if clock > 3 {
            return Err(Errno::INVAL.into());
        }
        Ok(self.put(out, &1000u64.to_le_bytes())?)
    }

    fn clock_time_get(&mut self, clock: u32, _precision: u64, out: u32) -> Answer {
        let now = match clock {
            0 | 1 => self.process.now(self.fuel),
            // CPU time is fuel whatever the clock.
            2 | 3 => self.fuel.saturating_mul(1000),
            _ => return Err(Errno::INVAL.into()),
        };
        Ok(self.put(out, &now.to_le_bytes())?)
    }

    fn fd_write_at(&mut self, fd: u32, table: u32, count: u32, at: Option<u64>, out: u32) -> Answer {
        let mut written = 0u32;
        for index in 0..count.min(MAX_IOVECS) {
            let (start, length) = self.iovec(table, index)?;
            self.cost += u64::from(length);
            let stream = match self.process.get(fd)? {
                Descriptor::Output(stream) => Some(*stream),
                _ => None,
            };
            let data = self.memory.get(start as usize..).and_then(|rest| rest.get(..length as usize));
            let data = data.ok_or(Errno::FAULT)?;
            let done = match stream {
                Some(_) if at.is_some() => return Err(Errno::SPIPE.into()),
                Some(stream) => {
                    self.shared.lock().console.write(stream, data).map_err(|_| Fault::End(Ending::OutputFull))?;
                    data.len()
                }
                None => {
                    let at = at.map(|at| at.saturating_add(u64::from(written)));
                    self.process.write(fd, at, data)?
                }
            };
            written = written.saturating_add(u32::try_from(done).unwrap_or(u32::MAX));
        }
        Ok(self.put(out, &written.to_le_bytes())?)
    }

    fn fd_read_at(&mut self, fd: u32, table: u32, count: u32, at: Option<u64>, out: u32) -> Answer {
        let mut read = 0u32;
        for index in 0..count.min(MAX_IOVECS) {
            let (start, length) = self.iovec(table, index)?;
            let at = at.map(|at| at.saturating_add(u64::from(read)));
            let buffer = self.memory.get_mut(start as usize..).and_then(|rest| rest.get_mut(..length as usize));
            let done = self.process.read(fd, at, buffer.ok_or(Errno::FAULT)?)?;
            self.cost += done as u64;
            read = read.saturating_add(u32::try_from(done).unwrap_or(u32::MAX));
            if done < length as usize {
                break;
            }
        }
        Ok(self.put(out, &read.to_le_bytes())?)
    }

    fn fd_write(&mut self, fd: u32, table: u32, count: u32, out: u32) -> Answer {
        self.fd_write_at(fd, table, count, None, out)
    }

    fn fd_pwrite(&mut self, fd: u32, table: u32, count: u32, at: u64, out: u32) -> Answer {
        self.fd_write_at(fd, table, count, Some(at), out)
    }

    fn fd_read(&mut self, fd: u32, table: u32, count: u32, out: u32) -> Answer {
        self.fd_read_at(fd, table, count, None, out)
    }

    fn fd_pread(&mut self, fd: u32, table: u32, count: u32, at: u64, out: u32) -> Answer {
        self.fd_read_at(fd, table, count, Some(at), out)
    }

    fn fd_close(&mut self, fd: u32) -> Answer {
        Ok(self.process.close(fd)?)
    }

    fn fd_renumber(&mut self, from: u32, to: u32) -> Answer {
        self.process.get(from)?;
        self.process.get(to)?;
        if from != to {
            self.process.close(to)?;
            let moved = self.process.descriptors[from as usize].take();
            self.process.descriptors[to as usize] = moved;
        }
        Ok(())
    }

    fn fd_seek(&mut self, fd: u32, offset: i64, whence: u32, out: u32) -> Answer {
        let size = self.process.stat_fd(fd)?.ok_or(Errno::SPIPE)?.size;
        let Descriptor::Entry { position, body, .. } = self.process.get(fd)? else {
            return Err(Errno::SPIPE.into());
        };
        if matches!(body, Body::Folder) {
            return Err(Errno::ISDIR.into());
        }
        let base = match whence {
            0 => 0,
            1 => *position,
            2 => size,
            _ => return Err(Errno::INVAL.into()),
        };
        *position = base.checked_add_signed(offset).ok_or(Errno::INVAL)?;
        let now = *position;
        Ok(self.put(out, &now.to_le_bytes())?)
    }

    fn fd_tell(&mut self, fd: u32, out: u32) -> Answer {
        self.fd_seek(fd, 0, 1, out)
    }

    /// For calls that only have to know that the descriptor is open.
    fn fd_known(&mut self, fd: u32) -> Answer {
        Ok(self.process.get(fd).map(|_| ())?)
    }

    fn fd_advise(&mut self, fd: u32, _offset: u64, _length: u64, _advice: u32) -> Answer {
        self.fd_known(fd)
    }

    fn fd_allocate(&mut self, fd: u32, offset: u64, length: u64) -> Answer {
        let size = self.process.stat_fd(fd)?.ok_or(Errno::INVAL)?.size;
        let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
        if end > size { self.fd_filestat_set_size(fd, end) } else { Ok(()) }
    }

    fn fd_fdstat_get(&mut self, fd: u32, out: u32) -> Answer {
        let mut bytes = [0; 24];
        bytes[0] = match self.process.get(fd)? {
            Descriptor::Entry { body: Body::Folder, .. } => 3,
            Descriptor::Entry { append, .. } => {
                bytes[2] = u8::from(*append);
                4
            }
            // Of no kind that has a name: a terminal would be asked for colours.
            _ => 0,
        };
        // Every right but seeking on streams, which would make the guest take them for files.
        let rights: u64 = if bytes[0] == 0 { 0x1fff_ffff & !0x24 } else { 0x1fff_ffff };
        bytes[8..16].copy_from_slice(&rights.to_le_bytes());
        bytes[16..24].copy_from_slice(&0x1fff_ffffu64.to_le_bytes());
        Ok(self.put(out, &bytes)?)
    }

    fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Answer {
        if let Descriptor::Entry { append, .. } = self.process.get(fd)? {
            *append = flags & 1 != 0;
        }
        Ok(())
    }

    fn fd_fdstat_set_rights(&mut self, fd: u32, _base: u64, _inheriting: u64) -> Answer {
        self.fd_known(fd)
    }

    fn fd_filestat_get(&mut self, fd: u32, out: u32) -> Answer {
        let stat = self.process.stat_fd(fd)?;
        Ok(self.put_stat(out, stat)?)
    }

    fn fd_filestat_set_size(&mut self, fd: u32, size: u64) -> Answer {
        let (mount, node) = match self.process.get(fd)? {
            Descriptor::Entry { mount, body: Body::Memory(node), write: true, .. } => (*mount, *node),
            Descriptor::Entry { body: Body::Host(_), .. } => return Err(Errno::ROFS.into()),
            _ => return Err(Errno::INVAL.into()),
        };
        let folder = self.process.mount(mount)?.writable()?;
        self.cost += size.saturating_sub(folder.stat_node(node)?.size);
        Ok(folder.set_size(node, size)?)
    }

    fn fd_filestat_set_times(&mut self, fd: u32, _access: u64, _modified: u64, _flags: u32) -> Answer {
        self.fd_known(fd)
    }

    fn fd_prestat_get(&mut self, fd: u32, out: u32) -> Answer {
        let mount = match self.process.get(fd)? {
            Descriptor::Entry { mount, preopened: true, .. } => *mount,
            _ => return Err(Errno::BADF.into()),
        };
        let length = u32::try_from(self.process.world.mounts[mount].0.len()).map_err(|_| Errno::NAMETOOLONG)?;
        self.put(out, &0u32.to_le_bytes())?;
        Ok(self.put(out.checked_add(4).ok_or(Errno::FAULT)?, &length.to_le_bytes())?)
    }

    fn fd_prestat_dir_name(&mut self, fd: u32, at: u32, length: u32) -> Answer {
        let mount = match self.process.get(fd)? {
            Descriptor::Entry { mount, preopened: true, .. } => *mount,
            _ => return Err(Errno::BADF.into()),
        };
        let name = self.process.world.mounts[mount].0.clone().into_bytes();
        if name.len() > length as usize {
            return Err(Errno::NAMETOOLONG.into());
        }
        Ok(self.put(at, &name)?)
    }

    fn fd_readdir(&mut self, fd: u32, at: u32, length: u32, cookie: u64, out: u32) -> Answer {
        let (mount, path) = self.process.locate(fd, b".")?;
        let names = self.process.mount(mount)?.list(&path)?;
        self.cost += names.len() as u64;
        let mut used = 0usize;
        let skip = usize::try_from(cookie).unwrap_or(usize::MAX);
        for (index, (name, kind, inode)) in names.iter().enumerate().skip(skip) {
            let mut entry = [0; 24];
            entry[..8].copy_from_slice(&(index as u64 + 1).to_le_bytes());
            entry[8..16].copy_from_slice(&inode.to_le_bytes());
            entry[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap_or(0).to_le_bytes());
            entry[20] = file_type(*kind);
            let buffer = self.bytes_mut(at, length)?;
            // A cut-off last entry tells the guest that there is more.
            for part in [&entry[..], name.as_bytes()] {
                let count = part.len().min(buffer.len() - used);
                buffer[used..used + count].copy_from_slice(&part[..count]);
                used += count;
            }
            if used == buffer.len() {
                break;
            }
        }
        self.cost += used as u64;
        Ok(self.put(out, &u32::try_from(used).unwrap_or(u32::MAX).to_le_bytes())?)
    }

    fn path_open(
        &mut self,
        fd: u32,
        _lookup: u32,
        path: u32,
        length: u32,
        open: u32,
        rights: u64,
        _inheriting: u64,
        flags: u32,
        out: u32,
    ) -> Answer {
        let path = self.path(path, length)?;
        let want = Want {
            create: open & 1 != 0,
            folder: open & 2 != 0,
            exclusive: open & 4 != 0,
            truncate: open & 8 != 0,
            write: rights & 1 << 6 != 0,
        };
        let fd = self.process.open(fd, &path, want, flags & 1 != 0)?;
        Ok(self.put(out, &fd.to_le_bytes())?)
    }

    fn path_filestat_get(&mut self, fd: u32, lookup: u32, path: u32, length: u32, out: u32) -> Answer {
        let path = self.path(path, length)?;
        let (mount, path) = self.process.locate(fd, &path)?;
        let stat = self.process.mount(mount)?.stat(&path, lookup & 1 != 0)?;
        Ok(self.put_stat(out, Some(stat))?)
    }

    fn path_filestat_set_times(
        &mut self,
        fd: u32,
        _lookup: u32,
        path: u32,
        length: u32,
        _access: u64,
        _modified: u64,
        _flags: u32,
    ) -> Answer {
        let path = self.path(path, length)?;
        let (mount, path) = self.process.locate(fd, &path)?;
        let mount = self.process.mount(mount)?;
        mount.stat(&path, true)?;
        mount.writable()?;
        Ok(())
    }

    fn path_create_directory(&mut self, fd: u32, path: u32, length: u32) -> Answer {
        let path = self.path(path, length)?;
        let (mount, path) = self.process.locate(fd, &path)?;
        Ok(self.process.mount(mount)?.writable()?.make_folder(&path)?)
    }

    fn remove(&mut self, fd: u32, path: u32, length: u32, folder: bool) -> Answer {
        let path = self.path(path, length)?;
        let (mount, path) = self.process.locate(fd, &path)?;
        Ok(self.process.mount(mount)?.writable()?.remove(&path, folder)?)
    }

    fn path_remove_directory(&mut self, fd: u32, path: u32, length: u32) -> Answer {
        self.remove(fd, path, length, true)
    }

    fn path_unlink_file(&mut self, fd: u32, path: u32, length: u32) -> Answer {
        self.remove(fd, path, length, false)
    }

    fn path_rename(&mut self, fd: u32, path: u32, length: u32, to_fd: u32, to: u32, to_length: u32) -> Answer {
        let (from, to) = (self.path(path, length)?, self.path(to, to_length)?);
        let (from_mount, from) = self.process.locate(fd, &from)?;
        let (to_mount, to) = self.process.locate(to_fd, &to)?;
        if from_mount != to_mount {
            return Err(Errno(75).into());
        }
        Ok(self.process.mount(from_mount)?.writable()?.rename(&from, &to)?)
    }

    fn path_readlink(&mut self, fd: u32, path: u32, length: u32, at: u32, room: u32, out: u32) -> Answer {
        let path = self.path(path, length)?;
        let (mount, path) = self.process.locate(fd, &path)?;
        let target = self.process.mount(mount)?.read_link(&path)?;
        let target = &target[..target.len().min(room as usize)];
        self.put(at, target)?;
        Ok(self.put(out, &u32::try_from(target.len()).unwrap_or(0).to_le_bytes())?)
    }

    fn path_link(&mut self, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32) -> Answer {
        Err(Errno::NOSYS.into())
    }

    fn path_symlink(&mut self, _: u32, _: u32, _: u32, _: u32, _: u32) -> Answer {
        Err(Errno::NOSYS.into())
    }

    fn proc_exit(&mut self, code: u32) -> Answer {
        Err(Fault::End(Ending::Exit(code.cast_signed())))
    }

    fn proc_raise(&mut self, _signal: u32) -> Answer {
        Err(Errno::NOSYS.into())
    }

    fn sched_yield(&mut self) -> Answer {
        Ok(())
    }

    fn random_get(&mut self, at: u32, length: u32) -> Answer {
        self.cost += u64::from(length);
        let (at, length) = (at as usize, length as usize);
        let buffer = self.memory.get_mut(at..).and_then(|rest| rest.get_mut(..length)).ok_or(Errno::FAULT)?;
        self.process.fill_random(buffer);
        Ok(())
    }

    /// Answers what is ready at once; `Some(deadline)` when there are only clocks to wait for.
    fn poll(&mut self, table: u32, out: u32, count: u32, stored: u32) -> Result<Option<u64>, Fault> {
        if count == 0 || count > MAX_IOVECS {
            return Err(Errno::INVAL.into());
        }
        let now = self.process.now(self.fuel);
        let mut clocks = Vec::new();
        let mut ready = Vec::new();
        for index in 0..count {
            let at = table.checked_add(index * 48).ok_or(Errno::FAULT)?;
            let user = self.long(at)?;
            let tag = self.bytes(at.checked_add(8).ok_or(Errno::FAULT)?, 1)?[0];
            if tag == 0 {
                let timeout = self.long(at.checked_add(24).ok_or(Errno::FAULT)?)?;
                let absolute = self.bytes(at.checked_add(40).ok_or(Errno::FAULT)?, 1)?[0] & 1 != 0;
                clocks.push((user, if absolute { timeout } else { now.saturating_add(timeout) }));
            } else {
                // Files and streams never keep anybody waiting here.
                let fd = self.word(at.checked_add(16).ok_or(Errno::FAULT)?)?;
                let error = self.process.get(fd).err().map_or(0, |error| error.0);
                ready.push((user, error, tag));
            }
        }
        if ready.is_empty() {
            let first = clocks.iter().map(|(_, deadline)| *deadline).min().ok_or(Errno::INVAL)?;
            if first > now {
                if self.process.world.clock.is_some() {
                    return Ok(Some(first));
                }
                self.process.slept = self.process.slept.saturating_add(first - now);
            }
            ready.extend(clocks.iter().filter(|(_, deadline)| *deadline <= first.max(now)).map(|(user, _)| (*user, 0, 0)));
        }
        let mut at = out;
        for (user, error, tag) in &ready {
            let mut event = [0; 32];
            event[..8].copy_from_slice(&user.to_le_bytes());
            event[8..10].copy_from_slice(&error.to_le_bytes());
            event[10] = *tag;
            event[16..24].copy_from_slice(&1u64.to_le_bytes());
            self.put(at, &event)?;
            at = at.checked_add(32).ok_or(Errno::FAULT)?;
        }
        self.put(stored, &u32::try_from(ready.len()).unwrap_or(0).to_le_bytes())?;
        Ok(None)
    }
}

fn file_type(kind: Kind) -> u8 {
    match kind {
        Kind::Other => 0,
        Kind::Folder => 3,
        Kind::File => 4,
        Kind::Link => 7,
    }
}

/// Runs one call against the caller's memory and process, and pays for it.
fn enter<R>(caller: &mut Caller<'_, State>, body: impl FnOnce(&mut Host<'_>) -> Result<R, Fault>) -> wasmtime::Result<Result<R, i32>> {
    let fuel = crate::state::used(&*caller)?;
    let Some(memory) = caller.data().memory else { return Ok(Err(i32::from(Errno::FAULT.0))) };
    let (memory, state) = memory.data_and_store_mut(caller);
    let mut host = Host { memory, process: &mut state.process, shared: &state.shared, fuel, cost: CALL_COST };
    let answer = body(&mut host);
    let cost = host.cost;
    state.owe(cost);
    match answer {
        Ok(value) => Ok(Ok(value)),
        Err(Fault::Errno(errno)) => Ok(Err(i32::from(errno.0))),
        Err(Fault::End(ending)) => Err(ending.into()),
    }
}

type Pending<'a> = Box<dyn Future<Output = wasmtime::Result<i32>> + Send + 'a>;

macro_rules! bind {
    ($linker:ident, $($name:literal => $method:ident($($argument:ident: $wasm:ty as $type:ty),*)),* $(,)?) => {$(
        $linker.func_wrap_async(MODULE, $name, |mut caller: Caller<'_, State>, ($($argument,)*): ($($wasm,)*)| -> Pending<'_> {
            Box::new(async move {
                let result = enter(&mut caller, |host| host.$method($($argument as $type),*))?;
                crate::state::settle(&mut caller).await?;
                Ok(result.err().unwrap_or(0))
            })
        })?;
    )*};
}

/// Defines every function of preview 1.
#[allow(clippy::cast_sign_loss, reason = "the guest's 32 bits are addresses and flags, WASI says unsigned")]
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    bind!(linker,
        "args_get" => args_fill(table: i32 as u32, buffer: i32 as u32),
        "args_sizes_get" => args_sizes_get(count: i32 as u32, size: i32 as u32),
        "environ_get" => environ_get(table: i32 as u32, buffer: i32 as u32),
        "environ_sizes_get" => environ_sizes_get(count: i32 as u32, size: i32 as u32),
        "clock_res_get" => clock_res_get(clock: i32 as u32, out: i32 as u32),
        "clock_time_get" => clock_time_get(clock: i32 as u32, precision: i64 as u64, out: i32 as u32),
        "fd_advise" => fd_advise(fd: i32 as u32, offset: i64 as u64, length: i64 as u64, advice: i32 as u32),
        "fd_allocate" => fd_allocate(fd: i32 as u32, offset: i64 as u64, length: i64 as u64),
        "fd_close" => fd_close(fd: i32 as u32),
        "fd_datasync" => fd_known(fd: i32 as u32),
        "fd_sync" => fd_known(fd: i32 as u32),
        "fd_fdstat_get" => fd_fdstat_get(fd: i32 as u32, out: i32 as u32),
        "fd_fdstat_set_flags" => fd_fdstat_set_flags(fd: i32 as u32, flags: i32 as u32),
        "fd_fdstat_set_rights" => fd_fdstat_set_rights(fd: i32 as u32, base: i64 as u64, inheriting: i64 as u64),
        "fd_filestat_get" => fd_filestat_get(fd: i32 as u32, out: i32 as u32),
        "fd_filestat_set_size" => fd_filestat_set_size(fd: i32 as u32, size: i64 as u64),
        "fd_filestat_set_times" => fd_filestat_set_times(fd: i32 as u32, access: i64 as u64, modified: i64 as u64, flags: i32 as u32),
        "fd_pread" => fd_pread(fd: i32 as u32, table: i32 as u32, count: i32 as u32, at: i64 as u64, out: i32 as u32),
        "fd_prestat_get" => fd_prestat_get(fd: i32 as u32, out: i32 as u32),
        "fd_prestat_dir_name" => fd_prestat_dir_name(fd: i32 as u32, at: i32 as u32, length: i32 as u32),
        "fd_pwrite" => fd_pwrite(fd: i32 as u32, table: i32 as u32, count: i32 as u32, at: i64 as u64, out: i32 as u32),
        "fd_read" => fd_read(fd: i32 as u32, table: i32 as u32, count: i32 as u32, out: i32 as u32),
        "fd_readdir" => fd_readdir(fd: i32 as u32, at: i32 as u32, length: i32 as u32, cookie: i64 as u64, out: i32 as u32),
        "fd_renumber" => fd_renumber(from: i32 as u32, to: i32 as u32),
        "fd_seek" => fd_seek(fd: i32 as u32, offset: i64 as i64, whence: i32 as u32, out: i32 as u32),
        "fd_tell" => fd_tell(fd: i32 as u32, out: i32 as u32),
        "fd_write" => fd_write(fd: i32 as u32, table: i32 as u32, count: i32 as u32, out: i32 as u32),
        "path_create_directory" => path_create_directory(fd: i32 as u32, path: i32 as u32, length: i32 as u32),
        "path_filestat_get" => path_filestat_get(fd: i32 as u32, lookup: i32 as u32, path: i32 as u32, length: i32 as u32, out: i32 as u32),
        "path_filestat_set_times" => path_filestat_set_times(fd: i32 as u32, lookup: i32 as u32, path: i32 as u32, length: i32 as u32, access: i64 as u64, modified: i64 as u64, flags: i32 as u32),
        "path_link" => path_link(fd: i32 as u32, lookup: i32 as u32, path: i32 as u32, length: i32 as u32, to_fd: i32 as u32, to: i32 as u32, to_length: i32 as u32),
        "path_open" => path_open(fd: i32 as u32, lookup: i32 as u32, path: i32 as u32, length: i32 as u32, open: i32 as u32, rights: i64 as u64, inheriting: i64 as u64, flags: i32 as u32, out: i32 as u32),
        "path_readlink" => path_readlink(fd: i32 as u32, path: i32 as u32, length: i32 as u32, at: i32 as u32, room: i32 as u32, out: i32 as u32),
        "path_remove_directory" => path_remove_directory(fd: i32 as u32, path: i32 as u32, length: i32 as u32),
        "path_rename" => path_rename(fd: i32 as u32, path: i32 as u32, length: i32 as u32, to_fd: i32 as u32, to: i32 as u32, to_length: i32 as u32),
        "path_symlink" => path_symlink(target: i32 as u32, target_length: i32 as u32, fd: i32 as u32, path: i32 as u32, length: i32 as u32),
        "path_unlink_file" => path_unlink_file(fd: i32 as u32, path: i32 as u32, length: i32 as u32),
        "proc_raise" => proc_raise(signal: i32 as u32),
        "sched_yield" => sched_yield(),
        "random_get" => random_get(at: i32 as u32, length: i32 as u32),
    );
    linker.func_wrap(MODULE, "proc_exit", |mut caller: Caller<'_, State>, code: i32| -> wasmtime::Result<()> {
        enter(&mut caller, |host| host.proc_exit(code.cast_unsigned())).map(drop)
    })?;
    linker.func_wrap_async(
        MODULE,
        "poll_oneoff",
        |mut caller: Caller<'_, State>, (table, out, count, stored): (i32, i32, i32, i32)| -> Pending<'_> {
            Box::new(async move {
                loop {
                    let polled = enter(&mut caller, |host| {
                        host.poll(table.cast_unsigned(), out.cast_unsigned(), count.cast_unsigned(), stored.cast_unsigned())
                    })?;
                    crate::state::settle(&mut caller).await?;
                    match polled {
                        Err(errno) => return Ok(errno),
                        Ok(None) => return Ok(0),
                        // Real time passes outside; the guest gives way so that its own wall clock is looked at.
                        Ok(Some(_)) => crate::state::nap(&mut caller).await,
                    }
                }
            })
        },
    )?;
    for name in ["sock_accept", "sock_recv", "sock_send", "sock_shutdown"] {
        // The parameters differ, the answer does not: there are no sockets.
        match name {
            "sock_accept" => linker.func_wrap(MODULE, name, |_: i32, _: i32, _: i32| i32::from(Errno::NOSYS.0))?,
            "sock_recv" => linker.func_wrap(MODULE, name, |_: i32, _: i32, _: i32, _: i32, _: i32, _: i32| i32::from(Errno::NOSYS.0))?,
            "sock_send" => linker.func_wrap(MODULE, name, |_: i32, _: i32, _: i32, _: i32, _: i32| i32::from(Errno::NOSYS.0))?,
            _ => linker.func_wrap(MODULE, name, |_: i32, _: i32| i32::from(Errno::NOSYS.0))?,
        };
    }
    Ok(())
}
