//! Dates: the calendar of listings and of MDTM becomes seconds since 1970.
//!
//! All times are taken for UTC. MLSD and MDTM promise that (RFC 3659 2.3); LIST does not, and what its zone is must be
//! found out by comparing.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::reply::Reply;
use super::super::text::number;
use crate::remote::{Precision, Stamp};

/// Seconds since 1970 of a date and time; None where there is no such date.
///
/// The second 60 of RFC 3659's leap seconds becomes 59.
pub fn seconds((year, month, day): (u16, u8, u8), (hour, minute, second): (u8, u8, u8)) -> Option<i64> {
    let small = |value: u8| i8::try_from(value).ok();
    let second = if second == 60 { 59 } else { second };
    let (month, day) = (small(month)?, small(day)?);
    let (hour, minute, second) = (small(hour)?, small(minute)?, small(second)?);
    let civil = DateTime::new(i16::try_from(year).ok()?, month, day, hour, minute, second, 0).ok()?;
    Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_second())
}

/// Seconds since 1970 of a date without a year: the latest such date that is not more than a day after `now`.
///
/// `ls` leaves the year out for the last six months, and a server east of here may be most of a day ahead. ProFTPD,
/// Pure-FTPd, pyftpdlib and inetutils also leave it out for all of the future; such a file seems to be up to a year old
/// here, as it does to every FTP client. It is not told from servers that leave the year out for all of the current one,
/// which are more common than files from the future.
///
/// The year that a file was given once stays: it moves only for a file from the future, on the day before the date that
/// it bears. What also changes is the server's own doing: once a file is six months old, `ls` prints its year in place
/// of its time, and so a time that was known to the minute is known to the day.
pub fn seconds_without_year(date: (u8, u8), (hour, minute): (u8, u8), now: i64) -> Option<i64> {
    without_year(date, i64::from(hour) * 3_600 + i64::from(minute) * 60, now)
}

/// As [`seconds_without_year`], with the time in seconds since midnight.
pub(super) fn without_year((month, day): (u8, u8), of_day: i64, now: i64) -> Option<i64> {
    let this_year = TimeZone::UTC.to_datetime(Timestamp::from_second(now).ok()?).year();
    // Nine years: 29 February is missing for eight years around 1900 and 2100.
    (0..=9)
        .filter_map(|back| u16::try_from(this_year + 1 - back).ok())
        .filter_map(|year| Some(midnight((year, month, day))? + of_day))
        .find(|&secs| secs <= now + DAY)
}

/// Seconds since 1970 of the beginning of a day; None where there is no such day.
pub(super) fn midnight(date: (u16, u8, u8)) -> Option<i64> {
    seconds(date, (0, 0, 0))
}

/// The time-val of RFC 3659 2.3: `YYYYMMDDHHMMSS[.sss]`, UTC.
///
/// Also the year 2000 bug of old servers, which put "19" before the years since 1900: `19103…` is 2003; and a `Z`
/// behind it, which says no more than the RFC does.
pub fn parse_time_val(bytes: &[u8]) -> Option<Stamp> {
    let bytes = bytes.strip_suffix(b"Z").unwrap_or(bytes);
    let point = bytes.iter().position(|&b| b == b'.').unwrap_or(bytes.len());
    let (whole, fraction) = bytes.split_at(point);
    let (year, rest) = match whole.len() {
        14 => (number(&whole[..4])?, &whole[4..]),
        15 if whole.starts_with(b"191") => (1900 + number(&whole[2..5])?, &whole[5..]),
        _ => return None,
    };
    let two = |at: usize| u8::try_from(number(&rest[at..at + 2])?).ok();
    let date = (u16::try_from(year).ok()?, two(0)?, two(2)?);
    let secs = seconds(date, (two(4)?, two(6)?, two(8)?))?;
    let nanos = match fraction {
        [] => 0,
        [_, digits @ ..] => nanos(digits)?,
    };
    Some(Stamp { nanos, ..Stamp::exact(secs) })
}

/// The digits after the point; what is finer than nanoseconds is cut off.
fn nanos(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
    Some(padded.fold(0, |sum, b| sum * 10 + u32::from(b - b'0')))
}

/// The time in the answer to MDTM.
pub fn parse_mdtm(reply: &Reply) -> Option<Stamp> {
    parse_time_val(status(reply)?)
}

/// The bytes in the answer to SIZE.
pub fn parse_size(reply: &Reply) -> Option<u64> {
    number(status(reply)?)
}

/// The last line of a 213.
fn status(reply: &Reply) -> Option<&[u8]> {
    let line = reply.lines.last().filter(|_| reply.code.get() == 213)?;
    Some(line.trim_ascii())
}

/// A number that fits into a byte.
pub(super) fn small(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits)?).ok()
}

/// A year of four digits.
pub(super) fn year(digits: &[u8]) -> Option<u16> {
    if digits.len() == 4 { u16::try_from(number(digits)?).ok() } else { None }
}

/// A time that a listing gives to the minute or to the day.
pub(super) fn coarse(secs: Option<i64>, precision: Precision) -> Option<Stamp> {
    secs.map(|secs| Stamp { secs, nanos: 0, precision })
}

const DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::reply::parse_reply;
    use super::*;

    fn reply(line: &str) -> Reply {
        parse_reply(format!("{line}\r\n").as_bytes()).expect("a reply").expect("whole").0
    }

    fn at(year: u16, month: u8, day: u8, hour: u8, minute: u8) -> i64 {
        seconds((year, month, day), (hour, minute, 0)).expect("a date")
    }

    #[test]
    fn time_vals() {
        let stamp = |secs, nanos| Some(Stamp { nanos, ..Stamp::exact(secs) });
        let table: &[(&[u8], Option<Stamp>)] = &[
            (b"20231114221320", stamp(1_700_000_000, 0)),
            (b"20231114221320.5", stamp(1_700_000_000, 500_000_000)),
            (b"20231114221320.1234567899", stamp(1_700_000_000, 123_456_789)),
            (b"19700101000000", stamp(0, 0)),
            (b"19691231235959", stamp(-1, 0)),
            (b"20161231235960", stamp(1_483_228_799, 0)),
            (b"20231114221320Z", stamp(1_700_000_000, 0)),
            // 2003-01-02 03:04:05 with the year 2000 bug.
            (b"191030102030405", stamp(1_041_476_645, 0)),
            (b"20230230000000", None),
            (b"20231114241320", None),
            (b"20231114221361", None),
            (b"2023111422132", None),
            (b"202311142213200", None),
            (b"20231114221320.", None),
            (b"20231114221320.x", None),
            (b"+0231114221320", None),
            (b"", None),
        ];
        for (bytes, want) in table {
            assert_eq!(parse_time_val(bytes), *want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn answers_to_mdtm_and_size() {
        assert_eq!(parse_mdtm(&reply("213 20231114221320")), Some(Stamp::exact(1_700_000_000)));
        assert_eq!(parse_mdtm(&reply("213 File modification time set.")), None);
        assert_eq!(parse_mdtm(&reply("550 20231114221320")), None);
        assert_eq!(parse_size(&reply("213 6442450944 ")), Some(6_442_450_944));
        assert_eq!(parse_size(&reply("213-Status\r\n213 12")), Some(12));
        assert_eq!(parse_size(&reply("213 -1")), None);
        assert_eq!(parse_size(&reply("550 12")), None);
    }

    #[test]
    fn the_missing_year_is_the_last_one_that_fits() {
        let now = at(2024, 1, 10, 12, 0);
        let table = [
            ((1, 10), (12, 0), at(2024, 1, 10, 12, 0)),
            ((12, 20), (15, 23), at(2023, 12, 20, 15, 23)),
            // A server east of here, where it is already tomorrow; not the day after.
            ((1, 11), (11, 59), at(2024, 1, 11, 11, 59)),
            ((1, 12), (0, 0), at(2023, 1, 12, 0, 0)),
            ((2, 29), (0, 0), at(2020, 2, 29, 0, 0)),
        ];
        for (date, time, want) in table {
            assert_eq!(seconds_without_year(date, time, now), Some(want), "{date:?}");
        }
        // On New Year's Eve, tomorrow is next year.
        assert_eq!(seconds_without_year((1, 1), (3, 0), at(2023, 12, 31, 20, 0)), Some(at(2024, 1, 1, 3, 0)));
        assert_eq!(seconds_without_year((2, 30), (0, 0), now), None);
        assert_eq!(seconds_without_year((1, 1), (0, 0), i64::MAX), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_time_or_none(bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::string::bytes_regex("[0-9]{13,16}[.]?[0-9]{0,12}").expect("a regex"),
        ]) {
            let nanos = parse_time_val(&bytes).map_or(0, |stamp| stamp.nanos);
            prop_assert!(nanos < 1_000_000_000);
        }

        #[test]
        fn a_recent_time_without_its_year_comes_back(now in 0i64..4_000_000_000, age in -1_000i64..180 * 1_440) {
            let secs = (now / 60 - age) * 60;
            let civil = TimeZone::UTC.to_datetime(Timestamp::from_second(secs).expect("in range"));
            let byte = |value: i8| u8::try_from(value).expect("positive");
            let date = (byte(civil.month()), byte(civil.day()));
            let time = (byte(civil.hour()), byte(civil.minute()));
            prop_assert_eq!(seconds_without_year(date, time, now), Some(secs));
        }
    }
}
