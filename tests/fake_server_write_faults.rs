//! How uploads and changes go wrong on the fake server when they are told to.

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};
use support::server::raw_client::{Client, PATIENCE};
use support::server::{Cut, DEFAULT_MTIME, End, Event, FakeServer, Fault, Personality, Stage, Tree};

fn start(personality: Personality) -> FakeServer {
    FakeServer::start(personality, Tree::new().file("d/a", "hello\n", DEFAULT_MTIME).file("d/b", "old", DEFAULT_MTIME))
}

#[test]
fn uploads_are_cut_at_a_byte() {
    for (cut, control_ends) in
        [(Cut::data(End::Rst).saying("426 Gone."), false), (Cut::control(End::Fin), true), (Cut::both(End::Rst), true)]
    {
        let server = start(Personality::mlsd());
        server.fault(Fault::cut(Stage::Data(7), cut).verb("STOR").path("d/b").times(1));
        let mut client = Client::login(&server);
        let mut data = client.begin_put(&server, "STOR d/b", b"0123456789");
        if control_ends {
            assert!(server.wait_for_connections(0, PATIENCE));
        } else {
            assert_eq!(client.reply(), "426 Gone.");
            assert!(client.in_step());
        }
        assert_eq!(server.content("d/b").unwrap(), b"0123456");
        assert_eq!((server.received("d/b"), server.uploads_running()), (7, 0));
        assert!(matches!(data.read(&mut [0]), Ok(0) | Err(_)));
        // Once only.
        assert!(Client::login(&server).put(&server, "STOR d/b", b"0123456789").starts_with("226"));
        assert_eq!(server.count_of("STOR", "d/b"), 2);
    }
}

#[test]
fn uploads_are_cut_around_their_replies() {
    // Before the 150: the old content is gone all the same.
    let server = start(Personality::mlsd());
    server.fault(Fault::cut(Stage::Accept, Cut::control(End::Fin)).verb("STOR"));
    let mut client = Client::login(&server);
    let _data = client.passive(&server);
    client.send("STOR d/b\r\n");
    assert!(client.at_end());
    assert_eq!(server.content("d/b").unwrap(), b"");
    // Before the command is looked at.
    server.heal();
    server.fault(Fault::cut(Stage::Reply("STOR"), Cut::control(End::Fin)));
    let mut client = Client::login(&server);
    client.send("STOR d/a\r\n");
    assert!(client.at_end());
    assert_eq!(server.content("d/a").unwrap(), b"hello\n");
    // The 226 is lost, or arrives as the last thing.
    for (stage, arrives) in [(Stage::Final, false), (Stage::Answered("STOR"), true)] {
        server.heal();
        server.fault(Fault::cut(stage, Cut::control(End::Fin)).verb("STOR"));
        let mut client = Client::login(&server);
        drop(client.begin_put(&server, "STOR d/b", b"whole"));
        if arrives {
            assert!(client.reply().starts_with("226"));
        }
        assert!(client.at_end());
        assert_eq!(server.content("d/b").unwrap(), b"whole");
        server.tree().update(|tree| tree.remove("d/b"));
    }
}

#[test]
fn uploads_stall_where_the_server_stops_reading() {
    let server = start(Personality::mlsd().writing(|it| it.receive_buffer = Some(4096)));
    server.fault(Fault::stall(Stage::Data(5)).verb("STOR"));
    let mut client = Client::login(&server);
    let mut data = client.begin_put(&server, "STOR d/b", b"0123456789");
    server.await_stalls(1);
    server.await_bytes("d/b", 5);
    assert_eq!(server.content("d/b").unwrap(), b"01234");
    // The buffers fill, far below what the kernel would take by itself.
    data.set_nonblocking(true).unwrap();
    let mut taken = 10;
    while let Ok(len) = data.write(&[b'x'; 65_536]) {
        taken += len;
    }
    assert!(taken < 64 << 20);
    data.set_nonblocking(false).unwrap();
    server.release();
    drop(data);
    assert!(client.reply().starts_with("226"));
    assert_eq!(server.received("d/b"), taken as u64);
}

#[test]
fn invented_names_can_be_met() {
    let server = start(Personality::mlsd());
    server.fault(Fault::stall(Stage::Data(3)).verb("STOR").below("d").times(1));
    let mut client = Client::login(&server);
    let data = client.begin_put(&server, "STOR d/.tmp-17", b"12345");
    assert_eq!(server.await_bytes_below("d", 3), "d/.tmp-17");
    server.await_stalls(1);
    server.release();
    drop(data);
    assert!(client.reply().starts_with("226"));
    server.await_no_uploads();
    assert!(client.put(&server, "STOR e", b"").starts_with("226"));
    assert_eq!(server.paths_of("STOR"), ["d/.tmp-17", "e"]);
}

#[test]
fn servers_lie_about_what_they_stored() {
    let server = start(Personality::mlsd());
    server.fault(Fault::swallow(6).path("d/b").times(1));
    let mut client = Client::login(&server);
    assert!(client.put(&server, "STOR d/b", b"0123456789").starts_with("226"));
    assert_eq!(client.ask("SIZE d/b"), "213 6");
    assert!(client.put(&server, "STOR d/b", b"0123456789").starts_with("226"));
    assert_eq!(client.ask("SIZE d/b"), "213 10");
    // Or they store it and say something else.
    server.fault(Fault::reply_at(Stage::Final, "451 Who knows.").verb("STOR").times(1));
    assert_eq!(client.put(&server, "STOR d/b", b"x"), "451 Who knows.");
    assert_eq!(server.content("d/b").unwrap(), b"x");
}

#[test]
fn answers_are_lost_after_the_deed() {
    let cases = [
        ("DELE", "DELE d/a", &["d", "d/b"][..]),
        ("MKD", "MKD d/n", &["d", "d/a", "d/b", "d/n"]),
        ("RMD", "RMD e", &["d", "d/a", "d/b"]),
        ("RNTO", "RNFR d/a\r\nRNTO d/z", &["d", "d/b", "d/z"]),
    ];
    for (verb, commands, left) in cases {
        let server = start(Personality::mlsd());
        if verb == "RMD" {
            server.tree().update(|tree| tree.make_dir("e"));
        }
        server.fault(Fault::cut(Stage::Done(verb), Cut::control(End::Fin)));
        let mut client = Client::login(&server);
        client.send(&format!("{commands}\r\n"));
        if verb == "RNTO" {
            assert!(client.reply().starts_with("350"));
        }
        assert!(client.at_end());
        assert_eq!(server.paths(), left, "{verb}");
    }
    // What is refused is answered.
    let server = start(Personality::mlsd());
    server.fault(Fault::cut(Stage::Done("DELE"), Cut::control(End::Fin)));
    assert!(Client::login(&server).ask("DELE d/no").starts_with("550"));
    // Attributes too.
    server.fault(Fault::cut(Stage::Done("MFMT"), Cut::control(End::Rst)));
    let mut client = Client::login(&server);
    client.send("MFMT 20110102030405 d/a\r\n");
    assert!(client.is_reset());
    assert_ne!(server.mtime_of("d/a"), Some(DEFAULT_MTIME));
}

#[test]
fn a_restart_ends_every_connection() {
    for how in [End::Fin, End::Rst] {
        let server = start(Personality::unix_list());
        let mut idle = Client::login(&server);
        let mut writer = Client::login(&server);
        let mut data = writer.begin_put(&server, "STOR d/b", b"half");
        server.await_bytes("d/b", 4);
        let mut waiting = Client::login(&server);
        let _data = waiting.passive(&server);
        waiting.send("STOR d/b\r\n");
        server.await_log(|log| log.count(|event| *event == Event::Locked) == 1);
        let mut accepting = Client::login(&server);
        accepting.ask("EPSV");
        accepting.send("STOR d/c\r\n");
        server.await_command("STOR", "d/c");
        server.restart(how);
        assert_eq!((server.connections_open(), server.uploads_running()), (0, 0));
        for client in [&mut idle, &mut writer, &mut waiting] {
            assert!(if how == End::Rst { client.is_reset() } else { client.at_end() });
        }
        assert!(matches!(data.read(&mut [0]), Ok(0) | Err(_)));
        assert_eq!(server.content("d/b").unwrap(), b"half");
        assert!(Client::login(&server).put(&server, "STOR d/b", b"whole").starts_with("226"));
        assert_eq!(server.content("d/b").unwrap(), b"whole");
        assert_eq!(server.max_seen_connections(), 4);
    }
}

#[test]
fn a_client_that_resets_hears_of_it() {
    for (personality, code) in [(Personality::unix_list(), "426"), (Personality::pyftpdlib(), "226")] {
        let server = start(personality);
        let mut client = Client::login(&server);
        let data = client.begin_put(&server, "STOR d/b", b"half");
        server.await_bytes("d/b", 4);
        socket2::SockRef::from(&data).set_linger(Some(Duration::ZERO)).unwrap();
        drop(data);
        assert_eq!(&client.reply()[..3], code);
        assert_eq!(server.content("d/b").unwrap(), b"half");
    }
}

#[test]
fn waiting_for_the_opening_reply_is_a_flight() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    let mut data = client.passive(&server);
    server.reset_flights();
    server.clear_log();
    // Data at once.
    data.write_all(b"eager").unwrap();
    client.send("STOR d/b\r\n");
    data.shutdown(Shutdown::Write).unwrap();
    assert!(client.reply().starts_with("150") && client.reply().starts_with("226"));
    assert_eq!((server.work_flights(), server.flights()), (1, 1));
    // An empty file has its end at once.
    let data = client.passive(&server);
    server.reset_flights();
    drop(data);
    client.send("STOR d/b\r\n");
    assert!(client.reply().starts_with("150") && client.reply().starts_with("226"));
    assert_eq!(server.work_flights(), 1);
    // Data after the 150.
    server.reset_flights();
    assert!(client.put(&server, "STOR d/b", b"late").starts_with("226"));
    assert_eq!((server.work_flights(), server.flights_of(1).uploads), (3, 1), "EPSV, STOR, data");
    assert_eq!(server.log().count(|event| *event == Event::AwaitedOpening), 1);
    assert_eq!(server.log().data_bytes(), 9);
}

#[test]
fn dropping_the_server_ends_uploads() {
    let server = start(Personality::unix_list());
    server.fault(Fault::stall(Stage::Data(2)).path("d/a"));
    let mut clients: Vec<_> = (0..4).map(|_| Client::login(&server)).collect();
    // One stalls, one waits for bytes, one for the other's lock, one for its data connection.
    let _stalled = clients[0].begin_put(&server, "STOR d/a", b"12345");
    let _reading = clients[1].begin_put(&server, "STOR d/b", b"12345");
    let _locked = clients[2].passive(&server);
    clients[2].send("RETR d/b\r\n");
    clients[3].ask("EPSV");
    clients[3].send("STOR d/c\r\n");
    server.await_stalls(1);
    server.await_bytes("d/b", 5);
    server.await_log(|log| log.count(|event| *event == Event::Locked) == 1);
    server.await_command("STOR", "d/c");
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < PATIENCE);
}
