//! One server of each family, played from its words in `tests/dialects`, under a real mount: what `ls`, `cat` and `tail`
//! see is what the server holds, and what is missing is missing, not broken.
//!
//! All families hold the same files, as far as they can: `readme.txt`, `.hidden`, the empty directory `empty`, `pub` with
//! `big.bin` and `two words.txt`, and the link `latest` to the latter.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use support::dialect::DialectServer;
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, command, stdout_of, with_deadline};

/// What a family shows of the common tree.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    link: Link,
    /// It shows names that begin with a dot, and holds one.
    hidden: bool,
    /// The time of `readme.txt`, where the server tells it.
    mtime: Option<i64>,
    options: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// A link with its target.
    Known,
    /// A link without its target: shown as a link or as what it leads to.
    Vague,
    /// The file that it leads to.
    Followed,
    /// The family has no links.
    None,
}

/// 2023-11-14 22:13:20 UTC.
const TO_THE_SECOND: Option<i64> = Some(1_700_000_000);
const TO_THE_DAY: Option<i64> = Some(1_699_920_000);

impl Family {
    const fn new(name: &'static str, link: Link, hidden: bool, mtime: Option<i64>) -> Self {
        Self { name, link, hidden, mtime, options: &[] }
    }
}

macro_rules! families {
    ($($test:ident: $family:expr;)*) => { $(
        #[test]
        fn $test() {
            with_deadline(Duration::from_secs(120), stringify!($test), || explore($family));
        }
    )* };
}

families! {
    vsftpd: Family::new("vsftpd", Link::Known, true, TO_THE_SECOND);
    proftpd: Family::new("proftpd", Link::Vague, true, TO_THE_SECOND);
    pure_ftpd: Family::new("pure-ftpd", Link::Vague, true, TO_THE_SECOND);
    pyftpdlib: Family::new("pyftpdlib", Link::Followed, true, TO_THE_SECOND);
    inetutils: Family::new("inetutils", Link::Known, true, TO_THE_SECOND);
    wu_ftpd: Family::new("wu-ftpd", Link::Known, true, TO_THE_SECOND);
    iis: Family::new("iis", Link::None, false, TO_THE_SECOND);
    filezilla_0_9: Family::new("filezilla-0.9", Link::None, false, TO_THE_SECOND);
    filezilla_0_9_without_mlsd: Family {
        options: &["--disable-mlsd"],
        ..Family::new("filezilla-0.9", Link::None, false, TO_THE_SECOND)
    };
    filezilla_1: Family::new("filezilla-1", Link::None, false, TO_THE_SECOND);
    // Where `LIST -a` looks for something called -a.
    filezilla_1_without_mlsd: Family {
        options: &["--disable-mlsd"],
        ..Family::new("filezilla-1", Link::None, false, TO_THE_SECOND)
    };
    serv_u: Family::new("serv-u", Link::None, false, TO_THE_SECOND);
    serv_u_without_mlsd: Family {
        options: &["--disable-mlsd"],
        ..Family::new("serv-u", Link::None, false, TO_THE_SECOND)
    };
    // One command at a time, and MLST that denies what exists.
    uftpd: Family { options: &["--timeout", "5s"], ..Family::new("uftpd", Link::Followed, true, None) };
    uftpd_without_mlsd: Family {
        options: &["--timeout", "5s", "--disable-mlsd"],
        ..Family::new("uftpd", Link::Followed, true, None)
    };
    silent_mlsd: Family { options: &["--timeout", "5s"], ..Family::new("silent-mlsd", Link::Followed, true, None) };
    device: Family::new("device", Link::None, false, TO_THE_DAY);
}

fn explore(family: Family) {
    let server = DialectServer::start(family.name);
    let content = |path: &str| server.script().content(path).to_vec();
    let mount = Mount::new(&server.url(""), family.options);
    let root = mount.path();

    let mut wanted = vec![("empty", 'd', 0), ("pub", 'd', 0), ("readme.txt", '-', content("/readme.txt").len())];
    if family.hidden {
        wanted.push((".hidden", '-', content("/.hidden").len()));
    }
    let seen = ls(&root);
    let latest = seen.get("latest").copied();
    assert_eq!(without_link(seen), as_map(&wanted), "ls -la /");
    let two_words = content("/pub/two words.txt");
    match (family.link, latest) {
        (Link::None, None) => {}
        (Link::Known, Some(('l', _))) | (Link::Vague, Some(('l' | '-', _))) => {}
        (Link::Followed, Some(('-', size))) => assert_eq!(size, two_words.len()),
        (_, seen) => panic!("latest is {seen:?}"),
    }
    if family.link == Link::Known {
        assert_eq!(fs::read_link(root.join("latest")).expect("a link"), Path::new("pub/two words.txt"));
    }
    if matches!(family.link, Link::Known | Link::Followed) {
        assert_eq!(fs::read(root.join("latest")).expect("it leads to a file"), two_words);
    }

    let big = content("/pub/big.bin");
    let wanted = [("big.bin", '-', big.len()), ("two words.txt", '-', two_words.len())];
    assert_eq!(ls(&root.join("pub")), as_map(&wanted), "ls -la /pub");
    assert_eq!(ls(&root.join("empty")), BTreeMap::new(), "ls -la /empty");

    reads(&root, &server, &big);
    assert!(server.heard("REST") > 0, "the end of big.bin was read without its beginning");
    if let Some(mtime) = family.mtime {
        assert_eq!(fs::metadata(root.join("readme.txt")).expect("it is there").mtime(), mtime);
    }
    misses(&root);
    mount.unmount();
    server.wait_for_leave();

    // What is missing is asked for first, by its own name, before any directory has been listed.
    let mount = Mount::new(&server.url("pub"), family.options);
    misses(&mount.path());
    assert_eq!(fs::read(mount.path().join("two words.txt")).expect("it is there"), two_words);
    mount.unmount();
}

/// Whole files, and one from the middle on.
fn reads(root: &Path, server: &DialectServer, big: &[u8]) {
    let tail = stdout_of(command("tail", ["-c", "1234"]).arg(root.join("pub/big.bin")), PROGRAM_LIMIT);
    assert!(tail == big[big.len() - 1234..], "the last 1,234 bytes differ");
    for path in ["/readme.txt", "/pub/two words.txt", "/pub/big.bin"] {
        let seen = stdout_of(command("cat", [root.join(&path[1..])]).env("LC_ALL", "C"), PROGRAM_LIMIT);
        assert!(seen == server.script().content(path), "{path} differs");
    }
}

fn misses(root: &Path) {
    for name in ["nope", "nope/deeper", "-a"] {
        let kind = fs::symlink_metadata(root.join(name)).expect_err("it is missing").kind();
        assert_eq!(kind, ErrorKind::NotFound, "stat {name}");
        let kind = fs::read_dir(root.join(name)).expect_err("it is missing").kind();
        assert_eq!(kind, ErrorKind::NotFound, "readdir {name}");
    }
}

/// Kind and size of what `ls -la` shows, directories without a size.
fn ls(dir: &Path) -> BTreeMap<String, (char, usize)> {
    let lines = stdout_of(command("ls", ["-la", "--time-style=+%s"]).arg(dir), PROGRAM_LIMIT);
    let text = String::from_utf8(lines).expect("plain names");
    let mut seen = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with("total ")) {
        let mut rest = line;
        let fields: Vec<&str> = (0..6).filter_map(|_| word(&mut rest)).collect();
        let (kind, size) = (fields[0].chars().next().expect("a mode"), fields[4].parse().expect("a size"));
        let name = rest.split(" -> ").next().expect("a name").to_owned();
        if name != "." && name != ".." {
            let size = if kind == 'd' { 0 } else { size };
            assert!(seen.insert(name, (kind, size)).is_none(), "twice: {line}");
        }
    }
    seen
}

/// The next word, and one blank behind it.
fn word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let (word, more) = rest.trim_start().split_once(' ')?;
    *rest = more;
    Some(word)
}

fn without_link(mut seen: BTreeMap<String, (char, usize)>) -> BTreeMap<String, (char, usize)> {
    seen.remove("latest");
    seen
}

fn as_map(wanted: &[(&str, char, usize)]) -> BTreeMap<String, (char, usize)> {
    wanted.iter().map(|&(name, kind, size)| (name.to_owned(), (kind, size))).collect()
}
