//! Writing without the kernel: what is easier said to the filesystem itself than by a program.

mod support;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use ftpfs::base::{Deadline, SystemClock};
use ftpfs::config::{Files, Write};
use ftpfs::remote::{ErrorKind, RemotePath};
use ftpfs::vfs::{How, Ino, Wanted};

use support::client::AMPLE;
use support::files::{BOTH, Fs, answer, files};
use support::memory_remote::MemoryRemote;
use support::process::wait_until;

fn start(server: &MemoryRemote, adjust: impl FnOnce(&mut Write)) -> Fs {
    Fs::in_memory(server, adjust)
}

/// The threads that waited for the uploads were those that were to do them: with more files than threads nothing went on.
#[test]
fn more_files_than_threads_are_synced() {
    let mut server = MemoryRemote::default();
    for n in 0..100 {
        server = server.file(&format!("f{n}"), b"0123456789");
    }
    let fs = start(&server, |_| {});
    for n in 0..100 {
        fs.write(fs.open_as(&format!("f{n}"), BOTH), 5, b"X");
    }
    answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).expect("all is stored");
}

/// It said yes at once: the descriptor itself had written nothing.
#[test]
fn fsync_by_a_reader_stores_what_others_have_written() {
    let server = MemoryRemote::default();
    let fs = start(&server, |write| write.writeback = true);
    server.hold("226");
    let (_, fh) = fs.create("f");
    fs.write(fh, 0, b"data");
    fs.close(fh);
    let fh = fs.open_as("f", How::READ);
    let (tell, hear) = mpsc::channel();
    // Nobody listens any more where it has been heard.
    fs.vfs.fsync(fh, move |done| drop(tell.send(done)));
    server.wait_held(1);
    assert!(hear.try_recv().is_err(), "the server has {:?}", server.paths());
    server.release();
    hear.recv_timeout(AMPLE).expect("it ends").expect("it is stored");
}

/// The kernel may forget an inode as soon as it is closed. What was to be stored under its new name went to the old one.
#[test]
fn what_the_kernel_forgets_is_stored_under_its_name_all_the_same() {
    let server = MemoryRemote::default();
    let fs = start(&server, |write| write.writeback = true);
    server.hold("226");
    let (_, fh) = fs.create("plug");
    fs.write(fh, 0, b"plug");
    fs.close(fh);
    server.wait_held(1);
    let (ino, fh) = fs.create("tmp");
    fs.write(fh, 0, b"data");
    fs.close(fh);
    answer(|tell| fs.vfs.rename((Ino::ROOT, b"tmp"), (Ino::ROOT, b"final"), 0, tell)).expect("it is renamed");
    fs.vfs.forget(ino, 1000);
    assert_eq!(fs.look("final").expect("it is known").map(|attr| attr.size), Some(4));
    server.release();
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
    assert_eq!(server.paths(), ["final", "plug"]);
}

/// What was put aside for a rename that failed lost its content with the last reader.
#[test]
fn a_rename_that_fails_costs_nothing() {
    let server = MemoryRemote::default().file("a", b"aaaa").file("b", b"bbbb");
    let fs = start(&server, |_| {});
    fs.look("a").expect("it is there");
    let fh = fs.open_as("b", How::READ);
    fs.read(fh, 0, 4).expect("it is read");
    server.hold("RNTO");
    let (tell, hear) = mpsc::channel();
    fs.vfs.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"b"), 0, move |done| drop(tell.send(done)));
    server.wait_held(1);
    let gone = server.log().iter().find_map(|line| line.strip_prefix("RNTO /b /").map(str::to_owned)).expect("aside");
    server.fail("RNTO", Some("a"), ErrorKind::TimedOut, 1);
    server.fail("RNTO", Some(&gone), ErrorKind::TimedOut, 1);
    server.release();
    hear.recv_timeout(AMPLE).expect("it is answered").expect_err("it has failed");
    fs.vfs.release(fh);
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
    assert_eq!(server.paths(), ["a", "b"], "{:#?}", server.log());
}

/// As soon as a failure had been told, the same upload began again by itself, and whoever removed the file waited for it.
#[test]
fn what_has_failed_is_not_tried_again_unasked() {
    let server = MemoryRemote::default();
    let fs = start(&server, |_| {});
    for n in 0..20 {
        let (_, fh) = fs.create(&format!("f{n}"));
        server.fail("226", None, ErrorKind::NoSpace, 1);
        fs.write(fh, 0, b"data");
        answer(|tell| fs.vfs.fsync(fh, tell)).expect_err("there is no room");
        assert_eq!(server.count("226"), 1, "{:#?}", server.log());
        answer(|tell| fs.vfs.unlink(Ino::ROOT, format!("f{n}").as_bytes(), tell)).expect("it is removed");
        assert_eq!(server.count("226"), 1, "{:#?}", server.log());
        fs.vfs.release(fh);
        server.clear_log();
    }
}

/// A shell that starts programs has children that close their copies of what is being written: each that waited when the
/// upload failed began another one, and the program itself never heard of it.
#[test]
fn all_who_wait_are_told_of_one_failure() {
    let server = MemoryRemote::default();
    let fs = start(&server, |_| {});
    let (_, fh) = fs.create("f");
    server.hold("226");
    server.fail("226", None, ErrorKind::NoSpace, 1);
    fs.write(fh, 0, b"data");
    let (tell, hear) = mpsc::channel();
    for _ in 0..5 {
        let tell = tell.clone();
        fs.vfs.flush(fh, move |done| drop(tell.send(done)));
    }
    server.wait_held(1);
    server.release();
    for _ in 0..5 {
        hear.recv_timeout(AMPLE).expect("it ends").expect_err("there is no room");
    }
    assert_eq!(server.count("226"), 1, "{:#?}", server.log());
    let (tell, hear) = mpsc::channel();
    fs.vfs.write(fh, 4, b"more", false, Box::new(move |done| drop(tell.send(done))));
    hear.recv_timeout(AMPLE).expect("it is answered").expect_err("nobody has looked at those");
}

/// They were thrown away before the rename was tried.
#[test]
fn what_was_to_be_set_on_the_target_is_set_where_the_rename_fails() {
    let server = MemoryRemote::default().file("a", b"a").file("b", b"b");
    let fs = start(&server, |_| {});
    let (_, ino) = (fs.ino("a"), fs.ino("b"));
    let wanted = Wanted { mode: Some(0o600), ..Wanted::default() };
    answer(|tell| fs.vfs.set_attributes(ino, wanted, tell)).expect("it is noted");
    server.fail("RNTO", Some("a"), ErrorKind::Denied, 1);
    answer(|tell| fs.vfs.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"b"), 0, tell)).expect_err("it is refused");
    answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).expect("all is set");
    assert_eq!(server.facts("b").map(|(_, mode)| mode), Some(0o600), "{:#?}", server.log());
}

/// What was kept for the user had zeros where nothing had been written: a patch that nobody can apply.
#[test]
fn what_is_kept_is_a_whole_file() {
    let spool = tempfile::tempdir().expect("a directory");
    let mut old = vec![7; 1 << 20];
    let server = MemoryRemote::default().file("f", &old);
    let fs = start(&server, |write| {
        write.spool = spool.path().join("spool");
        write.identity = "ftp://server/".into();
    });
    let fh = fs.open_as("f", BOTH);
    server.fail("RETR", None, ErrorKind::Unreachable, 1);
    server.fail("STOR", None, ErrorKind::NoSpace, 100);
    server.fail("APPE", None, ErrorKind::NoSpace, 100);
    fs.write(fh, 500_000, b"new");
    answer(|tell| fs.vfs.flush(fh, tell)).expect_err("there is no room");
    fs.vfs.release(fh);
    let kept = || {
        let names = std::fs::read_dir(spool.path().join("spool/lost")).ok()?;
        let mut paths = names.map(|entry| entry.expect("it can be read").path());
        let text = paths.find(|path| path.extension().is_some())?;
        Some((std::fs::read_to_string(&text).ok().filter(|text| text.ends_with('\n'))?, text.with_extension("")))
    };
    let (text, content) = wait_until("a copy", AMPLE, kept);
    old[500_000..500_003].copy_from_slice(b"new");
    assert!(std::fs::read(content).expect("it is there") == old, "{text}");
    assert!(text.contains("/f of ftp://server/: the transfer broke"), "{text}");
}

/// Somebody else had written to a file that was taken for empty: nothing was to be cut off, so nothing was sent.
#[test]
fn a_file_taken_for_empty_is_truncated_all_the_same() {
    let server = MemoryRemote::default().file("f", b"");
    let fs = start(&server, |_| {});
    fs.look("f").expect("it is there");
    server.store("f", b"somebody else's");
    let fh = fs.open_as("f", How { truncate: true, ..BOTH });
    fs.close(fh);
    assert_eq!(server.content("f").as_deref(), Some(&b""[..]), "{:#?}", server.log());
}

/// A temporary file that could not be removed, because the line had gone, stayed on the server for good.
#[test]
fn temporary_files_are_removed_when_the_server_is_back() {
    let server = MemoryRemote::default().file("f", b"old");
    let fs = start(&server, |_| {});
    let fh = fs.open_as("f", How { truncate: true, ..BOTH });
    server.fail("226", None, ErrorKind::NoSpace, 1);
    server.fail("DELE", None, ErrorKind::Unreachable, 1);
    fs.write(fh, 0, b"new");
    answer(|tell| fs.vfs.flush(fh, tell)).expect_err("there is no room");
    assert_eq!(server.count("DELE"), 1, "{:#?}", server.log());
    assert_eq!(server.paths().len(), 2, "{:#?}", server.paths());
    fs.vfs.release(fh);
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.paths(), ["f"]);
    assert_eq!(server.content("f").as_deref(), Some(&b"old"[..]));
}

/// Nobody waits for the server's word when a second file is made in a directory; a listing that was quicker than that
/// did not show it.
#[test]
fn a_file_that_was_just_made_is_listed_before_the_server_has_it() {
    let server = MemoryRemote::default();
    let files = Files { dir_ttl: Duration::ZERO, attr_ttl: Duration::ZERO, negative_ttl: Duration::ZERO, ..files() };
    let remote = Arc::new(server.clone());
    let fs = Fs::over(remote, RemotePath::root(), &files, |_| {}, AMPLE, Arc::new(SystemClock));
    let (_, first) = fs.create("first");
    fs.close(first);
    server.hold("STOR");
    let (_, second) = fs.create("second");
    assert_eq!(fs.names(Ino::ROOT).expect("it is listed"), ["first", "second"], "{:#?}", server.log());
    server.release();
    fs.close(second);
    assert_eq!(server.paths(), ["first", "second"]);
}

/// The server heard of the first attempt when the second was done: its temporary file stayed there for good.
#[test]
fn what_a_broken_connection_brings_late_is_removed_at_the_end() {
    let server = MemoryRemote::default().file("f", b"old");
    let fs = start(&server, |_| {});
    server.fail("226", None, ErrorKind::Unreachable, 1);
    let fh = fs.open_as("f", How { truncate: true, ..BOTH });
    fs.write(fh, 0, b"new");
    fs.close(fh);
    assert_eq!(server.paths(), ["f"]);
    let log = server.log();
    let part = log.iter().find_map(|line| line.strip_prefix("STOR /")).expect("a temporary name");
    server.store(part, b"ne");
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.paths(), ["f"], "{:#?}", server.log());
    assert_eq!(server.content("f").as_deref(), Some(&b"new"[..]));
}

/// The failure that a close had told was told by every later one, and nothing was tried again.
#[test]
fn a_close_after_a_while_tries_again() {
    let server = MemoryRemote::default();
    let remote = Arc::new(server.clone());
    // Within the timeout the same failure is told again.
    let timeout = Duration::from_secs(1);
    let fs = Fs::over(remote, RemotePath::root(), &files(), |_| {}, timeout, Arc::new(SystemClock));
    let (_, fh) = fs.create("f");
    server.fail("226", None, ErrorKind::NoSpace, 1);
    fs.write(fh, 0, b"data");
    answer(|tell| fs.vfs.flush(fh, tell)).expect_err("there is no room");
    wait_until("it is stored", AMPLE, || answer(|tell| fs.vfs.flush(fh, tell)).ok());
    assert_eq!(server.content("f").as_deref(), Some(&b"data"[..]));
}
