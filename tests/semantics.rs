//! What docs/semantics.md says, on a real mount of the scripted server.
//!
//! Each statement there that can be tested bears the name of a test here, and each test here is named there once. They
//! need root and `/dev/fuse`. No test waits for a time to pass: what is to be believed for long is mounted with an hour,
//! what is to be asked at once with 0.

#[path = "semantics/attributes.rs"]
mod attributes;
#[path = "semantics/copies.rs"]
mod copies;
#[path = "semantics/disk.rs"]
mod disk;
#[path = "semantics/failing.rs"]
mod failing;
#[path = "semantics/landing.rs"]
mod landing;
#[path = "semantics/looks.rs"]
mod looks;
#[path = "semantics/names.rs"]
mod names;
#[path = "semantics/reading.rs"]
mod reading;
#[path = "semantics/refusals.rs"]
mod refusals;
mod support;
#[path = "semantics/wire.rs"]
mod wire;
#[path = "semantics/writeback.rs"]
mod writeback;
#[path = "semantics/writing.rs"]
mod writing;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::IntoRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, command, run, stdout_of, wait_until, with_deadline};
use support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Tree, fill_pattern};

const MIB: u64 = 1 << 20;

/// Believes everything for an hour.
const LONG: &[&str] = &["-o", "cache_timeout=1h,negative_timeout=1h"];
/// Asks the server each time.
const NEVER: &[&str] = &["-o", "cache_timeout=0,negative_timeout=0"];
/// Gives up soon, where giving up is what is looked at.
const HURRIED: &[&str] = &["-o", "cache_timeout=0,negative_timeout=0,timeout=1s"];

/// A scripted server and a mount of it.
struct Scene {
    mount: Mount,
    server: FakeServer,
}

/// Runs `body` with a mount of a server that plays `personality`.
fn with(personality: Personality, tree: Tree, options: &[&str], body: impl FnOnce(&Scene) + Send + 'static) {
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    with_deadline(LIMIT, "semantics", move || {
        let server = FakeServer::start(personality, tree);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mount = Mount::new(&server.url(""), &options);
        body(&Scene { mount, server });
    });
}

/// A hang, nothing else.
const LIMIT: Duration = Duration::from_secs(60);

impl Scene {
    fn at(&self, name: &str) -> PathBuf {
        self.mount.path().join(name)
    }

    fn stat(&self, name: &str) -> io::Result<fs::Metadata> {
        fs::symlink_metadata(self.at(name))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.at(name))
    }

    /// The names in a directory, sorted.
    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(dir)).expect("it can be listed");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A program writes: open(2) with `O_TRUNC`, write(2), close(2), and what the first of them says that fails.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let mut file = File::create(self.at(name))?;
        file.write_all(bytes.as_ref())?;
        close(file)
    }

    fn open(&self, name: &str, options: &mut OpenOptions) -> File {
        options.open(self.at(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// What the server has.
    fn held(&self, name: &str) -> Vec<u8> {
        self.server.content(name).unwrap_or_else(|| panic!("no {name} on the server:\n{}", self.server.log()))
    }

    /// Has the server stall once, as `fault` says, while `call` runs; `meanwhile` happens before `call` can return.
    fn stalled<T: Send>(&self, fault: Fault, call: impl FnOnce() -> T + Send, meanwhile: impl FnOnce()) -> T {
        /// Whatever fails, the call gets its answer.
        struct Healed<'a>(&'a FakeServer);
        impl Drop for Healed<'_> {
            fn drop(&mut self) {
                self.0.heal();
            }
        }
        self.server.clear_log();
        self.server.fault(fault.times(1));
        thread::scope(|scope| {
            let call = scope.spawn(call);
            let healed = Healed(&self.server);
            self.server.await_stalls(1);
            assert!(!call.is_finished(), "it does not wait for the server");
            meanwhile();
            drop(healed);
            call.join().expect("the call itself does not panic")
        })
    }

    /// Asserts that nothing of ours is left on the server.
    fn tidy(&self) {
        let ours = || self.server.paths().into_iter().any(|path| path.contains(".ftpfs-"));
        wait_until("temporary names to go", LIMIT, || (!ours()).then_some(()));
    }

    /// Another client writes.
    fn write(&self, name: &str, bytes: &'static str, later: i64) {
        self.server.tree().update(|tree| tree.write(name, bytes, DEFAULT_MTIME + later));
    }
}

fn tree() -> Tree {
    Tree::new().dir("d").file("d/a.txt", "hello world", DEFAULT_MTIME + 7).file_pattern("big", 9 * MIB + 17, 7)
}

fn pattern(seed: u64, from: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill_pattern(seed, from, &mut bytes);
    bytes
}

/// close(2), whose errors a dropped [`File`] keeps to itself.
#[allow(unsafe_code, reason = "std closes without a word")]
fn close(file: File) -> io::Result<()> {
    // SAFETY: the descriptor is ours and is closed once.
    let closed = unsafe { libc::close(file.into_raw_fd()) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The number of a call's failure.
fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|e| e.raw_os_error())
}

/// Asserts that a call fails with this very number.
fn refused<T>(result: io::Result<T>, errno: i32, what: &str) {
    match result {
        Ok(_) => panic!("{what}: it works"),
        Err(e) => assert_eq!(e.raw_os_error(), Some(errno), "{what}: {e}"),
    }
}

/// What a few lines of Python say of a call that std has not: `ok`, the name of an errno, or what `print` wrote.
fn python(lines: &str, path: &Path) -> String {
    let script = format!(
        "import ctypes, errno, fcntl, mmap, os, stat, sys\npath = sys.argv[1]\n\
         def tell(call):\n    try:\n        call()\n    except OSError as e:\n        return errno.errorcode[e.errno]\n    \
         return 'ok'\n{lines}"
    );
    let out = stdout_of(command("python3", ["-c", &script]).arg(path), PROGRAM_LIMIT);
    String::from_utf8(out).expect("text").trim().to_owned()
}

/// Whether a program succeeds.
fn succeeds(program: &mut Command) -> bool {
    run(program, PROGRAM_LIMIT).status.success()
}

#[test]
fn every_statement_has_its_test() {
    let files = [
        include_str!("semantics.rs"),
        include_str!("semantics/attributes.rs"),
        include_str!("semantics/disk.rs"),
        include_str!("semantics/copies.rs"),
        include_str!("semantics/failing.rs"),
        include_str!("semantics/landing.rs"),
        include_str!("semantics/looks.rs"),
        include_str!("semantics/names.rs"),
        include_str!("semantics/reading.rs"),
        include_str!("semantics/refusals.rs"),
        include_str!("semantics/wire.rs"),
        include_str!("semantics/writeback.rs"),
        include_str!("semantics/writing.rs"),
    ];
    let tests = files.iter().flat_map(|file| file.split("#[test]\nfn ").skip(1).map(until_parenthesis));
    let tests: Vec<&str> = tests.collect();
    let tags: Vec<&str> = DOCUMENT.split("<!-- test: ").skip(1).filter_map(|rest| rest.split(" -->").next()).collect();
    let as_set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(as_set(&tags), as_set(&tests));
    assert_eq!(tags.len(), tests.len(), "a statement is tagged twice");
}

fn until_parenthesis(text: &str) -> &str {
    text.split('(').next().unwrap_or(text)
}

/// Each number that src/mount/errno.rs gives has a row in the table of the document, and no other one has.
#[test]
fn the_errno_table_is_the_code() {
    let code = include_str!("../src/mount/errno.rs");
    let given: BTreeSet<&str> =
        code.split("Errno::").skip(1).filter_map(|rest| rest.split([',', ' ']).next()).collect();
    let table = DOCUMENT.split("## Error numbers").nth(1).expect("the table has its heading");
    let server = table.split("\n### ").nth(1).expect("the numbers of errno.rs come first");
    let rows: BTreeSet<&str> =
        server.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split('`').next()).collect();
    assert_eq!(rows, given);
}

const DOCUMENT: &str = include_str!("../docs/semantics.md");
