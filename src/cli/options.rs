//! The list of `-o`: `ro,uid=1000,fsname=a\,b`. Pure.

use std::ops::Range;

use super::table::{self, Setting};

/// One word of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What stands before the first `=`, with `_` for `-`.
    pub name: Vec<u8>,
    /// What stands after it, without the escapes.
    pub value: Option<Vec<u8>>,
    /// Where the word stands in the list.
    pub range: Range<usize>,
}

/// What a word means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// Change this setting.
    Set(&'static Setting),
    /// Nothing for us: mount(8) and fstab(5) pass it along.
    Ignore,
    /// Nothing, but the user may have expected something.
    Note(&'static str),
}

/// Splits at commas. `\` takes the next character literally, and three octal digits after it are one byte: the rules
/// of libfuse, so that a list which went through `mount.fuse` arrives as it was meant.
pub fn split(list: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut word = Vec::new();
    let mut at = 0;
    while at < list.len() {
        match list[at] {
            b',' => {
                words.extend(take_word(&mut word, start..at));
                start = at + 1;
            }
            b'\\' if at + 1 < list.len() => {
                let (byte, used) = unescape(&list[at + 1..]);
                word.push(byte);
                at += used;
            }
            byte => word.push(byte),
        }
        at += 1;
    }
    words.extend(take_word(&mut word, start..at));
    words
}

/// Finds out what `word` means; `before` are the words before it in the list.
///
/// # Errors
/// A sentence that names the unknown option.
pub(super) fn meaning(word: &Word, before: &[Word]) -> Result<Meaning, String> {
    let name = word.name.as_slice();
    let starts = |prefix: &[u8]| name.starts_with(prefix);
    if starts(b"x_") || starts(b"X_") || (word.value.is_some() && IGNORED_VALUED.iter().any(|n| n.as_bytes() == name)) {
        return Ok(Meaning::Ignore);
    }
    // Only the bare words: `user` is fstab's, `user=bob` is ours.
    if word.value.is_none() {
        if IGNORED.iter().any(|n| n.as_bytes() == name) {
            return Ok(Meaning::Ignore);
        }
        if let Some(noted) = NOTED.iter().find(|n| n.as_bytes() == name) {
            return Ok(Meaning::Note(noted));
        }
    }
    if let Some(setting) = table::find(name) {
        return Ok(Meaning::Set(setting));
    }
    // The rest of a password with a bare comma in it must not be shown.
    if before.iter().any(|w| w.name == b"user" && w.value.as_ref().is_some_and(|v| v.contains(&b':'))) {
        return Err("unknown option after 'user=' (in a password write , as \\,)".into());
    }
    Err(format!("unknown option '{}'", name.escape_ascii()))
}

fn take_word(word: &mut Vec<u8>, range: Range<usize>) -> Option<Word> {
    let text = std::mem::take(word);
    if text.is_empty() {
        return None;
    }
    let (name, value) = match text.iter().position(|&b| b == b'=') {
        Some(at) => (&text[..at], Some(text[at + 1..].to_vec())),
        None => (&text[..], None),
    };
    let name = name.iter().map(|&b| if b == b'-' { b'_' } else { b }).collect();
    Some(Word { name, value, range })
}

/// The byte that an escape stands for and how many bytes follow the backslash.
fn unescape(rest: &[u8]) -> (u8, usize) {
    match rest {
        [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), 3),
        _ => (rest[0], 1),
    }
}

/// Words of mount(8), fstab(5) and their helpers that do not concern a FUSE filesystem.
pub const IGNORED: &[&str] = &[
    "_netdev",
    "async",
    "atime",
    "auto",
    "defaults",
    "diratime",
    "dirsync",
    "group",
    "lazytime",
    "noatime",
    "noauto",
    "nodiratime",
    "nofail",
    "nolazytime",
    "norelatime",
    "nostrictatime",
    "nouser",
    "owner",
    "relatime",
    "strictatime",
    "sync",
    "user",
    "users",
];

/// Words that are ignored together with their value, besides those that begin with `x-`.
pub const IGNORED_VALUED: &[&str] = &["comment", "subtype"];

/// Words of curlftpfs and libfuse that change nothing here, either because it is so anyway or because there is nothing
/// to change.
pub const NOTED: &[&str] = &[
    "big_writes",
    "enable_epsv",
    "hard_remove",
    "intr",
    "kernel_cache",
    "large_read",
    "readdir_ino",
    "tcp_nodelay",
    "use_ino",
    "utf8",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(list: &str) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        split(list.as_bytes()).iter().map(|w| (text(&w.name), w.value.as_deref().map(text))).collect()
    }

    fn word(name: &str, value: Option<&str>) -> (String, Option<String>) {
        (name.into(), value.map(str::to_string))
    }

    #[test]
    fn commas_split_and_backslashes_protect() {
        assert_eq!(words("ro,,max-connections=4,"), [word("ro", None), word("max_connections", Some("4"))]);
        assert_eq!(words(r"user=a:b\,c=d\\,ro"), [word("user", Some(r"a:b,c=d\\")), word("ro", None)]);
        assert_eq!(words(r"fsname=a\040b\,\9"), [word("fsname", Some("a b,9"))]);
        assert_eq!(words(r"a=\"), [word("a", Some(r"\\"))]);
        assert_eq!(words(""), []);
        assert_eq!(words("timeout="), [word("timeout", Some(""))]);
    }

    #[test]
    fn words_of_mount_are_ignored_and_unknown_ones_named() {
        let means = |list: &str| {
            let words = split(list.as_bytes());
            let (last, before) = words.split_last().expect("one word at least");
            meaning(last, before)
        };
        for list in ["noauto", "x-systemd.automount", "x-systemd.idle-timeout=5", "comment=a b", "user", "_netdev"] {
            assert!(matches!(means(list), Ok(Meaning::Ignore)), "{list}");
        }
        assert!(matches!(means("user=bob"), Ok(Meaning::Set(s)) if s.name == "user"));
        assert!(matches!(means("cache_stat_timeout=1"), Ok(Meaning::Set(s)) if s.name == "attr_timeout"));
        assert!(matches!(means("utf8"), Ok(Meaning::Note("utf8"))));
        assert_eq!(means("ro,wibble=7").map(drop), Err("unknown option 'wibble'".into()));
        assert!(means("user=bob:hun,ter2").is_err_and(|e| !e.contains("ter2")));
    }

    proptest! {
        #[test]
        fn no_list_makes_it_panic(list in prop::collection::vec(any::<u8>(), 0..40)) {
            for word in split(&list) {
                prop_assert!(word.range.end <= list.len() && !word.range.is_empty());
            }
        }
    }
}
