//! The URL of a mount: `ftp://user:password@host:port/path`, or `ftps://`, `ftpes://`; percent-decoded to bytes.
//!
//! This is a parser of its own and not the `url` crate, because that one follows the rules of browsers: it turns `\`
//! into `/`, drops tabs and line ends, resolves `..` and insists on UTF-8. On an FTP server each of these is a file
//! name that somebody may have. Pure; no error text holds any part of the user information.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

use crate::base::Secret;

/// A parsed URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// What stands before `://`.
    pub scheme: Scheme,
    /// User name, if there is an `@` before the path. May be empty.
    pub user: Option<Vec<u8>>,
    /// Password, if there is a `:` in the user information. May be empty.
    pub password: Option<Secret>,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port, if one is given.
    pub port: Option<u16>,
    /// Directory, relative to the login directory unless it begins with `/`.
    pub path: Vec<u8>,
}

/// The schemes that mean FTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `ftp`, or no scheme: whether it is encrypted is a matter of options.
    Ftp,
    /// `ftpes`: `AUTH TLS` on the port of FTP (RFC 4217).
    Ftpes,
    /// `ftps` or `ftpis`: TLS from the first byte on, port 990.
    Ftps,
}

impl Scheme {
    /// What stands before `://`.
    fn word(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::Ftpes => "ftpes",
            Self::Ftps => "ftps",
        }
    }
}

/// Parses `text`; without a scheme it is taken as `ftp://`.
///
/// # Errors
/// One sentence for the user, without user name and password.
pub fn parse(text: &[u8]) -> Result<Url, String> {
    let (scheme, rest) = split_scheme(text);
    let known = read_scheme(scheme)?;
    let (authority, path) = split_at_first(rest, b'/');
    let path = decode(path.strip_prefix(b"/").unwrap_or(path), "path")?;
    // The last @: people forget to write %40 for an @ in a password or in a user name that is a mail address.
    let (info, place) = match authority.iter().rposition(|&b| b == b'@') {
        Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
        None => (None, authority),
    };
    let (user, password) = match info {
        None => (None, None),
        Some(info) => {
            let (user, password) = split_at_first(info, b':');
            let password = password.strip_prefix(b":").map(|p| decode(p, "password")).transpose()?;
            (Some(decode(user, "user name")?), password.map(Secret::new))
        }
    };
    let (host, port) = parse_place(place, scheme.is_some())?;
    Ok(Url { scheme: known, user, password, host, port, path })
}

/// Where the password stands in `text`, as it is written there: what must not be seen in `ps`.
pub(super) fn password_range(text: &[u8]) -> Option<Range<usize>> {
    let (_, rest) = split_scheme(text);
    let begin = text.len() - rest.len();
    let (authority, _) = split_at_first(rest, b'/');
    let at = authority.iter().rposition(|&b| b == b'@')?;
    let colon = authority[..at].iter().position(|&b| b == b':')?;
    Some(begin + colon + 1..begin + at)
}

/// The URL without its password, and with nothing that has a meaning in a list of mount options.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.word())?;
        if let Some(user) = self.user.as_deref().filter(|user| !user.is_empty()) {
            write!(f, "{}@", percent_encode(user, ESCAPED))?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host.replace('%', "%25"))?;
        } else {
            write!(f, "{}", percent_encode(self.host.as_bytes(), ESCAPED))?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if self.path.is_empty() {
            return Ok(());
        }
        f.write_str("/")?;
        // A slash at the beginning means "not relative to the login directory" and is written so that it stands out.
        let (root, rest) = match self.path.strip_prefix(b"/") {
            Some(rest) => ("%2F", rest),
            None => ("", self.path.as_slice()),
        };
        write!(f, "{root}{}", percent_encode(rest, ESCAPED_PATH))
    }
}

fn split_scheme(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let is_scheme = |s: &[u8]| {
        s.first().is_some_and(u8::is_ascii_alphabetic)
            && s.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
    };
    match text.windows(3).position(|w| w == b"://") {
        Some(at) if is_scheme(&text[..at]) => (Some(&text[..at]), &text[at + 3..]),
        _ => (None, text),
    }
}

fn read_scheme(scheme: Option<&[u8]>) -> Result<Scheme, String> {
    match scheme.map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"ftp") => Ok(Scheme::Ftp),
        Some(b"ftpes") => Ok(Scheme::Ftpes),
        Some(b"ftps" | b"ftpis") => Ok(Scheme::Ftps),
        Some(other) => Err(format!("bad URL: the scheme is '{}', not ftp, ftps or ftpes", other.escape_ascii())),
    }
}

/// Splits before the first `at`; the second part is empty where there is none.
fn split_at_first(text: &[u8], at: u8) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|&b| b == at).unwrap_or(text.len()))
}

fn decode(text: &[u8], what: &str) -> Result<Vec<u8>, String> {
    let bytes: Vec<u8> = percent_decode(text).collect();
    // RFC 959: a command ends at CR LF; NUL has no place in a Telnet line. Whoever smuggles one in could send commands.
    if bytes.iter().any(|b| b"\r\n\0".contains(b)) {
        return Err(format!("bad URL: the {what} holds a line break or a NUL"));
    }
    Ok(bytes)
}

fn parse_place(place: &[u8], has_scheme: bool) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(inner) = place.strip_prefix(b"[") {
        let end = inner.iter().position(|&b| b == b']').ok_or("bad URL: the ] after the IPv6 address is missing")?;
        let port = match &inner[end + 1..] {
            [] => None,
            [b':', port @ ..] => Some(port),
            _ => return Err("bad URL: only a port may follow the ] of an IPv6 address".into()),
        };
        (parse_ipv6(&inner[..end])?, port)
    } else {
        let (host, port) = split_at_first(place, b':');
        (parse_name(host)?, port.strip_prefix(b":"))
    };
    match port {
        None => Ok((host, None)),
        // RFC 3986 3.2.3 allows an empty port; without a scheme "ftp:" is rather a slip.
        Some([]) if has_scheme => Ok((host, None)),
        Some(port) => Ok((host, Some(parse_port(port)?))),
    }
}

fn parse_ipv6(text: &[u8]) -> Result<String, String> {
    let bad = || "bad URL: no IPv6 address between [ and ]".to_string();
    let text = String::from_utf8(decode(text, "host")?).map_err(|_| bad())?;
    let (address, zone) = text.split_once('%').map_or((text.as_str(), None), |(a, z)| (a, Some(z)));
    let zone_fits =
        zone.is_none_or(|z| !z.is_empty() && z.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)));
    if address.parse::<Ipv6Addr>().is_ok() && zone_fits { Ok(text) } else { Err(bad()) }
}

fn parse_name(text: &[u8]) -> Result<String, String> {
    let text = decode(text, "host")?;
    if text.is_empty() {
        return Err("bad URL: the host is missing".into());
    }
    let fits = |c: char| !c.is_control() && !c.is_whitespace() && !"/?#[]@:\\<>\"'`{}|^%,".contains(c);
    // The text is not repeated: it may be the end of a password with a / in it.
    String::from_utf8(text).ok().filter(|host| host.chars().all(fits)).ok_or_else(|| {
        "bad URL: the host name holds a character that no host name has (in a password write / as %2F)".into()
    })
}

fn parse_port(text: &[u8]) -> Result<u16, String> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits
        .then(|| std::str::from_utf8(text).ok()?.parse().ok())
        .flatten()
        .filter(|&port| port != 0)
        // Not repeated, for the same reason.
        .ok_or_else(|| "bad URL: the port is not a number from 1 to 65535 (in a password write / as %2F)".into())
}

/// RFC 3986 2.3: all but the unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ESCAPED_PATH: &AsciiSet = &ESCAPED.remove(b'/');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(user: Option<&str>, password: Option<&str>, host: &str, port: u16, path: &str) -> Url {
        Url {
            scheme: Scheme::Ftp,
            user: user.map(|u| u.as_bytes().to_vec()),
            password: password.map(|p| Secret::new(p.as_bytes().to_vec())),
            host: host.into(),
            port: (port != 21).then_some(port),
            path: path.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_parts_are_found() {
        let cases = [
            ("ftp://ftp.example.org", url(None, None, "ftp.example.org", 21, "")),
            ("FTP://h/", url(None, None, "h", 21, "")),
            ("ftp.example.org", url(None, None, "ftp.example.org", 21, "")),
            ("h/a/b", url(None, None, "h", 21, "a/b")),
            ("h:2121", url(None, None, "h", 2121, "")),
            ("bob:pw@h/a", url(Some("bob"), Some("pw"), "h", 21, "a")),
            ("ftp://h:/a", url(None, None, "h", 21, "a")),
            ("ftp://bob@h:65535/a", url(Some("bob"), None, "h", 65535, "a")),
            ("ftp://bob:@h", url(Some("bob"), Some(""), "h", 21, "")),
            ("ftp://b%40x:p%2F%25@h", url(Some("b@x"), Some("p/%"), "h", 21, "")),
            // Unencoded, as people write them.
            ("ftp://b@x:p@q:#r%zz@h/c@d:e", url(Some("b@x"), Some("p@q:#r%zz"), "h", 21, "c@d:e")),
            ("ftp://h/%2Fetc/x", url(None, None, "h", 21, "/etc/x")),
            ("ftp://h//etc", url(None, None, "h", 21, "/etc")),
            ("ftp://h/a?b#c;type=i", url(None, None, "h", 21, "a?b#c;type=i")),
            ("ftp://h/../a\\b%20 c", url(None, None, "h", 21, "../a\\b  c")),
            ("ftp://u:p@[::1]:2121/a", url(Some("u"), Some("p"), "::1", 2121, "a")),
            ("[fe80::1%25eth0]", url(None, None, "fe80::1%eth0", 21, "")),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text.as_bytes()).as_ref(), Ok(&want), "{text}");
        }
    }

    #[test]
    fn each_bad_url_has_its_sentence() {
        for (text, want) in [
            ("", "host is missing"),
            ("ftp://", "host is missing"),
            ("ftp://u:hunter2@/x", "host is missing"),
            ("ftp://u:hunter2@h:0/", "the port is not a number from 1 to 65535"),
            ("ftp://u:hunter2@h:65536/", "the port is not a number from 1 to 65535"),
            ("ftp://u:hunter2@h:+21/", "the port is not a number from 1 to 65535"),
            ("ftp://u:hunter2/x@h/", "the port is not a number from 1 to 65535"),
            ("ftp:h", "the port is not a number"),
            ("ftp:/h", "the port is not a number"),
            ("ftps://u:hunter2@", "host is missing"),
            ("http://u:hunter2@h", "the scheme is 'http', not ftp, ftps or ftpes"),
            ("ftp://u:hunter2%0d%0aDELE@h", "the password holds a line break or a NUL"),
            ("ftp://u%00:hunter2@h", "the user name holds a line break or a NUL"),
            ("ftp://u:hunter2@h/a%0Ab", "the path holds a line break or a NUL"),
            ("ftp://u:hunter2@h%0Ab/", "the host holds a line break or a NUL"),
            ("ftp://u:hunter2@[::1/", "the ] after the IPv6 address is missing"),
            ("ftp://u:hunter2@[::g]/", "no IPv6 address between [ and ]"),
            ("ftp://u:hunter2@[::1%25]/", "no IPv6 address between [ and ]"),
            ("ftp://u:hunter2@[::1]21/", "only a port may follow"),
            ("ftp://u:hunter2@a b/", "a character that no host name has"),
            ("ftp://u:hunter2@::1/", "host is missing"),
        ] {
            let error = parse(text.as_bytes()).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
            assert!(!error.contains("hunter2") && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn the_password_is_located_as_written() {
        for (text, want) in [
            ("ftp://bob:pw@h/a", Some("pw")),
            ("bob:p%40@x@h/a:b@c", Some("p%40@x")),
            ("ftp://bob@h", None),
            ("h:21/a:b@c", None),
            ("ftp://h", None),
        ] {
            assert_eq!(password_range(text.as_bytes()).map(|r| &text[r]), want, "{text}");
        }
    }

    #[test]
    fn the_shown_form_has_no_password() {
        let shown = |text: &str| parse(text.as_bytes()).map(|url| url.to_string());
        assert_eq!(shown("ftp://bob:hunter2@h:2121//a,b c/"), Ok("ftp://bob@h:2121/%2Fa%2Cb%20c/".into()));
        assert_eq!(shown("[fe80::1%25eth0]"), Ok("ftp://[fe80::1%25eth0]".into()));
        assert_eq!(shown("FTPS://u:p@h:21/a"), Ok("ftps://u@h:21/a".into()));
        assert_eq!(shown("ftpis://h"), Ok("ftps://h".into()));
        assert_eq!(shown("ftpes://h"), Ok("ftpes://h".into()));
    }

    fn line_safe(b: &u8) -> bool {
        !b"\r\n\0".contains(b)
    }

    fn safe_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>().prop_filter("line", line_safe), 0..20)
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(url) = parse(&text) {
                prop_assert!(!url.to_string().contains(['\r', '\n', ',']));
            }
            let _ = password_range(&text);
        }

        #[test]
        fn likely_characters_do_not_make_it_panic(text in "(ftp://)?[a:@/%\\[\\]0-9#?é\r\n-]{0,30}") {
            let _ = parse(text.as_bytes());
            let _ = password_range(text.as_bytes());
        }

        #[test]
        fn what_is_rendered_parses_back(
            user in safe_bytes(), password in prop::option::of(safe_bytes()), path in safe_bytes(), port in 1..=u16::MAX
        ) {
            let secret = password.as_ref().map(|p| format!(":{}", percent_encode(p, NON_ALPHANUMERIC))).unwrap_or_default();
            let name = percent_encode(&user, NON_ALPHANUMERIC);
            let text = format!("ftp://{name}{secret}@h:{port}/{}", percent_encode(&path, NON_ALPHANUMERIC));
            let url = parse(text.as_bytes()).expect("a rendered URL is well-formed");
            prop_assert_eq!(url.user.as_ref(), Some(&user));
            prop_assert_eq!(url.password.as_ref().map(Secret::reveal), password.as_deref());
            prop_assert_eq!((url.port, &url.path), (Some(port), &path));
            let again = parse(url.to_string().as_bytes()).expect("the shown form is well-formed");
            prop_assert_eq!((again.host, again.port, again.path), (url.host, url.port, url.path));
        }
    }
}
