//! Names of ours on the server that nobody is to see: files on their way, files that are gone but still open.

use log::{debug, warn};

use super::put::is_broken;
use crate::base::Deadline;
use crate::base::sync::Ranked;
use crate::remote::{ErrorKind, Name, Remote, RemotePath, Result, temporary_name};
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
        let name = temporary_name(kind);
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

/// Temporary files that nobody needs and that could not be removed when that was clear.
#[derive(Default)]
pub(crate) struct Litter {
    left: Ranked<Vec<RemotePath>, 48>,
    /// A server that was out of reach may hear only later that it is to make them.
    doubtful: Ranked<Vec<RemotePath>, 48>,
}

impl Litter {
    /// Removes the file `part`: now, or when the server can be reached again.
    pub(super) fn remove(&self, remote: &dyn Remote, part: &RemotePath, deadline: Deadline) {
        if let Err(e) = try_to_remove(remote, part, deadline) {
            let room = {
                let mut later = self.left.lock();
                let room = later.len() < MOST_LITTER;
                if room {
                    later.push(part.clone());
                }
                room
            };
            if room { debug!("{part} is removed later: {e}") } else { warn!("{part} stays on the server: {e}") }
        }
    }

    /// Tries again to remove what is left.
    pub(crate) fn clean(&self, remote: &dyn Remote, deadline: Deadline) {
        // They stay in the list until they are gone: somebody else may come by, or the mount may end.
        let all = self.left.lock().clone();
        for part in all {
            if try_to_remove(remote, &part, deadline).is_ok() {
                self.left.lock().retain(|left| *left != part);
            }
        }
    }

    /// `part` has got its name, over another connection than one that broke: the server may make it once more. It is looked
    /// for when the mount ends.
    pub(super) fn doubt(&self, part: &RemotePath) {
        let mut doubtful = self.doubtful.lock();
        if doubtful.len() < MOST_LITTER {
            doubtful.push(part.clone());
        }
    }

    /// Removes what has come late.
    pub(crate) fn look_again(&self, remote: &dyn Remote, deadline: Deadline) {
        let doubtful = std::mem::take(&mut *self.doubtful.lock());
        for part in doubtful {
            self.remove(remote, &part, deadline);
        }
    }

    /// Tells what is still there when nobody comes back for it.
    pub(crate) fn tell(&self) {
        let left = std::mem::take(&mut *self.left.lock());
        for part in left {
            warn!("{part} stays on the server, which could not be reached");
        }
    }

    /// Whether there is something to be removed.
    pub(crate) fn is_empty(&self) -> bool {
        self.left.lock().is_empty()
    }
}

/// # Errors
/// The server cannot be reached. What it refuses to remove stays there for good.
fn try_to_remove(remote: &dyn Remote, part: &RemotePath, deadline: Deadline) -> Result<()> {
    match remote.remove_file(part, deadline) {
        Err(e) if is_broken(&e) => Err(e),
        Err(e) if !matches!(e.kind, ErrorKind::NotFound | ErrorKind::Denied) => {
            warn!("{part} stays on the server: {e}");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Files that are remembered to be removed.
const MOST_LITTER: usize = 1000;
