//! Listings: lines of MLSD and LIST become entries.
//!
//! [`mlsd`] reads the lines for machines (RFC 3659 7). LIST has no standard, so each style has its parser: `unix` what
//! `ls -l` prints, `dos` what IIS prints, and those of systems that are rarer. What most lines are, the listing is
//! ([`Style`]); a line of another style among them is still read where nothing else can be meant.
//!
//! `date`, `clock`, `ideographs` and `months` read dates in any order and language, [`time`] turns them into seconds. Some
//! of their riddles only the whole listing solves (`01/02/23`), so it is looked over before it is read. A line that cannot
//! be read is left out and reported, never guessed at: an entry that is not there is a smaller evil than one that leads
//! elsewhere.

mod clock;
mod cms;
mod columns;
mod date;
mod dos;
mod eplf;
mod guardian;
mod ibmi;
mod ideographs;
mod lines;
mod manners;
pub mod mlsd;
mod months;
mod mvs;
mod order;
mod os2;
mod permissions;
mod rare;
mod read;
mod sizes;
mod small;
mod style;
pub mod time;
mod triple;
mod unix;
mod vms;
mod world;

use std::fmt;

use super::text::printable;
use crate::remote::{Entry, Kind, Meta, Name, Stamp};
use date::Habits;
use lines::Lines;

pub use order::DateOrder;
pub use style::{ParseStyleError, Style};

/// What is known of a LIST before it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How its lines are written, where somebody said so or an earlier listing of the server did; else they decide.
    pub style: Option<Style>,
    /// The server's local time in seconds since 1970, which dates without a year are completed from.
    pub now: i64,
    /// The order of its dates as an earlier listing told it ([`Parsed::order`]): it counts where this one leaves it open, so
    /// that no time jumps when a telling line comes or goes.
    pub order: Option<DateOrder>,
}

/// What came out of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// The entries in the server's order, without `.` and `..`.
    pub entries: Vec<Entry>,
    /// The first hundred lines that could not be read.
    pub skipped: Vec<Skipped>,
    /// How many lines could not be read.
    pub skipped_count: usize,
    /// How the lines of a LIST look; None after an MLSD, and where no line looks like anything.
    pub style: Option<Style>,
    /// Whether times are UTC (MLSD, EPLF, seconds since 1970), and not those of a clock on the server's wall.
    pub utc: bool,
    /// Whether sizes are rounded: blocks of VMS, or `33.5k`. SIZE knows better.
    pub rough_sizes: bool,
    /// The order of dates like `13/02/03`; None where no line tells it.
    pub order: Option<DateOrder>,
}

impl Parsed {
    /// Whether every line was understood: a name that cannot be used is none that somebody could ask for.
    pub fn is_whole(&self) -> bool {
        self.skipped_are_all(|why| matches!(why, Skip::BadName | Skip::LineBreak | Skip::OtherDirectory))
    }

    /// Whether there is something, but nothing that could be read as an entry: an error message in place of a listing
    /// (inetutils ftpd sends those of its ls), or a style that nobody knows.
    pub fn is_gibberish(&self) -> bool {
        self.entries.is_empty() && !self.is_whole() && !self.skipped_are_all(|why| why == Skip::Unreadable)
    }

    fn skipped_are_all(&self, known: impl Fn(Skip) -> bool) -> bool {
        self.skipped.iter().filter(|skipped| known(skipped.why)).count() == self.skipped_count
    }
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its beginning, for people.
    pub line: String,
    /// What is wrong with it.
    pub why: Skip,
}

/// Why a line is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is not written like an entry.
    NoEntry,
    /// MLSD: no `type` fact, so nobody knows what it is.
    NoType,
    /// LIST: no date where one belongs.
    NoDate,
    /// The name is empty, or has a byte that cannot be sent back.
    BadName,
    /// A line break in the middle of a line: a name that holds one, so that neither part is a name.
    LineBreak,
    /// Longer than 64 KiB.
    LongLine,
    /// It begins the listing of another directory (`ls -R`), or names something in one.
    OtherDirectory,
    /// The server says that it may not look at the file (VMS).
    Unreadable,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEntry => "not an entry",
            Self::NoType => "type missing",
            Self::NoDate => "date missing",
            Self::BadName => "name cannot be used",
            Self::LineBreak => "line break in a name",
            Self::LongLine => "line too long",
            Self::OtherDirectory => "of another directory",
            Self::Unreadable => "the server may not look at it",
        })
    }
}

/// Reads the data of a LIST of any style at the time `now` of the server (seconds since 1970).
pub fn parse_list(data: &[u8], now: i64) -> Parsed {
    parse_list_as(data, &Reading { now, ..Reading::default() })
}

/// Reads the data of a LIST.
///
/// Times are those of the server's clock, taken for UTC, unless [`Parsed::utc`] says that they are. Sizes are those listed,
/// also of directories; None where there is none, and for devices. `.` and `..` are left out.
pub fn parse_list_as(data: &[u8], reading: &Reading) -> Parsed {
    let Some(style) = reading.style.or_else(|| style::vote(data, reading.now)) else {
        return read::collect(data, None, &Context { now: reading.now, ..Context::default() });
    };
    let context = style::study(data, style, reading);
    read::collect(data, Some(style), &context)
}

/// Reads the data of an MLSD.
pub fn parse_mlsd(data: &[u8]) -> Parsed {
    let mut parsed = Parsed { utc: true, ..Parsed::default() };
    for line in Lines::new(data) {
        match line.and_then(|line| mlsd::parse_mlsd_line(line).map_err(|why| (why, line))) {
            Ok(entry) => parsed.entries.extend(entry),
            Err((why, line)) => parsed.skip(line, why),
        }
    }
    parsed
}

impl Parsed {
    fn skip(&mut self, line: &[u8], why: Skip) {
        self.skipped_count += 1;
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(Skipped { line: printable(line, SKIPPED_LEN), why });
        }
    }
}

/// What the parsers of lines know of the listing.
#[derive(Clone, Debug, Default)]
struct Context {
    now: i64,
    habits: Habits,
    /// The order of dates that this listing tells.
    told: Option<DateOrder>,
    unix: manners::Manners,
    ibmi: ibmi::Manners,
    /// Where names begin in a listing of Windows.
    dos_name_column: Option<usize>,
    /// A name alone is a member of a partitioned dataset.
    mvs_members: bool,
    /// Names and numbers are entries.
    dls: bool,
}

/// What a line is of, as its first letter tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    File,
    Dir,
    Link,
    /// Its size is none: major and minor number.
    Device,
    /// Sockets, pipes, doors.
    Other,
}

/// What a line says besides name and kind.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    size: Option<u64>,
    mtime: Option<Stamp>,
    mode: Option<u16>,
}

/// Puts an entry together; a directory's name may end in a slash.
fn entry(name: &[u8], kind: Kind, facts: Facts) -> Result<Option<Entry>, Skip> {
    let name = if kind == Kind::Dir { name.strip_suffix(b"/").unwrap_or(name) } else { name };
    let Facts { size, mtime, mode } = facts;
    Ok(entry_name(name)?.map(|name| Entry { name, meta: Meta { kind, size, mtime, mode, unique: None } }))
}

/// The name of an entry: None for the directory itself and its parent.
fn entry_name(bytes: &[u8]) -> Result<Option<Name>, Skip> {
    match bytes {
        b"." | b".." => Ok(None),
        bytes => Name::new(bytes).map(Some).ok_or(Skip::BadName),
    }
}

/// Entries in one line each, for the tables of the tests: `kind name size mtime mode target`, as the listing has them.
#[cfg(test)]
fn shown(parsed: &Parsed) -> Vec<String> {
    use crate::remote::Precision;
    use jiff::{Timestamp, tz::TimeZone};

    let time = |stamp: Stamp| {
        let civil = TimeZone::UTC.to_datetime(Timestamp::from_second(stamp.secs).expect("in range"));
        let format = match stamp.precision {
            Precision::Day => "%Y-%m-%d",
            Precision::Minute => "%Y-%m-%dT%H:%M",
            Precision::Second => "%Y-%m-%dT%H:%M:%S",
        };
        civil.strftime(format).to_string()
    };
    let show = |entry: &Entry| {
        let (kind, target) = match &entry.meta.kind {
            Kind::File => ("file", String::new()),
            Kind::Dir => ("dir", String::new()),
            Kind::Symlink { target } => {
                let target = target.as_deref().map_or("?".into(), |target| target.escape_ascii().to_string());
                ("link", format!(" -> {target}"))
            }
            Kind::Other => ("other", String::new()),
        };
        let size = entry.meta.size.map_or("-".into(), |size| size.to_string());
        let mtime = entry.meta.mtime.map_or("-".into(), time);
        let mode = entry.meta.mode.map_or("-".into(), |mode| format!("{mode:04o}"));
        format!("{kind} {size} {mtime} {mode} {}{target}", entry.name)
    };
    parsed.entries.iter().map(show).collect()
}

/// As [`shown`], of a listing read in November 2026.
#[cfg(test)]
fn shown_at_2026(data: impl AsRef<[u8]>) -> Vec<String> {
    // 2026-11-20 12:00:00.
    shown(&parse_list(data.as_ref(), 1_795_176_000))
}

/// Enough to see what is wrong.
const MAX_SKIPPED: usize = 100;
/// Characters of a skipped line that are kept.
const SKIPPED_LEN: usize = 200;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    /// 2024-01-10 00:00:00 UTC.
    const NOW: i64 = 1_704_844_800;

    fn names(parsed: &Parsed) -> Vec<String> {
        parsed.entries.iter().map(|entry| entry.name.to_string()).collect()
    }

    fn reasons(parsed: &Parsed) -> Vec<Skip> {
        parsed.skipped.iter().map(|skipped| skipped.why).collect()
    }

    #[test]
    fn a_listing_of_inetutils() {
        let data = b"total 12\n\
            drwxr-xr-x  2 u  g  4096 Nov 15  2023 .\n\
            drwxr-xr-x  9 u  g  4096 Nov 15  2023 ..\n\
            -rw-r--r--  1 u  g  12 Nov 15  2023 hello.txt\n\
            -rw-r--r--  1 u  g  12 Nov 15  2023 ends in cr\r\n\
            x: No such file or directory\n";
        let parsed = parse_list(data, NOW);
        assert_eq!(names(&parsed), ["hello.txt"]);
        assert_eq!(reasons(&parsed), [Skip::BadName, Skip::NoEntry]);
        assert_eq!((parsed.style, parsed.skipped_count), (Some(Style::Unix), 2));
    }

    #[test]
    fn the_style_is_what_most_lines_look_like() {
        let dos = b"07-13-98  09:06PM       <DIR>          aix\r\n03-18-98  06:01AM              2109440 n.tar\r\n";
        let parsed = parse_list(dos, NOW);
        assert_eq!((names(&parsed), parsed.style), (vec!["aix".into(), "n.tar".into()], Some(Style::Dos)));
        // IIS 4 let the administrator switch, and some servers pass on what others list.
        let mixed = [&dos[..], b"-rw-r--r-- 1 u g 1 Nov 15  2023 x\r\n"].concat();
        let parsed = parse_list(&mixed, NOW);
        assert_eq!((names(&parsed), parsed.style), (vec!["aix".into(), "n.tar".into(), "x".into()], Some(Style::Dos)));
        for nothing in [&b""[..], b"\r\n", b"total 0\r\n"] {
            assert_eq!(parse_list(nothing, NOW), Parsed::default());
        }
    }

    #[test]
    fn halves_of_a_name_with_a_line_break_are_no_entries() {
        let data = b"type=file;size=1; a\r\ntype=file;size=1; b\nc\r\ntype=file;size=1; d\r\n";
        let parsed = parse_mlsd(data);
        assert_eq!((names(&parsed), reasons(&parsed)), (vec!["a".into(), "d".into()], vec![Skip::LineBreak]));
        let only = b"type=file; a\nb\r\n";
        assert_eq!(reasons(&parse_mlsd(only)), [Skip::LineBreak]);
    }

    #[test]
    fn a_last_line_without_an_end_counts() {
        assert_eq!(names(&parse_mlsd(b"type=file; a\r\ntype=dir; b")), ["a", "b"]);
    }

    #[test]
    fn what_is_kept_of_bad_lines_is_bounded() {
        let parsed = parse_mlsd(&[&b"x".repeat(70_000)[..], b"\r\n", &b"junk\r\n".repeat(1_000)].concat());
        assert_eq!((parsed.skipped.len(), parsed.skipped_count), (100, 1_001));
        assert_eq!(parsed.skipped[0].why, Skip::LongLine);
        assert!(parsed.skipped[0].line.len() < 300);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_listing(data in noise(), now: i64) {
            let told = Style::ALL.map(|style| parse_list_as(&data, &Reading { style: Some(style), now, order: None }));
            for parsed in told.into_iter().chain([parse_list(&data, now), parse_mlsd(&data)]) {
                for entry in &parsed.entries {
                    prop_assert!(Name::new(entry.name.as_bytes()).is_some());
                    prop_assert!(entry.meta.mode.is_none_or(|mode| mode <= 0o7777));
                }
                prop_assert!(parsed.skipped.len() <= parsed.skipped_count);
            }
        }

        #[test]
        fn a_later_look_moves_no_time(now in 1_500_000_000i64..4_000_000_000, age in 0i64..180, wait in 0i64..180) {
            // As `ls` would print it at both times: without a year for six months.
            let secs = now / 60 * 60 - age * 86_400;
            let civil = TimeZone::UTC.to_datetime(Timestamp::from_second(secs).expect("in range"));
            let line = format!("-rw-r--r-- 1 u g 1 {} x", civil.strftime("%b %e %H:%M"));
            let look = |now| parse_list(line.as_bytes(), now).entries[0].meta.mtime.map(|stamp| stamp.secs);
            prop_assert_eq!(look(now), Some(secs));
            prop_assert_eq!(look(now + wait * 86_400), Some(secs));
        }
    }

    /// Any bytes, and lines put together from the pieces that parsers look for.
    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let pieces = "-rw-r--r--~lrwxrwxrwx~brw-r--r--~+~ ~  ~1~8,~99999999999999999999~u~Feb~29~2023~33:10~10:33~\
            2023-02-30~ -> ~\r\n~\n~\r~\0~07-13-98~13-99-1998~09:06PM~<DIR>~<SYMLINK>~[~]~type=~file;~OS.unix=slink:~\
            modify=~20231114221320~.5;~=~;~UNIX.mode=0o~77777777;~unique=\u{fc};~name~.~..~/~+~r,~m1,~\t~A.TXT;1~\
            1/2~29-JAN-1996~03:33:12~[A]~*DIR~*MEM~A/B~Volume~Dsname~Name~VV.MM~3390~2004/06/23~PO~Migrated~V~DIR~- - -~\
            0100644~d [RW]~total 1~\n\n~x:~11\u{6708}~14\u{65e5}~26. Juli,~?~33.5k~u12~Nov-14-2023~bin/ -~02/03/04~.:";
        let piece = prop::sample::select(pieces.split('~').collect::<Vec<_>>());
        let lines = prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes());
        prop_oneof![prop::collection::vec(any::<u8>(), 0..400), lines]
    }
}
