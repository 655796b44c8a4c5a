//! Names of the filesystem on a server in memory: what programs are told, what the server gets, and what a look at them
//! afterwards costs.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use ftpfs::config::Files;
use ftpfs::remote::{ErrorKind, Kind};
use ftpfs::vfs::{Fault as Told, Ino};
use support::client::AMPLE;
use support::files::{answer, fault, files};
use support::memory_remote::MemoryRemote;
use support::names::{Names, denied, mode, plain};

const NO_REPLACE: u32 = 1;

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
