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
    /// Fetches all of `version` of `ino`, in this thread.
    pub(crate) fn fetch_ahead(self: &Arc<Self>, ino: Ino, version: &Version) {
        let old = self.nodes.content(ino);
        let Some((file, _)) = self.nodes.bind(ino, version, || self.blocks.new_file()) else { return };
        self.forget_blocks(old.filter(|old| old.file != file));
        let reader = FileReader::new(ino, file, version.clone(), Arc::clone(self));
        self.register(&reader);
        let old = self.early.lock().insert(ino, Arc::clone(&reader));
        if let Some(old) = old {
            old.close();
        }
        reader.fetch_all();
    }

    /// Whether `ino` is being fetched, or has been.
    pub(crate) fn has_begun(&self, ino: Ino) -> bool {
        let here = |file| self.blocks.get(&BlockKey { file, index: 0 }).is_some();
        self.early.lock().contains_key(&ino) || self.nodes.content(ino).is_some_and(|content| here(content.file))
    }

    /// Nobody is expected to open `ino` any more. What has been fetched stays as long as there is room.
    pub(crate) fn drop_ahead(&self, ino: Ino) {
        let early = self.early.lock().remove(&ino);
        if let Some(early) = early {
            early.close();
        }
    }

    /// Nobody opens anything any more.
    pub(crate) fn drop_all_ahead(&self) {
        let early = std::mem::take(&mut *self.early.lock());
        early.into_values().for_each(|early| early.close());
    }

    /// The reader that fetches `file` already, for somebody who opens it.
    pub(super) fn take_over(&self, ino: Ino, file: FileId) -> Option<Arc<FileReader>> {
        let early = self.early.lock().remove(&ino)?;
        let fits = {
            let state = early.state.lock();
            state.file == file && !state.changed && !state.closed
        };
        if !fits {
            early.close();
            return None;
        }
        self.nodes.opened(ino);
        early.counted.store(true, Ordering::Relaxed);
        Some(early)
    }
}

impl FileReader {
    /// Fetches the whole file, unless somebody needs the connection.
    fn fetch_all(self: &Arc<Self>) {
        let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        {
            let mut state = self.state.lock();
            let until = state.version.size;
            state.streams.push(Stream::new(Running { id, at: 0, until, begun: false, needed: false }));
        }
        self.shared.streams.fetch_add(1, Ordering::Relaxed);
        fetch::run(self, id);
    }
}
