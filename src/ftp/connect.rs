//! From nothing to a logged-in control connection: resolve, dial, greeting, one burst, and once per server `FEAT`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use log::{debug, info};

use super::classify::{GREETING, Verdict, classify};
use super::command::{Arg, Command, Password};
use super::control::Control;
use super::dialect::{Can, Dialect};
use super::features::{Features, Software};
use super::reply::{Class, Reply, parse_pwd};
use super::socket::Dialer;
use crate::base::Deadline;
use crate::config::Server;
use crate::remote::{Error, ErrorKind, RemotePath, Result, Retry};

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
        self.log_in(&mut control, deadline)?;
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

    /// `USER`, `PASS`, `TYPE I` and what is known to be wanted, in one segment.
    ///
    /// The first login goes line by line: a server that wants TLS refuses the user before the password has been sent in
    /// the clear for nothing, and a wrong password is answered by the words that belong to it (pyftpdlib answers what
    /// follows first).
    fn log_in(&self, control: &mut Control, deadline: Deadline) -> std::result::Result<(), Refusal> {
        let bad = |what| Error::new(ErrorKind::LoginRefused, what).with_reply("it holds a line break");
        let user = Command::User(Arg::new(&self.server.user[..]).map_err(|_| bad("USER"))?);
        let pass = Command::Pass(Password::new(&self.server.password).map_err(|_| bad("PASS"))?);
        let features = self.dialect.features();
        let mut rest = vec![Command::TypeImage];
        rest.extend(features.iter().flat_map(|f| options(f)));
        if self.dialect.ever_connected() && self.dialect.burst() != Can::No {
            let burst: Vec<_> = [user, pass].into_iter().chain(rest.iter().cloned()).collect();
            control.send(&burst, deadline)?;
            let user = control.reply("USER", deadline).map_err(refused_or_failed)?;
            let pass = control.reply("PASS", deadline).map_err(refused_or_failed)?;
            check_login(&user, Some(&pass))?;
            self.dialect.learn_burst(Can::Yes);
        } else {
            let user = control.transact(&user, deadline).map_err(refused_or_failed)?;
            let pass = match user.class() {
                Class::Intermediate => Some(control.transact(&pass, deadline).map_err(refused_or_failed)?),
                _ => None,
            };
            check_login(&user, pass.as_ref())?;
            control.send(&rest, deadline)?;
        }
        for command in &rest {
            let reply = control.reply(command.verb(), deadline)?;
            if matches!(command, Command::TypeImage) && reply.class() != Class::Completion {
                return Err(Error::new(ErrorKind::Protocol, "TYPE").with_reply(reply.text()).into());
            }
        }
        Ok(())
    }

    /// Once per server: what it can do, and where a login begins.
    fn learn(&self, control: &mut Control, greeting: &Reply, deadline: Deadline) -> Result<()> {
        let feat = control.transact(&Command::Feat, deadline)?;
        if feat.code.class() == Class::Completion {
            let features = Features::parse(&feat);
            debug!("features: {features:?}");
            let asked: Vec<_> = options(&features);
            let software = features.software(greeting);
            self.dialect.learn_features(Some(features), software);
            // Refusals do no harm: each server keeps the facts it knows.
            control.pipeline(&asked, deadline)?;
        } else {
            self.dialect.learn_features(None, Software::from_greeting(greeting));
        }
        let pwd = control.transact(&Command::Pwd, deadline)?;
        let home = parse_pwd(&pwd).and_then(|path| RemotePath::new(&path));
        if home.is_none() {
            info!("no login directory in \"{}\": paths begin at /", pwd.text());
        }
        self.dialect.learn_home(home.unwrap_or_else(RemotePath::root));
        Ok(())
    }
}

/// Reads the greeting; 120 promises another one (RFC 959 5.4).
fn greet(control: &mut Control, deadline: Deadline) -> std::result::Result<Reply, Refusal> {
    loop {
        let reply = control.reply(GREETING, deadline).map_err(refused_or_failed)?;
        match reply.code.class() {
            Class::Preliminary => {}
            Class::Completion => return Ok(reply),
            Class::Intermediate | Class::Transient | Class::Permanent => {
                return Err(refused(GREETING, GREETING, &reply));
            }
        }
    }
}

/// While logging in, a 421 may speak of the number of connections; [`Control::reply`] has made an error of it.
fn refused_or_failed(error: Error) -> Refusal {
    if error.kind == ErrorKind::Busy {
        Refusal::TooMany(Error { kind: ErrorKind::Unreachable, ..error.with_retry(Retry::Never) })
    } else {
        Refusal::Failed(error)
    }
}

/// Judges the replies to `USER` and `PASS`: 230 to `USER` needs no password, and what `PASS` says then is of no account.
fn check_login(user: &Reply, pass: Option<&Reply>) -> std::result::Result<(), Refusal> {
    let judged = match (user.code.class(), pass) {
        (Class::Completion, _) => return Ok(()),
        (Class::Intermediate, Some(pass)) => pass,
        _ => user,
    };
    if judged.code.class() == Class::Completion {
        return Ok(());
    }
    let verb = if judged == user { "USER" } else { "PASS" };
    Err(refused(verb, "login", judged))
}

/// What the refusal of `verb` means while logging in, told as one of `what`.
fn refused(verb: &str, what: &'static str, reply: &Reply) -> Refusal {
    let error = |kind| Error::new(kind, what).with_reply(reply.text());
    match classify(verb, reply, b"") {
        Verdict::Sure(ErrorKind::Busy) => Refusal::TooMany(error(ErrorKind::Unreachable)),
        Verdict::Sure(kind) => Refusal::Failed(error(kind)),
        Verdict::Ambiguous => Refusal::Failed(error(ErrorKind::Protocol)),
    }
}

/// What to ask for at the beginning of each connection, known from `FEAT`.
fn options(features: &Features) -> Vec<Command<'static>> {
    let utf8 = features.utf8.then_some(Command::Opts(Arg::UTF8_ON));
    let facts = features.opts_mlst_wanted();
    utf8.into_iter().chain(facts).collect()
}

fn broke(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::TimedOut | ErrorKind::Unreachable | ErrorKind::Protocol)
}
