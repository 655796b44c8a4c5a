//! What is done at once when all bytes of an upload have left, instead of behind the server's final reply.
//!
//! A file costs one round trip until that reply, and would cost a second one to compare its size. So its size is asked
//! for on a second connection, a moment behind the last byte: by then the server has taken that in. An answer that says
//! less proves nothing, and the question is asked again behind the final reply, as it is of servers whose reply is here
//! before that moment is over.
//!
//! vsftpd 3.0.3 takes the question behind the data, but holds its final reply back until its own end of the data connection
//! is acknowledged, which is a second round trip (it lingers in close(2)). A reset ends that: at that moment it has read
//! everything and waits for nothing else. If it has not, or if bytes were lost on the way and can now not be sent again, it
//! says 426 instead of 226; the upload then begins anew, and this server's connections are not reset any more.

use std::time::Duration;

use log::{debug, info};

use super::dialect::{Can, Skill};
use super::features::Software;
use super::pool::{Claim, Lease};
use super::reply::Class;
use super::stored::{Asked, Told};
use super::upload::Stor;
use super::way::Way;
use crate::base::Deadline;
use crate::base::sys::{self, Ready};
use crate::remote::{Result, Settings, Store};

/// What has been asked before the final reply.
pub(super) enum Early<'a> {
    Nothing,
    /// On the same connection.
    Behind(Asked<'a>),
    /// On another one.
    Beside(Box<Lease>, Asked<'a>),
}

impl Stor {
    /// Does what can be done before the final reply; everything is sent.
    pub(super) fn hurry<'a>(&mut self, way: &'a Way, settings: &Settings, deadline: Deadline) -> Result<Early<'a>> {
        if self.how != Store::Whole || !self.has_plain_channel() {
            return Ok(Early::Nothing);
        }
        let vsftpd = self.client.dialect.software() == Software::Vsftpd;
        let skill = if vsftpd { Skill::HastyEnd } else { Skill::EarlySize };
        // What a reset costs is sent again, which is to be little. A file that was there before may have the same size.
        let fits = if vsftpd { self.sent <= MOST_AT_RISK } else { self.may_leave };
        // Of a transfer that fails after all nothing is to be left that keeps the next one out.
        let writable = settings.mode.is_none_or(|mode| mode & 0o200 != 0);
        let may = fits && writable && self.client.dialect.can(skill) != Can::No;
        if !may || !self.client.foresees(settings) || !self.has_gone(deadline)? {
            return Ok(Early::Nothing);
        }
        if vsftpd { self.ask_behind(way, settings, deadline) } else { self.ask_beside(way, settings, deadline) }
    }

    /// Waits until all bytes have left and a moment is over; false where the server has said its last word meanwhile.
    fn has_gone(&mut self, deadline: Deadline) -> Result<bool> {
        while !deadline.passed() {
            let renewals = self.renewals;
            let wire = self.wire()?;
            let Some(data) = &wire.data else { return Ok(false) };
            let unsent = data.unsent().unwrap_or(1);
            let heard = wire.heard;
            let control = [(std::os::fd::AsFd::as_fd(wire.lease.control_mut()), Ready::Read)];
            let spoken = sys::wait_ready(&control, MOMENT).unwrap_or(true);
            if spoken && heard {
                return Ok(false);
            }
            if spoken {
                self.confirm(true, deadline)?;
                if self.renewals > renewals {
                    return Ok(false);
                }
            } else if unsent == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ask_behind<'a>(&mut self, way: &'a Way, settings: &Settings, deadline: Deadline) -> Result<Early<'a>> {
        let client = self.client.clone();
        let wire = self.wire()?;
        let Some(asked) = client.ask_early(wire.lease.control_mut(), way, settings, deadline)? else {
            return Ok(Early::Nothing);
        };
        wire.asked = true;
        if let Some(data) = wire.data.take() {
            wire.reset = true;
            data.reset();
        }
        Ok(Early::Behind(asked))
    }

    /// The mode goes along; a time that was set before the last byte has been written would not last.
    fn ask_beside<'a>(&mut self, way: &'a Way, settings: &Settings, deadline: Deadline) -> Result<Early<'a>> {
        let Some(mut lease) = self.client.pool.take_spare(&Claim::Metadata) else { return Ok(Early::Nothing) };
        let control = lease.control_mut();
        let asked = match way.walk(control, deadline) {
            Ok(None) => {
                let settings = Settings { mtime: None, ..*settings };
                self.client.questions(control, way, &settings, false, deadline)
            }
            Ok(Some(_)) => {
                lease.put_back();
                return Ok(Early::Nothing);
            }
            Err(e) => Err(e),
        };
        let sent = asked.and_then(|asked| control.send(&asked.commands(), deadline).map(|()| asked));
        match sent {
            Ok(asked) => Ok(Early::Beside(Box::new(lease), asked)),
            Err(e) => {
                debug!("{e}: the size is asked for later");
                Ok(Early::Nothing)
            }
        }
    }

    /// The answers to what was asked beside, if they say that everything is there.
    pub(super) fn answers_beside<'a>(
        &self,
        mut lease: Box<Lease>,
        asked: Asked<'a>,
        deadline: Deadline,
    ) -> Option<Told<'a>> {
        let control = lease.control_mut();
        let replies: Result<Vec<_>> =
            asked.commands().iter().map(|command| control.reply(command.verb(), deadline.min_after(ANSWERS))).collect();
        let replies = replies.inspect_err(|e| debug!("{e}: the size is asked for again")).ok()?;
        lease.put_back();
        let said = self.client.size_said(&asked, &replies);
        let whole = said == Some(self.sent) && replies.iter().all(|reply| reply.class() == Class::Completion);
        if whole {
            self.client.dialect.learn(Skill::EarlySize, Can::Yes);
        } else if said.is_none() && self.client.dialect.can(Skill::EarlySize) != Can::Yes {
            // It shows uploads under their names only when they are whole: Pure-FTPd with -0, ProFTPD with HiddenStores.
            self.client.dialect.learn(Skill::EarlySize, Can::No);
        }
        whole.then_some(Told { asked, replies: Ok(replies) })
    }

    /// Resets do not do with this server, or on this line.
    pub(super) fn was_too_hasty(&self) {
        info!("the server has not taken everything when its data connection was reset: no more of that");
        self.client.dialect.learn(Skill::HastyEnd, Can::No);
    }
}

/// How long answers may take that only save time, once the final reply is here.
const ANSWERS: Duration = Duration::from_secs(1);

/// Bytes of an upload whose data connection is reset at most.
const MOST_AT_RISK: u64 = 256 << 10;

/// How long a server takes to take in what has arrived. On a line whose round trip is shorter there is nothing to be won.
const MOMENT: Duration = Duration::from_millis(3);
