//! When a file is uploaded, and how: the transfer that runs along with a writer, the one that a close waits for, and what
//! they leave behind.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, warn};

use super::pipe::Pipe;
use super::put::{Landed, Landing, Put};
use super::state::Shape;
use super::{Base, FileWriter, Locked, Parked, State, Writing};
use crate::base::{Deadline, Recall};
use crate::config::UploadWay;
use crate::remote::{Applied, ErrorKind, Meta, RemotePath, Settings, Stamp, Store, Stored, Version};
use crate::vfs::error::{Error, Fault, Result};
use crate::vfs::node::{Ino, Known};

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
    /// The server has agreed to take the file.
    pub(super) accepted: bool,
    /// It is taken for granted that it will.
    pub(super) trusting: bool,
}

impl Transfer {
    fn new(landing: Landing, closing: Option<u64>) -> Self {
        let sent = if let Landing::InPlace(Store::Tail { at }) = landing { at } else { 0 };
        Self { landing, recall: None, sent, closing, overwritten: None, set: None, accepted: false, trusting: false }
    }

    /// Bytes from `at` on have changed.
    pub(super) fn overwrite(&mut self, at: u64) {
        if at < self.sent || (at == 0 && self.set.is_some()) {
            self.overwritten = Some(self.overwritten.map_or(at, |old| old.min(at)));
        }
    }

    /// Whether the spool will have more room when this has gone on.
    pub(super) fn frees(&self, shape: &Shape, kept: u64) -> bool {
        self.overwritten.is_none() && shape.len > shape.punched + kept
    }

    pub(super) fn wake(&self) -> Option<Arc<Recall>> {
        self.recall.clone()
    }
}

impl Writing {
    /// Whether a file was made in `dir` a moment ago, so that another one is likely to be welcome.
    fn trusts(&self, dir: Ino) -> bool {
        self.trusted.lock().get(&dir).is_some_and(|at| at.elapsed() < TRUSTED)
    }

    fn learn_trust(&self, dir: Ino, outcome: &Result<Option<Landed>>) {
        let mut trusted = self.trusted.lock();
        match outcome {
            Ok(Some(_)) => drop(trusted.put(dir, Instant::now())),
            Ok(None) => {}
            Err(_) => drop(trusted.pop(&dir)),
        }
    }

    /// How `state` is to be uploaded as it is; None where that is nothing.
    fn landing(&self, state: &State) -> Option<Landing> {
        state.shape.dirty?;
        if self.way != UploadWay::Atomic
            && self.remote.abilities().tail != Some(false)
            && let Some(at) = state.shape.tail()
        {
            return Some(Landing::InPlace(Store::Tail { at }));
        }
        Some(match self.way {
            // With write-back nothing is to be seen under its name before it is whole.
            UploadWay::Auto if state.shape.precious || self.late => Landing::Beside { else_in_place: true },
            UploadWay::Atomic => Landing::Beside { else_in_place: false },
            UploadWay::Auto | UploadWay::InPlace => Landing::InPlace(Store::Whole),
        })
    }

    /// The same for a transfer that begins while the file is still being written: it has been written in one piece so far.
    fn stream(&self, state: &State) -> Option<Landing> {
        let Shape { len, old, punched, .. } = state.shape;
        match self.landing(state)? {
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
        let trusting = self.shared.trusts(dir) && is_ordinary(path);
        {
            let mut state = self.state.lock();
            state.shape.dirty = Some(0);
            if self.shared.late {
                return Ok(());
            }
            let landing = self.shared.landing(&state).unwrap_or(Landing::InPlace(Store::Whole));
            self.start(&mut state, landing, None, Some(path.clone()));
            if let Some(transfer) = &mut state.transfer {
                transfer.trusting = trusting;
            }
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
        let wake = match &state.transfer {
            Some(transfer) => transfer.wake(),
            None => {
                let may = self.shared.back.is_none()
                    && state.frozen == 0
                    && !state.orphan
                    && !state.erratic
                    && state.failed.is_none();
                if let Some(landing) = self.shared.stream(&state).filter(|_| may) {
                    self.start(&mut state, landing, None, None);
                }
                None
            }
        };
        drop(state);
        if let Some(recall) = wake {
            recall.gate.open();
        }
    }

    fn start(self: &Arc<Self>, state: &mut Locked<'_>, landing: Landing, closing: Option<u64>, at: Option<RemotePath>) {
        state.transfer = Some(Transfer::new(landing, closing));
        let writer = Arc::clone(self);
        self.shared.jobs.run(move || {
            let end = End { writer: &writer };
            let outcome = writer.upload(landing, at);
            std::mem::forget(end);
            writer.ended(&outcome);
        });
    }

    fn upload(&self, landing: Landing, at: Option<RemotePath>) -> Result<Option<Landed>> {
        let path = at.or_else(|| self.path()).ok_or(ErrorKind::Changed)?;
        if !matches!(landing, Landing::InPlace(Store::Tail { .. })) {
            self.fill()?;
        }
        let Writing { remote, reading, timeout, .. } = &*self.shared;
        let dir = reading.nodes.parent(self.ino);
        let put = Put { remote: &**remote, dirs: &reading.dirs, dir, path: &path, timeout: *timeout };
        put.run(&mut Pipe::new(self), landing)
    }

    /// Waits until everything written so far is on the server.
    ///
    /// # Errors
    /// What keeps it from being stored; told once, and tried again at the next call.
    pub(crate) fn flush(self: &Arc<Self>) -> Result<()> {
        self.wait_stored()?;
        loop {
            let seen = self.gate.ticket();
            let wake = {
                let mut state = self.state.lock();
                if let Some(fault) = state.failed.take() {
                    return Err(fault.into());
                }
                let len = state.shape.len;
                if let Some(transfer) = &mut state.transfer {
                    transfer.closing = Some(transfer.closing.map_or(len, |old| old.max(len)));
                    transfer.wake()
                } else {
                    let landing = self.shared.landing(&state).filter(|_| !state.orphan);
                    let Some(landing) = landing else { return Ok(()) };
                    if state.frozen == 0 {
                        self.start(&mut state, landing, Some(len), None);
                    }
                    None
                }
            };
            if let Some(recall) = wake {
                recall.gate.open();
            }
            // The transfer has deadlines of its own and always ends.
            self.gate.wait(seen, Deadline::after(LOOK_AGAIN));
        }
    }

    /// Takes in how a transfer went.
    fn ended(self: &Arc<Self>, outcome: &Result<Option<Landed>>) {
        let fresh = match outcome {
            Ok(Some(landed)) => self.announce(landed),
            _ => None,
        };
        let (mut late, mut old_base) = (None, None);
        let parked = {
            let mut state = self.state.lock();
            let Some(transfer) = state.transfer.take() else { return };
            match outcome {
                Ok(Some(landed)) => {
                    state.shape.landed(landed.sent, transfer.overwritten);
                    state.erratic = false;
                    old_base = std::mem::replace(&mut state.base, fresh);
                    state.over = None;
                    late = state.settings_since(transfer.set);
                }
                Ok(None) => {
                    // What is on the server now is neither old nor new.
                    state.erratic = true;
                    state.unsettle(&transfer);
                }
                Err(e) => {
                    let moved = matches!(transfer.landing, Landing::InPlace(Store::Tail { .. }))
                        && matches!(e.fault, Fault::Remote(kind) if is_no_tail(kind));
                    // ProFTPD without AllowOverwrite: not even onto our own empty file.
                    let only_beside = transfer.landing == Landing::InPlace(Store::Whole)
                        && self.shared.way == UploadWay::Auto
                        && state.shape.stored.is_some()
                        && matches!(e.fault, Fault::Remote(kind) if is_no_tail(kind) || kind == ErrorKind::Exists);
                    state.unsettle(&transfer);
                    if only_beside && !state.orphan {
                        state.shape.precious = true;
                        debug!("{}: cannot be written over ({e}): another file takes its place", self.shown());
                    } else if moved {
                        // Else the same tail would be tried again, for ever.
                        state.shape.stored = None;
                        debug!("{}: no tail here ({e}): the whole file is sent", self.shown());
                    } else if !state.orphan {
                        state.failed = Some(e.fault);
                    }
                }
            }
            std::mem::take(&mut state.parked)
        };
        if let Some(base) = old_base {
            base.reader.close();
        }
        self.shared.learn_trust(self.shared.reading.nodes.parent(self.ino), outcome);
        if let Err(e) = outcome {
            warn!("{}: cannot be stored: {e}", self.shown());
            // A part of it may have come in.
            let super::super::read::Reading { nodes, dirs, kernel, .. } = &*self.shared.reading;
            nodes.doubt(self.ino);
            dirs.forget(nodes.parent(self.ino));
            kernel.forget_size(self.ino);
        }
        self.unpark(parked);
        if let Some(settings) = late {
            self.set_late(settings);
        }
        self.gate.open();
        self.shared.let_go(self);
    }

    /// Answers writes that have waited for the transfer.
    fn unpark(&self, parked: Vec<Parked>) {
        for Parked { at, len, data, reply } in parked {
            let done = match data {
                None => Ok(()),
                Some(data) => {
                    let mut state = self.state.lock();
                    match state.failed {
                        Some(fault) => Err(fault),
                        None => self.take(&mut state, at, &data),
                    }
                }
            };
            reply(done.map(|()| len).map_err(Error::from));
        }
    }

    /// Tells everybody what the file is now. Returns the server's file as the base of what is not in the spool.
    pub(super) fn announce(&self, landed: &Landed) -> Option<Base> {
        let super::super::read::Reading { nodes, dirs, kernel, .. } = &*self.shared.reading;
        let Stored { version, mode, .. } = &landed.stored;
        let since = self.shared.clock.now();
        let known = nodes.known(self.ino)?;
        let version = version.clone().unwrap_or(Version { size: landed.sent, mtime: None, unique: None });
        let (mtime, wanted) = {
            let state = self.state.lock();
            (state.mtime, state.mode)
        };
        let done = |applied: &Applied| matches!(applied, Applied::Done);
        let outcome = &landed.stored.outcome;
        let mode = mode.or(wanted.filter(|_| done(&outcome.mode))).or(known.meta.mode);
        let told = version.mtime.or(done(&outcome.mtime).then(|| Stamp::exact(mtime)));
        let meta = Meta { size: Some(version.size), mtime: told, mode, unique: version.unique.clone(), ..known.meta };
        if let Some((parent, name)) = nodes.place(self.ino) {
            dirs.put(parent, &name, &meta);
        }
        nodes.update(self.ino, Known { exact: meta.mtime.is_some(), meta, since });
        let reader = self.shared.reading.reopen(self.ino, &version);
        kernel.forget_size(self.ino);
        Some(Base { version, reader })
    }

    /// Times and modes that programs have set since the content left.
    pub(super) fn set_late(&self, settings: Settings) {
        let Some(path) = self.path() else { return };
        if let Err(e) = self.shared.remote.set(&[(path, settings)], Deadline::after(self.shared.timeout)) {
            warn!("{}: time and mode could not be set: {e}", self.shown());
        }
    }

    /// Whether a program is to wait until the transfer has caught up: so much would have to be sent when it closes.
    pub(super) fn is_far_ahead(&self, state: &State) -> bool {
        state.transfer.as_ref().is_some_and(|t| {
            t.closing.is_none()
                && t.overwritten.is_none()
                && state.shape.ready(t.sent).saturating_sub(t.sent) > MOST_AHEAD
        })
    }

    /// The transfer has come so far: lets waiting writes go on, and makes room for those that need it.
    pub(super) fn caught_up(&self, sent: u64) {
        let mut answers = Vec::new();
        let mut state = self.state.lock();
        if state.parked.is_empty() {
            return;
        }
        if state.parked.iter().any(|parked| parked.data.is_some()) {
            self.punch(&mut state, sent);
        }
        while !state.parked.is_empty() {
            let first = state.parked.remove(0);
            let done = match &first.data {
                Some(data) => self.take(&mut state, first.at, data),
                None if self.is_far_ahead(&state) => Err(Fault::SpoolFull),
                None => Ok(()),
            };
            // There is more room to come, as long as there is something to send.
            if done == Err(Fault::SpoolFull) && sent < state.shape.len {
                state.parked.insert(0, first);
                break;
            }
            answers.push((first.reply, done.map(|()| first.len)));
        }
        drop(state);
        for (reply, done) in answers {
            reply(done.map_err(Error::from));
        }
    }

    /// Gives up the spool's copy of what the server has, but for the last part: that may still be on its way.
    fn punch(&self, state: &mut State, sent: u64) {
        let until = sent.saturating_sub(self.shared.kept) / PAGE * PAGE;
        if until <= state.shape.punched {
            return;
        }
        let range: Range<u64> = state.shape.punched..until;
        match state.spool.punch(range) {
            Ok(()) => state.shape.punched = until,
            Err(e) => debug!("the spool cannot give room back: {e}"),
        }
    }
}

/// Whether a name is one that no server minds: letters, digits and a few signs, and no dot in front.
fn is_ordinary(path: &RemotePath) -> bool {
    path.split().is_some_and(|(_, name)| {
        let name = name.as_bytes();
        let fine = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !matches!(name[0], b'.' | b'-') && name.len() < 128 && name.iter().all(fine)
    })
}

/// Whether a whole file may be taken where an appended part of one is not: some servers have a right of its own for that.
fn is_no_tail(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unsupported | ErrorKind::Changed | ErrorKind::Denied | ErrorKind::NotPermitted)
}

/// A panic in a transfer: whoever waits for it is told.
struct End<'a> {
    writer: &'a Arc<FileWriter>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.writer.ended(&Err(ErrorKind::Protocol.into()));
    }
}

impl State {
    /// A transfer in place has broken off: the server's file is something in between.
    fn unsettle(&mut self, transfer: &Transfer) {
        if let (Landing::InPlace(store), true) = (transfer.landing, transfer.accepted) {
            self.shape.stored = None;
            self.shape.precious &= store != Store::Whole;
        }
    }

    /// What has been set since an upload has `carried` time and mode.
    pub(super) fn settings_since(&mut self, carried: Option<Settings>) -> Option<Settings> {
        let carried = carried?;
        let mtime = (self.shape.dirty.is_none() && carried.mtime != Some(self.mtime)).then_some(self.mtime);
        let mode = self.mode.filter(|mode| carried.mode != Some(*mode));
        self.mode = None;
        let settings = Settings { mtime, mode };
        (!settings.is_empty()).then_some(settings)
    }
}

/// Bytes that a program may be ahead of its transfer.
const MOST_AHEAD: u64 = 32 << 20;

/// Bytes behind the transfer that stay in a spool of `limit` bytes when room is needed: they may still be on their way.
pub(super) fn kept(limit: Option<u64>) -> u64 {
    limit.map_or(MOST_KEPT, |limit| MOST_KEPT.min(limit / 4))
}

const MOST_KEPT: u64 = 32 << 20;

/// Appended bytes that are worth a transfer before the file is closed.
const WORTH_A_TAIL: u64 = 1 << 20;

const PAGE: u64 = 4096;

/// How long a directory that has taken a file is expected to take another one.
const TRUSTED: Duration = Duration::from_secs(2);

/// Waits without a deadline of their own look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
