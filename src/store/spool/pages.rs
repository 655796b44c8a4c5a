//! What a spool file costs: the pages that it has on the disk, while writes and frees run side by side.
//!
//! Pure. The rule: a page is charged from before the write that makes it until after the call that frees it, so what is
//! charged is never less than what is there.

use std::ops::Range;

use crate::base::RangeSet;

/// The unit of the account: what filesystems of Linux give out at least.
pub(super) const PAGE: u64 = 4096;

/// The pages of one file. All ranges are bytes, rounded to pages by [`touched`] and [`within`].
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// What is on the disk.
    settled: RangeSet,
    /// Writes that have begun.
    writing: Vec<(Claim, Range<u64>)>,
    /// How many frees have begun.
    freeing: usize,
    /// Writes that have ended since the first of these frees began: that free may have come before them.
    rewritten: RangeSet,
    claims: u64,
}

/// A write that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim(u64);

impl Pages {
    /// A file that has `pages` already.
    pub(super) fn of(pages: RangeSet) -> Self {
        Self { settled: pages, ..Self::default() }
    }

    /// How many bytes a write to `pages` would add.
    pub(super) fn cost(&self, pages: &Range<u64>) -> u64 {
        self.uncharged(pages)
    }

    /// Charges for a write to `pages`.
    pub(super) fn begin_write(&mut self, pages: Range<u64>) -> Claim {
        self.claims += 1;
        self.writing.push((Claim(self.claims), pages));
        Claim(self.claims)
    }

    /// The write has put something on the pages `written`; tells how many bytes it has not used after all.
    pub(super) fn end_write(&mut self, claim: Claim, written: Range<u64>) -> u64 {
        let Some(at) = self.writing.iter().position(|(c, _)| *c == claim) else { return 0 };
        let (_, claimed) = self.writing.swap_remove(at);
        self.settled.insert(written.clone());
        if self.freeing > 0 {
            self.rewritten.insert(written);
        }
        self.uncharged(&claimed)
    }

    /// A call that frees pages begins.
    pub(super) fn begin_free(&mut self) {
        self.freeing += 1;
    }

    /// The call has freed `pages` (an empty range if it failed); tells how many bytes that gives back.
    pub(super) fn end_free(&mut self, pages: &Range<u64>) -> u64 {
        let before = self.settled.overlaps(pages);
        let mut freed: RangeSet = before.into_iter().collect();
        for (_, busy) in &self.writing {
            freed.remove(busy.clone());
        }
        for fresh in self.rewritten.overlaps(pages) {
            freed.remove(fresh);
        }
        for range in freed.iter() {
            self.settled.remove(range);
        }
        self.freeing -= 1;
        if self.freeing == 0 {
            self.rewritten.clear();
        }
        freed.bytes()
    }

    /// What is charged now.
    pub(super) fn charged(&self) -> u64 {
        let mut all: RangeSet = self.writing.iter().map(|(_, pages)| pages.clone()).collect();
        for range in self.settled.iter() {
            all.remove(range);
        }
        self.settled.bytes() + all.bytes()
    }

    fn uncharged(&self, pages: &Range<u64>) -> u64 {
        let mut free: RangeSet = self.settled.gaps(pages).into_iter().collect();
        for (_, busy) in &self.writing {
            free.remove(busy.clone());
        }
        free.bytes()
    }
}

/// The pages that hold a byte of `range`.
pub(super) fn touched(range: &Range<u64>) -> Range<u64> {
    if range.is_empty() {
        return 0..0;
    }
    range.start / PAGE * PAGE..range.end.div_ceil(PAGE).saturating_mul(PAGE)
}

/// The pages that hold no byte outside `range`.
pub(super) fn within(range: &Range<u64>) -> Range<u64> {
    let (start, end) = (range.start.div_ceil(PAGE).saturating_mul(PAGE), range.end / PAGE * PAGE);
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        /// Begins a write that will get that many pages done.
        BeginWrite(Range<u64>, u64),
        BeginFree(Range<u64>),
        /// The file changes, some time between begin and end.
        Act(prop::sample::Index),
        /// The call returns; the free may have failed if it has not acted.
        End(prop::sample::Index, bool),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let pages = || (0..16_u64, 1..8_u64).prop_map(|(at, len)| at * PAGE..(at + len) * PAGE);
        prop_oneof![
            (pages(), 0..8_u64).prop_map(|(range, n)| Step::BeginWrite(range, n)),
            pages().prop_map(Step::BeginFree),
            any::<prop::sample::Index>().prop_map(Step::Act),
            (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(i, ok)| Step::End(i, ok)),
        ]
    }

    /// A system call under way.
    struct Call {
        /// Of a write; None for a free.
        claim: Option<Claim>,
        range: Range<u64>,
        acted: bool,
    }

    impl Call {
        fn act(&mut self, file: &mut RangeSet) {
            match self.claim {
                _ if self.acted => {}
                Some(_) => file.insert(self.range.clone()),
                None => file.remove(self.range.clone()),
            }
            self.acted = true;
        }
    }

    proptest! {
        #[test]
        fn what_is_there_is_charged(steps in prop::collection::vec(any_step(), 0..60)) {
            let (mut pages, mut used, mut file) = (Pages::default(), 0, RangeSet::new());
            let mut calls: Vec<Call> = Vec::new();
            for step in steps {
                match step {
                    Step::BeginWrite(range, n) => {
                        used += pages.cost(&range);
                        let claim = Some(pages.begin_write(range.clone()));
                        let range = range.start..range.end.min(range.start + n * PAGE);
                        calls.push(Call { claim, range, acted: false });
                    }
                    Step::BeginFree(range) => {
                        pages.begin_free();
                        calls.push(Call { claim: None, range, acted: false });
                    }
                    Step::Act(which) if !calls.is_empty() => {
                        let which = which.index(calls.len());
                        calls[which].act(&mut file);
                    }
                    Step::End(which, ok) if !calls.is_empty() => {
                        let mut call = calls.swap_remove(which.index(calls.len()));
                        let failed = call.claim.is_none() && !call.acted && !ok;
                        if !failed {
                            call.act(&mut file);
                        }
                        used -= match call.claim {
                            Some(claim) => pages.end_write(claim, call.range),
                            None => pages.end_free(&if failed { 0..0 } else { call.range }),
                        };
                    }
                    Step::Act(_) | Step::End(..) => {}
                }
                prop_assert_eq!(used, pages.charged());
                prop_assert!(file.iter().all(|r| pages.cost(&r) == 0), "{:?} is not within {:?}", file, pages);
            }
        }

        #[test]
        fn one_after_the_other_is_exact(calls in prop::collection::vec((0..16_u64, 0..8_u64, any::<bool>()), 0..40)) {
            let (mut pages, mut file) = (Pages::default(), RangeSet::new());
            for (at, n, write) in calls {
                let range = at * PAGE..(at + n) * PAGE;
                if write {
                    let claim = pages.begin_write(range.clone());
                    pages.end_write(claim, range.clone());
                    file.insert(range);
                } else {
                    pages.begin_free();
                    pages.end_free(&range);
                    file.remove(range);
                }
                prop_assert_eq!(pages.charged(), file.bytes());
            }
        }

        #[test]
        fn rounding_covers_and_fits(start in 0..20_000_u64, len in 0..20_000_u64) {
            let range = start..start + len;
            let (out, inner) = (touched(&range), within(&range));
            prop_assert!(range.is_empty() || out.start <= start && out.end >= range.end && out.end - out.start < len + 2 * PAGE);
            prop_assert!(inner.is_empty() || inner.start >= start && inner.end <= range.end && len < inner.end - inner.start + 2 * PAGE);
            for end in [out.start, out.end, inner.start, inner.end] {
                prop_assert_eq!(end % PAGE, 0);
            }
        }
    }
}
