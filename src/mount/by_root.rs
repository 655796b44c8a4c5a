//! Mounting as root, by mount(2) itself.
//!
//! fuser would name the filesystem's type `fuse`. `mount`, `umount -t` and `findmnt` are to see `fuse.ftpfs`, as they do
//! after fusermount3, which mounts for everybody else.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use fuser::{Session, SessionACL};

use super::adapter::Adapter;
use super::options;
use crate::base::sys;
use crate::config;

/// A session on the mountpoint.
///
/// # Errors
/// What the kernel or `fusermount3` says.
pub(super) fn session(adapter: Adapter, config: &config::Mount) -> io::Result<Session<Adapter>> {
    let options = options(config);
    if sys::caller().0 != 0 {
        return Session::new(adapter, &config.mountpoint, &options);
    }
    let device = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open("/dev/fuse")?;
    let target = CString::new(config.mountpoint.as_os_str().as_bytes())?;
    attach(&device, &target, config)?;
    Session::from_fd(adapter, device.into(), options.acl, options).inspect_err(|_| {
        // Nobody will ever serve it.
        let _ = sys::unmount(&target, true);
    })
}

fn attach(device: &File, target: &CString, config: &config::Mount) -> io::Result<()> {
    let (uid, gid) = sys::caller();
    let mode = std::fs::metadata(&config.mountpoint)?.mode() & libc::S_IFMT;
    let mut data = format!("fd={},rootmode={mode:o},user_id={uid},group_id={gid}", device.as_raw_fd());
    if super::acl(config) != SessionACL::Owner {
        data.push_str(",allow_other");
    }
    if config.default_permissions {
        data.push_str(",default_permissions");
    }
    let source = CString::new(config.source.as_bytes())?;
    sys::mount(&source, target, c"fuse.ftpfs", flags(config), &CString::new(data)?)
}

fn flags(config: &config::Mount) -> libc::c_ulong {
    let unless = |allowed: bool, flag| if allowed { 0 } else { flag };
    let read_only = if config.read_only { libc::MS_RDONLY } else { 0 };
    read_only
        | libc::MS_NOATIME
        | unless(config.suid, libc::MS_NOSUID)
        | unless(config.dev, libc::MS_NODEV)
        | unless(config.exec, libc::MS_NOEXEC)
}
