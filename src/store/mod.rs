//! Local storage: blocks of file content in memory and on the disk, spool files of what is being written, the journal of
//! what still has to be stored on the server.

mod disk;
mod journal;
mod memory;
mod private;
mod spool;

pub use disk::{DiskCache, KeptFile};
pub use journal::{Job, Journal, JournalId, Pending};
pub use memory::{BLOCK, Block, BlockKey, Blocks, Buffer, FileId};
pub use spool::{Spool, SpoolDir};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, byte| text + &format!("{byte:02x}"))
}
