//! What a refusal means: verb, code and words become an [`ErrorKind`].
//!
//! Codes of FTP are coarse: 550 is a missing name, a directory, or no permission. Many servers add the words of the C
//! library, which settle it (`words`); others have one text per verb, and then the answer is [`Verdict::Ask`] and the
//! caller takes one look at the server and lets [`Question::settle`] say what it means (`question`). A doubtful word
//! counts as ambiguous: an extra question costs a round trip, a wrong "no such file" can cost a file.
//!
//! `login` judges what is said before the login is done, and `verbs` whether a server has a verb at all.

mod login;
mod question;
mod verbs;
mod words;

#[cfg(test)]
mod names;
#[cfg(test)]
mod tests;

use super::reply::{Class, Reply};
use crate::remote::{Error, ErrorKind, Retry};

pub use login::{GREETING, too_many};
pub use question::{Found, Look, Question};
pub use verbs::{MDTM_SET, knows};

use question::Deed;
use words::{Spoken, words};

/// What is known after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server said so.
    Sure(ErrorKind),
    /// The reply leaves it open: one look at the server tells.
    Ask(Question),
}

/// Judges `reply` to `verb`, which was about `path` (empty where it was about none).
///
/// Verbs are those of [`Command::verb`](super::command::Command::verb), [`GREETING`] and [`MDTM_SET`]; a `SITE` verb may
/// bring its second word, as in `SITE CHMOD`. `LIST` has no argument, so `path` is the directory it was about. The reply
/// to `RNTO` may repeat either name: `path` is both, one after the other. For `USER` and `PASS` it is the user's name.
/// A reply that is no refusal at all is [`ErrorKind::Protocol`].
pub fn classify(verb: &str, reply: &Reply, path: &[u8]) -> Verdict {
    let sure = match reply.class() {
        Class::Transient | Class::Permanent => match verb {
            GREETING | "USER" | "PASS" | "ACCT" => login::refused(verb, reply, path),
            "EPSV" | "PASV" => passive(reply),
            "EPRT" | "PORT" => active(reply),
            _ => return command(verb, reply, path),
        },
        // An account is wanted, and there is none to give.
        Class::Intermediate if reply.code.get() == 332 => ErrorKind::LoginRefused,
        Class::Preliminary | Class::Completion | Class::Intermediate => ErrorKind::Protocol,
    };
    Verdict::Sure(sure)
}

/// The error of `kind` that carries the server's code and words, and whether asking again may help.
///
/// What changes the server is never repeated for its own sake: it may have been done. A connection that had been idle
/// and whose first answer is a 421 has done nothing.
pub fn refusal(verb: &'static str, reply: &Reply, kind: ErrorKind) -> Error {
    let retry = match reply.code.get() {
        _ if too_many(reply) => Retry::Safe,
        421 => Retry::IfReused,
        425 | 426 | 450 | 451 if !Deed::of(verb).changes() && kind != ErrorKind::Unsupported => Retry::Safe,
        _ => Retry::Never,
    };
    Error::new(kind, verb).with_reply(reply.to_string()).with_retry(retry)
}

/// Whether a listing lacks names although its final reply is 2yz.
///
/// Pure-FTPd 1.0.50 stops with `226 Output truncated to 10000 matches`, and says `226-Sorry, we were unable to read [d]`.
pub fn listing_truncated(reply: &Reply) -> bool {
    reply.says("truncated") || reply.says("unable to read")
}

fn passive(reply: &Reply) -> ErrorKind {
    match reply.code.get() {
        // pyftpdlib: `550 SSL/TLS required on the data channel.`
        _ if login::wants_tls(reply) => ErrorKind::TlsRequired,
        400..500 => ErrorKind::Unreachable,
        530 => ErrorKind::Denied,
        503 => ErrorKind::Protocol,
        // 500 unknown, 522 not for this kind of address, 550 switched off: try the other verb.
        _ => ErrorKind::Unsupported,
    }
}

fn active(reply: &Reply) -> ErrorKind {
    match reply.code.get() {
        // `500 Illegal PORT command.` (vsftpd, ProFTPD, inetutils), `500 I won't open a connection to ...` (Pure-FTPd),
        // `501 Rejected data connection to foreign address` (pyftpdlib): the verb is known, this address is not wanted.
        500 | 501 if ["illegal", "won't open", "rejected"].iter().any(|phrase| reply.says(phrase)) => ErrorKind::Denied,
        _ => passive(reply),
    }
}

fn command(verb: &str, reply: &Reply, path: &[u8]) -> Verdict {
    let spoken = words(reply, path);
    let deed = Deed::of(verb);
    let sure = match reply.code.get() {
        // Pure-FTPd says `421 Path too long`, vsftpd `500 Input line too long.`, both before they hang up.
        421 | 500 | 502 | 504 if spoken == Spoken::Kind(ErrorKind::NameTooLong) => ErrorKind::NameTooLong,
        426 | 451 if deed == Deed::Write => return upload_ended(reply, spoken),
        421 | 425 | 426 => ErrorKind::Unreachable,
        450 | 451 | 501 | 550 | 551 | 553 => return by_words(deed, reply, spoken),
        452 | 552 => match spoken {
            Spoken::Kind(kind) => kind,
            Spoken::Doubtful | Spoken::Nothing => ErrorKind::NoSpace,
        },
        // rclone met it where the directory is there already; RFC 959's first draft had it so.
        521 if deed == Deed::Make => ErrorKind::Exists,
        // vsftpd's last words: `500 OOPS: ...`, whatever the verb.
        500 if reply.says("OOPS") => ErrorKind::Protocol,
        500 | 502 | 504 => ErrorKind::Unsupported,
        530 if login::crowded(reply, path) => ErrorKind::Busy,
        521 | 522 | 530 | 533 | 534 if login::wants_tls(reply) => ErrorKind::TlsRequired,
        530 | 532 => ErrorKind::Denied,
        534 if matches!(verb, "AUTH" | "PROT") => ErrorKind::Unsupported,
        // The offset lies behind the end: the file has shrunk.
        554 if matches!(verb, "RETR" | "REST" | "STOR" | "APPE") => ErrorKind::Changed,
        _ => ErrorKind::Protocol,
    };
    Verdict::Sure(sure)
}

fn by_words(deed: Deed, reply: &Reply, spoken: Spoken) -> Verdict {
    let about_path = deed != Deed::Nothing;
    match (spoken, reply.code.get()) {
        (Spoken::Kind(kind), _) => deed.judge(kind),
        // ProFTPD of a link that leads nowhere, which it leaves out of its listings as well.
        (Spoken::Doubtful, _) if deed == Deed::Write && reply.says("not a regular file") => {
            deed.ask_or(ErrorKind::Loop)
        }
        (Spoken::Doubtful, _) if about_path => deed.ask(),
        (_, 450) => Verdict::Sure(ErrorKind::Busy),
        // Pure-FTPd's code for every RNTO that fails.
        (_, 451) if deed == Deed::To => deed.ask(),
        (_, 451) => Verdict::Sure(ErrorKind::Protocol),
        (_, 501) if matches!(deed, Deed::Time | Deed::Mode) => Verdict::Sure(ErrorKind::Invalid),
        (_, 501) if about_path => Verdict::Sure(ErrorKind::NameInvalid),
        _ if about_path => deed.ask(),
        _ => Verdict::Sure(ErrorKind::Unsupported),
    }
}

/// What ended an upload that had begun: a full disk more often than not, but few servers say so.
///
/// vsftpd says `451 Failure writing to local file.`, Pure-FTPd `451-Error during write to file`: that is one. ProFTPD
/// has `451 Transfer aborted. Input/output error` and pyftpdlib `426 None; transfer aborted.`, which may be anything.
fn upload_ended(reply: &Reply, spoken: Spoken) -> Verdict {
    match (spoken, reply.code.get()) {
        (Spoken::Kind(kind), _) if kind != ErrorKind::Protocol => Deed::Write.judge(kind),
        (_, 426) => Verdict::Ask(Question::space(ErrorKind::Unreachable)),
        _ => Verdict::Ask(Question::space(ErrorKind::Protocol)),
    }
}
