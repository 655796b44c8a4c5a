//! A file that the server makes a copy of another one, before anybody has written to it.
//!
//! While the server is at it, that is this file's transfer: nobody else sends anything, and who wants the file stored or
//! renamed waits. Then the copy is the old content on which everything that is written later is based, as if the file had
//! just been opened: there is nothing to be stored.
//!
//! The kernel asks for a large file in several pieces. The first one has all of it copied; until the last one has been asked
//! for the file is a longer one on the server that was cut, and would be stored as that.

use std::cell::Cell;
use std::sync::Arc;

use log::debug;

use super::job::{End, Transfer};
use super::put::{Landed, Landing, Put};
use super::{FileWriter, State, Writing};
use crate::base::Deadline;
use crate::config::UploadWay;
use crate::remote::{Error, ErrorKind, RemotePath, Settings, Store, Version};
use crate::vfs::error::Result;
use crate::vfs::node::Ino;

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) ino: Ino,
    /// Counts what this mount has made of it.
    pub(crate) epoch: u64,
    pub(crate) size: u64,
}

/// A copy as the server is to make it.
pub(super) struct Wish<'a> {
    pub(super) from: &'a RemotePath,
    pub(super) size: u64,
    pub(super) settings: Settings,
    /// Whether what is at `from` is what it was.
    pub(super) is_same: &'a dyn Fn() -> bool,
}

impl FileWriter {
    /// What the server has of the file, if that is all there is.
    pub(crate) fn stored_version(&self) -> Option<Version> {
        let state = self.state.lock();
        let clean = !state.is_changed() && state.failed.is_none() && !state.orphan && state.late.is_empty();
        state.base.as_ref().filter(|_| clean).map(|base| base.version.clone())
    }

    /// Whether a copy may become its content, as far as can be seen now.
    pub(crate) fn may_be_copy(&self) -> bool {
        self.state.lock().may_be_copy()
    }

    /// The next `len` bytes from `at` on are wanted of a copy that has been made: how many of them there are.
    pub(crate) fn show_more(&self, original: &Original, at: u64, len: u64) -> Option<u64> {
        let mut state = self.state.lock();
        let idle = state.transfer.is_none() && state.frozen == 0 && state.failed.is_none() && !state.orphan;
        if !idle || state.copied.as_ref() != Some(original) || !state.shape.shows(at, original.size) {
            return None;
        }
        let shown = at.saturating_add(len).min(original.size);
        state.shape.show(shown);
        drop(state);
        self.gate.open();
        Some(shown - at)
    }

    /// An upload of nothing yet ends now, without being waited for.
    pub(crate) fn make_way(&self) {
        self.state.lock().made = true;
        // Whoever finds it still there waits for it.
        let _ = self.stop(Deadline::after(std::time::Duration::ZERO));
    }

    /// Has the server make it a copy of `original`, which is at `from`, and shows the first `shown` bytes of that. Asks
    /// `is_same` afterwards: what has changed while it was copied may be a mixture.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it cannot become one; else as [`Remote::copy`](crate::remote::Remote::copy). It is
    /// empty then, as before.
    pub(crate) fn copy(
        self: &Arc<Self>,
        original: Original,
        from: &RemotePath,
        shown: u64,
        is_same: &dyn Fn() -> bool,
    ) -> Result<()> {
        let (landing, settings) = self.begin_copy()?;
        let mut end = End { writer: Arc::clone(self), outcome: None };
        let done = self.copied_as(landing, &Wish { from, size: original.size, settings, is_same });
        let (outcome, done) = match done {
            Ok(landed) => (Ok(Some(landed)), Ok(())),
            Err(e) => (Ok(None), Err(e)),
        };
        end.outcome = Some(outcome);
        drop(end);
        let mut state = self.state.lock();
        if done.is_err() {
            // It is what it was: what is written now can be sent along.
            state.erratic &= !state.shape.is_empty();
            return done;
        }
        let whole = state.transfer.is_none() && state.shape.dirty.is_none() && state.shape.len == original.size;
        if shown < original.size && whole {
            state.shape.show(shown);
            state.mtime = self.shared.now();
            state.copied = Some(original);
        }
        Ok(())
    }

    /// Takes the place of the file's transfer.
    fn begin_copy(&self) -> Result<(Landing, Settings)> {
        loop {
            self.stop(Deadline::after(self.shared.timeout))?;
            let kept = self.shared.reading.nodes.known(self.ino).and_then(|known| known.meta.mode);
            let mut state = self.state.lock();
            if !state.may_be_copy() {
                return Err(ErrorKind::Unsupported.into());
            }
            if state.transfer.is_some() {
                continue;
            }
            // It may have been stored as the empty file that it is.
            state.shape.dirty = Some(0);
            (state.mtime, state.copied) = (self.shared.now(), None);
            let landing = match self.shared.landing(self.ino, &state) {
                Some(landing @ Landing::InPlace(Store::Whole)) if !state.shape.precious => landing,
                Some(landing @ Landing::Beside { .. }) => landing,
                // What is there would be gone before its successor is whole.
                _ => return Err(ErrorKind::Unsupported.into()),
            };
            let beside = matches!(landing, Landing::Beside { .. });
            let settings = Settings { mtime: Some(state.mtime), mode: state.mode.or(kept.filter(|_| beside)) };
            state.transfer = Some(Transfer::copying(landing, settings));
            return Ok((landing, settings));
        }
    }

    fn copied_as(&self, landing: Landing, wish: &Wish<'_>) -> Result<Landed> {
        let path = self.path().ok_or(ErrorKind::Unsupported)?;
        let Writing { remote, reading, litter, timeout, way, .. } = &*self.shared;
        reading.rest(self.ino);
        let (dir, broke) = (reading.nodes.parent(self.ino), Cell::default());
        let put = Put { remote: &**remote, dirs: &reading.dirs, dir, path: &path, litter, timeout: *timeout, broke };
        if let Landing::Beside { .. } = landing {
            return put.copy(wish);
        }
        let Wish { from, size, settings, is_same } = wish;
        match remote.copy(from, &path, *size, settings, Deadline::after(*timeout)) {
            Ok(stored) if is_same() => Ok(Landed { sent: *size, stored }),
            // It is overwritten, as is a part: the file is still to be stored as an empty one, or as what is written.
            Ok(_) => Err(ErrorKind::Changed.into()),
            // ProFTPD without AllowOverwrite: not even onto our own empty file.
            Err(e) if *way == UploadWay::Auto && matches!(e.kind, ErrorKind::Denied | ErrorKind::Exists) => {
                debug!("{path}: cannot be copied over ({e}): another file takes its place");
                put.copy(wish)
            }
            Err(e) => Err(e.into()),
        }
    }
}

impl State {
    fn may_be_copy(&self) -> bool {
        let unsent = self.transfer.as_ref().is_none_or(|it| it.sent == 0 && it.closing.is_none() && !it.is_tail());
        let untroubled = self.failed.is_none() && self.refused.is_none() && self.unstored.is_none() && !self.keeping;
        let here = !self.orphan && !self.gone && self.frozen == 0 && self.parked.is_empty() && self.reads.is_empty();
        let later =
            self.sealed || self.sealing || self.queued.is_some() || self.over.is_some() || !self.late.is_empty();
        self.shape.is_empty() && unsent && untroubled && here && !later
    }
}

/// Whether a part of a copy may be there that has failed so.
pub(super) fn may_leave_part(error: &Error) -> bool {
    use ErrorKind::{Cancelled, Denied, Exists, IsDir, NotDir, NotFound, NotPermitted, ReadOnly, Unsupported};
    !matches!(
        error.kind,
        Cancelled | Denied | Exists | IsDir | NotDir | NotFound | NotPermitted | ReadOnly | Unsupported
    )
}
