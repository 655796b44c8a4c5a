//! Names and times that look different on the wire.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::support::server::{DEFAULT_MTIME, Personality, Tree};
use super::{LONG, NEVER, refused, tree, with};

const TOKYO: i64 = 9 * 3_600;

/// Two days ago, at a full minute.
fn recently() -> i64 {
    static BEGUN: LazyLock<i64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed());
    (*BEGUN / 60 - 2 * 1_440) * 60
}

#[test]
fn a_code_page_shows_names_as_text() {
    let tree =
        Tree::new().file(b"\xd6\xd0\xce\xc4/\xc3\xfb", "GBK", DEFAULT_MTIME).symlink("l", b"\xd6\xd0\xce\xc4/\xc3\xfb");
    for personality in [Personality::unix_list(), Personality::mlsd()] {
        with(personality, tree.clone(), &["-o", "codepage=gbk"], |scene| {
            assert_eq!(scene.names(""), ["l", "中文"]);
            assert_eq!(scene.read("中文/名").expect("it can be read"), b"GBK");
            assert_eq!(scene.read("l").expect("the link leads there"), b"GBK");
            refused(scene.stat("\u{1f600}"), libc::ENOENT, "a name that GBK cannot write");
        });
    }
}

#[test]
fn names_that_fit_no_code_page_stay_bytes() {
    let names: [&[u8]; 4] = [b"\xd6\xd0", "中".as_bytes(), b"cut\xd6", b"\xff\xff"];
    let tree = names.iter().fold(Tree::new(), |tree, name| tree.file(name, name, DEFAULT_MTIME));
    with(Personality::mlsd(), tree, &["-o", "codepage=gbk"], |scene| {
        let read = |name: &[u8]| fs::read(scene.mount.path().join(OsStr::from_bytes(name))).expect("it can be read");
        assert_eq!(fs::read_dir(scene.mount.path()).expect("it can be listed").count(), 4);
        assert_eq!(read("中".as_bytes()), b"\xd6\xd0");
        assert_eq!(read(b"\xff\xe4\xb8\xad"), "中".as_bytes(), "the marked one");
        assert_eq!(read(b"cut\xd6"), b"cut\xd6");
        assert_eq!(read(b"\xff\xff"), b"\xff\xff");
    });
}

#[test]
fn paths_are_as_long_as_the_system_takes_them() {
    let dir = (0..16).map(|i| format!("-{i:02}{}", "x".repeat(220))).collect::<Vec<_>>().join("/");
    let tree = Tree::new().file(format!("{dir}/f"), "at the bottom", DEFAULT_MTIME);
    for personality in [Personality::unix_list(), Personality::mlsd()] {
        let dir = dir.clone();
        with(personality, tree.clone(), LONG, move |scene| {
            assert_eq!(scene.names(&dir), ["f"]);
            assert_eq!(scene.read(&format!("{dir}/f")).expect("it can be read"), b"at the bottom");
        });
    }
}

#[test]
fn times_of_listings_become_utc() {
    for zone in [TOKYO, -12_600] {
        let tree = Tree::new().dir("d").with_mtime("d", recently()).file("f", "x", recently() + 17);
        with(Personality { list_zone: zone, ..Personality::unix_list() }, tree, NEVER, |scene| {
            assert_eq!(scene.names(""), ["d", "f"]);
            for _ in 0..2 {
                let time = |name| scene.stat(name).expect("it is there").mtime();
                assert_eq!((time("d"), time("f")), (recently(), recently() + 17));
            }
        });
    }
}

#[test]
fn a_time_that_was_shown_does_not_jump() {
    let tree = Tree::new().dir("d").with_mtime("d", recently());
    with(Personality { list_zone: TOKYO, ..Personality::unix_list() }, tree, NEVER, |scene| {
        let time = |name| scene.stat(name).expect("it is there").mtime();
        assert_eq!(time("d"), recently() + TOKYO, "nothing tells the zone");
        scene.server.tree().update(|tree| {
            tree.write("f", "x", recently());
            tree.make_dir("new");
            tree.set_mtime("new", recently());
        });
        assert_eq!((time("new"), time("d")), (recently(), recently() + TOKYO));
    });
}

#[test]
fn timezone_names_the_zone_of_listings() {
    let tree = Tree::new().dir("d").with_mtime("d", recently());
    with(Personality { list_zone: TOKYO, ..Personality::unix_list() }, tree, &["-o", "timezone=Asia/Tokyo"], |scene| {
        assert_eq!(scene.stat("d").expect("it is there").mtime(), recently());
    });
}

#[test]
fn a_listing_in_another_zone_makes_no_open_file_stale() {
    // Nothing that tells the zone: the other times are of another year.
    let tree = || tree().with_mtime("d/a.txt", recently());
    with(Personality { list_zone: TOKYO, ..Personality::unix_list() }, tree(), NEVER, |scene| {
        let mut open = File::open(scene.at("d/a.txt")).expect("it opens");
        let mut byte = [0];
        open.read_exact(&mut byte).expect("it can be read");
        for _ in 0..3 {
            assert_eq!(scene.names("d"), ["a.txt"]);
            let found = open.metadata().expect("it is the same file");
            assert_eq!(found.mtime(), recently());
            assert_eq!(scene.stat("d/a.txt").expect("it is there").ino(), found.ino());
        }
    });
}
