//! What a server says that it can do (FEAT, RFC 2389), and which software it seems to be.

use super::command::{Arg, Command, Iac};
use super::reply::Reply;

/// The answer to FEAT. What is false was not announced: older servers can more than they say (IIS 5 knows EPSV).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// The facts that MLST and MLSD offer (RFC 3659 7.8), in the server's order; None without MLST.
    pub mlst: Option<Vec<Fact>>,
    /// MLSD, which MLST stands for, too.
    pub mlsd: bool,
    /// Times of modification.
    pub mdtm: bool,
    /// Sizes of files.
    pub size: bool,
    /// `REST STREAM`: transfers that begin at an offset.
    pub rest_stream: bool,
    /// Names are UTF-8, at least after `OPTS UTF8 ON`.
    pub utf8: bool,
    /// EPSV.
    pub epsv: bool,
    /// PASV.
    pub pasv: bool,
    /// MFMT: sets times of modification.
    pub mfmt: bool,
    /// `SITE SYMLINK`: makes symlinks.
    pub site_symlink: bool,
    /// `TVFS`: paths are parted by `/` (RFC 3659 6).
    pub tvfs: bool,
    /// `RANG STREAM`: transfers of a range of bytes (draft-bryan-ftp-range).
    pub rang: bool,
    /// `AUTH TLS`. Pure-FTPd announces it even where TLS is switched off.
    pub auth_tls: bool,
    fingerprint: Software,
}

/// One fact that MLST offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name as the server spells it; the case of letters means nothing.
    pub name: String,
    /// Whether it is sent without asking.
    pub on: bool,
}

impl Features {
    /// Reads the answer to FEAT; a refusal announces nothing.
    pub fn parse(reply: &Reply) -> Self {
        let mut features = Self::default();
        let mut hints = Hints::default();
        let between = 1..reply.lines.len().saturating_sub(1);
        if reply.code.get() == 211 {
            for line in reply.lines.get(between).unwrap_or_default() {
                features.take(line, &mut hints);
            }
        }
        features.fingerprint = hints.software(&features);
        features
    }

    fn take(&mut self, line: &[u8], hints: &mut Hints) {
        let line = line.trim_ascii();
        let verb = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
        let (verb, args) = (line[..verb].to_ascii_uppercase(), line[verb..].trim_ascii());
        match &verb[..] {
            b"MLST" => {
                self.mlst = Some(facts(args));
                self.mlsd = true;
            }
            b"MLSD" => self.mlsd = true,
            b"MDTM" => self.mdtm = true,
            b"SIZE" => self.size = true,
            b"REST" => self.rest_stream |= words(args).any(|word| word.eq_ignore_ascii_case(b"STREAM")),
            b"UTF8" | b"UTF-8" => self.utf8 = true,
            b"EPSV" => self.epsv = true,
            b"PASV" => self.pasv = true,
            b"MFMT" => self.mfmt = true,
            b"SITE" => self.site_symlink |= words(args).any(|word| word.eq_ignore_ascii_case(b"SYMLINK")),
            b"TVFS" => self.tvfs = true,
            b"RANG" => self.rang |= words(args).any(|word| word.eq_ignore_ascii_case(b"STREAM")),
            // IIS and Serv-U put several mechanisms into one line: `AUTH TLS;TLS-C;SSL;TLS-P;`.
            b"AUTH" => self.auth_tls |= words(args).any(is_tls),
            _ => {}
        }
        hints.take(&verb, args);
    }

    /// Which software announces such a set; [`Software::Unknown`] where several do.
    pub fn fingerprint(&self) -> Software {
        self.fingerprint
    }

    /// [`Features::fingerprint`], or else what the greeting says, which administrators like to change.
    pub fn software(&self, greeting: &Reply) -> Software {
        match self.fingerprint {
            Software::Unknown => Software::from_greeting(greeting),
            known => known,
        }
    }

    /// The `OPTS MLST` that switches on the facts that a listing needs, and the others off; None if nothing would change.
    ///
    /// pyftpdlib gives no modes without it, and ProFTPD's lines lose a third of their length. Only what the server offers
    /// is asked for: with no known fact at all, ProFTPD and pyftpdlib would send none.
    pub fn opts_mlst_wanted(&self) -> Option<Command<'static>> {
        let offered = self.mlst.as_deref()?;
        let is_wanted = |fact: &&Fact| WANTED.iter().any(|want| fact.name.eq_ignore_ascii_case(want));
        let wanted: Vec<_> = offered.iter().filter(is_wanted).collect();
        if wanted.is_empty() || offered.iter().all(|fact| fact.on == is_wanted(&fact)) {
            return None;
        }
        let mut line = b"MLST ".to_vec();
        for fact in wanted {
            line.extend_from_slice(fact.name.as_bytes());
            line.push(b';');
        }
        Arg::new(line).ok().map(Command::Opts)
    }
}

/// The fact list of the MLST line: `type*;size*;unix.mode;`.
fn facts(args: &[u8]) -> Vec<Fact> {
    words(args)
        .take(MAX_FACTS)
        .map(|word| {
            let name = word.strip_suffix(b"*").unwrap_or(word);
            Fact { name: String::from_utf8_lossy(name).into_owned(), on: name.len() < word.len() }
        })
        .filter(|fact| !fact.name.is_empty())
        .collect()
}

fn words(args: &[u8]) -> impl Iterator<Item = &[u8]> {
    args.split(|b| matches!(b, b';' | b' ' | b',')).filter(|word| !word.is_empty())
}

fn is_tls(mechanism: &[u8]) -> bool {
    [&b"TLS"[..], b"TLS-C", b"TLS-P"].iter().any(|tls| mechanism.eq_ignore_ascii_case(tls))
}

/// What tells servers apart whose greeting was changed.
#[derive(Default)]
struct Hints {
    estp: bool,
    mff_unix: bool,
    csid: bool,
    lprt: bool,
    eprt: bool,
    beyond_vsftpd: bool,
}

impl Hints {
    fn take(&mut self, verb: &[u8], args: &[u8]) {
        match verb {
            b"ESTP" => self.estp = true,
            b"MFF" => self.mff_unix = words(args).any(|fact| fact.eq_ignore_ascii_case(b"UNIX.mode")),
            b"CSID" => self.csid = true,
            b"LPRT" => self.lprt = true,
            b"EPRT" => self.eprt = true,
            _ => {}
        }
        self.beyond_vsftpd |= !VSFTPD.contains(&verb);
    }

    fn software(&self, features: &Features) -> Software {
        let fact = |name: &str| features.mlst.iter().flatten().any(|fact| fact.name == name);
        let vsftpd = self.eprt && features.epsv && features.pasv && features.tvfs && !self.beyond_vsftpd;
        if self.estp || fact("sizd") {
            Software::PureFtpd
        } else if self.mff_unix || (features.rang && self.csid) {
            // Serv-U has an MFF as well (`Create;Modify;`), and knows CSID.
            Software::ProFtpd
        } else if fact("unix.mode") {
            // Others write `UNIX.mode`.
            Software::Pyftpdlib
        } else if self.lprt && features.mlst.is_none() {
            // The BSDs' servers know LPRT, too, but MLST with it.
            Software::Inetutils
        } else if vsftpd {
            Software::Vsftpd
        } else {
            Software::Unknown
        }
    }
}

/// Which program answers. A guess: only for what cannot be found out by trying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Software {
    /// vsftpd.
    Vsftpd,
    /// ProFTPD.
    ProFtpd,
    /// Pure-FTPd.
    PureFtpd,
    /// Python's pyftpdlib.
    Pyftpdlib,
    /// GNU inetutils ftpd.
    Inetutils,
    /// Another, or not to be told.
    #[default]
    Unknown,
}

impl Software {
    /// What the greeting calls itself.
    pub fn from_greeting(greeting: &Reply) -> Self {
        let known = [
            ("vsftpd", Self::Vsftpd),
            ("proftpd", Self::ProFtpd),
            ("pure-ftpd", Self::PureFtpd),
            ("pyftpdlib", Self::Pyftpdlib),
            ("gnu inetutils", Self::Inetutils),
        ];
        known.into_iter().find(|(word, _)| greeting.says(word)).map_or(Self::Unknown, |(_, software)| software)
    }

    /// Whether it decodes Telnet on the control connection.
    pub fn iac(self) -> Iac {
        match self {
            Self::ProFtpd | Self::Inetutils => Iac::Doubled,
            Self::Vsftpd | Self::PureFtpd | Self::Pyftpdlib | Self::Unknown => Iac::Raw,
        }
    }

    /// How long a command line may be with its CR LF.
    ///
    /// inetutils executes what lies beyond byte 509 as the next command; pyftpdlib falls out of step beyond 2,048.
    pub fn line_limit(self) -> usize {
        match self {
            Self::Inetutils => 500,
            Self::Vsftpd | Self::ProFtpd | Self::PureFtpd | Self::Pyftpdlib | Self::Unknown => 2_000,
        }
    }
}

/// The facts that [`listing`](super::listing) reads.
const WANTED: [&str; 6] = ["type", "size", "sizd", "modify", "UNIX.mode", "unique"];
/// Nobody has more than thirty.
const MAX_FACTS: usize = 100;
/// All that vsftpd 3.0.3 ever announces.
const VSFTPD: [&[u8]; 11] =
    [b"EPRT", b"EPSV", b"MDTM", b"PASV", b"REST", b"SIZE", b"TVFS", b"UTF8", b"AUTH", b"PBSZ", b"PROT"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reply::parse_reply;
    use super::*;

    fn reply(bytes: &str) -> Reply {
        parse_reply(bytes.as_bytes()).expect("a reply").expect("whole").0
    }

    /// Features parted by `|`.
    fn feat(lines: &str) -> Features {
        Features::parse(&reply(&format!("211-Features:\r\n {}\r\n211 End\r\n", lines.replace('|', "\r\n "))))
    }

    const PRO: &str = "CLNT|CSID|EPRT|EPSV|HOST|LANG C.UTF-8*|MDTM|MFF modify;UNIX.group;UNIX.mode;|MFMT|\
        MLST modify*;perm*;size*;type*;unique*;UNIX.group*;UNIX.groupname*;UNIX.mode*;UNIX.owner*;|RANG STREAM|\
        REST STREAM|SIZE|TVFS|UTF8";
    const PURE: &str = "UTF8|EPRT|IDLE|MDTM|SIZE|MFMT|REST STREAM|\
        MLST type*;size*;sizd*;modify*;UNIX.mode*;UNIX.uid*;UNIX.gid*;unique*;|MLSD|PRET|AUTH TLS|PBSZ|PROT|TVFS|\
        ESTA|PASV|EPSV|ESTP";
    const PY: &str = "EPRT|EPSV|MDTM|MFMT|MLST type*;perm*;size*;modify*;unique*;unix.mode;unix.uid;unix.gid;|\
        REST STREAM|SIZE|TVFS|UTF8";
    const VS: &str = "EPRT|EPSV|MDTM|PASV|REST STREAM|SIZE|TVFS";
    const INET: &str = "MDTM|SIZE|REST STREAM|EPRT|EPSV|LPRT|LPSV";
    const IIS: &str = "LANG EN*|UTF8|AUTH TLS;TLS-C;SSL;TLS-P;|PBSZ|PROT C;P;|CCC|HOST|SIZE|MDTM|REST STREAM";
    const SERV_U: &str = "CSID|MFF Create;Modify;|MLST Type*;Size*;Create;Modify*;Perm*;Win32.ea|REST STREAM";

    #[test]
    fn servers_are_told_apart_without_their_greeting() {
        let table = [
            (PRO, Software::ProFtpd),
            (PURE, Software::PureFtpd),
            (PY, Software::Pyftpdlib),
            (VS, Software::Vsftpd),
            (INET, Software::Inetutils),
            (IIS, Software::Unknown),
            (SERV_U, Software::Unknown),
            ("AUTH TLS|EPRT", Software::Unknown),
        ];
        for (lines, want) in table {
            assert_eq!(feat(lines).fingerprint(), want, "{lines}");
        }
    }

    #[test]
    fn the_greeting_is_the_second_hint() {
        let nothing = Features::default();
        let table = [
            ("220 (vsFTPd 3.0.3)\r\n", Software::Vsftpd),
            ("220 ProFTPD Server (name) [::ffff:127.0.0.1]\r\n", Software::ProFtpd),
            ("220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220 x\r\n", Software::PureFtpd),
            ("220 pyftpdlib 2.2.0 ready.\r\n", Software::Pyftpdlib),
            ("220 host FTP server (GNU inetutils 2.4) ready.\r\n", Software::Inetutils),
            ("220 Microsoft FTP Service\r\n", Software::Unknown),
        ];
        for (greeting, want) in table {
            assert_eq!(nothing.software(&reply(greeting)), want);
        }
        assert_eq!(feat(PURE).software(&reply("220 ProFTPD\r\n")), Software::PureFtpd);
        assert_eq!((Software::Inetutils.iac(), Software::Inetutils.line_limit()), (Iac::Doubled, 500));
    }

    #[test]
    fn announcements_in_every_spelling() {
        let iis = feat(IIS);
        assert!(iis.utf8 && iis.auth_tls && iis.size && iis.mdtm && iis.rest_stream);
        assert!(!iis.mlsd && iis.mlst.is_none() && !iis.epsv);
        let odd = feat("    size|\trest stream|mlst Type*;Size|AUTH TLS");
        assert!(odd.size && odd.rest_stream && odd.mlsd && odd.auth_tls);
        let fact = |name: &str, on| Fact { name: name.into(), on };
        assert_eq!(odd.mlst, Some(vec![fact("Type", true), fact("Size", false)]));
        assert!(feat(PRO).rang && feat(PURE).pasv && feat("MLSD").mlsd && !feat("REST").rest_stream);
        // ProFTPD, MultilineRFC2228.
        assert!(Features::parse(&reply("211-Features:\r\n211-AUTH TLS\r\n211 End\r\n")).auth_tls);
    }

    #[test]
    fn a_refusal_announces_nothing() {
        for refusal in ["500 'FEAT': command not understood\r\n", "530 Please login.\r\n", "211 no features\r\n"] {
            assert_eq!(Features::parse(&reply(refusal)), Features::default());
        }
    }

    #[test]
    fn only_offered_facts_are_asked_for() {
        let asked = |lines: &str| feat(lines).opts_mlst_wanted().map(|command| command.to_string());
        assert_eq!(asked(PRO).as_deref(), Some("OPTS MLST modify;size;type;unique;UNIX.mode;"));
        assert_eq!(asked(PY).as_deref(), Some("OPTS MLST type;size;modify;unique;unix.mode;"));
        assert_eq!(asked(SERV_U).as_deref(), Some("OPTS MLST Type;Size;Modify;"));
        assert_eq!(asked("MLST type*;size*;modify*;"), None);
        assert_eq!(asked("MLST perm*;x"), None);
        assert_eq!(asked("MLST"), None);
        assert_eq!(asked(VS), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_features(
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                prop::string::bytes_regex("( ?(MLST|REST|AUTH|MFF) [a-zA-Z*;. \r\0]{0,20}\r\n){0,6}").expect("a regex"),
            ],
        ) {
            let bytes = [&b"211-\r\n"[..], &body, b"\r\n211 \r\n"].concat();
            if let Ok(Some((reply, _))) = parse_reply(&bytes) {
                let features = Features::parse(&reply);
                let _ = features.opts_mlst_wanted();
            }
        }
    }
}
