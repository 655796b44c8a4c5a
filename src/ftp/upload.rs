//! A `STOR` or `APPE` under way.
//!
//! Where the data channel is connected and in the clear, bytes follow the command at once: a small file is on its way
//! before the server has said anything. What was sent so far is kept until it has, because a channel that was opened
//! ahead, or a connection that was idle, may turn out to be dead: then everything begins anew, unseen.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use log::{debug, info};

use super::channel::Begun;
use super::classify::refusal;
use super::client::{Client, again};
use super::command::Command;
use super::dialect::{Can, Skill};
use super::listing::mlsd::parse_mlst;
use super::listing::time::parse_size;
use super::pool::{Claim, Lease};
use super::reply::{Class, Reply};
use super::socket::Socket;
use super::tls::Session;
use super::transfer::{ABORT_PATIENCE, final_reply, known, unresumable, wants_resumption};
use super::way::Way;
use crate::base::{Deadline, Recall};
use crate::remote::{Error, ErrorKind, RemotePath, Result, Retry, Settings, Store, Stored, Upload};

/// A file on its way to the server.
pub(super) struct Stor {
    client: Client,
    path: RemotePath,
    way: Way,
    how: Store,
    recall: Arc<Recall>,
    /// None once it has ended.
    wire: Option<Wire>,
    /// What has been sent while the server had not said anything.
    unheard: Vec<u8>,
    sent: u64,
    /// How often it has begun anew.
    renewals: u32,
    /// Why it has ended.
    failure: Option<Error>,
}

/// The connections of a transfer.
pub(super) struct Wire {
    lease: Lease,
    /// None where the server has closed it, or everything is sent.
    data: Option<Socket>,
    verb: &'static str,
    /// Which way of writing tails this is.
    skill: Option<Skill>,
    /// The first reply has been read.
    heard: bool,
    /// How many tickets had come before, where TLS 1.3 brings them.
    tickets: Option<usize>,
    /// The data channel was encrypted, but not in the control connection's session.
    unresumed: bool,
}

/// What came of an attempt to begin.
enum Began {
    Wire(Box<Wire>),
    /// The server said no; the connection is back in the pool.
    Refused(&'static str, Reply, Option<Skill>),
}

impl Client {
    /// Begins to store `path`.
    pub(super) fn store(
        &self,
        path: &RemotePath,
        how: Store,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Stor> {
        self.meet(deadline)?;
        let way = match how {
            Store::Whole => self.way_to_new(path)?,
            Store::Tail { .. } => self.way(path)?,
        };
        let wire = self.begin_store(path, &way, how, recall, deadline)?;
        Ok(Stor {
            client: self.clone(),
            path: path.clone(),
            way,
            how,
            recall: Arc::clone(recall),
            wire: Some(wire),
            unheard: Vec::new(),
            sent: 0,
            renewals: 0,
            failure: None,
        })
    }

    /// Begins, on as many connections as it takes.
    fn begin_store(
        &self,
        path: &RemotePath,
        way: &Way,
        how: Store,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Wire> {
        let claim = Claim::Data(Arc::clone(recall));
        let mut fresh_failures = 0;
        loop {
            let skill = self.tail_skill(how)?;
            let mut lease = self.pool.acquire(&claim, deadline)?;
            let reused = lease.reused;
            let begun = match way.walk(lease.control_mut(), deadline) {
                Ok(None) => self.begin_on(lease, way, how, skill, deadline),
                Ok(Some(reply)) => {
                    lease.put_back();
                    Ok(Began::Refused("CWD", reply, None))
                }
                Err(e) => Err(e),
            };
            match begun {
                Ok(Began::Wire(wire)) => return Ok(*wire),
                Ok(Began::Refused(verb, reply, skill)) => match self.not_stored(verb, &reply, path, skill, deadline) {
                    // The other way of writing a tail may be the one.
                    error if error.kind == ErrorKind::Unsupported && skill.is_some() => {}
                    error => return Err(error),
                },
                Err(e) => {
                    fresh_failures += u32::from(!reused);
                    if reused && e.kind == ErrorKind::Unreachable {
                        self.pool.distrust();
                    }
                    if !again(&e, fresh_failures, deadline) {
                        return Err(e);
                    }
                    debug!("{e}: once more on another connection");
                }
            }
        }
    }

    /// How a tail is written here; None for a whole file.
    fn tail_skill(&self, how: Store) -> Result<Option<Skill>> {
        if how == Store::Whole {
            return Ok(None);
        }
        let skills = [Skill::Append, Skill::RestStor];
        let usable = |wanted: Can| skills.into_iter().find(|skill| self.dialect.can(*skill) == wanted);
        let skill = usable(Can::Yes).or_else(|| usable(Can::Unknown));
        skill.map(Some).ok_or_else(|| Error::new(ErrorKind::Unsupported, "APPE"))
    }

    fn begin_on(
        &self,
        mut lease: Lease,
        way: &Way,
        how: Store,
        skill: Option<Skill>,
        deadline: Deadline,
    ) -> Result<Began> {
        let control = lease.control_mut();
        let arg = way.arg();
        let asks = match how {
            Store::Whole => Vec::new(),
            Store::Tail { .. } => {
                let size = Command::Size(arg.clone());
                let sized = known(control, Skill::Size, &size, deadline)?;
                vec![if sized { size } else { Command::Mlst(arg.clone()) }]
            }
        };
        let opened = self.opener().open(control, &asks, deadline)?;
        if let (Store::Tail { at }, Some(reply)) = (how, opened.replies.first()) {
            let size = parse_size(reply).or_else(|| parse_mlst(reply).and_then(|meta| meta.size));
            if size.is_none() && reply.class() != Class::Completion {
                let (verb, reply) = (asks[0].verb(), reply.clone());
                lease.put_back();
                return Ok(Began::Refused(verb, reply, None));
            }
            if size != Some(at) {
                lease.put_back();
                return Err(Error::new(ErrorKind::Changed, "SIZE"));
            }
            if skill == Some(Skill::RestStor) {
                // Alone: behind a REST that was refused, STOR would destroy the file.
                let reply = control.transact(&Command::Rest(at), deadline)?;
                if reply.class() != Class::Intermediate {
                    lease.put_back();
                    return Ok(Began::Refused("REST", reply, skill));
                }
            }
        }
        let command =
            if skill == Some(Skill::Append) { Command::Appe(arg.clone()) } else { Command::Stor(arg.clone()) };
        let verb = command.verb();
        control.send(&[command], deadline)?;
        let tickets = lease.control_mut().data_session().filter(|session| session.had_tickets()).map(Session::tickets);
        let mut wire = Wire { lease, data: None, verb, skill, heard: false, tickets, unresumed: false };
        match opened.channel.at_once() {
            Ok(socket) => wire.data = Some(socket),
            Err(channel) => {
                let Begun { reply, data, .. } = channel.begin(wire.lease.control_mut(), &[verb], deadline)?;
                if reply.class() != Class::Preliminary {
                    return wire.refused(&reply).map(|()| Began::Refused(verb, reply, skill));
                }
                wire.heard = true;
                wire.unresumed = data.as_ref().is_some_and(|data| data.is_encrypted() && !data.is_resumed());
                wire.data = data;
            }
        }
        Ok(Began::Wire(Box::new(wire)))
    }

    /// The error for a transfer that the server refused; learns where it cannot write tails.
    fn not_stored(
        &self,
        verb: &'static str,
        reply: &Reply,
        path: &RemotePath,
        skill: Option<Skill>,
        deadline: Deadline,
    ) -> Error {
        let mut error = self.refusal(verb, reply, path, deadline);
        if let Some(skill) = skill {
            // ProFTPD without AllowStoreRestart: `451 f: Append/Restart not permitted, try again`.
            let never = matches!(error.kind, ErrorKind::Unsupported) || verb == "REST";
            if never {
                info!("the server does not write tails by {verb}: {}", reply.text());
                self.dialect.learn(skill, Can::No);
                error.kind = ErrorKind::Unsupported;
            }
        }
        error
    }
}

impl Wire {
    /// After a refusal: gives the connection back, or says that another one is to be tried.
    fn refused(self, reply: &Reply) -> Result<()> {
        match reply.code.get() {
            // The server let go of its data channel, and perhaps of the next one.
            425 => Err(refusal(self.verb, reply, ErrorKind::Unreachable).with_retry(Retry::Safe)),
            _ => {
                self.lease.put_back();
                Ok(())
            }
        }
    }
}

impl Stor {
    fn wire(&mut self) -> Result<&mut Wire> {
        let failure = &self.failure;
        self.wire.as_mut().ok_or_else(|| failure.clone().unwrap_or_else(|| Error::new(ErrorKind::Protocol, "STOR")))
    }

    /// Ends it with `error`.
    fn fail<T>(&mut self, error: Error) -> Result<T> {
        self.wire = None;
        self.unheard = Vec::new();
        self.failure = Some(error.clone());
        Err(error)
    }

    /// Whether the first reply has been read.
    fn heard(&self) -> bool {
        self.wire.as_ref().is_none_or(|wire| wire.heard)
    }

    /// Whether all can be sent again, as far as the server is concerned.
    fn retry(&self) -> Retry {
        if self.how == Store::Whole { Retry::Safe } else { Retry::Never }
    }

    /// Waits for the first reply, unless it has come. `ended`: everything has been sent, and is again where the transfer
    /// begins anew.
    fn confirm(&mut self, ended: bool, deadline: Deadline) -> Result<()> {
        while !self.heard() {
            let wire = self.wire()?;
            let verb = wire.verb;
            let reply = wire.lease.control_mut().reply(verb, deadline);
            self.first_reply(reply, ended, deadline)?;
        }
        self.wire().map(drop)
    }

    /// Takes in the first reply. A refusal that has to do with the connection alone begins the transfer anew, once.
    fn first_reply(&mut self, reply: Result<Reply>, ended: bool, deadline: Deadline) -> Result<()> {
        let wire = self.wire()?;
        let (verb, skill) = (wire.verb, wire.skill);
        let mut most = MOST_RENEWALS;
        let error = match reply {
            Ok(reply) if reply.class() == Class::Preliminary => {
                wire.heard = true;
                self.unheard = Vec::new();
                return Ok(());
            }
            // Done before it began: nobody knows with what.
            Ok(reply) if reply.class() == Class::Completion => {
                refusal(verb, &reply, ErrorKind::Unreachable).with_retry(Retry::Safe)
            }
            Ok(reply) => match self.wire.take().map_or(Ok(()), |wire| wire.refused(&reply)) {
                Err(error) => error,
                Ok(()) => {
                    let client = self.client.clone();
                    let error = client.not_stored(verb, &reply, &self.path, skill, deadline);
                    let other_way = skill.is_some() && client.tail_skill(self.how).is_ok();
                    if !other_way || error.kind != ErrorKind::Unsupported {
                        return self.fail(error);
                    }
                    most = u32::MAX;
                    error.with_retry(Retry::Safe)
                }
            },
            Err(error) => error,
        };
        if self.renewals >= most || error.retry == Retry::Never || deadline.passed() {
            return self.fail(error);
        }
        debug!("{error}: the upload begins anew");
        self.renew(ended, deadline)
    }

    /// Begins anew and sends all that was sent before.
    fn renew(&mut self, ended: bool, deadline: Deadline) -> Result<()> {
        self.wire = None;
        self.renewals += 1;
        match self.client.begin_store(&self.path, &self.way, self.how, &self.recall, deadline) {
            Ok(wire) => self.wire = Some(wire),
            Err(error) => return self.fail(error),
        }
        let again = std::mem::take(&mut self.unheard);
        if !self.heard() {
            self.unheard.clone_from(&again);
        }
        self.push(&again, deadline)?;
        if ended { self.end(deadline) } else { Ok(()) }
    }

    /// Sends `bytes`, which [`unheard`](Self::unheard) holds as well as long as the server has said nothing.
    fn push(&mut self, mut bytes: &[u8], deadline: Deadline) -> Result<()> {
        let patience = deadline.left().map_err(|e| Error::io("STOR", e))?;
        let mut deadline = deadline;
        while !bytes.is_empty() {
            let Wire { lease, data, verb, .. } = self.wire()?;
            let (control, verb) = (lease.control_mut(), *verb);
            let Some(socket) = data else { return self.ended_early(None, deadline) };
            match socket.write_watching(bytes, control.as_fd(), deadline) {
                Ok(written) => {
                    bytes = &bytes[written.taken..];
                    if written.taken > 0 {
                        deadline = Deadline::after(patience);
                    }
                    let news = if written.stopped { control.reply_now(verb) } else { Ok(None) };
                    let renewals = self.renewals;
                    match news {
                        Ok(None) => {}
                        news if !self.heard() => {
                            self.first_reply(news.and_then(some), false, deadline)?;
                            if self.renewals > renewals {
                                // All of it has been sent again.
                                return Ok(());
                            }
                        }
                        Ok(Some(reply)) if reply.class() == Class::Preliminary => {}
                        Ok(Some(reply)) => return self.ended_early(Some(reply), deadline),
                        Err(error) => return self.fail(error.with_retry(self.retry())),
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::TimedOut => return self.fail(Error::io(verb, e)),
                Err(e) => {
                    debug!("the data connection: {e}");
                    return self.ended_early(None, deadline);
                }
            }
        }
        Ok(())
    }

    /// The server does not take any more; it may have said why already.
    fn ended_early(&mut self, said: Option<Reply>, deadline: Deadline) -> Result<()> {
        let soon = deadline.min_after(ABORT_PATIENCE);
        self.wire()?.data = None;
        if !self.heard() {
            let wire = self.wire()?;
            let verb = wire.verb;
            let reply = wire.lease.control_mut().reply(verb, soon);
            let begun = reply.as_ref().is_ok_and(|reply| reply.class() == Class::Preliminary);
            self.first_reply(reply, false, deadline)?;
            if !begun {
                return Ok(());
            }
        }
        let retry = self.retry();
        let wire = self.wire()?;
        let reply = match said {
            Some(reply) => Ok(reply),
            None => final_reply(wire.lease.control_mut(), wire.verb, soon),
        };
        match reply {
            Ok(reply) => self.broken(&reply, deadline),
            Err(error) => self.fail(Error { kind: ErrorKind::Unreachable, ..error }.with_retry(retry)),
        }
    }

    /// The final reply is a bad one, or came too early.
    fn broken<T>(&mut self, reply: &Reply, deadline: Deadline) -> Result<T> {
        let Some(mut wire) = self.wire.take() else {
            return self.wire().and(Err(Error::new(ErrorKind::Protocol, "STOR")));
        };
        let (verb, skill) = (wire.verb, wire.skill);
        if wire.unresumed && wants_resumption(reply) {
            let error = unresumable(wire.lease.control_mut(), verb, reply);
            let retry = if error.retry == Retry::Never { Retry::Never } else { self.retry() };
            return self.fail(error.with_retry(retry));
        }
        if reply.code.get() != 425 {
            wire.lease.put_back();
        }
        if reply.class() == Class::Completion {
            return self.fail(refusal(verb, reply, ErrorKind::Unreachable).with_retry(self.retry()));
        }
        let error = self.client.clone().not_stored(verb, reply, &self.path, skill, deadline);
        let retry = if error.kind == ErrorKind::Unreachable { self.retry() } else { Retry::Never };
        self.fail(error.with_retry(retry))
    }

    /// Says that all is sent.
    fn end(&mut self, deadline: Deadline) -> Result<()> {
        let Wire { lease, data, .. } = self.wire()?;
        let Some(socket) = data else { return Ok(()) };
        let flushed = socket.write_watching(&[], lease.control_mut().as_fd(), deadline);
        match flushed.and_then(|_| socket.end_writing(deadline)) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::TimedOut => self.fail(Error::io("STOR", e)),
            // What the server says tells more.
            Err(e) => {
                debug!("the data connection: {e}");
                self.wire()?.data = None;
                Ok(())
            }
        }
    }
}

impl Upload for Stor {
    fn accepted(&mut self, deadline: Deadline) -> Result<()> {
        self.confirm(false, deadline)
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<()> {
        if !self.heard() && self.unheard.len() + bytes.len() > MOST_UNHEARD {
            self.confirm(false, deadline)?;
        }
        if !self.heard() {
            self.unheard.extend_from_slice(bytes);
        }
        self.sent += bytes.len() as u64;
        self.push(bytes, deadline)
    }

    fn finish(mut self: Box<Self>, settings: &Settings, deadline: Deadline) -> Result<Stored> {
        self.end(deadline)?;
        self.confirm(true, deadline)?;
        let retry = self.retry();
        let wire = self.wire()?;
        let whole = wire.data.is_some();
        let reply = match final_reply(wire.lease.control_mut(), wire.verb, deadline) {
            Ok(reply) => reply,
            Err(error) => return self.fail(error.with_retry(retry)),
        };
        if let Some(mut data) = wire.data.take() {
            // Those of TLS 1.3 are what the next data connection resumes.
            data.take_tickets();
            if let Some(before) = wire.tickets.filter(|_| data.is_resumed()) {
                let after = wire.lease.control_mut().data_session().map(Session::tickets);
                let brought = if after > Some(before) { Can::Yes } else { Can::No };
                wire.lease.control_mut().dialect().learn(Skill::UploadTickets, brought);
            }
        }
        if reply.class() != Class::Completion || !whole {
            return self.broken(&reply, deadline);
        }
        let Some(Wire { lease, skill, .. }) = self.wire.take() else {
            return Err(Error::new(ErrorKind::Protocol, "STOR"));
        };
        let size = match self.how {
            Store::Whole => self.sent,
            Store::Tail { at } => at + self.sent,
        };
        let stored = self.client.settle(lease, &self.path, &self.way, settings, size, deadline);
        let Some(skill) = skill else { return stored };
        match stored {
            Ok(stored) => {
                if stored.version.is_some() {
                    self.client.dialect.learn(skill, Can::Yes);
                }
                Ok(stored)
            }
            Err(error) if error.verb == WRONG_SIZE && self.client.dialect.can(skill) != Can::Yes => {
                info!("{}: the server does not put a tail where it belongs", self.path);
                self.client.dialect.learn(skill, Can::No);
                Err(Error { kind: ErrorKind::Unsupported, ..error }.with_retry(Retry::Never))
            }
            Err(error) => Err(error.with_retry(Retry::Never)),
        }
    }

    fn abandon(mut self: Box<Self>, deadline: Deadline) {
        let Some(Wire { mut lease, data, verb, .. }) = self.wire.take() else { return };
        if let Some(data) = data {
            data.close();
        }
        match final_reply(lease.control_mut(), verb, deadline.min_after(ABORT_PATIENCE)) {
            Ok(reply) if reply.code.get() != 425 => lease.put_back(),
            Ok(reply) => debug!("{reply}: the connection is given up"),
            Err(e) => debug!("no reply to an early end: {e}"),
        }
    }
}

fn some(reply: Option<Reply>) -> Result<Reply> {
    reply.ok_or_else(|| Error::new(ErrorKind::Protocol, "STOR"))
}

/// What errors are about where the size is not what was sent.
pub(super) const WRONG_SIZE: &str = "compare the size";

/// What is kept of an upload to begin it anew; larger ones wait for the first reply.
const MOST_UNHEARD: usize = 256 << 10;

/// How often an upload begins anew, unseen, because of its connections.
const MOST_RENEWALS: u32 = 1;
