//! A server whose files are kept on the disk: what this mount changes there is forgotten here.
//!
//! Size and time tell the versions of a file apart when others change it, as far as that goes. What we do ourselves is known,
//! whatever size and time it leaves: `cp -p` and `mv` bring old times to new content, and `touch -d` to what somebody else
//! has written. So each request that gives a path other content or another time passes here, and the blocks of that path
//! are gone before it leaves. They go once more after it: somebody may have begun to read the old ones meanwhile.

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

impl Watched {
    /// Makes a change of `path`.
    fn around<T>(&self, path: &RemotePath, change: impl FnOnce() -> Result<T>) -> Result<T> {
        self.cache.changed(path);
        let done = change();
        self.cache.changed(path);
        done
    }
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
        let upload = self.remote.upload(path, how, recall, deadline)?;
        Ok(Box::new(WatchedUpload { upload, path: path.clone(), cache: Arc::clone(&self.cache) }))
    }

    fn rename(&self, from: &RemotePath, to: &RemotePath, settings: &Settings, deadline: Deadline) -> Result<Outcome> {
        self.around(to, || self.remote.rename(from, to, settings, deadline))
    }

    fn copy(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        size: u64,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Stored> {
        self.around(to, || self.remote.copy(from, to, size, settings, deadline))
    }

    fn remove_file(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.around(path, || self.remote.remove_file(path, deadline))
    }

    fn make_link(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<()> {
        self.around(path, || self.remote.make_link(path, target, deadline))
    }

    fn set(&self, files: &[(RemotePath, Settings)], deadline: Deadline) -> Result<Vec<Outcome>> {
        let timed = || files.iter().filter(|(_, settings)| settings.mtime.is_some());
        timed().for_each(|(path, _)| self.cache.changed(path));
        let done = self.remote.set(files, deadline);
        timed().for_each(|(path, _)| self.cache.changed(path));
        done
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

    fn spare(&self) -> usize {
        self.remote.spare()
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

    fn upkeep(&self) {
        self.remote.upkeep();
    }

    fn shut_down(&self) {
        self.remote.shut_down();
    }
}

/// Content on its way to a file of which older content may be here.
struct WatchedUpload {
    upload: Box<dyn Upload>,
    path: RemotePath,
    cache: Arc<DiskCache>,
}

impl Upload for WatchedUpload {
    fn finish(self: Box<Self>, settings: &Settings, deadline: Deadline) -> Result<Stored> {
        let done = self.upload.finish(settings, deadline);
        self.cache.changed(&self.path);
        done
    }

    fn abandon(self: Box<Self>, deadline: Deadline) {
        self.upload.abandon(deadline);
        self.cache.changed(&self.path);
    }

    fn accepted(&mut self, deadline: Deadline) -> Result<()> {
        self.upload.accepted(deadline)
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<()> {
        self.upload.write(bytes, deadline)
    }

    fn may_leave_settings(&mut self) {
        self.upload.may_leave_settings();
    }
}
