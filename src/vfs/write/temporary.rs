//! Names of ours on the server that nobody is to see: files on their way, files that are gone but still open.

use std::collections::HashSet;

use crate::base::sync::Ranked;
use crate::remote::{Name, RemotePath};

/// The temporary names in use.
#[derive(Default)]
pub(crate) struct Temporaries {
    used: Ranked<HashSet<RemotePath>, 62>,
}

/// A temporary name; it may be shown again when this is dropped.
pub(crate) struct Temporary<'a> {
    all: &'a Temporaries,
    path: RemotePath,
}

impl Temporaries {
    /// A new name in the directory of `path`; None for the root.
    pub(crate) fn beside(&self, path: &RemotePath, kind: &str) -> Option<Temporary<'_>> {
        let (dir, _) = path.split()?;
        let path = dir.join(&Name::new(format!(".ftpfs-{kind}-{:016x}", random()).as_bytes())?);
        self.used.lock().insert(path.clone());
        Some(Temporary { all: self, path })
    }

    /// Whether `path` is not to be shown.
    pub(crate) fn hides(&self, path: &RemotePath) -> bool {
        self.used.lock().contains(path)
    }
}

impl Temporary<'_> {
    pub(crate) fn path(&self) -> &RemotePath {
        &self.path
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        self.all.used.lock().remove(&self.path);
    }
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Keyed anew by the system for each call's first use in a thread, and different for each instance.
    std::hash::RandomState::new().build_hasher().finish()
}
