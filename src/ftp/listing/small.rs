//! Styles of single products, each a few lines long.
//!
//! [`vxworks`] and VShell begin with the size, [`newt`] (Chameleon, SuperTCP, Nortel) with the name; [`octal`] is UNIX in
//! numbers; [`os9`] is Microware's; [`dls`] prints descriptions behind its names.

use std::borrow::Cow;

use super::super::text::number;
use super::clock::Clock;
use super::date::{self, Form, Habits, Line, Triple, Word};
use super::sizes::size;
use super::time::{midnight, small};
use super::unix::skip_blanks;
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind, Stamp};

/// `2048    Feb-28-1998  05:23:30   lib <DIR>` (VxWorks), `206876  Apr 04, 2000 21:06 name`, `0  Dec 12, 2002 02:13 dir/`
/// (VShell).
pub(super) fn vxworks(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    if line.word(0) == b"size" && line.word(1) == b"date" || line.word(0).starts_with(b"-----") {
        return Ok(None);
    }
    let size = number(line.word(0)).ok_or(Skip::NoEntry)?;
    let named = line.word(1).first().is_some_and(u8::is_ascii_alphabetic);
    let habits = Habits { time_after_year: true, ..context.habits };
    let date = date::read(line.words.get(1..).unwrap_or_default(), habits, context.now);
    let date = date.filter(|date| named && date.form == Form::Full).ok_or(Skip::NoEntry)?;
    let rest = skip_blanks(line.after(date.words));
    if rest.starts_with(b"[") {
        return Err(Skip::NoEntry);
    }
    let facts = Facts { size: Some(size), mtime: date.stamp, mode: None };
    match rest.trim_ascii_end().strip_suffix(b"<DIR>") {
        Some(name) => entry(name.trim_ascii_end(), Kind::Dir, facts),
        None if rest.ends_with(b"/") => entry(rest, Kind::Dir, facts),
        None => entry(rest, Kind::File, facts),
    }
}

/// `INSTALL  <DIR>  Nov 16 1994 17:17`, `CMT.CSV  0  11/16/94  17:16`, `ti.cfg  1014196  06/03/04  Thur.   10:20:03`, and
/// WinQVT's `my file.doc   812  10-23-2003 13:01`, `sub/   0  10-23-2003 01:02`.
pub(super) fn newt(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    for at in 1..line.words.len() {
        let size = match line.word(at) {
            b"<DIR>" | b"<dir>" => None,
            word => match size(word).flatten() {
                Some(size) => Some(size),
                None => continue,
            },
        };
        let Some((mtime, end)) = newt_date(&line.words[at + 1..], context) else {
            continue;
        };
        // Attributes may follow a name without blanks, nothing else.
        let rest = line.words.get(at + 1 + end..).unwrap_or_default();
        let attributes = rest.len() == 1 && at == 1 && rest[0].text.iter().all(|b| b"RHSA".contains(b));
        if rest.is_empty() || attributes {
            let name = newt_name(line, at);
            let kind = if size.is_none() || name.ends_with(b"/") { Kind::Dir } else { Kind::File };
            return entry(&name, kind, Facts { size, mtime, mode: None });
        }
    }
    Err(Skip::NoEntry)
}

/// The name in front of the word at `end`: before its type with Unisys (`A/B      SEQDATA    84`), in two columns with
/// PC-NFSD (`prog1    exe`).
fn newt_name<'a>(line: &Line<'a>, end: usize) -> Cow<'a, [u8]> {
    let words = &line.words[..end];
    let whole = || Cow::from(&line.text[words[0].start..words[end - 1].end]);
    match words {
        [name, extension] if extension.start > name.end + 1 => {
            if name.text.len() <= 8 && extension.text.len() <= 3 {
                return [name.text, b".", extension.text].concat().into();
            }
            if extension.text.iter().all(u8::is_ascii_uppercase) { name.text.into() } else { whole() }
        }
        _ => whole(),
    }
}

fn newt_date(words: &[Word<'_>], context: &Context) -> Option<(Option<Stamp>, usize)> {
    let habits = Habits { time_after_year: true, ..context.habits };
    if let Some(date) = date::read(words, habits, context.now).filter(|date| date.form == Form::Full) {
        return Some((date.stamp, date.words));
    }
    // Nortel puts the day of the week in between.
    let (Triple::Full(year, month, day), _) = Triple::read(words.first()?.text, habits)? else {
        return None;
    };
    let weekday = words.get(1)?.text;
    let clock = Clock::read(&words[2..]).filter(|_| weekday.ends_with(b".") && weekday.len() <= 5)?;
    Some((clock.on(midnight((year, month, day))), 2 + clock.words))
}

/// `0100644   500  101   12345    123456789       filename`: mode, owner, group, size, seconds since 1970, name.
pub(super) fn octal(line: &Line<'_>) -> Result<Option<Entry>, Skip> {
    let word = line.word(0);
    let plausible = (6..=7).contains(&word.len()) && word.iter().all(|b| (b'0'..=b'7').contains(b));
    let bits = word.iter().fold(0u32, |bits, b| bits << 3 | u32::from(b.wrapping_sub(b'0') & 7));
    let kind = match bits >> 12 {
        _ if !plausible => return Err(Skip::NoEntry),
        0o10 => Kind::File,
        0o04 => Kind::Dir,
        0o12 => Kind::Symlink { target: None },
        0o01 | 0o02 | 0o06 | 0o14 => Kind::Other,
        _ => return Err(Skip::NoEntry),
    };
    let numbers = (1..=4).map(|at| number(line.word(at))).collect::<Option<Vec<_>>>().ok_or(Skip::NoEntry)?;
    let secs = i64::try_from(numbers[3]).ok().filter(|secs| *secs < 253_402_300_800);
    let size = (!matches!(bits >> 12, 0o02 | 0o06)).then_some(numbers[2]);
    let facts = Facts { size, mtime: secs.map(Stamp::exact), mode: u16::try_from(bits & 0o7777).ok() };
    entry(skip_blanks(line.after(4)), kind, facts)
}

/// `20.20 07/03/29 1026 d-ewrewr 2650 85920 dir`: owner, day, time, attributes, sector, bytes, name.
pub(super) fn os9(line: &Line<'_>) -> Result<Option<Entry>, Skip> {
    let heading = matches!((line.word(0), line.word(1)), (b"Directory", b"of") | (b"Owner", b"Last"));
    if heading || line.word(0).starts_with(b"-----") {
        return Ok(None);
    }
    let attributes = line.word(3);
    let known = attributes.len() == 8 && attributes.iter().all(|b| b"dsewr-".contains(b));
    let (Some((Triple::Full(..), _)), [h1, h2, m1, m2]) = (Triple::read(line.word(1), Habits::default()), line.word(2))
    else {
        return Err(Skip::NoEntry);
    };
    let mut date = line.word(1).split(|&b| b == b'/');
    let mut next = || date.next();
    let day = (|| Some((date::any_year(next()?)?, small(next()?)?, small(next()?)?)))();
    let clock = small(&[*h1, *h2]).zip(small(&[*m1, *m2])).filter(|(hour, minute)| *hour < 24 && *minute < 60);
    let (Some(day), Some((hour, minute)), Some(size), true) = (day, clock, number(line.word(5)), known) else {
        return Err(Skip::NoEntry);
    };
    let secs = midnight(day).map(|secs| secs + i64::from(hour) * 3_600 + i64::from(minute) * 60);
    let mtime = super::time::coarse(secs, crate::remote::Precision::Minute);
    let kind = if attributes[0] == b'd' { Kind::Dir } else { Kind::File };
    entry(skip_blanks(line.after(5)), kind, Facts { size: Some(size), mtime, mode: None })
}

/// `README  763  Information about this server`, `pub/  =  Jul 11 21:04  Public area`.
///
/// Any line of a name and a number would be one, so the listing must have a directory that only dls writes so.
pub(super) fn dls(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    if !context.dls {
        return Err(Skip::NoEntry);
    }
    let size = match line.word(1) {
        b"-" | b"=" => None,
        word => Some(number(word).ok_or(Skip::NoEntry)?),
    };
    let rest = line.words.get(2..).unwrap_or_default();
    let date = date::read(rest, context.habits, context.now);
    let end = 2 + date.map_or(0, |date| date.words);
    let facts = Facts { size, mtime: date.and_then(|date| date.stamp), mode: None };
    match (line.word(0), line.word(end)) {
        (name, b"->") => {
            let target = Some(line.from(end + 1)).filter(|target| !target.is_empty()).map(Into::into);
            entry(name, Kind::Symlink { target }, facts)
        }
        (name, _) if name.ends_with(b"/") => entry(name, Kind::Dir, facts),
        (name, _) => entry(name, Kind::File, facts),
    }
}

/// Whether a line is written as only dls writes: `bin/  -`.
pub(super) fn is_dls(line: &Line<'_>) -> bool {
    line.word(0).len() > 1 && line.word(0).ends_with(b"/") && matches!(line.word(1), b"-" | b"=")
}

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;

    #[test]
    fn single_lines() {
        let table = [
            // VxWorks and VShell.
            ("2048    Feb-28-1998  05:23:30   lib <DIR>", "dir 2048 1998-02-28T05:23:30 - lib"),
            ("  512    Jan-01-1980  00:00:00   a b", "file 512 1980-01-01T00:00:00 - a b"),
            ("206876  Apr 04, 2000 21:06 a b", "file 206876 2000-04-04T21:06 - a b"),
            ("0  Dec 12, 2002 02:13 d/", "dir 0 2002-12-12T02:13 - d"),
            // Chameleon, SuperTCP, Nortel.
            ("INSTALL         <DIR>      Nov 16 1994 17:17   ", "dir - 1994-11-16T17:17 - INSTALL"),
            ("DESIGN1.DOC     11264      May 11 1995 14:20   A", "file 11264 1995-05-11T14:20 - DESIGN1.DOC"),
            ("CMT.CSV             0      Jul 06 1995 14:56   RHA", "file 0 1995-07-06T14:56 - CMT.CSV"),
            ("CMT             <DIR>           11-21-94        10:17", "dir - 1994-11-21T10:17 - CMT"),
            ("README.TXT            1045      05/10/95        11:01", "file 1045 1995-05-10T11:01 - README.TXT"),
            ("ti.cfg       1014196  06/03/04  Thur.   10:20:03", "file 1014196 2004-06-03T10:20:03 - ti.cfg"),
            ("a b.txt                   812  10-23-2003 13:01", "file 812 2003-10-23T13:01 - a b.txt"),
            ("sub/                        0  10-23-2003 01:02", "dir 0 2003-10-23T01:02 - sub"),
            ("A                       SEQDATA    84 03/08/1998  15:32", "file 84 1998-03-08T15:32 - A"),
            ("prog1    exe     2,563,136 06-10-99  10:00a", "file 2563136 1999-06-10T10:00 - prog1.exe"),
            ("temp         <dir>         01-27-97   3:41p", "dir - 1997-01-27T15:41 - temp"),
            // Numbers, OS-9.
            ("0100644   500  101   12345    123456789       a b", "file 12345 1973-11-29T21:33:09 0644 a b"),
            ("0041777   500  101   4096    123456789       d", "dir 4096 1973-11-29T21:33:09 1777 d"),
            ("0140755   500  101   0    123456789       s", "other 0 1973-11-29T21:33:09 0755 s"),
            ("0020600   0  5   0    123456789       tty", "other - 1973-11-29T21:33:09 0600 tty"),
            ("20.20 07/03/29 1026 d-ewrewr 2650 85920 d", "dir 85920 2007-03-29T10:26 - d"),
        ];
        for (line, want) in table {
            assert_eq!(shown_at_2026(line), [want], "{line}");
        }
        for line in
            ["2048 Feb-28-1998 05:23:30", "x 12 Nov 16 1994 17:17 more words", "0170644 1 1 1 1 x", "a 1", "README 763"]
        {
            assert_eq!(shown_at_2026(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn names_with_descriptions() {
        let data = "README              763  Information about this server\n\
            bin/                  -\npub/                  =  Jul 11 21:04  Public area\n\
            ls-lR.Z               3  05 Sep 1994\nmorgan               14  -> ../real/morgan\n\
            TIMIT.mostlikely.Z\n                  79215  Jan  4  6:45\n";
        let want = [
            "file 763 - - README",
            "dir - - - bin",
            "dir - 2026-07-11T21:04 - pub",
            "file 3 1994-09-05 - ls-lR.Z",
            "link 14 - - morgan -> ../real/morgan",
            "file 79215 2026-01-04T06:45 - TIMIT.mostlikely.Z",
        ];
        assert_eq!(shown_at_2026(data), want);
    }
}
