//! A connection that stands by while another one uploads: where one file comes after the other, its data channel is open
//! when the next one begins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use log::debug;

use super::client::Client;
use super::pool::Claim;
use crate::base::Deadline;
use crate::base::sync::Ranked;
use crate::remote::Result;

/// What is known of the demand.
#[derive(Default)]
pub(super) struct Standby {
    /// When an upload began last.
    last: Ranked<Option<Instant>, 64>,
    /// A connection is being made ready just now.
    busy: AtomicBool,
}

/// Says on drop that nobody is at it any more.
struct Busy<'a>(&'a AtomicBool);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Client {
    /// An upload has begun: if it is not the first one, the next one will not be far.
    pub(super) fn stand_by(&self) {
        let last = self.standby.last.lock().replace(Instant::now());
        if last.is_none_or(|at| at.elapsed() > SOON) || !self.pool.wants_spare() {
            return;
        }
        if self.standby.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let client = self.clone();
        let thread = thread::Builder::new().name("standby".into()).spawn(move || {
            let _busy = Busy(&client.standby.busy);
            if let Err(e) = client.arm_another() {
                debug!("no connection stands by: {e}");
            }
        });
        if let Err(e) = thread {
            debug!("no thread: {e}");
            self.standby.busy.store(false, Ordering::Release);
        }
    }

    fn arm_another(&self) -> Result<()> {
        let deadline = Deadline::after(self.timeout);
        let mut lease = self.pool.acquire(&Claim::Metadata, deadline)?;
        let control = lease.control_mut();
        if !control.is_armed()
            && let Some(command) = self.opener().asks_ahead(control)
        {
            let reply = control.transact(&command, deadline)?;
            self.opener().open_ahead(control, &reply);
        }
        lease.put_back();
        Ok(())
    }
}

/// Uploads that follow one another so quickly are those of one program.
const SOON: Duration = Duration::from_secs(2);
