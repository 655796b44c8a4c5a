//! The files that the fake server serves: an in-memory tree whose large files are a function of the offset.
//!
//! Paths are bytes, as on the wire: `d/a.txt` and `/d/a.txt` are the same file, the root is the empty path. Permissions
//! are those of one user who owns everything, so that only the first digit of a mode counts.

mod change;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The time of everything that is not given one: 2023-11-14 22:13:20 UTC.
pub const DEFAULT_MTIME: i64 = 1_700_000_000;

/// As many links as Linux follows before it says ELOOP.
const MAX_HOPS: usize = 40;

/// A directory tree; the methods that take `self` build it, those that take `&mut self` change it while it is served.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Node,
    next_unique: u64,
}

/// One file, directory or symbolic link.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is, with its content.
    pub kind: Kind,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
    /// Permission bits.
    pub mode: u32,
    /// The number that `unique` shows; it stays when a file is renamed or rewritten, like an inode number.
    pub unique: u64,
}

/// The content of a node.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory and its entries.
    Dir(BTreeMap<Vec<u8>, Node>),
    /// A regular file.
    File(Content),
    /// A symbolic link and its target.
    Link(Vec<u8>),
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Arc<Vec<u8>>),
    /// `len` bytes of [`fill_pattern`] with this seed.
    Pattern {
        /// Length of the file.
        len: u64,
        /// Files with different seeds differ everywhere.
        seed: u64,
    },
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// ENOENT.
    Missing,
    /// ENOTDIR.
    NotDir,
    /// EISDIR.
    IsDir,
    /// EACCES.
    Denied,
    /// ELOOP.
    Loop,
    /// EEXIST.
    Exists,
    /// ENOTEMPTY.
    NotEmpty,
    /// EINVAL.
    Invalid,
    /// ENAMETOOLONG.
    TooLong,
}

/// A tree that the test and the server share.
#[derive(Clone, Debug)]
pub struct SharedTree(Arc<Mutex<Tree>>);

impl SharedTree {
    pub(super) fn new(tree: Tree) -> Self {
        Self(Arc::new(Mutex::new(tree)))
    }

    /// Takes the tree; the server waits with every command that looks at it until the guard is dropped.
    pub fn lock(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the tree between two commands.
    pub fn update<T>(&self, change: impl FnOnce(&mut Tree) -> T) -> T {
        change(&mut self.lock())
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A root directory without entries.
    #[must_use]
    pub fn new() -> Self {
        let root = Node { kind: Kind::Dir(BTreeMap::new()), mtime: DEFAULT_MTIME, mode: 0o755, unique: 1 };
        Self { root, next_unique: 2 }
    }

    /// Adds a directory (and those above it).
    #[must_use]
    pub fn dir(mut self, path: impl AsRef<[u8]>) -> Self {
        self.make_dir(path);
        self
    }

    /// Adds a file with these bytes.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>, mtime: i64) -> Self {
        self.write(path, bytes, mtime);
        self
    }

    /// Adds a file of any length that needs no memory; [`fill_pattern`] gives the same bytes to the test.
    #[must_use]
    pub fn file_pattern(mut self, path: impl AsRef<[u8]>, len: u64, seed: u64) -> Self {
        self.write_pattern(path, len, seed, DEFAULT_MTIME);
        self
    }

    /// Adds a symbolic link; the target is taken as it is and need not exist.
    #[must_use]
    pub fn symlink(mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.put(path.as_ref(), Kind::Link(target.as_ref().to_vec()), DEFAULT_MTIME, 0o777);
        self
    }

    /// Adds `count` empty files `f00000`, `f00001`, ... to a directory.
    #[must_use]
    pub fn many(mut self, dir: &str, count: usize) -> Self {
        for number in 0..count {
            self.write(format!("{dir}/f{number:05}"), "", DEFAULT_MTIME);
        }
        self
    }

    /// Gives something that was added before other permission bits.
    #[must_use]
    pub fn with_mode(mut self, path: impl AsRef<[u8]>, mode: u32) -> Self {
        self.set_mode(path, mode);
        self
    }

    /// Gives something that was added before another time.
    #[must_use]
    pub fn with_mtime(mut self, path: impl AsRef<[u8]>, mtime: i64) -> Self {
        self.set_mtime(path, mtime);
        self
    }

    /// Makes a directory; one that exists stays as it is.
    pub fn make_dir(&mut self, path: impl AsRef<[u8]>) {
        let path = path.as_ref();
        if !matches!(self.find(path, false), Ok(Node { kind: Kind::Dir(_), .. })) {
            self.put(path, Kind::Dir(BTreeMap::new()), DEFAULT_MTIME, 0o755);
        }
    }

    /// Writes a file, new or not.
    pub fn write(&mut self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>, mtime: i64) {
        self.put(path.as_ref(), Kind::File(Content::Bytes(Arc::new(bytes.as_ref().to_vec()))), mtime, 0o644);
    }

    /// Writes a pattern file, new or not.
    pub fn write_pattern(&mut self, path: impl AsRef<[u8]>, len: u64, seed: u64, mtime: i64) {
        self.put(path.as_ref(), Kind::File(Content::Pattern { len, seed }), mtime, 0o644);
    }

    /// Removes a file, or a directory with all that is in it. Nobody's time changes.
    pub fn remove(&mut self, path: impl AsRef<[u8]>) -> Option<Node> {
        let (last, dirs) = split(path.as_ref())?;
        children(self.node_mut(&dirs)?)?.remove(&last)
    }

    /// Moves something to another name, over whatever is there.
    ///
    /// # Panics
    /// If there is nothing to move.
    pub fn rename(&mut self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) {
        let node = self.remove(from).expect("the fake tree has what is to be renamed");
        let (last, dirs) = split(to.as_ref()).expect("the root is no target of a rename");
        self.dirs_mut(&dirs).insert(last, node);
    }

    /// Sets a modification time.
    ///
    /// # Panics
    /// If the path is not in the tree.
    pub fn set_mtime(&mut self, path: impl AsRef<[u8]>, mtime: i64) {
        self.node_mut(&parts(path.as_ref())).expect("the fake tree has this path").mtime = mtime;
    }

    /// Sets the permission bits.
    ///
    /// # Panics
    /// If the path is not in the tree.
    pub fn set_mode(&mut self, path: impl AsRef<[u8]>, mode: u32) {
        self.node_mut(&parts(path.as_ref())).expect("the fake tree has this path").mode = mode;
    }

    /// What a path names; a link at its end is followed only if asked for.
    pub fn find(&self, path: &[u8], follow: bool) -> Result<&Node, Why> {
        let mut todo: VecDeque<Vec<u8>> = parts(path).into();
        let mut way = vec![&self.root];
        let mut hops = 0;
        while let Some(name) = todo.pop_front() {
            let here = way[way.len() - 1];
            let Kind::Dir(entries) = &here.kind else { return Err(Why::NotDir) };
            if name == b".." {
                way.truncate((way.len() - 1).max(1));
                continue;
            }
            if here.mode & 0o100 == 0 {
                return Err(Why::Denied);
            }
            let entry = entries.get(&name).ok_or(Why::Missing)?;
            match &entry.kind {
                Kind::Link(target) if follow || !todo.is_empty() => {
                    hops += 1;
                    if hops > MAX_HOPS {
                        return Err(Why::Loop);
                    }
                    if target.starts_with(b"/") {
                        way.truncate(1);
                    }
                    for part in parts(target).into_iter().rev() {
                        todo.push_front(part);
                    }
                }
                Kind::Dir(_) | Kind::File(_) | Kind::Link(_) => way.push(entry),
            }
        }
        Ok(way[way.len() - 1])
    }

    /// A readable directory and its entries, links at the end followed.
    pub fn list(&self, path: &[u8]) -> Result<(&Node, &BTreeMap<Vec<u8>, Node>), Why> {
        let node = self.find(path, true)?;
        match &node.kind {
            Kind::Dir(_) if node.mode & 0o400 == 0 => Err(Why::Denied),
            Kind::Dir(entries) => Ok((node, entries)),
            Kind::File(_) | Kind::Link(_) => Err(Why::NotDir),
        }
    }

    /// A regular file, links followed.
    pub fn regular(&self, path: &[u8]) -> Result<(&Node, &Content), Why> {
        let node = self.find(path, true)?;
        match &node.kind {
            Kind::File(content) => Ok((node, content)),
            Kind::Dir(_) | Kind::Link(_) => Err(Why::IsDir),
        }
    }

    /// The bytes of a file from `offset`, at most `len`: what a client should get.
    ///
    /// # Panics
    /// If the path is no regular file.
    #[must_use]
    pub fn read(&self, path: impl AsRef<[u8]>, offset: u64, len: usize) -> Vec<u8> {
        let (_, content) = self.regular(path.as_ref()).expect("the fake tree has this file");
        content.read(offset, len)
    }

    fn put(&mut self, path: &[u8], kind: Kind, mtime: i64, mode: u32) {
        let (last, dirs) = split(path).expect("the root of the fake tree stays a directory");
        let fresh = self.next_unique;
        self.next_unique += 1;
        let entries = self.dirs_mut(&dirs);
        // Rewriting keeps mode and inode number on every server that was measured.
        let (mode, unique) = match entries.get(&last) {
            Some(Node { kind: Kind::File(_), mode, unique, .. }) => (*mode, *unique),
            _ => (mode, fresh),
        };
        entries.insert(last, Node { kind, mtime, mode, unique });
    }

    fn dirs_mut(&mut self, dirs: &[Vec<u8>]) -> &mut BTreeMap<Vec<u8>, Node> {
        let mut here = &mut self.root;
        for name in dirs {
            let unique = self.next_unique;
            self.next_unique += 1;
            here = children(here).expect("only directories have entries").entry(name.clone()).or_insert_with(|| Node {
                kind: Kind::Dir(BTreeMap::new()),
                mtime: DEFAULT_MTIME,
                mode: 0o755,
                unique,
            });
        }
        children(here).expect("only directories have entries")
    }

    fn node_mut(&mut self, path: &[Vec<u8>]) -> Option<&mut Node> {
        path.iter().try_fold(&mut self.root, |here, name| children(here)?.get_mut(name))
    }
}

impl Node {
    /// What SIZE and a listing tell: the length of a file, or of a link's target.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::Dir(_) => 4096,
            Kind::File(content) => content.len(),
            Kind::Link(target) => target.len() as u64,
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir(_))
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        matches!(self.kind, Kind::Link(_))
    }
}

impl Content {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern { len, .. } => *len,
        }
    }

    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Up to `len` bytes from `offset`; none at or after the end.
    #[must_use]
    pub fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let len = self.len().saturating_sub(offset).min(len as u64) as usize;
        match self {
            _ if len == 0 => Vec::new(),
            Self::Bytes(bytes) => bytes[offset as usize..][..len].to_vec(),
            Self::Pattern { seed, .. } => {
                let mut out = vec![0; len];
                fill_pattern(*seed, offset, &mut out);
                out
            }
        }
    }
}

/// Fills `out` with what a pattern file of this seed has at `offset`.
pub fn fill_pattern(seed: u64, offset: u64, out: &mut [u8]) {
    let mut done = 0;
    while done < out.len() {
        let at = offset + done as u64;
        let word = mix(seed ^ (at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes();
        let from = &word[(at % 8) as usize..];
        let len = from.len().min(out.len() - done);
        out[done..done + len].copy_from_slice(&from[..len]);
        done += len;
    }
}

/// The finalizer of splitmix64: neighbouring words share nothing, so that a shifted block is noticed.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// `arg` as a client means it that stands in `cwd`: without a leading `/`, `.` and `..` resolved, empty for the root.
pub(super) fn join(cwd: &[u8], arg: &[u8]) -> Vec<u8> {
    let mut way = if arg.starts_with(b"/") { Vec::new() } else { parts(cwd) };
    for part in parts(arg) {
        if part == b".." {
            way.pop();
        } else {
            way.push(part);
        }
    }
    way.join(&b'/')
}

/// Whether a path that `join` gave lies in a directory or deeper; the root is empty.
pub(super) fn is_below(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| !rest.is_empty() && (dir.is_empty() || rest.starts_with(b"/")))
}

/// The names in a path; `..` stays, because behind a link it means another directory.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

fn split(path: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut dirs = parts(path);
    Some((dirs.pop()?, dirs))
}

fn children(node: &mut Node) -> Option<&mut BTreeMap<Vec<u8>, Node>> {
    match &mut node.kind {
        Kind::Dir(entries) => Some(entries),
        Kind::File(_) | Kind::Link(_) => None,
    }
}
