//! Copies that a server makes by itself, on a fake one that refuses, lies and dies.

mod support;

use std::time::Duration;

use ftpfs::base::Deadline;
use ftpfs::config::{Server, Tls, TlsMode};
use ftpfs::ftp::Client;
use ftpfs::remote::{Error, ErrorKind, Remote as _, Result, Settings, Stored};
use support::client::{client_with, config, path, soon};
use support::server::{
    Active, Copies, Cut, DEFAULT_MTIME, Disk, End, Event, FakeServer, Fault, Personality, Stage, Tls as ServerTls, Tree,
};

const SETTINGS: Settings = Settings { mtime: Some(1_234_567_890), mode: Some(0o640) };

/// More than it takes for two connections to be worth it.
const SIZE: u64 = 3 << 20;

fn with_copies(copies: Copies) -> Personality {
    Personality::mlsd().writing(|it| it.copies = copies)
}

/// A server on which only FXP is left.
fn with_fxp() -> Personality {
    with_copies(Copies::Unknown)
}

fn start(personality: Personality) -> (FakeServer, Client) {
    start_with(personality, |_| {})
}

fn start_with(personality: Personality, adjust: impl FnOnce(&mut Server)) -> (FakeServer, Client) {
    let tree = Tree::new().file_pattern("source", SIZE, 7).dir("dir");
    let server = FakeServer::start(personality, tree);
    let mut config = config(&server);
    adjust(&mut config);
    let client = client_with(&config);
    client.enter(b"", soon()).expect("the login works");
    (server, client)
}

fn copy(client: &Client, to: &str) -> Result<Stored> {
    client.copy(&path("/source"), &path(to), SIZE, &SETTINGS, soon())
}

fn opened(server: &FakeServer) -> usize {
    server.log().count(|event| matches!(event, Event::DataOpened(_)))
}

fn content(server: &FakeServer, file: &str) -> Vec<u8> {
    server.tree().lock().read(file, 0, 10 << 20)
}

fn exists(server: &FakeServer, file: &str) -> bool {
    server.tree().lock().find(file.as_bytes(), false).is_ok()
}

#[track_caller]
fn is_copied(server: &FakeServer, copied: Result<Stored>, file: &str) {
    let stored = copied.unwrap_or_else(|e| panic!("{e}\n{}", server.log()));
    assert_eq!(stored.version.expect("it is told").size, SIZE);
    assert!(content(server, file) == content(server, "source"), "{}", server.log());
    let (mtime, mode) = server.tree().lock().find(file.as_bytes(), false).map(|it| (it.mtime, it.mode)).expect("there");
    assert_eq!((mtime, mode & 0o777), (1_234_567_890, 0o640));
}

/// Whether one more copy works as if nothing had been, and what was in the way is out of it.
#[track_caller]
fn recovers(server: &FakeServer, client: &Client) {
    server.heal();
    is_copied(server, copy(client, "/later"), "later");
    assert!(!exists(server, "copy"), "{}", server.log());
}

#[track_caller]
fn fails(copied: Result<Stored>, kind: ErrorKind) -> Error {
    let error = copied.expect_err("it cannot be copied");
    assert_eq!(error.kind, kind, "{error}");
    error
}

#[test]
fn site_commands_take_one_flight_and_the_check_another() {
    let (server, client) = start(with_copies(Copies::InTwo));
    assert_eq!(client.can_copy(SIZE), None);
    is_copied(&server, copy(&client, "/first one"), "first one");
    assert_eq!(client.can_copy(1), Some(true));
    server.reset_flights();
    server.clear_log();
    is_copied(&server, copy(&client, "/dir/second"), "dir/second");
    assert_eq!(server.work_flights(), 2, "{}", server.log());
    assert_eq!(opened(&server), 0, "{}", server.log());
}

#[test]
fn a_server_with_one_command_gets_names_without_blanks() {
    let (server, client) = start_with(with_copies(Copies::InOne), |it| it.max_connections = 2);
    is_copied(&server, copy(&client, "/copy"), "copy");
    fails(copy(&client, "/a copy"), ErrorKind::Unsupported);
    assert_eq!(server.log().verb("SITE COPY"), 1, "{}", server.log());
    is_copied(&server, copy(&client, "/another"), "another");
    assert_eq!(server.log().verb("SITE CPFR"), 1, "what it does not know is asked once\n{}", server.log());
}

#[test]
fn a_server_sends_to_itself_over_two_connections() {
    let mut all =
        vec![with_fxp(), Personality { epsv: false, ..with_fxp() }, Personality { pasv: false, ..with_fxp() }];
    all.extend([Personality::unix_list(), Personality::pure(), Personality::proftpd()]);
    all.push(with_fxp().on_ipv6());
    // As behind a router that has not been thought of.
    all.push(with_fxp().with_pasv_address([0, 0, 0, 0].into()));
    for personality in all {
        let (server, client) = start(personality);
        let copied = client.copy(&path("/source"), &path("/copy"), SIZE, &Settings::default(), soon());
        copied.unwrap_or_else(|e| panic!("{e}\n{}", server.log()));
        assert!(content(&server, "copy") == content(&server, "source"), "{}", server.log());
        assert_eq!(client.can_copy(SIZE), Some(true));
        assert_eq!((server.log().verb("STOR"), server.log().verb("RETR")), (1, 1), "{}", server.log());
        // Both connections are used again, with data channels of their own.
        client.copy(&path("/source"), &path("/again"), SIZE, &Settings::default(), soon()).expect("once more");
        assert!(content(&server, "again") == content(&server, "source"));
        let mut download = client.download(&path("/again"), 0, &Default::default(), soon()).expect("it is read");
        assert!(download.read(&mut [0; 100], soon()).expect("bytes") > 0);
    }
}

#[test]
fn two_connections_are_not_worth_it_for_a_small_file() {
    let (server, client) = start(Personality::unix_list());
    assert_eq!(client.can_copy(10_000), Some(false));
    let copied = client.copy(&path("/source"), &path("/copy"), 10_000, &SETTINGS, soon());
    fails(copied, ErrorKind::Unsupported);
    assert_eq!(server.log().verb("PASV"), 0, "{}", server.log());
}

#[test]
fn a_refused_port_is_remembered() {
    let (server, client) = start(Personality { active: Active::Foreign, ..Personality::unix_list() });
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(client.can_copy(SIZE), Some(false));
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!((server.log().verb("PORT"), server.log().verb("STOR")), (1, 0), "{}", server.log());
    assert!(!exists(&server, "copy"));
}

#[test]
fn a_port_that_is_refused_for_now_is_asked_for_again() {
    let (server, client) = start(with_fxp());
    server.fault(Fault::reply("PORT", "425 Not now").times(1));
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(client.can_copy(SIZE), None);
    is_copied(&server, copy(&client, "/later"), "later");
}

/// pyftpdlib 2.2.0: the session that had stored a copy sent its next `EPSV`, and another one was never answered again.
#[test]
fn pyftpdlib_is_not_asked_to_connect_to_itself() {
    let (server, client) = start(Personality { active: Active::Tangled, ..Personality::pyftpdlib() });
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(client.can_copy(SIZE), Some(false));
    assert_eq!(server.log().verb("PASV") + server.log().verb("PORT"), 0, "{}", server.log());
}

#[test]
fn without_a_second_connection_nothing_is_waited_for() {
    let (server, client) = start_with(with_fxp(), |it| it.max_connections = 2);
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(server.log().verb("PASV"), 0, "{}", server.log());
}

/// Copies took the connections that transfers are asked for, and gave none back: the others waited in vain.
#[test]
fn a_long_copy_keeps_nobody_waiting() {
    let (server, client) = start_with(with_copies(Copies::InTwo), |it| it.max_connections = 2);
    server.fault(Fault::stall(Stage::Reply("SITE CPTO")).times(1));
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| copy(&client, "/copy"));
        server.await_stalls(1);
        let mut download = client.download(&path("/source"), 0, &Default::default(), soon()).expect("it begins");
        assert!(download.read(&mut [0; 100], soon()).expect("bytes") > 0);
        drop(download);
        client.stat(&path("/dir"), soon()).expect("it is answered");
        let refused = copy(&client, "/another");
        fails(refused, ErrorKind::Unsupported);
        server.heal();
        is_copied(&server, copying.join().expect("it ends"), "copy");
    });
}

#[test]
fn the_only_connection_is_not_for_copies() {
    let (server, client) = start_with(with_copies(Copies::InTwo), |it| it.max_connections = 1);
    assert_eq!(client.can_copy(SIZE), Some(false));
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(server.log().verb("SITE CPFR"), 0, "{}", server.log());
}

#[test]
fn private_data_do_not_go_from_a_server_to_itself_in_the_clear() {
    let (server, client) = start_with(with_fxp().with_tls(ServerTls::required()), |it| {
        it.tls = Tls { mode: TlsMode::Require, verify_peer: false, verify_name: false, ..Tls::default() };
    });
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(client.can_copy(SIZE), Some(false));
    assert_eq!(server.log().verb("PASV") + server.log().verb("PORT"), 0, "{}", server.log());
}

#[test]
fn refusals_are_told_in_our_words_and_leave_nothing() {
    for copies in [Copies::InTwo, Copies::InOne] {
        let verb = if copies == Copies::InTwo { "SITE CPTO" } else { "SITE COPY" };
        for (words, kind) in [
            ("552 Quota exceeded", ErrorKind::Quota),
            ("550 copy: No space left on device", ErrorKind::NoSpace),
            ("550 copy: Disk quota exceeded", ErrorKind::Quota),
            ("550 copy: Read-only file system", ErrorKind::ReadOnly),
        ] {
            let (server, client) = start_with(with_copies(copies), |it| it.max_connections = 2);
            is_copied(&server, copy(&client, "/first"), "first");
            server.fault(Fault::reply(verb, words).times(1));
            fails(copy(&client, "/copy"), kind);
            recovers(&server, &client);
        }
    }
    let (server, client) = start_with(with_copies(Copies::InTwo), |it| it.max_connections = 2);
    server.fault(Fault::reply("SITE CPFR", "550 source: Permission denied").times(1));
    fails(copy(&client, "/copy"), ErrorKind::Denied);
    recovers(&server, &client);
    // Both were sent at once this time.
    server.fault(Fault::reply("SITE CPFR", "550 source: Permission denied").times(1));
    fails(copy(&client, "/copy"), ErrorKind::Denied);
    recovers(&server, &client);
}

#[test]
fn a_disk_that_fills_up_in_the_middle_is_told() {
    let full = |personality: Personality| personality.with_disk(Disk::of(SIZE + 100_000));
    for personality in [with_copies(Copies::InTwo), with_fxp()] {
        let (_server, client) = start(full(personality));
        fails(copy(&client, "/copy"), ErrorKind::NoSpace);
    }
}

/// It is the caller's, and nobody writes to it any more.
#[test]
fn an_empty_file_is_there_after_a_copy_onto_it_was_refused() {
    for (personality, verb) in
        [(with_copies(Copies::InTwo), "SITE CPTO"), (with_copies(Copies::InOne), "SITE COPY"), (with_fxp(), "STOR")]
    {
        let (server, client) = start(personality);
        server.tree().lock().write("copy", [], DEFAULT_MTIME);
        server.fault(Fault::reply(verb, "552 Quota exceeded").times(1));
        fails(copy(&client, "/copy"), ErrorKind::Quota);
        assert!(exists(&server, "copy"), "{}", server.log());
        assert_eq!(server.log().verb("DELE"), 0, "{}", server.log());
    }
}

#[test]
fn a_transfer_that_one_end_refuses_is_none() {
    for (verb, words, kind) in [
        ("STOR", "553 Could not create file.", ErrorKind::Denied),
        ("STOR", "552 Quota exceeded", ErrorKind::Quota),
        ("RETR", "550 source: Permission denied", ErrorKind::Denied),
        ("STOR", "425 Security: Bad IP connecting.", ErrorKind::Unsupported),
        ("RETR", "425 Security: Bad IP connecting.", ErrorKind::Unsupported),
    ] {
        let (server, client) = start(with_fxp());
        is_copied(&server, copy(&client, "/first"), "first");
        server.fault(Fault::reply(verb, words).times(1));
        fails(copy(&client, "/copy"), kind);
        drop(server.tree().lock().remove("copy"));
        recovers(&server, &client);
    }
}

#[test]
fn a_server_that_never_reached_itself_is_not_asked_again() {
    let (server, client) = start(with_fxp());
    server.fault(Fault::reply("STOR", "425 Could not open data connection").times(1));
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(client.can_copy(SIZE), Some(false));
    fails(copy(&client, "/copy"), ErrorKind::Unsupported);
    assert_eq!(server.log().verb("PORT"), 1, "{}", server.log());
}

#[test]
fn an_answer_that_is_lost_is_looked_up() {
    for (personality, stages) in [
        (with_copies(Copies::InTwo), vec![Stage::Done("SITE CPTO"), Stage::Reply("SITE CPTO")]),
        (with_copies(Copies::InOne), vec![Stage::Done("SITE COPY"), Stage::Reply("SITE COPY")]),
        (with_fxp(), vec![Stage::Final, Stage::Data(1 << 20), Stage::Reply("STOR"), Stage::Reply("RETR")]),
    ] {
        for stage in stages {
            for end in [End::Fin, End::Rst] {
                let (server, client) = start(personality.clone());
                is_copied(&server, copy(&client, "/first"), "first");
                server.fault(Fault::cut(stage, Cut::both(end)).times(1));
                is_copied(&server, copy(&client, "/second"), "second");
                assert!(!server.paths().iter().any(|path| path.contains(".ftpfs")), "{:?}", server.paths());
            }
        }
    }
}

#[test]
fn what_is_not_all_of_it_is_no_copy() {
    for (personality, stage) in
        [(with_copies(Copies::InTwo), Stage::Done("SITE CPTO")), (with_copies(Copies::InOne), Stage::Done("SITE COPY"))]
    {
        let (server, client) = start_with(personality, |it| it.max_connections = 2);
        server.fault(Fault::run(stage, |tree| tree.write("copy", [1; 1_000], DEFAULT_MTIME)).times(1));
        fails(copy(&client, "/copy"), ErrorKind::Unreachable);
        drop(server.tree().lock().remove("copy"));
        recovers(&server, &client);
    }
    let (server, client) = start(with_fxp());
    server.fault(Fault::swallow(1 << 20).verb("STOR").times(1));
    fails(copy(&client, "/copy"), ErrorKind::Unreachable);
    drop(server.tree().lock().remove("copy"));
    recovers(&server, &client);
}

#[test]
fn a_source_that_is_cut_off_is_no_copy() {
    let (server, client) = start(with_fxp());
    is_copied(&server, copy(&client, "/first"), "first");
    server.fault(Fault::cut(Stage::Data(1 << 20), Cut::data(End::Fin).saying("426 Broken off")).times(1));
    fails(copy(&client, "/copy"), ErrorKind::Unreachable);
    drop(server.tree().lock().remove("copy"));
    recovers(&server, &client);
}

/// It says nothing for three times as long as it may be silent.
#[test]
fn a_copy_that_grows_is_waited_for() {
    let (server, client) = start(with_fxp());
    is_copied(&server, copy(&client, "/first"), "first");
    server.fault(Fault::slow_data(256 << 10, Duration::from_millis(500)).verb("STOR").times(1));
    let patience = Deadline::after(Duration::from_secs(2));
    let copied = client.copy(&path("/source"), &path("/second"), SIZE, &SETTINGS, patience);
    is_copied(&server, copied, "second");
    assert_eq!(server.log().verb("STOR"), 2, "once each: {}", server.log());
}

#[test]
fn a_copy_that_does_not_grow_is_given_up() {
    for (personality, verb, stage) in [
        (with_copies(Copies::InTwo), "SITE CPTO", Stage::Reply("SITE CPTO")),
        (with_fxp(), "STOR", Stage::Data(1 << 20)),
    ] {
        let (server, client) = start(personality);
        is_copied(&server, copy(&client, "/first"), "first");
        server.fault(Fault::stall(stage).times(1));
        let patience = Deadline::after(Duration::from_secs(1));
        let copied = client.copy(&path("/source"), &path("/copy"), SIZE, &SETTINGS, patience);
        let error = copied.expect_err("nothing goes on");
        assert!(matches!(error.kind, ErrorKind::TimedOut | ErrorKind::Unreachable), "{error}");
        assert!(server.log().verb(verb) > 1, "{}", server.log());
        recovers(&server, &client);
    }
}

/// It was waited for by its size alone, which would be hours: silence was taken for the want of a connection.
#[test]
fn a_server_that_answers_no_look_at_a_large_copy_is_given_up() {
    let (server, client) = start_with(with_copies(Copies::InTwo), |it| it.timeout = Duration::from_secs(1));
    is_copied(&server, copy(&client, "/first"), "first");
    server.fault(Fault::stall(Stage::Reply("SITE CPTO")).times(1));
    for verb in ["MLST", "SIZE"] {
        server.fault(Fault::stall(Stage::Reply(verb)).path("copy"));
    }
    let patience = Deadline::after(Duration::from_secs(1));
    let copied = client.copy(&path("/source"), &path("/copy"), 1 << 40, &SETTINGS, patience);
    fails(copied, ErrorKind::TimedOut);
    recovers(&server, &client);
}
