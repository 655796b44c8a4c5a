//! A scripted FTP server on loopback: a small true server over an in-memory tree, with personalities, faults and a
//! counter of flights. It knows nothing of ftpfs, so that it can bear witness about it.
//!
//! `FakeServer` (here) is the face that tests see; `tree` holds the files, `personality` the switches, `words` the
//! reply texts, `listing` the lines of a directory, `fault` what goes wrong where, `log` what happened. `session` holds
//! the conversation on a control connection, `commands` its verbs, `data` its data connections, `tls` and `secure` the
//! encryption of both, `tangle` what its sessions do to one another; `hub` is what the threads share. `writing` holds the switches of a
//! server that can be written to, `writers`, `copies` and `upload` its verbs, `write_words` their replies, `watch` what tests of that
//! look at and wait for. `raw_client` is the other side, for the tests of the server itself.
//!
//! A *flight* is a burst of commands that the client sends after it has received all answers to the burst before: what
//! costs it a round trip. The server collects a burst until the client is quiet for [`Personality::quiet`] and only
//! then answers it, and it looks for further commands just before it sends the last answer; so the count does not
//! depend on how fast the two sides are, as long as the client writes a burst without a pause of that length. An upload
//! whose data (or the beginning of TLS, or the end of an empty one) is not there before the opening reply counts one more.

mod commands;
mod copies;
mod data;
pub mod fault;
mod hub;
mod listing;
pub mod log;
pub mod personality;
pub mod raw_client;
mod secure;
mod session;
mod tangle;
pub mod tls;
pub mod tree;
mod upload;
pub mod watch;
mod words;
mod write_words;
mod writers;
pub mod writing;

pub use fault::{Cut, End, Fault, Refusal, Stage};
pub use log::Handshake;
pub use log::{Entry, Event, Flights, Log};
pub use personality::{Active, Dialect, LinkStyle, ListMissing, ListStyle, Mlsx, Names, Personality};
pub use tls::{DataTls, Reuse, Tls, When};
pub use tree::{Content, DEFAULT_MTIME, SharedTree, Tree, fill_pattern};
pub use watch::WATCHDOG;
pub use writing::{
    Allo, Append, Copies, Disk, FullWords, Renames, Restart, SetMdtm, Symlink, Tells, Truncates, Writing,
};

use hub::Hub;
use socket2::SockRef;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long [`FakeServer::close_idle_connections`] waits until its connections are closed.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A running server. Dropping it closes its sockets and joins its threads, whatever they are waiting for.
pub struct FakeServer {
    hub: Arc<Hub>,
    addr: SocketAddr,
    listener: Arc<TcpListener>,
    acceptor: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// Serves a tree on a free port of the loopback interface.
    ///
    /// # Panics
    /// If no socket can be opened.
    #[must_use]
    pub fn start(personality: Personality, tree: Tree) -> Self {
        let ip = if personality.ipv6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let listener = TcpListener::bind(SocketAddr::new(ip, 0)).expect("a loopback port is free");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let (hub, listener) = (Arc::new(Hub::new(personality, SharedTree::new(tree))), Arc::new(listener));
        let (for_thread, sockets) = (Arc::clone(&hub), Arc::clone(&listener));
        let acceptor = thread::Builder::new()
            .name("fake-accept".to_owned())
            .spawn(move || accept(&for_thread, &sockets))
            .expect("a thread can be started");
        Self { hub, addr, listener, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path, with user and password; `ftps://` where TLS is implicit.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let (user, password) = self.login();
        let implicit = self.hub.personality.tls.as_ref().is_some_and(|tls| tls.when == When::Implicit);
        let scheme = if implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{user}:{password}@{}/{}", self.addr, path.trim_start_matches('/'))
    }

    /// A user and a password that are let in.
    #[must_use]
    pub fn login(&self) -> (String, String) {
        self.hub.personality.login.clone().unwrap_or_else(|| ("user".to_owned(), "pass".to_owned()))
    }

    /// The files, to look at or to change.
    #[must_use]
    pub fn tree(&self) -> &SharedTree {
        &self.hub.tree
    }

    /// A copy of the log.
    #[must_use]
    pub fn log(&self) -> Log {
        self.hub.lock().log.clone()
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.hub.update(|state| {
            state.log.entries.clear();
            state.seen.clear();
        });
    }

    /// Waits until the log satisfies a condition; `false` when it does not in time. The condition must not call the
    /// server, which is locked meanwhile.
    #[must_use]
    pub fn wait_for(&self, condition: impl Fn(&Log) -> bool, time: Duration) -> bool {
        self.hub.wait(time, |state| condition(&state.log).then_some(())).is_some()
    }

    /// Waits until no more than `count` control connections are open.
    #[must_use]
    pub fn wait_for_connections(&self, count: usize, time: Duration) -> bool {
        self.hub.wait(time, |state| (state.open() <= count).then_some(())).is_some()
    }

    /// Waits until at least `count` control connections wait for a command.
    #[must_use]
    pub fn wait_for_idle(&self, count: usize, time: Duration) -> bool {
        let idle = |state: &mut hub::State| state.peers.values().filter(|peer| peer.is_idle()).count() >= count;
        self.hub.wait(time, |state| idle(state).then_some(())).is_some()
    }

    /// All flights since the start or the last reset.
    #[must_use]
    pub fn flights(&self) -> usize {
        let state = self.hub.lock();
        state.flights.values().map(|flights| flights.all()).sum()
    }

    /// The flights of clients that had logged in already, uploads included.
    #[must_use]
    pub fn work_flights(&self) -> usize {
        self.hub.lock().flights.values().map(|flights| flights.work + flights.uploads).sum()
    }

    /// Those of them that a client waits for whose data channels are open already.
    #[must_use]
    pub fn armed_flights(&self) -> usize {
        self.hub.lock().flights.values().map(|flights| flights.work - flights.channels + flights.uploads).sum()
    }

    /// Waits until at least `count` data channels are open that no transfer uses yet.
    #[track_caller]
    pub fn wait_armed(&self, count: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.hub.armed() < count {
            assert!(Instant::now() < end, "{} data channels are open:\n{}", self.hub.armed(), self.log());
            thread::yield_now();
        }
    }

    /// The flights of one control connection.
    #[must_use]
    pub fn flights_of(&self, conn: u64) -> Flights {
        self.hub.lock().flights.get(&conn).copied().unwrap_or_default()
    }

    /// Counts flights from zero.
    pub fn reset_flights(&self) {
        self.hub.update(|state| state.flights.clear());
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.hub.update(|state| state.faults.push(fault));
    }

    /// Changes the tree when the `nth` command with this verb (the first is 1) arrives, before it is answered.
    pub fn on(&self, verb: &'static str, nth: usize, change: impl FnMut(&mut Tree) + Send + 'static) {
        self.fault(Fault::run(Stage::Reply(verb), change).nth(nth));
    }

    /// Lets all that stalls now go on; the faults stay.
    pub fn release(&self) {
        self.hub.update(|state| state.releases += 1);
    }

    /// Removes all faults and lets all that stalls go on.
    pub fn heal(&self) {
        self.hub.update(|state| {
            state.faults.clear();
            state.releases += 1;
        });
    }

    /// Control connections that are open now.
    #[must_use]
    pub fn connections_open(&self) -> usize {
        self.hub.lock().open()
    }

    /// The most control connections that were ever open at the same time.
    #[must_use]
    pub fn max_seen_connections(&self) -> usize {
        self.hub.lock().max_seen
    }

    /// Sends `421` to every connection that waits for a command and closes it, as after an idle timeout. Returns how
    /// many there were, after they are closed.
    pub fn close_idle_connections(&self) -> usize {
        self.order(Some(words::idle(self.hub.personality.dialect)), End::Fin)
    }

    /// Ends every connection that waits for a command without a word: a restart of the server, or of a NAT box.
    pub fn cut_idle_connections(&self, how: End) -> usize {
        self.order(None, how)
    }

    /// Sends a line that nobody asked for on every connection that waits for a command, and leaves them open.
    pub fn tell_idle_connections(&self, line: &str) -> usize {
        self.order(Some(line), End::Keep)
    }

    fn order(&self, words: Option<&str>, end: End) -> usize {
        let idle = self.hub.update(|state| {
            let idle = state.peers.iter_mut().filter(|(_, peer)| peer.is_idle());
            idle.map(|(id, peer)| {
                peer.order = Some((words.map(str::to_owned), end));
                *id
            })
            .collect::<Vec<_>>()
        });
        let done = |state: &mut hub::State| {
            let open = |id| state.peers.get(id).is_some_and(|peer| end != End::Keep || peer.order.is_some());
            (!idle.iter().any(open)).then_some(())
        };
        assert!(self.hub.wait(CLOSE_PATIENCE, done).is_some(), "an idle session did not obey");
        idle.len()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.hub.stop();
        // Wakes the acceptor; an error means that it is awake.
        let _ = SockRef::from(&*self.listener).shutdown(Shutdown::Both);
        let acceptor = self.acceptor.take().map(JoinHandle::join);
        let broken = self.hub.lock().broken || matches!(acceptor, Some(Err(_)));
        assert!(!broken || thread::panicking(), "a thread of the fake server panicked, see above");
    }
}

/// Accepts until the server stops, then joins the sessions.
fn accept(hub: &Arc<Hub>, listener: &TcpListener) {
    let mut sessions: Vec<JoinHandle<()>> = Vec::new();
    while !hub.lock().stopping {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, perhaps; do not spin.
            hub.wait(Duration::from_millis(10), |state| state.stopping.then_some(()));
            continue;
        };
        let control = Arc::new(stream);
        if let Some(id) = hub.admit(&control) {
            sessions.retain(|session| !session.is_finished());
            sessions.extend(session::start(hub, id, control));
        }
    }
    for session in sessions {
        // A panic was written down by the session itself.
        let _ = session.join();
    }
}
