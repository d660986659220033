//! The only way out of a machine whose network is on: a cable that ends here, in a small TCP of our own, and a proxy
//! with a list of what may be reached.
//!
//! QEMU gets one end of a socket pair and no network of the host's. The guest sees one neighbour, [`GATEWAY`], which
//! answers on one port, [`PORT`], as an HTTP proxy (`CONNECT` and plain requests). Names are resolved here; what they
//! resolve to must be a public address and not one of the host's, whatever the list says.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant as Moment;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use crate::Error;

/// The guest's address.
pub(crate) const GUEST: Ipv4Addr = Ipv4Addr::new(10, 111, 0, 2);
/// Its only neighbour.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 111, 0, 1);
/// The proxy's port.
pub(crate) const PORT: u16 = 3128;

/// The longest Ethernet frame that is taken.
const FRAME: usize = 2048;
/// Frames and bytes that may wait on the way to the guest.
const BACKLOG: usize = 256 * 1024;
/// A connection's buffers, each way.
const BUFFER: usize = 64 * 1024;
/// The longest head of a request.
const HEAD: usize = 8 * 1024;
/// How long a name may take to be resolved and reached.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(120);

/// Whom a machine may reach, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Hosts and ports; nothing else is reached.
    pub allow: Vec<Rule>,
    /// Bytes a second, both ways together.
    pub rate: u64,
    /// Connections at a time, at most 64; as many hosts are looked up and reached at a time.
    pub connections: usize,
}

impl Default for Policy {
    /// Nobody; a megabyte a second over 16 connections.
    fn default() -> Self {
        Self { allow: Vec::new(), rate: 1 << 20, connections: 16 }
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A name, or `*.` and a name for all below it.
    pub host: String,
    /// The ports; 80 and 443 if there is none.
    pub ports: Vec<u16>,
}

impl std::str::FromStr for Rule {
    type Err = Error;

    /// Reads `host`, `*.host` or `host:port`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::Unsupported(format!("{text:?} is no host that could be allowed"));
        let (host, ports) = match text.rsplit_once(':') {
            Some((host, port)) => (host, vec![port.parse().map_err(|_| bad())?]),
            None => (text, Vec::new()),
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || !name.chars().all(fine) {
            return Err(bad());
        }
        Ok(Self { host: host.to_ascii_lowercase(), ports })
    }
}

impl Rule {
    fn allows(&self, host: &str, port: u16) -> bool {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let named = match self.host.strip_prefix("*.") {
            Some(domain) => name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
            None => name == self.host,
        };
        named && if self.ports.is_empty() { matches!(port, 80 | 443) } else { self.ports.contains(&port) }
    }
}

/// Whether an address is one of the public network's, and so not the host's, its neighbours' or a cloud's own.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| is_public_v6(v6), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Only what is handed out for the public network at all, without tunnels that hide another address.
    let [a, b, ..] = address.segments();
    (a & 0xe000) == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0xdb8))
}

/// Whether an address is one of this host's interfaces. From inside, what a firewall keeps from the public would be open there.
fn is_own(address: IpAddr) -> bool {
    let binds = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    // An address for documentation belongs to nobody: a host that binds it binds anything, and then the way there tells.
    let nobody = if address.is_ipv4() { IpAddr::from([192, 0, 2, 1]) } else { IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]) };
    if !binds(nobody) {
        return binds(address);
    }
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let way = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    way.is_ok_and(|from| from.ip() == address)
}

/// The host's end of a machine's cable. Dropped, the cable is cut.
#[derive(Debug)]
pub(crate) struct Cable {
    stop: Arc<AtomicBool>,
    stream: UnixStream,
}

impl Cable {
    /// A cable, and the end for QEMU.
    pub(crate) fn new(policy: Policy) -> Result<(Self, OwnedFd), Error> {
        let failed = |error| Error::io("a network cable", error);
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let stop = Arc::new(AtomicBool::new(false));
        let switch = Switch::new(ours.try_clone().map_err(failed)?, policy, Arc::clone(&stop));
        std::thread::Builder::new().name("oubliette-net".to_owned()).spawn(move || switch.run()).map_err(failed)?;
        Ok((Self { stop, stream: ours }, theirs.into()))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

/// Ethernet over QEMU's stream: four bytes of length, then a frame.
struct Wire {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    cut: bool,
}

impl Wire {
    /// Reads what there is, up to a limit.
    fn fill(&mut self) {
        let mut bytes = [0; 16 * 1024];
        while self.incoming.len() < BACKLOG && !self.cut {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.cut = true,
                Ok(count) => self.incoming.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut |= error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }

    fn flush(&mut self) {
        while !self.outgoing.is_empty() && !self.cut {
            match self.stream.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.cut |= error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }

    /// The next whole frame. A length that cannot be ends the cable: there is no way to find the next one.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let header = self.incoming.first_chunk::<4>()?;
        let length = u32::from_be_bytes(*header) as usize;
        if length == 0 || length > FRAME {
            self.cut = true;
            return None;
        }
        let frame = self.incoming.get(4..4 + length)?.to_vec();
        self.incoming.drain(..4 + length);
        Some(frame)
    }
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

struct Sending<'a>(&'a mut Vec<u8>);

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        // What does not fit is lost, as on any cable.
        if self.0.len() < BACKLOG {
            self.0.extend(u32::try_from(length).unwrap_or(0).to_be_bytes());
            self.0.extend(frame);
        }
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _now: Moment) -> Option<(Received, Sending<'_>)> {
        let frame = self.frame()?;
        Some((Received(frame), Sending(&mut self.outgoing)))
    }

    fn transmit(&mut self, _now: Moment) -> Option<Sending<'_>> {
        Some(Sending(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// What one connection of the guest's is doing.
enum Stage {
    /// Waiting for the head of a request.
    Asking(Vec<u8>),
    /// The host is being looked up and reached; what is sent on first, and whether the guest is told that it is open.
    Reaching { result: Receiver<Result<TcpStream, String>>, first: Vec<u8>, tunnel: bool },
    /// Bytes go both ways.
    Open { upstream: TcpStream, to_upstream: Vec<u8>, upstream_ended: bool, guest_ended: bool },
    /// The last words are on their way.
    Closing,
}

struct Line {
    handle: SocketHandle,
    stage: Stage,
    heard: Instant,
}

struct Switch {
    wire: Wire,
    policy: Policy,
    stop: Arc<AtomicBool>,
    /// Bytes that may still pass, and when that was reckoned.
    tokens: u64,
    reckoned: Instant,
    /// Hosts that are being reached, also those that nobody waits for any more.
    reaching: Arc<AtomicUsize>,
}

impl Switch {
    fn new(stream: UnixStream, policy: Policy, stop: Arc<AtomicBool>) -> Self {
        let wire = Wire { stream, incoming: Vec::new(), outgoing: Vec::new(), cut: false };
        Self { wire, tokens: policy.rate, policy, stop, reckoned: Instant::now(), reaching: Arc::default() }
    }

    fn run(mut self) {
        let start = Instant::now();
        let moment = |at: Instant| Moment::from_micros(i64::try_from(at.duration_since(start).as_micros()).unwrap_or(i64::MAX));
        let address = HardwareAddress::Ethernet(EthernetAddress([0x52, 0x54, 0, 0x6f, 0x75, 0x01]));
        let mut config = Config::new(address);
        config.random_seed = u64::from(std::process::id()) ^ 0x6f75_626c;
        let mut interface = Interface::new(config, &mut self.wire, moment(start));
        interface.update_ip_addrs(|addresses| {
            // There is room for the first address.
            let _ = addresses.push(IpCidr::new(GATEWAY.into(), 24));
        });
        let mut sockets = SocketSet::new(Vec::new());
        let mut lines: Vec<Line> = (0..self.policy.connections.clamp(1, 64))
            .map(|_| {
                let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
                let handle = sockets.add(tcp::Socket::new(buffer(), buffer()));
                Line { handle, stage: Stage::Asking(Vec::new()), heard: start }
            })
            .collect();
        while !self.stop.load(Ordering::Relaxed) && !self.wire.cut {
            let now = Instant::now();
            self.refill(now);
            self.wire.fill();
            interface.poll(moment(now), &mut self.wire, &mut sockets);
            for line in &mut lines {
                self.attend(line, sockets.get_mut::<tcp::Socket<'_>>(line.handle), now);
            }
            interface.poll(moment(now), &mut self.wire, &mut sockets);
            self.wire.flush();
            let delay = interface.poll_delay(moment(now), &sockets).map_or(50_000, |delay| delay.total_micros().min(50_000));
            self.wait(&lines, &sockets, delay);
        }
    }

    fn refill(&mut self, now: Instant) {
        let micros = u64::try_from(now.duration_since(self.reckoned).as_micros()).unwrap_or(u64::MAX);
        let more = self.policy.rate.saturating_mul(micros) / 1_000_000;
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(self.policy.rate);
            self.reckoned = now;
        }
    }

    /// Sleeps until something can move.
    fn wait(&self, lines: &[Line], sockets: &SocketSet<'_>, micros: u64) {
        let mut wanted = PollFlags::IN;
        if !self.wire.outgoing.is_empty() {
            wanted |= PollFlags::OUT;
        }
        let mut fds = vec![PollFd::from_borrowed_fd(self.wire.stream.as_fd(), wanted)];
        let mut least = micros;
        for line in lines {
            match &line.stage {
                Stage::Open { upstream, upstream_ended, to_upstream, .. } if self.tokens > 0 => {
                    let mut flags = PollFlags::empty();
                    // An upstream that can be read while the guest reads nothing would be ready for ever.
                    if !upstream_ended && room(sockets.get::<tcp::Socket<'_>>(line.handle)) > 0 {
                        flags |= PollFlags::IN;
                    }
                    if !to_upstream.is_empty() {
                        flags |= PollFlags::OUT;
                    }
                    if !flags.is_empty() {
                        fds.push(PollFd::new(upstream, flags));
                    }
                    least = least.min(20_000);
                }
                Stage::Open { .. } | Stage::Reaching { .. } => least = least.min(10_000),
                Stage::Asking(_) | Stage::Closing => {}
            }
        }
        let time = Timespec { tv_sec: 0, tv_nsec: i64::try_from(least.max(500)).unwrap_or(500) * 1000 };
        let _ = poll(&mut fds, Some(&time));
    }

    /// Moves one connection on.
    fn attend(&mut self, line: &mut Line, socket: &mut tcp::Socket<'_>, now: Instant) {
        if !socket.is_open() {
            line.stage = Stage::Asking(Vec::new());
            line.heard = now;
            // A socket that is closed can always listen.
            let _ = socket.listen(PORT);
            return;
        }
        // Until it is established there is nothing to read, and that is not its end.
        if !socket.is_active() || socket.state() == tcp::State::SynReceived {
            line.heard = now;
            return;
        }
        if now.duration_since(line.heard) > SILENCE {
            socket.abort();
            return;
        }
        let stage = std::mem::replace(&mut line.stage, Stage::Closing);
        line.stage = match stage {
            Stage::Asking(head) => self.ask(head, socket, line, now),
            Stage::Reaching { result, first, tunnel } => match result.try_recv() {
                Err(TryRecvError::Empty) => Stage::Reaching { result, first, tunnel },
                Ok(Ok(upstream)) => {
                    line.heard = now;
                    if tunnel {
                        say(socket, "200 Connection established", "");
                    }
                    Stage::Open { upstream, to_upstream: first, upstream_ended: false, guest_ended: false }
                }
                Ok(Err(why)) => refuse(socket, "502 Bad Gateway", &why),
                Err(TryRecvError::Disconnected) => refuse(socket, "502 Bad Gateway", "it could not be reached"),
            },
            Stage::Open { upstream, to_upstream, upstream_ended, guest_ended } => {
                self.shuttle(upstream, to_upstream, upstream_ended, guest_ended, socket, &mut line.heard, now)
            }
            Stage::Closing => {
                socket.close();
                Stage::Closing
            }
        };
    }

    fn ask(&mut self, mut head: Vec<u8>, socket: &mut tcp::Socket<'_>, line: &mut Line, now: Instant) -> Stage {
        // No more than a head at a time: what follows it is sent on at the rate of everything else.
        let most = allowance(self.tokens).min(HEAD + 1 - head.len());
        let arrived = take(socket, most);
        if !arrived.is_empty() {
            line.heard = now;
            self.tokens -= arrived.len() as u64;
            head.extend(arrived);
        }
        let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") else {
            if head.len() > HEAD {
                return refuse(socket, "431 Request Header Fields Too Large", "");
            }
            if !socket.may_recv() {
                socket.close();
                return Stage::Closing;
            }
            return Stage::Asking(head);
        };
        let rest = head.split_off(end + 4);
        match Request::read(&head) {
            None => refuse(socket, "400 Bad Request", "this is a proxy: CONNECT, or a whole address"),
            Some(request) if !self.policy.allow.iter().any(|rule| rule.allows(&request.host, request.port)) => {
                tracing::info!(host = request.host, port = request.port, "a machine was refused the network");
                refuse(socket, "403 Forbidden", &format!("{}:{} is not on the list", request.host, request.port))
            }
            // A guest that hangs up while a host is being reached leaves the thread behind that reaches it, so threads are counted, not lines.
            Some(_) if self.reaching.load(Ordering::Acquire) >= self.policy.connections.clamp(1, 64) => {
                refuse(socket, "503 Service Unavailable", "too many hosts are being reached")
            }
            Some(request) => {
                let (answer, result) = sync_channel(1);
                let (host, port) = (request.host, request.port);
                let counted = Counted::new(&self.reaching);
                // Looking up and connecting block, so they have a thread of their own, with an end.
                let spawned = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || {
                    drop(answer.send(reach(&host, port)));
                    drop(counted);
                });
                if spawned.is_err() {
                    return refuse(socket, "503 Service Unavailable", "");
                }
                let tunnel = request.first.is_empty();
                let mut first = request.first;
                first.extend(rest);
                Stage::Reaching { result, first, tunnel }
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // the parts of one stage
    fn shuttle(
        &mut self,
        mut upstream: TcpStream,
        mut to_upstream: Vec<u8>,
        mut upstream_ended: bool,
        mut guest_ended: bool,
        socket: &mut tcp::Socket<'_>,
        heard: &mut Instant,
        now: Instant,
    ) -> Stage {
        if to_upstream.len() < BUFFER && self.tokens > 0 && socket.can_recv() {
            let most = (BUFFER - to_upstream.len()).min(allowance(self.tokens));
            let taken = take(socket, most);
            self.tokens -= taken.len() as u64;
            if !taken.is_empty() {
                *heard = now;
            }
            to_upstream.extend(taken);
        }
        while !to_upstream.is_empty() {
            match upstream.write(&to_upstream) {
                Ok(count) => drop(to_upstream.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    socket.abort();
                    return Stage::Closing;
                }
            }
        }
        if !socket.may_recv() && to_upstream.is_empty() && !guest_ended {
            guest_ended = true;
            drop(upstream.shutdown(Shutdown::Write));
        }
        let room = room(socket).min(allowance(self.tokens)).min(16 * 1024);
        if !upstream_ended && room > 0 {
            let mut bytes = vec![0; room];
            match upstream.read(&mut bytes) {
                Ok(0) => upstream_ended = true,
                Ok(count) => {
                    self.tokens -= count as u64;
                    *heard = now;
                    // There is room for it.
                    let _ = socket.send_slice(&bytes[..count]);
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                // The guest must not take what broke off for the whole.
                Err(_) => {
                    socket.abort();
                    return Stage::Closing;
                }
            }
        }
        if upstream_ended {
            socket.close();
            return Stage::Closing;
        }
        Stage::Open { upstream, to_upstream, upstream_ended, guest_ended }
    }
}

/// One more in a count, as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn allowance(tokens: u64) -> usize {
    usize::try_from(tokens).unwrap_or(usize::MAX)
}

/// Bytes from the guest, at most so many.
fn take(socket: &mut tcp::Socket<'_>, most: usize) -> Vec<u8> {
    let taken = socket.recv(|bytes| {
        let count = bytes.len().min(most);
        (count, bytes[..count].to_vec())
    });
    taken.unwrap_or_default()
}

/// How many bytes more may wait for the guest.
fn room(socket: &tcp::Socket<'_>) -> usize {
    if socket.may_send() { socket.send_capacity() - socket.send_queue() } else { 0 }
}

fn say(socket: &mut tcp::Socket<'_>, status: &str, body: &str) {
    let close = if status.starts_with("200") { "" } else { "Connection: close\r\n" };
    let text = format!("HTTP/1.1 {status}\r\n{close}\r\n{body}");
    // An empty send buffer has room for it.
    let _ = socket.send_slice(text.as_bytes());
}

fn refuse(socket: &mut tcp::Socket<'_>, status: &str, why: &str) -> Stage {
    say(socket, status, &format!("oubliette: {why}\n"));
    Stage::Closing
}

/// What a guest asks the proxy for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    host: String,
    port: u16,
    /// What is sent on first; empty for `CONNECT`.
    first: Vec<u8>,
}

impl Request {
    /// Reads the head of a request; `None` if it is none for a proxy.
    fn read(head: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(head).ok()?;
        // A lone line feed begins a line for some servers, and so a header that was not looked at.
        if text.split("\r\n").any(|line| line.chars().any(|c| c.is_control() && c != '\t')) {
            return None;
        }
        let (line, headers) = text.split_once("\r\n")?;
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !version.starts_with("HTTP/1.") || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return None;
        }
        if method == "CONNECT" {
            let (host, port) = target.rsplit_once(':')?;
            return Some(Self { host: checked(host)?, port: port.parse().ok()?, first: Vec::new() });
        }
        let rest = target.strip_prefix("http://")?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, 80),
        };
        let host = checked(host)?;
        // The name that was checked is the name that is sent, and one request is all that goes over this connection.
        let mut first = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
        for header in headers.split("\r\n").filter(|header| !header.is_empty()) {
            let (name, _) = header.split_once(':')?;
            // Likewise a name with blanks around it, which also continues the line before.
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
                return None;
            }
            let own = ["host", "connection", "proxy-connection", "keep-alive", "proxy-authorization"];
            if !own.contains(&name.to_ascii_lowercase().as_str()) {
                first += &format!("{header}\r\n");
            }
        }
        first += "\r\n";
        Some(Self { host, port, first: first.into_bytes() })
    }
}

/// A host's name with nothing in it that a name does not have.
fn checked(host: &str) -> Option<String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_';
    (!host.is_empty() && host.len() < 254 && host.chars().all(fine)).then(|| host.to_owned())
}

/// Looks a host up and connects to the first public address that answers.
fn reach(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let public: Vec<SocketAddr> = addresses.filter(|address| is_public(address.ip()) && !is_own(address.ip())).collect();
    if public.is_empty() {
        return Err(format!("{host} has no public address"));
    }
    let deadline = Instant::now() + CONNECT;
    let mut last = String::new();
    for address in public {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                return stream.set_nonblocking(true).map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => last = format!("{host}: {error}"),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_means_what_it_says() {
        let rule: Rule = "*.debian.org".parse().expect("a rule");
        assert!(rule.allows("deb.debian.org", 443) && rule.allows("DEB.Debian.org.", 80));
        assert!(!rule.allows("debian.org", 443) && !rule.allows("evildebian.org", 443) && !rule.allows("deb.debian.org", 22));
        let rule: Rule = "example.com:8080".parse().expect("a rule");
        assert!(rule.allows("example.com", 8080) && !rule.allows("example.com", 443) && !rule.allows("a.example.com", 8080));
        for bad in ["", "*.", "a b", "x:y", "http://x", "*"] {
            assert!(bad.parse::<Rule>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_public_addresses_are_reached() {
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.69.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
        for public in ["8.8.8.8", "151.101.2.132", "2a04:4e42::644"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn what_may_pass_grows_with_time_and_waits_a_second_at_most() {
        let (stream, _other) = UnixStream::pair().expect("a pair");
        let mut switch = Switch::new(stream, Policy { rate: 1000, ..Policy::default() }, Arc::default());
        let start = switch.reckoned;
        assert_eq!(switch.tokens, 1000);
        switch.tokens = 0;
        switch.refill(start + Duration::from_micros(900));
        assert_eq!(switch.tokens, 0, "not yet a byte");
        let mut passed = 0;
        for step in 1..=2000u64 {
            switch.refill(start + Duration::from_micros(step * 1700));
            passed += std::mem::take(&mut switch.tokens);
            assert!(passed <= step * 17 / 10, "{passed} bytes after {step} steps");
        }
        switch.refill(start + Duration::from_secs(3600));
        assert_eq!(switch.tokens, 1000, "what was not used is lost");
    }

    #[test]
    fn requests_are_read_and_made_safe() {
        let request = Request::read(b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: x\r\n\r\n").expect("one");
        assert_eq!((request.host.as_str(), request.port, request.first.len()), ("pypi.org", 443, 0));
        let request =
            Request::read(b"GET http://a.org/b?c HTTP/1.1\r\nHost: other\r\nX: y\r\nProxy-Connection: keep-alive\r\n\r\n").expect("one");
        let text = String::from_utf8(request.first).expect("text");
        assert_eq!(text, "GET /b?c HTTP/1.1\r\nHost: a.org\r\nConnection: close\r\nX: y\r\n\r\n");
        for bad in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"GET http://a b/ HTTP/1.1\r\n\r\n",
            b"CONNECT [::1]:80 HTTP/1.1\r\n\r\n",
            b"CONNECT a HTTP/1.1\r\n\r\n",
            b"get http://a/ HTTP/1.1\r\n\r\n",
            b"\xff\r\n\r\n",
            b"GET http://user@a/ HTTP/1.1\r\n\r\n",
            b"GET http://a/\nHost:b HTTP/1.1\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nX: y\nHost: b\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nHost : b\r\n\r\n",
            b"GET http://a/ HTTP/1.1\r\nX: y\r\n Host: b\r\n\r\n",
        ] {
            assert_eq!(Request::read(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
