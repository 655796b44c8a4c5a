//! Telling the kernel that what it remembers is no longer true.

use std::sync::Arc;

use super::node::Ino;
use super::workers::Workers;
use crate::base::sync::{self, Ranked};

/// The kernel's caches, as the mount reaches them. Calls may block until the kernel has answered its own requests.
pub trait KernelCache: Send + Sync {
    /// Drop attributes and pages of `ino`. Waits for pages that the kernel has asked for.
    fn invalidate_inode(&self, ino: Ino);

    /// Drop attributes of `ino`; waits for nothing.
    fn invalidate_attributes(&self, ino: Ino);
}

/// Passes messages on to the kernel from a thread of its own: the kernel waits for pages that it has asked us for, so
/// nobody who answers requests may speak to it.
pub(crate) struct Kernel {
    cache: Ranked<Option<Arc<dyn KernelCache>>, 60>,
    notify: Workers,
}

impl Kernel {
    pub(crate) fn new() -> Self {
        Self { cache: Ranked::new(None), notify: Workers::new("notify", 1) }
    }

    pub(crate) fn attach(&self, cache: Arc<dyn KernelCache>) {
        *self.cache.lock() = Some(cache);
    }

    pub(crate) fn detach(&self) {
        let cache = self.cache.lock().take();
        drop(cache);
    }

    /// The file has grown: the kernel asks for its size again before it believes in an end of the file.
    ///
    /// This has happened before it returns, so that bytes which are handed out afterwards are not cut off at the old size.
    pub(crate) fn forget_size(&self, ino: Ino) {
        sync::assert_unlocked();
        let cache = self.cache.lock().clone();
        if let Some(cache) = cache {
            cache.invalidate_attributes(ino);
        }
    }

    /// Pages and attributes of `ino` are out of date.
    pub(crate) fn forget_content(&self, ino: Ino) {
        let cache = self.cache.lock().clone();
        if let Some(cache) = cache {
            self.notify.run(move || cache.invalidate_inode(ino));
        }
    }
}
