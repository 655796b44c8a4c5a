//! What a user is told of a certificate that does not fit, on a real server, and that what the line offers works.

mod support;

use std::fs;

use support::lab::{Lab, Options, Software, Tls};
use support::mount::Mount;
use support::process::{PROGRAM_LIMIT, command, run};
use support::tls::{Authority, Certificate, Wish, authority};

fn serve(certificate: Option<Certificate>, tls: Tls) -> Lab {
    let lab = Lab::start(Software::Vsftpd, &Options { tls, certificate, ..Options::default() });
    fs::write(lab.dir().join("file"), "content\n").expect("the folder is ours");
    lab.hand_over(&lab.dir());
    lab
}

/// The one line that a mount with these options fails with, without the part that is the same for all.
#[track_caller]
fn refused(lab: &Lab, options: &str) -> String {
    let place = tempfile::tempdir().expect("a mountpoint");
    let on = place.path().to_str().expect("a plain path");
    let output = run(&mut command(env!("CARGO_BIN_EXE_ftpfs"), ["-o", options, &lab.url(""), on]), PROGRAM_LIMIT);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let prefix = format!("ftpfs: no safe connection to {}: ", lab.address());
    let line = said.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("another line: {said}"));
    assert!(!line.contains('\n') && !said.contains(lab.password()), "{said}");
    line.to_owned()
}

#[track_caller]
fn works(lab: &Lab, options: &str) {
    let mount = Mount::new(&lab.url(""), &["-o", options]);
    assert_eq!(fs::read(mount.path().join("file")).expect("readable"), b"content\n");
    mount.unmount();
}

/// `cacert` with the authority of the tests, beside other options.
fn trusting(lab: &Lab, more: &str) -> String {
    format!("cacert={},{more}", lab.ca().display())
}

#[test]
fn each_bad_certificate_has_its_line_and_its_option() {
    let expired = authority().issue(&Wish::default().expired());
    let named = authority().issue(&Wish::named("ftp.example.org"));
    let own = Certificate::self_signed(&Wish::default());
    let unknown = Authority::new("somebody").issue(&Wish::default());
    let pin = |certificate: &Certificate| format!("pin={}", certificate.fingerprint());
    for (certificate, says, accepts) in [
        (&expired, "the server's certificate has expired on ", pin(&expired)),
        (
            &named,
            "the server's certificate is not for 127.0.0.1, but for ftp.example.org (accept it with no_verify_hostname",
            "no_verify_hostname".into(),
        ),
        (&own, "the server's certificate is self-signed (accept it with ", pin(&own)),
        (&unknown, "the server's certificate comes from an unknown authority (name it with cacert=FILE", pin(&unknown)),
    ] {
        let lab = serve(Some(certificate.clone()), Tls::Required);
        let line = refused(&lab, &trusting(&lab, "ro"));
        assert!(line.starts_with(says) && line.contains(&accepts), "{line}");
        works(&lab, &trusting(&lab, &accepts));
        works(&lab, &trusting(&lab, "no_verify_peer"));
    }
}

#[test]
fn the_systems_authorities_are_believed_and_no_others() {
    let lab = serve(None, Tls::Required);
    let line = refused(&lab, "ro");
    assert!(line.starts_with("the server's certificate comes from an unknown authority"), "{line}");
    works(&lab, &trusting(&lab, "ro"));
}

#[test]
fn a_server_without_tls_is_refused_where_there_must_be_some() {
    let lab = serve(None, Tls::Off);
    let line = refused(&lab, "tls=require");
    assert!(
        line.starts_with("the server has no TLS: ") && line.ends_with("(ftp:// without tls=require would accept it)"),
        "{line}"
    );
    works(&lab, "tls=try");
    works(&lab, "tls=off");
}

#[test]
fn a_server_that_wants_tls_says_which_option_does() {
    let lab = serve(None, Tls::Required);
    let place = tempfile::tempdir().expect("a mountpoint");
    let on = place.path().to_str().expect("a plain path");
    let output = run(&mut command(env!("CARGO_BIN_EXE_ftpfs"), ["-o", "tls=off", &lab.url(""), on]), PROGRAM_LIMIT);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.code() == Some(1) && said.contains("tls=require") && said.lines().count() == 1, "{said}");
}
