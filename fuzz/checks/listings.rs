//! Listings of LIST: whatever a server sends, names are names, and what comes out is not more than what went in.

use ftpfs::ftp::listing::{Parsed, Reading, Style, parse_list, parse_list_as};
use ftpfs::remote::{Entry, Kind};

use super::is_printable;

/// Reads the listing as one of an unknown style, once more with all that the first reading found, and as another style.
pub fn check(data: &[u8]) {
    let parsed = parse_list(data, NOW);
    sane(&parsed, data);
    let found = Reading { style: parsed.style, now: NOW, order: None };
    assert_eq!(parse_list_as(data, &found), parsed, "with the style found");
    let found = Reading { order: parsed.order, ..found };
    assert_eq!(parse_list_as(data, &found), parsed, "with the style and the order found");
    if !data.contains(&b'\r') {
        let lines: Vec<&[u8]> = data.split(|&b| b == b'\n').collect();
        assert_eq!(parse_list(&lines.join(&b"\r\n"[..]), NOW), parsed, "with CR LF");
    }
    for now in [i64::MIN, 0, i64::MAX] {
        sane(&parse_list(data, now), data);
    }
    // Which one, the length decides: all of them would be seven times the work.
    let style = Some(Style::ALL[data.len() % Style::ALL.len()]);
    sane(&parse_list_as(data, &Reading { style, ..found }), data);
}

/// Panics where `parsed` cannot come of a listing `data`.
pub(super) fn sane(parsed: &Parsed, data: &[u8]) {
    let lines = data.split(|&b| b == b'\n' || b == b'\r').count();
    assert!(parsed.entries.len() + parsed.skipped_count <= lines, "{lines} lines");
    assert!(parsed.skipped.len() == parsed.skipped_count.min(100));
    for skipped in &parsed.skipped {
        assert!(is_printable(&skipped.line) && skipped.line.len() < 2_000, "{}", skipped.line);
    }
    parsed.entries.iter().for_each(entry);
    assert!(parsed.entries.iter().map(len).sum::<usize>() <= data.len(), "more bytes of names than in the listing");
    let _ = (parsed.is_whole(), parsed.is_gibberish());
}

/// What the types should make impossible already.
fn entry(entry: &Entry) {
    let name = entry.name.as_bytes();
    assert!(!name.is_empty() && name != b"." && name != b"..");
    assert!(!name.iter().any(|b| b"/\0\r\n".contains(b)), "{:?}", entry.name);
    assert!(entry.meta.mode.is_none_or(|mode| mode <= 0o7777));
    // 0000-01-01 to 9999-12-31.
    let years = -62_167_219_200..=253_402_300_799;
    assert!(entry.meta.mtime.is_none_or(|time| years.contains(&time.secs) && time.nanos < 1_000_000_000));
}

fn len(entry: &Entry) -> usize {
    let target = match &entry.meta.kind {
        Kind::Symlink { target: Some(target) } => target.len(),
        _ => 0,
    };
    entry.name.as_bytes().len() + target
}

/// 2026-11-20 12:00:00.
const NOW: i64 = 1_795_176_000;
