//! Sets of bytes, kept as ranges.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of numbers, kept as sorted half-open ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// The end of each range, by its start.
    ends: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { ends: BTreeMap::new() }
    }

    /// Adds all of `range`.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        if let Some((&first, &reach)) = self.ends.range(..=start).next_back()
            && reach >= start
        {
            start = first;
        }
        while let Some((&next, &reach)) = self.ends.range(start..=end).next() {
            self.ends.remove(&next);
            end = end.max(reach);
        }
        self.ends.insert(start, end);
    }

    /// Takes all of `range` out.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if let Some((&first, &reach)) = self.ends.range(..range.start).next_back()
            && reach > range.start
        {
            self.ends.insert(first, range.start);
            if reach > range.end {
                self.ends.insert(range.end, reach);
            }
        }
        while let Some((&next, &reach)) = self.ends.range(range.clone()).next() {
            self.ends.remove(&next);
            if reach > range.end {
                self.ends.insert(range.end, reach);
            }
        }
    }

    /// Takes out everything from `len` on.
    pub fn truncate(&mut self, len: u64) {
        self.ends.split_off(&len);
        if let Some(mut last) = self.ends.last_entry() {
            let end = len.min(*last.get());
            last.insert(end);
        }
    }

    /// Whether all of `range` is in the set; an empty range is.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.reach(range.start) >= range.end
    }

    /// The end of the range that holds `at`; `at` itself where it is not in the set.
    pub fn reach(&self, at: u64) -> u64 {
        self.ends.range(..=at).next_back().map_or(at, |(_, &reach)| reach.max(at))
    }

    /// What of `range` is missing, in order.
    pub fn gaps(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        for held in self.overlaps(range) {
            if at < held.start {
                gaps.push(at..held.start);
            }
            at = held.end;
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// What of `range` is in the set, in order.
    pub fn overlaps(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        if range.is_empty() {
            return Vec::new();
        }
        let before = self.ends.range(..range.start).next_back();
        let clipped = before.into_iter().chain(self.ends.range(range.clone()));
        clipped.map(|(&s, &e)| s.max(range.start)..e.min(range.end)).filter(|r| !r.is_empty()).collect()
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many numbers are in the set.
    pub fn bytes(&self) -> u64 {
        self.iter().map(|r| r.end - r.start).sum()
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + '_ {
        self.ends.iter().map(|(&start, &end)| start..end)
    }

    /// Takes out everything.
    pub fn clear(&mut self) {
        self.ends.clear();
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const END: u64 = 64;

    fn any_range() -> impl Strategy<Value = Range<u64>> {
        // Also empty ones and such as end before they start.
        (0..END, 0..END).prop_map(|(a, b)| a..b)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Range<u64>),
        Remove(Range<u64>),
        Truncate(u64),
        Clear,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => any_range().prop_map(Step::Insert),
            6 => any_range().prop_map(Step::Remove),
            2 => (0..END).prop_map(Step::Truncate),
            1 => Just(Step::Clear),
        ]
    }

    fn bytes_of(ranges: &[Range<u64>]) -> Vec<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec(any_step(), 0..40), ask in any_range()) {
            let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(r) => { model.extend(r.clone()); set.insert(r); }
                    Step::Remove(r) => { model.retain(|b| !r.contains(b)); set.remove(r); }
                    Step::Truncate(len) => { model.retain(|b| *b < len); set.truncate(len); }
                    Step::Clear => { model.clear(); set.clear(); }
                }
                let ranges: Vec<_> = set.iter().collect();
                prop_assert_eq!(bytes_of(&ranges), model.iter().copied().collect::<Vec<_>>());
                prop_assert!(ranges.iter().all(|r| !r.is_empty()));
                prop_assert!(ranges.windows(2).all(|w| w[0].end < w[1].start), "{ranges:?} touch");
            }
            prop_assert_eq!(set.bytes(), model.len() as u64);
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(set.contains(&ask), ask.clone().all(|b| model.contains(&b)));
            let (have, lack): (Vec<_>, Vec<_>) = ask.clone().partition(|b| model.contains(b));
            prop_assert_eq!(bytes_of(&set.overlaps(&ask)), have);
            prop_assert_eq!(bytes_of(&set.gaps(&ask)), lack);
            let reach = (ask.start..).find(|b| !model.contains(b));
            prop_assert_eq!(Some(set.reach(ask.start)), reach);
        }
    }

    #[test]
    fn the_last_numbers_are_no_exception() {
        let mut set = RangeSet::new();
        set.insert(u64::MAX - 1..u64::MAX);
        set.insert(0..1);
        assert!(set.gaps(&(0..u64::MAX)).into_iter().eq(std::iter::once(1..u64::MAX - 1)));
        set.insert(1..u64::MAX);
        assert_eq!(set.bytes(), u64::MAX);
        set.remove(5..u64::MAX);
        assert!(set.iter().eq(std::iter::once(0..5)));
    }
}
