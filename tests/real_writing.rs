//! Everyday programs that write to a mount of each real server, plain and over TLS: what the server's disk holds then, right
//! after the program has ended, is what the same commands make of a plain directory.
//!
//! One module per place, one test per theme of `support::programs_writing`. The plain directory comes first: there the
//! tests are measured themselves. They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use support::bench::Place;
use support::lab::{Allows, Options, Software, Tls};
use support::themes::Setup;

fn plain(software: Software) -> Place {
    Place::Served(Setup::plain(software))
}

/// Explicit TLS that must be, and sessions that must be resumed where the server can insist on that.
fn tls(software: Software) -> Place {
    let session_reuse = matches!(software, Software::Vsftpd | Software::ProFtpd);
    let options = Options { tls: Tls::Required, session_reuse, ..Options::default() };
    Place::Served(Setup { options, ..Setup::plain(software) })
}

/// One session at a time.
fn alone(software: Software) -> Place {
    let options = Options { max_clients: 1, ..Options::default() };
    Place::Served(Setup { options, ..Setup::plain(software) })
}

/// Servers that refuse what others do.
fn stubborn(software: Software, allows: Allows) -> Place {
    let options = Options { allows, ..Options::default() };
    Place::Served(Setup { options, ..Setup::plain(software) })
}

fn no_overwriting() -> Allows {
    Allows { overwriting: false, ..Allows::default() }
}

fn no_appending() -> Allows {
    Allows { appending: false, ..Allows::default() }
}

/// Symbolic links are kept in files.
fn with_links(software: Software) -> Place {
    Place::Served(Setup { arguments: &["-o", "mfsymlinks"], ..Setup::plain(software) })
}

macro_rules! everything {
    ($($module:ident: $place:expr;)*) => {
        benches! { $(
            $module: $place => crate::support::programs_writing: [
                copying, moving, removing, attributes, parts, editing, archives, git, sqlite, rsync, restic,
                a_thousand_files, large, odd_names, side_by_side,
            ];
        )* }
    };
}

macro_rules! a_part {
    ($($module:ident: $place:expr;)*) => {
        benches! { $(
            $module: $place => crate::support::programs_writing: [copying, moving, removing, parts, editing, sqlite, side_by_side];
        )* }
    };
}

everything! {
    plain_directory: Place::Plain;
    vsftpd: plain(Software::Vsftpd);
    proftpd: plain(Software::ProFtpd);
    pure_ftpd: plain(Software::PureFtpd);
    pyftpdlib: plain(Software::Pyftpdlib);
    tls_vsftpd: tls(Software::Vsftpd);
    tls_proftpd: tls(Software::ProFtpd);
    tls_pure_ftpd: tls(Software::PureFtpd);
    tls_pyftpdlib: tls(Software::Pyftpdlib);
}

a_part! {
    no_overwriting_proftpd: stubborn(Software::ProFtpd, no_overwriting());
    no_appending_proftpd: stubborn(Software::ProFtpd, no_appending());
    no_appending_pyftpdlib: stubborn(Software::Pyftpdlib, no_appending());
    alone_vsftpd: alone(Software::Vsftpd);
    alone_proftpd: alone(Software::ProFtpd);
    alone_pure_ftpd: alone(Software::PureFtpd);
    alone_pyftpdlib: alone(Software::Pyftpdlib);
}

// Nothing that looks at what cannot be kept.
benches! {
    no_times_vsftpd: stubborn(Software::Vsftpd, Allows { times: false, ..Allows::default() })
        => crate::support::programs_writing: [copying, moving, removing, parts, editing, git, sqlite];
    no_times_proftpd: stubborn(Software::ProFtpd, Allows { times: false, ..Allows::default() })
        => crate::support::programs_writing: [copying, moving, parts, editing];
    no_modes_vsftpd: stubborn(Software::Vsftpd, Allows { modes: false, ..Allows::default() })
        => crate::support::programs_writing: [copying, moving, parts, editing, sqlite];
    no_modes_pure_ftpd: stubborn(Software::PureFtpd, Allows { modes: false, ..Allows::default() })
        => crate::support::programs_writing: [copying, moving, parts, editing];
    links_in_a_plain_directory: Place::Plain => crate::support::programs_writing: [links];
    links_vsftpd: with_links(Software::Vsftpd) => crate::support::programs_writing: [links, copying, moving, git];
    links_proftpd: with_links(Software::ProFtpd) => crate::support::programs_writing: [links];
    links_pure_ftpd: with_links(Software::PureFtpd) => crate::support::programs_writing: [links];
    links_pyftpdlib: with_links(Software::Pyftpdlib) => crate::support::programs_writing: [links];
}
