//! Everyday programs on a mount of a server that lists as IIS does: DOS lines with two-digit years and minutes, no MLSD,
//! no modes, `MDTM` for the seconds.
//!
//! The themes are those of the real servers. The server is the scripted one, told to play IIS, and holds what lies in a
//! folder on disk; large files are patterns, which need no memory here.

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use support::mount::Mount;
use support::process::with_deadline;
use support::programs::{self, Scene};
use support::server::{FakeServer, Personality, Tree, fill_pattern};
use support::tree::{self, Links, What};

macro_rules! themes {
    ($($theme:ident),*) => { $(
        #[test]
        fn $theme() {
            with_deadline(THEME_LIMIT, stringify!($theme), || programs::$theme(&serve));
        }
    )* };
}

themes!(walking, copying, searching, checksums, parallel_readers, random_reads, ten_thousand_entries, odd_names);

/// Generous: it tells a hang from slowness, nothing else.
const THEME_LIMIT: Duration = Duration::from_secs(300);

/// Offsets that need more than 31 and 32 bits.
#[test]
fn beyond_four_gib() {
    const SIZE: u64 = (4 << 30) + (1 << 20) + 13;
    with_deadline(THEME_LIMIT, "beyond_four_gib", || {
        let server = FakeServer::start(iis(), Tree::new().file_pattern("far", SIZE, 4));
        let mount = Mount::new(&server.url(""), &[]);
        programs::far_places(&mount.path().join("far"), SIZE, &|at, length| {
            let mut bytes = vec![0; length.min(SIZE.saturating_sub(at) as usize)];
            fill_pattern(4, at, &mut bytes);
            bytes
        });
        mount.unmount();
    });
}

/// IIS without the long pause that counts flights exactly: nobody counts here.
fn iis() -> Personality {
    Personality { quiet: Duration::from_millis(1), ..Personality::iis() }
}

/// A server with what `fill` makes on disk, and a mount of it.
fn serve(fill: &dyn Fn(&Path)) -> Scene {
    let truth = programs::temporary();
    fill(truth.path());
    let server = FakeServer::start(iis(), tree_of(truth.path()));
    let mount = Mount::new(&server.url(""), &[]);
    // The lines know no modes, and no seconds, which MDTM tells for files alone.
    let tells = What { content: true, dir_times: false, modes: false, links: Links::Followed };
    let (disk, url) = (truth.path().to_owned(), server.url(""));
    Scene { mount, disk, tells, url, arguments: Vec::new(), server: Box::new((server, truth)) }
}

/// The files below `dir` as the server holds them. Large ones are given a content that needs no memory, on disk too.
fn tree_of(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    for (seed, path) in (1..).zip(tree::paths(dir)) {
        let on_disk = dir.join(&path);
        let metadata = on_disk.metadata().expect("it was just listed");
        let (path, size, mtime) = (path.as_bytes(), metadata.len(), metadata.mtime());
        if metadata.is_dir() {
            tree.make_dir(path);
            tree.set_mtime(path, mtime);
        } else if size <= LARGEST_IN_MEMORY {
            tree.write(path, fs::read(&on_disk).expect("it was just listed"), mtime);
        } else {
            write_pattern(&on_disk, size, seed);
            tree::set_mtime(&on_disk, mtime.try_into().expect("a time after 1970"));
            tree.write_pattern(path, size, seed, mtime);
        }
    }
    tree
}

/// Writes to disk what a pattern file of this seed holds.
fn write_pattern(path: &Path, size: u64, seed: u64) {
    let mut file = File::create(path).expect("the file is ours");
    let mut piece = vec![0; 1 << 20];
    for at in (0..size).step_by(1 << 20) {
        let piece = &mut piece[..(size - at).min(1 << 20) as usize];
        fill_pattern(seed, at, piece);
        file.write_all(piece).expect("room on the disk");
    }
}

const LARGEST_IN_MEMORY: u64 = 1 << 20;
