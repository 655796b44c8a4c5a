//! Shared mappings of files.

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapMut, MmapOptions};

/// What a shared mapping shows of a file, which must not end before `at + len`.
pub fn read(file: &File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    Ok(shared(file, at, len)?.to_vec())
}

/// Writes through a shared mapping, within the file, and has it stored.
pub fn write(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    let mut map = writable(file, at, bytes.len())?;
    map.copy_from_slice(bytes);
    map.flush()
}

/// The same with the file closed after it has been mapped.
pub fn write_closed(file: File, at: u64, bytes: &[u8]) -> io::Result<()> {
    let mut map = writable(&file, at, bytes.len())?;
    drop(file);
    map.copy_from_slice(bytes);
    map.flush()
}

#[allow(unsafe_code, reason = "mappings are what is tested")]
fn shared(file: &File, at: u64, len: usize) -> io::Result<Mmap> {
    // SAFETY: a test's file: nobody changes it while the mapping lives, which is copied from and dropped at once.
    unsafe { MmapOptions::new().offset(at).len(len).map(file) }
}

#[allow(unsafe_code, reason = "mappings are what is tested")]
fn writable(file: &File, at: u64, len: usize) -> io::Result<MmapMut> {
    // SAFETY: a test's file: nobody else changes it while the mapping lives, which is copied into and dropped at once.
    unsafe { MmapOptions::new().offset(at).len(len).map_mut(file) }
}
