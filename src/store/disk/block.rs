//! A block as a file: a head that tells whether the rest is what was stored under this name.

use std::fs::File;
use std::io::{self, IoSliceMut, Read, Write};

use twox_hash::XxHash3_64;

/// Whether a block could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Good,
    /// Torn, rotten, or something else altogether.
    Bad,
}

/// Writes `data`, which is to be called `name`.
pub(super) fn write(mut file: &File, name: &str, data: &[u8]) -> io::Result<()> {
    file.write_all(&head(name, data))?;
    file.write_all(data)
}

/// Reads the block `name` into all of `into`; after anything but `Good` its content is none.
pub(super) fn read(mut file: &File, name: &str, into: &mut [u8]) -> io::Result<Found> {
    if file.metadata()?.len() != (HEAD + into.len()) as u64 {
        return Ok(Found::Bad);
    }
    let mut found = [0; HEAD];
    let got = file.read_vectored(&mut [IoSliceMut::new(&mut found), IoSliceMut::new(into)])?;
    // Never less from a local disk, unless the file has been cut just now.
    let good = got == HEAD + into.len() && found == head(name, into);
    Ok(if good { Found::Good } else { Found::Bad })
}

/// Name and length are the seed of the checksum: a block under a wrong name is a bad one.
fn head(name: &str, data: &[u8]) -> [u8; HEAD] {
    let seed = XxHash3_64::oneshot_with_seed(data.len() as u64, name.as_bytes());
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(FORMAT);
    head[8..].copy_from_slice(&XxHash3_64::oneshot_with_seed(seed, data).to_le_bytes());
    head
}

/// The version of this format, in the name of which the hashes of [`key`](super::key) have a part.
const FORMAT: &[u8; 8] = b"ftpfsbl1";
pub(super) const HEAD: usize = 16;
