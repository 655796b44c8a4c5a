//! The beginning of an upload: `STOR`, or `APPE` or `REST` and `STOR` for a tail, on as many connections as it takes.

use std::sync::Arc;

use log::{debug, info};

use super::channel::Begun;
use super::client::{Client, again};
use super::command::Command;
use super::dialect::{Can, Skill};
use super::listing::mlsd::parse_mlst;
use super::listing::time::parse_size;
use super::pool::{Claim, Lease};
use super::reply::{Class, Reply};
use super::tls::Session;
use super::transfer::known;
use super::upload::{Stor, Wire};
use super::way::Way;
use crate::base::{Deadline, Recall};
use crate::remote::{Error, ErrorKind, RemotePath, Result, Store};

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
        if matches!(how, Store::Tail { .. }) {
            self.prove_tails(path, recall, deadline)?;
        }
        self.store_as_is(path, how, recall, deadline)
    }

    /// As [`store`](Self::store), without a proof that the server can write tails.
    pub(super) fn store_as_is(
        &self,
        path: &RemotePath,
        how: Store,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Stor> {
        let way = match how {
            Store::Whole => self.way_to_new(path)?,
            Store::Tail { .. } => self.way(path)?,
        };
        let wire = self.begin_store(path, &way, how, recall, deadline)?;
        Ok(Stor::new(self, path, way, how, recall, wire))
    }

    /// Begins, on as many connections as it takes.
    pub(super) fn begin_store(
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
                debug!("{at} bytes were to be there");
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
        let mut wire = Wire {
            lease,
            data: None,
            verb,
            skill,
            heard: false,
            tickets,
            unresumed: false,
            asked: false,
            reset: false,
        };
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
    pub(super) fn not_stored(
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
