//! Everyday programs on a mount of each real server: what they read is what the server's disk holds.
//!
//! One module per server, one test per theme of `support::themes`. They need root, `/dev/fuse` and what `scripts/setup`
//! installs.

mod support;

use std::fs;
use std::io;
use std::time::Duration;

use support::lab::Software;
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, report, run, stdout_of, with_deadline};
use support::themes::Setup;
use support::tree;

macro_rules! on_each_server {
    ($($module:ident: $software:ident,)*) => {
        themes! { $(
            $module: Setup::plain(Software::$software) => [
                walking, copying, searching, checksums, parallel_readers, random_reads, ten_thousand_entries,
                beyond_four_gib, odd_names, symbolic_links, subdirectory, few_connections, ipv6,
            ];
        )* }
    };
}

on_each_server! {
    vsftpd: Vsftpd,
    proftpd: ProFtpd,
    pure_ftpd: PureFtpd,
    pyftpdlib: Pyftpdlib,
}

/// Someone who is not root mounts, reads and unmounts; nobody else gets in, not even root.
#[test]
fn ordinary_user() {
    with_deadline(Duration::from_secs(400), "ordinary_user", || {
        let lab = Setup::plain(Software::Vsftpd).serve(tree::everyday);
        let mount = Mount::as_nobody(&lab.url(""), &[]);
        let readme = mount.path().join("README");
        let seen = stdout_of(Mount::nobody("cat").arg(&readme), PROGRAM_LIMIT);
        assert_eq!(seen, fs::read(lab.dir().join("README")).expect("the truth"));
        let root = fs::read(&readme).expect_err("root is somebody else");
        assert_eq!(root.kind(), io::ErrorKind::PermissionDenied);
        let mut unmount = Mount::nobody("fusermount3");
        unmount.arg("-u").arg(mount.path());
        let output = run(&mut unmount, PROGRAM_LIMIT);
        assert!(output.status.success(), "{}", report(&unmount, &output));
        mount.ended();
    });
}
