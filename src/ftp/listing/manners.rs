//! What all lines of an `ls -l` have in common, and what only the whole listing tells of each.

use super::clock::Clock;
use super::columns::Columns;
use super::date::{Form, Habits, Line, is_blank};
use super::months::is_croatian;
use super::order::Evidence;
use super::permissions::Permissions;
use super::sizes::in_units;
use super::time::{midnight, year};
use super::{Context, Shape};

/// What all lines of a listing have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Manners {
    /// AIX: `Nov 14 2023  name`, where the year is written to the left of its column.
    pub(super) filled_year: bool,
    /// A single blank stands before some name; NetWare has one or several before all of them.
    pub(super) one_blank: bool,
    /// Blanks that stand before every name besides the usual one, so that they are none of theirs.
    pub(super) margin: usize,
    /// No line has a date.
    pub(super) dateless: bool,
    /// `ls -F`: programs end in a star that is not theirs.
    pub(super) starred: bool,
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
    /// Times of days that `ls` would have written with a year.
    old_clocks: usize,
    /// Years behind times that are not those that the times would be completed with.
    other_years: usize,
    years: usize,
    years_with_clock: usize,
    narrow_years: usize,
    filled_years: usize,
    evidence: Evidence,
    in_units: bool,
    dirs: usize,
    slashed_dirs: usize,
    programs: usize,
    starred_programs: usize,
    one_blank: bool,
    /// The fewest blanks before a name.
    margin: Option<usize>,
    croatian: bool,
    /// Times, and those with a half of the day behind them.
    timed: usize,
    halved: usize,
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
        match permissions.shape {
            Shape::Dir => {
                self.dirs += 1;
                self.slashed_dirs += usize::from(line.text.ends_with(b"/"));
            }
            Shape::File if is_program(&permissions) => {
                self.programs += 1;
                self.starred_programs += usize::from(line.text.ends_with(b"*"));
            }
            _ => {}
        }
        let blanks = line.text.get(columns.end..).map_or(0, |rest| rest.iter().take_while(|b| is_blank(**b)).count());
        self.one_blank |= blanks < 2;
        self.margin = Some(self.margin.map_or(blanks, |margin| margin.min(blanks)));
        let words = line.words.get(columns.next.saturating_sub(date.words)..columns.next).unwrap_or_default();
        self.croatian |= words.iter().any(|word| is_croatian(word.text));
        let before = columns.next.checked_sub(date.words + 1).map_or(&b""[..], |at| line.word(at));
        self.in_units |= in_units(before).is_some();
        self.evidence.add(date.clue);
        let next = columns.next;
        // A name must be left.
        self.timed += usize::from(matches!(date.form, Form::Clock | Form::Full));
        self.halved += usize::from(date.half_apart && line.words.len() > next);
        let followed = line.words.len() > next + 1;
        match date.form {
            Form::Clock => {
                self.clocks += 1;
                let stated = year(line.word(next)).filter(|year| followed && (1970..2100).contains(year));
                self.clocks_with_year += usize::from(stated.is_some());
                let secs = date.stamp.map_or(context.now, |stamp| stamp.secs);
                self.old_clocks += usize::from(context.now.saturating_sub(secs) > LONG_AGO);
                self.other_years += usize::from(stated.is_some_and(|year| !is_in(secs, year)));
            }
            Form::Year => {
                self.years += 1;
                let clock = Clock::read(line.words.get(next..).unwrap_or_default());
                let is_clock = clock.is_some_and(|clock| line.words.len() > next + clock.words);
                self.years_with_clock += usize::from(columns.narrow && is_clock);
                self.narrow_years += usize::from(columns.narrow);
                let filled = line.text.get(columns.end..).is_some_and(|rest| rest.starts_with(b"  "));
                self.filled_years += usize::from(columns.narrow && filled);
            }
            Form::Full | Form::Bare => {}
        }
    }

    /// Whether what stands behind each time is its year, and not the beginning of `2014 Invoices`: one line alone tells
    /// nothing, and where all times are recent, those of a plain `ls` would have looked the same.
    fn year_follows_time(&self) -> bool {
        let all = self.clocks > 1 && self.clocks == self.clocks_with_year && self.years == 0;
        all && (self.old_clocks > 0 || self.other_years == 0)
    }

    pub(super) fn conclude(&self) -> (Habits, Manners) {
        let habits = Habits {
            order: self.evidence.told(),
            year_after_time: self.year_follows_time(),
            time_after_year: self.years > 0 && self.years == self.years_with_clock && self.clocks == 0,
            croatian: self.croatian,
            // Who prints halves prints them everywhere, and no years in place of times, as ls does.
            half_is_name: self.halved < self.timed || self.years > 0,
        };
        let filled_year = self.narrow_years > 0 && self.narrow_years == self.filled_years;
        let many = self.dated >= FEW && !filled_year;
        let margin = self.margin.filter(|_| many).map_or(0, |blanks| blanks.saturating_sub(1));
        let slashed = self.dirs > 0 && self.dirs == self.slashed_dirs;
        let starred = slashed && self.programs > 0 && self.programs == self.starred_programs;
        (
            habits,
            Manners {
                one_blank: self.one_blank,
                margin,
                starred,
                filled_year,
                dateless: self.dated == 0 && self.undated > 0,
                in_units: self.in_units,
            },
        )
    }
}

fn is_in(secs: i64, year: u16) -> bool {
    let begin = |year| midnight((year, 1, 1));
    begin(year).is_some_and(|begin| begin <= secs) && begin(year + 1).is_some_and(|end| secs < end)
}

/// Whether `ls -F` would mark a file with a star.
pub(super) fn is_program(permissions: &Permissions) -> bool {
    permissions.mode.is_some_and(|mode| mode & 0o111 != 0)
}

/// Names that may all begin with blanks of their own.
const FEW: usize = 3;
/// Half a year and some days: `ls` writes the year in place of the time of what is older.
const LONG_AGO: i64 = 200 * 86_400;
