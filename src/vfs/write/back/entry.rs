//! A sealed file on its way to the server, and who may do what with it when.
//!
//! It waits, is taken by the one who sends it, and waits again where that fails or is told to leave off; at last it is done.
//! What was closed later waits for what was closed before it of the same path, and replaces it where the server cannot have
//! seen anything of that yet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use log::debug;

use super::{Back, FIRST_PAUSE, LAST_PAUSE};
use crate::base::sync::Ranked;
use crate::base::{Deadline, Recall};
use crate::remote::{RemotePath, Settings, Version};
use crate::store::{Job, JournalId, Spool};
use crate::vfs::error::Fault;
use crate::vfs::write::FileWriter;

/// A sealed file on its way.
pub(in crate::vfs::write) struct Entry {
    pub(in crate::vfs::write) id: JournalId,
    /// Who goes on with the file here; nobody yet for what an earlier mount has left and no program has looked at.
    writer: OnceLock<Arc<FileWriter>>,
    left_over: bool,
    pub(super) spool: Arc<Spool>,
    pub(super) job: Job,
    pub(super) since: Instant,
    /// Bytes that are on their way, for those who wait.
    pub(super) sent: AtomicU64,
    state: Ranked<State, 46>,
}

struct State {
    stage: Stage,
    /// What has to be stored before.
    after: Option<Arc<Entry>>,
    /// Not to be tried before: what was closed just now is often given its times and its name next.
    again: Option<Instant>,
    pause: Duration,
    /// Time and mode as they are wanted now, and as the last attempt has set them.
    set: Settings,
    carried: Option<Settings>,
    /// The server may have it under its own name, whole or in part: nobody has heard the answer.
    published: bool,
    /// It was being written under its own name.
    torn: bool,
    /// A temporary file of an earlier attempt, which may still be there.
    part: Option<RemotePath>,
    /// How the one who sends it is woken.
    recall: Option<Arc<Recall>>,
    /// The one who sends it is to leave off.
    stop: bool,
    /// Somebody waits for it: the attempt under way is not to be followed by a pause.
    hurried: bool,
    /// Those who hold it still, so that nobody sends it.
    held: usize,
    /// How often the server has said no, and what last: it is tried again all the same.
    refusals: (u64, Option<Fault>),
    /// What the server has of it.
    landed: Option<Version>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    /// A later one is about to take its place.
    Retiring,
    /// Somebody stores it.
    Taken,
    /// It is stored, dropped, replaced, or given up.
    Done(Option<Fault>),
}

/// Whether an entry can be stored.
pub(super) enum Readiness {
    Ready,
    /// It pauses.
    Later(Instant),
    /// Another one comes first.
    Blocked,
    /// It is taken, or done.
    Nothing,
}

impl Entry {
    pub(super) fn new(
        id: JournalId,
        writer: Option<Arc<FileWriter>>,
        spool: Arc<Spool>,
        job: Job,
        after: Option<Arc<Self>>,
        part: Option<RemotePath>,
    ) -> Self {
        let torn = part.as_ref() == Some(&job.path);
        let state = State {
            stage: Stage::Waiting,
            after,
            again: None,
            pause: Duration::ZERO,
            set: Settings { mtime: Some(job.mtime), mode: job.mode },
            carried: None,
            published: torn,
            torn,
            part: part.filter(|_| !torn),
            recall: None,
            stop: false,
            hurried: false,
            held: 0,
            refusals: (0, None),
            landed: None,
        };
        let left_over = writer.is_none();
        let writer = writer.map_or_else(OnceLock::new, OnceLock::from);
        let (since, sent) = (Instant::now(), AtomicU64::new(0));
        Self { id, writer, left_over, spool, job, since, sent, state: Ranked::new(state) }
    }

    /// It is not to be tried before.
    pub(super) fn ripens(self, at: Instant) -> Self {
        self.state.lock().again = Some(at);
        self
    }

    /// Where it belongs.
    pub(super) fn path(&self) -> RemotePath {
        self.writer().and_then(|writer| writer.path()).unwrap_or_else(|| self.job.path.clone())
    }

    /// Who goes on with the file here.
    pub(super) fn writer(&self) -> Option<&Arc<FileWriter>> {
        self.writer.get()
    }

    /// From now on `writer` goes on with what an earlier mount has left; false where somebody does so already.
    pub(super) fn adopt(&self, writer: &Arc<FileWriter>) -> bool {
        self.writer.set(Arc::clone(writer)).is_ok()
    }

    /// Whether an earlier mount has left it.
    pub(super) fn is_left_over(&self) -> bool {
        self.left_over
    }

    /// Whether the server has seen nothing of it that anybody else can see, and nobody is about to change that.
    pub(in crate::vfs::write) fn is_unseen(&self) -> bool {
        // Nobody knows how far the earlier mount has come.
        if self.left_over {
            return false;
        }
        let (unseen, after) = {
            let state = self.state.lock();
            (state.stage == Stage::Waiting && !state.published, state.after.clone())
        };
        unseen && after.is_none_or(|after| after.done().is_some())
    }

    /// Whether nobody sends it now.
    pub(in crate::vfs::write) fn is_still(&self) -> bool {
        self.state.lock().stage != Stage::Taken
    }

    /// How it ended, if it has.
    pub(in crate::vfs::write) fn done(&self) -> Option<Option<Fault>> {
        if let Stage::Done(fault) = self.state.lock().stage { Some(fault) } else { None }
    }

    /// What the server has of it, once it is stored.
    pub(super) fn landed(&self) -> Option<Version> {
        self.state.lock().landed.clone()
    }

    /// Whether it has to wait for `other`.
    pub(super) fn follows(&self, other: &Arc<Self>) -> bool {
        self.state.lock().after.as_ref().is_some_and(|after| Arc::ptr_eq(after, other))
    }

    /// What it follows, as long as that is not done.
    pub(super) fn after(&self) -> Option<Arc<Self>> {
        self.state.lock().after.clone()
    }

    /// This and all that it follows, as far as they are not done: the newest first.
    pub(in crate::vfs::write) fn chain(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let mut chain = Vec::new();
        let mut next = Some(Arc::clone(self));
        while let Some(entry) = next.filter(|entry| entry.done().is_none()) {
            next = entry.after();
            chain.push(entry);
        }
        chain
    }

    pub(super) fn readiness(&self, now: Instant) -> Readiness {
        let (again, after) = {
            let state = self.state.lock();
            if state.stage != Stage::Waiting {
                return Readiness::Nothing;
            }
            (state.again, state.after.clone())
        };
        match (again, after) {
            (_, Some(after)) if after.done().is_none() => Readiness::Blocked,
            (Some(at), _) if at > now => Readiness::Later(at),
            _ => Readiness::Ready,
        }
    }

    /// Claims it, unless somebody has, its file is about to move, or another one comes first.
    pub(super) fn take(&self) -> bool {
        if !matches!(self.readiness(Instant::now()), Readiness::Ready) {
            return false;
        }
        // The writer's lock first: a rename that has begun is finished before anything is sent.
        let writer = self.writer().map(|writer| writer.state.lock());
        if writer.as_ref().is_some_and(|state| state.frozen > 0) {
            return false;
        }
        let mut state = self.state.lock();
        let mine = state.stage == Stage::Waiting && state.held == 0;
        if mine {
            state.stage = Stage::Taken;
            state.stop = false;
        }
        mine
    }

    /// It is not stored yet and may be tried again; after a pause where it has failed.
    pub(super) fn put_back(&self, failed: bool) {
        let mut state = self.state.lock();
        if state.stage == Stage::Taken {
            state.stage = Stage::Waiting;
        }
        state.recall = None;
        state.again = None;
        let hurried = std::mem::take(&mut state.hurried);
        if failed && !hurried {
            state.pause = (state.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
            state.again = Some(Instant::now() + state.pause);
        }
    }

    /// The server, which was reached, does not take it for now.
    pub(super) fn refused(&self, fault: Fault) {
        let mut state = self.state.lock();
        state.refusals = (state.refusals.0 + 1, Some(fault));
    }

    /// How often that was so, and what it said last.
    pub(super) fn refusals(&self) -> (u64, Option<Fault>) {
        self.state.lock().refusals
    }

    /// What it said last, if that was since it had been so often.
    pub(super) fn refused_since(&self, before: u64) -> Option<Fault> {
        let (count, fault) = self.refusals();
        fault.filter(|_| count > before && self.done().is_none())
    }

    /// Whoever waits for it does not want it to pause.
    pub(super) fn hurry(&self) {
        let mut state = self.state.lock();
        state.again = None;
        state.hurried = state.stage == Stage::Taken;
    }

    /// A later one takes its place, if the server cannot have seen anything of it.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state.lock();
        let may = state.stage == Stage::Waiting && !state.published;
        if may {
            state.stage = Stage::Retiring;
        }
        may
    }

    /// It stays after all.
    pub(super) fn stay(&self) {
        self.state.lock().stage = Stage::Waiting;
    }

    /// That was it.
    pub(in crate::vfs::write) fn end(&self, fault: Option<Fault>, landed: Option<Version>) {
        let mut state = self.state.lock();
        state.stage = Stage::Done(fault);
        state.landed = landed;
        // A chain of all that ever was at one path would stay in memory.
        let after = state.after.take();
        drop(state);
        drop(after);
    }

    /// The one who sends it is to leave off.
    pub(in crate::vfs::write) fn stop(&self) {
        let recall = {
            let mut state = self.state.lock();
            state.stop = true;
            state.recall.clone()
        };
        if let Some(recall) = recall {
            recall.gate.open();
        }
    }

    /// Waits until nobody sends it. Nobody does from then on, until it is [freed](Self::free).
    pub(in crate::vfs::write) fn halt(&self, back: &Back, deadline: Deadline) -> bool {
        self.state.lock().held += 1;
        self.stop();
        let still = back.wait(|| self.is_still(), deadline);
        if !still {
            self.free();
        }
        still
    }

    /// Who has halted it does not mind any more.
    pub(in crate::vfs::write) fn free(&self) {
        let mut state = self.state.lock();
        state.held = state.held.saturating_sub(1);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state.lock().stop
    }

    pub(super) fn begin(&self, recall: &Arc<Recall>) {
        self.state.lock().recall = Some(Arc::clone(recall));
    }

    pub(super) fn progress(&self, sent: u64) {
        self.sent.store(sent, Ordering::Relaxed);
    }

    /// Takes newer settings along: the next attempt sets them, or whoever finds that the last one did not.
    pub(in crate::vfs::write) fn set(&self, back: &Back, settings: Settings) {
        let all = {
            let mut state = self.state.lock();
            state.set = settings.or(state.set);
            state.set
        };
        if let Err(e) = back.journal.set(self.id, all.mtime.unwrap_or(self.job.mtime), all.mode) {
            debug!("{}: {e}", self.job.path);
        }
    }

    /// What is to be set now.
    pub(super) fn carry(&self) -> Settings {
        let mut state = self.state.lock();
        state.carried = Some(state.set);
        state.set
    }

    /// What the last attempt has set.
    pub(super) fn carried(&self) -> Option<Settings> {
        self.state.lock().carried
    }

    /// The temporary file that is to be removed before another one is made.
    pub(super) fn part(&self) -> Option<RemotePath> {
        self.state.lock().part.clone()
    }

    /// Where an attempt writes to from now on; its own path where it is not temporary.
    pub(super) fn writes_to(&self, part: Option<RemotePath>, own: bool) {
        let mut state = self.state.lock();
        state.part = part;
        state.torn |= own;
        state.published |= own;
    }

    /// It is about to get its name on the server.
    pub(super) fn publish(&self) {
        self.state.lock().published = true;
    }

    /// Whether a piece of it may stand under its own name.
    pub(super) fn is_torn(&self) -> bool {
        self.state.lock().torn
    }
}
