//! copy_file_range(2): whole files are copied by the server; everything else is refused, and the kernel reads and writes.
//!
//! That is what a program does that copies a file: the new one is made or emptied, and then filled from the first byte to
//! the last. A part of a file, or a file into one that has something in it, no server can copy.
//!
//! A refusal says `EOPNOTSUPP`: the kernel goes on by itself, with this call alone. Programs never hear of it.

use std::sync::Arc;

use log::debug;

use super::error::{Error, Fault, Result};
use super::handle::{Fh, OpenFile};
use super::ops::Vfs;
use super::read::FileReader;
use super::write::{FileWriter, Original};
use crate::base::Deadline;
use crate::remote::{ErrorKind, RemotePath, Version};

/// A copy that is worth asking the server for.
struct Job {
    original: Original,
    from: RemotePath,
    content: Content,
    writer: Arc<FileWriter>,
    /// As much as this call is answered with.
    shown: u64,
}

/// What is to be copied must still be on the server.
enum Content {
    /// What this one reads.
    Read(Arc<FileReader>),
    /// What this mount has stored, and somebody may write to.
    Stored(Version),
}

/// What can be said without the server.
enum Now {
    Shown(u64),
    Ask(Box<Job>),
}

impl Vfs {
    /// Copies up to `len` bytes from one file to the other, each by its handle and from its offset on; `reply` is told how
    /// many.
    pub fn copy(
        self: &Arc<Self>,
        from: (Fh, u64),
        to: (Fh, u64),
        len: u64,
        reply: impl FnOnce(Result<u32>) + Send + 'static,
    ) {
        let told = |shown: u64| u32::try_from(shown).map_err(|_| Error::from(ErrorKind::TooLarge));
        match self.copy_now(from, to, len.min(MOST_TOLD)) {
            Ok(Now::Shown(shown)) => reply(told(shown)),
            Ok(Now::Ask(job)) => {
                let vfs = Arc::clone(self);
                self.copiers.run(move || {
                    let shown = job.shown;
                    reply(vfs.copy_there(*job).and_then(|()| told(shown)));
                });
            }
            Err(e) => reply(Err(e)),
        }
    }

    fn copy_now(&self, (from, at): (Fh, u64), (to, to_at): (Fh, u64), len: u64) -> Result<Now> {
        let (source, target) = (self.handles.file(from)?, self.handles.file(to)?);
        let Some(writer) = &target.writer else { return Err(Fault::BadHandle.into()) };
        if source.ino == target.ino || at != to_at || target.appends {
            return Err(ErrorKind::Unsupported.into());
        }
        let (content, size) = self.content_of(&source)?;
        let original = Original { ino: source.ino, epoch: self.nodes.epoch(source.ino), size };
        if at > 0 {
            let shown = writer.show_more(&original, at, len).ok_or(ErrorKind::Unsupported)?;
            return Ok(Now::Shown(shown));
        }
        let is_whole = size > 0 && len >= size.min(WHOLE_FROM);
        if !is_whole || self.remote.can_copy(size) == Some(false) || !writer.may_be_copy() {
            return Err(ErrorKind::Unsupported.into());
        }
        if size <= SMALL && matches!(&content, Content::Read(reader) if reader.is_here()) {
            return Err(ErrorKind::Unsupported.into());
        }
        let from = self.path(source.ino)?;
        Ok(Now::Ask(Box::new(Job { original, from, content, writer: Arc::clone(writer), shown: len.min(size) })))
    }

    /// What the server has of `file`, if that is what programs see.
    fn content_of(&self, file: &OpenFile) -> Result<(Content, u64)> {
        if let Some(writer) = self.writing.writer(file.ino) {
            let version = writer.stored_version().ok_or(ErrorKind::Unsupported)?;
            let size = version.size;
            return Ok((Content::Stored(version), size));
        }
        let reader = file.reader(&self.reading)?;
        let size = reader.size();
        Ok((Content::Read(reader), size))
    }

    fn copy_there(&self, job: Job) -> Result<()> {
        let Job { original, from, content, writer, shown } = job;
        // Its upload of nothing ends while the other file is looked at.
        writer.make_way();
        let same = |now: &Version| match &content {
            Content::Read(reader) => reader.reads(now),
            Content::Stored(version) => version.agrees(now),
        };
        let is_same = || {
            let now = self.remote.version(&from, Deadline::after(self.timeout));
            now.is_ok_and(|now| now.as_ref().is_some_and(same))
        };
        if !is_same() {
            return Err(ErrorKind::Unsupported.into());
        }
        self.settings.content_changed(writer.ino());
        writer.copy(original, &from, shown, &is_same).map_err(|e| match e.fault {
            // To send it all would end alike.
            Fault::Remote(ErrorKind::NoSpace | ErrorKind::Quota | ErrorKind::TooLarge | ErrorKind::ReadOnly) => e,
            _ => {
                debug!("{from} is not copied by the server: {e}");
                Error { fault: Fault::Remote(ErrorKind::Unsupported), ..e }
            }
        })
    }
}

/// As much as every kernel takes for an answer: `MAX_RW_COUNT` with pages of 64 KiB.
const MOST_TOLD: u64 = 0x7fff_0000;

/// Who asks for so much of a larger file means all of it: kernels cut a request to 2 or 4 GiB, and some programs ask for 1 GiB
/// at a time. Who does not gets what was asked for all the same, at the price of having it stored from here.
const WHOLE_FROM: u64 = 1 << 30;

/// A file of this size that is in memory is sent with the one round trip that ends its upload. The server's copy takes
/// four: the end of the empty upload, the copy, its size, and a last look at what was copied.
const SMALL: u64 = 128 << 10;
