//! A data channel that was opened ahead: the next transfer begins without asking for one.
//!
//! The server has told a port by `EPSV`, and the connection to it has been begun. pyftpdlib closes a listener to which
//! nobody has connected for 30 seconds, so that is done at once. ProFTPD forgets the channel after a transfer that
//! failed: whoever begins one takes the channel away with it.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::socket::Socket;
use crate::base::{Deadline, sync, sys};

/// A connection to a port of the server's, perhaps still on its way there.
#[derive(Debug)]
pub(crate) struct Ready {
    stream: TcpStream,
    since: Instant,
}

impl Ready {
    /// Takes a stream that does not block.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, since: Instant::now() }
    }

    /// Whether the server is likely to know of it still.
    pub(crate) fn is_fresh(&self) -> bool {
        self.since.elapsed() < FRESH
    }

    /// The socket, once it is connected.
    ///
    /// # Errors
    /// `TimedOut`, or what became of the attempt; also where the server has closed it since.
    pub(crate) fn connected(self, deadline: Deadline) -> io::Result<Socket> {
        sync::assert_unlocked();
        let wanted = [(self.stream.as_fd(), sys::Ready::Write)];
        if !sys::wait_ready(&wanted, deadline.left()?)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        // Fails where it never came about.
        self.stream.peer_addr()?;
        match self.stream.peek(&mut [0]) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // Nobody sends anything before a transfer begins: this is the end.
            _ => return Err(io::ErrorKind::ConnectionReset.into()),
        }
        self.stream.set_nonblocking(false)?;
        Socket::new(self.stream)
    }
}

/// Routers and servers forget connections on which nothing happens; the shortest limit seen is 30 s.
const FRESH: Duration = Duration::from_secs(20);
