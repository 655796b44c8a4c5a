//! A stream's blocks that are on the disk already: the server is asked for what is between them.

use log::debug;

use super::{Attempt, Next};
use crate::remote::{Download, RemotePath, Result, Version};
use crate::store::{BLOCK, Block};

impl Attempt<'_> {
    /// Brings blocks from the disk until one is missing there; true where the stream has nothing more to bring for now.
    pub(super) fn bring_from_disk(&mut self, path: &RemotePath) -> bool {
        // What becomes a part of a new version must not be of an old one that nobody has been asked about.
        let Some(disk) = self.shared.disk.as_ref().filter(|_| !self.firm) else { return false };
        self.on_disk = disk.file(path, &self.version);
        let Some(file) = self.on_disk.clone() else { return false };
        // What has arrived of a block that a transfer broke off in is worth more.
        while self.filled == 0 {
            match self.next() {
                None | Some(Next::Yield) => return true,
                Some(Next::Park) => continue,
                Some(Next::Read) => {}
            }
            let begin = self.at / BLOCK * BLOCK;
            let len = (self.version.size - begin).min(BLOCK) as usize;
            if !disk.read(&file, begin / BLOCK, &mut self.buffer.as_mut_slice()[..len]) {
                return false;
            }
            (self.at, self.filled) = (begin, len);
            self.keep_block();
            self.from = self.at;
            if self.at == self.version.size {
                return true;
            }
        }
        false
    }

    /// Whether what comes now, of which the server has said that it is `found`, may be kept.
    pub(super) fn may_keep(&self, found: Option<&Version>) -> bool {
        let disk = self.shared.disk.as_ref().zip(self.on_disk.as_ref());
        disk.is_some_and(|(disk, file)| disk.may_keep(file, found))
    }

    /// Has the disk keep the block that begins at `self.at`, if it is of a version that can be known again.
    pub(super) fn keep_on_disk(&self, block: &Block) {
        if let Some((disk, file)) = self.shared.disk.as_ref().zip(self.on_disk.as_ref())
            && self.keeps
        {
            disk.keep(file, self.at / BLOCK, block);
        }
    }

    /// Whether so much of what follows is on the disk that the transfer is better ended.
    pub(super) fn goes_on_on_disk(&mut self) -> bool {
        let Some((disk, file)) = self.shared.disk.as_ref().zip(self.on_disk.as_ref()) else { return false };
        let (next, end) = (self.at / BLOCK, self.version.size.div_ceil(BLOCK));
        if next < self.looked || end - next < LEAST_RUN {
            return false;
        }
        let enough = end.min(next + LONG_RUN);
        let missing = (next..enough).find(|&index| !disk.has(file, index));
        self.looked = missing.map_or(enough, |missing| missing + 1);
        missing.is_none()
    }

    /// Ends the transfer where the disk has what follows. What has come is checked as at the end of the file.
    pub(super) fn leave_to_disk(&self, path: &RemotePath, download: Box<dyn Download>) -> Result<()> {
        debug!("{path}: the disk has what follows byte {}", self.at);
        self.finish(download);
        if self.is_brief() {
            return Ok(());
        }
        match self.shared.remote.version(path, self.deadline())? {
            Some(now) if !self.is_same(&now) => self.other_version(&now),
            _ => Ok(()),
        }
    }

    /// The file has become another one while it came: some of what the disk has got may be of that.
    pub(super) fn forget_on_disk(&self) {
        if let Some((disk, file)) = self.shared.disk.as_ref().zip(self.on_disk.as_ref())
            && self.keeps
        {
            disk.forget(file);
        }
    }
}

/// Blocks in a row for which it is worth to end a transfer, and to begin another one behind them: 4 MiB. To the end of the
/// file fewer will do, as nothing has to be begun again.
const LONG_RUN: u64 = 32;
const LEAST_RUN: u64 = 8;
