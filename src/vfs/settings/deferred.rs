//! What is still to be sent: kept for each file, apart from what is on its way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use log::{Level, warn};

use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::remote::{ErrorKind, Meta, RemotePath, Settings, Stamp};
use crate::vfs::error::Result;
use crate::vfs::node::Ino;

/// Settings that are still to be sent.
#[derive(Default)]
pub(crate) struct Deferred {
    state: Ranked<State, 35>,
    pub(super) gate: Gate,
    /// Of each of these the log has been told once.
    pub(super) told: Told,
}

#[derive(Default)]
struct State {
    files: HashMap<Ino, Due>,
    shut: bool,
}

/// What is to be set on one file.
pub(super) struct Due {
    settings: Settings,
    /// What is on its way just now.
    flight: Option<Settings>,
    pub(super) at: Instant,
    tries: u32,
    /// Where the file was when this was set, should the kernel forget it meanwhile.
    path: RemotePath,
}

#[derive(Default)]
pub(super) struct Told {
    pub(super) mtime: AtomicBool,
    pub(super) mode: AtomicBool,
    pub(super) owner: AtomicBool,
    pub(super) link: AtomicBool,
    refusals: AtomicUsize,
}

impl Told {
    /// How loudly a refusal is told: a user may want to act upon the first ones, and a server that refuses them all is not to
    /// fill the log.
    pub(super) fn refused(&self) -> Level {
        let before = self.refusals.fetch_add(1, Ordering::Relaxed);
        if before < MOST_REFUSALS { Level::Warn } else { Level::Debug }
    }
}

impl Deferred {
    /// Keeps `settings` of `ino` for a moment.
    pub(crate) fn set(&self, ino: Ino, path: RemotePath, settings: Settings) {
        let first = {
            let mut state = self.state.lock();
            let first = state.files.is_empty();
            let at = Instant::now() + DELAY;
            let new = || Due { settings: Settings::default(), flight: None, at, tries: 0, path };
            let due = state.files.entry(ino).or_insert_with(new);
            due.settings = settings.or(due.settings);
            first
        };
        if first {
            self.gate.open();
        }
    }

    /// Shows what is still to be sent.
    pub(crate) fn overlay(&self, ino: Ino, meta: &mut Meta) {
        let state = self.state.lock();
        let Some(due) = state.files.get(&ino) else { return };
        show(&due.settings.or(due.flight.unwrap_or_default()), meta);
    }

    /// Whether something is still to be set on `ino`, or is on its way.
    pub(crate) fn has(&self, ino: Ino) -> bool {
        self.state.lock().files.contains_key(&ino)
    }

    /// `newer` reaches `ino` by another way: older wishes for the same are void.
    pub(super) fn overtaken(&self, ino: Ino, newer: &Settings) {
        if let Some(due) = self.state.lock().files.get_mut(&ino) {
            due.settings.mtime = due.settings.mtime.filter(|_| newer.mtime.is_none());
            due.settings.mode = due.settings.mode.filter(|_| newer.mode.is_none());
        }
    }

    /// The content of `ino` is new: an older wish for its time is void.
    pub(crate) fn content_changed(&self, ino: Ino) {
        if let Some(due) = self.state.lock().files.get_mut(&ino) {
            due.settings.mtime = None;
        }
    }

    /// Takes what is to be set on `ino`, once nothing of it is on its way any more; [`end`](Self::end) has to follow.
    pub(crate) fn begin(&self, ino: Ino, deadline: Deadline) -> Result<Settings> {
        loop {
            let seen = self.gate.ticket();
            {
                let mut state = self.state.lock();
                match state.files.get_mut(&ino) {
                    None => return Ok(Settings::default()),
                    Some(due) if due.flight.is_none() => return Ok(due.take_off()),
                    Some(_) => {}
                }
            }
            if !self.gate.wait(seen, deadline) {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }

    /// What was on its way has arrived, or will never.
    pub(crate) fn end(&self, ino: Ino) {
        {
            let mut state = self.state.lock();
            if let Some(due) = state.files.get_mut(&ino) {
                due.flight = None;
                if due.settings.is_empty() {
                    state.files.remove(&ino);
                }
            }
        }
        self.gate.open();
    }

    /// What was taken was not sent: nobody has failed, it is due as before.
    pub(crate) fn restore(&self, ino: Ino) {
        {
            let mut state = self.state.lock();
            if let Some(due) = state.files.get_mut(&ino)
                && let Some(flight) = due.flight.take()
            {
                due.settings = due.settings.or(flight);
                if due.settings.is_empty() {
                    state.files.remove(&ino);
                }
            }
        }
        self.gate.open();
    }

    /// What was on its way has not left after all: it is sent later, unless that has failed often.
    pub(crate) fn give_back(&self, ino: Ino) -> bool {
        let again = {
            let mut state = self.state.lock();
            let Some(due) = state.files.get_mut(&ino) else { return true };
            due.tries += 1;
            let again = due.tries <= MOST_TRIES;
            if let Some(flight) = due.flight.take().filter(|_| again) {
                due.settings = due.settings.or(flight);
            }
            due.at = Instant::now() + DELAY * 2u32.pow(due.tries);
            if due.settings.is_empty() {
                state.files.remove(&ino);
            }
            again
        };
        self.gate.open();
        again
    }

    /// Takes all that `wanted` says yes to and that is not on its way.
    pub(super) fn take(&self, wanted: impl Fn(Ino, &Due) -> bool) -> Vec<(Ino, RemotePath, Settings)> {
        let mut state = self.state.lock();
        let due = state.files.iter_mut().filter(|(ino, due)| due.flight.is_none() && wanted(**ino, due));
        due.map(|(ino, due)| (*ino, due.path.clone(), due.take_off())).collect()
    }

    /// Those that have something to be set or on its way.
    pub(super) fn all(&self) -> Vec<(Ino, RemotePath)> {
        self.state.lock().files.iter().map(|(ino, due)| (*ino, due.path.clone())).collect()
    }

    /// When the next one is due; None where there is none.
    pub(super) fn next(&self) -> Option<Instant> {
        self.state.lock().files.values().filter(|due| due.flight.is_none()).map(|due| due.at).min()
    }

    pub(super) fn tell_once(told: &AtomicBool, what: &str) {
        if !told.swap(true, Ordering::Relaxed) {
            warn!("{what} cannot be set on this server: programs are told that it is done (perms=ignore)");
        }
    }
}

impl Deferred {
    /// Nothing is sent by itself any more.
    pub(crate) fn shut_down(&self) {
        self.state.lock().shut = true;
        self.gate.open();
    }

    pub(super) fn is_shut(&self) -> bool {
        self.state.lock().shut
    }
}

impl Due {
    fn take_off(&mut self) -> Settings {
        let settings = std::mem::take(&mut self.settings);
        self.flight = Some(settings);
        settings
    }
}

/// Lays `settings` over what is known.
pub(crate) fn show(settings: &Settings, meta: &mut Meta) {
    if let Some(mtime) = settings.mtime {
        meta.mtime = Some(Stamp::exact(mtime));
    }
    meta.mode = settings.mode.or(meta.mode);
}

/// How long settings wait for others. With the time that sending takes it stays below a second.
pub(super) const DELAY: Duration = Duration::from_millis(700);

/// Attempts to send over a connection that fails, each after twice the time of the one before: two minutes in all.
const MOST_TRIES: u32 = 7;

/// Refusals that are told loudly.
const MOST_REFUSALS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Kind;

    #[test]
    fn a_newer_wish_joins_an_older_one_and_lies_over_what_is_on_its_way() {
        let deferred = Deferred::default();
        let (ino, path) = (Ino(5), RemotePath::new(b"/a").expect("valid"));
        let soon = Deadline::after(Duration::from_secs(10));
        deferred.set(ino, path.clone(), Settings { mtime: Some(1), mode: Some(0o600) });
        deferred.set(ino, path.clone(), Settings { mtime: Some(2), mode: None });
        let shown = || {
            let mut meta = Meta { kind: Kind::File, size: None, mtime: None, mode: None, unique: None };
            deferred.overlay(ino, &mut meta);
            (meta.mtime.map(|t| t.secs), meta.mode)
        };
        assert_eq!(shown(), (Some(2), Some(0o600)));
        let sent = deferred.begin(ino, soon).expect("nothing is on its way");
        assert_eq!(sent, Settings { mtime: Some(2), mode: Some(0o600) });
        deferred.set(ino, path, Settings { mtime: Some(3), mode: None });
        assert_eq!(shown(), (Some(3), Some(0o600)));
        deferred.end(ino);
        assert_eq!(shown(), (Some(3), None), "what has arrived is known by other means");
        deferred.content_changed(ino);
        assert_eq!(shown(), (None, None));
        deferred.begin(ino, soon).expect("nothing is on its way");
        deferred.end(ino);
        assert!(deferred.all().is_empty());
    }

    #[test]
    fn what_could_not_leave_is_tried_again_but_not_for_ever() {
        let deferred = Deferred::default();
        let ino = Ino(5);
        deferred.set(ino, RemotePath::root(), Settings { mtime: Some(1), mode: None });
        let soon = Deadline::after(Duration::from_secs(10));
        for _ in 0..MOST_TRIES {
            assert_eq!(deferred.begin(ino, soon).expect("it is here").mtime, Some(1));
            assert!(deferred.give_back(ino));
        }
        deferred.begin(ino, soon).expect("it is here");
        assert!(!deferred.give_back(ino) && deferred.all().is_empty());
    }
}
