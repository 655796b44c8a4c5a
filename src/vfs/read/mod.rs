//! Reading an open file: blocks from memory, streams that run ahead of the reader, reads parked until their bytes come.
//!
//! A read that finds all its bytes is answered at once. Any other is *parked*: it leaves its reply here and its thread
//! goes. The fetch thread that brings the last missing byte answers it, or the failure does, or the [`Keeper`] when its
//! deadline comes. So no thread of the kernel's ever waits for the network.
//!
//! A reader is bound to one version of the file. Each transfer tells the version right before its first byte; a
//! different one ends the reader with `Changed`, so that two versions are never mixed.
//!
//! [`Keeper`]: super::keeper::Keeper

mod data;
mod disk;
mod early;
mod fetch;
mod line;
mod parked;
mod plan;
mod shared;
mod whole;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::{debug, info};

pub use self::data::Data;
pub(crate) use self::disk::Disk;
use self::fetch::End;
use self::parked::{Got, Waiter};
use self::plan::{Asked, History, MOST_STREAMS, Running, Step, Terms, plan};
pub(crate) use self::shared::Reading;
use super::error::{Error, Fault, Result};
use super::node::{Ino, Known};
use crate::base::Recall;
use crate::base::sync::Ranked;
use crate::remote::{ErrorKind, Version};
use crate::store::{BLOCK, Buffer, FileId};

/// What is done with the outcome of a read.
pub type ReadReply = Box<dyn FnOnce(Result<Data>) + Send>;

/// An open file.
pub(crate) struct FileReader {
    ino: Ino,
    shared: Arc<Reading>,
    /// Whether it belongs to a handle.
    counted: AtomicBool,
    state: Ranked<State, 10>,
}

struct State {
    /// What this handle reads.
    file: FileId,
    version: Version,
    history: History,
    streams: Vec<Stream>,
    waiters: Vec<Waiter>,
    /// Whether a byte of `version` has been handed out: from then on no other version will do.
    served: bool,
    /// The file is no longer `version`: every further read fails.
    changed: bool,
    /// A failure not long ago: what is asked right behind it fails alike, instead of waiting once more.
    failed: Option<(Instant, Fault)>,
    closed: bool,
    /// Blocks before this one have been dropped behind the reader.
    dropped: u64,
    /// The keeper will come by.
    watched: bool,
    /// It has streams, and counts as one of those who share the memory.
    sharing: bool,
    /// How far all streams together have been told to go, also those that have ended by now.
    reach: u64,
    /// A stream waits until the reader has taken more of what is here.
    stalled: bool,
    /// Nothing is to be fetched ahead until somebody reads.
    resting: bool,
    /// What is read becomes a part of what is written: the server has to say that it is still this version.
    firm: bool,
}

struct Stream {
    run: Running,
    recall: Arc<Recall>,
    /// When the last byte arrived.
    pulse: Option<Instant>,
    /// The beginning of the block at `run.at`, left over from a transfer that ended within it.
    partial: Option<(Buffer, usize)>,
}

impl Stream {
    fn new(run: Running) -> Self {
        Self { run, recall: Arc::default(), pulse: None, partial: None }
    }

    /// Whether the next byte that `waiter` needs is on its way here.
    fn serves(&self, waiter: &Waiter) -> bool {
        self.brings(waiter.missing())
    }

    fn brings(&self, at: u64) -> bool {
        (self.run.at..self.run.until).contains(&at)
    }
}

/// An answer that is ready, to be given when no lock is held.
type Answer = (ReadReply, Result<Data>);

impl FileReader {
    pub(crate) fn new(ino: Ino, file: FileId, version: Version, shared: Arc<Reading>) -> Arc<Self> {
        let state = State {
            file,
            version,
            history: History::default(),
            streams: Vec::new(),
            waiters: Vec::new(),
            served: false,
            changed: false,
            failed: None,
            closed: false,
            dropped: 0,
            watched: false,
            sharing: false,
            reach: 0,
            stalled: false,
            resting: false,
            firm: false,
        };
        Arc::new(Self { ino, shared, counted: AtomicBool::new(false), state: Ranked::new(state) })
    }

    /// Reads up to `len` bytes at `at`; fewer only at the end of the file. `reply` is called once, now or later.
    pub(crate) fn read(self: &Arc<Self>, at: u64, len: u32, reply: ReadReply) {
        let mut state = self.state.lock();
        if self.has_changed(&mut state) {
            drop(state);
            return reply(Err(ErrorKind::Changed.into()));
        }
        let asked = at.saturating_add(u64::from(len));
        let ask = at..asked.min(state.version.size);
        if ask.start >= ask.end {
            drop(state);
            return reply(Ok(Data::Bytes(Vec::new())));
        }
        state.resting = false;
        state.history.note(&ask);
        if state.stalled {
            state.go_on();
        }
        let got = Got::new(&ask, &self.shared.blocks, state.file);
        let missing = got.missing(&ask);
        if missing.is_some()
            && let Some(fault) = state.failure()
        {
            drop(state);
            return reply(Err(fault.into()));
        }
        let started = self.advance(&mut state, &ask, missing);
        self.drop_behind(&mut state);
        if let Some(data) = got.data(&ask, None) {
            self.hand_out(&mut state);
            drop(state);
            reply(Ok(data));
        } else {
            let deadline = Instant::now() + self.shared.timeout;
            state.waiters.push(Waiter::new(ask, asked, deadline, reply, got));
            let watch = !std::mem::replace(&mut state.watched, true);
            drop(state);
            if watch {
                self.shared.keeper.watch(deadline, self);
            }
        }
        self.launch(started);
    }

    /// The handle is closed: streams end, nobody waits any more.
    pub(crate) fn close(&self) {
        let waiters = {
            let mut state = self.state.lock();
            state.closed = true;
            state.streams.iter().for_each(|s| s.recall.gate.open());
            std::mem::take(&mut state.waiters)
        };
        if self.counted.load(Ordering::Relaxed) {
            self.shared.nodes.closed(self.ino);
        }
        self.shared.line.given_up();
        self.shared.remove(self);
        for waiter in waiters {
            (waiter.reply)(Err(ErrorKind::Cancelled.into()));
        }
    }

    /// Fetches nothing ahead any more until somebody reads.
    fn rest(&self) {
        let mut state = self.state.lock();
        let State { waiters, streams, resting, reach, .. } = &mut *state;
        (*resting, *reach) = (true, 0);
        for stream in streams {
            let wanted = waiters.iter().filter(|w| stream.serves(w)).map(|w| w.range.end).max();
            stream.run.until = stream.run.until.min(wanted.unwrap_or(stream.run.at));
            stream.recall.gate.open();
        }
    }

    /// Answers the reads whose deadline has come and whose stream stands still; tells when to look again.
    pub(crate) fn expire(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut overdue = Vec::new();
        let mut state = self.state.lock();
        let State { waiters, streams, .. } = &mut *state;
        for mut waiter in std::mem::take(waiters) {
            // A slow line may take its time, a silent one may not.
            let pulse = streams.iter().filter(|s| s.serves(&waiter)).filter_map(|s| s.pulse).max();
            waiter.deadline = waiter.deadline.max(pulse.map_or(waiter.deadline, |pulse| pulse + self.shared.timeout));
            if waiter.deadline <= now { overdue.push(waiter.reply) } else { waiters.push(waiter) }
        }
        let next = waiters.iter().map(|w| w.deadline).min();
        state.watched = next.is_some();
        if !overdue.is_empty() {
            state.failed = Some((now, Fault::Remote(ErrorKind::TimedOut)));
        }
        drop(state);
        for reply in overdue {
            reply(Err(ErrorKind::TimedOut.into()));
        }
        next
    }

    /// Whether the file is no longer what this handle has read of.
    fn has_changed(&self, state: &mut State) -> bool {
        state.changed |= state.served && !self.shared.nodes.is_bound(self.ino, state.file);
        state.changed
    }

    /// No other version will do from now on, and what is fetched comes from the server.
    pub(crate) fn hold_to_version(&self) {
        let mut state = self.state.lock();
        state.firm = true;
        self.hand_out(&mut state);
    }

    /// Bytes of this version are about to leave: from now on no other one will do, for any handle of the file.
    fn hand_out(&self, state: &mut State) {
        if !state.served {
            state.served = true;
            self.shared.nodes.hand_out(self.ino, state.file);
        }
    }

    /// Lets go of what a sequential reader has passed: memory that is used again soon is still in the CPU's cache.
    fn drop_behind(&self, state: &mut State) {
        let needed = state.waiters.iter().map(|w| w.range.start).min().unwrap_or(u64::MAX);
        let keep = state.history.behind(self.shared.tail()).min(needed) / BLOCK;
        if keep > state.dropped {
            // A reader that has jumped ahead has nothing between to drop.
            let from = state.dropped.max(keep.saturating_sub(MOST_DROPPED));
            self.shared.blocks.drop_behind(state.file, from..keep);
            state.dropped = keep;
        }
    }

    /// Plans for `ask` and carries it out; returns the streams that need a thread.
    fn advance(&self, state: &mut State, ask: &Range<u64>, missing: Option<u64>) -> Vec<u64> {
        let needed = |s: &Stream| state.waiters.iter().any(|w| s.serves(w));
        let running: Vec<_> = state.streams.iter().map(|s| Running { needed: needed(s), ..s.run }).collect();
        let terms = Terms { present: self.present(state, missing), ..self.terms(state, ask) };
        let asked = Asked { ask, missing, running: &running, size: state.version.size, terms };
        let steps = plan(&state.history, asked);
        let mut started = Vec::new();
        let stopped = |r: &&Running| steps.iter().any(|step| matches!(step, Step::Stop { id } if *id == r.id));
        let given_up = running.iter().filter(stopped).any(|r| r.until > ask.end);
        for step in steps {
            match step {
                Step::Start { from, until, sealed } => {
                    let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
                    state.streams.push(Stream::new(Running::new(id, from..until, sealed)));
                    started.push(id);
                }
                Step::Extend { id, until } => state.with(id, |s| {
                    (s.run.until, s.run.sealed) = (until, false);
                    s.recall.gate.open();
                }),
                Step::Rebase { id, from } => state.with(id, |s| (s.run.first, s.run.at) = (from, from)),
                Step::Seal { id } => state.with(id, |s| {
                    s.run.sealed = true;
                    s.recall.gate.open();
                }),
                Step::Stop { id } => {
                    // Its thread finds itself gone and ends.
                    state.with(id, |s| s.recall.gate.open());
                    state.streams.retain(|s| s.run.id != id);
                }
            }
        }
        // Of one who reads here and there nobody knows what is ahead.
        let old = if state.history.is_in_order() && !given_up { state.reach } else { 0 };
        state.reach = state.streams.iter().map(|s| s.run.until).fold(old, u64::max);
        self.count(state);
        started
    }

    /// Where something is here behind `missing`, which a stream has left out that broke off.
    fn present(&self, state: &State, missing: Option<u64>) -> Option<u64> {
        let comes = |missing: &u64| state.streams.iter().any(|s| s.brings(*missing));
        let missing = missing.filter(|missing| *missing < state.reach && !comes(missing))?;
        let behind = missing / BLOCK + 1..state.reach.min(missing.saturating_add(MOST_LEFT_OUT)).div_ceil(BLOCK);
        self.shared.blocks.first(state.file, behind).map(|index| index * BLOCK)
    }

    /// What may be fetched for this reader now.
    fn terms(&self, state: &State, ask: &Range<u64>) -> Terms {
        let shared = &self.shared;
        if !shared.line.is_known() {
            shared.remote.delay().into_iter().for_each(|delay| shared.line.answered_within(delay));
        }
        let rest = state.version.size.saturating_sub(ask.end);
        let mut lanes = shared.line.lanes(rest);
        if lanes > 1 {
            // Those that have not begun are still to take a connection.
            let unbegun = state.streams.iter().filter(|s| !s.run.begun).count();
            let more = shared.remote.spare().saturating_sub(unbegun);
            lanes = lanes.min(state.streams.len() + more).max(1);
        }
        Terms { reach: state.reach, ..shared.terms(lanes, usize::from(!state.sharing)) }
    }

    /// Counts the reader among those who share the memory as long as it has streams.
    fn count(&self, state: &mut State) {
        let sharing = !state.streams.is_empty();
        if sharing != std::mem::replace(&mut state.sharing, sharing) {
            let _ = if sharing {
                self.shared.sharing.fetch_add(1, Ordering::Relaxed)
            } else {
                self.shared.sharing.fetch_sub(1, Ordering::Relaxed)
            };
        }
    }

    fn launch(self: &Arc<Self>, started: Vec<u64>) {
        for id in started {
            let end = End::new(self, id);
            self.shared.fetchers.run(move || fetch::run(end));
        }
    }

    /// Takes out the waiters that can be answered now.
    fn settle(&self, state: &mut State, tail: Option<(u64, &[u8])>) -> Vec<Answer> {
        let mut answers: Vec<Answer> = Vec::new();
        let mut i = 0;
        while i < state.waiters.len() {
            let file = state.file;
            let waiter = &mut state.waiters[i];
            waiter.look(&self.shared.blocks, file);
            match waiter.data(tail) {
                Some(data) => answers.push((state.waiters.swap_remove(i).reply, Ok(data))),
                None => i += 1,
            }
        }
        if !answers.is_empty() {
            self.hand_out(state);
            if self.has_changed(state) {
                answers.iter_mut().for_each(|(_, data)| *data = Err(ErrorKind::Changed.into()));
            }
        }
        answers
    }

    /// Starts streams for waiters that none of the running ones serves, as far as there may be more.
    fn serve_orphans(&self, state: &mut State) -> Vec<u64> {
        let mut started = Vec::new();
        for i in 0..state.waiters.len() {
            if state.is_orphan(&state.waiters[i]) {
                let (range, missing) = (state.waiters[i].range.clone(), state.waiters[i].missing());
                started.extend(self.advance(state, &range, Some(missing)));
            }
        }
        started
    }

    /// The file is another one now. All of this happens before anyone is told: who hears of it asks for attributes next.
    fn outdate(&self, state: &mut State) {
        let Reading { nodes, dirs, kernel, .. } = &*self.shared;
        // Where the inode stands for another content already there is nobody to tell: we have stored one ourselves, say.
        if !std::mem::replace(&mut state.changed, true) && nodes.is_bound(self.ino, state.file) {
            nodes.unbind(self.ino);
            dirs.forget(nodes.parent(self.ino));
            kernel.forget_content(self.ino);
        }
    }

    /// Another version has been found under the name: reads on with it if nothing of the old one was handed out.
    ///
    /// But never with a shorter one: until the kernel has heard of the new size it fills up a short answer with zeros.
    fn rebind(&self, id: u64, version: &Version) -> bool {
        let Reading { nodes, dirs, kernel, blocks, .. } = &*self.shared;
        let mut state = self.state.lock();
        let longer = version.size >= state.version.size;
        let file = (longer && !state.served).then(|| nodes.rebind(self.ino, state.file, version, || blocks.new_file()));
        let Some(Some(file)) = file else {
            self.outdate(&mut state);
            drop(state);
            info!("{} has changed on the server since it was opened", self.shown());
            return false;
        };
        state.file = file;
        state.version = version.clone();
        (state.dropped, state.reach) = (0, 0);
        state.waiters.iter_mut().for_each(|waiter| waiter.start_over(version.size));
        // The other streams bring the old version; who waits for them is served anew when this one ends.
        state.streams.retain(|s| {
            s.run.id == id || {
                s.recall.gate.open();
                false
            }
        });
        let first = state.waiters.iter().map(|w| w.range.start).min().unwrap_or(0) / BLOCK * BLOCK;
        let last = state.waiters.iter().map(|w| w.range.end).max().unwrap_or(0);
        state.with(id, |s| {
            s.partial = None;
            s.run.at = s.run.at.min(first);
            s.run.first = s.run.at;
            s.run.until = s.run.until.max(last).min(version.size);
        });
        drop(state);
        if let Some(Known { mut meta, since, exact }) = nodes.known(self.ino) {
            let Version { size, mtime, unique } = version.clone();
            (meta.size, meta.mtime, meta.unique) = (Some(size), mtime.or(meta.mtime), unique.or(meta.unique));
            nodes.update(self.ino, Known { meta, since, exact });
        }
        debug!("{} has changed since it was listed: reading the new version", self.shown());
        dirs.forget(nodes.parent(self.ino));
        kernel.forget_size(self.ino);
        kernel.forget_content(self.ino);
        true
    }

    /// The file's name for the log.
    fn shown(&self) -> String {
        let path = self.shared.nodes.path(self.ino);
        path.map_or_else(|| format!("inode {}", self.ino.0), |path| path.to_string())
    }
}

impl State {
    /// Why what is not in memory is not worth asking for again just now.
    fn failure(&mut self) -> Option<Fault> {
        let (at, fault) = self.failed?;
        if at.elapsed() < FAILURE_HOLDS {
            return Some(fault);
        }
        self.failed = None;
        None
    }

    /// Streams that wait for their reader look again.
    fn go_on(&mut self) {
        self.stalled = false;
        self.streams.iter().for_each(|s| s.recall.gate.open());
    }

    fn is_waited_for(&self, id: u64) -> bool {
        self.streams.iter().any(|s| s.run.id == id && self.waiters.iter().any(|w| s.serves(w)))
    }

    /// The bytes that are here beyond what was asked for.
    fn ahead(&self) -> u64 {
        let from = self.history.next();
        let ahead = self.streams.iter().map(|s| s.run).filter(|r| r.until > from);
        let to_come = ahead.map(|r| r.until.saturating_sub(r.at.max(from))).sum();
        self.reach.saturating_sub(from).saturating_sub(to_come)
    }

    /// Whether nobody is on the way to what `waiter` needs.
    fn is_orphan(&self, waiter: &Waiter) -> bool {
        !self.streams.iter().any(|s| s.serves(waiter))
    }

    /// Whether stream `id`, for which nobody waits, keeps somebody from getting one.
    fn is_in_the_way(&self, id: u64) -> bool {
        self.streams.len() >= MOST_STREAMS && !self.is_waited_for(id) && self.waiters.iter().any(|w| self.is_orphan(w))
    }

    fn with(&mut self, id: u64, f: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.streams.iter_mut().find(|s| s.run.id == id) {
            f(stream);
        }
    }
}

/// Most bytes that one stream runs ahead of its reader.
const MOST_AHEAD: u64 = 16 << 20;

/// Copying so much takes longer than waking another thread.
const LARGE_ANSWER: usize = 256 * 1024;

/// How far is looked for what is here behind what is missing.
const MOST_LEFT_OUT: u64 = 64 << 20;

/// Blocks dropped at a time.
const MOST_DROPPED: u64 = 64;

/// Threads that copy large answers.
const REPLIERS: usize = 2;

/// Transfers that may be under way or waiting for a connection at once.
const MOST_FETCHES: usize = 64;

/// How long a failure is told to further reads of the same handle without trying again: the kernel asks twice.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// For [`Error`] values made here.
fn broken(error: crate::remote::Error) -> Error {
    let fault = match error.kind {
        ErrorKind::Unreachable | ErrorKind::Protocol => Fault::Broken,
        // It was there when it was opened.
        ErrorKind::NotFound => Fault::Remote(ErrorKind::Changed),
        kind => Fault::Remote(kind),
    };
    Error { fault, source: Some(error) }
}
