//! Storing what was sealed: now and at the mount's end, of this mount and of those before.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use log::{debug, info, warn};

use super::entry::Entry;
use super::feed::SealedFeed;
use super::looks::WORTH_A_LISTING;
use super::meet::Meeting;
use super::{Back, LOOK_AGAIN, MOST_SILENT, Pick};
use crate::base::Deadline;
use crate::config::UploadWay;
use crate::remote::{ErrorKind, Outcome, RemotePath, Store, Stored, Version};
use crate::store::{Pending, Spool};
use crate::vfs::error::{Error, Fault, Result};
use crate::vfs::node::Ino;
use crate::vfs::write::put::{Landed, Landing, Put, is_broken};
use crate::vfs::write::{FileWriter, Writing};

/// What is not on the server when a mount ends.
#[derive(Debug, Default)]
pub struct Left {
    /// The next mount stores it.
    pub later: Vec<String>,
    /// Kept here for the user: the server would not take it.
    pub kept: Vec<String>,
}

/// How an attempt ended that did not fail.
enum Attempt {
    /// The server has it, under its name, as this version.
    Stored(Option<Version>),
    /// It was told to leave off.
    Stopped,
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
        // What was closed twice is stored twice: the server may have the first already, and the second replaces that.
        let mut last: HashMap<RemotePath, Arc<Entry>> = HashMap::new();
        for Pending { id, job, spool, part, .. } in leftover {
            match Spool::open(dir, &spool) {
                Ok(content) => {
                    let path = job.path.clone();
                    let after = last.get(&path).cloned();
                    let entry = Arc::new(Entry::new(id, None, Arc::new(content), job, after, part));
                    back.has_leftovers.store(true, Ordering::Relaxed);
                    last.insert(path, Arc::clone(&entry));
                    back.begin(self, entry);
                }
                Err(e) => warn!("{}: its content {} cannot be read: {e}", job.path, spool.display()),
            }
        }
        if !back.wait(|| back.is_empty(), Deadline::after(patience)) {
            warn!("files of an earlier mount wait for the server: {}", back.names().join(", "));
        }
    }

    /// Stores everything there is; tells what is left when the deadline comes.
    pub(crate) fn finish(self: &Arc<Self>, deadline: Deadline) -> Left {
        let failed = self.sync(self.all(), deadline);
        let mut left = Left::default();
        if let Some(back) = &self.back {
            back.hurry();
            back.wait(|| back.is_empty(), deadline);
            left.later = back.names();
            left.kept.append(&mut back.kept.lock());
        }
        for (writer, fault) in failed {
            if writer.keep_rest(fault, deadline) {
                left.kept.push(writer.shown());
            }
        }
        left
    }

    /// Stores `writers`, as far as that goes until the deadline; hands back those that are not stored, and why.
    pub(crate) fn sync(
        self: &Arc<Self>,
        writers: Vec<Arc<FileWriter>>,
        deadline: Deadline,
    ) -> Vec<(Arc<FileWriter>, Fault)> {
        if let Some(back) = self.back.as_ref().filter(|_| self.late) {
            return self.sync_later(back, writers, deadline);
        }
        let (tell, hear) = mpsc::channel();
        let mut waiting = HashMap::new();
        for (n, writer) in writers.into_iter().enumerate() {
            let (tell, writer_too) = (tell.clone(), Arc::clone(&writer));
            waiting.insert(n, writer);
            // Not on the threads of the uploads that these wait for.
            self.syncs.run(move || {
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

    /// Why something below `dir` could not be stored after it was closed; tells it once.
    pub(crate) fn lost_below(&self, dir: &RemotePath) -> Option<Fault> {
        let mut untold = self.back.as_ref()?.untold.lock();
        let below = |(path, _): &(RemotePath, Fault)| path.is_below(dir);
        let (told, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut *untold).into_iter().partition(below);
        *untold = rest;
        told.first().map(|(_, fault)| *fault)
    }

    /// The same with write-back: everything is sealed first, so that it is safe whatever comes.
    fn sync_later(
        &self,
        back: &Back,
        writers: Vec<Arc<FileWriter>>,
        deadline: Deadline,
    ) -> Vec<(Arc<FileWriter>, Fault)> {
        let mut failed = Vec::new();
        let mut waiting = Vec::new();
        for writer in writers {
            match writer.park() {
                Ok(()) => {
                    let queued = writer.state.lock().queued.clone();
                    waiting.push((writer, queued.map(|entry| (entry.refusals().0, entry))));
                }
                Err(e) => failed.push((writer, e.fault)),
            }
        }
        back.hurry();
        let patience = self.timeout * MOST_SILENT;
        let mut given_up = false;
        while let Some((writer, queued)) = waiting.pop() {
            let stored = || writer.state.lock().queued.is_none();
            // It is tried again and again; but who waits is told that the server does not take it.
            let refused = || queued.as_ref().and_then(|(before, entry)| entry.refused_since(*before));
            if given_up {
                if !stored() {
                    failed.push((writer, Fault::Remote(ErrorKind::TimedOut)));
                }
                continue;
            }
            // A slow line may take its time, a silent one may not.
            let over = back.wait_while_busy(|| stored() || refused().is_some(), patience, deadline);
            if let Some(fault) = refused().filter(|_| !stored()) {
                failed.push((writer, fault));
                continue;
            }
            given_up = !over;
            let fault = if given_up { Some(Fault::Remote(ErrorKind::TimedOut)) } else { writer.state.lock().failed };
            failed.extend(fault.map(|fault| (writer, fault)));
        }
        failed
    }

    /// Stores one after the other, until nothing waits.
    pub(super) fn serve(self: &Arc<Self>) {
        let Some(back) = &self.back else { return };
        loop {
            let seen = back.gate.ticket();
            match back.pick() {
                Pick::Take(entry) => self.attempt(back, &entry),
                Pick::Wait(until) => {
                    back.gate.wait(seen, until.map_or_else(|| Deadline::after(LOOK_AGAIN), Deadline::at));
                }
                Pick::Nothing => return,
            }
        }
    }

    /// Tries once to store `entry`, unless it is another one's turn.
    pub(super) fn store_now(self: &Arc<Self>, entry: &Arc<Entry>) {
        if let Some(back) = &self.back
            && entry.take()
        {
            self.attempt(back, entry);
        }
    }

    /// Tries once to store `entry`, which the caller has taken.
    fn attempt(&self, back: &Back, entry: &Arc<Entry>) {
        let guard = PutBack { back, entry };
        let path = entry.path();
        let outcome = self.try_to_store(back, entry, &path);
        std::mem::forget(guard);
        let (fault, landed) = match outcome {
            Ok(Attempt::Stored(version)) => (None, version),
            Ok(Attempt::Stopped) => {
                entry.put_back(false);
                back.gate.open();
                return;
            }
            // Its directory may have got another name meanwhile.
            Err(e) if may_pass(&e) || entry.path() != path => {
                warn!("{path}: not stored yet ({e}): trying again");
                if e.source.as_ref().is_some_and(is_broken) {
                    back.take_a_rest();
                } else {
                    entry.refused(e.fault);
                }
                entry.put_back(true);
                back.gate.open();
                return;
            }
            Err(e) => (Some(self.give_up(back, entry, &e)), None),
        };
        let unwatched = entry.writer().is_none_or(|writer| writer.state.lock().handles == 0);
        if let Some(fault) = fault.filter(|_| unwatched) {
            let mut untold = back.untold.lock();
            if untold.len() < MOST_TOLD {
                untold.push((path.clone(), fault));
            }
        }
        back.end_rest();
        entry.end(fault, landed);
        back.rebase(entry);
        if fault.is_none() {
            end(back, entry);
        }
        if let Some(writer) = entry.writer() {
            writer.left(entry, fault);
        }
        back.forget(entry);
    }

    fn try_to_store(&self, back: &Back, entry: &Arc<Entry>, path: &RemotePath) -> Result<Attempt> {
        if let Some(part) = entry.part() {
            self.remove_part(&part)?;
            self.litter.doubt(&part);
            entry.writes_to(None, false);
        }
        let left_behind =
            if entry.is_left_over() { back.journal.pending(entry.id).and_then(|it| it.part) } else { None };
        let base = back.journal.pending(entry.id).map_or_else(|| entry.job.base.clone(), |pending| pending.job.base);
        let old = entry.is_left_over() || entry.since.elapsed() > TRUSTED;
        let free = old
            && back.are_many_beside(path, WORTH_A_LISTING)
            && back.looks.is_free(&*self.remote, path, Deadline::after(self.timeout));
        let asks = old && !free;
        let target = match if asks { self.meet(back, entry, path, base.as_ref())? } else { Meeting::Free } {
            Meeting::Free => path.clone(),
            Meeting::Stopped => return Ok(Attempt::Stopped),
            Meeting::Same(version) => return self.is_there(entry, path, version),
            Meeting::Aside => {
                if let Some(writer) = entry.writer() {
                    writer.outdate();
                }
                return Ok(Attempt::Stored(None));
            }
            // What was closed later holds all of this, and meets the same.
            Meeting::Other(_) if back.is_followed(entry) => return Ok(Attempt::Stored(None)),
            Meeting::Other(beside) => {
                warn!("{path} has changed on the server: what was written here is stored as {beside}");
                beside
            }
        };
        let dir = entry.writer().map_or(Ino::ROOT, |writer| self.reading.nodes.parent(writer.ino));
        let Self { remote, reading, litter, timeout, .. } = self;
        let put = Put {
            remote: &**remote,
            dirs: &reading.dirs,
            dir,
            path: &target,
            litter,
            timeout: *timeout,
            broke: Cell::default(),
        };
        let landing = match self.way {
            UploadWay::Auto => Landing::Beside { else_in_place: true },
            UploadWay::Atomic => Landing::Beside { else_in_place: false },
            UploadWay::InPlace => Landing::InPlace(Store::Whole),
        };
        let mut feed = SealedFeed { back, entry, target: &target, recall: Arc::default() };
        let Some(landed) = put.run(&mut feed, landing)? else { return Ok(Attempt::Stopped) };
        entry.writes_to(None, false);
        debug!("{target}: {} bytes are stored", landed.sent);
        // A server that was slow may have begun to write it only after it was removed.
        if let Some(part) = left_behind.filter(|part| part != path) {
            let _ = self.remote.remove_file(&part, Deadline::after(self.timeout));
        }
        let in_place = target == *path;
        if let Some(writer) = entry.writer() {
            if in_place && writer.path().as_ref() == Some(path) {
                writer.arrived(entry, &landed);
            } else {
                writer.outdate();
            }
        }
        let version = landed.stored.version.unwrap_or(Version { size: landed.sent, mtime: None, unique: None });
        Ok(Attempt::Stored(in_place.then_some(version)))
    }

    /// Removes a temporary file of an earlier attempt.
    fn remove_part(&self, part: &RemotePath) -> Result<()> {
        match self.remote.remove_file(part, Deadline::after(self.timeout)) {
            Err(e) if is_broken(&e) => Err(e.into()),
            Err(e) if e.kind != ErrorKind::NotFound => {
                warn!("{part} stays on the server: {e}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The server has the content already, as an attempt has brought it whose answer nobody has heard.
    fn is_there(&self, entry: &Arc<Entry>, path: &RemotePath, mut version: Version) -> Result<Attempt> {
        debug!("{path}: the server has it already");
        let settings = entry.carry();
        let outcomes = self.remote.set(&[(path.clone(), settings)], Deadline::after(self.timeout))?;
        let outcome = outcomes.into_iter().next().unwrap_or_default();
        version.mtime = None;
        if let Some(writer) = entry.writer() {
            let stored = Stored { version: Some(version.clone()), mode: None, outcome };
            writer.arrived(entry, &Landed { sent: entry.job.len, stored });
        } else {
            let Outcome { mtime, mode } = outcome;
            debug!("{path}: time {mtime:?}, mode {mode:?}");
        }
        Ok(Attempt::Stored(Some(version)))
    }

    /// The server does not take it: what was written is kept for the user.
    fn give_up(&self, back: &Back, entry: &Entry, error: &Error) -> Fault {
        let name = entry.path().to_string();
        let told = match back.journal.keep(entry.id, &self.hint(&name, error)) {
            Ok(place) => {
                warn!("{name} could not be stored ({error}): it is kept in {}", place.display());
                format!("{name}, kept in {}", place.display())
            }
            Err(e) => {
                warn!("{name} could not be stored ({error}); it stays in the journal ({e})");
                name
            }
        };
        let mut kept = back.kept.lock();
        if kept.len() < MOST_TOLD {
            kept.push(told);
        }
        error.fault
    }
}

/// A panic in an attempt: the next one may do better.
struct PutBack<'a> {
    back: &'a Back,
    entry: &'a Arc<Entry>,
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        self.entry.put_back(true);
        self.back.gate.open();
    }
}

/// It is stored: the journal need not know it any more.
fn end(back: &Back, entry: &Entry) {
    told(back.journal.done(entry.id));
}

/// Nobody wants it any more: it has lost its name.
pub(in crate::vfs::write) fn drop_entry(back: &Back, entry: &Entry) {
    entry.end(None, None);
    told(back.journal.dropped(entry.id));
    back.forget(entry);
}

fn told(ended: io::Result<()>) {
    match ended {
        // Somebody else has ended it: it was replaced.
        Err(e) if e.kind() != io::ErrorKind::NotFound => warn!("the journal fails: {e}"),
        _ => {}
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

/// Losses that are remembered to be told; the log has them all.
const MOST_TOLD: usize = 1000;

/// What the server had when a change began is believed for so long.
pub(super) const TRUSTED: Duration = Duration::from_secs(10);
