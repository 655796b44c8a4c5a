//! From our words to fuser's.

use fuser::{FileAttr, FileType, INodeNo};

use crate::remote::Kind;
use crate::vfs::Attr;

/// Attributes as the kernel takes them.
pub(super) fn file_attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.size.div_ceil(512),
        atime: attr.mtime,
        mtime: attr.mtime,
        ctime: attr.mtime,
        crtime: attr.mtime,
        kind: file_type(&attr.kind),
        perm: attr.mode,
        // For directories 1 tells find(1) that it cannot count subdirectories by it.
        nlink: attr.nlink,
        uid: attr.uid,
        gid: attr.gid,
        rdev: 0,
        blksize: 128 * 1024,
        flags: 0,
    }
}

/// The type bits.
pub(super) fn file_type(kind: &Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Dir => FileType::Directory,
        Kind::Symlink { .. } => FileType::Symlink,
        // FTP carries no devices or FIFOs. A socket is the one kind whose open(2) fails at once and never waits.
        Kind::Other => FileType::Socket,
    }
}
