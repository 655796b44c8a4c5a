//! Data channels: who connects to whom, and at which address and port.
//!
//! `EPSV`, else `PASV`; and where the server can do neither, or where the user wants it, the server connects to us
//! (`EPRT`, else `PORT`). What works is remembered in the dialect.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use log::{debug, info};

use super::address::{for_port, parse_epsv, parse_pasv};
use super::channel::{Begun, Channel};
use super::classify::{Verdict, classify, knows, refusal};
use super::command::Command;
use super::control::Control;
use super::dialect::{Can, Dialect, Skill};
use super::features::Software;
use super::ready::Ready;
use super::reply::{Class, Reply};
use super::socket::Dialer;
use super::tls::Session;
use crate::base::Deadline;
use crate::config::{Advertise, Data, DataMode};
use crate::remote::{Error, ErrorKind, Result, Retry};

/// A data channel that has carried nothing yet, and the replies to the commands sent together with `EPSV`.
pub(crate) struct Opened {
    pub(crate) channel: Channel,
    pub(crate) replies: Vec<Reply>,
}

/// How to open data channels.
pub(crate) struct Opener<'a> {
    pub(crate) dialer: &'a dyn Dialer,
    pub(crate) settings: &'a Data,
    /// How long a connection may take to come about.
    pub(crate) patience: Duration,
}

impl Opener<'_> {
    /// Begins a transfer: sends `before`, which needs no data channel, and `transfer`, whose last command does. One flight
    /// where a channel was opened ahead, else two; of those a `CWD` that is refused spares the second.
    pub(crate) fn begin(
        &self,
        control: &mut Control,
        before: &[Command<'_>],
        transfer: &[Command<'_>],
        deadline: Deadline,
    ) -> Result<Begun> {
        self.check_sessions(control)?;
        control.carry();
        let (channel, mut replies, commands) = match self.ready(control, deadline)? {
            Some(channel) => (channel, Vec::new(), [before, transfer].concat()),
            None => {
                let Opened { channel, replies } = self.open_now(control, before, deadline)?;
                if let (Some(Command::Cwd(_)), Some(reply)) = (before.last(), replies.last())
                    && reply.class() != Class::Completion
                {
                    let reply = reply.clone();
                    return Ok(Begun { before: replies, reply, data: None });
                }
                (channel, replies, transfer.to_vec())
            }
        };
        control.send(&commands, deadline)?;
        let verbs: Vec<_> = commands.iter().map(Command::verb).collect();
        let mut begun = channel.begin(control, &verbs, deadline)?;
        replies.append(&mut begun.before);
        begun.before = replies;
        Ok(begun)
    }

    /// Sends `before` and `EPSV` (or what takes its place) in one segment and opens a channel.
    ///
    /// A passive channel goes to the control connection's own peer, whatever address a 227 names: that is right behind
    /// NAT, and a hostile server cannot send us elsewhere. `before` holds only commands that need no data channel.
    pub(crate) fn open(&self, control: &mut Control, before: &[Command<'_>], deadline: Deadline) -> Result<Opened> {
        self.check_sessions(control)?;
        control.carry();
        if let Some(channel) = self.ready(control, deadline)? {
            let replies = control.pipeline(before, deadline)?;
            return Ok(Opened { channel, replies });
        }
        self.open_now(control, before, deadline)
    }

    /// Fails where the server would refuse the data connection for want of a TLS session to be resumed.
    fn check_sessions(&self, control: &Control) -> Result<()> {
        let used_up = control.data_session().is_some_and(Session::is_used_up);
        let can = |skill| control.dialect().can(skill);
        // Who hands out none with an upload was seen to demand them.
        let demanded = can(Skill::Resumption) == Can::Yes || can(Skill::UploadTickets) == Can::No;
        if used_up && demanded {
            leave_tls13(control);
            let text = "no TLS session is left that the data connection could resume";
            return Err(Error::io("data connection", io::Error::other(text)).with_retry(Retry::IfReused));
        }
        Ok(())
    }

    fn open_now(&self, control: &mut Control, before: &[Command<'_>], deadline: Deadline) -> Result<Opened> {
        let mut asked = Asked { before: before.to_vec(), replies: Vec::new() };
        let channel = match self.settings.mode {
            DataMode::Active => self.active(control, &mut asked, deadline)?,
            DataMode::Passive => self.passive(control, &mut asked, deadline)?,
            DataMode::Auto if control.dialect().can(Skill::Passive) == Can::No => {
                self.active(control, &mut asked, deadline)?.instead_of_passive()
            }
            DataMode::Auto => match self.passive(control, &mut asked, deadline) {
                Err(error) if may_be_active(control, &error) && !deadline.passed() => {
                    info!("no passive data connection ({error}): the server is asked to connect to us");
                    self.active(control, &mut asked, deadline).map_err(|_| error)?.instead_of_passive()
                }
                done => done?,
            },
        };
        Ok(Opened { channel, replies: asked.replies })
    }

    /// The channel that was opened ahead, if it is there and of use.
    fn ready(&self, control: &mut Control, deadline: Deadline) -> Result<Option<Channel>> {
        control.hear_ahead(deadline)?;
        self.follow_up(control);
        let Some(ready) = control.disarm().filter(Ready::is_fresh) else { return Ok(None) };
        match ready.connected(deadline.min_after(self.patience.min(READY_PATIENCE))) {
            Ok(socket) => Ok(Some(Channel::connected(socket, control))),
            Err(e) => {
                debug!("the data channel that was opened ahead is of no use: {e}");
                Ok(None)
            }
        }
    }

    /// Whether all has to go through one connection, because several would silence one another.
    ///
    /// pyftpdlib 2.2.0 connects to us by a descriptor whose number it keeps when the transfer is over. At the next `EPRT`
    /// of that session, or at its end, it takes whatever has got that number since out of its event loop: the data channel
    /// or the control connection of another session, from which nothing ever comes again (giampaolo/pyftpdlib, pull request
    /// 657). The only session there is does that to nobody.
    pub(crate) fn wants_one_connection(&self, dialect: &Dialect) -> bool {
        let active = match self.settings.mode {
            DataMode::Active => true,
            DataMode::Passive => false,
            DataMode::Auto => dialect.can(Skill::Passive) == Can::No,
        };
        active && dialect.software() == Software::Pyftpdlib
    }

    /// What asks for a channel to be opened ahead, once that verb has worked; None where the server is to connect to us.
    pub(crate) fn asks_ahead(&self, control: &Control) -> Option<Command<'static>> {
        let can = |skill| control.dialect().can(skill);
        if self.settings.mode == DataMode::Active || can(Skill::Passive) != Can::Yes {
            return None;
        }
        match can(Skill::Epsv) {
            Can::Yes => Some(Command::Epsv),
            Can::No if !self.settings.trust_pasv_address => Some(Command::Pasv),
            Can::No | Can::Unknown => None,
        }
    }

    /// Begins to connect where the server has told a port for the next transfer.
    pub(crate) fn follow_up(&self, control: &mut Control) {
        if let Some(reply) = control.told_ahead() {
            self.open_ahead(control, &reply);
        }
    }

    /// Begins to connect to the port in `reply`, the answer to [`asks_ahead`](Self::asks_ahead): the next transfer of this
    /// connection uses it.
    pub(crate) fn open_ahead(&self, control: &mut Control, reply: &Reply) {
        let port = if reply.class() == Class::Completion {
            parse_epsv(reply).or_else(|| parse_pasv(reply).map(|(_, port)| port))
        } else {
            None
        };
        if let Some(Ok(stream)) = port.map(|port| self.dialer.start(control.peer_at(port))) {
            control.arm(Ready::new(stream));
        }
    }

    fn passive(&self, control: &mut Control, asked: &mut Asked<'_>, deadline: Deadline) -> Result<Channel> {
        let connect = deadline.min_after(self.patience);
        if control.dialect().can(Skill::Epsv) != Can::No {
            let reply = asked.ask(control, Command::Epsv, deadline)?;
            if reply.class() == Class::Completion {
                let port = parse_epsv(&reply).ok_or_else(|| unreadable("EPSV", &reply))?;
                match self.dial(control, control.peer_at(port), connect) {
                    Ok(channel) => {
                        control.dialect().learn(Skill::Epsv, Can::Yes);
                        control.dialect().learn(Skill::Passive, Can::Yes);
                        return Ok(channel);
                    }
                    // Some firewalls open only the ports that they read in a 227.
                    Err(e) if control.dialect().can(Skill::Epsv) == Can::Unknown && !deadline.passed() => {
                        info!("the port of EPSV cannot be reached ({e}): trying PASV");
                    }
                    Err(e) => return Err(e),
                }
            } else {
                debug!("no EPSV here");
            }
            let for_good = reply.class() != Class::Transient;
            let channel = self.pasv(control, asked, deadline)?;
            if for_good {
                control.dialect().learn(Skill::Epsv, Can::No);
            }
            return Ok(channel);
        }
        self.pasv(control, asked, deadline)
    }

    fn pasv(&self, control: &mut Control, asked: &mut Asked<'_>, deadline: Deadline) -> Result<Channel> {
        let reply = asked.ask(control, Command::Pasv, deadline)?;
        if reply.class() != Class::Completion {
            return Err(refused("PASV", &reply));
        }
        let (named, port) = parse_pasv(&reply).ok_or_else(|| unreadable("PASV", &reply))?;
        let trusted = self.settings.trust_pasv_address;
        let to = if trusted { SocketAddr::new(named.into(), port) } else { control.peer_at(port) };
        let channel = self.dial(control, to, deadline.min_after(self.patience))?;
        control.dialect().learn(Skill::Passive, Can::Yes);
        Ok(channel)
    }

    fn dial(&self, control: &Control, to: SocketAddr, deadline: Deadline) -> Result<Channel> {
        let socket =
            self.dialer.dial(to, deadline).map_err(|e| Error::io("data connection", e).with_retry(Retry::IfReused))?;
        Ok(Channel::connected(socket, control))
    }

    /// Lets the server connect to us.
    fn active(&self, control: &mut Control, asked: &mut Asked<'_>, deadline: Deadline) -> Result<Channel> {
        let own = control.local()?;
        let told = self.advertised(own.ip(), deadline)?;
        let ports = self.settings.ports.as_ref();
        // The address that the server is told may be a router's, which is none of ours to listen at.
        let listener = self
            .dialer
            .listen(if told == own.ip() { own } else { SocketAddr::new(told, 0) }, ports)
            .or_else(
                |e| if e.kind() == io::ErrorKind::AddrNotAvailable { self.dialer.listen(own, ports) } else { Err(e) },
            )
            .map_err(|e| Error::io("listen", e))?;
        let port = listener.local_addr().map_err(|e| Error::io("listen", e))?.port();
        let address = SocketAddr::new(told, port);
        let plain = for_port(&address);
        let eprt = !self.settings.disable_eprt && control.dialect().can(Skill::Eprt) != Can::No;
        if eprt || plain.is_none() {
            let reply = asked.ask(control, Command::Eprt(address), deadline)?;
            if reply.class() == Class::Completion {
                return Ok(Channel::listening(listener, control, self.patience));
            }
            if plain.is_none() {
                return Err(refused("EPRT", &reply));
            }
            debug!("no EPRT here");
            // 522: not for this kind of address, which does not change. An address that the server dislikes may.
            if reply.code.get() == 522 || knows("EPRT", &reply) == Some(false) {
                control.dialect().learn(Skill::Eprt, Can::No);
            }
        }
        let plain = plain.expect("looked at above");
        let reply = asked.ask(control, Command::Port(plain), deadline)?;
        if reply.class() != Class::Completion {
            return Err(refused("PORT", &reply));
        }
        Ok(Channel::listening(listener, control, self.patience))
    }

    /// Whether the address that the server is to be told can be found, before anybody depends on it.
    pub(crate) fn check(&self, own: SocketAddr, deadline: Deadline) -> Result<()> {
        if self.settings.mode == DataMode::Active { self.advertised(own.ip(), deadline).map(drop) } else { Ok(()) }
    }

    /// The address that the server is told.
    fn advertised(&self, own: IpAddr, deadline: Deadline) -> Result<IpAddr> {
        let name = match &self.settings.advertise {
            Advertise::Own => return Ok(own),
            Advertise::Address(address) => return Ok(*address),
            Advertise::Named(name) => name,
        };
        let mut found: Vec<IpAddr> =
            if_addrs::get_if_addrs().into_iter().flatten().filter(|i| i.name == *name).map(|i| i.ip()).collect();
        if found.is_empty() {
            let resolved = self.dialer.resolve(name, 0, deadline.min_after(self.patience));
            found = resolved.map_err(|e| Error::io("ftp_port", e))?.into_iter().map(|a| a.ip()).collect();
        }
        let fits = |ip: &IpAddr| ip.is_ipv4() == own.to_canonical().is_ipv4();
        found.into_iter().find(fits).ok_or_else(|| {
            let text = format!("'{name}' has no address of the kind that the server is reached by");
            Error::io("ftp_port", io::Error::new(io::ErrorKind::AddrNotAvailable, text))
        })
    }
}

/// The commands that go out with the first question, and their replies.
struct Asked<'a> {
    before: Vec<Command<'a>>,
    replies: Vec<Reply>,
}

impl Asked<'_> {
    fn ask(&mut self, control: &mut Control, question: Command<'_>, deadline: Deadline) -> Result<Reply> {
        let mut commands: Vec<Command<'_>> = std::mem::take(&mut self.before);
        commands.push(question);
        let mut replies = control.pipeline(&commands, deadline)?;
        let reply = replies.pop().expect("one reply for each command, and at least one was sent");
        self.replies.append(&mut replies);
        Ok(reply)
    }
}

/// Makes new connections in TLS 1.2, where that is better.
///
/// ProFTPD 1.3.8 demands that sessions are resumed, and hands out no ticket of TLS 1.3 with an upload: each connection
/// would be good for two of them. Sessions of TLS 1.2 can be resumed without end.
fn leave_tls13(control: &Control) {
    let dialect = control.dialect();
    let starved = dialect.can(Skill::UploadTickets) == Can::No;
    if starved && dialect.can(Skill::Tls13) != Can::No && dialect.can(Skill::Tls12) != Can::No {
        info!("uploads bring no new tickets of TLS 1.3: TLS 1.2 from now on");
        dialect.learn(Skill::Tls13, Can::No);
    }
}

/// Whether a failed passive channel says that there will never be one: the server knows no verb for it, or no port of its
/// was ever reached.
fn may_be_active(control: &Control, error: &Error) -> bool {
    let never = control.dialect().can(Skill::Passive) == Can::Unknown;
    let no_way = matches!(error.kind, ErrorKind::Unsupported)
        || (error.verb == "data connection" && matches!(error.kind, ErrorKind::Unreachable | ErrorKind::TimedOut));
    never && no_way
}

fn refused(verb: &'static str, reply: &Reply) -> Error {
    let active = matches!(verb, "EPRT" | "PORT");
    match classify(verb, reply, b"") {
        // What is denied is our address, not the file.
        Verdict::Sure(ErrorKind::Denied | ErrorKind::Unsupported) if active => {
            refusal(verb, reply, ErrorKind::Protocol)
                .because(io::Error::other("the server does not connect to us: see the options active and ftp_port"))
        }
        Verdict::Sure(kind) => refusal(verb, reply, kind),
        Verdict::Ask(_) => refusal(verb, reply, ErrorKind::Protocol),
    }
}

fn unreadable(verb: &'static str, reply: &Reply) -> Error {
    Error::new(ErrorKind::Protocol, verb).with_reply(reply.text())
}

/// How long a channel that was opened ahead may still need to connect: it has had all the time since.
const READY_PATIENCE: Duration = Duration::from_secs(1);
