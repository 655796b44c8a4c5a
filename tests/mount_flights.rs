//! What programs on a mount cost in flights: round trips between a mount and its server.
//!
//! The scripted server counts them. The kernel asks more than a program does, and remembers on its own; so the counts
//! here are those that a user pays.

mod support;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use support::mount::Mount;
use support::process::{command, with_deadline};
use support::programs::stdout_in;
use support::server::{DEFAULT_MTIME, FakeServer, Personality, Tree};

const LIMIT: Duration = Duration::from_secs(120);

/// Listings that are believed for as long as any test takes.
const LONG: [&str; 2] = ["-o", "attr_timeout=1h,dir_timeout=1h,negative_timeout=1h"];

/// Nothing is believed: each question goes to the server.
const NEVER: [&str; 2] = ["-o", "attr_timeout=0,dir_timeout=0,negative_timeout=0"];

fn tree() -> Tree {
    let tree = Tree::new().file("d/one", b"the first", DEFAULT_MTIME).file("d/two", b"the second", DEFAULT_MTIME);
    let tree = tree.file("d/sub/three", b"the third", DEFAULT_MTIME).file_pattern("d/large", 5 << 20, 5);
    tree.file("warm/up/x", b"", DEFAULT_MTIME)
}

/// Runs `body` on a mount of `personality`, on which nothing but the login has happened.
fn on(
    personality: Personality,
    tree: Tree,
    options: &'static [&'static str],
    body: impl FnOnce(&FakeServer, &Path) + Send + 'static,
) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    with_deadline(LIMIT, &name, move || {
        let server = FakeServer::start(personality, tree);
        let mount = Mount::new(&server.url(""), options);
        body(&server, &mount.path());
        mount.unmount();
    });
}

/// Two directories are listed, so that data channels are opened ahead from now on.
fn in_demand(server: &FakeServer, top: &Path) {
    assert_eq!(names(&top.join("warm/up")), ["x"]);
    server.wait_armed(1);
}

/// Asserts what `body` costs one for whom a data channel is open.
#[track_caller]
fn costs<T>(server: &FakeServer, flights: usize, body: impl FnOnce() -> T) -> T {
    server.wait_armed(1);
    server.clear_log();
    server.reset_flights();
    let value = body();
    assert_eq!(server.armed_flights(), flights, "flights:\n{}", server.log());
    value
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("it can be listed");
    let mut names: Vec<_> = entries.map(|e| e.expect("a name").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// The first byte of a file, and not more than the kernel reads ahead.
fn first_byte(path: &Path) -> u8 {
    let mut byte = [0];
    File::open(path).and_then(|mut file| file.read_exact(&mut byte)).expect("it can be read");
    byte[0]
}

#[test]
fn a_directory_costs_one_flight_and_its_names_nothing() {
    on(Personality::mlsd(), tree(), &LONG, |server, top| {
        in_demand(server, top);
        let dir = top.join("d");
        costs(server, 1, || assert_eq!(names(&dir), ["large", "one", "sub", "two"]));
        costs(server, 0, || {
            assert_eq!(fs::metadata(dir.join("two")).expect("it is there").mtime(), DEFAULT_MTIME);
            fs::metadata(dir.join("missing")).expect_err("the listing says so");
            assert_eq!(names(&dir).len(), 4);
        });
        // `ls -l` and `find` of what was listed ask nothing, either.
        costs(server, 0, || stdout_in(&dir, "ls", &["-la"]));
        costs(server, 1, || stdout_in(top, "find", &[".", "-type", "f"]));
        costs(server, 0, || stdout_in(top, "find", &[".", "-newermt", "2005-01-01"]));
    });
}

/// Before anything is known of what a program does.
#[test]
fn the_first_directory_costs_two_flights() {
    on(Personality::mlsd(), tree(), &LONG, |server, top| {
        server.reset_flights();
        assert_eq!(names(top), ["d", "warm"]);
        assert_eq!(server.work_flights(), 2, "{}", server.log());
    });
}

#[test]
fn a_name_that_the_kernel_never_saw_costs_nothing_either() {
    on(Personality::mlsd(), tree(), &LONG, |server, top| {
        in_demand(server, top);
        // The listing comes for the one name; the kernel has heard of no other.
        costs(server, 1, || fs::metadata(top.join("d/one")).expect("it is there"));
        costs(server, 0, || {
            assert_eq!(fs::metadata(top.join("d/two")).expect("it is there").len(), 10);
            assert_eq!(fs::metadata(top.join("d/large")).expect("it is there").len(), 5 << 20);
            fs::metadata(top.join("d/never")).expect_err("it is not there");
        });
    });
}

#[test]
fn the_first_byte_of_a_file_and_a_small_file_cost_one_flight() {
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::iis()] {
        on(personality, tree(), &LONG, |server, top| {
            in_demand(server, top);
            // Without MLSD this asks for the exact times of all names, too.
            stdout_in(&top.join("d"), "ls", &["-l"]);
            costs(server, 1, || assert_eq!(first_byte(&top.join("d/one")), b't'));
            costs(server, 1, || assert_eq!(fs::read(top.join("d/two")).expect("readable"), b"the second"));
            // One more at the end, to be sure that a large file is still the one that it was at the beginning; on vsftpd it may
            // travel behind the data.
            server.wait_armed(1);
            server.clear_log();
            server.reset_flights();
            assert_eq!(fs::read(top.join("d/large")).expect("readable").len(), 5 << 20);
            assert!(server.armed_flights() <= 2, "{}", server.log());
        });
    }
}

#[test]
fn ls_l_of_a_thousand_files_asks_their_times_in_some_thirty_flights() {
    const COUNT: usize = 1000;
    // IIS shows a time of day for the directory as well: one flight finds out in which zone that is, once.
    for (personality, zone) in [(Personality::unix_list(), 0), (Personality::iis(), 32)] {
        on(personality, Tree::new().many("many", COUNT), &LONG, move |server, top| {
            let dir = top.join("many");
            assert_eq!(names(&dir).len(), COUNT);
            assert_eq!(server.log().verb("MDTM"), zone, "who only wants the names pays for no times");
            server.reset_flights();
            let listing = stdout_in(&dir, "ls", &["-l", "--time-style=+%s"]);
            let exact = listing.lines().filter(|line| line.contains(&DEFAULT_MTIME.to_string())).count();
            assert_eq!(exact, COUNT);
            let flights = server.work_flights();
            assert!((30..=36).contains(&flights), "{flights} flights");
            costs(server, 0, || assert_eq!(stdout_in(&dir, "ls", &["-l", "--time-style=+%s"]), listing));
        });
    }
}

#[test]
fn the_same_file_once_more_comes_from_the_kernel() {
    on(Personality::mlsd(), tree(), &LONG, |server, top| {
        let large = top.join("d/large");
        let truth = server.tree().lock().read("d/large", 0, 5 << 20);
        let cat = || support::process::stdout_of(command("cat", [&large]).current_dir("/"), LIMIT);
        assert!(cat() == truth);
        costs(server, 0, || assert!(cat() == truth, "other content the second time"));
    });
}

/// Even where each question goes to the server, what has not changed is not sent again.
#[test]
fn an_unchanged_file_is_asked_about_but_not_sent_again() {
    on(Personality::mlsd(), tree(), &NEVER, |server, top| {
        let read = || fs::read(top.join("d/large")).expect("readable");
        assert_eq!(server.log().verb("RETR"), 0);
        let first = read();
        let transfers = server.log().verb("RETR");
        assert!(read() == first);
        assert_eq!(server.log().verb("RETR"), transfers, "{}", server.log());
        assert!(server.log().verb("MLSD") > 2, "nothing is believed: {}", server.log());
    });
}

#[test]
fn changes_on_the_server_show_as_soon_as_nothing_is_believed_any_more() {
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::iis()] {
        on(personality, tree(), &NEVER, |server, top| {
            let one = top.join("d/one");
            assert_eq!(fs::read(&one).expect("readable"), b"the first");
            // Of the same length, so that the time alone tells.
            server.tree().update(|tree| tree.write("d/one", b"the later", DEFAULT_MTIME + 60));
            assert_eq!(fs::read(&one).expect("readable"), b"the later");
            server.tree().update(|tree| tree.write("d/one", b"and longer than before", DEFAULT_MTIME + 120));
            let metadata = fs::metadata(&one).expect("it is there");
            assert_eq!((metadata.len(), metadata.mtime()), (22, DEFAULT_MTIME + 120));
            assert_eq!(fs::read(&one).expect("readable"), b"and longer than before");
            server.tree().update(|tree| {
                tree.remove("d/one");
                tree.write("d/new", b"new", DEFAULT_MTIME);
            });
            fs::read(&one).expect_err("it is gone");
            assert_eq!(fs::read(top.join("d/new")).expect("it is there"), b"new");
            assert_eq!(names(&top.join("d")), ["large", "new", "sub", "two"]);
        });
    }
}

/// A short time to live ends by itself, and until then nothing is asked.
#[test]
fn a_listing_is_believed_for_its_time_and_no_longer() {
    on(Personality::mlsd(), tree(), &["-o", "attr_timeout=1s,dir_timeout=1s"], |server, top| {
        assert_eq!(fs::read(top.join("d/one")).expect("readable"), b"the first");
        server.tree().update(|tree| tree.write("d/one", b"changed", DEFAULT_MTIME + 60));
        support::process::wait_until("the new content", LIMIT, || {
            (fs::read(top.join("d/one")).expect("readable") == b"changed").then_some(())
        });
    });
}

/// Walking costs no listing more than it shows, and with a single connection nothing is fetched ahead.
#[test]
fn a_walk_lists_each_directory_once() {
    for most in ["max_connections=8", "max_connections=1"] {
        let mut tree = Tree::new();
        for n in 0..40 {
            tree = tree.file(format!("w{}/x{}/y{n}/file", n % 3, n % 9), b"content", DEFAULT_MTIME);
        }
        let options: &'static [&'static str] = if most.ends_with('8') {
            &["-o", "attr_timeout=1h,dir_timeout=1h,negative_timeout=1h,max_connections=8"]
        } else {
            &["-o", "attr_timeout=1h,dir_timeout=1h,negative_timeout=1h,max_connections=1"]
        };
        on(Personality::mlsd(), tree, options, |server, top| {
            server.clear_log();
            let found = stdout_in(top, "find", &[".", "-type", "f"]);
            assert_eq!(found.lines().count(), 40);
            let dirs = stdout_in(top, "find", &[".", "-type", "d"]).lines().count();
            assert_eq!(server.log().verb("MLSD"), dirs, "{}", server.log());
        });
    }
}
