//! The disk cache as the filesystem uses it, on a server in memory: what is fetched again after a remount, and what is not.

mod support;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ftpfs::base::{Deadline, SystemClock};
use ftpfs::config::{DiskCache, Files};
use ftpfs::remote::{ErrorKind, RemotePath};
use ftpfs::vfs::{Fault, Ino, Wanted, When};
use tempfile::TempDir;

use support::client::AMPLE;
use support::disk::Disk;
use support::files::{BOTH, Fs, answer, fault, files};
use support::memory_remote::{Can, MemoryRemote, START};
use support::process::wait_until;

const MIB: usize = 1 << 20;
const BLOCK: usize = 128 * 1024;

/// A server and a cache that outlive the mounts.
struct Scene {
    server: MemoryRemote,
    cache: TempDir,
}

impl Scene {
    /// A server that has no word for the identity of a file: time and size are all that tells versions apart.
    fn new(server: MemoryRemote) -> Self {
        server.change(|can| can.exact = false);
        Self { server, cache: tempfile::tempdir().expect("a directory for the cache") }
    }

    fn mount(&self) -> Fs {
        self.mount_with(self.cache.path())
    }

    fn mount_with(&self, dir: &Path) -> Fs {
        let cache = DiskCache { dir: dir.into(), limit: 1 << 30, server: "user@host:21".into() };
        let files = Files { cache: Some(cache), ..files() };
        self.server.reopen();
        self.server.clear_log();
        let remote = Arc::new(self.server.clone());
        Fs::over(remote, RemotePath::root(), &files, |_| {}, AMPLE, Arc::new(SystemClock))
    }

    /// Runs `body` on a mount, and ends that in order.
    fn with<T>(&self, body: impl FnOnce(&Fs) -> T) -> T {
        let fs = self.mount();
        let done = body(&fs);
        fs.vfs.finish(Deadline::after(AMPLE));
        fs.vfs.shut_down();
        done
    }

    /// Reads a file on a mount of its own; tells how many transfers that took.
    fn read(&self, path: &str) -> (Vec<u8>, usize) {
        let bytes = self.with(|fs| fs.read_all(path).expect("readable"));
        (bytes, self.server.count("RETR"))
    }

    fn blocks(&self) -> Vec<PathBuf> {
        let shards = fs::read_dir(self.cache.path().join("blocks-1")).expect("it is there");
        let inside = |shard: PathBuf| fs::read_dir(shard).into_iter().flatten().map(|e| e.expect("a name").path());
        shards.map(|e| e.expect("a name").path()).filter(|path| path.is_dir()).flat_map(inside).collect()
    }

    fn set_mtime(&self, fs: &Fs, path: &str, secs: i64) {
        let when = When::At(UNIX_EPOCH + Duration::from_secs(secs as u64));
        let wanted = Wanted { mtime: Some(when), ..Wanted::default() };
        answer(|tell| fs.vfs.set_attributes(fs.ino(path), wanted, tell)).expect("it is set");
    }
}

fn content(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i + seed) % 251) as u8).collect()
}

#[test]
fn what_is_on_the_disk_is_not_fetched_after_a_remount() {
    let large = content(3, 5 * MIB + 17);
    let scene = Scene::new(MemoryRemote::default().dir("d").file("d/large", &large).file("small", b"hello"));
    for (path, want) in [("d/large", &large[..]), ("small", b"hello")] {
        assert!(scene.read(path) == (want.to_vec(), 1), "{path}");
        assert!(scene.read(path) == (want.to_vec(), 0), "{path}");
    }
    assert_eq!(scene.blocks().len(), 41 + 1);
}

#[test]
fn a_file_in_the_middle_of_which_the_disk_ends_is_fetched_from_there() {
    let large = content(3, 5 * MIB + 17);
    let scene = Scene::new(MemoryRemote::default().file("large", &large));
    scene.with(|fs| {
        let fh = fs.open("large").expect("it opens");
        assert_eq!(fs.read(fh, 0, 100).expect("readable"), &large[..100]);
        fs.vfs.release(fh);
    });
    assert!((1..41).contains(&scene.blocks().len()), "some of it");
    assert!(scene.read("large") == (large.clone(), 1));
    assert!(!scene.server.log().contains(&"RETR /large from 0".to_owned()), "{:#?}", scene.server.log());
    assert!(scene.read("large") == (large, 0));
}

#[test]
fn a_changed_file_is_fetched_anew() {
    let scene = Scene::new(MemoryRemote::default().file("f", b"one"));
    assert_eq!(scene.read("f"), (b"one".to_vec(), 1));
    scene.server.set_clock(START + 1);
    scene.server.store("f", b"two");
    assert_eq!(scene.read("f"), (b"two".to_vec(), 1));
    assert_eq!(scene.read("f"), (b"two".to_vec(), 0));
    scene.server.store("f", b"three");
    assert_eq!(scene.read("f"), (b"three".to_vec(), 1), "the same second, another size");
}

#[test]
fn another_file_of_the_same_name_is_fetched_where_the_server_tells_them_apart() {
    let scene = Scene::new(MemoryRemote::default().file("f", b"one"));
    scene.server.change(|can| can.exact = true);
    assert_eq!(scene.read("f"), (b"one".to_vec(), 1));
    assert_eq!(scene.read("f"), (b"one".to_vec(), 0));
    scene.server.store("f", b"two");
    assert_eq!(scene.read("f"), (b"two".to_vec(), 1), "the same second and size, another identity");
}

#[test]
fn damaged_and_missing_blocks_are_fetched_anew_and_the_others_are_not() {
    let large = content(3, 12 * MIB);
    let scene = Scene::new(MemoryRemote::default().file("large", &large));
    // What came too fast for the disk is fetched again, until it has all.
    wait_until("a whole file on the disk", AMPLE, || (scene.read("large").1 == 0).then_some(()));
    let block = |number: u64| {
        let blocks = scene.blocks();
        let end = format!("-{number:x}");
        blocks.into_iter().find(|path| path.to_string_lossy().ends_with(&end)).expect("all are here")
    };
    let file = fs::OpenOptions::new().write(true).open(block(9)).expect("it is ours");
    file.write_all_at(b"rotten", 5000).expect("it is ours");
    fs::remove_file(block(60)).expect("it is ours");
    assert!(scene.read("large") == (large.clone(), 2));
    for missing in [9, 60] {
        let call = format!("RETR /large from {}", missing * BLOCK);
        assert!(scene.server.log().contains(&call), "{:#?}", scene.server.log());
    }
    assert!(scene.read("large") == (large, 0));
}

#[test]
fn what_changes_while_it_is_fetched_is_not_kept() {
    let old = content(3, 2 * MIB);
    let scene = Scene::new(MemoryRemote::default().file("f", &old));
    scene.with(|fs| {
        let fh = fs.open("f").expect("it opens");
        scene.server.hold("SIZE");
        let all = fs.ask(fh, 0, 2 * MIB as u32);
        scene.server.wait_for("SIZE", 1);
        scene.server.set_clock(START + 60);
        scene.server.store("f", &content(4, 2 * MIB));
        scene.server.release();
        let read = all.recv_timeout(AMPLE).expect("it is answered").expect("nothing of the old one was handed out");
        assert!(read == content(4, 2 * MIB));
        fs.vfs.release(fh);
    });
    // Nobody knows which of the two versions each of the first blocks was of.
    scene.server.set_clock(START);
    scene.server.store("f", &old);
    assert!(scene.read("f") == (old, 1));
    assert!(scene.server.log().contains(&"RETR /f from 0".to_owned()), "{:#?}", scene.server.log());
}

#[test]
fn what_was_written_a_moment_ago_is_not_kept() {
    let scene = Scene::new(MemoryRemote::default());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    scene.server.set_clock(now as i64);
    scene.server.store("f", b"one");
    assert_eq!(scene.read("f"), (b"one".to_vec(), 1));
    // Once more within the same second.
    scene.server.store("f", b"two");
    assert_eq!(scene.read("f"), (b"two".to_vec(), 1));
    assert!(scene.blocks().is_empty());
}

#[test]
fn what_we_write_is_never_read_from_older_blocks_whatever_its_time() {
    let scene = Scene::new(MemoryRemote::default().file("f", b"one"));
    assert_eq!(scene.read("f"), (b"one".to_vec(), 1));
    scene.with(|fs| {
        let fh = fs.open_as("f", BOTH);
        fs.write(fh, 0, b"two");
        fs.close(fh);
        scene.set_mtime(fs, "f", START);
        assert_eq!(fs.read_all("f").expect("readable"), b"two");
    });
    assert_eq!(scene.server.facts("f").expect("it is there").0, START, "the version is the old one");
    let (bytes, _) = scene.read("f");
    assert_eq!(bytes, b"two");
    assert_eq!(scene.read("f"), (b"two".to_vec(), 0));
}

/// `touch -d` gives what somebody else has written the version of what is on the disk.
#[test]
fn what_we_set_an_old_time_on_is_never_read_from_older_blocks() {
    let scene = Scene::new(MemoryRemote::default().file("f", b"one"));
    assert_eq!(scene.read("f"), (b"one".to_vec(), 1));
    scene.server.set_clock(START + 60);
    scene.server.store("f", b"two");
    scene.with(|fs| scene.set_mtime(fs, "f", START));
    assert_eq!(scene.server.facts("f").expect("it is there").0, START, "the version is the old one");
    assert_eq!(scene.read("f"), (b"two".to_vec(), 1));
    assert_eq!(scene.read("f"), (b"two".to_vec(), 0));
}

#[test]
fn what_we_rename_is_never_read_from_blocks_of_what_was_there() {
    let tree = MemoryRemote::default().file("f", b"old").file("g", b"new").dir("d").file("d/f", b"OLD");
    let scene = Scene::new(tree.dir("e").file("e/f", b"NEW").file("e/empty", b""));
    for path in ["f", "g", "d/f", "e/f"] {
        assert_eq!(scene.read(path).1, 1);
    }
    scene.with(|fs| {
        fs.rename("g", "f", 0).expect("it is renamed");
        fs.rename("d", "gone", 0).expect("it is renamed");
        fs.rename("e", "d", 0).expect("it is renamed");
        assert_eq!(fs.read_all("f").expect("readable"), b"new");
        assert_eq!(fs.read_all("d/f").expect("readable"), b"NEW");
    });
    for (path, want) in [("f", b"new"), ("d/f", b"NEW"), ("gone/f", b"OLD")] {
        let (bytes, _) = scene.read(path);
        assert_eq!(bytes, want, "{path}");
        assert_eq!(scene.read(path), (want.to_vec(), 0), "{path}");
    }
}

/// From the disk it would have been put together with what somebody else has replaced.
#[test]
fn a_file_that_is_written_in_part_gets_the_rest_from_the_server() {
    let old = content(3, 2 * MIB);
    let scene = Scene::new(MemoryRemote::default().file("f", &old));
    assert_eq!(scene.read("f").1, 1);
    scene.with(|fs| {
        let fh = fs.open_as("f", BOTH);
        // Nobody here has heard of it.
        scene.server.set_clock(START + 60);
        scene.server.store("f", &content(4, 2 * MIB));
        fs.write(fh, 100, b"mine");
        let closed = answer(|tell| fs.vfs.flush(fh, tell));
        assert_eq!(fault(closed), Fault::Remote(ErrorKind::Changed));
        fs.vfs.release(fh);
    });
    assert!(scene.server.content("f").expect("it is there") == content(4, 2 * MIB));
}

#[test]
fn a_cache_that_cannot_be_used_costs_nobody_a_read() {
    let large = content(3, 2 * MIB);
    let scene = Scene::new(MemoryRemote::default().file("large", &large));
    scene.with(|fs| {
        let blocks = scene.cache.path().join("blocks-1");
        fs::remove_dir_all(&blocks).expect("it is ours");
        fs::write(&blocks, "no directory").expect("it is ours");
        assert!(fs.read_all("large").expect("readable") == large);
        fs::remove_file(&blocks).expect("it is ours");
    });
    assert!(scene.read("large") == (large, 1));
}

#[test]
fn a_full_disk_is_no_error() {
    let large = content(3, 5 * MIB + 17);
    let scene = Scene::new(MemoryRemote::default().file("large", &large).file("small", b"hello"));
    // Room for a third of the file.
    let disk = Disk::new(450);
    for _ in 0..3 {
        let fs = scene.mount_with(disk.path());
        assert!(fs.read_all("large").expect("readable") == large);
        assert_eq!(fs.read_all("small").expect("readable"), b"hello");
        fs.vfs.finish(Deadline::after(AMPLE));
        fs.vfs.shut_down();
    }
}

#[test]
fn readers_side_by_side_get_their_own_bytes_from_one_cache() {
    // Fewer than may wait for the disk: none is passed over.
    let names: Vec<_> = (0..60).map(|n| format!("f{n}")).collect();
    let server = MemoryRemote::new(Can::default());
    let scene = Scene::new(names.iter().fold(server, |server, name| server.file(name, name.as_bytes())));
    for transfers in [60, 0] {
        scene.with(|fs| {
            fs.names(Ino::ROOT).expect("a listing");
            std::thread::scope(|scope| {
                for part in names.chunks(10) {
                    scope.spawn(move || {
                        for name in part {
                            assert_eq!(fs.read_all(name).expect("readable"), name.as_bytes());
                        }
                    });
                }
            });
        });
        assert_eq!(scene.server.count("RETR"), transfers);
    }
}
