//! Blocks of file content on the disk of this machine, for later mounts.
//!
//! Each block is a file of its own, so that one is stored, found, checked and removed without any other, and several
//! mounts share a directory without a lock. Its name is made of hashes of the server, the path, the version of the file
//! and the number of the block; its head holds a checksum of all of that and of the content, and is checked whenever the
//! block is used. A file that is torn, rotten or not ours is removed and counts as missing.
//!
//! A cache owes nobody anything: whatever goes wrong here, the reader asks the server.

mod block;
mod changes;
mod folder;
mod key;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use log::{Level, debug, log, warn};

use self::block::Found;
use self::changes::Changes;
use self::folder::{Folder, charge};
pub use self::key::KeptFile;
use super::spool::random_name;
use crate::base::sync::Ranked;
use crate::remote::{RemotePath, Version};

/// The blocks of one server's files in a directory that other mounts may use, too.
#[derive(Debug)]
pub struct DiskCache {
    folder: Folder,
    limit: u64,
    /// What tells the server from others.
    server: Vec<u8>,
    /// Bytes in the directory at the last look, and what was added since.
    used: AtomicU64,
    changes: Ranked<Changes, 51>,
    rest: Ranked<Rest, 51>,
    /// A warning has been given.
    told: AtomicBool,
    /// A bad block has been found.
    found_bad: AtomicBool,
    /// One could not be removed: it would be found again and again.
    useless: AtomicBool,
}

/// When to do what is not done each time.
#[derive(Debug, Default)]
struct Rest {
    looked: Option<Instant>,
    failed: Option<Instant>,
}

impl DiskCache {
    /// Takes `dir`, which is made (0700) where it is missing, for blocks of at most `limit` bytes in all; those of the
    /// files of `server` are looked for.
    ///
    /// # Errors
    /// `PermissionDenied` where others can write to it or own it; what the system says where it cannot be made.
    pub fn open(dir: &Path, limit: u64, server: &[u8]) -> io::Result<Self> {
        let folder = Folder::open(dir)?;
        let changes = Ranked::new(Changes::load(&folder, server)?);
        Ok(Self {
            folder,
            limit,
            server: server.to_vec(),
            used: AtomicU64::new(0),
            changes,
            rest: Ranked::default(),
            told: AtomicBool::new(false),
            found_bad: AtomicBool::new(false),
            useless: AtomicBool::new(false),
        })
    }

    /// What the blocks of `version` at `path` are found by; None where the version does not say enough to be known again.
    pub fn file(&self, path: &RemotePath, version: &Version) -> Option<KeptFile> {
        let changes = self.changes.lock();
        KeptFile::new(path, version, changes.place(&self.server, path), changes.now())
    }

    /// Reads block `index` of `file`, as long as `into` is; false where it is not here. Then `into` may hold anything.
    pub fn get(&self, file: &KeptFile, index: u64, into: &mut [u8]) -> bool {
        if self.useless.load(Ordering::Relaxed) {
            return false;
        }
        let name = file.block(index);
        let found = match self.folder.read(&name) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return false,
            Err(error) => {
                if error.raw_os_error() == Some(libc::ELOOP) {
                    self.remove(&name);
                }
                self.complain("read", &error);
                return false;
            }
        };
        match block::read(&found, &name, into) {
            Ok(Found::Good) => {
                touch(&found);
                true
            }
            bad => {
                self.remove(&name);
                let level = if self.found_bad.swap(true, Ordering::Relaxed) { Level::Debug } else { Level::Info };
                log!(level, "{}: block {index} in the disk cache is damaged ({bad:?}): fetched again", file.path());
                false
            }
        }
    }

    /// Removes what is no good.
    fn remove(&self, name: &str) {
        if let Err(error) = self.folder.remove(name)
            && error.kind() != io::ErrorKind::NotFound
        {
            self.useless.store(true, Ordering::Relaxed);
            self.complain("remove from", &error);
        }
    }

    /// Whether there is a block `index` of `file`, good or bad.
    pub fn has(&self, file: &KeptFile, index: u64) -> bool {
        !self.useless.load(Ordering::Relaxed) && self.folder.has(&file.block(index))
    }

    /// Keeps `data` as block `index` of `file`, as far as the disk and the limit allow. May take long.
    pub fn put(&self, file: &KeptFile, index: u64, data: &[u8]) {
        let name = file.block(index);
        if !self.is_current(file) || self.is_resting() || self.folder.has(&name) {
            return;
        }
        let bytes = charge((block::HEAD + data.len()) as u64);
        if !self.has_room(bytes) {
            return;
        }
        match self.folder.store(&name, |file| block::write(file, &name, data)) {
            // What has changed meanwhile may have missed it.
            Ok(()) if !self.is_current(file) => self.remove(&name),
            Ok(()) => drop(self.used.fetch_add(bytes, Ordering::Relaxed)),
            Err(error) => {
                self.rest.lock().failed = Some(Instant::now());
                self.complain("write", &error);
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                    // Others need that disk, too.
                    let used = self.used.load(Ordering::Relaxed);
                    self.shrink_to(used - used / ROOM);
                }
            }
        }
    }

    /// This mount is about to change the content of the file `path`, or has just done so: nothing of it is used any more.
    pub fn changed(&self, path: &RemotePath) {
        let place = {
            let mut changes = self.changes.lock();
            changes.note(path);
            changes.place(&self.server, path)
        };
        if let Err(error) = self.folder.remove_all(&place) {
            self.complain("remove from", &error);
        }
    }

    /// This mount is about to give another directory the name `dir`: nothing is used of what was below it.
    pub fn moved(&self, dir: &RemotePath) {
        let token = random_name().unwrap_or_else(|_| format!("{:?}", SystemTime::now()).replace(' ', ""));
        let full = self.changes.lock().is_full();
        let kept = if full {
            let kept = changes::forget_all(&self.folder, &self.server, &token);
            self.changes.lock().all_moved(token);
            kept
        } else {
            let kept = changes::remember(&self.folder, &self.server, &token, dir);
            self.changes.lock().moved(token, dir);
            kept
        };
        if let Err(error) = kept {
            self.complain("write", &error);
            // Later mounts will not know: they must not find anything.
            let _ = self.folder.sift(|_| false);
        }
    }

    /// Counts what all mounts have here, and makes room where it is too much. Takes long where there is much.
    pub fn look(&self) {
        self.shrink_to(self.limit);
        self.rest.lock().looked = Some(Instant::now());
    }

    fn has_room(&self, bytes: u64) -> bool {
        let fits = || self.used.load(Ordering::Relaxed) + bytes <= self.limit;
        let old = self.rest.lock().looked.is_none_or(|at| at.elapsed() > LOOK);
        if old {
            self.look();
        }
        if !fits() {
            self.shrink_to(self.limit - self.limit / ROOM);
        }
        fits()
    }

    /// Removes what was not used for longest until no more than `most` bytes are left.
    fn shrink_to(&self, most: u64) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let (mut total, mut ages) = (0, BTreeMap::<i64, u64>::new());
        let counted = self.folder.sift(|entry| {
            let keep = !entry.unfinished || now.abs_diff(entry.used.unsigned_abs()) < UNFINISHED_FOR;
            if keep {
                total += entry.bytes;
                *ages.entry(entry.used).or_default() += entry.bytes;
            }
            keep
        });
        let mut removed = Ok(());
        if total > most {
            let mut left = total;
            let old = |(_, bytes): &(&i64, &u64)| {
                left -= **bytes;
                left <= most
            };
            // Never by a list of all files, which may be millions: those used before this second go, and as many of it as
            // it takes.
            let last = ages.iter().find(old).map_or(i64::MAX, |(time, _)| *time);
            let full = total;
            removed = self.folder.sift(|entry| {
                // What another mount is writing has only just been made.
                let keep = entry.used > last || total <= most || entry.unfinished;
                total -= if keep { 0 } else { entry.bytes };
                keep
            });
            debug!("disk cache: {} of {full} bytes removed", full - total);
        }
        self.used.store(total, Ordering::Relaxed);
        if let Err(error) = counted.and(removed) {
            self.complain("look through", &error);
        }
    }

    /// Whether this mount has not changed the file since `file` was asked for.
    fn is_current(&self, file: &KeptFile) -> bool {
        !self.changes.lock().is_later(file.path(), file.seen)
    }

    /// Whether the disk has failed not long ago.
    fn is_resting(&self) -> bool {
        self.rest.lock().failed.is_some_and(|at| at.elapsed() < PAUSE)
    }

    fn complain(&self, what: &str, error: &io::Error) {
        if self.told.swap(true, Ordering::Relaxed) {
            debug!("cannot {what} the disk cache: {error}");
        } else {
            warn!("cannot {what} the disk cache: {error}; going on without what is missing there");
        }
    }
}

/// Takes note that the block is used, if that was not done a short time ago.
fn touch(file: &File) {
    let now = SystemTime::now();
    let old = file.metadata().and_then(|meta| meta.modified()).ok();
    // One in the future has come with a wrong clock.
    let fresh = old.and_then(|old| now.duration_since(old).ok()).is_some_and(|age| age < TOUCHED);
    if !fresh {
        let _ = file.set_modified(now);
    }
}

/// The share of the limit that is made free when it is reached: one in so many.
const ROOM: u64 = 8;
/// How long what other mounts have added goes unseen.
const LOOK: Duration = Duration::from_secs(600);
/// How long nothing is stored after the disk has failed.
const PAUSE: Duration = Duration::from_secs(60);
/// How exact the time of the last use is.
const TOUCHED: Duration = Duration::from_secs(60);
/// Seconds after which nobody writes to a file any more that has no name of its own.
const UNFINISHED_FOR: u64 = 3600;
