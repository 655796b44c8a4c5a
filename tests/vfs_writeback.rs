//! Write-back without the kernel: what an earlier mount has left over, what a server refuses, what stays here.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ftpfs::base::Deadline;
use ftpfs::config::Write;
use ftpfs::remote::ErrorKind;
use ftpfs::store::{Journal, SpoolDir};
use ftpfs::vfs::{Fault, How, Ino, Wanted};

use support::client::AMPLE;
use support::files::{BOTH, Fs, answer, files};
use support::memory_remote::MemoryRemote;
use support::process::wait_until;

/// A mount that found something left over, and a server that takes nothing of it for now.
fn with_leftover(server: &MemoryRemote, spool: &Path) -> Fs {
    with_leftover_for(server, spool, true)
}

/// The same, for a mount that writes back only if it is `late`.
fn with_leftover_for(server: &MemoryRemote, spool: &Path, late: bool) -> Fs {
    let adjust = |late| move |write: &mut Write| (write.spool, write.writeback) = (spool.join("spool"), late);
    let fs = Fs::in_memory(server, adjust(true));
    server.fail("STOR", None, ErrorKind::NoSpace, usize::MAX);
    let fh = match fs.look("f").expect("the server answers") {
        Some(_) => fs.open_as("f", How { truncate: true, ..BOTH }),
        None => fs.create("f").1,
    };
    fs.write(fh, 0, b"newer");
    fs.close(fh);
    let left = fs.vfs.finish(Deadline::after(Duration::from_millis(1)));
    assert_eq!(left.later, ["/f"]);
    fs.vfs.shut_down();
    drop(fs);
    server.reopen();
    // The threads of the first one may hold it still; a mount that does not write back would go on without it.
    let fs = wait_until("the journal is free", AMPLE, || {
        let dir = SpoolDir::open(&spool.join("spool"), None).expect("it is ours");
        Journal::open(&dir, &Write::new(spool.to_owned()).identity).ok()?;
        Fs::try_over(Arc::new(server.clone()), &files(), adjust(late), AMPLE).ok()
    });
    fs.vfs.recover(Duration::ZERO);
    fs
}

/// Programs saw what the server had: nothing, an empty file, or the old content.
#[test]
fn what_was_left_over_is_seen_at_once() {
    for old in [None, Some(&b"old"[..])] {
        for late in [true, false] {
            let spool = tempfile::tempdir().expect("a directory");
            let server = old.map_or_else(MemoryRemote::default, |old| MemoryRemote::default().file("f", old));
            let fs = with_leftover_for(&server, spool.path(), late);
            assert_eq!(fs.look("f").expect("it is known").map(|attr| attr.size), Some(5));
            assert_eq!(fs.names(Ino::ROOT).expect("it is listed"), ["f"]);
            assert_eq!(fs.read_all("f").expect("it is here"), b"newer");
            // Written on, renamed, stored.
            let fh = fs.open_as("f", BOTH);
            fs.write(fh, 5, b" still");
            assert_eq!(fs.read_all("f").expect("it is here"), b"newer still");
            server.heal();
            wait_until("it is closed", AMPLE, || answer(|tell| fs.vfs.flush(fh, tell)).ok());
            fs.vfs.release(fh);
            wait_until("it is renamed", AMPLE, || fs.rename("f", "g", 0).ok());
            assert_eq!(fs.read_all("g").expect("it is here"), b"newer still");
            let left = fs.vfs.finish(Deadline::after(AMPLE));
            assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
            assert_eq!(server.paths(), ["g"], "{:#?}", server.log());
            assert_eq!(server.content("g").as_deref(), Some(&b"newer still"[..]), "{:#?}", server.log());
        }
    }
}

/// Whether the earlier mount had stored it nobody knew, and it was taken for unseen: the server's copy stayed.
#[test]
fn what_was_left_over_and_may_be_there_is_removed_and_renamed_there() {
    for renamed in [false, true] {
        let spool = tempfile::tempdir().expect("a directory");
        let server = MemoryRemote::default();
        let fs = with_leftover(&server, spool.path());
        fs.look("f").expect("it is known");
        // The answer to the RNTO of an earlier attempt was lost.
        server.store("f", b"newer");
        if renamed {
            server.heal();
            // An attempt that began before may still be refused.
            wait_until("it is renamed", AMPLE, || fs.rename("f", "g", 0).ok());
        } else {
            answer(|tell| fs.vfs.unlink(Ino::ROOT, b"f", tell)).expect("it is removed");
            server.heal();
        }
        let left = fs.vfs.finish(Deadline::after(AMPLE));
        assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
        assert_eq!(server.paths(), if renamed { vec!["g"] } else { vec![] }, "{:#?}", server.log());
    }
}

/// The name led to another inode once the leftover had arrived, and what was written by one was not seen by the other.
#[test]
fn what_was_left_over_and_is_overwritten_stays_one_file() {
    let spool = tempfile::tempdir().expect("a directory");
    let server = MemoryRemote::default();
    let fs = with_leftover(&server, spool.path());
    let ino = fs.ino("f");
    let fh = fs.open_as("f", How { truncate: true, ..BOTH });
    fs.write(fh, 0, b"newest");
    fs.close(fh);
    server.hold("226");
    server.heal();
    server.wait_held(1);
    server.clear_log();
    server.release_only("226");
    server.hold("226");
    // The leftover has arrived when what follows it is on its way.
    server.wait_for("226", 1);
    assert_eq!(fs.ino("f"), ino);
    assert_eq!(fs.read_all("f").expect("it is here"), b"newest");
    server.release();
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
    assert_eq!(server.content("f").as_deref(), Some(&b"newest"[..]));
}

/// Each replaced file kept its spool until the mount ended.
#[test]
fn what_is_replaced_before_it_was_stored_gives_its_room_back() {
    let server = MemoryRemote::default();
    let fs = Fs::in_memory(&server, |write| (write.writeback, write.spool_limit) = (true, Some(256 << 10)));
    server.hold("226");
    for _ in 0..20 {
        let (_, fh) = fs.create("tmp");
        fs.write(fh, 0, &[7; 64 << 10]);
        fs.close(fh);
        fs.look("conf").expect("the server answers");
        let (tell, hear) = std::sync::mpsc::channel();
        fs.vfs.rename((Ino::ROOT, b"tmp"), (Ino::ROOT, b"conf"), 0, move |done| drop(tell.send(done)));
        server.release();
        hear.recv_timeout(AMPLE).expect("it is answered").expect("it is renamed");
        server.hold("226");
    }
    server.release();
}

/// It came back by itself when the server took it.
#[test]
fn what_was_left_over_and_is_removed_stays_so() {
    let spool = tempfile::tempdir().expect("a directory");
    let server = MemoryRemote::default().file("f", b"old");
    let fs = with_leftover(&server, spool.path());
    fs.look("f").expect("it is there");
    answer(|tell| fs.vfs.unlink(Ino::ROOT, b"f", tell)).expect("it is removed");
    server.heal();
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
    assert!(server.paths().is_empty(), "{:?}", server.paths());
}

/// `ftpfs sync` said that all was stored.
#[test]
fn a_sync_waits_for_what_was_left_over_and_a_rename_takes_it_along() {
    let spool = tempfile::tempdir().expect("a directory");
    let server = MemoryRemote::default().file("f", b"old");
    let fs = with_leftover(&server, spool.path());
    fs.look("f").expect("it is there");
    server.heal();
    answer(|tell| fs.vfs.rename((Ino::ROOT, b"f"), (Ino::ROOT, b"g"), 0, tell)).expect("it is renamed");
    assert_eq!(server.paths(), ["g"], "{:#?}", server.log());
    assert_eq!(server.content("g").as_deref(), Some(&b"newer"[..]));

    let server = MemoryRemote::default().file("f", b"old");
    let spool = tempfile::tempdir().expect("a directory");
    let fs = with_leftover(&server, spool.path());
    server.heal();
    wait_until("all is stored", AMPLE, || answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).ok());
    assert_eq!(server.content("f").as_deref(), Some(&b"newer"[..]));
}

/// It was replaced without a word: the listing that was asked did not know it yet.
#[test]
fn what_was_left_over_is_there_for_those_who_must_not_replace_it() {
    let spool = tempfile::tempdir().expect("a directory");
    let server = MemoryRemote::default().file("a", b"a");
    let fs = with_leftover(&server, spool.path());
    fs.look("a").expect("it is there");
    server.heal();
    fs.rename("a", "f", libc::RENAME_NOREPLACE).expect_err("it exists");
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.content("f").as_deref(), Some(&b"newer"[..]));

    let spool = tempfile::tempdir().expect("a directory");
    let server = MemoryRemote::default();
    let fs = with_leftover(&server, spool.path());
    server.heal();
    let made = answer(|tell| fs.vfs.create(Ino::ROOT, b"f", 0o644, BOTH, true, tell));
    assert_eq!(made.err().map(|e| e.fault), Some(Fault::Remote(ErrorKind::Exists)));
    fs.vfs.finish(Deadline::after(AMPLE));
    assert_eq!(server.content("f").as_deref(), Some(&b"newer"[..]));
}

/// Its spool had gone with the upload: each close was EIO, and what was written was lost.
#[test]
fn an_empty_file_that_was_stored_can_be_truncated_and_written() {
    let server = MemoryRemote::default();
    let fs = Fs::in_memory(&server, |write| write.writeback = true);
    let (_, first) = fs.create("log");
    answer(|tell| fs.vfs.fsync(first, tell)).expect("it is stored, empty");
    let second = fs.open_as("log", How { truncate: true, ..BOTH });
    answer(|tell| fs.vfs.flush(second, tell)).expect("a copy of the descriptor is closed");
    fs.write(second, 0, b"precious");
    fs.close(second);
    fs.vfs.release(first);
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
    assert_eq!(server.content("log").as_deref(), Some(&b"precious"[..]));
}

/// Each attempt counted as progress, so a sync of a full server went on for a day.
#[test]
fn a_sync_ends_where_the_server_refuses() {
    let server = MemoryRemote::default();
    let fs = Fs::in_memory(&server, |write| write.writeback = true);
    server.fail("226", None, ErrorKind::Quota, usize::MAX);
    let (_, fh) = fs.create("f");
    fs.write(fh, 0, b"data");
    fs.close(fh);
    let error = answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).expect_err("there is no room");
    assert_eq!(error.fault, Fault::Remote(ErrorKind::Quota));
    server.heal();
    wait_until("now there is", AMPLE, || answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).ok());
    assert_eq!(server.content("f").as_deref(), Some(&b"data"[..]));
}

/// close(2) said yes, and what had been written until then took the place of the old file.
#[test]
fn a_file_that_the_spool_has_no_room_for_does_not_replace_the_old_one() {
    for late in [false, true] {
        let old = vec![b'o'; 50_000];
        let server = MemoryRemote::default().file("f", &old);
        let fs = Fs::in_memory(&server, |write| (write.writeback, write.spool_limit) = (late, Some(64 << 10)));
        let fh = fs.open_as("f", How { truncate: true, ..BOTH });
        // Not in one piece: no transfer makes room.
        let refused = (1..40).find_map(|n| fs.try_to_write(fh, n * 1_000_000, &[b'n'; 8192]).err());
        assert_eq!(refused.expect("the spool is full").fault, Fault::SpoolFull);
        answer(|tell| fs.vfs.flush(fh, tell)).expect_err("it is not whole");
        fs.vfs.release(fh);
        fs.vfs.finish(Deadline::after(AMPLE));
        assert!(server.content("f") == Some(old), "late: {late}");
    }
}

/// It was read from the server from then on, which had never seen it: an empty file, or ESTALE.
#[test]
fn what_is_removed_before_it_was_stored_is_read_by_those_who_have_it_open() {
    for replaced in [false, true] {
        let server = MemoryRemote::default();
        let fs = Fs::in_memory(&server, |write| write.writeback = true);
        server.hold("226");
        let (_, fh) = fs.create("f");
        fs.write(fh, 0, b"data");
        fs.close(fh);
        let reader = fs.open_as("f", How::READ);
        if replaced {
            let (_, fh) = fs.create("g");
            fs.write(fh, 0, b"other");
            fs.close(fh);
            server.release();
            fs.rename("g", "f", 0).expect("it is renamed");
        } else {
            let removed = || answer(|tell| fs.vfs.unlink(Ino::ROOT, b"f", tell));
            std::thread::scope(|scope| {
                let removed = scope.spawn(removed);
                server.release();
                removed.join().expect("no panic").expect("it is removed");
            });
        }
        assert_eq!(fs.read(reader, 0, 10).expect("it is read"), b"data");
        fs.vfs.release(reader);
        let left = fs.vfs.finish(Deadline::after(AMPLE));
        assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
        assert_eq!(server.paths(), if replaced { vec!["f"] } else { vec![] });
    }
}

/// rsync closes, sets the time, then the mode: what came just when the upload had arrived was noted for that upload.
#[test]
fn what_is_set_while_the_upload_ends_is_not_lost() {
    let server = MemoryRemote::default();
    let fs = Fs::in_memory(&server, |write| write.writeback = true);
    let set = |ino, mode| {
        let wanted = Wanted { mode: Some(mode), ..Wanted::default() };
        answer(|tell| fs.vfs.set_attributes(ino, wanted, tell)).expect("it is noted");
    };
    server.hold("226");
    server.hold("MFMT");
    let (ino, fh) = fs.create("f");
    fs.write(fh, 0, b"data");
    fs.close(fh);
    server.wait_held(1);
    // Not with the content any more: on its way behind it.
    set(ino, 0o640);
    server.release_only("226");
    server.wait_for("MFMT", 1);
    set(ino, 0o644);
    server.release();
    answer(|tell| fs.vfs.fsync_dir(Ino::ROOT, tell)).expect("all is stored and set");
    assert_eq!(server.facts("f").map(|(_, mode)| mode), Some(0o644), "{:#?}", server.log());
}

/// rsync and many editors close a file, set its time and mode, and give it its name then: each of that waited until the server
/// had the file, 222 s for a thousand of them.
#[test]
fn what_is_renamed_right_after_it_was_closed_is_sent_once_and_under_its_last_name() {
    for old in [None, Some(&b"old"[..])] {
        let server = old.map_or_else(MemoryRemote::default, |old| MemoryRemote::default().file("f", old));
        let fs = Fs::in_memory(&server, |write| {
            (write.writeback, write.ripens) = (true, Duration::from_secs(3600));
        });
        let (ino, fh) = fs.create(".f.Xy12");
        fs.write(fh, 0, b"newer");
        fs.close(fh);
        let wanted = Wanted { mode: Some(0o640), ..Wanted::default() };
        answer(|tell| fs.vfs.set_attributes(ino, wanted, tell)).expect("it is noted");
        fs.rename(".f.Xy12", "f", 0).expect("nothing is asked for that");
        assert!(server.log().iter().all(|line| !line.contains("STOR")), "{:#?}", server.log());
        assert_eq!(fs.read_all("f").expect("it is here"), b"newer");
        // Who waits for it does not wait an hour.
        let left = fs.vfs.finish(Deadline::after(AMPLE));
        assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
        assert_eq!(server.paths(), ["f"], "{:#?}", server.log());
        assert_eq!(server.content("f").as_deref(), Some(&b"newer"[..]), "{:#?}", server.log());
        assert_eq!(server.facts("f").map(|(_, mode)| mode), Some(0o640), "{:#?}", server.log());
        assert!(server.log().iter().all(|line| !line.contains("Xy12")), "{:#?}", server.log());
    }
}
