//! Who writes through a handle.
//!
//! A program that starts another one shares its handles with the child for a moment, and the child closes its copies: for
//! the kernel that is a close(2) like any other. Were all closes alike, each child would have stored what its parent is just
//! in the middle of writing. So the close of a process that has neither opened nor written the file is left to those
//! who have, as long as they are there: their own close follows, and stores.

use std::fs;

use crate::base::sync::Ranked;

/// The threads that have opened or written through one handle.
#[derive(Default)]
pub(crate) struct Users(Ranked<Threads, 41>);

#[derive(Default)]
struct Threads {
    known: Vec<u32>,
    /// There were more, or nobody can tell who.
    unknown: bool,
}

impl Users {
    /// Thread `id` uses the handle; 0 where the kernel does not tell.
    pub(crate) fn note(&self, id: u32) {
        let mut threads = self.0.lock();
        if threads.known.last() == Some(&id) || threads.unknown {
            return;
        }
        threads.known.retain(|known| *known != id);
        threads.unknown = id == 0 || threads.known.len() == MOST;
        threads.known.push(id);
    }

    /// Somebody uses it, and nobody can tell who.
    pub(crate) fn note_unknown(&self) {
        self.0.lock().unknown = true;
    }

    /// Whether thread `id` belongs to a process that has never used the handle, while all that have are still there.
    pub(crate) fn is_bystander(&self, id: u32) -> bool {
        let known = {
            let threads = self.0.lock();
            if id == 0 || threads.unknown || threads.known.is_empty() || threads.known.contains(&id) {
                return false;
            }
            threads.known.clone()
        };
        process_of(id).is_some_and(|own| known.into_iter().all(|user| process_of(user).is_some_and(|it| it != own)))
    }
}

/// The process that thread `id` belongs to; None where it has ended.
fn process_of(id: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    // What has ended but has not been waited for has closed everything.
    value("State:").filter(|state| !state.starts_with(['Z', 'X']))?;
    value("Tgid:")?.parse().ok()
}

/// Threads that are remembered for each handle.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::thread;

    use super::*;

    /// The number of the calling thread, as the kernel knows it.
    fn own() -> u32 {
        let task = fs::read_link("/proc/thread-self").expect("procfs is there");
        task.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()).expect("a number")
    }

    #[test]
    fn only_another_process_that_has_done_nothing_is_a_bystander() {
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().expect("there is a cat");
        let users = Users::default();
        assert!(!users.is_bystander(other.id()), "nobody else would store it");
        users.note(own());
        assert!(users.is_bystander(other.id()));
        assert!(!users.is_bystander(own()));
        thread::scope(|scope| {
            let thread = scope.spawn(|| users.is_bystander(own()));
            assert!(!thread.join().expect("no panic"), "another thread of the same process");
        });
        users.note(other.id());
        assert!(!users.is_bystander(other.id()));
        other.kill().expect("it is ours");
        other.wait().expect("it has ended");
        assert!(!users.is_bystander(1), "one of those who would store it has ended");
    }

    #[test]
    fn who_cannot_be_told_counts() {
        for forget in
            [Users::note_unknown as fn(&Users), |users| users.note(0), |users| (2..20).for_each(|n| users.note(n))]
        {
            let users = Users::default();
            users.note(own());
            forget(&users);
            assert!(!users.is_bystander(1));
        }
    }
}
