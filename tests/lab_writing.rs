//! The real servers let clients write as far as [`Allows`] says: curl bears witness, so that a test of ftpfs can rely on it.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use support::lab::Software::{self, ProFtpd, PureFtpd, Pyftpdlib, Vsftpd};
use support::lab::disk::SmallDisk;
use support::lab::{Allows, Lab, Options};
use support::mount::is_mounted;
use support::process::{PROGRAM_LIMIT, command, run, with_deadline};

const ALL: [Software; 4] = [Vsftpd, ProFtpd, PureFtpd, Pyftpdlib];

fn each(name: &'static str, servers: &'static [Software], body: fn(Software)) {
    with_deadline(Duration::from_secs(120), name, move || servers.iter().copied().for_each(body));
}

/// A server that serves `file`, ten bytes, made in 2001.
fn serve(software: Software, allows: Allows) -> Lab {
    let lab = Lab::start(software, &Options { allows, ..Options::default() });
    fs::write(lab.dir().join("file"), "0123456789").expect("the folder is empty");
    support::tree::set_mtime(&lab.dir().join("file"), 1_000_000_000);
    lab.hand_over(&lab.dir());
    lab
}

/// Whether the server takes commands, and then an upload of `local` where there is one.
fn takes(lab: &Lab, commands: &[&str], local: Option<(&str, &[&str])>) -> bool {
    let source: PathBuf = lab.folder().join("source");
    fs::write(&source, "abc").expect("the folder is ours");
    let mut words: Vec<String> = ["-sS", "--max-time", "30"].map(str::to_owned).to_vec();
    // The path of the URL is changed to the login directory, so names are relative.
    commands.iter().for_each(|line| words.extend(["-Q".to_owned(), (*line).to_owned()]));
    let mut path = "";
    if let Some((name, options)) = local {
        path = name;
        words.extend(["-T".to_owned(), source.display().to_string()]);
        words.extend(options.iter().map(ToString::to_string));
    }
    words.push(lab.url(path));
    run(&mut command("curl", words), PROGRAM_LIMIT).status.success()
}

fn file(lab: &Lab) -> String {
    fs::read_to_string(lab.dir().join("file")).expect("it is there")
}

fn set_time(software: Software) -> &'static str {
    if software == Vsftpd { "MDTM 20111213141516 file" } else { "MFMT 20111213141516 file" }
}

#[test]
fn everything_by_itself() {
    each("everything_by_itself", &ALL, |software| {
        let lab = serve(software, Allows::default());
        assert!(takes(&lab, &[], Some(("new", &[]))), "{software:?}");
        assert!(takes(&lab, &[], Some(("file", &["-a"]))) && file(&lab) == "0123456789abc", "{software:?}");
        assert!(takes(&lab, &[], Some(("file", &[]))) && file(&lab) == "abc", "{software:?}");
        let changes =
            ["SITE CHMOD 600 file", set_time(software), "MKD d", "RNFR new", "RNTO file", "DELE file", "RMD d"];
        for (n, line) in changes.iter().enumerate().filter(|(n, _)| *n != 3) {
            let lines = if n == 4 { &changes[3..5] } else { &changes[n..=n] };
            assert!(takes(&lab, lines, None), "{software:?}: {line}");
        }
    });
}

#[test]
fn nothing_can_be_changed() {
    each("nothing_can_be_changed", &[Vsftpd, ProFtpd, Pyftpdlib], |software| {
        let lab = serve(software, Allows { writing: false, ..Allows::default() });
        assert!(!takes(&lab, &[], Some(("new", &[]))), "{software:?}");
        for lines in [&["DELE file"][..], &["MKD d"], &["RNFR file", "RNTO f"], &["SITE CHMOD 600 file"]] {
            assert!(!takes(&lab, lines, None), "{software:?}: {lines:?}");
        }
        assert_eq!(file(&lab), "0123456789");
    });
}

#[test]
fn nothing_can_be_overwritten() {
    each("nothing_can_be_overwritten", &[ProFtpd], |software| {
        let lab = serve(software, Allows { overwriting: false, ..Allows::default() });
        assert!(takes(&lab, &[], Some(("new", &[]))));
        assert!(!takes(&lab, &[], Some(("file", &[]))) && !takes(&lab, &["RNFR new", "RNTO file"], None));
        assert_eq!(file(&lab), "0123456789");
        assert!(takes(&lab, &["DELE file", "RNFR new", "RNTO file"], None));
    });
}

#[test]
fn nothing_can_be_appended() {
    each("nothing_can_be_appended", &[ProFtpd, Pyftpdlib], |software| {
        let lab = serve(software, Allows { appending: false, ..Allows::default() });
        assert!(!takes(&lab, &[], Some(("file", &["-a"]))), "{software:?}");
        assert_eq!(file(&lab), "0123456789", "{software:?}");
        assert!(takes(&lab, &[], Some(("file", &[]))), "{software:?}");
    });
}

#[test]
fn times_cannot_be_set() {
    each("times_cannot_be_set", &[Vsftpd, ProFtpd, Pyftpdlib], |software| {
        let lab = serve(software, Allows { times: false, ..Allows::default() });
        assert!(!takes(&lab, &[set_time(software)], None), "{software:?}");
        assert_eq!(fs::metadata(lab.dir().join("file")).expect("it is there").mtime(), 1_000_000_000);
        assert!(takes(&lab, &["SITE CHMOD 600 file"], Some(("file", &[]))), "{software:?}");
    });
}

#[test]
fn modes_cannot_be_set() {
    each("modes_cannot_be_set", &ALL, |software| {
        let lab = serve(software, Allows { modes: false, ..Allows::default() });
        assert!(!takes(&lab, &["SITE CHMOD 600 file"], None), "{software:?}");
        assert_eq!(fs::metadata(lab.dir().join("file")).expect("it is there").mode() & 0o777, 0o644);
        assert!(takes(&lab, &[set_time(software)], Some(("file", &[]))), "{software:?}");
    });
}

#[test]
fn site_commands() {
    each("site_commands", &[ProFtpd], |software| {
        let lab = serve(software, Allows { site_commands: true, ..Allows::default() });
        assert!(takes(&lab, &["SITE SYMLINK file link", "SITE CPFR file", "SITE CPTO copy"], None));
        assert!(fs::symlink_metadata(lab.dir().join("link")).expect("it is there").is_symlink());
        assert!(lab.dir().join("copy").is_file());
        assert!(!takes(&serve(software, Allows::default()), &["SITE SYMLINK file link"], None));
    });
}

#[test]
fn a_disk_that_is_full_soon() {
    each("a_disk_that_is_full_soon", &ALL, |software| {
        let lab = Lab::start(software, &Options { disk: Some(64 << 10), ..Options::default() });
        let dir = lab.dir();
        assert!(is_mounted(&dir), "{software:?}");
        assert!(takes(&lab, &[], Some(("small", &[]))), "{software:?}");
        fs::write(dir.join("ballast"), [1; 60 << 10]).expect("there is room for that");
        assert!(!takes(&lab, &[], Some(("more", &["--max-time", "5"]))), "{software:?}");
        fs::remove_file(dir.join("ballast")).expect("it is there");
        assert!(takes(&lab, &[], Some(("more", &[]))), "{software:?}");
        drop(lab);
        assert!(!is_mounted(&dir) && !dir.exists(), "{software:?}");
    });
    // And by itself.
    let folder = tempfile::tempdir().expect("a temporary folder");
    drop(SmallDisk::mount(folder.path(), 1 << 20));
    assert!(!is_mounted(folder.path()));
}
