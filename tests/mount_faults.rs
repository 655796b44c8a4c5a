//! What programs on a mount are told when the server falls silent, breaks off, lies, changes files or goes away.
//!
//! The rules: an answer comes within the timeout, what is known is shown meanwhile, a file is never short or mixed
//! without an error, and when the server is well again, so is the mount.

mod support;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, command, run, wait_until, with_deadline};
use support::programs::{program, stdout_in, temporary};
use support::server::{Cut, DEFAULT_MTIME, End, FakeServer, Fault, Personality, Refusal, Stage, Tree, fill_pattern};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 40 * MIB + 17;
/// Tells a hang; no test takes nearly as long.
const LIMIT: Duration = Duration::from_secs(180);
/// As many connections as ftpfs makes unless told otherwise.
const CONNECTIONS: usize = 16;

/// A short patience, and listings that outlive the test.
const HURRIED: [&str; 2] = ["-o", "timeout=1s,connect_timeout=1s,attr_timeout=1h,dir_timeout=1h"];
/// More patience than the test has.
const PATIENT: [&str; 2] = ["-o", "timeout=1h,attr_timeout=1h,dir_timeout=1h"];
/// Each question goes to the server.
const NEVER: [&str; 2] = ["-o", "attr_timeout=0,dir_timeout=0,negative_timeout=0"];

fn tree() -> Tree {
    let tree = Tree::new().file("d/small", b"hello world", DEFAULT_MTIME).file_pattern("d/big", SIZE, 7);
    tree.file("unseen/a", b"a", DEFAULT_MTIME).file("unseen/b", b"b", DEFAULT_MTIME)
}

fn pattern(seed: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    fill_pattern(seed, 0, &mut bytes);
    bytes
}

fn limited(body: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    with_deadline(LIMIT, &name, body);
}

fn count(dir: &Path) -> io::Result<usize> {
    fs::read_dir(dir)?.try_fold(0, |count, entry| entry.map(|_| count + 1))
}

/// Asserts that a failure is the one for servers that do not answer.
#[track_caller]
fn is_silence<T: std::fmt::Debug>(result: io::Result<T>, what: &str) {
    let number = result.map(|_| "success").map_err(|e| e.raw_os_error());
    assert!(matches!(number, Err(Some(libc::ETIMEDOUT | libc::EIO))), "{what}: {number:?}");
}

/// Asserts that all is well again, after the pauses that a pool keeps from a server that was out of reach.
fn recovers(server: &FakeServer, mount: &Mount, what: &str) {
    server.heal();
    let top = mount.path();
    let well = || {
        (fs::read(top.join("d/small")).ok()? == b"hello world" && count(&top.join("unseen")).ok()? == 2).then_some(())
    };
    wait_until(&format!("{what}: recovery"), LIMIT, well);
    assert!(server.wait_for_connections(CONNECTIONS, LIMIT), "{what}: connections leak");
    assert!(server.max_seen_connections() <= CONNECTIONS, "{what}: {} connections", server.max_seen_connections());
}

#[test]
fn silence_while_mounting_is_one_line_and_no_mount() {
    limited(|| {
        let stages = [
            Stage::Greeting,
            Stage::Reply("USER"),
            Stage::Login,
            Stage::Reply("TYPE"),
            Stage::Feat,
            Stage::Reply("PWD"),
            Stage::Reply("CWD"),
        ];
        for stage in stages {
            let server = FakeServer::start(Personality::mlsd(), tree());
            server.fault(Fault::stall(stage));
            refused_as_silent(&server.url(""), &format!("{stage:?}"));
            assert!(server.wait_for_connections(0, LIMIT), "{stage:?}: something is left behind");
        }
        // The kernel accepts for a server that never does.
        let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = nobody.local_addr().expect("it is bound");
        refused_as_silent(&format!("ftp://user:pass@{address}/"), "nobody accepts");
    });
}

#[track_caller]
fn refused_as_silent(url: &str, what: &str) {
    let output = Mount::refused(url, &HURRIED);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{what}");
    assert!(text.starts_with("ftpfs: cannot reach 127.0.0.1:") && text.contains("timed out"), "{what}: {text}");
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{what}: {text}");
    assert!(output.stdout.is_empty(), "{what}");
}

#[test]
fn silence_while_reading_is_an_error_and_the_rest_goes_on() {
    let stages = [
        Stage::Greeting,
        Stage::Login,
        Stage::Reply("MLST"),
        Stage::Epsv,
        Stage::Reply("RETR"),
        Stage::Accept,
        Stage::AfterOpening,
        Stage::Data(1000),
        Stage::Data(5 * MIB),
    ];
    limited(move || {
        thread::scope(|all| {
            for stage in stages {
                let mount = stalled_at(stage);
                all.spawn(move || {
                    let (server, mount) = mount;
                    let big = mount.path().join("d/big");
                    let reader = thread::spawn(move || fs::read(big));
                    goes_on_meanwhile(&server, &mount);
                    is_silence(reader.join().expect("no panic").map(|bytes| bytes.len()), &format!("cat, {stage:?}"));
                    recovers(&server, &mount, &format!("cat, {stage:?}"));
                    assert!(fs::read(mount.path().join("d/big")).expect("readable") == pattern(7, SIZE), "{stage:?}");
                    mount.unmount();
                });
            }
        });
    });
}

/// pyftpdlib 2.2.0 where several clients have it connect to them: `125`, an established connection, and never a byte.
#[test]
fn a_transfer_that_never_brings_a_byte_is_begun_anew_unseen() {
    limited(|| {
        let server = FakeServer::start(Personality::proftpd(), tree());
        let mount = Mount::new(&server.url("/"), &["--timeout", "6"]);
        server.fault(Fault::stall(Stage::Data(0)).verb("RETR").times(1));
        assert_eq!(fs::read(mount.path().join("d/big")).expect("the second transfer brings it"), pattern(7, SIZE));
        let retrievals = server.log().verb("RETR");
        assert!(retrievals >= 2, "{retrievals}");
        mount.unmount();
    });
}

/// The same, after all bytes of a file that fits into one piece: its end never comes.
#[test]
fn a_transfer_that_never_ends_is_begun_anew_unseen() {
    limited(|| {
        let server = FakeServer::start(Personality::proftpd(), tree());
        let mount = Mount::new(&server.url("/"), &["--timeout", "6"]);
        server.fault(Fault::stall(Stage::Data(11)).verb("RETR").times(1));
        assert_eq!(fs::read(mount.path().join("d/small")).expect("the second transfer ends"), b"hello world");
        assert_eq!(server.log().verb("RETR"), 2, "{}", server.log());
        mount.unmount();
    });
}

/// The line was back after ten seconds, but the connection waited for its next retransmission until the read had failed.
#[test]
fn a_transfer_that_falls_silent_is_taken_up_by_another_one_in_time() {
    limited(|| {
        let server = FakeServer::start(Personality::proftpd(), tree());
        let mount = Mount::new(&server.url("/"), &["--timeout", "6"]);
        server.fault(Fault::stall(Stage::Data(100_000)).verb("RETR").times(1));
        assert_eq!(fs::read(mount.path().join("d/big")).expect("another transfer brings the rest"), pattern(7, SIZE));
        assert!(server.log().verb("RETR") >= 2);
        mount.unmount();
    });
}

#[test]
fn silence_while_listing_is_an_error_and_the_rest_goes_on() {
    let stages = [
        Stage::Greeting,
        Stage::Login,
        Stage::Epsv,
        Stage::Reply("MLSD"),
        Stage::Accept,
        Stage::AfterOpening,
        Stage::Data(10),
        Stage::Final,
    ];
    limited(move || {
        thread::scope(|all| {
            for stage in stages {
                let mount = stalled_at(stage);
                all.spawn(move || {
                    let (server, mount) = mount;
                    let unseen = mount.path().join("unseen");
                    let lister = thread::spawn(move || count(&unseen));
                    goes_on_meanwhile(&server, &mount);
                    is_silence(lister.join().expect("no panic"), &format!("ls, {stage:?}"));
                    recovers(&server, &mount, &format!("ls, {stage:?}"));
                    mount.unmount();
                });
            }
        });
    });
}

/// A mount that knows `/` and `d`, of a server that will stall at `stage`.
fn stalled_at(stage: Stage) -> (FakeServer, Mount) {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let mount = Mount::new(&server.url(""), &HURRIED);
    assert_eq!(count(&mount.path().join("d")).expect("it can be listed"), 2);
    // New connections, so that there is a greeting.
    assert!(server.wait_for_idle(server.connections_open(), LIMIT));
    server.close_idle_connections();
    server.fault(Fault::stall(stage));
    (server, mount)
}

/// Waits until somebody is stuck; what is known is shown all the same.
fn goes_on_meanwhile(server: &FakeServer, mount: &Mount) {
    assert!(server.wait_for(|log| log.stalls() > 0, LIMIT), "{}", server.log());
    assert_eq!(count(&mount.path().join("d")).expect("it is known"), 2);
    assert_eq!(fs::metadata(mount.path().join("d/small")).expect("it is known").len(), 11);
}

/// A 226 that never comes keeps nobody from the bytes that have.
#[test]
fn a_missing_end_of_transfer_does_not_spoil_a_whole_file() {
    limited(|| {
        let (server, mount) = stalled_at(Stage::Final);
        assert_eq!(fs::read(mount.path().join("d/small")).expect("all of it came"), b"hello world");
        recovers(&server, &mount, "226");
        mount.unmount();
    });
}

#[test]
fn sixty_four_stuck_readers_stop_nobody_who_asks_for_what_is_known() {
    limited(|| {
        let mut tree = tree();
        (0..64).for_each(|i| tree.write_pattern(format!("d/f{i}"), MIB, i, DEFAULT_MTIME));
        let server = FakeServer::start(Personality::mlsd(), tree);
        let mount = Mount::new(&server.url(""), &PATIENT);
        let dir = mount.path().join("d");
        assert_eq!(count(&dir).expect("it can be listed"), 66);
        server.fault(Fault::stall(Stage::AfterOpening).verb("RETR"));
        let readers: Vec<_> = (0..64)
            .map(|i| {
                let path = dir.join(format!("f{i}"));
                thread::spawn(move || fs::read(path).expect("readable once the server goes on"))
            })
            .collect();
        // One connection is kept for metadata.
        let most = CONNECTIONS - 1;
        assert!(server.wait_for(|log| log.stalls() >= most, LIMIT), "{}", server.log());
        assert_eq!(stdout_in(&dir, "ls", &["-l"]).lines().count(), 67, "with the line `total`");
        assert_eq!(fs::metadata(dir.join("small")).expect("it is known").len(), 11);
        assert_eq!(count(&mount.path().join("unseen")).expect("metadata has a connection"), 2);
        assert!(readers.iter().all(|reader| !reader.is_finished()), "a reader has ended");
        server.heal();
        for (i, reader) in readers.into_iter().enumerate() {
            assert!(reader.join().expect("no panic") == pattern(i as u64, MIB), "file {i}");
        }
        recovers(&server, &mount, "64 readers");
        mount.unmount();
    });
}

#[test]
fn a_cut_in_the_middle_of_cat_is_mended() {
    limited(|| {
        let cuts = [
            ("reset", Cut::both(End::Rst)),
            ("end", Cut::both(End::Fin)),
            ("data only, no reply", Cut::data(End::Rst)),
            ("short, 426", Cut::data(End::Fin).saying("426 Failure writing network stream.")),
            ("short, 226", Cut::data(End::Fin).saying("226 Transfer complete.")),
            ("control lost", Cut::control(End::Rst)),
        ];
        for (what, cut) in cuts {
            let server = FakeServer::start(Personality::mlsd(), tree());
            let mount = Mount::new(&server.url(""), &["-o", "timeout=2s"]);
            server.fault(Fault::cut(Stage::Data(5 * MIB + 3), cut.clone()).times(1));
            server.fault(Fault::cut(Stage::Data(7 * MIB), cut).nth(2));
            let output = run(&mut command("cat", [mount.path().join("d/big")]), PROGRAM_LIMIT);
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout == pattern(7, SIZE), "{what}: other content");
            assert!(server.log().verb("RETR") > 1, "{what}: nothing was cut");
            mount.unmount();
        }
    });
}

/// Whatever the 226 says: fewer bytes than the file has are a failure.
#[test]
fn a_file_is_never_short_without_an_error() {
    limited(|| {
        for cut in [Cut::data(End::Fin).saying("226 Transfer complete."), Cut::both(End::Rst)] {
            let server = FakeServer::start(Personality::mlsd(), tree());
            let mount = Mount::new(&server.url(""), &["-o", "timeout=2s"]);
            server.fault(Fault::cut(Stage::Data(MIB), cut.clone()).verb("RETR").times(1));
            server.fault(Fault::cut(Stage::Data(0), cut).verb("RETR").after(1));
            let output = run(&mut command("cat", [mount.path().join("d/big")]), PROGRAM_LIMIT);
            assert!(!output.status.success(), "{} bytes and no error", output.stdout.len());
            assert!(pattern(7, SIZE).starts_with(&output.stdout), "wrong bytes before the end");
            is_silence(fs::read(mount.path().join("d/big")).map(|bytes| bytes.len()), "a second time");
            recovers(&server, &mount, "short");
            assert!(fs::read(mount.path().join("d/big")).expect("readable") == pattern(7, SIZE));
            mount.unmount();
        }
    });
}

/// Other content for `d/big`: another file in its place, or the same one rewritten.
type Change = fn(&mut Tree);

const CHANGES: [(&str, Change); 5] = [
    ("replaced", |tree| {
        tree.write_pattern("d/new", SIZE, 8, DEFAULT_MTIME + 60);
        tree.rename("d/new", "d/big");
    }),
    ("replaced by a longer one", |tree| {
        tree.write_pattern("d/new", SIZE + MIB, 8, DEFAULT_MTIME + 60);
        tree.rename("d/new", "d/big");
    }),
    ("rewritten", |tree| tree.write_pattern("d/big", SIZE, 8, DEFAULT_MTIME + 60)),
    ("rewritten, longer", |tree| tree.write_pattern("d/big", SIZE + MIB, 8, DEFAULT_MTIME + 60)),
    ("rewritten, shorter", |tree| tree.write_pattern("d/big", SIZE - MIB, 8, DEFAULT_MTIME + 60)),
];

#[test]
fn a_file_that_changes_under_its_reader_is_never_a_mixture() {
    limited(|| {
        for personality in [Personality::mlsd(), Personality::unix_list()] {
            for (what, change) in CHANGES {
                let server = FakeServer::start(personality.clone(), tree());
                let mount = Mount::new(&server.url(""), &[]);
                let big = mount.path().join("d/big");
                // The transfer is under way, and much of it still on the server.
                server.fault(Fault::stall(Stage::Data(2 * MIB)).times(1));
                let mut file = File::open(&big).expect("it opens");
                let mut seen = vec![0; 4096];
                file.read_exact(&mut seen).expect("readable");
                assert!(server.wait_for(|log| log.stalls() == 1, LIMIT), "{what}: {}", server.log());
                server.tree().update(change);
                server.heal();
                match file.read_to_end(&mut seen) {
                    Err(e) => assert_eq!(e.raw_os_error(), Some(libc::ESTALE), "{what}: {e}"),
                    Ok(_) => assert!(seen == pattern(7, SIZE), "{what}: {} bytes, a mixture", seen.len()),
                }
                drop(file);
                mount.unmount();
            }
        }
    });
}

#[test]
fn a_server_that_starts_anew_between_two_operations_is_not_noticed() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let mount = Mount::new(&server.url(""), &NEVER);
        let (dir, small) = (mount.path().join("d"), mount.path().join("d/small"));
        for round in 0..6 {
            assert_eq!(count(&dir).expect("it can be listed"), 2);
            assert_eq!(fs::read(&small).expect("readable"), b"hello world");
            assert!(server.wait_for_idle(server.connections_open(), LIMIT));
            let closed = match round % 3 {
                0 => server.close_idle_connections(),
                1 => server.cut_idle_connections(End::Fin),
                _ => server.cut_idle_connections(End::Rst),
            };
            assert!(closed > 0, "there was a connection to lose");
            assert_eq!(fs::metadata(&small).expect("it is there").len(), 11);
        }
        // In the middle of a file, too.
        let mut file = File::open(dir.join("big")).expect("it opens");
        let mut seen = vec![0; 4096];
        file.read_exact(&mut seen).expect("readable");
        server.cut_idle_connections(End::Rst);
        file.read_to_end(&mut seen).expect("readable");
        assert!(seen == pattern(7, SIZE));
        drop(file);
        mount.unmount();
    });
}

#[test]
fn copying_and_listing_share_a_single_connection() {
    limited(|| {
        for how in [Refusal::Greeting421, Refusal::Pass530] {
            let mut tree = Tree::new().file_pattern("big", 3 * MIB + 17, 7);
            for i in 0..40 {
                tree.write_pattern(format!("many/{}/f{i}", i % 4), i * 9999, i, DEFAULT_MTIME);
            }
            // Thousands of flights: too many for the pause that counts them exactly.
            let quick = Personality { quiet: Duration::from_millis(1), ..Personality::mlsd() };
            let server = FakeServer::start(quick, tree);
            server.fault(Fault::max_connections(1, how));
            let mount = Mount::new(&server.url(""), &NEVER);
            let home = temporary();
            let done = AtomicBool::new(false);
            thread::scope(|both| {
                let list = || {
                    let mut listings = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        listings.push(stdout_in(&mount.path(), "ls", &["-lR", "--time-style=+%s"]));
                    }
                    listings
                };
                let listers = [both.spawn(list), both.spawn(list), both.spawn(list)];
                program(&mount.path(), "cp", &["-r", ".", &home.path().join("cp").to_string_lossy()]);
                done.store(true, Ordering::Relaxed);
                let listings = listers.map(|lister| lister.join().expect("every listing succeeds")).concat();
                assert!(listings.windows(2).all(|two| two[0] == two[1]), "{how:?}: listings differ");
            });
            is_copy(&server, &home.path().join("cp"));
            mount.unmount();
        }
    });
}

/// Asserts that `dir` holds what the server does.
fn is_copy(server: &FakeServer, dir: &Path) {
    let files: Vec<PathBuf> = support::tree::paths(dir).into_iter().map(PathBuf::from).collect();
    assert_eq!(files.len(), 1 + 40 + 5, "{files:?}");
    for path in files.iter().filter(|path| dir.join(path).is_file()) {
        let truth = server.tree().lock().read(path.as_os_str().as_encoded_bytes(), 0, usize::MAX);
        assert!(fs::read(dir.join(path)).expect("a copy") == truth, "{}", path.display());
    }
}
