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

/// The first bytes of a range: pieces of blocks, one after the other. Whoever waits holds on to them: the cache may let go of
/// them before the last one arrives.
pub(super) struct Got {
    pieces: Vec<(Block, Range<usize>)>,
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
        self.got = Got { pieces: Vec::new(), missing: self.range.start };
    }
}

impl Got {
    /// What is in memory of `range`.
    pub(super) fn new(range: &Range<u64>, blocks: &Blocks, file: FileId) -> Self {
        let mut got = Self { pieces: Vec::with_capacity(2), missing: range.start };
        got.look(range, blocks, file);
        got
    }

    /// The first byte of `range` that is not here, if any.
    pub(super) fn missing(&self, range: &Range<u64>) -> Option<u64> {
        (self.missing < range.end).then_some(self.missing)
    }

    fn look(&mut self, range: &Range<u64>, blocks: &Blocks, file: FileId) {
        while self.missing < range.end {
            let (index, at) = (self.missing / BLOCK, (self.missing % BLOCK) as usize);
            let Some(block) = blocks.get(&BlockKey { file, index }) else { return };
            if !block.filled().contains(&at) {
                return;
            }
            let end = block.filled().end.min(usize::try_from(range.end - index * BLOCK).unwrap_or(usize::MAX));
            self.missing = index * BLOCK + end as u64;
            self.pieces.push((block, at..end));
        }
    }

    pub(super) fn data(&self, range: &Range<u64>, tail: Option<(u64, &[u8])>) -> Option<Data> {
        if self.missing >= range.end {
            return Some(Data::Blocks(self.pieces.clone()));
        }
        let (begin, bytes) = tail?;
        if self.missing < begin || range.end > begin + bytes.len() as u64 {
            return None;
        }
        // An unfinished block cannot be shared: copied.
        let mut whole = Vec::with_capacity((range.end - range.start) as usize);
        self.pieces.iter().for_each(|(block, range)| whole.extend_from_slice(&block[range.clone()]));
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
        buffer.fill(0..len)
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

    #[test]
    fn what_lies_before_the_first_byte_of_a_block_is_not_here() {
        let blocks = Blocks::new(8 * BLOCK as usize);
        let (file, key) = (blocks.new_file(), |file| BlockKey { file, index: 3 });
        let begin = 3 * BLOCK;
        let mut buffer = blocks.buffer();
        buffer.as_mut_slice()[4096..8192].fill(1);
        blocks.put(key(file), buffer.fill(4096..8192));
        assert_eq!(Got::new(&(begin + 4095..begin + 5000), &blocks, file).missing, begin + 4095);
        // What follows is joined to it.
        let mut buffer = blocks.buffer();
        buffer.as_mut_slice()[8192..10_000].fill(2);
        assert_eq!(blocks.join(&key(file), &mut buffer, 8192), 4096);
        blocks.put(key(file), buffer.fill(4096..10_000));
        let range = begin + 8000..begin + 9000;
        let data = Got::new(&range, &blocks, file).data(&range, None).expect("it is here");
        data.with(|bytes| assert_eq!((bytes[0], bytes[191], bytes[192], bytes[999]), (1, 1, 2, 2)));
        let mut far = blocks.buffer();
        assert_eq!(blocks.join(&key(file), &mut far, 20_000), 20_000, "there is a gap between");
    }
}
