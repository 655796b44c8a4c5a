//! What the server in memory answers to each request of the contract.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ftpfs::base::{Deadline, Recall};
use ftpfs::remote::{
    Abilities, Applied, Download, Entry, Error, ErrorKind, Listed, Meta, Name, Outcome, Remote, RemotePath, Result,
    Settings, Stamp, Store, Stored, Upload, Version,
};
use parking_lot::Mutex;

use super::transfer::{MemoryDownload, MemoryUpload};
use super::{Can, MemoryRemote, Node, What, is_below, told, trimmed};

impl Remote for MemoryRemote {
    fn stat(&self, path: &RemotePath, deadline: Deadline) -> Result<Meta> {
        self.inner.call("MLST", path, "", deadline)?;
        let state = self.inner.state.lock();
        Ok(state.find("MLST", path)?.meta(&Can { exact: true, ..state.can }))
    }

    fn version(&self, path: &RemotePath, deadline: Deadline) -> Result<Option<Version>> {
        self.inner.call("SIZE", path, "", deadline)?;
        Ok(self.inner.state.lock().find("SIZE", path)?.version())
    }

    fn list(
        &self,
        path: &RemotePath,
        deadline: Deadline,
        each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<Listed> {
        self.inner.call("MLSD", path, "", deadline)?;
        let entries: Vec<Entry> = {
            let state = self.inner.state.lock();
            let What::Dir = state.find("MLSD", path)?.what else { return Err(Error::new(ErrorKind::NotDir, "MLSD")) };
            let dir = trimmed(path);
            let inside = state.tree.iter().filter(|(p, _)| is_below(p, dir) && !p[dir.len() + 1..].contains(&b'/'));
            let entry = |(p, node): (&Vec<u8>, &Node)| {
                let name = Name::new(&p[dir.len() + 1..]).expect("the path is valid");
                Entry { name, meta: node.meta(&state.can) }
            };
            let mut entries: Vec<_> = inside.map(entry).collect();
            if state.can.scrambled {
                entries.sort_by_key(|entry| entry.name.as_bytes().iter().rev().copied().collect::<Vec<_>>());
            }
            entries
        };
        self.inner.pause("MLSD", deadline)?;
        let _ = entries.into_iter().try_for_each(each);
        Ok(Listed { complete: true })
    }

    fn times(&self, dir: &RemotePath, names: &[Name], deadline: Deadline) -> Result<Vec<Option<Stamp>>> {
        self.inner.call("MDTM", dir, &format!(" {}", names.len()), deadline)?;
        let state = self.inner.state.lock();
        let time = |name: &Name| state.tree.get(trimmed(&dir.join(name))).map(|node| Stamp::exact(node.mtime));
        Ok(names.iter().map(time).collect())
    }

    fn links(&self, dir: &RemotePath, deadline: Deadline, _: &mut dyn FnMut(Name, &[u8])) -> Result<()> {
        self.inner.call("LIST", dir, "", deadline)
    }

    fn download(&self, path: &RemotePath, from: u64, _: &Arc<Recall>, deadline: Deadline) -> Result<Box<dyn Download>> {
        self.inner.call("RETR", path, &format!(" from {from}"), deadline)?;
        let (content, version) = {
            let state = self.inner.state.lock();
            let node = state.find("RETR", path)?;
            let What::File(content) = &node.what else { return Err(Error::new(ErrorKind::IsDir, "RETR")) };
            (Arc::clone(content), node.version())
        };
        let at = usize::try_from(from).map_err(|_| Error::new(ErrorKind::Changed, "RETR"))?;
        if at > content.lock().len() {
            return Err(Error::new(ErrorKind::Changed, "RETR"));
        }
        Ok(Box::new(MemoryDownload::new(self, path, content, at, version)))
    }

    fn has_spare(&self, begun: usize) -> bool {
        begun < self.inner.state.lock().can.connections
    }

    fn spare(&self) -> usize {
        let state = self.inner.state.lock();
        state.can.connections.saturating_sub(state.fetched.running + 1)
    }

    fn delay(&self) -> Option<Duration> {
        self.inner.state.lock().can.delay
    }

    fn abilities(&self) -> Abilities {
        let can = self.inner.state.lock().can;
        Abilities { tail: Some(can.tail), mtime: Some(can.mtime), mode: Some(can.mode), links: Some(can.links) }
    }

    fn upload(&self, path: &RemotePath, how: Store, _: &Arc<Recall>, deadline: Deadline) -> Result<Box<dyn Upload>> {
        let (verb, more) = match how {
            Store::Whole => ("STOR", String::new()),
            Store::Tail { at } => ("APPE", format!(" at {at}")),
        };
        let mut upload =
            MemoryUpload { remote: self.clone(), path: path.clone(), base: 0, sent: 0, content: None, refused: None };
        let begun = self.inner.call(verb, path, &more, deadline).and_then(|()| upload.begin(verb, how));
        // As a server that is spoken to ahead: what it refuses is heard later.
        upload.refused = begun.err();
        Ok(Box::new(upload))
    }

    fn remove_file(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.inner.call("DELE", path, "", deadline)?;
        let mut state = self.inner.state.lock();
        if let What::Dir = state.find("DELE", path)?.what {
            return Err(Error::new(ErrorKind::IsDir, "DELE"));
        }
        state.tree.remove(trimmed(path));
        Ok(())
    }

    fn remove_dir(&self, path: &RemotePath, deadline: Deadline) -> Result<()> {
        self.inner.call("RMD", path, "", deadline)?;
        let mut state = self.inner.state.lock();
        let What::Dir = state.find("RMD", path)?.what else { return Err(Error::new(ErrorKind::NotDir, "RMD")) };
        if !state.is_empty(trimmed(path)) {
            return Err(Error::new(ErrorKind::NotEmpty, "RMD"));
        }
        state.tree.remove(trimmed(path));
        Ok(())
    }

    fn make_dir(&self, path: &RemotePath, mode: Option<u16>, deadline: Deadline) -> Result<Outcome> {
        self.inner.call("MKD", path, &told(&Settings { mtime: None, mode }), deadline)?;
        let mut state = self.inner.state.lock();
        state.check_parent("MKD", path)?;
        if state.tree.contains_key(trimmed(path)) {
            return Err(Error::new(ErrorKind::Exists, "MKD"));
        }
        state.insert(trimmed(path).to_vec(), What::Dir, 0o755);
        Ok(state.apply(trimmed(path), &Settings { mtime: None, mode }, "SITE CHMOD"))
    }

    fn make_link(&self, path: &RemotePath, target: &[u8], deadline: Deadline) -> Result<()> {
        let verb = "SITE SYMLINK";
        self.inner.call(verb, path, &format!(" -> {}", String::from_utf8_lossy(target)), deadline)?;
        let mut state = self.inner.state.lock();
        if !state.can.links {
            return Err(Error::new(ErrorKind::Unsupported, verb));
        }
        state.check_parent(verb, path)?;
        if state.tree.contains_key(trimmed(path)) {
            return Err(Error::new(ErrorKind::Exists, verb));
        }
        let (dir, _) = path.split().ok_or_else(|| Error::new(ErrorKind::Invalid, verb))?;
        let absolute = RemotePath::new(&[dir.as_bytes(), b"/", target].concat());
        let target = match absolute {
            Some(absolute) if !state.can.relative_links && target.first() != Some(&b'/') => {
                absolute.as_bytes().to_vec()
            }
            _ => target.to_vec(),
        };
        state.insert(trimmed(path).to_vec(), What::Link(target), 0o777);
        Ok(())
    }

    fn rename(&self, from: &RemotePath, to: &RemotePath, settings: &Settings, deadline: Deadline) -> Result<Outcome> {
        self.inner.call("RNTO", from, &format!(" {to}{}", told(settings)), deadline)?;
        let mut state = self.inner.state.lock();
        let (old, new) = (trimmed(from), trimmed(to));
        let is_dir = matches!(state.find("RNTO", from)?.what, What::Dir);
        state.check_parent("RNTO", to)?;
        if is_below(new, old) {
            return Err(Error::new(ErrorKind::Invalid, "RNTO"));
        }
        match state.tree.get(new).map(|node| matches!(node.what, What::Dir)) {
            Some(true) if !is_dir => return Err(Error::new(ErrorKind::IsDir, "RNTO")),
            Some(false) if is_dir => return Err(Error::new(ErrorKind::NotDir, "RNTO")),
            Some(true) if !state.is_empty(new) => return Err(Error::new(ErrorKind::NotEmpty, "RNTO")),
            _ => {}
        }
        let outcome = state.apply(old, settings, "MFMT");
        let moving: Vec<Vec<u8>> = state.tree.keys().filter(|p| *p == old || is_below(p, old)).cloned().collect();
        for path in moving {
            if let Some(node) = state.tree.remove(&path) {
                state.tree.insert([new, &path[old.len()..]].concat(), node);
            }
        }
        // Done, but nobody hears of it.
        state.check("RNTO-answer", from)?;
        Ok(outcome)
    }

    fn can_copy(&self, _: u64) -> Option<bool> {
        Some(self.inner.state.lock().can.copies)
    }

    fn copy(
        &self,
        from: &RemotePath,
        to: &RemotePath,
        size: u64,
        settings: &Settings,
        deadline: Deadline,
    ) -> Result<Stored> {
        let verb = "SITE COPY";
        self.inner.call(verb, from, &format!(" {to}{}", told(settings)), deadline)?;
        let mut state = self.inner.state.lock();
        let What::File(content) = &state.find(verb, from)?.what else { return Err(Error::new(ErrorKind::IsDir, verb)) };
        let bytes = content.lock().clone();
        state.check_parent(verb, to)?;
        state.tree.remove(trimmed(to));
        if state.can.room.is_some_and(|room| state.used() + size > room) {
            return Err(Error::new(ErrorKind::NoSpace, verb));
        }
        if bytes.len() as u64 != size {
            return Err(Error::new(ErrorKind::Unreachable, verb));
        }
        state.insert(trimmed(to).to_vec(), What::File(Arc::new(Mutex::new(bytes))), 0o644);
        let outcome = state.apply(trimmed(to), settings, "MFMT");
        let node = state.find(verb, to)?;
        Ok(Stored { version: node.version(), mode: Some(node.mode), outcome })
    }

    fn set(&self, files: &[(RemotePath, Settings)], deadline: Deadline) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for (path, settings) in files {
            let refused = match self.inner.call("MFMT", path, &told(settings), deadline) {
                Err(e) if matches!(e.kind, ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::Cancelled) => {
                    return Err(e);
                }
                other => other.err(),
            };
            outcomes.push(match refused {
                None => self.inner.state.lock().apply(trimmed(path), settings, "MFMT"),
                Some(e) => {
                    let refuse = |asked| if asked { Applied::Refused(e.clone()) } else { Applied::Nothing };
                    Outcome { mtime: refuse(settings.mtime.is_some()), mode: refuse(settings.mode.is_some()) }
                }
            });
        }
        Ok(outcomes)
    }

    fn upkeep(&self) {}

    fn shut_down(&self) {
        let mut state = self.inner.state.lock();
        state.shut = true;
        state.held.clear();
        drop(state);
        self.inner.gate.open();
    }
}
