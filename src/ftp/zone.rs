//! The time zone of a server's listings.
//!
//! `LIST` shows the server's wall clock and does not say which zone that is. `MDTM` is UTC (RFC 3659 2.3), so a few files
//! of which both are known tell the offset: [`measure`]. Where the user has named the zone, the same files tell whether
//! `MDTM` is local as well, as vsftpd's is with `use_localtime=YES`: [`is_mdtm_local`]. Without a word of the user that
//! cannot be seen, since both agree then and look like UTC.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::remote::{Precision, Stamp};

/// What is known of a server's zone.
#[derive(Clone, Debug, Default)]
pub enum Zone {
    /// Nothing yet: times of listings are taken for UTC.
    #[default]
    Unknown,
    /// What comparing has shown.
    Measured(Offsets),
    /// What the user says.
    Given(Given),
}

/// A zone that the user has named.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its rules.
    pub zone: TimeZone,
    /// Seconds that the server is ahead of UTC today, if it takes that for all dates, as vsftpd, Pure-FTPd and IIS do;
    /// None where each date has the offset of its own season.
    pub today: Option<i64>,
    /// Whether it does, as far as files have shown.
    pub one_for_all: Option<bool>,
    /// Whether `MDTM` is in it, too; None: not found out yet.
    pub mdtm_local: Option<bool>,
}

/// One file's time as listed, taken for UTC, and as `MDTM` tells it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The time in `LIST`.
    pub listed: Stamp,
    /// Seconds since 1970 in `MDTM`.
    pub told: i64,
}

/// Offsets from UTC, east positive, and the listed times from which on they were seen; at least one.
///
/// Most servers list each file with the offset of its own date, so that half of the year is an hour off. A time is
/// given the offset of the last sample before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets(Vec<(i64, i64)>);

impl Offsets {
    fn at(&self, listed: i64) -> i64 {
        let after = self.0.partition_point(|(from, _)| *from <= listed);
        self.0[after.saturating_sub(1)].1
    }
}

impl fmt::Display for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (_, offset)) in self.0.iter().enumerate() {
            let (sign, minutes) = (if *offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            write!(f, "{}UTC{sign}{:02}:{:02}", if i > 0 { ", " } else { "" }, minutes / 60, minutes % 60)?;
        }
        Ok(())
    }
}

impl Zone {
    /// The UTC of a listed time that was taken for UTC.
    pub fn utc(&self, listed: i64) -> i64 {
        match self {
            Self::Unknown => listed,
            Self::Measured(offsets) => listed.saturating_sub(offsets.at(listed)),
            Self::Given(Given { today: Some(ahead), .. }) => listed.saturating_sub(*ahead),
            Self::Given(Given { zone, .. }) => of_wall_clock(zone, listed).unwrap_or(listed),
        }
    }

    /// The server's wall clock at `now`, taken for UTC.
    pub fn wall_clock(&self, now: i64) -> i64 {
        match self {
            Self::Unknown => now,
            Self::Measured(offsets) => now.saturating_add(offsets.at(i64::MAX)),
            Self::Given(Given { zone, .. }) => now.saturating_add(offset(zone, now)),
        }
    }

    /// What an `MDTM` tells of the moment `utc`, or has to say to set it.
    pub fn to_mdtm(&self, utc: i64) -> i64 {
        match self {
            Self::Given(Given { mdtm_local: Some(true), today: Some(ahead), .. }) => utc.saturating_add(*ahead),
            Self::Given(Given { mdtm_local: Some(true), zone, .. }) => utc.saturating_add(offset(zone, utc)),
            _ => utc,
        }
    }

    /// The UTC of an `MDTM`.
    pub fn mdtm(&self, told: Stamp) -> Stamp {
        match self {
            Self::Given(Given { mdtm_local: Some(true), .. }) => Stamp { secs: self.utc(told.secs), ..told },
            _ => told,
        }
    }
}

/// The offsets that the samples show; None where they show none, as dates without a time of day do.
///
/// Zones are whole quarters of an hour away from UTC. What is not, is a file that has changed between the two questions,
/// or one whose year was left out and guessed wrong.
pub fn measure(samples: &[Sample]) -> Option<Offsets> {
    let mut found: Vec<(i64, i64)> = samples.iter().filter_map(|s| Some((s.listed.secs, difference(s)?))).collect();
    found.sort_unstable();
    let votes = |of: i64| found.iter().filter(|(_, offset)| *offset == of).count();
    // Of two that are as common the one of the newest file.
    let common = found.iter().map(|(_, offset)| *offset).max_by_key(|offset| votes(*offset))?;
    found.retain(|(_, offset)| (offset - common).abs() <= DAYLIGHT);
    found.dedup_by_key(|(_, offset)| *offset);
    Some(Offsets(found))
}

/// Whether the server tells its wall clock by `MDTM`, too, if it is in `zone`; None where the samples do not show it.
pub fn is_mdtm_local(samples: &[Sample], zone: &TimeZone, now: i64) -> Option<bool> {
    let mut balance = 0i32;
    for sample in samples {
        let ahead = [offset(zone, sample.told), offset(zone, now)];
        if ahead.contains(&0) {
            continue;
        }
        let local = fits(sample, 0);
        let utc = ahead.iter().any(|ahead| fits(sample, *ahead));
        balance += i32::from(local) - i32::from(utc);
    }
    (balance != 0).then_some(balance > 0)
}

/// Whether the server tells its wall clock by `MDTM`, if it is in `zone` and `told` is the time of a file that was made
/// at `now`; None where both are the same, or neither fits.
pub fn is_mdtm_of_now_local(told: i64, zone: &TimeZone, now: i64) -> Option<bool> {
    let ahead = offset(zone, now);
    let near = |when: i64| told.abs_diff(when) < QUARTER.unsigned_abs();
    match (near(now), near(now.saturating_add(ahead))) {
        (utc, local) if utc == local => None,
        (_, local) => Some(local),
    }
}

/// Whether the server, if it is in `zone`, lists all dates with the offset of `now`; None where the samples do not show it.
pub fn is_one_for_all(samples: &[Sample], zone: &TimeZone, now: i64) -> Option<bool> {
    let today = offset(zone, now);
    let mut balance = 0i32;
    for sample in samples.iter().filter(|sample| sample.listed.precision != Precision::Day) {
        let then = offset(zone, sample.told);
        if then != today {
            balance += i32::from(fits(sample, today)) - i32::from(fits(sample, then));
        }
    }
    (balance != 0).then_some(balance > 0)
}

/// Whether the listed time is the told one on a clock that is `ahead`.
fn fits(sample: &Sample, ahead: i64) -> bool {
    match sample.listed.precision {
        Precision::Day => sample.told.saturating_add(ahead).div_euclid(DAY) == sample.listed.secs.div_euclid(DAY),
        Precision::Minute | Precision::Second => difference(sample) == Some(ahead),
    }
}

/// How far the listed time is ahead of the told one: quarters of an hour, as far as they go around the earth.
fn difference(sample: &Sample) -> Option<i64> {
    if sample.listed.precision == Precision::Day {
        return None;
    }
    // Listings cut seconds off, and some may round them.
    let ahead = sample.listed.secs.div_euclid(60).checked_sub(sample.told.div_euclid(60))?.checked_mul(60)?;
    let quarters = ahead.checked_add(QUARTER / 2)?.div_euclid(QUARTER) * QUARTER;
    ((ahead - quarters).abs() <= 60 && (WEST..=EAST).contains(&quarters)).then_some(quarters)
}

/// Seconds that `zone` is ahead of UTC at `when`.
pub fn offset(zone: &TimeZone, when: i64) -> i64 {
    Timestamp::from_second(when).map_or(0, |when| zone.to_offset(when).seconds().into())
}

/// The moment when clocks in `zone` show this time: the first one where they show it twice, and where they never do, what
/// a clock that was not changed would show.
fn of_wall_clock(zone: &TimeZone, wall: i64) -> Option<i64> {
    let civil = TimeZone::UTC.to_datetime(Timestamp::from_second(wall).ok()?);
    Some(zone.to_timestamp(civil).ok()?.as_second())
}

const QUARTER: i64 = 15 * 60;
const DAY: i64 = 86_400;
/// The most that clocks are changed between winter and summer.
const DAYLIGHT: i64 = 3_600;
/// Baker Island.
const WEST: i64 = -12 * 3_600;
/// The Line Islands, and an hour for a summer.
const EAST: i64 = 15 * 3_600;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600;
    /// 2026-11-20 12:00:00.
    const NOW: i64 = 1_795_176_000;

    fn sample(told: i64, ahead: i64, precision: Precision) -> Sample {
        let unit = if precision == Precision::Day { DAY } else { 60 };
        let secs = (told + ahead).div_euclid(unit) * unit;
        Sample { listed: Stamp { secs, nanos: 0, precision }, told }
    }

    fn minute(told: i64, ahead: i64) -> Sample {
        sample(told, ahead, Precision::Minute)
    }

    #[test]
    fn zones_of_hours_halves_and_quarters() {
        for ahead in [0, 9 * HOUR, -12_600, 20_700, 14 * HOUR, -11 * HOUR, 45_900] {
            for second in [0, 1, 31, 59] {
                let told = NOW - 100_000 + second;
                let offsets = measure(&[minute(told, ahead)]).expect("one sample is enough");
                assert_eq!(Zone::Measured(offsets).utc(told + ahead), told, "{ahead}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_believed() {
        // A file that was written to in between, one whose year was guessed wrong, and one with a date alone.
        let bad = [
            Sample { told: NOW - 240, ..minute(NOW - 700, 9 * HOUR) },
            minute(NOW, -365 * DAY),
            sample(NOW, 9 * HOUR, Precision::Day),
        ];
        for bad in bad {
            assert_eq!(measure(&[bad]), None, "{bad:?}");
        }
        let good = minute(NOW, 9 * HOUR);
        assert_eq!(measure(&[bad[0], bad[1], good, bad[2]]), Some(Offsets(vec![(NOW + 9 * HOUR, 9 * HOUR)])));
        // One that fits by accident is outvoted.
        assert_eq!(
            measure(&[good, minute(NOW - 50, 3 * HOUR), minute(NOW - 90, 9 * HOUR)]).map(|o| o.at(0)),
            Some(9 * HOUR)
        );
        assert_eq!(measure(&[]), None);
    }

    #[test]
    fn both_halves_of_a_year_with_daylight_saving() {
        // Newfoundland: -2:30 until 1 November 2026, then -3:30.
        let (summer, winter) = (NOW - 60 * DAY, NOW - 5 * DAY);
        let offsets = measure(&[minute(winter, -12_600), minute(summer, -9_000), minute(winter + 77, -12_600)]);
        let zone = Zone::Measured(offsets.expect("it is clear"));
        assert_eq!(zone.utc(winter + DAY - 12_600), winter + DAY);
        assert_eq!(zone.utc(summer + DAY - 9_000), summer + DAY);
        assert_eq!(zone.utc(summer - 90 * DAY - 9_000), summer - 90 * DAY);
        assert_eq!(zone.wall_clock(NOW), NOW - 12_600);
    }

    #[test]
    fn a_given_zone_has_its_own_rules() {
        let zone = TimeZone::get("Europe/Berlin").expect("known");
        let today = Zone::Given(Given { zone: zone.clone(), today: Some(HOUR), one_for_all: None, mdtm_local: None });
        let zone = Zone::Given(Given { zone, today: None, one_for_all: None, mdtm_local: None });
        // 2026-07-01 12:00 and 2026-01-15 12:00.
        assert_eq!(zone.utc(1_782_907_200), 1_782_907_200 - 2 * HOUR);
        assert_eq!(zone.utc(1_768_478_400), 1_768_478_400 - HOUR);
        assert_eq!(today.utc(1_782_907_200), 1_782_907_200 - HOUR, "a server that lives in winter");
        // 2026-03-29 02:30 does not exist, 2026-10-25 02:30 comes twice.
        assert_eq!(zone.utc(1_774_751_400), 1_774_751_400 - HOUR);
        assert_eq!(zone.utc(1_792_895_400), 1_792_895_400 - 2 * HOUR);
        assert_eq!(zone.wall_clock(NOW), NOW + HOUR);
    }

    #[test]
    fn an_mdtm_in_local_time_is_seen_if_the_zone_is_known() {
        let tokyo = TimeZone::get("Asia/Tokyo").expect("known");
        let told = |local: bool, precision| {
            let shift = if local { 9 * HOUR } else { 0 };
            // 12:00 and 20:00 UTC: only the second day differs between UTC and Tokyo.
            [NOW, NOW - 16 * HOUR].map(|time| {
                let sample = sample(time, 9 * HOUR, precision);
                Sample { told: time + shift, ..sample }
            })
        };
        for precision in [Precision::Minute, Precision::Day] {
            assert_eq!(is_mdtm_local(&told(true, precision), &tokyo, NOW), Some(true));
            assert_eq!(is_mdtm_local(&told(false, precision), &tokyo, NOW), Some(false));
        }
        assert_eq!(is_mdtm_local(&told(true, Precision::Minute), &TimeZone::UTC, NOW), None);
        let given = |mdtm_local| Zone::Given(Given { zone: tokyo.clone(), today: None, one_for_all: None, mdtm_local });
        assert_eq!(given(Some(true)).mdtm(Stamp::exact(NOW)), Stamp::exact(NOW - 9 * HOUR));
        assert_eq!(given(Some(false)).mdtm(Stamp::exact(NOW)), Stamp::exact(NOW));
        for local in [None, Some(false), Some(true)] {
            assert_eq!(given(local).mdtm(Stamp::exact(given(local).to_mdtm(NOW))), Stamp::exact(NOW), "{local:?}");
        }
    }

    #[test]
    fn a_new_file_shows_the_clock_of_an_mdtm() {
        let tokyo = TimeZone::get("Asia/Tokyo").expect("known");
        for (told, want) in [(NOW + 3, Some(false)), (NOW - 60 + 9 * HOUR, Some(true)), (NOW + HOUR, None), (0, None)] {
            assert_eq!(is_mdtm_of_now_local(told, &tokyo, NOW), want, "{told}");
        }
        assert_eq!(is_mdtm_of_now_local(NOW, &TimeZone::UTC, NOW), None);
    }

    #[test]
    fn a_server_that_lives_in_one_season_is_seen() {
        let zone = TimeZone::get("America/St_Johns").expect("known");
        let (summer, winter) = (NOW - 60 * DAY, NOW - 5 * DAY);
        let seasons = [minute(summer, -9_000), minute(winter, -12_600)];
        let today = [minute(summer, -12_600), minute(winter, -12_600)];
        assert_eq!(is_one_for_all(&seasons, &zone, NOW), Some(false));
        assert_eq!(is_one_for_all(&today, &zone, NOW), Some(true));
        assert_eq!(is_one_for_all(&today[1..], &zone, NOW), None, "in winter both are the same");
    }

    proptest! {
        #[test]
        fn any_samples_give_an_offset_around_the_earth_or_none(
            samples in prop::collection::vec((any::<i64>(), any::<i64>(), 0usize..3), 0..6),
            listed: i64,
        ) {
            let samples: Vec<_> = samples
                .into_iter()
                .map(|(secs, told, precision)| {
                    let precision = [Precision::Day, Precision::Minute, Precision::Second][precision];
                    Sample { listed: Stamp { secs, nanos: 0, precision }, told }
                })
                .collect();
            is_mdtm_local(&samples, &TimeZone::UTC, listed);
            is_one_for_all(&samples, &TimeZone::UTC, listed);
            if let Some(offsets) = measure(&samples) {
                prop_assert!((WEST..=EAST).contains(&offsets.at(listed)));
                Zone::Measured(offsets).utc(listed);
            }
        }

        #[test]
        fn the_true_offset_wins(quarters in -48i64..=56, ages in prop::collection::vec(0i64..150 * DAY, 1..20)) {
            let samples: Vec<_> = ages.iter().map(|age| minute(NOW - age, quarters * QUARTER)).collect();
            let zone = Zone::Measured(measure(&samples).expect("all agree"));
            for age in ages {
                prop_assert_eq!(zone.utc(NOW - age + quarters * QUARTER), NOW - age);
            }
        }
    }
}
