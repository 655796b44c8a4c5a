//! Copies by the server, asked for as the kernel asks for them.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use ftpfs::base::Deadline;
use ftpfs::config::{UploadWay, Write};
use ftpfs::remote::ErrorKind;
use ftpfs::vfs::{Fault, Fh, How, Ino, Result, Wanted, When};

use support::client::AMPLE;
use support::files::{BOTH, Fs, answer, fault};
use support::memory_remote::MemoryRemote;
use support::server::{Copies, DEFAULT_MTIME, Disk, FakeServer, Personality, Tree};

const WRITTEN: How = How { read: true, write: true, append: false, truncate: true };

/// More than is sent rather than copied.
const SIZE: usize = 300_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn server() -> MemoryRemote {
    MemoryRemote::default().file("source", &content())
}

fn start(server: &MemoryRemote, adjust: impl FnOnce(&mut Write)) -> Fs {
    Fs::in_memory(server, adjust)
}

fn copy_range(fs: &Fs, from: (Fh, u64), to: (Fh, u64), len: u64) -> Result<u32> {
    answer(|tell| fs.vfs.copy(from, to, len, tell))
}

/// As programs do: more than there is.
fn copy(fs: &Fs, from: Fh, to: Fh) -> Result<u32> {
    copy_range(fs, (from, 0), (to, 0), SIZE as u64)
}

/// Somebody else replaces the source in the middle.
fn copy_while_it_changes(server: &MemoryRemote, fs: &Fs, from: Fh, to: Fh) -> Result<u32> {
    server.hold("SITE COPY");
    let (tell, hear) = mpsc::channel();
    fs.vfs.copy((from, 0), (to, 0), SIZE as u64, move |done| drop(tell.send(done)));
    server.wait_held(1);
    server.set_clock(1_800_000_000);
    server.store("source", &[1; SIZE]);
    server.release();
    hear.recv_timeout(AMPLE).expect("it is answered")
}

fn size(fs: &Fs, ino: Ino) -> u64 {
    answer(|tell| fs.vfs.getattr(ino, tell)).expect("it is known").0.size
}

#[track_caller]
fn is_refused(done: Result<u32>) {
    assert_eq!(fault(done), Fault::Remote(ErrorKind::Unsupported));
}

#[track_caller]
fn ends_well(fs: &Fs) {
    let left = fs.vfs.finish(Deadline::after(AMPLE));
    assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
}

#[test]
fn a_new_file_becomes_a_copy_and_nothing_is_sent() {
    for writeback in [false, true] {
        let server = server();
        let fs = start(&server, |write| write.writeback = writeback);
        let from = fs.open("source").expect("it opens");
        let (ino, to) = fs.create("copy");
        assert_eq!(copy(&fs, from, to).expect("it is copied"), SIZE as u32);
        assert_eq!(server.content("copy"), Some(content()), "stored when it is told, write-back or not");
        assert_eq!(size(&fs, ino), SIZE as u64);
        assert_eq!(fs.read(to, 1_000, 2_000).expect("it is read"), content()[1_000..3_000]);
        server.clear_log();
        fs.close(to);
        ends_well(&fs);
        assert_eq!((server.count("STOR"), server.count("APPE")), (0, 0), "{:#?}", server.log());
        assert_eq!(server.content("copy"), Some(content()));
        assert_eq!(server.paths(), ["copy", "source"]);
    }
}

#[test]
fn a_file_that_is_emptied_keeps_its_content_until_the_copy_is_whole() {
    for upload in [UploadWay::Auto, UploadWay::Atomic] {
        let server = server().file("copy", b"what was there");
        let fs = start(&server, |write| write.upload = upload);
        let from = fs.open("source").expect("it opens");
        let to = fs.open_as("copy", WRITTEN);
        server.fail("SITE COPY", None, ErrorKind::Quota, 1);
        assert_eq!(fault(copy(&fs, from, to)), Fault::Remote(ErrorKind::Quota));
        assert_eq!(server.content("copy").as_deref(), Some(&b"what was there"[..]));
        assert_eq!(copy(&fs, from, to).expect("it is copied"), SIZE as u32);
        fs.close(to);
        ends_well(&fs);
        assert_eq!(server.content("copy"), Some(content()));
        assert_eq!(server.paths(), ["copy", "source"]);
        assert_eq!(server.count("STOR"), 0, "{:#?}", server.log());
    }
}

#[test]
fn what_is_to_be_written_in_place_is_not_put_at_risk() {
    let server = server().file("copy", b"what was there");
    let fs = start(&server, |write| write.upload = UploadWay::InPlace);
    let from = fs.open("source").expect("it opens");
    let to = fs.open_as("copy", WRITTEN);
    is_refused(copy(&fs, from, to));
    assert_eq!(server.count("SITE COPY"), 0);
}

#[test]
fn only_whole_files_into_empty_ones_are_copied() {
    let server = server().file("other", b"content");
    let fs = start(&server, |_| {});
    let from = fs.open("source").expect("it opens");
    let (_, to) = fs.create("copy");
    let len = SIZE as u64;
    is_refused(copy_range(&fs, (from, 0), (to, 0), len - 1));
    is_refused(copy_range(&fs, (from, 1), (to, 0), len));
    is_refused(copy_range(&fs, (from, 0), (to, 1), len));
    is_refused(copy_range(&fs, (from, 4096), (to, 4096), len));
    is_refused(copy(&fs, from, fs.open_as("other", BOTH)));
    is_refused(copy(&fs, from, fs.open_as("source", BOTH)));
    fs.write(to, 0, b"x");
    is_refused(copy(&fs, from, to));
    assert_eq!(server.count("SITE COPY"), 0, "{:#?}", server.log());
    assert_eq!(fault(copy(&fs, from, from)), Fault::BadHandle);
}

#[test]
fn a_server_that_copies_nothing_is_not_bothered() {
    let server = server();
    server.change(|can| can.copies = false);
    let fs = start(&server, |_| {});
    let from = fs.open("source").expect("it opens");
    let (_, to) = fs.create("copy");
    server.clear_log();
    is_refused(copy(&fs, from, to));
    fs.write(to, 0, &content());
    fs.close(to);
    assert_eq!(server.content("copy"), Some(content()));
    assert!(!server.log().iter().any(|line| line.starts_with("ABOR")), "{:#?}", server.log());
}

#[test]
fn a_small_file_in_memory_is_sent() {
    let server = MemoryRemote::default().file("small", &[7; 1_000]);
    let fs = start(&server, |_| {});
    let from = fs.open("small").expect("it opens");
    let (_, to) = fs.create("first");
    assert_eq!(copy_range(&fs, (from, 0), (to, 0), 1_000).expect("it would have to be fetched"), 1_000);
    fs.read(from, 0, 1_000).expect("it is read");
    let (_, to) = fs.create("second");
    is_refused(copy_range(&fs, (from, 0), (to, 0), 1_000));
}

/// Whatever goes wrong, the kernel reads and writes then: it begins with the first byte.
#[test]
fn what_the_server_will_not_copy_is_written() {
    for writeback in [false, true] {
        for kind in [ErrorKind::Denied, ErrorKind::Unreachable, ErrorKind::TimedOut, ErrorKind::Unsupported] {
            let server = server();
            let fs = start(&server, |write| write.writeback = writeback);
            let from = fs.open("source").expect("it opens");
            let (_, to) = fs.create("copy");
            server.fail("SITE COPY", None, kind, 2);
            is_refused(copy(&fs, from, to));
            for (n, piece) in content().chunks(100_000).enumerate() {
                fs.write(to, n as u64 * 100_000, piece);
            }
            fs.close(to);
            ends_well(&fs);
            assert_eq!(server.content("copy"), Some(content()), "{kind:?}");
            assert_eq!(server.paths(), ["copy", "source"], "{kind:?}");
        }
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_an_empty_file() {
    let server = server();
    server.change(|can| can.room = Some(SIZE as u64 + 10));
    let fs = start(&server, |_| {});
    let from = fs.open("source").expect("it opens");
    let (_, to) = fs.create("copy");
    assert_eq!(fault(copy(&fs, from, to)), Fault::Remote(ErrorKind::NoSpace));
    fs.close(to);
    assert_eq!(server.content("copy"), Some(Vec::new()));
}

#[test]
fn a_source_that_is_not_stored_yet_or_has_changed_is_read() {
    for writeback in [false, true] {
        let server = server();
        let fs = start(&server, |write| write.writeback = writeback);
        let open = fs.open_as("source", BOTH);
        fs.write(open, 5, b"new");
        let from = fs.open("source").expect("it opens");
        let (_, to) = fs.create("copy");
        is_refused(copy(&fs, from, to));
        answer(|tell| fs.vfs.fsync(open, tell)).expect("it is stored");
        assert_eq!(copy(&fs, from, to).expect("now it can be"), SIZE as u32);
        assert_eq!(server.content("copy"), server.content("source"));
        assert_eq!(&server.content("copy").expect("it is there")[5..8], b"new");
    }
    let server = server();
    let fs = start(&server, |_| {});
    let from = fs.open("source").expect("it opens");
    fs.read(from, 0, 10).expect("it is read");
    server.set_clock(1_800_000_000);
    server.store("source", &[1; SIZE]);
    let (_, to) = fs.create("copy");
    is_refused(copy(&fs, from, to));
    assert_eq!(server.count("SITE COPY"), 0, "{:#?}", server.log());
}

/// Of what has changed in the middle nobody knows which bytes the server has copied.
#[test]
fn a_source_that_changes_while_it_is_copied_is_read() {
    for existing in [false, true] {
        let server = server().file("old", b"what was there");
        let fs = start(&server, |_| {});
        let from = fs.open("source").expect("it opens");
        let to = if existing { fs.open_as("old", WRITTEN) } else { fs.create("new").1 };
        is_refused(copy_while_it_changes(&server, &fs, from, to));
        // A new one is there, and is overwritten.
        if existing {
            assert_eq!(server.content("old").as_deref(), Some(&b"what was there"[..]));
        }
        fs.write(to, 0, b"written");
        fs.close(to);
        ends_well(&fs);
        assert_eq!(server.content(if existing { "old" } else { "new" }).as_deref(), Some(&b"written"[..]));
        assert_eq!(server.paths().len(), if existing { 2 } else { 3 }, "{:?}", server.paths());
    }
}

/// Removed, it would have lost its mode, and for a while its name.
#[test]
fn an_empty_file_stays_whatever_becomes_of_its_copy() {
    for kind in [None, Some(ErrorKind::NoSpace), Some(ErrorKind::Unreachable), Some(ErrorKind::Protocol)] {
        let server = server().file("empty", b"");
        let fs = start(&server, |_| {});
        let from = fs.open("source").expect("it opens");
        let to = fs.open_as("empty", WRITTEN);
        if let Some(kind) = kind {
            server.fail("SITE COPY", None, kind, 1);
        }
        copy_while_it_changes(&server, &fs, from, to).expect_err("it is no copy");
        fs.write(to, 0, b"written");
        fs.close(to);
        ends_well(&fs);
        assert_eq!(server.count("DELE"), 0, "{:#?}", server.log());
        assert_eq!(server.content("empty").as_deref(), Some(&b"written"[..]));
    }
}

#[test]
fn a_part_of_a_copy_that_was_to_replace_a_file_is_removed() {
    let personality = Personality::mlsd().writing(|it| it.copies = Copies::Unknown);
    let large = 3 << 20;
    let tree = Tree::new().file_pattern("source", large, 7).file("old", "what was there", DEFAULT_MTIME);
    let server = FakeServer::start(personality.with_disk(Disk::of(large + 100_000)), tree);
    let fs = Fs::new(&server);
    let from = fs.open("source").expect("it opens");
    let to = fs.open_as("old", WRITTEN);
    assert_eq!(fault(copy_range(&fs, (from, 0), (to, 0), large)), Fault::Remote(ErrorKind::NoSpace));
    assert_eq!(server.log().verb("STOR"), 1, "{}", server.log());
    assert!(!server.paths().iter().any(|path| path.contains(".ftpfs")), "{:?}", server.paths());
    assert_eq!(server.len_of("old"), Some(14), "{}", server.log());
}

#[test]
fn a_source_that_waits_for_the_server_is_read() {
    let server = MemoryRemote::default();
    let fs = start(&server, |write| write.writeback = true);
    server.hold("226");
    let (_, fh) = fs.create("source");
    fs.write(fh, 0, &content());
    fs.close(fh);
    let from = fs.open("source").expect("it opens");
    let (_, to) = fs.create("copy");
    is_refused(copy(&fs, from, to));
    assert_eq!(server.count("SITE COPY"), 0);
    server.release();
    ends_well(&fs);
}

#[test]
fn a_target_that_waits_for_the_server_is_written() {
    let server = server();
    let fs = start(&server, |write| write.writeback = true);
    server.hold("226");
    let (_, fh) = fs.create("copy");
    fs.write(fh, 0, b"earlier");
    fs.close(fh);
    let from = fs.open("source").expect("it opens");
    let to = fs.open_as("copy", WRITTEN);
    is_refused(copy(&fs, from, to));
    server.release();
    fs.write(to, 0, &content());
    fs.close(to);
    ends_well(&fs);
    assert_eq!(server.content("copy"), Some(content()));
}

#[test]
fn what_is_written_to_a_copy_goes_on_from_it() {
    for writeback in [false, true] {
        let server = server();
        let fs = start(&server, |write| write.writeback = writeback);
        let from = fs.open("source").expect("it opens");
        let (ino, to) = fs.create("copy");
        copy(&fs, from, to).expect("it is copied");
        fs.write(to, 10, b"patched");
        fs.write(to, SIZE as u64, b"tail");
        assert_eq!(size(&fs, ino), SIZE as u64 + 4);
        let mut wanted = content();
        wanted[10..17].copy_from_slice(b"patched");
        wanted.extend_from_slice(b"tail");
        assert_eq!(fs.read(to, 0, 100).expect("it is read"), wanted[..100]);
        fs.close(to);
        ends_well(&fs);
        assert!(server.content("copy") == Some(wanted), "{:#?}", server.log());
        assert!(server.content("source") == Some(content()));
    }
}

#[test]
fn a_copy_is_appended_to_cut_renamed_and_removed_while_it_is_open() {
    let server = server();
    let fs = start(&server, |_| {});
    let from = fs.open("source").expect("it opens");
    let (_, to) = fs.create("appended");
    copy(&fs, from, to).expect("it is copied");
    fs.write(to, SIZE as u64, b"tail");
    fs.close(to);
    assert!(server.content("appended") == Some([content(), b"tail".to_vec()].concat()));
    assert_eq!(server.count("APPE"), 1, "the rest is there: {:#?}", server.log());

    let (ino, to) = fs.create("cut");
    copy(&fs, from, to).expect("it is copied");
    let wanted = Wanted { size: Some((1_000, Some(to))), ..Wanted::default() };
    answer(|tell| fs.vfs.set_attributes(ino, wanted, tell)).expect("it is cut");
    fs.close(to);
    assert!(server.content("cut").as_deref() == Some(&content()[..1_000]));

    let (_, to) = fs.create("before");
    copy(&fs, from, to).expect("it is copied");
    fs.rename("before", "after", 0).expect("it is renamed");
    fs.write(to, 0, b"X");
    fs.close(to);
    assert_eq!(server.content("after").expect("it is there")[..2], [b'X', content()[1]]);

    let (_, to) = fs.create("gone");
    copy(&fs, from, to).expect("it is copied");
    answer(|tell| fs.vfs.unlink(Ino::ROOT, b"gone", tell)).expect("it is removed");
    assert_eq!(fs.read(to, 0, 10).expect("it is read"), content()[..10]);
    fs.close(to);
    ends_well(&fs);
    assert_eq!(server.paths(), ["after", "appended", "cut", "source"]);
}

#[test]
fn times_and_modes_that_are_set_on_a_copy_stay() {
    for writeback in [false, true] {
        let server = server();
        let fs = start(&server, |write| write.writeback = writeback);
        let from = fs.open("source").expect("it opens");
        let (ino, to) = fs.create("copy");
        copy(&fs, from, to).expect("it is copied");
        let mtime = Some(When::At(std::time::UNIX_EPOCH + Duration::from_secs(1_234_567_890)));
        let wanted = Wanted { mode: Some(0o600), mtime, ..Wanted::default() };
        answer(|tell| fs.vfs.set_attributes(ino, wanted, tell)).expect("it is set");
        fs.close(to);
        ends_well(&fs);
        assert_eq!(server.facts("copy"), Some((1_234_567_890, 0o600)));
    }
}

/// Who removes a file waits until it is known what it is.
#[test]
fn nothing_is_sent_to_a_file_that_is_just_being_copied() {
    let server = server();
    let fs = start(&server, |_| {});
    let from = fs.open("source").expect("it opens");
    let (_, to) = fs.create("copy");
    server.hold("SITE COPY");
    let (tell, hear) = mpsc::channel();
    fs.vfs.copy((from, 0), (to, 0), SIZE as u64, move |done| drop(tell.send(done)));
    server.wait_held(1);
    let (closed, hear_closed) = mpsc::channel();
    fs.vfs.flush(to, move |done| drop(closed.send(done)));
    let (renamed, hear_renamed) = mpsc::channel();
    fs.vfs.rename((Ino::ROOT, b"copy"), (Ino::ROOT, b"moved"), 0, move |done| drop(renamed.send(done)));
    server.release();
    assert_eq!(hear.recv_timeout(AMPLE).expect("it is answered").expect("it is copied"), SIZE as u32);
    hear_closed.recv_timeout(AMPLE).expect("it is answered").expect("it is closed");
    hear_renamed.recv_timeout(AMPLE).expect("it is answered").expect("it is renamed");
    fs.vfs.release(to);
    ends_well(&fs);
    assert_eq!(server.content("moved"), Some(content()));
    assert_eq!(server.paths(), ["moved", "source"], "{:#?}", server.log());
}

/// As it comes from kernels and programs, which ask for 1, 2 or 4 GiB at a time.
#[test]
fn a_large_file_is_copied_once_and_told_in_pieces() {
    const LARGE: u64 = 5 << 30;
    let personality = Personality::mlsd().writing(|it| it.copies = Copies::InTwo);
    let server = FakeServer::start(personality, Tree::new().file_pattern("source", LARGE, 3));
    let fs = Fs::new(&server);
    for (name, most) in [("endless", u64::MAX >> 1), ("rounded", 0x7fff_f000), ("gibibytes", 1 << 30)] {
        let from = fs.open("source").expect("it opens");
        let (ino, to) = fs.create(name);
        let (mut at, mut calls) = (0, 0);
        while at < LARGE {
            let told = copy_range(&fs, (from, at), (to, at), most.min(LARGE - at)).expect("it is copied");
            assert!(told > 0 && told < 1 << 31, "{told}");
            at += u64::from(told);
            calls += 1;
            assert_eq!(size(&fs, ino), at);
        }
        assert_eq!((at, server.count_of("SITE CPTO", name)), (LARGE, 1), "{calls} calls");
        is_refused(copy_range(&fs, (from, at), (to, at), 1));
        fs.close(to);
        assert_eq!(server.len_of(name), Some(LARGE));
    }
    let log = server.log();
    assert!(log.verb("RETR") == 0 && log.data_bytes() < 10_000, "{log}");
}
