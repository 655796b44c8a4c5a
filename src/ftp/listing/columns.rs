//! The columns of `ls -l` between permissions and name: where the date stands, and the size in front of it.

use std::ops::Range;

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
        let finder = Finder { words: &line.words, first, context };
        let told = finder.clear().or_else(|| finder.foreign()).or_else(|| finder.numbers());
        told.or_else(|| finder.glued())
            .or_else(|| month_glued(line, first, context))
            .or_else(|| finder.untold())
            .or_else(|| finder.sizeless())
            .or_else(|| finder.dateless())
    }

    fn dated(words: &[Word<'_>], at: usize, size: Option<u64>, date: Date) -> Self {
        let last = at + date.words - 1;
        let narrow = words[last].start == words[last - 1].end + 1;
        Self { size, date: Some(date), form: date.form, end: words[last].end, next: last + 1, narrow }
    }

    fn undated(size: Option<u64>, end: usize, next: usize) -> Self {
        Self { size, date: None, form: Form::Clock, end, next, narrow: false }
    }
}

/// Ways to find the columns, each for lines that those before it do not fit.
struct Finder<'a> {
    words: &'a [Word<'a>],
    /// The first word behind the permissions.
    first: usize,
    context: &'a Context,
}

impl Finder<'_> {
    fn clear(&self) -> Option<Columns> {
        let found = self.clear_from(self.first + 1)?;
        // `1 3 May 2000 Jan 31  2017`: owner, group and size may look like a date, but a date follows them then.
        let doubtful = found.form == Form::Year && found.next == self.first + 4;
        let later = || self.clear_from(found.next).filter(|later| later.next <= found.next + 3);
        Some(if doubtful { later().unwrap_or(found) } else { found })
    }

    fn clear_from(&self, begin: usize) -> Option<Columns> {
        self.behind_size(begin..self.words.len(), |rest| self.date(rest).or_else(|| self.numeric(rest, Form::Clock)))
    }

    /// A date of a month that is not known. Owner and group may look like one here, too, so it stands behind them rather
    /// than elsewhere.
    fn foreign(&self) -> Option<Columns> {
        let read = |rest: &[Word<'_>]| date::read_foreign(rest, self.context.habits, self.context.now);
        let usual = self.first + 3;
        self.behind_size(usual..self.words.len(), read).or_else(|| self.behind_size(self.first + 1..usual, read))
    }

    fn numbers(&self) -> Option<Columns> {
        let any = |rest: &[Word<'_>]| date::read_numbers(rest, self.context.habits, self.context.now);
        self.behind_size(self.first + 1..self.words.len(), any)
    }

    /// `admin125435904 Apr  9  2008`: the size has lost its blank.
    fn glued(&self) -> Option<Columns> {
        (self.first + 1..self.words.len()).find_map(|at| {
            // Not all of the word: that is a number, and was tried.
            let size = tail_number(self.words[at - 1].text)?;
            Some(Columns::dated(self.words, at, Some(size), self.date(&self.words[at..])?))
        })
    }

    /// `8192 ? name`: a server that does not know the time; `? ? ? ?            ? name`: ls may not look.
    fn untold(&self) -> Option<Columns> {
        let is_mark = |word: &Word<'_>| word.text == b"?";
        let marks = self.words.iter().skip(self.first).take_while(|word| is_mark(word)).count();
        if marks >= MARKS {
            let last = self.first + MARKS - 1;
            return Some(Columns::undated(None, self.words[last].end, last + 1));
        }
        (self.first + 1..self.words.len())
            .filter(|at| is_mark(&self.words[*at]))
            .find_map(|at| Some(Columns::undated(size(self.words[at - 1].text)?, self.words[at].end, at + 1)))
    }

    /// `2 owner group - Nov 14 22:13 name`, and nothing at all in place of the size: of directories, with some servers.
    fn sizeless(&self) -> Option<Columns> {
        let end = self.words.len().min(self.first + 5);
        (self.first + 1..end).find_map(|at| Some(Columns::dated(self.words, at, None, self.date(&self.words[at..])?)))
    }

    /// No date at all, or one in seconds since 1970.
    fn dateless(&self) -> Option<Columns> {
        let at = dateless(self.words, self.first).filter(|_| self.context.unix.dateless)?;
        let size = size(self.words[at].text)?;
        if let Some(stamp) = epoch(self.words, at) {
            let date = Date { stamp: Some(stamp), words: 1, form: Form::Full, clue: None, half_apart: false };
            return Some(Columns::dated(self.words, at + 1, size, date));
        }
        // A date in a form of nobody's ends where its time does: `14Nov2023 22:13 name`.
        let digits = |at: usize| self.words[at].text.iter().any(u8::is_ascii_digit);
        let end = (at + 2..self.words.len().min(at + 5))
            .find(|end| date::like_clock(self.words[*end].text) && (at + 1..*end).any(digits));
        let last = end.filter(|end| end + 1 < self.words.len()).unwrap_or(at);
        Some(Columns::undated(size, self.words[last].end, last + 1))
    }

    /// The first date in `range` with a number in front.
    fn behind_size(&self, range: Range<usize>, read: impl Fn(&[Word<'_>]) -> Option<Date>) -> Option<Columns> {
        let end = range.end.min(self.words.len());
        (range.start..end).find_map(|at| {
            let size = size(self.words[at - 1].text)?;
            Some(Columns::dated(self.words, at, size, read(&self.words[at..])?))
        })
    }

    fn date(&self, rest: &[Word<'_>]) -> Option<Date> {
        date::read(rest, self.context.habits, self.context.now)
    }

    fn numeric(&self, rest: &[Word<'_>], form: Form) -> Option<Date> {
        date::read_numbers(rest, self.context.habits, self.context.now).filter(|date| date.form == form)
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

/// Links, owner, group, size and time.
const MARKS: usize = 5;
