//! Everyday programs on a mount of each real server: what they read is what the server's disk holds.
//!
//! One module per server, one test per theme. The themes are below the table, written once for all servers; what a server
//! cannot tell is in [`Software`]'s expectations. They need root, `/dev/fuse` and what `scripts/setup` installs.

mod support;

use std::fs::{self, File};
use std::io;
use std::net::Ipv6Addr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use support::lab::{Lab, Options, Software};
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, command, report, run, stdout_of, with_deadline};
use support::tree::{self, Links, What};
use tempfile::TempDir;

macro_rules! on_each_server {
    ($($module:ident: $software:ident,)*) => { $(
        mod $module {
            use super::*;

            on_each_server!(@themes $software: walking, copying, searching, checksums, beyond_four_gib,
                parallel_readers, random_reads, ten_thousand_entries, odd_names, symbolic_links, subdirectory,
                few_connections, ipv6);
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

/// `ls -lR` and `find` show the same tree, line by line.
fn walking(software: Software) {
    let (lab, mount) = mounted(software, tree::everyday);
    let ls = |dir: &Path| {
        let out = stdout_in(dir, "ls", &["-lRA", "-g", "-o", "--time-style=+%s"]);
        out.lines().filter_map(|line| ls_line(line, software.tells())).collect::<Vec<_>>()
    };
    assert_eq!(ls(&mount.path()), ls(&lab.dir()));
    let find = |dir: &Path, more: &[&str]| {
        let out = stdout_in(dir, "find", &[&["."], more].concat());
        let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for more in
        [&["-printf", "%y %p\n"][..], &["-type", "f", "-size", "+1k"], &["-newermt", "2005-01-01", "-type", "f"]]
    {
        assert_eq!(find(&mount.path(), more), find(&lab.dir(), more), "find {more:?}");
    }
    tree::compare(&lab.dir(), &mount.path(), software.tells());
    mount.unmount();
}

/// A line of `ls -lRA -g -o --time-style=+%s` without what only the server's disk knows: link counts, blocks used,
/// sizes of directories, and, in a mount that cannot write, the bits for writing.
fn ls_line(line: &str, tells: What) -> Option<String> {
    let mut fields = line.split_ascii_whitespace();
    let (mode, Some(_links), Some(size), Some(mtime)) = (fields.next()?, fields.next(), fields.next(), fields.next())
    else {
        return (!line.starts_with("total ")).then(|| line.to_owned());
    };
    let name: Vec<&str> = fields.collect();
    let mode = mode.replace('w', "-");
    Some(match mode.starts_with('d') {
        true if tells.dir_times => format!("{mode} {mtime} {name:?}"),
        true => format!("{mode} {name:?}"),
        false => format!("{mode} {size} {mtime} {name:?}"),
    })
}

/// `cp -r`, `tar c` and `rsync -a` bring the whole tree home.
fn copying(software: Software) {
    let (lab, mount) = mounted(software, |dir| {
        tree::everyday(dir);
        for size in tree::EDGE_SIZES {
            tree::file(&dir.join(format!("docs/{size}.bin")), size);
        }
    });
    let (from, home) = (mount.path(), temporary());
    let to = |name: &str| home.path().join(name).into_os_string().into_string().expect("a plain path");

    // Plain -r gives new times: only names and content can be compared.
    program(&from, "cp", &["-r", ".", &to("cp")]);
    program(home.path(), "diff", &["-r", &lab.dir().display().to_string(), &to("cp")]);

    fs::create_dir(to("tar")).expect("a new directory");
    // tar warns and fails when a file's times change under it.
    program(&from, "tar", &["-cf", &to("all.tar"), "."]);
    program(home.path(), "tar", &["-xpf", &to("all.tar"), "-C", &to("tar")]);
    tree::compare(&lab.dir(), Path::new(&to("tar")), software.tells());

    program(&from, "rsync", &["-a", "./", &to("rsync/")]);
    tree::compare(&lab.dir(), Path::new(&to("rsync")), software.tells());
    let again = stdout_in(&from, "rsync", &["-ai", "./", &to("rsync/")]);
    assert_eq!(again, "", "a second rsync -a found something to do");
    mount.unmount();
}

/// `grep -r` finds the same lines.
fn searching(software: Software) {
    let (lab, mount) = mounted(software, tree::everyday);
    let grep = |dir: &Path| {
        let out = stdout_in(dir, "grep", &["-rn", "needle", "."]);
        let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let found = grep(&mount.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found, grep(&lab.dir()));
    mount.unmount();
}

/// `md5sum` of files around every limit and of a large one.
fn checksums(software: Software) {
    let (lab, mount) = mounted(software, tree::sizes);
    let mut names: Vec<String> = tree::EDGE_SIZES.iter().map(u64::to_string).collect();
    names.push(tree::LARGE_NAME.to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(stdout_in(&mount.path(), "md5sum", &names), stdout_in(&lab.dir(), "md5sum", &names));
    mount.unmount();
}

/// Offsets that need more than 31 and 32 bits.
fn beyond_four_gib(software: Software) {
    const SIZE: u64 = (4 << 30) + (1 << 20) + 13;
    const PLACES: [u64; 6] = [0, (2 << 30) - (64 << 10), 2 << 30, (4 << 30) - (64 << 10), 4 << 30, SIZE - 13 - 4096];
    let (lab, mount) = mounted(software, |dir| tree::sparse(&dir.join("sparse"), SIZE, &PLACES));
    let (disk, shown) = (lab.dir().join("sparse"), mount.path().join("sparse"));
    assert_eq!(fs::metadata(&shown).expect("it is there").len(), SIZE);
    let (disk_file, shown_file) = (open(&disk), open(&shown));
    for at in PLACES.into_iter().chain([(2 << 30) - 5000, (4 << 30) - 5000, SIZE - 10_000, SIZE - 1, SIZE, SIZE + 99]) {
        same_range(&disk_file, &shown_file, at, 200_000);
    }
    let tail = |file: &Path| stdout_of(command("tail", ["-c", "70000"]).arg(file), PROGRAM_LIMIT);
    assert!(tail(&disk) == tail(&shown), "the last 70,000 bytes differ");
    // Once from end to end; the other servers only differ in how they jump.
    if software == Software::Vsftpd {
        stdout_of(Command::new("cmp").args([disk, shown]), THEME_LIMIT);
    }
    drop(shown_file);
    mount.unmount();
}

/// Eight readers at once, four in files of their own, four in one that they share.
fn parallel_readers(software: Software) {
    const SIZE: u64 = 24 << 20;
    let files = ["one", "two", "three", "four", "shared"];
    let (lab, mount) = mounted(software, |dir| files.iter().for_each(|name| tree::file(&dir.join(name), SIZE)));
    thread::scope(|readers| {
        for name in files.into_iter().chain(["shared"; 3]) {
            let (disk, shown) = (lab.dir().join(name), mount.path().join(name));
            readers.spawn(move || {
                let difference = tree::first_difference(&disk, &shown).expect("both can be read");
                assert_eq!(difference, None, "{name} differs");
            });
        }
    });
    mount.unmount();
}

/// Reads of any length at any place, the end and beyond included.
fn random_reads(software: Software) {
    const SIZE: u64 = (20 << 20) + 321;
    let (lab, mount) = mounted(software, |dir| tree::file(&dir.join("file"), SIZE));
    let (disk, shown) = (open(&lab.dir().join("file")), open(&mount.path().join("file")));
    // A fixed seed: what fails once fails again (xorshift64).
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..300 {
        let most = if next(4) == 0 { 1 << 20 } else { 9000 };
        let length = 1 + next(most);
        same_range(&disk, &shown, next(SIZE + 5000), length as usize);
    }
    // Backward, piece by piece: the worst case for a stream.
    for at in (0..SIZE).rev().step_by(1 << 20) {
        same_range(&disk, &shown, at, 4096);
    }
    drop(shown);
    mount.unmount();
}

/// A directory that no server's or client's buffer holds at once.
fn ten_thousand_entries(software: Software) {
    const COUNT: usize = 10_000;
    let (lab, mount) = mounted(software, |dir| {
        fs::create_dir(dir.join("many")).expect("a new directory");
        tree::many(&dir.join("many"), COUNT);
    });
    let shown = mount.path().join("many");
    assert_eq!(stdout_in(&shown, "ls", &["-l"]).lines().count(), COUNT + 1, "with the line `total`");
    let what = What { content: false, ..software.tells() };
    tree::compare(&lab.dir().join("many"), &shown, what);
    assert_eq!(fs::read(shown.join("entry-09998")).expect("it is there"), b"9998");
    let missing = fs::metadata(shown.join("entry-10000")).expect_err("it is not there");
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    mount.unmount();
}

/// Names that other clients trip over, as files and as directories.
fn odd_names(software: Software) {
    let (lab, mount) = mounted(software, |dir| {
        tree::named(dir, tree::ODD_NAMES);
        if software != Software::PureFtpd {
            fs::write(dir.join(tree::BACKSLASH), "backslash").expect("a new file");
        }
    });
    tree::compare(&lab.dir(), &mount.path(), software.tells());
    assert_eq!(tree::paths(&mount.path()), tree::paths(&lab.dir()));
    mount.unmount();
    // A name is found by itself, too, before anyone has listed its directory.
    let mount = Mount::new(&lab.url(""), &[]);
    for name in ["  no such", "[brackets", "star*", "-dash2", "100%25"] {
        let error = fs::metadata(mount.path().join(name)).expect_err("it is not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{name:?}: {error}");
    }
    for name in tree::ODD_NAMES.iter().filter(|name| lab.dir().join(name).is_file()) {
        assert_eq!(fs::read(mount.path().join(name)).expect("it is there"), name.as_bytes());
    }
    mount.unmount();
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

/// Standard output of a program that runs in `dir`, succeeds and complains of nothing.
fn stdout_in(dir: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = command(program, arguments);
    let output = run(command.current_dir(dir), PROGRAM_LIMIT);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", report(&command, &output));
    String::from_utf8(output.stdout).expect("names and text in UTF-8")
}

/// Runs a program in `dir` that has nothing to say.
fn program(dir: &Path, program: &str, arguments: &[&str]) {
    assert_eq!(stdout_in(dir, program, arguments), "", "{program} {arguments:?}");
}

/// Asserts that both files hold the same from `at`, `length` bytes or to their end.
fn same_range(disk: &File, shown: &File, at: u64, length: usize) {
    let (truth, seen) = (range(disk, at, length), range(shown, at, length));
    assert_eq!(truth.len(), seen.len(), "bytes of {length} at {at}");
    assert!(truth == seen, "other bytes among the {length} at {at}");
}

fn range(file: &File, at: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], at + filled as u64).expect("it can be read") {
            0 => break,
            n => filled += n,
        }
    }
    bytes.truncate(filled);
    bytes
}

fn open(path: &PathBuf) -> File {
    File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("ftpfs-home-").tempdir().expect("a temporary folder")
}
