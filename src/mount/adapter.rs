//! Requests of the kernel, decoded and passed on to [`Vfs`]; answers, encoded.
//!
//! Each method runs under [`shielded`]: a panic costs the one request, which then gets EIO from its replier's drop.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use log::{debug, error, warn};

use super::Ended;
use super::convert::file_attr;
use super::errno::errno;
use crate::remote::{ErrorKind, Kind};
use crate::vfs::{Attr, Created, Data, Entered, Error, Fault, Fh, How, Ino, Opened, Vfs, Wanted, When};

/// The filesystem as fuser calls it.
pub(super) struct Adapter {
    pub(super) vfs: Arc<Vfs>,
    pub(super) ended: Arc<Ended>,
    pub(super) read_only: bool,
}

impl Filesystem for Adapter {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wanted in [
            // Attributes come with the listing: one request for many names.
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_PARALLEL_DIROPS,
            // A new time or size drops the pages that the kernel keeps.
            InitFlags::FUSE_AUTO_INVAL_DATA,
            InitFlags::FUSE_CACHE_SYMLINKS,
            // open(2) brings O_TRUNC along: a file that is rewritten is never cut first.
            InitFlags::FUSE_ATOMIC_O_TRUNC,
        ] {
            if config.add_capabilities(wanted).is_err() {
                debug!("the kernel does not offer {wanted:?}");
            }
        }
        // More reads under way than the default of 16: many readers, each two requests deep.
        let _ = config.set_max_background(64);
        let _ = config.set_max_write(LARGEST_REQUEST);
        // No server keeps fractions of a second.
        let _ = config.set_time_granularity(std::time::Duration::from_secs(1));
        if let Err(most) = config.set_max_readahead(LARGEST_REQUEST) {
            let _ = config.set_max_readahead(most);
        }
        Ok(())
    }

    fn destroy(&mut self) {
        self.ended.set();
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let asked = format!("lookup {name:?} in");
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.lookup(Ino(parent.0), name.as_bytes(), move |found| match found {
                Ok(Entered::Found { attr, ttl }) => reply.entry(&ttl, &file_attr(&attr), Generation(0)),
                Ok(Entered::Absent(ttl)) if ttl.is_zero() => reply.error(Errno::ENOENT),
                Ok(Entered::Absent(ttl)) => reply.entry(&ttl, &file_attr(&NOBODY), Generation(0)),
                Err(e) => reply.error(told(&vfs, &asked, parent, &e)),
            });
        });
    }

    fn forget(&self, _req: &Request, ino: INodeNo, nlookup: u64) {
        shielded(|| self.vfs.forget(Ino(ino.0), nlookup));
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.getattr(Ino(ino.0), move |known| match known {
                Ok((attr, ttl)) => reply.attr(&ttl, &file_attr(&attr)),
                Err(e) => reply.error(told(&vfs, "getattr", ino, &e)),
            });
        });
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.readlink(Ino(ino.0), move |target| match target {
                Ok(target) => reply.data(&target),
                Err(e) => reply.error(told(&vfs, "readlink", ino, &e)),
            });
        });
    }

    fn open(&self, req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let how = how(flags);
        if self.read_only && (how.write || how.truncate) {
            return reply.error(Errno::EROFS);
        }
        shielded(|| {
            let (vfs, user) = (Arc::clone(&self.vfs), req.pid());
            self.vfs.open(Ino(ino.0), how, move |opened| match opened {
                Ok(opened) => {
                    vfs.note_user(opened.fh, user);
                    reply.opened(FileHandle(opened.fh.0), open_flags(&opened));
                }
                Err(e) => reply.error(told(&vfs, "open", ino, &e)),
            });
        });
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let asked = format!("create {name:?} in");
        let exclusive = flags & libc::O_EXCL != 0;
        shielded(|| {
            let (vfs, user) = (Arc::clone(&self.vfs), req.pid());
            self.vfs.create(Ino(parent.0), name.as_bytes(), mode, how(OpenFlags(flags)), exclusive, move |created| {
                match created {
                    Ok(Created { attr, ttl, opened }) => {
                        vfs.note_user(opened.fh, user);
                        let fh = FileHandle(opened.fh.0);
                        reply.created(&ttl, &file_attr(&attr), Generation(0), fh, open_flags(&opened));
                    }
                    Err(e) => reply.error(told(&vfs, &asked, parent, &e)),
                }
            });
        });
    }

    fn write(
        &self,
        req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            let answer = move |written: Result<u32, Error>| match written {
                Ok(len) => reply.written(len),
                Err(e) => reply.error(told(&vfs, &format!("write at {offset} to"), ino, &e)),
            };
            self.vfs.note_user(Fh(fh.0), req.pid());
            let mapped = write_flags.contains(WriteFlags::FUSE_WRITE_CACHE);
            self.vfs.write(Fh(fh.0), offset, data, mapped, Box::new(answer));
        });
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            let answer = move |data: Result<Data, Error>| match data {
                Ok(data) => data.with(|bytes| reply.data(bytes)),
                Err(e) => reply.error(told(&vfs, &format!("read at {offset} of"), ino, &e)),
            };
            self.vfs.read(Fh(fh.0), offset, size, Box::new(answer));
        });
    }

    fn release(
        &self,
        _req: &Request,
        _ino: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        shielded(|| {
            self.vfs.release(Fh(fh.0));
            reply.ok();
        });
    }

    fn flush(&self, req: &Request, ino: INodeNo, fh: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        shielded(|| self.vfs.flush_by(Fh(fh.0), req.pid(), self.done("close".into(), ino, reply)));
    }

    fn fsync(&self, _req: &Request, ino: INodeNo, fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        shielded(|| self.vfs.fsync(Fh(fh.0), self.done("fsync".into(), ino, reply)));
    }

    fn fsyncdir(&self, _req: &Request, ino: INodeNo, _fh: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        let done = self.done("fsync".into(), ino, reply);
        shielded(|| self.vfs.fsync_dir(Ino(ino.0), done));
    }

    fn opendir(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.opendir(Ino(ino.0), move |opened| match opened {
                Ok(fh) => reply.opened(FileHandle(fh.0), FopenFlags::empty()),
                Err(e) => reply.error(told(&vfs, "opendir", ino, &e)),
            });
        });
    }

    fn readdir(&self, _req: &Request, ino: INodeNo, fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        shielded(|| {
            let listed = self.vfs.readdir(Fh(fh.0), offset, false, &mut |item| {
                let attr = file_attr(item.attr);
                !reply.add(attr.ino, item.next, attr.kind, OsStr::from_bytes(item.name))
            });
            match listed {
                Ok(()) => reply.ok(),
                Err(e) => reply.error(told(&self.vfs, "readdir", ino, &e)),
            }
        });
    }

    fn readdirplus(&self, _req: &Request, ino: INodeNo, fh: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.prepare_dir(Fh(fh.0), offset, move || {
                let listed = vfs.readdir(Fh(fh.0), offset, true, &mut |item| {
                    let (attr, name) = (file_attr(item.attr), OsStr::from_bytes(item.name));
                    !reply.add(attr.ino, item.next, name, &item.ttl, &attr, Generation(0))
                });
                match listed {
                    Ok(()) => reply.ok(),
                    Err(e) => reply.error(told(&vfs, "readdirplus", ino, &e)),
                }
            });
        });
    }

    fn releasedir(&self, _req: &Request, _ino: INodeNo, fh: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        shielded(|| {
            self.vfs.release(Fh(fh.0));
            reply.ok();
        });
    }

    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let space = self.vfs.statfs();
        let (blocks, files) = (space.blocks, space.files);
        reply.statfs(blocks, blocks, blocks, files, files, space.block, space.name, space.block);
    }

    fn access(&self, _req: &Request, ino: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        // What may be read and written is for the server to decide, when it is asked.
        if self.read_only && mask.contains(AccessFlags::W_OK) {
            return reply.error(Errno::EROFS);
        }
        if !mask.contains(AccessFlags::X_OK) {
            return reply.ok();
        }
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.getattr(Ino(ino.0), move |known| match known {
                // As the kernel will judge when the file is to be run.
                Ok((attr, _)) if attr.kind == Kind::File && attr.mode & 0o111 == 0 => reply.error(Errno::EACCES),
                Ok(_) => reply.ok(),
                Err(e) => reply.error(told(&vfs, "access", ino, &e)),
            });
        });
    }

    // FTP has no extended attributes. This once ENOSYS is right: the kernel is to stop asking for the whole mount.
    fn getxattr(&self, _req: &Request, _ino: INodeNo, _name: &OsStr, _size: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _req: &Request, _ino: INodeNo, _size: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn setxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: &[u8], _: i32, _: u32, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    // As good as "not supported", once for the whole mount: the C library and the kernel have ways of their own.
    fn fallocate(&self, _: &Request, _: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn copy_file_range(
        &self,
        req: &Request,
        _from: INodeNo,
        from_fh: FileHandle,
        from_offset: u64,
        to: INodeNo,
        to_fh: FileHandle,
        to_offset: u64,
        len: u64,
        flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        if !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.note_user(Fh(to_fh.0), req.pid());
            self.vfs.copy((Fh(from_fh.0), from_offset), (Fh(to_fh.0), to_offset), len, move |copied| match copied {
                Ok(len) => reply.written(len),
                Err(e) => reply.error(told(&vfs, "copy to", to, &e)),
            });
        });
    }

    // Terminals are asked for by programs at each open; none is here.
    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    // Holes are not known; the kernel knows that by itself once it has been told.
    fn lseek(&self, _: &Request, _: INodeNo, _: FileHandle, _: i64, _: i32, reply: ReplyLseek) {
        reply.error(Errno::ENOSYS);
    }

    fn setattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let mtime = mtime.map(|time| match time {
            TimeOrNow::SpecificTime(time) => When::At(time),
            TimeOrNow::Now => When::Now,
        });
        let size = size.map(|size| (size, fh.map(|fh| Fh(fh.0))));
        let wanted = Wanted { mode: mode.map(|mode| (mode & 0o7777) as u16), uid, gid, size, mtime };
        shielded(|| {
            let vfs = Arc::clone(&self.vfs);
            self.vfs.set_attributes(Ino(ino.0), wanted, move |set| match set {
                Ok((attr, ttl)) => reply.attr(&ttl, &file_attr(&attr)),
                Err(e) => reply.error(told(&vfs, "setattr", ino, &e)),
            });
        });
    }

    fn mknod(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        if mode & libc::S_IFMT != libc::S_IFREG {
            return reply.error(Errno::EPERM);
        }
        let made = self.made("mknod", parent, name, reply);
        shielded(|| self.vfs.mknod(Ino(parent.0), name.as_bytes(), mode, made));
    }

    fn mkdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, mode: u32, _umask: u32, reply: ReplyEntry) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let made = self.made("mkdir", parent, name, reply);
        shielded(|| self.vfs.mkdir(Ino(parent.0), name.as_bytes(), (mode & 0o7777) as u16, made));
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let done = self.done(format!("unlink {name:?} in"), parent, reply);
        shielded(|| self.vfs.unlink(Ino(parent.0), name.as_bytes(), done));
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let done = self.done(format!("rmdir {name:?} in"), parent, reply);
        shielded(|| self.vfs.rmdir(Ino(parent.0), name.as_bytes(), done));
    }

    fn symlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let made = self.made("symlink", parent, name, reply);
        shielded(|| self.vfs.symlink(Ino(parent.0), name.as_bytes(), target.as_os_str().as_bytes(), made));
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let done = self.done(format!("rename {name:?} to {newname:?} in"), parent, reply);
        let (from, to) = ((Ino(parent.0), name.as_bytes()), (Ino(newparent.0), newname.as_bytes()));
        shielded(|| self.vfs.rename(from, to, flags.bits(), done));
    }

    fn link(&self, _req: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if self.read_only {
            return reply.error(Errno::EROFS);
        }
        let made = self.made("link", parent, name, reply);
        shielded(|| self.vfs.link(Ino(ino.0), Ino(parent.0), name.as_bytes(), made));
    }
}

impl Adapter {
    /// Answers with how `what` went.
    fn done(
        &self,
        what: String,
        ino: INodeNo,
        reply: ReplyEmpty,
    ) -> impl FnOnce(Result<(), Error>) + Send + 'static + use<> {
        let vfs = Arc::clone(&self.vfs);
        move |done| match done {
            Ok(()) => reply.ok(),
            Err(e) => reply.error(told(&vfs, &what, ino, &e)),
        }
    }

    /// Answers with what `what` has made of `name`.
    fn made(
        &self,
        what: &str,
        parent: INodeNo,
        name: &OsStr,
        reply: ReplyEntry,
    ) -> impl FnOnce(Result<Entered, Error>) + Send + 'static + use<> {
        let (vfs, what) = (Arc::clone(&self.vfs), format!("{what} {name:?} in"));
        move |made| match made {
            Ok(Entered::Found { attr, ttl }) => reply.entry(&ttl, &file_attr(&attr), Generation(0)),
            Ok(Entered::Absent(_)) => reply.error(Errno::ENOENT),
            Err(e) => reply.error(told(&vfs, &what, parent, &e)),
        }
    }
}

/// What a file is opened for.
fn how(flags: OpenFlags) -> How {
    let mode = flags.acc_mode();
    How {
        read: mode != OpenAccMode::O_WRONLY,
        write: mode != OpenAccMode::O_RDONLY,
        append: flags.0 & libc::O_APPEND != 0,
        truncate: flags.0 & libc::O_TRUNC != 0,
    }
}

fn open_flags(opened: &Opened) -> FopenFlags {
    let mut flags = FopenFlags::empty();
    if !opened.writes {
        // Nothing is written, so close(2) needs no flush.
        flags |= FopenFlags::FOPEN_NOFLUSH;
    }
    if opened.keep_cache {
        flags |= FopenFlags::FOPEN_KEEP_CACHE;
    }
    if opened.direct_io {
        flags |= FopenFlags::FOPEN_DIRECT_IO;
    }
    flags
}

/// Runs `f`; a panic in it is logged and goes no further.
fn shielded(f: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(f)).is_err() {
        error!("a panic while serving a request: it gets EIO");
    }
}

/// Logs a failure as loudly as it deserves and makes a number of it.
fn told(vfs: &Vfs, what: &str, ino: INodeNo, e: &Error) -> Errno {
    let what = || format!("{what} {}", vfs.place(Ino(ino.0)));
    match e.fault {
        Fault::Remote(
            ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::LoginRefused
            | ErrorKind::TlsRefused
            | ErrorKind::TlsRequired
            | ErrorKind::Protocol,
        ) => warn!("{}: {e}", what()),
        // What the server says of a file is the program's affair; a transfer that broke has been told of already.
        _ => debug!("{}: {e}", what()),
    }
    errno(e)
}

/// An entry with inode number 0 says that there is none, and that this may be remembered.
const NOBODY: Attr =
    Attr { ino: Ino(0), kind: Kind::File, size: 0, mtime: SystemTime::UNIX_EPOCH, mode: 0, uid: 0, gid: 0, nlink: 1 };

/// As much as the kernel puts into one request.
const LARGEST_REQUEST: u32 = 1 << 20;
