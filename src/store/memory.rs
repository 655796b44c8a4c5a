//! Blocks of files on their way from the server to the kernel, within one limit for the whole process.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;

use crate::base::sync::Ranked;

/// Bytes of a block: what the kernel asks for at once (its read-ahead of 128 KiB).
pub const BLOCK: u64 = 128 * 1024;

/// One version of one file: a new one is drawn whenever the content may have changed, so that old blocks are never found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId(u64);

/// The block that begins at byte `index * BLOCK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockKey {
    /// Which file.
    pub file: FileId,
    /// Which block of it.
    pub index: u64,
}

/// A filled block; clones share it.
pub type Block = Arc<Filled>;

/// The most recently used blocks, up to a number of bytes.
pub struct Blocks {
    cache: Ranked<Cache, 50>,
    spare: Arc<Spare>,
    limit: usize,
    files: AtomicU64,
}

struct Cache {
    blocks: LruCache<BlockKey, Block>,
    bytes: usize,
}

impl Blocks {
    /// A cache of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let spare = Arc::new(Spare { buffers: Ranked::new(Vec::new()) });
        let cache = Cache { blocks: LruCache::unbounded(), bytes: 0 };
        Self { cache: Ranked::new(cache), spare, limit, files: AtomicU64::new(1) }
    }

    /// How many bytes may be kept.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// An identity that no block has yet.
    pub fn new_file(&self) -> FileId {
        FileId(self.files.fetch_add(1, Ordering::Relaxed))
    }

    /// The block, if it is still here.
    pub fn get(&self, key: &BlockKey) -> Option<Block> {
        self.cache.lock().blocks.get(key).cloned()
    }

    /// Whether the block is still here; that is no use of it.
    pub fn has(&self, key: &BlockKey) -> bool {
        self.cache.lock().blocks.contains(key)
    }

    /// Adds what is here of the block `key` and ends where `buffer` begins to be filled, at `from`; tells where it is filled
    /// from now.
    pub fn join(&self, key: &BlockKey, buffer: &mut Buffer, from: usize) -> usize {
        let Some(old) = self.get(key).filter(|old| from > 0 && old.filled.contains(&(from - 1))) else { return from };
        let joined = old.filled.start..from;
        buffer.as_mut_slice()[joined.clone()].copy_from_slice(&old[joined.clone()]);
        joined.start
    }

    /// Keeps `block`; the longest unused ones go.
    pub fn put(&self, key: BlockKey, block: Block) {
        // Declared before the guard: what is thrown out goes back to the spare buffers after the lock is gone.
        let mut out = Vec::new();
        let mut cache = self.cache.lock();
        // A part of what is here already.
        if cache.blocks.peek(&key).is_some_and(|old| old.has_more_than(&block)) {
            drop(cache);
            return;
        }
        cache.bytes += block.capacity();
        if let Some(old) = cache.blocks.put(key, block) {
            cache.bytes -= old.capacity();
            out.push(old);
        }
        while cache.bytes > self.limit {
            let Some((_, old)) = cache.blocks.pop_lru() else { break };
            cache.bytes -= old.capacity();
            out.push(old);
        }
        drop(cache);
    }

    /// The first block of `file` within `range` that is here, if only in part.
    pub fn first(&self, file: FileId, mut range: Range<u64>) -> Option<u64> {
        let cache = self.cache.lock();
        range.find(|&index| cache.blocks.contains(&BlockKey { file, index }))
    }

    /// Forgets a file's first `blocks` blocks.
    pub fn forget(&self, file: FileId, blocks: u64) {
        let mut out = Vec::new();
        let mut cache = self.cache.lock();
        let few = blocks.min(cache.blocks.len() as u64);
        if few < blocks {
            // A huge file: walking what is cached is shorter than walking the file.
            let keys: Vec<_> = cache.blocks.iter().map(|(k, _)| *k).filter(|k| k.file == file).collect();
            out.extend(keys.iter().filter_map(|k| cache.blocks.pop(k)));
        } else {
            out.extend((0..blocks).filter_map(|index| cache.blocks.pop(&BlockKey { file, index })));
        }
        cache.bytes -= out.iter().map(|b| b.capacity()).sum::<usize>();
        drop(cache);
    }

    /// Forgets the blocks `range` of `file`: they have been read, and their memory is still warm for the next ones.
    pub fn drop_behind(&self, file: FileId, range: Range<u64>) {
        let mut out = Vec::with_capacity(8);
        let mut cache = self.cache.lock();
        out.extend(range.filter_map(|index| cache.blocks.pop(&BlockKey { file, index })));
        cache.bytes -= out.iter().map(|b| b.capacity()).sum::<usize>();
        drop(cache);
    }

    /// Memory for one block, used again where possible.
    pub fn buffer(&self) -> Buffer {
        let bytes = self.spare.buffers.lock().pop();
        let bytes = bytes.unwrap_or_else(|| vec![0; BLOCK as usize].into_boxed_slice());
        Buffer { bytes: Some(bytes), spare: Arc::clone(&self.spare) }
    }
}

/// Buffers between two uses: fresh ones would cost a page fault for each page.
struct Spare {
    buffers: Ranked<Vec<Box<[u8]>>, 55>,
}

/// Memory of [`BLOCK`] bytes that goes back to the spare ones when dropped.
pub struct Buffer {
    bytes: Option<Box<[u8]>>,
    spare: Arc<Spare>,
}

impl Buffer {
    /// All of it, to be written to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.as_mut().expect("a buffer holds its memory until it is dropped")
    }

    /// All of it.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.as_ref().expect("a buffer holds its memory until it is dropped")
    }

    /// Makes a block of which the bytes `filled` are here.
    pub fn fill(self, filled: Range<usize>) -> Block {
        Arc::new(Filled { buffer: self, filled })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            let mut buffers = self.spare.buffers.lock();
            if buffers.len() < SPARE {
                buffers.push(bytes);
            }
        }
    }
}

/// The content of a block, from its beginning on or from somewhere in it.
pub struct Filled {
    buffer: Buffer,
    filled: Range<usize>,
}

impl Filled {
    /// Which bytes of the block are here; what lies before them has no meaning.
    pub fn filled(&self) -> Range<usize> {
        self.filled.clone()
    }

    fn has_more_than(&self, other: &Self) -> bool {
        let (mine, others) = (&self.filled, &other.filled);
        mine.start <= others.start && others.end <= mine.end && mine != others
    }

    fn capacity(&self) -> usize {
        self.buffer.as_slice().len()
    }
}

impl Deref for Filled {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer.as_slice()[..self.filled.end]
    }
}

/// Spare buffers kept: 2 MiB.
const SPARE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn block(blocks: &Blocks, byte: u8) -> Block {
        let mut buffer = blocks.buffer();
        buffer.as_mut_slice().fill(byte);
        buffer.fill(0..BLOCK as usize)
    }

    #[test]
    fn the_longest_unused_block_goes_first() {
        let blocks = Blocks::new(2 * BLOCK as usize);
        let file = blocks.new_file();
        let key = |index| BlockKey { file, index };
        blocks.put(key(0), block(&blocks, 0));
        blocks.put(key(1), block(&blocks, 1));
        assert!(blocks.get(&key(0)).is_some());
        blocks.put(key(2), block(&blocks, 2));
        assert!(blocks.get(&key(1)).is_none());
        assert_eq!(blocks.get(&key(0)).expect("used last")[5], 0);
        assert_eq!(blocks.get(&key(2)).expect("put last")[5], 2);
    }

    #[test]
    fn a_forgotten_file_leaves_the_others() {
        let blocks = Blocks::new(8 * BLOCK as usize);
        let (a, b) = (blocks.new_file(), blocks.new_file());
        for index in 0..3 {
            blocks.put(BlockKey { file: a, index }, block(&blocks, 1));
        }
        blocks.put(BlockKey { file: b, index: 0 }, block(&blocks, 2));
        blocks.forget(a, 1 << 40);
        assert!(blocks.get(&BlockKey { file: a, index: 2 }).is_none());
        assert!(blocks.get(&BlockKey { file: b, index: 0 }).is_some());
        blocks.forget(b, 1);
        assert!(blocks.get(&BlockKey { file: b, index: 0 }).is_none());
        assert_eq!(blocks.cache.lock().bytes, 0);
    }

    #[test]
    fn a_dropped_block_is_used_again() {
        let blocks = Blocks::new(BLOCK as usize);
        let first = block(&blocks, 7);
        let at = first.as_ptr();
        drop(first);
        assert_eq!(blocks.buffer().as_slice().as_ptr(), at);
    }
}
