//! A connection for one who holds one already: only where it can be had at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use log::debug;

use super::{Claim, Lease, Pool, Turn};
use crate::base::Deadline;
use crate::ftp::control::Control;
use crate::remote::Result;

impl Pool {
    /// Whether so many connections could be open at once.
    pub(crate) fn grants(&self, wanted: usize) -> bool {
        self.inner.lock().limit >= wanted
    }

    /// As [`acquire_spare`](Self::acquire_spare), and none is made for it.
    pub(crate) fn take_spare(self: &Arc<Self>, claim: &Claim) -> Option<Lease> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        match self.spare_turn(claim, ticket, true) {
            Ok(Some(Turn::Take(control))) => self.fresh_lease(*control, ticket),
            _ => None,
        }
    }

    /// A connection that nobody has to be waited for, with one more left for whoever comes next; None where there is none.
    /// So it may be asked for with another one in hand.
    ///
    /// # Errors
    /// A new connection could not be made.
    pub(crate) fn acquire_spare(self: &Arc<Self>, claim: &Claim, deadline: Deadline) -> Result<Option<Lease>> {
        loop {
            let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
            match self.spare_turn(claim, ticket, false)? {
                Some(Turn::Take(control)) => {
                    if let Some(lease) = self.fresh_lease(*control, ticket) {
                        return Ok(Some(lease));
                    }
                }
                Some(Turn::Dial) => {
                    return self.dial(ticket, deadline).map(|control| Some(self.lease(control, ticket, false)));
                }
                Some(Turn::Wait(_)) | None => return Ok(None),
            }
        }
    }

    /// What may be done at once; nothing that has to be waited for, and with `idle_only` nothing but to take what is there.
    fn spare_turn(&self, claim: &Claim, ticket: u64, idle_only: bool) -> Result<Option<Turn>> {
        let mut inner = self.inner.lock();
        if !inner.has_spare(0) || (idle_only && inner.idle.is_empty()) {
            return Ok(None);
        }
        inner.queue(claim).push(ticket);
        let turn = inner.turn(claim, ticket);
        if !matches!(turn, Ok(Turn::Take(_) | Turn::Dial)) {
            inner.queue(claim).retain(|t| *t != ticket);
        }
        turn.map(Some)
    }

    fn fresh_lease(self: &Arc<Self>, control: Control, ticket: u64) -> Option<Lease> {
        let mut lease = self.lease(control, ticket, true);
        lease.control_mut().doubt();
        let stale = lease.control_mut().has_news();
        if stale {
            debug!("an idle connection has gone stale");
        }
        (!stale).then_some(lease)
    }
}
