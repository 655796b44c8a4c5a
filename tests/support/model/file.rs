//! One file through several handles and mappings at once, held against a vector of bytes.
//!
//! After each fsync, each close of a handle that can write and each msync the server's disk is read: it must hold every
//! byte.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::tree::Start;
use super::{map, pattern, places};
use crate::support::bench::Bench;

/// One call on the file, or a few that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {
    Write {
        handle: u8,
        at: u32,
        len: u32,
        fill: u8,
    },
    Append {
        len: u32,
        fill: u8,
    },
    Read {
        handle: u8,
        at: u32,
        len: u32,
    },
    SetLen {
        handle: u8,
        len: u32,
    },
    MapRead {
        handle: u8,
        at: u32,
        len: u32,
    },
    MapWrite {
        at: u32,
        len: u32,
        fill: u8,
    },
    /// Maps, closes the file, writes through the mapping.
    MapWriteClosed {
        at: u32,
        len: u32,
        fill: u8,
    },
    Sync {
        handle: u8,
    },
    /// Closes a handle and opens it again.
    Reopen {
        handle: u8,
    },
    /// Closes all, then opens all.
    ReopenAll,
    /// Replaces the content by way of O_TRUNC and a handle of its own, while the others stay open.
    Rewrite {
        len: u32,
        fill: u8,
    },
    /// Looks at the size by path and by handle.
    Size {
        handle: u8,
    },
}

/// What the handles can do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Both,
    ReadOnly,
    Append,
}

const KINDS: [Kind; 5] = [Kind::Both, Kind::Both, Kind::ReadOnly, Kind::Append, Kind::Both];
const FAR: u32 = 260_000;

/// Any operation.
pub fn ops() -> impl Strategy<Value = FileOp> {
    let (at, len, fill) = (|| places(FAR), || places(66_000), any::<u8>);
    let handle = || 0..KINDS.len() as u8;
    prop_oneof![
        6 => (handle(), at(), len(), fill()).prop_map(|(handle, at, len, fill)| FileOp::Write { handle, at, len, fill }),
        2 => (len(), fill()).prop_map(|(len, fill)| FileOp::Append { len, fill }),
        5 => (handle(), at(), len()).prop_map(|(handle, at, len)| FileOp::Read { handle, at, len }),
        3 => (handle(), at()).prop_map(|(handle, len)| FileOp::SetLen { handle, len }),
        2 => (handle(), at(), len()).prop_map(|(handle, at, len)| FileOp::MapRead { handle, at, len }),
        2 => (at(), len(), fill()).prop_map(|(at, len, fill)| FileOp::MapWrite { at, len, fill }),
        1 => (at(), len(), fill()).prop_map(|(at, len, fill)| FileOp::MapWriteClosed { at, len, fill }),
        1 => handle().prop_map(|handle| FileOp::Sync { handle }),
        2 => handle().prop_map(|handle| FileOp::Reopen { handle }),
        1 => Just(FileOp::ReopenAll),
        1 => (len(), fill()).prop_map(|(len, fill)| FileOp::Rewrite { len, fill }),
        1 => handle().prop_map(|handle| FileOp::Size { handle }),
    ]
}

/// Runs `ops` on a file of the bench that has some content; says where it parts from what it should hold.
pub fn run(bench: &Bench, start: Start, ops: &[FileOp]) -> Result<(), String> {
    // A name of its own: what a failure leaves behind is nobody else's.
    static CASES: AtomicU32 = AtomicU32::new(0);
    let name = format!("file {}", CASES.fetch_add(1, Ordering::Relaxed));
    let mut truth = pattern(1, 100_000);
    let path = bench.dir().join(&name);
    match start {
        Start::Before => bench.there_before(&name, &|path| fs::write(path, &truth).expect("a new file")),
        Start::ByMount => fs::write(&path, &truth).map_err(|e| format!("making the file: {e}"))?,
    }
    let outcome = Subject::open(path.clone(), bench.disk().join(&name)).and_then(|mut subject| {
        for (n, op) in ops.iter().enumerate() {
            subject.run(op, &mut truth).map_err(|text| format!("operation {n}, {op:?}: {text}"))?;
        }
        let Subject { handles, path, disk } = subject;
        drop(handles);
        same(&truth, &fs::read(&disk), "the server's disk at the end")?;
        same(&truth, &fs::read(&path), "the file at the end")
    });
    if start == Start::Before {
        fs::remove_file(bench.twin().join(&name)).expect("it was made with the other");
    }
    let removed = fs::remove_file(&path).map_err(|e| format!("removing the file: {e}"));
    outcome.and(removed)
}

struct Subject {
    handles: Vec<File>,
    path: PathBuf,
    /// The same file on the server's disk.
    disk: PathBuf,
}

impl Subject {
    fn open(path: PathBuf, disk: PathBuf) -> Result<Self, String> {
        let handles = open_all(&path).map_err(told("opening"))?;
        Ok(Self { handles, path, disk })
    }

    fn run(&mut self, op: &FileOp, truth: &mut Vec<u8>) -> Result<(), String> {
        match *op {
            FileOp::Write { handle, at, len, fill } => self.write(handle, at, &pattern(fill, len.max(1)), truth),
            FileOp::Append { len, fill } => {
                let bytes = pattern(fill, len.max(1));
                truth.extend_from_slice(&bytes);
                // The handle that appends, wherever it stands.
                (&self.handles[3]).write_all(&bytes).map_err(told("appending"))
            }
            FileOp::Read { handle, at, len } => self.read(handle, at, len, truth),
            FileOp::SetLen { handle, len } => {
                let handle = self.writable(handle);
                truth.resize(len as usize, 0);
                handle.set_len(len.into()).map_err(told("truncating"))
            }
            FileOp::MapRead { handle, at, len } => {
                let Some((at, len)) = part(truth, at, len) else { return Ok(()) };
                if KINDS[usize::from(handle)] == Kind::Append {
                    return Ok(());
                }
                let seen = map::read(&self.handles[usize::from(handle)], at as u64, len);
                same(&truth[at..at + len], &seen, &format!("the mapping from {at}"))
            }
            FileOp::MapWrite { at, len, fill } => {
                let Some((at, len)) = part(truth, at, len) else { return Ok(()) };
                let bytes = pattern(fill, len as u32);
                truth[at..at + len].copy_from_slice(&bytes);
                map::write(&self.handles[0], at as u64, &bytes).map_err(told("mapping"))?;
                self.stored(truth, "msync")
            }
            FileOp::MapWriteClosed { at, len, fill } => {
                let Some((at, len)) = part(truth, at, len) else { return Ok(()) };
                let bytes = pattern(fill, len as u32);
                truth[at..at + len].copy_from_slice(&bytes);
                let file = open(&self.path, Kind::Both).map_err(told("opening"))?;
                map::write_closed(file, at as u64, &bytes).map_err(told("mapping a closed file"))?;
                self.stored(truth, "msync of a closed file")
            }
            FileOp::Sync { handle } => {
                self.writable(handle).sync_all().map_err(told("fsync"))?;
                self.stored(truth, "fsync")
            }
            FileOp::Reopen { handle } => self.reopen(handle, truth),
            FileOp::ReopenAll => {
                self.handles.clear();
                self.stored(truth, "closing all")?;
                self.handles = open_all(&self.path).map_err(told("opening"))?;
                Ok(())
            }
            FileOp::Rewrite { len, fill } => {
                *truth = pattern(fill, len);
                fs::write(&self.path, &*truth).map_err(told("writing anew"))?;
                self.stored(truth, "writing anew")
            }
            FileOp::Size { handle } => {
                let by_handle = self.handles[usize::from(handle)].metadata().map(|m| m.len());
                let by_path = fs::metadata(&self.path).map(|m| m.len());
                let sizes = (by_handle.map_err(told("fstat"))?, by_path.map_err(told("stat"))?);
                let wanted = truth.len() as u64;
                if sizes == (wanted, wanted) { Ok(()) } else { Err(format!("sizes {sizes:?} instead of {wanted}")) }
            }
        }
    }

    fn write(&self, handle: u8, at: u32, bytes: &[u8], truth: &mut Vec<u8>) -> Result<(), String> {
        // Linux has a handle that appends do so even here.
        let appends = KINDS[usize::from(handle)] == Kind::Append;
        let at = if appends { truth.len() } else { at as usize };
        let end = at + bytes.len();
        truth.resize(truth.len().max(end), 0);
        truth[at..end].copy_from_slice(bytes);
        self.writable(handle).write_all_at(bytes, at as u64).map_err(told("writing"))
    }

    fn read(&self, handle: u8, at: u32, len: u32, truth: &[u8]) -> Result<(), String> {
        let handle = usize::from(handle);
        if KINDS[handle] == Kind::Append {
            return Ok(());
        }
        let start = truth.len().min(at as usize);
        let end = truth.len().min(start + len as usize);
        let mut bytes = vec![0; len as usize];
        let mut filled = 0;
        let seen = loop {
            match self.handles[handle].read_at(&mut bytes[filled..], u64::from(at) + filled as u64) {
                Ok(0) => break Ok(bytes[..filled].to_vec()),
                Ok(n) => filled += n,
                Err(e) => break Err(e),
            }
        };
        same(&truth[start..end], &seen, &format!("what is read from {at}"))
    }

    fn reopen(&mut self, handle: u8, truth: &[u8]) -> Result<(), String> {
        let handle = usize::from(handle);
        // Closes the old one only after the new one is open; and then once more the other way round.
        self.handles[handle] = open(&self.path, KINDS[handle]).map_err(told("opening"))?;
        drop(self.handles.remove(handle));
        if KINDS[handle] != Kind::ReadOnly {
            self.stored(truth, "close")?;
        }
        self.handles.insert(handle, open(&self.path, KINDS[handle]).map_err(told("opening"))?);
        Ok(())
    }

    /// The handle, or the first if it cannot write.
    fn writable(&self, handle: u8) -> &File {
        let handle = usize::from(handle);
        &self.handles[if KINDS[handle] == Kind::ReadOnly { 0 } else { handle }]
    }

    fn stored(&self, truth: &[u8], after: &str) -> Result<(), String> {
        same(truth, &fs::read(&self.disk), &format!("the server's disk after {after}"))
    }
}

fn open_all(path: &Path) -> io::Result<Vec<File>> {
    KINDS.iter().map(|&kind| open(path, kind)).collect()
}

fn open(path: &Path, kind: Kind) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match kind {
        Kind::Both => options.read(true).write(true),
        Kind::ReadOnly => options.read(true),
        Kind::Append => options.append(true),
    };
    options.open(path)
}

/// A part of the file for a mapping; none of an empty one.
fn part(truth: &[u8], at: u32, len: u32) -> Option<(usize, usize)> {
    let at = (at as usize).checked_rem(truth.len())?;
    Some((at, (len as usize).clamp(1, truth.len() - at)))
}

fn same(wanted: &[u8], seen: &io::Result<Vec<u8>>, what: &str) -> Result<(), String> {
    let seen = seen.as_ref().map_err(|e| format!("{what}: {e}"))?;
    if wanted == seen {
        return Ok(());
    }
    let at = wanted.iter().zip(seen).take_while(|(w, s)| w == s).count();
    Err(format!("{what}: {} bytes instead of {}, other ones from {at}", seen.len(), wanted.len()))
}

fn told(doing: &str) -> impl Fn(io::Error) -> String {
    move |e| format!("{doing}: {e}")
}
