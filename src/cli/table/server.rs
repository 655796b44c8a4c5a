//! The server: who logs in, how long anything may take.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Group::Server;
use super::{Setting, path, row};
use crate::base::Secret;
use crate::cli::credentials::Login;
use crate::cli::values::{duration, number};
use crate::config::Family;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A wait: none at all would fail everything, and nobody waits for longer than an hour.
const WAIT: RangeInclusive<Duration> = SECOND..=HOUR;

pub(super) static ROWS: &[Setting] = &[
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
    Setting {
        value: Some("NAME"),
        ..row(Server, "account", "Account to name to a server that asks for one", |draft, value| {
            if value.iter().any(|b| b"\r\n\0".contains(b)) {
                return Err("it holds a line break".into());
            }
            draft.account = Some(Secret::new(value.to_vec()));
            Ok(())
        })
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
        default: Some("16"),
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
];
