//! Room in the spool: writes that wait for it, or for a transfer to catch up, and what is given up to make it.

use std::ops::Range;

use log::debug;

use super::{FileWriter, Parked, State};
use crate::vfs::error::{Error, Fault};

impl FileWriter {
    /// Answers writes that have waited for the transfer.
    pub(super) fn unpark(&self, parked: Vec<Parked>) {
        for Parked { at, len, data, reply } in parked {
            let done = match data {
                None => Ok(()),
                Some(data) => {
                    let mut state = self.state.lock();
                    match state.failed {
                        Some(fault) => Err(fault),
                        None => match self.take(&mut state, at, &data) {
                            Err(Fault::SpoolFull) if self.give_up_stored(&mut state) => {
                                self.take(&mut state, at, &data)
                            }
                            done => done,
                        },
                    }
                }
            };
            if let Err(fault) = done {
                self.state.lock().refused = Some(fault);
            }
            reply(done.map(|()| len).map_err(Error::from));
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
            state.refused = done.err().or(state.refused);
            answers.push((first.reply, done.map(|()| first.len)));
        }
        drop(state);
        for (reply, done) in answers {
            reply(done.map_err(Error::from));
        }
    }

    /// Gives up the spool's copy of what is stored, to be read from the server again; false where it is all that there is,
    /// or would be needed to store the rest.
    pub(super) fn give_up_stored(&self, state: &mut State) -> bool {
        let may = state.transfer.is_none() && state.base.is_some() && self.shared.remote.abilities().tail == Some(true);
        let Some(range) = state.shape.stored_part().filter(|_| may) else { return false };
        match state.spool.punch(range.clone()) {
            Ok(()) => {
                state.shape.is_old_until(range.end);
                true
            }
            Err(e) => {
                debug!("the spool cannot give room back: {e}");
                false
            }
        }
    }

    /// Gives up the spool's copy of what the server has, but for the last part: that may still be on its way.
    pub(super) fn punch(&self, state: &mut State, sent: u64) {
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

/// Bytes that a program may be ahead of its transfer.
const MOST_AHEAD: u64 = 32 << 20;

const PAGE: u64 = 4096;
