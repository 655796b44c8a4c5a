//! URLs: what is shown parses back, and nothing that is shown holds a password.

use ftpfs::base::Secret;
use ftpfs::cli::url::{Url, parse};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::{PASSWORDS, is_printable};

/// Parses the bytes, and once more with each of two passwords in front of the one that they have.
pub fn check(data: &[u8]) {
    match parse(data) {
        Ok(url) => parsed(&url),
        Err(error) => assert!(is_printable(&error), "{error:?}"),
    }
    if let Some(at) = password(data) {
        let with = |secret: &str| [&data[..at], secret.as_bytes(), &data[at..]].concat();
        let shown = PASSWORDS.map(|secret| match parse(&with(secret)) {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => error,
        });
        assert_eq!(shown[0], shown[1]);
    }
}

fn parsed(url: &Url) {
    for field in [&url.path, url.user.as_ref().unwrap_or(&url.path), url.host.as_bytes()] {
        assert!(!field.iter().any(|b| b"\0\r\n".contains(b)), "{url:?}");
    }
    assert!(!url.host.is_empty() && url.port != Some(0));
    let shown = url.to_string();
    // As the source of a mount it stands in a list, and in /proc/mounts.
    assert!(shown.is_ascii() && is_printable(&shown) && !shown.contains([',', ' ', '\\']), "{shown}");
    let user = url.user.clone().filter(|user| !user.is_empty());
    let known = Url { password: None, user, ..url.clone() };
    assert_eq!(parse(shown.as_bytes()).as_ref(), Ok(&known), "{shown}");
    assert_eq!(known.to_string(), shown);
    if let Some(password) = &url.password {
        let whole = written_out(&known, password);
        assert_eq!(parse(whole.as_bytes()).map(|url| url.password), Ok(Some(password.clone())), "{whole}");
    }
}

/// The URL with its password in it.
fn written_out(url: &Url, password: &Secret) -> String {
    let escaped = |bytes: &[u8]| percent_encode(bytes, NON_ALPHANUMERIC).to_string();
    let user = escaped(url.user.as_deref().unwrap_or_default());
    format!("ftp://{user}:{}@h/{}", escaped(password.reveal()), escaped(&url.path))
}

/// Where a password begins: behind the first `:` of what stands before the last `@`, all of it before the first `/`.
fn password(text: &[u8]) -> Option<usize> {
    let scheme = text.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
    let begin = if text[scheme..].starts_with(b"://") { scheme + 3 } else { 0 };
    let authority = text[begin..].split(|&b| b == b'/').next()?;
    let end = authority.iter().rposition(|&b| b == b'@')?;
    Some(begin + authority[..end].iter().position(|&b| b == b':')? + 1)
}
