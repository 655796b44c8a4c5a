//! Names, attributes, and how long they are believed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use super::support::process::{command, stdout_of};
use super::support::server::{DEFAULT_MTIME, Fault, Personality, Tree};
use super::{LIMIT, LONG, NEVER, Scene, refused, tree, with};

// Names and attributes.

#[test]
fn names_are_bytes() {
    let tree = Tree::new().file(b"caf\xe9", "Latin-1", DEFAULT_MTIME).file("e\u{301}", "NFD", DEFAULT_MTIME);
    with(Personality::mlsd(), tree, LONG, |scene| {
        let entries = fs::read_dir(scene.mount.path()).expect("it can be listed");
        let names: BTreeSet<_> = entries.map(|e| e.expect("an entry").file_name().as_bytes().to_vec()).collect();
        assert_eq!(names, BTreeSet::from([b"caf\xe9".to_vec(), "e\u{301}".into()]));
        let latin = scene.mount.path().join(OsStr::from_bytes(b"caf\xe9"));
        assert_eq!(fs::read(latin).expect("it can be read"), b"Latin-1");
        refused(scene.stat("\u{e9}"), libc::ENOENT, "the same letter in one code point");
    });
}

#[test]
fn names_that_ftp_cannot_carry_do_not_exist() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.server.fault(Fault::listing_line("type=file;size=1; with/slash\r\n"));
        scene.server.fault(Fault::listing_line("type=file;size=1; carriage\rreturn\r\n"));
        assert_eq!(scene.names(""), ["big", "d"]);
        assert!(scene.mount.log().contains("left out a line of the listing"), "{}", scene.mount.log());
        scene.server.clear_log();
        refused(scene.stat("line\nbreak"), libc::ENOENT, "a name with LF");
        refused(scene.stat("line\rbreak"), libc::ENOENT, "a name with CR");
        assert_eq!(scene.server.log().entries.len(), 0, "and the server is not asked");
    });
}

#[test]
fn owner_and_modes_are_as_the_options_say() {
    let tree = tree().with_mode("d/a.txt", 0o640).with_mode("d", 0o750);
    let bits = |scene: &Scene, name: &str| scene.stat(name).expect("it is there").mode() & 0o7777;
    with(Personality::mlsd(), tree.clone(), &["-o", "uid=12,gid=34"], move |scene| {
        assert_eq!((bits(scene, "d/a.txt"), bits(scene, "d")), (0o640, 0o750));
        let found = scene.stat("d/a.txt").expect("it is there");
        assert_eq!((found.uid(), found.gid()), (12, 34));
    });
    with(Personality::mlsd(), tree.clone(), &["-o", "fmask=027,dmask=077"], move |scene| {
        assert_eq!((bits(scene, "d/a.txt"), bits(scene, "d")), (0o750, 0o700));
    });
    with(Personality::iis(), tree, LONG, move |scene| {
        assert_eq!((bits(scene, "d/a.txt"), bits(scene, "d")), (0o644, 0o755), "IIS tells no modes");
        let found = scene.stat("d/a.txt").expect("it is there");
        let me = fs::metadata("/proc/self").expect("/proc is mounted");
        assert_eq!((found.uid(), found.gid()), (me.uid(), me.gid()), "the user who mounts");
    });
}

#[test]
fn the_three_times_are_the_servers_one() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let found = scene.stat("d/a.txt").expect("it is there");
        let wanted = DEFAULT_MTIME + 7;
        assert_eq!((found.mtime(), found.atime(), found.ctime()), (wanted, wanted, wanted));
        assert_eq!(found.mtime_nsec(), 0);
    });
}

#[test]
fn times_of_list_are_made_exact_by_mdtm() {
    let tree = || Tree::new().many("many", 40).with_mtime("many/f00031", DEFAULT_MTIME + 7);
    with(Personality::unix_list(), tree(), LONG, |scene| {
        assert_eq!(scene.names("many").len(), 40);
        assert_eq!(scene.server.log().verb("MDTM"), 0, "nobody has asked for a time");
        assert_eq!(scene.stat("many/f00031").expect("it is there").mtime(), DEFAULT_MTIME + 7);
    });
    let no_mdtm = Personality { mdtm: false, feat: None, ..Personality::unix_list() };
    with(no_mdtm, tree(), LONG, |scene| {
        let day = DEFAULT_MTIME / 86_400 * 86_400;
        assert_eq!(scene.stat("many/f00031").expect("it is there").mtime(), day, "LIST shows the day only");
    });
}

#[test]
fn link_counts_are_one() {
    with(Personality::mlsd(), tree().dir("d/e/f"), LONG, |scene| {
        for name in ["", "d", "d/e", "d/a.txt"] {
            assert_eq!(scene.stat(name).expect("it is there").nlink(), 1, "{name:?}");
        }
    });
}

#[test]
fn an_inode_number_stays_while_the_file_is_the_same() {
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        let open = File::open(scene.at("d/a.txt")).expect("it opens");
        let number = open.metadata().expect("it is there").ino();
        scene.names("d");
        assert_eq!(scene.stat("d/a.txt").expect("it is there").ino(), number);
        scene.write("d/a.txt", "another content", 60);
        assert_ne!(
            scene.stat("d/a.txt").expect("it is there").ino(),
            number,
            "another version than the one that is open"
        );
        refused(open.metadata(), libc::ESTALE, "the old one has no attributes any more");
        scene.server.tree().update(|tree| tree.remove("d/a.txt"));
        scene.server.tree().update(|tree| tree.make_dir("d/a.txt"));
        assert_ne!(scene.stat("d/a.txt").expect("it is there").ino(), number, "a directory is another inode");
    });
}

#[test]
fn special_files_are_sockets_that_do_not_open() {
    with(Personality::unix_list(), tree(), LONG, |scene| {
        scene.server.fault(Fault::listing_line("prw-r--r--    1 0        0               0 Nov 14  2023 pipe\r\n"));
        assert!(scene.stat("pipe").expect("it is there").file_type().is_socket());
        refused(File::open(scene.at("pipe")), libc::ENXIO, "open(2) of a socket");
    });
}

#[test]
fn free_space_is_a_constant() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let out = stdout_of(command("stat", ["-f", "-c", "%s %b %f %a %c %d %l"]).arg(scene.mount.path()), LIMIT);
        let (blocks, files) = (1u64 << 38, 1u64 << 32);
        let wanted = format!("4096 {blocks} {blocks} {blocks} {files} {files} 255");
        assert_eq!(String::from_utf8_lossy(&out).trim(), wanted);
    });
}

// How long things are believed.

#[test]
fn attributes_are_believed_for_attr_timeout() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 11);
        scene.write("d/a.txt", "grown to something longer", 60);
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 11);
    });
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 11);
        scene.write("d/a.txt", "grown to something longer", 60);
        let found = scene.stat("d/a.txt").expect("it is there");
        assert_eq!((found.len(), found.mtime()), (25, DEFAULT_MTIME + 60));
    });
}

#[test]
fn a_listing_is_believed_for_dir_timeout() {
    for (options, wanted) in [(LONG, &["big", "d"][..]), (NEVER, &["big", "d", "new"][..])] {
        with(Personality::mlsd(), tree(), options, move |scene| {
            assert_eq!(scene.names(""), ["big", "d"]);
            scene.write("new", "", 0);
            assert_eq!(scene.names(""), wanted, "{options:?}");
        });
    }
}

#[test]
fn who_walks_finds_its_directories_listed() {
    let walked = || (0..12).fold(Tree::new(), |tree, n| tree.file(format!("w{n}/file"), b"content", DEFAULT_MTIME));
    with(Personality::mlsd(), walked(), LONG, |scene| {
        for dir in ["", "w0", "w1"] {
            scene.names(dir);
        }
        scene.server.await_log(|log| log.verb("MLSD") >= 13);
        for n in 0..12 {
            assert_eq!(scene.names(&format!("w{n}")), ["file"]);
        }
        assert_eq!(scene.server.log().verb("MLSD"), 13, "each once: {}", scene.server.log());
    });
    with(Personality::mlsd(), walked(), &["-o", "dir_timeout=1h,max_connections=1"], |scene| {
        for dir in ["", "w0", "w1", "w2"] {
            scene.names(dir);
        }
        assert_eq!(scene.server.log().verb("MLSD"), 4, "nothing ahead: {}", scene.server.log());
    });
}

#[test]
fn absence_is_believed_for_negative_timeout() {
    for (options, found) in [(LONG, false), (NEVER, true)] {
        with(Personality::mlsd(), tree(), options, move |scene| {
            refused(scene.stat("d/new"), libc::ENOENT, "what is not there");
            scene.write("d/new", "", 0);
            assert_eq!(scene.stat("d/new").is_ok(), found, "{options:?}");
        });
    }
}

#[test]
fn a_listed_name_costs_no_further_question() {
    with(Personality::mlsd(), Tree::new().many("many", 500), LONG, |scene| {
        let names = scene.names("many");
        scene.server.reset_flights();
        for name in &names {
            scene.stat(&format!("many/{name}")).expect("it is there");
        }
        refused(scene.stat("many/nothing"), libc::ENOENT, "what is not there");
        assert_eq!(scene.server.work_flights(), 0, "{}", scene.server.log());
    });
}

#[test]
fn an_open_directory_is_a_picture() {
    with(Personality::mlsd(), Tree::new().many("many", 3000), NEVER, |scene| {
        let mut entries = fs::read_dir(scene.at("many")).expect("it opens");
        let first = entries.next().expect("it is not empty").expect("an entry").file_name();
        scene.server.tree().update(|tree| {
            for n in 0..1500 {
                tree.remove(format!("many/f{n:05}"));
                tree.write(format!("many/new{n}"), "", DEFAULT_MTIME);
            }
        });
        let rest = entries.map(|e| e.expect("an entry").file_name());
        let seen: BTreeSet<_> = rest.chain([first]).map(|name| name.to_string_lossy().into_owned()).collect();
        assert_eq!(seen, (0..3000).map(|n| format!("f{n:05}")).collect(), "each name once");
        assert!(scene.names("many").contains(&"new0".to_owned()), "opened anew it is the new one");
    });
}

#[test]
fn a_truncated_listing_proves_no_absence() {
    let short = Personality { list_limit: Some(10), ..Personality::pure() };
    with(short, Tree::new().many("many", 30), LONG, |scene| {
        assert!(scene.names("many").len() <= 10);
        assert!(scene.stat("many/f00029").expect("it is not listed, but there").is_file());
    });
    let short = Personality { list_limit: Some(10), ..Personality::pyftpdlib() };
    with(short, Tree::new().many("many", 30), LONG, |scene| {
        refused(scene.stat("many/f00030"), libc::ENOENT, "what the server says is not there");
    });
}
