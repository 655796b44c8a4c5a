//! Spool files: the local copy of what is being written.
//!
//! A [`Spool`] is a private file without a name that vanishes with the process; only [`Spool::save_as`] (write-back) and
//! [`Spool::keep`] (an upload that failed for good) give it one. All spools of a [`SpoolDir`] share one limit. Holes cost
//! nothing: each spool keeps an account of the pages that it has, charged before a write and given back if that fails.
//!
//! Below the directory: `lost/` holds what was kept for the user, `tmp/` spools on filesystems that have no unnamed files,
//! and the journal has a directory of its own. No name on the server ever becomes part of a path here.

mod dir;
mod pages;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::sync::Ranked;
use crate::base::{RangeSet, sys};

pub use dir::SpoolDir;
pub(super) use dir::{random_name, sync_names};
use pages::{Claim, Pages, touched, within};

/// A local file with some of the content of a remote one.
///
/// All methods may be called from many threads at once. Bytes are then as of any file: the last write wins.
#[derive(Debug)]
pub struct Spool {
    file: File,
    dir: Arc<SpoolDir>,
    pages: Ranked<Pages, 53>,
    place: Ranked<Place, 52>,
}

/// Where a spool can be found by name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Nowhere: it ends with the last descriptor.
    Unnamed,
    /// In `tmp/`, until it is dropped.
    Temporary(PathBuf),
    /// In a journal's directory. It goes on counting against the limit after this is dropped.
    Saved(PathBuf),
    /// In `lost/`: the user's now.
    Kept(PathBuf),
}

impl Spool {
    /// Opens a spool that [`save_as`](Spool::save_as) has left at `path`. What is there counts, whatever the limit.
    ///
    /// # Errors
    /// Those of open(2); `InvalidInput` where it is no regular file.
    pub fn open(dir: &Arc<SpoolDir>, path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a spool must be a regular file"));
        }
        let pages = Pages::of(data_pages(&file)?);
        dir.unpark(path, pages.charged());
        Ok(Self::with(dir, file, pages, Place::Saved(path.to_owned())))
    }

    fn with(dir: &Arc<SpoolDir>, file: File, pages: Pages, place: Place) -> Self {
        Self { file, dir: Arc::clone(dir), pages: Ranked::new(pages), place: Ranked::new(place) }
    }

    /// Writes all of `bytes` at `at`.
    ///
    /// # Errors
    /// `StorageFull` where the limit or the disk does not allow it; the bytes up to some point may have been written then.
    pub fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = at.checked_add(bytes.len() as u64).filter(|&end| i64::try_from(end).is_ok());
        let end = end.ok_or(io::ErrorKind::FileTooLarge)?;
        let claim = self.charge(touched(&(at..end)))?;
        let (written, result) = write_all(&self.file, at, bytes);
        let unused = self.pages.lock().end_write(claim, touched(&(at..at + written)));
        self.dir.give_back(unused);
        result.map_err(full)
    }

    fn charge(&self, range: Range<u64>) -> io::Result<Claim> {
        let mut pages = self.pages.lock();
        self.dir.take(pages.cost(&range))?;
        Ok(pages.begin_write(range))
    }

    /// Fills all of `buf` with what is at `at`: zeros in holes and behind the end.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn read_at(&self, mut at: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() && i64::try_from(at).is_ok() {
            match self.file.read_at(buf, at) {
                Ok(0) => break,
                Ok(n) => {
                    at = at.saturating_add(n as u64);
                    buf = &mut buf[n..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buf.fill(0);
        Ok(())
    }

    /// Makes it `len` bytes long: what lies behind is freed, what is new is a hole.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    pub fn truncate(&self, len: u64) -> io::Result<()> {
        let freed = touched(&(0..len)).end..u64::MAX;
        self.free(freed, || self.file.set_len(len).map(|()| true))
    }

    /// Frees the pages of `range`; what is read there afterwards is undefined until it is written again. Does nothing on
    /// filesystems that cannot.
    ///
    /// # Errors
    /// Those of fallocate(2).
    pub fn punch(&self, range: Range<u64>) -> io::Result<()> {
        // Whole pages only: the rest of a page at either end would cost a write of zeros and give nothing back.
        let range = within(&range);
        if range.is_empty() {
            return Ok(());
        }
        self.free(range.clone(), || match sys::punch_hole(self.file.as_fd(), range) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
            done => done.map(|()| true),
        })
    }

    /// Runs `call`, which frees the pages `range` if it says true.
    fn free(&self, range: Range<u64>, call: impl FnOnce() -> io::Result<bool>) -> io::Result<()> {
        self.pages.lock().begin_free();
        let result = call();
        let freed = if matches!(result, Ok(true)) { range } else { 0..0 };
        let bytes = self.pages.lock().end_free(&freed);
        self.dir.give_back(bytes);
        result.map(drop)
    }

    /// Waits until the content is on the disk, with what is needed to find it (`fdatasync(2)`).
    ///
    /// # Errors
    /// `StorageFull` where the disk has turned out to be full only now.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(full)
    }

    /// Bytes that it has on the disk, in whole pages.
    pub fn allocated(&self) -> u64 {
        self.pages.lock().charged()
    }

    /// Leaves it for the user in `lost/`, with a text beside it that says what it was; tells where. It no longer counts
    /// against the limit once it is dropped.
    ///
    /// # Errors
    /// Those of linkat(2) and rename(2). A text that cannot be written is no error.
    pub fn keep(&self, hint: &str) -> io::Result<PathBuf> {
        if let Place::Kept(path) = &*self.place.lock() {
            return Ok(path.clone());
        }
        let path = self.dir.lost_name()?;
        self.name(&path, Place::Kept(path.clone()))?;
        // Neither may fail the rest: the file is there.
        let _ = self.file.sync_data();
        self.dir.explain(&path, hint);
        Ok(path)
    }

    /// Gives it the name `path`, which must be on the same filesystem and still free, for good: dropping it no longer
    /// removes it. When this returns the name is on the disk; the content is only after [`sync`](Spool::sync).
    ///
    /// # Errors
    /// `AlreadyExists`, and others of linkat(2) and rename(2).
    pub fn save_as(&self, path: &Path) -> io::Result<()> {
        self.name(path, Place::Saved(path.to_owned()))
    }

    /// Takes [`save_as`](Spool::save_as) back: it goes when it is dropped. It keeps its name until then, because a file
    /// without one cannot be given one twice.
    pub(super) fn unsave(&self) {
        let mut place = self.place.lock();
        if let Place::Saved(path) = &*place {
            *place = Place::Temporary(path.clone());
        }
    }

    fn name(&self, path: &Path, new: Place) -> io::Result<()> {
        let mut place = self.place.lock();
        match &*place {
            Place::Unnamed => sys::link_open_file(self.file.as_fd(), path)?,
            Place::Temporary(old) | Place::Saved(old) | Place::Kept(old) => {
                dir::rename_to_new(old, path)?;
                if let Some(parent) = old.parent().filter(|p| Some(*p) != path.parent()) {
                    sync_names(parent)?;
                }
            }
        }
        *place = new;
        sync_names(path.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let charged = self.pages.lock().charged();
        match &*self.place.lock() {
            Place::Unnamed | Place::Kept(_) => self.dir.give_back(charged),
            Place::Temporary(path) => {
                let _ = std::fs::remove_file(path);
                self.dir.give_back(charged);
            }
            Place::Saved(path) => self.dir.park(path, &self.file, charged),
        }
    }
}

/// As pwrite(2) until all is written; tells how much was.
fn write_all(file: &File, at: u64, bytes: &[u8]) -> (u64, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], at + done as u64) {
            Ok(0) => return (done as u64, Err(io::ErrorKind::WriteZero.into())),
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done as u64, Err(error)),
        }
    }
    (done as u64, Ok(()))
}

/// A user's quota is as full as a disk.
fn full(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::QuotaExceeded => io::Error::new(io::ErrorKind::StorageFull, error),
        _ => error,
    }
}

/// The pages of `file` that are no holes.
fn data_pages(file: &File) -> io::Result<RangeSet> {
    let mut pages = RangeSet::new();
    let mut at = 0;
    while let Some(data) = sys::next_data(file.as_fd(), at)? {
        at = data.end;
        pages.insert(touched(&data));
    }
    Ok(pages)
}
