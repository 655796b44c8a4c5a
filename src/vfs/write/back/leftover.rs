//! What an earlier mount has left over, while this one lives: its content is newer than what the server has at its path.

use std::sync::Arc;

use super::entry::Entry;
use super::store::drop_entry;
use super::{Back, MOST_SILENT};
use crate::base::Deadline;
use crate::remote::{ErrorKind, RemotePath};
use crate::vfs::error::Result;
use crate::vfs::write::Writing;

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

    /// Stores what an earlier mount has left for `path` and everything below it; whether there was something.
    ///
    /// # Errors
    /// What the server says where it does not take it; `Busy` where it has not by `deadline`, or nothing has gone on for
    /// long.
    pub(crate) fn store_left(&self, path: &RemotePath, deadline: Deadline) -> Result<bool> {
        let Some(back) = &self.back else { return Ok(false) };
        let left = || back.leftovers(|at| at == path || at.is_below(path));
        let before: Vec<_> = left().into_iter().map(|entry| (entry.refusals().0, entry)).collect();
        if before.is_empty() {
            return Ok(false);
        }
        let refused = || before.iter().find_map(|(count, entry)| entry.refused_since(*count));
        back.hurry();
        let over =
            back.wait_while_busy(|| left().is_empty() || refused().is_some(), self.timeout * MOST_SILENT, deadline);
        match refused().filter(|_| !left().is_empty()) {
            Some(fault) => Err(fault.into()),
            None if over => Ok(true),
            None => Err(ErrorKind::Busy.into()),
        }
    }
}

impl Back {
    /// What an earlier mount has left for the paths that `wanted` names.
    fn leftovers(&self, wanted: impl Fn(&RemotePath) -> bool) -> Vec<Arc<Entry>> {
        let open = self.open.lock();
        open.values().filter(|entry| entry.is_left_over() && wanted(&entry.job.path)).cloned().collect()
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
