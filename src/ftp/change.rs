//! What changes names: `DELE`, `RMD`, `MKD`, `SITE SYMLINK`; and what to do where the answer to one of them is lost.
//!
//! Such a command may have been carried out although its answer never came. So nothing is repeated before a look at the
//! server has shown that it was not.

use std::ops::ControlFlow;

use log::{debug, info};

use super::classify::Found;
use super::client::{Client, again};
use super::command::{Arg, Command};
use super::dialect::{Can, Skill};
use super::features::Software;
use super::pool::Claim;
use super::reply::{Class, Reply};
use super::way::Way;
use crate::base::Deadline;
use crate::remote::{Applied, Error, ErrorKind, Outcome, Remote, RemotePath, Result, Retry, Settings};

/// What came of a command that changes the server.
pub(super) enum Changed {
    /// The server has answered.
    Said(Reply),
    /// The way there was refused.
    NoWay(Reply),
    /// The answer was lost, and a look has shown that it is done.
    Seen,
}

/// How far one attempt came.
pub(super) enum Attempt<T> {
    Answered(T),
    /// There is no connection to be had.
    NoConnection(Error),
    /// Nothing that changes anything was sent.
    NotSent(Error),
    /// Sent, and perhaps done.
    Lost(Error),
}

impl Client {
    /// Removes a name that is no directory.
    pub(super) fn delete(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.meet(deadline)?;
        if self.deletes_directories() && self.is_dir(path, deadline)? {
            return Err(Error::new(ErrorKind::IsDir, "DELE"));
        }
        let way = self.way(path)?;
        self.remove(path, &way, &Command::Dele(way.arg().clone()), deadline)
    }

    /// Removes an empty directory.
    pub(super) fn delete_dir(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        let way = self.way(path)?;
        self.remove(path, &way, &Command::Rmd(way.arg().clone()), deadline)
    }

    fn remove(&self, path: &RemotePath, way: &Way, command: &Command<'_>, deadline: Deadline) -> Result<()> {
        let gone = |client: &Self| Ok(matches!(client.find(path, deadline)?, Found::Absent | Found::ParentAbsent));
        let (changed, repeated) = self.change(way, command, gone, deadline)?;
        match changed {
            Changed::Seen => Ok(()),
            Changed::Said(reply) if reply.class() == Class::Completion => Ok(()),
            Changed::NoWay(reply) => Err(self.refusal("CWD", &reply, path, deadline)),
            Changed::Said(reply) => match self.refusal(command.verb(), &reply, path, deadline) {
                // The first attempt was carried out after all.
                error if repeated && error.kind == ErrorKind::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Makes a directory.
    pub(super) fn make_directory(&self, path: &RemotePath, mode: Option<u16>, deadline: Deadline) -> Result<Outcome> {
        self.meet(deadline)?;
        let way = self.way_to_new(path)?;
        let command = Command::Mkd(way.arg().clone());
        let is_there = |client: &Self| Ok(matches!(client.find(path, deadline)?, Found::Dir));
        match self.change(&way, &command, is_there, deadline)? {
            (Changed::Seen, _) => {}
            (Changed::Said(reply), _) if reply.class() == Class::Completion => {}
            (Changed::NoWay(reply), _) => return Err(self.refusal("CWD", &reply, path, deadline)),
            (Changed::Said(reply), repeated) => match self.refusal("MKD", &reply, path, deadline) {
                error if repeated && error.kind == ErrorKind::Exists => {}
                error => return Err(error),
            },
        }
        // Not together with MKD: it would change a directory that was there already.
        let settings = Settings { mode, mtime: None };
        Ok(self.set_later(path, &settings, deadline))
    }

    /// Sets what could not travel with something else. The change itself is done: that this fails is no failure of it.
    pub(super) fn set_later(&self, path: &RemotePath, settings: &Settings, deadline: Deadline) -> Outcome {
        if settings.is_empty() {
            return Outcome::default();
        }
        match self.set_all(&[(path.clone(), *settings)], deadline) {
            Ok(mut outcomes) => outcomes.pop().unwrap_or_default(),
            Err(e) => {
                let refused = |wanted| if wanted { Applied::Refused(e.clone()) } else { Applied::Nothing };
                Outcome { mtime: refused(settings.mtime.is_some()), mode: refused(settings.mode.is_some()) }
            }
        }
    }

    /// Makes a symlink.
    pub(super) fn make_symlink(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<()> {
        self.meet(deadline)?;
        let unsupported = || Error::new(ErrorKind::Unsupported, "SITE SYMLINK");
        let relative = !target.starts_with(b"/");
        let can = |skill| self.dialect.can(skill) != Can::No;
        if relative && self.dialect.software() == Software::ProFtpd {
            // It looks for them from its root and stores that path: `/hello.txt` for `../hello.txt`.
            return Err(unsupported());
        }
        if !can(Skill::SiteSymlink) || (relative && !can(Skill::LinkTargets)) {
            return Err(unsupported());
        }
        let way = self.way_to_new(path)?;
        let sent = Arg::new(target.to_vec()).map_err(|_| Error::new(ErrorKind::NameInvalid, "SITE SYMLINK"))?;
        // The two are parted by a blank.
        if [sent.as_bytes(), way.arg().as_bytes()].iter().any(|part| part.contains(&b' ')) || way.is_long() {
            return Err(unsupported());
        }
        let command = Command::SiteSymlink(sent, way.arg().clone());
        let is_there = |client: &Self| Ok(matches!(client.find(path, deadline)?, Found::Link));
        match self.change(&way, &command, is_there, deadline)? {
            (Changed::Seen, _) => {}
            (Changed::Said(reply), _) if reply.class() == Class::Completion => {
                self.dialect.learn(Skill::SiteSymlink, Can::Yes);
            }
            (Changed::NoWay(reply) | Changed::Said(reply), _) => {
                let error = self.refusal("SITE SYMLINK", &reply, path, deadline);
                // ProFTPD makes no links that lead nowhere.
                return Err(if error.kind == ErrorKind::NotFound { unsupported() } else { error });
            }
        }
        if relative && self.dialect.can(Skill::LinkTargets) != Can::Yes {
            let right = self.leads_to(path, target, deadline)?;
            self.dialect.learn(Skill::LinkTargets, if right { Can::Yes } else { Can::No });
            if !right {
                // ProFTPD 1.3.8 makes `/hello.txt` of `../hello.txt`.
                info!("SITE SYMLINK changes relative targets: not used for them");
                self.delete(path, deadline)?;
                return Err(unsupported());
            }
        }
        Ok(())
    }

    fn leads_to(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<bool> {
        let Some((parent, name)) = path.split() else { return Ok(false) };
        let mut right = false;
        self.links(&parent, deadline, &mut |link, to| right |= link == name && to == target)?;
        Ok(right)
    }

    /// Takes `way` and sends `command`, and again as long as that is sure not to do it twice. The answer comes with
    /// whether an earlier attempt may have reached the server.
    ///
    /// `done` looks whether it has been carried out.
    fn change(
        &self,
        way: &Way,
        command: &Command<'_>,
        done: impl Fn(&Self) -> Result<bool>,
        deadline: Deadline,
    ) -> Result<(Changed, bool)> {
        let found = self.change_by(done, deadline, || {
            let mut lease = match self.pool.acquire(&Claim::Metadata, deadline) {
                Ok(lease) => lease,
                Err(e) => return (Attempt::NoConnection(e), false),
            };
            let reused = lease.reused;
            let control = lease.control_mut();
            let attempt = match way.walk(control, deadline) {
                Err(e) => Attempt::NotSent(e),
                Ok(Some(reply)) => Attempt::Answered(Changed::NoWay(reply)),
                Ok(None) => match control.transact(command, deadline) {
                    Ok(reply) => Attempt::Answered(Changed::Said(reply)),
                    Err(e) => Attempt::after_sending(e),
                },
            };
            if matches!(attempt, Attempt::Answered(_)) {
                lease.put_back();
            }
            (attempt, reused)
        })?;
        Ok(match found {
            (Some(changed), repeated) => (changed, repeated),
            (None, repeated) => (Changed::Seen, repeated),
        })
    }

    /// Calls `attempt`, which says also whether its connection was a used one, until there is an answer, or `done` says
    /// that none is needed.
    pub(super) fn change_by<T>(
        &self,
        done: impl Fn(&Self) -> Result<bool>,
        deadline: Deadline,
        mut attempt: impl FnMut() -> (Attempt<T>, bool),
    ) -> Result<(Option<T>, bool)> {
        let (mut fresh_failures, mut repeated) = (0, false);
        loop {
            let (came, reused) = attempt();
            let error = match came {
                Attempt::Answered(answer) => return Ok((Some(answer), repeated)),
                Attempt::NoConnection(e) => return Err(e),
                Attempt::NotSent(e) => e,
                Attempt::Lost(e) => {
                    repeated = true;
                    debug!("{e}: looking whether it was done");
                    if e.kind == ErrorKind::Unreachable && reused {
                        self.pool.distrust();
                    }
                    match done(self) {
                        Ok(true) => return Ok((None, repeated)),
                        Ok(false) => {}
                        // Nobody can tell: what went wrong first says more.
                        Err(_) => return Err(e.with_retry(Retry::Never)),
                    }
                    e
                }
            };
            fresh_failures += u32::from(!reused);
            if reused && error.kind == ErrorKind::Unreachable {
                self.pool.distrust();
            }
            if !again(&error, fresh_failures, deadline) {
                return Err(error);
            }
            debug!("{error}: once more on another connection");
        }
    }

    /// Whether `DELE` may remove an empty directory, as that of inetutils does.
    fn deletes_directories(&self) -> bool {
        match self.dialect.software() {
            Software::Inetutils => true,
            Software::Unknown => self.dialect.can(Skill::Mlst) != Can::Yes,
            Software::Vsftpd | Software::ProFtpd | Software::PureFtpd | Software::Pyftpdlib => false,
        }
    }

    /// Whether `path` is a directory: `CWD` rules out most of what is none.
    pub(super) fn is_dir(&self, path: &RemotePath, deadline: Deadline) -> Result<bool> {
        let reply = self.ask(path, deadline, Command::Cwd)?;
        if reply.class() != Class::Completion {
            return Ok(false);
        }
        // It may be a link to one.
        Ok(matches!(self.find(path, deadline)?, Found::Dir | Found::Unknown | Found::Unlisted))
    }

    /// Whether the directory `path` has something in it.
    pub(super) fn look_inside(&self, path: &RemotePath, deadline: Deadline) -> Result<Found> {
        let found = self.find(path, deadline)?;
        if !matches!(found, Found::Dir | Found::Unlisted | Found::Unknown) {
            return Ok(found);
        }
        let mut full = false;
        let listed = self.list(path, deadline, &mut |_| {
            full = true;
            ControlFlow::Break(())
        });
        match listed {
            _ if full => Ok(Found::FullDir),
            Ok(_) => Ok(Found::Dir),
            Err(_) => Ok(found),
        }
    }

    /// Whether the server's disk is full: only Pure-FTPd was seen to know.
    pub(super) fn look_for_space(&self, deadline: Deadline) -> Result<Found> {
        let reply = self.with_lease(&Claim::Metadata, deadline, |lease| {
            lease.control_mut().transact(&Command::Allo(SOME_SPACE), deadline)
        })?;
        Ok(if matches!(reply.code.get(), 452 | 552) { Found::Full } else { Found::Unknown })
    }
}

impl<T> Attempt<T> {
    /// For an error while the answer to a change was awaited. A line that was too long was never sent; a 421 says that
    /// the server is leaving, and did nothing.
    pub(super) fn after_sending(error: Error) -> Self {
        let refused = error.reply.as_ref().is_some_and(|reply| reply.starts_with("421"));
        if error.kind == ErrorKind::NameTooLong || refused { Self::NotSent(error) } else { Self::Lost(error) }
    }
}

/// A disk that has no room for this is full, whatever the file.
const SOME_SPACE: u64 = 1 << 20;
