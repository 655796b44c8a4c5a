//! Directories that are ours alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::base::sys;

/// Makes the directory `path` (0700) where it is missing, and what leads to it if `parents`.
pub(super) fn make_private(path: &Path, parents: bool) -> io::Result<()> {
    match DirBuilder::new().recursive(parents).mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Complains of a `path` that is a link, no directory, somebody else's, or open to others' writing.
pub(super) fn check_private(path: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    let refuse = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} {why}", path.display())));
    match meta {
        _ if !meta.is_dir() => {
            Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no directory", path.display())))
        }
        _ if meta.uid() != sys::caller().0 => refuse("belongs to somebody else"),
        _ if meta.mode() & OTHERS_WRITE != 0 => refuse("can be written to by others"),
        _ => Ok(()),
    }
}

/// Whether a directory of `uid` with `mode` is ours alone to write to.
pub(super) fn is_private(uid: u32, mode: u32) -> bool {
    uid == sys::caller().0 && mode & OTHERS_WRITE == 0
}

/// Takes the directory `dir`, which is made where it is missing; tells its path without links. They are followed once and
/// for all: whoever may change one later gets nothing of it.
pub(super) fn take(dir: &Path) -> io::Result<PathBuf> {
    make_private(dir, true)?;
    let path = fs::canonicalize(dir)?;
    check_private(&path)?;
    Ok(path)
}

/// A directory for us alone in one that is.
pub(super) fn subdir(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let path = dir.join(name);
    make_private(&path, false)?;
    check_private(&path)?;
    Ok(path)
}

/// The bits of a mode by which others may write.
const OTHERS_WRITE: u32 = 0o022;
