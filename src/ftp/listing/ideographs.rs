//! Dates whose numbers have a sign for year, month or day behind them.

use super::date::{Date, Habits, Word, finish};

/// `3月 14日 22:13`, `2月18日 2006年`, `2005년 1월 6일`, and `3月 14 22:13`, in any encoding.
pub(super) fn ideographs(words: &[Word<'_>], habits: Habits, now: i64) -> Option<Date> {
    let (mut year_seen, mut month, mut day) = (None, None, None);
    let mut signs = 0;
    let mut taken = 0;
    for word in words.iter().take(3) {
        let complete = month.is_some() && day.is_some();
        let Some(pairs) = Pairs::read(word.text) else {
            break;
        };
        if complete && (year_seen.is_some() || pairs.len() != 1 || pairs[0].sign == Sign::None) {
            break;
        }
        for pair in pairs {
            signs += usize::from(pair.sign != Sign::None);
            let small = u8::try_from(pair.number).ok();
            match pair.sign {
                Sign::Year => year_seen = Some(pair.number),
                Sign::Month => month = small,
                Sign::Day => day = small,
                _ if pair.number > 31 => year_seen = Some(pair.number),
                Sign::Unknown if month.is_none() => month = small,
                _ if month.is_some() && day.is_none() => day = small,
                _ => return None,
            }
        }
        taken += 1;
    }
    let (month, day) = (month.filter(|month| (1..=12).contains(month))?, day.filter(|day| (1..=31).contains(day))?);
    if signs == 0 {
        return None;
    }
    let found = finish(year_seen, month, day, &words[taken..], habits, now)?;
    Some(Date { words: found.words + taken, ..found })
}

/// What is written behind a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    None,
    Year,
    Month,
    Day,
    /// Bytes of an encoding that is not known, or half a sign.
    Unknown,
}

/// A number and its sign.
#[derive(Clone, Copy, Debug)]
struct Pair {
    number: u16,
    sign: Sign,
}

struct Pairs;

impl Pairs {
    /// `2月18日` as two pairs; None where the word is not made of such.
    fn read(mut word: &[u8]) -> Option<Vec<Pair>> {
        let mut pairs = Vec::new();
        word = word.strip_suffix(b",").unwrap_or(word);
        while !word.is_empty() {
            let len = word.iter().take_while(|b| b.is_ascii_digit()).count();
            if len == 0 || len > 4 || pairs.len() == 3 {
                return None;
            }
            let number = word[..len].iter().fold(0, |sum, b| sum * 10 + u16::from(b - b'0'));
            let (sign, rest) = sign(&word[len..])?;
            pairs.push(Pair { number, sign });
            word = rest;
        }
        Some(pairs)
    }
}

fn sign(rest: &[u8]) -> Option<(Sign, &[u8])> {
    if rest.is_empty() {
        return Some((Sign::None, rest));
    }
    for (bytes, sign) in SIGNS {
        if let Some(rest) = rest.strip_prefix(*bytes) {
            return Some((*sign, rest));
        }
    }
    let len = rest.iter().take_while(|b| **b >= 0x80).count();
    (1..=4).contains(&len).then(|| (Sign::Unknown, &rest[len..]))
}

/// Year, month and day in UTF-8, Shift-JIS, EUC-JP, GBK, Big5 and EUC-KR.
const SIGNS: &[(&[u8], Sign)] = &[
    (b"\xe5\xb9\xb4", Sign::Year),
    (b"\x94\x4e", Sign::Year),
    (b"\xc7\xaf", Sign::Year),
    (b"\xc4\xea", Sign::Year),
    (b"\xa6\x7e", Sign::Year),
    (b"\xeb\x85\x84", Sign::Year),
    (b"\xb3\xe2", Sign::Year),
    (b"\xe6\x9c\x88", Sign::Month),
    (b"\x8c\x8e", Sign::Month),
    (b"\xb7\xee", Sign::Month),
    (b"\xd4\xc2", Sign::Month),
    (b"\xa4\xeb", Sign::Month),
    (b"\xec\x9b\x94", Sign::Month),
    (b"\xbf\xf9", Sign::Month),
    (b"\xe6\x97\xa5", Sign::Day),
    (b"\x93\xfa", Sign::Day),
    (b"\xc6\xfc", Sign::Day),
    (b"\xc8\xd5", Sign::Day),
    (b"\xa4\xe9", Sign::Day),
    (b"\xec\x9d\xbc", Sign::Day),
    (b"\xc0\xcf", Sign::Day),
];
