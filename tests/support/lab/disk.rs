//! A disk that is full soon.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::{PROGRAM_LIMIT, run, stdout_of};

/// A filesystem in memory with room for a few megabytes. Dropping it unmounts it.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one with room for `bytes` on `path`.
    pub fn mount(path: &Path, bytes: u64) -> Self {
        let options = format!("size={bytes},mode=0755,nosuid,nodev");
        stdout_of(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "ftpfs-lab"]).arg(path), PROGRAM_LIMIT);
        Self { path: path.to_owned() }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server's process that is still going must not keep it in the tree.
        run(Command::new("umount").arg("--lazy").arg(&self.path), PROGRAM_LIMIT);
    }
}
