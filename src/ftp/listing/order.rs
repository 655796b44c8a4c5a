//! The order of day, month and year in dates of numbers.

/// What comes first in `01/02/03`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// January 2, 2003: America, and IIS everywhere.
    MonthFirst,
    /// 1 February 2003.
    DayFirst,
    /// 2001, February 3.
    YearFirst,
}

/// Counts what lines can only mean.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    month_first: usize,
    day_first: usize,
    year_first: usize,
}

impl Evidence {
    pub(super) fn add(&mut self, order: Option<DateOrder>) {
        match order {
            Some(DateOrder::MonthFirst) => self.month_first += 1,
            Some(DateOrder::DayFirst) => self.day_first += 1,
            Some(DateOrder::YearFirst) => self.year_first += 1,
            None => {}
        }
    }

    /// The order that all lines allow; None where they contradict each other, or allow any.
    pub(super) fn told(self) -> Option<DateOrder> {
        match (self.month_first, self.day_first, self.year_first) {
            (_, _, 1..) => Some(DateOrder::YearFirst),
            (1.., 0, 0) => Some(DateOrder::MonthFirst),
            (0, 1.., 0) => Some(DateOrder::DayFirst),
            _ => None,
        }
    }
}
