//! EPLF, which D. J. Bernstein drew up to be read by programs: `+i8388621.29609,m824255902,/,\tdev`.
//!
//! Its times are seconds since 1970, UTC; nothing of it has to be guessed.

use super::super::text::number;
use super::{Facts, Skip, entry};
use crate::remote::{Entry, Kind, Stamp};

/// Reads one line.
///
/// # Errors
/// The line is not written so, says neither that it can be read nor that it can be entered, or has no name that can be
/// used.
pub(super) fn parse(line: &[u8]) -> Result<Option<Entry>, Skip> {
    let rest = line.strip_prefix(b"+").ok_or(Skip::NoEntry)?;
    let tab = rest.iter().position(|&b| b == b'\t').ok_or(Skip::NoEntry)?;
    let (written, name) = (&rest[..tab], &rest[tab + 1..]);
    if !written.iter().all(u8::is_ascii_graphic) {
        return Err(Skip::NoEntry);
    }
    let mut facts = Facts::default();
    let mut kind = None;
    for fact in written.split(|&b| b == b',') {
        match fact {
            b"/" => kind = Some(Kind::Dir),
            b"r" => kind = kind.or(Some(Kind::File)),
            [b's', size @ ..] => facts.size = number(size),
            [b'm', secs @ ..] => {
                let secs = number(secs).filter(|secs| *secs < LAST_SECOND);
                facts.mtime = secs.and_then(|secs| i64::try_from(secs).ok()).map(Stamp::exact);
            }
            [b'u', b'p', octal @ ..] => facts.mode = super::mlsd::mode(octal),
            _ => {}
        }
    }
    entry(name, kind.ok_or(Skip::NoType)?, facts)
}

/// The year 9999 ends here.
const LAST_SECOND: u64 = 253_402_300_800;

#[cfg(test)]
mod tests {
    use super::super::shown_at_2026;
    use super::*;

    #[test]
    fn lines_as_servers_send_them() {
        let table = [
            ("+i8388621.48594,m825718503,r,s280,\tdjb.html", "file 280 1996-03-01T22:15:03 - djb.html"),
            ("+i8388621.50690,m824255907,/,\t514", "dir - 1996-02-13T23:58:27 - 514"),
            ("+r,s7,up644\t a\tb ", "file 7 - 0644  a\\tb "),
            ("+/,up1755,\td", "dir - - 1755 d"),
            // Empty facts, and some that are not known.
            ("+,m0,,r,s7,x9,\tf", "file 7 1970-01-01T00:00:00 - f"),
            ("+r,m99999999999999999999,s-1,\tf", "file - - - f"),
        ];
        for (line, want) in table {
            let parsed = super::super::parse_list(line.as_bytes(), 0);
            assert_eq!(super::super::shown(&parsed), [want], "{line}");
            assert!(parsed.utc);
        }
    }

    #[test]
    fn lines_that_are_no_entries() {
        let table: &[(&[u8], Skip)] = &[
            (b"+m825718503,\tuseless", Skip::NoType),
            (b"+\tmystery", Skip::NoType),
            (b"+r,s1234,  no tab", Skip::NoEntry),
            (b"+ r,\tx", Skip::NoEntry),
            (b"+r,\t", Skip::BadName),
            (b"+r,\ta/b", Skip::BadName),
            (b"r,\tx", Skip::NoEntry),
        ];
        for (line, want) in table {
            assert_eq!(parse(line), Err(*want), "{}", line.escape_ascii());
        }
        assert_eq!(parse(b"+/,\t."), Ok(None));
        assert_eq!(shown_at_2026("+/,\t..\n+r,\tx\n"), ["file - - - x"]);
    }
}
