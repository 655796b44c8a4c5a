//! A listing, line by line: what belongs to it, what frames it, and what is of another directory.

use std::borrow::Cow;
use std::ops::ControlFlow;

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
            order: context.told,
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
        if self.style == Some(Style::Vms) && self.listed && vms::is_heading(&whole) {
            self.give_up_begun();
            self.parsed.skip(text, Skip::OtherDirectory);
            return ControlFlow::Break(());
        }
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
            Style::Vms if vms::is_heading(line.text) || vms::is_end(line.text) => Ok(None),
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
    // Negative where it did not fit into 64 bits.
    let sum_text = sum.text.strip_prefix(b"-").unwrap_or(sum.text);
    known && (number(sum_text).is_some() || super::sizes::in_units(sum.text).is_some())
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

#[cfg(test)]
mod tests {
    use super::super::{Reading, parse_list, parse_list_as, shown_at_2026};
    use super::*;

    #[test]
    fn what_frames_a_listing_is_not_reported() {
        let data = "150 Here comes the directory listing.\r\n213-Status follows:\r\ntotal 28\r\n\r\n\
            drwx------    5 503      503          4096 Oct 04 08:12 .\r\n\
            -rw-------    1 503      503          2626 Aug 26 08:39 x\r\n213 End of status\r\n226 Transfer complete\n";
        let parsed = parse_list(data.as_bytes(), 1_795_176_000);
        assert_eq!(super::super::shown(&parsed), ["file 2626 2026-08-26T08:39 0600 x"]);
        assert_eq!(parsed.skipped, []);
        for total in [
            "total 12",
            "TOTAL 0",
            "total 1.5M",
            "insgesamt 4",
            "итого 4",
            "合計 4",
            "총 4",
            "yhteensä 4",
            "total: 4",
            "total -956",
        ] {
            let parsed = parse_list(format!("{total}\n").as_bytes(), 0);
            assert_eq!((parsed.skipped_count, parsed.entries.len()), (0, 0), "{total}");
        }
        for line in ["550 No access", "error 12", "ls: .: Permission denied", "total", "Warning:"] {
            assert!(parse_list(format!("{line}\n").as_bytes(), 0).is_gibberish(), "{line}");
        }
    }

    #[test]
    fn other_directories_are_left_out() {
        let data = ".:\ntotal 68\n-rw-r--r--   1 u g  2384 Feb 26 21:14 a\n\n./sub:\ntotal 5\n-rw-r--r--   1 u g 545 Mar 16 15:47 b\n";
        let parsed = parse_list(data.as_bytes(), 1_795_176_000);
        assert_eq!(super::super::shown(&parsed), ["file 2384 2026-02-26T21:14 0644 a"]);
        assert_eq!((parsed.skipped[0].why, parsed.is_whole()), (Skip::OtherDirectory, true));
        // The first may be empty.
        let empty = "total 0\n\nsub:\ntotal 5\n-rw-r--r--   1 u g 545 Mar 16 15:47 b\n";
        assert_eq!(shown_at_2026(empty), [""; 0]);
    }

    #[test]
    fn a_style_can_be_told() {
        let members = "SAVE04   \n";
        assert_eq!(shown_at_2026(members), [""; 0]);
        let reading = |style| Reading { style: Some(style), now: 1_795_176_000, order: None };
        let parsed = parse_list_as(b"01/02/23  10:00   7 a\n", &reading(Style::Dos));
        assert_eq!(super::super::shown(&parsed), ["file 7 2023-01-02T10:00 - a"]);
        // What is unmistakable is read all the same: servers change, and hints grow old.
        let parsed = parse_list_as(b"-rw-r--r-- 1 u g 7 Jan 22  2001 x\n", &reading(Style::Dos));
        assert_eq!(super::super::shown(&parsed), ["file 7 2001-01-22 0644 x"]);
        assert_eq!(parsed.style, Some(Style::Dos));
    }

    #[test]
    fn machine_listings_are_known_in_a_list() {
        let parsed = parse_list(b"type=cdir;modify=20200101000000; .\r\ntype=file;size=7; x\r\n", 0);
        assert_eq!(
            (super::super::shown(&parsed), parsed.style, parsed.utc),
            (vec!["file 7 - - x".into()], Some(Style::Mlsd), true)
        );
    }

    #[test]
    fn names_alone_are_no_entries() {
        for names in ["a.txt\nb.txt\n", "sub/\nREADME\n", "a 1\nb 2\n", "12\n"] {
            assert_eq!(shown_at_2026(names), [""; 0], "{names}");
        }
    }
}
