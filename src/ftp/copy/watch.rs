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
        let mut size = 0;
        loop {
            match control.reply_now(verb)? {
                Some(reply) if reply.class() != Class::Preliminary || reply.is_final_measured() => return Ok(reply),
                Some(_) => {
                    until = Deadline::after(job.patience);
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
            until = match self.glance(job.to) {
                Some(now) if now > size => {
                    debug!("{}: {now} bytes of {} are copied", job.to, job.size);
                    size = now;
                    Deadline::after(job.patience)
                }
                // It may be waiting for the disk with all of it.
                Some(now) if now < job.size || last.passed() => return Err(Error::new(ErrorKind::TimedOut, verb)),
                None if last.passed() => return Err(Error::new(ErrorKind::TimedOut, verb)),
                Some(_) | None => last.min(Deadline::after(job.patience)),
            };
        }
    }

    /// The size of `path`, over a connection that can be had at once; None where nobody can tell.
    fn glance(&self, path: &RemotePath) -> Option<u64> {
        let soon = Deadline::after(self.timeout.min(GLANCE));
        let mut lease = self.pool.acquire_spare(&Claim::Metadata, soon).ok()??;
        let way = self.way(path).ok()?;
        let control = lease.control_mut();
        let asked = version_commands(control, way.arg(), soon).ok()?;
        let replies = control.pipeline(&asked, soon).ok()?;
        lease.put_back();
        read_version(&self.dialect, &asked, &replies).map(|version| version.size)
    }
}

/// What a look may take.
const GLANCE: Duration = Duration::from_secs(10);
