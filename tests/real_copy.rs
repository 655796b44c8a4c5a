//! Copies within a mount on real servers: who makes them, and that they are the same whoever does.
//!
//! A server at 127.0.0.2 sees its clients at 127.0.0.1, and its own address is a foreign one for it.

mod support;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::lab::{Allows, Lab, Options, Software, Tls};
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, stdout_of, with_deadline};
use support::scene::pattern;
use support::themes::Setup;

/// A hang, nothing else.
const LIMIT: Duration = Duration::from_secs(180);

const SIZE: u64 = (20 << 20) + 123;

/// What has carried the bytes of the copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Site,
    Itself,
    Here,
}

const ALL: [Software; 4] = [Software::Vsftpd, Software::ProFtpd, Software::PureFtpd, Software::Pyftpdlib];

fn cp(mount: &Mount, arguments: &[&str]) {
    stdout_of(Command::new("cp").args(arguments).current_dir(mount.path()), PROGRAM_LIMIT);
}

fn is_same(lab: &Lab, mount: &Mount, name: &str) {
    let wanted = pattern(9, SIZE);
    assert!(fs::read(lab.dir().join(name)).expect("the server has it") == wanted, "{name}\n{}", mount.log());
    assert!(fs::read(mount.path().join(name)).expect("the mount has it") == wanted, "{name}\n{}", mount.log());
}

/// How often a line of the log has `what` in it.
fn said(mount: &Mount, what: &str) -> usize {
    mount.log().lines().filter(|line| line.contains(what)).count()
}

fn copies(software: Software, options: Options, arguments: &'static [&'static str], by: By) {
    let setup = Setup { software, options, arguments };
    let name = format!("{setup:?}");
    with_deadline(LIMIT, &name, move || {
        let fill = |dir: &Path| {
            fs::write(dir.join("source"), pattern(9, SIZE)).expect("there is room");
            fs::write(dir.join("old"), "what was there").expect("there is room");
        };
        let lab = setup.serve(fill);
        let mount = setup.mount(&lab, "");
        for name in ["new", "with blank", "-dash", "old"] {
            cp(&mount, &["--", "source", name]);
        }
        cp(&mount, &["-p", "source", "kept"]);
        let (ports, copied, read, sent) = (
            said(&mount, "> PORT") + said(&mount, "> EPRT"),
            said(&mount, "< 250 Copy successful"),
            said(&mount, "> RETR"),
            said(&mount, "200 PORT"),
        );
        let told = mount.log();
        match by {
            By::Site => assert_eq!((copied, read, ports), (5, 0, 0), "{told}"),
            // Whatever is fetched needs no PORT: each of these is one end of a copy.
            By::Itself => assert_eq!((ports, read), (5, 5), "{sent} {told}"),
            By::Here => assert!(copied == 0 && ports <= 1 && read >= 1, "{told}"),
        }
        for name in ["new", "with blank", "-dash", "old", "kept"] {
            is_same(&lab, &mount, name);
        }
        let modified = |name: &str| fs::metadata(lab.dir().join(name)).expect("it is there").modified().expect("known");
        let log = mount.unmount();
        assert!(
            modified("kept").duration_since(modified("source")).is_ok_and(|it| it < Duration::from_secs(1))
                || modified("source").duration_since(modified("kept")).is_ok_and(|it| it < Duration::from_secs(1)),
            "{log}"
        );
        let left: Vec<_> =
            fs::read_dir(lab.dir()).expect("it is ours").map(|it| it.expect("a name").file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".ftpfs")), "{left:?}");
    });
}

/// Who makes the copies where the server could send to itself: pyftpdlib is not asked to.
fn itself(software: Software) -> By {
    if software == Software::Pyftpdlib { By::Here } else { By::Itself }
}

fn afar(foreign_data: bool) -> Options {
    let allows = Allows { foreign_data, ..Allows::default() };
    Options { addr: Ipv4Addr::new(127, 0, 0, 2).into(), allows, ..Options::default() }
}

#[test]
fn proftpd_copies_by_itself() {
    let with = |allows| Options { allows: Allows { site_commands: true, ..allows }, ..Options::default() };
    copies(Software::ProFtpd, with(Allows::default()), &[], By::Site);
    copies(Software::ProFtpd, with(Allows::default()), &["-o", "writeback"], By::Site);
    copies(Software::ProFtpd, Options { tls: Tls::Required, ..with(Allows::default()) }, &[], By::Site);
}

/// It copies onto nothing that is there, not even onto an empty file of ours.
#[test]
fn proftpd_without_overwriting_copies_beside() {
    let allows = Allows { site_commands: true, overwriting: false, ..Allows::default() };
    copies(Software::ProFtpd, Options { allows, ..Options::default() }, &[], By::Site);
}

#[test]
fn servers_that_allow_it_send_to_themselves() {
    for software in ALL {
        copies(software, afar(true), &[], itself(software));
    }
}

#[test]
fn servers_at_our_own_address_send_to_themselves() {
    for software in ALL {
        let by = itself(software);
        copies(software, Options::default(), &[], by);
        copies(software, Options { addr: std::net::Ipv6Addr::LOCALHOST.into(), ..Options::default() }, &[], by);
    }
}

#[test]
fn what_a_server_does_not_allow_comes_by_here() {
    for software in ALL {
        copies(software, afar(false), &[], By::Here);
    }
}

#[test]
fn what_is_private_does_not_leave_the_server_in_the_clear() {
    for software in ALL {
        copies(software, Options { tls: Tls::Required, ..Options::default() }, &[], By::Here);
    }
}

#[test]
fn with_few_connections_it_comes_by_here() {
    for software in ALL {
        copies(software, Options::default(), &["--max-connections", "2"], By::Here);
    }
}
