//! Everyday programs on a mount of each real server: what they read is what the server's disk holds.
//!
//! One module per server, one test per theme. The themes are in `support::programs` and below the table, written once for
//! all servers; what a server cannot tell is in [`Software`]'s expectations. They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use support::lab::{Lab, Options, Software};
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, report, run, stdout_of, with_deadline};
use support::programs::{self, Scene};
use support::tree::{self, Links, What};

macro_rules! on_each_server {
    ($($module:ident: $software:ident,)*) => { $(
        mod $module {
            use super::*;

            on_each_server!(@programs $software: walking, copying, searching, checksums, parallel_readers,
                random_reads, ten_thousand_entries);
            on_each_server!(@themes $software: beyond_four_gib, odd_names, symbolic_links, subdirectory,
                few_connections, ipv6);
        }
    )* };
    (@programs $software:ident: $($theme:ident),*) => { $(
        #[test]
        fn $theme() {
            let name = concat!(module_path!(), "::", stringify!($theme));
            with_deadline(THEME_LIMIT, name, || programs::$theme(&|fill| scene(Software::$software, fill)));
        }
    )* };
    (@themes $software:ident: $($theme:ident),*) => { $(
        #[test]
        fn $theme() {
            let name = concat!(module_path!(), "::", stringify!($theme));
            with_deadline(THEME_LIMIT, name, || super::$theme(Software::$software));
        }
    )* };
}

on_each_server! {
    vsftpd: Vsftpd,
    proftpd: ProFtpd,
    pure_ftpd: PureFtpd,
    pyftpdlib: Pyftpdlib,
}

/// Generous: it tells a hang from slowness, nothing else.
const THEME_LIMIT: Duration = Duration::from_secs(400);

impl Software {
    /// What the server lets a client know, content included.
    fn tells(self) -> What {
        let links = match self {
            Self::Vsftpd => Links::Known,
            Self::ProFtpd | Self::PureFtpd => Links::Vague,
            Self::Pyftpdlib => Links::Followed,
        };
        // LIST shows an old directory's day only, and MDTM refuses directories.
        What { content: true, dir_times: self != Self::Vsftpd, modes: true, links }
    }
}

/// Offsets that need more than 31 and 32 bits.
fn beyond_four_gib(software: Software) {
    const SIZE: u64 = (4 << 30) + (1 << 20) + 13;
    const PLACES: [u64; 6] = [0, (2 << 30) - (64 << 10), 2 << 30, (4 << 30) - (64 << 10), 4 << 30, SIZE - 13 - 4096];
    let (lab, mount) = mounted(software, |dir| tree::sparse(&dir.join("sparse"), SIZE, &PLACES));
    let (disk, shown) = (lab.dir().join("sparse"), mount.path().join("sparse"));
    let disk_file = programs::open(&disk);
    programs::far_places(&shown, SIZE, &|at, length| programs::range(&disk_file, at, length));
    // Once from end to end; the other servers only differ in how they jump.
    if software == Software::Vsftpd {
        stdout_of(Command::new("cmp").args([disk, shown]), THEME_LIMIT);
    }
    mount.unmount();
}

/// Names that other clients trip over, with one more for the servers that serve it.
fn odd_names(software: Software) {
    programs::odd_names(&|fill| {
        scene(software, &|dir| {
            fill(dir);
            if software != Software::PureFtpd {
                fs::write(dir.join(tree::BACKSLASH), "backslash").expect("a new file");
            }
        })
    });
}

/// Symbolic links, as far as the server tells.
fn symbolic_links(software: Software) {
    let (lab, mount) = mounted(software, tree::links);
    tree::compare(&lab.dir(), &mount.path(), software.tells());
    mount.unmount();
}

/// A mount of a directory below the login directory, with escapes in its URL.
fn subdirectory(software: Software) {
    let (lab, _) = served(software, &Options::default(), |dir| {
        fs::create_dir(dir.join("a b#%41")).expect("a new directory");
        tree::everyday(&dir.join("a b#%41"));
    });
    for path in ["a%20b%23%2541", "/a%20b%23%2541/", "a%20b%23%2541/docs/deep"] {
        let mount = Mount::new(&lab.url(path), &[]);
        let disk = lab.dir().join("a b#%41");
        let disk = if path.ends_with("deep") { disk.join("docs/deep") } else { disk };
        tree::compare(&disk, &mount.path(), software.tells());
        mount.unmount();
    }
}

/// A server that admits two sessions, and a mount that would like eight.
fn few_connections(software: Software) {
    let files: Vec<String> = (0..8).map(|n| format!("file {n}")).collect();
    let options = Options { max_clients: 2, ..Options::default() };
    let (lab, _) = served(software, &options, |dir| files.iter().for_each(|f| tree::file(&dir.join(f), 3 << 20)));
    let mount = Mount::new(&lab.url(""), &["--max-connections", "8"]);
    thread::scope(|readers| {
        for name in &files {
            let (disk, shown) = (lab.dir().join(name), mount.path().join(name));
            readers.spawn(move || {
                let difference = tree::first_difference(&disk, &shown).expect("both can be read");
                assert_eq!(difference, None, "{name} differs");
            });
        }
    });
    tree::compare(&lab.dir(), &mount.path(), What { content: false, ..software.tells() });
    mount.unmount();
}

/// The same over IPv6, where `PASV` cannot help.
fn ipv6(software: Software) {
    let options = Options { addr: Ipv6Addr::LOCALHOST.into(), ..Options::default() };
    let (lab, _) = served(software, &options, tree::everyday);
    let mount = Mount::new(&lab.url(""), &[]);
    tree::compare(&lab.dir(), &mount.path(), software.tells());
    mount.unmount();
}

/// Someone who is not root mounts, reads and unmounts; nobody else gets in, not even root.
#[test]
fn ordinary_user() {
    with_deadline(THEME_LIMIT, "ordinary_user", || {
        let (lab, _) = served(Software::Vsftpd, &Options::default(), tree::everyday);
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

/// The same for the themes that are everybody's.
fn scene(software: Software, fill: &dyn Fn(&Path)) -> Scene {
    let (lab, mount) = mounted(software, fill);
    Scene { mount, disk: lab.dir(), tells: software.tells(), url: lab.url(""), server: Box::new(lab) }
}

/// A server with what `fill` makes on its disk, and a mount of it.
fn mounted(software: Software, fill: impl FnOnce(&Path)) -> (Lab, Mount) {
    let (lab, url) = served(software, &Options::default(), fill);
    (lab, Mount::new(&url, &[]))
}

/// A server with what `fill` makes on its disk, and its URL.
fn served(software: Software, options: &Options, fill: impl FnOnce(&Path)) -> (Lab, String) {
    let lab = Lab::start(software, options);
    fill(&lab.dir());
    lab.hand_over(&lab.dir());
    let url = lab.url("");
    (lab, url)
}
