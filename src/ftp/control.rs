//! The control connection: commands out, replies in, in step or not at all.
//!
//! A [`Control`] is owned by one request at a time. Whoever sees an error from it drops it: after one lost or extra
//! reply nobody knows any more which reply belongs to which command.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use log::debug;
use zeroize::Zeroizing;

use super::classify::{Verdict, classify, refusal};
use super::command::Command;
use super::dialect::Dialect;
use super::reply::{Reply, ReplyParser};
use super::socket::Socket;
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Result, Retry};

/// A logged-in (or not yet logged-in) control connection.
#[derive(Debug)]
pub(crate) struct Control {
    socket: Socket,
    parser: ReplyParser,
    /// What has arrived and belongs to no complete reply yet.
    received: Vec<u8>,
    dialect: Arc<Dialect>,
    /// Counts the connections of this process, for the log.
    id: u64,
    /// Where the other end is: data connections go nowhere else.
    peer: IpAddr,
    /// It has been idle, and nothing has been heard of it since: a NAT may have forgotten it without a word.
    doubtful: bool,
    /// When it was last given back to the pool.
    pub(crate) idle_since: Instant,
}

impl Control {
    pub(crate) fn new(socket: Socket, dialect: Arc<Dialect>, id: u64) -> Result<Self> {
        let peer = socket.peer().map_err(|e| Error::io("connect", e))?.ip();
        Ok(Self {
            socket,
            parser: ReplyParser::default(),
            received: Vec::new(),
            dialect,
            id,
            peer,
            doubtful: false,
            idle_since: Instant::now(),
        })
    }

    /// What this server does.
    pub(crate) fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// The server's address as this connection reached it.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whether something arrived that nobody asked for: a 421, a late reply, the end. Such a connection is not used.
    pub(crate) fn has_news(&self) -> bool {
        !self.received.is_empty() || self.socket.has_news()
    }

    /// Marks it as one that has been idle: its first reply must come soon, or another connection is to be tried.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Sends `commands` in one segment.
    pub(crate) fn send(&mut self, commands: &[Command<'_>], deadline: Deadline) -> Result<()> {
        let verb = commands.first().map_or("send", Command::verb);
        let software = self.dialect.software();
        // Wiped when done: a login's password goes through it.
        let mut line = Zeroizing::new(Vec::with_capacity(commands.iter().map(|c| c.encoded_len(software.iac())).sum()));
        for command in commands {
            if command.encoded_len(software.iac()) > software.line_limit() {
                return Err(Error::new(ErrorKind::NameTooLong, verb));
            }
            debug!("[{}] > {command}", self.id);
            command.encode(software.iac(), &mut line);
        }
        self.socket.write_all(&line, deadline).map_err(|e| Error::io(verb, e).with_retry(Retry::IfReused))
    }

    /// Reads one reply to `verb`, preliminary ones included. A 421 means that the server is about to hang up.
    pub(crate) fn reply(&mut self, verb: &'static str, deadline: Deadline) -> Result<Reply> {
        if self.doubtful {
            let share = deadline.left().map_err(|e| Error::io(verb, e))? / DOUBTFUL_SHARE;
            let reply = self.next_reply(verb, deadline.min_after(share));
            return match reply {
                Err(e) if e.kind == ErrorKind::TimedOut => {
                    Err(Error::new(ErrorKind::Unreachable, verb).because(e).with_retry(Retry::IfReused))
                }
                done => {
                    self.doubtful = false;
                    done
                }
            };
        }
        self.next_reply(verb, deadline)
    }

    fn next_reply(&mut self, verb: &'static str, deadline: Deadline) -> Result<Reply> {
        loop {
            match self.parser.advance(&self.received) {
                Ok(Some((reply, used))) => {
                    self.received.drain(..used);
                    debug!("[{}] < {reply}", self.id);
                    if !fits(verb, reply.code.get()) {
                        // One reply too many or too few: whatever comes next would be taken for another one.
                        return Err(refusal(verb, &reply, ErrorKind::Protocol).with_retry(Retry::IfReused));
                    }
                    if reply.code.get() == 421 {
                        let kind = match classify(verb, &reply, b"") {
                            Verdict::Sure(kind) => kind,
                            Verdict::Ask(_) => ErrorKind::Unreachable,
                        };
                        let retry = if kind == ErrorKind::Unreachable { Retry::IfReused } else { Retry::Never };
                        return Err(refusal(verb, &reply, kind).with_retry(retry));
                    }
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(bad) => return Err(Error::new(ErrorKind::Protocol, verb).with_reply(bad.to_string())),
            }
            let mut buf = [0; 4096];
            match self.socket.read(&mut buf, deadline) {
                Ok(0) => {
                    let error = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the server hung up");
                    return Err(Error::io(verb, error).with_retry(Retry::IfReused));
                }
                Ok(n) => self.received.extend_from_slice(&buf[..n]),
                Err(e) => return Err(Error::io(verb, e).with_retry(Retry::IfReused)),
            }
        }
    }

    /// Sends one command and reads its reply.
    pub(crate) fn transact(&mut self, command: &Command<'_>, deadline: Deadline) -> Result<Reply> {
        self.send(std::slice::from_ref(command), deadline)?;
        self.reply(command.verb(), deadline)
    }

    /// Sends commands that need no data connection, all in flight at once, and reads their replies in order.
    ///
    /// At most [`MAX_FLIGHT`] wait for their replies at a time, so that neither side blocks on full buffers.
    pub(crate) fn pipeline(&mut self, commands: &[Command<'_>], deadline: Deadline) -> Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(commands.len());
        for flight in commands.chunks(MAX_FLIGHT) {
            self.send(flight, deadline)?;
            for command in flight {
                replies.push(self.reply(command.verb(), deadline)?);
            }
        }
        Ok(replies)
    }

    /// Says goodbye without waiting for the answer.
    pub(crate) fn quit(mut self) {
        let soon = Deadline::after(std::time::Duration::from_millis(100));
        if self.send(&[Command::Quit], soon).is_ok() {
            self.socket.close();
        }
    }
}

/// Whether `code` can be the answer to `verb`: what succeeds has a code of its own with these (RFC 959 5.4, RFC 2428,
/// RFC 3659), and none of them begins a transfer.
fn fits(verb: &str, code: u16) -> bool {
    let success = match verb {
        "SIZE" | "MDTM" => 213,
        "MLST" => 250,
        "EPSV" => 229,
        "PASV" => 227,
        "REST" => 350,
        _ => return true,
    };
    code == success || code >= 400
}

/// A connection that has been idle gets this part of the time that is left for its first reply.
const DOUBTFUL_SHARE: u32 = 3;

/// Outstanding commands that every measured server takes (facts: 2,000 went well, 32 fill no buffer).
pub(crate) const MAX_FLIGHT: usize = 32;
