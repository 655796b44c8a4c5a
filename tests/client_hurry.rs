//! What is asked before the final reply of an upload, on servers that take their time with it.

mod support;

use std::time::Duration;

use ftpfs::ftp::Client;
use ftpfs::remote::{Applied, Remote as _, Result, Settings, Store, Stored};
use support::client::{client, path, soon};
use support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Stage, Tree};

const BOTH: Settings = Settings { mtime: Some(1_234_567_890), mode: Some(0o640) };

/// Longer than the moment after which nobody waits any more, on a busy machine, too.
const LATE: Duration = Duration::from_millis(300);

fn store(client: &Client, file: &str, content: &[u8], leave: bool) -> Result<Stored> {
    let mut upload = client.upload(&path(file), Store::Whole, &Default::default(), soon())?;
    if leave {
        upload.may_leave_settings();
    }
    upload.write(content, soon())?;
    upload.finish(&BOTH, soon())
}

/// A server that is known, with two connections made, whose final replies are late from now on.
fn late(personality: Personality) -> (FakeServer, Client) {
    let server =
        FakeServer::start(personality, Tree::new().file("old", "old", DEFAULT_MTIME).file_pattern("big", 9 << 20, 7));
    let client = client(&server);
    let held = client.download(&path("/big"), 0, &Default::default(), soon()).expect("a transfer");
    store(&client, "/first", b"first", false).expect("it is stored");
    held.finish(soon()).expect("an early end");
    store(&client, "/second", b"second", false).expect("it is stored");
    server.wait_armed(1);
    server.fault(Fault::delay(Stage::Final, LATE).verb("STOR"));
    server.clear_log();
    server.reset_flights();
    (server, client)
}

fn content(server: &FakeServer, file: &str) -> Vec<u8> {
    server.tree().lock().read(file, 0, 10 << 20)
}

#[test]
fn the_size_is_asked_for_on_another_connection_before_the_final_reply_has_come() {
    for personality in [Personality::mlsd(), Personality::proftpd(), Personality::pure(), Personality::pyftpdlib()] {
        let (server, client) = late(personality);
        let stored = store(&client, "/new", b"content", true).expect("it is stored");
        assert_eq!(stored.version.map(|version| version.size), Some(7));
        assert!(matches!(stored.outcome.mtime, Applied::Later), "{:?}", stored.outcome);
        assert!(matches!(stored.outcome.mode, Applied::Done), "{:?}", stored.outcome);
        assert_eq!((content(&server, "new"), server.mode_of("new")), (b"content".to_vec(), Some(0o640)));
        let log = server.log();
        assert_eq!((log.verb("SIZE").max(log.verb("MLST")), log.verb("MFMT")), (1, 0), "{log}");
        // Both at once, so that one round trip is all that it takes.
        assert_eq!(server.armed_flights(), 2, "{log}");
    }
}

#[test]
fn without_leave_the_time_is_set_behind_the_final_reply() {
    let (server, client) = late(Personality::mlsd());
    let stored = store(&client, "/new", b"content", false).expect("it is stored");
    assert!(matches!(stored.outcome.mtime, Applied::Done), "{:?}", stored.outcome);
    assert_eq!(server.mtime_of("new"), BOTH.mtime);
}

/// The server was slow, or another one answers: nothing is proved by that.
#[test]
fn an_early_answer_that_says_less_is_asked_for_again() {
    let (server, client) = late(Personality::mlsd());
    server.fault(Fault::reply("SIZE", "213 3").times(1));
    let stored = store(&client, "/new", b"content", true).expect("it is stored");
    assert_eq!(stored.version.map(|version| version.size), Some(7), "{}", server.log());
    assert!(matches!(stored.outcome.mtime, Applied::Done), "{:?}", stored.outcome);
    assert!(server.log().verb("SIZE") >= 2, "{}", server.log());
    assert_eq!(server.mtime_of("new"), BOTH.mtime);
}

/// Pure-FTPd with -0, ProFTPD with HiddenStores: the name is not there before the file is whole.
#[test]
fn where_a_file_shows_only_when_it_is_whole_nobody_asks_early_again() {
    let (server, client) = late(Personality::mlsd());
    for verb in ["MLST", "SIZE", "SITE CHMOD"] {
        server.fault(Fault::reply(verb, "550 No such file or directory").times(1));
    }
    store(&client, "/new", b"content", true).expect("it is stored");
    assert_eq!((content(&server, "new"), server.mtime_of("new")), (b"content".to_vec(), BOTH.mtime));
    server.clear_log();
    let stored = store(&client, "/newer", b"content", true).expect("it is stored");
    assert!(matches!(stored.outcome.mtime, Applied::Done), "{}", server.log());
}

/// vsftpd 3.0.3 lingers until the end of its data connection is acknowledged.
#[test]
fn vsftpd_is_not_waited_for_longer_than_it_takes_to_read() {
    let (server, client) = late(Personality::unix_list());
    let stored = store(&client, "/new", b"content", true).expect("it is stored");
    assert_eq!(stored.version.map(|version| version.size), Some(7), "{}", server.log());
    assert!(matches!(stored.outcome.mtime, Applied::Done), "{:?}", stored.outcome);
    assert_eq!(content(&server, "new"), b"content");
    let log = server.log();
    let burst = log.bursts().into_iter().find(|burst| burst.contains(&"SIZE")).expect("it was asked");
    assert_eq!(server.armed_flights(), 1, "{burst:?} {log}");
}

/// It has not read everything, or something was lost on the way: the upload begins anew, and is not cut short again.
#[test]
fn a_reset_that_came_too_early_costs_no_byte() {
    let (server, client) = late(Personality::unix_list());
    let long = vec![7; 3 << 20];
    let words = "426 Failure reading network stream.";
    server.fault(Fault::reply_at(Stage::Final, words).verb("STOR").after(1).times(1));
    store(&client, "/fine", b"content", true).expect("it is stored");
    let error = store(&client, "/new", b"content", true).expect_err("the server has not read everything");
    assert_eq!(error.retry, ftpfs::remote::Retry::Safe, "{error}");
    store(&client, "/new", b"content", true).expect("it is stored");
    store(&client, "/long", &long, true).expect("it is stored");
    assert_eq!(content(&server, "new"), b"content");
    assert!(content(&server, "long") == long);
}
