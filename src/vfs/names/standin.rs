//! Finding the files that stand for symlinks: those of one size are read when they are looked at, once for each version.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use log::debug;
use lru::LruCache;

use super::{is_refusal, minshall};
use crate::base::sync::Ranked;
use crate::base::{Deadline, Recall};
use crate::remote::{self, Kind, Meta, Name, RemotePath, Version};
use crate::vfs::dir::Listing;
use crate::vfs::error::Result;
use crate::vfs::node::Ino;
use crate::vfs::ops::Vfs;

/// What is known of files that may stand for links.
pub(crate) struct StandIns {
    wanted: bool,
    seen: Ranked<LruCache<RemotePath, (Version, Target)>, 36>,
}

/// Where a link leads; None of a file that is none.
type Target = Option<Arc<[u8]>>;

impl StandIns {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, seen: Ranked::new(LruCache::new(MOST_SEEN)) }
    }

    /// Whether files may stand for links on this mount.
    pub(super) fn wanted(&self) -> bool {
        self.wanted
    }

    /// Whether a file of which `meta` is known could be one of them.
    pub(crate) fn may_be_link(&self, meta: &Meta) -> bool {
        self.wanted && meta.kind == Kind::File && meta.size == Some(minshall::SIZE as u64)
    }

    /// What was found at `path` when it was `version`.
    fn found(&self, path: &RemotePath, version: &Version) -> Option<Target> {
        let mut seen = self.seen.lock();
        seen.get(path).filter(|(of, _)| of.agrees(version)).map(|(_, target)| target.clone())
    }

    pub(super) fn keep(&self, path: &RemotePath, version: Version, target: Target) {
        self.seen.lock().put(path.clone(), (version, target));
    }

    /// Another file may be at `path` now.
    pub(super) fn forget(&self, path: &RemotePath) {
        if self.wanted {
            self.seen.lock().pop(path);
        }
    }

    /// What was at `from` is at `to` now, with the same content.
    pub(super) fn rename(&self, from: &RemotePath, to: &RemotePath) {
        if !self.wanted {
            return;
        }
        let mut seen = self.seen.lock();
        seen.pop(to);
        if let Some(found) = seen.pop(from) {
            seen.put(to.clone(), found);
        }
    }
}

impl Vfs {
    /// Reads `name` in the directory `dir`, at `path`, if it may stand for a link; `listing` shows it as one then.
    pub(crate) fn look_into(
        &self,
        dir: Ino,
        path: &RemotePath,
        name: &Name,
        listing: &Listing,
        deadline: Deadline,
    ) -> Result<()> {
        let Some((meta, _)) = listing.meta(name.as_bytes()).filter(|(meta, _)| self.stand_ins.may_be_link(meta)) else {
            return Ok(());
        };
        let target = match self.is_stand_in(path, name, &meta) {
            Some(target) => target,
            None if self.nodes.find(dir, name).is_some_and(|ino| self.writing.writer(ino).is_some()) => None,
            None => {
                let path = path.join(name);
                let target = match self.read_stand_in(&path, deadline) {
                    // Nobody can tell, and nobody could read it as a link.
                    Err(e) if is_refusal(&e) => None,
                    read => read?,
                };
                self.stand_ins.keep(&path, version(&meta), target.clone());
                target
            }
        };
        if let Some(target) = target {
            self.dirs.update(dir, name, move |now| {
                // Only of what was looked at; its time may be more exact than that of the listing.
                let same_time = now.mtime.zip(meta.mtime).is_none_or(|(a, b)| a.may_be(b));
                if now.kind == meta.kind && now.size == meta.size && same_time {
                    now.size = Some(target.len() as u64);
                    now.kind = Kind::Symlink { target: Some(Arc::clone(&target)) };
                }
            });
        }
        Ok(())
    }

    fn is_stand_in(&self, dir: &RemotePath, name: &Name, meta: &Meta) -> Option<Target> {
        self.stand_ins.found(&dir.join(name), &version(meta))
    }

    /// The target that the file holds; None of any other file.
    fn read_stand_in(&self, path: &RemotePath, deadline: Deadline) -> remote::Result<Target> {
        let mut download = self.remote.download(path, 0, &Arc::new(Recall::default()), deadline)?;
        let (mut content, mut len) = ([0; minshall::SIZE + 1], 0);
        while len < content.len() {
            match download.read(&mut content[len..], deadline)? {
                0 => break,
                got => len += got,
            }
        }
        download.finish(deadline)?;
        Ok(minshall::read(&content[..len]).map(Into::into))
    }

    /// Whether some of the entries at `places` may stand for links and have not been looked at.
    pub(crate) fn wants_looks(&self, listing: &Listing, places: Range<usize>) -> bool {
        self.stand_ins.wanted
            && places
                .take_while(|at| *at < listing.len())
                .any(|at| listing.entry(at).is_some_and(|(_, meta, _)| self.stand_ins.may_be_link(&meta)))
    }

    /// Looks into all entries at `places` that may stand for links, several at once.
    pub(crate) fn look_into_all(
        &self,
        dir: Ino,
        path: &RemotePath,
        listing: &Listing,
        places: Range<usize>,
        deadline: Deadline,
    ) -> Result<()> {
        if !self.stand_ins.wanted {
            return Ok(());
        }
        let entries = places.take_while(|at| *at < listing.len()).filter_map(|at| listing.entry(at));
        let names: Vec<Name> =
            entries.filter(|(_, meta, _)| self.stand_ins.may_be_link(meta)).map(|(name, _, _)| name).collect();
        thread::scope(|scope| {
            for share in names.chunks(names.len().div_ceil(AT_ONCE).max(1)) {
                scope.spawn(move || {
                    for name in share {
                        // It is shown as the file that it is, and looked into when somebody asks for it.
                        if let Err(e) = self.look_into(dir, path, name, listing, deadline) {
                            debug!("{}: may be a link, but cannot be read: {e}", path.join(name));
                        }
                    }
                });
            }
        });
        Ok(())
    }
}

fn version(meta: &Meta) -> Version {
    Version { size: meta.size.unwrap_or(0), mtime: meta.mtime, unique: meta.unique.clone() }
}

/// Files that are remembered: links of a large working tree.
const MOST_SEEN: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

/// Files that are read at once when a directory is listed.
const AT_ONCE: usize = 4;
