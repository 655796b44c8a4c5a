//! LIST as `ls -l` prints it: `-rw-r--r--   1 u        g              12 Nov 14  2023 hello.txt`.
//!
//! Columns have no fixed width and the group may be missing, so the line is read around its date: the first date that
//! follows a number. After the date comes exactly one blank, and all the rest is the name, blanks and all.

use std::sync::Arc;

use super::super::text::number;
use super::time::{coarse, hour_minute, month, seconds, seconds_without_year, small, year};
use super::{Skip, entry_name};
use crate::remote::{Entry, Kind, Meta, Precision, Stamp};

/// Reads one line at the time `now`; None for `total N`, the directory itself, its parent, and an empty line.
///
/// # Errors
/// The line does not begin with permissions, has no date after a size, or no name that can be used.
pub fn parse_unix_line(line: &[u8], now: i64) -> Result<Option<Entry>, Skip> {
    if line.is_empty() || is_total(line) {
        return Ok(None);
    }
    let (letter, mode) = permissions(line).ok_or(Skip::NoEntry)?;
    let columns = Columns::find(line, now).ok_or(Skip::NoDate)?;
    let rest = line.get(columns.end..).and_then(|rest| rest.strip_prefix(b" ")).ok_or(Skip::BadName)?;
    let (name, kind, size) = match letter {
        b'-' => (rest, Kind::File, columns.size),
        b'd' => (rest, Kind::Dir, columns.size),
        b'l' => {
            let (name, target) = split_link(rest, columns.size);
            (name, Kind::Symlink { target }, columns.size)
        }
        _ => (rest, Kind::Other, None),
    };
    let meta = |kind| Meta { kind, size, mtime: columns.mtime, mode: Some(mode), unique: None };
    Ok(entry_name(name)?.map(|name| Entry { name, meta: meta(kind) }))
}

/// Whether the line begins as the lines of this style do.
pub(super) fn looks_like(line: &[u8]) -> bool {
    permissions(line).is_some()
}

fn is_total(line: &[u8]) -> bool {
    let Some((head, rest)) = line.split_at_checked(5) else {
        return false;
    };
    head.eq_ignore_ascii_case(b"total") && number(rest.trim_ascii()).is_some()
}

/// The letter of the kind and the permission bits in `drwxr-sr-t+ `.
fn permissions(line: &[u8]) -> Option<(u8, u16)> {
    let (&[letter, ref bits @ ..], rest) = line.split_first_chunk::<10>()?;
    if !b"-dlbcpsDn".contains(&letter) {
        return None;
    }
    match rest {
        // ACLs, SELinux, extended attributes.
        [b'+' | b'.' | b'@', b' ', ..] | [b' ', ..] => {}
        _ => return None,
    }
    let mut mode = 0;
    for (i, triple) in bits.chunks_exact(3).enumerate() {
        let shift = 6 - 3 * i;
        let (run, special) = match (i, triple[2]) {
            (_, b'-') => (0, 0),
            (_, b'x') => (1, 0),
            (0 | 1, b's') | (2, b't') => (1, 1),
            // `l`: mandatory locking on Solaris, which is the same bit.
            (0 | 1, b'S') | (1, b'l' | b'L') | (2, b'T') => (0, 1),
            _ => return None,
        };
        let read = flag(triple[0], b'r')?;
        let write = flag(triple[1], b'w')?;
        mode |= (read << 2 | write << 1 | run) << shift | special << (11 - i);
    }
    Some((letter, mode))
}

fn flag(b: u8, set: u8) -> Option<u16> {
    (b == set || b == b'-').then_some(u16::from(b == set))
}

/// What stands between permissions and name.
struct Columns {
    /// None where it is a device's, or too large for anything.
    size: Option<u64>,
    mtime: Option<Stamp>,
    /// Where the date ends.
    end: usize,
}

impl Columns {
    /// The first date behind a number; words of owner and group may look like either, but not like both in a row.
    fn find(line: &[u8], now: i64) -> Option<Self> {
        let mut words: [&[u8]; MAX_WORDS] = [b""; MAX_WORDS];
        let mut ends = [0; MAX_WORDS];
        let mut count = 0;
        let mut end = 0;
        for word in line.split(|&b| b == b' ') {
            end += word.len();
            if !word.is_empty() && count < MAX_WORDS {
                (words[count], ends[count]) = (word, end);
                count += 1;
            }
            // The blank.
            end += 1;
            if count == MAX_WORDS {
                break;
            }
        }
        // Permissions and size stand before the date; links, owner and group may.
        (2..count).find_map(|at| {
            let size = size(words[at - 1])?;
            let (mtime, len) = date(&words[at..count], now)?;
            Some(Self { size, mtime, end: ends[at + len - 1] })
        })
    }
}

/// `12`, or the end of a device's `8, 1` or `8,1`; the outer None where it is neither.
fn size(word: &[u8]) -> Option<Option<u64>> {
    let digits = word.rsplit(|&b| b == b',').next()?;
    if digits.is_empty() || !word.iter().all(|b| b.is_ascii_digit() || *b == b',') {
        return None;
    }
    Some(if digits.len() == word.len() { number(word) } else { None })
}

/// A date at the head of `words`, and how many words it takes. None where there is no such date or its day is none.
fn date(words: &[&[u8]], now: i64) -> Option<(Option<Stamp>, usize)> {
    if let [month_word, day, last, ..] = words
        && let (Some(month), Some(day)) = (month(month_word), small(day))
    {
        return if let Some(year) = year(last) {
            Some((coarse(seconds((year, month, day), (0, 0, 0)), Precision::Day), 3))
        } else {
            let time = hour_minute(last)?;
            Some((coarse(seconds_without_year((month, day), time, now), Precision::Minute), 3))
        };
    }
    let [day, time, ..] = words else {
        return None;
    };
    let (hour, minute) = hour_minute(time)?;
    Some((coarse(seconds(iso_day(day)?, (hour, minute, 0)), Precision::Minute), 2))
}

/// `2023-11-14`.
fn iso_day(word: &[u8]) -> Option<(u16, u8, u8)> {
    match word {
        [year_digits @ .., b'-', m1, m2, b'-', d1, d2] => {
            Some((year(year_digits)?, small(&[*m1, *m2])?, small(&[*d1, *d2])?))
        }
        _ => None,
    }
}

/// Name and target of `name -> target`.
///
/// Both may hold ` -> ` themselves. The size of a link is the length of its target: where that fits, it decides, else the
/// first arrow does.
fn split_link(rest: &[u8], size: Option<u64>) -> (&[u8], Option<Arc<[u8]>>) {
    let by_size = size
        .and_then(|size| usize::try_from(size).ok())
        .filter(|len| *len > 0)
        .and_then(|len| rest.len().checked_sub(len)?.checked_sub(ARROW.len()))
        .filter(|at| *at > 0 && rest[*at..].starts_with(ARROW));
    let at = by_size.or_else(|| rest.windows(ARROW.len()).position(|part| part == ARROW));
    match at {
        Some(at) => {
            let target = &rest[at + ARROW.len()..];
            (&rest[..at], (!target.is_empty()).then(|| target.into()))
        }
        None => (rest, None),
    }
}

const ARROW: &[u8] = b" -> ";
/// Owners and groups of Windows domains hold blanks; nobody's hold a dozen.
const MAX_WORDS: usize = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote::Name;

    /// 2024-01-10 00:00:00 UTC.
    const NOW: i64 = 1_704_844_800;
    /// 2023-11-14 00:00:00 UTC.
    const DAY: i64 = 1_699_920_000;

    fn entry(line: &str) -> Entry {
        parse_unix_line(line.as_bytes(), NOW).unwrap_or_else(|why| panic!("{why}: {line}")).expect("an entry")
    }

    #[test]
    fn files_as_servers_send_them() {
        for line in [
            "-rw-r--r--    1 3001     3001           12 Nov 14  2023 hello.txt",
            "-rw-r--r--   1 u        g              12 Nov 14  2023 hello.txt",
            "-rw-r--r--    1 3001       g                 12 Nov 14  2023 hello.txt",
            "-rw-r--r--  1 u  g  12 Nov 14  2023 hello.txt",
            // No group; blanks in owner and group; groups named like months and numbers.
            "-rw-r--r--  1 u  12 Nov 14 2023 hello.txt",
            "-rw-r--r--  1 DOM\\A B  Domain Users  12 nov 14 2023 hello.txt",
            "-rw-r--r--  1 3001 May 12 Nov 14 2023 hello.txt",
            "-rw-r--r--+ 1 u g 12 Nov 14  2023 hello.txt",
            "-rw-r--r--. 1 u g 12 Nov 14  2023 hello.txt",
        ] {
            let Entry { name, meta } = entry(line);
            assert_eq!(name.as_bytes(), b"hello.txt", "{line}");
            assert_eq!((meta.kind, meta.size, meta.mode), (Kind::File, Some(12), Some(0o644)), "{line}");
            assert_eq!(meta.mtime, coarse(Some(DAY), Precision::Day), "{line}");
        }
    }

    #[test]
    fn dates() {
        let minute = |secs| coarse(Some(secs), Precision::Minute);
        let table = [
            ("Nov 14 10:33", minute(DAY + 37_980)),
            ("Nov 14  9:33", minute(DAY + 34_380)),
            ("2023-11-14 10:33", minute(DAY + 37_980)),
            ("Jan 01 2023", coarse(Some(1_672_531_200), Precision::Day)),
            ("Jan  1  1969", coarse(Some(-31_536_000), Precision::Day)),
            ("Jan 10 12:00", minute(NOW + 43_200)),
            ("Dec 20 15:23", minute(1_703_085_780)),
            ("Feb 30 2023", None),
        ];
        for (date, want) in table {
            assert_eq!(entry(&format!("-rw-r--r-- 1 u g 12 {date} x")).meta.mtime, want, "{date}");
        }
    }

    #[test]
    fn modes() {
        let table = [
            ("-rwsr-sr-x", 0o6755),
            ("-rwSr-Sr--", 0o6644),
            ("drwxrwxrwt", 0o1777),
            ("drwxrwxrwT", 0o1776),
            ("----------", 0),
            ("-rwxrwxrwx", 0o777),
        ];
        for (letters, want) in table {
            assert_eq!(entry(&format!("{letters} 1 u g 12 Nov 14 2023 x")).meta.mode, Some(want), "{letters}");
        }
    }

    #[test]
    fn kinds() {
        let link = |target: Option<&[u8]>| Kind::Symlink { target: target.map(Into::into) };
        let table: &[(&str, &str, Kind, Option<u64>)] = &[
            ("drwxr-xr-x 2 u g 4096 Nov 14 2023 d", "d", Kind::Dir, Some(4096)),
            ("prw-r--r-- 1 u g 0 Nov 14 2023 p", "p", Kind::Other, None),
            ("brw-rw---- 1 root disk 8, 0 Nov 14 10:33 sda", "sda", Kind::Other, None),
            ("crw-rw---- 1 root tty 4,64 Nov 14 10:33 ttyS0", "ttyS0", Kind::Other, None),
            ("lrwxrwxrwx 1 u g 9 Nov 14 2023 l -> hello.txt", "l", link(Some(b"hello.txt")), Some(9)),
            ("lrwxrwxrwx 1 u g 1 Nov 14 2023 a -> b -> c", "a -> b", link(Some(b"c")), Some(1)),
            ("lrwxrwxrwx 1 u g 6 Nov 14 2023 a -> b -> c", "a", link(Some(b"b -> c")), Some(6)),
            ("lrwxrwxrwx 1 u g 0 Nov 14 2023 a -> b -> c", "a", link(Some(b"b -> c")), Some(0)),
            ("lrwxrwxrwx 1 u g 9 Nov 14 2023 l", "l", link(None), Some(9)),
            ("-rw-r--r-- 1 u g 1 Nov 14 2023 a -> b", "a -> b", Kind::File, Some(1)),
            ("-rw-r--r-- 1 u g 99999999999999999999 Nov 14 2023 x", "x", Kind::File, None),
        ];
        for (line, name, kind, size) in table {
            let entry = entry(line);
            assert_eq!((entry.name.to_string().as_str(), &entry.meta.kind, entry.meta.size), (*name, kind, *size));
        }
    }

    #[test]
    fn names_are_never_trimmed() {
        for name in [" lead", "trail ", "  ", "a  b", "12 Nov 14 2023 x", "\u{fc} \t", "-rf", "..."] {
            assert_eq!(entry(&format!("-rw-r--r-- 1 u g 12 Nov 14  2023 {name}")).name.as_bytes(), name.as_bytes());
        }
    }

    #[test]
    fn lines_that_are_no_entries() {
        for line in [
            "",
            "total 0",
            "total 12",
            "TOTAL 1",
            "drwx------ 2 u g 1 Nov 14 2023 .",
            "drwx------ 2 u g 1 Nov 14 2023 ..",
        ] {
            assert_eq!(parse_unix_line(line.as_bytes(), NOW), Ok(None), "{line}");
        }
        let table = [
            ("x: No such file or directory", Skip::NoEntry),
            ("ls: cannot open directory '.': Permission denied", Skip::NoEntry),
            ("d????????? ? ? ? ? ? x", Skip::NoEntry),
            ("-rw-r--r--", Skip::NoEntry),
            ("-rw-r--r-- 1 u g Nov 14 2023 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 25:61 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 ", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 a/b", Skip::BadName),
            ("lrwxrwxrwx 1 u g 12 Nov 14 2023  -> b", Skip::BadName),
        ];
        for (line, want) in table {
            assert_eq!(parse_unix_line(line.as_bytes(), NOW), Err(want), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_a_server_means_is_what_is_read(
            name in prop::collection::vec(any::<u8>(), 1..40),
            owner in "[a-zA-Z0-9]{1,9}", group in "([a-zA-Z0-9]{1,9})?",
            size: u64, day in 1u8..29,
        ) {
            let line = [format!("-rw-r-----  1 {owner:8} {group:8} {size:>12} Mar {day:2}  2021 ").as_bytes(), &name].concat();
            match Name::new(&name) {
                Some(name) => {
                    let entry = parse_unix_line(&line, NOW).expect("readable").expect("an entry");
                    prop_assert_eq!((entry.name, entry.meta.size, entry.meta.mode), (name, Some(size), Some(0o640)));
                }
                None => prop_assert!(!matches!(parse_unix_line(&line, NOW), Ok(Some(_)))),
            }
        }

        #[test]
        fn a_link_whose_size_is_its_target_is_parted_right(name in "[a> -]{1,12}", target in "[a> -]{1,12}") {
            let line = format!("lrwxrwxrwx 1 u g {} Nov 14  2023 {name} -> {target}", target.len());
            let entry = parse_unix_line(line.as_bytes(), NOW).expect("readable").expect("an entry");
            prop_assert_eq!(entry.name.as_bytes(), name.as_bytes());
            prop_assert_eq!(entry.meta.kind, Kind::Symlink { target: Some(target.as_bytes().into()) });
        }
    }
}
