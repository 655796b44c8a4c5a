//! The sessions that one control connection and its data connections may resume.
//!
//! A ticket of TLS 1.3 is good for one connection (RFC 8446 C.4), and one that is refused its transfer has used it up all
//! the same: a server that hands out two with the first handshake, and one more with each that succeeds, has none left
//! for us after a few refusals. So they are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// A store for one server, newest first.
#[derive(Debug)]
pub(super) struct Tickets {
    kept: ClientSessionMemoryCache,
    left: AtomicUsize,
    /// How many have come.
    brought: AtomicUsize,
}

impl Tickets {
    pub(super) fn new() -> Arc<Self> {
        let kept = ClientSessionMemoryCache::new(MOST);
        Arc::new(Self { kept, left: AtomicUsize::new(0), brought: AtomicUsize::new(0) })
    }

    /// Whether TLS 1.3 has brought any so far.
    pub(super) fn ever(&self) -> bool {
        self.brought() > 0
    }

    /// How many tickets of TLS 1.3 have come so far.
    pub(super) fn brought(&self) -> usize {
        self.brought.load(Ordering::Relaxed)
    }

    /// Whether there were some, and all are used up.
    pub(super) fn used_up(&self) -> bool {
        self.ever() && self.left.load(Ordering::Relaxed) == 0
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.kept.set_tls12_session(name, value);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(name)
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.kept.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.brought.fetch_add(1, Ordering::Relaxed);
        // The oldest of eight makes room.
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some((left + 1).min(MOST)));
        self.kept.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let taken = self.kept.take_tls13_ticket(name);
        let left = |left: usize| Some(if taken.is_some() { left.saturating_sub(1) } else { 0 });
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        taken
    }
}

/// As many as rustls keeps for one server.
const MOST: usize = 8;
