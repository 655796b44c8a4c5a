//! The control connection: commands out, replies in, in step or not at all.
//!
//! A [`Control`] is owned by one request at a time. Whoever sees an error from it drops it: after one lost or extra
//! reply nobody knows any more which reply belongs to which command.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, warn};
use zeroize::Zeroizing;

use super::classify::{Verdict, classify, refusal, too_many};
use super::command::Command;
use super::dialect::{Can, Dialect, Skill};
use super::ready::Ready;
use super::reply::{Class, Reply, ReplyParser, parse_reply};
use super::socket::Socket;
use super::text::printable;
use super::tls::{Session, Trouble};
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Result, Retry};

/// What there is of the data channel of the next transfer.
#[derive(Debug, Default)]
enum Ahead {
    #[default]
    Nothing,
    /// The server has been asked for one by this verb; its reply comes behind the final one of the transfer that ends.
    Behind(&'static str),
    /// As before; its reply comes before any other.
    Asked(&'static str),
    /// What it said to that.
    Told(Reply),
    Open(Ready),
}

/// A logged-in (or not yet logged-in) control connection.
#[derive(Debug)]
pub(crate) struct Control {
    socket: Socket,
    parser: ReplyParser,
    /// What has arrived and belongs to no complete reply yet.
    received: Vec<u8>,
    /// Replies that had to be waited for before the next command could be sent.
    early: VecDeque<Reply>,
    dialect: Arc<Dialect>,
    /// Counts the connections of this process, for the log.
    id: u64,
    /// Where the other end is: data connections go nowhere else.
    peer: SocketAddr,
    /// The tickets of this connection, once it is encrypted.
    session: Option<Session>,
    /// Whether data connections are to be encrypted.
    private: bool,
    /// It has been idle, and nothing has been heard of it since: a NAT may have forgotten it without a word.
    doubtful: bool,
    /// What there is of the data channel of the next transfer.
    ahead: Ahead,
    /// A transfer has used a data channel since one was asked for ahead.
    carried: bool,
    /// When it was last given back to the pool.
    pub(crate) idle_since: Instant,
}

impl Control {
    pub(crate) fn new(socket: Socket, dialect: Arc<Dialect>, id: u64) -> Result<Self> {
        let peer = socket.peer().map_err(|e| Error::io("connect", e))?;
        Ok(Self {
            socket,
            parser: ReplyParser::default(),
            received: Vec::new(),
            early: VecDeque::new(),
            dialect,
            id,
            peer,
            session: None,
            private: false,
            doubtful: false,
            ahead: Ahead::Nothing,
            carried: false,
            idle_since: Instant::now(),
        })
    }

    /// What this server does.
    pub(crate) fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// Tells it from the other connections of this process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The server's address as this connection reached it.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    /// Another port of the server's; the zone of a link-local address of IPv6 is kept.
    pub(crate) fn peer_at(&self, port: u16) -> SocketAddr {
        let mut at = self.peer;
        at.set_port(port);
        at
    }

    /// Our own address on this connection.
    pub(crate) fn local(&self) -> Result<SocketAddr> {
        self.socket.local().map_err(|e| Error::io("connect", e))
    }

    /// Encrypts the connection from here on.
    ///
    /// What has arrived in the clear since the last reply is thrown away: somebody on the way may have put it there, to
    /// be taken for an answer of the server's to what is asked in confidence later (CVE-2011-0411 and its like).
    pub(crate) fn start_tls(self, session: Session, deadline: Deadline) -> Result<Self> {
        if !self.received.is_empty() {
            warn!("[{}] {} bytes in the clear before the handshake are ignored", self.id, self.received.len());
        }
        let tls = session.connection().map_err(|e| refused(&e))?;
        let known = self.dialect.can(Skill::Tls) == Can::Yes && self.dialect.ever_connected();
        let socket = self.socket.start_tls(tls, deadline).map_err(|e| no_handshake(e, known))?;
        debug!("[{}] encrypted", self.id);
        Ok(Self { socket, received: Vec::new(), parser: ReplyParser::default(), session: Some(session), ..self })
    }

    /// Encrypts data connections, too.
    pub(crate) fn protect_data(&mut self, private: bool) {
        self.private = private;
    }

    /// The session that data connections take up again; None where they are not encrypted.
    pub(crate) fn data_session(&self) -> Option<&Session> {
        self.session.as_ref().filter(|_| self.private)
    }

    /// What is to be said about data connections on an encrypted connection (RFC 4217 8, 9).
    pub(crate) fn protection(&self) -> Vec<Command<'static>> {
        if self.session.is_none() {
            return Vec::new();
        }
        vec![Command::Pbsz, Command::Prot { private: self.private }]
    }

    /// Keeps a data channel for the next transfer.
    pub(crate) fn arm(&mut self, ready: Ready) {
        self.ahead = Ahead::Open(ready);
    }

    /// The data channel that was opened ahead, which is not there any more then.
    pub(crate) fn disarm(&mut self) -> Option<Ready> {
        match std::mem::take(&mut self.ahead) {
            Ahead::Open(ready) => Some(ready),
            other => {
                self.ahead = other;
                None
            }
        }
    }

    /// Whether a data channel is open for the next transfer.
    pub(crate) fn is_armed(&self) -> bool {
        matches!(&self.ahead, Ahead::Open(ready) if ready.is_fresh())
    }

    /// Whether there will be one soon.
    pub(crate) fn is_arming(&self) -> bool {
        matches!(self.ahead, Ahead::Behind(_) | Ahead::Asked(_) | Ahead::Told(_))
    }

    /// Notes that a transfer begins: a channel is used up by it.
    pub(crate) fn carry(&mut self) {
        self.carried = true;
    }

    /// Whether a transfer has begun here since a channel was asked for ahead.
    pub(crate) fn has_carried(&self) -> bool {
        self.carried
    }

    /// Asks for the data channel of the next transfer by `command` and does not wait for the reply, which is heard
    /// together with the next one, or by whoever watches this connection while it is idle.
    pub(crate) fn ask_ahead(&mut self, command: &Command<'_>, deadline: Deadline) -> Result<()> {
        self.carried = false;
        self.send(std::slice::from_ref(command), deadline)?;
        self.ahead = Ahead::Asked(command.verb());
        Ok(())
    }

    /// As [`ask_ahead`](Self::ask_ahead), while the final reply of a transfer is still to come.
    pub(crate) fn ask_behind(&mut self, command: &Command<'_>, deadline: Deadline) -> Result<()> {
        self.ask_ahead(command, deadline)?;
        self.ahead = Ahead::Behind(command.verb());
        Ok(())
    }

    /// Takes in the reply to [`ask_ahead`](Self::ask_ahead), if that is still to come.
    pub(crate) fn hear_ahead(&mut self, deadline: Deadline) -> Result<()> {
        if let Ahead::Asked(verb) = self.ahead {
            let reply = self.unqueued_reply(verb, deadline)?;
            self.ahead = Ahead::Told(reply);
        }
        Ok(())
    }

    /// As [`hear_ahead`](Self::hear_ahead), without waiting; whether there is nothing left to be heard.
    pub(crate) fn hear_ahead_now(&mut self) -> Result<bool> {
        if let Ahead::Asked(verb) = self.ahead {
            match self.unqueued_now(verb)? {
                Some(reply) => self.ahead = Ahead::Told(reply),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// What the server has said when it was asked for a channel ahead, once.
    pub(crate) fn told_ahead(&mut self) -> Option<Reply> {
        match std::mem::take(&mut self.ahead) {
            Ahead::Told(reply) => Some(reply),
            other => {
                self.ahead = other;
                None
            }
        }
    }

    /// How long the other end takes to answer, as the kernel has measured it.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.socket.round_trip()
    }

    /// Whether something arrived that nobody asked for: a 421, a late reply, the end. Such a connection is not used.
    pub(crate) fn has_news(&mut self) -> bool {
        // A reply that is still to come is none.
        match self.hear_ahead_now() {
            Ok(_) if self.is_asked() => false,
            Ok(_) => !self.received.is_empty() || self.socket.has_news(),
            Err(_) => true,
        }
    }

    fn is_asked(&self) -> bool {
        matches!(self.ahead, Ahead::Asked(_))
    }

    /// Marks it as one that has been idle: its first reply must come soon, or another connection is to be tried.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Sends `commands` in one segment; one after the other to servers that lose all but the first of a segment.
    pub(crate) fn send(&mut self, commands: &[Command<'_>], deadline: Deadline) -> Result<()> {
        if self.dialect.burst() != Can::No {
            return self.send_segment(commands, deadline);
        }
        self.hear_ahead(deadline)?;
        for (n, command) in commands.iter().enumerate() {
            self.send_segment(std::slice::from_ref(command), deadline)?;
            if n + 1 < commands.len() {
                let reply = self.unqueued_reply(command.verb(), deadline)?;
                self.early.push_back(reply);
            }
        }
        Ok(())
    }

    fn send_segment(&mut self, commands: &[Command<'_>], deadline: Deadline) -> Result<()> {
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
        self.socket.write_all(&line, deadline).map_err(|e| failed(verb, e))
    }

    /// Reads one reply to `verb`, preliminary ones included. A 421 means that the server is about to hang up.
    pub(crate) fn reply(&mut self, verb: &'static str, deadline: Deadline) -> Result<Reply> {
        match self.early.pop_front() {
            Some(reply) => Ok(reply),
            None => {
                self.hear_ahead(deadline)?;
                let reply = self.unqueued_reply(verb, deadline)?;
                self.note_final(&reply);
                Ok(reply)
            }
        }
    }

    fn unqueued_reply(&mut self, verb: &'static str, deadline: Deadline) -> Result<Reply> {
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
            if let Some(reply) = self.parsed(verb)? {
                return Ok(reply);
            }
            let mut buf = [0; 4096];
            let got = self.socket.read(&mut buf, deadline).map_err(|e| failed(verb, e))?;
            self.take_in(verb, &buf[..got])?;
        }
    }

    /// A reply to `verb` if one has arrived already.
    pub(crate) fn reply_now(&mut self, verb: &'static str) -> Result<Option<Reply>> {
        if let Some(reply) = self.early.pop_front() {
            return Ok(Some(reply));
        }
        if !self.hear_ahead_now()? {
            return Ok(None);
        }
        let reply = self.unqueued_now(verb)?;
        if let Some(reply) = &reply {
            self.note_final(reply);
        }
        Ok(reply)
    }

    /// Where `reply` ends a transfer, what was asked behind it is answered next.
    fn note_final(&mut self, reply: &Reply) {
        if let Ahead::Behind(verb) = self.ahead
            && reply.class() != Class::Preliminary
        {
            self.ahead = Ahead::Asked(verb);
        }
    }

    fn unqueued_now(&mut self, verb: &'static str) -> Result<Option<Reply>> {
        loop {
            if let Some(reply) = self.parsed(verb)? {
                return Ok(Some(reply));
            }
            let mut buf = [0; 4096];
            match self.socket.read_now(&mut buf).map_err(|e| failed(verb, e))? {
                Some(got) => self.take_in(verb, &buf[..got])?,
                None => return Ok(None),
            }
        }
    }

    fn take_in(&mut self, verb: &'static str, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up");
            return Err(Error::io(verb, error).with_retry(Retry::IfReused));
        }
        self.received.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes a whole reply from what has been received.
    fn parsed(&mut self, verb: &'static str) -> Result<Option<Reply>> {
        let (reply, used) = match self.parser.advance(&self.received) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(bad) => return Err(Error::new(ErrorKind::Protocol, verb).with_reply(bad.to_string())),
        };
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
        Ok(Some(reply))
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
        let soon = Deadline::after(Duration::from_millis(100));
        if self.send(&[Command::Quit], soon).is_ok() {
            self.socket.close();
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A failure of the socket while doing `verb`: TLS that cannot work between these two is told as such.
pub(crate) fn failed(verb: &'static str, error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Trouble>()) {
        Some(trouble) if trouble.is_ours() => refused(trouble),
        _ => Error::io(verb, error).with_retry(Retry::IfReused),
    }
}

/// A failed handshake. A server that is full, or just dying, may say so in the clear: vsftpd does. Where TLS has worked
/// before, whatever is no TLS is a broken connection; before that, it is a server that cannot.
fn no_handshake(error: io::Error, known: bool) -> Error {
    let trouble = error.get_ref().and_then(|inner| inner.downcast_ref::<Trouble>());
    let Some((trouble, words)) = trouble.and_then(|t| Some((t, t.clear_words()?))) else {
        return failed("TLS", error);
    };
    if let Ok(Some((reply, _))) = parse_reply(words)
        && reply.code.get() == 421
    {
        let kind = if too_many(&reply) { ErrorKind::Busy } else { ErrorKind::Unreachable };
        return refusal("TLS", &reply, kind);
    }
    if known {
        return failed("TLS", error);
    }
    let shown = printable(words.split(|b| *b == b'\r' || *b == b'\n').next().unwrap_or_default(), 100);
    let hint = "ftps:// and 'implicit' are for TLS from the first byte on, ftpes:// for AUTH TLS";
    let text = io::Error::other(format!("{trouble}, but with \"{shown}\" ({hint})"));
    Error::new(ErrorKind::TlsRefused, "TLS").because(text)
}

fn refused(trouble: &Trouble) -> Error {
    Error::new(ErrorKind::TlsRefused, "TLS").because(trouble.clone())
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
