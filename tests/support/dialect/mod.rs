//! Servers by their words: a text file per family says what a server answers, and this plays it, for whatever order of
//! commands a client chooses.
//!
//! A file in `tests/dialects` has settings, rules and a tree. `#` begins a comment where a line begins.
//!
//! # Settings
//!
//! ```text
//! login demo secret          the user and the password that PASS calls right
//! lines LF                   how listings end their lines; CRLF otherwise
//! limit 1                    sessions at once; the next one is told `crowded` and hung up on
//! REST before RETR alone     any command between the two forgets the offset
//! one command per segment    what comes behind a command in the same segment is lost
//! ```
//!
//! # Rules
//!
//! ```text
//! CWD dir =>
//!     > cwd
//!     250 Directory successfully changed.
//! CWD => 550 Failed to change directory.
//! * => 500 Unknown command.
//! ```
//!
//! The first rule that fits a command is followed, line by line; a rule of one line can stand behind the `=>`. It fits
//! if its verb is the command's (`*`: any) and all conditions behind the verb hold:
//!
//! | condition | holds if |
//! |---|---|
//! | `in`, `out` | the client has logged in, or not |
//! | `right`, `wrong` | USER and PASS were those of `login`, or not |
//! | `file`, `dir`, `missing` | that is what the argument names, links followed; without an argument: where the client is |
//! | `binary`, `ascii` | TYPE I was said, or not |
//! | `open`, `closed` | a data connection is agreed, or not |
//! | `beyond` | REST has named a place behind the end of the file |
//! | `"text"` | the argument is this text, in any case; `*` at its end: begins with it; `""`: there is none |
//!
//! A line is sent as it stands, with these replaced: `{verb}` `{arg}` `{path}` (absolute) `{cwd}` `{size}` and `{mtime}`
//! of the file, `{rest}`, `{left}` (size without rest), `{facts}` (as its directory's MLSD has them), `{port}` and `{pasv}`
//! (of the listener; with commas). A line that begins with `>` does something:
//!
//! | action | what it does |
//! |---|---|
//! | `> login` | lets the client in |
//! | `> cwd` | goes where the argument says |
//! | `> binary`, `> ascii` | remembers TYPE |
//! | `> rest` | remembers the offset; RETR uses it up |
//! | `> listen` | opens a port for data; `{port}` and `{pasv}` tell it |
//! | `> accept` | waits for the data connection, where words are due only then |
//! | `> data FILE` | sends the file |
//! | `> data LIST -a` | sends the block of the tree that is called so for this directory, or nothing if there is none |
//! | `> drain` | waits until the client has closed the data connection, too |
//! | `> close` | hangs up |
//!
//! A rule without lines is silence: no answer, ever. Three rules have names instead of verbs: `greeting`; `crowded`; and
//! `early`, followed instead of the rest of a rule when the client closes the data connection before its end.
//!
//! # The tree
//!
//! ```text
//! LIST -a /pub
//!     -rw-r--r--    1 3001     3001            6 Nov 14  2023 a.txt
//! MLSD /pub
//!     type=file;size=6;modify=20231114221320; a.txt
//! FILE /pub/a.txt 20231114221320
//!     hello
//! PATTERN /pub/big.bin 100000 20231114221320
//! LINK /latest -> pub/a.txt
//! ```
//!
//! A listing makes its directory exist, FILE and PATTERN make files, with the time of `{mtime}`. Lines are indented by four
//! blanks, which do not belong to them. `PATTERN` is [`fill_pattern`](super::server::fill_pattern) with the seed 1.

mod script;
mod session;

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use socket2::SockRef;

use super::process::{PROGRAM_LIMIT, wait_until};

pub use script::Script;

/// A server that plays a script. Dropping it closes its sockets and joins its threads.
pub struct DialectServer {
    stage: Arc<Stage>,
    addr: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Stage {
    script: Script,
    listener: TcpListener,
    sessions: AtomicUsize,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    stopping: bool,
    /// Everything that a thread may wait for.
    sockets: Vec<Arc<socket2::Socket>>,
    log: Vec<String>,
}

impl DialectServer {
    /// Plays `tests/dialects/NAME.ftp`.
    ///
    /// # Panics
    /// If there is no such file, or it is not written as this module says.
    pub fn start(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dialects/{name}.ftp"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self::play(Script::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    /// Plays a script.
    pub fn play(script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let stage = Arc::new(Stage { script, listener, sessions: AtomicUsize::new(0), shared: Mutex::default() });
        let for_thread = Arc::clone(&stage);
        let acceptor = thread::Builder::new().name("dialect-accept".to_owned()).spawn(move || accept(&for_thread));
        Self { stage, addr, acceptor: Some(acceptor.expect("a thread can be started")) }
    }

    /// The URL of a path, with user and password.
    pub fn url(&self, path: &str) -> String {
        let (user, password) = &self.stage.script.login;
        format!("ftp://{user}:{password}@{}/{path}", self.addr)
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.stage.script
    }

    /// What was said so far, one line each: `#1 > CWD /pub`, `#1 < 250 OK`.
    pub fn log(&self) -> Vec<String> {
        self.stage.lock().log.clone()
    }

    /// Waits until all sessions have ended: a client that has gone may still count.
    pub fn wait_for_leave(&self) {
        let gone = || (self.stage.sessions.load(Ordering::SeqCst) == 0).then_some(());
        wait_until("the end of all sessions", PROGRAM_LIMIT, gone);
    }

    /// How often a verb was heard.
    pub fn heard(&self, verb: &str) -> usize {
        let is = |line: &&String| line.split(' ').nth(1) == Some(">") && line.split(' ').nth(2) == Some(verb);
        self.log().iter().filter(is).count()
    }
}

impl Drop for DialectServer {
    fn drop(&mut self) {
        {
            let mut shared = self.stage.lock();
            shared.stopping = true;
            for socket in &shared.sockets {
                // An error means that it is closed already.
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
        let _ = SockRef::from(&self.stage.listener).shutdown(Shutdown::Both);
        let ended = self.acceptor.take().map(JoinHandle::join);
        assert!(!matches!(ended, Some(Err(_))) || thread::panicking(), "a thread of the server panicked, see above");
        if thread::panicking() {
            eprintln!("--- what was said\n{}", self.log().join("\n"));
        }
    }
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the socket shut down when the server goes; `false` if it is going already.
    fn watch(&self, socket: socket2::Socket) -> bool {
        let mut shared = self.lock();
        shared.sockets.push(Arc::new(socket));
        !shared.stopping
    }

    fn note(&self, line: String) {
        self.lock().log.push(line);
    }
}

fn accept(stage: &Arc<Stage>) {
    let mut threads = Vec::new();
    for number in 1_u64.. {
        let Ok((control, _)) = stage.listener.accept() else { break };
        if !stage.watch(duplicate(&control)) {
            break;
        }
        let stage = Arc::clone(stage);
        threads.push(thread::spawn(move || {
            stage.sessions.fetch_add(1, Ordering::SeqCst);
            session::play(&stage, number, &control);
            stage.sessions.fetch_sub(1, Ordering::SeqCst);
            // Others hold the socket, too.
            let _ = control.shutdown(Shutdown::Both);
        }));
    }
    let panicked = threads.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
    assert!(panicked == 0, "a session panicked");
}

fn duplicate(stream: &TcpStream) -> socket2::Socket {
    stream.try_clone().expect("a second descriptor").into()
}
