//! Who logs in: the sources of user name and password, in their order.
//!
//! The URL comes first, then `--user`, the file of `--credentials`, the environment, netrc, and at last a prompt on the
//! terminal; the user is anonymous where nobody names one. The first source that names a user decides. The password
//! comes from the first source that has one for this user, which is one that names the same user or none at all: so a
//! password is never sent under a name that it was not meant for.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::netrc;
use crate::base::Secret;

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `FTPFS_USER`.
    pub user: Option<Vec<u8>>,
    /// `FTPFS_PASSWORD`.
    pub password: Option<Secret>,
    /// `NETRC`.
    pub netrc: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
}

impl Environment {
    /// Reads this process's environment. Empty variables count as absent.
    pub fn read() -> Self {
        let read = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            user: read("FTPFS_USER").map(OsString::into_vec),
            password: read("FTPFS_PASSWORD").map(|p| Secret::new(p.into_vec())),
            netrc: read("NETRC").map(PathBuf::from),
            home: read("HOME").map(PathBuf::from),
            cache_home: read("XDG_CACHE_HOME").map(PathBuf::from),
        }
    }
}

/// A name and a password from one place; either may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub user: Option<Vec<u8>>,
    /// Password.
    pub password: Option<Secret>,
}

impl Login {
    /// Takes `NAME[:PASSWORD]`.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut parts = text.splitn(2, |&b| b == b':');
        let user = parts.next().filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
        Self { user, password: parts.next().map(|p| Secret::new(p.to_vec())) }
    }
}

/// The places to look at, apart from the environment and the terminal.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// What the URL says.
    pub(super) url: Login,
    /// What `--user` says.
    pub(super) option: Login,
    /// The file of `--credentials`.
    pub(super) credentials: Option<&'a Path>,
    /// The file of `--netrc`.
    pub(super) netrc: Option<&'a Path>,
    /// The host, for netrc and the prompt.
    pub(super) host: &'a str,
}

/// Asks for a password; the argument is the question.
pub type Prompt<'a> = dyn FnMut(&str) -> io::Result<String> + 'a;

/// Finds user name and password.
///
/// # Errors
/// A sentence for the user, without any password.
pub(super) fn resolve(
    sources: Sources<'_>,
    environment: &Environment,
    prompt: &mut Prompt<'_>,
) -> Result<(Vec<u8>, Secret), String> {
    let file = sources.credentials.map(read_credentials).transpose()?.unwrap_or_default();
    let variables = Login { user: environment.user.clone(), password: environment.password.clone() };
    let mut logins = vec![sources.url, sources.option, file, variables];
    let (user, password) = choose(&logins);
    if user.is_some() && password.is_some() {
        return check(user.unwrap_or_default(), password.unwrap_or_default());
    }
    if let Some(entry) = ask_netrc(sources.netrc, environment, sources.host, user.as_deref())? {
        logins.push(entry);
    }
    match choose(&logins) {
        (Some(user), Some(password)) => check(user, password),
        (None, None) => Ok((b"anonymous".to_vec(), anonymous_password())),
        (None, Some(_)) => Err("a password is given, but no user name".into()),
        (Some(user), None) if is_anonymous(&user) => check(user, anonymous_password()),
        (Some(user), None) => {
            let whom = format!("{}@{}", user.escape_ascii(), sources.host);
            match prompt(&format!("Password for {whom}: ")) {
                Ok(password) => check(user, Secret::new(password.into_bytes())),
                Err(_) => Err(format!(
                    "no password for {whom}, and no terminal to ask on: use --credentials, netrc or FTPFS_PASSWORD"
                )),
            }
        }
    }
}

/// Asks on the controlling terminal, as `ssh` does: standard input may be something else.
///
/// # Errors
/// Where there is no terminal.
pub fn ask_terminal(question: &str) -> io::Result<String> {
    rpassword::prompt_password(question)
}

fn choose(logins: &[Login]) -> (Option<Vec<u8>>, Option<Secret>) {
    let named = |login: &Login| login.user.clone().filter(|user| !user.is_empty());
    let user = logins.iter().find_map(named);
    let fits = |login: &&Login| named(login).is_none() || named(login) == user;
    let password = logins.iter().filter(fits).find_map(|login| login.password.clone());
    (user, password)
}

fn check(user: Vec<u8>, password: Secret) -> Result<(Vec<u8>, Secret), String> {
    // Each becomes the argument of a command, which ends at a line break.
    let breaks = |text: &[u8]| text.iter().any(|b| b"\r\n\0".contains(b));
    if breaks(&user) {
        Err("the user name holds a line break or a NUL".into())
    } else if breaks(password.reveal()) {
        Err("the password holds a line break or a NUL".into())
    } else {
        Ok((user, password))
    }
}

fn is_anonymous(user: &[u8]) -> bool {
    user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp")
}

/// Looks like a mail address, which some servers insist on, and tells nothing.
fn anonymous_password() -> Secret {
    Secret::new(b"anonymous@".to_vec())
}

fn ask_netrc(
    option: Option<&Path>,
    environment: &Environment,
    host: &str,
    user: Option<&[u8]>,
) -> Result<Option<Login>, String> {
    let home = || environment.home.as_ref().map(|home| home.join(".netrc"));
    let Some(path) = option.map(Path::to_path_buf).or_else(|| environment.netrc.clone()).or_else(home) else {
        return Ok(None);
    };
    let says = |what: &str| format!("netrc {}: {what}", path.display());
    let (text, metadata) = match read(&path) {
        Ok(found) => found,
        // $NETRC and ~/.netrc are there for other programs as well; only --netrc is a promise.
        Err(_) if option.is_none() => return Ok(None),
        Err(error) => return Err(says(&reason(&error))),
    };
    let entries = netrc::parse(&text).map_err(|error| says(&error))?;
    let Some(entry) = netrc::find(&entries, host, user) else { return Ok(None) };
    let secret = entry.password.is_some() && !entry.login.as_deref().is_some_and(is_anonymous);
    if secret && exposed(&metadata) {
        return Err(says("others can read this password: chmod 600"));
    }
    Ok(Some(Login { user: entry.login.clone(), password: entry.password.clone() }))
}

fn read_credentials(path: &Path) -> Result<Login, String> {
    let says = |what: &str| format!("credentials file {}: {what}", path.display());
    let (text, metadata) = read(path).map_err(|error| says(&reason(&error)))?;
    if exposed(&metadata) {
        return Err(says("others can read this password: chmod 600"));
    }
    parse_credentials(&text).map_err(|error| says(&error))
}

/// Lines `username=NAME` and `password=PASSWORD`, as mount.cifs has them: the rest of the line counts as it stands.
fn parse_credentials(text: &[u8]) -> Result<Login, String> {
    let mut login = Login::default();
    for (number, line) in text.split(|&b| b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut parts = line.splitn(2, |&b| b == b'=');
        match (parts.next().unwrap_or_default().trim_ascii_end(), parts.next()) {
            (b"username" | b"user", Some(value)) => login.user = Some(value.to_vec()),
            (b"password" | b"pass", Some(value)) => login.password = Some(Secret::new(value.to_vec())),
            // Not repeated: the line may be a password.
            _ => return Err(format!("line {} is neither username=NAME nor password=PASSWORD", number + 1)),
        }
    }
    Ok(login)
}

fn read(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut text = Vec::new();
    // Enough for any such file, and an end for /dev/zero.
    file.take(1 << 20).read_to_end(&mut text)?;
    Ok((text, metadata))
}

/// Whether people other than the owner can read the file. A group may, where root gave it to them: that is how an
/// administrator shares a file with a service, and how systemd hands over credentials.
fn exposed(metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    mode & 0o007 != 0 || (mode & 0o070 != 0 && metadata.uid() != 0)
}

/// What the system says of a failure.
pub(super) fn reason(error: &io::Error) -> String {
    // Without the "(os error 2)" that Display adds.
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn login(user: &str, password: &str) -> Login {
        let some = |text: &str| Some(text).filter(|t| *t != "-").map(|t| t.as_bytes().to_vec());
        Login { user: some(user), password: some(password).map(Secret::new) }
    }

    /// Resolves with URL, option and environment; a prompt answers "typed".
    fn resolved(url: Login, option: Login, variables: Login, netrc: Option<&Path>) -> Result<String, String> {
        let environment = Environment { user: variables.user, password: variables.password, ..Environment::default() };
        let sources = Sources { url, option, credentials: None, netrc, host: "h" };
        resolve(sources, &environment, &mut |_| Ok("typed".into()))
            .map(|(u, p)| format!("{}:{}", u.escape_ascii(), p.reveal().escape_ascii()))
    }

    #[test]
    fn the_first_source_decides_and_passwords_stay_with_their_user() {
        let none = || login("-", "-");
        for (url, option, variables, want) in [
            (none(), none(), none(), "anonymous:anonymous@"),
            (login("a", "1"), login("b", "2"), login("c", "3"), "a:1"),
            (login("a", "-"), login("b", "2"), login("c", "3"), "a:typed"),
            (login("a", "-"), login("b", "2"), login("-", "3"), "a:3"),
            (login("a", "-"), login("b", "2"), login("a", "3"), "a:3"),
            (login("a", ""), none(), login("-", "3"), "a:"),
            (none(), login("b", "-"), login("c", "3"), "b:typed"),
            (login("", "-"), none(), login("c", "3"), "c:3"),
            (login("ftp", "-"), none(), none(), "ftp:anonymous@"),
        ] {
            assert_eq!(resolved(url, option, variables, None), Ok(want.to_string()));
        }
        assert!(resolved(none(), none(), login("-", "3"), None).is_err_and(|e| e.contains("no user name")));
        let error = resolved(login("a", "x\ny"), none(), none(), None).expect_err("a line break");
        assert_eq!(error, "the password holds a line break or a NUL");
    }

    #[test]
    fn netrc_is_asked_for_what_is_missing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("netrc");
        fs::write(&path, "machine h login bob password pw machine h login eve password eve").expect("write");
        let none = || login("-", "-");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        assert_eq!(resolved(none(), none(), none(), Some(&path)), Ok("bob:pw".into()));
        assert_eq!(resolved(login("eve", "-"), none(), none(), Some(&path)), Ok("eve:eve".into()));
        assert_eq!(resolved(login("eve", "x"), none(), none(), Some(&path)), Ok("eve:x".into()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(resolved(none(), none(), none(), Some(&path)).is_err_and(|e| e.ends_with("chmod 600")));
        let missing = dir.path().join("missing");
        assert!(
            resolved(none(), none(), none(), Some(&missing)).is_err_and(|e| e.ends_with("No such file or directory"))
        );
    }

    #[test]
    fn credentials_take_the_line_as_it_stands() {
        let found = parse_credentials(b"# mine\n\n  username = x\r\npassword=a=b, #\\ \n").expect("well-formed");
        assert_eq!(found, Login { user: Some(b" x".to_vec()), password: Some(Secret::new(b"a=b, #\\ ".to_vec())) });
        let error = parse_credentials(b"username=x\nhunter2\n").expect_err("no key");
        assert_eq!(error, "line 2 is neither username=NAME nor password=PASSWORD");
    }

    #[test]
    fn without_a_terminal_the_error_says_what_to_do() {
        let sources =
            Sources { url: login("bob", "-"), option: Login::default(), credentials: None, netrc: None, host: "h" };
        let error = resolve(sources, &Environment::default(), &mut |_| Err(io::ErrorKind::NotFound.into()));
        assert!(error.is_err_and(|e| e.starts_with("no password for bob@h, and no terminal to ask on")));
    }
}
