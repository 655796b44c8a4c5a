//! Everyday programs on a mount: what they read is what the server holds.
//!
//! Each function is one theme, written once for all servers. [`Serve`] tells it how to come by a server; what that server
//! cannot tell is in [`Scene::tells`].

use std::any::Any;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use super::mount::Mount;
use super::process::{PROGRAM_LIMIT, command, report, run, stdout_of};
use super::tree::{self, What};

/// Makes a server with what is put into a directory, and mounts it.
pub type Serve<'a> = &'a dyn Fn(&dyn Fn(&Path)) -> Scene;

/// A server, the truth about what it holds, and a mount of it.
pub struct Scene {
    /// Goes before the server does.
    pub mount: Mount,
    /// What the server holds, on this machine's disk.
    pub disk: PathBuf,
    /// How much of it the server lets a client know.
    pub tells: What,
    /// How to mount it once more.
    pub url: String,
    /// With which options.
    pub arguments: Vec<String>,
    /// Whatever has to live as long as the mount.
    pub server: Box<dyn Any>,
}

/// `ls -lR` and `find` show the same tree, line by line.
pub fn walking(serve: Serve<'_>) {
    let scene = serve(&tree::everyday);
    let ls = |dir: &Path| {
        let out = stdout_in(dir, "ls", &["-lRA", "-g", "-o", "--time-style=+%s"]);
        out.lines().filter_map(|line| ls_line(line, scene.tells)).collect::<Vec<_>>()
    };
    assert_eq!(ls(&scene.mount.path()), ls(&scene.disk));
    let find = |dir: &Path, more: &[&str]| {
        let out = stdout_in(dir, "find", &[&["."], more].concat());
        let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for more in
        [&["-printf", "%y %p\n"][..], &["-type", "f", "-size", "+1k"], &["-newermt", "2005-01-01", "-type", "f"]]
    {
        assert_eq!(find(&scene.mount.path(), more), find(&scene.disk, more), "find {more:?}");
    }
    tree::compare(&scene.disk, &scene.mount.path(), scene.tells);
    scene.unmount();
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
    // Where the server tells no modes, the first letter still says what it is.
    let mode = if tells.modes { mode.replace('w', "-") } else { mode[..1].to_owned() };
    Some(match mode.starts_with('d') {
        true if tells.dir_times => format!("{mode} {mtime} {name:?}"),
        true => format!("{mode} {name:?}"),
        false => format!("{mode} {size} {mtime} {name:?}"),
    })
}

/// `cp -r`, `tar c` and `rsync -a` bring the whole tree home.
pub fn copying(serve: Serve<'_>) {
    let scene = serve(&|dir| {
        tree::everyday(dir);
        for size in tree::EDGE_SIZES {
            tree::file(&dir.join(format!("docs/{size}.bin")), size);
        }
    });
    let (from, home) = (scene.mount.path(), temporary());
    let to = |name: &str| home.path().join(name).into_os_string().into_string().expect("a plain path");

    // Plain -r gives new times: only names and content can be compared.
    program(&from, "cp", &["-r", ".", &to("cp")]);
    program(home.path(), "diff", &["-r", &scene.disk.display().to_string(), &to("cp")]);

    fs::create_dir(to("tar")).expect("a new directory");
    // tar warns and fails when a file's times change under it.
    program(&from, "tar", &["-cf", &to("all.tar"), "."]);
    program(home.path(), "tar", &["-xpf", &to("all.tar"), "-C", &to("tar")]);
    tree::compare(&scene.disk, Path::new(&to("tar")), scene.tells);

    program(&from, "rsync", &["-a", "./", &to("rsync/")]);
    tree::compare(&scene.disk, Path::new(&to("rsync")), scene.tells);
    let again = stdout_in(&from, "rsync", &["-ai", "./", &to("rsync/")]);
    assert_eq!(again, "", "a second rsync -a found something to do");
    scene.unmount();
}

/// `grep -r` finds the same lines.
pub fn searching(serve: Serve<'_>) {
    let scene = serve(&tree::everyday);
    let grep = |dir: &Path| {
        let out = stdout_in(dir, "grep", &["-rn", "needle", "."]);
        let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let found = grep(&scene.mount.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found, grep(&scene.disk));
    scene.unmount();
}

/// `md5sum` of files around every limit and of a large one.
pub fn checksums(serve: Serve<'_>) {
    let scene = serve(&tree::sizes);
    let mut names: Vec<String> = tree::EDGE_SIZES.iter().map(u64::to_string).collect();
    names.push(tree::LARGE_NAME.to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(stdout_in(&scene.mount.path(), "md5sum", &names), stdout_in(&scene.disk, "md5sum", &names));
    scene.unmount();
}

/// Eight readers at once, four in files of their own, four in one that they share.
pub fn parallel_readers(serve: Serve<'_>) {
    const SIZE: u64 = 24 << 20;
    let files = ["one", "two", "three", "four", "shared"];
    let scene = serve(&|dir| files.iter().for_each(|name| tree::file(&dir.join(name), SIZE)));
    thread::scope(|readers| {
        for name in files.into_iter().chain(["shared"; 3]) {
            let (disk, shown) = (scene.disk.join(name), scene.mount.path().join(name));
            readers.spawn(move || {
                let difference = tree::first_difference(&disk, &shown).expect("both can be read");
                assert_eq!(difference, None, "{name} differs");
            });
        }
    });
    scene.unmount();
}

/// Reads of any length at any place, the end and beyond included.
pub fn random_reads(serve: Serve<'_>) {
    const SIZE: u64 = (20 << 20) + 321;
    let scene = serve(&|dir| tree::file(&dir.join("file"), SIZE));
    let (disk, shown) = (open(&scene.disk.join("file")), open(&scene.mount.path().join("file")));
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
    scene.unmount();
}

/// A directory that no server's or client's buffer holds at once.
pub fn ten_thousand_entries(serve: Serve<'_>) {
    const COUNT: usize = 10_000;
    let scene = serve(&|dir| {
        fs::create_dir(dir.join("many")).expect("a new directory");
        tree::many(&dir.join("many"), COUNT);
    });
    let shown = scene.mount.path().join("many");
    assert_eq!(stdout_in(&shown, "ls", &["-l"]).lines().count(), COUNT + 1, "with the line `total`");
    let what = What { content: false, ..scene.tells };
    tree::compare(&scene.disk.join("many"), &shown, what);
    assert_eq!(fs::read(shown.join("entry-09998")).expect("it is there"), b"9998");
    let missing = fs::metadata(shown.join("entry-10000")).expect_err("it is not there");
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    scene.unmount();
}

/// Names that other clients trip over, as files and as directories.
pub fn odd_names(serve: Serve<'_>) {
    let scene = serve(&|dir| tree::named(dir, tree::ODD_NAMES));
    tree::compare(&scene.disk, &scene.mount.path(), scene.tells);
    assert_eq!(tree::paths(&scene.mount.path()), tree::paths(&scene.disk));
    // A name is found by itself, too, before anyone has listed its directory.
    let Scene { mount, disk, url, arguments, server, .. } = scene;
    // Before the next one: the server may admit a single session.
    mount.unmount();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mount = Mount::new(&url, &arguments);
    for name in ["  no such", "[brackets", "star*", "-dash2", "100%25"] {
        let error = fs::metadata(mount.path().join(name)).expect_err("it is not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{name:?}: {error}");
    }
    for name in tree::ODD_NAMES.iter().filter(|name| disk.join(name).is_file()) {
        assert_eq!(fs::read(mount.path().join(name)).expect("it is there"), name.as_bytes());
    }
    mount.unmount();
    drop(server);
}

impl Scene {
    /// Unmounts like a user.
    pub fn unmount(self) {
        let Self { mount, server, .. } = self;
        mount.unmount();
        drop(server);
    }
}

/// Reads around two and four GiB and around the end of a file of `size` bytes; `truth` has its content.
pub fn far_places(shown: &Path, size: u64, truth: &dyn Fn(u64, usize) -> Vec<u8>) {
    assert_eq!(fs::metadata(shown).expect("it is there").len(), size);
    let file = open(shown);
    let near = |place: u64| [place - 70_000, place - 5000, place];
    let ends = [0, size - 10_000, size - 1, size, size + 99];
    for at in ends.into_iter().chain([2 << 30, 4 << 30].into_iter().flat_map(near)) {
        let (truth, seen) = (truth(at, 200_000), range(&file, at, 200_000));
        assert_eq!(truth.len(), seen.len(), "bytes at {at}");
        assert!(truth == seen, "other bytes at {at}");
    }
    let tail = stdout_of(command("tail", ["-c", "70000"]).arg(shown), PROGRAM_LIMIT);
    assert!(tail == truth(size - 70_000, 70_000), "the last 70,000 bytes differ");
}

/// Standard output of a program that runs in `dir`, succeeds and complains of nothing.
pub fn stdout_in(dir: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = command(program, arguments);
    let output = run(command.current_dir(dir), PROGRAM_LIMIT);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", report(&command, &output));
    String::from_utf8(output.stdout).expect("names and text in UTF-8")
}

/// Runs a program in `dir` that has nothing to say.
pub fn program(dir: &Path, program: &str, arguments: &[&str]) {
    assert_eq!(stdout_in(dir, program, arguments), "", "{program} {arguments:?}");
}

/// Asserts that both files hold the same from `at`, `length` bytes or to their end.
fn same_range(disk: &File, shown: &File, at: u64, length: usize) {
    let (truth, seen) = (range(disk, at, length), range(shown, at, length));
    assert_eq!(truth.len(), seen.len(), "bytes of {length} at {at}");
    assert!(truth == seen, "other bytes among the {length} at {at}");
}

/// Up to `length` bytes of a file from `at`, as many as there are.
pub fn range(file: &File, at: u64, length: usize) -> Vec<u8> {
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

/// Opens a file that is there.
pub fn open(path: &Path) -> File {
    File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A folder that goes with the value.
pub fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("ftpfs-home-").tempdir().expect("a temporary folder")
}
