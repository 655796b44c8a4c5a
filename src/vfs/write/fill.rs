//! Fetches what a file needs of its old content before it can be uploaded as a whole.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::{FileWriter, disk};
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::remote::ErrorKind;
use crate::vfs::error::{Fault, Result};
use crate::vfs::read::{Data, FileReader};

impl FileWriter {
    /// Brings all missing bytes into the spool.
    ///
    /// # Errors
    /// The file has changed on the server, the transfer breaks, the spool is full.
    pub(super) fn fill(&self) -> Result<()> {
        let mut silences = 0;
        loop {
            let (next, reader) = {
                let state = self.state.lock();
                if state.shape.punched > 0 {
                    return Err(Fault::SpoolFull.into());
                }
                let missing = state.shape.missing(&(0..state.shape.len));
                let Some(first) = missing.into_iter().next() else { return Ok(()) };
                let base = state.base.as_ref().ok_or(ErrorKind::Changed)?;
                (first.start..first.end.min(first.start + PIECE), Arc::clone(&base.reader))
            };
            match fetch(&reader, &next, self.shared.timeout) {
                Ok(data) => self.put_under(&next, &data)?,
                // Uploads of ours may have had all connections.
                Err(e) if e.fault == Fault::Remote(ErrorKind::TimedOut) && silences < MOST_SILENCES => {
                    silences += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Puts old bytes where nothing has been written meanwhile.
    fn put_under(&self, range: &Range<u64>, data: &Data) -> Result<()> {
        let mut state = self.state.lock();
        let mut done = Ok(());
        data.with(|bytes| {
            let end = range.start + bytes.len() as u64;
            for gap in state.shape.missing(&(range.start..end)) {
                let piece = &bytes[(gap.start - range.start) as usize..(gap.end - range.start) as usize];
                done = state.spool.write_at(gap.start, piece).map_err(|e| disk(&e).into());
                if done.is_err() {
                    return;
                }
                state.shape.fetched(&gap);
            }
            if bytes.is_empty() && state.shape.old > range.start {
                // The reader knows no such bytes: the file is another one.
                done = Err(ErrorKind::Changed.into());
            }
        });
        done
    }
}

/// Reads `range` and waits for it.
fn fetch(reader: &Arc<FileReader>, range: &Range<u64>, timeout: Duration) -> Result<Data> {
    struct Answer {
        slot: Ranked<Option<Result<Data>>, 63>,
        gate: Gate,
    }
    let answer = Arc::new(Answer { slot: Ranked::new(None), gate: Gate::default() });
    let told = Arc::clone(&answer);
    let len = (range.end - range.start) as u32;
    reader.read(
        range.start,
        len,
        Box::new(move |data| {
            *told.slot.lock() = Some(data);
            told.gate.open();
        }),
    );
    loop {
        let seen = answer.gate.ticket();
        if let Some(data) = answer.slot.lock().take() {
            return data;
        }
        // The reader answers at its own deadline, unless a line that is alive puts it off.
        if !answer.gate.wait(seen, Deadline::after(timeout * PATIENCE)) {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// Timeouts, one after the other, before what is missing counts as out of reach.
const MOST_SILENCES: u32 = 3;

/// A reader tells a failure again for so long, before it asks once more.
pub(super) const PAUSE: Duration = Duration::from_millis(1100);

/// Bytes fetched at a time.
const PIECE: u64 = 1 << 20;

/// Timeouts that one piece may take on a slow line.
const PATIENCE: u32 = 20;
