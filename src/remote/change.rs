//! What changes a server: content on its way there, times and modes.

use std::hash::{BuildHasher as _, RandomState};

use super::{Error, Name, Result, Version};
use crate::base::Deadline;

/// A name for something of ours that stands beside the files for a moment, `.ftpfs-<kind>-<16 hex>`; `kind` is a word.
///
/// # Panics
/// Where `kind` is no part of a name.
pub fn temporary_name(kind: &str) -> Name {
    // Each state has keys of its own that the system has drawn: others cannot be at the same name.
    let random = RandomState::new().hash_one(std::process::id());
    Name::new(format!(".ftpfs-{kind}-{random:016x}").as_bytes()).expect("a word between letters and digits")
}

/// What a server does, as far as it has shown; None where that is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// [`Store::Tail`] puts bytes where they belong.
    pub tail: Option<bool>,
    /// Times of modification can be set.
    pub mtime: Option<bool>,
    /// Modes can be set.
    pub mode: Option<bool>,
    /// Symlinks can be made.
    pub links: Option<bool>,
}

/// How an upload meets what is at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// `STOR`: a new file, or new content for the one that is there; the old content is gone at once.
    Whole,
    /// The bytes from `at` on, which is the size of the file now. Refused with [`ErrorKind::Unsupported`] where the server
    /// cannot do it or does it wrong, and with [`ErrorKind::Changed`] where the file has another size.
    ///
    /// [`ErrorKind::Unsupported`]: super::ErrorKind::Unsupported
    /// [`ErrorKind::Changed`]: super::ErrorKind::Changed
    Tail {
        /// Size of the file before.
        at: u64,
    },
}

/// What is to be set on a file beside its content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Time of modification: seconds since the epoch, UTC. No server keeps fractions.
    pub mtime: Option<i64>,
    /// Permission bits, 0 to 0o7777.
    pub mode: Option<u16>,
}

impl Settings {
    /// Whether there is nothing to set.
    pub fn is_empty(&self) -> bool {
        self.mtime.is_none() && self.mode.is_none()
    }

    /// These and, where they say nothing, `older` ones.
    #[must_use]
    pub fn or(self, older: Self) -> Self {
        Self { mtime: self.mtime.or(older.mtime), mode: self.mode.or(older.mode) }
    }
}

/// What came of one of the [`Settings`].
#[derive(Clone, Debug, Default)]
pub enum Applied {
    /// It was not asked for.
    #[default]
    Nothing,
    /// The server has done it.
    Done,
    /// This server has no way to do it.
    Cannot,
    /// The server can do it, but not here.
    Refused(Error),
    /// It has not been asked to: that would have cost another round trip. Whoever wanted it sets it later.
    Later,
}

/// What came of [`Settings`].
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Of the time of modification.
    pub mtime: Applied,
    /// Of the mode.
    pub mode: Applied,
}

/// A file that has been stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What the server says of it now, where it can be asked. Its size is right: that has been checked.
    pub version: Option<Version>,
    /// Its mode, where the server tells it along with the version.
    pub mode: Option<u16>,
    /// What came of the settings.
    pub outcome: Outcome,
}

/// Content on its way to the server. Dropping it breaks the connection; what has arrived so far stays there.
pub trait Upload: Send {
    /// Waits until the server has agreed to take the file; at once where it has agreed already.
    ///
    /// # Errors
    /// As open(2) for writing, in our words. The upload has ended then, and the connection is put in order.
    fn accepted(&mut self, deadline: Deadline) -> Result<()>;

    /// Sends all of `bytes`. May be called before [`accepted`](Upload::accepted): the first 256 KiB do not wait for it, so
    /// that a small file costs one flight. A refusal may be told here, then.
    ///
    /// # Errors
    /// `TimedOut` where `deadline` passes without room for a byte; what the server says where it ends the transfer.
    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<()>;

    /// Ends the data, waits for the final reply, sets what `settings` say, and compares the size with what was sent.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`], [`ErrorKind::Quota`], [`ErrorKind::Denied`]; [`ErrorKind::Unreachable`] where the
    /// connection broke: nobody knows how much has arrived.
    ///
    /// [`ErrorKind::NoSpace`]: super::ErrorKind::NoSpace
    /// [`ErrorKind::Quota`]: super::ErrorKind::Quota
    /// [`ErrorKind::Denied`]: super::ErrorKind::Denied
    /// [`ErrorKind::Unreachable`]: super::ErrorKind::Unreachable
    fn finish(self: Box<Self>, settings: &Settings, deadline: Deadline) -> Result<Stored>;

    /// A time that is to be set may be left to whoever asks for it, as [`Applied::Later`], where that saves a round trip.
    fn may_leave_settings(&mut self) {}

    /// Ends the upload where it is, for good: what has arrived stays on the server. The connection is given back if the
    /// server stays in step.
    fn abandon(self: Box<Self>, deadline: Deadline);
}
