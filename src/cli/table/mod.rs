//! The one table of settings. `--help`, the long options, the words of `-o`, their defaults and what they do all come
//! from here, and tests/cli.rs holds man/ftpfs.1 against it.
//!
//! The rows stand in `server` (who and how long), `wire` (encryption, data connections, names and listings), `writing`
//! (how files are written) and `local` (files, mount, process).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use log::{Level, LevelFilter};

use super::credentials::Login;
use crate::base::Secret;
use crate::config::{Data, Family, Listing, Perms, Tls, TlsMode, UploadWay};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Name as in `-o`; the long option has `-` for `_`.
    pub name: &'static str,
    /// Other names for it, of curlftpfs or rclone.
    pub aliases: &'static [&'static str],
    /// Letter of the short option.
    pub short: Option<char>,
    /// What to call the value in `--help`; None for a flag.
    pub value: Option<&'static str>,
    /// What holds where nobody sets it, written as a value.
    pub default: Option<&'static str>,
    /// One line for `--help`.
    pub help: &'static str,
    /// Under which heading; settings of [`Group::List`] have no long option.
    pub group: Group,
    set: fn(&mut Draft, &[u8]) -> Result<(), String>,
}

/// Headings of `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Talking to the server.
    Server,
    /// Certificates and TLS.
    Encryption,
    /// Who connects to whom for data.
    Data,
    /// How names and listings are read.
    Names,
    /// What files look like.
    Files,
    /// How files are written.
    Writing,
    /// The mount.
    Mount,
    /// The process and its log.
    Process,
    /// Words of mount(8) that exist in `-o` only.
    List,
}

impl Group {
    /// The heading itself.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Encryption => "Encryption",
            Self::Data => "Data connections",
            Self::Names => "Names and listings",
            Self::Files => "Files",
            Self::Writing => "Writing",
            Self::Mount => "Mount",
            Self::Process => "Process",
            Self::List => "Only in -o",
        }
    }
}

impl Setting {
    /// The long option without its dashes.
    pub fn long(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Carries out the setting; None as value for a flag.
    ///
    /// # Errors
    /// A sentence that names the option.
    pub(super) fn apply(&self, draft: &mut Draft, value: Option<&[u8]>) -> Result<(), String> {
        let outcome = match (self.value, value) {
            (None, Some(_)) => Err("takes no value".into()),
            (Some(_), None) => Err("needs a value".into()),
            (_, Some(value)) if value.contains(&0) => Err("its value holds a NUL".into()),
            (_, value) => (self.set)(draft, value.unwrap_or_default()),
        };
        outcome.map_err(|reason| format!("option '{}': {reason}", self.name))
    }
}

/// All settings, in the order of `--help`.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [server::ROWS, wire::ROWS, local::FILES, writing::ROWS, local::ROWS].into_iter().flatten()
}

/// The setting of this name or alias.
pub(super) fn find(name: &[u8]) -> Option<&'static Setting> {
    all().find(|s| s.name.as_bytes() == name || s.aliases.iter().any(|a| a.as_bytes() == name))
}

/// The settings as far as they have been read.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) login: Login,
    pub(super) credentials: Option<PathBuf>,
    pub(super) netrc: Option<PathBuf>,
    pub(super) family: Family,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) idle_timeout: Duration,
    pub(super) disable_epsv: bool,
    pub(super) disable_mlsd: bool,
    pub(super) account: Option<Secret>,
    /// What the options say; the URL has a word in it, too.
    pub(super) tls_mode: Option<TlsMode>,
    pub(super) implicit: bool,
    pub(super) tls: Tls,
    pub(super) data: Data,
    pub(super) listing: Listing,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) file_mask: Option<u16>,
    pub(super) dir_mask: Option<u16>,
    pub(super) attr_ttl: Duration,
    pub(super) dir_ttl: Duration,
    pub(super) negative_ttl: Duration,
    pub(super) memory: usize,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) cache_limit: Option<u64>,
    pub(super) upload: UploadWay,
    /// None where the environment decides.
    pub(super) spool: Option<PathBuf>,
    pub(super) spool_limit: Option<u64>,
    pub(super) writeback: bool,
    pub(super) drain_timeout: Duration,
    pub(super) mfsymlinks: bool,
    pub(super) perms: Perms,
    pub(super) read_only: bool,
    pub(super) allow_other: bool,
    pub(super) allow_root: bool,
    pub(super) default_permissions: bool,
    pub(super) source: Option<String>,
    pub(super) threads: usize,
    pub(super) suid: bool,
    pub(super) dev: bool,
    pub(super) exec: bool,
    pub(super) foreground: bool,
    pub(super) debug: bool,
    pub(super) verbose: usize,
    pub(super) log_level: Option<LevelFilter>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) syslog: bool,
    pub(super) notes: Vec<(Level, String)>,
}

impl Draft {
    /// All defaults of the table.
    pub(super) fn new() -> Self {
        let mut draft = Self::blank();
        for setting in all() {
            if let Some(default) = setting.default {
                setting.apply(&mut draft, Some(default.as_bytes())).expect("a unit test applies every default");
            }
        }
        draft
    }

    fn blank() -> Self {
        Self {
            login: Login::default(),
            credentials: None,
            netrc: None,
            family: Family::Any,
            timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            max_connections: 0,
            idle_timeout: Duration::ZERO,
            disable_epsv: false,
            disable_mlsd: false,
            account: None,
            tls_mode: None,
            implicit: false,
            tls: Tls::default(),
            data: Data::default(),
            listing: Listing::default(),
            uid: None,
            gid: None,
            file_mask: None,
            dir_mask: None,
            attr_ttl: Duration::ZERO,
            dir_ttl: Duration::ZERO,
            negative_ttl: Duration::ZERO,
            memory: 0,
            cache_dir: None,
            cache_limit: None,
            upload: UploadWay::Auto,
            spool: None,
            spool_limit: None,
            writeback: false,
            drain_timeout: Duration::ZERO,
            mfsymlinks: false,
            perms: Perms::Ignore,
            read_only: false,
            allow_other: false,
            allow_root: false,
            default_permissions: false,
            source: None,
            threads: 0,
            suid: false,
            dev: false,
            exec: true,
            foreground: false,
            debug: false,
            verbose: 0,
            log_level: None,
            log_file: None,
            syslog: false,
            notes: Vec::new(),
        }
    }
}

const fn row(group: Group, name: &'static str, help: &'static str, set: Set) -> Setting {
    Setting { name, aliases: &[], short: None, value: None, default: None, help, group, set }
}

type Set = fn(&mut Draft, &[u8]) -> Result<(), String>;

fn path(value: &[u8]) -> Result<Option<PathBuf>, String> {
    if value.is_empty() { Err("the file name is empty".into()) } else { Ok(Some(OsStr::from_bytes(value).into())) }
}

/// A file that is used after this process has left its directory.
fn absolute(value: &[u8]) -> Result<Option<PathBuf>, String> {
    let relative = path(value)?;
    relative.map(|path| std::path::absolute(&path).map_err(|e| format!("{}: {e}", path.display()))).transpose()
}

/// Keeps a flag to one line in the table.
macro_rules! on {
    ($($($field:ident).+ = $value:expr),+) => {
        |draft, _| {
            $(draft.$($field).+ = $value;)+
            Ok(())
        }
    };
}

/// Keeps a value to one line in the table.
macro_rules! read {
    ($($($field:ident).+),+ by $parse:expr) => {
        |draft, value| {
            let parsed = $parse(value)?;
            $(draft.$($field).+ = parsed.clone();)+
            Ok(())
        }
    };
}

// Below the macros, which they use.
mod local;
mod server;
mod wire;
mod writing;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_defaults_are_values_and_the_names_are_unique() {
        let draft = Draft::new();
        assert_eq!((draft.timeout, draft.connect_timeout), (30 * SECOND, 10 * SECOND));
        assert_eq!((draft.max_connections, draft.idle_timeout, draft.threads), (16, 60 * SECOND, 4));
        assert_eq!((draft.attr_ttl, draft.dir_ttl, draft.negative_ttl), (10 * SECOND, 10 * SECOND, 5 * SECOND));
        assert_eq!(draft.memory, 128 << 20);
        // Two places say so.
        let write = crate::config::Write::new(PathBuf::new());
        assert_eq!((draft.upload, draft.perms, draft.drain_timeout), (write.upload, write.perms, write.drain_timeout));
        let names: Vec<_> = all().flat_map(|s| s.aliases.iter().chain([&s.name])).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn a_value_where_none_belongs_is_named() {
        let apply = |name: &str, value: Option<&str>| {
            let setting = find(name.as_bytes()).expect("a setting");
            setting.apply(&mut Draft::new(), value.map(str::as_bytes))
        };
        assert_eq!(apply("ro", Some("yes")), Err("option 'ro': takes no value".into()));
        assert_eq!(apply("timeout", None), Err("option 'timeout': needs a value".into()));
        assert_eq!(
            apply("uid", Some("4294967295")),
            Err("option 'uid': '4294967295' is not a number from 0 to 4294967294".into())
        );
        assert_eq!(
            apply("log_level", Some("loud")),
            Err("option 'log_level': 'loud' is not one of error, warn, info, debug, trace".into())
        );
        assert!(apply("fsname", Some("a,suid")).is_err());
    }
}
