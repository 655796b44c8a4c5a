//! How files are written.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Group::Writing;
use super::{Setting, absolute, row};
use crate::cli::values::{duration, size, text};
use crate::config::{Perms, UploadWay};

fn upload(value: &[u8]) -> Result<UploadWay, String> {
    match text(value)? {
        "auto" => Ok(UploadWay::Auto),
        "inplace" => Ok(UploadWay::InPlace),
        "atomic" => Ok(UploadWay::Atomic),
        other => Err(format!("'{other}' is not one of auto, inplace, atomic")),
    }
}

fn perms(value: &[u8]) -> Result<Perms, String> {
    match text(value)? {
        "ignore" => Ok(Perms::Ignore),
        "strict" => Ok(Perms::Strict),
        other => Err(format!("'{other}' is not one of ignore, strict")),
    }
}

/// Less would make every larger file wait for the server in small steps; nobody has more.
const SPOOL: RangeInclusive<u64> = 16 << 20..=1024 << 40;
/// With 0, what is not stored when the mount ends waits for the next one.
const DRAIN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

pub(super) static ROWS: &[Setting] = &[
    Setting {
        value: Some("HOW"),
        default: Some("auto"),
        ..row(
            Writing,
            "upload",
            "How a file is replaced: auto, inplace or atomic (under a temporary name first)",
            read!(upload by upload),
        )
    },
    Setting {
        aliases: &["write_back"],
        ..row(
            Writing,
            "writeback",
            "close(2) returns when the data is safe on this machine, and it is sent later",
            on!(writeback = true),
        )
    },
    Setting {
        value: Some("TIME"),
        default: Some("60s"),
        ..row(
            Writing,
            "drain_timeout",
            "How long unmounting waits for what writeback has not sent yet, 0 to 1d",
            read!(drain_timeout by |v| duration(v, &DRAIN)),
        )
    },
    Setting {
        aliases: &["spool"],
        value: Some("DIR"),
        ..row(
            Writing,
            "spool_dir",
            "Where data is kept on its way to the server; ~/.cache/ftpfs unless given",
            read!(spool by absolute),
        )
    },
    Setting {
        aliases: &["spool_limit"],
        value: Some("SIZE"),
        ..row(
            Writing,
            "spool_size",
            "Most bytes in it, 16M to 1024T, where its disk has more",
            read!(spool_limit by |v| size(v, &SPOOL).map(|bytes| Some(bytes as u64))),
        )
    },
    row(
        Writing,
        "mfsymlinks",
        "Keep symbolic links in small files, as SMB clients do, where the server has none",
        on!(mfsymlinks = true),
    ),
    Setting {
        value: Some("HOW"),
        default: Some("ignore"),
        ..row(
            Writing,
            "perms",
            "ignore or strict: whether to refuse an owner, mode or time that the server cannot keep",
            read!(perms by perms),
        )
    },
];
