//! What can fail, and what it means.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// `Result` with this contract's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request failed.
#[derive(Clone)]
pub struct Error {
    /// What it means.
    pub kind: ErrorKind,
    /// Whether asking again may help.
    pub retry: Retry,
    /// What was being done: an FTP verb, or a word such as `connect`.
    pub verb: &'static str,
    /// The server's own words, for people.
    pub reply: Option<Box<str>>,
    pub(crate) source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` while doing `verb`, not to be retried.
    pub fn new(kind: ErrorKind, verb: &'static str) -> Self {
        Self { kind, retry: Retry::Never, verb, reply: None, source: None }
    }

    /// Whether nothing has failed but the patience of one who stood behind others of ours.
    pub fn is_queueing(&self) -> bool {
        self.kind == ErrorKind::TimedOut && self.verb == QUEUEING
    }

    /// A failed socket operation: a deadline is [`ErrorKind::TimedOut`], everything else [`ErrorKind::Unreachable`].
    pub fn io(verb: &'static str, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
            _ => ErrorKind::Unreachable,
        };
        Self { source: Some(Arc::new(error)), ..Self::new(kind, verb) }
    }

    /// Adds what it came from.
    #[must_use]
    pub fn because(self, source: impl StdError + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// Adds the server's words.
    #[must_use]
    pub fn with_reply(self, reply: impl Into<Box<str>>) -> Self {
        Self { reply: Some(reply.into()), ..self }
    }

    /// Sets whether asking again may help.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({self})", self.kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verb, self.kind)?;
        if let Some(reply) = &self.reply {
            write!(f, " (server: {reply})")?;
        }
        match self.source.as_ref().map(ToString::to_string) {
            Some(source) if source != self.kind.to_string() => write!(f, " ({source})")?,
            _ => {}
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

/// What errors of those are about who wait for a connection.
pub(crate) const QUEUEING: &str = "wait for a connection";

/// What an error means, whatever the server's code and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The server said that there is no such name.
    NotFound,
    /// A component on the way is not a directory, or what was to be listed is none.
    NotDir,
    /// A file operation on a directory.
    IsDir,
    /// What was to be made is there already.
    Exists,
    /// A directory that was to be removed or replaced has something in it.
    NotEmpty,
    /// The server refuses.
    Denied,
    /// The server refuses because of who asks: an owner's business, or a right that this user has not.
    NotPermitted,
    /// This mount does not write, or the server's disk does not.
    ReadOnly,
    /// The server's disk is full.
    NoSpace,
    /// The user's share of the server's disk is used up.
    Quota,
    /// The file would be larger than the server takes.
    TooLarge,
    /// A rename to another filesystem of the server.
    CrossDevice,
    /// Links that lead in a circle, or a link that the server does not follow.
    Loop,
    /// A program that runs on the server.
    TextBusy,
    /// What was asked for makes no sense: a directory moved below itself, a time before 1970.
    Invalid,
    /// The name cannot be sent: CR, LF, NUL, `/`; or the server does not take it.
    NameInvalid,
    /// The server's code page has no bytes for the name.
    NameUnencodable,
    /// The name or path is longer than the server or the protocol takes.
    NameTooLong,
    /// Neither server nor client can do it.
    Unsupported,
    /// The file is no longer the one that was opened.
    Changed,
    /// The server is busy with the file.
    Busy,
    /// No answer in time.
    TimedOut,
    /// No connection, or it broke.
    Unreachable,
    /// User or password refused.
    LoginRefused,
    /// No encrypted connection, where there must be one.
    TlsRefused,
    /// The server wants TLS, and there is none.
    TlsRequired,
    /// The server broke the protocol.
    Protocol,
    /// The mount is ending.
    Cancelled,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::NotDir => "not a directory",
            Self::IsDir => "is a directory",
            Self::Exists => "exists already",
            Self::NotEmpty => "directory not empty",
            Self::Denied => "permission denied",
            Self::NotPermitted => "operation not permitted",
            Self::ReadOnly => "read-only file system",
            Self::NoSpace => "no space left on the server",
            Self::Quota => "quota exceeded",
            Self::TooLarge => "file too large",
            Self::CrossDevice => "on another filesystem of the server",
            Self::Loop => "too many levels of symbolic links",
            Self::TextBusy => "the file is being executed",
            Self::Invalid => "invalid argument",
            Self::NameInvalid => "name cannot be sent over FTP",
            Self::NameUnencodable => "name cannot be written in the server's encoding",
            Self::NameTooLong => "name too long",
            Self::Unsupported => "not supported",
            Self::Changed => "file has changed on the server",
            Self::Busy => "busy",
            Self::TimedOut => "timed out",
            Self::Unreachable => "connection failed",
            Self::TlsRefused => "no safe connection",
            Self::LoginRefused => "login refused",
            Self::TlsRequired => "the server wants TLS",
            Self::Protocol => "unexpected answer",
            Self::Cancelled => "the mount is ending",
        })
    }
}

/// Whether the same request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The answer would be the same, or what happened is not known.
    Never,
    /// A pooled connection turned out to be dead: once more on a fresh one, unseen.
    IfReused,
    /// Nothing was changed on the server: asking again is safe.
    Safe,
}
