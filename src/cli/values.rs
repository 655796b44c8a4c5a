//! Numbers, times, sizes and masks as people write them. Pure.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The text of a value that has to be UTF-8.
///
/// # Errors
/// A sentence for the user.
pub(super) fn text(value: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(value).map_err(|_| format!("'{}' is not UTF-8", value.escape_ascii()))
}

/// A plain decimal number within `range`.
///
/// # Errors
/// A sentence for the user.
pub(super) fn number<N>(value: &[u8], range: &RangeInclusive<N>) -> Result<N, String>
where
    N: TryFrom<u64> + PartialOrd + Display,
{
    let text = text(value)?;
    digits(text)
        .and_then(|n| N::try_from(n).ok())
        .filter(|n| range.contains(n))
        .ok_or_else(|| format!("'{text}' is not a number from {} to {}", range.start(), range.end()))
}

/// A time: `30`, `30s`, `1.5s`, `500ms`, `2m`, `1h`, `1d`; a bare number means seconds.
///
/// # Errors
/// A sentence for the user.
pub(super) fn duration(value: &[u8], range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let text = text(value)?;
    let found =
        parse_duration(text).ok_or_else(|| format!("'{text}' is not a time such as 30, 30s, 500ms, 2m or 1h"))?;
    if range.contains(&found) {
        Ok(found)
    } else {
        Err(format!("'{text}' is not within {} to {}", show_duration(*range.start()), show_duration(*range.end())))
    }
}

/// A size in bytes: `1048576`, `48M`, `48MiB`, `1G`; the letters K, M, G, T count in 1024.
///
/// # Errors
/// A sentence for the user.
pub(super) fn size(value: &[u8], range: &RangeInclusive<u64>) -> Result<usize, String> {
    let text = text(value)?;
    let found = parse_size(text).ok_or_else(|| format!("'{text}' is not a size such as 48M or 1G"))?;
    usize::try_from(found)
        .ok()
        .filter(|_| range.contains(&found))
        .ok_or_else(|| format!("'{text}' is not within {} to {}", show_size(*range.start()), show_size(*range.end())))
}

/// A permission mask in octal, at most `777`.
///
/// # Errors
/// A sentence for the user.
pub(super) fn mask(value: &[u8]) -> Result<u16, String> {
    let text = text(value)?;
    // from_str_radix would take a sign, too.
    let octal = !text.is_empty() && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    octal
        .then(|| u16::from_str_radix(text, 8).ok())
        .flatten()
        .filter(|&mask| mask <= 0o777)
        .ok_or_else(|| format!("'{text}' is not an octal mask from 000 to 777"))
}

fn digits(text: &str) -> Option<u64> {
    // `u64::from_str` alone would accept "+5".
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn parse_duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (amount, unit) = text.split_at(end);
    // Nanoseconds in one unit: a fraction is then a division, without floating point.
    let unit: u128 = match unit {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok().filter(|&n| n <= 9)?)?;
    let nanos = u128::from(digits_some(whole)?) * unit + u128::from(digits_some(fraction)?) * unit / scale;
    Some(
        Duration::from_secs(u64::try_from(nanos / 1_000_000_000).ok()?)
            + Duration::from_nanos((nanos % 1_000_000_000) as u64),
    )
}

fn digits_some(text: &str) -> Option<u64> {
    if text.is_empty() { None } else { digits(text) }
}

fn show_duration(span: Duration) -> String {
    match span.as_secs() {
        0 => "0".into(),
        secs if secs % 86_400 == 0 => format!("{}d", secs / 86_400),
        secs if secs % 3600 == 0 => format!("{}h", secs / 3600),
        secs if secs % 60 == 0 => format!("{}m", secs / 60),
        secs => format!("{secs}s"),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (amount, unit) = text.split_at(end);
    let unit = unit.to_ascii_uppercase();
    let shift = match unit.trim_end_matches("B").trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits_some(amount)?.checked_mul(1 << shift)
}

fn show_size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 40 => format!("{}T", bytes >> 40),
        bytes if bytes >= 1 << 30 => format!("{}G", bytes >> 30),
        bytes => format!("{}M", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

    #[test]
    fn times_take_units_and_fractions() {
        for (text, millis) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0.5", 500),
            ("0", 0),
        ] {
            assert_eq!(duration(text.as_bytes(), &DAY), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "1x", "-1", "+1", "1.s", ".5", "1e3", "0x10", "1 s", "99999999999999999999d", "2d"] {
            assert!(duration(text.as_bytes(), &DAY).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_count_in_1024() {
        let range = 1..=1 << 40;
        for (text, bytes) in [("1", 1), ("48M", 48 << 20), ("48MiB", 48 << 20), ("48mb", 48 << 20), ("1G", 1 << 30)] {
            assert_eq!(size(text.as_bytes(), &range), Ok(bytes), "{text}");
        }
        for text in ["", "M", "1X", "-1", "1.5M", "0", "2T", "99999999999999999999"] {
            assert!(size(text.as_bytes(), &range).is_err(), "{text}");
        }
    }

    #[test]
    fn masks_are_octal() {
        assert_eq!(mask(b"022"), Ok(0o022));
        assert_eq!(mask(b"0777"), Ok(0o777));
        for text in ["", "8", "1777", "+22", "0o22", "-1"] {
            assert!(mask(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_know_their_range() {
        assert_eq!(number::<usize>(b"8", &(1..=64)), Ok(8));
        assert_eq!(number::<usize>(b"65", &(1..=64)), Err("'65' is not a number from 1 to 64".into()));
        assert!(number::<u32>(b"4294967296", &(0..=u32::MAX)).is_err());
        assert!(number::<u32>(b"", &(0..=u32::MAX)).is_err());
    }
}
