//! LIST as MS-DOS printed it, which IIS sends by default: `07-13-98  09:06PM       <DIR>          aix`.
//!
//! IIS's "four-digit years" and 24-hour clocks are known, too, and what Windows prints elsewhere in the world: other
//! orders of day, month and year, other marks between thousands. Times are the server's own.

use super::super::text::number;
use super::clock::Clock;
use super::date::{Habits, Line, Triple};
use super::order::{DateOrder, Evidence};
use super::time::midnight;
use super::unix::skip_blanks;
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind};

/// Reads one line; None for the directory itself and its parent.
///
/// # Errors
/// The line does not begin with date and time, or has no size and no name that can be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    if is_frame(line) {
        return Ok(None);
    }
    let (date, _) = day(line, context.habits).ok_or(Skip::NoEntry)?;
    let clock = Clock::read_eastern(line.words.get(1..).unwrap_or_default()).ok_or(Skip::NoDate)?;
    let at = 1 + clock.words;
    let facts = Facts { mtime: clock.on(midnight(date)), ..Facts::default() };
    let column = line.word(at);
    let name = || {
        let in_columns = name_in_columns(line.after(at - 1));
        in_columns.unwrap_or_else(|| skip_blanks(line.after(at)))
    };
    match &column.to_ascii_uppercase()[..] {
        b"<DIR>" | b"<REP>" => entry(name(), Kind::Dir, facts),
        b"<JUNCTION>" | b"<SYMLINK>" | b"<SYMLINKD>" | b"<LINK>" => {
            let (name, target) = split_target(name());
            entry(name, Kind::Symlink { target: target.map(Into::into) }, facts)
        }
        _ => {
            let (size, name) = match grouped(line, at, context.dos_name_column) {
                Some((size, name)) => (Some(size), name),
                None => (size(column), name()),
            };
            entry(name, Kind::File, Facts { size: Some(size.ok_or(Skip::NoEntry)?), ..facts })
        }
    }
}

/// What `dir` prints around its lines: ` Volume in drive C has no label.`, ` Directory of C:\x`, `3 File(s)   12 bytes`.
fn is_frame(line: &Line<'_>) -> bool {
    match (line.word(0), line.word(1)) {
        (b"Volume", b"in" | b"Serial") | (b"Directory", b"of") => true,
        (count, b"File(s)" | b"Dir(s)") => number(count).is_some(),
        _ => false,
    }
}

/// Looks at all lines before they are read.
#[derive(Debug, Default)]
pub(super) struct Study {
    evidence: Evidence,
    /// Where names begin behind `<DIR>`.
    name_column: Option<usize>,
}

impl Study {
    pub(super) fn look(&mut self, line: &Line<'_>) {
        let Some((_, clue)) = day(line, Habits::default()) else {
            return;
        };
        self.evidence.add(clue);
        let words = line.words.iter().enumerate().take(5);
        if let Some((at, _)) = words.skip(2).find(|(_, word)| word.text.eq_ignore_ascii_case(b"<DIR>"))
            && let Some(name) = line.words.get(at + 1)
        {
            // Names that begin with blanks stand further to the right.
            self.name_column = Some(self.name_column.map_or(name.start, |seen| seen.min(name.start)));
        }
    }

    pub(super) fn conclude(&self) -> (Habits, Option<usize>) {
        let habits = Habits { order: self.evidence.told(), ..Habits::default() };
        (habits, self.name_column)
    }
}

fn day(line: &Line<'_>, habits: Habits) -> Option<((u16, u8, u8), Option<DateOrder>)> {
    let word = line.word(0);
    if !word.first()?.is_ascii_digit() {
        return None;
    }
    match Triple::read(word, habits)? {
        (Triple::Full(year, month, day), clue) => Some(((year, month, day), clue)),
        (Triple::Short(..), _) => None,
    }
}

/// What stands behind IIS's column of 21 characters and one blank; None where the line has no such column, and a name
/// that begins with a blank cannot be told from the filling.
///
/// IIS 7.5 to 10 are alike in this (robinrodricks/FluentFTP issue 861, where the blanks of names were lost, too).
fn name_in_columns(after_clock: &[u8]) -> Option<&[u8]> {
    let (column, rest) = after_clock.split_at_checked(21)?;
    let is_dir = column.starts_with(b"       <") && matches!(column.trim_ascii_end(), [_, .., b'>']);
    let is_size = column.last().is_some_and(u8::is_ascii_digit) && !skip_blanks(column).contains(&b' ');
    rest.strip_prefix(b" ").filter(|_| is_dir || is_size)
}

/// Digits, perhaps with marks between thousands: `1,234`, `1.234`, `1'234`, and blanks that do not break.
fn size(column: &[u8]) -> Option<u64> {
    let mut digits = Vec::new();
    let mut rest = column;
    while let Some((&b, next)) = rest.split_first() {
        if b.is_ascii_digit() {
            digits.push(b);
            rest = next;
            continue;
        }
        let mark = MARKS.iter().find(|mark| rest.starts_with(mark)).filter(|_| !digits.is_empty())?;
        rest = &rest[mark.len()..];
        // Three digits follow, and no more.
        let group = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if group != 3 {
            return None;
        }
    }
    number(&digits)
}

/// `1 234 567 name`: groups of three that end where names begin in other lines.
fn grouped<'a>(line: &Line<'a>, at: usize, name_column: Option<usize>) -> Option<(u64, &'a [u8])> {
    let column = name_column?;
    let groups: Vec<_> = line.words.iter().skip(at).take_while(|word| word.end < column).collect();
    let (first, rest) = groups.split_first()?;
    let glued = groups.windows(2).all(|pair| pair[0].end + 1 == pair[1].start);
    if rest.is_empty() || !glued || first.text.len() > 3 || rest.iter().any(|word| word.text.len() != 3) {
        return None;
    }
    let digits: Vec<u8> = groups.iter().flat_map(|word| word.text.iter().copied()).collect();
    let name = line.text.get(column..)?;
    Some((number(&digits)?, name))
}

/// Name and target of `name [target]`, `name -> target`, `name => target`.
fn split_target(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    // Neither name nor target can hold a `>` on Windows.
    if let Some(at) = rest.windows(4).position(|part| matches!(part, b" -> " | b" => ")).filter(|at| *at > 0) {
        let target = skip_blanks(&rest[at + 4..]);
        return (&rest[..at], (!target.is_empty()).then_some(target));
    }
    let at = rest.windows(2).position(|pair| pair == b" [").filter(|_| rest.ends_with(b"]"));
    match at {
        Some(at) => {
            let target = &rest[at + 2..rest.len() - 1];
            (&rest[..at], (!target.is_empty()).then_some(target))
        }
        None => (rest, None),
    }
}

/// Between thousands: the no-break space of Latin-1, UTF-8 (also the narrow one) and code page 437 among them.
const MARKS: &[&[u8]] = &[b",", b".", b"'", b"\xa0", b"\xff", b"\xc2\xa0", b"\xe2\x80\xaf", b"\xe2\x80\x99"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::time::{coarse, seconds};
    use super::super::{Reading, parse_list_as, shown, shown_at_2026};
    use super::*;
    use crate::remote::{Name, Precision};

    fn parse_at(line: &[u8]) -> Result<Option<Entry>, Skip> {
        parse(&Line::new(line), &Context::default())
    }

    fn entry(line: &str) -> Entry {
        parse_at(line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}")).expect("an entry")
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
            ("<JUNCTION>     a b => foo", "a b", Some("foo")),
            ("<JUNCTION>     c -> bar too", "c", Some("bar too")),
            ("   <JUNCTION>  d ->  foo2", "d", Some("foo2")),
            ("   <JUNCTION>      e ->  foo2", " e", Some("foo2")),
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
        assert_eq!(parse_at(b"07-13-98  09:06PM       <DIR>          ."), Ok(None));
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
            assert_eq!(parse_at(line.as_bytes()), Err(want), "{line}");
        }
    }

    #[test]
    fn what_only_the_listing_tells() {
        let german = "14.11.2023  22:13    <DIR>          sub\r\n\
            01.02.2023  22:13         1 234 567 12 a.txt\r\n\
            14.11.2023  22:13                 7 b\r\n";
        let want =
            ["dir - 2023-11-14T22:13 - sub", "file 1234567 2023-02-01T22:13 - 12 a.txt", "file 7 2023-11-14T22:13 - b"];
        assert_eq!(shown_at_2026(german), want);
        let french = b"14/11/2023  22:13    <REP>          sub\r\n01/02/2023  22:13         1\xa0234\xa0567 a\r\n";
        assert_eq!(shown_at_2026(french), ["dir - 2023-11-14T22:13 - sub", "file 1234567 2023-02-01T22:13 - a"]);
        let japanese = "98-07-13  21:06       <DIR>          d/\r\n01-02-03  21:06    9 x\r\n";
        assert_eq!(shown_at_2026(japanese), ["dir - 1998-07-13T21:06 - d", "file 9 2001-02-03T21:06 - x"]);
        let reading = Reading { order: Some(DateOrder::DayFirst), now: 0, style: None };
        let parsed = parse_list_as(b"01/02/2023  22:13   9 x\n", &reading);
        assert_eq!((shown(&parsed), parsed.order), (vec!["file 9 2023-02-01T22:13 - x".into()], None));
        assert_eq!(parse_list_as(french, &Reading::default()).order, Some(DateOrder::DayFirst));
        let korean = "2023-11-14  오후 10:13    <DIR>    d\r\n2023-11-14  오전 12:13    1,234 x\r\n";
        assert_eq!(shown_at_2026(korean), ["dir - 2023-11-14T22:13 - d", "file 1234 2023-11-14T00:13 - x"]);
        let spanish = "14/11/2023  10:13 p. m.    <DIR>    d\r\n14-nov-2023  10:13    7 x\r\n";
        assert_eq!(shown_at_2026(spanish), ["dir - 2023-11-14T22:13 - d", "file 7 2023-11-14T10:13 - x"]);
        let framed = b" Volume in drive C is X\r\n Directory of C:\\x\r\n\r\n01/13/2023  10:13 PM    9 x\r\n  1 File(s)  9 bytes\r\n";
        let framed = parse_list_as(framed, &Reading::default());
        assert_eq!((shown(&framed), framed.is_whole()), (vec!["file 9 2023-01-13T22:13 - x".into()], true));
        let american = "01/02/2023  10:13 PM    9 x\r\n12-05-96  17:03         <DIR>          CE\r\n";
        assert_eq!(shown_at_2026(american), ["file 9 2023-01-02T22:13 - x", "dir - 1996-12-05T17:03 - CE"]);
    }

    #[test]
    fn marks_between_thousands() {
        let table: &[(&[u8], Option<u64>)] = &[
            (b"1,234,567", Some(1_234_567)),
            (b"1.234", Some(1_234)),
            (b"1'234", Some(1_234)),
            (b"1\xff234", Some(1_234)),
            ("1\u{202f}234\u{a0}567".as_bytes(), Some(1_234_567)),
            (b"1,23", None),
            (b"1,2345", None),
            (b",123", None),
            (b"12x", None),
            (b"-1", None),
        ];
        for (column, want) in table {
            assert_eq!(size(column), *want, "{}", column.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_a_server_means_is_what_is_read(name in prop::collection::vec(any::<u8>(), 1..40), size: u64, minute in 0u8..60) {
            let line = [format!("03-18-98  06:{minute:02}AM {size:>20} ").as_bytes(), &name].concat();
            match Name::new(&name) {
                Some(name) => {
                    let entry = parse_at(&line).expect("readable").expect("an entry");
                    prop_assert_eq!((entry.name, entry.meta.size), (name, Some(size)));
                }
                None => prop_assert!(!matches!(parse_at(&line), Ok(Some(_)))),
            }
        }
    }
}
