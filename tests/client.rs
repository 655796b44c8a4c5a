//! The FTP client against a scripted server: what it sends, what it makes of the answers, what it costs.

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ftpfs::base::{Deadline, Recall};
use ftpfs::config::Server;
use ftpfs::remote::{ErrorKind, Kind, Name, Precision, Remote, Stamp};
use support::client::{AMPLE, client, client_with, config, list, lone_client, names, open, path, read, soon};
use support::server::{Cut, DEFAULT_MTIME, End, FakeServer, Fault, Personality, Refusal, Stage, Tree, fill_pattern};

fn tree() -> Tree {
    Tree::new().dir("d").file("d/a.txt", b"hello world", DEFAULT_MTIME).file_pattern("big", 5 << 30, 7)
}

/// Every way to list that the client knows.
fn personalities() -> Vec<(&'static str, Personality)> {
    vec![
        ("mlsd", Personality::mlsd()),
        ("proftpd", Personality::proftpd()),
        ("pyftpdlib", Personality::pyftpdlib()),
        ("pure", Personality::pure()),
        ("unix", Personality::unix_list()),
        ("iis", Personality::iis()),
        ("no epsv", Personality::no_epsv()),
        ("no feat", Personality::no_feat()),
    ]
}

#[test]
fn the_second_login_is_one_burst() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let client = client(&server);
    let first: Vec<String> = server.log().bursts().iter().map(|burst| burst.join(" ")).collect();
    assert_eq!(first[..4], ["USER", "PASS", "TYPE", "FEAT"], "the first one looks where it steps");
    server.clear_log();
    // A transfer holds the first connection, so the listing needs a second one.
    let held = open(&client, "/big", 0).expect("a transfer");
    names(&client, "/d");
    let logins: Vec<String> =
        server.log().bursts().iter().filter(|b| b[0] == "USER").map(|burst| burst.join(" ")).collect();
    // A third one may stand by.
    assert!(!logins.is_empty() && logins.iter().all(|login| login == "USER PASS TYPE OPTS"), "{}", server.log());
    assert_eq!(server.log().verb("FEAT"), 0, "FEAT is asked once per server");
    held.finish(soon()).expect("an early end");
}

#[test]
fn a_listing_and_a_first_byte_cost_one_flight_each_and_a_second_where_no_channel_is_open() {
    for (name, personality) in personalities() {
        let server = FakeServer::start(personality, tree());
        let client = lone_client(&server);
        // The first of each kind may try out what FEAT did not tell.
        names(&client, "/d");
        read(&client, "/d/a.txt", 0).expect("a file");
        for armed in [true, false] {
            let get_ready = || {
                server.wait_armed(1);
                if !armed {
                    server.close_idle_connections();
                }
                server.clear_log();
                server.reset_flights();
            };
            let paid = || if armed { server.armed_flights() } else { server.work_flights() };
            get_ready();
            assert_eq!(names(&client, "/d"), ["a.txt"], "{name}");
            assert!(paid() <= if armed { 1 } else { 2 }, "{name}: {}", server.log());
            get_ready();
            assert_eq!(read(&client, "/d/a.txt", 3).expect("a file"), b"lo world", "{name}");
            assert!(paid() <= if armed { 1 } else { 2 }, "{name}: {}", server.log());
            // ProFTPD and vsftpd take up in order what comes behind the data.
            let early = server.log().count(|e| matches!(e, support::server::Event::SentDuringTransfer));
            assert!(early == 0 || matches!(name, "proftpd" | "unix"), "{name}: {}", server.log());
        }
    }
}

#[test]
fn every_server_shows_the_same_tree() {
    for (name, personality) in personalities() {
        let server = FakeServer::start(personality, tree());
        let client = client(&server);
        let root = list(&client, "/").expect("a listing");
        let entry = |name: &str| root.iter().find(|e| e.name.as_bytes() == name.as_bytes()).expect("it is listed");
        assert_eq!(entry("d").meta.kind, Kind::Dir, "{name}");
        assert_eq!(entry("big").meta.size, Some(5 << 30), "{name}");
        assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world", "{name}");
        let mut far = open(&client, "/big", (4 << 30) + 3).expect("a file");
        let (mut got, mut wanted) = ([0; 16], [0; 16]);
        fill_pattern(7, (4 << 30) + 3, &mut wanted);
        assert!(far.read(&mut got, soon()).expect("bytes") > 0);
        assert_eq!(got[0], wanted[0], "{name}");
        far.finish(soon()).expect("an early end");
    }
}

#[test]
fn exact_times_of_a_thousand_files_take_some_thirty_flights() {
    for personality in [Personality::unix_list(), Personality::iis()] {
        let server = FakeServer::start(personality, Tree::new().many("many", 1000));
        let client = client(&server);
        let entries = list(&client, "/many").expect("a listing");
        assert!(entries.iter().all(|e| e.meta.mtime.expect("a time").precision != Precision::Second));
        server.reset_flights();
        let names: Vec<Name> = entries.into_iter().map(|e| e.name).collect();
        let times = client.times(&path("/many"), &names, soon()).expect("times");
        assert!(times.iter().all(|t| *t == Some(Stamp::exact(DEFAULT_MTIME))));
        assert!(server.work_flights() <= 33, "{} flights", server.work_flights());
    }
}

#[test]
fn what_is_missing_is_told_from_what_is_refused() {
    for (name, personality) in personalities() {
        let server = FakeServer::start(personality, tree());
        let client = client(&server);
        let kind = |result: Result<_, ftpfs::remote::Error>| result.expect_err("it fails").kind;
        assert_eq!(kind(read(&client, "/d/nothing", 0).map(drop)), ErrorKind::NotFound, "{name}");
        assert_eq!(kind(read(&client, "/d", 0).map(drop)), ErrorKind::IsDir, "{name}");
        assert_eq!(kind(list(&client, "/nowhere").map(drop)), ErrorKind::NotFound, "{name}");
        assert_eq!(kind(list(&client, "/d/a.txt").map(drop)), ErrorKind::NotDir, "{name}");
        assert_eq!(kind(list(&client, "/d/a.txt/x").map(drop)), ErrorKind::NotDir, "{name}");
    }
}

#[test]
fn a_file_called_no_such_file_is_not_missing() {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file("No such file or directory", b"x", 0));
    server.fault(Fault::reply("RETR", "550 No such file or directory: Permission denied"));
    let client = client(&server);
    let error = read(&client, "/No such file or directory", 0).expect_err("it is refused");
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn an_early_end_takes_one_reply_and_keeps_the_connection() {
    for (name, personality) in personalities() {
        let server = FakeServer::start(personality, tree());
        let client = lone_client(&server);
        for _ in 0..5 {
            let mut download = open(&client, "/big", 1 << 30).expect("a transfer");
            assert!(download.read(&mut [0; 1000], soon()).expect("bytes") > 0);
            download.finish(soon()).expect("an early end");
            assert_eq!(names(&client, "/d"), ["a.txt"], "{name}");
        }
        assert_eq!(server.max_seen_connections(), 1, "{name}: {}", server.log());
    }
}

#[test]
fn a_connection_that_went_stale_is_replaced_unseen() {
    type Staling = fn(&FakeServer) -> usize;
    let ways: [Staling; 4] = [
        FakeServer::close_idle_connections,
        |server| server.cut_idle_connections(End::Fin),
        |server| server.cut_idle_connections(End::Rst),
        |server| server.tell_idle_connections("421 Passive data channel timed out."),
    ];
    for stale in ways {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let client = client(&server);
        assert!(server.wait_for_idle(1, AMPLE));
        assert_eq!(stale(&server), 1);
        assert_eq!(names(&client, "/d"), ["a.txt"]);
        assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world");
    }
}

#[test]
fn a_connection_that_breaks_while_it_is_asked_is_replaced_unseen() {
    for verb in ["EPSV", "MLSD", "MLST", "RETR"] {
        for how in [End::Fin, End::Rst] {
            let server = FakeServer::start(Personality::mlsd(), tree());
            let client = client(&server);
            server.fault(Fault::cut(Stage::Reply(verb), Cut::both(how)).times(1));
            assert_eq!(names(&client, "/d"), ["a.txt"], "{verb}");
            assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world", "{verb}");
        }
    }
}

#[test]
fn one_granted_connection_is_enough() {
    for how in [Refusal::Greeting421, Refusal::Pass530] {
        let server = FakeServer::start(Personality::mlsd(), tree());
        server.fault(Fault::max_connections(1, how));
        let client = Arc::new(client(&server));
        // Eight at once, with a server that grants one: each in turn, none fails.
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let client = Arc::clone(&client);
                thread::spawn(move || {
                    if i % 2 == 0 {
                        assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world");
                    } else {
                        assert_eq!(names(&client, "/d"), ["a.txt"]);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
    }
}

#[test]
fn metadata_calls_back_the_only_connection() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    server.fault(Fault::max_connections(1, Refusal::Greeting421));
    let client = Arc::new(client(&server));
    let recall = Arc::new(Recall::default());
    let seen = recall.gate.ticket();
    let download = client.download(&path("/big"), 0, &recall, soon()).expect("a transfer");
    let lister = {
        let client = Arc::clone(&client);
        thread::spawn(move || names(&client, "/d"))
    };
    assert!(recall.gate.wait(seen, soon()), "the transfer is asked for its connection");
    download.finish(soon()).expect("an early end");
    assert_eq!(lister.join().expect("no panic"), ["a.txt"]);
}

#[test]
fn transfers_leave_a_connection_to_metadata() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let mut settings = config(&server);
    settings.max_connections = 2;
    let client = client_with(&settings);
    let _held = open(&client, "/big", 0).expect("a transfer");
    let second = client.download(&path("/big"), 0, &Arc::default(), Deadline::after(Duration::from_millis(50)));
    assert_eq!(second.err().expect("there is no connection for it").kind, ErrorKind::TimedOut);
    assert_eq!(names(&client, "/d"), ["a.txt"]);
}

#[test]
fn silence_at_any_stage_ends_at_the_deadline() {
    let stages = [
        Stage::Greeting,
        Stage::Login,
        Stage::Feat,
        Stage::Epsv,
        Stage::Accept,
        Stage::AfterOpening,
        Stage::Data(1),
        Stage::Final,
        Stage::Reply("CWD"),
    ];
    for stage in stages {
        let by_cwd = stage == Stage::Reply("CWD");
        let personality = if by_cwd { Personality::unix_list() } else { Personality::mlsd() };
        let server = FakeServer::start(personality, tree());
        server.fault(Fault::stall(stage));
        let mut settings = config(&server);
        settings.timeout = Duration::from_millis(200);
        let client = client_with(&settings);
        let listed = client.list(&path("/d"), Deadline::after(settings.timeout), &mut |_| ControlFlow::Continue(()));
        let kind = listed.err().unwrap_or_else(|| panic!("{stage:?}: {}", server.log())).kind;
        assert_eq!(kind, ErrorKind::TimedOut, "{stage:?}");
    }
}

/// uftpd 2.13 says in FEAT that it knows MLST, and nothing when it is asked.
#[test]
fn an_mlsd_that_was_announced_and_is_never_answered_is_done_without() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    server.fault(Fault::stall(Stage::Reply("MLSD")));
    let mut settings = config(&server);
    settings.timeout = Duration::from_secs(3);
    let client = client_with(&settings);
    let mut found = Vec::new();
    let listed = client.list(&path("/d"), Deadline::after(settings.timeout), &mut |entry| {
        found.push(entry.name.to_string());
        ControlFlow::Continue(())
    });
    assert!(listed.is_ok(), "{}", server.log());
    assert_eq!((found, names(&client, "/")), (vec!["a.txt".to_owned()], vec!["big".to_owned(), "d".to_owned()]));
    assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world");
    let verbs = ["MLSD", "MLST", "LIST"].map(|verb| server.log().verb(verb));
    assert_eq!(verbs, [1, 0, 2], "{}", server.log());
}

#[test]
fn an_mlsd_that_was_answered_once_is_waited_for() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let mut settings = config(&server);
    settings.timeout = Duration::from_millis(300);
    let client = client_with(&settings);
    assert_eq!(names(&client, "/d"), ["a.txt"]);
    server.fault(Fault::stall(Stage::Reply("MLSD")));
    let deadline = Deadline::after(settings.timeout);
    let listed = client.list(&path("/d"), deadline, &mut |_| ControlFlow::Continue(()));
    assert_eq!(listed.expect_err("silence").kind, ErrorKind::TimedOut);
    server.heal();
    assert_eq!(names(&client, "/d"), ["a.txt"]);
    assert_eq!(server.log().verb("LIST"), 0, "{}", server.log());
}

/// Nor is a server that is silent altogether one without MLSD.
#[test]
fn silence_to_everything_proves_nothing_about_mlsd() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    server.fault(Fault::stall(Stage::Reply("MLSD")));
    server.fault(Fault::stall(Stage::Reply("CWD")));
    let mut settings = config(&server);
    settings.timeout = Duration::from_millis(300);
    let client = client_with(&settings);
    let deadline = Deadline::after(settings.timeout);
    let listed = client.list(&path("/d"), deadline, &mut |_| ControlFlow::Continue(()));
    assert_eq!(listed.expect_err("silence").kind, ErrorKind::TimedOut);
    server.heal();
    server.clear_log();
    assert_eq!(names(&client, "/d"), ["a.txt"]);
    assert_eq!((server.log().verb("MLSD"), server.log().verb("LIST")), (1, 0), "{}", server.log());
}

/// uftpd 2.13 looks for files in another place when it is asked by MLST; others know MLSD alone, which FEAT calls MLST.
#[test]
fn an_mlst_that_is_of_no_use_is_not_asked_again() {
    for useless in ["550 No such file or directory.", "500 Unknown command."] {
        let server = FakeServer::start(Personality::mlsd(), tree());
        server.fault(Fault::reply("MLST", useless));
        let client = client(&server);
        for _ in 0..2 {
            assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world");
        }
        assert_eq!((server.log().verb("MLST"), server.log().verb("SIZE")), (1, 1), "{}", server.log());
        assert_eq!(names(&client, "/d"), ["a.txt"]);
        assert_eq!(server.log().verb("LIST"), 0, "MLSD is another matter");
    }
}

#[test]
fn a_hostile_227_leads_nowhere_else() {
    let personality = Personality::no_epsv().with_pasv_address(std::net::Ipv4Addr::new(203, 0, 113, 7));
    let server = FakeServer::start(personality, tree());
    let client = client(&server);
    assert_eq!(read(&client, "/d/a.txt", 0).expect("the control connection's own peer answers"), b"hello world");
}

#[test]
fn ipv6_works() {
    let server = FakeServer::start(Personality::mlsd().on_ipv6(), tree());
    let client = client(&server);
    assert_eq!(names(&client, "/"), ["big", "d"]);
    assert_eq!(read(&client, "/d/a.txt", 0).expect("a file"), b"hello world");
}

#[test]
fn a_server_without_restart_is_read_from_the_beginning() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    server.fault(Fault::reply("REST", "502 Command not implemented."));
    let client = client(&server);
    assert_eq!(read(&client, "/d/a.txt", 6).expect("a file"), b"world");
    assert_eq!(read(&client, "/d/a.txt", 6).expect("a file"), b"world");
    assert_eq!(server.log().verb("REST"), 1, "what a server cannot do is asked once");
}

#[test]
fn a_wrong_password_is_no_full_server() {
    let server = FakeServer::start(Personality::mlsd().with_login("me", "right"), tree());
    let mut settings = config(&server);
    settings.password = ftpfs::base::Secret::new(b"wrong".to_vec());
    let error = client_with(&settings).enter(b"", soon()).expect_err("it is refused");
    assert_eq!(error.kind, ErrorKind::LoginRefused);
    assert!(!format!("{error} {error:?}").contains("wrong"));
    settings.password = ftpfs::base::Secret::new(b"right".to_vec());
    client_with(&settings).enter(b"", soon()).expect("it is let in");
}

#[test]
fn names_that_would_escape_do_not_come_through() {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file("ok", b"", 0));
    for name in ["../../etc/passwd", "/abs", ".", "..", "a/b"] {
        let line = format!("type=file;size=1;modify=20200101000000; {name}\r\n");
        server.fault(Fault::listing_line(line.into_bytes()));
    }
    let client = client(&server);
    assert_eq!(names(&client, "/"), ["ok"]);
}

#[test]
fn the_login_directory_is_where_relative_paths_begin() {
    let server = FakeServer::start(Personality { home: "/d".into(), ..Personality::mlsd() }, tree());
    let enter = |to: &str| client_with(&config(&server)).enter(to.as_bytes(), soon());
    assert_eq!(enter("").expect("home"), path("/d"));
    assert_eq!(enter("/").expect("the root"), path("/"));
    assert_eq!(enter("a.txt").expect_err("a file").kind, ErrorKind::NotDir);
    assert_eq!(enter("x").expect_err("nothing").kind, ErrorKind::NotFound);
}

#[test]
fn an_idle_connection_that_a_nat_has_forgotten_is_replaced_unseen() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let mut settings = config(&server);
    settings.timeout = Duration::from_millis(900);
    let client = client_with(&settings);
    client.enter(b"", soon()).expect("the login works");
    // Commands arrive nowhere any more, and nobody says so.
    server.fault(Fault::stall(Stage::AnyReply).connection(1));
    let mut count = 0;
    let each = &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    client.list(&path("/d"), Deadline::after(settings.timeout), each).expect("a fresh connection answers");
    assert_eq!(count, 1);
}

#[test]
fn a_server_that_refuses_the_user_is_not_sent_the_password() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    server.fault(Fault::reply("USER", "530 Non-anonymous sessions must use encryption."));
    let error = client_with(&config(&server)).enter(b"", soon()).expect_err("it is refused");
    assert_eq!(error.kind, ErrorKind::TlsRequired);
    assert_eq!(server.log().verb("PASS"), 0, "{}", server.log());
}

#[test]
fn a_line_that_cannot_be_read_proves_no_absence() {
    let server = FakeServer::start(Personality::unix_list(), tree());
    server.fault(Fault::listing_line(b"-rw-r--r-- what is this\r\n".to_vec()));
    let client = client(&server);
    let listed = client.list(&path("/d"), soon(), &mut |_| ControlFlow::Continue(())).expect("a listing");
    assert!(!listed.complete);
    let error = client.stat(&path("/d/nothing"), soon()).expect_err("it is not there");
    assert_eq!(error.kind, ErrorKind::NotFound, "asked for by its name");
    assert_eq!(client.stat(&path("/d/a.txt"), soon()).expect("it is there").size, Some(11));
}

#[test]
fn an_error_message_in_place_of_a_listing_is_no_empty_directory() {
    let empty = || FakeServer::start(Personality::unix_list(), Tree::new().dir("e"));
    for (line, kind) in [
        (&b"ls: cannot open directory '.': Permission denied\r\n"[..], ErrorKind::Denied),
        (b"djb.html: 280 bytes, a style that nobody knows\r\n", ErrorKind::Protocol),
    ] {
        let server = empty();
        server.fault(Fault::listing_line(line.to_vec()));
        assert_eq!(list(&client(&server), "/e").expect_err("it is no listing").kind, kind);
    }
}

#[test]
fn a_reply_that_belongs_to_another_command_ends_the_connection() {
    let server = FakeServer::start(Personality::unix_list(), tree());
    let client = client(&server);
    let names = [Name::new(b"a.txt").expect("valid")];
    client.times(&path("/d"), &names, soon()).expect("times");
    // A late 226 of an earlier transfer: every time after it would go to the wrong file.
    server.fault(Fault::raw(Stage::Reply("MDTM"), b"226 Transfer complete.\r\n".to_vec()).times(1));
    let times = client.times(&path("/d"), &names, soon()).expect("times from a fresh connection");
    assert_eq!(times, [Some(Stamp::exact(DEFAULT_MTIME))]);
    assert_eq!(server.log().verb("USER"), 2, "the one out of step was given up");
}

#[test]
fn a_verb_that_feat_promised_in_vain_is_sent_once() {
    for verb in ["MLST", "MLSD"] {
        let server = FakeServer::start(Personality::mlsd(), tree());
        server.fault(Fault::reply("MLST", "500 MLST not understood"));
        server.fault(Fault::reply("MLSD", "500 MLSD not understood"));
        let client = client(&server);
        for _ in 0..2 {
            if verb == "MLST" {
                assert_eq!(client.stat(&path("/d"), soon()).expect("the parent's listing tells").kind, Kind::Dir);
            } else {
                assert_eq!(names(&client, "/d"), ["a.txt"]);
            }
        }
        assert_eq!(server.log().verb(verb), 1, "{}", server.log());
    }
}

#[test]
fn a_line_that_is_too_long_does_not_cost_the_verb() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    server.fault(Fault::reply("MLST", "500 Command too long.").times(1));
    let client = client(&server);
    let error = client.stat(&path("/d"), soon()).expect_err("it is too long");
    assert_eq!(error.kind, ErrorKind::NameTooLong);
    client.stat(&path("/d"), soon()).expect("this one is not");
    assert_eq!(server.log().verb("MLST"), 2, "{}", server.log());
}

/// RFC 959 wants a 1yz first; small devices leave it out, and the listing came all the same.
#[test]
fn a_listing_without_a_preliminary_reply_is_read() {
    for personality in [Personality::mlsd(), Personality::unix_list()] {
        let server = FakeServer::start(Personality { opens_silently: true, ..personality }, tree());
        let client = client(&server);
        assert_eq!(names(&client, "/d"), ["a.txt"], "{}", server.log());
        assert_eq!(names(&client, "/d"), ["a.txt"], "in step");
    }
}

/// Servers have `Login incorrect` for a second session as well; the first one proves that it is not the password.
#[test]
fn a_login_refused_beside_a_living_one_is_a_limit() {
    let server = FakeServer::start(Personality::mlsd(), tree());
    let client = client(&server);
    let held = open(&client, "/big", 0).expect("a transfer");
    server.fault(Fault::reply("PASS", "530 Login incorrect."));
    thread::scope(|both| {
        let waits = both.spawn(|| names(&client, "/d"));
        assert!(server.wait_for(|log| log.verb("PASS") == 2, AMPLE), "{}", server.log());
        held.finish(soon()).expect("an early end");
        assert_eq!(waits.join().expect("no panic"), ["a.txt"]);
    });
    assert_eq!(server.log().verb("PASS"), 2, "never twice in a row");
}

#[test]
fn one_login_that_breaks_off_does_not_end_pipelining() {
    let server = FakeServer::start(Personality::unix_list(), tree());
    let client = client_with(&Server { max_connections: 2, ..config(&server) });
    client.enter(b"", soon()).expect("the login works");
    let all = [Name::new(b"a.txt").expect("valid"), Name::new(b"missing").expect("valid")];
    client.times(&path("/d"), &all, soon()).expect("times");
    let held = open(&client, "/big", 0).expect("a transfer");
    server.fault(Fault::cut(Stage::Reply("PASS"), Cut::control(End::Rst)).times(1));
    names(&client, "/d");
    server.clear_log();
    client.times(&path("/d"), &all, soon()).expect("times");
    assert!(server.log().bursts().iter().any(|burst| burst.ends_with(&["MDTM", "MDTM"])), "{}", server.log());
    held.finish(soon()).expect("an early end");
}

/// Seen on a small device: the user could not even switch the question off.
#[test]
fn a_server_that_hangs_up_at_feat_is_used_without_it() {
    let server = FakeServer::start(Personality::no_feat(), tree());
    server.fault(Fault::cut(Stage::Feat, Cut::control(End::Fin)));
    let client = client(&server);
    assert_eq!(names(&client, "/d"), ["a.txt"]);
    assert_eq!(read(&client, "/d/a.txt", 3).expect("readable"), b"lo world");
    assert_eq!(server.log().verb("FEAT"), 1, "{}", server.log());
}

#[test]
fn many_times_are_asked_for_on_two_connections_and_stay_in_order() {
    let files: Vec<(String, i64)> = (0..300).map(|n| (format!("f{n:03}"), DEFAULT_MTIME + n)).collect();
    let tree = files.iter().fold(Tree::new(), |tree, (name, at)| tree.file(format!("d/{name}"), b"x", *at));
    let server = FakeServer::start(Personality::unix_list(), tree);
    let client = client(&server);
    let names: Vec<Name> = files.iter().map(|(name, _)| Name::new(name.as_bytes()).expect("valid")).collect();
    let times = client.times(&path("/d"), &names, soon()).expect("times");
    let wanted: Vec<_> = files.iter().map(|(_, at)| Some(Stamp::exact(*at))).collect();
    assert!(times == wanted, "{times:?}");
    assert_eq!(server.max_seen_connections(), 2);
    // And where there is only one, one after the other.
    let alone = client_with(&Server { max_connections: 1, ..config(&server) });
    alone.enter(b"", soon()).expect("the login works");
    assert!(alone.times(&path("/d"), &names, soon()).expect("times") == wanted);
}

/// pyftpdlib 2.2.0 loses data channels where several clients have it connect to them: nothing comes of a listing, or a part.
#[test]
fn a_listing_that_falls_silent_is_asked_for_again() {
    let stages = [Stage::AfterOpening, Stage::Data(10)];
    for (personality, stage) in
        [Personality::mlsd(), Personality::unix_list()].into_iter().flat_map(|p| stages.map(|s| (p.clone(), s)))
    {
        let server = FakeServer::start(personality, tree());
        let client = client_with(&Server { timeout: Duration::from_secs(3), ..config(&server) });
        client.enter(b"", soon()).expect("the login works");
        names(&client, "/d");
        server.fault(Fault::stall(stage).times(1));
        assert_eq!(names(&client, "/d"), ["a.txt"], "{}", server.log());
    }
}
