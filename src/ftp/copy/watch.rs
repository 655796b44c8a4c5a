//! Waiting for the end of a copy, which is silent however long it takes.

use std::os::fd::AsFd;
use std::time::Duration;

use log::debug;

use super::Job;
use crate::base::Deadline;
use crate::base::sys::{self, Ready};
use crate::ftp::client::Client;
use crate::ftp::control::Control;
use crate::ftp::pool::Claim;
use crate::ftp::reply::{Class, Reply};
use crate::ftp::transfer::{read_version, version_commands};
use crate::remote::{Error, ErrorKind, RemotePath, Result};

impl Client {
    /// The final reply to `verb`. Whenever the server has been silent for as long as it may, somebody looks at the copy over a
    /// connection that nobody needs: as long as it has grown since the last look, it is waited for.
    pub(super) fn wait_for_copy(&self, control: &mut Control, verb: &'static str, job: &Job<'_>) -> Result<Reply> {
        let (mut until, last) = (Deadline::after(job.patience), job.last());
        let (mut size, mut unseen) = (0, job.unseen());
        // Whether a look has met silence since something was last seen or said.
        let mut unheard = false;
        loop {
            match control.reply_now(verb)? {
                Some(reply) if reply.class() != Class::Preliminary || reply.is_final_measured() => return Ok(reply),
                Some(_) => {
                    (until, unseen, unheard) = (Deadline::after(job.patience), job.unseen(), false);
                    continue;
                }
                None => {}
            }
            let silent = match until.left() {
                Ok(left) => {
                    !sys::wait_ready(&[(control.as_fd(), Ready::Read)], left).map_err(|e| Error::io(verb, e))?
                }
                Err(_) => true,
            };
            if !silent {
                continue;
            }
            let late = || Err(Error::new(ErrorKind::TimedOut, verb));
            let most = match self.glance(job.to) {
                Glance::Size(now) if now > size => {
                    debug!("{}: {now} bytes of {} are copied", job.to, job.size);
                    (size, unseen, unheard) = (now, job.unseen(), false);
                    Deadline::after(job.patience)
                }
                Glance::Size(now) if now < job.size => return late(),
                // It may be waiting for the disk with all of it.
                Glance::Size(_) => {
                    unheard = false;
                    last
                }
                Glance::Silent if unheard => return late(),
                Glance::Silent => {
                    unheard = true;
                    last
                }
                Glance::Unknown => unseen,
            };
            if most.passed() {
                return late();
            }
            until = most.min(Deadline::after(job.patience));
        }
    }

    /// Looks at `path`, over a connection that can be had at once.
    fn glance(&self, path: &RemotePath) -> Glance {
        let soon = Deadline::after(self.timeout.min(GLANCE));
        let mut lease = match self.pool.acquire_spare(&Claim::Metadata, soon) {
            Ok(Some(lease)) => lease,
            // What does not answer a new client is as silent as what does not answer an old one.
            Err(e) if e.kind == ErrorKind::TimedOut => return Glance::Silent,
            Ok(None) | Err(_) => return Glance::Unknown,
        };
        match self.look(lease.control_mut(), path, soon) {
            Ok(size) => {
                lease.put_back();
                size.map_or(Glance::Unknown, Glance::Size)
            }
            Err(e) => {
                debug!("{path}, which is being copied: {e}");
                Glance::Silent
            }
        }
    }

    fn look(&self, control: &mut Control, path: &RemotePath, soon: Deadline) -> Result<Option<u64>> {
        let way = self.way(path)?;
        let asked = version_commands(control, way.arg(), soon)?;
        let replies = control.pipeline(&asked, soon)?;
        Ok(read_version(&self.dialect, &asked, &replies).map(|version| version.size))
    }
}

impl Job<'_> {
    /// When a copy of which nothing has been seen from now on has taken too long, whatever its size.
    fn unseen(&self) -> Deadline {
        self.last().min(Deadline::after(self.patience.saturating_add(UNSEEN)))
    }
}

/// What a look has shown.
#[derive(Clone, Copy, Debug)]
enum Glance {
    Size(u64),
    /// The server was asked, and said nothing.
    Silent,
    /// No connection was free, or the answer was no size.
    Unknown,
}

/// What a look may take.
const GLANCE: Duration = Duration::from_secs(10);

/// How long a copy is waited for that nobody can look at, beside what the server may be silent for. Where it goes on all the
/// same, the look that follows waits for a connection and sees it grow.
const UNSEEN: Duration = Duration::from_secs(300);
