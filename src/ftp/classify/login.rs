//! What a server says before it lets somebody in.

use super::super::reply::Reply;
use super::words::says_one_of;
use crate::remote::ErrorKind;

/// In place of a verb: what the server says first.
pub const GREETING: &str = "greeting";

/// Whether the server has too many clients, or too many from here: no fault of the password, and no need to hurry.
///
/// vsftpd, Pure-FTPd and pyftpdlib say 421 instead of a greeting; ProFTPD says 530 to PASS.
pub fn too_many(reply: &Reply) -> bool {
    crowded(reply, b"")
}

/// As [`too_many`]; `path` is what the server may have repeated.
pub(super) fn crowded(reply: &Reply, path: &[u8]) -> bool {
    matches!(reply.code.get(), 421 | 530) && says_one_of(reply, CROWDED, path) && !says_one_of(reply, BANNED, path)
}

/// Whether the server wants TLS before it goes on.
pub(super) fn wants_tls(reply: &Reply) -> bool {
    let wanted = says_one_of(reply, SECURE, b"") && says_one_of(reply, MUST, b"");
    // `522 SSL connection failed: session reuse required` (vsftpd): there is TLS, and it is not to its taste.
    wanted && !reply.says("reuse") && !reply.says("resum")
}

/// A refusal of the greeting, or of the login of `user`.
pub(super) fn refused(verb: &str, reply: &Reply, user: &[u8]) -> ErrorKind {
    match reply.code.get() {
        // vsftpd 530, ProFTPD and pyftpdlib 550, Pure-FTPd 421, IIS 534, FileZilla Server 503.
        _ if wants_tls(reply) => ErrorKind::TlsRequired,
        _ if crowded(reply, user) => ErrorKind::Busy,
        421 if says_one_of(reply, BANNED, user) => ErrorKind::LoginRefused,
        // "Invalid user name or password", which a list of codes on the web assigns to 430.
        430 if verb != GREETING => ErrorKind::LoginRefused,
        400..500 => ErrorKind::Unreachable,
        // One of vsftpd's two processes has gone: nobody has looked at the password.
        500 if reply.says("OOPS") && says_one_of(reply, DIED, user) => ErrorKind::Unreachable,
        // ProFTPD to a second USER: not refused, but out of step.
        503 => ErrorKind::Protocol,
        _ => ErrorKind::LoginRefused,
    }
}

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

/// Too many of another kind: passwords that were wrong. Trying again would only add to them, whatever it says of later.
const BANNED: &[&str] = &[
    "failed login",
    "login fail",
    "login attempt",
    "authentication fail",
    "banned",
    "locked",
    "password",
    "incorrect",
    "invalid",
    "wrong",
];

/// vsftpd, when it is killed in the middle.
const DIED: &[&str] = &["priv_sock", "child died", "recv_peek"];

const SECURE: &[&str] = &["tls", "ssl", "encrypt", "cleartext", "secure connection", "use auth"];

const MUST: &[&str] = &["required", "requires", "must", "are not accepted", "not allowed in clear", "only", "use auth"];

#[cfg(test)]
mod tests {
    use super::super::super::reply::parse_reply;
    use super::*;

    fn reply(line: &str) -> Reply {
        parse_reply(format!("{line}\r\n").as_bytes()).expect("a reply").expect("whole").0
    }

    #[test]
    fn logins() {
        let table = [
            ("PASS", "530 Login incorrect.", ErrorKind::LoginRefused),
            ("PASS", "430 Invalid username or password", ErrorKind::LoginRefused),
            ("PASS", "530 User u cannot log in.", ErrorKind::LoginRefused),
            ("ACCT", "530 Wrong account", ErrorKind::LoginRefused),
            ("USER", "503 You are already logged in", ErrorKind::Protocol),
            (GREETING, "421 There are too many connected users, please try later.", ErrorKind::Busy),
            (GREETING, "421 Service not available", ErrorKind::Unreachable),
            (GREETING, "550 Go away", ErrorKind::LoginRefused),
            (GREETING, "421 Temporarily banned for too many failed login attempts", ErrorKind::LoginRefused),
            ("PASS", "530 Too many failed logins, try again later", ErrorKind::LoginRefused),
            ("PASS", "530 Login incorrect, try again later", ErrorKind::LoginRefused),
            ("PASS", "530 Account locked, try later", ErrorKind::LoginRefused),
            // A server that was killed counted as one that does not want us, for half a minute.
            ("PASS", "500 OOPS: priv_sock_get_result", ErrorKind::Unreachable),
            ("PASS", "500 OOPS: vsftpd: refusing to run with writable root inside chroot()", ErrorKind::LoginRefused),
        ];
        for (verb, line, want) in table {
            assert_eq!(refused(verb, &reply(line), b"u"), want, "{verb}: {line}");
        }
    }

    #[test]
    fn servers_that_want_tls_are_told_from_those_that_do_not_know_the_user() {
        for line in [
            "530 Non-anonymous sessions must use encryption.",
            "530 Anonymous sessions must use encryption.",
            "550 SSL/TLS required on the control channel",
            "421-Sorry, cleartext sessions and weak ciphers are not accepted on this server.\r\n421 Please reconnect.",
            "534-Policy requires SSL. \r\n Win32 error: Access is denied.\r\n534 End",
            "534 Policy requires SSL.",
            "503 Use AUTH first.",
            "530 This server accepts secure connections only: use TLS",
        ] {
            assert_eq!(refused("USER", &reply(line), b"u"), ErrorKind::TlsRequired, "{line}");
        }
        for line in ["530 Anonymous sessions may not use encryption.", "530 Login incorrect.", "533 No"] {
            assert_eq!(refused("USER", &reply(line), b"u"), ErrorKind::LoginRefused, "{line}");
        }
        assert!(!wants_tls(&reply("522 SSL connection failed: session reuse required")));
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
    fn a_user_named_like_a_crowd_is_none() {
        let line = reply("530 Too-Many Simultaneous Logins cannot log in.");
        assert_eq!(refused("PASS", &line, b"Too-Many Simultaneous Logins"), ErrorKind::LoginRefused);
        assert_eq!(refused("PASS", &reply("530 Too many users"), b"u"), ErrorKind::Busy);
    }
}
