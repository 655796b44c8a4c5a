//! Points in time that a wait must not pass, and the clock that the caches read.

use std::io;
use std::time::{Duration, Instant, SystemTime};

/// The instant after which an operation gives up.
///
/// A deadline is made once, where a request enters, and handed down: every socket wait below it uses what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `span` from now.
    pub fn after(span: Duration) -> Self {
        let now = Instant::now();
        // A span too large for Instant is as good as a century.
        Self(now.checked_add(span).unwrap_or(now + Duration::from_secs(3_200_000_000)))
    }

    /// A deadline at `instant`.
    pub fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// What is left, or `TimedOut` where nothing is.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] once the deadline has passed.
    pub fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Whether the deadline has passed.
    pub fn passed(self) -> bool {
        Instant::now() >= self.0
    }

    /// The earlier of this deadline and one `span` from now.
    #[must_use]
    pub fn min_after(self, span: Duration) -> Self {
        self.min(Self::after(span))
    }
}

/// Where the caches take the time from; tests hand in one that they move by hand.
pub trait Clock: Send + Sync {
    /// Monotonic time, for ages and times to live.
    fn now(&self) -> Instant;
    /// Wall-clock time, for the year of a `LIST` date.
    fn wall(&self) -> SystemTime;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
