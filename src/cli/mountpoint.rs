//! The directory to mount on.

use std::io;
use std::path::{Path, PathBuf};

/// Makes `directory` absolute and checks that something can be mounted on it.
///
/// # Errors
/// A sentence for the user.
pub(super) fn find(directory: &Path) -> Result<PathBuf, String> {
    let found = directory.canonicalize().and_then(|path| Ok((path.metadata()?.is_dir(), path)));
    match found {
        Ok((true, path)) => Ok(path),
        Ok((false, _)) => Err(format!("mountpoint {} is not a directory", directory.display())),
        Err(error) => Err(explain(directory, &error)),
    }
}

fn explain(directory: &Path, error: &io::Error) -> String {
    let shown = directory.display();
    match error.raw_os_error() {
        Some(libc::ENOENT) => format!("mountpoint {shown} does not exist"),
        Some(libc::ENOTDIR) => format!("mountpoint {shown} is not a directory"),
        Some(libc::EACCES) => format!("mountpoint {shown} cannot be reached: permission denied"),
        // What the kernel answers for a FUSE mount whose process is gone.
        Some(libc::ENOTCONN) => format!("a dead mount is in the way at {shown}: fusermount3 -u {shown}"),
        _ => format!("mountpoint {shown}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_mount_says_how_to_get_rid_of_it() {
        let text = explain(Path::new("/mnt/x"), &io::Error::from_raw_os_error(libc::ENOTCONN));
        assert_eq!(text, "a dead mount is in the way at /mnt/x: fusermount3 -u /mnt/x");
    }

    #[test]
    fn a_relative_directory_becomes_absolute() {
        assert!(find(Path::new(".")).is_ok_and(|path| path.is_absolute()));
        assert_eq!(find(Path::new("Cargo.toml")), Err("mountpoint Cargo.toml is not a directory".into()));
        assert_eq!(find(Path::new("Cargo.toml/x")), Err("mountpoint Cargo.toml/x is not a directory".into()));
        assert_eq!(find(Path::new("no/such")), Err("mountpoint no/such does not exist".into()));
    }
}
