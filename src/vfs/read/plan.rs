//! What to fetch next: a pure function of what was asked, what is here and what is on its way.

use std::ops::Range;

use crate::store::BLOCK;

/// How a handle has been read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Highest byte that was asked for, plus one.
    next: u64,
    /// Asks in a row that went on where the one before had ended.
    streak: u32,
    begun: bool,
}

impl History {
    /// Takes note of an ask. The kernel sends several at a time and the threads that take them may be slow by a few
    /// milliseconds, which is megabytes: near is as good as exact.
    pub(crate) fn note(&mut self, ask: &Range<u64>) {
        let near = self.next.abs_diff(ask.start) <= if self.streak < SURELY_SEQUENTIAL { NEAR } else { LATE };
        // A file is more often read from its beginning to its end than not.
        self.streak = match (self.begun, near) {
            (false, _) => u32::from(ask.start == 0),
            (true, true) => self.streak.saturating_add(1),
            (true, false) => 0,
        };
        self.next = if near { self.next.max(ask.end) } else { ask.end };
        self.begun = true;
    }

    /// Below this nothing will be asked for again, by the looks of it: the kernel keeps what it has read.
    pub(crate) fn behind(&self) -> u64 {
        if self.streak < SURELY_SEQUENTIAL { 0 } else { self.next.saturating_sub(TAIL) }
    }

    /// Bytes to fetch beyond what was asked.
    fn window(&self, most: u64) -> u64 {
        if self.streak == 0 { 0 } else { (FIRST_WINDOW << (self.streak - 1).min(20)).min(most) }
    }
}

/// A stream as the planner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) id: u64,
    /// The next byte that will arrive.
    pub(crate) at: u64,
    /// Where it waits for more to be wanted.
    pub(crate) until: u64,
    /// Whether `RETR` has been sent: until then it can still begin earlier.
    pub(crate) begun: bool,
    /// Whether a read waits for what it brings.
    pub(crate) needed: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new stream.
    Start { from: u64, until: u64 },
    /// Let `id` run on to `until`.
    Extend { id: u64, until: u64 },
    /// Let `id`, which has not begun yet, begin earlier.
    Rebase { id: u64, from: u64 },
    /// End `id`.
    Stop { id: u64 },
}

/// Decides. `missing` is the first byte of `ask` that is not in memory, if any; `size` is the file's.
pub(crate) fn plan(
    history: &History,
    ask: &Range<u64>,
    missing: Option<u64>,
    running: &[Running],
    size: u64,
    window: u64,
) -> Vec<Step> {
    let until = up(ask.end.saturating_add(history.window(window))).min(size);
    let Some(missing) = missing else {
        return ahead(ask, running, until);
    };
    let from = missing / BLOCK * BLOCK;
    if let Some(stream) = running.iter().find(|r| r.at <= missing && missing - r.at <= NEAR.max(r.until - r.at)) {
        return extend(stream, until);
    }
    if let Some(stream) = running.iter().find(|r| !r.begun && missing < r.at && r.at - missing <= NEAR) {
        let mut steps = vec![Step::Rebase { id: stream.id, from }];
        steps.extend(extend(stream, until));
        return steps;
    }
    let mut steps = Vec::new();
    if running.len() >= MOST_STREAMS {
        // Where all of them are waited for, the ask has to wait, too: it is planned again when one of them ends.
        let Some(idle) = running.iter().find(|r| !r.needed) else { return Vec::new() };
        steps.push(Step::Stop { id: idle.id });
    }
    steps.push(Step::Start { from, until: until.max(from) });
    steps
}

/// All that was asked is here: only keep the stream that runs ahead of it going, in steps of half a window.
fn ahead(ask: &Range<u64>, running: &[Running], until: u64) -> Vec<Step> {
    let mut before = running.iter().filter(|r| r.at >= ask.end || r.at >= ask.start);
    match before.next() {
        Some(stream) if until > stream.until => {
            let (rest, whole) = (stream.until.saturating_sub(ask.end), until - ask.end);
            if rest <= whole / 2 { extend(stream, until) } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

fn extend(stream: &Running, until: u64) -> Vec<Step> {
    if until > stream.until { vec![Step::Extend { id: stream.id, until }] } else { Vec::new() }
}

fn up(at: u64) -> u64 {
    at.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX)
}

/// Closer than this, reading on costs less than two flights of a new transfer.
const NEAR: u64 = 1 << 20;

/// The first step ahead of a sequential reader; it doubles with each ask.
const FIRST_WINDOW: u64 = 256 * 1024;

/// Asks in a row after which a reader is believed to go on to the end.
const SURELY_SEQUENTIAL: u32 = 4;

/// How late an ask may come, in bytes that later ones were ahead of it; 4 MiB were seen on two busy cores.
const LATE: u64 = 8 << 20;

/// What is kept behind a sequential reader, for asks that come late and small steps back.
const TAIL: u64 = LATE;

/// Streams of one handle: several threads that read at places of their own, or one that jumps between a few.
pub(super) const MOST_STREAMS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn after(asks: &[Range<u64>]) -> History {
        let mut history = History::default();
        asks.iter().for_each(|ask| history.note(ask));
        history
    }

    #[test]
    fn the_first_read_of_a_file_fetches_a_little_ahead() {
        let ask = 0..BLOCK;
        let steps = plan(&after(std::slice::from_ref(&ask)), &ask, Some(0), &[], 1 << 30, 16 * MIB);
        assert_eq!(steps, [Step::Start { from: 0, until: BLOCK + FIRST_WINDOW }]);
    }

    #[test]
    fn a_small_file_is_fetched_to_its_end_and_not_beyond() {
        let ask = 0..4096;
        let steps = plan(&after(std::slice::from_ref(&ask)), &ask, Some(0), &[], 100, 16 * MIB);
        assert_eq!(steps, [Step::Start { from: 0, until: 100 }]);
    }

    #[test]
    fn a_random_read_fetches_one_block() {
        let ask = 5 * MIB + 4096..5 * MIB + 8192;
        let steps = plan(&after(&[0..4096, ask.clone()]), &ask, Some(ask.start), &[], 1 << 30, 16 * MIB);
        assert_eq!(steps, [Step::Start { from: 5 * MIB, until: 5 * MIB + BLOCK }]);
    }

    #[test]
    fn the_window_doubles_up_to_its_limit() {
        let mut history = History::default();
        let mut windows = Vec::new();
        for i in 0..10 {
            history.note(&(i * BLOCK..(i + 1) * BLOCK));
            windows.push(history.window(4 * MIB) / 1024);
        }
        assert_eq!(windows, [256, 512, 1024, 2048, 4096, 4096, 4096, 4096, 4096, 4096]);
    }

    #[test]
    fn swapped_asks_are_still_one_stream() {
        let later = BLOCK..2 * BLOCK;
        let history = after(&[later.clone(), 0..BLOCK]);
        let stream = Running { id: 7, at: BLOCK, until: 2 * BLOCK, begun: false, needed: false };
        let steps = plan(&history, &(0..BLOCK), Some(0), &[stream], 1 << 30, 16 * MIB);
        assert_eq!(steps[0], Step::Rebase { id: 7, from: 0 });
    }

    #[test]
    fn a_late_ask_is_no_jump() {
        let mut history = after(&[0..MIB, MIB..2 * MIB, 3 * MIB..4 * MIB, 4 * MIB..5 * MIB, 5 * MIB..6 * MIB]);
        history.note(&(2 * MIB..3 * MIB));
        assert_eq!(history.next, 6 * MIB);
        assert!(history.streak >= SURELY_SEQUENTIAL);
        assert_eq!(history.behind(), 0, "what it asks for has not been dropped");
    }

    #[test]
    fn a_jump_starts_another_stream_and_one_too_many_replaces_the_oldest_that_nobody_needs() {
        let history = after(&[0..BLOCK, 50 * MIB..50 * MIB + BLOCK]);
        let stream = |id, needed| Running { id, at: id * 100 * MIB, until: id * 100 * MIB, begun: true, needed };
        let ask = 50 * MIB..50 * MIB + BLOCK;
        let start = Step::Start { from: 50 * MIB, until: 50 * MIB + BLOCK };
        let plan = |running: &[Running]| plan(&history, &ask, Some(ask.start), running, 1 << 30, MIB);
        assert_eq!(plan(&[stream(1, false)]), [start]);
        let mut running: Vec<_> = (1..=4).map(|id| stream(id, true)).collect();
        assert_eq!(plan(&running), [], "all of them are waited for");
        running[2].needed = false;
        assert_eq!(plan(&running), [Step::Stop { id: 3 }, start]);
    }

    #[test]
    fn reading_from_memory_keeps_the_stream_ahead() {
        let history = after(&[0..BLOCK, BLOCK..2 * BLOCK, 2 * BLOCK..3 * BLOCK]);
        let stream = Running { id: 1, at: 4 * BLOCK, until: 4 * BLOCK, begun: true, needed: false };
        let steps = plan(&history, &(2 * BLOCK..3 * BLOCK), None, &[stream], 1 << 30, 16 * MIB);
        assert_eq!(steps, [Step::Extend { id: 1, until: 3 * BLOCK + MIB }]);
    }

    proptest! {
        /// Whatever is asked: what is missing is on its way afterwards, unless all streams are waited for already; and
        /// nothing beyond the file or the window is.
        #[test]
        fn what_is_missing_is_on_its_way(
            size in 1u64..1 << 45,
            asks in prop::collection::vec((0u64..1 << 45, 1u64..1 << 20), 1..20),
            streams in prop::collection::vec((0u64..1 << 45, 0u64..1 << 24, any::<bool>(), any::<bool>()), 0..=MOST_STREAMS),
        ) {
            let window = 16 * MIB;
            let mut history = History::default();
            let mut ask = 0..1;
            for (start, len) in asks {
                let start = start % size;
                ask = start..(start + len).min(size);
                history.note(&ask);
            }
            let running: Vec<_> = streams.iter().enumerate().map(|(i, &(at, more, begun, needed))| {
                let at = at % size;
                Running { id: i as u64, at, until: (at + more).min(size), begun, needed }
            }).collect();
            let steps = plan(&history, &ask, Some(ask.start), &running, size, window);
            let mut after = running.clone();
            for step in &steps {
                match *step {
                    Step::Start { from, until } => after.push(Running { id: 99, at: from, until, begun: false, needed: true }),
                    Step::Stop { id } => after.retain(|r| r.id != id),
                    Step::Extend { id, until } => after.iter_mut().filter(|r| r.id == id).for_each(|r| r.until = until),
                    Step::Rebase { id, from } => after.iter_mut().filter(|r| r.id == id).for_each(|r| r.at = from),
                }
            }
            let full = running.len() == MOST_STREAMS && running.iter().all(|r| r.needed);
            prop_assert!(full || after.iter().any(|r| r.at <= ask.start && r.until >= ask.end), "{steps:?}");
            let kept = |r: &&Running| after.iter().any(|a| a.id == r.id);
            prop_assert!(running.iter().filter(|r| r.needed).all(|r| kept(&r)), "what is waited for goes on");
            prop_assert!(after.len() <= MOST_STREAMS);
            for step in steps {
                if let Step::Start { until, .. } | Step::Extend { until, .. } = step {
                    prop_assert!(until <= size && until <= ask.end + window + BLOCK);
                }
            }
        }
    }
}
