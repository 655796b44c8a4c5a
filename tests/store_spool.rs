//! Spools on a disk that is full: a small tmpfs of the test's own.

#[path = "support/disk.rs"]
mod disk;

use std::io::{self, ErrorKind};

use disk::Disk;
use ftpfs::store::Spool;

fn fill(spool: &Spool) -> (u64, io::Error) {
    let mut at = 0;
    loop {
        match spool.write_at(at, &[7; 5000]) {
            Ok(()) => at += 5000,
            Err(error) => return (at, error),
        }
    }
}

#[test]
fn a_full_disk_is_an_error_that_harms_nothing() {
    let disk = Disk::new(16);
    let dir = disk.dir(None);
    let (first, second) = (dir.create().expect("creates"), dir.create().expect("creates"));
    second.write_at(0, b"second").expect("there is room");
    let (len, error) = fill(&first);
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    // Exactly what is on the disk is charged, with what the failed write had got done.
    assert_eq!(dir.used(), 16 * 4096);

    let mut bytes = vec![0; len as usize];
    first.read_at(0, &mut bytes).expect("reads");
    assert!(bytes.iter().all(|&b| b == 7));
    first.write_at(3, b"over").expect("overwriting needs no room");
    assert_eq!(second.write_at(4096, b"x").expect_err("full").kind(), ErrorKind::StorageFull);
    assert_eq!(second.allocated(), 4096);

    first.punch(0..2 * 4096).expect("punches");
    second.write_at(4096, b"x").expect("there is room again");
    assert_eq!(dir.used(), 15 * 4096);
    drop(first);
    assert_eq!(dir.used(), 2 * 4096);
    second.write_at(0, &[1; 16 * 4096]).expect("all of the disk is free again");
}

#[test]
fn a_full_disk_still_lets_a_spool_be_kept() {
    let disk = Disk::new(16);
    let dir = disk.dir(None);
    let spool = dir.create().expect("creates");
    let (len, _) = fill(&spool);
    let path = spool.keep("somewhere").expect("a name needs no room on a tmpfs");
    drop(spool);
    assert!(std::fs::read(path).expect("is there").len() as u64 >= len);
}

#[test]
fn a_limit_below_the_disk_comes_first() {
    let disk = Disk::new(16);
    let dir = disk.dir(Some(4 * 4096));
    let spool = dir.create().expect("creates");
    let (len, error) = fill(&spool);
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(len, 15_000);
    assert_eq!(dir.used(), 4 * 4096);
}
