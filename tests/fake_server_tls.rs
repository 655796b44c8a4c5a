//! The fake server's encryption, active mode, and what else was added for clients that read and write more than plain
//! FTP: asked by a raw client, and now and then by curl, which has another TLS library.

mod support;

use std::io::{ErrorKind, Read};
use std::net::Ipv4Addr;
use std::process::Output;
use std::thread;

use support::process::{PROGRAM_LIMIT, command, run};
use support::server::raw_client::{Client, PATIENCE, tls, tls_trusting};
use support::server::{
    Active, Cut, DEFAULT_MTIME, DataTls, Dialect, End, Event, FakeServer, Fault, Names, Personality, Refusal, Reuse,
    Stage, Tls, Tree,
};
use support::tls::{Authority, Certificate, Versions, Wish};

fn tree() -> Tree {
    Tree::new().file("a.txt", "hello\n", DEFAULT_MTIME).file_pattern("big", 3 << 20, 7)
}

fn start(tls: Tls) -> FakeServer {
    FakeServer::start(Personality::mlsd().with_tls(tls), tree())
}

fn curl(server: &FakeServer, path: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ca = support::tls::authority().save(folder.path());
    let mut words = vec!["-sS", "-v", "--max-time", "20", "--cacert", ca.to_str().expect("a plain path")];
    words.extend(arguments);
    let url = server.url(path);
    words.push(&url);
    run(&mut command("curl", words), PROGRAM_LIMIT)
}

#[test]
fn auth_tls_encrypts_both_connections() {
    for versions in [Versions::Only12, Versions::Only13] {
        let server = start(Tls::offered().with_versions(versions));
        let mut client = Client::login_secure(&server, &tls(Versions::Both));
        let (bytes, opening, closing) = client.fetch(&server, "RETR a.txt");
        assert_eq!((&*bytes, &opening[..3], &closing[..3]), (&b"hello\n"[..], "150", "226"));
        let (bytes, ..) = client.fetch(&server, "REST 5\r\nRETR big");
        assert!(bytes == server.tree().lock().read("big", 5, 3 << 20));
        let log = server.log();
        let shown: Vec<_> = log.handshakes().iter().map(|how| (how.data, how.resumed, how.tls13)).collect();
        let tls13 = versions == Versions::Only13;
        assert_eq!(shown, [(false, false, tls13), (true, true, tls13), (true, true, tls13)], "{log}");
        assert_eq!(log.handshakes()[0].server_name.as_deref(), Some("localhost"));
        assert_eq!(client.ask("QUIT"), "221 Goodbye.");
        assert!(client.at_end(), "in order, by close_notify");
    }
}

#[test]
fn handshakes_are_no_flights() {
    let server = start(Tls::offered());
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    assert_eq!(server.log().bursts(), [vec!["AUTH"], vec!["USER", "PASS", "TYPE", "PBSZ", "PROT"]]);
    assert_eq!((server.flights(), server.work_flights()), (2, 0));
    client.fetch(&server, "RETR a.txt");
    assert!(client.in_step());
    assert_eq!(server.work_flights(), 3, "EPSV, RETR, NOOP: {}", server.log());
}

#[test]
fn curl_is_content() {
    let server = start(Tls::required().with_reuse(Reuse::OfConnection));
    let output = curl(&server, "a.txt", &["--ssl-reqd"]);
    assert_eq!(output.stdout, b"hello\n", "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    let server = start(Tls::implicit());
    let output = curl(&server, "a.txt", &["--disable-epsv"]);
    assert_eq!(output.stdout, b"hello\n", "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
}

#[test]
fn implicit_tls_greets_after_the_handshake() {
    let server = start(Tls::implicit());
    assert!(server.url("").starts_with("ftps://"));
    let mut client = Client::connect_implicit(&server, &tls(Versions::Both));
    assert_eq!(client.reply(), "220 Server ready.");
    assert!(client.ask("AUTH TLS").starts_with("534"));
    assert!(client.ask("USER user").starts_with("331"));
    assert!(client.ask("PASS pass").starts_with("230"));
    assert!(client.ask("TYPE I").starts_with("200"));
    // PROT P is the start: Microsoft's implicit FTPS knows nothing else.
    assert_eq!(client.fetch(&server, "RETR a.txt").0, b"hello\n");
    assert!(!client.ask("FEAT").contains("AUTH"));
}

#[test]
fn tls_can_be_a_condition() {
    for (personality, reply, stays) in [
        (Personality::unix_list(), "530 Non-anonymous sessions must use encryption.", false),
        (Personality::mlsd(), "550 SSL/TLS required on the control channel", true),
        (Personality::pure(), "421-Sorry, cleartext", false),
    ] {
        let server = FakeServer::start(personality.with_tls(Tls::required()), tree());
        let mut client = Client::connect(&server);
        client.reply();
        let said = client.ask("USER user");
        assert!(said.starts_with(reply), "{said}");
        assert!(if stays { client.in_step() } else { client.at_end() }, "{reply}");
    }
    let server = start(Tls::required());
    let mut client = Client::connect(&server);
    client.reply();
    client.auth(&tls(Versions::Both)).unwrap();
    for command in ["USER user", "PASS pass", "TYPE I", "PBSZ 0"] {
        assert!(client.ask(command).starts_with(['2', '3']), "{command}");
    }
    client.data = None;
    let _data = client.passive(&server);
    assert_eq!(client.ask("RETR a.txt"), "522 SSL/TLS required on the data channel");
    assert!(client.ask("PROT C").starts_with("534"));
}

#[test]
fn auth_is_refused_without_tls() {
    for (personality, reply) in [
        (Personality::mlsd(), "500 AUTH not understood"),
        (Personality::pure(), "500 This security scheme is not implemented"),
        (Personality::iis(), "534 Local policy on server does not allow TLS secure connections."),
    ] {
        let server = FakeServer::start(personality, tree());
        let mut client = Client::connect(&server);
        client.reply();
        assert_eq!(client.ask("AUTH TLS"), reply);
    }
    // Announced, but refused.
    let server = start(Tls::offered());
    server.fault(Fault::reply("AUTH", "534 Not today."));
    let mut client = Client::login(&server);
    assert!(client.ask("FEAT").contains("\n AUTH TLS"));
    assert_eq!(client.ask("AUTH TLS"), "534 Not today.");
}

#[test]
fn bytes_in_clear_behind_the_234_come_with_it() {
    let server = start(Tls { injected: b"230 Welcome, somebody.\r\n".to_vec(), ..Tls::offered() });
    let mut client = Client::connect(&server);
    client.reply();
    assert!(client.ask("AUTH TLS").starts_with("234"));
    // In the same segment, so that a client that looks into its buffer finds them there.
    assert_eq!(client.control.buffer(), b"230 Welcome, somebody.\r\n");
    // The handshake works all the same: a careless client goes on and takes the line for an answer.
    client.line();
    client.secure(&tls(Versions::Both)).unwrap();
    assert!(client.ask("USER user").starts_with("331"));
}

#[test]
fn commands_in_clear_behind_auth_are_forgotten() {
    let server = start(Tls::offered());
    let mut client = Client::connect(&server);
    client.reply();
    client.send("AUTH TLS\r\nUSER user\r\n");
    assert!(client.reply().starts_with("234"));
    client.secure(&tls(Versions::Both)).unwrap();
    assert!(client.ask("PASS pass").starts_with("503"), "{}", server.log());
}

#[test]
fn handshakes_can_stall_break_and_speak_in_clear() {
    let server = start(Tls::offered());
    server.fault(Fault::stall(Stage::Handshake).times(1));
    let mut client = Client::connect(&server);
    client.reply();
    thread::scope(|scope| {
        let shaking = scope.spawn(|| client.auth(&tls(Versions::Both)));
        assert!(server.wait_for(|log| log.stalls() == 1, PATIENCE));
        server.release();
        shaking.join().unwrap().unwrap();
    });

    server.fault(Fault::cut(Stage::Handshake, Cut::control(End::Rst)).times(1));
    let mut client = Client::connect(&server);
    client.reply();
    let error = client.auth(&tls(Versions::Both)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    server.fault(Fault::raw(Stage::Handshake, "421 No TLS after all.\r\n").times(1));
    let mut client = Client::connect(&server);
    client.reply();
    let error = client.auth(&tls(Versions::Both)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);

    server.heal();
    server.fault(Fault::stall(Stage::DataHandshake));
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    let _data = client.passive(&server);
    assert!(client.ask("RETR a.txt").starts_with("150"));
    assert!(server.wait_for(|log| log.stalls() == 2, PATIENCE));
}

#[test]
fn certificates_are_as_bad_as_wished() {
    let somebody = Authority::new("somebody else");
    let bad = [
        Certificate::self_signed(&Wish::default()),
        somebody.issue(&Wish::default()),
        support::tls::authority().issue(&Wish::default().expired()),
        support::tls::authority().issue(&Wish::named("ftp.example.org")),
    ];
    for certificate in bad {
        let server = start(Tls::offered().with_certificate(certificate));
        let mut client = Client::connect(&server);
        client.reply();
        let error = client.auth(&tls(Versions::Both)).unwrap_err();
        assert!(error.to_string().contains("invalid peer certificate"), "{error}");
        let failed = |event: &Event| matches!(event, Event::HandshakeFailed { data: false, .. });
        assert!(server.wait_for(|log| log.count(failed) == 1, PATIENCE));
    }
    let server = start(Tls::offered().with_certificate(somebody.issue(&Wish::default())));
    let mut client = Client::connect(&server);
    client.reply();
    client.auth(&tls_trusting(Versions::Both, somebody.roots())).unwrap();
}

#[test]
fn data_connections_must_resume_their_own_session() {
    for versions in [Versions::Only12, Versions::Only13] {
        let server = start(Tls::offered().with_reuse(Reuse::OfConnection).with_versions(versions));
        let (config, other) = (tls(Versions::Both), tls(Versions::Both));
        let mut client = Client::login_secure(&server, &config);
        for _ in 0..3 {
            assert_eq!(client.fetch(&server, "RETR a.txt").0, b"hello\n");
        }
        // A session of another control connection is none.
        let _other = Client::login_secure(&server, &other);
        client.data = Some(other);
        let (bytes, opening, closing) = client.fetch(&server, "RETR a.txt");
        assert_eq!((bytes.len(), &opening[..3]), (0, "150"), "empty, and closed in order");
        assert_eq!(closing, "425 Unable to build data connection: Operation not permitted");
        client.data = Some(config);
        assert_eq!(client.fetch(&server, "RETR a.txt").0, b"hello\n", "the connection has survived");
    }
}

#[test]
fn vsftpd_takes_any_session_and_hangs_up_without() {
    let server =
        FakeServer::start(Personality::unix_list().with_tls(Tls::required().with_reuse(Reuse::OfServer)), tree());
    let config = tls(Versions::Both);
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    let _other = Client::login_secure(&server, &config);
    client.data = Some(config);
    assert_eq!(client.fetch(&server, "RETR a.txt").0, b"hello\n", "{}", server.log());
    client.data = Some(tls(Versions::Both));
    let (bytes, _, closing) = client.fetch(&server, "RETR a.txt");
    assert_eq!((bytes.len(), &*closing), (0, "522 SSL connection failed: session reuse required"));
    assert!(client.at_end());
}

#[test]
fn a_server_may_resume_nothing() {
    let server = start(Tls { resumes: false, ..Tls::offered() });
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    assert_eq!(client.fetch(&server, "RETR a.txt").0, b"hello\n");
    assert!(server.log().handshakes().iter().all(|how| !how.resumed));
}

#[test]
fn data_is_as_wrong_as_wished() {
    let server = start(Tls::offered().with_data(DataTls::Unclosed));
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    let (bytes, _, closing) = client.try_fetch(&server, "RETR a.txt");
    assert_eq!(bytes.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert!(closing.starts_with("226"));

    let server = start(Tls::offered().with_data(DataTls::Clear));
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    let mut data = client.passive(&server);
    assert!(client.ask("RETR a.txt").starts_with("150"));
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"hello\n");

    let server = start(Tls::offered().with_data(DataTls::ClearFirst(b"evil\n".to_vec())));
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    let (bytes, _, closing) = client.try_fetch(&server, "RETR a.txt");
    assert_eq!(bytes.unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(closing.starts_with("425"), "{closing}");

    // A cut looks the same as on a plain connection: no close_notify.
    let server = start(Tls::offered());
    server.fault(Fault::cut(Stage::Data(100_000), Cut::data(End::Fin).saying("226 Transfer complete.")));
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    let (bytes, _, closing) = client.try_fetch(&server, "RETR big");
    assert_eq!((bytes.unwrap_err().kind(), &closing[..3]), (ErrorKind::UnexpectedEof, "226"));
}

#[test]
fn prot_c_leaves_data_in_clear() {
    let server = start(Tls::offered());
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    assert!(client.ask("PROT C").starts_with("200"));
    client.data = None;
    assert_eq!(client.fetch(&server, "RETR a.txt").0, b"hello\n");
    let mut plain = Client::login(&server);
    assert!(plain.ask("PROT P").starts_with("503"));
}

#[test]
fn client_certificates_can_be_a_condition() {
    let server = start(Tls { client_certificate: true, ..Tls::offered() });
    let mut client = Client::connect(&server);
    client.reply();
    // In TLS 1.3 the client learns of it with what it reads next.
    let refused = client.auth(&tls(Versions::Only12));
    assert!(refused.is_err());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let saved = support::tls::authority().issue(&Wish::client("ann")).save(folder.path(), "ann");
    let [cert, key] = [saved.cert, saved.key].map(|path| path.to_str().expect("a plain path").to_owned());
    let output = curl(&server, "a.txt", &["--ssl-reqd", "--cert", &cert, "--key", &key]);
    assert_eq!(output.stdout, b"hello\n", "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    assert!(server.log().handshakes().iter().all(|how| how.identified));
}

#[test]
fn idle_encrypted_connections_are_told_and_closed() {
    let server = start(Tls::offered());
    let mut client = Client::login_secure(&server, &tls(Versions::Both));
    assert!(server.wait_for_idle(1, PATIENCE));
    assert_eq!(server.close_idle_connections(), 1);
    assert!(client.reply().starts_with("421"));
    assert!(client.at_end());
}

#[test]
fn the_server_connects_where_port_says() {
    for (active, from) in [(Active::Works, Ipv4Addr::LOCALHOST), (Active::Elsewhere, Ipv4Addr::new(127, 0, 0, 2))] {
        let server = FakeServer::start(Personality { active, ..Personality::mlsd() }, tree());
        let mut client = Client::login(&server);
        let listener = client.active();
        client.send("RETR a.txt\r\n");
        let (mut data, address) = listener.accept().unwrap();
        assert_eq!(address.ip(), from);
        let mut bytes = String::new();
        data.read_to_string(&mut bytes).unwrap();
        assert_eq!(bytes, "hello\n");
        assert!(client.reply().starts_with("150") && client.reply().starts_with("226"));
        // Used up.
        assert!(client.ask("RETR a.txt").starts_with("425"));
        // The last one counts, as a command of its own or as EPRT.
        let port = listener.local_addr().unwrap().port();
        let _passive = client.passive(&server);
        assert!(client.ask(&format!("EPRT |1|127.0.0.1|{port}|")).starts_with("200"));
        client.send("RETR a.txt\r\n");
        assert_eq!(listener.accept().unwrap().1.ip(), from);
    }
    let server = FakeServer::start(Personality { active: Active::Refused, ..Personality::mlsd() }, tree());
    let mut client = Client::login(&server);
    assert!(client.ask("PORT 127,0,0,1,200,1").starts_with("500"));
    // Nobody listens.
    let server = FakeServer::start(Personality::mlsd(), tree());
    let mut client = Client::login(&server);
    drop(client.active());
    assert_eq!(client.ask("RETR a.txt"), "425 Failed to establish connection.");
    // It never connects: the packets are lost on the way.
    server.fault(Fault::stall(Stage::Accept));
    let _listener = client.active();
    client.send("RETR a.txt\r\n");
    assert!(server.wait_for(|log| log.stalls() == 1, PATIENCE));
}

#[test]
fn curl_is_content_with_active_mode() {
    let server = start(Tls::offered());
    for more in [&["-P", "-"][..], &["-P", "-", "--disable-eprt"]] {
        let output = curl(&server, "a.txt", more);
        assert_eq!(output.stdout, b"hello\n", "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    }
}

#[test]
fn names_are_bytes() {
    // Latin-1, and GBK, whose second bytes may be those of ASCII.
    let tree = Tree::new().file(b"b\xe4r", "latin\n", DEFAULT_MTIME).file(b"\xd6\xd0\x5c\x5d", "gbk\n", DEFAULT_MTIME);
    let server = FakeServer::start(Personality::unix_list(), tree);
    let mut client = Client::login(&server);
    let (listing, ..) = client.fetch(&server, "LIST");
    let has = |name: &[u8]| listing.windows(name.len()).any(|window| window == name);
    assert!(has(b" b\xe4r\r\n") && has(b" \xd6\xd0\x5c\x5d\r\n"), "{}", String::from_utf8_lossy(&listing));
    let data = client.passive(&server);
    client.send_bytes(b"RETR b\xe4r\r\n");
    let mut opening = Vec::new();
    std::io::BufRead::read_until(&mut client.control, b'\n', &mut opening).unwrap();
    assert_eq!(opening, b"150 Opening BINARY mode data connection for b\xe4r (6 bytes).\r\n");
    drop(data);
}

#[test]
fn utf8_may_have_to_be_asked_for() {
    let tree = Tree::new().file("b\u{e4}r", "1", DEFAULT_MTIME).file("\u{6f22}", "2", DEFAULT_MTIME);
    let server = FakeServer::start(Personality { names: Names::Latin1UntilUtf8, ..Personality::iis() }, tree);
    let mut client = Client::login(&server);
    let (listing, ..) = client.fetch(&server, "NLST");
    assert_eq!(listing, b"b\xe4r\r\n?\r\n");
    client.send_bytes(b"SIZE b\xe4r\r\n");
    assert_eq!(client.reply(), "213 1");
    client.ask("OPTS UTF8 ON");
    assert_eq!(client.fetch(&server, "NLST").0, "b\u{e4}r\r\n\u{6f22}\r\n".as_bytes());
    assert_eq!(client.ask("SIZE \u{6f22}"), "213 1");
}

#[test]
fn times_may_be_local() {
    let server = FakeServer::start(Personality { mdtm_zone: 9 * 3600, ..Personality::unix_list() }, tree());
    assert_eq!(Client::login(&server).ask("MDTM a.txt"), "213 20231115071320");
}

#[test]
fn logins_of_other_kinds() {
    let server = FakeServer::start(Personality { no_password: true, ..Personality::mlsd() }, tree());
    let mut client = Client::connect(&server);
    client.reply();
    assert!(client.ask("USER user").starts_with("230"));
    assert!(client.ask("PWD").starts_with("257"));

    let account = Some("sales".to_owned());
    let server = FakeServer::start(Personality { account, dialect: Dialect::Ancient, ..Personality::mlsd() }, tree());
    let mut client = Client::connect(&server);
    client.reply();
    assert!(client.ask("USER user").starts_with("331"));
    assert!(client.ask("PASS pass").starts_with("332"));
    assert!(client.ask("PWD").starts_with("530"));
    assert!(client.ask("ACCT buying").starts_with("530"));
    assert!(client.ask("ACCT sales").starts_with("230"));
    assert!(client.ask("PWD").starts_with("257"));

    server.fault(Fault::max_connections(1, Refusal::Pass530));
    let mut client = Client::connect(&server);
    client.reply();
    client.ask("USER user");
    client.ask("PASS pass");
    assert!(client.ask("ACCT sales").starts_with("530 Sorry, the maximum"));
}
