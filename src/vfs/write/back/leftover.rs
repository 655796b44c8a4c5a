//! What an earlier mount has left over, while this one lives: its content is newer than what the server has at its path.
//!
//! Programs see it as soon as they look: listings show it, and who looks up its name gets a writer that goes on with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::entry::Entry;
use super::store::drop_entry;
use super::{Back, MOST_SILENT};
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::remote::{ErrorKind, Kind, Meta, Name, RemotePath, Stamp};
use crate::store::Job;
use crate::vfs::error::Result;
use crate::vfs::node::Ino;
use crate::vfs::write::state::Shape;
use crate::vfs::write::{FileWriter, State, Writing};

/// Leftovers of one path that nobody sends as long as this lives.
pub(crate) struct HeldLeftovers {
    shared: Arc<Writing>,
    held: Vec<Arc<Entry>>,
}

impl Writing {
    /// Holds what an earlier mount has left for `path`.
    ///
    /// # Errors
    /// Its transfer does not end in time.
    pub(crate) fn hold_left(self: &Arc<Self>, path: &RemotePath, deadline: Deadline) -> Result<HeldLeftovers> {
        let mut leftovers = HeldLeftovers { shared: Arc::clone(self), held: Vec::new() };
        let Some(back) = &self.back else { return Ok(leftovers) };
        for entry in back.leftovers(|at| at == path) {
            if !entry.halt(back, deadline) {
                return Err(ErrorKind::TimedOut.into());
            }
            leftovers.held.push(entry);
        }
        Ok(leftovers)
    }

    /// What an earlier mount has left for `path` is what programs see of the file `ino` from now on, if there is something.
    pub(crate) fn adopt(self: &Arc<Self>, ino: Ino, path: impl FnOnce() -> Option<RemotePath>) {
        let Some(back) = self.back.as_ref().filter(|back| back.has_leftovers()) else { return };
        let Some(path) = path() else { return };
        let Some(entry) = back.leftovers(|at| *at == path).pop() else { return };
        let writer = {
            let mut live = self.live.lock();
            if live.contains_key(&ino) {
                return;
            }
            let writer = Arc::new(FileWriter::of_leftover(ino, Arc::clone(self), &entry));
            if !entry.adopt(&writer) {
                return;
            }
            live.insert(ino, Arc::clone(&writer));
            self.reading.nodes.set_written(ino, true);
            writer
        };
        // It may have been stored in this moment.
        if let Some(fault) = entry.done() {
            writer.left(&entry, fault);
        }
    }

    /// What an earlier mount has left for names in the directory at `dir`.
    pub(crate) fn left_in(&self, dir: impl FnOnce() -> Option<RemotePath>) -> Vec<(Name, Meta)> {
        let Some(back) = self.back.as_ref().filter(|back| back.has_leftovers()) else { return Vec::new() };
        let Some(dir) = dir() else { return Vec::new() };
        let here = |path: &RemotePath| path.split().is_some_and(|(parent, _)| parent == dir);
        let found = back.leftovers(here).into_iter().filter_map(|entry| {
            let (_, name) = entry.job.path.split()?;
            let Job { len, mtime, mode, .. } = entry.job;
            let meta = Meta { kind: Kind::File, size: Some(len), mtime: Some(Stamp::exact(mtime)), mode, unique: None };
            Some((name, meta))
        });
        found.collect()
    }

    /// Stores what an earlier mount has left for `path` and everything below it; whether there was something.
    ///
    /// # Errors
    /// What the server says where it does not take it; `Busy` where it has not by `deadline`, or nothing has gone on for
    /// long.
    pub(crate) fn store_left(&self, path: &RemotePath, deadline: Deadline) -> Result<bool> {
        let Some(back) = &self.back else { return Ok(false) };
        let left = back.leftovers(|at| at == path || at.is_below(path));
        let before: Vec<_> = left.into_iter().map(|entry| (entry.refusals().0, entry)).collect();
        if before.is_empty() {
            return Ok(false);
        }
        let refused = || before.iter().find_map(|(count, entry)| entry.refused_since(*count));
        back.hurry();
        // Also those that somebody has taken over meanwhile.
        let stored = || before.iter().all(|(_, entry)| entry.done().is_some());
        let over = back.wait_while_busy(|| stored() || refused().is_some(), self.timeout * MOST_SILENT, deadline);
        match refused().filter(|_| !stored()) {
            Some(fault) => Err(fault.into()),
            None if over => Ok(true),
            None => Err(ErrorKind::Busy.into()),
        }
    }
}

impl FileWriter {
    /// Goes on with `entry`: its content is here, sealed, and on its way.
    fn of_leftover(ino: Ino, shared: Arc<Writing>, entry: &Arc<Entry>) -> Self {
        let Job { base, len, mtime, mode, .. } = entry.job.clone();
        let mut state = State::new(Shape::of_spool(len), Arc::clone(&entry.spool), mtime, mode);
        state.sealed = true;
        state.queued = Some(Arc::clone(entry));
        state.over = base;
        Self { ino, shared, state: Ranked::new(state), gate: Gate::default() }
    }
}

impl Back {
    fn has_leftovers(&self) -> bool {
        self.has_leftovers.load(Ordering::Relaxed)
    }

    /// What an earlier mount has left for the paths that `wanted` names.
    fn leftovers(&self, wanted: impl Fn(&RemotePath) -> bool) -> Vec<Arc<Entry>> {
        let open = self.open.lock();
        let left = open.values().take_while(|entry| entry.is_left_over());
        left.filter(|entry| entry.writer().is_none() && wanted(&entry.job.path)).cloned().collect()
    }
}

impl HeldLeftovers {
    /// The name is gone: nothing is stored under it any more. Tells whether there was something.
    pub(crate) fn discard(mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        if let Some(back) = &self.shared.back {
            held.iter().for_each(|entry| drop_entry(back, entry));
        }
        !held.is_empty()
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl Drop for HeldLeftovers {
    fn drop(&mut self) {
        self.held.iter().for_each(|entry| entry.free());
        if let Some(back) = &self.shared.back {
            back.gate.open();
        }
    }
}
