//! Waiting for something to change without holding the lock that guards it.

use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::{Condvar, Mutex};

use super::Deadline;

/// An event count: take a [`ticket`](Gate::ticket), look at the guarded state, then wait for the count to move on.
///
/// A change between the look and the wait is not missed, because the ticket is older than it.
#[derive(Debug, Default)]
pub struct Gate {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Gate {
    /// The count now. Take it before looking at the state.
    pub fn ticket(&self) -> u64 {
        *self.count.lock()
    }

    /// Says that something has changed; wakes everyone who waits.
    pub fn open(&self) {
        *self.count.lock() += 1;
        self.changed.notify_all();
    }

    /// Waits until the count differs from `ticket`; false if the deadline came first.
    pub fn wait(&self, ticket: u64, until: Deadline) -> bool {
        let mut count = self.count.lock();
        while *count == ticket {
            if self.changed.wait_until(&mut count, until.instant()).timed_out() {
                return *count != ticket;
            }
        }
        true
    }
}

/// How badly a connection that carries a transfer is wanted by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nobody waits.
    None,
    /// Another transfer waits for its turn.
    Turn,
    /// A metadata request waits and no other connection can serve it.
    Now,
}

/// A transfer's ear: the connection pool asks here for its connection back, the transfer ends itself when it suits.
#[derive(Debug, Default)]
pub struct Recall {
    asked: AtomicU8,
    /// Opened at each call, and by the transfer's owner when there is something else to look at.
    pub gate: Gate,
}

impl Recall {
    /// Asks for the connection back.
    pub fn ask(&self, urgency: Urgency) {
        self.asked.fetch_max(urgency as u8, Ordering::AcqRel);
        self.gate.open();
    }

    /// What has been asked for so far.
    pub fn asked(&self) -> Urgency {
        match self.asked.load(Ordering::Acquire) {
            0 => Urgency::None,
            1 => Urgency::Turn,
            _ => Urgency::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_after_the_ticket_is_not_missed() {
        let gate = Gate::default();
        let ticket = gate.ticket();
        gate.open();
        assert!(gate.wait(ticket, Deadline::after(Duration::from_secs(10))));
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let gate = Gate::default();
        assert!(!gate.wait(gate.ticket(), Deadline::after(Duration::from_millis(1))));
    }

    #[test]
    fn a_recall_remembers_the_strongest_call() {
        let recall = Recall::default();
        assert_eq!(recall.asked(), Urgency::None);
        recall.ask(Urgency::Now);
        recall.ask(Urgency::Turn);
        assert_eq!(recall.asked(), Urgency::Now);
    }
}
