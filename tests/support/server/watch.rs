//! What tests of writing look at and wait for.
//!
//! The `await_` functions panic with the log when nothing happens for [`WATCHDOG`]; they never sleep.

use super::fault::End;
use super::hub::State;
use super::log::Log;
use super::tree::{self, Kind};
use super::{CLOSE_PATIENCE, FakeServer};
use std::time::Duration;

/// A test that has been silent for so long hangs.
pub const WATCHDOG: Duration = Duration::from_secs(10);

impl FakeServer {
    /// The bytes of a file, links followed; `None` where there is none.
    #[must_use]
    pub fn content(&self, path: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let tree = self.tree().lock();
        let (_, content) = tree.regular(path.as_ref()).ok()?;
        Some(content.read(0, usize::try_from(content.len()).expect("it fits into memory")))
    }

    /// The length of a file, links followed.
    #[must_use]
    pub fn len_of(&self, path: impl AsRef<[u8]>) -> Option<u64> {
        self.tree().lock().regular(path.as_ref()).ok().map(|(node, _)| node.size())
    }

    /// Whether there is anything of this name, be it a dangling link.
    #[must_use]
    pub fn exists(&self, path: impl AsRef<[u8]>) -> bool {
        self.tree().lock().find(path.as_ref(), false).is_ok()
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self, path: impl AsRef<[u8]>) -> bool {
        self.tree().lock().find(path.as_ref(), false).is_ok_and(tree::Node::is_dir)
    }

    /// The modification time in seconds since 1970, of a link its own.
    #[must_use]
    pub fn mtime_of(&self, path: impl AsRef<[u8]>) -> Option<i64> {
        self.tree().lock().find(path.as_ref(), false).ok().map(|node| node.mtime)
    }

    /// The permission bits, of a link its own.
    #[must_use]
    pub fn mode_of(&self, path: impl AsRef<[u8]>) -> Option<u32> {
        self.tree().lock().find(path.as_ref(), false).ok().map(|node| node.mode)
    }

    /// The target of a link.
    #[must_use]
    pub fn link_of(&self, path: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        match &self.tree().lock().find(path.as_ref(), false).ok()?.kind {
            Kind::Link(target) => Some(target.clone()),
            Kind::Dir(_) | Kind::File(_) => None,
        }
    }

    /// Every path, sorted, without a leading `/`: files, directories and links. Bytes that are no text are replaced.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.tree().lock().paths().iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    /// How often a verb was taken up for a path since the start, or since the log was cleared: `("STOR", "d/f")`,
    /// `("SITE CHMOD", "d/f")`.
    #[must_use]
    pub fn count_of(&self, verb: &str, path: impl AsRef<[u8]>) -> usize {
        let key = (verb.to_owned(), tree::join(b"", path.as_ref()));
        self.hub.lock().seen.get(&key).copied().unwrap_or_default()
    }

    /// The paths for which a verb was taken up, sorted, each once: names that the client invents.
    #[must_use]
    pub fn paths_of(&self, verb: &str) -> Vec<String> {
        let state = self.hub.lock();
        let paths = state.seen.keys().filter(|(seen, _)| seen == verb);
        paths.map(|(_, path)| String::from_utf8_lossy(path).into_owned()).collect()
    }

    /// Bytes that have come of the newest upload to a path, finished or not.
    #[must_use]
    pub fn received(&self, path: impl AsRef<[u8]>) -> u64 {
        self.hub.lock().received.get(&tree::join(b"", path.as_ref())).copied().unwrap_or_default()
    }

    /// Uploads that have begun and whose file is open still.
    #[must_use]
    pub fn uploads_running(&self) -> usize {
        self.hub.lock().uploads.len()
    }

    /// Waits until the log satisfies a condition.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn await_log(&self, condition: impl Fn(&Log) -> bool) {
        self.watch("the log", |state| condition(&state.log).then_some(()));
    }

    /// Waits until a verb has been taken up for a path.
    ///
    /// # Panics
    /// If it is not in time.
    pub fn await_command(&self, verb: &str, path: impl AsRef<[u8]>) {
        self.await_commands(verb, path, 1);
    }

    /// Waits until a verb has been taken up for a path so many times.
    ///
    /// # Panics
    /// If it is not in time.
    pub fn await_commands(&self, verb: &str, path: impl AsRef<[u8]>, count: usize) {
        let key = (verb.to_owned(), tree::join(b"", path.as_ref()));
        self.watch(verb, |state| state.seen.get(&key).is_some_and(|&seen| seen >= count).then_some(()));
    }

    /// Waits until the newest upload to a path has brought so many bytes.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn await_bytes(&self, path: impl AsRef<[u8]>, bytes: u64) {
        let path = tree::join(b"", path.as_ref());
        self.watch("bytes", |state| state.received.get(&path).is_some_and(|&received| received >= bytes).then_some(()));
    }

    /// Waits until some running upload to below a directory (the root is `""`) has brought so many bytes; gives its path.
    ///
    /// # Panics
    /// If none does in time.
    pub fn await_bytes_below(&self, dir: impl AsRef<[u8]>, bytes: u64) -> String {
        let dir = tree::join(b"", dir.as_ref());
        let found = self.watch("bytes", |state| {
            let mut uploads = state.uploads.iter();
            let here = uploads.find(|((_, path), got)| **got >= bytes && tree::is_below(path, &dir));
            here.map(|((_, path), _)| path.clone())
        });
        String::from_utf8_lossy(&found).into_owned()
    }

    /// Waits until something stalls, for the `count`th time since the log was cleared.
    ///
    /// # Panics
    /// If nothing does in time.
    pub fn await_stalls(&self, count: usize) {
        self.watch("a stall", |state| (state.log.stalls() >= count).then_some(()));
    }

    /// Waits until no upload runs.
    ///
    /// # Panics
    /// If one runs on.
    pub fn await_no_uploads(&self) {
        self.watch("the end of all uploads", |state| state.uploads.is_empty().then_some(()));
    }

    /// Ends every connection without a word, those that transfer too; the tree stays, new connections are accepted.
    ///
    /// # Panics
    /// If a session does not end.
    pub fn restart(&self, how: End) {
        let ended = self.hub.kill(how);
        let gone = |state: &mut State| (!ended.iter().any(|id| state.peers.contains_key(id))).then_some(());
        assert!(self.hub.wait(CLOSE_PATIENCE, gone).is_some(), "a session survives the restart");
    }

    fn watch<T>(&self, what: &str, condition: impl Fn(&State) -> Option<T>) -> T {
        let met = self.hub.wait(WATCHDOG, |state| condition(state));
        met.unwrap_or_else(|| panic!("the fake server waits in vain for {what}:\n{}", self.log()))
    }
}
