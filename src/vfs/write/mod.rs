//! Writing: the spool file is the truth, a live `STOR` fed from it is a shortcut.

use std::sync::Arc;

use super::error::Result;
use super::node::Ino;
use crate::base::Deadline;
use crate::remote::{Meta, RemotePath, Settings};

/// What all writers share.
#[derive(Default)]
pub(crate) struct Writing;

/// A file that is open for writing, or whose content is not on the server yet.
pub(crate) struct FileWriter {
    ino: Ino,
}

impl Writing {
    /// The writer of `ino`, as long as there is one.
    pub(crate) fn writer(&self, _ino: Ino) -> Option<Arc<FileWriter>> {
        None
    }

    /// All writers of files below the directory `dir`.
    pub(crate) fn below(&self, _dir: &RemotePath) -> Vec<Arc<FileWriter>> {
        Vec::new()
    }
}

impl FileWriter {
    /// Which file.
    pub(crate) fn ino(&self) -> Ino {
        self.ino
    }

    /// What size and time are while it is being written; other facts stay as they are.
    pub(crate) fn overlay(&self, _meta: &mut Meta) {}

    /// Sets time and mode when the content is stored; until then they are shown by [`overlay`](Self::overlay).
    pub(crate) fn set(&self, _settings: Settings) {}

    /// Brings everything written so far to the server and ends the transfer: nothing of ours speaks to the path then.
    pub(crate) fn settle(&self, _deadline: Deadline) -> Result<()> {
        Ok(())
    }

    /// The name is gone, the file goes on living for those who have it open: nothing of it reaches the server any more.
    pub(crate) fn orphan(&self, _deadline: Deadline) -> Result<()> {
        Ok(())
    }
}
