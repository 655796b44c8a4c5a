//! Making symlinks: by the server's verb, or by a file that stands for one.

use std::sync::Arc;

use super::minshall;
use crate::base::{Deadline, Recall};
use crate::remote::{ErrorKind, Kind, Meta, Name, RemotePath, Settings, Store, Version};
use crate::vfs::error::{Fault, Result};
use crate::vfs::node::Ino;
use crate::vfs::ops::{Entered, Vfs};

impl Vfs {
    /// Makes the symlink `name` in `parent`, which leads to `target`.
    pub fn symlink(
        self: &Arc<Self>,
        parent: Ino,
        name: &[u8],
        target: &[u8],
        reply: impl FnOnce(Result<Entered>) + Send + 'static,
    ) {
        let Some(name) = Name::new(name) else { return reply(Err(ErrorKind::NameInvalid.into())) };
        let target = target.to_vec();
        self.answer(None, move |vfs, deadline| vfs.make_link(parent, &name, &target, deadline), reply);
    }

    fn make_link(&self, parent: Ino, name: &Name, target: &[u8], deadline: Deadline) -> Result<Entered> {
        let path = self.path(parent)?.join(name);
        // What would end a command can still be the content of a file.
        let sendable = !target.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
        let made = if self.remote.abilities().links == Some(false) || (!sendable && self.stand_ins.wanted()) {
            Err(ErrorKind::Unsupported)
        } else if sendable {
            match self.remote.make_link(&path, target, deadline) {
                Ok(()) => Ok(()),
                Err(e) if e.kind == ErrorKind::Unsupported => Err(e.kind),
                Err(e) => return Err(self.unmade(parent, e)),
            }
        } else {
            return Err(ErrorKind::NameInvalid.into());
        };
        if made.is_err() {
            if !self.stand_ins.wanted() {
                return Err(Fault::NoLinks.into());
            }
            self.store_stand_in(parent, name, &path, target, deadline)?;
        }
        let kind = Kind::Symlink { target: Some(target.into()) };
        let meta = Meta { kind, size: Some(target.len() as u64), mtime: Some(self.now()), mode: None, unique: None };
        Ok(self.made(parent, name, meta)?.1)
    }

    /// Stores a file that stands for a link.
    fn store_stand_in(
        &self,
        parent: Ino,
        name: &Name,
        path: &RemotePath,
        target: &[u8],
        deadline: Deadline,
    ) -> Result<()> {
        let content = minshall::write(target).ok_or(ErrorKind::NameTooLong)?;
        // An upload would replace what is there.
        if self.fresh(parent, name, deadline)?.is_some() {
            return Err(ErrorKind::Exists.into());
        }
        let store = || {
            let mut upload = self.remote.upload(path, Store::Whole, &Arc::new(Recall::default()), deadline)?;
            upload.write(&content, deadline)?;
            upload.accepted(deadline)?;
            upload.finish(&Settings::default(), deadline)
        };
        let stored = store().map_err(|e| self.unmade(parent, e))?;
        self.stand_ins.forget(path);
        if let Some(version @ Version { mtime: Some(_), .. }) = stored.version {
            self.stand_ins.keep(path, version, Some(target.into()));
        }
        Ok(())
    }
}
