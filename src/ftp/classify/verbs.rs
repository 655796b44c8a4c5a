//! Whether a server has a verb, as its reply shows.

use super::super::reply::{Class, Reply};

/// In place of `MDTM` where it is to set a time: `MDTM YYYYMMDDhhmmss path`, which vsftpd knows and most servers take
/// for a longer name.
pub const MDTM_SET: &str = "MDTM time";

/// Whether the server has `verb`, now that it has answered it with `reply` after the login; None where that proves
/// nothing either way.
///
/// 500 and 502 say that there is no such verb (RFC 959 4.2.2), but also that a line was too long or a port not wanted,
/// and may be the answer to another command where the connection is out of step. 504 is about an argument, 503 about the
/// order, 530 about the login.
pub fn knows(verb: &str, reply: &Reply) -> Option<bool> {
    match (reply.class(), reply.code.get()) {
        (Class::Preliminary | Class::Completion | Class::Intermediate, _) => Some(true),
        (_, 500 | 502) => (!is_about_something_else(verb, reply)).then_some(false),
        (_, 450 | 501 | 550..=554) => Some(true),
        _ => None,
    }
}

fn is_about_something_else(verb: &str, reply: &Reply) -> bool {
    OTHER_FAULTS.iter().any(|phrase| reply.says(phrase)) || names_another(verb, reply)
}

/// `500 NOOP not understood`, `500 'SIZE': command not recognized`, `500 Command "STAT" not understood.`: the verb comes
/// first or stands in quotes. If it is not ours, the reply is not, either.
fn names_another(verb: &str, reply: &Reply) -> bool {
    let own = verb.split(' ').next().unwrap_or(verb);
    let first = reply.lines.first().and_then(|line| line.split(|b| !b.is_ascii_alphanumeric()).next());
    let named = |v: &str| first == Some(v.as_bytes()) || ['\'', '"'].iter().any(|q| reply.says(&format!("{q}{v}{q}")));
    !reply.says(own) && VERBS.iter().any(|v| named(v))
}

const OTHER_FAULTS: &[&str] = &[
    "too long",
    "illegal port",
    "illegal eprt",
    "won't open",
    "log in",
    "login",
    "logged in",
    // vsftpd, right before it hangs up.
    "oops",
    "internal error",
];

/// Verbs that a client like this one sends.
const VERBS: &[&str] = &[
    "ABOR", "ACCT", "ALLO", "APPE", "AUTH", "CLNT", "CWD", "DELE", "EPRT", "EPSV", "FEAT", "LIST", "MDTM", "MFMT",
    "MKD", "MLSD", "MLST", "NLST", "NOOP", "OPTS", "PASS", "PASV", "PBSZ", "PORT", "PROT", "PWD", "QUIT", "REST",
    "RETR", "RMD", "RNFR", "RNTO", "SITE", "SIZE", "STAT", "STOR", "SYST", "TYPE", "USER",
];

#[cfg(test)]
mod tests {
    use super::super::super::reply::parse_reply;
    use super::*;

    #[test]
    fn a_verb_is_missing_only_where_the_server_says_so_of_this_verb() {
        let table: &[(&str, &str, Option<bool>)] = &[
            ("MLSD", "500 Unknown command.", Some(false)),
            ("MLST", "500 MLST not understood", Some(false)),
            ("MFMT", "500 'MFMT': command not recognized", Some(false)),
            ("MFMT", "500 Command \"MFMT\" not understood.", Some(false)),
            ("SITE CHMOD", "500 Unknown SITE command.", Some(false)),
            ("EPSV", "502 Command not implemented, use PASV.", Some(false)),
            ("SIZE", "500 Illegal command", Some(false)),
            ("SIZE", "213 12", Some(true)),
            ("REST", "350 Restart position accepted (0).", Some(true)),
            ("SIZE", "550 Could not get file size.", Some(true)),
            // The argument is not to its taste.
            ("MFMT", "501 Invalid time", Some(true)),
            ("OPTS", "504 Unknown command", None),
            ("SIZE", "504 Not for this type", None),
            // Too long, an address that is not wanted, a server at its end.
            ("CWD", "500 Input line too long.", None),
            ("MLST", "500 Command too long.", None),
            ("EPRT", "500 Illegal PORT command.", None),
            ("PORT", "500 I won't open a connection to 10.0.0.1 (only to 10.0.0.2)", None),
            ("RETR", "500 OOPS: child died", None),
            // Out of step: the answer to another command.
            ("MLSD", "500 NOOP not understood", None),
            ("SIZE", "500 'MDTM': command not recognized", None),
            ("SIZE", "500 Command \"STAT\" not understood.", None),
            ("SIZE", "503 Bad sequence of commands", None),
            // Before the login.
            ("FEAT", "530 Please login with USER and PASS.", None),
            ("FEAT", "500 Log in first", None),
            ("MLSD", "421 Timeout.", None),
            ("MLSD", "425 No data connection", None),
            ("STOR", "426 Failure reading network stream.", None),
        ];
        for (verb, line, want) in table {
            let (reply, _) = parse_reply(format!("{line}\r\n").as_bytes()).expect("a reply").expect("whole");
            assert_eq!(knows(verb, &reply), *want, "{verb}: {line}");
        }
    }
}
