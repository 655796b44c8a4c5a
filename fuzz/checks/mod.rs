//! What the parsers promise of any bytes whatever, as functions that panic where a promise is broken.
//!
//! The fuzz targets hand them what libFuzzer thinks of, `tests/fuzz_seeds.rs` of ftpfs the seeds.

pub mod addresses;
pub mod encodings;
pub mod features;
pub mod listings;
pub mod machine_listings;
pub mod netrc;
pub mod option_lists;
pub mod replies;
pub mod urls;

use ftpfs::ftp::reply::{Reply, parse_reply};

/// Panics where these bytes break a promise.
pub type Check = fn(&[u8]);

/// All of them, by the names of their targets.
pub const ALL: [(&str, Check); 9] = [
    ("addresses", addresses::check),
    ("encodings", encodings::check),
    ("features", features::check),
    ("listings", listings::check),
    ("machine_listings", machine_listings::check),
    ("netrc", netrc::check),
    ("option_lists", option_lists::check),
    ("replies", replies::check),
    ("urls", urls::check),
];

/// The reply that `bytes` are; None where they are none, or more than one.
fn reply(bytes: &[u8]) -> Option<Reply> {
    let (reply, used) = parse_reply(bytes).ok()??;
    (used == bytes.len()).then_some(reply)
}

/// Whether a text for people can be printed: no control characters, so that it is one line and steers no terminal.
fn is_printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Whether `part` occurs in `text`.
fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Two passwords: no text for people may be another one for the second.
const PASSWORDS: [&str; 2] = ["hunter2", "swordfish"];
