//! What holds a place in the pool, and gives it up on drop.

use std::sync::Arc;

use super::{Claim, Pool};
use crate::ftp::control::Control;
use crate::remote::Result;

/// A connection in use. Dropping it closes the connection.
pub(crate) struct Lease {
    pub(super) control: Option<Control>,
    pub(super) pool: Arc<Pool>,
    pub(super) ticket: u64,
    /// Whether it had been idle before: if it fails at once, it was stale.
    pub(crate) reused: bool,
}

/// A place in the queue, given up on drop.
pub(super) struct Queued<'a> {
    pool: &'a Pool,
    ticket: u64,
}

impl<'a> Queued<'a> {
    pub(super) fn new(pool: &'a Pool, claim: &Claim, ticket: u64) -> Self {
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
pub(super) struct Place<'a>(pub(super) &'a Pool, pub(super) u64);

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

    /// All data of a transfer has come, and the final reply is to be read next.
    pub(crate) fn data_ended(&mut self) -> Result<()> {
        match &mut self.control {
            Some(control) => self.pool.look_behind(control),
            None => Ok(()),
        }
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
