//! Renames that fail, without the kernel: nobody loses a file by that.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use ftpfs::base::{Deadline, SystemClock};
use ftpfs::config::Files;
use ftpfs::remote::{ErrorKind, RemotePath};
use ftpfs::vfs::{How, Ino};

use support::client::AMPLE;
use support::files::{Fs, files};
use support::memory_remote::MemoryRemote;

/// The old file was given its name back although the new one had it by then.
#[test]
fn a_rename_whose_answer_is_lost_replaces_all_the_same() {
    let server = MemoryRemote::default().file("a", b"new").file("b", b"old");
    let fs = Fs::in_memory(&server, |_| {});
    let fh = fs.open_as("b", How::READ);
    assert_eq!(fs.read(fh, 0, 3).expect("it is read"), b"old");
    fs.look("a").expect("it is there");
    server.fail("RNTO-answer", Some("a"), ErrorKind::TimedOut, 1);
    fs.rename("a", "b", 0).expect("it was done");
    assert_eq!(server.content("b").as_deref(), Some(&b"new"[..]));
    assert_eq!(fs.read_all("b").expect("it is the new one"), b"new");
    fs.vfs.release(fh);
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.paths(), ["b"]);
}

/// With write-back, what was put aside was forgotten, and went with its last reader.
#[test]
fn a_rename_that_stays_here_and_fails_costs_nothing() {
    let server = MemoryRemote::default().file("b", b"old");
    let files = Files { negative_ttl: Duration::ZERO, ..files() };
    let late = |write: &mut ftpfs::config::Write| write.writeback = true;
    let remote = std::sync::Arc::new(server.clone());
    let fs = Fs::over(remote, RemotePath::root(), &files, late, AMPLE, std::sync::Arc::new(SystemClock));
    let reader = fs.open_as("b", How::READ);
    let (_, fh) = fs.create("a");
    fs.write(fh, 0, b"new");
    server.fail("MLSD", None, ErrorKind::Unreachable, usize::MAX);
    fs.rename("a", "b", 0).expect_err("nobody knows what is there");
    server.heal();
    fs.vfs.release(reader);
    fs.close(fh);
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
    assert_eq!(server.paths(), ["a", "b"], "{:#?}", server.log());
    assert_eq!(server.content("b").as_deref(), Some(&b"old"[..]));
}

/// The target's last reader went while the rename was under way: the target was deleted, and then the rename was refused.
#[test]
fn a_target_that_is_closed_meanwhile_outlives_a_rename_that_fails() {
    let server = MemoryRemote::default().file("a", b"new").file("b", b"old");
    let fs = Fs::in_memory(&server, |_| {});
    let reader = fs.open_as("b", How::READ);
    fs.look("a").expect("it is there");
    // Only a: b has been put aside by then.
    server.hold("RNTO");
    let (tell, hear) = mpsc::channel();
    fs.vfs.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"b"), 0, move |done| drop(tell.send(done)));
    server.wait_held(1);
    fs.vfs.release(reader);
    server.fail("RNTO", Some("a"), ErrorKind::Denied, 1);
    server.release();
    hear.recv_timeout(AMPLE).expect("it ends").expect_err("it is refused");
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.paths(), ["a", "b"], "{:#?}", server.log());
    assert_eq!(server.content("b").as_deref(), Some(&b"old"[..]));
}
