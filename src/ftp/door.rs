//! Whether the password may be sent: one that was refused is never tried twice in a row.
//!
//! Servers lock accounts after a few wrong passwords, and a mount makes connections by itself: on every wait, by several
//! threads. So all of them knock here first. One knocks at a time; the others wait for what the server says to it, go in
//! together if that was yes, and are told the same where it was no.
//!
//! The password cannot change within one process, so one that never was right stays wrong. One that was right before may
//! be refused for other reasons (a directory service out of reach), or may have been changed and back: it is tried again
//! after a pause, by one connection, and the pause grows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::warn;

use crate::base::sync::Ranked;
use crate::base::{Clock, Deadline, Gate};
use crate::remote::{Error, ErrorKind};

/// What one server said of one password.
pub(crate) struct Door {
    clock: Arc<dyn Clock>,
    state: Ranked<State, 62>,
    /// Opened whenever a knock has been answered.
    gate: Gate,
}

#[derive(Default)]
struct State {
    /// Logins so far.
    opened: u64,
    /// Logins under way.
    knocking: u32,
    shut: Option<Shut>,
}

/// The last login was refused.
struct Shut {
    error: Error,
    /// When one more attempt is allowed; None: never.
    again: Option<Instant>,
    /// How long that was to wait for.
    pause: Duration,
}

/// Why nobody may knock.
pub(crate) enum Closed {
    /// The server has refused the password, in these words.
    Refused(Error),
    /// The answer to somebody else's knock did not come in time.
    TimedOut(Error),
}

impl Door {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Ranked::default(), gate: Gate::default() }
    }

    /// Fails where a knock would be refused now: it is not even worth a connection.
    ///
    /// # Errors
    /// What the server said when it refused.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let state = self.state.lock();
        match &state.shut {
            Some(shut) if !state.may_probe(shut, self.clock.now()) => Err(shut.error.clone()),
            _ => Ok(()),
        }
    }

    /// Leave to send the password once; waits for what is said to somebody who knocks already.
    ///
    /// # Errors
    /// The password has been refused and it is not time yet, or `deadline` has passed.
    pub(crate) fn knock(&self, deadline: Deadline) -> Result<Knock<'_>, Closed> {
        let opened = self.state.lock().opened;
        loop {
            let seen = self.gate.ticket();
            {
                let mut state = self.state.lock();
                let free = match &state.shut {
                    Some(shut) if !state.may_probe(shut, self.clock.now()) => {
                        return Err(Closed::Refused(shut.error.clone()));
                    }
                    // Others were let in while we waited: the password is right.
                    _ => state.knocking == 0 || state.opened > opened,
                };
                if free {
                    state.knocking += 1;
                    return Ok(Knock { door: self, sent: false });
                }
            }
            if !self.gate.wait(seen, deadline) && deadline.passed() {
                return Err(Closed::TimedOut(Error::new(ErrorKind::TimedOut, "login")));
            }
        }
    }
}

impl State {
    fn may_probe(&self, shut: &Shut, now: Instant) -> bool {
        self.knocking == 0 && shut.again.is_some_and(|at| now >= at)
    }
}

/// Leave to send the password, until it is dropped.
pub(crate) struct Knock<'a> {
    door: &'a Door,
    sent: bool,
}

impl Knock<'_> {
    /// The password goes out now.
    pub(crate) fn sent(&mut self) {
        self.sent = true;
    }

    /// The server has let us in.
    pub(crate) fn opened(self) {
        let mut state = self.door.state.lock();
        state.opened += 1;
        state.shut = None;
    }

    /// The server has refused user or password, as `error` says.
    pub(crate) fn refused(self, error: &Error) {
        let mut state = self.door.state.lock();
        let pause = state.shut.as_ref().map_or(FIRST_PAUSE, |shut| (shut.pause * 2).min(LONGEST_PAUSE));
        let again = (state.opened > 0).then(|| self.door.clock.now() + pause);
        state.shut = Some(Shut { error: error.clone(), again, pause });
        drop(state);
        if again.is_some() {
            warn!("{error}: not tried again for {} s", pause.as_secs());
        }
    }
}

impl Drop for Knock<'_> {
    fn drop(&mut self) {
        let mut state = self.door.state.lock();
        state.knocking -= 1;
        if let Some(shut) = &mut state.shut
            && self.sent
            && shut.again.is_some()
        {
            // Whatever came of it, the server may have counted it.
            shut.again = Some(self.door.clock.now() + shut.pause);
        }
        drop(state);
        self.door.gate.open();
    }
}

/// After the first refusal of a password that was right before.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// A server that comes back is found within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::SystemTime;

    use parking_lot::Mutex;

    use super::*;

    struct Hand(Mutex<Instant>);

    impl Hand {
        fn turn(&self, secs: u64) {
            *self.0.lock() += Duration::from_secs(secs);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Instant {
            *self.0.lock()
        }

        fn wall(&self) -> SystemTime {
            SystemTime::now()
        }
    }

    fn door() -> (Arc<Hand>, Door) {
        let hand = Arc::new(Hand(Mutex::new(Instant::now())));
        (Arc::clone(&hand), Door::new(hand))
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(10))
    }

    fn knock(door: &Door) -> Option<Knock<'_>> {
        let mut knock = door.knock(soon()).ok()?;
        knock.sent();
        Some(knock)
    }

    fn refuse(door: &Door) {
        knock(door).expect("leave to knock").refused(&Error::new(ErrorKind::LoginRefused, "login"));
    }

    #[test]
    fn a_password_that_never_was_right_is_sent_once() {
        let (hand, door) = door();
        refuse(&door);
        hand.turn(1_000_000);
        assert!(knock(&door).is_none());
        assert_eq!(door.check().expect_err("it is shut").kind, ErrorKind::LoginRefused);
    }

    #[test]
    fn a_password_that_was_right_is_tried_again_after_longer_and_longer_pauses() {
        let (hand, door) = door();
        knock(&door).expect("leave to knock").opened();
        for pause in [30, 60, 120, 240, 480, 600, 600] {
            refuse(&door);
            hand.turn(pause - 1);
            assert!(door.check().is_err() && knock(&door).is_none(), "{pause}");
            hand.turn(1);
            assert!(door.check().is_ok(), "{pause}");
        }
        knock(&door).expect("leave to knock").opened();
        refuse(&door);
        hand.turn(30);
        knock(&door).expect("the pauses begin anew").opened();
    }

    #[test]
    fn only_one_tries_again_and_one_that_got_no_answer_counts() {
        let (hand, door) = door();
        knock(&door).expect("leave to knock").opened();
        refuse(&door);
        hand.turn(30);
        let probe = knock(&door).expect("it is time");
        assert!(knock(&door).is_none() && door.check().is_err(), "the others are told at once");
        drop(probe);
        assert!(knock(&door).is_none(), "the server may have counted it");
        hand.turn(30);
        let Ok(unsent) = door.knock(soon()) else { panic!("it is time") };
        drop(unsent);
        assert!(knock(&door).is_some(), "no password was sent");
    }

    #[test]
    fn who_waits_hears_what_was_said_to_the_first() {
        for refused in [false, true] {
            let (_, door) = door();
            let first = knock(&door).expect("leave to knock");
            thread::scope(|scope| {
                let (told, heard) = mpsc::channel();
                for _ in 0..4 {
                    let (told, door) = (told.clone(), &door);
                    scope.spawn(move || {
                        let knock = door.knock(soon());
                        told.send(knock.is_ok()).expect("somebody listens");
                        if let Ok(knock) = knock {
                            knock.opened();
                        }
                    });
                }
                assert!(heard.try_recv().is_err(), "they wait");
                if refused {
                    first.refused(&Error::new(ErrorKind::LoginRefused, "login"));
                } else {
                    first.opened();
                }
                for _ in 0..4 {
                    assert_eq!(heard.recv().expect("an answer"), !refused);
                }
            });
        }
    }

    #[test]
    fn who_waits_gives_up_at_the_deadline() {
        let (_, door) = door();
        let _first = knock(&door);
        let passed = Deadline::after(Duration::ZERO);
        assert!(matches!(door.knock(passed), Err(Closed::TimedOut(e)) if e.kind == ErrorKind::TimedOut));
    }
}
