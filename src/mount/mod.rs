//! The mount: the only code that names fuser.
//!
//! [`mount`] attaches a [`Vfs`] to a directory, [`Mounted`] waits for the end and brings it about. fuser's own ways of
//! unmounting are not used: they give up when the mount is busy, and after an outside unmount they would take down
//! whatever is mounted at the path by then.

mod adapter;
mod by_root;
mod convert;
mod errno;
mod table;

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fuser::{BackgroundSession, Config, INodeNo, MountOption, Notifier, SessionACL};
use log::{debug, info, warn};

use self::adapter::Adapter;
use crate::base::{Deadline, Gate, sys};
use crate::config;
use crate::vfs::{Ino, KernelCache, Vfs};

/// A mounted filesystem.
pub struct Mounted {
    session: Option<BackgroundSession>,
    ended: Arc<Ended>,
    mountpoint: PathBuf,
    /// The kernel's number of this very mount; another one at the same path is none of ours.
    id: Option<u64>,
}

/// Whether the kernel has let go of the mount.
#[derive(Default)]
struct Ended {
    yes: AtomicBool,
    gate: Gate,
}

impl Ended {
    fn set(&self) {
        self.yes.store(true, Ordering::Release);
        self.gate.open();
    }
}

/// Mounts `vfs` as `config` says and begins to serve.
///
/// # Errors
/// What the kernel or `fusermount3` says.
pub fn mount(vfs: &Arc<Vfs>, config: &config::Mount) -> io::Result<Mounted> {
    let ended = Arc::new(Ended::default());
    let adapter = Adapter { vfs: Arc::clone(vfs), ended: Arc::clone(&ended), read_only: config.read_only };
    let session = by_root::session(adapter, config)?.spawn()?;
    let ours = table::find(&config.mountpoint);
    if let Some(ours) = &ours {
        read_ahead(&ours.device);
    }
    vfs.attach(Arc::new(Notify(session.notifier())));
    let mountpoint = config.mountpoint.clone();
    Ok(Mounted { session: Some(session), ended, mountpoint, id: ours.map(|m| m.id) })
}

fn options(config: &config::Mount) -> Config {
    let flag = |on: bool, yes, no| if on { yes } else { no };
    let mut options = Config::default();
    options.mount_options = vec![
        // A comma would end the option on fusermount3's command line.
        MountOption::FSName(config.source.replace(',', "%2C")),
        MountOption::Subtype("ftpfs".into()),
        flag(config.read_only, MountOption::RO, MountOption::RW),
        MountOption::NoAtime,
        flag(config.suid, MountOption::Suid, MountOption::NoSuid),
        flag(config.dev, MountOption::Dev, MountOption::NoDev),
        flag(config.exec, MountOption::Exec, MountOption::NoExec),
    ];
    if config.default_permissions {
        options.mount_options.push(MountOption::DefaultPermissions);
    }
    options.acl = acl(config);
    options.n_threads = Some(config.threads.clamp(1, 64));
    options.clone_fd = true;
    options
}

/// Who may use the mount.
fn acl(config: &config::Mount) -> SessionACL {
    match (config.allow_other, config.allow_root) {
        (true, _) => SessionACL::All,
        (false, true) => SessionACL::RootAndOwner,
        (false, false) => SessionACL::Owner,
    }
}

/// The kernel reads 128 KiB ahead; root may raise that, and a stream gains from larger requests.
fn read_ahead(device: &str) {
    let file = format!("/sys/class/bdi/{device}/read_ahead_kb");
    if let Err(e) = std::fs::write(&file, READ_AHEAD_KB) {
        debug!("{file}: {e}");
    }
}

impl Mounted {
    /// Waits until the kernel has let go of the mount, or until `deadline`; tells which.
    pub fn wait(&self, deadline: Option<Deadline>) -> bool {
        loop {
            let seen = self.ended.gate.ticket();
            if self.ended.yes.load(Ordering::Acquire) {
                return true;
            }
            // Without a deadline: look again now and then, which costs nothing.
            let until = deadline.unwrap_or_else(|| Deadline::after(std::time::Duration::from_secs(3600)));
            if !self.ended.gate.wait(seen, until) && deadline.is_some_and(Deadline::passed) {
                return self.ended.yes.load(Ordering::Acquire);
            }
        }
    }

    /// Takes the mount down; programs that still use it keep what they have open until they are done with it.
    ///
    /// # Errors
    /// If neither the kernel nor `fusermount3` can do it.
    pub fn unmount(&self) -> io::Result<()> {
        if self.ended.yes.load(Ordering::Acquire) || !self.is_ours() {
            return Ok(());
        }
        match detach(&self.mountpoint, false) {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
                info!("{} is busy: detaching it", self.mountpoint.display());
                detach(&self.mountpoint, true)
            }
            done => done,
        }
    }

    /// Whether what is mounted at the path is still this mount.
    fn is_ours(&self) -> bool {
        match self.id {
            Some(id) => table::find(&self.mountpoint).is_some_and(|m| m.id == id),
            // Without /proc nobody can tell; the path is all we know.
            None => true,
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(e) = self.unmount() {
            warn!("{} stays mounted: {e}", self.mountpoint.display());
        }
        // Dropping the session would unmount the path once more, whoever has it by now.
        std::mem::forget(self.session.take());
    }
}

/// Unmounts `path`: by ourselves where we may, else by the setuid helper.
fn detach(path: &Path, lazy: bool) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    match sys::unmount(&name, lazy) {
        Err(e) if e.raw_os_error() == Some(libc::EPERM) => by_helper(path, lazy),
        done => done,
    }
}

fn by_helper(path: &Path, lazy: bool) -> io::Result<()> {
    let how: &OsStr = OsStr::new(if lazy { "-uqz" } else { "-uq" });
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for helper in ["fusermount3", "fusermount"] {
        let status = Command::new(helper).arg(how).arg("--").arg(path).stdin(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => return Ok(()),
            // It does not tell why; that somebody is inside is all that ever happens to an owner.
            Ok(_) => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// The way to the kernel's caches.
struct Notify(Notifier);

impl KernelCache for Notify {
    fn invalidate_inode(&self, ino: Ino) {
        if let Err(e) = self.0.inval_inode(INodeNo(ino.0), 0, 0) {
            debug!("the kernel keeps its pages of inode {}: {e}", ino.0);
        }
    }

    fn invalidate_attributes(&self, ino: Ino) {
        // A negative offset spares the pages (fuse_reverse_inval_inode in the kernel's fs/fuse/inode.c).
        if let Err(e) = self.0.inval_inode(INodeNo(ino.0), -1, 0) {
            debug!("the kernel keeps its attributes of inode {}: {e}", ino.0);
        }
    }
}

/// As large as a request gets.
const READ_AHEAD_KB: &str = "1024";
