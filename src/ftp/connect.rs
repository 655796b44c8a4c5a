//! From nothing to a logged-in control connection: resolve, dial, greeting, TLS, login, and once per server `FEAT`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use log::{debug, info, warn};

use super::command::{Arg, Command};
use super::control::Control;
use super::data::Opener;
use super::dialect::{Can, Dialect, Skill};
use super::door::Door;
use super::encoding::Codec;
use super::features::{Features, Software};
use super::login::{Login, greet, refused_or_failed};
use super::reply::{Class, Reply, parse_pwd};
use super::socket::Dialer;
use super::tls::Security;
use crate::base::{Clock, Deadline};
use crate::config::{Server, TlsMode};
use crate::remote::{Error, ErrorKind, RemotePath, Result};

/// Makes control connections to one server.
pub(crate) struct Connector {
    server: Server,
    dialer: Box<dyn Dialer>,
    security: Security,
    dialect: Arc<Dialect>,
    door: Door,
    ids: AtomicU64,
}

/// Why there is no new connection.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The server has as many of us as it wants: not an error as long as another connection lives.
    TooMany(Error),
    /// The server has refused the password before, and it is not time to try again: it was not asked.
    Known(Error),
    /// Everything else.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Connector {
    pub(crate) fn new(
        server: Server,
        dialer: Box<dyn Dialer>,
        security: Security,
        dialect: Arc<Dialect>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { server, dialer, security, dialect, door: Door::new(clock), ids: AtomicU64::new(1) }
    }

    /// How data channels are opened.
    pub(crate) fn opener(&self) -> Opener<'_> {
        let Server { data, connect_timeout, .. } = &self.server;
        Opener { dialer: &*self.dialer, settings: data, patience: *connect_timeout }
    }

    /// How long a question may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.server.timeout
    }

    /// Whether data travels in the clear although commands do not.
    pub(crate) fn clears_data(&self) -> bool {
        self.security.clear_data()
    }

    /// A logged-in connection in binary mode.
    pub(crate) fn connect(&self, deadline: Deadline) -> std::result::Result<Control, Refusal> {
        let unknown = self.dialect.burst() == Can::Unknown;
        let untried = self.dialect.can(Skill::LoginBurst) == Can::Unknown && self.dialect.ever_connected();
        let old = self.dialect.can(Skill::Tls13) == Can::No;
        match self.attempt(deadline) {
            // The server speaks TLS 1.3 alone.
            Err(Refusal::Failed(e)) if old && self.dialect.can(Skill::Tls13) == Can::Unknown => {
                info!("no TLS 1.2 here ({e})");
                self.attempt(deadline)
            }
            // Just learned, but this connection is out of step.
            Err(Refusal::Failed(_)) if unknown && self.dialect.burst() == Can::No => self.attempt(deadline),
            // A server that throws away what arrives early leaves the burst unanswered: line by line from now on.
            Err(Refusal::Failed(e)) if untried && e.verb == "PASS" && broke(&e) => {
                info!("login in one burst failed ({e}): line by line from now on");
                self.dialect.learn(Skill::LoginBurst, Can::No);
                self.attempt(deadline)
            }
            // A small device that leaves at verbs which it does not know; what it can do shows as it is asked.
            Err(Refusal::Failed(e)) if e.verb == "FEAT" && hung_up(&e) && self.dialect.features().is_none() => {
                info!("the server hangs up at FEAT: doing without");
                self.dialect.learn_features(None, Software::default());
                self.attempt(deadline)
            }
            Err(Refusal::Failed(e)) if self.may_be_clear() && e.verb == "AUTH" && hung_up(&e) => {
                self.without_tls(deadline)
            }
            done => done,
        }
    }

    fn attempt(&self, deadline: Deadline) -> std::result::Result<Control, Refusal> {
        self.door.check().map_err(Refusal::Known)?;
        let mut control = self.dial(deadline)?;
        if self.security.mode() == TlsMode::Implicit {
            control = self.encrypt(control, deadline).map_err(refused_or_failed)?;
        }
        let greeting = greet(&mut control, deadline)?;
        let mut control = match self.security.mode() {
            TlsMode::Require => self.negotiate(control, deadline)?,
            TlsMode::Try if self.dialect.can(Skill::Tls) != Can::No => self.negotiate(control, deadline)?,
            TlsMode::Try | TlsMode::Off | TlsMode::Implicit => control,
        };
        self.login().run(&mut control, deadline)?;
        if self.dialect.home().is_none() {
            self.learn(&mut control, &greeting, deadline)?;
        }
        self.dialect.learn_connected();
        control.round_trip().into_iter().for_each(|delay| self.dialect.learn_delay(delay));
        Ok(control)
    }

    fn login(&self) -> Login<'_> {
        let Server { user, password, account, tls, .. } = &self.server;
        let (account, tls) = (account.as_ref(), tls.mode);
        Login { user, password, account, tls, names: self.names(), dialect: &self.dialect, door: &self.door }
    }

    fn names(&self) -> Codec {
        Codec::new(self.server.listing.encoding)
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

    /// `AUTH TLS` (RFC 4217 4): an encrypted connection, or the one that came where the user accepts that.
    fn negotiate(&self, mut control: Control, deadline: Deadline) -> Result<Control> {
        let reply = control.transact(&Command::AuthTls, deadline)?;
        match reply.class() {
            // 334 asks for more, which TLS never does.
            Class::Completion => {
                // Promised, even if the handshake should fail.
                self.dialect.learn(Skill::Tls, Can::Yes);
                self.encrypt(control, deadline)
            }
            // 431: TLS is known, but a certificate or a library is missing (RFC 2228 7).
            _ if self.may_be_clear() && (reply.class() == Class::Permanent || reply.code.get() == 431) => {
                warn!("the server has no TLS ({}): passwords and files cross the network in the clear", reply.text());
                self.dialect.learn(Skill::Tls, Can::No);
                Ok(control)
            }
            _ => Err(self.no_tls(&reply)),
        }
    }

    fn encrypt(&self, control: Control, deadline: Deadline) -> Result<Control> {
        let old = self.dialect.can(Skill::Tls13) == Can::No;
        let session = self.security.session(old).map_err(|text| {
            Error::new(ErrorKind::TlsRefused, "TLS").because(io::Error::new(io::ErrorKind::InvalidInput, text))
        })?;
        let mut control = control.start_tls(session, deadline).inspect_err(|e| {
            if old && e.kind == ErrorKind::TlsRefused {
                // TLS 1.2 was tried because sessions of 1.3 did not seem to be resumed: it is no way out.
                self.dialect.learn(Skill::Tls13, Can::Unknown);
                self.dialect.learn(Skill::Tls12, Can::No);
            }
        })?;
        self.dialect.learn(Skill::Tls, Can::Yes);
        control.protect_data(!self.security.clear_data());
        Ok(control)
    }

    /// Whether nothing has been promised yet: the user takes what there is, and the server has never agreed to TLS.
    ///
    /// One that agreed once and refuses now has somebody else in front of it, or answers in its place.
    fn may_be_clear(&self) -> bool {
        self.security.mode() == TlsMode::Try && self.dialect.can(Skill::Tls) == Can::Unknown
    }

    /// A server that hangs up at `AUTH`, twice: some know so few verbs that they leave at the first strange one.
    fn without_tls(&self, deadline: Deadline) -> std::result::Result<Control, Refusal> {
        match self.attempt(deadline) {
            Err(Refusal::Failed(e)) if e.verb == "AUTH" && hung_up(&e) => {
                warn!("the server hangs up at AUTH TLS: passwords and files cross the network in the clear");
                self.dialect.learn(Skill::Tls, Can::No);
                self.attempt(deadline)
            }
            done => done,
        }
    }

    fn no_tls(&self, reply: &Reply) -> Error {
        let text = match self.security.mode() {
            TlsMode::Try if self.dialect.can(Skill::Tls) == Can::Yes => {
                format!("the server agreed to TLS before, and now says: {}", reply.text())
            }
            TlsMode::Try => format!("the server cannot do TLS just now: {} (tls=off would do without)", reply.text()),
            _ => format!("the server has no TLS: {} (ftp:// without tls=require would accept it)", reply.text()),
        };
        Error::new(ErrorKind::TlsRefused, "AUTH").because(io::Error::new(io::ErrorKind::ConnectionRefused, text))
    }

    /// Once per server: what it can do, and where a login begins.
    fn learn(&self, control: &mut Control, greeting: &Reply, deadline: Deadline) -> Result<()> {
        let mut asked = Vec::new();
        if self.dialect.features().is_none() {
            let feat = control.transact(&Command::Feat, deadline)?;
            if feat.code.class() == Class::Completion {
                let features = Features::parse(&feat);
                asked = options(&features, self.names());
                let software = features.software(greeting);
                self.dialect.learn_features(Some(features), software);
            } else {
                self.dialect.learn_features(None, Software::from_greeting(greeting));
            }
        }
        let pwd = self.first_burst(control, asked, deadline)?;
        let home = parse_pwd(&pwd).and_then(|path| RemotePath::new(&self.names().show_path(&path)));
        if home.is_none() {
            info!("no login directory in \"{}\": paths begin at /", pwd.text());
        }
        self.dialect.learn_home(home.unwrap_or_else(RemotePath::root));
        Ok(())
    }
}

impl Connector {
    /// Sends `asked` and `PWD`, whose reply it returns, in one segment: the first one that holds several commands.
    ///
    /// Some servers read a command and throw away what came with it (uftpd 2.13, and small devices). They are found out
    /// here, where nothing is lost by it.
    fn first_burst(&self, control: &mut Control, asked: Vec<Command<'_>>, deadline: Deadline) -> Result<Reply> {
        let mut burst = asked;
        if burst.is_empty() {
            // Something that the server is known to answer.
            burst.push(Command::TypeImage);
        }
        burst.push(Command::Pwd);
        control.send(&burst, deadline)?;
        // Refusals do no harm: each server keeps the facts it knows.
        let mut reply = control.reply(burst[0].verb(), deadline)?;
        let left = deadline.left().map_err(|e| Error::io("PWD", e))?;
        let soon = deadline.min_after(left / BURST_SHARE);
        for command in &burst[1..] {
            reply = control.reply(command.verb(), soon).inspect_err(|e| {
                if e.kind == ErrorKind::TimedOut {
                    info!("the server answers the first of several commands alone: one at a time from now on");
                    self.dialect.learn_burst(Can::No);
                }
            })?;
        }
        Ok(reply)
    }
}

/// The share of the time that the first burst of all may take after its first reply.
const BURST_SHARE: u32 = 3;

/// What to ask for at the beginning of each connection, known from `FEAT`.
pub(super) fn options(features: &Features, names: Codec) -> Vec<Command<'static>> {
    // With a code page of the user's choice the server must not convert: FileZilla Server and ProFTPD with a
    // UseEncoding do so by default, IIS only after ON.
    let utf8 = features.utf8.then_some(Command::Opts(if names.is_code_page() { Arg::UTF8_OFF } else { Arg::UTF8_ON }));
    let facts = features.opts_mlst_wanted();
    utf8.into_iter().chain(facts).collect()
}

fn hung_up(error: &Error) -> bool {
    error.kind == ErrorKind::Unreachable && error.reply.is_none()
}

fn broke(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::TimedOut | ErrorKind::Unreachable | ErrorKind::Protocol)
}
