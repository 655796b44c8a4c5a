//! What this server does: learned once, shared by all its connections.

use std::sync::Arc;
use std::time::Duration;

use log::info;

use super::classify::knows;
use super::features::{Features, Software};
use super::listing::time::parse_mdtm;
use super::listing::{DateOrder, Style};
use super::reply::Reply;
use super::zone::Zone;
use crate::base::sync::Ranked;
use crate::remote::{RemotePath, Stamp};

/// What was learned of one server so far. Everything in it may grow, nothing is ever guessed for good.
#[derive(Debug, Default)]
pub(crate) struct Dialect {
    learned: Ranked<Learned, 70>,
    zone: Ranked<Zone, 71>,
}

/// Whether a server can do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Can {
    /// Not asked yet: ask alone, under a deadline, never in a pipeline.
    #[default]
    Unknown,
    Yes,
    No,
}

#[derive(Debug, Default, Clone)]
struct Learned {
    features: Option<Arc<Features>>,
    software: Option<Software>,
    home: Option<RemotePath>,
    style: Option<Style>,
    date_order: Option<DateOrder>,
    skills: [Can; SKILLS],
    burst: Can,
    ever_connected: bool,
    delay: Option<Duration>,
}

/// What a [`Can`] is about. One more is a line here, one in [`Skill::of`] where a verb stands for it, and [`SKILLS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skill {
    /// A port of the server's can be reached, by `EPSV` or `PASV`.
    Passive,
    /// `EPRT` is known (RFC 2428).
    Eprt,
    /// `AUTH TLS` leads to an encrypted connection (RFC 4217).
    Tls,
    /// Sessions of TLS 1.3 can be resumed, as far as the server demands that.
    Tls13,
    /// `EPSV` gives a port that can be reached (RFC 2428).
    Epsv,
    /// `MLSD` (RFC 3659 7). Unknown after `FEAT`: announced, but never answered yet.
    Mlsd,
    /// `MLST` of one file (RFC 3659 7).
    Mlst,
    /// `MDTM` tells times (RFC 3659 3).
    Mdtm,
    /// `SIZE` tells sizes (RFC 3659 4).
    Size,
    /// `REST` moves the start of a `RETR` (RFC 3659 5).
    Rest,
    /// Data connections must resume the session of their control connection.
    Resumption,
    /// TLS 1.2 is spoken. Unknown until it had to be tried.
    Tls12,
    /// Data connections that bring files to the server bring tickets of TLS 1.3 back.
    UploadTickets,
    /// `SIZE` tells of a file while it is being stored.
    EarlySize,
    /// A data connection that has brought a file can be reset, so that the server need not wait for its end.
    HastyEnd,
    /// `MLST` tells of files, not only of directories.
    MlstFiles,
    /// A login can be sent in one segment; a server that takes others in one may still throw away what comes before it.
    LoginBurst,
    /// `LIST -a` shows hidden files and is not taken for a file called `-a`.
    ListAll,
    /// `MFMT` sets times of modification.
    Mfmt,
    /// `MDTM` sets them, where a time stands before the path.
    MdtmSet,
    /// `SITE UTIME` sets them, in its form with three times.
    SiteUtime,
    /// And in the form with one.
    SiteUtimeShort,
    /// `SITE CHMOD` sets modes.
    SiteChmod,
    /// `SITE SYMLINK` makes symlinks.
    SiteSymlink,
    /// Whose targets are what was asked for, also where that is relative.
    LinkTargets,
    /// `APPE` puts bytes at the end of a file.
    Append,
    /// `REST` moves the start of a `STOR`.
    RestStor,
    /// `RNTO` replaces a file.
    Replace,
    /// `SITE CPFR` and `SITE CPTO` copy a file.
    SiteCpfr,
    /// `SITE COPY` does.
    SiteCopy,
    /// The server sends a file to itself, over two connections of ours.
    Fxp,
}

/// How many there are.
const SKILLS: usize = Skill::Fxp as usize + 1;

impl Skill {
    /// The skill that a server shows by knowing `verb`.
    pub(crate) fn of(verb: &str) -> Option<Self> {
        match verb {
            "EPSV" => Some(Self::Epsv),
            "MLSD" => Some(Self::Mlsd),
            "MLST" => Some(Self::Mlst),
            "MDTM" => Some(Self::Mdtm),
            "SIZE" => Some(Self::Size),
            "REST" => Some(Self::Rest),
            "MFMT" => Some(Self::Mfmt),
            "SITE CHMOD" => Some(Self::SiteChmod),
            "SITE SYMLINK" => Some(Self::SiteSymlink),
            "SITE CPFR" => Some(Self::SiteCpfr),
            "SITE COPY" => Some(Self::SiteCopy),
            _ => None,
        }
    }
}

impl Dialect {
    /// Forbids what the user has switched off.
    pub(crate) fn forbid(&self, skill: Skill) {
        self.learn(skill, Can::No);
    }

    pub(crate) fn can(&self, skill: Skill) -> Can {
        *self.learned.lock().skill(skill)
    }

    pub(crate) fn learn(&self, skill: Skill, can: Can) {
        *self.learned.lock().skill(skill) = can;
    }

    /// Remembers that the server has not got `verb`, if that is what its `reply` says.
    pub(crate) fn hear(&self, verb: &str, reply: &Reply) {
        let Some(skill) = Skill::of(verb).filter(|_| knows(verb, reply) == Some(false)) else { return };
        if self.can(skill) != Can::No {
            info!("the server does not know {verb}: {reply}");
            self.learn(skill, Can::No);
        }
    }

    /// Keeps the answer to `FEAT`; an empty one where the server does not know the verb.
    pub(crate) fn learn_features(&self, features: Option<Features>, software: Software) {
        let mut learned = self.learned.lock();
        if let Some(f) = &features {
            let told = |has: bool, was: Can| match (was, has) {
                (Can::No, _) => Can::No,
                (_, true) => Can::Yes,
                // Not in FEAT: RFC 2389 wants extensions listed, but old servers list only some.
                (was, false) => was,
            };
            if f.mlst.is_none() {
                *learned.skill(Skill::Mlsd) = Can::No;
            }
            // MLST in FEAT stands for both (RFC 3659 7.8).
            *learned.skill(Skill::Mlst) = match (*learned.skill(Skill::Mlsd), *learned.skill(Skill::Mlst)) {
                (Can::No, _) | (_, Can::No) => Can::No,
                (Can::Unknown | Can::Yes, Can::Unknown | Can::Yes) => Can::Yes,
            };
            for (skill, has) in [
                (Skill::Mdtm, f.mdtm),
                (Skill::Size, f.size),
                (Skill::Rest, f.rest_stream),
                (Skill::Mfmt, f.mfmt),
                (Skill::SiteSymlink, f.site_symlink),
            ] {
                let can = learned.skill(skill);
                *can = told(has, *can);
            }
        } else {
            *learned.skill(Skill::Mlsd) = Can::No;
            *learned.skill(Skill::Mlst) = Can::No;
        }
        learned.features = Some(Arc::new(features.unwrap_or_default()));
        learned.software = Some(software);
    }

    /// The answer to `FEAT`; None before it was asked.
    pub(crate) fn features(&self) -> Option<Arc<Features>> {
        self.learned.lock().features.clone()
    }

    /// Which server it is, as far as that changes what may be sent.
    pub(crate) fn software(&self) -> Software {
        self.learned.lock().software.unwrap_or(Software::Unknown)
    }

    /// The directory in which a login begins.
    pub(crate) fn home(&self) -> Option<RemotePath> {
        self.learned.lock().home.clone()
    }

    pub(crate) fn learn_home(&self, home: RemotePath) {
        self.learned.lock().home = Some(home);
    }

    /// How the lines of its listings are written, once a listing has made it clear.
    pub(crate) fn style(&self) -> Option<Style> {
        self.learned.lock().style
    }

    /// In which order day, month and year stand in the dates of its listings, once one has told.
    pub(crate) fn date_order(&self) -> Option<DateOrder> {
        self.learned.lock().date_order
    }

    pub(crate) fn learn_date_order(&self, order: DateOrder) {
        self.learned.lock().date_order = Some(order);
    }

    pub(crate) fn learn_style(&self, style: Style) {
        self.learned.lock().style = Some(style);
    }

    /// The zone of its listings.
    pub(crate) fn zone(&self) -> Zone {
        self.zone.lock().clone()
    }

    /// Changes what is known of its zone.
    pub(crate) fn learn_zone(&self, learn: impl FnOnce(&mut Zone)) {
        learn(&mut self.zone.lock());
    }

    /// The time in the answer to `MDTM`, in UTC.
    pub(crate) fn mdtm(&self, reply: &Reply) -> Option<Stamp> {
        parse_mdtm(reply).map(|told| self.zone.lock().mdtm(told))
    }

    /// What an `MDTM` has to say that sets the time `utc`.
    pub(crate) fn to_mdtm(&self, utc: i64) -> i64 {
        self.zone.lock().to_mdtm(utc)
    }

    /// Whether several commands can be sent in one segment; some servers lose all but the first.
    pub(crate) fn burst(&self) -> Can {
        self.learned.lock().burst
    }

    pub(crate) fn learn_burst(&self, can: Can) {
        self.learned.lock().burst = can;
    }

    /// Whether a login has ever succeeded: until then a failure is told at once, later it may be waited out.
    pub(crate) fn ever_connected(&self) -> bool {
        self.learned.lock().ever_connected
    }

    pub(crate) fn learn_connected(&self) {
        self.learned.lock().ever_connected = true;
    }

    /// The shortest round trip that has been measured.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.learned.lock().delay
    }

    /// A round trip has taken so long.
    pub(crate) fn learn_delay(&self, delay: Duration) {
        let mut learned = self.learned.lock();
        learned.delay = Some(learned.delay.map_or(delay, |old| old.min(delay)));
    }
}

impl Learned {
    fn skill(&mut self, skill: Skill) -> &mut Can {
        &mut self.skills[skill as usize]
    }
}
