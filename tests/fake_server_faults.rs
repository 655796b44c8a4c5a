//! How the fake server misbehaves on request, and that it ends in any case.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};
use support::server::raw_client::{Client, PATIENCE};
use support::server::{Cut, DEFAULT_MTIME, End, Event, FakeServer, Fault, Personality, Refusal, Stage, Tree};

fn start(personality: Personality) -> FakeServer {
    let tree = Tree::new().file("d/a.txt", "hello\n", DEFAULT_MTIME).file("d/b", "0123456789", DEFAULT_MTIME);
    FakeServer::start(personality, tree.file_pattern("big", 5 << 30, 7))
}

#[test]
fn stalls_end_with_release() {
    let stages = [
        (Stage::Greeting, ""),
        (Stage::Login, "PASS"),
        (Stage::Epsv, "EPSV"),
        (Stage::Reply("RETR"), "RETR"),
        (Stage::Accept, "RETR"),
        (Stage::AfterOpening, "RETR"),
        (Stage::Data(3), "RETR"),
        (Stage::Data(6), "RETR"),
        (Stage::Final, "RETR"),
    ];
    let server = start(Personality::mlsd());
    for (stage, verb) in stages {
        server.clear_log();
        server.fault(Fault::stall(stage).times(1));
        std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                let mut client = Client::login(&server);
                client.fetch(&server, "RETR d/a.txt").0
            });
            assert!(server.wait_for(|log| log.stalls() == 1, PATIENCE), "{stage:?}");
            let log = server.log();
            assert!(
                matches!(&log.entries.last().unwrap().event, Event::Stalled(text) if text.ends_with(verb)),
                "{log}"
            );
            server.release();
            assert_eq!(client.join().unwrap(), b"hello\n");
        });
    }
}

#[test]
fn a_stall_ends_when_the_client_goes() {
    let server = start(Personality::mlsd());
    server.fault(Fault::stall(Stage::Reply("NOOP")));
    let mut client = Client::login(&server);
    client.send("NOOP\r\n");
    assert!(server.wait_for(|log| log.stalls() == 1, PATIENCE));
    drop(client);
    assert!(server.wait_for_connections(0, PATIENCE));
    // So does the wait for a data connection that never comes.
    let mut client = Client::login(&server);
    client.ask("EPSV");
    client.send("RETR big\r\n");
    assert!(server.wait_for(|log| log.verb("RETR") == 1, PATIENCE));
    drop(client);
    assert!(server.wait_for_connections(0, PATIENCE));
}

#[test]
fn stalls_hold_one_connection_alone() {
    let server = start(Personality::mlsd());
    server.fault(Fault::stall(Stage::Data(100_000)).path("big").times(1));
    let mut stalled = Client::login(&server);
    let mut data = stalled.passive(&server);
    assert!(stalled.ask("RETR big").starts_with("150"));
    data.read_exact(&mut [0; 100_000]).unwrap();
    let mut other = Client::login(&server);
    assert_eq!(other.fetch(&server, "RETR d/a.txt").0, b"hello\n");
    drop(data);
    server.heal();
    assert!(stalled.reply().starts_with("426"));
    assert!(stalled.in_step());
    assert_eq!(server.max_seen_connections(), 2);
}

#[test]
fn data_can_be_cut_short() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    // A lie: a clean end and 226, but three bytes too few.
    server.fault(
        Fault::cut(Stage::Data(3), Cut::data(End::Fin).saying("226 Transfer complete.")).path("/d/a.txt").nth(1),
    );
    let (bytes, _, closing) = client.fetch(&server, "RETR d/a.txt");
    assert_eq!((bytes.as_slice(), closing.as_str()), (&b"hel"[..], "226 Transfer complete."));
    assert_eq!(client.fetch(&server, "RETR d/a.txt").0.len(), 6);
    server.fault(Fault::cut(Stage::Data(1_000_000), Cut::data(End::Fin).saying("426 Gone.")).times(1));
    let (bytes, _, closing) = client.fetch(&server, "RETR big");
    assert_eq!((bytes.len(), closing.as_str()), (1_000_000, "426 Gone."));
    server.fault(Fault::cut(Stage::Data(5), Cut::data(End::Rst).saying("426 Reset.")).times(1));
    let mut data = client.passive(&server);
    assert!(client.ask("RETR d/b").starts_with("150"));
    assert!(data.read_to_end(&mut Vec::new()).is_err());
    assert_eq!(client.reply(), "426 Reset.");
    assert!(client.in_step());
    assert_eq!(server.log().data_bytes(), 3 + 6 + 1_000_000 + 5);
    // Silence: no reply ever, but the connection serves on.
    server.fault(Fault::cut(Stage::Data(0), Cut::data(End::Fin)).times(1));
    let mut data = client.passive(&server);
    assert!(client.ask("RETR d/b").starts_with("150"));
    assert_eq!(data.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert!(client.in_step());
}

#[test]
fn control_connections_can_be_cut() {
    for stage in [Stage::Greeting, Stage::Login, Stage::Feat, Stage::Reply("NOOP"), Stage::AnyReply] {
        let server = start(Personality::mlsd());
        server.fault(Fault::cut(stage, Cut::control(End::Fin)));
        let mut client = Client::connect(&server);
        client.send("USER u\r\nPASS p\r\nFEAT\r\nNOOP\r\n");
        while !client.at_end() {
            client.line();
        }
        assert!(server.wait_for(|log| log.closed() == 1, PATIENCE), "{stage:?}");
    }
    let server = start(Personality::mlsd());
    server.fault(Fault::cut(Stage::Reply("SIZE"), Cut::control(End::Rst)));
    let mut client = Client::login(&server);
    client.send("SIZE d/b\r\n");
    assert!(client.is_reset());
    server.fault(Fault::cut(Stage::Data(50_000), Cut::both(End::Rst)));
    let mut client = Client::login(&server);
    let mut data = client.passive(&server);
    client.send("RETR big\r\n");
    assert!(data.read_to_end(&mut Vec::new()).is_err());
    client.reply();
    assert!(client.is_reset());
}

#[test]
fn replies_can_be_replaced() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    server.fault(Fault::reply("SIZE", "550-No.\n550 Really.").path("d/b").after(1).times(2));
    let sizes: Vec<_> = (0..4).map(|_| client.ask("SIZE d/b")).collect();
    assert_eq!(sizes, ["213 10", "550-No.\n550 Really.", "550-No.\n550 Really.", "213 10"]);
    assert_eq!(client.ask("SIZE d/a.txt"), "213 6");
    server.fault(Fault::raw(Stage::Reply("MDTM"), *b"\xff\xfe\0garbage\r\n").times(1));
    client.send("MDTM d/b\r\n");
    let mut garbage = [0; 12];
    client.control.read_exact(&mut garbage).unwrap();
    assert_eq!(&garbage, b"\xff\xfe\0garbage\r\n");
    server.fault(Fault::reply_at(Stage::Final, "451 Disk on fire.").verb("RETR").connection(1).times(1));
    let (bytes, _, closing) = client.fetch(&server, "RETR d/b");
    assert_eq!((bytes.len(), closing.as_str()), (10, "451 Disk on fire."));
    server.fault(Fault::silence(Stage::Final).times(1));
    let mut data = client.passive(&server);
    assert!(client.ask("RETR d/b").starts_with("150"));
    assert_eq!(data.read_to_end(&mut Vec::new()).unwrap(), 10);
    assert!(client.in_step());
    server.fault(Fault::listing_line(*b"\xff not a fact").times(1));
    let (bytes, ..) = client.fetch(&server, "MLSD d");
    assert!(bytes.starts_with(b"\xff not a fact\r\ntype=cdir;"));
}

#[test]
fn connections_are_limited() {
    let server = start(Personality::unix_list());
    server.fault(Fault::max_connections(1, Refusal::Greeting421));
    let client = Client::login(&server);
    let mut refused = Client::connect(&server);
    assert!(refused.reply().starts_with("421 There are too many connected users"));
    assert!(refused.at_end());
    drop(client);
    assert!(server.wait_for_connections(0, PATIENCE));
    assert_eq!(server.max_seen_connections(), 1);
    server.heal();
    server.fault(Fault::max_connections(1, Refusal::Pass530));
    let _first = Client::login(&server);
    let mut second = Client::connect(&server);
    second.send("USER u\r\nPASS p\r\n");
    second.reply();
    second.reply();
    assert!(second.reply().starts_with("530 Sorry, the maximum number of allowed clients (1)"));
    assert!(second.in_step());
}

#[test]
fn idle_connections_can_be_closed() {
    let server = start(Personality::unix_list());
    let idle = |count: usize| {
        let clients: Vec<_> = (0..count).map(|_| Client::login(&server)).collect();
        // The last answer can arrive before the session waits again.
        assert!(server.wait_for_idle(count, PATIENCE));
        clients
    };
    let mut clients = idle(3);
    assert_eq!(server.close_idle_connections(), 3);
    assert_eq!(server.connections_open(), 0);
    for client in &mut clients {
        assert_eq!(client.reply(), "421 Timeout.");
        assert!(client.at_end());
    }
    let mut clients = idle(1);
    assert_eq!(server.tell_idle_connections("220 Hello?"), 1);
    assert_eq!(clients[0].reply(), "220 Hello?");
    assert!(clients[0].in_step());
    assert!(server.wait_for_idle(1, PATIENCE));
    assert_eq!(server.cut_idle_connections(End::Rst), 1);
    assert!(clients[0].is_reset());
}

#[test]
fn time_can_be_wasted() {
    let server = start(Personality::mlsd().with_latency(Duration::from_millis(20)));
    server.fault(Fault::delay(Stage::AnyReply, Duration::from_millis(10)).verb("NOOP"));
    server.fault(Fault::slow_data(2, Duration::from_millis(5)).path("d/b"));
    let mut client = Client::login(&server);
    let start = Instant::now();
    client.send("NOOP\r\nNOOP\r\n");
    assert!(client.reply().starts_with("200") && client.reply().starts_with("200"));
    assert!(start.elapsed() >= Duration::from_millis(40));
    let start = Instant::now();
    assert_eq!(client.fetch(&server, "RETR d/b").0, b"0123456789");
    assert!(start.elapsed() >= Duration::from_millis(2 * 20 + 5 * 5));
}

#[test]
fn dropping_the_server_ends_everything() {
    let stages =
        [Stage::Greeting, Stage::Reply("RETR"), Stage::Accept, Stage::AfterOpening, Stage::Data(9), Stage::Final];
    for stage in stages {
        let server = start(Personality::proftpd());
        server.fault(Fault::stall(stage));
        let mut client = Client::connect(&server);
        client.send("USER u\r\nPASS p\r\nTYPE I\r\n");
        let mut data = None;
        if stage != Stage::Greeting {
            (0..4).for_each(|_| drop(client.reply()));
            data = Some(client.passive(&server));
            client.send("RETR d/b\r\n");
        }
        if stage == Stage::Final {
            // ProFTPD gets there only when the client has closed.
            drop(data.take());
        }
        assert!(server.wait_for(|log| log.stalls() == 1, PATIENCE), "{stage:?}");
        let start = Instant::now();
        drop(server);
        assert!(start.elapsed() < PATIENCE, "{stage:?}");
    }
    // Blocked in a write to a client that does not read; waiting for its close, its connection, its command.
    let server = start(Personality::proftpd());
    let mut clients: Vec<_> = (0..4).map(|_| Client::login(&server)).collect();
    let _data = [clients[0].passive(&server), clients[1].passive(&server)];
    assert!(clients[0].ask("RETR big").starts_with("150"));
    assert!(clients[1].ask("RETR d/b").starts_with("150"));
    clients[2].ask("EPSV");
    clients[2].send("RETR d/b\r\n");
    assert!(server.wait_for(|log| log.verb("RETR") == 3, PATIENCE));
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn odd_clients_do_no_harm() {
    let server = start(Personality::mlsd());
    for bytes in [&b"\xff\xf4\0\r\n\r\n \r\n"[..], b"RETR", b"REST -1\r\nREST 99999999999999999999\r\nEPSV 7\r\n"] {
        let mut socket = TcpStream::connect(server.addr()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"USER u\r\nPASS p\r\n").unwrap();
        socket.write_all(bytes).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        socket.read_to_end(&mut Vec::new()).unwrap();
    }
    // One line without an end, as long as one likes: the server gives up, and the client sees an error at last.
    let mut socket = TcpStream::connect(server.addr()).unwrap();
    let mut written = 0;
    while written < 64 << 20 && socket.write_all(&[b'x'; 65_536]).is_ok() {
        written += 65_536;
    }
    assert!(written < 64 << 20);
    let mut client = Client::login(&server);
    assert_eq!(client.fetch(&server, "RETR d/a.txt").0, b"hello\n");
    assert!(server.wait_for_connections(1, PATIENCE));
    assert_eq!(server.log().count(|event| *event == Event::SentDuringTransfer), 0);
}
