//! A server whose files are kept on the disk: what this mount changes there is forgotten here.
//!
//! Size and time tell the versions of a file apart when others change it, as far as that goes. What we do ourselves is known,
//! whatever size and time it leaves: `cp -p` and `mv` bring old times to new content. So each request that gives a path
//! other content passes here, and the blocks of that path are gone before it leaves.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Deadline, Recall};
use crate::remote::{
    Abilities, Download, Entry, Listed, Meta, Name, Outcome, Remote, RemotePath, Result, Settings, Stamp, Store,
    Stored, Upload, Version,
};
use crate::store::DiskCache;

pub(super) struct Watched {
    pub(super) remote: Arc<dyn Remote>,
    pub(super) cache: Arc<DiskCache>,
}

impl Remote for Watched {
    fn upload(
        &self,
        path: &RemotePath,
        how: Store,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Box<dyn Upload>> {
        // Nothing is read of it until it is stored.
        self.cache.changed(path);
        self.remote.upload(path, how, recall, deadline)
    }

    fn rename(&self, from: &RemotePath, to: &RemotePath, settings: &Settings, deadline: Deadline) -> Result<Outcome> {
        self.cache.changed(to);
        let done = self.remote.rename(from, to, settings, deadline);
        // Somebody may have begun to read the old one meanwhile.
        self.cache.changed(to);
        done
    }

    fn copy(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        size: u64,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Stored> {
        self.cache.changed(to);
        let done = self.remote.copy(from, to, size, settings, deadline);
        self.cache.changed(to);
        done
    }

    fn remove_file(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.cache.changed(path);
        self.remote.remove_file(path, deadline)
    }

    fn make_link(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<()> {
        self.cache.changed(path);
        self.remote.make_link(path, target, deadline)
    }

    fn stat(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta> {
        self.remote.stat(path, deadline)
    }

    fn version(&self, path: &RemotePath, deadline: Deadline) -> Result<Option<Version>> {
        self.remote.version(path, deadline)
    }

    fn list(
        &self,
        path: &RemotePath,
        deadline: Deadline,
        each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<Listed> {
        self.remote.list(path, deadline, each)
    }

    fn times(&self, dir: &RemotePath, names: &[Name], deadline: Deadline) -> Result<Vec<Option<Stamp>>> {
        self.remote.times(dir, names, deadline)
    }

    fn links(&self, dir: &RemotePath, deadline: Deadline, each: &mut dyn FnMut(Name, &[u8])) -> Result<()> {
        self.remote.links(dir, deadline, each)
    }

    fn download(
        &self,
        path: &RemotePath,
        from: u64,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Box<dyn Download>> {
        self.remote.download(path, from, recall, deadline)
    }

    fn has_spare(&self, begun: usize) -> bool {
        self.remote.has_spare(begun)
    }

    fn delay(&self) -> Option<Duration> {
        self.remote.delay()
    }

    fn can_copy(&self, size: u64) -> Option<bool> {
        self.remote.can_copy(size)
    }

    fn abilities(&self) -> Abilities {
        self.remote.abilities()
    }

    fn remove_dir(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.remote.remove_dir(path, deadline)
    }

    fn make_dir(&self, path: &RemotePath, mode: Option<u16>, deadline: Deadline) -> Result<Outcome> {
        self.remote.make_dir(path, mode, deadline)
    }

    fn set(&self, files: &[(RemotePath, Settings)], deadline: Deadline) -> Result<Vec<Outcome>> {
        self.remote.set(files, deadline)
    }

    fn upkeep(&self) {
        self.remote.upkeep();
    }

    fn shut_down(&self) {
        self.remote.shut_down();
    }
}
