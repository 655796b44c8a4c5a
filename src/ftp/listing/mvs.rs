//! LIST of z/OS (MVS): datasets with their volume, members of a partitioned dataset, load modules.
//!
//! Datasets have no size in bytes, only records and tracks. `Referred` is the day of the last use, the only date that
//! there is.

use super::clock::Clock;
use super::date::{Habits, Line, Triple};
use super::order::DateOrder;
use super::time::{coarse, midnight};
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind, Precision, Stamp};

/// Reads one line; None for a heading.
///
/// # Errors
/// The line is not made so, or has no name that can be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    if is_heading(line) {
        return Ok(None);
    }
    let kind = dataset(line);
    if let Some((kind, mtime)) = kind {
        return entry(last(line), kind, Facts { mtime, ..Facts::default() });
    }
    if let Some(facts) = member(line).or_else(|| module(line)) {
        return entry(line.word(0), Kind::File, facts);
    }
    if let Some(job) = super::rare::jes(line) {
        return entry(job, Kind::File, Facts::default());
    }
    if context.mvs_members && line.words.len() == 1 && is_member_name(line.word(0)) {
        return entry(line.word(0), Kind::File, Facts::default());
    }
    Err(Skip::NoEntry)
}

/// `Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname`, ` Name     VV.MM   Created ...`.
pub(super) fn is_heading(line: &Line<'_>) -> bool {
    line.word(0) == b"Volume" && line.words.last().is_some_and(|word| word.text == b"Dsname")
        || line.word(0) == b"JOBNAME" && line.word(1) == b"JOBID"
        || is_member_heading(line)
}

/// The heading of a partitioned dataset: below it, a name alone is a member without statistics.
pub(super) fn is_member_heading(line: &Line<'_>) -> bool {
    line.word(0) == b"Name" && matches!(line.word(1), b"VV.MM" | b"Size") && line.words.len() > 4
}

/// `SAVE00 3390   2004/06/23  1    1  FB     128  6144  PS    INCOMING.D061704` and what stands for it elsewhere.
fn dataset(line: &Line<'_>) -> Option<(Kind, Option<Stamp>)> {
    let count = line.words.len();
    let name = last(line);
    if count < 2 || !name.iter().all(|b| b.is_ascii_alphanumeric() || b".@#$-{}_+".contains(b)) {
        return None;
    }
    let (first, second) = (line.word(0), line.word(1));
    match (first, second, count) {
        (b"Migrated" | b"MIGRAT", _, 2) => return Some((Kind::File, None)),
        (b"ARCIVE", b"Not", 6) => return Some((Kind::File, None)),
        (b"Pseudo", b"Directory", 3) => return Some((Kind::Dir, None)),
        (b"Error", b"determining", 4) => return Some((Kind::File, None)),
        _ => {}
    }
    let far = line.words[0].start >= FAR;
    if far && count == 2 {
        return match first {
            b"VSAM" | b"AIX" | b"PATH" => Some((Kind::File, None)),
            b"GDG" | b"ALIAS" => Some((Kind::Other, None)),
            _ => None,
        };
    }
    let is_volume =
        first.len() <= 6 && first.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"@#$".contains(b));
    if !is_volume || count < 3 {
        return None;
    }
    if second == b"Tape" && count == 3 {
        return Some((Kind::File, None));
    }
    // `3390`, `3380K`.
    let is_unit = (4..=5).contains(&second.len())
        && second.iter().all(u8::is_ascii_alphanumeric)
        && second.iter().any(u8::is_ascii_digit);
    let organisation = line.word(count - 2);
    let referred = line.word(2);
    // More than 99 extents leave no blank behind the date.
    let day = slashed(referred).or_else(|| slashed(referred.get(..10)?));
    let known = ORGANISATIONS.iter().any(|known| organisation.starts_with(known));
    if !is_unit || !known || (day.is_none() && referred != b"**NONE**" && organisation != b"VSAM") {
        return None;
    }
    let kind = if organisation.starts_with(b"PO") { Kind::Dir } else { Kind::File };
    Some((kind, day.and_then(|day| coarse(midnight(day), Precision::Day))))
}

/// `TBSHELF1  01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001`: the size counts lines.
fn member(line: &Line<'_>) -> Option<Facts> {
    let [major1, major2, b'.', minor1, minor2] = line.word(1) else {
        return None;
    };
    let digits = [major1, major2, minor1, minor2].iter().all(|b| b.is_ascii_digit());
    slashed(line.word(2)).filter(|_| digits)?;
    let clock = Clock::read(line.words.get(4..)?)?;
    let short = Habits { order: Some(DateOrder::YearFirst), ..Habits::default() };
    match Triple::read(line.word(3), short)? {
        (Triple::Full(year, month, day), _) => {
            Some(Facts { mtime: clock.on(midnight((year, month, day))), ..Facts::default() })
        }
        (Triple::Short(..), _) => None,
    }
}

/// `EAGKCPT   000058   000009          00 FO             RN RU            31    ANY`: the size is hexadecimal.
fn module(line: &Line<'_>) -> Option<Facts> {
    let hex = |word: &[u8]| {
        let text = str::from_utf8(word).ok().filter(|text| text.len() == 6)?;
        u64::from_str_radix(text, 16).ok().filter(|_| text.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let size = hex(line.word(1))?;
    hex(line.word(2)).filter(|_| line.words.len() > 4)?;
    Some(Facts { size: Some(size), ..Facts::default() })
}

/// `2004/06/23`, and in members of old systems `99/10/12`, in datasets `12/29/95`.
fn slashed(word: &[u8]) -> Option<(u16, u8, u8)> {
    let mark = match word.len() {
        10 => *word.get(4)?,
        8 => *word.get(2)?,
        _ => return None,
    };
    match Triple::read(word, Habits::default()).filter(|_| mark == b'/')? {
        (Triple::Full(year, month, day), _) => Some((year, month, day)),
        (Triple::Short(..), _) => None,
    }
}

fn is_member_name(word: &[u8]) -> bool {
    word.len() <= 8 && word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"@#$".contains(b))
}

fn last<'a>(line: &Line<'a>) -> &'a [u8] {
    line.words.last().map_or(b"", |word| word.text)
}

/// What `Dsorg` begins with.
const ORGANISATIONS: [&[u8]; 9] = [b"PS", b"PO", b"DA", b"IS", b"VS", b"HFS", b"ZFS", b"NONE", b"??"];
/// Where datasets without a volume stand.
const FAR: usize = 20;

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;

    #[test]
    fn datasets() {
        let table = [
            ("SAVE00 3390   2004/06/23  1    1  FB     128  6144  PS    IN.RPT.D06", "file - 2004-06-23 - IN.RPT.D06"),
            ("SAVE02 3390   2004/06/23  1    1  FB     128  6144  PO-E  IN.RPT.D07", "dir - 2004-06-23 - IN.RPT.D07"),
            ("V00001 3390   2020/04/18  1   60   U   32760 32760  PO    NAME", "dir - 2020-04-18 - NAME"),
            ("PEX26F 3390   2017/07/03  115807  FB   29600 29600  PS    A.B", "file - 2017-07-03 - A.B"),
            ("YNSABH 3390   2022/02/18  1+++++  VBS  32767 27966  PS  $.B.X", "file - 2022-02-18 - $.B.X"),
            ("GISBWI 3390   2011/08/25  2 ++++  FB     904 18080  PS  80.M", "file - 2011-08-25 - 80.M"),
            ("NRP004 3390   **NONE**    1   15  NONE     0     0  PO  N.D", "dir - - - N.D"),
            ("VSM007 3390                                        VSAM M.D.D", "file - - - M.D.D"),
            ("V43525 Tape                                             T.F", "file - - - T.F"),
            ("Migrated                                                O.D", "file - - - O.D"),
            ("ARCIVE Not Direct Access Device                         A.R", "file - - - A.R"),
            ("SM6009 3380   2010/03/09123 2415  U    18432 18432  PO  LOADLIB", "dir - 2010-03-09 - LOADLIB"),
            ("OVH025 3380   12/29/95  1   60  FB      80 23200  PO  M.CLIST", "dir - 1995-12-29 - M.CLIST"),
            ("WTLSTG 3380K  12/29/95  1    1  VB     136 23476  PS  PRINT", "file - 1995-12-29 - PRINT"),
            ("Pseudo Directory                                        P.D", "dir - - - P.D"),
            ("                                                   GDG  G.V", "other - - - G.V"),
        ];
        for (line, want) in table {
            assert_eq!(shown_at_2026(line), [want], "{line}");
        }
        let heading = "Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname\r\n";
        assert_eq!(shown_at_2026(format!("{heading}MigratedP201.X\r\nfile2.O\r\n")), [""; 0]);
    }

    #[test]
    fn members() {
        let data = " Name     VV.MM   Created       Changed      Size  Init   Mod   Id\r\n\
            TBSHELF1  01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001\r\n\
            NOSTATS                                                             \r\n\
            OLDSTATS  01.04 99/10/05 99/10/12 10:46    11    11     0 KIL001\r\n\
            not a member\r\n";
        let want = ["file - 2002-10-11T09:37 - TBSHELF1", "file - - - NOSTATS", "file - 1999-10-12T10:46 - OLDSTATS"];
        assert_eq!(shown_at_2026(data), want);
        let modules = " Name      Size     TTR   Alias-of AC --------- Attributes --------- Amode Rmode\r\n\
            EAGKCPT   000058   000009          00 FO             RN RU            31    ANY\r\n\
            EAGRTPRC  005F48   000011 EAGRTALT 00 FO             RN RU            31    ANY\r\n";
        assert_eq!(shown_at_2026(modules), ["file 88 - - EAGKCPT", "file 24392 - - EAGRTPRC"]);
    }
}
