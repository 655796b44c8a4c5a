//! The last handle of a file that was written: what is not stored yet is stored, or kept for the user.

use std::sync::Arc;

use log::{debug, warn};

use super::FileWriter;
use super::fill::PAUSE;
use crate::base::Deadline;
use crate::vfs::error::{Error, Fault};

impl FileWriter {
    /// One handle less writes the file. What has not been stored yet is stored now, by a thread that nobody waits for.
    pub(crate) fn release(self: &Arc<Self>) {
        let last = {
            let mut state = self.state.lock();
            state.handles = state.handles.saturating_sub(1);
            state.handles == 0
        };
        if !last {
            return;
        }
        let writer = Arc::clone(self);
        let (clean, unstored) = {
            let state = self.state.lock();
            let clean = state.orphan || (state.transfer.is_none() && state.shape.dirty.is_none() && !state.unset);
            let unstored = state.unstored.map(|(fault, _)| fault).or(state.refused.filter(|_| state.replaces));
            (clean, unstored.filter(|_| state.transfer.is_none()))
        };
        if clean {
            return self.shared.let_go(self);
        }
        self.shared.last.run(move || {
            writer.state.lock().failed = None;
            // A program that has met an error may have stopped in the middle: what it has written until then is not to take
            // the place of a file that is whole.
            let stored = unstored.map_or_else(|| writer.close(), |fault| Err(fault.into()));
            if let Err(e) = stored {
                writer.keep(&e);
            }
            writer.shared.let_go(&writer);
        });
    }

    /// The content could not be stored and nobody is left to try again: it stays here, for the user.
    fn keep(&self, error: &Error) {
        {
            let mut state = self.state.lock();
            // Who has opened it since tries again.
            if state.orphan || state.handles > 0 || state.keeping {
                return;
            }
            state.keeping = true;
        }
        self.make_whole();
        let wanted = {
            let mut state = self.state.lock();
            let wanted = state.handles == 0 && !state.orphan;
            // What is kept does not change any more: whoever opens it meanwhile writes to a copy.
            state.sealed |= wanted;
            wanted
        };
        if wanted {
            self.keep_content(error);
        }
        let left = {
            let mut state = self.state.lock();
            state.keeping = false;
            let left = wanted && state.handles == 0;
            if left {
                state.shape.dirty = None;
                (state.failed, state.unstored) = (None, None);
            }
            left
        };
        self.gate.open();
        if left {
            // Nobody is to take what was written for the server's file any longer.
            self.close_base();
            self.outdate();
        }
    }

    /// The user is to find a file and no patch, if the rest of it can still be had.
    fn make_whole(&self) {
        let mut tries = 0;
        while !self.is_whole()
            && let Err(e) = self.fill()
        {
            tries += 1;
            // What has no room now has none in a moment either, as long as this takes it.
            if tries == MOST_FILLS || matches!(e.fault, Fault::SpoolFull | Fault::Spool) {
                return debug!("{}: what was not written cannot be fetched: {e}", self.shown());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Nobody is left to store it: what was written is kept for the user. False where there is nothing.
    pub(super) fn keep_rest(&self, fault: Fault, deadline: Deadline) -> bool {
        let mut waited = false;
        loop {
            let seen = self.gate.ticket();
            let (dirty, keeping) = {
                let state = self.state.lock();
                (!state.orphan && state.shape.dirty.is_some(), state.keeping)
            };
            if dirty && keeping && self.gate.wait(seen, deadline) {
                waited = true;
                continue;
            }
            if dirty {
                // Programs may still have it open, but nothing of theirs comes through any more.
                self.keep_content(&Error::from(fault));
            }
            return dirty || waited;
        }
    }

    /// What was written goes to where the user finds it, whoever has the file open.
    pub(super) fn keep_content(&self, error: &Error) {
        let (spool, punched, missing) = {
            let state = self.state.lock();
            let missing = state.shape.missing(&(0..state.shape.len));
            (Arc::clone(&state.spool), state.shape.punched, missing)
        };
        let mut name = self.shown();
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            // Whoever puts it back must know that it is a patch and no file.
            name = format!("{name} (zeros stand for old content from byte {} to {})", first.start, last.end);
        }
        if self.len() == 0 {
            return warn!("{name} could not be stored ({error}): it is empty");
        }
        if punched > 0 {
            warn!("{name}: of the first {punched} bytes there is no copy here");
        }
        match spool.keep(&self.shared.hint(&name, error)) {
            Ok(place) => warn!("{name} could not be stored ({error}): what was written is kept in {}", place.display()),
            Err(e) => warn!("{name} could not be stored ({error}), nor kept here ({e})"),
        }
    }
}

/// Attempts to complete what is kept for the user.
const MOST_FILLS: u32 = 3;
