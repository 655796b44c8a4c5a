//! A connection for one who holds one already: only where it can be had at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use log::debug;

use super::{Claim, Lease, Pool, Turn};
use crate::base::Deadline;
use crate::remote::Result;

impl Pool {
    /// Whether so many connections could be open at once.
    pub(crate) fn grants(&self, wanted: usize) -> bool {
        self.inner.lock().limit >= wanted
    }

    /// A connection that nobody has to be waited for, with one more left for whoever comes next; None where there is none.
    /// So it may be asked for with another one in hand.
    ///
    /// # Errors
    /// A new connection could not be made.
    pub(crate) fn acquire_spare(self: &Arc<Self>, claim: &Claim, deadline: Deadline) -> Result<Option<Lease>> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let turn = {
            let mut inner = self.inner.lock();
            if !inner.has_spare(0) {
                return Ok(None);
            }
            inner.queue(claim).push(ticket);
            let turn = inner.turn(claim, ticket);
            if !matches!(turn, Ok(Turn::Take(_) | Turn::Dial)) {
                inner.queue(claim).retain(|t| *t != ticket);
            }
            turn?
        };
        match turn {
            Turn::Take(control) => {
                let mut lease = self.lease(*control, ticket, true);
                lease.control_mut().doubt();
                let stale = lease.control_mut().has_news();
                if stale {
                    debug!("an idle connection has gone stale");
                }
                Ok((!stale).then_some(lease))
            }
            Turn::Dial => self.dial(ticket, deadline).map(|control| Some(self.lease(control, ticket, false))),
            Turn::Wait(_) => Ok(None),
        }
    }
}
