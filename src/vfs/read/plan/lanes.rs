//! Several streams for one sequential reader: what it is going to want is cut into pieces, of which each brings one.

use std::ops::Range;

use super::{Asked, History, NEAR, Running, Step, up};
use crate::store::BLOCK;

/// Keeps as many streams ahead of the reader as may be. Each ends where the next one begins, the last one goes on.
pub(super) fn spread(history: &History, asked: Asked<'_>) -> Vec<Step> {
    let mut spread = Spread::new(asked);
    spread.stop(history);
    if let Some(missing) = asked.missing {
        spread.bring(missing);
    }
    if spread.new.is_empty() && !spread.go_on() {
        return spread.steps;
    }
    spread.begin()
}

/// The streams of a sequential reader while they are planned.
struct Spread<'a> {
    asked: Asked<'a>,
    /// Nothing is fetched from here on.
    end: u64,
    /// How long a piece is, once all are in their stride.
    piece: u64,
    /// The one that brings what is missing.
    serving: Option<Running>,
    /// Those that bring something that is still of use.
    lanes: Vec<Running>,
    /// Pieces for streams of their own.
    new: Vec<Range<u64>>,
    steps: Vec<Step>,
}

impl<'a> Spread<'a> {
    fn new(asked: Asked<'a>) -> Self {
        let Asked { ask, missing, running, size, terms } = asked;
        // As one lane ends after the other, about half of this is here at a time.
        let span = terms.window.saturating_mul(2);
        let end = up(ask.end.saturating_add(span)).min(size);
        // The only one goes on for ever.
        let piece = if terms.lanes > 1 { up(span / terms.lanes as u64).max(LEAST_PIECE) } else { size };
        let leading = |missing| running.iter().filter(move |r| r.leads_to(missing, false)).max_by_key(|r| r.at);
        let (serving, lanes) = (missing.and_then(leading).copied(), Vec::new());
        Self { asked, end, piece, serving, lanes, new: Vec::new(), steps: Vec::new() }
    }

    /// The piece from `at` on for the `nth` of the lanes. Those that begin together end one after the other, so that never all
    /// of them are in slow start; and towards the end of the file they get shorter, so that no one is left with the rest.
    fn cut(&self, at: u64, nth: usize) -> Range<u64> {
        let Asked { size, terms, .. } = self.asked;
        let lanes = terms.lanes as u64;
        let part = if lanes > 1 {
            (self.piece * nth as u64 / lanes).min(((size - at) / lanes).max(LEAST_TAIL))
        } else {
            self.piece
        };
        at..up(at.saturating_add(part.max(LEAST_PIECE))).min(self.end)
    }

    fn busy(&self) -> usize {
        self.lanes.iter().filter(|r| r.at < r.until).count()
    }

    /// Sorts out what is still of use.
    fn stop(&mut self, history: &History) {
        let Asked { ask, running, terms, .. } = self.asked;
        for r in running {
            // Not only within the window: that may be smaller for a moment.
            let ahead = r.until > ask.start && r.first < self.end.saturating_add(FAR_AHEAD);
            let idle = !r.needed && self.serving.is_none_or(|s| s.id != r.id);
            // One is enough, as it has turned out: the others would only keep what is waited for from coming.
            let barely = r.at.saturating_sub(r.first) < r.until.saturating_sub(r.at);
            let in_the_way = terms.narrow && terms.lanes == 1 && r.first >= ask.end && barely;
            if idle && (in_the_way || (!ahead && history.places == 0)) {
                self.steps.push(Step::Stop { id: r.id });
            } else if ahead {
                self.lanes.push(*r);
            }
        }
    }

    /// Sees to it that what is missing is on its way.
    fn bring(&mut self, missing: u64) {
        let Asked { ask, running, terms, .. } = self.asked;
        // Where one begins behind it, all that follows is taken care of; what is here is not fetched again either.
        let begin = |r: &Running| if r.first > missing { r.first } else { r.at };
        let next = self.lanes.iter().map(begin).chain(terms.present).filter(|at| *at > missing).min();
        match (self.serving, next) {
            (None, None) => {
                // Asks overtake one another: one that is still on its way may want what lies before this one.
                let covered = running.iter().map(|r| r.until).filter(|at| *at <= missing && missing - at <= NEAR).max();
                self.new.push(self.cut(covered.unwrap_or(missing), 1));
            }
            (None, Some(next)) => {
                let until = up(missing.saturating_add(self.piece)).min(self.end).min(next);
                self.steps.push(Step::Start { from: missing, until, sealed: true });
                self.lanes.push(Running::new(0, missing..until, true));
            }
            // It ends, or waits, before that.
            (Some(serving), next) if serving.until <= missing => {
                let until = up(ask.end).min(self.end).min(next.unwrap_or(u64::MAX));
                self.steps.push(Step::Extend { id: serving.id, until });
                let sealed = next == Some(until);
                if sealed {
                    self.steps.push(Step::Seal { id: serving.id });
                }
                self.lanes.retain(|r| r.id != serving.id);
                self.lanes.push(Running { until, sealed, ..serving });
            }
            (Some(_), _) => {}
        }
    }

    /// Lets the last one go on, or another one behind it; false where there is none.
    fn go_on(&mut self) -> bool {
        let Asked { ask, size, terms, .. } = self.asked;
        let Some(last) = self.lanes.iter().max_by_key(|r| r.until).copied() else { return false };
        let mut until = last.until.max(terms.reach);
        let busy = self.busy();
        // With more of them than there may be, the first ones are to end first.
        if !last.sealed && busy <= terms.lanes && until == last.until {
            let goal = self.cut(last.first, busy.max(1)).end.max(up(ask.end)).min(self.end);
            let worth_waking = goal - until.min(goal) >= LEAST_STEP || goal == size;
            if goal > until && (worth_waking || until < ask.end.saturating_add(LEAST_STEP)) {
                self.steps.push(Step::Extend { id: last.id, until: goal });
                until = goal;
            }
        }
        if busy < terms.lanes && self.is_worth_it(until) {
            if !last.sealed {
                self.steps.push(Step::Seal { id: last.id });
            }
            self.new.push(self.cut(until, terms.lanes));
        }
        true
    }

    /// Begins all that is new, and more behind it as far as there may be.
    fn begin(mut self) -> Vec<Step> {
        let busy = self.busy();
        while let Some(last) = self.new.last().cloned()
            && busy + self.new.len() < self.asked.terms.lanes
            && self.is_worth_it(last.end)
        {
            self.new.push(self.cut(last.end, busy + self.new.len() + 1));
        }
        let count = self.new.len();
        let starts = self.new.into_iter().enumerate();
        self.steps.extend(starts.map(|(i, r)| Step::Start { from: r.start, until: r.end, sealed: i + 1 < count }));
        self.steps
    }

    /// Whether what lies from `at` on is worth a stream of its own.
    fn is_worth_it(&self, at: u64) -> bool {
        at < self.end && (self.end - at >= LEAST_PIECE || self.end == self.asked.size)
    }
}

/// A piece is worth a transfer of its own: it takes some round trips to get into its stride.
const LEAST_PIECE: u64 = 1 << 20;

/// Towards the end of a file no piece is made shorter than this.
const LEAST_TAIL: u64 = 16 << 20;

/// What lies farther ahead has been fetched for somebody who has left it.
const FAR_AHEAD: u64 = 256 << 20;

/// Streams are told to go on in steps of this.
const LEAST_STEP: u64 = 4 * BLOCK;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Terms, plan};
    use super::*;

    proptest! {
        /// However far each stream has come, and however many there may be: nothing is fetched twice, what is asked for is on
        /// its way, and nothing beyond two windows is.
        #[test]
        fn pieces_follow_one_another(
            size in 1u64 << 20..1 << 28,
            turns in prop::collection::vec((1usize..9, prop::collection::vec(0u64..6 << 20, 8)), 1..60),
        ) {
            let (mut history, mut at) = (History::default(), 0);
            let (mut running, mut ids, mut reach) = (Vec::<Running>::new(), 0.., 0);
            for (lanes, moved) in turns {
                let reached = running.iter().map(|r| r.until).fold(reach, u64::max);
                let terms = Terms { window: 32 << 20, exact: true, lanes, reach: reached, narrow: false, present: None };
                reach = terms.reach;
                let ask = at..(at + BLOCK).min(size);
                history.note(&ask);
                // What has begun behind the ask has brought it, or else it is missing.
                let missing = running.iter().find(|r| (r.at..r.until).contains(&ask.start)).map(|_| ask.start);
                let missing = missing.or_else(|| running.is_empty().then_some(ask.start));
                let asked = Asked { ask: &ask, missing, running: &running, size, terms };
                for step in plan(&history, asked) {
                    match step {
                        Step::Start { from, until, sealed } => {
                            let id = ids.next().expect("numbers do not end");
                            running.push(Running { id, first: from, at: from, until, sealed, begun: true, needed: false });
                        }
                        Step::Extend { id, until } => {
                            running.iter_mut().filter(|r| r.id == id).for_each(|r| (r.until, r.sealed) = (until, false));
                        }
                        Step::Seal { id } => running.iter_mut().filter(|r| r.id == id).for_each(|r| r.sealed = true),
                        Step::Stop { id } => running.retain(|r| r.id != id),
                        Step::Rebase { .. } => prop_assert!(false, "all have begun"),
                    }
                }
                running.sort_by_key(|r| r.first);
                for pair in running.windows(2) {
                    prop_assert!(pair[0].until <= pair[1].first, "{pair:?}");
                }
                prop_assert!(running.iter().all(|r| r.until <= size.min(up(ask.end + 2 * terms.window))), "{running:?}");
                let covered = missing.is_none_or(|m| running.iter().any(|r| r.at <= m && m < r.until));
                prop_assert!(covered, "{ask:?} {running:?}");
                for (r, by) in running.iter_mut().zip(moved) {
                    r.at = (r.at + by).min(r.until);
                }
                running.retain(|r| !(r.sealed && r.at == r.until));
                let brought = running.iter().map(|r| r.at).min().unwrap_or(at);
                at = ask.end.min(brought.max(ask.start)).min(size);
                if at == size {
                    break;
                }
            }
        }
    }
}
