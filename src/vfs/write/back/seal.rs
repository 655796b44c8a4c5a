//! Sealing: a closed file's spool goes into the journal, and what becomes of the file afterwards.

use std::sync::Arc;
use std::time::Instant;

use log::debug;

use super::entry::Entry;
use super::{Back, LOOK_AGAIN, MOST_SILENT};
use crate::base::Deadline;
use crate::remote::{ErrorKind, Settings, Stamp};
use crate::store::{Job, Spool};
use crate::vfs::error::{Fault, Result};
use crate::vfs::read::Reading;
use crate::vfs::write::put::{CHUNK, Landed};
use crate::vfs::write::{FileWriter, disk};

/// What is about to go into the journal.
struct Sealed {
    spool: Arc<Spool>,
    job: Job,
    /// What was closed before and is not stored yet.
    before: Option<Arc<Entry>>,
}

impl FileWriter {
    /// Seals what was written and lets it travel later.
    ///
    /// # Errors
    /// What is missing of the old content cannot be fetched, or this machine's disk fails.
    pub(crate) fn park(self: &Arc<Self>) -> Result<()> {
        let Some(back) = &self.shared.back else { return self.flush() };
        let Some(Sealed { spool, job, before }) = self.seal()? else { return Ok(()) };
        let before = before.or_else(|| back.left_for(&job.path));
        let replaced = before.clone().filter(|entry| !entry.is_left_over() && entry.retire());
        let after = match &replaced {
            Some(entry) => entry.after(),
            None => before,
        };
        let queued = spool
            .truncate(job.len)
            .and_then(|()| back.journal.queue(&spool, job.clone(), replaced.as_ref().map(|entry| entry.id)));
        let id = match queued {
            Ok(id) => id,
            Err(e) => {
                if let Some(entry) = replaced {
                    entry.stay();
                    back.gate.open();
                }
                self.unsealed(&spool);
                return Err(disk(&e).into());
            }
        };
        if let Some(entry) = replaced {
            entry.end(None, None);
            back.forget(&entry);
        }
        debug!("{}: {} bytes wait as {id}", job.path, job.len);
        let entry = Entry::new(id, Some(Arc::clone(self)), spool, job, after.clone(), None);
        let entry = Arc::new(entry.ripens(Instant::now() + back.ripens));
        {
            let mut state = self.state.lock();
            state.queued = Some(Arc::clone(&entry));
            (state.sealing, state.arrived) = (false, false);
        }
        self.gate.open();
        back.begin(&self.shared, Arc::clone(&entry));
        // It may have been stored before anybody could see what follows it.
        if let Some(after) = after {
            back.rebase_on(&entry, &after);
        }
        Ok(())
    }

    /// Seals the spool; None where there is nothing to store. One at a time, and not while the name changes: whoever closes
    /// the file a second time waits until the first has it in the journal.
    fn seal(&self) -> Result<Option<Sealed>> {
        loop {
            let seen = self.gate.ticket();
            let mut state = self.state.lock();
            // What was refused in the middle is not to take the place of a file that is whole.
            if let Some(fault) = state.failed.take().or(state.refused.filter(|_| state.replaces)) {
                return Err(fault.into());
            }
            if state.sealing || (state.frozen > 0 && state.shape.dirty.is_some()) {
                drop(state);
                self.gate.wait(seen, Deadline::after(LOOK_AGAIN));
                continue;
            }
            if state.shape.dirty.is_none() || state.orphan {
                return Ok(None);
            }
            if !state.shape.is_whole() {
                drop(state);
                self.fill()?;
                continue;
            }
            let path = self.path().ok_or(ErrorKind::Changed)?;
            // What takes the place of a file takes its mode, too.
            let kept = self.shared.reading.nodes.known(self.ino).and_then(|known| known.meta.mode);
            let base = state.base.as_ref().map(|base| base.version.clone()).or_else(|| state.over.clone());
            let (len, mtime, mode) = (state.shape.len, state.mtime, state.mode.or(kept));
            state.shape.dirty = None;
            state.sealed = true;
            state.sealing = true;
            let job = Job { path, base, len, mtime, mode };
            return Ok(Some(Sealed { spool: Arc::clone(&state.spool), job, before: state.queued.clone() }));
        }
    }

    /// The journal has not taken `spool`: it is as it was.
    fn unsealed(&self, spool: &Arc<Spool>) {
        let mut state = self.state.lock();
        state.shape.dirty = Some(0);
        state.sealing = false;
        if Arc::ptr_eq(&state.spool, spool) {
            state.sealed = false;
        }
        drop(state);
        self.gate.open();
    }

    /// Waits until what was sealed is stored.
    ///
    /// # Errors
    /// What it could not be stored for.
    pub(in crate::vfs::write) fn wait_stored(self: &Arc<Self>) -> Result<()> {
        let Some(back) = &self.shared.back else { return Ok(()) };
        loop {
            let Some(entry) = self.state.lock().queued.clone() else {
                return if back.is_shut() { Err(ErrorKind::Cancelled.into()) } else { Ok(()) };
            };
            back.hurry();
            // Somebody waits for it: not behind all others.
            let (shared, first) = (Arc::clone(&self.shared), Arc::clone(&entry));
            self.shared.jobs.run(move || shared.store_now(&first));
            if let Some(fault) = self.wait_for(back, &entry)? {
                return Err(fault.into());
            }
        }
    }

    fn wait_for(&self, back: &Back, entry: &Arc<Entry>) -> Result<Option<Fault>> {
        // Another one may have been queued for it, or nobody goes on with it.
        let is_over = || !self.state.lock().queued.as_ref().is_some_and(|queued| Arc::ptr_eq(queued, entry));
        // It is tried again and again; but who waits is told that the server has no room.
        let (refusals, _) = entry.refusals();
        let is_refused = || entry.refusals().0 > refusals;
        let mut idle = 0;
        loop {
            let before = back.progress();
            if back.wait(|| is_over() || is_refused(), Deadline::after(self.shared.timeout)) {
                return Ok(if is_over() { entry.done().flatten() } else { entry.refusals().1 });
            }
            // A slow line may take its time, a silent one may not.
            idle = if back.progress() == before { idle + 1 } else { 0 };
            if idle == MOST_SILENT {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    /// Content that was sealed must not change any more: goes on with a copy of it.
    pub(in crate::vfs::write) fn unseal(&self) -> Result<()> {
        let (old, len) = {
            let state = self.state.lock();
            if !state.sealed {
                return Ok(());
            }
            (Arc::clone(&state.spool), state.shape.len)
        };
        let copy = self.shared.new_spool()?;
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < len {
            let count = (len - at).min(CHUNK as u64) as usize;
            old.read_at(at, &mut buffer[..count]).map_err(|e| disk(&e))?;
            if buffer[..count].iter().any(|byte| *byte != 0) {
                copy.write_at(at, &buffer[..count]).map_err(|e| disk(&e))?;
            }
            at += count as u64;
        }
        copy.truncate(len).map_err(|e| disk(&e))?;
        let mut state = self.state.lock();
        if state.sealed && Arc::ptr_eq(&state.spool, &old) {
            state.spool = Arc::new(copy);
            state.sealed = false;
        }
        Ok(())
    }

    /// An entry is no longer under way. Its spool stays sealed: the file has lost its name, and can never be given one
    /// again.
    pub(super) fn left(self: &Arc<Self>, entry: &Arc<Entry>, fault: Option<Fault>) {
        let unseen = {
            let mut state = self.state.lock();
            let last = state.queued.as_ref().is_some_and(|queued| Arc::ptr_eq(queued, entry));
            if last {
                state.queued = None;
            }
            state.failed = state.failed.or(fault.filter(|_| !state.orphan && state.handles > 0));
            // Who has taken over a leftover may have missed its arrival.
            last && entry.is_left_over() && !state.arrived && state.shape.dirty.is_none() && !state.sealing
        };
        if fault.is_some() || unseen {
            self.outdate();
        }
        self.gate.open();
        self.shared.let_go(self);
    }

    /// The server's file is none of what was written here.
    pub(in crate::vfs::write) fn outdate(&self) {
        let Reading { nodes, dirs, kernel, .. } = &*self.shared.reading;
        nodes.unbind(self.ino);
        dirs.forget(nodes.parent(self.ino));
        kernel.forget_content(self.ino);
    }

    /// What was sealed is the server's file now.
    pub(super) fn arrived(&self, entry: &Arc<Entry>, landed: &Landed) {
        let base = self.announce(landed);
        let (old, late) = {
            let mut state = self.state.lock();
            let mut late = None;
            let last = state.queued.as_ref().is_some_and(|queued| Arc::ptr_eq(queued, entry));
            // What was closed or written since is on its own way, with times of its own.
            if last && !state.sealing && state.shape.dirty.is_none() {
                state.shape.landed(landed.sent, None);
                late = state.settings_since(entry.carried());
                state.arrived = true;
                state.late = late.unwrap_or_default();
            }
            (state.over, state.replaces) = (None, false);
            (std::mem::replace(&mut state.base, base), late)
        };
        if let Some(base) = old {
            base.reader.close();
        }
        if let Some(settings) = late {
            self.set_late(settings);
            self.server_set(&settings);
        }
    }

    /// The server has set `settings` on the file that this one is based on: nobody else has changed it.
    pub(crate) fn server_set(&self, settings: &Settings) {
        let mut state = self.state.lock();
        if let (Some(base), Some(mtime)) = (&mut state.base, settings.mtime) {
            base.version.mtime = Some(Stamp::exact(mtime));
        }
    }
}
