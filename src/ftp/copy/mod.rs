//! Copies that the server makes by itself: no byte of the file comes by here.
//!
//! `SITE CPFR` and `SITE CPTO` (ProFTPD's mod_copy), else `SITE COPY`, both in `site`; else the server sends the file to
//! itself over two connections of ours (`fxp`). What a server can is found out by asking for a copy that is wanted.
//! A copy is silent while it goes on, so `watch` looks whether it grows.

mod fxp;
mod site;
mod watch;

use std::thread;
use std::time::Duration;

use log::{debug, warn};

use super::change::Attempt;
use super::client::Client;
use super::dialect::{Can, Skill};
use super::features::Software;
use super::pool::{Claim, Lease};
use super::stored::Sent;
use super::way::Way;
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Remote as _, RemotePath, Result, Settings, Stored};

/// What is to be copied.
struct Job<'a> {
    from: &'a RemotePath,
    to: &'a RemotePath,
    source: Way,
    target: Way,
    size: u64,
    settings: &'a Settings,
    /// How long the server may be silent.
    patience: Duration,
}

/// Where the server has made a copy: on this connection, which is in step; None where the answer was lost.
type Made = Option<Lease>;

impl Client {
    /// Whether a file of `size` bytes is copied on the server, and whether that is worth it.
    pub(super) fn copies(&self, size: u64) -> Option<bool> {
        self.best(self.copy_skills(size))
    }

    /// What may copy a file of `size` bytes here, the best first.
    fn copy_skills(&self, size: u64) -> &'static [Skill] {
        // The others were seen to know no such SITE commands; inetutils does not answer what it does not know.
        // One connection for as long as it takes, and one that is left to others.
        let knows = matches!(self.dialect.software(), Software::ProFtpd | Software::Unknown);
        let by_site = knows && self.pool.grants(2);
        // pyftpdlib 2.2.0 could, but the session by which it has connected to itself would silence another one later (see
        // `Opener::wants_one_connection`): whichever has the number of its descriptor at the next EPSV.
        let safe = self.dialect.software() != Software::Pyftpdlib;
        // Two connections at once, and one more.
        let by_fxp = safe && size >= WORTH_FXP && self.pool.grants(3);
        match (by_site, by_fxp) {
            (true, true) => &[Skill::SiteCpfr, Skill::SiteCopy, Skill::Fxp],
            (true, false) => &[Skill::SiteCpfr, Skill::SiteCopy],
            (false, true) => &[Skill::Fxp],
            (false, false) => &[],
        }
    }

    /// Copies a file in the best way that there is.
    pub(super) fn copy_file(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        size: u64,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Stored> {
        let patience = deadline.left().map_err(|e| Error::io("copy", e))?;
        self.meet(deadline)?;
        let (source, target) = (self.way(from)?, self.way_to_new(to)?);
        let mut refused = Error::new(ErrorKind::Unsupported, "copy");
        if source.is_long() || target.is_long() || from == to {
            return Err(refused);
        }
        let job = Job { from, to, source, target, size, settings, patience };
        for skill in self.copy_skills(size) {
            // One module has both, and what it refuses by one it refuses by the other.
            let second = *skill == Skill::SiteCopy && self.dialect.can(Skill::SiteCpfr) != Can::No;
            if second || self.dialect.can(*skill) == Can::No {
                continue;
            }
            match self.copy_by(*skill, &job, Deadline::after(patience)) {
                Ok(stored) => return Ok(stored),
                // The right to copy is not that to read: another way may be open. That to write is the same for all.
                Err(e) if is_no_way(&e) && (e.kind == ErrorKind::Unsupported || e.verb != "SITE CPTO") => {
                    debug!("{from} is not copied by {skill:?}: {e}");
                    refused = e;
                }
                Err(e) => return Err(e),
            }
        }
        Err(refused)
    }

    fn copy_by(&self, skill: Skill, job: &Job<'_>, deadline: Deadline) -> Result<Stored> {
        let arrived = |client: &Self| client.has_arrived(job);
        let mut lost = false;
        let attempt = || {
            let (attempt, reused) = match skill {
                Skill::SiteCpfr => self.copy_by_cpfr(job, deadline),
                Skill::SiteCopy => self.copy_by_copy(job, deadline),
                _ => self.copy_by_fxp(job, deadline),
            };
            lost |= matches!(attempt, Attempt::Lost(_));
            (attempt, reused)
        };
        let made = self.change_by(arrived, deadline, attempt).and_then(|(made, _)| match made {
            Some(made) => made,
            None => Ok(None),
        });
        let stored = made.and_then(|made| self.check_copy(job, made));
        match &stored {
            Ok(_) => self.dialect.learn(skill, Can::Yes),
            Err(_) if lost => self.remove_part(job),
            Err(_) => {}
        }
        stored
    }

    /// A connection that nobody has to be asked for: a copy takes as long as a transfer, and cannot be asked to end.
    ///
    /// # Errors
    /// `Unsupported` where there is none, or none can be made, just now: the file is copied by here then.
    fn lease_for_copy(&self, verb: &'static str, deadline: Deadline) -> Result<Lease> {
        match self.pool.acquire_spare(&Claim::Copy, deadline) {
            Ok(Some(lease)) => Ok(lease),
            Ok(None) => Err(unsupported(verb)),
            Err(e) => {
                debug!("no connection for a copy: {e}");
                Err(unsupported(verb))
            }
        }
    }

    /// Sets what is to be set on a copy, and compares its size.
    fn check_copy(&self, job: &Job<'_>, made: Made) -> Result<Stored> {
        let deadline = Deadline::after(job.patience);
        let lease = made.map_or_else(|| self.pool.acquire(&Claim::Metadata, deadline), Ok)?;
        let Job { to, target, settings, size, .. } = job;
        let stored = self.settle(lease, &Sent { path: to, way: target, settings, size: *size }, None, deadline)?;
        if stored.version.is_none() {
            return Err(Error::new(ErrorKind::Protocol, "SIZE"));
        }
        Ok(stored)
    }

    /// Whether all of a copy is there whose end nobody has heard of. The server may still be at it: that is waited for as long
    /// as it grows.
    fn has_arrived(&self, job: &Job<'_>) -> Result<bool> {
        let (last, mut before) = (job.last(), None);
        loop {
            let found = match self.version(job.to, Deadline::after(self.timeout)) {
                Ok(version) => version.map(|version| version.size),
                Err(e) if e.kind == ErrorKind::NotFound => return Ok(false),
                Err(e) => return Err(e),
            };
            if found == Some(job.size) {
                return Ok(true);
            }
            if found.is_none_or(|size| size > job.size) || found <= before || last.passed() {
                return Ok(false);
            }
            before = found.max(Some(0));
            thread::sleep(GROWS_WITHIN);
        }
    }

    /// The server may still be at a copy whose end nobody has heard of: what it writes, it writes to nothing then, and not
    /// into what is stored next.
    fn remove_part(&self, job: &Job<'_>) {
        match self.delete(job.to, Deadline::after(self.timeout)) {
            Ok(()) => {}
            Err(e) if e.kind == ErrorKind::NotFound => {}
            Err(e) => warn!("{}, which is not all of {}, could not be removed: {e}", job.to, job.from),
        }
    }
}

impl Job<'_> {
    /// When a copy that nobody can look at has taken too long.
    fn last(&self) -> Deadline {
        Deadline::after(self.patience.saturating_add(Duration::from_secs(self.size / SLOWEST)))
    }
}

/// A server that does not do it, be it only for this file.
fn unsupported(verb: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, verb)
}

/// Whether nothing but this way of copying was refused.
fn is_no_way(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Unsupported | ErrorKind::Denied | ErrorKind::NotPermitted)
}

/// Bytes that are worth six more round trips: two ports, two commands, two sizes.
const WORTH_FXP: u64 = 1 << 20;

/// Bytes in a second that any server's disk copies.
const SLOWEST: u64 = 4 << 20;

/// A copy that goes on has grown after so long.
const GROWS_WITHIN: Duration = Duration::from_secs(1);
