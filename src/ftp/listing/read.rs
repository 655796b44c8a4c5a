//! A listing, line by line: what belongs to it, what frames it, and what is of another directory.

use std::borrow::Cow;

use super::super::text::number;
use super::date::{Line, is_blank};
use super::lines::Lines;
use super::style::{guess, parse_line};
use super::{Context, Parsed, Skip, Style, vms};
use crate::remote::Entry;

/// Reads all lines as those of `style`.
pub(super) fn collect(data: &[u8], style: Option<Style>, context: &Context) -> Parsed {
    let mut reader = Reader {
        parsed: Parsed {
            style,
            utc: style.is_some_and(Style::is_utc),
            rough_sizes: style == Some(Style::Vms) || context.unix.in_units,
            ..Parsed::default()
        },
        context,
        style,
        versions: vms::Versions::default(),
        begun: None,
        blank_before: true,
        listed: false,
    };
    for line in Lines::new(data) {
        let (text, why) = match line {
            Ok(line) => (line, None),
            Err((why, line)) => (line, Some(why)),
        };
        if let Some(why) = why {
            reader.parsed.skip(text, why);
        } else if reader.take(text).is_break() {
            break;
        }
    }
    reader.give_up_begun();
    reader.parsed
}

struct Reader<'a> {
    parsed: Parsed,
    context: &'a Context,
    style: Option<Style>,
    versions: vms::Versions,
    /// A name whose line goes on with the next.
    begun: Option<&'a [u8]>,
    blank_before: bool,
    /// Whether entries, or a sum of them, have been seen.
    listed: bool,
}

impl<'a> Reader<'a> {
    /// Takes in the next line; breaks where the rest is of another directory.
    fn take(&mut self, text: &'a [u8]) -> ControlFlow<()> {
        let whole = self.whole(text);
        let line = Line::new(&whole);
        if line.words.is_empty() {
            self.blank_before = true;
            return ControlFlow::Continue(());
        }
        let blank_before = std::mem::replace(&mut self.blank_before, false);
        if self.begins(&line) && self.begun.is_none() {
            self.begun = Some(text);
            return ControlFlow::Continue(());
        }
        self.begun = None;
        match self.read(&line) {
            Ok(Some((entry, version))) => {
                self.listed = true;
                match version {
                    Some(version) => self.versions.add(&mut self.parsed.entries, entry, version),
                    None => self.parsed.entries.push(entry),
                }
            }
            Ok(None) => self.listed |= is_total(&line),
            Err(_) if blank_before && self.listed && is_heading(&line) => {
                self.parsed.skip(text, Skip::OtherDirectory);
                return ControlFlow::Break(());
            }
            Err(_) if is_reply(text) || (self.style.is_some() && is_heading(&line)) => {}
            Err(why) => self.parsed.skip(text, why),
        }
        ControlFlow::Continue(())
    }

    /// The line, with the name in front that the line before it began.
    fn whole(&mut self, text: &'a [u8]) -> Cow<'a, [u8]> {
        let carriage = self.style == Some(Style::Vms) && text.contains(&b'\r');
        if let Some(begun) = self.begun {
            let goes_on = text.first().is_some_and(|b| is_blank(*b) || b.is_ascii_digit());
            if goes_on {
                return [begun, b" ", text].concat().into();
            }
            self.give_up_begun();
        }
        if carriage {
            return text.iter().map(|&b| if b == b'\r' { b' ' } else { b }).collect::<Vec<_>>().into();
        }
        text.into()
    }

    /// Whether the line may be a name whose columns follow on the next.
    fn begins(&self, line: &Line<'_>) -> bool {
        let alone = line.words.len() == 1 && !is_blank(line.text[0]);
        match self.style {
            Some(Style::Vms) => vms::is_name_alone(line) || (alone && line.text.contains(&b'.')),
            Some(Style::Dls) => alone,
            _ => false,
        }
    }

    fn give_up_begun(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.parsed.skip(begun, Skip::NoEntry);
        }
    }

    /// Reads a line in the listing's style, or in its own; with its version where it has one.
    fn read(&self, line: &Line<'_>) -> Result<Option<(Entry, Option<u64>)>, Skip> {
        let (style, context) = (self.style.unwrap_or(Style::Unix), self.context);
        if is_total(line) {
            return Ok(None);
        }
        let own = match style {
            Style::Vms if vms::is_frame(line.text) => Ok(None),
            Style::Vms => vms::parse(line, context).map(|found| found.map(|(entry, version)| (entry, Some(version)))),
            style => parse_line(style, line, context).map(|entry| entry.map(|entry| (entry, None))),
        };
        let Err(Skip::NoEntry) = own else {
            return own;
        };
        // NetWare's and UNIX's parser is one, and single words are names to dls alone.
        match guess(line, context).filter(|other| *other != style && *other != Style::Dls) {
            Some(other) => {
                let plain = Context { now: context.now, ..Context::default() };
                Ok(parse_line(other, line, &plain)?.map(|entry| (entry, None)))
            }
            None => own,
        }
    }
}

/// `total 12`, in the languages of `ls`.
fn is_total(line: &Line<'_>) -> bool {
    let [word, sum] = &line.words[..] else {
        return false;
    };
    let word = word.text.strip_suffix(b":").unwrap_or(word.text);
    let foreign = !word.is_ascii() && word.iter().all(|b| !b.is_ascii() || b.is_ascii_alphabetic());
    let known = foreign || TOTALS.iter().any(|total| word.eq_ignore_ascii_case(total.as_bytes()));
    known && (number(sum.text).is_some() || super::unix::in_units(sum.text).is_some())
}

/// `./sub:`, which begins the listing of a directory.
fn is_heading(line: &Line<'_>) -> bool {
    let text = line.text.trim_ascii();
    text.len() > 1 && text.ends_with(b":") && !text.contains(&b'>') && !is_reply(text)
}

/// `150 Here comes the listing`, `226-`: a line of a session's log. Refusals are not: they are worth telling.
fn is_reply(text: &[u8]) -> bool {
    matches!(text, [b'1' | b'2', b'0'..=b'6', b'0'..=b'9', b' ' | b'-', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_digit))
}

const TOTALS: [&str; 13] = [
    "total",
    "totale",
    "totaal",
    "insgesamt",
    "summa",
    "razem",
    "celkem",
    "toplam",
    "totalt",
    "osszesen",
    "ukupno",
    "suma",
    "gesamt",
];
