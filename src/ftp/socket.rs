//! TCP with a deadline on every wait.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

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

/// A connected TCP socket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// The read timeout that is set.
    patience: Duration,
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
        Ok(Self { stream, patience: Duration::ZERO })
    }

    /// Reads what there is, waiting for the first byte until `deadline`; 0 at the end.
    ///
    /// # Errors
    /// `TimedOut`, or what the connection died of.
    pub fn read(&mut self, buf: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        sync::assert_unlocked();
        loop {
            self.be_patient(at_least_a_millisecond(deadline.left()?))?;
            match self.stream.read(buf) {
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
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
            match self.stream.write(buf) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => buf = &buf[n..],
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The other end.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Whether anything can be read right now: bytes, the end, or an error. An idle control connection has none.
    pub fn has_news(&self) -> bool {
        let mut byte = [0];
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut byte));
        let blocking = self.stream.set_nonblocking(false);
        blocking.is_err() || !matches!(peeked, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }

    /// Ends both directions; a peer that still sends gets a reset.
    pub fn close(self) {
        // The only failure is that the connection is gone already.
        let _ = self.stream.shutdown(Shutdown::Both);
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
