//! A filesystem of ours on a fake server, called directly: what the kernel would ask, without the kernel.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use ftpfs::base::{Clock, SystemClock};
use ftpfs::config::{Files, Server, Write};
use ftpfs::remote::{Remote, RemotePath};
use ftpfs::vfs::{Attr, Entered, Fault, Fh, How, Ino, Result, Vfs};

use super::client::{AMPLE, client_with, config, soon};
use super::memory_remote::MemoryRemote;
use super::server::FakeServer;

/// Read and written.
pub const BOTH: How = How { read: true, write: true, append: false, truncate: false };

/// A filesystem and the patience of its callers.
pub struct Fs {
    pub vfs: Arc<Vfs>,
    _spool: tempfile::TempDir,
}

/// Settings as a user has them who gives no options, but with a long memory: tests move on without waiting.
pub fn files() -> Files {
    let ttl = Duration::from_secs(3600);
    Files {
        uid: 0,
        gid: 0,
        file_mask: None,
        dir_mask: None,
        attr_ttl: ttl,
        dir_ttl: ttl,
        negative_ttl: ttl,
        memory: 16 << 20,
        cache: None,
    }
}

impl Fs {
    /// The root directory of `server`.
    pub fn new(server: &FakeServer) -> Self {
        Self::with(&config(server), &files())
    }

    /// The root directory of a server, with settings.
    pub fn with(server: &Server, files: &Files) -> Self {
        Self::with_clock(server, files, Arc::new(SystemClock))
    }

    /// The same, at a time of its own.
    pub fn with_clock(server: &Server, files: &Files, clock: Arc<dyn Clock>) -> Self {
        let client = client_with(server);
        let root = client.enter(b"", soon()).expect("the login works");
        let remote: Arc<dyn Remote> = Arc::new(client);
        Self::over(remote, root, files, |_| {}, server.timeout, clock)
    }

    /// The directory `root` of any server; `adjust` changes what is so unless somebody wants it otherwise.
    pub fn over(
        remote: Arc<dyn Remote>,
        root: RemotePath,
        files: &Files,
        adjust: impl FnOnce(&mut Write),
        timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let spool = tempfile::tempdir().expect("a directory for the spool");
        let mut write = Write::new(spool.path().join("spool"));
        adjust(&mut write);
        let vfs = Vfs::new(remote, root, files, Some(&write), timeout, clock).expect("threads can be started");
        Self { vfs, _spool: spool }
    }

    /// The root directory of a server in memory; `adjust` changes what is so unless somebody wants it otherwise.
    pub fn in_memory(server: &MemoryRemote, adjust: impl FnOnce(&mut Write)) -> Self {
        Self::over(Arc::new(server.clone()), RemotePath::root(), &files(), adjust, AMPLE, Arc::new(SystemClock))
    }

    /// The root directory of any server, on a spool of the caller's that may be taken.
    pub fn try_over(
        remote: Arc<dyn Remote>,
        files: &Files,
        adjust: impl FnOnce(&mut Write),
        timeout: Duration,
    ) -> std::io::Result<Self> {
        let spool = tempfile::tempdir()?;
        let mut write = Write::new(spool.path().join("spool"));
        adjust(&mut write);
        let clock = Arc::new(SystemClock);
        Ok(Self { vfs: Vfs::new(remote, RemotePath::root(), files, Some(&write), timeout, clock)?, _spool: spool })
    }

    /// Looks a path up, name by name.
    pub fn look(&self, path: &str) -> Result<Option<Attr>> {
        let mut at = None;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let parent = at.as_ref().map_or(Ino::ROOT, |attr: &Attr| attr.ino);
            let found = answer(|tell| self.vfs.lookup(parent, name.as_bytes(), tell))?;
            let Entered::Found { attr, .. } = found else { return Ok(None) };
            at = Some(attr);
        }
        Ok(at)
    }

    /// The inode of a path that exists.
    pub fn ino(&self, path: &str) -> Ino {
        self.look(path).expect("the server answers").unwrap_or_else(|| panic!("{path} exists")).ino
    }

    /// Makes and opens a file in the root directory.
    pub fn create(&self, name: &str) -> (Ino, Fh) {
        let made = answer(|tell| self.vfs.create(Ino::ROOT, name.as_bytes(), 0o644, BOTH, false, tell));
        let made = made.expect("it is made");
        (made.attr.ino, made.opened.fh)
    }

    /// Opens a file that is there.
    pub fn open_as(&self, path: &str, how: How) -> Fh {
        let ino = self.ino(path);
        answer(|tell| self.vfs.open(ino, how, tell)).expect("it opens").fh
    }

    /// Writes what is taken.
    pub fn write(&self, fh: Fh, at: u64, data: &[u8]) {
        self.try_to_write(fh, at, data).expect("it is taken");
    }

    pub fn try_to_write(&self, fh: Fh, at: u64, data: &[u8]) -> Result<u32> {
        answer(|tell| self.vfs.write(fh, at, data, false, Box::new(tell)))
    }

    /// Closes without an error.
    pub fn close(&self, fh: Fh) {
        answer(|tell| self.vfs.flush(fh, tell)).expect("it is closed");
        self.vfs.release(fh);
    }

    /// Renames in the root directory.
    pub fn rename(&self, from: &str, to: &str, flags: u32) -> Result<()> {
        answer(|tell| self.vfs.rename((Ino::ROOT, from.as_bytes()), (Ino::ROOT, to.as_bytes()), flags, tell))
    }

    pub fn open(&self, path: &str) -> Result<Fh> {
        let ino = self.ino(path);
        answer(|tell| self.vfs.open(ino, How::READ, tell)).map(|opened| opened.fh)
    }

    /// Reads as the kernel does, in one request.
    pub fn read(&self, fh: Fh, at: u64, len: u32) -> Result<Vec<u8>> {
        self.ask(fh, at, len).recv_timeout(AMPLE).expect("every read is answered")
    }

    /// Asks for bytes without waiting for them.
    pub fn ask(&self, fh: Fh, at: u64, len: u32) -> mpsc::Receiver<Result<Vec<u8>>> {
        let (tell, hear) = mpsc::channel();
        let reply = move |data: Result<ftpfs::vfs::Data>| {
            let _ = tell.send(data.map(|data| data.with(<[u8]>::to_vec)));
        };
        self.vfs.read(fh, at, len, Box::new(reply));
        hear
    }

    /// Reads a whole file in requests of 128 KiB.
    pub fn read_all(&self, path: &str) -> Result<Vec<u8>> {
        let fh = self.open(path)?;
        let mut bytes = Vec::new();
        loop {
            let got = self.read(fh, bytes.len() as u64, 128 * 1024)?;
            if got.is_empty() {
                self.vfs.release(fh);
                return Ok(bytes);
            }
            bytes.extend_from_slice(&got);
        }
    }

    /// The names in a directory, in the server's order, without `.` and `..`.
    pub fn names(&self, dir: Ino) -> Result<Vec<String>> {
        let fh = answer(|tell| self.vfs.opendir(dir, tell))?;
        let mut names = Vec::new();
        self.vfs.readdir(fh, 2, false, &mut |item| {
            names.push(String::from_utf8_lossy(item.name).into_owned());
            true
        })?;
        self.vfs.release(fh);
        Ok(names)
    }
}

/// Waits for the answer to a request.
pub fn answer<T: Send + 'static>(ask: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>)) -> Result<T> {
    let (tell, hear) = mpsc::channel();
    ask(Box::new(move |result| drop(tell.send(result))));
    hear.recv_timeout(AMPLE).expect("every request is answered")
}

/// What went wrong.
pub fn fault<T: std::fmt::Debug>(result: Result<T>) -> Fault {
    result.expect_err("it fails").fault
}
