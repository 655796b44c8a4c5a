//! When what was written is stored, and what programs that write see of it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::thread;

use super::support::mount::Mount;
use super::support::process::{PROGRAM_LIMIT, stdout_of, with_deadline};
use super::support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Stage, Tree};
use super::{LIMIT, LONG, MIB, NEVER, close, errno, pattern, python, refused, tree, with};

fn servers() -> [Personality; 5] {
    [
        Personality::mlsd(),
        Personality::unix_list(),
        Personality::proftpd(),
        Personality::pure(),
        Personality::pyftpdlib(),
    ]
}

// When it is stored.

#[test]
fn close_means_stored() {
    const DUP: &str = "f = os.open(path, os.O_WRONLY | os.O_CREAT)\ng = os.dup(f)\nos.write(f, b'one')\nos.close(g)\n\
                       print(os.stat(path).st_size)\nos.write(f, b'two')\nos.close(f)";
    for personality in servers() {
        with(personality, tree(), LONG, |scene| {
            let bytes = pattern(1, 0, 3 * MIB as usize + 1);
            for name in ["new", "d/a.txt"] {
                scene.put(name, &bytes).expect("it can be stored");
                assert!(scene.held(name) == bytes && scene.server.uploads_running() == 0, "{name}");
                let stall = Fault::stall(Stage::Final).verb("STOR");
                scene.stalled(stall, || scene.put(name, "short"), || {}).expect("it can be stored");
                assert_eq!(scene.held(name), b"short");
            }
            scene.tidy();
            // Each close of a descriptor that was written to, a duplicate's and another process's copy as well.
            python(DUP, &scene.at("dup"));
            assert_eq!(scene.held("dup"), b"onetwo");
            scene.server.clear_log();
            let unused = scene.open("new", OpenOptions::new().write(true));
            close(unused).expect("nothing is to be stored");
            assert_eq!(scene.server.log().commands(), [""; 0], "nothing was written");
        });
    }
    // The server says that it has everything, and has not.
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.server.fault(Fault::swallow(3).verb("STOR"));
        refused(scene.put("new", "too much"), libc::EIO, "what the server has thrown away");
    });
}

#[test]
fn fsync_means_stored() {
    const MSYNC: &str = "f = os.open(path, os.O_RDWR)\nm = mmap.mmap(f, 0)\nm[0:5] = b'HELLO'\nm.flush()\n\
                         print('synced')";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let mut file = File::create(scene.at("new")).expect("it can be made");
        file.write_all(b"one").expect("it can be written");
        let stall = Fault::stall(Stage::Final).verb("STOR");
        scene.stalled(stall, || file.sync_all(), || {}).expect("it can be stored");
        assert_eq!(scene.held("new"), b"one");
        file.write_all(b"two").expect("it can be written");
        file.sync_data().expect("it can be stored");
        assert_eq!(scene.held("new"), b"onetwo");
        assert_eq!(python(MSYNC, &scene.at("d/a.txt")), "synced");
        assert_eq!(scene.held("d/a.txt"), b"HELLO world");
    });
}

#[test]
fn sync_waits_for_everything_below() {
    let sync = |dir: &std::path::Path| {
        super::run(super::command(env!("CARGO_BIN_EXE_ftpfs"), ["sync"]).arg(dir), PROGRAM_LIMIT)
    };
    with(Personality::mlsd(), tree(), &["-o", "writeback"], move |scene| {
        let stall = Fault::stall(Stage::Final).below("d");
        for name in ["d/one", "d/two", "d/three"] {
            scene.put(name, name).expect("it is safe here");
        }
        scene.put("d/old", "moved").expect("it is safe here");
        fs::rename(scene.at("d/old"), scene.at("d/new")).expect("it can be renamed");
        let mut open = File::create(scene.at("d/open")).expect("it can be made");
        open.write_all(b"not closed").expect("it can be written");
        filetime(&scene.at("d/a.txt"), DEFAULT_MTIME + 1234);
        // Some of it may have left before: one more cannot.
        scene.stalled(
            stall,
            || {
                scene.put("d/last", "last").expect("it is safe here");
                assert!(sync(&scene.at("d")).status.success(), "{}", scene.mount.log());
            },
            || {},
        );
        for name in ["d/one", "d/two", "d/three"] {
            assert_eq!(scene.held(name), name.as_bytes());
        }
        assert_eq!((scene.held("d/new"), scene.held("d/open")), (b"moved".to_vec(), b"not closed".to_vec()));
        assert_eq!(scene.held("d/last"), b"last");
        assert!(!scene.server.exists("d/old"));
        assert_eq!(scene.server.mtime_of("d/a.txt"), Some(DEFAULT_MTIME + 1234));
        scene.tidy();
    });
    with(Personality::mlsd(), tree(), LONG, move |scene| {
        let mut open = File::create(scene.at("d/open")).expect("it can be made");
        open.write_all(b"not closed").expect("it can be written");
        scene.server.fault(Fault::reply_at(Stage::Final, "552 Quota exceeded.").verb("STOR"));
        let said = sync(&scene.at("d"));
        assert!(!said.status.success() && String::from_utf8_lossy(&said.stderr).contains("quota"), "{said:?}");
        scene.server.heal();
        assert!(sync(&scene.at("")).status.success());
        assert_eq!(scene.held("d/open"), b"not closed");
    });
}

fn filetime(path: &std::path::Path, secs: i64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs as u64);
    File::open(path).and_then(|file| file.set_modified(time)).expect("it can be set");
}

#[test]
fn truncate_by_name_is_stored_at_once() {
    for personality in servers() {
        with(personality, tree(), LONG, |scene| {
            let file = scene.at("d/a.txt");
            for (size, content) in [(5, &b"hello"[..]), (8, b"hello\0\0\0"), (0, b""), (2, b"\0\0")] {
                assert_eq!(python(&format!("os.truncate(path, {size})"), &file), "");
                assert_eq!(scene.held("d/a.txt"), content);
            }
            scene.tidy();
        });
    }
}

#[test]
fn what_was_just_written_is_read_back() {
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        let bytes = pattern(3, 0, 2 * MIB as usize);
        let stall = Fault::stall(Stage::Data(MIB)).verb("STOR");
        let put = || scene.put("new", &bytes);
        let look = || {
            assert!(scene.read("new").expect("it is here") == bytes);
            assert_eq!(scene.server.log().verb("RETR"), 0, "{}", scene.server.log());
        };
        scene.stalled(stall, put, look).expect("it can be stored");
        assert!(scene.read("new").expect("it is there") == bytes);
    });
}

// Anywhere in a file.

/// A list of calls, for a mount and for a plain file.
const ANYWHERE: &str = "\
f = os.open(path, os.O_RDWR)
os.pwrite(f, b'first', 0)
os.pwrite(f, b'middle', 5000000)
os.ftruncate(f, 6000000)
os.pwrite(f, b'far', 7000000)
assert os.pread(f, 5, 0) == b'first' and os.pread(f, 3, 7000000) == b'far'
os.fsync(f)
a = os.open(path, os.O_WRONLY | os.O_APPEND)
os.write(a, b'end')
os.pwrite(f, b'again', 2)
os.close(a)
os.posix_fallocate(f, 0, 7100000)
os.close(f)
os.truncate(path, 7050000)
f = os.open(path, os.O_WRONLY)
os.lseek(f, 4000000, os.SEEK_SET)
os.write(f, b'x' * 300000)
os.close(f)
t = os.open(path + '2', os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.pwrite(t, b'back', 10)
os.pwrite(t, b'front', 0)
os.close(t)
t = os.open(path + '2', os.O_RDWR | os.O_TRUNC)
os.write(t, b'z')
os.close(t)";

#[test]
fn a_file_can_be_written_anywhere() {
    let bytes = pattern(7, 0, 9 * MIB as usize + 17);
    let plain = tempfile::tempdir().expect("a temporary folder");
    let twin = plain.path().join("big");
    fs::write(&twin, &bytes).expect("it can be written");
    assert_eq!(python(ANYWHERE, &twin), "");
    let (one, two) = (fs::read(&twin).expect("it is there"), fs::read(plain.path().join("big2")).expect("it is there"));
    for personality in servers().into_iter().chain([Personality::iis(), Personality::no_feat()]) {
        let (one, two) = (one.clone(), two.clone());
        with(personality, tree(), LONG, move |scene| {
            assert_eq!(python(ANYWHERE, &scene.at("big")), "");
            assert!(scene.held("big") == one, "{}", scene.server.log());
            assert_eq!(scene.held("big2"), two);
            assert!(scene.read("big").expect("it can be read") == one);
            scene.tidy();
        });
    }
}

#[test]
fn holes_are_zeros() {
    const PUNCH: &str = "f = os.open(path, os.O_RDWR)\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                         def punch(mode):\n    r = libc.fallocate(f, mode, ctypes.c_long(0), ctypes.c_long(4096))\n    \
                         return errno.errorcode[ctypes.get_errno()] if r else 'ok'\n\
                         print(punch(3), punch(16), punch(8))";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let mut file = scene.open("new", OpenOptions::new().read(true).write(true).create(true));
        file.write_all_at(b"end", 300_000).expect("it can be written");
        file.set_len(400_000).expect("it can be longer");
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("it can be read");
        let wanted = [&vec![0; 300_000][..], b"end", &vec![0; 99_997]].concat();
        assert!(bytes == wanted, "{} bytes", bytes.len());
        close(file).expect("it can be stored");
        assert!(scene.held("new") == wanted);
        // Python's name for the same number as EOPNOTSUPP.
        assert_eq!(python(PUNCH, &scene.at("new")), "ENOTSUP ENOTSUP ENOTSUP");
        assert!(scene.held("new") == wanted);
    });
}

#[test]
fn appends_go_to_the_end_as_known_here() {
    let append = || OpenOptions::new().append(true).clone();
    with(Personality::mlsd(), tree(), LONG, move |scene| {
        let (one, two) = (scene.open("d/a.txt", &mut append()), scene.open("d/a.txt", &mut append()));
        for (mut file, text) in [(&one, b" one"), (&two, b" two"), (&one, b" 111")] {
            file.write_all(text).expect("it can be written");
        }
        close(one).and(close(two)).expect("it can be stored");
        assert_eq!(scene.held("d/a.txt"), b"hello world one two 111");
    });
    // Somebody else appends, too, and this mount still believes what it knows.
    with(Personality::mlsd(), tree(), LONG, move |scene| {
        let mut file = scene.open("d/a.txt", &mut append());
        scene.write("d/a.txt", "hello world and theirs", 60);
        file.write_all(b" and ours").expect("it can be written");
        let done = close(file);
        assert_eq!(errno(done), Some(libc::ESTALE));
        assert_eq!(scene.held("d/a.txt"), b"hello world and theirs");
    });
}

#[test]
fn o_excl_is_exact_on_one_mount() {
    for options in [NEVER, LONG] {
        with(Personality::mlsd(), tree(), options, |scene| {
            let make = |name: &str| OpenOptions::new().write(true).create_new(true).open(scene.at(name));
            refused(make("big"), libc::EEXIST, "a name that the server has");
            for round in 0..10 {
                let name = format!("lock{round}");
                let made = thread::scope(|scope| {
                    let all: Vec<_> = (0..8).map(|_| scope.spawn(|| errno(make(&name)))).collect();
                    all.into_iter().map(|one| one.join().expect("it does not panic")).collect::<Vec<_>>()
                });
                assert_eq!(made.iter().filter(|errno| errno.is_none()).count(), 1, "{made:?}");
                assert!(made.iter().flatten().all(|&errno| errno == libc::EEXIST), "{made:?}");
            }
        });
    }
}

#[test]
fn a_shared_mapping_is_stored() {
    const MAP: &str = "f = os.open(path, os.O_RDWR)\nm = mmap.mmap(f, 0)\nm[6:11] = b'WORLD'\nos.fsync(f)\n\
                       m[0:5] = b'HELLO'\nos.close(f)";
    const LATE: &str = "f = os.open(path, os.O_RDWR)\nm = mmap.mmap(f, 0)\nos.close(f)\nm[0:5] = b'later'\nm.close()";
    for personality in [Personality::mlsd(), Personality::unix_list()] {
        with(personality, tree(), LONG, |scene| {
            python(MAP, &scene.at("d/a.txt"));
            assert_eq!(scene.held("d/a.txt"), b"HELLO WORLD");
            python(LATE, &scene.at("d/a.txt"));
            let stored = || (scene.held("d/a.txt") == b"later WORLD").then_some(());
            super::wait_until("what was mapped to be stored", LIMIT, stored);
        });
    }
}

#[test]
fn a_child_stores_nothing_of_its_parents() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let mut writer = scene.open("d/a.txt", OpenOptions::new().write(true));
        writer.write_all(b"HELLO").expect("it can be written");
        let cat = stdout_of(super::command("cat", [scene.at("d/a.txt")]).env("LC_ALL", "C"), PROGRAM_LIMIT);
        assert_eq!(cat, b"HELLO world", "another program");
        assert_eq!(scene.held("d/a.txt"), b"hello world", "it has closed its copy of the descriptor");
        close(writer).expect("it can be stored");
        assert_eq!(scene.held("d/a.txt"), b"HELLO world");
    });
}

#[test]
fn descriptors_of_one_file_see_each_others_bytes() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let (mut reader, mut writer) = (
            scene.open("d/a.txt", OpenOptions::new().read(true)),
            scene.open("d/a.txt", OpenOptions::new().read(true).write(true)),
        );
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it can be read");
        writer.write_all_at(b"HELLO", 0).expect("it can be written");
        writer.seek(std::io::SeekFrom::End(0)).expect("it has an end");
        writer.write_all(b", and more").expect("it can be written");
        text.clear();
        reader.rewind().and_then(|()| reader.read_to_string(&mut text)).expect("it can be read");
        assert_eq!(text, "HELLO world, and more");
        let cat = stdout_of(super::command("cat", [scene.at("d/a.txt")]).env("LC_ALL", "C"), PROGRAM_LIMIT);
        assert_eq!(cat, text.as_bytes(), "another program");
        close(writer).expect("it can be stored");
        assert_eq!(scene.held("d/a.txt"), text.as_bytes());
        text.clear();
        reader.rewind().and_then(|()| reader.read_to_string(&mut text)).expect("it can be read");
        assert_eq!(text, "HELLO world, and more", "our own change makes nothing stale");
    });
}

// What is shown.

#[test]
fn own_changes_show_at_once() {
    for personality in servers() {
        with(personality, tree(), LONG, |scene| {
            assert_eq!((scene.names(""), scene.names("d")), (vec!["big".into(), "d".into()], vec!["a.txt".into()]));
            refused(scene.stat("d/new"), libc::ENOENT, "not yet");
            scene.put("d/new", "12345").expect("it can be stored");
            assert_eq!(scene.stat("d/new").expect("it is there").len(), 5);
            scene.put("d/a.txt", "1").expect("it can be stored");
            assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 1);
            fs::create_dir(scene.at("d/sub")).expect("mkdir");
            fs::rename(scene.at("d/new"), scene.at("d/sub/moved")).expect("rename");
            refused(scene.stat("d/new"), libc::ENOENT, "the old name");
            assert_eq!(scene.stat("d/sub/moved").expect("it is there").len(), 5);
            assert_eq!(
                (scene.names("d"), scene.names("d/sub")),
                (vec!["a.txt".into(), "sub".into()], vec!["moved".into()])
            );
            fs::remove_file(scene.at("d/sub/moved")).expect("unlink");
            fs::remove_dir(scene.at("d/sub")).expect("rmdir");
            refused(scene.stat("d/sub"), libc::ENOENT, "a directory that was removed");
            assert_eq!(scene.names("d"), ["a.txt"]);
        });
    }
}

#[test]
fn stat_shows_what_was_written() {
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        let mut file = scene.open("d/a.txt", OpenOptions::new().append(true));
        file.write_all(b", and more").expect("it can be written");
        let found = scene.stat("d/a.txt").expect("it is there");
        assert_eq!(found.len(), 21);
        let modified = |found: &fs::Metadata| found.modified().expect("Linux has it");
        assert!(modified(&found) > std::time::UNIX_EPOCH + std::time::Duration::from_secs(DEFAULT_MTIME as u64 + 7));
        file.set_len(3).expect("it can be cut");
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 3);
        assert_eq!(file.metadata().expect("it is open").len(), 3);
        close(file).expect("it can be stored");
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 3);
    });
    // Two programs, one of which lists while the other writes.
    with_deadline(LIMIT, "semantics", || {
        let server = FakeServer::start(Personality::unix_list(), Tree::new());
        let mount = Mount::new(&server.url(""), NEVER);
        let mut file = File::create(mount.path().join("new")).expect("it can be made");
        file.write_all(&[1; 100_000]).expect("it can be written");
        let shown = python(
            "print(os.stat(path).st_size, next(os.scandir(os.path.dirname(path))).stat().st_size)",
            &mount.path().join("new"),
        );
        assert_eq!(shown, "100000 100000");
    });
}
