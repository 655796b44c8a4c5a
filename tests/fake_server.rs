//! The fake server itself, asked by a raw client: other tests rely on what it says and counts.

mod support;

use std::io::{BufRead, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;
use support::server::raw_client::{Client, PATIENCE};
use support::server::{
    DEFAULT_MTIME, Event, FakeServer, Fault, LinkStyle, Mlsx, Personality, Stage, Tree, fill_pattern,
};

fn tree() -> Tree {
    Tree::new()
        .dir("empty")
        .file("d/a.txt", "hello\n", DEFAULT_MTIME)
        .file("d/b c.txt", "0123456789", DEFAULT_MTIME)
        .symlink("l", "d/a.txt")
        .symlink("dangling", "nowhere")
        .file_pattern("big", 5 << 30, 7)
}

fn start(personality: Personality) -> FakeServer {
    FakeServer::start(personality, tree())
}

#[test]
fn a_login_burst_is_one_flight() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    assert_eq!(server.log().bursts(), [vec!["USER", "PASS", "TYPE"]]);
    assert_eq!((server.flights(), server.work_flights()), (1, 0));
    assert_eq!(server.connections_open(), 1);
    assert_eq!(client.ask("QUIT"), "221 Goodbye.");
    assert!(client.at_end());
    assert!(server.wait_for(|log| log.closed() == 1, PATIENCE));
    assert_eq!((server.connections_open(), server.max_seen_connections()), (0, 1));
}

#[test]
fn a_flight_is_what_is_sent_together() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    server.reset_flights();
    server.clear_log();
    client.send("PWD\r\nSIZE d/a.txt\r\nMDTM d/a.txt\r\nXYZZY\r\n");
    let replies: Vec<_> = (0..4).map(|_| client.reply()).collect();
    assert_eq!(
        replies,
        ["257 \"/\" is the current directory", "213 6", "213 20231114221320", "500 XYZZY not understood"]
    );
    assert_eq!(server.flights(), 1);
    for _ in 0..10 {
        assert!(client.in_step());
    }
    assert_eq!(server.flights_of(1).work, 11);
    assert_eq!(server.log().bursts()[..2], [vec!["PWD", "SIZE", "MDTM", "XYZZY"], vec!["NOOP"]]);
    // A command that is split over segments is one command.
    client.send("SIZE d/");
    client.send("b c.txt\r\n");
    assert_eq!(client.reply(), "213 10");
    assert_eq!(server.log().verb("SIZE"), 2);
}

#[test]
fn commands_behind_a_transfer_belong_to_its_flight() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    let data = client.passive(&server);
    server.reset_flights();
    client.send("RETR big\r\n");
    assert!(client.reply().starts_with("150"));
    // It arrives before the end of the transfer, because the server cannot end that without us.
    client.send("NOOP\r\n");
    drop(data);
    assert!(client.reply().starts_with("426"));
    assert!(client.reply().starts_with("200"));
    assert_eq!(server.log().count(|event| *event == Event::SentDuringTransfer), 1);
    assert_eq!(server.flights(), 1);
}

#[test]
fn login_is_checked() {
    let server = start(Personality::mlsd().with_login("me", "right"));
    assert!(server.url("/d").ends_with("/d") && server.url("/").starts_with("ftp://me:right@127.0.0.1:"));
    let mut client = Client::connect(&server);
    assert!(client.reply().starts_with("220"));
    assert!(client.ask("PWD").starts_with("530"));
    assert!(client.ask("PASS right").starts_with("503"));
    client.ask("USER me");
    assert!(client.ask("PASS wrong").starts_with("530"));
    client.ask("USER me");
    assert!(client.ask("PASS right").starts_with("230"));
    assert_eq!(server.work_flights(), 0);
    assert!(client.ask("pwd").starts_with("257"));
    assert_eq!(server.work_flights(), 1);
}

#[test]
fn mlsd_shows_facts() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    assert!(client.ask("FEAT").contains("\n MLST type*;size*;modify*;UNIX.mode*;unique*;\n"));
    let lines = client.lines(&server, "MLSD /d");
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("type=cdir;modify=") && lines[0].ends_with("; ."), "{lines:?}");
    assert!(lines[1].starts_with("type=file;size=6;modify=20231114221320;UNIX.mode=0644;unique="), "{lines:?}");
    assert!(lines[2].ends_with("; b c.txt"), "{lines:?}");
    assert_eq!(client.ask("OPTS MLST size;TYPE;"), "200 MLST OPTS type;size;");
    assert_eq!(client.ask("MLST l"), "250-Start of list\n type=file;size=7; /l\n250 End of list");
    let root = client.lines(&server, "MLSD");
    assert!(root.contains(&"type=OS.unix=symlink;size=7; l".to_owned()), "{root:?}");
    assert!(root.contains(&"type=file;size=5368709120; big".to_owned()), "{root:?}");
    assert!(!root.iter().any(|line| line.ends_with("dangling")), "{root:?}");
    assert_eq!(client.lines(&server, "MLSD empty"), ["type=cdir; .", "type=pdir; .."]);
    assert_eq!(client.ask("MLSD d/a.txt"), "550 'd/a.txt' is not a directory");
    assert_eq!(client.ask("MLSD no"), "550 no: No such file or directory");
}

#[test]
fn links_appear_as_the_server_has_it() {
    let line = |personality: Personality, name: &str| {
        let server = start(personality);
        let mut client = Client::login(&server);
        client.ask("OPTS MLST type;size;unix.mode;");
        client.lines(&server, "MLSD").into_iter().find(|line| line.ends_with(&format!(" {name}")))
    };
    assert!(line(Personality::pure(), "dangling").unwrap().starts_with("type=OS.unix=slink:;size=7;modify="));
    assert_eq!(line(Personality::pyftpdlib(), "l").unwrap(), "type=file;size=6;unix.mode=0o644; l");
    assert_eq!(line(Personality::pyftpdlib(), "dangling"), None);
    let mlsx = Personality::mlsd().mlsx.map(|mlsx| Mlsx { links: LinkStyle::SlinkTarget, ..mlsx });
    let personality = Personality { mlsx, ..Personality::mlsd() };
    assert_eq!(line(personality, "l").unwrap(), "type=OS.unix=slink:d/a.txt;size=7;UNIX.mode=0777; l");
}

#[test]
fn list_has_the_format_of_the_server() {
    let tree = || Tree::new().file("f", "x", DEFAULT_MTIME).file(".h", "", 1_721_001_660).dir("d").symlink("l", "f");
    let lines = |personality: Personality, now: i64, command: &str| {
        let server = FakeServer::start(Personality { now: Some(now), ..personality }, tree());
        Client::login(&server).lines(&server, command)
    };
    assert_eq!(
        lines(Personality::unix_list(), DEFAULT_MTIME + 3600, "LIST"),
        [
            "drwxr-xr-x    1 3001     3001         4096 Nov 14 22:13 d",
            "-rw-r--r--    1 3001     3001            1 Nov 14 22:13 f",
            "lrwxrwxrwx    1 3001     3001            1 Nov 14 22:13 l -> f",
        ]
    );
    let old = lines(Personality::unix_list(), DEFAULT_MTIME + 200 * 86_400, "LIST -a");
    assert_eq!(old.len(), 6);
    // The future has a year, too.
    assert_eq!(old[2], "-rw-r--r--    1 3001     3001            0 Jul 15  2024 .h");
    assert_eq!(old[4], "-rw-r--r--    1 3001     3001            1 Nov 14  2023 f");
    assert_eq!(
        lines(Personality::iis(), DEFAULT_MTIME, "LIST"),
        [
            "07-15-24  12:01AM                    0 .h",
            "11-14-23  10:13PM       <DIR>          d",
            "11-14-23  10:13PM                    1 f",
            "11-14-23  10:13PM                    1 l",
        ]
    );
    let ancient = lines(Personality { epsv: true, ..Personality::no_feat() }, DEFAULT_MTIME, "LIST").join("");
    assert!(ancient.starts_with("total 16\ndrwxr-xr-x"), "{ancient}");
}

#[test]
fn only_cwd_tells_on_vsftpd() {
    let server = start(Personality::unix_list());
    let mut client = Client::login(&server);
    assert!(client.lines(&server, "LIST no").is_empty());
    assert_eq!(client.ask("CWD no"), "550 Failed to change directory.");
    assert_eq!(client.ask("CWD d/a.txt"), "550 Failed to change directory.");
    assert!(client.ask("CWD /d").starts_with("250"));
    assert_eq!(client.ask("PWD"), "257 \"/d\" is the current directory");
    assert_eq!(client.lines(&server, "LIST -a").len(), 4);
    assert_eq!(client.lines(&server, "NLST"), ["a.txt", "b c.txt"]);
    assert_eq!(client.ask("MLSD"), "500 Unknown command.");
    assert_eq!(client.ask("RETR no"), "550 Failed to open file.");
    assert!(client.ask("CDUP").starts_with("250"));
    assert_eq!(client.ask("PWD"), "257 \"/\" is the current directory");
}

#[test]
fn files_are_read_from_any_offset() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    let (bytes, opening, closing) = client.fetch(&server, "RETR l");
    assert_eq!((bytes.as_slice(), &opening[..3], &closing[..3]), (&b"hello\n"[..], "150", "226"));
    let (bytes, ..) = client.fetch(&server, "REST 4\r\nRETR d/b c.txt");
    assert_eq!(bytes, b"456789");
    // The offset is gone after its RETR.
    assert_eq!(client.fetch(&server, "RETR d/b c.txt").0.len(), 10);
    let offset = (5 << 30) - 100_003;
    let (bytes, ..) = client.fetch(&server, &format!("REST {offset}\r\nRETR big"));
    let mut wanted = vec![0; 100_003];
    fill_pattern(7, offset, &mut wanted);
    assert!(bytes == wanted);
    assert_eq!(server.tree().lock().read("big", offset, 10), wanted[..10]);
    assert!(client.fetch(&server, "REST 10\r\nRETR d/b c.txt").0.is_empty());
    client.passive(&server);
    client.ask("REST 11");
    assert!(client.ask("RETR d/b c.txt").starts_with("554"));
    assert!(client.ask("RETR d").starts_with("550"));
    assert_eq!(server.log().data_bytes(), 6 + 6 + 10 + 100_003);
    assert!(server.log().bursts().contains(&vec!["REST", "RETR"]));
}

#[test]
fn type_a_spoils_files() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    client.ask("TYPE A");
    assert_eq!(client.fetch(&server, "RETR d/a.txt").0, b"hello\r\n");
    assert!(client.ask("SIZE d/a.txt").starts_with("550"));
}

#[test]
fn an_early_close_gives_one_reply() {
    let endings = [
        (Personality::mlsd(), "426 Transfer aborted. Data connection closed"),
        (Personality::proftpd(), "426 Transfer aborted. Data connection closed"),
        (Personality::unix_list(), "426 Failure writing network stream."),
        (Personality::pure(), "150 0.101 seconds (measured here), 37.30 Mbytes per second"),
    ];
    for (personality, ending) in endings {
        let server = start(personality);
        let mut client = Client::login(&server);
        let mut data = client.passive(&server);
        assert!(client.ask("RETR big").starts_with("150"));
        data.read_exact(&mut [0; 100_000]).unwrap();
        drop(data);
        assert_eq!(client.reply(), ending);
        assert!(client.in_step());
        assert_eq!(server.log().count(|event| matches!(event, Event::DataClosed { early: true, .. })), 1);
    }
}

#[test]
fn proftpd_waits_for_the_close() {
    let server = start(Personality::proftpd());
    let mut client = Client::login(&server);
    let mut data = client.passive(&server);
    assert!(client.ask("RETR d/a.txt").starts_with("150"));
    data.read_to_end(&mut Vec::new()).unwrap();
    client.control.get_ref().socket().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(client.control.fill_buf().is_err());
    drop(data);
    client.control.get_ref().socket().set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(client.reply().starts_with("226"));
    // A failed RETR costs the listener.
    client.passive(&server);
    assert!(client.ask("RETR no").starts_with("550"));
    assert!(client.ask("RETR d/a.txt").starts_with("425"));
}

#[test]
fn pyftpdlib_opens_before_it_accepts() {
    let server = start(Personality::pyftpdlib());
    let mut client = Client::login(&server);
    let reply = client.ask("EPSV");
    let port: u16 = reply.split('|').nth(3).unwrap().parse().unwrap();
    assert!(client.ask("RETR d/a.txt").starts_with("150"));
    let mut data = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut text = String::new();
    data.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello\n");
    assert!(client.reply().starts_with("226"));
}

#[test]
fn passive_replies_can_lie_or_be_missing() {
    let server = start(Personality::no_epsv().with_pasv_address(Ipv4Addr::new(203, 0, 113, 7)));
    let mut client = Client::login(&server);
    assert!(client.ask("EPSV").starts_with("500"));
    let reply = client.ask("PASV");
    assert!(reply.starts_with("227 Entering Passive Mode (203,0,113,7,"), "{reply}");
    let numbers: Vec<u16> = reply.split(['(', ')']).nth(1).unwrap().split(',').map(|n| n.parse().unwrap()).collect();
    let mut data = TcpStream::connect((Ipv4Addr::LOCALHOST, numbers[4] << 8 | numbers[5])).unwrap();
    assert!(client.ask("RETR d/a.txt").starts_with("150"));
    data.read_to_end(&mut Vec::new()).unwrap();
    assert!(client.reply().starts_with("226"));
    assert!(client.ask("RETR d/a.txt").starts_with("425"));
    assert!(client.ask("PORT 127,0,0,2,200,1").starts_with("500"), "somebody else's address");
    assert!(client.ask("PORT 127,0,0,1,1,1").starts_with("500"), "a port for servers");
}

#[test]
fn ipv6_works() {
    let server = start(Personality::mlsd().on_ipv6());
    assert!(server.url("/").contains("@[::1]:"));
    let mut client = Client::login(&server);
    assert_eq!(client.fetch(&server, "RETR d/a.txt").0, b"hello\n");
    assert!(client.ask("EPSV 1").starts_with("522"));
}

#[test]
fn an_ancient_server_knows_little() {
    let server = start(Personality::no_feat());
    let mut client = Client::login(&server);
    for command in ["FEAT", "MLSD", "MLST", "MDTM d/a.txt", "EPSV"] {
        assert!(client.ask(command).starts_with("500"), "{command}");
    }
    assert_eq!(client.ask("SIZE d/a.txt"), "213 6");
    assert!(client.ask("STOR x").starts_with("425"));
}

#[test]
fn pure_ends_long_listings() {
    let server = FakeServer::start(Personality::pure(), Tree::new().many("d", 10_001));
    let mut client = Client::login(&server);
    let (bytes, _, closing) = client.fetch(&server, "MLSD d");
    assert_eq!(closing, "226 Output truncated to 10000 matches");
    assert_eq!(bytes.split(|&byte| byte == b'\n').count(), 10_001);
}

#[test]
fn permissions_are_those_of_the_owner() {
    let tree = Tree::new().file("f", "x", DEFAULT_MTIME).with_mode("f", 0).file("d/f", "", 0).with_mode("d", 0o600);
    let server = FakeServer::start(Personality::mlsd(), tree);
    let mut client = Client::login(&server);
    assert_eq!(client.ask("RETR f"), "550 f: Permission denied");
    assert_eq!(client.ask("CWD d"), "550 d: Permission denied");
    assert_eq!(client.ask("SIZE d/f"), "550 d/f: Permission denied");
    assert_eq!(client.lines(&server, "MLSD d").len(), 3);
}

#[test]
fn the_tree_changes_between_commands() {
    let server = start(Personality::mlsd());
    server.on("SIZE", 2, |tree| tree.write("d/a.txt", "longer text", 0));
    let mut client = Client::login(&server);
    assert_eq!(client.ask("SIZE d/a.txt"), "213 6");
    assert_eq!(client.ask("SIZE d/a.txt"), "213 11");
    server.tree().update(|tree| tree.rename("d/a.txt", "e/z"));
    assert!(client.ask("SIZE d/a.txt").starts_with("550"));
    assert_eq!(client.ask("SIZE e/z"), "213 11");
    // A file that shrinks under a transfer ends early, with 226 (ProFTPD, pyftpdlib, inetutils).
    server.fault(Fault::run(Stage::Data(100_000), |tree| tree.write_pattern("big", 100_010, 7, 0)));
    let (bytes, _, closing) = client.fetch(&server, "RETR big");
    assert_eq!((bytes.len(), &closing[..3]), (100_010, "226"));
}
