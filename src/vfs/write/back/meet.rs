//! What an upload meets at its place: nothing is replaced that somebody else has put there.

use std::sync::Arc;

use log::warn;

use super::Back;
use super::entry::Entry;
use crate::base::Deadline;
use crate::remote::{ErrorKind, Name, RemotePath, Version};
use crate::vfs::error::Result;
use crate::vfs::write::put::CHUNK;
use crate::vfs::write::{Writing, disk};

/// What an upload meets at its place.
pub(super) enum Meeting {
    /// What was expected.
    Free,
    /// Its own content.
    Same(Version),
    /// Something else; its own content is beside that already.
    Aside,
    /// Something else: this is where it goes instead.
    Other(RemotePath),
    /// It is not to be looked for any more.
    Stopped,
}

enum Likeness {
    Same,
    /// Shorter, and the same as far as it goes.
    Begin,
    Other,
    /// Nobody knows: somebody else needs the path.
    Unknown,
}

impl Writing {
    /// What stands at `path` on the server, compared with what was there when the change began.
    pub(super) fn meet(
        &self,
        back: &Back,
        entry: &Entry,
        path: &RemotePath,
        base: Option<&Version>,
    ) -> Result<Meeting> {
        let Some(found) = self.found(path)? else { return Ok(Meeting::Free) };
        if base.is_some_and(|base| found.agrees(base)) {
            return Ok(Meeting::Free);
        }
        match self.compare(back, entry, path, &found)? {
            Likeness::Same => return Ok(Meeting::Same(found)),
            // Not more than an attempt in place that broke off.
            Likeness::Begin if entry.is_torn() => return Ok(Meeting::Free),
            Likeness::Begin | Likeness::Other => {}
            Likeness::Unknown => return Ok(Meeting::Stopped),
        }
        let Some((dir, name)) = path.split() else { return Ok(Meeting::Free) };
        for n in 1..=MOST_BESIDE {
            let more = if n == 1 { String::new() } else { format!("-{n}") };
            let other = [name.as_bytes(), format!(".ftpfs-conflict-{}{more}", entry.id).as_bytes()].concat();
            let beside = dir.join(&Name::new(&other).ok_or(ErrorKind::NameInvalid)?);
            // Numbers come again in a journal that had nothing left: an older one is not to be overwritten either.
            match self.found(&beside)? {
                None => return Ok(Meeting::Other(beside)),
                Some(found) if matches!(self.compare(back, entry, &beside, &found)?, Likeness::Same) => {
                    warn!("{path} has changed on the server: what was written here is stored as {beside}");
                    return Ok(Meeting::Aside);
                }
                Some(_) => {}
            }
        }
        Err(ErrorKind::Exists.into())
    }

    /// The file at `path`; None where there is none.
    fn found(&self, path: &RemotePath) -> Result<Option<Version>> {
        let found = match self.remote.version(path, Deadline::after(self.timeout)) {
            Ok(Some(found)) => Ok(found),
            // It knows neither SIZE nor MLST: a listing tells.
            Ok(None) => self.remote.stat(path, Deadline::after(self.timeout)).map(|meta| Version {
                size: meta.size.unwrap_or(u64::MAX),
                mtime: meta.mtime,
                unique: meta.unique,
            }),
            Err(e) => Err(e),
        };
        match found {
            Ok(found) => Ok(Some(found)),
            Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// How what stands at `path` is like what is to be stored.
    fn compare(&self, back: &Back, entry: &Entry, path: &RemotePath, found: &Version) -> Result<Likeness> {
        if found.size > entry.job.len || (found.size < entry.job.len && !entry.is_torn()) {
            return Ok(Likeness::Other);
        }
        let (recall, deadline) = (Arc::default(), || Deadline::after(self.timeout));
        let mut download = self.remote.download(path, 0, &recall, deadline())?;
        let (mut theirs, mut ours) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut at = 0;
        let likeness = loop {
            let got = download.read(&mut theirs, deadline())?;
            if got == 0 {
                break if at == entry.job.len { Likeness::Same } else { Likeness::Begin };
            }
            let end = at + got as u64;
            entry.spool.read_at(at, &mut ours[..got]).map_err(|e| disk(&e))?;
            if end > entry.job.len || theirs[..got] != ours[..got] {
                break Likeness::Other;
            }
            at = end;
            back.progressed();
            if entry.is_stopped() {
                break Likeness::Unknown;
            }
        };
        download.finish(deadline())?;
        Ok(likeness)
    }
}

/// Names beside one that others have taken.
const MOST_BESIDE: u32 = 100;
