//! Dates in one word: `2023-11-14`, `11/14/23`, `14.11.`, `14-Nov-2023`.

use super::date::Habits;
use super::months::month;
use super::order::DateOrder;
use super::time::{small, year};

/// A date in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Triple {
    /// Year, month, day.
    Full(u16, u8, u8),
    /// Month and day.
    Short(u8, u8),
}

impl Triple {
    /// Reads `2023-11-14`, `11/14/23`, `14.11.`, `14-Nov-2023` and their like.
    pub(super) fn read(word: &[u8], habits: Habits) -> Option<(Self, Option<DateOrder>)> {
        let word = word.strip_suffix(b",").unwrap_or(word);
        let word = word.strip_suffix(b".").unwrap_or(word);
        if word.len() < 3 || word.len() > LONGEST_DATE {
            return None;
        }
        let mark = *word.iter().find(|b| matches!(b, b'-' | b'/' | b'.'))?;
        let mut parts = word.split(|&b| b == mark);
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let Some(third) = third else {
            return short_pair(first, second, mark, habits);
        };
        if let Some(month) = month(second) {
            let (year, day) = if first.len() == 4 { (first, third) } else { (third, first) };
            return Some((Self::Full(any_year(year)?, month, day_number(day)?), None));
        }
        if let Some(month) = month(first) {
            return Some((Self::Full(any_year(third)?, month, day_number(second)?), None));
        }
        ordered([first, second, third], mark, habits)
    }
}

/// `11-14`, `14/11`, `14-Nov`.
fn short_pair(first: &[u8], second: &[u8], mark: u8, habits: Habits) -> Option<(Triple, Option<DateOrder>)> {
    if let Some(month) = month(second) {
        return Some((Triple::Short(month, day_number(first)?), None));
    }
    if let Some(month) = month(first) {
        return Some((Triple::Short(month, day_number(second)?), None));
    }
    if first.len() > 2 || second.len() > 2 {
        return None;
    }
    let (first, second) = (small(first)?, small(second)?);
    let (month, day, clue) = month_and_day(first, second, mark, habits)?;
    Some((Triple::Short(month, day), clue))
}

/// Three numbers: the year is where four digits are, else at the end.
fn ordered([first, second, third]: [&[u8]; 3], mark: u8, habits: Habits) -> Option<(Triple, Option<DateOrder>)> {
    let full = |year, month, day| {
        ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some(Triple::Full(year, month, day))
    };
    if second.len() > 2 {
        return None;
    }
    if first.len() == 4 {
        return Some((full(year(first)?, small(second)?, day_number(third)?)?, None));
    }
    if first.len() > 2 {
        return None;
    }
    let (one, two) = (small(first)?, small(second)?);
    let year_first = || full(any_year(first)?, two, day_number(third)?);
    if third.len() == 2 && one > 31 {
        return Some((year_first()?, Some(DateOrder::YearFirst)));
    }
    if habits.order == Some(DateOrder::YearFirst)
        && third.len() == 2
        && let Some(date) = year_first()
    {
        return Some((date, None));
    }
    let (month, day, clue) = month_and_day(one, two, mark, habits)?;
    Some((full(any_year(third)?, month, day)?, clue))
}

/// Which of two numbers is the month; dots are Europe's.
fn month_and_day(first: u8, second: u8, mark: u8, habits: Habits) -> Option<(u8, u8, Option<DateOrder>)> {
    let valid = |month: u8, day: u8| (1..=12).contains(&month) && (1..=31).contains(&day);
    match (valid(first, second), valid(second, first)) {
        (true, true) if mark == b'.' || habits.order == Some(DateOrder::DayFirst) => Some((second, first, None)),
        (true, true) => Some((first, second, None)),
        (true, false) => Some((first, second, Some(DateOrder::MonthFirst))),
        (false, true) => Some((second, first, Some(DateOrder::DayFirst))),
        (false, false) => None,
    }
}

/// Years of four digits, of two, and of three from servers that the year 2000 surprised: `103` is 2003.
pub(super) fn any_year(digits: &[u8]) -> Option<u16> {
    match (digits.len(), small(digits)) {
        (2, Some(short @ 70..)) => Some(1900 + u16::from(short)),
        (2, Some(short)) => Some(2000 + u16::from(short)),
        (3, Some(long @ 100..=199)) => Some(1900 + u16::from(long)),
        _ => year(digits),
    }
}

/// `14`, `14.`, `14,`.
pub(super) fn day_number(word: &[u8]) -> Option<u8> {
    let word = word.strip_suffix(b",").unwrap_or(word);
    let word = word.strip_suffix(b".").unwrap_or(word);
    if word.len() > 2 {
        return None;
    }
    small(word).filter(|day| (1..=31).contains(day))
}

/// A date or time in one word.
pub(super) const LONGEST_DATE: usize = 40;
