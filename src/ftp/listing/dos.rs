//! LIST as MS-DOS printed it, which IIS sends by default: `07-13-98  09:06PM       <DIR>          aix`.
//!
//! IIS's "four-digit years" and 24-hour clocks are known, too. Times are the server's own, without seconds.

use super::super::text::number;
use super::time::{coarse, hour_minute, seconds, small, year};
use super::{Skip, entry_name};
use crate::remote::{Entry, Kind, Meta, Precision};

/// Reads one line; None for the directory itself, its parent, and an empty line.
///
/// # Errors
/// The line does not begin with date and time, or has no size and no name that can be used.
pub fn parse_dos_line(line: &[u8]) -> Result<Option<Entry>, Skip> {
    if line.is_empty() {
        return Ok(None);
    }
    let (day, rest) = word(line);
    let day = date(day).ok_or(Skip::NoEntry)?;
    let (clock, rest) = word(rest);
    let (time, rest) = time(clock, rest).ok_or(Skip::NoDate)?;
    let in_columns = name_in_columns(rest);
    let (column, rest) = word(rest);
    let rest = in_columns.unwrap_or_else(|| rest.trim_ascii_start());
    let (name, kind, size) = match column {
        b"<DIR>" => (rest, Kind::Dir, None),
        b"<JUNCTION>" | b"<SYMLINK>" | b"<SYMLINKD>" => {
            let (name, target) = split_target(rest);
            (name, Kind::Symlink { target: target.map(Into::into) }, None)
        }
        column => (rest, Kind::File, Some(size(column).ok_or(Skip::NoEntry)?)),
    };
    let mtime = coarse(seconds(day, (time.0, time.1, 0)), Precision::Minute);
    let meta = Meta { kind, size, mtime, mode: None, unique: None };
    Ok(entry_name(name)?.map(|name| Entry { name, meta }))
}

/// Whether the line begins as the lines of this style do.
pub(super) fn looks_like(line: &[u8]) -> bool {
    date(word(line).0).is_some()
}

/// What stands behind IIS's column of 21 characters and one blank; None where the line has no such column, and a name
/// that begins with a blank cannot be told from the filling.
///
/// IIS 7.5 to 10 are alike in this (robinrodricks/FluentFTP issue 861, where the blanks of names were lost, too).
fn name_in_columns(after_clock: &[u8]) -> Option<&[u8]> {
    let (column, rest) = after_clock.split_at_checked(21)?;
    let is_dir = column == b"       <DIR>         ";
    let is_size = column.last().is_some_and(u8::is_ascii_digit) && !column.trim_ascii_start().contains(&b' ');
    rest.strip_prefix(b" ").filter(|_| is_dir || is_size)
}

/// The next word, and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let len = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
    text.split_at(len)
}

/// `07-13-98`, `07-13-1998`, `1998-07-13`; also with `/`.
fn date(word: &[u8]) -> Option<(u16, u8, u8)> {
    let mut parts = word.split(|b| matches!(b, b'-' | b'/'));
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    if first.len() == 4 {
        return Some((year(first)?, small(second)?, small(third)?));
    }
    let year = match third.len() {
        2 => match u16::from(small(third)?) {
            short @ 70.. => 1900 + short,
            short => 2000 + short,
        },
        _ => year(third)?,
    };
    Some((year, small(first)?, small(second)?))
}

/// `09:06PM`, `09:06 PM`, `21:06`; and what follows.
fn time<'a>(clock: &[u8], rest: &'a [u8]) -> Option<((u8, u8), &'a [u8])> {
    let half_day = |text: &[u8]| match text {
        [b'A' | b'a', b'M' | b'm'] => Some(0),
        [b'P' | b'p', b'M' | b'm'] => Some(12),
        _ => None,
    };
    let glued = clock.len().checked_sub(2).and_then(|at| half_day(&clock[at..]));
    let (next, after) = word(rest);
    let (clock, half, rest) = match (glued, half_day(next)) {
        (Some(half), _) => (&clock[..clock.len() - 2], Some(half), rest),
        (None, Some(half)) => (clock, Some(half), after),
        (None, None) => (clock, None, rest),
    };
    let (hour, minute) = hour_minute(clock)?;
    match half {
        None => Some(((hour, minute), rest)),
        Some(half) if (1..=12).contains(&hour) => Some(((hour % 12 + half, minute), rest)),
        Some(_) => None,
    }
}

/// Digits, perhaps with separators of thousands.
fn size(column: &[u8]) -> Option<u64> {
    if !column.first()?.is_ascii_digit() {
        return None;
    }
    let digits: Vec<u8> = column.iter().copied().filter(|b| !matches!(b, b',' | b'.' | b'\'')).collect();
    number(&digits)
}

/// Name and target of `name [target]`.
fn split_target(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    let at = rest.windows(2).position(|pair| pair == b" [").filter(|_| rest.ends_with(b"]"));
    match at {
        Some(at) => {
            let target = &rest[at + 2..rest.len() - 1];
            (&rest[..at], (!target.is_empty()).then_some(target))
        }
        None => (rest, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::remote::Name;

    fn entry(line: &str) -> Entry {
        parse_dos_line(line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}")).expect("an entry")
    }

    #[test]
    fn lines_as_servers_send_them() {
        let dir = entry("07-13-98  09:06PM       <DIR>          aix");
        assert_eq!((dir.name.as_bytes(), &dir.meta.kind, dir.meta.size), (&b"aix"[..], &Kind::Dir, None));
        assert_eq!(dir.meta.mtime, coarse(Some(900_363_960), Precision::Minute));
        let file = entry("03-18-98  06:01AM              2109440 nlxb318e.tar");
        assert_eq!((file.name.as_bytes(), file.meta.size), (&b"nlxb318e.tar"[..], Some(2_109_440)));
        assert_eq!((file.meta.kind, file.meta.mode), (Kind::File, None));
        // Regression: IIS does not fill the column in front of the name, so these blanks are the name's own.
        assert_eq!(entry("07-13-98  09:06PM       <DIR>            two").name.as_bytes(), b"  two");
        assert_eq!(entry("03-18-98  06:01AM              2109440  one").name.as_bytes(), b" one");
        assert_eq!(entry("03-18-98  06:01AM   12                   x").name.as_bytes(), b"x");
        assert_eq!(entry("11-14-2023  21:06   1,234,567 a  b ").name.as_bytes(), b"a  b ");
        assert_eq!(entry("11-14-2023  21:06   1.234.567 a").meta.size, Some(1_234_567));
    }

    #[test]
    fn dates_and_clocks() {
        let at = |year, month, day, hour, minute| {
            coarse(seconds((year, month, day), (hour, minute, 0)), Precision::Minute).expect("a date")
        };
        let table = [
            ("07-13-98  09:06PM", at(1998, 7, 13, 21, 6)),
            ("07-13-70  12:00AM", at(1970, 7, 13, 0, 0)),
            ("07-13-69  12:30PM", at(2069, 7, 13, 12, 30)),
            ("07-13-2023  21:06", at(2023, 7, 13, 21, 6)),
            ("07/13/2023  9:06 am", at(2023, 7, 13, 9, 6)),
            ("2023-07-13  09:06", at(2023, 7, 13, 9, 6)),
        ];
        for (date, want) in table {
            assert_eq!(entry(&format!("{date}    12 x")).meta.mtime, Some(want), "{date}");
        }
        assert_eq!(entry("02-30-98  09:06PM  12 x").meta.mtime, None);
    }

    #[test]
    fn links() {
        let table = [
            ("<JUNCTION>     All Users [C:\\ProgramData]", "All Users", Some("C:\\ProgramData")),
            ("<SYMLINKD>     d [\\\\host\\share [x]]", "d", Some("\\\\host\\share [x]")),
            ("<SYMLINK>      f [..\\f]", "f", Some("..\\f")),
            ("<SYMLINK>      f", "f", None),
            ("<SYMLINK>      f []", "f", None),
        ];
        for (rest, name, target) in table {
            let entry = entry(&format!("07-13-98  09:06PM    {rest}"));
            let kind = Kind::Symlink { target: target.map(|target| target.as_bytes().into()) };
            assert_eq!((entry.name.to_string().as_str(), entry.meta.kind), (name, kind));
        }
    }

    #[test]
    fn lines_that_are_no_entries() {
        assert_eq!(parse_dos_line(b""), Ok(None));
        assert_eq!(parse_dos_line(b"07-13-98  09:06PM       <DIR>          ."), Ok(None));
        let table = [
            ("total 12", Skip::NoEntry),
            ("07-13  09:06PM  12 x", Skip::NoEntry),
            ("07-13-98  x  12 x", Skip::NoDate),
            ("07-13-98  13:06PM  12 x", Skip::NoDate),
            ("07-13-98  09:06PM  <WHAT> x", Skip::NoEntry),
            ("07-13-98  09:06PM  , x", Skip::NoEntry),
            ("07-13-98  09:06PM  12", Skip::BadName),
            ("07-13-98  09:06PM  12 a/b", Skip::BadName),
        ];
        for (line, want) in table {
            assert_eq!(parse_dos_line(line.as_bytes()), Err(want), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_a_server_means_is_what_is_read(name in prop::collection::vec(any::<u8>(), 1..40), size: u64, minute in 0u8..60) {
            let line = [format!("03-18-98  06:{minute:02}AM {size:>20} ").as_bytes(), &name].concat();
            match Name::new(&name) {
                Some(name) => {
                    let entry = parse_dos_line(&line).expect("readable").expect("an entry");
                    prop_assert_eq!((entry.name, entry.meta.size), (name, Some(size)));
                }
                None => prop_assert!(!matches!(parse_dos_line(&line), Ok(Some(_)))),
            }
        }
    }
}
