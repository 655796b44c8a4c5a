//! The columns of `ls -l` between permissions and name: where the date stands, and the size in front of it.

use super::super::text::number;
use super::Context;
use super::date::{self, Date, Form, Habits, Line, Word};
use super::sizes::{size, tail_number};
use crate::remote::Stamp;

/// What stands between permissions and name.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// None where it is a device's, negative, or too large for anything.
    pub(super) size: Option<u64>,
    /// None where there is none.
    pub(super) date: Option<Date>,
    pub(super) form: Form,
    /// Where the name's blank stands.
    pub(super) end: usize,
    /// The first word behind.
    pub(super) next: usize,
    /// Whether a single blank stands before the date's last word.
    pub(super) narrow: bool,
}

impl Columns {
    /// The first date behind a number; words of owner and group may look like either, but not like both in a row.
    pub(super) fn find(line: &Line<'_>, first: usize, context: &Context) -> Option<Self> {
        let words = &line.words;
        let dated = |at: usize, size, date: Date| {
            let last = at + date.words - 1;
            let narrow = words[last].start == words[last - 1].end + 1;
            Self { size, date: Some(date), form: date.form, end: words[last].end, next: last + 1, narrow }
        };
        let clear_from = |begin: usize| {
            (begin..words.len()).find_map(|at| {
                let size = size(words[at - 1].text)?;
                let rest = &words[at..];
                let numbers =
                    || date::read_numbers(rest, context.habits, context.now).filter(|d| d.form == Form::Clock);
                Some(dated(at, size, date::read(rest, context.habits, context.now).or_else(numbers)?))
            })
        };
        let clear = || {
            let found = clear_from(first + 1)?;
            // `1 3 May 2000 Jan 31  2017`: owner, group and size may look like a date, but a date follows them then.
            let doubtful = found.form == Form::Year && found.next == first + 4;
            let later = clear_from(found.next).filter(|later| doubtful && later.next <= found.next + 3);
            Some(later.unwrap_or(found))
        };
        let foreign = || {
            // Owner and group may look like one here, too, so it stands behind them rather than elsewhere.
            let at = |at: usize| {
                let size = size(words[at - 1].text)?;
                Some(dated(at, size, date::read_foreign(&words[at..], context.habits, context.now)?))
            };
            let usual = (first + 3..words.len()).find_map(at);
            usual.or_else(|| (first + 1..words.len().min(first + 3)).find_map(at))
        };
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
            let marks = words.iter().skip(first).take_while(|word| word.text == b"?").count();
            if marks >= 5 {
                return Some(Self::undated(None, words[first + 4].end, first + 5));
            }
            let at =
                (first + 1..words.len()).find(|&at| words[at].text == b"?" && size(words[at - 1].text).is_some())?;
            Some(Self::undated(size(words[at - 1].text)?, words[at].end, at + 1))
        };
        clear()
            .or_else(foreign)
            .or_else(numbers)
            .or_else(glued)
            .or_else(|| month_glued(line, first, context))
            .or_else(untold)
            .or_else(|| {
                let at = dateless(words, first).filter(|_| context.unix.dateless)?;
                if let Some(stamp) = epoch(words, at) {
                    let date = Date { stamp: Some(stamp), words: 1, form: Form::Full, clue: None, half_apart: false };
                    return Some(dated(at + 1, size(words[at].text)?, date));
                }
                Some(Self::undated(size(words[at].text)?, words[at].end, at + 1))
            })
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

/// `12 1582912740 name`: seconds since 1970 (`ls --time-style=+%s`).
fn epoch(words: &[Word<'_>], size: usize) -> Option<Stamp> {
    let secs = words.get(size + 1).filter(|word| (9..=10).contains(&word.text.len()) && words.len() > size + 2)?;
    number(secs.text).and_then(|secs| i64::try_from(secs).ok()).map(Stamp::exact)
}

/// The size in a line without a date: the last of at most four columns, in front of what cannot be a date.
fn dateless(words: &[Word<'_>], first: usize) -> Option<usize> {
    let at = (first + 2..=first + 3).rev().find(|&at| words.get(at).is_some_and(|word| number(word.text).is_some()))?;
    let name = words.get(at + 1)?.text;
    let like_date = super::months::month(name).is_some() || date::Triple::read(name, Habits::default()).is_some();
    (number(words[first].text).is_some() && !like_date).then_some(at)
}
