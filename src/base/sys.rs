//! System calls that std does not wrap: the only unsafe code of ftpfs, each block with its reason.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Mounts (`mount(2)`): `source` of type `kind` at `target`, with `MS_` flags and the options of that filesystem.
///
/// # Errors
/// What the kernel answers.
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: libc::c_ulong, options: &CStr) -> io::Result<()> {
    // SAFETY: all four are NUL-terminated strings that outlive the call; mount keeps no reference to them.
    let done = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes all threads share two heaps (`mallopt(3)`): with one for each of dozens of threads, what one of them has freed
/// is of no use to the others, and the process grows.
pub fn share_heaps() {
    // SAFETY: no pointers are passed; M_ARENA_MAX takes any number, and the answer only says whether it was understood.
    unsafe {
        #[cfg(target_env = "gnu")]
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

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

/// Real user and group of this process.
pub fn caller() -> (u32, u32) {
    // SAFETY: both take no argument, touch no memory and cannot fail.
    unsafe { (libc::getuid(), libc::getgid()) }
}

/// Allows this process as many open files as it may have at all (`RLIMIT_NOFILE`): many shells begin with 1024.
///
/// # Errors
/// What the kernel answers; then it stays as it was.
pub fn open_many_files() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both take a live structure, fill it in or read it, and keep no reference to it.
    let set = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if set { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Which side of [`fork`] this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// The caller; the child's process id.
    Parent(i32),
    /// The copy.
    Child,
}

/// Copies the process (`fork(2)`), as long as it has only one thread.
///
/// # Errors
/// What the kernel answers; `InvalidInput` where other threads run, because the copy would hold their locks for ever.
pub fn fork() -> io::Result<Fork> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "fork with more than one thread"));
    }
    // SAFETY: this is the only thread, so the child begins with consistent memory and may go on like any process.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        child => Ok(Fork::Parent(child)),
    }
}

/// Leaves the terminal and its signals (`setsid(2)`).
///
/// # Errors
/// `EPERM` for the leader of a process group.
pub fn new_session() -> io::Result<()> {
    // SAFETY: takes no argument and touches no memory.
    if unsafe { libc::setsid() } == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sends `signal` to the process `pid`.
///
/// # Errors
/// What the kernel answers.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes numbers only and touches no memory of this process.
    if unsafe { libc::kill(pid, signal) } == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits for the child `pid` to end.
///
/// # Errors
/// `ECHILD` where there is no such child.
pub fn wait_child(pid: i32) -> io::Result<ExitStatus> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a live integer that waitpid fills in; no reference to it is kept.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } != -1 {
            return Ok(ExitStatus::from_raw(status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Makes the descriptor number `to` mean the file `from` (`dup2(2)`), for the standard streams.
///
/// # Errors
/// What the kernel answers.
pub fn redirect(from: BorrowedFd<'_>, to: StandardStream) -> io::Result<()> {
    // SAFETY: `from` is open as long as it is borrowed; `to` is 0, 1 or 2, which nobody owns and nobody closes.
    match unsafe { libc::dup2(from.as_raw_fd(), to as RawFd) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The descriptors that every process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardStream {
    /// Standard input.
    Input = 0,
    /// Standard output.
    Output = 1,
    /// Standard error.
    Error = 2,
}

/// What is waited for at a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Bytes, the end, an error, or a connection to accept.
    Read,
    /// Room for bytes, or an error.
    Write,
}

/// Waits (`poll(2)`) until one of `wanted` is ready, at most for `limit`; false where the time is up.
///
/// # Errors
/// What the kernel answers; never `EINTR`.
pub fn wait_ready(wanted: &[(BorrowedFd<'_>, Ready)], limit: Duration) -> io::Result<bool> {
    which_ready(wanted, limit).map(|ready| ready.contains(&true))
}

/// As [`wait_ready`]; tells of each whether it is ready, none of them where the time is up.
///
/// # Errors
/// As [`wait_ready`].
pub fn which_ready(wanted: &[(BorrowedFd<'_>, Ready)], limit: Duration) -> io::Result<Vec<bool>> {
    let event = |ready| match ready {
        Ready::Read => libc::POLLIN,
        Ready::Write => libc::POLLOUT,
    };
    let mut polled: Vec<_> = wanted
        .iter()
        .map(|(fd, ready)| libc::pollfd { fd: fd.as_raw_fd(), events: event(*ready), revents: 0 })
        .collect();
    let end = Instant::now() + limit;
    loop {
        // Rounded up: a wait of zero would be none at all.
        let left = end.saturating_duration_since(Instant::now()).as_millis() + 1;
        let left = libc::c_int::try_from(left).unwrap_or(libc::c_int::MAX);
        // SAFETY: `polled` is initialised, as long as said, and outlives the call; the descriptors are borrowed.
        match unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, left) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
            0 if Instant::now() < end => {}
            _ => return Ok(polled.iter().map(|fd| fd.revents != 0).collect()),
        }
    }
}

/// Bytes of a TCP socket that wait to be sent for the first time (`SIOCOUTQNSD`).
///
/// # Errors
/// What ioctl(2) answers.
pub fn unsent(socket: BorrowedFd<'_>) -> io::Result<usize> {
    // linux/sockios.h; libc does not have it.
    const SIOCOUTQNSD: libc::Ioctl = 0x894B;
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed, and the kernel writes one int to where the pointer leads.
    match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCOUTQNSD, &raw mut bytes) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(usize::try_from(bytes).unwrap_or(0)),
    }
}

/// How long the other end of a TCP connection takes to answer, as the kernel has measured it; None where it is no such
/// connection, or not yet.
pub fn round_trip(socket: BorrowedFd<'_>) -> Option<Duration> {
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `info`, which outlives the call; the descriptor is borrowed.
    let done = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut info).cast(), &raw mut len)
    };
    (done == 0 && info.tcpi_rtt > 0).then(|| Duration::from_micros(info.tcpi_rtt.into()))
}

/// Keeps `signals` from being delivered to this thread and to all that it starts: they wait for [`wait_signal`].
///
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn block_signals(signals: &[i32]) -> io::Result<()> {
    let set = signal_set(signals)?;
    // SAFETY: `set` is initialised and outlives the call; the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Takes the next of the blocked `signals`; None where `limit` has passed first.
///
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn wait_signal(signals: &[i32], limit: Option<Duration>) -> io::Result<Option<i32>> {
    let set = signal_set(signals)?;
    // A year for "no limit" keeps this to one system call.
    let limit = limit.unwrap_or(Duration::from_secs(365 * 86_400));
    let limit = libc::timespec { tv_sec: limit.as_secs() as libc::time_t, tv_nsec: limit.subsec_nanos().into() };
    loop {
        // SAFETY: `set` and `limit` are initialised and outlive the call; a null siginfo is allowed.
        match unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const limit) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error if error.raw_os_error() == Some(libc::EAGAIN) => return Ok(None),
                error => return Err(error),
            },
            signal => return Ok(Some(signal)),
        }
    }
}

/// Gives the file a name (`linkat(2)`), even if it was opened without one by `O_TMPFILE`.
///
/// # Errors
/// `AlreadyExists`; `NotFound` for a file that was unlinked, and where there is no `/proc`.
pub fn link_open_file(file: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let from = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
    // SAFETY: both paths are NUL-terminated strings that outlive the call; linkat keeps no reference to them.
    match unsafe { libc::linkat(here, from.as_ptr(), here, to.as_ptr(), follow) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Frees what the file has in `range` (`fallocate(2)` with `FALLOC_FL_PUNCH_HOLE`); its size stays.
///
/// # Errors
/// `Unsupported` where the filesystem cannot.
pub fn punch_hole(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<()> {
    fallocate(file, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, range)
}

/// Takes room on the disk for `range` (`fallocate(2)`), also behind the end of the file; its size stays.
///
/// # Errors
/// `Unsupported` where the filesystem cannot, `StorageFull`.
pub fn reserve(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<()> {
    fallocate(file, libc::FALLOC_FL_KEEP_SIZE, range)
}

fn fallocate(file: BorrowedFd<'_>, how: libc::c_int, range: Range<u64>) -> io::Result<()> {
    let at = libc::off_t::try_from(range.start).map_err(io::Error::other)?;
    let len = libc::off_t::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    loop {
        // SAFETY: takes numbers only; the descriptor is open as long as it is borrowed.
        match unsafe { libc::fallocate(file.as_raw_fd(), how, at, len) } {
            0 => return Ok(()),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
}

/// The next bytes of the file from `at` on that are no hole (`lseek(2)`); None behind the last ones. Moves its offset.
///
/// # Errors
/// What the kernel answers.
pub fn next_data(file: BorrowedFd<'_>, at: u64) -> io::Result<Option<Range<u64>>> {
    let seek = |at: libc::off_t, whence| {
        // SAFETY: takes numbers only; the descriptor is open as long as it is borrowed.
        match unsafe { libc::lseek(file.as_raw_fd(), at, whence) } {
            -1 => Err(io::Error::last_os_error()),
            at => Ok(at),
        }
    };
    let start = match seek(libc::off_t::try_from(at).map_err(io::Error::other)?, libc::SEEK_DATA) {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Ok(None),
        found => found?,
    };
    let end = seek(start, libc::SEEK_HOLE)?;
    Ok(Some(start.cast_unsigned()..end.cast_unsigned()))
}

/// Locks the whole file for this descriptor alone (`flock(2)`), until it is closed; false where another one has it.
///
/// # Errors
/// What the kernel answers where the filesystem has no locks.
pub fn try_lock(file: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: takes numbers only; the descriptor is open as long as it is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            error => Err(error),
        },
    }
}

fn signal_set(signals: &[i32]) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set and cannot fail on a valid address.
    let mut set: libc::sigset_t = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    };
    for &signal in signals {
        // SAFETY: `set` is initialised; a bad number is answered with -1.
        if unsafe { libc::sigaddset(&raw mut set, signal) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(set)
}
