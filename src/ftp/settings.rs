//! Times and modes: which of a server's verbs sets them, found out once, and what its answers mean.
//!
//! A verb that the server has not shown to know is sent alone, and with it what is really to be set: nothing is asked
//! for the sake of asking. Once known it travels with whatever else goes out.

use log::{debug, info};

use super::classify::{Found, MDTM_SET, Verdict, classify, knows, refusal};
use super::client::Client;
use super::command::{Arg, Command, TimeVal};
use super::control::Control;
use super::dialect::{Can, Skill};
use super::listing::time::parse_mdtm;
use super::pool::Claim;
use super::reply::{Class, Reply};
use crate::base::Deadline;
use crate::remote::{Applied, Error, ErrorKind, Kind, Outcome, RemotePath, Result, Settings};

/// What is left to be sent of some settings, and what has come of the rest.
pub(super) struct Setting<'a> {
    commands: Vec<Command<'a>>,
    mtime: Heard,
    mode: Heard,
}

/// What the server has said so far of one setting.
enum Heard {
    /// It was not asked for.
    Nothing,
    /// Its command is among those to be sent.
    Pending,
    Done,
    Cannot,
    /// It cannot be sent.
    Failed(Error),
    Refused(&'static str, Reply),
}

impl<'a> Setting<'a> {
    /// The commands to be sent, at most two.
    pub(super) fn commands(&self) -> &[Command<'a>] {
        &self.commands
    }

    /// Takes the replies to [`commands`](Self::commands).
    pub(super) fn hear(&mut self, client: &Client, replies: &[Reply]) {
        for (command, reply) in self.commands.iter().zip(replies) {
            client.dialect.hear(command.verb(), reply);
            let heard = Heard::of(command, reply);
            if matches!(command, Command::SiteChmod(..)) { self.mode = heard } else { self.mtime = heard }
        }
    }

    /// What came of it. Takes a look where the server's words leave it open: no connection may be held meanwhile.
    pub(super) fn outcome(self, client: &Client, path: &RemotePath, deadline: Deadline) -> Outcome {
        let applied = |heard| match heard {
            Heard::Nothing | Heard::Pending => Applied::Nothing,
            Heard::Done => Applied::Done,
            Heard::Cannot => Applied::Cannot,
            Heard::Failed(error) => Applied::Refused(error),
            Heard::Refused(verb, reply) => client.not_set(verb, &reply, path, deadline),
        };
        Outcome { mtime: applied(self.mtime), mode: applied(self.mode) }
    }
}

impl Heard {
    fn of(command: &Command<'_>, reply: &Reply) -> Self {
        match reply.class() {
            Class::Completion => Self::Done,
            _ if reply.class() == Class::Permanent && matches!(reply.code.get(), 500 | 502 | 504) => Self::Cannot,
            _ => Self::Refused(command.verb(), reply.clone()),
        }
    }
}

impl Client {
    /// Whether times can be set; None where that is not known yet.
    pub(super) fn sets_times(&self) -> Option<bool> {
        self.best(&TIME_SKILLS)
    }

    /// Whether nothing has to be found out before a time is set.
    pub(super) fn knows_how_to_set_times(&self) -> bool {
        let first = TIME_SKILLS.into_iter().map(|skill| self.dialect.can(skill)).find(|can| *can != Can::No);
        first != Some(Can::Unknown)
    }

    /// Whether one of `skills` is there; None where that is not known yet.
    pub(super) fn best(&self, skills: &[Skill]) -> Option<bool> {
        let can = |wanted| skills.iter().any(|skill| self.dialect.can(*skill) == wanted);
        if can(Can::Yes) { Some(true) } else { (!can(Can::Unknown)).then_some(false) }
    }

    /// What is to be sent for `settings` of the file `arg`; sends alone what the server has not shown to know.
    ///
    /// `own`: the file is known to be a file of ours, so that what is refused is refused everywhere.
    pub(super) fn prepare<'a>(
        &self,
        control: &mut Control,
        arg: &Arg<'a>,
        settings: &Settings,
        own: bool,
        deadline: Deadline,
    ) -> Result<Setting<'a>> {
        let mut setting = Setting { commands: Vec::with_capacity(2), mtime: Heard::Nothing, mode: Heard::Nothing };
        if let Some(secs) = settings.mtime {
            setting.mtime = self.prepare_time(control, arg, secs, own, &mut setting.commands, deadline)?;
        }
        if let Some(mode) = settings.mode {
            let command = Command::SiteChmod(mode & 0o7777, arg.clone());
            setting.mode = match self.dialect.can(Skill::SiteChmod) {
                Can::No => Heard::Cannot,
                Can::Yes => {
                    setting.commands.push(command);
                    Heard::Pending
                }
                Can::Unknown => {
                    let reply = control.transact(&command, deadline)?;
                    self.learn_verb(Skill::SiteChmod, &command, &reply);
                    Heard::of(&command, &reply)
                }
            };
        }
        Ok(setting)
    }

    fn prepare_time<'a>(
        &self,
        control: &mut Control,
        arg: &Arg<'a>,
        secs: i64,
        own: bool,
        commands: &mut Vec<Command<'a>>,
        deadline: Deadline,
    ) -> Result<Heard> {
        let mut refused = None;
        for skill in TIME_SKILLS {
            let can = self.dialect.can(skill);
            if can == Can::No {
                continue;
            }
            let Some(command) = self.time_command(skill, secs, arg) else {
                return Ok(Heard::Failed(Error::new(ErrorKind::Invalid, "set a time")));
            };
            if can == Can::Yes {
                commands.push(command);
                return Ok(Heard::Pending);
            }
            let reply = control.transact(&command, deadline)?;
            match self.try_time(control, skill, &command, &reply, (secs, own), deadline)? {
                Heard::Done => return Ok(Heard::Done),
                Heard::Refused(verb, reply) if self.dialect.can(skill) == Can::Yes => {
                    return Ok(Heard::Refused(verb, reply));
                }
                Heard::Refused(verb, reply) => refused = Some(Heard::Refused(verb, reply)),
                _ => {}
            }
        }
        // What may still prove to be a way keeps its refusal; else there is none.
        Ok(refused.filter(|_| self.sets_times().is_none()).unwrap_or(Heard::Cannot))
    }

    /// Learns from the first answer to a command that sets a time.
    fn try_time(
        &self,
        control: &mut Control,
        skill: Skill,
        command: &Command<'_>,
        reply: &Reply,
        (secs, own): (i64, bool),
        deadline: Deadline,
    ) -> Result<Heard> {
        match (skill, reply.class()) {
            (Skill::MdtmSet, Class::Completion) => {
                // A server that takes it for a name may know such a file, and tells its time.
                let told = parse_mdtm(reply).is_some_and(|told| told.secs != self.dialect.to_mdtm(secs));
                let Command::MdtmSet(_, arg) = command else { return Ok(Heard::Cannot) };
                let back = if told { None } else { Some(control.transact(&Command::Mdtm(arg.clone()), deadline)?) };
                let right = back.and_then(|back| self.dialect.mdtm(&back)).is_some_and(|stamp| stamp.secs == secs);
                debug!("MDTM sets times: {right}");
                self.dialect.learn(skill, if right { Can::Yes } else { Can::No });
                return Ok(if right { Heard::Done } else { Heard::Cannot });
            }
            // Taken for a name, switched off, or not for this file: only a file of ours tells.
            (Skill::MdtmSet, Class::Permanent) if own || knows("MDTM", reply) == Some(false) => {
                self.dialect.learn(skill, Can::No);
            }
            (Skill::MdtmSet, _) => {}
            // The other form may be the one.
            (Skill::SiteUtime, Class::Permanent) if reply.code.get() == 501 => self.dialect.learn(skill, Can::No),
            _ => self.learn_verb(skill, command, reply),
        }
        Ok(Heard::of(command, reply))
    }

    fn learn_verb(&self, skill: Skill, command: &Command<'_>, reply: &Reply) {
        let has = match reply.code.get() {
            // The parameter that is not known is the second word.
            504 if command.verb().starts_with("SITE") => Some(false),
            _ => knows(command.verb(), reply),
        };
        if let Some(has) = has {
            info!("the server {} {}", if has { "knows" } else { "does not know" }, command.verb());
            self.dialect.learn(skill, if has { Can::Yes } else { Can::No });
        }
    }

    fn time_command<'a>(&self, skill: Skill, secs: i64, arg: &Arg<'a>) -> Option<Command<'a>> {
        let (time, arg) = (TimeVal::new(secs)?, arg.clone());
        Some(match skill {
            Skill::Mfmt => Command::Mfmt(time, arg),
            Skill::MdtmSet => Command::MdtmSet(TimeVal::new(self.dialect.to_mdtm(secs))?, arg),
            Skill::SiteUtime => Command::SiteUtime(time, arg),
            _ => Command::SiteUtimeShort(time, arg),
        })
    }

    /// What a refused setting means.
    fn not_set(&self, verb: &'static str, reply: &Reply, path: &RemotePath, deadline: Deadline) -> Applied {
        let kind = match classify(verb, reply, &self.names.send(path).unwrap_or_default()) {
            Verdict::Sure(kind) => kind,
            // Directories are what pyftpdlib's MFMT and vsftpd's MDTM cannot set.
            Verdict::Ask(question) => question.settle(match crate::remote::Remote::stat(self, path, deadline) {
                Ok(meta) if meta.kind == Kind::Dir => Found::Dir,
                Ok(_) => Found::File,
                Err(e) if e.kind == ErrorKind::NotFound => Found::Absent,
                Err(_) => Found::Unknown,
            }),
        };
        match kind {
            // Of a file, while nobody knows of a better way: it is this file that is refused.
            ErrorKind::Unsupported
                if verb == MDTM_SET && self.sets_times().is_none() && !self.is_dir(path, deadline).unwrap_or(true) =>
            {
                Applied::Refused(refusal(verb, reply, ErrorKind::Denied))
            }
            ErrorKind::Unsupported => Applied::Cannot,
            kind => Applied::Refused(refusal(verb, reply, kind)),
        }
    }

    /// Sets times and modes of many files, pipelined.
    pub(super) fn set_all(&self, files: &[(RemotePath, Settings)], deadline: Deadline) -> Result<Vec<Outcome>> {
        self.meet(deadline)?;
        let ways: Vec<_> = files.iter().map(|(path, _)| self.way(path)).collect();
        let settings = self.with_lease(&Claim::Metadata, deadline, |lease| {
            let control = lease.control_mut();
            let mut all: Vec<Option<Setting<'_>>> = Vec::with_capacity(files.len());
            let mut waiting = Vec::new();
            for ((_, settings), way) in files.iter().zip(&ways) {
                let Some(way) = way.as_ref().ok().filter(|_| !settings.is_empty()) else {
                    all.push(None);
                    continue;
                };
                if way.is_long() && way.walk(control, deadline)?.is_some() {
                    all.push(None);
                    continue;
                }
                let mut setting = self.prepare(control, way.arg(), settings, false, deadline)?;
                if way.is_long() {
                    // What is relative has to go out before the next one walks on.
                    let replies = control.pipeline(setting.commands(), deadline)?;
                    setting.hear(self, &replies);
                } else {
                    waiting.push(all.len());
                }
                all.push(Some(setting));
            }
            let commands: Vec<_> =
                waiting.iter().filter_map(|at| all[*at].as_ref()).flat_map(|s| s.commands().iter().cloned()).collect();
            let mut replies = control.pipeline(&commands, deadline)?.into_iter();
            for at in waiting {
                if let Some(setting) = &mut all[at] {
                    let own: Vec<_> = replies.by_ref().take(setting.commands().len()).collect();
                    setting.hear(self, &own);
                }
            }
            Ok(all)
        })?;
        let mut outcomes = Vec::with_capacity(files.len());
        for (((path, wanted), way), setting) in files.iter().zip(&ways).zip(settings) {
            outcomes.push(match (setting, way) {
                (Some(setting), _) => setting.outcome(self, path, deadline),
                (None, Err(e)) => all_refused(wanted, e),
                (None, Ok(_)) => all_refused(wanted, &Error::new(ErrorKind::NotFound, "CWD")),
            });
        }
        Ok(outcomes)
    }
}

/// None of `settings` could be sent.
fn all_refused(settings: &Settings, error: &Error) -> Outcome {
    let refused = |wanted| if wanted { Applied::Refused(error.clone()) } else { Applied::Nothing };
    Outcome { mtime: refused(settings.mtime.is_some()), mode: refused(settings.mode.is_some()) }
}

/// What sets times, the best first.
const TIME_SKILLS: [Skill; 4] = [Skill::Mfmt, Skill::MdtmSet, Skill::SiteUtime, Skill::SiteUtimeShort];
