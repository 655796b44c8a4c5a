//! After the final reply of an upload: one flight that sets what is to be set, compares the size, and asks for the data
//! channel of the next transfer.

use log::debug;

use super::client::Client;
use super::command::Command;
use super::control::Control;
use super::dialect::{Can, Skill};
use super::features::Software;
use super::listing::mlsd::parse_mlst;
use super::listing::time::{parse_mdtm, parse_size};
use super::pool::{Claim, Lease};
use super::reply::{Class, Reply};
use super::settings::Setting;
use super::transfer::{known, read_version, version_commands};
use super::upload::WRONG_SIZE;
use super::way::Way;
use super::zone::{Given, Zone, is_mdtm_of_now_local, offset};
use crate::base::Deadline;
use crate::remote::{Error, ErrorKind, Meta, Remote, RemotePath, Result, Retry, Settings, Stored, Version};

/// What is asked after an upload.
pub(super) struct Asked<'a> {
    setting: Setting<'a>,
    asks: Vec<Command<'a>>,
    ahead: Option<Command<'a>>,
}

impl<'a> Asked<'a> {
    /// All of it, in order.
    pub(super) fn commands(&self) -> Vec<Command<'a>> {
        self.setting.commands().iter().chain(&self.asks).chain(&self.ahead).cloned().collect()
    }
}

/// Questions that were asked early, and their answers.
pub(super) struct Told<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) replies: Result<Vec<Reply>>,
}

/// A file whose bytes are all sent.
pub(super) struct Sent<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) way: &'a Way,
    /// What is to be set.
    pub(super) settings: &'a Settings,
    /// Bytes that it must have.
    pub(super) size: u64,
}

/// What the server has said of a file that was stored.
struct Checked<'a> {
    setting: Setting<'a>,
    version: Option<Version>,
    mode: Option<u16>,
}

impl Client {
    /// Sets what is to be set of `file`, which has been stored on `lease`, and compares its size.
    pub(super) fn settle(
        &self,
        mut lease: Lease,
        file: &Sent<'_>,
        told: Option<Told<'_>>,
        deadline: Deadline,
    ) -> Result<Stored> {
        let Sent { path, way, settings, size } = *file;
        let checked = match told {
            Some(Told { asked, replies }) => replies.map(|replies| self.take_in(lease.control_mut(), asked, &replies)),
            None => self.check(lease.control_mut(), way, settings, true, deadline),
        };
        let checked = match checked {
            Ok(checked) => {
                lease.put_back();
                checked
            }
            Err(e) if e.retry == Retry::Never || deadline.passed() => return Err(e),
            // The file is there; all of this can be asked and set again.
            Err(e) => {
                debug!("{e}: comparing on another connection");
                drop(lease);
                self.with_lease(&Claim::Metadata, deadline, |lease| {
                    let control = lease.control_mut();
                    if let Some(reply) = way.walk(control, deadline)? {
                        return Err(super::classify::refusal("CWD", &reply, ErrorKind::Unreachable));
                    }
                    self.check(control, way, settings, false, deadline)
                })?
            }
        };
        let Checked { setting, mut version, mode } = checked;
        let outcome = setting.outcome(self, path, deadline);
        let found = match &version {
            Some(version) => Some(version.size),
            None => self.listed_size(path, deadline)?,
        };
        if let Some(found) = found.filter(|found| *found != size) {
            let text = std::io::Error::other(format!("{size} bytes were sent, and the server has {found}"));
            return Err(Error::new(ErrorKind::Unreachable, WRONG_SIZE).because(text).with_retry(Retry::Safe));
        }
        if version.is_none() && found.is_some() {
            version = Some(Version { size, mtime: None, unique: None });
        }
        Ok(Stored { version, mode, outcome })
    }

    fn check<'a>(
        &self,
        control: &mut Control,
        way: &'a Way,
        settings: &Settings,
        ahead: bool,
        deadline: Deadline,
    ) -> Result<Checked<'a>> {
        let arg = way.arg();
        let by_clock = ahead && self.mdtm_clock_is_open();
        if by_clock && settings.mtime.is_some() {
            // Before it is set, the time of a new file tells by which clock that must be done.
            let command = Command::Mdtm(arg.clone());
            if known(control, Skill::Mdtm, &command, deadline)? {
                self.learn_mdtm_clock(&control.transact(&command, deadline)?);
            }
        }
        let asked = self.questions(control, way, settings, ahead, deadline)?;
        let replies = control.pipeline(&asked.commands(), deadline)?;
        if by_clock && settings.mtime.is_none() {
            let skip = asked.setting.commands().len();
            let told = asked.asks.iter().zip(&replies[skip..]).find(|(ask, _)| matches!(ask, Command::Mdtm(_)));
            told.into_iter().for_each(|(_, reply)| self.learn_mdtm_clock(reply));
        }
        Ok(self.take_in(control, asked, &replies))
    }

    /// What is to be asked; finds out alone what the server has not shown to know.
    pub(super) fn questions<'a>(
        &self,
        control: &mut Control,
        way: &'a Way,
        settings: &Settings,
        ahead: bool,
        deadline: Deadline,
    ) -> Result<Asked<'a>> {
        let arg = way.arg();
        let setting = self.prepare(control, arg, settings, true, deadline)?;
        let mut asks = version_commands(control, arg, deadline)?;
        // ProFTPD's MLST gives the size of a link, where STOR has followed it.
        let sized = Command::Size(arg.clone());
        if !asks.contains(&sized) && known(control, Skill::Size, &sized, deadline)? {
            asks.push(sized);
        }
        let ahead = self.opener().asks_ahead(control).filter(|_| ahead);
        Ok(Asked { setting, asks, ahead })
    }

    /// Sends the questions before the final reply of the transfer has come, where that is safe: vsftpd reads them when it is
    /// done, and takes two round trips to be done, because it waits until its end of the data connection is acknowledged.
    /// Others would answer in the middle of it (pyftpdlib), or break it off (Pure-FTPd).
    pub(super) fn ask_early<'a>(
        &self,
        control: &mut Control,
        way: &'a Way,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Option<Asked<'a>>> {
        let patient = self.dialect.software() == Software::Vsftpd && self.dialect.burst() != Can::No;
        if !patient || !self.foresees(settings) {
            return Ok(None);
        }
        let asked = self.questions(control, way, settings, true, deadline)?;
        control.send(&asked.commands(), deadline)?;
        Ok(Some(asked))
    }

    /// Whether all that is asked and set behind an upload is known to be understood, so that nothing has to be tried alone.
    pub(super) fn foresees(&self, settings: &Settings) -> bool {
        let decided = |skill| self.dialect.can(skill) != Can::Unknown;
        decided(Skill::Mlst)
            && decided(Skill::Size)
            && decided(Skill::Mdtm)
            && (settings.mtime.is_none() || self.knows_how_to_set_times())
            && (settings.mode.is_none() || decided(Skill::SiteChmod))
            && !self.mdtm_clock_is_open()
    }

    /// The size that `replies` tell.
    pub(super) fn size_said(&self, asked: &Asked<'_>, replies: &[Reply]) -> Option<u64> {
        let asks = replies.get(asked.setting.commands().len()..)?;
        self.read_check(&asked.asks, asks).0.map(|version| version.size)
    }

    fn take_in<'a>(&self, control: &mut Control, asked: Asked<'a>, replies: &[Reply]) -> Checked<'a> {
        let Asked { mut setting, asks, ahead } = asked;
        let (set, rest) = replies.split_at(setting.commands().len().min(replies.len()));
        setting.hear(self, set);
        if let (Some(_), Some(reply)) = (&ahead, rest.last()) {
            self.opener().open_ahead(control, reply);
        }
        let (version, mode) = self.read_check(&asks, rest);
        Checked { setting, version, mode }
    }

    /// Whether the user has named the server's zone, and it is not known whether `MDTM` is in it.
    fn mdtm_clock_is_open(&self) -> bool {
        matches!(self.dialect.zone(), Zone::Given(Given { mdtm_local: None, .. }))
    }

    /// Learns from the time of a file that has just been stored.
    fn learn_mdtm_clock(&self, reply: &Reply) {
        let (Some(told), now) = (parse_mdtm(reply), self.now()) else { return };
        // vsftpd looks at its clock's offset once and takes it for all dates.
        let one_for_all = self.dialect.software() == Software::Vsftpd;
        self.dialect.learn_zone(|known| {
            if let Zone::Given(known) = known {
                known.mdtm_local = known.mdtm_local.or_else(|| is_mdtm_of_now_local(told.secs, &known.zone, now));
                if one_for_all && known.one_for_all.is_none() {
                    known.today = Some(offset(&known.zone, now));
                }
            }
        });
    }

    /// The version that `replies` to `asks` tell, and the mode.
    fn read_check(&self, asks: &[Command<'_>], replies: &[Reply]) -> (Option<Version>, Option<u16>) {
        let (mut facts, mut size): (Option<Meta>, Option<u64>) = (None, None);
        for (command, reply) in asks.iter().zip(replies) {
            match command {
                Command::Mlst(_) => facts = parse_mlst(reply),
                Command::Size(_) => size = parse_size(reply),
                _ => {}
            }
            if matches!(command, Command::Mlst(_)) && reply.class() != Class::Completion {
                self.dialect.hear("MLST", reply);
            }
        }
        let mode = facts.as_ref().and_then(|meta| meta.mode);
        let version = match (facts, size) {
            (Some(Meta { size: told, mtime, unique, .. }), size) => {
                size.or(told).map(|size| Version { size, mtime, unique })
            }
            (None, _) if asks.iter().any(|ask| matches!(ask, Command::Mlst(_))) => {
                size.map(|size| Version { size, mtime: None, unique: None })
            }
            (None, _) => read_version(&self.dialect, asks, replies),
        };
        (version, mode)
    }

    /// The size in the parent's listing, for servers that say it nowhere else; None where it cannot be listed.
    fn listed_size(&self, path: &RemotePath, deadline: Deadline) -> Result<Option<u64>> {
        let Some((parent, name)) = path.split() else { return Ok(None) };
        let mut size = None;
        let listed = self.list(&parent, deadline, &mut |entry| {
            if entry.name == name {
                size = entry.meta.size;
                return std::ops::ControlFlow::Break(());
            }
            std::ops::ControlFlow::Continue(())
        });
        match listed {
            Ok(_) => Ok(size),
            Err(e) if matches!(e.kind, ErrorKind::Unreachable | ErrorKind::TimedOut) => Err(e),
            Err(_) => Ok(None),
        }
    }
}
