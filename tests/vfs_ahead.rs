//! Directories listed ahead of a program that walks through a tree.

mod support;

use ftpfs::base::Deadline;
use ftpfs::vfs::Ino;

use support::client::AMPLE;
use support::files::{Fs, answer};
use support::memory_remote::MemoryRemote;

/// A directory with ten others, each of which has one more inside; the kernel has been told of the first level.
fn start() -> (MemoryRemote, Fs, Vec<Ino>) {
    let mut server = MemoryRemote::default();
    for n in 0..10 {
        server = server.dir(&format!("d{n}")).dir(&format!("d{n}/sub")).file(&format!("d{n}/file"), b"x");
    }
    let fs = Fs::in_memory(&server, |_| {});
    let dirs = (0..10).map(|n| fs.ino(&format!("d{n}"))).collect();
    (server, fs, dirs)
}

fn open(fs: &Fs, dir: Ino) {
    let fh = answer(|tell| fs.vfs.opendir(dir, tell)).expect("it opens");
    fs.vfs.release(fh);
}

#[test]
fn who_walks_finds_the_next_directories_listed() {
    let (server, fs, dirs) = start();
    open(&fs, Ino::ROOT);
    open(&fs, dirs[0]);
    assert_eq!(server.count("MLSD"), 2, "nobody walks yet");
    open(&fs, dirs[1]);
    // Those of which the kernel knows; what is in them it has not seen.
    server.wait_for("MLSD", 11);
    dirs.iter().for_each(|dir| open(&fs, *dir));
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.count("MLSD"), 11, "each once: {:#?}", server.log());
}

#[test]
fn what_is_inside_comes_before_what_is_beside() {
    let (server, fs, dirs) = start();
    let sub = fs.ino("d1/sub");
    server.clear_log();
    open(&fs, Ino::ROOT);
    open(&fs, dirs[0]);
    assert_eq!(server.count("MLSD"), 1);
    open(&fs, dirs[1]);
    server.wait_for("MLSD", 10);
    let log = server.log();
    let first = log.iter().filter(|line| line.starts_with("MLSD")).nth(1).expect("one ahead");
    assert_eq!(first, "MLSD /d1/sub", "{log:#?}");
    open(&fs, sub);
    assert_eq!(server.count("MLSD"), 10, "{log:#?}");
}

#[test]
fn nobody_is_listed_ahead_for_who_opens_here_and_there() {
    let (server, fs, dirs) = start();
    let deep: Vec<_> = (0..10).map(|n| fs.ino(&format!("d{n}/sub"))).collect();
    server.clear_log();
    for dir in deep {
        open(&fs, dir);
    }
    assert_eq!(server.count("MLSD"), 10, "{:#?}", server.log());
    drop(dirs);
}

/// And is not tried ahead again at each step.
#[test]
fn a_listing_ahead_that_fails_is_told_only_to_those_who_ask() {
    let (server, fs, dirs) = start();
    server.fail("MLSD", Some("d5"), ftpfs::remote::ErrorKind::Denied, 2);
    open(&fs, Ino::ROOT);
    open(&fs, dirs[0]);
    open(&fs, dirs[1]);
    server.wait_for("MLSD", 11);
    open(&fs, dirs[4]);
    answer(|tell| fs.vfs.opendir(dirs[5], tell)).expect_err("it is refused");
    open(&fs, dirs[5]);
}
