//! The fake server as one that is written to, asked by a raw client.

mod support;

use std::io::{Read, Write};
use support::server::raw_client::{Client, PATIENCE, tls};
use support::server::{
    Allo, Append, DEFAULT_MTIME, Disk, Event, FakeServer, Personality, Renames, Restart, SetMdtm, Tells, Tls, Tree,
};
use support::tls::Versions;

fn tree() -> Tree {
    Tree::new().dir("empty").file("d/a", "hello\n", DEFAULT_MTIME).file("d/b", "0123456789", DEFAULT_MTIME)
}

fn start(personality: Personality) -> FakeServer {
    FakeServer::start(personality, tree())
}

fn all() -> [Personality; 6] {
    [
        Personality::mlsd(),
        Personality::proftpd(),
        Personality::pure(),
        Personality::pyftpdlib(),
        Personality::unix_list(),
        Personality { epsv: true, ..Personality::no_feat() },
    ]
}

#[test]
fn what_is_stored_is_seen_at_once() {
    for personality in all().into_iter().chain([Personality::iis()]) {
        let server = start(personality);
        let mut client = Client::login(&server);
        assert!(client.put(&server, "STOR d/new", b"some bytes").starts_with("226"));
        assert_eq!(client.ask("SIZE d/new"), "213 10");
        assert_eq!(client.fetch(&server, "RETR d/new").0, b"some bytes");
        client.ask("CWD d");
        let listed = client.lines(&server, "LIST -a").concat();
        assert!(listed.contains("new"), "{listed}");
        assert!(client.put(&server, "STOR new", b"").starts_with("226"));
        assert_eq!(server.content("d/new").unwrap(), b"");
        assert!(client.put(&server, "APPE new", b"1").starts_with("226"));
        assert!(client.put(&server, "APPE new", b"23").starts_with("226"));
        assert!(client.put(&server, "APPE other", b"x").starts_with("226"));
        assert_eq!(server.content("d/new").unwrap(), b"123");
        assert_eq!(server.paths(), ["d", "d/a", "d/b", "d/new", "d/other", "empty"]);
        assert!(server.mtime_of("d/new").unwrap() > DEFAULT_MTIME && server.mtime_of("d").unwrap() > DEFAULT_MTIME);
        assert_eq!((server.count_of("STOR", "d/new"), server.count_of("APPE", "/d/new")), (2, 2));
        assert_eq!((server.received("d/new"), server.uploads_running()), (2, 0));
    }
}

#[test]
fn an_overwritten_file_keeps_its_mode() {
    let server = FakeServer::start(Personality::mlsd(), tree().with_mode("d/a", 0o640).with_mode("empty", 0o555));
    let mut client = Client::login(&server);
    assert!(client.put(&server, "STOR d/a", b"x").starts_with("226"));
    assert_eq!((server.mode_of("d/a"), server.len_of("d/a")), (Some(0o640), Some(1)));
    assert_eq!(client.put(&server, "STOR empty/x", b"x"), "550 empty/x: Permission denied");
    assert_eq!(client.put(&server, "STOR d", b"x"), "550 d: Not a regular file");
    assert_eq!(client.put(&server, "STOR d/a/x", b"x"), "550 d/a/x: Not a directory");
    assert_eq!(client.put(&server, "STOR no/x", b"x"), "550 no/x: No such file or directory");
}

#[test]
fn large_uploads_arrive_in_one_piece() {
    let tree = || Tree::new().file_pattern("old", 3 << 20, 9);
    let bytes = tree().read("old", 0, 3 << 20);
    let server = FakeServer::start(Personality::unix_list(), tree());
    let mut client = Client::login(&server);
    assert!(client.put(&server, "STOR new", &bytes).starts_with("226"));
    assert_eq!(server.content("new").unwrap(), bytes);
    // A pattern file becomes one of bytes where it is changed.
    assert!(client.put(&server, "REST 1000\r\nSTOR old", b"!!").starts_with("226"));
    assert!(server.content("old").unwrap() == [&bytes[..1000], b"!!", &bytes[1002..]].concat());
}

#[test]
fn uploads_are_encrypted() {
    let config = tls(Versions::Both);
    for personality in [Personality::mlsd(), Personality::unix_list()] {
        let server = start(personality.with_tls(Tls::required()));
        let mut client = Client::login_secure(&server, &config);
        let bytes = tree().file_pattern("p", 300_000, 1).read("p", 0, 300_000);
        assert_eq!(&client.put(&server, "STOR d/new", &bytes)[..3], "226", "{}", server.log());
        assert!(server.content("d/new").unwrap() == bytes);
        assert!(client.put(&server, "STOR d/new", b"").starts_with("226"));
        assert_eq!(server.content("d/new").unwrap(), b"");
    }
}

#[test]
fn names_are_made_moved_and_removed() {
    for personality in all() {
        let server = start(personality);
        let mut client = Client::login(&server);
        let mut code = |command: &str| client.ask(command)[..3].to_owned();
        assert_eq!(
            (code("MKD d/new"), code("MKD d/new"), code("MKD no/new")),
            ("257".into(), "550".into(), "550".into())
        );
        assert_eq!((code("RNFR d/a"), code("RNTO d/new/z")), ("350".into(), "250".into()));
        assert_eq!((code("RNFR d/a"), code("RNTO d/new/z")), ("550".into(), "503".into()));
        assert_eq!((code("RNFR d/b"), code("RNTO d/new/z")), ("350".into(), "250".into()));
        assert_eq!(server.content("d/new/z").unwrap(), b"0123456789");
        assert_eq!((code("RMD d/new"), code("DELE d/new")), ("550".into(), "550".into()));
        let refused = |code: &str| code == "550" || code == "451";
        assert_eq!(code("RNFR d"), "350");
        assert!(refused(&code("RNTO d/new/below")));
        assert_eq!(code("RNFR d"), "350");
        assert!(refused(&code("RNTO d/new/z")));
        assert_eq!((code("DELE d/new/z"), code("DELE d/new/z")), ("250".into(), "550".into()));
        assert_eq!((code("RMD d/new"), code("RMD d/new")), ("250".into(), "550".into()));
        assert_eq!(server.paths(), ["d", "empty"]);
    }
}

#[test]
fn an_ancient_dele_removes_an_empty_directory() {
    let server = start(Personality::no_feat());
    let mut client = Client::login(&server);
    assert!(client.ask("DELE empty").starts_with("250"));
    assert!(client.ask("DELE d").starts_with("550"));
    // It forgets RNFR.
    assert!(client.ask("RNFR d/a").starts_with("350"));
    assert!(client.in_step());
    assert!(client.ask("RNTO d/z").starts_with("503"));
}

#[test]
fn times_are_set() {
    let server = start(Personality::mlsd());
    let mut client = Client::login(&server);
    assert_eq!(client.ask("MFMT 20110102030405 d/b"), "213 Modify=20110102030405; d/b");
    assert_eq!(client.ask("MDTM d/b"), "213 20110102030405");
    assert!(client.ask("MFMT 20110102030405.678 d").starts_with("213"));
    assert!(client.ask("MFMT 2011 d/b").starts_with("501"));
    assert!(client.ask("MFMT 20110102030405 d/no").starts_with("550"));
    assert!(client.ask("MDTM 20110102030405 d/b").starts_with("550"), "taken for a name");
    assert!(client.ask("SITE UTIME 201202030405 d/b").starts_with("200"));
    assert_eq!(client.ask("MDTM d/b"), "213 20120203040500");
    assert!(client.ask("SITE UTIME d/b 20000101000000 20130203040506 20000101000000 UTC").starts_with("200"));
    assert_eq!(client.ask("MDTM d/b"), "213 20130203040506");
    assert_eq!(server.count_of("SITE UTIME", "d/b"), 2);
    assert!(client.put(&server, "STOR d/x y", b"").starts_with("226"));
    assert!(client.ask("SITE UTIME d/x y 20000101000000 20130203040506 20000101000000 UTC").starts_with("200"));
    assert!(client.ask("SITE UTIME 20140203040506 d/x y").starts_with("200"));
    assert_eq!(client.ask("MDTM d/x y"), "213 20140203040506");
    assert_eq!(server.log().verb("SITE UTIME"), 4);
    assert!(client.ask("FEAT").contains("\n MFMT\n"));

    let server = start(Personality::mlsd().writing(|it| (it.mfmt, it.utime_long) = (false, false)));
    let mut client = Client::login(&server);
    assert!(client.ask("MFMT 20110102030405 d/b").starts_with("500"));
    assert!(client.ask("SITE UTIME d/b 20000101000000 20130203040506 20000101000000 UTC").starts_with("500"));
    assert!(!client.ask("FEAT").contains("MFMT"));

    // vsftpd: MDTM sets, in the zone in which it tells.
    let tokyo = Personality { mdtm_zone: 9 * 3600, ..Personality::unix_list() };
    let server = start(tokyo.clone());
    let mut client = Client::login(&server);
    assert_eq!(client.ask("MDTM 20231115071320 d/b"), "213 File modification time set.");
    assert_eq!((client.ask("MDTM d/b").as_str(), server.mtime_of("d/b")), ("213 20231115071320", Some(DEFAULT_MTIME)));
    assert_eq!(client.ask("MDTM 20231115071320 d"), "550 Could not set file modification time.");
    assert!(client.ask("MFMT 20110102030405 d/b").starts_with("500"));
    let server = start(tokyo.writing(|it| it.mdtm = SetMdtm::Utc));
    let mut client = Client::login(&server);
    assert!(client.ask("MDTM 20231114221321 d/b").starts_with("213"));
    assert_eq!(server.mtime_of("d/b"), Some(DEFAULT_MTIME + 1));
}

#[test]
fn modes_are_set() {
    let modes = |personality: Personality| {
        let server = start(personality);
        let mut client = Client::login(&server);
        ["600", "4755", "02755", "999"].map(|digits| {
            let reply = client.ask(&format!("SITE CHMOD {digits} d/b"));
            (reply[..3].to_owned(), server.mode_of("d/b").unwrap())
        })
    };
    let expected = |list: [(&str, u32); 4]| list.map(|(code, mode)| (code.to_owned(), mode));
    assert_eq!(modes(Personality::unix_list()), expected([("200", 0o600), ("200", 0o755), ("200", 0o755), ("200", 0)]));
    assert_eq!(
        modes(Personality::proftpd()),
        expected([("200", 0o600), ("200", 0o4755), ("200", 0o2755), ("550", 0o2755)])
    );
    assert_eq!(
        modes(Personality::pyftpdlib()),
        expected([("200", 0o600), ("200", 0o4755), ("501", 0o4755), ("501", 0o4755)])
    );
    let server = start(Personality::mlsd().writing(|it| it.chmod = false));
    assert_eq!(Client::login(&server).ask("SITE CHMOD 600 d/b"), "500 'SITE CHMOD' not understood");
    let server = start(Personality::mlsd().writing(|it| it.site = false));
    let mut client = Client::login(&server);
    assert_eq!(client.ask("SITE CHMOD 600 d/b"), "500 SITE not understood");
    assert_eq!(client.ask("SITE HELP"), "500 SITE not understood");
    assert!(!client.ask("FEAT").contains("SITE"));
}

#[test]
fn links_are_made() {
    let server = start(Personality::proftpd());
    let mut client = Client::login(&server);
    assert!(client.ask("SITE SYMLINK ../hello d/l").starts_with("200"));
    assert_eq!(server.link_of("d/l").unwrap(), b"/hello");
    assert!(client.ask("SITE SYMLINK a d/l").starts_with("550"));
    // STOR through a link writes what it points to.
    assert!(client.ask("SITE SYMLINK d/b m").starts_with("200"));
    assert!(client.put(&server, "STOR m", b"through").starts_with("226"));
    assert_eq!(server.content("d/b").unwrap(), b"through");
    assert!(client.ask("DELE m").starts_with("250"));
    assert!(server.exists("d/b") && !server.exists("m") && server.is_dir("d"));
    let server = start(Personality::pure());
    assert!(Client::login(&server).ask("SITE SYMLINK a d/l").starts_with("500"));
}

#[test]
fn restarts_differ() {
    let stored = |personality: Personality, offset: u64, path: &str| {
        let server = start(personality);
        let mut client = Client::login(&server);
        let reply = client.put(&server, &format!("REST {offset}\r\nSTOR {path}"), b"XY");
        (reply[..3].to_owned(), server.content(path).map(|bytes| String::from_utf8(bytes).unwrap()))
    };
    let good = |text: &str| ("226".to_owned(), Some(text.to_owned()));
    for keeping in [Personality::unix_list(), Personality::proftpd(), Personality::pyftpdlib()] {
        assert_eq!(stored(keeping.clone(), 3, "d/b"), good("012XY56789"));
        assert_eq!(stored(keeping, 10, "d/b"), good("0123456789XY"));
    }
    assert_eq!(stored(Personality::pure(), 3, "d/b"), good("012XY"));
    assert_eq!(stored(Personality::pure(), 20, "d/b"), good("0123456789XY"));
    assert_eq!(stored(Personality::pure(), 5, "d/new"), good("XY"));
    assert_eq!(stored(Personality::unix_list(), 12, "d/b"), good("0123456789\0\0XY"));
    assert_eq!(stored(Personality::proftpd(), 12, "d/b"), ("554".to_owned(), Some("0123456789".to_owned())));
    let refusing = Personality::proftpd().writing(|it| it.restart = Restart::Refused);
    assert_eq!(stored(refusing, 3, "d/b"), ("451".to_owned(), Some("0123456789".to_owned())));
    let lying = Personality::proftpd().writing(|it| it.restart = Restart::Ignored);
    assert_eq!(stored(lying, 3, "d/b"), good("XY"));
}

#[test]
fn appends_differ() {
    let appended = |append: Append, path: &str| {
        let server = start(Personality::mlsd().writing(|it| it.append = append));
        let mut client = Client::login(&server);
        (client.put(&server, &format!("APPE {path}"), b"XY"), server.content(path).unwrap_or_default())
    };
    let good = |text: &str| ("226 Transfer complete".to_owned(), text.as_bytes().to_vec());
    assert_eq!(appended(Append::Works, "d/b"), good("0123456789XY"));
    assert_eq!(appended(Append::FromStart, "d/b"), good("XY23456789"));
    assert_eq!(appended(Append::Twice, "d/b"), good("0123456789XYXY"));
    assert_eq!(appended(Append::Refused, "d/b").0, "451 d/b: Append/Restart not permitted, try again");
    assert_eq!(appended(Append::Refused, "d/new"), good("XY"));
    assert_eq!(appended(Append::Unknown, "d/b").0, "500 APPE not understood");
}

#[test]
fn renames_can_be_refused() {
    let reply = |personality: Personality, to: &str| {
        let server = start(personality);
        let mut client = Client::login(&server);
        client.ask("RNFR d/a");
        let reply = client.ask(&format!("RNTO {to}"));
        assert_eq!(server.content("d/b").unwrap(), b"0123456789");
        reply
    };
    let onto = |personality: Personality| personality.writing(|it| it.renames = Renames::OntoNothing);
    assert_eq!(reply(onto(Personality::proftpd()), "d/b"), "550 d/b: Rename permission denied");
    assert_eq!(reply(Personality::iis(), "d/b"), "550 Cannot create a file when that file already exists.");
    assert!(reply(onto(Personality::proftpd()), "d/c").starts_with("250"));
    let never = Personality::mlsd().writing(|it| it.renames = Renames::Never);
    assert_eq!(reply(never, "d/c"), "550 d/c: Permission denied");
}

#[test]
fn places_and_names_can_be_refused() {
    let server = start(Personality::pure().writing(|it| {
        it.read_only = vec!["/d".to_owned()];
        it.refused_names = vec![".ftpfs-*".to_owned(), "con".to_owned()];
    }));
    let mut client = Client::login(&server);
    assert_eq!(client.put(&server, "STOR d/new", b"x"), "553 Can't open that file: Permission denied");
    for command in ["DELE d/a", "MKD d/n", "RNFR d/a", "MFMT 20110102030405 d/a", "SITE CHMOD 600 d/a"] {
        assert!(client.ask(command).starts_with("550"), "{command}");
    }
    assert_eq!(client.put(&server, "STOR empty/.ftpfs-1", b"x"), "553 Prohibited file name: empty/.ftpfs-1");
    assert_eq!(client.ask("MKD con"), "553 Prohibited file name: con");
    assert!(client.put(&server, "STOR empty/x", b"x").starts_with("226"));
    assert!(client.ask("RNFR empty/x").starts_with("350"));
    assert!(client.ask("RNTO empty/con").starts_with("553"));
    assert_eq!(server.paths(), ["d", "d/a", "d/b", "empty", "empty/x"]);

    let server = start(Personality::proftpd().writing(|it| it.overwrites = false));
    let mut client = Client::login(&server);
    assert_eq!(client.put(&server, "STOR d/a", b"x"), "550 d/a: Overwrite permission denied");
    assert_eq!(server.content("d/a").unwrap(), b"hello\n");

    let server = start(Personality::unix_list().read_only());
    let mut client = Client::login(&server);
    for command in ["STOR x", "APPE x", "MKD x", "DELE d/a", "RNFR d/a", "RMD empty"] {
        assert_eq!(client.ask(command), "550 Permission denied.", "{command}");
    }
    assert!(client.ask("SITE CHMOD 600 d/a").starts_with("500"));
}

#[test]
fn disks_run_full() {
    // 16 bytes are taken.
    let disk = Disk::of(116);
    let cases = [
        (Personality::unix_list(), "451 Failure writing to local file."),
        (Personality::proftpd(), "452 Transfer aborted. No space left on device"),
        (Personality::pure(), "451-Error during write to file\n451 Transfer aborted"),
        (Personality::pyftpdlib(), "426 None; transfer aborted."),
    ];
    for (personality, words) in cases {
        for tells in [Tells::AtOnce, Tells::AtEnd] {
            let server = start(personality.clone().with_disk(disk.clone().telling(tells)));
            let mut client = Client::login(&server);
            assert!(client.put(&server, "STOR d/fits", &[1; 60]).starts_with("226"));
            assert_eq!(client.put(&server, "STOR d/new", &[2; 400_000]), words);
            assert_eq!(server.len_of("d/new"), Some(40));
            assert!(client.in_step());
            let early = server
                .log()
                .count(|event| matches!(event, Event::DataClosed { early: true, bytes, .. } if *bytes < 400_000));
            assert_eq!(early, usize::from(tells == Tells::AtOnce));
            // What is freed can be used again.
            assert!(client.ask("DELE d/fits").starts_with("250"));
            assert!(client.put(&server, "STOR d/new", &[2; 100]).starts_with("226"));
        }
    }
    let server = start(Personality::mlsd().with_disk(Disk { removes_partial: true, ..disk.clone().quota() }));
    let mut client = Client::login(&server);
    assert!(client.put(&server, "STOR d/new", &[2; 400]).starts_with("552"));
    assert!(!server.exists("d/new"));
    let server = start(Personality::pyftpdlib().with_disk(disk.silent()));
    let mut client = Client::login(&server);
    let mut data = client.begin_put(&server, "STOR d/new", &[2; 400]);
    assert!(data.read(&mut [0]).is_ok_and(|len| len == 0) || server.uploads_running() == 0);
    server.await_no_uploads();
    assert!(client.in_step());
}

#[test]
fn space_can_be_asked_for() {
    let server = start(Personality::pure().with_disk(Disk::of(116)));
    let mut client = Client::login(&server);
    assert_eq!(client.ask("ALLO 100"), "200 A L'HUILE");
    assert_eq!(client.ask("ALLO 101"), "552 Disk full - please upload later");
    assert_eq!(Client::login(&start(Personality::unix_list())).ask("ALLO 1"), "202 ALLO command ignored.");
    let full = start(Personality::mlsd().writing(|it| it.allo = Allo::Full));
    assert!(Client::login(&full).ask("ALLO 1").starts_with("552"));
}

#[test]
fn uploads_lock_files() {
    let server = start(Personality::unix_list());
    let mut writer = Client::login(&server);
    let data = writer.begin_put(&server, "STOR d/b", b"new");
    server.await_bytes("d/b", 3);
    assert_eq!(server.uploads_running(), 1);
    let mut reader = Client::login(&server);
    let mut download = reader.passive(&server);
    reader.send("RETR d/b\r\n");
    server.await_log(|log| log.count(|event| *event == Event::Locked) == 1);
    // Others are served.
    let mut other = Client::login(&server);
    assert_eq!(other.fetch(&server, "RETR d/a").0, b"hello\n");
    assert_eq!(other.ask("SIZE d/b"), "213 3");
    assert!(server.log().commands().contains(&"RETR d/b"));
    drop(data);
    assert!(writer.reply().starts_with("226"));
    assert!(reader.reply().starts_with("150"));
    let mut bytes = Vec::new();
    download.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"new");
    assert!(reader.reply().starts_with("226"));
    // A waiting writer ends with its client.
    let data = writer.begin_put(&server, "STOR d/b", b"newer");
    let mut waiting = Client::login(&server);
    let _data = waiting.passive(&server);
    waiting.send("STOR d/b\r\n");
    server.await_commands("STOR", "d/b", 3);
    drop(waiting);
    assert!(server.wait_for_connections(3, PATIENCE));
    drop(data);
    assert!(writer.reply().starts_with("226"));
    assert_eq!(server.content("d/b").unwrap(), b"newer");

    // Without locks both run.
    let server = start(Personality::mlsd());
    let mut writer = Client::login(&server);
    let mut data = writer.begin_put(&server, "STOR d/b", b"new");
    server.await_bytes("d/b", 3);
    assert_eq!(Client::login(&server).fetch(&server, "RETR d/b").0, b"new");
    // Renamed meanwhile, the file takes what comes with it.
    let mut other = Client::login(&server);
    other.send("RNFR d/b\r\nRNTO moved\r\n");
    assert!(other.reply().starts_with("350") && other.reply().starts_with("250"));
    data.write_all(b"er").unwrap();
    drop(data);
    assert!(writer.reply().starts_with("226"));
    assert_eq!((server.content("moved").unwrap(), server.exists("d/b")), (b"newer".to_vec(), false));
}

#[test]
fn files_are_emptied_at_the_command_or_at_the_first_block() {
    for (personality, seen) in [(Personality::mlsd(), &b""[..]), (Personality::pure(), b"0123456789")] {
        let server = start(personality);
        let mut client = Client::login(&server);
        let mut data = client.begin_put(&server, "STOR d/b", b"");
        assert_eq!(server.content("d/b").unwrap(), seen);
        data.write_all(b"new").unwrap();
        server.await_bytes("d/b", 3);
        assert_eq!(server.content("d/b").unwrap(), b"new");
        drop(data);
        assert!(client.reply().starts_with("226"));
    }
}
