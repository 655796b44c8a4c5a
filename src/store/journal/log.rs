//! The file of the journal: appended to, written anew, never changed in place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::crash::point;
use super::record::{Items, Record, Step, header};
use crate::base::sys;
use crate::store::spool::sync_names;

/// An open journal file.
#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    file: Option<File>,
    len: u64,
    lines: usize,
    reserved: u64,
}

impl Log {
    /// The content of the journal in `dir`, empty where there is none, and the log, which has to be
    /// [trusted](Log::trust) or written anew before it can be appended to.
    pub(super) fn open(dir: &Path) -> io::Result<(Self, Vec<u8>)> {
        let bytes = match fs::read(dir.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        match fs::remove_file(dir.join(NEW)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok((Self { dir: dir.to_owned(), file: None, len: 0, lines: 0, reserved: 0 }, bytes))
    }

    /// Goes on with the file as it is: `len` bytes in `lines` whole lines.
    pub(super) fn trust(&mut self, len: usize, lines: usize) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.dir.join(NAME))?;
        // A process that was killed, not the machine, may have left lines that are not on the disk yet.
        file.sync_data()?;
        (self.len, self.lines, self.reserved) = (len as u64, lines, 0);
        self.file = Some(file);
        self.reserve();
        Ok(())
    }

    /// Whether it has to be written anew before the next line, because nobody knows what of the last one is on the disk.
    pub(super) fn is_doubtful(&self) -> bool {
        self.file.is_none()
    }

    /// Lines, dead ones as well.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Adds a line; it is on the disk when this returns.
    ///
    /// After a failed fdatasync(2) the line may be there or not, wholly or in part, and the file is not written to again:
    /// a later one would not tell of pages that this one has failed to write.
    pub(super) fn append(&mut self, line: &str) -> io::Result<()> {
        let file = self.file.take().ok_or_else(|| io::Error::other("the journal has to be written anew"))?;
        if let Err(error) = file.write_all_at(line.as_bytes(), self.len) {
            // A full disk: what there was is as good as before, without the begin of this line.
            if file.set_len(self.len).is_ok() {
                (self.file, self.reserved) = (Some(file), 0);
            }
            return Err(error);
        }
        point("append: written");
        file.sync_data()?;
        point("append: synced");
        self.len += line.len() as u64;
        self.lines += 1;
        self.file = Some(file);
        self.reserve();
        Ok(())
    }

    /// Replaces the file by one with nothing but `items`. After an error either one is there, and both say the same.
    pub(super) fn rewrite(&mut self, items: &Items) -> io::Result<()> {
        let mut text = header();
        let mut lines = 1;
        for (&id, item) in items {
            for (fact, count) in item.summary().into_iter().zip(0..) {
                text.push_str(&Record { step: Step { id, count }, fact }.encode());
                lines += 1;
            }
        }
        let new = self.dir.join(NEW);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        point("rewrite: begun");
        file.write_all_at(text.as_bytes(), 0)?;
        point("rewrite: written");
        file.sync_all()?;
        point("rewrite: synced");
        // Until here the old file is as good as before; from here on nobody knows which one is there.
        self.file = None;
        fs::rename(&new, self.dir.join(NAME))?;
        point("rewrite: renamed");
        sync_names(&self.dir)?;
        point("rewrite: done");
        (self.len, self.lines, self.reserved) = (text.len() as u64, lines, 0);
        self.file = Some(file);
        self.reserve();
        Ok(())
    }

    /// Keeps some room behind the end, so that on a full disk an item can still end and give its own room back.
    fn reserve(&mut self) {
        if self.len + SPARE / 4 > self.reserved
            && let Some(file) = &self.file
        {
            // Without it everything works, except on a full disk.
            let _ = sys::reserve(file.as_fd(), self.len..self.len + SPARE);
            self.reserved = self.len + SPARE;
        }
    }
}

/// Room behind the end: some hundred records.
const SPARE: u64 = 64 * 1024;
const NAME: &str = "journal";
const NEW: &str = "journal.new";
