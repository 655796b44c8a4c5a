//! Holding a file still while its name changes: nothing is sent to a path that is about to be another file's.

use std::sync::Arc;
use std::time::Duration;

use super::back::{Entry, drop_entry};
use super::{FileWriter, State};
use crate::base::Deadline;
use crate::remote::{ErrorKind, RemotePath, Version};
use crate::store::JournalId;
use crate::vfs::error::{Fault, Result};

/// As long as this lives, nothing is sent to the path of a writer.
pub(crate) struct Frozen {
    writer: Arc<FileWriter>,
    /// What was closed before, also in an earlier mount.
    held: Vec<Arc<Entry>>,
}

/// A file that is held, to be renamed.
pub(crate) enum Held {
    /// Everything written so far is on the server.
    Stored(Frozen),
    /// The server has nothing of it, nor what it replaces: its content will go to whatever name it has by then.
    Here(Frozen),
}

impl FileWriter {
    /// Brings everything written so far to the server, and holds the file. What is written meanwhile follows later.
    ///
    /// # Errors
    /// What keeps it from being stored.
    pub(crate) fn settle(self: &Arc<Self>) -> Result<Frozen> {
        loop {
            self.flush()?;
            let frozen = self.freeze();
            self.finish();
            // A queued one of later is on its way to the old name.
            if self.state.lock().queued.is_none() {
                return Ok(frozen);
            }
        }
    }

    /// Waits for the end of the transfer under way, which sends what there is and no more.
    fn finish(&self) {
        loop {
            let seen = self.gate.ticket();
            let wake = {
                let mut state = self.state.lock();
                let len = state.shape.len;
                let Some(transfer) = &mut state.transfer else { return };
                transfer.closing.get_or_insert(len);
                transfer.wake()
            };
            if let Some(recall) = wake {
                recall.gate.open();
            }
            // It has deadlines of its own and always ends.
            self.gate.wait(seen, Deadline::after(LOOK_AGAIN));
        }
    }

    /// Holds the file: as it is where the server has nothing of it, else once everything is stored.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub(crate) fn hold(self: &Arc<Self>) -> Result<Held> {
        if self.shared.late {
            let frozen = self.freeze();
            if frozen.is_unknown() {
                return Ok(Held::Here(frozen));
            }
        }
        self.settle().map(Held::Stored)
    }

    /// Ends what is on its way to the server, and holds the file.
    ///
    /// # Errors
    /// It does not end in time.
    pub(crate) fn halt(self: &Arc<Self>, deadline: Deadline) -> Result<Frozen> {
        let mut frozen = self.freeze();
        self.stop(deadline)?;
        let queued = self.state.lock().queued.clone();
        if let (Some(entry), Some(back)) = (queued, &self.shared.back) {
            for entry in entry.chain() {
                if !entry.halt(back, deadline) {
                    return Err(ErrorKind::TimedOut.into());
                }
                frozen.held.push(entry);
            }
        }
        Ok(frozen)
    }

    /// Ends the transfer under way.
    pub(super) fn stop(&self, deadline: Deadline) -> Result<()> {
        loop {
            let seen = self.gate.ticket();
            let wake = {
                let mut state = self.state.lock();
                let Some(transfer) = &mut state.transfer else { return Ok(()) };
                transfer.halted = true;
                transfer.wake()
            };
            if let Some(recall) = wake {
                recall.gate.open();
            }
            if !self.gate.wait(seen, deadline) {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    fn freeze(self: &Arc<Self>) -> Frozen {
        self.state.lock().frozen += 1;
        let frozen = Frozen { writer: Arc::clone(self), held: Vec::new() };
        // What is just being sealed is so under the old name; the disk always answers.
        loop {
            let seen = self.gate.ticket();
            if !self.state.lock().sealing {
                return frozen;
            }
            self.gate.wait(seen, Deadline::after(LOOK_AGAIN));
        }
    }

    /// The file, which the server has nothing of, has the name `to` from now on, where the server has `over`. With
    /// `replaces`, what was to be stored there is not stored any more.
    ///
    /// # Errors
    /// This machine's disk fails.
    pub(crate) fn moved(&self, to: &RemotePath, over: Option<&Version>, replaces: Option<JournalId>) -> Result<()> {
        let queued = {
            let mut state = self.state.lock();
            state.shape.precious |= over.is_some();
            state.over = over.cloned();
            state.queued.clone()
        };
        if let (Some(entry), Some(back)) = (queued, &self.shared.back) {
            back.journal.moved(entry.id, to, over, replaces).map_err(|_| Fault::Spool)?;
        }
        Ok(())
    }
}

impl State {
    /// Whether the server has never seen anything of this file, and nobody is about to show it something.
    fn is_only_here(&self) -> bool {
        let unseen = self.queued.as_ref().is_none_or(|entry| entry.is_unseen());
        !self.gone && self.base.is_none() && self.transfer.is_none() && unseen
    }
}

impl Frozen {
    /// The name is gone, the file goes on living for those who have it open: nothing of it reaches the server any more.
    pub(crate) fn orphan(self) {
        let writer = &self.writer;
        let entry = {
            let mut state = writer.state.lock();
            state.orphan = true;
            state.queued.take()
        };
        if writer.is_whole() {
            // The spool has all that its readers need.
            writer.close_base();
        }
        if let (Some(entry), Some(back)) = (entry, &writer.shared.back) {
            // The server may be getting what was closed before, too.
            entry.chain().iter().for_each(|entry| drop_entry(back, entry));
        }
        writer.shared.let_go(writer);
    }

    /// What was closed before the latest is of no account any more: that replaces it wherever it goes.
    pub(crate) fn drop_older(&self) {
        let Some(back) = &self.writer.shared.back else { return };
        let queued = self.queued();
        self.held.iter().filter(|entry| Some(entry.id) != queued).for_each(|entry| drop_entry(back, entry));
    }

    /// Whether the server has nothing of this file, nor anything else under its name.
    pub(crate) fn is_unknown(&self) -> bool {
        let state = self.writer.state.lock();
        self.writer.shared.late && state.is_only_here() && state.over.is_none()
    }

    /// What the server has under the name of this file; None where nobody knows it here any more.
    #[allow(clippy::option_option)]
    pub(crate) fn on_server(&self) -> Option<Option<Version>> {
        let state = self.writer.state.lock();
        (!state.gone).then(|| state.base.as_ref().map(|base| base.version.clone()).or_else(|| state.over.clone()))
    }

    /// What is to be stored of it later.
    pub(crate) fn queued(&self) -> Option<JournalId> {
        self.writer.state.lock().queued.as_ref().map(|entry| entry.id)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let writer = &self.writer;
        writer.state.lock().frozen -= 1;
        self.held.iter().for_each(|entry| entry.free());
        writer.gate.open();
        if let Some(back) = &writer.shared.back {
            back.gate.open();
        }
        writer.advance();
        writer.shared.let_go(writer);
    }
}

/// Waits without a deadline of their own look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
