//! Symbolic links of the filesystem on a server in memory, its own ones and files that stand for them.

mod support;

use ftpfs::remote::{ErrorKind, Kind};
use ftpfs::vfs::{Fault as Told, Ino};
use support::files::{answer, fault, files};
use support::memory_remote::{Can, MemoryRemote};
use support::names::{Names, denied, stand_ins};

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
