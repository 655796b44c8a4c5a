//! What writing costs in flights, and that one's own changes are known without asking.

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use support::programs::{program, stdout_in, temporary};
use support::scene::{Scene, limited, number, pattern, put};
use support::server::{DEFAULT_MTIME, Personality, Tree};

const MIB: u64 = 1 << 20;

fn tree() -> Tree {
    Tree::new().file("d/old", b"the old content", DEFAULT_MTIME).file_pattern("d/big", 8 * MIB, 3).dir("e")
}

fn plain() -> [Personality; 2] {
    [Personality::mlsd(), Personality::unix_list()]
}

/// A scene in which the server has been written to before, so that what it can do is known.
fn acquainted(personality: Personality) -> Scene {
    // A second connection would be made ready meanwhile, in flights that nobody waits for.
    let scene = Scene::new(personality, tree(), "negative_timeout=1h,max_connections=1");
    stdout_in(&scene.mount.path(), "ls", &["-laR", "."]);
    assert_eq!(number(put(&scene.at("d/first"), b"first")), 0);
    scene
}

/// What `body` costs.
fn cost(scene: &Scene, body: impl FnOnce()) -> usize {
    scene.server.clear_log();
    scene.server.reset_flights();
    body();
    scene.server.work_flights()
}

/// Asserts that everything below is known.
#[track_caller]
fn is_known(scene: &Scene) {
    let asked = cost(scene, || {
        stdout_in(&scene.mount.path(), "ls", &["-la", "d", "e", "."]);
        fs::metadata(scene.at("d/none")).expect_err("it is not there");
    });
    assert_eq!(asked, 0, "{}", scene.server.log());
}

#[test]
fn a_small_new_file_costs_three_flights() {
    limited(|| {
        for personality in plain() {
            let scene = acquainted(personality);
            let paid = cost(&scene, || assert_eq!(number(put(&scene.at("d/new"), b"content")), 0));
            assert!(paid <= 3, "{paid} flights\n{}", scene.server.log());
            is_known(&scene);
            assert_eq!(fs::read(scene.at("d/new")).expect("readable"), b"content");
            scene.works();
        }
    });
}

#[test]
fn a_copy_of_fifty_files_costs_three_flights_each() {
    limited(|| {
        let folder = temporary();
        let source = folder.path().join("tree");
        fs::create_dir(&source).expect("ours");
        for n in 0..50 {
            fs::write(source.join(format!("file-{n}")), pattern(n, 2000 + n)).expect("ours");
        }
        for personality in plain() {
            let scene = acquainted(personality);
            let target = scene.at("d");
            let paid = cost(&scene, || {
                program(
                    Path::new("/"),
                    "cp",
                    &["-r", source.to_str().expect("UTF-8"), target.to_str().expect("UTF-8")],
                );
            });
            assert!(paid <= 3 * 50 + 4, "{paid} flights\n{}", scene.server.log());
            (0..50).for_each(|n| scene.has(&format!("d/tree/file-{n}"), &pattern(n, 2000 + n)));
            is_known(&scene);
            scene.works();
        }
    });
}

#[test]
fn a_rewrite_is_renamed_in_one_flight() {
    limited(|| {
        for personality in plain() {
            let scene = acquainted(personality);
            let paid = cost(&scene, || assert_eq!(number(put(&scene.at("d/old"), b"new content")), 0));
            assert!(paid <= 4, "{paid} flights\n{}", scene.server.log());
            let bursts = scene.server.log();
            let rename = bursts.bursts().into_iter().find(|verbs| verbs.contains(&"RNFR")).expect("it was renamed");
            assert!(rename.contains(&"RNTO"), "{rename:?}");
            assert_eq!(scene.server.count_of("STOR", "d/old"), 0, "the old copy is not touched");
            scene.has("d/old", b"new content");
            is_known(&scene);
            scene.works();
        }
    });
}

#[test]
fn rsyncs_last_steps_travel_together() {
    limited(|| {
        let scene = acquainted(Personality::mlsd());
        assert_eq!(number(put(&scene.at("d/.new.Xy12"), b"content")), 0);
        let paid = cost(&scene, || {
            program(
                &scene.at("d"),
                "python3",
                &[
                    "-c",
                    "import os\nos.utime('.new.Xy12',(10**9,10**9))\nos.chmod('.new.Xy12',0o640)\nos.rename('.new.Xy12','new')",
                ],
            );
        });
        let log = scene.server.log();
        let all = ["MFMT", "SITE CHMOD", "RNFR", "RNTO"];
        assert!(log.bursts().iter().any(|verbs| all.iter().all(|verb| verbs.contains(verb))), "{log}");
        assert_eq!(paid, 1, "{log}");
        assert_eq!((scene.server.mtime_of("d/new"), scene.server.mode_of("d/new")), (Some(1_000_000_000), Some(0o640)));
        is_known(&scene);
        scene.works();
    });
}

#[test]
fn an_append_sends_the_tail_alone() {
    limited(|| {
        for personality in [Personality::proftpd(), Personality::pure(), Personality::pyftpdlib()] {
            let scene = acquainted(personality);
            let paid = cost(&scene, || {
                let mut file = OpenOptions::new().append(true).open(scene.at("d/big")).expect("opens");
                file.write_all(b"tail").expect("writes");
                file.sync_all().expect("is stored");
            });
            assert!(scene.server.log().data_bytes() < 100, "{}", scene.server.log());
            assert!(paid <= 5, "{paid} flights\n{}", scene.server.log());
            scene.has("d/big", &[&pattern(3, 8 * MIB)[..], b"tail"].concat());
            is_known(&scene);
            scene.works();
        }
    });
}

#[test]
fn each_change_of_a_name_costs_one_flight_and_is_known() {
    limited(|| {
        for personality in plain() {
            let scene = acquainted(personality);
            // The mode of a directory is asked for once there is one.
            let steps: [(&str, usize, &dyn Fn()); 4] = [
                ("mkdir", 2, &|| fs::create_dir(scene.at("d/dir")).expect("is made")),
                ("rename", 1, &|| fs::rename(scene.at("d/dir"), scene.at("e/dir")).expect("is renamed")),
                ("rmdir", 1, &|| fs::remove_dir(scene.at("e/dir")).expect("is removed")),
                ("unlink", 1, &|| fs::remove_file(scene.at("d/first")).expect("is removed")),
            ];
            for (what, most, step) in steps {
                let paid = cost(&scene, step);
                assert!(paid <= most, "{what}: {paid}\n{}", scene.server.log());
                is_known(&scene);
            }
            scene.works();
        }
    });
}
