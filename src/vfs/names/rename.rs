//! rename(2): of files and directories, onto others, of what is being written, read or still to be set.

use std::sync::Arc;
use std::time::Duration;

use log::warn;

use super::{contradicts, is_refusal};
use crate::base::Deadline;
use crate::remote::{self, ErrorKind, Kind, Meta, Name, Outcome, RemotePath, Settings, Version};
use crate::vfs::error::{Error, Result};
use crate::vfs::node::Ino;
use crate::vfs::ops::Vfs;
use crate::vfs::settings::show;
use crate::vfs::write::{FileWriter, Frozen, Held};

/// One side of a rename.
struct Side {
    dir: Ino,
    dir_path: RemotePath,
    name: Name,
    path: RemotePath,
    /// What the kernel knows by this name.
    ino: Option<Ino>,
}

/// What had the name that a rename is about to give to something else.
struct Cleared {
    /// Its inode, if it was put aside.
    aside: Option<Ino>,
    /// Its writer.
    loser: Option<Frozen>,
}

impl Vfs {
    /// Gives `name` in `parent` the name `new_name` in `new_parent`. `flags` are those of renameat2(2); of them there is
    /// only `RENAME_NOREPLACE`.
    pub fn rename(
        self: &Arc<Self>,
        (parent, name): (Ino, &[u8]),
        (new_parent, new_name): (Ino, &[u8]),
        flags: u32,
        reply: impl FnOnce(Result<()>) + Send + 'static,
    ) {
        if flags & !NO_REPLACE != 0 {
            return reply(Err(ErrorKind::Invalid.into()));
        }
        let Some(name) = Name::new(name) else { return reply(Err(ErrorKind::NotFound.into())) };
        let Some(new_name) = Name::new(new_name) else { return reply(Err(ErrorKind::NameInvalid.into())) };
        let source = name.clone();
        let slow = move |vfs: &Self, deadline| {
            let (from, to) = (vfs.side(parent, source)?, vfs.side(new_parent, new_name)?);
            // What an earlier mount has left is stored under the names that it knows, before anybody asks what is there.
            let waited = [&from, &to].map(|side| vfs.store_left(side.dir, &side.path, deadline));
            let waited = waited.into_iter().try_fold(false, |any, waited| Ok::<_, Error>(any | waited?))?;
            let deadline = if waited { Deadline::after(vfs.timeout) } else { deadline };
            if flags & NO_REPLACE != 0 && vfs.fresh(to.dir, &to.name, deadline)?.is_some() {
                return Err(ErrorKind::Exists.into());
            }
            if from.path == to.path { Ok(()) } else { vfs.rename_to(&from, &to, deadline) }
        };
        // What is being written is stored first, and of a directory all that is below it.
        let waits =
            self.nodes.find(parent, &name).is_some_and(|ino| self.writing.writer(ino).is_some() || self.is_dir(ino));
        self.answer_by(if waits { &self.makers } else { &self.workers }, slow, reply);
    }

    fn side(&self, dir: Ino, name: Name) -> Result<Side> {
        let dir_path = self.path(dir)?;
        Ok(Side { dir, path: dir_path.join(&name), dir_path, ino: self.nodes.find(dir, &name), name })
    }

    fn rename_to(&self, from: &Side, to: &Side, deadline: Deadline) -> Result<()> {
        let meta = self.known_of(from);
        let is_dir = meta.as_ref().is_some_and(|meta| meta.kind == Kind::Dir);
        self.check(from, to, is_dir)?;
        // Nothing of ours is to speak to the old paths any more.
        let mut frozen = Vec::new();
        if is_dir {
            let mut below = self.writing.below(&from.path);
            // Two that hold the same files wait for each other in one direction only.
            below.sort_by_key(|writer| writer.ino());
            // Side by side; one that fails says so again below.
            let _ = self.writing.sync(below.clone(), Deadline::after(LONGEST_SYNC));
            for writer in below {
                frozen.push(writer.settle()?);
            }
            self.flush_settings_below(&from.path, Deadline::after(self.timeout))?;
        } else if let Some(writer) = from.ino.and_then(|ino| self.writing.writer(ino)) {
            match writer.hold()? {
                Held::Stored(here) => frozen.push(here),
                Held::Here(here) => {
                    return self.rename_here(&writer, here, from, to, deadline);
                }
            }
        }
        // What had to be stored first may have taken its time.
        let deadline = if frozen.is_empty() { deadline } else { Deadline::after(self.timeout) };
        // Its size is another one where it has been stored just now.
        let meta = self.known_of(from).or(meta);
        let settings = match from.ino {
            Some(ino) => self.settings.begin(ino, deadline)?,
            None => Settings::default(),
        };
        let keep = || {
            if let Some(ino) = from.ino {
                self.settings.restore(ino);
            }
        };
        let Cleared { aside, loser } = self.clear_target(to, deadline).inspect_err(|_| keep())?;
        let done = |outcome: Option<&Outcome>, loser| {
            self.lost_its_name(to, aside, loser);
            self.renamed(from, to, meta.clone().or_else(|| self.known_of(from)));
            if let Some(ino) = from.ino {
                match outcome {
                    Some(outcome) => {
                        self.note_set(ino, &to.path, &settings, outcome);
                        self.settings.end(ino);
                    }
                    // It may have been set or not.
                    None => self.settings.restore(ino),
                }
            }
        };
        if let Some(disk) = &self.reading.disk
            && meta.as_ref().is_none_or(|meta| meta.kind == Kind::Dir)
        {
            disk.cache().moved(&to.path);
        }
        match self.remote.rename(&from.path, &to.path, &settings, deadline) {
            Ok(outcome) => {
                done(Some(&outcome), loser);
                Ok(())
            }
            Err(e) if !is_refusal(&e) && aside.is_some() && self.has_happened(from, to) => {
                done(None, loser);
                Ok(())
            }
            Err(e) => {
                keep();
                drop(loser);
                self.keep_target(to, aside, is_refusal(&e));
                self.not_renamed(from, to, &e);
                Err(e.into())
            }
        }
    }

    /// What is known of the source, however long ago: a rename does not change it.
    fn known_of(&self, side: &Side) -> Option<Meta> {
        let listed = self.dirs.get(side.dir, Duration::MAX).and_then(|listing| listing.meta(side.name.as_bytes()));
        listed.map(|(meta, _)| meta).or_else(|| side.ino.and_then(|ino| self.nodes.known(ino)).map(|known| known.meta))
    }

    /// What can be said without asking; everything else is the server's to say.
    fn check(&self, from: &Side, to: &Side, is_dir: bool) -> Result<()> {
        let below = to.path.as_bytes().strip_prefix(from.path.as_bytes());
        if below.is_some_and(|rest| rest.first() == Some(&b'/')) {
            return Err(ErrorKind::Invalid.into());
        }
        let listing = self.dirs.get(to.dir, self.attr_ttl);
        let there = listing.and_then(|listing| listing.meta(to.name.as_bytes()));
        match there.map(|(meta, _)| meta.kind == Kind::Dir) {
            Some(true) if !is_dir => Err(ErrorKind::IsDir.into()),
            Some(false) if is_dir => Err(ErrorKind::NotDir.into()),
            _ => Ok(()),
        }
    }

    /// What loses its name to the rename lives on for those who have it open. [`lost_its_name`](Self::lost_its_name) or
    /// [`keep_target`](Self::keep_target) has to follow.
    fn clear_target(&self, to: &Side, deadline: Deadline) -> Result<Cleared> {
        let Some(ino) = to.ino else { return Ok(Cleared { aside: None, loser: None }) };
        let settings = self.settings.begin(ino, deadline)?;
        // Who has it open sees them all the same.
        self.nodes.amend(ino, |meta| show(&settings, meta));
        let needed = self.needs_server(ino);
        // Until the rename is done it is not to be deleted, even if its last reader goes.
        self.nodes.opened(ino);
        let cleared = || {
            let loser = self.writing.writer(ino).map(|writer| writer.halt(deadline)).transpose()?;
            let aside = needed && self.put_aside(ino, to.dir, &to.dir_path, &to.path, deadline)?;
            Ok(Cleared { aside: aside.then_some(ino), loser })
        };
        cleared().inspect_err(|_| self.keep_target(to, None, true))
    }

    /// The rename is done: nothing is sent to what had the name before.
    fn lost_its_name(&self, to: &Side, aside: Option<Ino>, loser: Option<Frozen>) {
        loser.into_iter().for_each(Frozen::orphan);
        if let Some(ino) = to.ino {
            self.settings.end(ino);
            self.unpin(ino, aside.is_some());
        }
    }

    /// The rename has failed: the target has its name again, and what is still to be set on it is set. `certain`: the server
    /// has said that nothing has been renamed.
    fn keep_target(&self, to: &Side, aside: Option<Ino>, certain: bool) {
        if let Some(ino) = to.ino {
            self.settings.restore(ino);
            self.undo(aside, to, certain);
            self.unpin(ino, aside.is_some());
        }
    }

    fn unpin(&self, ino: Ino, hidden: bool) {
        self.nodes.closed(ino);
        // It may have been this alone that kept its writer.
        self.writing.closed(ino);
        if hidden {
            self.released(ino);
        }
    }

    /// Whether `from` is at `to`, although nobody has heard the server's answer. There was nothing at `to` before.
    fn has_happened(&self, from: &Side, to: &Side) -> bool {
        let stat = |path| self.remote.stat(path, Deadline::after(self.timeout));
        stat(&to.path).is_ok() && matches!(stat(&from.path), Err(e) if e.kind == ErrorKind::NotFound)
    }

    /// Renames a file of which the server has nothing yet: it will get its content under the new name.
    fn rename_here(&self, writer: &FileWriter, here: Frozen, from: &Side, to: &Side, deadline: Deadline) -> Result<()> {
        let Cleared { aside, loser } = self.clear_target(to, deadline)?;
        let moved = || {
            let base = match loser.as_ref().and_then(Frozen::on_server) {
                // Listings tell of what was written here, whether the server has it or not.
                Some(version) => version,
                None => match self.fresh(to.dir, &to.name, deadline)? {
                    Some(Meta { kind: Kind::File, size: Some(size), mtime, unique, .. }) => {
                        Some(Version { size, mtime, unique })
                    }
                    _ => None,
                },
            };
            if let Some(loser) = &loser {
                loser.drop_older();
            }
            writer.moved(&to.path, base.as_ref(), loser.as_ref().and_then(Frozen::queued))
        };
        let moved = moved();
        if let Err(e) = moved {
            drop(loser);
            self.keep_target(to, aside, true);
            return Err(e);
        }
        self.lost_its_name(to, aside, loser);
        self.renamed(from, to, self.known_of(from));
        drop(here);
        Ok(())
    }

    /// The rename has failed: what was put aside for it gets its name back.
    fn undo(&self, aside: Option<Ino>, to: &Side, certain: bool) {
        let Some(hidden) = aside.and_then(|ino| self.nodes.path(ino)) else { return };
        let Some((_, name)) = hidden.split() else { return };
        let Some(ino) = aside else { return };
        for _ in 0..MOST_UNDOS {
            // The time of the request is up, as a rule: that is why it failed.
            let deadline = Deadline::after(self.timeout);
            if !certain {
                // What is there by now may be all that there is of it.
                match self.remote.stat(&to.path, deadline) {
                    Ok(_) => break,
                    Err(e) if e.kind == ErrorKind::NotFound => {}
                    Err(_) => continue,
                }
            }
            if self.remote.rename(&hidden, &to.path, &Settings::default(), deadline).is_ok() {
                self.nodes.show(ino, to.dir, &to.name);
                self.dirs.unreserve(to.dir, &name);
                return;
            }
        }
        // Somebody has to see it, and nobody is to delete it: it is all that there is of the file.
        warn!("{} is called {hidden} now, and could not be renamed back", to.path);
        self.nodes.unhide(ino);
        self.dirs.unreserve(to.dir, &name);
        self.dirs.forget(to.dir);
    }

    fn renamed(&self, from: &Side, to: &Side, meta: Option<Meta>) {
        if let Some(replaced) = self.nodes.rename(from.dir, &from.name, to.dir, &to.name) {
            self.forget_blocks(replaced);
            self.dirs.forget(replaced);
        }
        self.dirs.remove(from.dir, &from.name);
        match meta {
            Some(meta) => self.dirs.put(to.dir, &to.name, &meta),
            None => self.dirs.forget(to.dir),
        }
        self.stand_ins.rename(&from.path, &to.path);
        self.touched(from.dir);
        if to.dir != from.dir {
            self.touched(to.dir);
        }
    }

    fn not_renamed(&self, from: &Side, to: &Side, error: &remote::Error) {
        if contradicts(error) {
            self.dirs.forget(from.dir);
            self.dirs.forget(to.dir);
        }
    }
}

/// What a whole tree may take to be stored.
const LONGEST_SYNC: Duration = Duration::from_secs(86_400);

/// `RENAME_NOREPLACE` of renameat2(2).
const NO_REPLACE: u32 = 1;

/// Attempts to give a file its name back.
const MOST_UNDOS: u32 = 3;
