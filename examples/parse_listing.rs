//! Reads a raw directory listing from standard input and prints one JSON object for each entry.
//!
//! ```sh
//! cargo run --example parse_listing -- --style auto --now 2026-11-20T12:00:00 < listing.txt
//! ```
//!
//! It is for listings that ftpfs misreads: what is sent to us with the command above can be seen, mended and kept as a
//! test. `--style` takes `auto` (the default), `unix`, `dos`, `mlsd` and the others that `--help` names; `--now` is the
//! time on the server's clock, which years that a listing leaves out are completed from (the default is now, in UTC).
//!
//! The keys of an object, in this order:
//!
//! * `name`, or `name_hex` where the bytes are not UTF-8;
//! * `kind`: `file`, `dir`, `symlink` or `other`;
//! * `size` in bytes as listed, also that of a directory or link; null where there is none, and for devices;
//! * `mtime` as listed, without any shift between zones, or null;
//! * `mode` as four octal digits, or null where the style has none;
//! * `target` of a link, or `target_hex`; null where there is none.
//!
//! Lines that are no entries go to standard error, each with the reason. The status is 2 where an argument is wrong.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::{Arg, Command};
use ftpfs::ftp::listing::{Reading, Style, parse_list_as};
use ftpfs::remote::{Entry, Kind, Stamp};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use serde_json::{Map, Value};

fn main() -> ExitCode {
    let arguments = command().get_matches();
    let style = arguments.get_one::<Wanted>("style").copied().unwrap_or(Wanted(None));
    let now = arguments.get_one::<i64>("now").copied().unwrap_or_else(|| Timestamp::now().as_second());
    match run(style, now) {
        // Whoever reads may have seen enough.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("parse_listing: {e}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// `auto` is None.
#[derive(Clone, Copy)]
struct Wanted(Option<Style>);

fn command() -> Command {
    Command::new("parse_listing")
        .about("Prints the entries of a raw FTP listing as JSON")
        .arg(Arg::new("style").long("style").value_name("NAME").value_parser(style).help(style_help()))
        .arg(
            Arg::new("now")
                .long("now")
                .value_name("YYYY-MM-DDTHH:MM:SS")
                .value_parser(time)
                .help("What the server's clock shows; completes dates without a year"),
        )
}

fn style_help() -> String {
    let names = Style::ALL.map(Style::name).join(", ");
    format!("How the listing is written: auto, {names}")
}

fn style(word: &str) -> Result<Wanted, String> {
    match word {
        "auto" => Ok(Wanted(None)),
        word => word
            .parse()
            .map(|style| Wanted(Some(style)))
            .map_err(|e: ftpfs::ftp::listing::ParseStyleError| e.to_string()),
    }
}

fn time(word: &str) -> Result<i64, String> {
    let civil: DateTime = word.parse().map_err(|_| "not a time such as 2026-11-20T12:00:00")?;
    let timestamp = TimeZone::UTC.to_timestamp(civil).map_err(|e| e.to_string())?;
    Ok(timestamp.as_second())
}

fn run(wanted: Wanted, now: i64) -> io::Result<()> {
    let mut data = Vec::new();
    io::stdin().lock().read_to_end(&mut data)?;
    let parsed = parse_list_as(&data, &Reading { style: wanted.0, now, order: None });
    let mut out = io::BufWriter::new(io::stdout().lock());
    for entry in &parsed.entries {
        writeln!(out, "{}", object(entry))?;
    }
    out.flush()?;
    for skipped in &parsed.skipped {
        eprintln!("left out ({}): {}", skipped.why, skipped.line);
    }
    let untold = parsed.skipped_count - parsed.skipped.len();
    if untold > 0 {
        eprintln!("left out {untold} more");
    }
    Ok(())
}

fn object(entry: &Entry) -> Value {
    let meta = &entry.meta;
    let (kind, target) = match &meta.kind {
        Kind::File => ("file", None),
        Kind::Dir => ("dir", None),
        Kind::Symlink { target } => ("symlink", target.as_deref()),
        Kind::Other => ("other", None),
    };
    let mut keys = Map::new();
    keys.extend([text("name", entry.name.as_bytes())]);
    keys.insert("kind".into(), kind.into());
    keys.insert("size".into(), meta.size.into());
    keys.insert("mtime".into(), meta.mtime.and_then(listed).into());
    keys.insert("mode".into(), meta.mode.map(|mode| format!("{mode:04o}")).into());
    keys.extend([target.map_or_else(|| ("target".into(), Value::Null), |target| text("target", target))]);
    Value::Object(keys)
}

/// A key with what `bytes` say, in hexadecimal digits where they are not UTF-8.
fn text(key: &str, bytes: &[u8]) -> (String, Value) {
    match str::from_utf8(bytes) {
        Ok(text) => (key.into(), text.into()),
        Err(_) => (format!("{key}_hex"), bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into()),
    }
}

fn listed(stamp: Stamp) -> Option<String> {
    let civil = TimeZone::UTC.to_datetime(Timestamp::from_second(stamp.secs).ok()?);
    Some(civil.round(Unit::Second).ok()?.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}
