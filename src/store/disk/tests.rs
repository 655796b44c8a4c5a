use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::remote::{Precision, Stamp};
use crate::store::BLOCK;

const SERVER: &[u8] = b"anonymous@ftp.example.org:21";
const LIMIT: u64 = 64 << 20;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn open(dir: &TempDir, limit: u64) -> DiskCache {
    DiskCache::open(dir.path(), limit, SERVER).expect("the directory is ours")
}

fn path(text: &str) -> RemotePath {
    RemotePath::new(text.as_bytes()).expect("a path")
}

fn version(size: u64, secs: i64) -> Version {
    Version { size, mtime: Some(Stamp::exact(secs)), unique: None }
}

fn file(cache: &DiskCache, name: &str, version: &Version) -> KeptFile {
    cache.file(&path(name), version).expect("a version that can be known again")
}

/// Block 0 of /a, as `cache` has it.
fn first(cache: &DiskCache, len: usize) -> Option<Vec<u8>> {
    get(cache, &file(cache, "/a", &version(len as u64, 1)), 0, len)
}

fn get(cache: &DiskCache, file: &KeptFile, index: u64, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    cache.get(file, index, &mut bytes).then_some(bytes)
}

fn put_first(cache: &DiskCache, data: &[u8]) {
    cache.put(&file(cache, "/a", &version(data.len() as u64, 1)), 0, data);
}

/// All blocks in the directory.
fn blocks(dir: &TempDir) -> Vec<PathBuf> {
    let shards = fs::read_dir(dir.path().join("blocks-1")).expect("it is there").map(|e| e.expect("a name").path());
    let inside = |shard: PathBuf| fs::read_dir(shard).into_iter().flatten().map(|e| e.expect("a name").path());
    shards.filter(|shard| shard.is_dir()).flat_map(inside).collect()
}

fn only_block(dir: &TempDir) -> PathBuf {
    let found = blocks(dir);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn bytes_in(dir: &TempDir) -> u64 {
    blocks(dir).iter().map(|block| charge(fs::metadata(block).expect("it is there").len())).sum()
}

#[test]
fn what_was_put_is_there_after_reopening_and_private() {
    let dir = folder();
    put_first(&open(&dir, LIMIT), b"hello");
    assert_eq!(first(&open(&dir, LIMIT), 5).expect("kept"), b"hello");
    let block = only_block(&dir);
    assert_eq!(fs::metadata(&block).expect("it is there").mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(block.parent().expect("a shard")).expect("it is there").mode() & 0o7777, 0o700);
}

#[test]
fn a_damaged_block_is_missing_and_goes() {
    let content: Vec<u8> = (0..BLOCK).map(|i| (i % 251) as u8).collect();
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 7] = [
        ("a flipped bit", |bytes| bytes[70_000] ^= 4),
        ("a flipped bit of the checksum", |bytes| bytes[9] ^= 1),
        ("cut", |bytes| bytes.truncate(70_000)),
        ("pages that never came to the disk", |bytes| bytes[65_536..].fill(0)),
        ("empty", Vec::clear),
        ("longer", |bytes| bytes.push(0)),
        ("another format", |bytes| bytes[7] = b'9'),
    ];
    for (what, damage) in damages {
        let dir = folder();
        let cache = open(&dir, LIMIT);
        put_first(&cache, &content);
        assert_eq!(first(&cache, content.len()).as_ref(), Some(&content));
        let block = only_block(&dir);
        let mut bytes = fs::read(&block).expect("it is there");
        damage(&mut bytes);
        fs::write(&block, bytes).expect("it is ours");
        assert_eq!(first(&cache, content.len()), None, "{what}");
        assert!(blocks(&dir).is_empty(), "{what}: it goes");
        put_first(&cache, &content);
        assert_eq!(first(&cache, content.len()).as_ref(), Some(&content), "{what}: it comes back");
    }
}

#[test]
fn a_good_block_under_another_ones_name_is_bad() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let (a, b) = (file(&cache, "/a", &version(5, 1)), file(&cache, "/b", &version(5, 1)));
    cache.put(&b, 0, b"of b!");
    let of_b = only_block(&dir);
    cache.put(&a, 0, b"of a!");
    let of_a = blocks(&dir).into_iter().find(|block| *block != of_b).expect("two blocks");
    fs::rename(of_b, of_a).expect("they are ours");
    assert_eq!(get(&cache, &a, 0, 5), None);
}

#[test]
fn servers_paths_versions_and_blocks_are_kept_apart() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let known = Version { unique: Some("1".into()), ..version(4, 1) };
    let fine = Version { mtime: Some(Stamp { nanos: 5, ..Stamp::exact(1) }), ..version(4, 1) };
    let versions = [version(4, 1), version(4, 2), version(8, 1), known, fine];
    let others = ["bob@ftp.example.org:21", "anonymous@ftp.example.org:2121", "anonymous@ftp.example.com:21"];
    let others = others.map(|name| DiskCache::open(dir.path(), LIMIT, name.as_bytes()).expect("the directory is ours"));
    let caches: Vec<_> = std::iter::once(&cache).chain(&others).collect();
    let mut all = Vec::new();
    for cache in caches {
        for name in ["/a", "/b", "/d/a"] {
            all.extend(versions.iter().flat_map(|v| [0, 1].map(|index| (cache, file(cache, name, v), index))));
        }
    }
    for (number, (cache, file, index)) in (0u32..).zip(&all) {
        assert_eq!(get(cache, file, *index, 4), None, "number {number} has not been put yet");
        cache.put(file, *index, &number.to_le_bytes());
    }
    for (number, (cache, file, index)) in (0u32..).zip(&all) {
        assert_eq!(get(cache, file, *index, 4), Some(number.to_le_bytes().to_vec()), "number {number}");
    }
}

#[test]
fn a_version_that_says_too_little_is_not_kept() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let at = |precision| Version { mtime: Some(Stamp { precision, ..Stamp::exact(60) }), ..version(1, 0) };
    assert!(cache.file(&path("/a"), &Version { mtime: None, ..version(1, 0) }).is_none());
    assert!(cache.file(&path("/a"), &at(Precision::Day)).is_none());
    assert!(cache.file(&path("/a"), &at(Precision::Minute)).is_none());
    assert!(cache.file(&path("/a"), &at(Precision::Second)).is_some());
}

#[test]
fn what_may_still_change_within_its_second_is_not_safe() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let safe = |secs: i64, found: &Version| file(&cache, "/a", &version(5, secs)).is_safe(found, now);
    assert!(safe(999_000, &version(5, 999_000)));
    for fresh in [999_999, 1_000_000, 1_000_500] {
        assert!(!safe(fresh, &version(5, fresh)), "{fresh}");
    }
    assert!(!safe(999_000, &version(6, 999_000)), "another size");
    assert!(!safe(999_000, &version(5, 998_000)), "another time");
    assert!(!safe(999_000, &Version { mtime: None, ..version(5, 0) }), "no time");
}

#[test]
fn links_are_not_followed() {
    let (dir, outside) = (folder(), folder());
    let victim = outside.path().join("victim");
    fs::write(&victim, "precious").expect("a file");
    let cache = open(&dir, LIMIT);
    put_first(&cache, b"hello");
    let block = only_block(&dir);

    // In place of a block, with its very content behind it.
    let copy = outside.path().join("copy");
    fs::rename(&block, &copy).expect("the same disk");
    symlink(&copy, &block).expect("a link");
    assert_eq!(first(&cache, 5), None);
    assert!(copy.exists() && fs::symlink_metadata(&block).is_err(), "the link goes, what it leads to stays");
    symlink(&victim, &block).expect("a link");
    put_first(&cache, b"hello");
    assert_eq!(fs::read(&victim).expect("it is there"), b"precious");

    // In place of a directory.
    let shard = block.parent().expect("a shard");
    fs::remove_dir_all(shard).expect("it is ours");
    symlink(outside.path(), shard).expect("a link");
    put_first(&cache, b"hello");
    assert_eq!(first(&cache, 5), None);
    cache.changed(&path("/a"));
    cache.look();
    assert_eq!(fs::read_dir(outside.path()).expect("it is there").count(), 2, "nothing is added, nothing removed");

    // In place of all of it.
    fs::remove_dir_all(dir.path().join("blocks-1")).expect("it is ours");
    symlink(outside.path(), dir.path().join("blocks-1")).expect("a link");
    assert!(DiskCache::open(dir.path(), LIMIT, SERVER).is_err());
}

#[test]
fn a_directory_that_others_write_to_is_refused() {
    let dir = folder();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let error = DiskCache::open(dir.path(), LIMIT, SERVER).expect_err("refused").to_string();
    assert!(error.ends_with("can be written to by others") && !error.contains('\n'), "{error}");
}

#[test]
fn the_limit_holds_and_the_longest_unused_goes_first() {
    let dir = folder();
    let piece = vec![7; BLOCK as usize];
    let limit = 16 * charge(BLOCK + block::HEAD as u64);
    let cache = open(&dir, limit);
    let large = file(&cache, "/large", &version(1 << 30, 1));
    for index in 0..16 {
        cache.put(&large, index, &piece);
        let age = Duration::from_secs(10_000 - index);
        let newest =
            blocks(&dir).into_iter().max_by_key(|b| fs::metadata(b).and_then(|m| m.modified()).expect("a time"));
        let newest = File::open(newest.expect("one at least")).expect("it is ours");
        newest.set_modified(SystemTime::now() - age).expect("it is ours");
    }
    assert_eq!(blocks(&dir).len(), 16);
    // Used again: no longer the oldest one.
    assert!(get(&cache, &large, 0, piece.len()).is_some());
    for index in 16..200 {
        cache.put(&large, index, &piece);
        assert!(bytes_in(&dir) <= limit);
        assert!(get(&cache, &large, index, piece.len()).is_some(), "the newest one is here");
        if index == 16 {
            assert!(get(&cache, &large, 0, piece.len()).is_some(), "it was used not long ago");
            assert!(get(&cache, &large, 1, piece.len()).is_none(), "the oldest one");
            assert!(get(&cache, &large, 15, piece.len()).is_some(), "no more than needed");
        }
    }
}

#[test]
fn a_smaller_limit_holds_from_the_first_look_on() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let small = |number: u64| file(&cache, &format!("/{number}"), &version(3, 1));
    (0..100).for_each(|number| cache.put(&small(number), 0, b"abc"));
    assert_eq!(bytes_in(&dir), 100 * 4096);
    open(&dir, 40 * 4096).look();
    assert_eq!(bytes_in(&dir), 40 * 4096);
}

#[test]
fn two_caches_share_a_directory() {
    let dir = folder();
    let limit = 40 * 4096;
    let (one, two) = (open(&dir, limit), open(&dir, limit));
    std::thread::scope(|scope| {
        for cache in [&one, &two] {
            scope.spawn(move || {
                for round in 0..2000_u32 {
                    let number = round % 97;
                    let file = file(cache, &format!("/{number}"), &version(4, 1));
                    if let Some(found) = get(cache, &file, 0, 4) {
                        assert_eq!(found, number.to_le_bytes());
                    }
                    cache.put(&file, 0, &number.to_le_bytes());
                }
            });
        }
    });
    assert!(!one.is_resting() && !two.is_resting(), "neither has taken anything from the other's hands");
    one.look();
    assert!(bytes_in(&dir) <= limit);
    // What one has put the other finds.
    put_first(&one, b"hello");
    assert_eq!(first(&two, 5).expect("kept"), b"hello");
}

#[test]
fn what_a_killed_mount_was_writing_goes() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    put_first(&cache, b"hello");
    let shard = only_block(&dir).parent().expect("a shard").to_owned();
    let (old, new) = (shard.join(".new-1"), shard.join(".new-2"));
    for path in [&old, &new] {
        fs::write(path, "half").expect("it is ours");
    }
    let age = Duration::from_secs(2 * UNFINISHED_FOR);
    File::open(&old).and_then(|file| file.set_modified(SystemTime::now() - age)).expect("it is ours");
    open(&dir, LIMIT).look();
    assert!(!old.exists() && new.exists(), "another mount may be writing the new one");
    assert_eq!(first(&cache, 5).expect("kept"), b"hello");
}

#[test]
fn a_directory_that_others_can_write_to_is_none_of_ours() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    put_first(&cache, b"hello");
    let blocks_dir = dir.path().join("blocks-1");
    let open_to = |mode| fs::set_permissions(&blocks_dir, fs::Permissions::from_mode(mode)).expect("it is ours");
    open_to(0o777);
    assert_eq!(first(&cache, 5), None);
    cache.put(&file(&cache, "/b", &version(5, 1)), 0, b"other");
    cache.changed(&path("/a"));
    open_to(0o700);
    assert_eq!(blocks(&dir).len(), 1, "nothing was added, nothing removed");
    assert_eq!(first(&cache, 5).expect("kept"), b"hello");
}

#[test]
fn a_cache_that_was_cleared_away_is_filled_again() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    put_first(&cache, b"hello");
    fs::remove_dir_all(dir.path().join("blocks-1")).expect("it is ours");
    assert_eq!(first(&cache, 5), None);
    put_first(&cache, b"hello");
    assert_eq!(first(&cache, 5).expect("kept"), b"hello");
}

#[test]
fn what_this_mount_changes_is_not_found_again_whatever_its_time() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let (old, other) = (file(&cache, "/a", &version(5, 1)), file(&cache, "/ab", &version(5, 1)));
    cache.put(&old, 0, b"old a");
    cache.put(&other, 0, b"other");
    cache.changed(&path("/a"));
    assert_eq!(first(&cache, 5), None);
    assert_eq!(first(&open(&dir, LIMIT), 5), None);
    assert_eq!(get(&cache, &other, 0, 5).expect("another file"), b"other");
    // Read before the change, and come to the disk after it.
    cache.put(&old, 0, b"old a");
    assert_eq!(first(&cache, 5), None);
    put_first(&cache, b"new a");
    assert_eq!(first(&cache, 5).expect("kept"), b"new a");
    // Too many changes to remember each.
    (0..5000).for_each(|number| cache.changed(&path(&format!("/many/{number}"))));
    cache.put(&old, 1, b"old a");
    assert_eq!(get(&cache, &old, 1, 5), None);
}

#[test]
fn a_directory_that_takes_the_place_of_another_has_nothing_of_it() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    let names = ["/d/a", "/d/e/f", "/d", "/da", "/c/d/a"];
    for name in names {
        cache.put(&file(&cache, name, &version(3, 1)), 0, b"old");
    }
    cache.moved(&path("/d"));
    let kept = |cache: &DiskCache| names.map(|name| get(cache, &file(cache, name, &version(3, 1)), 0, 3).is_some());
    assert_eq!(kept(&cache), [false, false, false, true, true]);
    cache.put(&file(&cache, "/d/a", &version(3, 1)), 0, b"new");
    let again = open(&dir, LIMIT);
    assert_eq!(kept(&again), [true, false, false, true, true]);
    assert_eq!(get(&again, &file(&again, "/d/a", &version(3, 1)), 0, 3).expect("kept"), b"new");
    // Another server's /d is another directory.
    let other = DiskCache::open(dir.path(), LIMIT, b"bob@ftp.example.org:21").expect("the directory is ours");
    other.put(&file(&other, "/d/a", &version(3, 1)), 0, b"his");
    cache.moved(&path("/d"));
    assert_eq!(get(&other, &file(&other, "/d/a", &version(3, 1)), 0, 3).expect("kept"), b"his");
}

#[test]
fn so_many_renamed_directories_that_all_is_forgotten() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    put_first(&cache, b"hello");
    let notes = cache.folder.text(&format!("moved-{}", key::digest(&[SERVER]))).expect("readable");
    assert!(notes.is_empty());
    let line = |number: u32| format!("\n{number:x} /d{number}\n");
    let many: String = (0..1001).map(line).collect();
    cache.folder.append(&format!("moved-{}", key::digest(&[SERVER])), many.as_bytes()).expect("it is ours");
    let cache = open(&dir, LIMIT);
    assert_eq!(first(&cache, 5), None, "one token for everything");
    put_first(&cache, b"hello");
    assert_eq!(first(&open(&dir, LIMIT), 5).expect("and it stays the same one"), b"hello");
}

#[test]
fn a_mount_that_renames_many_directories_forgets_all_before_there_are_too_many() {
    let dir = folder();
    let notes = format!("moved-{}", key::digest(&[SERVER]));
    let lines = |cache: &DiskCache| {
        let text = cache.folder.text(&notes).expect("readable");
        text.split(|&b| b == b'\n').filter(|line| !line.is_empty()).count()
    };
    let many: String = (0..999).map(|number: u32| format!("\n{number:x} /d{number}\n")).collect();
    let cache = open(&dir, LIMIT);
    cache.folder.append(&notes, many.as_bytes()).expect("it is ours");
    let cache = open(&dir, LIMIT);
    put_first(&cache, b"hello");
    cache.moved(&path("/one"));
    assert_eq!((lines(&cache), first(&cache, 5).is_some()), (1000, true));
    cache.moved(&path("/two"));
    assert_eq!((lines(&cache), first(&cache, 5).is_some()), (1, false), "one token for everything");
    put_first(&cache, b"hello");
    cache.put(&file(&cache, "/three/a", &version(3, 1)), 0, b"old");
    cache.moved(&path("/three"));
    let again = open(&dir, LIMIT);
    for cache in [&cache, &again] {
        assert_eq!(lines(cache), 2);
        assert_eq!(first(cache, 5).expect("another directory"), b"hello");
        assert_eq!(get(cache, &file(cache, "/three/a", &version(3, 1)), 0, 3), None);
    }
}

#[test]
fn a_disk_that_fails_is_left_alone_for_a_while() {
    let dir = folder();
    let cache = open(&dir, LIMIT);
    // Nothing can be made there, even by root.
    fs::remove_dir(dir.path().join("blocks-1")).expect("it is empty");
    fs::write(dir.path().join("blocks-1"), "").expect("it is ours");
    put_first(&cache, b"hello");
    assert_eq!(first(&cache, 5), None);
    assert!(cache.is_resting());
    fs::remove_file(dir.path().join("blocks-1")).expect("it is ours");
    cache.rest.lock().failed = Some(Instant::now().checked_sub(PAUSE).expect("the machine is up for longer"));
    put_first(&cache, b"hello");
    assert_eq!(first(&cache, 5).expect("kept"), b"hello");
}
