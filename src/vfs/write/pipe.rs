//! What feeds a transfer while the file may still be written.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::put::{CHUNK, Feed, Landing, Next};
use super::{FileWriter, State};
use crate::base::{Deadline, Recall, Urgency};
use crate::remote::Settings;

/// Feeds a transfer from a file that may still be written.
pub(super) struct Pipe<'a> {
    writer: &'a FileWriter,
    recall: Arc<Recall>,
}

impl<'a> Pipe<'a> {
    pub(super) fn new(writer: &'a FileWriter) -> Self {
        Self { writer, recall: Arc::default() }
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.writer.state.lock())
    }
}

impl Feed for Pipe<'_> {
    fn begin(&mut self, recall: &Arc<Recall>) {
        self.recall = Arc::clone(recall);
        self.with(|state| {
            if let Some(transfer) = &mut state.transfer {
                transfer.recall = Some(Arc::clone(recall));
            }
        });
    }

    fn is_stopped(&self) -> bool {
        self.with(|state| state.orphan || state.transfer.as_ref().is_none_or(|transfer| transfer.halted))
    }

    fn hurries(&self) -> bool {
        self.with(|state| state.transfer.as_ref().is_some_and(|t| t.trusting || t.closing.is_some()))
    }

    fn accepted(&mut self) {
        self.with(|state| {
            if let Some(transfer) = &mut state.transfer {
                transfer.accepted = true;
            }
        });
        self.writer.gate.open();
    }

    fn next(&mut self, sent: u64, carried: u64, resumes: bool) -> Next {
        loop {
            let seen = self.recall.gate.ticket();
            // Each time: a write that found no room may have come when everything before it had been sent.
            self.writer.caught_up(sent);
            let asked = self.recall.asked();
            // What the spool has let go of cannot be sent again: it takes a server that is known to write tails.
            let certain = self.writer.shared.remote.abilities().tail == Some(true);
            let resumes = resumes && (certain || self.kept_from() == 0);
            let next = self.with(|state| state.next(sent, carried, resumes, asked));
            match next {
                Some(next) => return next,
                None if self.recall.gate.wait(seen, Deadline::after(IDLE)) => {}
                // A connection is too good to be idle for long, and servers cut what is silent.
                None => {
                    if let Some(next) = self.with(|state| state.idle(resumes)) {
                        return next;
                    }
                }
            }
        }
    }

    fn read(&mut self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        let spool = self.with(|state| Arc::clone(&state.spool));
        spool.read_at(at, buf)
    }

    fn kept_from(&self) -> u64 {
        self.with(|state| state.shape.punched)
    }

    fn old_size(&self) -> Option<u64> {
        self.with(|state| state.shape.stored)
    }

    fn settings(&mut self) -> Settings {
        // What takes the place of a file takes its mode, too.
        let kept = self.writer.shared.reading.nodes.known(self.writer.ino).and_then(|known| known.meta.mode);
        self.with(|state| {
            let beside = state.transfer.as_ref().is_some_and(|t| matches!(t.landing, Landing::Beside { .. }));
            let settings = Settings { mtime: Some(state.mtime), mode: state.mode.or(kept.filter(|_| beside)) };
            if let Some(transfer) = &mut state.transfer {
                transfer.set = Some(settings);
            }
            settings
        })
    }

    fn leaves_settings(&self) -> bool {
        self.writer.shared.deferred.is_some()
    }

    fn settings_for_now(&mut self) -> Settings {
        self.with(|state| {
            if let Some(transfer) = &mut state.transfer {
                transfer.for_now = true;
            }
            Settings { mtime: Some(state.mtime), mode: None }
        })
    }
}

impl State {
    fn next(&mut self, sent: u64, carried: u64, resumes: bool, asked: Urgency) -> Option<Next> {
        let orphan = self.orphan;
        let Some(transfer) = &mut self.transfer else { return Some(Next::Stop) };
        if orphan || transfer.halted || (transfer.overwritten.is_some() && !transfer.through) {
            return Some(Next::Stop);
        }
        let ready = transfer.closing.map_or_else(|| self.shape.ready(sent), |len| len.min(self.shape.len));
        if sent >= ready {
            return match (transfer.closing, asked) {
                (Some(_), _) => Some(Next::Finish),
                (None, Urgency::None) => None,
                // What only this connection can complete does not give way.
                (None, _) if !resumes && self.shape.punched > 0 => None,
                (None, Urgency::Turn | Urgency::Now) => Some(Next::Yield),
            };
        }
        let quantum = match asked {
            Urgency::None => u64::MAX,
            Urgency::Turn => TURN,
            Urgency::Now => NOW,
        };
        if resumes && carried >= quantum {
            return Some(Next::Yield);
        }
        let until = ready.min(sent + CHUNK as u64);
        transfer.sent = transfer.sent.max(until);
        Some(Next::Send(until))
    }

    /// Nothing has come for a while. None where there is nothing but to wait on.
    fn idle(&mut self, resumes: bool) -> Option<Next> {
        let in_place = self.transfer.as_ref().is_some_and(|it| matches!(it.landing, Landing::InPlace(_)));
        match (in_place, self.shape.punched > 0) {
            // Given up, it could not be sent again.
            (_, true) => resumes.then_some(Next::Yield),
            (true, false) => Some(Next::Yield),
            (false, false) => Some(Next::Stop),
        }
    }
}

/// How long a transfer waits for more bytes before it lets go of its connection.
const IDLE: Duration = Duration::from_secs(5);

/// Bytes that a transfer may bring before it gives way to another one, and to a question that nobody else can answer.
const TURN: u64 = 8 << 20;
const NOW: u64 = 1 << 20;
