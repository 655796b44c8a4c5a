//! System calls that std does not wrap: the only unsafe code of ftpfs, each block with its reason.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;

/// Detaches the filesystem mounted at `path` (`umount2(2)`); with `lazy` also while it is in use.
///
/// # Errors
/// What the kernel answers: `EBUSY`, `EPERM`, `EINVAL` where nothing is mounted.
pub fn unmount(path: &CStr, lazy: bool) -> io::Result<()> {
    let flags = libc::UMOUNT_NOFOLLOW | if lazy { libc::MNT_DETACH } else { 0 };
    // SAFETY: `path` is a NUL-terminated string that outlives the call; umount2 keeps no reference to it.
    match unsafe { libc::umount2(path.as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
