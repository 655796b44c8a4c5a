//! How the played server takes what is written: one switch for each difference that a client may notice.
//!
//! `Personality::pure().writing(|it| it.append = Append::Refused)` changes one of them; what the server cannot do
//! vanishes from its FEAT too.

use super::personality::{Dialect, Personality};
use super::tree;

/// The switches of a server that can be written to.
#[derive(Clone, Debug)]
pub struct Writing {
    /// MFMT is known.
    pub mfmt: bool,
    /// `MDTM YYYYMMDDhhmmss path`.
    pub mdtm: SetMdtm,
    /// Any SITE command is known.
    pub site: bool,
    /// SITE CHMOD is known.
    pub chmod: bool,
    /// `SITE UTIME YYYYMMDDhhmm[ss] path` is known.
    pub utime_short: bool,
    /// `SITE UTIME path atime mtime ctime UTC` is known.
    pub utime_long: bool,
    /// SITE SYMLINK.
    pub symlink: Symlink,
    /// SITE CPFR, SITE CPTO, SITE COPY.
    pub copies: Copies,
    /// APPE.
    pub append: Append,
    /// REST before STOR.
    pub restart: Restart,
    /// When STOR empties a file that exists.
    pub truncates: Truncates,
    /// STOR onto a file that exists; otherwise 550.
    pub overwrites: bool,
    /// RNTO.
    pub renames: Renames,
    /// Below these directories nothing can be written (the root is `""`).
    pub read_only: Vec<String>,
    /// Names that are refused, whole or as `prefix*`.
    pub refused_names: Vec<String>,
    /// The size of the disk; `None`: endless.
    pub disk: Option<Disk>,
    /// ALLO.
    pub allo: Allo,
    /// Uploads exclude other transfers of the same file, which wait without a reply (vsftpd).
    pub locks: bool,
    /// What new files and directories lack of 0666 and 0777.
    pub umask: u32,
    /// The receive buffer of data connections, so that a stalled upload stalls the client soon; the kernel doubles it.
    pub receive_buffer: Option<usize>,
}

/// The writing form of MDTM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMdtm {
    /// The time is taken for a part of the name (all but vsftpd).
    Unknown,
    /// In UTC.
    Utc,
    /// In the zone in which MDTM tells it, [`Personality::mdtm_zone`] (vsftpd).
    AsRead,
    /// In a zone so many seconds east of UTC, whatever MDTM tells.
    Zone(i64),
}

/// SITE SYMLINK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symlink {
    /// Unknown.
    Unknown,
    /// The target is kept as it is.
    AsGiven,
    /// The target is made absolute (ProFTPD).
    Absolute,
}

/// What copies files on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// Nothing.
    Unknown,
    /// SITE CPFR and SITE CPTO, and SITE COPY as well (ProFTPD with mod_copy).
    InTwo,
    /// SITE COPY alone.
    InOne,
}

/// APPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Append {
    /// Appends.
    Works,
    /// Of a file that exists: `451 f: Append/Restart not permitted, try again` (ProFTPD by default).
    Refused,
    /// Unknown: 500.
    Unknown,
    /// Writes over the file from its beginning, and says 226.
    FromStart,
    /// Appends twice, and says 226.
    Twice,
}

/// REST before STOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// What lies behind the written bytes stays. An offset beyond the end leaves a gap of zeros, or is answered 554
    /// where [`Personality::rest_refused_beyond_end`] says so.
    KeepsTail,
    /// The file ends behind the written bytes; an offset beyond the end is the end (Pure-FTPd).
    Truncates,
    /// `451 f: Append/Restart not permitted, try again` (ProFTPD by default).
    Refused,
    /// The offset is forgotten: the file holds the bytes sent alone, and 226 is said.
    Ignored,
}

/// When STOR empties a file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncates {
    /// With the command, before there is a data connection.
    AtCommand,
    /// When the first bytes have come, or the end (Pure-FTPd).
    AtFirstBlock,
}

/// RNTO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renames {
    /// Replaces as `rename(2)` does.
    Replace,
    /// Refused where the new name exists (Windows, ProFTPD without AllowOverwrite).
    OntoNothing,
    /// Refused always.
    Never,
}

/// ALLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allo {
    /// `202`.
    Ignored,
    /// `200`, or `552 Disk full - please upload later` where [`Writing::disk`] has no room (Pure-FTPd).
    Checked,
    /// `552` always.
    Full,
}

/// A disk that is not endless.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What the files may hold together, in bytes.
    pub capacity: u64,
    /// When an upload hears of it.
    pub tells: Tells,
    /// What it hears.
    pub words: FullWords,
    /// The file that did not fit is removed (Pure-FTPd with a quota).
    pub removes_partial: bool,
}

/// When an upload hears that the disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// In the middle: the data connection is closed (reset, where bytes have come that nobody reads).
    AtOnce,
    /// When the client has sent everything, which is thrown away.
    AtEnd,
}

/// What an upload hears when the disk is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FullWords {
    /// The words of the dialect: 451, 452 or 426.
    Dialect,
    /// This reply; LF separates lines.
    Said(String),
    /// No reply at all (pyftpdlib with small files).
    Silence,
}

impl Disk {
    /// A disk that holds so much, and says at once in the words of the dialect when it is full.
    #[must_use]
    pub fn of(capacity: u64) -> Self {
        Self { capacity, tells: Tells::AtOnce, words: FullWords::Dialect, removes_partial: false }
    }

    /// With another time to tell.
    #[must_use]
    pub fn telling(self, tells: Tells) -> Self {
        Self { tells, ..self }
    }

    /// With these words.
    #[must_use]
    pub fn saying(self, words: &str) -> Self {
        Self { words: FullWords::Said(words.to_owned()), ..self }
    }

    /// Without a final reply.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { words: FullWords::Silence, ..self }
    }

    /// A quota: 552.
    #[must_use]
    pub fn quota(self) -> Self {
        self.saying("552 Transfer aborted. Disk quota exceeded")
    }
}

impl Writing {
    /// What the measured servers do, with those options that let a user write.
    #[must_use]
    pub fn of(dialect: Dialect) -> Self {
        let base = Self {
            mfmt: false,
            mdtm: SetMdtm::Unknown,
            site: true,
            chmod: true,
            utime_short: false,
            utime_long: false,
            symlink: Symlink::Unknown,
            copies: Copies::Unknown,
            append: Append::Works,
            restart: Restart::KeepsTail,
            truncates: Truncates::AtCommand,
            overwrites: true,
            renames: Renames::Replace,
            read_only: Vec::new(),
            refused_names: Vec::new(),
            disk: None,
            allo: Allo::Ignored,
            locks: false,
            umask: 0o022,
            receive_buffer: None,
        };
        match dialect {
            Dialect::Vsftpd => Self { mdtm: SetMdtm::AsRead, locks: true, umask: 0o077, ..base },
            Dialect::Proftpd => {
                Self { mfmt: true, utime_short: true, utime_long: true, symlink: Symlink::Absolute, ..base }
            }
            Dialect::Pureftpd => Self {
                mfmt: true,
                utime_short: true,
                utime_long: true,
                restart: Restart::Truncates,
                truncates: Truncates::AtFirstBlock,
                allo: Allo::Checked,
                ..base
            },
            Dialect::Pyftpdlib => Self { mfmt: true, ..base },
            Dialect::Iis => Self { site: false, chmod: false, renames: Renames::OntoNothing, ..base },
            Dialect::Ancient => Self { umask: 0o027, ..base },
        }
    }

    /// Whether a name is refused.
    pub(super) fn refuses(&self, name: &[u8]) -> bool {
        self.refused_names.iter().any(|refused| match refused.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix.as_bytes()),
            None => name == refused.as_bytes(),
        })
    }

    /// Whether a path lies in a directory that cannot be written.
    pub(super) fn is_read_only(&self, path: &[u8]) -> bool {
        self.read_only.iter().any(|dir| tree::is_below(path, dir.trim_matches('/').as_bytes()))
    }
}

impl Personality {
    /// Changes switches of [`Writing`]; a server that is read-only becomes one that can be written to.
    #[must_use]
    pub fn writing(mut self, change: impl FnOnce(&mut Writing)) -> Self {
        change(self.writing.get_or_insert_with(|| Writing::of(self.dialect)));
        self
    }

    /// Refuses everything that would change something: `550 Permission denied.`
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { writing: None, ..self }
    }

    /// Whether a line of FEAT is true.
    pub(super) fn has(&self, line: &str) -> bool {
        let writes = |can: fn(&Writing) -> bool| self.writing.as_ref().is_some_and(can);
        match line.split(' ').next() {
            Some("SIZE") => self.size,
            Some("MDTM") => self.mdtm,
            Some("MLST" | "MLSD") => self.mlsx.is_some(),
            Some("MFMT") => writes(|it| it.mfmt),
            Some("SITE") if line.ends_with(" UTIME") => writes(|it| it.site && (it.utime_short || it.utime_long)),
            Some("SITE") if line.ends_with(" SYMLINK") => writes(|it| it.site && it.symlink != Symlink::Unknown),
            _ => true,
        }
    }

    /// With a disk of this kind.
    #[must_use]
    pub fn with_disk(self, disk: Disk) -> Self {
        self.writing(|it| it.disk = Some(disk))
    }
}
