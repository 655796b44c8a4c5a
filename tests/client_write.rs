//! The client's uploads and changes on a fake server that misbehaves.

mod support;

use ftpfs::config::Server;
use ftpfs::ftp::Client;
use ftpfs::remote::{Abilities, Applied, ErrorKind, Remote as _, Result, Retry, Settings, Store, Stored};
use support::client::{client, client_with, config, path, soon};
use support::server::{
    Append, Cut, DEFAULT_MTIME, Disk, End, Event, FakeServer, Fault, Personality, Renames, Restart, SetMdtm, Stage,
    Symlink, Tree,
};

const NONE: Settings = Settings { mtime: None, mode: None };
const BOTH: Settings = Settings { mtime: Some(1_234_567_890), mode: Some(0o640) };

fn store(client: &Client, file: &str, content: &[u8], how: Store, settings: &Settings) -> Result<Stored> {
    let mut upload = client.upload(&path(file), how, &Default::default(), soon())?;
    for piece in content.chunks(100_000) {
        upload.write(piece, soon())?;
    }
    upload.finish(settings, soon())
}

fn whole(client: &Client, file: &str, content: &[u8]) -> Result<Stored> {
    store(client, file, content, Store::Whole, &NONE)
}

fn content(server: &FakeServer, file: &str) -> Vec<u8> {
    server.tree().lock().read(file, 0, 10 << 20)
}

fn exists(server: &FakeServer, file: &str) -> bool {
    server.tree().lock().find(file.as_bytes(), false).is_ok()
}

fn all() -> [Personality; 7] {
    [
        Personality::mlsd(),
        Personality::proftpd(),
        Personality::pyftpdlib(),
        Personality::unix_list(),
        Personality::iis(),
        Personality::pure(),
        Personality::no_feat(),
    ]
}

fn start(personality: Personality) -> (FakeServer, Client) {
    let server = FakeServer::start(personality, Tree::new().file("old", "old content", DEFAULT_MTIME).dir("dir"));
    // With two there is none to stand by: what is counted is what one upload costs.
    let client = client_with(&Server { max_connections: 2, ..config(&server) });
    (server, client)
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(e) => e.kind,
    }
}

#[test]
fn a_small_new_file_costs_two_flights() {
    for personality in all() {
        let (server, client) = start(personality);
        store(&client, "/first", b"x", Store::Whole, &BOTH).expect("it is stored");
        for name in ["/second", "/third"] {
            server.clear_log();
            server.reset_flights();
            let stored = store(&client, name, b"some bytes", Store::Whole, &BOTH).expect("it is stored");
            assert_eq!(stored.version.expect("it is told").size, 10);
            // STOR with the data; then settings, size and the next data channel. On a busy machine the data may come behind
            // the 150, which counts as one more; vsftpd is asked early, which is one less.
            assert!(server.work_flights() <= 3, "{}", server.log());
            assert_eq!(content(&server, name), b"some bytes");
        }
    }
}

#[test]
fn a_channel_that_was_opened_ahead_may_be_dead() {
    for personality in all() {
        for fault in [
            Fault::reply("STOR", "425 Unable to build data connection: Connection refused"),
            Fault::cut(Stage::Reply("STOR"), Cut::both(End::Rst)),
            Fault::cut(Stage::Reply("STOR"), Cut::both(End::Fin)),
        ] {
            let (server, client) = start(personality.clone());
            whole(&client, "/first", b"x").expect("it is stored");
            server.fault(fault.times(1));
            whole(&client, "/second", &[7; 50_000]).expect("unseen");
            assert_eq!(content(&server, "second"), [7; 50_000]);
            whole(&client, "/third", b"x").expect("it is stored");
        }
    }
}

#[test]
fn uploads_that_end_early_say_why() {
    let big = vec![1; 4 << 20];
    for personality in all() {
        for (words, wanted) in [
            ("452 Error writing file: No space left on device.", ErrorKind::NoSpace),
            ("552 Exceeded storage allocation", ErrorKind::NoSpace),
            ("552 Quota exceeded", ErrorKind::Quota),
            ("451 Failure writing to local file.", ErrorKind::NoSpace),
            ("426 Connection closed; transfer aborted.", ErrorKind::Unreachable),
        ] {
            let (server, client) = start(personality.clone());
            server.fault(Fault::cut(Stage::Data(1 << 20), Cut::data(End::Rst).saying(words)).times(1));
            assert_eq!(kind(whole(&client, "/f", &big)), wanted, "{words}");
            server.fault(Fault::reply_at(Stage::Final, words).times(1));
            assert_eq!(kind(whole(&client, "/f", b"small")), wanted, "{words}");
            whole(&client, "/f", b"at last").expect("everything goes on");
            assert_eq!(content(&server, "f"), b"at last");
        }
    }
}

#[test]
fn a_full_disk_is_seen_where_the_server_has_no_words_for_it() {
    let personality = Personality::pure().writing(|it| it.disk = Some(Disk::of(2_000_000)));
    let (_server, client) = start(personality);
    assert_eq!(kind(whole(&client, "/f", &vec![1; 3 << 20])), ErrorKind::NoSpace);
}

#[test]
fn what_did_not_arrive_whole_is_no_success() {
    for personality in all() {
        let (server, client) = start(personality);
        server.fault(Fault::swallow(1_000).times(1));
        let error = whole(&client, "/f", &[3; 5_000]).expect_err("bytes are missing");
        assert_eq!((error.kind, error.retry), (ErrorKind::Unreachable, Retry::Safe), "{error}");
        for stage in [Stage::Final, Stage::Data(2_000)] {
            server.fault(Fault::cut(stage, Cut::both(End::Rst)).times(1));
            let error = whole(&client, "/f", &[3; 5_000]).expect_err("nobody knows");
            assert_eq!((error.kind, error.retry), (ErrorKind::Unreachable, Retry::Safe), "{error}");
        }
        whole(&client, "/f", &[3; 5_000]).expect("it is stored");
        // After the final reply everything can be asked again.
        for verb in ["MLST", "SIZE", "MFMT", "EPSV"] {
            server.fault(Fault::cut(Stage::Reply(verb), Cut::both(End::Rst)).times(1));
            store(&client, "/f", &[4; 5_000], Store::Whole, &NONE).expect("it is stored");
            server.heal();
        }
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_looked_up() {
    for personality in all() {
        for verb in ["DELE", "RMD", "MKD", "RNTO"] {
            for stage in [Stage::Reply(verb), Stage::Done(verb)] {
                let (server, client) = start(personality.clone());
                server.fault(Fault::cut(stage, Cut::both(End::Rst)).times(1));
                let done = match verb {
                    "DELE" => client.remove_file(&path("/old"), soon()),
                    "RMD" => client.remove_dir(&path("/dir"), soon()),
                    "MKD" => client.make_dir(&path("/new"), None, soon()).map(drop),
                    _ => client.rename(&path("/old"), &path("/new"), &NONE, soon()).map(drop),
                };
                done.unwrap_or_else(|e| panic!("{verb} at {stage:?}: {e}\n{}", server.log()));
                assert_eq!(exists(&server, "old"), matches!(verb, "RMD" | "MKD"), "{verb}");
                assert_eq!(exists(&server, "dir"), verb != "RMD", "{verb}");
                assert_eq!(exists(&server, "new"), matches!(verb, "MKD" | "RNTO"), "{verb}");
                if matches!(stage, Stage::Done(_)) {
                    assert_eq!(server.log().verb(verb), 1, "never repeated blindly: {}", server.log());
                }
            }
        }
    }
}

#[test]
fn tails_go_by_appe_or_by_rest_or_not_at_all() {
    let tail = |client: &Client| store(client, "/old", b"+tail", Store::Tail { at: 11 }, &NONE);
    for personality in all() {
        let (server, client) = start(personality.clone());
        tail(&client).expect("it grows");
        assert_eq!(content(&server, "old"), b"old content+tail");
        assert_eq!(client.abilities().tail, Some(true));
        for append in [Append::Refused, Append::Unknown] {
            let (server, client) = start(personality.clone().writing(|it| it.append = append));
            tail(&client).expect("it grows by REST and STOR");
            assert_eq!(content(&server, "old"), b"old content+tail");
            let (server, client) = start(personality.clone().writing(|it| {
                it.append = append;
                it.restart = Restart::Refused;
            }));
            for _ in 0..2 {
                assert_eq!(kind(tail(&client)), ErrorKind::Unsupported);
                assert_eq!(client.abilities().tail, Some(false));
            }
            assert_eq!(content(&server, "old"), b"old content");
            assert_eq!(server.log().verb("APPE"), 1, "{}", server.log());
            assert!(!server.tree().lock().paths().iter().any(|name| name.starts_with(b".ftpfs")));
        }
        let (server, client) = start(personality.clone());
        server.tree().update(|tree| tree.write("old", "another", DEFAULT_MTIME));
        assert_eq!(kind(tail(&client)), ErrorKind::Changed);
        assert_eq!(content(&server, "old"), b"another");
    }
}

#[test]
fn a_server_that_does_it_wrong_is_not_asked_again() {
    for personality in [Personality::pure(), Personality::unix_list()] {
        let (server, client) = start(personality.writing(|it| it.append = Append::Twice));
        let error = store(&client, "/old", b"+tail", Store::Tail { at: 11 }, &NONE).expect_err("it is wrong");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        let size = content(&server, "old").len() as u64;
        store(&client, "/old", b"+tail", Store::Tail { at: size }, &NONE).expect("by REST and STOR");
        assert_eq!(server.log().verb("APPE"), 1);
    }
}

#[test]
fn an_unknown_server_shows_on_a_file_of_our_own_that_it_appends() {
    for (append, restart, able) in [
        (Append::FromStart, Restart::Ignored, false),
        (Append::FromStart, Restart::KeepsTail, true),
        (Append::Twice, Restart::Truncates, true),
        (Append::Unknown, Restart::Ignored, false),
        (Append::Works, Restart::Ignored, true),
    ] {
        let (server, client) = start(Personality::iis().writing(|it| (it.append, it.restart) = (append, restart)));
        let stored = store(&client, "/old", b"+tail", Store::Tail { at: 11 }, &NONE);
        assert_eq!(stored.is_ok(), able, "{append:?} {restart:?}: {}", server.log());
        assert_eq!(client.abilities().tail, Some(able));
        let wanted: &[u8] = if able { b"old content+tail" } else { b"old content" };
        assert_eq!(content(&server, "old"), wanted, "{append:?} {restart:?}");
        assert_eq!(server.tree().lock().paths().len(), 2, "nothing is left behind");
    }
}

#[test]
fn files_are_replaced_where_rnto_refuses_to() {
    for personality in all() {
        let (server, client) = start(personality.writing(|it| it.renames = Renames::OntoNothing));
        for _ in 0..2 {
            whole(&client, "/new", b"new content").expect("it is stored");
            client.rename(&path("/new"), &path("/old"), &BOTH, soon()).expect("it replaces");
            assert_eq!(content(&server, "old"), b"new content");
            assert!(!exists(&server, "new"));
            let left: Vec<_> = server.tree().lock().paths().into_iter().filter(|p| p.starts_with(b".ftpfs")).collect();
            assert!(left.is_empty(), "{left:?}");
        }
        // Whatever goes wrong, the target is what it was.
        whole(&client, "/new", b"x").expect("it is stored");
        server.fault(Fault::reply("RNTO", "550 no").path("/old").times(1));
        client.rename(&path("/new"), &path("/old"), &NONE, soon()).expect_err("it is refused");
        assert_eq!(content(&server, "old"), b"new content", "{}", server.log());
        assert!(exists(&server, "new"));
        client.rename(&path("/new"), &path("/elsewhere"), &NONE, soon()).expect("nothing is there");
    }
}

#[test]
fn times_are_set_in_the_words_that_the_server_knows() {
    type Switch = fn(&mut support::server::Writing);
    let ways: [(&str, Switch); 4] = [
        ("MDTM", |it| it.mdtm = SetMdtm::Utc),
        ("SITE UTIME long", |it| it.utime_long = true),
        ("SITE UTIME short", |it| it.utime_short = true),
        ("nothing", |_| {}),
    ];
    for personality in all() {
        for (name, switch) in ways {
            if name == "MDTM" && !personality.mdtm {
                continue;
            }
            let (server, client) = start(personality.clone().writing(|it| {
                (it.mfmt, it.mdtm, it.utime_long, it.utime_short) = (false, SetMdtm::Unknown, false, false);
                it.site = true;
                switch(it);
            }));
            for i in 0..2 {
                server.reset_flights();
                let settings = Settings { mtime: Some(1_000_000_000 + i), mode: None };
                let stored = store(&client, "/f", b"x", Store::Whole, &settings).expect("it is stored");
                assert_eq!(
                    matches!(stored.outcome.mtime, Applied::Done),
                    name != "nothing",
                    "{name}: {}",
                    server.log()
                );
                assert_eq!(matches!(stored.outcome.mtime, Applied::Cannot), name == "nothing", "{name}");
                if name != "nothing" {
                    let tree = server.tree().lock();
                    assert_eq!(tree.find(b"f", true).expect("it is there").mtime, 1_000_000_000 + i, "{name}");
                }
            }
            // One with vsftpd, which is asked early.
            assert!(server.work_flights() <= 2, "{name}: {}", server.log());
            assert_eq!(client.abilities().mtime, Some(name != "nothing"));
        }
    }
}

/// The log said that the server could set no times at all, when it had only refused those of one file.
#[test]
fn a_file_whose_time_is_refused_says_nothing_of_the_others() {
    let personality = Personality::unix_list().writing(|it| (it.mfmt, it.mdtm, it.site) = (false, SetMdtm::Utc, true));
    let (server, client) = start(personality);
    server.fault(Fault::reply("MDTM", "550 Could not set file modification time.").path("/old").times(1));
    let settings = Settings { mtime: Some(1_000_000_000), mode: None };
    let set = |name| client.set(&[(path(name), settings)], soon()).expect("it is answered").remove(0).mtime;
    let refused = set("/old");
    assert!(matches!(refused, Applied::Refused(_)), "{refused:?}: {}", server.log());
    assert!(matches!(set("/old"), Applied::Done), "{}", server.log());
}

#[test]
fn times_are_set_by_the_servers_own_clock() {
    let mut personality = Personality::unix_list().writing(|it| it.mdtm = SetMdtm::AsRead);
    (personality.list_zone, personality.mdtm_zone) = (9 * 3_600, 9 * 3_600);
    let now = jiff::Timestamp::now().as_second();
    let server = FakeServer::start(personality, Tree::new().file("old", "x", now - 86_400).dir("dir"));
    let mut settings = config(&server);
    settings.listing.timezone = Some(jiff::tz::TimeZone::get("Asia/Tokyo").expect("known"));
    let client = client_with(&settings);
    client.enter(b"", soon()).expect("the login works");
    // The listing shows that MDTM is local, too.
    client.list(&path("/"), soon(), &mut |_| std::ops::ControlFlow::Continue(())).expect("a listing");
    let outcome = client.set(&[(path("/old"), BOTH)], soon()).expect("it is set");
    assert!(matches!(outcome[0].mtime, Applied::Done), "{outcome:?}");
    assert_eq!(server.tree().lock().find(b"old", true).expect("it is there").mtime, 1_234_567_890);
}

#[test]
fn many_settings_travel_together() {
    let tree = Tree::new().many("d", 64);
    let server = FakeServer::start(Personality::pure(), tree);
    let client = client(&server);
    let names: Vec<_> = server.tree().lock().paths().into_iter().filter(|p| p.starts_with(b"d/")).collect();
    let files: Vec<_> = names.iter().map(|name| (path(&format!("/{}", String::from_utf8_lossy(name))), BOTH)).collect();
    client.set(&files[..1], soon()).expect("they are set");
    server.reset_flights();
    let outcomes = client.set(&files, soon()).expect("they are set");
    assert!(outcomes.iter().all(|o| matches!((&o.mtime, &o.mode), (Applied::Done, Applied::Done))), "{outcomes:?}");
    assert_eq!(server.work_flights(), 4, "32 commands at a time");
}

#[test]
fn a_rename_takes_the_settings_along_in_one_flight() {
    let (server, client) = start(Personality::pure());
    client.set(&[(path("/old"), Settings { mtime: Some(0), mode: Some(0o600) })], soon()).expect("they are set");
    server.reset_flights();
    let outcome = client.rename(&path("/old"), &path("/new"), &BOTH, soon()).expect("it is renamed");
    assert!(matches!((&outcome.mtime, &outcome.mode), (Applied::Done, Applied::Done)), "{outcome:?}");
    assert_eq!(server.work_flights(), 1, "{}", server.log());
    assert_eq!(server.tree().lock().find(b"new", true).expect("it is there").mtime, 1_234_567_890);
}

#[test]
fn nothing_is_known_before_it_was_seen() {
    let (_server, client) = start(Personality::unix_list());
    assert_eq!(client.abilities(), Abilities::default());
}

#[test]
fn an_upload_is_given_up_without_losing_the_connection() {
    for personality in all() {
        let (server, client) = start(personality);
        for bytes in [0, 1, 3_000_000] {
            let mut upload = client.upload(&path("/f"), Store::Whole, &Default::default(), soon()).expect("begins");
            upload.write(&vec![1; bytes], soon()).expect("there is room");
            upload.abandon(soon());
        }
        let connected = server.log().count(|event| matches!(event, Event::Connected));
        assert_eq!(connected, 1, "{}", server.log());
    }
}

#[test]
fn names_without_bytes_in_the_code_page_cannot_be_made() {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().file("old", "x", DEFAULT_MTIME));
    let mut settings = config(&server);
    settings.listing.encoding = Some(encoding_rs::WINDOWS_1252);
    let client = client_with(&settings);
    client.enter(b"", soon()).expect("the login works");
    assert_eq!(kind(whole(&client, "/中", b"x")), ErrorKind::NameUnencodable);
    assert_eq!(kind(client.make_dir(&path("/中"), None, soon())), ErrorKind::NameUnencodable);
    assert_eq!(kind(client.rename(&path("/old"), &path("/中"), &NONE, soon())), ErrorKind::NameUnencodable);
    let missing = client.remove_file(&path("/中"), soon());
    assert_eq!(kind(missing), ErrorKind::NotFound);
}

#[test]
fn links_are_made_where_the_server_can_make_what_was_asked_for() {
    for (personality, symlink, relative, absolute) in [
        (Personality::pure(), Symlink::AsGiven, true, true),
        (Personality::pure(), Symlink::Absolute, false, true),
        (Personality::proftpd(), Symlink::Absolute, false, true),
        (Personality::proftpd(), Symlink::Unknown, false, false),
    ] {
        let (server, client) = start(personality.writing(|it| (it.site, it.symlink) = (true, symlink)));
        for (target, able) in [("old", relative), ("../old", relative), ("/dir/old", absolute), ("a blank", false)] {
            let made = client.make_link(&path("/dir/link"), target.as_bytes(), soon());
            assert_eq!(made.is_ok(), able, "{symlink:?} {target}: {made:?}");
            if let Err(error) = made {
                assert_eq!(error.kind, ErrorKind::Unsupported);
            } else {
                let mut seen = Vec::new();
                client.links(&path("/dir"), soon(), &mut |_, to| seen.push(to.to_vec())).expect("links");
                assert_eq!(seen, [target.as_bytes()]);
                client.remove_file(&path("/dir/link"), soon()).expect("it is removed");
            }
            assert!(!exists(&server, "dir/link"), "{symlink:?} {target}");
        }
    }
}

#[test]
fn no_file_is_removed_that_is_a_directory() {
    for personality in all() {
        let (server, client) = start(personality);
        assert_eq!(kind(client.remove_file(&path("/dir"), soon())), ErrorKind::IsDir);
        assert!(exists(&server, "dir"));
        client.remove_file(&path("/old"), soon()).expect("it is removed");
        assert_eq!(kind(client.remove_dir(&path("/old"), soon())), ErrorKind::NotFound);
        client.remove_dir(&path("/dir"), soon()).expect("it is removed");
        assert!(server.tree().lock().paths().is_empty());
    }
}

#[test]
fn small_uploads_through_one_connection() {
    for personality in all() {
        let server = FakeServer::start(personality, Tree::new());
        let client = client_with(&Server { max_connections: 1, ..config(&server) });
        client.enter(b"", soon()).expect("the login works");
        server.fault(Fault::reply("STOR", "550 no").path("refused"));
        assert_eq!(kind(whole(&client, "/refused", b"x")), ErrorKind::Denied);
        store(&client, "/f", b"x", Store::Whole, &BOTH).expect("it is stored");
        client.rename(&path("/f"), &path("/g"), &BOTH, soon()).expect("it is renamed");
        assert_eq!(content(&server, "g"), b"x");
        assert_eq!(server.max_seen_connections(), 1);
    }
}
