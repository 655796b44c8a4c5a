//! Names and attributes of the filesystem on a server in memory: what programs are told, what the server gets, and what a
//! look at it afterwards costs.

mod support;

use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use ftpfs::base::{Clock, Deadline, SystemClock};
use ftpfs::config::{Files, Perms, Write};
use ftpfs::remote::{ErrorKind, Kind, RemotePath};
use ftpfs::vfs::{Attr, Entered, Fault as Told, Fh, How, Ino, Result, Wanted, When};
use support::client::AMPLE;
use support::files::{Fs, answer, fault, files};
use support::memory_remote::{Can, MemoryRemote, START};

const NO_REPLACE: u32 = 1;

/// A filesystem on a server in memory.
struct Names {
    fs: Fs,
}

impl Names {
    fn new(server: &MemoryRemote) -> Self {
        Self::with(server, &files(), plain)
    }

    fn with(server: &MemoryRemote, files: &Files, adjust: impl FnOnce(&mut Write)) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let fs = Fs::over(Arc::new(server.clone()), RemotePath::root(), files, adjust, AMPLE, clock);
        Self { fs }
    }

    fn parent(&self, path: &str) -> (Ino, Vec<u8>) {
        match path.rsplit_once('/') {
            Some((dir, name)) => (self.fs.ino(dir), name.as_bytes().to_vec()),
            None => (Ino::ROOT, path.as_bytes().to_vec()),
        }
    }

    fn mkdir(&self, path: &str) -> Result<Attr> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.mkdir(dir, &name, 0o750, tell)).map(found)
    }

    fn unlink(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.unlink(dir, &name, tell))
    }

    fn rmdir(&self, path: &str) -> Result<()> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.rmdir(dir, &name, tell))
    }

    fn rename(&self, from: &str, to: &str, flags: u32) -> Result<()> {
        let ((dir, name), (new_dir, new_name)) = (self.parent(from), self.parent(to));
        // As the kernel does before it asks.
        self.fs.look(from).expect("the server answers");
        self.fs.look(to).expect("the server answers");
        answer(|tell| self.fs.vfs.rename((dir, &name), (new_dir, &new_name), flags, tell))
    }

    fn symlink(&self, path: &str, target: &str) -> Result<Attr> {
        let (dir, name) = self.parent(path);
        answer(|tell| self.fs.vfs.symlink(dir, &name, target.as_bytes(), tell)).map(found)
    }

    fn readlink(&self, path: &str) -> Result<String> {
        let ino = self.fs.ino(path);
        answer(|tell| self.fs.vfs.readlink(ino, tell)).map(|target| String::from_utf8(target).expect("ascii"))
    }

    fn set(&self, path: &str, wanted: Wanted) -> Result<Attr> {
        let ino = self.fs.ino(path);
        answer(|tell| self.fs.vfs.set_attributes(ino, wanted, tell)).map(|(attr, _)| attr)
    }

    fn open(&self, path: &str) -> Fh {
        self.fs.open(path).expect("it opens")
    }

    /// Makes a file, or opens one for writing.
    fn create(&self, path: &str) -> Fh {
        let (dir, name) = self.parent(path);
        let how = How { write: true, ..How::READ };
        let made = answer(|tell| self.fs.vfs.create(dir, &name, 0o644, how, false, tell));
        made.expect("it is made").opened.fh
    }

    fn write(&self, fh: Fh, at: u64, data: &[u8]) {
        let done = answer(|tell| self.fs.vfs.write(fh, at, data, false, Box::new(tell)));
        assert_eq!(done.expect("it is taken") as usize, data.len());
    }

    fn close(&self, fh: Fh) {
        answer(|tell| self.fs.vfs.flush(fh, tell)).expect("it is stored");
        self.fs.vfs.release(fh);
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        answer(|tell| self.fs.vfs.getattr(ino, tell)).map(|(attr, _)| attr)
    }

    fn names(&self, path: &str) -> Vec<String> {
        let dir = if path.is_empty() { Ino::ROOT } else { self.fs.ino(path) };
        let mut names = self.fs.names(dir).expect("a listing");
        names.sort();
        names
    }

    /// The end of the mount.
    fn end(&self) {
        let left = self.fs.vfs.finish(Deadline::after(AMPLE));
        assert!(left.later.is_empty() && left.kept.is_empty(), "{left:?}");
        self.fs.vfs.shut_down();
    }

    fn exists(&self, path: &str) -> bool {
        self.fs.look(path).expect("the server answers").is_some()
    }
}

fn found(entered: Entered) -> Attr {
    match entered {
        Entered::Found { attr, .. } => attr,
        Entered::Absent(_) => panic!("it has just been made"),
    }
}

fn at(secs: i64) -> Wanted {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs.unsigned_abs()) + Duration::from_millis(999);
    Wanted { mtime: Some(When::At(time)), ..Wanted::default() }
}

fn mode(mode: u16) -> Wanted {
    Wanted { mode: Some(mode), ..Wanted::default() }
}

fn mtime(attr: &Attr) -> u64 {
    attr.mtime.duration_since(SystemTime::UNIX_EPOCH).expect("after the epoch").as_secs()
}

fn plain(_: &mut Write) {}

fn strict(write: &mut Write) {
    write.perms = Perms::Strict;
}

fn stand_ins(write: &mut Write) {
    write.mfsymlinks = true;
}

fn denied<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    assert_eq!(fault(result), Told::Remote(kind));
}

#[test]
fn a_directory_of_our_own_is_known_without_asking() {
    let server = MemoryRemote::default();
    let fs = Names::new(&server);
    fs.names("");
    server.clear_log();
    let made = fs.mkdir("d").expect("it is made");
    assert_eq!((made.kind.clone(), made.mode, made.nlink), (Kind::Dir, 0o750, 1));
    assert_eq!(fs.mkdir("d/e").expect("it is made").kind, Kind::Dir);
    assert_eq!((fs.names(""), fs.names("d"), fs.names("d/e").len()), (vec!["d".into()], vec!["e".into()], 0));
    assert!(fs.exists("d/e") && !fs.exists("d/f") && fs.fs.ino("d") == made.ino);
    // The mode is set a moment later, with whatever else is due.
    assert_eq!(server.log(), ["MKD /d", "MKD /d/e"]);
    denied(fs.mkdir("d"), ErrorKind::Exists);
}

#[test]
fn what_somebody_else_has_made_meanwhile_is_seen_after_a_refusal() {
    let server = MemoryRemote::default();
    let fs = Names::new(&server);
    assert!(!fs.exists("d"));
    let server = server.dir("d");
    denied(fs.mkdir("d"), ErrorKind::Exists);
    assert!(fs.exists("d"));
    server.take_away("d");
    denied(fs.rmdir("d"), ErrorKind::NotFound);
    assert!(!fs.exists("d"));
}

#[test]
fn names_that_cannot_be_sent_are_refused_in_the_words_of_each_call() {
    let server = MemoryRemote::default().file("f", b"1");
    let fs = Names::new(&server);
    for bad in ["a\nb", "a\rb", "a\0b"] {
        denied(fs.mkdir(bad), ErrorKind::NameInvalid);
        denied(fs.symlink(bad, "f"), ErrorKind::NameInvalid);
        denied(fs.unlink(bad), ErrorKind::NotFound);
        denied(fs.rmdir(bad), ErrorKind::NotFound);
        let bytes = bad.as_bytes().to_vec();
        let to = answer(|tell| fs.fs.vfs.rename((Ino::ROOT, b"f"), (Ino::ROOT, &bytes), 0, tell));
        denied(to, ErrorKind::NameInvalid);
        let from = answer(|tell| fs.fs.vfs.rename((Ino::ROOT, &bytes), (Ino::ROOT, b"g"), 0, tell));
        denied(from, ErrorKind::NotFound);
    }
    assert_eq!(server.paths(), ["f"]);
    let ino = fs.fs.ino("f");
    assert_eq!(fault(answer(|tell| fs.fs.vfs.link(ino, Ino::ROOT, b"g", tell))), Told::NoLinks);
}

#[test]
fn what_is_removed_is_gone_at_once_and_for_one_call() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"1").file("d/b", b"2");
    let fs = Names::new(&server);
    assert_eq!(fs.names("d"), ["a", "b"]);
    let a = fs.fs.ino("d/a");
    server.clear_log();
    fs.unlink("d/a").expect("it is removed");
    assert!(!fs.exists("d/a"));
    assert_eq!(fs.names("d"), ["b"]);
    assert_eq!(server.log(), ["DELE /d/a"]);
    assert_eq!(fs.attr(a).expect("the kernel has not forgotten it").nlink, 0);
    denied(fs.rmdir("d"), ErrorKind::NotEmpty);
    fs.unlink("d/b").expect("it is removed");
    fs.rmdir("d").expect("it is empty");
    assert!(!fs.exists("d") && server.paths().is_empty());
}

#[test]
fn a_listing_on_its_way_does_not_bring_back_what_was_removed() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"1").file("d/b", b"2");
    let brief = Files { dir_ttl: Duration::ZERO, ..files() };
    let fs = Names::with(&server, &brief, plain);
    let dir = fs.fs.ino("d");
    fs.fs.ino("d/a");
    server.hold("MLSD");
    let (tell, hear) = mpsc::channel();
    fs.fs.vfs.opendir(dir, move |opened| drop(tell.send(opened)));
    server.wait_held(1);
    fs.unlink("d/a").expect("it is removed");
    fs.mkdir("d/c").expect("it is made");
    server.release();
    let fh = hear.recv_timeout(AMPLE).expect("answered").expect("a listing");
    let mut names = Vec::new();
    let listed = fs.fs.vfs.readdir(fh, 2, false, &mut |item| {
        names.push(String::from_utf8_lossy(item.name).into_owned());
        true
    });
    listed.expect("it is open");
    assert_eq!(names, ["b", "c"]);
    assert!(!fs.exists("d/a"));
}

#[test]
fn a_walk_that_removes_meets_every_name_once() {
    let mut server = MemoryRemote::default().dir("d");
    for i in 0..100 {
        server = server.file(&format!("d/f{i:03}"), b"1");
    }
    let fs = Names::new(&server);
    let dir = fs.fs.ino("d");
    let fh = answer(|tell| fs.fs.vfs.opendir(dir, tell)).expect("a listing");
    let (mut met, mut offset) = (Vec::new(), 2);
    loop {
        let mut part = Vec::new();
        let step = fs.fs.vfs.readdir(fh, offset, false, &mut |item| {
            let room = part.len() < 7;
            if room {
                offset = item.next;
                part.push(String::from_utf8_lossy(item.name).into_owned());
            }
            room
        });
        step.expect("it is open");
        if part.is_empty() {
            break;
        }
        part.iter().for_each(|name| fs.unlink(&format!("d/{name}")).expect("it is removed"));
        met.extend(part);
    }
    let expected: Vec<_> = (0..100).map(|i| format!("f{i:03}")).collect();
    assert_eq!(met, expected);
    fs.rmdir("d").expect("it is empty");
}

#[test]
fn a_file_that_is_read_lives_until_it_is_closed() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"content");
    let fs = Names::new(&server);
    let (fh, ino) = (fs.open("d/a"), fs.fs.ino("d/a"));
    fs.unlink("d/a").expect("it is removed");
    assert!(!fs.exists("d/a") && fs.names("d").is_empty());
    assert_eq!(fs.fs.read(fh, 0, 100).expect("it is still there"), b"content");
    let attr = fs.attr(ino).expect("it is known");
    assert_eq!((attr.nlink, attr.size), (0, 7));
    let hidden = server.paths().pop().expect("it is hidden");
    assert!(hidden.starts_with("d/.ftpfs-gone-") && hidden.len() == "d/.ftpfs-gone-".len() + 16, "{hidden}");
    fs.fs.vfs.release(fh);
    server.wait_for("DELE", 1);
    fs.rmdir("d").expect("nothing of ours is left in it");
    assert_eq!(server.count("DELE"), 1);
}

#[test]
fn a_file_that_cannot_be_put_aside_is_removed_all_the_same() {
    let server = MemoryRemote::default().file("a", b"content");
    let fs = Names::new(&server);
    let fh = fs.open("a");
    server.fail("RNTO", None, ErrorKind::Denied, 1);
    fs.unlink("a").expect("it is removed");
    assert!(server.paths().is_empty() && fs.names("").is_empty());
    denied(fs.fs.read(fh, 0, 100), ErrorKind::Changed);
}

#[test]
fn a_directory_in_which_only_hidden_files_are_left_can_be_removed() {
    let server = MemoryRemote::default().dir("d").dir("d/e").file("d/e/a", b"content").file("d/e/b", b"other");
    let fs = Names::new(&server);
    let fh = fs.open("d/e/a");
    fs.unlink("d/e/a").expect("it is removed");
    denied(fs.rmdir("d/e"), ErrorKind::NotEmpty);
    fs.unlink("d/e/b").expect("it is removed");
    fs.rmdir("d/e").expect("it is empty for all that can be seen");
    assert!(fs.names("d").is_empty());
    fs.rename("d", "x", 0).expect("its name changes");
    fs.rmdir("x").expect("and this one as well");
    assert_eq!(fs.fs.read(fh, 0, 100).expect("it is still there"), b"content");
    fs.fs.vfs.release(fh);
    // Also right before the end of the mount.
    fs.end();
    assert!(server.paths().is_empty(), "{:?}", server.paths());
}

#[test]
fn what_is_hidden_goes_when_the_mount_ends() {
    let server = MemoryRemote::default().file("a", b"content");
    let fs = Names::new(&server);
    fs.open("a");
    fs.unlink("a").expect("it is removed");
    assert_eq!(server.paths().len(), 1);
    fs.end();
    assert!(server.paths().is_empty());
}

#[test]
fn a_rename_costs_one_call_and_shows_at_once() {
    let server = MemoryRemote::default().dir("d").dir("e").file("d/a", b"content").file("e/b", b"old");
    let fs = Names::new(&server);
    let a = fs.fs.ino("d/a");
    let old = fs.fs.ino("e/b");
    server.clear_log();
    fs.rename("d/a", "e/b", 0).expect("it is renamed");
    assert_eq!((fs.fs.ino("e/b"), fs.exists("d/a")), (a, false));
    assert_eq!((fs.names("d").len(), fs.names("e")), (0, vec!["b".to_owned()]));
    assert_eq!(fs.attr(a).expect("known").size, 7);
    assert_eq!(fs.attr(old).expect("known").nlink, 0);
    assert_eq!(server.log(), ["RNTO /d/a /e/b"]);
    assert_eq!(fs.fs.read_all("e/b").expect("readable"), b"content");
    fs.rename("e/b", "e/b", 0).expect("nothing is to be done");
    assert_eq!(server.count("RNTO"), 1);
}

#[test]
fn a_renamed_directory_keeps_what_is_known_of_it() {
    let server = MemoryRemote::default().dir("d").dir("d/sub").file("d/sub/a", b"content").dir("e");
    let fs = Names::new(&server);
    let a = fs.fs.ino("d/sub/a");
    fs.rename("d", "e/x", 0).expect("it is renamed");
    server.clear_log();
    assert_eq!((fs.fs.ino("e/x/sub/a"), fs.names("e/x")), (a, vec!["sub".to_owned()]));
    assert!(server.log().iter().all(|call| call.starts_with("MLSD /e/x")), "{:?}", server.log());
    assert_eq!(fs.fs.read_all("e/x/sub/a").expect("readable"), b"content");
    denied(fs.rename("e", "e/x/y", 0), ErrorKind::Invalid);
}

#[test]
fn what_is_replaced_while_it_is_read_stays_readable() {
    let server = MemoryRemote::default().file("new", b"new content").file("b", b"old");
    let fs = Names::new(&server);
    let fh = fs.open("b");
    fs.rename("new", "b", 0).expect("it is renamed");
    assert_eq!(fs.fs.read(fh, 0, 100).expect("it is still there"), b"old");
    assert_eq!(fs.fs.read_all("b").expect("readable"), b"new content");
    assert_eq!(fs.names(""), ["b"]);
    fs.fs.vfs.release(fh);
    server.wait_for("DELE", 1);
    fs.end();
    assert_eq!(server.paths(), ["b"]);
}

#[test]
fn a_rename_that_fails_leaves_everything_as_it_was() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"old");
    let fs = Names::new(&server);
    let (fh, b) = (fs.open("b"), fs.fs.ino("b"));
    fs.set("a", mode(0o600)).expect("it is accepted");
    server.fail("RNTO", Some("a"), ErrorKind::Denied, 1);
    denied(fs.rename("a", "b", 0), ErrorKind::Denied);
    assert_eq!((server.paths(), fs.names("")), (vec!["a".into(), "b".into()], vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((fs.fs.ino("b"), fs.attr(b).expect("known").nlink), (b, 1));
    assert_eq!(fs.fs.read(fh, 0, 100).expect("readable"), b"old");
    assert_eq!(fs.attr(fs.fs.ino("a")).expect("known").mode, 0o600);
}

#[test]
fn no_replace_asks_who_is_there_now() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"2");
    let hasty = Files { negative_ttl: Duration::ZERO, ..files() };
    let fs = Names::with(&server, &hasty, plain);
    denied(fs.rename("a", "b", NO_REPLACE), ErrorKind::Exists);
    assert!(!fs.exists("c"));
    server.store("c", b"somebody else's");
    let ((from, to), vfs) = (((Ino::ROOT, &b"a"[..]), (Ino::ROOT, &b"c"[..])), &fs.fs.vfs);
    denied(answer(|tell| vfs.rename(from, to, NO_REPLACE, tell)), ErrorKind::Exists);
    fs.rename("a", "d", NO_REPLACE).expect("nothing is there");
    denied(fs.rename("b", "e", 2), ErrorKind::Invalid);
    assert_eq!(server.paths(), ["b", "c", "d"]);
}

#[test]
fn files_and_directories_do_not_replace_each_other() {
    let server = MemoryRemote::default().dir("d").dir("full").file("full/x", b"1").file("a", b"1");
    let fs = Names::new(&server);
    denied(fs.rename("d", "a", 0), ErrorKind::NotDir);
    denied(fs.rename("a", "d", 0), ErrorKind::IsDir);
    denied(fs.rename("d", "full", 0), ErrorKind::NotEmpty);
    assert_eq!(server.count("RNTO"), 1, "what is known needs no asking");
}

#[test]
fn settings_show_at_once_and_travel_with_a_rename() {
    let server = MemoryRemote::default().file("tmp", b"content");
    let fs = Names::new(&server);
    let ino = fs.fs.ino("tmp");
    server.clear_log();
    let attr = fs.set("tmp", at(1_000_000_000)).expect("it is accepted");
    assert_eq!(mtime(&attr), 1_000_000_000, "whole seconds, cut off");
    let attr = fs.set("tmp", mode(0o640)).expect("it is accepted");
    assert_eq!((mtime(&attr), attr.mode), (1_000_000_000, 0o640));
    assert_eq!(fs.fs.look("tmp").expect("known"), Some(attr.clone()));
    assert!(server.log().is_empty(), "{:?}", server.log());
    fs.rename("tmp", "final", 0).expect("it is renamed");
    assert_eq!(server.log(), ["RNTO /tmp /final mtime=1000000000 mode=640"]);
    assert_eq!(fs.attr(ino).expect("known"), attr);
    assert_eq!(fs.fs.look("final").expect("known"), Some(attr));
    assert_eq!(server.facts("final"), Some((1_000_000_000, 0o640)));
    fs.end();
    assert_eq!(server.count("MFMT"), 0, "nothing is sent twice");
}

#[test]
fn settings_are_sent_by_themselves_before_long() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"2");
    let fs = Names::new(&server);
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    fs.set("b", mode(0o600)).expect("it is accepted");
    server.wait_for("MFMT", 2);
    assert_eq!((server.facts("a"), server.facts("b")), (Some((1_000_000_000, 0o644)), Some((START, 0o600))));
}

#[test]
fn a_listing_that_comes_meanwhile_does_not_show_the_old_time() {
    let server = MemoryRemote::default().file("a", b"1");
    let forgetful = Files { attr_ttl: Duration::ZERO, dir_ttl: Duration::ZERO, ..files() };
    let fs = Names::with(&server, &forgetful, plain);
    server.hold("MFMT");
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    for _ in 0..2 {
        let attr = fs.fs.look("a").expect("the server answers").expect("it exists");
        assert_eq!(mtime(&attr), 1_000_000_000);
        server.wait_held(1);
    }
    server.release();
}

#[test]
fn what_was_set_on_a_file_is_void_when_it_is_removed() {
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::new(&server);
    fs.set("a", mode(0o600)).expect("it is accepted");
    fs.unlink("a").expect("it is removed");
    fs.end();
    assert_eq!(server.count("MFMT"), 0);
}

#[test]
fn the_end_of_the_mount_sends_what_is_still_to_be_set() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"1");
    let fs = Names::new(&server);
    fs.set("d/a", at(1_000_000_000)).expect("it is accepted");
    fs.set("d", at(1_000_000_001)).expect("it is accepted");
    fs.end();
    assert_eq!(server.facts("d/a").map(|f| f.0), Some(1_000_000_000));
    assert_eq!(server.facts("d").map(|f| f.0), Some(1_000_000_001));
}

#[test]
fn settings_below_a_directory_are_sent_before_it_is_renamed() {
    let server = MemoryRemote::default().dir("d").file("d/a", b"1");
    let fs = Names::new(&server);
    fs.set("d/a", mode(0o600)).expect("it is accepted");
    server.clear_log();
    fs.rename("d", "e", 0).expect("it is renamed");
    assert_eq!(server.log(), ["MFMT /d/a mode=600", "RNTO /d /e"]);
}

#[test]
fn what_the_server_cannot_keep_is_accepted_and_then_shown_as_it_is() {
    let server = MemoryRemote::new(Can { mtime: false, mode: false, ..Can::default() }).file("a", b"1");
    let fs = Names::new(&server);
    let all = Wanted { uid: Some(7), gid: Some(7), ..at(1_000_000_000) };
    fs.set("a", Wanted { mode: Some(0o600), ..all }).expect("it is accepted");
    // What has been sent is not shown any more, whatever came of it.
    fs.end();
    let attr = fs.attr(fs.fs.ino("a")).expect("known");
    assert_eq!((mtime(&attr), attr.mode, attr.uid), (START.unsigned_abs(), 0o644, 0));
}

#[test]
fn a_connection_that_fails_loses_no_settings() {
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::new(&server);
    server.fail("MFMT", None, ErrorKind::Unreachable, 1);
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    server.wait_for("MFMT", 2);
    assert_eq!(server.facts("a"), Some((1_000_000_000, 0o644)));
}

#[test]
fn strictly_the_program_is_told_what_the_server_says() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"2");
    let fs = Names::with(&server, &files(), strict);
    let attr = fs.set("a", at(1_000_000_000)).expect("the server does it");
    assert_eq!((mtime(&attr), server.facts("a").map(|f| f.0)), (1_000_000_000, Some(1_000_000_000)));
    server.fail("MFMT", Some("b"), ErrorKind::Denied, 1);
    denied(fs.set("b", mode(0o600)), ErrorKind::NotPermitted);
    assert_eq!(fs.attr(fs.fs.ino("b")).expect("known").mode, 0o644);
    server.change(|can| can.mtime = false);
    denied(fs.set("b", at(1)), ErrorKind::NotPermitted);
    denied(fs.set("b", Wanted { uid: Some(7), ..Wanted::default() }), ErrorKind::NotPermitted);
    fs.set("b", Wanted { uid: Some(0), gid: Some(0), ..Wanted::default() }).expect("it is so already");
    fs.set("b", Wanted::default()).expect("the last access alone is nothing");
}

#[test]
fn modes_that_are_not_the_servers_cannot_be_changed_strictly() {
    let masked = Files { file_mask: Some(0o022), dir_mask: Some(0o022), ..files() };
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::with(&server, &masked, strict);
    denied(fs.set("a", mode(0o600)), ErrorKind::NotPermitted);
    fs.set("a", mode(0o755)).expect("so it is shown");
    let server = MemoryRemote::default().file("a", b"1");
    let fs = Names::with(&server, &masked, plain);
    assert_eq!(fs.set("a", mode(0o600)).expect("it is accepted").mode, 0o755);
    fs.end();
    assert_eq!(server.facts("a").map(|f| f.1), Some(0o600), "and sent");
}

#[test]
fn a_file_that_is_read_is_the_same_after_its_time_was_set() {
    let server = MemoryRemote::default().file("a", b"content");
    let fs = Names::with(&server, &files(), strict);
    let fh = fs.open("a");
    fs.set("a", at(1_000_000_000)).expect("the server does it");
    assert_eq!(fs.fs.read(fh, 0, 100).expect("readable"), b"content");
    assert_eq!(fs.fs.read_all("a").expect("readable"), b"content");
}

#[test]
fn times_that_listings_leave_out_are_known_where_we_have_set_them() {
    let server = MemoryRemote::new(Can { exact: false, ..Can::default() }).file("a", b"1").file("b", b"1");
    let fs = Names::with(&server, &files(), strict);
    fs.set("a", at(1_000_000_007)).expect("the server does it");
    fs.rename("a", "c", 0).expect("it is renamed");
    server.clear_log();
    let attr = fs.fs.look("c").expect("known").expect("it exists");
    assert_eq!((mtime(&attr), server.log().len()), (1_000_000_007, 0));
}

#[test]
fn links_come_back_as_they_were_made() {
    for relative_links in [true, false] {
        let server =
            MemoryRemote::new(Can { relative_links, ..Can::default() }).dir("d").file("d/a", b"1").file("b", b"2");
        for target in ["a", "../b", "e/f"] {
            let fs = Names::new(&server);
            assert_eq!(fs.symlink("d/l", target).expect("it is made").size, target.len() as u64);
            assert_eq!(fs.readlink("d/l").expect("known"), target);
            // As somebody sees it who has not made it.
            assert_eq!(Names::new(&server).readlink("d/l").expect("told"), target);
            denied(fs.symlink("d/l", "x"), ErrorKind::Exists);
            fs.unlink("d/l").expect("it is removed");
        }
    }
}

#[test]
fn without_links_on_the_server_there_are_none() {
    let server = MemoryRemote::new(Can { links: false, ..Can::default() });
    let fs = Names::new(&server);
    assert_eq!(fault(fs.symlink("l", "a")), Told::NoLinks);
    assert!(server.paths().is_empty());
}

#[test]
fn files_stand_for_links_where_somebody_wants_it() {
    let server = MemoryRemote::new(Can { links: false, ..Can::default() }).dir("d");
    let fs = Names::with(&server, &files(), stand_ins);
    fs.symlink("d/l", "../x").expect("it is stored");
    assert_eq!(fs.readlink("d/l").expect("known"), "../x");
    let content = server.content("d/l").expect("a file");
    assert!(content.len() == 1067 && content.starts_with(b"XSym\n0004\n"));
    denied(fs.symlink("d/l", "y"), ErrorKind::Exists);
    server.store("d/plain", &[b'x'; 1067]);
    // Somebody else's view: read once, when it is looked at.
    let other = Names::with(&server, &files(), stand_ins);
    server.clear_log();
    let link = other.fs.look("d/l").expect("the server answers").expect("it exists");
    assert_eq!((matches!(link.kind, Kind::Symlink { .. }), link.size), (true, 4));
    assert_eq!(other.readlink("d/l").expect("known"), "../x");
    for _ in 0..2 {
        assert_eq!(other.fs.look("d/plain").expect("the server answers").expect("it exists").kind, Kind::File);
    }
    assert_eq!(server.count("RETR"), 2, "{:?}", server.log());
    // And by somebody who has not asked for it.
    let plain = Names::new(&server).fs.look("d/l").expect("the server answers").expect("it exists");
    assert_eq!((plain.kind, plain.size), (Kind::File, 1067));
}

#[test]
fn links_that_are_files_are_found_when_a_directory_is_read() {
    let server = MemoryRemote::new(Can { links: false, ..Can::default() });
    let maker = Names::with(&server, &files(), stand_ins);
    for i in 0..20 {
        maker.symlink(&format!("l{i:02}"), &format!("t{i}")).expect("it is stored");
    }
    maker.rename("l00", "m", 0).expect("it is renamed");
    assert_eq!(maker.readlink("m").expect("known"), "t0");
    let fs = Names::with(&server, &files(), stand_ins);
    let fh = answer(|tell| fs.fs.vfs.opendir(Ino::ROOT, tell)).expect("a listing");
    answer(|tell| fs.fs.vfs.prepare_dir(fh, 0, move || tell(Ok(())))).expect("prepared");
    let mut links = 0;
    let listed = fs.fs.vfs.readdir(fh, 2, true, &mut |item| {
        links += usize::from(matches!(item.attr.kind, Kind::Symlink { .. }) && !item.ttl.is_zero());
        true
    });
    listed.expect("it is open");
    assert_eq!((links, server.count("RETR")), (20, 20));
}

#[test]
fn our_own_names_are_nobodys_business() {
    let server = MemoryRemote::default().file("a", b"1").file("b", b"2");
    let brief = Files { dir_ttl: Duration::ZERO, attr_ttl: Duration::ZERO, negative_ttl: Duration::ZERO, ..files() };
    let fs = Names::with(&server, &brief, plain);
    let fh = fs.open("a");
    fs.unlink("a").expect("it is removed");
    let hidden = server.paths().into_iter().find(|path| path != "b").expect("it is hidden");
    assert_eq!(fs.names(""), ["b"]);
    assert!(!fs.exists(&hidden));
    fs.fs.vfs.release(fh);
    server.wait_for("DELE", 1);
    fs.end();
    assert_eq!(server.paths(), ["b"]);
}

#[test]
fn what_is_removed_while_it_is_written_never_comes_to_the_server() {
    let server = MemoryRemote::default().dir("d");
    let fs = Names::new(&server);
    let fh = fs.create("d/a");
    fs.write(fh, 0, b"hello");
    let ino = fs.fs.ino("d/a");
    fs.unlink("d/a").expect("it is removed");
    fs.write(fh, 5, b" world");
    assert_eq!(fs.fs.read(fh, 0, 100).expect("readable"), b"hello world");
    let attr = fs.attr(ino).expect("known");
    assert_eq!((attr.nlink, attr.size), (0, 11));
    fs.close(fh);
    fs.rmdir("d").expect("nothing is in it");
    fs.end();
    assert!(server.paths().is_empty(), "{:?}", server.paths());
}

#[test]
fn what_only_the_server_has_of_a_removed_file_stays_there_for_its_writer() {
    let server = MemoryRemote::default().file("a", b"old content");
    let fs = Names::new(&server);
    let fh = fs.create("a");
    fs.write(fh, 0, b"OLD");
    fs.unlink("a").expect("it is removed");
    assert!(fs.names("").is_empty());
    assert_eq!(fs.fs.read(fh, 0, 100).expect("readable"), b"OLD content");
    fs.close(fh);
    fs.end();
    assert!(server.paths().is_empty(), "{:?}", server.paths());
}

#[test]
fn a_file_that_is_renamed_while_it_is_written_is_stored_first() {
    let server = MemoryRemote::default().file("final", b"old");
    let fs = Names::new(&server);
    let fh = fs.create("tmp");
    fs.write(fh, 0, b"new content");
    server.clear_log();
    fs.rename("tmp", "final", 0).expect("it is renamed");
    assert_eq!(server.content("final").expect("it is there"), b"new content");
    let log = server.log();
    let place = |verb: &str| log.iter().position(|call| call.starts_with(verb)).expect("it was called");
    assert!(place("226 ") < place("RNTO "), "{log:?}");
    fs.write(fh, 0, b"NEW");
    fs.close(fh);
    assert_eq!(server.content("final").expect("it is there"), b"NEW content");
    assert_eq!((server.paths(), fs.names("")), (vec!["final".into()], vec!["final".to_owned()]));
}

#[test]
fn files_that_are_written_below_a_renamed_directory_land_in_it() {
    let server = MemoryRemote::default().dir("d");
    let fs = Names::new(&server);
    let fh = fs.create("d/a");
    fs.write(fh, 0, b"hello");
    fs.rename("d", "e", 0).expect("it is renamed");
    fs.write(fh, 5, b" world");
    fs.close(fh);
    assert_eq!(server.content("e/a").expect("it is there"), b"hello world");
    assert_eq!(server.paths(), ["e/", "e/a"]);
}

#[test]
fn what_is_replaced_while_it_is_written_does_not_come_back() {
    let server = MemoryRemote::default().file("new", b"new content");
    let fs = Names::new(&server);
    let fh = fs.create("a");
    fs.write(fh, 0, b"lost");
    fs.rename("new", "a", 0).expect("it is renamed");
    fs.write(fh, 0, b"LOST");
    fs.close(fh);
    fs.end();
    assert_eq!(
        (server.paths(), server.content("a").expect("it is there")),
        (vec!["a".into()], b"new content".to_vec())
    );
}

#[test]
fn the_time_of_a_file_that_is_written_is_set_with_its_content() {
    let server = MemoryRemote::default();
    let fs = Names::new(&server);
    let fh = fs.create("a");
    fs.write(fh, 0, b"hello");
    assert_eq!(mtime(&fs.set("a", at(1_000_000_000)).expect("it is accepted")), 1_000_000_000);
    fs.close(fh);
    assert_eq!(server.facts("a").map(|f| f.0), Some(1_000_000_000));
    assert_eq!(server.count("MFMT"), 0, "{:?}", server.log());
    assert_eq!(mtime(&fs.fs.look("a").expect("known").expect("it is there")), 1_000_000_000);
}

#[test]
fn a_later_write_makes_an_older_wish_for_the_time_void() {
    let server = MemoryRemote::default().file("a", b"old");
    let fs = Names::new(&server);
    fs.set("a", at(1_000_000_000)).expect("it is accepted");
    let fh = fs.create("a");
    fs.write(fh, 0, b"new");
    fs.close(fh);
    fs.end();
    assert_ne!(server.facts("a").map(|f| f.0), Some(1_000_000_000), "{:?}", server.log());
}

#[test]
fn a_size_can_be_set_with_the_rest() {
    let server = MemoryRemote::default().file("a", b"hello world");
    let fs = Names::new(&server);
    let attr = fs.set("a", Wanted { size: Some((5, None)), ..at(1_000_000_000) }).expect("it is cut");
    assert_eq!((attr.size, mtime(&attr)), (5, 1_000_000_000));
    assert_eq!(server.content("a").expect("it is there"), b"hello");
    fs.end();
    assert_eq!(server.facts("a").map(|f| f.0), Some(1_000_000_000));
}
