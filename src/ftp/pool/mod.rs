//! The few control connections that a server grants, and who gets the next one.
//!
//! A connection is handed out as a [`Lease`], an owned value: no lock is held while it is used. `put_back` returns it;
//! a lease that is dropped closes it, because nobody knows what it would say next.
//!
//! Requests for metadata go before transfers. With a limit of two or more, transfers leave one connection to metadata;
//! with one, a transfer is asked by its [`Recall`] to end early when metadata waits. A copy that the server makes cannot be
//! asked: it gets what nobody needs, and transfers go on beside it, if need be as with a limit of one. No request ever waits
//! for a second connection while it holds one: so nothing deadlocks, whatever the limit.

mod arming;
mod lease;
mod spare;
mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use log::{debug, info, warn};

use self::arming::Bell;
pub(crate) use self::lease::Lease;
use self::lease::{Place, Queued};
use self::turns::{Inner, Turn};
use super::connect::{Connector, Refusal};
use super::control::Control;
use super::dialect::Dialect;
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate, Recall, Urgency};
use crate::remote::{Error, ErrorKind, Result};

/// The connections to one server.
pub(crate) struct Pool {
    connector: Connector,
    dialect: Arc<Dialect>,
    idle_timeout: Duration,
    inner: Ranked<Inner, 60>,
    /// Opened at each change of `inner` that may let somebody go on.
    gate: Gate,
    tickets: AtomicU64,
    /// Calls whoever watches connections that were asked for a data channel.
    bell: Bell,
}

/// What a connection is wanted for.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// A stat, a change of a name: short, and without a data channel.
    Metadata,
    /// A listing: as urgent, over a data channel.
    Listing,
    /// A transfer, which can be asked to end.
    Data(Arc<Recall>),
    /// A copy on the server, which takes as long and cannot be asked: never waited for, only taken as a spare one.
    Copy,
}

impl Pool {
    pub(crate) fn new(connector: Connector, dialect: Arc<Dialect>, most: usize, idle_timeout: Duration) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            connector,
            dialect,
            idle_timeout,
            inner: Ranked::new(Inner { most, limit: most, ..Inner::default() }),
            gate: Gate::default(),
            tickets: AtomicU64::new(1),
            bell: Bell::default(),
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
        self.keep_to_one();
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
                    self.prepare(claim);
                    return Ok(lease);
                }
                Turn::Dial => match self.dial(ticket, deadline) {
                    Ok(control) => {
                        self.prepare(claim);
                        return Ok(self.lease(control, ticket, false));
                    }
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

    /// From now on there is one connection, where the server cannot stand several.
    fn keep_to_one(&self) {
        if !self.connector.opener().wants_one_connection(&self.dialect) {
            return;
        }
        let Some(surplus) = self.inner.lock().keep_to_one() else { return };
        info!("pyftpdlib loses data channels while it connects to others: one connection from now on");
        for control in surplus {
            control.quit();
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
                inner.no_more_before = None;
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
                    // With others alive, one refused is no reason to wait, nor to ask again and again.
                    let alone = inner.open == 0;
                    inner.no_more_before = Some(Instant::now() + NO_MORE);
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
            for control in inner.idle.iter_mut().filter(|control| !control.is_armed()) {
                control.disarm();
            }
            if inner.limit < inner.most && inner.limit_met.is_some_and(|at| at.elapsed() > LIMIT_BELIEVED) {
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

    /// How many connections could be had at once, with one more left for whoever comes next.
    pub(crate) fn spare(&self) -> usize {
        self.inner.lock().spare()
    }

    /// Whether one could be had at once; `begun` who ask for one may not have it yet.
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
            for recall in inner.transfers.iter().filter_map(|(_, recall)| recall.as_ref()) {
                recall.ask(Urgency::Now);
            }
            idle
        };
        self.gate.open();
        self.call_watcher();
        for control in idle {
            control.quit();
        }
    }

    fn give_back(self: &Arc<Self>, mut control: Control, ticket: u64) {
        control.idle_since = Instant::now();
        if let Err(e) = self.look_ahead(&mut control) {
            debug!("{e}");
            return self.lost(ticket);
        }
        let watched = control.is_arming();
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
        if watched {
            self.watch();
        }
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

/// Failures in a row that the user should hear of.
const WORTH_A_WARNING: u32 = 3;

/// How long after one connection too many was refused no other one is tried beside those that there are.
const NO_MORE: Duration = Duration::from_secs(1);

/// How long a server's limit is believed before one more connection is tried.
const LIMIT_BELIEVED: Duration = Duration::from_secs(60);
