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
    climb: Ranked<Climb, 36>,
}

impl Line {
    /// An answer has taken so long. Busy machines only make it longer, so what is shorter is believed at once.
    pub(super) fn answered_within(&self, delay: Duration) {
        let new = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX).max(1);
        let old = self.delay.load(Ordering::Relaxed);
        let delay = if old == 0 || new < old { new } else { old + (new - old) / 8 };
        self.delay.store(delay, Ordering::Relaxed);
        if old > 0 && new > 2 * old {
            // It had to queue behind what comes on other streams: the line is full.
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
            let trips = since.elapsed().as_micros() as u64 / self.delay.load(Ordering::Relaxed).max(1);
            if whole >= IN_STRIDE || trips > TRIPS {
                let wide = whole >= IN_STRIDE && trips <= TRIPS;
                self.verdict.store(if wide { WIDE } else { NARROW }, Ordering::Relaxed);
            }
        }
    }

    /// How many streams a sequential reader of `rest` bytes is best served by, as far as is known.
    pub(super) fn lanes(&self, rest: u64) -> usize {
        let delay = Duration::from_micros(self.delay.load(Ordering::Relaxed));
        let verdict = self.verdict.load(Ordering::Relaxed);
        if verdict == UNKNOWN {
            // One of several is in its stride sooner, whatever the line turns out to be.
            return if rest >= LONG && delay >= SLOW_START { FIRST } else { 1 };
        }
        self.climb.lock().lanes(Instant::now(), self.arrived.load(Ordering::Relaxed), delay, verdict == NARROW)
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

/// Several streams begin at once for so much.
const LONG: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

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
