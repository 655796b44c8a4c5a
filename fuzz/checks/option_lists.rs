//! The lists of `-o`: words are what was written, and what is said of a list that is refused tells no password.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use ftpfs::cli::credentials::Environment;
use ftpfs::cli::options::{Word, split};
use ftpfs::cli::parse;

use super::PASSWORDS;

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
    let said = PASSWORDS.map(|secret| {
        let list = [b"user=bob:", secret.as_bytes(), list].concat();
        let words = ["ftpfs", "ftp://h", "/usr", "-o"].map(OsString::from).into_iter();
        let args = words.chain([OsString::from_vec(list)]).collect();
        // Without a place for the spool it would get no further.
        let environment = Environment { cache_home: Some("/var/cache".into()), ..Environment::default() };
        parse(args, &environment, &mut |_| Ok(String::new())).err().map(|failure| failure.text)
    });
    assert_eq!(said[0], said[1]);
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
