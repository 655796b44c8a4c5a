//! Names and attributes of a filesystem on a server in memory, asked for by paths.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ftpfs::base::{Clock, Deadline, SystemClock};
use ftpfs::config::{Files, Perms, Write};
use ftpfs::remote::{ErrorKind, RemotePath};
use ftpfs::vfs::{Attr, Entered, Fault as Told, Fh, How, Ino, Result, Wanted, When};

use super::client::AMPLE;
use super::files::{Fs, answer, fault, files};
use super::memory_remote::MemoryRemote;

/// A filesystem on a server in memory.
pub struct Names {
    pub fs: Fs,
}

impl Names {
    pub fn new(server: &MemoryRemote) -> Self {
        Self::with(server, &files(), plain)
    }

    pub fn with(server: &MemoryRemote, files: &Files, adjust: impl FnOnce(&mut Write)) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let fs = Fs::over(Arc::new(server.clone()), RemotePath::root(), files, adjust, AMPLE, clock);
        Self { fs }
    }

    pub fn parent(&self, path: &str) -> (Ino, Vec<u8>) {
        match path.rsplit_once('/') {
            Some((dir, name)) => (self.fs.ino(dir), name.as_bytes().to_vec()),
            None => (Ino::ROOT, path.as_bytes().to_vec()),
        }
    }

    pub fn mkdir(&self, path: &str) -> Result<Attr> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.mkdir(dir, &name, 0o750, tell)).map(found)
    }

    pub fn unlink(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.unlink(dir, &name, tell))
    }

    pub fn rmdir(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.rmdir(dir, &name, tell))
    }

    pub fn rename(&self, from: &str, to: &str, flags: u32) -> Result<()> {
        let ((dir, name), (new_dir, new_name)) = (self.parent(from), self.parent(to));
        // As the kernel does before it asks.
        self.fs.look(from).expect("the server answers");
        self.fs.look(to).expect("the server answers");
        answer(|tell| self.fs.vfs.rename((dir, &name), (new_dir, &new_name), flags, tell))
    }

    pub fn symlink(&self, path: &str, target: &str) -> Result<Attr> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.symlink(dir, &name, target.as_bytes(), tell)).map(found)
    }

    pub fn readlink(&self, path: &str) -> Result<String> {
        let ino = self.fs.ino(path);
        answer(|tell| self.fs.vfs.readlink(ino, tell)).map(|target| String::from_utf8(target).expect("ascii"))
    }

    pub fn set(&self, path: &str, wanted: Wanted) -> Result<Attr> {
        let ino = self.fs.ino(path);
        answer(|tell| self.fs.vfs.set_attributes(ino, wanted, tell)).map(|(attr, _)| attr)
    }

    pub fn open(&self, path: &str) -> Fh {
        self.fs.open(path).expect("it opens")
    }

    /// Makes a file, or opens one for writing.
    pub fn create(&self, path: &str) -> Fh {
        let (dir, name) = self.parent(path);
        let how = How { write: true, ..How::READ };
        let made = answer(|tell| self.fs.vfs.create(dir, &name, 0o644, how, false, tell));
        made.expect("it is made").opened.fh
    }

    pub fn write(&self, fh: Fh, at: u64, data: &[u8]) {
        let done = answer(|tell| self.fs.vfs.write(fh, at, data, false, Box::new(tell)));
        assert_eq!(done.expect("it is taken") as usize, data.len());
    }

    pub fn close(&self, fh: Fh) {
        answer(|tell| self.fs.vfs.flush(fh, tell)).expect("it is stored");
        self.fs.vfs.release(fh);
    }

    pub fn attr(&self, ino: Ino) -> Result<Attr> {
        answer(|tell| self.fs.vfs.getattr(ino, tell)).map(|(attr, _)| attr)
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        let dir = if path.is_empty() { Ino::ROOT } else { self.fs.ino(path) };
        let mut names = self.fs.names(dir).expect("a listing");
        names.sort();
        names
    }

    /// The end of the mount.
    pub fn end(&self) {
        let left = self.fs.vfs.finish(Deadline::after(AMPLE));
        assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
        self.fs.vfs.shut_down();
    }

    pub fn exists(&self, path: &str) -> bool {
        self.fs.look(path).expect("the server answers").is_some()
    }
}

pub fn found(entered: Entered) -> Attr {
    match entered {
        Entered::Found { attr, .. } => attr,
        Entered::Absent(_) => panic!("it has just been made"),
    }
}

pub fn at(secs: i64) -> Wanted {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs.unsigned_abs()) + Duration::from_millis(999);
    Wanted { mtime: Some(When::At(time)), ..Wanted::default() }
}

pub fn mode(mode: u16) -> Wanted {
    Wanted { mode: Some(mode), ..Wanted::default() }
}

pub fn mtime(attr: &Attr) -> u64 {
    attr.mtime.duration_since(SystemTime::UNIX_EPOCH).expect("after the epoch").as_secs()
}

pub fn plain(_: &mut Write) {}

pub fn strict(write: &mut Write) {
    write.perms = Perms::Strict;
}

pub fn stand_ins(write: &mut Write) {
    write.mfsymlinks = true;
}

pub fn denied<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(fault(result), Told::Remote(kind));
}
