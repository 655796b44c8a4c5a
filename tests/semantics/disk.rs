//! What is kept on this machine's disk for later mounts.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::support::mount::Mount;
use super::support::process::{PROGRAM_LIMIT, wait_until, with_deadline};
use super::support::server::{DEFAULT_MTIME, FakeServer, Personality, Tree};
use super::{LIMIT, MIB, pattern};

/// Fewer blocks than may wait for the disk: none is passed over.
const SIZE: u64 = 5 * MIB + 17;
const BLOCKS: usize = 41;

/// A server and a cache that mounts come and go before.
struct Scene {
    server: FakeServer,
    cache: TempDir,
}

fn with_cache(body: impl FnOnce(&Scene) + Send + 'static) {
    with_deadline(LIMIT, "semantics", move || {
        let tree = Tree::new().file_pattern("big", SIZE, 7).file("small", b"hello", DEFAULT_MTIME);
        let server = FakeServer::start(Personality::mlsd(), tree);
        body(&Scene { server, cache: tempfile::tempdir().expect("a directory for the cache") });
    });
}

impl Scene {
    fn mount(&self) -> Mount {
        self.server.clear_log();
        let options = format!("cache_timeout=1h,negative_timeout=1h,cache_dir={}", self.cache.path().display());
        Mount::new(&self.server.url(""), &["-o", &options])
    }

    /// What a mount of its own reads, and by how many transfers.
    fn read(&self, name: &str) -> (Vec<u8>, usize) {
        let mount = self.mount();
        let bytes = fs::read(mount.path().join(name)).expect("it can be read");
        mount.unmount();
        (bytes, self.server.log().verb("RETR"))
    }
}

/// The finished blocks in a cache.
fn blocks(cache: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.expect("a name").path()).collect::<Vec<_>>()
    };
    let shards = list(&cache.join("blocks-1"));
    let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    shards.iter().flat_map(|shard| list(shard)).filter(|path| !hidden(path)).collect()
}

#[test]
fn the_disk_cache_survives_remount_and_crash() {
    with_cache(|scene| {
        let mount = scene.mount();
        assert!(fs::read(mount.path().join("big")).expect("it can be read") == pattern(7, 0, SIZE as usize));
        let complete = || (blocks(scene.cache.path()).len() == BLOCKS).then_some(());
        wait_until("blocks on the disk", PROGRAM_LIMIT, complete);
        mount.kill();
        for _ in 0..2 {
            let (bytes, transfers) = scene.read("big");
            assert!(bytes == pattern(7, 0, SIZE as usize));
            assert_eq!(transfers, 0, "{}", scene.server.log());
        }
    });
}

#[test]
fn a_changed_file_is_not_read_from_the_disk() {
    with_cache(|scene| {
        assert_eq!(scene.read("small"), (b"hello".to_vec(), 1));
        scene.server.tree().update(|tree| tree.write("small", "HELLO", DEFAULT_MTIME + 1));
        assert_eq!(scene.read("small"), (b"HELLO".to_vec(), 1));
        assert_eq!(scene.read("small"), (b"HELLO".to_vec(), 0));
    });
}

#[test]
fn what_is_written_is_not_read_from_older_blocks() {
    with_cache(|scene| {
        assert_eq!(scene.read("small"), (b"hello".to_vec(), 1));
        let mount = scene.mount();
        let path = mount.path().join("small");
        fs::write(&path, "HELLO").expect("it is stored");
        let old = UNIX_EPOCH + Duration::from_secs(DEFAULT_MTIME as u64);
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(old)).expect("it is set");
        mount.unmount();
        assert_eq!(scene.read("small"), (b"HELLO".to_vec(), 1), "the size and the time are the old ones");
    });
}

#[test]
fn a_damaged_block_is_fetched_again() {
    with_cache(|scene| {
        assert_eq!(scene.read("small").1, 1);
        let block = blocks(scene.cache.path()).pop().expect("it is kept");
        let file = fs::File::options().write(true).open(block).expect("it is ours");
        file.write_all_at(b"J", file.metadata().expect("a length").len() - 5).expect("it is ours");
        assert_eq!(scene.read("small"), (b"hello".to_vec(), 1));
        assert_eq!(scene.read("small"), (b"hello".to_vec(), 0));
    });
}

#[test]
fn the_disk_cache_is_private() {
    with_cache(|scene| {
        assert_eq!(scene.read("small").1, 1);
        let block = blocks(scene.cache.path()).pop().expect("it is kept");
        assert_eq!(fs::metadata(&block).expect("it is there").mode() & 0o777, 0o600);
        let dir = block.parent().and_then(Path::parent).expect("two directories");
        assert_eq!(fs::metadata(dir).expect("it is there").mode() & 0o777, 0o700);

        let refused = |dir: &Path| {
            let option = format!("cache_dir={}", dir.display());
            let output = Mount::refused(&scene.server.url(""), &["-o", &option]);
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        fs::set_permissions(scene.cache.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        let said = refused(scene.cache.path());
        assert!(said.ends_with("can be written to by others\n") && said.lines().count() == 1, "{said}");
        let others = scene.cache.path().join("others");
        fs::create_dir(&others).expect("it is ours");
        std::os::unix::fs::chown(&others, Some(65_534), None).expect("root may");
        let said = refused(&others);
        assert!(said.ends_with("belongs to somebody else\n") && said.lines().count() == 1, "{said}");
    });
}
