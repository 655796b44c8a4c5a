//! What to fetch next: a pure function of what was asked, what is here and what is on its way.

mod lanes;

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
    /// Where the last asks ended.
    ends: [u64; PLACES],
    /// As long as it is not 0, several places are read from, each of them in order.
    places: u8,
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
        let goes_on = !near && self.ends.contains(&ask.start);
        self.places = if goes_on { SURELY_PLACES } else { self.places.saturating_sub(1) };
        self.ends.rotate_right(1);
        self.ends[0] = ask.end;
    }

    /// Below this nothing will be asked for again, by the looks of it: the kernel keeps what it has read. `tail` bytes are left
    /// for asks that come late and small steps back.
    pub(crate) fn behind(&self, tail: u64) -> u64 {
        if self.streak < SURELY_SEQUENTIAL { 0 } else { self.next.saturating_sub(tail) }
    }

    /// Whether one place is read, in order.
    pub(crate) fn is_in_order(&self) -> bool {
        self.streak > 0 && self.places == 0
    }

    /// Where a reader goes on.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether the last ask went on from none before.
    pub(crate) fn jumps(&self) -> bool {
        self.streak == 0 && self.places == 0
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
    /// Where it has begun.
    pub(crate) first: u64,
    /// The next byte that will arrive.
    pub(crate) at: u64,
    /// Where it waits for more to be wanted.
    pub(crate) until: u64,
    /// Another one brings what follows: it ends there.
    pub(crate) sealed: bool,
    /// Whether `RETR` has been sent: until then it can still begin earlier.
    pub(crate) begun: bool,
    /// Whether a read waits for what it brings.
    pub(crate) needed: bool,
}

/// What is asked, and what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) ask: &'a Range<u64>,
    /// The first byte of it that is not in memory, if any.
    pub(crate) missing: Option<u64>,
    pub(crate) running: &'a [Running],
    /// The file's.
    pub(crate) size: u64,
    pub(crate) terms: Terms,
}

impl Running {
    /// One that is about to begin, for somebody who waits.
    pub(crate) fn new(id: u64, range: Range<u64>, sealed: bool) -> Self {
        let Range { start, end: until } = range;
        Self { id, first: start, at: start, until, sealed, begun: false, needed: true }
    }

    /// Whether reading on to `missing` is no slower than a new transfer. That takes a round trip on a channel that is open
    /// already, in which this one brings about as much as it has brought so far.
    fn leads_to(&self, missing: u64, jumps: bool) -> bool {
        if self.sealed {
            return (self.at..self.until).contains(&missing);
        }
        let near = if jumps { (self.at.saturating_sub(self.first) + FIRST_FLIGHT).min(NEAR) } else { NEAR };
        self.at <= missing && missing - self.at <= near.max(self.until.saturating_sub(self.at))
    }
}

/// What is to be kept to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Most bytes ahead of what was asked.
    pub(crate) window: u64,
    /// A read that follows no other gets what it asks for and no more: otherwise the blocks around that.
    pub(crate) exact: bool,
    /// Streams that may share what a sequential reader is going to want.
    pub(crate) lanes: usize,
    /// Up to here all has been asked for already, also by streams that have ended by now.
    pub(crate) reach: u64,
    /// One stream fills the line.
    pub(crate) narrow: bool,
    /// Where something is here already behind what is missing.
    pub(crate) present: Option<u64>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A new stream.
    Start { from: u64, until: u64, sealed: bool },
    /// Let `id` run on to `until`.
    Extend { id: u64, until: u64 },
    /// Let `id`, which has not begun yet, begin earlier.
    Rebase { id: u64, from: u64 },
    /// Let `id` end where it would wait.
    Seal { id: u64 },
    /// End `id`.
    Stop { id: u64 },
}

/// Decides.
pub(crate) fn plan(history: &History, asked: Asked<'_>) -> Vec<Step> {
    let Asked { ask, missing, running, size, terms } = asked;
    let surely = history.streak >= SPREAD || ask.end - ask.start >= if ask.start == 0 { LARGE_FIRST } else { LARGE };
    // Those that have been started end one after the other, also where no more of them are wanted.
    if history.streak > 0 && (running.iter().any(|r| r.sealed) || (terms.lanes > 1 && surely)) {
        return lanes::spread(history, asked);
    }
    let exact = terms.exact && history.streak == 0;
    let until = ask.end.saturating_add(history.window(terms.window));
    let until = if exact { until } else { up(until) }.min(size);
    let Some(missing) = missing else {
        return ahead(ask, running, until);
    };
    let from = if terms.exact { missing } else { missing / BLOCK * BLOCK };
    // Of two on the way there, the one that is closer.
    if let Some(stream) = running.iter().filter(|r| r.leads_to(missing, exact)).max_by_key(|r| r.at) {
        return extend(stream, until);
    }
    if let Some(stream) = running.iter().find(|r| !r.begun && missing < r.at && r.at - missing <= NEAR) {
        let mut steps = vec![Step::Rebase { id: stream.id, from }];
        steps.extend(extend(stream, until));
        return steps;
    }
    // Who jumps about does not come back, and what still arrives there only fills the line.
    let mut idle = running.iter().filter(|r| !r.needed);
    let mut steps: Vec<_> =
        if history.jumps() { idle.by_ref().map(|r| Step::Stop { id: r.id }).collect() } else { Vec::new() };
    if running.len() - steps.len() >= MOST_STREAMS {
        // Where all of them are waited for, the ask has to wait, too: it is planned again when one of them ends.
        let Some(idle) = idle.next() else { return Vec::new() };
        steps.push(Step::Stop { id: idle.id });
    }
    // What another one brings already is not fetched twice.
    let next = running.iter().map(|r| r.first).filter(|first| history.streak > 0 && *first > missing).min();
    let sealed = next.is_some_and(|first| first <= until);
    let until = if sealed { next.unwrap_or(until) } else { until };
    steps.push(Step::Start { from, until: until.max(from), sealed });
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

/// What a server sends before it has heard of anything that arrived: ten segments, by RFC 6928.
const FIRST_FLIGHT: u64 = 16 * 1024;

/// The first step ahead of a sequential reader; it doubles with each ask.
const FIRST_WINDOW: u64 = 256 * 1024;

/// Asks in a row after which several streams fetch for a reader, and the ask after which they do so at once.
const SPREAD: u32 = 2;
const LARGE: u64 = 512 * 1024;

/// The same at the beginning of a file: `head` and `file` ask for less.
const LARGE_FIRST: u64 = 128 * 1024;

/// Asks in a row after which a reader is believed to go on to the end.
const SURELY_SEQUENTIAL: u32 = 4;

/// How late an ask may come, in bytes that later ones were ahead of it; 4 MiB were seen on two busy cores.
pub(super) const LATE: u64 = 8 << 20;

/// Places that are remembered, and asks for which it is believed that reading goes on at several of them.
const PLACES: usize = 4;
const SURELY_PLACES: u8 = 16;

/// Streams of one handle: several threads that read at places of their own, or one that jumps between a few.
pub(super) const MOST_STREAMS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;
    const NEARBY: Terms = Terms { window: 16 * MIB, exact: false, lanes: 1, reach: 0, narrow: true, present: None };
    const FAR: Terms = Terms { exact: true, ..NEARBY };

    fn plan(
        history: &History,
        ask: &Range<u64>,
        missing: Option<u64>,
        running: &[Running],
        size: u64,
        terms: Terms,
    ) -> Vec<Step> {
        super::plan(history, Asked { ask, missing, running, size, terms })
    }

    fn stream(id: u64) -> Running {
        Running { id, first: 0, at: 0, until: 0, sealed: false, begun: true, needed: false }
    }

    fn after(asks: &[Range<u64>]) -> History {
        let mut history = History::default();
        asks.iter().for_each(|ask| history.note(ask));
        history
    }

    #[test]
    fn the_first_read_of_a_file_fetches_a_little_ahead() {
        let ask = 0..BLOCK;
        let steps = plan(&after(std::slice::from_ref(&ask)), &ask, Some(0), &[], 1 << 30, NEARBY);
        assert_eq!(steps, [Step::Start { from: 0, until: BLOCK + FIRST_WINDOW, sealed: false }]);
    }

    #[test]
    fn a_small_file_is_fetched_to_its_end_and_not_beyond() {
        let ask = 0..4096;
        let steps = plan(&after(std::slice::from_ref(&ask)), &ask, Some(0), &[], 100, NEARBY);
        assert_eq!(steps, [Step::Start { from: 0, until: 100, sealed: false }]);
    }

    #[test]
    fn a_random_read_fetches_one_block() {
        let ask = 5 * MIB + 4096..5 * MIB + 8192;
        let steps = plan(&after(&[0..4096, ask.clone()]), &ask, Some(ask.start), &[], 1 << 30, NEARBY);
        assert_eq!(steps, [Step::Start { from: 5 * MIB, until: 5 * MIB + BLOCK, sealed: false }]);
    }

    /// Two streams once brought the same megabytes, side by side on a line that one of them filled.
    #[test]
    fn what_another_stream_brings_is_not_fetched_twice() {
        let asks = [0..MIB, MIB..2 * MIB, 2 * MIB..3 * MIB, 3 * MIB..4 * MIB, 5 * MIB..6 * MIB, 4 * MIB..5 * MIB];
        let later = Running { first: 5 * MIB, at: 11 * MIB / 2, until: 16 * MIB, ..stream(1) };
        let steps = plan(&after(&asks), &asks[5], Some(4 * MIB), &[later], 1 << 30, FAR);
        assert_eq!(steps, [Step::Start { from: 4 * MIB, until: 5 * MIB, sealed: true }]);
        // The other way round: what has been overtaken is on its way as well.
        let earlier = Running { at: 7 * MIB / 2, until: 4 * MIB, sealed: true, needed: true, ..stream(1) };
        let steps = plan(&after(&asks[..5]), &asks[4], Some(5 * MIB), &[earlier], 1 << 30, FAR);
        assert!(matches!(steps[..], [Step::Start { from, .. }] if from == 4 * MIB), "{steps:?}");
    }

    /// A line that is full with one stream is left to what is waited for.
    #[test]
    fn others_end_where_one_stream_is_enough() {
        let asks = [0..MIB, MIB..2 * MIB];
        let front = Running { at: MIB, until: 4 * MIB, sealed: true, needed: true, ..stream(1) };
        let barely = Running { first: 4 * MIB, at: 5 * MIB, until: 12 * MIB, sealed: true, ..stream(2) };
        let nearly = Running { first: 12 * MIB, at: 23 * MIB, until: 24 * MIB, ..stream(3) };
        let running = [front, barely, nearly];
        let steps = plan(&after(&asks), &asks[1], Some(MIB), &running, 1 << 30, FAR);
        assert_eq!(steps, [Step::Stop { id: 2 }]);
        let steps = plan(&after(&asks), &asks[1], Some(MIB), &running, 1 << 30, Terms { lanes: 3, ..FAR });
        assert!(!steps.iter().any(|step| matches!(step, Step::Stop { .. })), "{steps:?}");
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
        let stream =
            Running { id: 7, first: BLOCK, at: BLOCK, until: 2 * BLOCK, sealed: false, begun: false, needed: false };
        let steps = plan(&history, &(0..BLOCK), Some(0), &[stream], 1 << 30, NEARBY);
        assert_eq!(steps[0], Step::Rebase { id: 7, from: 0 });
    }

    #[test]
    fn a_late_ask_is_no_jump() {
        let mut history = after(&[0..MIB, MIB..2 * MIB, 3 * MIB..4 * MIB, 4 * MIB..5 * MIB, 5 * MIB..6 * MIB]);
        history.note(&(2 * MIB..3 * MIB));
        assert_eq!(history.next, 6 * MIB);
        assert!(history.streak >= SURELY_SEQUENTIAL);
        assert_eq!(history.behind(LATE), 0, "what it asks for has not been dropped");
    }

    #[test]
    fn a_jump_starts_another_stream_and_leaves_those_that_are_needed() {
        let history = after(&[0..BLOCK, 50 * MIB..50 * MIB + BLOCK]);
        let stream = |id, needed| Running {
            id,
            first: id * 100 * MIB,
            at: id * 100 * MIB,
            until: id * 100 * MIB,
            sealed: false,
            begun: true,
            needed,
        };
        let ask = 50 * MIB..50 * MIB + BLOCK;
        let start = Step::Start { from: 50 * MIB, until: 50 * MIB + BLOCK, sealed: false };
        let plan = |running: &[Running]| {
            plan(&history, &ask, Some(ask.start), running, 1 << 30, Terms { window: MIB, ..NEARBY })
        };
        assert_eq!(plan(&[stream(1, true)]), [start]);
        assert_eq!(plan(&[stream(1, false)]), [Step::Stop { id: 1 }, start]);
        let mut running: Vec<_> = (1..=4).map(|id| stream(id, true)).collect();
        assert_eq!(plan(&running), [], "all of them are waited for");
        running[2].needed = false;
        assert_eq!(plan(&running), [Step::Stop { id: 3 }, start]);
    }

    #[test]
    fn a_random_read_from_afar_fetches_what_it_asks_for_and_ends_what_was_fetched_before() {
        let asks = [7 * MIB + 4096..7 * MIB + 8192, 50 * MIB + 4096..50 * MIB + 8192];
        let history = after(&asks);
        let old = |needed| Running {
            id: 1,
            first: asks[0].start,
            at: asks[0].end,
            until: asks[0].end,
            sealed: false,
            begun: true,
            needed,
        };
        let start = Step::Start { from: asks[1].start, until: asks[1].end, sealed: false };
        let plan = |old| plan(&history, &asks[1], Some(asks[1].start), &[old], 1 << 30, FAR);
        assert_eq!(plan(old(false)), [Step::Stop { id: 1 }, start]);
        assert_eq!(plan(old(true)), [start], "somebody else waits for that one");
    }

    #[test]
    fn a_short_jump_reads_on_where_that_is_no_slower() {
        let first = 50 * MIB..50 * MIB + 4096;
        let history = after(std::slice::from_ref(&first));
        let stream = |brought| Running {
            id: 1,
            first: 50 * MIB - brought,
            at: 50 * MIB,
            until: 50 * MIB,
            sealed: false,
            begun: true,
            needed: false,
        };
        let plan = |brought, by| {
            let ask = 50 * MIB + by..50 * MIB + by + 4096;
            plan(&history, &ask, Some(ask.start), &[stream(brought)], 1 << 30, FAR)
        };
        let on = |by| Step::Extend { id: 1, until: 50 * MIB + by + 4096 };
        assert_eq!(plan(4096, 16 << 10), [on(16 << 10)]);
        assert_eq!(plan(4096, 512 << 10).len(), 2, "it has only just begun");
        assert_eq!(plan(2 * MIB, 512 << 10), [on(512 << 10)]);
        assert_eq!(plan(2 * MIB, 2 * MIB).len(), 2);
    }

    #[test]
    fn who_reads_on_at_several_places_keeps_their_streams() {
        let ask = |place: u64, i: u64| place * 100 * MIB + i * BLOCK..place * 100 * MIB + (i + 1) * BLOCK;
        let mut asks: Vec<_> = (0..3).flat_map(|i| [ask(1, i), ask(2, i)]).collect();
        let idle = Running {
            id: 1,
            first: 0,
            at: ask(2, 2).end,
            until: ask(2, 2).end,
            sealed: false,
            begun: true,
            needed: false,
        };
        asks.push(ask(1, 3));
        let start = Step::Start { from: ask(1, 3).start, until: ask(1, 3).end, sealed: false };
        assert_eq!(plan(&after(&asks), &ask(1, 3), Some(ask(1, 3).start), &[idle], 1 << 30, FAR), [start]);
    }

    #[test]
    fn reading_from_memory_keeps_the_stream_ahead() {
        let history = after(&[0..BLOCK, BLOCK..2 * BLOCK, 2 * BLOCK..3 * BLOCK]);
        let stream =
            Running { id: 1, first: 0, at: 4 * BLOCK, until: 4 * BLOCK, sealed: false, begun: true, needed: false };
        let steps = plan(&history, &(2 * BLOCK..3 * BLOCK), None, &[stream], 1 << 30, NEARBY);
        assert_eq!(steps, [Step::Extend { id: 1, until: 3 * BLOCK + MIB }]);
    }

    proptest! {
        /// Whatever runs where, and however it got there: what is missing is on its way, or nothing more may begin.
        #[test]
        fn nothing_that_is_missing_is_left_to_chance(
            before in prop::collection::vec((0u64..40, 1u64..8), 1..12),
            streams in prop::collection::vec((0u64..320, 0u64..80, 0u64..80, any::<[bool; 3]>()), 0..6),
            (at, len) in (0u64..40 * 8, 1u64..8),
            lanes in 1usize..9,
        ) {
            let size = 40 * MIB + 17;
            let ask = at * BLOCK..((at + len) * BLOCK).min(size);
            let mut history = after(&before.iter().map(|(at, len)| at * MIB..at * MIB + len * BLOCK).collect::<Vec<_>>());
            history.note(&ask);
            let running: Vec<_> = streams.iter().enumerate().map(|(id, &(first, brought, left, [sealed, begun, needed]))| {
                let (first, at) = (first * BLOCK, (first + brought) * BLOCK);
                Running { first, at, until: at + left * BLOCK, sealed, begun, needed, id: id as u64 }
            }).collect();
            let terms = Terms { window: 32 * MIB, lanes, ..FAR };
            let mut ways: Vec<_> = running.iter().map(|r| (Some(r.id), r.at..r.until)).collect();
            let steps = plan(&history, &ask, Some(ask.start), &running, size, terms);
            for step in &steps {
                match *step {
                    Step::Start { from, until, .. } => ways.push((None, from..until)),
                    Step::Extend { id, until } => ways.iter_mut().filter(|w| w.0 == Some(id)).for_each(|w| w.1.end = until),
                    Step::Rebase { id, from } => ways.iter_mut().filter(|w| w.0 == Some(id)).for_each(|w| w.1.start = from),
                    Step::Stop { id } => ways.retain(|w| w.0 != Some(id)),
                    Step::Seal { .. } => {}
                }
            }
            let waits = running.iter().filter(|r| r.needed).count() >= MOST_STREAMS;
            prop_assert!(waits || ways.iter().any(|w| w.1.contains(&ask.start)), "{ask:?} of {running:?}: {steps:?}");
        }

        /// Whatever is asked: what is missing is on its way afterwards, unless all streams are waited for already; and
        /// nothing beyond the file or the window is.
        #[test]
        fn what_is_missing_is_on_its_way(
            size in 1u64..1 << 45,
            asks in prop::collection::vec((0u64..1 << 45, 1u64..1 << 20), 1..20),
            streams in prop::collection::vec((0u64..1 << 45, 0u64..1 << 24, any::<bool>(), any::<bool>()), 0..=MOST_STREAMS),
            exact: bool,
        ) {
            let terms = Terms { exact, ..NEARBY };
            let mut history = History::default();
            let mut ask = 0..1;
            for (start, len) in asks {
                let start = start % size;
                ask = start..(start + len).min(size);
                history.note(&ask);
            }
            let running: Vec<_> = streams.iter().enumerate().map(|(i, &(at, more, begun, needed))| {
                let at = at % size;
                Running { id: i as u64, first: at / 2, at, until: (at + more).min(size), sealed: false, begun, needed }
            }).collect();
            let steps = plan(&history, &ask, Some(ask.start), &running, size, terms);
            let mut after = running.clone();
            for step in &steps {
                match *step {
                    Step::Start { from, until, .. } => after.push(Running { id: 99, first: from, at: from, until, sealed: false, begun: false, needed: true }),
                    Step::Seal { .. } => unreachable!("there is but one lane"),
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
                    prop_assert!(until <= size && until <= ask.end + terms.window + BLOCK);
                }
            }
        }
    }
}
