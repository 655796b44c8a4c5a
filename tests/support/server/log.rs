//! What the fake server saw and did, in order.

use std::fmt;
use std::time::Instant;

/// One thing that happened on one control connection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The number of the control connection, from 1.
    pub conn: u64,
    /// When it was written down.
    pub at: Instant,
    /// What happened.
    pub event: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A control connection was accepted.
    Connected,
    /// It was turned away because there are too many.
    Refused,
    /// Commands that came together. Written down before any of them is answered.
    Burst {
        /// The verbs, in upper case.
        verbs: Vec<String>,
        /// Sent before the client had the last answer to the burst before, so that it is no flight of its own.
        continues: bool,
        /// The client had not logged in when it sent this.
        login: bool,
    },
    /// A command is taken up (the line without its end).
    Command(String),
    /// A reply is sent (several lines: joined by LF). Written down before it leaves.
    Reply(String),
    /// The server waits for `release()` here.
    Stalled(String),
    /// The server waits here for a transfer of the same file by somebody else.
    Locked,
    /// The client sent no data before it had the opening reply to its upload: a flight.
    AwaitedOpening,
    /// The data connection broke under an upload, and how.
    Broken(String),
    /// The server cut something here.
    Cut(String),
    /// A data connection was accepted for this verb.
    DataOpened(String),
    /// The data connection is closed. Written down before the final reply.
    DataClosed {
        /// Bytes given to the socket, of which the client may have read less; or read from it.
        bytes: u64,
        /// The client closed it before all was sent, or the server before all was read.
        early: bool,
    },
    /// A TLS handshake is over.
    Handshake(Handshake),
    /// A TLS handshake has failed, on the data connection or the control connection, and why.
    HandshakeFailed {
        /// On a data connection.
        data: bool,
        /// In the words of the TLS library.
        why: String,
    },
    /// The client sent commands while a transfer ran, which breaks Pure-FTPd and pyftpdlib.
    SentDuringTransfer,
    /// The control connection is closed, by whomever.
    Closed,
}

/// How a TLS handshake went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// On a data connection.
    pub data: bool,
    /// The client resumed a session, which saves a round trip in TLS 1.2 and the certificate in both.
    pub resumed: bool,
    /// In TLS 1.3, otherwise in 1.2.
    pub tls13: bool,
    /// The client showed a certificate, now or in the session that it resumed.
    pub identified: bool,
    /// The name of the server, where the client told one (addresses are none).
    pub server_name: Option<String>,
}

/// The events since the start, or since they were cleared.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// All entries, oldest first.
    pub entries: Vec<Entry>,
}

impl Log {
    /// The bare events, for comparisons.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().map(|entry| &entry.event)
    }

    /// How many events satisfy a condition.
    pub fn count(&self, what: impl Fn(&Event) -> bool) -> usize {
        self.events().filter(|event| what(event)).count()
    }

    /// The command lines that were taken up.
    #[must_use]
    pub fn commands(&self) -> Vec<&str> {
        self.events()
            .filter_map(|event| if let Event::Command(line) = event { Some(line.as_str()) } else { None })
            .collect()
    }

    /// How often a verb was taken up.
    #[must_use]
    pub fn verb(&self, verb: &str) -> usize {
        self.commands().iter().filter(|line| super::session::split_command(line.as_bytes()).0 == verb).count()
    }

    /// The replies, each with its lines joined by LF.
    #[must_use]
    pub fn replies(&self) -> Vec<&str> {
        self.events()
            .filter_map(|event| if let Event::Reply(text) = event { Some(text.as_str()) } else { None })
            .collect()
    }

    /// The verbs of each burst.
    #[must_use]
    pub fn bursts(&self) -> Vec<Vec<&str>> {
        self.events()
            .filter_map(|event| match event {
                Event::Burst { verbs, .. } => Some(verbs.iter().map(String::as_str).collect()),
                _ => None,
            })
            .collect()
    }

    /// Bytes given to data sockets, or read from them, that are closed by now.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.events().map(|event| if let Event::DataClosed { bytes, .. } = event { *bytes } else { 0 }).sum()
    }

    /// The TLS handshakes that succeeded; they are no flights.
    #[must_use]
    pub fn handshakes(&self) -> Vec<&Handshake> {
        self.events().filter_map(|event| if let Event::Handshake(how) = event { Some(how) } else { None }).collect()
    }

    /// How many times a stage stalled.
    #[must_use]
    pub fn stalls(&self) -> usize {
        self.count(|event| matches!(event, Event::Stalled(_)))
    }

    /// How many control connections were closed.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.count(|event| matches!(event, Event::Closed))
    }
}

/// One line per event, with milliseconds since the first: what a failed test wants to print.
impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.entries.first().map(|entry| entry.at);
        for Entry { conn, at, event } in &self.entries {
            let since = start.map_or(0, |start| at.duration_since(start).as_millis());
            writeln!(f, "{since:>6} ms  #{conn}  {event:?}")?;
        }
        Ok(())
    }
}

/// Flights of one control connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flights {
    /// Bursts that began before the client had logged in.
    pub login: usize,
    /// All other bursts.
    pub work: usize,
    /// Those of `work` that asked for a data channel and for nothing else: nobody waits for them where that was done ahead.
    pub channels: usize,
    /// The latest is one of these.
    pub(super) lone: bool,
    /// Uploads whose data came only after the opening reply: the final reply costs a round trip more than the data of a
    /// client that does not wait.
    pub uploads: usize,
}

impl Flights {
    /// All together.
    #[must_use]
    pub fn all(self) -> usize {
        self.login + self.work + self.uploads
    }
}
