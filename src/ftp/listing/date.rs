//! Dates as people read them: words of a line become a time.
//!
//! `Nov 14 22:13`, `14. Nov 2023`, `2023-11-14 22:13:20`, `3月 14日 22:13`: [`read`] tells how many words a date takes,
//! whatever its style, so that the parsers need only know where it stands.

use super::clock::Clock;
use super::ideographs::ideographs;
use super::months::month;
use super::order::DateOrder;
use super::time::{midnight, small, without_year, year};
pub(super) use super::triple::{LONGEST_DATE, Triple, any_year, day_number};
use crate::remote::{Precision, Stamp};

/// A run of bytes without blanks and tabs, and where it stands in its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A line and its first words.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    pub(super) words: Vec<Word<'a>>,
}

impl<'a> Line<'a> {
    /// Parts `text` at blanks and tabs; what follows the first [`MAX_WORDS`] words is left alone.
    pub(super) fn new(text: &'a [u8]) -> Self {
        let mut words = Vec::with_capacity(MAX_WORDS.min(text.len() / 2 + 1));
        let mut at = 0;
        while words.len() < MAX_WORDS {
            let Some(start) = text[at..].iter().position(|b| !is_blank(*b)).map(|skip| at + skip) else {
                break;
            };
            let end = text[start..].iter().position(|b| is_blank(*b)).map_or(text.len(), |len| start + len);
            words.push(Word { text: &text[start..end], start, end });
            at = end;
        }
        Self { text, words }
    }

    /// The bytes of the word at `at`; nothing behind the last.
    pub(super) fn word(&self, at: usize) -> &'a [u8] {
        self.words.get(at).map_or(b"", |word| word.text)
    }

    /// All that follows the word at `at`.
    pub(super) fn after(&self, at: usize) -> &'a [u8] {
        self.words.get(at).map_or(b"", |word| &self.text[word.end..])
    }

    /// The line from the word at `at` on.
    pub(super) fn from(&self, at: usize) -> &'a [u8] {
        self.words.get(at).map_or(b"", |word| &self.text[word.start..])
    }
}

pub(super) fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// What only a look at the whole listing tells of its dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Habits {
    /// Of dates of numbers; where dots part them, the day is first anyway.
    pub(super) order: Option<DateOrder>,
    /// `Nov 14 22:13 2023`: the year follows the time, and is not the beginning of the name.
    pub(super) year_after_time: bool,
    /// `Nov 14 2023 22:13`: as the other way round.
    pub(super) time_after_year: bool,
    /// Months are Croatia's, and not Poland's of the same names.
    pub(super) croatian: bool,
    /// `10:13 AM`: here a name begins behind the time.
    pub(super) half_is_name: bool,
}

/// A date that was found at the head of some words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    /// None where there is no such day (30 February).
    pub(super) stamp: Option<Stamp>,
    /// How many words it takes.
    pub(super) words: usize,
    /// What stands at its end.
    pub(super) form: Form,
    /// What the order of its numbers must be.
    pub(super) clue: Option<DateOrder>,
    /// Whether a half of the day is a word of it.
    pub(super) half_apart: bool,
}

/// How a date ends, which decides where the name begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Hours and minutes, without a year before them.
    Clock,
    /// A year in place of the time, as `ls` prints it.
    Year,
    /// Both.
    Full,
    /// `2023-11-14` alone, where other lines have a time: blanks behind it fill its column.
    Bare,
}

/// Reads the date at the head of `words` at the time `now`; None where none stands there.
pub(super) fn read(words: &[Word<'_>], habits: Habits, now: i64) -> Option<Date> {
    let first = words.first()?.text;
    if is_weekday(first) {
        let date = read_undated(&words[1..], habits, now)?;
        return Some(Date { words: date.words + 1, ..date });
    }
    read_undated(words, habits, now)
}

fn read_undated(words: &[Word<'_>], habits: Habits, now: i64) -> Option<Date> {
    let (&first, rest) = words.split_first()?;
    let lead = *first.text.first()?;
    let named = |month, day: &Word<'_>, rest: &[Word<'_>]| {
        // `Oct 08, 2002 09:47`: who writes a comma writes both.
        let comma = day.text.ends_with(b",") && year(rest.first()?.text).is_some();
        finish(
            None,
            month,
            day_number(day.text)?,
            rest,
            Habits { time_after_year: habits.time_after_year || comma, ..habits },
            now,
        )
    };
    if lead.is_ascii_digit() {
        let day_first = || {
            let (month, taken) = month_words(rest, habits)?;
            named(month, &first, &rest[taken..]).map(|date| Date { words: date.words + 1 + taken, ..date })
        };
        day_first().or_else(|| dashed(words, habits, now)).or_else(|| ideographs(words, habits, now))
    } else {
        let month_first = || {
            let (month, taken) = month_words(words, habits)?;
            let (day, rest) = words[taken..].split_first()?;
            named(month, day, rest).map(|date| Date { words: date.words + 1 + taken, ..date })
        };
        month_first().or_else(|| dashed(words, habits, now))
    }
}

/// A month and how many words it takes: `Nov`, Catalan `de nov.`, Vietnamese `Thg 11`.
fn month_words(words: &[Word<'_>], habits: Habits) -> Option<(u8, usize)> {
    let first = words.first()?.text;
    let next = || words.get(1).map(|word| word.text);
    if first == b"de" {
        return Some((month(next()?)?, 2));
    }
    if first.eq_ignore_ascii_case(b"thg") {
        return Some((small(next()?).filter(|month| (1..=12).contains(month))?, 2));
    }
    let month = if habits.croatian { super::months::croatian(first) } else { month(first) };
    Some((month?, 1))
}

/// `3 29 03:26`: numbers only, so it counts where nothing else does.
pub(super) fn read_numbers(words: &[Word<'_>], habits: Habits, now: i64) -> Option<Date> {
    let [month, day, rest @ ..] = words else {
        return None;
    };
    let month = small(month.text).filter(|month| (1..=12).contains(month))?;
    let date = finish(None, month, day_number(day.text)?, rest, habits, now)?;
    Some(Date { words: date.words + 2, ..date })
}

/// `Xyz 14 22:13`, `14 Xyz 2023`: a date in a language that is not known, or one that there is not.
pub(super) fn read_foreign(words: &[Word<'_>], habits: Habits, now: i64) -> Option<Date> {
    let [first, second, rest @ ..] = words else {
        return None;
    };
    let is_letter = |b: &u8| b.is_ascii_alphabetic() || *b >= 0x80 || matches!(b, b'.' | b',' | b'-' | b'\'');
    // Robots of Fanuc write the month before the first as `000`.
    let is_word = |word: &Word<'_>| word.text == b"000" || word.text.len() > 1 && word.text.iter().all(is_letter);
    // Also the day before the first, and none at all: `Jan 00 1900`, `--- -- --:--`.
    let is_day = |word: &Word<'_>| {
        let text = word.text.strip_suffix(b".").unwrap_or(word.text);
        matches!(text, b"--" | [b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9'])
    };
    if !(is_word(first) && is_day(second) || is_day(first) && is_word(second)) {
        return None;
    }
    // Any month will do to see where it ends.
    let found = finish(None, 1, 1, rest, habits, now).or_else(|| {
        let odd = Date { stamp: None, words: 1, form: Form::Clock, clue: None, half_apart: false };
        like_clock(rest.first()?.text).then_some(odd)
    })?;
    Some(Date { stamp: None, words: found.words + 2, ..found })
}

/// `25:61`, `13:06PM`, `--:--`, `7:05:20`: no time, perhaps, but it stands for one.
pub(super) fn like_clock(word: &[u8]) -> bool {
    let word = word.strip_suffix(b"AM").or_else(|| word.strip_suffix(b"PM")).unwrap_or(word);
    let mut parts = word.split(|&b| b == b':');
    let is_part = |part: &[u8]| (1..=2).contains(&part.len()) && (part == b"--" || part.iter().all(u8::is_ascii_digit));
    (2..=3).contains(&parts.clone().count()) && parts.all(is_part)
}

/// What follows day and month: a time, a year, or both.
pub(super) fn finish(
    known: Option<u16>,
    month: u8,
    day: u8,
    rest: &[Word<'_>],
    habits: Habits,
    now: i64,
) -> Option<Date> {
    let date = |stamp, words, form| Some(Date { stamp, words, form, clue: None, half_apart: false });
    let clock = |rest| Clock::read_halved(rest, !habits.half_is_name);
    if let Some(clock) = clock(rest) {
        let date = |stamp, words, form| Some(Date { half_apart: clock.half_apart, ..date(stamp, words, form)? });
        let clock = if known.is_none() { with_zone(clock, rest) } else { clock };
        let (next_year, words) = match rest.get(clock.words).and_then(|word| year(word.text)) {
            Some(next) if known.is_none() && (clock.precise || habits.year_after_time) => (Some(next), clock.words + 1),
            _ => (None, clock.words),
        };
        return match known.or(next_year) {
            Some(year) => date(clock.on(midnight((year, month, day))), words, Form::Full),
            None => {
                let secs = without_year((month, day), clock.of_day, now);
                date(clock.stamp(secs), words, Form::Clock)
            }
        };
    }
    if let Some(year) = known {
        return date(day_stamp((year, month, day)), 0, Form::Bare);
    }
    let year = year(rest.first()?.text.strip_suffix(b",").unwrap_or(rest.first()?.text)).filter(plausible)?;
    if let Some(clock) = clock(&rest[1..]).filter(|clock| clock.precise || habits.time_after_year) {
        let full = date(clock.on(midnight((year, month, day))), clock.words + 1, Form::Full);
        return full.map(|date| Date { half_apart: clock.half_apart, ..date });
    }
    date(day_stamp((year, month, day)), 1, Form::Year)
}

/// `22:13:20 CET 2023`, as date(1) writes it: the zone belongs to the time.
fn with_zone(clock: Clock, rest: &[Word<'_>]) -> Clock {
    let next = |at: usize| rest.get(clock.words + at).map_or(&b""[..], |word| word.text);
    let zone = (3..=5).contains(&next(0).len()) && next(0).iter().all(u8::is_ascii_uppercase);
    let found = clock.precise && zone && year(next(1)).filter(plausible).is_some();
    Clock { words: clock.words + usize::from(found), ..clock }
}

/// `2023-11-14`, `14.11.2023`, `11/14/23`, `14-Nov-2023`, `11-14`, with or without a time behind it.
fn dashed(words: &[Word<'_>], habits: Habits, now: i64) -> Option<Date> {
    let (first, rest) = words.split_first()?;
    // `2023-11-14T22:13:20Z`: two words in one.
    if let Some((day, [b'T', clock @ ..])) = first.text.split_at_checked(10)
        && clock.first().is_some_and(u8::is_ascii_digit)
    {
        let cut = first.start + day.len();
        let clock = Word { text: clock, start: cut + 1, end: first.end };
        let parts = [Word { text: day, start: first.start, end: cut }, clock];
        let found = dashed(&parts, habits, now).filter(|found| found.words == 2)?;
        return Some(Date { words: 1, ..found });
    }
    let (date, clue) = Triple::read(first.text, habits)?;
    let found = match date {
        Triple::Full(year, month, day) => finish(Some(year), month, day, rest, habits, now)?,
        Triple::Short(month, day) => finish(None, month, day, rest, habits, now)?,
    };
    Some(Date { words: found.words + 1, clue, ..found })
}

/// Whether a file can be of this year; a size of four digits may stand where a year would.
pub(super) fn plausible(year: &u16) -> bool {
    (1500..2150).contains(year)
}

fn is_weekday(word: &[u8]) -> bool {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    (3..=5).contains(&word.len())
        && WEEKDAYS
            .iter()
            .any(|day| day.get(..word.len()).is_some_and(|head| head.as_bytes().eq_ignore_ascii_case(word)))
}

fn day_stamp(date: (u16, u8, u8)) -> Option<Stamp> {
    super::time::coarse(midnight(date), Precision::Day)
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Owners and groups of Windows domains hold blanks; nobody's hold two dozen.
const MAX_WORDS: usize = 32;

#[cfg(test)]
mod tests {
    use super::super::time::{coarse, seconds};
    use super::*;

    /// 2024-01-10 00:00:00 UTC.
    const NOW: i64 = 1_704_844_800;

    fn found(text: &[u8], habits: Habits) -> Option<(Option<Stamp>, usize)> {
        let line = Line::new(text);
        read(&line.words, habits, NOW).map(|date| (date.stamp, date.words))
    }

    #[test]
    fn dates_with_a_year_and_a_time() {
        let at = |second: u8, precision| coarse(seconds((2023, 11, 14), (22, 13, second)), precision);
        let minute = at(0, Precision::Minute);
        let second = at(20, Precision::Second);
        let table: &[(&[u8], Option<Stamp>, usize)] = &[
            (b"Nov 14, 2023 22:13 x", minute, 4),
            (b"Nov 14 22:13:20 2023 x", second, 4),
            (b"Tue Nov 14 22:13:20 2023 x", second, 5),
            (b"Tue Nov 14 22:13:20 CET 2023 x", second, 6),
            (b"Nov 14 22:13:20 GMT 2023 x", second, 5),
            (b"Tue, 14 Nov 2023 22:13:20 GMT x", second, 6),
            (b"2023-11-14 22:13 x", minute, 2),
            (b"2023-11-14 22:13:20.000000000 +0900 x", second, 3),
            (b"2023/11/14 22:13:20 x", second, 2),
            (b"2023-11-14T22:13:20 x", second, 1),
            (b"2023-11-14T22:13Z x", minute, 1),
            (b"2023.11.14 22:13 x", minute, 2),
            (b"14-11-2023 22:13 x", minute, 2),
            (b"14.11.2023 22:13 x", minute, 2),
            (b"11-14-2023 10:13PM x", minute, 2),
            (b"11/14/23 10:13 pm x", minute, 3),
            (b"14-Nov-2023 22:13:20 x", second, 2),
            (b"2023-Nov-14 22:13:20 x", second, 2),
            (b"14-NOV-2023 22:13:20.45 x", second, 2),
            (b"Nov-14-2023 22:13:20 x", second, 2),
            ("2023年11月14日 22:13 x".as_bytes(), minute, 2),
        ];
        for (text, stamp, words) in table {
            assert_eq!(found(text, Habits::default()), Some((*stamp, *words)), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn dates_with_a_year() {
        let day = coarse(seconds((2023, 11, 14), (0, 0, 0)), Precision::Day);
        let table: &[(&[u8], usize)] = &[
            (b"Nov 14 2023 x", 3),
            (b"Nov 14  2023 10:33", 3),
            (b"14 Nov 2023 x", 3),
            (b"14.   Nov.  2023 x", 3),
            (b"14-nov-23 x", 1),
            (b"11-14 2023 x", 2),
            (b"14/11 2023 x", 2),
            (b"2023.11.14 x", 1),
            ("11月 14日 2023年 x".as_bytes(), 3),
            ("11月14日 2023年 x".as_bytes(), 2),
            ("2023년 11월 14일 x".as_bytes(), 3),
            ("11月 14 2023 x".as_bytes(), 3),
            ("noviembre".as_bytes(), 0),
            (b"11\x8c\x8e 14\x93\xfa 2023\x94\x4e x", 3),
            (b"11\xd4\xc2 14\xc8\xd5 2023 x", 3),
            (b"2023   11\xed\xef 14 x", 3),
        ];
        for (text, words) in table {
            let want = (*words > 0).then_some((day, *words));
            assert_eq!(found(text, Habits::default()), want, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn dates_without_a_year() {
        let minute = coarse(seconds((2023, 11, 14), (22, 13, 0)), Precision::Minute);
        let table: &[(&[u8], usize)] = &[
            (b"Nov 14 22:13 x", 3),
            (b"Nov 14 22:13 2023 x", 3),
            (b"14 Nov 22:13 x", 3),
            (b"14. Nov, 22:13 x", 3),
            (b"14. nov 22.13 x", 3),
            (b"Nov 14 10:13PM x", 3),
            (b"Nov 14 10:13 PM x", 4),
            (b"11-14 22:13 x", 2),
            (b"11/14 22:13 x", 2),
            (b"14.11. 22:13 x", 2),
            ("11月 14日 22:13 x".as_bytes(), 3),
            ("11월 14일 22:13 x".as_bytes(), 3),
            (b"11\xb7\xee 14\xc6\xfc 22:13 x", 3),
            (b"11\xed 14 22:13 x", 3),
        ];
        for (text, words) in table {
            assert_eq!(found(text, Habits::default()), Some((minute, *words)), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_the_listing_decides() {
        let at = |month, day, hour| seconds((2023, month, day), (hour, 0, 0));
        let habits = |day_first: bool, year_after_time| Habits {
            order: day_first.then_some(DateOrder::DayFirst),
            year_after_time,
            ..Habits::default()
        };
        let minute = |secs| coarse(secs, Precision::Minute);
        assert_eq!(found(b"02/03/2023 07:00", habits(false, false)), Some((minute(at(2, 3, 7)), 2)));
        assert_eq!(found(b"02/03/2023 07:00", habits(true, false)), Some((minute(at(3, 2, 7)), 2)));
        assert_eq!(found(b"02.03.2023 07:00", habits(false, false)), Some((minute(at(3, 2, 7)), 2)));
        assert_eq!(found(b"Feb 3 07:00 2023 x", habits(false, true)), Some((minute(at(2, 3, 7)), 4)));
        let habits = Habits { time_after_year: true, ..Habits::default() };
        assert_eq!(found(b"Feb 3 2023 07:00 x", habits), Some((minute(at(2, 3, 7)), 4)));
        let habits = Habits { order: Some(DateOrder::YearFirst), ..Habits::default() };
        assert_eq!(found(b"23-02-03 07:00 x", habits), Some((minute(at(2, 3, 7)), 2)));
    }

    #[test]
    fn words_that_are_no_dates() {
        for text in
            ["Nov 32 2023", "Nov 14 x", "Jam 4 00:03", "2012-30-07 00:31", "1.2.3 x", "14 2023", "Nov", "14", "11-14 x"]
        {
            assert_eq!(found(text.as_bytes(), Habits::default()), None, "{text}");
        }
        // A day that there is not is none that somebody could mean, but the line is an entry.
        assert_eq!(found(b"Feb 30 2023 x", Habits::default()), Some((None, 3)));
    }
}
