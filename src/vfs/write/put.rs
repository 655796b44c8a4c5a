//! One upload: bytes of a [`Feed`] to a path, taken up again where it broke or had to give way, checked at the end.
//!
//! A new file goes to its own name. One that replaces a file with content goes to a temporary name beside it first, so
//! that a failed upload never costs the old content.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use log::{debug, info, warn};

use super::copied::{Wish, may_leave_part};
use super::temporary::{Litter, Temporary};
use crate::base::{Deadline, Recall};
use crate::remote::{Error, ErrorKind, Remote, RemotePath, Retry, Settings, Store, Stored};
use crate::vfs::dir::DirCache;
use crate::vfs::error::{Error as VfsError, Fault, Result};
use crate::vfs::node::Ino;

/// Where the bytes of an upload come from.
pub(super) trait Feed {
    /// A connection is there, or is about to be: `recall` is how it is asked back, and its gate is to be opened when there is
    /// more to send.
    fn begin(&mut self, recall: &Arc<Recall>);

    /// Nobody wants the upload any more: no further attempt is worth it.
    fn is_stopped(&self) -> bool {
        false
    }

    /// Whether bytes are to be sent before the server has agreed to take them.
    fn hurries(&self) -> bool {
        false
    }

    /// The server takes the file.
    fn accepted(&mut self) {}

    /// What is to be done now that `sent` bytes are on their way, of which this connection has carried `carried`; waits
    /// until there is something to do. `resumes` tells whether an upload that gives way could go on later.
    fn next(&mut self, sent: u64, carried: u64, resumes: bool) -> Next;

    /// Fills `buf` with the bytes at `at`.
    fn read(&mut self, at: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Bytes below this are no longer here.
    fn kept_from(&self) -> u64;

    /// Bytes of the file that an upload in place overwrites.
    fn old_size(&self) -> Option<u64> {
        None
    }

    /// What is to be set once all bytes are there.
    fn settings(&mut self) -> Settings;

    /// Whether that may be left out where it would cost another round trip.
    fn leaves_settings(&self) -> bool {
        false
    }

    /// What is to be set where more bytes may follow: nothing that could keep them out.
    fn settings_for_now(&mut self) -> Settings {
        self.settings()
    }

    /// The temporary name `part`, or the file's own, is about to be written to.
    fn part(&mut self, _part: &RemotePath) -> io::Result<()> {
        Ok(())
    }

    /// All bytes are stored under the temporary name, which is about to replace the file.
    fn stored(&mut self, _stored: &Stored) -> io::Result<()> {
        Ok(())
    }
}

/// What an upload does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send what lies before this byte.
    Send(u64),
    /// That was all.
    Finish,
    /// Let go of the connection. In place, what has been sent is the file for now; under a temporary name the upload goes
    /// on as soon as a connection is free.
    Yield,
    /// Give it up: what has been sent is no longer what the file is.
    Stop,
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// To the file itself.
    InPlace(Store),
    /// To a temporary name that replaces the file; in place where the server does not allow it, if `else_in_place`.
    Beside {
        /// There is another way.
        else_in_place: bool,
    },
}

/// An upload that is done.
pub(super) struct Landed {
    /// Bytes of the file.
    pub(super) sent: u64,
    pub(super) stored: Stored,
}

/// How to upload.
pub(super) struct Put<'a> {
    pub(super) remote: &'a dyn Remote,
    pub(super) dirs: &'a DirCache,
    /// The directory that `path` is in.
    pub(super) dir: Ino,
    pub(super) path: &'a RemotePath,
    pub(super) litter: &'a Litter,
    /// A connection broke on the way.
    pub(super) broke: Cell<bool>,
    /// How long the line may be silent.
    pub(super) timeout: Duration,
}

/// What ended an upload that was not completed.
enum Broke {
    /// Nobody wanted it any more, before anything was sent.
    Unbegun,
    Stopped,
    /// The server, or the way to it.
    Failed(Error),
    /// The line, again and again.
    Lost(Error),
    /// This machine's disk.
    Local(io::Error),
}

impl From<Error> for Broke {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Broke {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}

type Attempt<T> = std::result::Result<T, Broke>;

impl Put<'_> {
    /// Uploads all of `feed`; None where the feed gave it up.
    ///
    /// # Errors
    /// The server's refusal, or what broke the last of several attempts.
    pub(super) fn run(&self, feed: &mut dyn Feed, landing: Landing) -> Result<Option<Landed>> {
        let done = match landing {
            Landing::InPlace(store) => self.in_place(feed, store),
            Landing::Beside { else_in_place } => match self.beside(feed) {
                Err(Broke::Failed(e)) if else_in_place && is_no_way(&e) && feed.kept_from() == 0 => {
                    info!("{}: no temporary file can take its place ({e}): written in place", self.path);
                    self.in_place(feed, Store::Whole)
                }
                done => done,
            },
        };
        match done {
            Ok(landed) => Ok(Some(landed)),
            Err(Broke::Stopped | Broke::Unbegun) => Ok(None),
            Err(Broke::Failed(e)) => Err(e.into()),
            Err(Broke::Lost(e)) => Err(VfsError { fault: Fault::Broken, source: Some(e) }),
            Err(Broke::Local(e)) => {
                warn!("{}: the spool fails: {e}", self.path);
                Err(Fault::Spool.into())
            }
        }
    }

    fn in_place(&self, feed: &mut dyn Feed, store: Store) -> Attempt<Landed> {
        feed.part(self.path)?;
        self.transfer(self.path, feed, store)
    }

    /// Stores under a temporary name, then renames.
    fn beside(&self, feed: &mut dyn Feed) -> Attempt<Landed> {
        let Some(part) = Temporary::beside(self.dirs, self.dir, self.path, "part") else {
            return Err(Error::new(ErrorKind::NameInvalid, "STOR").into());
        };
        feed.part(part.path())?;
        let landed = match self.transfer(part.path(), feed, Store::Whole) {
            Ok(landed) => landed,
            Err(broke) => {
                self.clean_up(part.path(), &broke);
                return Err(broke);
            }
        };
        feed.stored(&landed.stored)?;
        self.take_place(&part, landed)
    }

    /// Has the server copy a file to a temporary name that replaces this one.
    ///
    /// # Errors
    /// As [`Remote::copy`] and [`Remote::rename`].
    pub(super) fn copy(&self, wish: &Wish<'_>) -> Result<Landed> {
        let part = Temporary::beside(self.dirs, self.dir, self.path, "part").ok_or(ErrorKind::NameInvalid)?;
        let Wish { from, size, settings, is_same } = wish;
        let stored = match self.remote.copy(from, part.path(), *size, settings, Deadline::after(self.timeout)) {
            Ok(stored) if is_same() => stored,
            Err(e) if !may_leave_part(&e) => return Err(e.into()),
            failed => {
                // All of it is there, or a part may be.
                self.litter.remove(self.remote, part.path(), Deadline::after(self.timeout));
                return Err(failed.err().map_or_else(|| ErrorKind::Changed.into(), VfsError::from));
            }
        };
        self.take_place(&part, Landed { sent: *size, stored }).map_err(|broke| match broke {
            Broke::Failed(e) | Broke::Lost(e) => e.into(),
            Broke::Unbegun | Broke::Stopped | Broke::Local(_) => ErrorKind::Cancelled.into(),
        })
    }

    /// What is stored under the name `part` takes the file's place.
    fn take_place(&self, part: &Temporary<'_>, landed: Landed) -> Attempt<Landed> {
        let mut failures = 0;
        loop {
            let deadline = Deadline::after(self.timeout);
            match self.remote.rename(part.path(), self.path, &Settings::default(), deadline) {
                Ok(_) => {
                    if self.broke.get() {
                        self.litter.doubt(part.path());
                    }
                    return Ok(landed);
                }
                Err(e) if is_broken(&e) && failures < MOST_FAILURES => {
                    debug!("{}: {e}: once more", self.path);
                    pause(failures);
                    failures += 1;
                }
                // The answer was lost, not the question.
                Err(e) if e.kind == ErrorKind::NotFound && failures > 0 && self.is_there(&landed) => return Ok(landed),
                Err(e) => {
                    let broke = Broke::Failed(e);
                    self.clean_up(part.path(), &broke);
                    return Err(broke);
                }
            }
        }
    }

    /// Whether what stands under the file's name is what was stored under the temporary one.
    fn is_there(&self, landed: &Landed) -> bool {
        let found = self.remote.version(self.path, Deadline::after(self.timeout)).ok().flatten();
        let stored = landed.stored.version.as_ref();
        found.is_some_and(|found| found.size == landed.sent && stored.is_none_or(|stored| found.agrees(stored)))
    }

    /// Removes a temporary file that nobody needs any more.
    fn clean_up(&self, part: &RemotePath, broke: &Broke) {
        // Nothing was made, or nobody is there to remove it.
        if matches!(broke, Broke::Unbegun) {
            return;
        }
        if let Broke::Failed(e) = broke
            && matches!(e.kind, ErrorKind::Cancelled | ErrorKind::NameInvalid | ErrorKind::NameTooLong)
        {
            return;
        }
        self.litter.remove(self.remote, part, Deadline::after(self.timeout));
    }

    /// Brings all bytes to `target`, over as many connections as it takes.
    fn transfer(&self, target: &RemotePath, feed: &mut dyn Feed, store: Store) -> Attempt<Landed> {
        let first = start(store);
        let (reached, arrived, resumed, ended, lost) = (first, first, false, false, None);
        let mut way = Way { put: self, target, store, first, reached, arrived, resumed, ended, lost };
        let (mut failures, mut waits, mut begun) = (0, 0, false);
        loop {
            // Between two attempts there is nobody to ask the feed what is next.
            if feed.is_stopped() {
                return Err(if begun { Broke::Stopped } else { Broke::Unbegun });
            }
            begun = true;
            let before = way.arrived;
            let looking = way.lost.is_some();
            let done = match way.lost.take() {
                Some(error) => way.look(feed, error).map(|()| None),
                None => way.attempt(feed),
            };
            match done {
                Ok(Some(landed)) => return Ok(landed),
                Ok(None) => {}
                Err(broke @ (Broke::Stopped | Broke::Unbegun | Broke::Lost(_) | Broke::Local(_))) => return Err(broke),
                // Others of ours have all connections, and their transfers go on.
                Err(Broke::Failed(e)) if e.is_queueing() && feed.hurries() && waits < MOST_WAITS => {
                    waits += 1;
                    way.lost = looking.then_some(e);
                }
                Err(Broke::Failed(e)) => {
                    let elsewhere = way.resumed && matches!(e.kind, ErrorKind::Unsupported | ErrorKind::Changed);
                    if !(elsewhere || is_broken(&e)) {
                        return Err(e.into());
                    }
                    // pyftpdlib says nothing at all where its disk is full: that is not waited for many times.
                    let speechless = way.ended && e.kind == ErrorKind::TimedOut && failures > 0;
                    if failures == MOST_FAILURES || speechless {
                        return Err(Broke::Lost(e));
                    }
                    info!("{target}: the upload broke off ({e}): going on");
                    self.broke.set(true);
                    pause(failures);
                    failures += 1;
                    way.lost = Some(e);
                }
            }
            // Only what the server is known to have counts: what was sent may have gone nowhere, each time anew.
            if way.arrived >= before + CHUNK as u64 {
                failures = 0;
            }
        }
    }
}

/// An upload to one target.
struct Way<'a> {
    put: &'a Put<'a>,
    target: &'a RemotePath,
    /// How the next attempt begins.
    store: Store,
    /// The first byte of all: the feed has none below it.
    first: u64,
    /// Bytes that have been sent, as far as they may have arrived.
    reached: u64,
    /// Bytes that the server is known to have had.
    arrived: u64,
    /// `store` is a tail that goes on with what an earlier attempt has brought.
    resumed: bool,
    /// What an attempt has ended with, as long as nobody knows how much of it has arrived.
    lost: Option<Error>,
    /// The latest attempt has sent everything.
    ended: bool,
}

impl Way<'_> {
    /// Sends until all is stored, or until the connection is needed elsewhere and there is more to come (None).
    fn attempt(&mut self, feed: &mut dyn Feed) -> Attempt<Option<Landed>> {
        let recall = Arc::new(Recall::default());
        feed.begin(&recall);
        let begin = start(self.store);
        self.ended = false;
        let mut upload = self.put.remote.upload(self.target, self.store, &recall, self.deadline())?;
        if !feed.hurries() {
            upload.accepted(self.deadline())?;
        }
        feed.accepted();
        let mut sent = begin;
        let mut buffer = vec![0; CHUNK];
        loop {
            let resumes = self.resumes();
            match feed.next(sent, sent - begin, resumes) {
                Next::Send(until) => {
                    let len = (until - sent).min(CHUNK as u64) as usize;
                    feed.read(sent, &mut buffer[..len])?;
                    upload.write(&buffer[..len], self.deadline())?;
                    sent += len as u64;
                    self.reached = self.reached.max(sent);
                }
                Next::Finish => {
                    self.ended = true;
                    if self.in_place() && feed.old_size().is_none() && feed.leaves_settings() {
                        upload.may_leave_settings();
                    }
                    let stored = upload.finish(&feed.settings(), self.deadline())?;
                    return Ok(Some(Landed { sent, stored }));
                }
                Next::Yield if !resumes => {
                    upload.abandon(self.deadline());
                    return Err(Broke::Stopped);
                }
                Next::Yield if self.in_place() => {
                    debug!("{}: the upload gives way at byte {sent}", self.target);
                    let stored = upload.finish(&feed.settings_for_now(), self.deadline())?;
                    return Ok(Some(Landed { sent, stored }));
                }
                Next::Yield => {
                    debug!("{}: the upload gives way at byte {sent}", self.target);
                    upload.finish(&Settings::default(), self.deadline())?;
                    if sent > 0 {
                        (self.store, self.resumed, self.arrived) = (Store::Tail { at: sent }, true, sent);
                    }
                    return Ok(None);
                }
                Next::Stop => {
                    upload.abandon(self.deadline());
                    return Err(Broke::Stopped);
                }
            }
        }
    }

    fn in_place(&self) -> bool {
        self.target == self.put.path
    }

    /// Whether the server takes a tail, as far as is known. Feeds that could not begin anew want it certain.
    fn resumes(&self) -> bool {
        self.put.remote.abilities().tail != Some(false)
    }

    /// Finds out how much of what was sent has arrived before `error`, and goes on behind it where that is worth it.
    fn look(&mut self, feed: &dyn Feed, error: Error) -> Attempt<()> {
        let here_from = self.first.max(feed.kept_from());
        let afresh = here_from == 0;
        if afresh && error.kind == ErrorKind::Unsupported {
            return self.start_over(feed, error);
        }
        if afresh && self.store == Store::Whole && (self.reached < WORTH_RESUMING || !self.resumes()) {
            return Ok(());
        }
        let found = match self.put.remote.version(self.target, self.deadline()) {
            Ok(version) => version.map(|v| v.size),
            Err(e) if e.kind == ErrorKind::NotFound => None,
            // The next attempt will find out; but what is no longer here must not be sent blindly.
            Err(e) if is_broken(&e) && afresh => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        // Of this size was the old file: the new content may not have touched it.
        let is_old = found.is_some() && self.first == 0 && self.in_place() && found == feed.old_size();
        match found {
            Some(size) if size > 0 && size <= self.reached && size >= here_from && self.resumes() && !is_old => {
                debug!("{}: {size} of {} bytes have arrived", self.target, self.reached);
                (self.store, self.resumed, self.reached) = (Store::Tail { at: size }, true, size);
                self.arrived = self.arrived.max(size);
                Ok(())
            }
            _ => self.start_over(feed, error),
        }
    }

    /// Begins again with the first byte, where it is still here and may be sent.
    fn start_over(&mut self, feed: &dyn Feed, error: Error) -> Attempt<()> {
        if feed.kept_from() > 0 {
            return Err(Broke::Lost(error));
        }
        if self.first > 0 {
            // Not for another look.
            return Err(Error { kind: ErrorKind::Protocol, ..error }.with_retry(Retry::Never).into());
        }
        debug!("{}: from the beginning", self.target);
        (self.store, self.resumed, self.reached) = (Store::Whole, false, 0);
        Ok(())
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.put.timeout)
    }
}

fn start(store: Store) -> u64 {
    match store {
        Store::Whole => 0,
        Store::Tail { at } => at,
    }
}

/// Whether another attempt may succeed: a connection failed, nobody has refused anything.
pub(super) fn is_broken(error: &Error) -> bool {
    error.retry == Retry::Safe || matches!(error.kind, ErrorKind::Unreachable | ErrorKind::TimedOut)
}

/// Whether the server does not let a temporary file be made or take the file's place.
fn is_no_way(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Denied
            | ErrorKind::NotPermitted
            | ErrorKind::NameInvalid
            | ErrorKind::NameTooLong
            | ErrorKind::Unsupported
            | ErrorKind::Exists
    )
}

fn pause(failures: u32) {
    std::thread::sleep(FIRST_PAUSE * 2u32.pow(failures));
}

/// Bytes sent at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// Fewer bytes are sent again rather than asked for.
const WORTH_RESUMING: u64 = 4 << 20;

/// Attempts in a row that may fail without bringing anything.
const MOST_FAILURES: u32 = 3;

/// Timeouts that an upload stands behind others.
const MOST_WAITS: u32 = 100;

/// Before the second attempt; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
