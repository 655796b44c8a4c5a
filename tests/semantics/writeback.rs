//! Write-back: what a close means then, and what becomes of what was not sent.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::failing::{lost, spool};
use super::support::mount::{Mount, Place, User};
use super::support::process::{signal, wait_until, with_deadline};
use super::support::server::{DEFAULT_MTIME, End, FakeServer, Fault, Personality, Refusal, Stage};
use super::{LIMIT, MIB, command, pattern, run, tree, with};

const BACK: &[&str] = &["-o", "writeback,cache_timeout=1h"];

fn sync(dir: &Path) -> bool {
    run(command(env!("CARGO_BIN_EXE_ftpfs"), ["sync"]).arg(dir), super::PROGRAM_LIMIT).status.success()
}

/// Nothing that is being stored comes to its end.
fn stuck() -> Fault {
    Fault::stall(Stage::Final).verb("STOR")
}

#[test]
fn writeback_close_means_safe_here() {
    let (dir, options) = spool(",writeback");
    let options = [&options[0][..], &options[1]];
    with(Personality::mlsd(), tree(), &options, move |scene| {
        scene.server.fault(stuck());
        for name in ["one", "two", "three", "d/a.txt"] {
            scene.put(name, format!("content of {name}")).expect("it is safe here");
            assert_eq!(scene.read(name).expect("it is here"), format!("content of {name}").as_bytes());
            let found = super::stdout_of(
                command("grep", ["-rl", &format!("content of {name}")]).arg(dir.path()),
                super::PROGRAM_LIMIT,
            );
            assert_ne!(found, b"", "{name}");
        }
        // Several at once.
        scene.server.await_stalls(2);
        assert_eq!(scene.held("d/a.txt"), b"hello world");
        scene.server.heal();
        assert!(sync(&scene.at("")));
        for name in ["one", "two", "three", "d/a.txt"] {
            assert_eq!(scene.held(name), format!("content of {name}").as_bytes());
        }
        scene.tidy();
        let left = super::stdout_of(
            command("find", [dir.path().join("spool")]).args(["-type", "f", "-size", "+0", "-not", "-name", "journal"]),
            super::PROGRAM_LIMIT,
        );
        assert_eq!(left, b"");
    });
}

#[test]
fn writeback_fsync_means_stored() {
    with(Personality::mlsd(), tree(), BACK, |scene| {
        for name in ["new", "d/a.txt"] {
            let mut file = File::create(scene.at(name)).expect("it can be made");
            file.write_all(b"one").expect("it can be written");
            scene.stalled(stuck(), || file.sync_all(), || {}).expect("it can be stored");
            assert_eq!(scene.held(name), b"one");
            // Of what has been closed already, through another descriptor.
            scene.put(name, "two").expect("it is safe here");
            scene.open(name, OpenOptions::new().write(true)).sync_all().expect("it can be stored");
            assert_eq!(scene.held(name), b"two");
        }
    });
}

#[test]
fn writeback_shows_only_whole_files() {
    with(Personality::mlsd(), tree(), BACK, |scene| {
        let bytes = pattern(2, 0, 2 * MIB as usize);
        scene.server.fault(Fault::stall(Stage::Data(MIB)).verb("STOR"));
        scene.put("new", &bytes).expect("it is safe here");
        scene.put("d/a.txt", &bytes).expect("it is safe here");
        scene.server.await_stalls(2);
        assert!(!scene.server.exists("new"));
        assert_eq!(scene.held("d/a.txt"), b"hello world");
        assert!(scene.read("new").expect("it is here") == bytes && scene.names("").contains(&"new".to_owned()));
        scene.server.heal();
        assert!(sync(&scene.at("")));
        assert!(scene.held("new") == bytes && scene.held("d/a.txt") == bytes);
        // What editors do.
        scene.server.fault(
            Fault::run(Stage::Final, {
                let bytes = bytes.clone();
                move |tree| assert!(tree.read("d/a.txt", 0, bytes.len()) == bytes, "published before it was stored")
            })
            .verb("STOR"),
        );
        scene.put("d/.a.txt.tmp", "the next version").expect("it is safe here");
        fs::rename(scene.at("d/.a.txt.tmp"), scene.at("d/a.txt")).expect("it can be renamed");
        assert_eq!(scene.read("d/a.txt").expect("it is here"), b"the next version");
        assert!(sync(&scene.at("")));
        assert_eq!((scene.held("d/a.txt"), scene.server.exists("d/.a.txt.tmp")), (b"the next version".to_vec(), false));
        scene.tidy();
    });
}

#[test]
fn writeback_outlives_an_absence_of_the_server() {
    let (dir, options) = spool(",writeback,timeout=2s,cache_timeout=1h");
    let options = [&options[0][..], &options[1]];
    with(Personality::mlsd(), tree(), &options, move |scene| {
        scene.names("d");
        scene.server.fault(Fault::max_connections(0, Refusal::Greeting421));
        scene.server.restart(End::Rst);
        scene.put("d/a.txt", "written meanwhile").expect("it is safe here");
        wait_until("an attempt that fails", LIMIT, || scene.mount.log().contains("not stored yet").then_some(()));
        assert_eq!(scene.read("d/a.txt").expect("it is here"), b"written meanwhile");
        scene.server.heal();
        wait_until("it to be stored", LIMIT, || (scene.held("d/a.txt") == b"written meanwhile").then_some(()));
        // A refusal is a failure: it is kept, and whoever asks next is told, once.
        scene.server.fault(Fault::reply("STOR", "553 Could not create file."));
        scene.put("d/refused", "never").expect("it is safe here");
        wait_until("it to be kept", LIMIT, || (!lost(dir.path()).0.is_empty()).then_some(()));
        scene.server.heal();
        wait_until("it to be given up", LIMIT, || (!sync(&scene.at("d"))).then_some(()));
        assert!(sync(&scene.at("d")), "told once");
        let kept = lost(dir.path()).0;
        assert_eq!(fs::read(&kept[0]).expect("it is ours"), b"never");
        assert!(scene.mount.log().contains(&kept[0].display().to_string()));
    });
}

#[test]
fn a_mount_drains_before_it_ends() {
    with_deadline(LIMIT, "semantics", || {
        let server = FakeServer::start(Personality::mlsd(), tree());
        for (round, options) in [BACK, &[]].into_iter().enumerate() {
            let mount = Mount::new(&server.url(""), options);
            let name = format!("file{round}");
            let mut open = File::create(mount.path().join(&name)).expect("it can be made");
            open.write_all(b"content").expect("it can be written");
            fs::write(mount.path().join("d").join(&name), "other").expect("it can be written");
            server.fault(Fault::delay(Stage::Final, std::time::Duration::from_millis(300)).verb("STOR"));
            drop(open);
            mount.unmount();
            let held = [server.content(&name), server.content(format!("d/{name}"))];
            assert_eq!(held, [Some(b"content".to_vec()), Some(b"other".to_vec())]);
        }
        // A signal comes while a file is open and while others are on their way.
        server.heal();
        let mut mount = Mount::foreground(&server.url(""), BACK);
        fs::write(mount.path().join("last"), "closed").expect("it can be written");
        signal(mount.pid(), libc::SIGTERM);
        let status = wait_until("the end", LIMIT, || mount.exit_status());
        assert!(status.success(), "{}", mount.log());
        assert_eq!(server.content("last"), Some(b"closed".to_vec()));
    });
    // Not in time: it says what is left, and so does its status.
    let (_dir, options) = spool(",writeback,drain_timeout=1s,timeout=2s");
    with_deadline(LIMIT, "semantics", move || {
        let _kept = &_dir;
        let server = FakeServer::start(Personality::mlsd(), tree());
        let mut mount = Mount::foreground(&server.url(""), &[&options[0], &options[1]]);
        server.fault(stuck());
        fs::write(mount.path().join("late"), "content").expect("it can be written");
        signal(mount.pid(), libc::SIGTERM);
        let status = wait_until("the end", LIMIT, || mount.exit_status());
        assert!(!status.success() && mount.log().contains("not stored: /late"), "{status}: {}", mount.log());
        assert!(mount.output().contains("not on the server yet"), "{}", mount.output());
        server.heal();
    });
}

/// What is still open when a signal ends the mount, and cannot be stored.
#[test]
fn what_was_not_closed_is_kept_when_the_mount_ends() {
    let (dir, options) = spool("");
    with_deadline(LIMIT, "semantics", move || {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let mut mount = Mount::foreground(&server.url(""), &[&options[0], &options[1]]);
        let mut open = File::create(mount.path().join("d/a.txt")).expect("it can be opened");
        open.write_all(b"never closed").expect("it can be written");
        server.fault(Fault::reply_at(Stage::Final, "452 No space left on device").verb("STOR"));
        signal(mount.pid(), libc::SIGTERM);
        let status = wait_until("the end", LIMIT, || mount.exit_status());
        assert!(!status.success() && mount.log().contains("not stored: /d/a.txt"), "{status}: {}", mount.log());
        let kept = lost(dir.path()).0;
        assert_eq!(kept.iter().map(|path| fs::read(path).expect("it is ours")).collect::<Vec<_>>(), [b"never closed"]);
        assert_eq!(server.content("d/a.txt"), Some(b"hello world".to_vec()));
    });
}

/// A mount that ends with `name` unsent.
fn leave(server: &FakeServer, place: &Arc<Place>, options: &[&str], name: &str, how: libc::c_int) {
    let mount = Mount::at(place, User::Root, &server.url(""), options);
    fs::metadata(mount.path().join(name)).ok();
    server.fault(stuck());
    fs::write(mount.path().join(name), "left over").expect("it is safe here");
    if how == libc::SIGKILL {
        signal(mount.pid(), how);
        drop(mount);
    } else {
        mount.terminate();
    }
    server.heal();
}

#[test]
fn what_was_left_is_sent_by_the_next_mount() {
    for how in [libc::SIGTERM, libc::SIGKILL] {
        let (dir, options) = spool(",writeback,drain_timeout=1s,timeout=2s");
        with_deadline(LIMIT, "semantics", move || {
            let server = FakeServer::start(Personality::mlsd(), tree());
            let place = Arc::<Place>::default();
            leave(&server, &place, &[&options[0], &options[1]], "new", how);
            leave(&server, &place, &[&options[0], &options[1]], "d/a.txt", how);
            // The second has stored what the first had left; a read-only one touches nothing.
            assert_eq!(server.content("new"), Some(b"left over".to_vec()));
            assert_eq!(server.content("d/a.txt"), Some(b"hello world".to_vec()));
            let plain = format!("spool_dir={}/spool", dir.path().display());
            Mount::at(&place, User::Root, &server.url(""), &["-o", &format!("ro,{plain}")]).unmount();
            assert_eq!(server.content("d/a.txt"), Some(b"hello world".to_vec()));
            let mount = Mount::at(&place, User::Root, &server.url(""), &["-o", &plain]);
            assert_eq!(server.content("d/a.txt"), Some(b"left over".to_vec()), "{}", mount.log());
            assert_eq!(fs::read(mount.path().join("d/a.txt")).expect("it is there"), b"left over");
            mount.unmount();
            let temporary = server.paths().into_iter().filter(|path| path.contains(".ftpfs-")).collect::<Vec<_>>();
            assert_eq!(temporary, [""; 0]);
        });
    }
}

#[test]
fn a_file_that_changed_meanwhile_is_not_overwritten() {
    let (_dir, options) = spool(",writeback,drain_timeout=1s,timeout=2s");
    with_deadline(LIMIT, "semantics", move || {
        let _kept = &_dir;
        let server = FakeServer::start(Personality::mlsd(), tree());
        let place = Arc::<Place>::default();
        leave(&server, &place, &[&options[0], &options[1]], "d/a.txt", libc::SIGKILL);
        server.tree().update(|tree| tree.write("d/a.txt", "theirs", DEFAULT_MTIME + 60));
        let mount = Mount::at(&place, User::Root, &server.url(""), &[&options[0], &options[1]]);
        assert_eq!(server.content("d/a.txt"), Some(b"theirs".to_vec()));
        let beside: Vec<_> = server.paths().into_iter().filter(|path| path.contains(".ftpfs-conflict-")).collect();
        assert_eq!(beside.len(), 1, "{:?}", server.paths());
        assert!(beside[0].starts_with("d/a.txt.ftpfs-conflict-"));
        assert_eq!(server.content(&beside[0]), Some(b"left over".to_vec()));
        assert!(mount.log().contains(&format!("/{}", beside[0])), "{}", mount.log());
        // It is an ordinary file, to be looked at and to be removed.
        assert_eq!(fs::read(mount.path().join(&beside[0])).expect("it is shown"), b"left over");
        fs::remove_file(mount.path().join(&beside[0])).expect("it can be removed");
        mount.unmount();
    });
}
