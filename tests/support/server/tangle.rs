//! How the sessions of pyftpdlib 2.2.0 silence one another in active mode ([`Active::Tangled`]).
//!
//! It keeps the number of the descriptor by which a session has connected to its client. Whatever has that number when the
//! session is told of the next port, or ends, falls out of the server's one event loop: nothing is sent on it any more. Here
//! that always are the data channels of all other sessions.

use super::personality::Active;
use super::session::{Session, Step};
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Tangle {
    /// Sessions that have connected to their clients.
    keep: BTreeSet<u64>,
    /// Sessions whose data channel is lost.
    lost: BTreeSet<u64>,
}

impl Session {
    /// It has a data channel: to its client, or from there.
    pub(super) fn keep_number(&self) {
        self.hub.update(|state| {
            state.tangle.lost.remove(&self.id);
            if self.active.is_some() && self.hub.personality.active == Active::Tangled {
                state.tangle.keep.insert(self.id);
            }
        });
    }

    /// It is told of another port, or ends.
    pub(super) fn let_number_go(&self) {
        self.hub.update(|state| {
            if state.tangle.keep.remove(&self.id) {
                let others = state.peers.iter().filter(|(id, peer)| **id != self.id && peer.data.is_some());
                state.tangle.lost.extend(others.map(|(id, _)| *id));
            }
        });
    }

    /// Stays here where the data channel is lost.
    pub(super) fn heed_loss(&self) -> Step {
        let lost = self.hub.lock().tangle.lost.contains(&self.id);
        if lost { self.hub.stall(self.id, "a lost data channel".to_owned()) } else { Ok(()) }
    }
}
