//! Content on its way from and to the server in memory.

use std::sync::Arc;

use ftpfs::base::Deadline;
use ftpfs::remote::{Download, Error, ErrorKind, RemotePath, Result, Settings, Store, Stored, Upload, Version};
use parking_lot::Mutex;

use super::{MemoryRemote, Node, What, told, trimmed};

pub(super) struct MemoryDownload {
    remote: MemoryRemote,
    path: RemotePath,
    content: Arc<Mutex<Vec<u8>>>,
    at: usize,
    version: Option<Version>,
}

impl Download for MemoryDownload {
    fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    fn read(&mut self, buf: &mut [u8], deadline: Deadline) -> Result<usize> {
        self.remote.inner.pause("bytes", deadline)?;
        self.remote.inner.state.lock().check("bytes", &self.path)?;
        let len = {
            let content = self.content.lock();
            let rest = content.get(self.at..).unwrap_or_default();
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            len
        };
        self.at += len;
        self.remote.inner.state.lock().fetched.bytes += len as u64;
        Ok(len)
    }

    fn finish(self: Box<Self>, _: Deadline) -> Result<()> {
        Ok(())
    }
}

impl MemoryDownload {
    pub(super) fn new(
        remote: &MemoryRemote,
        path: &RemotePath,
        content: Arc<Mutex<Vec<u8>>>,
        at: usize,
        version: Option<Version>,
    ) -> Self {
        {
            let fetched = &mut remote.inner.state.lock().fetched;
            fetched.running += 1;
            fetched.most = fetched.most.max(fetched.running);
        }
        Self { remote: remote.clone(), path: path.clone(), content, at, version }
    }
}

impl Drop for MemoryDownload {
    fn drop(&mut self) {
        self.remote.inner.state.lock().fetched.running -= 1;
    }
}

pub(super) struct MemoryUpload {
    pub(super) remote: MemoryRemote,
    pub(super) path: RemotePath,
    pub(super) base: u64,
    pub(super) sent: u64,
    pub(super) content: Option<Arc<Mutex<Vec<u8>>>>,
    pub(super) refused: Option<Error>,
}

impl MemoryUpload {
    pub(super) fn begin(&mut self, verb: &'static str, how: Store) -> Result<()> {
        let mut state = self.remote.inner.state.lock();
        state.check_parent(verb, &self.path)?;
        let key = trimmed(&self.path);
        let now = state.now;
        if let Some(node) = state.tree.get_mut(key) {
            let What::File(content) = &node.what else { return Err(Error::new(ErrorKind::IsDir, verb)) };
            self.content = Some(Arc::clone(content));
            node.mtime = now;
        }
        match how {
            Store::Tail { .. } if !state.can.tail => return Err(Error::new(ErrorKind::Unsupported, verb)),
            Store::Tail { at } => {
                let size = self.content.as_ref().map_or(0, |content| content.lock().len() as u64);
                if size != at {
                    return Err(Error::new(ErrorKind::Changed, verb));
                }
                self.base = at;
            }
            Store::Whole => {
                if let Some(content) = &self.content {
                    content.lock().clear();
                }
            }
        }
        if self.content.is_none() {
            let content = Arc::new(Mutex::new(Vec::new()));
            state.insert(key.to_vec(), What::File(Arc::clone(&content)), 0o644);
            self.content = Some(content);
        }
        Ok(())
    }

    fn refusal(&self) -> Result<()> {
        self.refused.clone().map_or(Ok(()), Err)
    }
}

impl Upload for MemoryUpload {
    fn accepted(&mut self, _: Deadline) -> Result<()> {
        self.refusal()
    }

    fn write(&mut self, bytes: &[u8], _: Deadline) -> Result<()> {
        self.refusal()?;
        let mut state = self.remote.inner.state.lock();
        state.check("data", &self.path)?;
        if state.can.room.is_some_and(|room| state.used() + bytes.len() as u64 > room) {
            return Err(Error::new(ErrorKind::NoSpace, "STOR"));
        }
        if let Some(content) = &self.content {
            content.lock().extend_from_slice(bytes);
        }
        self.sent += bytes.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>, settings: &Settings, deadline: Deadline) -> Result<Stored> {
        self.refusal()?;
        self.remote.inner.call("226", &self.path, &told(settings), deadline)?;
        let mut state = self.remote.inner.state.lock();
        let key = trimmed(&self.path);
        let now = state.now;
        let size = self.content.as_ref().map_or(0, |content| content.lock().len() as u64);
        if size != self.base + self.sent {
            return Err(Error::new(ErrorKind::Changed, "STOR"));
        }
        if let Some(node) = state.tree.get_mut(key) {
            node.mtime = now;
        }
        let outcome = state.apply(key, settings, "MFMT");
        let node = state.tree.get(key);
        let (version, mode) = (node.and_then(Node::version), node.map(|node| node.mode));
        Ok(Stored { version, mode, outcome })
    }

    fn abandon(self: Box<Self>, _: Deadline) {
        let mut state = self.remote.inner.state.lock();
        state.log.push(format!("ABOR {}", self.path));
        drop(state);
        self.remote.inner.gate.open();
    }
}
