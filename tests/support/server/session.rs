//! The conversation on one control connection: bursts in, replies out, faults in between.

use super::data::Slow;
use super::fault::{Action, Cut, End, Place, Point};
use super::hub::{Gone, Hub, Next};
use super::listing;
use super::log::Event;
use super::personality::Names;
use super::tls::When;
use super::words;
use rustls::server::{ServerConfig, ServerConnection};
use socket2::SockRef;
use std::borrow::Cow;
use std::io::ErrorKind;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a reply may wait for a client that does not read.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);

/// What a step gives: `Err` ends the conversation.
pub(super) type Step = Result<(), Gone>;

/// Whether a fault has spoken in place of the server.
pub(super) enum Verdict {
    Go,
    /// The command is done with.
    Spoken,
}

pub(super) struct Session {
    pub(super) hub: Arc<Hub>,
    pub(super) id: u64,
    pub(super) control: Arc<TcpStream>,
    pub(super) cwd: Vec<u8>,
    pub(super) user: String,
    pub(super) logged_in: bool,
    pub(super) binary: bool,
    pub(super) rest: u64,
    /// The facts that MLST and MLSD show.
    pub(super) facts: Vec<&'static str>,
    /// The account is still to be told.
    pub(super) account_wanted: bool,
    /// The control connection is encrypted, or is about to be.
    pub(super) secure: bool,
    /// PROT P.
    pub(super) private: bool,
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// OPTS UTF8 ON was said.
    pub(super) utf8: bool,
    pub(super) passive: Option<Arc<TcpListener>>,
    /// Where PORT or EPRT wants the data.
    pub(super) active: Option<SocketAddr>,
    pub(super) data: Option<Arc<TcpStream>>,
    pub(super) data_tls: Option<Box<ServerConnection>>,
    /// Bytes given to the present data connection.
    pub(super) sent: u64,
    pub(super) slow: Option<Slow>,
    /// What comes of an upload is thrown away.
    pub(super) swallows: bool,
    /// The file that this session has locked, and whether alone.
    pub(super) held: Option<(u64, bool)>,
    /// What RNFR named.
    pub(super) renaming: Option<Vec<u8>>,
    /// What SITE CPFR has found.
    pub(super) copying: Option<Vec<u8>>,
    /// The command in hand.
    pub(super) verb: String,
    pub(super) path: Option<Vec<u8>>,
    /// Commands of this burst that wait behind it.
    pub(super) behind: usize,
    /// More had arrived before the last answer left: it belongs to the same flight.
    continues: bool,
}

/// Starts the session and its reader; `None` when the system has no thread left.
pub(super) fn start(hub: &Arc<Hub>, id: u64, control: Arc<TcpStream>) -> Option<JoinHandle<()>> {
    let hub = Arc::clone(hub);
    thread::Builder::new().name(format!("fake-conn-{id}")).spawn(move || run(&hub, id, control)).ok()
}

fn run(hub: &Arc<Hub>, id: u64, control: Arc<TcpStream>) {
    let _ = control.set_nodelay(true);
    // A client that does not read must not hold the lock for ever (see `Hub::send`).
    let _ = control.set_write_timeout(Some(WRITE_PATIENCE));
    if hub.personality.tls.as_ref().is_some_and(|tls| tls.when == When::Implicit) {
        // Before the reader takes anything.
        hub.agree(id);
    }
    let (for_reader, stream) = (Arc::clone(hub), Arc::clone(&control));
    let reader =
        thread::Builder::new().name(format!("fake-read-{id}")).spawn(move || read(&for_reader, id, &stream)).ok();
    let mut session = Session::new(Arc::clone(hub), id, Arc::clone(&control));
    // A panic is a bug of the fake (or of a hook); the sockets must be closed nevertheless.
    let end = match catch_unwind(AssertUnwindSafe(|| session.converse())) {
        Ok(Ok(())) => End::Fin,
        Ok(Err(Gone(end))) => end,
        Err(_) => {
            hub.update(|state| state.broken = true);
            End::Fin
        }
    };
    let end = hub.killed(id).unwrap_or(end);
    session.end_data(end);
    session.let_number_go();
    session.close_file();
    drop(session);
    if end == End::Rst {
        // Only the close of the last descriptor resets, so the reader must let go first; this wakes it and sends
        // nothing.
        let _ = SockRef::from(&*control).set_linger(Some(Duration::ZERO));
        let _ = control.shutdown(Shutdown::Read);
    } else {
        hub.close_channel(id);
        let _ = control.shutdown(Shutdown::Both);
    }
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    drop(control);
    hub.update(|state| {
        state.peers.remove(&id);
        state.note(id, Event::Closed);
    });
}

/// Moves bytes from the socket to the inbox until there are no more. It waits without taking them, and takes them under
/// the lock: so whoever holds the lock finds every byte that has arrived, in the inbox or in the socket.
fn read(hub: &Hub, id: u64, stream: &TcpStream) {
    loop {
        match stream.peek(&mut [0]) {
            Ok(len) if len > 0 && hub.receive(id) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => break,
        }
    }
    hub.hang_up(id);
}

impl Session {
    fn new(hub: Arc<Hub>, id: u64, control: Arc<TcpStream>) -> Self {
        let me = &hub.personality;
        Self {
            id,
            control,
            cwd: super::tree::join(b"", me.home.as_bytes()),
            user: String::new(),
            logged_in: false,
            binary: !me.ascii,
            rest: 0,
            facts: me.mlsx.as_ref().map(listing::default_facts).unwrap_or_default(),
            account_wanted: false,
            secure: false,
            private: false,
            tls: me.tls.as_ref().map(|tls| tls.config(&hub.sessions)),
            utf8: me.names == Names::Bytes,
            passive: None,
            active: None,
            data: None,
            data_tls: None,
            sent: 0,
            slow: None,
            swallows: false,
            held: None,
            renaming: None,
            copying: None,
            verb: String::new(),
            path: None,
            behind: 0,
            continues: false,
            hub,
        }
    }

    fn converse(&mut self) -> Step {
        if self.hub.personality.tls.as_ref().is_some_and(|tls| tls.when == When::Implicit) {
            self.private = true;
            self.shake_hands()?;
            self.hub.secured(self.id)?;
        }
        self.greet()?;
        loop {
            match self.hub.next(self.id, self.continues)? {
                Next::Order(words, end) => {
                    if let Some(words) = words {
                        self.say(words)?;
                    }
                    if end != End::Keep {
                        return Err(Gone(end));
                    }
                }
                Next::Burst(lines) => {
                    self.continues = false;
                    let latency = self.hub.personality.latency;
                    if !latency.is_zero() {
                        self.hub.pause(self.id, latency)?;
                    }
                    for (number, line) in lines.iter().enumerate() {
                        self.behind = lines.len() - number - 1;
                        let was_secure = self.secure;
                        self.command(line)?;
                        if self.secure != was_secure {
                            // What came in clear behind AUTH may be anybody's.
                            break;
                        }
                    }
                }
            }
        }
    }

    fn greet(&mut self) -> Step {
        let me = &self.hub.personality;
        let refused = {
            let state = self.hub.lock();
            let refused = state.peers.get(&self.id).is_none_or(|peer| peer.refused);
            refused.then(|| words::crowded(me.dialect, state.limit(super::Refusal::Greeting421).unwrap_or_default()))
        };
        if let Some(refused) = refused {
            self.say(refused)?;
            return Err(Gone(End::Fin));
        }
        match self.meet(Place::Greeting)? {
            Verdict::Spoken => Ok(()),
            Verdict::Go => self.say(self.hub.personality.greeting.clone()),
        }
    }

    /// Begins the handshake on the control connection, which goes on while the session waits for the next command. Only
    /// when the client has begun: so it is certain what has come in clear before, and what instead of an answer.
    pub(super) fn shake_hands(&mut self) -> Step {
        self.secure = true;
        self.hub.await_hello(self.id)?;
        match (self.meet(Place::Handshake)?, &self.tls) {
            (Verdict::Go, Some(config)) => self.hub.begin_tls(self.id, config),
            // What the client sends is kept, unread.
            (Verdict::Go | Verdict::Spoken, _) => {}
        }
        Ok(())
    }

    fn command(&mut self, line: &[u8]) -> Step {
        if let Some(end) = self.hub.killed(self.id) {
            return Err(Gone(end));
        }
        let line = &*self.off_wire(line);
        let (verb, arg) = split_command(line);
        self.hub.note(self.id, Event::Command(String::from_utf8_lossy(line).into_owned()));
        self.path = self.path_of(&verb, arg);
        self.verb = verb;
        if let Some(path) = self.path.clone() {
            self.hub.update(|state| *state.seen.entry((self.verb.clone(), path)).or_default() += 1);
        }
        match self.meet(Place::Reply)? {
            Verdict::Spoken => {}
            Verdict::Go => self.perform(arg)?,
        }
        self.meet(Place::Answered).map(drop)
    }

    /// Carries out the faults that wait at this place.
    pub(super) fn meet(&mut self, place: Place) -> Result<Verdict, Gone> {
        let point = Point { place, conn: self.id, verb: &self.verb, path: self.path.as_ref() };
        let mut verdict = Verdict::Go;
        for action in self.hub.fire(&point) {
            match action {
                Action::Stall => self.hub.stall(self.id, format!("{place:?} {}", self.verb))?,
                Action::Delay(time) => self.hub.pause(self.id, time)?,
                Action::Slow { chunk, pause } => self.slow = Some(Slow { chunk, pause }),
                Action::Run(change) => {
                    let mut change = change.lock().unwrap_or_else(PoisonError::into_inner);
                    self.hub.tree.update(|tree| (*change)(tree));
                }
                Action::Instead(bytes) => {
                    verdict = Verdict::Spoken;
                    self.note_continuation();
                    self.send_reply(&bytes)?;
                }
                Action::Cut(cut) => {
                    verdict = Verdict::Spoken;
                    self.cut(&cut, place)?;
                }
                Action::Swallow => self.swallows = true,
                Action::Line(_) | Action::Limit(..) => {}
            }
        }
        Ok(verdict)
    }

    fn cut(&mut self, cut: &Cut, place: Place) -> Step {
        self.hub.note(self.id, Event::Cut(format!("{place:?} {}", self.verb)));
        if cut.data != End::Keep {
            self.end_data(cut.data);
        }
        if let Some(words) = &cut.words {
            self.answer(words)?;
        }
        if cut.control == End::Keep { Ok(()) } else { Err(Gone(cut.control)) }
    }

    /// Sends the last reply to the command in hand.
    pub(super) fn answer(&mut self, text: impl AsRef<[u8]>) -> Step {
        self.note_continuation();
        self.say(text)
    }

    /// Agrees to TLS, with what somebody puts in behind the answer, and begins the handshake.
    pub(super) fn agree(&mut self, text: &str, injected: &[u8]) -> Step {
        self.note_continuation();
        self.hub.agree(self.id);
        self.send_reply(&[text.as_bytes(), b"\r\n", injected].concat())?;
        self.shake_hands()
    }

    /// Sends a reply; LF separates its lines.
    pub(super) fn say(&mut self, text: impl AsRef<[u8]>) -> Step {
        let mut bytes = Vec::new();
        let text = self.on_wire(text.as_ref());
        for line in text.split(|&byte| byte == b'\n') {
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(b"\r\n");
        }
        self.send_reply(&bytes)
    }

    /// Looks for further commands *before* the answer leaves: afterwards they could be a reaction to it.
    fn note_continuation(&mut self) {
        self.continues = self.hub.has_more(self.id);
    }

    fn send_reply(&mut self, bytes: &[u8]) -> Step {
        if !bytes.is_empty() {
            let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
            self.hub.note(self.id, Event::Reply(text.trim_end_matches('\n').to_owned()));
        }
        self.hub.send(self.id, bytes)
    }

    /// What the client means, with names as they are in the tree.
    fn off_wire<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.utf8 {
            return bytes.into();
        }
        bytes.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes().into()
    }

    /// The same the other way.
    pub(super) fn on_wire<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match std::str::from_utf8(bytes) {
            Ok(text) if !self.utf8 => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
            _ => bytes.into(),
        }
    }
}

/// The verb in upper case and the argument behind the first space; SITE and its own verb are one.
pub(super) fn split_command(line: &[u8]) -> (String, &[u8]) {
    let word = |from: usize| line[from..].iter().position(|&byte| byte == b' ').map_or(line.len(), |len| from + len);
    let mut end = word(0);
    if line[..end].eq_ignore_ascii_case(b"SITE") && end < line.len() {
        end = word(end + 1);
    }
    let verb = String::from_utf8_lossy(&line[..end]).to_ascii_uppercase();
    (verb, line.get(end + 1..).unwrap_or_default())
}
