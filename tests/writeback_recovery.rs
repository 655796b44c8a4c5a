//! Write-back when something goes wrong: a mount that is killed at a certain step, files that others change meanwhile, a
//! server that dies, falls silent, refuses or is full, and a spool that is full.

mod support;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use support::lab::{Lab, Options, Software};
use support::mount::{Mount, Place, User};
use support::process::{PROGRAM_LIMIT, command, stdout_of, wait_until, with_deadline};
use support::server::{Cut, DEFAULT_MTIME, End, FakeServer, Fault, Personality, Stage, Tree};

/// Tells a hang; no test takes nearly as long.
const LIMIT: Duration = Duration::from_secs(240);
/// Names are known although the server says nothing.
const SILENT: &str = "writeback,timeout=1s,connect_timeout=1s,attr_timeout=1h,dir_timeout=1h,negative_timeout=1h";
const OPTIONS: [&str; 2] = ["-o", "writeback"];

fn limited(body: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    with_deadline(LIMIT, &name, body);
}

/// A server, and a place for one mount after the other.
struct Scene {
    server: FakeServer,
    place: Arc<Place>,
}

impl Scene {
    fn new(tree: Tree) -> Self {
        Self { server: FakeServer::start(Personality::mlsd(), tree), place: Arc::default() }
    }

    fn mount(&self) -> Mount {
        Mount::at(&self.place, User::Root, &self.server.url(""), &OPTIONS)
    }

    /// Kills the mount when the server has stalled, then heals the server.
    fn kill(&self, mount: Mount) {
        self.server.await_stalls(1);
        mount.kill();
        self.server.heal();
        assert!(self.server.wait_for_connections(0, LIMIT), "the connections have ended with it");
    }

    /// What is on the server after the next mount has come and gone.
    #[track_caller]
    fn recovered(&self) -> Vec<(String, String)> {
        self.server.clear_log();
        self.mount().unmount();
        self.files()
    }

    fn files(&self) -> Vec<(String, String)> {
        let text = |path: &String| self.server.content(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        self.server.paths().into_iter().filter_map(|path| Some((text(&path)?, path))).map(|(a, b)| (b, a)).collect()
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// Unmounts a foreground ftpfs that has to end well.
#[track_caller]
fn ends_well(mut mount: Mount) {
    stdout_of(command("fusermount3", ["-u"]).arg(mount.path()), PROGRAM_LIMIT);
    let status = mount.status();
    assert!(status.success(), "{status}\n{}\n{}", mount.output(), mount.log());
}

#[test]
fn what_others_have_changed_is_not_overwritten() {
    limited(|| {
        let scene = Scene::new(Tree::new().file("f", "base", DEFAULT_MTIME).file("g", "base", DEFAULT_MTIME));
        let mut expected = pairs(&[("f", "theirs 2"), ("g", "ours")]);
        for round in 1..=2 {
            let mount = scene.mount();
            scene.server.fault(Fault::stall(Stage::Reply("STOR")));
            for name in ["f", "g", "new"] {
                fs::write(mount.path().join(name), "ours").expect("close returns");
            }
            scene.kill(mount);
            let theirs = format!("theirs {round}");
            scene.server.tree().update(|tree| {
                tree.write("f", &theirs, DEFAULT_MTIME + 60 * round);
                tree.write("new", &theirs, DEFAULT_MTIME + 60 * round);
            });
            let found = scene.recovered();
            let beside: Vec<_> = found.iter().filter(|(name, _)| name.contains(".ftpfs-conflict-")).cloned().collect();
            // Numbers come again: those of the first round stay what they are.
            assert_eq!(beside.len() as i64, 2 * round, "{found:?}");
            assert!(beside.iter().all(|(_, content)| content == "ours"), "{found:?}");
            if round == 2 {
                expected.extend(beside);
                expected.push(("new".into(), theirs));
                expected.sort();
                assert_eq!(found, expected);
            }
        }
    });
}

#[test]
fn what_was_stored_right_before_the_end_is_no_conflict() {
    limited(|| {
        let scene = Scene::new(Tree::new().file("f", "base", DEFAULT_MTIME));
        for (name, base) in [("f", true), ("new", false)] {
            let mount = scene.mount();
            scene.server.fault(Fault::stall(Stage::Done("RNTO")));
            fs::write(mount.path().join(name), "ours").expect("close returns");
            scene.server.await_stalls(1);
            // And what was closed behind it is based on that.
            fs::write(mount.path().join(name), "ours again").expect("close returns");
            scene.kill(mount);
            assert_eq!(scene.server.content(name).as_deref(), Some(&b"ours"[..]));
            let found = scene.recovered();
            let want = if base { vec![("f", "ours again")] } else { vec![("f", "ours again"), ("new", "ours again")] };
            assert_eq!(found, pairs(&want));
            assert_eq!(scene.server.log().verb("STOR"), 1, "the first was there already");
        }
    });
}

#[test]
fn a_lost_answer_is_no_conflict() {
    limited(|| {
        let scene = Scene::new(Tree::new().file("f", "base", DEFAULT_MTIME));
        let mount = scene.mount();
        scene.server.fault(Fault::cut(Stage::Done("RNTO"), Cut::control(End::Rst)).times(1));
        fs::write(mount.path().join("f"), "ours").expect("close returns");
        mount.unmount();
        assert_eq!(scene.files(), pairs(&[("f", "ours")]));
        // Or only silence: it is asked again, and the temporary file is not there any more.
        let options = ["-o", "writeback,timeout=1s,connect_timeout=1s"];
        let mount = Mount::foreground_at(&scene.place, &scene.server.url(""), &options);
        scene.server.fault(Fault::stall(Stage::Done("RNTO")).times(1));
        fs::write(mount.path().join("f"), "ours again").expect("close returns");
        ends_well(mount);
        assert_eq!(scene.files(), pairs(&[("f", "ours again")]));
    });
}

/// Kills at each step of an upload.
#[test]
fn nothing_is_left_at_any_step() {
    let stages = [
        Stage::Reply("EPSV"),
        Stage::Reply("STOR"),
        Stage::Accept,
        Stage::AfterOpening,
        Stage::Data(3),
        Stage::Final,
        Stage::Answered("STOR"),
        Stage::Done("MFMT"),
        Stage::Reply("RNFR"),
        Stage::Done("RNFR"),
        Stage::Reply("RNTO"),
        Stage::Done("RNTO"),
    ];
    for stage in stages {
        limited(move || {
            let scene = Scene::new(Tree::new().file("f", "base", DEFAULT_MTIME));
            let mount = scene.mount();
            fs::read_dir(mount.path()).expect("lists").for_each(drop);
            scene.server.clear_log();
            scene.server.fault(Fault::stall(stage));
            fs::write(mount.path().join("f"), "changed").expect("close returns");
            fs::write(mount.path().join("temporary"), "renamed").expect("close returns");
            scene.kill(mount);
            assert_eq!(scene.recovered(), pairs(&[("f", "changed"), ("temporary", "renamed")]), "{stage:?}");
        });
    }
}

#[test]
fn names_removed_and_renamed_before_the_kill_stay_so() {
    limited(|| {
        let scene = Scene::new(Tree::new().file("old", "base", DEFAULT_MTIME));
        let mount = scene.mount();
        let top = mount.path();
        scene.server.fault(Fault::stall(Stage::Reply("STOR")));
        // As many as may be on their way at once, so that the rest waits.
        for n in 0..7 {
            fs::write(top.join(format!("plug{n}")), "plug").expect("close returns");
        }
        scene.server.await_stalls(7);
        for name in ["gone", "a", ".temporary", "loser"] {
            fs::write(top.join(name), name).expect("close returns");
        }
        fs::remove_file(top.join("gone")).expect("is removed");
        fs::rename(top.join("a"), top.join("loser")).expect("is renamed");
        fs::rename(top.join(".temporary"), top.join("old")).expect("is renamed");
        File::open(top.join("loser")).expect("opens").set_modified(std::time::UNIX_EPOCH).expect("is set");
        scene.kill(mount);
        let mut found = scene.recovered();
        found.retain(|(_, content)| content != "plug");
        assert_eq!(found, pairs(&[("loser", "a"), ("old", ".temporary")]));
        assert_eq!(scene.server.mtime_of("loser"), Some(0));
    });
}

#[test]
fn a_full_server_is_tried_again() {
    limited(|| {
        let scene = Scene::new(Tree::new());
        let url = scene.server.url("");
        let mut mount = Mount::foreground_at(&scene.place, &url, &["-o", "writeback,drain_timeout=1s"]);
        scene.server.fault(Fault::reply_at(Stage::Final, "452 Insufficient storage space.").verb("STOR"));
        fs::write(mount.path().join("f"), "content").expect("close returns");
        stdout_of(command("fusermount3", ["-u"]).arg(mount.path()), PROGRAM_LIMIT);
        assert!(!mount.status().success());
        assert!(mount.log().contains("not stored: /f"), "{}", mount.log());
        drop(mount);
        assert_eq!(scene.files(), []);
        scene.server.heal();
        assert_eq!(scene.recovered(), pairs(&[("f", "content")]));
    });
}

#[test]
fn what_the_server_refuses_for_good_is_kept_and_told() {
    limited(|| {
        let scene = Scene::new(Tree::new());
        let mut mount = Mount::foreground_at(&scene.place, &scene.server.url(""), &OPTIONS);
        scene.server.fault(Fault::reply("STOR", "550 Permission denied."));
        fs::write(mount.path().join("f"), "content").expect("close returns");
        fs::write(mount.path().join("g"), "other").expect("close returns");
        stdout_of(command("fusermount3", ["-u"]).arg(mount.path()), PROGRAM_LIMIT);
        assert!(!mount.status().success(), "{}", mount.log());
        let log = mount.log();
        let kept = log.lines().find_map(|line| line.split_once("/f could not be stored")).expect("is told").1;
        let kept = kept.rsplit(' ').next().expect("a path");
        assert_eq!(fs::read(kept).expect("is there"), b"content");
    });
}

#[test]
fn a_full_spool_refuses_and_loses_nothing() {
    limited(|| {
        let scene = Scene::new(Tree::new());
        let options = ["-o", "writeback,spool_size=16M,max_connections=2"];
        let mount = Mount::foreground_at(&scene.place, &scene.server.url(""), &options);
        scene.server.fault(Fault::stall(Stage::Reply("STOR")));
        fs::write(mount.path().join("first"), vec![1; 10 << 20]).expect("has room");
        let mut second = File::create(mount.path().join("second")).expect("creates");
        let full = second.write_all(&vec![2; 10 << 20]).expect_err("has no room");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        drop(second);
        fs::remove_file(mount.path().join("second")).expect("is removed");
        // It gives its room back.
        fs::write(mount.path().join("third"), vec![3; 5 << 20]).expect("has room");
        scene.server.heal();
        ends_well(mount);
        assert_eq!(scene.server.paths(), ["first", "third"]);
        assert!(scene.server.content("first").is_some_and(|bytes| bytes == vec![1; 10 << 20]));
        assert!(scene.server.content("third").is_some_and(|bytes| bytes == vec![3; 5 << 20]));
    });
}

fn content(n: usize) -> Vec<u8> {
    format!("content {n}\n").bytes().cycle().take(if n == 7 { 8 << 20 } else { 100_000 }).collect()
}

/// Asserts that the disk has all files and nothing of ours beside them.
#[track_caller]
fn holds(disk: &Path, count: usize) {
    for n in 0..count {
        let found = fs::read(disk.join(n.to_string())).unwrap_or_default();
        assert!(found == content(n), "{n}: {} bytes", found.len());
    }
    assert_eq!(fs::read_dir(disk).expect("lists").count(), count);
}

#[test]
fn a_server_that_is_killed_and_comes_back_gets_everything() {
    limited(|| {
        let mut lab = Lab::start(Software::Vsftpd, &Options::default());
        let mount = Mount::foreground(&lab.url(""), &["-o", "writeback,timeout=5s,connect_timeout=5s"]);
        for n in 0..30 {
            fs::write(mount.path().join(n.to_string()), content(n)).expect("close returns");
            if n % 10 == 7 {
                lab.stop();
                fs::write(mount.path().join((n + 1).to_string()), content(n + 1)).expect("close returns");
                lab.start_again();
            }
        }
        ends_well(mount);
        holds(&lab.dir(), 30);
    });
}

#[test]
fn a_server_that_falls_silent_for_a_while_gets_everything() {
    limited(|| {
        let lab = Lab::start(Software::Vsftpd, &Options::default());
        let mount = Mount::foreground(&lab.url(""), &["-o", SILENT]);
        let log = || mount.log();
        for n in 0..20 {
            if n == 8 {
                lab.freeze(true);
            }
            fs::write(mount.path().join(n.to_string()), content(n)).expect("close returns");
        }
        wait_until("an upload that has given up", LIMIT, || log().contains("not stored yet").then_some(()));
        lab.freeze(false);
        ends_well(mount);
        holds(&lab.dir(), 20);
    });
}

/// Without write-back, close(2) tells how it went.
#[test]
fn close_tells_whether_a_server_that_went_away_has_everything() {
    limited(|| {
        let mut lab = Lab::start(Software::Vsftpd, &Options::default());
        let old = content(1);
        fs::write(lab.dir().join("old"), &old).expect("the disk is ours");
        lab.hand_over(&lab.dir());
        let mount = Mount::foreground(&lab.url(""), &["-o", "timeout=2s,connect_timeout=2s"]);
        for (name, comes_back) in [("new", true), ("old", true), ("old", false)] {
            let mut file = File::create(mount.path().join(name)).expect("creates");
            file.write_all(&content(7)[..4 << 20]).expect("writes");
            lab.stop();
            file.write_all(&content(7)[4 << 20..]).expect("writes");
            if comes_back {
                lab.start_again();
            }
            let closed = file.sync_all();
            let found = fs::read(lab.dir().join(name)).unwrap_or_default();
            match closed {
                Ok(()) => assert!(found == content(7), "{name}: {} bytes", found.len()),
                Err(e) => {
                    let number = e.raw_os_error();
                    assert!(matches!(number, Some(libc::EIO | libc::EHOSTUNREACH | libc::ETIMEDOUT)), "{name}: {e}");
                    // A child that another test starts closes its copy of the descriptor: what was written by then is stored.
                    let known = found == old || content(7).starts_with(&found);
                    assert!(name == "new" || known, "{name}: {} bytes", found.len());
                }
            }
            drop(file);
            if !comes_back {
                lab.start_again();
            }
            fs::write(lab.dir().join("old"), &old).expect("the disk is ours");
        }
    });
}
