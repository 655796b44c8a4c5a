//! Files: opened, made, read, written, cut, closed.

use std::sync::Arc;
use std::time::Duration;

use super::attr::Attr;
use super::error::{Fault, Result};
use super::handle::{Fh, OpenFile};
use super::node::{Ino, Known};
use super::ops::{Entered, Vfs};
use super::read::ReadReply;
use super::write::{Before, FileWriter, WriteReply};
use crate::base::Deadline;
use crate::remote::{ErrorKind, Kind, Meta, Name, Precision, Version};

/// What a file is opened for (open(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// `O_RDONLY` or `O_RDWR`.
    pub read: bool,
    /// `O_WRONLY` or `O_RDWR`.
    pub write: bool,
    /// `O_APPEND`.
    pub append: bool,
    /// `O_TRUNC`.
    pub truncate: bool,
}

impl How {
    /// `O_RDONLY`.
    pub const READ: Self = Self { read: true, write: false, append: false, truncate: false };
}

/// The answer to an open.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The handle.
    pub fh: Fh,
    /// Whether what the kernel remembers of the content is still true.
    pub keep_cache: bool,
    /// Whether the kernel must not go by the size that it knows: it has been told none.
    pub direct_io: bool,
    /// Whether there may be something to store when it is closed.
    pub writes: bool,
}

/// The answer to a create: the kernel holds one lookup more.
#[derive(Clone, Debug)]
pub struct Created {
    /// The file's attributes.
    pub attr: Attr,
    /// How long they may be believed.
    pub ttl: Duration,
    /// Its handle.
    pub opened: Opened,
}

impl Vfs {
    /// Opens the file `ino`.
    pub fn open(self: &Arc<Self>, ino: Ino, how: How, reply: impl FnOnce(Result<Opened>) + Send + 'static) {
        let fast = match self.known_now(ino) {
            Some(Ok(known)) if known.meta.kind == Kind::File && self.size(ino, &known.meta).is_none() => None,
            Some(Ok(_)) if how.write && self.settings.has(ino) => None,
            Some(known) => Some(known.and_then(|known| self.open_as(ino, &known.meta, how))),
            None => None,
        };
        let slow = move |vfs: &Self, deadline| {
            if how.write {
                vfs.settle(ino, deadline)?;
            }
            let mut known = vfs.refresh(ino, deadline)?;
            let unsized_before = vfs.size(ino, &known.meta).is_none();
            if known.meta.kind == Kind::File && unsized_before {
                known.meta.size = vfs.remote.stat(&vfs.path(ino)?, deadline)?.size;
            }
            vfs.open_as(ino, &known.meta, how).map(|opened| Opened { direct_io: unsized_before, ..opened })
        };
        let vfs = Arc::clone(self);
        self.answer(fast, slow, move |opened| {
            let reads = opened.is_ok() && !how.write;
            reply(opened);
            if reads {
                vfs.read_on(ino);
            }
        });
    }

    /// What has been set on `ino` so far is on the server: its mode may be what lets the server take new content, and what
    /// is set with that is not to be undone by an older wish.
    fn settle(&self, ino: Ino, deadline: Deadline) -> Result<()> {
        if self.settings.has(ino) { self.flush_settings(Some(ino), deadline) } else { Ok(()) }
    }

    /// The size, from whoever knows it best.
    fn size(&self, ino: Ino, meta: &Meta) -> Option<u64> {
        self.writing.writer(ino).map(|writer| writer.len()).or(meta.size)
    }

    fn open_as(&self, ino: Ino, meta: &Meta, how: How) -> Result<Opened> {
        match meta.kind {
            Kind::File => {}
            Kind::Dir => return Err(ErrorKind::IsDir.into()),
            Kind::Symlink { .. } | Kind::Other => return Err(ErrorKind::Unsupported.into()),
        }
        // Without a size nobody could tell the end of the file from the end of a connection.
        let size = self.size(ino, meta).ok_or(ErrorKind::Unsupported)?;
        if how.write || how.truncate {
            let writer = self.writing.attach(ino, || {
                // What another handle has just stored is known by now.
                let meta = self.nodes.known(ino).ok_or(Fault::NoInode)?.meta;
                let version = Version { size: meta.size.unwrap_or(size), mtime: meta.mtime, unique: meta.unique };
                Ok(Before::Old(version))
            })?;
            let file = OpenFile::writing(ino, how.read, how.append, Arc::clone(&writer));
            let opened = self.opened(file);
            if how.truncate
                && let Err(e) = writer.resize(0).and_then(|()| writer.empty())
            {
                self.release(opened.fh);
                return Err(e);
            }
            return Ok(opened);
        }
        if self.writing.writer(ino).is_some() {
            return Ok(self.opened(OpenFile::reading(ino, None)));
        }
        let version = Version { size, mtime: meta.mtime, unique: meta.unique.clone() };
        let epoch = self.nodes.epoch(ino);
        let (reader, same) = self.reading.open(ino, &version).ok_or(Fault::NoInode)?;
        let keep_cache = same && self.tells_changes(meta);
        Ok(Opened { keep_cache, ..self.opened(OpenFile::reading(ino, Some((epoch, reader)))) })
    }

    fn opened(&self, file: OpenFile) -> Opened {
        self.nodes.opened(file.ino);
        let writes = file.writer.is_some();
        Opened { fh: self.handles.add_file(file), keep_cache: false, direct_io: false, writes }
    }

    /// Whether a later change would show in the time of modification: it is exact, and so long ago that a second change
    /// within the same second is none of now.
    fn tells_changes(&self, meta: &Meta) -> bool {
        let now = self.clock.wall().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        meta.mtime.is_some_and(|t| {
            t.precision == Precision::Second && i64::try_from(now).is_ok_and(|now| now.abs_diff(t.secs) > JUST_NOW)
        })
    }

    /// Makes the file `name` in `parent` and opens it; opens the one that is there, unless `exclusive`.
    pub fn create(
        self: &Arc<Self>,
        parent: Ino,
        name: &[u8],
        mode: u32,
        how: How,
        exclusive: bool,
        reply: impl FnOnce(Result<Created>) + Send + 'static,
    ) {
        let Some(name) = Name::new(name) else { return reply(Err(ErrorKind::NameInvalid.into())) };
        let mode = (mode & 0o7777) as u16;
        self.look_ahead(parent);
        let slow = move |vfs: &Self, deadline| {
            let found = match vfs.lookup_cached(parent, &name) {
                Some(found) => found?,
                None => vfs.lookup_asking(parent, &name, deadline)?,
            };
            match found {
                Entered::Found { attr, .. } if exclusive => {
                    vfs.nodes.forget(attr.ino, 1);
                    Err(ErrorKind::Exists.into())
                }
                Entered::Found { attr, ttl } => {
                    let known = vfs.nodes.known(attr.ino).ok_or(Fault::NoInode)?;
                    let settled = vfs.settle(attr.ino, deadline);
                    let how = How { write: true, ..how };
                    let opened = settled.and_then(|()| vfs.open_as(attr.ino, &known.meta, how));
                    if opened.is_err() {
                        vfs.nodes.forget(attr.ino, 1);
                    }
                    Ok(Created { attr: vfs.attr(attr.ino, known.meta), ttl, opened: opened? })
                }
                // A name that no listing has shown may be there all the same, although the server does not know yet.
                Entered::Absent(_) if vfs.store_left(parent, &vfs.path(parent)?.join(&name), deadline)? => {
                    Err(if exclusive { ErrorKind::Exists } else { ErrorKind::Busy }.into())
                }
                Entered::Absent(_) => vfs.make(parent, &name, mode, how),
            }
        };
        // It waits until the server has agreed, behind other transfers where there are many.
        self.answer_by(&self.makers, slow, reply);
    }

    /// Makes an empty file, as mknod(2) does.
    pub fn mknod(
        self: &Arc<Self>,
        parent: Ino,
        name: &[u8],
        mode: u32,
        reply: impl FnOnce(Result<Entered>) + Send + 'static,
    ) {
        let vfs = Arc::clone(self);
        let how = How { write: true, ..How::READ };
        self.create(parent, name, mode, how, true, move |created| match created {
            Ok(Created { attr, ttl, opened }) => {
                let stored = Arc::clone(&vfs);
                vfs.flush(opened.fh, move |done| {
                    stored.release(opened.fh);
                    reply(done.map(|()| Entered::Found { attr, ttl }));
                });
            }
            Err(e) => reply(Err(e)),
        });
    }

    fn make(&self, parent: Ino, name: &Name, mode: u16, how: How) -> Result<Created> {
        let path = self.path(parent)?.join(name);
        let meta = Meta { kind: Kind::File, size: Some(0), mtime: Some(self.now()), mode: Some(mode), unique: None };
        let known = Known { meta: meta.clone(), since: self.clock.now(), exact: true };
        let ino = self.nodes.make(parent, name, known).ok_or(Fault::NoInode)?;
        let made =
            self.writing.attach(ino, || Ok(Before::New(mode))).and_then(|writer| match writer.create(parent, &path) {
                Ok(()) => Ok(writer),
                Err(e) => {
                    writer.orphaned();
                    writer.release();
                    Err(e)
                }
            });
        let writer = match made {
            Ok(writer) => writer,
            Err(e) => {
                self.nodes.forget(ino, 1);
                // Where the kernel was wrong about the name, so were we.
                self.dirs.forget(parent);
                return Err(e);
            }
        };
        self.dirs.put(parent, name, &meta);
        self.touched(parent);
        let opened = self.opened(OpenFile::writing(ino, how.read, how.append, writer));
        Ok(Created { attr: self.attr(ino, meta), ttl: self.attr_ttl, opened })
    }

    /// Who makes one file after the other in a directory asks for one absent name after the other: its listing is fetched
    /// anew before it is too old to answer.
    fn look_ahead(self: &Arc<Self>, dir: Ino) {
        if self.dirs.get(dir, self.negative_ttl / 2).is_some() || self.dirs.is_loading(dir) {
            return;
        }
        let vfs = Arc::clone(self);
        self.workers.run(move || {
            let Some(path) = vfs.nodes.path(dir) else { return };
            // Whoever needs it asks again.
            let _ = vfs.listing(dir, &path, vfs.negative_ttl / 2, Deadline::after(vfs.timeout));
        });
    }

    /// Reads up to `len` bytes at `at`; `reply` is called as soon as they are here.
    pub fn read(&self, fh: Fh, at: u64, len: u32, reply: ReadReply) {
        let file = match self.handles.file(fh) {
            Ok(file) => file,
            Err(e) => return reply(Err(e)),
        };
        if let Some(writer) = self.writing.writer(file.ino) {
            return writer.read(at, len, reply);
        }
        match file.reader(&self.reading) {
            Ok(reader) => reader.read(at, len, reply),
            Err(e) => reply(Err(e)),
        }
    }

    /// Writes `data` at `at`, or at the end through a handle that appends; `whole_page` says that the kernel writes back
    /// what has been mapped, which has its place.
    pub fn write(&self, fh: Fh, at: u64, data: &[u8], whole_page: bool, reply: WriteReply) {
        let file = match self.handles.file(fh) {
            Ok(file) => file,
            Err(e) => return reply(Err(e)),
        };
        let Some(writer) = &file.writer else { return reply(Err(Fault::BadHandle.into())) };
        if whole_page {
            file.users.note_unknown();
        }
        self.settings.content_changed(file.ino);
        let at = if file.appends && !whole_page { None } else { Some(at) };
        writer.write(at, data, reply);
    }

    /// Makes the file `size` bytes long, and has stored it so unless somebody has it open for writing.
    ///
    /// # Errors
    /// What a write and a close may fail with.
    pub(super) fn resize(&self, ino: Ino, fh: Option<Fh>, size: u64, deadline: Deadline) -> Result<()> {
        self.settings.content_changed(ino);
        if let Some(fh) = fh
            && let Some(writer) = &self.handles.file(fh)?.writer
        {
            return writer.resize(size);
        }
        self.settle(ino, deadline)?;
        let known = self.refresh(ino, deadline)?;
        let how = How { read: false, write: true, append: false, truncate: size == 0 };
        let opened = self.open_as(ino, &known.meta, how)?;
        let done = self.handles.file(opened.fh).and_then(|file| match &file.writer {
            Some(writer) => writer.resize(size).and_then(|()| writer.close()),
            None => Err(Fault::BadHandle.into()),
        });
        self.release(opened.fh);
        done
    }

    /// Thread `id` has opened `fh` or is about to write through it; 0 for one that is not known.
    pub fn note_user(&self, fh: Fh, id: u32) {
        if let Ok(file) = self.handles.file(fh)
            && file.writer.is_some()
        {
            file.users.note(id);
        }
    }

    /// close(2) by thread `id`. As [`flush`](Self::flush), but of a process that has neither opened the file nor written to
    /// it nothing is stored: those who have close it, too.
    pub fn flush_by(self: &Arc<Self>, fh: Fh, id: u32, reply: impl FnOnce(Result<()>) + Send + 'static) {
        match self.handles.file(fh) {
            Ok(file) if file.writer.as_ref().is_some_and(|it| !it.is_clean()) && file.users.is_bystander(id) => {
                reply(Ok(()));
            }
            _ => self.flush(fh, reply),
        }
    }

    /// close(2): `reply` is called when everything written to the file is on the server, or safe here with write-back.
    pub fn flush(self: &Arc<Self>, fh: Fh, reply: impl FnOnce(Result<()>) + Send + 'static) {
        let writer = match self.handles.file(fh) {
            Ok(file) => file.writer.clone(),
            Err(e) => return reply(Err(e)),
        };
        match writer {
            Some(writer) if !writer.is_clean() => self.closers.run(move || reply(writer.close())),
            _ => reply(Ok(())),
        }
    }

    /// fsync(2): `reply` is called when everything written to the file is on the server, its time and mode as well.
    pub fn fsync(self: &Arc<Self>, fh: Fh, reply: impl FnOnce(Result<()>) + Send + 'static) {
        let file = match self.handles.file(fh) {
            Ok(file) => file,
            Err(e) => return reply(Err(e)),
        };
        let vfs = Arc::clone(self);
        self.syncers.run(move || {
            // Also through a descriptor that only reads: what others have written is stored then.
            let writer = file.writer.clone().or_else(|| vfs.writing.writer(file.ino));
            let stored = writer.as_ref().map_or(Ok(()), FileWriter::flush);
            let set = || vfs.flush_settings(Some(file.ino), Deadline::after(vfs.timeout));
            reply(stored.and_then(|()| set()));
        });
    }

    /// fsync(2) of a directory: `reply` is called when everything below it is on the server.
    pub fn fsync_dir(self: &Arc<Self>, ino: Ino, reply: impl FnOnce(Result<()>) + Send + 'static) {
        let vfs = Arc::clone(self);
        self.syncers.run(move || {
            let Some(path) = vfs.nodes.path(ino) else { return reply(Err(Fault::NoInode.into())) };
            // Each transfer has deadlines of its own.
            let failed = vfs.writing.sync(vfs.writing.below(&path), Deadline::after(LONGEST_SYNC));
            let left = vfs.writing.store_left(&path, Deadline::after(LONGEST_SYNC)).err().map(|e| e.fault);
            let lost = vfs.writing.lost_below(&path);
            let first = failed.first().map(|(_, fault)| *fault).or(left).or(lost);
            let set = vfs.flush_settings(Some(ino), Deadline::after(vfs.timeout));
            reply(first.map_or(set, |fault| Err(fault.into())));
        });
    }

    /// Closes a file or a directory.
    pub fn release(&self, fh: Fh) {
        if let Some(ino) = self.handles.release(fh) {
            self.nodes.closed(ino);
            self.writing.closed(ino);
            self.released(ino);
        }
    }
}

/// What a whole tree may take to be stored.
const LONGEST_SYNC: Duration = Duration::from_secs(86_400);

/// Seconds within which a file may be written twice without showing it.
const JUST_NOW: u64 = 2;
