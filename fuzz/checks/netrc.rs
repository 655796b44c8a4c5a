//! The `.netrc` file: its errors are sentences of ours, and what it says survives being written out.

use ftpfs::base::Secret;
use ftpfs::cli::netrc::{Entry, find, parse};

use super::PASSWORDS;

/// Parses the bytes, writes out what they say, and parses that.
pub fn check(data: &[u8]) {
    let entries = match parse(data) {
        Ok(entries) => entries,
        Err(error) => return one_of_ours(&error),
    };
    assert!(entries.iter().map(len).sum::<usize>() <= data.len());
    assert_eq!(parse(&written_out(&entries)).as_ref(), Ok(&entries));
    for entry in &entries {
        look_up(&entries, entry);
    }
    let shown = PASSWORDS.map(|secret| {
        let hide = |entry: &Entry| Entry { password: Some(Secret::new(secret.into())), ..entry.clone() };
        format!("{:?}", entries.iter().map(hide).collect::<Vec<_>>())
    });
    assert_eq!(shown[0], shown[1]);
}

/// So that no word of the file can be in it.
fn one_of_ours(error: &str) {
    let (number, sentence) = error.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).expect("a line");
    assert!(number.parse::<usize>().is_ok_and(|number| number > 0), "{error}");
    assert!(SENTENCES.contains(&sentence), "{error}");
}

/// An entry that is found is of this host, or of any.
fn look_up(entries: &[Entry], entry: &Entry) {
    let host = entry.machine.as_deref().map_or("elsewhere".into(), String::from_utf8_lossy);
    for user in [None, entry.login.as_deref(), Some(&b"somebody"[..])] {
        let Some(found) = find(entries, &host, user) else {
            continue;
        };
        assert!(found.machine.as_ref().is_none_or(|machine| machine.eq_ignore_ascii_case(host.as_bytes())));
        assert!(found.login.is_some() || user.is_some());
        assert!(user.is_none() || found.login.is_none() || found.login.as_deref() == user);
    }
}

fn written_out(entries: &[Entry]) -> Vec<u8> {
    let mut text = Vec::new();
    for entry in entries {
        match &entry.machine {
            Some(machine) => word(&mut text, "machine", machine),
            None => text.extend_from_slice(b"default\n"),
        }
        if let Some(login) = &entry.login {
            word(&mut text, "login", login);
        }
        if let Some(password) = &entry.password {
            word(&mut text, "password", password.reveal());
        }
    }
    text
}

fn word(text: &mut Vec<u8>, keyword: &str, value: &[u8]) {
    text.extend_from_slice(keyword.as_bytes());
    text.extend_from_slice(b" \"");
    for &byte in value {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            byte => text.push(byte),
        }
    }
    text.extend_from_slice(b"\"\n");
}

fn len(entry: &Entry) -> usize {
    let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    of(&entry.machine) + of(&entry.login) + entry.password.as_ref().map_or(0, |password| password.reveal().len())
}

const SENTENCES: [&str; 7] = [
    "nothing follows 'machine'",
    "nothing follows 'login'",
    "nothing follows 'password'",
    "nothing follows 'account'",
    "'login' stands before the first 'machine'",
    "'password' stands before the first 'machine'",
    "the closing quote is missing",
];
