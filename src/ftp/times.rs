//! Times of listings become UTC: what is asked of the server for that, once, and what was shown before.
//!
//! The offset is found at the first listing that shows the time of something other than a file. Files have exact times by
//! `MDTM` anyway, and directories have none but those of the listing. It is looked for in the files beside them, or else
//! in a few subdirectories, and once found it stays: two looks at a directory show the same time. What was shown
//! before anything was found keeps its time, too, for as long as the server's line says the same.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread;

use log::{debug, info};
use lru::LruCache;

use super::client::Client;
use super::command::Command;
use super::control::MAX_FLIGHT;
use super::dialect::{Can, Skill};
use super::features::Software;
use super::list::Fetched;
use super::listing::time::parse_mdtm;
use super::listing::{Parsed, Reading, Style, parse_list_as};
use super::pool::Claim;
use super::reply::Reply;
use super::transfer::known;
use super::zone::{Given, Sample, Zone, is_mdtm_local, is_one_for_all, measure, offset};
use crate::base::Deadline;
use crate::remote::{Entry, Kind, Name, Precision, RemotePath, Result};

/// What was shown while the server's zone was not known.
#[derive(Debug)]
pub(super) struct Hasty {
    /// Listed times, taken for UTC.
    shown: LruCache<(RemotePath, Name), i64>,
    /// Attempts to find the zone that have led to nothing.
    failures: u32,
    /// Subdirectories have been searched.
    searched: bool,
}

impl Default for Hasty {
    fn default() -> Self {
        Self { shown: LruCache::new(MOST_SHOWN), failures: 0, searched: false }
    }
}

impl Client {
    /// Reads the lines of a `LIST` of `path`; times are UTC as far as the server's zone can be known.
    pub(super) fn read_list(&self, path: &RemotePath, lines: &[u8], deadline: Deadline) -> Parsed {
        let zone = self.dialect.zone();
        let mut parsed = self.parse_list(lines, &zone);
        if parsed.utc {
            return parsed;
        }
        if self.learn_zone(&zone, path, &parsed, deadline) {
            // Years are left out by the server's clock, which is known only now.
            parsed = self.parse_list(lines, &self.dialect.zone());
        }
        let zone = self.dialect.zone();
        for entry in &mut parsed.entries {
            if let Some(mtime) = &mut entry.meta.mtime
                && !self.was_shown(&zone, path, entry.meta.kind == Kind::File, &entry.name, mtime.secs)
            {
                mtime.secs = zone.utc(mtime.secs);
            }
        }
        parsed
    }

    /// Reads the lines of a `LIST` in the style of the server's other listings, if that has become clear and still fits.
    pub(super) fn parse_list(&self, lines: &[u8], zone: &Zone) -> Parsed {
        let now = zone.wall_clock(self.now());
        let (known, order) = (self.dialect.style(), self.dialect.date_order());
        let mut parsed = parse_list_as(lines, &Reading { style: known, now, order });
        if known.is_some() && !parsed.is_whole() {
            let anew = parse_list_as(lines, &Reading { style: None, now, order });
            if anew.skipped_count < parsed.skipped_count {
                parsed = anew;
            }
        }
        if let Some(told) = parsed.order {
            self.dialect.learn_date_order(told);
        }
        if parsed.rough_sizes {
            // Whoever opens such a file asks for its SIZE: a rounded one would cut it short.
            let files = parsed.entries.iter_mut().filter(|entry| entry.meta.kind == Kind::File);
            files.for_each(|entry| entry.meta.size = None);
        }
        match parsed.style {
            Some(style) if known != Some(style) && parsed.is_whole() && parsed.entries.len() >= CLEAR => {
                debug!("listings are in the style {style:?}");
                self.dialect.learn_style(style);
            }
            _ => {}
        }
        parsed
    }

    /// The replies to `MDTM` of `names` in `dir`, pipelined; None where the server cannot be asked.
    pub(super) fn mdtms(&self, dir: &RemotePath, names: &[Name], deadline: Deadline) -> Result<Vec<Option<Reply>>> {
        if self.dialect.can(Skill::Mdtm) == Can::No || names.is_empty() {
            return Ok(vec![None; names.len()]);
        }
        let (way, args) = self.ways_inside(dir, names)?;
        self.with_lease(&Claim::Metadata, deadline, |lease| {
            let control = lease.control_mut();
            let commands: Vec<_> = args.iter().cloned().map(Command::Mdtm).collect();
            if let Some(way) = &way
                && way.walk(control, deadline)?.is_some()
            {
                return Ok(vec![None; names.len()]);
            }
            if !known(control, Skill::Mdtm, &commands[0], deadline)? {
                return Ok(vec![None; names.len()]);
            }
            Ok(control.pipeline(&commands, deadline)?.into_iter().map(Some).collect())
        })
    }

    /// The same on two connections at once: servers answer one command after the other on each, vsftpd in TLS with two
    /// processes that wait for each other.
    pub(super) fn mdtms_two_ways(
        &self,
        dir: &RemotePath,
        names: &[Name],
        deadline: Deadline,
    ) -> Result<Vec<Option<Reply>>> {
        let (first, second) = names.split_at(names.len() / 2);
        thread::scope(|both| {
            let ask_second = || self.mdtms(dir, second, deadline);
            let helper = thread::Builder::new().name("times".into()).spawn_scoped(both, ask_second);
            let first = self.mdtms(dir, first, deadline);
            let second = match helper {
                Ok(helper) => helper.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => ask_second(),
            };
            let mut all = first?;
            all.extend(second?);
            Ok(all)
        })
    }

    /// Whether this time of `name` is to stay as it was shown before; takes note of it while nothing better is known.
    fn was_shown(&self, zone: &Zone, dir: &RemotePath, file: bool, name: &Name, listed: i64) -> bool {
        if file {
            return false;
        }
        match zone {
            Zone::Given(_) => false,
            Zone::Unknown => {
                self.hasty.lock().shown.put((dir.clone(), name.clone()), listed);
                true
            }
            Zone::Measured(_) => {
                let mut hasty = self.hasty.lock();
                !hasty.shown.is_empty() && hasty.shown.get(&(dir.clone(), name.clone())) == Some(&listed)
            }
        }
    }

    /// Learns what the entries of a listing can teach; true where dates without a year may mean something else now.
    fn learn_zone(&self, zone: &Zone, dir: &RemotePath, parsed: &Parsed, deadline: Deadline) -> bool {
        match zone {
            Zone::Measured(_) => false,
            Zone::Unknown => self.find_offset(dir, parsed, deadline),
            Zone::Given(given) => {
                self.follow(given, dir, parsed, deadline);
                false
            }
        }
    }

    /// Compares files of the listing, or else of its newest subdirectories.
    fn find_offset(&self, dir: &RemotePath, parsed: &Parsed, deadline: Deadline) -> bool {
        let shows_more = parsed.entries.iter().any(|e| e.meta.kind != Kind::File && e.meta.mtime.is_some());
        let enough = self.hasty.lock().failures >= MOST_FAILURES;
        if !shows_more || enough || self.dialect.can(Skill::Mdtm) == Can::No {
            return false;
        }
        let files = files(&parsed.entries, &[Precision::Minute, Precision::Second]);
        if !files.is_empty() {
            return self.measure_by(dir, &files, deadline);
        }
        if std::mem::replace(&mut self.hasty.lock().searched, true) {
            return false;
        }
        let mut dirs: Vec<_> = parsed.entries.iter().filter(|e| e.meta.kind == Kind::Dir).collect();
        dirs.sort_by_key(|e| std::cmp::Reverse(e.meta.mtime));
        let recent = |e: &&&Entry| e.meta.mtime.is_some_and(|t| t.precision != Precision::Day);
        dirs.iter().filter(recent).take(SEARCHED).any(|below| {
            let below = dir.join(&self.names.show(&below.name));
            let all = self.dialect.can(Skill::ListAll) != Can::No;
            let Ok(Fetched::Lines { lines, .. }) = self.list_cwd(&below, all, deadline) else { return false };
            let parsed = self.parse_list(&lines, &Zone::Unknown);
            if parsed.utc {
                return false;
            }
            let files = self::files(&parsed.entries, &[Precision::Minute, Precision::Second]);
            !files.is_empty() && self.measure_by(&below, &files, deadline)
        })
    }

    fn measure_by(&self, dir: &RemotePath, files: &[&Entry], deadline: Deadline) -> bool {
        let Some(offsets) = self.samples(dir, files, deadline).and_then(|samples| measure(&samples)) else {
            self.hasty.lock().failures += 1;
            debug!("{dir}: the zone of listings cannot be told by its files");
            return false;
        };
        info!("listings are in the server's time: {offsets}");
        self.dialect.learn_zone(|known| {
            if matches!(known, Zone::Unknown) {
                *known = Zone::Measured(offsets);
            }
        });
        true
    }

    /// The user has named the zone; whether the server's clock there follows the seasons, and `MDTM` that clock, is left.
    fn follow(&self, given: &Given, dir: &RemotePath, parsed: &Parsed, deadline: Deadline) {
        let now = self.now();
        let (mut local, mut one_for_all) = (None, None);
        let untold = given.mdtm_local.is_none() && self.dialect.can(Skill::Mdtm) != Can::No;
        let files = files(&parsed.entries, &[Precision::Day, Precision::Minute, Precision::Second]);
        if untold && !files.is_empty() && self.hasty.lock().failures < MOST_FAILURES {
            let samples = self.samples(dir, &files, deadline).unwrap_or_default();
            local = is_mdtm_local(&samples, &given.zone, now);
            one_for_all = is_one_for_all(&samples, &given.zone, now);
            self.hasty.lock().failures += u32::from(local.is_none());
        }
        let software = self.dialect.software();
        self.dialect.learn_zone(|known| {
            if let Zone::Given(known) = known {
                known.mdtm_local = known.mdtm_local.or(local);
                known.one_for_all = known.one_for_all.or(one_for_all);
                // Windows has one offset at a time; vsftpd and Pure-FTPd look at it once in a session.
                let likely =
                    matches!(software, Software::Vsftpd | Software::PureFtpd) || parsed.style == Some(Style::Dos);
                known.today = known.one_for_all.unwrap_or(likely).then(|| offset(&known.zone, now));
            }
        });
    }

    /// Asks `MDTM` of some of `files`, in one flight.
    fn samples(&self, dir: &RemotePath, files: &[&Entry], deadline: Deadline) -> Option<Vec<Sample>> {
        let mut chosen = files.to_vec();
        chosen.sort_by_key(|e| e.meta.mtime);
        // From the oldest to the newest, so that they may be from both halves of the year.
        let last = chosen.len() - 1;
        let count = chosen.len().min(MAX_FLIGHT);
        let chosen: Vec<_> = (0..count).map(|i| chosen[if count > 1 { i * last / (count - 1) } else { 0 }]).collect();
        let names: Vec<_> = chosen.iter().map(|e| self.names.show(&e.name)).collect();
        let replies = self.mdtms(dir, &names, deadline).ok()?;
        let sample = |(entry, reply): (&&Entry, &Option<Reply>)| {
            Some(Sample { listed: entry.meta.mtime?, told: parse_mdtm(reply.as_ref()?)?.secs })
        };
        Some(chosen.iter().zip(&replies).filter_map(sample).collect())
    }
}

/// The files that are listed with one of these precisions.
fn files<'a>(entries: &'a [Entry], precisions: &[Precision]) -> Vec<&'a Entry> {
    let fits = |e: &&Entry| e.meta.mtime.is_some_and(|t| precisions.contains(&t.precision));
    entries.iter().filter(|e| e.meta.kind == Kind::File).filter(fits).collect()
}

/// Entries that make the style of a listing that of the server.
const CLEAR: usize = 2;

/// Times remembered because they were shown before the zone was known; some 100 bytes each.
const MOST_SHOWN: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

/// Listings whose files may be compared for nothing.
const MOST_FAILURES: u32 = 5;

/// Subdirectories that are listed in search of a file, once for each server.
const SEARCHED: usize = 3;
