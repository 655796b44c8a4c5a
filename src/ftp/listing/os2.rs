//! LIST of OS/2's servers: `     0           DIR   12-30-97   12:32  jbrekke`.

use super::super::text::number;
use super::date::{Clock, Line, Triple};
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
