//! Symlinks as files: the format of Minshall and French, which SMB clients read and write (Linux: `mfsymlinks` of cifs).
//!
//! `XSym`, the target's length in four decimal digits, its MD5 in hexadecimal, and the target, each on a line of its own; then
//! spaces up to 1067 bytes, which every such file has.

use std::fmt::Write as _;

use md5::{Digest, Md5};

/// Bytes of every such file.
pub(super) const SIZE: usize = HEAD + LONGEST;

/// Longest target that fits.
pub(super) const LONGEST: usize = 1024;

/// The three lines before the target.
const HEAD: usize = 5 + 5 + 33;

/// The file's content; None where `target` is empty or too long.
pub(super) fn write(target: &[u8]) -> Option<Vec<u8>> {
    if target.is_empty() || target.len() > LONGEST {
        return None;
    }
    let mut file = head(target).into_bytes();
    file.extend_from_slice(target);
    if file.len() < SIZE {
        file.push(b'\n');
    }
    file.resize(SIZE, b' ');
    Some(file)
}

/// The target; None where this is another kind of file.
pub(super) fn read(file: &[u8]) -> Option<&[u8]> {
    if file.len() != SIZE || !file.starts_with(b"XSym\n") {
        return None;
    }
    let digits = &file[5..9];
    let length = digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + usize::from(d - b'0')))?;
    let target = file.get(HEAD..HEAD + length).filter(|target| !target.is_empty())?;
    // Others write the checksum in capitals.
    file[..HEAD].eq_ignore_ascii_case(head(target).as_bytes()).then_some(target)
}

fn head(target: &[u8]) -> String {
    let mut head = format!("XSym\n{:04}\n", target.len());
    for byte in Md5::digest(target) {
        let _ = write!(head, "{byte:02x}");
    }
    head.push('\n');
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_others() {
        let file = write(b"hello").expect("it fits");
        // md5sum of "hello".
        let begin = b"XSym\n0005\n5d41402abc4b2a76b9719d911017c592\nhello\n   ";
        assert_eq!((file.len(), &file[..begin.len()]), (1067, &begin[..]));
        assert!(file[begin.len()..].iter().all(|b| *b == b' '));
    }

    #[test]
    fn what_is_written_is_read() {
        for target in [&b"a"[..], b"../x y/z", b"line\nbreak", &[b'x'; 1023], &[b'x'; LONGEST]] {
            let file = write(target).expect("it fits");
            assert_eq!((file.len(), read(&file)), (SIZE, Some(target)));
        }
        assert!(write(b"").is_none() && write(&[b'x'; LONGEST + 1]).is_none());
    }

    #[test]
    fn other_files_of_that_size_are_no_links() {
        let good = write(b"hello").expect("it fits");
        for (at, byte) in [(0, b'x'), (6, b'9'), (7, b'x'), (10, b'0'), (HEAD, b'j')] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(read(&bad), None, "byte {at}");
        }
        assert_eq!(read(&good[..SIZE - 1]), None);
        assert_eq!(read(&[b' '; SIZE]), None);
        let mut shouted = good.clone();
        shouted[10..42].make_ascii_uppercase();
        assert_eq!(read(&shouted), Some(&b"hello"[..]));
    }
}
