//! Listings: lines of MLSD and LIST become entries.
//!
//! [`mlsd`] reads the lines for machines (RFC 3659 7), [`unix`] what `ls -l` prints, [`dos`] what IIS prints; [`time`]
//! turns their dates into seconds. A line that cannot be read is left out and reported, never guessed at: an entry that
//! is not there is a smaller evil than one that leads elsewhere.

pub mod dos;
pub mod mlsd;
pub mod time;
pub mod unix;

use std::fmt;

use super::text::printable;
use crate::remote::{Entry, Name};

/// How the lines of a LIST are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As `ls -l` does.
    Unix,
    /// As MS-DOS did: IIS by default.
    Dos,
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
    /// How the lines of a LIST look; None for MLSD and where no line looks like anything.
    pub style: Option<Style>,
}

impl Parsed {
    /// Whether every line was understood: a name that cannot be used is none that somebody could ask for.
    pub fn is_whole(&self) -> bool {
        let nameless = |s: &&Skipped| matches!(s.why, Skip::BadName | Skip::LineBreak);
        self.skipped.iter().filter(nameless).count() == self.skipped_count
    }

    /// Whether there is something, but nothing that could be read as an entry: an error message in place of a listing
    /// (inetutils ftpd sends those of its ls), or a style that nobody knows.
    pub fn is_gibberish(&self) -> bool {
        self.entries.is_empty() && !self.is_whole()
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
        })
    }
}

/// Reads the data of a LIST at the time `now` (seconds since 1970), which dates without a year are completed from.
///
/// IIS can be switched between both styles, so the style is what most lines look like.
pub fn parse_list(data: &[u8], now: i64) -> Parsed {
    let mut votes = (0usize, 0usize);
    for line in Lines::new(data).flatten() {
        votes.0 += usize::from(unix::looks_like(line));
        votes.1 += usize::from(dos::looks_like(line));
    }
    match votes {
        (0, 0) => collect(data, None, |line| unix::parse_unix_line(line, now)),
        (unix, dos) if unix >= dos => collect(data, Some(Style::Unix), |line| unix::parse_unix_line(line, now)),
        _ => collect(data, Some(Style::Dos), dos::parse_dos_line),
    }
}

/// Reads the data of an MLSD.
pub fn parse_mlsd(data: &[u8]) -> Parsed {
    collect(data, None, mlsd::parse_mlsd_line)
}

fn collect(data: &[u8], style: Option<Style>, parse: impl Fn(&[u8]) -> Result<Option<Entry>, Skip>) -> Parsed {
    let mut parsed = Parsed { style, ..Parsed::default() };
    for line in Lines::new(data) {
        match line.and_then(|line| parse(line).map_err(|why| (why, line))) {
            Ok(entry) => parsed.entries.extend(entry),
            Err((why, line)) => {
                parsed.skipped_count += 1;
                if parsed.skipped.len() < MAX_SKIPPED {
                    parsed.skipped.push(Skipped { line: printable(line, SKIPPED_LEN), why });
                }
            }
        }
    }
    parsed
}

/// The name of an entry: None for the directory itself and its parent.
fn entry_name(bytes: &[u8]) -> Result<Option<Name>, Skip> {
    match bytes {
        b"." | b".." => Ok(None),
        bytes => Name::new(bytes).map(Some).ok_or(Skip::BadName),
    }
}

/// The lines of a listing without their ends; a line that must not be read comes as an error.
///
/// Servers end lines with CR LF, but for inetutils' LF. ProFTPD and pyftpdlib send a name that holds an LF as it is: in a
/// listing whose lines end in CR LF, a bare LF is part of a name, and the two halves are not entries. Which of the two
/// it is, most lines decide.
struct Lines<'a> {
    rest: &'a [u8],
    crlf: bool,
}

impl<'a> Lines<'a> {
    fn new(data: &'a [u8]) -> Self {
        let lf = data.iter().filter(|b| **b == b'\n').count();
        let crlf = data.windows(2).filter(|pair| pair == b"\r\n").count();
        Self { rest: data, crlf: crlf > 0 && 2 * crlf >= lf }
    }

    /// Length of the next line, and with its end.
    fn next_end(&self) -> (usize, usize) {
        let found = if self.crlf {
            self.rest.windows(2).position(|pair| pair == b"\r\n").map(|at| (at, at + 2))
        } else {
            self.rest.iter().position(|&b| b == b'\n').map(|at| (at, at + 1))
        };
        found.unwrap_or((self.rest.len(), self.rest.len()))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], (Skip, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (len, next) = self.next_end();
        let line = &self.rest[..len];
        self.rest = &self.rest[next..];
        Some(match line {
            _ if len > MAX_LINE => Err((Skip::LongLine, line)),
            _ if line.contains(&b'\n') => Err((Skip::LineBreak, line)),
            _ => Ok(line),
        })
    }
}

/// Far beyond the longest path and its facts.
const MAX_LINE: usize = 64 << 10;
/// Enough to see what is wrong.
const MAX_SKIPPED: usize = 100;
/// Characters of a skipped line that are kept.
const SKIPPED_LEN: usize = 200;

#[cfg(test)]
mod tests {
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
        let mixed = [&dos[..], b"-rw-r--r-- 1 u g 1 Nov 15  2023 x\r\n"].concat();
        assert_eq!(reasons(&parse_list(&mixed, NOW)), [Skip::NoEntry]);
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
            for parsed in [parse_list(&data, now), parse_mlsd(&data)] {
                for entry in &parsed.entries {
                    prop_assert!(Name::new(entry.name.as_bytes()).is_some());
                    prop_assert!(entry.meta.mode.is_none_or(|mode| mode <= 0o7777));
                }
            }
        }
    }

    /// Any bytes, and lines put together from the pieces that parsers look for.
    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let pieces = "-rw-r--r--~lrwxrwxrwx~brw-r--r--~+~ ~  ~1~8,~99999999999999999999~u~Feb~29~2023~33:10~10:33~\
            2023-02-30~ -> ~\r\n~\n~\r~\0~07-13-98~13-99-1998~09:06PM~<DIR>~<SYMLINK>~[~]~type=~file;~OS.unix=slink:~\
            modify=~20231114221320~.5;~=~;~UNIX.mode=0o~77777777;~unique=\u{fc};~name~.~..~/";
        let piece = prop::sample::select(pieces.split('~').collect::<Vec<_>>());
        let lines = prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes());
        prop_oneof![prop::collection::vec(any::<u8>(), 0..400), lines]
    }
}
