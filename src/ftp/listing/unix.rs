//! LIST as `ls -l` prints it: `-rw-r--r--   1 u        g              12 Nov 14  2023 hello.txt`.
//!
//! Columns have no fixed width and any but the first may be missing, so the line is read around its date: the first date
//! that follows a number. After the date comes exactly one blank, and all the rest is the name, blanks and all.
//!
//! Links, owner and group are not looked at: they may be missing (Trellix), hold blanks (Windows domains), or be glued to
//! the size (`ftpadmin125435904`). Mac servers print resource fork, data fork and their sum, or `folder` and a number;
//! NetWare prints rights in place of permissions: `d [RWCEAFMS] supervisor 512 Jan 16 18:53 login`.

use std::sync::Arc;

use super::super::text::number;
use super::date::{self, Clue, Date, Form, Habits, Line, Word, is_blank};
use super::permissions::Permissions;
use super::time::year;
use super::{Context, Facts, Shape, Skip, entry};
use crate::remote::{Entry, Kind};

/// Reads one line; None for the directory itself and its parent.
///
/// # Errors
/// The line does not begin with permissions, has no date after a size, or no name that can be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    let permissions = Permissions::find(line).ok_or(Skip::NoEntry)?;
    let columns = Columns::find(line, permissions.next, context).ok_or(Skip::NoDate)?;
    let mut rest = line.text.get(columns.end..).unwrap_or_default();
    rest = match columns.form {
        Form::Bare => skip_blanks(rest),
        _ if permissions.netware => skip_blanks(rest),
        _ => rest.split_first().filter(|(b, _)| is_blank(**b)).ok_or(Skip::BadName)?.1,
    };
    if columns.form == Form::Year && context.unix.filled_year && columns.narrow {
        rest = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    let facts = Facts { size: columns.size, mtime: columns.date.and_then(|date| date.stamp), mode: permissions.mode };
    match permissions.shape {
        Shape::File => entry(rest, Kind::File, facts),
        Shape::Dir => entry(rest, Kind::Dir, facts),
        Shape::Link => {
            let (name, target) = split_link(rest, columns.size);
            entry(name, Kind::Symlink { target }, facts)
        }
        Shape::Other => entry(rest, Kind::Other, Facts { size: None, ..facts }),
    }
}

/// What all lines of a listing have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manners {
    /// AIX: `Nov 14 2023  name`, where the year is written to the left of its column.
    filled_year: bool,
    /// No line has a date.
    dateless: bool,
    /// Sizes are rounded: `33.5k`.
    pub(super) in_units: bool,
}

/// Looks at all lines before they are read.
#[derive(Debug, Default)]
pub(super) struct Study {
    dated: usize,
    undated: usize,
    clocks: usize,
    clocks_with_year: usize,
    years: usize,
    years_with_clock: usize,
    narrow_years: usize,
    filled_years: usize,
    day_first: usize,
    month_first: usize,
    in_units: bool,
}

impl Study {
    pub(super) fn look(&mut self, line: &Line<'_>, context: &Context) {
        let Some(permissions) = Permissions::find(line) else {
            return;
        };
        let Some((columns, date)) = Columns::find(line, permissions.next, context).and_then(|c| Some((c, c.date?)))
        else {
            self.undated += 1;
            return;
        };
        self.dated += 1;
        let before = columns.next.checked_sub(date.words + 1).map_or(&b""[..], |at| line.word(at));
        self.in_units |= in_units(before).is_some();
        match date.clue {
            Clue::DayFirst => self.day_first += 1,
            Clue::MonthFirst => self.month_first += 1,
            Clue::YearFirst | Clue::None => {}
        }
        let next = columns.next;
        // A name must be left.
        let followed = line.words.len() > next + 1;
        match date.form {
            Form::Clock => {
                self.clocks += 1;
                let is_year = year(line.word(next)).is_some_and(|year| (1970..2100).contains(&year));
                self.clocks_with_year += usize::from(followed && is_year);
            }
            Form::Year => {
                self.years += 1;
                let clock = date::Clock::read(line.words.get(next..).unwrap_or_default());
                let is_clock = clock.is_some_and(|clock| line.words.len() > next + clock.words);
                self.years_with_clock += usize::from(columns.narrow && is_clock);
                self.narrow_years += usize::from(columns.narrow);
                let filled = line.text.get(columns.end..).is_some_and(|rest| rest.starts_with(b"  "));
                self.filled_years += usize::from(columns.narrow && filled);
            }
            Form::Full | Form::Bare => {}
        }
    }

    pub(super) fn conclude(&self) -> (Habits, Manners) {
        let habits = Habits {
            day_first: self.day_first > 0 && self.month_first == 0,
            year_first: false,
            // One line alone may be of a file named `2014 Invoices`.
            year_after_time: self.clocks > 1 && self.clocks == self.clocks_with_year && self.years == 0,
            time_after_year: self.years > 0 && self.years == self.years_with_clock && self.clocks == 0,
        };
        let filled_year = self.narrow_years > 0 && self.narrow_years == self.filled_years;
        (habits, Manners { filled_year, dateless: self.dated == 0 && self.undated > 0, in_units: self.in_units })
    }
}

/// What stands between permissions and name.
#[derive(Clone, Copy)]
struct Columns {
    /// None where it is a device's, negative, or too large for anything.
    size: Option<u64>,
    /// None where there is none.
    date: Option<Date>,
    form: Form,
    /// Where the name's blank stands.
    end: usize,
    /// The first word behind.
    next: usize,
    /// Whether a single blank stands before the date's last word.
    narrow: bool,
}

impl Columns {
    /// The first date behind a number; words of owner and group may look like either, but not like both in a row.
    fn find(line: &Line<'_>, first: usize, context: &Context) -> Option<Self> {
        let words = &line.words;
        let dated = |at: usize, size, date: Date| {
            let last = at + date.words - 1;
            let narrow = words[last].start == words[last - 1].end + 1;
            Self { size, date: Some(date), form: date.form, end: words[last].end, next: last + 1, narrow }
        };
        let clear = (first + 1..words.len()).find_map(|at| {
            let size = size(words[at - 1].text)?;
            let rest = &words[at..];
            let numbers = || date::read_numbers(rest, context.habits, context.now).filter(|d| d.form == Form::Clock);
            Some(dated(at, size, date::read(rest, context.habits, context.now).or_else(numbers)?))
        });
        let numbers = || {
            (first + 1..words.len()).find_map(|at| {
                let size = size(words[at - 1].text)?;
                Some(dated(at, size, date::read_numbers(&words[at..], context.habits, context.now)?))
            })
        };
        let glued = || {
            (first + 1..words.len()).find_map(|at| {
                // Not all of the word: that is a number, and was tried.
                let size = tail_number(words[at - 1].text)?;
                Some(dated(at, Some(size), date::read(&words[at..], context.habits, context.now)?))
            })
        };
        let untold = || {
            // `8192 ? name`: a server that does not know the time.
            let at =
                (first + 1..words.len()).find(|&at| words[at].text == b"?" && size(words[at - 1].text).is_some())?;
            Some(Self::undated(size(words[at - 1].text)?, words[at].end, at + 1))
        };
        clear.or_else(numbers).or_else(glued).or_else(|| month_glued(line, first, context)).or_else(untold).or_else(
            || {
                let at = dateless(words, first).filter(|_| context.unix.dateless)?;
                Some(Self::undated(size(words[at].text)?, words[at].end, at + 1))
            },
        )
    }

    fn undated(size: Option<u64>, end: usize, next: usize) -> Self {
        Self { size, date: None, form: Form::Clock, end, next, narrow: false }
    }
}

/// `4096Feb 23 10:01`, `/some/pathFeb  8  2007`: the month has lost its blank.
fn month_glued(line: &Line<'_>, first: usize, context: &Context) -> Option<Columns> {
    (first..line.words.len()).find_map(|at| {
        let word = line.words[at];
        let cut = word.text.len().checked_sub(3).filter(|cut| *cut > 0)?;
        let (head, month) = word.text.split_at_checked(cut)?;
        if !month[0].is_ascii_uppercase() || !month.is_ascii() {
            return None;
        }
        let own = number(head);
        let before = || number(line.words.get(at.checked_sub(1).filter(|at| *at >= first)?)?.text);
        let size = own.or_else(before)?;
        let mut words = vec![Word { text: month, start: word.start + cut, end: word.end }];
        words.extend_from_slice(line.words.get(at + 1..at + 4).unwrap_or_default());
        let date = date::read(&words, context.habits, context.now)?;
        let last = date.words - 1;
        Some(Columns {
            size: Some(size),
            date: Some(date),
            form: date.form,
            end: words[last].end,
            next: at + date.words,
            narrow: false,
        })
    })
}

/// The size in a line without a date: the last of at most four columns, in front of what cannot be a date.
fn dateless(words: &[Word<'_>], first: usize) -> Option<usize> {
    let at = (first + 2..=first + 3).rev().find(|&at| words.get(at).is_some_and(|word| number(word.text).is_some()))?;
    let name = words.get(at + 1)?.text;
    let like_date = super::months::month(name).is_some() || date::Triple::read(name, Habits::default()).is_some();
    (number(words[first].text).is_some() && !like_date).then_some(at)
}

/// `12`, `33.5k`, or the end of a device's `8, 1` or `8,1`; the outer None where it is none of these.
fn size(word: &[u8]) -> Option<Option<u64>> {
    let last = *word.last()?;
    if last.is_ascii_digit() {
        let (sign, digits) = match word {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let plain = digits.iter().all(u8::is_ascii_digit);
        if plain {
            return Some(number(digits).filter(|_| !sign));
        }
        let device = digits.iter().all(|b| b.is_ascii_digit() || *b == b',') && digits[0].is_ascii_digit();
        return device.then_some(None);
    }
    in_units(word).map(Some)
}

/// `33.5k`, `9.0M`, `12KB`: a thousand is 1024, what is left of a byte is cut off.
pub(super) fn in_units(word: &[u8]) -> Option<u64> {
    let word = word.strip_suffix(b"B").unwrap_or(word);
    let word = word.strip_suffix(b"i").unwrap_or(word);
    let (&unit, digits) = word.split_last()?;
    let power = match unit.to_ascii_lowercase() {
        b'k' => 1,
        b'm' => 2,
        b'g' => 3,
        b't' => 4,
        b'p' => 5,
        _ => return None,
    };
    let mut parts = digits.split(|b| matches!(b, b'.' | b','));
    let (whole, fraction) = (number(parts.next()?)?, parts.next().unwrap_or(b"0"));
    if parts.next().is_some() || fraction.len() > 3 {
        return None;
    }
    let scale = 1024u64.checked_pow(power)?;
    let ten = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = u128::from(number(fraction)?) * u128::from(scale) / u128::from(ten);
    whole.checked_mul(scale)?.checked_add(u64::try_from(fraction).ok()?)
}

/// The digits at the end of a group's name that leave it no room.
fn tail_number(word: &[u8]) -> Option<u64> {
    let at = word.iter().rposition(|b| !b.is_ascii_digit())? + 1;
    number(word.get(at..)?)
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
            ("prw-r--r-- 1 u g 0 Nov 14 2023 p", "p", Kind::Other, None),
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
            ("d????????? ? ? ? ? ? x", Skip::NoEntry),
            ("-rw-r--r--", Skip::NoDate),
            ("-rw-r--r-- 1 u g Nov 14 2023 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 25:61 x", Skip::NoDate),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 ", Skip::BadName),
            ("-rw-r--r-- 1 u g 12 Nov 14 2023 a/b", Skip::BadName),
            ("lrwxrwxrwx 1 u g 12 Nov 14 2023  -> b", Skip::BadName),
        ];
        for (line, want) in table {
            assert_eq!(parse_at(line.as_bytes()), Err(want), "{line}");
        }
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
                None => prop_assert!(!matches!(parse_at(&line), Ok(Some(_)))),
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
