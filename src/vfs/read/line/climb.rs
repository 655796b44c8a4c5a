//! How many streams are worth their while: found out by trying, and by counting what comes.

use std::time::{Duration, Instant};

/// The number of streams, and what speaks for it.
#[derive(Debug, Default)]
pub(super) struct Climb {
    /// 0 as long as nothing is known of the line.
    lanes: usize,
    /// The number before, and the bytes per second that it brought.
    before: Option<(usize, f64)>,
    /// What is being measured: since when, from which byte on.
    since: Option<(Instant, u64)>,
    last: Option<Instant>,
    /// Nothing is tried before.
    rest: Option<Instant>,
    /// Fewer are tried before more.
    more: bool,
}

impl Climb {
    /// The number for now. `arrived` bytes have come since the beginning of time; an answer takes `delay`; a `narrow` line is
    /// filled by one stream at once.
    pub(super) fn lanes(&mut self, now: Instant, arrived: u64, delay: Duration, narrow: bool) -> usize {
        if delay.is_zero() {
            return 1;
        }
        if self.lanes == 0 {
            self.lanes = if delay >= SLOW_START && !narrow { FIRST } else { 1 };
        }
        // After a pause there is nothing to compare.
        if self.last.is_none_or(|last| now - last > PAUSE) {
            self.begin(now, arrived);
            if let Some((lanes, _)) = self.before.take() {
                self.lanes = lanes;
            }
        }
        self.last = Some(now);
        let (since, from) = *self.since.get_or_insert((now + SETTLE, arrived));
        if now < since {
            self.since = Some((since, arrived));
        } else if now - since >= MEASURE {
            let rate = (arrived - from) as f64 / (now - since).as_secs_f64();
            self.judge(now, rate, delay);
            self.begin(now, arrived);
        }
        self.lanes
    }

    /// More would only wait for one another.
    pub(super) fn is_full(&mut self, now: Instant) {
        if self.lanes > 1 {
            self.lanes = 1;
            self.before = None;
            self.settle(now, true);
        }
    }

    fn begin(&mut self, now: Instant, arrived: u64) {
        self.since = Some((now + SETTLE, arrived));
    }

    fn judge(&mut self, now: Instant, rate: f64, delay: Duration) {
        match self.before.take() {
            None if self.rest.is_some_and(|until| now < until) => {}
            None => self.try_another(now, rate, delay),
            Some((fewer, old)) if fewer < self.lanes => {
                if rate >= old * GAIN && self.lanes < MOST {
                    self.before = Some((self.lanes, rate));
                    self.lanes = (self.lanes * 2).min(MOST);
                } else {
                    if rate < old * GAIN {
                        self.lanes = fewer;
                    }
                    self.settle(now, false);
                }
            }
            Some((more, old)) => {
                if rate < old * LOSS {
                    self.lanes = more;
                    self.settle(now, true);
                } else if self.lanes > 1 {
                    self.before = Some((self.lanes, rate));
                    self.lanes /= 2;
                } else {
                    self.settle(now, true);
                }
            }
        }
    }

    fn try_another(&mut self, now: Instant, rate: f64, delay: Duration) {
        let up = self.more || self.lanes == 1;
        // What is on this machine, or next to it, is not waited for: it computes.
        if up && (self.lanes >= MOST || (delay < NEXT_DOOR && rate > FAST)) {
            return self.settle(now, false);
        }
        self.before = Some((self.lanes, rate));
        self.lanes = if up { (self.lanes * 2).min(MOST) } else { self.lanes / 2 };
    }

    fn settle(&mut self, now: Instant, more: bool) {
        self.rest = Some(now + REST);
        self.more = more;
    }
}

/// From this delay on a transfer takes a good part of a second to get into its stride, and several take no longer.
pub(super) const SLOW_START: Duration = Duration::from_millis(10);

/// So many begin then.
pub(super) const FIRST: usize = 8;

/// Most streams of one reader.
const MOST: usize = 14;

/// Nothing is fetched faster by two from a server that answers within this, where it brings more than this per second.
const NEXT_DOOR: Duration = Duration::from_millis(1);
const FAST: f64 = (64 << 20) as f64;

/// How long a change takes to show, and how long it is measured then.
const SETTLE: Duration = Duration::from_secs(1);
const MEASURE: Duration = Duration::from_secs(1);

/// Who has not asked for so long has paused.
const PAUSE: Duration = Duration::from_millis(500);

/// How long what was found is believed.
const REST: Duration = Duration::from_secs(20);

/// More streams have to bring so much more, fewer may bring so much less.
const GAIN: f64 = 1.1;
const LOSS: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is decided in the end on a line where `n` streams bring `rate(n)` bytes per second, and the most on the way.
    fn settled(delay: u64, rate: impl Fn(usize) -> f64) -> (usize, usize) {
        let (mut climb, mut now, mut arrived) = (Climb::default(), Instant::now(), 0.0);
        let (mut lanes, mut most) = (1, 1);
        // Not in the middle of the next attempt.
        for _ in 0..190 {
            arrived += rate(lanes) / 10.0;
            now += Duration::from_millis(100);
            lanes = climb.lanes(now, arrived as u64, Duration::from_millis(delay), false);
            most = most.max(lanes);
        }
        (lanes, most)
    }

    #[test]
    fn a_line_that_one_stream_fills_is_left_to_one() {
        assert_eq!(settled(40, |_| 12e6), (1, FIRST));
        assert_eq!(settled(5, |_| 12e6).0, 1);
    }

    #[test]
    fn each_stream_that_brings_more_is_worth_it() {
        assert_eq!(settled(5, |n| 5e6 * n as f64).0, MOST);
        assert_eq!(settled(5, |n| 5e6 * n.min(4) as f64).0, 4);
        assert_eq!(settled(40, |n| 50e6 * n.min(8) as f64).0, FIRST);
    }

    #[test]
    fn nothing_is_tried_on_a_machine_that_computes() {
        let same_machine = |rate: f64| {
            let (mut climb, mut now, mut arrived) = (Climb::default(), Instant::now(), 0.0);
            (0..100).all(|_| {
                arrived += rate / 10.0;
                now += Duration::from_millis(100);
                climb.lanes(now, arrived as u64, Duration::from_micros(50), false) == 1
            })
        };
        assert!(same_machine(1e9));
        assert!(!same_machine(5e6), "it gives each connection so much and no more");
    }
}
