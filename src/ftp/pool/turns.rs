//! What the pool knows, and who may do what next: decided under its lock, without doing anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Claim;
use crate::base::{Recall, Urgency};
use crate::ftp::control::Control;
use crate::remote::{Error, ErrorKind, QUEUEING, Result};

#[derive(Default)]
pub(super) struct Inner {
    /// Ready to be used, the most recently used last.
    pub(super) idle: Vec<Control>,
    /// All there are: idle, leased, being dialled.
    pub(super) open: usize,
    /// The user's limit.
    pub(super) most: usize,
    /// That, or the server's where that is lower.
    pub(super) limit: usize,
    /// When the server's limit was met; after a while it is tried again.
    pub(super) limit_met: Option<Instant>,
    /// Leases that carry transfers, oldest first; no recall for those that cannot be asked to end.
    pub(super) transfers: Vec<(u64, Option<Arc<Recall>>)>,
    /// Tickets of those who wait, oldest first.
    pub(super) metadata: Vec<u64>,
    pub(super) data: Vec<u64>,
    /// Connections given to metadata while a transfer waited.
    pub(super) in_a_row: u32,
    /// Attempts that failed in a row, and when the next one is allowed.
    pub(super) failures: u32,
    pub(super) not_before: Option<Instant>,
    /// When one more connection may be tried beside those that there are, of which the last one was refused.
    pub(super) no_more_before: Option<Instant>,
    /// Why the last attempt failed, for those who wait and never get to try themselves.
    pub(super) refusal: Option<Error>,
    pub(super) shut: bool,
    /// Idle connections that somebody looks after just now.
    pub(super) in_hand: usize,
    /// One more connection is being made for the next transfer.
    pub(super) growing: bool,
    /// When the last two transfers and listings began.
    pub(super) demand: (Option<Instant>, Option<Instant>),
}

/// What the state of the pool tells one who wants a connection.
pub(super) enum Turn {
    Take(Box<Control>),
    Dial,
    Wait(Option<Instant>),
}

/// What is to be done for the next transfer.
pub(super) enum Spare {
    Enough,
    /// A data channel is to be opened on this one, which goes back then.
    Arm(Box<Control>),
    /// One more is to be made; it is counted already.
    Dial,
}

impl Inner {
    /// When one more is worth an attempt; None where there is none yet, or nothing speaks against it.
    fn no_more(&self) -> Option<Instant> {
        self.no_more_before.filter(|at| self.open > 0 && *at > Instant::now())
    }

    /// Whether a connection could be had at once, with one more left; `begun` who ask for one may not have it yet.
    pub(super) fn has_spare(&self, begun: usize) -> bool {
        self.spare() > 0 && begun + 1 < self.limit
    }

    /// How many connections could be had at once, with one more left.
    pub(super) fn spare(&self) -> usize {
        let none = self.no_more().is_some() && self.idle.len() < 2;
        if none || self.shut || self.not_before.is_some() || self.waiting() > self.in_hand {
            return 0;
        }
        let busy = self.open.saturating_sub(self.idle.len());
        self.limit.saturating_sub(busy + 1)
    }

    /// Decides what `ticket` may do now; counts it in if it may go on.
    pub(super) fn turn(&mut self, claim: &Claim, ticket: u64) -> Result<Turn> {
        if self.shut {
            return Err(Error::new(ErrorKind::Cancelled, "wait for a connection"));
        }
        // One connection is left to metadata; but one transfer goes on beside all copies, and is asked back instead.
        let copies = self.transfers.iter().filter(|(_, recall)| recall.is_none()).count();
        let room = self.transfers.len() < self.limit.saturating_sub(1).max(copies + 1);
        // Metadata first, but not for ever.
        let data_next = room && !self.data.is_empty() && (self.metadata.is_empty() || self.in_a_row >= MOST_IN_A_ROW);
        let first = match claim {
            Claim::Metadata | Claim::Listing => self.metadata.first() == Some(&ticket) && !data_next,
            Claim::Data(_) | Claim::Copy => self.data.first() == Some(&ticket) && data_next,
        };
        if first {
            if let Some(control) = self.take_idle(claim) {
                self.count_in(claim, ticket);
                return Ok(Turn::Take(Box::new(control)));
            }
            // It comes back at once.
            if self.in_hand > 0 {
                return Ok(Turn::Wait(None));
            }
            if self.open < self.limit {
                if let Some(at) = self.not_before.max(self.no_more()).filter(|at| *at > Instant::now()) {
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

    /// For what needs a data channel the connection where one has been open for longest, so that it is likely to be
    /// connected by now, or else where one has been asked for; for anything else the most recently used one that has none.
    fn take_idle(&mut self, claim: &Claim) -> Option<Control> {
        let at = match claim {
            Claim::Data(_) | Claim::Listing => {
                let armed = self.idle.iter().position(Control::is_armed);
                armed.or_else(|| self.idle.iter().position(Control::is_arming))
            }
            Claim::Metadata | Claim::Copy => {
                self.idle.iter().rposition(|control| !control.is_armed() && !control.is_arming())
            }
        };
        at.map(|at| self.idle.remove(at)).or_else(|| self.idle.pop())
    }

    /// How many idle connections have a data channel, or will have one soon.
    fn armed(&self) -> usize {
        self.idle.iter().filter(|control| control.is_armed() || control.is_arming()).count()
    }

    /// Whether transfers or listings follow one another no more than `apart`.
    fn in_demand(&self, apart: Duration) -> bool {
        matches!(self.demand, (Some(before), Some(last)) if last - before < apart && last.elapsed() < apart)
    }

    /// Whether one more data channel is to be opened on a connection that is given back.
    pub(super) fn wants_armed(&self) -> bool {
        !self.shut && self.open <= self.limit && self.armed() < MOST_ARMED && self.in_demand(LIKELY)
    }

    /// What is to be done so that a data channel is open when the next transfer begins.
    pub(super) fn next_spare(&mut self) -> Spare {
        let calm = !self.shut && self.not_before.is_none() && !self.anyone_waits() && !self.growing;
        if !calm || !self.in_demand(SOON) || self.armed() + self.in_hand >= SPARES {
            return Spare::Enough;
        }
        if let Some(at) = self.idle.iter().position(|control| !control.is_armed() && !control.is_arming()) {
            self.in_hand += 1;
            return Spare::Arm(Box::new(self.idle.remove(at)));
        }
        // One is left to questions.
        if self.open < self.limit && self.transfers.len() + 1 < self.limit && self.no_more().is_none() {
            self.open += 1;
            self.growing = true;
            return Spare::Dial;
        }
        Spare::Enough
    }

    fn waiting(&self) -> usize {
        self.metadata.len() + self.data.len()
    }

    pub(super) fn anyone_waits(&self) -> bool {
        !self.metadata.is_empty() || !self.data.is_empty()
    }

    pub(super) fn queue(&mut self, claim: &Claim) -> &mut Vec<u64> {
        match claim {
            Claim::Metadata | Claim::Listing => &mut self.metadata,
            Claim::Data(_) | Claim::Copy => &mut self.data,
        }
    }

    /// `ticket` waits no longer.
    fn count_in(&mut self, claim: &Claim, ticket: u64) {
        self.queue(claim).retain(|t| *t != ticket);
        self.in_a_row = match claim {
            Claim::Metadata | Claim::Listing if !self.data.is_empty() => self.in_a_row + 1,
            _ => 0,
        };
        if matches!(claim, Claim::Listing | Claim::Data(_)) {
            self.demand = (self.demand.1, Some(Instant::now()));
        }
        match claim {
            Claim::Data(recall) => self.transfers.push((ticket, Some(Arc::clone(recall)))),
            Claim::Copy => self.transfers.push((ticket, None)),
            Claim::Metadata | Claim::Listing => {}
        }
    }

    /// Asks the oldest transfer that can be asked for its connection: at once for metadata that no other connection can serve.
    fn recall(&self, claim: &Claim) {
        let (urgency, waiting) = match claim {
            Claim::Metadata | Claim::Listing if self.open <= self.transfers.len() => {
                (Urgency::Now, self.metadata.len())
            }
            // A copy waits for nobody.
            Claim::Metadata | Claim::Listing | Claim::Copy => return,
            Claim::Data(_) => (Urgency::Turn, self.data.len()),
        };
        let recalls = || self.transfers.iter().filter_map(|(_, recall)| recall.as_ref());
        let asked = recalls().filter(|recall| recall.asked() >= urgency).count();
        if asked >= waiting {
            return;
        }
        if let Some(recall) = recalls().find(|recall| recall.asked() < urgency) {
            recall.ask(urgency);
        }
    }

    /// What kept somebody from a connection until the deadline: the server, if there is none at all.
    pub(super) fn why_waiting(&self) -> Error {
        let refusal = self.refusal.clone().filter(|_| self.open == 0);
        refusal.unwrap_or_else(|| Error::new(ErrorKind::TimedOut, QUEUEING))
    }

    /// The server has as many of us as it wants: that is the limit now.
    pub(super) fn lower_limit(&mut self) -> Option<usize> {
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

    /// Never more than one connection any more; the idle ones that are to be closed, unless that is decided already.
    pub(super) fn keep_to_one(&mut self) -> Option<Vec<Control>> {
        if self.most == 1 {
            return None;
        }
        (self.most, self.limit) = (1, 1);
        let surplus = self.idle.len().min(self.open.saturating_sub(1));
        self.open -= surplus;
        Some(self.idle.drain(..surplus).collect())
    }

    /// Puts off the next attempt; tells how many have failed in a row.
    pub(super) fn back_off(&mut self) -> u32 {
        let wait = FIRST_BACK_OFF * 2u32.pow(self.failures.min(MOST_DOUBLED));
        self.failures += 1;
        self.not_before = Some(Instant::now() + wait);
        self.failures
    }
}

/// Wait after the first failed attempt; doubles up to 2 s: short enough for those who wait no longer than their timeout.
const FIRST_BACK_OFF: Duration = Duration::from_millis(125);

/// Doublings.
const MOST_DOUBLED: u32 = 4;

/// Metadata requests that may go before a transfer that waits.
const MOST_IN_A_ROW: u32 = 8;

/// After two transfers within this time a third one is likely enough for a data channel.
const LIKELY: Duration = Duration::from_secs(10);

/// Transfers that follow one another so quickly are those of one program.
const SOON: Duration = Duration::from_secs(2);

/// Connections that stand by with a data channel while one is used: each needs two round trips to have another one, so
/// with three in turn there always is one.
const SPARES: usize = 2;

/// Data channels kept at most on idle connections: servers have few ports for them.
const MOST_ARMED: usize = 4;

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

    /// Streams for one reader once began on connections that uploads had, and waited for each other.
    #[test]
    fn what_is_spare_leaves_out_what_others_have() {
        let mut inner = Inner { limit: 8, open: 4, ..Inner::default() };
        assert_eq!(inner.spare(), 3, "four are busy, one is left to whoever comes next");
        assert!(inner.has_spare(6) && !inner.has_spare(7));
        inner.data = vec![1];
        assert_eq!(inner.spare(), 0, "somebody waits");
        inner.in_hand = 1;
        assert_eq!(inner.spare(), 3, "not for one that is about to come back");
        inner.open = 8;
        assert_eq!(inner.spare(), 0);
    }

    #[test]
    fn a_transfer_is_called_back_once_for_each_who_waits() {
        let recalls: Vec<Arc<Recall>> = (0..3).map(|_| Arc::default()).collect();
        let mut inner = Inner { limit: 3, open: 3, ..Inner::default() };
        inner.transfers = recalls.iter().enumerate().map(|(i, r)| (i as u64, Some(Arc::clone(r)))).collect();
        inner.data = vec![10];
        let waiter = Claim::Data(Arc::default());
        for _ in 0..5 {
            assert!(matches!(inner.turn(&waiter, 10), Ok(Turn::Wait(None))));
        }
        let asked: Vec<_> = recalls.iter().map(|r| r.asked()).collect();
        assert_eq!(asked, [Urgency::Turn, Urgency::None, Urgency::None], "the oldest, and only that one");
    }

    /// A long copy was the oldest transfer once, was asked in vain, and then nobody else was.
    #[test]
    fn a_copy_is_never_called_back_and_keeps_nobody_from_being() {
        let recall = Arc::<Recall>::default();
        let mut inner = Inner { limit: 2, open: 2, ..Inner::default() };
        inner.transfers = vec![(0, None), (1, Some(Arc::clone(&recall)))];
        inner.data = vec![10];
        assert!(matches!(inner.turn(&Claim::Data(Arc::default()), 10), Ok(Turn::Wait(None))));
        assert_eq!(recall.asked(), Urgency::Turn);
        inner.metadata = vec![11];
        assert!(matches!(inner.turn(&Claim::Metadata, 11), Ok(Turn::Wait(None))));
        assert_eq!(recall.asked(), Urgency::Now, "there is no connection but those of transfers");
    }

    #[test]
    fn one_transfer_goes_on_beside_all_copies() {
        for (limit, copies, transfers) in [(2, 1, 1), (3, 1, 1), (3, 2, 1), (4, 1, 2)] {
            let mut inner = Inner { limit, open: copies, ..Inner::default() };
            inner.transfers = (0..copies as u64).map(|ticket| (ticket, None)).collect();
            for ticket in 10.. {
                inner.data = vec![ticket];
                if !matches!(inner.turn(&Claim::Data(Arc::default()), ticket), Ok(Turn::Dial)) {
                    assert_eq!(inner.transfers.len(), copies + transfers, "limit {limit}, {copies} copies");
                    break;
                }
            }
        }
    }
}
