//! LIST of IBM i (AS/400): `QSYS            77824 02/23/00 15:09:55 *DIR       QOpenSys/`.
//!
//! The order of day, month and year is the job's, so the whole listing is looked at. Members stand behind the file that
//! they belong to (`*MEM A.FILE/B.MBR`): in a listing of that file, and only there, they are its entries.

use super::super::text::number;
use super::clock::Clock;
use super::date::{Line, Word, any_year, is_blank};
use super::order::DateOrder;
use super::time::{midnight, small};
use super::unix::skip_blanks;
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind};

/// Reads one line.
///
/// # Errors
/// The line is not made so, belongs to another directory, or has no name that can be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    let parts = Parts::read(line).ok_or(Skip::NoEntry)?;
    let mut facts = Facts::default();
    if let Some((size, numbers, clock)) = parts.told {
        let date = date(context.ibmi.order, numbers).ok_or(Skip::NoDate)?;
        facts = Facts { size: Some(size), mtime: clock.on(midnight(date)), mode: None };
    }
    let kind = match parts.kind {
        b"*DIR" | b"*DDIR" | b"*LIB" | b"*FLR" => Kind::Dir,
        b"*SYMLNK" => Kind::Symlink { target: None },
        b"*SOCKET" | b"*CHRSF" | b"*FIFO" | b"*BLKSF" => Kind::Other,
        _ => Kind::File,
    };
    let name = match (parts.name.strip_suffix(b"/"), &context.ibmi.prefix) {
        (Some(name), _) => name,
        (None, Some(prefix)) => parts.name.strip_prefix(&prefix[..]).unwrap_or(parts.name),
        (None, None) => parts.name,
    };
    if name.contains(&b'/') {
        return Err(Skip::OtherDirectory);
    }
    entry(name, kind, facts)
}

/// What all lines of a listing have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manners {
    order: Option<DateOrder>,
    /// All names begin with it: it is the listed directory itself.
    prefix: Option<Vec<u8>>,
}

/// Looks at all lines before they are read.
#[derive(Debug)]
pub(super) struct Study {
    now: i64,
    /// For each order: the earliest and latest time, None where a line has no such date.
    spans: [Option<(i64, i64)>; 3],
    prefix: Option<Vec<u8>>,
    mixed: bool,
}

impl Study {
    pub(super) fn new(now: i64) -> Self {
        Self { now, spans: [Some((i64::MAX, i64::MIN)); 3], prefix: None, mixed: false }
    }

    pub(super) fn look(&mut self, line: &Line<'_>) {
        let Some(parts) = Parts::read(line) else {
            return;
        };
        if let Some((_, numbers, _)) = parts.told {
            for (span, order) in self.spans.iter_mut().zip(ORDERS) {
                let secs =
                    strict(order, numbers).and_then(midnight).filter(|secs| *secs <= self.now.saturating_add(AHEAD));
                *span = span.zip(secs).map(|((first, last), secs)| (first.min(secs), last.max(secs)));
            }
        }
        let name = parts.name.strip_suffix(b"/").unwrap_or(parts.name);
        let prefix = name.iter().rposition(|&b| b == b'/').map(|at| &name[..=at]);
        match (prefix, &self.prefix) {
            (None, _) => self.mixed = true,
            (Some(prefix), None) => self.prefix = Some(prefix.to_vec()),
            (Some(prefix), Some(seen)) => self.mixed |= prefix != &seen[..],
        }
    }

    /// The order in which every line is a date that has been, and whether only one is such. Where several are, it is
    /// `before`, which earlier listings told; else the month is first, as in the country of the machine, but the year where
    /// that makes one week of what would be years.
    pub(super) fn conclude(self, before: Option<DateOrder>) -> (Option<DateOrder>, Manners) {
        let width = |span: Option<(i64, i64)>| span.map(|(first, last)| last.saturating_sub(first));
        let widths = self.spans.map(width);
        let fits: Vec<_> = ORDERS.iter().zip(widths).filter_map(|(order, width)| Some((*order, width?))).collect();
        let before = before.filter(|before| fits.iter().any(|(order, _)| order == before));
        let (told, order) = match &fits[..] {
            [] => (None, DateOrder::MonthFirst),
            [(order, _)] => (Some(*order), *order),
            [(first, width), ..] => {
                let short = widths[2].is_some_and(|years| years.saturating_mul(10) < *width);
                (None, before.unwrap_or(if short { DateOrder::YearFirst } else { *first }))
            }
        };
        (told, Manners { order: Some(order), prefix: self.prefix.filter(|_| !self.mixed) })
    }
}

/// The date of `numbers` in this order, and in no other.
fn strict(order: DateOrder, [first, second, third]: [&[u8]; 3]) -> Option<(u16, u8, u8)> {
    let (year, month, day) = match order {
        DateOrder::MonthFirst => (third, first, second),
        DateOrder::DayFirst => (third, second, first),
        DateOrder::YearFirst => (first, second, third),
    };
    let (month, day) = (small(month)?, small(day)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    Some((any_year(year)?, month, day)).filter(|_| valid)
}

/// The date in this order, or in any in which it is one.
fn date(order: Option<DateOrder>, numbers: [&[u8]; 3]) -> Option<(u16, u8, u8)> {
    order.into_iter().chain(ORDERS).find_map(|order| strict(order, numbers))
}

const ORDERS: [DateOrder; 3] = [DateOrder::MonthFirst, DateOrder::DayFirst, DateOrder::YearFirst];

/// Size, the numbers of the date, and the time.
type Told<'a> = (u64, [&'a [u8]; 3], Clock);

/// The columns of a line.
struct Parts<'a> {
    /// None for members.
    told: Option<Told<'a>>,
    kind: &'a [u8],
    name: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(line: &Line<'a>) -> Option<Self> {
        let at = line.words.iter().take(6).position(|word| is_kind(word.text)).filter(|at| *at > 0)?;
        let name = skip_blanks(line.after(at)).trim_ascii_end();
        let told = match at {
            1 => None,
            _ => {
                let clock = clock(line.words.get(at - 1)?)?;
                let mut numbers = line.word(at.checked_sub(2)?).split(|b| matches!(b, b'/' | b'.' | b'-'));
                let numbers = [numbers.next()?, numbers.next()?, numbers.next().filter(|_| numbers.next().is_none())?];
                // Whom the server does not know may not see the owner: blanks stand there.
                let ownerless = line.text.first().is_some_and(|b| is_blank(*b));
                let size = number(line.word(at.checked_sub(3).filter(|at| *at > 0 || ownerless)?))?;
                Some((size, numbers, clock))
            }
        };
        Some(Self { told, kind: line.word(at), name }).filter(|_| !name.is_empty())
    }
}

/// `15:09:55`, and with the other marks of TIMSEP: `15.09.55`.
fn clock(word: &Word<'_>) -> Option<Clock> {
    let colons: Vec<u8> = word.text.iter().map(|&b| if matches!(b, b'.' | b',') { b':' } else { b }).collect();
    Clock::read(&[Word { text: &colons, ..*word }])
}

/// `*STMF`.
fn is_kind(word: &[u8]) -> bool {
    matches!(word, [b'*', rest @ ..] if rest.len() >= 2 && rest.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

/// A server may be a day ahead, and another in its dates.
const AHEAD: i64 = 2 * 86_400;

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;
    use super::*;

    #[test]
    fn kinds() {
        let table = [
            (
                "QSYS            77824 02/23/00 15:09:55 *DIR       QOpenSys/",
                "dir 77824 2000-02-23T15:09:55 - QOpenSys",
            ),
            ("QSYS            77824 23/02/00 15:09:55 *FILE      A.FILE", "file 77824 2000-02-23T15:09:55 - A.FILE"),
            ("QPGMR           36864 18.09.06 14:21:26 *FILE      B.FILE", "file 36864 2006-09-18T14:21:26 - B.FILE"),
            ("QSYS             4096 02/23/00 15:09:55 *LIB       L.LIB/", "dir 4096 2000-02-23T15:09:55 - L.LIB"),
            ("QSYS               64 02/23/00 15:09:55 *SYMLNK    link", "link 64 2000-02-23T15:09:55 - link -> ?"),
            (
                "ME               5000000000 02/23/00 15:09:55 *STMF   a b.txt",
                "file 5000000000 2000-02-23T15:09:55 - a b.txt",
            ),
            ("             5263360 06/11/97 12:27:39 *FILE      A.SAVF", "file 5263360 1997-06-11T12:27:39 - A.SAVF"),
            ("QSYS    12345 06-11-97 12.27.39 *STMF      a b", "file 12345 1997-06-11T12:27:39 - a b"),
            ("QPGMR                                   *MEM       A.FILE/B.MBR", "file - - - B.MBR"),
            ("ME 9069 05/20/15 15:36:52 *STMF /DRV/AUD/A.PDF", "file 9069 2015-05-20T15:36:52 - A.PDF"),
        ];
        for (line, want) in table {
            assert_eq!(shown_at_2026(line), [want], "{line}");
        }
    }

    #[test]
    fn the_order_of_a_date_is_that_of_all_lines() {
        let lines = |dates: &[&str]| {
            let lines: String = dates.iter().map(|date| format!("ME 1 {date} 10:00:00 *STMF x\n")).collect();
            shown_at_2026(lines).iter().map(|line| line[7..17].to_string()).collect::<Vec<_>>()
        };
        assert_eq!(lines(&["04/03/18", "04/03/24", "04/03/24"]), ["2004-03-18", "2004-03-24", "2004-03-24"]);
        assert_eq!(lines(&["04/12/14", "28/11/15", "04/12/16"]), ["2014-12-04", "2015-11-28", "2016-12-04"]);
        assert_eq!(lines(&["04/03/11", "05/03/11"]), ["2011-04-03", "2011-05-03"]);
        assert_eq!(lines(&["25/03/18"]), ["2018-03-25"]);
        assert_eq!(lines(&["99/03/18"]), ["1999-03-18"]);
    }

    #[test]
    fn members_are_entries_of_their_file_only() {
        let library = "CFT  45056 04/12/14 14:19:31 *FILE A.FILE\nCFT    *MEM A.FILE/A.MBR\n";
        let parsed = super::super::parse_list(library.as_bytes(), 1_795_176_000);
        assert_eq!(super::super::shown(&parsed), ["file 45056 2014-04-12T14:19:31 - A.FILE"]);
        assert_eq!(parsed.skipped[0].why, Skip::OtherDirectory);
        assert!(parsed.is_whole());
        let file = "CFT    *MEM A.FILE/A.MBR\nCFT    *MEM A.FILE/B.MBR\n";
        assert_eq!(shown_at_2026(file), ["file - - - A.MBR", "file - - - B.MBR"]);
    }

    #[test]
    fn lines_that_are_no_entries() {
        for line in [
            "PEP              4019 04/03/18 18:58:16 STMF       e.zip",
            "PEP              6409 04/03/24 30:06:29 *STMF      b.xml",
            "PEP USR         36864 xx/03/24 14:06:34 *DIR       d/",
            "QPGMR          135168 04/03/18 13:18:19 *FILE",
            "QPGMR                 04/03/18 13:18:19 *FILE      R.FILE",
        ] {
            assert_eq!(shown_at_2026(line), [""; 0], "{line}");
        }
    }
}
