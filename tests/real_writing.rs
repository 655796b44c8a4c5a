//! Everyday programs that write to a mount of each real server, plain and over TLS: what the server's disk holds then, right
//! after the program has ended, is what the same commands make of a plain directory.
//!
//! One module per place, one test per theme of `support::programs_writing`. The plain directory comes first: there the
//! tests are measured themselves. They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use support::bench::{Bench, OWN_NAMES, Place};
use support::lab::{Allows, Options, Software, Tls};
use support::themes::Setup;
use support::twin;

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
            $module: $place => crate::support::programs_writing: [
                copying, moving, removing, parts, editing, sqlite, side_by_side,
            ];
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

/// What the comparison is to see, it sees.
#[test]
fn the_comparison_sees_everything() {
    let bench = Bench::new(&Place::Plain);
    bench.does("mkdir d; echo text > d/file; touch -d @1000000000 d/file; echo more > other");
    let spoilt = [
        ("rm d/file", "missing on the server"),
        ("echo x > d/new", "only on the server"),
        ("rm other; mkdir other", "to be"),
        ("printf x >> other", "to be 5 bytes, is 6"),
        ("printf z | dd of=other bs=1 seek=2 conv=notrunc status=none", "content differs at byte 2 of 5"),
        ("chmod 600 other", "mode to be 644, is 600"),
        ("chmod 700 d", "mode to be 755, is 700"),
        ("touch d/file", "mtime to be 1000000000"),
        ("touch -d @1000000000 other", "is 1000000000"),
    ];
    for (script, message) in spoilt {
        bench.says(&format!("cp -a . $M/good; {script}"));
        let found = twin::differences(&bench.twin(), bench.disk(), bench.rules()).text();
        assert!(found.starts_with("1 diff") && found.contains(message), "{script}: {found}");
        bench.says("find . -mindepth 1 -delete; cp -a $M/good/. .; rm -r $M/good");
        bench.holds("putting it right");
    }
    bench.says("touch .ftpfs-left");
    assert_eq!(twin::named_like(bench.disk(), OWN_NAMES).len(), 1);
}

/// Links in files as other programs write them.
#[test]
fn links_in_files_are_known() {
    let file = |length: &str, target: &str| {
        let head = format!("XSym\n{length}\n{}\n{target}\n", "0123456789abcdef".repeat(2));
        format!("{head:1067}").into_bytes()
    };
    assert_eq!(twin::target_in_file(&file("0006", "a/b c ")).as_deref(), Some(&b"a/b c "[..]));
    assert_eq!(twin::target_in_file(&file("0007", "a/b c ")), None);
    assert_eq!(twin::target_in_file(&[&file("0001", "a")[..], b" "].concat()), None);
}
