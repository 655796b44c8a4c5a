//! The real servers are what [`Options`] asks for: curl bears witness, so that a test of ftpfs can rely on it.

mod support;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::tz::Offset;
use support::lab::{Lab, Options, Software, Tls};
use support::process::{PROGRAM_LIMIT, command, run, with_deadline};
use support::tls::{Authority, Certificate, Versions, Wish, authority};
use support::tree;

const ALL: [Software; 4] = [Software::Vsftpd, Software::ProFtpd, Software::PureFtpd, Software::Pyftpdlib];
const CONTENT: &str = "what the server holds\n";
/// curl's exit statuses.
const COULD_NOT_CONNECT_DATA: &[i32] = &[8, 11, 13, 14, 30];
const TLS_BROKEN: &[i32] = &[35, 56];
const CERTIFICATE_REFUSED: &[i32] = &[60];

/// A server that serves `file`.
fn serve(software: Software, options: &Options) -> Lab {
    let lab = Lab::start(software, options);
    fs::write(lab.dir().join("file"), CONTENT).expect("the folder is empty");
    lab.hand_over(&lab.dir());
    lab
}

fn with_tls(tls: Tls) -> Options {
    Options { tls, ..Options::default() }
}

/// Runs curl for `path` of the server; it checks the certificate.
fn curl(lab: &Lab, path: &str, arguments: &[&str]) -> Output {
    let ca = lab.ca();
    let mut words = vec!["-sS", "-v", "--max-time", "30", "--cacert", ca.to_str().expect("a plain path")];
    words.extend(arguments);
    let url = lab.url(path);
    words.push(&url);
    run(&mut command("curl", words), PROGRAM_LIMIT)
}

#[track_caller]
fn delivers(lab: &Lab, arguments: &[&str]) -> String {
    let output = curl(lab, "file", arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?} {arguments:?}: {}\n{said}", lab.software(), output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout), CONTENT, "{:?} {arguments:?}", lab.software());
    said
}

#[track_caller]
fn fails(lab: &Lab, arguments: &[&str], statuses: &[i32]) -> String {
    let output = curl(lab, "file", arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = output.status.code().expect("an exit status");
    assert!(statuses.contains(&status), "{:?} {arguments:?}: {status}\n{said}", lab.software());
    said
}

fn each(name: &str, servers: &'static [Software], body: fn(Software)) {
    with_deadline(Duration::from_secs(120), name, move || servers.iter().copied().for_each(body));
}

#[test]
fn tls_is_there_for_those_who_ask() {
    each("tls_is_there_for_those_who_ask", &ALL, |software| {
        let lab = serve(software, &with_tls(Tls::Offered));
        delivers(&lab, &[]);
        let said = delivers(&lab, &["--ssl-reqd"]);
        assert!(said.contains("PROT P") && said.contains("TLSv1.3"), "{software:?}:\n{said}");
    });
}

#[test]
fn tls_can_be_a_condition() {
    each("tls_can_be_a_condition", &ALL, |software| {
        let lab = serve(software, &with_tls(Tls::Required));
        delivers(&lab, &["--ssl-reqd"]);
        // 67: login denied; 8 and 56: the server has gone; 28: so it has, by 421.
        fails(&lab, &[], &[67, 8, 28, 56]);
        // Nor is it enough to encrypt the control connection alone. ProFTPD refuses to, the others let it fail.
        if software == Software::ProFtpd {
            fails(&lab, &["--ssl-reqd", "-Q", "PROT C"], &[21]);
        } else {
            fails(&lab, &["--ftp-ssl-control"], &[8, 13, 19, 25, 30, 56, 64]);
        }
    });
}

#[test]
fn tls_can_begin_with_the_connection() {
    each("tls_can_begin_with_the_connection", &[Software::Vsftpd, Software::ProFtpd], |software| {
        let lab = serve(software, &with_tls(Tls::Implicit));
        assert!(lab.url("").starts_with("ftps://"));
        let said = delivers(&lab, &[]);
        assert!(!said.contains("AUTH"), "{software:?}:\n{said}");
    });
}

#[test]
fn one_version_of_tls() {
    each("one_version_of_tls", &ALL, |software| {
        let only = |versions| serve(software, &Options { versions, ..with_tls(Tls::Offered) });
        let lab = only(Versions::Only12);
        assert!(delivers(&lab, &["--ssl-reqd"]).contains("TLSv1.2"));
        fails(&lab, &["--ssl-reqd", "--tlsv1.3"], TLS_BROKEN);
        drop(lab);
        let lab = only(Versions::Only13);
        delivers(&lab, &["--ssl-reqd"]);
        fails(&lab, &["--ssl-reqd", "--tls-max", "1.2"], TLS_BROKEN);
    });
}

#[test]
fn session_reuse_can_be_a_condition() {
    each("session_reuse_can_be_a_condition", &[Software::Vsftpd, Software::ProFtpd], |software| {
        for versions in [Versions::Only12, Versions::Only13] {
            let lab = serve(software, &Options { session_reuse: true, versions, ..with_tls(Tls::Required) });
            delivers(&lab, &["--ssl-reqd"]);
            fails(&lab, &["--ssl-reqd", "--no-sessionid"], &[8, 18, 19, 56]);
            let free = serve(software, &Options { session_reuse: false, versions, ..with_tls(Tls::Required) });
            delivers(&free, &["--ssl-reqd", "--no-sessionid"]);
        }
    });
}

#[test]
fn certificates_that_nobody_should_trust() {
    each("certificates_that_nobody_should_trust", &ALL, |software| {
        let bad = [
            authority().issue(&Wish::default().expired()),
            authority().issue(&Wish::default().not_yet()),
            authority().issue(&Wish::named("ftp.example.org")),
            Certificate::self_signed(&Wish::default()),
            Authority::new("somebody else").issue(&Wish::default()),
        ];
        for certificate in bad {
            let lab = serve(software, &Options { certificate: Some(certificate), ..with_tls(Tls::Required) });
            fails(&lab, &["--ssl-reqd"], CERTIFICATE_REFUSED);
            delivers(&lab, &["--ssl-reqd", "--insecure"]);
        }
    });
}

#[test]
fn client_certificates_can_be_a_condition() {
    each(
        "client_certificates_can_be_a_condition",
        &[Software::Vsftpd, Software::ProFtpd, Software::Pyftpdlib],
        |software| {
            let lab = serve(software, &Options { client_certificate: true, ..with_tls(Tls::Required) });
            let shown = |certificate: &Certificate| {
                let saved = certificate.save(lab.folder(), "client");
                [saved.cert, saved.key].map(|path| path.to_str().expect("a plain path").to_owned())
            };
            let [cert, key] = shown(&authority().issue(&Wish::client("ann")));
            delivers(&lab, &["--ssl-reqd", "--cert", &cert, "--key", &key]);
            fails(&lab, &["--ssl-reqd"], &[35, 55, 56, 67]);
            let [cert, key] = shown(&Authority::new("somebody else").issue(&Wish::client("ann")));
            fails(&lab, &["--ssl-reqd", "--cert", &cert, "--key", &key], &[35, 55, 56, 67]);
        },
    );
}

#[test]
fn the_servers_own_time() {
    each("the_servers_own_time", &ALL, |software| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970").as_secs();
        // Young enough for a listing with minutes, and at odds with the present hour.
        let mtime = now - 40 * 24 * 3600 - 5 * 3600;
        // No daylight saving time: vsftpd reckons it as it is today.
        for (zone, hours) in [(None, 0), (Some("Asia/Tokyo"), 9), (Some("America/Phoenix"), -7)] {
            let lab = serve(software, &Options { zone, ..Options::default() });
            tree::set_mtime(&lab.dir().join("file"), mtime);
            let at =
                |hours: i8| Offset::constant(hours).to_datetime(Timestamp::from_second(mtime as i64).expect("now"));
            let listing = curl(&lab, "", &[]);
            let listing = String::from_utf8_lossy(&listing.stdout);
            let wanted = at(hours).strftime("%H:%M").to_string();
            assert!(listing.contains(&wanted), "{software:?} in {zone:?}: {wanted} is not in\n{listing}");
            let said = curl(&lab, "file", &["-I"]);
            let said = String::from_utf8_lossy(&said.stderr);
            let mdtm = if matches!(software, Software::Vsftpd | Software::Pyftpdlib) { hours } else { 0 };
            let wanted = at(mdtm).strftime("213 %Y%m%d%H%M%S").to_string();
            assert!(said.contains(&wanted), "{software:?} in {zone:?}: {wanted} is not in\n{said}");
        }
    });
}

#[test]
fn the_server_connects() {
    each("the_server_connects", &ALL, |software| {
        let lab = serve(software, &with_tls(Tls::Offered));
        assert!(delivers(&lab, &["-P", "127.0.0.1"]).contains("EPRT"));
        assert!(delivers(&lab, &["-P", "127.0.0.1", "--disable-eprt"]).contains("PORT"));
        // curl 7.88 waits here for a connection that it has accepted already.
        let script = format!(
            "set ftp:passive-mode off; set ftp:ssl-force on; set ftp:ssl-protect-data on; set net:max-retries 1; \
             set ssl:ca-file {}; debug 9; cat {}",
            lab.ca().display(),
            lab.url("file")
        );
        let output = run(&mut command("lftp", ["-c", &script]), PROGRAM_LIMIT);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), CONTENT, "{software:?}:\n{said}");
        assert!(said.contains("PORT") && said.contains("PROT P"), "{software:?}:\n{said}");
    });
}

#[test]
fn passive_mode_can_be_forbidden() {
    each("passive_mode_can_be_forbidden", &ALL, |software| {
        let lab = serve(software, &Options { passive: false, ..Options::default() });
        fails(&lab, &[], COULD_NOT_CONNECT_DATA);
        fails(&lab, &["--disable-epsv"], COULD_NOT_CONNECT_DATA);
        delivers(&lab, &["-P", "127.0.0.1"]);
    });
}

#[test]
fn the_address_in_front_of_a_router() {
    each("the_address_in_front_of_a_router", &ALL, |software| {
        let lab = serve(software, &Options { masquerade: Some(Ipv4Addr::new(203, 0, 113, 7)), ..Options::default() });
        let said = delivers(&lab, &["--disable-epsv", "--ftp-skip-pasv-ip"]);
        assert!(said.contains("203,0,113,7"), "{software:?}:\n{said}");
    });
}

#[test]
fn ipv6_with_tls() {
    each("ipv6_with_tls", &ALL, |software| {
        let addr = Ipv6Addr::LOCALHOST.into();
        delivers(&serve(software, &Options { addr, ..with_tls(Tls::Required) }), &["--ssl-reqd"]);
    });
}

#[test]
fn a_fingerprint_is_what_openssl_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificate = Certificate::self_signed(&Wish::default());
    let saved = certificate.save(folder.path(), "x");
    let cert = saved.cert.to_str().expect("a plain path");
    let output =
        run(&mut command("openssl", ["x509", "-in", cert, "-noout", "-fingerprint", "-sha256"]), PROGRAM_LIMIT);
    let said = String::from_utf8_lossy(&output.stdout).replace(':', "").to_ascii_lowercase();
    assert!(said.trim().ends_with(&certificate.fingerprint()), "{said} is not {}", certificate.fingerprint());
    assert!(Path::new(&saved.both).exists());
}
