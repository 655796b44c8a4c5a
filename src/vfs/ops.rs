//! One short method per operation of the kernel's.

use std::sync::Arc;
use std::time::Duration;

use log::debug;

use super::ahead::{Ahead, MOST_AT_ONCE, MOST_FILES_AT_ONCE};
use super::attr::{Attr, Look, Space};
use super::dir::{DirCache, Listing};
use super::error::{Fault, Result};
use super::handle::{Fh, HandleTable, OpenDir};
use super::keeper::Keeper;
use super::kernel::{Kernel, KernelCache};
use super::link;
use super::names::{Removals, StandIns};
use super::node::{Ino, Known, NodeTable};
use super::read::{Disk, Reading};
use super::settings::{self, Deferred};
use super::watched::Watched;
use super::workers::Workers;
use super::write::{Left, Writing};
use crate::base::{Clock, Deadline};
use crate::config::{Files, Perms, Write};
use crate::remote::{Error, ErrorKind, Kind, Meta, Name, Remote, RemotePath, Stamp};
use crate::store::Blocks;

/// A mounted directory of a server.
pub struct Vfs {
    pub(super) remote: Arc<dyn Remote>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) nodes: Arc<NodeTable>,
    pub(super) dirs: Arc<DirCache>,
    pub(super) handles: HandleTable,
    pub(super) reading: Arc<Reading>,
    pub(super) writing: Arc<Writing>,
    pub(super) kernel: Arc<Kernel>,
    pub(super) workers: Workers,
    /// For those who wait until something is stored: they must not keep others from asking.
    pub(super) closers: Workers,
    pub(super) syncers: Workers,
    pub(super) makers: Workers,
    pub(super) copiers: Workers,
    pub(super) ahead: Ahead,
    /// For listings that nobody has asked for yet.
    pub(super) walkers: Workers,
    /// They fetch files ahead.
    pub(super) prefetchers: Workers,
    pub(super) look: Look,
    pub(super) attr_ttl: Duration,
    pub(super) dir_ttl: Duration,
    pub(super) negative_ttl: Duration,
    pub(super) timeout: Duration,
    pub(super) settings: Arc<Deferred>,
    pub(super) stand_ins: StandIns,
    pub(super) removals: Arc<Removals>,
    pub(super) perms: Perms,
}

/// The answer to a lookup.
#[derive(Clone, Debug)]
pub enum Entered {
    /// The name exists; the kernel now holds one lookup more of it.
    Found {
        /// Its attributes.
        attr: Attr,
        /// How long they may be believed.
        ttl: Duration,
    },
    /// The name does not exist, and that may be believed for so long.
    Absent(Duration),
}

/// One entry of a directory, as it goes to the kernel.
#[derive(Debug)]
pub struct DirItem<'a> {
    /// Where to go on after it.
    pub next: u64,
    /// Its name.
    pub name: &'a [u8],
    /// Its attributes.
    pub attr: &'a Attr,
    /// How long they may be believed; zero where they are not exact yet.
    pub ttl: Duration,
}

impl Vfs {
    /// The directory `root` of `remote`, ready to be mounted; without `write`, nothing can be changed.
    ///
    /// # Errors
    /// If no thread can be started, or the spool or the disk cache cannot be used.
    pub fn new(
        remote: Arc<dyn Remote>,
        root: RemotePath,
        files: &Files,
        write: Option<&Write>,
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Arc<Self>> {
        let wall = clock.wall().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mtime = Some(Stamp::exact(i64::try_from(wall.as_secs()).unwrap_or(0)));
        let meta = Meta { kind: Kind::Dir, size: None, mtime, mode: None, unique: None };
        let known = Known { meta, since: clock.now(), exact: true };
        let nodes = Arc::new(NodeTable::new(root, known));
        let dirs = Arc::new(DirCache::new(Arc::clone(&clock)));
        let kernel = Arc::new(Kernel::new());
        let disk = files.cache.as_ref().map(|cache| Disk::open(cache, &clock)).transpose()?;
        let remote = match &disk {
            Some(disk) => Arc::new(Watched { remote, cache: Arc::clone(disk.cache()) }),
            None => remote,
        };
        let keeper = Keeper::start(&remote)?;
        let reading = Reading::new(
            Arc::clone(&remote),
            Arc::clone(&nodes),
            Arc::clone(&dirs),
            Arc::clone(&kernel),
            Blocks::new(files.memory),
            keeper,
            timeout,
        );
        let reading = Arc::new(reading.with_disk(disk));
        let settings = Arc::new(Deferred::default());
        let perms = write.map_or(Perms::Ignore, |write| write.perms);
        let later = (perms == Perms::Ignore).then(|| Arc::clone(&settings));
        let writing = Writing::new(Arc::clone(&reading), Arc::clone(&clock), write, files.file_mask.is_none())?;
        let writing = Arc::new(writing.with_deferred(later));
        let unsent = Arc::downgrade(&writing);
        dirs.show_also(move |dir| unsent.upgrade().map_or_else(Vec::new, |writing| writing.unsent_in(dir)));
        let vfs = Arc::new(Self {
            remote,
            clock,
            nodes,
            dirs,
            handles: HandleTable::default(),
            reading,
            writing,
            kernel,
            workers: Workers::new("ops", MOST_OPS),
            closers: Workers::new("close", MOST_CLOSERS),
            syncers: Workers::new("fsync", MOST_CLOSERS),
            makers: Workers::new("make", MOST_CLOSERS),
            copiers: Workers::new("duplicate", MOST_CLOSERS),
            ahead: Ahead::default(),
            walkers: Workers::new("walk", MOST_AT_ONCE),
            prefetchers: Workers::new("prefetch", MOST_FILES_AT_ONCE),
            look: Look::from(files),
            attr_ttl: files.attr_ttl,
            dir_ttl: files.dir_ttl,
            negative_ttl: files.negative_ttl,
            timeout,
            settings,
            stand_ins: StandIns::new(write.is_some_and(|write| write.mfsymlinks)),
            removals: Arc::default(),
            perms,
        });
        settings::start(&vfs)?;
        Ok(vfs)
    }

    /// Connects to the kernel's caches.
    pub fn attach(&self, cache: Arc<dyn KernelCache>) {
        self.kernel.attach(cache);
    }

    /// Stores what an earlier mount has left over; what takes longer than `patience` goes on behind this one.
    pub fn recover(&self, patience: Duration) {
        self.writing.recover(patience);
    }

    /// The mount has ended: brings everything to the server that is not there yet. Tells what is left at the deadline.
    pub fn finish(&self, deadline: Deadline) -> Left {
        self.kernel.detach();
        let left = self.writing.finish(deadline);
        self.tidy_up(deadline);
        if let Some(disk) = &self.reading.disk {
            disk.finish();
        }
        left
    }

    /// Whatever still waits fails.
    pub fn shut_down(&self) {
        self.kernel.detach();
        self.settings.shut_down();
        self.workers.shut_down();
        self.closers.shut_down();
        self.syncers.shut_down();
        self.makers.shut_down();
        self.copiers.shut_down();
        self.walkers.shut_down();
        self.prefetchers.shut_down();
        self.reading.drop_all_ahead();
        self.writing.shut_down();
        self.remote.shut_down();
    }

    /// `reply` gets what `fast` finds in memory, now, or what `slow` brings, later and on another thread.
    pub(super) fn answer<T: 'static>(
        self: &Arc<Self>,
        fast: Option<Result<T>>,
        slow: impl FnOnce(&Self, Deadline) -> Result<T> + Send + 'static,
        reply: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        match fast {
            Some(done) => reply(done),
            None => self.answer_by(&self.workers, slow, reply),
        }
    }

    /// `reply` gets what `slow` brings, on one of `threads`: the closers', where it may have to wait for a whole transfer.
    pub(super) fn answer_by<T: 'static>(
        self: &Arc<Self>,
        threads: &Workers,
        slow: impl FnOnce(&Self, Deadline) -> Result<T> + Send + 'static,
        reply: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let deadline = Deadline::after(self.timeout);
        let vfs = Arc::clone(self);
        threads.run(move || {
            // Those who queued for too long are told so without asking the server.
            let done = if deadline.passed() { Err(ErrorKind::TimedOut.into()) } else { slow(&vfs, deadline) };
            reply(done);
        });
    }

    /// Finds `name` in the directory `parent`.
    pub fn lookup(self: &Arc<Self>, parent: Ino, name: &[u8], reply: impl FnOnce(Result<Entered>) + Send + 'static) {
        let Some(name) = Name::new(name) else {
            // No server can have such a name: CR, LF and NUL end a command line.
            return reply(Ok(Entered::Absent(self.negative_ttl)));
        };
        let fast = self.lookup_cached(parent, &name);
        self.answer(fast, move |vfs, deadline| vfs.lookup_asking(parent, &name, deadline), reply);
    }

    pub(super) fn lookup_cached(&self, parent: Ino, name: &Name) -> Option<Result<Entered>> {
        if self.dirs.is_reserved(name) {
            return Some(Ok(Entered::Absent(Duration::ZERO)));
        }
        let listing = self.dirs.get(parent, self.attr_ttl.max(self.negative_ttl))?;
        match listing.meta(name.as_bytes()) {
            Some((meta, exact)) => {
                let fresh = !self.dirs.left(listing.since, self.attr_ttl).is_zero();
                let settled = exact && !self.stand_ins.may_be_link(&meta);
                (settled && fresh).then(|| self.enter(parent, name, meta, &listing))
            }
            None => {
                let left = self.dirs.left(listing.since, self.negative_ttl);
                (listing.complete && !left.is_zero()).then_some(Ok(Entered::Absent(left)))
            }
        }
    }

    pub(super) fn lookup_asking(&self, parent: Ino, name: &Name, deadline: Deadline) -> Result<Entered> {
        let (path, begun) = (self.path(parent)?, self.clock.now());
        let mut listing = self.listing(parent, &path, self.attr_ttl, deadline)?;
        let outlived = listing.since < begun && self.dirs.left(listing.since, self.negative_ttl).is_zero();
        if outlived && listing.find(name.as_bytes()).is_none() {
            listing = self.listing(parent, &path, self.negative_ttl, deadline)?;
        }
        if let Some(at) = listing.find(name.as_bytes()) {
            listing.ask_times(&*self.remote, &path, at, SAME_FLIGHT, deadline)?;
            self.look_into(parent, &path, name, &listing, deadline)?;
            if let Some((meta, _)) = listing.meta(name.as_bytes()) {
                return self.enter(parent, name, meta, &listing);
            }
        }
        if listing.complete {
            return Ok(Entered::Absent(self.dirs.left(listing.since, self.negative_ttl)));
        }
        // The server had left names out: only it knows.
        let since = self.clock.now();
        match self.remote.stat(&path.join(name), deadline) {
            Ok(meta) => {
                let known = Known { meta, since, exact: true };
                let ino = self.nodes.enter(parent, name, known.clone()).ok_or(Fault::NoInode)?;
                Ok(Entered::Found { attr: self.attr(ino, known.meta), ttl: self.attr_ttl })
            }
            Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(Entered::Absent(self.negative_ttl)),
            Err(e) => Err(e.into()),
        }
    }

    pub(super) fn enter(&self, parent: Ino, name: &Name, meta: Meta, listing: &Listing) -> Result<Entered> {
        let known = Known { meta, since: listing.since, exact: true };
        let ino = self.nodes.enter(parent, name, known.clone()).ok_or(Fault::NoInode)?;
        if known.meta.kind == Kind::File {
            self.writing.adopt(ino, || self.nodes.path(ino));
        }
        let ttl = self.dirs.left(listing.since, self.attr_ttl);
        Ok(Entered::Found { attr: self.attr(ino, known.meta), ttl })
    }

    /// The kernel forgets `count` lookups of `ino`.
    pub fn forget(&self, ino: Ino, count: u64) {
        self.nodes.forget(ino, count);
    }

    /// Attributes of `ino` and how long they may be believed.
    pub fn getattr(self: &Arc<Self>, ino: Ino, reply: impl FnOnce(Result<(Attr, Duration)>) + Send + 'static) {
        let fast = self.known_now(ino).map(|known| known.map(|k| self.shown(ino, &k)));
        let slow = move |vfs: &Self, deadline| vfs.refresh(ino, deadline).map(|known| vfs.shown(ino, &known));
        self.answer(fast, slow, reply);
    }

    pub(super) fn shown(&self, ino: Ino, known: &Known) -> (Attr, Duration) {
        let own = ino == Ino::ROOT || self.writing.writer(ino).is_some() || self.nodes.is_unlinked(ino);
        let ttl = if own { self.attr_ttl } else { self.dirs.left(known.since, self.attr_ttl) };
        (self.attr(ino, known.meta.clone()), ttl)
    }

    /// The attributes of `ino`, of which the server says `meta`: what has been written or set here counts for more.
    pub(super) fn attr(&self, ino: Ino, mut meta: Meta) -> Attr {
        match self.writing.writer(ino) {
            Some(writer) => writer.overlay(&mut meta),
            // It may have been stored, and its writer gone, since `meta` was read: what is known now is never older.
            None => {
                let now = self.nodes.known(ino).map(|known| known.meta);
                meta = now.filter(|now| now.kind == meta.kind).unwrap_or(meta);
            }
        }
        self.settings.overlay(ino, &mut meta);
        let nlink = u32::from(!self.nodes.is_unlinked(ino));
        Attr { nlink, ..self.look.attr(ino, &meta) }
    }

    /// What is known of `ino` and still believed.
    pub(super) fn known_now(&self, ino: Ino) -> Option<Result<Known>> {
        let Some(known) = self.nodes.known(ino) else { return Some(Err(Fault::NoInode.into())) };
        // What is being written here is what we say it is, and of what has no name any more nobody could ask.
        let fresh = ino == Ino::ROOT
            || self.writing.writer(ino).is_some()
            || self.nodes.is_unlinked(ino)
            || (known.exact && !self.dirs.left(known.since, self.attr_ttl).is_zero());
        fresh.then_some(Ok(known))
    }

    /// Asks the server about `ino`, by its parent's listing.
    pub(super) fn refresh(&self, ino: Ino, deadline: Deadline) -> Result<Known> {
        if let Some(known) = self.known_now(ino) {
            return known;
        }
        let (parent, name) = self.nodes.place(ino).ok_or(Fault::NoInode)?;
        let path = self.path(parent)?;
        let listing = self.listing(parent, &path, self.attr_ttl, deadline)?;
        let known = match listing.find(name.as_bytes()) {
            Some(at) => {
                listing.ask_times(&*self.remote, &path, at, SAME_FLIGHT, deadline)?;
                self.look_into(parent, &path, &name, &listing, deadline)?;
                let (meta, _) = listing.meta(name.as_bytes()).ok_or(ErrorKind::NotFound)?;
                Known { meta, since: listing.since, exact: true }
            }
            None if listing.complete => return Err(ErrorKind::NotFound.into()),
            None => {
                let since = self.clock.now();
                Known { meta: self.remote.stat(&path.join(&name), deadline)?, since, exact: true }
            }
        };
        if !self.nodes.update(ino, known.clone()) {
            return Err(ErrorKind::Changed.into());
        }
        Ok(known)
    }

    /// Where the symlink `ino` leads.
    pub fn readlink(self: &Arc<Self>, ino: Ino, reply: impl FnOnce(Result<Vec<u8>>) + Send + 'static) {
        let slow = move |vfs: &Self, deadline| {
            let known = vfs.nodes.known(ino).ok_or(Fault::NoInode)?;
            let Kind::Symlink { target } = known.meta.kind else { return Err(Fault::NotLink.into()) };
            let (parent, name) = vfs.nodes.place(ino).ok_or(Fault::NoInode)?;
            let dir = vfs.path(parent)?;
            let target = match target {
                Some(target) => target,
                None => {
                    let listing = vfs.listing(parent, &dir, vfs.dir_ttl.max(vfs.attr_ttl), deadline)?;
                    listing.link(&*vfs.remote, &dir, &name, deadline)?.ok_or(ErrorKind::Unsupported)?
                }
            };
            link::contain(vfs.nodes.root(), &dir, &target).ok_or_else(|| {
                debug!("{}: the link leads out of the mounted directory", dir.join(&name));
                Fault::Outside.into()
            })
        };
        self.answer(None, slow, reply);
    }

    /// Opens the directory `ino`: takes a picture of it.
    pub fn opendir(self: &Arc<Self>, ino: Ino, reply: impl FnOnce(Result<Fh>) + Send + 'static) {
        let fast = self.dirs.get(ino, self.dir_ttl).map(|listing| {
            self.walked(ino, &listing);
            Ok(self.add_dir(ino, listing))
        });
        let walker = Arc::clone(self);
        let slow = move |vfs: &Self, deadline| {
            let path = vfs.path(ino)?;
            let listing = vfs.listing(ino, &path, vfs.dir_ttl, deadline)?;
            walker.walked(ino, &listing);
            Ok(vfs.add_dir(ino, listing))
        };
        self.answer(fast, slow, reply);
    }

    fn add_dir(&self, ino: Ino, listing: Arc<Listing>) -> Fh {
        self.handles.add_dir(OpenDir { ino, listing })
    }

    /// Calls `then` when [`readdir`](Self::readdir) from `offset` on has all it needs.
    ///
    /// Where the server lists without exact times and somebody has begun to ask for them, name by name, those of the
    /// next entries are fetched first: whoever reads on gets them without asking.
    pub fn prepare_dir(self: &Arc<Self>, fh: Fh, offset: u64, then: impl FnOnce() + Send + 'static) {
        let first = usize::try_from(offset.saturating_sub(2)).unwrap_or(usize::MAX);
        let next = first..first.saturating_add(ONE_REPLY);
        let wants =
            |dir: &Arc<OpenDir>| dir.listing.wants_times(next.clone()) || self.wants_looks(&dir.listing, next.clone());
        let dir = self.handles.dir(fh).ok().filter(wants);
        let fast = dir.is_none().then_some(Ok(()));
        let slow = move |vfs: &Self, deadline| {
            let dir = dir.ok_or(Fault::BadHandle)?;
            let path = vfs.path(dir.ino)?;
            vfs.look_into_all(dir.ino, &path, &dir.listing, next, deadline)?;
            // Some of them may be known already.
            let at = (first..dir.listing.len()).find(|at| dir.listing.wants_times(*at..*at + 1));
            at.map_or(Ok(()), |at| dir.listing.ask_times(&*vfs.remote, &path, at, ONE_REPLY, deadline))
        };
        // Without the times the names are still right: whoever asks for one is told what is wrong.
        self.answer(fast, slow, move |_| then());
    }

    /// Hands entries from `offset` on to `emit` until it says that there is no more room.
    ///
    /// With `count`, each entry that was taken counts as a lookup, but for `.` and `..`.
    ///
    /// # Errors
    /// If `fh` is no open directory.
    pub fn readdir(&self, fh: Fh, offset: u64, count: bool, emit: &mut dyn FnMut(&DirItem<'_>) -> bool) -> Result<()> {
        let dir = self.handles.dir(fh)?;
        for (at, name) in [(0, &b"."[..]), (1, b"..")] {
            if offset <= at && !self.emit_dot(&dir, at, name, emit)? {
                return Ok(());
            }
        }
        let left = self.dirs.left(dir.listing.since, self.attr_ttl);
        let first = usize::try_from(offset.max(2) - 2).unwrap_or(usize::MAX);
        for at in first..dir.listing.len() {
            let Some((name, meta, exact)) = dir.listing.entry(at) else { continue };
            let known = Known { meta, since: dir.listing.since, exact };
            let Some(ino) = self.nodes.enter(dir.ino, &name, known.clone()) else { return Err(Fault::NoInode.into()) };
            if known.meta.kind == Kind::File {
                self.writing.adopt(ino, || self.nodes.path(ino));
            }
            let settled = exact && !self.stand_ins.may_be_link(&known.meta);
            let attr = self.attr(ino, known.meta);
            let ttl = if settled { left } else { Duration::ZERO };
            let taken = emit(&DirItem { next: at as u64 + 3, name: name.as_bytes(), attr: &attr, ttl });
            if !(taken && count) {
                self.nodes.forget(ino, 1);
            }
            if !taken {
                break;
            }
        }
        Ok(())
    }

    fn emit_dot(
        &self,
        dir: &OpenDir,
        at: u64,
        name: &[u8],
        emit: &mut dyn FnMut(&DirItem<'_>) -> bool,
    ) -> Result<bool> {
        let ino = if at == 0 { dir.ino } else { self.nodes.parent(dir.ino) };
        let known = self.nodes.known(ino).ok_or(Fault::NoInode)?;
        let attr = self.look.attr(ino, &known.meta);
        Ok(emit(&DirItem { next: at + 1, name, attr: &attr, ttl: Duration::ZERO }))
    }

    /// Room on the server, as far as FTP can tell: not at all.
    pub fn statfs(&self) -> Space {
        Space::UNKNOWN
    }

    /// The path of `ino` for the log.
    pub fn place(&self, ino: Ino) -> String {
        self.nodes.path(ino).map_or_else(|| format!("inode {}", ino.0), |path| path.to_string())
    }

    pub(super) fn path(&self, ino: Ino) -> Result<RemotePath> {
        Ok(self.nodes.path(ino).ok_or(Fault::NoInode)?)
    }

    pub(super) fn listing(
        &self,
        dir: Ino,
        path: &RemotePath,
        ttl: Duration,
        deadline: Deadline,
    ) -> Result<Arc<Listing>> {
        self.dirs.load(dir, path, ttl, &*self.remote, deadline)
    }
}

/// Exact times asked for beside the one that is needed: together they fill one flight.
const SAME_FLIGHT: usize = 31;

/// Entries that fit into one answer: the kernel gives room for 128 KiB, and an entry takes at least 152 bytes.
const ONE_REPLY: usize = 862;

/// Requests that may wait for the server at once; the others wait for them, each until its own deadline.
const MOST_OPS: usize = 32;

/// Files that may be closed, synced, or made and renamed at once: each of these may take as long as a transfer, and none is
/// to keep the others from going on.
const MOST_CLOSERS: usize = 64;
