//! What programs on a mount are told when an upload breaks off, stalls or is lied about.
//!
//! The rules: an upload that broke is taken up again unseen; one that cannot be completed is an error at write, fsync or
//! close; the old content is intact, nothing of ours stays on the server, and what was written is kept for the user.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::thread;

use support::process::wait_until;
use support::scene::{LIMIT, Scene, close, limited, number, pattern, put};
use support::server::{Append, Cut, DEFAULT_MTIME, End, FakeServer, Fault, Personality, Restart, Stage, Tree};

const MIB: u64 = 1 << 20;
/// A short patience.
const HURRIED: &str = "timeout=2s,connect_timeout=2s";

fn tree() -> Tree {
    Tree::new().file("old", b"the old content", DEFAULT_MTIME).file_pattern("big", 6 * MIB, 3).dir("d")
}

/// Every point at which a connection can break under an upload of more than five megabytes.
fn cuts() -> Vec<Fault> {
    let control = |stage| Fault::cut(stage, Cut::control(End::Fin)).verb("STOR").times(1);
    let both = |stage| Fault::cut(stage, Cut::both(End::Rst)).verb("STOR").times(1);
    vec![
        Fault::cut(Stage::Reply("STOR"), Cut::control(End::Fin)).times(1),
        control(Stage::Accept),
        control(Stage::AfterOpening),
        control(Stage::Data(100)),
        both(Stage::Data(100)),
        control(Stage::Data(5 * MIB)),
        both(Stage::Data(5 * MIB)),
        Fault::cut(Stage::Data(5 * MIB), Cut::data(End::Rst).saying("426 Gone.")).verb("STOR").times(1),
        control(Stage::Final),
        both(Stage::Final),
        Fault::cut(Stage::Answered("STOR"), Cut::control(End::Rst)).times(1),
        Fault::reply_at(Stage::Final, "426 Failure writing network stream.").verb("STOR").times(1),
    ]
}

#[test]
fn an_upload_that_broke_is_taken_up_again_unseen() {
    limited(|| {
        let bytes = pattern(9, 6 * MIB + 5);
        for append in [Append::Works, Append::Refused] {
            let restart = if append == Append::Works { Restart::KeepsTail } else { Restart::Refused };
            let personality = Personality::mlsd().writing(|it| (it.append, it.restart) = (append, restart));
            let scene = Scene::new(personality, tree(), HURRIED);
            for (n, fault) in cuts().into_iter().enumerate() {
                let what = format!("{append:?}, {fault:?}");
                let name = format!("d/new-{n}");
                scene.server.fault(fault);
                assert_eq!(number(put(&scene.at(&name), &bytes)), 0, "{what}:\n{}", scene.mount.log());
                scene.has(&name, &bytes);
                scene.server.heal();
            }
            for (n, fault) in cuts().into_iter().enumerate() {
                let what = format!("over an old file, {append:?}, {fault:?}");
                let bytes = pattern(n as u64, 6 * MIB + 5);
                scene.server.fault(fault);
                assert_eq!(number(put(&scene.at("old"), &bytes)), 0, "{what}:\n{}", scene.mount.log());
                scene.has("old", &bytes);
                scene.server.heal();
            }
            scene.is_tidy();
            scene.works();
        }
    });
}

#[test]
fn a_server_that_swallows_bytes_is_found_out() {
    limited(|| {
        for len in [100_000, 6 * MIB] {
            let bytes = pattern(1, len);
            let scene = Scene::new(Personality::mlsd(), tree(), HURRIED);
            // Once: it is sent again.
            scene.server.fault(Fault::swallow(70_000).verb("STOR").times(1));
            assert_eq!(number(put(&scene.at("d/new"), &bytes)), 0, "{}", scene.mount.log());
            scene.has("d/new", &bytes);
            // Always, whatever is sent.
            scene.server.fault(Fault::swallow(0));
            assert_eq!(number(put(&scene.at("d/liar"), &bytes)), libc::EIO, "{}", scene.mount.log());
            assert_eq!(scene.await_lost(), bytes);
            scene.works();
        }
    });
}

/// Each attempt hands bytes to the kernel, and none ever arrives.
#[test]
fn a_server_that_breaks_each_upload_at_the_same_byte_is_given_up() {
    limited(|| {
        for stage in [Stage::Accept, Stage::AfterOpening, Stage::Data(MIB), Stage::Data(5 * MIB)] {
            let bytes = pattern(2, 20 * MIB);
            let scene = Scene::new(Personality::mlsd(), tree(), HURRIED);
            for verb in ["STOR", "APPE"] {
                scene.server.fault(Fault::swallow(0).verb(verb).path("d/new"));
                scene.server.fault(Fault::cut(stage, Cut::both(End::Rst)).verb(verb).path("d/new"));
            }
            let told = number(put(&scene.at("d/new"), &bytes));
            assert_eq!(told, libc::EIO, "{stage:?}\n{}", scene.mount.log());
            // Where even the name could not be made nothing was written.
            if matches!(stage, Stage::Data(_)) {
                let lost = scene.await_lost();
                assert!(bytes.starts_with(&lost) && !lost.is_empty(), "{stage:?}: {}", lost.len());
            }
            scene.works();
        }
    });
}

#[test]
fn a_stalled_upload_is_an_error_and_no_hang() {
    limited(|| {
        let stages = [
            Stage::Reply("STOR"),
            Stage::Accept,
            Stage::AfterOpening,
            Stage::Data(100),
            Stage::Data(5 * MIB),
            Stage::Final,
        ];
        thread::scope(|all| {
            for stage in stages {
                let personality = Personality::mlsd().writing(|it| {
                    it.receive_buffer = Some(64 * 1024);
                    (it.append, it.restart) = (Append::Refused, Restart::Refused);
                });
                let scene = Scene::new(personality, tree(), "timeout=1s,connect_timeout=1s");
                all.spawn(move || {
                    let old = scene.server.content("old").expect("it is there");
                    scene.server.fault(Fault::stall(stage).verb("STOR"));
                    let told = number(put(&scene.at("old"), &pattern(4, 6 * MIB)));
                    assert!([libc::EIO, libc::ETIMEDOUT].contains(&told), "{stage:?}: {told}");
                    scene.has("old", &old);
                    assert_eq!(scene.await_lost(), pattern(4, 6 * MIB), "{stage:?}");
                    assert_eq!(fs::read(scene.at("old")).expect("readable"), old, "{stage:?}");
                    scene.works();
                });
            }
        });
    });
}

#[test]
fn the_old_copy_survives_an_upload_that_fails_for_good() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), HURRIED);
        for fault in [
            Fault::reply_at(Stage::Final, "451 Requested action aborted: local error.").verb("STOR"),
            Fault::reply_at(Stage::Final, "426 Connection closed; transfer aborted.").verb("STOR"),
        ] {
            let what = format!("{fault:?}");
            scene.server.fault(fault);
            let mut file = OpenOptions::new().write(true).open(scene.at("old")).expect("opens");
            file.seek(SeekFrom::Start(4)).expect("seeks");
            file.write_all(b"NEW").expect("the spool takes it");
            assert_ne!(number(file.sync_all()), 0, "{what}: told at fsync");
            assert_ne!(number(close(file)), 0, "{what}: and again at close, which tries again");
            scene.has("old", b"the old content");
            wait_until("a tidy server", LIMIT, || {
                (!scene.server.paths().iter().any(|path| path.contains(".ftpfs-"))).then_some(())
            });
            wait_until("the old content to be shown", LIMIT, || {
                (fs::read(scene.at("old")).ok()? == b"the old content").then_some(())
            });
            assert_eq!(scene.await_lost(), b"the NEW content");
            scene.lost().iter().for_each(|path| fs::remove_file(path).expect("ours"));
            scene.server.heal();
        }
        scene.works();
    });
}

/// A cp that had failed left its spool to the last close, which stored it when the server was back: what had been written
/// until then replaced the whole file, after the program had been told of the error.
#[test]
fn what_a_program_has_given_up_takes_nobodys_place() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), HURRIED);
        scene.server.fault(Fault::reply("STOR", "452 Insufficient storage space."));
        let mut file = OpenOptions::new().write(true).truncate(true).open(scene.at("old")).expect("opens");
        file.write_all(b"the beginning").expect("the spool takes it");
        // The stream fails behind the program's back; one of the next writes hears of it.
        wait_until("a write to be refused", LIMIT, || file.write_all(b".").is_err().then_some(()));
        scene.server.heal();
        scene.server.clear_log();
        assert_eq!(number(close(file)), libc::ENOSPC, "the file is not what the program wanted");
        assert!(scene.await_lost().starts_with(b"the beginning"));
        scene.has("old", b"the old content");
        assert_eq!(scene.server.log().verb("STOR"), 0, "{}", scene.server.log());
        put(&scene.at("old"), b"whole again").expect("it can be written anew");
        scene.has("old", b"whole again");
    });
}

#[test]
fn an_error_of_the_stream_is_told_at_write_and_until_it_is_heard() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), HURRIED);
        scene
            .server
            .fault(Fault::cut(Stage::Data(MIB), Cut::data(End::Rst).saying("550 Permission denied.")).path("d/new"));
        let mut file = File::create(scene.at("d/new")).expect("is made");
        let piece = pattern(5, MIB);
        let told = wait_until("an error of write(2)", LIMIT, || file.write_all(&piece).err());
        assert_eq!(told.raw_os_error(), Some(libc::EACCES), "{told}");
        assert_eq!(number(file.write_all(&piece)), libc::EACCES, "write(2) does not take it back");
        assert_eq!(number(file.sync_all()), libc::EACCES);
        scene.server.heal();
        assert_eq!(number(file.sync_all()), 0, "all that was taken is stored when the server is well again");
        let stored = fs::metadata(scene.at("d/new")).expect("is there").len();
        assert_eq!(scene.server.len_of("d/new"), Some(stored));
        drop(file);
        scene.works();
    });
}

/// What has left the spool is neither sent as zeros nor forgotten.
#[test]
fn a_broken_stream_that_the_spool_has_let_go_of_goes_on_behind_what_has_arrived() {
    limited(|| {
        let len = 60 * MIB;
        let bytes = pattern(6, len);
        for old in [false, true] {
            let scene = Scene::new(Personality::mlsd(), tree(), &format!("spool_size=16M,{HURRIED}"));
            let (shown, path) = if old { ("big", scene.at("big")) } else { ("d/new", scene.at("d/new")) };
            // The first question after the break finds nobody, either.
            scene.server.fault(Fault::cut(Stage::Data(40 * MIB), Cut::both(End::Rst)).verb("STOR").times(1));
            scene.server.fault(Fault::cut(Stage::Reply("SIZE"), Cut::both(End::Rst)).times(2));
            scene.server.fault(Fault::cut(Stage::Reply("MLST"), Cut::both(End::Rst)).times(2));
            assert_eq!(number(put(&path, &bytes)), 0, "{}", scene.mount.log());
            scene.has(shown, &bytes);
            assert!(scene.mount.log().contains("the upload broke off"), "the fault was met");
            scene.works();
        }
    });
}

/// The tail is all that the spool has of such a file.
#[test]
fn an_append_that_breaks_never_costs_what_was_there() {
    limited(|| {
        let (head, tail) = (pattern(3, 6 * MIB), pattern(8, 12 * MIB));
        let stages = [Stage::Accept, Stage::Data(0), Stage::Data(MIB), Stage::Data(5 * MIB), Stage::Final];
        for stage in stages {
            for second in [Append::Works, Append::Refused] {
                let scene = Scene::new(Personality::mlsd(), tree(), HURRIED);
                append(&scene, b"");
                scene.server.fault(Fault::cut(stage, Cut::both(End::Rst)).verb("APPE").times(1));
                if second == Append::Refused {
                    scene.server.fault(Fault::reply("APPE", "502 Not any more.").after(1));
                    scene.server.fault(Fault::reply("REST", "502 Neither."));
                }
                let told = append(&scene, &tail);
                let found = scene.server.content("big").expect("it is there");
                assert!(found.starts_with(&head), "{stage:?}, {second:?}: the old content is gone");
                if told == 0 {
                    assert!(found == [&head[..], &tail[..]].concat(), "{stage:?}, {second:?}: {}", found.len());
                } else {
                    assert_eq!(second, Append::Refused, "{stage:?}: {told}\n{}", scene.mount.log());
                }
                scene.works();
            }
        }
    });
}

fn append(scene: &Scene, bytes: &[u8]) -> i32 {
    let mut file = OpenOptions::new().append(true).open(scene.at("big")).expect("opens");
    let written = file.write_all(bytes);
    let closed = close(file);
    number(written.and(closed))
}

/// 80 files whose last attempts all wait for each other would wait for ever.
#[test]
fn many_files_that_fail_at_once_leave_a_mount_that_works() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "timeout=5s,max_connections=4");
        let server: &FakeServer = &scene.server;
        let files: Vec<_> = (0..80).map(|n| File::create(scene.at(&format!("d/f{n}"))).expect("is made")).collect();
        server.fault(Fault::reply_at(Stage::Final, "552 Disk full.").verb("STOR").below("d"));
        server.fault(Fault::reply_at(Stage::Final, "552 Disk full.").verb("APPE").below("d"));
        thread::scope(|all| {
            for mut file in files {
                all.spawn(move || {
                    // Told here already where the empty file was refused.
                    let written = file.write_all(b"content");
                    let closed = close(file);
                    assert_ne!(number(written.and(closed)), 0);
                });
            }
        });
        scene.works();
    });
}
