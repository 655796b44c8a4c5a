//! The journal of write-back as the rest of the program sees it: random histories, threads, a disk that is full.

#[path = "support/disk.rs"]
mod disk;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::thread;

use disk::Disk;
use ftpfs::remote::{RemotePath, Stamp, Version};
use ftpfs::store::{Job, Journal, JournalId, Pending, Spool, SpoolDir};
use proptest::prelude::*;

fn open(dir: &Arc<SpoolDir>) -> (Journal, Vec<Pending>) {
    Journal::open(dir, "ftp://user@host/").expect("opens")
}

fn path(n: u8) -> RemotePath {
    RemotePath::new(&[b'/', b'a' + n % 26]).expect("valid")
}

fn version(size: u64) -> Version {
    Version { size, mtime: Some(Stamp::exact(-1)), unique: None }
}

fn spool(dir: &Arc<SpoolDir>, byte: u8, len: u64) -> Spool {
    let spool = dir.create().expect("creates");
    spool.write_at(0, &vec![byte; len as usize]).expect("writes");
    spool
}

fn job(n: u8, len: u64) -> Job {
    Job { path: path(n), base: None, len, mtime: i64::from(n), mode: None }
}

fn content(dir: &Arc<SpoolDir>, pending: &Pending) -> Vec<u8> {
    let mut bytes = vec![0; pending.job.len as usize];
    Spool::open(dir, &pending.spool).expect("opens").read_at(0, &mut bytes).expect("reads");
    bytes
}

#[derive(Clone, Debug)]
enum Step {
    Queue(u8, bool),
    Moved(u8, Option<u64>, bool),
    Part(u8),
    Stored(u64),
    Done,
    Dropped,
    Keep,
    Reopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (any::<u8>(), prop::bool::weighted(0.3)).prop_map(|(n, replace)| Step::Queue(n, replace)),
        3 => (any::<u8>(), any::<Option<u64>>(), prop::bool::weighted(0.3)).prop_map(|(n, v, r)| Step::Moved(n, v, r)),
        4 => any::<u8>().prop_map(Step::Part),
        2 => any::<u64>().prop_map(Step::Stored),
        3 => Just(Step::Done),
        1 => Just(Step::Dropped),
        1 => Just(Step::Keep),
        2 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn it_remembers_what_it_was_told(steps in prop::collection::vec((any_step(), any::<prop::sample::Index>()), 1..60)) {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let dir = SpoolDir::open(temp.path(), None).expect("a spool directory");
        let (mut journal, _) = open(&dir);
        let mut model: BTreeMap<JournalId, (Pending, u8)> = BTreeMap::new();
        for (step, which) in steps {
            let ids: Vec<_> = model.keys().copied().collect();
            let id = (!ids.is_empty()).then(|| ids[which.index(ids.len())]);
            match (step, id) {
                (Step::Queue(n, replace), id) => {
                    let old = id.filter(|_| replace);
                    let len = u64::from(n) * 50;
                    let id = journal.queue(&spool(&dir, n, len), job(n, len), old).expect("queues");
                    prop_assert!(ids.iter().all(|&old| old < id));
                    old.map(|old| model.remove(&old));
                    let pending = journal.pending(id).expect("lives");
                    prop_assert_eq!(&pending.job, &job(n, len));
                    prop_assert_eq!((&pending.part, &pending.stored), (&None, &None));
                    model.insert(id, (pending, n));
                }
                (Step::Moved(n, base, replace), Some(id)) => {
                    let old = ids.iter().copied().find(|&old| replace && old != id);
                    let base = base.map(version);
                    journal.moved(id, &path(n), base.as_ref(), old).expect("writes");
                    old.map(|old| model.remove(&old));
                    let (item, _) = model.get_mut(&id).expect("lives");
                    (item.job.path, item.job.base) = (path(n), base);
                }
                (Step::Part(n), Some(id)) => {
                    journal.part(id, &path(n)).expect("writes");
                    let (item, _) = model.get_mut(&id).expect("lives");
                    (item.part, item.stored) = (Some(path(n)), None);
                }
                (Step::Stored(size), Some(id)) => {
                    journal.stored(id, &version(size)).expect("writes");
                    model.get_mut(&id).expect("lives").0.stored = Some(version(size));
                }
                (step @ (Step::Done | Step::Dropped | Step::Keep), Some(id)) => {
                    match step {
                        Step::Done => journal.done(id).expect("writes"),
                        Step::Dropped => journal.dropped(id).expect("writes"),
                        _ => drop(journal.keep(id, "x").expect("keeps")),
                    }
                    model.remove(&id);
                    prop_assert_eq!(journal.part(id, &path(0)).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
                }
                (Step::Reopen, _) => {
                    drop(journal);
                    let pending;
                    (journal, pending) = open(&dir);
                    prop_assert_eq!(&pending, &model.values().map(|(p, _)| p.clone()).collect::<Vec<_>>());
                    for (item, byte) in model.values() {
                        prop_assert!(content(&dir, item) == vec![*byte; item.job.len as usize]);
                    }
                }
                (_, None) => {}
            }
            for (&id, (item, _)) in &model {
                prop_assert_eq!(journal.pending(id), Some(item.clone()));
            }
            let cost: u64 = model.values().map(|(item, _)| item.job.len.div_ceil(4096) * 4096).sum();
            prop_assert_eq!(dir.used(), cost);
        }
    }
}

#[test]
fn many_threads_share_a_journal() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let dir = SpoolDir::open(temp.path(), None).expect("a spool directory");
    let (journal, _) = open(&dir);
    thread::scope(|scope| {
        for thread in 0..6 {
            let (journal, dir) = (&journal, &dir);
            scope.spawn(move || {
                for n in 0..10 {
                    let id = journal.queue(&spool(dir, thread, 10), job(thread, 10), None).expect("queues");
                    journal.part(id, &path(n)).expect("writes");
                    journal.stored(id, &version(10)).expect("writes");
                    if n < 9 {
                        journal.done(id).expect("writes");
                    }
                }
            });
        }
    });
    assert_eq!(dir.used(), 6 * 4096);
    drop(journal);
    let (_journal, pending) = open(&dir);
    let mut left: Vec<_> = pending.iter().map(|p| content(&dir, p)[0]).collect();
    left.sort_unstable();
    assert_eq!(left, [0, 1, 2, 3, 4, 5]);
    assert!(pending.iter().all(|p| p.stored == Some(version(10)) && p.part == Some(path(9))));
}

#[test]
fn on_a_full_disk_items_still_end_and_make_room() {
    let disk = Disk::new(64);
    let dir = disk.dir(None);
    let (journal, _) = open(&dir);
    let first = journal.queue(&spool(&dir, 1, 8 * 4096), job(1, 8 * 4096), None).expect("there is room");
    let second = journal.queue(&spool(&dir, 2, 4096), job(2, 4096), None).expect("there is room");
    let filler = dir.create().expect("creates");
    let full = (0..).find_map(|at| filler.write_at(at * 4096, &[0; 4096]).err()).expect("no disk is endless");
    assert_eq!(full.kind(), ErrorKind::StorageFull);

    // More records than the last page of the file holds.
    for n in 0..100 {
        journal.part(first, &path(n)).expect("room was set aside");
        journal.stored(first, &version(1)).expect("room was set aside");
    }
    journal.done(first).expect("room was set aside");
    filler.write_at(1 << 20, &[0; 4096]).expect("the item has made room");

    let full =
        (0..).find_map(|at| filler.write_at((1 << 20) + at * 4096, &[0; 4096]).err()).expect("no disk is endless");
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let error =
        (0..).find_map(|n| journal.part(second, &path((n % 26) as u8)).err()).expect("what was set aside is used up");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let known = journal.pending(second);
    drop(filler);
    let third = journal.queue(&spool(&dir, 3, 10), job(3, 10), None).expect("there is room again");
    drop(journal);
    let (_journal, pending) = open(&dir);
    assert_eq!(pending.first(), known.as_ref());
    assert_eq!(pending.iter().map(|p| p.id).collect::<Vec<_>>(), [second, third]);
}

#[test]
fn a_full_disk_at_the_start_is_no_reason_not_to_start() {
    let disk = Disk::new(64);
    let dir = disk.dir(None);
    let (journal, _) = open(&dir);
    let id = journal.queue(&spool(&dir, 1, 4096), job(1, 4096), None).expect("there is room");
    let file = journal.pending(id).expect("lives").spool.with_file_name("journal");
    drop(journal);
    // A torn line: the file has to be written anew.
    let mut bytes = std::fs::read(&file).expect("reads");
    bytes.extend_from_slice(b"0123456789abcdef 7.0 que");
    std::fs::write(&file, &bytes).expect("writes");
    let filler = dir.create().expect("creates");
    (0..).find_map(|at| filler.write_at(at * 4096, &[0; 4096]).err()).expect("no disk is endless");

    let (journal, pending) = open(&dir);
    assert_eq!(pending.len(), 1);
    assert_eq!(content(&dir, &pending[0]), [1; 4096]);
    let error = journal.queue(&spool_of_holes(&dir), job(2, 4096), None).expect_err("no room for a record");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    drop(filler);
    journal.done(id).expect("there is room again");
    drop(journal);
    assert_eq!(open(&dir).1, []);
}

fn spool_of_holes(dir: &Arc<SpoolDir>) -> Spool {
    let spool = dir.create().expect("creates");
    spool.truncate(4096).expect("costs nothing");
    spool
}
