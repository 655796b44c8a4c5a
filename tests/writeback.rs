//! Write-back through real mounts: what close(2) promises, what is seen meanwhile, and what the server gets in which order.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use support::lab::{Lab, Options, Software};
use support::mount::{Mount, Place};
use support::process::{PROGRAM_LIMIT, command, run, signal, stdout_of, wait_until, with_deadline};
use support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Stage, Tree};

/// Tells a hang; no test takes nearly as long.
const LIMIT: Duration = Duration::from_secs(180);
/// One upload at a time, and every look goes to the server.
const ONE: &str = "writeback,max_connections=2,attr_timeout=0,dir_timeout=0,negative_timeout=0";

fn limited(body: impl FnOnce() + Send + 'static) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    with_deadline(LIMIT, &name, body);
}

fn mount(server: &FakeServer, options: &str) -> Mount {
    Mount::foreground(&server.url(""), &["-o", options])
}

/// A server with some files, of which the next upload stalls before it begins: it keeps all later ones waiting where only
/// one goes at a time.
fn plugged(options: &str) -> (FakeServer, Mount) {
    let tree = Tree::new().dir("d").file("old", "old content", DEFAULT_MTIME).file("other", "other", DEFAULT_MTIME);
    let server = FakeServer::start(Personality::mlsd(), tree);
    let mount = mount(&server, options);
    server.fault(Fault::stall(Stage::Reply("STOR")).times(1));
    fs::write(mount.path().join("plug"), "plug").expect("close returns");
    server.await_stalls(1);
    (server, mount)
}

fn text(server: &FakeServer, path: &str) -> Option<String> {
    server.content(path).map(|bytes| String::from_utf8(bytes).expect("text"))
}

/// Unmounts, and asserts that the process has ended well and left nothing of its own on the server.
#[track_caller]
fn ends_well(mut mount: Mount, server: &FakeServer) {
    stdout_of(command("fusermount3", ["-u"]).arg(mount.path()), PROGRAM_LIMIT);
    let status = mount.status();
    assert!(status.success(), "{status}\n{}\n{}", mount.output(), mount.log());
    let ours: Vec<_> = server.paths().into_iter().filter(|path| path.contains(".ftpfs-")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    published(server);
}

/// Asserts that nothing was ever written under its final name.
#[track_caller]
fn published(server: &FakeServer) {
    let log = server.log();
    for line in log.commands() {
        let bare = line.starts_with("STOR ") && !line.contains(".ftpfs-part-");
        assert!(!bare && !line.starts_with("APPE "), "{line}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("lists");
    let mut names: Vec<_> = entries.map(|e| e.expect("an entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn close_does_not_wait_and_everything_is_seen_at_once() {
    limited(|| {
        let (server, mount) = plugged(ONE);
        let top = mount.path();
        fs::write(top.join("new"), "new content").expect("close returns");
        fs::write(top.join("old"), "newer content").expect("close returns");
        fs::write(top.join("d/empty"), "").expect("close returns");
        assert_eq!(fs::read_to_string(top.join("new")).expect("reads"), "new content");
        assert_eq!(fs::read_to_string(top.join("old")).expect("reads"), "newer content");
        assert_eq!(names(&top), ["d", "new", "old", "other", "plug"]);
        assert_eq!(names(&top.join("d")), ["empty"]);
        assert_eq!(fs::metadata(top.join("new")).expect("is there").len(), 11);
        assert_eq!(fs::metadata(top.join("old")).expect("is there").len(), 13);
        // What only we know of is in the directory all the same.
        let refused = fs::remove_dir(top.join("d")).expect_err("it is not empty");
        assert_eq!(refused.raw_os_error(), Some(libc::ENOTEMPTY));
        assert_eq!((text(&server, "new"), text(&server, "old").as_deref()), (None, Some("old content")));
        server.heal();
        ends_well(mount, &server);
        assert_eq!(text(&server, "new").as_deref(), Some("new content"));
        assert_eq!(text(&server, "old").as_deref(), Some("newer content"));
        assert_eq!(text(&server, "d/empty").as_deref(), Some(""));
        assert_eq!(text(&server, "plug").as_deref(), Some("plug"));
    });
}

#[test]
fn fsync_means_stored_and_what_follows_can_be_closed() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new());
        let mount = mount(&server, ONE);
        let mut file = File::create(mount.path().join("f")).expect("creates");
        for n in 0..3 {
            writeln!(file, "line {n}").expect("writes");
            file.sync_all().expect("is stored");
            let lines = text(&server, "f").expect("is there").lines().count();
            assert_eq!(lines, n + 1);
        }
        // The spool that was stored has lost its name: this one has to get another.
        writeln!(file, "the last").expect("writes");
        drop(file);
        let file = OpenOptions::new().append(true).open(mount.path().join("f")).expect("opens");
        (&file).write_all(b"and one more\n").expect("writes");
        drop(file);
        ends_well(mount, &server);
        assert_eq!(text(&server, "f").as_deref(), Some("line 0\nline 1\nline 2\nthe last\nand one more\n"));
    });
}

#[test]
fn sync_waits_for_everything_below() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new().dir("d"));
        let mount = mount(&server, "writeback");
        for n in 0..50 {
            fs::write(mount.path().join(format!("d/{n}")), format!("file {n}")).expect("close returns");
        }
        let sync = run(command(env!("CARGO_BIN_EXE_ftpfs"), ["sync"]).arg(mount.path().join("d")), PROGRAM_LIMIT);
        assert!(sync.status.success(), "{sync:?}");
        for n in 0..50 {
            assert_eq!(text(&server, &format!("d/{n}")), Some(format!("file {n}")));
        }
        ends_well(mount, &server);
    });
}

#[test]
fn what_is_removed_before_it_was_sent_never_reaches_the_server() {
    limited(|| {
        let (server, mount) = plugged(ONE);
        let top = mount.path();
        fs::write(top.join("gone"), "never").expect("close returns");
        fs::remove_file(top.join("gone")).expect("is removed");
        fs::write(top.join("old"), "never").expect("close returns");
        fs::remove_file(top.join("old")).expect("is removed");
        fs::write(top.join("again"), "first").expect("close returns");
        fs::remove_file(top.join("again")).expect("is removed");
        fs::write(top.join("again"), "second").expect("close returns");
        assert_eq!(names(&top), ["again", "d", "other", "plug"]);
        server.heal();
        ends_well(mount, &server);
        assert_eq!(server.paths(), ["again", "d", "other", "plug"]);
        assert_eq!(text(&server, "again").as_deref(), Some("second"));
        assert_eq!((server.count_of("DELE", "gone"), server.count_of("DELE", "old")), (0, 1));
    });
}

#[test]
fn what_is_renamed_before_it_was_sent_goes_to_its_new_name() {
    limited(|| {
        let (server, mount) = plugged(ONE);
        let top = mount.path();
        let queue = |name: &str, content: &str| fs::write(top.join(name), content).expect("close returns");
        let rename = |from: &str, to: &str| fs::rename(top.join(from), top.join(to)).expect("is renamed");
        // As rsync does.
        queue(".new.Xy12", "replaced");
        rename(".new.Xy12", "old");
        // Onto another one that waits.
        queue("a", "loser");
        queue("b", "winner");
        rename("b", "a");
        // To where the server has nothing, in another directory.
        queue("c", "moved");
        rename("c", "d/moved");
        assert_eq!(names(&top), ["a", "d", "old", "other", "plug"]);
        assert_eq!(fs::read_to_string(top.join("old")).expect("reads"), "replaced");
        server.heal();
        // What it has taken the place of must not come back under the old name.
        queue("temporary", "new other");
        rename("temporary", "other");
        rename("other", "moved on");
        assert!(!server.exists("other") && !top.join("other").exists());
        ends_well(mount, &server);
        assert_eq!(server.paths(), ["a", "d", "d/moved", "moved on", "old", "plug"]);
        let stored = ["a", "d/moved", "moved on", "old"].map(|path| text(&server, path).expect("is there"));
        assert_eq!(stored, ["winner", "moved", "new other", "replaced"]);
        assert_eq!(server.log().verb("RNTO"), 6, "each content got its name once, and one got another");
    });
}

#[test]
fn a_directory_with_files_that_wait_is_renamed_with_them() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new().dir("d/e"));
        let mount = mount(&server, "writeback,attr_timeout=0,dir_timeout=0");
        let top = mount.path();
        for n in 0..20 {
            fs::write(top.join(format!("d/e/{n}")), format!("file {n}")).expect("close returns");
        }
        fs::rename(top.join("d"), top.join("x")).expect("is renamed");
        fs::write(top.join("x/e/3"), "changed").expect("close returns");
        ends_well(mount, &server);
        for n in 0..20 {
            let want = if n == 3 { "changed".into() } else { format!("file {n}") };
            assert_eq!(text(&server, &format!("x/e/{n}")), Some(want));
        }
        assert!(!server.exists("d"));
    });
}

#[test]
fn what_is_written_again_is_stored_as_it_is_at_last() {
    limited(|| {
        let (server, mount) = plugged(ONE);
        let top = mount.path();
        for n in 0..5 {
            fs::write(top.join("twice"), format!("content {n}")).expect("close returns");
        }
        fs::write(top.join("log"), "one\n").expect("close returns");
        let mut log = OpenOptions::new().append(true).open(top.join("log")).expect("opens");
        log.write_all(b"two\n").expect("writes");
        drop(log);
        fs::write(top.join("short"), "0123456789").expect("close returns");
        let short = OpenOptions::new().write(true).open(top.join("short")).expect("opens");
        short.set_len(4).expect("cuts");
        short.write_at(b"X", 1).expect("writes");
        drop(short);
        server.heal();
        ends_well(mount, &server);
        let stored = ["twice", "log", "short"].map(|path| text(&server, path).expect("is there"));
        assert_eq!(stored, ["content 4", "one\ntwo\n", "0X23"]);
        assert_eq!(server.log().verb("RNTO"), 4, "what nobody has seen yet is replaced where it waits");
    });
}

/// Whoever has it open sees what he writes, whatever has been sealed of it, and whatever is not here yet.
#[test]
fn parts_of_a_file_are_written_and_read_while_others_wait() {
    limited(|| {
        let (server, mount) = plugged("writeback");
        let top = mount.path();
        let mut both = OpenOptions::new().read(true).write(true).open(top.join("old")).expect("opens");
        both.write_all(b"OLD").expect("writes");
        let twin = both.try_clone().expect("a second descriptor");
        drop(twin);
        both.seek(SeekFrom::Start(0)).expect("seeks");
        let mut seen = String::new();
        both.read_to_string(&mut seen).expect("reads");
        assert_eq!(seen, "OLD content");
        both.write_all(b" and more").expect("writes");
        drop(both);
        assert_eq!(fs::read_to_string(top.join("old")).expect("reads"), "OLD content and more");
        server.heal();
        ends_well(mount, &server);
        assert_eq!(text(&server, "old").as_deref(), Some("OLD content and more"));
    });
}

/// The newer content must not be overtaken by the older one, nor be taken for a stranger's.
#[test]
fn what_is_written_again_while_it_is_sent_comes_second() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new().file("f", "zero", DEFAULT_MTIME));
        let mount = mount(&server, "writeback");
        let path = mount.path().join("f");
        server.fault(Fault::stall(Stage::Final).verb("STOR").times(1));
        fs::write(&path, "first").expect("close returns");
        server.await_stalls(1);
        fs::write(&path, "the second").expect("close returns");
        fs::write(&path, "the third one").expect("close returns");
        assert_eq!(server.log().verb("STOR"), 1, "one of each path at a time");
        server.heal();
        ends_well(mount, &server);
        assert_eq!(text(&server, "f").as_deref(), Some("the third one"));
        assert_eq!(server.paths(), ["f"]);
        assert_eq!(server.log().verb("RNTO"), 2);
    });
}

#[test]
fn what_is_being_sent_can_be_removed_and_renamed() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new());
        let mount = mount(&server, "writeback");
        let top = mount.path();
        // Hours, if somebody waited for all of it.
        server.fault(Fault::slow_data(1024, Duration::from_millis(5)).verb("STOR").times(1));
        fs::write(top.join("removed"), vec![7; 64 << 20]).expect("close returns");
        server.await_bytes_below("", 1);
        // Behind what is on its way, which has to stop as well.
        fs::write(top.join("removed"), "again").expect("close returns");
        fs::remove_file(top.join("removed")).expect("is removed");
        assert!(names(&top).is_empty());
        fs::write(top.join("moved"), vec![7; 3 << 20]).expect("close returns");
        fs::rename(top.join("moved"), top.join("there")).expect("is renamed");
        ends_well(mount, &server);
        assert_eq!((server.paths(), server.len_of("there")), (vec!["there".to_owned()], Some(3 << 20)));
    });
}

#[test]
fn times_and_modes_set_after_close_arrive() {
    limited(|| {
        let (server, mount) = plugged(ONE);
        let top = mount.path();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let set = |name: &str| {
            let path = top.join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("is set");
            File::open(&path).expect("opens").set_modified(time).expect("is set");
            let meta = fs::metadata(&path).expect("is there");
            assert_eq!((meta.permissions().mode() & 0o7777, meta.modified().expect("known")), (0o600, time), "{name}");
        };
        fs::write(top.join("waits"), "waits").expect("close returns");
        set("waits");
        // While it is on its way.
        set("plug");
        // A mode outlives what is written later.
        fs::write(top.join("old"), "second").expect("close returns");
        fs::set_permissions(top.join("old"), fs::Permissions::from_mode(0o640)).expect("is set");
        fs::write(top.join("old"), "third").expect("close returns");
        server.heal();
        ends_well(mount, &server);
        for name in ["waits", "plug"] {
            assert_eq!((server.mtime_of(name), server.mode_of(name)), (Some(1_000_000_000), Some(0o600)), "{name}");
        }
        assert_eq!((text(&server, "old").as_deref(), server.mode_of("old")), (Some("third"), Some(0o640)));
    });
}

#[test]
fn many_are_sent_side_by_side() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new());
        let mount = mount(&server, "writeback,max_connections=5");
        server.fault(Fault::stall(Stage::Reply("STOR")));
        for n in 0..8 {
            fs::write(mount.path().join(n.to_string()), "content").expect("close returns");
        }
        // One connection is left to questions.
        server.await_stalls(4);
        fs::metadata(mount.path().join("unknown")).expect_err("the server is asked, and says no");
        server.heal();
        ends_well(mount, &server);
        assert_eq!(server.paths().len(), 8);
    });
}

#[test]
fn a_signal_drains_in_time_and_says_what_is_left() {
    limited(|| {
        let (server, place) = (FakeServer::start(Personality::mlsd(), Tree::new()), Arc::<Place>::default());
        let options = ["-o", "writeback,drain_timeout=1s"];
        let mut mount = Mount::foreground_at(&place, &server.url(""), &options);
        server.fault(Fault::stall(Stage::Reply("STOR")));
        for name in ["a", "b"] {
            fs::write(mount.path().join(name), name).expect("close returns");
        }
        server.await_stalls(2);
        signal(mount.pid(), libc::SIGTERM);
        let status = mount.status();
        let (said, log) = (mount.output(), mount.log());
        assert!(!status.success(), "{said}\n{log}");
        let all = said + &log;
        assert!(all.contains("2 files are not on the server yet; the next mount of this URL stores them"), "{all}");
        assert!(log.contains("not stored: /a") && log.contains("not stored: /b"), "{log}");
        drop(mount);
        server.heal();
        assert!(server.paths().iter().all(|path| path.contains(".ftpfs-part-")), "{:?}", server.paths());
        // The next one stores them before it says that it is ready.
        let next = Mount::foreground_at(&place, &server.url(""), &options);
        assert_eq!((text(&server, "a").as_deref(), text(&server, "b").as_deref()), (Some("a"), Some("b")));
        assert_eq!(names(&next.path()), ["a", "b"]);
        ends_well(next, &server);
    });
}

#[test]
fn programs_get_by_on_a_real_server() {
    limited(|| {
        let lab = Lab::start(Software::Vsftpd, &Options::default());
        let mut mount = Mount::foreground(&lab.url(""), &["-o", "writeback"]);
        let source = tempfile::tempdir().expect("a folder");
        for n in 0..40 {
            let path = source.path().join(format!("d{}/f{n}", n % 4));
            fs::create_dir_all(path.parent().expect("has one")).expect("is made");
            fs::write(&path, vec![n as u8; n * 7919]).expect("is written");
        }
        let from = format!("{}/", source.path().display());
        for round in ["first", "second"] {
            let mut rsync = command("rsync", ["-a", "--out-format=%n", from.as_str()]);
            let sent = stdout_of(rsync.arg(mount.path()), PROGRAM_LIMIT);
            let sent = String::from_utf8(sent).expect("text");
            let files = sent.lines().filter(|line| !line.ends_with('/')).count();
            assert_eq!(files, if round == "first" { 40 } else { 0 }, "{round}: {sent}");
        }
        stdout_of(command("fusermount3", ["-u"]).arg(mount.path()), PROGRAM_LIMIT);
        let status = mount.status();
        assert!(status.success(), "{status}\n{}", mount.log());
        let mut compare = command("rsync", ["-a", "--dry-run", "--checksum", "--delete", "--out-format=%n"]);
        let different = stdout_of(compare.arg(&from).arg(lab.dir()), PROGRAM_LIMIT);
        let different = String::from_utf8(different).expect("text");
        assert!(different.lines().all(|line| line.ends_with('/')), "{different}");
    });
}

#[test]
fn a_second_mount_of_the_same_url_is_refused() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new());
        let spool = tempfile::tempdir().expect("a folder");
        let options = format!("writeback,spool={}", spool.path().display());
        let first = mount(&server, &options);
        let refused = Mount::refused(&server.url(""), &["-o", &options]);
        let said = String::from_utf8(refused.stderr).expect("text");
        assert!(said.lines().count() == 1 && said.contains("another mount uses"), "{said}");
        ends_well(first, &server);
        // A journal that a newer version has written is left alone.
        let journal = wait_until("the journal", LIMIT, || {
            let queue = fs::read_dir(spool.path().join("queue")).ok()?.next()?.ok()?;
            Some(queue.path().join("journal"))
        });
        let line = "ftpfs-journal 2";
        let sum = ring::digest::digest(&ring::digest::SHA256, line.as_bytes());
        let sum: String = sum.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(&journal, format!("{sum} {line}\n")).expect("is written");
        let refused = Mount::refused(&server.url(""), &["-o", &options]);
        let said = String::from_utf8(refused.stderr).expect("text");
        assert!(said.lines().count() == 1 && said.contains("a newer ftpfs has written it"), "{said}");
        assert_eq!(fs::read_to_string(&journal).expect("is there"), format!("{sum} {line}\n"));
    });
}

/// It was shown as empty, as it had been made, and taken for a stranger's when it was replaced.
#[test]
fn what_is_stored_by_a_rename_keeps_its_size() {
    limited(|| {
        let server = FakeServer::start(Personality::mlsd(), Tree::new().dir("d"));
        let options = "writeback,attr_timeout=1h,dir_timeout=1h,negative_timeout=1h";
        let mount = mount(&server, options);
        let top = mount.path();
        assert!(names(&top.join("d")).is_empty());
        server.fault(Fault::stall(Stage::Final).verb("STOR").times(1));
        fs::write(top.join("d/a"), "content").expect("close returns");
        server.await_stalls(1);
        let (from, to) = (top.join("d/a"), top.join("d/b"));
        let renaming = thread::spawn(move || fs::rename(from, to));
        server.release();
        renaming.join().expect("no panic").expect("is renamed");
        let shown = stdout_of(command("find", [top.join("d")]).args(["-name", "b", "-printf", "%s"]), PROGRAM_LIMIT);
        assert_eq!(String::from_utf8(shown).expect("text"), "7");
        ends_well(mount, &server);
        assert_eq!(text(&server, "d/b").as_deref(), Some("content"));
    });
}
