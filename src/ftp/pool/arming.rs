//! Data channels that are opened ahead: where one transfer or listing follows the other, the next one finds its channel
//! connected and costs a single round trip.
//!
//! A connection that is given back after a transfer asks for the next channel at once and waits for nothing; one thread
//! watches those that have asked, and begins to connect as soon as the server has named a port. Each may be used by
//! anybody meanwhile: replies come in order. While one connection is in use, two others stand by with a channel, so that
//! a program which does one thing after the other never waits for one.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use log::debug;

use super::turns::Spare;
use super::{Claim, Pool};
use crate::base::Deadline;
use crate::base::sys::{self, Ready};
use crate::ftp::control::Control;
use crate::ftp::dialect::Can;
use crate::ftp::features::Software;
use crate::remote::Result;

/// Wakes the thread that watches connections.
#[derive(Default)]
pub(super) struct Bell {
    pipe: OnceLock<Option<PipeWriter>>,
    /// It has been rung, and nobody has come yet.
    rung: AtomicBool,
}

impl Pool {
    /// A connection has been given out for `claim`: sees to it that another one stands by with a data channel.
    pub(super) fn prepare(self: &Arc<Self>, claim: &Claim) {
        if matches!(claim, Claim::Metadata) {
            return;
        }
        let spare = self.inner.lock().next_spare();
        match spare {
            Spare::Enough => {}
            Spare::Arm(mut control) => {
                let asked = self.ask_ahead(&mut control);
                self.put_down(asked.map(|()| *control));
                self.watch();
            }
            Spare::Dial => {
                let pool = Arc::clone(self);
                let grow = move || pool.grow();
                if let Err(e) = thread::Builder::new().name("standby".into()).spawn(grow) {
                    debug!("no thread: {e}");
                    self.inner.lock().growing = false;
                    self.lost(0);
                }
            }
        }
    }

    /// Makes one more connection, which is counted already.
    fn grow(self: &Arc<Self>) {
        let done = Growing(self);
        let dialled = self.dial(0, Deadline::after(self.connector.timeout()));
        drop(done);
        match dialled {
            Ok(mut control) => {
                control.carry();
                self.give_back(control, 0);
            }
            Err(e) => debug!("no connection stands by: {e}"),
        }
    }

    /// Before `control` becomes idle: begins to open the channel that it has been told of, or asks for one if it is likely
    /// to be used.
    pub(super) fn look_ahead(&self, control: &mut Control) -> Result<()> {
        self.connector.opener().follow_up(control);
        let wanted = control.has_carried() && !control.is_armed() && !control.is_arming();
        if wanted && self.inner.lock().wants_armed() { self.ask_ahead(control) } else { Ok(()) }
    }

    /// All data of a transfer has come on `control`, whose final reply has not: asks for the channel of the next one already,
    /// where the server is known to take up commands in order. Its reply comes with the final one then.
    ///
    /// Pure-FTPd takes what comes early for a wish to break off, pyftpdlib answers it in the middle of the transfer.
    pub(super) fn look_behind(&self, control: &mut Control) -> Result<()> {
        let software = control.dialect().software();
        let orderly = matches!(software, Software::Vsftpd | Software::ProFtpd) && control.dialect().burst() != Can::No;
        if !orderly || !self.inner.lock().wants_armed() {
            return Ok(());
        }
        match self.connector.opener().asks_ahead(control) {
            Some(command) => control.ask_behind(&command, Deadline::after(AT_ONCE)),
            None => Ok(()),
        }
    }

    fn ask_ahead(&self, control: &mut Control) -> Result<()> {
        match self.connector.opener().asks_ahead(control) {
            Some(command) => control.ask_ahead(&command, Deadline::after(AT_ONCE)),
            None => Ok(()),
        }
    }

    /// Gives back a connection that was in hand; None, or an error, where it is lost.
    fn put_down(&self, control: Result<Control>) {
        let mut inner = self.inner.lock();
        inner.in_hand -= 1;
        let lost = match control {
            Ok(control) if !inner.shut && inner.open <= inner.limit => {
                inner.idle.push(control);
                None
            }
            other => {
                inner.open -= 1;
                Some(other)
            }
        };
        drop(inner);
        self.gate.open();
        if let Some(Err(e)) = lost {
            debug!("an idle connection is lost: {e}");
        }
    }

    /// Has the idle connections watched that were asked for a channel.
    pub(super) fn watch(self: &Arc<Self>) {
        let pipe = self.bell.pipe.get_or_init(|| {
            let (hear, ring) = io::pipe().ok()?;
            let pool = Arc::downgrade(self);
            thread::Builder::new().name("arm".into()).spawn(move || keep_watch(&pool, hear)).ok()?;
            Some(ring)
        });
        self.ring(pipe.as_ref());
    }

    /// Wakes the watcher, if there is one.
    pub(super) fn call_watcher(&self) {
        self.ring(self.bell.pipe.get().and_then(Option::as_ref));
    }

    fn ring(&self, pipe: Option<&PipeWriter>) {
        if let Some(mut pipe) = pipe
            && !self.bell.rung.swap(true, Ordering::AcqRel)
            && let Err(e) = pipe.write(&[1])
        {
            debug!("nobody watches: {e}");
        }
    }

    /// Takes in what the server has said on the idle connection `id`.
    fn follow(&self, id: u64) {
        let control = {
            let mut inner = self.inner.lock();
            let at = inner.idle.iter().position(|control| control.id() == id && control.is_arming());
            let Some(at) = at else { return };
            inner.in_hand += 1;
            inner.idle.remove(at)
        };
        let mut control = control;
        let heard = control.hear_ahead_now();
        self.connector.opener().follow_up(&mut control);
        self.put_down(heard.map(|_| control));
    }
}

/// Connects as soon as the server has named a port, until the pool is no more.
fn keep_watch(pool: &Weak<Pool>, mut bell: PipeReader) {
    while let Some(strong) = pool.upgrade() {
        let watched: Vec<(u64, OwnedFd)> = {
            let inner = strong.inner.lock();
            if inner.shut {
                return;
            }
            // Of its own: the connection may be closed by then, and its number be another's.
            let own = |control: &Control| Some((control.id(), control.as_fd().try_clone_to_owned().ok()?));
            inner.idle.iter().filter(|control| control.is_arming()).filter_map(own).collect()
        };
        drop(strong);
        let mut wanted = vec![(bell.as_fd(), Ready::Read)];
        wanted.extend(watched.iter().map(|(_, fd)| (fd.as_fd(), Ready::Read)));
        let limit = if watched.is_empty() { LOOK_UP } else { LOOK_AGAIN };
        let Ok(ready) = sys::which_ready(&wanted, limit) else { return };
        let Some(pool) = pool.upgrade() else { return };
        if ready[0] {
            if !matches!(bell.read(&mut [0; 16]), Ok(1..)) {
                return;
            }
            // Behind that: who rings in between is seen in the next round all the same.
            pool.bell.rung.store(false, Ordering::Release);
        }
        for ((id, _), _) in watched.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            pool.follow(*id);
        }
    }
}

/// Says on drop that no connection is being made any more.
struct Growing<'a>(&'a Pool);

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().growing = false;
    }
}

/// A command of six bytes fits into every socket that has been idle.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How often the watcher looks whether it is still needed.
const LOOK_UP: Duration = Duration::from_secs(60);

/// How often it looks whether those whom it watches are still there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
