//! Several streams for one sequential reader: what it is going to want is cut into pieces, of which each brings one.

use std::ops::Range;

use super::{History, NEAR, Running, Step, Terms, up};
use crate::store::BLOCK;

/// Keeps as many streams ahead of the reader as may be. Each ends where the next one begins, the last one goes on.
pub(super) fn spread(
    history: &History,
    ask: &Range<u64>,
    missing: Option<u64>,
    running: &[Running],
    size: u64,
    terms: Terms,
) -> Vec<Step> {
    // As one lane ends after the other, about half of this is here at a time.
    let span = terms.window.saturating_mul(2);
    let end = up(ask.end.saturating_add(span)).min(size);
    // The only one goes on for ever.
    let piece = if terms.lanes > 1 { up(span / terms.lanes as u64).max(LEAST_PIECE) } else { size };
    // Those that begin together end one after the other, so that never all of them are in slow start; and towards the end of
    // the file they get shorter, so that no one is left with the rest.
    let cut = |at: u64, nth: usize| {
        let lanes = terms.lanes as u64;
        let part = if terms.lanes > 1 {
            (piece * nth as u64 / lanes).min(((size - at) / lanes).max(LEAST_TAIL))
        } else {
            piece
        };
        at..up(at.saturating_add(part.max(LEAST_PIECE))).min(end)
    };
    // Not only within the window: that may be smaller for a moment.
    let ahead = |r: &&Running| r.until > ask.start && r.first < end.saturating_add(FAR_AHEAD);
    let mut lanes: Vec<Running> = running.iter().filter(ahead).copied().collect();
    let serving =
        missing.and_then(|missing| running.iter().filter(|r| r.leads_to(missing, false)).max_by_key(|r| r.at).copied());
    let idle = |r: &Running| !r.needed && serving.is_none_or(|s| s.id != r.id);
    let of_no_use = |r: &&Running| idle(r) && history.places == 0 && !ahead(r);
    // One is enough, as it has turned out: the others would only keep what is waited for from coming.
    let in_the_way = |r: &Running| {
        terms.narrow
            && terms.lanes == 1
            && idle(r)
            && r.first >= ask.end
            && r.at.saturating_sub(r.first) < r.until.saturating_sub(r.at)
    };
    lanes.retain(|r| !in_the_way(r));
    let stopped = running.iter().filter(|r| of_no_use(r) || in_the_way(r));
    let mut steps: Vec<_> = stopped.map(|r| Step::Stop { id: r.id }).collect();
    let mut new: Vec<Range<u64>> = Vec::new();
    if let Some(missing) = missing {
        // Where one begins behind it, all that follows is taken care of.
        let next =
            lanes.iter().map(|r| if r.first > missing { r.first } else { r.at }).filter(|at| *at > missing).min();
        // Neither what is on its way nor what is here is fetched again.
        let next = next.into_iter().chain(terms.present.filter(|at| *at > missing)).min();
        match (serving, next) {
            (None, None) => {
                // Asks overtake one another: one that is still on its way may want what lies before this one.
                let covered = running.iter().map(|r| r.until).filter(|at| *at <= missing && missing - at <= NEAR).max();
                new.push(cut(covered.unwrap_or(missing), 1));
            }
            (None, Some(next)) => {
                let until = up(missing.saturating_add(piece)).min(end).min(next);
                steps.push(Step::Start { from: missing, until, sealed: true });
                lanes.push(Running {
                    id: 0,
                    first: missing,
                    at: missing,
                    until,
                    sealed: true,
                    begun: false,
                    needed: true,
                });
            }
            // It ends, or waits, before that.
            (Some(serving), next) if serving.until <= missing => {
                let until = up(ask.end).min(end).min(next.unwrap_or(u64::MAX));
                steps.push(Step::Extend { id: serving.id, until });
                let sealed = next == Some(until);
                if sealed {
                    steps.push(Step::Seal { id: serving.id });
                }
                lanes.retain(|r| r.id != serving.id);
                lanes.push(Running { until, sealed, ..serving });
            }
            (Some(_), _) => {}
        }
    }
    if new.is_empty() {
        let Some(last) = lanes.iter().max_by_key(|r| r.until).copied() else { return steps };
        let mut until = last.until.max(terms.reach);
        let busy = lanes.iter().filter(|r| r.at < r.until).count();
        // With more of them than there may be, the first ones are to end first.
        if !last.sealed && busy <= terms.lanes && until == last.until {
            let goal = cut(last.first, busy.max(1)).end.max(up(ask.end)).min(end);
            // In steps that are worth waking somebody.
            if goal > until
                && (goal - until >= LEAST_STEP || goal == size || until < ask.end.saturating_add(LEAST_STEP))
            {
                steps.push(Step::Extend { id: last.id, until: goal });
                until = goal;
            }
        }
        let busy = lanes.iter().filter(|r| r.at < r.until).count();
        if busy < terms.lanes && is_worth_it(until, end, size) {
            if !last.sealed {
                steps.push(Step::Seal { id: last.id });
            }
            new.push(cut(until, terms.lanes));
        }
    }
    let busy = lanes.iter().filter(|r| r.at < r.until).count();
    while let Some(last) = new.last()
        && busy + new.len() < terms.lanes
        && is_worth_it(last.end, end, size)
    {
        new.push(cut(last.end, busy + new.len() + 1));
    }
    let count = new.len();
    let starts = new.into_iter().enumerate();
    steps.extend(starts.map(|(i, r)| Step::Start { from: r.start, until: r.end, sealed: i + 1 < count }));
    steps
}

/// Whether what lies from `at` on is worth a stream of its own.
fn is_worth_it(at: u64, end: u64, size: u64) -> bool {
    at < end && (end - at >= LEAST_PIECE || end == size)
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

    use super::super::plan;
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
                for step in plan(&history, &ask, missing, &running, size, terms) {
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
