//! The one place where a failure becomes a number.

use fuser::Errno;

use crate::remote::ErrorKind;
use crate::vfs::{Error, Fault};

/// The number that the program sees.
pub(super) fn errno(error: &Error) -> Errno {
    match error.fault {
        Fault::Remote(kind) => remote(kind),
        Fault::Broken => Errno::EIO,
        Fault::NoInode => Errno::ESTALE,
        Fault::BadHandle => Errno::EBADF,
        Fault::NotLink => Errno::EINVAL,
        Fault::Outside => Errno::EACCES,
        Fault::SpoolFull => Errno::ENOSPC,
        Fault::Spool => Errno::EIO,
    }
}

fn remote(kind: ErrorKind) -> Errno {
    match kind {
        ErrorKind::NotFound => Errno::ENOENT,
        ErrorKind::NotDir => Errno::ENOTDIR,
        ErrorKind::IsDir => Errno::EISDIR,
        ErrorKind::Exists => Errno::EEXIST,
        ErrorKind::NotEmpty => Errno::ENOTEMPTY,
        ErrorKind::Denied => Errno::EACCES,
        ErrorKind::NotPermitted => Errno::EPERM,
        ErrorKind::ReadOnly => Errno::EROFS,
        ErrorKind::NoSpace => Errno::ENOSPC,
        ErrorKind::Quota => Errno::EDQUOT,
        ErrorKind::TooLarge => Errno::EFBIG,
        ErrorKind::CrossDevice => Errno::EXDEV,
        ErrorKind::Loop => Errno::ELOOP,
        ErrorKind::TextBusy => Errno::ETXTBSY,
        ErrorKind::Invalid | ErrorKind::NameInvalid => Errno::EINVAL,
        ErrorKind::NameUnencodable => Errno::EILSEQ,
        ErrorKind::NameTooLong => Errno::ENAMETOOLONG,
        // Never ENOSYS: the kernel would remember it for every file of the mount.
        ErrorKind::Unsupported => Errno::EOPNOTSUPP,
        ErrorKind::Changed => Errno::ESTALE,
        ErrorKind::Busy => Errno::EBUSY,
        ErrorKind::TimedOut => Errno::ETIMEDOUT,
        ErrorKind::Unreachable => Errno::EHOSTUNREACH,
        // A password that was changed while mounted: the server denies, nothing is broken.
        ErrorKind::LoginRefused => Errno::EACCES,
        // No TLS where there must be some is no refusal of a file: the mount needs another option.
        ErrorKind::TlsRefused | ErrorKind::TlsRequired | ErrorKind::Protocol | ErrorKind::Cancelled => Errno::EIO,
    }
}
