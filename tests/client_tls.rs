//! What the client does when it speaks TLS, and when somebody wants to keep it from that.

mod support;

use ftpfs::config::{Data, DataMode, Server, Tls as Want, TlsMode, TlsVersions};
use ftpfs::ftp::Client;
use ftpfs::remote::{ErrorKind, Remote};
use support::client::{client_with, config, names, open, path, read, soon};
use support::server::{
    Active, Cut, DEFAULT_MTIME, DataTls, Dialect, End, FakeServer, Fault, Personality, Reuse, Stage, Tls, Tree, When,
};
use support::tls::{Certificate, Versions, Wish, authority};
use tempfile::TempDir;

const BIG: u64 = 3 << 20;

fn tree() -> Tree {
    Tree::new().file("a.txt", "hello\n", DEFAULT_MTIME).file("empty", "", DEFAULT_MTIME).file_pattern("big", BIG, 7)
}

/// A server and a way to reach it, with the authority to believe.
struct Scene {
    server: FakeServer,
    config: Server,
    _folder: TempDir,
}

impl Scene {
    fn new(personality: Personality, mode: TlsMode) -> Self {
        let server = FakeServer::start(personality, tree());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = config(&server);
        config.host = "localhost".into();
        config.family = ftpfs::config::Family::V4;
        config.tls = Want { mode, cacert: Some(authority().save(folder.path())), ..Want::default() };
        Self { server, config, _folder: folder }
    }

    fn tls(tls: Tls) -> Self {
        Self::new(Personality::mlsd().with_tls(tls), TlsMode::Try)
    }

    fn vsftpd(tls: Tls) -> Self {
        let personality = Personality { dialect: Dialect::Vsftpd, ..Personality::unix_list() };
        Self::new(personality.with_tls(tls), TlsMode::Require)
    }

    fn client(&self) -> Client {
        client_with(&self.config)
    }

    /// A client that has logged in.
    fn entered(&self) -> Client {
        let client = self.client();
        client.enter(b"", soon()).unwrap_or_else(|e| panic!("{e}\n{}", self.server.log()));
        client
    }

    #[track_caller]
    fn refused(&self) -> String {
        let error = self.client().enter(b"", soon()).expect_err("no login");
        assert_eq!(error.kind, ErrorKind::TlsRefused, "{error}");
        assert_eq!(self.server.log().verb("PASS"), 0, "a password was sent:\n{}", self.server.log());
        error.to_string()
    }

    fn big(&self) -> Vec<u8> {
        self.server.tree().lock().read("big", 0, BIG as usize)
    }
}

#[track_caller]
fn works(scene: &Scene, client: &Client) {
    assert_eq!(names(client, "/"), ["a.txt", "big", "empty"]);
    assert_eq!(read(client, "/a.txt", 0).expect("readable"), b"hello\n");
    assert!(read(client, "/big", 5).expect("readable") == scene.big()[5..]);
    assert_eq!(read(client, "/empty", 0).expect("readable"), b"");
}

#[test]
fn every_version_resumes_the_session_of_its_own_control_connection() {
    for versions in [Versions::Only12, Versions::Only13, Versions::Both] {
        for tls in [Tls::offered(), Tls::required(), Tls::implicit()] {
            let mode = if tls.when == When::Implicit { TlsMode::Implicit } else { TlsMode::Try };
            let tls = tls.with_versions(versions).with_reuse(Reuse::OfConnection);
            let scene = Scene::new(Personality::proftpd().with_tls(tls), mode);
            let client = scene.entered();
            works(&scene, &client);
            let log = scene.server.log();
            assert!(log.handshakes().iter().all(|how| how.resumed == how.data), "{log}");
            assert!(log.handshakes().iter().filter(|how| how.data).count() >= 4, "{log}");
        }
    }
}

#[test]
fn a_server_that_refuses_sessions_of_others_serves_two_transfers_at_once() {
    let mut scene = Scene::tls(Tls::required().with_reuse(Reuse::OfConnection));
    // No room for one that stands by.
    scene.config.max_connections = 3;
    let client = scene.entered();
    let mut first = open(&client, "/big", 0).expect("a transfer");
    let mut second = open(&client, "/big", 0).expect("another one");
    let mut buf = [0; 1000];
    assert!(first.read(&mut buf, soon()).expect("bytes") > 0);
    assert!(second.read(&mut buf, soon()).expect("bytes") > 0);
    assert_eq!(scene.server.log().handshakes().iter().filter(|how| !how.data).count(), 2);
}

/// TLS 1.3 hands out tickets or resumes nothing; a server that insists all the same can still be spoken to in 1.2.
#[test]
fn without_tickets_the_older_version_is_taken() {
    for personality in [Personality::proftpd(), Personality { dialect: Dialect::Vsftpd, ..Personality::unix_list() }] {
        let tls = Tls { no_tickets: true, ..Tls::required().with_reuse(Reuse::OfConnection) };
        let scene = Scene::new(personality.with_tls(tls), TlsMode::Require);
        let client = scene.entered();
        works(&scene, &client);
        let log = scene.server.log();
        assert!(log.handshakes().iter().filter(|how| !how.tls13).count() > 2, "{log}");
        assert!(log.handshakes().iter().filter(|how| how.tls13 && how.data).count() == 1, "asked once:\n{log}");
    }
}

/// A refused transfer uses up a ticket of TLS 1.3 all the same, and a server hands out few: seen with ProFTPD, where four
/// forbidden files ended the mount.
#[test]
fn refused_transfers_do_not_use_a_server_of_tls_13_up() {
    let tls = Tls::required().with_versions(Versions::Only13).with_reuse(Reuse::OfConnection);
    let scene = Scene::new(Personality::proftpd().with_tls(tls), TlsMode::Require);
    let client = scene.entered();
    for _ in 0..12 {
        let error = open(&client, "/missing", 0).map(drop).expect_err("not there");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}\n{}", scene.server.log());
    }
    works(&scene, &client);
    assert!(scene.server.log().handshakes().iter().all(|how| how.tls13));
}

/// Several transfers begin before any has learned that TLS 1.3 leads nowhere.
#[test]
fn all_of_the_first_transfers_find_their_way_to_the_older_version() {
    let tls = Tls { no_tickets: true, ..Tls::required().with_reuse(Reuse::OfConnection) };
    let scene = Scene::new(Personality::proftpd().with_tls(tls), TlsMode::Require);
    let client = scene.entered();
    std::thread::scope(|all| {
        for _ in 0..6 {
            all.spawn(|| assert_eq!(names(&client, "/"), ["a.txt", "big", "empty"]));
        }
    });
    works(&scene, &client);
}

/// After an empty stream that ends in order: `425` of ProFTPD, `522` of vsftpd.
#[test]
fn a_refusal_after_an_empty_stream_is_an_error_and_no_empty_file() {
    for scene in [
        Scene::new(
            Personality::proftpd().with_tls(Tls { resumes: false, ..Tls::required().with_reuse(Reuse::OfServer) }),
            TlsMode::Require,
        ),
        Scene::vsftpd(Tls { resumes: false, ..Tls::required().with_reuse(Reuse::OfServer) }),
    ] {
        let client = scene.entered();
        let error = read(&client, "/a.txt", 0).expect_err("no empty file");
        assert!(matches!(error.kind, ErrorKind::TlsRefused | ErrorKind::Unreachable), "{error}");
        let error = client.list(&path("/"), soon(), &mut |_| panic!("an entry")).expect_err("no empty directory");
        assert_eq!(error.kind, ErrorKind::TlsRefused, "{error}");
    }
}

#[test]
fn data_that_ends_without_close_notify_is_cut_short() {
    let scene = Scene::tls(Tls::required().with_data(DataTls::Unclosed));
    let client = scene.entered();
    let error = read(&client, "/a.txt", 0).expect_err("cut");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().contains("close_notify"), "{error}");
    let error = client.list(&path("/"), soon(), &mut |_| panic!("an entry")).expect_err("cut");
    assert!(error.to_string().contains("close_notify"), "{error}");
}

/// Somebody on the way ends our half of the handshake and finishes it with the server himself, which then says 226: that
/// made every directory an empty one.
#[test]
fn a_broken_handshake_is_no_empty_directory_whatever_the_server_says() {
    let scene = Scene::new(Personality::pyftpdlib().with_tls(Tls::required()), TlsMode::Require);
    let client = scene.entered();
    scene.server.fault(Fault::cut(Stage::DataHandshake, Cut::data(End::Fin).saying("226 Transfer complete.")));
    let error = client.list(&path("/"), soon(), &mut |_| panic!("an entry")).expect_err("no listing");
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert!(read(&client, "/a.txt", 0).is_err());
    scene.server.heal();
    works(&scene, &client);
}

/// vsftpd that is full says so in the clear, before any TLS, and one whose child dies writes `500 OOPS` into the stream.
#[test]
fn words_in_the_clear_in_place_of_tls_are_told_apart() {
    let scene = Scene::new(Personality::mlsd().with_tls(Tls::implicit()), TlsMode::Implicit);
    let client = scene.entered();
    let held = open(&client, "/big", 0).expect("a transfer");
    let full = "421 There are too many connected users, please try later.\r\n";
    scene.server.fault(Fault::raw(Stage::Handshake, full));
    std::thread::scope(|both| {
        let waits = both.spawn(|| names(&client, "/"));
        assert!(scene.server.wait_for_connections(2, support::client::AMPLE), "{}", scene.server.log());
        held.finish(soon()).expect("an early end");
        assert_eq!(waits.join().expect("no panic").len(), 3, "in turn");
    });
    scene.server.heal();
    scene.server.fault(Fault::raw(Stage::Handshake, "500 OOPS: child died\r\n").times(1));
    assert!(scene.server.wait_for_idle(1, support::client::AMPLE));
    scene.server.cut_idle_connections(End::Fin);
    works(&scene, &client);
    // Before the first success it is the user's mistake.
    let scene = Scene::new(Personality::mlsd(), TlsMode::Implicit);
    let text = scene.refused();
    assert!(text.contains("but with \"220 ") && text.contains("ftpes://"), "{text}");
}

/// A 425 that had nothing to do with sessions, from a server that knows TLS 1.3 alone.
#[test]
fn a_server_of_tls_13_alone_is_found_again() {
    let tls = Tls { resumes: false, ..Tls::required().with_versions(Versions::Only13) };
    let scene = Scene::new(Personality::mlsd().with_tls(tls), TlsMode::Require);
    let client = scene.entered();
    scene.server.fault(Fault::reply_at(Stage::Final, "425 Something else.").times(1));
    let _ = read(&client, "/a.txt", 0);
    let _ = names_or_error(&client);
    works(&scene, &client);
}

fn names_or_error(client: &Client) -> Option<ErrorKind> {
    client.list(&path("/"), soon(), &mut |_| std::ops::ControlFlow::Continue(())).err().map(|e| e.kind)
}

#[test]
fn data_in_the_clear_is_not_taken() {
    for data in [DataTls::Clear, DataTls::ClearFirst(b"evil".to_vec())] {
        let scene = Scene::tls(Tls::required().with_data(data.clone()));
        let client = scene.entered();
        assert!(read(&client, "/a.txt", 0).is_err(), "{data:?}");
        assert!(client.list(&path("/"), soon(), &mut |_| panic!("an entry")).is_err(), "{data:?}");
    }
}

/// Somebody on the way puts replies behind the 234: they are none to what is asked over TLS.
#[test]
fn what_is_injected_before_the_handshake_is_thrown_away() {
    let injected = b"331 Send it\r\n230 Welcome to my server\r\n200 Fine\r\n".to_vec();
    let mut scene = Scene::tls(Tls { injected, ..Tls::required() });
    scene.config.max_connections = 1;
    let client = scene.entered();
    works(&scene, &client);
    assert_eq!(scene.server.log().verb("PASS"), 1, "in step: {}", scene.server.log());
}

#[test]
fn a_server_without_tls_is_used_in_the_clear_only_where_that_is_accepted() {
    let scene = Scene::new(Personality::mlsd(), TlsMode::Try);
    works(&scene, &scene.entered());
    assert_eq!(scene.server.log().verb("AUTH"), 1);
    let scene = Scene::new(Personality::mlsd(), TlsMode::Require);
    let text = scene.refused();
    assert!(text.contains("the server has no TLS") && text.contains("without tls=require"), "{text}");
    assert_eq!(scene.server.log().verb("USER"), 0);
}

/// Once the server has agreed to TLS, nothing leads back: not on any later connection.
#[test]
fn tls_that_was_promised_is_never_given_up() {
    let scene = Scene::tls(Tls::offered());
    let client = scene.entered();
    scene.server.fault(Fault::reply("AUTH", "500 Unknown command."));
    assert!(scene.server.wait_for_idle(1, support::client::AMPLE));
    scene.server.cut_idle_connections(End::Fin);
    let error = client.list(&path("/"), soon(), &mut |_| panic!("an entry")).map(drop).expect_err("no way");
    assert_eq!(error.kind, ErrorKind::TlsRefused);
    assert!(error.to_string().contains("agreed to TLS before"), "{error}");
    assert_eq!(scene.server.log().verb("PASS"), 1, "{}", scene.server.log());
    scene.server.heal();
    works(&scene, &client);
}

/// RFC 2228: TLS is known, but its certificate is not there.
#[test]
fn a_server_whose_certificate_is_missing_has_no_tls() {
    let scene = Scene::new(Personality::mlsd(), TlsMode::Try);
    scene.server.fault(Fault::reply("AUTH", "431 Necessary resources unavailable."));
    works(&scene, &scene.entered());
    let scene = Scene::new(Personality::mlsd(), TlsMode::Require);
    scene.server.fault(Fault::reply("AUTH", "431 Necessary resources unavailable."));
    assert!(scene.refused().contains("431") || scene.refused().contains("Necessary resources"));
}

/// FileZilla Server 0.9 breaks off the handshake itself where the session is not resumed, and says 425 then.
#[test]
fn a_handshake_that_is_broken_off_for_want_of_a_session_leads_to_the_older_version() {
    let tls = Tls { no_tickets: true, ..Tls::required() };
    let scene = Scene::new(Personality::mlsd().with_tls(tls), TlsMode::Require);
    let client = scene.entered();
    let words = "425 Can't open data connection.";
    scene.server.fault(Fault::cut(Stage::DataHandshake, Cut::data(End::Fin).saying(words)).times(1));
    works(&scene, &client);
    assert!(scene.server.log().handshakes().iter().any(|how| how.data && !how.tls13), "{}", scene.server.log());
}

/// A device that leaves at the first verb that it does not know, each time.
#[test]
fn a_server_that_hangs_up_at_auth_is_used_in_the_clear_at_the_third_try() {
    let mut scene = Scene::new(Personality::mlsd(), TlsMode::Try);
    scene.config.max_connections = 1;
    scene.server.fault(Fault::cut(Stage::Reply("AUTH"), Cut::control(End::Fin)));
    works(&scene, &scene.entered());
    assert_eq!(scene.server.log().verb("AUTH"), 2, "{}", scene.server.log());
    // But one lost connection is no reason.
    let mut scene = Scene::tls(Tls::offered());
    scene.config.max_connections = 1;
    scene.server.fault(Fault::cut(Stage::Reply("AUTH"), Cut::control(End::Fin)).times(1));
    works(&scene, &scene.entered());
    assert_eq!(scene.server.log().handshakes().iter().filter(|how| !how.data).count(), 1);
}

#[test]
fn a_server_that_will_not_protect_data_is_refused() {
    let scene = Scene::tls(Tls::offered());
    scene.server.fault(Fault::reply("PROT", "534 Unwilling"));
    let error = scene.client().enter(b"", soon()).expect_err("no data in the clear");
    assert_eq!(error.kind, ErrorKind::TlsRefused);
    assert!(error.to_string().contains("ssl_control"), "{error}");
    // On an implicit connection it is a formality.
    let scene = Scene::new(Personality::mlsd().with_tls(Tls::implicit()), TlsMode::Implicit);
    scene.server.fault(Fault::reply("PROT", "500 What?"));
    works(&scene, &scene.entered());
}

#[test]
fn data_in_the_clear_by_choice() {
    let mut scene = Scene::tls(Tls::offered());
    scene.config.tls.clear_data = true;
    scene.config.max_connections = 1;
    let client = scene.entered();
    works(&scene, &client);
    assert_eq!(scene.server.log().handshakes().len(), 1, "{}", scene.server.log());
}

/// A refused transfer is told at once: nobody waits for a handshake that will not come.
#[test]
fn a_refused_transfer_needs_no_handshake() {
    let scene = Scene::vsftpd(Tls::required().with_reuse(Reuse::OfConnection));
    let client = scene.entered();
    for _ in 0..5 {
        let error = open(&client, "/missing", 0).map(drop).expect_err("not there");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
    works(&scene, &client);
}

#[test]
fn certificates_that_do_not_fit() {
    let good = Wish::default();
    let own = Certificate::self_signed(&good);
    for (certificate, says, option) in [
        (authority().issue(&Wish::default().expired()), "has expired on ", "pin="),
        (authority().issue(&Wish::default().not_yet()), "is not valid yet before ", "pin="),
        (authority().issue(&Wish::named("ftp.example.org")), "is not for localhost, but for", "no_verify_hostname"),
        (own.clone(), "is self-signed", "pin="),
        (support::tls::Authority::new("somebody").issue(&good), "comes from an unknown authority", "cacert=FILE"),
    ] {
        let mut scene = Scene::tls(Tls::offered().with_certificate(certificate.clone()));
        let text = scene.refused();
        assert!(text.contains(says) && text.contains(option), "{text}");
        assert!(!text.contains('\n') && text.contains(&certificate.fingerprint()), "{text}");
        // What the line says is true.
        let pin = certificate.fingerprint();
        let byte = |at: usize| u8::from_str_radix(&pin[2 * at..2 * at + 2], 16).expect("hexadecimal");
        scene.config.tls.pins = vec![[0; 32], std::array::from_fn(byte)];
        works(&scene, &scene.entered());
    }
    // Another certificate than the pinned one, although its authority is believed.
    let mut scene = Scene::tls(Tls::offered());
    scene.config.tls.pins = vec![[7; 32]];
    let text = scene.refused();
    assert!(text.contains("not the pinned one"), "{text}");
}

/// What OpenSSL before version 3 makes unless told otherwise; webpki reads no such certificate.
#[test]
fn a_certificate_of_the_first_version_can_be_pinned() {
    for versions in [Versions::Only12, Versions::Only13] {
        let old = Certificate::of_version_1();
        let mut scene = Scene::tls(Tls::offered().with_versions(versions).with_certificate(old.clone()));
        let text = scene.refused();
        assert!(text.contains("X.509 version 1") && text.contains(&old.fingerprint()), "{text}");
        scene.config.tls.pins = vec![old.sha256];
        works(&scene, &scene.entered());
        // Somebody who shows the certificate without having its key.
        let thief = Certificate { key_pem: Certificate::of_version_1().key_pem, ..old };
        let mut scene = Scene::tls(Tls::offered().with_versions(versions).with_certificate(thief.clone()));
        scene.config.tls.pins = vec![thief.sha256];
        assert!(scene.client().enter(b"", soon()).is_err());
        assert_eq!(scene.server.log().verb("PASS"), 0);
    }
}

#[test]
fn options_that_give_something_up_give_up_no_more() {
    let other = || authority().issue(&Wish::named("ftp.example.org"));
    let unknown = || support::tls::Authority::new("somebody").issue(&Wish::named("ftp.example.org"));
    let with = |certificate: Certificate, name: bool, peer: bool| {
        let mut scene = Scene::tls(Tls::offered().with_certificate(certificate));
        (scene.config.tls.verify_name, scene.config.tls.verify_peer) = (name, peer);
        scene
    };
    let scene = with(other(), false, true);
    works(&scene, &scene.entered());
    with(unknown(), false, true).refused();
    with(other().clone(), true, true).refused();
    let expired = authority().issue(&Wish::named("ftp.example.org").expired());
    with(expired, false, true).refused();
    let scene = with(unknown(), true, false);
    works(&scene, &scene.entered());
}

#[test]
fn a_certificate_that_was_named_needs_nobody_to_vouch_for_it() {
    let own = Certificate::self_signed(&Wish::default());
    let mut scene = Scene::tls(Tls::offered().with_certificate(own.clone()));
    let folder = tempfile::tempdir().expect("a folder");
    scene.config.tls.cacert = Some(own.save(folder.path(), "own").cert);
    works(&scene, &scene.entered());
    // In a directory, beside files that are none.
    std::fs::write(folder.path().join("README"), "nothing").expect("the folder is ours");
    (scene.config.tls.cacert, scene.config.tls.capath) = (None, Some(folder.path().into()));
    works(&scene, &scene.entered());
    // It still has to be this host's.
    let named = Certificate::self_signed(&Wish::named("ftp.example.org"));
    let mut scene = Scene::tls(Tls::offered().with_certificate(named.clone()));
    scene.config.tls.cacert = Some(named.save(folder.path(), "named").cert);
    assert!(scene.refused().contains("is not for localhost"));
}

#[test]
fn a_server_that_asks_who_we_are_is_told() {
    for versions in [Versions::Only12, Versions::Only13] {
        let tls = Tls { client_certificate: true, ..Tls::required().with_versions(versions) };
        let mut scene = Scene::tls(tls);
        let text = scene.refused();
        assert!(text.contains("cert and key"), "{text}");
        let folder = tempfile::tempdir().expect("a folder");
        let saved = authority().issue(&Wish::client("somebody")).save(folder.path(), "me");
        (scene.config.tls.cert, scene.config.tls.key) = (Some(saved.cert), Some(saved.key));
        works(&scene, &scene.entered());
        (scene.config.tls.cert, scene.config.tls.key) = (Some(saved.both), None);
        works(&scene, &scene.entered());
    }
}

#[test]
fn versions_that_do_not_meet_are_named() {
    let mut scene = Scene::tls(Tls::offered().with_versions(Versions::Only12));
    scene.config.tls.versions = TlsVersions::Only13;
    let text = scene.refused();
    assert!(text.contains("tls_version"), "{text}");
    let mut scene = Scene::tls(Tls::offered());
    scene.config.tls.versions = TlsVersions::Only12;
    works(&scene, &scene.entered());
    assert!(scene.server.log().handshakes().iter().all(|how| !how.tls13));
}

#[test]
fn tls_from_the_first_byte_where_the_server_speaks_first() {
    let scene = Scene::new(Personality::mlsd(), TlsMode::Implicit);
    let text = scene.refused();
    assert!(text.contains("ftpes://"), "{text}");
}

fn active(mode: DataMode) -> Data {
    Data { mode, ..Data::default() }
}

#[test]
fn the_server_connects_to_us_with_and_without_tls() {
    for tls in [None, Some(Tls::required().with_reuse(Reuse::OfConnection))] {
        for refuse in [None, Some("EPRT")] {
            let mode = if tls.is_some() { TlsMode::Require } else { TlsMode::Off };
            let mut personality = Personality::mlsd();
            personality.tls.clone_from(&tls);
            let mut scene = Scene::new(personality, mode);
            scene.config.data = active(DataMode::Active);
            if let Some(verb) = refuse {
                scene.server.fault(Fault::reply(verb, "500 Unknown command."));
            }
            let client = scene.entered();
            works(&scene, &client);
            assert!(open(&client, "/missing", 0).is_err());
            works(&scene, &client);
            let log = scene.server.log();
            let asked = if refuse.is_some() { log.verb("PORT") } else { log.verb("EPRT") };
            assert!(asked >= 4 && log.verb("EPSV") + log.verb("PASV") == 0, "{log}");
            assert!(refuse.is_none() || log.verb("EPRT") == 1, "asked once: {log}");
        }
    }
}

#[test]
fn a_stranger_who_connects_in_the_servers_place_is_sent_away() {
    let personality = Personality { active: Active::Elsewhere, ..Personality::mlsd() };
    let mut scene = Scene::new(personality, TlsMode::Off);
    scene.config.data = active(DataMode::Active);
    scene.config.connect_timeout = std::time::Duration::from_millis(300);
    let client = scene.entered();
    let error = read(&client, "/a.txt", 0).expect_err("not the server");
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    let said = error.to_string();
    assert!(said.contains("did not connect to us") || said.contains("before the data connection was there"), "{said}");
}

#[test]
fn a_server_without_passive_mode_is_asked_to_connect_unless_that_is_forbidden() {
    let personality = || Personality { epsv: false, pasv: false, ..Personality::mlsd() };
    let scene = Scene::new(personality(), TlsMode::Off);
    let client = scene.entered();
    works(&scene, &client);
    let log = scene.server.log();
    assert_eq!((log.verb("EPSV"), log.verb("PASV")), (1, 1), "learned: {log}");
    let mut scene = Scene::new(personality(), TlsMode::Off);
    scene.config.data = active(DataMode::Passive);
    let error = read(&scene.entered(), "/a.txt", 0).expect_err("no channel");
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    assert_eq!(scene.server.log().verb("EPRT"), 0);
}

/// A network that fails for a moment at the first transfer, in front of a client that cannot be connected to.
#[test]
fn one_failure_of_the_network_does_not_end_passive_mode() {
    let personality = Personality { active: Active::Elsewhere, ..Personality::mlsd() };
    let mut scene = Scene::new(personality, TlsMode::Off);
    scene.config.connect_timeout = std::time::Duration::from_millis(300);
    let client = scene.entered();
    // Nobody listens there: refused, and PASV as well.
    scene.server.fault(Fault::reply("EPSV", "229 Entering Extended Passive Mode (|||1|)").times(1));
    scene.server.fault(Fault::reply("PASV", "227 Entering Passive Mode (127,0,0,1,0,1)").times(1));
    assert_eq!(read(&client, "/a.txt", 0).expect("on another connection"), b"hello\n");
    assert!(scene.server.log().verb("EPRT") > 0, "{}", scene.server.log());
    works(&scene, &client);
}

/// A server that does not like our address said "permission denied" of every file.
#[test]
fn an_address_that_the_server_refuses_is_no_matter_of_permission() {
    let personality = Personality { active: Active::Refused, ..Personality::mlsd() };
    let mut scene = Scene::new(personality, TlsMode::Off);
    scene.config.data = active(DataMode::Active);
    let error = read(&scene.entered(), "/a.txt", 0).expect_err("no data connection");
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("ftp_port"), "{error}");
    // And an address that is none is told before anything is mounted.
    scene.config.data.advertise = ftpfs::config::Advertise::Named("no-such-host.invalid".into());
    let error = scene.client().enter(b"", soon()).expect_err("nowhere");
    assert_eq!(error.verb, "ftp_port", "{error}");
}

#[test]
fn ports_that_are_all_taken_are_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let mut scene = Scene::new(Personality::mlsd(), TlsMode::Off);
    scene.config.data = Data { ports: Some(port..=port), ..active(DataMode::Active) };
    let error = read(&scene.entered(), "/a.txt", 0).expect_err("no port");
    assert!(error.to_string().starts_with("listen"), "{error}");
}

#[test]
fn the_address_of_a_227_is_trusted_only_on_request() {
    let personality = || Personality { epsv: false, ..Personality::mlsd() }.with_pasv_address([127, 0, 0, 9].into());
    let scene = Scene::new(personality(), TlsMode::Off);
    works(&scene, &scene.entered());
    let mut scene = Scene::new(personality(), TlsMode::Off);
    scene.config.data = Data { trust_pasv_address: true, ..active(DataMode::Passive) };
    assert!(read(&scene.entered(), "/a.txt", 0).is_err(), "nobody listens there");
}
