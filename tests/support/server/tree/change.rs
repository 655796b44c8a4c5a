//! What a server does to the tree on behalf of a client: as the system calls do it, with their errors.

use super::{Content, Kind, MAX_HOPS, Node, Tree, Why, children, parts, split};
use std::sync::Arc;

/// A fake that holds files in memory does not turn a pattern file into one of these that is longer than this.
const MAX_HELD: u64 = 1 << 30;

impl Tree {
    /// Opens a file for writing, makes it where it is missing, and gives its `unique`. Links are followed.
    pub(in super::super) fn open(&mut self, path: &[u8], mode: u32, now: i64) -> Result<u64, Why> {
        let mut path = path.to_vec();
        for _ in 0..MAX_HOPS {
            match self.find(&path, false) {
                Ok(Node { kind: Kind::Dir(_), .. }) => return Err(Why::IsDir),
                Ok(Node { kind: Kind::File(_), mode, unique, .. }) => {
                    return if mode & 0o200 == 0 { Err(Why::Denied) } else { Ok(*unique) };
                }
                Ok(Node { kind: Kind::Link(target), .. }) => {
                    // As it is written: behind a link `..` would mean something else, which no test needs.
                    let parent = parent_of(&path);
                    path = super::join(&parent, target);
                }
                Err(Why::Missing) => return self.create(&path, Kind::File(Content::empty()), mode, now),
                Err(why) => return Err(why),
            }
        }
        Err(Why::Loop)
    }

    /// Makes a directory.
    pub(in super::super) fn create_dir(&mut self, path: &[u8], mode: u32, now: i64) -> Result<(), Why> {
        self.create_new(path, Kind::Dir(Default::default()), mode, now)
    }

    /// Makes a symbolic link.
    pub(in super::super) fn create_link(&mut self, path: &[u8], target: &[u8], now: i64) -> Result<(), Why> {
        self.create_new(path, Kind::Link(target.to_vec()), 0o777, now)
    }

    /// unlink(2).
    pub(in super::super) fn unlink(&mut self, path: &[u8], now: i64) -> Result<(), Why> {
        if self.find(path, false)?.is_dir() {
            return Err(Why::IsDir);
        }
        self.take(path, now).map(drop)
    }

    /// rmdir(2).
    pub(in super::super) fn remove_dir(&mut self, path: &[u8], now: i64) -> Result<(), Why> {
        match &self.find(path, false)?.kind {
            Kind::Dir(entries) if entries.is_empty() => self.take(path, now).map(drop),
            Kind::Dir(_) => Err(Why::NotEmpty),
            Kind::File(_) | Kind::Link(_) => Err(Why::NotDir),
        }
    }

    /// rename(2).
    pub(in super::super) fn move_to(&mut self, from: &[u8], to: &[u8], now: i64) -> Result<(), Why> {
        let is_dir = self.find(from, false)?.is_dir();
        let (from, to) = (self.real(from)?, self.real(to)?);
        if from == to {
            return Ok(());
        }
        if to.len() > from.len() && to.starts_with(&from) {
            return Err(Why::Invalid);
        }
        let (from, to) = (from.join(&b'/'), to.join(&b'/'));
        match self.find(&to, false).map(|node| &node.kind) {
            Ok(Kind::Dir(_)) if !is_dir => return Err(Why::IsDir),
            Ok(Kind::Dir(entries)) if !entries.is_empty() => return Err(Why::NotEmpty),
            Ok(Kind::File(_) | Kind::Link(_)) if is_dir => return Err(Why::NotDir),
            Ok(_) | Err(Why::Missing) => {}
            Err(why) => return Err(why),
        }
        self.parent(&to)?;
        let node = self.take(&from, now)?;
        let (last, parent) = self.parent(&to)?;
        parent.mtime = now;
        children(parent).ok_or(Why::NotDir)?.insert(last, node);
        Ok(())
    }

    /// utimes(2), links followed.
    pub(in super::super) fn touch(&mut self, path: &[u8], mtime: i64) -> Result<(), Why> {
        let unique = self.find(path, true)?.unique;
        self.by_unique(unique, path).ok_or(Why::Missing)?.mtime = mtime;
        Ok(())
    }

    /// chmod(2), links followed.
    pub(in super::super) fn change_mode(&mut self, path: &[u8], mode: u32) -> Result<(), Why> {
        let unique = self.find(path, true)?.unique;
        self.by_unique(unique, path).ok_or(Why::Missing)?.mode = mode;
        Ok(())
    }

    /// Cuts an open file; one that has no name any more is nobody's business.
    pub(in super::super) fn truncate(&mut self, unique: u64, hint: &[u8], len: u64, now: i64) {
        let Some(node) = self.by_unique(unique, hint) else { return };
        let Kind::File(content) = &mut node.kind else { return };
        if len == 0 {
            *content = Content::empty();
        } else if len < content.len() {
            content.held().truncate(len as usize);
        }
        node.mtime = now;
    }

    /// Writes to an open file at an offset; a gap is filled with zeros.
    pub(in super::super) fn store(&mut self, unique: u64, hint: &[u8], offset: u64, bytes: &[u8], now: i64) {
        let Some(node) = self.by_unique(unique, hint) else { return };
        let Kind::File(content) = &mut node.kind else { return };
        let (from, held) = (offset as usize, content.held());
        let both = held.len().saturating_sub(from).min(bytes.len());
        held.resize(held.len().max(from), 0);
        held[from..from + both].copy_from_slice(&bytes[..both]);
        held.extend_from_slice(&bytes[both..]);
        node.mtime = now;
    }

    /// The length of an open file, as long as it has a name.
    pub(in super::super) fn len_of(&mut self, unique: u64, hint: &[u8]) -> u64 {
        self.by_unique(unique, hint).map_or(0, |node| node.size())
    }

    /// What all files hold together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.paths().iter().filter_map(|path| self.find(path, false).ok()).map(held_by).sum()
    }

    /// Every path, sorted: files, directories and links.
    #[must_use]
    pub fn paths(&self) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        collect(&self.root, b"", &mut paths);
        paths.sort();
        paths
    }

    /// The names on the way to something, without links; its last name need not exist.
    fn real(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Why> {
        let (last, dirs) = split(path).ok_or(Why::Invalid)?;
        let unique = self.find(&dirs.join(&b'/'), true)?.unique;
        let mut real = path_to(&self.root, unique).ok_or(Why::Missing)?;
        real.push(last);
        Ok(real)
    }

    /// The directory in which a name is made or removed.
    fn parent(&mut self, path: &[u8]) -> Result<(Vec<u8>, &mut Node), Why> {
        let (last, dirs) = split(path).ok_or(Why::Invalid)?;
        if last.len() > 255 {
            return Err(Why::TooLong);
        }
        let dirs = dirs.join(&b'/');
        let found = self.find(&dirs, true)?;
        match (found.is_dir(), found.mode & 0o300) {
            (false, _) => return Err(Why::NotDir),
            (true, 0o300) => {}
            (true, _) => return Err(Why::Denied),
        }
        let unique = found.unique;
        Ok((last, self.by_unique(unique, &dirs).ok_or(Why::Missing)?))
    }

    fn create_new(&mut self, path: &[u8], kind: Kind, mode: u32, now: i64) -> Result<(), Why> {
        match self.find(path, false) {
            Ok(_) => Err(Why::Exists),
            Err(Why::Missing) => self.create(path, kind, mode, now).map(drop),
            Err(why) => Err(why),
        }
    }

    fn create(&mut self, path: &[u8], kind: Kind, mode: u32, now: i64) -> Result<u64, Why> {
        let unique = self.next_unique;
        let (last, parent) = self.parent(path)?;
        parent.mtime = now;
        children(parent).ok_or(Why::NotDir)?.insert(last, Node { kind, mtime: now, mode, unique });
        self.next_unique += 1;
        Ok(unique)
    }

    fn take(&mut self, path: &[u8], now: i64) -> Result<Node, Why> {
        let (last, parent) = self.parent(path)?;
        let node = children(parent).ok_or(Why::NotDir)?.remove(&last).ok_or(Why::Missing)?;
        parent.mtime = now;
        Ok(node)
    }

    /// Where a file is now: under the name by which it was opened, or where somebody has moved it.
    fn by_unique(&mut self, unique: u64, hint: &[u8]) -> Option<&mut Node> {
        let hint = parts(hint);
        if self.node_mut(&hint).is_some_and(|node| node.unique == unique) {
            return self.node_mut(&hint);
        }
        let path = path_to(&self.root, unique)?;
        self.node_mut(&path)
    }
}

impl Content {
    fn empty() -> Self {
        Self::Bytes(Arc::default())
    }

    /// The bytes, to be changed.
    fn held(&mut self) -> &mut Vec<u8> {
        if let Self::Pattern { len, .. } = *self {
            assert!(len <= MAX_HELD, "the fake server changes no pattern file of {len} bytes");
            *self = Self::Bytes(Arc::new(self.read(0, len as usize)));
        }
        match self {
            Self::Bytes(bytes) => Arc::make_mut(bytes),
            Self::Pattern { .. } => unreachable!("it has just become bytes"),
        }
    }
}

fn held_by(node: &Node) -> u64 {
    if let Kind::File(content) = &node.kind { content.len() } else { 0 }
}

fn parent_of(path: &[u8]) -> Vec<u8> {
    split(path).map(|(_, dirs)| dirs.join(&b'/')).unwrap_or_default()
}

fn path_to(here: &Node, unique: u64) -> Option<Vec<Vec<u8>>> {
    if here.unique == unique {
        return Some(Vec::new());
    }
    let Kind::Dir(entries) = &here.kind else { return None };
    entries.iter().find_map(|(name, node)| {
        let mut path = path_to(node, unique)?;
        path.insert(0, name.clone());
        Some(path)
    })
}

fn collect(here: &Node, path: &[u8], paths: &mut Vec<Vec<u8>>) {
    let Kind::Dir(entries) = &here.kind else { return };
    for (name, node) in entries {
        let path = if path.is_empty() { name.clone() } else { [path, b"/", name].concat() };
        paths.push(path.clone());
        collect(node, &path, paths);
    }
}
