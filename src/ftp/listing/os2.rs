//! LIST of OS/2's servers: `     0           DIR   12-30-97   12:32  jbrekke`.

use super::super::text::number;
use super::clock::Clock;
use super::date::{Line, Triple};
use super::time::midnight;
use super::unix::skip_blanks;
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind};

/// Reads one line: size, attributes, date and time, name.
///
/// # Errors
/// The line is not made so, or has no name that can be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    let size = number(line.word(0)).ok_or(Skip::NoEntry)?;
    let attributes = line.words.iter().skip(1).take(4).take_while(|word| is_attributes(word.text)).count();
    let at = 1 + attributes;
    let word = line.word(at);
    let numeric = word.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'/' | b'.'));
    let Some((Triple::Full(year, month, day), _)) = Triple::read(word, context.habits).filter(|_| numeric) else {
        return Err(Skip::NoEntry);
    };
    let clock = Clock::read(line.words.get(at + 1..).unwrap_or_default()).ok_or(Skip::NoEntry)?;
    let name = skip_blanks(line.after(at + clock.words));
    let is_dir = line.words[1..at].iter().any(|word| word.text == b"DIR");
    let facts = Facts { size: Some(size), mtime: clock.on(midnight((year, month, day))), mode: None };
    entry(name, if is_dir { Kind::Dir } else { Kind::File }, facts)
}

fn is_attributes(word: &[u8]) -> bool {
    word == b"DIR" || (word.len() <= 5 && word.iter().all(|b| b"RASHE-".contains(b)))
}

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;

    #[test]
    fn lines_as_servers_send_them() {
        let table = [
            ("     0           DIR   11-28-97   09:42  PC", "dir 0 1997-11-28T09:42 - PC"),
            ("587823    RSA    DIR   01-08-97   13:58  K N", "dir 587823 1997-01-08T13:58 - K N"),
            (" 33280      A          02-09-97   13:49  OS2LDR", "file 33280 1997-02-09T13:49 - OS2LDR"),
            ("            310992                 06-28-94   09:56  I.EXE", "file 310992 1994-06-28T09:56 - I.EXE"),
            // Servers that the year 2000 surprised.
            ("36611      A    04-23-103  10:57  a b", "file 36611 2003-04-23T10:57 - a b"),
            (" 1123 DIR  A    10-05-100  23:38  d", "dir 1123 2000-10-05T23:38 - d"),
            ("0 DIR 02-05-2019  12:56  local", "dir 0 2019-02-05T12:56 - local"),
        ];
        for (line, want) in table {
            assert_eq!(shown_at_2026(line), [want], "{line}");
        }
        for line in [
            "     0           dir   05-12-97   16:44  L",
            "     0           DIR   13-05-97   25:49  M",
            "0 DIR 11-02 05:32 N",
        ] {
            assert_eq!(shown_at_2026(line), [""; 0], "{line}");
        }
    }
}
