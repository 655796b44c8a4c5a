//! Which server the fake server plays: one switch for each difference that a client may notice.
//!
//! The constructors follow what was measured on vsftpd 3.0.3, ProFTPD 1.3.8, Pure-FTPd 1.0.50, pyftpdlib 2.2.0 and GNU
//! inetutils ftpd 2.4; IIS follows its documents. Every switch is public, so that a test can mix its own server:
//! `Personality { epsv: false, ..Personality::pure() }`.

use super::tls::Tls;
use super::writing::Writing;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The switches.
#[derive(Clone, Debug)]
pub struct Personality {
    /// Whose words the replies use.
    pub dialect: Dialect,
    /// The greeting; LF separates lines.
    pub greeting: String,
    /// The answer to SYST.
    pub syst: String,
    /// The lines of FEAT without the leading space; `None`: FEAT is answered 500.
    pub feat: Option<Vec<String>>,
    /// MLST and MLSD; `None`: they are answered 500.
    pub mlsx: Option<Mlsx>,
    /// The format of LIST.
    pub list: ListStyle,
    /// SIZE is known.
    pub size: bool,
    /// MDTM is known.
    pub mdtm: bool,
    /// EPSV is known.
    pub epsv: bool,
    /// PASV is known.
    pub pasv: bool,
    /// The address in the 227 reply, if it is not the true one.
    pub pasv_address: Option<Ipv4Addr>,
    /// What becomes of PORT and EPRT.
    pub active: Active,
    /// Encryption; `None`: AUTH, PBSZ and PROT are unknown.
    pub tls: Option<Tls>,
    /// How it takes what is written; `None`: it refuses all that.
    pub writing: Option<Writing>,
    /// How names are written on the wire.
    pub names: Names,
    /// In TYPE A, the default, LF becomes CRLF and SIZE is refused.
    pub ascii: bool,
    /// LIST without `-a` leaves out names that begin with a dot, and with it shows `.` and `..`.
    pub hides_dotfiles: bool,
    /// What becomes of a LIST (not MLSD) of something that is not there.
    pub list_missing: ListMissing,
    /// A listing ends after so many names, with `226 Output truncated to ...`.
    pub list_limit: Option<usize>,
    /// 150 is sent before the data connection is accepted (pyftpdlib).
    pub opens_before_accept: bool,
    /// Two preliminary replies instead of one (FileZilla Server).
    pub opens_twice: bool,
    /// Transfers begin without a preliminary reply.
    pub opens_silently: bool,
    /// 226 is sent only after the client has closed its end of the data connection (ProFTPD).
    pub waits_for_close: bool,
    /// A failed RETR or an ABOR closes the listener of the last EPSV (ProFTPD).
    pub failure_drops_passive: bool,
    /// Any command between REST and RETR makes the server forget the offset (inetutils).
    pub rest_is_short_lived: bool,
    /// REST beyond the end is answered 554 to the RETR; otherwise by 226 without data.
    pub rest_refused_beyond_end: bool,
    /// Where a client is after login.
    pub home: String,
    /// The only user and password that are let in; `None`: all are.
    pub login: Option<(String, String)>,
    /// USER alone lets a client in: 230.
    pub no_password: bool,
    /// The account that PASS asks for by 332, to be told by ACCT.
    pub account: Option<String>,
    /// Listen on `[::1]` instead of 127.0.0.1.
    pub ipv6: bool,
    /// A burst ends when the client has been quiet for so long.
    pub quiet: Duration,
    /// Waits so long before it answers a burst, as if the client were far away.
    pub latency: Duration,
    /// Seconds that are added to the dates of LIST: a server that shows its local time.
    pub list_zone: i64,
    /// Seconds that are added to the times of MDTM, which should be UTC (vsftpd with `use_localtime`).
    pub mdtm_zone: i64,
    /// What the server takes for the current time when it chooses the date format; `None`: the true time.
    pub now: Option<i64>,
    /// How long it waits for the data connection before it says 425.
    pub accept_patience: Duration,
}

/// What becomes of PORT and EPRT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// The server connects to the client's own address, from its own.
    Works,
    /// They are answered 500.
    Refused,
    /// The server connects from 127.0.0.2, as from behind a router.
    Elsewhere,
    /// The server connects, and a session that has done so before silences the transfers of others when it is told of
    /// another port (pyftpdlib).
    Tangled,
    /// The address of no client is its own: as servers refuse that of another server, and their own.
    Foreign,
}

/// How names are written on the wire. In the tree they are what they are on the server's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As in the tree, whatever the bytes are.
    Bytes,
    /// The tree is UTF-8, the wire Latin-1 with `?` for what that lacks, until `OPTS UTF8 ON` (IIS, whose code page
    /// depends on the country).
    Latin1UntilUtf8,
}

/// The author of the reply texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// One text per verb, whatever the cause.
    Vsftpd,
    /// libc texts behind the path.
    Proftpd,
    /// libc texts in a sentence, some without a cause.
    Pureftpd,
    /// libc texts alone.
    Pyftpdlib,
    /// Windows texts.
    Iis,
    /// inetutils ftpd.
    Ancient,
}

/// How MLST and MLSD answer.
#[derive(Clone, Debug)]
pub struct Mlsx {
    /// The facts, in the order in which they are shown; `*` behind the name: shown by default.
    pub facts: Vec<&'static str>,
    /// How symbolic links appear.
    pub links: LinkStyle,
    /// MLSD shows `.` first and `..` last.
    pub dot_entries: bool,
    /// OPTS MLST chooses facts; otherwise it is answered 200 and changes nothing.
    pub opts: bool,
    /// Modes are shown as `0o644`.
    pub python_modes: bool,
}

/// How MLSD shows a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStyle {
    /// `OS.unix=symlink`, dangling ones are missing, and MLST tells type and times of a mixture (ProFTPD).
    Symlink,
    /// `OS.unix=slink:` without the target, all of them, MLST too (Pure-FTPd).
    Slink,
    /// `OS.unix=slink:target` as the RFC has it.
    SlinkTarget,
    /// As what it points to; dangling ones are missing (pyftpdlib).
    Followed,
}

/// The format of LIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStyle {
    /// As vsftpd writes it.
    Unix,
    /// As `/bin/ls` writes it: `total` first, lines end in LF.
    Ls,
    /// As IIS writes it.
    Dos,
}

/// What becomes of a LIST of something that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListMissing {
    /// 150 and 226 without a line (vsftpd, Pure-FTPd).
    Nothing,
    /// 150, then 450 (ProFTPD).
    After150,
    /// 550 (pyftpdlib, IIS).
    Refused,
    /// The error text as data, 226 (inetutils).
    AsData,
}

impl Personality {
    /// A modern server with MLSD and without oddities.
    #[must_use]
    pub fn mlsd() -> Self {
        let mlsx = Mlsx {
            facts: vec!["type*", "size*", "modify*", "UNIX.mode*", "unique*"],
            links: LinkStyle::Symlink,
            dot_entries: true,
            opts: true,
            python_modes: false,
        };
        Self {
            dialect: Dialect::Proftpd,
            greeting: "220 Server ready.".to_owned(),
            syst: "215 UNIX Type: L8".to_owned(),
            feat: Some(features(
                &["EPRT", "EPSV", "MDTM", "MFMT", "PASV", "REST STREAM", "SIZE", "TVFS", "UTF8"],
                Some(&mlsx),
            )),
            mlsx: Some(mlsx),
            list: ListStyle::Unix,
            size: true,
            mdtm: true,
            epsv: true,
            pasv: true,
            pasv_address: None,
            active: Active::Works,
            tls: None,
            writing: Some(Writing::of(Dialect::Proftpd)),
            names: Names::Bytes,
            ascii: true,
            hides_dotfiles: true,
            list_missing: ListMissing::After150,
            list_limit: None,
            opens_before_accept: false,
            opens_twice: false,
            opens_silently: false,
            waits_for_close: false,
            failure_drops_passive: false,
            rest_is_short_lived: false,
            rest_refused_beyond_end: true,
            home: "/".to_owned(),
            login: None,
            no_password: false,
            account: None,
            ipv6: false,
            quiet: Duration::from_millis(5),
            latency: Duration::ZERO,
            list_zone: 0,
            mdtm_zone: 0,
            now: None,
            accept_patience: Duration::from_secs(60),
        }
    }

    /// ProFTPD: waits for the client to close, loses the data connection after a failed RETR.
    #[must_use]
    pub fn proftpd() -> Self {
        let facts = vec![
            "modify*",
            "perm*",
            "size*",
            "type*",
            "unique*",
            "UNIX.group*",
            "UNIX.groupname*",
            "UNIX.mode*",
            "UNIX.owner*",
            "UNIX.ownername*",
        ];
        let base = Self::mlsd();
        let mlsx = base.mlsx.map(|mlsx| Mlsx { facts, ..mlsx });
        let verbs = [
            "CLNT",
            "CSID",
            "EPRT",
            "EPSV",
            "HOST",
            "MDTM",
            "MFMT",
            "PASV",
            "REST STREAM",
            "SITE SYMLINK",
            "SITE UTIME",
            "SIZE",
            "TVFS",
            "UTF8",
        ];
        Self {
            greeting: "220 ProFTPD Server (fake) [::ffff:127.0.0.1]".to_owned(),
            feat: Some(features(&verbs, mlsx.as_ref())),
            mlsx,
            waits_for_close: true,
            failure_drops_passive: true,
            ..base
        }
    }

    /// pyftpdlib: 150 at once, links followed, modes only after OPTS MLST.
    #[must_use]
    pub fn pyftpdlib() -> Self {
        let mlsx = Mlsx {
            facts: vec!["type*", "perm*", "size*", "modify*", "unique*", "unix.mode", "unix.uid", "unix.gid"],
            links: LinkStyle::Followed,
            dot_entries: false,
            opts: true,
            python_modes: true,
        };
        let verbs = ["EPRT", "EPSV", "MDTM", "MFMT", "REST STREAM", "SIZE", "TVFS", "UTF8"];
        Self {
            dialect: Dialect::Pyftpdlib,
            writing: Some(Writing::of(Dialect::Pyftpdlib)),
            greeting: "220 pyftpdlib 2.2.0 ready.".to_owned(),
            feat: Some(features(&verbs, Some(&mlsx))),
            mlsx: Some(mlsx),
            hides_dotfiles: false,
            list_missing: ListMissing::Refused,
            opens_before_accept: true,
            ..Self::mlsd()
        }
    }

    /// vsftpd: no MLSD, one error text per verb, only CWD tells whether a directory exists.
    #[must_use]
    pub fn unix_list() -> Self {
        Self {
            dialect: Dialect::Vsftpd,
            writing: Some(Writing::of(Dialect::Vsftpd)),
            greeting: "220 (vsFTPd 3.0.3)".to_owned(),
            feat: Some(features(&["EPRT", "EPSV", "MDTM", "PASV", "REST STREAM", "SIZE", "TVFS"], None)),
            mlsx: None,
            ascii: false,
            list_missing: ListMissing::Nothing,
            rest_refused_beyond_end: false,
            ..Self::mlsd()
        }
    }

    /// IIS 7 and later with its DOS listing.
    #[must_use]
    pub fn iis() -> Self {
        let verbs = [
            "LANG EN*",
            "UTF8",
            "AUTH TLS;TLS-C;SSL;TLS-P;",
            "PBSZ",
            "PROT C;P;",
            "CCC",
            "HOST",
            "SIZE",
            "MDTM",
            "REST STREAM",
        ];
        Self {
            dialect: Dialect::Iis,
            writing: Some(Writing::of(Dialect::Iis)),
            greeting: "220 Microsoft FTP Service".to_owned(),
            syst: "215 Windows_NT".to_owned(),
            feat: Some(features(&verbs, None)),
            mlsx: None,
            list: ListStyle::Dos,
            hides_dotfiles: false,
            list_missing: ListMissing::Refused,
            rest_refused_beyond_end: false,
            names: Names::Latin1UntilUtf8,
            ..Self::mlsd()
        }
    }

    /// Pure-FTPd: its greeting of six lines, its final `150`, listings that end at 10,000 names.
    #[must_use]
    pub fn pure() -> Self {
        let mlsx = Mlsx {
            facts: vec!["type*", "size*", "sizd*", "modify*", "UNIX.mode*", "UNIX.uid*", "UNIX.gid*", "unique*"],
            links: LinkStyle::Slink,
            dot_entries: true,
            opts: false,
            python_modes: false,
        };
        let verbs = [
            "UTF8",
            "EPRT",
            "IDLE",
            "MDTM",
            "SIZE",
            "MFMT",
            "REST STREAM",
            "MLSD",
            "PRET",
            "TVFS",
            "ESTA",
            "PASV",
            "EPSV",
            "ESTP",
        ];
        Self {
            dialect: Dialect::Pureftpd,
            writing: Some(Writing::of(Dialect::Pureftpd)),
            greeting: [
                "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------",
                "220-You are user number 1 of 50 allowed.",
                "220-Local time is now 12:00. Server port: 21.",
                "220-This is a private system - No anonymous login",
                "220-IPv6 connections are also welcome on this server.",
                "220 You will be disconnected after 15 minutes of inactivity.",
            ]
            .join("\n"),
            feat: Some(features(&verbs, Some(&mlsx))),
            mlsx: Some(mlsx),
            list_missing: ListMissing::Nothing,
            list_limit: Some(10_000),
            ..Self::mlsd()
        }
    }

    /// A server that knows PASV alone; [`Personality::pasv_address`] makes its 227 lie.
    #[must_use]
    pub fn no_epsv() -> Self {
        let base = Self::mlsd();
        let verbs = ["MDTM", "PASV", "REST STREAM", "SIZE", "TVFS", "UTF8"];
        Self { epsv: false, feat: Some(features(&verbs, base.mlsx.as_ref())), ..base }
    }

    /// A server from before FEAT: SIZE and LIST are all it has, and it forgets REST.
    #[must_use]
    pub fn no_feat() -> Self {
        Self {
            dialect: Dialect::Ancient,
            writing: Some(Writing::of(Dialect::Ancient)),
            greeting: "220 host FTP server (Version 5.60) ready.".to_owned(),
            feat: None,
            mlsx: None,
            list: ListStyle::Ls,
            mdtm: false,
            epsv: false,
            list_missing: ListMissing::AsData,
            rest_is_short_lived: true,
            rest_refused_beyond_end: false,
            ..Self::mlsd()
        }
    }

    /// Lets in this user alone.
    #[must_use]
    pub fn with_login(self, user: &str, password: &str) -> Self {
        Self { login: Some((user.to_owned(), password.to_owned())), ..self }
    }

    /// Listens on `[::1]`.
    #[must_use]
    pub fn on_ipv6(self) -> Self {
        Self { ipv6: true, ..self }
    }

    /// Speaks TLS, and says so in FEAT.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        if let Some(feat) = &mut self.feat {
            let verb = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
            let known: Vec<String> = feat.iter().map(|line| verb(line)).collect();
            feat.extend(tls.features().iter().filter(|line| !known.contains(&verb(line))).map(|&line| line.to_owned()));
        }
        Self { tls: Some(tls), ..self }
    }

    /// Puts this address into the 227 reply.
    #[must_use]
    pub fn with_pasv_address(self, address: Ipv4Addr) -> Self {
        Self { pasv_address: Some(address), ..self }
    }

    /// Waits so long before every burst is answered.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }
}

fn features(verbs: &[&str], mlsx: Option<&Mlsx>) -> Vec<String> {
    let mut lines: Vec<String> = verbs.iter().map(|&verb| verb.to_owned()).collect();
    if let Some(mlsx) = mlsx {
        lines.push(format!("MLST {};", mlsx.facts.join(";")));
    }
    lines
}
