//! Times and modes that programs set: shown at once, sent a little later and many together.
//!
//! `cp -p`, `tar` and `rsync` set a time and a mode for each file, and often rename it next. What they set waits here for
//! a moment, at most a second, and then leaves with all else that is due, or with the rename. Until the server has agreed it
//! is laid over whatever is known of the file. With `perms=strict` nothing waits: the program is told what the server says.

mod deferred;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use log::{debug, info, log, warn};

use self::deferred::DELAY;
pub(crate) use self::deferred::{Deferred, show};
use super::attr::{Attr, SET_ID};
use super::error::{Error, Fault, Result};
use super::handle::Fh;
use super::node::Ino;
use super::ops::Vfs;
use crate::base::Deadline;
use crate::config::Perms;
use crate::remote::{Applied, ErrorKind, Kind, Meta, Outcome, RemotePath, Settings, Stamp};

/// What a program wants to be set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Permission bits, 0 to 0o7777.
    pub mode: Option<u16>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Bytes, and the handle that the file is open by, if any.
    pub size: Option<(u64, Option<Fh>)>,
    /// Last modification. There is no word for the last access in FTP: setting only that is accepted and does nothing.
    pub mtime: Option<When>,
}

/// A time that is to be set.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// Now, by the clock of this machine.
    Now,
    /// This.
    At(SystemTime),
}

/// Starts the thread that sends what is due; it ends when the filesystem shuts down or is dropped.
pub(crate) fn start(vfs: &Arc<Vfs>) -> std::io::Result<()> {
    let (weak, deferred) = (Arc::downgrade(vfs), Arc::clone(&vfs.settings));
    thread::Builder::new().name("later".into()).spawn(move || serve(&weak, &deferred))?;
    Ok(())
}

fn serve(vfs: &Weak<Vfs>, deferred: &Deferred) {
    loop {
        let seen = deferred.gate.ticket();
        if deferred.is_shut() {
            return;
        }
        let now = Instant::now();
        let next = deferred.next();
        if next.is_some_and(|at| at <= now) {
            let Some(vfs) = vfs.upgrade() else { return };
            // With it goes what would be due soon: one flight instead of two.
            let soon = now + DELAY / 2;
            let due = deferred.take(|_, due| due.at <= soon);
            // Told in the log; those that could not leave are tried again.
            let _ = vfs.send(due, Deadline::after(vfs.timeout));
            continue;
        }
        let Some(vfs) = vfs.upgrade() else { return };
        vfs.sweep_hidden();
        drop(vfs);
        deferred.gate.wait(seen, next.map_or(Deadline::after(LOOK), |at| Deadline::at(at.min(now + LOOK))));
    }
}

impl Vfs {
    /// Sets attributes of `ino` and tells them.
    pub fn set_attributes(
        self: &Arc<Self>,
        ino: Ino,
        wanted: Wanted,
        reply: impl FnOnce(Result<(Attr, Duration)>) + Send + 'static,
    ) {
        let at_once = wanted.size.is_none() && self.perms == Perms::Ignore;
        let fast = match self.known_now(ino) {
            Some(Ok(_)) if at_once => Some(self.set_now(ino, &wanted, Deadline::after(self.timeout))),
            _ => None,
        };
        if wanted.size.is_some() {
            // What is cut is stored.
            let (vfs, timeout) = (Arc::clone(self), self.timeout);
            return self.closers.run(move || reply(vfs.set_now(ino, &wanted, Deadline::after(timeout))));
        }
        self.answer(fast, move |vfs, deadline| vfs.set_now(ino, &wanted, deadline), reply);
    }

    /// Under `perms=ignore`, without a size, and of what is known this waits for nothing.
    fn set_now(&self, ino: Ino, wanted: &Wanted, deadline: Deadline) -> Result<(Attr, Duration)> {
        let known = self.refresh(ino, deadline)?;
        if let Some((size, fh)) = wanted.size {
            self.settings.content_changed(ino);
            self.resize(ino, fh, size, deadline)?;
        }
        self.check_owner(wanted)?;
        let mtime = wanted.mtime.map(|when| whole_seconds(when.or_now(self.clock.wall())));
        let settings = Settings { mtime, mode: wanted.mode };
        if !settings.is_empty() {
            self.set_settings(ino, &known.meta, settings, deadline)?;
        }
        let known = self.nodes.known(ino).ok_or(Fault::NoInode)?;
        Ok(self.shown(ino, &known))
    }

    /// Everything belongs to whom the options say; giving it to them changes nothing.
    fn check_owner(&self, wanted: &Wanted) -> Result<()> {
        if self.look.is_owned_by(wanted.uid, wanted.gid) {
            return Ok(());
        }
        match self.perms {
            Perms::Strict => Err(ErrorKind::NotPermitted.into()),
            Perms::Ignore => {
                Deferred::tell_once(&self.settings.told.owner, "owner or group of a file");
                Ok(())
            }
        }
    }

    fn set_settings(&self, ino: Ino, meta: &Meta, settings: Settings, deadline: Deadline) -> Result<()> {
        let strict = self.perms == Perms::Strict;
        // Those bits of a file are not shown either: it would run as somebody whom nobody here has meant.
        let sent = |mode: u16| if meta.kind == Kind::Dir { mode } else { mode & !SET_ID };
        let settings = Settings { mode: settings.mode.map(sent), ..settings };
        if let Kind::Symlink { .. } = meta.kind {
            // MFMT and SITE CHMOD follow links: they would set what the link leads to.
            if strict {
                return Err(ErrorKind::NotPermitted.into());
            }
            Deferred::tell_once(&self.settings.told.link, "time or mode of a symlink");
            return Ok(());
        }
        if strict && settings.mode.is_some_and(|mode| !self.look.can_show(meta, mode)) {
            return Err(ErrorKind::NotPermitted.into());
        }
        if let Some(mtime) = settings.mtime {
            self.nodes.retime(ino, Stamp::exact(mtime));
        }
        if self.nodes.is_unlinked(ino) {
            self.nodes.amend(ino, |meta| show(&settings, meta));
            if let Some(writer) = self.writing.writer(ino) {
                writer.set(&settings);
            }
            return Ok(());
        }
        match self.writing.writer(ino) {
            // The program is told what the server says of this.
            Some(writer) if strict => writer.flush()?,
            Some(writer) if writer.set(&settings) => {
                self.settings.overtaken(ino, &settings);
                return Ok(());
            }
            _ => {}
        }
        let path = self.path(ino)?;
        if !strict {
            self.settings.set(ino, path, settings);
            return Ok(());
        }
        let outcomes = self.remote.set(&[(path.clone(), settings)], deadline)?;
        let outcome = outcomes.into_iter().next().unwrap_or_default();
        self.note_set(ino, &path, &settings, &outcome);
        [outcome.mtime, outcome.mode].into_iter().try_for_each(|applied| match applied {
            Applied::Nothing | Applied::Done | Applied::Later => Ok(()),
            Applied::Cannot => Err(ErrorKind::NotPermitted.into()),
            Applied::Refused(e) => Err(not_permitted(e)),
        })
    }

    /// The server has answered to `settings` of `ino`: what it has done is what is known from now on, and what it has not
    /// done is shown no longer.
    pub(super) fn note_set(&self, ino: Ino, path: &RemotePath, settings: &Settings, outcome: &Outcome) {
        let mut done = Settings::default();
        let mut wrong = false;
        let told = &self.settings.told;
        for (applied, told, what) in
            [(&outcome.mtime, &told.mtime, "the time of modification"), (&outcome.mode, &told.mode, "the mode")]
        {
            match applied {
                Applied::Nothing | Applied::Done | Applied::Later => {}
                // vsftpd sets the times of files only.
                Applied::Cannot if self.is_dir(ino) => debug!("{path}: {what} of a directory cannot be set"),
                Applied::Cannot if self.perms == Perms::Ignore => Deferred::tell_once(told, what),
                Applied::Cannot => {}
                // The file has gone meanwhile, or it is a directory, of which many servers set no times.
                Applied::Refused(e) if e.kind == ErrorKind::NotFound => debug!("{path}: {what} is not set: {e}"),
                Applied::Refused(e) if self.is_dir(ino) => info!("{path}: {what} is not set: {e}"),
                Applied::Refused(e) => {
                    log!(self.settings.told.refused(), "{path}: {what} is not set: {e}");
                }
            }
            wrong |= matches!(applied, Applied::Cannot | Applied::Refused(_));
        }
        if matches!(outcome.mtime, Applied::Done) {
            done.mtime = settings.mtime;
        }
        if matches!(outcome.mode, Applied::Done) {
            done.mode = settings.mode;
        }
        if !done.is_empty() {
            if let Some(writer) = self.writing.writer(ino) {
                writer.server_set(&done);
            }
            self.nodes.amend(ino, |meta| show(&done, meta));
            if let Some((dir, name)) = self.nodes.place(ino) {
                self.dirs.update(dir, &name, move |meta| show(&done, meta));
            }
        }
        if wrong {
            self.kernel.forget_size(ino);
        }
    }

    pub(super) fn is_dir(&self, ino: Ino) -> bool {
        self.nodes.known(ino).is_some_and(|known| known.meta.kind == Kind::Dir)
    }

    /// Sends all that is still to be set on `under` and on everything below it, or on everything.
    ///
    /// # Errors
    /// Where the connection fails: it is tried again later. What the server refuses is told in the log.
    pub(crate) fn flush_settings(&self, under: Option<Ino>, deadline: Deadline) -> Result<()> {
        let Some(ino) = under else { return self.flush_settings_if(|_, _| true, deadline) };
        let dir = self.nodes.path(ino);
        self.flush_settings_if(|at, path| at == ino || dir.as_ref().is_some_and(|dir| is_below(path, dir)), deadline)
    }

    /// Sends what is still to be set below the directory `dir`, whose name is about to change.
    pub(super) fn flush_settings_below(&self, dir: &RemotePath, deadline: Deadline) -> Result<()> {
        self.flush_settings_if(|_, path| is_below(path, dir), deadline)
    }

    fn flush_settings_if(&self, wanted: impl Fn(Ino, &RemotePath) -> bool, deadline: Deadline) -> Result<()> {
        let all = self.settings.all().into_iter();
        let now = all.map(|(ino, path)| (ino, self.nodes.path(ino).unwrap_or(path)));
        let chosen: HashMap<Ino, RemotePath> = now.filter(|(ino, path)| wanted(*ino, path)).collect();
        if chosen.is_empty() {
            return Ok(());
        }
        self.send(self.settings.take(|ino, _| chosen.contains_key(&ino)), deadline)?;
        // Others may be on their way already.
        for (ino, path) in chosen {
            let settings = self.settings.begin(ino, deadline)?;
            self.send(vec![(ino, path, settings)], deadline)?;
        }
        Ok(())
    }

    /// Sends what has been taken.
    fn send(&self, due: Vec<(Ino, RemotePath, Settings)>, deadline: Deadline) -> Result<()> {
        let mut batch = Vec::with_capacity(due.len());
        for (ino, path, settings) in due {
            let path = match self.nodes.path(ino) {
                Some(path) => Some(path),
                // The kernel has forgotten it; the file is where it was.
                None => self.nodes.known(ino).is_none().then_some(path),
            };
            match path.filter(|_| !settings.is_empty()) {
                Some(path) => batch.push((ino, path, settings)),
                None => self.settings.end(ino),
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        let asked: Vec<_> = batch.iter().map(|(_, path, settings)| (path.clone(), *settings)).collect();
        let sent = self.remote.set(&asked, deadline);
        match &sent {
            Ok(outcomes) => {
                for ((ino, path, settings), outcome) in batch.iter().zip(outcomes) {
                    self.note_set(*ino, path, settings, outcome);
                }
                batch.iter().for_each(|(ino, ..)| self.settings.end(*ino));
            }
            Err(e) => {
                for (ino, path, _) in &batch {
                    if !self.settings.give_back(*ino) {
                        warn!("{path}: time or mode is not set: {e}");
                        self.nodes.doubt(*ino);
                        self.dirs.forget(self.nodes.parent(*ino));
                        self.kernel.forget_size(*ino);
                    }
                }
            }
        }
        sent.map(|_| ()).map_err(Error::from)
    }
}

impl When {
    fn or_now(self, now: SystemTime) -> SystemTime {
        match self {
            Self::Now => now,
            Self::At(time) => time,
        }
    }
}

/// What the server says about a right is the same as what it says about an ability.
fn not_permitted(error: crate::remote::Error) -> Error {
    let fault = match error.kind {
        ErrorKind::Denied | ErrorKind::NotPermitted | ErrorKind::Unsupported => ErrorKind::NotPermitted,
        kind => kind,
    };
    Error { fault: Fault::Remote(fault), source: Some(error) }
}

fn is_below(path: &RemotePath, dir: &RemotePath) -> bool {
    dir.is_root() || path.as_bytes().strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// Seconds since the epoch; what is beyond them is cut off, as a server does.
pub(super) fn whole_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let secs = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            -secs - i64::from(before.subsec_nanos() > 0)
        }
    }
}

/// How often the thread looks whether it is still needed.
const LOOK: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_cut_off_also_before_the_epoch() {
        let at = |nanos: i64| {
            let span = Duration::from_nanos(nanos.unsigned_abs());
            if nanos < 0 { SystemTime::UNIX_EPOCH - span } else { SystemTime::UNIX_EPOCH + span }
        };
        assert_eq!(whole_seconds(at(1_999_999_999)), 1);
        assert_eq!(whole_seconds(at(-1)), -1);
        assert_eq!(whole_seconds(at(-1_000_000_000)), -1);
    }
}
