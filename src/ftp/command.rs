//! Commands (RFC 959 4.1): values become lines of the control connection.
//!
//! An FTP command ends at CR LF, so an argument that holds a line break would be two commands. [`Arg`] and [`Password`]
//! cannot hold one; nothing else becomes part of a line.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::address::{eprt, port};
use super::classify::MDTM_SET;
use super::text::printable;
use crate::base::Secret;

/// What may follow a verb: any bytes but CR, LF and NUL.
#[derive(Clone, PartialEq, Eq)]
pub struct Arg<'a>(Cow<'a, [u8]>);

impl<'a> Arg<'a> {
    /// `OPTS UTF8 ON`: IIS lists names in UTF-8 only after it.
    pub const UTF8_ON: Arg<'static> = Arg(Cow::Borrowed(b"UTF8 ON"));

    /// `OPTS UTF8 OFF`: names are in a code page of the user's choice, and the server is not to convert them.
    pub const UTF8_OFF: Arg<'static> = Arg(Cow::Borrowed(b"UTF8 OFF"));
    /// The current directory.
    pub const HERE: Arg<'static> = Arg(Cow::Borrowed(b"."));

    /// Takes `bytes` if they cannot end the command line.
    ///
    /// # Errors
    /// They hold CR, LF or NUL.
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, BadArg> {
        let bytes = bytes.into();
        check(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, as they are before [`Iac`] doubling.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Arg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A password that can be sent; it prints as `***`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password<'a>(&'a Secret);

impl<'a> Password<'a> {
    /// Takes `secret` if it cannot end the command line.
    ///
    /// # Errors
    /// It holds CR, LF or NUL.
    pub fn new(secret: &'a Secret) -> Result<Self, BadArg> {
        check(secret.reveal())?;
        Ok(Self(secret))
    }
}

/// The bytes would have been more than one command, or cut one short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadArg;

impl fmt::Display for BadArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("holds a line break or a NUL byte, which FTP cannot send")
    }
}

impl Error for BadArg {}

fn check(bytes: &[u8]) -> Result<(), BadArg> {
    if bytes.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) { Err(BadArg) } else { Ok(()) }
}

/// A time as it is sent: `YYYYMMDDhhmmss` (RFC 3659 2.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimeVal([u8; 14]);

impl TimeVal {
    /// The second `secs` since 1970, in UTC; None outside of the years 0 to 9999.
    pub fn new(secs: i64) -> Option<Self> {
        let civil = TimeZone::UTC.to_datetime(Timestamp::from_second(secs).ok()?);
        let text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second()
        );
        (civil.year() >= 0).then(|| text.into_bytes().try_into().ok().map(Self)).flatten()
    }
}

impl fmt::Debug for TimeVal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// How a byte 0xFF goes out. RFC 959 makes the control connection a Telnet stream, where it is doubled.
///
/// ProFTPD and inetutils decode that, the others would take the two bytes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iac {
    /// As it is.
    Raw,
    /// Twice.
    Doubled,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Who wants to log in.
    User(Arg<'a>),
    /// And the proof of it.
    Pass(Password<'a>),
    /// An account, where a server asks for one by 332 (RFC 959 4.1.1).
    Acct(Password<'a>),
    /// `TYPE I`: bytes as they are.
    TypeImage,
    /// The current directory.
    Pwd,
    /// What the server can do (RFC 2389).
    Feat,
    /// Options of another verb (RFC 2389).
    Opts(Arg<'a>),
    /// Changes the current directory.
    Cwd(Arg<'a>),
    /// `AUTH TLS`: the rest of the connection in TLS (RFC 4217 4).
    AuthTls,
    /// `PBSZ 0`, which has to stand before `PROT` (RFC 4217 8).
    Pbsz,
    /// Whether data connections are encrypted (RFC 4217 9).
    Prot {
        /// `P`, not `C`.
        private: bool,
    },
    /// Our address for the next data connection (RFC 2428).
    Eprt(SocketAddr),
    /// The same, IPv4 only (RFC 959).
    Port(SocketAddrV4),
    /// A port for the next data connection (RFC 2428).
    Epsv,
    /// Address and port for the next data connection, IPv4 only.
    Pasv,
    /// Where the next transfer begins.
    Rest(u64),
    /// Sends a file.
    Retr(Arg<'a>),
    /// Lists the current directory. There is no argument: servers glob it, split it, or take it for options.
    List {
        /// `-a`: names that begin with a dot as well.
        all: bool,
    },
    /// Lists the current directory in the user's own words, verb included; for all that follows it is a `LIST`.
    Custom(Arg<'a>),
    /// Lists a directory for machines (RFC 3659).
    Mlsd(Arg<'a>),
    /// Says the facts of one name (RFC 3659).
    Mlst(Arg<'a>),
    /// Bytes of a file (RFC 3659).
    Size(Arg<'a>),
    /// Time of modification of a file (RFC 3659).
    Mdtm(Arg<'a>),
    /// Stores a file; what was there is gone.
    Stor(Arg<'a>),
    /// Stores at the end of a file.
    Appe(Arg<'a>),
    /// Whether there is room for so many bytes.
    Allo(u64),
    /// Removes a file.
    Dele(Arg<'a>),
    /// Removes a directory.
    Rmd(Arg<'a>),
    /// Makes a directory.
    Mkd(Arg<'a>),
    /// What is to be renamed.
    Rnfr(Arg<'a>),
    /// Its new name.
    Rnto(Arg<'a>),
    /// Sets a time of modification (draft-somers-ftp-mfxx), UTC.
    Mfmt(TimeVal, Arg<'a>),
    /// `MDTM YYYYMMDDhhmmss path`: the same in vsftpd's words, by that server's own clock.
    MdtmSet(TimeVal, Arg<'a>),
    /// `SITE UTIME path atime mtime ctime UTC` (ProFTPD's mod_site_misc, Pure-FTPd).
    SiteUtime(TimeVal, Arg<'a>),
    /// `SITE UTIME YYYYMMDDhhmmss path`: the older form.
    SiteUtimeShort(TimeVal, Arg<'a>),
    /// Sets permission bits.
    SiteChmod(u16, Arg<'a>),
    /// Makes a symlink: target and name, neither with a blank in it.
    SiteSymlink(Arg<'a>, Arg<'a>),
    /// What is to be copied (ProFTPD's mod_copy).
    SiteCpfr(Arg<'a>),
    /// And to where.
    SiteCpto(Arg<'a>),
    /// Both in one: source and copy, neither with a blank in it.
    SiteCopy(Arg<'a>, Arg<'a>),
    /// Nothing.
    Noop,
    /// Says goodbye.
    Quit,
}

impl Command<'_> {
    /// The verb alone, a `SITE` verb with its second word; [`MDTM_SET`] stands for an `MDTM` that sets.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::User(_) => "USER",
            Self::Pass(_) => "PASS",
            Self::Acct(_) => "ACCT",
            Self::TypeImage => "TYPE",
            Self::Pwd => "PWD",
            Self::Feat => "FEAT",
            Self::Opts(_) => "OPTS",
            Self::Cwd(_) => "CWD",
            Self::AuthTls => "AUTH",
            Self::Pbsz => "PBSZ",
            Self::Prot { .. } => "PROT",
            Self::Eprt(_) => "EPRT",
            Self::Port(_) => "PORT",
            Self::Epsv => "EPSV",
            Self::Pasv => "PASV",
            Self::Rest(_) => "REST",
            Self::Retr(_) => "RETR",
            Self::List { .. } | Self::Custom(_) => "LIST",
            Self::Mlsd(_) => "MLSD",
            Self::Mlst(_) => "MLST",
            Self::Size(_) => "SIZE",
            Self::Mdtm(_) => "MDTM",
            Self::Stor(_) => "STOR",
            Self::Appe(_) => "APPE",
            Self::Allo(_) => "ALLO",
            Self::Dele(_) => "DELE",
            Self::Rmd(_) => "RMD",
            Self::Mkd(_) => "MKD",
            Self::Rnfr(_) => "RNFR",
            Self::Rnto(_) => "RNTO",
            Self::Mfmt(..) => "MFMT",
            Self::MdtmSet(..) => MDTM_SET,
            Self::SiteUtime(..) | Self::SiteUtimeShort(..) => "SITE UTIME",
            Self::SiteChmod(..) => "SITE CHMOD",
            Self::SiteSymlink(..) => "SITE SYMLINK",
            Self::SiteCpfr(_) => "SITE CPFR",
            Self::SiteCpto(_) => "SITE CPTO",
            Self::SiteCopy(..) => "SITE COPY",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        }
    }

    /// Appends the line with its CR LF to `out`. After a PASS or ACCT, `out` holds a secret.
    pub fn encode(&self, iac: Iac, out: &mut Vec<u8>) {
        // All at once: growing would leave copies of a password behind.
        out.reserve(self.encoded_len(iac));
        out.extend_from_slice(self.head());
        if let Some(argument) = self.argument() {
            out.push(b' ');
            for &b in &*argument {
                out.push(b);
                if b == IAC && iac == Iac::Doubled {
                    out.push(b);
                }
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// How many bytes [`Command::encode`] appends; servers take 500 to 4,000.
    pub fn encoded_len(&self, iac: Iac) -> usize {
        let argument = self.argument().map_or(0, |argument| {
            let doubled = argument.iter().filter(|b| **b == IAC && iac == Iac::Doubled).count();
            1 + argument.len() + doubled
        });
        self.head().len() + argument + 2
    }

    /// What the line begins with: the verb, as a rule.
    fn head(&self) -> &[u8] {
        match self {
            Self::Custom(line) => line.as_bytes(),
            Self::MdtmSet(..) => b"MDTM",
            _ => self.verb().as_bytes(),
        }
    }

    /// What follows the verb and a blank. Secret for PASS and ACCT.
    fn argument(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::User(arg)
            | Self::Opts(arg)
            | Self::Cwd(arg)
            | Self::Retr(arg)
            | Self::Mlsd(arg)
            | Self::Mlst(arg)
            | Self::Size(arg)
            | Self::Mdtm(arg)
            | Self::Stor(arg)
            | Self::Appe(arg)
            | Self::Dele(arg)
            | Self::Rmd(arg)
            | Self::Mkd(arg)
            | Self::Rnfr(arg)
            | Self::Rnto(arg)
            | Self::SiteCpfr(arg)
            | Self::SiteCpto(arg) => Some(Cow::Borrowed(arg.as_bytes())),
            Self::Mfmt(time, arg) | Self::MdtmSet(time, arg) | Self::SiteUtimeShort(time, arg) => {
                Some([&time.0[..], b" ", arg.as_bytes()].concat().into())
            }
            Self::SiteUtime(TimeVal(time), arg) => {
                Some([arg.as_bytes(), b" ", time, b" ", time, b" ", time, b" UTC"].concat().into())
            }
            // Three digits; pyftpdlib takes no more than four, and vsftpd drops the fourth.
            Self::SiteChmod(mode, arg) => Some([format!("{mode:03o} ").as_bytes(), arg.as_bytes()].concat().into()),
            Self::SiteSymlink(target, arg) | Self::SiteCopy(target, arg) => {
                Some([target.as_bytes(), b" ", arg.as_bytes()].concat().into())
            }
            Self::Pass(password) | Self::Acct(password) => Some(Cow::Borrowed(password.0.reveal())),
            Self::TypeImage => Some(Cow::Borrowed(b"I")),
            Self::AuthTls => Some(Cow::Borrowed(b"TLS")),
            Self::Pbsz => Some(Cow::Borrowed(b"0")),
            Self::Prot { private: true } => Some(Cow::Borrowed(b"P")),
            Self::Prot { private: false } => Some(Cow::Borrowed(b"C")),
            Self::Eprt(address) => Some(Cow::Owned(eprt(address).into_bytes())),
            Self::Port(address) => Some(Cow::Owned(port(address).into_bytes())),
            Self::Rest(number) | Self::Allo(number) => Some(Cow::Owned(number.to_string().into_bytes())),
            Self::List { all: true } => Some(Cow::Borrowed(b"-a")),
            Self::List { all: false }
            | Self::Custom(_)
            | Self::Pwd
            | Self::Feat
            | Self::Epsv
            | Self::Pasv
            | Self::Noop
            | Self::Quit => None,
        }
    }
}

/// The line for the log: control bytes escaped, `PASS ***`, `ACCT ***`.
impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.head(), LOG_LIMIT))?;
        match (self, self.argument()) {
            (Self::Pass(_) | Self::Acct(_), _) => f.write_str(" ***"),
            (_, Some(argument)) => write!(f, " {}", printable(&argument, LOG_LIMIT)),
            (_, None) => Ok(()),
        }
    }
}

/// Telnet's "interpret as command" (RFC 854).
const IAC: u8 = 0xff;
/// Longer than any path that a server takes.
const LOG_LIMIT: usize = 4_200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(command: &Command<'_>, iac: Iac) -> Vec<u8> {
        let mut out = Vec::new();
        command.encode(iac, &mut out);
        assert_eq!(out.len(), command.encoded_len(iac));
        out
    }

    fn arg(bytes: &[u8]) -> Arg<'_> {
        Arg::new(bytes).expect("valid")
    }

    #[test]
    fn a_name_cannot_inject_a_second_command() {
        for attack in [&b"x\r\nDELE y"[..], b"x\nDELE y", b"x\rDELE y", b"x\0y", b"\n", b"\r"] {
            assert_eq!(Arg::new(attack), Err(BadArg), "{}", attack.escape_ascii());
            let secret = Secret::new(attack.to_vec());
            assert_eq!(Password::new(&secret), Err(BadArg));
        }
    }

    #[test]
    fn lines_as_they_go_out() {
        let secret = Secret::new(b"hunter2".to_vec());
        let table: &[(Command<'_>, &[u8])] = &[
            (Command::User(arg(b"anna")), b"USER anna\r\n"),
            (Command::Pass(Password::new(&secret).expect("valid")), b"PASS hunter2\r\n"),
            (Command::TypeImage, b"TYPE I\r\n"),
            (Command::Opts(Arg::UTF8_ON), b"OPTS UTF8 ON\r\n"),
            (Command::Rest(6_442_450_944), b"REST 6442450944\r\n"),
            (Command::Retr(arg(b"/a b/-x")), b"RETR /a b/-x\r\n"),
            (Command::List { all: true }, b"LIST -a\r\n"),
            (Command::List { all: false }, b"LIST\r\n"),
            (Command::Custom(arg(b"LIST -lA")), b"LIST -lA\r\n"),
            (Command::Epsv, b"EPSV\r\n"),
            (Command::Stor(arg(b"/a b")), b"STOR /a b\r\n"),
            (Command::Appe(arg(b"/a")), b"APPE /a\r\n"),
            (Command::Allo(1 << 20), b"ALLO 1048576\r\n"),
            (Command::Dele(arg(b"/-x")), b"DELE /-x\r\n"),
            (Command::Rmd(arg(b"/d")), b"RMD /d\r\n"),
            (Command::Mkd(arg(b"/d")), b"MKD /d\r\n"),
            (Command::Rnfr(arg(b"/a")), b"RNFR /a\r\n"),
            (Command::Rnto(arg(b"/b")), b"RNTO /b\r\n"),
            (Command::Mfmt(time(1_700_000_000), arg(b"/a b")), b"MFMT 20231114221320 /a b\r\n"),
            (Command::MdtmSet(time(-1), arg(b"/a")), b"MDTM 19691231235959 /a\r\n"),
            (
                Command::SiteUtime(time(0), arg(b"/a")),
                b"SITE UTIME /a 19700101000000 19700101000000 19700101000000 UTC\r\n",
            ),
            (Command::SiteUtimeShort(time(0), arg(b"/a")), b"SITE UTIME 19700101000000 /a\r\n"),
            (Command::SiteChmod(0o644, arg(b"/a")), b"SITE CHMOD 644 /a\r\n"),
            (Command::SiteChmod(0o5, arg(b"/a")), b"SITE CHMOD 005 /a\r\n"),
            (Command::SiteChmod(0o4755, arg(b"/a")), b"SITE CHMOD 4755 /a\r\n"),
            (Command::SiteSymlink(arg(b"../t"), arg(b"/l")), b"SITE SYMLINK ../t /l\r\n"),
        ];
        for (command, want) in table {
            assert_eq!(line(command, Iac::Raw), *want);
        }
    }

    fn time(secs: i64) -> TimeVal {
        TimeVal::new(secs).expect("a year of four digits")
    }

    #[test]
    fn times_beyond_four_digits_of_years_cannot_be_sent() {
        assert_eq!(TimeVal::new(253_402_300_800), None);
        assert_eq!(TimeVal::new(-62_167_219_201), None);
        assert_eq!(TimeVal::new(i64::MAX), None);
        assert_eq!(format!("{:?}", time(253_402_207_200)), "99991230220000");
    }

    #[test]
    fn telnet_bytes_are_doubled_only_where_the_server_undoes_it() {
        let command = Command::Cwd(arg(b"/\xff\xf4"));
        assert_eq!(line(&command, Iac::Raw), b"CWD /\xff\xf4\r\n");
        assert_eq!(line(&command, Iac::Doubled), b"CWD /\xff\xff\xf4\r\n");
    }

    #[test]
    fn logs_show_neither_passwords_nor_control_bytes() {
        let secret = Secret::new(b"hunter2".to_vec());
        let pass = Command::Pass(Password::new(&secret).expect("valid"));
        assert_eq!(pass.to_string(), "PASS ***");
        assert_eq!(Command::Acct(Password::new(&secret).expect("valid")).to_string(), "ACCT ***");
        assert!(!format!("{pass:?}").contains("hunter2"));
        assert_eq!(Command::Mlsd(arg(b"/\x1b[2J")).to_string(), "MLSD /\\u{1b}[2J");
        assert_eq!(Command::Quit.to_string(), "QUIT");
    }

    proptest! {
        #[test]
        fn whatever_the_argument_one_command_is_one_line(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(arg) = Arg::new(&bytes[..]) {
                let out = line(&Command::Retr(arg), Iac::Doubled);
                let breaks = out.iter().filter(|b| matches!(b, 0 | b'\r' | b'\n')).count();
                prop_assert!(breaks == 2 && out.ends_with(b"\r\n"));
            }
        }
    }
}
