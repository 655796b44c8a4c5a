//! Fetching directories: `MLSD`, or `CWD` and `LIST`; the lines as they come, and the reply that ends them.

use std::ops::ControlFlow;
use std::time::SystemTime;

use log::{Level, info, log};

use super::channel::Begun;
use super::classify::{listing_truncated, refusal};
use super::client::Client;
use super::command::Command;
use super::dialect::{Can, Skill};
use super::encoding::Codec;
use super::listing::{Parsed, parse_list};
use super::pool::{Claim, Lease};
use super::reply::{Class, Reply};
use super::socket::Socket;
use super::transfer::{unresumable, wants_resumption};
use crate::base::Deadline;
use crate::remote::{Entry, Error, ErrorKind, Kind, RemotePath, Result, Retry};

impl Client {
    /// Lists by `MLSD` (RFC 3659 7): one flight where a data channel is open already, else two.
    ///
    /// The first answer of all must come soon: uftpd was seen to announce `MLST` and to say nothing when asked.
    fn mlsd(&self, path: &RemotePath, deadline: Deadline) -> Result<Fetched> {
        let way = self.way(path)?;
        let mut haste = Haste::First;
        self.with_lease(&Claim::Listing, deadline, |lease| {
            let haste = std::mem::take(&mut haste);
            let control = lease.control_mut();
            if let Some(reply) = way.walk(control, deadline)? {
                return Ok(Fetched::Refused { verb: "CWD", reply });
            }
            let left = deadline.left().map_err(|e| Error::io("MLSD", e))?;
            let first = match self.dialect.can(Skill::Mlsd) {
                Can::Yes => deadline,
                Can::Unknown | Can::No => deadline.min_after(left / UNPROVEN_SHARE),
            };
            let begun = self.opener().begin(control, &[], &[Command::Mlsd(way.arg().clone())], first)?;
            self.collect(lease, begun, "MLSD", haste)
        })
    }

    /// Lists by `MLSD` if the server does what it has announced, else by `LIST`.
    fn mlsd_or_list(&self, path: &RemotePath, deadline: Deadline) -> Result<Fetched> {
        match self.mlsd(path, deadline) {
            Err(e) if e.kind == ErrorKind::TimedOut && e.verb == "MLSD" => {
                if self.dialect.can(Skill::Mlsd) != Can::Unknown {
                    return Err(e);
                }
                let listed = self.list_lines(path, deadline)?;
                // It is alive, and meant it.
                info!("the server announces MLSD and does not answer it: LIST from now on");
                self.dialect.learn(Skill::Mlsd, Can::No);
                self.dialect.learn(Skill::Mlst, Can::No);
                Ok(listed)
            }
            done => done,
        }
    }

    /// Lists by `CWD` and `LIST`: the path never stands beside `LIST`, where servers glob it, split it at blanks and
    /// take it for options, and only `CWD` tells that a directory is missing.
    pub(super) fn list_cwd(&self, path: &RemotePath, all: bool, deadline: Deadline) -> Result<Fetched> {
        let way = self.way(path)?;
        let mut haste = Haste::First;
        self.with_lease(&Claim::Listing, deadline, |lease| {
            let haste = std::mem::take(&mut haste);
            let control = lease.control_mut();
            if let Some(reply) = way.walk(control, deadline)? {
                return Ok(Fetched::Refused { verb: "CWD", reply });
            }
            let cwd = [Command::Cwd(way.arg().clone())];
            let list = self.custom_list.clone().map_or(Command::List { all }, Command::Custom);
            let mut begun = self.opener().begin(control, &cwd, &[list], deadline)?;
            let reply = begun.before.pop().expect("each command has its reply by now");
            let entered = reply.class() == Class::Completion;
            let refused = Fetched::Refused { verb: "CWD", reply };
            if !entered && begun.data.is_none() {
                return Ok(refused);
            }
            let listed = self.collect(lease, begun, "LIST", haste)?;
            // What comes behind a CWD that was refused is the listing of another directory.
            Ok(if entered { listed } else { refused })
        })
    }

    /// Takes in all that a listing command sends.
    fn collect(&self, lease: &mut Lease, begun: Begun, verb: &'static str, haste: Haste) -> Result<Fetched> {
        let Begun { reply, data, .. } = begun;
        let machine = verb == "MLSD";
        if machine && self.dialect.can(Skill::Mlsd) == Can::Unknown {
            self.dialect.learn(Skill::Mlsd, Can::Yes);
        }
        let Some(data) = data else { return refused(verb, reply) };
        let unresumed = data.is_encrypted() && !data.is_resumed();
        // A long listing may take its time, a silent server may not, and nobody for ever.
        let end = Deadline::after(self.timeout * LONGEST_LISTING);
        let lines = self.drain(data, verb, haste, end)?;
        if reply.code.class() == Class::Completion {
            // It has been said already that nothing else follows.
            return Ok(Fetched::Lines { lines, machine, complete: !listing_truncated(&reply) });
        }
        lease.data_ended()?;
        let control = lease.control_mut();
        loop {
            let reply = control.reply(verb, self.stall().min(end))?;
            match reply.code.class() {
                Class::Preliminary => {}
                _ if unresumed && lines.is_empty() && wants_resumption(&reply) => {
                    return Err(unresumable(control, verb, &reply));
                }
                Class::Completion => {
                    return Ok(Fetched::Lines { lines, machine, complete: !listing_truncated(&reply) });
                }
                _ => return refused(verb, reply),
            }
        }
    }

    /// Reads the data of a listing to its end.
    fn drain(&self, mut data: Socket, verb: &'static str, haste: Haste, end: Deadline) -> Result<Vec<u8>> {
        let mut lines = Vec::new();
        let mut buf = vec![0; LISTING_PIECE];
        let hasty = haste == Haste::First;
        loop {
            let patience = if hasty { Deadline::after(self.timeout / HASTE) } else { self.stall() };
            let got = data.read(&mut buf, patience.min(end)).map_err(|e| {
                let error = Error::io(verb, e).with_retry(Retry::Safe);
                // That says more about this channel than about the server.
                if hasty && error.kind == ErrorKind::TimedOut {
                    Error { kind: ErrorKind::Unreachable, ..error }
                } else {
                    error
                }
            })?;
            if got == 0 {
                return Ok(lines);
            }
            lines.extend_from_slice(&buf[..got]);
            if lines.len() > LISTING_LIMIT {
                return Err(Error::new(ErrorKind::Protocol, verb).with_reply("the listing has no end"));
            }
        }
    }

    /// Logs the lines that could not be read, the first few one by one; aloud only the first time for each directory.
    pub(super) fn tell_skipped(&self, parsed: &Parsed, path: &RemotePath) {
        if parsed.skipped_count == 0 {
            return;
        }
        let known = self.told.lock().put(path.clone(), ()).is_some();
        let level = if known { Level::Debug } else { Level::Warn };
        for skipped in parsed.skipped.iter().take(LOGGED_LINES) {
            log!(level, "{path}: left out a line of the listing ({}): {}", skipped.why, skipped.line);
        }
        if parsed.skipped_count > LOGGED_LINES {
            log!(level, "{path}: left out {} lines of the listing in all", parsed.skipped_count);
        }
    }

    /// Wall-clock time in seconds, for dates without a year.
    pub(super) fn now(&self) -> i64 {
        let since = self.clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    fn stall(&self) -> Deadline {
        Deadline::after(self.timeout)
    }

    pub(super) fn lines(&self, path: &RemotePath, deadline: Deadline) -> Result<Fetched> {
        self.meet(deadline)?;
        match self.dialect.can(Skill::Mlsd) {
            Can::No => self.list_lines(path, deadline),
            Can::Unknown | Can::Yes => self.mlsd_or_list(path, deadline),
        }
    }

    fn list_lines(&self, path: &RemotePath, deadline: Deadline) -> Result<Fetched> {
        match self.dialect.can(Skill::ListAll) {
            _ if self.custom_list.is_some() => self.list_cwd(path, false, deadline),
            Can::Yes => self.list_cwd(path, true, deadline),
            Can::No => self.list_cwd(path, false, deadline),
            Can::Unknown => self.probe_list_all(path, deadline),
        }
    }

    /// Servers that do not know `-a` take it for a name: they refuse, list nothing, put an error message in the place of
    /// the listing, or list the one file that is called so. A plain `LIST` that shows more settles it.
    fn probe_list_all(&self, path: &RemotePath, deadline: Deadline) -> Result<Fetched> {
        let all = self.list_cwd(path, true, deadline)?;
        if matches!(&all, Fetched::Refused { verb: "CWD", .. }) {
            return Ok(all);
        }
        if shows_a_directory(&all, self.now()) {
            self.dialect.learn(Skill::ListAll, Can::Yes);
            return Ok(all);
        }
        let plain = self.list_cwd(path, false, deadline)?;
        if shows_a_directory(&plain, self.now()) {
            info!("the server does not know LIST -a: hidden files stay hidden");
            self.dialect.learn(Skill::ListAll, Can::No);
        }
        Ok(plain)
    }
}

/// Whether there is time for another attempt where nothing comes: a channel may be dead although everybody agreed on it
/// (pyftpdlib 2.2.0, where other clients than ours have it connect to them as well).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Haste {
    First,
    #[default]
    Later,
}

/// A listing as it came, or the reply that refused it.
pub(super) enum Fetched {
    /// `machine`: by `MLSD`.
    Lines {
        lines: Vec<u8>,
        machine: bool,
        complete: bool,
    },
    Refused {
        verb: &'static str,
        reply: Reply,
    },
}

/// Whether there is something that only the listing of a directory has: entries other than one called `-a`, the directory
/// itself and its parent, or a sum of blocks.
fn shows_a_directory(fetched: &Fetched, now: i64) -> bool {
    let Fetched::Lines { lines, .. } = fetched else { return false };
    let parsed = parse_list(lines, now);
    match &parsed.entries[..] {
        [] => parsed.is_whole() && !lines.is_empty(),
        [one] => one.name.as_bytes() != b"-a",
        _ => true,
    }
}

fn refused(verb: &'static str, reply: Reply) -> Result<Fetched> {
    if matches!(reply.code.get(), 425 | 426) {
        return Err(refusal(verb, &reply, ErrorKind::Unreachable).with_retry(Retry::Safe));
    }
    Ok(Fetched::Refused { verb, reply })
}

/// What a listing without a single entry says instead.
pub(super) fn unreadable(parsed: &Parsed) -> Error {
    let line = parsed.skipped.first().map_or("", |skipped| skipped.line.as_str());
    let kind = if line.contains("Permission denied") { ErrorKind::Denied } else { ErrorKind::Protocol };
    Error::new(kind, "LIST").with_reply(line)
}

/// Passes entries on, under the names that the mount shows.
pub(super) fn hand_out(parsed: Parsed, names: Codec, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) {
    for mut entry in parsed.entries {
        entry.name = names.show(&entry.name);
        if let Kind::Symlink { target: Some(target) } = &mut entry.meta.kind {
            *target = names.show_path(target).into();
        }
        if each(entry).is_break() {
            break;
        }
    }
}

/// An `MLSD` that was never answered before may take this share of the time: the rest is for `LIST`.
const UNPROVEN_SHARE: u32 = 3;

/// The first attempt gets this part of the time for its next bytes.
const HASTE: u32 = 3;

/// Bytes taken from a listing's data channel at a time.
const LISTING_PIECE: usize = 64 * 1024;

/// A listing longer than this is an attack or a fault: about a million names.
const LISTING_LIMIT: usize = 128 << 20;

/// A listing may take this many timeouts as long as it moves.
const LONGEST_LISTING: u32 = 10;

const LOGGED_LINES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_listing_of_a_directory_shows() {
        let shows =
            |lines: &str| shows_a_directory(&Fetched::Lines { lines: lines.into(), machine: false, complete: true }, 0);
        let entry = |name: &str| format!("-rw-r--r-- 1 u g 1 Nov 15  2023 {name}\r\n");
        assert!(shows(&entry("a")) && shows(&(entry("-a") + &entry("b"))));
        assert!(shows("total 0\r\n") && shows("drwxr-xr-x 2 u g 1 Nov 15  2023 .\r\n"));
        // Servers that take -a for a name.
        assert!(!shows(&entry("-a")) && !shows("") && !shows("-a: No such file or directory\r\n"));
    }
}
