//! Writing through a mount where little is at hand: one connection, a small spool, a full disk; and many at once.

mod support;

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use ftpfs::base::sys;
use support::process::{PROGRAM_LIMIT, command, run, wait_until};
use support::programs::{stdout_in, temporary};
use support::scene::{LIMIT, Scene, close, limited, number, pattern, put};
use support::server::{Append, DEFAULT_MTIME, Fault, Personality, Restart, Stage, Tree};

const MIB: u64 = 1 << 20;
/// Each question goes to the server.
const NEVER: &str = "attr_timeout=0,dir_timeout=0,negative_timeout=0";

fn tree() -> Tree {
    let tree = Tree::new().file("old", b"the old content", DEFAULT_MTIME).dir("d");
    tree.file_pattern("big", 20 * MIB, 3).file_pattern("d/other", MIB, 4)
}

/// A server that appends, and one that does not.
fn appends(works: bool) -> Personality {
    Personality::mlsd().writing(|it| {
        (it.append, it.restart) =
            if works { (Append::Works, Restart::KeepsTail) } else { (Append::Refused, Restart::Refused) };
    })
}

#[test]
fn one_connection_is_enough_for_everything() {
    limited(|| {
        for works in [true, false] {
            let scene = Scene::new(appends(works), tree(), "max_connections=1,timeout=20s");
            let top = scene.mount.path();
            // Reads and writes at once.
            stdout_in(&top, "cp", &["big", "d/copy"]);
            scene.has("d/copy", &pattern(3, 20 * MIB));
            // A listing while a large file is on its way.
            let mut file = File::create(scene.at("d/stream")).expect("is made");
            let bytes = pattern(5, 12 * MIB);
            for (n, piece) in bytes.chunks(MIB as usize).enumerate() {
                file.write_all(piece).expect("the spool takes it");
                if n % 4 == 1 {
                    fs::create_dir(scene.at(&format!("dir-{n}"))).expect("is made meanwhile");
                    stdout_in(&top, "ls", &["-la", "d"]);
                }
            }
            assert_eq!(number(close(file)), 0);
            scene.has("d/stream", &bytes);
            // Many open files, written in turn.
            let paths: Vec<_> = (0..12).map(|n| format!("d/open-{n}")).collect();
            let mut files: Vec<_> = paths.iter().map(|path| File::create(scene.at(path)).expect("is made")).collect();
            for round in 0..3u8 {
                for file in &mut files {
                    file.write_all(&[round; 5000]).expect("the spool takes it");
                }
            }
            files.into_iter().for_each(|file| assert_eq!(number(close(file)), 0, "{}", scene.mount.log()));
            let wanted = [[0; 5000], [1; 5000], [2; 5000]].concat();
            paths.iter().for_each(|path| scene.has(path, &wanted));
            scene.works();
        }
    });
}

#[test]
fn twenty_writers_share_two_connections() {
    limited(|| {
        for works in [true, false] {
            let scene = Scene::new(appends(works), tree(), "max_connections=2,timeout=20s");
            let together = Barrier::new(20);
            thread::scope(|all| {
                for n in 0..20 {
                    let (scene, together) = (&scene, &together);
                    all.spawn(move || {
                        together.wait();
                        let bytes = pattern(n, 3 * MIB + n);
                        assert_eq!(number(put(&scene.at(&format!("d/w{n}")), &bytes)), 0, "{n}");
                    });
                }
            });
            (0..20).for_each(|n| scene.has(&format!("d/w{n}"), &pattern(n, 3 * MIB + n)));
            assert!(scene.server.max_seen_connections() <= 2);
            scene.works();
        }
    });
}

/// Those who only stand behind others of ours have met no failure.
#[test]
fn who_waits_for_a_connection_longer_than_the_timeout_still_stores() {
    limited(|| {
        let personality = appends(false).writing(|it| it.receive_buffer = Some(64 * 1024));
        let scene = Scene::new(personality, tree(), "max_connections=1,timeout=2s");
        // Each piece is in time; the whole takes many timeouts.
        scene.server.fault(Fault::slow_data(128 * 1024, Duration::from_millis(40)).path("d/slow"));
        thread::scope(|all| {
            let slow = all.spawn(|| number(put(&scene.at("d/slow"), &pattern(1, 40 * MIB))));
            scene.server.await_bytes("d/slow", MIB);
            let file = OpenOptions::new().write(true).open(scene.at("old")).expect("opens");
            file.write_all_at(b"NEW", 4).expect("the spool takes it");
            assert_eq!(number(close(file)), 0, "{}", scene.mount.log());
            assert_eq!(slow.join().expect("no panic"), 0);
        });
        scene.has("old", b"the NEW content");
        scene.has("d/slow", &pattern(1, 40 * MIB));
        scene.works();
    });
}

#[test]
fn a_file_larger_than_the_spool_passes_through_it_in_one_piece() {
    limited(|| {
        for (works, name) in [(true, "d/new"), (true, "big"), (false, "d/new")] {
            let scene = Scene::new(appends(works), tree(), "spool_size=16M");
            let bytes = pattern(7, 100 * MIB);
            assert_eq!(number(put(&scene.at(name), &bytes)), 0, "{}", scene.mount.log());
            scene.has(name, &bytes);
            assert_eq!(fs::metadata(scene.at(name)).expect("is there").len(), 100 * MIB);
            assert!(fs::read(scene.at(name)).expect("readable") == bytes);
            scene.works();
        }
    });
}

/// Each program that was started in the middle of a write closed its copy of the descriptor, and had stored what there was.
#[test]
fn a_child_that_closes_its_copy_stores_nothing() {
    limited(|| {
        let scene = Scene::new(appends(true), tree(), "timeout=20s");
        let bytes = pattern(8, 5 * MIB);
        let mut file = File::create(scene.at("d/new")).expect("is made");
        for piece in bytes.chunks(MIB as usize) {
            file.write_all(piece).expect("the spool takes it");
            stdout_in(&scene.mount.path(), "true", &[]);
        }
        assert_eq!(number(close(file)), 0);
        scene.has("d/new", &bytes);
        let log = scene.server.log();
        let stored = |line: &&&str| line.starts_with("STOR") || line.starts_with("APPE");
        assert_eq!(log.commands().iter().filter(stored).count(), 1, "{}", scene.mount.log());
        // Who writes stores, whoever has opened it.
        let shell = ["-c", "exec 3> d/other; sh -c 'printf data >&3'; cat d/other"];
        assert_eq!(stdout_in(&scene.mount.path(), "sh", &shell), "data");
        scene.has("d/other", b"data");
        scene.works();
    });
}

#[test]
fn what_has_left_the_spool_does_not_change_any_more() {
    limited(|| {
        // One that could give way would begin anew with a spool that has nothing to lose.
        let scene = Scene::new(appends(false), tree(), "spool_size=16M");
        let mut bytes = pattern(7, 40 * MIB);
        let mut file =
            OpenOptions::new().read(true).write(true).create_new(true).open(scene.at("d/new")).expect("is made");
        file.write_all(&bytes).expect("passes through");
        assert_eq!(number(file.write_all_at(b"header", 0)), libc::ENOSPC, "{}", scene.mount.log());
        assert_eq!(number(file.set_len(5)), libc::ENOSPC);
        file.seek(SeekFrom::End(0)).expect("seeks");
        file.write_all(b"footer").expect("goes on behind it");
        let mut last = [0; 10];
        file.read_exact_at(&mut last, 40 * MIB - 4).expect("what was just written is here");
        assert_eq!(&last[4..], b"footer");
        assert_eq!(number(close(file)), 0, "{}", scene.mount.log());
        bytes.extend_from_slice(b"footer");
        scene.has("d/new", &bytes);
        scene.works();
    });
}

#[test]
fn a_spool_that_is_too_small_is_a_full_disk() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "spool_size=16M");
        let before = scene.server.content("big");
        // Not in one piece: all of it would have to be here.
        let file = OpenOptions::new().write(true).open(scene.at("big")).expect("opens");
        file.write_all_at(b"x", 7).expect("the spool takes it");
        assert_eq!(number(close(file)), libc::ENOSPC, "{}", scene.mount.log());
        assert_eq!(scene.server.content("big"), before);
        scene.works();
    });
}

#[test]
fn a_full_spool_disk_is_enospc_and_passes() {
    limited(|| {
        let (folder, disk) = (temporary(), temporary());
        let at = CString::new(disk.path().as_os_str().as_bytes()).expect("no NUL");
        sys::mount(c"tmpfs", &at, c"tmpfs", 0, c"size=4m,mode=0700").expect("root mounts a tmpfs");
        let scene = Scene::with_spool(Personality::mlsd(), tree(), "", disk.path().join("spool"), folder);
        assert_eq!(number(put(&scene.at("d/new"), &pattern(1, 30 * MIB))), libc::ENOSPC);
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
        assert_eq!(mode(scene.spool()), 0o700);
        let open = fs::read_dir(format!("/proc/{}/fd", scene.mount.pid())).expect("root may").filter_map(|entry| {
            let path = entry.expect("a name").path();
            fs::read_link(&path).ok()?.starts_with(disk.path()).then_some(path)
        });
        open.for_each(|path| assert_eq!(fs::metadata(path).map_or(0, |it| it.mode()) & 0o077, 0));
        scene.works();
        sys::unmount(&at, true).expect("unmounts");
    });
}

#[test]
fn a_file_has_one_content_for_all_its_handles() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "");
        let open = || OpenOptions::new().read(true).write(true).open(scene.at("big")).expect("opens");
        let truth = std::sync::Mutex::new(pattern(3, 20 * MIB));
        thread::scope(|all| {
            for n in 0..8u64 {
                let (file, truth) = (open(), &truth);
                all.spawn(move || {
                    for round in 0..20 {
                        let at = (n * 20 + round) * 100_003;
                        let piece = pattern(n * 100 + round, 5000);
                        file.write_all_at(&piece, at).expect("writes");
                        truth.lock().unwrap()[at as usize..][..5000].copy_from_slice(&piece);
                        let mut seen = vec![0; 5000];
                        file.read_exact_at(&mut seen, at).expect("reads");
                        assert!(seen == piece, "{n}, {round}");
                        if round % 7 == 0 {
                            file.sync_all().expect("is stored");
                        }
                    }
                    assert_eq!(number(close(file)), 0);
                });
            }
        });
        scene.has("big", &truth.into_inner().unwrap());
        scene.works();
    });
}

/// Else who flushes would chase who writes, for ever.
#[test]
fn fsync_ends_although_another_handle_writes_on() {
    limited(|| {
        let scene = Scene::new(appends(false), tree(), "");
        let over = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|all| {
            let writer = all.spawn(|| {
                let file = OpenOptions::new().write(true).open(scene.at("big")).expect("opens");
                let mut n = 0u64;
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    file.write_all_at(&n.to_le_bytes(), (n % 1000) * 8).expect("writes");
                    n += 1;
                }
                number(close(file))
            });
            let file = OpenOptions::new().write(true).open(scene.at("big")).expect("opens");
            for _ in 0..3 {
                file.write_all_at(b"mark", 19 * MIB).expect("writes");
                file.sync_all().expect("is stored");
                let stored = scene.server.content("big").expect("is there");
                assert_eq!(&stored[19 * MIB as usize..][..4], b"mark");
            }
            fs::rename(scene.at("big"), scene.at("d/renamed")).expect("is renamed while it is written");
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(writer.join().expect("no panic"), 0);
        });
        assert!(!scene.server.exists("big"));
        scene.has("d/renamed", &fs::read(scene.at("d/renamed")).expect("readable"));
        scene.works();
    });
}

#[test]
fn old_bytes_are_read_while_a_tail_is_on_its_way() {
    limited(|| {
        for locks in [false, true] {
            let personality = Personality::mlsd().writing(|it| it.locks = locks);
            let scene = Scene::new(personality, tree(), "timeout=5s");
            let file = OpenOptions::new().read(true).append(true).open(scene.at("big")).expect("opens");
            let over = std::sync::atomic::AtomicBool::new(false);
            thread::scope(|all| {
                let reader = all.spawn(|| {
                    let mut at = 0;
                    let mut bytes = vec![0; 100_000];
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        file.read_exact_at(&mut bytes, at).unwrap_or_else(|e| panic!("at {at}: {e}"));
                        assert!(bytes == pattern(3, at + 100_000)[at as usize..], "at {at}");
                        at = (at + 3_000_017) % (19 * MIB);
                    }
                });
                for n in 0..6 {
                    (&file).write_all(&pattern(n, 2 * MIB)).expect("writes");
                    file.sync_all().unwrap_or_else(|e| panic!("fsync {n}, locks {locks}: {e}\n{}", scene.mount.log()));
                }
                over.store(true, std::sync::atomic::Ordering::Relaxed);
                reader.join().unwrap_or_else(|_| panic!("locks {locks}:\n{}", scene.mount.log()));
            });
            drop(file);
            let tails: Vec<_> = (0..6).flat_map(|n| pattern(n, 2 * MIB)).collect();
            scene.has("big", &[pattern(3, 20 * MIB), tails].concat());
            scene.works();
        }
    });
}

/// vsftpd stores nothing in a file that somebody is reading, and says nothing meanwhile.
#[test]
fn a_file_that_is_being_read_can_be_appended_to_on_servers_that_lock() {
    limited(|| {
        let personality = Personality::mlsd().writing(|it| it.locks = true);
        let scene = Scene::new(personality, tree().file_pattern("long", 40 * MIB, 6), "timeout=5s");
        let mut reader = File::open(scene.at("long")).expect("opens");
        let mut head = vec![0; 3 * MIB as usize];
        reader.read_exact(&mut head).expect("reads");
        let mut file = OpenOptions::new().append(true).open(scene.at("long")).expect("opens");
        file.write_all(b"tail").expect("writes");
        assert_eq!(number(close(file)), 0, "{}", scene.mount.log());
        // The transfer to the reader, who had paused, was what kept the server from taking the tail.
        assert!(!scene.mount.log().contains("broke off"), "{}", scene.mount.log());
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).expect("reads on");
        drop(reader);
        assert!([head, rest].concat() == [&pattern(6, 40 * MIB)[..], b"tail"].concat());
        scene.works();
    });
}

#[test]
fn names_change_while_a_transfer_is_under_way() {
    limited(|| {
        for stage in [Stage::AfterOpening, Stage::Data(MIB), Stage::Final] {
            let scene = Scene::new(Personality::mlsd(), tree(), "timeout=20s");
            let bytes = pattern(2, 5 * MIB);
            let stalled = |name: &str| {
                scene.server.clear_log();
                scene.server.fault(Fault::stall(stage).verb("STOR").times(1));
                let (path, bytes) = (scene.at(name), bytes.clone());
                thread::spawn(move || number(put(&path, &bytes)))
            };
            // Renamed: the rename waits for the 226.
            let writer = stalled("d/renamed");
            scene.server.await_stalls(1);
            let (from, to) = (scene.at("d/renamed"), scene.at("d/to"));
            let rename = thread::spawn(move || number(fs::rename(from, to)));
            scene.server.heal();
            assert_eq!((writer.join().expect("ends"), rename.join().expect("ends")), (0, 0), "{stage:?}");
            scene.has("d/to", &bytes);
            assert!(!scene.server.exists("d/renamed"));
            // Cut: what has been sent is not what it is.
            let writer = stalled("d/cut");
            scene.server.await_stalls(1);
            let path = scene.at("d/cut");
            let cut =
                thread::spawn(move || number(OpenOptions::new().write(true).open(path).and_then(|f| f.set_len(10))));
            scene.server.heal();
            assert_eq!((writer.join().expect("ends"), cut.join().expect("ends")), (0, 0), "{stage:?}");
            let shown = fs::read(scene.at("d/cut")).expect("readable");
            scene.has("d/cut", &shown);
            // Removed.
            let writer = stalled("d/removed");
            scene.server.await_stalls(1);
            let path = scene.at("d/removed");
            let removal = thread::spawn(move || number(fs::remove_file(path)));
            scene.server.heal();
            writer.join().expect("ends");
            assert_eq!(removal.join().expect("ends"), 0, "{stage:?}");
            assert!(!scene.server.exists("d/removed"), "{stage:?}");
            scene.works();
        }
    });
}

#[test]
fn one_of_two_who_make_a_file_wins() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "");
        for n in 0..10 {
            let (path, together) = (scene.at(&format!("d/x{n}")), Barrier::new(4));
            let made = thread::scope(|all| {
                let make = || {
                    together.wait();
                    number(OpenOptions::new().write(true).create_new(true).open(&path))
                };
                let all: Vec<_> = (0..4).map(|_| all.spawn(make)).collect();
                all.into_iter().map(|it| it.join().expect("no panic")).collect::<Vec<_>>()
            });
            assert_eq!(made.iter().filter(|it| **it == 0).count(), 1, "{made:?}");
            assert_eq!(made.iter().filter(|it| **it == libc::EEXIST).count(), 3, "{made:?}");
        }
        scene.works();
    });
}

#[test]
fn who_has_a_file_open_sees_it_grow_and_keeps_its_number() {
    limited(|| {
        for options in ["", NEVER] {
            let scene = Scene::new(Personality::mlsd(), tree(), options);
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(true).open(scene.at("d/f")).unwrap();
            let ino = file.metadata().expect("stat").ino();
            for n in 1..=5u64 {
                file.write_all(&pattern(n, 1000)).expect("writes");
                stdout_in(&scene.mount.path(), "ls", &["-la", "d", "."]);
                let (here, there) = (file.metadata().expect("fstat"), fs::metadata(scene.at("d/f")).expect("stat"));
                assert_eq!((here.ino(), there.ino()), (ino, ino), "{options}, {n}");
                assert_eq!((here.len(), there.len()), (n * 1000, n * 1000), "{options}, {n}");
                assert_eq!(here.mtime(), there.mtime());
                if n == 3 {
                    file.sync_all().expect("is stored");
                }
            }
            assert_eq!(number(close(file)), 0);
            assert_eq!(fs::metadata(scene.at("d/f")).expect("stat").mtime(), scene.server.mtime_of("d/f").unwrap());
            scene.works();
        }
    });
}

#[test]
fn a_reader_of_what_is_replaced_reads_the_old_content_or_is_told() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "");
        let mut reader = File::open(scene.at("big")).expect("opens");
        let mut head = vec![0; 100_000];
        reader.read_exact(&mut head).expect("reads");
        assert_eq!(number(put(&scene.at("big.tmp"), &pattern(9, 20 * MIB))), 0);
        fs::rename(scene.at("big.tmp"), scene.at("big")).expect("replaces");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).expect("who holds the old file open reads on in it");
        assert!([head, rest].concat() == pattern(3, 20 * MIB), "mixed content");
        drop(reader);
        assert!(fs::read(scene.at("big")).expect("reads") == pattern(9, 20 * MIB));
        scene.works();
    });
}

#[test]
fn what_is_mapped_and_synced_is_stored() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "");
        let script = "import mmap,os,sys\nf=os.open(sys.argv[1],os.O_RDWR)\nm=mmap.mmap(f,0)\n\
                      m[5000:5004]=b'MARK'\nm.flush()\nos.fsync(f)\nos.close(f)\nm[9000:9004]=b'LATE'\nm.flush()\nm.close()\n";
        let mut python = command("python3", ["-c".into(), script.into(), scene.at("d/other").into_os_string()]);
        let output = run(&mut python, PROGRAM_LIMIT);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut wanted = pattern(4, MIB);
        wanted[5000..5004].copy_from_slice(b"MARK");
        wanted[9000..9004].copy_from_slice(b"LATE");
        wait_until("what was mapped still when the file was closed", LIMIT, || {
            (scene.server.content("d/other")? == wanted).then_some(())
        });
        scene.works();
    });
}
