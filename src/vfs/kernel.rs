//! Telling the kernel that what it remembers is no longer true.

use std::sync::Arc;

use super::node::Ino;
use super::workers::Workers;
use crate::base::sync::Ranked;

/// The kernel's caches, as the mount reaches them. Calls may block until the kernel has answered its own requests.
pub trait KernelCache: Send + Sync {
    /// Drop attributes and pages of `ino`.
    fn invalidate_inode(&self, ino: Ino);
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

    /// Pages and attributes of `ino` are out of date.
    pub(crate) fn forget_content(&self, ino: Ino) {
        let cache = self.cache.lock().clone();
        if let Some(cache) = cache {
            self.notify.run(move || cache.invalidate_inode(ino));
        }
    }
}
