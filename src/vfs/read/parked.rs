//! A read that waits for bytes.

use std::ops::Range;
use std::time::Instant;

use super::{Data, ReadReply};
use crate::store::{BLOCK, Block, BlockKey, Blocks, FileId};

/// A read that waits, and what it has got so far.
pub(super) struct Waiter {
    /// What was asked for, as far as the file goes.
    pub(super) range: Range<u64>,
    /// Where it would end in a file without end.
    pub(super) asked: u64,
    pub(super) deadline: Instant,
    pub(super) reply: ReadReply,
    got: Got,
}

/// The first blocks of a range, one after the other. Whoever waits holds on to them: the cache may let go of them before
/// the last one arrives.
pub(super) struct Got {
    blocks: Vec<Block>,
    /// The first byte that is not here yet.
    missing: u64,
}

impl Waiter {
    pub(super) fn new(range: Range<u64>, asked: u64, deadline: Instant, reply: ReadReply, got: Got) -> Self {
        Self { range, asked, deadline, reply, got }
    }

    /// The first byte that is not here yet.
    pub(super) fn missing(&self) -> u64 {
        self.got.missing
    }

    /// Looks what has arrived meanwhile.
    pub(super) fn look(&mut self, blocks: &Blocks, file: FileId) {
        self.got.look(&self.range, blocks, file);
    }

    /// All that was asked for, if it is here; `tail` is a fetch thread's unfinished block and where it begins.
    pub(super) fn data(&self, tail: Option<(u64, &[u8])>) -> Option<Data> {
        self.got.data(&self.range, tail)
    }

    /// The file is another one now, of `size` bytes: nothing that is here counts.
    pub(super) fn start_over(&mut self, size: u64) {
        self.range.end = self.asked.min(size);
        self.range.start = self.range.start.min(self.range.end);
        self.got = Got { blocks: Vec::new(), missing: self.range.start };
    }
}

impl Got {
    /// What is in memory of `range`.
    pub(super) fn new(range: &Range<u64>, blocks: &Blocks, file: FileId) -> Self {
        let mut got = Self { blocks: Vec::with_capacity(2), missing: range.start };
        got.look(range, blocks, file);
        got
    }

    /// The first byte of `range` that is not here, if any.
    pub(super) fn missing(&self, range: &Range<u64>) -> Option<u64> {
        (self.missing < range.end).then_some(self.missing)
    }

    fn look(&mut self, range: &Range<u64>, blocks: &Blocks, file: FileId) {
        while self.missing < range.end {
            let index = self.missing / BLOCK;
            let Some(block) = blocks.get(&BlockKey { file, index }) else { return };
            let end = index * BLOCK + block.len() as u64;
            if end <= self.missing {
                return;
            }
            self.missing = end;
            self.blocks.push(block);
        }
    }

    pub(super) fn data(&self, range: &Range<u64>, tail: Option<(u64, &[u8])>) -> Option<Data> {
        let first = range.start / BLOCK * BLOCK;
        let pieces = self.blocks.iter().zip((first..).step_by(BLOCK as usize)).map(|(block, begin)| {
            let from = range.start.saturating_sub(begin) as usize;
            let to = (range.end - begin).min(block.len() as u64) as usize;
            (block, from..to)
        });
        if self.missing >= range.end {
            return Some(Data::Blocks(pieces.map(|(block, range)| (Block::clone(block), range)).collect()));
        }
        let (begin, bytes) = tail?;
        if self.missing < begin || range.end > begin + bytes.len() as u64 {
            return None;
        }
        // An unfinished block cannot be shared: copied.
        let mut whole = Vec::with_capacity((range.end - range.start) as usize);
        pieces.for_each(|(block, range)| whole.extend_from_slice(&block[range]));
        whole.extend_from_slice(&bytes[(self.missing - begin) as usize..(range.end - begin) as usize]);
        Some(Data::Bytes(whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(blocks: &Blocks, byte: u8, len: usize) -> Block {
        let mut buffer = blocks.buffer();
        buffer.as_mut_slice().fill(byte);
        buffer.fill(len)
    }

    #[test]
    fn what_has_arrived_is_not_lost_again() {
        let blocks = Blocks::new(BLOCK as usize);
        let file = blocks.new_file();
        let range = BLOCK - 1..2 * BLOCK + 3;
        blocks.put(BlockKey { file, index: 0 }, block(&blocks, 1, BLOCK as usize));
        let mut got = Got::new(&range, &blocks, file);
        assert_eq!(got.missing(&range), Some(BLOCK));
        // Room for one block only: the first one goes.
        blocks.put(BlockKey { file, index: 1 }, block(&blocks, 2, BLOCK as usize));
        got.look(&range, &blocks, file);
        assert_eq!(got.missing(&range), Some(2 * BLOCK));
        assert!(got.data(&range, None).is_none());
        let tail = [7; 10];
        let data = got.data(&range, Some((2 * BLOCK, &tail))).expect("the tail has the rest");
        data.with(|bytes| {
            assert_eq!(bytes.len() as u64, BLOCK + 4);
            assert_eq!((bytes[0], bytes[1], bytes[bytes.len() - 1]), (1, 2, 7));
        });
    }

    #[test]
    fn a_short_last_block_is_enough_for_the_end_of_the_file() {
        let blocks = Blocks::new(8 * BLOCK as usize);
        let file = blocks.new_file();
        blocks.put(BlockKey { file, index: 0 }, block(&blocks, 1, 100));
        let got = Got::new(&(40..100), &blocks, file);
        assert_eq!(got.data(&(40..100), None).expect("it is here").with(<[u8]>::len), 60);
        let more = Got::new(&(40..200), &blocks, file);
        assert_eq!(more.missing(&(40..200)), Some(100));
    }
}
