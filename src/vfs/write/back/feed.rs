//! What feeds an upload of sealed content, and tells the journal how far it is.

use std::io;
use std::sync::Arc;

use super::Back;
use super::entry::Entry;
use crate::base::{Recall, Urgency};
use crate::remote::{RemotePath, Settings, Stored, Version};
use crate::vfs::write::put::{CHUNK, Feed, Next};

/// Feeds an upload from content that does not change.
pub(super) struct SealedFeed<'a> {
    pub(super) back: &'a Back,
    pub(super) entry: &'a Entry,
    pub(super) target: &'a RemotePath,
    pub(super) recall: Arc<Recall>,
}

impl Feed for SealedFeed<'_> {
    fn begin(&mut self, recall: &Arc<Recall>) {
        self.recall = Arc::clone(recall);
        self.entry.begin(recall);
    }

    fn is_stopped(&self) -> bool {
        self.entry.is_stopped()
    }

    fn hurries(&self) -> bool {
        true
    }

    fn next(&mut self, sent: u64, carried: u64, resumes: bool) -> Next {
        if self.entry.is_stopped() {
            return Next::Stop;
        }
        self.entry.progress(sent);
        self.back.progressed();
        let quantum = match self.recall.asked() {
            Urgency::None => u64::MAX,
            Urgency::Turn | Urgency::Now => QUANTUM,
        };
        if sent >= self.entry.job.len {
            Next::Finish
        } else if resumes && carried >= quantum {
            Next::Yield
        } else {
            Next::Send(self.entry.job.len.min(sent + CHUNK as u64))
        }
    }

    fn read(&mut self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        self.entry.spool.read_at(at, buf)
    }

    fn kept_from(&self) -> u64 {
        0
    }

    fn settings(&mut self) -> Settings {
        self.entry.carry()
    }

    fn part(&mut self, part: &RemotePath) -> io::Result<()> {
        let own = part == self.target;
        self.back.journal.part(self.entry.id, part)?;
        self.entry.writes_to(Some(part.clone()).filter(|_| !own), own);
        Ok(())
    }

    fn stored(&mut self, stored: &Stored) -> io::Result<()> {
        let version = stored.version.clone().unwrap_or(Version { size: self.entry.job.len, mtime: None, unique: None });
        self.back.journal.stored(self.entry.id, &version)?;
        self.entry.publish();
        Ok(())
    }
}

/// Bytes that an upload brings before it gives way.
const QUANTUM: u64 = 4 << 20;
