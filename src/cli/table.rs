//! The one table of settings. `--help`, the long options, the words of `-o`, their defaults and what they do all come
//! from here, and tests/cli.rs holds man/ftpfs.1 against it.

use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use log::{Level, LevelFilter};

use super::credentials::Login;
use super::values::{duration, mask, number, size, text};
use crate::config::Family;

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
    /// What files look like.
    Files,
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
            Self::Files => "Files",
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

/// The setting of this name or alias.
pub(super) fn find(name: &[u8]) -> Option<&'static Setting> {
    TABLE.iter().find(|s| s.name.as_bytes() == name || s.aliases.iter().any(|a| a.as_bytes() == name))
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
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) file_mask: Option<u16>,
    pub(super) dir_mask: Option<u16>,
    pub(super) attr_ttl: Duration,
    pub(super) dir_ttl: Duration,
    pub(super) negative_ttl: Duration,
    pub(super) memory: usize,
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
        for setting in TABLE {
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
            uid: None,
            gid: None,
            file_mask: None,
            dir_mask: None,
            attr_ttl: Duration::ZERO,
            dir_ttl: Duration::ZERO,
            negative_ttl: Duration::ZERO,
            memory: 0,
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

fn id(value: &[u8]) -> Result<u32, String> {
    // The highest one is -1, which the kernel takes for "leave it as it is".
    number(value, &(0..=u32::MAX - 1))
}

fn source(value: &[u8]) -> Result<Option<String>, String> {
    let name = text(value)?;
    // It becomes a word of the kernel's and fusermount's option list, which has no escape everywhere.
    if name.is_empty() || name.contains(|c: char| c == ',' || c == '\\' || c.is_control()) {
        return Err("a name without comma, backslash and control characters is needed".into());
    }
    Ok(Some(name.into()))
}

fn level(value: &[u8]) -> Result<Option<LevelFilter>, String> {
    match text(value)? {
        "error" => Ok(Some(LevelFilter::Error)),
        "warn" => Ok(Some(LevelFilter::Warn)),
        "info" => Ok(Some(LevelFilter::Info)),
        "debug" => Ok(Some(LevelFilter::Debug)),
        "trace" => Ok(Some(LevelFilter::Trace)),
        other => Err(format!("'{other}' is not one of error, warn, info, debug, trace")),
    }
}

/// Keeps a flag to one line in the table.
macro_rules! on {
    ($($field:ident = $value:expr),+) => {
        |draft, _| {
            $(draft.$field = $value;)+
            Ok(())
        }
    };
}

/// Keeps a value to one line in the table.
macro_rules! read {
    ($($field:ident),+ by $parse:expr) => {
        |draft, value| {
            let parsed = $parse(value)?;
            $(draft.$field = parsed.clone();)+
            Ok(())
        }
    };
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A wait: none at all would fail everything, and nobody waits for longer than an hour.
const WAIT: RangeInclusive<Duration> = SECOND..=HOUR;
/// A time to live; 0 asks the server each time.
const TTL: RangeInclusive<Duration> = Duration::ZERO..=DAY;
/// Less holds not even one transfer's blocks; more is a slip of the finger.
const MEMORY: RangeInclusive<u64> = 4 << 20..=64 << 30;

use Group::{Files, List, Mount, Process, Server};

/// All settings, in the order of `--help`.
pub static TABLE: &[Setting] = &[
    Setting {
        value: Some("NAME[:PASSWORD]"),
        ..row(Server, "user", "User name, and password after a colon", |draft, value| {
            draft.login = Login::parse(value);
            Ok(())
        })
    },
    Setting {
        value: Some("FILE"),
        ..row(Server, "credentials", "File with lines username=NAME and password=PASSWORD", read!(credentials by path))
    },
    Setting {
        value: Some("FILE"),
        ..row(Server, "netrc", "Read this file instead of $NETRC or ~/.netrc", read!(netrc by path))
    },
    Setting { short: Some('4'), ..row(Server, "ipv4", "Use IPv4 only", on!(family = Family::V4)) },
    Setting { short: Some('6'), ..row(Server, "ipv6", "Use IPv6 only", on!(family = Family::V6)) },
    Setting {
        value: Some("TIME"),
        default: Some("30s"),
        ..row(
            Server,
            "timeout",
            "Give up on a request or a silent transfer after so long, 1s to 1h",
            read!(timeout by |v| duration(v, &WAIT)),
        )
    },
    Setting {
        value: Some("TIME"),
        default: Some("10s"),
        ..row(
            Server,
            "connect_timeout",
            "Give up on connecting after so long, 1s to 1h",
            read!(connect_timeout by |v| duration(v, &WAIT)),
        )
    },
    Setting {
        value: Some("N"),
        default: Some("8"),
        ..row(
            Server,
            "max_connections",
            "Most connections at once, 1 to 64",
            read!(max_connections by |v| number(v, &(1..=64))),
        )
    },
    Setting {
        value: Some("TIME"),
        default: Some("60s"),
        ..row(
            Server,
            "idle_timeout",
            "Close a connection unused for so long, 1s to 1d",
            read!(idle_timeout by |v| duration(v, &(SECOND..=DAY))),
        )
    },
    row(Server, "disable_epsv", "Never send EPSV, always PASV", on!(disable_epsv = true)),
    row(Server, "disable_mlsd", "Never send MLSD and MLST, always LIST", on!(disable_mlsd = true)),
    Setting {
        value: Some("ID"),
        ..row(Files, "uid", "Owner of all files; you unless given", read!(uid by |v| id(v).map(Some)))
    },
    Setting {
        value: Some("ID"),
        ..row(Files, "gid", "Group of all files; yours unless given", read!(gid by |v| id(v).map(Some)))
    },
    Setting {
        value: Some("MASK"),
        ..row(
            Files,
            "umask",
            "Permission bits to take away, octal, instead of the server's modes",
            read!(file_mask, dir_mask by |v| mask(v).map(Some)),
        )
    },
    Setting {
        value: Some("MASK"),
        ..row(Files, "fmask", "The same for files only", read!(file_mask by |v| mask(v).map(Some)))
    },
    Setting {
        value: Some("MASK"),
        ..row(Files, "dmask", "The same for directories only", read!(dir_mask by |v| mask(v).map(Some)))
    },
    Setting {
        aliases: &["cache_stat_timeout"],
        value: Some("TIME"),
        default: Some("10s"),
        ..row(
            Files,
            "attr_timeout",
            "Believe sizes and times for so long, 0 to 1d",
            read!(attr_ttl by |v| duration(v, &TTL)),
        )
    },
    Setting {
        aliases: &["cache_dir_timeout", "dir_cache_time"],
        value: Some("TIME"),
        default: Some("10s"),
        ..row(
            Files,
            "dir_timeout",
            "Believe a directory listing for so long, 0 to 1d",
            read!(dir_ttl by |v| duration(v, &TTL)),
        )
    },
    Setting {
        value: Some("TIME"),
        default: Some("5s"),
        ..row(
            Files,
            "negative_timeout",
            "Believe that a name does not exist for so long, 0 to 1d",
            read!(negative_ttl by |v| duration(v, &TTL)),
        )
    },
    Setting {
        value: Some("TIME"),
        ..row(
            Files,
            "cache_timeout",
            "Sets attr_timeout and dir_timeout",
            read!(attr_ttl, dir_ttl by |v| duration(v, &TTL)),
        )
    },
    Setting {
        value: Some("SIZE"),
        default: Some("48M"),
        ..row(Files, "memory", "Memory for file content on its way, 4M to 64G", read!(memory by |v| size(v, &MEMORY)))
    },
    Setting {
        aliases: &["read_only"],
        short: Some('r'),
        ..row(Mount, "ro", "Mount read-only, which every mount is for now", |_, _| Ok(()))
    },
    row(Mount, "allow_other", "Let other users in", on!(allow_other = true)),
    row(Mount, "allow_root", "Let root in", on!(allow_root = true)),
    row(Mount, "default_permissions", "Let the kernel check permission bits", on!(default_permissions = true)),
    Setting {
        value: Some("NAME"),
        ..row(Mount, "fsname", "Source to show in mount(8) and df(1); the URL unless given", read!(source by source))
    },
    Setting {
        aliases: &["allow_non_empty"],
        ..row(Mount, "nonempty", "Accepted: a directory that is not empty is always fine", |_, _| Ok(()))
    },
    Setting {
        value: Some("N"),
        default: Some("4"),
        ..row(Mount, "threads", "Threads that serve the kernel, 1 to 64", read!(threads by |v| number(v, &(1..=64))))
    },
    Setting { short: Some('f'), ..row(Process, "foreground", "Stay in the foreground", on!(foreground = true)) },
    Setting {
        short: Some('d'),
        ..row(Process, "debug", "Stay in the foreground and log at level debug", on!(debug = true))
    },
    Setting {
        short: Some('v'),
        ..row(Process, "verbose", "Log one level more; may be repeated", |draft, _| {
            draft.verbose += 1;
            Ok(())
        })
    },
    Setting {
        value: Some("LEVEL"),
        ..row(
            Process,
            "log_level",
            "error, warn, info, debug or trace; warn unless given, info in the foreground",
            read!(log_level by level),
        )
    },
    Setting {
        aliases: &["logfile"],
        value: Some("FILE"),
        ..row(Process, "log_file", "Append the log to this file", read!(log_file by path))
    },
    row(Process, "syslog", "Send the log to syslog, the default in the background", on!(syslog = true)),
    row(List, "rw", "Accepted, but the mount is read-only for now", |draft, _| {
        // Info, because mount(8) passes rw with every mount that does not ask for ro.
        draft.notes.push((Level::Info, "option 'rw': the mount is read-only for now".into()));
        Ok(())
    }),
    row(List, "suid", "Set-user-id bits count", on!(suid = true)),
    row(List, "nosuid", "Set-user-id bits do not count, the default", on!(suid = false)),
    row(List, "dev", "Devices may be opened", on!(dev = true)),
    row(List, "nodev", "Devices may not be opened, the default", on!(dev = false)),
    row(List, "exec", "Programs may be run, the default", on!(exec = true)),
    row(List, "noexec", "Programs may not be run", on!(exec = false)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_defaults_are_values_and_the_names_are_unique() {
        let draft = Draft::new();
        assert_eq!((draft.timeout, draft.connect_timeout), (30 * SECOND, 10 * SECOND));
        assert_eq!((draft.max_connections, draft.idle_timeout, draft.threads), (8, 60 * SECOND, 4));
        assert_eq!((draft.attr_ttl, draft.dir_ttl, draft.negative_ttl), (10 * SECOND, 10 * SECOND, 5 * SECOND));
        assert_eq!(draft.memory, 48 << 20);
        let names: Vec<_> = TABLE.iter().flat_map(|s| s.aliases.iter().chain([&s.name])).collect();
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
