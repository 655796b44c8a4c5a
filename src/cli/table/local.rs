//! This side: what files look like, the mount, the process and its log.

use std::ops::RangeInclusive;
use std::time::Duration;

use log::LevelFilter;

use super::Group::{Files, List, Mount, Process};
use super::{Setting, absolute, path, row};
use crate::cli::values::{duration, mask, number, size, text};

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

const DAY: Duration = Duration::from_secs(86_400);

/// A time to live; 0 asks the server each time.
const TTL: RangeInclusive<Duration> = Duration::ZERO..=DAY;
/// Less holds not even one transfer's blocks; more is a slip of the finger.
const MEMORY: RangeInclusive<u64> = 4 << 20..=64 << 30;
/// Less holds no file worth keeping; nobody has more.
const CACHE: RangeInclusive<u64> = 16 << 20..=1024 << 40;

pub(super) static FILES: &[Setting] = &[
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
        default: Some("128M"),
        ..row(Files, "memory", "Memory for file content on its way, 4M to 64G", read!(memory by |v| size(v, &MEMORY)))
    },
    Setting {
        value: Some("DIR"),
        ..row(
            Files,
            "cache_dir",
            "Keep file content here for later mounts; nowhere unless given",
            read!(cache_dir by absolute),
        )
    },
    Setting {
        value: Some("SIZE"),
        ..row(
            Files,
            "cache_size",
            "Most bytes in it, 16M to 1024T; 1G unless given",
            read!(cache_limit by |v| size(v, &CACHE).map(|bytes| Some(bytes as u64))),
        )
    },
];

pub(super) static ROWS: &[Setting] = &[
    Setting {
        aliases: &["read_only"],
        short: Some('r'),
        ..row(Mount, "ro", "Mount read-only: nothing on the server can be changed", on!(read_only = true))
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
    // mount(8) passes it with every mount that does not ask for ro.
    row(List, "rw", "Mount for reading and writing, the default", on!(read_only = false)),
    row(List, "suid", "Accepted: files never have set-user-id bits", on!(suid = true)),
    row(List, "nosuid", "The same", on!(suid = false)),
    row(List, "dev", "Devices may be opened", on!(dev = true)),
    row(List, "nodev", "Devices may not be opened, the default", on!(dev = false)),
    row(List, "exec", "Programs may be run, the default", on!(exec = true)),
    row(List, "noexec", "Programs may not be run", on!(exec = false)),
];
