//! One directory as it was listed, and as we have changed it since.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use super::Change;
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::remote::{Entry, ErrorKind, Kind, Meta, Name, Precision, Remote, RemotePath, Stamp};
use crate::vfs::error::Result;

/// One directory as it was listed. Places are kept for ever: a name that goes leaves its place empty, and takes it again
/// when it comes back. So whoever walks along them meets no name twice, whatever changes meanwhile.
pub(crate) struct Listing {
    entries: Ranked<Entries, 25>,
    /// Whether a name that is not here does not exist.
    pub(crate) complete: bool,
    pub(crate) since: Instant,
    gate: Gate,
}

#[derive(Default)]
struct Entries {
    slots: Vec<Slot>,
    /// Also of names that are gone.
    index: HashMap<Name, usize>,
    gone: usize,
    /// Entries whose exact time has been asked for.
    asked: usize,
    asking: bool,
    /// All places in the order of their names, once somebody goes by that.
    by_name: Option<Arc<[usize]>>,
    /// Where links lead, once asked for.
    links: Option<HashMap<Name, Arc<[u8]>>>,
}

struct Slot {
    entry: Entry,
    gone: bool,
    /// The exact time of modification, once asked for; within it None where the server has none for that entry.
    time: Option<Option<Stamp>>,
    /// Counts changes, for answers that are about an earlier entry of the name.
    turn: u32,
}

impl Listing {
    /// Builds the index; of two entries of the same name the last one counts.
    pub(crate) fn new(listed: Vec<Entry>, complete: bool, since: Instant) -> Self {
        let mut entries = Entries::default();
        entries.index.reserve(listed.len());
        entries.slots.reserve(listed.len());
        for Entry { name, meta } in listed {
            entries.put(name, meta);
        }
        Self { entries: Ranked::new(entries), complete, since, gate: Gate::default() }
    }

    /// Where `name` stands.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.entries.lock().find(name)
    }

    /// Places, also empty ones.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().slots.len()
    }

    /// What stands at `at`, and whether its time is as exact as it gets; None where there is nothing any more.
    pub(crate) fn entry(&self, at: usize) -> Option<(Name, Meta, bool)> {
        let entries = self.entries.lock();
        let slot = entries.slots.get(at).filter(|slot| !slot.gone)?;
        let (meta, exact) = slot.meta();
        Some((slot.entry.name.clone(), meta, exact))
    }

    /// The facts of `name`, and whether its time is as exact as it gets.
    pub(crate) fn meta(&self, name: &[u8]) -> Option<(Meta, bool)> {
        let entries = self.entries.lock();
        entries.find(name).map(|at| entries.slots[at].meta())
    }

    /// The names that are there, as far as the first `most` go.
    pub(crate) fn names(&self, most: usize) -> Vec<Name> {
        let entries = self.entries.lock();
        entries.slots.iter().filter(|slot| !slot.gone).take(most).map(|slot| slot.entry.name.clone()).collect()
    }

    /// Makes a change of ours; tells by how many places the listing has grown.
    pub(super) fn apply(&self, change: &Change) -> usize {
        let mut entries = self.entries.lock();
        let before = entries.slots.len();
        match change {
            Change::Put(name, meta) => entries.put(name.clone(), meta.clone()),
            Change::Remove(name) => entries.remove(name),
            Change::Update(name, f) => {
                if let Some(at) = entries.find(name.as_bytes()) {
                    let slot = &mut entries.slots[at];
                    let before = slot.entry.meta.mtime;
                    f(&mut slot.entry.meta);
                    if slot.entry.meta.mtime != before {
                        entries.asked_for_is_old(at);
                    }
                }
            }
        }
        entries.slots.len() - before
    }

    /// Closes the gaps if there are many; tells how many places that saves. Only while nobody walks along the places.
    pub(super) fn compact(&self) -> usize {
        let mut entries = self.entries.lock();
        let gone = entries.gone;
        if gone < MOST_GAPS || gone * 2 < entries.slots.len() {
            return 0;
        }
        entries.slots.retain(|slot| !slot.gone);
        entries.index = entries.slots.iter().enumerate().map(|(at, slot)| (slot.entry.name.clone(), at)).collect();
        entries.gone = 0;
        entries.by_name = None;
        gone
    }

    /// All places, also empty ones, in the order of their names; None where there are too many to be sorted for that.
    pub(crate) fn by_name(&self) -> Option<Arc<[usize]>> {
        let mut entries = self.entries.lock();
        let Entries { slots, by_name, .. } = &mut *entries;
        if slots.len() > MOST_SORTED {
            return None;
        }
        if let Some(order) = by_name.as_ref().filter(|order| order.len() == slots.len()) {
            return Some(Arc::clone(order));
        }
        let mut order: Vec<_> = (0..slots.len()).collect();
        order.sort_unstable_by(|a, b| slots[*a].entry.name.cmp(&slots[*b].entry.name));
        let order: Arc<[usize]> = order.into();
        *by_name = Some(Arc::clone(&order));
        Some(order)
    }

    /// Where the place `at` stands in the order of names.
    pub(crate) fn rank(&self, at: usize) -> Option<usize> {
        let order = self.by_name()?;
        let entries = self.entries.lock();
        let name = &entries.slots.get(at)?.entry.name;
        order.binary_search_by(|place| entries.slots.get(*place).map(|slot| &slot.entry.name).cmp(&Some(name))).ok()
    }

    /// Whether somebody has asked for exact times here and those of some entries in `range` are still missing.
    pub(crate) fn wants_times(&self, range: Range<usize>) -> bool {
        let entries = self.entries.lock();
        let end = range.end.min(entries.slots.len());
        entries.asked > 0 && range.start < end && entries.slots[range.start..end].iter().any(Slot::wants_time)
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
            let batch = {
                let mut entries = self.entries.lock();
                if !entries.slots.get(at).is_some_and(Slot::wants_time) {
                    return Ok(());
                }
                if entries.asking { None } else { Some(entries.next_asked(at, more)) }
            };
            let Some((places, names)) = batch else {
                if !self.gate.wait(seen, deadline) {
                    return Err(ErrorKind::TimedOut.into());
                }
                continue;
            };
            let _asking = Asking(self);
            let times = remote.times(dir, &names, deadline)?;
            let mut entries = self.entries.lock();
            for ((at, turn), time) in places.into_iter().zip(times) {
                let slot = &mut entries.slots[at];
                // What has changed meanwhile is told by whoever changed it.
                if slot.turn == turn && slot.time.replace(time).is_none() {
                    entries.asked += 1;
                }
            }
            return Ok(());
        }
    }

    /// Where the link `name` leads; asks the server once for the whole directory if the listing did not say.
    pub(crate) fn link(
        &self,
        remote: &dyn Remote,
        dir: &RemotePath,
        name: &Name,
        deadline: Deadline,
    ) -> Result<Option<Arc<[u8]>>> {
        {
            let entries = self.entries.lock();
            let at = entries.find(name.as_bytes()).ok_or(ErrorKind::NotFound)?;
            if let Kind::Symlink { target: Some(target) } = &entries.slots[at].entry.meta.kind {
                return Ok(Some(Arc::clone(target)));
            }
            if let Some(links) = &entries.links {
                return Ok(links.get(name).cloned());
            }
        }
        let mut links = HashMap::new();
        remote.links(dir, deadline, &mut |name, target| {
            links.insert(name, target.into());
        })?;
        let target = links.get(name).cloned();
        self.entries.lock().links = Some(links);
        Ok(target)
    }
}

impl Entries {
    fn find(&self, name: &[u8]) -> Option<usize> {
        self.index.get(name).copied().filter(|&at| !self.slots[at].gone)
    }

    fn put(&mut self, name: Name, meta: Meta) {
        // The answer about links is of an earlier time.
        self.links = self.links.take().filter(|_| !matches!(meta.kind, Kind::Symlink { .. }));
        if let Some(&at) = self.index.get(&name) {
            self.asked_for_is_old(at);
            let slot = &mut self.slots[at];
            slot.entry.meta = meta;
            self.gone -= usize::from(std::mem::take(&mut slot.gone));
            return;
        }
        self.index.insert(name.clone(), self.slots.len());
        self.slots.push(Slot { entry: Entry { name, meta }, gone: false, time: None, turn: 0 });
    }

    fn remove(&mut self, name: &Name) {
        if let Some(at) = self.find(name.as_bytes()) {
            self.asked_for_is_old(at);
            self.slots[at].gone = true;
            self.gone += 1;
        }
    }

    /// What was or is being asked about the entry at `at` is true no longer.
    fn asked_for_is_old(&mut self, at: usize) {
        let slot = &mut self.slots[at];
        slot.turn = slot.turn.wrapping_add(1);
        self.asked -= usize::from(slot.time.take().is_some());
    }

    /// From `at` on, those to be asked about next: places with their turns, and names. Somebody is asking from now on.
    fn next_asked(&mut self, at: usize, more: usize) -> (Vec<(usize, u32)>, Vec<Name>) {
        self.asking = true;
        // Who has asked for many asks for all: `ls -l`, and not `stat` of one file.
        let count = (1 + more).max(self.asked.min(MOST_TIMES));
        let rest = self.slots.iter().enumerate().skip(at);
        let wanted = rest.filter(|(_, slot)| slot.wants_time()).take(count);
        wanted.map(|(at, slot)| ((at, slot.turn), slot.entry.name.clone())).unzip()
    }
}

impl Slot {
    fn meta(&self) -> (Meta, bool) {
        let mut meta = self.entry.meta.clone();
        if !self.is_vague() {
            return (meta, true);
        }
        if let Some(Some(exact)) = self.time {
            meta.mtime = Some(exact);
        }
        (meta, self.time.is_some())
    }

    /// Only files have exact times: `MDTM` of a directory is refused everywhere.
    fn is_vague(&self) -> bool {
        let meta = &self.entry.meta;
        meta.kind == Kind::File && meta.mtime.is_none_or(|t| t.precision != Precision::Second)
    }

    fn wants_time(&self) -> bool {
        !self.gone && self.time.is_none() && self.is_vague()
    }
}

/// Says on drop, also after an error, that nobody asks any more.
struct Asking<'a>(&'a Listing);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.entries.lock().asking = false;
        self.0.gate.open();
    }
}

/// Exact times asked for at once, at most: a fraction of a second's work for a server.
const MOST_TIMES: usize = 1024;

/// Places that are sorted by name at most.
const MOST_SORTED: usize = 20_000;

/// Empty places that are not worth the work of closing them.
const MOST_GAPS: usize = 1000;
