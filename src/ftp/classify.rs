//! What a refusal means: verb, code and words become an [`ErrorKind`].
//!
//! Codes of FTP are coarse: 550 is a missing name, a directory, or no permission. Many servers add the words of the C
//! library, which settle it; others have one text per verb, and then the answer is [`Verdict::Ambiguous`] and the caller
//! looks at the listing of the parent. A doubtful word counts as ambiguous: an extra question costs a round trip, a
//! wrong "no such file" can cost a file.
//!
//! Servers repeat the path in their replies, so a phrase that occurs in the path itself proves nothing and is not looked
//! for (lftp's `Ftp::ServerSaid` has the same rule). Cutting the path out of the text would not do: it may be echoed
//! shortened, quoted, or under another root, and cutting out the name `file` would break `No such file`.

use super::reply::{Class, Reply};
use super::text::says;
use crate::remote::{Error, ErrorKind, Retry};

/// What is known after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server said so.
    Sure(ErrorKind),
    /// Missing, of another kind, or not allowed: the parent's listing tells.
    Ambiguous,
}

/// Judges `reply` to `verb`, which was about `path` (empty where it was about none).
///
/// Verbs are those of [`Command::verb`](super::command::Command::verb), and [`GREETING`]. `LIST` has no argument, so
/// `path` is the directory it was about. A reply that is no refusal at all is [`ErrorKind::Protocol`].
pub fn classify(verb: &str, reply: &Reply, path: &[u8]) -> Verdict {
    let sure = match reply.class() {
        Class::Transient | Class::Permanent => match verb {
            GREETING | "USER" | "PASS" => login(verb, reply),
            "EPSV" | "PASV" | "EPRT" | "PORT" => passive(reply),
            _ => return command(verb, reply, path),
        },
        // 332: an account is wanted, which nobody has had since the days of TOPS-20.
        Class::Intermediate if reply.code.get() == 332 => ErrorKind::LoginRefused,
        Class::Preliminary | Class::Completion | Class::Intermediate => ErrorKind::Protocol,
    };
    Verdict::Sure(sure)
}

/// The error of `kind` that carries the server's code and words, and whether asking again may help.
///
/// The retry holds for requests that change nothing on the server.
pub fn refusal(verb: &'static str, reply: &Reply, kind: ErrorKind) -> Error {
    let retry = match reply.code.get() {
        _ if too_many(reply) => Retry::Safe,
        421 => Retry::IfReused,
        425 | 426 | 450 | 451 => Retry::Safe,
        _ => Retry::Never,
    };
    Error::new(kind, verb).with_reply(reply.to_string()).with_retry(retry)
}

/// Whether the server has too many clients, or too many from here: no fault of the password, and no need to hurry.
///
/// vsftpd, Pure-FTPd and pyftpdlib say 421 instead of a greeting; ProFTPD says 530 to PASS.
pub fn too_many(reply: &Reply) -> bool {
    matches!(reply.code.get(), 421 | 530) && CROWDED.iter().any(|phrase| reply.says(phrase))
}

/// Whether a listing lacks names although its final reply is 2yz.
///
/// Pure-FTPd 1.0.50 stops with `226 Output truncated to 10000 matches`, and says `226-Sorry, we were unable to read [d]`.
pub fn listing_truncated(reply: &Reply) -> bool {
    reply.says("truncated") || reply.says("unable to read")
}

fn login(verb: &str, reply: &Reply) -> ErrorKind {
    match reply.code.get() {
        _ if too_many(reply) => ErrorKind::Busy,
        // Pure-FTPd where TLS is a must: `421-Sorry, cleartext sessions ... are not accepted on this server`.
        421 if reply.says("cleartext") => ErrorKind::LoginRefused,
        // "Invalid user name or password", which a list of codes on the web assigns to 430.
        430 if verb != GREETING => ErrorKind::LoginRefused,
        400..500 => ErrorKind::Unreachable,
        // ProFTPD to a second USER: not refused, but out of step.
        503 => ErrorKind::Protocol,
        _ => ErrorKind::LoginRefused,
    }
}

fn passive(reply: &Reply) -> ErrorKind {
    match reply.code.get() {
        400..500 => ErrorKind::Unreachable,
        530 => ErrorKind::Denied,
        503 => ErrorKind::Protocol,
        // 500 unknown, 522 not for this kind of address, 550 switched off: try the other verb.
        _ => ErrorKind::Unsupported,
    }
}

fn command(verb: &str, reply: &Reply, path: &[u8]) -> Verdict {
    let spoken = words(reply, path);
    let sure = match reply.code.get() {
        // Pure-FTPd says `421 Path too long`, vsftpd `500 Input line too long.`, both before they hang up.
        421 | 500 | 502 | 504 if spoken == Spoken::Kind(ErrorKind::NameTooLong) => ErrorKind::NameTooLong,
        421 | 425 | 426 => ErrorKind::Unreachable,
        450 | 451 | 501 | 550 | 551 | 553 => return by_words(verb, reply, spoken),
        500 | 502 | 504 => ErrorKind::Unsupported,
        530 if too_many(reply) => ErrorKind::Busy,
        530 | 532 => ErrorKind::Denied,
        // The offset lies behind the end: the file has shrunk.
        554 if matches!(verb, "RETR" | "REST") => ErrorKind::Changed,
        _ => ErrorKind::Protocol,
    };
    Verdict::Sure(sure)
}

fn by_words(verb: &str, reply: &Reply, spoken: Spoken) -> Verdict {
    let about_path = matches!(verb, "CWD" | "MLSD" | "MLST" | "LIST" | "RETR" | "SIZE" | "MDTM");
    match (spoken, reply.code.get()) {
        (Spoken::Kind(kind), _) => Verdict::Sure(kind),
        (Spoken::Doubtful, _) if about_path => Verdict::Ambiguous,
        (_, 450) => Verdict::Sure(ErrorKind::Busy),
        (_, 451) => Verdict::Sure(ErrorKind::Protocol),
        (_, 501) if about_path => Verdict::Sure(ErrorKind::NameInvalid),
        _ if about_path => Verdict::Ambiguous,
        _ => Verdict::Sure(ErrorKind::Unsupported),
    }
}

/// What the words of a reply say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Kind(ErrorKind),
    /// Words that have more than one meaning, or contradict each other, or may be the file's name.
    Doubtful,
    Nothing,
}

fn words(reply: &Reply, path: &[u8]) -> Spoken {
    let mut spoken = Spoken::Nothing;
    for (phrase, kind) in PHRASES {
        if !reply.says(phrase) {
            continue;
        }
        let here = match kind {
            Some(kind) if !says(path, phrase) => Spoken::Kind(*kind),
            _ => Spoken::Doubtful,
        };
        spoken = if spoken == Spoken::Nothing || spoken == here { here } else { Spoken::Doubtful };
    }
    spoken
}

/// In place of a verb: what the server says first.
pub const GREETING: &str = "greeting";

/// Words of the C library, of Windows, and of servers. None: they say several things, so the listing must tell.
const PHRASES: &[(&str, Option<ErrorKind>)] = &[
    ("no such file", Some(ErrorKind::NotFound)),
    // IIS.
    ("cannot find the file specified", Some(ErrorKind::NotFound)),
    ("cannot find the path specified", Some(ErrorKind::NotFound)),
    ("not a directory", Some(ErrorKind::NotDir)),
    // IIS to the CWD into a file.
    ("directory name is invalid", Some(ErrorKind::NotDir)),
    ("is a directory", Some(ErrorKind::IsDir)),
    ("permission denied", Some(ErrorKind::Denied)),
    ("operation not permitted", Some(ErrorKind::Denied)),
    ("file name too long", Some(ErrorKind::NameTooLong)),
    ("path too long", Some(ErrorKind::NameTooLong)),
    ("line too long", Some(ErrorKind::NameTooLong)),
    ("command too long", Some(ErrorKind::NameTooLong)),
    ("forbidden command argument", Some(ErrorKind::NameInvalid)),
    ("prohibited file name", Some(ErrorKind::NameInvalid)),
    ("resource busy", Some(ErrorKind::Busy)),
    ("temporarily unavailable", Some(ErrorKind::Busy)),
    ("too many open files", Some(ErrorKind::Busy)),
    ("used by another process", Some(ErrorKind::Busy)),
    ("input/output error", Some(ErrorKind::Protocol)),
    // pyftpdlib's MLSD of a file as well.
    ("no such directory", None),
    // FileZilla Server 0.9 has no other words for a file where a directory is wanted, and the other way round.
    ("file not found", None),
    ("directory not found", None),
    // IIS to the RETR of a directory.
    ("access is denied", None),
    // ProFTPD of a dangling link.
    ("not a regular file", None),
    ("not a plain file", None),
    // A looping link, for which there is no kind: pyftpdlib leaves it out of listings, so it does not exist.
    ("too many levels of symbolic links", None),
];

/// The servers measured, and lftp's collection.
const CROWDED: &[&str] = &[
    "too many",
    "no more connections",
    "overloaded",
    "try later",
    "try again later",
    "try back later",
    "maximum number",
    "(the maximum)",
    "already connected",
    "simultaneous login",
    "simultaneous connection",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reply::parse_reply;
    use super::ErrorKind::*;
    use super::Verdict::{Ambiguous, Sure};
    use super::*;

    fn reply(line: &str) -> Reply {
        parse_reply(format!("{line}\r\n").as_bytes()).expect("a reply").expect("whole").0
    }

    #[test]
    fn refusals_of_real_servers() {
        let table: &[(&str, &str, Verdict)] = &[
            // vsftpd.
            ("RETR", "550 Failed to open file.", Ambiguous),
            ("CWD", "550 Failed to change directory.", Ambiguous),
            ("SIZE", "550 Could not get file size.", Ambiguous),
            ("RETR", "550 Permission denied.", Sure(Denied)),
            ("RETR", "426 Failure writing network stream.", Sure(Unreachable)),
            ("MLSD", "500 Unknown command.", Sure(Unsupported)),
            ("CWD", "500 Input line too long.", Sure(NameTooLong)),
            ("RETR", "421 Timeout.", Sure(Unreachable)),
            // ProFTPD.
            ("RETR", "550 x: No such file or directory", Sure(NotFound)),
            ("RETR", "550 d: Not a regular file", Ambiguous),
            ("RETR", "550 f/x: Not a directory", Sure(NotDir)),
            ("MLSD", "550 'f' is not a directory", Sure(NotDir)),
            ("MLST", "550 'x' cannot be listed", Ambiguous),
            ("MDTM", "550 d: not a plain file", Ambiguous),
            ("LIST", "450 x: No such file or directory", Sure(NotFound)),
            ("RETR", "550 x: Forbidden command argument", Sure(NameInvalid)),
            ("RETR", "554 REST: invalid f argument", Sure(Changed)),
            ("RETR", "425 Unable to build data connection: Connection refused", Sure(Unreachable)),
            // Pure-FTPd.
            ("RETR", "550 Can't open f: Permission denied", Sure(Denied)),
            ("RETR", "550 I can only retrieve regular files", Ambiguous),
            ("MLSD", "550 Can't check for file existence", Ambiguous),
            ("CWD", "550 Can't change directory to x: No such file or directory", Sure(NotFound)),
            ("MLST", "421 Path too long", Sure(NameTooLong)),
            ("PASV", "425 You cannot use PASV on IPv6 connections. Use EPSV instead.", Sure(Unreachable)),
            // pyftpdlib.
            ("MLSD", "501 No such directory.", Ambiguous),
            ("MLST", "550 No such file or directory.", Sure(NotFound)),
            ("RETR", "550 Is a directory.", Sure(IsDir)),
            ("SIZE", "550 /x is not retrievable.", Ambiguous),
            ("MLST", "550 Too many levels of symbolic links.", Ambiguous),
            ("EPSV", "522 Network protocol not supported (use 1).", Sure(Unsupported)),
            ("RETR", "554 REST position (13) > file size (12)", Sure(Changed)),
            // inetutils.
            ("RETR", "550 d: not a plain file.", Ambiguous),
            ("FEAT", "530 Please login with USER and PASS.", Sure(Denied)),
            // IIS.
            ("RETR", "550 The system cannot find the file specified. ", Sure(NotFound)),
            ("CWD", "550 The directory name is invalid. ", Sure(NotDir)),
            ("RETR", "550 Access is denied. ", Ambiguous),
            // By the code alone.
            ("RETR", "450 Sorry", Sure(Busy)),
            ("RETR", "451 Sorry", Sure(Protocol)),
            ("RETR", "501 Sorry", Sure(NameInvalid)),
            ("REST", "501 Sorry", Sure(Unsupported)),
            ("TYPE", "504 Sorry", Sure(Unsupported)),
            ("RETR", "503 Sorry", Sure(Protocol)),
            ("RETR", "226 Sorry", Sure(Protocol)),
            ("FEAT", "550 Sorry", Sure(Unsupported)),
        ];
        for (verb, line, want) in table {
            assert_eq!(classify(verb, &reply(line), b"/x"), *want, "{verb}: {line}");
        }
    }

    #[test]
    fn logins() {
        let table = [
            ("PASS", "530 Login incorrect.", LoginRefused),
            ("USER", "550 SSL/TLS required on the control channel", LoginRefused),
            ("PASS", "332 Need account", LoginRefused),
            ("PASS", "430 Invalid username or password", LoginRefused),
            ("USER", "503 You are already logged in", Protocol),
            (GREETING, "421 There are too many connected users, please try later.", Busy),
            (GREETING, "421 Service not available", Unreachable),
            (GREETING, "550 Go away", LoginRefused),
            (GREETING, "120 Wait", Protocol),
            ("USER", "421 Sorry, cleartext sessions and weak ciphers are not accepted on this server.", LoginRefused),
        ];
        for (verb, line, want) in table {
            assert_eq!(classify(verb, &reply(line), b""), Sure(want), "{verb}: {line}");
        }
    }

    #[test]
    fn a_file_named_like_an_error_does_not_decide() {
        let path = b"/d/No such file";
        let judge = |line: &str| classify("RETR", &reply(line), path);
        assert_eq!(judge("550 /d/No such file: Permission denied"), Ambiguous);
        assert_eq!(judge("550 No such file: Permission denied"), Ambiguous);
        assert_eq!(judge("550 Can't open 'no such FILE'"), Ambiguous);
        assert_eq!(judge("550 Permission denied."), Sure(Denied));
        // A short name must not spoil the words either.
        assert_eq!(classify("RETR", &reply("550 file: No such file or directory"), b"/file"), Sure(NotFound));
    }

    #[test]
    fn words_that_contradict_each_other_decide_nothing() {
        assert_eq!(classify("RETR", &reply("550 No such file or permission denied"), b"/x"), Ambiguous);
    }

    #[test]
    fn crowds_are_told_from_wrong_passwords() {
        for line in [
            "421 There are too many connected users, please try later.",
            "421 There are too many connections from your internet address.",
            "530 Sorry, the maximum number of allowed clients (4) are already connected.",
            "530 Sorry, the maximum number of clients (2) from your host are already connected.",
            "421 4 users (the maximum) are already logged in, sorry",
            "421 Too many connections (2) from this IP",
            "421 Too many connections. Service temporarily unavailable.",
        ] {
            assert!(too_many(&reply(line)), "{line}");
        }
        for line in [
            "530 Login incorrect.",
            "421 Timeout - try typing a little faster next time",
            "421 No transfer timeout (8 seconds): closing control connection",
            "550 Too many levels of symbolic links.",
        ] {
            assert!(!too_many(&reply(line)), "{line}");
        }
    }

    #[test]
    fn listings_that_lack_names() {
        assert!(listing_truncated(&reply("226 Output truncated to 10000 matches")));
        assert!(listing_truncated(&reply("226-Sorry, we were unable to read [d]\r\n226 0 matches total")));
        assert!(!listing_truncated(&reply("226 64 matches total")));
    }

    #[test]
    fn errors_carry_the_words_and_the_retry() {
        let error = refusal("RETR", &reply("550 x: No such file"), NotFound);
        assert_eq!(error.to_string(), "RETR: no such file or directory (server: 550 x: No such file)");
        assert_eq!(error.retry, Retry::Never);
        for (line, want) in [
            ("421 Timeout.", Retry::IfReused),
            ("421 Too many connections", Retry::Safe),
            ("425 No data connection", Retry::Safe),
            ("451 Local error", Retry::Safe),
        ] {
            assert_eq!(refusal("RETR", &reply(line), Unreachable).retry, want, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_refusal_has_a_verdict(code in 100u16..660, text in ".{0,60}", path in prop::collection::vec(any::<u8>(), 0..40)) {
            let bytes = format!("{code} {}\r\n", text.replace(['\r', '\n'], " "));
            let (reply, _) = parse_reply(bytes.as_bytes()).expect("a reply").expect("whole");
            for verb in [GREETING, "PASS", "EPSV", "RETR", "MLSD", "TYPE", "?"] {
                let _ = classify(verb, &reply, &path);
            }
            let _ = refusal("RETR", &reply, Protocol);
        }
    }
}
