//! Directories: one listing each, believed for a while, loaded once however many ask.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::error::{Error, Fault, Result};
use super::node::Ino;
use crate::base::sync::Ranked;
use crate::base::{Clock, Deadline, Gate};
use crate::remote::{Entry, ErrorKind, Kind, Meta, Name, Precision, Remote, RemotePath, Stamp};

/// One directory as it was listed.
pub(crate) struct Listing {
    entries: Vec<Entry>,
    index: HashMap<Name, usize>,
    /// Whether a name that is not here does not exist.
    pub(crate) complete: bool,
    pub(crate) since: Instant,
    details: Ranked<Details, 25>,
    gate: Gate,
}

/// What listings of some servers leave out and was asked for later.
#[derive(Default)]
struct Details {
    /// Exact times of modification; None where the server has none for that entry.
    times: HashMap<usize, Option<Stamp>>,
    asking: bool,
    /// Where links lead, once asked for.
    links: Option<HashMap<Name, Arc<[u8]>>>,
}

impl Listing {
    /// Builds the index; of two entries of the same name the last one counts.
    pub(crate) fn new(mut entries: Vec<Entry>, complete: bool, since: Instant) -> Self {
        let by_name = |entries: &[Entry]| -> HashMap<Name, usize> {
            entries.iter().enumerate().map(|(at, e)| (e.name.clone(), at)).collect()
        };
        let mut index = by_name(&entries);
        if index.len() < entries.len() {
            let mut at = 0..;
            entries.retain(|e| index.get(&e.name).copied() == at.next());
            index = by_name(&entries);
        }
        Self { entries, index, complete, since, details: Ranked::default(), gate: Gate::default() }
    }

    /// Where `name` stands.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn name(&self, at: usize) -> &Name {
        &self.entries[at].name
    }

    /// The entry's facts and whether its time is as exact as it gets.
    pub(crate) fn meta(&self, at: usize) -> (Meta, bool) {
        let mut meta = self.entries[at].meta.clone();
        if !self.is_vague(at) {
            return (meta, true);
        }
        let asked = self.details.lock().times.get(&at).copied();
        if let Some(Some(exact)) = asked {
            meta.mtime = Some(exact);
        }
        (meta, asked.is_some())
    }

    /// Only files have exact times: `MDTM` of a directory is refused everywhere.
    fn is_vague(&self, at: usize) -> bool {
        let meta = &self.entries[at].meta;
        meta.kind == Kind::File && meta.mtime.is_none_or(|t| t.precision != Precision::Second)
    }

    /// Whether somebody has asked for exact times here and those of some entries in `range` are still missing.
    pub(crate) fn wants_times(&self, range: Range<usize>) -> bool {
        let details = self.details.lock();
        !details.times.is_empty()
            && range.take_while(|at| *at < self.len()).any(|at| self.is_vague(at) && !details.times.contains_key(&at))
    }

    /// Asks the exact time of entry `at` and, in the same flights, of `more` that are likely to be asked for next.
    pub(crate) fn ask_times(
        &self,
        remote: &dyn Remote,
        dir: &RemotePath,
        at: usize,
        more: usize,
        deadline: Deadline,
    ) -> Result<()> {
        loop {
            let seen = self.gate.ticket();
            let batch: Vec<usize> = {
                let mut details = self.details.lock();
                if !self.is_vague(at) || details.times.contains_key(&at) {
                    return Ok(());
                }
                if details.asking {
                    Vec::new()
                } else {
                    details.asking = true;
                    let vague = |i: &usize| self.is_vague(*i) && !details.times.contains_key(i);
                    // Who has asked for many asks for all: `ls -l`, and not `stat` of one file.
                    let count = (1 + more).max(details.times.len().min(MOST_TIMES));
                    (at..self.entries.len()).filter(vague).take(count).collect()
                }
            };
            if batch.is_empty() {
                if !self.gate.wait(seen, deadline) {
                    return Err(ErrorKind::TimedOut.into());
                }
                continue;
            }
            let _asking = Asking(self);
            let names: Vec<Name> = batch.iter().map(|&i| self.entries[i].name.clone()).collect();
            let times = remote.times(dir, &names, deadline)?;
            self.details.lock().times.extend(batch.into_iter().zip(times));
            return Ok(());
        }
    }

    /// Where the link at `at` leads; asks the server once for the whole directory if the listing did not say.
    pub(crate) fn link(
        &self,
        remote: &dyn Remote,
        dir: &RemotePath,
        at: usize,
        deadline: Deadline,
    ) -> Result<Option<Arc<[u8]>>> {
        let Entry { name, meta } = &self.entries[at];
        if let Kind::Symlink { target: Some(target) } = &meta.kind {
            return Ok(Some(Arc::clone(target)));
        }
        if let Some(links) = &self.details.lock().links {
            return Ok(links.get(name).cloned());
        }
        let mut links = HashMap::new();
        remote.links(dir, deadline, &mut |name, target| {
            links.insert(name, target.into());
        })?;
        let target = links.get(name).cloned();
        self.details.lock().links = Some(links);
        Ok(target)
    }
}

/// Exact times asked for at once, at most: a fraction of a second's work for a server.
const MOST_TIMES: usize = 1024;

/// Says on drop, also after an error, that nobody asks any more.
struct Asking<'a>(&'a Listing);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.details.lock().asking = false;
        self.0.gate.open();
    }
}

/// The listings that are believed.
pub(crate) struct DirCache {
    map: Ranked<Map, 20>,
    clock: Arc<dyn Clock>,
}

struct Map {
    dirs: LruCache<Ino, Arc<Listing>>,
    entries: usize,
    loads: HashMap<Ino, Arc<Load>>,
    /// Failures not long ago: the kernel asks twice for each name, and a program for one name after the other.
    failed: LruCache<Ino, (Instant, Fault)>,
}

/// A listing on its way, and those who wait for it.
struct Load {
    done: Ranked<Option<Result<Arc<Listing>>>, 21>,
    gate: Gate,
}

impl DirCache {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let failed = LruCache::new(MOST_FAILURES);
        let map = Map { dirs: LruCache::unbounded(), entries: 0, loads: HashMap::new(), failed };
        Self { map: Ranked::new(map), clock }
    }

    /// The listing of `dir`, if it is younger than `ttl`.
    pub(crate) fn get(&self, dir: Ino, ttl: Duration) -> Option<Arc<Listing>> {
        let listing = self.map.lock().dirs.get(&dir).cloned()?;
        (!self.left(listing.since, ttl).is_zero()).then_some(listing)
    }

    /// How long `since` may still be believed, given a time to live.
    pub(crate) fn left(&self, since: Instant, ttl: Duration) -> Duration {
        ttl.saturating_sub(self.clock.now().saturating_duration_since(since))
    }

    /// The listing of `dir`: fresh from memory, or from somebody who is loading it, or from the server.
    pub(crate) fn load(
        &self,
        dir: Ino,
        path: &RemotePath,
        ttl: Duration,
        remote: &dyn Remote,
        deadline: Deadline,
    ) -> Result<Arc<Listing>> {
        if let Some(listing) = self.get(dir, ttl) {
            return Ok(listing);
        }
        let (load, mine) = {
            let mut map = self.map.lock();
            if let Some(fault) = map.failure(dir, self.clock.now()) {
                return Err(fault.into());
            }
            match map.loads.get(&dir) {
                Some(load) => (Arc::clone(load), false),
                None => {
                    let load = Arc::new(Load { done: Ranked::new(None), gate: Gate::default() });
                    map.loads.insert(dir, Arc::clone(&load));
                    (load, true)
                }
            }
        };
        if mine {
            let loading = Loading { cache: self, dir, load: &load };
            let listed = self.list(path, remote, deadline);
            return loading.finish(listed);
        }
        load.wait(deadline)
    }

    fn list(&self, path: &RemotePath, remote: &dyn Remote, deadline: Deadline) -> Result<Arc<Listing>> {
        // From before the question, so that a listing never counts as younger than it is.
        let since = self.clock.now();
        let mut entries = Vec::new();
        let listed = remote.list(path, deadline, &mut |entry| {
            entries.push(entry);
            ControlFlow::Continue(())
        })?;
        Ok(Arc::new(Listing::new(entries, listed.complete, since)))
    }

    fn keep(&self, dir: Ino, listing: &Arc<Listing>) {
        let mut out = Vec::new();
        let mut map = self.map.lock();
        map.entries += listing.len();
        out.extend(map.dirs.put(dir, Arc::clone(listing)));
        map.entries -= out.iter().map(|l: &Arc<Listing>| l.len()).sum::<usize>();
        while map.entries > MOST_ENTRIES && map.dirs.len() > 1 {
            let Some((_, old)) = map.dirs.pop_lru() else { break };
            map.entries -= old.len();
            out.push(old);
        }
        // Freed after the lock is gone.
        drop(map);
    }

    /// Only what took a deadline to find out is worth remembering.
    fn hold_failure(&self, dir: Ino, fault: Fault) {
        if fault == Fault::Remote(ErrorKind::TimedOut) {
            self.map.lock().failed.put(dir, (self.clock.now(), fault));
        }
    }

    /// SEAM
    pub(crate) fn put(&self, dir: Ino, _name: &Name, _meta: Meta) {
        self.forget(dir);
    }

    /// Forgets the listing of `dir`.
    pub(crate) fn forget(&self, dir: Ino) {
        let mut map = self.map.lock();
        if let Some(old) = map.dirs.pop(&dir) {
            map.entries -= old.len();
        }
    }
}

impl Map {
    /// Why `dir` could not be listed a moment ago.
    fn failure(&mut self, dir: Ino, now: Instant) -> Option<Fault> {
        let (at, fault) = *self.failed.get(&dir)?;
        if now.saturating_duration_since(at) < FAILURE_HOLDS {
            return Some(fault);
        }
        self.failed.pop(&dir);
        None
    }
}

impl Load {
    fn wait(&self, deadline: Deadline) -> Result<Arc<Listing>> {
        loop {
            let seen = self.gate.ticket();
            if let Some(done) = &*self.done.lock() {
                return done.as_ref().map(Arc::clone).map_err(Error::echo);
            }
            if !self.gate.wait(seen, deadline) {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

/// The duty to tell those who wait how the load went, also if it panics.
struct Loading<'a> {
    cache: &'a DirCache,
    dir: Ino,
    load: &'a Load,
}

impl Loading<'_> {
    fn finish(self, listed: Result<Arc<Listing>>) -> Result<Arc<Listing>> {
        match &listed {
            Ok(listing) => self.cache.keep(self.dir, listing),
            Err(e) => self.cache.hold_failure(self.dir, e.fault),
        }
        let told = listed.as_ref().map(Arc::clone).map_err(Error::echo);
        *self.load.done.lock() = Some(told);
        listed
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.cache.map.lock().loads.remove(&self.dir);
        self.load.done.lock().get_or_insert(Err(ErrorKind::Protocol.into()));
        self.load.gate.open();
    }
}

/// How long a listing that timed out is not tried again.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// Directories whose failures are held at once.
const MOST_FAILURES: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// Entries kept over all listings; some 250 bytes each.
const MOST_ENTRIES: usize = 200_000;
