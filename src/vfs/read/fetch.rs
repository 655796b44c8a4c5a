//! One stream: a `RETR` that fills blocks, waits while it is far enough ahead, and is taken up again where it broke.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{debug, warn};

use super::{FileReader, Locked, Reading, broken};
use crate::base::{Deadline, Recall, Urgency};
use crate::remote::{Download, Error, ErrorKind, Result, Retry, Version};
use crate::store::{BLOCK, BlockKey, Buffer, FileId};
use crate::vfs::error::Fault;

/// Runs stream `id` of `reader` to its end.
pub(super) fn run(reader: &Arc<FileReader>, id: u64) {
    let mut end = End { reader, id, error: Some(Error::new(ErrorKind::Protocol, "RETR")) };
    let mut failures = 0;
    let mut reached = None;
    while let Some(attempt) = Attempt::begin(reader, id) {
        if reached.is_some_and(|at| at < attempt.at) {
            failures = 0;
        }
        reached = Some(attempt.at);
        let recall = Arc::clone(&attempt.recall);
        match attempt.run() {
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

/// Takes the stream out when its thread ends, however it ends, and sees to those who wait for it.
struct End<'a> {
    reader: &'a Arc<FileReader>,
    id: u64,
    error: Option<Error>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let reader = self.reader;
        reader.shared.streams.fetch_sub(1, Ordering::Relaxed);
        let mut state = reader.state.lock();
        state.streams.retain(|s| s.run.id != self.id);
        let Some(error) = self.error.take() else {
            let answers = reader.settle(&mut state, 0, None);
            let started = if state.closed { Vec::new() } else { reader.serve_orphans(&mut state) };
            drop(state);
            reader.shared.give(answers);
            return reader.launch(started);
        };
        let error = broken(error);
        // Waiters that another stream serves go on waiting.
        let mut failed = Vec::new();
        let mut i = 0;
        while i < state.waiters.len() {
            let range = &state.waiters[i].range;
            if state.streams.iter().any(|s| s.run.at <= range.start && range.start < s.run.until) {
                i += 1;
            } else {
                failed.push(state.waiters.swap_remove(i).reply);
            }
        }
        if !failed.is_empty() {
            state.failed = Some((Instant::now(), error.fault));
        }
        state.changed |= error.fault == Fault::Remote(ErrorKind::Changed);
        drop(state);
        if !failed.is_empty() {
            warn!("{}: a read fails: {error}", reader.shown());
        }
        for reply in failed {
            reply(Err(error.echo()));
        }
    }
}

/// One `RETR` of a stream.
struct Attempt<'a> {
    reader: &'a FileReader,
    shared: &'a Reading,
    id: u64,
    recall: Arc<Recall>,
    file: FileId,
    version: Version,
    /// Where the block under way begins; blocks before it are in memory.
    at: u64,
    /// Bytes of it that have arrived, in `buffer`.
    filled: usize,
    buffer: Buffer,
    /// Where this attempt began, and when.
    from: u64,
    since: Instant,
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
    fn begin(reader: &'a FileReader, id: u64) -> Option<Self> {
        let shared = &*reader.shared;
        let mut state = reader.state.lock();
        if state.closed || state.changed {
            return None;
        }
        let (file, version) = (state.file, state.version.clone());
        let waited_for = !state.waiters.is_empty();
        let stream = state.streams.iter_mut().find(|s| s.run.id == id)?;
        // What was recalled or broken off while nobody waits is taken up again when somebody asks.
        if stream.run.at >= stream.run.until || (stream.run.begun && !waited_for) {
            return None;
        }
        stream.run.begun = true;
        stream.recall = Arc::default();
        let recall = Arc::clone(&stream.recall);
        let at = stream.run.at;
        let buffer = shared.blocks.buffer();
        Some(Self { reader, shared, id, recall, file, version, at, filled: 0, buffer, from: at, since: Instant::now() })
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.shared.timeout)
    }

    fn run(mut self) -> Result<()> {
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        let mut download = self.shared.remote.download(&path, self.at, &self.recall, self.deadline())?;
        if let Some(found) = download.version().filter(|v| !v.agrees(&self.version)).cloned() {
            self.finish(download);
            return self.other_version(&found);
        }
        self.since = Instant::now();
        loop {
            // In the middle of a block there is little to decide.
            let next =
                if self.filled > 0 && self.recall.asked() == Urgency::None { Some(Next::Read) } else { self.next() };
            match next {
                None | Some(Next::Yield) => {
                    self.finish(download);
                    return Ok(());
                }
                Some(Next::Park) => continue,
                Some(Next::Read) => {}
            }
            let left = self.version.size - self.at - self.filled as u64;
            let room = (BLOCK as usize - self.filled).min(usize::try_from(left).unwrap_or(usize::MAX));
            let deadline = self.deadline();
            let into = &mut self.buffer.as_mut_slice()[self.filled..self.filled + room];
            let got = download.read(into, deadline)?;
            self.filled += got;
            let whole = self.at + self.filled as u64 == self.version.size;
            if got == 0 {
                return self.ended_short(download);
            } else if whole {
                return self.ended(download);
            } else if self.filled == BLOCK as usize {
                self.keep_block();
            } else {
                self.show_part();
            }
        }
    }

    /// Looks at what is wanted now; waits while nothing is. None where the stream is to end.
    fn next(&self) -> Option<Next> {
        let seen = self.recall.gate.ticket();
        let idle = {
            let mut state = self.reader.state.lock();
            let state = &mut *state;
            let stream = state.streams.iter_mut().find(|s| s.run.id == self.id);
            if state.closed || state.changed {
                return None;
            }
            let stream = stream?;
            let parked = self.filled == 0 && stream.run.at >= stream.run.until;
            // Whoever is recalled again and again must have brought something each time, or its readers starve.
            let (idle, brought) = (state.waiters.is_empty(), stream.run.at - self.from);
            let give_way = match self.recall.asked() {
                Urgency::None => false,
                Urgency::Turn => parked || idle || brought >= QUANTUM,
                Urgency::Now => parked || idle || brought > 0,
            };
            if give_way {
                return Some(Next::Yield);
            }
            if !parked {
                return Some(Next::Read);
            }
            stream.pulse
        };
        if !self.recall.gate.wait(seen, Deadline::at(idle + PARKED)) {
            // Nobody has asked for more: decided under the lock, so that no ask counts on this stream.
            let mut state = self.reader.state.lock();
            if state.streams.iter().any(|s| s.run.id == self.id && s.run.at >= s.run.until) {
                state.streams.retain(|s| s.run.id != self.id);
                return None;
            }
        }
        Some(Next::Park)
    }

    /// The block is complete (or the last one of the file).
    fn keep_block(&mut self) {
        let next = self.shared.blocks.buffer();
        let block = std::mem::replace(&mut self.buffer, next).fill(self.filled);
        self.shared.blocks.put(BlockKey { file: self.file, index: self.at / BLOCK }, block);
        self.at += self.filled as u64;
        self.filled = 0;
        let mut state = self.progress();
        let answers = self.reader.settle(&mut state, self.at, None);
        drop(state);
        self.shared.give(answers);
    }

    /// Answers those whom the part of the block that is here already serves.
    fn show_part(&mut self) {
        let mut state = self.progress();
        let tail = (self.at, &self.buffer.as_slice()[..self.filled]);
        let answers = self.reader.settle(&mut state, self.at + self.filled as u64, Some(tail));
        drop(state);
        self.shared.give(answers);
    }

    fn progress(&self) -> Locked<'a> {
        let mut state = self.reader.state.lock();
        state.with(self.id, |s| {
            s.run.at = self.at;
            s.pulse = Instant::now();
        });
        state
    }

    /// An end in the middle: the connection is given back if the server stays in step.
    fn finish(&self, download: Box<dyn Download>) {
        if let Err(e) = download.finish(self.deadline()) {
            debug!("the end of a transfer: {e}");
        }
    }

    /// All bytes are here. A transfer that took long or brought much is checked before its last block counts: a file
    /// that was rewritten meanwhile in place would be a mixture.
    fn ended(mut self, mut download: Box<dyn Download>) -> Result<()> {
        if self.since.elapsed() < UNCHECKED_TIME && self.at - self.from < UNCHECKED_SIZE {
            self.keep_block();
            if download.read(&mut [0], self.deadline())? == 0 {
                download.finish(self.deadline())?;
            } else {
                debug!("{} has grown", self.reader.shown());
                self.finish(download);
            }
            return Ok(());
        }
        let grown = download.read(&mut [0], self.deadline())? > 0;
        if grown {
            self.finish(download);
        } else {
            download.finish(self.deadline())?;
        }
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        match self.shared.remote.version(&path, self.deadline())? {
            Some(now) if !now.agrees(&self.version) => self.other_version(&now),
            None if grown => Err(changed()),
            _ => {
                self.keep_block();
                Ok(())
            }
        }
    }

    /// The data ended before the file's size: a file that has shrunk, or a transfer that was cut.
    fn ended_short(self, download: Box<dyn Download>) -> Result<()> {
        download.finish(self.deadline())?;
        let path = self.shared.nodes.path(self.reader.ino).ok_or_else(changed)?;
        match self.shared.remote.version(&path, self.deadline())? {
            Some(now) if !now.agrees(&self.version) => self.other_version(&now),
            _ => Err(Error::new(ErrorKind::Unreachable, "RETR")
                .with_reply(format!("{} bytes of {} came", self.at + self.filled as u64, self.version.size))
                .with_retry(Retry::Safe)),
        }
    }

    fn other_version(&self, found: &Version) -> Result<()> {
        if self.reader.rebind(found) { Ok(()) } else { Err(changed()) }
    }
}

fn changed() -> Error {
    Error::new(ErrorKind::Changed, "RETR")
}

/// Attempts in a row that may fail without bringing a byte.
const MOST_FAILURES: u32 = 3;

/// Pause before the second attempt; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that a stream may bring before it gives way to another one that waits.
const QUANTUM: u64 = 1 << 20;

/// How long a stream may wait to be wanted again: servers cut a stalled reader after a minute.
const PARKED: Duration = Duration::from_secs(10);

/// A transfer within both of these is taken for one moment: small files are not worth another round trip.
const UNCHECKED_TIME: Duration = Duration::from_secs(1);
const UNCHECKED_SIZE: u64 = 1 << 20;
