//! What an upload leaves behind: what the server's file is from then on, and what is still to be set on it.

use std::sync::Arc;
use std::time::Instant;

use log::{debug, warn};

use super::job::Transfer;
use super::put::{Landed, Landing, is_broken};
use super::state::Shape;
use super::{Base, FileWriter, State};
use crate::base::Deadline;
use crate::config::UploadWay;
use crate::remote::{Applied, ErrorKind, Meta, Outcome, Settings, Stamp, Store, Stored, Version};
use crate::vfs::error::{Fault, Result};
use crate::vfs::node::Known;

impl FileWriter {
    /// Takes in how a transfer went.
    pub(super) fn ended(self: &Arc<Self>, outcome: &Result<Option<Landed>>) {
        let fresh = match outcome {
            Ok(Some(landed)) => self.announce(landed),
            _ => None,
        };
        let (mut late, mut old_base) = (None, None);
        let (parked, reads) = {
            let mut state = self.state.lock();
            let Some(transfer) = state.transfer.take() else { return };
            match outcome {
                Ok(Some(landed)) => {
                    if transfer.copies && transfer.overwritten.is_none() {
                        state.shape = Shape::of_old(landed.sent);
                    } else {
                        state.shape.landed(landed.sent, transfer.overwritten);
                    }
                    state.landings += 1;
                    (state.unstored, state.replaces) = (None, false);
                    state.erratic = false;
                    old_base = std::mem::replace(&mut state.base, fresh);
                    state.over = None;
                    state.unset = transfer.for_now && state.mode.is_some();
                    let left = transfer.set.map(|set| left(&set, &landed.stored.outcome)).unwrap_or_default();
                    late = state.settings_since(transfer.set);
                    if left.is_empty() {
                        state.late = late.unwrap_or_default();
                    } else {
                        let dirty = state.shape.dirty.is_some();
                        let left = Settings { mtime: left.mtime.filter(|_| !dirty), ..left };
                        let left = late.take().unwrap_or_default().or(left);
                        // Before anybody else can set anything, or look whether something is to be waited for.
                        if let (Some(queue), Some(path)) = (&self.shared.deferred, self.path()) {
                            queue.set(self.ino, path, left);
                        }
                    }
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
                        && (state.shape.stored.is_some() || state.base.is_some() || state.made)
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
                        (state.failed, state.unstored) = (Some(e.fault), Some((e.fault, Instant::now())));
                        state.failures += 1;
                    }
                }
            }
            (std::mem::take(&mut state.parked), std::mem::take(&mut state.reads))
        };
        if let Some(base) = old_base {
            base.reader.close();
        }
        if let Some(path) = self.path() {
            self.shared.learn_trust(self.shared.reading.nodes.parent(self.ino), &path, outcome);
        }
        if let Err(e) = outcome {
            warn!("{}: cannot be stored: {e}", self.shown());
            // A part of it may have come in.
            let super::super::read::Reading { nodes, dirs, kernel, .. } = &*self.shared.reading;
            nodes.doubt(self.ino);
            dirs.forget(nodes.parent(self.ino));
            kernel.forget_size(self.ino);
        }
        self.unpark(parked);
        for (at, len, reply) in reads {
            self.read(at, len, reply);
        }
        self.advance();
        if let Some(settings) = late {
            self.set_late(settings);
        }
        self.gate.open();
        self.shared.let_go(self);
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
    pub(super) fn set_late(&self, mut settings: Settings) {
        loop {
            self.set_once(settings);
            let mut state = self.state.lock();
            if state.late == settings || state.late.is_empty() {
                state.late = Settings::default();
                return;
            }
            // More has come meanwhile, and is to be what remains.
            settings = state.late;
        }
    }

    fn set_once(&self, settings: Settings) {
        let Some(path) = self.path() else { return };
        let super::super::read::Reading { nodes, dirs, .. } = &*self.shared.reading;
        if let Some(mtime) = settings.mtime {
            nodes.retime(self.ino, Stamp::exact(mtime));
        }
        let set = || self.shared.remote.set(&[(path.clone(), settings)], Deadline::after(self.shared.timeout));
        // To set the same twice does no harm.
        match set().or_else(|e| if is_broken(&e) { set() } else { Err(e) }) {
            Ok(outcomes) => {
                let outcome = outcomes.into_iter().next().unwrap_or_default();
                let mtime = settings.mtime.filter(|_| matches!(outcome.mtime, Applied::Done));
                let mode = settings.mode.filter(|_| matches!(outcome.mode, Applied::Done));
                let set = move |meta: &mut Meta| {
                    meta.mtime = mtime.map(Stamp::exact).or(meta.mtime);
                    meta.mode = mode.or(meta.mode);
                };
                nodes.amend(self.ino, set);
                if let Some((dir, name)) = nodes.place(self.ino) {
                    dirs.update(dir, &name, set);
                }
            }
            Err(e) => warn!("{}: time and mode could not be set: {e}", self.shown()),
        }
    }
}

impl State {
    /// A transfer in place has broken off: the server's file is something in between.
    pub(super) fn unsettle(&mut self, transfer: &Transfer) {
        if let (Landing::InPlace(store), true) = (transfer.landing, transfer.accepted) {
            self.shape.stored = None;
            self.shape.precious &= store != Store::Whole;
        }
    }

    /// What a transfer that ended early has left to be set, now that the file is closed or synced.
    pub(super) fn take_unset(&mut self) -> Option<Settings> {
        let wanted = std::mem::take(&mut self.unset) && self.transfer.is_none() && !self.orphan;
        wanted.then(|| Settings { mtime: Some(self.mtime), mode: self.mode.take() })
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

/// Those of `set` that the upload has left to us.
fn left(set: &Settings, outcome: &Outcome) -> Settings {
    let later = |applied: &Applied| matches!(applied, Applied::Later);
    Settings { mtime: set.mtime.filter(|_| later(&outcome.mtime)), mode: set.mode.filter(|_| later(&outcome.mode)) }
}

/// Whether a whole file may be taken where an appended part of one is not: some servers have a right of its own for that.
fn is_no_tail(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unsupported | ErrorKind::Changed | ErrorKind::Denied | ErrorKind::NotPermitted)
}
