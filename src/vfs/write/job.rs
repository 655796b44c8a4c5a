//! When a file is uploaded, and how: the transfer that runs along with a writer, and the one that a close waits for.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pipe::Pipe;
use super::put::{Landed, Landing, Put};
use super::state::Shape;
use super::{Base, FileWriter, Locked, State, Writing};
use crate::base::{Deadline, Recall};
use crate::config::UploadWay;
use crate::remote::{ErrorKind, RemotePath, Settings, Store};
use crate::vfs::error::{Fault, Result};
use crate::vfs::node::Ino;

/// An upload under way.
pub(super) struct Transfer {
    pub(super) landing: Landing,
    /// How it can be told of changes, while it has a connection.
    pub(super) recall: Option<Arc<Recall>>,
    /// Bytes below this have been sent, or are about to be.
    pub(super) sent: u64,
    /// It is to end once it has sent so much: somebody waits for that.
    pub(super) closing: Option<u64>,
    /// The lowest byte that has changed since it was sent.
    pub(super) overwritten: Option<u64>,
    /// What was set with the content.
    pub(super) set: Option<Settings>,
    /// It has ended before the file was closed: its mode, which may be read-only, is still to be set.
    pub(super) for_now: bool,
    /// The server has agreed to take the file.
    pub(super) accepted: bool,
    /// It is to end at once, complete or not.
    pub(super) halted: bool,
    /// It does not begin anew for what changes behind it: it has done so before, and somebody waits.
    pub(super) through: bool,
    /// It is taken for granted that it will.
    pub(super) trusting: bool,
    /// The server makes the file a copy of another one: nothing is sent.
    pub(super) copies: bool,
}

impl Transfer {
    fn new(landing: Landing, closing: Option<u64>) -> Self {
        let sent = if let Landing::InPlace(Store::Tail { at }) = landing { at } else { 0 };
        let (recall, overwritten, set) = (None, None, None);
        let (accepted, halted, through, trusting, for_now, copies) = (false, false, false, false, false, false);
        Self { landing, recall, sent, closing, overwritten, set, for_now, accepted, halted, through, trusting, copies }
    }

    /// The server copies, and sets `settings` with that: whatever is written meanwhile comes after it.
    pub(super) fn copying(landing: Landing, settings: Settings) -> Self {
        Self { sent: u64::MAX, set: Some(settings), accepted: true, copies: true, ..Self::new(landing, Some(0)) }
    }

    /// Bytes from `at` on have changed.
    pub(super) fn overwrite(&mut self, at: u64) {
        if at < self.sent || (at == 0 && self.set.is_some()) {
            self.overwritten = Some(self.overwritten.map_or(at, |old| old.min(at)));
        }
    }

    /// Whether the spool will have more room when this has gone on.
    pub(super) fn frees(&self, shape: &Shape, kept: u64) -> bool {
        self.overwritten.is_none() && !self.halted && shape.len > shape.punched + kept
    }

    /// Whether it adds to a file of which there is no whole copy here.
    pub(super) fn is_tail(&self) -> bool {
        matches!(self.landing, Landing::InPlace(Store::Tail { .. }))
    }

    pub(super) fn wake(&self) -> Option<Arc<Recall>> {
        self.recall.clone()
    }
}

impl Writing {
    /// Whether a file was made in `dir` a moment ago, so that another one is likely to be welcome. Servers may mind a dot in
    /// front of the name, so that those are things of their own.
    fn trusts(&self, dir: Ino, path: &RemotePath) -> bool {
        let trusted = |at: &Instant| at.elapsed() < TRUSTED;
        is_ordinary(path) && self.trusted.lock().get(&(dir, is_hidden(path))).is_some_and(trusted)
    }

    pub(super) fn learn_trust(&self, dir: Ino, path: &RemotePath, outcome: &Result<Option<Landed>>) {
        let mut trusted = self.trusted.lock();
        match outcome {
            Ok(Some(_)) => drop(trusted.put((dir, is_hidden(path)), Instant::now())),
            Ok(None) => {}
            Err(_) => {
                trusted.pop(&(dir, true));
                trusted.pop(&(dir, false));
            }
        }
    }

    /// How `state` is to be uploaded as it is; None where that is nothing.
    pub(super) fn landing(&self, ino: Ino, state: &State) -> Option<Landing> {
        state.shape.dirty?;
        // A server lets nobody write to a read-only file; but another one may take its place.
        let mode = self.reading.nodes.known(ino).and_then(|known| known.meta.mode);
        let read_only = state.base.is_some() && !state.unset && mode.is_some_and(|mode| mode & 0o200 == 0);
        if self.way != UploadWay::Atomic
            && self.remote.abilities().tail != Some(false)
            && !read_only
            && let Some(at) = state.shape.tail()
        {
            return Some(Landing::InPlace(Store::Tail { at }));
        }
        Some(match self.way {
            // With write-back nothing is to be seen under its name before it is whole.
            UploadWay::Auto if state.shape.precious || self.late || read_only => {
                Landing::Beside { else_in_place: true }
            }
            UploadWay::Atomic => Landing::Beside { else_in_place: false },
            UploadWay::Auto | UploadWay::InPlace => Landing::InPlace(Store::Whole),
        })
    }

    /// The same for a transfer that begins while the file is still being written: it has been written in one piece so far.
    fn stream(&self, ino: Ino, state: &State) -> Option<Landing> {
        let Shape { len, old, punched, .. } = state.shape;
        match self.landing(ino, state)? {
            tail @ Landing::InPlace(Store::Tail { at }) => (state.shape.ready(at) >= at + WORTH_A_TAIL).then_some(tail),
            whole => (old == 0 && punched == 0 && len > 0 && state.shape.ready(0) == len).then_some(whole),
        }
    }
}

impl FileWriter {
    /// Makes the file on the server: its first byte may follow much later.
    ///
    /// Where another file has just been stored in the same directory, and the name is an ordinary one, nobody waits for the
    /// server's word: it comes with the next write, or at the latest when the file is closed.
    ///
    /// # Errors
    /// As open(2) with `O_CREAT`.
    pub(crate) fn create(self: &Arc<Self>, dir: Ino, path: &RemotePath) -> Result<()> {
        let trusting = self.shared.trusts(dir, path);
        {
            let mut state = self.state.lock();
            state.shape.dirty = Some(0);
            if self.shared.late {
                return Ok(());
            }
            let landing = self.shared.landing(self.ino, &state).unwrap_or(Landing::InPlace(Store::Whole));
            let upload = self.start(&mut state, landing, None, Some(path.clone()));
            if let Some(transfer) = &mut state.transfer {
                transfer.trusting = trusting;
            }
            drop(state);
            self.shared.jobs.run(upload);
        }
        if trusting {
            return Ok(());
        }
        loop {
            let seen = self.gate.ticket();
            {
                let mut state = self.state.lock();
                if let Some(fault) = state.failed.take() {
                    return Err(fault.into());
                }
                if state.transfer.as_ref().is_none_or(|transfer| transfer.accepted) {
                    return Ok(());
                }
            }
            self.gate.wait(seen, Deadline::after(LOOK_AGAIN));
        }
    }

    /// Starts or wakes the transfer that runs along.
    pub(super) fn advance(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let mut upload = None;
        let wake = match &state.transfer {
            Some(transfer) => transfer.wake(),
            None => {
                // What could not be stored is not tried again before somebody writes or asks.
                let failed = state.failed.is_some() || state.unstored.is_some();
                let may = !self.shared.late
                    && state.queued.is_none()
                    && state.frozen == 0
                    && !state.orphan
                    && !state.erratic
                    && !failed;
                if let Some(landing) = self.shared.stream(self.ino, &state).filter(|_| may) {
                    upload = Some(self.start(&mut state, landing, None, None));
                }
                None
            }
        };
        drop(state);
        if let Some(upload) = upload {
            self.shared.jobs.run(upload);
        }
        if let Some(recall) = wake {
            recall.gate.open();
        }
    }

    /// Begins a transfer. What is returned carries it out, and is to be run once the lock is gone: where no thread can be had
    /// it is dropped, and takes the lock to say so.
    fn start(
        self: &Arc<Self>,
        state: &mut Locked<'_>,
        landing: Landing,
        closing: Option<u64>,
        at: Option<RemotePath>,
    ) -> impl FnOnce() + Send + 'static + use<> {
        state.transfer = Some(Transfer::new(landing, closing));
        let end = End { writer: Arc::clone(self), outcome: None };
        move || {
            let mut end = end;
            end.outcome = Some(end.writer.upload(landing, at));
        }
    }

    fn upload(&self, landing: Landing, at: Option<RemotePath>) -> Result<Option<Landed>> {
        let path = at.or_else(|| self.path()).ok_or(ErrorKind::Changed)?;
        if matches!(landing, Landing::InPlace(Store::Tail { .. })) {
            self.stop_reading();
        } else {
            self.fill()?;
        }
        let Writing { remote, reading, litter, timeout, .. } = &*self.shared;
        if matches!(landing, Landing::InPlace(_)) {
            reading.rest(self.ino);
        }
        let dir = reading.nodes.parent(self.ino);
        let put = Put {
            remote: &**remote,
            dirs: &reading.dirs,
            dir,
            path: &path,
            litter,
            timeout: *timeout,
            broke: Cell::default(),
        };
        let outcome = put.run(&mut Pipe::new(self), landing);
        // Only what we have begun to append ourselves: what others have appended is theirs.
        let ours = self.state.lock().transfer.as_ref().is_some_and(|transfer| transfer.accepted);
        let failed = outcome.as_ref().err().is_some_and(|e| e.fault != Fault::Remote(ErrorKind::Changed));
        if ours && failed && matches!(landing, Landing::InPlace(Store::Tail { .. })) {
            self.rebase(&path);
        }
        outcome
    }

    /// An append has failed: what was there before is so still, but a part of the tail may stand behind it.
    fn rebase(&self, path: &RemotePath) {
        let Ok(Some(version)) = self.shared.remote.version(path, Deadline::after(self.shared.timeout)) else { return };
        let grown = {
            let state = self.state.lock();
            state.base.as_ref().is_some_and(|base| version.size > base.version.size)
        };
        if grown {
            let reader = self.shared.reading.reopen(self.ino, &version);
            let old = self.state.lock().base.replace(Base { version, reader });
            old.into_iter().for_each(|base| base.reader.close());
        }
    }

    /// Ends transfers of the old content, which servers that lock files finish before they take another byte. Who waits for
    /// them asks again.
    fn stop_reading(&self) {
        let version = self.state.lock().base.as_ref().map(|base| base.version.clone());
        let Some(version) = version else { return };
        let Some((reader, _)) = self.shared.reading.open(self.ino, &version) else { return };
        let old = match &mut self.state.lock().base {
            Some(base) => std::mem::replace(&mut base.reader, reader),
            None => reader,
        };
        old.close();
    }

    /// Waits until everything written so far is on the server; what others write meanwhile may be there or not.
    ///
    /// # Errors
    /// What keeps it from being stored; told once, and tried again at the next call.
    pub(crate) fn flush(self: &Arc<Self>) -> Result<()> {
        if self.shared.late {
            self.park()?;
            return self.wait_stored();
        }
        // What an earlier mount has left goes first.
        self.wait_stored()?;
        let wanted = self.len();
        let (mut begun, mut through) = (0, None);
        let failures = self.state.lock().failures;
        loop {
            let seen = self.gate.ticket();
            let mut upload = None;
            let wake = {
                let mut state = self.state.lock();
                if let Some(fault) = state.failed.take().or(state.refused.filter(|_| state.replaces)) {
                    // What was refused in the middle is not to take the place of a file that is whole.
                    return Err(fault.into());
                }
                // Its program knows that it is not stored, and has gone; or somebody else has been told of what this one has
                // waited for.
                let known = |state: &Locked<'_>| state.handles == 0 || state.failures > failures;
                if let Some((fault, _)) = state.unstored.filter(|_| known(&state)) {
                    return Err(fault.into());
                }
                let set = state.late.is_empty();
                if (set && state.shape.covers(wanted)) || through.is_some_and(|before| state.landings > before) {
                    let unset = state.take_unset();
                    drop(state);
                    unset.into_iter().for_each(|settings| self.set_late(settings));
                    return Ok(());
                }
                let len = state.shape.len;
                if let Some(transfer) = &mut state.transfer {
                    transfer.closing = Some(transfer.closing.map_or(len, |old| old.max(len)));
                    transfer.wake()
                } else if !set && state.shape.dirty.is_none() {
                    // Times and modes are on their way behind the content.
                    None
                } else {
                    let landing = self.shared.landing(self.ino, &state).filter(|_| !state.orphan);
                    let Some(landing) = landing else { return Ok(()) };
                    if state.frozen == 0 {
                        upload = Some(self.start(&mut state, landing, Some(len), None));
                        begun += 1;
                        if begun > MOST_RESTARTS {
                            // Somebody writes faster than this can be sent: it is stored as it is then.
                            state.transfer.as_mut().into_iter().for_each(|it| it.through = true);
                            through = Some(state.landings);
                        }
                    }
                    None
                }
            };
            if let Some(recall) = wake {
                recall.gate.open();
            }
            if let Some(upload) = upload {
                self.shared.jobs.run(upload);
            }
            // The transfer has deadlines of its own and always ends.
            self.gate.wait(seen, Deadline::after(LOOK_AGAIN));
        }
    }
}

fn is_hidden(path: &RemotePath) -> bool {
    path.split().is_some_and(|(_, name)| name.as_bytes().starts_with(b"."))
}

/// Whether a name is one that no server minds: letters, digits and a few signs.
fn is_ordinary(path: &RemotePath) -> bool {
    path.split().is_some_and(|(_, name)| {
        let name = name.as_bytes();
        let fine = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        name[0] != b'-' && name.len() < 128 && name.iter().all(fine)
    })
}

/// The end of a transfer, be it by a panic or because no thread could be had: whoever waits for it is told.
pub(super) struct End {
    pub(super) writer: Arc<FileWriter>,
    pub(super) outcome: Option<Result<Option<Landed>>>,
}

impl Drop for End {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| Err(ErrorKind::Protocol.into()));
        self.writer.ended(&outcome);
    }
}

/// Transfers that one flush begins anew because somebody overwrites what has been sent.
const MOST_RESTARTS: u32 = 2;

/// Appended bytes that are worth a transfer before the file is closed.
const WORTH_A_TAIL: u64 = 1 << 20;

/// How long a directory that has taken a file is expected to take another one.
const TRUSTED: Duration = Duration::from_secs(2);

/// Waits without a deadline of their own look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
