//! Programs that copy files within a mount.

mod support;

use std::fs;
use std::process::Command;

use support::process::{PROGRAM_LIMIT, stdout_of, wait_until};
use support::scene::{Scene, limited, pattern};
use support::server::{Active, Copies, Fault, Personality, Tree};

const SIZE: u64 = 5_000_000;
const SEED: u64 = 11;

fn scene(personality: Personality, options: &str) -> Scene {
    let tree = Tree::new().file_pattern("source", SIZE, SEED).file("old", "what was there", 1_700_000_000);
    Scene::new(personality, tree, options)
}

fn with_copies() -> Personality {
    Personality::mlsd().writing(|it| it.copies = Copies::InTwo)
}

fn cp(scene: &Scene, arguments: &[&str]) {
    let mut cp = Command::new("cp");
    cp.args(arguments).current_dir(scene.mount.path());
    stdout_of(&mut cp, PROGRAM_LIMIT);
}

/// Data bytes that have come by here since the log was cleared.
fn carried(scene: &Scene) -> u64 {
    let log = scene.server.log();
    assert!(log.verb("SITE CPTO") > 0, "{log}");
    log.data_bytes()
}

#[test]
fn cp_moves_no_byte_by_here() {
    limited(|| {
        for options in ["", "writeback"] {
            let scene = scene(with_copies(), options);
            scene.server.clear_log();
            cp(&scene, &["source", "new"]);
            cp(&scene, &["-p", "source", "kept"]);
            cp(&scene, &["source", "old"]);
            cp(&scene, &["--sparse=never", "source", "plain"]);
            assert!(carried(&scene) < 10_000, "{}", scene.server.log());
            for name in ["new", "kept", "old"] {
                scene.has(name, &pattern(SEED, SIZE));
                assert!(fs::read(scene.at(name)).expect("it is there") == pattern(SEED, SIZE), "{name}");
            }
            let kept = || (scene.server.mtime_of("kept") == scene.server.mtime_of("source")).then_some(());
            wait_until("the time that cp -p has set", PROGRAM_LIMIT, kept);
            assert_eq!(scene.server.log().verb("SITE CPTO"), 4, "{}", scene.server.log());
            scene.is_tidy();
            scene.mount.unmount();
        }
    });
}

#[test]
fn programs_that_copy_by_other_means_get_the_same() {
    limited(|| {
        let scene = scene(with_copies(), "");
        let script = "import os, shutil, sys\n\
            shutil.copy('source', 'shutil')\n\
            a = os.open('source', os.O_RDONLY); b = os.open('range', os.O_RDWR | os.O_CREAT)\n\
            n = os.copy_file_range(a, b, 1 << 30)\n\
            assert n == os.fstat(b).st_size == os.fstat(a).st_size, n\n\
            assert os.copy_file_range(a, b, 1 << 30) == 0\n\
            assert os.pread(b, 100, 1000) == os.pread(a, 100, 1000)\n\
            os.pwrite(b, b'patched', 4000000); os.close(b)\n\
            b = os.open('part', os.O_RDWR | os.O_CREAT)\n\
            n = os.copy_file_range(a, b, 1000, 5, 0)\n\
            assert n == 1000 and os.pread(b, 1000, 0) == os.pread(a, 1000, 5), n\n\
            os.close(b)\n";
        let mut python = Command::new("python3");
        stdout_of(python.args(["-c", script]).current_dir(scene.mount.path()), PROGRAM_LIMIT);
        let source = pattern(SEED, SIZE);
        scene.has("shutil", &source);
        scene.has("part", &source[5..1005]);
        let mut patched = source;
        patched[4_000_000..4_000_007].copy_from_slice(b"patched");
        scene.has("range", &patched);
        assert_eq!(scene.server.count_of("SITE CPTO", "range"), 1);
        scene.works();
    });
}

/// `std::fs::copy` of our own, which is how many programs copy.
#[test]
fn a_copy_that_is_refused_is_read_and_written() {
    limited(|| {
        let refusing = Personality { active: Active::Foreign, ..Personality::unix_list() };
        for personality in [refusing, with_copies()] {
            for reply in ["550 Permission denied", "421 Bye", "425 Not now"] {
                let scene = scene(personality.clone(), "");
                for verb in ["SITE CPFR", "SITE CPTO", "PORT"] {
                    scene.server.fault(Fault::reply(verb, reply));
                }
                fs::copy(scene.at("source"), scene.at("new")).expect("it is copied");
                cp(&scene, &["source", "old"]);
                scene.has("new", &pattern(SEED, SIZE));
                scene.has("old", &pattern(SEED, SIZE));
                scene.works();
            }
        }
    });
}

#[test]
fn a_full_disk_is_told_by_the_copy() {
    limited(|| {
        let scene = scene(with_copies(), "");
        scene.server.fault(Fault::reply("SITE CPTO", "550 new: No space left on device"));
        let mut cp = Command::new("cp");
        let output = cp.args(["source", "new"]).current_dir(scene.mount.path()).output().expect("cp runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("No space left on device"), "{said}");
        scene.has("new", b"");
        scene.works();
    });
}

#[test]
fn many_small_files_are_copied_as_before() {
    limited(|| {
        let mut tree = Tree::new().dir("from");
        for n in 0..50 {
            tree = tree.file(format!("from/{n}"), vec![n as u8; 2_000], 1_700_000_000);
        }
        let scene = Scene::new(with_copies(), tree, "");
        cp(&scene, &["-r", "from", "to"]);
        for n in 0..50_u8 {
            scene.has(&format!("to/{n}"), &[n; 2_000]);
        }
        scene.works();
    });
}

/// The empty file that was to become a copy was in the way of its own content.
#[test]
fn a_server_that_overwrites_nothing_and_copies_nothing_takes_a_copy() {
    limited(|| {
        let scene = scene(Personality::proftpd().writing(|it| it.overwrites = false), "max_connections=2");
        cp(&scene, &["source", "new"]);
        cp(&scene, &["source", "another"]);
        scene.has("new", &pattern(SEED, SIZE));
        scene.has("another", &pattern(SEED, SIZE));
        scene.is_tidy();
        scene.mount.unmount();
    });
}
