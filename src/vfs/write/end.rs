//! The last handle of a file that was written: what is not stored yet is stored, or kept for the user.

use std::sync::Arc;

use log::warn;

use super::FileWriter;
use crate::vfs::error::Error;

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
            let state = self.state.lock();
            // Who has opened it since tries again.
            if state.orphan || state.handles > 0 {
                return;
            }
        }
        self.keep_content(error);
        {
            let mut state = self.state.lock();
            if state.handles > 0 {
                return;
            }
            state.shape.dirty = None;
            (state.failed, state.unstored) = (None, None);
        }
        // Nobody is to take what was written for the server's file any longer.
        self.close_base();
        self.outdate();
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
        match spool.keep(&name) {
            Ok(place) => warn!("{name} could not be stored ({error}): what was written is kept in {}", place.display()),
            Err(e) => warn!("{name} could not be stored ({error}), nor kept here ({e})"),
        }
    }
}
