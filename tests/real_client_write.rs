//! What the client changes on real servers, seen on their disks.
//!
//! They need root and what `scripts/setup` installs.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use ftpfs::ftp::Client;
use ftpfs::remote::{Applied, ErrorKind, Outcome, Remote as _, Settings, Store};
use support::client::{client_with, lab_config, names, path, read, soon, store};
use support::lab::{Allows, Lab, Options, Software, Tls};
use support::process::with_deadline;
use support::tls::Versions;

macro_rules! on_each_server {
    ($($module:ident: $software:ident,)*) => { $(
        mod $module {
            use super::*;

            on_each_server!(@themes $software: files, tls, tails, names_come_and_go, renames, times_and_modes);
        }
    )* };
    (@themes $software:ident: $($theme:ident),*) => { $(
        #[test]
        fn $theme() {
            let name = concat!(module_path!(), "::", stringify!($theme));
            with_deadline(LIMIT, name, || super::$theme(Software::$software));
        }
    )* };
}

on_each_server! {
    vsftpd: Vsftpd,
    proftpd: ProFtpd,
    pure_ftpd: PureFtpd,
    pyftpdlib: Pyftpdlib,
}

/// A hang, nothing else.
const LIMIT: Duration = Duration::from_secs(120);

fn connect(lab: &Lab) -> Client {
    let client = client_with(&lab_config(lab));
    client.enter(b"", soon()).expect("the login works");
    client
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done)
}

fn files(software: Software) {
    let lab = Lab::start(software, &Options::default());
    sizes(&lab, &connect(&lab));
}

/// Contents of many sizes, one after the other and several at once, replaced by shorter ones, and given up.
fn sizes(lab: &Lab, client: &Client) {
    for (len, piece) in [(0, 1), (1, 1), (70_000, 1_000), (256 << 10, 64 << 10), (3 << 20, 1 << 20), (5, 2)] {
        let content = pattern(len);
        let stored = store(client, "/file", &content, piece, Store::Whole).expect("it is stored");
        assert_eq!(stored.version.expect("its size is told").size, len as u64);
        assert!(fs::read(lab.dir().join("file")).expect("it is there") == content, "{len} bytes");
        assert!(read(client, "/file", 0).expect("it can be read") == content, "{len} bytes");
    }
    let settings = Settings { mtime: Some(1_234_567_890), mode: Some(0o640) };
    for name in ["/a b", "/-x", "/~", "/ü"] {
        let mut upload = client.upload(&path(name), Store::Whole, &Default::default(), soon()).expect("it begins");
        upload.write(b"first ", soon()).expect("there is room");
        upload.accepted(soon()).expect("it is accepted");
        upload.write(b"second", soon()).expect("there is room");
        let stored = upload.finish(&settings, soon()).expect("it is stored");
        assert!(done(&stored.outcome.mtime) && done(&stored.outcome.mode), "{:?}", stored.outcome);
        let meta = fs::metadata(lab.dir().join(&name[1..])).expect("it is there");
        assert_eq!((meta.mtime(), meta.permissions().mode() & 0o7777, meta.size()), (1_234_567_890, 0o640, 12));
        assert_eq!(stored.version.and_then(|v| v.mtime).map(|t| t.secs), Some(1_234_567_890));
    }
    let mut upload = client.upload(&path("/given up"), Store::Whole, &Default::default(), soon()).expect("it begins");
    upload.write(&pattern(1 << 20), soon()).expect("there is room");
    upload.abandon(soon());
    let upload = client.upload(&path("/given up at once"), Store::Whole, &Default::default(), soon()).expect("begins");
    upload.abandon(soon());
    drop(client.upload(&path("/dropped"), Store::Whole, &Default::default(), soon()).expect("it begins"));
    assert!(names(client, "/").len() >= 6);
    // What may not be.
    fs::create_dir(lab.dir().join("dir")).expect("a new directory");
    fs::create_dir(lab.dir().join("closed")).expect("a new directory");
    lab.hand_over(&lab.dir());
    fs::set_permissions(lab.dir().join("closed"), fs::Permissions::from_mode(0o555)).expect("it is ours");
    let refused = |name: &str| {
        let mut upload = match client.upload(&path(name), Store::Whole, &Default::default(), soon()) {
            Ok(upload) => upload,
            Err(e) => return e.kind,
        };
        let written = upload.write(b"x", soon());
        let accepted = upload.accepted(soon()).expect_err("it is refused").kind;
        assert!(written.is_ok() || written.is_err_and(|e| e.kind == accepted));
        assert_eq!(upload.finish(&Settings::default(), soon()).expect_err("it has failed").kind, accepted);
        accepted
    };
    assert_eq!(refused("/dir"), ErrorKind::IsDir);
    assert_eq!(refused("/none/x"), ErrorKind::NotFound);
    assert_eq!(refused("/file/x"), ErrorKind::NotDir);
    assert_eq!(refused("/closed/x"), ErrorKind::Denied);
    store(client, "/dir/x", b"in", 9, Store::Whole).expect("after refusals everything goes on");
    assert_eq!(fs::read(lab.dir().join("dir/x")).expect("it is there"), b"in");
    let several: Vec<_> = (0..4)
        .map(|i| client.upload(&path(&format!("/dir/{i}")), Store::Whole, &Default::default(), soon()).expect("begins"))
        .collect();
    for (i, mut upload) in several.into_iter().enumerate() {
        upload.write(&pattern(i * 1_000), soon()).expect("there is room");
        upload.finish(&Settings::default(), soon()).expect("it is stored");
        assert_eq!(fs::metadata(lab.dir().join(format!("dir/{i}"))).expect("it is there").len(), i as u64 * 1_000);
    }
}

fn tls(software: Software) {
    for versions in [Versions::Both, Versions::Only12, Versions::Only13] {
        let session_reuse = matches!(software, Software::Vsftpd | Software::ProFtpd);
        let options = Options { tls: Tls::Required, versions, session_reuse, ..Options::default() };
        let lab = Lab::start(software, &options);
        sizes(&lab, &connect(&lab));
    }
}

fn tails(software: Software) {
    let lab = Lab::start(software, &Options::default());
    let client = connect(&lab);
    store(&client, "/log", b"one\n", 9, Store::Whole).expect("a new file");
    assert_eq!(client.abilities().tail, None);
    store(&client, "/log", b"two\n", 2, Store::Tail { at: 4 }).expect("it grows");
    store(&client, "/log", &pattern(300_000), 100_000, Store::Tail { at: 8 }).expect("it grows");
    let whole = [b"one\ntwo\n".to_vec(), pattern(300_000)].concat();
    assert!(fs::read(lab.dir().join("log")).expect("it is there") == whole);
    assert_eq!(client.abilities().tail, Some(true));
    let error = store(&client, "/log", b"x", 1, Store::Tail { at: 9 }).expect_err("it has another size");
    assert_eq!(error.kind, ErrorKind::Changed);
    assert!(fs::read(lab.dir().join("log")).expect("it is there") == whole);
    assert_eq!(store(&client, "/none", b"x", 1, Store::Tail { at: 9 }).expect_err("nothing").kind, ErrorKind::NotFound);
    if software != Software::ProFtpd {
        return;
    }
    let allows = Allows { appending: false, ..Allows::default() };
    let lab = Lab::start(software, &Options { allows, ..Options::default() });
    let client = connect(&lab);
    store(&client, "/log", b"one\n", 9, Store::Whole).expect("a new file");
    for _ in 0..2 {
        let error = store(&client, "/log", b"two\n", 2, Store::Tail { at: 4 }).expect_err("not here");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert_eq!(client.abilities().tail, Some(false));
    }
    assert_eq!(fs::read(lab.dir().join("log")).expect("it is there"), b"one\n");
}

fn names_come_and_go(software: Software) {
    let lab = Lab::start(software, &Options::default());
    let client = connect(&lab);
    let kind = |result: ftpfs::remote::Result<()>| result.expect_err("it fails").kind;
    let made = client.make_dir(&path("/new dir"), Some(0o700), soon()).expect("it is made");
    assert!(done(&made.mode), "{made:?}");
    let mode = fs::metadata(lab.dir().join("new dir")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    let make = |name: &str| client.make_dir(&path(name), None, soon()).map(drop);
    assert_eq!(kind(make("/new dir")), ErrorKind::Exists);
    assert_eq!(kind(make("/none/x")), ErrorKind::NotFound);
    store(&client, "/new dir/file", b"x", 1, Store::Whole).expect("a new file");
    assert_eq!(kind(make("/new dir/file")), ErrorKind::Exists);
    assert_eq!(kind(client.remove_dir(&path("/new dir"), soon())), ErrorKind::NotEmpty);
    assert_eq!(kind(client.remove_dir(&path("/new dir/file"), soon())), ErrorKind::NotDir);
    assert_eq!(kind(client.remove_dir(&path("/none"), soon())), ErrorKind::NotFound);
    assert_eq!(kind(client.remove_file(&path("/new dir"), soon())), ErrorKind::IsDir);
    assert_eq!(kind(client.remove_file(&path("/none"), soon())), ErrorKind::NotFound);
    client.remove_file(&path("/new dir/file"), soon()).expect("it is removed");
    client.remove_dir(&path("/new dir"), soon()).expect("it is removed");
    assert_eq!(fs::read_dir(lab.dir()).expect("it can be listed").count(), 0);
    let link = client.make_link(&path("/link"), b"target", soon());
    assert_eq!(kind(link), ErrorKind::Unsupported);
    // What these servers would store under another name.
    let bad: &[&str] = if software == Software::PureFtpd { &["/tab\tx", "/blank ", "/back\\slash"] } else { &[] };
    for name in bad {
        assert_eq!(kind(store(&client, name, b"x", 1, Store::Whole).map(drop)), ErrorKind::NameInvalid);
        assert_eq!(kind(make(name)), ErrorKind::NameInvalid);
    }
    assert_eq!(fs::read_dir(lab.dir()).expect("it can be listed").count(), 0);
}

fn renames(software: Software) {
    let all: &[bool] = if software == Software::ProFtpd { &[true, false] } else { &[true] };
    for &overwrite in all {
        let allows = Allows { overwriting: overwrite, ..Allows::default() };
        let lab = Lab::start(software, &Options { allows, ..Options::default() });
        let client = connect(&lab);
        let none = Settings::default();
        let rename = |from: &str, to: &str| client.rename(&path(from), &path(to), &none, soon()).map(drop);
        let kind = |from: &str, to: &str| rename(from, to).expect_err("it fails").kind;
        store(&client, "/a", b"a", 1, Store::Whole).expect("a new file");
        rename("/a", "/b").expect("it is renamed");
        assert_eq!(names(&client, "/"), ["b"]);
        for content in [&b"second"[..], b"third"] {
            store(&client, "/new", content, 9, Store::Whole).expect("a new file");
            let settings = Settings { mtime: Some(1_000_000_000), mode: Some(0o604) };
            let outcome: Outcome = client.rename(&path("/new"), &path("/b"), &settings, soon()).expect("it replaces");
            assert!(done(&outcome.mtime) && done(&outcome.mode), "{outcome:?}");
            assert_eq!(fs::read(lab.dir().join("b")).expect("it is there"), content);
            let meta = fs::metadata(lab.dir().join("b")).expect("it is there");
            assert_eq!((meta.mtime(), meta.permissions().mode() & 0o7777), (1_000_000_000, 0o604));
            assert_eq!(fs::read_dir(lab.dir()).expect("it can be listed").count(), 1, "nothing is left behind");
        }
        client.make_dir(&path("/d"), None, soon()).expect("a new directory");
        client.make_dir(&path("/e"), None, soon()).expect("a new directory");
        rename("/b", "/d/b").expect("it is moved");
        assert_eq!(kind("/none", "/x"), ErrorKind::NotFound);
        assert_eq!(kind("/d/b", "/none/x"), ErrorKind::NotFound);
        assert_eq!(kind("/d/b", "/e"), ErrorKind::IsDir);
        assert_eq!(kind("/e", "/d/b"), ErrorKind::NotDir);
        assert_eq!(kind("/e", "/d"), ErrorKind::NotEmpty);
        assert_eq!(kind("/d", "/d/below"), ErrorKind::Invalid);
        rename("/d", "/moved").expect("a directory is renamed");
        assert_eq!(names(&client, "/"), ["e", "moved"]);
        rename("/moved/b", "/moved/b").expect("to itself");
        // Longer than any line.
        let deep: String = (0..12).map(|i| format!("/{i:02}{}", "x".repeat(198))).collect();
        fs::create_dir_all(lab.dir().join(&deep[1..])).expect("new directories");
        lab.hand_over(&lab.dir());
        store(&client, &format!("{deep}/f"), b"deep", 9, Store::Whole).expect("a new file");
        rename(&format!("{deep}/f"), &format!("{deep}/g")).expect("it is renamed");
        assert_eq!(fs::read(lab.dir().join(&deep[1..]).join("g")).expect("it is there"), b"deep");
        client.remove_file(&path(&format!("{deep}/g")), soon()).expect("it is removed");
    }
}

fn times_and_modes(software: Software) {
    let lab = Lab::start(software, &Options::default());
    let client = connect(&lab);
    let count = 70;
    for i in 0..count {
        fs::write(lab.dir().join(format!("f{i}")), "x").expect("a new file");
    }
    fs::create_dir(lab.dir().join("dir")).expect("a new directory");
    lab.hand_over(&lab.dir());
    let mut wanted: Vec<_> = (0..count)
        .map(|i| (path(&format!("/f{i}")), Settings { mtime: Some(1_100_000_000 + i), mode: Some(0o600) }))
        .collect();
    wanted.push((path("/none"), Settings { mtime: Some(1), mode: Some(0o600) }));
    wanted.push((path("/dir"), Settings { mtime: Some(1_000_000_000), mode: Some(0o750) }));
    wanted.push((path("/f0"), Settings { mtime: None, mode: Some(0o4755) }));
    let outcomes = client.set(&wanted, soon()).expect("the connection lives");
    assert_eq!(outcomes.len(), wanted.len());
    for (i, outcome) in (0..count).zip(&outcomes) {
        assert!(done(&outcome.mtime) && done(&outcome.mode), "{i}: {outcome:?}");
        let meta = fs::metadata(lab.dir().join(format!("f{i}"))).expect("it is there");
        assert_eq!(meta.mtime(), 1_100_000_000 + i);
    }
    let [none, dir, special] = &outcomes[outcomes.len() - 3..] else { panic!("three more") };
    for applied in [&none.mtime, &none.mode] {
        assert!(matches!(applied, Applied::Refused(e) if e.kind == ErrorKind::NotFound), "{none:?}");
    }
    // vsftpd and pyftpdlib set the times of files only.
    match software {
        Software::Vsftpd | Software::Pyftpdlib => assert!(matches!(dir.mtime, Applied::Cannot), "{dir:?}"),
        Software::ProFtpd | Software::PureFtpd => assert!(done(&dir.mtime), "{dir:?}"),
    }
    assert!(done(&dir.mode) && done(&special.mode), "{outcomes:?}");
    assert!(matches!(special.mtime, Applied::Nothing));
    let meta = fs::metadata(lab.dir().join("dir")).expect("it is there");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o750);
    let able = client.abilities();
    assert_eq!((able.mtime, able.mode), (Some(true), Some(true)));
}

#[test]
fn vsftpd_sets_times_by_its_own_clock() {
    for zone in ["Asia/Tokyo", "America/St_Johns"] {
        for in_upload in [true, false] {
            let lab = Lab::start(Software::Vsftpd, &Options { zone: Some(zone), ..Options::default() });
            let mut config = lab_config(&lab);
            config.listing.timezone = Some(jiff::tz::TimeZone::get(zone).expect("known"));
            let client = client_with(&config);
            client.enter(b"", soon()).expect("the login works");
            // In summer and in winter.
            for mtime in [1_782_907_200, 1_768_478_400] {
                let settings = Settings { mtime: Some(mtime), mode: None };
                let mut upload = client.upload(&path("/f"), Store::Whole, &Default::default(), soon()).expect("begins");
                upload.write(b"x", soon()).expect("there is room");
                let with = if in_upload { settings } else { Settings::default() };
                let stored = upload.finish(&with, soon()).expect("it is stored");
                let applied = if in_upload {
                    assert_eq!(stored.version.and_then(|v| v.mtime).map(|t| t.secs), Some(mtime), "{zone}");
                    stored.outcome.mtime
                } else {
                    client.set(&[(path("/f"), settings)], soon()).expect("it is set")[0].mtime.clone()
                };
                assert!(done(&applied), "{applied:?}");
                assert_eq!(fs::metadata(lab.dir().join("f")).expect("it is there").mtime(), mtime, "{zone}");
            }
        }
    }
}
