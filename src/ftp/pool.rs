//! The few control connections that a server grants, and who gets the next one.
//!
//! A connection is handed out as a [`Lease`], an owned value: no lock is held while it is used. `put_back` returns it;
//! a lease that is dropped closes it, because nobody knows what it would say next.
//!
//! Requests for metadata go before transfers. With a limit of two or more, transfers leave one connection to metadata;
//! with one, a transfer is asked by its [`Recall`] to end early when metadata waits. No request ever waits for a second
//! connection while it holds one: so nothing deadlocks, whatever the limit.

mod spare;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::{debug, info, warn};

use super::connect::{Connector, Refusal};
use super::control::Control;
use super::dialect::Dialect;
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate, Recall, Urgency};
use crate::remote::{Error, ErrorKind, QUEUEING, Result};

/// The connections to one server.
pub(crate) struct Pool {
    connector: Connector,
    dialect: Arc<Dialect>,
    most: usize,
    idle_timeout: Duration,
    inner: Ranked<Inner, 60>,
    /// Opened at each change of `inner` that may let somebody go on.
    gate: Gate,
    tickets: AtomicU64,
}

#[derive(Default)]
struct Inner {
    /// Ready to be used, the most recently used last.
    idle: Vec<Control>,
    /// All there are: idle, leased, being dialled.
    open: usize,
    /// The user's limit, or the server's where that is lower.
    limit: usize,
    /// When the server's limit was met; after a while it is tried again.
    limit_met: Option<Instant>,
    /// Leases that carry transfers, oldest first.
    transfers: Vec<(u64, Arc<Recall>)>,
    /// Tickets of those who wait, oldest first.
    metadata: Vec<u64>,
    data: Vec<u64>,
    /// Connections given to metadata while a transfer waited.
    in_a_row: u32,
    /// Attempts that failed in a row, and when the next one is allowed.
    failures: u32,
    not_before: Option<Instant>,
    /// Why the last attempt failed, for those who wait and never get to try themselves.
    refusal: Option<Error>,
    shut: bool,
}

/// What a connection is wanted for.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// A listing, a stat: short.
    Metadata,
    /// A transfer, which can be asked to end.
    Data(Arc<Recall>),
}

/// A connection in use. Dropping it closes the connection.
pub(crate) struct Lease {
    control: Option<Control>,
    pool: Arc<Pool>,
    ticket: u64,
    /// Whether it had been idle before: if it fails at once, it was stale.
    pub(crate) reused: bool,
}

/// What the state of the pool tells one who wants a connection.
enum Turn {
    Take(Box<Control>),
    Dial,
    Wait(Option<Instant>),
}

impl Pool {
    pub(crate) fn new(connector: Connector, dialect: Arc<Dialect>, most: usize, idle_timeout: Duration) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            connector,
            dialect,
            most,
            idle_timeout,
            inner: Ranked::new(Inner { limit: most, ..Inner::default() }),
            gate: Gate::default(),
            tickets: AtomicU64::new(1),
        })
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A connection for `claim`, new or used, as soon as there is one.
    ///
    /// # Errors
    /// `TimedOut` where none came free in time; the server's refusal where there is none at all; `Cancelled` at the end.
    pub(crate) fn acquire(self: &Arc<Self>, claim: &Claim, deadline: Deadline) -> Result<Lease> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let _queued = Queued::new(self, claim, ticket);
        loop {
            let seen = self.gate.ticket();
            let (turn, others) = {
                let mut inner = self.inner.lock();
                (inner.turn(claim, ticket)?, inner.anyone_waits())
            };
            if others && !matches!(turn, Turn::Wait(_)) {
                // Whoever stood behind is the first now.
                self.gate.open();
            }
            match turn {
                Turn::Take(control) => {
                    let mut lease = self.lease(*control, ticket, true);
                    lease.control_mut().doubt();
                    if lease.control_mut().has_news() {
                        debug!("an idle connection has gone stale");
                        drop(lease);
                        self.inner.lock().queue(claim).insert(0, ticket);
                        continue;
                    }
                    return Ok(lease);
                }
                Turn::Dial => match self.dial(ticket, deadline) {
                    Ok(control) => return Ok(self.lease(control, ticket, false)),
                    Err(error) if self.worth_waiting(&error) => {
                        let mut inner = self.inner.lock();
                        inner.refusal = Some(error);
                        inner.queue(claim).insert(0, ticket);
                    }
                    Err(error) => return Err(error),
                },
                Turn::Wait(until) => {
                    let until = until.map_or(deadline, |at| deadline.min(Deadline::at(at)));
                    if !self.gate.wait(seen, until) && deadline.passed() {
                        return Err(self.inner.lock().why_waiting());
                    }
                }
            }
        }
    }

    fn lease(self: &Arc<Self>, control: Control, ticket: u64, reused: bool) -> Lease {
        Lease { control: Some(control), pool: Arc::clone(self), ticket, reused }
    }

    /// Dials; `inner.open` already counts the new connection.
    fn dial(&self, ticket: u64, deadline: Deadline) -> Result<Control> {
        // Counts down again also if dialling panics.
        let place = Place(self, ticket);
        match self.connector.connect(deadline) {
            Ok(control) => {
                std::mem::forget(place);
                let mut inner = self.inner.lock();
                inner.failures = 0;
                inner.not_before = None;
                inner.refusal = None;
                Ok(control)
            }
            Err(refusal) => {
                drop(place);
                let (lower, error) = match refusal {
                    Refusal::TooMany(error) => (true, error),
                    // The same password is good enough for our other connections: it can only be their number.
                    Refusal::Known(error) | Refusal::Failed(error)
                        if error.kind == ErrorKind::LoginRefused && self.inner.lock().open > 0 =>
                    {
                        (true, Error { kind: ErrorKind::Unreachable, ..error })
                    }
                    // Nothing was sent: no reason to wait, nor to hope.
                    Refusal::Known(error) => return Err(error),
                    // A firewall that drops what is one too many says nothing at all.
                    Refusal::Failed(error) => (error.kind == ErrorKind::TimedOut && error.verb == "connect", error),
                };
                let (granted, failures) = {
                    let mut inner = self.inner.lock();
                    // With others alive, one refused is no reason to wait.
                    let alone = inner.open == 0;
                    (lower.then(|| inner.lower_limit()).flatten(), if alone { inner.back_off() } else { 0 })
                };
                if let Some(granted) = granted {
                    let grants = if error.kind == ErrorKind::TimedOut { "seems to grant" } else { "grants" };
                    info!("the server {grants} {granted} connections: {error}");
                }
                if failures == WORTH_A_WARNING {
                    warn!("the server has been out of reach {failures} times in a row: {error}");
                }
                Err(error)
            }
        }
    }

    /// Whether one who was refused may still get a connection before its deadline.
    fn worth_waiting(&self, error: &Error) -> bool {
        match error.kind {
            ErrorKind::LoginRefused | ErrorKind::TlsRefused | ErrorKind::TlsRequired | ErrorKind::Cancelled => false,
            // Before the first login nothing is known to be right: say at once what is wrong.
            _ => self.dialect.ever_connected(),
        }
    }

    /// Closes all idle connections: one of them turned out to be dead, so the others are likely to be.
    pub(crate) fn distrust(&self) {
        let idle = {
            let mut inner = self.inner.lock();
            let idle = std::mem::take(&mut inner.idle);
            inner.open -= idle.len();
            idle
        };
        self.gate.open();
        drop(idle);
    }

    /// Closes what has been idle for long, but for one; tries again whether a server's limit was lifted.
    pub(crate) fn upkeep(&self) {
        let mut old = Vec::new();
        {
            let mut inner = self.inner.lock();
            while inner.idle.len() > 1 && inner.idle[0].idle_since.elapsed() > self.idle_timeout {
                old.push(inner.idle.remove(0));
                inner.open -= 1;
            }
            for control in &mut inner.idle {
                if !control.is_armed() {
                    control.disarm();
                }
            }
            if inner.limit < self.most && inner.limit_met.is_some_and(|at| at.elapsed() > LIMIT_BELIEVED) {
                inner.limit += 1;
                inner.limit_met = Some(Instant::now());
            }
        }
        // A limit that was raised may let somebody go on.
        self.gate.open();
        for control in old {
            control.quit();
        }
    }

    /// Whether one more connection could stand by for the next transfer while this one runs, and none does.
    pub(crate) fn wants_spare(&self) -> bool {
        let inner = self.inner.lock();
        let free = inner.open < inner.limit || !inner.idle.is_empty();
        // One is left to questions, and nobody is to wait for this.
        let room = inner.transfers.len() + 1 < inner.limit.max(1) && !inner.anyone_waits();
        free && room && !inner.shut && inner.not_before.is_none() && !inner.idle.iter().any(Control::is_armed)
    }

    /// Whether a connection could be had at once, with one more left for whoever comes next; `begun` who ask for one may
    /// not have it yet.
    pub(crate) fn has_spare(&self, begun: usize) -> bool {
        self.inner.lock().has_spare(begun)
    }

    /// Closes the idle connections; everyone who waits or comes later is told [`ErrorKind::Cancelled`].
    pub(crate) fn shut_down(&self) {
        let idle = {
            let mut inner = self.inner.lock();
            inner.shut = true;
            let idle = std::mem::take(&mut inner.idle);
            inner.open -= idle.len();
            for (_, recall) in &inner.transfers {
                recall.ask(Urgency::Now);
            }
            idle
        };
        self.gate.open();
        for control in idle {
            control.quit();
        }
    }

    fn give_back(&self, mut control: Control, ticket: u64) {
        control.idle_since = Instant::now();
        let mut inner = self.inner.lock();
        inner.transfers.retain(|(t, _)| *t != ticket);
        // The limit may have been lowered while this one was out.
        let keep = !inner.shut && inner.open <= inner.limit;
        let surplus = if keep {
            inner.idle.push(control);
            None
        } else {
            inner.open -= 1;
            Some(control)
        };
        drop(inner);
        self.gate.open();
        if let Some(control) = surplus {
            control.quit();
        }
    }

    fn lost(&self, ticket: u64) {
        let mut inner = self.inner.lock();
        inner.transfers.retain(|(t, _)| *t != ticket);
        inner.open -= 1;
        drop(inner);
        self.gate.open();
    }
}

impl Inner {
    fn has_spare(&self, begun: usize) -> bool {
        let busy = self.open.saturating_sub(self.idle.len()).max(begun);
        !self.shut && self.not_before.is_none() && !self.anyone_waits() && busy + 1 < self.limit
    }

    /// Decides what `ticket` may do now; counts it in if it may go on.
    fn turn(&mut self, claim: &Claim, ticket: u64) -> Result<Turn> {
        if self.shut {
            return Err(Error::new(ErrorKind::Cancelled, "wait for a connection"));
        }
        let room = self.transfers.len() < self.limit.saturating_sub(1).max(1);
        // Metadata first, but not for ever.
        let data_next = room && !self.data.is_empty() && (self.metadata.is_empty() || self.in_a_row >= MOST_IN_A_ROW);
        let first = match claim {
            Claim::Metadata => self.metadata.first() == Some(&ticket) && !data_next,
            Claim::Data(_) => self.data.first() == Some(&ticket) && data_next,
        };
        if first {
            if let Some(control) = self.take_idle(claim) {
                self.count_in(claim, ticket);
                return Ok(Turn::Take(Box::new(control)));
            }
            if self.open < self.limit {
                if let Some(at) = self.not_before.filter(|at| *at > Instant::now()) {
                    self.recall(claim);
                    return Ok(Turn::Wait(Some(at)));
                }
                self.open += 1;
                self.count_in(claim, ticket);
                return Ok(Turn::Dial);
            }
        }
        self.recall(claim);
        Ok(Turn::Wait(None))
    }

    /// For a transfer the connection whose data channel has been open for longest, so that it is likely to be connected by
    /// now; for anything else the most recently used one that has none.
    fn take_idle(&mut self, claim: &Claim) -> Option<Control> {
        let at = match claim {
            Claim::Data(_) => self.idle.iter().position(Control::is_armed),
            Claim::Metadata => self.idle.iter().rposition(|control| !control.is_armed()),
        };
        at.map(|at| self.idle.remove(at)).or_else(|| self.idle.pop())
    }

    fn anyone_waits(&self) -> bool {
        !self.metadata.is_empty() || !self.data.is_empty()
    }

    fn queue(&mut self, claim: &Claim) -> &mut Vec<u64> {
        match claim {
            Claim::Metadata => &mut self.metadata,
            Claim::Data(_) => &mut self.data,
        }
    }

    /// `ticket` waits no longer.
    fn count_in(&mut self, claim: &Claim, ticket: u64) {
        self.queue(claim).retain(|t| *t != ticket);
        self.in_a_row = match claim {
            Claim::Metadata if !self.data.is_empty() => self.in_a_row + 1,
            _ => 0,
        };
        if let Claim::Data(recall) = claim {
            self.transfers.push((ticket, Arc::clone(recall)));
        }
    }

    /// Asks the oldest transfer for its connection: at once for metadata that no other connection can serve.
    fn recall(&self, claim: &Claim) {
        let (urgency, waiting) = match claim {
            Claim::Metadata if self.open <= self.transfers.len() => (Urgency::Now, self.metadata.len()),
            Claim::Metadata => return,
            Claim::Data(_) => (Urgency::Turn, self.data.len()),
        };
        let asked = self.transfers.iter().filter(|(_, recall)| recall.asked() >= urgency).count();
        if asked >= waiting {
            return;
        }
        if let Some((_, recall)) = self.transfers.iter().find(|(_, recall)| recall.asked() < urgency) {
            recall.ask(urgency);
        }
    }

    /// What kept somebody from a connection until the deadline: the server, if there is none at all.
    fn why_waiting(&self) -> Error {
        let refusal = self.refusal.clone().filter(|_| self.open == 0);
        refusal.unwrap_or_else(|| Error::new(ErrorKind::TimedOut, QUEUEING))
    }

    /// The server has as many of us as it wants: that is the limit now.
    fn lower_limit(&mut self) -> Option<usize> {
        // Without a single one of ours, it is full of others: that says nothing about how many it grants us.
        if self.open == 0 {
            return None;
        }
        self.limit_met = Some(Instant::now());
        (self.open < self.limit).then(|| {
            self.limit = self.open;
            self.open
        })
    }

    /// Puts off the next attempt; tells how many have failed in a row.
    fn back_off(&mut self) -> u32 {
        let wait = FIRST_BACK_OFF * 2u32.pow(self.failures.min(MOST_DOUBLED));
        self.failures += 1;
        self.not_before = Some(Instant::now() + wait);
        self.failures
    }
}

/// A place in the queue, given up on drop.
struct Queued<'a> {
    pool: &'a Pool,
    ticket: u64,
}

impl<'a> Queued<'a> {
    fn new(pool: &'a Pool, claim: &Claim, ticket: u64) -> Self {
        pool.inner.lock().queue(claim).push(ticket);
        Self { pool, ticket }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut inner = self.pool.inner.lock();
        inner.metadata.retain(|t| *t != self.ticket);
        inner.data.retain(|t| *t != self.ticket);
        drop(inner);
        self.pool.gate.open();
    }
}

/// The place of a connection that is being dialled; dropping it gives the place back.
struct Place<'a>(&'a Pool, u64);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lost(self.1);
    }
}

impl Lease {
    /// The connection, to talk.
    pub(crate) fn control_mut(&mut self) -> &mut Control {
        self.control.as_mut().expect("a lease holds its connection until it is given back")
    }

    /// Gives the connection back: every command sent has had its reply.
    pub(crate) fn put_back(mut self) {
        if let Some(control) = self.control.take() {
            self.pool.give_back(control, self.ticket);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.control.take().is_some() {
            self.pool.lost(self.ticket);
        }
    }
}

/// Wait after the first failed attempt; doubles up to 2 s: short enough for those who wait no longer than their timeout.
const FIRST_BACK_OFF: Duration = Duration::from_millis(125);

/// Doublings.
const MOST_DOUBLED: u32 = 4;

/// Failures in a row that the user should hear of.
const WORTH_A_WARNING: u32 = 3;

/// Metadata requests that may go before a transfer that waits.
const MOST_IN_A_ROW: u32 = 8;

/// How long a server's limit is believed before one more connection is tried.
const LIMIT_BELIEVED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_full_of_others_sets_no_limit() {
        let mut inner = Inner { limit: 8, open: 0, ..Inner::default() };
        assert_eq!(inner.lower_limit(), None);
        assert_eq!((inner.limit, inner.limit_met), (8, None));
        inner.open = 3;
        assert_eq!(inner.lower_limit(), Some(3));
        assert_eq!(inner.limit, 3);
        assert!(inner.limit_met.is_some());
    }

    #[test]
    fn a_transfer_is_called_back_once_for_each_who_waits() {
        let recalls: Vec<Arc<Recall>> = (0..3).map(|_| Arc::default()).collect();
        let mut inner = Inner { limit: 3, open: 3, ..Inner::default() };
        inner.transfers = recalls.iter().enumerate().map(|(i, r)| (i as u64, Arc::clone(r))).collect();
        inner.data = vec![10];
        let waiter = Claim::Data(Arc::default());
        for _ in 0..5 {
            assert!(matches!(inner.turn(&waiter, 10), Ok(Turn::Wait(None))));
        }
        let asked: Vec<_> = recalls.iter().map(|r| r.asked()).collect();
        assert_eq!(asked, [Urgency::Turn, Urgency::None, Urgency::None], "the oldest, and only that one");
    }
}
