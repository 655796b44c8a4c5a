//! Times of day in a listing.

use super::date::{LONGEST_DATE, Word};
use super::time::{coarse, small};
use crate::remote::{Precision, Stamp};

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Seconds since midnight; 24:00 is the next day's.
    pub(super) of_day: i64,
    /// Whether it has seconds.
    pub(super) precise: bool,
    /// How many words it takes, with `PM` and the zone.
    pub(super) words: usize,
    /// Whether the half of the day is a word of its own.
    pub(super) half_apart: bool,
}

impl Clock {
    /// Reads `22:13`, `10:13PM`, `10:13 PM`, `22:13:20`, `22:13:20.000000000 +0900`, `22.13`, `9:6`.
    pub(super) fn read(words: &[Word<'_>]) -> Option<Self> {
        Self::read_halved(words, true)
    }

    /// As [`read`](Self::read); where `apart` is not set, `AM` and `PM` behind a blank are not of the time.
    pub(super) fn read_halved(words: &[Word<'_>], apart: bool) -> Option<Self> {
        let first = words.first()?.text;
        if !first.first()?.is_ascii_digit() || first.len() > LONGEST_DATE {
            return None;
        }
        let next = words.get(1).map_or(&b""[..], |word| word.text);
        let first = first.strip_suffix(b",").unwrap_or(first);
        let letters = first.iter().position(u8::is_ascii_alphabetic).unwrap_or(first.len());
        let (digits, glued) = first.split_at(letters);
        let third = words.get(2).map_or(&b""[..], |word| word.text);
        let (hour, minute, second) = parts(digits)?;
        // Behind a time of 24 hours it is a name.
        let apart = apart && glued.is_empty() && (1..=12).contains(&hour);
        let (half, mut words_taken) = match (half_day(glued), half_day(next)) {
            _ if apart && third == b"m." && matches!(next, b"a." | b"p.") => {
                (Some(if next == b"a." { 0 } else { 12 }), 3)
            }
            (Some(half), _) => (Some(half), 1),
            (None, Some(half)) if apart && next.len() > 1 => (Some(half), 2),
            (None, _) if glued.is_empty() || glued == b"Z" => (None, 1),
            _ => return None,
        };
        let half_apart = words_taken > 1;
        let hour = match half {
            None => hour,
            Some(half) if (1..=12).contains(&hour) => hour % 12 + half,
            // `13:05PM` is known, too, but not what it means.
            Some(_) => return None,
        };
        if hour > 24 || (hour == 24 && (minute, second.unwrap_or(0)) != (0, 0)) || minute > 59 || second > Some(60) {
            return None;
        }
        let of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second.unwrap_or(0).min(59));
        // A name must be left where the zone is a word.
        let zone = |word: &Word<'_>| is_zone(word.text) || (is_utc(word.text) && words.len() > words_taken + 1);
        if second.is_some() && words.get(words_taken).is_some_and(zone) {
            words_taken += 1;
        }
        Some(Self { of_day, precise: second.is_some(), words: words_taken, half_apart })
    }

    /// As [`read`](Self::read), also where the half of the day comes first, as in East Asia: `오후 10:13`.
    pub(super) fn read_eastern(words: &[Word<'_>]) -> Option<Self> {
        let first = words.first()?.text;
        let half = |set: &[&[u8]]| set.contains(&first);
        let later = match (half(FORENOON), half(AFTERNOON)) {
            (true, _) => 0,
            (_, true) => 12,
            _ => return Self::read(words),
        };
        let clock = Self::read(&words[1..]).filter(|clock| clock.of_day < 13 * 3_600)?;
        let of_day = clock.of_day % (12 * 3_600) + later * 3_600;
        Some(Self { of_day, words: clock.words + 1, ..clock })
    }

    /// The time on the day that begins at `midnight`.
    pub(super) fn on(&self, midnight: Option<i64>) -> Option<Stamp> {
        self.stamp(midnight.map(|secs| secs + self.of_day))
    }

    pub(super) fn stamp(&self, secs: Option<i64>) -> Option<Stamp> {
        let precision = if self.precise { Precision::Second } else { Precision::Minute };
        coarse(secs, precision)
    }
}

/// Hour, minute and second.
fn parts(digits: &[u8]) -> Option<(u8, u8, Option<u8>)> {
    let mark = *digits.iter().find(|b| !b.is_ascii_digit()).filter(|b| matches!(b, b':' | b'.'))?;
    let mut parts = digits.split(|&b| b == mark);
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next());
    // A minute of one digit is Serv-U's `0:0`; with a full stop it would be a number.
    if hour.len() > 2 || minute.len() > 2 || (mark == b'.' && minute.len() != 2) || (mark == b'.' && second.is_some()) {
        return None;
    }
    let second = match second {
        Some(second) => {
            let whole = second.split(|b| matches!(b, b'.' | b',')).next()?;
            let fraction = &second[whole.len()..];
            if whole.len() > 2 || !fraction.iter().skip(1).all(u8::is_ascii_digit) {
                return None;
            }
            Some(small(whole)?)
        }
        None => None,
    };
    // VMS may add hundredths behind another colon; nothing else may follow.
    if parts.next().is_some() {
        return None;
    }
    Some((small(hour)?, small(minute)?, second))
}

/// Korean, Chinese and Japanese, in UTF-8, EUC-KR, Big5, GBK and Shift-JIS.
const FORENOON: &[&[u8]] = &[
    "오전".as_bytes(),
    "上午".as_bytes(),
    "午前".as_bytes(),
    b"\xbf\xc0\xc0\xfc",
    b"\xa4\x57\xa4\xc8",
    b"\xc9\xcf\xce\xe7",
    b"\x8c\xdf\x91\x4f",
];
const AFTERNOON: &[&[u8]] = &[
    "오후".as_bytes(),
    "下午".as_bytes(),
    "午後".as_bytes(),
    b"\xbf\xc0\xc8\xc4",
    b"\xa4\x55\xa4\xc8",
    b"\xcf\xc2\xce\xe7",
    b"\x8c\xdf\x8c\xe3",
];

fn half_day(word: &[u8]) -> Option<u8> {
    match &word.to_ascii_lowercase()[..] {
        b"am" | b"a" | b"a.m." | b"a.\xc2\xa0m." => Some(0),
        b"pm" | b"p" | b"p.m." | b"p.\xc2\xa0m." => Some(12),
        _ => None,
    }
}

fn is_utc(word: &[u8]) -> bool {
    matches!(word, b"GMT" | b"UTC")
}

/// `+0900`, `-03:30`.
fn is_zone(word: &[u8]) -> bool {
    matches!(word, [b'+' | b'-', rest @ ..] if (4..=5).contains(&rest.len()) && rest.iter().all(|b| b.is_ascii_digit() || *b == b':'))
}

#[cfg(test)]
mod tests {
    use super::super::date::Line;
    use super::*;

    #[test]
    fn odd_times() {
        let clock = |text: &str| Clock::read(&Line::new(text.as_bytes()).words).map(|clock| clock.of_day);
        let table = [
            ("24:00", Some(86_400)),
            ("0:0", Some(0)),
            ("12:30AM", Some(1_800)),
            ("12:30p", Some(45_000)),
            ("10:13 p. m.", Some(79_980)),
            ("10:13 a. m.", Some(36_780)),
            ("9.05", Some(32_700)),
            ("23:59:60", Some(86_399)),
            ("24:01", None),
            ("10:60", None),
            ("13:05PM", None),
            // A half of the day that is none.
            ("13:05 PM", Some(47_100)),
            ("10:5x", None),
            ("1.5", None),
            ("10", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(clock(text), want, "{text}");
        }
    }
}
