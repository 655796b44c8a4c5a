//! LIST of OpenVMS: `CII-MANUAL.TEX;1  213/216  29-JAN-1996 03:33:12  [ANONYMOU,ANONYMOUS]   (RWED,RWED,,)`.
//!
//! A name too long for its column stands alone, with the rest on the next line. Sizes are blocks of 512 bytes, used and
//! allocated. Of several versions of a file the highest is what its plain name opens, so the others are left out and the
//! name is given without version; a directory `D.DIR;1` is entered as `D`.

use std::collections::HashMap;

use super::super::text::{number, says};
use super::clock::Clock;
use super::date::{Line, Triple, is_blank};
use super::sizes::in_units;
use super::time::midnight;
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind, Precision};

/// Reads one line, both parts of a long one joined: the entry with its version.
///
/// # Errors
/// The line is not made so, the server may not look at the file, or its name cannot be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<(Entry, u64)>, Skip> {
    let first = line.word(0);
    // `DISK:[DIR]NAME;1`.
    let first = first.iter().rposition(|&b| b == b']').map_or(first, |at| &first[at + 1..]);
    let (name, version) =
        split_version(first).or_else(|| first.contains(&b'.').then_some((first, 0))).ok_or(Skip::NoEntry)?;
    let rest = line.words.get(1..).unwrap_or_default();
    if is_complaint(line.after(0)) {
        return Err(Skip::Unreadable);
    }
    let (at, date) = rest
        .iter()
        .take(4)
        .enumerate()
        .find_map(|(at, word)| Some((at, named_day(word.text, context)?)))
        .ok_or(Skip::NoEntry)?;
    let clock = Clock::read(&rest[at + 1..]);
    let mtime = match clock {
        Some(clock) => clock.on(midnight(date)),
        None => super::time::coarse(midnight(date), Precision::Day),
    };
    let behind = at + 1 + clock.map_or(0, |clock| clock.words);
    let before = rest[..at].iter().find_map(|word| size(word.text));
    let size = before.or_else(|| size(rest.get(behind)?.text)).ok_or(Skip::NoEntry)?;
    let facts = Facts { size, mtime, mode: None };
    let directory = name.len().checked_sub(4).filter(|at| name[*at..].eq_ignore_ascii_case(b".DIR"));
    let entry = match directory {
        Some(at) => entry(&name[..at], Kind::Dir, facts)?,
        None => entry(name, Kind::File, facts)?,
    };
    Ok(entry.map(|entry| (entry, version)))
}

/// `NAME.EXT;12` alone on its line: the rest follows.
pub(super) fn is_name_alone(line: &Line<'_>) -> bool {
    line.words.len() == 1 && !is_blank(line.text[0]) && split_version(line.word(0)).is_some()
}

/// The head of a listing: `Directory DISK:[DIR]`, `DISK:[DIR]`, `DISK:`.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let device = !line.contains(&b' ') && (line.ends_with(b":") || (line.ends_with(b"]") && line.contains(&b'[')));
    line.starts_with(b"Directory ") || device
}

/// The sum at the end of a listing, or what stands for an empty one: `*.*;0   <%RMS-E-FNF, file not found>`.
pub(super) fn is_end(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let sum = line.starts_with(b"Total ") && (says(line, "file") || says(line, "block"));
    sum || line.starts_with(b"Grand total") || (line.starts_with(b"*.*;") && says(line, "file not found"))
}

/// Keeps of each name the highest version, where its first one stood.
#[derive(Debug, Default)]
pub(super) struct Versions {
    seen: HashMap<Vec<u8>, (usize, u64)>,
}

impl Versions {
    pub(super) fn add(&mut self, entries: &mut Vec<Entry>, entry: Entry, version: u64) {
        match self.seen.get_mut(entry.name.as_bytes()) {
            Some((at, highest)) => {
                if version > *highest {
                    *highest = version;
                    entries[*at] = entry;
                }
            }
            None => {
                self.seen.insert(entry.name.as_bytes().to_vec(), (entries.len(), version));
                entries.push(entry);
            }
        }
    }
}

/// Name and version of `NAME.EXT;12`.
fn split_version(word: &[u8]) -> Option<(&[u8], u64)> {
    let at = word.iter().rposition(|&b| b == b';')?;
    Some((&word[..at], number(&word[at + 1..])?)).filter(|(name, _)| !name.is_empty())
}

/// `29-JAN-1996`.
fn named_day(word: &[u8], context: &Context) -> Option<(u16, u8, u8)> {
    let named = word.iter().any(u8::is_ascii_alphabetic) && word.first().is_some_and(u8::is_ascii_digit);
    match Triple::read(word, context.habits).filter(|_| named)? {
        (Triple::Full(year, month, day), _) => Some((year, month, day)),
        (Triple::Short(..), _) => None,
    }
}

/// `213/216`, `213`, `2KB`, `******`; the outer None where it is none of these.
///
/// Used blocks are blocks even where there are more of them than are allocated, as FileZilla takes them, too; but no disk
/// has more than 32 bits count, so what fits only as bytes is bytes (MultiNet).
fn size(word: &[u8]) -> Option<Option<u64>> {
    if !word.is_empty() && word.iter().all(|b| *b == b'*') {
        return Some(None);
    }
    if let Some(bytes) = in_units(word) {
        return Some(Some(bytes));
    }
    let mut parts = word.split(|&b| b == b'/');
    let used = number(parts.next()?)?;
    let allocated = match parts.next() {
        Some(digits) => Some(number(digits)?),
        None => None,
    };
    if parts.next().is_some() {
        return None;
    }
    let in_bytes = used > u64::from(u32::MAX)
        && allocated.is_some_and(|blocks| used > blocks && used <= blocks.saturating_mul(BLOCK));
    Some(if in_bytes { Some(used) } else { used.checked_mul(BLOCK) })
}

fn is_complaint(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    rest.starts_with(b"%")
        || rest.starts_with(b"<%")
        || says(rest, "protection violation")
        || says(rest, "insufficient privilege")
}

const BLOCK: u64 = 512;

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;
    use super::*;

    #[test]
    fn lines_as_servers_send_them() {
        let table = [
            ("LOGIN.COM;2    1   4-NOV-1994 14:09 [ANONYMOUS] (RWE,RWE,,)", "file 512 1994-11-04T14:09 - LOGIN.COM"),
            ("CORE.DIR;1          1  8-SEP-1996 16:09 [SYSTEM] (RWE,RWE,RE,RE)", "dir 512 1996-09-08T16:09 - CORE"),
            (
                "C-M.TEX;1  213/216  29-JAN-1996 03:33:12  [A,B]   (RWED,RWED,,)",
                "file 109056 1996-01-29T03:33:12 - C-M.TEX",
            ),
            ("f;1       155   2-JUL-2003 10:30:13.64", "file 79360 2003-07-02T10:30:13 - f"),
            (".WELCOME;1   2  13-FEB-2002 23:32:40.47", "file 1024 2002-02-13T23:32:40 - .WELCOME"),
            ("FILE.;1   2  13-FEB-2002 23:32:40.47", "file 1024 2002-02-13T23:32:40 - FILE."),
            ("n;1    2/8    7-JAN-2000    [IV2_XXX]   (RWED,RWED,RE,)", "file 1024 2000-01-07 - n"),
            ("n;1    6/8    15-JUI-2002    PRONAS   (RWED,RWED,RE,)", "file 3072 2002-07-15 - n"),
            // Other orders of the columns.
            ("n;1   [SUMMARY]    1/3     2-AUG-2006 13:05  (RWE,RWE,RE,)", "file 512 2006-08-02T13:05 - n"),
            ("n;1       17-JUN-1994 17:25:37     9/13     (RWED,RWED,R,)", "file 4608 1994-06-17T17:25:37 - n"),
            ("[A.DIR]n;1 1/3 5-MAR-1993 18:09", "file 512 1993-03-05T18:09 - n"),
            ("n;1       17-JUN-1994 17:25:37     5107/11     (RWED,RWED,R,)", "file 2614784 1994-06-17T17:25:37 - n"),
            // Sizes in bytes, in kilobytes, too large for their column.
            ("n;1   2199023255040/4294967295 5-MAR-1993 18:09", "file 2199023255040 1993-03-05T18:09 - n"),
            ("n;1 2KB 23-SEP-2005 14:57:07.27", "file 2048 2005-09-23T14:57:07 - n"),
            ("n;2 ******  6-MAY-2008 09:29 [A,B] (RE,RWED,RE,RE)", "file - 2008-05-06T09:29 - n"),
            ("n;2  9223372036854775807  18-APR-2000 10:40", "file - 2000-04-18T10:40 - n"),
        ];
        for (line, want) in table {
            assert_eq!(shown_at_2026(line), [want], "{line}");
        }
    }

    #[test]
    fn a_listing() {
        let data = b"\r\nDirectory DISK$VOL:[PUB]\r\nACA:[ANONYMOUS]\r\n\r\n\
            SECRET.LOG;23\r\n                   <%SYSTEM-F-NOPRIV, insufficient privilege>\r\n\
            HIDDEN.FTP;1        insufficient privilege or file protection violation\r\n\
            A.TXT;2   3 25-JAN-2004 07:11 [X] (RWE,,,)\r\nA.TXT;3   4 26-JAN-2004 07:11 [X] (RWE,,,)\r\n\
            A.TXT;1   1 25-JAN-2003 07:11 [X] (RWE,,,)\r\n\
            A_NAME_THAT_FILLS_ITS_COLUMN.AND_MORE;1\r\n                 4/15         24-FEB-2003 13:17:24  [P,L]    (RWED,,,)\r\n\
            ANOTHER_SUCH_NAME.SENT_WITH_CR\r       213  29-JAN-1996 03:33 [P,L] (RWED,,,)\r\n\
            ALONE.TXT;1\r\n\r\nTotal of 6 Files, 12 Blocks.\r\n226 Transfer completed.\r\n";
        let parsed = super::super::parse_list(data, 0);
        let want = [
            "file 2048 2004-01-26T07:11 - A.TXT",
            "file 2048 2003-02-24T13:17:24 - A_NAME_THAT_FILLS_ITS_COLUMN.AND_MORE",
            "file 109056 1996-01-29T03:33 - ANOTHER_SUCH_NAME.SENT_WITH_CR",
        ];
        assert_eq!(super::super::shown(&parsed), want);
        let why: Vec<_> = parsed.skipped.iter().map(|skipped| skipped.why).collect();
        assert_eq!(why, [Skip::Unreadable, Skip::Unreadable, Skip::NoEntry]);
        assert!(parsed.rough_sizes);
        // Nothing is there, and another directory.
        let none =
            super::super::parse_list(b"\r\nX:[INCOMING]\r\n\r\n*.*;0              <%RMS-E-FNF, file not found>\r\n", 0);
        assert_eq!((none.entries.len(), none.is_gibberish()), (0, false));
        let two = "Directory X:[A]\n\nA.TXT;2   3 25-JAN-2004 07:11\n\nTotal of 1 file.\n\nDirectory X:[A.B]\n\nB.TXT;1 1 25-JAN-2004 07:11\n";
        assert_eq!(shown_at_2026(two), ["file 1536 2004-01-25T07:11 - A.TXT"]);
        // Names alone, as NLST sends them, are no entries.
        assert_eq!(shown_at_2026("A.TXT;1\r\nB.TXT;1\r\n"), [""; 0]);
    }
}
