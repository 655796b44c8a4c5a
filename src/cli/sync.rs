//! `ftpfs sync DIRECTORY`: waits until everything below a mounted directory is stored on the server.
//!
//! It is an fsync(2) of that directory. The kernel passes syncfs(2) on to few kinds of FUSE filesystems, and sync(1)
//! without an argument to none.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::credentials::reason;

/// The directory, where `args` are the program's name, `sync` and one word that is no option.
///
/// A host may be called `sync`, too: with any option, as mount(8) always passes one, or written as `ftp://sync`, it is
/// that host.
pub(super) fn asked_for(args: &[OsString]) -> Option<PathBuf> {
    match args {
        [_, word, directory] if word == "sync" && !directory.as_bytes().starts_with(b"-") => Some(directory.into()),
        _ => None,
    }
}

/// Returns once everything that was written, renamed or set below `directory` is on the server.
///
/// # Errors
/// A sentence for the user.
pub fn run(directory: &Path) -> Result<(), String> {
    let says = |what: &str| format!("cannot sync {}: {what}", directory.display());
    // Anything else is refused before it is opened: a FIFO would wait for a writer.
    let opened = File::options().read(true).custom_flags(libc::O_DIRECTORY).open(directory);
    let (device, file) =
        opened.and_then(|file| Ok((file.metadata()?.dev(), file))).map_err(|error| says(&reason(&error)))?;
    let table = fs::read("/proc/self/mountinfo").map_err(|error| says(&format!("mountinfo: {}", reason(&error))))?;
    if !is_ours(&table, &format!("{}:{}", libc::major(device), libc::minor(device))) {
        return Err(says("not a mount of ftpfs"));
    }
    file.sync_all().map_err(|error| says(&reason(&error)))
}

/// Whether the kernel's `table` of mounts (`/proc/self/mountinfo`) says that `device`, `major:minor`, is one of ftpfs.
fn is_ours(table: &[u8], device: &str) -> bool {
    table.split(|&b| b == b'\n').any(|line| {
        let mut fields = line.split(|&b| b == b' ');
        // A lone dash ends the fields of which there may be any number; the type follows.
        fields.nth(2) == Some(device.as_bytes()) && fields.skip_while(|f| *f != b"-").nth(1) == Some(b"fuse.ftpfs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_of_which_the_first_is_sync() {
        let asked = |args: &str| asked_for(&args.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked("ftpfs sync /mnt"), Some("/mnt".into()));
        for mounts in
            ["ftpfs sync", "ftpfs sync /mnt -r", "ftpfs -r sync /mnt", "ftpfs ftp://sync /mnt", "ftpfs sync -h"]
        {
            assert_eq!(asked(mounts), None, "{mounts}");
        }
    }

    #[test]
    fn the_table_of_mounts_tells_the_type() {
        let table = b"22 1 0:21 / /mnt rw shared:1 master:2 - tmpfs tmpfs rw\n\
                      36 22 0:44 / /mnt/a rw,relatime - fuse.ftpfs ftp://h/ rw\n\
                      37 22 0:45 / /mnt/b rw shared:7 - fuse.sshfs fuse.ftpfs rw\n";
        assert!(is_ours(table, "0:44"));
        assert!(!is_ours(table, "0:21") && !is_ours(table, "0:45") && !is_ours(table, "0:4"));
    }
}
