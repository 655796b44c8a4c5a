//! A small disk of the test's own, to fill.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ftpfs::base::sys;
use ftpfs::store::SpoolDir;

/// A filesystem of `pages` pages, as long as it lives. Needs root.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    pub(crate) fn new(pages: u32) -> Self {
        let at = tempfile::tempdir().expect("a temporary directory");
        let options = CString::new(format!("size={},mode=0700", pages * 4096)).expect("no NUL");
        sys::mount(c"tmpfs", &c_path(at.path()), c"tmpfs", 0, &options).expect("this test mounts a tmpfs, as root");
        Self(at)
    }

    /// Its root directory.
    #[allow(dead_code, reason = "not every test that fills a disk asks for it")]
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A spool directory on it.
    pub(crate) fn dir(&self, limit: Option<u64>) -> Arc<SpoolDir> {
        SpoolDir::open(self.0.path(), limit).expect("a spool directory")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        sys::unmount(&c_path(self.0.path()), true).expect("unmounts");
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}
