//! What programs on a mount are told when the server refuses what they write, and what it costs others: nothing.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use support::process::wait_until;
use support::programs::program;
use support::scene::{Scene, close, limited, number, pattern, put};
use support::server::{
    Append, Cut, DEFAULT_MTIME, Disk, End, Fault, Personality, Renames, Restart, SetMdtm, Stage, Tells, Tree,
};

const MIB: u64 = 1 << 20;

fn tree() -> Tree {
    let tree = Tree::new().file("old", b"the old content", DEFAULT_MTIME).file_pattern("big", 3 * MIB, 3).dir("d");
    tree.file("ro/there", b"writable", DEFAULT_MTIME)
}

#[test]
fn what_the_server_does_not_let_be_made_fails_at_open() {
    limited(|| {
        let personality = Personality::mlsd().writing(|it| {
            it.read_only = vec!["ro".into()];
            it.refused_names = vec!["bad*".into()];
        });
        let scene = Scene::new(personality, tree(), "");
        assert_eq!(number(File::create(scene.at("ro/new"))), libc::EACCES);
        let told = number(File::create(scene.at("d/bad name")));
        assert!([libc::EACCES, libc::EINVAL].contains(&told), "{told}");
        assert!(fs::metadata(scene.at("ro/new")).is_err() && fs::metadata(scene.at("d/bad name")).is_err());
        let names = fs::read_dir(scene.at("ro")).expect("lists").count();
        assert_eq!(names, 1);
        assert!(scene.lost().is_empty(), "nothing was written");
        // Where files have been taken before, too: nobody waits for the first word then.
        assert_eq!(number(put(&scene.at("d/one"), b"1")), 0);
        assert_ne!(number(put(&scene.at("d/bad"), b"2")), 0);
        let gone = || fs::metadata(scene.at("d/bad")).is_err().then_some(());
        wait_until("the end of a name that was refused", Duration::from_secs(30), gone);
        scene.works();
    });
}

#[test]
fn a_file_is_written_in_place_where_no_other_can_take_its_place() {
    limited(|| {
        let part = |it: &mut support::server::Writing| it.refused_names = vec![".ftpfs-*".into()];
        let never = |it: &mut support::server::Writing| it.renames = Renames::Never;
        for personality in [Personality::mlsd().writing(part), Personality::mlsd().writing(never)] {
            let scene = Scene::new(personality, tree(), "");
            let bytes = pattern(5, 2 * MIB);
            assert_eq!(number(put(&scene.at("old"), &bytes)), 0, "{}", scene.mount.log());
            scene.has("old", &bytes);
            let file = OpenOptions::new().write(true).open(scene.at("big")).expect("opens");
            file.write_all_at(b"MARK", MIB).expect("writes");
            assert_eq!(number(close(file)), 0, "{}", scene.mount.log());
            let mut wanted = pattern(3, 3 * MIB);
            wanted[MIB as usize..][..4].copy_from_slice(b"MARK");
            scene.has("big", &wanted);
            scene.works();
        }
    });
}

#[test]
fn a_rename_replaces_on_servers_that_refuse_it() {
    limited(|| {
        for personality in [Personality::mlsd().writing(|it| it.renames = Renames::OntoNothing), Personality::iis()] {
            let scene = Scene::new(personality.writing(|_| {}), tree(), "");
            let bytes = pattern(5, 2 * MIB);
            assert_eq!(number(put(&scene.at("old"), &bytes)), 0, "{}", scene.mount.log());
            scene.has("old", &bytes);
            fs::rename(scene.at("old"), scene.at("big")).expect("replaces");
            scene.has("big", &bytes);
            assert!(!scene.server.exists("old") && fs::metadata(scene.at("old")).is_err());
            scene.works();
        }
    });
}

#[test]
fn appends_are_right_whatever_the_server_makes_of_them() {
    limited(|| {
        let appends = [Append::Works, Append::Refused, Append::Unknown, Append::FromStart, Append::Twice];
        let restarts = [Restart::KeepsTail, Restart::Truncates, Restart::Refused, Restart::Ignored];
        for append in appends {
            for restart in restarts {
                let what = format!("{append:?}, {restart:?}");
                let personality = Personality::mlsd().writing(|it| (it.append, it.restart) = (append, restart));
                let scene = Scene::new(personality, tree(), "");
                let mut wanted = pattern(3, 3 * MIB);
                for n in 0..3 {
                    let mut file = OpenOptions::new().append(true).open(scene.at("big")).expect("opens");
                    let piece = pattern(n, 2 * MIB);
                    file.write_all(&piece).unwrap_or_else(|e| panic!("{what}: {e}\n{}", scene.mount.log()));
                    assert_eq!(number(close(file)), 0, "{what}\n{}", scene.mount.log());
                    wanted.extend_from_slice(&piece);
                    scene.has("big", &wanted);
                }
                scene.works();
            }
        }
    });
}

#[test]
fn programs_that_set_times_and_modes_end_well_where_nothing_can_be_set() {
    limited(|| {
        let mfmt = |it: &mut support::server::Writing| (it.mfmt, it.mdtm) = (false, SetMdtm::Unknown);
        let chmod = |it: &mut support::server::Writing| it.chmod = false;
        let site = |it: &mut support::server::Writing| {
            (it.mfmt, it.mdtm) = (false, SetMdtm::Unknown);
            it.site = false;
        };
        let all = [
            Personality::mlsd().writing(mfmt),
            Personality::mlsd().writing(chmod),
            Personality::mlsd().writing(site),
            Personality::unix_list().writing(site),
        ];
        for personality in all {
            let scene = Scene::new(personality, tree(), "");
            program(&scene.mount.path(), "cp", &["-p", "big", "d/copy"]);
            program(&scene.mount.path(), "touch", &["-d", "2020-02-02", "d/copy"]);
            scene.has("d/copy", &pattern(3, 3 * MIB));
            scene.works();
        }
    });
}

#[test]
fn a_full_disk_of_the_server_is_told_and_harms_nothing() {
    limited(|| {
        let all = [
            ("vsftpd", Personality::mlsd()),
            ("proftpd", Personality::proftpd()),
            ("pure", Personality::pure()),
            ("pyftpdlib", Personality::pyftpdlib()),
        ];
        for (name, personality) in all {
            for tells in [Tells::AtOnce, Tells::AtEnd] {
                for (kind, disk) in [
                    ("its words", Disk::of(8 * MIB)),
                    ("452", Disk::of(8 * MIB).saying("452 Insufficient storage space.")),
                    ("552", Disk::of(8 * MIB).quota()),
                ] {
                    let what = format!("{name}, {tells:?}, {kind}");
                    let personality = personality.clone().with_disk(disk.telling(tells));
                    let scene = Scene::new(personality, tree(), "timeout=5s");
                    let told = number(put(&scene.at("d/new"), &pattern(1, 12 * MIB)));
                    let wanted: &[_] = match kind {
                        "452" => &[libc::ENOSPC],
                        "552" => &[libc::EDQUOT, libc::ENOSPC],
                        _ => &[libc::ENOSPC, libc::EIO],
                    };
                    assert!(wanted.contains(&told), "{what}: {told}\n{}", scene.mount.log());
                    // Over an old file: that is intact.
                    let told = number(put(&scene.at("big"), &pattern(2, 9 * MIB)));
                    assert!(wanted.contains(&told), "{what}, over an old file: {told}");
                    scene.has("big", &pattern(3, 3 * MIB));
                    scene.has("old", b"the old content");
                    // What failed may lie there in part, and can be removed.
                    fs::remove_file(scene.at("d/new")).ok();
                    scene.works();
                }
            }
        }
    });
}

#[test]
fn a_full_disk_that_nobody_tells_of_is_an_error_all_the_same() {
    limited(|| {
        let personality = Personality::pyftpdlib().with_disk(Disk::of(8 * MIB).silent());
        let scene = Scene::new(personality, tree(), "timeout=1s");
        let told = number(put(&scene.at("d/new"), &pattern(1, 12 * MIB)));
        assert!([libc::EIO, libc::ETIMEDOUT, libc::ENOSPC].contains(&told), "{told}");
        fs::remove_file(scene.at("d/new")).ok();
        scene.works();
    });
}

#[test]
fn each_refusal_of_an_upload_has_its_number() {
    limited(|| {
        let scene = Scene::new(Personality::mlsd(), tree(), "");
        for (text, wanted) in [
            ("553 Could not create file.", libc::EACCES),
            ("550 Permission denied.", libc::EACCES),
            ("452 No space left on device.", libc::ENOSPC),
            ("552 Quota exceeded.", libc::EDQUOT),
        ] {
            scene.server.fault(Fault::cut(Stage::Data(MIB), Cut::data(End::Fin).saying(text)).verb("STOR"));
            assert_eq!(number(put(&scene.at("d/new"), &pattern(1, 2 * MIB))), wanted, "{text}");
            scene.server.heal();
            fs::remove_file(scene.at("d/new")).ok();
        }
        scene.works();
    });
}
