//! Names: making, removing and renaming what they stand for.
//!
//! Each operation asks the server first and then brings nodes and listings up to date, so that the next look at them tells
//! what is there now, without asking.

mod minshall;
mod remove;
mod rename;
mod standin;
mod symlink;

use std::sync::Arc;

use log::warn;

pub(crate) use self::remove::Removals;
pub(crate) use self::standin::StandIns;
use super::error::{Error, Fault, Result};
use super::node::{Ino, Known};
use super::ops::{Entered, Vfs};
use super::settings::whole_seconds;
use crate::base::Deadline;
use crate::config::Perms;
use crate::remote::{self, Applied, ErrorKind, Kind, Meta, Name, RemotePath, Settings, Stamp, temporary_name};
use crate::store::BLOCK;

impl Vfs {
    /// Makes the directory `name` in `parent`; of `mode` as much as the server can keep.
    pub fn mkdir(
        self: &Arc<Self>,
        parent: Ino,
        name: &[u8],
        mode: u16,
        reply: impl FnOnce(Result<Entered>) + Send + 'static,
    ) {
        let Some(name) = Name::new(name) else { return reply(Err(ErrorKind::NameInvalid.into())) };
        self.answer(None, move |vfs, deadline| vfs.make_dir(parent, &name, mode, deadline), reply);
    }

    fn make_dir(&self, parent: Ino, name: &Name, mode: u16, deadline: Deadline) -> Result<Entered> {
        let path = self.path(parent)?.join(name);
        // Behind MKD in one flight it would be set of a directory that was there before.
        let later = self.perms == Perms::Ignore;
        let asked = Some(mode).filter(|_| !later);
        let outcome = self.remote.make_dir(&path, asked, deadline).map_err(|e| self.unmade(parent, e))?;
        let kept = matches!(outcome.mode, Applied::Done).then_some(mode);
        let meta = Meta { kind: Kind::Dir, size: None, mtime: Some(self.now()), mode: kept, unique: None };
        let (ino, entered) = self.made(parent, name, meta)?;
        self.dirs.made(ino);
        let settings = Settings { mtime: None, mode: Some(mode) };
        if !later {
            self.note_set(ino, &path, &settings, &outcome);
            return Ok(entered);
        }
        self.settings.set(ino, path, settings);
        let known = self.nodes.known(ino).ok_or(Fault::NoInode)?;
        Ok(Entered::Found { attr: self.attr(ino, known.meta), ttl: self.attr_ttl })
    }

    /// Makes a second name for the file `ino`: FTP has no word for that.
    pub fn link(self: &Arc<Self>, _ino: Ino, _parent: Ino, _name: &[u8], reply: impl FnOnce(Result<Entered>)) {
        reply(Err(Fault::NoLinks.into()));
    }

    /// `name` has just been made in `parent`, and `meta` is what is known of it: the kernel holds one lookup of it.
    pub(super) fn made(&self, parent: Ino, name: &Name, meta: Meta) -> Result<(Ino, Entered)> {
        self.dirs.put(parent, name, &meta);
        self.touched(parent);
        let known = Known { meta, since: self.clock.now(), exact: true };
        let ino = self.nodes.make(parent, name, known.clone()).ok_or(Fault::NoInode)?;
        Ok((ino, Entered::Found { attr: self.attr(ino, known.meta), ttl: self.attr_ttl }))
    }

    /// Why nothing could be made in `parent`. Where the kernel was wrong about a name, so were we.
    pub(super) fn unmade(&self, parent: Ino, error: remote::Error) -> Error {
        if contradicts(&error) {
            self.dirs.forget(parent);
        }
        error.into()
    }

    /// What is in `dir` has changed: so has its time.
    pub(super) fn touched(&self, dir: Ino) {
        self.settings.content_changed(dir);
        let now = Some(self.now());
        self.nodes.amend(dir, |meta| meta.mtime = now);
        if let Some((parent, name)) = self.nodes.place(dir) {
            self.dirs.update(parent, &name, move |meta| meta.mtime = now);
        }
    }

    /// The time now, as a server would tell it.
    pub(super) fn now(&self) -> Stamp {
        Stamp::exact(whole_seconds(self.clock.wall()))
    }

    /// What is at `name` in `parent`, not longer ago than the absence of a name is believed; None where there is nothing.
    pub(super) fn fresh(&self, parent: Ino, name: &Name, deadline: Deadline) -> Result<Option<Meta>> {
        let dir = self.path(parent)?;
        let listing = self.listing(parent, &dir, self.negative_ttl, deadline)?;
        match listing.meta(name.as_bytes()) {
            Some((meta, _)) => Ok(Some(meta)),
            None if listing.complete => Ok(None),
            None => match self.remote.stat(&dir.join(name), deadline) {
                Ok(meta) => Ok(Some(meta)),
                Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
                Err(e) => Err(e.into()),
            },
        }
    }

    /// Frees what is kept in memory of the content of `ino`, which nobody can open any more.
    fn forget_blocks(&self, ino: Ino) {
        if self.nodes.is_open(ino) {
            return;
        }
        if let Some(content) = self.nodes.content(ino) {
            self.reading.blocks.forget(content.file, content.version.size.div_ceil(BLOCK));
        }
    }

    /// Stores what an earlier mount has left for `path` in `dir`, and below it; whether there was something.
    pub(super) fn store_left(&self, dir: Ino, path: &RemotePath, deadline: Deadline) -> Result<bool> {
        let waited = self.writing.store_left(path, deadline)?;
        if waited {
            self.dirs.forget(dir);
        }
        Ok(waited)
    }

    /// The mount ends: what is still to be done on the server is done now.
    pub(super) fn tidy_up(&self, deadline: Deadline) {
        if let Err(e) = self.flush_settings(None, deadline) {
            warn!("times and modes of some files could not be set: {e}");
        }
        self.remove_hidden(deadline);
        self.writing.litter.look_again(&*self.remote, deadline);
        self.writing.litter.clean(&*self.remote, deadline);
        self.writing.litter.tell();
    }
}

/// Whether the server's answer says that what we knew of names was wrong.
fn contradicts(error: &remote::Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::NotFound
            | ErrorKind::Exists
            | ErrorKind::NotDir
            | ErrorKind::IsDir
            | ErrorKind::NotEmpty
            | ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Protocol
    )
}

/// Whether the server understood and said no; otherwise nobody knows what it has done.
fn is_refusal(error: &remote::Error) -> bool {
    !matches!(
        error.kind,
        ErrorKind::NotFound
            | ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Protocol
            | ErrorKind::Cancelled
            | ErrorKind::LoginRefused
            | ErrorKind::TlsRefused
            | ErrorKind::TlsRequired
    )
}

/// A name in `dir` that nobody else uses, for a file that is open and has lost its own.
fn aside(dir: &RemotePath) -> (Name, RemotePath) {
    let name = temporary_name("gone");
    let path = dir.join(&name);
    (name, path)
}
