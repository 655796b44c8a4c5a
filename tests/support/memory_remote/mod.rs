//! A server in memory: what the filesystem above the contract does, without a wire.
//!
//! It knows files, directories and links with content, times and modes, writes down every call, and fails, waits or lacks
//! abilities as a test wants it. Its clock stands still until a test moves it.

mod remote;
mod transfer;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ftpfs::base::{Deadline, Gate};
use ftpfs::remote::{
    Applied, Error, ErrorKind, Kind, Meta, Outcome, Precision, RemotePath, Result, Retry, Settings, Stamp, Version,
};
use parking_lot::Mutex;

/// The server; clones are the same one.
#[derive(Clone)]
pub struct MemoryRemote {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    gate: Gate,
}

/// What this server can do.
#[derive(Clone, Copy, Debug)]
pub struct Can {
    /// Set times of modification.
    pub mtime: bool,
    /// Set modes.
    pub mode: bool,
    /// Make symlinks.
    pub links: bool,
    /// Store the end of a file.
    pub tail: bool,
    /// Tell exact times in listings; otherwise only by [`Remote::times`].
    pub exact: bool,
    /// Keep a link's target as it was said; otherwise it becomes absolute (ProFTPD).
    pub relative_links: bool,
    /// Copy files by itself.
    pub copies: bool,
    /// List in no order that means anything.
    pub scrambled: bool,
    /// Bytes of all files together.
    pub room: Option<u64>,
    /// Say how long an answer takes at least.
    pub delay: Option<Duration>,
    /// Connections that it grants.
    pub connections: usize,
}

/// What has been fetched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetched {
    /// Bytes of all downloads.
    pub bytes: u64,
    /// Downloads that are under way.
    pub running: usize,
    /// Most that were so at once.
    pub most: usize,
}

struct State {
    tree: BTreeMap<Vec<u8>, Node>,
    can: Can,
    now: i64,
    serial: u64,
    log: Vec<String>,
    failures: VecDeque<Failure>,
    held: HashSet<&'static str>,
    waiting: usize,
    fetched: Fetched,
    shut: bool,
}

struct Failure {
    verb: &'static str,
    path: Option<String>,
    kind: ErrorKind,
    times: usize,
}

#[derive(Clone)]
struct Node {
    what: What,
    mtime: i64,
    mode: u16,
    unique: u64,
}

#[derive(Clone)]
enum What {
    File(Arc<Mutex<Vec<u8>>>),
    Dir,
    Link(Vec<u8>),
}

impl Default for Can {
    fn default() -> Self {
        Self {
            mtime: true,
            mode: true,
            links: true,
            tail: true,
            exact: true,
            relative_links: true,
            copies: true,
            scrambled: false,
            room: None,
            delay: None,
            connections: 4,
        }
    }
}

impl Default for MemoryRemote {
    fn default() -> Self {
        Self::new(Can::default())
    }
}

impl MemoryRemote {
    /// A server with an empty root directory.
    pub fn new(can: Can) -> Self {
        let root = Node { what: What::Dir, mtime: START, mode: 0o755, unique: 0 };
        let state = State {
            tree: BTreeMap::from([(Vec::new(), root)]),
            can,
            now: START,
            serial: 0,
            log: Vec::new(),
            failures: VecDeque::new(),
            held: HashSet::new(),
            waiting: 0,
            fetched: Fetched::default(),
            shut: false,
        };
        Self { inner: Arc::new(Inner { state: Mutex::new(state), gate: Gate::default() }) }
    }

    /// Somebody else puts a directory there.
    pub fn dir(self, path: &str) -> Self {
        self.inner.state.lock().put(path, What::Dir, 0o755);
        self
    }

    /// Somebody else puts a file there.
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.store(path, content);
        self
    }

    /// Somebody else puts a file there, later.
    pub fn store(&self, path: &str, content: &[u8]) {
        let content = What::File(Arc::new(Mutex::new(content.to_vec())));
        self.inner.state.lock().put(path, content, 0o644);
    }

    /// Somebody else removes it, with all that is below.
    pub fn take_away(&self, path: &str) {
        let path = key(path);
        self.inner.state.lock().tree.retain(|p, _| *p != path && !is_below(p, &path));
    }

    /// The content of a file; None where there is none.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        match &self.inner.state.lock().tree.get(&key(path))?.what {
            What::File(content) => Some(content.lock().clone()),
            What::Dir | What::Link(_) => None,
        }
    }

    /// Where a link leads.
    pub fn target(&self, path: &str) -> Option<String> {
        match &self.inner.state.lock().tree.get(&key(path))?.what {
            What::Link(target) => Some(String::from_utf8_lossy(target).into_owned()),
            What::File(_) | What::Dir => None,
        }
    }

    /// Time and mode of what is there.
    pub fn facts(&self, path: &str) -> Option<(i64, u16)> {
        self.inner.state.lock().tree.get(&key(path)).map(|node| (node.mtime, node.mode))
    }

    /// All paths that exist but the root, in order; directories end in `/`.
    pub fn paths(&self) -> Vec<String> {
        let state = self.inner.state.lock();
        let shown = |(path, node): (&Vec<u8>, &Node)| {
            let end = if matches!(node.what, What::Dir) { "/" } else { "" };
            format!("{}{end}", String::from_utf8_lossy(&path[1..]))
        };
        state.tree.iter().skip(1).map(shown).collect()
    }

    /// Sets the server's clock, from which new files have their time.
    pub fn set_clock(&self, secs: i64) {
        self.inner.state.lock().now = secs;
    }

    /// Changes what it can do.
    pub fn change(&self, f: impl FnOnce(&mut Can)) {
        f(&mut self.inner.state.lock().can);
    }

    /// The next `times` calls of `verb` fail; only those for `path` if one is given. Verbs are as in the log; `data` is a
    /// write within an upload, `226` its end, `bytes` a read within a download.
    pub fn fail(&self, verb: &'static str, path: Option<&str>, kind: ErrorKind, times: usize) {
        let path = path.map(|path| String::from_utf8_lossy(&key(path)).into_owned());
        self.inner.state.lock().failures.push_back(Failure { verb, path, kind, times });
    }

    /// Lets go of what waits at `verb` alone.
    pub fn release_only(&self, verb: &'static str) {
        self.inner.state.lock().held.remove(verb);
        self.inner.gate.open();
    }

    /// Takes requests again after [`Remote::shut_down`], from the next mount.
    pub fn reopen(&self) {
        self.inner.state.lock().shut = false;
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.inner.state.lock().failures.clear();
    }

    /// Calls of `verb` wait from now on: a listing with what it has seen, an upload before it ends, all others before they
    /// do anything.
    pub fn hold(&self, verb: &'static str) {
        self.inner.state.lock().held.insert(verb);
    }

    /// Nobody has to wait any more.
    pub fn release(&self) {
        self.inner.state.lock().held.clear();
        self.inner.gate.open();
    }

    /// Waits until `count` calls are held.
    pub fn wait_held(&self, count: usize) {
        self.wait(|state| state.waiting >= count);
    }

    /// Waits until as many calls of `verb` have been made.
    pub fn wait_for(&self, verb: &str, count: usize) {
        self.wait(|state| calls(&state.log, verb) >= count);
    }

    fn wait(&self, done: impl Fn(&State) -> bool) {
        let deadline = Deadline::after(Duration::from_secs(30));
        loop {
            let seen = self.inner.gate.ticket();
            {
                let state = self.inner.state.lock();
                if done(&state) {
                    return;
                }
                assert!(!deadline.passed(), "it never came: {:#?}", state.log);
            }
            self.inner.gate.wait(seen, deadline);
        }
    }

    /// What has been fetched so far.
    pub fn fetched(&self) -> Fetched {
        self.inner.state.lock().fetched
    }

    /// Every call so far: its verb, and what it was about.
    pub fn log(&self) -> Vec<String> {
        self.inner.state.lock().log.clone()
    }

    /// Begins the log anew.
    pub fn clear_log(&self) {
        self.inner.state.lock().log.clear();
    }

    /// How many calls of `verb` there were.
    pub fn count(&self, verb: &str) -> usize {
        calls(&self.inner.state.lock().log, verb)
    }
}

fn calls(log: &[String], verb: &str) -> usize {
    log.iter().filter(|call| call.strip_prefix(verb).is_some_and(|rest| rest.starts_with(' '))).count()
}

impl Inner {
    /// A call begins: it is written down, held if there is a reason, and may fail.
    fn call(&self, verb: &'static str, path: &RemotePath, more: &str, deadline: Deadline) -> Result<()> {
        {
            let mut state = self.state.lock();
            state.log.push(format!("{verb} {path}{more}"));
            self.gate.open();
        }
        if verb != "MLSD" {
            self.pause(verb, deadline)?;
        }
        self.state.lock().check(verb, path)
    }

    fn pause(&self, verb: &'static str, deadline: Deadline) -> Result<()> {
        let is_held = |state: &State| state.held.contains(verb);
        {
            let mut state = self.state.lock();
            if !is_held(&state) {
                return Ok(());
            }
            state.waiting += 1;
        }
        self.gate.open();
        let mut opened = true;
        while opened {
            let seen = self.gate.ticket();
            if !is_held(&self.state.lock()) {
                break;
            }
            opened = self.gate.wait(seen, deadline);
        }
        self.state.lock().waiting -= 1;
        if opened { Ok(()) } else { Err(Error::new(ErrorKind::TimedOut, verb)) }
    }
}

impl State {
    fn check(&mut self, verb: &'static str, path: &RemotePath) -> Result<()> {
        if self.shut {
            return Err(Error::new(ErrorKind::Cancelled, verb));
        }
        let path = path.to_string();
        let meets = |f: &Failure| f.verb == verb && f.path.as_ref().is_none_or(|p| *p == path);
        let Some(at) = self.failures.iter().position(meets) else { return Ok(()) };
        let failure = &mut self.failures[at];
        let kind = failure.kind;
        failure.times -= 1;
        if failure.times == 0 {
            self.failures.remove(at);
        }
        let error = Error::new(kind, verb);
        // A transfer that breaks off is taken up again.
        Err(if verb == "bytes" { error.with_retry(Retry::Safe) } else { error })
    }

    fn put(&mut self, path: &str, what: What, mode: u16) {
        self.insert(key(path), what, mode);
    }

    fn insert(&mut self, path: Vec<u8>, what: What, mode: u16) {
        self.serial += 1;
        self.tree.insert(path, Node { what, mtime: self.now, mode, unique: self.serial });
    }

    fn find(&self, verb: &'static str, path: &RemotePath) -> Result<&Node> {
        self.tree.get(trimmed(path)).ok_or_else(|| Error::new(ErrorKind::NotFound, verb))
    }

    /// The directory of `path` has to be there.
    fn check_parent(&self, verb: &'static str, path: &RemotePath) -> Result<()> {
        let (parent, _) = path.split().ok_or_else(|| Error::new(ErrorKind::Invalid, verb))?;
        match self.find(verb, &parent)?.what {
            What::Dir => Ok(()),
            What::File(_) | What::Link(_) => Err(Error::new(ErrorKind::NotDir, verb)),
        }
    }

    fn is_empty(&self, dir: &[u8]) -> bool {
        !self.tree.keys().any(|path| is_below(path, dir))
    }

    fn used(&self) -> u64 {
        let size = |node: &Node| if let What::File(content) = &node.what { content.lock().len() } else { 0 };
        self.tree.values().map(size).sum::<usize>() as u64
    }

    fn apply(&mut self, path: &[u8], settings: &Settings, verb: &'static str) -> Outcome {
        let can = self.can;
        let missing = || Applied::Refused(Error::new(ErrorKind::NotFound, verb));
        let node = self.tree.get_mut(path);
        let mut outcome = Outcome::default();
        if settings.mtime.is_some() {
            outcome.mtime = if !can.mtime {
                Applied::Cannot
            } else if node.is_none() {
                missing()
            } else {
                Applied::Done
            };
        }
        if settings.mode.is_some() {
            outcome.mode = if !can.mode {
                Applied::Cannot
            } else if node.is_none() {
                missing()
            } else {
                Applied::Done
            };
        }
        if let Some(node) = node {
            node.mtime = settings.mtime.filter(|_| can.mtime).unwrap_or(node.mtime);
            node.mode = settings.mode.filter(|_| can.mode).unwrap_or(node.mode);
        }
        outcome
    }
}

impl Node {
    /// As a listing shows it.
    fn meta(&self, can: &Can) -> Meta {
        let kind = match &self.what {
            What::File(_) => Kind::File,
            What::Dir => Kind::Dir,
            What::Link(target) => Kind::Symlink { target: Some(target[..].into()) },
        };
        let size = if let What::File(content) = &self.what { Some(content.lock().len() as u64) } else { None };
        let vague = Stamp { secs: self.mtime.div_euclid(60) * 60, nanos: 0, precision: Precision::Minute };
        let mtime = if can.exact { Stamp::exact(self.mtime) } else { vague };
        let unique = can.exact.then(|| self.unique.to_string().into());
        Meta { kind, size, mtime: Some(mtime), mode: Some(self.mode), unique }
    }

    fn version(&self) -> Option<Version> {
        let What::File(content) = &self.what else { return None };
        let size = content.lock().len() as u64;
        Some(Version { size, mtime: Some(Stamp::exact(self.mtime)), unique: None })
    }
}

/// Settings for the log.
fn told(settings: &Settings) -> String {
    let mut text = String::new();
    if let Some(mtime) = settings.mtime {
        let _ = write!(text, " mtime={mtime}");
    }
    if let Some(mode) = settings.mode {
        let _ = write!(text, " mode={mode:o}");
    }
    text
}

/// As the tree's keys are: `/a/b`; the root is empty.
fn key(path: &str) -> Vec<u8> {
    let path = RemotePath::new(format!("/{path}").as_bytes()).expect("a test's path is valid");
    trimmed(&path).to_vec()
}

fn trimmed(path: &RemotePath) -> &[u8] {
    if path.is_root() { b"" } else { path.as_bytes() }
}

fn is_below(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// What its clock says at first: 2023-11-14 22:13:20 UTC.
pub const START: i64 = 1_700_000_000;
