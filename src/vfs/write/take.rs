//! Taking what programs write and cut: into the spool at once, or when there is room.

use std::sync::Arc;

use log::warn;

use super::{FileWriter, Parked, State, WriteReply, disk};
use crate::remote::ErrorKind;
use crate::vfs::error::{Fault, Result};

impl FileWriter {
    /// Writes `data` at `at`; at the end of the file where None. `reply` is called once, now or later.
    pub(crate) fn write(self: &Arc<Self>, at: Option<u64>, data: &[u8], reply: WriteReply) {
        let mut state = self.state.lock();
        if let Some(fault) = state.failed {
            state.refused = Some(fault);
            drop(state);
            return reply(Err(fault.into()));
        }
        if state.sealed {
            drop(state);
            let (writer, data) = (Arc::clone(self), data.to_vec());
            return self.shared.copier(self.ino).run(move || match writer.unseal() {
                Ok(()) => writer.write(at, &data, reply),
                Err(e) => {
                    writer.state.lock().refused = Some(e.fault);
                    reply(Err(e));
                }
            });
        }
        let at = at.unwrap_or(state.shape.len);
        let len = data.len() as u32;
        // In order: those who wait for room are first.
        let queue = state.parked.iter().any(|parked| parked.data.is_some());
        let done = if queue { Err(Fault::SpoolFull) } else { self.take(&mut state, at, data) };
        match done {
            Ok(()) => {
                if self.is_far_ahead(&state) {
                    state.parked.push(Parked { at, len, data: None, reply });
                    drop(state);
                } else {
                    drop(state);
                    reply(Ok(len));
                }
                self.advance();
            }
            Err(Fault::SpoolFull) if state.makes_room(at, self.shared.kept) && state.parked.len() < MOST_PARKED => {
                state.parked.push(Parked { at, len, data: Some(data.to_vec()), reply });
                drop(state);
                self.advance();
            }
            Err(fault) => {
                let told = state.refused.replace(fault) == Some(fault);
                drop(state);
                if fault == Fault::SpoolFull && !told {
                    warn!("{}: the spool has no room for what is written", self.shown());
                }
                reply(Err(fault.into()));
            }
        }
    }

    /// Puts `data` into the spool.
    pub(super) fn take(&self, state: &mut State, at: u64, data: &[u8]) -> std::result::Result<(), Fault> {
        let range = at..at.checked_add(data.len() as u64).ok_or(Fault::Remote(ErrorKind::TooLarge))?;
        if range.end > i64::MAX as u64 {
            return Err(Fault::Remote(ErrorKind::TooLarge));
        }
        if !state.may_change(range.start) {
            return Err(Fault::SpoolFull);
        }
        state.spool.write_at(at, data).map_err(|e| disk(&e))?;
        state.shape.wrote(&range);
        state.changed(range.start, self.shared.now());
        Ok(())
    }

    /// Makes the file `len` bytes long.
    ///
    /// # Errors
    /// The spool's disk, or what went wrong before.
    pub(crate) fn resize(self: &Arc<Self>, len: u64) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(fault) = state.failed {
            return Err(fault.into());
        }
        if len > i64::MAX as u64 {
            return Err(ErrorKind::TooLarge.into());
        }
        if len > 0 && !state.may_change(len) {
            return Err(Fault::SpoolFull.into());
        }
        let from = len.min(state.shape.len);
        if len == state.shape.len {
            return Ok(());
        }
        if state.sealed {
            // Nothing of it is needed any more, or all of it in a copy.
            if len == 0 {
                state.spool = Arc::new(self.shared.new_spool()?);
                state.sealed = false;
            } else {
                drop(state);
                self.unseal()?;
                return self.resize(len);
            }
        }
        state.spool.truncate(len).map_err(|e| disk(&e))?;
        state.shape.resize(len);
        state.changed(from, self.shared.now());
        drop(state);
        self.advance();
        Ok(())
    }

    /// It is to be empty on the server as well, also where it is taken for empty already: somebody else may have written to
    /// it since.
    ///
    /// # Errors
    /// No spool can be made.
    pub(crate) fn empty(&self) -> Result<()> {
        let mut state = self.state.lock();
        if state.shape.len == 0 && !state.is_changed() && !state.orphan {
            if state.sealed {
                // The journal may have removed the old one.
                state.spool = Arc::new(self.shared.new_spool()?);
                state.sealed = false;
            }
            (state.shape.dirty, state.shape.stored) = (Some(0), None);
            state.changed(0, self.shared.now());
        }
        Ok(())
    }
}

impl State {
    /// Bytes from `at` on are others since `now`.
    pub(super) fn changed(&mut self, at: u64, now: i64) {
        self.mtime = now;
        (self.refused, self.unstored) = (None, None);
        if let Some(transfer) = &mut self.transfer {
            transfer.overwrite(at);
        }
    }

    /// Whether what lies at `at` and behind may change: where the spool has given up what was sent, it could not be sent
    /// again.
    pub(super) fn may_change(&self, at: u64) -> bool {
        let sent = self.transfer.as_ref().map_or(0, |transfer| transfer.sent);
        self.shape.punched == 0 || at >= sent.max(self.shape.punched)
    }

    /// Whether a write at `at` may find room later: a transfer is on its way through what comes before it.
    pub(super) fn makes_room(&self, at: u64, kept: u64) -> bool {
        let ends = self.parked.last().map_or(self.shape.len, |parked| parked.at + u64::from(parked.len));
        at == ends && self.transfer.as_ref().is_some_and(|transfer| transfer.frees(&self.shape, kept))
    }
}

/// Writes of one file that may wait for room; the kernel has few under way at once.
const MOST_PARKED: usize = 64;
