//! Attributes of files as programs see them.

use std::time::{Duration, SystemTime};

use super::node::Ino;
use crate::config::Files;
use crate::remote::{Kind, Meta, Stamp};

/// What `stat(2)` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Inode number.
    pub ino: Ino,
    /// File, directory, link or other; a link's target is not looked at here.
    pub kind: Kind,
    /// Bytes; 0 where the server does not say.
    pub size: u64,
    /// Last modification; the epoch where the server does not say.
    pub mtime: SystemTime,
    /// Permission bits, 0 to 0o7777.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names: 1, as FTP knows no other number, or 0 for a file that was removed and is still open.
    pub nlink: u32,
}

/// How files are to look.
#[derive(Clone, Debug)]
pub struct Look {
    uid: u32,
    gid: u32,
    file_mask: Option<u16>,
    dir_mask: Option<u16>,
}

impl From<&Files> for Look {
    fn from(files: &Files) -> Self {
        let Files { uid, gid, file_mask, dir_mask, .. } = *files;
        Self { uid, gid, file_mask, dir_mask }
    }
}

impl Look {
    /// Whether everything is shown to belong to this user and this group already.
    pub(crate) fn is_owned_by(&self, uid: Option<u32>, gid: Option<u32>) -> bool {
        uid.is_none_or(|uid| uid == self.uid) && gid.is_none_or(|gid| gid == self.gid)
    }

    /// Whether a file of which `meta` is known would be shown with `mode` if the server had it.
    pub(crate) fn can_show(&self, meta: &Meta, mode: u16) -> bool {
        // Set-id bits are never shown of a file, and that is no reason to refuse them.
        self.attr(Ino::ROOT, &Meta { mode: Some(mode), ..meta.clone() }).mode & !SET_ID == mode & !SET_ID
    }

    /// The attributes of `ino`.
    pub(crate) fn attr(&self, ino: Ino, meta: &Meta) -> Attr {
        let mode = match (&meta.kind, self.file_mask, self.dir_mask) {
            (Kind::Symlink { .. }, _, _) => 0o777,
            // As libfuse does it: a mask replaces what the server says.
            (Kind::Dir, _, Some(mask)) | (Kind::File | Kind::Other, Some(mask), _) => 0o777 & !mask,
            (Kind::Dir, _, None) => meta.mode.unwrap_or(0o755),
            // Never set-user-id: the file would run as the owner shown here, who is nobody on the server, and root's
            // mount(8) passes `suid` without being asked (mount.fuse3).
            (Kind::File | Kind::Other, None, _) => meta.mode.unwrap_or(0o644) & !SET_ID,
        };
        let size = match (&meta.kind, meta.size) {
            (Kind::Symlink { target: Some(target) }, None) => target.len() as u64,
            (_, size) => size.unwrap_or(0),
        };
        let mtime = meta.mtime.map_or(SystemTime::UNIX_EPOCH, system_time);
        Attr { ino, kind: meta.kind.clone(), size, mtime, mode, uid: self.uid, gid: self.gid, nlink: 1 }
    }
}

/// Times beyond what the system's clock can show are the epoch.
fn system_time(stamp: Stamp) -> SystemTime {
    let whole = Duration::from_secs(stamp.secs.unsigned_abs());
    let base = if stamp.secs < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    base.and_then(|t| t.checked_add(Duration::from_nanos(stamp.nanos.into()))).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Set-user-id and set-group-id.
pub(super) const SET_ID: u16 = 0o6000;

/// What `statfs(2)` shows: FTP has no word for it (RFC 959), so these are constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes of a block.
    pub block: u32,
    /// Blocks in all, all of them free: 1 PiB.
    pub blocks: u64,
    /// Inodes in all, all of them free.
    pub files: u64,
    /// Longest name in bytes.
    pub name: u32,
}

impl Space {
    /// The constants.
    pub const UNKNOWN: Self = Self { block: 4096, blocks: 1 << 38, files: 1 << 32, name: 255 };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(kind: Kind) -> Meta {
        Meta { kind, size: Some(5), mtime: Some(Stamp::exact(-1)), mode: Some(0o4751), unique: None }
    }

    #[test]
    fn the_servers_mode_counts_unless_there_is_a_mask() {
        let plain = Look { uid: 1, gid: 2, file_mask: None, dir_mask: None };
        // A set-user-id file of the server's would run as the owner shown here: as root, where root mounts.
        assert_eq!(plain.attr(Ino(7), &meta(Kind::File)).mode, 0o751);
        let masked = Look { file_mask: Some(0o133), dir_mask: Some(0o022), ..plain };
        assert_eq!(masked.attr(Ino(7), &meta(Kind::File)).mode, 0o644);
        assert_eq!(masked.attr(Ino(7), &meta(Kind::Dir)).mode, 0o755);
        assert_eq!(masked.attr(Ino(7), &meta(Kind::Symlink { target: None })).mode, 0o777);
    }

    #[test]
    fn times_before_the_epoch_and_beyond_the_clock_are_shown_without_panic() {
        let before = system_time(Stamp::exact(-1));
        assert_eq!(SystemTime::UNIX_EPOCH.duration_since(before).expect("before"), Duration::from_secs(1));
        for secs in [i64::MIN, i64::MAX] {
            system_time(Stamp::exact(secs));
        }
    }
}
