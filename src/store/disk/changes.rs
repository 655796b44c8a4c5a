//! What this mount itself does to files: sizes and times may be the same before and after, so they prove nothing then.
//!
//! Blocks of a file that is written or replaced are removed. Of a directory that takes the place of another one nobody
//! knows which files are below it: it gets a token, which is a part of what their blocks are called from then on. Tokens
//! are kept beside the blocks, for the mounts to come.

use std::io;
use std::num::NonZeroUsize;

use lru::LruCache;

use super::folder::Folder;
use super::key;
use crate::remote::RemotePath;
use crate::store::spool::random_name;

#[derive(Debug)]
pub(super) struct Changes {
    /// Files changed last, and as the how manieth.
    recent: LruCache<RemotePath, u64>,
    now: u64,
    /// The last one that `recent` has forgotten.
    forgotten: u64,
    moves: Vec<(String, RemotePath)>,
}

impl Changes {
    /// Reads what earlier mounts of `server` have left.
    pub(super) fn load(folder: &Folder, server: &[u8]) -> io::Result<Self> {
        let text = folder.text(&file_of(server))?;
        let mut moves: Vec<_> = text.split(|&b| b == b'\n').filter_map(parse).collect();
        if moves.len() > MOST_MOVES {
            let token = random_name()?;
            forget_all(folder, server, &token)?;
            moves = vec![(token, RemotePath::root())];
        }
        Ok(Self { recent: LruCache::new(MOST_RECENT), now: 0, forgotten: 0, moves })
    }

    /// Changes so far.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// What the names of blocks of `path` begin with now.
    pub(super) fn place(&self, server: &[u8], path: &RemotePath) -> String {
        let above = |(_, dir): &&(String, RemotePath)| path == dir || path.is_below(dir);
        key::place(server, path, self.moves.iter().filter(above).map(|(token, _)| token.as_str()))
    }

    /// Takes note that `path` gets other content.
    pub(super) fn note(&mut self, path: &RemotePath) {
        self.now += 1;
        if let Some((old, number)) = self.recent.push(path.clone(), self.now)
            && old != *path
        {
            self.forgotten = self.forgotten.max(number);
        }
    }

    /// Whether `path` may have got other content after `seen` changes.
    pub(super) fn is_later(&self, path: &RemotePath, seen: u64) -> bool {
        self.recent.peek(path).copied().unwrap_or(self.forgotten) > seen
    }

    /// Whether one more directory is one too many to keep in mind.
    pub(super) fn is_full(&self) -> bool {
        self.moves.len() >= MOST_MOVES
    }

    pub(super) fn moved(&mut self, token: String, dir: &RemotePath) {
        self.moves.push((token, dir.clone()));
    }

    /// From now on `token` is for everything.
    pub(super) fn all_moved(&mut self, token: String) {
        self.moves = vec![(token, RemotePath::root())];
    }
}

/// Keeps for later mounts that another directory is called `dir` now.
pub(super) fn remember(folder: &Folder, server: &[u8], token: &str, dir: &RemotePath) -> io::Result<()> {
    folder.append(&file_of(server), &line(&(token.to_owned(), dir.clone())))
}

/// Keeps for later mounts that `token` is for everything: all that is here of this server has to be fetched again.
pub(super) fn forget_all(folder: &Folder, server: &[u8], token: &str) -> io::Result<()> {
    folder.replace(&file_of(server), &line(&(token.to_owned(), RemotePath::root())))
}

fn file_of(server: &[u8]) -> String {
    format!("moved-{}", key::digest(&[server]))
}

/// Begins with a line's end: the one before may be torn.
fn line((token, dir): &(String, RemotePath)) -> Vec<u8> {
    [b"\n", token.as_bytes(), b" ", dir.as_bytes(), b"\n"].concat()
}

fn parse(line: &[u8]) -> Option<(String, RemotePath)> {
    let at = line.iter().position(|&b| b == b' ')?;
    let token = std::str::from_utf8(&line[..at]).ok()?;
    Some((token.to_owned(), RemotePath::new(&line[at + 1..])?))
}

/// Renamed directories that are kept in mind one by one.
const MOST_MOVES: usize = 1000;
/// Changed files that are.
const MOST_RECENT: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");
