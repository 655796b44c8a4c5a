//! TCP with a deadline on every wait, and TLS on top of it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustls::ClientConnection;
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

use super::tls::layer::{Layer, Shake};
use crate::base::sys::{self, Ready};
use crate::base::{Deadline, sync};
use crate::config::Family;

/// How connections come about; tests hand in their own.
pub trait Dialer: Send + Sync {
    /// Addresses of `host`, in the order to be tried.
    ///
    /// # Errors
    /// What the resolver says, or `TimedOut`.
    fn resolve(&self, host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>>;

    /// Connects to `to`.
    ///
    /// # Errors
    /// What `connect(2)` says, or `TimedOut`.
    fn dial(&self, to: SocketAddr, deadline: Deadline) -> io::Result<Socket>;

    /// Begins to connect to `to` without waiting for it; the stream does not block.
    ///
    /// # Errors
    /// What `connect(2)` says at once.
    fn start(&self, to: SocketAddr) -> io::Result<TcpStream>;

    /// Listens at the address of `at`, whose port is of no account, on one of `ports`, or on any where None. The listener
    /// does not block.
    ///
    /// # Errors
    /// What `bind(2)` says of the last port that was tried.
    fn listen(&self, at: SocketAddr, ports: Option<&RangeInclusive<u16>>) -> io::Result<TcpListener>;
}

/// The machine's own network.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Address families to use.
    pub family: Family,
}

impl Dialer for Network {
    fn resolve(&self, host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
        let found = lookup(host.to_owned(), port, deadline)?;
        let wanted: Vec<_> = found
            .into_iter()
            .filter(|a| match self.family {
                Family::Any => true,
                Family::V4 => a.is_ipv4(),
                Family::V6 => a.is_ipv6(),
            })
            .collect();
        if wanted.is_empty() { Err(io::Error::new(io::ErrorKind::NotFound, "no usable address")) } else { Ok(wanted) }
    }

    fn dial(&self, to: SocketAddr, deadline: Deadline) -> io::Result<Socket> {
        sync::assert_unlocked();
        Socket::new(TcpStream::connect_timeout(&to, deadline.left()?)?)
    }

    fn start(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&to.into()) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock && e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(socket.into()),
        }
    }

    fn listen(&self, mut at: SocketAddr, ports: Option<&RangeInclusive<u16>>) -> io::Result<TcpListener> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in ports.cloned().unwrap_or(0..=0) {
            at.set_port(port);
            match TcpListener::bind(at) {
                Ok(listener) => {
                    listener.set_nonblocking(true)?;
                    return Ok(listener);
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }
}

/// `getaddrinfo(3)` knows no deadline: a thread of its own asks, and is left behind if it takes too long.
fn lookup(host: String, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    sync::assert_unlocked();
    let (tell, hear) = mpsc::sync_channel(1);
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let answer = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody listens any more if the deadline came first.
        let _ = tell.send(answer);
    })?;
    hear.recv_timeout(deadline.left()?).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A connected TCP socket, with or without TLS on it.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// The read timeout that is set.
    patience: Duration,
    tls: Option<Box<Layer>>,
}

impl Socket {
    /// Takes over a connected stream and sets what every connection of ours has: no Nagle delay, TCP keepalive.
    ///
    /// # Errors
    /// If the options cannot be set: the connection is already gone.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self { stream, patience: Duration::ZERO, tls: None })
    }

    /// Encrypts everything from here on.
    ///
    /// # Errors
    /// `TimedOut`, a [`Trouble`](super::tls::Trouble), or what the connection died of.
    pub(super) fn start_tls(self, tls: ClientConnection, deadline: Deadline) -> io::Result<Self> {
        let mut shaking = Shaking::new(self, tls)?;
        loop {
            match shaking.go_on()? {
                Shake::Done => return shaking.finish(),
                step => drop(shaking.wait(step, &[], deadline)?),
            }
        }
    }

    /// Whether TLS took up the session of an earlier connection again.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_resumed())
    }

    /// How long the other end takes to answer.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        sys::round_trip(self.stream.as_fd())
    }

    /// Whether it is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads what there is, waiting for the first byte until `deadline`; 0 at the end, which TLS has to announce.
    ///
    /// # Errors
    /// `TimedOut`, or what the connection died of; `UnexpectedEof` where TLS ends without a close_notify.
    pub fn read(&mut self, buf: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        sync::assert_unlocked();
        loop {
            if let Some(tls) = &mut self.tls
                && let Some(n) = tls.take(buf)?
            {
                return Ok(n);
            }
            let left = at_least_a_millisecond(deadline.left()?);
            self.be_patient(left)?;
            let done = match &mut self.tls {
                None => self.stream.read(buf),
                Some(tls) => {
                    let fed = tls.feed(&mut self.stream);
                    if tls.wants_write() {
                        // A new key of the other side's, or an alert that tells it why we leave.
                        self.stream.set_write_timeout(Some(left))?;
                        tls.push(&mut self.stream)?;
                    }
                    match fed {
                        Ok(_) => continue,
                        Err(e) => Err(e),
                    }
                }
            };
            match done {
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                done => return done,
            }
        }
    }

    /// Reads what is there already; None where that is nothing.
    ///
    /// # Errors
    /// What the connection died of.
    pub(super) fn read_now(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        self.stream.set_nonblocking(true)?;
        let got = self.read_without_waiting(buf);
        self.stream.set_nonblocking(false)?;
        match got {
            Ok(n) => Ok(Some(n)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn read_without_waiting(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let done = match &mut self.tls {
                None => self.stream.read(buf),
                Some(tls) => match tls.take(buf)? {
                    Some(n) => return Ok(n),
                    None => match tls.feed(&mut self.stream) {
                        Ok(_) => continue,
                        Err(e) => Err(e),
                    },
                },
            };
            match done {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Sets the read timeout, unless what is set is as good: a transfer reads with the same one again and again.
    fn be_patient(&mut self, left: Duration) -> io::Result<()> {
        if self.patience.abs_diff(left) > SAME_PATIENCE || self.patience.is_zero() {
            self.stream.set_read_timeout(Some(left))?;
            self.patience = left;
        }
        Ok(())
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    /// `TimedOut`, or what the connection died of; some of `buf` may have left.
    pub fn write_all(&mut self, mut buf: &[u8], deadline: Deadline) -> io::Result<()> {
        sync::assert_unlocked();
        while !buf.is_empty() {
            self.stream.set_write_timeout(Some(at_least_a_millisecond(deadline.left()?)))?;
            let done = match &mut self.tls {
                None => self.stream.write(buf),
                Some(tls) => {
                    let taken = tls.put(buf)?;
                    buf = &buf[taken..];
                    self.push(deadline)?;
                    continue;
                }
            };
            match done {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => buf = &buf[n..],
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Writes as much of `buf` as it can, waiting for room until `deadline`, and stops early where something can be read
    /// at `other`. How much was taken; under TLS some of that may still wait to be sent, unless `buf` is empty.
    ///
    /// # Errors
    /// `TimedOut` where there was no room at all, or what the connection died of.
    pub(super) fn write_watching(
        &mut self,
        buf: &[u8],
        other: BorrowedFd<'_>,
        deadline: Deadline,
    ) -> io::Result<Written> {
        sync::assert_unlocked();
        self.stream.set_nonblocking(true)?;
        let done = self.write_without_blocking(buf, other, deadline);
        self.stream.set_nonblocking(false)?;
        done
    }

    fn write_without_blocking(&mut self, buf: &[u8], other: BorrowedFd<'_>, deadline: Deadline) -> io::Result<Written> {
        let (mut taken, mut waited) = (0, false);
        loop {
            let done = match &mut self.tls {
                None if taken == buf.len() => return Ok(Written { taken, stopped: false }),
                None => self.stream.write(&buf[taken..]),
                Some(tls) => {
                    let more = tls.put(&buf[taken..])?;
                    taken += more;
                    match tls.push(&mut self.stream) {
                        Ok(()) if taken == buf.len() => return Ok(Written { taken, stopped: false }),
                        Ok(()) => Ok(0),
                        // What waits is little: it goes with the next bytes, or with the end.
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock && taken == buf.len() && taken > 0 => {
                            return Ok(Written { taken, stopped: false });
                        }
                        Err(e) => Err(e),
                    }
                }
            };
            match done {
                Ok(0) if self.tls.is_none() => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => taken += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    // Progress is for the caller to see: it makes a new deadline of it.
                    if taken > 0 || waited {
                        // After a wait there is either room, or news of the other one.
                        return Ok(Written { taken, stopped: taken == 0 });
                    }
                    let wanted = [(self.stream.as_fd(), Ready::Write), (other, Ready::Read)];
                    if !sys::wait_ready(&wanted, deadline.left()?)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    waited = true;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes in what the other end has said meanwhile, which for data on its way there can only be tickets of TLS.
    pub(super) fn take_tickets(&mut self) {
        if self.tls.is_some() {
            let _ = self.read_now(&mut [0; 16]);
        }
    }

    /// Sends all records that wait; one that has left in part goes on where it stopped.
    fn push(&mut self, deadline: Deadline) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            self.stream.set_write_timeout(Some(at_least_a_millisecond(deadline.left()?)))?;
            match tls.push(&mut self.stream) {
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// Tells the other end that everything has been written: close_notify under TLS, and the end of the stream.
    ///
    /// # Errors
    /// `TimedOut`, or what the connection died of.
    pub fn end_writing(&mut self, deadline: Deadline) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.put_close();
            self.push(deadline)?;
        }
        self.stream.shutdown(Shutdown::Write)
    }

    /// The other end.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// This end.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Whether something has arrived: bytes, the end, or an error. An idle control connection has none, but TLS may have
    /// sent tickets for later sessions, which are taken in.
    pub fn has_news(&mut self) -> bool {
        let mut byte = [0];
        if self.tls.is_some() {
            return !matches!(self.read_now(&mut byte), Ok(None));
        }
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut byte));
        let blocking = self.stream.set_nonblocking(false);
        blocking.is_err() || !matches!(peeked, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Bytes that have not left this machine yet; of no use under TLS, which holds some back.
    ///
    /// # Errors
    /// What ioctl(2) says.
    pub(super) fn unsent(&self) -> io::Result<usize> {
        sys::unsent(self.stream.as_fd())
    }

    /// Ends it at once and lets the peer know: what has not arrived is lost.
    pub(super) fn reset(self) {
        if let Err(e) = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)) {
            log::debug!("no reset: {e}");
        }
    }

    /// Ends both directions; a peer that still sends gets a reset.
    pub fn close(mut self) {
        // Neither failure matters to anybody: the connection is gone already, or its buffers are full.
        if let Some(tls) = &mut self.tls
            && self.stream.set_nonblocking(true).is_ok()
        {
            tls.put_close();
            let _ = tls.push(&mut self.stream);
        }
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// How far a write has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) taken: usize,
    /// Something has arrived elsewhere.
    pub(super) stopped: bool,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A socket that is being encrypted; its stream does not block meanwhile, so that others can be watched as well.
#[derive(Debug)]
pub(super) struct Shaking {
    socket: Socket,
    layer: Box<Layer>,
}

impl Shaking {
    pub(super) fn new(socket: Socket, tls: ClientConnection) -> io::Result<Self> {
        socket.stream.set_nonblocking(true)?;
        Ok(Self { socket, layer: Box::new(Layer::new(tls)) })
    }

    /// Goes as far as it can without waiting.
    pub(super) fn go_on(&mut self) -> io::Result<Shake> {
        self.layer.shake(&mut self.socket.stream)
    }

    /// Waits for what `step` needs, or until one of `others` can be read.
    pub(super) fn wait(&self, step: Shake, others: &[BorrowedFd<'_>], deadline: Deadline) -> io::Result<()> {
        sync::assert_unlocked();
        let ready = if step == Shake::Writes { Ready::Write } else { Ready::Read };
        let mut wanted = vec![(self.socket.as_fd(), ready)];
        wanted.extend(others.iter().map(|fd| (*fd, Ready::Read)));
        if sys::wait_ready(&wanted, deadline.left()?)? { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    /// The socket, once the handshake is done.
    pub(super) fn finish(mut self) -> io::Result<Socket> {
        self.socket.stream.set_nonblocking(false)?;
        self.socket.tls = Some(self.layer);
        Ok(self.socket)
    }
}

/// A socket timeout of zero would mean "for ever".
fn at_least_a_millisecond(span: Duration) -> Duration {
    span.max(Duration::from_millis(1))
}

/// Deadlines this near to each other are the same.
const SAME_PATIENCE: Duration = Duration::from_millis(5);

/// Quiet time before the kernel asks whether the peer still lives: below the few minutes after which NATs forget.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
