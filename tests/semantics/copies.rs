//! Files that the server copies, and those that it does not.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use super::support::process::{PROGRAM_LIMIT, command, stdout_of};
use super::support::server::{Active, Copies, DEFAULT_MTIME, Fault, Personality, Tree};
use super::{LONG, MIB, pattern, with};

fn source() -> Tree {
    Tree::new().file_pattern("source", 4 * MIB, 5).file("old", "what was there", DEFAULT_MTIME)
}

#[test]
fn a_whole_file_is_copied_by_the_server() {
    let all = pattern(5, 0, 4 * MIB as usize);
    let site = |copies| Personality::mlsd().writing(|it| it.copies = copies);
    for personality in [site(Copies::InTwo), site(Copies::InOne), Personality::unix_list(), Personality::pure()] {
        let wanted = all.clone();
        with(personality, source(), LONG, move |scene| {
            scene.read("old").expect("it is there");
            scene.server.clear_log();
            for name in ["new", "old"] {
                stdout_of(command("cp", ["source", name]).current_dir(scene.mount.path()), PROGRAM_LIMIT);
                assert!(scene.held(name) == wanted, "{name}");
                assert_eq!(scene.stat(name).expect("it is there").size(), 4 * MIB);
            }
            let log = scene.server.log();
            // From the server to itself is twice, and counted twice.
            let itself = 4 * 4 * MIB * u64::from(log.verb("PORT") > 0);
            assert!(log.data_bytes() - itself < 10_000, "{log}");
            // It is a file like any other, also for who has it open.
            let file = scene.open("third", OpenOptions::new().read(true).write(true).create(true));
            std::io::copy(&mut scene.open("source", OpenOptions::new().read(true)), &mut &file).expect("it is copied");
            assert_eq!(file.metadata().expect("it is open").size(), 4 * MIB);
            file.write_all_at(b"patched", MIB).expect("it can be written to");
            super::close(file).expect("it is stored");
            let mut patched = wanted.clone();
            patched[MIB as usize..MIB as usize + 7].copy_from_slice(b"patched");
            assert!(scene.held("third") == patched && scene.read("third").expect("it is there") == patched);
            scene.tidy();
        });
    }
}

#[test]
fn what_the_server_does_not_copy_comes_by_here() {
    let all = pattern(5, 0, 4 * MIB as usize);
    let refusing = Personality { active: Active::Foreign, ..Personality::unix_list() };
    let copying = Personality::mlsd().writing(|it| it.copies = Copies::InTwo);
    for personality in [refusing, copying] {
        let wanted = all.clone();
        with(personality, source(), LONG, move |scene| {
            // A file that has not been stored yet.
            let unsaved = scene.open("source", OpenOptions::new().write(true));
            unsaved.write_all_at(b"unsaved", 0).expect("it can be written to");
            fs::copy(scene.at("source"), scene.at("unsaved")).expect("it is copied");
            super::close(unsaved).expect("it is stored");
            let mut source = wanted.clone();
            source[..7].copy_from_slice(b"unsaved");
            assert!(scene.held("unsaved") == source);
            // A file that the server does not want to copy.
            scene.server.fault(Fault::reply("SITE CPTO", "550 no: Permission denied"));
            fs::copy(scene.at("source"), scene.at("refused")).expect("it is copied");
            assert!(scene.held("refused") == source);
            scene.server.heal();
            // A part of one, behind what is there.
            let part = File::options().append(true).open(scene.at("old")).expect("it opens");
            let mut from = scene.open("source", OpenOptions::new().read(true));
            std::io::copy(&mut std::io::Read::take(&mut from, 1000), &mut &part).expect("it is copied");
            super::close(part).expect("it is stored");
            assert_eq!(scene.held("old"), [b"what was there", &source[..1000]].concat());
            scene.tidy();
        });
    }
}
