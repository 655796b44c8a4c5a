//! Threads for what may wait: made when there is work for them, never more than a number.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::error;

use crate::base::sync::Ranked;
use crate::base::{Deadline, Gate};

/// A queue and the threads that serve it. Jobs carry deadlines of their own, so the queue never holds one for long.
pub(crate) struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    most: usize,
    state: Ranked<State, 60>,
    gate: Gate,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    shut: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl Workers {
    pub(crate) fn new(name: &'static str, most: usize) -> Self {
        let shared = Shared { name, most, state: Ranked::default(), gate: Gate::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Runs `job` as soon as a thread is free.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let spawn = {
            let mut state = self.shared.state.lock();
            if state.shut {
                return;
            }
            state.queue.push_back(Box::new(job));
            let spawn = state.idle < state.queue.len() && state.threads < self.shared.most;
            state.threads += usize::from(spawn);
            spawn
        };
        self.shared.gate.open();
        if spawn {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name(self.shared.name.into()).stack_size(STACK);
            if let Err(e) = thread.spawn(move || shared.serve()) {
                error!("no thread for {}: {e}", self.shared.name);
                let dropped = {
                    let mut state = self.shared.state.lock();
                    state.threads -= 1;
                    // With no thread at all nobody would ever serve it: whoever waits is told by its drop.
                    if state.threads == 0 { std::mem::take(&mut state.queue) } else { VecDeque::new() }
                };
                drop(dropped);
            }
        }
    }

    /// Drops what waits and lets the threads end; those in the middle of a job end with it.
    pub(crate) fn shut_down(&self) {
        let dropped = {
            let mut state = self.shared.state.lock();
            state.shut = true;
            std::mem::take(&mut state.queue)
        };
        drop(dropped);
        self.shared.gate.open();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Shared {
    fn serve(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                error!("a panic in thread {}: the request it served fails", self.name);
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let until = Deadline::after(IDLE);
        let mut idle = false;
        loop {
            let seen = self.gate.ticket();
            let mut state = self.state.lock();
            state.idle -= usize::from(idle);
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.shut || until.passed() {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            idle = true;
            drop(state);
            self.gate.wait(seen, until);
        }
    }
}

/// How long a thread waits for more work.
const IDLE: Duration = Duration::from_secs(10);

/// Ample for a listing or a transfer, and address space is all it costs until used.
const STACK: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panic_costs_one_job_only() {
        let workers = Workers::new("test", 1);
        let (tell, hear) = mpsc::channel();
        workers.run(|| panic!("on purpose"));
        workers.run(move || tell.send(7).expect("the test listens"));
        assert_eq!(hear.recv_timeout(Duration::from_secs(10)), Ok(7));
    }

    #[test]
    fn as_many_threads_as_allowed_work_at_once() {
        let workers = Workers::new("test", 3);
        let barrier = Arc::new(std::sync::Barrier::new(3));
        let (tell, hear) = mpsc::channel();
        for _ in 0..3 {
            let (barrier, tell) = (Arc::clone(&barrier), tell.clone());
            workers.run(move || {
                barrier.wait();
                tell.send(()).expect("the test listens");
            });
        }
        for _ in 0..3 {
            hear.recv_timeout(Duration::from_secs(10)).expect("all three met");
        }
    }
}
