//! Files that are fetched before anybody has opened them: whoever does so then takes the reader over as it stands, with
//! what it has and what is on its way.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::plan::Running;
use super::{FileReader, Reading, Stream, fetch};
use crate::remote::Version;
use crate::store::{BlockKey, FileId};
use crate::vfs::node::Ino;

impl Reading {
    /// Fetches all of `version` of `ino`, in this thread, unless somebody has opened it already.
    pub(crate) fn fetch_ahead(self: &Arc<Self>, ino: Ino, version: &Version) {
        // Whoever opens it next is to find out himself that it has changed, and forgets what the kernel has of it.
        if self.nodes.content(ino).is_some_and(|old| !old.is(version)) || self.readers.lock().contains_key(&ino) {
            return;
        }
        let Some((file, _)) = self.nodes.bind(ino, version, || self.blocks.new_file()) else { return };
        let reader = FileReader::new(ino, file, version.clone(), Arc::clone(self));
        {
            let mut readers = self.readers.lock();
            let of_file = readers.entry(ino).or_default();
            if !of_file.all.is_empty() {
                return;
            }
            of_file.all.push(Arc::downgrade(&reader));
            of_file.early = Some(Arc::clone(&reader));
        }
        if !self.is_here(file) {
            reader.fetch_all();
        }
    }

    fn is_here(&self, file: FileId) -> bool {
        self.blocks.has(&BlockKey { file, index: 0 })
    }

    /// Whether `ino` is being fetched, or has been.
    pub(crate) fn has_begun(&self, ino: Ino) -> bool {
        self.readers.lock().contains_key(&ino)
            || self.nodes.content(ino).is_some_and(|content| self.is_here(content.file))
    }

    /// Nobody is expected to open `ino` any more. What has been fetched stays as long as there is room.
    pub(crate) fn drop_ahead(&self, ino: Ino) {
        let early = self.readers.lock().get_mut(&ino).and_then(|of_file| of_file.early.take());
        if let Some(early) = early {
            early.close();
        }
    }

    /// Nobody opens anything any more.
    pub(crate) fn drop_all_ahead(&self) {
        let early: Vec<_> = self.readers.lock().values_mut().filter_map(|of_file| of_file.early.take()).collect();
        early.iter().for_each(|early| early.close());
    }
}

impl FileReader {
    /// Whether it can be used by who wants to read `file`.
    pub(super) fn is_of(&self, file: FileId) -> bool {
        let state = self.state.lock();
        state.file == file && !state.changed && !state.closed
    }

    /// Fetches the whole file, unless somebody needs the connection.
    fn fetch_all(self: &Arc<Self>) {
        let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        {
            let mut state = self.state.lock();
            let until = state.version.size;
            state.streams.push(Stream::new(Running { needed: false, ..Running::new(id, 0..until, false) }));
            self.count(&mut state);
        }
        fetch::run(fetch::End::new(self, id));
    }
}
