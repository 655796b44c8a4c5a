//! Write-back: closed files whose content is safe on this machine travel to the server later.
//!
//! close(2) seals the spool and enters it in the journal (`Journal::queue` says what is on the disk when); from then on
//! the sealed content never changes: whoever writes to the file again writes to a copy. Sealed files are stored by a few
//! threads, oldest first, under temporary names that replace the files when they are whole. What the mount's end or a
//! crash leaves over is stored by the next mount, beside a file that somebody else has changed meanwhile.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::put::{CHUNK, Feed, Landed, Landing, Next, Put, is_broken};
use super::{FileWriter, Writing};
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate, Recall, Urgency};
use crate::config::{UploadWay, Write};
use crate::remote::{ErrorKind, Name, RemotePath, Settings, Stored, Version};
use crate::store::{Job, Journal, JournalId, Pending, Spool, SpoolDir};
use crate::vfs::error::{Error, Fault, Result};
use crate::vfs::node::Ino;
use crate::vfs::workers::Workers;

/// What is still to be stored.
pub(super) struct Back {
    pub(super) journal: Journal,
    /// What the last time has left over, until somebody takes care of it.
    leftover: Ranked<Vec<Pending>, 44>,
    open: Ranked<Vec<Arc<Entry>>, 45>,
    /// Opened when an entry is done, and when one should be tried again at once.
    pub(super) gate: Gate,
    stores: Workers,
}

/// A sealed file on its way.
pub(super) struct Entry {
    pub(super) id: JournalId,
    /// Who goes on with the file here; None for what an earlier mount has left.
    writer: Option<Arc<FileWriter>>,
    spool: Arc<Spool>,
    job: Job,
    /// Time and mode, which may be set as long as it has not been sent.
    set: Ranked<Settings, 48>,
    since: Instant,
    /// A temporary file of an earlier attempt, which may still be there.
    stale: Option<RemotePath>,
    /// Bytes that are on their way, for those who wait.
    sent: AtomicU64,
    /// Nobody wants it any more.
    dropped: AtomicBool,
    state: Ranked<Progress, 46>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    Waiting,
    /// Somebody stores it.
    Taken(Arc<Mark>),
    /// It is stored, dropped, or given up.
    Done(Option<Fault>),
}

/// How a transfer can be woken.
#[derive(Debug, Default)]
struct Mark(Ranked<Option<Arc<Recall>>, 47>);

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Mark {}

impl Back {
    /// Whether an earlier mount has left something over.
    pub(super) fn has_leftover(spool: &SpoolDir, write: &Write) -> bool {
        Journal::has_spools(spool, &write.identity)
    }

    /// The journal of the mount that `write` describes.
    pub(super) fn open(spool: &Arc<SpoolDir>, write: &Write) -> io::Result<Self> {
        let (journal, leftover) = Journal::open(spool, &write.identity)?;
        let stores = Workers::new("store", write.parallel.clamp(1, MOST_STORES));
        let (leftover, open) = (Ranked::new(leftover), Ranked::default());
        Ok(Self { journal, leftover, open, gate: Gate::default(), stores })
    }

    fn begin(&self, shared: &Arc<Writing>, entry: Arc<Entry>) {
        self.open.lock().push(Arc::clone(&entry));
        let shared = Arc::clone(shared);
        self.stores.run(move || shared.store(&entry));
    }

    /// Nobody waits for `entry` any more.
    pub(super) fn forget(&self, entry: &Arc<Entry>) {
        self.open.lock().retain(|other| !Arc::ptr_eq(other, entry));
        self.gate.open();
    }

    /// What is left, by name.
    fn names(&self) -> Vec<String> {
        self.open.lock().iter().map(|entry| entry.job.path.to_string()).collect()
    }

    /// Waits until nothing is left of `entries`; false where the deadline comes first.
    pub(super) fn wait(&self, done: impl Fn() -> bool, deadline: Deadline) -> bool {
        loop {
            let seen = self.gate.ticket();
            if done() {
                return true;
            }
            if !self.gate.wait(seen, deadline) {
                return done();
            }
        }
    }
}

impl Entry {
    /// Whether nobody has begun with it.
    pub(super) fn is_waiting(&self) -> bool {
        *self.state.lock() == Progress::Waiting
    }

    fn new(id: JournalId, writer: Option<Arc<FileWriter>>, spool: Arc<Spool>, job: Job) -> Self {
        Self {
            id,
            writer,
            spool,
            set: Ranked::new(Settings { mtime: Some(job.mtime), mode: job.mode }),
            job,
            since: Instant::now(),
            stale: None,
            sent: AtomicU64::new(0),
            dropped: AtomicBool::new(false),
            state: Ranked::new(Progress::Waiting),
        }
    }

    /// Takes newer settings along; tells whether they will be sent.
    pub(super) fn set(&self, back: &Back, settings: Settings) -> bool {
        if !self.is_waiting() {
            return false;
        }
        *self.set.lock() = settings;
        if let Err(e) = back.journal.set(self.id, settings.mtime.unwrap_or(self.job.mtime), settings.mode) {
            debug!("{}: {e}", self.job.path);
        }
        self.is_waiting()
    }

    pub(super) fn done(&self) -> Option<Option<Fault>> {
        if let Progress::Done(fault) = &*self.state.lock() { Some(*fault) } else { None }
    }

    /// Claims it, unless somebody has, or its file is about to move.
    fn take(&self) -> Option<Arc<Mark>> {
        // The writer's lock first: a rename that has begun is finished before anything is sent.
        let frozen = self.writer.as_ref().map(|writer| writer.state.lock());
        if frozen.as_ref().is_some_and(|state| state.frozen > 0) {
            return None;
        }
        let mut state = self.state.lock();
        if *state != Progress::Waiting {
            return None;
        }
        let mark = Arc::new(Mark::default());
        *state = Progress::Taken(Arc::clone(&mark));
        Some(mark)
    }

    /// Nobody wants it any more; wakes the one who may be sending it.
    pub(super) fn drop_it(&self) {
        self.dropped.store(true, Ordering::Release);
        let state = self.state.lock().clone();
        if let Progress::Taken(mark) = state
            && let Some(recall) = mark.0.lock().clone()
        {
            recall.gate.open();
        }
    }
}

impl Writing {
    /// Stores what an earlier mount has left over, for at most `patience`; what is left then goes on behind the mount.
    pub(crate) fn recover(self: &Arc<Self>, patience: Duration) {
        let (Some(back), Some(dir)) = (&self.back, &self.spool) else { return };
        let leftover = std::mem::take(&mut *back.leftover.lock());
        if leftover.is_empty() {
            return;
        }
        info!("{} files of an earlier mount are still to be stored", leftover.len());
        for Pending { id, job, spool, part, .. } in leftover {
            match Spool::open(dir, &spool) {
                Ok(content) => {
                    let entry = Entry { stale: part, ..Entry::new(id, None, Arc::new(content), job) };
                    back.begin(self, Arc::new(entry));
                }
                Err(e) => warn!("{}: its content {} cannot be read: {e}", job.path, spool.display()),
            }
        }
        if !back.wait(|| back.open.lock().is_empty(), Deadline::after(patience)) {
            warn!("files of an earlier mount wait for the server: {}", back.names().join(", "));
        }
    }

    /// Stores everything there is; tells what is left when the deadline comes.
    pub(crate) fn finish(self: &Arc<Self>, deadline: Deadline) -> Vec<String> {
        let open = self.sync(self.all(), deadline);
        let mut left = self.drain(deadline);
        left.extend(open.into_iter().map(|(writer, _)| writer.shown()));
        left
    }

    /// Stores `writers`, as far as that goes until the deadline; hands back those that are not stored, and why.
    pub(crate) fn sync(&self, writers: Vec<Arc<FileWriter>>, deadline: Deadline) -> Vec<(Arc<FileWriter>, Fault)> {
        let (tell, hear) = mpsc::channel();
        let mut waiting = HashMap::new();
        for (n, writer) in writers.into_iter().enumerate() {
            let (tell, writer_too) = (tell.clone(), Arc::clone(&writer));
            waiting.insert(n, writer);
            self.jobs.run(move || {
                // Nobody listens any more after the deadline.
                let _ = tell.send((n, writer_too.flush().err().map(|e| e.fault)));
            });
        }
        let mut failed = Vec::new();
        while !waiting.is_empty()
            && let Ok(left) = deadline.left()
            && let Ok((n, fault)) = hear.recv_timeout(left)
        {
            failed.extend(waiting.remove(&n).zip(fault));
        }
        failed.extend(waiting.into_values().map(|writer| (writer, Fault::Remote(ErrorKind::TimedOut))));
        failed
    }

    /// Waits until everything is stored that was closed; tells what is left when the deadline comes.
    fn drain(&self, deadline: Deadline) -> Vec<String> {
        let Some(back) = &self.back else { return Vec::new() };
        back.gate.open();
        if back.wait(|| back.open.lock().is_empty(), deadline) { Vec::new() } else { back.names() }
    }

    /// Stores one entry, however often it takes.
    fn store(self: &Arc<Self>, entry: &Arc<Entry>) {
        let Some(back) = &self.back else { return };
        let mark = loop {
            let seen = back.gate.ticket();
            if let Some(mark) = entry.take() {
                break mark;
            }
            if !entry.is_waiting() {
                return;
            }
            back.gate.wait(seen, Deadline::after(LOOK_AGAIN));
        };
        let mut pause = FIRST_PAUSE;
        let fault = loop {
            if entry.dropped.load(Ordering::Acquire) {
                break None;
            }
            match self.try_to_store(back, entry, &mark) {
                Ok(()) => break None,
                Err(e) if may_pass(&e) => {
                    warn!("{}: not stored yet ({e}): trying again", entry.job.path);
                    back.gate.wait(back.gate.ticket(), Deadline::after(pause));
                    pause = (pause * 2).min(LAST_PAUSE);
                }
                Err(e) => break Some(self.give_up(back, entry, &e)),
            }
        };
        *entry.state.lock() = Progress::Done(fault);
        back.forget(entry);
        if let Some(writer) = &entry.writer {
            writer.left(entry, fault);
        }
        back.gate.open();
    }

    fn try_to_store(&self, back: &Back, entry: &Arc<Entry>, mark: &Arc<Mark>) -> Result<()> {
        let at_home = entry.writer.as_ref().and_then(|writer| writer.path());
        let path = at_home.unwrap_or_else(|| entry.job.path.clone());
        if let Some(stale) = &entry.stale {
            let _ = self.remote.remove_file(stale, Deadline::after(self.timeout));
        }
        let base = back.journal.pending(entry.id).map_or_else(|| entry.job.base.clone(), |pending| pending.job.base);
        let asks = entry.writer.is_none() || entry.since.elapsed() > TRUSTED;
        let path = match if asks { self.conflict(entry, &path, base.as_ref())? } else { Meeting::Free } {
            Meeting::Free => path,
            Meeting::Same => {
                end(back, entry);
                return Ok(());
            }
            Meeting::Other(beside) => {
                warn!("{path} has changed on the server: what was written here is stored as {beside}");
                beside
            }
        };
        let moved = entry.writer.as_ref().is_none_or(|writer| writer.path().as_ref() != Some(&path));
        let dir = entry.writer.as_ref().map_or(Ino::ROOT, |writer| self.reading.nodes.parent(writer.ino));
        let put = Put { remote: &*self.remote, dirs: &self.reading.dirs, dir, path: &path, timeout: self.timeout };
        let landing = match self.way {
            UploadWay::Auto => Landing::Beside { else_in_place: true },
            UploadWay::Atomic => Landing::Beside { else_in_place: false },
            UploadWay::InPlace => Landing::InPlace(crate::remote::Store::Whole),
        };
        let mut feed = Sealed { back, entry, mark, recall: Arc::default() };
        let Some(landed) = put.run(&mut feed, landing)? else {
            end(back, entry);
            return Ok(());
        };
        debug!("{path}: {} bytes are stored", landed.sent);
        if let Some(writer) = &entry.writer {
            if moved { writer.outdate() } else { writer.arrived(entry, &landed) }
        }
        end(back, entry);
        Ok(())
    }

    /// What stands at `path` on the server, compared with what was there when the change began.
    fn conflict(&self, entry: &Entry, path: &RemotePath, base: Option<&Version>) -> Result<Meeting> {
        let found = match self.remote.version(path, Deadline::after(self.timeout)) {
            Ok(Some(found)) => Some(found),
            Ok(None) => return Ok(Meeting::Free),
            Err(e) if e.kind == ErrorKind::NotFound => None,
            Err(e) => return Err(e.into()),
        };
        match (&found, base) {
            (None, _) => return Ok(Meeting::Free),
            (Some(found), Some(base)) if found.agrees(base) => return Ok(Meeting::Free),
            (Some(found), _) if found.size == entry.job.len && self.is_same(entry, path)? => return Ok(Meeting::Same),
            _ => {}
        }
        let other = path.split().and_then(|(dir, name)| {
            let name = [name.as_bytes(), format!(".ftpfs-conflict-{}", entry.id).as_bytes()].concat();
            Some(dir.join(&Name::new(&name)?))
        });
        Ok(other.map_or(Meeting::Free, Meeting::Other))
    }

    /// Whether the server has this very content: an upload that was completed right before a crash.
    fn is_same(&self, entry: &Entry, path: &RemotePath) -> Result<bool> {
        let (recall, deadline) = (Arc::default(), || Deadline::after(self.timeout));
        let mut download = self.remote.download(path, 0, &recall, deadline())?;
        let (mut theirs, mut ours) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut at = 0;
        let same = loop {
            let got = download.read(&mut theirs, deadline())?;
            if got == 0 {
                break at == entry.job.len;
            }
            entry.spool.read_at(at, &mut ours[..got]).map_err(|e| super::disk(&e))?;
            if theirs[..got] != ours[..got] {
                break false;
            }
            at += got as u64;
        };
        download.finish(deadline())?;
        Ok(same)
    }

    /// The server does not take it: what was written is kept for the user.
    fn give_up(&self, back: &Back, entry: &Entry, error: &Error) -> Fault {
        let name = &entry.job.path;
        match back.journal.keep(entry.id, &name.to_string()) {
            Ok(place) => warn!("{name} could not be stored ({error}): it is kept in {}", place.display()),
            Err(e) => warn!("{name} could not be stored ({error}); it stays in the journal ({e})"),
        }
        error.fault
    }
}

/// What an upload meets at its place.
enum Meeting {
    /// What was expected.
    Free,
    /// Its own content.
    Same,
    /// Something else: this is where it goes instead.
    Other(RemotePath),
}

pub(super) fn end(back: &Back, entry: &Entry) {
    let ended = if entry.dropped.load(Ordering::Acquire) {
        back.journal.dropped(entry.id)
    } else {
        back.journal.done(entry.id)
    };
    // Where it is not found somebody else has ended it: it was replaced.
    if let Err(e) = ended.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) }) {
        warn!("the journal fails: {e}");
    }
}

/// Whether it may go well another time.
fn may_pass(error: &Error) -> bool {
    match (&error.source, error.fault) {
        (Some(e), _) if is_broken(e) => true,
        (_, Fault::Remote(kind)) => matches!(
            kind,
            ErrorKind::NoSpace
                | ErrorKind::Quota
                | ErrorKind::Busy
                | ErrorKind::TimedOut
                | ErrorKind::Unreachable
                | ErrorKind::LoginRefused
                | ErrorKind::TlsRefused
                | ErrorKind::TlsRequired
                | ErrorKind::Protocol
                | ErrorKind::Cancelled
        ),
        (_, fault) => matches!(fault, Fault::Broken | Fault::Spool | Fault::SpoolFull),
    }
}

/// Feeds an upload from content that does not change.
struct Sealed<'a> {
    back: &'a Back,
    entry: &'a Entry,
    mark: &'a Mark,
    recall: Arc<Recall>,
}

impl Feed for Sealed<'_> {
    fn begin(&mut self, recall: &Arc<Recall>) {
        self.recall = Arc::clone(recall);
        *self.mark.0.lock() = Some(Arc::clone(recall));
    }

    fn hurries(&self) -> bool {
        true
    }

    fn next(&mut self, sent: u64, carried: u64, resumes: bool) -> Next {
        if self.entry.dropped.load(Ordering::Acquire) {
            return Next::Stop;
        }
        self.entry.sent.store(sent, Ordering::Relaxed);
        let quantum = match self.recall.asked() {
            Urgency::None => u64::MAX,
            Urgency::Turn | Urgency::Now => QUANTUM,
        };
        if sent >= self.entry.job.len {
            Next::Finish
        } else if resumes && carried >= quantum {
            Next::Yield
        } else {
            Next::Send(self.entry.job.len.min(sent + CHUNK as u64))
        }
    }

    fn read(&mut self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        self.entry.spool.read_at(at, buf)
    }

    fn kept_from(&self) -> u64 {
        0
    }

    fn settings(&mut self) -> Settings {
        *self.entry.set.lock()
    }

    fn part(&mut self, part: &RemotePath) -> io::Result<()> {
        self.back.journal.part(self.entry.id, part)
    }

    fn stored(&mut self, stored: &Stored) -> io::Result<()> {
        let version = stored.version.clone().unwrap_or(Version { size: self.entry.job.len, mtime: None, unique: None });
        self.back.journal.stored(self.entry.id, &version)
    }
}

impl FileWriter {
    /// Seals what was written and lets it travel later.
    ///
    /// # Errors
    /// What is missing of the old content cannot be fetched, or this machine's disk fails.
    pub(crate) fn park(self: &Arc<Self>) -> Result<()> {
        let Some(back) = &self.shared.back else { return self.flush() };
        self.fill()?;
        let (spool, job, before) = {
            let mut state = self.state.lock();
            if let Some(fault) = state.failed.take() {
                return Err(fault.into());
            }
            if state.transfer.is_some() {
                drop(state);
                return self.flush();
            }
            if state.shape.dirty.is_none() || state.orphan {
                return Ok(());
            }
            let path = self.path().ok_or(ErrorKind::Changed)?;
            // What takes the place of a file takes its mode, too.
            let kept = self.shared.reading.nodes.known(self.ino).and_then(|known| known.meta.mode);
            let (len, mtime, mode) = (state.shape.len, state.mtime, state.mode.take().or(kept));
            let job = Job {
                path,
                base: state.base.as_ref().map(|base| base.version.clone()).or_else(|| state.over.clone()),
                len,
                mtime,
                mode,
            };
            state.shape.dirty = None;
            state.sealed = true;
            (Arc::clone(&state.spool), job, state.queued.clone())
        };
        let replaces = before.as_ref().filter(|entry| entry.is_waiting()).map(|entry| entry.id);
        let sealed = spool.truncate(job.len).and_then(|()| back.journal.queue(&spool, job.clone(), replaces));
        let id = match sealed {
            Ok(id) => id,
            Err(e) => {
                let mut state = self.state.lock();
                state.shape.dirty = Some(0);
                state.mode = state.mode.or(job.mode);
                state.sealed = state.queued.is_some();
                return Err(super::disk(&e).into());
            }
        };
        if let Some(before) = before.filter(|_| replaces.is_some()) {
            before.drop_it();
        }
        let entry = Arc::new(Entry::new(id, Some(Arc::clone(self)), spool, job));
        self.state.lock().queued = Some(Arc::clone(&entry));
        back.begin(&self.shared, entry);
        Ok(())
    }

    /// Waits until what was sealed is stored.
    ///
    /// # Errors
    /// What it could not be stored for.
    pub(super) fn wait_stored(self: &Arc<Self>) -> Result<()> {
        let Some(back) = &self.shared.back else { return Ok(()) };
        let Some(entry) = self.state.lock().queued.clone() else { return Ok(()) };
        back.gate.open();
        if entry.is_waiting() {
            // Somebody waits for it: not behind all others.
            let (shared, entry) = (Arc::clone(&self.shared), Arc::clone(&entry));
            self.shared.jobs.run(move || shared.store(&entry));
        }
        let mut idle = 0;
        loop {
            let before = entry.sent.load(Ordering::Relaxed);
            if back.wait(|| entry.done().is_some(), Deadline::after(self.shared.timeout)) {
                return entry.done().flatten().map_or(Ok(()), |fault| Err(fault.into()));
            }
            // A slow line may take its time, a silent one may not.
            idle = if entry.sent.load(Ordering::Relaxed) == before { idle + 1 } else { 0 };
            if idle == MOST_SILENT {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    /// Content that was sealed must not change any more: goes on with a copy of it.
    pub(super) fn unseal(&self) -> Result<()> {
        let (old, len) = {
            let state = self.state.lock();
            if !state.sealed {
                return Ok(());
            }
            (Arc::clone(&state.spool), state.shape.len)
        };
        let copy = self.shared.new_spool()?;
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < len {
            let count = (len - at).min(CHUNK as u64) as usize;
            old.read_at(at, &mut buffer[..count]).map_err(|e| super::disk(&e))?;
            if buffer[..count].iter().any(|byte| *byte != 0) {
                copy.write_at(at, &buffer[..count]).map_err(|e| super::disk(&e))?;
            }
            at += count as u64;
        }
        copy.truncate(len).map_err(|e| super::disk(&e))?;
        let mut state = self.state.lock();
        if state.sealed && Arc::ptr_eq(&state.spool, &old) {
            state.spool = Arc::new(copy);
            state.sealed = false;
        }
        Ok(())
    }

    /// An entry is no longer under way.
    fn left(self: &Arc<Self>, entry: &Arc<Entry>, fault: Option<Fault>) {
        {
            let mut state = self.state.lock();
            if state.queued.as_ref().is_some_and(|queued| Arc::ptr_eq(queued, entry)) {
                state.queued = None;
                state.sealed = false;
            }
            state.failed = state.failed.or(fault.filter(|_| !state.orphan && state.handles > 0));
        }
        if fault.is_some() {
            self.outdate();
        }
        self.gate.open();
        self.shared.let_go(self);
    }

    /// The server's file is none of what was written here.
    pub(super) fn outdate(&self) {
        let super::super::read::Reading { nodes, dirs, kernel, .. } = &*self.shared.reading;
        nodes.unbind(self.ino);
        dirs.forget(nodes.parent(self.ino));
        kernel.forget_content(self.ino);
    }

    /// What was sealed is the server's file now.
    fn arrived(&self, entry: &Entry, landed: &Landed) {
        let base = self.announce(landed);
        let (old, late) = {
            let mut state = self.state.lock();
            let mut late = None;
            if state.shape.dirty.is_none() {
                state.shape.landed(landed.sent, None);
                let set = *entry.set.lock();
                late = state.settings_since(Some(set));
            }
            state.over = None;
            (std::mem::replace(&mut state.base, base), late)
        };
        if let Some(base) = old {
            base.reader.close();
        }
        if let Some(settings) = late {
            self.set_late(settings);
        }
    }
}

/// Uploads at once.
const MOST_STORES: usize = 16;

/// Bytes that an upload brings before it gives way.
const QUANTUM: u64 = 4 << 20;

/// What the server had when a change began is believed for so long.
const TRUSTED: Duration = Duration::from_secs(10);

/// Pauses between attempts: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(15);

/// Timeouts that somebody waits for a transfer that does not go on.
const MOST_SILENT: u32 = 4;

/// Waits without a deadline of their own look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
