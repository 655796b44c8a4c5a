use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;

fn dir(limit: Option<u64>) -> (tempfile::TempDir, Arc<SpoolDir>) {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let dir = SpoolDir::open(&temp.path().join("spool"), limit).expect("a spool directory");
    (temp, dir)
}

fn read(spool: &Spool, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; len];
    spool.read_at(at, &mut bytes).expect("reads");
    bytes
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("is there").permissions().mode() & 0o7777
}

/// All tests of what a spool does run on unnamed files and on the others.
fn both(limit: Option<u64>, test: impl Fn(&Arc<SpoolDir>)) {
    let (_temp, unnamed) = dir(limit);
    test(&unnamed);
    let (_temp, named) = dir(limit);
    named.without_unnamed_files();
    test(&named);
}

#[test]
fn what_was_written_is_read_and_the_rest_is_zeros() {
    both(None, |dir| {
        let spool = dir.create().expect("creates");
        spool.write_at(10, b"hello").expect("writes");
        assert_eq!(read(&spool, 8, 10), b"\0\0hello\0\0\0");
        assert_eq!(read(&spool, u64::MAX - 1, 3), [0; 3]);
        spool.truncate(12).expect("truncates");
        spool.truncate(20).expect("grows");
        assert_eq!(read(&spool, 8, 10), b"\0\0he\0\0\0\0\0\0");
        spool.sync().expect("syncs");
    });
}

#[test]
fn holes_cost_nothing() {
    both(None, |dir| {
        let spool = dir.create().expect("creates");
        spool.write_at(1 << 40, b"x").expect("writes far out");
        assert_eq!((spool.allocated(), dir.used()), (4096, 4096));
        spool.truncate(1 << 41).expect("grows");
        assert_eq!(dir.used(), 4096);
        spool.write_at(0, &[1; 8192]).expect("writes");
        spool.write_at(100, &[2; 5000]).expect("writes over");
        assert_eq!(dir.used(), 3 * 4096);
        spool.truncate(4097).expect("shrinks");
        assert_eq!(dir.used(), 2 * 4096);
        spool.truncate(0).expect("shrinks");
        assert_eq!(dir.used(), 0);
        spool.write_at(0, &[1; 4096]).expect("writes");
        drop(spool);
        assert_eq!(dir.used(), 0);
    });
}

#[test]
fn punched_pages_cost_nothing_and_the_others_stay() {
    let (_temp, dir) = dir(None);
    let spool = dir.create().expect("creates");
    spool.write_at(0, &[7; 5 * 4096]).expect("writes");
    spool.punch(1..4 * 4096 - 1).expect("punches");
    assert_eq!(dir.used(), 3 * 4096);
    assert_eq!(read(&spool, 0, 4096), [7; 4096]);
    assert_eq!(read(&spool, 4096, 4096), [0; 4096]);
    assert_eq!(read(&spool, 3 * 4096, 2 * 4096), [7; 2 * 4096]);
    spool.punch(1..4096).expect("punches nothing");
    assert_eq!(read(&spool, 0, 4096), [7; 4096]);
    spool.write_at(4096, b"again").expect("writes");
    assert_eq!(dir.used(), 4 * 4096);
}

#[test]
fn the_limit_holds_for_all_spools_together() {
    both(Some(3 * 4096), |dir| {
        let (a, b) = (dir.create().expect("creates"), dir.create().expect("creates"));
        a.write_at(0, &[1; 2 * 4096]).expect("fits");
        let error = b.write_at(0, &[2; 2 * 4096]).expect_err("does not fit");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!((dir.used(), b.allocated()), (2 * 4096, 0));
        assert_eq!(read(&b, 0, 4), [0; 4], "nothing of it was written");
        a.write_at(5, &[3; 8000]).expect("overwriting costs nothing");
        b.write_at(0, &[2; 4096]).expect("fits");
        drop(a);
        b.write_at(4096, &[2; 2 * 4096]).expect("fits now");
        assert_eq!(dir.used(), 3 * 4096);
    });
}

#[test]
fn a_position_behind_all_files_is_refused() {
    let (_temp, dir) = dir(None);
    let spool = dir.create().expect("creates");
    for at in [u64::MAX, i64::MAX as u64] {
        assert_eq!(spool.write_at(at, b"x").expect_err("too far").kind(), io::ErrorKind::FileTooLarge);
    }
    spool.write_at(u64::MAX, b"").expect("nothing to write");
    assert_eq!(dir.used(), 0);
}

#[test]
fn many_threads_write_without_a_lock() {
    const EACH: u64 = 64 * 1024;
    both(Some(8 * EACH), |dir| {
        let spool = dir.create().expect("creates");
        thread::scope(|scope| {
            for n in 0..8 {
                let spool = &spool;
                scope.spawn(move || {
                    // Odd steps, so that neighbours share pages.
                    for at in (n * EACH..(n + 1) * EACH).step_by(1000) {
                        let len = 1000.min((n + 1) * EACH - at) as usize;
                        spool.write_at(at, &vec![n as u8 + 1; len]).expect("fits exactly");
                    }
                    spool.punch(n * EACH..n * EACH + 4096).expect("punches");
                    spool.write_at(n * EACH, &[n as u8 + 1; 4096]).expect("fits again");
                });
            }
        });
        assert_eq!(dir.used(), 8 * EACH);
        for n in 0..8 {
            assert!(read(&spool, n * EACH, EACH as usize).iter().all(|&b| b == n as u8 + 1));
        }
        drop(spool);
        assert_eq!(dir.used(), 0);
    });
}

#[test]
fn spools_are_private() {
    both(None, |dir| {
        assert_eq!(mode(dir.path()), 0o700);
        let spool = dir.create().expect("creates");
        assert_eq!(spool.file.metadata().expect("stat").permissions().mode() & 0o7777, 0o600);
        let path = dir.path().join("named");
        spool.save_as(&path).expect("named");
        assert_eq!(mode(&path), 0o600);
        let kept = dir.create().expect("creates").keep("/etc/passwd").expect("keeps");
        assert_eq!(mode(&kept), 0o600);
        assert_eq!(mode(&kept.with_extension("txt")), 0o600);
        assert_eq!(mode(kept.parent().expect("has one")), 0o700);
    });
}

#[test]
fn a_directory_of_others_is_refused() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    for mode in [0o777, 0o770, 0o702, 0o1777] {
        let path = temp.path().join(format!("{mode:o}"));
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("opened up");
        let error = SpoolDir::open(&path, None).expect_err("others can write to it");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
    }
    let path = temp.path().join("a file");
    fs::write(&path, "").expect("made");
    SpoolDir::open(&path, None).expect_err("no directory");
}

#[test]
fn an_unsaved_spool_leaves_nothing() {
    both(None, |dir| {
        let spool = dir.create().expect("creates");
        spool.write_at(0, b"secret").expect("writes");
        drop(spool);
        for entry in fs::read_dir(dir.path()).expect("lists") {
            let entry = entry.expect("lists").path();
            assert_eq!(entry.file_name().expect("has one"), "tmp");
            assert_eq!(fs::read_dir(entry).expect("lists").count(), 0);
        }
    });
}

#[test]
fn what_a_killed_process_left_is_swept_and_what_lives_is_not() {
    let (_temp, dir) = dir(None);
    dir.without_unnamed_files();
    let living = dir.create().expect("creates");
    living.write_at(0, b"here").expect("writes");
    let tmp = dir.path().join("tmp");
    let stray = tmp.join("stray");
    fs::write(&stray, "left over").expect("made");
    let again = SpoolDir::open(dir.path(), None).expect("opens");
    assert!(!stray.exists());
    assert_eq!(fs::read_dir(tmp).expect("lists").count(), 1);
    drop(again);
    living.save_as(&dir.path().join("saved")).expect("can still be named");
    assert_eq!(fs::read(dir.path().join("saved")).expect("reads"), b"here");
}

#[test]
fn a_saved_spool_is_found_again_and_counts_all_the_time() {
    both(None, |dir| {
        let path = dir.path().join("saved");
        let spool = dir.create().expect("creates");
        spool.write_at(4096, b"hello").expect("writes");
        spool.write_at(1 << 30, b"far").expect("writes");
        spool.save_as(&path).expect("saves");
        assert_eq!(spool.save_as(&path).expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
        spool.write_at(4101, b" you").expect("goes on");
        drop(spool);
        assert_eq!(dir.used(), 2 * 4096);
        let spool = Spool::open(dir, &path).expect("opens");
        assert_eq!((dir.used(), spool.allocated()), (2 * 4096, 2 * 4096));
        assert_eq!(read(&spool, 4096, 9), b"hello you");
        dir.remove(&path).expect("removes");
        assert_eq!(dir.used(), 2 * 4096, "still open");
        drop(spool);
        assert_eq!(dir.used(), 0);
        assert!(!path.exists());
    });
}

#[test]
fn two_who_open_a_saved_spool_are_counted_down_again() {
    let (_temp, dir) = dir(None);
    let path = dir.path().join("saved");
    let first = dir.create().expect("creates");
    first.write_at(0, b"x").expect("writes");
    first.save_as(&path).expect("saves");
    let second = Spool::open(&dir, &path).expect("opens");
    drop(first);
    drop(second);
    assert_eq!(dir.used(), 4096);
    dir.remove(&path).expect("removes");
    assert_eq!(dir.used(), 0);
}

#[test]
fn a_kept_spool_is_the_users_and_its_name_says_nothing() {
    both(None, |dir| {
        let spool = dir.create().expect("creates");
        spool.write_at(0, b"precious").expect("writes");
        let path = spool.keep("ftp://host/../../etc/x\n\x1b[2J").expect("keeps");
        drop(spool);
        assert_eq!(dir.used(), 0);
        assert_eq!(fs::read(&path).expect("reads"), b"precious");
        assert_eq!(path.parent().expect("has one"), dir.path().join("lost"));
        assert!(path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.bytes().all(|b| b.is_ascii_hexdigit())));
        let text = fs::read_to_string(path.with_extension("txt")).expect("reads");
        assert!(text.ends_with("ftp://host/../../etc/x\\n\\u{1b}[2J\n"), "{text:?}");
    });
}
