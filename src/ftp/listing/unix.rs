//! LIST as `ls -l` prints it: `-rw-r--r--   1 u        g              12 Nov 14  2023 hello.txt`.
//!
//! Columns have no fixed width and any but the first may be missing, so the line is read around its date: the first date
//! that follows a number. After the date comes exactly one blank, and all the rest is the name, blanks and all.
//!
//! Links, owner and group are not looked at: they may be missing (Trellix), hold blanks (Windows domains), or be glued to
//! the size (`ftpadmin125435904`). Mac servers print resource fork, data fork and their sum, or `folder` and a number;
//! NetWare prints rights in place of permissions: `d [RWCEAFMS] supervisor 512 Jan 16 18:53 login`.

use std::sync::Arc;

use super::columns::Columns;
use super::date::{Form, Line, is_blank};
use super::manners::{Manners, is_program};
use super::permissions::Permissions;
use super::{Context, Facts, Shape, Skip, entry};
use crate::remote::{Entry, Kind};

/// Reads one line; None for the directory itself and its parent.
///
/// # Errors
/// The line does not begin with permissions, has no date after a size, or no name that can be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    let permissions = Permissions::find(line).ok_or(Skip::NoEntry)?;
    let columns = Columns::find(line, permissions.next, context).ok_or(Skip::NoDate)?;
    let rest = behind(line, &columns, permissions.netware, context.unix).ok_or(Skip::BadName)?;
    let facts = Facts { size: columns.size, mtime: columns.date.and_then(|date| date.stamp), mode: permissions.mode };
    match permissions.shape {
        Shape::File if context.unix.starred && is_program(&permissions) => {
            entry(own_part(rest.strip_suffix(b"*").unwrap_or(rest)), Kind::File, facts)
        }
        Shape::File => entry(own_part(rest), Kind::File, facts),
        Shape::Dir => entry(own_part(rest.strip_suffix(b"/").unwrap_or(rest)), Kind::Dir, facts),
        Shape::Link => {
            let (name, target) = split_link(rest, columns.size);
            entry(own_part(name), Kind::Symlink { target }, facts)
        }
        Shape::Device => entry(rest, Kind::Other, Facts { size: None, ..facts }),
        Shape::Other => entry(rest, Kind::Other, facts),
    }
}

/// What stands behind the columns and the blanks that are not the name's.
fn behind<'a>(line: &Line<'a>, columns: &Columns, netware: bool, manners: Manners) -> Option<&'a [u8]> {
    let rest = line.text.get(columns.end..)?;
    if columns.form == Form::Bare || (netware && !manners.one_blank) {
        return Some(skip_blanks(rest));
    }
    let rest = rest.split_first().filter(|(b, _)| is_blank(**b))?.1;
    let filling = if columns.form == Form::Year && manners.filled_year && columns.narrow { 1 } else { manners.margin };
    let blanks = rest.iter().take(filling).take_while(|b| is_blank(**b)).count();
    rest.get(blanks..)
}

/// The name in a whole path, which some servers list (NetWare, and others where the path was given to LIST).
pub(super) fn own_part(path: &[u8]) -> &[u8] {
    match path {
        [b'/', ..] => path.rsplit(|&b| b == b'/').next().unwrap_or(path),
        name => name,
    }
}

pub(super) fn skip_blanks(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|b| !is_blank(*b)).unwrap_or(text.len());
    &text[at..]
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::shown_at_2026;
    use super::super::time::coarse;
    use super::*;
    use crate::remote::{Name, Precision};

    /// 2024-01-10 00:00:00 UTC.
    const NOW: i64 = 1_704_844_800;
    /// 2023-11-14 00:00:00 UTC.
    const DAY: i64 = 1_699_920_000;

    fn parse_at(line: &[u8]) -> Result<Option<Entry>, Skip> {
        parse(&Line::new(line), &Context { now: NOW, ..Context::default() })
    }

    fn entry(line: &str) -> Entry {
        parse_at(line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}")).expect("an entry")
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
    fn kinds() {
        let link = |target: Option<&[u8]>| Kind::Symlink { target: target.map(Into::into) };
        let table: &[(&str, &str, Kind, Option<u64>)] = &[
            ("drwxr-xr-x 2 u g 4096 Nov 14 2023 d", "d", Kind::Dir, Some(4096)),
            ("prw-r--r-- 1 u g 0 Nov 14 2023 p", "p", Kind::Other, Some(0)),
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
        for line in ["drwx------ 2 u g 1 Nov 14 2023 .", "drwx------ 2 u g 1 Nov 14 2023 .."] {
            assert_eq!(parse_at(line.as_bytes()), Ok(None), "{line}");
        }
        let table = [
            ("x: No such file or directory", Skip::NoEntry),
            ("ls: cannot open directory '.': Permission denied", Skip::NoEntry),
            ("d????????? ? ? ? x", Skip::NoDate),
            ("-rw-r--r--", Skip::NoDate),
            ("-rw-r--r-- 1 u g Nov 14 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 32 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 ", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 a/b", Skip::BadName),
            ("lrwxrwxrwx 1 u g 12 Nov 14 2023  -> b", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 /a/", Skip::BadName),
            ("drwxr-xr-x 1 u g 12 Nov 14 2023 /", Skip::BadName),
        ];
        for (line, want) in table {
            assert_eq!(parse_at(line.as_bytes()), Err(want), "{line}");
        }
    }

    /// One line, as a listing of its own.
    fn one(line: &str) -> String {
        shown_at_2026(format!("{line}\r\n")).join("; ")
    }

    #[test]
    fn columns_of_all_kinds() {
        let table = [
            // No owner, no group, no links, none at all.
            ("-rw-r--r--  FTP  User       10439 Apr 20 05:29 a.zip", "file 10439 2026-04-20T05:29 0644 a.zip"),
            ("dr-xr-xr-x   2 root                  512 Apr  8  1994 d", "dir 512 1994-04-08 0555 d"),
            ("lrwxrwxrwx 0  0 26 Sep 18 2008 pub -> vol/1/pub", "link 26 2008-09-18 0777 pub -> vol/1/pub"),
            ("-r--r--r-- 0125039 12 Nov 11 2005 a b", "file 12 2005-11-11 0444 a b"),
            // Blanks, commas, backslashes, marks.
            ("-rw-r--r-- 1 DOM\\me,you group with spaces in it 7 Jan 22  2001 x", "file 7 2001-01-22 0644 x"),
            ("drwxr-xr-x   (?)      (?)          4096 Apr  8  2007 j", "dir 4096 2007-04-08 0755 j"),
            ("dr--r--r--  1 ftp      -A---           0 Nov 17 17:08 k", "dir 0 2026-11-17T17:08 0444 k"),
            ("-rw-r--r--@ 1 u g 7 Jan 22  2001 x", "file 7 2001-01-22 0644 x"),
            ("-rw-r--r--\t1\tu\tg\t7\tJan 22 2001\tx", "file 7 2001-01-22 0644 x"),
            // Macs: resource fork, data fork, sum; folders.
            ("-------r--         326  1391972  1392298 Nov 22  1995 M.sit", "file 1392298 1995-11-22 0004 M.sit"),
            ("drwxrwxr-x               folder        2 May 10  1996 net", "dir 2 1996-05-10 0775 net"),
            // Columns that ran into each other.
            ("-rw-r--r-- 1 admin admin125435904 Apr  9  2008 u", "file 125435904 2008-04-09 0644 u"),
            ("-r-xr-xr-x longowner longgroup123456 Feb 12 17:20 x", "file 123456 2026-02-12T17:20 0555 x"),
            ("drwxr-xr-x1732 266      111        90112 Jun 21  2001 .r", "dir 90112 2001-06-21 0755 .r"),
            ("drwxr-x---+1464 me   us     41472 Feb 25 13:17 20090225", "dir 41472 2026-02-25T13:17 0750 20090225"),
            ("drwxr-xr-x   2 root     99           4096Feb 23 10:01 z", "dir 4096 2026-02-23T10:01 0755 z"),
            ("lrw-rw-rw- 1 u g 542 /t/inFeb  8  2007 S.lnk -> /t/in", "link 542 2007-02-08 0666 S.lnk -> /t/in"),
            // Sizes.
            ("-rw-r--r--   1 u g  33.5k Oct 5 21:22 x", "file 34304 2026-10-05T21:22 0644 x"),
            ("-rw-rw-rw- 1 ftp operator 9.0M Mar 22 17:44 C.dmg", "file 9437184 2026-03-22T17:44 0666 C.dmg"),
            ("-rw-r--r--    1 ftp      ftp           -528 Nov 01  2007 R", "file - 2007-11-01 0644 R"),
            ("crw-------   1 root     sys      109,767 Jul  2  2004 d@1c,6:x", "other - 2004-07-02 0600 d@1c,6:x"),
            ("srwxrwxrwx 1 u g 0 Jul  2  2004 s", "other 0 2004-07-02 0777 s"),
            ("Drw-r--r-- 1 u g 0 Jul  2  2004 door", "other 0 2004-07-02 0644 door"),
            // Prefixes.
            ("123456 8 -rw-r--r-- 1 u g 7 Jan 22  2001 x", "file 7 2001-01-22 0644 x"),
            ("   drwxr-xr-x 1 u g 7 Jan 22  2001 x", "dir 7 2001-01-22 0755 x"),
            ("212 -rw-r--r-- 1 u g 7 Jan 22  2001 x", "file 7 2001-01-22 0644 x"),
            // Other systems' letters.
            ("-C--E-----FTP B BCC3I1       7670  1294495 Jan 13 07:42 c", "file 1294495 2026-01-13T07:42 - c"),
            ("---------   1 owner    group         18 Dec 22 10:20 O.RPY", "file 18 2025-12-22T10:20 0000 O.RPY"),
            ("drwxrwx   2       10     4096 Jul 28 02:41 tmp", "dir 4096 2026-07-28T02:41 0770 tmp"),
            ("mrw-r--r-- 1 u g 7 Jan 22  2001 tape", "file 7 2001-01-22 0644 tape"),
            // No date that is known, no date at all.
            ("-rw-r--r-- 1 root staff 8192 ? x y", "file 8192 - 0644 x y"),
            ("drwxr-xr-x 3 slopri devlab 512 dateless", "dir 512 - 0755 dateless"),
            ("-rw-r--r-- 1 u g 1,234,567 Jan 22  2001 x", "file 1234567 2001-01-22 0644 x"),
            ("-rw-r--r-- 1 u g 1.234.567 Jan 22  2001 x", "file 1234567 2001-01-22 0644 x"),
            ("-rw-r--r-- 1 u g 7B 2001-01-22T10:13:00 x", "file 7 2001-01-22T10:13:00 0644 x"),
            ("-rw-rw-rw- 1 noone nogroup  0 000 17 2025 x.nam", "file 0 - 0666 x.nam"),
            ("rw-rw-rw-          0  464195454  464195454 Jul  1  2016 x", "file 464195454 2016-07-01 0666 x"),
            ("d????????? ? ? ? ?            ? x y", "dir - - - x y"),
            ("-????????? ? ? ? ? ? ?", "file - - - ?"),
            ("drwxrwxr-x  2 u g - Nov 14 22:13 x y", "dir - 2026-11-14T22:13 0775 x y"),
            ("drwxrwxr-x  2 u g <DIR> Nov 14  2023 x", "dir - 2023-11-14 0775 x"),
            ("-rw-r--r-- 1 u g Nov 14 2023 x", "file - 2023-11-14 0644 x"),
            // Whole paths.
            ("- [RWCEAFMS] u   7 Jan 22  2001 /data/pub/A b", "file 7 2001-01-22 - A b"),
            ("drwxr-xr-x 1 u g 7 Jan 22  2001 /data/pub/", "dir 7 2001-01-22 0755 pub"),
            ("lrwxrwxrwx 1 u g 4 Jan 22  2001 /data/pub/l -> /x/y", "link 4 2001-01-22 0777 l -> /x/y"),
            // A date in a language of nobody's: the name begins behind it, as it does behind a time that there is not.
            ("-rw-r--r-- 1 root root 7 Xyz  4 00:03 x y", "file 7 - 0644 x y"),
            ("drwxr-xr-x 2 root 12 2019 Xyz  4  2003 x", "dir 2019 - 0755 x"),
            ("-rw-r--r-- 1 u g 7  4 \u{127}\u{fe}\u{e6}. 2003 x y", "file 7 - 0644 x y"),
            ("-rw-r--r-- 1 u g 12 Nov 14 25:61 x", "file 12 - 0644 x"),
            ("-rw-r--r-- 1 u g 12 Nov 14 13:06PM x", "file 12 - 0644 x"),
            ("-rw-r--r-- 1 u g 7 Jan 00 1900 x", "file 7 - 0644 x"),
            ("-rw-r--r-- 1 u g 7 --- -- --:-- x y", "file 7 - 0644 x y"),
            ("-rw-r--r-- 1 u g 7 14Nov2023 22:13 x y", "file 7 - 0644 x y"),
            // Owner and group that look like a date.
            ("-rw-r--r-- 1 3 May 8192 Jan 31  2017 May 3", "file 8192 2017-01-31 0644 May 3"),
            ("-rw-r--r-- 1 3 May 2003 Jan 31  2017 May 3", "file 2003 2017-01-31 0644 May 3"),
            ("-rw-r--r-- 1 u g 7 Jan 31  2017 Jan 3 2011", "file 7 2017-01-31 0644 Jan 3 2011"),
            ("-rw-r--r-- 1 me staff 12 1582912740 a b", "file 12 2020-02-28T17:59:00 0644 a b"),
            ("-rw-r--r-- 1 me staff 12 1582912740", "file 12 - 0644 1582912740"),
            ("- whatever you feel like 848 Dec 14 11:22 a b", "file 848 2025-12-14T11:22 - a b"),
            // A directory that is marked as one.
            ("drwxr-xr-x 3 u g 512 Jan 22  2001 sub/", "dir 512 2001-01-22 0755 sub"),
        ];
        for (line, want) in table {
            assert_eq!(one(line), want, "{line}");
        }
    }

    #[test]
    fn dates_of_all_countries() {
        let table = [
            ("26. Juli, 20:10", "2026-07-26T20:10"),
            ("2.   Okt.  2003", "2003-10-02"),
            ("szept 26 20:10", "2026-09-26T20:10"),
            ("14 févr. 2020", "2020-02-14"),
            ("14 de gen. 2020", "2020-01-14"),
            ("de març  4  2020", "2020-03-04"),
            ("Thg 3 14 20:10", "2026-03-14T20:10"),
            ("14 Thg 12  2019", "2019-12-14"),
            ("лип 14  2019", "2019-07-14"),
            ("lip 14  2019", "2019-07-14"),
            ("23 май 2011", "2011-05-23"),
            ("8月 17日 20:10", "2026-08-17T20:10"),
            ("2月18日 2006年", "2006-02-18"),
            ("2005년  1월  6일", "2005-01-06"),
            ("11월 14일 22:13", "2026-11-14T22:13"),
            ("1999/10/12 17:12", "1999-10-12T17:12"),
            ("24-04-2003 17:12", "2003-04-24T17:12"),
            ("01-jun-99", "1999-06-01"),
            ("2004.07.15  ", "2004-07-15"),
            ("09-26 2000", "2000-09-26"),
            ("09-26 13:45", "2026-09-26T13:45"),
            ("3 29 03:26", "2026-03-29T03:26"),
            ("Oct 08, 2002 09:47", "2002-10-08T09:47"),
            ("Nov 14 22:13:20 2023", "2023-11-14T22:13:20"),
            ("2023-11-14 22:13:20.000000000 +0900", "2023-11-14T22:13:20"),
            ("Nov 14 10:13 PM", "2026-11-14T22:13"),
            ("Apr  4 24:00", "2026-04-05T00:00"),
            ("Nov 14  0:05", "2026-11-14T00:05"),
        ];
        for (date, want) in table {
            assert_eq!(
                one(&format!("-rw-r--r-- 1 root sys 7 {date} a  b")),
                format!("file 7 {want} 0644 a  b"),
                "{date}"
            );
        }
        let rights = "d [R----F--] supervisor            512       Jan 16 18:53    login";
        assert_eq!(one(rights), "dir 512 2026-01-16T18:53 - login");
        assert_eq!(one("-[RWCEMFA]  1 *unknown    13312 May 27  1997 a b"), "file 13312 1997-05-27 - a b");
    }

    #[test]
    fn what_only_the_listing_tells() {
        let lines = |dates: &[&str]| {
            let lines: String = dates.iter().map(|date| format!("-rw-r--r-- 1 u g 7 {date}\n")).collect();
            shown_at_2026(lines).iter().map(|line| line.replace("file 7 ", "").replace(" 0644", "")).collect::<Vec<_>>()
        };
        // A year behind each time is a year; behind one of them it begins a name.
        assert_eq!(
            lines(&["Nov 14 22:13 2023 a", "Jan  2 22:13 2022 b"]),
            ["2023-11-14T22:13 a", "2022-01-02T22:13 b"]
        );
        assert_eq!(
            lines(&["Nov 14 22:13 2023 plans", "Jan  2 22:13 b"]),
            ["2026-11-14T22:13 2023 plans", "2026-01-02T22:13 b"]
        );
        assert_eq!(lines(&["Jul 29 02:27 2014 Invoices"]), ["2026-07-29T02:27 2014 Invoices"]);
        // Folders named by years that were all touched lately, and times that agree with theirs.
        assert_eq!(
            lines(&["Jul 29 02:27 2014 Invoices", "Nov 2 02:27 2015 Invoices"]),
            ["2026-07-29T02:27 2014 Invoices", "2026-11-02T02:27 2015 Invoices"]
        );
        assert_eq!(lines(&["Jul 29 02:27 2026 a", "Dec 2 02:27 2025 b"]), ["2026-07-29T02:27 a", "2025-12-02T02:27 b"]);
        // The same for a time behind a year: `ls` writes two blanks before its years.
        assert_eq!(lines(&["Nov 14 2023 22:13 a"]), ["2023-11-14T22:13 a"]);
        assert_eq!(lines(&["Nov 14  2023 22:13 a"]), ["2023-11-14 22:13 a"]);
        // Files called AM and PM, among others.
        assert_eq!(
            lines(&["Nov 14 10:13 PM x", "Nov 14 10:14 AM", "Nov  4 14:13 x"]),
            ["2026-11-14T10:13 PM x", "2026-11-14T10:14 AM", "2026-11-04T14:13 x"]
        );
        assert_eq!(lines(&["Nov 14 10:13 AM x", "Nov 14  2025 y"]), ["2026-11-14T10:13 AM x", "2025-11-14 y"]);
        assert_eq!(lines(&["Nov 14 10:13 AM x", "Nov  4 09:13 PM y"]), ["2026-11-14T10:13 x", "2026-11-04T21:13 y"]);
        assert_eq!(
            lines(&["2025-11-14 22:13 AM", "2025-11-14 10:13 PM"]),
            ["2025-11-14T22:13 AM", "2025-11-14T10:13 PM"]
        );
        // Blanks before all names of many are a column's.
        assert_eq!(
            lines(&["Nov 14 10:13   a", "Nov 14 10:13    b", "Nov 14  2025   c d"]),
            ["2026-11-14T10:13 a", "2026-11-14T10:13  b", "2025-11-14 c d"]
        );
        assert_eq!(lines(&["Nov 14 10:13  a", "Nov 14 10:13  b"]), ["2026-11-14T10:13  a", "2026-11-14T10:13  b"]);
        // The other months tell whose months they are.
        assert_eq!(lines(&["lip 14  2019 a", "kol 14  2019 b"]), ["2019-06-14 a", "2019-08-14 b"]);
        assert_eq!(lines(&["lip 14  2019 a", "sie 14  2019 b"]), ["2019-07-14 a", "2019-08-14 b"]);
        // NetWare puts one blank or several in front of all its names.
        let netware = |blanks: &str| {
            let line = |name: &str| format!("- [RWCEAFMS] u 7 Jan 22  2001{blanks}{name}\n");
            shown_at_2026([line("x"), line(" y")].concat())
        };
        assert_eq!(netware(" "), ["file 7 2001-01-22 - x", "file 7 2001-01-22 -  y"]);
        assert_eq!(netware("    "), ["file 7 2001-01-22 - x", "file 7 2001-01-22 - y"]);
        // AIX fills the column behind the year.
        assert_eq!(lines(&["Mar 11 2007  *", "Jun 26 10:21 x"]), ["2007-03-11 *", "2026-06-26T10:21 x"]);
        assert_eq!(lines(&["Mar 11 2007  lead", "Mar 11 2007 x"]), ["2007-03-11  lead", "2007-03-11 x"]);
        // Days and months.
        assert_eq!(lines(&["01/02/2023 10:00 a"]), ["2023-01-02T10:00 a"]);
        let slashed = lines(&["01/02/2023 10:00 a", "14/02/2023 10:00 b"]);
        assert_eq!(slashed, ["2023-02-01T10:00 a", "2023-02-14T10:00 b"]);
        // A line without a date among others is none that can be trusted.
        assert_eq!(lines(&["Aug 22  x", "Nov 14  2023 a"]), ["2023-11-14 a"]);
        assert_eq!(lines(&["Aug 22  x"]), [""; 0]);
    }

    #[test]
    fn marks_of_ls_are_not_the_names_own() {
        let line = |mode: &str, name: &str| format!("{mode} 1 u g 7 Jan 22  2001 {name}\n");
        let marked = [line("drwxr-xr-x", "sub/"), line("-rwxr-xr-x", "run*"), line("-rw-r--r--", "a*")].concat();
        let names = ["dir 7 2001-01-22 0755 sub", "file 7 2001-01-22 0755 run", "file 7 2001-01-22 0644 a*"];
        assert_eq!(shown_at_2026(marked), names);
        let plain = [line("drwxr-xr-x", "sub"), line("-rwxr-xr-x", "run*")].concat();
        assert_eq!(shown_at_2026(plain)[1], "file 7 2001-01-22 0755 run*");
    }

    #[test]
    fn rounded_sizes_are_told() {
        let rough = |size: &str| {
            let line = format!("-rw-r--r-- 1 u g {size} Nov 14  2023 x\n");
            super::super::parse_list(line.as_bytes(), NOW).rough_sizes
        };
        assert!(rough("1.5M") && rough("12k"));
        assert!(!rough("12"));
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
                    let entry = parse_at(&line).expect("readable").expect("an entry");
                    prop_assert_eq!((entry.name, entry.meta.size, entry.meta.mode), (name, Some(size), Some(0o640)));
                }
                // Of a path, the last part is the name.
                None => prop_assert!(name[0] == b'/' || !matches!(parse_at(&line), Ok(Some(_)))),
            }
        }

        #[test]
        fn a_link_whose_size_is_its_target_is_parted_right(name in "[a> -]{1,12}", target in "[a> -]{1,12}") {
            let line = format!("lrwxrwxrwx 1 u g {} Nov 14  2023 {name} -> {target}", target.len());
            let entry = parse_at(line.as_bytes()).expect("readable").expect("an entry");
            prop_assert_eq!(entry.name.as_bytes(), name.as_bytes());
            prop_assert_eq!(entry.meta.kind, Kind::Symlink { target: Some(target.as_bytes().into()) });
        }
    }
}
