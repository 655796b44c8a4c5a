//! Operations on a small tree of files, and where they come from.
//!
//! What FTP cannot keep is left out by construction: hard links, owners, times of access and of directories, modes that
//! would lock the server's user out.

use proptest::prelude::*;
use proptest::sample::select;

use super::places;

/// One call of a program, or a few that belong together. Paths are relative, slots hold open files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Open {
        slot: u8,
        path: &'static str,
        how: How,
    },
    Close {
        slot: u8,
    },
    Write {
        slot: u8,
        len: u32,
        fill: u8,
    },
    WriteAt {
        slot: u8,
        at: u32,
        len: u32,
        fill: u8,
    },
    Read {
        slot: u8,
        len: u32,
    },
    ReadAt {
        slot: u8,
        at: u32,
        len: u32,
    },
    Seek {
        slot: u8,
        at: u32,
    },
    SetLen {
        slot: u8,
        len: u32,
    },
    Sync {
        slot: u8,
    },
    MapRead {
        slot: u8,
        at: u32,
        len: u32,
    },
    MapWrite {
        slot: u8,
        at: u32,
        len: u32,
        fill: u8,
    },
    SlotStat {
        slot: u8,
    },
    SlotTime {
        slot: u8,
        seconds: u32,
    },
    /// Opens, reads to the end, closes.
    ReadFile {
        path: &'static str,
    },
    /// What `cp` and editors do: opens with O_CREAT and O_TRUNC, writes, closes.
    WriteFile {
        path: &'static str,
        len: u32,
        fill: u8,
    },
    Truncate {
        path: &'static str,
        len: u32,
    },
    Stat {
        path: &'static str,
    },
    List {
        path: &'static str,
    },
    Rename {
        from: &'static str,
        to: &'static str,
        keep: bool,
    },
    Unlink {
        path: &'static str,
    },
    MakeDir {
        path: &'static str,
    },
    RemoveDir {
        path: &'static str,
    },
    SetTime {
        path: &'static str,
        seconds: u32,
    },
    SetMode {
        path: &'static str,
        mode: u16,
    },
    Symlink {
        target: &'static str,
        path: &'static str,
    },
    ReadLink {
        path: &'static str,
    },
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    /// Of a new file.
    pub private: bool,
}

/// Few enough that operations meet.
const PATHS: &[&str] = &["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "f", "f/a"];
/// What is likely to be a directory.
const DIRS: &[&str] = &["d", "d/e", "f"];
/// What is likely to be a file.
const FILES: &[&str] = &["a", "b", "d/a", "d/b", "d/e/a", "f/a"];
const TARGETS: &[&str] = &["a", "b", "d", "../a", "e/a", "nowhere", "./d/../b"];
const SLOTS: u8 = 4;
const FAR: u32 = 150_000;

/// Any operation; those on links too, where `links` can be made.
pub fn ops(links: bool) -> BoxedStrategy<Op> {
    let without = prop_oneof![12 => on_slots(), 10 => on_paths()];
    if links { prop_oneof![20 => without, 2 => on_links()].boxed() } else { without.boxed() }
}

fn on_slots() -> impl Strategy<Value = Op> {
    let slot = || 0..SLOTS;
    let (at, len, fill) = (|| places(FAR), || places(70_000), any::<u8>);
    prop_oneof![
        8 => (slot(), file(), how()).prop_map(|(slot, path, how)| Op::Open { slot, path, how }),
        2 => slot().prop_map(|slot| Op::Close { slot }),
        4 => (slot(), len(), fill()).prop_map(|(slot, len, fill)| Op::Write { slot, len, fill }),
        4 => (slot(), at(), len(), fill()).prop_map(|(slot, at, len, fill)| Op::WriteAt { slot, at, len, fill }),
        2 => (slot(), len()).prop_map(|(slot, len)| Op::Read { slot, len }),
        2 => (slot(), at(), len()).prop_map(|(slot, at, len)| Op::ReadAt { slot, at, len }),
        1 => (slot(), at()).prop_map(|(slot, at)| Op::Seek { slot, at }),
        2 => (slot(), at()).prop_map(|(slot, len)| Op::SetLen { slot, len }),
        1 => slot().prop_map(|slot| Op::Sync { slot }),
        1 => (slot(), at(), len()).prop_map(|(slot, at, len)| Op::MapRead { slot, at, len }),
        1 => (slot(), at(), len(), fill()).prop_map(|(slot, at, len, fill)| Op::MapWrite { slot, at, len, fill }),
        1 => slot().prop_map(|slot| Op::SlotStat { slot }),
        1 => (slot(), seconds()).prop_map(|(slot, seconds)| Op::SlotTime { slot, seconds }),
    ]
}

fn on_paths() -> impl Strategy<Value = Op> {
    let (at, len, fill) = (|| places(FAR), || places(70_000), any::<u8>);
    prop_oneof![
        4 => (file(), len(), fill()).prop_map(|(path, len, fill)| Op::WriteFile { path, len, fill }),
        3 => file().prop_map(|path| Op::ReadFile { path }),
        2 => (file(), at()).prop_map(|(path, len)| Op::Truncate { path, len }),
        3 => path().prop_map(|path| Op::Stat { path }),
        2 => prop_oneof![Just("."), dir()].prop_map(|path| Op::List { path }),
        5 => (path(), path(), proptest::bool::weighted(0.25)).prop_map(|(from, to, keep)| Op::Rename { from, to, keep }),
        3 => file().prop_map(|path| Op::Unlink { path }),
        4 => dir().prop_map(|path| Op::MakeDir { path }),
        2 => dir().prop_map(|path| Op::RemoveDir { path }),
        2 => (file(), seconds()).prop_map(|(path, seconds)| Op::SetTime { path, seconds }),
        1 => (file(), select(vec![0o644, 0o600, 0o755, 0o664])).prop_map(|(path, mode)| Op::SetMode { path, mode }),
        1 => (dir(), select(vec![0o755, 0o700, 0o775])).prop_map(|(path, mode)| Op::SetMode { path, mode }),
    ]
}

fn on_links() -> impl Strategy<Value = Op> {
    prop_oneof![
        (select(TARGETS), path()).prop_map(|(target, path)| Op::Symlink { target, path }),
        path().prop_map(|path| Op::ReadLink { path }),
    ]
}

/// Any path, for the wrong kind of thing is an operation, too.
fn path() -> impl Strategy<Value = &'static str> {
    select(PATHS)
}

fn file() -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => select(FILES), 1 => select(PATHS)]
}

fn dir() -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => select(DIRS), 1 => select(PATHS)]
}

/// Long past, so that it is told from the time of a write.
fn seconds() -> impl Strategy<Value = u32> {
    900_000_000..1_600_000_000_u32
}

fn how() -> impl Strategy<Value = How> {
    let access = select(vec![(true, false), (false, true), (true, true), (true, true), (true, true)]);
    let rare = || proptest::bool::weighted(0.2);
    let often = || proptest::bool::weighted(0.85);
    (access, rare(), often(), rare(), rare(), rare()).prop_map(
        |((read, write), append, create, exclusive, truncate, private)| How {
            read,
            write,
            // What O_TRUNC and O_APPEND do without writing, nobody says.
            append: append && write,
            create,
            exclusive: exclusive && create,
            truncate: truncate && write,
            private,
        },
    )
}
