//! A `STOR` or `APPE` under way.
//!
//! Where the data channel is connected and in the clear, bytes follow the command at once: a small file is on its way
//! before the server has said anything. What was sent so far is kept until it has, because a channel that was opened
//! ahead, or a connection that was idle, may turn out to be dead: then everything begins anew, unseen.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use log::{debug, info};

use super::classify::refusal;
use super::client::Client;
use super::control::Control;
use super::dialect::{Can, Skill};
use super::hurry::Early;
use super::pool::Lease;
use super::reply::{Class, Reply};
use super::socket::Socket;
use super::stored::{Asked, Sent, Told};
use super::tls::Session;
use super::transfer::{ABORT_PATIENCE, final_reply, unresumable, wants_resumption};
use super::way::Way;
use crate::base::{Deadline, Recall};
use crate::remote::{Applied, Error, ErrorKind, RemotePath, Result, Retry, Settings, Store, Stored, Upload};

/// A file on its way to the server.
pub(super) struct Stor {
    pub(super) client: Client,
    path: RemotePath,
    way: Way,
    pub(super) how: Store,
    recall: Arc<Recall>,
    /// None once it has ended.
    wire: Option<Wire>,
    /// What has been sent while the server had not said anything.
    unheard: Vec<u8>,
    pub(super) sent: u64,
    /// How often it has begun anew.
    pub(super) renewals: u32,
    /// What is to be set need not be set before it has ended.
    pub(super) may_leave: bool,
    /// Why it has ended.
    failure: Option<Error>,
}

/// The connections of a transfer.
pub(super) struct Wire {
    pub(super) lease: Lease,
    /// None where the server has closed it, or everything is sent.
    pub(super) data: Option<Socket>,
    pub(super) verb: &'static str,
    /// Which way of writing tails this is.
    pub(super) skill: Option<Skill>,
    /// The first reply has been read.
    pub(super) heard: bool,
    /// How many tickets had come before, where TLS 1.3 brings them.
    pub(super) tickets: Option<usize>,
    /// The data channel was encrypted, but not in the control connection's session.
    pub(super) unresumed: bool,
    /// Questions were sent before the final reply.
    pub(super) asked: bool,
    /// The data channel was reset when everything had been sent.
    pub(super) reset: bool,
}

impl Wire {
    /// After a refusal: gives the connection back, or says that another one is to be tried.
    pub(super) fn refused(self, reply: &Reply) -> Result<()> {
        match reply.code.get() {
            // The server let go of its data channel, and perhaps of the next one.
            425 => Err(refusal(self.verb, reply, ErrorKind::Unreachable).with_retry(Retry::Safe)),
            // The answers to what was asked are still to come.
            _ if self.asked => Ok(()),
            _ => {
                self.lease.put_back();
                Ok(())
            }
        }
    }
}

impl Stor {
    pub(super) fn new(
        client: &Client,
        path: &RemotePath,
        way: Way,
        how: Store,
        recall: &Arc<Recall>,
        wire: Wire,
    ) -> Self {
        let (client, path, recall) = (client.clone(), path.clone(), Arc::clone(recall));
        let (unheard, sent, renewals, may_leave, failure) = (Vec::new(), 0, 0, false, None);
        Self { client, path, way, how, recall, wire: Some(wire), unheard, sent, renewals, may_leave, failure }
    }

    pub(super) fn wire(&mut self) -> Result<&mut Wire> {
        let failure = &self.failure;
        self.wire.as_mut().ok_or_else(|| failure.clone().unwrap_or_else(|| Error::new(ErrorKind::Protocol, "STOR")))
    }

    /// Whether bytes go out as they are, so that the system knows which have left.
    pub(super) fn has_plain_channel(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.data.as_ref().is_some_and(|data| !data.is_encrypted()))
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
    pub(super) fn confirm(&mut self, ended: bool, deadline: Deadline) -> Result<()> {
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
        let (client, way) = (self.client.clone(), self.way.clone());
        let renewals = self.renewals;
        let mut early = self.hurry(&way, settings, deadline)?;
        let reset = self.wire()?.reset;
        let confirmed = self.confirm(true, deadline);
        if self.renewals > renewals {
            early = Early::Nothing;
        }
        if reset && (confirmed.is_err() || self.renewals > renewals) {
            self.was_too_hasty();
        }
        confirmed?;
        let retry = self.retry();
        let wire = self.wire()?;
        let whole = wire.data.is_some() || wire.reset;
        let (verb, control, reset) = (wire.verb, wire.lease.control_mut(), wire.reset);
        let about = (whole && !matches!(early, Early::Beside(..))).then_some((&way, settings));
        let (early, beside) = match early {
            Early::Behind(asked) => (Some(asked), None),
            Early::Beside(lease, asked) => (None, Some((lease, asked))),
            Early::Nothing => (None, None),
        };
        let ended = final_replies(&client, control, verb, early, about, deadline);
        let (reply, mut told) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                if reset {
                    self.was_too_hasty();
                }
                return self.fail(error.with_retry(retry));
            }
        };
        if reset && reply.class() != Class::Completion {
            self.was_too_hasty();
        }
        let mut late = false;
        if let Some((lease, asked)) = beside {
            told = self.answers_beside(lease, asked, deadline);
            late = told.is_some() && settings.mtime.is_some();
        }
        let wire = self.wire()?;
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
        let file = Sent { path: &self.path, way: &self.way, settings, size };
        let mut stored = self.client.settle(lease, &file, told, deadline);
        if let Ok(stored) = &mut stored
            && late
        {
            stored.outcome.mtime = Applied::Later;
        }
        if reset && stored.as_ref().is_err_and(|e| e.verb == WRONG_SIZE) {
            self.was_too_hasty();
        }
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

    fn may_leave_settings(&mut self) {
        self.may_leave = true;
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

/// The final reply, and the answers to what was asked together with the end of the data, where that was possible.
fn final_replies<'a>(
    client: &Client,
    control: &mut Control,
    verb: &'static str,
    early: Option<Asked<'a>>,
    about: Option<(&'a Way, &Settings)>,
    deadline: Deadline,
) -> Result<(Reply, Option<Told<'a>>)> {
    let asked = match (early, about) {
        (Some(asked), _) => Some(asked),
        (None, Some((way, settings))) => client.ask_early(control, way, settings, deadline)?,
        (None, None) => None,
    };
    let reply = final_reply(control, verb, deadline)?;
    let Some(asked) = asked else { return Ok((reply, None)) };
    let answers: Result<Vec<_>> =
        asked.commands().iter().map(|command| control.reply(command.verb(), deadline)).collect();
    if reply.class() != Class::Completion {
        // The connection is used again, which it can be only in step.
        answers?;
        return Ok((reply, None));
    }
    Ok((reply, Some(Told { asked, replies: answers })))
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
