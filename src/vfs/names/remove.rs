//! Removing names: unlink and rmdir, and what becomes of files that are still open.
//!
//! FTP deletes a file at once, and who is reading it gets nothing more. So a file that somebody reads is renamed on the
//! server, in its directory, to a name that nobody is shown, and deleted when the last handle is closed. Where the server
//! refuses that rename it is deleted all the same: its readers go on as far as memory goes, and are told ESTALE beyond.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use log::{debug, warn};

use super::{aside, contradicts, is_refusal};
use crate::base::{Deadline, Gate};
use crate::remote::{ErrorKind, Name, Remote, RemotePath, Settings};
use crate::vfs::dir::DirCache;
use crate::vfs::error::Result;
use crate::vfs::node::{Hidden, Ino, NodeTable};
use crate::vfs::ops::Vfs;
use crate::vfs::settings::show;
use crate::vfs::write::Frozen;

impl Vfs {
    /// Removes the file `name` from `parent`.
    pub fn unlink(self: &Arc<Self>, parent: Ino, name: &[u8], reply: impl FnOnce(Result<()>) + Send + 'static) {
        let Some(name) = Name::new(name) else { return reply(Err(ErrorKind::NotFound.into())) };
        let remove = move |vfs: &Self, deadline| {
            vfs.without_settings(parent, &name, deadline, || vfs.remove_file(parent, &name, deadline))
        };
        self.answer(None, remove, reply);
    }

    /// Removes `name` by `remove`; what was still to be set on it is void if that succeeds.
    fn without_settings(
        &self,
        parent: Ino,
        name: &Name,
        deadline: Deadline,
        remove: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let Some(ino) = self.nodes.find(parent, name) else { return remove() };
        let settings = self.settings.begin(ino, deadline)?;
        let removed = remove();
        if removed.is_ok() {
            self.settings.end(ino);
            // Who has it open sees them all the same.
            self.nodes.amend(ino, |meta| show(&settings, meta));
        } else {
            self.settings.restore(ino);
        }
        removed
    }

    fn remove_file(&self, parent: Ino, name: &Name, deadline: Deadline) -> Result<()> {
        let dir = self.path(parent)?;
        let path = dir.join(name);
        let ino = self.nodes.find(parent, name);
        let writer = ino.and_then(|ino| self.writing.writer(ino));
        // What its writer needs may be on the server still.
        let needed = ino.is_some_and(|ino| self.needs_server(ino));
        let held = writer.map(|writer| writer.halt(deadline)).transpose()?;
        let left = self.writing.hold_left(&path, deadline)?;
        if let Some(ino) = ino
            && needed
            && self.put_aside(ino, parent, &dir, &path, deadline)?
        {
            held.into_iter().for_each(Frozen::orphan);
            left.discard();
            self.dirs.remove(parent, name);
            self.touched(parent);
            return Ok(());
        }
        let unsent = held.is_some() || !left.is_empty();
        let removed = match &held {
            // There is nothing to remove.
            Some(held) if held.is_unknown() => Ok(()),
            _ => self.remote.remove_file(&path, deadline),
        };
        match removed {
            Ok(()) => {}
            // It may not have come to the server at all.
            Err(e) if e.kind == ErrorKind::NotFound && unsent => {}
            Err(e) => {
                if contradicts(&e) {
                    self.dirs.forget(parent);
                }
                return Err(e.into());
            }
        }
        held.into_iter().for_each(Frozen::orphan);
        left.discard();
        self.stand_ins.forget(&path);
        self.dirs.remove(parent, name);
        if let Some(ino) = self.nodes.unlink(parent, name) {
            self.forget_blocks(ino);
        }
        self.touched(parent);
        Ok(())
    }

    /// Whether somebody has `ino` open who needs bytes that only the server has.
    pub(super) fn needs_server(&self, ino: Ino) -> bool {
        match self.writing.writer(ino) {
            Some(writer) => !writer.is_whole(),
            None => self.nodes.is_open(ino),
        }
    }

    /// Hidden files that nobody reads any more go, and temporary files that could not be removed at once. Most of the former
    /// go when they are closed; who writes closes them later.
    pub(crate) fn sweep_hidden(&self) {
        for (ino, _) in self.nodes.hidden() {
            self.released(ino);
        }
        if self.writing.litter.is_empty() {
            return;
        }
        let (remote, writing, timeout) = (Arc::clone(&self.remote), Arc::clone(&self.writing), self.timeout);
        self.workers.run(move || writing.litter.clean(&*remote, Deadline::after(timeout)));
    }

    /// Renames the open file `ino` on the server to a name that nobody is shown. False where the server refuses.
    pub(super) fn put_aside(
        &self,
        ino: Ino,
        parent: Ino,
        dir: &RemotePath,
        path: &RemotePath,
        deadline: Deadline,
    ) -> Result<bool> {
        let (name, hidden) = aside(dir);
        // Before it exists: no listing is to show it.
        self.dirs.reserve(&name);
        match self.remote.rename(path, &hidden, &Settings::default(), deadline) {
            Ok(_) => {
                self.nodes.hide(ino, parent, hidden);
                // It may have been closed while the answer was on its way.
                self.released(ino);
                Ok(true)
            }
            Err(e) => {
                self.dirs.unreserve(parent, &name);
                if is_refusal(&e) {
                    debug!("{path}: is read and cannot be renamed: {e}");
                    return Ok(false);
                }
                self.dirs.forget(parent);
                Err(e.into())
            }
        }
    }

    /// A handle of `ino` has been closed: if it was the last one of a file without a name, the file goes.
    pub(crate) fn released(&self, ino: Ino) {
        if !self.nodes.is_hidden_in_vain(ino) {
            return;
        }
        self.forget_blocks(ino);
        let (remote, dirs, nodes) = (Arc::clone(&self.remote), Arc::clone(&self.dirs), Arc::clone(&self.nodes));
        let (removals, timeout) = (Arc::clone(&self.removals), self.timeout);
        self.workers.run(move || {
            let _under_way = removals.begin();
            if let Some(hidden) = nodes.unhide(ino) {
                delete(&*remote, &dirs, &nodes, &hidden, Deadline::after(timeout));
            }
        });
    }

    /// The mount ends: all that is hidden goes.
    pub(super) fn remove_hidden(&self, deadline: Deadline) {
        for (ino, _) in self.nodes.hidden() {
            if let Some(hidden) = self.nodes.unhide(ino) {
                delete(&*self.remote, &self.dirs, &self.nodes, &hidden, deadline);
            }
        }
        self.removals.wait(deadline);
    }

    /// Removes the empty directory `name` from `parent`.
    pub fn rmdir(self: &Arc<Self>, parent: Ino, name: &[u8], reply: impl FnOnce(Result<()>) + Send + 'static) {
        let Some(name) = Name::new(name) else { return reply(Err(ErrorKind::NotFound.into())) };
        let remove = move |vfs: &Self, deadline| {
            vfs.without_settings(parent, &name, deadline, || vfs.remove_dir(parent, &name, deadline))
        };
        self.answer(None, remove, reply);
    }

    fn remove_dir(&self, parent: Ino, name: &Name, deadline: Deadline) -> Result<()> {
        let dir = self.path(parent)?;
        let path = dir.join(name);
        let ino = self.nodes.find(parent, name);
        // The server may not have heard yet of what is in it.
        if ino.is_some() && self.writing.below(&path).iter().any(|writer| writer.is_to_come()) {
            return Err(ErrorKind::NotEmpty.into());
        }
        let mut removed = self.remote.remove_dir(&path, deadline);
        if matches!(&removed, Err(e) if e.kind == ErrorKind::NotEmpty)
            && let Some(ino) = ino
            && self.lift_hidden(ino, &path, parent, &dir, deadline)?
        {
            removed = self.remote.remove_dir(&path, deadline);
        }
        if let Err(e) = removed {
            if contradicts(&e) {
                self.dirs.forget(parent);
                ino.into_iter().for_each(|ino| self.dirs.forget(ino));
            }
            return Err(e.into());
        }
        self.dirs.remove(parent, name);
        if let Some(ino) = self.nodes.unlink(parent, name) {
            self.dirs.forget(ino);
        }
        self.touched(parent);
        Ok(())
    }

    /// Where nothing but hidden files is left in the directory `ino`, at `path`, moves them up into `parent`, at `dir`.
    /// False where there is something else, or nothing to be moved.
    fn lift_hidden(
        &self,
        ino: Ino,
        path: &RemotePath,
        parent: Ino,
        dir: &RemotePath,
        deadline: Deadline,
    ) -> Result<bool> {
        let inside: Vec<_> = self.nodes.hidden().into_iter().filter(|(_, hidden)| hidden.dir == ino).collect();
        if inside.is_empty() {
            return Ok(false);
        }
        // Only the server knows what else has come in meanwhile.
        self.dirs.forget(ino);
        if !self.listing(ino, path, self.dir_ttl, deadline)?.names(1).is_empty() {
            return Ok(false);
        }
        for (file, hidden) in inside {
            let Some((_, name)) = hidden.path.split() else { continue };
            let above = dir.join(&name);
            match self.remote.rename(&hidden.path, &above, &Settings::default(), deadline) {
                Ok(_) => {
                    self.nodes.hide(file, parent, above);
                    self.released(file);
                }
                // Closed and deleted meanwhile.
                Err(e) if e.kind == ErrorKind::NotFound => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(true)
    }
}

/// Hidden files that are being deleted just now: the mount does not end before.
#[derive(Default)]
pub(crate) struct Removals {
    under_way: AtomicUsize,
    gate: Gate,
}

impl Removals {
    fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(self)
    }

    fn wait(&self, deadline: Deadline) {
        loop {
            let seen = self.gate.ticket();
            if self.under_way.load(Ordering::Acquire) == 0 || !self.gate.wait(seen, deadline) {
                return;
            }
        }
    }
}

/// Counts until it is dropped.
struct UnderWay<'a>(&'a Removals);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.gate.open();
    }
}

/// Deletes a hidden file. One that stays is shown from then on: somebody has to see it to remove it.
fn delete(remote: &dyn Remote, dirs: &DirCache, nodes: &NodeTable, hidden: &Hidden, deadline: Deadline) {
    let Some((_, name)) = hidden.path.split() else { return };
    match remote.remove_file(&hidden.path, deadline) {
        Err(e) if e.kind != ErrorKind::NotFound => {
            warn!("{}: a file that was removed while it was open is still there: {e}", hidden.path);
            dirs.unreserve(hidden.dir, &name);
            if nodes.known(hidden.dir).is_some() {
                dirs.forget(hidden.dir);
            }
        }
        _ => dirs.unreserve(hidden.dir, &name),
    }
}
