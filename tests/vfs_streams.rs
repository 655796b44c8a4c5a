//! Large files that several transfers fetch at once, each a piece.

mod support;

use std::sync::Arc;
use std::time::Duration;

use ftpfs::config::{Files, Write};
use ftpfs::remote::ErrorKind;
use ftpfs::vfs::{Fault, Fh};

use support::client::AMPLE;
use support::files::{Fs, fault, files};
use support::memory_remote::{Can, MemoryRemote};
use support::process::wait_until;
use support::server::fill_pattern;

const MIB: u64 = 1 << 20;

fn pattern(seed: u64, from: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(len).expect("it fits")];
    fill_pattern(seed, from, &mut bytes);
    bytes
}

/// A server far away that grants so many connections, and has a file of `size` bytes.
fn far(connections: usize, size: u64) -> MemoryRemote {
    let can = Can { delay: Some(Duration::from_millis(40)), connections, ..Can::default() };
    MemoryRemote::new(can).file("f", &pattern(1, 0, size))
}

/// A mount that keeps `memory` bytes of content.
fn mount(server: &MemoryRemote, memory: usize) -> Fs {
    let files = Files { memory, ..files() };
    Fs::try_over(Arc::new(server.clone()), &files, |_: &mut Write| {}, AMPLE).expect("it starts")
}

/// Reads on from `at` to the end, and compares.
fn read_on(fs: &Fs, fh: Fh, mut at: u64, size: u64) {
    while at < size {
        let got = fs.read(fh, at, MIB as u32).expect("readable");
        assert_eq!(got.len() as u64, MIB.min(size - at), "a short read at {at}");
        assert!(got == pattern(1, at, got.len() as u64), "at {at}");
        at += got.len() as u64;
    }
}

/// Pieces that are here wait for those before them: without a bound the first ones were thrown out before anybody had read
/// them, and fetched again.
#[test]
fn several_streams_bring_a_file_once_whatever_memory_there_is() {
    const SIZE: u64 = 120 * MIB + 17;
    for memory in [24 << 20, 64 << 20, 256 << 20] {
        let server = far(9, SIZE);
        let fs = mount(&server, memory);
        let fh = fs.open("f").expect("it opens");
        read_on(&fs, fh, 0, SIZE);
        fs.vfs.release(fh);
        let fetched = server.fetched();
        assert!(fetched.most > 4, "{fetched:?}");
        // A piece may end in the middle of what a stream has asked for.
        assert!(fetched.bytes <= SIZE + SIZE / 20, "{fetched:?} with {memory} of memory: {:#?}", server.log());
    }
}

#[test]
fn one_connection_is_enough_for_a_large_file() {
    const SIZE: u64 = 48 * MIB;
    let server = far(1, SIZE);
    let fs = mount(&server, 64 << 20);
    let fh = fs.open("f").expect("it opens");
    read_on(&fs, fh, 0, SIZE);
    assert_eq!(server.fetched().most, 1, "{:#?}", server.log());
    assert_eq!(server.count("RETR"), 1, "{:#?}", server.log());
}

#[test]
fn a_piece_that_breaks_off_is_fetched_again_from_there() {
    const SIZE: u64 = 64 * MIB;
    let server = far(9, SIZE);
    let fs = mount(&server, 64 << 20);
    let fh = fs.open("f").expect("it opens");
    read_on(&fs, fh, 0, MIB);
    server.fail("bytes", Some("f"), ErrorKind::Unreachable, 2);
    read_on(&fs, fh, MIB, SIZE);
    let fetched = server.fetched();
    assert!(fetched.bytes <= SIZE + SIZE / 20, "{fetched:?}: {:#?}", server.log());
}

#[test]
fn a_piece_that_cannot_be_had_is_an_error_and_no_early_end() {
    const SIZE: u64 = 64 * MIB;
    let server = far(9, SIZE);
    let fs = mount(&server, 64 << 20);
    let fh = fs.open("f").expect("it opens");
    read_on(&fs, fh, 0, MIB);
    server.fail("bytes", Some("f"), ErrorKind::Unreachable, usize::MAX);
    server.fail("RETR", Some("f"), ErrorKind::Unreachable, usize::MAX);
    let mut at = MIB;
    let error = loop {
        assert!(at < SIZE, "not all of it had come");
        match fs.read(fh, at, MIB as u32) {
            Ok(got) => {
                assert!(got.len() as u64 == MIB && got == pattern(1, at, MIB), "at {at}");
                at += MIB;
            }
            Err(e) => break e,
        }
    };
    assert_eq!(error.fault, Fault::Broken);
    // The server is back.
    server.heal();
    wait_until("it is readable again", AMPLE, || fs.read(fh, at, MIB as u32).ok());
    read_on(&fs, fh, at, SIZE);
}

#[test]
fn pieces_of_two_versions_are_never_mixed() {
    const SIZE: u64 = 64 * MIB;
    let server = far(9, SIZE);
    let fs = mount(&server, 16 << 20);
    let fh = fs.open("f").expect("it opens");
    read_on(&fs, fh, 0, 2 * MIB);
    // As long, another one.
    server.set_clock(1_800_000_000);
    server.store("f", &pattern(2, 0, SIZE));
    let mut at = 2 * MIB;
    let error = loop {
        assert!(at < SIZE, "it has changed");
        match fs.read(fh, at, MIB as u32) {
            Ok(got) => assert!(got == pattern(1, at, MIB), "at {at}"),
            Err(e) => break e,
        }
        at += MIB;
    };
    assert_eq!(error.fault, Fault::Remote(ErrorKind::Changed));
    assert_eq!(fault(fs.read(fh, 0, 4096)), Fault::Remote(ErrorKind::Changed), "for good");
}

/// Streams that have to wait for their reader hold connections, and do not hold what others ask for.
#[test]
fn a_reader_that_pauses_stops_nobody() {
    const SIZE: u64 = 120 * MIB;
    let server = far(9, SIZE).file("other", b"small");
    let fs = mount(&server, 24 << 20);
    let fh = fs.open("f").expect("it opens");
    read_on(&fs, fh, 0, 2 * MIB);
    assert_eq!(fs.read_all("other").expect("readable"), b"small");
    assert!(server.fetched().bytes < 30 * MIB, "not more than there is room for: {:?}", server.fetched());
    read_on(&fs, fh, 2 * MIB, SIZE);
}
