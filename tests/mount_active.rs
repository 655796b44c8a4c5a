//! Mounts to whose programs the server connects.

mod support;

use std::fs;
use std::time::Duration;

use support::mount::Mount;
use support::process::with_deadline;
use support::server::{DEFAULT_MTIME, Event, FakeServer, Personality, Tree};

/// Tells a hang; no test takes nearly as long.
const LIMIT: Duration = Duration::from_secs(120);

/// The server connected, sent a short listing and said that all was sent between one look at the port and the next at the
/// control connection; the channel was there, and was not taken.
#[test]
fn a_server_that_is_faster_than_a_look_is_not_taken_for_one_that_never_came() {
    with_deadline(LIMIT, "short listings", || {
        let quick = Personality { opens_before_accept: true, quiet: Duration::from_millis(1), ..Personality::mlsd() };
        let server = FakeServer::start(quick, Tree::new().file("other/file", b"content", DEFAULT_MTIME));
        let mount = Mount::new(&server.url("/"), &["--active", "-o", "max_connections=1,attr_timeout=0,dir_timeout=0"]);
        for _ in 0..300 {
            assert_eq!(fs::read_dir(mount.path().join("other")).expect("listed").count(), 1);
        }
        assert_eq!(server.log().count(|event| matches!(event, Event::Connected)), 1, "{}", server.log());
        mount.unmount();
    });
}
