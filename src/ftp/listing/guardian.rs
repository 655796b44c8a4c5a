//! LIST of HP NonStop (Guardian): `FILE3  101  16354 14-Mar-14 15:09:12 244, 10 "nunu"`.

use super::super::text::number;
use super::clock::Clock;
use super::date::{Habits, Line, Triple};
use super::time::midnight;
use super::{Facts, Skip, entry};
use crate::remote::{Entry, Kind};

/// Reads one line; None for the heading.
///
/// # Errors
/// The line is not made so, or has no name that can be used.
pub(super) fn parse(line: &Line<'_>) -> Result<Option<Entry>, Skip> {
    if line.word(0) == b"File" && line.word(1) == b"Code" && line.word(2) == b"EOF" {
        return Ok(None);
    }
    let secured = line.words.last().is_some_and(|word| word.text.starts_with(b"\"") || word.text.ends_with(b"\""));
    // `O` between name and code: the file is open.
    let at = if line.word(1) == b"O" { 2 } else { 1 };
    let size = number(line.word(at + 1)).filter(|_| secured && number(line.word(at)).is_some()).ok_or(Skip::NoEntry)?;
    let Some((Triple::Full(year, month, day), _)) = Triple::read(line.word(at + 2), Habits::default()) else {
        return Err(Skip::NoEntry);
    };
    let clock = Clock::read(line.words.get(at + 3..).unwrap_or_default()).ok_or(Skip::NoEntry)?;
    let facts = Facts { size: Some(size), mtime: clock.on(midnight((year, month, day))), mode: None };
    entry(line.word(0), Kind::File, facts)
}

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;

    #[test]
    fn lines_as_servers_send_them() {
        let data = "File         Code             EOF  Last Modification    Owner  RWEP\n\
            FILE1 101 528 12-Jan-14 14:21:18 255, 0 \"oooo\"\n\
            FILE2 101 528 6-Apr-07 14:21:18 255,255 \"nunu\"\n\
            BUSY  O  700  16354 14-Mar-14 15:09:12 244, 10 \"nnnn\"\n";
        let want = [
            "file 528 2014-01-12T14:21:18 - FILE1",
            "file 528 2007-04-06T14:21:18 - FILE2",
            "file 16354 2014-03-14T15:09:12 - BUSY",
        ];
        assert_eq!(shown_at_2026(data), want);
    }
}
