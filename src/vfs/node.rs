//! Inodes: numbers that stay the same for as long as the kernel remembers them.
//!
//! A node is made when its number is first handed to the kernel and goes when the kernel has forgotten every lookup of
//! it. Paths are not stored: a node knows its parent and its name.

use std::collections::HashMap;
use std::time::Instant;

use crate::base::sync::Ranked;
use crate::remote::{Kind, Meta, Name, RemotePath, Version};
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
    next: u64,
}

struct Node {
    /// None for the root.
    place: Option<(Ino, Name)>,
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
    /// Whether bytes of it have been handed to the kernel, which may keep them.
    handed: bool,
}

impl NodeTable {
    pub(crate) fn new(root: RemotePath, known: Known) -> Self {
        let node =
            Node { place: None, lookups: 1, known, content: None, open: 0, outdated: false, written: false, epoch: 0 };
        let tree = Tree { nodes: HashMap::from([(Ino::ROOT, node)]), names: HashMap::new(), next: Ino::ROOT.0 + 1 };
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
        let ino = Ino(tree.next);
        tree.next += 1;
        tree.names.insert(place.clone(), ino);
        tree.nodes.insert(
            ino,
            Node {
                place: Some(place),
                lookups: 1,
                known,
                content: None,
                open: 0,
                outdated: false,
                written: false,
                epoch: 0,
            },
        );
        Some(ino)
    }

    /// The kernel forgets `count` lookups.
    pub(crate) fn forget(&self, ino: Ino, count: u64) {
        let mut tree = self.tree.lock();
        let Some(node) = tree.nodes.get_mut(&ino) else { return };
        node.lookups = node.lookups.saturating_sub(count);
        if node.lookups > 0 || ino == Ino::ROOT {
            return;
        }
        let place = tree.nodes.remove(&ino).and_then(|node| node.place);
        if let Some(place) = place
            && tree.names.get(&place) == Some(&ino)
        {
            tree.names.remove(&place);
        }
    }

    /// What is known of `ino`.
    pub(crate) fn known(&self, ino: Ino) -> Option<Known> {
        self.tree.lock().nodes.get(&ino).map(|node| node.known.clone())
    }

    /// Parent and name; None for the root and for what is not known.
    pub(crate) fn place(&self, ino: Ino) -> Option<(Ino, Name)> {
        self.tree.lock().nodes.get(&ino).and_then(|node| node.place.clone())
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

    /// The path on the server; None where it cannot be told any more.
    pub(crate) fn path(&self, ino: Ino) -> Option<RemotePath> {
        let tree = self.tree.lock();
        let mut names = Vec::new();
        let mut at = ino;
        while at != Ino::ROOT {
            let (parent, name) = tree.nodes.get(&at)?.place.as_ref()?;
            // A name that now belongs to another node leads elsewhere.
            if tree.names.get(&(*parent, name.clone())) != Some(&at) {
                return None;
            }
            names.push(name.clone());
            at = *parent;
        }
        Some(names.iter().rev().fold(self.root.clone(), |path, name| path.join(name)))
    }

    /// Binds `ino` to `version`: the identity of its blocks, and whether it is the same as before.
    pub(crate) fn bind(&self, ino: Ino, version: &Version, fresh: impl FnOnce() -> FileId) -> Option<(FileId, bool)> {
        let mut tree = self.tree.lock();
        let node = tree.nodes.get_mut(&ino)?;
        match &node.content {
            Some(content) if content.version.agrees(version) => Some((content.file, true)),
            _ => {
                let file = fresh();
                node.content = Some(Content { version: version.clone(), file, handed: false });
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
            Some(content) if content.version.agrees(version) => Some(content.file),
            Some(content) if content.file == file && content.handed => None,
            _ => {
                let file = fresh();
                *content = Some(Content { version: version.clone(), file, handed: false });
                Some(file)
            }
        }
    }

    /// Binds `ino` to the `version` that this mount has just made of it.
    pub(crate) fn replace(&self, ino: Ino, version: &Version, file: FileId) {
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.content = Some(Content { version: version.clone(), file, handed: false });
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
        if let Some(node) = self.tree.lock().nodes.get_mut(&ino) {
            node.written = written;
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

impl Node {
    /// Whether a handle reads a version of this file that is not the one of `meta`.
    fn is_read_as_another(&self, meta: &Meta) -> bool {
        if self.open == 0 || self.outdated || self.written {
            return self.outdated;
        }
        let (Some(content), Some(size)) = (&self.content, meta.size) else { return false };
        let now = Version { size, mtime: meta.mtime, unique: meta.unique.clone() };
        !content.version.agrees(&now)
    }

    /// A listing read earlier never replaces a later one.
    fn renew(&mut self, known: Known) {
        if known.since >= self.known.since {
            self.known = known;
        }
    }
}

fn same_type(a: &Kind, b: &Kind) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(kind: Kind) -> Known {
        let meta = Meta { kind, size: Some(1), mtime: None, mode: None, unique: None };
        Known { meta, since: Instant::now(), exact: true }
    }

    fn table() -> NodeTable {
        NodeTable::new(RemotePath::new(b"/home/u").expect("valid"), known(Kind::Dir))
    }

    fn name(s: &str) -> Name {
        Name::new(s.as_bytes()).expect("valid")
    }

    #[test]
    fn a_number_stays_until_every_lookup_is_forgotten() {
        let nodes = table();
        let a = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
        assert_eq!(nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)), Some(a));
        nodes.forget(a, 1);
        assert!(nodes.known(a).is_some());
        nodes.forget(a, 1);
        assert!(nodes.known(a).is_none());
        let again = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
        assert_ne!(again, a, "a forgotten number is not used again");
        nodes.forget(again, 1);
        assert_eq!(nodes.len(), 1);
    }

    #[test]
    fn another_type_is_another_inode() {
        let nodes = table();
        let file = nodes.enter(Ino::ROOT, &name("x"), known(Kind::File)).expect("root is known");
        let dir = nodes.enter(Ino::ROOT, &name("x"), known(Kind::Dir)).expect("root is known");
        assert_ne!(file, dir);
        assert_eq!(nodes.path(file), None, "its name belongs to another one now");
        assert_eq!(nodes.path(dir).expect("known").as_bytes(), b"/home/u/x");
        nodes.forget(file, 1);
        assert_eq!(nodes.path(dir).expect("still there").as_bytes(), b"/home/u/x");
    }

    #[test]
    fn paths_follow_the_parents() {
        let nodes = table();
        let d = nodes.enter(Ino::ROOT, &name("d"), known(Kind::Dir)).expect("root is known");
        let f = nodes.enter(d, &name("f g"), known(Kind::File)).expect("d is known");
        assert_eq!(nodes.path(f).expect("known").as_bytes(), b"/home/u/d/f g");
        assert_eq!(nodes.path(Ino::ROOT).expect("known").as_bytes(), b"/home/u");
        assert_eq!(nodes.parent(f), d);
        assert_eq!(nodes.parent(Ino::ROOT), Ino::ROOT);
        assert_eq!(nodes.enter(Ino(99), &name("z"), known(Kind::File)), None);
    }

    #[test]
    fn older_knowledge_does_not_replace_newer() {
        let nodes = table();
        let old = known(Kind::File);
        let mut new = known(Kind::File);
        new.meta.size = Some(2);
        new.since = old.since + std::time::Duration::from_secs(1);
        let ino = nodes.enter(Ino::ROOT, &name("a"), new).expect("root is known");
        assert!(nodes.update(ino, old));
        assert_eq!(nodes.known(ino).expect("known").meta.size, Some(2));
    }

    #[test]
    fn blocks_belong_to_one_version() {
        let nodes = table();
        let blocks = crate::store::Blocks::new(0);
        let ino = nodes.enter(Ino::ROOT, &name("a"), known(Kind::File)).expect("root is known");
        let version = |size| Version { size, mtime: None, unique: None };
        let (first, same) = nodes.bind(ino, &version(1), || blocks.new_file()).expect("known");
        assert!(!same);
        assert_eq!(nodes.bind(ino, &version(1), || blocks.new_file()), Some((first, true)));
        let (second, same) = nodes.bind(ino, &version(2), || blocks.new_file()).expect("known");
        assert!(!same && second != first);
        assert!(nodes.is_bound(ino, second) && !nodes.is_bound(ino, first));
    }
}
