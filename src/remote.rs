//! The contract between the filesystem and a server: paths, names, what a file is, what can be asked, what can fail.
//!
//! The `vfs` storey calls it, the `ftp` storey implements it. Values that exist are well-formed: a [`Name`] is
//! one component, a [`RemotePath`] is absolute and normalised, and neither holds a byte that would end a command line.

mod change;
mod error;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

pub use change::{Abilities, Applied, Outcome, Settings, Store, Stored, Upload, temporary_name};
pub(crate) use error::QUEUEING;
pub use error::{Error, ErrorKind, Result, Retry};

use crate::base::{Deadline, Recall};

/// One path component as the server spells it: not empty, not `.` or `..`, without `/`, NUL, CR and LF.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// Takes `bytes` if they can be a file's name on the wire (RFC 959 lines end at CR LF; RFC 3659 2.2).
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bad = bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') || breaks_line(bytes);
        (!bad).then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

impl std::borrow::Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// An absolute path on the server: begins with `/`, no empty, `.` or `..` component, no `/` at the end except the root.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemotePath(Arc<[u8]>);

impl RemotePath {
    /// The root directory `/`.
    pub fn root() -> Self {
        Self(b"/"[..].into())
    }

    /// Normalises an absolute path (RFC 3986 5.2.4 for `.` and `..`).
    ///
    /// None where `bytes` do not begin with `/` or hold NUL, CR or LF.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.first() != Some(&b'/') || breaks_line(bytes) {
            return None;
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in bytes.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let mut path = Vec::with_capacity(bytes.len());
        for part in parts {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        Some(if path.is_empty() { Self::root() } else { Self(path.into()) })
    }

    /// The path of `name` in this directory.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        let mut path = Vec::with_capacity(self.0.len() + 1 + name.0.len());
        if !self.is_root() {
            path.extend_from_slice(&self.0);
        }
        path.push(b'/');
        path.extend_from_slice(&name.0);
        Self(path.into())
    }

    /// Directory and last component; None for the root.
    pub fn split(&self) -> Option<(Self, Name)> {
        let at = self.0.iter().rposition(|&b| b == b'/')?;
        let name = Name::new(&self.0[at + 1..])?;
        Some((if at == 0 { Self::root() } else { Self(self.0[..at].into()) }, name))
    }

    /// Whether this lies in the directory `dir` or deeper.
    pub fn is_below(&self, dir: &Self) -> bool {
        !self.is_root()
            && (dir.is_root() || self.0.strip_prefix(&*dir.0).is_some_and(|rest| rest.first() == Some(&b'/')))
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == b"/"
    }

    /// The bytes, beginning with `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

/// For people: UTF-8 as it is, control bytes and broken UTF-8 escaped, so that no name can steer a terminal.
fn show(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        write!(f, "{}", chunk.invalid().escape_ascii())?;
    }
    Ok(())
}

fn breaks_line(bytes: &[u8]) -> bool {
    bytes.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'))
}

/// A point in time as a server told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Seconds since 1970-01-01 00:00:00 UTC; negative before.
    pub secs: i64,
    /// 0 to 999,999,999 on top of `secs`; servers measured so far never give fractions.
    pub nanos: u32,
    /// How much of it the server really said.
    pub precision: Precision,
}

impl Stamp {
    /// A time exact to the second.
    pub fn exact(secs: i64) -> Self {
        Self { secs, nanos: 0, precision: Precision::Second }
    }

    /// Whether both may be the same moment, in the coarser precision of the two.
    ///
    /// A coarse one is of a `LIST`, and that is in a zone of its own where that could not be found out. So of a coarse
    /// and a fine one only the minutes within a quarter of an hour are compared, or nearly the day.
    pub(crate) fn may_be(self, other: Self) -> bool {
        let (coarse, fine) = if self.precision < other.precision { (self, other) } else { (other, self) };
        let apart = fine.secs.saturating_sub(coarse.secs);
        match coarse.precision {
            Precision::Second => apart == 0,
            precision if precision == fine.precision => {
                let unit = if precision == Precision::Day { DAY } else { 60 };
                coarse.secs.div_euclid(unit) == fine.secs.div_euclid(unit)
            }
            Precision::Minute => {
                apart.rem_euclid(15 * 60) < 60 && (-FARTHEST_ZONE..FARTHEST_ZONE + 60).contains(&apart)
            }
            Precision::Day => (-FARTHEST_ZONE..FARTHEST_ZONE + DAY).contains(&apart),
        }
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Seconds that clocks are away from UTC at most, with an hour for summer.
const FARTHEST_ZONE: i64 = 15 * 3_600;

/// The finest unit that a time was given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `LIST` of an old file: a date without a time.
    Day,
    /// `LIST` of a recent file: hours and minutes.
    Minute,
    /// `MLSD`, `MDTM`: seconds, UTC (RFC 3659 2.3).
    Second,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link; None where the server does not say where it leads.
    Symlink {
        /// The target as the server spells it: hostile until used.
        target: Option<Arc<[u8]>>,
    },
    /// A device, socket or FIFO.
    Other,
}

/// What a server says of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// File, directory, link or other.
    pub kind: Kind,
    /// Bytes; None where the server does not say.
    pub size: Option<u64>,
    /// Last modification.
    pub mtime: Option<Stamp>,
    /// Permission bits, 0 to 0o7777.
    pub mode: Option<u16>,
    /// The `unique` fact (RFC 3659 7.5.2): opaque, changes when another file takes the name.
    pub unique: Option<Arc<str>>,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub meta: Meta,
}

/// What tells one state of a file's content from another: our ETag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Bytes.
    pub size: u64,
    /// Last modification, if the server tells it.
    pub mtime: Option<Stamp>,
    /// The `unique` fact, if the server tells it.
    pub unique: Option<Arc<str>>,
}

impl Version {
    /// Whether both may be the same content: sizes are equal and nothing that both know differs.
    ///
    /// Times are compared as far as both are known, `unique` only where both have it.
    pub fn agrees(&self, other: &Self) -> bool {
        let times = self.mtime.zip(other.mtime).is_none_or(|(a, b)| a.may_be(b));
        let uniques = match (&self.unique, &other.unique) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.size == other.size && times && uniques
    }
}

/// How a listing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// False where the server said that it left names out: absence from such a listing proves nothing.
    pub complete: bool,
}

/// What a server can be asked. Every call ends at its deadline.
pub trait Remote: Send + Sync {
    /// What is at `path`; for a symlink it may be what the link leads to, as the server pleases.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] only where the server said so.
    fn stat(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta>;

    /// The version of the file at `path`, in one flight; None where the server cannot tell.
    ///
    /// # Errors
    /// As [`stat`](Remote::stat).
    fn version(&self, path: &RemotePath, deadline: Deadline) -> Result<Option<Version>>;

    /// Hands each entry of the directory to `each`, in the server's order, until it breaks.
    ///
    /// # Errors
    /// [`ErrorKind::NotDir`], [`ErrorKind::NotFound`], [`ErrorKind::Denied`]; entries handed out before an error do
    /// not make a listing.
    fn list(
        &self,
        path: &RemotePath,
        deadline: Deadline,
        each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<Listed>;

    /// Exact times of modification of `names` in `dir`, pipelined; None where the server has none for a name.
    ///
    /// # Errors
    /// Only where the connection fails: a name that has no time is no error.
    fn times(&self, dir: &RemotePath, names: &[Name], deadline: Deadline) -> Result<Vec<Option<Stamp>>>;

    /// Hands out where the symlinks in `dir` lead, for servers whose listings leave it out; links may be missing.
    ///
    /// # Errors
    /// As [`list`](Remote::list).
    fn links(&self, dir: &RemotePath, deadline: Deadline, each: &mut dyn FnMut(Name, &[u8])) -> Result<()>;

    /// Begins to read `path` at byte `from`. `recall` is called when somebody else needs the connection.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::IsDir`], [`ErrorKind::Denied`], [`ErrorKind::Changed`] where `from` lies
    /// behind the end.
    fn download(
        &self,
        path: &RemotePath,
        from: u64,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Box<dyn Download>>;

    /// Whether one more request could be made at once, beside `begun` ones of the same kind, without anybody having to wait
    /// for that.
    fn has_spare(&self, begun: usize) -> bool;

    /// How many requests could be made at once without anybody having to wait for that.
    fn spare(&self) -> usize;

    /// How long the server takes to answer at least; None where that has not been measured.
    fn delay(&self) -> Option<Duration> {
        None
    }

    /// What is known so far of what this server does; nothing is asked.
    fn abilities(&self) -> Abilities;

    /// Begins to store `path`. `recall` is called when somebody else needs the connection.
    ///
    /// # Errors
    /// What the server refuses before the first byte is told here or by [`Upload::accepted`].
    fn upload(
        &self,
        path: &RemotePath,
        how: Store,
        recall: &Arc<Recall>,
        deadline: Deadline,
    ) -> Result<Box<dyn Upload>>;

    /// Removes a name that is no directory.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::IsDir`], [`ErrorKind::Denied`].
    fn remove_file(&self, path: &RemotePath, deadline: Deadline) -> Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::NotDir`], [`ErrorKind::NotEmpty`], [`ErrorKind::Denied`].
    fn remove_dir(&self, path: &RemotePath, deadline: Deadline) -> Result<()>;

    /// Makes a directory; `mode` as far as the server can set it.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], [`ErrorKind::NotFound`] of the parent, [`ErrorKind::Denied`].
    fn make_dir(&self, path: &RemotePath, mode: Option<u16>, deadline: Deadline) -> Result<Outcome>;

    /// Makes the symlink `path` that leads to `target`, where the server knows a verb for it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`], [`ErrorKind::Exists`], [`ErrorKind::NotFound`], [`ErrorKind::Denied`].
    fn make_link(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<()>;

    /// Gives `from` the name `to`; a file that is there is replaced, also where the server would refuse that. `settings`
    /// are those of `from` and travel along: whether they succeed does not matter to the rename.
    ///
    /// # Errors
    /// As rename(2), in our words. After an error `to` is what it was before.
    fn rename(&self, from: &RemotePath, to: &RemotePath, settings: &Settings, deadline: Deadline) -> Result<Outcome>;

    /// Whether the server would copy a file of `size` bytes by itself, as far as is known, and whether that is worth its
    /// round trips; nothing is asked.
    fn can_copy(&self, size: u64) -> Option<bool>;

    /// Has the server copy the file `from`, of `size` bytes, to `to`, where nothing or an empty file is, and sets what
    /// `settings` say on the copy. Bytes do not come by here.
    ///
    /// The time that is left until `deadline` is how long the server may be silent: as long as the copy is seen to grow it
    /// goes on. Where nobody can look, it gets a time that goes by `size`, of some minutes at most. An answer that is lost is
    /// looked up.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server does not do it, or not now; [`ErrorKind::NoSpace`],
    /// [`ErrorKind::Quota`], [`ErrorKind::Denied`] and others in its words. At `to` is what was there before then, or nothing,
    /// or a part that the caller is to remove or to overwrite: the server writes to it no more, as far as it can be reached.
    fn copy(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        size: u64,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Stored>;

    /// Sets times and modes, pipelined; one outcome for each file.
    ///
    /// # Errors
    /// Only where the connection fails.
    fn set(&self, files: &[(RemotePath, Settings)], deadline: Deadline) -> Result<Vec<Outcome>>;

    /// Called every few seconds: closes what has been idle for long.
    fn upkeep(&self);

    /// Closes all connections and fails every later call with [`ErrorKind::Cancelled`].
    fn shut_down(&self);
}

/// A file on its way here. Dropping it ends the transfer and may cost the connection.
pub trait Download: Send {
    /// What the server said of the file right before the transfer began, where it could be asked.
    fn version(&self) -> Option<&Version>;

    /// How long the server takes to answer at least, where that has been measured.
    fn round_trip(&self) -> Option<Duration> {
        None
    }

    /// Reads some bytes; 0 at the end of the data, which says nothing yet about whether the file is whole.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] where `deadline` passes without a byte, [`ErrorKind::Unreachable`] where it breaks.
    fn read(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize>;

    /// Ends the transfer, wherever it is. After the end of the data: checks the server's final reply.
    ///
    /// # Errors
    /// The server's complaint, if the data had ended by itself; never one for an early end.
    fn finish(self: Box<Self>, deadline: Deadline) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_out_do_not_exist() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b", b"a\r\nDELE x", b"a\n"] {
            assert!(Name::new(bad).is_none(), "{}", bad.escape_ascii());
        }
        for good in [&b"..."[..], b" ", b"-rf", b"\xff\xfe", b"a b", b"~", b"*"] {
            assert_eq!(Name::new(good).expect("good").as_bytes(), good);
        }
    }

    #[test]
    fn paths_are_normalised() {
        let path = |s: &str| RemotePath::new(s.as_bytes()).map(|p| p.to_string());
        assert_eq!(path("//a/./b/../c/").as_deref(), Some("/a/c"));
        assert_eq!(path("/../..").as_deref(), Some("/"));
        assert_eq!(path("a"), None);
        assert_eq!(path("/a\nb"), None);
    }

    #[test]
    fn join_and_split_are_inverse() {
        let name = Name::new(b"x y").expect("valid");
        for dir in ["/", "/a", "/a/b"] {
            let dir = RemotePath::new(dir.as_bytes()).expect("valid");
            assert_eq!(dir.join(&name).split(), Some((dir, name.clone())));
        }
        assert!(RemotePath::root().split().is_none());
    }

    #[test]
    fn names_cannot_steer_a_terminal() {
        let name = Name::new(b"a\x1b[2Jb\xff\xc3\xbc").expect("valid");
        assert_eq!(name.to_string(), "a\\u{1b}[2Jb\\xff\u{fc}");
    }

    #[test]
    fn versions_compare_in_the_coarser_precision() {
        let at = |secs, precision| Version { size: 1, mtime: Some(Stamp { secs, nanos: 0, precision }), unique: None };
        assert!(at(119, Precision::Second).agrees(&at(60, Precision::Minute)));
        assert!(!at(121, Precision::Second).agrees(&at(60, Precision::Minute)));
        assert!(!at(60, Precision::Minute).agrees(&at(121, Precision::Second)));
        assert!(!at(1, Precision::Second).agrees(&at(2, Precision::Second)));
        // Listed in Tokyo, in Newfoundland and in Nepal, by servers whose zone nobody knows.
        for zone in [9 * 3_600, -12_600, 20_700] {
            assert!(at(86_400 + zone, Precision::Minute).agrees(&at(86_459, Precision::Second)));
            assert!(!at(86_460 + zone, Precision::Minute).agrees(&at(86_459, Precision::Second)));
            assert!(!at(86_400 + zone, Precision::Minute).agrees(&at(86_460 + zone, Precision::Minute)));
        }
        assert!(at(86_400, Precision::Day).agrees(&at(86_399 - 8 * 3_600, Precision::Second)));
        assert!(!at(86_400, Precision::Day).agrees(&at(4 * 86_400, Precision::Second)));
        assert!(!Version { size: 2, ..at(1, Precision::Second) }.agrees(&at(1, Precision::Second)));
    }
}
