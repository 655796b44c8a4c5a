//! Writing without the kernel: what is easier said to the filesystem itself than by a program.

mod support;

use std::sync::{Arc, mpsc};

use ftpfs::base::{Deadline, SystemClock};
use ftpfs::config::Write;
use ftpfs::remote::{ErrorKind, RemotePath};
use ftpfs::vfs::{Fh, How, Ino};

use support::client::AMPLE;
use support::files::{Fs, answer, files};
use support::memory_remote::MemoryRemote;

const BOTH: How = How { read: true, write: true, append: false, truncate: false };

fn start(server: &MemoryRemote, adjust: impl FnOnce(&mut Write)) -> Fs {
    Fs::over(Arc::new(server.clone()), RemotePath::root(), &files(), adjust, AMPLE, Arc::new(SystemClock))
}

fn create(fs: &Fs, name: &str) -> (Ino, Fh) {
    let made = answer(|tell| fs.vfs.create(Ino::ROOT, name.as_bytes(), 0o644, BOTH, false, tell)).expect("it is made");
    (made.attr.ino, made.opened.fh)
}

fn open(fs: &Fs, name: &str, how: How) -> Fh {
    let ino = fs.ino(name);
    answer(|tell| fs.vfs.open(ino, how, tell)).expect("it opens").fh
}

fn write(fs: &Fs, fh: Fh, at: u64, data: &[u8]) {
    answer(|tell| fs.vfs.write(fh, at, data, false, Box::new(tell))).expect("it is taken");
}

fn close(fs: &Fs, fh: Fh) {
    answer(|tell| fs.vfs.flush(fh, tell)).expect("it is closed");
    fs.vfs.release(fh);
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
        write(&fs, open(&fs, &format!("f{n}"), BOTH), 5, b"X");
    }
    answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).expect("all is stored");
}

/// It said yes at once: the descriptor itself had written nothing.
#[test]
fn fsync_by_a_reader_stores_what_others_have_written() {
    let server = MemoryRemote::default();
    let fs = start(&server, |write| write.writeback = true);
    server.hold("226");
    let (_, fh) = create(&fs, "f");
    write(&fs, fh, 0, b"data");
    close(&fs, fh);
    let fh = open(&fs, "f", How::READ);
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
    let (_, fh) = create(&fs, "plug");
    write(&fs, fh, 0, b"plug");
    close(&fs, fh);
    server.wait_held(1);
    let (ino, fh) = create(&fs, "tmp");
    write(&fs, fh, 0, b"data");
    close(&fs, fh);
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
    let fh = open(&fs, "b", How::READ);
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
