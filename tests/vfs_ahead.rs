//! Directories listed ahead of a program that walks through a tree.

mod support;

use ftpfs::base::Deadline;
use ftpfs::vfs::Ino;

use support::client::AMPLE;
use support::files::{Fs, answer};
use support::memory_remote::{Can, MemoryRemote};

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

/// A directory of `count` small files, all of which the kernel knows.
fn small_files(count: usize) -> (MemoryRemote, Fs) {
    small_files_on(MemoryRemote::default(), count)
}

fn small_files_on(server: MemoryRemote, count: usize) -> (MemoryRemote, Fs) {
    let server = (0..count)
        .fold(server.dir("d"), |server, n| server.file(&format!("d/f{n:03}"), format!("content {n}").as_bytes()));
    let fs = Fs::in_memory(&server, |_| {});
    for n in 0..count {
        assert_ne!(fs.ino(&format!("d/f{n:03}")), Ino::ROOT);
    }
    server.clear_log();
    (server, fs)
}

fn reads(fs: &Fs, n: usize) {
    let read = fs.read_all(&format!("d/f{n:03}")).expect("readable");
    assert_eq!(String::from_utf8_lossy(&read), format!("content {n}"));
}

#[test]
fn who_reads_one_file_after_the_other_finds_the_next_ones_in_memory() {
    let (server, fs) = small_files(20);
    reads(&fs, 0);
    assert_eq!(server.count("RETR"), 1, "one file says nothing");
    reads(&fs, 1);
    server.wait_for("RETR", 4);
    for n in 2..20 {
        reads(&fs, n);
    }
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.count("RETR"), 20, "each once: {:#?}", server.log());
}

#[test]
fn a_file_that_is_on_its_way_is_not_asked_for_again_by_who_opens_it() {
    let (server, fs) = small_files(6);
    reads(&fs, 0);
    server.hold("RETR");
    let second = fs.open("d/f001").expect("it opens");
    server.wait_held(2);
    let third = fs.open("d/f002").expect("it opens");
    let waits = fs.ask(third, 0, 100);
    server.release();
    assert_eq!(waits.recv_timeout(AMPLE).expect("an answer").expect("readable"), b"content 2");
    fs.close(second);
    fs.close(third);
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.log().iter().filter(|line| line.contains("RETR /d/f002")).count(), 1, "{:#?}", server.log());
}

/// As rsync does where the server lists in an order of its own.
#[test]
fn who_reads_by_the_names_finds_the_next_ones_in_memory() {
    let (server, fs) = small_files_on(MemoryRemote::new(Can { scrambled: true, ..Can::default() }), 100);
    reads(&fs, 0);
    reads(&fs, 1);
    // The next two by the names, which are far from each other in the listing.
    server.wait_for("RETR", 4);
    for n in 2..100 {
        reads(&fs, n);
    }
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.count("RETR"), 100, "each once: {:#?}", server.log());
}

#[test]
fn who_reads_each_tenth_file_costs_nothing_more() {
    let (server, fs) = small_files(100);
    (0..10).for_each(|n| reads(&fs, n * 10));
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.count("RETR"), 10, "{:#?}", server.log());
}

/// What was fetched for nobody is no reason to show what is not there any more.
#[test]
fn a_file_that_changes_after_it_was_fetched_ahead_is_read_as_it_is_now() {
    let (server, fs) = small_files(10);
    reads(&fs, 0);
    reads(&fs, 1);
    server.wait_for("RETR", 4);
    let ino = fs.ino("d/f003");
    let fh = fs.open_as("d/f003", ftpfs::vfs::How { read: true, write: true, append: false, truncate: true });
    fs.write(fh, 0, b"ours");
    fs.close(fh);
    assert_eq!(fs.read_all("d/f003").expect("readable"), b"ours");
    assert_eq!(fs.ino("d/f003"), ino);
    answer(|tell| fs.vfs.unlink(fs.ino("d"), b"f002", tell)).expect("it is removed");
    assert!(fs.look("d/f002").expect("it can be asked").is_none());
    reads(&fs, 4);
}
