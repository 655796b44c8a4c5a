//! A mount of a played server that is written to, with a spool of its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::mount::Mount;
use super::process::{wait_until, with_deadline};
use super::programs::temporary;
use super::server::{FakeServer, Personality, Tree, fill_pattern};

/// Tells a hang; no test takes nearly as long.
pub const LIMIT: Duration = Duration::from_secs(90);

/// For what happens behind a program's back.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, its mount, and the spool between them.
pub struct Scene {
    pub mount: Mount,
    pub server: FakeServer,
    spool: PathBuf,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Mounts a server with listings that are believed for longer than any test takes, and further options.
    pub fn new(personality: Personality, tree: Tree, options: &str) -> Self {
        let folder = temporary();
        let spool = folder.path().join("spool");
        Self::with_spool(personality, tree, options, spool, folder)
    }

    /// The same with a spool in a place of the caller's.
    pub fn with_spool(
        personality: Personality,
        tree: Tree,
        options: &str,
        spool: PathBuf,
        folder: tempfile::TempDir,
    ) -> Self {
        let server = FakeServer::start(personality, tree);
        let all = format!("spool_dir={},attr_timeout=1h,dir_timeout=1h,{options}", spool.display());
        let mount = Mount::new(&server.url("/"), &["-o", all.trim_end_matches(',')]);
        Self { mount, server, spool, _folder: folder }
    }

    /// A path on the mount.
    pub fn at(&self, path: &str) -> PathBuf {
        self.mount.path().join(path)
    }

    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// Asserts that the server has exactly `bytes` at `path`.
    #[track_caller]
    pub fn has(&self, path: &str, bytes: &[u8]) {
        let found = self.server.content(path);
        let told = found.as_ref().map(Vec::len);
        assert!(found.as_deref() == Some(bytes), "{path}: {told:?} bytes, not {}\n{}", bytes.len(), self.mount.log());
    }

    /// Asserts that nothing of ours is left on the server, as soon as the last attempts are over.
    pub fn is_tidy(&self) {
        let tidy = || (!self.server.paths().iter().any(|path| path.contains(".ftpfs-"))).then_some(());
        wait_until("a server without files of ours", PATIENCE, tidy);
    }

    /// What was kept for the user because it could not be stored.
    pub fn lost(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.spool.join("lost")) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("a name").path());
        paths.filter(|path| path.extension().is_none_or(|it| it != "txt")).collect()
    }

    /// Waits until something has been kept for the user, and the log says where; tells what.
    pub fn await_lost(&self) -> Vec<u8> {
        let path = wait_until("a file in lost/ that the log names", PATIENCE, || {
            let log = self.mount.log();
            self.lost().into_iter().find(|path| log.contains(&path.display().to_string()))
        });
        fs::read(path).expect("it is ours")
    }

    /// Asserts that after a failure all is well again: a file can be written, and the mount ends in order.
    #[track_caller]
    pub fn works(self) {
        self.server.heal();
        let path = self.at("well-again");
        let well = || fs::write(&path, b"well").ok();
        wait_until("a successful write", PATIENCE, well);
        self.has("well-again", b"well");
        assert_eq!(fs::read(&path).expect("it is there"), b"well");
        self.is_tidy();
        self.mount.unmount();
    }
}

/// Runs a test's body, which must not hang.
pub fn limited(body: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    with_deadline(LIMIT, &name, body);
}

/// Bytes that are different everywhere.
pub fn pattern(seed: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    fill_pattern(seed, 0, &mut bytes);
    bytes
}

/// close(2) with what it says.
#[allow(unsafe_code, reason = "std throws the outcome away")]
pub fn close(file: File) -> io::Result<()> {
    use std::os::fd::IntoRawFd as _;
    // SAFETY: the descriptor is ours, and nobody uses it afterwards.
    match unsafe { libc::close(file.into_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Writes a whole file as programs do: the first error of open, write or close.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut file = File::create(path)?;
    let written = file.write_all(bytes);
    let closed = close(file);
    written.and(closed)
}

/// The number of a failure.
pub fn number<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.map_or_else(|e| e.raw_os_error().unwrap_or(-1), |_| 0)
}
