//! Inodes: numbers that stay the same for as long as the kernel remembers them.
//!
//! A node is made when its number is first handed to the kernel and goes when the kernel has forgotten every lookup of
//! it. Paths are not stored: a node knows its parent and its name. A node without a name, because the file has been
//! removed, lives on for those who have it open.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::base::sync::Ranked;
use crate::remote::{Kind, Meta, Name, RemotePath, Stamp, Version};
use crate::store::FileId;

/// An inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

impl Ino {
    /// The mounted directory (`FUSE_ROOT_ID`).
    pub const ROOT: Self = Self(1);
}

/// All nodes.
pub(crate) struct NodeTable {
    tree: Ranked<Tree, 30>,
    root: RemotePath,
}

struct Tree {
    nodes: HashMap<Ino, Node>,
    names: HashMap<(Ino, Name), Ino>,
    /// Where files are that have lost their names while they were open; kept apart from the nodes, as somebody has to
    /// remove them in the end even if the kernel has forgotten them.
    hidden: HashMap<Ino, Hidden>,
    next: u64,
    /// Those that are being written.
    written: HashSet<Ino>,
}

/// Where a file is that has no name any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// The directory's inode.
    pub(crate) dir: Ino,
    pub(crate) path: RemotePath,
}

struct Node {
    place: Place,
    /// Times that the kernel was told of it, less what it has forgotten.
    lookups: u64,
    known: Known,
    content: Option<Content>,
    /// Handles that read it.
    open: usize,
    /// The file has become another one under those who read it: this inode is only theirs any more.
    outdated: bool,
    /// Somebody writes it here: what the server shows meanwhile is not another file, but half of this one.
    written: bool,
    /// Changes of the content that this mount has made: whoever reads goes on with the new one.
    epoch: u64,
}

/// Where a node is on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The mounted directory.
    Root,
    /// A name in a directory.
    At(Ino, Name),
    /// Removed, but kept on the server for those who read it, under a name of ours.
    Hidden,
    /// Removed: the server has nothing of it.
    Gone,
}

/// What is known of a node, and since when.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) meta: Meta,
    pub(crate) since: Instant,
    /// Whether the time of modification is as exact as this server can tell.
    pub(crate) exact: bool,
}

/// The version whose blocks and kernel pages are valid.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) version: Version,
    pub(crate) file: FileId,
    /// Other times of modification of the same content: those that we have set.
    times: Vec<Stamp>,
    /// Whether bytes of it have been handed to the kernel, which may keep them.
    handed: bool,
}

impl NodeTable {
    pub(crate) fn new(root: RemotePath, known: Known) -> Self {
        let tree = Tree {
            nodes: HashMap::from([(Ino::ROOT, Node::new(Place::Root, known))]),
            names: HashMap::new(),
            hidden: HashMap::new(),
            next: Ino::ROOT.0 + 1,
            written: HashSet::new(),
        };
        Self { tree: Ranked::new(tree), root }
    }

    /// The server's path of the mounted directory.
    pub(crate) fn root(&self) -> &RemotePath {
        &self.root
    }

    /// The node of `name` in `parent`, made if it is new, with one lookup more.
    ///
    /// None where the kernel does not know `parent` any more.
    pub(crate) fn enter(&self, parent: Ino, name: &Name, known: Known) -> Option<Ino> {
        let mut tree = self.tree.lock();
        tree.nodes.get(&parent)?;
        let place = (parent, name.clone());
        if let Some(&ino) = tree.names.get(&place) {
            let node = tree.nodes.get_mut(&ino).expect("every name leads to a node");
            // A directory where a file was is another inode: the kernel takes no change of type. So is another version of a
            // file that is being read: with its attributes the kernel would cut the old one short.
            if same_type(&node.known.meta.kind, &known.meta.kind) && !node.is_read_as_another(&known.meta) {
                node.lookups += 1;
                node.renew(known);
                return Some(ino);
            }
        }
        Some(tree.add(parent, name, known))
    }

    /// A node of something that has just been made as `name` in `parent`, with one lookup.
    ///
    /// None where the kernel does not know `parent` any more.
    pub(crate) fn make(&self, parent: Ino, name: &Name, known: Known) -> Option<Ino> {
        let mut tree = self.tree.lock();
        tree.nodes.get(&parent)?;
        tree.unlink(parent, name);
        Some(tree.add(parent, name, known))
    }

    /// The node of `name` in `parent`, if the kernel knows one.
    pub(crate) fn find(&self, parent: Ino, name: &Name) -> Option<Ino> {
        self.tree.lock().names.get(&(parent, name.clone())).copied()
    }

    /// `name` is gone from `parent` and from the server; its node lives on without a name.
    pub(crate) fn unlink(&self, parent: Ino, name: &Name) -> Option<Ino> {
        self.tree.lock().unlink(parent, name)
    }

    /// `ino` has lost its name, but the server keeps it at `path` in `dir` for those who have it open.
    pub(crate) fn hide(&self, ino: Ino, dir: Ino, path: RemotePath) {
        let mut tree = self.tree.lock();
        if let Some(place) = tree.nodes.get_mut(&ino).map(|node| std::mem::replace(&mut node.place, Place::Hidden)) {
            tree.leave(ino, place);
            tree.hidden.insert(ino, Hidden { dir, path });
        }
    }

    /// The server has nothing of `ino` any more: tells where it was hidden, if it was.
    pub(crate) fn unhide(&self, ino: Ino) -> Option<Hidden> {
        let mut tree = self.tree.lock();
        let hidden = tree.hidden.remove(&ino)?;
        if let Some(node) = tree.nodes.get_mut(&ino) {
            node.place = Place::Gone;
        }
        Some(hidden)
    }

    /// `ino`, which was hidden, bears `name` in `dir` again.
    pub(crate) fn show(&self, ino: Ino, dir: Ino, name: &Name) {
        let mut tree = self.tree.lock();
        tree.hidden.remove(&ino);
        if let Some(node) = tree.nodes.get_mut(&ino) {
            node.place = Place::At(dir, name.clone());
            tree.names.insert((dir, name.clone()), ino);
        }
    }

    /// All that is hidden.
    pub(crate) fn hidden(&self) -> Vec<(Ino, Hidden)> {
        self.tree.lock().hidden.iter().map(|(ino, hidden)| (*ino, hidden.clone())).collect()
    }

    /// Whether `ino` is hidden and nobody reads it any more.
    pub(crate) fn is_hidden_in_vain(&self, ino: Ino) -> bool {
        let tree = self.tree.lock();
        tree.hidden.contains_key(&ino) && tree.nodes.get(&ino).is_none_or(|node| node.open == 0)
    }

    /// `from` in `from_dir` bears the name `to` in `to_dir` from now on; whatever did so before has none any more, and is
    /// told.
    pub(crate) fn rename(&self, from_dir: Ino, from: &Name, to_dir: Ino, to: &Name) -> Option<Ino> {
        let mut tree = self.tree.lock();
        if !tree.hidden.is_empty() {
            let path = |dir, name| tree.path(&self.root, dir).map(|dir: RemotePath| dir.join(name));
            if let Some((old, new)) = path(from_dir, from).zip(path(to_dir, to)) {
                tree.hidden.values_mut().for_each(|hidden| follow(&mut hidden.path, &old, &new));
            }
        }
        let moved = tree.names.remove(&(from_dir, from.clone()));
        let replaced = tree.unlink(to_dir, to);
        if let Some(node) = moved.and_then(|ino| tree.nodes.get_mut(&ino)) {
            node.place = Place::At(to_dir, to.clone());
            tree.names.extend(moved.map(|ino| ((to_dir, to.clone()), ino)));
        }
        replaced
    }

    /// Whether `ino` has lost its name by our own doing.
    pub(crate) fn is_unlinked(&self, ino: Ino) -> bool {
        let tree = self.tree.lock();
        tree.nodes.get(&ino).is_some_and(|node| matches!(node.place, Place::Hidden | Place::Gone))
    }

    /// Whether a handle reads `ino`.
    pub(crate) fn is_open(&self, ino: Ino) -> bool {
        self.tree.lock().nodes.get(&ino).is_some_and(|node| node.open > 0)
    }

    /// The kernel forgets `count` lookups.
    pub(crate) fn forget(&self, ino: Ino, count: u64) {
        let mut tree = self.tree.lock();
        let Some(node) = tree.nodes.get_mut(&ino) else { return };
        node.lookups = node.lookups.saturating_sub(count);
        tree.reap(ino);
    }

    /// What is known of `ino`.
    pub(crate) fn known(&self, ino: Ino) -> Option<Known> {
        self.tree.lock().nodes.get(&ino).map(|node| node.known.clone())
    }

    /// Parent and name; None for the root and for what has no name or is not known.
    pub(crate) fn place(&self, ino: Ino) -> Option<(Ino, Name)> {
        match &self.tree.lock().nodes.get(&ino)?.place {
            Place::At(parent, name) => Some((*parent, name.clone())),
            Place::Root | Place::Hidden | Place::Gone => None,
        }
    }

    /// The parent; the root is its own.
    pub(crate) fn parent(&self, ino: Ino) -> Ino {
        self.place(ino).map_or(Ino::ROOT, |(parent, _)| parent)
    }

    /// Takes note of newer knowledge; false where the node is gone or has become something else.
    pub(crate) fn update(&self, ino: Ino, known: Known) -> bool {
        let mut tree = self.tree.lock();
        match tree.nodes.get_mut(&ino) {
            Some(node)
                if same_type(&node.known.meta.kind, &known.meta.kind) && !node.is_read_as_another(&known.meta) =>
            {
                node.renew(known);
                true
            }
            _ => false,
        }
    }

    /// We have changed facts of `ino` ourselves.
    pub(crate) fn amend(&self, ino: Ino, f: impl FnOnce(&mut Meta)) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            f(&mut node.known.meta);
        }
    }

    /// What is known of `ino` may be wrong: it is to be asked anew.
    pub(crate) fn doubt(&self, ino: Ino) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.known.exact = false;
        }
    }

    /// The path on the server; None where it cannot be told any more.
    pub(crate) fn path(&self, ino: Ino) -> Option<RemotePath> {
        self.tree.lock().path(&self.root, ino)
    }

    /// Binds `ino` to `version`: the identity of its blocks, and whether it is the same as before.
    pub(crate) fn bind(&self, ino: Ino, version: &Version, fresh: impl FnOnce() -> FileId) -> Option<(FileId, bool)> {
        let mut tree = self.tree.lock();
        let node = tree.nodes.get_mut(&ino)?;
        match &node.content {
            Some(content) if content.is(version) => Some((content.file, true)),
            _ => {
                let file = fresh();
                node.content = Some(Content::new(version, file));
                Some((file, false))
            }
        }
    }

    /// Binds `ino` to `version` instead of `file`, unless bytes of `file` have been handed out.
    pub(crate) fn rebind(
        &self,
        ino: Ino,
        file: FileId,
        version: &Version,
        fresh: impl FnOnce() -> FileId,
    ) -> Option<FileId> {
        let mut tree = self.tree.lock();
        let content = &mut tree.nodes.get_mut(&ino)?.content;
        match content {
            Some(content) if content.is(version) => Some(content.file),
            Some(content) if content.file == file && content.handed => None,
            _ => {
                let file = fresh();
                *content = Some(Content::new(version, file));
                Some(file)
            }
        }
    }

    /// Whether `version` is a state of the content that `file` stands for.
    pub(crate) fn is_version(&self, ino: Ino, file: FileId, version: &Version) -> bool {
        let tree = self.tree.lock();
        let content = tree.nodes.get(&ino).and_then(|node| node.content.as_ref());
        content.is_some_and(|content| content.file == file && content.is(version))
    }

    /// We set the time of modification of `ino`: that is no new content.
    pub(crate) fn retime(&self, ino: Ino, time: Stamp) {
        let mut tree = self.tree.lock();
        if let Some(content) = tree.nodes.get_mut(&ino).and_then(|node| node.content.as_mut()) {
            content.times.retain(|t| *t != time);
            content.times.push(time);
            // The server may still show an earlier one, but hardly one of long ago.
            let old = content.times.len().saturating_sub(MOST_TIMES);
            content.times.drain(..old);
        }
    }

    /// Binds `ino` to the `version` that this mount has just made of it.
    pub(crate) fn replace(&self, ino: Ino, version: &Version, file: FileId) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.content = Some(Content::new(version, file));
            node.outdated = false;
            node.epoch += 1;
        }
    }

    /// How often this mount has changed the content of `ino`.
    pub(crate) fn epoch(&self, ino: Ino) -> u64 {
        self.tree.lock().nodes.get(&ino).map_or(0, |node| node.epoch)
    }

    /// Whether somebody writes `ino` here.
    pub(crate) fn set_written(&self, ino: Ino, written: bool) {
        let mut tree = self.tree.lock();
        if let Some(node) = tree.nodes.get_mut(&ino) {
            node.written = written;
            if written {
                tree.written.insert(ino)
            } else {
                tree.written.remove(&ino)
            };
            // The kernel may have forgotten it meanwhile.
            tree.reap(ino);
        }
    }

    /// Takes note that bytes of `file` go to the kernel.
    pub(crate) fn hand_out(&self, ino: Ino, file: FileId) {
        let mut tree = self.tree.lock();
        let content = tree.nodes.get_mut(&ino).and_then(|node| node.content.as_mut());
        if let Some(content) = content.filter(|content| content.file == file) {
            content.handed = true;
        }
    }

    /// A handle reads `ino` from now on.
    pub(crate) fn opened(&self, ino: Ino) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.open += 1;
        }
    }

    /// One handle less reads `ino`.
    pub(crate) fn closed(&self, ino: Ino) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.open = node.open.saturating_sub(1);
            node.outdated &= node.open > 0;
        }
    }

    /// Whether `file` is still what `ino` is bound to.
    pub(crate) fn is_bound(&self, ino: Ino, file: FileId) -> bool {
        let tree = self.tree.lock();
        tree.nodes.get(&ino).and_then(|node| node.content.as_ref()).is_some_and(|content| content.file == file)
    }

    /// The version that `ino` was last opened as.
    pub(crate) fn content(&self, ino: Ino) -> Option<Content> {
        self.tree.lock().nodes.get(&ino).and_then(|node| node.content.clone())
    }

    /// Forgets what `ino` is bound to: its content has changed, and what is known of it is to be asked anew.
    pub(crate) fn unbind(&self, ino: Ino) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.content = None;
            node.known.exact = false;
            node.outdated = node.open > 0;
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.tree.lock().nodes.len()
    }
}

impl Tree {
    fn add(&mut self, parent: Ino, name: &Name, known: Known) -> Ino {
        let ino = Ino(self.next);
        self.next += 1;
        self.names.insert((parent, name.clone()), ino);
        self.nodes.insert(ino, Node::new(Place::At(parent, name.clone()), known));
        ino
    }

    fn unlink(&mut self, parent: Ino, name: &Name) -> Option<Ino> {
        let ino = self.names.remove(&(parent, name.clone()))?;
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.place = Place::Gone;
        }
        Some(ino)
    }

    /// Lets go of `ino`, and of what it was in, if the kernel knows it no more and nobody needs its path: what has been
    /// written here and is not stored yet has to find its name.
    fn reap(&mut self, mut ino: Ino) {
        loop {
            let Some(node) = self.nodes.get(&ino) else { return };
            if node.lookups > 0 || ino == Ino::ROOT || self.leads_to_written(ino) {
                return;
            }
            let Some(Node { place, .. }) = self.nodes.remove(&ino) else { return };
            let parent = if let Place::At(parent, _) = &place { Some(*parent) } else { None };
            self.leave(ino, place);
            let Some(parent) = parent else { return };
            ino = parent;
        }
    }

    /// Whether `ino` is being written, or is on the way to something that is.
    fn leads_to_written(&self, ino: Ino) -> bool {
        self.written.iter().any(|&at| {
            let mut at = Some(at);
            while let Some(here) = at {
                if here == ino {
                    return true;
                }
                at = match self.nodes.get(&here).map(|node| &node.place) {
                    Some(Place::At(parent, _)) => Some(*parent),
                    _ => None,
                };
            }
            false
        })
    }

    /// `ino` is no longer at `place`.
    fn leave(&mut self, ino: Ino, place: Place) {
        if let Place::At(parent, name) = place
            && self.names.get(&(parent, name.clone())) == Some(&ino)
        {
            self.names.remove(&(parent, name));
        }
    }

    fn path(&self, root: &RemotePath, ino: Ino) -> Option<RemotePath> {
        if let Some(hidden) = self.hidden.get(&ino) {
            return Some(hidden.path.clone());
        }
        let mut names = Vec::new();
        let mut at = ino;
        while at != Ino::ROOT {
            let Place::At(parent, name) = &self.nodes.get(&at)?.place else { return None };
            // A name that now belongs to another node leads elsewhere.
            if self.names.get(&(*parent, name.clone())) != Some(&at) {
                return None;
            }
            names.push(name.clone());
            at = *parent;
        }
        Some(names.iter().rev().fold(root.clone(), |path, name| path.join(name)))
    }
}

impl Content {
    fn new(version: &Version, file: FileId) -> Self {
        Self { version: version.clone(), file, times: Vec::new(), handed: false }
    }

    pub(crate) fn is(&self, version: &Version) -> bool {
        let at = |time: &Stamp| Version { mtime: Some(*time), ..self.version.clone() };
        self.version.agrees(version) || self.times.iter().any(|time| at(time).agrees(version))
    }
}

impl Node {
    fn new(place: Place, known: Known) -> Self {
        Self { place, lookups: 1, known, content: None, open: 0, outdated: false, written: false, epoch: 0 }
    }

    /// Whether a handle reads a version of this file that is not the one of `meta`.
    fn is_read_as_another(&self, meta: &Meta) -> bool {
        if self.open == 0 || self.outdated || self.written {
            return self.outdated;
        }
        let (Some(content), Some(size)) = (&self.content, meta.size) else { return false };
        let now = Version { size, mtime: meta.mtime, unique: meta.unique.clone() };
        !content.is(&now)
    }

    /// A listing read earlier never replaces a later one.
    fn renew(&mut self, known: Known) {
        if known.since >= self.known.since {
            self.known = known;
        }
    }
}

/// What was below `old` is below `new` now.
fn follow(path: &mut RemotePath, old: &RemotePath, new: &RemotePath) {
    let rest = path.as_bytes().strip_prefix(old.as_bytes()).filter(|rest| rest.first() == Some(&b'/'));
    let moved = rest.and_then(|rest| RemotePath::new(&[new.as_bytes(), rest].concat()));
    if let Some(moved) = moved {
        *path = moved;
    }
}

fn same_type(a: &Kind, b: &Kind) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Times of modification of one content that are remembered.
const MOST_TIMES: usize = 8;
