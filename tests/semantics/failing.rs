//! Writing that fails: which number, at which call, and where the content is then. And the spool.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::support::process::{command, wait_until};
use super::support::server::{Cut, Dialect, Disk, End, Fault, Personality, Stage, Tells, Tree};
use super::{LIMIT, LONG, MIB, close, pattern, python, refused, succeeds, tree, with};

/// A spool of its own, and the options that name it.
pub(super) fn spool(more: &str) -> (TempDir, [String; 2]) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options = format!("spool_dir={}/spool{more}", dir.path().display());
    (dir, ["-o".to_owned(), options])
}

/// What is kept in the `lost` directory of a spool: contents, and the texts beside them.
pub(super) fn lost(spool: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(spool.join("spool/lost")).into_iter().flatten();
    let all: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    all.into_iter().partition(|path| path.extension().is_none())
}

#[test]
fn a_failed_upload_is_told_until_it_is_heard() {
    // In a program of its own: each child that a test starts closes copies of its descriptors, and would hear of it first.
    const SYNC: &str = "\
        f = os.open(path, os.O_WRONLY | os.O_CREAT)\n\
        os.write(f, b'one')\n\
        said = [tell(lambda: os.fsync(f)), tell(lambda: os.fsync(f))]\n\
        os.write(f, b'two')\n\
        print(*said, tell(lambda: os.close(f)))";
    let refuses = || Fault::reply_at(Stage::Final, "452 No space left on device").verb("STOR");
    with(Personality::mlsd(), tree(), LONG, move |scene| {
        scene.server.fault(refuses());
        assert_eq!(python(SYNC, &scene.at("new")), "ENOSPC ENOSPC ENOSPC", "each tries again");
        scene.server.heal();
        // Refused twice, then taken.
        scene.server.fault(refuses().path("other").times(2));
        assert_eq!(python(SYNC, &scene.at("other")), "ENOSPC ENOSPC ok");
        assert_eq!(scene.held("other"), b"onetwo");
    });
    // An upload that runs along fails while the program writes: writes go on failing until an fsync has told it.
    const ALONG: &str = "\
        f = os.open(path, os.O_WRONLY | os.O_CREAT)\n\
        said = 'ok'\n\
        at = 0\n\
        while said == 'ok' and at < 1 << 30:\n    \
            said = tell(lambda: os.pwrite(f, b'x' * 131072, at))\n    \
            at += 131072\n\
        print(said, *[tell(lambda: os.pwrite(f, b'y', 0)) for _ in range(3)], tell(lambda: os.fsync(f)))\n\
        os.ftruncate(f, 100000)\n\
        print(tell(lambda: os.fsync(f)), tell(lambda: os.close(f)))";
    with(Personality::mlsd().with_disk(Disk::of(3 * MIB)), Tree::new(), LONG, |scene| {
        let said = python(ALONG, &scene.at("new"));
        assert_eq!(said.split_whitespace().collect::<Vec<_>>(), [&["ENOSPC"; 5][..], &["ok", "ok"]].concat());
        assert_eq!(scene.held("new").len(), 100_000);
    });
}

#[test]
fn a_full_server_is_enospc() {
    let servers = [
        Personality::mlsd(),
        Personality::unix_list(),
        Personality::proftpd(),
        Personality::pure(),
        Personality::pyftpdlib(),
    ];
    for personality in servers {
        // pyftpdlib does not say why.
        let full = if personality.dialect == Dialect::Pyftpdlib { libc::EIO } else { libc::ENOSPC };
        for (disk, errno) in
            [(Disk::of(MIB), full), (Disk::of(MIB).telling(Tells::AtEnd), full), (Disk::of(MIB).quota(), libc::EDQUOT)]
        {
            let small = Tree::new().dir("d").file("d/a.txt", "hello world", 7);
            let shown = format!("{:?} {disk:?}", personality.dialect);
            with(personality.clone().with_disk(disk), small, LONG, move |scene| {
                scene.put("d/fits", pattern(1, 0, 1000)).expect("there is room");
                for name in ["d/new", "d/a.txt"] {
                    refused(scene.put(name, pattern(1, 0, 3 * MIB as usize)), errno, &shown);
                }
                assert_eq!(scene.held("d/a.txt"), b"hello world", "nothing else is harmed");
                assert_eq!(scene.held("d/fits"), pattern(1, 0, 1000));
            });
        }
    }
    // What the server refuses, open(2) says.
    let closed = Personality::mlsd().writing(|it| it.read_only = vec!["d".into()]);
    with(closed, tree(), LONG, |scene| {
        refused(fs::File::create(scene.at("d/new")), libc::EACCES, "a directory that cannot be written");
        refused(scene.put("d/a.txt", "other"), libc::EACCES, "a file in it");
        assert_eq!(scene.held("d/a.txt"), b"hello world");
    });
}

#[test]
fn what_could_not_be_stored_is_kept() {
    let (dir, options) = spool("");
    let options = [&options[0][..], &options[1]];
    with(Personality::mlsd(), tree(), &options, move |scene| {
        scene.server.fault(Fault::reply_at(Stage::Final, "452 No space left on device").verb("STOR"));
        refused(scene.put("d/a.txt", "what was dear"), libc::ENOSPC, "a full disk");
        let (contents, texts) = wait_until("something to be kept", LIMIT, || {
            let found = lost(dir.path());
            let complete = found.0.len() == 1 && found.1.iter().any(|text| fs::read(text).is_ok_and(|t| !t.is_empty()));
            complete.then_some(found)
        });
        assert_eq!(fs::read(&contents[0]).expect("it is ours"), b"what was dear");
        assert!(fs::read_to_string(&texts[0]).expect("it is ours").contains("/d/a.txt"), "{texts:?}");
        let place = contents[0].display().to_string();
        wait_until("the log to name the place", LIMIT, || scene.mount.log().contains(&place).then_some(()));
        for path in [&contents[0], &texts[0]] {
            assert_eq!(fs::metadata(path).expect("it is ours").mode() & 0o7777, 0o600);
        }
        // The server's file is shown again.
        scene.server.heal();
        assert_eq!(scene.held("d/a.txt"), b"hello world");
        let shown = wait_until("the old file to be shown", LIMIT, || {
            scene.read("d/a.txt").ok().filter(|bytes| bytes == b"hello world")
        });
        assert_eq!((shown.len(), scene.stat("d/a.txt").expect("it is there").len()), (11, 11));
        // And what is stored later keeps nothing.
        scene.put("d/a.txt", "new").expect("it can be stored");
        assert_eq!(lost(dir.path()).0.len(), 1);
    });
}

// The spool.

#[test]
fn the_spool_is_private() {
    let (dir, options) = spool(",writeback");
    let options = [&options[0][..], &options[1]];
    with(Personality::mlsd(), tree(), &options, move |scene| {
        scene.server.fault(Fault::stall(Stage::Reply("STOR")));
        scene.put("d/secret name", "secret text").expect("it is safe here");
        let find = |what: &[&str]| {
            let found = super::stdout_of(command("find", [dir.path().join("spool")]).args(what), super::PROGRAM_LIMIT);
            String::from_utf8(found).expect("text")
        };
        assert_ne!(find(&["-type", "f", "-size", "+0"]), "", "there is something in it");
        assert_eq!(find(&["-type", "f", "-not", "-perm", "600"]), "");
        assert_eq!(find(&["-type", "d", "-not", "-perm", "700"]), "");
        assert_eq!(find(&["-name", "*secret*"]), "");
        scene.server.heal();
        assert!(succeeds(command(env!("CARGO_BIN_EXE_ftpfs"), ["sync"]).arg(scene.at(""))));
        assert_eq!(scene.held("d/secret name"), b"secret text");
    });
    // One that others can write to is not used.
    let (dir, options) = spool("");
    fs::create_dir(dir.path().join("spool")).expect("it is ours");
    fs::set_permissions(dir.path().join("spool"), fs::Permissions::from_mode(0o777)).expect("it is ours");
    super::with_deadline(LIMIT, "semantics", move || {
        let server = super::FakeServer::start(Personality::mlsd(), tree());
        let said = super::Mount::refused(&server.url(""), &[&options[0], &options[1]]);
        assert!(String::from_utf8_lossy(&said.stderr).contains("can be written to by others"), "{said:?}");
        drop(dir);
    });
}

#[test]
fn a_full_spool_is_enospc() {
    let (_dir, options) = spool(",spool_size=16M");
    let options = [&options[0][..], &options[1]];
    with(Personality::mlsd(), tree(), &options, move |scene| {
        let _kept = &_dir;
        let file = fs::File::create(scene.at("new")).expect("it can be made");
        file.write_all_at(b"far", 40 * MIB).expect("holes take no room");
        file.write_all_at(&[1; 500_000], 0).expect("there is room");
        refused(file.write_all_at(&vec![2; 16 * MIB as usize], MIB), libc::ENOSPC, "the spool is full");
        assert!(scene.read("new").expect("it is here")[..500_000] == [1; 500_000]);
        close(file).expect("what was written before can be stored");
        let held = scene.held("new");
        assert!(held.len() == 40 * MIB as usize + 3 && held[..500_000] == [1; 500_000] && held.ends_with(b"far"));
        // What it took is given back.
        scene.put("other", vec![3; 12 * MIB as usize]).expect("there is room again");
    });
}

#[test]
fn a_file_larger_than_the_spool_can_be_written_in_order() {
    const COPY: &str = "\
        f = os.open(path, os.O_WRONLY | os.O_CREAT)\n\
        for n in range(48):\n    os.write(f, bytes([n]) * (1 << 20))\n\
        print(tell(lambda: os.close(f)))";
    let (_dir, options) = spool(",spool_size=16M");
    let options = [&options[0][..], &options[1]];
    let wanted = || (0..48u8).flat_map(|n| std::iter::repeat_n(n, MIB as usize)).collect::<Vec<_>>();
    with(Personality::mlsd(), Tree::new(), &options, move |scene| {
        let _kept = &_dir;
        assert_eq!(python(COPY, &scene.at("new")), "ok");
        assert!(scene.held("new") == wanted());
        // A connection that breaks late: what is gone from the spool cannot be sent again, unless the server has kept it.
        scene.server.fault(Fault::cut(Stage::Data(47 * MIB), Cut::both(End::Rst)).verb("STOR").times(1));
        let told = COPY.replace("os.write(", "tell(lambda: os.write(").replace("<< 20))", "<< 20)))");
        scene.server.fault(Fault::reply("REST", "502 Not implemented."));
        scene.server.fault(Fault::reply("APPE", "502 Not implemented."));
        assert_eq!(python(&told, &scene.at("other")), "EIO");
    });
}
