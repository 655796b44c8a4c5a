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
