//! What has been measured of the way to the server.

mod climb;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::climb::{Climb, FIRST, SLOW_START};
use crate::base::sync::Ranked;

/// The way to the server, as all readers have found it.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Microseconds that an answer takes; 0 as long as nobody knows.
    delay: AtomicU64,
    /// Bytes of content that have come.
    arrived: AtomicU64,
    /// Whether the first long transfer has met an end of the line's width.
    verdict: AtomicU64,
    /// Since when several streams have been tried at once, and what had come before.
    several: Ranked<Option<(Instant, u64)>, 37>,
    climb: Ranked<Climb, 36>,
}

impl Line {
    /// An answer has taken so long. Busy machines only make it longer, so what is shorter is believed at once.
    pub(super) fn answered_within(&self, delay: Duration) {
        let new = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX).max(1);
        let old = self.delay.load(Ordering::Relaxed);
        let delay = if old == 0 || new < old { new } else { old + (new - old) / 8 };
        self.delay.store(delay, Ordering::Relaxed);
        if old > 0 && new > 2 * old && self.is_narrow() {
            // It had to queue behind what comes on other streams: the line is full. A wide one has its queues, too.
            self.climb.lock().is_full(Instant::now());
        }
    }

    /// Whether the delay has been measured.
    pub(super) fn is_known(&self) -> bool {
        self.delay.load(Ordering::Relaxed) > 0
    }

    /// So many bytes have come, in all `whole` of a transfer that has brought the first `since` then.
    pub(super) fn arrived(&self, bytes: u64, whole: u64, since: Instant) {
        self.arrived.fetch_add(bytes, Ordering::Relaxed);
        if self.verdict.load(Ordering::Relaxed) == UNKNOWN {
            let several = *self.several.lock();
            let wide = match several {
                Some((since, before)) => {
                    let together = self.arrived.load(Ordering::Relaxed).saturating_sub(before);
                    self.judge(together, since, IN_STRIDE_TOGETHER, TRIPS_TOGETHER)
                }
                None => self.judge(whole, since, IN_STRIDE, TRIPS),
            };
            if let Some(wide) = wide {
                self.verdict.store(if wide { WIDE } else { NARROW }, Ordering::Relaxed);
            }
        }
    }

    /// Whether the line is wide: it has brought `enough` within `most` round trips. None as long as it may still do so.
    fn judge(&self, brought: u64, since: Instant, enough: u64, most: u64) -> Option<bool> {
        let trips = since.elapsed().as_micros() as u64 / self.delay.load(Ordering::Relaxed).max(1);
        (brought >= enough || trips > most).then_some(brought >= enough && trips <= most)
    }

    /// How many streams a sequential reader of `rest` bytes is best served by, as far as is known.
    pub(super) fn lanes(&self, rest: u64) -> usize {
        let delay = Duration::from_micros(self.delay.load(Ordering::Relaxed));
        let verdict = self.verdict.load(Ordering::Relaxed);
        if verdict == UNKNOWN {
            // One of several is in its stride sooner, whatever the line turns out to be.
            if rest < LONG || delay < SLOW_START {
                return 1;
            }
            let now = (Instant::now(), self.arrived.load(Ordering::Relaxed));
            self.several.lock().get_or_insert(now);
            return FIRST;
        }
        self.climb.lock().lanes(Instant::now(), self.arrived.load(Ordering::Relaxed), delay, verdict == NARROW)
    }

    /// A reader has gone. If it was the one for whom several streams were tried, nothing was learned: that they brought little
    /// since says nothing of the line.
    pub(super) fn given_up(&self) {
        if self.verdict.load(Ordering::Relaxed) == UNKNOWN {
            *self.several.lock() = None;
        }
    }

    /// Whether one stream fills the line, as the first ones have shown.
    pub(super) fn is_narrow(&self) -> bool {
        self.verdict.load(Ordering::Relaxed) == NARROW
    }

    /// Whether a round trip costs more than the bytes around what is asked for; true as long as nobody knows.
    pub(super) fn is_far(&self) -> bool {
        let delay = self.delay.load(Ordering::Relaxed);
        delay == 0 || Duration::from_micros(delay) >= FAR
    }
}

/// The same machine, or one next to it, answers sooner.
const FAR: Duration = Duration::from_millis(1);

/// Nobody knows; one transfer fills the line soon; it is still getting faster when it has brought much.
const UNKNOWN: u64 = 0;
const NARROW: u64 = 1;
const WIDE: u64 = 2;

/// A transfer that doubles with each round trip has brought so much within so many; one that has filled the line has not.
const IN_STRIDE: u64 = 3 << 20;
const TRIPS: u64 = 9;

/// The same for all of several together, some of which are still to log in. Of one alone nothing can be said then: they share the
/// line, and the machine.
const IN_STRIDE_TOGETHER: u64 = 8 << 20;
const TRIPS_TOGETHER: u64 = 14;

/// Several streams begin at once for so much.
const LONG: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight streams share what there is: none of them looked as if it were getting faster, and all but one were stopped.
    #[test]
    fn several_streams_are_judged_together() {
        let line = Line::default();
        line.answered_within(Duration::from_secs(10));
        assert_eq!(line.lanes(LONG), FIRST);
        let now = Instant::now();
        for n in 1..=8 {
            assert_eq!(line.lanes(LONG), FIRST, "after {n}");
            line.arrived(1 << 20, n << 17, now);
        }
        assert_eq!(line.verdict.load(Ordering::Relaxed), WIDE);
    }

    /// `head` of a large file once made a line narrow for all that came later.
    #[test]
    fn an_attempt_that_was_given_up_says_nothing() {
        let line = Line::default();
        line.answered_within(SLOW_START);
        assert_eq!(line.lanes(LONG), FIRST);
        let long_ago = Instant::now().checked_sub(SLOW_START * 100).expect("the machine has been up for a second");
        *line.several.lock() = Some((long_ago, 0));
        line.given_up();
        line.arrived(1 << 20, 1 << 20, Instant::now());
        assert_eq!((line.is_narrow(), line.lanes(LONG)), (false, FIRST));
    }

    #[test]
    fn a_busy_moment_makes_no_distance() {
        let line = Line::default();
        assert!(line.is_far(), "nobody knows yet");
        line.answered_within(Duration::from_millis(5));
        assert!(line.is_far());
        line.answered_within(Duration::from_micros(80));
        line.answered_within(Duration::from_millis(5));
        assert!(!line.is_far());
        for _ in 0..20 {
            line.answered_within(Duration::from_millis(5));
        }
        assert!(line.is_far(), "the way has changed");
    }
}
