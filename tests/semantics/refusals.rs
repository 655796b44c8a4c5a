//! What cannot be done, what fails and how, and the end of a mount.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use super::support::mount::{Mount, is_mounted};
use super::support::process::{command, wait_until, with_deadline};
use super::support::server::{DEFAULT_MTIME, FakeServer, Fault, Personality, Stage, Tree};
use super::{HURRIED, LIMIT, LONG, NEVER, Scene, python, refused, succeeds, tree, with};

// Writing and the rest.

#[test]
fn access_tells_which_files_can_be_run() {
    with(Personality::mlsd(), tree().with_mode("d/a.txt", 0o644).with_mode("big", 0o755), LONG, |scene| {
        let runs = |name: &str| command("test", ["-x".into(), scene.at(name)]).status().expect("test runs").success();
        assert!(!runs("d/a.txt"));
        assert!(runs("big") && runs("d"));
    });
}

#[test]
fn nothing_can_be_written_to_a_read_only_mount() {
    const MORE: &str = "\
        calls = [lambda: os.chown(path, 1, 1), lambda: os.utime(path), lambda: os.mkfifo(path + '2'),\n\
          lambda: os.truncate(path, 0), lambda: os.setxattr(path, 'user.a', b''), lambda: os.removexattr(path, 'user.a'),\n\
          lambda: os.open(path, os.O_RDONLY | os.O_TRUNC), lambda: os.open(path + '2', os.O_RDONLY | os.O_CREAT),\n\
          lambda: os.open(os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY)]\n\
        print(' '.join(map(tell, calls)))";
    let check = |scene: &Scene| {
        let (file, dir, new) = (scene.at("d/a.txt"), scene.at("d"), scene.at("new"));
        let open = |options: &mut OpenOptions| options.open(&file);
        for (what, done) in [
            ("open for writing", open(OpenOptions::new().write(true)).map(drop)),
            ("open for both", open(OpenOptions::new().read(true).write(true)).map(drop)),
            ("append", open(OpenOptions::new().append(true)).map(drop)),
            ("create", File::create(&new).map(drop)),
            ("mkdir", fs::create_dir(&new)),
            ("unlink", fs::remove_file(&file)),
            ("rmdir", fs::remove_dir(&dir)),
            ("rename", fs::rename(&file, &new)),
            ("link", fs::hard_link(&file, &new)),
            ("symlink", std::os::unix::fs::symlink("a", &new)),
            ("chmod", fs::set_permissions(&file, fs::Permissions::from_mode(0o600))),
        ] {
            refused(done, libc::EROFS, what);
        }
        assert!(!succeeds(command("test", ["-w"]).arg(&file)), "access(2) says so, too");
    };
    with(Personality::mlsd(), tree(), &["-o", "ro,cache_timeout=1h"], move |scene| {
        check(scene);
        assert_eq!(python(MORE, &scene.at("d/a.txt")), ["EROFS"; 9].join(" "));
        refused(OpenOptions::new().write(true).create_new(true).open(scene.at("big")), libc::EEXIST, "O_EXCL");
        // Root may lift the flag from the mount; that does not make ftpfs write.
        assert!(succeeds(command("mount", ["-i", "-o", "remount,rw"]).arg(scene.mount.path())));
        check(scene);
    });
}

#[test]
fn there_are_no_extended_attributes() {
    const CALLS: &str = "print(tell(lambda: os.getxattr(path, 'user.a')), tell(lambda: os.listxattr(path)))";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        assert_eq!(python(CALLS, &scene.at("d/a.txt")), "ENOTSUP ENOTSUP");
    });
}

#[test]
fn locks_are_known_to_this_mount_only() {
    const POSIX: &str =
        "f = os.open(path, os.O_RDONLY)\nprint(tell(lambda: fcntl.lockf(f, fcntl.LOCK_SH | fcntl.LOCK_NB)))";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let other = Mount::new(&scene.server.url(""), LONG);
        let (here, there) = (scene.at("big"), other.path().join("big"));
        let both = |second: &Path| {
            succeeds(command("flock", ["-n"]).args([
                &here,
                Path::new("flock"),
                Path::new("-n"),
                second,
                Path::new("true"),
            ]))
        };
        assert!(!both(&here), "two programs on one mount exclude each other");
        assert!(both(&there), "two mounts do not");
        assert_eq!(python(POSIX, &here), "ok");
    });
}

#[test]
fn the_server_decides_unless_the_kernel_is_to() {
    let tree = || {
        Tree::new()
            .file("mine", "x", DEFAULT_MTIME)
            .with_mode("mine", 0o600)
            .file("none", "x", DEFAULT_MTIME)
            .with_mode("none", 0)
    };
    let nobody_reads = |scene: &Scene| succeeds(Mount::nobody("cat").arg(scene.at("mine")));
    with(Personality::mlsd(), tree(), &["--allow-other"], move |scene| {
        assert!(nobody_reads(scene), "mode 0600 stops nobody");
        assert!(succeeds(command("test", ["-r"]).arg(scene.at("none"))), "access(2) does not ask");
        refused(scene.read("none"), libc::EACCES, "the server refuses");
    });
    with(Personality::mlsd(), tree(), &["--allow-other", "--default-permissions"], move |scene| {
        assert!(!nobody_reads(scene), "mode 0600 counts");
    });
    with(Personality::mlsd(), tree(), LONG, move |scene| {
        assert!(!nobody_reads(scene), "other users are kept out altogether");
    });
}

// Failures.

#[test]
fn what_the_server_says_becomes_a_number() {
    let tree = || tree().dir("closed").with_mode("closed", 0);
    for personality in [Personality::mlsd(), Personality::unix_list(), Personality::pyftpdlib(), Personality::iis()] {
        with(personality, tree(), LONG, |scene| {
            refused(scene.stat("d/nothing"), libc::ENOENT, "a name that is not there");
            refused(scene.stat("d/a.txt/x"), libc::ENOTDIR, "a file in place of a directory");
            refused(scene.read("d"), libc::EISDIR, "a directory in place of a file");
            refused(fs::read_dir(scene.at("closed")), libc::EACCES, "a directory that the server keeps closed");
        });
    }
}

#[test]
fn a_silent_server_is_etimedout() {
    with(Personality::mlsd(), tree(), HURRIED, |scene| {
        let open = File::open(scene.at("big")).expect("it opens");
        scene.server.fault(Fault::stall(Stage::Accept));
        refused(open.read_exact_at(&mut [0; 10], 0), libc::ETIMEDOUT, "a transfer");
        refused(fs::read_dir(scene.at("d")), libc::ETIMEDOUT, "a listing");
        scene.server.heal();
        // What timed out a moment ago is told once more without asking.
        let read = wait_until("the server to be asked again", LIMIT, || scene.read("d/a.txt").ok());
        assert_eq!(read, b"hello world");
    });
}

#[test]
fn a_server_out_of_reach_is_never_a_missing_file() {
    with_deadline(LIMIT, "semantics", || {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let mount = Mount::new(&server.url(""), HURRIED);
        let file = mount.path().join("big");
        let open = File::open(&file).expect("it opens");
        drop(server);
        // Refused at once, or not tried again within the time because it was refused a moment ago.
        let told = [fs::metadata(&file).map(drop), open.read_exact_at(&mut [0; 10], 0)].map(|done| {
            let error = done.expect_err("the server is gone");
            error.raw_os_error().expect("a number of the kernel's")
        });
        assert!(told.iter().all(|errno| [libc::EHOSTUNREACH, libc::ETIMEDOUT].contains(errno)), "{told:?}");
    });
}

#[test]
fn a_password_that_has_changed_is_eacces() {
    with(Personality::mlsd(), tree(), HURRIED, |scene| {
        scene.server.fault(Fault::reply("PASS", "530 Login incorrect."));
        scene.server.close_idle_connections();
        refused(scene.stat("d"), libc::EACCES, "stat(2)");
    });
}

// The mount.

#[test]
fn a_busy_mount_is_not_unmounted_but_a_signal_ends_it() {
    with_deadline(LIMIT, "semantics", || {
        let server = FakeServer::start(Personality::mlsd(), tree());
        let mount = Mount::new(&server.url(""), NEVER);
        let (place, file) = (mount.path(), File::open(mount.path().join("big")).expect("it opens"));
        assert!(!succeeds(command("fusermount3", ["-u"]).arg(&place)), "a file is open");
        file.read_exact_at(&mut [0; 10], 0).expect("and all goes on");
        mount.terminate();
        assert!(!is_mounted(&place));
        // Aborted, where it was asked just before the end.
        let error = file.metadata().expect_err("what is still open").raw_os_error();
        assert!(matches!(error, Some(libc::ENOTCONN | libc::ECONNABORTED)), "{error:?}");
    });
}

#[test]
fn two_mounts_know_nothing_of_each_other() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let other = Mount::new(&scene.server.url(""), LONG);
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 11);
        scene.write("d/a.txt", "other", 60);
        assert_eq!(fs::metadata(other.path().join("d/a.txt")).expect("it is there").len(), 5);
        assert_eq!(scene.stat("d/a.txt").expect("it is there").len(), 11);
    });
}
