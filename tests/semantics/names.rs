//! The namespace: rename, unlink, directories, links.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;

use super::support::server::{Fault, Personality, Renames, Symlink, Tree};
use super::{LONG, NEVER, Scene, close, python, refused, tree, with};

fn servers() -> [Personality; 5] {
    [
        Personality::mlsd(),
        Personality::unix_list(),
        Personality::pure(),
        Personality::pyftpdlib(),
        // Neither replaces by a rename.
        Personality::iis(),
    ]
}

fn rename(scene: &Scene, from: &str, to: &str) -> std::io::Result<()> {
    fs::rename(scene.at(from), scene.at(to))
}

#[test]
fn a_rename_replaces_what_is_there() {
    for personality in servers() {
        with(personality, tree().file("d/b", "the other", 7), LONG, |scene| {
            rename(scene, "d/a.txt", "d/b").expect("it can be renamed");
            assert_eq!(scene.held("d/b"), b"hello world");
            assert!(!scene.server.exists("d/a.txt"));
            assert_eq!(
                (scene.names("d"), scene.read("d/b").expect("it is there")),
                (vec!["b".into()], b"hello world".to_vec())
            );
            rename(scene, "d/b", "up").expect("it can be renamed");
            assert_eq!((scene.held("up"), scene.names("d").len()), (b"hello world".to_vec(), 0));
            refused(rename(scene, "none", "up"), libc::ENOENT, "a name that is not there");
            scene.tidy();
        });
    }
    // It fails half-way: what was there is put back.
    let stubborn = Personality::mlsd().writing(|it| it.renames = Renames::OntoNothing);
    with(stubborn, tree().file("d/b", "the other", 7), LONG, |scene| {
        scene.server.fault(Fault::reply("RNTO", "550 Permission denied.").path("d/b").times(2));
        refused(rename(scene, "d/a.txt", "d/b"), libc::EACCES, "rename(2)");
        assert_eq!((scene.held("d/a.txt"), scene.held("d/b")), (b"hello world".to_vec(), b"the other".to_vec()));
        scene.tidy();
        assert_eq!(scene.names("d"), ["a.txt", "b"]);
    });
}

#[test]
fn a_file_that_is_being_written_can_be_renamed() {
    for personality in servers() {
        with(personality, tree(), LONG, |scene| {
            for name in ["new", "d/a.txt"] {
                let mut file = File::create(scene.at(name)).expect("it can be made");
                file.write_all(b"half of it").expect("it can be written");
                rename(scene, name, "moved").expect("it can be renamed");
                // No name shows half a file: what was written by then is there.
                assert_eq!(scene.held("moved"), b"half of it");
                file.write_all(b", and the rest").expect("it is open still");
                close(file).expect("it can be stored");
                assert_eq!(scene.held("moved"), b"half of it, and the rest");
                assert!(!scene.server.exists(name) && scene.stat(name).is_err());
            }
            scene.tidy();
        });
    }
}

#[test]
fn a_directory_can_be_renamed_under_open_files() {
    for personality in servers() {
        let more = tree().dir("full").file("full/x", "x", 7).file("d/b", "another", 7);
        with(personality, more, LONG, |scene| {
            let mut reader = File::open(scene.at("d/a.txt")).expect("it is there");
            let mut writer = scene.open("d/b", OpenOptions::new().append(true));
            let mut new = File::create(scene.at("d/new")).expect("it can be made");
            new.write_all(b"be").and_then(|()| writer.write_all(b" one")).expect("it can be written");
            rename(scene, "d", "e").expect("it can be renamed");
            new.write_all(b"gun").and_then(|()| writer.write_all(b" more")).expect("it is open still");
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("it is open still");
            assert_eq!(text, "hello world");
            close(new).and(close(writer)).expect("it can be stored");
            assert_eq!((scene.held("e/new"), scene.held("e/b")), (b"begun".to_vec(), b"another one more".to_vec()));
            assert_eq!((scene.names("e").len(), scene.server.exists("d")), (3, false));
            refused(rename(scene, "e", "full"), libc::ENOTEMPTY, "onto a directory that has something in it");
            refused(rename(scene, "e", "e/below"), libc::EINVAL, "into itself");
            assert_eq!(scene.names("full"), ["x"]);
            scene.tidy();
        });
    }
}

#[test]
fn renameat2_knows_noreplace_only() {
    const CALLS: &str = "\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        def rename(a, b, flags):\n    \
            r = libc.renameat2(-100, os.path.join(path, a).encode(), -100, os.path.join(path, b).encode(), flags)\n    \
            return errno.errorcode[ctypes.get_errno()] if r else 'ok'\n\
        print(rename('d/a.txt', 'd/b', 1), rename('d/a.txt', 'd/b', 2), rename('d/a.txt', 'd/c', 4), rename('d/a.txt', 'd/c', 1))";
    with(Personality::mlsd(), tree().file("d/b", "the other", 7), LONG, |scene| {
        assert_eq!(python(CALLS, &scene.mount.path()), "EEXIST EINVAL EINVAL ok");
        assert_eq!((scene.held("d/b"), scene.held("d/c")), (b"the other".to_vec(), b"hello world".to_vec()));
    });
    // Somebody else has made it a moment ago.
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        scene.names("d");
        scene.write("d/c", "theirs", 0);
        let last = CALLS
            .replace("rename('d/a.txt', 'd/b', 1), rename('d/a.txt', 'd/b', 2), rename('d/a.txt', 'd/c', 4), ", "");
        assert_eq!(python(&last, &scene.mount.path()), "EEXIST");
        assert_eq!(scene.held("d/c"), b"theirs");
    });
}

#[test]
fn an_unlinked_file_lives_as_long_as_it_is_open() {
    for personality in servers() {
        with(personality, tree().dir("e"), LONG, |scene| {
            let mut file = scene.open("d/a.txt", OpenOptions::new().read(true).write(true));
            fs::remove_file(scene.at("d/a.txt")).expect("it can be removed");
            assert!(!scene.server.exists("d/a.txt") && scene.names("d").is_empty());
            refused(scene.stat("d/a.txt"), libc::ENOENT, "the name is gone");
            file.write_all_at(b"HELLO", 0).expect("it can be written");
            file.sync_all().expect("there is nothing to store");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("it can be read");
            assert_eq!(text, "HELLO world");
            scene.put("d/a.txt", "another").expect("it can be stored");
            file.rewind()
                .and_then(|()| {
                    text.clear();
                    file.read_to_string(&mut text)
                })
                .expect("it can be read");
            assert_eq!((text.as_str(), scene.held("d/a.txt")), ("HELLO world", b"another".to_vec()));
            close(file).expect("there is nothing to store");
            scene.tidy();
            assert_eq!(scene.held("d/a.txt"), b"another");
            // The loser of a rename, and a directory that holds nothing else.
            scene.put("e/loser", "the loser").and_then(|()| scene.put("e/winner", "wins")).expect("it can be stored");
            let mut loser = File::open(scene.at("e/loser")).expect("it is there");
            rename(scene, "e/winner", "e/loser").expect("it can be renamed");
            rename(scene, "e/loser", "d/winner").expect("it can be renamed");
            assert_eq!(scene.names("e").len(), 0);
            fs::remove_dir(scene.at("e")).expect("it is empty for everybody here");
            text.clear();
            loser.read_to_string(&mut text).expect("it can be read");
            assert_eq!((text.as_str(), scene.server.exists("e")), ("the loser", false));
            drop(loser);
            scene.tidy();
        });
    }
    // One of which the server has nothing is never sent.
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        let mut file = File::create(scene.at("temporary")).expect("it can be made");
        fs::remove_file(scene.at("temporary")).expect("it can be removed");
        file.write_all(b"for myself").expect("it can be written");
        close(file).expect("there is nothing to store");
        assert_eq!(scene.names(""), ["big", "d"]);
        scene.tidy();
        assert!(!scene.server.exists("temporary"));
    });
}

#[test]
fn directories_are_made_and_removed() {
    for personality in servers() {
        with(personality, tree(), LONG, |scene| {
            fs::create_dir_all(scene.at("x/y/z")).expect("mkdir");
            assert!(scene.server.is_dir("x/y/z"));
            refused(fs::create_dir(scene.at("x/y")), libc::EEXIST, "a name that is taken");
            refused(fs::create_dir(scene.at("no/y")), libc::ENOENT, "in a directory that is not there");
            refused(fs::remove_dir(scene.at("x")), libc::ENOTEMPTY, "one that has something in it");
            refused(fs::remove_dir(scene.at("d/a.txt")), libc::ENOTDIR, "a file");
            refused(fs::remove_file(scene.at("d")), libc::EISDIR, "unlink(2) of a directory");
            fs::remove_dir_all(scene.at("x")).expect("rmdir");
            assert!(!scene.server.exists("x") && scene.stat("x").is_err());
            // Somebody else has put something into what was empty here.
            fs::create_dir(scene.at("x")).expect("mkdir");
            assert_eq!(scene.names("x").len(), 0);
            scene.write("x/theirs", "theirs", 0);
            refused(fs::remove_dir(scene.at("x")), libc::ENOTEMPTY, "one that has something in it by now");
            assert_eq!(scene.held("x/theirs"), b"theirs");
        });
    }
}

#[test]
fn there_are_no_hard_links() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.names("d");
        scene.server.clear_log();
        refused(fs::hard_link(scene.at("d/a.txt"), scene.at("d/b")), libc::EPERM, "link(2)");
        assert_eq!(scene.server.log().commands(), [""; 0]);
    });
}

#[test]
fn special_files_cannot_be_made() {
    const CALLS: &str = "\
        print(*[tell(lambda: os.mknod(path + n, mode, os.makedev(1, 3)))\n    \
            for n, mode in [('f', stat.S_IFIFO), ('s', stat.S_IFSOCK), ('c', stat.S_IFCHR), ('b', stat.S_IFBLK), ('r', stat.S_IFREG)]],\n    \
            tell(lambda: os.open(os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY)))";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        assert_eq!(python(CALLS, &scene.at("d/n")), "EPERM EPERM EPERM EPERM ok ENOTSUP");
        assert_eq!((scene.names("d"), scene.held("d/nr")), (vec!["a.txt".to_owned(), "nr".to_owned()], Vec::new()));
    });
}

// Symbolic links.

#[test]
fn a_link_is_made_where_the_server_can() {
    let target = |scene: &Scene, name: &str| fs::read_link(scene.at(name)).expect("a link");
    let as_given = Personality::pure().writing(|it| (it.site, it.symlink) = (true, Symlink::AsGiven));
    with(as_given, tree(), LONG, move |scene| {
        for to in ["a.txt", "../big", "no/where"] {
            symlink(to, scene.at("d/link")).expect("symlink");
            assert_eq!(scene.server.link_of("d/link").expect("a link"), to.as_bytes());
            assert_eq!(target(scene, "d/link"), Path::new(to));
            fs::remove_file(scene.at("d/link")).expect("unlink");
        }
        symlink("a.txt", scene.at("d/link")).expect("symlink");
        assert_eq!(scene.read("d/link").expect("it leads there"), b"hello world");
        refused(symlink("x", scene.at("d/a.txt")), libc::EEXIST, "a name that is taken");
        refused(symlink("a blank", scene.at("d/blank")), libc::EPERM, "what the command cannot tell");
    });
    with(Personality::proftpd(), tree(), NEVER, move |scene| {
        refused(symlink("../big", scene.at("d/link")), libc::EPERM, "a target of which the server makes another");
        assert!(!scene.server.exists("d/link"));
        symlink("/big", scene.at("d/link")).expect("symlink");
        assert_eq!(scene.server.link_of("d/link").expect("a link"), b"/big");
        assert_eq!(target(scene, "d/link"), Path::new("../big"), "an absolute one is a place on the server");
    });
    for personality in [Personality::unix_list(), Personality::pure(), Personality::pyftpdlib()] {
        with(personality, tree(), LONG, move |scene| {
            refused(symlink("a.txt", scene.at("d/link")), libc::EPERM, "a server without links");
            assert_eq!(scene.names("d"), ["a.txt"]);
        });
    }
}

#[test]
fn mfsymlinks_are_links_in_files() {
    const FILES: &[&str] = &["-o", "mfsymlinks,cache_timeout=1h"];
    // Theirs, with the MD5 of the target.
    let theirs = |target: &str, md5: &str| format!("{:1067}", format!("XSym\n{:04}\n{md5}\n{target}\n", target.len()));
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), Personality::pyftpdlib()] {
        let tree = tree()
            .file("d/theirs", theirs("a.txt", "a5e54d1fd7bb69a228ef0dcd2431367e"), 7)
            .file("d/plain", vec![b'x'; 1067], 7)
            .file("d/spoilt", theirs("a.txt", "00000000000000000000000000000000"), 7);
        with(personality, tree, FILES, |scene| {
            symlink("a.txt", scene.at("d/link")).expect("symlink");
            assert!(scene.held("d/link").starts_with(b"XSym\n0005\n") && scene.held("d/link").len() == 1067);
            for name in ["d/link", "d/theirs"] {
                assert_eq!(fs::read_link(scene.at(name)).expect("a link"), Path::new("a.txt"), "{name}");
                assert_eq!(scene.stat(name).expect("it is there").len(), 5);
                assert_eq!(scene.read(name).expect("it leads there"), b"hello world");
            }
            assert!(scene.stat("d/plain").expect("it is there").is_file());
            assert_eq!(scene.read("d/plain").expect("a file"), [b'x'; 1067]);
            assert!(scene.stat("d/spoilt").expect("it is there").is_file());
            refused(symlink("x", scene.at("d/a.txt")), libc::EEXIST, "a name that is taken");
        });
    }
    // Without the option they are the files that they are.
    with(
        Personality::mlsd(),
        Tree::new().file("theirs", theirs("a", "0cc175b9c0f1b6a831c399e269772661"), 7),
        LONG,
        |scene| {
            assert_eq!(scene.stat("theirs").expect("it is there").len(), 1067);
        },
    );
}
