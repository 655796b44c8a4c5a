//! Directories: one listing each, believed for a while, loaded once however many ask.
//!
//! What we change ourselves shows at once: in the listing that is kept, in those that open directories still hold, and in
//! one that was asked for before the change and arrives after it.

mod listing;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use lru::LruCache;

pub(crate) use self::listing::Listing;
use super::error::{Error, Fault, Result};
use super::node::Ino;
use crate::base::sync::Ranked;
use crate::base::{Clock, Deadline, Gate};
use crate::remote::{ErrorKind, Meta, Name, Remote, RemotePath};

/// The listings that are believed.
pub(crate) struct DirCache {
    map: Ranked<Map, 20>,
    clock: Arc<dyn Clock>,
    unsent: OnceLock<Unsent>,
}

/// Tells what is in a directory that the server has not heard of yet.
type Unsent = Box<dyn Fn(Ino) -> Vec<(Name, Meta)> + Send + Sync>;

struct Map {
    dirs: LruCache<Ino, Arc<Listing>>,
    entries: usize,
    loads: HashMap<Ino, Arc<Load>>,
    /// Listings that are believed no longer, but that somebody still walks along.
    held: HashMap<Ino, Vec<Weak<Listing>>>,
    /// Failures not long ago: the kernel asks twice for each name, and a program for one name after the other.
    failed: LruCache<Ino, (Instant, Fault)>,
    /// Names that files of ours bear for a while on the server, in whatever directory: they are nobody's business.
    own: HashSet<Name>,
}

/// A listing on its way, and those who wait for it.
struct Load {
    done: Ranked<Option<Result<Arc<Listing>>>, 21>,
    /// What we have changed since it was asked for.
    changes: Ranked<Changes, 22>,
    gate: Gate,
}

#[derive(Default)]
struct Changes {
    list: Vec<Change>,
    /// It is not to be kept: something changed that nobody can name.
    forgotten: bool,
}

/// One change of ours to a directory.
pub(crate) enum Change {
    /// The name stands for this now.
    Put(Name, Meta),
    /// The name is gone.
    Remove(Name),
    /// The facts of the name, if it is there, have changed.
    Update(Name, Box<dyn Fn(&mut Meta) + Send + Sync>),
}

impl DirCache {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let map = Map {
            dirs: LruCache::unbounded(),
            entries: 0,
            loads: HashMap::new(),
            held: HashMap::new(),
            failed: LruCache::new(MOST_FAILURES),
            own: HashSet::new(),
        };
        Self { map: Ranked::new(map), clock, unsent: OnceLock::new() }
    }

    /// From now on listings show also what `unsent` tells of their directory; only the first call counts.
    pub(crate) fn show_also(&self, unsent: impl Fn(Ino) -> Vec<(Name, Meta)> + Send + Sync + 'static) {
        let _ = self.unsent.set(Box::new(unsent));
    }

    /// The listing of `dir`, if it is younger than `ttl`.
    pub(crate) fn get(&self, dir: Ino, ttl: Duration) -> Option<Arc<Listing>> {
        let listing = self.map.lock().dirs.get(&dir).cloned()?;
        (!self.left(listing.since, ttl).is_zero()).then_some(listing)
    }

    /// Whether somebody is fetching the listing of `dir`.
    pub(crate) fn is_loading(&self, dir: Ino) -> bool {
        self.map.lock().loads.contains_key(&dir)
    }

    /// How long `since` may still be believed, given a time to live.
    pub(crate) fn left(&self, since: Instant, ttl: Duration) -> Duration {
        ttl.saturating_sub(self.clock.now().saturating_duration_since(since))
    }

    /// `name` in `dir` stands for this from now on.
    pub(crate) fn put(&self, dir: Ino, name: &Name, meta: &Meta) {
        self.change(dir, Change::Put(name.clone(), meta.clone()));
    }

    /// `name` in `dir` is gone.
    pub(crate) fn remove(&self, dir: Ino, name: &Name) {
        self.change(dir, Change::Remove(name.clone()));
    }

    /// What is known of `name` in `dir` changes as `f` does it; not at all if it is not there.
    pub(crate) fn update(&self, dir: Ino, name: &Name, f: impl Fn(&mut Meta) + Send + Sync + 'static) {
        self.change(dir, Change::Update(name.clone(), Box::new(f)));
    }

    fn change(&self, dir: Ino, change: Change) {
        let mut guard = self.map.lock();
        let map = &mut *guard;
        if let Some(listing) = map.dirs.peek(&dir) {
            map.entries += listing.apply(&change);
            // Under this lock nobody can come to hold it.
            if Arc::strong_count(listing) == 1 {
                map.entries -= listing.compact();
            }
        }
        if let Some(held) = map.held.get_mut(&dir) {
            held.retain(|listing| listing.upgrade().is_some_and(|listing| (listing.apply(&change), true).1));
            if held.is_empty() {
                map.held.remove(&dir);
            }
        }
        if let Some(load) = map.loads.get(&dir) {
            load.changes.lock().list.push(change);
        }
    }

    /// We have just made the directory `dir`: there is nothing in it.
    pub(crate) fn made(&self, dir: Ino) {
        let listing = Arc::new(Listing::new(Vec::new(), true, self.clock.now()));
        let mut map = self.map.lock();
        let out = map.keep(dir, &listing);
        drop(map);
        drop(out);
    }

    /// From now on no listing shows `name`, in whatever directory: a file of ours gets it for a while.
    pub(crate) fn reserve(&self, name: &Name) {
        self.map.lock().own.insert(name.clone());
    }

    /// `name` in `dir` is gone from the server: it is anybody's again.
    pub(crate) fn unreserve(&self, dir: Ino, name: &Name) {
        // Listings that are on their way may still have seen it.
        self.remove(dir, name);
        self.map.lock().own.remove(name);
    }

    /// Whether a file of ours bears `name` for now.
    pub(crate) fn is_reserved(&self, name: &Name) -> bool {
        self.map.lock().own.contains(name)
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
                    let load = Arc::new(Load::new());
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

    /// Only what took a deadline to find out is worth remembering.
    fn hold_failure(&self, dir: Ino, fault: Fault) {
        if fault == Fault::Remote(ErrorKind::TimedOut) {
            self.map.lock().failed.put(dir, (self.clock.now(), fault));
        }
    }

    /// Forgets the listing of `dir`; one that is on its way is not believed either.
    pub(crate) fn forget(&self, dir: Ino) {
        let mut map = self.map.lock();
        if let Some(load) = map.loads.get(&dir) {
            load.changes.lock().forgotten = true;
        }
        if let Some(old) = map.dirs.pop(&dir) {
            map.entries -= old.len();
            map.let_go(dir, &old);
        }
    }
}

impl Map {
    /// Believes `listing`; hands out what had to go for it, to be freed after the lock is gone.
    #[must_use]
    fn keep(&mut self, dir: Ino, listing: &Arc<Listing>) -> Vec<(Ino, Arc<Listing>)> {
        self.entries += listing.len();
        let mut out = Vec::from_iter(self.dirs.put(dir, Arc::clone(listing)).map(|old| (dir, old)));
        self.entries -= out.iter().map(|(_, old)| old.len()).sum::<usize>();
        while self.entries > MOST_ENTRIES && self.dirs.len() > 1 {
            let Some((dir, old)) = self.dirs.pop_lru() else { break };
            self.entries -= old.len();
            out.push((dir, old));
        }
        for (dir, old) in &out {
            self.let_go(*dir, old);
        }
        out
    }

    /// `old` is not believed any more, but whoever still holds it is to see our changes.
    fn let_go(&mut self, dir: Ino, old: &Arc<Listing>) {
        if Arc::strong_count(old) > 1 {
            let held = self.held.entry(dir).or_default();
            held.retain(|listing| listing.strong_count() > 0);
            held.push(Arc::downgrade(old));
        }
    }

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
    fn new() -> Self {
        Self { done: Ranked::new(None), changes: Ranked::default(), gate: Gate::default() }
    }

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
            Ok(listing) => self.arrive(listing),
            Err(e) => self.cache.hold_failure(self.dir, e.fault),
        }
        let told = listed.as_ref().map(Arc::clone).map_err(Error::echo);
        *self.load.done.lock() = Some(told);
        listed
    }

    /// Makes our own changes in what the server has told, and believes it. One lock covers the change of hands: what is
    /// changed later is changed in the cache.
    fn arrive(&self, listing: &Arc<Listing>) {
        // What lands from here on is among the changes.
        let unsent = self.cache.unsent.get().map_or_else(Vec::new, |unsent| unsent(self.dir));
        let mut map = self.cache.map.lock();
        for (name, meta) in unsent {
            if listing.find(name.as_bytes()).is_none() {
                listing.apply(&Change::Put(name, meta));
            }
        }
        for name in map.own.iter().filter(|name| listing.find(name.as_bytes()).is_some()) {
            listing.apply(&Change::Remove(name.clone()));
        }
        let changes = std::mem::take(&mut *self.load.changes.lock());
        for change in &changes.list {
            listing.apply(change);
        }
        map.loads.remove(&self.dir);
        let out = if changes.forgotten {
            map.let_go(self.dir, listing);
            Vec::new()
        } else {
            map.keep(self.dir, listing)
        };
        drop(map);
        drop(out);
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.cache.map.lock().stop(self.dir, self.load);
        self.load.done.lock().get_or_insert(Err(ErrorKind::Protocol.into()));
        self.load.gate.open();
    }
}

impl Map {
    /// `load` is over; another one of `dir` may have begun.
    fn stop(&mut self, dir: Ino, load: &Load) {
        if self.loads.get(&dir).is_some_and(|other| std::ptr::eq(&**other, load)) {
            self.loads.remove(&dir);
        }
    }
}

/// How long a listing that timed out is not tried again.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// Directories whose failures are held at once.
const MOST_FAILURES: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// Entries kept over all listings; some 250 bytes each.
const MOST_ENTRIES: usize = 200_000;
