//! Listings as servers of many kinds send them, each with what must be read out of it.
//!
//! `listings/NAME.list` is what a server sends, byte by byte: the shape is a real one; names, sizes and dates are
//! invented. `listings/NAME.want` has a line for each entry: kind, size, time, mode, name and a link's target, with tabs
//! between. `-` is none; `\t`, `\\` and `\xHH` stand for bytes. A last line `incomplete` tells that a line of the listing
//! is an entry that cannot be read, or no entry at all. What is misread in the wild is kept here as one more pair.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use ftpfs::ftp::listing::{Parsed, parse_list, parse_mlsd};
use ftpfs::remote::{Entry, Kind};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// 2026-11-20 12:00, which years that are left out are completed from.
const NOW: i64 = 1_795_176_000;

#[test]
fn every_listing_is_read_as_wanted() {
    let mut wrong = String::new();
    for case in cases() {
        let got = report(&parse_list(&case.data, NOW));
        if got != case.want {
            _ = write!(wrong, "\n{}:\n{}", case.name, differences(&case.want, &got));
        }
    }
    assert!(wrong.is_empty(), "misread (- wanted, + got):{wrong}");
}

#[test]
fn lines_for_machines_need_no_guessing() {
    for case in cases().into_iter().filter(|case| case.name.starts_with("mlsd-")) {
        assert_eq!(report(&parse_mlsd(&case.data)), case.want, "{}", case.name);
    }
}

#[test]
fn line_ends_of_either_kind_tell_the_same() {
    for case in cases() {
        let bare: Vec<u8> = case.data.iter().copied().filter(|&b| b != b'\r').collect();
        let crlf: Vec<u8> = bare.iter().flat_map(|&b| if b == b'\n' { vec![b'\r', b'\n'] } else { vec![b] }).collect();
        let (bare, crlf) = (report(&parse_list(&bare, NOW)), report(&parse_list(&crlf, NOW)));
        assert_eq!(bare, crlf, "{}", case.name);
    }
}

/// A transfer may break off anywhere: what is read of the beginning is nothing that the whole has not, but for the last
/// line.
#[test]
fn a_listing_cut_short_makes_up_no_entries() {
    // Its years and names are told apart by all lines together.
    let told_by_all = "unix-time-and-year-in-every-line";
    for case in cases().into_iter().filter(|case| case.name != told_by_all) {
        let whole: BTreeSet<String> = parse_list(&case.data, NOW).entries.iter().map(name).collect();
        for end in 0..case.data.len() {
            let mut names: Vec<String> = parse_list(&case.data[..end], NOW).entries.iter().map(name).collect();
            names.pop();
            let strange = names.iter().find(|name| !whole.contains(*name));
            assert_eq!(strange, None, "{} cut after {end} bytes", case.name);
        }
    }
}

struct Case {
    name: String,
    data: Vec<u8>,
    want: String,
}

fn cases() -> Vec<Case> {
    let dir = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/listings"));
    let files = fs::read_dir(&dir).expect("tests/listings");
    let lists =
        files.map(|file| file.expect("an entry").path()).filter(|path| path.extension() == Some("list".as_ref()));
    let mut cases: Vec<Case> = lists
        .map(|path| Case {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            data: fs::read(&path).expect("a listing"),
            want: fs::read_to_string(path.with_extension("want")).expect("what is wanted of the listing"),
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty());
    cases
}

fn report(parsed: &Parsed) -> String {
    let mut text: String = parsed.entries.iter().map(|entry| line(entry) + "\n").collect();
    if !parsed.is_whole() {
        text.push_str("incomplete\n");
    }
    text
}

fn line(entry: &Entry) -> String {
    let meta = &entry.meta;
    let (kind, target) = match &meta.kind {
        Kind::File => ("file", None),
        Kind::Dir => ("dir", None),
        Kind::Symlink { target } => ("link", target.as_deref()),
        Kind::Other => ("other", None),
    };
    let size = meta.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let time = meta.mtime.map_or_else(|| "-".to_owned(), |stamp| civil(stamp.secs));
    let mode = meta.mode.map_or_else(|| "-".to_owned(), |mode| format!("{mode:04o}"));
    let target = target.map_or_else(String::new, |target| format!("\t{}", escaped(target)));
    format!("{kind}\t{size}\t{time}\t{mode}\t{}{target}", name(entry))
}

fn name(entry: &Entry) -> String {
    escaped(entry.name.as_bytes())
}

fn civil(secs: i64) -> String {
    let timestamp = Timestamp::from_second(secs).expect("a time of a listing");
    TimeZone::UTC.to_datetime(timestamp).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str(r"\\"),
                '\t' => text.push_str(r"\t"),
                // Blanks that are seen as such, or not at all.
                c if c != ' ' && (c.is_whitespace() || c.is_control()) => {
                    c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| _ = write!(text, r"\x{b:02x}"));
                }
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|b| _ = write!(text, r"\x{b:02x}"));
    }
    text
}

/// The lines of either that the other has not.
fn differences(want: &str, got: &str) -> String {
    let lost = want.lines().filter(|line| !got.lines().any(|other| other == *line)).map(|line| format!("- {line}\n"));
    let found = got.lines().filter(|line| !want.lines().any(|other| other == *line)).map(|line| format!("+ {line}\n"));
    let text: String = lost.chain(found).collect();
    if text.is_empty() { "the entries are in another order\n".to_owned() } else { text }
}
