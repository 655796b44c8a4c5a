//! The journal of write-back: which spools still have to be stored on the server.
//!
//! One directory for each server and user, `queue/<hash>` below the spool directory, with the spools that wait, a lock,
//! and the file `journal`: lines of text, each with a checksum, only ever appended to (`record`) or written anew as a
//! whole (`log`). What is left after a crash is computed from it by a pure function (`replay`).
//!
//! What is on the disk when, and what follows from it:
//!
//! | step of [`Journal::queue`] | then a crash finds |
//! |---|---|
//! | fdatasync of the spool | nothing: it has no name; close() has not returned |
//! | its name in the directory, fsync of that | a file with all of its content, and no record: it goes to `lost/` |
//! | record, fdatasync of the journal | record and content: it is pending. Only now close() may return |
//!
//! * [`Journal::part`] returns before anything is sent: no temporary file on the server is unknown to the journal.
//! * [`Journal::stored`] after the final reply and before the rename: what is pending and stored need not be sent again.
//! * [`Journal::done`] and [`Journal::dropped`] write the record before they remove the spool: a record of a living item
//!   means that its content is there. A spool whose removal was cut off is removed when the journal is opened.
//! * A journal is written anew into another file, fsync, rename over the old one, fsync of the directory: at each moment
//!   one of two files is there that say the same.
//! * After a failed fdatasync nobody knows what is on the disk; then the journal is written anew before the next record. A
//!   record whose call failed may thus be found after a crash, but never part of one.

mod crash;
mod log;
mod record;
mod replay;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest;

use self::crash::point;
use self::log::Log;
use self::record::{Fact, Item, Items, Record, SPOOL, Step, apply, is_spool_name};
use self::replay::replay;
use super::hex;
use super::spool::{Spool, SpoolDir, random_name, sync_names};
use crate::base::sync::Ranked;
use crate::base::sys;
use crate::remote::{RemotePath, Version};

/// Tells one item of a journal from the others; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(u64);

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be stored, where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The final name.
    pub path: RemotePath,
    /// What the server had there when the change began; None for nothing.
    pub base: Option<Version>,
    /// Bytes of the content: the length of the spool.
    pub len: u64,
    /// Time of modification: seconds since the epoch.
    pub mtime: i64,
    /// Permission bits to be set.
    pub mode: Option<u16>,
}

/// An item that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub id: JournalId,
    /// Where it belongs now, after all moves.
    pub job: Job,
    /// Its content, for [`Spool::open`].
    pub spool: PathBuf,
    /// The temporary name on the server that an upload has begun to write to; it may be there.
    pub part: Option<RemotePath>,
    /// What the upload has left there, if it was whole.
    pub stored: Option<Version>,
}

/// The directory of a journal in that of the spool.
fn place(identity: &str) -> String {
    format!("{QUEUE}/{}", hex(digest::digest(&digest::SHA256, identity.as_bytes()).as_ref()))
}

/// The uploads that one mount owes to its server.
///
/// All methods may be called from many threads. Each returns when what it says is on the disk, and waits for the disk
/// with its lock held; no other lock may be wanted meanwhile that a request needs.
#[derive(Debug)]
pub struct Journal {
    dir: Arc<SpoolDir>,
    path: PathBuf,
    state: Ranked<State, 50>,
    /// Locked as long as it is open.
    _lock: File,
}

#[derive(Debug)]
struct State {
    log: Log,
    items: Items,
    next: u64,
    /// How long the journal may become before it is written anew; more than usual where that has failed.
    patience: usize,
}

impl Journal {
    /// Whether the journal of `identity` may have something left over.
    pub fn has_spools(dir: &SpoolDir, identity: &str) -> bool {
        let names = fs::read_dir(dir.path().join(place(identity)));
        names.is_ok_and(|names| names.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_spool_name)))
    }

    /// Opens the journal of `identity` (a URL without password; it is only hashed) and tells what is left of the last
    /// time, oldest first. Spools without a trustworthy record go to `lost/` with a warning.
    ///
    /// # Errors
    /// `ResourceBusy` where another mount has it open; `InvalidData` where a newer version of this program has written
    /// it. Damage is no error.
    pub fn open(dir: &Arc<SpoolDir>, identity: &str) -> io::Result<(Self, Vec<Pending>)> {
        dir.subdir(QUEUE)?;
        let path = dir.subdir(&place(identity))?;
        // A journal is only as durable as the way to it. A parent that is closed to us is not new.
        path.ancestors().for_each(|dir| drop(sync_names(dir)));
        let lock = lock(&path)?;
        let (log, bytes) = Log::open(&path)?;
        let replay = replay(&bytes).map_err(|version| {
            let text = format!("{} has format {version}: a newer ftpfs has written it", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        if replay.damaged > 0 {
            ::log::warn!("{}: {} damaged records", path.display(), replay.damaged);
        }
        let mut state = State { log, items: replay.items, next: replay.next, patience: FEW_LINES };
        tidy(dir, &path, &mut state.items, &replay.doubtful)?;
        if !replay.clean || state.is_mostly_dead(replay.lines) {
            // Where that fails, on a full disk, it is tried again before the next record.
            state.rewrite().unwrap_or_else(|error| warn(&path, &error));
        } else {
            state.log.trust(bytes.len(), replay.lines)?;
        }
        let pending = state.items.iter().map(|(&id, item)| Pending::new(id, item, &path)).collect();
        Ok((Self { dir: Arc::clone(dir), path, state: Ranked::new(state), _lock: lock }, pending))
    }

    /// Makes `spool` durable, in this journal's directory, and remembers that it has to be stored. With `replaces`, that
    /// item ends in the same moment.
    ///
    /// # Errors
    /// `StorageFull` and other failures of the disk: then nothing is promised, and the spool is as before.
    pub fn queue(&self, spool: &Spool, job: Job, replaces: Option<JournalId>) -> io::Result<JournalId> {
        spool.sync()?;
        point("queue: content synced");
        let file = format!("{}{SPOOL}", random_name()?);
        spool.save_as(&self.path.join(&file))?;
        point("queue: named");
        let mut state = self.state.lock();
        let id = JournalId(state.next);
        state.next += 1;
        let fact = |replaces| Fact::Queued { job, file, replaces };
        let recorded = self.record(&mut state, id, replaces, fact);
        drop(state);
        match recorded {
            Ok(()) => {
                self.remove_ended(replaces);
                Ok(id)
            }
            Err(error) => {
                spool.unsave();
                Err(error)
            }
        }
    }

    /// It was renamed: its place is `path` now, where the server has `base`. With `replaces`, the item that was queued
    /// there ends in the same moment.
    ///
    /// # Errors
    /// `NotFound` where it has ended; failures of the disk.
    pub fn moved(
        &self,
        id: JournalId,
        path: &RemotePath,
        base: Option<&Version>,
        replaces: Option<JournalId>,
    ) -> io::Result<()> {
        let fact = |replaces| Fact::Moved { path: path.clone(), base: base.cloned(), replaces };
        self.add(id, replaces, fact)?;
        self.remove_ended(replaces);
        Ok(())
    }

    /// Its time of modification and mode are others now.
    ///
    /// # Errors
    /// As [`moved`](Journal::moved).
    pub fn set(&self, id: JournalId, mtime: i64, mode: Option<u16>) -> io::Result<()> {
        self.add(id, None, |_| Fact::Set { mtime, mode })
    }

    /// It is about to be sent to the temporary name `part` (or to its own name). Ends what [`stored`](Journal::stored)
    /// has said.
    ///
    /// # Errors
    /// As [`moved`](Journal::moved).
    pub fn part(&self, id: JournalId, part: &RemotePath) -> io::Result<()> {
        self.add(id, None, |_| Fact::Part { part: part.clone() })
    }

    /// The server has all of it under its temporary name, as `version`.
    ///
    /// # Errors
    /// As [`moved`](Journal::moved).
    pub fn stored(&self, id: JournalId, version: &Version) -> io::Result<()> {
        self.add(id, None, |_| Fact::Stored { version: version.clone() })
    }

    /// The server has it under its final name: its spool goes.
    ///
    /// # Errors
    /// As [`moved`](Journal::moved).
    pub fn done(&self, id: JournalId) -> io::Result<()> {
        self.add(id, None, |_| Fact::Done)?;
        self.remove_ended(Some(id));
        Ok(())
    }

    /// Nobody wants it any more: its spool goes.
    ///
    /// # Errors
    /// As [`moved`](Journal::moved).
    pub fn dropped(&self, id: JournalId) -> io::Result<()> {
        self.add(id, None, |_| Fact::Dropped)?;
        self.remove_ended(Some(id));
        Ok(())
    }

    /// It cannot be stored: its spool goes to `lost/`, with `hint` beside it, and the item ends. Tells where.
    ///
    /// # Errors
    /// As [`moved`](Journal::moved).
    pub fn keep(&self, id: JournalId, hint: &str) -> io::Result<PathBuf> {
        let spool = self.pending(id).ok_or(io::ErrorKind::NotFound)?.spool;
        // First the file: between both, the record of a file that is gone ends by itself.
        let kept = self.dir.lose(&spool, hint)?;
        point("keep: moved");
        if let Err(error) = self.dropped(id) {
            warn(&self.path, &error);
            self.state.lock().items.remove(&id);
        }
        Ok(kept)
    }

    /// What the item is now; None where it has ended.
    pub fn pending(&self, id: JournalId) -> Option<Pending> {
        let state = self.state.lock();
        state.items.get(&id).filter(|item| !item.ended).map(|item| Pending::new(id, item, &self.path))
    }

    fn add(&self, id: JournalId, old: Option<JournalId>, fact: impl FnOnce(Option<Step>) -> Fact) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.items.get(&id).is_none_or(|item| item.ended) {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("upload {id} has ended")));
        }
        self.record(&mut state, id, old, fact)
    }

    /// Writes down the next step of `id`, which ends `old` if that has not ended yet.
    fn record(
        &self,
        state: &mut State,
        id: JournalId,
        old: Option<JournalId>,
        fact: impl FnOnce(Option<Step>) -> Fact,
    ) -> io::Result<()> {
        if state.log.is_doubtful() {
            state.rewrite()?;
        }
        let next = |id| Step { id, count: state.items.get(&id).map_or(0, |item| item.steps) };
        let old = old.filter(|old| *old != id && state.items.get(old).is_some_and(|item| !item.ended));
        let record = Record { step: next(id), fact: fact(old.map(next)) };
        state.log.append(&record.encode())?;
        apply(&mut state.items, record);
        if state.is_mostly_dead(state.log.lines()) {
            // The record is on the disk: that the journal stays long is no failure of this call.
            if let Err(error) = state.rewrite() {
                warn(&self.path, &error);
                state.patience = 2 * state.log.lines();
            }
        }
        Ok(())
    }

    /// Removes the spool of an item that has ended, then forgets the item.
    fn remove_ended(&self, id: Option<JournalId>) {
        let Some(id) = id else { return };
        let Some(file) = self.state.lock().items.get(&id).filter(|item| item.ended).map(|item| item.file.clone())
        else {
            return;
        };
        let path = self.path.join(file);
        match self.dir.remove(&path) {
            // It is tried again when the journal is opened.
            Err(error) if error.kind() != io::ErrorKind::NotFound => warn(&path, &error),
            _ => drop(self.state.lock().items.remove(&id)),
        }
        point("ended: removed");
    }
}

impl State {
    fn rewrite(&mut self) -> io::Result<()> {
        self.log.rewrite(&self.items)?;
        for item in self.items.values_mut() {
            item.steps = item.summary().len() as u64;
        }
        self.patience = FEW_LINES;
        Ok(())
    }

    fn is_mostly_dead(&self, lines: usize) -> bool {
        lines > self.patience + 4 * self.items.len()
    }
}

impl Pending {
    fn new(id: JournalId, item: &Item, dir: &Path) -> Self {
        let (part, stored) = (item.part.clone(), item.stored.clone());
        Self { id, job: item.job.clone(), spool: dir.join(&item.file), part, stored }
    }
}

/// Brings the spools in `path` and the `items` together: afterwards all items live, and have their content.
fn tidy(dir: &SpoolDir, path: &Path, items: &mut Items, doubtful: &[JournalId]) -> io::Result<()> {
    let lose = |file: &Path, why: &str, hint: &str| match dir.lose(file, hint) {
        Ok(kept) => ::log::warn!("{why}: what was written for {hint} is now {}", kept.display()),
        // It stays where it is, and the next time is as good.
        Err(error) => warn(file, &error),
    };
    items.retain(|id, item| {
        let (file, hint) = (path.join(&item.file), item.job.path.to_string());
        let len = fs::symlink_metadata(&file).map(|meta| meta.len());
        match len {
            _ if item.ended => {
                let _ = dir.remove(&file);
            }
            Err(error) => {
                ::log::warn!("the content of {hint} is gone: {}: {error}", file.display());
                let _ = dir.remove(&file);
            }
            Ok(_) if doubtful.contains(id) => lose(&file, "the journal is damaged", &hint),
            Ok(len) if len != item.job.len => lose(&file, "the content has another length", &hint),
            Ok(_) => return dir.count(&file).is_ok(),
        }
        false
    });
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let known = |name: &str| items.values().any(|item| item.file == name);
        if name.to_str().is_some_and(|name| is_spool_name(name) && !known(name)) {
            lose(&path.join(name), "a file without a record", "a file whose name is not known");
        }
    }
    Ok(())
}

/// Takes the journal's directory for this process.
fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"))?;
    if sys::try_lock(file.as_fd())? {
        return Ok(file);
    }
    let text = format!("another mount uses {}", path.display());
    Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
}

fn warn(path: &Path, error: &io::Error) {
    ::log::warn!("{}: {error}", path.display());
}

/// Where journals are, below the spool directory.
const QUEUE: &str = "queue";
/// A journal of so many lines is never worth to be written anew.
const FEW_LINES: usize = 64;
