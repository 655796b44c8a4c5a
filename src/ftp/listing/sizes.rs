//! Sizes as `ls` prints them.

use super::super::text::number;

/// `12`, `33.5k`, or the end of a device's `8, 1` or `8,1`; the outer None where it is none of these.
pub(super) fn size(word: &[u8]) -> Option<Option<u64>> {
    let last = *word.last()?;
    if last.is_ascii_digit() {
        let (sign, digits) = match word {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let plain = digits.iter().all(u8::is_ascii_digit);
        if plain {
            return Some(number(digits).filter(|_| !sign));
        }
        if let Some(size) = grouped(digits) {
            return Some(Some(size).filter(|_| !sign));
        }
        let device = digits.iter().all(|b| b.is_ascii_digit() || *b == b',') && digits[0].is_ascii_digit();
        return device.then_some(None);
    }
    in_units(word).map(Some)
}

/// `1,234,567`, `1.234.567`: groups of three.
fn grouped(word: &[u8]) -> Option<u64> {
    let mark = *word.iter().find(|b| !b.is_ascii_digit()).filter(|b| matches!(b, b',' | b'.' | b'\''))?;
    let mut groups = word.split(|&b| b == mark);
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()))?;
    number(first)?;
    groups.all(|group| group.len() == 3 && number(group).is_some()).then_some(())?;
    number(&word.iter().copied().filter(|b| *b != mark).collect::<Vec<_>>())
}

/// `33.5k`, `9.0M`, `12KB`, `12B`: a thousand is 1024, what is left of a byte is cut off.
pub(super) fn in_units(word: &[u8]) -> Option<u64> {
    let word = match word.strip_suffix(b"B") {
        Some(bytes) if number(bytes).is_some() => return number(bytes),
        Some(rest) => rest,
        None => word,
    };
    let word = word.strip_suffix(b"i").unwrap_or(word);
    let (&unit, digits) = word.split_last()?;
    let power = match unit.to_ascii_lowercase() {
        b'k' => 1,
        b'm' => 2,
        b'g' => 3,
        b't' => 4,
        b'p' => 5,
        _ => return None,
    };
    let mut parts = digits.split(|b| matches!(b, b'.' | b','));
    let (whole, fraction) = (number(parts.next()?)?, parts.next().unwrap_or(b"0"));
    if parts.next().is_some() || fraction.len() > 3 {
        return None;
    }
    let scale = 1024u64.checked_pow(power)?;
    let ten = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = u128::from(number(fraction)?) * u128::from(scale) / u128::from(ten);
    whole.checked_mul(scale)?.checked_add(u64::try_from(fraction).ok()?)
}

/// The digits at the end of a group's name that leave it no room.
pub(super) fn tail_number(word: &[u8]) -> Option<u64> {
    let at = word.iter().rposition(|b| !b.is_ascii_digit())? + 1;
    number(word.get(at..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let table: &[(&[u8], Option<Option<u64>>)] = &[
            (b"12", Some(Some(12))),
            (b"18446744073709551615", Some(Some(u64::MAX))),
            (b"18446744073709551616", Some(None)),
            (b"-528", Some(None)),
            (b"8,1", Some(None)),
            (b"33.5k", Some(Some(34_304))),
            (b"1,5M", Some(Some(1_572_864))),
            (b"12KB", Some(Some(12_288))),
            (b"1234B", Some(Some(1_234))),
            (b"1,234,567", Some(Some(1_234_567))),
            (b"12.345", Some(Some(12_345))),
            (b"-1,234", Some(None)),
            (b"1,23", Some(None)),
            (b"1234,567", Some(None)),
            (b"1.23", None),
            (b"1.234,567", None),
            (b"2GiB", Some(Some(2 << 30))),
            (b"20000000000000P", None),
            (b"1.2345k", None),
            (b"k", None),
            (b".k", None),
            (b"1.2.3k", None),
            (b"-", None),
            (b",1", None),
            (b"a1", None),
            (b"", None),
        ];
        for (word, want) in table {
            assert_eq!(size(word), *want, "{}", word.escape_ascii());
        }
        assert_eq!(tail_number(b"group12"), Some(12));
        assert_eq!((tail_number(b"group"), tail_number(b"12")), (None, None));
    }
}
