//! What a file that is being written looks like, byte by byte: which bytes the spool has, which are still the server's old
//! ones, which are zeros, and from where on the server does not have them. Pure: no disk, no network.

use std::ops::Range;

use crate::base::RangeSet;

/// The shape of a file between this machine and the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Bytes of the file as programs see it.
    pub(super) len: u64,
    /// What the spool holds.
    pub(super) present: RangeSet,
    /// Below this, bytes that the spool has not are those of the server's content; above, they are zeros. Never more than
    /// `len`.
    pub(super) old: u64,
    /// Everything from here on may differ from the server's file; None where nothing does.
    pub(super) dirty: Option<u64>,
    /// Bytes of the server's file, as it was last heard of; None where there is none that counts.
    pub(super) stored: Option<u64>,
    /// The server has content that must not be lost before there is new one.
    pub(super) precious: bool,
    /// The spool has given up its copy of what lies below this, to make room: only the server has it.
    pub(super) punched: u64,
}

impl Shape {
    /// A file of `len` bytes, all of them on the server.
    pub(super) fn of_old(len: u64) -> Self {
        Self { len, old: len, stored: Some(len), precious: len > 0, ..Self::default() }
    }

    /// A file of `len` bytes, all of them here; whatever the server has must not be lost before it has them.
    pub(super) fn of_spool(len: u64) -> Self {
        let mut shape = Self { len, precious: true, ..Self::default() };
        shape.present.insert(0..len);
        shape
    }

    /// Takes note of bytes that have been written to the spool.
    pub(super) fn wrote(&mut self, range: &Range<u64>) {
        self.touch(range.start.min(self.len));
        self.len = self.len.max(range.end);
        self.present.insert(range.clone());
    }

    /// Whether it is what a file is that nobody has written to.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0 && self.punched == 0 && self.present.is_empty()
    }

    /// The file is the first `len` bytes of what the server has.
    pub(super) fn show(&mut self, len: u64) {
        let stored = self.stored.unwrap_or(0);
        (self.len, self.old, self.dirty) = (len, len, (len < stored).then_some(len));
    }

    /// Whether it is the first `len` bytes of `stored` that the server has, and nothing else.
    pub(super) fn shows(&self, len: u64, stored: u64) -> bool {
        let cut = self.dirty == Some(len) && (self.len, self.old) == (len, len);
        cut && self.stored == Some(stored) && self.punched == 0 && self.present.is_empty()
    }

    /// Takes note of old bytes that have been fetched.
    pub(super) fn fetched(&mut self, range: &Range<u64>) {
        self.present.insert(range.clone());
    }

    /// The file is `len` bytes long from now on.
    pub(super) fn resize(&mut self, len: u64) {
        if len == self.len {
            return;
        }
        self.touch(len.min(self.len));
        self.len = len;
        self.old = self.old.min(len);
        self.punched = self.punched.min(len);
        self.present.truncate(len);
    }

    fn touch(&mut self, at: u64) {
        self.dirty = Some(self.dirty.map_or(at, |dirty| dirty.min(at)));
    }

    /// The parts of `range` that have to be fetched from the server before the spool can stand for them.
    pub(super) fn missing(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let within = range.start..range.end.min(self.old);
        if within.start >= within.end { Vec::new() } else { self.present.gaps(&within) }
    }

    /// Whether every byte is here or is known to be zero.
    pub(super) fn is_whole(&self) -> bool {
        self.punched == 0 && self.missing(&(0..self.len)).is_empty()
    }

    /// How far a transfer that has sent everything below `sent` can go on: bytes that have been written in one piece. What
    /// was left out on purpose may still be written, so that holes are not sent before the end.
    pub(super) fn ready(&self, sent: u64) -> u64 {
        self.present.reach(sent).min(self.len)
    }

    /// Where an append may begin: everything before it is on the server and unchanged.
    pub(super) fn tail(&self) -> Option<u64> {
        let (dirty, stored) = (self.dirty?, self.stored?);
        (stored > 0 && dirty >= stored && self.len > stored).then_some(stored)
    }

    /// Whether the server's file is the first part of this one, and has the first `len` bytes.
    pub(super) fn covers(&self, len: u64) -> bool {
        self.stored.is_some_and(|stored| stored >= len && self.len >= stored && self.dirty.is_none_or(|d| d >= stored))
    }

    /// What the server has and the spool needs no copy of; None where that is nothing.
    pub(super) fn stored_part(&self) -> Option<Range<u64>> {
        let until = self.stored.filter(|stored| *stored > 0 && self.covers(*stored) && self.punched == 0)?;
        self.present.overlaps(&(0..until)).into_iter().next().map(|_| 0..until)
    }

    /// The spool has given up everything below `until`, which the server has.
    pub(super) fn is_old_until(&mut self, until: u64) {
        self.present.remove(0..until);
        self.old = self.old.max(until);
    }

    /// The server has the first `sent` bytes, and nothing behind them. `overwritten` are those that have changed since
    /// they were sent.
    pub(super) fn landed(&mut self, sent: u64, overwritten: Option<u64>) {
        let behind = (self.len != sent).then_some(sent.min(self.len));
        self.dirty = match (behind, overwritten) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.stored = Some(sent);
        self.precious = sent > 0;
        if self.punched > 0 {
            self.present.remove(0..self.punched);
            self.old = self.old.max(self.punched);
            self.punched = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overwrite_needs_the_rest_of_the_old_file() {
        let mut shape = Shape::of_old(100);
        shape.wrote(&(10..20));
        assert_eq!((shape.len, shape.dirty, shape.tail()), (100, Some(10), None));
        assert_eq!(shape.missing(&(0..100)), [0..10, 20..100]);
        shape.fetched(&(0..10));
        shape.fetched(&(20..100));
        assert!(shape.is_whole());
    }

    #[test]
    fn what_is_cut_off_comes_back_as_zeros() {
        let mut shape = Shape::of_old(100);
        shape.resize(40);
        shape.resize(80);
        assert_eq!((shape.dirty, shape.old), (Some(40), 40));
        assert_eq!(shape.missing(&(0..80)), vec![0..40; 1]);
        assert_eq!(shape.tail(), None, "the server's file is longer than what is left of it");
    }

    #[test]
    fn an_append_begins_at_the_old_end() {
        let mut shape = Shape::of_old(100);
        shape.wrote(&(100..130));
        assert_eq!(shape.tail(), Some(100));
        shape.landed(130, None);
        assert_eq!((shape.dirty, shape.stored), (None, Some(130)));
        shape.wrote(&(140..150));
        assert_eq!(shape.tail(), Some(130), "with zeros in between");
        shape.wrote(&(129..131));
        assert_eq!(shape.tail(), None);
    }

    #[test]
    fn a_hole_is_not_sent_before_the_end() {
        let mut shape = Shape::default();
        shape.wrote(&(10..20));
        assert_eq!((shape.ready(0), shape.len), (0, 20));
        shape.wrote(&(0..10));
        assert_eq!(shape.ready(0), 20);
        assert_eq!(shape.ready(20), 20);
    }

    #[test]
    fn what_changes_behind_a_transfer_stays_to_be_stored() {
        let mut shape = Shape::default();
        shape.wrote(&(0..100));
        shape.landed(100, Some(7));
        assert_eq!(shape.dirty, Some(7));
        shape.resize(50);
        shape.landed(50, None);
        assert_eq!((shape.dirty, shape.tail()), (None, None));
    }

    #[test]
    fn a_copy_that_is_not_asked_for_in_full_is_a_file_that_was_cut() {
        let mut shape = Shape::of_old(100);
        shape.show(40);
        assert!(shape.shows(40, 100) && !shape.shows(40, 99) && !shape.shows(39, 100));
        assert_eq!((shape.len, shape.dirty, shape.tail()), (40, Some(40), None));
        assert_eq!(shape.missing(&(0..100)), vec![0..40; 1]);
        let mut written = shape.clone();
        written.wrote(&(40..50));
        assert!(!written.shows(40, 100) && !written.shows(50, 100));
        shape.show(100);
        assert_eq!((shape.len, shape.dirty, shape.is_whole()), (100, None, false));
    }

    #[test]
    fn an_empty_file_that_was_cut_is_stored_as_well() {
        let mut shape = Shape::of_old(10);
        shape.resize(0);
        assert_eq!((shape.dirty, shape.is_whole(), shape.tail()), (Some(0), true, None));
        shape.landed(0, None);
        assert_eq!(shape.dirty, None);
    }
}
