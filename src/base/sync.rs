//! Mutexes that know their rank.
//!
//! A thread may take a lock only above every lock that it holds already. Debug builds check this at each `lock`,
//! and [`assert_unlocked`] checks at the sockets that no lock is held across a wait. Release builds check nothing.
//!
//! | rank | lock |
//! |---|---|
//! | 8, 9 | files being written, directories that take files |
//! | 10 | a file's reader, a file's writer |
//! | 20-25 | directories, loads in progress, one listing |
//! | 30 | the node table |
//! | 35, 36 | times, modes and links still to be sent or looked at |
//! | 40-42 | the handle table, one handle |
//! | 43-49 | closed files that wait for the server |
//! | 50 | block cache, journal |
//! | 51 | disk cache: what has changed, when it rests |
//! | 52-54 | spool: name, pages, saved files |
//! | 55 | spare buffers |
//! | 60-66 | connection pool, worker queues, small things of one request |
//! | 70 | what was learned of the server |

use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};

/// A mutex of rank `RANK`.
#[derive(Debug, Default)]
pub struct Ranked<T, const RANK: u8>(Mutex<T>);

impl<T, const RANK: u8> Ranked<T, RANK> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Locks.
    ///
    /// # Panics
    /// In debug builds, if this thread already holds a lock of this rank or a higher one.
    pub fn lock(&self) -> RankedGuard<'_, T> {
        held::push(RANK);
        RankedGuard { guard: self.0.lock(), rank: RANK }
    }
}

/// The lock is held as long as this lives.
#[derive(Debug)]
pub struct RankedGuard<'a, T> {
    guard: MutexGuard<'a, T>,
    rank: u8,
}

impl<T> Deref for RankedGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for RankedGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for RankedGuard<'_, T> {
    fn drop(&mut self) {
        held::pop(self.rank);
    }
}

/// Debug builds panic if the calling thread holds a ranked lock: called before every wait for a socket.
pub fn assert_unlocked() {
    held::assert_none();
}

#[cfg(debug_assertions)]
mod held {
    use std::cell::RefCell;

    thread_local! {
        static RANKS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn push(rank: u8) {
        RANKS.with_borrow_mut(|held| {
            if let Some(&top) = held.iter().max() {
                assert!(rank > top, "lock of rank {rank} taken below rank {top}");
            }
            held.push(rank);
        });
    }

    pub(super) fn pop(rank: u8) {
        RANKS.with_borrow_mut(|held| {
            if let Some(at) = held.iter().rposition(|&r| r == rank) {
                held.remove(at);
            }
        });
    }

    pub(super) fn assert_none() {
        RANKS.with_borrow(|held| assert!(held.is_empty(), "a socket wait while locks {held:?} are held"));
    }
}

#[cfg(not(debug_assertions))]
mod held {
    pub(super) fn push(_: u8) {}
    pub(super) fn pop(_: u8) {}
    pub(super) fn assert_none() {}
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn upwards_is_fine() {
        let (a, b) = (Ranked::<_, 10>::new(1), Ranked::<_, 20>::new(2));
        let x = a.lock();
        let y = b.lock();
        drop(x);
        drop(y);
        drop(a.lock());
        assert_unlocked();
    }

    #[test]
    #[should_panic(expected = "rank 10 taken below rank 20")]
    fn downwards_panics() {
        let (a, b) = (Ranked::<_, 10>::new(1), Ranked::<_, 20>::new(2));
        let _y = b.lock();
        let _x = a.lock();
    }

    #[test]
    #[should_panic(expected = "a socket wait while locks [10]")]
    fn waiting_with_a_lock_panics() {
        let a = Ranked::<_, 10>::new(1);
        let _x = a.lock();
        assert_unlocked();
    }
}
