//! Open files and directories by the number that the kernel knows them by.

use std::collections::HashMap;
use std::sync::Arc;

use super::dir::Listing;
use super::error::{Fault, Result};
use super::node::Ino;
use super::read::FileReader;
use crate::base::sync::Ranked;

/// A file handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// A directory as it was when it was opened: entries neither vanish nor come twice while it is read.
pub(crate) struct OpenDir {
    pub(crate) ino: Ino,
    pub(crate) listing: Arc<Listing>,
}

/// What a handle stands for.
#[derive(Clone)]
enum Open {
    File(Arc<FileReader>),
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
    pub(crate) fn add_file(&self, reader: Arc<FileReader>) -> Fh {
        self.add(Open::File(reader))
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

    pub(crate) fn file(&self, fh: Fh) -> Result<Arc<FileReader>> {
        match self.open.lock().map.get(&fh) {
            Some(Open::File(reader)) => Ok(Arc::clone(reader)),
            _ => Err(Fault::BadHandle.into()),
        }
    }

    pub(crate) fn dir(&self, fh: Fh) -> Result<Arc<OpenDir>> {
        match self.open.lock().map.get(&fh) {
            Some(Open::Dir(dir)) => Ok(Arc::clone(dir)),
            _ => Err(Fault::BadHandle.into()),
        }
    }

    /// Closes `fh`.
    pub(crate) fn release(&self, fh: Fh) {
        let open = self.open.lock().map.remove(&fh);
        if let Some(Open::File(reader)) = open {
            reader.close();
        }
    }
}
