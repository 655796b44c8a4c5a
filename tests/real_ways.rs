//! The same programs on the same servers, reached in other ways: over TLS, with the server connecting to us, through a
//! single session.

mod support;

use support::lab::{Options, Software, Tls};
use support::themes::Setup;
use support::tls::Versions;

/// Explicit TLS that must be, and sessions that must be resumed where the server can insist on that.
fn explicit(software: Software) -> Setup {
    let session_reuse = matches!(software, Software::Vsftpd | Software::ProFtpd);
    Setup { options: Options { tls: Tls::Required, session_reuse, ..Options::default() }, ..Setup::plain(software) }
}

/// The same in TLS 1.2, where sessions are resumed in another way.
fn older(software: Software) -> Setup {
    let setup = explicit(software);
    Setup { options: Options { versions: Versions::Only12, ..setup.options.clone() }, ..setup }
}

/// TLS from the first byte on, and sessions that must be resumed.
fn implicit(software: Software) -> Setup {
    let setup = explicit(software);
    Setup { options: Options { tls: Tls::Implicit, ..setup.options.clone() }, ..setup }
}

/// The server connects to us.
fn active(software: Software) -> Setup {
    Setup { arguments: &["--active"], ..Setup::plain(software) }
}

/// The server connects to us, refuses to be connected to, and nobody has told ftpfs.
fn active_by_itself(software: Software) -> Setup {
    Setup { options: Options { passive: false, ..Options::default() }, ..Setup::plain(software) }
}

/// Both.
fn active_explicit(software: Software) -> Setup {
    Setup { arguments: &["--active"], ..explicit(software) }
}

/// One session at a time.
fn alone(software: Software) -> Setup {
    Setup { options: Options { max_clients: 1, ..Options::default() }, ..Setup::plain(software) }
}

/// One session at a time, over TLS.
fn alone_explicit(software: Software) -> Setup {
    let setup = explicit(software);
    Setup { options: Options { max_clients: 1, ..setup.options.clone() }, ..setup }
}

macro_rules! everything {
    ($($module:ident: $setup:expr;)*) => {
        themes! { $(
            $module: $setup => [
                walking, copying, searching, checksums, parallel_readers, random_reads, ten_thousand_entries,
                beyond_four_gib, odd_names, symbolic_links, subdirectory, few_connections, ipv6,
            ];
        )* }
    };
}

macro_rules! a_part {
    ($($module:ident: $setup:expr;)*) => {
        themes! { $(
            $module: $setup => [walking, copying, parallel_readers, random_reads, symbolic_links, ipv6];
        )* }
    };
}

// One session leaves no room for the theme that mounts twice, nor for the one that sets its own limit.
macro_rules! with_one_session {
    ($($module:ident: $setup:expr;)*) => {
        themes! { $(
            $module: $setup => [
                walking, copying, searching, checksums, parallel_readers, random_reads, odd_names, symbolic_links,
            ];
        )* }
    };
}

everything! {
    tls_vsftpd: explicit(Software::Vsftpd);
    tls_proftpd: explicit(Software::ProFtpd);
    tls_pure_ftpd: explicit(Software::PureFtpd);
    tls_pyftpdlib: explicit(Software::Pyftpdlib);
}

a_part! {
    tls12_vsftpd: older(Software::Vsftpd);
    tls12_proftpd: older(Software::ProFtpd);
    implicit_vsftpd: implicit(Software::Vsftpd);
    implicit_proftpd: implicit(Software::ProFtpd);
    active_vsftpd: active(Software::Vsftpd);
    active_proftpd: active(Software::ProFtpd);
    active_pure_ftpd: active(Software::PureFtpd);
    active_pyftpdlib: active(Software::Pyftpdlib);
    active_tls_vsftpd: active_explicit(Software::Vsftpd);
    active_tls_proftpd: active_explicit(Software::ProFtpd);
    active_tls_pyftpdlib: active_explicit(Software::Pyftpdlib);
    no_passive_vsftpd: active_by_itself(Software::Vsftpd);
    no_passive_pyftpdlib: active_by_itself(Software::Pyftpdlib);
}

with_one_session! {
    alone_vsftpd: alone(Software::Vsftpd);
    alone_proftpd: alone(Software::ProFtpd);
    alone_pure_ftpd: alone(Software::PureFtpd);
    alone_pyftpdlib: alone(Software::Pyftpdlib);
    alone_tls_vsftpd: alone_explicit(Software::Vsftpd);
    alone_tls_proftpd: alone_explicit(Software::ProFtpd);
}
