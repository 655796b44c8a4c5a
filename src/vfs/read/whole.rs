//! What one who wants all of a file at once asks of its reader.

use super::FileReader;
use crate::remote::Version;
use crate::store::{BLOCK, BlockKey};

impl FileReader {
    /// Bytes of the file that it reads.
    pub(crate) fn size(&self) -> u64 {
        self.state.lock().version.size
    }

    /// Whether `now`, what the server has under the file's name, is what it reads.
    pub(crate) fn reads(&self, now: &Version) -> bool {
        let mut state = self.state.lock();
        let (file, size) = (state.file, state.version.size);
        !self.has_changed(&mut state) && size == now.size && self.shared.nodes.is_version(self.ino, file, now)
    }

    /// Whether all of it is in memory.
    pub(crate) fn is_here(&self) -> bool {
        let (file, size) = {
            let state = self.state.lock();
            (state.file, state.version.size)
        };
        (0..size.div_ceil(BLOCK)).all(|index| self.shared.blocks.get(&BlockKey { file, index }).is_some())
    }
}
