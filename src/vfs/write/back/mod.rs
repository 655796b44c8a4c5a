//! Write-back: closed files whose content is safe on this machine travel to the server later.
//!
//! close(2) seals the spool and enters it in the journal (`Journal::queue` says what is on the disk when); from then on
//! the sealed content never changes: whoever writes to the file again writes to a copy (`seal`). Sealed files are stored by
//! a few threads, oldest first, under temporary names that replace the files when they are whole (`store`). Of one path
//! only one is on its way at a time, in the order in which they were closed (`entry`). What the mount's end or a crash
//! leaves over is stored by the next mount, beside a file that somebody else has changed meanwhile.

mod entry;
mod feed;
mod leftover;
mod looks;
mod meet;
mod seal;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::warn;

pub(super) use self::entry::Entry;
use self::entry::Readiness;
use self::looks::Looks;
pub use self::store::Left;
pub(super) use self::store::drop_entry;
use super::Writing;
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::config::Write;
use crate::remote::RemotePath;
use crate::store::{Journal, JournalId, Pending, SpoolDir};
use crate::vfs::error::Fault;
use crate::vfs::workers::Workers;

/// What is still to be stored.
pub(super) struct Back {
    pub(super) journal: Journal,
    /// What the last time has left over, until somebody takes care of it.
    leftover: Ranked<Vec<Pending>, 43>,
    /// Oldest first.
    open: Ranked<BTreeMap<JournalId, Arc<Entry>>, 45>,
    /// While the server is out of reach nobody tries.
    rest: Ranked<Rest, 44>,
    /// What the server has refused for good, and where it is kept.
    kept: Ranked<Vec<String>, 49>,
    /// What was refused when nobody had the file open any more, until somebody asks.
    untold: Ranked<Vec<(RemotePath, Fault)>, 49>,
    /// What the directories of many of them hold.
    looks: Looks,
    /// Opened when an entry is done, free again, or should be tried at once.
    pub(super) gate: Gate,
    /// How long a file waits after it was closed.
    pub(super) ripens: Duration,
    /// Grows with everything that is sent and done: for those who wait as long as something goes on.
    progress: AtomicU64,
    stores: Workers,
    /// Nobody stores anything any more.
    shut: AtomicBool,
    /// An earlier mount has left something.
    has_leftovers: AtomicBool,
}

#[derive(Default)]
struct Rest {
    until: Option<Instant>,
    pause: Duration,
}

/// What is to be stored next.
enum Pick {
    /// This; it is claimed.
    Take(Arc<Entry>),
    /// Nothing before then, or before the gate opens.
    Wait(Option<Instant>),
    /// Nothing waits.
    Nothing,
}

impl Back {
    /// Whether an earlier mount has left something over.
    pub(super) fn has_leftover(spool: &SpoolDir, write: &Write) -> bool {
        Journal::has_spools(spool, &write.identity)
    }

    /// The journal of the mount that `write` describes.
    pub(super) fn open(spool: &Arc<SpoolDir>, write: &Write) -> io::Result<Self> {
        let (journal, leftover) = Journal::open(spool, &write.identity)?;
        Ok(Self {
            journal,
            leftover: Ranked::new(leftover),
            open: Ranked::default(),
            rest: Ranked::default(),
            kept: Ranked::default(),
            untold: Ranked::default(),
            looks: Looks::default(),
            gate: Gate::default(),
            ripens: write.ripens,
            progress: AtomicU64::new(0),
            stores: Workers::new("store", write.parallel.clamp(1, MOST_STORES)),
            shut: AtomicBool::new(false),
            has_leftovers: AtomicBool::new(false),
        })
    }

    fn begin(&self, shared: &Arc<Writing>, entry: Arc<Entry>) {
        self.open.lock().insert(entry.id, entry);
        self.gate.open();
        let shared = Arc::clone(shared);
        self.stores.run(move || shared.serve());
    }

    /// Nobody waits for `entry` any more.
    pub(super) fn forget(&self, entry: &Entry) {
        self.open.lock().remove(&entry.id);
        self.progressed();
        self.gate.open();
    }

    fn progressed(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Another number whenever something has been sent or stored since.
    fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Claims the oldest that can be stored now.
    fn pick(&self) -> Pick {
        if self.is_shut() {
            return Pick::Nothing;
        }
        let now = Instant::now();
        let resting = self.rest.lock().until.filter(|until| *until > now);
        if let Some(until) = resting {
            return Pick::Wait(Some(until));
        }
        let (mut last, mut soonest, mut waiting) = (None, None::<Instant>, false);
        loop {
            let candidate = {
                let open = self.open.lock();
                let from = last.map_or(Bound::Unbounded, Bound::Excluded);
                open.range((from, Bound::Unbounded)).find_map(|(_, entry)| match entry.readiness(now) {
                    Readiness::Ready => Some(Arc::clone(entry)),
                    Readiness::Later(at) => {
                        waiting = true;
                        soonest = Some(soonest.map_or(at, |old| old.min(at)));
                        None
                    }
                    Readiness::Blocked => {
                        waiting = true;
                        None
                    }
                    Readiness::Nothing => None,
                })
            };
            let Some(entry) = candidate else {
                return if waiting { Pick::Wait(soonest) } else { Pick::Nothing };
            };
            if entry.take() {
                return Pick::Take(entry);
            }
            waiting = true;
            last = Some(entry.id);
        }
    }

    /// Somebody waits: whatever pauses is tried at once.
    pub(super) fn hurry(&self) {
        self.rest.lock().until = None;
        self.open.lock().values().for_each(|entry| entry.hurry());
        self.gate.open();
    }

    fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }

    pub(super) fn shut_down(&self) {
        self.shut.store(true, Ordering::Relaxed);
        let open = std::mem::take(&mut *self.open.lock());
        open.values().for_each(|entry| entry.stop());
        self.gate.open();
    }

    /// The server is out of reach.
    fn take_a_rest(&self) {
        let mut rest = self.rest.lock();
        // Several uploads break at once.
        if rest.until.is_none_or(|until| until <= Instant::now()) {
            rest.pause = (rest.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
            rest.until = Some(Instant::now() + rest.pause);
        }
    }

    /// The server has answered.
    fn end_rest(&self) {
        *self.rest.lock() = Rest::default();
    }

    /// What an earlier mount has left for `path`.
    fn left_for(&self, path: &RemotePath) -> Option<Arc<Entry>> {
        let open = self.open.lock();
        // They are the oldest.
        let left = open.values().take_while(|entry| entry.is_left_over());
        left.filter(|entry| entry.writer().is_none() && entry.job.path == *path).last().cloned()
    }

    /// Whether at least `count` of those that come next belong into the directory of `path`.
    fn are_many_beside(&self, path: &RemotePath, count: usize) -> bool {
        let Some((dir, _)) = path.split() else { return false };
        let open = self.open.lock();
        let beside = |entry: &&Arc<Entry>| entry.job.path.split().is_some_and(|(of, _)| of == dir);
        open.values().take(LOOKED_AT).filter(beside).take(count).count() == count
    }

    /// Whether something that was closed later is to replace `entry`.
    fn is_followed(&self, entry: &Arc<Entry>) -> bool {
        self.open.lock().values().any(|next| next.follows(entry))
    }

    /// The server has `version` of what `entry` was: those that follow it replace that.
    fn rebase(&self, entry: &Arc<Entry>) {
        let next = self.open.lock().values().find(|next| next.follows(entry)).cloned();
        if let Some(next) = next {
            self.rebase_on(&next, entry);
        }
    }

    /// Writes down what `next` replaces, if `entry` has been stored.
    fn rebase_on(&self, next: &Entry, entry: &Entry) {
        let Some(version) = entry.landed() else { return };
        let Some(pending) = self.journal.pending(next.id) else { return };
        if let Err(e) = self.journal.moved(next.id, &pending.job.path, Some(&version), None) {
            warn!("the journal fails: {e}");
        }
    }

    /// What is left, by name.
    fn names(&self) -> Vec<String> {
        let open: Vec<_> = self.open.lock().values().cloned().collect();
        open.iter().map(|entry| entry.path().to_string()).collect()
    }

    fn is_empty(&self) -> bool {
        self.open.lock().is_empty()
    }

    /// Waits until `done`; false where the deadline comes first.
    pub(super) fn wait(&self, done: impl Fn() -> bool, deadline: Deadline) -> bool {
        loop {
            let seen = self.gate.ticket();
            if done() {
                return true;
            }
            if !self.gate.wait(seen, deadline) {
                return done();
            }
        }
    }

    /// The same, as long as something goes on: not longer than `patience` without that.
    fn wait_while_busy(&self, done: impl Fn() -> bool, patience: Duration, deadline: Deadline) -> bool {
        loop {
            let before = self.progress();
            if self.wait(&done, deadline.min_after(patience)) {
                return true;
            }
            if deadline.passed() || self.progress() == before {
                return false;
            }
        }
    }
}

/// Those that come next, among which others of the same directory are looked for.
const LOOKED_AT: usize = 64;

/// Uploads at once.
const MOST_STORES: usize = 16;

/// Pauses between attempts: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(15);

/// Timeouts that somebody waits for transfers that do not go on.
const MOST_SILENT: u32 = 4;

/// Waits without a deadline of their own look again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
