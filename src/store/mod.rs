//! Local storage: blocks of file content in memory, spool files of what is being written.

mod memory;
mod spool;

pub use memory::{BLOCK, Block, BlockKey, Blocks, Buffer, FileId};
pub use spool::{Spool, SpoolDir};
