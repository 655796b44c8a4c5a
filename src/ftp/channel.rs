//! From a data channel that is agreed upon to one that carries bytes.
//!
//! What happens right after a transfer command differs: a passive channel is connected already, an active one is about to
//! be, and under TLS a handshake comes first, at once: some servers say their 150 only after it, and a server that
//! refuses says so instead of shaking hands. So the control connection and the channel are watched together.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

use log::debug;

use super::control::{Control, failed};
use super::dialect::{Can, Skill};
use super::reply::{Class, Reply};
use super::socket::{Shaking, Socket};
use super::tls::Session;
use super::tls::layer::Shake;
use super::transfer::{unresumable, wants_resumption};
use crate::base::sys::{self, Ready};
use crate::base::{Deadline, sync};
use crate::remote::{Error, ErrorKind, Result, Retry};

/// A data channel that is agreed upon and has carried nothing yet.
#[derive(Debug)]
pub(crate) struct Channel {
    way: Way,
    /// The only host that may be at the other end.
    peer: IpAddr,
    /// To be encrypted as a part of this session.
    session: Option<Session>,
    /// How long the server may take to connect.
    patience: Duration,
    /// It takes the place of a passive one, of which none ever came about.
    last_resort: bool,
}

#[derive(Debug)]
enum Way {
    Connected(Socket),
    Listening(TcpListener),
}

/// A transfer that has begun, or was refused.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The replies to the commands that were sent together with the transfer command.
    pub(crate) before: Vec<Reply>,
    /// The first reply to the transfer command.
    pub(crate) reply: Reply,
    /// The channel, unless that reply refuses. Where it is final already, no other one follows.
    pub(crate) data: Option<Socket>,
}

impl Channel {
    pub(crate) fn connected(socket: Socket, control: &Control) -> Self {
        Self::new(Way::Connected(socket), control, Duration::ZERO)
    }

    pub(crate) fn listening(listener: TcpListener, control: &Control, patience: Duration) -> Self {
        Self::new(Way::Listening(listener), control, patience)
    }

    fn new(way: Way, control: &Control, patience: Duration) -> Self {
        Self { way, peer: control.peer(), session: control.data_session().cloned(), patience, last_resort: false }
    }

    /// Notes that this is the way for servers without passive mode: whether it is the right one shows when it is used. A
    /// network that failed for a moment must not decide for good.
    pub(crate) fn instead_of_passive(self) -> Self {
        Self { last_resort: true, ..self }
    }

    /// The socket, where nothing has to happen any more before the first byte can be sent.
    pub(crate) fn at_once(self) -> std::result::Result<Socket, Box<Self>> {
        match (self.way, self.session) {
            (Way::Connected(socket), None) => Ok(socket),
            (way, session) => Err(Box::new(Self { way, session, ..self })),
        }
    }

    /// Goes on right after the commands `verbs` were sent, the last of which moves data.
    ///
    /// # Errors
    /// `TimedOut`, `Unreachable` and `TlsRefused`; the control connection is out of step then.
    pub(crate) fn begin(self, control: &mut Control, verbs: &[&'static str], deadline: Deadline) -> Result<Begun> {
        let verb = *verbs.last().expect("a transfer command was sent");
        let (peer, accept_by, last_resort) = (self.peer, deadline.min_after(self.patience), self.last_resort);
        let mut stage = Stage::new(self).map_err(|e| failed(verb, e))?;
        let mut replies = Vec::with_capacity(verbs.len());
        loop {
            // First: what the server says of a connection comes behind the connection itself.
            stage = match stage.go_on(peer) {
                Ok(stage) => stage,
                Err(error) => return given_up(control, verbs, replies, failed(verb, error), deadline),
            };
            hear(control, verbs, &mut replies, &stage, deadline)?;
            let last = replies.last().filter(|_| replies.len() == verbs.len()).map(Reply::class);
            if last == Some(Class::Completion) {
                // It may have connected, sent everything and said so since we looked.
                stage = stage.go_on(peer).map_err(|e| failed(verb, e))?;
            }
            stage = match (last, stage) {
                // A final reply without a first one: what the channel holds belongs to it all the same.
                (Some(Class::Preliminary | Class::Completion), Stage::Ready(socket)) => {
                    if last_resort {
                        control.dialect().learn(Skill::Passive, Can::No);
                    }
                    return Ok(Begun::new(replies, Some(socket)));
                }
                (Some(Class::Completion), _) => return Err(too_early(verb)),
                (None | Some(Class::Preliminary), pending) => pending,
                (Some(Class::Intermediate | Class::Transient | Class::Permanent), _) => {
                    return Ok(Begun::new(replies, None));
                }
            };
            if matches!(stage, Stage::Ready(_)) {
                continue;
            }
            let deadline = if matches!(stage, Stage::Listening { .. }) { accept_by } else { deadline };
            if let Err(e) = stage.wait(control, last.is_some(), deadline) {
                if last_resort {
                    control.dialect().learn(Skill::Passive, Can::Unknown);
                }
                return Err(stage.out_of_time(verb, e));
            }
        }
    }
}

/// Takes in the replies that have come; waits for the next one where nothing else is to be done.
fn hear(
    control: &mut Control,
    verbs: &[&'static str],
    replies: &mut Vec<Reply>,
    stage: &Stage,
    deadline: Deadline,
) -> Result<()> {
    while let Some(next) = verbs.get(replies.len()) {
        let reply = match stage {
            Stage::Ready(_) => Some(control.reply(next, deadline)?),
            Stage::Listening { .. } | Stage::Shaking { .. } => control.reply_now(next)?,
        };
        match reply {
            Some(reply) => replies.push(reply),
            None => return Ok(()),
        }
    }
    // A server that cannot connect to us says 150 first and 425 then.
    if let (Stage::Listening { .. }, Some(last)) = (stage, verbs.last())
        && let Some(reply) = control.reply_now(last)?
    {
        replies.pop();
        replies.push(reply);
    }
    Ok(())
}

/// The server has sent everything before we were ready for any of it.
fn too_early(verb: &'static str) -> Error {
    let text = "the server says that it is done before the data connection was there";
    Error::new(ErrorKind::Unreachable, verb).because(io::Error::other(text)).with_retry(Retry::Safe)
}

impl Begun {
    fn new(mut replies: Vec<Reply>, data: Option<Socket>) -> Self {
        let reply = replies.pop().expect("each command has its reply by now");
        Self { before: replies, reply, data }
    }
}

/// The handshake failed: the server may be about to say why (`425`, `522`), which tells more than a closed connection.
fn given_up(
    control: &mut Control,
    verbs: &[&'static str],
    mut replies: Vec<Reply>,
    error: Error,
    deadline: Deadline,
) -> Result<Begun> {
    if error.kind == ErrorKind::TlsRefused {
        return Err(error);
    }
    let last = *verbs.last().expect("a transfer command was sent");
    loop {
        let next = verbs.get(replies.len()).copied().unwrap_or(last);
        let Ok(reply) = control.reply(next, deadline.min_after(LAST_WORDS)) else { return Err(error) };
        if replies.len() == verbs.len() {
            replies.pop();
        }
        replies.push(reply);
        match replies.last().filter(|_| replies.len() == verbs.len()).map(Reply::class) {
            None | Some(Class::Preliminary) => {}
            Some(Class::Transient | Class::Permanent) => {
                debug!("{error}");
                // FileZilla Server 0.9 breaks the handshake itself off where the session is not resumed.
                return match replies.last().filter(|reply| wants_resumption(reply)) {
                    Some(reply) => Err(unresumable(control, last, reply)),
                    None => Ok(Begun::new(replies, None)),
                };
            }
            // The server has sent everything, to somebody who is not us: nothing came here.
            Some(Class::Completion | Class::Intermediate) => return Err(error),
        }
    }
}

/// What stands between the channel and its first byte.
#[derive(Debug)]
enum Stage {
    Listening { listener: TcpListener, session: Option<Session> },
    Shaking { shaking: Box<Shaking>, step: Shake },
    Ready(Socket),
}

impl Stage {
    fn new(channel: Channel) -> io::Result<Self> {
        match channel.way {
            Way::Listening(listener) => Ok(Self::Listening { listener, session: channel.session }),
            Way::Connected(socket) => Self::secure(socket, channel.session),
        }
    }

    fn secure(socket: Socket, session: Option<Session>) -> io::Result<Self> {
        let Some(session) = session else { return Ok(Self::Ready(socket)) };
        let tls = session.connection().map_err(io::Error::other)?;
        let shaking = Box::new(Shaking::new(socket, tls)?);
        Ok(Self::Shaking { shaking, step: Shake::Writes })
    }

    /// Goes as far as it can without waiting.
    fn go_on(self, peer: IpAddr) -> io::Result<Self> {
        match self {
            Self::Listening { listener, session } => match accept(&listener, peer)? {
                None => Ok(Self::Listening { listener, session }),
                Some(socket) => Self::secure(socket, session)?.go_on(peer),
            },
            Self::Shaking { mut shaking, .. } => match shaking.go_on()? {
                Shake::Done => {
                    let socket = shaking.finish()?;
                    debug!("data connection encrypted{}", if socket.is_resumed() { ", session resumed" } else { "" });
                    Ok(Self::Ready(socket))
                }
                step => Ok(Self::Shaking { shaking, step }),
            },
            ready @ Self::Ready(_) => Ok(ready),
        }
    }

    /// Waits until this stage can go on, or something that matters arrives on the control connection.
    fn wait(&self, control: &Control, answered: bool, deadline: Deadline) -> io::Result<()> {
        // During a handshake what comes behind the first reply is the final one, which is not to be looked at yet.
        let watched = !answered || matches!(self, Self::Listening { .. });
        let control = watched.then(|| control.as_fd());
        match self {
            Self::Shaking { shaking, step } => shaking.wait(*step, control.as_slice(), deadline),
            Self::Listening { listener, .. } => {
                sync::assert_unlocked();
                let mut wanted = vec![(listener.as_fd(), Ready::Read)];
                wanted.extend(control.map(|fd| (fd, Ready::Read)));
                if sys::wait_ready(&wanted, deadline.left()?)? { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
            }
            Self::Ready(_) => Ok(()),
        }
    }

    fn out_of_time(&self, verb: &'static str, error: io::Error) -> Error {
        match self {
            Self::Listening { .. } if error.kind() == io::ErrorKind::TimedOut => {
                let text = "the server did not connect to us: a firewall or a router may be in between";
                Error::io(verb, io::Error::new(io::ErrorKind::NotConnected, text)).with_retry(Retry::Safe)
            }
            _ => failed(verb, error),
        }
    }
}

/// The server's connection, if it has come. Others that find the port are sent away: what they send is not the server's
/// (CVE-2026-28295 is about a client that did not look).
fn accept(listener: &TcpListener, peer: IpAddr) -> io::Result<Option<Socket>> {
    for _ in 0..MOST_STRANGERS {
        match listener.accept() {
            Ok((stream, from)) if from.ip().to_canonical() == peer.to_canonical() => {
                stream.set_nonblocking(false)?;
                return Socket::new(stream).map(Some);
            }
            Ok((_, from)) => debug!("a data connection from {from} was refused: the server is {peer}"),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // It came and went.
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, "others than the server connect to the data port"))
}

/// Strangers at the door before the transfer is given up.
const MOST_STRANGERS: u32 = 16;

/// How long the server may take to explain a handshake that it broke off.
const LAST_WORDS: Duration = Duration::from_secs(2);
