//! Questions that a refusal leaves open, and what the answers mean.
//!
//! A question is a value: whoever asked the server takes one look where [`Question::look`] points, says what was
//! [`Found`], and [`Question::settle`] knows the kind. No server is asked here.

use super::Verdict;
use super::verbs::MDTM_SET;
use crate::remote::{ErrorKind, RemotePath};

/// What to look at, and what to make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where to look.
    pub look: Look,
    deed: Deed,
    /// What it is if the look explains nothing.
    otherwise: ErrorKind,
}

/// Where an answer can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// For the path in its parent's listing, which the caches want anyway.
    Parent,
    /// In the directory itself, for an entry: it cannot be removed while there is one.
    Inside,
    /// For the new path of a rename as [`Look::Parent`], and for a directory there as [`Look::Inside`]. Then
    /// [`Question::settle_rename`] knows.
    Target,
    /// Whether the disk is full: `ALLO` with the number of bytes is refused with 552 by servers that know.
    Space,
}

/// What a look has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The complete listing of the parent has no such name.
    Absent,
    /// The listing of the parent lacks names, and this is one of them.
    Unlisted,
    /// A file.
    File,
    /// A directory, empty or not known to have anything in it.
    Dir,
    /// A directory with something in it.
    FullDir,
    /// A symbolic link.
    Link,
    /// A device, socket or FIFO.
    Other,
    /// There is no parent.
    ParentAbsent,
    /// The parent is a file.
    ParentNotDir,
    /// The server says that the disk is full.
    Full,
    /// Nothing could be seen.
    Unknown,
}

impl Question {
    pub(super) fn space(otherwise: ErrorKind) -> Self {
        Self { look: Look::Space, deed: Deed::Write, otherwise }
    }

    /// What was meant, now that somebody has looked.
    pub fn settle(self, found: Found) -> ErrorKind {
        use Deed::{Enter, Facts, From, Make, Mode, Read, Remove, Stamp, Time, Unlink, Write};
        match (found, self.deed) {
            (Found::Full, _) => ErrorKind::NoSpace,
            (Found::ParentAbsent, _) => ErrorKind::NotFound,
            (Found::ParentNotDir, _) => ErrorKind::NotDir,
            (Found::Absent, Read | Enter | Facts | Unlink | Remove | From | Time | Stamp | Mode) => ErrorKind::NotFound,
            // A listing that lacks names proves nothing by itself; but whoever may list the parent may ask for the facts
            // of any name in it, so that only a missing one is refused.
            (Found::Unlisted, Facts) => ErrorKind::NotFound,
            (Found::Dir | Found::FullDir, Read | Write | Unlink) => ErrorKind::IsDir,
            // pyftpdlib's MFMT and vsftpd's MDTM set the times of files only.
            (Found::Dir | Found::FullDir, Time | Stamp) => ErrorKind::Unsupported,
            (Found::File | Found::Other, Enter) => ErrorKind::NotDir,
            (Found::File | Found::Other | Found::Link, Remove) => ErrorKind::NotDir,
            (Found::FullDir, Remove) => ErrorKind::NotEmpty,
            (Found::File | Found::Dir | Found::FullDir | Found::Link | Found::Other, Make) => ErrorKind::Exists,
            // ProFTPD's "not a regular file" of a name that is free is a link that leads nowhere.
            (Found::File | Found::Other, Write) if self.otherwise == ErrorKind::Loop => ErrorKind::Denied,
            _ => self.otherwise,
        }
    }

    /// As [`settle`](Self::settle) for `RNTO`: `source` at `from` was to become `to`, where `target` was found.
    pub fn settle_rename(self, from: &RemotePath, source: Found, to: &RemotePath, target: Found) -> ErrorKind {
        let moved_dir = match source {
            Found::Dir | Found::FullDir => Some(true),
            Found::File | Found::Link | Found::Other => Some(false),
            _ => None,
        };
        let below = to.as_bytes().strip_prefix(from.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"));
        match (target, moved_dir) {
            (Found::ParentAbsent, _) => ErrorKind::NotFound,
            (Found::ParentNotDir, _) => ErrorKind::NotDir,
            (_, Some(true)) if below => ErrorKind::Invalid,
            (Found::Dir | Found::FullDir, Some(false)) => ErrorKind::IsDir,
            (Found::FullDir, Some(true)) => ErrorKind::NotEmpty,
            (Found::File | Found::Link | Found::Other, Some(true)) => ErrorKind::NotDir,
            // ProFTPD copies what goes to another filesystem, and says this where it meets a directory.
            (_, Some(true)) if self.otherwise == ErrorKind::IsDir => ErrorKind::CrossDevice,
            _ if self.otherwise == ErrorKind::IsDir && !matches!(target, Found::Dir | Found::FullDir) => {
                ErrorKind::Denied
            }
            _ => self.otherwise,
        }
    }
}

/// What a verb does to the path it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// It names none.
    Nothing,
    Read,
    Enter,
    Facts,
    Write,
    Make,
    Unlink,
    Remove,
    From,
    To,
    Time,
    /// Sets a time by `MDTM`, which most servers take for the beginning of a name.
    Stamp,
    Mode,
}

impl Deed {
    pub(super) fn of(verb: &str) -> Self {
        match verb {
            "RETR" | "SIZE" | "MDTM" | "SITE CPFR" => Self::Read,
            "CWD" | "MLSD" | "LIST" | "NLST" => Self::Enter,
            "MLST" => Self::Facts,
            "STOR" | "APPE" | "SITE CPTO" | "SITE COPY" => Self::Write,
            "MKD" => Self::Make,
            "DELE" => Self::Unlink,
            "RMD" => Self::Remove,
            "RNFR" => Self::From,
            "RNTO" => Self::To,
            "MFMT" | "MFF" | "SITE UTIME" => Self::Time,
            MDTM_SET => Self::Stamp,
            "SITE" | "SITE CHMOD" => Self::Mode,
            _ => Self::Nothing,
        }
    }

    /// Whether the server is another one afterwards.
    pub(super) fn changes(self) -> bool {
        match self {
            Self::Nothing | Self::Read | Self::Enter | Self::Facts | Self::From => false,
            Self::Write
            | Self::Make
            | Self::Unlink
            | Self::Remove
            | Self::To
            | Self::Time
            | Self::Stamp
            | Self::Mode => true,
        }
    }

    /// The question that a refusal without useful words leaves.
    pub(super) fn ask(self) -> Verdict {
        self.ask_or(if self == Self::Stamp { ErrorKind::Unsupported } else { ErrorKind::Denied })
    }

    /// What it means that the words of a refusal say `kind`.
    pub(super) fn judge(self, kind: ErrorKind) -> Verdict {
        use ErrorKind::{Exists, Invalid, IsDir, NotEmpty, NotFound, NotPermitted};
        let sure = match (kind, self) {
            // It may be the name that begins with the time.
            (NotFound, Self::Stamp) => return self.ask(),
            (Exists, Self::Write) => ErrorKind::Denied,
            // POSIX lets rmdir(2) call it either name.
            (Exists, Self::Remove) => NotEmpty,
            (Exists, Self::Make | Self::To | Self::Nothing) => Exists,
            (NotEmpty, Self::Remove | Self::To | Self::Nothing) => NotEmpty,
            // unlink(2) of a directory is EPERM by POSIX; ProFTPD says it of a file that was to replace a directory.
            (NotPermitted, Self::Unlink | Self::To) => return self.ask_or(kind),
            // Pure-FTPd's DELE of a directory is EINVAL.
            (Invalid, Self::To | Self::Time | Self::Mode | Self::Nothing) => Invalid,
            (IsDir, Self::Read | Self::Write | Self::Unlink | Self::Time | Self::Nothing) => IsDir,
            // Of a rename it may be the name in the way, or what could not be copied.
            (IsDir, Self::To) => return self.ask_or(IsDir),
            // No such thing can come of such a verb.
            (Exists | NotEmpty | Invalid | IsDir, _) => return self.ask(),
            (kind, _) => kind,
        };
        Verdict::Sure(sure)
    }

    /// As [`ask`](Self::ask), with what it is if the look explains nothing.
    pub(super) fn ask_or(self, otherwise: ErrorKind) -> Verdict {
        let look = match self {
            Self::Remove => Look::Inside,
            Self::To => Look::Target,
            _ => Look::Parent,
        };
        Verdict::Ask(Question { look, deed: self, otherwise })
    }
}
