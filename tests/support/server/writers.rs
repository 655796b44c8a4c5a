//! The verbs that change names and attributes. What they did is done before their answer leaves: a fault at
//! [`super::Stage::Done`] comes between.

use super::fault::Place;
use super::listing;
use super::personality::Dialect;
use super::session::{Session, Step, Verdict};
use super::tree::{Tree, Why};
use super::words;
use super::write_words;
use super::writing::{Allo, Renames, SetMdtm, Symlink, Writing};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::time::{SystemTime, UNIX_EPOCH};

impl Session {
    /// Does what a command that writes asks for; those of transfers are in `upload`.
    pub(super) fn write_command(&mut self, me: &Writing, arg: &[u8]) -> Step {
        if let Some(refusal) = self.forbidden(me, arg) {
            return self.answer(refusal);
        }
        let (path, now) = (self.here(), self.now());
        match self.verb.as_str() {
            "STOR" => self.store(me, arg),
            "APPE" => self.append(me, arg),
            "ALLO" => self.allocate(me, arg),
            "MKD" | "XMKD" => self.make_dir(me, arg),
            "DELE" => {
                let removes_dirs = self.hub.personality.dialect == Dialect::Ancient;
                self.change(arg, |tree| match tree.unlink(&path, now) {
                    Err(Why::IsDir) if removes_dirs => tree.remove_dir(&path, now),
                    done => done,
                })
            }
            "RMD" | "XRMD" => self.change(arg, |tree| tree.remove_dir(&path, now)),
            "RNFR" => self.rename_from(arg),
            "RNTO" => self.rename_to(me, arg),
            "MFMT" if me.mfmt => self.set_time(arg, 0, me),
            _ => self.unknown(),
        }
    }

    /// Whether MDTM with this argument sets a time, and in which zone.
    pub(super) fn sets_time(&self, arg: &[u8]) -> Option<i64> {
        let zone = match self.hub.personality.writing.as_ref()?.mdtm {
            SetMdtm::Unknown => return None,
            SetMdtm::Utc => 0,
            SetMdtm::AsRead => self.hub.personality.mdtm_zone,
            SetMdtm::Zone(zone) => zone,
        };
        let (stamp, _) = split_word(arg)?;
        seconds(stamp, false).map(|_| zone)
    }

    /// MFMT, and the writing form of MDTM.
    pub(super) fn set_time(&mut self, arg: &[u8], zone: i64, me: &Writing) -> Step {
        let fractions = self.hub.personality.dialect != Dialect::Pyftpdlib;
        let Some((stamp, name)) = split_word(arg) else { return self.answer("501 Invalid number of parameters") };
        match seconds(stamp, false) {
            Some(time) if fractions || !stamp.contains(&b'.') => self.touch(name, time - zone, me),
            _ if fractions => self.answer("501 Invalid time format"),
            _ => self.answer("550 Invalid time format; expected: YYYYMMDDHHMMSS."),
        }
    }

    /// SITE with all that follows; its second word is a part of the verb.
    pub(super) fn site(&mut self, me: &Writing, arg: &[u8]) -> Step {
        if !me.site {
            let text = words::unknown(self.hub.personality.dialect, "SITE");
            return self.answer(text);
        }
        match self.verb.as_str() {
            "SITE CHMOD" if me.chmod => self.chmod(me, arg),
            "SITE UTIME" => match site_time(arg) {
                Some((time, name, long)) if (if long { me.utime_long } else { me.utime_short }) => {
                    self.touch(name, time, me)
                }
                _ if me.utime_short || me.utime_long => self.answer("500 SITE UTIME: invalid arguments"),
                _ => self.unknown_site(),
            },
            "SITE SYMLINK" if me.symlink != Symlink::Unknown => self.symlink(me, arg),
            "SITE CPFR" | "SITE CPTO" | "SITE COPY" => self.copy_command(me, arg),
            "SITE HELP" => self.site_help(me),
            _ => self.unknown_site(),
        }
    }

    /// The refusal of names and places by configuration.
    pub(super) fn forbidden(&self, me: &Writing, arg: &[u8]) -> Option<Vec<u8>> {
        let dialect = self.hub.personality.dialect;
        let path = self.path.as_deref()?;
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let makes = matches!(self.verb.as_str(), "STOR" | "APPE" | "MKD" | "XMKD" | "RNTO" | "SITE SYMLINK");
        if makes && me.refuses(name) {
            return Some(words::naming(arg, |arg| write_words::prohibited(dialect, arg)));
        }
        let denied = |arg: &str| write_words::refusal(dialect, &self.verb, arg, Why::Denied);
        me.is_read_only(path).then(|| words::naming(arg, denied))
    }

    /// The time of changes, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        self.hub.personality.now.unwrap_or_else(clock)
    }

    /// Refuses a command that writes, in the words of the dialect.
    pub(super) fn refuse_change(&mut self, arg: &[u8], why: Why) -> Step {
        let dialect = self.hub.personality.dialect;
        self.answer(words::naming(arg, |arg| write_words::refusal(dialect, &self.verb, arg, why)))
    }

    /// Answers a command that has been carried out.
    pub(super) fn confirm(&mut self, text: impl AsRef<[u8]>) -> Step {
        match self.meet(Place::Done)? {
            Verdict::Spoken => Ok(()),
            Verdict::Go => self.answer(text),
        }
    }

    fn change(&mut self, arg: &[u8], change: impl FnOnce(&mut Tree) -> Result<(), Why>) -> Step {
        let changed = self.hub.tree.update(change);
        match changed {
            Ok(()) => self.confirm(write_words::done(self.hub.personality.dialect, &self.verb)),
            Err(why) => self.refuse_change(arg, why),
        }
    }

    fn make_dir(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let (path, now, dialect) = (self.here(), self.now(), self.hub.personality.dialect);
        let made = self.hub.tree.update(|tree| tree.create_dir(&path, 0o777 & !me.umask, now));
        match made {
            // Pure-FTPd says what it was told, the others the path.
            Ok(()) if dialect == Dialect::Pureftpd => {
                self.confirm(words::naming(arg, |arg| write_words::made(dialect, arg, "")))
            }
            Ok(()) => self.confirm(words::naming(&path, |path| write_words::made(dialect, path, path))),
            Err(why) => self.refuse_change(arg, why),
        }
    }

    fn rename_from(&mut self, arg: &[u8]) -> Step {
        let path = self.here();
        let dialect = self.hub.personality.dialect;
        if dialect == Dialect::Proftpd && self.renaming.is_some() {
            return self.answer("501 Bad sequence of commands");
        }
        let follows = matches!(dialect, Dialect::Vsftpd | Dialect::Ancient);
        let found = self.hub.tree.lock().find(&path, follows).map(drop);
        match found {
            Ok(()) => {
                self.renaming = Some(path);
                self.confirm(write_words::rename_from(dialect))
            }
            Err(why) => self.refuse_change(arg, why),
        }
    }

    fn rename_to(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let dialect = self.hub.personality.dialect;
        let (to, now) = (self.here(), self.now());
        let Some(from) = self.renaming.take() else { return self.answer(write_words::rename_first(dialect)) };
        let exists = from != to && self.hub.tree.lock().find(&to, false).is_ok();
        match me.renames {
            Renames::Never => self.refuse_change(arg, Why::Denied),
            Renames::OntoNothing if exists => {
                self.answer(words::naming(arg, |arg| write_words::rename_onto(dialect, arg)))
            }
            _ if me.is_read_only(&from) => self.refuse_change(arg, Why::Denied),
            Renames::OntoNothing | Renames::Replace => self.change(arg, |tree| tree.move_to(&from, &to, now)),
        }
    }

    fn touch(&mut self, name: &[u8], time: i64, me: &Writing) -> Step {
        if let Some(refusal) = self.forbidden(me, name) {
            return self.answer(refusal);
        }
        let (path, dialect) = (self.here(), self.hub.personality.dialect);
        let files_only = self.verb == "MDTM" || dialect == Dialect::Pyftpdlib;
        let touched = self.hub.tree.update(|tree| match tree.find(&path, true) {
            Ok(node) if node.is_dir() && files_only => Err(Why::IsDir),
            Ok(_) => tree.touch(&path, time),
            Err(why) => Err(why),
        });
        match touched {
            Ok(()) => {
                let stamp = listing::stamp(time);
                let shown = if dialect == Dialect::Pyftpdlib { &path } else { name };
                let text = words::naming(shown, |name| write_words::timed(dialect, &self.verb, &stamp, name, name));
                self.confirm(text)
            }
            Err(why) => self.refuse_change(name, why),
        }
    }

    fn chmod(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let dialect = self.hub.personality.dialect;
        let Some((digits, name)) = split_word(arg) else { return self.answer("501 SITE CHMOD: too few arguments") };
        if let Some(refusal) = self.forbidden(me, name) {
            return self.answer(refusal);
        }
        let mode = match mode_of(dialect, digits) {
            Ok(mode) => mode,
            Err(text) => return self.answer(text),
        };
        let path = self.here();
        let changed = self.hub.tree.update(|tree| match tree.find(&path, true) {
            // Pure-FTPd opens the file first.
            Ok(node) if dialect == Dialect::Pureftpd && node.mode & 0o400 == 0 => Err(Why::Denied),
            Ok(_) => tree.change_mode(&path, mode),
            Err(why) => Err(why),
        });
        match changed {
            Ok(()) => self.confirm(words::naming(name, |name| write_words::chmodded(dialect, name))),
            Err(why) => self.refuse_change(name, why),
        }
    }

    fn symlink(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let Some((target, name)) = split_word(arg) else { return self.answer("500 SITE SYMLINK: too few arguments") };
        if let Some(refusal) = self.forbidden(me, name) {
            return self.answer(refusal);
        }
        let (path, now) = (self.here(), self.now());
        let target = match me.symlink {
            // Relative to where the client is, not to where the link is.
            Symlink::Absolute => [b"/".as_slice(), &super::tree::join(&self.cwd, target)].concat(),
            Symlink::AsGiven | Symlink::Unknown => target.to_vec(),
        };
        let made = self.hub.tree.update(|tree| tree.create_link(&path, &target, now));
        match made {
            Ok(()) => self.confirm("200 SITE SYMLINK command successful"),
            Err(why) => self.refuse_change(name, why),
        }
    }

    fn site_help(&mut self, me: &Writing) -> Step {
        let known = [
            ("CHMOD", me.chmod),
            ("UTIME", me.utime_short || me.utime_long),
            ("SYMLINK", me.symlink != Symlink::Unknown),
            ("HELP", true),
        ];
        let lines: String = known.iter().filter(|(_, has)| *has).map(|(name, _)| format!(" {name}\n")).collect();
        self.answer(format!("214-The following SITE commands are recognized\n{lines}214 End"))
    }

    pub(super) fn unknown_site(&mut self) -> Step {
        let text = write_words::unknown_site(self.hub.personality.dialect, &self.verb);
        self.answer(text)
    }

    fn allocate(&mut self, me: &Writing, arg: &[u8]) -> Step {
        let wanted: u64 = std::str::from_utf8(arg).ok().and_then(|arg| arg.trim().parse().ok()).unwrap_or(0);
        let fits = |capacity: u64| self.hub.tree.lock().used().saturating_add(wanted) <= capacity;
        match me.allo {
            Allo::Checked if me.disk.as_ref().is_none_or(|disk| fits(disk.capacity)) => self.answer("200 A L'HUILE"),
            Allo::Ignored => self.answer(write_words::allo_ignored(self.hub.personality.dialect)),
            Allo::Checked | Allo::Full => self.answer("552 Disk full - please upload later"),
        }
    }
}

/// The name that a SITE command means.
pub(super) fn site_name<'a>(verb: &str, arg: &'a [u8]) -> Option<&'a [u8]> {
    match verb {
        "SITE CHMOD" | "SITE SYMLINK" | "SITE COPY" => split_word(arg).map(|(_, name)| name),
        "SITE UTIME" => site_time(arg).map(|(_, name, _)| name),
        "SITE CPFR" | "SITE CPTO" => Some(arg),
        _ => None,
    }
}

/// Both forms of SITE UTIME: the time, the name, and whether it is the form with five arguments.
fn site_time(arg: &[u8]) -> Option<(i64, &[u8], bool)> {
    let words: Vec<&[u8]> = arg.split(|&byte| byte == b' ').collect();
    if let [name @ .., accessed, modified, changed, b"UTC"] = &words[..]
        && !name.is_empty()
        && let [Some(_), Some(time), Some(_)] = [accessed, modified, changed].map(|stamp| seconds(stamp, false))
    {
        let times = accessed.len() + modified.len() + changed.len() + " UTC".len() + 3;
        return Some((time, &arg[..arg.len() - times], true));
    }
    let (stamp, name) = split_word(arg)?;
    seconds(stamp, true).map(|time| (time, name, false))
}

/// The mode that a server makes of the digits, or its refusal.
fn mode_of(dialect: Dialect, digits: &[u8]) -> Result<u32, &'static str> {
    let parsed = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 8).ok());
    let parsed = parsed.filter(|&mode| mode <= 0o7777);
    match (dialect, parsed) {
        (Dialect::Vsftpd, mode) => Ok(mode.unwrap_or(0) & 0o777),
        (Dialect::Pyftpdlib, Some(mode)) if matches!((digits.len(), digits), (3, _) | (4, [b'1'..=b'7', ..])) => {
            Ok(mode)
        }
        (Dialect::Pyftpdlib, _) => Err("501 Invalid SITE CHMOD format."),
        (Dialect::Pureftpd, mode) => Ok(mode.unwrap_or(0)),
        (Dialect::Ancient, Some(mode)) if mode <= 0o777 => Ok(mode),
        (Dialect::Ancient, _) => Err("501 CHMOD: Mode value must be between 0 and 0777"),
        (_, Some(mode)) => Ok(mode),
        (_, None) => Err("550 SITE CHMOD: Operation not permitted"),
    }
}

/// `YYYYMMDDhhmmss`, with a fraction or without, or where that is allowed without seconds: seconds since 1970.
fn seconds(stamp: &[u8], short: bool) -> Option<i64> {
    let text = std::str::from_utf8(stamp).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = match whole.len() {
        14 => whole.to_owned(),
        12 if short => format!("{whole}00"),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    Offset::UTC.to_timestamp(time).ok().map(Timestamp::as_second)
}

/// The first word and what follows it.
pub(super) fn split_word(arg: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = arg.iter().position(|&byte| byte == b' ')?;
    let rest = &arg[space + 1..];
    (!rest.is_empty()).then_some((&arg[..space], rest))
}
