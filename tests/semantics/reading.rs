//! The content of files, and where links lead.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use super::support::mount::Mount;
use super::support::process::{PROGRAM_LIMIT, command, run, with_deadline};
use super::support::server::{Cut, DEFAULT_MTIME, End, FakeServer, Fault, Personality, Stage, Tree};
use super::{LIMIT, LONG, MIB, NEVER, pattern, python, refused, tree, with};

// Reading.

#[test]
fn a_transfer_that_breaks_is_taken_up_again() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.server.fault(Fault::cut(Stage::Data(3 * MIB + 5), Cut::both(End::Rst)).times(1));
        let short = Cut::data(End::Fin).saying("226 Transfer complete.");
        scene.server.fault(Fault::cut(Stage::Data(2 * MIB), short).nth(2));
        assert!(scene.read("big").expect("it can be read") == pattern(7, 0, 9 * MIB as usize + 17));
        assert!(scene.server.log().verb("RETR") > 1, "it did break");
    });
}

#[test]
fn who_reads_file_after_file_finds_the_next_ones_fetched() {
    let many = || (0..60).fold(Tree::new(), |tree, n| tree.file(format!("d/f{n:02}"), format!("{n}"), DEFAULT_MTIME));
    for (step, options) in [(1, LONG), (10, LONG), (1, &["-o", "dir_timeout=1h,attr_timeout=1h,max_connections=1"])] {
        with(Personality::mlsd(), many(), options, move |scene| {
            assert_eq!(scene.names("d").len(), 60);
            for n in (0..60).step_by(step) {
                assert_eq!(scene.read(&format!("d/f{n:02}")).expect("readable"), n.to_string().as_bytes());
            }
            assert_eq!(scene.server.log().verb("RETR"), 60 / step, "each once: {}", scene.server.log());
        });
    }
}

#[test]
fn what_follows_costs_one_round_trip() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.names("");
        scene.names("d");
        scene.server.wait_armed(1);
        scene.server.reset_flights();
        assert_eq!(scene.read("d/a.txt").expect("readable"), b"hello world");
        assert_eq!(scene.server.armed_flights(), 1, "{}", scene.server.log());
    });
}

#[test]
fn an_incomplete_transfer_is_no_end_of_file() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.server.fault(Fault::cut(Stage::Data(MIB), Cut::data(End::Fin).saying("226 Transfer complete.")));
        scene.server.fault(Fault::cut(Stage::Data(0), Cut::data(End::Fin).saying("226 Transfer complete.")).after(1));
        refused(scene.read("big"), libc::EIO, "a transfer that always breaks");
    });
}

#[test]
fn a_file_that_changes_while_it_is_read_is_stale() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let open = File::open(scene.at("big")).expect("it opens");
        open.read_exact_at(&mut [0; 4096], 0).expect("it can be read");
        // Same size, another time.
        scene.server.tree().update(|tree| tree.write_pattern("big", 9 * MIB + 17, 8, DEFAULT_MTIME + 60));
        refused(open.read_exact_at(&mut [0; 4096], 8 * MIB), libc::ESTALE, "a part of another version");
        let mut new = File::open(scene.at("big")).expect("it opens");
        let mut bytes = Vec::new();
        new.read_to_end(&mut bytes).expect("it can be read");
        assert!(bytes == pattern(8, 0, 9 * MIB as usize + 17), "opened anew it is the new version");
    });
}

#[test]
fn a_file_that_grew_before_its_first_byte_is_read_whole() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let mut open = File::open(scene.at("d/a.txt")).expect("it opens");
        scene.write("d/a.txt", "something longer than before", 60);
        let mut text = String::new();
        open.read_to_string(&mut text).expect("it can be read");
        assert_eq!(text, "something longer than before");
    });
}

#[test]
fn a_file_that_shrank_before_its_first_byte_is_stale() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let mut open = File::open(scene.at("d/a.txt")).expect("it opens");
        scene.write("d/a.txt", "short", 60);
        refused(open.read_to_end(&mut Vec::new()), libc::ESTALE, "zeros up to the old size would be a lie");
        assert_eq!(scene.read("d/a.txt").expect("it can be read"), b"short");
    });
}

#[test]
fn an_unchanged_file_is_read_from_the_page_cache() {
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.read("big").expect("it can be read");
        scene.server.clear_log();
        assert!(scene.read("big").expect("it can be read") == pattern(7, 0, 9 * MIB as usize + 17));
        assert_eq!(scene.server.log().verb("RETR"), 0, "{}", scene.server.log());
    });
}

#[test]
fn a_changed_file_is_not_read_from_the_page_cache() {
    with(Personality::mlsd(), tree(), NEVER, |scene| {
        assert_eq!(scene.read("d/a.txt").expect("it can be read"), b"hello world");
        scene.write("d/a.txt", "HELLO WORLD", 60);
        assert_eq!(scene.read("d/a.txt").expect("it can be read"), b"HELLO WORLD");
    });
}

#[test]
fn files_can_be_mapped() {
    const COMPARE: &str = "f = os.open(path, os.O_RDONLY)\nm = mmap.mmap(f, 0, prot=mmap.PROT_READ)\n\
                           print(m[5000000:5000008].hex(), len(m), tell(lambda: mmap.mmap(f, 0)))";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        let hex: String = pattern(7, 5_000_000, 8).iter().map(|byte| format!("{byte:02x}")).collect();
        let wanted = format!("{hex} {} EACCES", 9 * MIB + 17);
        assert_eq!(python(COMPARE, &scene.at("big")), wanted, "a shared mapping for writing is refused");
    });
}

#[test]
fn a_page_that_cannot_be_read_is_sigbus() {
    const TOUCH: &str = "import os, sys, mmap\nf = os.open(sys.argv[1], os.O_RDONLY)\n\
                         m = mmap.mmap(f, 0, prot=mmap.PROT_READ)\nprint(m[0])";
    with(Personality::mlsd(), tree(), LONG, |scene| {
        scene.stat("big").expect("it is there");
        scene.server.fault(Fault::cut(Stage::Data(0), Cut::data(End::Fin).saying("226 Transfer complete.")));
        let output = run(command("python3", ["-c", TOUCH]).arg(scene.at("big")), PROGRAM_LIMIT);
        assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{output:?}");
    });
}

// Symbolic links.

#[test]
fn links_lead_to_where_the_server_says() {
    let tree = tree().symlink("d/up", "../d/a.txt").symlink("d/abs", "/d/a.txt").symlink("none", "no/where");
    for personality in [Personality::unix_list(), Personality::pure()] {
        with(personality, tree.clone(), LONG, |scene| {
            let target = |name: &str| fs::read_link(scene.at(name)).expect("a link");
            assert_eq!(target("d/up"), Path::new("../d/a.txt"));
            assert_eq!(target("d/abs"), Path::new("a.txt"), "an absolute one becomes relative");
            assert_eq!(target("none"), Path::new("no/where"), "and one to nothing is one all the same");
            assert_eq!(scene.read("d/abs").expect("it leads to a file"), b"hello world");
            assert!(scene.stat("d/abs").expect("it is there").is_symlink());
            refused(fs::metadata(scene.at("none")), libc::ENOENT, "what a dangling link leads to");
        });
    }
}

#[test]
fn links_that_lead_out_are_refused() {
    let tree = tree().symlink("d/up", "../../etc/passwd").symlink("d/abs", "/etc/passwd").symlink("d/in", "/d/a.txt");
    with_deadline(LIMIT, "semantics", move || {
        let server = FakeServer::start(Personality::unix_list(), tree);
        let mount = Mount::new(&server.url("d"), LONG);
        for name in ["up", "abs"] {
            let link = mount.path().join(name);
            assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
            refused(fs::read_link(&link), libc::EACCES, "readlink(2)");
            refused(File::open(&link), libc::EACCES, "open(2)");
        }
        assert_eq!(fs::read_link(mount.path().join("in")).expect("it stays inside"), Path::new("a.txt"));
    });
}

#[test]
fn a_server_that_follows_links_shows_what_they_lead_to() {
    let tree = tree().symlink("to", "d/a.txt").symlink("none", "no/where");
    with(Personality::pyftpdlib(), tree.clone(), LONG, |scene| {
        assert!(scene.stat("to").expect("it is there").is_file());
        assert_eq!(scene.names(""), ["big", "d", "to"]);
    });
    with(Personality::proftpd(), tree, LONG, |scene| {
        assert!(scene.stat("to").expect("it is there").is_symlink());
        assert_eq!(scene.names(""), ["big", "d", "to"], "ProFTPD leaves out dangling links");
    });
}
