//! What the threads of one fake server share: one lock, one condition variable.
//!
//! Three kinds of threads meet here: the acceptor, and for every control connection a reader, which moves bytes into
//! the inbox, and the session, which takes them out and answers. Nobody waits for a socket while holding the lock.
//! Whoever changes anything wakes everybody; with the handful of threads of a test that is cheap enough.

use super::fault::{Action, End, Fault, Point, Refusal};
use super::log::{Entry, Event, Flights, Log};
use super::personality::Personality;
use super::tangle::Tangle;
use super::tls::{Channel, Sessions};
use super::tree::SharedTree;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustls::server::{ServerConfig, ServerConnection};
use socket2::SockRef;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A client that sends so much without a line end is no FTP client.
const MAX_INBOX: usize = 1 << 20;

pub(super) struct Hub {
    pub(super) personality: Personality,
    pub(super) tree: SharedTree,
    /// TLS sessions that every control connection may resume.
    pub(super) sessions: Arc<Sessions>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) stopping: bool,
    /// Counts the calls of `release()`: a stall ends when the number grows.
    pub(super) releases: u64,
    pub(super) log: Log,
    pub(super) peers: BTreeMap<u64, Peer>,
    pub(super) flights: BTreeMap<u64, Flights>,
    pub(super) faults: Vec<Fault>,
    pub(super) max_seen: usize,
    /// How often a verb was taken up for a path.
    pub(super) seen: BTreeMap<(String, Vec<u8>), usize>,
    /// Bytes of the newest upload to a path.
    pub(super) received: BTreeMap<Vec<u8>, u64>,
    /// Uploads that run, by connection and path, and their bytes.
    pub(super) uploads: BTreeMap<(u64, Vec<u8>), u64>,
    /// Who has which file (by `unique`): this many readers, or one writer alone.
    locks: BTreeMap<u64, (usize, bool)>,
    pub(super) tangle: Tangle,
    /// A session panicked: a bug of the fake, which the test must hear of.
    pub(super) broken: bool,
    last_id: u64,
}

/// A control connection, as all threads see it.
pub(super) struct Peer {
    control: Arc<TcpStream>,
    pub(super) refused: bool,
    pub(super) logged_in: bool,
    /// The session waits for a command.
    pub(super) idle: bool,
    channel: Channel,
    inbox: Vec<u8>,
    arrived: Instant,
    eof: bool,
    /// The server dies, for this connection.
    killed: Option<End>,
    /// What an idle session is told to say and do, from outside.
    pub(super) order: Option<(Option<String>, End)>,
    pub(super) passive: Option<Arc<TcpListener>>,
    pub(super) data: Option<Arc<TcpStream>>,
}

/// The conversation is over; this is how the control connection shall end.
#[derive(Debug)]
pub(super) struct Gone(pub(super) End);

/// What a waiting session gets.
pub(super) enum Next {
    Burst(Vec<Vec<u8>>),
    Order(Option<String>, End),
}

impl Hub {
    pub(super) fn new(personality: Personality, tree: SharedTree) -> Self {
        Self { personality, tree, sessions: Arc::default(), state: Mutex::default(), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes everybody.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    pub(super) fn note(&self, conn: u64, event: Event) {
        self.update(|state| state.note(conn, event));
    }

    /// Waits until the condition gives something, or the time is up.
    pub(super) fn wait<T>(&self, time: Duration, mut ready: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let end = Instant::now() + time;
        let mut state = self.lock();
        loop {
            if let Some(value) = ready(&mut state) {
                return Some(value);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a new connection in and gives it its number.
    pub(super) fn admit(&self, control: &Arc<TcpStream>) -> Option<u64> {
        self.update(|state| {
            if state.stopping {
                return None;
            }
            state.last_id += 1;
            let id = state.last_id;
            let limit = state.limit(Refusal::Greeting421);
            let refused = limit.is_some_and(|max| state.open() >= max);
            state.note(id, if refused { Event::Refused } else { Event::Connected });
            state.peers.insert(id, Peer::new(Arc::clone(control), refused));
            state.max_seen = state.max_seen.max(state.open());
            Some(id)
        })
    }

    /// Moves what has arrived from the socket to the inbox; `false` when the reader may stop.
    pub(super) fn receive(&self, id: u64) -> bool {
        self.update(|state| {
            let Some(peer) = state.peers.get_mut(&id) else { return false };
            let mut buffer = [0; 4096];
            // The reader has seen that there is something, so this does not wait.
            let Ok(len) = (&*peer.control).read(&mut buffer) else { return false };
            if let Some(event) = peer.take(&buffer[..len]) {
                state.note(id, event);
            }
            len > 0 && state.peers.get(&id).is_some_and(|peer| !peer.eof && peer.inbox.len() < MAX_INBOX)
        })
    }

    /// From here on what comes is the client's part of a TLS handshake; what it has sent too early is forgotten.
    pub(super) fn agree(&self, id: u64) {
        self.update(|state| {
            if let Some(peer) = state.peers.get_mut(&id) {
                peer.inbox.clear();
                peer.channel = Channel::Agreed(Vec::new());
            }
        });
    }

    /// Begins the handshake, with what has come of it already.
    pub(super) fn begin_tls(&self, id: u64, config: &Arc<ServerConfig>) {
        self.update(|state| {
            let Some(peer) = state.peers.get_mut(&id) else { return };
            let Channel::Agreed(kept) = &mut peer.channel else { return };
            let kept = std::mem::take(kept);
            let tls = ServerConnection::new(Arc::clone(config)).expect("the configuration is complete");
            peer.channel = Channel::Tls(Box::new(tls));
            if let Some(event) = peer.take(&kept) {
                state.note(id, event);
            }
        });
    }

    /// Waits for the client to begin a handshake.
    pub(super) fn await_hello(&self, id: u64) -> Result<(), Gone> {
        self.wait_for_peer(id, |peer| !matches!(&peer.channel, Channel::Agreed(kept) if kept.is_empty()))
    }

    /// Waits until a handshake is over; `Err` where it fails.
    pub(super) fn secured(&self, id: u64) -> Result<(), Gone> {
        self.wait_for_peer(id, |peer| !peer.channel.is_shaking())
    }

    fn wait_for_peer(&self, id: u64, ready: impl Fn(&Peer) -> bool) -> Result<(), Gone> {
        let mut state = self.lock();
        loop {
            if state.over(id) {
                return Err(Gone(End::Fin));
            }
            if state.peers.get(&id).is_some_and(&ready) {
                return Ok(());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends bytes on the control connection, encrypted where that is agreed.
    ///
    /// Under the lock, although that may wait for the client: TLS records must leave in the order in which they are
    /// made. In clear nothing is held.
    pub(super) fn send(&self, id: u64, bytes: &[u8]) -> Result<(), Gone> {
        let control = {
            let mut state = self.lock();
            let peer = state.peers.get_mut(&id).ok_or(Gone(End::Fin))?;
            if let Channel::Tls(_) = peer.channel {
                return peer.channel.send(bytes, &mut &*peer.control).map_err(|_| Gone(End::Fin));
            }
            Arc::clone(&peer.control)
        };
        (&*control).write_all(bytes).map_err(|_| Gone(End::Fin))
    }

    /// Ends encryption in order, where there is any.
    pub(super) fn close_channel(&self, id: u64) {
        if let Some(peer) = self.lock().peers.get_mut(&id) {
            peer.channel.close(&mut &*peer.control);
        }
    }

    /// The reader has come to the end. A session that waits for the data connection of a client that is gone must not
    /// wait on.
    pub(super) fn hang_up(&self, id: u64) {
        self.update(|state| {
            if let Some(peer) = state.peers.get_mut(&id) {
                peer.eof = true;
                peer.wake_accept();
            }
        });
    }

    /// Waits for the next burst: a command and all that follows it until the client is quiet.
    pub(super) fn next(&self, id: u64, continues: bool) -> Result<Next, Gone> {
        let mut state = self.lock();
        loop {
            let stopping = state.stopping;
            let peer = state.peers.get_mut(&id).ok_or(Gone(End::Fin))?;
            if stopping || peer.killed.is_some() {
                return Err(Gone(End::Fin));
            }
            if let Some((words, end)) = peer.order.take() {
                return Ok(Next::Order(words, end));
            }
            let mut patience = None;
            if peer.inbox.contains(&b'\n') {
                let rest = self.personality.quiet.saturating_sub(peer.arrived.elapsed());
                if rest.is_zero() || peer.eof {
                    let lines = peer.take_lines();
                    state.begin_flight(id, &lines, continues);
                    self.changed.notify_all();
                    return Ok(Next::Burst(lines));
                }
                patience = Some(rest);
            } else if peer.eof {
                return Err(Gone(End::Fin));
            } else if !peer.idle {
                peer.idle = true;
                self.changed.notify_all();
            }
            state = match patience {
                Some(time) => self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// The client has sent something that is not taken up yet.
    pub(super) fn has_more(&self, id: u64) -> bool {
        self.lock().peers.get(&id).is_some_and(|peer| !peer.inbox.is_empty() || peer.is_readable())
    }

    /// Stays here until released; `Err` when the client has gone or the server stops.
    pub(super) fn stall(&self, id: u64, stage: String) -> Result<(), Gone> {
        let mut state = self.lock();
        state.note(id, Event::Stalled(stage));
        self.changed.notify_all();
        let before = state.releases;
        loop {
            if state.over(id) {
                return Err(Gone(End::Fin));
            }
            if state.releases > before {
                return Ok(());
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets time pass; `Err` when the client has gone or the server stops.
    pub(super) fn pause(&self, id: u64, time: Duration) -> Result<(), Gone> {
        let over = self.wait(time, |state| state.over(id).then_some(()));
        if over.is_some() { Err(Gone(End::Fin)) } else { Ok(()) }
    }

    /// The faults that apply here, counted.
    pub(super) fn fire(&self, point: &Point<'_>) -> Vec<Action> {
        self.lock().faults.iter_mut().filter_map(|fault| fault.fire(point)).collect()
    }

    /// The next byte count, from `from` on, at which a fault may wait for this transfer.
    pub(super) fn threshold(&self, point: &Point<'_>, from: u64) -> Option<u64> {
        let state = self.lock();
        state.faults.iter().filter_map(|fault| fault.threshold(point)).filter(|&bytes| bytes >= from).min()
    }

    /// Ends every wait and every socket.
    pub(super) fn stop(&self) {
        self.update(|state| {
            state.stopping = true;
            for peer in state.peers.values() {
                peer.wake_accept();
                // Errors mean that the other side was faster.
                let _ = peer.control.shutdown(Shutdown::Both);
                if let Some(data) = &peer.data {
                    let _ = data.shutdown(Shutdown::Both);
                }
            }
        });
    }

    /// Ends every connection as the death of the server does; returns their numbers.
    pub(super) fn kill(&self, how: End) -> Vec<u64> {
        self.update(|state| {
            for peer in state.peers.values_mut() {
                peer.killed = Some(how);
                peer.eof = true;
                peer.wake_accept();
                // Errors mean that the other side was faster.
                if let Some(data) = &peer.data {
                    if how == End::Rst {
                        let _ = SockRef::from(&**data).set_linger(Some(Duration::ZERO));
                    }
                    let _ = data.shutdown(Shutdown::Both);
                }
                let _ = peer.control.shutdown(if how == End::Rst { Shutdown::Read } else { Shutdown::Both });
            }
            state.peers.keys().copied().collect()
        })
    }

    /// How a connection must end, where the server has died for it.
    pub(super) fn killed(&self, id: u64) -> Option<End> {
        self.lock().peers.get(&id).and_then(|peer| peer.killed)
    }

    /// Waits for a file: readers share it, a writer has it alone.
    pub(super) fn lock_file(&self, id: u64, unique: u64, alone: bool) -> Result<(), Gone> {
        let mut state = self.lock();
        let mut noted = false;
        loop {
            if state.over(id) {
                return Err(Gone(End::Fin));
            }
            let (readers, writer) = state.locks.entry(unique).or_default();
            if !*writer && (!alone || *readers == 0) {
                *writer = alone;
                *readers += usize::from(!alone);
                return Ok(());
            }
            if !noted {
                noted = true;
                state.note(id, Event::Locked);
                self.changed.notify_all();
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn unlock_file(&self, unique: u64, alone: bool) {
        self.update(|state| {
            if let Some((readers, writer)) = state.locks.get_mut(&unique) {
                *writer &= !alone;
                *readers -= usize::from(!alone);
            }
        });
    }

    /// Registers the listener of EPSV, or the data connection, so that `stop` reaches it.
    pub(super) fn set_passive(&self, id: u64, passive: Option<&Arc<TcpListener>>) {
        self.update(|state| {
            if let Some(peer) = state.peers.get_mut(&id) {
                peer.passive = passive.cloned();
            }
        });
    }

    /// How many clients are connected to a port that no transfer has taken up yet.
    pub(super) fn armed(&self) -> usize {
        let listeners: Vec<_> = self.lock().peers.values().filter_map(|peer| peer.passive.clone()).collect();
        let mut polled: Vec<_> = listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)).collect();
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&none)).expect("poll(2) of our own sockets")
    }

    pub(super) fn set_data(&self, id: u64, data: Option<&Arc<TcpStream>>) {
        self.update(|state| {
            if let (Some(data), true) = (data, state.stopping) {
                let _ = data.shutdown(Shutdown::Both);
            }
            if let Some(peer) = state.peers.get_mut(&id) {
                peer.data = data.cloned();
            }
        });
    }
}

impl State {
    pub(super) fn note(&mut self, conn: u64, event: Event) {
        self.log.entries.push(Entry { conn, at: Instant::now(), event });
    }

    /// Control connections that are open and were not turned away.
    pub(super) fn open(&self) -> usize {
        self.peers.values().filter(|peer| !peer.refused).count()
    }

    /// The newest limit of this kind.
    pub(super) fn limit(&self, kind: Refusal) -> Option<usize> {
        let newest = self.faults.iter().rev().find_map(Fault::limit);
        newest.filter(|&(_, how)| how == kind).map(|(max, _)| max)
    }

    /// Nobody waits for an answer any more.
    pub(super) fn over(&self, id: u64) -> bool {
        self.stopping || self.peers.get(&id).is_none_or(|peer| peer.eof)
    }

    fn begin_flight(&mut self, id: u64, lines: &[Vec<u8>], continues: bool) {
        let login = self.peers.get(&id).is_none_or(|peer| !peer.logged_in);
        let verbs: Vec<_> = lines.iter().map(|line| super::session::split_command(line).0).collect();
        if !continues {
            let flights = self.flights.entry(id).or_default();
            *(if login { &mut flights.login } else { &mut flights.work }) += 1;
            let channel = matches!(&verbs[..], [verb] if verb == "EPSV" || verb == "PASV");
            flights.lone = channel && !login;
            flights.channels += usize::from(flights.lone);
        } else if let Some(flights) = self.flights.get_mut(&id).filter(|flights| flights.lone) {
            // Somebody waits for what came behind it.
            flights.lone = false;
            flights.channels -= 1;
        }
        self.note(id, Event::Burst { verbs, continues, login });
    }
}

impl Peer {
    fn new(control: Arc<TcpStream>, refused: bool) -> Self {
        Self {
            control,
            refused,
            logged_in: false,
            idle: false,
            channel: Channel::Clear,
            inbox: Vec::new(),
            arrived: Instant::now(),
            eof: false,
            killed: None,
            order: None,
            passive: None,
            data: None,
        }
    }

    /// The session is waiting and the client has sent nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.idle && self.inbox.is_empty() && !self.eof && !self.channel.is_shaking()
    }

    /// Takes what has come on the control connection; returns what is to be written down about it.
    fn take(&mut self, bytes: &[u8]) -> Option<Event> {
        let received = self.channel.take(bytes, &mut &*self.control);
        if !received.text.is_empty() {
            self.inbox.extend_from_slice(&received.text);
            self.arrived = Instant::now();
        }
        self.eof |= received.end;
        Some(match received.shaken? {
            Ok(how) => Event::Handshake(how),
            Err(why) => Event::HandshakeFailed { data: false, why },
        })
    }

    /// Bytes have arrived that the reader has not moved yet.
    fn is_readable(&self) -> bool {
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        SockRef::from(&*self.control).recv_with_flags(&mut [MaybeUninit::uninit()], flags).is_ok_and(|len| len > 0)
    }

    /// Takes all complete lines out of the inbox, without their ends.
    fn take_lines(&mut self) -> Vec<Vec<u8>> {
        self.idle = false;
        let mut lines = Vec::new();
        while let Some(end) = self.inbox.iter().position(|&byte| byte == b'\n') {
            let mut line: Vec<u8> = self.inbox.drain(..=end).collect();
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            lines.push(line);
        }
        lines
    }

    /// Makes a pending `accept` fail: shutting a listener down does that on Linux.
    fn wake_accept(&self) {
        if let Some(passive) = &self.passive {
            let _ = SockRef::from(&**passive).shutdown(Shutdown::Both);
        }
    }
}
