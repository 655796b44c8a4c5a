//! LIST of OpenVMS: `CII-MANUAL.TEX;1  213/216  29-JAN-1996 03:33:12  [ANONYMOU,ANONYMOUS]   (RWED,RWED,,)`.
//!
//! A name too long for its column stands alone, with the rest on the next line. Sizes are blocks of 512 bytes, used and
//! allocated. Of several versions of a file the highest is what its plain name opens, so the others are left out and the
//! name is given without version; a directory `D.DIR;1` is entered as `D`.

use std::collections::HashMap;

use super::super::text::{number, says};
use super::date::{Clock, Line, Triple, is_blank};
use super::time::midnight;
use super::unix::in_units;
use super::{Context, Facts, Skip, entry};
use crate::remote::{Entry, Kind, Precision};

/// Reads one line, both parts of a long one joined: the entry with its version.
///
/// # Errors
/// The line is not made so, the server may not look at the file, or its name cannot be used.
pub(super) fn parse(line: &Line<'_>, context: &Context) -> Result<Option<(Entry, u64)>, Skip> {
    let first = line.word(0);
    // `DISK:[DIR]NAME;1`.
    let first = first.iter().rposition(|&b| b == b']').map_or(first, |at| &first[at + 1..]);
    let (name, version) =
        split_version(first).or_else(|| first.contains(&b'.').then_some((first, 0))).ok_or(Skip::NoEntry)?;
    let rest = line.words.get(1..).unwrap_or_default();
    if is_complaint(line.after(0)) {
        return Err(Skip::Unreadable);
    }
    let (at, date) = rest
        .iter()
        .take(4)
        .enumerate()
        .find_map(|(at, word)| Some((at, named_day(word.text, context)?)))
        .ok_or(Skip::NoEntry)?;
    let clock = Clock::read(&rest[at + 1..]);
    let mtime = match clock {
        Some(clock) => clock.on(midnight(date)),
        None => super::time::coarse(midnight(date), Precision::Day),
    };
    let behind = at + 1 + clock.map_or(0, |clock| clock.words);
    let before = rest[..at].iter().find_map(|word| size(word.text));
    let size = before.or_else(|| size(rest.get(behind)?.text)).ok_or(Skip::NoEntry)?;
    let facts = Facts { size, mtime, mode: None };
    let directory = name.len().checked_sub(4).filter(|at| name[*at..].eq_ignore_ascii_case(b".DIR"));
    let entry = match directory {
        Some(at) => entry(&name[..at], Kind::Dir, facts)?,
        None => entry(name, Kind::File, facts)?,
    };
    Ok(entry.map(|entry| (entry, version)))
}

/// `NAME.EXT;12` alone on its line: the rest follows.
pub(super) fn is_name_alone(line: &Line<'_>) -> bool {
    line.words.len() == 1 && !is_blank(line.text[0]) && split_version(line.word(0)).is_some()
}

/// The head of a listing, or the sum at its end.
pub(super) fn is_frame(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.starts_with(b"Directory ")
        || line.starts_with(b"Total of ")
        || line.starts_with(b"Grand total")
        || (line.starts_with(b"Total ") && line.ends_with(b"files"))
        || line.ends_with(b"]") && line.contains(&b'[') && !line.contains(&b' ')
        || line.ends_with(b":") && !line.contains(&b' ')
}

/// Keeps of each name the highest version, where its first one stood.
#[derive(Debug, Default)]
pub(super) struct Versions {
    seen: HashMap<Vec<u8>, (usize, u64)>,
}

impl Versions {
    pub(super) fn add(&mut self, entries: &mut Vec<Entry>, entry: Entry, version: u64) {
        match self.seen.get_mut(entry.name.as_bytes()) {
            Some((at, highest)) => {
                if version > *highest {
                    *highest = version;
                    entries[*at] = entry;
                }
            }
            None => {
                self.seen.insert(entry.name.as_bytes().to_vec(), (entries.len(), version));
                entries.push(entry);
            }
        }
    }
}

/// Name and version of `NAME.EXT;12`.
fn split_version(word: &[u8]) -> Option<(&[u8], u64)> {
    let at = word.iter().rposition(|&b| b == b';')?;
    Some((&word[..at], number(&word[at + 1..])?)).filter(|(name, _)| !name.is_empty())
}

/// `29-JAN-1996`.
fn named_day(word: &[u8], context: &Context) -> Option<(u16, u8, u8)> {
    let named = word.iter().any(u8::is_ascii_alphabetic) && word.first().is_some_and(u8::is_ascii_digit);
    match Triple::read(word, context.habits).filter(|_| named)? {
        (Triple::Full(year, month, day), _) => Some((year, month, day)),
        (Triple::Short(..), _) => None,
    }
}

/// `213/216`, `213`, `2KB`, `******`; the outer None where it is none of these.
///
/// What fits into the blocks behind the slash only as bytes is bytes (MultiNet).
fn size(word: &[u8]) -> Option<Option<u64>> {
    if !word.is_empty() && word.iter().all(|b| *b == b'*') {
        return Some(None);
    }
    if let Some(bytes) = in_units(word) {
        return Some(Some(bytes));
    }
    let mut parts = word.split(|&b| b == b'/');
    let used = number(parts.next()?)?;
    let allocated = match parts.next() {
        Some(digits) => Some(number(digits)?),
        None => None,
    };
    if parts.next().is_some() {
        return None;
    }
    let in_bytes = allocated.is_some_and(|blocks| used > blocks && used <= blocks.saturating_mul(BLOCK));
    Some(if in_bytes { Some(used) } else { used.checked_mul(BLOCK) })
}

fn is_complaint(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    rest.starts_with(b"%")
        || rest.starts_with(b"<%")
        || says(rest, "protection violation")
        || says(rest, "insufficient privilege")
}

const BLOCK: u64 = 512;
