//! Listings of MLSD, and MLST, which has the same lines.

use ftpfs::ftp::listing::mlsd::{parse_mlsd_line, parse_mlst};
use ftpfs::ftp::listing::time::parse_time_val;
use ftpfs::ftp::listing::{Skip, parse_mlsd};

use super::listings::sane;
use super::reply;

/// Reads a listing, and then each of its lines by itself and as the answer to MLST.
pub fn check(data: &[u8]) {
    let parsed = parse_mlsd(data);
    sane(&parsed, data);
    assert!(parsed.utc && parsed.style.is_none());
    for line in data.split(|&b| b == b'\n') {
        one(line.strip_suffix(b"\r").unwrap_or(line));
    }
    let _ = parse_time_val(data);
}

fn one(line: &[u8]) {
    let alone = parse_mlsd_line(line);
    let _ = parse_time_val(line);
    if line.contains(&b'\r') {
        assert!(!matches!(&alone, Ok(Some(entry)) if entry.name.as_bytes().contains(&b'\r')));
        return;
    }
    if !line.starts_with(b"\xef\xbb\xbf") {
        // A line is a listing of one line.
        let listing = parse_mlsd(&[line, b"\r\n"].concat());
        match &alone {
            Ok(entry) => assert_eq!(listing.entries.first(), entry.as_ref()),
            Err(why) => assert!(listing.skipped[0].why == *why || listing.skipped[0].why == Skip::LongLine),
        }
    }
    let told = reply(&[b"250-Listing\r\n ", line, b"\r\n250 End\r\n"].concat()).and_then(|reply| parse_mlst(&reply));
    if let Ok(Some(entry)) = alone {
        assert_eq!(told, Some(entry.meta), "{}", line.escape_ascii());
    }
}
