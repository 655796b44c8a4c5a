//! Mounts to whose programs the server connects, and a server whose sessions silence one another then.

mod support;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use support::mount::Mount;
use support::process::with_deadline;
use support::server::{Active, DEFAULT_MTIME, Event, FakeServer, Fault, Personality, Stage, Tree, fill_pattern};

const FILES: u64 = 8;
const SIZE: usize = 3 << 20;
/// Tells a hang; no test takes nearly as long.
const LIMIT: Duration = Duration::from_secs(120);

fn tree() -> Tree {
    let files = (0..FILES).fold(Tree::new(), |tree, n| tree.file_pattern(format!("d/{n}"), SIZE as u64, n));
    files.file("other/file", b"content", DEFAULT_MTIME)
}

fn tangled() -> Personality {
    Personality { active: Active::Tangled, ..Personality::pyftpdlib() }
}

#[track_caller]
fn is_whole(dir: &Path, number: u64) {
    let mut wanted = vec![0; SIZE];
    fill_pattern(number, 0, &mut wanted);
    let found = fs::read(dir.join(number.to_string())).unwrap_or_else(|e| panic!("{number}: {e}"));
    assert!(found == wanted, "{number}: other bytes");
}

/// pyftpdlib 2.2.0 in active mode: `125`, some bytes or none, and never any more. Whenever a session sent its next `EPRT`, the
/// data channel of another one fell silent, for as long as two of them were at work.
#[test]
fn sessions_that_would_silence_one_another_are_not_opened() {
    let without_passive = Personality { epsv: false, pasv: false, ..tangled() };
    for (personality, arguments) in [(tangled(), &["--active"][..]), (without_passive, &[])] {
        with_deadline(LIMIT, "a tangled server", move || {
            let server = FakeServer::start(personality, tree());
            let mount = Mount::new(&server.url("/"), arguments);
            let dir = mount.path().join("d");
            thread::scope(|all| {
                for number in 0..FILES {
                    let dir = &dir;
                    all.spawn(move || is_whole(dir, number));
                }
                let other = mount.path().join("other");
                all.spawn(move || assert_eq!(fs::read(other.join("file")).expect("readable"), b"content"));
            });
            fs::copy(dir.join("0"), dir.join("copy")).expect("what is stored has one connection as well");
            assert_eq!(server.log().stalls(), 0, "{}", server.log());
            assert_eq!(server.max_seen_connections(), 1);
            mount.unmount();
        });
    }
}

/// The server connected, sent a short listing and said that all was sent between one look at the port and the next at the
/// control connection; the channel was there, and was not taken.
#[test]
fn a_server_that_is_faster_than_a_look_is_not_taken_for_one_that_never_came() {
    with_deadline(LIMIT, "short listings", || {
        let quick = Personality { opens_before_accept: true, quiet: Duration::from_millis(1), ..Personality::mlsd() };
        let server = FakeServer::start(quick, tree());
        let mount = Mount::new(&server.url("/"), &["--active", "-o", "max_connections=1,attr_timeout=0,dir_timeout=0"]);
        for _ in 0..300 {
            assert_eq!(fs::read_dir(mount.path().join("other")).expect("listed").count(), 1);
        }
        assert_eq!(server.log().count(|event| matches!(event, Event::Connected)), 1, "{}", server.log());
        mount.unmount();
    });
}

/// One transfer stands still, and another file is read meanwhile: on another connection.
#[test]
fn all_others_keep_their_connections() {
    let cases = [(Personality::pyftpdlib(), &[][..]), (Personality::mlsd(), &["--active"])];
    for (personality, arguments) in cases {
        with_deadline(LIMIT, "a server that is not tangled", move || {
            let server = FakeServer::start(personality, tree());
            let mount = Mount::new(&server.url("/"), &[arguments, &["--timeout", "1h"]].concat());
            let dir = mount.path().join("d");
            server.fault(Fault::stall(Stage::Data(0)).path("/d/0").times(1));
            thread::scope(|all| {
                all.spawn(|| is_whole(&dir, 0));
                server.await_stalls(1);
                is_whole(&dir, 1);
                server.release();
            });
            assert!(server.max_seen_connections() > 1);
            mount.unmount();
        });
    }
}
