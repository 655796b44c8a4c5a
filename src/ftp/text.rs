//! Small tools on bytes that several parsers share.

/// The number that `bytes` spell: ASCII digits and nothing else; None where it does not fit.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |sum, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether `phrase` occurs in `text`, whatever the case of ASCII letters.
pub(super) fn says(text: &[u8], phrase: &str) -> bool {
    text.windows(phrase.len()).any(|part| part.eq_ignore_ascii_case(phrase.as_bytes()))
}

/// For people: UTF-8 as it is, control bytes and broken UTF-8 escaped, cut to about `limit` characters.
pub(super) fn printable(bytes: &[u8], limit: usize) -> String {
    let mut shown = String::new();
    let mut left = limit;
    let mut push = |piece: &mut dyn Iterator<Item = char>| {
        for c in piece {
            shown.push(c);
            left = left.saturating_sub(1);
        }
        left > 0
    };
    let whole = bytes.utf8_chunks().all(|chunk| {
        let valid = chunk.valid().chars().all(|c| match c {
            c if c.is_control() => push(&mut c.escape_default()),
            c => push(&mut std::iter::once(c)),
        });
        valid && push(&mut chunk.invalid().escape_ascii().map(char::from))
    });
    if !whole {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_that_fit() {
        assert_eq!(number(b"0012"), Some(12));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for bad in [&b""[..], b"18446744073709551616", b"+1", b"-1", b" 1", b"1 ", b"1a"] {
            assert_eq!(number(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_is_printed_cannot_steer_a_terminal_or_flood_a_log() {
        assert_eq!(printable(b"a\x1b[2J\xff\xc3\xbc", 300), "a\\u{1b}[2J\\xff\u{fc}");
        assert_eq!(printable(&[b'x'; 1000], 10), "xxxxxxxxxx…");
    }

    #[test]
    fn phrases_are_found_in_any_case() {
        assert!(says(b"550 d: NO SUCH File", "no such file"));
        assert!(!says(b"no", "no such file"));
    }
}
