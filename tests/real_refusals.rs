//! What a server refuses reaches the program as the right error of the right call, and harms nothing else: full disks,
//! directories and servers that cannot be written, names that the server does not take.
//!
//! They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::bench::{OWN_NAMES, in_shell};
use support::lab::disk::SmallDisk;
use support::lab::{Allows, Lab, Options, Software, Tls};
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, report, run, wait_until, with_deadline};
use support::themes::Setup;
use support::{tree, twin};

const MIB: u64 = 1 << 20;
/// A hang, nothing else.
const LIMIT: Duration = Duration::from_secs(300);

/// A mount of a server, and what the server holds.
struct Scene {
    mount: Option<Mount>,
    lab: Option<Lab>,
    small: Option<SmallDisk>,
    disk: PathBuf,
    dir: PathBuf,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(setup: &Setup, fill: impl FnOnce(&Path)) -> Self {
        let lab = setup.serve(fill);
        let mount = setup.mount(&lab, "");
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { dir: mount.path(), disk: lab.dir(), mount: Some(mount), lab: Some(lab), small: None, folder }
    }

    /// A plain directory on a disk of its own.
    fn plain(bytes: u64, fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("disk");
        fs::create_dir(&dir).expect("the folder is empty");
        let small = SmallDisk::mount(&dir, bytes);
        fill(&dir);
        Self { mount: None, lab: None, small: Some(small), disk: dir.clone(), dir, folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Runs a shell command that must fail, and says so with one of the errors.
    #[track_caller]
    fn fails(&self, script: &str, errors: &[i32]) {
        let mut command = in_shell(&self.dir, self.folder.path(), script);
        let output = run(&mut command, PROGRAM_LIMIT);
        let said = String::from_utf8_lossy(&output.stderr);
        // As strerror(3) puts it.
        let text = |&error: &i32| io::Error::from_raw_os_error(error).to_string();
        let known = errors.iter().any(|error| said.contains(text(error).split(" (os").next().expect("a text")));
        assert!(!output.status.success() && known, "{errors:?}: {}", report(&command, &output));
    }

    #[track_caller]
    fn works(&self, script: &str) {
        let mut command = in_shell(&self.dir, self.folder.path(), script);
        let output = run(&mut command, PROGRAM_LIMIT);
        assert!(output.status.success(), "{}", report(&command, &output));
    }

    #[track_caller]
    fn holds(&self, name: &str, like: &Path) {
        let difference = tree::first_difference(&self.disk.join(name), like);
        assert_eq!(difference.expect("both can be read"), None, "{name} on the server");
    }

    fn finish(self) {
        let left = twin::named_like(&self.disk, OWN_NAMES);
        if let Some(mount) = self.mount {
            mount.unmount();
        }
        assert!(left.is_empty(), "left on the server: {left:?}");
        drop((self.lab, self.small));
    }
}

#[track_caller]
fn refused<T>(outcome: io::Result<T>, errors: &[i32]) {
    let error = outcome.err().expect("it is refused");
    assert!(error.raw_os_error().is_some_and(|number| errors.contains(&number)), "{errors:?}: {error}");
}

/// The first error of writing `bytes` to a new file in pieces, of fsync at the latest.
fn fill_up(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let piece = vec![7; 100_000];
    for _ in 0..bytes.div_ceil(piece.len() as u64) {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

/// A disk with three MiB left, one file that matters and one that can go.
fn full_disk(scene: &Scene, errors: &[i32]) {
    let material = scene.folder.path();
    tree::file(&material.join("old"), MIB);
    tree::file(&material.join("big"), 4 * MIB);
    tree::file(&material.join("small"), 200_000);
    scene.fails("cp $M/big new", errors);
    scene.works("rm -f new");
    scene.fails("dd if=$M/big of=new bs=64k conv=fsync", errors);
    scene.works("rm -f new");
    refused(fill_up(&scene.at("new"), 4 * MIB), errors);
    scene.works("rm -f new; cat old | cmp - $M/old");
    scene.holds("old", &material.join("old"));
    // Nothing of what failed is in the way.
    scene.works("cp $M/small small");
    scene.holds("small", &material.join("small"));
    // And with room it works.
    scene.works("rm ballast; cp $M/big new; rm small; cmp new $M/big");
    scene.holds("new", &material.join("big"));
    scene.holds("old", &material.join("old"));
    assert_eq!(tree::paths(&scene.disk), ["new", "old"]);
}

/// A file that is written anew where there is no room for that keeps what it had.
fn full_disk_over_old(scene: &Scene, errors: &[i32]) {
    let material = scene.folder.path();
    tree::file(&material.join("old"), MIB);
    tree::file(&material.join("big"), 4 * MIB);
    scene.fails("cp $M/big old", errors);
    scene.holds("old", &material.join("old"));
    // An append may have gone as far as there was room; never less than before.
    scene.fails("cat $M/big >> old", errors);
    let held = fs::read(scene.disk.join("old")).expect("it is there");
    assert!(held.starts_with(&fs::read(material.join("old")).expect("ours")), "{} bytes", held.len());
    // The new copy needs room beside the old one.
    scene.works("rm ballast; truncate -s 1M old; cmp old $M/old; cp $M/big old");
    scene.holds("old", &material.join("big"));
}

fn nearly_full(dir: &Path) {
    tree::file(&dir.join("old"), MIB);
    tree::file(&dir.join("ballast"), 2 * MIB);
}

const SMALL: u64 = 6 * MIB;

/// How long a hang is told from a slow end by.
const WRITTEN_OFF: Duration = Duration::from_secs(30);

/// Who says that the disk is full. vsftpd: `451 Failure writing to local file.`; ProFTPD: 452, or `451 Transfer aborted.
/// Input/output error`; Pure-FTPd: `451 Error during write to file`; pyftpdlib: `426 None; transfer aborted.`, or nothing
/// at all.
fn full(software: Software) -> &'static [i32] {
    match software {
        Software::ProFtpd | Software::PureFtpd | Software::Vsftpd => &[libc::ENOSPC, libc::EIO],
        Software::Pyftpdlib => &[libc::ENOSPC, libc::EIO, libc::ETIMEDOUT],
    }
}

fn on_small_disk(setup: &Setup) -> Setup {
    // pyftpdlib may say nothing: then it is the time limit that ends the transfer.
    let arguments = if setup.software == Software::Pyftpdlib { &["-o", "timeout=5s"][..] } else { &[] };
    Setup { options: Options { disk: Some(SMALL), ..setup.options.clone() }, arguments, ..setup.clone() }
}

/// Its owner may read and enter it, nobody may change it.
fn read_only_directory(setup: &Setup) {
    let scene = Scene::new(setup, |dir| {
        fs::create_dir_all(dir.join("fixed/sub")).expect("a new tree");
        fs::write(dir.join("fixed/file"), "old").expect("a new file");
        fs::write(dir.join("free"), "free").expect("a new file");
        fs::set_permissions(dir.join("fixed"), fs::Permissions::from_mode(0o555)).expect("it is ours");
    });
    let denied = &[libc::EACCES];
    refused(File::create_new(scene.at("fixed/new")), denied);
    refused(OpenOptions::new().append(true).create(true).open(scene.at("fixed/new")), denied);
    refused(fs::create_dir(scene.at("fixed/dir")), denied);
    refused(fs::remove_file(scene.at("fixed/file")), denied);
    refused(fs::remove_dir(scene.at("fixed/sub")), denied);
    refused(fs::rename(scene.at("fixed/file"), scene.at("fixed/other")), denied);
    refused(fs::rename(scene.at("fixed/file"), scene.at("moved")), denied);
    refused(fs::rename(scene.at("free"), scene.at("fixed/free")), denied);
    assert_eq!(tree::paths(&scene.disk), ["fixed", "fixed/file", "fixed/sub", "free"]);
    assert_eq!(tree::paths(&scene.dir), ["fixed", "fixed/file", "fixed/sub", "free"]);
    // The file is not the directory: it can be written, although there is no room for a temporary name.
    fs::write(scene.at("fixed/file"), "something new").expect("the file can be written");
    assert_eq!(fs::read(scene.disk.join("fixed/file")).expect("it is there"), b"something new");
    fs::write(scene.at("fixed/sub/new"), "below").expect("so can the directory below");
    assert_eq!(fs::read(scene.disk.join("fixed/sub/new")).expect("it is there"), b"below");
    // For removing the folder.
    fs::set_permissions(scene.disk.join("fixed"), fs::Permissions::from_mode(0o755)).expect("root may");
    scene.finish();
}

/// No change at all is allowed.
fn read_only_server(setup: &Setup) {
    let allows = Allows { writing: false, ..Allows::default() };
    let setup = Setup { options: Options { allows, ..setup.options.clone() }, ..setup.clone() };
    let scene = Scene::new(&setup, |dir| {
        fs::create_dir(dir.join("dir")).expect("a new directory");
        fs::write(dir.join("file"), "old").expect("a new file");
    });
    let denied = &[libc::EACCES, libc::EPERM, libc::EROFS];
    refused(File::create_new(scene.at("new")), denied);
    refused(fs::create_dir(scene.at("new")), denied);
    refused(fs::remove_file(scene.at("file")), denied);
    refused(fs::remove_dir(scene.at("dir")), denied);
    refused(fs::rename(scene.at("file"), scene.at("other")), denied);
    let written = OpenOptions::new().write(true).truncate(true).open(scene.at("file")).and_then(|mut file| {
        file.write_all(b"new")?;
        file.sync_all()
    });
    refused(written, denied);
    assert_eq!(fs::read(scene.disk.join("file")).expect("it is there"), b"old");
    assert_eq!(tree::paths(&scene.disk), ["dir", "file"]);
    assert_eq!(tree::paths(&scene.dir), ["dir", "file"]);
    // What was written is kept elsewhere once the last close has failed, which nobody waits for.
    let old = || (fs::read(scene.at("file")).ok()? == b"old").then_some(());
    wait_until("the old content", WRITTEN_OFF, old);
    scene.finish();
}

/// Names that the server does not take, or would store as others.
fn names(setup: &Setup) {
    let scene = Scene::new(setup, |dir| fs::write(dir.join("file"), "file").expect("a new file"));
    let long = "n".repeat(256);
    let mut bad: Vec<(&str, &[i32])> = vec![
        ("two\nlines", &[libc::EINVAL, libc::EILSEQ]),
        ("carriage\rreturn", &[libc::EINVAL, libc::EILSEQ]),
        (&long, &[libc::ENAMETOOLONG]),
    ];
    if setup.software == Software::PureFtpd {
        bad.extend([tree::BACKSLASH, "trailing blank ", "tab\there"].map(|name| (name, &[libc::EINVAL][..])));
    }
    for (name, errors) in bad {
        refused(File::create_new(scene.at(name)), errors);
        refused(fs::create_dir(scene.at(name)), errors);
        refused(fs::rename(scene.at("file"), scene.at(name)), errors);
        assert!(fs::symlink_metadata(scene.at(name)).is_err(), "{name:?}");
    }
    assert_eq!(tree::paths(&scene.disk), ["file"]);
    assert_eq!(tree::paths(&scene.dir), ["file"]);
    scene.finish();
}

/// Two sides of one mount: a program that is refused does not stop the one beside it.
fn beside_others(scene: &Scene, errors: &[i32]) {
    let material = scene.folder.path();
    tree::file(&material.join("big"), 4 * MIB);
    tree::file(&material.join("small"), 100_000);
    let mut failing = in_shell(&scene.dir, material, "cp $M/big new");
    let child = failing.stderr(std::process::Stdio::piped()).spawn().expect("a shell");
    scene.works("for i in 1 2 3; do cat old > /dev/null; done");
    let output = child.wait_with_output().expect("it is ours");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let texts = errors.iter().map(|&error| io::Error::from_raw_os_error(error).to_string());
    assert!(!output.status.success(), "{said}");
    assert!(texts.into_iter().any(|text| said.contains(text.split(" (os").next().expect("a text"))), "{said}");
    scene.works("rm -f new; cp $M/small small; cmp small $M/small");
    scene.holds("small", &material.join("small"));
}

macro_rules! refusals {
    ($($module:ident: $setup:expr => [$($test:ident),*];)*) => { $(
        mod $module {
            use super::*;

            #[test]
            fn full_disk() {
                with_small_disk(concat!(module_path!(), "::full_disk"), $setup, super::full_disk);
            }

            #[test]
            fn full_disk_over_old() {
                with_small_disk(concat!(module_path!(), "::full_disk_over_old"), $setup, super::full_disk_over_old);
            }

            #[test]
            fn full_disk_beside_others() {
                with_small_disk(concat!(module_path!(), "::full_disk_beside_others"), $setup, super::beside_others);
            }

            $(
                #[test]
                fn $test() {
                    with_deadline(LIMIT, concat!(module_path!(), "::", stringify!($test)), || super::$test(&$setup));
                }
            )*
        }
    )* };
}

fn with_small_disk(name: &'static str, setup: Setup, body: fn(&Scene, &[i32])) {
    with_deadline(LIMIT, name, move || {
        let scene = Scene::new(&on_small_disk(&setup), nearly_full);
        body(&scene, full(setup.software));
        scene.finish();
    });
}

fn tls(software: Software) -> Setup {
    Setup { options: Options { tls: Tls::Required, ..Options::default() }, ..Setup::plain(software) }
}

refusals! {
    vsftpd: Setup::plain(Software::Vsftpd) => [read_only_directory, read_only_server, names];
    proftpd: Setup::plain(Software::ProFtpd) => [read_only_directory, read_only_server, names];
    // No setting makes Pure-FTPd refuse everything.
    pure_ftpd: Setup::plain(Software::PureFtpd) => [read_only_directory, names];
    pyftpdlib: Setup::plain(Software::Pyftpdlib) => [read_only_directory, read_only_server, names];
    tls_vsftpd: tls(Software::Vsftpd) => [read_only_directory];
    tls_proftpd: tls(Software::ProFtpd) => [read_only_directory];
    tls_pure_ftpd: tls(Software::PureFtpd) => [read_only_directory];
    tls_pyftpdlib: tls(Software::Pyftpdlib) => [read_only_directory];
}

/// The measure itself: what a plain directory on a small disk does. Writing over a file in place loses it there.
#[test]
fn full_disk_in_a_plain_directory() {
    with_deadline(LIMIT, "full_disk_in_a_plain_directory", || {
        for body in [full_disk as fn(&Scene, &[i32]), beside_others] {
            let scene = Scene::plain(SMALL, nearly_full);
            body(&scene, &[libc::ENOSPC]);
            scene.finish();
        }
    });
}
