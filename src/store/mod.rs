//! Local storage: blocks of file content in memory.

mod memory;

pub use memory::{BLOCK, Block, BlockKey, Blocks, Buffer, FileId};
