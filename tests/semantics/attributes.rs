//! Times, modes and owners that programs set.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::support::process::wait_until;
use super::support::server::{DEFAULT_MTIME, Fault, Personality, SetMdtm, Stage};
use super::{LIMIT, LONG, NEVER, Scene, close, command, python, refused, succeeds, tree, with};

/// A server that cannot keep anything but content.
fn forgetful() -> Personality {
    Personality::mlsd()
        .writing(|it| (it.mfmt, it.mdtm, it.site, it.chmod) = (false, SetMdtm::Unknown, false, false))
        .writing(|it| (it.utime_short, it.utime_long) = (false, false))
}

fn at(secs: i64, nanos: u32) -> SystemTime {
    UNIX_EPOCH + Duration::new(secs as u64, nanos)
}

fn set_time(scene: &Scene, name: &str, time: SystemTime) -> io::Result<()> {
    File::open(scene.at(name)).and_then(|file| file.set_modified(time))
}

fn set_mode(scene: &Scene, name: &str, mode: u32) -> io::Result<()> {
    fs::set_permissions(scene.at(name), fs::Permissions::from_mode(mode))
}

/// Everything that was set is on the server.
fn sync(scene: &Scene) {
    assert!(succeeds(command(env!("CARGO_BIN_EXE_ftpfs"), ["sync"]).arg(scene.at(""))));
}

#[test]
fn times_are_set_in_whole_seconds() {
    let utime =
        |long: bool| Personality::mlsd().writing(|it| (it.mfmt, it.utime_short, it.utime_long) = (false, !long, long));
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), utime(false), utime(true)] {
        with(personality, tree(), LONG, |scene| {
            let time = DEFAULT_MTIME - 86_400 * 500 + 1;
            set_time(scene, "d/a.txt", at(time, 999_999_999)).expect("it can be set");
            let found = scene.stat("d/a.txt").expect("it is there");
            assert_eq!((found.mtime(), found.mtime_nsec()), (time, 0), "at once, and in whole seconds");
            sync(scene);
            assert_eq!(scene.server.mtime_of("d/a.txt"), Some(time));
            // Of what has just been written, after the last close.
            scene.put("d/new", "new").and_then(|()| set_time(scene, "d/new", at(time, 0))).expect("it can be set");
            assert_eq!(scene.stat("d/new").expect("it is there").mtime(), time);
            sync(scene);
            assert_eq!(scene.server.mtime_of("d/new"), Some(time));
            // The last access is accepted and forgotten.
            assert_eq!(python("os.utime(path, (1000000000, os.stat(path).st_mtime))", &scene.at("d/new")), "");
            assert_eq!(scene.stat("d/new").expect("it is there").atime(), time);
            // A rename takes along what waits.
            set_time(scene, "d/new", at(time + 5, 0)).expect("it can be set");
            fs::rename(scene.at("d/new"), scene.at("d/newer")).expect("it can be renamed");
            sync(scene);
            assert_eq!(scene.server.mtime_of("d/newer"), Some(time + 5));
        });
    }
}

#[test]
fn a_written_file_has_the_time_of_its_last_write() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), forgetful()] {
        with(personality, tree(), NEVER, move |scene| {
            let before = now();
            for name in ["d/new", "d/a.txt"] {
                scene.put(name, "written").expect("it can be stored");
                let shown = scene.stat(name).expect("it is there").mtime();
                assert!((before..=now()).contains(&shown), "{name}: {shown}");
                assert_eq!(scene.server.mtime_of(name), Some(shown));
            }
        });
    }
    // A time that a program gives it while it is written, or on its way, is the one that it has then.
    for options in [NEVER, LONG] {
        with(Personality::mlsd(), tree(), options, move |scene| {
            let set = || {
                set_time(scene, "d/a.txt", at(1_000_000_000, 0)).expect("it can be set");
                assert_eq!(scene.stat("d/a.txt").expect("it is there").mtime(), 1_000_000_000);
            };
            let file = File::create(scene.at("d/a.txt")).expect("it can be opened");
            io::Write::write_all(&mut &file, b"again").expect("it can be written");
            set();
            close(file).expect("it can be stored");
            assert_eq!(scene.stat("d/a.txt").expect("it is there").mtime(), 1_000_000_000);
            scene
                .stalled(Fault::stall(Stage::Reply("RNTO")), || scene.put("d/a.txt", "more"), set)
                .expect("it can be stored");
            assert_eq!(scene.stat("d/a.txt").expect("it is there").mtime(), 1_000_000_000);
            sync(scene);
            let at_last = || (scene.server.mtime_of("d/a.txt") == Some(1_000_000_000)).then_some(());
            wait_until("the server to have it", LIMIT, at_last);
        });
    }
}

#[test]
fn a_mode_is_set_where_the_server_can() {
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), Personality::pyftpdlib()] {
        with(personality, tree(), LONG, |scene| {
            for (name, mode) in [("d/a.txt", 0o600), ("d/a.txt", 0o751), ("d", 0o700)] {
                set_mode(scene, name, mode).expect("it can be set");
                assert_eq!(scene.stat(name).expect("it is there").mode() & 0o7777, mode);
                sync(scene);
                assert_eq!(scene.server.mode_of(name), Some(mode), "{name}");
            }
            set_mode(scene, "big", 0o6755).expect("it can be set");
            sync(scene);
            assert_eq!(scene.server.mode_of("big"), Some(0o755), "such bits are not sent");
            assert_eq!(scene.stat("big").expect("it is there").mode() & 0o7777, 0o755);
        });
    }
}

#[test]
fn a_new_file_gets_the_mode_that_was_asked_for() {
    // vsftpd gives 0600 by itself, the others 0644.
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), Personality::pyftpdlib()] {
        with(personality, tree(), LONG, |scene| {
            for (name, mode) in [("d/private", 0o600), ("d/program", 0o755), ("d/usual", 0o644)] {
                let file = fs::OpenOptions::new().write(true).create(true).mode(mode).open(scene.at(name));
                file.and_then(close).expect("it can be made");
                assert_eq!(scene.stat(name).expect("it is there").mode() & 0o7777, mode, "{name}");
                sync(scene);
                assert_eq!(scene.server.mode_of(name), Some(mode), "{name}");
            }
            assert_eq!(python("os.mkdir(path, 0o700)", &scene.at("d/dir")), "");
            sync(scene);
            assert_eq!(scene.server.mode_of("d/dir"), Some(0o700));
        });
    }
    with(Personality::unix_list(), tree(), &["-o", "fmask=077"], |scene| {
        scene.put("new", "x").expect("it can be stored");
        assert_eq!((scene.server.mode_of("new"), scene.server.log().verb("SITE CHMOD")), (Some(0o600), 0));
    });
}

#[test]
fn a_time_that_the_server_refuses_does_not_stay() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.server.fault(Fault::reply("MFMT", "550 Permission denied."));
        scene.server.fault(Fault::reply("SITE CHMOD", "550 Permission denied."));
        let (time, mode) = (DEFAULT_MTIME + 7, scene.stat("d/a.txt").expect("it is there").mode() & 0o7777);
        set_time(scene, "d/a.txt", at(1_000_000_000, 0)).expect("it is accepted");
        set_mode(scene, "d/a.txt", 0o600).expect("it is accepted");
        wait_until("what is so to be shown", LIMIT, || {
            let found = scene.stat("d/a.txt").expect("it is there");
            (found.mtime() == time && found.mode() & 0o7777 == mode).then_some(())
        });
        assert!(scene.mount.log().contains("/d/a.txt"), "{}", scene.mount.log());
        assert_eq!(scene.server.mtime_of("d/a.txt"), Some(time));
        // fsync(2) does not overtake it.
        scene.server.heal();
        set_time(scene, "d/a.txt", at(1_000_000_001, 0)).expect("it can be set");
        File::open(scene.at("d/a.txt")).and_then(|file| file.sync_all()).expect("it can be stored");
        assert_eq!(scene.server.mtime_of("d/a.txt"), Some(1_000_000_001));
    });
}

#[test]
fn perms_ignore_accepts_what_cannot_be_kept() {
    with(forgetful(), tree(), LONG, |scene| {
        chown(scene.at("d/a.txt"), Some(1234), Some(1234)).expect("it is accepted");
        set_mode(scene, "d/a.txt", 0o600).expect("it is accepted");
        set_time(scene, "d/a.txt", at(1_000_000_000, 0)).expect("it is accepted");
        chown(scene.at("big"), Some(1234), None).expect("it is accepted");
        let local = tempfile::tempdir().expect("a temporary folder");
        fs::write(local.path().join("file"), "text").expect("it is ours");
        fs::set_permissions(local.path().join("file"), fs::Permissions::from_mode(0o751)).expect("it is ours");
        chown(local.path().join("file"), Some(1234), Some(1234)).expect("root may");
        assert!(succeeds(command("cp", ["-a"]).arg(local.path().join("file")).arg(scene.at("copy"))));
        assert_eq!(scene.held("copy"), b"text");
        sync(scene);
        let log = scene.mount.log();
        for what in ["owner", "mode", "time"] {
            let lines: Vec<_> = log.lines().filter(|l| !l.contains("debug") && l.contains(what)).collect();
            assert!(!lines.is_empty(), "nothing of the {what}:\n{log}");
        }
        let owner = log.lines().filter(|line| line.contains("owner or group")).count();
        assert_eq!(owner, 1, "once is enough");
        assert_ne!(scene.stat("d/a.txt").expect("it is there").uid(), 1234);
    });
}

#[test]
fn perms_strict_refuses_what_cannot_be_kept() {
    const STRICT: &[&str] = &["-o", "perms=strict,cache_timeout=1h"];
    with(forgetful(), tree(), STRICT, |scene| {
        refused(chown(scene.at("d/a.txt"), Some(1234), None), libc::EPERM, "an owner");
        refused(set_mode(scene, "d/a.txt", 0o600), libc::EPERM, "a mode");
        refused(set_time(scene, "d/a.txt", at(1_000_000_000, 0)), libc::EPERM, "a time");
        let mine = scene.stat("d/a.txt").expect("it is there");
        chown(scene.at("d/a.txt"), Some(mine.uid()), Some(mine.gid())).expect("it changes nothing");
        assert_eq!((mine.mtime(), mine.mode() & 0o7777), (DEFAULT_MTIME + 7, 0o644));
    });
    for options in [STRICT, LONG] {
        with(Personality::mlsd(), tree(), options, move |scene| {
            set_mode(scene, "d/a.txt", 0o600)
                .and_then(|()| set_time(scene, "d/a.txt", at(1_000_000_000, 0)))
                .expect("the server can");
            sync(scene);
            assert_eq!(
                (scene.server.mode_of("d/a.txt"), scene.server.mtime_of("d/a.txt")),
                (Some(0o600), Some(1_000_000_000))
            );
        });
    }
    // The server can, but not for this file.
    with(Personality::mlsd(), tree(), STRICT, |scene| {
        scene.server.fault(Fault::reply("MFMT", "550 Permission denied.").path("d/a.txt"));
        refused(set_time(scene, "d/a.txt", at(1_000_000_000, 0)), libc::EPERM, "a time");
    });
}
