//! From nothing to a logged-in control connection: resolve, dial, greeting, one burst, and once per server `FEAT`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use log::{debug, info};

use super::command::{Arg, Command};
use super::control::Control;
use super::dialect::{Can, Dialect};
use super::encoding::Codec;
use super::features::{Features, Software};
use super::login::{greet, log_in};
use super::reply::{Class, Reply, parse_pwd};
use super::socket::Dialer;
use crate::base::Deadline;
use crate::config::Server;
use crate::remote::{Error, ErrorKind, RemotePath, Result};

/// Makes control connections to one server.
pub(crate) struct Connector {
    server: Server,
    dialer: Box<dyn Dialer>,
    dialect: Arc<Dialect>,
    ids: AtomicU64,
}

/// Why there is no new connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server has as many of us as it wants: not an error as long as another connection lives.
    TooMany(Error),
    /// Everything else.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Connector {
    pub(crate) fn new(server: Server, dialer: Box<dyn Dialer>, dialect: Arc<Dialect>) -> Self {
        Self { server, dialer, dialect, ids: AtomicU64::new(1) }
    }

    pub(crate) fn dialer(&self) -> &dyn Dialer {
        &*self.dialer
    }

    /// A logged-in connection in binary mode.
    pub(crate) fn connect(&self, deadline: Deadline) -> std::result::Result<Control, Refusal> {
        let untried = self.dialect.burst() == Can::Unknown && self.dialect.ever_connected();
        match self.attempt(deadline) {
            // A server that throws away what arrives early leaves the burst unanswered: line by line from now on.
            Err(Refusal::Failed(e)) if untried && e.verb == "PASS" && broke(&e) => {
                info!("login in one burst failed ({e}): line by line from now on");
                self.dialect.learn_burst(Can::No);
                self.attempt(deadline)
            }
            done => done,
        }
    }

    fn attempt(&self, deadline: Deadline) -> std::result::Result<Control, Refusal> {
        let mut control = self.dial(deadline)?;
        let greeting = greet(&mut control, deadline)?;
        log_in(&mut control, &self.server, &self.dialect, deadline)?;
        if self.dialect.features().is_none() {
            self.learn(&mut control, &greeting, deadline)?;
        }
        self.dialect.learn_connected();
        Ok(control)
    }

    fn dial(&self, deadline: Deadline) -> Result<Control> {
        let Server { host, port, connect_timeout, .. } = &self.server;
        let addresses = self
            .dialer
            .resolve(host, *port, deadline.min_after(*connect_timeout))
            .map_err(|e| Error::io("resolve", e))?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match self.dialer.dial(address, deadline.min_after(*connect_timeout)) {
                Ok(socket) => {
                    let id = self.ids.fetch_add(1, Ordering::Relaxed);
                    debug!("[{id}] connected to {address}");
                    return Control::new(socket, Arc::clone(&self.dialect), id);
                }
                Err(e) => {
                    debug!("{address}: {e}");
                    last = e;
                }
            }
        }
        Err(Error::io("connect", last))
    }

    /// Once per server: what it can do, and where a login begins.
    fn learn(&self, control: &mut Control, greeting: &Reply, deadline: Deadline) -> Result<()> {
        let feat = control.transact(&Command::Feat, deadline)?;
        if feat.code.class() == Class::Completion {
            let features = Features::parse(&feat);
            debug!("features: {features:?}");
            let asked: Vec<_> = options(&features, &self.server);
            let software = features.software(greeting);
            self.dialect.learn_features(Some(features), software);
            // Refusals do no harm: each server keeps the facts it knows.
            control.pipeline(&asked, deadline)?;
        } else {
            self.dialect.learn_features(None, Software::from_greeting(greeting));
        }
        let pwd = control.transact(&Command::Pwd, deadline)?;
        let home = parse_pwd(&pwd).and_then(|path| {
            let names = Codec::new(self.server.listing.encoding);
            RemotePath::new(&names.show_path(&path))
        });
        if home.is_none() {
            info!("no login directory in \"{}\": paths begin at /", pwd.text());
        }
        self.dialect.learn_home(home.unwrap_or_else(RemotePath::root));
        Ok(())
    }
}

/// What to ask for at the beginning of each connection, known from `FEAT`.
pub(super) fn options(features: &Features, server: &Server) -> Vec<Command<'static>> {
    // With a code page of the user's choice the server must not convert: FileZilla Server and ProFTPD with a
    // UseEncoding do so by default, IIS only after ON.
    let code_page = Codec::new(server.listing.encoding).is_code_page();
    let utf8 = features.utf8.then_some(Command::Opts(if code_page { Arg::UTF8_OFF } else { Arg::UTF8_ON }));
    let facts = features.opts_mlst_wanted();
    utf8.into_iter().chain(facts).collect()
}

fn broke(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::TimedOut | ErrorKind::Unreachable | ErrorKind::Protocol)
}
