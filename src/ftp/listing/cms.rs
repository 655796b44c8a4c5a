//! LIST of VM/CMS: `README   ANONYMOU V         71         26          1 1997-04-02 12:33:20 TCP291`.
//!
//! Name and type are one name for FTP, with a full stop between. Records and blocks do not tell the size in bytes.

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
    if line.word(0) == b"Filename" && line.word(1) == b"FileType" {
        return Ok(None);
    }
    let at = (1..=3).find(|&at| is_format(line, at)).ok_or(Skip::NoEntry)?;
    let Some((Triple::Full(year, month, day), _)) = Triple::read(line.word(at + 4), Habits::default()) else {
        return Err(Skip::NoEntry);
    };
    let clock = Clock::read(line.words.get(at + 5..).unwrap_or_default()).ok_or(Skip::NoEntry)?;
    let facts = Facts { mtime: clock.on(midnight((year, month, day))), ..Facts::default() };
    if line.word(at) == b"DIR" {
        return entry(line.word(0), Kind::Dir, facts);
    }
    // Between type and format the minidisk may stand: `A1`.
    if at < 2 {
        return Err(Skip::NoEntry);
    }
    entry(&[line.word(0), b".", line.word(1)].concat(), Kind::File, facts)
}

/// `V 71 26 1` or `DIR - - -`.
fn is_format(line: &Line<'_>, at: usize) -> bool {
    let counts = |all: fn(&[u8]) -> bool| (at + 1..=at + 3).all(|at| all(line.word(at)));
    match line.word(at) {
        b"F" | b"V" => counts(|word| number(word).is_some()),
        b"DIR" => counts(|word| word == b"-"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;

    #[test]
    fn lines_as_servers_send_them() {
        let old = "Filename FileType  Fm Format Lrecl  Records Blocks Date      Time\n\
            LASTING  GLOBALV   A1 V      41     21     1       9/16/91   15:10:32\n\
            ABADY2K  DATE      A0 V      1      1      1       1/03/100  10:11:12\n\
            AUTHORS            A1 DIR    -      -      -       9/20/99   10:31:11\n";
        let want = [
            "file - 1991-09-16T15:10:32 - LASTING.GLOBALV",
            "file - 2000-01-03T10:11:12 - ABADY2K.DATE",
            "dir - 1999-09-20T10:31:11 - AUTHORS",
        ];
        assert_eq!(shown_at_2026(old), want);
        let new = "125 List started OK\nREADME   ANONYMOU V         71         26          1 1997-04-02 12:33:20 TCP291\n\
            PICS              DIR        -          -          - 2000-10-12 15:43:23 -\n250 List completed successfully.\n";
        assert_eq!(
            shown_at_2026(new),
            ["file - 1997-04-02T12:33:20 - README.ANONYMOU", "dir - 2000-10-12T15:43:23 - PICS"]
        );
    }
}
