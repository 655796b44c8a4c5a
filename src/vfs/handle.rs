//! Open files and directories by the number that the kernel knows them by.

use std::collections::HashMap;
use std::sync::Arc;

use super::dir::Listing;
use super::error::{Fault, Result};
use super::node::Ino;
use super::read::{FileReader, Reading};
use super::users::Users;
use super::write::FileWriter;
use crate::base::sync::Ranked;

/// A file handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// A directory as it was when it was opened: entries neither vanish nor come twice while it is read.
pub(crate) struct OpenDir {
    pub(crate) ino: Ino,
    pub(crate) listing: Arc<Listing>,
}

/// An open file.
pub(crate) struct OpenFile {
    pub(crate) ino: Ino,
    reads: bool,
    /// Every write goes to the end.
    pub(crate) appends: bool,
    /// Set where it may be written to.
    pub(crate) writer: Option<Arc<FileWriter>>,
    /// Who has opened it or written to it.
    pub(crate) users: Users,
    /// Reads what the server has, as of an epoch of the inode; made when somebody reads.
    reader: Ranked<Option<(u64, Arc<FileReader>)>, 42>,
}

impl OpenFile {
    /// A file that is only read; the reader is made later where there is none.
    pub(crate) fn reading(ino: Ino, reader: Option<(u64, Arc<FileReader>)>) -> Self {
        Self { ino, reads: true, appends: false, writer: None, users: Users::default(), reader: Ranked::new(reader) }
    }

    /// A file that is written, and perhaps read.
    pub(crate) fn writing(ino: Ino, reads: bool, appends: bool, writer: Arc<FileWriter>) -> Self {
        Self { ino, reads, appends, writer: Some(writer), users: Users::default(), reader: Ranked::new(None) }
    }

    /// Who reads what the server has of the file now.
    ///
    /// # Errors
    /// The handle is not open for reading, or the file is not known any more.
    pub(crate) fn reader(&self, shared: &Arc<Reading>) -> Result<Arc<FileReader>> {
        if !self.reads {
            return Err(Fault::BadHandle.into());
        }
        let epoch = shared.nodes.epoch(self.ino);
        if let Some((of, reader)) = &*self.reader.lock()
            && *of == epoch
        {
            return Ok(Arc::clone(reader));
        }
        let content = shared.nodes.content(self.ino).ok_or(Fault::NoInode)?;
        let (reader, _) = shared.open(self.ino, &content.version).ok_or(Fault::NoInode)?;
        let old = self.reader.lock().replace((epoch, Arc::clone(&reader)));
        if let Some((_, old)) = old {
            old.close();
        }
        Ok(reader)
    }

    fn close(&self) {
        let reader = self.reader.lock().take();
        if let Some((_, reader)) = reader {
            reader.close();
        }
        if let Some(writer) = &self.writer {
            writer.release();
        }
    }
}

/// What a handle stands for.
#[derive(Clone)]
enum Open {
    File(Arc<OpenFile>),
    Dir(Arc<OpenDir>),
}

/// All open handles.
#[derive(Default)]
pub(crate) struct HandleTable {
    open: Ranked<Handles, 40>,
}

#[derive(Default)]
struct Handles {
    map: HashMap<Fh, Open>,
    last: u64,
}

impl HandleTable {
    pub(crate) fn add_file(&self, file: OpenFile) -> Fh {
        self.add(Open::File(Arc::new(file)))
    }

    pub(crate) fn add_dir(&self, dir: OpenDir) -> Fh {
        self.add(Open::Dir(Arc::new(dir)))
    }

    fn add(&self, open: Open) -> Fh {
        let mut handles = self.open.lock();
        handles.last += 1;
        let fh = Fh(handles.last);
        handles.map.insert(fh, open);
        fh
    }

    pub(crate) fn file(&self, fh: Fh) -> Result<Arc<OpenFile>> {
        match self.open.lock().map.get(&fh) {
            Some(Open::File(file)) => Ok(Arc::clone(file)),
            _ => Err(Fault::BadHandle.into()),
        }
    }

    pub(crate) fn dir(&self, fh: Fh) -> Result<Arc<OpenDir>> {
        match self.open.lock().map.get(&fh) {
            Some(Open::Dir(dir)) => Ok(Arc::clone(dir)),
            _ => Err(Fault::BadHandle.into()),
        }
    }

    /// Closes `fh`; returns the file that it was.
    pub(crate) fn release(&self, fh: Fh) -> Option<Ino> {
        let open = self.open.lock().map.remove(&fh);
        let Some(Open::File(file)) = open else { return None };
        file.close();
        Some(file.ino)
    }
}
