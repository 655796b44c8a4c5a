//! The lists of `-o`: words are what was written, and a list that is refused is refused in one line without passwords.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use ftpfs::cli::credentials::Environment;
use ftpfs::cli::options::{Word, split};
use ftpfs::cli::parse;

use super::{PASSWORD, holds, is_printable};

/// Splits the list, and reads it as part of a command line.
pub fn check(data: &[u8]) {
    let words = split(data);
    let mut end = 0;
    for word in &words {
        assert!(end <= word.range.start && !word.range.is_empty() && word.range.end <= data.len());
        assert!(!word.name.contains(&b'-') && !word.name.contains(&b'='));
        end = word.range.end;
    }
    let again = split(&written_out(&words));
    assert!(again.iter().map(meaning).eq(words.iter().map(meaning)));
    // These would be opened; what is in them is the business of other targets.
    if !data.contains(&0) && !words.iter().any(|word| FILES.iter().any(|name| word.name == name.as_bytes())) {
        command_line(data);
    }
}

fn command_line(list: &[u8]) {
    let secret = [b"user=bob:", PASSWORD.as_bytes(), list].concat();
    let words = ["ftpfs", "ftp://h", "/", "-o"].map(OsString::from).into_iter();
    let args = words.chain([OsString::from_vec(secret)]).collect();
    let Err(failure) = parse(args, &Environment::default(), &mut |_| Ok(String::new())) else {
        return;
    };
    assert!(is_printable(&failure.text), "{:?}", failure.text);
    assert!(holds(list, PASSWORD.as_bytes()) || !failure.text.contains(PASSWORD), "{}", failure.text);
}

fn meaning(word: &Word) -> (&[u8], Option<&[u8]>) {
    (&word.name, word.value.as_deref())
}

/// As mount(8) would pass them on.
fn written_out(words: &[Word]) -> Vec<u8> {
    let mut list = Vec::new();
    for word in words {
        escape(&word.name, &mut list);
        if let Some(value) = &word.value {
            list.push(b'=');
            escape(value, &mut list);
        }
        list.push(b',');
    }
    list
}

fn escape(text: &[u8], list: &mut Vec<u8>) {
    for &byte in text {
        if matches!(byte, b',' | b'\\') {
            list.push(b'\\');
        }
        list.push(byte);
    }
}

const FILES: [&str; 2] = ["credentials", "netrc"];
