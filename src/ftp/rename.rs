//! `RNFR` and `RNTO`, with the settings of what is renamed in the same segment; and renaming the target aside where a
//! server replaces nothing.

use log::{info, warn};

use super::change::Attempt;
use super::classify::{Found, Look, Verdict, classify, refusal};
use super::client::{Client, is_too_long};
use super::command::Command;
use super::dialect::{Can, Skill};
use super::pool::Claim;
use super::reply::{Class, Reply};
use super::settings::Setting;
use super::way::Both;
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Outcome, Remote as _, RemotePath, Result, Settings, temporary_name};

/// What the server has answered to one rename.
enum Said<'a> {
    NoWay(Reply),
    Said { setting: Setting<'a>, from: Reply, to: Reply },
}

impl Client {
    /// Gives `from` the name `to`, also where the server refuses to replace what is there.
    pub(super) fn rename_over(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Outcome> {
        self.meet(deadline)?;
        if from == to {
            return self.find(from, deadline).and_then(|found| match found {
                Found::Absent | Found::ParentAbsent => Err(Error::new(ErrorKind::NotFound, "RNFR")),
                _ => Ok(self.set_later(from, settings, deadline)),
            });
        }
        if self.dialect.can(Skill::Replace) == Can::No && is_leaf(self.find(to, deadline)?) {
            let source = self.find(from, deadline)?;
            if is_leaf(source) {
                return self.rename_aside(from, to, settings, false, deadline);
            }
        }
        let error = match self.rename_once(from, to, settings, deadline)? {
            Ok(outcome) => return Ok(outcome),
            Err(refused) => refused,
        };
        self.after_refusal(from, to, settings, error, deadline)
    }

    /// What to do where a rename was refused: perhaps because there is something at `to`.
    fn after_refusal(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        settings: &Settings,
        (verb, reply): (&'static str, Reply),
        deadline: Deadline,
    ) -> Result<Outcome> {
        if verb != "RNTO" {
            return Err(self.refusal(verb, &reply, from, deadline));
        }
        let sent = |path| self.names.send(path).unwrap_or_default();
        let verdict = classify("RNTO", &reply, &[sent(from), sent(to)].concat());
        if matches!(verdict, Verdict::Ask(_)) && is_too_long(&sent(to)) {
            return Err(refusal("RNTO", &reply, ErrorKind::NameTooLong));
        }
        let doubtful = match verdict {
            Verdict::Sure(kind) => matches!(kind, ErrorKind::Exists | ErrorKind::Denied | ErrorKind::Busy),
            Verdict::Ask(_) => true,
        };
        if !doubtful {
            let kind = self.settled(verdict, from, to, deadline);
            return Err(refusal("RNTO", &reply, kind));
        }
        let (source, target) = (self.find(from, deadline)?, self.look_inside(to, deadline)?);
        // ProFTPD without AllowOverwrite says `550 d: Rename permission denied` whatever is there.
        let in_the_way = match (source, target) {
            (Found::Dir | Found::FullDir, Found::FullDir) => Some(ErrorKind::NotEmpty),
            (Found::Dir | Found::FullDir, target) if is_leaf(target) => Some(ErrorKind::NotDir),
            (source, Found::Dir | Found::FullDir) if is_leaf(source) => Some(ErrorKind::IsDir),
            _ => None,
        };
        if let (Verdict::Sure(_), Some(kind)) = (verdict, in_the_way) {
            return Err(refusal("RNTO", &reply, kind));
        }
        // rename(2) lets a directory take the place of an empty one.
        let of_dirs = matches!(source, Found::Dir | Found::FullDir) && target == Found::Dir;
        if of_dirs && let Ok(outcome) = self.rename_aside(from, to, settings, true, deadline) {
            return Ok(outcome);
        }
        let replaced = if is_leaf(target) && is_leaf(source) {
            self.rename_aside(from, to, settings, false, deadline).ok()
        } else {
            None
        };
        if let Some(outcome) = replaced {
            info!("the server does not replace files by RNTO ({}): they are renamed aside", reply.text());
            self.dialect.learn(Skill::Replace, Can::No);
            return Ok(outcome);
        }
        Err(refusal("RNTO", &reply, self.settled(verdict, from, to, deadline)))
    }

    fn settled(&self, verdict: Verdict, from: &RemotePath, to: &RemotePath, deadline: Deadline) -> ErrorKind {
        let question = match verdict {
            Verdict::Sure(kind) => return kind,
            Verdict::Ask(question) => question,
        };
        let look = |path| self.look_inside(path, deadline);
        match question.look {
            Look::Target => match (self.find(from, deadline), look(to)) {
                (Ok(source), Ok(target)) => question.settle_rename(from, source, to, target),
                (Err(e), _) | (_, Err(e)) => e.kind,
            },
            Look::Parent | Look::Inside | Look::Space => self.explain(question, to, deadline),
        }
    }

    /// One `RNFR` and `RNTO`; the verb and the reply that refused it.
    fn rename_once(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<std::result::Result<Outcome, (&'static str, Reply)>> {
        let both = self.way_of_both(from, to)?;
        let moved = |client: &Self| {
            let gone = matches!(client.find(from, deadline)?, Found::Absent | Found::ParentAbsent);
            Ok(gone && !matches!(client.find(to, deadline)?, Found::Absent | Found::ParentAbsent))
        };
        let (said, repeated) = self.change_by(moved, deadline, || self.try_rename(&both, settings, deadline))?;
        let (setting, from_reply, to_reply) = match said {
            // Its settings may not have arrived.
            None => return Ok(Ok(self.set_later(to, settings, deadline))),
            Some(Said::NoWay(reply)) => return Ok(Err(("CWD", reply))),
            Some(Said::Said { setting, from, to }) => (setting, from, to),
        };
        if from_reply.class() != Class::Intermediate && from_reply.class() != Class::Completion {
            // The first attempt was carried out after the look.
            if repeated && moved(self)? {
                return Ok(Ok(self.set_later(to, settings, deadline)));
            }
            return Ok(Err(("RNFR", from_reply)));
        }
        if to_reply.class() != Class::Completion {
            return Ok(Err(("RNTO", to_reply)));
        }
        Ok(Ok(setting.outcome(self, to, deadline)))
    }

    fn try_rename<'a>(&self, both: &'a Both, settings: &Settings, deadline: Deadline) -> (Attempt<Said<'a>>, bool) {
        let mut lease = match self.pool.acquire(&Claim::Metadata, deadline) {
            Ok(lease) => lease,
            Err(e) => return (Attempt::NoConnection(e), false),
        };
        let reused = lease.reused;
        let control = lease.control_mut();
        let walked = both.dir.as_ref().map_or(Ok(None), |dir| dir.walk(control, deadline));
        let prepared = match walked {
            Err(e) => return (Attempt::NotSent(e), reused),
            Ok(Some(reply)) => {
                lease.put_back();
                return (Attempt::Answered(Said::NoWay(reply)), reused);
            }
            Ok(None) => self.prepare(control, &both.from, settings, false, deadline),
        };
        let mut setting = match prepared {
            Ok(setting) => setting,
            // Settings may be sent twice.
            Err(e) => return (Attempt::NotSent(e), reused),
        };
        // RNTO right behind RNFR: inetutils forgets it otherwise.
        let mut commands = setting.commands().to_vec();
        commands.extend([Command::Rnfr(both.from.clone()), Command::Rnto(both.to.clone())]);
        let mut replies = match control.pipeline(&commands, deadline) {
            Ok(replies) => replies,
            Err(e) => return (Attempt::after_sending(e), reused),
        };
        let (Some(to), Some(from)) = (replies.pop(), replies.pop()) else {
            return (Attempt::Lost(Error::new(ErrorKind::Protocol, "RNTO")), reused);
        };
        setting.hear(self, &replies);
        // Where RNTO was refused, the server may still wait for one: the next rename would move this file instead.
        if from.class() != Class::Intermediate || to.class() == Class::Completion {
            lease.put_back();
        }
        (Attempt::Answered(Said::Said { setting, from, to }), reused)
    }

    /// Renames what is at `to` aside, `from` to `to`, and removes what was there; puts it back where that fails.
    fn rename_aside(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        settings: &Settings,
        of_dirs: bool,
        deadline: Deadline,
    ) -> Result<Outcome> {
        let Some((parent, _)) = to.split() else { return Err(Error::new(ErrorKind::Busy, "RNTO")) };
        let aside = parent.join(&temporary_name("old"));
        let judged = |(verb, reply): (&'static str, Reply), about| self.refusal(verb, &reply, about, deadline);
        let nothing = Settings::default();
        self.rename_once(to, &aside, &nothing, deadline)?.map_err(|refused| judged(refused, to))?;
        match self.rename_once(from, to, settings, deadline) {
            Ok(Ok(outcome)) => {
                let removed =
                    if of_dirs { self.remove_dir(&aside, deadline) } else { self.delete(&aside, deadline).map(drop) };
                if let Err(e) = removed {
                    warn!("{aside}, which was replaced, could not be removed: {e}");
                }
                Ok(outcome)
            }
            failed => {
                // At once: until then there is nothing at `to`.
                let soon = Deadline::after(self.timeout);
                let back = self.rename_once(&aside, to, &nothing, soon);
                if let Err(worse) = back.and_then(|back| back.map_err(|refused| judged(refused, &aside))) {
                    warn!("{to} is called {aside} now, and could not be renamed back: {worse}");
                }
                failed?.map_err(|refused| judged(refused, from))
            }
        }
    }
}

/// Whether it is there and no directory.
fn is_leaf(found: Found) -> bool {
    matches!(found, Found::File | Found::Link | Found::Other)
}
