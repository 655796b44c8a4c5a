//! Why an operation on a file failed.

use std::fmt;

use crate::remote::{self, ErrorKind};

/// `Result` with a filesystem operation's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What a program is told, before it becomes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server, or the way to it.
    Remote(ErrorKind),
    /// The connection broke while a file was being read or stored, and could not be taken up again.
    Broken,
    /// The kernel names an inode that is no longer known.
    NoInode,
    /// The kernel names a file handle that is not open.
    BadHandle,
    /// `readlink(2)` of something that is no symlink.
    NotLink,
    /// A symlink that leads out of the mounted directory.
    Outside,
    /// The spool or its disk is full.
    SpoolFull,
    /// The spool's disk fails.
    Spool,
    /// The server knows no links of this kind, and files do not stand in for them.
    NoLinks,
}

/// A failed operation.
#[derive(Debug)]
pub struct Error {
    /// What the program is told.
    pub fault: Fault,
    /// What the server said, for the log.
    pub source: Option<remote::Error>,
}

impl Error {
    /// A copy for somebody else who waits for the same thing.
    pub(crate) fn echo(&self) -> Self {
        Self { fault: self.fault, source: None }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self { fault, source: None }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Fault::Remote(kind).into()
    }
}

impl From<remote::Error> for Error {
    fn from(error: remote::Error) -> Self {
        Self { fault: Fault::Remote(error.kind), source: Some(error) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.fault) {
            (Some(source), _) => write!(f, "{source}"),
            (None, Fault::Remote(kind)) => write!(f, "{kind}"),
            (None, Fault::Broken) => f.write_str("the transfer broke and could not be taken up again"),
            (None, Fault::NoInode) => f.write_str("the file is no longer known"),
            (None, Fault::BadHandle) => f.write_str("the file is not open"),
            (None, Fault::NotLink) => f.write_str("not a symbolic link"),
            (None, Fault::NoLinks) => f.write_str("the server knows no such links"),
            (None, Fault::Outside) => f.write_str("the link leads out of the mounted directory"),
            (None, Fault::SpoolFull) => f.write_str("the spool is full"),
            (None, Fault::Spool) => f.write_str("the spool's disk fails"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as &(dyn std::error::Error + 'static))
    }
}
