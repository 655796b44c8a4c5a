//! One stream: a `RETR` that fills blocks, waits while it is far enough ahead, and is taken up again where it broke.

mod kept;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, warn};

use super::{FileReader, Reading, State, Stream, broken};
use crate::base::{Deadline, Recall, Urgency};
use crate::remote::{Download, Error, ErrorKind, Result, Retry, Version};
use crate::store::{BLOCK, BlockKey, Buffer, FileId, KeptFile};
use crate::vfs::error::Fault;

/// Runs a stream to its end.
pub(super) fn run(mut end: End) {
    let (reader, id) = (&Arc::clone(&end.reader), end.id);
    let mut failures = 0;
    while let Some(mut attempt) = Attempt::begin(reader, id) {
        attempt.hasty = failures == 0;
        let outcome = attempt.run();
        if attempt.reached() > attempt.from {
            failures = 0;
        }
        let recall = attempt.save();
        match outcome {
            Ok(()) => {}
            Err(e) if e.retry == Retry::Never || failures == MOST_FAILURES => {
                end.error = Some(e);
                return;
            }
            Err(e) => {
                debug!("a transfer broke off: {e}");
                failures += 1;
                pause(reader, id, &recall, failures);
            }
        }
    }
    end.error = None;
}

/// Waits a little before another attempt, unless the stream is not wanted any more.
fn pause(reader: &FileReader, id: u64, recall: &Recall, failures: u32) {
    let until = Deadline::after(FIRST_PAUSE * 2u32.pow(failures));
    loop {
        let seen = recall.gate.ticket();
        let wanted = {
            let state = reader.state.lock();
            !state.closed && state.streams.iter().any(|s| s.run.id == id)
        };
        if !wanted || !recall.gate.wait(seen, until) {
            return;
        }
    }
}

/// Takes the stream out when its thread ends, however it ends and if it never begins, and sees to those who wait for it.
pub(super) struct End {
    reader: Arc<FileReader>,
    id: u64,
    error: Option<Error>,
}

impl End {
    pub(super) fn new(reader: &Arc<FileReader>, id: u64) -> Self {
        Self { reader: Arc::clone(reader), id, error: Some(Error::new(ErrorKind::Protocol, "RETR")) }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let reader = &self.reader;
        let mut state = reader.state.lock();
        let mine = state.streams.iter().position(|s| s.run.id == self.id).map(|at| state.streams.remove(at));
        let mut answers = reader.settle(&mut state, None);
        let mut failed = Vec::new();
        if let Some(error) = self.error.take().map(broken) {
            // Only those who waited for this stream; the others go on waiting for theirs, or get one now.
            let (lost, rest) = std::mem::take(&mut state.waiters)
                .into_iter()
                .partition::<Vec<_>, _>(|w| mine.as_ref().is_some_and(|s| s.serves(w)));
            state.waiters = rest;
            if !lost.is_empty() {
                state.failed = Some((Instant::now(), error.fault));
                failed.push(error.to_string());
            }
            answers.extend(lost.into_iter().map(|w| (w.reply, Err(error.echo()))));
            if error.fault == Fault::Remote(ErrorKind::Changed) {
                reader.outdate(&mut state);
            }
        }
        if state.changed {
            let late = std::mem::take(&mut state.waiters);
            answers.extend(late.into_iter().map(|w| (w.reply, Err(ErrorKind::Changed.into()))));
        }
        let started = if state.closed { Vec::new() } else { reader.serve_orphans(&mut state) };
        reader.count(&mut state);
        drop(state);
        for error in failed {
            warn!("{}: a read fails: {error}", reader.shown());
        }
        reader.shared.give(answers);
        reader.launch(started);
    }
}

/// One `RETR` of a stream.
struct Attempt<'a> {
    reader: &'a Arc<FileReader>,
    shared: &'a Reading,
    id: u64,
    recall: Arc<Recall>,
    file: FileId,
    version: Version,
    /// The first byte in `buffer`, which has the place in it that it has in its block; what came before is in memory.
    at: u64,
    /// Bytes from there on that have arrived.
    filled: usize,
    buffer: Buffer,
    /// Where more has to be wanted, as far as is known here.
    until: u64,
    /// Where this attempt began, and when.
    from: u64,
    since: Instant,
    /// It is the first: another one may help if nothing comes at all.
    hasty: bool,
    /// No other version will do, and the server has to say so.
    firm: bool,
    /// What the disk may have of this file.
    on_disk: Option<Arc<KeptFile>>,
    /// The disk is to keep what comes.
    keeps: bool,
    /// Blocks before this one were looked for on the disk.
    looked: u64,
}

/// What a stream is to do next.
enum Next {
    Read,
    /// Far enough ahead.
    Park,
    /// Let the connection go; the stream goes on later if it is still wanted.
    Yield,
}

impl<'a> Attempt<'a> {
    /// None where the stream is not wanted any more.
    fn begin(reader: &'a Arc<FileReader>, id: u64) -> Option<Self> {
        let shared = &*reader.shared;
        let mut state = reader.state.lock();
        if state.closed || state.changed {
            return None;
        }
        let (file, version, firm) = (state.file, state.version.clone(), state.firm);
        let State { streams, waiters, .. } = &mut *state;
        let stream = streams.iter_mut().find(|s| s.run.id == id)?;
        let waited_for = waiters.iter().any(|w| stream.serves(w));
        // What was recalled or broken off while nobody waits is taken up again when somebody asks.
        if stream.run.at >= stream.run.until || (stream.run.begun && !waited_for) {
            return None;
        }
        stream.run.begun = true;
        stream.recall = Arc::default();
        let recall = Arc::clone(&stream.recall);
        let at = stream.run.at;
        let (buffer, filled) = stream.partial.take().unwrap_or_else(|| (shared.blocks.buffer(), 0));
        let (from, since) = (at + filled as u64, Instant::now());
        Some(Self {
            reader,
            shared,
            id,
            recall,
            file,
            version,
            at,
            filled,
            buffer,
            until: 0,
            from,
            since,
            hasty: false,
            firm,
            on_disk: None,
            keeps: false,
            looked: 0,
        })
    }

    /// Leaves what has arrived of an unfinished block to the next attempt.
    fn save(self) -> Arc<Recall> {
        let Self { reader, id, file, at, filled, buffer, recall, .. } = self;
        let mut state = reader.state.lock();
        if filled > 0 && state.file == file {
            state.with(id, |s| {
                if s.run.at == at {
                    s.partial = Some((buffer, filled));
                }
            });
        }
        recall
    }

    /// Where `at` lies in its block.
    fn offset(&self) -> usize {
        (self.at % BLOCK) as usize
    }

    /// The next byte to arrive.
    fn reached(&self) -> u64 {
        self.at + self.filled as u64
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.shared.timeout)
    }

    /// When the next bytes, or the end, must have come. A channel may be dead although everybody agreed on it (pyftpdlib 2.2.0,
    /// where other clients than ours have it connect to them as well), or be waiting for a retransmission long after the line is
    /// back. A share of the time leaves some for another.
    fn patience(&self) -> Deadline {
        let whole = self.deadline();
        if self.hasty { whole.min_after(self.shared.timeout / HASTE) } else { whole }
    }

    fn run(&mut self) -> Result<()> {
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        if self.bring_from_disk(&path) {
            return Ok(());
        }
        let mut download = self.shared.remote.download(&path, self.from, &self.recall, self.deadline())?;
        if let Some(found) = download.version().filter(|v| !self.is_same(v)).cloned() {
            self.finish(download);
            return self.other_version(&found);
        }
        self.since = Instant::now();
        self.keeps = self.may_keep(download.version());
        if let Some(delay) = download.round_trip() {
            self.shared.line.answered_within(delay);
        }
        loop {
            // In the middle of a block there is little to decide.
            let next = if self.filled > 0 && self.reached() < self.until && self.recall.asked() == Urgency::None {
                Some(Next::Read)
            } else {
                self.next()
            };
            match next {
                None | Some(Next::Yield) => {
                    self.finish(download);
                    return Ok(());
                }
                Some(Next::Park) => continue,
                Some(Next::Read) => {}
            }
            let left = self.version.size - self.reached();
            let end = self.offset() + self.filled;
            let room = (BLOCK as usize - end).min(usize::try_from(left).unwrap_or(usize::MAX));
            let deadline = self.patience();
            let got = download.read(&mut self.buffer.as_mut_slice()[end..end + room], deadline)?;
            self.filled += got;
            let whole = self.reached() == self.version.size;
            if got == 0 {
                return self.ended_short(download);
            } else if whole {
                // What has all its bytes and no end is fetched anew from its last block on: behind that there is nothing to ask for.
                return self.ended(download).inspect_err(|_| self.filled = 0);
            } else if self.ends_here() {
                return self.ended_before_another(download).inspect_err(|_| self.filled = 0);
            } else if got == room {
                self.keep_block();
                if self.goes_on_on_disk() {
                    return self.leave_to_disk(&path, download);
                }
            } else {
                self.show_part();
                if self.reached() >= self.until {
                    // Whoever asks for some of it later is to find it.
                    self.keep_block();
                }
            }
        }
    }

    /// Looks at what is wanted now; waits while nothing is. None where the stream is to end.
    fn next(&self) -> Option<Next> {
        let seen = self.recall.gate.ticket();
        let patience = {
            let mut state = self.reader.state.lock();
            let state = &mut *state;
            let stream = state.streams.iter().find(|s| s.run.id == self.id);
            if state.closed || state.changed || state.file != self.file {
                return None;
            }
            stream.as_ref()?;
            if state.is_in_the_way(self.id) {
                state.streams.retain(|s| s.run.id != self.id);
                return None;
            }
            let stream = state.streams.iter().find(|s| s.run.id == self.id)?;
            let (until, sealed) = (stream.run.until, stream.run.sealed);
            let done = self.reached() >= until;
            let (pulse, too_far) = (stream.pulse, !done && self.is_too_far(state));
            state.stalled |= too_far;
            let parked = done || too_far;
            // Whoever is recalled again and again must have brought something each time, or its readers starve.
            let (idle, brought) = (state.waiters.is_empty(), self.reached() - self.from);
            // What is all but here is sooner done than given up, and would be fetched again.
            let nearly = !parked && until - self.reached() <= BLOCK;
            let give_way = match self.recall.asked() {
                Urgency::None => false,
                _ if nearly => false,
                Urgency::Turn => parked || idle || brought >= QUANTUM,
                Urgency::Now => parked || idle || brought > 0,
            };
            if give_way {
                return Some(Next::Yield);
            }
            if !parked {
                return Some(Next::Read);
            }
            if state.resting || (done && sealed) {
                state.streams.retain(|s| s.run.id != self.id);
                return None;
            }
            let patience = if state.history.jumps() { LINGER } else { PARKED };
            pulse.unwrap_or(self.since) + patience
        };
        if !self.recall.gate.wait(seen, Deadline::at(patience)) {
            // Nobody has asked for more: decided under the lock, so that no ask counts on this stream.
            let mut state = self.reader.state.lock();
            let done = |s: &Stream| s.run.id == self.id && self.reached() >= s.run.until;
            if state.streams.iter().any(done) || self.is_too_far(&state) {
                state.streams.retain(|s| s.run.id != self.id);
                return None;
            }
        }
        Some(Next::Park)
    }

    /// Whether the reader has to take some of what is here first: its streams may not bring more than its share of the memory.
    fn is_too_far(&self, state: &State) -> bool {
        !state.is_waited_for(self.id) && state.ahead() > self.shared.share()
    }

    /// The block is complete (or the last one of the file), or no more of it is wanted.
    fn keep_block(&mut self) {
        let next = self.shared.blocks.buffer();
        let mut buffer = std::mem::replace(&mut self.buffer, next);
        let key = BlockKey { file: self.file, index: self.at / BLOCK };
        let end = self.offset() + self.filled;
        let begin = self.shared.blocks.join(&key, &mut buffer, self.offset());
        let block = buffer.fill(begin..end);
        if begin == 0 && (end == BLOCK as usize || self.reached() == self.version.size) {
            self.keep_on_disk(&block);
        }
        self.shared.blocks.put(key, block);
        self.shared.line.arrived(self.filled as u64, self.reached() - self.from, self.since);
        self.at += self.filled as u64;
        self.filled = 0;
        self.answer(None);
    }

    /// Answers those whom the part of the block that is here already serves.
    fn show_part(&mut self) {
        let begin = self.offset();
        self.answer(Some(begin..begin + self.filled));
    }

    /// Answers those who have all that they wait for; `part` of the buffer is none of a block yet.
    fn answer(&mut self, part: Option<Range<usize>>) {
        let mut state = self.reader.state.lock();
        state.with(self.id, |s| {
            s.run.at = self.at;
            s.pulse = Some(Instant::now());
            self.until = s.run.until;
        });
        // Another version may have been found meanwhile: these bytes are none of its.
        if state.file != self.file {
            return;
        }
        let tail = part.map(|part| (self.at, &self.buffer.as_slice()[part]));
        let answers = self.reader.settle(&mut state, tail);
        // What somebody needs next may be another stream's, which waits for its reader, or nobody's.
        let others = state.streams.iter().filter(|s| state.stalled && s.run.id != self.id);
        let needed = others.filter(|s| state.waiters.iter().any(|w| s.serves(w)));
        needed.for_each(|s| s.recall.gate.open());
        let started = self.reader.serve_orphans(&mut state);
        drop(state);
        self.shared.give(answers);
        self.reader.launch(started);
    }

    /// An end in the middle: the connection is given back if the server stays in step.
    fn finish(&self, download: Box<dyn Download>) {
        if let Err(e) = download.finish(self.deadline()) {
            debug!("the end of a transfer: {e}");
        }
    }

    /// Whether another stream brings what follows.
    fn ends_here(&self) -> bool {
        let ends = |s: &Stream| s.run.id == self.id && s.run.sealed && self.reached() >= s.run.until;
        self.reached() >= self.until && !self.is_brief() && self.reader.state.lock().streams.iter().any(ends)
    }

    /// All bytes of this piece are here. As at the [end of the file](Self::ended), the last of them do not count before the
    /// server has said that it is still the same one: other streams bring other pieces of it at other times.
    fn ended_before_another(&mut self, download: Box<dyn Download>) -> Result<()> {
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        // At once, where that needs no waiting for this connection.
        let early = self.shared.remote.has_spare(0);
        let asked = early.then(|| self.shared.remote.version(&path, self.deadline()));
        self.finish(download);
        match asked.unwrap_or_else(|| self.shared.remote.version(&path, self.deadline()))? {
            Some(now) if !self.is_same(&now) => self.other_version(&now),
            _ => {
                self.keep_block();
                Ok(())
            }
        }
    }

    fn is_brief(&self) -> bool {
        self.since.elapsed() < UNCHECKED_TIME && self.reached() - self.from < UNCHECKED_SIZE
    }

    /// All bytes are here. A transfer that took long or brought much is checked before its last block counts: a file
    /// that was rewritten meanwhile in place would be a mixture.
    fn ended(&mut self, mut download: Box<dyn Download>) -> Result<()> {
        let brief = self.is_brief();
        let grown = download.read(&mut [0], self.patience())? > 0;
        if brief && !grown {
            self.keep_block();
            return download.finish(self.deadline());
        }
        if grown {
            self.finish(download);
        } else {
            download.finish(self.deadline())?;
        }
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        match self.shared.remote.version(&path, self.deadline())? {
            Some(now) if !self.is_same(&now) => self.other_version(&now),
            None if grown => Err(changed()),
            _ => {
                self.keep_block();
                Ok(())
            }
        }
    }

    /// The data ended before the file's size: a file that has shrunk, or a transfer that was cut.
    fn ended_short(&self, download: Box<dyn Download>) -> Result<()> {
        download.finish(self.deadline())?;
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        match self.shared.remote.version(&path, self.deadline())? {
            Some(now) if !self.is_same(&now) => self.other_version(&now),
            _ => Err(Error::new(ErrorKind::Unreachable, "RETR")
                .with_reply(format!("{} bytes of {} came", self.reached(), self.version.size))
                .with_retry(Retry::Safe)),
        }
    }

    /// Whether `found` is what is being read; a time of modification that we have set ourselves makes no other version.
    fn is_same(&self, found: &Version) -> bool {
        found.agrees(&self.version) || self.shared.nodes.is_version(self.reader.ino, self.file, found)
    }

    fn other_version(&self, found: &Version) -> Result<()> {
        self.forget_on_disk();
        if self.reader.rebind(self.id, found) { Ok(()) } else { Err(changed()) }
    }
}

fn changed() -> Error {
    Error::new(ErrorKind::Changed, "RETR")
}

/// Attempts in a row that may fail without bringing a byte.
const MOST_FAILURES: u32 = 3;

/// The first attempt gets this part of the time for its next bytes.
const HASTE: u32 = 3;

/// Pause before the second attempt; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that a stream may bring before it gives way to another one that waits.
const QUANTUM: u64 = 1 << 20;

/// How long a stream may wait to be wanted again: servers cut a stalled reader after a minute.
const PARKED: Duration = Duration::from_secs(10);

/// The same where nothing speaks for it: what the server goes on sending meanwhile fills the line for nothing.
const LINGER: Duration = Duration::from_millis(100);

/// A transfer within both of these is taken for one moment: small files are not worth another round trip.
const UNCHECKED_TIME: Duration = Duration::from_secs(1);
const UNCHECKED_SIZE: u64 = 1 << 20;
