//! The life of a mount: how it begins or fails to, all the ways in which it ends, and that it leaves nothing behind.

mod support;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::mount::{Mount, Place, User, is_mounted};
use support::process::{PROGRAM_LIMIT, command, is_running, report, run, signal, stdout_of, wait_until, with_deadline};
use support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Stage, Tree, fill_pattern};

/// Tells a hang; no test takes nearly as long.
const LIMIT: Duration = Duration::from_secs(120);
const BIG: u64 = 20 << 20;
/// Longer than any test: nothing here ends because a request has timed out.
const PATIENT: [&str; 2] = ["-o", "timeout=1h"];

fn tree() -> Tree {
    Tree::new().file("README", b"read me", DEFAULT_MTIME).file("d/a", b"a", DEFAULT_MTIME).file_pattern("big", BIG, 3)
}

fn server() -> FakeServer {
    FakeServer::start(Personality::mlsd(), tree())
}

fn limited(body: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    with_deadline(LIMIT, &name, body);
}

/// A program run by the one who has mounted; nobody else gets in.
fn program_of(user: User, program: &str) -> Command {
    match user {
        User::Root => Command::new(program),
        User::Nobody => Mount::nobody(program),
    }
}

/// Asserts that `user` reads through the mount.
#[track_caller]
fn is_alive(user: User, mount: &Mount) {
    let read = stdout_of(program_of(user, "cat").arg(mount.path().join("README")), PROGRAM_LIMIT);
    assert_eq!(read, b"read me");
}

// Beginning.

#[test]
fn success_is_told_only_when_the_mount_is_there() {
    limited(|| {
        let (server, place, told) = (server(), Arc::<Place>::default(), AtomicBool::new(false));
        server.fault(Fault::stall(Stage::Login));
        thread::scope(|both| {
            both.spawn(|| {
                assert!(server.wait_for(|log| log.stalls() == 1, LIMIT), "{}", server.log());
                let early = (told.load(Ordering::SeqCst), is_mounted(&place.mountpoint()));
                server.heal();
                assert_eq!(early, (false, false), "told, mounted");
            });
            let mount = Mount::at(&place, User::Root, &server.url(""), &PATIENT);
            told.store(true, Ordering::SeqCst);
            // Mount::at has looked for the mount already; this reads from it.
            is_alive(User::Root, &mount);
            mount.unmount();
        });
    });
}

#[test]
fn what_keeps_a_mount_from_beginning_is_said_in_one_line() {
    limited(|| {
        let personality = Personality::mlsd().with_login("user", "right");
        let server = FakeServer::start(personality, tree());
        let address = server.addr();
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
        let here = format!("ftp://user:right@{address}");
        let table = [
            (
                format!("ftp://user:wrong@{address}/"),
                format!("cannot log in to {address}: login: login refused (server: Login incorrect.)"),
            ),
            (format!("{here}/none"), "cannot mount \"none\": CWD: no such file or directory (server: 550 ".to_owned()),
            (format!("{here}/README"), "cannot mount \"README\": CWD: not a directory (server: 550 ".to_owned()),
            (format!("{here}/d/a/b"), "cannot mount \"d/a/b\": CWD: not a directory (server: 550 ".to_owned()),
            (
                format!("ftp://user:right@{closed}/"),
                format!("cannot reach {closed}: connect: connection failed (Connection refused "),
            ),
            (
                "ftp://user:right@no-such-host.invalid/".to_owned(),
                "cannot reach no-such-host.invalid:21: resolve: connection failed (".to_owned(),
            ),
        ];
        for (url, want) in table {
            let text = refusal(&url);
            assert!(text.starts_with(&want), "{url}: {text}");
            assert!(server.wait_for_connections(0, LIMIT), "{url}: a connection is left behind");
        }
    });
}

/// What ftpfs says when it cannot mount, which is one line.
#[track_caller]
fn refusal(url: &str) -> String {
    let output = Mount::refused(url, &["-o", "timeout=5s"]);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.ends_with('\n') && text.lines().count() == 1, "not one line: {text:?}");
    assert!(output.stdout.is_empty() && !text.contains("right") && !text.contains("wrong"), "{text}");
    text.strip_prefix("ftpfs: ").expect("the program's name").trim_end().to_owned()
}

/// The same from servers that do not say what is wrong: it is found out.
#[test]
fn a_wrong_directory_is_told_from_a_missing_one_on_every_server() {
    limited(|| {
        for personality in [Personality::unix_list(), Personality::iis(), Personality::pure()] {
            let server = FakeServer::start(personality, tree());
            for (path, want) in [("none", "no such file or directory"), ("README", "not a directory")] {
                let text = refusal(&server.url(path));
                let start = format!("cannot mount {path:?}: CWD: {want}");
                assert!(text.starts_with(&start), "{text}\n{}", server.log());
            }
        }
    });
}

// Ending.

/// How a mount is told to end.
#[derive(Clone, Copy, Debug)]
enum Way {
    Terminate,
    Interrupt,
    Umount,
    Fusermount,
}

impl Way {
    /// Tells it, as `user` can.
    fn tell(self, user: User, mount: &Mount, lazy: bool) {
        let (program, plain) = match self {
            Self::Terminate => return signal(mount.pid(), libc::SIGTERM),
            Self::Interrupt => return signal(mount.pid(), libc::SIGINT),
            Self::Umount => ("umount", None),
            Self::Fusermount => ("fusermount3", Some("-u")),
        };
        let lazy = lazy.then_some(if plain.is_some() { "-z" } else { "-l" });
        let mut command = program_of(user, program);
        command.args(plain).args(lazy).arg(mount.path());
        let output = run(&mut command, PROGRAM_LIMIT);
        assert!(output.status.success(), "{}", report(&command, &output));
    }
}

const WAYS: [Way; 4] = [Way::Terminate, Way::Interrupt, Way::Umount, Way::Fusermount];

#[test]
fn every_way_to_end_a_mount_ends_it() {
    limited(|| every_way(User::Root));
}

#[test]
fn every_way_to_end_a_mount_ends_it_for_an_ordinary_user() {
    limited(|| every_way(User::Nobody));
}

fn every_way(user: User) {
    let server = server();
    let place = Arc::<Place>::default();
    for way in WAYS {
        // Each time in the same place.
        let mount = Mount::at(&place, user, &server.url(""), &PATIENT);
        is_alive(user, &mount);
        way.tell(user, &mount, false);
        let log = mount.ended();
        assert!(!log.contains("stays mounted") && !log.contains("cannot unmount"), "{way:?}: {log}");
        assert!(server.wait_for_connections(0, LIMIT), "{way:?}: a connection is left behind");
        assert_eq!(fs::read_dir(place.mountpoint()).expect("an empty directory again").count(), 0);
    }
}

#[test]
fn a_reader_in_a_stalled_transfer_holds_nothing_up() {
    limited(|| reader_in_a_stalled_transfer(User::Root));
}

#[test]
fn a_reader_in_a_stalled_transfer_holds_nothing_up_for_an_ordinary_user() {
    limited(|| reader_in_a_stalled_transfer(User::Nobody));
}

fn reader_in_a_stalled_transfer(user: User) {
    let place = Arc::<Place>::default();
    for way in [Way::Terminate, Way::Interrupt] {
        let server = server();
        server.fault(Fault::stall(Stage::Data(5 << 20)));
        let mount = Mount::at(&place, user, &server.url(""), &PATIENT);
        let mut cat = Started::new(program_of(user, "cat").arg(mount.path().join("big")).stdout(Stdio::null()));
        assert!(server.wait_for(|log| log.stalls() > 0, LIMIT), "{}", server.log());
        way.tell(user, &mount, false);
        mount.ended();
        // The kernel tells the reader that its file is gone.
        let status = cat.0.wait().expect("the child is ours");
        assert!(!status.success(), "{way:?}: a short file and no error");
        assert!(server.wait_for_connections(0, LIMIT), "{way:?}: a connection is left behind");
        server.heal();
        let again = Mount::at(&place, user, &server.url(""), &PATIENT);
        is_alive(user, &again);
        again.unmount_as(user);
    }
}

#[test]
fn a_program_that_lives_in_the_mount_holds_nothing_up() {
    limited(|| program_in_the_mount(User::Root));
}

#[test]
fn a_program_that_lives_in_the_mount_holds_nothing_up_for_an_ordinary_user() {
    limited(|| program_in_the_mount(User::Nobody));
}

fn program_in_the_mount(user: User) {
    let (server, place) = (server(), Arc::<Place>::default());
    for way in [Way::Terminate, Way::Interrupt] {
        let mount = Mount::at(&place, user, &server.url(""), &PATIENT);
        let inhabitant = inhabit(user, &mount.path());
        // A plain unmount is refused, and changes nothing.
        let mut polite = program_of(user, "fusermount3");
        let output = run(polite.arg("-u").arg(mount.path()), PROGRAM_LIMIT);
        assert!(!output.status.success(), "{}", report(&polite, &output));
        is_alive(user, &mount);
        way.tell(user, &mount, false);
        mount.ended();
        assert!(is_running(inhabitant.0.id()), "it was nobody's to end");
        let again = Mount::at(&place, user, &server.url(""), &PATIENT);
        is_alive(user, &again);
        again.unmount_as(user);
    }
}

/// A lazy unmount by the user takes the mount out of sight; who is inside goes on until it is done.
#[test]
fn a_lazy_unmount_lets_programs_finish() {
    limited(|| {
        for way in [Way::Umount, Way::Fusermount] {
            let server = server();
            server.fault(Fault::stall(Stage::Data(5 << 20)).times(1));
            let mount = Mount::new(&server.url(""), &PATIENT);
            let mut file = File::open(mount.path().join("big")).expect("it opens");
            let mut seen = vec![0; 4096];
            file.read_exact(&mut seen).expect("readable");
            way.tell(User::Root, &mount, true);
            assert!(!is_mounted(&mount.path()), "{way:?}: still in sight");
            server.heal();
            file.read_to_end(&mut seen).expect("readable to its end");
            let mut truth = vec![0; BIG as usize];
            fill_pattern(3, 0, &mut truth);
            assert!(seen == truth, "{way:?}: other content");
            assert!(is_running(mount.pid()), "{way:?}: gone with a file open");
            drop(file);
            mount.ended();
        }
    });
}

/// What is mounted in our place after somebody has unmounted us is none of ours to take down.
#[test]
fn another_filesystem_in_the_same_place_is_left_alone() {
    limited(|| {
        // One ends by a signal, with a program still inside; the other when that has gone.
        for by_signal in [true, false] {
            let server = server();
            let mount = Mount::new(&server.url(""), &PATIENT);
            let inhabitant = inhabit(User::Root, &mount.path());
            Way::Umount.tell(User::Root, &mount, true);
            assert!(!is_mounted(&mount.path()), "still in sight");
            let top = mount.path();
            let other = Tmpfs::new(&top);
            fs::write(top.join("other"), "mine").expect("tmpfs can be written");
            let living = by_signal.then_some(inhabitant);
            if by_signal {
                signal(mount.pid(), libc::SIGTERM);
            }
            wait_until("the end of ftpfs", LIMIT, || (!is_running(mount.pid())).then_some(()));
            assert_eq!(fs::read(top.join("other")).expect("it is still mounted"), b"mine");
            drop((living, other));
            mount.ended();
        }
    });
}

// Living.

#[test]
fn two_mounts_of_two_servers_do_not_mix() {
    limited(|| {
        let one = server();
        let two = FakeServer::start(Personality::iis(), Tree::new().file("README", b"the other", DEFAULT_MTIME));
        let (first, second) = (Mount::new(&one.url(""), &[]), Mount::new(&two.url(""), &[]));
        let read = |mount: &Mount| fs::read(mount.path().join("README")).expect("readable");
        assert_eq!((read(&first), read(&second)), (b"read me".to_vec(), b"the other".to_vec()));
        first.unmount();
        assert_eq!(read(&second), b"the other");
        assert!(two.connections_open() >= 1);
        second.terminate();
    });
}

#[test]
fn threads_and_descriptors_do_not_pile_up() {
    const ROUNDS: usize = 200;
    limited(|| {
        let quick = Personality { quiet: Duration::from_millis(1), ..Personality::mlsd() };
        let server = FakeServer::start(quick, tree());
        let mount = Mount::new(&server.url(""), &["-o", "attr_timeout=0,dir_timeout=0,max_connections=4"]);
        let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", mount.pid())).expect("it runs").count();
        let round = || {
            assert_eq!(fs::read(mount.path().join("README")).expect("readable"), b"read me");
            // Closed in the middle of its transfer.
            let mut start = [0; 4096];
            File::open(mount.path().join("big")).and_then(|mut big| big.read_exact(&mut start)).expect("readable");
            assert_eq!(fs::read_dir(mount.path().join("d")).expect("a listing").count(), 1);
        };
        (0..20).for_each(|_| round());
        let before = (count("fd"), count("task"));
        (0..ROUNDS).for_each(|_| round());
        // What the last rounds had begun ends soon; what piles up does not.
        wait_until("as few as before", LIMIT, || {
            let after = (count("fd"), count("task"));
            (after.0 <= before.0 + 4 && after.1 <= before.1 + 4).then_some(())
        });
        assert!(server.max_seen_connections() <= 4, "{} connections", server.max_seen_connections());
        mount.unmount();
    });
}

#[test]
fn eight_readers_of_large_files_stay_within_a_hundred_megabytes() {
    const LARGE: u64 = 300 << 20;
    limited(|| {
        let tree = (0..8).fold(Tree::new(), |tree, i| tree.file_pattern(format!("{i}"), LARGE, i));
        let server = FakeServer::start(Personality::mlsd(), tree);
        let mount = Mount::new(&server.url(""), &PATIENT);
        thread::scope(|readers| {
            for i in 0..8 {
                let path = mount.path().join(i.to_string());
                readers.spawn(move || {
                    let mut file = File::open(path).expect("it opens");
                    assert_eq!(io::copy(&mut file, &mut io::sink()).expect("readable"), LARGE);
                });
            }
        });
        let peak = mount.peak_rss();
        assert!(peak < 100 << 20, "{} MiB", peak >> 20);
        mount.unmount();
    });
}

/// A child that does not outlive the test.
struct Started(Child);

impl Started {
    fn new(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program is there"))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // An error means that it has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A program with a file open and its working directory inside the mount.
fn inhabit(user: User, top: &Path) -> Started {
    const LIVE: &str = r#"cd "$1/d" && exec sleep 1000 3<../README"#;
    let child = Started::new(program_of(user, "sh").args(["-c", LIVE, "sh"]).arg(top));
    let name = format!("/proc/{}/comm", child.0.id());
    wait_until("a program in the mount", LIMIT, || (fs::read(&name).ok()? == b"sleep\n").then_some(()));
    child
}

/// Some other filesystem, unmounted on drop.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn new(path: &'a Path) -> Self {
        stdout_of(command("mount", ["-t", "tmpfs", "none"]).arg(path), PROGRAM_LIMIT);
        Self(path)
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0).status().ok();
    }
}
