//! What the readers of all files share: memory, threads, and who reads what.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::disk::Disk;
use super::line::Line;
use super::plan::{LATE, Terms};
use super::{Answer, FileReader, LARGE_ANSWER, MOST_AHEAD, MOST_FETCHES, REPLIERS};
use crate::base::sync::Ranked;
use crate::remote::{Remote, Version};
use crate::store::{BLOCK, Blocks, FileId};
use crate::vfs::dir::DirCache;
use crate::vfs::keeper::Keeper;
use crate::vfs::kernel::Kernel;
use crate::vfs::node::{Content, Ino, NodeTable};
use crate::vfs::workers::Workers;

/// What all readers share.
pub(crate) struct Reading {
    pub(crate) remote: Arc<dyn Remote>,
    pub(crate) nodes: Arc<NodeTable>,
    pub(crate) dirs: Arc<DirCache>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) blocks: Blocks,
    pub(crate) disk: Option<Disk>,
    pub(super) fetchers: Workers,
    /// For answers whose copying would keep a fetch thread from its socket.
    pub(super) repliers: Workers,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) timeout: Duration,
    /// Readers that have streams.
    pub(super) sharing: AtomicUsize,
    pub(super) ids: AtomicU64,
    pub(super) line: Line,
    pub(super) readers: Ranked<HashMap<Ino, Readers>, 33>,
}

/// The readers of one file.
#[derive(Default)]
pub(super) struct Readers {
    /// All of them.
    pub(super) all: Vec<Weak<FileReader>>,
    /// The one that has begun before anybody opened the file.
    pub(super) early: Option<Arc<FileReader>>,
}

impl Reading {
    pub(crate) fn new(
        remote: Arc<dyn Remote>,
        nodes: Arc<NodeTable>,
        dirs: Arc<DirCache>,
        kernel: Arc<Kernel>,
        blocks: Blocks,
        keeper: Arc<Keeper>,
        timeout: Duration,
    ) -> Self {
        let (fetchers, repliers) = (Workers::new("fetch", MOST_FETCHES), Workers::new("reply", REPLIERS));
        let (ids, readers) = (AtomicU64::new(1), Ranked::default());
        let (disk, line) = (None, Line::default());
        Self {
            readers,
            remote,
            nodes,
            dirs,
            kernel,
            blocks,
            disk,
            fetchers,
            repliers,
            keeper,
            timeout,
            sharing: AtomicUsize::new(0),
            ids,
            line,
        }
    }

    pub(crate) fn with_disk(self, disk: Option<Disk>) -> Self {
        Self { disk, ..self }
    }

    /// A reader of `version`, which is what `ino` is for now; None where the inode is not known any more.
    pub(crate) fn open(self: &Arc<Self>, ino: Ino, version: &Version) -> Option<(Arc<FileReader>, bool)> {
        let old = self.nodes.content(ino);
        let (file, same) = self.nodes.bind(ino, version, || self.blocks.new_file())?;
        self.forget_blocks(old.filter(|old| old.file != file));
        Some((self.add(ino, file, version), same))
    }

    /// A reader for a handle: the one that has begun already, or a new one.
    fn add(self: &Arc<Self>, ino: Ino, file: FileId, version: &Version) -> Arc<FileReader> {
        self.nodes.opened(ino);
        let new = FileReader::new(ino, file, version.clone(), Arc::clone(self));
        let early = {
            let mut readers = self.readers.lock();
            let of_file = readers.entry(ino).or_default();
            of_file.all.push(Arc::downgrade(&new));
            of_file.early.take()
        };
        let reader = match early {
            Some(early) if early.is_of(file) => {
                self.remove(&new);
                early
            }
            unfit => {
                unfit.into_iter().for_each(|early| early.close());
                new
            }
        };
        reader.counted.store(true, Ordering::Relaxed);
        reader
    }

    /// Ends the transfers of `ino` that nobody waits for, whoever has it open: servers that lock files store nothing in it as
    /// long as one of them goes on.
    pub(crate) fn rest(&self, ino: Ino) {
        let all = |of_file: &Readers| of_file.all.iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        let readers = self.readers.lock().get(&ino).map(all).unwrap_or_default();
        readers.iter().for_each(|reader| reader.rest());
    }

    /// A reader of `version`, which this mount has just made of `ino`; other readers of it are to go on with that.
    pub(crate) fn reopen(self: &Arc<Self>, ino: Ino, version: &Version) -> Arc<FileReader> {
        let (old, file) = (self.nodes.content(ino), self.blocks.new_file());
        self.nodes.replace(ino, version, file);
        self.forget_blocks(old);
        self.add(ino, file, version)
    }

    pub(super) fn remove(&self, reader: &FileReader) {
        let mut readers = self.readers.lock();
        if let Some(of_file) = readers.get_mut(&reader.ino) {
            of_file.all.retain(|kept| !std::ptr::eq(kept.as_ptr(), reader));
            if of_file.all.is_empty() {
                readers.remove(&reader.ino);
            }
        }
    }

    pub(super) fn forget_blocks(&self, old: Option<Content>) {
        if let Some(old) = old {
            self.blocks.forget(old.file, old.version.size.div_ceil(BLOCK));
        }
    }

    /// What a reader may fetch on `lanes` streams; it is one of `more` readers beside those that have some already. All
    /// together stay within the memory.
    pub(super) fn terms(&self, lanes: usize, more: usize) -> Terms {
        let most = self.part(more);
        // With several streams there is room for what is kept behind the reader, and for what each of them has in hand.
        let several = (most / 8 * 7).saturating_sub(LATE).max(most / 2);
        let window = if lanes > 1 { several } else { (most / 2).min(MOST_AHEAD) }.max(2 * BLOCK);
        // The disk keeps whole blocks.
        Terms {
            window,
            exact: self.disk.is_none() && self.line.is_far(),
            lanes,
            reach: 0,
            narrow: self.line.is_narrow(),
            present: None,
        }
    }

    /// One reader's part of the memory, with `more` readers beside those that have one already. What fills the line for one
    /// fills it for many.
    fn part(&self, more: usize) -> u64 {
        let (limit, readers) = (self.blocks.limit() as u64, self.sharing.load(Ordering::Relaxed) + more);
        if readers > 1 { limit / 8 * 5 / readers as u64 } else { limit }
    }

    /// What is kept behind a sequential reader.
    pub(super) fn tail(&self) -> u64 {
        (self.part(0) / 4).min(LATE)
    }

    /// The bytes that may be here ahead of a reader with several streams.
    pub(super) fn share(&self) -> u64 {
        self.terms(2, 0).window
    }

    /// Answers. Large answers go to threads of their own, so that receiving and answering overlap.
    pub(super) fn give(&self, answers: Vec<Answer>) {
        for (reply, data) in answers {
            if data.as_ref().is_ok_and(|data| data.len() >= LARGE_ANSWER) {
                self.repliers.run(move || reply(data));
            } else {
                reply(data);
            }
        }
    }
}
