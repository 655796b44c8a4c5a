//! The thread that watches the time: answers reads whose deadline has come, and looks after idle connections.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::read::FileReader;
use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};
use crate::remote::Remote;

/// Deadlines of reads that are parked.
pub(crate) struct Keeper {
    due: Ranked<BinaryHeap<Reverse<Due>>, 60>,
    gate: Gate,
}

struct Due {
    at: Instant,
    reader: Weak<FileReader>,
}

impl Keeper {
    /// Starts the thread; it ends when the keeper is dropped or `remote` is.
    pub(crate) fn start(remote: &Arc<dyn Remote>) -> std::io::Result<Arc<Self>> {
        let keeper = Arc::new(Self { due: Ranked::default(), gate: Gate::default() });
        let (weak, remote) = (Arc::downgrade(&keeper), Arc::downgrade(remote));
        thread::Builder::new().name("keeper".into()).spawn(move || {
            let mut upkeep = Instant::now() + UPKEEP;
            while let (Some(keeper), Some(remote)) = (weak.upgrade(), remote.upgrade()) {
                let seen = keeper.gate.ticket();
                let next = keeper.answer_due();
                if Instant::now() >= upkeep {
                    remote.upkeep();
                    upkeep = Instant::now() + UPKEEP;
                }
                drop(remote);
                keeper.gate.wait(seen, Deadline::at(next.map_or(upkeep, |at| at.min(upkeep))));
            }
        })?;
        Ok(keeper)
    }

    /// Has `reader` looked at when `at` comes.
    pub(crate) fn watch(&self, at: Instant, reader: &Arc<FileReader>) {
        let first = {
            let mut due = self.due.lock();
            let first = due.peek().is_none_or(|Reverse(d)| at < d.at);
            due.push(Reverse(Due { at, reader: Arc::downgrade(reader) }));
            first
        };
        if first {
            self.gate.open();
        }
    }

    /// Answers what is overdue; tells when the next one is.
    fn answer_due(&self) -> Option<Instant> {
        loop {
            let due = {
                let mut due = self.due.lock();
                match due.peek() {
                    Some(Reverse(d)) if d.at <= Instant::now() => due.pop(),
                    Some(Reverse(d)) => return Some(d.at),
                    None => return None,
                }
            };
            let reader = due.and_then(|Reverse(d)| d.reader.upgrade());
            if let Some(reader) = reader
                && let Some(again) = reader.expire()
            {
                self.watch(again, &reader);
            }
        }
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// How often connections are looked after.
const UPKEEP: Duration = Duration::from_secs(5);
