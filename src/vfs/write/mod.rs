//! Writing: the spool file is the truth, a live `STOR` fed from it is a shortcut.
//!
//! A [`FileWriter`] stands for one file from the moment it is opened for writing until the server has it. What programs
//! write goes to its spool at once, in any order; what they read of it comes from there, or from the server's old
//! content where nothing was written (`take` writes, `state` keeps the books, `fill` fetches, `read` answers). While a new file is written in one
//! piece, a transfer runs along with it; any other pattern is uploaded as a whole, or as a tail, when it is closed
//! (`job` decides, `put` carries out, `outcome` takes note). An error is told at write, fsync and close until it has been heard.
//!
//! No request waits for the network in here: a write is answered when the spool has it, and a flush waits on a thread of
//! its own.

mod back;
mod copied;
mod end;
mod fill;
mod hold;
mod job;
mod outcome;
mod pipe;
mod put;
mod read;
mod room;
mod state;
mod take;
mod temporary;

use std::collections::HashMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use log::{debug, warn};
use lru::LruCache;

pub use self::back::Left;
use self::back::{Back, Entry};
pub(crate) use self::copied::Original;
pub(crate) use self::hold::{Frozen, Held};
use self::job::Transfer;
use self::state::Shape;
use self::temporary::Litter;
use super::error::{Error, Fault, Result};
use super::node::Ino;
use super::read::{FileReader, ReadReply, Reading};
use super::settings::Deferred;
use super::workers::Workers;
use crate::base::sync::{Ranked, RankedGuard};
use crate::base::{Clock, Gate};
use crate::config::{UploadWay, Write};
use crate::remote::{ErrorKind, Meta, Name, Remote, RemotePath, Settings, Stamp, Version};
use crate::store::{Spool, SpoolDir};

/// What all writers share.
pub(crate) struct Writing {
    remote: Arc<dyn Remote>,
    reading: Arc<Reading>,
    clock: Arc<dyn Clock>,
    spool: Option<Arc<SpoolDir>>,
    way: UploadWay,
    /// Bytes of a file that stay in the spool behind its transfer, even where room is needed.
    kept: u64,
    /// Modes of new files are set as programs ask for them.
    sets_modes: bool,
    /// What is mounted, for those who find what could not be stored.
    identity: String,
    timeout: Duration,
    live: Ranked<HashMap<Ino, Arc<FileWriter>>, 8>,
    /// Directories that have taken a file, and when.
    trusted: Ranked<LruCache<(Ino, bool), Instant>, 9>,
    jobs: Workers,
    /// Waits for uploads on behalf of those who want many files stored.
    syncs: Workers,
    /// Stores what was not stored when its last handle went: these wait for `jobs`, and must not keep them from running.
    last: Workers,
    /// Copy sealed content for those who write on: all writes of one file go to the same one, which keeps their order.
    copiers: Vec<Workers>,
    /// close(2) does not wait for the server.
    late: bool,
    pub(crate) litter: Litter,
    /// Where closed files wait for the server; also where only an earlier mount has left some.
    back: Option<Back>,
    /// Where times and modes wait that are set a little later.
    deferred: Option<Arc<Deferred>>,
}

/// What a file was before somebody opened it for writing.
pub(crate) enum Before {
    /// It has been made just now; its mode as the program wants it.
    New(u16),
    /// A file on the server.
    Old(Version),
}

/// A file that is open for writing, or whose content is not on the server yet.
pub(crate) struct FileWriter {
    ino: Ino,
    shared: Arc<Writing>,
    state: Ranked<State, 10>,
    /// Opened at each change that somebody may wait for.
    gate: Gate,
}

struct State {
    shape: Shape,
    spool: Arc<Spool>,
    /// The spool's content is in the journal: it must not change any more.
    sealed: bool,
    /// It is on its way into the journal.
    sealing: bool,
    /// The sealed content, as long as it is not stored.
    queued: Option<Arc<Entry>>,
    /// The server has all of `queued`: what is set from now on is too late to go with it.
    arrived: bool,
    /// The server's file that `shape.old` is about.
    base: Option<Base>,
    /// What stands on the server under this file's name and is not this file: it is to be replaced.
    over: Option<Version>,
    /// When it was last written, or what a program has set since; seconds since the epoch.
    mtime: i64,
    /// Not on the server yet.
    mode: Option<u16>,
    /// `mode` is not on the server, although all of the content is.
    unset: bool,
    /// What has been set since the content left, and is on its way behind it.
    late: Settings,
    transfer: Option<Transfer>,
    /// The server has made it a copy of this one, of which not all has been asked for yet.
    copied: Option<Original>,
    /// An upload of nothing was ended for a copy: the server may have an empty file of ours.
    made: bool,
    /// Nothing is to be sent for now: its name is about to change.
    frozen: usize,
    /// It is not written in one piece: nothing is sent before it is complete.
    erratic: bool,
    /// It has no name any more: nothing of it is to be sent ever again.
    orphan: bool,
    /// Uploads that have been completed, and those that have failed.
    landings: u64,
    failures: u64,
    /// The server has everything, and nobody comes here any more.
    gone: bool,
    /// Handles that may write.
    handles: usize,
    /// What went wrong and has not been told yet.
    failed: Option<Fault>,
    /// The server has what was there before this file was opened, and it is not empty.
    replaces: bool,
    /// Why a write was refused that no other one has followed: who wrote it may have stopped in the middle.
    refused: Option<Fault>,
    /// Why the content could not be stored as it is, and when that was tried last, whether that has been told or not.
    unstored: Option<(Fault, Instant)>,
    /// Somebody is about to put it where the user finds it.
    keeping: bool,
    /// Writes that wait: for the transfer to catch up, or for room.
    parked: Vec<Parked>,
    /// Reads of what only the server has, which wait for the end of the transfer: vsftpd does not let go of a file that is
    /// being stored, and the others show something in between.
    reads: Vec<(u64, u32, ReadReply)>,
}

/// The server's file.
struct Base {
    version: Version,
    reader: Arc<FileReader>,
}

/// What is done with the outcome of a write.
pub type WriteReply = Box<dyn FnOnce(Result<u32>) + Send>;

/// A write that is answered later.
struct Parked {
    at: u64,
    len: u32,
    /// Bytes that found no room yet; None where they are in the spool.
    data: Option<Vec<u8>>,
    reply: WriteReply,
}

impl Writing {
    /// Without `write`, nothing can be written.
    ///
    /// # Errors
    /// The spool or the journal cannot be used.
    pub(crate) fn new(
        reading: Arc<Reading>,
        clock: Arc<dyn Clock>,
        write: Option<&Write>,
        sets_modes: bool,
    ) -> io::Result<Self> {
        let spool = write.map(|write| SpoolDir::open(&write.spool, write.spool_limit)).transpose()?;
        let late = write.is_some_and(|write| write.writeback);
        let back = match (write, &spool) {
            (Some(write), Some(spool)) if late || Back::has_leftover(spool, write) => match Back::open(spool, write) {
                Ok(back) => Some(back),
                Err(e) if late => return Err(e),
                Err(e) => {
                    warn!("what an earlier mount has left over stays where it is: {e}");
                    None
                }
            },
            _ => None,
        };
        Ok(Self {
            remote: Arc::clone(&reading.remote),
            timeout: reading.timeout,
            reading,
            clock,
            spool,
            way: write.map_or(UploadWay::Auto, |write| write.upload),
            kept: write.and_then(|write| write.spool_limit).map_or(MOST_KEPT, |limit| MOST_KEPT.min(limit / 4)),
            sets_modes,
            live: Ranked::default(),
            trusted: Ranked::new(LruCache::new(MOST_TRUSTED)),
            jobs: Workers::new("upload", MOST_UPLOADS),
            syncs: Workers::new("sync", MOST_UPLOADS),
            last: Workers::new("release", MOST_UPLOADS),
            copiers: (0..COPIERS).map(|_| Workers::new("copy", 1)).collect(),
            identity: write.map_or_else(String::new, |write| write.identity.clone()),
            late,
            litter: Litter::default(),
            back,
            deferred: None,
        })
    }

    /// What need not be set at once goes to `deferred`.
    pub(crate) fn with_deferred(self, deferred: Option<Arc<Deferred>>) -> Self {
        Self { deferred, ..self }
    }

    fn new_spool(&self) -> Result<Spool> {
        let spool = self.spool.as_ref().ok_or(ErrorKind::ReadOnly)?;
        spool.create().map_err(|e| disk(&e).into())
    }

    /// The writer of `ino`, as long as there is one.
    pub(crate) fn writer(&self, ino: Ino) -> Option<Arc<FileWriter>> {
        self.live.lock().get(&ino).cloned()
    }

    /// All writers of files below the directory `dir`.
    pub(crate) fn below(&self, dir: &RemotePath) -> Vec<Arc<FileWriter>> {
        let all: Vec<_> = self.live.lock().values().cloned().collect();
        all.into_iter().filter(|writer| writer.path().is_some_and(|path| path.is_below(dir))).collect()
    }

    /// Files in the directory `dir` that the server has not heard of yet.
    pub(crate) fn unsent_in(&self, dir: Ino) -> Vec<(Name, Meta)> {
        let left = self.left_in(|| self.reading.nodes.path(dir));
        let unsent = self.all().into_iter().filter(|writer| writer.is_unsent());
        let found = unsent.filter_map(|writer| {
            let (_, name) = self.reading.nodes.place(writer.ino).filter(|(parent, _)| *parent == dir)?;
            let mut meta = self.reading.nodes.known(writer.ino)?.meta;
            writer.overlay(&mut meta);
            Some((name, meta))
        });
        left.into_iter().chain(found).collect()
    }

    /// All writers.
    pub(crate) fn all(&self) -> Vec<Arc<FileWriter>> {
        self.live.lock().values().cloned().collect()
    }

    /// One handle more writes `ino`, which is what `before` says unless somebody writes it already.
    ///
    /// # Errors
    /// No spool can be made.
    pub(crate) fn attach(self: &Arc<Self>, ino: Ino, before: impl Fn() -> Result<Before>) -> Result<Arc<FileWriter>> {
        let nodes = &self.reading.nodes;
        loop {
            let known = self.writer(ino);
            let epoch = nodes.epoch(ino);
            let writer = match &known {
                Some(writer) => Arc::clone(writer),
                None => Arc::new(FileWriter::new(ino, Arc::clone(self), &before()?)?),
            };
            let mut live = self.live.lock();
            // Somebody else may have been faster, and may be gone again with the file being another one; or the last
            // handle of the one found has gone, and with it what it needs.
            let fits = match (live.get(&ino), &known) {
                (Some(kept), Some(known)) => Arc::ptr_eq(kept, known),
                (None, None) => nodes.epoch(ino) == epoch,
                _ => false,
            };
            if fits {
                live.entry(ino).or_insert_with(|| Arc::clone(&writer));
                writer.state.lock().handles += 1;
                nodes.set_written(ino, true);
                return Ok(writer);
            }
            drop(live);
            if known.is_none() {
                writer.close_base();
            }
        }
    }

    /// A handle of `ino` has been closed: nobody may need its writer any more.
    pub(crate) fn closed(&self, ino: Ino) {
        if let Some(writer) = self.writer(ino) {
            self.let_go(&writer);
        }
    }

    /// Lets go of a writer that nobody needs any more.
    fn let_go(&self, writer: &FileWriter) {
        let mut live = self.live.lock();
        // Its place may be another one's already.
        let ours = live.get(&writer.ino).is_some_and(|kept| std::ptr::eq(&**kept, writer));
        let idle = ours && {
            let mut state = writer.state.lock();
            let idle = state.handles == 0
                && state.transfer.is_none()
                && state.queued.is_none()
                && !state.sealing
                && state.frozen == 0
                && (state.shape.dirty.is_none() || state.orphan)
                // Nobody else has its content for those who read it.
                && !(state.orphan && state.base.is_none() && self.reading.nodes.is_open(writer.ino));
            // Whoever has found it before is to see that it knows nothing any more.
            state.gone |= idle;
            idle
        };
        if !idle {
            return;
        }
        live.remove(&writer.ino);
        self.reading.nodes.set_written(writer.ino, false);
        drop(live);
        // Its base closes without a lock.
        writer.close_base();
    }

    /// The filesystem has ended: nothing is stored any more, and nobody is waited for.
    pub(crate) fn shut_down(&self) {
        if let Some(back) = &self.back {
            back.shut_down();
        }
        // Writers, entries and this one know each other.
        let all = std::mem::take(&mut *self.live.lock());
        for writer in all.into_values() {
            let queued = writer.state.lock().queued.take();
            drop(queued);
        }
    }

    fn copier(&self, ino: Ino) -> &Workers {
        &self.copiers[(ino.0 % self.copiers.len() as u64) as usize]
    }

    /// What is written beside the content of `name` that could not be stored.
    fn hint(&self, name: &str, error: &Error) -> String {
        format!("{name} of {}: {error}", self.identity)
    }

    fn now(&self) -> i64 {
        let wall = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(wall.as_secs()).unwrap_or(i64::MAX)
    }
}

impl FileWriter {
    fn new(ino: Ino, shared: Arc<Writing>, before: &Before) -> Result<Self> {
        let spool = shared.new_spool()?;
        let (shape, base, mode) = match before {
            Before::New(mode) => (Shape::default(), None, shared.sets_modes.then_some(*mode)),
            Before::Old(version) => {
                let (reader, _) = shared.reading.open(ino, version).ok_or(Fault::NoInode)?;
                // What is written goes into this version and no other.
                reader.hold_to_version();
                let base = Base { version: version.clone(), reader };
                (Shape::of_old(version.size), Some(base), None)
            }
        };
        let mtime = match before {
            Before::Old(Version { mtime: Some(mtime), .. }) => mtime.secs,
            Before::Old(_) | Before::New(_) => shared.now(),
        };
        let mut state = State::new(shape, Arc::new(spool), mtime, mode);
        state.base = base;
        state.replaces = matches!(before, Before::Old(version) if version.size > 0);
        Ok(Self { ino, shared, state: Ranked::new(state), gate: Gate::default() })
    }

    /// Nobody needs the server's file any more.
    fn close_base(&self) {
        let base = self.state.lock().base.take();
        if let Some(base) = base {
            base.reader.close();
        }
    }

    pub(crate) fn ino(&self) -> Ino {
        self.ino
    }

    fn path(&self) -> Option<RemotePath> {
        self.shared.reading.nodes.path(self.ino)
    }

    /// The file's name for the log.
    fn shown(&self) -> String {
        self.path().map_or_else(|| format!("inode {}", self.ino.0), |path| path.to_string())
    }

    /// What size and time are while it is being written; other facts stay as they are.
    pub(crate) fn overlay(&self, meta: &mut Meta) {
        let state = self.state.lock();
        meta.size = Some(state.shape.len);
        if state.is_changed() {
            meta.mtime = Some(Stamp::exact(state.mtime));
        }
        meta.mtime = state.late.mtime.filter(|_| !state.is_changed()).map(Stamp::exact).or(meta.mtime);
        meta.mode = state.mode.or(state.late.mode).or(meta.mode);
    }

    /// Whether it has content that waits here for the server, or is a new file that the server may not have made yet.
    pub(crate) fn is_unsent(&self) -> bool {
        let state = self.state.lock();
        let waits = self.shared.late || state.queued.is_some();
        let is_new = state.base.is_none() && state.unstored.is_none();
        !state.orphan && state.is_changed() && (waits || is_new)
    }

    /// Bytes of the file now.
    pub(crate) fn len(&self) -> u64 {
        self.state.lock().shape.len
    }

    /// Whether all of the content is here: nothing is needed of what the server has.
    pub(crate) fn is_whole(&self) -> bool {
        self.state.lock().shape.is_whole()
    }

    /// Takes `settings` along with the content that is still to be stored; false where there is none.
    pub(crate) fn set(&self, settings: &Settings) -> bool {
        let mut state = self.state.lock();
        if state.orphan {
            // Nobody but who has it open will ever see it.
            state.mtime = settings.mtime.unwrap_or(state.mtime);
            state.mode = settings.mode.or(state.mode);
            return true;
        }
        if !state.late.is_empty() && state.shape.dirty.is_none() && !state.sealing {
            // Behind what is on its way just now.
            state.late = settings.or(state.late);
            return true;
        }
        let too_late = state.arrived && state.shape.dirty.is_none() && !state.sealing;
        if !state.is_changed() || too_late {
            return false;
        }
        state.mtime = settings.mtime.unwrap_or(state.mtime);
        state.mode = settings.mode.or(state.mode);
        let entry = state.queued.clone().filter(|_| state.shape.dirty.is_none() && !state.sealing);
        drop(state);
        if let (Some(entry), Some(back)) = (entry, &self.shared.back) {
            entry.set(back, *settings);
        }
        true
    }

    /// close(2): everything is on the server, or safe here where that is enough.
    ///
    /// # Errors
    /// What keeps it from being stored; tried again at the next call.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        let again = {
            let mut state = self.state.lock();
            // Each child that a program starts closes its copies of all descriptors: none is to wait for a server that has
            // just not answered.
            let recent = |at: Instant| state.transfer.is_none() && at.elapsed() < self.shared.timeout;
            let again = state.unstored.filter(|(_, at)| recent(*at));
            if again.is_none() && state.unstored.is_some() {
                // It is tried again now, and that has an outcome of its own.
                state.failed = None;
            }
            again
        };
        let closed = match again {
            Some((fault, _)) => Err(fault.into()),
            None if self.shared.late => self.park(),
            None => self.flush(),
        };
        if closed.is_err() {
            // It may have been the close of a child, which nobody looks at: the next write or fsync tells it, too.
            let mut state = self.state.lock();
            state.failed = state.failed.or(state.unstored.map(|(fault, _)| fault));
        }
        closed
    }

    /// Whether the server has everything, and nothing that went wrong is still to be told.
    pub(crate) fn is_clean(&self) -> bool {
        let state = self.state.lock();
        !state.is_changed() && state.failed.is_none() && !state.unset
    }

    /// Whether it has a name under which the server has not stored all of it yet, if anything.
    pub(crate) fn is_to_come(&self) -> bool {
        let state = self.state.lock();
        state.is_changed() && !state.orphan
    }

    /// Nothing of it is to be stored: it has no name any more, or never had one.
    pub(crate) fn orphaned(&self) {
        self.state.lock().orphan = true;
    }
}

impl State {
    fn new(shape: Shape, spool: Arc<Spool>, mtime: i64, mode: Option<u16>) -> Self {
        Self {
            shape,
            spool,
            sealed: false,
            sealing: false,
            queued: None,
            arrived: false,
            base: None,
            over: None,
            mtime,
            mode,
            unset: false,
            late: Settings::default(),
            transfer: None,
            copied: None,
            made: false,
            frozen: 0,
            erratic: false,
            orphan: false,
            landings: 0,
            failures: 0,
            gone: false,
            handles: 0,
            failed: None,
            replaces: false,
            refused: None,
            unstored: None,
            keeping: false,
            parked: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// Whether the server has another content than this.
    fn is_changed(&self) -> bool {
        self.shape.dirty.is_some() || self.transfer.is_some() || self.queued.is_some() || self.sealing
    }
}

/// A file's state, locked.
type Locked<'a> = RankedGuard<'a, State>;

/// What a failure of the spool is for programs.
fn disk(error: &io::Error) -> Fault {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => Fault::SpoolFull,
        _ => {
            debug!("the spool fails: {error}");
            Fault::Spool
        }
    }
}

/// Uploads under way or waiting for a connection at once.
const MOST_UPLOADS: usize = 64;

/// Sealed files that are copied at once.
const COPIERS: u64 = 16;

/// Bytes on their way between this machine's memory and the server's disk, at most.
const MOST_KEPT: u64 = 32 << 20;
/// Directories that are remembered because they take files.
const MOST_TRUSTED: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
