//! Names of ours on the server that nobody is to see: files on their way, files that are gone but still open.

use crate::remote::{Name, RemotePath};
use crate::vfs::dir::DirCache;
use crate::vfs::node::Ino;

/// A temporary name; listings may show it again when this is dropped.
pub(crate) struct Temporary<'a> {
    dirs: &'a DirCache,
    dir: Ino,
    name: Name,
    path: RemotePath,
}

impl<'a> Temporary<'a> {
    /// A new name in the directory `dir` of `path`; None for the root.
    pub(crate) fn beside(dirs: &'a DirCache, dir: Ino, path: &RemotePath, kind: &str) -> Option<Self> {
        let (parent, _) = path.split()?;
        let name = Name::new(format!(".ftpfs-{kind}-{:016x}", random()).as_bytes())?;
        dirs.reserve(&name);
        Some(Self { dirs, dir, path: parent.join(&name), name })
    }

    pub(crate) fn path(&self) -> &RemotePath {
        &self.path
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        self.dirs.unreserve(self.dir, &self.name);
    }
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Its keys come from the system, and are other ones for each instance.
    std::hash::RandomState::new().build_hasher().finish()
}
