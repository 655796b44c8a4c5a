//! Directories ahead: who walks through a tree finds the next directories listed already.
//!
//! A walk is recognised when a few directories are opened one after the other, each in or beside one of the last. From
//! then on the directories that come next in the order of the listings, deeper ones first, are listed on connections that
//! nobody needs; each further directory that is opened moves the plan on, and a walk that stops is forgotten. Only
//! directories that the kernel knows are listed: it has been told of all that a program has seen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::debug;

use crate::base::Deadline;
use crate::remote::Kind;
use crate::vfs::dir::Listing;
use crate::vfs::node::Ino;
use crate::vfs::ops::Vfs;

/// What is known of the walks that programs make.
#[derive(Default)]
pub(super) struct Walk {
    /// Directories that were opened last and what they lie in, the latest at the end.
    opened: VecDeque<(Ino, Ino)>,
    /// How many of them in a row lay in or beside another one.
    steps: u32,
    /// When that was so last.
    latest: Option<Instant>,
    /// What comes next, nearest first.
    wanted: VecDeque<Ino>,
    /// Listings under way.
    running: usize,
    /// What could not be listed ahead is left to those who ask.
    failed: VecDeque<Ino>,
}

impl Walk {
    /// `dir`, which lies in `parent`, has been opened; whether that is a step of a walk.
    fn step(&mut self, dir: Ino, parent: Ino, now: Instant) -> bool {
        let fresh = self.latest.is_none_or(|at| now.duration_since(at) < STOPPED);
        let again = self.opened.iter().any(|(known, _)| *known == dir);
        let near = self.opened.iter().any(|(known, above)| *known == parent || *above == parent);
        if !again {
            self.steps = if near && fresh { self.steps + 1 } else { 0 };
        }
        self.opened.retain(|(known, _)| *known != dir);
        self.opened.push_back((dir, parent));
        if self.opened.len() > REMEMBERED {
            self.opened.pop_front();
        }
        self.latest = Some(now);
        self.steps >= A_WALK
    }

    /// The next one to be listed, unless the walk has stopped.
    fn next(&mut self, spare: impl FnOnce(usize) -> bool, now: Instant) -> Option<Ino> {
        if self.latest.is_none_or(|at| now.duration_since(at) >= STOPPED) {
            self.wanted.clear();
        }
        if self.wanted.is_empty() || self.running >= MOST_AT_ONCE || !spare(self.running) {
            return None;
        }
        let next = self.wanted.pop_front()?;
        self.running += 1;
        Some(next)
    }
}

impl Vfs {
    /// A program has opened the directory `dir`, which holds what `listing` says.
    pub(in crate::vfs) fn walked(self: &Arc<Self>, dir: Ino, listing: &Listing) {
        if self.dir_ttl < SHORTEST {
            return;
        }
        let parent = self.nodes.parent(dir);
        if !self.ahead.walk.lock().step(dir, parent, Instant::now()) {
            return;
        }
        let mut wanted = VecDeque::new();
        self.subdirs(dir, listing, 0, &mut wanted);
        // Then what comes behind it, and behind all that it lies in.
        let mut at = dir;
        while wanted.len() < MOST_WANTED
            && at != Ino::ROOT
            && let Some((above, name)) = self.nodes.place(at)
        {
            if let Some(listing) = self.dirs.get(above, self.dir_ttl)
                && let Some(place) = listing.find(name.as_bytes())
            {
                self.subdirs(above, &listing, place + 1, &mut wanted);
            }
            at = above;
        }
        {
            let mut walk = self.ahead.walk.lock();
            wanted.retain(|dir| !walk.failed.contains(dir));
            walk.wanted = wanted;
        }
        self.list_ahead();
    }

    /// The subdirectories of `dir` from place `from` on that nobody has listed yet.
    fn subdirs(&self, dir: Ino, listing: &Listing, from: usize, wanted: &mut VecDeque<Ino>) {
        for at in from..listing.len() {
            if wanted.len() >= MOST_WANTED {
                return;
            }
            let Some((name, meta, _)) = listing.entry(at) else { continue };
            if meta.kind != Kind::Dir {
                continue;
            }
            let Some(ino) = self.nodes.find(dir, &name) else { continue };
            // Young enough to be so still when the program comes.
            if self.dirs.get(ino, self.dir_ttl / 2).is_none() && !self.dirs.is_loading(ino) {
                wanted.push_back(ino);
            }
        }
    }

    /// Lists what is wanted, as far as there are connections that nobody needs.
    fn list_ahead(self: &Arc<Self>) {
        loop {
            let next = self.ahead.walk.lock().next(|running| self.remote.has_spare(running), Instant::now());
            let Some(dir) = next else { return };
            let vfs = Arc::clone(self);
            self.walkers.run(move || {
                let path = vfs.nodes.path(dir);
                let listed =
                    path.as_ref().map(|path| vfs.listing(dir, path, vfs.dir_ttl / 2, Deadline::after(vfs.timeout)));
                {
                    let mut walk = vfs.ahead.walk.lock();
                    walk.running -= 1;
                    if let (Some(Err(e)), Some(path)) = (listed, path) {
                        debug!("{path}: cannot be listed ahead: {e}");
                        walk.failed.push_back(dir);
                        if walk.failed.len() > REMEMBERED {
                            walk.failed.pop_front();
                        }
                    }
                }
                vfs.list_ahead();
            });
        }
    }
}

/// Directories opened one after the other that make a walk.
const A_WALK: u32 = 2;

/// Directories among which a step is looked for: as deep as trees are.
const REMEMBERED: usize = 64;

/// A walk that has not gone on for so long has stopped.
const STOPPED: Duration = Duration::from_secs(2);

/// Where listings are believed for less than this, they would be too old when somebody comes.
const SHORTEST: Duration = Duration::from_secs(1);

/// Directories that are planned for.
const MOST_WANTED: usize = 32;

/// Listings ahead at once.
pub(in crate::vfs) const MOST_AT_ONCE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_directories_in_and_beside_each_other() {
        let (mut walk, now) = (Walk::default(), Instant::now());
        let [top, a, b, c, other] = [2, 3, 4, 5, 9].map(Ino);
        assert!(!walk.step(top, Ino::ROOT, now));
        assert!(!walk.step(a, top, now));
        assert!(walk.step(b, top, now), "beside the last one");
        assert!(walk.step(b, top, now), "once more the same");
        assert!(walk.step(c, b, now), "in the last one");
        assert!(!walk.step(other, Ino(8), now), "somewhere else");
        assert!(!walk.step(a, top, now), "one is no walk");
    }

    /// The directory that they all lie in is long forgotten then.
    #[test]
    fn a_walk_through_a_thousand_siblings_does_not_end() {
        let (mut walk, now) = (Walk::default(), Instant::now());
        walk.step(Ino(2), Ino::ROOT, now);
        walk.step(Ino(10), Ino(2), now);
        assert!((11..1010).all(|n| walk.step(Ino(n), Ino(2), now)));
    }

    #[test]
    fn a_walk_that_has_stopped_is_not_gone_on_with() {
        let (mut walk, now) = (Walk::default(), Instant::now());
        let later = now + STOPPED;
        for n in 2..9 {
            walk.step(Ino(n), Ino(n - 1), now);
        }
        walk.wanted.extend([Ino(20), Ino(21)]);
        assert_eq!(walk.next(|_| false, now), None, "somebody needs the connections");
        assert_eq!(walk.next(|running| running == 0, now), Some(Ino(20)));
        assert_eq!(walk.next(|_| true, later), None);
        assert!(!walk.step(Ino(9), Ino(8), later));
    }
}
