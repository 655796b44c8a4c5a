//! From the bytes of a journal to the items that are left. Pure.

use std::collections::BTreeMap;

use super::JournalId;
use super::record::{Items, Record, Step, VERSION, apply, decode_header};

/// What a journal says.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// All items, also ended ones.
    pub(super) items: Items,
    /// Items with a hole in their history: nobody knows where they belong or whether they have ended.
    pub(super) doubtful: Vec<JournalId>,
    /// Lines that are no records. The last one is not counted if it may be torn.
    pub(super) damaged: usize,
    /// All lines.
    pub(super) lines: usize,
    /// Whether it can be appended to as it is.
    pub(super) clean: bool,
    /// An id that no item has had.
    pub(super) next: u64,
}

/// Reads a journal.
///
/// Each record was on the disk before the next one was written. So only the last line can be torn, by a crash during its
/// write, and nobody has been told that it was written: it counts as never written. A line elsewhere that is no record was
/// one; the items of which it may have been are [`doubtful`](Replay::doubtful).
///
/// # Errors
/// The version, where it is one that this program does not know.
pub(super) fn replay(bytes: &[u8]) -> Result<Replay, u32> {
    let mut replay = Replay { clean: true, ..Replay::default() };
    let mut holes = Holes::default();
    let mut lines = bytes.split_inclusive(|&b| b == b'\n').peekable();
    while let Some(line) = lines.next() {
        replay.lines += 1;
        let (last, first) = (lines.peek().is_none(), replay.lines == 1);
        replay.clean &= line.ends_with(b"\n");
        match decode_header(line) {
            Some(VERSION) if first => continue,
            Some(version) if first => return Err(version),
            _ => {}
        }
        match Record::decode(line) {
            Some(record) if !first => {
                replay.next = replay.next.max(record.step.id.0.saturating_add(1));
                record.steps().for_each(|step| holes.see(step));
                apply(&mut replay.items, record);
            }
            // Blocks that were never written read as zeros; what was written once has none.
            _ if last && (!line.ends_with(b"\n") || line.contains(&0)) => replay.clean = false,
            _ => {
                replay.clean = false;
                replay.damaged += 1;
                Record::guess(line).into_iter().for_each(|step| holes.miss(step));
            }
        }
    }
    replay.clean &= replay.lines > 0;
    replay.doubtful = replay.items.keys().copied().filter(|id| holes.any(*id)).collect();
    Ok(replay)
}

/// Which steps of each item were seen, and which of them may have been in damaged lines.
#[derive(Default)]
struct Holes(BTreeMap<JournalId, History>);

#[derive(Default)]
struct History {
    next: u64,
    gap: bool,
    missed: Option<u64>,
}

impl Holes {
    fn see(&mut self, Step { id, count }: Step) {
        let history = self.0.entry(id).or_default();
        history.gap |= count != history.next;
        history.next = count.saturating_add(1);
    }

    fn miss(&mut self, Step { id, count }: Step) {
        let history = self.0.entry(id).or_default();
        history.missed = history.missed.max(Some(count));
    }

    fn any(&self, id: JournalId) -> bool {
        self.0.get(&id).is_some_and(|h| h.gap || h.missed.is_some_and(|count| count >= h.next))
    }
}
