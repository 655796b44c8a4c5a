//! Files that are named like what servers say.

use proptest::prelude::*;

use super::super::reply::parse_reply;
use super::ErrorKind::*;
use super::*;

fn reply(line: &str) -> Reply {
    parse_reply(format!("{line}\r\n").as_bytes()).expect("a reply").expect("whole").0
}

#[test]
fn a_file_named_like_an_error_does_not_decide() {
    let about = |path: &str, line: &str| classify("RETR", &reply(line), path.as_bytes());
    let asked = |path: &str, line: &str| assert!(matches!(about(path, line), Verdict::Ask(_)), "{path}: {line}");
    asked("/d/No such file", "550 /d/No such file: Permission denied");
    asked("/d/No such file", "550 No such file: Permission denied");
    asked("/d/No such file", "550 Can't open 'no such FILE'");
    // In the directory's name.
    asked("/is a directory/x", "550 /is a directory/x: not found");
    asked("/No such file or directory/x", "550 No such file or directory");
    // The server's whole sentence.
    asked("/550 x: No such file or directory", "550 550 x: No such file or directory: Failed to open file.");
    // In another spelling: quotes doubled, control bytes replaced, Telnet codes cut out, blanks collapsed.
    asked("/no\"such\"file", "550 \"/no\"\"such\"\"file\": failed");
    asked("/no\tsuch_file", "550 /no such file: failed");
    asked("/no \u{1}such file", "550 /no such file: failed");
    asked("/no  such  file", "550 no such file: failed");
    assert_eq!(about("/d/No such file", "550 Permission denied."), Verdict::Sure(Denied));
    assert_eq!(about("/denied", "550 denied: No such file or directory"), Verdict::Sure(NotFound));
    assert_eq!(about("/quota", "550 quota: No such file or directory"), about("/x", "550 quota: not exist"));
    assert_eq!(about("/quota", "552 quota: sorry"), Verdict::Sure(NoSpace));
    // A short name must not spoil the words either.
    assert_eq!(about("/file", "550 file: No such file or directory"), Verdict::Sure(NotFound));
}

#[test]
fn a_crowd_is_none_where_the_file_is_named_so() {
    let line = reply("530 /too many/f: Sorry");
    assert_eq!(classify("RETR", &line, b"/too many/f"), Verdict::Sure(Denied));
}

/// What a server does to a path on its way into the text.
fn echoed(path: &str, how: usize) -> String {
    match how {
        0 => path.to_owned(),
        1 => path.rsplit('/').next().unwrap_or(path).to_owned(),
        2 => path.replace('"', "\"\""),
        3 => path.chars().map(|c| if c.is_control() { '_' } else { c }).collect(),
        4 => path.chars().filter(|c| !c.is_control()).collect(),
        _ => path.chars().take(12).collect(),
    }
}

/// Where real servers put it.
const FRAMES: &[&str] = &[
    "550 {p}: {c}",
    "550 Can't open {p}: {c}",
    "550 Could not delete {p}: {c}",
    "553 {p}: {c}.",
    "550 '{p}': {c}",
    "550 {c}.",
    "450 {p}: {c}",
    "550-{p}\r\n550 {c}",
];

/// What servers say, and what it means to RETR.
const CAUSES: &[(&str, Option<ErrorKind>)] = &[
    ("No such file or directory", Some(NotFound)),
    ("Permission denied", Some(Denied)),
    ("Not a directory", Some(NotDir)),
    ("Is a directory", Some(IsDir)),
    ("Read-only file system", Some(ReadOnly)),
    ("Failed to open file", None),
    ("not a plain file", None),
];

/// Names made of what servers say.
fn adversarial() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "no",
        "such",
        "file",
        "permission",
        "denied",
        "is",
        "not",
        "a",
        "directory",
        "quota",
        "exists",
        "access",
        "No such file or directory",
        "Permission denied",
        "Is a directory",
        "550",
        "disk",
        "full",
        "found",
        "x",
    ]);
    let glue = prop::sample::select(vec![" ", "/", "\"", ": ", "\t", "\u{1}", "  ", "-", "'", ""]);
    prop::collection::vec((word, glue), 1..9).prop_map(|parts| {
        let path: String = parts.iter().map(|(word, glue)| format!("{word}{glue}")).collect();
        format!("/{path}")
    })
}

proptest! {
    #[test]
    fn no_path_changes_what_is_sure(
        path in adversarial(),
        how in 0usize..6,
        frame in prop::sample::select(FRAMES),
        (cause, truth) in prop::sample::select(CAUSES),
    ) {
        let line = frame.replace("{c}", cause).replace("{p}", &echoed(&path, how));
        match classify("RETR", &reply(&line), path.as_bytes()) {
            Verdict::Ask(_) => {}
            // 450 without useful words is busy.
            Verdict::Sure(Busy) if truth.is_none() && frame.starts_with("450") => {}
            Verdict::Sure(kind) => prop_assert_eq!(Some(kind), truth, "{} about {}", line, path),
        }
    }
}
