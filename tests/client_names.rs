//! Names on the wire and names on the mount: code pages, bytes that fit none, paths longer than a line.

mod support;

use encoding_rs::{Encoding, GBK, SHIFT_JIS, WINDOWS_1252};
use ftpfs::ftp::Client;
use ftpfs::remote::{ErrorKind, Kind, Name, Remote, RemotePath, Stamp};
use support::client::{client, client_with, config, list, names, open, path, read, soon};
use support::server::{DEFAULT_MTIME, FakeServer, Fault, Names, Personality, Tree};

fn with_page(server: &FakeServer, page: &'static Encoding) -> Client {
    let mut settings = config(server);
    settings.listing.encoding = Some(page);
    let client = client_with(&settings);
    client.enter(b"", soon()).expect("the login works");
    client
}

fn personalities() -> [Personality; 5] {
    // Windows, but with names of one byte per byte, as of a disk that other systems have written.
    let iis = Personality { names: Names::Bytes, ..Personality::iis() };
    [Personality::mlsd(), Personality::unix_list(), iis, Personality::pure(), Personality::no_feat()]
}

/// Everything that a directory lists, read by the names that are shown.
fn contents(client: &Client, dir: &RemotePath) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut entries = Vec::new();
    client
        .list(dir, soon(), &mut |entry| {
            entries.push(entry);
            std::ops::ControlFlow::Continue(())
        })
        .expect("a listing");
    for entry in entries.into_iter().filter(|e| e.meta.kind == Kind::File) {
        let file = dir.join(&entry.name);
        let mut download = client.download(&file, 0, &std::sync::Arc::default(), soon()).expect("it opens");
        let mut buf = [0; 100];
        let got = download.read(&mut buf, soon()).expect("bytes");
        while download.read(&mut [0; 10], soon()).expect("bytes") > 0 {}
        download.finish(soon()).expect("all of it");
        assert!(client.stat(&file, soon()).is_ok());
        found.push((entry.name.as_bytes().to_vec(), buf[..got].to_vec()));
    }
    found.sort();
    found
}

#[test]
fn a_chinese_server_is_read_in_utf_8() {
    for personality in personalities() {
        let tree = Tree::new().file(b"\xc4\xbf\xc2\xbc/\xd6\xd0\xce\xc4.txt", b"hello", DEFAULT_MTIME).file(
            b"\xc4\xbf\xc2\xbc/plain",
            b"ascii",
            DEFAULT_MTIME,
        );
        let told = personality.mdtm.then_some(Stamp::exact(DEFAULT_MTIME));
        let server = FakeServer::start(personality, tree);
        let client = with_page(&server, GBK);
        assert_eq!(names(&client, "/"), ["目录"]);
        assert_eq!(names(&client, "/目录"), ["plain", "中文.txt"]);
        assert_eq!(read(&client, "/目录/中文.txt", 0).expect("a file"), b"hello");
        assert_eq!(read(&client, "/目录/x", 0).expect_err("nothing").kind, ErrorKind::NotFound);
        let times = client.times(&path("/目录"), &[Name::new("中文.txt".as_bytes()).expect("a name")], soon());
        assert_eq!(times.expect("times"), [told]);
    }
}

#[test]
fn every_listed_name_opens_whatever_its_bytes_are() {
    // Good GBK, UTF-8 of the same letter, the marked form of that, cut in the middle, a byte of Telnet, Latin-1.
    let all: [&[u8]; 6] = [b"\xd6\xd0", "中".as_bytes(), b"\xff\xe4\xb8\xad", b"cut\xd6", b"\xff\xff", b"caf\xe9"];
    for personality in personalities() {
        let tree = all.iter().fold(Tree::new(), |tree, name| tree.file(name, name, DEFAULT_MTIME));
        let server = FakeServer::start(personality, tree);
        for page in [None, Some(GBK), Some(SHIFT_JIS), Some(WINDOWS_1252)] {
            let mut settings = config(&server);
            settings.listing.encoding = page;
            let client = client_with(&settings);
            client.enter(b"", soon()).expect("the login works");
            let found = contents(&client, &RemotePath::root());
            let mut right: Vec<_> = found.iter().map(|(_, content)| content.clone()).collect();
            right.sort();
            let mut wanted: Vec<_> = all.iter().map(|name| name.to_vec()).collect();
            wanted.sort();
            assert_eq!(right, wanted, "{page:?}");
            if page.is_none() {
                assert!(found.iter().all(|(name, content)| name == content), "bytes are bytes");
            }
        }
    }
}

#[test]
fn a_text_without_bytes_in_the_code_page_is_missing_without_a_question() {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file(b"caf\xe9", b"x", 0));
    let client = with_page(&server, WINDOWS_1252);
    assert_eq!(names(&client, "/"), ["café"]);
    server.clear_log();
    assert_eq!(read(&client, "/中", 0).expect_err("it cannot exist").kind, ErrorKind::NotFound);
    assert_eq!(client.stat(&path("/中"), soon()).expect_err("it cannot exist").kind, ErrorKind::NotFound);
    assert_eq!(server.log().commands(), Vec::<&str>::new());
}

#[test]
fn links_lead_to_names_in_the_code_page() {
    let tree = Tree::new().file(b"\xd6\xd0/a", b"x", 0).symlink("link", b"\xd6\xd0/a");
    for personality in [Personality::unix_list(), Personality::proftpd()] {
        let server = FakeServer::start(personality, tree.clone());
        let client = with_page(&server, GBK);
        let mut seen = Vec::new();
        client
            .links(&RemotePath::root(), soon(), &mut |name, to| seen.push((name.to_string(), to.to_vec())))
            .expect("links");
        assert_eq!(seen, [("link".to_owned(), "中/a".as_bytes().to_vec())]);
    }
}

#[test]
fn the_path_of_the_url_is_text_or_the_servers_own_bytes() {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file(b"\xd6\xd0/a", b"x", 0));
    for typed in ["中".as_bytes(), b"\xd6\xd0", b"/\xd6\xd0/"] {
        let mut settings = config(&server);
        settings.listing.encoding = Some(GBK);
        let client = client_with(&settings);
        assert_eq!(client.enter(typed, soon()).expect("it is there"), path("/中"), "{}", typed.escape_ascii());
    }
}

#[test]
fn the_login_directory_may_be_in_the_code_page() {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file(b"\xd6\xd0/a", b"x", 0));
    server.fault(Fault::raw(support::server::Stage::Reply("PWD"), b"257 \"/\xd6\xd0\"\r\n".to_vec()));
    let mut settings = config(&server);
    settings.listing.encoding = Some(GBK);
    let client = client_with(&settings);
    assert_eq!(client.enter(b"", soon()).expect("it is there"), path("/中"));
    assert_eq!(names(&client, "/中"), ["a"]);
}

#[test]
fn utf8_is_switched_on_where_it_is_announced_and_off_for_a_code_page() {
    let opts = |server: &FakeServer| -> Vec<String> {
        let log = server.log();
        let found = log.commands().into_iter().filter(|line| line.starts_with("OPTS UTF8")).map(str::to_owned);
        found.collect()
    };
    let tree = || Tree::new().file_pattern("big", 5 << 20, 7);
    for personality in [Personality::iis(), Personality::pure(), Personality::proftpd()] {
        let server = FakeServer::start(personality.clone(), tree());
        let client = client(&server);
        // A transfer holds the first connection, so the listing needs a second one.
        let held = open(&client, "/big", 0).expect("a transfer");
        names(&client, "/");
        held.finish(soon()).expect("an early end");
        let said = opts(&server);
        assert!(said.len() >= 2 && said.iter().all(|line| line == "OPTS UTF8 ON"), "{said:?}");
        assert_eq!(said.len(), server.log().verb("PASS"), "once for each connection");
        let log = server.log();
        let first_path = log.commands().iter().position(|line| line.contains('/')).expect("a path was sent");
        let first_on = log.commands().iter().position(|line| *line == "OPTS UTF8 ON").expect("it was sent");
        assert!(first_on < first_path, "{log}");

        let server = FakeServer::start(personality, tree());
        names(&with_page(&server, WINDOWS_1252), "/");
        assert_eq!(opts(&server), ["OPTS UTF8 OFF"]);
    }
    for silent in [Personality::unix_list(), Personality::no_feat()] {
        let server = FakeServer::start(silent, tree());
        names(&client(&server), "/");
        assert_eq!(opts(&server), Vec::<String>::new());
    }
}

#[test]
fn iis_shows_all_names_in_utf_8_and_what_its_code_page_has_in_that() {
    let tree = Tree::new().file("Stra\u{df}e", b"one", DEFAULT_MTIME).file("中", b"two", DEFAULT_MTIME);
    let server = FakeServer::start(Personality::iis(), tree);
    let utf8 = client(&server);
    assert_eq!(names(&utf8, "/"), ["Stra\u{df}e", "中"]);
    assert_eq!(read(&utf8, "/中", 0).expect("a file"), b"two");
    let latin1 = with_page(&server, WINDOWS_1252);
    // The other one comes as `?`, and no file is called that.
    assert_eq!(names(&latin1, "/"), ["Stra\u{df}e"]);
    assert_eq!(read(&latin1, "/Stra\u{df}e", 0).expect("a file"), b"one");
}

/// 17 names of 200 bytes, 3,417 in all: longer than pyftpdlib's lines, and than those of its kind.
fn deep(parts: usize) -> String {
    (0..parts).map(|i| format!("/-{i:02}{}", "x".repeat(197))).collect()
}

#[test]
fn paths_longer_than_a_line_are_entered_step_by_step() {
    for personality in personalities().into_iter().chain([Personality::proftpd(), Personality::pyftpdlib()]) {
        let dir = deep(17);
        let tree = Tree::new()
            .file(format!("{dir}/~file"), b"at the bottom", DEFAULT_MTIME)
            .dir(format!("{dir}/ sub"))
            .file("top", b"at the top", DEFAULT_MTIME);
        let told = personality.mdtm.then_some(Stamp::exact(DEFAULT_MTIME));
        let server = FakeServer::start(personality, tree);
        let client = client(&server);
        assert_eq!(names(&client, &dir), [" sub", "~file"]);
        assert_eq!(read(&client, &format!("{dir}/~file"), 3).expect("a file"), b"the bottom");
        assert_eq!(client.stat(&path(&format!("{dir}/~file")), soon()).expect("it is there").size, Some(13));
        assert_eq!(client.stat(&path(&format!("{dir}/ sub")), soon()).expect("it is there").kind, Kind::Dir);
        let version = client.version(&path(&format!("{dir}/~file")), soon()).expect("it is there");
        assert_eq!(version.expect("it is told").size, 13);
        let times = client.times(&path(&dir), &[Name::new(b"~file").expect("a name")], soon()).expect("times");
        assert_eq!(times, [told]);
        client.links(&path(&dir), soon(), &mut |_, _| {}).expect("no links");
        let kind = |result: Result<Vec<u8>, ftpfs::remote::Error>| result.expect_err("it fails").kind;
        assert_eq!(kind(read(&client, &format!("{dir}/nothing"), 0)), ErrorKind::NotFound);
        assert_eq!(kind(read(&client, &format!("{dir}/ sub"), 0)), ErrorKind::IsDir);
        // Whoever comes next begins at the top again.
        assert_eq!(names(&client, "/").last().map(String::as_str), Some("top"));
        assert_eq!(read(&client, "/top", 0).expect("a file"), b"at the top");
        assert!(server.log().commands().iter().all(|line| line.len() <= 1_998), "{}", server.log());
    }
}

#[test]
fn inetutils_is_sent_no_line_whose_rest_it_would_execute() {
    let mut inetutils = Personality::unix_list();
    inetutils.greeting = "220 host FTP server (GNU inetutils 2.4) ready.".into();
    inetutils.feat = None;
    let dir = deep(17);
    let server = FakeServer::start(inetutils, Tree::new().file(format!("{dir}/f"), b"at the bottom", DEFAULT_MTIME));
    let client = client(&server);
    assert_eq!(names(&client, &dir), ["f"]);
    assert_eq!(read(&client, &format!("{dir}/f"), 0).expect("a file"), b"at the bottom");
    assert!(server.log().commands().iter().all(|line| line.len() <= 498), "{}", server.log());
    // Nobody can enter a name that fills a line alone.
    let error = client.stat(&path(&format!("/{}", "x".repeat(500))), soon()).expect_err("it is too long");
    assert_eq!(error.kind, ErrorKind::NotFound, "the listing of its directory does not have it");
    let error = read(&client, &format!("/{}", "x".repeat(500)), 0).expect_err("it is too long");
    assert_eq!(error.kind, ErrorKind::NameTooLong);
}

#[test]
fn a_name_longer_than_the_kernel_takes_is_left_out() {
    let (long, good) = ("x".repeat(1_025), "y".repeat(1_024));
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file(&long, b"x", 0).file(&good, b"x", 0));
    assert_eq!(names(&client(&server), "/"), [good]);
}

#[test]
fn behind_a_refused_step_nothing_relative_is_asked() {
    let dir = deep(17);
    // A file of the same relative name lies where the first step would have led to.
    let tree = Tree::new().file(format!("{}/x", deep(17)), b"right", 0).file("x", b"wrong", 0);
    let server = FakeServer::start(Personality::mlsd(), tree);
    let client = client(&server);
    server.fault(Fault::reply("CWD", "550 Permission denied.").times(1));
    let error = read(&client, &format!("{dir}/x"), 0).expect_err("a step is refused");
    assert_eq!(error.kind, ErrorKind::Denied);
    let log = server.log();
    assert!(!log.commands().iter().any(|line| line.starts_with("RETR") || line.starts_with("MLST")), "{log}");
    assert_eq!(read(&client, &format!("{dir}/x"), 0).expect("once more"), b"right");
}

#[test]
fn the_users_own_command_lists() {
    let tree = Tree::new().file(".hidden", b"x", 0).file("a", b"x", 0);
    let server = FakeServer::start(Personality::mlsd(), tree);
    let mut settings = config(&server);
    settings.listing.command = Some(b"LIST -la".to_vec());
    let client = client_with(&settings);
    client.enter(b"", soon()).expect("the login works");
    assert_eq!(names(&client, "/"), [".hidden", "a"]);
    assert_eq!(list(&client, "/").expect("a listing").len(), 2);
    assert_eq!((server.log().verb("MLSD"), server.log().verb("MLST")), (0, 0));
    let log = server.log();
    assert!(log.commands().iter().filter(|line| line.starts_with("LIST")).all(|line| *line == "LIST -la"), "{log}");
}

#[test]
fn a_server_that_takes_dash_a_for_a_name_is_asked_once() {
    let server = FakeServer::start(Personality::unix_list(), Tree::new().file("d/a", b"x", 0));
    server.fault(Fault::reply("LIST", "450 -a: No such file or directory").times(1));
    let client = client(&server);
    assert_eq!(names(&client, "/d"), ["a"]);
    assert_eq!(names(&client, "/d"), ["a"]);
    let log = server.log();
    let lists: Vec<_> = log.commands().into_iter().filter(|line| line.starts_with("LIST")).collect();
    assert_eq!(lists, ["LIST -a", "LIST", "LIST"]);
}
