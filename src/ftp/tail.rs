//! Whether a server writes the tail of a file where it belongs, and how: by `APPE`, else by `REST` and `STOR`.
//!
//! vsftpd, ProFTPD, Pure-FTPd, pyftpdlib and inetutils were seen to do so, or to refuse. Of another server nobody knows,
//! and one that gets it wrong destroys what was there: it has to show it on a file of our own first.

use std::sync::Arc;

use log::{debug, info, warn};

use super::client::Client;
use super::dialect::{Can, Skill};
use super::features::Software;
use crate::base::{Deadline, Recall};
use crate::remote::{Error, ErrorKind, Remote, RemotePath, Result, Settings, Store, Upload, temporary_name};

impl Client {
    /// How a tail is written here; None for a whole file.
    pub(super) fn tail_skill(&self, how: Store) -> Result<Option<Skill>> {
        if how == Store::Whole {
            return Ok(None);
        }
        let usable = |wanted: Can| TAIL_SKILLS.into_iter().find(|skill| self.dialect.can(*skill) == wanted);
        let skill = usable(Can::Yes).or_else(|| usable(Can::Unknown));
        skill.map(Some).ok_or_else(|| Error::new(ErrorKind::Unsupported, "APPE"))
    }

    /// Lets an unknown server write a tail beside `path`, unless it has done so before.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the tail was not written where it belongs, or where that cannot be tried.
    pub(super) fn prove_tails(&self, path: &RemotePath, recall: &Arc<Recall>, deadline: Deadline) -> Result<()> {
        while self.dialect.software() == Software::Unknown && self.best(&TAIL_SKILLS).is_none() {
            let Some((parent, _)) = path.split() else { return Err(Error::new(ErrorKind::IsDir, "APPE")) };
            let probe = parent.join(&temporary_name("probe"));
            let proof = self.prove_tail(&probe, recall, deadline);
            // What fails by its deadline has left none for this.
            if let Err(e) = self.delete(&probe, Deadline::after(self.timeout))
                && e.kind != ErrorKind::NotFound
            {
                warn!("{probe}, which was to show how the server appends, could not be removed: {e}");
            }
            match proof {
                Ok(()) => {}
                // Another way is left, or none.
                Err(e) if e.kind == ErrorKind::Unsupported => debug!("{e}"),
                Err(e) if matches!(e.kind, ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::Cancelled) => {
                    return Err(e);
                }
                // A directory in which nothing can be made: next time it may be another one.
                Err(e) => return Err(Error { kind: ErrorKind::Unsupported, ..e }),
            }
        }
        Ok(())
    }

    fn prove_tail(&self, probe: &RemotePath, recall: &Arc<Recall>, deadline: Deadline) -> Result<()> {
        let write = |content: &[u8], how| {
            let mut upload = self.store_as_is(probe, how, recall, deadline)?;
            upload.write(content, deadline)?;
            Box::new(upload).finish(&Settings::default(), deadline).map(drop)
        };
        write(b"head", Store::Whole)?;
        write(b"tail", Store::Tail { at: 4 })?;
        // The size is right by now. What is at the end?
        let mut download = self.download(probe, 0, recall, deadline)?;
        let (mut content, mut buf) = (Vec::new(), [0; 64]);
        loop {
            match download.read(&mut buf, deadline)? {
                0 => break,
                got => content.extend_from_slice(&buf[..got]),
            }
        }
        download.finish(deadline)?;
        if content == b"headtail" {
            return Ok(());
        }
        for skill in TAIL_SKILLS.into_iter().filter(|skill| self.dialect.can(*skill) == Can::Yes) {
            info!("the server writes tails to the wrong place");
            self.dialect.learn(skill, Can::No);
        }
        Err(Error::new(ErrorKind::Unsupported, "APPE"))
    }
}

/// What writes tails, the best first.
const TAIL_SKILLS: [Skill; 2] = [Skill::Append, Skill::RestStor];
