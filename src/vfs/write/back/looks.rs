//! What directories hold on the server, as far as that matters to many uploads at once.
//!
//! Before a change that is some seconds old is stored, the server is asked whether somebody else has put something in its
//! place. Where many files of one directory wait, one listing answers for all of them.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use lru::LruCache;

use super::store::TRUSTED;
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::remote::{Name, Remote, RemotePath};

/// Names in directories, none of them older than what is believed anyway.
#[derive(Default)]
pub(super) struct Looks {
    state: Ranked<State, 47>,
    /// Opened when a listing is there, or could not be had.
    gate: Gate,
}

struct State {
    seen: LruCache<RemotePath, Seen>,
    asking: HashSet<RemotePath>,
}

/// When a directory was listed, and what was in it; None where nobody could tell.
type Seen = (Instant, Option<Arc<HashSet<Vec<u8>>>>);

impl Looks {
    /// Whether the directory of `path` is known to hold no such name; false says nothing.
    pub(super) fn is_free(&self, remote: &dyn Remote, path: &RemotePath, deadline: Deadline) -> bool {
        let Some((dir, name)) = path.split() else { return false };
        // Listings may leave these out, and servers may take two names for one that differ in case alone.
        let Some(name) = plain(&name) else { return false };
        loop {
            let seen = self.gate.ticket();
            {
                let mut state = self.state.lock();
                if let Some((since, names)) = state.seen.get(&dir)
                    && since.elapsed() < TRUSTED
                {
                    return names.as_ref().is_some_and(|names| !names.contains(&name));
                }
                if state.asking.insert(dir.clone()) {
                    break;
                }
            }
            if !self.gate.wait(seen, deadline) && deadline.passed() {
                return false;
            }
        }
        let asking = Asking { looks: self, dir: &dir };
        let since = Instant::now();
        let names = list(remote, &dir, deadline).map(Arc::new);
        let free = names.as_ref().is_some_and(|names| !names.contains(&name));
        self.state.lock().seen.put(dir.clone(), (since, names));
        drop(asking);
        free
    }
}

impl Default for State {
    fn default() -> Self {
        Self { seen: LruCache::new(MOST_DIRS), asking: HashSet::new() }
    }
}

/// Somebody lists a directory; the others wait until this is dropped.
struct Asking<'a> {
    looks: &'a Looks,
    dir: &'a RemotePath,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.looks.state.lock().asking.remove(self.dir);
        self.looks.gate.open();
    }
}

/// All names in `dir`, in small letters; None where nobody can tell them all, or where there are too many.
fn list(remote: &dyn Remote, dir: &RemotePath, deadline: Deadline) -> Option<HashSet<Vec<u8>>> {
    let mut names = HashSet::new();
    let listed = remote.list(dir, deadline, &mut |entry| {
        names.insert(entry.name.as_bytes().to_ascii_lowercase());
        if names.len() > MOST_NAMES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    listed.ok().filter(|listed| listed.complete && names.len() <= MOST_NAMES).map(|_| names)
}

/// A name that no server hides, in small letters; None for any other.
fn plain(name: &Name) -> Option<Vec<u8>> {
    let name = name.as_bytes();
    (name.is_ascii() && !name.starts_with(b".")).then(|| name.to_ascii_lowercase())
}

/// Names of a directory that are kept.
const MOST_NAMES: usize = 20_000;

/// Directories that are remembered.
const MOST_DIRS: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

/// Files of one directory that are worth a listing of it.
pub(super) const WORTH_A_LISTING: usize = 4;
