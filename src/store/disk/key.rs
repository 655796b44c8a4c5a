//! What a block on the disk is called: hashes of everything that tells it from others.

use std::time::SystemTime;

use ring::digest::{Context, SHA256};

use crate::remote::{Precision, RemotePath, Stamp, Version};
use crate::store::hex;

/// One version of one file, as the cache knows it.
#[derive(Clone, Debug)]
pub struct KeptFile {
    path: RemotePath,
    version: Version,
    /// Server and path.
    place: String,
    /// Size, time, and what else the server tells of the content.
    state: String,
    /// Changes of this mount's own before this was asked for.
    pub(super) seen: u64,
}

impl KeptFile {
    /// None for a version that may stand for other content another day: a time of LIST is a minute or a day long, and
    /// without a time there is only the size.
    pub(super) fn new(path: &RemotePath, version: &Version, place: String, seen: u64) -> Option<Self> {
        let mtime = version.mtime.filter(|time| time.precision == Precision::Second)?;
        let unique = version.unique.as_deref().unwrap_or_default();
        let state = digest(&[
            &version.size.to_le_bytes(),
            &mtime.secs.to_le_bytes(),
            &mtime.nanos.to_le_bytes(),
            unique.as_bytes(),
        ]);
        Some(Self { path: path.clone(), version: version.clone(), place, state, seen })
    }

    /// Where it is on the server.
    pub fn path(&self) -> &RemotePath {
        &self.path
    }

    /// Whether what the server sends right after it has said `found`, which was at `now`, may be kept as this version: it is
    /// this one, and old enough. What was written a moment ago may be written once more within the same second, and would
    /// still be the same version; a minute leaves room for clocks that differ.
    pub fn is_safe(&self, found: &Version, now: SystemTime) -> bool {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let old = |time: Stamp| i64::try_from(now).is_ok_and(|now| now.saturating_sub(time.secs) > JUST_NOW);
        found.size == self.version.size && found.mtime == self.version.mtime && found.mtime.is_some_and(old)
    }

    /// The name of a block.
    pub(super) fn block(&self, index: u64) -> String {
        format!("{}-{}-{index:x}", self.place, self.state)
    }
}

/// What the names of all blocks of `path` begin with. `moves` are the tokens of the directories renamed there since.
pub(super) fn place<'a>(server: &'a [u8], path: &'a RemotePath, moves: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<_> = [server, path.as_bytes()].into_iter().chain(moves.map(str::as_bytes)).collect();
    digest(&parts)
}

/// 128 bits of SHA-256 over `parts`, each with its length in front: no two lists of parts are the same bytes.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    hex(&context.finish().as_ref()[..16])
}

/// Seconds within which a file may be written twice without showing it.
const JUST_NOW: i64 = 60;
