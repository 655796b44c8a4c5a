//! Reading a file that is being written: what was written comes from the spool, the rest is the server's old content.

use std::ops::Range;
use std::sync::Arc;

use super::{FileWriter, disk};
use crate::remote::ErrorKind;
use crate::vfs::error::Result;
use crate::vfs::read::{Data, FileReader, ReadReply};

impl FileWriter {
    /// Reads up to `len` bytes at `at`; fewer only at the end of the file. `reply` is called once, now or later.
    pub(crate) fn read(self: &Arc<Self>, at: u64, len: u32, reply: ReadReply) {
        let mut state = self.state.lock();
        let range = at..at.saturating_add(u64::from(len)).min(state.shape.len);
        if range.start >= range.end {
            drop(state);
            return reply(Ok(Data::Bytes(Vec::new())));
        }
        if range.start < state.shape.punched {
            drop(state);
            return reply(Err(ErrorKind::Busy.into()));
        }
        let missing = state.shape.missing(&range);
        if let Some(transfer) = state.transfer.as_mut().filter(|it| !missing.is_empty() && it.is_tail()) {
            transfer.closing.get_or_insert(transfer.sent);
            let wake = transfer.wake();
            state.reads.push((at, len, reply));
            drop(state);
            if let Some(recall) = wake {
                recall.gate.open();
            }
            return;
        }
        let landings = state.landings;
        let base = state.base.as_ref().map(|base| Arc::clone(&base.reader));
        let spool = Arc::clone(&state.spool);
        drop(state);
        match (missing.first(), missing.last(), base) {
            (Some(first), Some(last), Some(base)) => {
                let (begin, wanted) = (first.start, (last.end - first.start) as u32);
                let writer = Arc::clone(self);
                let from = Arc::clone(&base);
                base.read(
                    begin,
                    wanted,
                    Box::new(move |data| match data {
                        // An upload has begun or has been completed meanwhile: its outcome is what lies below now.
                        Err(_) if !writer.is_based_on(&from) || writer.is_whole() => writer.read(at, len, reply),
                        Err(e) => reply(Err(e)),
                        Ok(data) => match writer.mix(&range, begin, &data, landings) {
                            Some(mixed) => reply(mixed),
                            // What was here when this began has been stored and given up since.
                            None => writer.read(at, len, reply),
                        },
                    }),
                );
            }
            _ => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                let read = spool.read_at(range.start, &mut bytes);
                reply(read.map(|()| Data::Bytes(bytes)).map_err(|e| disk(&e).into()));
            }
        }
    }

    fn is_based_on(&self, reader: &Arc<FileReader>) -> bool {
        let state = self.state.lock();
        state.transfer.as_ref().is_none_or(|transfer| !transfer.is_tail())
            && state.base.as_ref().is_none_or(|base| Arc::ptr_eq(&base.reader, reader))
    }

    /// Puts old bytes, which begin at `begin`, under what has been written since; None where something has been stored since
    /// there were so many `landings`: other bytes may be old by now.
    fn mix(&self, range: &Range<u64>, begin: u64, old: &Data, landings: u64) -> Option<Result<Data>> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let state = self.state.lock();
        if state.landings != landings {
            return None;
        }
        let known = (state.shape.old.min(range.end).saturating_sub(begin)) as usize;
        old.with(|old| {
            let offset = (begin - range.start) as usize;
            let count = old.len().min(known).min(bytes.len() - offset);
            bytes[offset..offset + count].copy_from_slice(&old[..count]);
        });
        for part in state.shape.present.overlaps(range) {
            let into = (part.start - range.start) as usize..(part.end - range.start) as usize;
            if let Err(e) = state.spool.read_at(part.start, &mut bytes[into]) {
                return Some(Err(disk(&e).into()));
            }
        }
        // A truncation may have come in between.
        bytes.truncate(state.shape.len.saturating_sub(range.start).min(range.end - range.start) as usize);
        Some(Ok(Data::Bytes(bytes)))
    }
}
