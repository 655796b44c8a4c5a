//! The directory of the blocks: 256 directories below it, so that none grows too large. No link is ever followed there.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, mkdirat, open, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::store::private;
use crate::store::spool::random_name;

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

/// A file of a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    /// When it was used last, in seconds.
    pub(super) used: i64,
    /// It has no name of its own yet.
    pub(super) unfinished: bool,
}

impl Folder {
    /// Takes `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// `PermissionDenied` where others can write to it or own it; what the system says where it cannot be made.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { root: private::subdir(&private::take(dir)?, BLOCKS)? })
    }

    /// A block that is there.
    pub(super) fn read(&self, name: &str) -> io::Result<File> {
        // A FIFO must not make anybody wait.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(self.shard(shard_of(name))?, name, flags, Mode::empty())?.into())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let found = self.shard(shard_of(name)).and_then(|dir| Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?));
        found.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Has `write` fill a file, which is called `name` once it is complete.
    pub(super) fn store(&self, name: &str, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let dir = match self.shard(shard_of(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_shard(shard_of(name))?;
                self.shard(shard_of(name))?
            }
            opened => opened?,
        };
        finish_as(&dir, name, write)
    }

    /// Removes a block, or a link that has its name.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(self.shard(shard_of(name))?, name, AtFlags::empty())?)
    }

    /// Removes what begins with `prefix`.
    pub(super) fn remove_all(&self, prefix: &str) -> io::Result<()> {
        let dir = match self.shard(shard_of(prefix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let mut first = Ok(());
        for name in names(&dir)? {
            if name.starts_with(prefix)
                && let Err(error) = unlinkat(&dir, &name, AtFlags::empty())
                && error != Errno::NOENT
            {
                first = first.and(Err(error.into()));
            }
        }
        first
    }

    /// Shows all files to `keep`, and removes those that it does not want.
    ///
    /// # Errors
    /// The first one; it goes on all the same.
    pub(super) fn sift(&self, mut keep: impl FnMut(Entry) -> bool) -> io::Result<()> {
        let mut first = Ok(());
        for number in 0..SHARDS {
            match self.sift_shard(&format!("{number:02x}"), &mut keep) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => first = first.and(Err(error)),
                _ => {}
            }
        }
        first
    }

    fn sift_shard(&self, shard: &str, keep: &mut impl FnMut(Entry) -> bool) -> io::Result<()> {
        let dir = self.shard(shard)?;
        for name in names(&dir)? {
            // Another mount may have removed it.
            let Ok(stat) = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let bytes = charge(u64::try_from(stat.st_size).unwrap_or(0));
            let entry = Entry { bytes, used: stat.st_mtime, unfinished: name.starts_with(UNFINISHED) };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory && !keep(entry) {
                let _ = unlinkat(&dir, &name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// The text of a file beside the shards; empty where there is none.
    pub(super) fn text(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut text = Vec::new();
        match openat(self.root()?, name, flags, Mode::empty()) {
            Ok(file) => File::from(file).read_to_end(&mut text)?,
            Err(Errno::NOENT) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(text)
    }

    /// Adds `line` to such a file; returns when it is on the disk.
    pub(super) fn append(&self, name: &str, line: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(self.root()?, name, flags | OFlags::NONBLOCK, OWN_FILE)?);
        file.write_all(line)?;
        file.sync_data()
    }

    /// Has `text` be all that is in such a file.
    pub(super) fn replace(&self, name: &str, text: &[u8]) -> io::Result<()> {
        finish_as(&self.root()?, name, |mut file| {
            file.write_all(text)?;
            file.sync_data()
        })
    }

    /// Opened anew each time, too. A directory that somebody else has put in its place counts as none.
    fn root(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = open(&self.root, flags, Mode::empty())?;
        let stat = fstat(&root)?;
        if private::is_private(stat.st_uid, stat.st_mode) { Ok(root) } else { Err(Errno::NOENT.into()) }
    }

    /// Opened anew each time: whoever clears a cache away while it is in use finds it made again.
    fn shard(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(self.root()?, name, flags, Mode::empty())?)
    }

    fn make_shard(&self, name: &str) -> io::Result<()> {
        private::make_private(&self.root, true)?;
        private::check_private(&self.root)?;
        match mkdirat(self.root()?, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Has `write` fill a file, which is called `name` in `dir` once it is complete.
fn finish_as(dir: &OwnedFd, name: &str, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let unfinished = format!("{UNFINISHED}{}", random_name()?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(dir, &unfinished, flags, OWN_FILE)?);
    let done = write(&file).and_then(|()| Ok(renameat(dir, &unfinished, dir, name)?));
    if done.is_err() {
        let _ = unlinkat(dir, &unfinished, AtFlags::empty());
    }
    done
}

/// The names in a directory that are ours.
fn names(dir: &OwnedFd) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)? {
        // What is no text is none of ours, nor are . and ..
        if let Ok(name) = entry?.file_name().to_str()
            && !name.trim_start_matches('.').is_empty()
        {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

fn shard_of(name: &str) -> &str {
    &name[..2]
}

/// What a file of `len` bytes costs on the disk: whole pages, and an empty one still has an inode.
pub(super) fn charge(len: u64) -> u64 {
    len.max(1).next_multiple_of(PAGE)
}

/// The directory in the one that the user names; another format will have another name.
const BLOCKS: &str = "blocks-1";
/// How files begin that are being written.
const UNFINISHED: &str = ".new-";
/// Directories of blocks: one for each first byte of a name.
const SHARDS: u32 = 256;
const OWN_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const PAGE: u64 = 4096;
