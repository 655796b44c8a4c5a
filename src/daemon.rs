//! Going to the background, telling the caller how it went, and signals.
//!
//! [`start`] copies the process before there is any thread. The parent stays in front until the child has said through
//! a pipe that it is ready, or why not; so `ftpfs` returns 0 only for a mount that works. [`Signals`] are blocked in
//! all threads and taken one by one by a thread of their own: no code ever runs inside a signal handler.

use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::base::sys::{self, Fork, StandardStream};
use crate::logging::one_line;

/// Which side of [`start`] this is.
#[derive(Debug)]
pub enum Role {
    /// The process that was started from the shell, after the other one was ready or failed: leave with this outcome.
    Parent(Result<(), String>),
    /// The process that does the work; the only one with `foreground`.
    Worker(Ready),
}

/// Goes to the background, unless `foreground`. The worker has left terminal and working directory then.
///
/// # Errors
/// Where the process cannot be copied.
pub fn start(foreground: bool, signals: &Signals) -> io::Result<Role> {
    if foreground {
        return Ok(Role::Worker(Ready { pipe: None, told: false }));
    }
    let (reader, writer) = io::pipe()?;
    match sys::fork()? {
        Fork::Parent(child) => {
            drop(writer);
            Ok(Role::Parent(attend(child, reader, signals)))
        }
        Fork::Child => {
            drop(reader);
            sys::new_session()?;
            std::env::set_current_dir("/")?;
            Ok(Role::Worker(Ready { pipe: Some(writer), told: false }))
        }
    }
}

/// How the worker tells whether the mount is there.
#[derive(Debug)]
pub struct Ready {
    pipe: Option<PipeWriter>,
    told: bool,
}

impl Ready {
    /// The mount is there: in the background, lets the parent leave and lets go of the standard streams.
    pub fn tell(&mut self) {
        self.told = true;
        if let Some(mut pipe) = self.pipe.take() {
            if let Err(error) = leave_streams() {
                log::warn!("standard streams stay open: {error}");
            }
            // A parent that was killed meanwhile cannot read this; the mount is there all the same.
            let _ = pipe.write_all(READY);
        }
    }

    /// Whether [`tell`](Self::tell) was called.
    pub fn told(&self) -> bool {
        self.told
    }

    /// The mount could not be made, or has ended badly: `text` goes where the user sees it.
    pub fn fail(self, text: &str) {
        let line = one_line(text);
        match self.pipe {
            Some(mut pipe) => drop(pipe.write_all(line.as_bytes())),
            // In the background this is /dev/null by now.
            None => complain(&line),
        }
    }
}

/// Writes `ftpfs: text` as one line to standard error.
pub fn complain(text: &str) {
    // Nobody is left to hear that standard error is closed.
    let _ = writeln!(io::stderr(), "ftpfs: {}", one_line(text));
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`: Ctrl-C in the foreground.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGHUP`, in the foreground only: the terminal is gone.
    Hangup,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        })
    }
}

/// The signals that end a mount.
#[derive(Clone, Debug)]
pub struct Signals {
    numbers: Vec<i32>,
    foreground: bool,
}

impl Signals {
    /// Blocks them. Call this in the main thread before any other thread exists.
    ///
    /// `SIGHUP` and `SIGINT` are left alone where the caller has them ignored already, as `nohup` and shell scripts
    /// do. `SIGPIPE` is ignored by every Rust program.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn block(foreground: bool) -> io::Result<Self> {
        let ignored = ignored_signals();
        let kept = |&number: &i32| number == libc::SIGTERM || ignored & (1 << (number - 1)) == 0;
        let numbers: Vec<i32> = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP].into_iter().filter(kept).collect();
        sys::block_signals(&numbers)?;
        Ok(Self { numbers, foreground })
    }

    /// Waits for the next signal, for ever. To be called in a thread named `signal`, which nobody joins: it ends with
    /// the process.
    ///
    /// In the background `SIGHUP` is passed over: there is no terminal, and no configuration to read again.
    pub fn wait(&self) -> Signal {
        loop {
            match self.next(None) {
                Some(libc::SIGHUP) if !self.foreground => log::debug!("SIGHUP passed over"),
                Some(libc::SIGHUP) => return Signal::Hangup,
                Some(libc::SIGINT) => return Signal::Interrupt,
                Some(_) => return Signal::Terminate,
                None => {}
            }
        }
    }

    fn next(&self, limit: Option<Duration>) -> Option<i32> {
        sys::wait_signal(&self.numbers, limit).expect("the numbers were good enough for block()")
    }
}

const READY: &[u8] = b"\0";

/// How long an interrupted worker may take to unmount before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stays in front until the worker has spoken or died.
fn attend(child: i32, mut pipe: PipeReader, signals: &Signals) -> Result<(), String> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let (seen, signals) = (Arc::clone(&interrupted), signals.clone());
    let watch = move || {
        // A session of its own keeps Ctrl-C from the worker, so it has to be passed on.
        signals.next(None);
        seen.store(true, Ordering::Release);
        let _ = sys::kill(child, libc::SIGTERM);
        signals.next(Some(PATIENCE));
        let _ = sys::kill(child, libc::SIGKILL);
    };
    thread::Builder::new()
        .name("signal".into())
        .spawn(watch)
        .map_err(|error| format!("cannot start a thread: {error}"))?;

    let mut first = [0];
    let mut words = Vec::new();
    match pipe.read(&mut first) {
        Ok(1) if first == READY => return Ok(()),
        Ok(1) => {
            words.extend(first);
            let _ = pipe.read_to_end(&mut words);
        }
        // End of file without a word: below.
        _ => {}
    }
    if interrupted.load(Ordering::Acquire) {
        return Err("interrupted".into());
    }
    if words.is_empty() {
        return Err(format!("the background process ended before the mount was ready{}", how(sys::wait_child(child))));
    }
    Err(String::from_utf8_lossy(&words).into_owned())
}

fn how(status: io::Result<ExitStatus>) -> String {
    let signal = status.ok().and_then(|status| status.signal());
    signal.map(|number| format!(" (signal {number})")).unwrap_or_default()
}

fn leave_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for stream in [StandardStream::Input, StandardStream::Output, StandardStream::Error] {
        sys::redirect(null.as_fd(), stream)?;
    }
    Ok(())
}

/// The mask of signals that this process ignores, from `/proc/self/status`; 0 where that cannot be told.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_programs_ignore_sigpipe_and_we_see_it() {
        assert_ne!(ignored_signals() & (1 << (libc::SIGPIPE - 1)), 0);
    }

    #[test]
    fn in_the_foreground_ready_is_only_noted() {
        let signals = Signals { numbers: vec![libc::SIGTERM], foreground: true };
        let Ok(Role::Worker(mut ready)) = start(true, &signals) else { panic!("no fork in the foreground") };
        assert!(!ready.told());
        ready.tell();
        assert!(ready.told());
    }
}
