//! Styles of systems that hardly anybody runs any more: [`gcos`] is Bull's and Honeywell's GCOS 8, [`mpe`] the HP 3000's,
//! [`vos`] Stratus', [`pctcp`] and [`distinct`] are of servers for DOS and Windows, [`jes`] the jobs of z/OS.

use super::super::text::number;
use super::clock::Clock;
use super::date::{self, Form, Habits, Line, Triple};
use super::months::month;
use super::order::DateOrder;
use super::time::{coarse, midnight, small, year};
use super::unix::skip_blanks;
use super::{Context, Facts, Skip, entry, permissions};
use crate::remote::{Entry, Kind, Precision};

/// `- rwx rwx ---        1280 05/06/98 10:12:10  uid           testbcd`: the time may be missing.
pub(super) fn gcos(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    let kind = match line.word(0) {
        b"d" => Kind::Dir,
        b"-" => Kind::File,
        _ => return Err(Skip::NoEntry),
    };
    let bits = <[u8; 9]>::try_from([line.word(1), line.word(2), line.word(3)].concat()).map_err(|_| Skip::NoEntry)?;
    let apart = (1..=3).all(|at| line.word(at).len() == 3);
    let mode = permissions::mode(&bits).filter(|_| apart).ok_or(Skip::NoEntry)?;
    let size = number(line.word(4)).ok_or(Skip::NoEntry)?;
    let day = full_day(line.word(5), context.habits).ok_or(Skip::NoEntry)?;
    let clock = Clock::read(line.words.get(6..).unwrap_or_default());
    let mtime = match clock {
        Some(clock) => clock.on(midnight(day)),
        None => coarse(midnight(day), Precision::Day),
    };
    let owner = 6 + clock.map_or(0, |clock| clock.words);
    entry(skip_blanks(line.after(owner)), kind, Facts { size: Some(size), mtime, mode: Some(mode) })
}

/// `     40774              IO.SYS   Tue May 31 06:22:00 1994`, `<dir>   UTIL   Thu Feb 20 09:55:02 2003`.
pub(super) fn pctcp(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    let (kind, size) = match line.word(0) {
        b"<dir>" | b"<DIR>" => (Kind::Dir, None),
        word => (Kind::File, Some(number(word).ok_or(Skip::NoEntry)?)),
    };
    let rest = line.words.get(2..).unwrap_or_default();
    // The day of the week and the year: seven words, and nothing behind them.
    let date = date::read(rest, context.habits, context.now).ok_or(Skip::NoEntry)?;
    if (date.form, date.words, rest.len()) != (Form::Full, 5, 5) {
        return Err(Skip::NoEntry);
    }
    entry(line.word(1), kind, Facts { size, mtime: date.stamp, mode: None })
}

/// `-wa--          60  Dec 29,2002   7:00   readme.txt`: Distinct's, with the attributes of DOS.
pub(super) fn distinct(line: &Line<'_>) -> Result<Option<Entry>, Skip> {
    let kind = match line.word(0) {
        [b'd', rest @ ..] if is_attributes(rest) => Kind::Dir,
        [b'-', rest @ ..] if is_attributes(rest) => Kind::File,
        _ => return Err(Skip::NoEntry),
    };
    let size = number(line.word(1)).ok_or(Skip::NoEntry)?;
    let mut parts = line.word(3).split(|&b| b == b',');
    let day = parts.next().and_then(small).zip(parts.next().and_then(year)).filter(|_| parts.next().is_none());
    let ((day, year), month) = day.zip(month(line.word(2))).ok_or(Skip::NoEntry)?;
    let clock = Clock::read(line.words.get(4..).unwrap_or_default()).ok_or(Skip::NoEntry)?;
    let facts = Facts { size: Some(size), mtime: clock.on(midnight((year, month, day))), mode: None };
    entry(skip_blanks(line.after(3 + clock.words)), kind, facts)
}

fn is_attributes(letters: &[u8]) -> bool {
    letters.len() == 4 && letters.iter().zip(b"wahs").all(|(b, set)| b == set || *b == b'-' || *b == b'r')
}

/// `  1B  BA         605 2147483647   1       16  1  *  .sh_history`: length of a record, type, records, and more numbers.
pub(super) fn mpe(line: &Line<'_>) -> Result<Option<Entry>, Skip> {
    // Three lines of a heading.
    if matches!((line.word(0), line.word(1)), (b"PATH=", _) | (b"SIZE", b"TYP"))
        || (line.word(0) == b"CODE" && line.word(1).starts_with(b"----"))
    {
        return Ok(None);
    }
    let record = match line.word(0) {
        [digits @ .., b'B'] => number(digits),
        [digits @ .., b'W'] => number(digits).and_then(|words| words.checked_mul(2)),
        _ => None,
    };
    let record = record.ok_or(Skip::NoEntry)?;
    let kind = line.word(1);
    let typed = (1..=4).contains(&kind.len()) && kind.iter().all(u8::is_ascii_uppercase);
    let counts = (3..=7).all(|at| number(line.word(at)).is_some() || line.word(at) == b"*");
    let records = number(line.word(2)).filter(|_| typed && counts).ok_or(Skip::NoEntry)?;
    let name = skip_blanks(line.after(7));
    if name.ends_with(b"/") {
        return entry(name, Kind::Dir, Facts::default());
    }
    entry(name, Kind::File, Facts { size: records.checked_mul(record), ..Facts::default() })
}

/// ` w    158 stm       90-05-19 11:53:44  acctng.cobol`: access, blocks, type, and no type where it is a directory.
pub(super) fn vos(line: &Line<'_>) -> Result<Option<Entry>, Skip> {
    let (first, second) = (line.word(0), line.word(1));
    if matches!(first, b"Files:" | b"Dirs:" | b"Links:") && number(second).is_some() {
        return Ok(None);
    }
    if second == b"->" && line.word(2).starts_with(b"%") && line.word(2).contains(&b'>') {
        return entry(first, Kind::Symlink { target: Some(line.from(2).into()) }, Facts::default());
    }
    let [b'a'..=b'z'] = first else {
        return Err(Skip::NoEntry);
    };
    number(second).ok_or(Skip::NoEntry)?;
    let typed = line.word(2).iter().all(u8::is_ascii_lowercase);
    let at = if typed { 3 } else { 2 };
    let habits = Habits { order: Some(DateOrder::YearFirst), ..Habits::default() };
    let day = full_day(line.word(at), habits).ok_or(Skip::NoEntry)?;
    let clock = Clock::read(line.words.get(at + 1..).unwrap_or_default());
    let clock = clock.filter(|clock| clock.precise).ok_or(Skip::NoEntry)?;
    let facts = Facts { mtime: clock.on(midnight(day)), ..Facts::default() };
    let name = skip_blanks(line.after(at + clock.words));
    entry(name, if typed { Kind::File } else { Kind::Dir }, facts)
}

/// `IBMUSER1  JOB01906  OUTPUT    3 Spool Files`: a job is what can be fetched.
pub(super) fn jes<'a>(line: &Line<'a>) -> Option<&'a [u8]> {
    let job = line.word(1);
    let (letters, digits) = job.split_at_checked(job.iter().position(u8::is_ascii_digit)?)?;
    let known = matches!((letters, digits.len()), (b"JOB" | b"TSU" | b"STC", 5) | (b"J" | b"T" | b"S", 7));
    let states: [&[u8]; 5] = [b"INPUT", b"ACTIVE", b"OUTPUT", b"HELD", b"ARCHIVE"];
    let stated = line.words.iter().skip(2).take(2).any(|word| states.contains(&word.text));
    (known && stated && number(digits).is_some()).then_some(job)
}

fn full_day(word: &[u8], habits: Habits) -> Option<(u16, u8, u8)> {
    match Triple::read(word, habits)? {
        (Triple::Full(year, month, day), _) => Some((year, month, day)),
        (Triple::Short(..), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;

    #[test]
    fn headings_are_known() {
        let mpe = " PATH= /PUB/\n\n CODE  ------------LOGICAL RECORD-----------  ----SPACE----  FILENAME\n\
            \x20        SIZE  TYP        EOF      LIMIT R/B  SECTORS #X MX\n\n\
            \x20          1B  BA         605 2147483647   1       16  1  *  .rc\n";
        let vos = "Files: 1  Blocks: 160\n\n w    158 stm       90-05-19 11:53:44  a.cobol\n\nDirs: 0\n";
        let jes = "JOBNAME  JOBID    OWNER    STATUS CLASS\n\
            IBMUSER2 JOB01906 IBMUSER  OUTPUT A        RC=0000 3 spool files\n";
        let os9 = "Directory of . 15:10:09\nOwner    Last modified  Attributes Sector Bytecount Name\n\
            -------   -------------  ---------- ------ --------- ----\n0.0 15/08/30 1100 dsew-ewr 20CE0 9760 d\n";
        for data in [mpe, vos, jes, os9] {
            let parsed = super::super::parse_list(data.as_bytes(), 0);
            assert_eq!((parsed.entries.len(), parsed.skipped), (1, vec![]), "{data}");
        }
    }

    #[test]
    fn single_lines() {
        let table = [
            ("d rwx rwx ---           0 02/25/98           owner1        cat", "dir 0 1998-02-25 0770 cat"),
            (
                "- rwx r-- ---        1280 05/06/98 10:12:10  uid           a b",
                "file 1280 1998-05-06T10:12:10 0740 a b",
            ),
            ("     40774              A.SYS   Tue May 31 06:22:00 1994", "file 40774 1994-05-31T06:22:00 - A.SYS"),
            ("<dir>                     UTIL   Thu Feb 20 09:55:02 2003", "dir - 2003-02-20T09:55:02 - UTIL"),
            ("-wa--          60  Dec 29,2002   7:00   a b", "file 60 2002-12-29T07:00 - a b"),
            ("d----           0  Dec 29,2002   6:51  test", "dir 0 2002-12-29T06:51 - test"),
            ("           1B  BA         605 2147483647   1       16  1  *  .rc", "file 605 - - .rc"),
            ("          16W  HBD          0   67107839   1       32  1  *  sub/", "dir - - - sub"),
            ("         128W  PROG        10   67107839   1       32  1  4  A B", "file 2560 - - A B"),
            (" w    158 stm       90-05-19 11:53:44  a.cobol", "file - 1990-05-19T11:53:44 - a.cobol"),
            (" m      1 04-05-20 12:00:01  old", "dir - 2004-05-20T12:00:01 - old"),
            ("sys -> %s1#d01>system", "link - - - sys -> %s1#d01>system"),
            ("IBMUSER1  JOB01906  OUTPUT    3 Spool Files", "file - - - JOB01906"),
            ("IBMUSER  T0018300 IBMUSER  OUTPUT TSU      ABEND=522 3 spool files", "file - - - T0018300"),
        ];
        for (line, want) in table {
            assert_eq!(shown_at_2026(line), [want], "{line}");
        }
        for line in [
            "- rwx rwx x 1280 05/06/98 10:12:10 uid testbcd",
            "40774 A.SYS Tue May 31 06:22:00 1994 more",
            "16W HBD x 67107839 1 32 1 * sub/",
            "w 158 stm 90-05-19 11:53 x",
            "IBMUSER1 JOB019 OUTPUT 3 Spool Files",
            "a -> b",
        ] {
            assert_eq!(shown_at_2026(line), [""; 0], "{line}");
        }
    }
}
