//! Wires server, filesystem and kernel together: log in, mount, serve until the end.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{info, warn};
use parking_lot::{Condvar, Mutex};

use crate::base::{Clock, Deadline, SystemClock, sys};
use crate::config::{Config, Server, TlsMode, Write};
use crate::daemon::Signals;
use crate::ftp::Client;
use crate::ftp::classify::GREETING;
use crate::ftp::socket::Network;
use crate::mount::{self, Mounted};
use crate::remote::{self, ErrorKind, Remote};
use crate::vfs::{Left, Vfs};

/// Mounts what `config` says, calls `ready` once it is mounted and logged in, and returns when it is unmounted or when
/// a signal asked for it.
///
/// # Errors
/// One line for the user, without any password.
pub fn run(config: &Config, signals: Signals, ready: &mut dyn FnMut()) -> Result<(), String> {
    let progress = Arc::new(Progress::default());
    end_on_signal(&progress, signals).map_err(|e| format!("cannot watch for signals: {e}"))?;
    // Each file that is written or waits for the server is one.
    if let Err(e) = sys::open_many_files() {
        info!("the limit of open files stays: {e}");
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let server = &config.server;
    let dialer = Box::new(Network { family: server.family });
    let client = Arc::new(Client::new(server, dialer, Arc::clone(&clock))?);
    let root = client.enter(&server.path, Deadline::after(server.timeout)).map_err(|e| no_server(server, &e))?;
    let remote: Arc<dyn Remote> = client;
    let write = Some(&config.write).filter(|_| !config.mount.read_only);
    let vfs = Vfs::new(remote, root.clone(), &config.files, write, server.timeout, clock)
        .map_err(|e| format!("cannot start: {e}"))?;
    vfs.recover(config.write.drain_timeout);
    progress.enter(Phase::Mounting);
    let mounted = mount::mount(&vfs, &config.mount).map_err(|e| no_mount(config, &e))?;
    let mounted = Arc::new(mounted);
    progress.enter(Phase::Mounted(Arc::clone(&mounted), Ending::new(&vfs, config)));
    info!("{root} of {}:{} is mounted on {}", server.host, server.port, config.mount.mountpoint.display());
    ready();
    mounted.wait(None);
    info!("{} is unmounted", config.mount.mountpoint.display());
    let stored = Ending::new(&vfs, config).store();
    vfs.shut_down();
    stored
}

/// What is to be done before the process may go.
#[derive(Clone)]
struct Ending {
    vfs: Arc<Vfs>,
    patience: Duration,
    spool: PathBuf,
}

impl Ending {
    fn new(vfs: &Arc<Vfs>, config: &Config) -> Self {
        let Write { drain_timeout, spool, .. } = &config.write;
        Self { vfs: Arc::clone(vfs), patience: *drain_timeout, spool: spool.clone() }
    }

    /// Brings everything to the server that is not there yet, or says what is left.
    fn store(&self) -> Result<(), String> {
        let Left { later, kept } = self.vfs.finish(Deadline::after(self.patience));
        for name in later.iter().chain(&kept).take(MOST_NAMED) {
            warn!("not stored: {name}");
        }
        let spool = self.spool.display();
        let mut said = Vec::new();
        if !later.is_empty() {
            let count = later.len();
            said.push(format!("{count} files are not on the server yet; the next mount of this URL stores them"));
        }
        if !kept.is_empty() {
            said.push(format!("{} files could not be stored and are kept for you in lost/", kept.len()));
        }
        if said.is_empty() { Ok(()) } else { Err(format!("{} (from {spool})", said.join("; "))) }
    }
}

/// Ends at the first signal: before there is a mount at once, later by taking it down.
///
/// A program that keeps a file open may hold the mount in the kernel for ever; after a while the process goes, and the
/// kernel tells that program so.
fn end_on_signal(progress: &Arc<Progress>, signals: Signals) -> io::Result<()> {
    let progress = Arc::clone(progress);
    thread::Builder::new().name("signal".into()).spawn(move || {
        let mut ended = false;
        loop {
            let signal = signals.wait();
            if ended {
                warn!("{signal}: leaving before everything is stored");
                std::process::exit(1);
            }
            info!("{signal}: unmounting");
            let Some((mounted, ending)) = progress.mounted() else { std::process::exit(1) };
            match mounted.unmount() {
                Ok(()) if mounted.wait(Some(Deadline::after(PATIENCE))) => ended = true,
                Ok(()) => {
                    warn!("files are still open: leaving all the same");
                    let code = match ending.store() {
                        Ok(()) => 0,
                        Err(text) => {
                            warn!("{text}");
                            1
                        }
                    };
                    std::process::exit(code);
                }
                Err(e) => warn!("cannot unmount: {e}"),
            }
        }
    })?;
    Ok(())
}

/// How far [`run`] has come, for the thread that waits for signals.
#[derive(Default)]
struct Progress {
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Default)]
enum Phase {
    /// There is nothing to take down.
    #[default]
    Starting,
    /// There may be a mount in the kernel that nobody could take down yet.
    Mounting,
    Mounted(Arc<Mounted>, Ending),
}

impl Progress {
    fn enter(&self, phase: Phase) {
        *self.phase.lock() = phase;
        self.changed.notify_all();
    }

    /// The mount; None before there is one. Waits where one is being made.
    fn mounted(&self) -> Option<(Arc<Mounted>, Ending)> {
        let mut phase = self.phase.lock();
        while matches!(*phase, Phase::Mounting) {
            if self.changed.wait_for(&mut phase, PATIENCE).timed_out() {
                return None;
            }
        }
        match &*phase {
            Phase::Mounted(mounted, ending) => Some((Arc::clone(mounted), ending.clone())),
            Phase::Starting | Phase::Mounting => None,
        }
    }
}

/// Why there is no server, in one line.
fn no_server(server: &Server, error: &remote::Error) -> String {
    let Server { host, port, .. } = server;
    let path = String::from_utf8_lossy(&server.path);
    match error.kind {
        _ if error.verb == "ftp_port" => {
            format!("option 'ftp_port': {}", error.source().map_or_else(|| error.to_string(), ToString::to_string))
        }
        ErrorKind::LoginRefused if server.user == b"anonymous" => {
            format!("cannot log in to {host}:{port} as anonymous: {error}; name a user in the URL or by --user")
        }
        ErrorKind::LoginRefused | ErrorKind::TlsRequired => format!("cannot log in to {host}:{port}: {error}"),
        ErrorKind::TlsRefused => {
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            format!("no safe connection to {host}:{port}: {why}")
        }
        ErrorKind::NotFound | ErrorKind::NotDir | ErrorKind::Denied | ErrorKind::NotPermitted | ErrorKind::Loop => {
            format!("cannot mount {path:?}: {error}")
        }
        ErrorKind::TimedOut if error.verb == GREETING && server.tls.mode != TlsMode::Implicit => {
            format!("cannot reach {host}:{port}: {error}; where TLS is spoken from the first byte on, use ftps://")
        }
        _ => format!("cannot reach {host}:{port}: {error}"),
    }
}

/// Why there is no mount, in one line.
fn no_mount(config: &Config, error: &io::Error) -> String {
    let place = config.mount.mountpoint.display();
    // fusermount3 says it in lines of its own, with its name before them.
    let text = error.to_string();
    let said = text.trim().trim_start_matches("fusermount3:").trim();
    match error.kind() {
        io::ErrorKind::NotFound => format!("cannot mount on {place}: {said} (is /dev/fuse there? try `modprobe fuse`)"),
        _ => format!("cannot mount on {place}: {said}"),
    }
}

/// Files that the log names when they could not be stored in time.
const MOST_NAMED: usize = 100;

/// How long programs are waited for that still use a mount which was told to end.
const PATIENCE: Duration = Duration::from_secs(5);
