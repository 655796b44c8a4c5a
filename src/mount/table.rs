//! The kernel's table of mounts (`/proc/self/mountinfo`, proc(5)).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// One line of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Unique among the mounts of now.
    pub(super) id: u64,
    /// `major:minor`.
    pub(super) device: String,
}

/// What is mounted on `path`, topmost.
pub(super) fn find(path: &Path) -> Option<Line> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    find_in(&table, path)
}

fn find_in(table: &[u8], path: &Path) -> Option<Line> {
    // Later lines are mounted on top of earlier ones.
    table.split(|&b| b == b'\n').rev().find_map(|line| {
        let mut fields = line.split(|&b| b == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let device = String::from_utf8(fields.nth(1)?.to_vec()).ok()?;
        let place = OsString::from_vec(unescape(fields.nth(1)?));
        (place.as_bytes() == path.as_os_str().as_bytes()).then_some(Line { id, device })
    })
}

/// Blanks and the like are written as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_mount_of_a_path_is_found() {
        let table = b"22 1 0:21 / /mnt rw - tmpfs tmpfs rw\n\
                      36 22 0:44 / /mnt/a\\040b ro - fuse.ftpfs ftp://h/ ro\n\
                      37 22 0:45 / /mnt/a\\040b ro - fuse.ftpfs ftp://i/ ro\n";
        let line = find_in(table, Path::new("/mnt/a b"));
        assert_eq!(line, Some(Line { id: 37, device: "0:45".into() }));
        assert_eq!(find_in(table, Path::new("/mnt/a")), None);
        assert_eq!(unescape(b"\\134x\\9"), b"\\x\\9");
    }
}
