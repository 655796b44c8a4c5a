//! Names and times of real servers as they look on the wire: code pages, long paths, time zones.
//!
//! They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use support::lab::{Lab, Options, Software};
use support::mount::Mount;
use support::process::{stdout_of, with_deadline};

macro_rules! on_each_server {
    ($($module:ident: $software:ident,)*) => { $(
        mod $module {
            use super::*;

            on_each_server!(@themes $software: latin1_names, long_paths, paths_beyond_the_system, zones);
        }
    )* };
    (@themes $software:ident: $($theme:ident),*) => { $(
        #[test]
        fn $theme() {
            let name = concat!(module_path!(), "::", stringify!($theme));
            with_deadline(LIMIT, name, || super::$theme(Software::$software));
        }
    )* };
}

on_each_server! {
    vsftpd: Vsftpd,
    proftpd: ProFtpd,
    pure_ftpd: PureFtpd,
    pyftpdlib: Pyftpdlib,
}

/// A hang, nothing else.
const LIMIT: Duration = Duration::from_secs(120);

fn bytes(dir: &Path, name: &[u8]) -> PathBuf {
    dir.join(OsStr::from_bytes(name))
}

/// Names that an old client has left behind; 0xFF is a word of Telnet, which some servers look for.
fn latin1_names(software: Software) {
    // pyftpdlib shows a question mark in place of each byte that is no UTF-8, and knows no such file then.
    let replaces = software == Software::Pyftpdlib;
    let (latin1, text): (&[&[u8]], &[&str]) = match software {
        Software::Pyftpdlib => (&[b"plain", b"real?"], &["plain", "real?"]),
        _ => (&[b"caf\xe9", b"\xfcb\xff\xff.\xff", b"plain"], &["café", "übÿÿ.ÿ", "plain"]),
    };
    let lab = Lab::start(software, &Options::default());
    for name in latin1 {
        fs::create_dir(bytes(&lab.dir(), name)).expect("a new directory");
        fs::write(bytes(&bytes(&lab.dir(), name), name), name).expect("a new file");
    }
    if replaces {
        fs::write(bytes(&lab.dir(), b"caf\xe9"), "lost").expect("a new file");
        fs::create_dir(bytes(&lab.dir(), b"\xfcber")).expect("a new directory");
    }
    lab.hand_over(&lab.dir());
    for options in [&[][..], &["--disable-mlsd"]] {
        let mount = Mount::new(&lab.url(""), options);
        assert_eq!(fs::read_dir(mount.path()).expect("it can be listed").count(), text.len());
        assert_eq!(mount.log().contains("left out a line of the listing"), replaces);
        for name in latin1 {
            let file = bytes(&bytes(&mount.path(), name), name);
            assert_eq!(fs::read(file).expect("it can be read"), *name, "{}", name.escape_ascii());
        }
        mount.unmount();
        let options: Vec<_> = options.iter().copied().chain(["-o", "codepage=latin1"]).collect();
        let mount = Mount::new(&lab.url(""), &options);
        for (name, text) in latin1.iter().zip(text) {
            assert_eq!(fs::read(mount.path().join(text).join(text)).expect("it can be read"), *name, "{text}");
        }
        assert_eq!(fs::read_dir(mount.path()).expect("it can be listed").count(), text.len());
        mount.unmount();
    }
}

/// Paths of some 3,500 bytes with names that mean something else where no directory stands before them.
fn long_paths(software: Software) {
    let lab = Lab::start(software, &Options::default());
    // Step by step: the system takes no path that is much longer than what is above it in the tree.
    let dir: PathBuf = (0..15).map(|i| format!("{}{i:02}{}", ["-", "~", " "][i % 3], "x".repeat(226))).collect();
    assert!(dir.as_os_str().len() > 3_400);
    fs::create_dir_all(lab.dir().join(&dir)).expect("new directories");
    fs::write(lab.dir().join(&dir).join("-file"), "at the bottom").expect("a new file");
    fs::create_dir(lab.dir().join(&dir).join("~dir")).expect("a new directory");
    lab.hand_over(&lab.dir());
    for options in [&[][..], &["--disable-mlsd"]] {
        let mount = Mount::new(&lab.url(""), options);
        let shown = mount.path().join(&dir);
        let mut names: Vec<_> = fs::read_dir(&shown)
            .expect("it can be listed")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        assert_eq!(names, ["-file", "~dir"]);
        assert_eq!(fs::read(shown.join("-file")).expect("it can be read"), b"at the bottom");
        let truth = fs::metadata(lab.dir().join(&dir).join("-file")).expect("it is there").mtime();
        assert_eq!(fs::metadata(shown.join("-file")).expect("it is there").mtime(), truth);
        assert_eq!(fs::read_dir(shown.join("~dir")).expect("it can be listed").count(), 0);
        assert_eq!(fs::metadata(shown.join("nothing")).expect_err("nothing").kind(), std::io::ErrorKind::NotFound);
        mount.unmount();
    }
}

/// Directories so deep that no absolute path leads there: some servers follow, others say that it is too long.
fn paths_beyond_the_system(software: Software) {
    let lab = Lab::start(software, &Options::default());
    let script = "import errno, os, sys
os.chdir(sys.argv[1])
for i in range(25):
    name = f'{i:02}' + 'x' * 198
    if sys.argv[2] == 'make':
        os.mkdir(name)
    try:
        os.chdir(name)
        found = os.listdir('.') if sys.argv[2] == 'look' else []
    except OSError as e:
        sys.exit(print(i, errno.errorcode[e.errno]))
    if sys.argv[2] == 'look' and i < 24 and found != [f'{i + 1:02}' + 'x' * 198]:
        sys.exit(print(i, found))
print('all')";
    let walk = |top: &Path, what: &str| {
        let out = stdout_of(Command::new("python3").args(["-c", script]).arg(top).arg(what), LIMIT);
        String::from_utf8(out).expect("text").trim().to_owned()
    };
    assert_eq!(walk(&lab.dir(), "make"), "all");
    lab.hand_over(&lab.dir());
    for options in [&[][..], &["--disable-mlsd"]] {
        let mount = Mount::new(&lab.url(""), options);
        let end = walk(&mount.path(), "look");
        // ProFTPD and pyftpdlib list nothing where the names in a directory are beyond their reach.
        let far = |depth: &str| depth.parse::<u32>().is_ok_and(|depth| depth >= 19);
        let good = end == "all" || [" ENAMETOOLONG", " []"].iter().any(|how| end.strip_suffix(how).is_some_and(far));
        assert!(good, "{options:?}: {end}");
        assert_eq!(fs::read_dir(mount.path()).expect("the mount goes on").count(), 1);
        mount.unmount();
    }
}

/// Servers that list by their own clock.
fn zones(software: Software) {
    for zone in ["Asia/Tokyo", "America/St_Johns", "Asia/Kathmandu"] {
        let lab = Lab::start(software, &Options { zone: Some(zone), ..Options::default() });
        fill(&lab.dir());
        lab.hand_over(&lab.dir());
        // Where MDTM is local, too, only the user knows.
        if matches!(software, Software::ProFtpd | Software::PureFtpd) {
            let mount = Mount::new(&lab.url(""), &["--disable-mlsd"]);
            compare(&lab, &mount, zone);
            mount.unmount();
        }
        let mount = Mount::new(&lab.url(""), &["--disable-mlsd", "-o", &format!("timezone={zone}")]);
        compare(&lab, &mount, zone);
        mount.unmount();
    }
}

/// Files and directories of today, of a month ago, of almost half a year ago, and of some years ago.
fn fill(dir: &Path) {
    for days in AGES {
        let at = SystemTime::now() - Duration::from_secs(days * 86_400 + 3_600);
        fs::write(dir.join(format!("file {days}")), "x").expect("a new file");
        fs::create_dir(dir.join(format!("dir {days}"))).expect("a new directory");
        for name in [format!("file {days}"), format!("dir {days}")] {
            File::open(dir.join(name)).and_then(|file| file.set_modified(at)).expect("its time can be set");
        }
    }
}

fn compare(lab: &Lab, mount: &Mount, zone: &str) {
    for days in AGES {
        let time = |top: &Path, name: &str| fs::metadata(top.join(name)).expect("it is there").mtime();
        let file = format!("file {days}");
        assert_eq!(time(&mount.path(), &file), time(&lab.dir(), &file), "{file} in {zone}");
        let dir = format!("dir {days}");
        let (shown, truth) = (time(&mount.path(), &dir), time(&lab.dir(), &dir));
        let unit = if days > 200 { 86_400 } else { 60 };
        assert!((0..unit).contains(&(truth - shown)), "{dir} in {zone}: {} seconds off", shown - truth);
    }
}

/// Days.
const AGES: [u64; 4] = [0, 30, 150, 1_000];
