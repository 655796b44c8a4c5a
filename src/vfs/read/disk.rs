//! The disk cache as readers use it: looked at by fetch threads, filled behind their backs.

use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use log::debug;

use crate::base::sync::{Ranked, assert_unlocked};
use crate::base::{Clock, Deadline, Gate};
use crate::config;
use crate::remote::{RemotePath, Version};
use crate::store::{Block, DiskCache, KeptFile};
use crate::vfs::workers::Workers;

/// The disk cache and the thread that fills it.
pub(crate) struct Disk {
    cache: Arc<DiskCache>,
    clock: Arc<dyn Clock>,
    writer: Workers,
    queue: Arc<Queue>,
}

/// What is still to be done by the thread.
#[derive(Default)]
struct Queue {
    length: AtomicUsize,
    gate: Gate,
    /// For how long fetch threads have waited for room since then.
    waited: Ranked<(Option<Instant>, Duration), 60>,
}

impl Disk {
    /// # Errors
    /// If the directory cannot be used.
    pub(crate) fn open(config: &config::DiskCache, clock: &Arc<dyn Clock>) -> Result<Self> {
        let cache = DiskCache::open(&config.dir, config.limit, config.server.as_bytes());
        let cache = cache.map_err(|e| Error::new(e.kind(), format!("disk cache {}: {e}", config.dir.display())))?;
        let cache = Arc::new(cache);
        // One thread: what comes later finds done what came before.
        let (writer, queue) = (Workers::new("cache", 1), Arc::default());
        let disk = Self { cache, clock: Arc::clone(clock), writer, queue };
        disk.enqueue(DiskCache::look);
        Ok(disk)
    }

    pub(crate) fn cache(&self) -> &Arc<DiskCache> {
        &self.cache
    }

    /// What the blocks of `version` at `path` are found by, where they may be kept.
    pub(super) fn file(&self, path: &RemotePath, version: &Version) -> Option<Arc<KeptFile>> {
        // A file that has no name any more has one of ours, which nobody looks for another day.
        let hidden = path.split().is_some_and(|(_, name)| name.as_bytes().starts_with(b".ftpfs-"));
        if hidden { None } else { self.cache.file(path, version).map(Arc::new) }
    }

    /// Whether what the server is about to send, of which it has just said that it is `found`, may be kept as `file`.
    pub(super) fn may_keep(&self, file: &KeptFile, found: Option<&Version>) -> bool {
        found.is_some_and(|found| file.is_safe(found, self.clock.wall()))
    }

    /// Reads block `index` of `file` into all of `into`, if it is here.
    pub(super) fn read(&self, file: &KeptFile, index: u64, into: &mut [u8]) -> bool {
        assert_unlocked();
        self.cache.get(file, index, into)
    }

    /// Whether block `index` of `file` seems to be here.
    pub(super) fn has(&self, file: &KeptFile, index: u64) -> bool {
        self.cache.has(file, index)
    }

    /// Forgets what is here of the file, all versions of it, behind what is still to be kept.
    pub(super) fn forget(&self, file: &Arc<KeptFile>) {
        let file = Arc::clone(file);
        self.enqueue(move |cache| cache.changed(file.path()));
    }

    /// Keeps `block`, unless the disk is too slow for what comes in.
    pub(super) fn keep(&self, file: &Arc<KeptFile>, index: u64, block: &Block) {
        if !self.queue.has_room() {
            debug!("block {index} is not kept: the disk is slower than the server");
            return;
        }
        let (file, block) = (Arc::clone(file), Arc::clone(block));
        self.enqueue(move |cache| cache.put(&file, index, &block));
    }

    fn enqueue(&self, job: impl FnOnce(&DiskCache) + Send + 'static) {
        let cache = Arc::clone(&self.cache);
        let counted = Counted::new(&self.queue);
        self.writer.run(move || {
            job(&cache);
            drop(counted);
        });
    }

    /// Waits a little until everything is on the disk.
    pub(crate) fn finish(&self) {
        let until = Deadline::after(LAST_WAIT);
        loop {
            let seen = self.queue.gate.ticket();
            if self.queue.length.load(Ordering::Relaxed) == 0 || !self.queue.gate.wait(seen, until) {
                break;
            }
        }
        self.writer.shut_down();
    }
}

impl Queue {
    /// Whether one more may wait for the disk. A server that is faster than the disk for a moment is held up, so that files
    /// come to the disk whole; but only for a part of each second, and then blocks are passed over.
    fn has_room(&self) -> bool {
        assert_unlocked();
        loop {
            let seen = self.gate.ticket();
            if self.length.load(Ordering::Relaxed) < MOST_QUEUED {
                return true;
            }
            let patience = self.patience();
            if patience.is_zero() {
                return false;
            }
            let begun = Instant::now();
            self.gate.wait(seen, Deadline::after(patience));
            self.waited.lock().1 += begun.elapsed();
        }
    }

    fn patience(&self) -> Duration {
        let mut waited = self.waited.lock();
        if waited.0.is_none_or(|since| since.elapsed() > PERIOD) {
            *waited = (Some(Instant::now()), Duration::ZERO);
        }
        PATIENCE.saturating_sub(waited.1)
    }
}

/// Counts a job until it is done, or dropped.
struct Counted(Arc<Queue>);

impl Counted {
    fn new(queue: &Arc<Queue>) -> Self {
        queue.length.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(queue))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.length.fetch_sub(1, Ordering::Relaxed);
        self.0.gate.open();
    }
}

/// Blocks that may wait for the disk: 8 MiB beside the limit of memory.
const MOST_QUEUED: usize = 64;

/// For how long fetch threads wait for room, in all and in each period.
const PATIENCE: Duration = Duration::from_millis(200);
const PERIOD: Duration = Duration::from_secs(1);

/// How long the end of a mount waits for them.
const LAST_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_stands_still_is_passed_over_and_one_that_goes_on_is_not() {
        let queue = Arc::<Queue>::default();
        let mut waiting: Vec<_> = (0..MOST_QUEUED).map(|_| Counted::new(&queue)).collect();
        assert!(!queue.has_room());
        assert!(queue.waited.lock().1 >= PATIENCE, "and who comes next does not wait");
        waiting.pop();
        assert!(queue.has_room());
        waiting.push(Counted::new(&queue));
        // Nobody has waited yet, as far as it knows.
        *queue.waited.lock() = (Some(Instant::now()), Duration::ZERO);
        let done = std::thread::spawn(move || drop(waiting));
        while !queue.has_room() {}
        done.join().expect("it only drops");
    }
}
