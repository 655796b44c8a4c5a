//! Where and how the fake server misbehaves.
//!
//! A fault is a stage, an action and a limit: `Fault::stall(Stage::Final).path("d/a.txt").times(1)`. At every stage a
//! session asks which faults apply; those that do are carried out in the order in which they were added.

use super::tree::{self, Tree};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A point in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the greeting.
    Greeting,
    /// The client has begun the handshake on the control connection, the server's part is due. What is sent here goes in
    /// clear.
    Handshake,
    /// Before the answer to PASS.
    Login,
    /// Before the answer to FEAT.
    Feat,
    /// Before the answer to EPSV or PASV.
    Epsv,
    /// Before the answer to this verb (upper case), and before anything is done about it.
    Reply(&'static str),
    /// Before the answer to any verb.
    AnyReply,
    /// While a listing is put together; for [`Fault::listing_line`].
    Listing,
    /// Before the data connection is accepted, or made after PORT. The client's own connect succeeds nevertheless, the
    /// kernel sees to that.
    Accept,
    /// Data connection accepted and 150 sent, no data yet.
    AfterOpening,
    /// The opening reply sent, the handshake on the data connection due.
    DataHandshake,
    /// After this many bytes of a transfer, counted from where it began; never reached by shorter ones. Of an upload:
    /// these are stored, what follows is not read yet.
    Data(u64),
    /// Data sent and closed, the final reply due; an upload is stored.
    Final,
    /// DELE, MKD, RMD, RNFR, RNTO, MFMT, the writing MDTM or a SITE command has been carried out, its answer is due.
    Done(&'static str),
    /// The answer to this verb has left (of a transfer, the final one).
    Answered(&'static str),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It does not.
    Keep,
    /// In order, with a FIN.
    Fin,
    /// With a reset.
    Rst,
}

/// What is cut, and what is said about it.
#[derive(Clone, Debug)]
pub struct Cut {
    pub(super) data: End,
    pub(super) control: End,
    pub(super) words: Option<String>,
}

impl Cut {
    /// Ends the data connection (or its listener) and nothing else; without [`Cut::saying`] no reply follows.
    #[must_use]
    pub fn data(how: End) -> Self {
        Self { data: how, control: End::Keep, words: None }
    }

    /// Ends the control connection; data that the client has not read yet can still be read.
    #[must_use]
    pub fn control(how: End) -> Self {
        Self { data: End::Fin, control: how, words: None }
    }

    /// Ends both.
    #[must_use]
    pub fn both(how: End) -> Self {
        Self { data: how, control: how, words: None }
    }

    /// Sends this reply after the data connection has ended and before the control connection does.
    #[must_use]
    pub fn saying(mut self, words: impl Into<String>) -> Self {
        self.words = Some(words.into());
        self
    }
}

/// How clients beyond the limit are turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `421` instead of the greeting, then EOF (vsftpd, Pure-FTPd, pyftpdlib).
    Greeting421,
    /// `530` at PASS, the connection stays (ProFTPD).
    Pass530,
}

type Change = Arc<Mutex<dyn FnMut(&mut Tree) + Send>>;

/// What happens at the stage.
#[derive(Clone)]
pub(super) enum Action {
    Stall,
    Cut(Cut),
    Instead(Vec<u8>),
    Line(Vec<u8>),
    Delay(Duration),
    Slow { chunk: usize, pause: Duration },
    Run(Change),
    Swallow,
    Limit(usize, Refusal),
}

/// A misbehaviour, where it happens and how often.
pub struct Fault {
    stage: Stage,
    action: Action,
    verb: Option<String>,
    path: Option<Vec<u8>>,
    dir: Option<Vec<u8>>,
    conn: Option<u64>,
    skip: usize,
    left: Option<usize>,
}

impl Fault {
    /// Says nothing more on this connection until `release()`, then goes on as if nothing had been.
    #[must_use]
    pub fn stall(stage: Stage) -> Self {
        Self::new(stage, Action::Stall)
    }

    /// Cuts connections.
    #[must_use]
    pub fn cut(stage: Stage, cut: Cut) -> Self {
        Self::new(stage, Action::Cut(cut))
    }

    /// Answers this verb with another text and does nothing else about it; LF separates lines.
    #[must_use]
    pub fn reply(verb: &'static str, text: &str) -> Self {
        Self::reply_at(Stage::Reply(verb), text)
    }

    /// Sends this text where a reply is due: at [`Stage::Final`] instead of the 226, for example.
    #[must_use]
    pub fn reply_at(stage: Stage, text: &str) -> Self {
        Self::raw(stage, format!("{}\r\n", text.replace('\n', "\r\n")))
    }

    /// Sends these very bytes, without a line end, where a reply is due.
    #[must_use]
    pub fn raw(stage: Stage, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(stage, Action::Instead(bytes.into()))
    }

    /// Sends nothing where a reply is due, for ever; the next command is served.
    #[must_use]
    pub fn silence(stage: Stage) -> Self {
        Self::raw(stage, "")
    }

    /// Puts these bytes as a line of its own in front of a listing.
    #[must_use]
    pub fn listing_line(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Stage::Listing, Action::Line(bytes.into()))
    }

    /// Waits before it goes on.
    #[must_use]
    pub fn delay(stage: Stage, time: Duration) -> Self {
        Self::new(stage, Action::Delay(time))
    }

    /// Sends or reads data in chunks with a pause after each.
    #[must_use]
    pub fn slow_data(chunk: usize, pause: Duration) -> Self {
        Self::new(Stage::AfterOpening, Action::Slow { chunk: chunk.max(1), pause })
    }

    /// Throws away what comes behind the first `bytes` of an upload, and says 226 nevertheless.
    #[must_use]
    pub fn swallow(bytes: u64) -> Self {
        Self::new(Stage::Data(bytes), Action::Swallow)
    }

    /// Changes the tree at this point of the conversation.
    #[must_use]
    pub fn run(stage: Stage, change: impl FnMut(&mut Tree) + Send + 'static) -> Self {
        Self::new(stage, Action::Run(Arc::new(Mutex::new(change))))
    }

    /// Turns away control connections beyond `max` (clears with the other faults; the newest limit counts).
    #[must_use]
    pub fn max_connections(max: usize, how: Refusal) -> Self {
        Self::new(Stage::Greeting, Action::Limit(max, how))
    }

    /// At most so many times; without this always.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.left = Some(count);
        self
    }

    /// Only at the `nth` match (the first is 1).
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.skip = nth.saturating_sub(1);
        self.times(1)
    }

    /// Lets the first `count` matches pass.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Only for this verb, upper case (of the transfer, at the stages of a transfer).
    #[must_use]
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only for commands that mean this path.
    #[must_use]
    pub fn path(mut self, path: impl AsRef<[u8]>) -> Self {
        self.path = Some(tree::join(b"", path.as_ref()));
        self
    }

    /// Only for commands that mean something below this directory (the root is `""`): names that the client invents.
    #[must_use]
    pub fn below(mut self, dir: impl AsRef<[u8]>) -> Self {
        self.dir = Some(tree::join(b"", dir.as_ref()));
        self
    }

    /// Only on this control connection (numbers as in the log).
    #[must_use]
    pub fn connection(mut self, conn: u64) -> Self {
        self.conn = Some(conn);
        self
    }

    fn new(stage: Stage, action: Action) -> Self {
        Self { stage, action, verb: None, path: None, dir: None, conn: None, skip: 0, left: None }
    }

    /// The action, if this fault applies here and now; counts the match.
    pub(super) fn fire(&mut self, point: &Point<'_>) -> Option<Action> {
        if !self.matches(point) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.action.clone())
    }

    /// The byte count at which this fault may apply to a transfer.
    pub(super) fn threshold(&self, point: &Point<'_>) -> Option<u64> {
        let Stage::Data(bytes) = self.stage else { return None };
        self.matches(&Point { place: Place::Data(bytes), ..*point }).then_some(bytes)
    }

    /// The limit of connections, if this is one; it is looked up, not fired.
    pub(super) fn limit(&self) -> Option<(usize, Refusal)> {
        if let Action::Limit(max, how) = self.action { Some((max, how)) } else { None }
    }

    fn matches(&self, point: &Point<'_>) -> bool {
        let stage = match (self.stage, point.place) {
            (Stage::Greeting, Place::Greeting)
            | (Stage::Handshake, Place::Handshake)
            | (Stage::DataHandshake, Place::DataHandshake)
            | (Stage::AnyReply, Place::Reply)
            | (Stage::Listing, Place::Listing)
            | (Stage::Accept, Place::Accept)
            | (Stage::AfterOpening, Place::AfterOpening)
            | (Stage::Final, Place::Final) => true,
            (Stage::Login, Place::Reply) => point.verb == "PASS",
            (Stage::Feat, Place::Reply) => point.verb == "FEAT",
            (Stage::Epsv, Place::Reply) => matches!(point.verb, "EPSV" | "PASV"),
            (Stage::Reply(verb), Place::Reply)
            | (Stage::Done(verb), Place::Done)
            | (Stage::Answered(verb), Place::Answered) => point.verb == verb,
            (Stage::Data(wanted), Place::Data(here)) => wanted == here,
            _ => false,
        };
        stage
            && self.left != Some(0)
            && !matches!(self.action, Action::Limit(..))
            && self.verb.as_ref().is_none_or(|verb| verb == point.verb)
            && self.path.as_ref().is_none_or(|path| point.path == Some(path))
            && self.dir.as_ref().is_none_or(|dir| point.path.is_some_and(|path| tree::is_below(path, dir)))
            && self.conn.is_none_or(|conn| conn == point.conn)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault at {:?}, skip {}, left {:?}", self.stage, self.skip, self.left)
    }
}

/// Where a session is when it asks for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Greeting,
    Handshake,
    DataHandshake,
    Reply,
    Listing,
    Accept,
    AfterOpening,
    Data(u64),
    Final,
    Done,
    Answered,
}

/// A place with what is going on there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point<'a> {
    pub(super) place: Place,
    pub(super) conn: u64,
    pub(super) verb: &'a str,
    pub(super) path: Option<&'a Vec<u8>>,
}
