//! The same operations on two directories, step by step.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, Timespec, Timestamps};

use super::op::{How, Op};
use super::{map, pattern};
use crate::support::bench::Bench;
use crate::support::twin;

/// How the files come to be there that each sequence starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Written through the mount.
    ByMount,
    /// On the server's disk before the mount hears of them: old content is not where it was written, but far away.
    Before,
}

/// What each sequence starts with.
fn fill(root: &Path) {
    fs::create_dir_all(root.join("d/e")).expect("a new tree");
    for (name, fill, len) in [("a", 201, 100_000), ("d/b", 202, 9000)] {
        fs::write(root.join(name), pattern(fill, len)).expect("a new file");
    }
}

/// What an operation came to.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// There was nothing to do it with.
    Nothing,
    Done,
    Count(u64),
    Bytes(Vec<u8>),
    Looks(Looks),
    Names(Vec<String>),
    Target(PathBuf),
    Failed(i32),
}

#[derive(Debug, PartialEq, Eq)]
struct Looks {
    kind: fs::FileType,
    size: u64,
    mode: u32,
    mtime: i64,
}

/// Runs `ops` in a new directory of the bench and in one of its twin, which hold the same few files; says where they part.
pub fn run(bench: &Bench, start: Start, ops: &[Op], spoil: &dyn Fn(&Op, &Path)) -> Result<(), String> {
    // A name of its own: what a failure leaves behind is nobody else's.
    static CASES: AtomicU32 = AtomicU32::new(0);
    let name = format!("case {}", CASES.fetch_add(1, Ordering::Relaxed));
    let twin = bench.twin();
    match start {
        Start::Before => bench.there_before(&name, &fill),
        Start::ByMount => [bench.dir().join(&name), twin.join(&name)].iter().for_each(|root| fill(root)),
    }
    let here = World::new(bench.dir().join(&name));
    let there = World::new(twin.join(&name));
    let roots = [here.root.clone(), there.root.clone()];
    let outcome = in_step(here, there, ops, bench.began(), spoil).and_then(|()| {
        // All files are closed: what the server holds is what counts.
        twin::settled(&twin.join(&name), &bench.disk().join(&name), bench.rules(), ATTRIBUTES_LIMIT)
    });
    let removed = roots.map(|root| fs::remove_dir_all(&root).map_err(|e| format!("{}: {e}", root.display())));
    // A failure that came first is the one to tell.
    removed.into_iter().fold(outcome, Result::and)
}

fn in_step(
    mut here: World,
    mut there: World,
    ops: &[Op],
    began: i64,
    spoil: &dyn Fn(&Op, &Path),
) -> Result<(), String> {
    for (n, op) in ops.iter().enumerate() {
        let (seen, wanted) = (here.run(op), there.run(op));
        spoil(op, &here.root);
        agree(&wanted, &seen, began).map_err(|text| format!("operation {n}, {op:?}: {text}"))?;
    }
    Ok(())
}

/// Errors that stand for one another: `(plain directory, mount)`.
const ALIKE: &[(i32, i32)] = &[
    // POSIX gives the choice.
    (libc::ENOTEMPTY, libc::EEXIST),
];

fn agree(wanted: &Said, seen: &Said, began: i64) -> Result<(), String> {
    let alike = match (wanted, seen) {
        (Said::Failed(wanted), Said::Failed(seen)) => wanted == seen || ALIKE.contains(&(*wanted, *seen)),
        (Said::Looks(wanted), Said::Looks(seen)) => wanted.alike(seen, began),
        (Said::Bytes(wanted), Said::Bytes(seen)) if wanted != seen => {
            let same = wanted.iter().zip(seen).take_while(|(w, s)| w == s).count();
            return Err(format!("{} bytes instead of {}, other ones from {same}", seen.len(), wanted.len()));
        }
        (wanted, seen) => wanted == seen,
    };
    if alike { Ok(()) } else { Err(format!("{seen:?} instead of {wanted:?}")) }
}

impl Looks {
    fn of(metadata: &fs::Metadata) -> Self {
        let mode = metadata.permissions().mode() & 0o777;
        Self { kind: metadata.file_type(), size: metadata.len(), mode, mtime: metadata.mtime() }
    }

    fn alike(&self, other: &Self, began: i64) -> bool {
        // A time from before the test was given and is to be kept; one of a write is just young.
        let given = self.mtime < began || other.mtime < began;
        let times = !given || self.mtime == other.mtime;
        let (file, link) = (self.kind.is_file(), self.kind.is_symlink());
        self.kind == other.kind
            && (link || self.mode == other.mode)
            && (!file || times)
            // Of a directory it says nothing.
            && (!(file || link) || self.size == other.size)
    }
}

/// A directory with files open in it.
struct World {
    root: PathBuf,
    slots: [Option<File>; 4],
}

impl World {
    fn new(root: PathBuf) -> Self {
        Self { root, slots: [None, None, None, None] }
    }

    fn run(&mut self, op: &Op) -> Said {
        let said = match op {
            Op::Open { slot, path, how } => self.open(*slot, path, *how),
            Op::Close { slot } => match self.in_use(*slot).and_then(|slot| self.slots[slot].take()) {
                None => Ok(Said::Nothing),
                // Its errors are those of the flush, which std does not tell; fsync does.
                Some(file) => {
                    drop(file);
                    Ok(Said::Done)
                }
            },
            _ => match op.slot() {
                Some(slot) => match self.in_use(slot).and_then(|slot| self.slots[slot].as_mut()) {
                    None => Ok(Said::Nothing),
                    Some(file) => on_file(op, file),
                },
                None => on_path(op, &|path| self.root.join(path)),
            },
        };
        said.unwrap_or_else(|e| Said::Failed(e.raw_os_error().unwrap_or(0)))
    }

    /// The slot or, where nothing is open in it, the next one that has something: most operations shall meet a file.
    fn in_use(&self, slot: u8) -> Option<usize> {
        let count = self.slots.len();
        (0..count).map(|n| (usize::from(slot) + n) % count).find(|&slot| self.slots[slot].is_some())
    }

    fn open(&mut self, slot: u8, path: &str, how: How) -> io::Result<Said> {
        // What was there is closed first, as with a program that forgets it.
        self.slots[usize::from(slot)] = None;
        let mut flags = match (how.read, how.write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        flags.set(OFlags::APPEND, how.append);
        flags.set(OFlags::CREATE, how.create);
        flags.set(OFlags::EXCL, how.exclusive);
        flags.set(OFlags::TRUNC, how.truncate);
        let mode = Mode::from_raw_mode(if how.private { 0o600 } else { 0o644 });
        let file = File::from(rustix::fs::open(self.root.join(path), flags | OFlags::CLOEXEC, mode)?);
        // A directory that can be opened to read is no file to work with.
        if file.metadata()?.is_dir() {
            return Ok(Said::Nothing);
        }
        self.slots[usize::from(slot)] = Some(file);
        Ok(Said::Done)
    }
}

impl Op {
    fn slot(&self) -> Option<u8> {
        match *self {
            Self::Write { slot, .. }
            | Self::WriteAt { slot, .. }
            | Self::Read { slot, .. }
            | Self::ReadAt { slot, .. }
            | Self::Seek { slot, .. }
            | Self::SetLen { slot, .. }
            | Self::Sync { slot }
            | Self::MapRead { slot, .. }
            | Self::MapWrite { slot, .. }
            | Self::SlotStat { slot }
            | Self::SlotTime { slot, .. } => Some(slot),
            _ => None,
        }
    }
}

fn on_file(op: &Op, file: &mut File) -> io::Result<Said> {
    match *op {
        Op::Write { len, fill, .. } => file.write_all(&pattern(fill, len.max(1)))?,
        Op::WriteAt { at, len, fill, .. } => file.write_all_at(&pattern(fill, len.max(1)), at.into())?,
        Op::Read { len, .. } => {
            let mut bytes = Vec::new();
            file.take(len.into()).read_to_end(&mut bytes)?;
            return Ok(Said::Bytes(bytes));
        }
        Op::ReadAt { at, len, .. } => return read_at(file, at, len).map(Said::Bytes),
        Op::Seek { at, .. } => return file.seek(SeekFrom::Start(at.into())).map(Said::Count),
        Op::SetLen { len, .. } => file.set_len(other_length(&file.metadata()?, len))?,
        Op::Sync { .. } => file.sync_all()?,
        Op::MapRead { at, len, .. } => {
            let Some((at, len)) = within(&file.metadata()?, at, len) else { return Ok(Said::Nothing) };
            return map::read(file, at, len).map(Said::Bytes);
        }
        Op::MapWrite { at, len, fill, .. } => {
            let Some((at, len)) = within(&file.metadata()?, at, len) else { return Ok(Said::Nothing) };
            map::write(file, at, &pattern(fill, len as u32))?;
        }
        Op::SlotStat { .. } => return Ok(Said::Looks(Looks::of(&file.metadata()?))),
        Op::SlotTime { seconds, .. } => rustix::fs::futimens(&*file, &times(seconds))?,
        _ => unreachable!("it has a slot"),
    }
    Ok(Said::Done)
}

fn on_path(op: &Op, at: &dyn Fn(&str) -> PathBuf) -> io::Result<Said> {
    match *op {
        Op::ReadFile { path } => return fs::read(at(path)).map(Said::Bytes),
        Op::WriteFile { path, len, fill } => fs::write(at(path), pattern(fill, len))?,
        Op::Truncate { path, len } => {
            let len = fs::metadata(at(path)).map_or(u64::from(len), |now| other_length(&now, len));
            // Like truncate(1).
            fs::OpenOptions::new().write(true).open(at(path))?.set_len(len)?;
        }
        Op::Stat { path } => return Ok(Said::Looks(Looks::of(&fs::symlink_metadata(at(path))?))),
        Op::List { path } => {
            let names = fs::read_dir(at(path))?.map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned()));
            let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
            names.sort();
            return Ok(Said::Names(names));
        }
        Op::Rename { from, to, keep } => {
            let flags = if keep { RenameFlags::NOREPLACE } else { RenameFlags::empty() };
            rustix::fs::renameat_with(CWD, at(from), CWD, at(to), flags)?;
        }
        Op::Unlink { path } => fs::remove_file(at(path))?,
        Op::MakeDir { path } => fs::create_dir(at(path))?,
        Op::RemoveDir { path } => fs::remove_dir(at(path))?,
        Op::SetTime { path, seconds } => {
            // Directories' times are not the same everywhere.
            if fs::metadata(at(path))?.is_dir() {
                return Ok(Said::Nothing);
            }
            rustix::fs::utimensat(CWD, at(path), &times(seconds), AtFlags::empty())?;
        }
        Op::SetMode { path, mode } => {
            // A directory that cannot be entered would lock the server's user out.
            let mode = if fs::metadata(at(path))?.is_dir() { mode | 0o700 } else { mode };
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode.into()))?;
        }
        Op::Symlink { target, path } => std::os::unix::fs::symlink(target, at(path))?,
        Op::ReadLink { path } => return fs::read_link(at(path)).map(Said::Target),
        _ => unreachable!("it has a path"),
    }
    Ok(Said::Done)
}

fn read_at(file: &File, at: u32, len: u32) -> io::Result<Vec<u8>> {
    let (mut bytes, mut filled) = (vec![0; len as usize], 0);
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], u64::from(at) + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// A length that changes the file: one that does not may or may not touch its time.
fn other_length(now: &fs::Metadata, len: u32) -> u64 {
    if now.len() == u64::from(len) { now.len() + 1 } else { len.into() }
}

/// A part of a file for a mapping; none of an empty one.
fn within(now: &fs::Metadata, at: u32, len: u32) -> Option<(u64, usize)> {
    let at = u64::from(at).checked_rem(now.len())?;
    Some((at, u64::from(len).clamp(1, now.len() - at) as usize))
}

fn times(seconds: u32) -> Timestamps {
    let time = Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// More than the second that a mount may take; short, for it is waited for at each step towards a shorter sequence.
const ATTRIBUTES_LIMIT: Duration = Duration::from_secs(4);
