//! How the bytes of an upload land, and what others see of them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use super::support::server::{Append, Cut, DEFAULT_MTIME, End, Fault, Personality, Renames, Restart, Stage};
use super::{LONG, MIB, NEVER, close, errno, pattern, refused, tree, with};

const TWO_MIB: usize = 2 * MIB as usize;

/// The connection breaks after a megabyte, always.
fn broken() -> Fault {
    Fault::cut(Stage::Data(MIB), Cut::both(End::Rst)).verb("STOR")
}

/// The disk is full when all has come.
fn full() -> Fault {
    Fault::reply_at(Stage::Final, "452 No space left on device").verb("STOR")
}

#[test]
fn a_new_file_is_stored_in_place() {
    for options in [&[][..], &["-o", "upload=inplace"]] {
        with(Personality::mlsd(), tree(), options, |scene| {
            let bytes = pattern(4, 0, TWO_MIB);
            let stall = Fault::stall(Stage::Data(MIB)).verb("STOR");
            let grows = || assert!(scene.server.len_of("d/new").is_some_and(|len| len >= MIB));
            scene.stalled(stall, || scene.put("d/new", &bytes), grows).expect("it can be stored");
            assert_eq!(scene.server.paths_of("STOR"), ["d/new"]);
            assert_eq!(scene.server.log().verb("RNFR"), 0);
            assert!(scene.held("d/new") == bytes);
            // A file without content is nothing to be afraid for.
            scene.put("d/new", "").expect("it can be stored");
            scene.server.clear_log();
            scene.put("d/new", "x").expect("it can be stored");
            assert_eq!(scene.server.paths_of("STOR"), ["d/new"]);
            scene.server.fault(full());
            refused(scene.put("d/other", "partly"), libc::ENOSPC, "a full disk");
            assert!(scene.server.exists("d/other"), "what has been sent may stay");
        });
    }
}

#[test]
fn a_replaced_file_keeps_its_old_content_until_the_new_is_whole() {
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), Personality::iis()] {
        with(personality, tree(), NEVER, |scene| {
            let bytes = pattern(4, 0, TWO_MIB);
            let look = || {
                assert_eq!(scene.held("d/a.txt"), b"hello world");
                let all = scene.server.paths();
                assert!(all.iter().any(|path| path.starts_with("d/.ftpfs-part-")), "{all:?}");
                assert_eq!(scene.names("d"), ["a.txt"], "our names are not shown");
            };
            let stall = Fault::stall(Stage::Data(MIB)).verb("STOR");
            scene.stalled(stall, || scene.put("d/a.txt", &bytes), look).expect("it can be stored");
            assert!(scene.held("d/a.txt") == bytes);
            assert_eq!(scene.server.count_of("STOR", "d/a.txt"), 0);
            // A change in the middle, which fails.
            scene.server.fault(full());
            let file = scene.open("d/a.txt", OpenOptions::new().write(true));
            file.write_all_at(b"middle", MIB).expect("it can be written");
            refused(close(file), libc::ENOSPC, "a full disk");
            assert!(scene.held("d/a.txt") == bytes);
            scene.tidy();
        });
    }
    // Where no such name or no such rename is allowed, in place.
    let refuses_names = Personality::mlsd().writing(|it| it.refused_names = vec![".ftpfs-*".into()]);
    let refuses_renames = Personality::mlsd().writing(|it| it.renames = Renames::Never);
    for personality in [refuses_names, refuses_renames] {
        with(personality, tree(), LONG, |scene| {
            scene.put("d/a.txt", "in place").expect("it can be stored");
            assert_eq!(scene.held("d/a.txt"), b"in place");
            scene.tidy();
        });
    }
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pure(), Personality::pyftpdlib()] {
        with(personality, tree().with_mode("d/a.txt", 0o640).with_mode("big", 0o755), LONG, |scene| {
            scene.put("d/a.txt", "new content").expect("it can be stored");
            let file = scene.open("big", OpenOptions::new().write(true));
            file.write_all_at(b"new", 5).and(close(file)).expect("it can be stored");
            assert_eq!((scene.server.mode_of("d/a.txt"), scene.server.mode_of("big")), (Some(0o640), Some(0o755)));
            assert_eq!(scene.held("d/a.txt"), b"new content");
        });
    }
}

#[test]
fn upload_inplace_uses_no_other_name() {
    with(Personality::mlsd(), tree(), &["-o", "upload=inplace"], |scene| {
        let bytes = pattern(4, 0, TWO_MIB);
        let stall = Fault::stall(Stage::Data(MIB)).verb("STOR");
        let gone = || assert!(scene.server.len_of("d/a.txt").is_some_and(|len| len >= MIB));
        scene.stalled(stall, || scene.put("d/a.txt", &bytes), gone).expect("it can be stored");
        assert!(scene.held("d/a.txt") == bytes);
        assert_eq!((scene.server.paths_of("STOR"), scene.server.log().verb("RNFR")), (vec!["d/a.txt".to_owned()], 0));
        scene.server.fault(full());
        refused(scene.put("d/a.txt", "partly"), libc::ENOSPC, "a full disk");
        assert_ne!(scene.held("d/a.txt"), bytes, "the old content is gone");
    });
}

#[test]
fn upload_atomic_shows_no_unfinished_file() {
    const ATOMIC: &[&str] = &["-o", "upload=atomic"];
    with(Personality::mlsd(), tree(), ATOMIC, |scene| {
        let bytes = pattern(4, 0, TWO_MIB);
        for name in ["new", "d/a.txt"] {
            let stall = Fault::stall(Stage::Data(MIB)).verb("STOR");
            let before = scene.server.content(name);
            let unseen = || assert_eq!(scene.server.content(name), before);
            scene.stalled(stall, || scene.put(name, &bytes), unseen).expect("it can be stored");
            assert!(scene.held(name) == bytes);
        }
        // Neither does an append.
        let mut file = scene.open("new", OpenOptions::new().append(true));
        file.write_all(b"tail").expect("it can be written");
        scene.server.clear_log();
        close(file).expect("it can be stored");
        assert_eq!((scene.server.count_of("STOR", "new"), scene.server.count_of("APPE", "new")), (0, 0));
        assert!(scene.held("new") == [&bytes[..], b"tail"].concat());
        scene.server.fault(full());
        refused(scene.put("other", "never"), libc::ENOSPC, "a full disk");
        assert!(!scene.server.exists("other"));
        scene.tidy();
    });
    with(Personality::mlsd().writing(|it| it.renames = Renames::Never), tree(), ATOMIC, |scene| {
        refused(scene.put("d/a.txt", "never"), libc::EACCES, "a server that does not rename");
        assert_eq!(scene.held("d/a.txt"), b"hello world");
        scene.tidy();
    });
}

#[test]
fn an_append_sends_only_its_tail() {
    const LEN: usize = 9 * MIB as usize + 17;
    let servers = [
        (Personality::mlsd(), true),
        (Personality::unix_list(), true),
        (Personality::proftpd(), true),
        (Personality::pyftpdlib(), true),
        (Personality::pure(), true),
        (Personality::mlsd().writing(|it| (it.append, it.restart) = (Append::Refused, Restart::Refused)), false),
        (Personality::mlsd().writing(|it| (it.append, it.restart) = (Append::Unknown, Restart::Ignored)), false),
        (Personality::mlsd().writing(|it| (it.append, it.restart) = (Append::FromStart, Restart::Truncates)), false),
        (Personality::mlsd().writing(|it| (it.append, it.restart) = (Append::Twice, Restart::Refused)), false),
    ];
    for (personality, spares) in servers {
        let shown = format!("{:?}", personality.writing);
        with(personality, tree(), LONG, move |scene| {
            scene.stat("big").expect("it is there");
            let mut wanted = pattern(7, 0, LEN);
            for line in [&b"one line\n"[..], b"another\n"] {
                scene.server.clear_log();
                let mut file = scene.open("big", OpenOptions::new().append(true));
                file.write_all(line).and_then(|()| close(file)).expect("it can be stored");
                wanted.extend_from_slice(line);
                assert!(scene.held("big") == wanted, "{shown}\n{}", scene.server.log());
                let bytes = scene.server.log().data_bytes();
                assert!(!spares || bytes < 10_000, "{shown}: {bytes} bytes\n{}", scene.server.log());
            }
        });
    }
}

#[test]
fn a_part_of_a_file_that_changed_is_stale() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let file = scene.open("big", OpenOptions::new().read(true).write(true));
        file.write_all_at(b"a change", 5 * MIB).expect("it can be written");
        scene.server.tree().update(|tree| tree.write_pattern("big", 9 * MIB + 17, 8, DEFAULT_MTIME + 60));
        refused(file.sync_all(), libc::ESTALE, "fsync(2)");
        assert!(scene.held("big") == pattern(8, 0, 9 * MIB as usize + 17), "theirs stays");
        refused(close(file), libc::ESTALE, "close(2), which has tried again");
        scene.tidy();
    });
    // What covers all of it needs nothing of the old.
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let file = scene.open("d/a.txt", OpenOptions::new().write(true));
        file.write_all_at(b"hello there", 0).expect("it can be written");
        scene.write("d/a.txt", "something else", 60);
        assert_eq!(errno(close(file)), None);
        assert_eq!(scene.held("d/a.txt"), b"hello there");
    });
}

#[test]
fn an_upload_that_breaks_is_begun_again() {
    for name in ["new", "d/a.txt"] {
        with(Personality::mlsd(), tree(), LONG, move |scene| {
            let bytes = pattern(5, 0, TWO_MIB);
            scene.server.fault(broken().times(2));
            scene.server.fault(Fault::cut(Stage::Final, Cut::control(End::Rst)).verb("STOR").nth(1));
            scene.put(name, &bytes).expect("it can be stored");
            assert!(scene.held(name) == bytes);
            assert!(scene.server.log().verb("STOR") > 2, "it did break");
            scene.tidy();
            // The rename has been done, and its answer is lost.
            scene.server.clear_log();
            scene.server.fault(Fault::cut(Stage::Done("RNTO"), Cut::control(End::Fin)).times(1));
            scene.put(name, "short").expect("it can be stored");
            assert_eq!((scene.held(name), scene.server.log().verb("RNTO")), (b"short".to_vec(), 1));
            scene.tidy();
        });
    }
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.server.fault(Fault::cut(Stage::Data(0), Cut::both(End::Rst)).verb("STOR"));
        refused(scene.put("d/a.txt", "never"), libc::EIO, "a connection that always breaks");
        assert!((4..=8).contains(&scene.server.log().verb("STOR")), "{}", scene.server.log());
        scene.server.heal();
        assert_eq!(scene.held("d/a.txt"), b"hello world");
    });
}
