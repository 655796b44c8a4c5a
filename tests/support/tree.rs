//! Sample trees on a server's disk, and the comparison of such a tree with what a mount shows of it.
//!
//! The disk is the truth: [`compare`] walks both sides and collects every difference before it panics.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Sizes around the limits of pages and of what the kernel reads at once.
pub const EDGE_SIZES: [u64; 8] = [0, 1, 4095, 4096, 4097, 131_071, 131_072, 131_073];

/// A file well beyond every buffer between the server and the reader.
pub const LARGE: u64 = 300 << 20;

/// Name of the large file in [`sizes`].
pub const LARGE_NAME: &str = "300MiB";

/// Names that break programs which quote, split, match or translate names.
pub const ODD_NAMES: &[&str] = &[
    "b\u{e4}r NFC",       // one code point
    "ba\u{308}r NFD",     // the same letter as two: another file
    "\u{1f980} crab.txt", // four bytes in UTF-8
    "\u{6f22}\u{5b57}.txt",
    "a b  c",
    " leading blank",
    "   three leading blanks",
    "it's \"quoted\"",
    "star*name",
    "question?",
    "[brackets]",
    "{curly,braces}",
    "-dash",
    "--",
    "-rf",
    "~tilde",
    "~",
    "...",
    "..two dots",
    ".hidden",
    "a -> b",
    "semi;colon",
    "type=dir; fact",
    "%41",
    "100%",
    "#hash",
    "$HOME",
    "back`tick`",
    "a&b|c<d>e",
    "co:lon",
    "equals=sign",
    "com,ma",
    "Jan 01 12:34",
    "total 12",
    "trailing blank ",
    "two trailing blanks  ",
];

/// A name that Pure-FTPd lists and does not serve: `553 Prohibited file name`.
pub const BACKSLASH: &str = "back\\slash";

/// Fills `dir` with a file of every size in [`EDGE_SIZES`] and one of [`LARGE`] bytes, named by their sizes.
pub fn sizes(dir: &Path) {
    for size in EDGE_SIZES {
        file(&dir.join(size.to_string()), size);
    }
    file(&dir.join(LARGE_NAME), LARGE);
}

/// Fills `dir` with an everyday tree: nested directories, dotfiles, several modes, times old and new.
pub fn everyday(dir: &Path) {
    for path in ["docs/deep/deeper/deepest", "src", "empty", ".config"] {
        fs::create_dir_all(dir.join(path)).expect("a new tree");
    }
    let files: [(&str, u64, u32, u64); 8] = [
        ("README", 1234, 0o644, 1_700_000_001),
        (".profile", 77, 0o600, 981_173_107),
        (".config/settings", 4097, 0o640, 1_234_567_891),
        ("docs/notes.txt", 20_000, 0o644, 1_079_999_999),
        ("docs/deep/deeper/deepest/leaf", 1, 0o644, 86_399),
        ("src/run.sh", 300, 0o755, 1_600_000_059),
        ("src/read-only", 5, 0o444, 946_684_799),
        ("src/nothing", 0, 0o644, 1_583_020_800), // 29 February's morrow
    ];
    for (name, size, mode, mtime) in files {
        let path = dir.join(name);
        file(&path, size);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the file is ours");
        set_mtime(&path, mtime);
    }
    // One of now: servers print recent times in another form.
    fs::write(dir.join("just written"), "needle in a new file\n").expect("a new file");
    fs::write(dir.join("docs/haystack"), "hay\nneedle\nhay\n").expect("a new file");
    set_mtime(&dir.join("docs/haystack"), hours_ago(24 * 100 + 7));
    // Last, from the leaves up: making an entry changes its directory's time.
    for (name, mtime) in [("docs/deep/deeper", 1_111_111_111), ("docs", 1_222_222_223), ("empty", 1_333_333_333)] {
        set_mtime(&dir.join(name), mtime);
    }
}

/// Fills `dir` with files and a directory under each of `names` and one name of 255 bytes; each file holds its name.
pub fn named(dir: &Path, names: &[&str]) {
    let longest = "\u{e9}".repeat(127) + "x";
    for (n, name) in names.iter().copied().chain([longest.as_str()]).enumerate() {
        let path = dir.join(name);
        if n % 5 == 4 {
            fs::create_dir(&path).expect("a new directory");
            fs::write(path.join(name), name).expect("a new file");
        } else {
            fs::write(&path, name).expect("a new file");
        }
    }
}

/// Fills `dir` with `count` files of a few bytes; every hundredth is a directory.
pub fn many(dir: &Path, count: usize) {
    for n in 0..count {
        let path = dir.join(format!("entry-{n:05}"));
        if n % 100 == 99 {
            fs::create_dir(&path).expect("a new directory");
        } else {
            fs::write(&path, n.to_string()).expect("a new file");
        }
        set_mtime(&path, 1_000_000_001 + 86_399 * n as u64);
    }
}

/// Fills `dir` with symbolic links: to a file, to a directory, upward, through another link, from the root, to nothing.
pub fn links(dir: &Path) {
    fs::create_dir_all(dir.join("real/inner")).expect("a new tree");
    file(&dir.join("real/file"), 5000);
    set_mtime(&dir.join("real/file"), 1_400_000_003);
    let links = [
        ("to-file", "real/file"),
        ("to-dir", "real"),
        ("real/inner/up", "../file"),
        ("to-link", "to-file"),
        ("with blanks -> arrow", "real/file"),
        ("from-root", "/real/file"),
        ("dangling", "nowhere/at/all"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, dir.join(name)).expect("a new link");
    }
}

/// Makes a sparse file of `size` bytes with content only in pieces of 64 KiB that begin at `places`.
pub fn sparse(path: &Path, size: u64, places: &[u64]) {
    let mut sparse = File::create(path).expect("a new file");
    sparse.set_len(size).expect("a filesystem with sparse files");
    for &place in places {
        let mut piece = vec![0; (size - place).min(64 << 10) as usize];
        fill(place, &mut piece);
        sparse.seek(SeekFrom::Start(place)).expect("within the file");
        sparse.write_all(&piece).expect("room on the disk");
    }
}

/// Makes a file of `size` bytes in which no two places look alike.
pub fn file(path: &Path, size: u64) {
    let mut file = File::create(path).expect("a new file");
    let mut piece = vec![0; 1 << 20];
    let mut at = 0;
    while at < size {
        let piece = &mut piece[..(size - at).min(1 << 20) as usize];
        fill(at, piece);
        file.write_all(piece).expect("room on the disk");
        at += piece.len() as u64;
    }
}

/// Fills `piece` with what belongs at offset `at`, a multiple of eight.
fn fill(at: u64, piece: &mut [u8]) {
    for (n, word) in (at / 8..).zip(piece.chunks_mut(8)) {
        // splitmix64: a good scramble of a counter, so that a wrong offset shows.
        let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..word.len()]);
    }
}

/// Sets the modification time of a file or directory to whole seconds.
pub fn set_mtime(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    File::open(path).and_then(|file| file.set_times(times)).expect("the file is ours");
}

fn hours_ago(hours: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    now.as_secs() - hours * 3600
}

/// What a server lets a client know of symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Links with their targets, dangling ones too.
    Known,
    /// That they are links, not where they lead; they may appear as links or as what they lead to, dangling ones
    /// not at all.
    Vague,
    /// Nothing: they appear as what they lead to, dangling ones not at all.
    Followed,
}

/// What [`compare`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct What {
    /// Content of files; names, kinds, sizes and times are always compared.
    pub content: bool,
    /// Modification times of directories, too. Not every server tells them exactly.
    pub dir_times: bool,
    /// Permission to read and execute. A mount that cannot write may leave out the rest.
    pub modes: bool,
    /// What becomes of symbolic links.
    pub links: Links,
}

/// Panics unless `shown`, a directory in a mount, holds what `disk`, the served directory, does.
pub fn compare(disk: &Path, shown: &Path, what: What) {
    let mut walk = Walk { root: disk.to_owned(), what, differences: Vec::new() };
    walk.directory(disk, shown, Path::new("."));
    let count = walk.differences.len();
    walk.differences.truncate(20);
    assert!(count == 0, "{count} differences, the first:\n{}", walk.differences.join("\n"));
}

struct Walk {
    /// Where the absolute links of a chrooted server begin.
    root: PathBuf,
    what: What,
    differences: Vec<String>,
}

impl Walk {
    fn differs(&mut self, at: &Path, message: impl AsRef<str>) {
        self.differences.push(format!("{at:?}: {}", message.as_ref()));
    }

    fn directory(&mut self, disk: &Path, shown: &Path, at: &Path) {
        let (truth, mut seen) = match (entries(disk), entries(shown)) {
            (Ok(truth), Ok(seen)) => (truth, seen),
            (truth, seen) => return self.differs(at, format!("cannot be listed: disk {truth:?}, mount {seen:?}")),
        };
        for (name, truth) in truth {
            let (disk, shown, at) = (disk.join(&name), shown.join(&name), at.join(&name));
            match seen.remove(&name) {
                None if truth.is_symlink() && self.may_miss(&disk) => {}
                None => self.differs(&at, "missing in the mount"),
                Some(seen) if truth.is_symlink() => self.link(&disk, &shown, &at, &seen),
                Some(seen) => self.entry(&disk, &shown, &at, (&truth, &seen)),
            }
        }
        for name in seen.into_keys() {
            self.differs(&at.join(name), "only in the mount");
        }
    }

    fn entry(&mut self, disk: &Path, shown: &Path, at: &Path, (truth, seen): (&fs::Metadata, &fs::Metadata)) {
        if truth.file_type() != seen.file_type() {
            return self.differs(at, format!("{:?} on disk, {:?} in the mount", truth.file_type(), seen.file_type()));
        }
        if (truth.is_file() || self.what.dir_times) && truth.mtime() != seen.mtime() {
            self.differs(at, format!("mtime {} on disk, {} in the mount", truth.mtime(), seen.mtime()));
        }
        let bits = (truth.mode() & 0o555, seen.mode() & 0o555);
        if self.what.modes && bits.0 != bits.1 {
            self.differs(at, format!("mode {:o} on disk, {:o} in the mount", bits.0, bits.1));
        }
        if truth.is_dir() {
            return self.directory(disk, shown, at);
        }
        if truth.len() != seen.len() {
            self.differs(at, format!("{} bytes on disk, {} in the mount", truth.len(), seen.len()));
        } else if self.what.content {
            match first_difference(disk, shown) {
                Ok(None) => {}
                Ok(Some(offset)) => self.differs(at, format!("content differs at byte {offset}")),
                Err(e) => self.differs(at, format!("cannot be read: {e}")),
            }
        }
    }

    fn link(&mut self, disk: &Path, shown: &Path, at: &Path, seen: &fs::Metadata) {
        if seen.is_symlink() && self.what.links != Links::Followed {
            let (truth, seen) = (fs::read_link(disk), fs::read_link(shown));
            if truth.as_ref().ok().map(|target| within(at, target)).as_ref() != seen.as_ref().ok() {
                self.differs(at, format!("leads to {truth:?} on disk, {seen:?} in the mount"));
            }
            return;
        }
        if self.what.links == Links::Known {
            return self.differs(at, format!("a link on disk, {:?} in the mount", seen.file_type()));
        }
        let Some(target) = self.follow(disk) else {
            return self.differs(at, "leads nowhere, but appears as something");
        };
        // Into what it leads to, but not round and round.
        match fs::metadata(&target) {
            Ok(truth) if truth.is_dir() && seen.is_dir() => {}
            Ok(truth) => self.entry(&target, shown, at, (&truth, seen)),
            Err(_) => self.differs(at, "leads nowhere, but appears as something"),
        }
    }

    fn may_miss(&self, link: &Path) -> bool {
        let dangling = self.follow(link).is_none_or(|target| !target.exists());
        // pyftpdlib is not in a chroot: an absolute target is a place on its machine.
        let outside =
            self.what.links == Links::Followed && fs::read_link(link).is_ok_and(|target| target.is_absolute());
        self.what.links != Links::Known && (dangling || outside)
    }

    /// Where the server, to which the served folder is `/`, goes for this link.
    fn follow(&self, link: &Path) -> Option<PathBuf> {
        let target = fs::read_link(link).ok()?;
        if target.is_relative() {
            return Some(link.parent()?.join(target));
        }
        Some(self.root.join(target.components().filter(|c| *c != Component::RootDir).collect::<PathBuf>()))
    }
}

/// How a mount shows a link at `at` to `target`: an absolute one leads to the same place inside the mount.
fn within(at: &Path, target: &Path) -> PathBuf {
    if target.is_relative() {
        return target.to_owned();
    }
    let depth = at.components().filter(|c| matches!(c, Component::Normal(_))).count() - 1;
    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
    up.join(target.components().filter(|c| *c != Component::RootDir).collect::<PathBuf>())
}

fn entries(dir: &Path) -> io::Result<BTreeMap<OsString, fs::Metadata>> {
    fs::read_dir(dir)?.map(|entry| entry.and_then(|e| Ok((e.file_name(), e.path().symlink_metadata()?)))).collect()
}

/// The first byte at which two files differ, or the end of the shorter one.
pub fn first_difference(a: &Path, b: &Path) -> io::Result<Option<u64>> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        left.clear();
        right.clear();
        (&mut a).take(1 << 20).read_to_end(&mut left)?;
        (&mut b).take(1 << 20).read_to_end(&mut right)?;
        if left != right {
            let same = left.iter().zip(&right).take_while(|(l, r)| l == r).count();
            return Ok(Some(at + same as u64));
        }
        if left.is_empty() {
            return Ok(None);
        }
        at += left.len() as u64;
    }
}

/// All paths below `dir`, relative to it, sorted by bytes.
pub fn paths(dir: &Path) -> Vec<OsString> {
    fn below(dir: &Path, prefix: &OsStr, found: &mut Vec<OsString>) {
        for (name, metadata) in entries(dir).expect("a readable directory") {
            let path = OsString::from_vec([prefix.as_bytes(), name.as_bytes()].concat());
            if metadata.is_dir() {
                below(&dir.join(&name), &OsString::from_vec([path.as_bytes(), b"/"].concat()), found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    below(dir, OsStr::new(""), &mut found);
    found.sort();
    found
}
